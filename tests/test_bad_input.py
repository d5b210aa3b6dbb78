"""Every corruption of 01_project_management/bad_input.md, and that what is written there happens.

The document's tables are printed from the cases below (`python tests/test_bad_input.py`), whose
outcomes are what the tests assert: the two cannot differ.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from basket.project.errors import BasketError
from basket.project.folders import ROOT, Folders
from basket.project.stages import record_file
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
ALL = list(FILES)
PRODUCTS, DEPARTMENTS, CUSTOMERS, ORDERS, LINES = ALL
TABLE = dict(zip(ALL, RAW_TABLES, strict=True))
NEXT_LINE = {name: len(lines) + 1 for name, lines in FILES.items()}
FIRST_COLUMN = {name: lines[0].partition(",")[0] for name, lines in FILES.items()}
WIDE = "found {} rows below a wide header of {} fields; expected one row with as many names"


# ---- outcomes -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stops:
    """The run stops with an error that holds these words; ` … ` stands for any others."""

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
    make: Callable[[Path], Path | None]
    outcome: Stops | Quarantined | Read


# ---- corruptions --------------------------------------------------------------------------------


def write_files(folder: Path) -> Path:
    """Write the sound files."""
    folder.mkdir(parents=True)
    for name, lines in FILES.items():
        (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return folder


def edit(name: str, change: Callable[[bytes], bytes]):
    def make(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return make


def replace(name: str, old: str, new: str | bytes):
    new = new.encode() if isinstance(new, str) else new

    def change(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new, 1)

    return edit(name, change)


def append(name: str, *rows: str | bytes):
    more = b"".join((row.encode() if isinstance(row, str) else row) + b"\n" for row in rows)
    return edit(name, lambda content: content + more)


def columns(name: str, change: Callable[[list[str]], list[str]]):
    """Change the fields of every row; no value of the sound files but quoted names has a comma."""

    def change_all(content: bytes) -> bytes:
        lines = content.decode().splitlines()
        split = [re.findall(r'"(?:[^"]|"")*"|[^,]+|(?<=,)(?=,|$)', line) for line in lines]
        return "".join(",".join(change(fields)) + "\n" for fields in split).encode()

    return edit(name, change_all)


def instead(name: str, content: bytes | None):
    def make(folder: Path) -> None:
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)

    return make


def to_link(name: str):
    def make(folder: Path) -> None:
        (folder / name).rename(folder.parent / "elsewhere")
        (folder / name).symlink_to(folder.parent / "elsewhere")

    return make


def to_folder(name: str):
    def make(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return make


def to_both(name: str):
    def make(folder: Path) -> None:
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.write(folder / name, name)

    return make


def unreadable(name: str):
    def make(folder: Path) -> None:
        if os.geteuid() == 0:
            pytest.skip("root may read any file")
        (folder / name).chmod(0)

    return make


def zipped(change: Callable[[Path, Path], None] | None = None, inside: str = ""):
    """Put all files into one archive and change that."""

    def make(folder: Path) -> Path:
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
    zipped()(folder)


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


def cases_of_any_file(name: str) -> list[Case]:
    """What can befall each of the five files."""
    first, wide = FIRST_COLUMN[name], name == DEPARTMENTS
    header = FILES[name][0].split(",")
    others = ", ".join(header) if not wide else None
    is_customers = name == CUSTOMERS
    spoken = "" if is_customers else "; found "

    def missing(column: str) -> Stops:
        if wide:
            return Stops(f"{name}: column department_id is missing; expected it first, found ")
        return Stops(f"{name}: column {column} is missing; expected {others}{spoken}".rstrip())

    unreadable_header = Stops(
        f"{name}: the first line is not readable text; expected a UTF-8 CSV file with a header"
    )
    extra = (
        Stops(f"{name}: " + WIDE.format(1, 5))
        if wide
        else Stops(f"{name}: unexpected column colour; expected only {others}")
    )
    last = {
        PRODUCTS: (7, "expected 5 fields, found 4", "6,NA,9,12"),
        CUSTOMERS: (3, "expected 10 fields, found 9", "2,***,***,Male,***,18,12/31/2019,0,single"),
        ORDERS: (6, "expected 7 fields, found 6", "22,2,test,2,2,10"),
        LINES: (7, "expected 4 fields, found 3", "21,6,2"),
    }
    fewer = (
        Stops(f"{name}: " + WIDE.format(1, 4))
        if wide
        else Quarantined((last[name],))
        if name != CUSTOMERS
        else Quarantined(
            ((3, "expected 10 fields, found 9", "2,,***,Male,***,18,12/31/2019,0,single"),)
        )
    )
    semicolon = FILES[name][0].replace(",", ";")
    nul_row = {
        PRODUCTS: ("9,a\x00b,7,2,5.0", "product_name: holds a NUL byte"),
        CUSTOMERS: ("9,,,Female,Te\x00xas,40,1/1/2017,3,married,1", "STATE: holds a NUL byte"),
        ORDERS: (
            "14,1,train,4,0,0\x008,7.0",
            "order_hour_of_day: found '0\\x008', expected a whole number",
        ),
        LINES: ("21,1\x00,3,0", "product_id: found '1\\x00', expected a whole number"),
    }
    quote_row = {
        PRODUCTS: '9,"Cola,7,2,5.0',
        CUSTOMERS: '9,"Bo,Li,Male,Ohio,18,1/1/2017,0,single,1',
        ORDERS: '14,1,"train,4,0,08,7.0',
        LINES: '21,"1,3,0',
    }
    break_row = {
        PRODUCTS: '9,"Two\nlines",7,2,5.0',
        ORDERS: '14,1,"tra\nin",4,0,08,7.0',
        LINES: '21,"1\n",3,0',
        CUSTOMERS: '9,"B\no",Li,Male,Ohio,18,1/1/2017,0,single,1',
    }
    line = NEXT_LINE[name]
    unclosed = "not readable as CSV: unexpected end of data"
    shown_quote = {**quote_row, CUSTOMERS: "9,***,***,Male,***,18,1/1/2017,0,single,1"}
    found = [
        Case(
            name,
            "cut within its last row",
            edit(name, lambda content: content.rstrip(b"\n").rpartition(b",")[0]),
            fewer,
        ),
        Case(
            name,
            "cut after a comma of its last row",
            edit(name, lambda content: content.rstrip(b"\n").rpartition(b",")[0] + b","),
            {
                PRODUCTS: Quarantined(((7, "the file ends within this row", "6,NA,9,12,"),)),
                DEPARTMENTS: Stops("departments.csv, field 4: department: is missing"),
                CUSTOMERS: Quarantined(
                    (
                        (
                            3,
                            "the file ends within this row",
                            "2,,***,Male,***,18,12/31/2019,0,single,",
                        ),
                    )
                ),
                ORDERS: Quarantined(((6, "the file ends within this row", "22,2,test,2,2,10,"),)),
                LINES: Quarantined(((7, "reordered: is missing", "21,6,2,"),)),
            }[name],
        ),
        Case(
            name,
            "an extra column",
            edit(name, lambda content: content.replace(b"\n", b",colour\n", 1)),
            extra,
        ),
        Case(name, "a column less", columns(name, lambda fields: fields[1:]), missing(first)),
        Case(
            name,
            "its columns in another order",
            columns(name, lambda fields: fields[::-1]),
            missing(first) if wide else Read("the same tables as ever"),
        ),
        Case(name, "a column renamed", replace(name, first, "number"), missing(first)),
        Case(
            name,
            "a column twice",
            columns(name, lambda fields: [*fields, fields[0]]),
            Stops(f"{name}: column {first} stands 2 times in the header; expected it once"),
        ),
        Case(
            name,
            "semicolons for commas",
            edit(name, lambda content: content.replace(b",", b";")),
            missing(first)
            if is_customers
            else Stops(missing(first).words + semicolon[:20])
            if wide
            else Stops(missing(first).words + " " + semicolon[:20]),
        ),
        Case(
            name,
            "UTF-16",
            edit(name, lambda content: content.decode().encode("utf-16")),
            unreadable_header,
        ),
        Case(
            name,
            "UTF-16 without a byte order mark",
            edit(name, lambda content: content.decode().encode("utf-16-le")),
            unreadable_header,
        ),
        Case(
            name, "a byte order mark", edit(name, lambda content: b"\xef\xbb\xbf" + content), Read()
        ),
        Case(
            name,
            "line ends CR LF",
            edit(name, lambda content: content.replace(b"\n", b"\r\n")),
            Read(),
        ),
        Case(
            name,
            "line ends CR, as on old Macs",
            edit(name, lambda content: content.replace(b"\n", b"\r")),
            unreadable_header,
        ),
        Case(
            name, "no line end after its last row", edit(name, lambda content: content[:-1]), Read()
        ),
        Case(name, "blank lines", edit(name, lambda content: content + b"\n\n"), Read()),
        Case(
            name,
            "of no bytes",
            instead(name, b""),
            Stops(f"{name}: the file is empty; expected a header and rows"),
        ),
        Case(
            name,
            "a header and no rows",
            edit(name, lambda content: content[: content.index(b"\n") + 1]),
            Stops(
                f"{name}: "
                + (
                    WIDE.format(0, 4)
                    if wide
                    else "the file holds a header and no rows; expected rows"
                )
            ),
        ),
        Case(name, "not there", instead(name, None), Stops(f"{name} is missing; expected ")),
        Case(name, "a link to a file elsewhere", to_link(name), Read()),
        Case(
            name,
            "a folder of this name",
            to_folder(name),
            Stops(f"{name}: is a folder; expected the file {name}"),
        ),
        Case(
            name,
            "there twice, plain and zipped",
            to_both(name),
            Stops(f"holds both {name} and {name}.zip; expected one of them: take the other away"),
        ),
        Case(
            name,
            "not to be read by this user",
            unreadable(name),
            Stops(f"{name}: {name} cannot be unpacked or read ([Errno 13] Permission denied"),
        ),
        Case(
            name,
            "a first line of 100,000 bytes",
            instead(name, b"x" * 100_000),
            Stops(f"{name}: the first line is longer than 65,536 bytes; expected a UTF-8 CSV"),
        ),
        Case(
            name, "not text at all", instead(name, bytes(range(128, 256)) * 20), unreadable_header
        ),
    ]
    if wide:
        found += [
            Case(
                name,
                "a NUL byte in a name",
                replace(name, "frozen", "fro\x00zen"),
                Stops("departments.csv, field 2: department: holds a NUL byte"),
            ),
            Case(
                name,
                "a quote that is not closed",
                replace(name, "snacks", '"snacks'),
                Stops("departments.csv: not readable as CSV: unexpected end of data"),
            ),
            Case(
                name,
                "a line break within quotes",
                replace(name, "snacks", '"sna\ncks"'),
                Read(
                    "a department's name has two lines",
                    lambda run: (
                        run.table("raw_departments")["department"].tolist()[1] == "sna\ncks"
                    ),
                ),
            ),
        ]
    else:
        nul, rule = nul_row[name]
        text = nul if not is_customers else "9,,,Female,***,40,1/1/2017,3,married,1"
        halves = break_row[name].split("\n")
        found += [
            Case(
                name, "a NUL byte in a value", append(name, nul), Quarantined(((line, rule, text),))
            ),
            Case(
                name,
                "a quote that is not closed, then more rows",
                edit(
                    name,
                    lambda content: content.replace(
                        b"\n", b"\n" + quote_row[name].encode() + b"\n", 1
                    ),
                ),
                Quarantined(
                    (
                        (
                            2,
                            {PRODUCTS: "not readable as CSV: ',' expected after '\"'"}.get(
                                name, unclosed
                            ),
                            shown_quote[name],
                        ),
                    )
                ),
            ),
            Case(
                name,
                "a line break within quotes",
                append(name, break_row[name]),
                Read(
                    "a value has two lines, the rows after it keep their place",
                    lambda run: len(run.table(TABLE[name])) == len(FILES[name]),
                )
                if name in (PRODUCTS, CUSTOMERS)
                else Quarantined(
                    (
                        (line, unclosed, halves[0]),
                        (
                            line + 1,
                            unclosed if name == LINES else "expected 7 fields, found 5",
                            halves[1],
                        ),
                    )
                ),
            ),
        ]
    return found


def bad_rows(name: str, *rows: tuple[str, str, str]) -> list[Case]:
    """Cases of a row at the end of a file: (in words, the row, the rule that it breaks)."""

    def shown(row: str) -> str:
        if name != CUSTOMERS:
            return row[:32_000]
        allowed = ["Female", "Male", "married", "single"]
        return ",".join(
            "***" if any(map(str.isalpha, value)) and value not in allowed else value
            for value in row.split(",")
        )

    line = NEXT_LINE[name]
    return [
        Case(name, words, append(name, row), Quarantined(((line, rule, shown(row)),)))
        for words, row, rule in rows
    ]


def named(words: str, name: str, shown: str | None = None) -> Case:
    """A product of a name that is dangerous elsewhere and harmless here."""
    quoted = '"' + name.replace('"', '""') + '"'
    return Case(
        PRODUCTS,
        f"a product called {words}",
        append(PRODUCTS, f"9,{quoted},7,2,5.0"),
        Read(
            "under this name, as text",
            lambda run: run.table("raw_products")["product_name"].tolist()[-1] == name,
        ),
    )


PEOPLE = "Bo,Li,Male,Ohio,18,1/1/2017,0,single,1"
NOT_POSITIVE = "found {}, expected 1 or more"
TOO_LARGE = "found {}, expected 2147483647 or less"
NO_WHOLE = "found {!r}, expected a whole number"


def ids(name: str, column: str, row: str) -> list[Case]:
    """Ids that are none."""
    return bad_rows(
        name,
        *(
            (f"{column} {words}", row.format(value), f"{column}: {rule.format(value)}")
            for words, value, rule in (
                ("negative", "-1", NOT_POSITIVE),
                ("zero", "0", NOT_POSITIVE),
                ("huge", "99999999999", TOO_LARGE),
                ("of 400 digits", "9" * 400, "found " + "9" * 40 + ", expected 2147483647 or less"),
                ("decimal", "9.0", NO_WHOLE),
                ("hexadecimal", "0x1F", NO_WHOLE),
                ("with a space", " 9", NO_WHOLE),
                ("in Arabic digits", "٩", NO_WHOLE),
            )
            if not (name == CUSTOMERS and words in ("hexadecimal", "in Arabic digits"))
        ),
    )


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


CASES = [
    *(case for name in ALL for case in cases_of_any_file(name)),
    # -- products
    *ids(PRODUCTS, "product_id", "{},Cola,7,2,5.0"),
    *bad_rows(
        PRODUCTS,
        ("a negative price", "9,Cola,7,2,-1", "prices: found -1, expected 0 or more"),
        ("a price of nan", "9,Cola,7,2,nan", "prices: found 'nan', expected a number"),
        ("a price of inf", "9,Cola,7,2,inf", "prices: found 'inf', expected a number"),
        ("a price in words", "9,Cola,7,2,free", "prices: found 'free', expected a number"),
        ("a price with a comma", "9,Cola,7,2,5,0", "expected 5 fields, found 6"),
        ("a price of two million", "9,Cola,7,2,2e6", "prices: found 2e6, expected 1000000 or less"),
        (
            "an aisle of 40,000",
            "9,Cola,40000,2,5.0",
            "aisle_id: found 40000, expected 32767 or less",
        ),
        (
            "a name of 33,000 characters",
            f"9,{'x' * 33_000},7,2,5.0",
            "product_name: 33,000 characters, expected at most 32,000",
        ),
        (
            "a name of 17,000 emoji, which a spreadsheet counts twice",
            f"9,{'🍌' * 17_000},7,2,5.0",
            "product_name: 34,000 characters, expected at most 32,000",
        ),
        (
            "text after a closing quote",
            '9,"Co"la,7,2,5.0',
            "not readable as CSV: ',' expected after '\"'",
        ),
    ),
    Case(
        PRODUCTS,
        "a name in Latin-1",
        append(PRODUCTS, b"9,Caf\xe9,7,2,5.0"),
        Quarantined(((8, "product_name: is not UTF-8", "9,Caf?,7,2,5.0"),)),
    ),
    Case(
        PRODUCTS,
        "an unclosed quote whose text the next quote would end",
        edit(PRODUCTS, lambda content: content.replace(b"\n2,", b'\n9,"Cola,7,2,5.0\n2,', 1)),
        Quarantined(((3, "not readable as CSV: ',' expected after '\"'", '9,"Cola,7,2,5.0'),)),
    ),
    Case(
        PRODUCTS,
        "a price of 14,900 dollars",
        edit(PRODUCTS, lambda content: content),
        Read(
            "the price is set missing (D-06), the product stays",
            lambda run: run.table("products").set_index("product_id")["price_cents"].isna()[4],
            after="02_clean",
        ),
    ),
    Case(
        PRODUCTS,
        "a price left empty",
        append(PRODUCTS, "9,Cola,7,2,"),
        Read(
            "the price is missing",
            lambda run: bool(
                run.table("raw_products")["prices"].isna().tolist() == [False] * 6 + [True]
            ),
        ),
    ),
    Case(
        PRODUCTS,
        "a quote within a name",
        append(PRODUCTS, '9,5" pizza,7,2,5.0'),
        Read(
            "under this name, as text",
            lambda run: run.table("raw_products")["product_name"].tolist()[-1] == '5" pizza',
        ),
    ),
    *(
        named(f"`{name}`", name)
        for name in (
            "None",
            "NA",
            "null",
            "nan",
            "#N/A",
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "=HYPERLINK(0)",
            "'quoted'",
            "<script>alert(1)</script>",
            "../../etc/passwd",
            "$5 and $10",
        )
    ),
    named("`🍌 banana`", "🍌 banana"),
    named("an Arabic word, written from right to left", "\u202eموز"),
    named("a bell and an escape character", "be\x07ll \x1b[31m"),
    named("a name of 32,000 characters", "x" * 32_000),
    Case(
        PRODUCTS,
        "a row twice",
        append(PRODUCTS, "6,NA,9,12,8.2"),
        Read(
            "the second is removed and counted in stage 02",
            lambda run: rows_out(run, "products", "drop exact duplicates") == (1, 6),
            after="02_clean",
        ),
    ),
    Case(
        PRODUCTS,
        "an id on two products, the one before it absent",
        append(PRODUCTS, "9,Cola,7,2,5.0", "9,Rum,7,2,5.0"),
        Read(
            "the first takes the absent id (D-04)",
            lambda run: run.table("products")["product_id"].tolist() == [1, 2, 3, 4, 5, 6, 8, 9],
            after="02_clean",
        ),
    ),
    Case(
        PRODUCTS,
        "an id on two products, the one before it there",
        append(PRODUCTS, "6,Cola,7,2,5.0"),
        Stops(
            "products.csv: column product_id: 6 stands on several products; expected each id "
            "once, or the id before it to be absent"
        ),
    ),
    Case(
        PRODUCTS,
        "a department that departments.csv lacks",
        append(PRODUCTS, "9,Cola,7,99,5.0"),
        Stops(
            "products.csv: column department_id: 99 of product 9 is not in departments.csv; "
            "expected one of its ids"
        ),
    ),
    # -- departments
    Case(
        DEPARTMENTS,
        "an id that is no number",
        replace(DEPARTMENTS, ",2,", ",two,"),
        Stops("departments.csv, field 3: department_id: found 'two', expected a whole number"),
    ),
    Case(
        DEPARTMENTS,
        "a negative id",
        replace(DEPARTMENTS, ",2,", ",-2,"),
        Stops("departments.csv, field 3: department_id: found -2, expected 1 or more"),
    ),
    Case(
        DEPARTMENTS,
        "an id twice",
        replace(DEPARTMENTS, ",2,", ",1,"),
        Stops("departments.csv: column 1 stands 2 times in the header; expected it once"),
    ),
    Case(
        DEPARTMENTS,
        "long, an id twice",
        instead(DEPARTMENTS, b"department_id,department\n1,frozen\n1,snacks\n"),
        Stops("departments.csv: department_id 1 stands on several departments; expected each o"),
    ),
    Case(
        DEPARTMENTS,
        "a name twice",
        replace(DEPARTMENTS, "snacks", "frozen"),
        Stops("departments.csv: department frozen stands on several departments; expected each"),
    ),
    Case(
        DEPARTMENTS,
        "a name in Latin-1",
        replace(DEPARTMENTS, "snacks", b"caf\xe9"),
        Stops("departments.csv, field 3: department: is not UTF-8"),
    ),
    Case(
        DEPARTMENTS,
        "a department less, which products are in",
        edit(DEPARTMENTS, lambda _: b"department_id,1,2\ndepartment,frozen,snacks\n"),
        Stops("products.csv: column department_id: 12 of product 5 is not in departments.csv"),
    ),
    # -- customers
    *ids(CUSTOMERS, "user_id", "{}," + PEOPLE),
    *bad_rows(
        CUSTOMERS,
        (
            "30 February",
            "9,Bo,Li,Male,Ohio,18,2/30/2019,0,single,1",
            "date_joined: found '2/30/2019', expected month/day/year",
        ),
        (
            "a date written 2019-01-31",
            "9,Bo,Li,Male,Ohio,18,2019-01-31,0,single,1",
            "date_joined: found '2019-01-31', expected month/day/year",
        ),
        (
            "a date in the year 20177",
            "9,Bo,Li,Male,Ohio,18,1/1/20177,0,single,1",
            "date_joined: found '1/1/20177', expected month/day/year",
        ),
        (
            "an age of -1",
            "9,Bo,Li,Male,Ohio,-1,1/1/2017,0,single,1",
            "Age: found -1, expected 0 or more",
        ),
        (
            "an age of 121",
            "9,Bo,Li,Male,Ohio,121,1/1/2017,0,single,1",
            "Age: found 121, expected 120 or less",
        ),
        (
            "an age of 40.5",
            "9,Bo,Li,Male,Ohio,40.5,1/1/2017,0,single,1",
            "Age: found '40.5', expected a whole number",
        ),
        ("an age left empty", "9,Bo,Li,Male,Ohio,,1/1/2017,0,single,1", "Age: is missing"),
        (
            "-1 dependants",
            "9,Bo,Li,Male,Ohio,18,1/1/2017,-1,single,1",
            "n_dependants: found -1, expected 0 or more",
        ),
        (
            "51 dependants",
            "9,Bo,Li,Male,Ohio,18,1/1/2017,51,single,1",
            "n_dependants: found 51, expected 50 or less",
        ),
        (
            "another gender",
            "9,Bo,Li,Unknown,Ohio,18,1/1/2017,0,single,1",
            "Gender: found '***', expected one of Female, Male",
        ),
        (
            "another family status",
            "9,Bo,Li,Male,Ohio,18,1/1/2017,0,engaged,1",
            "fam_status: found '***', expected one of married, single, divorced/widowed, "
            "living with "
            "parents and siblings",
        ),
        (
            "a negative income",
            "9,Bo,Li,Male,Ohio,18,1/1/2017,0,single,-1",
            "income: found -1, expected 0 or more",
        ),
        (
            "a name with a comma, not quoted",
            "9,Bo,Li, Jr.,Male,Ohio,18,1/1/2017,0,single,1",
            "expected 10 fields, found 11",
        ),
    ),
    Case(
        CUSTOMERS,
        "names in Latin-1",
        replace(CUSTOMERS, "Ann", "José".encode("latin-1")),
        Read("names are not read"),
    ),
    Case(
        CUSTOMERS,
        "a state that is none",
        replace(CUSTOMERS, "Ohio", "Atlantis"),
        Read(
            "the customer's region is (missing)",
            lambda run: (
                run.table("analysis_customers").set_index("user_id")["region"][2] == "(missing)"
            ),
            after="04_derive_flags",
        ),
    ),
    Case(
        CUSTOMERS,
        "a customer twice",
        append(CUSTOMERS, FILES[CUSTOMERS][1]),
        Stops(
            "customers.csv, line 4: column user_id: this customer stands on line 2 already, and "
            "0 other ids stand on several rows, too; expected each once: correct the file"
        ),
    ),
    Case(
        CUSTOMERS,
        "a customer without orders",
        append(CUSTOMERS, "9," + PEOPLE),
        Read(
            "the customer has no line and is in no count",
            lambda run: run.table("analysis_customers")["user_id"].tolist() == [1, 2],
            after="04_derive_flags",
        ),
    ),
    Case(
        CUSTOMERS,
        "a customer who ordered is not there",
        edit(CUSTOMERS, lambda content: content.rpartition(b"2,,Ng")[0]),
        Stops(
            "column user_id: the customer of order 21 is not in customers.csv (and the same "
            "for 1 lines more)"
        ),
    ),
    # -- orders
    *ids(ORDERS, "order_id", "{},1,train,4,0,08,7.0"),
    *ids(ORDERS, "user_id", "14,{},train,4,0,08,7.0"),
    *bad_rows(
        ORDERS,
        ("day 7", "14,1,train,4,7,08,7.0", "order_dow: found 7, expected 6 or less"),
        ("day -1", "14,1,train,4,-1,08,7.0", "order_dow: found -1, expected 0 or more"),
        (
            "a day by name",
            "14,1,train,4,Monday,08,7.0",
            "order_dow: found 'Monday', expected a whole number",
        ),
        ("hour 24", "14,1,train,4,0,24,7.0", "order_hour_of_day: found 24, expected 23 or less"),
        (
            "hour 08:00",
            "14,1,train,4,0,08:00,7.0",
            "order_hour_of_day: found '08:00', expected a whole number",
        ),
        (
            "a gap of 31 days",
            "14,1,train,4,0,08,31.0",
            "days_since_prior_order: found 31.0, expected 30 or less",
        ),
        (
            "a gap of -1 day",
            "14,1,train,4,0,08,-1.0",
            "days_since_prior_order: found -1.0, expected 0 or more",
        ),
        (
            "a gap of 2.5 days",
            "14,1,train,4,0,08,2.5",
            "days_since_prior_order: found '2.5', expected a whole number",
        ),
        ("order number 0", "14,1,train,0,0,08,7.0", "order_number: found 0, expected 1 or more"),
        (
            "order number 40,000",
            "14,1,train,40000,0,08,7.0",
            "order_number: found 40000, expected 32767 or less",
        ),
        (
            "another eval_set",
            "14,1,later,4,0,08,7.0",
            "eval_set: found 'later', expected one of prior, train, test",
        ),
        ("a customer left empty", "14,,train,4,0,08,7.0", "user_id: is missing"),
    ),
    Case(
        ORDERS,
        "eval_set in Latin-1",
        append(ORDERS, b"14,1,pri\xf3r,4,0,08,7.0"),
        Quarantined(((7, "eval_set: is not UTF-8", "14,1,pri?r,4,0,08,7.0"),)),
    ),
    Case(
        ORDERS,
        "all values quoted",
        columns(ORDERS, lambda fields: [f'"{f}"' for f in fields]),
        Read(),
    ),
    Case(
        ORDERS,
        "an order twice",
        append(ORDERS, FILES[ORDERS][1]),
        Stops(
            "orders.csv, line 7: column order_id: 11 stands on line 2 already, and 0 other ids "
            "stand on several rows, too; expected each once: correct the file"
        ),
    ),
    Case(
        ORDERS,
        "a customer's order number twice",
        append(ORDERS, "14,1,train,3,0,08,7.0"),
        Stops(
            "orders.csv: column order_number: the orders 13 and 14 are of one customer and both "
            "have number 3; expected a number once for each customer: correct the file"
        ),
    ),
    Case(
        ORDERS,
        "an order without lines",
        append(ORDERS, "14,1,prior,4,0,08,7.0"),
        Read(
            "the order is in no count (D-07)",
            lambda run: run.table("analysis_orders")["order_id"].tolist() == [11, 12, 21],
            after="04_derive_flags",
        ),
    ),
    Case(
        ORDERS,
        "an order with lines is not there",
        edit(ORDERS, lambda content: content.replace(b"21,2,prior,1,3,00,\n", b"")),
        Stops(
            "orders_products_prior.csv: column order_id: 21 is not in orders.csv among the "
            "prior orders (and the same for 1 lines more), or its row there is in quarantine; "
            "expected every line to match: correct the files, or run RULES=course"
        ),
    ),
    Case(
        ORDERS,
        "the same, RULES=course",
        edit(ORDERS, lambda content: content.replace(b"21,2,prior,1,3,00,\n", b"")),
        Read(
            "its lines are removed and counted",
            lambda run: rows_out(run, "merged", "merge") == (2, 4),
            "course",
            "03_merge",
        ),
    ),
    Case(
        ORDERS,
        "a bad row of an order with lines",
        replace(ORDERS, "21,2,prior,1,3,", "21,2,prior,1,9,"),
        Stops(
            "column order_id: 21 is not in orders.csv among the prior orders (and the same for "
            "1 lines more), or its row there is in quarantine"
        ),
    ),
    # -- order lines
    *ids(LINES, "order_id", "{},1,3,0"),
    *ids(LINES, "product_id", "21,{},3,0"),
    *bad_rows(
        LINES,
        ("position 0", "21,1,0,0", "add_to_cart_order: found 0, expected 1 or more"),
        (
            "position 32,768",
            "21,1,32768,0",
            "add_to_cart_order: found 32768, expected 32767 or less",
        ),
        ("reordered 2", "21,1,3,2", "reordered: found 2, expected 1 or less"),
        ("reordered True", "21,1,3,True", "reordered: found 'True', expected a whole number"),
        (
            "digits after a closing quote",
            '21,"1"2,3,0',
            "not readable as CSV: ',' expected after '\"'",
        ),
        ("a line of words", "total: 6 lines", "expected 4 fields, found 1"),
        ("a line twice", "21,6,2,0", "repeats line 7: order_id 21 has this product already"),
    ),
    Case(
        LINES,
        "a line three times, in places far apart",
        edit(LINES, lambda content: content.replace(b"\n", b"\n12,5,2,0\n", 1) + b"12,5,2,0\n"),
        Quarantined(
            (
                (6, "repeats line 2: order_id 12 has this product already", "12,5,2,0"),
                (9, "repeats line 2: order_id 12 has this product already", "12,5,2,0"),
            )
        ),
    ),
    Case(
        LINES,
        "a product twice in an order, at two positions",
        append(LINES, "21,6,3,0"),
        Stops(
            "orders_products_prior.csv, line 8: product_id 6 stands in order_id 21 on line 7 "
            "already, with other values; expected each product once in an order: correct the"
        ),
    ),
    Case(
        LINES,
        "the file appended to itself",
        edit(LINES, lambda content: content + content.partition(b"\n")[2] * 2),
        Stops(
            "orders_products_prior.csv, line 8: repeats line 2: order_id 11 has this product "
            "already; 12 of 18 rows are bad, more than max_quarantined_share (0.5)"
        ),
    ),
    Case(
        LINES,
        "a header in its middle",
        append(LINES, FILES[LINES][0]),
        Quarantined(((8, "order_id: found 'order_id', expected a whole number", FILES[LINES][0]),)),
    ),
    Case(
        LINES,
        "a product that products.csv lacks",
        append(LINES, "21,77,3,0"),
        Stops(
            "orders_products_prior.csv: column product_id: 77 is not in products.csv (and the "
            "same for 0 lines more)"
        ),
    ),
    Case(
        LINES,
        "the same, RULES=course",
        append(LINES, "21,77,3,0"),
        Read(
            "the line is removed and counted, with that of the nameless product",
            lambda run: rows_out(run, "merged", "merge") == (2, 5),
            "course",
            "03_merge",
        ),
    ),
    Case(
        LINES,
        "a line of a train order",
        append(LINES, "13,1,1,0"),
        Stops("column order_id: 13 is not in orders.csv among the prior orders"),
    ),
    Case(
        LINES,
        "its rows in another order",
        edit(
            LINES,
            lambda content: b"\n".join(
                [content.split(b"\n")[0], *content.split(b"\n")[-2:0:-1], b""]
            ),
        ),
        Read(
            "the same rows",
            lambda run: sorted(run.table("raw_lines")["product_id"]) == [1, 1, 2, 3, 5, 6],
        ),
    ),
    # -- the whole delivery
    Case(
        "the folder",
        "not there",
        lambda folder: folder / "nowhere",
        Stops("nowhere: does not exist; expected a folder or zip file with the raw data"),
    ),
    Case(
        "the folder",
        "empty",
        lambda folder: shutil.rmtree(folder) or folder.mkdir(),
        Stops("orders_products_prior.csv is missing; expected the course's files (products.csv"),
    ),
    Case(
        "the folder",
        "the order lines of both layouts",
        lambda folder: shutil.copy(folder / LINES, folder / "order_products__prior.csv") and None,
        Stops(
            "holds both orders_products_prior.csv and order_products__prior.csv; expected the "
            "order lines of one layout"
        ),
    ),
    Case(
        "the folder",
        "a CSV file in its place",
        lambda folder: folder / ORDERS,
        Stops("orders.csv: is not a readable zip file (File is not a zip file)"),
    ),
    Case("the archive", "sound", zipped(), Read()),
    Case("the archive", "cut", zipped(cut), Stops("data.zip: is not a readable zip file")),
    Case(
        "the archive",
        "its bytes damaged",
        zipped(damage),
        Stops("data.zip: orders.csv cannot be unpacked or read … expected a whole file"),
    ),
    Case(
        "the archive",
        "protected by a password",
        zipped(protect),
        Stops("is protected by a password; expected a plain zip file"),
    ),
    Case(
        "the archive",
        "a bomb",
        zipped(inflate),
        Stops(
            "data.zip: orders.csv would unpack to 20,000,000 bytes, more than 200 times its "
            "packed size; refused"
        ),
    ),
    Case(
        "the archive",
        "a bomb in an archive within it",
        zipped(inflate_within),
        Stops("data.zip: orders.csv would unpack to 20,000,000 bytes, more than 200 times"),
    ),
    Case(
        "the archive",
        "says that a file is shorter than it is",
        zipped(understate),
        Stops("data.zip: orders.csv cannot be unpacked or read (Bad CRC-32"),
    ),
    Case(
        "the archive",
        "paths that lead out of it",
        zipped(inside="../../../"),
        Read("nothing is unpacked to a path of the archive"),
    ),
    Case(
        "the archive",
        "absolute paths",
        zipped(inside="/tmp/"),
        Read("nothing is unpacked to a path of the archive"),
    ),
    Case(
        "the archive",
        "a file twice",
        zipped(twice),
        Stops("holds orders.csv twice (orders.csv and older/orders.csv); expected it once"),
    ),
    Case(
        "the archive",
        "a file less",
        zipped(only_some),
        Stops("data.zip: orders.csv is missing; expected products.csv, departments.csv"),
    ),
]


# ---- what is documented happens -----------------------------------------------------------------


@pytest.fixture(scope="module")
def loose(tmp_path_factory) -> Path:
    """Settings that allow half of the rows to be bad."""
    return write_settings(tmp_path_factory.mktemp("settings") / "settings.yml", LOOSE)


@pytest.fixture(scope="module")
def sound(tmp_path_factory, loose) -> dict[str, str]:
    """The hashes of the tables of the sound files."""
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
    data = case.make(folder) or folder
    out = tmp_path / "out"
    if isinstance(case.outcome, Stops):
        with pytest.raises(BasketError) as error:
            run = imported(data, out, loose, case.outcome.rules)
            clean_stage(run)
            merge_stage(run)
        assert_holds(str(error.value), case.outcome.words)
        assert "\n" not in str(error.value) and "Ann" not in str(error.value)
        assert not list(out.rglob("merged")) or ".building" in str(list(out.rglob("merged")))
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
    data, out = case.make(folder) or folder, tmp_path / "out"
    Folders(out).client.mkdir(parents=True)
    Folders(out).report.write_text("an earlier report", encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from basket.command import main; main()",
            "report",
            "--data",
            str(data),
            "--out",
            str(out),
            "--settings",
            str(loose),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
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


def test_each_corruption_stands_once():
    titles = [(case.file, case.corruption) for case in CASES]
    assert len(set(titles)) == len(titles) >= 60


if __name__ == "__main__":
    print("\n".join(table_rows()))
