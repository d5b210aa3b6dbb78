"""Every corruption of 01_project_management/bad_input.md has the outcome that is written there.

The document's tables are printed from the cases below (`python tests/test_bad_input.py`), whose
outcomes are what the tests assert: the two cannot differ.
"""

import os
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from basket.project.errors import BasketError
from basket.project.folders import ROOT, Folders
from basket.project.stages import record_file
from checkout import basket
from conftest import (
    RAW_TABLES,
    Run,
    clean_stage,
    flag_stage,
    hashes,
    imported,
    merge_stage,
    write_settings,
)

DOCUMENT = ROOT / "01_project_management" / "bad_input.md"
LOOSE = {"limits.max_quarantined_share": 0.5}  # the files below have a handful of rows

FILES = {
    "products.csv": [
        "product_id,product_name,aisle_id,department_id,prices",
        '1,"Crackers, salted",7,2,5.0',
        "2,None,7,2,15.0",
        "3,,8,1,1.5",
        "4,Pasta (500 g),8,1,14900.0",
        '5,"The ""best"" beef",9,12,25.0',
        "6,NA,9,12,8.2",
    ],
    "departments.csv": ["department_id,1,2,12", "department,frozen,snacks,meat seafood"],
    "customers.csv": [
        "user_id,First Name,Surnam,Gender,STATE,Age,date_joined,n_dependants,fam_status,income",
        "1,Ann,Lee,Female,Texas,40,1/1/2017,3,married,99999",
        "2,,Ng,Male,Ohio,18,12/31/2019,0,single,50000",
    ],
    "orders.csv": [
        "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order",
        "11,1,prior,1,0,08,",
        "12,1,prior,2,6,23,30.0",
        "13,1,train,3,1,12,7.0",
        "21,2,prior,1,3,00,",
        "22,2,test,2,2,10,0.0",
    ],
    "orders_products_prior.csv": [
        "order_id,product_id,add_to_cart_order,reordered",
        "11,1,1,0",
        "11,2,2,0",
        "12,1,1,1",
        "12,5,2,0",
        "21,3,1,0",
        "21,6,2,0",
    ],
}
COUNTED_BACK = {"11": "3", "12": "2", "13": "1", "21": "2", "22": "1"}  # numbers by order_id
ALL = list(FILES)
PRODUCTS, DEPARTMENTS, CUSTOMERS, ORDERS, LINES = ALL
TABLE = dict(zip(ALL, RAW_TABLES, strict=True))
NEXT_LINE = {name: len(lines) + 1 for name, lines in FILES.items()}
FIRST_COLUMN = {name: lines[0].partition(",")[0] for name, lines in FILES.items()}
WIDE = "found {} rows below a wide header of {} fields; expected one row with as many names"
UNCLOSED = "not readable as CSV: unexpected end of data"


# ---- outcomes -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stops:
    """The run stops with an error that contains these words; ` … ` means any others."""

    words: str
    rules: str = "corrected"

    def __str__(self) -> str:
        """Say it in the words of the document."""
        return f"stops: `{self.words}`"


@dataclass(frozen=True)
class Quarantined:
    """Exactly these rows, (line, rule, text), are set aside; all others are read as ever."""

    rows: tuple[tuple[int, str, str], ...]

    def __str__(self) -> str:
        """Say it in the words of the document."""
        shown = [
            f"line {line} to quarantine: `{rule}`" + (f", as `{text}`" if "***" in text else "")
            for line, rule, text in self.rows
        ]
        return "; ".join(shown)


@dataclass(frozen=True)
class Read:
    """All rows are read; `check`, after the stage `after`, asserts what the words say.

    Without a check: all tables are the same as those of the sound files.
    """

    words: str = "the same tables as ever"
    check: Callable[[Run], bool] | None = None
    rules: str = "corrected"
    after: str = "01_import"

    def __str__(self) -> str:
        """Say it in the words of the document."""
        return f"read: {self.words}"


@dataclass(frozen=True)
class Case:
    """A corruption: which file, in words, how it is made, and what happens."""

    file: str
    corruption: str
    make: Callable[[Path, str], Path | None]
    outcome: Stops | Quarantined | Read


# ---- corruptions --------------------------------------------------------------------------------


