"""Reports on few customers: nothing withheld is said elsewhere, and no attack makes it exact."""

import csv
import html
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import workbook_rules
from basket.analysis import privacy
from basket.synthetic.generate import generate
from basket.tables.result_csv import read_csv
from conftest import whole_report
from privacy_attack import narrowed_to_one, true_counts, worked_out

WITHHELD = "Withheld: the answer would describe too few customers"
OF_GROUPS = {"group_shares", "observed_time", "habits", "habits_at_equal_orders", "tests"}
pytestmark = pytest.mark.slow


def first_customers(panel: Path, folder: Path, count: int) -> Path:
    """Copy the first customers of the panel with their orders and lines."""
    folder.mkdir()
    of_whom: set[str] = set()
    for name, key, gives in (
        ("customers.csv", "user_id", "user_id"),
        ("orders.csv", "user_id", "order_id"),
        ("orders_products_prior.csv", "order_id", None),
    ):
        with (panel / name).open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        place = header.index(key)
        rows = rows[:count] if not of_whom else [row for row in rows if row[place] in of_whom]
        if gives:
            of_whom = {row[header.index(gives)] for row in rows}
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
    for name in ("products.csv", "departments.csv"):
        (folder / name).write_bytes((panel / name).read_bytes())
    return folder


SAMPLES = [25, 60, 200, 1_200, "generated"]


@pytest.fixture(scope="module", params=SAMPLES, ids=str)
def report(request, tmp_path_factory):
    """Make the report on a sample: so many customers of the panel, or 60 generated ones."""
    folder = tmp_path_factory.mktemp("few")
    if request.param == "generated":
        data = folder / "data"
        generate(data, scale=0.0003)
    else:
        panel = request.getfixturevalue("panel")
        data = first_customers(panel, folder / "data", request.param)
    run = whole_report(data, folder / "out")
    tables = {path.stem: read_csv(path) for path in run.folders.tables.glob("*.csv")}
    return run, tables, true_counts(run.folders)


@pytest.fixture(scope="module")
def done(report) -> workbook_rules.Finished:
    """Give the finished workbook of the report."""
    run, *_ = report
    return workbook_rules.Finished(run.folders.report, run.folders.analysis, run.settings)


@pytest.fixture(scope="module")
def published(report) -> dict[str, pd.DataFrame]:
    """Give the tables of the report as they may be published."""
    run, tables, _ = report
    return {
        name: privacy.publishable(table, run.settings, tables["habits"])
        for name, table in tables.items()
    }


# ---- rules --------------------------------------------------------------------------------------

# Here each image is a dot: neither its sharpness nor how it fills a page can be judged.
OF_IMAGES = {workbook_rules.drawings_are_described, workbook_rules.pages_are_filled}


def test_the_workbook_meets_every_rule(report, done):
    """On data as it comes, not on tables made by hand: pages, charts, sentences, numbers."""
    run, *_ = report
    for rule in workbook_rules.RULES:
        if rule not in OF_IMAGES:
            rule(done)
    if len(run.table("customers")) > 1_000:
        assert len(done.charts()) >= 8


# ---- words --------------------------------------------------------------------------------------


def texts_of(path: Path) -> list[str]:
    """List every text of every XML part: cells, titles of charts, alternative texts, caches."""
    found = []
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            if name.endswith((".xml", ".rels")):
                part = file.read(name).decode("utf-8")
                found += re.findall(r">([^<]+)<", part) + re.findall(r'="([^"]*)"', part)
    return [html.unescape(text) for text in found]


def numbers_in(texts) -> set[str]:
    """Pick the numbers that sentences say: with a sign of what they are, or of some length."""
    said = re.findall(r"(?<![\w.$])\$?\d[\d,]*(?:\.\d+)?%?(?!\w)", " ".join(texts))
    return {one.rstrip(",") for one in said if re.search(r"[%.$]|\d{3}", one)}


def is_sentence(text: str) -> bool:
    return len(text.split()) > 3


def is_of_the_week(text: str) -> bool:
    """Whether it is a cell of the week's grid: its numbers are those of orders by hour."""
    return bool(re.match(r"(far )?(fewer|more): \d", text)) or text.startswith("Quietest while")


def finding_sentences(finding: dict) -> list[str]:
    return [finding[name] for name in ("headline", "so_what", "action")]


def figure_sentences(figure: dict) -> list[str]:
    return [figure[name] for name in ("title", "so_what", "alt")]


