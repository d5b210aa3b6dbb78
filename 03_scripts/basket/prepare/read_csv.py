"""CSV to typed columns: fast where the file is sound, row by row where it is not.

A slice is parsed by pyarrow with explicit types and held against the dictionary's limits. Only when
that fails, or when the text holds something that pyarrow reads more kindly than it should, is it
halved until the damage stands in a small piece, which is read row by row with Python's csv module:
that finds each bad row, its line number and the rule it breaks. Those rows go to quarantine; the
others are parsed as they stand.

In orders and order lines a row is a line. In products and customers a quoted text may hold line
breaks; where quotes are not closed, the line on which the row begins is the bad row, and reading
goes on with the next.
"""

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from basket.prepare.raw_files import BOM, RawFile
from basket.project import dictionary
from basket.project.dictionary import Column
from basket.project.errors import DataError

WHOLE_NUMBER = re.compile(r"-?[0-9]+")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
DATE_FORMAT = "%m/%d/%Y"
DATE = re.compile(r"[0-9]{1,2}/[0-9]{1,2}/(19|20)[0-9]{2}")
LONGEST_TEXT = 32_000  # UTF-16 units, as a spreadsheet counts: its cell holds 32,767
QUOTED = re.compile(rb'(?<![^,\r\n])"[^"]*(?:""[^"]*)*"(?![^,\r\n])')
QUOTED_ON_A_LINE = re.compile(rb'(?<![^,\r\n])"[^"\r\n]*"(?![^,\r\n])')
LENIENT = (b" ", b"\t", b"x", b"X")  # pyarrow reads " 7" as 7 and 0x1F as 31
PIECE_BYTES = 64 * 1024  # what is read row by row at once
MANY_BAD_ROWS = 1000  # beyond these, reading stops when the allowed share cannot be met any more
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
    """What a slice of a file held: its good rows, its bad ones, and how many lines it had.

    `at` is the line on which each good row stands; where a text with line breaks was parsed in one
    piece, only reading it row by row tells.
    """

    rows: pa.Table
    bad: list[BadRow]
    lines: int
    at: np.ndarray


