"""What a cell shows: headings, number formats, and a value as a cell holds it."""

import math
import re
from collections.abc import Iterable, Sequence

import pandas as pd

from basket.analysis.words import capitalised
from basket.project.dictionary import result_columns
from basket.report.workbook.measure_text import clean_text

NOT_KNOWN = "N/A"
NOTHING = "–"
FIGURE_HEADINGS = {"ratio": "Times the others"}  # of columns that only figures have
INTERVAL_ENDS = {"_low": "Interval, from", "_high": "Interval, to"}


def number_format(name: str, values: Iterable) -> str:
    """Return the format of a column: the dictionary's, else one that suits its numbers."""
    column = result_columns().get(name)
    if column and column.format:
        return column.format
    numbers = [value for value in values if is_number(value)]
    return "#,##0" if all(float(value).is_integer() for value in numbers) else "0.00"


def heading(name: str) -> str:
    """Return a column's name as a reader sees it."""
    column = result_columns().get(name)
    if column:
        return column.heading
    end = next((words for end, words in INTERVAL_ENDS.items() if name.endswith(end)), None)
    return FIGURE_HEADINGS.get(name) or end or capitalised(name.replace("_", " "))


def is_number(value) -> bool:
    """Say whether a value is a number (a truth value is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def plain(value):
    """Convert a value to what a cell holds: a number, a text, N/A for what is not known."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return NOT_KNOWN
    if hasattr(value, "item"):
        return plain(value.item())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, int):
        return value
    return clean_text(str(value)) or NOTHING


def shown(value, number_format: str) -> str:
    """Write a number roughly as its format shows it: good enough to measure it."""
    if not is_number(value):
        return str(value)
    decimals = len(match.group(1)) if (match := re.search(r"0\.(0+)", number_format)) else 0
    percent = "%" in number_format
    text = f"{value * (100 if percent else 1):,.{decimals}f}"
    return ("$" if "$" in number_format else "") + text + ("%" if percent else "")


def number_format_of(value) -> str:
    """Return the format of a number outside of a table."""
    return "#,##0" if float(value).is_integer() else "#,##0.00"


def unique(titles: Sequence[str]) -> list[str]:
    """Make titles differ: the second of a name gets a 2."""
    seen: dict[str, int] = {}
    found = []
    for title in titles:
        key = title.casefold()
        seen[key] = seen.get(key, 0) + 1
        found.append(title if seen[key] == 1 else f"{title} {seen[key]}")
    return found
