"""The raw files: both layouts in any wrapping, bad rows set aside, bad files refused in a line."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from basket.command import main
from basket.prepare import import_raw, read_csv
from basket.prepare.raw_files import find
from basket.project.errors import DataError
from basket.project.folders import ROOT, Folders
from basket.project.settings import load_settings
from basket.tables import store
from conftest import Run, hashes, imported, run_stages, write_settings

LIMITS = load_settings(ROOT / "settings.yml").limits
CANARY = "Xylophonia"

DEPARTMENTS = ["department_id,1,2,12", "department,frozen,snacks,meat seafood"]
PRODUCTS = [
    "product_id,product_name,aisle_id,department_id,prices",
    '1,"Crackers, salted",7,2,5.0',
    "2,None,7,2,15.0",
    "3,,8,1,1.5",
    "4,Pasta (500 g),8,1,14900.0",
    '5,"The ""best"" beef",9,12,25.0',
    "6,NA,9,12,8.2",
]
CUSTOMERS = [
    "user_id,First Name,Surnam,Gender,STATE,Age,date_joined,n_dependants,fam_status,income",
    f"1,{CANARY},{CANARY}son,Female,Texas,40,1/1/2017,3,married,99999",
    f"2,,{CANARY}ova,Male,Ohio,18,12/31/2019,0,single,50000",
]
ORDERS = [
    "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order",
    "11,1,prior,1,0,08,",
    "12,1,prior,2,6,23,30.0",
    "13,1,train,3,1,12,7.0",
    "21,2,prior,1,3,00,",
    "22,2,test,2,2,10,0.0",
]
LINES = [
    "order_id,product_id,add_to_cart_order,reordered",
    "11,1,1,0",
    "11,2,2,0",
    "12,1,1,1",
    "12,5,2,0",
    "21,3,1,0",
    "21,6,2,0",
]
COURSE = {
    "products.csv": PRODUCTS,
    "departments.csv": DEPARTMENTS,
    "customers.csv": CUSTOMERS,
    "orders.csv": ORDERS,
    "orders_products_prior.csv": LINES,
}
KAGGLE = {
    "products.csv": [line.rpartition(",")[0] for line in PRODUCTS],
    "departments.csv": ["department_id,department", "1,frozen", "2,snacks", "12,meat seafood"],
    "orders.csv": ORDERS,
    "order_products__prior.csv": LINES,
    "order_products__train.csv": [LINES[0], "13,1,1,1"],
    "aisles.csv": ["aisle_id,aisle", "7,a"],
}


def write(
    folder: Path, files: dict | None = None, *, newline: str = "\n", bom: bytes = b"", **changes
) -> Path:
    """Write raw files; a change `orders=[…]` replaces the lines of orders.csv, None omits it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = dict(files or COURSE)
    for name, lines in changes.items():
        files[f"{name}.csv"] = lines
    for name, lines in files.items():
        if isinstance(lines, bytes):
            (folder / name).write_bytes(lines)
        elif lines is not None:
            (folder / name).write_bytes(bom + "".join(line + newline for line in lines).encode())
    return folder


# ---- the same data in any wrapping --------------------------------------------------------------


def as_zip(path: Path, folder: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, inside + file.name)
    return path


def as_folder_of_zips(path: Path, folder: Path) -> Path:
    path.mkdir()
    for file in sorted(folder.iterdir()):
        with zipfile.ZipFile(path / f"{file.name}.zip", "w") as archive:
            archive.write(file, file.name)
    return path


def with_crlf(path: Path, folder: Path) -> Path:
    path.mkdir()
    for file in folder.iterdir():
        (path / file.name).write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    return path


def with_bom(path: Path, folder: Path) -> Path:
    path.mkdir()
    for file in folder.iterdir():
        (path / file.name).write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    return path


def without_last_newline(path: Path, folder: Path) -> Path:
    path.mkdir()
    for file in folder.iterdir():
        (path / file.name).write_bytes(file.read_bytes().rstrip(b"\n"))
    return path


WRAPPINGS = {
    "zip": lambda tmp, folder: as_zip(tmp / "data.zip", folder),
    "zip_with_a_folder_inside": lambda tmp, folder: as_zip(
        tmp / "data.zip", folder, "instacart/files/"
    ),
    "folder_of_zips": lambda tmp, folder: as_folder_of_zips(tmp / "zips", folder),
    "crlf": lambda tmp, folder: with_crlf(tmp / "crlf", folder),
    "bom": lambda tmp, folder: with_bom(tmp / "bom", folder),
    "no_last_newline": lambda tmp, folder: without_last_newline(tmp / "cut", folder),
}