@dataclass(frozen=True)
class Reader:
    """How the rows of one raw file become the columns of one raw table.

    After more than `most_bad` rows of a slice, its rest is not looked at: the file will be refused.
    """

    file: RawFile
    table: str
    header: tuple[str, ...]
    allowed: float = 1

    @cached_property
    def most_bad(self) -> float:
        """As many bad rows as the `allowed` share can be: each field takes a byte at least."""
        return max(MANY_BAD_ROWS, self.allowed * self.file.size / len(self.header))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The dictionary's columns that the file has, under whatever name."""
        names = self.file.names.values()
        return tuple(c for c in dictionary.columns_of(self.table) if c.name in names)

    @cached_property
    def fields(self) -> tuple[Column | None, ...]:
        """The dictionary's column of each field of a row; None where a person's name stands."""
        columns = {column.name: column for column in self.columns}
        return tuple(columns.get(self.file.names[name]) for name in self.header)

    @cached_property
    def has_text(self) -> bool:
        """Whether a column holds free text, which may be quoted and hold line breaks."""
        return any(c.type == "category" and not c.allowed for c in self.columns)

    def parse(self, text: bytes) -> "Slice":
        """Parse a slice without header: its good rows, its bad rows, its lines."""
        try:
            found = self.sound(text)
            return Slice(found, [], found.num_rows, np.arange(1, found.num_rows + 1))
        except UNSOUND:
            middle = text.find(b"\n", len(text) // 2) + 1
            if self.has_text or len(text) <= PIECE_BYTES or middle in (0, len(text)):
                return self.row_by_row(text)
        first = self.parse(text[:middle])
        if len(first.bad) > self.most_bad:
            return first
        second = self.parse(text[middle:])
        return Slice(
            pa.concat_tables([first.rows, second.rows]).unify_dictionaries(),
            first.bad + _shifted(second.bad, first.lines + 1),
            first.lines + second.lines,
            np.concatenate([first.at, second.at + first.lines]),
        )

    def sound(self, text: bytes) -> pa.Table:
        """Parse a slice all of whose rows can be used; raise UNSOUND when it is not one."""
        self._require_plain(text)
        return self._typed(text)

    def _typed(self, text: bytes) -> pa.Table:
        """Parse with explicit types; raise when a value has another type or breaks a limit."""
        if not text:
            return dictionary_schema(self.columns).empty_table()
        if text.startswith(BOM):  # pyarrow would drop it, wherever in the file the slice begins
            text = BOM + text
        parsed = pa_csv.read_csv(
            pa.py_buffer(text),
            pa_csv.ReadOptions(
                column_names=[c.name if c else f"~{n}" for n, c in enumerate(self.fields)],
                use_threads=False,
                block_size=max(len(text) + 1, 1024),
            ),
            pa_csv.ParseOptions(newlines_in_values=self.has_text, ignore_empty_lines=False),
            pa_csv.ConvertOptions(
                column_types={c.name: self._parse_type(c) for c in self.columns},
                include_columns=[c.name for c in self.columns],
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
        columns = []
        for column in self.columns:
            values = _stored(column, parsed[column.name])
            _check_limits(column, values)
            columns.append(values)
        return pa.Table.from_arrays(columns, schema=dictionary_schema(self.columns))

    def _parse_type(self, column: Column) -> pa.DataType:
        """Type in which pyarrow parses the text of a column, before it becomes the stored type."""
        if column.type in ("category", "date"):  # pyarrow reads 2/30 as 2 March
            return pa.dictionary(pa.int32(), pa.string())
        if self.has_text:  # such a file is small: its numbers are looked at as text
            return pa.string()
        return pa.float64() if column.type == "Int8" else column.arrow_type  # gaps: 7.0

    def _require_plain(self, text: bytes) -> None:
        """Raise where pyarrow would accept what is not sound; costs next to nothing otherwise."""
        if b'"' in text:
            quoted = QUOTED if self.has_text else QUOTED_ON_A_LINE
            if b'"' in quoted.sub(b"", text):
                raise _LimitBrokenError("quotes")
        if not self.has_text and any(byte in text for byte in LENIENT):
            raise _LimitBrokenError("numbers")
        if text.endswith(b","):
            raise _LimitBrokenError("end")

    def _rows(self, text: bytes) -> Iterator["Row"]:
        """Read a slice row by row: slow, strict, and with the rule that each bad row breaks."""
        decoded = text.decode("utf-8", errors="surrogateescape")
        lines = list(io.StringIO(decoded, newline=""))
        place = 0
        while place < len(lines):
            row = self._row_at(lines, place)
            yield row
            place += row.height

    def _row_at(self, lines: list[str], place: int) -> "Row":
        """Read the row that begins on a line."""
        reach = range(place, len(lines) if self.has_text else place + 1)
        reader = csv.reader((lines[number] for number in reach), strict=True)
        try:
            fields = next(reader)
        except csv.Error as error:
            return Row(place + 1, lines[place], [], f"not readable as CSV: {error}")
        height = reader.line_num
        if height > 1 and len(fields) != len(self.header):
            return Row(place + 1, lines[place], [], "not readable as CSV: a quote is not closed")
        text = "".join(lines[place : place + height])
        rule = self._broken_rule(fields) if fields else None
        if not rule and place + height == len(lines) and text.endswith(","):
            rule = "the file ends within this row"
        return Row(place + 1, text, fields, rule, height)

    def row_by_row(self, text: bytes) -> Slice:
        """Separate the rows that can be used from those that cannot."""
        kept, bad, at, lines = [], [], [], 0
        for row in self._rows(text):
            lines += row.height
            if row.rule:
                bad.append(BadRow(self.file.name, row.line, row.rule, self.shown(row)))
            elif row.fields:
                kept.append(row.text)
                at.append(row.line)
        good = "".join(kept).encode("utf-8", errors="surrogateescape")
        return Slice(self._typed(good), bad, lines, np.array(at, np.int64))

    def _broken_rule(self, fields: list[str]) -> str | None:
        if len(fields) != len(self.header):
            return f"expected {len(self.header)} fields, found {len(fields)}"
        for name, column, value in zip(self.header, self.fields, fields, strict=True):
            problem = column and _problem(column, value, self._masked)
            if problem:
                return f"{name}: {problem}"
        return None

    def shown(self, row: "Row") -> str:
        """The text of a row as it may be kept: without names of people, readable as UTF-8."""
        text = row.text.rstrip("\r\n")
        if self.file.people:
            text = ",".join(map(self._masked, row.fields or text.split(",")))
        return text.encode("utf-8", "replace").decode()[:LONGEST_TEXT]

    def _masked(self, value: str) -> str:
        """Hide what may be a person's name: in a shifted row it can stand in any field (D-14)."""
        if not self.file.people or not any(map(str.isalpha, value)):
            return value
        return value if any(value in column.allowed for column in self.columns) else MASK


@dataclass(frozen=True)
class Row:
    """One row as it stands in a slice: its first line, its text, its fields, what is wrong."""

    line: int
    text: str
    fields: list[str]
    rule: str | None
    height: int = 1


class _LimitBrokenError(Exception):
    """A value lies outside the dictionary's limits."""


UNSOUND = (pa.ArrowInvalid, OverflowError, _LimitBrokenError)


def dictionary_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The stored schema of some of a table's columns."""
    return pa.schema([pa.field(c.name, c.arrow_type, nullable=True) for c in columns])


def _stored(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn what was parsed into the stored type; raise when a text is no number or no date."""
    if column.type == "date":
        return _dates(column, values)
    if pa.types.is_string(values.type):
        pattern = DECIMAL if column.type in ("Int8", "float64") else WHOLE_NUMBER
        matches = pc.match_substring_regex(values, f"^({pattern.pattern})$")
        if not pc.all(matches, min_count=0).as_py():
            raise _LimitBrokenError(column.name)
    return values.cast(column.arrow_type)


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
    if 2 * len(text) > LONGEST_TEXT:
        units = len(text.encode("utf-16-le")) // 2
        if units > LONGEST_TEXT:
            return f"{units:,} characters, expected at most {LONGEST_TEXT:,}"
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
        return bool(DATE.fullmatch(value) and datetime.strptime(value, DATE_FORMAT))
    except ValueError:
        return False


def read_small(file: RawFile, table: str) -> tuple[pa.Table, list[BadRow]]:
    """Read a file whose quoted text may hold line breaks: products or customers.

    Where a slice is not sound by itself, all that follows is read at once with it.
    """
    reader = Reader(file, table, tuple(file.header()))
    slices = _without_first_line(file.slices())
    rows, bad, lines = [reader.sound(b"")], [], 1
    for text in slices:
        try:
            rows.append(reader.sound(text))
            lines += len(text.splitlines())
        except UNSOUND:
            rest = reader.parse(b"".join([text, *slices]))
            rows.append(rest.rows)
            bad = _shifted(rest.bad, lines + 1)
    found = pa.concat_tables(rows).unify_dictionaries()
    expect_rows(file, found.num_rows + len(bad))
    return found, bad


def read_slices(
    file: RawFile, table: str, work: Callable, threads: int, allowed: float = 1
) -> Iterator[tuple]:
    """Parse a large file slice by slice on a pool of threads and apply `work` to each slice's rows.

    Yields (what `work` returned, bad rows) in the order of the file; only a few slices are in
    memory at a time. `work` runs on the pool, too. Raises DataError as soon as more rows are bad
    than the `allowed` share can be, however many rows are still to come.
    """
    reader = Reader(file, table, tuple(file.header()), allowed)

    def parse(text: bytes) -> tuple:
        found = reader.parse(text)
        return work(found.rows), found.bad, found.lines

    with ThreadPoolExecutor(threads) as pool:
        slices = _in_order(pool, parse, _without_first_line(file.slices()), threads + 1)
        yield from numbered(slices, reader)


def numbered(slices: Iterable[tuple], reader: Reader) -> Iterator[tuple]:
    """Give the bad rows of slices, (result, bad rows, lines) each, their line in the file.

    Raises DataError as soon as more rows are bad than the reader's allowed share can be, however
    many rows are still to come.
    """
    begins, many = 2, 0
    for result, bad, lines in slices:
        many += len(bad)
        placed = _shifted(bad, begins)
        if many > reader.most_bad:
            raise DataError(
                f"{placed[0].file}, line {placed[0].line}: {placed[0].rule}; {many:,} rows are bad "
                f"so far, more than max_quarantined_share ({reader.allowed:g}) allows: correct the "
                "file or raise that limit in settings.yml"
            )
        yield result, placed
        begins += lines


def _shifted(bad: list[BadRow], first_line: int) -> list[BadRow]:
    """The bad rows of a text that begins in this line of its file."""
    return [replace(row, line=row.line + first_line - 1) for row in bad]


def find_rows(file: RawFile, table: str, wanted: Callable) -> Iterator[tuple[int, str, dict]]:
    """Yield line number, text and values of the rows for which `wanted(rows)` is true.

    A second reading of the file, to say where something stands.
    """
    reader = Reader(file, table, tuple(file.header()))
    slices = _without_first_line(file.slices())
    before = 1
    for text in [b"".join(slices)] if reader.has_text else slices:
        found = reader.row_by_row(text) if reader.has_text else reader.parse(text)
        chosen = np.flatnonzero(wanted(found.rows))
        if len(chosen):
            lines = text.splitlines()
            for at, values in zip(
                found.at[chosen], found.rows.take(chosen).to_pylist(), strict=True
            ):
                yield int(before + at), lines[at - 1].decode("utf-8", "replace"), values
        before += found.lines


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

    The course's file is wide: the ids are the header, the names the one row below it. Raises
    DataError for whatever is wrong in it: no row of so small a table can be spared.
    """
    text = b"".join(file.slices()).decode("utf-8", errors="surrogateescape")
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise DataError(
            f"{file.name}: not readable as CSV: {error}; expected ids and names of departments"
        ) from None
    header = list(file.names)
    is_wide = rows[0] != header
    if is_wide:
        if len(rows) != 2 or len(rows[0]) != len(rows[1]):
            raise DataError(
                f"{file.name}: found {len(rows) - 1} rows below a wide header of "
                f"{len(rows[0])} fields; expected one row with as many names"
            )
        if rows[1][0] != header[1]:
            raise DataError(
                f"{file.name}, line 2: found {rows[1][0][:40]!a} before the names; expected "
                f"{header[1]}"
            )
        rows = [header, *zip(rows[0][1:], rows[1][1:], strict=True)]
    expect_rows(file, len(rows) - 1)
    columns = Reader(file, "raw_departments", tuple(header)).fields
    for number, row in enumerate(rows[1:], start=2):
        where = f"{file.name}, {'field' if is_wide else 'line'} {number}"
        if len(row) != 2:
            raise DataError(f"{where}: expected 2 fields, found {len(row)}")
        for name, column, value in zip(header, columns, row, strict=True):
            problem = _problem(column, value)
            if problem:
                raise DataError(f"{where}: {name}: {problem}")
    found = {}
    for name, column, values in zip(header, columns, zip(*rows[1:], strict=True), strict=True):
        found[column.name] = [int(v) for v in values] if column.type == "int16" else values
        doubled = next((v for v, count in Counter(found[column.name]).items() if count > 1), None)
        if doubled is not None:
            raise DataError(
                f"{file.name}: {name} {doubled} stands on several departments; expected each once"
            )
    return pa.table(
        {
            "department_id": pa.array(found["department_id"], pa.int16()),
            "department": pa.array(found["department"]).dictionary_encode(),
        }
    )


def _without_header(text: bytes) -> bytes:
    return text.partition(b"\n")[2]


def expect_rows(file: RawFile, rows: int) -> None:
    """Raise DataError when a file holds nothing but its header."""
    if rows == 0:
        raise DataError(f"{file.name}: the file holds a header and no rows; expected rows")
