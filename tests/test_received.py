"""What really arrives: files are found by their content, in whatever they lie; what is not used is
named, and what cannot be read says what was found, what was expected and what to do."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from basket.prepare import raw_file, recognise
from basket.prepare.raw_file import RawFile
from basket.prepare.raw_files import RawData, find, has_data, look
from basket.project.errors import BasketError, DataError
from basket.project.folders import Folders
from basket.project.origin import Origin
from basket.run import pipeline
from conftest import clean_stage, hashes, imported, merge_stage, write_settings
from test_import import COURSE, CUSTOMERS, KAGGLE, LIMITS, ORDERS, PRODUCTS, write

LONG = KAGGLE["departments.csv"]


def contents(data: RawData) -> dict[str, bytes]:
    """What each table would be read from."""
    return {table: b"".join(file.slices()) for table, file in data.files.items()}


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> dict[str, dict[str, str]]:
    """Give the hashes of the tables of the sound files, of both layouts."""
    folder = tmp_path_factory.mktemp("sound")
    return {
        name: hashes(imported(write(folder / name, files), folder / f"{name}_out"))
        for name, files in {"course": COURSE, "kaggle": KAGGLE}.items()
    }


# ---- what the files lie in ----------------------------------------------------------------------


def zip_of(files: dict[str, bytes]) -> bytes:
    """Make an archive of these members."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.filename = name  # backslashes stay
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def tar_of(files: dict[str, bytes]) -> bytes:
    """Make a tar archive of these members."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def tar_gz_of(files: dict[str, bytes]) -> bytes:
    return gzip.compress(tar_of(files))


def raw(files: dict[str, list[str]], prefix: str = "") -> dict[str, bytes]:
    """The files as bytes, by a name that begins with `prefix`."""
    text = {name: "".join(line + "\n" for line in lines) for name, lines in files.items()}
    return {prefix + name: content.encode() for name, content in text.items()}


def some(files: dict, *names: str) -> dict:
    return {name: files[name] for name in names}


C, K = raw(COURSE), raw(KAGGLE)
LINES_NAME = "orders_products_prior.csv"
JUNK = {"__MACOSX/._orders.csv": b"\x00", "sample_submission.csv": b"order_id,products\n1,2\n"}
DELIVERIES = {  # a place in the folder -> what lies there; the layout that comes out
    "a folder down": ("course", raw(COURSE, "instacart/")),
    "two folders down": ("course", raw(COURSE, "Downloads/instacart data/")),
    "upper case": ("course", {name.upper(): content for name, content in C.items()}),
    "copies of a browser": (
        "course",
        {name.replace(".csv", " (1).csv"): content for name, content in C.items()},
    ),
    "names of one's own": (
        "course",
        {f"my {place}.csv": content for place, content in enumerate(C.values())},
    ),
    "the course's four archives": (
        "course",
        {
            "4.3_orders_products.zip": zip_of(some(C, "orders.csv", "products.csv")),
            "4.4_departments.zip": zip_of(some(C, "departments.csv")),
            "4.6_orders_products_prior.zip": zip_of(some(C, LINES_NAME)),
            "customers.zip": zip_of(some(C, "customers.csv")),
        },
    ),
    "a download split in two": (
        "course",
        {
            "drive-001.zip": zip_of(raw(some(COURSE, "orders.csv", "products.csv"), "a/")),
            "drive-002.zip": zip_of(
                raw(some(COURSE, "customers.csv", "departments.csv", LINES_NAME), "a/")
            ),
        },
    ),
    "an archive beside a loose file": (
        "course",
        {
            "data.zip": zip_of({n: c for n, c in C.items() if n != "customers.csv"}),
            "customers.csv": C["customers.csv"],
        },
    ),
    "a zip of zips, with a Mac's and Kaggle's other files": (
        "kaggle",
        {"archive.zip": zip_of({f"{n}.zip": zip_of({n: c}) for n, c in K.items()} | JUNK)},
    ),
    "a tar.gz with a folder": (
        "kaggle",
        {"instacart_2017_05_01.tar.gz": tar_gz_of(raw(KAGGLE, "instacart_2017_05_01/"))},
    ),
    "a tgz": ("kaggle", {"instacart.tgz": tar_gz_of(K)}),
    "a tar": ("kaggle", {"instacart.tar": tar_of(K)}),
    "a tar.gz in a zip": ("kaggle", {"a.zip": zip_of({"b.tar.gz": tar_gz_of(K)})}),
    "each file as csv.gz": ("course", {f"{n}.gz": gzip.compress(c) for n, c in C.items()}),
    "csv.gz in a zip": (
        "course",
        {"a.zip": zip_of({f"x/{n}.gz": gzip.compress(c) for n, c in C.items()})},
    ),
    "backslashes in an archive": ("course", {"a.zip": zip_of(raw(COURSE, "instacart\\data\\"))}),
    "Extract all": ("kaggle", {f"{name}/{name}": content for name, content in K.items()}),
    "Extract all, two folders down": (
        "kaggle",
        {f"a/b/{name}/{name}": content for name, content in K.items()},
    ),
    "unpacked in place": ("course", {**C, **{f"{n}.zip": zip_of({n: c}) for n, c in C.items()}}),
    "unpacked in place, one archive": ("kaggle", {**K, "instacart.zip": zip_of(K)}),
    "unpacked in place, into a folder": (
        "kaggle",
        {**raw(KAGGLE, "instacart/"), "instacart.tar.gz": tar_gz_of(K)},
    ),
}


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    """Put files where they belong."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("case", list(DELIVERIES))
def test_the_files_are_found_and_read_whatever_they_lie_in(tmp_path, case):
    layout, files = DELIVERIES[case]
    found = find(lay(tmp_path / "data", files), LIMITS)
    plain = find(write(tmp_path / "plain", COURSE if layout == "course" else KAGGLE), LIMITS)
    assert found.layout == plain.layout == layout
    assert contents(found) == contents(plain)
    assert {file.size for file in found.files.values()} == {
        file.size for file in plain.files.values()
    }
    assert found.hashes() and "\\" not in "".join(found.hashes())