@pytest.mark.parametrize("layout", ["course", "kaggle"])
@pytest.mark.parametrize("wrapping", list(WRAPPINGS))
def test_wrapping_line_ends_and_byte_order_mark_change_no_table(tmp_path, wrapping, layout):
    folder = write(tmp_path / "plain", COURSE if layout == "course" else KAGGLE)
    wrapped = WRAPPINGS[wrapping](tmp_path, folder)
    assert hashes(imported(wrapped, tmp_path / "a")) == hashes(imported(folder, tmp_path / "b"))


def test_both_together_crlf_and_byte_order_mark_in_a_zip_change_no_generated_table(
    tmp_path, built, generated
):
    plain = tmp_path / "plain"
    plain.mkdir()
    for file in generated.glob("*.csv"):
        text = file.read_bytes().replace(b"\n", b"\r\n")
        (plain / file.name).write_bytes(b"\xef\xbb\xbf" + text)
    wrapped = as_zip(tmp_path / "data.zip", plain)
    assert hashes(imported(wrapped, tmp_path / "out")) == hashes(built(generated, "corrected"))


def test_the_order_of_the_columns_is_irrelevant(tmp_path):
    folder = write(tmp_path / "plain")
    turned = tmp_path / "turned"
    turned.mkdir()
    for name in COURSE:
        frame = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
        if name != "departments.csv":
            frame = frame[frame.columns[::-1]]
        frame.to_csv(turned / name, index=False)
    assert hashes(imported(turned, tmp_path / "a")) == hashes(imported(folder, tmp_path / "b"))


# ---- the typed result ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Run:
    """Import the small data set written above."""
    folder = tmp_path_factory.mktemp("small")
    return imported(write(folder / "data"), folder / "out")


def test_values_arrive_typed_and_only_empty_fields_are_missing(small):
    products = small.table("raw_products")
    assert products["product_name"].tolist()[:2] == ["Crackers, salted", "None"]
    assert products["product_name"].tolist()[4:] == ['The "best" beef', "NA"]
    assert products["product_name"].isna().tolist() == [False, False, True, False, False, False]
    assert products["prices"].tolist() == [5, 15, 1.5, 14_900, 25, 8.2]
    orders = small.table("raw_orders")
    assert orders["order_hour"].tolist() == [8, 23, 12, 0, 10]
    assert orders["days_since_prior_order"].tolist() == [pd.NA, 30, 7, pd.NA, 0]
    assert str(orders["days_since_prior_order"].dtype) == "Int8"
    customers = small.table("raw_customers")
    assert customers["date_joined"].tolist() == [
        pd.Timestamp(2017, 1, 1),
        pd.Timestamp(2019, 12, 31),
    ]
    assert customers["income"].tolist() == [99_999, 50_000]
    assert small.table("raw_departments")["department"].tolist() == [
        "frozen",
        "snacks",
        "meat seafood",
    ]
    assert small.table("raw_lines")["product_id"].tolist() == [1, 2, 1, 5, 3, 6]


def test_a_product_name_may_hold_a_line_break_and_later_rows_keep_their_place(tmp_path):
    broken = [PRODUCTS[0], '1,"Two\nlines, one name",7,2,5.0', *PRODUCTS[2:]]
    run = imported(write(tmp_path / "data", products=broken), tmp_path / "out")
    names = run.table("raw_products")["product_name"].tolist()
    assert names[0] == "Two\nlines, one name"
    assert names[1] == "None"
    assert len(names) == 6


@pytest.mark.parametrize("name", ["null", "nan", "NaN", "N/A", "-", "0", "#NAME?", " x ", "=1+1"])
def test_a_product_may_be_called_anything(tmp_path, name):
    run = imported(
        write(tmp_path / "data", products=[PRODUCTS[0], f"1,{name},7,2,5.0"]), tmp_path / "out"
    )
    assert run.table("raw_products")["product_name"].tolist() == [name]


def test_long_and_wide_departments_are_the_same(tmp_path):
    long = write(tmp_path / "long", departments=KAGGLE["departments.csv"])
    assert (
        imported(long, tmp_path / "a").sidecar("raw_departments")["sha256"]
        == imported(write(tmp_path / "wide"), tmp_path / "b").sidecar("raw_departments")["sha256"]
    )


