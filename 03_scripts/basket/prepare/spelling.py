"""How a whole file is written where it is not as expected: recognised, read, and recorded.

Tools leave marks: row numbers of pandas and R, `NA` for an empty field, `61.0` for 61, dates as
2018-01-31, thousands as 1,234, Windows-1252 of a spreadsheet. Where all values of a column agree on
one such spelling they can only mean one thing, and the file's text is put into the expected
spelling, line for line, before it is read. What does not agree stays as it is, and a row with it is
a bad row. Text that a column may hold freely is never touched: a product may be called `NA`.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

LOGICAL = {"true": "1", "false": "0"}
WITH_ZERO = re.compile(r"(-?[0-9]+)\.0+")
ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]00:00(?::00(?:\.0+)?)?)?")
UNNAMED = re.compile(r"|Unnamed: [0-9]+(\.[0-9]+)*|index|level_0|\.\.\.1|X")  # by pandas and R
PUNCTUATION = set("’‘“”–—…®™©°½¼¾·•´`€£ºª±²³")
MOST_ROWS = 0.5  # of the rows are as long as the header, or it says nothing about them
FEWEST_ROWS = 2  # one row in another spelling is damage, not a spelling
SHOWN = {
    "missing": "{} → missing",
    "zero": "61.0 → 61",
    "iso": "year-month-day → date",
    "grouped": "1{}234 → 1234",
    "empty": "empty → {}",
    "logical": "True, False → 1, 0",
}


@dataclass(frozen=True)
class Spelling:
    """How a file is written: what stands between fields, its letters, and column by column.

    `row_numbers` leading columns only count the rows, `renamed` ones have their name in other case,
    and `names` are all others, as expected. `columns` maps a column of the header to the
    changes of its values, each (kind, what it is about). `has_text` says that a row may have line
    breaks.
    """

    separator: str = ","
    encoding: str = "utf-8"
    row_numbers: int = 0
    columns: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    has_text: bool = False

    def header(self, received: list[str]) -> list[str]:
        """Return the header as if the file were written as expected."""
        return list(self.names) if self.names else received[self.row_numbers :]

    def respelled(self, text: bytes, has_header: bool) -> bytes:
        """Return a text in the expected spelling, line for line; a row that does not fit stays."""
        if self.encoding != "utf-8":
            text = text.decode(self.encoding, "replace").encode()
        plain = self.separator == "," and not self.row_numbers and not self.renamed
        if plain and not self.columns:
            return text
        decoded = text.decode("utf-8", errors="surrogateescape")
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        changes = None
        for lines, row in _rows(decoded, self.separator, self.has_text):
            if has_header and changes is None:
                changes = self._changes(self.header(row))
                writer.writerow(self.header(row))
                continue
            changes = changes or self._changes(list(self.names))
            if len(row) != self.row_numbers + len(changes):
                out.write(lines)
                continue
            values = row[self.row_numbers :]
            writer.writerow(
                [_changed(v, c) if c else v for v, c in zip(values, changes, strict=True)]
            )
            if row[-1] == "" and not lines.endswith("\n"):  # as if cut: the reader will say so
                out.seek(out.tell() - 1)
                out.truncate()
        return out.getvalue().encode("utf-8", errors="surrogateescape")

    def _changes(self, header: list[str]) -> list[tuple[tuple[str, str], ...]]:
        return [self.columns.get(name, ()) for name in header]

    def steps(self) -> list[dict[str, str]]:
        """Say what is read in another spelling, and why it can be: steps of wrangling."""
        steps = []
        if self.row_numbers:
            why = "it numbers the rows, as pandas and R do"
            steps.append({"dropped": "a column without a name", "reason": why})
        if self.renamed:
            renamed = ", ".join(f"{old.strip()} → {new}" for old, new in self.renamed.items())
            steps.append({"renamed": renamed, "reason": "the expected name in other letters"})
        if self.separator != ",":
            changed = f"fields between {self.separator!r} → between ','"
            steps.append({"type_changed": changed, "reason": "the layout says so"})
        if self.encoding != "utf-8":
            why = "no line with other letters is UTF-8, and all are Windows-1252, as Excel saves it"
            steps.append({"type_changed": "text: Windows-1252 → UTF-8", "reason": why})
        for name, changes in self.columns.items():
            for kind, about in changes:
                why = "the layout says so" if kind == "empty" else "the whole column is written so"
                changed = f"{name}: {SHOWN[kind].format(about)}"
                steps.append({"type_changed": changed, "reason": why})
        return steps


AS_EXPECTED = Spelling()


def _rows(text: str, separator: str, has_text: bool) -> Iterator[tuple[str, list[str]]]:
    """Yield each row's lines and fields; no fields where the lines cannot be read as a row."""
    lines = list(io.StringIO(text, newline=""))
    at = 0
    while at < len(lines):
        if '"' not in lines[at]:
            yield lines[at], lines[at].rstrip("\r\n").split(separator)
            at += 1
            continue
        last = len(lines) if has_text else at + 1
        reach = (lines[place] for place in range(at, last))  # a slice would copy all that follow
        reader = csv.reader(reach, strict=True, delimiter=separator)
        try:
            fields, height = next(reader), reader.line_num
        except csv.Error:
            fields, height = [], 1
        yield "".join(lines[at : at + height]), fields
        at += height


def _changed(value: str, changes: tuple[tuple[str, str], ...]) -> str:
    """Return a value as it is expected; one that is not written in the column's way stays."""
    for kind, about in changes:
        if kind == "missing" and value == about:
            return ""
        if kind == "empty" and value == "":
            return about
        if kind == "zero" and (found := WITH_ZERO.fullmatch(value)):
            value = found[1]
        elif kind == "iso" and (found := ISO_DATE.fullmatch(value)):
            value = f"{int(found[2])}/{int(found[3])}/{found[1]}"
        elif kind == "logical":
            value = LOGICAL.get(value.lower(), value)
        elif kind == "grouped" and in_thousands(about).fullmatch(value):
            value = value.replace(about, "")
    return value


@cache
def in_thousands(sign: str) -> re.Pattern:
    """Return what fits numbers whose thousands stand apart by this sign: 1,234.5."""
    return re.compile(rf"-?[0-9]{{1,3}}({sign}[0-9]{{3}})+(\.[0-9]+)?")


# ---- recognising --------------------------------------------------------------------------------


def count_row_numbers(header: list[str], rows: list[list[str]]) -> int:
    """Return how many leading columns without a name only number these rows, from 0 or from 1.

    A few rows may be damaged: they have another length.
    """
    whole = [(place, row) for place, row in enumerate(rows) if len(row) == len(header)]
    if not whole or len(whole) < MOST_ROWS * len(rows):
        return 0
    found = 0
    for at, name in enumerate(header):
        numbered = (all(row[at] == str(place + first) for place, row in whole) for first in (0, 1))
        if not UNNAMED.fullmatch(name) or not any(numbered):
            break
        found += 1
    return found


def encoding_of(text: bytes) -> str:
    """Return cp1252 where a text of lines can only be that; utf-8, damaged or not, otherwise."""
    try:
        text.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        lines = [line for line in text.splitlines() if not line.isascii()]
    try:
        letters = {letter for line in lines for letter in line.decode("cp1252") if letter > "\x7f"}
    except UnicodeDecodeError:
        return "utf-8"
    if len(lines) < FEWEST_ROWS or any(map(_is_utf8, lines)):
        return "utf-8"
    is_text = all(letter.isalpha() or letter in PUNCTUATION for letter in letters)
    return "cp1252" if is_text else "utf-8"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