def test_an_archive_is_read_when_it_is_named_itself(tmp_path):
    plain = find(write(tmp_path / "plain", KAGGLE), LIMITS)
    for name, content in {"a.tar.gz": tar_gz_of(K), "a.zip": zip_of(raw(KAGGLE, "x/"))}.items():
        found = find(lay(tmp_path, {name: content}) / name, LIMITS)
        assert contents(found) == contents(plain)
        assert list(found.hashes()) == [name]


@pytest.mark.parametrize("case", ["a tar.gz with a folder", "csv.gz in a zip"])
def test_what_is_packed_gives_the_same_tables(tmp_path, sound, case):
    layout, files = DELIVERIES[case]
    run = imported(lay(tmp_path / "data", files), tmp_path / "out")
    assert hashes(run) == sound[layout]


def test_what_was_found_and_what_is_not_used_is_said_in_one_line(tmp_path):
    more = {
        "archive.zip": zip_of({**K, **JUNK}),
        "notes.docx": b"x",
        "README.md": b"hello",
        "broken.zip": b"PK no archive",
        "people.csv": b"1,Xylophonia,Lee\n",
        "orders_old.csv": C["orders.csv"] + b"9,9,prior,1,0,08,\n",
    }
    said = find(lay(tmp_path / "data", {**K, **more}), LIMITS).listed()
    assert "\n" not in said
    assert said.startswith("found products.csv, departments.csv, orders.csv, order_products__prior")
    for part in (
        "archive.zip/orders.csv (the same as orders.csv)",
        "aisles.csv (not needed)",
        "order_products__train.csv (not needed)",
        "notes.docx (no CSV file)",
        "broken.zip (is not a readable zip file (File is not a zip file))",
        "orders_old.csv",
        "people.csv (its 3 columns are of no raw file)",
        "archive.zip/sample_submission.csv (not needed)",
    ):
        assert part in said, part
    assert str(tmp_path) not in said  # it stands in the notebook
    assert "Xylophonia" not in said
    assert "README" not in said and "MACOSX" not in said