def test_rows_read_are_recorded_table_by_table(small):
    read = {
        row["table"]: (row["rows_in"], row["rows_out"]) for row in small.record("01_import")["flow"]
    }
    assert read == {
        "raw_products": (6, 6),
        "raw_departments": (3, 3),
        "raw_orders": (5, 5),
        "raw_customers": (2, 2),
        "raw_lines": (6, 6),
    }


# ---- names of people ----------------------------------------------------------------------------


def parquet_bytes(out: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()
    }


def test_no_name_of_a_person_is_in_any_file_that_the_stages_write(tmp_path):
    """The canary also stands in rows that are quarantined, in whatever field a shift puts it."""
    shifted = [
        *CUSTOMERS,
        f"3,{CANARY},{CANARY},{CANARY},Texas,40,1/1/2017,3,married,99999",  # as gender
        f"4,{CANARY},Ann,{CANARY},Female,Texas,40,1/1/2017,3,married,99999",  # one field more
        f"5,{CANARY}",  # cut
        f"{CANARY},6,x,Female,Texas,40,1/1/2017,3,married,99999",  # as id
        f"7,a,b,Female,Texas,40,{CANARY},3,married,99999",  # as date
        f"8,a,b,Female,Texas,40,1/1/2017,3,{CANARY},99999",  # as family status
        f"9,a,b,Female,Texas,{CANARY},1/1/2017,3,married,99999",  # as age
    ]
    loose = write_settings(tmp_path / "settings.yml", {"limits.max_quarantined_share": 1})
    data = write(tmp_path / "data", customers=shifted)
    run = run_stages(data, tmp_path / "out", "corrected", loose)
    bad = pd.read_parquet(run.folders.prepared / "quarantine" / "raw_customers.parquet")
    assert len(bad) == 7
    files = parquet_bytes(run.out)
    assert len([name for name in files if name.endswith(".parquet")]) > 10
    assert [name for name, content in files.items() if CANARY.encode() in content] == []
    assert not bad.map(lambda value: CANARY in str(value)).any().any()
    assert CANARY.encode() in (data / "customers.csv").read_bytes()


def test_an_error_about_a_missing_header_names_nobody(tmp_path):
    with pytest.raises(DataError, match=r"customers\.csv: column user_id is missing") as error:
        find(write(tmp_path / "data", customers=CUSTOMERS[1:]), LIMITS)
    assert CANARY not in str(error.value)


def test_an_error_about_a_bad_row_names_nobody(tmp_path):
    damaged = [*CUSTOMERS, f"3,{CANARY},{CANARY},{CANARY},Texas,40,1/1/2017,3,married,99999"]
    with pytest.raises(DataError, match=r"customers.csv, line 4: Gender: found '\*\*\*'") as error:
        imported(write(tmp_path / "data", customers=damaged), tmp_path / "out")
    assert CANARY not in str(error.value)


# ---- bad rows -----------------------------------------------------------------------------------


def many(header: str, row_of, rows: int = 3000) -> list[str]:
    return [header, *(row_of(number) for number in range(1, rows + 1))]


MANY_ORDERS = many(ORDERS[0], lambda n: f"{n},{n % 50 + 1},prior,{n // 50 + 1},{n % 7},08,")


@pytest.mark.parametrize(
    ("bad_row", "rule"),
    [
        ("x,1,prior,1,0,08,", "order_id: found 'x', expected a whole number"),
        ("9001,1,prior,1,0,08", "expected 7 fields, found 6"),
        ("9001,1,prior,1,0,08,,", "expected 7 fields, found 8"),
        ("9001,1,prior,1,7,08,", "order_dow: found 7, expected 6 or less"),
        ("9001,1,prior,1,0,24,", "order_hour_of_day: found 24, expected 23 or less"),
        ("9001,1,prior,1,0,300,", "order_hour_of_day: found 300, expected 23 or less"),
        ("9001,1,prior,0,0,08,", "order_number: found 0, expected 1 or more"),
        ("9001,1,prior,1,0,08,31.0", "days_since_prior_order: found 31.0, expected 30 or less"),
        ("9001,1,prior,1,0,08,2.5", "days_since_prior_order: found '2.5', expected a whole number"),
        ("9001,1,later,1,0,08,", "eval_set: found 'later', expected one of prior, train, test"),
        ("9001,,prior,1,0,08,", "user_id: is missing"),
        ("99999999999,1,prior,1,0,08,", "order_id: found 99999999999, expected 2147483647 or less"),
        ("-1,1,prior,1,0,08,", "order_id: found -1, expected 1 or more"),
    ],
)
def test_a_bad_row_is_set_aside_with_file_line_rule_and_text(tmp_path, bad_row, rule):
    damaged = [*MANY_ORDERS[:1234], bad_row, *MANY_ORDERS[1234:]]
    run = imported(write(tmp_path / "data", orders=damaged), tmp_path / "out")
    bad = pd.read_parquet(run.folders.prepared / "quarantine" / "raw_orders.parquet")
    assert bad.to_dict("records") == [
        {"file": "orders.csv", "line": 1235, "rule": rule, "text": bad_row}
    ]
    assert len(run.table("raw_orders")) == 3000
    (flow,) = [row for row in run.record("01_import")["flow"] if row["table"] == "raw_orders"]
    assert (flow["rows_in"], flow["rows_quarantined"], flow["rows_out"]) == (3001, 1, 3000)