def write_files(folder: Path) -> Path:
    """Write the sound files."""
    folder.mkdir(parents=True)
    for name, lines in FILES.items():
        (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return folder


# Each returns a function of the folder and of the name of the file to corrupt.


def edit(change: Callable[[bytes], bytes]):
    def make(folder: Path, name: str) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return make


def replace(old: str, new: str | bytes):
    new = new.encode() if isinstance(new, str) else new

    def change(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new, 1)

    return edit(change)


def append(*rows: str | bytes):
    more = b"".join((row.encode() if isinstance(row, str) else row) + b"\n" for row in rows)
    return edit(lambda content: content + more)


def columns(change: Callable[[list[str]], list[str]]):
    """Change the fields of every row; no value of the sound files but quoted names has a comma."""

    def change_all(content: bytes) -> bytes:
        lines = content.decode().splitlines()
        split = [re.findall(r'"(?:[^"]|"")*"|[^,]+|(?<=,)(?=,|$)', line) for line in lines]
        return "".join(",".join(change(fields)) + "\n" for fields in split).encode()

    return edit(change_all)


def instead(content: bytes):
    return edit(lambda _: content)


def remove(folder: Path, name: str) -> None:
    (folder / name).unlink()


def to_link(folder: Path, name: str) -> None:
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to(folder.parent / "elsewhere")


def to_folder(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()


def to_both(more: bytes = b""):
    def make(folder: Path, name: str) -> None:
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr(name, (folder / name).read_bytes() + more)

    return make


def unreadable(folder: Path, name: str) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read any file")
    (folder / name).chmod(0)


def zipped(change: Callable[[Path, Path], None] | None = None, inside: str = ""):
    """Put all files into one archive and change that."""

    def make(folder: Path, _name: str) -> Path:
        path = folder.parent / "data.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ALL:
                archive.write(folder / name, inside + name)
        if change:
            change(path, folder)
        return path

    return make


def protect(path: Path, _folder: Path) -> None:
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(signature)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(signature, place + 4)
    path.write_bytes(content)


def damage(path: Path, _folder: Path) -> None:
    content = bytearray(path.read_bytes())
    begin = content.index(b"orders.csv") + len("orders.csv")
    content[begin : begin + 40] = b"\xff" * 40
    path.write_bytes(content)


def cut(path: Path, _folder: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def inflate(path: Path, folder: Path) -> None:
    (folder / "orders.csv").write_bytes(b"0" * 20_000_000)
    zipped()(folder, "")


def inflate_within(path: Path, folder: Path) -> None:
    """A bomb in an archive within the archive, as downloads come."""
    with zipfile.ZipFile(folder / "inner.zip", "w", zipfile.ZIP_DEFLATED) as inner:
        inner.writestr("orders.csv", b"0" * 20_000_000)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ALL:
            if name != ORDERS:
                archive.write(folder / name, name)
        archive.write(folder / "inner.zip", "orders.csv.zip")


def twice(path: Path, _folder: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("older/orders.csv", "x")


def understate(path: Path, _folder: Path) -> None:
    """Make the archive say that orders.csv is shorter than it is."""
    content = bytearray(path.read_bytes())
    for signature, size, name in ((b"PK\x03\x04", 22, 30), (b"PK\x01\x02", 24, 46)):
        place = content.find(signature)
        while place >= 0:
            if content[place + name : place + name + 10] == b"orders.csv":
                content[place + size] -= 20
            place = content.find(signature, place + 4)
    path.write_bytes(content)


def only_some(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ALL[:-2] + ALL[-1:]:
            archive.write(folder / name, name)


# ---- the cases ----------------------------------------------------------------------------------


CUT_ROW = {
    PRODUCTS: Quarantined(((7, "expected 5 fields, found 4", "6,NA,9,12"),)),
    DEPARTMENTS: "departments.csv: " + WIDE.format(1, 4),
    CUSTOMERS: Quarantined(
        ((3, "expected 10 fields, found 9", "2,,***,Male,***,18,12/31/2019,0,single"),)
    ),
    ORDERS: Quarantined(((6, "expected 7 fields, found 6", "22,2,test,2,2,10"),)),
    LINES: Quarantined(((7, "expected 4 fields, found 3", "21,6,2"),)),
}
ENDS = "the file ends within this row"
CUT_AFTER_A_COMMA = {
    PRODUCTS: Quarantined(((7, ENDS, "6,NA,9,12,"),)),
    DEPARTMENTS: "departments.csv, field 4: department: is missing",
    CUSTOMERS: Quarantined(((3, ENDS, "2,,***,Male,***,18,12/31/2019,0,single,"),)),
    ORDERS: Quarantined(((6, ENDS, "22,2,test,2,2,10,"),)),
    LINES: Quarantined(((7, "reordered: is missing", "21,6,2,"),)),
}
NUL_ROW = {  # a row, the rule that it breaks, how it is shown
    PRODUCTS: ("9,a\x00b,7,2,5.0", "product_name: holds a NUL byte", "9,a\x00b,7,2,5.0"),
    CUSTOMERS: (
        "9,,,Female,Te\x00xas,40,1/1/2017,3,married,1",
        "STATE: holds a NUL byte",
        "9,,,Female,***,40,1/1/2017,3,married,1",
    ),
    ORDERS: (
        "14,1,train,4,0,0\x008,7.0",
        "order_hour_of_day: found '0\\x008', expected a whole number",
        "14,1,train,4,0,0\x008,7.0",
    ),
    LINES: ("21,1\x00,3,0", "product_id: found '1\\x00', expected a whole number", "21,1\x00,3,0"),
}
QUOTE_ROW = {
    PRODUCTS: '9,"Cola,7,2,5.0',
    CUSTOMERS: '9,"Bo,Li,Male,Ohio,18,1/1/2017,0,single,1',
    ORDERS: '14,1,"train,4,0,08,7.0',
    LINES: '21,"1,3,0',
}

QUOTE_SHOWN = {  # the text cannot be told from a person's
    PRODUCTS: "9,***,7,2,5.0",
    CUSTOMERS: "9,***,***,Male,***,18,1/1/2017,0,single,1",
    ORDERS: "14,1,***,4,0,08,7.0",
    LINES: '21,"1,3,0',
}


def reads_two_lines(name: str) -> Read:
    return Read(
        "a value has two lines, the rows after it keep their place",
        lambda run: len(run.table(TABLE[name])) == len(FILES[name]),
    )


BREAK_ROW = {
    PRODUCTS: ('9,"Two\nlines",7,2,5.0', reads_two_lines(PRODUCTS)),
    CUSTOMERS: ('9,"B\no",Li,Male,Ohio,18,1/1/2017,0,single,1', reads_two_lines(CUSTOMERS)),
    ORDERS: (
        '14,1,"tra\nin",4,0,08,7.0',
        Quarantined(
            ((7, UNCLOSED, "14,1,***"), (8, "expected 7 fields, found 5", "***,4,0,08,7.0"))
        ),
    ),
    LINES: ('21,"1\n",3,0', Quarantined(((8, UNCLOSED, '21,"1'), (9, UNCLOSED, '",3,0')))),
}


def cases_of_any_file(name: str) -> list[Case]:
    """What can happen to each of the five files."""
    first, wide = FIRST_COLUMN[name], name == DEPARTMENTS
    header, line = FILES[name][0], NEXT_LINE[name]
    others = header.replace(",", ", ")
    is_customers = name == CUSTOMERS
    missing = f"{name}: column {first} is missing; expected {others}" + "; found " * (
        not is_customers
    )
    if wide:
        missing = f"{name}: column department_id is missing; expected it first, found "
    with_semicolons = missing if is_customers else missing + header.replace(",", ";")[:20]
    no_text = (
        f"{name}: the first line is not readable text; expected a UTF-8 CSV file with a header"
    )
    place = header.count(",") + 2
    extra = f"{name}: unexpected column ***, number {place} of {place}; expected only {others}"
    no_rows = f"{name}: the file holds a header and no rows; expected rows"
    both = f"holds {name} twice ({name} and {name}.zip/{name}); expected it once: they differ, take"
    unread = f"{name}: {name} cannot be unpacked or read ([Errno 13] Permission denied"
    long = f"{name}: the first line is longer than 65,536 bytes; expected a UTF-8 CSV"

    def without_last_field(content: bytes) -> bytes:
        return content.rstrip(b"\n").rpartition(b",")[0]

    found = [
        ("cut within its last row", edit(without_last_field), CUT_ROW[name]),
        (
            "cut after a comma of its last row",
            edit(lambda content: without_last_field(content) + b","),
            CUT_AFTER_A_COMMA[name],
        ),
        (
            "an extra column",
            edit(lambda content: content.replace(b"\n", b",colour\n", 1)),
            f"{name}: " + WIDE.format(1, 5) if wide else extra,
        ),
        ("a column less", columns(lambda fields: fields[1:]), missing.rstrip()),
        (
            "its columns in another order",
            columns(lambda fields: fields[::-1]),
            Stops(missing.rstrip()) if wide else Read(),
        ),
        ("a column renamed", replace(first, "number"), missing.rstrip()),
        (
            "a column twice",
            columns(lambda fields: [*fields, fields[0]]),
            f"{name}: column {first} occurs 2 times in the header; expected it once",
        ),
        (
            "semicolons for commas",
            edit(lambda content: content.replace(b",", b";")),
            with_semicolons,
        ),
        ("UTF-16", edit(lambda text: text.decode().encode("utf-16")), no_text),
        (
            "UTF-16 without a byte order mark",
            edit(lambda text: text.decode().encode("utf-16-le")),
            no_text,
        ),
        ("a byte order mark", edit(lambda content: b"\xef\xbb\xbf" + content), Read()),
        ("line ends CR LF", edit(lambda content: content.replace(b"\n", b"\r\n")), Read()),
        (
            "line ends CR, as on old Macs",
            edit(lambda content: content.replace(b"\n", b"\r")),
            no_text,
        ),
        ("no line end after its last row", edit(lambda content: content[:-1]), Read()),
        ("blank lines", edit(lambda content: content + b"\n\n"), Read()),
        ("of no bytes", instead(b""), f"{name}: the file is empty; expected a header and rows"),
        (
            "a header and no rows",
            edit(lambda content: content[: content.index(b"\n") + 1]),
            f"{name}: " + WIDE.format(0, 4) if wide else no_rows,
        ),
        ("not there", remove, f"{name} is missing; expected "),
        ("a link to a file elsewhere", to_link, Read()),
        ("a folder of this name", to_folder, f"{name}: is a folder; expected the file {name}"),
        ("there twice, plain and zipped, alike", to_both(), Read()),
        ("there twice, plain and zipped, not alike", to_both(b"\n"), both),
        ("not to be read by this user", unreadable, unread),
        ("a first line of 100,000 bytes", instead(b"x" * 100_000), long),
        ("not text at all", instead(bytes(range(128, 256)) * 20), no_text),
    ]
    if not wide:
        nul, rule, shown = NUL_ROW[name]
        quote, begin, quote_rule = f"{QUOTE_ROW[name]}\n".encode(), b"\n", UNCLOSED
        if name == PRODUCTS:
            quote_rule = AFTER_A_QUOTE
        shown_quote = QUOTE_SHOWN[name]
        found += [
            ("a NUL byte in a value", append(nul), Quarantined(((line, rule, shown),))),
            (
                "a quote that is not closed, then more rows",
                edit(lambda content: content.replace(begin, begin + quote, 1)),
                Quarantined(((2, quote_rule, shown_quote),)),
            ),
            ("a line break within quotes", append(BREAK_ROW[name][0]), BREAK_ROW[name][1]),
        ]
    return cases(name, *found)


def cases(file: str, *rows: tuple) -> list[Case]:
    """Make cases of one file: (in words, how it is made, what happens); a text is what stops it."""
    return [
        Case(file, words, make, Stops(outcome) if isinstance(outcome, str) else outcome)
        for words, make, outcome in rows
    ]


def bad_rows(name: str, *rows: tuple[str, str, str]) -> list[Case]:
    """Make cases of a row at the end of a file: (in words, the row, the rule that it breaks)."""

    def shown(row: str, rule: str) -> str:
        allowed = {CUSTOMERS: ["Female", "Male", "married", "single"]}
        allowed = allowed.get(name, ["train", "nan", "inf", "2e6", "0x1F", "True"])
        fields = row.split(",")
        told = [
            "***" if any(map(str.isalpha, value)) and value not in allowed else value
            for value in fields
        ]
        is_products = name == PRODUCTS and len(fields) == 5 and "CSV" not in rule
        if is_products and fields[:1] + fields[2:] == told[:1] + told[2:]:
            return row[:32_000]
        return ",".join(told)

    made = [
        (words, append(row), Quarantined(((NEXT_LINE[name], rule, shown(row, rule)),)))
        for words, row, rule in rows
    ]
    return cases(name, *made)


SOUND_ROW = {
    PRODUCTS: "9,Cola,7,2,5.0",
    CUSTOMERS: "9,Bo,Li,Male,Ohio,18,1/1/2017,0,single,1",
    ORDERS: "14,1,train,4,0,08,7.0",
    LINES: "21,1,3,0",
}


def bad_values(name: str, *rows: tuple[str, str, str, str]) -> list[Case]:
    """Make cases of one value in a row: (in words, its column, the value, what is wrong)."""
    header = FILES[name][0].split(",")

    def with_value(column: str, value: str) -> str:
        pairs = zip(header, SOUND_ROW[name].split(","), strict=True)
        return ",".join(value if each == column else sound for each, sound in pairs)

    made = [(words, with_value(c, value), f"{c}: {wrong}") for words, c, value, wrong in rows]
    return bad_rows(name, *made)


def named(words: str, name: str) -> Case:
    """Make the case of a product whose name is dangerous elsewhere and harmless here."""
    quoted = '"' + name.replace('"', '""') + '"'
    return Case(
        PRODUCTS,
        f"a product called {words}",
        append(f"9,{quoted},7,2,5.0"),
        Read(
            "under this name, as text",
            lambda run: run.table("raw_products")["product_name"].tolist()[-1] == name,
        ),
    )


def ids(name: str, column: str) -> list[Case]:
    """Make the cases of ids that are none."""
    whole, above_0, below = "expected a whole number", "expected 1 or more", 2**31 - 1
    rows = [
        (f"{column} negative", column, "-1", f"found -1, {above_0}"),
        (f"{column} zero", column, "0", f"found 0, {above_0}"),
        (f"{column} huge", column, "9" * 11, f"found {'9' * 11}, expected {below} or less"),
        (
            f"{column} of 400 digits",
            column,
            "9" * 400,
            f"found {'9' * 40}, expected {below} or less",
        ),
        (f"{column} decimal", column, "9.0", f"found '9.0', {whole}"),
        (f"{column} hexadecimal", column, "0x1F", f"found '0x1F', {whole}"),
        (f"{column} with a space", column, " 9", f"found ' 9', {whole}"),
        (f"{column} in Arabic digits", column, "٩", f"found '٩', {whole}"),
    ]
    masked = ("0x1F", "٩") if name == CUSTOMERS else ()  # shown as ***
    return bad_values(name, *(row for row in rows if row[2] not in masked))


def rows_out(run: Run, table: str, step: str) -> tuple[int, int]:
    """Rows that a step removed and left, under the run's rules."""
    (row,) = [
        row
        for stage in ("02_clean", "03_merge")
        if record_file(run.folders, stage).is_file()
        for row in run.record(stage)["flow"]
        if (row["table"], row["step"], row["rules"]) == (table, step, run.rules)
    ]
    return row["rows_removed"], row["rows_out"]


def missing_in(run: Run, stage: str, what: str) -> tuple[int, int]:
    """How much of something a stage found missing, and of how many."""
    (row,) = [row for row in run.record(stage)["missing"] if what in row["what"]]
    return row["found"], row["of"]


AFTER_A_QUOTE = "not readable as CSV: ',' expected after '\"'"
TOO_LONG = "characters, expected at most 32,000"
GAP = "days_since_prior_order"
CASES = [
    *(case for name in ALL for case in cases_of_any_file(name)),
    # -- products
    *ids(PRODUCTS, "product_id"),
    *bad_values(
        PRODUCTS,
        ("a negative price", "prices", "-1", "found -1, expected 0 or more"),
        ("a price of nan", "prices", "nan", "found 'nan', expected a number"),
        ("a price of inf", "prices", "inf", "found 'inf', expected a number"),
        ("a price in words", "prices", "free", "found '***', expected a number"),
    ),
    *bad_rows(PRODUCTS, ("a price with a comma", "9,Cola,7,2,5,0", "expected 5 fields, found 6")),
    *bad_values(
        PRODUCTS,
        ("a price of two million", "prices", "2e6", "found 2e6, expected 1000000 or less"),
        ("an aisle of 40,000", "aisle_id", "40000", "found 40000, expected 32767 or less"),
        ("a name of 33,000 characters", "product_name", "x" * 33_000, f"33,000 {TOO_LONG}"),
        (
            "a name of 17,000 emoji, which a spreadsheet counts twice",
            "product_name",
            "🍌" * 17_000,
            f"34,000 {TOO_LONG}",
        ),
    ),
    *bad_rows(PRODUCTS, ("text after a closing quote", '9,"Co"la,7,2,5.0', AFTER_A_QUOTE)),
    *cases(
        PRODUCTS,
        (
            "a name in Latin-1",
            append(b"9,Caf\xe9,7,2,5.0"),
            Quarantined(((8, "product_name: is not UTF-8", "9,Caf?,7,2,5.0"),)),
        ),
        (
            "an unclosed quote whose text the next quote would end",
            edit(lambda content: content.replace(b"\n2,", b'\n9,"Cola,7,2,5.0\n2,', 1)),
            Quarantined(((3, AFTER_A_QUOTE, "9,***,7,2,5.0"),)),
        ),
        (
            "a price of 14,900 dollars",
            edit(lambda content: content),
            Read(
                "the price is set missing (D-06), the product stays",
                lambda run: run.table("products").set_index("product_id")["price_cents"].isna()[4],
                after="02_clean",
            ),
        ),
        (
            "a price left empty",
            append("9,Cola,7,2,"),
            Read(
                "the price is missing",
                lambda run: bool(
                    run.table("raw_products")["prices"].isna().tolist() == [False] * 6 + [True]
                ),
            ),
        ),
        (
            "a quote within a name",
            append('9,5" pizza,7,2,5.0'),
            Read(
                "under this name, as text",
                lambda run: run.table("raw_products")["product_name"].tolist()[-1] == '5" pizza',
            ),
        ),
    ),
    *(
        named(f"`{name}`", name)
        for name in (
            *("None", "NA", "null", "nan", "#N/A", "=1+1", "+1", "-1", "@SUM(A1)", "=HYPERLINK(0)"),
            *("'quoted'", "<script>alert(1)</script>", "../../etc/passwd", "$5 and $10"),
        )
    ),
    named("`🍌 banana`", "🍌 banana"),
    named("an Arabic word, written from right to left", "\u202eموز"),
    named("a bell and an escape character", "be\x07ll \x1b[31m"),
    named("a name of 32,000 characters", "x" * 32_000),
    *cases(
        PRODUCTS,
        (
            "a row twice",
            append("6,NA,9,12,8.2"),
            Read(
                "the second is removed and counted in stage 02",
                lambda run: rows_out(run, "products", "drop exact duplicates") == (1, 6),
                after="02_clean",
            ),
        ),
        (
            "an id on two products, the one before it absent",
            append("9,Cola,7,2,5.0", "9,Rum,7,2,5.0"),
            Read(
                "the first takes the absent id (D-04)",
                lambda run: (
                    run.table("products")["product_id"].tolist() == [1, 2, 3, 4, 5, 6, 8, 9]
                ),
                after="02_clean",
            ),
        ),
        (
            "an id on two products, the one before it there",
            append("6,Cola,7,2,5.0"),
            "products.csv: column product_id: 6 is on several products; expected each id "
            "once, or the id before it to be absent",
        ),
        (
            "prices in cents",
            edit(
                lambda content: re.sub(
                    rb",(\d+)\.(\d)\n", rb",\1\g<2>0\n", content.replace(b"14900.0", b"149.0")
                )
            ),
            "products.csv: column prices: 6 of 6 are above 100; expected dollars: divide cents by "
            "100, or raise price_ceiling_dollars in settings.yml",
        ),
        (
            "a department that departments.csv lacks",
            append("9,Cola,7,99,5.0"),
            "products.csv: column department_id: 99 of product 9 is not in departments.csv; "
            "expected one of its ids",
        ),
    ),
    # -- departments
    *cases(
        DEPARTMENTS,
        (
            "a NUL byte in a name",
            replace("frozen", "fro\x00zen"),
            "departments.csv, field 2: department: holds a NUL byte",
        ),
        (
            "a quote that is not closed",
            replace("snacks", '"snacks'),
            "departments.csv: not readable as CSV: unexpected end of data",
        ),
        (
            "a line break within quotes",
            replace("snacks", '"sna\ncks"'),
            Read(
                "a department's name has two lines",
                lambda run: run.table("raw_departments")["department"].tolist()[1] == "sna\ncks",
            ),
        ),
        (
            "an id that is no number",
            replace(",2,", ",two,"),
            "departments.csv, field 3: department_id: found '***', expected a whole number",
        ),
        (
            "a negative id",
            replace(",2,", ",-2,"),
            "departments.csv, field 3: department_id: found -2, expected 1 or more",
        ),
        (
            "an id twice",
            replace(",2,", ",1,"),
            "departments.csv: column 1 occurs 2 times in the header; expected it once",
        ),
        (
            "long, an id twice",
            instead(b"department_id,department\n1,frozen\n1,snacks\n"),
            "departments.csv: department_id 1 is on several departments; expected each o",
        ),
        (
            "a name twice",
            replace("snacks", "frozen"),
            "departments.csv: department frozen is on several departments; expected each",
        ),
        (
            "a name in Latin-1",
            replace("snacks", b"caf\xe9"),
            "departments.csv, field 3: department: is not UTF-8",
        ),
        (
            "a department less, which products are in",
            edit(lambda _: b"department_id,1,2\ndepartment,frozen,snacks\n"),
            "products.csv: column department_id: 12 of product 5 is not in departments.csv",
        ),
    ),
    # -- customers
    *ids(CUSTOMERS, "user_id"),
    *bad_values(
        CUSTOMERS,
        ("30 February", "date_joined", "2/30/2019", "found '2/30/2019', expected month/day/year"),
        (
            "a date written 2019-01-31",
            "date_joined",
            "2019-01-31",
            "found '2019-01-31', expected month/day/year",
        ),
        (
            "a date in the year 20177",
            "date_joined",
            "1/1/20177",
            "found '1/1/20177', expected month/day/year",
        ),
        ("an age of -1", "Age", "-1", "found -1, expected 0 or more"),
        ("an age of 121", "Age", "121", "found 121, expected 120 or less"),
        ("an age of 40.5", "Age", "40.5", "found '40.5', expected a whole number"),
        ("an age left empty", "Age", "", "is missing"),
        ("-1 dependants", "n_dependants", "-1", "found -1, expected 0 or more"),
        ("51 dependants", "n_dependants", "51", "found 51, expected 50 or less"),
        ("another gender", "Gender", "Unknown", "found '***', expected one of Female, Male"),
        (
            "another family status",
            "fam_status",
            "engaged",
            "found '***', expected one of married, single, divorced/widowed, living with parents "
            "and siblings",
        ),
        ("a negative income", "income", "-1", "found -1, expected 0 or more"),
    ),
    *bad_rows(
        CUSTOMERS,
        (
            "a name with a comma, not quoted",
            "9,Bo,Li, Jr.,Male,Ohio,18,1/1/2017,0,single,1",
            "expected 10 fields, found 11",
        ),
    ),
    *cases(
        CUSTOMERS,
        ("names in Latin-1", replace("Ann", "José".encode("latin-1")), Read("names are not read")),
        (
            "a state that is none",
            replace("Ohio", "Atlantis"),
            Read(
                "the customer's region is (missing)",
                lambda run: (
                    run.table("analysis_customers").set_index("user_id")["region"][2] == "(missing)"
                ),
                after="04_derive_flags",
            ),
        ),
        (
            "an income left empty",
            replace(",50000", ","),
            Read(
                "the customer's income group is (missing)",
                lambda run: (
                    run.table("analysis_customers").set_index("user_id")["income_group"][2]
                    == "(missing)"
                ),
                after="04_derive_flags",
            ),
        ),
        (
            "a customer twice",
            append(FILES[CUSTOMERS][1]),
            "customers.csv, line 4: column user_id: this customer is on line 2 already, and "
            "0 other ids are on several rows, too; expected each once: correct the file",
        ),
        (
            "a customer without orders",
            append(SOUND_ROW[CUSTOMERS]),
            Read(
                "the customer has no line and is in no count",
                lambda run: run.table("analysis_customers")["user_id"].tolist() == [1, 2],
                after="04_derive_flags",
            ),
        ),
        (
            "a customer who ordered is not there",
            edit(lambda content: content.rpartition(b"2,,Ng")[0]),
            "column user_id: the customer of order 21 is not in customers.csv (and the same "
            "for 1 lines more)",
        ),
    ),
    # -- orders
    *ids(ORDERS, "order_id"),
    *ids(ORDERS, "user_id"),
    *bad_values(
        ORDERS,
        ("day 7", "order_dow", "7", "found 7, expected 6 or less"),
        ("day -1", "order_dow", "-1", "found -1, expected 0 or more"),
        ("a day by name", "order_dow", "Monday", "found '***', expected a whole number"),
        ("hour 24", "order_hour_of_day", "24", "found 24, expected 23 or less"),
        ("hour 08:00", "order_hour_of_day", "08:00", "found '08:00', expected a whole number"),
        ("a gap of 31 days", GAP, "31.0", "found 31.0, expected 30 or less"),
        ("a gap of -1 day", GAP, "-1.0", "found -1.0, expected 0 or more"),
        ("a gap of 2.5 days", GAP, "2.5", "found '2.5', expected a whole number"),
        ("order number 0", "order_number", "0", "found 0, expected 1 or more"),
        ("order number 40,000", "order_number", "40000", "found 40000, expected 32767 or less"),
        (
            "another eval_set",
            "eval_set",
            "later",
            "found '***', expected one of prior, train, test",
        ),
        ("a customer left empty", "user_id", "", "is missing"),
    ),
    *cases(
        ORDERS,
        (
            "eval_set in Latin-1",
            append(b"14,1,pri\xf3r,4,0,08,7.0"),
            Quarantined(((7, "eval_set: is not UTF-8", "14,1,***,4,0,08,7.0"),)),
        ),
        ("all values quoted", columns(lambda fields: [f'"{f}"' for f in fields]), Read()),
        (
            "an order twice",
            append(FILES[ORDERS][1]),
            "orders.csv, line 7: column order_id: 11 is on line 2 already, and 0 other ids "
            "are on several rows, too; expected each once: correct the file",
        ),
        (
            "a customer's order number twice",
            append("14,1,train,3,0,08,7.0"),
            "orders.csv: column order_number: the orders 13 and 14 are of one customer and both "
            "have number 3; expected a number once for each customer: correct the file",
        ),
        (
            "order numbers that count from the newest",
            columns(
                lambda fields: [*fields[:3], COUNTED_BACK.get(fields[0], fields[3]), *fields[4:]]
            ),
            "orders.csv: column order_number: for 2 of 2 customers the highest number has no "
            "days_since_prior_order, and number 1 has; expected 1 for the oldest order: number "
            "them from there",
        ),
        (
            "an order without lines",
            append("14,1,prior,4,0,08,7.0"),
            Read(
                "the order is in no count (D-07)",
                lambda run: run.table("analysis_orders")["order_id"].tolist() == [11, 12, 21],
                after="04_derive_flags",
            ),
        ),
        (
            "order numbers with a hole",
            replace("13,1,train,3,", "13,1,train,4,"),
            Read(
                "the customer is counted among those whose history has holes (D-46)",
                lambda run: missing_in(run, "02_clean", "order numbers are not 1 to n") == (1, 2),
                after="02_clean",
            ),
        ),
        (
            "a customer's last order is not there",
            edit(lambda content: content.replace(b"22,2,test,2,2,10,0.0\n", b"")),
            Read(
                "the customer is counted among those without one (D-46)",
                lambda run: missing_in(run, "02_clean", "without a last order") == (1, 2),
                after="02_clean",
            ),
        ),
        (
            "an order with lines is not there",
            edit(lambda content: content.replace(b"21,2,prior,1,3,00,\n", b"")),
            "orders_products_prior.csv: column order_id: 21 is not in orders.csv among the "
            "prior orders (and the same for 1 lines more), or its row there is in quarantine; "
            "expected every line to match: correct the files, or run RULES=course",
        ),
        (
            "the same, RULES=course",
            edit(lambda content: content.replace(b"21,2,prior,1,3,00,\n", b"")),
            Read(
                "its lines are removed and counted",
                lambda run: rows_out(run, "merged", "merge") == (2, 4),
                "course",
                "03_merge",
            ),
        ),
        (
            "a bad row of an order with lines",
            replace("21,2,prior,1,3,", "21,2,prior,1,9,"),
            "column order_id: 21 is not in orders.csv among the prior orders (and the same for "
            "1 lines more), or its row there is in quarantine",
        ),
    ),
    # -- order lines
    *ids(LINES, "order_id"),
    *ids(LINES, "product_id"),
    *bad_values(
        LINES,
        ("position 0", "add_to_cart_order", "0", "found 0, expected 1 or more"),
        ("position 32,768", "add_to_cart_order", "32768", "found 32768, expected 32767 or less"),
        ("reordered 2", "reordered", "2", "found 2, expected 1 or less"),
        ("reordered True", "reordered", "True", "found 'True', expected a whole number"),
    ),
    *bad_rows(
        LINES,
        ("digits after a closing quote", '21,"1"2,3,0', AFTER_A_QUOTE),
        ("a line of words", "total: 6 lines", "expected 4 fields, found 1"),
        ("a line twice", "21,6,2,0", "repeats line 7: order_id 21 has this product already"),
    ),
    *cases(
        LINES,
        (
            "a line three times, in places far apart",
            edit(lambda content: content.replace(b"\n", b"\n12,5,2,0\n", 1) + b"12,5,2,0\n"),
            Quarantined(
                (
                    (6, "repeats line 2: order_id 12 has this product already", "12,5,2,0"),
                    (9, "repeats line 2: order_id 12 has this product already", "12,5,2,0"),
                )
            ),
        ),
        (
            "a product twice in an order, at two positions",
            append("21,6,3,0"),
            "orders_products_prior.csv, line 8: product_id 6 is in order_id 21 on line 7 "
            "already, with other values; expected each product once in an order: correct the",
        ),
        (
            "the file appended to itself",
            edit(lambda content: content + content.partition(b"\n")[2] * 2),
            "orders_products_prior.csv, line 8: repeats line 2: order_id 11 has this product "
            "already; 12 of 18 rows are bad, more than max_quarantined_share (0.5)",
        ),
        (
            "a header in its middle",
            append(FILES[LINES][0]),
            Quarantined(
                ((8, "order_id: found 'order_id', expected a whole number", FILES[LINES][0]),)
            ),
        ),
        (
            "a product that products.csv lacks",
            append("21,77,3,0"),
            "orders_products_prior.csv: column product_id: 77 is not in products.csv (and the "
            "same for 0 lines more)",
        ),
        (
            "the same, RULES=course",
            append("21,77,3,0"),
            Read(
                "the line is removed and counted, with that of the nameless product",
                lambda run: rows_out(run, "merged", "merge") == (2, 5),
                "course",
                "03_merge",
            ),
        ),
        (
            "a line of a train order",
            append("13,1,1,0"),
            "column order_id: 13 is not in orders.csv among the prior orders",
        ),
        (
            "a reorder in a first order",
            replace("11,1,1,0", "11,1,1,1"),
            Read(
                "it is kept, and counted among the checks",
                lambda run: (
                    [
                        check["found"]
                        for check in run.record("04_derive_flags")["checks"]
                        if check["check"] == "reorders in first orders"
                    ]
                    == ["1"]
                ),
                after="04_derive_flags",
            ),
        ),
        (
            "its rows in another order",
            edit(
                lambda content: b"\n".join(
                    [content.split(b"\n")[0], *content.split(b"\n")[-2:0:-1], b""]
                )
            ),
            Read(
                "the same rows",
                lambda run: sorted(run.table("raw_lines")["product_id"]) == [1, 1, 2, 3, 5, 6],
            ),
        ),
    ),
    # -- the whole delivery
    *cases(
        "the folder",
        (
            "not there",
            lambda folder, _: folder / "nowhere",
            "nowhere: does not exist; expected a folder or zip file with the raw data",
        ),
        (
            "empty",
            lambda folder, _: shutil.rmtree(folder) or folder.mkdir(),
            "orders_products_prior.csv is missing; expected the course's files (products.csv",
        ),
        (
            "the order lines of both layouts",
            lambda folder, _: (
                shutil.copy(folder / LINES, folder / "order_products__prior.csv") and None
            ),
            "holds both orders_products_prior.csv and order_products__prior.csv; expected the "
            "order lines of one layout",
        ),
        (
            "a CSV file in its place",
            lambda folder, _: folder / ORDERS,
            "orders.csv: is not a readable zip file (File is not a zip file)",
        ),
    ),
    *cases(
        "the archive",
        ("sound", zipped(), Read()),
        ("cut", zipped(cut), "data.zip: is not a readable zip file"),
        (
            "its bytes damaged",
            zipped(damage),
            "data.zip: orders.csv cannot be unpacked or read … expected a whole file",
        ),
        (
            "protected by a password",
            zipped(protect),
            "is protected by a password; expected a plain zip file",
        ),
        (
            "a bomb",
            zipped(inflate),
            "data.zip: orders.csv would unpack to 20,000,000 bytes, more than 200 times its "
            "packed size; refused",
        ),
        (
            "a bomb in an archive within it",
            zipped(inflate_within),
            "data.zip: orders.csv would unpack to 20,000,000 bytes, more than 200 times",
        ),
        (
            "says that a file is shorter than it is",
            zipped(understate),
            "data.zip: orders.csv cannot be unpacked or read (Bad CRC-32",
        ),
        (
            "paths that lead out of it",
            zipped(inside="../../../"),
            Read("nothing is unpacked to a path of the archive"),
        ),
        (
            "absolute paths",
            zipped(inside="/tmp/"),
            Read("nothing is unpacked to a path of the archive"),
        ),
        (
            "a file twice",
            zipped(twice),
            "holds orders.csv twice (orders.csv and older/orders.csv); expected it once",
        ),
        (
            "a file less",
            zipped(only_some),
            "data.zip: orders.csv is missing; expected products.csv, departments.csv",
        ),
    ),
]


# ---- what is documented happens -----------------------------------------------------------------


@pytest.fixture(scope="module")
def loose(tmp_path_factory) -> Path:
    """Give settings that allow half of the rows to be bad."""
    return write_settings(tmp_path_factory.mktemp("settings") / "settings.yml", LOOSE)


@pytest.fixture(scope="module")
def sound(tmp_path_factory, loose) -> dict[str, str]:
    """Give the hashes of the tables of the sound files."""
    folder = tmp_path_factory.mktemp("sound")
    return hashes(imported(write_files(folder / "data"), folder / "out", loose))


def assert_holds(message: str, words: str) -> None:
    pattern = ".*".join(map(re.escape, words.split(" … ")))
    assert re.search(pattern, message), f"{message!r} does not hold {words!r}"


def title(case: Case) -> str:
    return f"{case.file}: {case.corruption}"[:90]


@pytest.mark.parametrize("case", CASES, ids=title)
def test_what_the_document_says_happens(case, tmp_path, loose, sound):
    folder = write_files(tmp_path / "data")
    outside = {path for path in tmp_path.iterdir()}
    data = case.make(folder, case.file) or folder
    out = tmp_path / "out"
    if isinstance(case.outcome, Stops):
        with pytest.raises(BasketError) as error:
            run = imported(data, out, loose, case.outcome.rules)
            clean_stage(run)
            merge_stage(run)
        assert_holds(str(error.value), case.outcome.words)
        assert "\n" not in str(error.value) and "Ann" not in str(error.value)
        assert not (Folders(out).prepared / "merged").exists()
        return
    run = imported(data, out, loose, getattr(case.outcome, "rules", "corrected"))
    aside = {
        file.stem: pd.read_parquet(file)
        for file in (run.folders.prepared / "quarantine").glob("*.parquet")
    }
    if isinstance(case.outcome, Quarantined):
        expected = [
            {"file": case.file, "line": line, "rule": rule, "text": text}
            for line, rule, text in case.outcome.rows
        ]
        assert aside.pop(TABLE[case.file]).to_dict("records") == expected
        (flow,) = [
            row for row in run.record("01_import")["flow"] if row["table"] == TABLE[case.file]
        ]
        assert flow["rows_quarantined"] == len(expected)
        assert flow["rows_in"] == flow["rows_out"] + len(expected)
        kept = run.table(TABLE[case.file])
        assert len(kept) == flow["rows_out"]
        damaged_a_row_of_the_file = "cut" in case.corruption or "far apart" in case.corruption
        if not damaged_a_row_of_the_file:
            assert hashes(run) == sound
    elif case.outcome.check:
        for number, stage in enumerate((clean_stage, merge_stage, flag_stage), start=2):
            if number <= int(case.outcome.after[:2]):
                stage(run)
        assert case.outcome.check(run)
    else:
        assert hashes(run) == sound
    assert aside == {}
    assert {path for path in tmp_path.iterdir()} - outside <= {out, data, tmp_path / "elsewhere"}


def test_a_file_of_bad_rows_is_not_read_to_its_end(tmp_path, monkeypatch, loose):
    """What is read after the allowed share has become impossible costs time and memory."""
    from basket.prepare import read_csv
    from basket.prepare.layouts import layouts
    from basket.prepare.raw_files import RawFile

    rows = "".join(f"{number}.0,1,1,0\n" for number in range(1, 50_001))
    path = write_files(tmp_path / "data") / LINES
    path.write_text(FILES[LINES][0] + "\n" + rows, encoding="utf-8")
    monkeypatch.setattr(RawFile.slices, "__defaults__", (100_000,))
    seen, names = [], layouts()["course"].tables["raw_lines"].columns
    with pytest.raises(BasketError, match=r"line 2: order_id: found '1.0', .* rows are bad so far"):
        for _, bad in read_csv.read_slices(
            RawFile(LINES, path, (), path.stat().st_size, names), "raw_lines", seen.append, 1, 0.001
        ):
            assert len(bad) <= read_csv.MANY_BAD_ROWS
    assert len(seen) <= 2


# ---- through the command ------------------------------------------------------------------------

THROUGH_THE_COMMAND = [
    ("the folder", "not there"),
    ("the folder", "the order lines of both layouts"),
    ("the archive", "a bomb"),
    ("the archive", "protected by a password"),
    ("orders.csv", "UTF-16"),
    ("orders.csv", "of no bytes"),
    ("orders.csv", "a folder of this name"),
    ("customers.csv", "a column renamed"),  # and from here on in a notebook
    ("orders.csv", "a header and no rows"),
    ("customers.csv", "a customer twice"),
    ("orders_products_prior.csv", "a product twice in an order, at two positions"),
    ("orders.csv", "a customer's order number twice"),  # stage 02
    ("orders.csv", "an order with lines is not there"),  # stage 03
]
FIRST_IN_A_NOTEBOOK = 8


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(THROUGH_THE_COMMAND)), ids=str)
def test_the_command_stops_in_one_line_and_publishes_nothing_half_way(place, tmp_path, loose):
    (case,) = [case for case in CASES if (case.file, case.corruption) == THROUGH_THE_COMMAND[place]]
    folder = write_files(tmp_path / "data")
    data, out = case.make(folder, case.file) or folder, tmp_path / "out"
    Folders(out).client.mkdir(parents=True)
    Folders(out).report.write_text("an earlier report", encoding="utf-8")
    done = basket("report", "--data", data, "--out", out, "--settings", loose)
    assert done.returncode == 1 and done.stdout == ""
    assert "Traceback" not in done.stderr and "Ann" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("basket: ")]
    assert len(said) == 1
    assert_holds(said[0], case.outcome.words)
    last = done.stderr.splitlines()[-1]
    in_a_notebook = place >= FIRST_IN_A_NOTEBOOK
    assert last.startswith("  see ") if in_a_notebook else last == said[0]
    assert Folders(out).report.read_text(encoding="utf-8") == "an earlier report"
    assert not Folders(out).tables.exists()
    assert not (Folders(out).analysis / "findings.json").exists()
    built = {path.parent.name for path in Folders(out).prepared.glob("*/*") if path.is_file()}
    if "01_import" in said[0] or not in_a_notebook:
        assert not built & set(RAW_TABLES)
    assert "merged" not in built


# ---- the document -------------------------------------------------------------------------------


def table_rows() -> list[str]:
    """The document's table, a line for each case."""

    def cell(text: object) -> str:
        return re.sub("9{50,}", "99…", str(text)).replace("|", "\\|").replace("\n", " ")

    return [
        "| file | corruption | what happens |",
        "|---|---|---|",
        *(f"| {case.file} | {cell(case.corruption)} | {cell(case.outcome)} |" for case in CASES),
    ]


def test_the_document_says_what_is_tested():
    written = [
        line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("|")
    ]
    assert written == table_rows(), "print it again: python tests/test_bad_input.py"


def test_each_corruption_is_listed_once():
    titles = [(case.file, case.corruption) for case in CASES]
    assert len(set(titles)) == len(titles) >= 60


if __name__ == "__main__":
    print("\n".join(table_rows()))
