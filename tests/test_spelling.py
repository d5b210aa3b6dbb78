"""Other spellings of a whole column are read and recorded; what could mean two things stops."""

import time
from pathlib import Path

import pandas as pd
import pytest

from basket.prepare import spelling
from basket.prepare.raw_files import find
from basket.prepare.read_csv import advice, department_rows
from basket.project.errors import BasketError, DataError
from conftest import Run, hashes, imported, write_settings
from test_import import COURSE, CUSTOMERS, KAGGLE, LIMITS, LINES, ORDERS, PRODUCTS, write

LONG = KAGGLE["departments.csv"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> dict[str, str]:
    """Give the hashes of the tables of the sound files."""
    folder = tmp_path_factory.mktemp("sound")
    return hashes(imported(write(folder / "data"), folder / "out"))


def column(lines: list[str], name: str, change) -> list[str]:
    """Change the values of one column; no value before it holds a comma."""
    place = lines[0].split(",").index(name)
    rows = [line.split(",") for line in lines[1:]]
    for row in rows:
        row[place] = change(row[place])
    return [lines[0], *map(",".join, rows)]


def last(lines: list[str], change) -> list[str]:
    """Change the last value of every row."""
    rows = [line.rpartition(",") for line in lines[1:]]
    return [lines[0], *(f"{before},{change(value)}" for before, _, value in rows)]


def numbered(lines: list[str], first: int = 0, name: str = "") -> list[str]:
    """Number the rows, as pandas' to_csv does."""
    return [f"{name},{lines[0]}", *(f"{n},{row}" for n, row in enumerate(lines[1:], first))]


def iso(value: str) -> str:
    return pd.to_datetime(value).date().isoformat()


def missing_as(token: str):
    return lambda value: value or token


def with_zero(value: str) -> str:
    return f"{value}.0" if value else value


QUOTED = [f'"{line}"'.replace(",", '","') for line in ORDERS]  # as R writes
FREQUENT = "days_since_prior_order"
READ = {  # the file, its lines, and what the step of wrangling says
    "row numbers of pandas": ("orders", numbered(ORDERS), "a column without a name"),
    "row numbers of R": (
        "orders",
        [f'"",{QUOTED[0]}', *(f'"{n}",{row}' for n, row in enumerate(QUOTED[1:], 1))],
        "a column without a name",
    ),
    "row numbers read back by pandas": (
        "products",
        numbered(PRODUCTS, name="Unnamed: 0"),
        "a column without a name",
    ),
    "row numbers of a table whose index was reset": (
        "orders",
        numbered(ORDERS, name="index"),
        "a column without a name",
    ),
    "True and False for 1 and 0": (
        "orders_products_prior",
        last(LINES, lambda value: {"1": "True", "0": "False"}[value]),
        "reordered: True, False → 1, 0",
    ),
    "row numbers twice": (
        "orders_products_prior",
        numbered(numbered(LINES), name="Unnamed: 0.1"),
        "a column without a name",
    ),
    "row numbers of customers": ("customers", numbered(CUSTOMERS, 1), "a column without a name"),
    **{
        f"{token} for a missing gap": (
            "orders",
            last(ORDERS, missing_as(token)),
            f"{FREQUENT}: {token} → missing",
        )
        for token in ("NA", "NULL", "\\N", "nan", "NaN", "None", "-", "?")
    },
    "61.0 for 61": ("orders", column(ORDERS, "order_number", with_zero), "order_number: 61.0 → 61"),
    "ids as 1.0": ("orders_products_prior", column(LINES, "order_id", with_zero), "order_id: 61.0"),
    "ages as 40.0": ("customers", column(CUSTOMERS, "Age", with_zero), "Age: 61.0 → 61"),
    "ISO dates": (
        "customers",
        column(CUSTOMERS, "date_joined", iso),
        "date_joined: year-month-day → date",
    ),
    "ISO dates with a time": (
        "customers",
        column(CUSTOMERS, "date_joined", lambda value: iso(value) + " 00:00:00"),
        "date_joined: year-month-day → date",
    ),
    "thousands with commas": (
        "customers",
        last(CUSTOMERS, lambda value: f'"{int(value):,}"'),
        "income: 1,234 → 1234",
    ),
    "thousands with spaces": (
        "customers",
        last(CUSTOMERS, lambda value: f"{int(value):,}".replace(",", " ")),
        "income: 1 234 → 1234",
    ),
    "prices with thousands": (
        "products",
        last(PRODUCTS, lambda value: f'"{float(value):,}"'),
        "prices: 1,234 → 1234",
    ),
    "names in capitals": (
        "orders",
        [ORDERS[0].upper(), *ORDERS[1:]],
        "ORDER_ID → order_id, USER_ID",
    ),
    "names with spaces": (
        "products",
        [PRODUCTS[0].replace(",", ", "), *PRODUCTS[1:]],
        "product_name",
    ),
    "all of it at once": (
        "orders",
        numbered(column(last(ORDERS, missing_as("NA")), "user_id", with_zero)),
        "user_id: 61.0 → 61",
    ),
}


def steps(run: Run) -> list[str]:
    """What the import recorded as changed."""
    rows = run.record("01_import")["wrangling"]
    kinds = ("dropped", "renamed", "type_changed")
    return [row[kind] for row in rows for kind in kinds if row[kind]]


@pytest.mark.parametrize("case", list(READ))
def test_a_spelling_of_a_whole_column_is_read_and_recorded(tmp_path, sound, case):
    name, lines, said = READ[case]
    run = imported(write(tmp_path / "data", **{name: lines}), tmp_path / "out")
    assert hashes(run) == sound
    assert any(step.startswith(said) for step in steps(run)), steps(run)


def test_files_without_a_line_end_are_read_alike(tmp_path, sound):
    data = write(tmp_path / "data", orders=last(ORDERS, missing_as("NA")), newline="\r\n")
    path = data / "orders.csv"
    path.write_bytes(path.read_bytes()[:-2])
    assert hashes(imported(data, tmp_path / "out")) == sound


SHAPES = {
    "numbered by pandas, wide": [
        ",department_id,1,2,12",
        "0,department,frozen,snacks,meat seafood",
    ],
    "numbered by pandas, long": numbered(LONG),
    "transposed, no name of the ids": [LONG[0].removeprefix("department_id"), *LONG[1:]],
    "transposed, the header in a row": [",0", "department_id,department", *LONG[1:]],
}


@pytest.mark.parametrize("case", list(SHAPES))
@pytest.mark.parametrize("name", ["departments.csv", "departments_wrangled.csv"])
def test_departments_come_in_several_shapes(tmp_path, sound, case, name):
    data = write(tmp_path / "data", COURSE | {"departments.csv": None, name: SHAPES[case]})
    run = imported(data, tmp_path / "out")
    assert hashes(run) == sound
    assert any(row["table"] == "raw_departments" for row in run.record("01_import")["wrangling"])


def test_windows_1252_is_read_where_no_line_is_utf_8(tmp_path):
    rows = ["7,Crème brûlée,7,2,5.0", "8,Jalapeño’s,7,2,5.0", "9,Plain,7,2,5.0"]
    text = "".join(f"{line}\n" for line in [*PRODUCTS, *rows])
    files = {"cp1252": text.encode("cp1252"), "utf": text.encode()}
    runs = {}
    for name, content in files.items():
        data = write(tmp_path / name, COURSE | {"products.csv": content})
        runs[name] = imported(data, tmp_path / f"{name}_out")
    assert hashes(runs["cp1252"]) == hashes(runs["utf"])
    assert "text: Windows-1252 → UTF-8" in steps(runs["cp1252"])


def test_a_department_of_windows_1252_may_have_a_line_break(tmp_path):
    text = 'department_id,department\n1,"Crème\nfraîche"\n2,bulk\n'
    read = []
    for encoding in ("utf-8", "cp1252"):
        files = COURSE | {"departments.csv": text.encode(encoding)}
        data = find(write(tmp_path / encoding, files), LIMITS)
        read.append(department_rows(data.files["raw_departments"]))
    assert read[0] == read[1]
    assert read[0][0][1] == ["1", "Crème\nfraîche"]


def test_a_file_of_mixed_encodings_is_not_guessed(tmp_path):
    rows = [b"7,Cr\xe8me,7,2,5.0", b"8,Caf\xe9,7,2,5.0", "9,Jalapeño,7,2,5.0".encode()]
    content = b"".join(line.encode() + b"\n" for line in PRODUCTS) + b"\n".join(rows)
    data = write(tmp_path / "data", COURSE | {"products.csv": content})
    with pytest.raises(DataError, match=r"product_name: is not UTF-8; .*: save it as CSV UTF-8"):
        imported(data, tmp_path / "out")


LIMIT = "max_quarantined_share (0.001)"
PLAIN = "write plain numbers: no words, and no signs of money or between thousands"
STOPS = {  # what could mean two things, or what one row alone has
    "day or month first": (
        "customers",
        column(CUSTOMERS, "date_joined", lambda _: "31/1/2018"),
        f"found '31/1/2018', expected month/day/year; 2 of 2 rows are bad, "
        f"more than {LIMIT}: the whole column is "
        "written in another way; write the dates as month/day/year or year-month-day",
    ),
    "two ways of writing dates": (
        "customers",
        [*column(CUSTOMERS, "date_joined", iso), CUSTOMERS[1].replace("1,", "3,", 1)],
        f"2 of 3 rows are bad, more than {LIMIT}: much of the column is written in another way",
    ),
    "prices with commas that may be points": (
        "products",
        last(PRODUCTS, lambda value: '"1,234"'),
        f"prices: found '1,234', expected a number; 6 of 6 rows are bad, "
        f"more than {LIMIT}: the whole column is "
        f"written in another way; {PLAIN}",
    ),
    "NA where nothing may be missing": (
        "orders",
        column(ORDERS, "order_number", lambda _: "NA"),
        "order_number: found 'NA', expected a whole number",
    ),
    "numbers in words": (
        "orders",
        column(ORDERS, "order_dow", lambda _: "Monday"),
        f"order_dow: found '***', expected a whole number; 5 of 5 rows are bad, "
        f"more than {LIMIT}: the whole column is written in another way; {PLAIN}",
    ),
    "sums with a sign of money": (
        "customers",
        last(CUSTOMERS, lambda value: f"${value}"),
        f"2 of 2 rows are bad, more than {LIMIT}: the whole column is written in another way; "
        f"{PLAIN}",
    ),
}


@pytest.mark.parametrize("case", list(STOPS))
def test_what_may_mean_two_things_stops_with_advice_that_fits(tmp_path, case):
    name, lines, said = STOPS[case]
    with pytest.raises(BasketError) as error:
        imported(write(tmp_path / "data", **{name: lines}), tmp_path / "out")
    assert said in str(error.value) and "\n" not in str(error.value)
    assert "raise that limit" not in str(error.value)


def test_few_rows_beyond_a_limit_are_not_dropped_by_advice():
    """Days that count from 1, where few orders fall on the seventh."""
    said = advice("order_dow: found 7, expected 6 or less", 80, 1000)
    assert said.startswith("correct the file, also where it counts from 1 or in another unit; ")
    assert said.endswith("would drop these rows")
    said = advice("expected 7 fields, found 6", 80, 1000)
    assert said == "correct the file or raise that limit in settings.yml"


def test_rows_that_number_nothing_are_named(tmp_path):
    lines = [f",{ORDERS[0]}", *(f"{n},{row}" for n, row in zip("31952", ORDERS[1:], strict=True))]
    with pytest.raises(DataError, match=r"unexpected column \(without a name\).*index=False"):
        find(write(tmp_path / "data", orders=lines), LIMITS)


def test_a_value_that_does_not_agree_goes_to_quarantine(tmp_path):
    loose = write_settings(tmp_path / "settings.yml", {"limits.max_quarantined_share": 0.5})
    sound = numbered(column(ORDERS, "order_number", with_zero))
    lines = [*sound, "5,14,1,train,x,0,08,7.0", "6,15"]
    run = imported(write(tmp_path / "data", orders=lines), tmp_path / "out", loose)
    bad = pd.read_parquet(run.folders.prepared / "quarantine" / "raw_orders.parquet")
    assert bad["line"].tolist() == [7, 8]
    assert bad["rule"].tolist() == [
        "order_number: found '***', expected a whole number",
        "expected 7 fields, found 2",
    ]


def test_a_large_file_is_respelled_slice_by_slice(tmp_path, monkeypatch):
    rows = [f"{n},{n % 50 + 1}.0,prior,{n // 50 + 1},{n % 7},08,NA" for n in range(1, 3001)]
    plain = [row.replace(".0,", ",").replace("NA", "") for row in rows]
    expected = imported(write(tmp_path / "a", orders=[ORDERS[0], *plain]), tmp_path / "a_out")
    monkeypatch.setattr("basket.prepare.raw_file.RawFile.slices.__defaults__", (1000,))
    run = imported(write(tmp_path / "b", orders=numbered([ORDERS[0], *rows])), tmp_path / "b_out")
    assert hashes(run) == hashes(expected)


def test_what_is_as_expected_is_not_touched(tmp_path):
    found = find(write(tmp_path / "data"), LIMITS)
    assert all(file.spelling == spelling.AS_EXPECTED for file in found.files.values())
    names = [f"{n},{name},7,2,5.0" for n, name in enumerate(["NA", "NA", "1,5", "2018-01-31"], 7)]
    names[2] = '9,"1,500",7,2,5.0'
    data = write(Path(tmp_path / "b"), products=[*PRODUCTS, *names])
    assert find(data, LIMITS).files["raw_products"].spelling == spelling.AS_EXPECTED


def test_rows_with_quotes_are_read_in_a_time_that_grows_with_their_number():
    """Each row looked at a copy of all that follow: 80,000 rows took half a minute."""

    def cpu(rows: int) -> float:
        text = "".join(f'{number},"a name, and more"\n' for number in range(rows))
        begun = time.process_time()
        assert (
            sum(len(fields) for _, fields in spelling._rows(text, ",", has_text=True)) == 2 * rows
        )
        return time.process_time() - begun

    assert cpu(40_000) < 12 * cpu(10_000) + 0.2