def test_sound_rows_are_read_alike_whether_or_not_another_row_is_bad(tmp_path):
    sound = imported(write(tmp_path / "data", orders=MANY_ORDERS), tmp_path / "a")
    damaged = imported(write(tmp_path / "bad", orders=[*MANY_ORDERS, "x"]), tmp_path / "b")
    assert hashes(sound) == hashes(damaged)


MANY_PRODUCTS = many(PRODUCTS[0], lambda n: f"{n},Product {n},7,2,5.0")
MANY_CUSTOMERS = many(
    CUSTOMERS[0], lambda n: f"{n},Ann,Lee,Female,Texas,40,1/1/2017,1,married,60000"
)


@pytest.mark.parametrize(
    ("table", "bad_row", "rule"),
    [
        ("products", "9001,x,7,2,nan", "prices: found 'nan', expected a number"),
        ("products", "9001,x,7,2,inf", "prices: found 'inf', expected a number"),
        ("products", "9001,x,7,2,-1", "prices: found -1, expected 0 or more"),
        ("products", "9001,x,7,2,", None),  # a price may be missing
        ("products", "9001,a\x00b,7,2,5.0", "product_name: holds a NUL byte"),
        ("products", "9001,x,40000,2,5.0", "aisle_id: found 40000, expected 32767 or less"),
        (
            "customers",
            "9001,A,B,Female,Texas,40,2/30/2019,1,married,60000",
            "date_joined: found '2/30/2019', expected month/day/year",
        ),
        (
            "customers",
            "9001,A,B,Female,Texas,40,2019-01-31,1,married,60000",
            "date_joined: found '2019-01-31', expected month/day/year",
        ),
        (
            "customers",
            "9001,A,B,Female,Texas,130,1/1/2019,1,married,60000",
            "Age: found 130, expected 120 or less",
        ),
        (
            "customers",
            "9001,A,B,Female,Texas,40,1/1/2019,1,married,99999999999",
            "income: found 99999999999, expected 2147483647 or less",
        ),
    ],
)
def test_each_kind_of_bad_value_has_its_rule(tmp_path, table, bad_row, rule):
    rows = {"products": MANY_PRODUCTS, "customers": MANY_CUSTOMERS}[table]
    data = write(tmp_path / "data", **{table: [*rows, bad_row]})
    run = imported(data, tmp_path / "out")
    kept = run.table(f"raw_{table}")
    file = run.folders.prepared / "quarantine" / f"raw_{table}.parquet"
    assert len(kept) == 3000 + (rule is None)
    assert file.exists() == (rule is not None)
    if rule:
        (bad,) = pd.read_parquet(file).to_dict("records")
        assert (bad["line"], bad["rule"]) == (3002, rule)


def test_names_that_are_not_utf8_do_not_stop_the_import_for_names_are_not_read(tmp_path):
    lines = [*MANY_CUSTOMERS, "9001,A,B,Female,Texas,130,1/1/2019,1,married,60000"]
    text = "\n".join(lines).replace("Ann", "Jos\xe9").encode("latin-1")
    run = imported(write(tmp_path / "data", customers=text), tmp_path / "out")
    assert len(run.table("raw_customers")) == 3000


def test_too_many_bad_rows_stop_the_run_and_name_the_first(tmp_path):
    for bad, stops in ((3, False), (4, True)):
        data = write(tmp_path / f"data{bad}", orders=[*MANY_ORDERS, *["x"] * bad])
        if stops:
            with pytest.raises(
                DataError,
                match=r"orders.csv, line 3002: expected 7 fields, found 1"
                r"; 4 of 3,004 rows are bad, more than max_quarantined_share",
            ):
                imported(data, tmp_path / "out")
        else:
            imported(data, tmp_path / "out")


