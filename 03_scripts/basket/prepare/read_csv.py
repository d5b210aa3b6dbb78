"""Read CSV into typed columns: fast where the file is sound, line by line where it is not.

Pyarrow parses a slice of a large file with explicit types, without quotes, and the values are
checked against the dictionary's limits. Where that fails, and always in products and customers, a
regular expression finds the lines that are sound beyond doubt. Only the others are read one by one
with Python's csv module, which decides on each and finds the line number and the rule that a bad
row breaks. Bad rows go to quarantine; the others are parsed unchanged.

In orders and order lines a row is a line. In products and customers a quoted text may have line
breaks; if a quote is not closed, the line on which the row begins is the bad row, and reading
continues with the next line.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from basket.prepare import field
from basket.prepare.raw_file import BOM, RawFile
from basket.prepare.spelling import count_row_numbers
from basket.project import dictionary
from basket.project.dictionary import Column
from basket.project.errors import DataError
from basket.project.threads import in_order

LENIENT = (b" ", b"\t", b"x", b"X")  # pyarrow reads " 7" as 7 and 0x1F as 31
MANY_BAD_ROWS = 1000  # beyond these, reading stops when the allowed share cannot be met any more
MUCH = 0.1  # so many bad rows are no damage: the file is written in another way


@dataclass(frozen=True)
class BadRow:
    """A row that could not be used: file and line, the rule it broke, its text."""

    file: str
    line: int
    rule: str
    text: str


@dataclass(frozen=True)
class Slice:
    """What was read from a slice of a file: good rows, bad rows, and its number of lines.

    `at` is the line on which each good row begins.
    """

    rows: pa.Table
    bad: list[BadRow]
    lines: int
    at: np.ndarray


@dataclass(frozen=True)
class Reader:
    """How the rows of one raw file become the columns of one raw table.

    After more than `most_bad` rows of a slice, its rest is not read: the file will be refused.
    """

    file: RawFile
    table: str
    header: tuple[str, ...]
    allowed: float = 1

    @cached_property
    def most_bad(self) -> float:
        """The most bad rows that the `allowed` share can be: each field takes at least a byte."""
        return max(MANY_BAD_ROWS, self.allowed * self.file.size / len(self.header))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The dictionary's columns that the file has, under any name."""
        names = self.file.names.values()
        return tuple(c for c in dictionary.columns_of(self.table) if c.name in names)

    @cached_property
    def fields(self) -> tuple[Column | None, ...]:
        """The dictionary's column of each field of a row; None for a person's name."""
        columns = {column.name: column for column in self.columns}
        return tuple(columns.get(self.file.names[name]) for name in self.header)

    @cached_property
    def has_text(self) -> bool:
        """Whether a column has free text, which may be quoted and contain line breaks."""
        return any(c.type == "category" and not c.allowed for c in self.columns)

    @cached_property
    def plain_row(self) -> str:
        """A regular expression for lines that are sound beyond doubt; others may be, too."""
        return rf"^{','.join(map(field.plain, self.fields))}(?:\r?\n|\r)?$"

    def parse(self, text: bytes) -> Slice:
        """Parse a slice without header, in which a row is a line."""
        try:
            rows = self.sound(text)
        except UNSOUND:
            return self.line_by_line(text)
        return Slice(rows, [], rows.num_rows, np.arange(1, rows.num_rows + 1))

    def sound(self, text: bytes) -> pa.Table:
        """Parse a slice without quotes, all of whose rows can be used; raise UNSOUND otherwise."""
        if any(byte in text for byte in LENIENT) or text.endswith(b","):
            raise _LimitBrokenError
        rows = self._typed(text, quotes=False)
        if not all(_keeps_limits(column, rows[column.name]) for column in self.columns):
            raise _LimitBrokenError
        return rows

    def line_by_line(self, text: bytes) -> Slice:
        """Separate the rows that can be used from those that cannot."""
        lines = text.splitlines(keepends=True)
        bad: list[BadRow] = []
        begins = np.ones(len(lines), bool)  # whether a good row begins on a line
        kept = begins.copy()  # whether a line is of a good row
        after = 0
        for place in self._doubtful(lines):
            if place < after:  # within the row before
                continue
            row = self._row_at(lines, place)
            after = place + row.height
            begins[place + 1 : after] = False
            if row.rule:
                bad.append(BadRow(self.file.name, row.line, row.rule, self.shown(row)))
            if row.rule or not row.fields:
                begins[place] = kept[place:after] = False
            if len(bad) > self.most_bad:
                return Slice(self._typed(b""), bad, len(lines), np.zeros(0, np.int64))
        good = text if kept.all() else b"".join(compress(lines, kept))
        return Slice(self._typed(good), bad, len(lines), np.flatnonzero(begins) + 1)

    def _doubtful(self, lines: list[bytes]) -> list[int]:
        """Return the places of the lines that have to be checked one by one."""
        array = pa.array(lines, pa.binary())
        plain = pc.and_(
            pc.match_substring_regex(array, self.plain_row),
            pc.less(pc.binary_length(array), field.LONGEST_TEXT // 2),
        ).to_numpy(zero_copy_only=False)
        if lines and lines[-1].endswith(b","):
            plain[-1] = False  # the file ends within this row
        return np.flatnonzero(~plain).tolist()

    def _typed(self, text: bytes, quotes: bool = True) -> pa.Table:
        """Parse with explicit types; raise when a value has another type."""
        if not text:
            return dictionary_schema(self.columns).empty_table()
        if text.startswith(BOM):  # pyarrow would drop it, wherever in the file the slice begins
            text = BOM + text
        names = [c.name if c else f"~{n}" for n, c in enumerate(self.fields)]
        types, size = {c.name: _parsed_type(c) for c in self.columns}, len(text) + 1
        quote = '"' if quotes else False
        parsed = pa_csv.read_csv(
            pa.py_buffer(text),
            pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=max(size, 1024)),
            pa_csv.ParseOptions(
                quote_char=quote, newlines_in_values=self.has_text, ignore_empty_lines=False
            ),
            pa_csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
        columns = [_stored(column, parsed[column.name]) for column in self.columns]
        return pa.Table.from_arrays(columns, schema=dictionary_schema(self.columns))

    def _row_at(self, lines: list[bytes], place: int) -> "Row":
        """Read the row that begins on a line: slow, strict, and with the rule that it breaks."""
        reach = range(place, len(lines) if self.has_text else place + 1)
        reader = csv.reader((_decoded(lines[number]) for number in reach), strict=True)
        try:
            fields = next(reader)
        except csv.Error as error:
            return Row(place + 1, _decoded(lines[place]), [], f"not readable as CSV: {error}")
        height = reader.line_num
        if height > 1 and len(fields) != len(self.header):
            rule = "not readable as CSV: a quote is not closed"
            return Row(place + 1, _decoded(lines[place]), [], rule)
        text = "".join(map(_decoded, lines[place : place + height]))
        rule = self._broken_rule(fields) if fields else None
        if not rule and place + height == len(lines) and text.endswith(","):
            rule = "the file ends within this row"
        return Row(place + 1, text, fields, rule, height)

    def _broken_rule(self, fields: list[str]) -> str | None:
        if len(fields) != len(self.header):
            return f"expected {len(self.header)} fields, found {len(fields)}"
        for name, column, value in zip(self.header, self.fields, fields, strict=True):
            problem = column and field.problem(column, value, self._masked)
            if problem:
                return f"{name}: {problem}"
        return None

    def shown(self, row: "Row") -> str:
        """Return the text of a row in the form to keep: without names of people, valid UTF-8."""
        text = row.text.rstrip("\r\n")
        if not self._has_texts_where_they_belong(row.fields):
            text = ",".join(map(self._masked, row.fields or text.split(",")))
        return text.encode("utf-8", "replace").decode()[: field.LONGEST_TEXT]

    def _has_texts_where_they_belong(self, fields: list[str]) -> bool:
        """Whether a row is one of this file as far as its texts go, and these name nobody."""
        if self.file.people or len(fields) != len(self.fields):
            return False
        pairs = zip(self.fields, fields, strict=True)
        return all(
            self._masked(value) == value or (column.type == "category" and not column.allowed)
            for column, value in pairs
        )

    def _masked(self, value: str) -> str:
        """Hide what may be a person's name: a customer's row may be in any file, shifted (D-14)."""
        if value in self.file.names or any(value in column.allowed for column in self.columns):
            return value
        is_name = self.file.people and any(map(str.isalpha, value))
        return field.MASK if is_name else field.masked(value)


@dataclass(frozen=True)
class Row:
    """One row as found in a slice: its first line, its text, its fields, what is wrong."""

    line: int
    text: str
    fields: list[str]
    rule: str | None
    height: int = 1


class _LimitBrokenError(Exception):
    """A value lies outside the dictionary's limits."""


UNSOUND = (pa.ArrowInvalid, OverflowError, _LimitBrokenError)


def dictionary_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Return the stored schema of some of a table's columns."""
    return pa.schema([(column.name, column.arrow_type) for column in columns])


def _parsed_type(column: Column) -> pa.DataType:
    """Return the type in which pyarrow parses a column before it becomes the stored type."""
    if column.type in ("category", "date"):  # pyarrow reads 2/30 as 2 March
        return pa.dictionary(pa.int32(), pa.string())
    return pa.float64() if column.type == "Int8" else column.arrow_type  # gaps: 7.0


def _stored(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn what was parsed into the stored type."""
    if column.type != "date":
        return values.cast(column.arrow_type)
    days = [
        pa.array(map(field.as_date, chunk.dictionary.to_pylist()), column.arrow_type).take(
            chunk.indices
        )
        for chunk in values.chunks
    ]
    return pa.chunked_array(days, column.arrow_type)


def _keeps_limits(column: Column, values: pa.ChunkedArray) -> bool:
    """Return whether the values of a number or of a label keep to the dictionary."""
    if column.needed and values.null_count:
        return False
    if column.allowed:
        texts = {text for chunk in values.chunks for text in chunk.dictionary.to_pylist()}
        return texts <= set(column.allowed)
    low, high = (value.as_py() for value in pc.min_max(values).values())
    return low is None or column.minimum <= low <= high <= column.maximum


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", errors="surrogateescape")


def read_small(file: RawFile, table: str) -> tuple[pa.Table, list[BadRow]]:
    """Read a file whose quoted text may have line breaks, in one piece: products or customers."""
    reader = Reader(file, table, tuple(file.header()))
    found = reader.line_by_line(b"".join(_without_first_line(file.slices())))
    expect_rows(file, found.rows.num_rows + len(found.bad))
    return found.rows, _shifted(found.bad, 2)


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
        slices = in_order(pool, threads + 1, parse, _without_first_line(file.slices()))
        yield from numbered(slices, reader)


def numbered(slices: Iterable[tuple], reader: Reader) -> Iterator[tuple]:
    """Give the bad rows of slices, (result, bad rows, lines) each, their line number in the file.

    Raises DataError as soon as more rows are bad than the reader's allowed share can be, however
    many rows are still to come.
    """
    begins, many = 2, 0
    for result, bad, lines in slices:
        many += len(bad)
        placed = _shifted(bad, begins)
        if many > reader.most_bad:
            first, read = placed[0], begins - 2 + lines
            raise DataError(
                f"{first.file}, line {first.line}: {first.rule}; {many:,} rows are bad so far, "
                f"more than max_quarantined_share ({reader.allowed:g}) allows: "
                f"{advice(first.rule, many, read)}"
            )
        yield result, placed
        begins += lines


def advice(rule: str, bad: int, read: int) -> str:
    """Say what to do about bad rows, the first of which broke this rule: what fits the cause."""
    if rule.endswith("is not UTF-8"):
        return "save it as CSV UTF-8 (a spreadsheet's plain CSV is Windows-1252, or another)"
    if bad < max(2, MUCH * read):
        if rule.endswith((" or less", " or more")):
            return (
                "correct the file, also where it counts from 1 or in another unit; to raise that "
                "limit in settings.yml would drop these rows"
            )
        return "correct the file or raise that limit in settings.yml"
    if rule.endswith("expected month/day/year"):
        how = "write the dates as month/day/year or year-month-day"
    elif rule.endswith("number"):
        how = "write plain numbers: no words, and no signs of money or between thousands"
    else:
        return "so many are no damage of single rows: correct the file"
    much = "the whole column" if bad == read else "much of the column"
    return f"{much} is written in another way; {how}"


def _shifted(bad: list[BadRow], first_line: int) -> list[BadRow]:
    """Shift the line numbers of the bad rows of a text that begins on this line of its file."""
    return [replace(row, line=row.line + first_line - 1) for row in bad]


def find_rows(file: RawFile, table: str, wanted: Callable) -> Iterator[tuple[int, str, dict]]:
    """Yield line number, text and values of the rows for which `wanted(rows)` is true.

    This reads the file again, to say where something is.
    """
    reader = Reader(file, table, tuple(file.header()))
    slices = _without_first_line(file.slices())
    before = 1
    for text in [b"".join(slices)] if reader.has_text else slices:
        found = reader.line_by_line(text) if reader.has_text else reader.parse(text)
        chosen = np.flatnonzero(wanted(found.rows))
        if len(chosen):
            lines = text.splitlines()
            for at, values in zip(
                found.at[chosen], found.rows.take(chosen).to_pylist(), strict=True
            ):
                yield int(before + at), lines[at - 1].decode("utf-8", "replace"), values
        before += found.lines


def _without_first_line(slices: Iterator[bytes]) -> Iterator[bytes]:
    for number, text in enumerate(slices):
        if rest := text if number else text.partition(b"\n")[2]:
            yield rest


def read_departments(file: RawFile) -> pa.Table:
    """Read departments.csv, long or wide: one row per department.

    The course's file is wide: the ids are the header, the names the one row below it. Raises
    DataError for anything that is wrong in it: no row of so small a table can be spared.
    """
    header = list(file.names)
    rows, _ = department_rows(file)
    is_wide = rows[0] != header
    if is_wide:
        if len(rows) != 2 or len(rows[0]) != len(rows[1]):
            raise DataError(
                f"{file.name}: found {len(rows) - 1} rows below a wide header of "
                f"{len(rows[0])} fields; expected one row with as many names"
            )
        if rows[1][0] != header[1]:
            found = f"found {field.masked(rows[1][0])[:40]!a} before the names"
            raise DataError(f"{file.name}, line 2: {found}; expected {header[1]}")
        rows = [header, *zip(rows[0][1:], rows[1][1:], strict=True)]
    expect_rows(file, len(rows) - 1)
    columns = Reader(file, "raw_departments", tuple(header)).fields
    for number, row in enumerate(rows[1:], start=2):
        where = f"{file.name}, {'field' if is_wide else 'line'} {number}"
        if len(row) != 2:
            raise DataError(f"{where}: expected 2 fields, found {len(row)}")
        for name, column, value in zip(header, columns, row, strict=True):
            if problem := field.problem(column, value):
                raise DataError(f"{where}: {name}: {problem}")
    found = {}
    for name, column, texts in zip(header, columns, zip(*rows[1:], strict=True), strict=True):
        found[column.name] = list(map(int, texts)) if column.type == "int16" else texts
        ((doubled, times),) = Counter(found[column.name]).most_common(1)
        if times > 1:
            raise DataError(
                f"{file.name}: {name} {doubled} is on several departments; expected each once"
            )
    ids = pa.array(found["department_id"], pa.int16())
    names = pa.array(found["department"]).dictionary_encode()
    return pa.table({"department_id": ids, "department": names})


def department_rows(file: RawFile) -> tuple[list[list[str]], str]:
    """Return the rows of departments.csv, long or wide, and what a tool left in it, if anything.

    Pandas and R number the rows. Transposed by pandas, the ids are in a column without a name, with
    or without the header in the first row.
    """
    text = b"".join(file.slices()).decode("utf-8", errors="surrogateescape")
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise DataError(
            f"{file.name}: not readable as CSV: {error}; expected ids and names of departments"
        ) from None
    header = list(file.names)
    numbers = count_row_numbers(rows[0], rows[1:])
    if numbers and header[0] in rows[0]:
        return [row[numbers:] for row in rows], "a column without a name"
    if rows[0] == ["", "0"] and sorted(rows[1:2][:1]) == [header]:
        return rows[1:], "a first row of 0"
    if rows[0] == ["", header[1]]:
        return [header, *rows[1:]], f"the name {header[0]} of the first column"
    return rows, ""


def expect_rows(file: RawFile, rows: int) -> None:
    """Raise DataError when a file has nothing but its header."""
    if rows == 0:
        raise DataError(f"{file.name}: the file holds a header and no rows; expected rows")