# ---- what cannot be read ------------------------------------------------------------------------

DIFFERENT = C["orders.csv"] + b"14,1,train,4,0,08,7.0\n"
REFUSED = {
    "a workbook": (
        {"orders.xlsx": b"PK"},
        "orders_products_prior.csv is missing; expected … what lies there: orders.xlsx: save "
        "orders.xlsx as CSV UTF-8",
    ),
    "another archive": (
        {"instacart.7z": b"7z", "instacart.rar": b"Rar!"},
        "is missing; expected … what lies there: instacart.7z, instacart.rar: unpack instacart.7z",
    ),
    "a download that did not end": (
        {**{n: c for n, c in C.items() if n != "orders.csv"}, "orders.csv.crdownload": b"order_id"},
        "orders.csv is missing; … download orders.csv.crdownload again: it is not whole",
    ),
    "a table of another kind": (
        {"orders.parquet": b"PAR1"},
        "orders_products_prior.csv is missing; … save orders.parquet as CSV UTF-8",
    ),
    "order lines in two parts": (
        {
            **{n: c for n, c in C.items() if n != LINES_NAME},
            "prior_1.csv": raw({"p": COURSE[LINES_NAME][:3]})["p"],
            "prior_2.csv": raw({"p": COURSE[LINES_NAME][:1] + COURSE[LINES_NAME][3:]})["p"],
        },
        "holds two files with the columns of orders_products_prior.csv (prior_1.csv and "
        "prior_2.csv); expected one: put parts of one file together under one header, or take",
    ),
    "a web page": (
        {**C, "orders.csv": b"<!DOCTYPE html><html><title>Sign in</title></html>\n"},
        "orders.csv: column order_id is missing; … it is a web page, such as one that asks",
    ),
    "a pointer of Git LFS": (
        {**C, "orders.csv": b"version https://git-lfs.github.com/spec/v1\nsize 108968555\n"},
        "orders.csv: column order_id is missing; … it is a pointer of Git LFS; get the file",
    ),
    "lines of an old Mac": (
        {**C, "orders.csv": C["orders.csv"].replace(b"\n", b"\r")},
        "orders.csv: the first line is not readable text; … its lines end with CR alone",
    ),
    "empty columns of a spreadsheet": (
        {**C, "customers.csv": C["customers.csv"].replace(b"\n", b",,\n")},
        "customers.csv: 2 of 12 columns have no name in the first line; expected user_id, First "
        "Name, … empty columns of a spreadsheet, or a title above the header",
    ),
    "an empty column of a spreadsheet": (
        {**C, "orders.csv": C["orders.csv"].replace(b"\n", b",\n")},
        "orders.csv: unexpected column (without a name); … empty columns of a spreadsheet",
    ),
    "a title above the header": (
        {**C, "customers.csv": b"Customers" + b"," * 9 + b"\n" + C["customers.csv"]},
        "customers.csv: 9 of 10 columns have no name in the first line; … a title above the header",
    ),
    "nothing but other tables": (
        {"sales.csv": b"a,b\n1,2\n"},
        "is missing; expected … what lies there: sales.csv",
    ),
    "semicolons where the layout has commas": (
        {**C, "orders.csv": C["orders.csv"].replace(b",", b";")},
        "orders.csv: column order_id is missing; … its fields are between ';'; save it with commas",
    ),
    "UTF-16": (
        {**C, "orders.csv": C["orders.csv"].decode().encode("utf-16")},
        "it looks like UTF-16, a spreadsheet's Unicode text; save it as CSV UTF-8",
    ),
    "a workbook that is called .csv": (
        {**C, "orders.csv": b"PK\x03\x04\x14\x00\n" + b"\x00\xff" * 99},
        "it looks like a workbook or an archive; save it as CSV UTF-8, or unpack it",
    ),
    "a gzip file that is called .csv": (
        {**C, "orders.csv": gzip.compress(C["orders.csv"])},
        "orders.csv: the first line … it looks like a gzip file; unpack it, or let its name end w",
    ),
    "a gzip file with more at its end": (
        {"orders.csv.gz": gzip.compress(C["orders.csv"]) + b"junk"}
        | {name: text for name, text in C.items() if name != "orders.csv"},
        "orders.csv.gz: is not a readable gzip file (what follows its end, or all of it, is no "
        "gzip); expected a whole one: get it again",
    ),
    "a gzip file that is cut": (
        {"orders.csv.gz": gzip.compress(C["orders.csv"])[:-9]}
        | {name: text for name, text in C.items() if name != "orders.csv"},
        "orders.csv.gz: is not a readable gzip file (Compressed file ended … get it again",
    ),
    "an empty line above the header": (
        {**C, "orders.csv": b"\r\n" + C["orders.csv"]},
        "orders.csv: the first line is empty; expected a header: take out what is empty above it",
    ),
    "two different files of one name": (
        {**C, "older/orders.csv": DIFFERENT},
        "holds orders.csv twice (orders.csv and older/orders.csv); expected it once: they differ, "
        "take one of them away",
    ),
    "a file and another in an archive": (
        {**C, "orders.csv.zip": zip_of({"orders.csv": DIFFERENT})},
        "holds orders.csv twice (orders.csv and orders.csv.zip/orders.csv); expected it once: they",
    ),
    "a copy of a browser that differs": (
        {**C, "orders (1).csv": DIFFERENT},
        "holds orders.csv twice (orders (1).csv and orders.csv); expected it once: they differ",
    ),
    "a file less": (
        {n: c for n, c in C.items() if n != "orders.csv"},
        "orders.csv is missing; expected … what lies there: customers.csv, departments.csv",
    ),
    "an archive that is none": (
        {**{n: c for n, c in C.items() if n != "orders.csv"}, "orders.zip": b"PK\x03\x04 cut"},
        "orders.zip: is not a readable zip file",
    ),
    "archives in archives in archives": (
        {"a.zip": zip_of({"b.zip": zip_of({"c.zip": zip_of({"d.zip": zip_of(C)})})})},
        "archives lie more than 3 deep in each other; refused",
    ),
    "a name that is not UTF-8": (
        {
            "a.tar": tar_of(
                {{"orders.csv": "orders_\udcff.csv"}.get(name, name): C[name] for name in C}
            )
        },
        "a.tar/orders_\udcff.csv: the name is not UTF-8; rename the file",
    ),
    "a row number that is none": (
        {**C, "orders.csv": b"".join(b"7," + line + b"\n" for line in C["orders.csv"].split())},
        "orders.csv: unexpected column",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_cannot_be_read_says_what_was_found_expected_and_to_do(tmp_path, case):
    files, said = REFUSED[case]
    with pytest.raises(DataError) as error:
        find(lay(tmp_path / "data", files), LIMITS)
    place = 0
    for part in said.split(" … "):
        place = str(error.value).find(part, place)
        assert place >= 0, (part, str(error.value))
    assert "\n" not in str(error.value)


def test_two_files_of_an_archive_are_named_by_where_they_lie_in_it(tmp_path):
    packed = lay(tmp_path, {"data.zip": zip_of({**C, "older/orders.csv": DIFFERENT})}) / "data.zip"
    with pytest.raises(
        DataError, match=r"data\.zip: holds orders\.csv twice .* take one of"
    ) as error:
        find(packed, LIMITS)
    assert "(orders.csv and older/orders.csv)" in str(error.value)


@pytest.mark.parametrize(("size", "said"), [(10, "more than 10"), (12, "more than 12"), (20, "15")])
def test_a_file_that_grew_or_shrank_while_it_was_read_is_not_taken_for_whole(
    tmp_path, monkeypatch, size, said
):
    monkeypatch.setattr(raw_file, "SLICE_BYTES", 5)  # the file ends with a slice, or within one
    path = lay(tmp_path, {"orders.csv": b"1,2\n" * 3 + b"3,4"}) / "orders.csv"
    assert RawFile("orders.csv", path, (), 15).digest()
    with pytest.raises(DataError, match=f"found {said} bytes"):
        RawFile("orders.csv", path, (), size).digest()


def test_names_of_columns_in_a_message_are_known_ones_and_not_too_many():
    assert recognise.shown(["order_id", "1", "Quillfeather"]) == "order_id, 1, ***"
    assert recognise.shown(["order_id;Lee", "a\x07"]) == "order_id;***, ***"
    names = ["order_id"] * 12
    assert recognise.shown(names) == ", ".join(names)
    cut = recognise.shown([*names, "user_id", "user_id"])
    assert cut == (", ".join(names) + ", user_id")[:120] + " …"


def test_more_files_than_anybodys_data_are_refused(tmp_path):
    lay(tmp_path / "data", {f"{number}.csv": b"a\n1\n" for number in range(1001)})
    with pytest.raises(DataError, match="holds more than 1,000 files; expected a folder with the"):
        find(tmp_path / "data", LIMITS)


ZEROS = b"0" * 30_000_000
BOMBS = {
    "csv.gz": {"orders.csv.gz": gzip.compress(ZEROS)},
    "tar.gz": {"a.tar.gz": tar_gz_of({"orders.csv": ZEROS})},
    "tar.gz in a zip": {"a.zip": zip_of({"a.tar.gz": tar_gz_of({"orders.csv": ZEROS})})},
    "a file before it": {"a.tar.gz": tar_gz_of({"film.bin": ZEROS, "orders.csv": b"a"})},
    "zip": {"a.zip": zip_of({"x/orders.csv": ZEROS})},
}


@pytest.mark.parametrize("case", list(BOMBS))
def test_a_bomb_of_any_kind_is_refused(tmp_path, case):
    rest = {n: c for n, c in C.items() if n != "orders.csv"}
    with pytest.raises(DataError, match=r"would unpack to .*; refused"):
        find(lay(tmp_path / "data", {**rest, **BOMBS[case]}), LIMITS)


@pytest.mark.parametrize("pack", [zip_of, tar_gz_of])
def test_a_path_in_an_archive_leads_nowhere(tmp_path, pack):
    for prefix in ("../../../", "/tmp/", "C:\\"):
        archive = tmp_path / f"{pack.__name__}.zip"
        archive.write_bytes(pack(raw(COURSE, prefix)))
        before = sorted(tmp_path.rglob("*"))
        assert len(contents(find(archive, LIMITS))) == 5
        assert sorted(tmp_path.rglob("*")) == before


def test_a_link_in_a_tar_archive_is_no_file(tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in C:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
    (tmp_path / "a.tar.gz").write_bytes(packed.getvalue())
    with pytest.raises(DataError, match=r"orders_products_prior\.csv is missing"):
        find(tmp_path / "a.tar.gz", LIMITS)


# ---- invented data only where nothing lies ------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "there"),
    [
        ({}, False),
        ({"README.md": b"x", ".gitkeep": b"", ".DS_Store": b""}, False),
        ({"orders.CSV": b"x"}, True),
        ({"instacart/orders.csv": b"x"}, True),
        ({"instacart.tar.gz": b"x"}, True),
        ({"instacart.7z": b"x"}, True),
    ],
)
def test_only_a_folder_with_nothing_but_its_readme_is_empty(tmp_path, files, there):
    assert has_data(lay(tmp_path, files)) is there


@pytest.mark.parametrize("case", ["a folder down", "a tar.gz with a folder", "upper case"])
def test_what_lies_in_original_data_is_never_passed_over(tmp_path, monkeypatch, settings, case):
    folder = lay(tmp_path / "original_data", DELIVERIES[case][1])
    (folder / "README.md").write_text("x")
    monkeypatch.setattr(pipeline, "ORIGINAL_DATA", folder)
    assert pipeline._data_of_run(None, Folders(), settings, None) == folder
    with pytest.raises(BasketError, match="SCALE is the size of the generated data"):
        pipeline._data_of_run(None, Folders(), settings, 0.01)


def test_a_linked_folder_is_read_once_and_a_link_in_a_circle_ends(tmp_path):
    """Large data is kept elsewhere and linked."""
    lay(tmp_path / "elsewhere", C)
    data = lay(tmp_path / "original_data", {"README.md": b"x"})
    (data / "circle").symlink_to(data)
    assert not has_data(data)
    for name in ("instacart_2017", "the_same"):
        (data / name).symlink_to(tmp_path / "elsewhere")
    assert has_data(data)
    found = find(data, LIMITS)
    plain = find(tmp_path / "elsewhere", LIMITS)
    assert contents(found) == contents(plain) and not found.unused


# ---- layouts and mixtures -----------------------------------------------------------------------

TRIPLETEN = {
    "instacart_orders.csv": [
        "order_id;user_id;order_number;order_dow;order_hour_of_day;days_since_prior_order",
        "11;1;1;0;8;",
        "12;1;2;6;23;30.0",
        "13;1;3;1;12;7.0",
        "21;2;1;3;0;",
        "12;1;2;6;23;30.0",
        "22;2;2;2;10;0.0",
    ],
    "order_products.csv": [
        "order_id;product_id;add_to_cart_order;reordered",
        *("11;1;1.0;0", "11;2;2.0;0", "12;1;1.0;1", "12;5;;0", "21;3;1.0;0", "21;6;2.0;0"),
    ],
    "products.csv": [
        "product_id;product_name;aisle_id;department_id",
        *("1;Crackers, salted;7;2", "2;None;7;2", "3;;8;1", "4;Pasta (500 g);8;1"),
        *('5;"The ""best""; beef";9;12', "6;NA;9;12"),
    ],
    "departments.csv": [line.replace(",", ";") for line in LONG],
    "aisles.csv": ["aisle_id;aisle", "7;a"],
}


@pytest.fixture(scope="module")
def loose(tmp_path_factory) -> Path:
    """Give settings that allow half of the rows to be bad."""
    folder = tmp_path_factory.mktemp("settings")
    return write_settings(folder / "settings.yml", {"limits.max_quarantined_share": 0.5})


def test_tripletens_delivery_is_read(tmp_path, loose):
    run = imported(write(tmp_path / "data", TRIPLETEN), tmp_path / "out", loose)
    facts = run.record("01_import")["facts"]
    assert (facts["layout"], facts["owner"]) == ("tripleten", "TripleTen's")
    assert facts["fabricated"] == ["products.prices", "customers"]
    orders = run.table("raw_orders")
    assert dict(zip(orders["order_id"], orders["eval_set"], strict=True)) == {
        11: "prior",
        12: "prior",
        13: "test",
        21: "prior",
        22: "test",
    }
    assert run.table("raw_lines")["add_to_cart_order"].tolist() == [1, 2, 1, 65, 1, 2]
    names = run.table("raw_products")["product_name"].tolist()
    assert names[0] == "Crackers, salted" and names[4] == 'The "best"; beef'
    said = [row["type_changed"] for row in run.record("01_import")["wrangling"]]
    assert "add_to_cart_order: empty → 65" in said
    assert "eval_set: absent → prior with lines, test without (2 orders)" in said
    (flow,) = [r for r in run.record("01_import")["flow"] if r["table"] == "raw_orders"]
    assert (flow["rows_in"], flow["rows_quarantined"], flow["rows_out"]) == (6, 1, 5)
    clean_stage(run)
    merge_stage(run)
    assert len(run.table("merged")) == 6


def test_an_order_of_tripletens_that_is_there_twice_with_other_values_stops(tmp_path, loose):
    orders = [*TRIPLETEN["instacart_orders.csv"], "11;1;1;0;9;"]
    data = write(tmp_path / "data", TRIPLETEN | {"instacart_orders.csv": orders})
    with pytest.raises(DataError, match=r"line 8: 11 is on line 2 already, with other values"):
        imported(data, tmp_path / "a", loose)
    orders[-1] = "11;2;1;0;8;"  # of another customer
    data = write(tmp_path / "data", TRIPLETEN | {"instacart_orders.csv": orders})
    with pytest.raises(DataError, match=r"11 is on line 2 already"):
        imported(data, tmp_path / "b", loose)


def test_tripletens_delivery_saved_with_commas_is_read_as_well(tmp_path):
    files = {
        name: [line.replace(";", ",") for line in lines]
        for name, lines in TRIPLETEN.items()
        if name != "products.csv"
    }
    files["products.csv"] = KAGGLE["products.csv"]
    assert find(write(tmp_path / "data", files), LIMITS).layout == "tripleten"


WITHOUT_PRICES = KAGGLE["products.csv"]
MIXTURES = {  # files -> layout, owner, what is fabricated, the words of it
    "Kaggle's, the course's customers": (
        KAGGLE | {"customers.csv": CUSTOMERS},
        ("kaggle+course", "Kaggle's and the course's", ("products.prices",)),
        "the prices are fabricated",
    ),
    "Kaggle's, the course's prices": (
        KAGGLE | {"products.csv": PRODUCTS},
        ("kaggle+course", "Kaggle's and the course's", ("customers",)),
        "the customers are fabricated",
    ),
    "Kaggle's, the course's customers and prices": (
        KAGGLE | {"customers.csv": CUSTOMERS, "products.csv": PRODUCTS},
        ("course", "the course's", ()),
        "Instacart's data in the course's layout",
    ),
    "the course's, Kaggle's products": (
        COURSE | {"products.csv": WITHOUT_PRICES},
        ("course+kaggle", "the course's and Kaggle's", ("products.prices",)),
        "the prices are fabricated",
    ),
    "TripleTen's, the course's customers": (
        TRIPLETEN | {"customers.csv": CUSTOMERS},
        ("tripleten+course", "TripleTen's and the course's", ("products.prices",)),
        "the prices are fabricated",
    ),
}


@pytest.mark.parametrize("case", list(MIXTURES))
def test_of_a_mixture_what_was_received_is_used(tmp_path, case):
    files, expected, words = MIXTURES[case]
    found = find(write(tmp_path / "data", files), LIMITS)
    assert (found.layout, found.owner, found.fabricated) == expected
    assert words in found.origin.sentence()
    assert ("customers.csv" in files) == ("raw_customers" in found.files)
    assert set(found.hashes()) >= {name for name in files if name == "customers.csv"}


def test_received_customers_are_those_of_the_tables(tmp_path, sound):
    run = imported(
        write(tmp_path / "data", MIXTURES["Kaggle's, the course's customers"][0]), tmp_path / "out"
    )
    assert run.sidecar("raw_customers")["sha256"] == sound["course"]["raw_customers"]
    assert run.sidecar("raw_products")["sha256"] == sound["kaggle"]["raw_products"]


def test_every_kind_of_fabrication_has_its_words():
    for fabricated, kind, words in (
        ((), "no", ""),
        (("products.prices", "customers"), "columns", "prices and customers"),
        (("products.prices",), "prices", "prices are fabricated"),
        (("customers",), "customers", "customers are fabricated"),
    ):
        origin = Origin(None, fabricated, "Kaggle's")
        assert origin.kind == kind
        assert words in str(origin.banner or "")


def test_a_broken_customers_file_beside_kaggles_is_not_passed_over(tmp_path):
    files = KAGGLE | {"customers.csv": [CUSTOMERS[0].replace("income", "pay"), *CUSTOMERS[1:]]}
    with pytest.raises(DataError, match=r"customers\.csv: column income is missing"):
        find(write(tmp_path / "data", files), LIMITS)


def test_all_faults_are_seen_at_once(tmp_path):
    files = COURSE | {
        "orders.csv": [ORDERS[0].replace("order_dow", "day"), *ORDERS[1:]],
        "products.csv": [PRODUCTS[0].replace("prices", "price"), *PRODUCTS[1:]],
    }
    _, faults = look(write(tmp_path / "data", files, customers=None), LIMITS)
    said = "\n".join(map(str, faults))
    assert len(faults) == 3
    for part in ("customers.csv is missing", "column order_dow is missing", "column prices is mis"):
        assert part in said