def test_the_allowed_share_of_bad_rows_is_a_setting(tmp_path):
    strict = write_settings(tmp_path / "strict.yml", {"limits.max_quarantined_share": 0})
    data = write(tmp_path / "data", orders=[*MANY_ORDERS, "x"])
    with pytest.raises(DataError, match="1 of 3,001 rows are bad"):
        imported(data, tmp_path / "out", strict)


@pytest.mark.parametrize(
    ("table", "lines", "message"),
    [
        (
            "orders",
            [*ORDERS, ORDERS[1]],
            r"orders\.csv, line 7: column order_id: 11 stands on line 2 already, and 0 other ids",
        ),
        (
            "customers",
            [*CUSTOMERS, CUSTOMERS[1]],
            r"customers\.csv, line 4: column user_id: this customer stands on line 2 already",
        ),
        ("orders", ORDERS[:1], r"orders\.csv: the file holds a header and no rows"),
        ("products", PRODUCTS[:1], r"products\.csv: the file holds a header and no rows"),
        ("customers", CUSTOMERS[:1], r"customers\.csv: the file holds a header and no rows"),
        (
            "orders_products_prior",
            LINES[:1],
            r"orders_products_prior\.csv: the file holds a header",
        ),
        ("departments", DEPARTMENTS[:1], r"departments\.csv: found 0 rows below a wide header"),
        (
            "departments",
            [DEPARTMENTS[0], "department,a,b"],
            r"departments\.csv: found 1 rows below a ",
        ),
        (
            "departments",
            ["department_id,department", "1,a", "1,b"],
            r"department_id 1 stands on sever",
        ),
        (
            "departments",
            ["department_id,one", "department,a"],
            r"department_id: found 'one', expected",
        ),
        ("departments", b"department_id,1\ndepartment,caf\xe9\n", r"department: is not UTF-8"),
        (
            "products",
            "\n".join(PRODUCTS).replace("Pasta", "Past\xe9").encode("latin-1"),
            r"products\.csv, line 5: product_name: is not UTF-8",
        ),
    ],
)
def test_a_damaged_table_is_refused_with_file_and_column(tmp_path, table, lines, message):
    with pytest.raises(DataError, match=message) as error:
        imported(write(tmp_path / "data", **{table: lines}), tmp_path / "out")
    assert "\n" not in str(error.value)


# ---- Kaggle's layout: what is missing is fabricated, and says so --------------------------------


def test_kaggles_prices_and_customers_are_fabricated_alike_every_time(tmp_path):
    data = write(tmp_path / "data", KAGGLE)
    first, second = (imported(data, tmp_path / name) for name in ("a", "b"))
    assert hashes(first) == hashes(second)
    prices, people = first.table("raw_products")["prices"], first.table("raw_customers")
    assert prices.between(1, 25).all()
    assert people["user_id"].tolist() == [1, 2]
    assert people["income"].gt(25_000).all()


def test_kaggles_tables_say_that_they_are_fabricated(tmp_path):
    run = imported(write(tmp_path / "data", KAGGLE), tmp_path / "out")
    record = run.record("01_import")
    assert record["facts"]["layout"] == "kaggle"
    assert record["facts"]["fabricated"] == ["products.prices", "customers"]
    actions = [check["action"] for check in record["checks"] if check["found"] == "absent"]
    assert len(actions) == 2
    assert all("SYNTHETIC COLUMN" in action for action in actions)
    (added,) = [row for row in record["flow"] if row["step"] == "fabricate"]
    assert added["rows_added"] == added["rows_out"] == 2


def test_the_courses_layout_fabricates_nothing(small):
    assert small.record("01_import")["facts"] == {
        "layout": "course",
        "owner": "the course's",
        "files": {
            "raw_products": "products.csv",
            "raw_departments": "departments.csv",
            "raw_customers": "customers.csv",
            "raw_orders": "orders.csv",
            "raw_lines": "orders_products_prior.csv",
        },
        "synthetic": None,
        "fabricated": [],
    }


def test_kaggles_real_panel_holds_the_same_orders_and_lines_as_the_courses(
    tmp_path, built, panel, real_data
):
    run = imported(real_data / "panel1200" / "kaggle_layout", tmp_path / "out")
    course = built(panel, "corrected")
    for table in ("raw_orders", "raw_lines", "raw_departments"):
        assert run.sidecar(table)["sha256"] == course.sidecar(table)["sha256"]
    assert run.table("raw_customers")["user_id"].sort_values().tolist() == (
        course.table("raw_customers")["user_id"].sort_values().tolist()
    )
    ids = run.table("raw_products")["product_id"]
    assert ids.is_unique
    assert {6799, 6800, 26519, 26520} <= set(ids)


