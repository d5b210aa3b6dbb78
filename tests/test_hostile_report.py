"""One whole report on hostile data: dangerous texts, planted canaries, groups of few customers."""

import base64
import contextlib
import csv
import json
import os
import re
import zipfile
import zlib
from html import unescape
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from bs4 import BeautifulSoup

import workbook_rules
from basket.analysis import privacy
from basket.project.dictionary import result_columns
from basket.project.folders import ROOT, Folders
from basket.project.settings import load_settings
from basket.synthetic.generate import generate
from basket.tables.result_csv import read_csv
from checkout import basket
from conftest import write_settings
from privacy_attack import true_counts, worked_out

NAME, SURNAME = "Xylophonia", "Quillfeather"  # of every third customer, and of a quarantined one
USER = 1_987_654_321  # an active customer's id, as no other number of the data is
DANGEROUS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    '=HYPERLINK("http://localhost","x")',
    "=cmd|' /C calc'!A0",
    "None",
    "NA",
    "null",
    "nan",
    "TRUE",
    "1e5",
    "🍌 banana",
    "\u202eموز",
    "be\x07ll \x1b[31m red",
    "two\nlines",
    "carriage\rreturn",
    "tab\tstop",
    "del\x7fete\x85",
    "no\ufffecharacter\uffff",
    "<script>alert(1)</script>",
    "</td></tr><b onclick=x()>",
    "{{ 7*7 }}",
    "$5 and $10",
    "'quoted'",
    '"quoted"',
    "a,b;c|d",
    "../../etc/passwd",
    "%s %d {0}",
    "x" * 32_000,
    "_x000D_",
    " spaces ",
    "[link](javascript:x)",
)
DEPARTMENTS = {
    "produce": "=1+1",
    "dairy eggs": "-dairy",
    "snacks": "<b>snacks</b>",
    "beverages": "bever\x07ages\nand 🍹",
}
CACHES = {".git", ".venv", ".pytest_cache", ".ruff_cache", ".hypothesis"}
FEW = 7  # customers in each planted group


