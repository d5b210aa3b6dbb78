"""Check one field of a raw file: which text is sound, and what is wrong with it."""

import re
from collections.abc import Callable
from datetime import date, datetime

from basket.project.dictionary import Column

WHOLE_NUMBER = re.compile(r"-?[0-9]+")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
DATE_FORMAT = "%m/%d/%Y"
DATE = re.compile(r"[0-9]{1,2}/[0-9]{1,2}/(19|20)[0-9]{2}")
LONGEST_TEXT = 32_000  # UTF-16 units, as a spreadsheet counts: its cell holds 32,767
MASK = "***"
# Texts with letters that are no names: what stands for no value, and numbers in rarer forms.
NAMELESS = re.compile(
    r"N/?A|NaN|nan|NaT|NULL|null|None|[Tt]rue|[Ff]alse|TRUE|FALSE|[+-]?inf|"
    r"[+-]?(0[xX][0-9a-fA-F]+|[0-9][0-9.,]*[eE][+-]?[0-9]+)"
)
UTF8 = r"[\xc2-\xdf][\x80-\xbf]|[\xe1-\xec][\x80-\xbf]{2}"  # characters that are not ASCII


def masked(value: str) -> str:
    """Hide what may be a person's name, wherever it stands: what has letters (D-14)."""
    return MASK if any(map(str.isalpha, value)) and not NAMELESS.fullmatch(value) else value


def plain(column: Column | None) -> str:
    """Return a regular expression for fields of a column that are sound beyond doubt.

    Numbers are if they are short and in the usual form, texts if they have no rare character.
    """
    if column is None or (column.type == "category" and not column.allowed):
        some = "+" if column and column.needed else "*"
        return rf'(?:(?:[ !#-+\--~]|{UTF8}){some}|"(?:[ !#-~]|""|{UTF8}){some}")'
    if column.allowed:
        text = "|".join(map(re.escape, column.allowed))
    elif column.type == "date":
        text = (
            "(?:(?:0?[1-9]|1[0-2])/(?:0?[1-9]|1[0-9]|2[0-8])|(?:0?[13-9]|1[0-2])/(?:29|30)"
            "|(?:0?[13578]|1[02])/31)/(?:19|20)[0-9]{2}"
        )
    elif column.maximum < 1000:
        text = "|".join(f"0?{n}" for n in range(int(column.minimum), int(column.maximum) + 1))
        text = rf"(?:{text})(?:\.0)?" if column.type == "Int8" else text
    else:
        text = f"[1-9][0-9]{{0,{len(str(int(column.maximum))) - 2}}}"
        text += r"(?:\.[0-9]{0,9})?" * (column.type == "float64")
    optional = "" if column.needed else "?"
    return f'(?:(?:{text}){optional}|"(?:{text}){optional}")'


def _damaged(text: str) -> str | None:
    if "\x00" in text:
        return "holds a NUL byte"
    if 2 * len(text) > LONGEST_TEXT:
        units = len(text.encode("utf-16-le")) // 2
        if units > LONGEST_TEXT:
            return f"{units:,} characters, expected at most {LONGEST_TEXT:,}"
    return None


def problem(column: Column, value: str, masked: Callable = masked) -> str | None:  # noqa: PLR0911
    """Say what is wrong with a value, or None; `masked` hides what nobody may read."""
    found = f"found {masked(value)[:40]!r}"
    if any("\udc80" <= character <= "\udcff" for character in value):
        return "is not UTF-8"
    if value == "":
        return "is missing" if column.needed else None
    if column.type == "category":
        if column.allowed and value not in column.allowed:
            return f"{found}, expected one of {', '.join(column.allowed)}"
        return _damaged(value)
    if column.type == "date":
        return None if _is_date(value) else f"{found}, expected month/day/year"
    pattern = DECIMAL if column.type in ("Int8", "float64") else WHOLE_NUMBER
    if not pattern.fullmatch(value) or (column.type == "Int8" and float(value) % 1):
        return f"{found}, expected {'a' if column.type == 'float64' else 'a whole'} number"
    if column.minimum is not None and float(value) < column.minimum:
        return f"found {value[:40]}, expected {column.minimum:g} or more"
    if column.maximum is not None and float(value) > column.maximum:
        return f"found {value[:40]}, expected {column.maximum:.10g} or less"
    return None


def _is_date(value: str) -> bool:
    try:
        return bool(DATE.fullmatch(value) and as_date(value))
    except ValueError:
        return False


def as_date(value: str) -> date:
    """Read a date as raw files write it: month/day/year."""
    return datetime.strptime(value, DATE_FORMAT).date()