def test_generated_data_is_known_to_be_generated(built, generated):
    assert built(generated, "corrected").record("01_import")["facts"]["synthetic"]["scale"] == 0.005


# ---- bad files, through the real command --------------------------------------------------------


def report(data: Path, out: Path, *options: str):
    """Run `basket report`, in this process: it must refuse before it changes anything here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BASKET_DATA", raising=False)
        return CliRunner().invoke(
            main, ["report", "--data", str(data), "--out", str(out), *options]
        )


def contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.startswith(".")
    }


def without(name: str):
    return lambda tmp: write(tmp / "data", **{name: None})


def changed_header(name: str, old: str, new: str):
    lines = {file.removesuffix(".csv"): content for file, content in COURSE.items()}[name]
    return lambda tmp: write(tmp / "data", **{name: [lines[0].replace(old, new), *lines[1:]]})


def a_folder_in_place_of_a_file(tmp: Path) -> Path:
    folder = write(tmp / "data", orders=None)
    (folder / "orders.csv").mkdir()
    return folder


def no_zip(tmp: Path) -> Path:
    (tmp / "data.zip").write_bytes(b"PK\x03\x04 but no archive")
    return tmp / "data.zip"


def zip_cut_short(tmp: Path) -> Path:
    path = as_zip(tmp / "data.zip", write(tmp / "data"))
    path.write_bytes(path.read_bytes()[:-30])
    return path


def zip_with_damaged_bytes(tmp: Path) -> Path:
    path = as_zip(tmp / "data.zip", write(tmp / "data"))
    content = bytearray(path.read_bytes())
    begin = content.index(b"orders.csv") + len("orders.csv")
    content[begin : begin + 40] = b"\xff" * 40
    path.write_bytes(content)
    return path


def zip_with_a_password(tmp: Path) -> Path:
    path = as_zip(tmp / "data.zip", write(tmp / "data"))
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(signature)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(signature, place + 4)
    path.write_bytes(content)
    return path


def zip_bomb(tmp: Path) -> Path:
    folder = write(tmp / "data")
    (folder / "orders.csv").write_bytes(b"0" * 20_000_000)
    return as_zip(tmp / "data.zip", folder)


def zip_with_a_file_twice(tmp: Path) -> Path:
    path = as_zip(tmp / "data.zip", write(tmp / "data"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("older/orders.csv", "x")
    return path


BAD_FILES = {
    "missing folder": (lambda tmp: tmp / "nowhere", "nowhere: does not exist; expected a folder"),
    "empty folder": (
        lambda tmp: write(tmp / "data", {"readme.csv": ["x"]}),
        "orders_products_prior.csv is missing; expected the course's files",
    ),
    "missing orders": (without("orders"), "data: orders.csv is missing; expected products.csv"),
    "missing customers": (without("customers"), "data: customers.csv is missing; expected"),
    "missing lines": (without("orders_products_prior"), "orders_products_prior.csv is missing"),
    "empty file": (
        lambda tmp: write(tmp / "data", orders=b""),
        "orders.csv: the file is empty; expected a header and rows",
    ),
    "wrong column": (
        changed_header("orders", "order_dow", "weekday"),
        "orders.csv: column order_dow is missing; expected order_id, user_id",
    ),
    "missing column": (
        changed_header("customers", ",income", ""),
        "customers.csv: column income is missing; expected user_id, First Name",
    ),
    "doubled column": (
        changed_header("orders", "order_dow", "user_id"),
        "orders.csv: column user_id stands 2 times in the header; expected it once",
    ),
    "extra column": (
        changed_header("products", "prices", "prices,colour"),
        "products.csv: unexpected column colour; expected only product_id",
    ),
    "nameless extra column": (
        changed_header("products", "product_id", ",product_id"),
        "products.csv: unexpected column (without a name); expected only",
    ),
    "wrong delimiter": (
        lambda tmp: write(tmp / "data", orders=[line.replace(",", ";") for line in ORDERS]),
        "orders.csv: column order_id is missing; expected order_id, user_id",
    ),
    "wrong delimiter in departments": (
        lambda tmp: write(
            tmp / "data", departments=[line.replace(",", ";") for line in DEPARTMENTS]
        ),
        "departments.csv: column department_id is missing; expected it first",
    ),
    "no header": (
        lambda tmp: write(tmp / "data", orders=ORDERS[1:]),
        "orders.csv: column 1 stands 2 times in the header",
    ),
    "no header, all different": (
        lambda tmp: write(tmp / "data", departments=DEPARTMENTS[1:]),
        "departments.csv: column department_id is missing; expected it",
    ),
    "not text": (
        lambda tmp: write(tmp / "data", orders="\n".join(ORDERS).encode("utf-16")),
        "orders.csv: the first line is not readable text; expected a UTF-8 CSV file",
    ),
    "folder in place of a file": (
        a_folder_in_place_of_a_file,
        "orders.csv: is a folder; expected the file orders.csv",
    ),
    "no zip": (no_zip, "data.zip: is not a readable zip file"),
    "zip cut short": (zip_cut_short, "data.zip: is not a readable zip file"),
    "zip with damaged bytes": (
        zip_with_damaged_bytes,
        "data.zip: orders.csv cannot be unpacked or read",
    ),
    "zip with a password": (zip_with_a_password, "is protected by a password; expected a plain"),
    "zip bomb": (zip_bomb, "data.zip: orders.csv would unpack to 20,000,000 bytes, more than 200"),
    "zip with a file twice": (zip_with_a_file_twice, "holds orders.csv twice"),
}


@pytest.fixture(scope="module")
def earlier_outputs(tmp_path_factory, generated):
    """Give a folder that holds the tables of an earlier, good import."""
    out = tmp_path_factory.mktemp("earlier")
    imported(write(out / "its_data"), out)
    Folders(out).report.parent.mkdir()
    Folders(out).report.write_text("an earlier report", encoding="utf-8")
    return out


@pytest.mark.parametrize("case", list(BAD_FILES))
def test_bad_files_are_refused_in_one_line_and_earlier_outputs_stay(
    tmp_path, earlier_outputs, case
):
    make, message = BAD_FILES[case]
    data = make(tmp_path)
    before, environment = contents(earlier_outputs), dict(os.environ)
    done = report(data, earlier_outputs)
    assert done.exit_code == 1, done.output
    assert done.output.startswith("basket: ")
    assert message in done.output
    assert done.output.count("\n") == 1
    assert contents(earlier_outputs) == before
    assert dict(os.environ) == environment


@pytest.mark.parametrize(
    "options",
    [
        ("--rules", "kaggle"),
        ("--scale", "0"),
        ("--scale", "much"),
        ("--from", "07"),
        ("--colour", "red"),
    ],
)
def test_a_wrong_option_is_exit_code_2(tmp_path, options):
    done = report(tmp_path, tmp_path / "out", *options)
    assert done.exit_code == 2
    assert options[0] in done.output
    assert not (tmp_path / "out").exists()


def test_bad_settings_are_exit_code_1_and_name_the_key(tmp_path):
    key = "flags.loyalty_flag.bands.Regular customer"
    file = write_settings(tmp_path / "settings.yml", {key: "up to 5"})
    done = report(write(tmp_path / "data"), tmp_path / "out", "--settings", str(file))
    assert done.exit_code == 1
    assert "New customer (up to 10) must be below Regular customer (up to 5)" in done.output


@pytest.mark.slow
def test_a_fault_inside_a_file_stops_the_real_command_and_earlier_tables_stay(
    tmp_path, earlier_outputs
):
    """One file with a header and no rows, one with a bad row: found by notebook 01, not before."""
    before = contents(Folders(earlier_outputs).prepared / "raw_orders")
    for name, lines, message in (
        ("headers", {"orders": ORDERS[:1]}, "orders.csv: the file holds a header and no rows"),
        ("rows", {"orders": [*ORDERS, "x"]}, "orders.csv, line 7: expected 7 fields, found 1"),
    ):
        data = write(tmp_path / name, **lines)
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from basket.command import main; main()",
                "report",
                "--data",
                str(data),
                "--out",
                str(earlier_outputs),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        said = done.stderr.strip().splitlines()[-2:]
        assert said[0].startswith("basket: 01_import: cell ")
        assert message in said[0]
        assert said[1].endswith("01_import.FAILED.ipynb")
        assert "Traceback" not in done.stderr
        assert contents(Folders(earlier_outputs).prepared / "raw_orders") == before


# ---- large files --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [7, 40, 10**6])
def test_a_file_comes_in_slices_that_end_with_a_line_whatever_their_size(tmp_path, size):
    raw = find(write(tmp_path / "data", bom=b"\xef\xbb\xbf"), LIMITS)
    slices = list(raw.files["raw_orders"].slices(size))
    assert b"".join(slices).decode() == "".join(line + "\n" for line in ORDERS)
    assert all(piece.endswith(b"\n") for piece in slices)


def test_bad_rows_of_later_slices_have_the_line_number_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("basket.prepare.raw_files.RawFile.slices.__defaults__", (1000,))
    damaged = [*MANY_ORDERS[:2500], "x", *MANY_ORDERS[2500:2900], "y,", *MANY_ORDERS[2900:]]
    run = imported(write(tmp_path / "data", orders=damaged), tmp_path / "out")
    bad = pd.read_parquet(run.folders.prepared / "quarantine" / "raw_orders.parquet")
    assert bad["line"].tolist() == [2501, 2902]
    assert run.table("raw_orders")["order_id"].tolist() == list(range(1, 3001))


@pytest.mark.parametrize("size", [40, 90, 200, 10**6])
def test_a_table_with_texts_is_the_same_in_slices_of_any_size(tmp_path, monkeypatch, size):
    """Also where a slice ends within a quoted text, and where a bad row follows sound slices."""
    monkeypatch.setattr("basket.prepare.raw_files.RawFile.slices.__defaults__", (size,))
    products = [
        *PRODUCTS,
        '7,"Bread,\r\nwhite\nor brown",9,12,2.0',
        "8,Salt,9,12,1.0",
        "x,Oil,9,12,3.0",
        '9,"Eggs\nor more",8,1,2.5',
    ]
    many = write(tmp_path / "data", products=products)
    rows, bad = read_csv.read_small(find(many, LIMITS).files["raw_products"], "raw_products")
    assert rows["product_id"].to_pylist() == list(range(1, 10))
    assert rows["product_name"].to_pylist()[6:] == [
        "Bread,\r\nwhite\nor brown",
        "Salt",
        "Eggs\nor more",
    ]
    assert [(row.line, row.text) for row in bad] == [(12, "x,Oil,9,12,3.0")]


def test_of_many_parts_written_side_by_side_less_waits_for_each(tmp_path, monkeypatch):
    data = write(tmp_path / "data", orders=MANY_ORDERS)
    settings = write_settings(tmp_path / "settings.yml", {"limits.lines_per_part": 2})
    one = imported(data, tmp_path / "one", settings)
    monkeypatch.setattr(store, "ROWS_WAITING", 1000)
    monkeypatch.setattr("basket.prepare.raw_files.RawFile.slices.__defaults__", (1000,))
    two = imported(data, tmp_path / "two", settings)
    pd.testing.assert_frame_equal(one.table("raw_orders"), two.table("raw_orders"))
    files = [store.part_file(run.folders.prepared / "raw_orders", 0) for run in (one, two)]
    assert pq.ParquetFile(files[0]).num_row_groups == 1 < pq.ParquetFile(files[1]).num_row_groups


def test_lines_of_an_unknown_order_are_kept_for_the_merge_to_find(tmp_path):
    run = imported(
        write(tmp_path / "data", orders_products_prior=[*LINES, "99,1,1,0"]), tmp_path / "out"
    )
    assert run.table("raw_lines")["order_id"].max() == 99
    np.testing.assert_equal(len(run.table("raw_lines")), 7)


def test_the_overview_of_a_table_shows_no_customers_row():
    frame = pd.DataFrame({"age": [30, 40], "state": ["Ohio", None]})
    seen = import_raw.overview(frame)
    assert seen.loc["age", ["missing", "distinct", "smallest", "largest"]].tolist() == [
        0,
        2,
        "30",
        "40",
    ]
    assert seen.loc["state", "smallest"] == ""


def test_an_archive_of_zipped_files_as_downloaded_is_read_like_the_files(generated, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    with zipfile.ZipFile(tmp_path / "download.zip", "w") as archive:
        for path in sorted(generated.iterdir()):
            if path.suffix == ".csv":
                with zipfile.ZipFile(inner / f"{path.name}.zip", "w", zipfile.ZIP_DEFLATED) as one:
                    one.write(path, path.name)
                archive.write(inner / f"{path.name}.zip", f"{path.name}.zip")
    limits = load_settings(ROOT / "settings.yml").limits
    plain, zipped = find(generated, limits), find(tmp_path / "download.zip", limits)
    assert zipped.layout == plain.layout
    for table, file in plain.files.items():
        assert b"".join(zipped.files[table].slices()) == b"".join(file.slices()), table
