"""Result tables as text: the one way in which numbers are written, and read again.

Texts are written as no spreadsheet calculates them (`basket.tables.guarded`).
"""

import re
from pathlib import Path

import pandas as pd

from basket.project.dictionary import result_column
from basket.project.errors import REPORT, BasketError
from basket.tables.guarded import guarded, unguarded


def to_csv(table: pd.DataFrame) -> str:
    """Write a result table as text: money two decimals, other fractions six, missing left empty.

    Texts are `guarded`. A carriage return in a name becomes a line break: unquoted, it would end
    the row. Raises BasketError for a column that the dictionary does not describe.
    """
    shown = table.infer_objects()  # beside an empty table, numbers are put together as objects
    for name in shown.columns:
        decimals = result_column(name).decimals
        if result_column(name).is_text:
            shown[name] = shown[name].astype(object).map(guarded)
        if pd.api.types.is_float_dtype(shown[name]):
            shown[name] = [
                "" if pd.isna(value) else f"{round(value, decimals) + 0.0:.{decimals}f}"
                for value in shown[name]
            ]
    text = shown.to_csv(index=False, lineterminator="\n")
    if "\r" in text:
        texts = shown.select_dtypes(exclude="number").columns
        shown[texts] = shown[texts].astype(object).replace(re.compile("\r\n?"), "\n")
        text = shown.to_csv(index=False, lineterminator="\n")
    return text


def read_csv(path: Path) -> pd.DataFrame:
    """Read a result table: a product called "None" stays a text, an empty number is missing.

    Raises BasketError for a column that the dictionary does not describe, and for a text where
    the dictionary promises numbers.
    """
    table = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8")
    try:
        return table.apply(
            lambda column: (
                column.map(unguarded) if result_column(column.name).is_text else _as_numbers(column)
            )
        )
    except ValueError as error:
        raise BasketError(f"{path}: {error}; run `{REPORT}` again") from None


def _as_numbers(column: pd.Series) -> pd.Series:
    """Return the numbers of a column; one that is wholly empty stays as it is."""
    known = column[column != ""]
    if known.empty:
        return column
    numbers = pd.to_numeric(known)
    whole = pd.api.types.is_integer_dtype(numbers)
    return numbers.reindex(column.index).astype("Int64" if whole else "float64")
