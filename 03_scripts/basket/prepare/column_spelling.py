"""On which spelling all values of a column agree: read by pyarrow, which takes long to load."""

import re
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from basket.prepare.spelling import FEWEST_ROWS, ISO_DATE, LOGICAL, WITH_ZERO, in_thousands
from basket.project.dictionary import Column

MISSING = (
    *("NA", "N/A", "#N/A", "na", "n/a", "NULL", "Null", "null", "(null)", "\\N", "nan", "NaN"),
    *("NaT", "None", "<NA>", "-", "--", "?"),
)
GROUPING = (",", " ", "'", "\u00a0", "\u202f")  # between thousands
NUMBER_LIKE = re.compile(r"[-+]?[0-9][0-9., '\u00a0\u202f]*")
SMALL = re.compile(r"-?[0-9]{1,3}(\.[0-9]+)?")
NUMBER = r"^-?[0-9]*$"
USUAL = {"float64": r"^[0-9]*\.?[0-9]*$", "date": r"^([0-9]{1,2}/[0-9]{1,2}/[0-9]{4})?$"}
USUAL["Int8"] = USUAL["float64"]


def fields_of(text: bytes, header: list[str], separator: str) -> dict[str, pa.ChunkedArray]:
    """Return each column's fields as text, without rows of another length; {} if unreadable."""
    places = [str(place) for place in range(len(header))]
    try:
        read = pa_csv.read_csv(
            pa.py_buffer(text),
            pa_csv.ReadOptions(column_names=places, skip_rows=1, block_size=max(len(text), 1024)),
            pa_csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=lambda _: "skip"
            ),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(places, pa.binary()), null_values=[]),
        )
    except pa.ArrowInvalid:
        return {}
    return dict(zip(header, read.columns, strict=True))


def changes_of(column: Column, values: pa.ChunkedArray) -> tuple[tuple[str, str], ...]:
    """Return the spelling on which all values of a column agree; () where it is as expected."""
    if column.type == "category" and not column.allowed:
        return ()
    usual = USUAL.get(column.type, NUMBER)
    if column.type != "category" and pc.all(pc.match_substring_regex(values, usual)).as_py():
        return ()
    counts = Counter(
        {
            pair["values"].decode("utf-8", "replace"): pair["counts"]
            for pair in values.value_counts().to_pylist()
        }
    )
    empty = counts.pop("", 0)
    changes: list[tuple[str, str]] = []
    tokens = [token for token in MISSING if token in counts]
    is_missing = not column.needed and not empty and len(tokens) == 1
    if is_missing and counts[tokens[0]] >= FEWEST_ROWS:
        changes.append(("missing", tokens[0]))
        del counts[tokens[0]]
    texts = list(counts)
    if column.type == "date":
        if any(map(ISO_DATE.fullmatch, texts)) and not any("/" in text for text in texts):
            changes.append(("iso", ""))
    elif column.type != "category":
        is_logical = (column.minimum, column.maximum) == (0, 1) and texts
        if is_logical and counts.total() >= FEWEST_ROWS and {*map(str.lower, texts)} <= {*LOGICAL}:
            changes.append(("logical", ""))
        changes += _number_changes(column, texts)
    return tuple(changes)


def _number_changes(column: Column, texts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the changes of a column of numbers; a text that is no number at all is damage."""
    is_decimal = column.type == "float64"
    texts = [text for text in texts if NUMBER_LIKE.fullmatch(text)]
    for sign in GROUPING:
        grouped = [text for text in texts if in_thousands(sign).fullmatch(text)]
        agreed = all(in_thousands(sign).fullmatch(text) or SMALL.fullmatch(text) for text in texts)
        sure = not is_decimal or sign != "," or any("." in text for text in texts)
        if grouped and agreed and sure:
            yield "grouped", sign
            texts = [text.replace(sign, "") for text in texts]
            break
    if not is_decimal and column.type != "Int8" and texts and all(map(WITH_ZERO.fullmatch, texts)):
        yield "zero", ""
