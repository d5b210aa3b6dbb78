"""Tell by its header and by its name which raw table a file is, and how it is written."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from basket.prepare import spelling
from basket.prepare.field import MASK, masked
from basket.prepare.layouts import Form, files_not_read, forms
from basket.prepare.raw_file import RawFile
from basket.prepare.spelling import AS_EXPECTED, Spelling
from basket.project import dictionary
from basket.project.errors import DataError
from basket.project.origin import OF_PEOPLE, PRICE

SNIFFED = 256 * 1024  # bytes of a large file that tell how all of it is written
NAMELESS = (
    ": a first column without a name is the row number that pandas or R wrote; save the file "
    "without it (index=False, row.names=FALSE)"
)
EMPTY = ": empty columns of a spreadsheet, or a title above the header; take them out"
NO_TABLE = {  # how a file begins that is no table, and what it is
    "<!doctype html": "a web page, such as one that asks to sign in; download the file again",
    "<html": "a web page, such as one that asks to sign in; download the file again",
    "version https://git-lfs": "a pointer of Git LFS; get the file itself: git lfs pull",
}


@dataclass(frozen=True)
class Seen:
    """A file that may be data, with its header as received or what is wrong with it."""

    file: RawFile
    fault: DataError | None

    @staticmethod
    def of(file: RawFile) -> "Seen":
        """Read the header of a file."""
        try:
            file.received_header()
        except DataError as error:
            return Seen(file, error)
        return Seen(file, None)

    @property
    def named(self) -> bool:
        """Whether a layout expects a file of this name."""
        return self.file.name in {form.file for form in forms()} | files_not_read()

    def is_like(self, other: "Seen") -> bool:
        """Whether another file has the same content."""
        one, two = self.file, other.file
        return one.size == two.size and one.digest() == two.digest()

    def header(self, separator: str) -> list[str]:
        """Return its header as received; [] if it cannot be read."""
        if self.fault:
            return []
        try:
            return self.file.received_header(separator)
        except DataError:
            return []

    def forms(self, table: str) -> list[Form]:
        """Return the forms of a table that its name allows and whose columns it has."""
        if self.file.name in files_not_read():
            return []
        return [
            form
            for form in forms()
            if form.table == table
            and (not self.named or form.file == self.file.name)
            and self._separator(form)
        ]

    def form_with_less(self, table: str) -> Form | None:
        """Return the form of a table without the columns that may be absent and are, if it fits."""
        for form in forms():
            known = set(_as_expected(self.header(form.separators[0]), list(form.raw.columns)))
            kept = {
                header: name
                for header, name in form.raw.columns.items()
                if header in known or name not in (None, PRICE, *OF_PEOPLE)
            }
            less = replace(form, raw=form.raw.model_copy(update={"columns": kept}))
            if form.table == table and form.file == self.file.name and self._separator(less):
                return less
        return None

    def _separator(self, form: Form) -> str | None:
        """Return what stands between the fields, if the columns are those of the form."""
        return next((sign for sign in form.separators if self._fits(form, sign)), None)

    def _fits(self, form: Form, separator: str) -> bool:
        header = self.header(separator)
        columns = list(form.raw.columns)
        if form.table == "raw_departments" and separator == ",":
            is_named = self.file.name == form.file and header[:1] == columns[:1]
            return is_named or _is_of_departments(header, columns)
        unnamed = _unnamed(header)
        if sorted(_as_expected(header, columns)[unnamed:]) != sorted(columns):
            return False
        return not unnamed or self._row_numbers(header, separator) == unnamed

    def _row_numbers(self, header: list[str], separator: str) -> int:
        """Return how many leading columns number the rows, as far as the first lines tell."""
        text = self.file.head(SNIFFED).decode("utf-8", "replace")
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))[1:]
        except csv.Error:
            return 0
        return spelling.count_row_numbers(header, [row for row in rows if row])

    def file_as(self, form: Form) -> None:
        """Raise DataError that says what keeps the file from having a form."""
        if self.fault:
            raise self.fault
        separator = max(form.separators, key=lambda sign: len(self.header(sign)))
        named = replace(
            self.file,
            name=form.raw.file,
            names=form.raw.columns,
            look=lambda _: Spelling(separator=separator),
        )
        check_header(named, may_be_wide=form.table == "raw_departments")
        raise DataError(
            f"{self.file.name}: its columns cannot be told; expected {', '.join(form.raw.columns)}"
        )

    def as_form(self, form: Form) -> RawFile:
        """Return the file with the names of its columns and the way in which it is written."""
        named = replace(self.file, names=form.raw.columns)
        if self.file.name == form.file:
            named = replace(named, name=form.raw.file)
        if _has_text(form):
            named.require_room()
        separator = self._separator(form)
        if form.table == "raw_departments" and separator == ",":
            if self.header(",")[0] == next(iter(named.names)):
                check_header(named, may_be_wide=True)
            return replace(named, look=_spelling_of_departments)
        header = self.header(separator)
        look = partial(_spelling, form=form, header=header, separator=separator)
        return replace(named, look=look)

    def why_not(self) -> str:
        """Say why a file is not used."""
        if self.fault:
            return str(self.fault).partition("; expected")[0].partition(": ")[2]
        return f"its {len(self.header(','))} columns are of no raw file"  # no names: of people?


def _unnamed(header: list[str]) -> int:
    """Return how many leading columns have no name, or one that pandas made up."""
    count = 0
    while count < len(header) and spelling.UNNAMED.fullmatch(header[count]):
        count += 1
    return count


def _as_expected(header: list[str], columns: list[str]) -> list[str]:
    """Return a header in which columns have their expected names, whatever case they came in."""
    known = {column.casefold(): column for column in columns}
    return [known.get(name.strip().casefold(), name) for name in header]


def _is_of_departments(header: list[str], columns: list[str]) -> bool:
    """Whether a header is one of departments: long, wide, transposed, or numbered by pandas."""
    named = header[_unnamed(header) :]
    if named == columns or header == ["", columns[1]]:
        return True
    wide = named[:1] == columns[:1] and all(name.isdigit() for name in named[1:])
    return header == ["", "0"] or (wide and len(named) > 1)


def _has_text(form: Form) -> bool:
    """Whether a table has free text, so that its file is read in one piece."""
    return any(c.type == "category" and not c.allowed for c in dictionary.columns_of(form.table))


def _spelling_of_departments(file: RawFile) -> Spelling:
    encoding = spelling.encoding_of(file.whole())
    return AS_EXPECTED if encoding == "utf-8" else Spelling(encoding=encoding, has_text=True)


def _spelling(file: RawFile, form: Form, header: list[str], separator: str) -> Spelling:
    """Return how a file is written, from all of it if it is small, else from its first lines."""
    from basket.prepare import column_spelling  # which loads pyarrow

    columns = {column.name: column for column in dictionary.columns_of(form.table)}
    has_text = _has_text(form)
    text = file.whole() if has_text else file.head(SNIFFED)
    encoding = spelling.encoding_of(text) if has_text else "utf-8"
    if encoding != "utf-8":
        text = text.decode(encoding, "replace").encode()
    names = _as_expected(header, list(form.raw.columns))
    changes = {}
    for name, values in column_spelling.fields_of(text, names, separator).items():
        column = columns.get(form.raw.columns.get(name) or "")
        found = column_spelling.changes_of(column, values) if column else ()
        if name in form.raw.empty_means:
            found = (*found, ("empty", str(form.raw.empty_means[name])))
        if found:
            changes[name] = found
    row_numbers = _unnamed(header)
    renamed = {old: new for old, new in zip(header, names, strict=True) if old != new}
    found = Spelling(separator, encoding, row_numbers, changes, renamed)
    if found == AS_EXPECTED:
        return found
    return replace(found, names=tuple(names[row_numbers:]), has_text=has_text)


def check_header(file: RawFile, may_be_wide: bool = False) -> None:
    """Raise DataError unless the header holds exactly the expected columns, in any order.

    A wide table has in its header what others have in rows: only its first column is checked.
    """
    found = file.header()
    doubled = sorted({name for name in found if found.count(name) > 1})
    if doubled == [""]:
        raise DataError(
            f"{file.name}: {found.count('')} of {len(found)} columns have no name in the first "
            f"line; expected {', '.join(file.names)}{EMPTY}"
        )
    if doubled:
        raise DataError(
            f"{file.name}: column {shown(doubled[:1])} occurs {found.count(doubled[0])} times "
            "in the header; expected it once"
        )
    first, *_ = columns = list(file.names)
    signs = [sign for sign in (";", "\t", "|") if len(found) == 1 and sign in found[0]]
    between = f": its fields are between {signs[0]!r}; save it with commas" if signs else ""
    for start, what in NO_TABLE.items():
        if found[0].lower().startswith(start):
            between = f": it is {what}"
    if may_be_wide:
        if found[0] != first:
            raise DataError(
                f"{file.name}: column {first} is missing; expected it first, found {shown(found)}"
                f"{between}"
            )
        return
    for name in columns:
        if name not in found:
            given = "" if file.people else f"; found {shown(found)}"  # may be a person
            raise DataError(
                f"{file.name}: column {name} is missing; expected {', '.join(columns)}{given}"
                f"{between}"
            )
    extra = [name for name in found if name not in columns]
    if extra:
        nameless = EMPTY if found[-1] == extra[0] == "" else ""
        nameless = NAMELESS if found[0] == extra[0] and _unnamed(found) else nameless
        name = shown(extra[:1]) or "(without a name)"
        place = f", number {found.index(extra[0]) + 1} of {len(found)}" if name == MASK else ""
        raise DataError(
            f"{file.name}: unexpected column {name}{place}; "
            f"expected only {', '.join(columns)}{nameless}"
        )


def shown(names: Iterable[str]) -> str:
    """Return names of columns as a message shows them: known ones, readable, and not too many.

    A file without a header has a row in its place, which may be a person's.
    """
    known = {name for form in forms() for name in form.raw.columns}
    told = [re.split(r"([;\t|])", name) for name in names]
    told = ["".join(one if one in known else masked(one) for one in name) for name in told]
    text = ", ".join(name if name.isprintable() else ascii(name) for name in told)
    return text if len(text) <= 120 else text[:120] + " …"
