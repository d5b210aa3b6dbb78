"""CSV to typed columns: fast where the file is sound, row by row where it is not.

A slice is parsed by pyarrow with explicit types and held against the dictionary's limits. Only when
that fails is the same slice read row by row with Python's csv module, which finds each bad row, its
line number and the rule it breaks; those rows go to quarantine, the others are parsed again.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from basket import dictionary
from basket.dictionary import Column
from basket.errors import DataError
from basket.raw import PEOPLE, RawFile

WHOLE_NUMBER = re.compile(r"-?\d{1,18}")
WHOLE_WITH_POINT = re.compile(r"-?\d{1,18}(\.0*)?")
DECIMAL = re.compile(r"-?\d{1,18}(\.\d*)?([eE][+-]?\d{1,2})?")
DATE_FORMAT = "%m/%d/%Y"
DATE = re.compile(r"\d{1,2}/\d{1,2}/(19|20)\d\d")
LONGEST_TEXT = 32_000  # characters; a spreadsheet's cell holds 32,767
MASK = "***"


@dataclass(frozen=True)
class BadRow:
    """A row that could not be used: where it stood, the rule it broke, its text."""

    file: str
    line: int
    rule: str
    text: str


@dataclass(frozen=True)
class Slice:
    """What a slice of a file held: its good rows, its bad ones, and how many lines it had."""

    rows: pa.Table
    bad: list[BadRow]
    lines: int


@dataclass(frozen=True)
class Reader:
    """How the rows of one raw file become the columns of one raw table."""

    file: RawFile
    table: str
    header: tuple[str, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The dictionary's columns that the file has."""
        return tuple(c for c in dictionary.columns_of(self.table) if c.name in self.header)

    def parse(self, text: bytes, many_lines: bool = False) -> "Slice":
        """Parse a slice without header; `many_lines` where a quoted field may hold a line break."""
        try:
            found = self._typed(text, many_lines)
            return Slice(found, [], found.num_rows)
        except (pa.ArrowInvalid, OverflowError, _LimitBrokenError):
            good, bad, lines = self._row_by_row(text)
            return Slice(self._typed(good, many_lines), bad, lines)

    def _typed(self, text: bytes, many_lines: bool) -> pa.Table:
        """Parse with explicit types; raise when a value has another type or breaks a limit."""
        if not text:
            return dictionary_schema(self.columns).empty_table()
        parsed = pa_csv.read_csv(
            pa.py_buffer(text),
            pa_csv.ReadOptions(
                column_names=list(self.header),
                use_threads=False,
                block_size=max(len(text) + 1, 1024),
            ),
            pa_csv.ParseOptions(newlines_in_values=many_lines, ignore_empty_lines=False),
            pa_csv.ConvertOptions(
                column_types={c.name: _parse_type(c) for c in self.columns},
                include_columns=[c.name for c in self.columns],
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
        columns = []
        for column in self.columns:
            values = parsed[column.name]
            values = (
                _dates(column, values) if column.type == "date" else values.cast(column.arrow_type)
            )
            _check_limits(column, values)
            columns.append(values)
        return pa.Table.from_arrays(columns, schema=dictionary_schema(self.columns))

    def _row_by_row(self, text: bytes) -> tuple[bytes, list[BadRow], int]:
        """Separate the rows that can be used from those that cannot."""
        known = {column.name: column for column in self.columns}
        decoded = text.decode("utf-8", errors="surrogateescape")
        rows = csv.reader(io.StringIO(decoded, newline=""))
        kept = io.StringIO(newline="")
        writer = csv.writer(kept, lineterminator="\n")
        bad = []
        line = 1
        while True:
            try:
                row = next(rows)
            except StopIteration:
                break
            except csv.Error as error:
                row, rule = [], f"not readable as CSV: {error}"
            else:
                rule = self._broken_rule(row, known) if row else None
            if rule:
                shown = ",".join(map(self._masked, row)).encode("utf-8", "replace").decode()
                shown = shown[:LONGEST_TEXT]
                bad.append(BadRow(self.file.name, line, rule, shown))
            elif row:
                writer.writerow(row)
            line = rows.line_num + 1
        return kept.getvalue().encode("utf-8", errors="surrogateescape"), bad, rows.line_num

    def _broken_rule(self, row: list[str], known: dict[str, Column]) -> str | None:
        if len(row) != len(self.header):
            return f"expected {len(self.header)} fields, found {len(row)}"
        for name, value in zip(self.header, row, strict=True):
            column = known.get(name)
            if column and _problem(column, value):
                return f"{name}: {_problem(column, value, self._masked)}"
        return None

    def _masked(self, value: str) -> str:
        """Hide what may be a person's name: in a shifted row it can stand in any field (D-14)."""
        if not set(PEOPLE) & set(self.header) or not any(map(str.isalpha, value)):
            return value
        return value if any(value in column.allowed for column in self.columns) else MASK


class _LimitBrokenError(Exception):
    """A value lies outside the dictionary's limits."""


def dictionary_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The stored schema of some of a table's columns."""
    return pa.schema([pa.field(c.name, c.arrow_type, nullable=True) for c in columns])


def _parse_type(column: Column) -> pa.DataType:
    """Type in which pyarrow parses the text of a column, before it becomes the stored type."""
    if column.type == "Int8":
        return pa.float32()  # gaps are written like 7.0
    if column.type in ("category", "date"):  # pyarrow reads 2/30 as 2 March
        return pa.dictionary(pa.int32(), pa.string())
    return column.arrow_type


def _dates(column: Column, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn texts into dates; raise when one is no day of the calendar."""
    days = []
    for chunk in texts.chunks:
        distinct = chunk.dictionary.to_pylist()
        if not all(map(_is_date, distinct)):
            raise _LimitBrokenError(column.name)
        dates = [datetime.strptime(text, DATE_FORMAT).date() for text in distinct]
        days.append(pa.array(dates, column.arrow_type).take(chunk.indices))
    return pa.chunked_array(days, column.arrow_type)


def _check_limits(column: Column, values: pa.ChunkedArray) -> None:
    if column.required and values.null_count:
        raise _LimitBrokenError(column.name)
    if column.type == "float64" and pc.any(pc.is_nan(values)).as_py():
        raise _LimitBrokenError(column.name)
    if column.minimum is not None or column.maximum is not None:
        low, high = pc.min_max(values).values()
        if low.is_valid and not (
            (column.minimum is None or low.as_py() >= column.minimum)
            and (column.maximum is None or high.as_py() <= column.maximum)
        ):
            raise _LimitBrokenError(column.name)
    if column.type == "category":
        texts = {text for chunk in values.chunks for text in chunk.dictionary.to_pylist()}
        if column.allowed and not texts <= set(column.allowed):
            raise _LimitBrokenError(column.name)
        if any(_damaged(text) for text in texts):
            raise _LimitBrokenError(column.name)


def _damaged(text: str) -> str | None:
    if "\x00" in text:
        return "holds a NUL byte"
    if len(text) > LONGEST_TEXT:
        return f"{len(text):,} characters, expected at most {LONGEST_TEXT:,}"
    return None


def _problem(column: Column, value: str, masked: Callable = str) -> str | None:  # noqa: PLR0911
    """Say what is wrong with a value, or None; `masked` hides what nobody may read."""
    found = f"found {masked(value)[:40]!r}"
    if any("\udc80" <= character <= "\udcff" for character in value):
        return "is not UTF-8"
    if value == "":
        return "is missing" if column.required else None
    if column.type == "category":
        if column.allowed and value not in column.allowed:
            return f"{found}, expected one of {', '.join(column.allowed)}"
        return _damaged(value)
    if column.type == "date":
        return None if _is_date(value) else f"{found}, expected month/day/year"
    pattern = {"Int8": WHOLE_WITH_POINT, "float64": DECIMAL}.get(column.type, WHOLE_NUMBER)
    if not pattern.fullmatch(value):
        kind = "a number" if column.type == "float64" else "a whole number"
        return f"{found}, expected {kind}"
    if column.minimum is not None and float(value) < column.minimum:
        return f"found {value[:40]}, expected {column.minimum:g} or more"
    if column.maximum is not None and float(value) > column.maximum:
        return f"found {value[:40]}, expected {column.maximum:.10g} or less"
    return None


def _is_date(value: str) -> bool:
    try:
        return bool(DATE.fullmatch(value) and datetime.strptime(value, DATE_FORMAT))
    except ValueError:
        return False


def read_small(file: RawFile, table: str) -> Slice:
    """Read a whole file at once: products or customers, whose quoted text may hold line breaks."""
    reader = Reader(file, table, tuple(file.header()))
    found = reader.parse(_without_header(b"".join(file.slices())), many_lines=True)
    expect_rows(file, found.rows.num_rows + len(found.bad))
    return replace(found, bad=_shifted(found.bad, 2))


def read_slices(file: RawFile, table: str, work: Callable, threads: int) -> Iterator[tuple]:
    """Parse a large file slice by slice on a pool of threads and apply `work` to each slice's rows.

    Yields (what `work` returned, bad rows) in the order of the file; only a few slices are in
    memory at a time. `work` runs on the pool, too.
    """
    reader = Reader(file, table, tuple(file.header()))

    def parse(text: bytes) -> tuple:
        found = reader.parse(text)
        return work(found.rows), found.bad, found.lines

    with ThreadPoolExecutor(threads) as pool:
        yield from numbered(_in_order(pool, parse, _without_first_line(file.slices()), threads + 1))


def numbered(slices: Iterable[tuple]) -> Iterator[tuple]:
    """Give the bad rows of slices, (result, bad rows, lines) each, their line in the file."""
    begins = 2
    for result, bad, lines in slices:
        yield result, _shifted(bad, begins)
        begins += lines


def _shifted(bad: list[BadRow], first_line: int) -> list[BadRow]:
    """The bad rows of a text that begins in this line of its file."""
    return [replace(row, line=row.line + first_line - 1) for row in bad]


def _in_order(pool: ThreadPoolExecutor, work: Callable, items: Iterable, ahead: int) -> Iterator:
    """Like `pool.map`, but takes items from the source only when there is room for them."""
    waiting = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _without_first_line(slices: Iterator[bytes]) -> Iterator[bytes]:
    for number, text in enumerate(slices):
        rest = text if number else _without_header(text)
        if rest:
            yield rest


def read_departments(file: RawFile) -> pa.Table:
    """Read departments.csv, long or wide: one row per department.

    The course's file is wide: the ids are the header, the names the one row below it.
    """
    text = b"".join(file.slices()).decode("utf-8", errors="surrogateescape")
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    if rows[0] != ["department_id", "department"]:
        if len(rows) != 2 or len(rows[0]) != len(rows[1]):
            raise DataError(
                f"{file.name}: found {len(rows) - 1} rows below a wide header of "
                f"{len(rows[0])} fields; expected one row with as many names"
            )
        rows = [["department_id", "department"], *zip(rows[0][1:], rows[1][1:], strict=True)]
    expect_rows(file, len(rows) - 1)
    columns = {column.name: column for column in dictionary.columns_of("raw_departments")}
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != 2:
            raise DataError(f"{file.name}, line {line}: expected 2 fields, found {len(row)}")
        for name, value in zip(rows[0], row, strict=True):
            problem = _problem(columns[name], value)
            if problem:
                raise DataError(f"{file.name}, line {line}: {name}: {problem}")
    ids = [int(row[0]) for row in rows[1:]]
    if len(set(ids)) < len(ids):
        doubled = next(number for number in ids if ids.count(number) > 1)
        raise DataError(
            f"{file.name}: department_id {doubled} stands on several departments; "
            "expected each id once"
        )
    return pa.table(
        {
            "department_id": pa.array(ids, pa.int16()),
            "department": pa.array([row[1] for row in rows[1:]]).dictionary_encode(),
        }
    )


def _without_header(text: bytes) -> bytes:
    return text.partition(b"\n")[2]


def expect_rows(file: RawFile, rows: int) -> None:
    """Raise DataError when a file holds nothing but its header."""
    if rows == 0:
        raise DataError(f"{file.name}: the file holds a header and no rows; expected rows")
