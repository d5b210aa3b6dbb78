"""The raw files: both layouts in any wrapping, bad rows set aside, bad files refused in a line."""

import os
import re
import zipfile
from datetime import date
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from basket.command import main
from basket.prepare import field, import_raw, read_csv
from basket.prepare.raw_files import find
from basket.project.dictionary import columns_of
from basket.project.errors import DataError
from basket.project.folders import ROOT, Folders
from basket.project.origin import GENERATED
from basket.project.settings import load_settings
from basket.tables import store
from checkout import basket
from conftest import Run, hashes, imported, run_stages, write_settings
from test_bad_input import FILES

LIMITS = load_settings(ROOT / "settings.yml").limits
CANARY = "Xylophonia"

CUSTOMERS = [
    row.replace("Ann,Lee", f"{CANARY},{CANARY}son").replace(",Ng", f",{CANARY}ova")
    for row in FILES["customers.csv"]
]
COURSE = FILES | {"customers.csv": CUSTOMERS}
PRODUCTS, DEPARTMENTS, _, ORDERS, LINES = COURSE.values()
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


def rewritten(path: Path, folder: Path, change) -> Path:
    path.mkdir()
    for file in folder.glob("*.csv"):
        (path / file.name).write_bytes(change(file.read_bytes()))
    return path