def of_few(done, truth: dict, least: int) -> tuple[list[dict], list[dict]]:
    """Find the findings and figures that tell of a group of too few customers, by its label."""
    few = {cell for cell, count in truth.items() if count < least}
    labels = {label for _, label in few}

    def tells(number: dict) -> bool:
        where = number.get("where") or {}
        return (where.get("grouping"), where.get("group", where.get("group_a"))) in few

    findings = [one for one in done.findings if any(map(tells, one["numbers"].values()))]
    figures = [
        one
        for one in done.figures
        if set(one["sources"]) & OF_GROUPS
        and not set(one["sources"]) & {"tests"}
        and any(set(map(str, row)) & labels for row in one["data"]["rows"])
    ]
    return findings, figures


def test_no_number_of_a_withheld_answer_is_in_any_part_of_the_workbook(report, done):
    run, _, truth = report
    least = run.settings.privacy.smallest_group
    findings, figures = of_few(done, truth, least)
    texts = texts_of(done.path)
    sentences = [text for text in texts if is_sentence(text) and not is_of_the_week(text)]
    secret = [text for one in findings for text in finding_sentences(one)[:2]]
    secret += [text for one in figures for text in figure_sentences(one)]
    for said in filter(is_sentence, secret):
        assert not any(said in text for text in texts), said
    others = [
        text
        for one in done.findings
        if one["id"] not in {finding["id"] for finding in findings}
        for text in [*finding_sentences(one), one["change_mind"], str(one["prize"])]
    ]
    names = {figure["name"] for figure in figures}
    others += [
        text for one in done.figures if one["name"] not in names for text in figure_sentences(one)
    ]
    steps = run.settings.statistics.effects.ratio  # what counts as more stands on sheet 7
    others += [f"{step - 1:.0%}" for step in steps]
    told = numbers_in(secret) - numbers_in(others)
    for said in sentences:
        assert not told & numbers_in([said]), (told & numbers_in([said]), said)
    if findings:
        assert WITHHELD in texts
    if run.table("customers").shape[0] <= 60:
        assert findings and told, "the sample must have something to withhold"


# ---- cells --------------------------------------------------------------------------------------


def test_no_attack_on_all_published_tables_makes_a_small_group_exact(report, published):
    run, tables, truth = report
    least = run.settings.privacy.smallest_group
    texts = {name: table.astype(str) for name, table in published.items()}
    assert worked_out(texts, truth, least) == []
    assert narrowed_to_one(texts, truth, least) == []
    naive = {"population_flow": published["population_flow"]}
    habits = tables["habits"].query("population == 'active'").astype({"customers": object})
    naive["habits"] = habits.assign(
        customers=habits["customers"].mask(habits["customers"] < least, privacy.SUPPRESSED)
    )
    naive = {name: table.astype(str) for name, table in naive.items()}
    small = [cell for cell, count in truth.items() if count < least and cell[0] != "ages"]
    assert not small or narrowed_to_one(naive, truth, least), "the attack must be able to succeed"


def shown_numbers(done: workbook_rules.Finished, name: str) -> list[dict]:
    """Read a table of sheet 8: a dictionary a row, by its own headings."""
    sheet = done.book[workbook_rules.CHART_DATA]
    if f"tbl_{name}" not in sheet.tables:
        return []
    header, *rows = sheet[sheet.tables[f"tbl_{name}"].ref]
    names = [cell.value for cell in header]
    return [dict(zip(names, (cell.value for cell in row), strict=True)) for row in rows]


OF_FEW = ("order_value_by_hour", "department_reach", "sensitivity")
FIRM = 500  # customers: of so many, all of these figures are drawn


def active(run, table: str) -> pd.DataFrame:
    people = run.table("analysis_customers")
    people = people.loc[people["exclusion_flag"] == "Active", "user_id"]
    rows = run.table(table)
    return rows[rows["user_id"].isin(people)]


def test_money_of_an_hour_and_reach_of_a_department_rest_on_enough_customers(report, done):
    run, *_ = report
    least = run.settings.privacy.smallest_group
    orders = active(run, "analysis_orders")
    buyers = orders.groupby("order_hour")["user_id"].nunique()
    for row in shown_numbers(done, "order_value_by_hour"):
        hour, value = list(row.values())[:2]
        assert buyers[int(hour)] >= least or not isinstance(value, int | float), row
    people = orders["user_id"].nunique()
    assert people < FIRM or all(shown_numbers(done, name) for name in OF_FEW)
    for row in shown_numbers(done, "department_reach"):
        _, reach = list(row.values())[:2]
        assert not isinstance(reach, int | float) or reach * people > least - 0.5, row
    everyone = len(run.table("customers"))
    for row in shown_numbers(done, "sensitivity"):
        for share in list(row.values())[1:]:
            moved = round(share * everyone) if isinstance(share, int | float) else 0
            assert moved == 0 or moved >= least, row