def plant(folder: Path) -> None:
    """Change the generated files; what orders say stays as it was."""
    read = {"dtype": str, "keep_default_na": False}
    lines = pd.read_csv(folder / "orders_products_prior.csv")
    products = pd.read_csv(folder / "products.csv", **read)
    popular = lines["product_id"].value_counts().index.astype(str)
    popular = [one for one in popular if (products["product_id"] == one).sum() == 1]
    names = dict(zip(popular, DANGEROUS, strict=False))
    products["product_name"] = [
        names.get(one, name)
        for one, name in zip(products["product_id"], products["product_name"], strict=True)
    ]
    products.to_csv(folder / "products.csv", index=False, quoting=csv.QUOTE_ALL)

    wide = pd.read_csv(folder / "departments.csv", header=None, **read)
    wide.replace(DEPARTMENTS).to_csv(folder / "departments.csv", index=False, header=False)

    orders = pd.read_csv(folder / "orders.csv", **read)
    people = pd.read_csv(folder / "customers.csv", **read)
    often = orders["user_id"].value_counts()
    active = list(often[often > 5].index)
    people.loc[people.index % 3 == 0, ["First Name", "Surnam"]] = NAME, SURNAME
    people = people.set_index("user_id")
    ages = people["Age"].astype(int)
    west = set(load_settings(ROOT / "settings.yml").regions["West"])
    people.loc[people["STATE"].isin(west), "STATE"] = "Texas"
    people.loc[active[:FEW], "STATE"] = "Oregon"
    people.loc[(ages > 60) & people.index.isin(active), "Age"] = "50"
    people.loc[active[FEW : 2 * FEW], "Age"] = "70"
    people.loc[people["n_dependants"] == "3", "n_dependants"] = "2"
    people.loc[active[2 * FEW : 3 * FEW], "n_dependants"] = "3"
    alone = ["Gender", "n_dependants", "fam_status"]
    people.loc[active[3 * FEW : 4 * FEW], alone] = "", "0", "divorced/widowed"
    people = people.reset_index()
    canary = active[0]
    people["user_id"] = people["user_id"].replace(canary, str(USER))
    orders["user_id"] = orders["user_id"].replace(canary, str(USER))
    people.loc[people["user_id"] == str(USER), ["First Name", "Surnam"]] = NAME, SURNAME
    bad = people.iloc[[0]].assign(**{"user_id": "900001", "Age": "130", "First Name": NAME})
    pd.concat([people, bad]).to_csv(folder / "customers.csv", index=False)
    with (folder / "customers.csv").open("a", encoding="utf-8") as file:
        file.write(f"{NAME},900002,{SURNAME},{NAME}\n")
    orders.to_csv(folder / "orders.csv", index=False)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """List every file below a folder with its size and time of change; caches of tools left out."""
    found = {}
    for top, names, files in os.walk(folder):
        names[:] = set(names) - CACHES
        for name in files:
            path = Path(top, name)
            if path.is_file():
                found[str(path)] = path.stat().st_size, path.stat().st_mtime_ns
    return found


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Make the report; give its folders, and what changed in the checkout and at home meanwhile."""
    folder = tmp_path_factory.mktemp("hostile")
    generate(folder / "data", scale=0.003)
    plant(folder / "data")
    (folder / "home").mkdir()
    settings = write_settings(folder / "settings.yml", {"limits.max_quarantined_share": 0.01})
    before = listing(ROOT)
    where = ("--data", folder / "data", "--out", folder / "out", "--settings", settings)
    environment = {"HOME": folder / "home", "PYTHONDONTWRITEBYTECODE": 1}
    done = basket("report", *where, **environment)
    assert done.returncode == 0, done.stderr
    after = listing(ROOT)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return Folders(folder / "out"), folder, changed


# ---- dangerous texts ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_workbook_of_dangerous_texts_keeps_every_rule(hostile, monkeypatch):
    folders, folder, _ = hostile
    settings = load_settings(folder / "settings.yml")
    monkeypatch.setattr(workbook_rules, "MOST_PAGES", 36)  # its names take several lines each
    workbook_rules.check(folders.report, folders.analysis, settings, (NAME, SURNAME))
    pairs = pd.read_csv(folders.tables / "product_pairs.csv", dtype=str, keep_default_na=False)
    raw = set(pairs["product_name_a"]) | set(pairs["product_name_b"])
    assert {"'=1+1", "'+1", "'-1"} <= raw
    assert not [name for name in raw if name.startswith(("=", "+", "-", "@", "\t"))]
    read = read_csv(folders.tables / "product_pairs.csv")
    names = set(read["product_name_a"]) | set(read["product_name_b"])
    shown = {name.replace("\r", "\n") for name in DANGEROUS}
    assert len(names & shown) > 15
    assert pairs["orders_with_both"].str.fullmatch("[0-9]+").all()


@pytest.mark.slow
def test_the_dictionary_describes_the_columns_of_the_result_tables_and_no_other(hostile):
    folders, *_ = hostile
    written = {name for path in folders.tables.glob("*.csv") for name in pd.read_csv(path).columns}
    assert written == set(result_columns())


@pytest.mark.slow
def test_every_page_forbids_scripts_and_holds_none(hostile):
    folders, *_ = hostile
    pages = list(folders.notebooks.glob("*.html"))
    assert len(pages) == 9
    for page in pages:
        text = page.read_text(encoding="utf-8")
        (policy,) = re.findall('http-equiv="Content-Security-Policy" content="([^"]*)"', text)
        rules = dict(rule.strip().partition(" ")[::2] for rule in unescape(policy).split(";"))
        assert rules["default-src"] == "'none'"
        assert "script-src" not in rules and rules["img-src"] == "data:"
        content = BeautifulSoup(text, "html.parser")
        assert not content.find_all(["script", "iframe", "object", "embed", "form"]), page.name
        for tag in content.find_all(True):
            assert not any(name.lower().startswith("on") for name in tag.attrs), (page.name, tag)
            assert "javascript:" not in str(tag.get("href", "")).lower(), (page.name, tag)


# ---- canaries -----------------------------------------------------------------------------------


def contents(name: str, content: bytes):
    """Yield all that a file holds: members of archives, values of tables, notes in images."""
    yield name, content
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            yield name, archive.comment
            for info in archive.infolist():
                yield f"{name}/{info.filename}", info.comment + info.extra
                yield from contents(f"{name}/{info.filename}", archive.read(info))
    elif content.startswith(b"PAR1"):
        table = pq.read_table(BytesIO(content))
        yield name, str(table.schema.metadata).encode()
        for column in table.columns:
            for chunk in column.chunks:
                texts = chunk.dictionary if hasattr(chunk, "dictionary") else chunk
                yield name, "\n".join(map(str, texts.to_pylist())).encode("utf-8", "replace")
    elif content.startswith(b"\x89PNG"):
        yield from notes_of_image(name, content)
    else:
        for found in re.finditer(rb"iVBORw0KGgo[A-Za-z0-9+/=\\n]+", content):  # a PNG in base64
            text = found[0].replace(b"\\n", b"")
            yield from contents(f"{name}:image", base64.b64decode(text + b"=" * (-len(text) % 4)))


def notes_of_image(name: str, content: bytes):
    """Yield what a PNG says besides its picture, plain and unpacked."""
    place = 8
    while place < len(content):
        size = int.from_bytes(content[place : place + 4])
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        place += 12 + size
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            yield f"{name}:{kind.decode()}", data
            for begin in re.finditer(b"\x78", data):  # where a zlib stream may begin
                with contextlib.suppress(zlib.error):
                    yield f"{name}:{kind.decode()}", zlib.decompress(data[begin.start() :])


def holding(folder: Path, pattern: bytes) -> set[str]:
    """Find the files below a folder that hold a text, wherever they hold it."""
    return {
        name.split("/./")[0]
        for path in folder.rglob("*")
        if path.is_file()
        for name, content in contents(f"{path.relative_to(folder)}/./", path.read_bytes())
        if re.search(pattern, content, re.I)
    }


PERSON = f"{NAME}|{SURNAME}".encode()
USER_ID = b"1[,_. \xa0]?987[,_. \xa0]?654[,_. \xa0]?321"


@pytest.mark.slow
def test_no_name_is_in_any_output_and_no_customers_id_leaves_the_prepared_data(hostile):
    folders, folder, _ = hostile
    assert holding(folder / "data", PERSON) == {"customers.csv"}
    assert holding(folder / "data", USER_ID) == {"customers.csv", "orders.csv"}
    assert holding(folders.out, PERSON) == set()
    with_id = {Path(name).parts[:3] for name in holding(folders.out, USER_ID)}
    tables = "raw_customers raw_orders customers orders merged analysis_customers analysis_orders"
    assert with_id == {("02_data", "prepared_data", table) for table in tables.split()}
    aside = pd.read_parquet(folders.prepared / "quarantine" / "raw_customers.parquet")
    assert len(aside) == 2 and aside["text"].str.contains(r"\*\*\*").all()


def test_the_search_finds_what_is_hidden_in_archives_tables_and_images(tmp_path):
    from matplotlib.figure import Figure

    image = BytesIO()
    Figure(figsize=(1, 1)).savefig(image, metadata={"Author": NAME, "Comment": "x" * 9})
    pd.DataFrame({"user": pd.array([USER]), "name": pd.Categorical([SURNAME])}).to_parquet(
        tmp_path / "table.parquet"
    )
    (tmp_path / "image.png").write_bytes(image.getvalue())
    notebook = {"image/png": base64.encodebytes(image.getvalue()).decode()}
    (tmp_path / "note.ipynb").write_text(json.dumps(notebook))
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image.png", image.getvalue())
        archive.writestr("xl/sheet.xml", f"<v>{USER:,}</v>")
    (tmp_path / "page.html").write_text("Ann Lee, 1987654320")
    assert holding(tmp_path, PERSON) == {"table.parquet", "image.png", "note.ipynb", "book.xlsx"}
    assert holding(tmp_path, USER_ID) == {"table.parquet", "book.xlsx"}


@pytest.mark.slow
def test_nothing_is_written_outside_of_out(hostile):
    folders, folder, changed = hostile
    assert changed == set()
    assert {path.name for path in folder.iterdir()} == {"data", "home", "out", "settings.yml"}
    at_home = {
        path.relative_to(folder / "home").parts[:2]
        for path in (folder / "home").rglob("*")
        if path.is_file()
    }
    assert at_home <= {(".cache", "matplotlib"), (".ipython", "profile_default")}  # the tools'
    made = {path.name for path in folders.out.iterdir()}
    assert made == {"02_data", "04_analysis", "05_sent_to_client"}


# ---- the attack: what follows from all published tables together ---------------------------------


@pytest.mark.slow
def test_no_group_of_a_few_customers_follows_from_all_published_tables_together(hostile):
    folders, folder, _ = hostile
    settings = load_settings(folder / "settings.yml")
    least = settings.privacy.smallest_group
    truth = true_counts(folders)
    small = {cell for cell, count in truth.items() if count < least}
    assert {("region", "West"), ("age_group", "65+"), ("n_dependants", "3")} <= small
    assert any(cell[0] == "profile" for cell in small)
    tables = {
        path.stem: pd.read_csv(path, dtype=str, keep_default_na=False)
        for path in folders.tables.glob("*.csv")
    }
    exact = {path.stem: read_csv(path) for path in folders.tables.glob("*.csv")}
    published = {
        name: privacy.publishable(table, settings, exact["habits"]).astype(str)
        for name, table in exact.items()
    }
    assert worked_out(published, truth, least) == []

    naive = {"population_flow": tables["population_flow"]}
    for name, table in tables.items():
        if {"grouping", "flag"} & set(table.columns) and "customers" in table:
            few = pd.to_numeric(table["customers"], errors="coerce") < least
            hidden = table.assign(customers=table["customers"].mask(few, "suppressed"))
            naive[name] = (
                hidden[hidden["population"] == "active"] if "population" in hidden else hidden
            )
    assert worked_out(naive, truth, least), "the attack must be able to succeed"


@pytest.mark.slow
def test_buyers_of_a_pair_cannot_be_worked_out_from_the_others(hostile):
    """Within each pair and grouping, what is suppressed is of two groups, and of enough buyers."""
    folders, folder, _ = hostile
    settings = load_settings(folder / "settings.yml")
    least = settings.privacy.smallest_group
    exact = {path.stem: read_csv(path) for path in folders.tables.glob("*.csv")}
    buyers = exact["pair_buyers"]
    shown = privacy.publishable(buyers, settings, exact["habits"])
    hidden = (shown["buyers"] == privacy.SUPPRESSED).to_numpy()
    assert hidden.any()
    for _, rows in buyers.assign(hidden=hidden).groupby(["product_a", "product_b", "grouping"]):
        rest = rows[rows["hidden"]]
        visible = rows.loc[~rows["hidden"], "buyers"]
        assert ((visible == 0) | (visible >= least)).all()
        assert rest.empty or (len(rest) > 1 and rest["buyers"].sum() >= least), rows