def with_crlf(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


def with_bom(content: bytes) -> bytes:
    return b"\xef\xbb\xbf" + content


WRAPPINGS = {
    "zip": lambda tmp, folder: as_zip(tmp / "data.zip", folder),
    "folder_in_zip": lambda tmp, folder: as_zip(tmp / "data.zip", folder, "instacart/files/"),
    "folder_of_zips": lambda tmp, folder: as_folder_of_zips(tmp / "zips", folder),
    "crlf": lambda tmp, folder: rewritten(tmp / "crlf", folder, with_crlf),
    "bom": lambda tmp, folder: rewritten(tmp / "bom", folder, with_bom),
    "cut": lambda tmp, folder: rewritten(tmp / "cut", folder, lambda text: text.rstrip(b"\n")),
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
    crlf = rewritten(tmp_path / "crlf", generated, with_crlf)
    wrapped = as_zip(tmp_path / "data.zip", rewritten(tmp_path / "both", crlf, with_bom))
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
    joined = [pd.Timestamp(2017, 1, 1), pd.Timestamp(2019, 12, 31)]
    assert customers["date_joined"].tolist() == joined
    assert customers["income"].tolist() == [99_999, 50_000]
    names = small.table("raw_departments")["department"].tolist()
    assert names == ["frozen", "snacks", "meat seafood"]
    assert small.table("raw_lines")["product_id"].tolist() == [1, 2, 1, 5, 3, 6]


def test_a_product_may_be_called_anything(tmp_path):
    names = ["null", "nan", "NaN", "N/A", "-", "0", "#NAME?", " x ", "=1+1"]
    rows = [f"{number},{name},7,2,5.0" for number, name in enumerate(names, start=1)]
    run = imported(write(tmp_path / "data", products=[PRODUCTS[0], *rows]), tmp_path / "out")
    assert run.table("raw_products")["product_name"].tolist() == names


def test_long_and_wide_departments_are_the_same(tmp_path):
    long = write(tmp_path / "long", departments=KAGGLE["departments.csv"])
    assert hashes(imported(long, tmp_path / "a")) == hashes(
        imported(write(tmp_path / "wide"), tmp_path / "b")
    )


def test_rows_read_are_recorded_table_by_table(small):
    flow = small.record("01_import")["flow"]
    read = {row["table"]: (row["rows_in"], row["rows_out"]) for row in flow}
    assert read == {
        "raw_products": (6, 6),
        "raw_departments": (3, 3),
        "raw_orders": (5, 5),
        "raw_customers": (2, 2),
        "raw_lines": (6, 6),
    }


def test_a_date_is_sound_at_once_on_each_day_of_a_year_and_on_no_other():
    joined = next(c for c in columns_of("raw_customers") if c.name == "date_joined")
    at_once = re.compile(field.plain(joined))
    for month, day in product(range(14), range(33)):
        text = f"{month}/{day}/2017"
        try:
            date(2017, month, day)
        except ValueError:
            assert not at_once.fullmatch(text), text
            assert field.problem(joined, text), text
        else:
            assert at_once.fullmatch(text), text
            assert field.problem(joined, text) is None, text


# ---- names of people ----------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder but the hidden ones."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    files = [file for file in files if not file.name.startswith(".")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_no_name_of_a_person_is_in_any_file_that_the_stages_write(tmp_path):
    """The canary is also in rows that are quarantined, in any field to which a shift moves it."""
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
    files = contents(run.out)
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


def test_customers_rows_in_other_files_name_nobody(tmp_path):
    """The attack: rows of customers.csv appended to each of the other files."""
    rows = [
        f"3,{CANARY},{CANARY},Female,Texas,40,1/1/2017,3,married,99999",
        f"4,{CANARY},Ann {CANARY},Female",
        f"5,{CANARY},{CANARY},Female,40",
        f'6,"{CANARY},Ann',
        f"7,8,{CANARY},1,2,3,4",
    ]
    files = {name: [*COURSE[f"{name}.csv"], *rows] for name in ("orders", "products")}
    files |= {"orders_products_prior": [*COURSE["orders_products_prior.csv"], *rows]}
    loose = write_settings(tmp_path / "settings.yml", {"limits.max_quarantined_share": 1})
    data = write(tmp_path / "data", **files)
    run = imported(data, tmp_path / "out", loose)
    folder = run.folders.prepared / "quarantine"
    bad = {file.stem: pd.read_parquet(file) for file in folder.glob("*.parquet")}
    assert {table: len(rows) for table, rows in bad.items()} == {
        "raw_orders": 5,
        "raw_products": 5,
        "raw_lines": 5,
    }
    files = contents(run.out)
    assert [name for name, content in files.items() if CANARY.encode() in content] == []


@pytest.mark.parametrize("name", ["orders", "products", "departments", "customers"])
def test_customers_instead_of_another_file_name_nobody(tmp_path, name):
    """With and without their header; the first row may hold a name twice, or beside known ones."""
    person = f"3,{CANARY},{CANARY},Female,Texas,40,1/1/2017,3,married,99999"
    header = COURSE[f"{name}.csv"][0]
    for lines in (
        CUSTOMERS if name != "customers" else [person],
        [person, person],
        [f"{CANARY},{CANARY}", person],
        [f"{header},{CANARY}", person],
        [f"{CANARY},{header}", person],
        [f"{CANARY};{CANARY}", person],
        [f"department_id,1,2\n{CANARY},a,b"],
        [f"department_id,{CANARY}\ndepartment,b"],
    ):
        data = write(tmp_path / "data", **{name: lines})
        with pytest.raises(DataError) as error:
            imported(data, tmp_path / "out")
        assert CANARY not in str(error.value)


# ---- bad rows -----------------------------------------------------------------------------------


def many(header: str, row_of, rows: int = 3000) -> list[str]:
    return [header, *(row_of(number) for number in range(1, rows + 1))]


MANY_ORDERS = many(ORDERS[0], lambda n: f"{n},{n % 50 + 1},prior,{n // 50 + 1},{n % 7},08,")
PERSON = "Ann,Lee,Female,Texas,40,1/1/2017,1,married,60000"
MANY = {
    "orders": MANY_ORDERS,
    "products": many(PRODUCTS[0], lambda n: f"{n},Product {n},7,2,5.0"),
    "customers": many(CUSTOMERS[0], lambda n: f"{n},{PERSON}"),
}


@pytest.mark.parametrize(
    ("table", "bad_row", "rule"),
    [
        ("orders", "9001,1,prior,1,0,08,,", "expected 7 fields, found 8"),
        ("orders", "9001,1,prior,1,0,300,", "order_hour_of_day: found 300, expected 23 or less"),
        ("products", "9001,x,40000,2,5.0", "aisle_id: found 40000, expected 32767 or less"),
        ("customers", "9,,,Male,,40,1/1/2019,1,,-1", "income: found -1, expected 0 or more"),
    ],
)
def test_a_bad_row_among_many_is_set_aside_with_file_line_rule_and_text(
    tmp_path, table, bad_row, rule
):
    sound = MANY[table]
    data = write(tmp_path / "data", **{table: [*sound[:1234], bad_row, *sound[1234:]]})
    run = imported(data, tmp_path / "out")
    bad = pd.read_parquet(run.folders.prepared / "quarantine" / f"raw_{table}.parquet")
    expected = {"file": f"{table}.csv", "line": 1235, "rule": rule}
    assert bad.to_dict("records") == [expected | {"text": bad_row}]
    assert len(run.table(f"raw_{table}")) == 3000
    (flow,) = [row for row in run.record("01_import")["flow"] if row["table"] == f"raw_{table}"]
    assert (flow["rows_in"], flow["rows_quarantined"], flow["rows_out"]) == (3001, 1, 3000)


def test_sound_rows_are_read_alike_whether_or_not_another_row_is_bad(tmp_path):
    sound = imported(write(tmp_path / "data", orders=MANY_ORDERS), tmp_path / "a")
    damaged = imported(write(tmp_path / "bad", orders=[*MANY_ORDERS, "x"]), tmp_path / "b")
    assert hashes(sound) == hashes(damaged)


def test_too_many_bad_rows_stop_the_run_and_name_the_first(tmp_path):
    imported(write(tmp_path / "3", orders=[*MANY_ORDERS, *["x"] * 3]), tmp_path / "out")
    said = "line 3002: expected 7 fields, found 1; 4 of 3,004 rows are bad, more than max_quaran"
    with pytest.raises(DataError, match=f"orders.csv, {said}"):
        imported(write(tmp_path / "4", orders=[*MANY_ORDERS, *["x"] * 4]), tmp_path / "out")


def test_the_allowed_share_of_bad_rows_is_a_setting(tmp_path):
    strict = write_settings(tmp_path / "strict.yml", {"limits.max_quarantined_share": 0})
    data = write(tmp_path / "data", orders=[*MANY_ORDERS, "x"])
    with pytest.raises(DataError, match="1 of 3,001 rows are bad"):
        imported(data, tmp_path / "out", strict)


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
        "absent": [],
        "about": None,
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


@pytest.mark.parametrize("marker", ["{}", "null", "[1]", "no JSON"])
def test_data_beside_the_generators_marker_is_generated_whatever_that_holds(tmp_path, marker):
    data = write(tmp_path, COURSE)
    (data / "SYNTHETIC_DATA.json").write_text(marker)
    assert find(data, LIMITS).origin.kind == GENERATED


# ---- bad files, through the real command --------------------------------------------------------


def report(data: Path, out: Path, *options: str):
    """Run `basket report`, in this process: it must refuse before it changes anything here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BASKET_DATA", raising=False)
        return CliRunner().invoke(
            main, ["report", "--data", str(data), "--out", str(out), *options]
        )


def changed_header(name: str, old: str, new: str):
    lines = COURSE[f"{name}.csv"]
    return lambda tmp: write(tmp / "data", **{name: [lines[0].replace(old, new), *lines[1:]]})


def a_folder_in_place_of_a_file(tmp: Path) -> Path:
    folder = write(tmp / "data", orders=None)
    (folder / "orders.csv").mkdir()
    return folder


def zip_bomb(tmp: Path) -> Path:
    folder = write(tmp / "data")
    (folder / "orders.csv").write_bytes(b"0" * 20_000_000)
    return as_zip(tmp / "data.zip", folder)


BAD_FILES = {  # test_bad_input.py has all others; here each goes through the command
    "missing folder": (lambda tmp: tmp / "nowhere", "nowhere: does not exist; expected a folder"),
    "wrong column": (
        changed_header("orders", "order_dow", "weekday"),
        "orders.csv: column order_dow is missing; expected order_id, user_id",
    ),
    "nameless extra column": (
        changed_header("products", "product_id", ",product_id"),
        "products.csv: unexpected column (without a name); expected only",
    ),
    "no header": (
        lambda tmp: write(tmp / "data", orders=ORDERS[1:]),
        "orders.csv: column 1 occurs 2 times in the header",
    ),
    "no header, all different": (
        lambda tmp: write(tmp / "data", departments=DEPARTMENTS[1:]),
        "departments.csv: column department_id is missing; expected it",
    ),
    "folder in place of a file": (
        a_folder_in_place_of_a_file,
        "orders.csv: is a folder; expected the file orders.csv",
    ),
    "zip bomb": (zip_bomb, "data.zip: orders.csv would unpack to 20,000,000 bytes, more than 200"),
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
    "options", ["--rules kaggle", "--scale 0", "--scale much", "--from 07", "--colour red"]
)
def test_a_wrong_option_is_exit_code_2(tmp_path, options):
    done = report(tmp_path, tmp_path / "out", *options.split())
    assert done.exit_code == 2
    assert options.split()[0] in done.output
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
        done = basket("report", "--data", data, "--out", earlier_outputs)
        assert done.returncode == 1
        said = done.stderr.strip().splitlines()[-2:]
        assert said[0].startswith("basket: 01_import: code cell ")
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
    names = rows["product_name"].to_pylist()
    assert names[6:] == ["Bread,\r\nwhite\nor brown", "Salt", "Eggs\nor more"]
    assert [(row.line, row.text) for row in bad] == [(12, "***,***,9,12,3.0")]


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
    data = write(tmp_path / "data", orders_products_prior=[*LINES, "99,1,1,0"])
    orders = imported(data, tmp_path / "out").table("raw_lines")["order_id"]
    assert orders.max() == 99 and len(orders) == 7


def test_the_overview_of_a_table_shows_no_customers_row():
    frame = pd.DataFrame({"age": [30, 40], "state": ["Ohio", None]})
    overview = import_raw.overview(frame).drop(columns="type")
    assert overview.loc["age"].to_list() == [0, 2, "30", "40"]
    assert overview.loc["state", "smallest"] == ""


@pytest.mark.slow
def test_an_archive_of_zipped_files_as_downloaded_is_read_like_the_files(generated, tmp_path):
    zips = as_folder_of_zips(tmp_path / "zips", rewritten(tmp_path / "csv", generated, bytes))
    plain, zipped = find(generated, LIMITS), find(as_zip(tmp_path / "download.zip", zips), LIMITS)
    assert zipped.layout == plain.layout
    for table, file in plain.files.items():
        assert b"".join(zipped.files[table].slices()) == b"".join(file.slices()), table


def test_more_parts_than_files_may_be_open_are_refused_with_the_setting():
    raw = SimpleNamespace(files={"raw_lines": SimpleNamespace(size=17_800)})  # 1,000 lines

    def parts(each: int) -> int:
        limits = SimpleNamespace(lines_per_part=each)
        return import_raw.part_count(SimpleNamespace(settings=SimpleNamespace(limits=limits)), raw)

    assert (parts(10_000), parts(100), parts(2)) == (1, 10, 500)
    with pytest.raises(DataError, match=r"lines_per_part .* 1,000 parts .* set it to 2 or more"):
        parts(1)