def test_what_groups_buy_of_a_department_rests_on_enough_buyers(report, published):
    """Each ratio shown has its buyers, and so has what is left of the department's lines."""
    run, tables, _ = report
    least = run.settings.privacy.smallest_group
    lifts = tables["department_lifts"]
    shown = published["department_lifts"]
    hidden = (shown["effect"] == privacy.SUPPRESSED).to_numpy()
    mix = tables["department_mix"].query("population == 'active'")
    buyers = mix.set_index(["grouping", "group", "department"])["customers"]
    keys = zip(lifts["grouping"], lifts["group_a"], lifts["measure"], strict=True)
    counts = pd.Series([buyers.get(key, 0) for key in keys])
    raw = lifts["adjusted_for"].fillna("") == ""  # at equal income: those of a known one
    assert (counts == lifts["customers_behind"])[raw].all()
    assert (counts >= lifts["customers_behind"])[~raw].all()
    assert (counts[~hidden] >= least).all()
    names = ["grouping", "measure", "adjusted_for"]
    cells = lifts[names].fillna("").assign(buyers=counts, hidden=hidden)
    for name, rows in cells[cells["hidden"]].groupby(names):
        rest = rows.loc[rows["buyers"] > 0, "buyers"]
        everyone = cells[(cells[names] == list(name)).all(axis=1)]["buyers"]
        assert rest.empty or (len(rest) > 1 and rest.sum() >= least) or len(rows) == len(everyone)


def test_a_few_customers_left_out_are_not_the_rest_of_what_was_received(report, done):
    run, *_ = report
    received = {
        name: len(run.table(name)) for name in ("customers", "raw_lines", "raw_orders", "merged")
    }
    left_out = received["customers"] - active(run, "analysis_customers").shape[0]
    if not 0 < left_out < run.settings.privacy.smallest_group:
        pytest.skip(f"this sample leaves out {left_out} customers")
    cells = {cell.value for _, cell in done.cells() if isinstance(cell.value, int | float)}
    assert not cells & {count for count in received.values() if count > 100}


# ---- segments -----------------------------------------------------------------------------------


def cells_of_segments(tables: dict[str, pd.DataFrame], customers: pd.DataFrame):
    """Yield every published row about a segment: the table's name, and the row's customers."""
    for name, table in tables.items():
        if "segment" in table:
            rows = table.rename(columns={"grouping": "of", "group": "label"})
        elif {"grouping", "group"} <= set(table.columns):
            rows = table[table["grouping"].isin(["segment", "rhythm", "basket"])].rename(
                columns={"grouping": "of", "group": "label"}
            )
        else:
            continue
        for row in rows.to_dict("records"):
            those = np.ones(len(customers), bool)
            for of, label in ((row.get("of"), row.get("label")), ("segment", row.get("segment"))):
                if of and label:
                    those &= (customers[of].astype(str) == label).to_numpy()
            if "suppressed" not in row.values():
                yield name, customers[those]


def test_no_segment_singles_anybody_out(report, published):
    """No cell about a segment of fewer than 11, or of which one customer holds more than half."""
    run, tables, truth = report
    least = run.settings.privacy.smallest_group
    small = {cell for cell, count in truth.items() if count < least}
    received = len(run.table("customers"))
    assert received > 70 or any(cell[0] == "segment" for cell in small), "nothing to protect"
    assert {"segments", "segment_people", "habits", "offers"} <= set(published)
    shown = {
        name: published[name].astype(str)
        for name, table in tables.items()
        if privacy.describes_customers(table)
    }
    people = active(run, "analysis_customers")
    people = people.assign(n_dependants=people["n_dependants"].astype(str))
    cells = list(cells_of_segments(shown, people))
    assert cells or received < 60
    for name, those in cells:
        assert len(those) >= least, name
        for total in ("orders", "lines", "spend_cents"):
            assert those[total].max() <= those[total].sum() / 2, (name, total)
    offers = published["offers"]["customers"]
    assert (pd.to_numeric(offers[offers != privacy.SUPPRESSED]) >= least).all()
    assert (pd.to_numeric(tables["trial_plan"]["customers_here"]) >= least).all()
