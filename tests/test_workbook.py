"""The workbook: a small hand-made run meets every rule, and each rule rejects a mutant."""

import itertools
import json
import math
import random
import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZIP_STORED, ZipFile

import pandas as pd
import pytest
from openpyxl import load_workbook
from PIL import Image

import workbook_rules as rules
from basket.analysis.words import half_of_gaps
from basket.project.errors import BasketError
from basket.project.folders import ROOT, SCRIPTS, Folders
from basket.project.origin import Origin
from basket.project.settings import load_settings
from basket.report.colours import ramp
from basket.report.workbook import (
    build,
    measure_text,
    native_charts,
    plain_words,
    print_setup,
    ranking,
    sheet_advice,
    sheet_figures,
    sheet_monday,
    sheet_notes,
    sheet_record,
    sheet_segments,
    sheet_title,
    sheet_week,
    values,
    what_if,
)
from basket.report.workbook.page import Book, Page, Place
from basket.tables.audit import CHECKS, COMPLETENESS, FLOW, WRANGLING
from checkout import run_command

SETTINGS = load_settings(ROOT / "settings.yml")
DAYS = SETTINGS.day_names
NAMES = ("Quillfeather", "Ozymandia Brambleworth")  # customers of the sample; never to be seen
DEPARTMENTS = {"produce": 4000, "dairy eggs": 2500, "snacks": 1200, "bulk": 300}  # order lines
GROUPS = [  # of active customers; the West is too small to be shown
    ("loyalty_flag", "New customer", 60),
    ("loyalty_flag", "Regular customer", 45),
    ("loyalty_flag", "Loyal customer", 15),
    ("region", "Northeast", 50),
    ("region", "Midwest", 40),
    ("region", "South", 23),
    ("region", "West", 7),
    ("age_group", "18-39", 50),
    ("age_group", "40-64", 40),
    ("age_group", "65+", 30),
    ("income_group", "Low income", 60),
    ("income_group", "High income", 60),
    ("segment", "Weekly big shop", 80),
    ("segment", "Occasional top-up", 40),
]


# --- a small run, made by hand


def frame(columns, rows):
    """Make a table; `columns` are names with blanks between."""
    return pd.DataFrame(rows, columns=columns.split())


def orders_by_day():
    rows = [
        (population, day, DAYS[day], orders, orders * 8, orders * 62.5)
        for population, factor in (("all", 2), ("active", 1))
        for day, active in enumerate((200, 190, 140, 130, 120, 110, 110))
        for orders in (active * factor,)
    ]
    return frame("population day day_name orders lines spend", rows)


def orders_by_hour():
    rows = []
    for hour in range(24):
        orders, value = 5 + 3 * min(hour, 23 - hour), 60.25 + hour
        means = (value, 7.5, value - 2, value + 3, 62.5)
        rows.append(("active", hour, orders, 40 + hour, 300.5, *means))
    return frame(
        "population hour orders lines spend mean_order_value mean_item_price "
        "mean_order_value_low mean_order_value_high mean_income",
        rows,
    )


def orders_by_day_hour():
    rows = [
        ("active", day, hour, 1 + (day * hour) % 11, 9, 70.0)
        for day in range(7)
        for hour in range(24)
        if (day, hour) != (3, 3)
    ]
    return frame("population day hour orders lines spend", rows)


def departments():
    rows = [
        (population, id_, name, 9, 100 - id_, 900 - id_, lines, lines * 7.5, 0.6 - id_ / 10)
        for population in ("all", "active")
        for id_, (name, lines) in enumerate(DEPARTMENTS.items())
    ]
    return frame(
        "population department_id department products customers orders lines spend reorder_rate",
        rows,
    )


def habits():
    rows = []
    for population, more in (("all", 5), ("active", 0)):
        for grouping, group, n in GROUPS:
            means = (62.5 + n / 10, 8.25, 7.5, 8.0, 0.5 + n / 1000)
            rows.append((population, grouping, group, n + more, n * 8, n * 66, n * 500.0, *means))
    return frame(
        "population grouping group customers orders lines spend mean_order_value "
        "mean_lines_per_order mean_item_price median_days_between_orders reorder_rate",
        rows,
    )


def flags():
    prices = SETTINGS.flags["price_range"].labels
    rows = [
        *(("active", "price_range", label, None, None, 2_600) for label in prices),
        *(("active", grouping, group, n, n * 8, n * 66) for grouping, group, n in GROUPS),
        ("all", "exclusion_flag", "Active", 120, 1_000, 8_000),
        ("active", "exclusion_flag", "Active", 120, 1_000, 8_000),
        ("all", "exclusion_flag", "Low activity", 20, 60, 500),
    ]
    table = frame("population flag label customers orders lines", rows)
    return table.astype({"customers": "Int64", "orders": "Int64"})


def population_flow():
    steps = [
        ("corrected", "read", "raw_products", 30, 0, 0, 0, ""),
        ("corrected", "read", "raw_orders", 1_200, 0, 0, 1, "rows that cannot be read"),
        ("corrected", "read", "raw_customers", 140, 0, 0, 0, ""),
        ("corrected", "read", "raw_lines", 9_000, 0, 0, 0, ""),
        ("corrected", "drop exact duplicates", "products", 30, 0, 2, 0, "repeated rows"),
        ("corrected", "prior orders only", "orders", 1_199, 0, 139, 0, "no lines"),
        ("corrected", "merge", "merged", 9_000, 0, 0, 0, ""),
        ("course", "merge", "merged", 9_000, 12, 40, 0, "doubled ids add lines"),
        ("corrected", "active customers", "merged", 9_000, 0, 1_000, 0, "too few orders"),
        ("corrected", "active customers", "analysis_orders", 1_060, 0, 60, 0, "too few orders"),
        ("corrected", "active customers", "analysis_customers", 135, 0, 15, 0, "too few orders"),
    ]
    table = pd.DataFrame(steps, columns=[name for name in FLOW if name != "rows_out"])
    removed = table["rows_removed"] + table["rows_quarantined"]
    return table.assign(rows_out=table["rows_in"] + table["rows_added"] - removed)[FLOW]


def prizes():
    """Size two levers, as arithmetic on the other tables says; the largest share comes first."""
    late, a_day, of_all = 480, 6, (1_000, 62_500.0)
    more = 0.1 * late / a_day
    sooner = ("sooner", "returns later than the customer's own usual gap", late, late * 62.5)
    sooner += (0.1, "of them a day sooner", a_day, round(more), round(more / of_all[0], 6))
    sooner += (round(more * 62.5, 2), round(more * 62.5 / of_all[1], 6))
    sooner += (round(more * 62.5 * 0.25 - late, 2), SOONER)
    windows = ("quiet windows", "orders in the windows proven to be quiet", 70, 4_200.0)
    change = (0.1, "more orders", None, 7, 0.007, 420.0, 0.00672, 35.0)
    return frame(
        "lever touches base_orders base_spend change change_unit days_per_order orders "
        "share_of_orders spend share_of_spend left_after_cost what_if rank",
        [(*sooner, 1), (*windows, *change, "10% more orders in the quiet windows", 2)],
    )


def segments():
    rows = [
        (name, n, n * 8, n * 66, n * 500.0, n / 120, n / 120, n / 120, 6.0, 8.25, 62.5, 0.58)
        + (("snacks", 1.3, 1.1, 1.5) if n > 50 else (None, None, None, None))
        + (None, None, None, None)
        for grouping, name, n in GROUPS
        if grouping == "segment"
    ]
    return frame(
        "segment customers orders lines spend share_of_customers share_of_orders share_of_spend "
        "median_gap_days mean_lines_per_order mean_order_value reorder_rate top_department "
        "top_lift top_lift_low top_lift_high top_time top_time_ratio top_time_ratio_low "
        "top_time_ratio_high",
        rows,
    )


def trial_plan():
    arms, guard = "two of equal size: with the action, without", "order value must not fall"
    rows = [
        ("F02", "Try it.", arms, "all orders", guard, 8, lift, 100, 5.0, 3.0, n, "no", "if above 0")
        for lift, n in ((0.02, 14_000), (0.05, 2_300), (0.1, 570))
    ]
    table = frame(
        "finding action arms outcome guard weeks lift customers_here mean_outcome sd_outcome "
        "customers_per_arm supported decision",
        rows,
    )
    return table.assign(significance=0.05, power=0.8, most_lift=0.06)


def windows():
    rows = [(day, DAYS[day], 20, 23, 10, 0.5, 0.4, 0.6, "yes") for day in range(7)]
    return frame("day day_name from_hour to_hour orders index index_low index_high is_quiet", rows)


def daypart_goods():
    rows = [("Morning", "snacks", 1.2, 1.1, "yes"), ("Evening", "bulk", 1.4, 0.8, "no")]
    return frame("daypart department lift lift_low for_headline", rows)


def comparisons():
    """Make the tests of a first version: without the columns that came later."""
    unit, effect = "US dollars an order", (0.051, -0.1, 0.2, 0.25, 0.5, "undecided")
    rows = [
        ("Q7", "active", "region", a, b, "mean_order_value", unit, 90, 3.5, "cliffs_delta", *effect)
        for a, b in (("", ""), ("Northeast", "Midwest"), ("South", "West"))
    ]
    with_others = ("mean_order_value", unit, 90, 3.5, "ratio", 1.02, 0.97, 1.08, *effect[3:])
    rows.append(("Q6", "active", "loyalty_flag", "Loyal customer", "others", *with_others))
    names = "question population grouping group_a group_b measure unit n statistic effect_name "
    return frame(names + "effect effect_low effect_high p_value q_value verdict", rows)


def result_tables():
    checks = [
        ("products", "product_name", "looks like a formula", "=HYPERLINK(1)", "kept as text"),
        ("orders", "order_id", "duplicates", "0", "none needed"),
    ]
    steps = [("orders", "eval_set", "order_dow → order_day", "", "only prior orders are left")]
    missing = [("customers whose order numbers are not 1 to n", "0", 100, 0.0, 0.01, "none")]
    return {
        "population_flow": population_flow(),
        "consistency_checks": pd.DataFrame(checks, columns=CHECKS),
        "wrangling_steps": pd.DataFrame(steps, columns=WRANGLING),
        "completeness": pd.DataFrame(missing, columns=COMPLETENESS),
        "flags": flags(),
        "habits": habits(),
        "departments": departments(),
        "orders_by_day": orders_by_day(),
        "orders_by_hour": orders_by_hour(),
        "orders_by_day_hour": orders_by_day_hour(),
        "tests": comparisons(),
        "prizes": prizes(),
        "segments": segments(),
        "trial_plan": trial_plan(),
        "quiet_windows": windows(),
        "department_times": daypart_goods(),
    }


TITLES = {  # of the figures, each with its question
    "heat": ("Q1", "Saturday noon is full"),
    "days": ("Q1", "Saturday takes 200 orders"),
    "value": ("Q2", "Order value grows with the hour"),
    "parts": ("Q2", "Produce leads at all times"),
    "departments": ("Q4", "Produce leads, bulk is smallest"),
    "reach": ("Q4", "Produce is reordered most of all"),
    "loyalty": ("Q5", "Most customers are still new"),
    "two": ("Q6", "Loyal customers reorder a little less"),
    "region": ("Q7", "Regions differ in order value"),
    "ages": ("Q8", "All ages order alike"),
    "picture": ("Q9", "Bands of age in a picture"),
}


MARKED = {  # what the titles name
    "heat": ["Saturday"],
    "days": ["Saturday"],
    "departments": ["bulk", "produce"],
    "reach": ["produce"],
    "two": ["Loyal customer"],
}


def figure(name, source, data, **shown):
    """Make the record of a figure: a native chart, a heat map or an image."""
    question, title = TITLES[name]
    return {
        "name": name,
        "question": question,
        "kind": "bars",
        "title": title,
        "subtitle": "Orders, active customers",
        "so_what": f"Act on {name}.",
        "alt": f"Chart {name} of question {question}, which says: {title}.",
        "image": "",
        "sources": [source],
        "chart": None,
        "heat": None,
        "name_of": "",
        "highlight": MARKED.get(name, []),
        "data": {"columns": list(data.columns), "rows": json.loads(data.to_json(orient="values"))},
    } | shown


def charted(name, source, table, kind, columns, number_format="#,##0", **more):
    """Make a figure whose native chart shows the other columns over the first."""
    x, *series = columns.split()
    chart = {
        "kind": kind,
        "x": x,
        "series": series,
        "x_title": x.capitalize(),
        "y_title": "Value (USD)",
        "number_format": number_format,
        "intervals": more.get("intervals"),
    }
    ends = [end for pair in (chart["intervals"] or {}).values() for end in pair]
    names = more.get("names", [])
    data = table[[*names, x, *series, *ends]]
    return figure(name, source, data, chart=chart, name_of="".join(names))


def figures(tables):
    active = {
        name: tables[name].query("population == 'active'")
        for name in ("orders_by_day", "orders_by_hour", "departments", "habits")
    }
    day, hour, dep, hab = active.values()
    cells = tables["orders_by_day_hour"].assign(
        day=lambda table: table["day"].map(dict(enumerate(DAYS)))
    )
    loyalty, region, ages, *_ = (table for _, table in hab.groupby("grouping", sort=False))
    shares = frame("part produce others", [("Morning", 0.6, 0.4), ("Evening", 0.7, 0.3)])
    heat = {"rows": "day", "columns": "hour", "values": "orders"}
    framed = heat | {"outlined": [["Sunday", 20, 22]]}
    ends = {"mean_order_value": ["mean_order_value_low", "mean_order_value_high"]}
    lines = dep[["department", "lines"]]
    return [
        figure("heat", "orders_by_day_hour", cells[list(heat.values())], heat=framed),
        charted("days", "orders_by_day", day, "column", "day_name orders"),
        charted(
            "value",
            "orders_by_hour",
            hour,
            "line",
            "hour mean_order_value",
            "$0.00",
            intervals=ends,
        ),
        charted("parts", "departments", shares, "bar", "part produce others", "0%"),
        charted("departments", "departments", dep, "bar", "department lines"),
        charted(
            "reach", "departments", dep, "scatter", "lines reorder_rate", "0%", names=["department"]
        ),
        charted("loyalty", "habits", loyalty, "column", "group customers"),
        charted("two", "habits", loyalty, "bar", "group orders lines"),
        charted("region", "habits", region, "bar", "group mean_order_value", "$0.00"),
        charted("ages", "habits", ages, "column", "group reorder_rate", "0.0%"),
        figure("picture", "departments", lines, image="picture.png"),
    ]


def number(value, unit, table, column, **where):
    """Make a number of a finding, with the cell that holds it."""
    return {"value": value, "unit": unit, "table": table, "where": {"column": column, **where}}


SOONER = "10% of the late returns a day sooner"
LEVERS = {2: "quiet windows", 5: "sooner"}  # of the findings that name one
OTHER_ANSWERS = {
    2: {
        "action_basis": "hypothesis",
        "headline": "Orders are few at 20:00",
        "action": "Try it at 20:00, with a control group.",
    },
    5: {"action_basis": "hypothesis", "headline": "A day sooner is worth most", "numbers": {}},
    7: {
        "kind": "no practical difference",
        "headline": "No region differs",
        "action": "Do not target by region.",
        "touches": [{"attribute": "region", "direction": "less"}],
    },
    9: {"kind": "not answered", "headline": "Not answered: histories are incomplete"},
    10: {"kind": "not answered", "headline": "Not answered: histories are incomplete"},
}


def findings():
    saturday = {"population": "active", "day": "0"}
    extra = {"population": "active", "department": "extra"}
    numbers = {
        "orders": number(200, "orders", "orders_by_day", "orders", **saturday),
        "lines": number(1600, "order lines", "orders_by_day", "lines", **saturday),
        "share": number(0.2, "share", "departments", "reorder_rate", **extra),
        "worth": number(62.5, "US dollars an order", "orders_by_hour", "mean_income", hour="0"),
    }
    return [
        {
            "id": f"F{place:02d}",
            "question": f"Q{place}",
            "confidence": "high",
            "headline": f"Saturday takes 200 orders, 20.0% more than {DAYS[2]}",
            "so_what": "At $62.50 an order it carries the week.",
            "owner": "VP of Marketing",
            "action": "Keep 1,600 lines in stock.",
            "evidence": ["orders_by_day"],
            "figure": {1: "heat", 2: "value", 7: "region"}.get(place, ""),
            "kind": "description",
            "action_basis": "design",
            "touches": [],
            "rests_on": [],
            "prize": {"what_if": "200 orders", "orders": 200, "spend": None, "share_of_spend": None}
            | ({"lever": LEVERS[place]} if place in LEVERS else {}),
            "change_mind": "",
            "numbers": numbers,
        }
        | OTHER_ANSWERS.get(place, {})
        for place in range(1, 12)
    ]


FACTS = {
    "rules": "corrected",
    "settings_sha256": "ef" * 32,
    "version": "1.0.0",
    "commit": "0123456789abcdef" * 2 + "01234567",
    "dirty": False,
    "date": "2025-01-31",
    "epoch": 1_738_281_600,
    "data": {
        "layout": "course",
        "synthetic": "data",
        "sha256": "ab" * 32,
        "description": "SYNTHETIC DATA: a generated data set in the course's layout",
        "about": {"What is invented": "Everything: orders, prices and customers."},
        "files": {"orders.csv": {"bytes": 12_345, "sha256": "cd" * 32}},
    },
    "versions": {"pandas": "3.0.0"},
}
FILES = {
    "findings": "findings.json",
    "figures": "visualizations/figures.json",
    "facts": "run_facts.json",
}


def write_run(out):
    """Write the sample run below `out`; return its folders."""
    folders = Folders(out)
    folders.tables.mkdir(parents=True)
    folders.visualizations.mkdir()
    tables = result_tables()
    contents = {"findings": findings(), "figures": figures(tables), "facts": FACTS}
    extra = tables["departments"].iloc[[-1]].assign(department="extra", lines=0, reorder_rate=0.2)
    tables["departments"] = pd.concat([tables["departments"], extra])
    for name, table in tables.items():
        table.to_csv(folders.tables / f"{name}.csv", index=False, lineterminator="\n")
    Image.new("RGB", (1350, 750), "white").save(folders.visualizations / "picture.png")
    for name, content in contents.items():
        (folders.analysis / FILES[name]).write_text(json.dumps(content), encoding="utf-8")
    return folders


@contextmanager
def changed(folders, name):
    """Let a test change what a file of the run holds."""
    path = folders.analysis / FILES[name]
    content = json.loads(path.read_text(encoding="utf-8"))
    yield content
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folders = write_run(tmp_path_factory.mktemp("run"))
    build.write_report(folders, SETTINGS)
    return folders


@pytest.fixture(scope="module")
def good(run):
    """Give the finished workbook, which is only read: it is opened once."""
    return finished(run)


@pytest.fixture(scope="module")
def book(run):
    """Give the same as openpyxl reads it, formulas as they stand."""
    return load_workbook(run.report)


@pytest.fixture
def fresh(tmp_path):
    return write_run(tmp_path)


def finished(folders):
    return rules.Finished(folders.report, folders.analysis, SETTINGS, NAMES)


def beside(good, path):
    """Open another workbook beside the same results, which are read once."""
    done = replace(good, path=path)
    for name in ("tables", "findings", "figures", "facts"):
        setattr(done, name, getattr(good, name))
    return done


def check(folders):
    """Build the report and check it against every rule."""
    build.write_report(folders, SETTINGS)
    rules.check(folders.report, folders.analysis, SETTINGS, NAMES)


def texts_of(sheet):
    return [cell.value for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]


def table_of(sheet, name):
    """List the rows of an Excel table, its header first."""
    return [[cell.value for cell in row] for row in sheet[sheet.tables[name].ref]]


# --- the good workbook


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_workbook_meets_the_rule(good, rule):
    rule(good)


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes_anywhere(run, tmp_path):
    code = (
        "import sys; from pathlib import Path; from basket.report.workbook import build; "
        "from basket.project.folders import Folders; "
        "from basket.project.settings import load_settings; "
        "build.write_report(Folders(Path(sys.argv[1])), "
        "load_settings(Path(sys.argv[2])), Path(sys.argv[3]))"
    )
    arguments = (sys.executable, "-c", code, run.out, ROOT / "settings.yml")
    expected = sha256(run.report.read_bytes()).hexdigest()
    for zone, seed in (("Asia/Tokyo", "7"), ("America/New_York", "123")):
        path = tmp_path / f"{seed}.xlsx"
        done = run_command(*arguments, path, TZ=zone, PYTHONHASHSEED=seed, PYTHONPATH=SCRIPTS)
        assert done.returncode == 0, done.stderr
        assert sha256(path.read_bytes()).hexdigest() == expected


def test_the_open_xml_sdk_finds_no_error(run):
    reason = rules.validates(run.report)
    if reason:
        pytest.skip(reason)


@pytest.mark.slow
def test_libreoffice_converts_it_without_errors_into_as_many_pages(run, book, tmp_path):
    if not (shutil.which("soffice") and shutil.which("pdftotext")):
        pytest.skip("soffice and pdftotext are not on PATH")
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    to_pdf = ("soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", tmp_path)
    done = run_command(*to_pdf, run.report)
    assert done.returncode == 0, done.stderr
    text = run_command("pdftotext", tmp_path / f"{run.report.stem}.pdf", "-").stdout
    assert not re.search(r"###|Err:|#NAME\?|#REF!", text)
    breaks = sum(len(sheet.row_breaks.brk) + 1 for sheet in book.worksheets)
    assert text.count("\f") == breaks


def test_small_groups_are_suppressed_on_every_sheet(good, book):
    rows = {row[1]: row[2] for row in table_of(book["5. Column derivations"], "tbl_flags")}
    assert (rows["West"], rows["South"], rows["Midwest"]) == ("suppressed", "suppressed", 40)
    rows = dict(table_of(book["8. Chart data"], "tbl_region"))
    assert (rows["West"], rows["South"]) == ("suppressed", "suppressed")
    charts = good.charts().values()
    neutral = [chart for chart in charts if rules.NEUTRAL in rules._text(chart)]
    for drawn in neutral:
        assert "West" not in {one.text for one in drawn.iter(f"{rules.C}v")}
    assert neutral and not any("Regions differ" in rules._text(chart) for chart in charts)
    assert any("not shown" in text for text in texts_of(book["6. Visualizations"]))


def test_a_question_without_a_finding_says_so(book):
    sheet = book["7. Recommendations"]
    tables = [name for name in sheet.tables if name.startswith("tbl_recommendations_")]
    rows = [row for name in tables for row in table_of(sheet, name)]
    assert [row[1] for row in rows if row[0].startswith("Q12")] == ["Not answered by this run."]


def test_tables_that_a_first_version_lacks_may_be_absent(fresh):
    for name in ("tests", "prizes", "segments", "trial_plan", "quiet_windows", "department_times"):
        (fresh.tables / f"{name}.csv").unlink()
    check(fresh)


def test_fabricated_columns_are_announced_and_dollars_are_marked_as_invented(fresh):
    with changed(fresh, "facts") as facts:
        facts["data"] |= {"synthetic": "columns", "layout": "kaggle"}
    check(fresh)
    texts = texts_of(load_workbook(fresh.report)["1. Title Page"])
    assert any("Spend (USD)" in text for text in texts)
    assert any("invented prices" in text for text in texts)


@pytest.mark.parametrize(
    ("unpriced", "said"),
    [
        (5_200, "invented prices (60% of order lines have a price), active customers"),
        (50, "invented prices, active customers"),
    ],
)
def test_the_spend_says_of_how_many_lines_the_price_is_known(unpriced, said):
    missing, tables = SETTINGS.labels.missing, result_tables()
    row = frame("population flag label lines", [("active", "price_range", missing, unpriced)])
    tables["flags"] = pd.concat([tables["flags"], row])
    notes = {tile.label: tile.note for tile in sheet_title.tiles(tables, missing)}
    assert notes["Spend (USD)"] == said


def test_the_title_page_says_what_the_data_is_and_what_is_missing(fresh):
    path = fresh.tables / "completeness.csv"
    path.write_text(path.read_text().replace(",0,100,0.0,", ",88,100,0.88,"))
    with changed(fresh, "facts") as facts:
        facts["data"]["about"] = Origin(None, (), "the course's").about()
    build.write_report(fresh, SETTINGS)
    texts = " ".join(texts_of(load_workbook(fresh.report)["1. Title Page"]))
    for words in (
        "What is real The orders: their days, hours, gaps and baskets",
        "Prices, and customers' ages, incomes, families and states, were made up for a course",
        "four to a hundred orders, all within one year",
        "Histories are incomplete: customers whose order numbers are not 1 to n (88.0%).",
    ):
        assert words in texts, words


def test_real_data_is_not_called_synthetic(fresh):
    with changed(fresh, "facts") as facts:
        facts["data"] |= {"synthetic": "no", "description": "Instacart's data"}
    build.write_report(fresh, SETTINGS)
    rules.texts_are_complete(finished(fresh))


def test_other_data_gives_other_tiles(fresh):
    path = fresh.tables / "orders_by_day.csv"
    path.write_text(path.read_text().replace("active,0,Saturday,200", "active,0,Saturday,900"))
    build.write_report(fresh, SETTINGS)
    rules.tiles_tie_out(finished(fresh))


def test_characters_that_a_workbook_cannot_hold_are_left_out(fresh):
    with changed(fresh, "findings") as found:
        found[0]["action"] = "@cmd \ud800\ufffe\x07 keep 1,600 lines"
    build.write_report(fresh, SETTINGS)
    (cell,) = [
        cell
        for _, cell in finished(fresh).cells()
        if str(cell.value).startswith("@cmd") and cell.parent.title == "Executive Summary"
    ]
    assert cell.value == "@cmd  keep 1,600 lines"
    assert cell.quotePrefix
    rules.cells_are_values(finished(fresh))


@pytest.mark.parametrize("begin", ["=", "+", "-", "@"])
def test_a_title_and_a_heading_are_no_formulas(fresh, monkeypatch, begin):
    """The attack: report.title and the text of a section as a spreadsheet's formula."""
    text = begin + 'HYPERLINK("http://evil.example","open")'
    report = SETTINGS.report.model_copy(update={"title": text})
    section = Page.section
    monkeypatch.setattr(Page, "section", lambda self, said: section(self, begin + said))
    build.write_report(fresh, SETTINGS.model_copy(update={"report": report}))
    cells = [cell for _, cell in finished(fresh).cells() if str(cell.value).startswith(begin)]
    assert any(cell.value == text and cell.coordinate == "A1" for cell in cells)
    texts = [cell for cell in cells if isinstance(cell.value, str)]
    headings = [cell for cell in texts if cell.parent.title != "Monday"]
    assert len(headings) > 20
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in headings)
    rules.cells_are_values(finished(fresh))


def test_a_text_too_long_for_a_cell_is_an_error_not_cut(fresh):
    with changed(fresh, "findings") as found:
        found[0]["headline"] = "long " * 8_000
    with pytest.raises(BasketError, match="does not fit into a cell"):
        build.write_report(fresh, SETTINGS)


def test_a_finding_about_a_small_group_is_withheld(fresh):
    west = {"population": "active", "grouping": "region", "group": "West"}
    with changed(fresh, "findings") as found:
        found[0]["headline"] = "The West orders less"
        found[0]["numbers"] = {"west": number(1, "customers", "habits", "reorder_rate", **west)}
    build.write_report(fresh, SETTINGS)
    book = load_workbook(fresh.report)
    for name in (rules.SUMMARY, rules.ADVICE):
        texts = texts_of(book[name])
        assert "The West orders less" not in texts
        assert any(text.startswith("Withheld") for text in texts)


def test_a_finding_about_groups_of_all_customers_is_refused(fresh):
    south = {"population": "all", "flag": "region", "label": "South"}
    with changed(fresh, "findings") as found:
        found[0]["numbers"] = {"new": number(1, "customers", "flags", "customers", **south)}
    with pytest.raises(BasketError, match=r"F01.*all customers"):
        build.write_report(fresh, SETTINGS)


def test_a_figure_of_groups_of_all_customers_is_refused(fresh):
    with changed(fresh, "figures") as drawn:
        data = next(one["data"] for one in drawn if one["name"] == "region")
        data["columns"].append("population")
        data["rows"] = [[*row, "all"] for row in data["rows"]]
    with pytest.raises(BasketError, match="region: shows groups of all customers"):
        build.write_report(fresh, SETTINGS)


def test_a_picture_with_a_small_group_gives_way_to_a_chart_without_it(fresh):
    with changed(fresh, "figures") as drawn:
        region = next(one for one in drawn if one["name"] == "region")
        region |= {"chart": None, "image": "picture.png"}
    check(fresh)
    assert len([one for *_, one in finished(fresh).drawings() if one]) == 1


@pytest.mark.parametrize("path", ["tables/flags.csv", *FILES.values()])
def test_what_a_stage_has_not_left_is_named(fresh, path):
    (fresh.analysis / path).unlink()
    with pytest.raises(BasketError, match=Path(path).stem):
        build.write_report(fresh, SETTINGS)


def test_a_failed_write_leaves_the_last_report(fresh):
    build.write_report(fresh, SETTINGS)
    before = fresh.report.read_bytes()
    (fresh.tables / "flags.csv").unlink()
    with pytest.raises(BasketError):
        build.write_report(fresh, SETTINGS)
    assert fresh.report.read_bytes() == before
    assert [path.name for path in fresh.client.iterdir()] == [fresh.report.name]


# --- parts


def test_text_is_measured_and_wrapped():
    assert measure_text.wrap("one two three", 1_000) == ["one two three"]
    assert measure_text.wrap("one two", measure_text.text_width("one") + 1) == ["one", "two"]
    assert "".join(measure_text.wrap("w" * 50, 60)) == "w" * 50
    assert measure_text.wrap("a\nb", 100) == ["a", "b"]


def test_the_width_of_a_text_is_that_of_its_letters_in_arial():
    thousandths = 722 + 556 + 222 + 222 + 556  # Hello, by Adobe's metrics of Helvetica
    pixels = thousandths / 1000 * 10 / 0.75
    assert measure_text.text_width("Hello") == pytest.approx(pixels)
    assert measure_text.text_width("Hello", 20) == pytest.approx(2 * pixels)
    assert measure_text.text_width("Hello", bold=True) > 1.05 * pixels


@pytest.mark.parametrize("width", [5, 40, 100, 300])
def test_no_line_is_wider_than_its_cell_and_none_could_hold_more(width):
    text = "a few customers place mmmmmmmmmmmmmmmm orders, again and again, each week"
    lines = measure_text.wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line, after in itertools.pairwise([*lines, ""]):
        assert measure_text.text_width(line) <= width or len(line) == 1
        word = after.split(" ")[0]
        if word and f"{line} {word} " in f"{text} ":
            assert measure_text.text_width(f"{line} {word}") > width


@pytest.mark.parametrize(
    ("value", "held", "number_format", "reads"),
    [
        (7.0, 7, "#,##0", "7"),
        (1234.5, 1234.5, "$#,##0.00", "$1,234.50"),
        (0.256, 0.256, "0.0%", "25.6%"),
        (1e17, 1e17, "0.0", "100,000,000,000,000,000.0"),
        (True, "yes", "0", "yes"),
        (False, "no", "0", "no"),
        (math.nan, "N/A", "0", "N/A"),
        (None, "N/A", "0", "N/A"),
        ("", "–", "0", "–"),
    ],
)
def test_a_cell_holds_what_is_known_and_is_measured_as_it_reads(value, held, number_format, reads):
    found = values.plain(value)
    assert (type(found), found) == (type(held), held)
    assert values.is_number(found) == (not isinstance(held, str))
    assert values.shown(found, number_format) == reads


def test_numbers_that_no_dictionary_knows_have_decimals_where_they_need_them():
    assert not any(map(values.is_number, (math.inf, math.nan, True, "7", None)))
    assert values.number_format("unknown", [1, 2.0, "N/A"]) == "#,##0"
    assert values.number_format("unknown", [1, 2.5]) == "0.00"
    assert [values.number_format_of(one) for one in (3.0, 3.5)] == ["#,##0", "#,##0.00"]
    headings = [values.heading(one) for one in ("rate_low", "rate_high", "ratio", "own_name")]
    assert headings == ["Interval, from", "Interval, to", "Times the others", "Own name"]


def test_repeated_headers_differ():
    assert values.unique(["From", "from", "To"]) == ["From", "from 2", "To"]


def test_per_cents_below_one_keep_a_decimal():
    data = native_charts.Range(Place("s", 1, 3, {"v": 1}), pd.DataFrame({"v": [0.3, 0.004]}))
    assert native_charts._distinct("0%", data, ["v"]) == "0.0%"
    assert native_charts._distinct("0%", data, []) == "0%"


def native(kind, rows, series=("orders",), **chart):
    """Build the native chart of a table of made-up numbers, its row 2 named by the title."""
    table = pd.DataFrame({"group": [f"group {n}" for n in range(rows)]})
    table = table.assign(share=[0.02 * (n + 1) for n in range(rows)])
    for place, name in enumerate(series, 1):
        table[name] = [place * (n + 1.5) for n in range(rows)]
        table[f"{name}_low"], table[f"{name}_high"] = table[name] - 1, table[name] + 2
    columns = {name: place for place, name in enumerate(table, 3)}
    spec = {
        "kind": kind,
        "x": "share" if kind == "scatter" else "group",
        "series": list(series),
        "x_title": "Group",
        "y_title": "Orders",
        "number_format": "0.0",
    }
    said = {"name": "native", "title": "Group 1 is named", "alt": "All groups."}
    said |= {"chart": spec | chart, "highlight": ["group 1"], "name_of": "group"}
    data = native_charts.Range(Place("8. Chart data", 10, 10 + rows, columns), table)
    return native_charts.build(said, data, {"orders": "All orders"}, SETTINGS.palette), table


@pytest.mark.parametrize("kind", native_charts.KINDS)
def test_a_native_chart_draws_the_cells_of_its_table(kind):
    chart, table = native(kind, 5, ("orders", "lines"))
    hues = [one.lstrip("#") for one in ramp(SETTINGS.palette, 2)]
    for series, name, letter, hue in zip(
        chart.series, ("orders", "lines"), "EH", hues, strict=True
    ):
        numbers = (series.yVal if kind == "scatter" else series.val).numRef
        assert numbers.f == f"'8. Chart data'!${letter}$11:${letter}$15"
        assert [float(one.v) for one in numbers.numCache.pt] == table[name].tolist()
        assert series.tx.strRef.f == f"'8. Chart data'!${letter}$10"
        heading = {"orders": "All orders"}.get(name, name)
        assert series.tx.strRef.strCache.pt[0].v == heading
        assert [one.idx for one in series.dPt] == ([] if kind == "line" else [1])
        look = series if kind in ("column", "bar") else series.marker
        assert look.graphicalProperties.solidFill.srgbClr == hue
        if kind in ("line", "scatter"):  # points of a scatter are not joined
            assert bool(series.graphicalProperties.line.noFill) == (kind == "scatter")
    assert (chart.legend.position, chart.legend.overlay) == ("b", False)
    assert native(kind, 5)[0].legend is None


@pytest.mark.parametrize("kind", native_charts.KINDS)
def test_titles_of_a_native_chart_stand_upright_only_beside_an_upright_axis(kind):
    chart, _ = native(kind, 5)

    def look(title):
        (paragraph,) = title.tx.rich.p
        (run,) = paragraph.r
        return run.t, bool(run.rPr.b), bool(title.tx.rich.bodyPr.rot)

    assert look(chart.title) == ("Group 1 is named", True, False)
    assert look(chart.x_axis.title) == ("Group", False, kind == "bar")
    assert look(chart.y_axis.title) == ("Orders", False, kind != "bar")


@pytest.mark.parametrize(("kind", "most"), [("column", 12), ("bar", 30), ("line", 0)])
def test_a_native_chart_has_numbers_at_its_bars_or_lines_to_read_them_by(kind, most):
    for rows, series in ((max(most, 1), ("orders",)), (most + 1, ("orders",)), (3, ("a", "b"))):
        chart, _ = native(kind, rows, series)
        labelled = bool(chart.dataLabels and chart.dataLabels.showVal)
        assert labelled == (0 < rows <= most and len(series) == 1)
        assert bool(chart.y_axis.majorGridlines) == (not labelled)
        if kind != "line":
            assert chart.y_axis.scaling.min == 0


@pytest.mark.parametrize(
    ("kind", "low", "high", "least", "most"),
    [
        ("line", 50, 62, 50, 62),
        ("line", 20, 62, 0, 62),
        ("column", 50, 62, 0, 62),
        ("column", -3, 62, -3, 62),
        ("line", math.nan, math.nan, None, None),
    ],
)
def test_an_axis_reaches_over_intervals_and_little_further(kind, low, high, least, most):
    axis = native(kind, 5)[0].y_axis
    axis.scaling.min = axis.scaling.max = None
    ends = pd.DataFrame({"orders_low": [low, high - 1], "orders_high": [low + 1, high]})
    native_charts._make_room_for_intervals(axis, kind, {"orders": list(ends)}, ends)
    found = axis.scaling.min, axis.scaling.max
    if least is None:
        assert found == (None, None)
        return
    assert found[0] <= least and most <= found[1]
    assert least - found[0] < axis.majorUnit and found[1] - most < axis.majorUnit
    assert 4 <= (found[1] - found[0]) / axis.majorUnit <= 8


def test_points_of_shares_stand_on_an_axis_to_100_per_cent():
    axis = native("scatter", 5)[0].x_axis
    assert (axis.scaling.min, axis.scaling.max, axis.numFmt.formatCode) == (0, 1, "0%")
    axis = native("scatter", 5, is_log=True)[0].x_axis
    assert (axis.scaling.logBase, axis.scaling.min, axis.scaling.max) == (10, 0.01, 1)
    axis = native("scatter", 60)[0].x_axis  # beyond 1: no shares
    assert (axis.scaling.min, axis.scaling.max, axis.numFmt.formatCode) == (0, None, "#,##0")
    assert native_charts._on_log(pd.Series([0.02, 0.1, 1.0])) == pytest.approx(
        [math.log10(2) / 2, 0.5, 1]
    )
    assert native_charts._scaled(pd.Series([1, 2, 4])) == [0.25, 0.5, 1]
    assert native_charts._scaled(pd.Series([0, 0])) == [0, 0]


# --- Monday


def test_the_governing_thought_names_the_largest_and_the_smallest_prize(book):
    texts = texts_of(book[rules.MONDAY])
    thought = (
        "Bring late customers back sooner: 10% of the late returns a day sooner would be 0.8% more "
        "spend; 10% more orders in the quiet windows would be 0.7%."
    )
    start = next(place for place, text in enumerate(texts) if text.startswith("Bring"))
    assert " ".join(texts[start : start + 2]).startswith(thought)


def test_monday_names_the_action_of_each_lever_then_what_to_leave(good):
    _, *rows = table_of(good.book[rules.MONDAY], "tbl_first_actions")
    day_sooner, quiet, plan = rows
    assert day_sooner[1:3] == ["Keep 1,600 lines in stock.", "A day sooner is worth most"]
    assert day_sooner[3:9] == ["●●● High", "To be tried", 8, 500, 0.008, 480]
    assert quiet[1:3] == ["Try it at 20:00, with a control group.", "Orders are few at 20:00"]
    assert quiet[3:9] == ["●●● High", "To be tried", 7, 420, 0.00672, 70]
    assert plan[4:8] == ["Plan", "–", "–", "–"]
    _, *rows = table_of(good.book[rules.MONDAY], "tbl_leave_out")
    assert [row[:3] for row in rows] == [["Q7", "Do not target by region.", "No region differs"]]


def test_the_what_if_names_each_lever_in_words(book):
    _, *rows = table_of(book[rules.MONDAY], "tbl_what_if")
    assert [row[0] for row in rows] == [
        "Late returns a day sooner",
        "More orders in the quiet windows",
    ]


USED = {"more_orders": 0.2, "one_more_line": 0.1, "add_other": 0.05, "sooner": 0.3}
USED |= {"reach": 0.5, "contact": 1.5, "margin": 0.25}
OF_RUN = what_if.Facts(90_000.0, 1_500, 8.0, (5.0, 3.0), (40.0, 30.0), 15.7)
LEVER_ROWS = {  # orders of 60 dollars; a line of 7.5
    "quiet windows": {"base_orders": 400, "base_spend": 24_000.0, "spend": 2_400.0, "change": 0.1},
    "sooner": {"base_orders": 400, "base_spend": 24_000.0, "spend": 1.0, "change": 0.1},
    "one more line": {"base_orders": 1_500, "base_spend": 90_000.0, "spend": 9.0, "change": 0},
    "both": {"base_orders": 400, "base_spend": 24_000.0, "spend": 9.0, "change": 0},
}


def lever_of(name, used=USED, **changed):
    row = {"lever": name, "days_per_order": 10.0} | LEVER_ROWS[name] | changed
    return what_if.Lever(pd.Series(row), used, OF_RUN)


@pytest.mark.parametrize(
    ("name", "orders", "dollars"),
    [
        ("quiet windows", 400 * 0.2 * 0.5, 400 * 0.2 * 0.5 * 60),
        ("sooner", 400 * 0.3 / 10 * 0.5, 400 * 0.3 / 10 * 0.5 * 60),
        ("one more line", 1_500 * 0.1 * 0.5 / 8, 1_500 * 0.1 * 0.5 * 7.5),
        ("both", 400 * 0.05 * 0.5 / 8, 400 * 0.05 * 0.5 * 7.5),
    ],
)
def test_what_a_lever_adds_is_arithmetic_on_what_it_touches(name, orders, dollars):
    lever = lever_of(name)
    assert lever.more_orders().result == pytest.approx(orders)
    assert lever.more_dollars().result == pytest.approx(dollars)
    assert lever.share_of_spend().result == pytest.approx(dollars / 90_000)
    touched = LEVER_ROWS[name]["base_orders"]
    assert lever.left().result == pytest.approx(dollars * 0.25 - touched * 0.5 * 1.5)
    spread, lift = 30 / 40 if lever.adds_lines else 3 / 5, orders / (1_500 * 0.5)
    assert lever.trial().result == pytest.approx(15.7 * spread**2 / lift**2)


CHANGED = {
    "quiet windows": "more_orders",
    "sooner": "sooner",
    "one more line": "one_more_line",
    "both": "add_other",
}


@pytest.mark.parametrize("name", LEVER_ROWS)
def test_at_the_change_that_breaks_even_nothing_is_left(name):
    change = lever_of(name).break_even().result
    left = lever_of(name, USED | {CHANGED[name]: change}).left().result
    assert change > 0 and left == pytest.approx(0, abs=1e-6)
    assert lever_of(name, USED | {CHANGED[name]: 1.1 * change}).left().result > 0
    assert lever_of(name, USED | {"margin": 0}).break_even().result == "never"


def test_the_what_if_starts_from_all_orders_of_active_customers():
    tables = result_tables()
    found = what_if.facts(tables, SETTINGS)
    assert (found.orders, found.spend, found.lines_per_order) == (1_000, 62_500.0, 8)
    assert (found.orders_in_trial, found.lines_in_trial) == ((5, 3), None)
    assert found.factor == pytest.approx(2 * (1.959964 + 0.841621) ** 2, rel=1e-5)
    other = trial_plan().assign(customers_here=["suppressed", 90, 200], mean_outcome=[1, 2, 3])
    assert what_if.facts(tables | {"trial_plan": other}, SETTINGS).orders_in_trial == (3, 3)
    for plan in (None, other[:0], other[:1], other.assign(outcome="order lines")):
        assert what_if.facts(tables | {"trial_plan": plan}, SETTINGS).orders_in_trial is None
    assert what_if.facts(tables | {"trial_plan": plan}, SETTINGS).lines_in_trial == (3, 3)


def test_what_is_not_known_of_a_lever_is_not_worked_out():
    without_price = lever_of("quiet windows", base_spend=None)
    assert without_price.more_orders().result == pytest.approx(40)
    assert [
        getattr(without_price, one)() for one in ("more_dollars", "share_of_spend", "left")
    ] == [None] * 3
    assert without_price.break_even() is None
    assert lever_of("quiet windows", USED | {"more_orders": 0}).trial().result == "never"


def test_findings_come_in_the_order_of_their_prizes_then_of_their_kinds():
    levers = pd.DataFrame(
        [("sooner", 0.2, 0.3), ("quiet windows", None, 0.25), ("both", 0.1, 0.9)],
        columns=["lever", "share_of_spend", "share_of_orders"],
    )

    def found(question, lever="", kind="description", basis="design", **more):
        prize = {"lever": lever, **more}
        return {"question": question, "prize": prize, "kind": kind, "action_basis": basis}

    findings = [
        found("Q9"),
        found("Q8", kind="not answered"),
        found("Q7", basis="none"),
        found("Q6", kind="difference"),
        found("Q5", share_of_spend=0.4),
        found("Q4", "both"),
        found("Q3", "sooner"),
        found("Q2", "quiet windows"),
        found("Q1"),
    ]
    order = [one["question"] for one in ranking.ranked(findings, levers)]
    assert order == ["Q2", "Q3", "Q4", "Q6", "Q5", "Q1", "Q9", "Q7", "Q8"]
    assert [one["question"] for one in ranking.to_do(findings, levers)] == order[:-2]
    less = found("Q10") | {"touches": [{"direction": "less"}]}
    alike = found("Q11", kind="no practical difference")
    undecided = found("Q12", kind="undecided", basis="none")
    assert ranking.to_leave([*findings, less, alike, undecided]) == [less, alike]
    assert ranking.to_do([less], levers) == []


def test_a_lever_that_no_finding_names_is_an_action_of_its_own(fresh):
    with changed(fresh, "findings") as found:
        for finding in found:
            finding["prize"].pop("lever", None)
    check(fresh)
    _, *rows = table_of(load_workbook(fresh.report)[rules.MONDAY], "tbl_first_actions")
    assert [row[1] for row in rows[:2]] == [
        "Try a reminder to each customer once that customer's own usual gap has passed, against a "
        "control group.",
        "Try advertisements in the quiet windows, against a control group.",
    ]


def test_monday_pulls_no_lever_of_which_a_finding_says_that_no_action_follows(fresh):
    with changed(fresh, "findings") as found:
        for finding in found:
            if finding["headline"] == "A day sooner is worth most":
                finding |= {"action": "No action follows.", "action_basis": "none"}
    check(fresh)
    sheet = load_workbook(fresh.report)[rules.MONDAY]
    _, *rows = table_of(sheet, "tbl_first_actions")
    assert rows[0][1] == "Try it at 20:00, with a control group."
    assert any(text.startswith("Fill the quiet windows: 10% more") for text in texts_of(sheet))
    assert not any("back sooner:" in text for text in texts_of(sheet))


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({}, "only more orders in the quiet windows would pay"),
        ({"quiet windows": -1}, "none of the changes sized would pay"),
        ({"sooner": 1}, "each of the changes sized would pay"),
    ],
)
def test_monday_says_which_levers_would_pay_at_the_presets(left, said):
    levers = prizes()
    for name, dollars in left.items():
        levers.loc[levers["lever"] == name, "left_after_cost"] = dollars
    found = sheet_monday.what_pays(findings(), ranking.by_worth(levers))
    assert found == f"At the preset cost of a contact and margin, guesses of ours, {said}."


def test_without_prices_nothing_is_said_to_pay(book):
    unknown = ranking.by_worth(prizes().assign(left_after_cost="", share_of_spend=""))
    assert sheet_monday.what_pays(findings(), unknown) == ""
    pays = "At the preset cost of a contact and margin, guesses of ours, only more orders in the"
    assert any(text.startswith(pays) for text in texts_of(book[rules.MONDAY]))


def test_what_is_not_worth_a_tenth_of_a_per_cent_is_not_in_the_governing_thought(fresh):
    path = fresh.tables / "prizes.csv"
    levers = pd.read_csv(path)
    levers.loc[levers["lever"] == "quiet windows", ["spend", "share_of_spend"]] = 2.1, 0.000034
    levers.to_csv(path, index=False, lineterminator="\n")
    build.write_report(fresh, SETTINGS)
    texts = " ".join(texts_of(load_workbook(fresh.report)[rules.MONDAY]))
    assert "would be 0.8% more spend" in texts and "would be 0.0%" not in texts


@pytest.mark.parametrize(
    ("given", "used"), [(5, 1), (-3, 0), ("a tenth", 0.1), (None, 0.1), (0.4, 0.4)]
)
def test_an_input_outside_of_its_limits_gives_a_message_and_no_error(good, given, used):
    places = {name: one.attr_text[-4:] for name, one in good.book.defined_names.items()}
    cells = {name: place.replace("$", "").lstrip("!") for name, place in places.items()}
    found = rules.work_out(good, {"in_more_orders": given})
    assert found[rules.MONDAY, cells["used_more_orders"]] == used
    said = [value for value in found.values() if isinstance(value, str) and value != "as entered"]
    assert bool(said) == (given != used)
    assert all(isinstance(value, str) or math.isfinite(value) for value in found.values())


def test_nobody_reached_at_no_margin_divides_by_nothing(good):
    zero = dict.fromkeys(("in_more_orders", "in_sooner", "in_reach", "in_contact", "in_margin"), 0)
    found = rules.work_out(good, zero).values()
    assert "never" in found
    assert all(isinstance(value, str) or math.isfinite(value) for value in found)


@pytest.mark.slow
def test_libreoffice_works_out_the_same_from_formulas_without_results(run, good, tmp_path):
    if not shutil.which("soffice"):
        pytest.skip("soffice is not on PATH")
    bare = mutate(run.report, tmp_path / "bare.xlsx", sheet(rules.MONDAY), DROP_RESULTS)
    stored = load_workbook(bare, data_only=True)[rules.MONDAY]
    assert all(stored[cell].value is None for name, cell in good.formulas)
    (tmp_path / "out").mkdir()
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    to_xlsx = ("soffice", profile, "--headless", "--convert-to", "xlsx", "--outdir")
    result = run_command(*to_xlsx, tmp_path / "out", bare)
    assert result.returncode == 0, result.stderr
    there = load_workbook(tmp_path / "out" / "bare.xlsx", data_only=True)[rules.MONDAY]
    here = good.book[rules.MONDAY]
    for _, cell in good.formulas:
        expected, found = here[cell].value, there[cell].value
        same = (
            found == expected
            if isinstance(expected, str)
            else math.isclose(found, expected, rel_tol=1e-9)
        )
        assert same, f"{cell}: {found} in LibreOffice, {expected} in the file"


def test_dangerous_texts_of_findings_stay_texts_on_monday(fresh):
    with changed(fresh, "findings") as found:
        found[4]["action"] = "=HYPERLINK(1,2) try"
        found[6]["action"] = "+cmd|'/c calc'!A1"
    build.write_report(fresh, SETTINGS)
    done = finished(fresh)
    rules.cells_are_values(done)
    texts = texts_of(done.book[rules.MONDAY])
    assert {"=HYPERLINK(1,2) try", "+cmd|'/c calc'!A1"} <= set(texts)


def test_what_cannot_be_answered_is_said_once(fresh):
    with changed(fresh, "findings") as found:
        for finding in found:
            finding |= {"kind": "not answered", "headline": "Not answered: nobody is active"}
            finding |= {"action_basis": "none", "touches": [], "prize": None}
    (fresh.tables / "prizes.csv").unlink()
    check(fresh)
    book = load_workbook(fresh.report)
    _, *rows = table_of(book[rules.SUMMARY], "tbl_key_messages")
    assert [row[1] for row in rows] == ["Not answered: nobody is active"]
    assert "No action follows from this data." in texts_of(book[rules.MONDAY])


# --- the record and the week


def test_the_flow_says_who_left_between_two_tables(book):
    _, *rows = table_of(book[rules.FLOW], "tbl_population_flow")
    assert ["Leave out customers without prior orders", "Customers", 140, 0, 5, 0, 135] in [
        row[:7] for row in rows
    ]


def test_the_boxes_of_the_flow_stand_beside_each_other_with_the_excluded_below(book):
    sheet = book[rules.FLOW]
    places = {cell.value: cell.coordinate for row in sheet["A7:K16"] for cell in row}
    for title, place in {
        "As received": "A7",
        "Cleaned": "D7",
        "Merged": "G7",
        "After exclusions": "J7",
        "↓": "H12",
        "Excluded: low activity": "G13",
    }.items():
        assert places[title] == place
    arrows = [cell.coordinate for row in sheet["A7:K16"] for cell in row if cell.value == "→"]
    assert arrows == ["C9", "F9", "I9"]

    def box(columns, first, last):
        return {
            row[0].value: row[-1].value for row in sheet[f"{columns[0]}{first}:{columns[1]}{last}"]
        }

    assert box("AB", 8, 11) == {
        "Order lines": 9_000,
        "Orders": 1_200,
        "Customers": 140,
        "Products": 30,
    }
    assert box("JK", 8, 10) == {"Order lines": 8_000, "Orders": 1_000, "Customers": 120}
    assert box("GH", 14, 16) == {"Order lines": 1_000, "Orders": 60, "Customers": 15}


def test_where_few_customers_were_left_out_only_what_remains_is_boxed():
    page = Book(SETTINGS, "").page(rules.FLOW, "Population flow", sheet_record.FLOW_WIDTHS)
    sheet_record._write_boxes(page, population_flow(), few=True)
    assert texts_of(page.sheet)[-4:] == ["After exclusions", "Order lines", "Orders", "Customers"]
    assert not {"As received", "Cleaned", "Merged", "→", "↓"} & {*texts_of(page.sheet)}


def test_the_tests_shown_are_of_whole_groupings_as_they_are():
    tests = comparisons().assign(adjusted_for="", id=range(4))
    more = [("region", "reorders", "spend"), ("region", "reorders", "")]
    more += [("region within loyalty_flag", "reorders", ""), ("region", "share of bulk", "")]
    more += [("region", "orders in the morning", "")]
    rows = [
        {"grouping": a, "measure": b, "adjusted_for": c, "id": n}
        for n, (a, b, c) in enumerate(more, 10)
    ]
    chosen = sheet_notes.chosen_tests(pd.concat([tests, pd.DataFrame(rows)]))
    assert chosen["id"].tolist() == [0, 11]


def test_the_reason_of_a_difference_follows_from_what_went_in():
    published = {"raw_products": 49_693, "raw_lines": 32_434_489, "raw_customers": 206_209}

    def reason(name, rules_in_force="corrected", **received):
        rows = [
            (rules_in_force, "read", table, n, 0, 0, 0, n, "")
            for table, n in (published | received).items()
        ]
        rows += [(rules_in_force, "drop exact duplicates", "products", 1, 0, 0, 0, 49_688, "")]
        flow = pd.DataFrame(rows, columns=FLOW)
        return sheet_record.compared(flow, rules_in_force, "no").set_index("figure")["why"][name]

    assert reason("Products as received") == "The same."
    assert reason("Products after cleaning").startswith("Products without a name are kept")
    assert reason("Products after cleaning", raw_lines=5).startswith("Products without a name")
    assert reason("Order lines as received", raw_lines=5).startswith("A part of the published")
    assert reason("Products after cleaning", raw_products=5).startswith("A part")
    assert (
        reason("Products after cleaning", "course") == "Differs, though the input files are alike."
    )


def test_days_that_read_alike_share_a_row():
    shares = pd.DataFrame(
        {"Night": [0.2, 0.3, 1.0], "Evening": [1.4, 1.6, 0.9]},
        index=["Saturday", "Sunday", "Monday"],
    )
    steps = [1.05, 1.15, 1.3]
    classes, table = sheet_week.grid(shares, steps)
    assert classes == [(-2, 2), (0, -1)]
    assert table.to_numpy().tolist() == [
        ["Saturday and Sunday", "far fewer: 70% to 80% fewer", "far more: 40% to 60% more"],
        ["Monday", "as usual", "fewer: 10% fewer"],
    ]
    assert sheet_week.in_words(-1, pd.Series([0.7726]), steps) == "fewer: 22.7% fewer"
    assert sheet_week.in_words(-2, pd.Series([0.7674]), steps) == "far fewer: 23% fewer"
    _, one_part = sheet_week.grid(shares[["Night"]].set_axis(["Day"], axis=1), steps)
    assert one_part.columns.tolist() == [0, "Day"]  # the name of the part is no other column's


@pytest.mark.parametrize(
    ("ratio", "shade"), [(1, 0), (1.049, 0), (1.05, 1), (1.3, 2), (0.96, 0), (0.95, -1), (0.7, -2)]
)
def test_a_ratio_is_classed_by_the_thresholds_of_effects(ratio, shade):
    assert sheet_week.class_of(ratio, [1.05, 1.15, 1.3]) == shade


def test_the_legend_of_the_week_says_both_sides_as_days_are_classed():
    steps = [1.05, 1.15, 1.3]
    assert sheet_week.legend(steps) == (
        "More: from 5%; far more: from 30%; fewer: from 5%; far fewer: from 23%."
    )
    assert [sheet_week.class_of(ratio, steps) for ratio in (0.77, 0.76)] == [-1, -2]
    assert sheet_week.legend([1.005, 1.01, 1.015]) == (
        "More: from 0.5%; far more: from 1.5%; fewer: from 0.5%; far fewer: from 1.5%."
    )


def test_the_quietest_windows_are_said_for_days_that_share_them():
    assert sheet_week.quietest(windows(), SETTINGS) == (
        "Quietest while people are awake (07:00–23:00 by our reading): Every day 20:00–23:00, 50% "
        "fewer than an average waking window. Chosen on one half of the customers, measured on the "
        "other."
    )
    some = windows()
    some.loc[[0, 1], ["from_hour", "to_hour"]] = 6, 9
    some.loc[3, "index"] = 0.4
    some.loc[6, "is_quiet"] = "no"
    said = sheet_week.quietest(some, SETTINGS)
    assert f"{DAYS[0]} and {DAYS[1]} 06:00–09:00, 50% fewer" in said
    assert f"{DAYS[2]} to {DAYS[5]} 20:00–23:00, 50% to 60% fewer" in said
    assert sheet_week.quietest(None, SETTINGS) == ""
    assert sheet_week.quietest(some.assign(is_quiet="no"), SETTINGS) == ""


def test_orders_of_a_week_are_against_its_average_hour():
    even = [("active", day, hour, 2) for day in range(7) for hour in range(24)]
    orders = frame("population day hour orders", [*even, ("all", 0, 0, 999)])
    assert (sheet_week.orders_against_usual(orders, SETTINGS) == 1).all(axis=None)
    first, last = SETTINGS.dayparts["Night"]
    orders.loc[(orders["day"] == 2) & orders["hour"].between(first, last), "orders"] = 0
    found = sheet_week.orders_against_usual(orders, SETTINGS)
    hours = last - first + 1
    usual = 2 * (7 * 24 - hours) / (7 * 24)
    assert found.loc[DAYS[2], "Night"] == 0
    assert found.loc[DAYS[3]].tolist() == pytest.approx([2 / usual] * len(SETTINGS.dayparts))
    assert sheet_week.orders_against_usual(orders.assign(orders=0), SETTINGS) is None


def test_only_proven_goods_stand_in_the_week(book):
    rows = table_of(book[rules.ADVICE], "tbl_ad_week")
    assert rows[-2] == ["Sells more then", "nothing proven", "snacks", *["nothing proven"] * 2]
    assert rows[-1] == ["Who orders more", *["no segment confirmed"] * 4]


def test_groups_carry_the_intervals_of_comparisons_with_the_others(book):
    header, *rows = table_of(book[rules.SEGMENTS], "tbl_groups")
    loyal = dict(zip(header, next(row for row in rows if row[1] == "Loyal customer"), strict=True))
    assert (loyal["value, from"], loyal["value, to"], loyal["rate, to"]) == (-0.03, 0.08, "–")
    assert not {"West", "South"} & {row[1] for row in rows}  # 5 customers, and what gives them away
    texts = texts_of(book[rules.SEGMENTS])
    assert any(
        re.match(r"\d+ of \d+ groups are left out: they are of fewer than 11", text)
        for text in texts
    )


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("names are not kept (D-14)", "names are not kept"),
        ("Follows from the merge (D-04, D-05).", "Follows from the merge."),
        ("the days (RULES=course: most lines)", "the days (the course's rules: most lines)"),
        ("exported as the sample low_activity_customers", None),
    ],
)
def test_the_record_speaks_plainly(text, plain):
    found = plain_words.plain_words(text)
    assert found == (plain or "exported as the sample of customers of low activity")
    assert not rules.BANNED.search(found)


def test_names_of_points_do_not_cover_each_other():
    sides = native_charts.sides_with_room([0.5, 0.51, 0.05, 0.99], [0.5, 0.5, 0.1, 0.9])
    assert (sides[0], sides[1], sides[2], sides[3]) == ("l", "r", "r", "l")


@pytest.mark.parametrize("seed", range(8))
def test_figures_fill_as_few_pages_as_there_can_be(seed):
    rng = random.Random(seed)
    heights = [rng.uniform(100, 420) for _ in range(9)]
    pages = sheet_figures.evenly(heights, 680, 60)
    assert [place for page in pages for place in page] == list(range(9))
    used = [sum(heights[place] for place in page) for page in pages]
    assert used[0] <= 620 and all(height <= 680 for height in used)
    fewest = min(
        len(ends) + 1
        for count in range(9)
        for ends in itertools.combinations(range(1, 9), count)
        if all(
            sum(heights[a:b]) + (60 if a == 0 else 0) <= 680
            for a, b in itertools.pairwise([0, *ends, 9])
        )
    )
    assert len(pages) == fewest


@pytest.mark.parametrize(
    ("values", "number_format", "unit"),
    [
        ([3, 9_999], "#,##0", ""),
        ([3, 10_000], "0.0,", "thousands"),
        ([3, -99_999], "0.0,", "thousands"),
        ([3, 100_000], "0,", "thousands"),
        ([0.25, 1], "0%", "per cent"),
        ([0.25, -9.99], "0.00", ""),
        ([0.25, 10.01], "0.0", ""),
        (["suppressed", 7], "#,##0", ""),
        ([], "#,##0", ""),
    ],
)
def test_numbers_of_a_heat_map_fit_into_its_narrow_cells(values, number_format, unit):
    found, note = sheet_figures.heat_format(values)
    assert found == number_format
    assert unit in note and bool(note) == bool(unit)


def test_a_heat_map_shows_its_counts_in_one_format_with_shares_beside_and_below(book):
    sheet = book[rules.FIGURES]
    header, *rows, below = sheet[sheet.tables["tbl_heat_heat"].ref]
    assert [cell.value for cell in header] == ["Day", *map(str, range(24)), "All"]
    orders = orders_by_day_hour().pivot(index="day", columns="hour", values="orders").fillna(0)
    shares = orders.sum(axis=1) / orders.to_numpy().sum()
    for day, (name, *cells, share) in zip(range(7), rows, strict=True):
        assert name.value == DAYS[day] and [one.value for one in cells] == orders.loc[day].tolist()
        assert {one.number_format for one in cells} == {"#,##0"}
        assert (share.number_format, share.value) == ("0.0%", pytest.approx(shares[day]))
    assert [one.value for one in below[1:-1]] == pytest.approx(
        (orders.sum() / orders.to_numpy().sum()).tolist()
    )
    assert (below[0].value, below[-1].value) == ("All", 1)
    framed = [one.value for one in rows[1] if one.border.top and one.border.top.style]
    assert framed == orders.loc[1, [20, 21]].tolist()


@pytest.mark.parametrize(
    ("name", "number_format"),
    [("value", "$0.00"), ("parts", "0.0%"), ("ages", "0.0%"), ("days", "#,##0")],
)
def test_the_numbers_of_a_chart_have_its_format_on_their_sheet(book, name, number_format):
    sheet = book[rules.CHART_DATA]
    _, *rows = sheet[sheet.tables[f"tbl_{name}"].ref]
    assert {cell.number_format for _, *cells in rows for cell in cells} == {number_format}


def test_each_figure_stands_beside_the_words_that_say_what_it_shows(book):
    sheet = book[rules.FIGURES]
    drawings = sorted([*sheet._charts, *sheet._images], key=lambda one: one.anchor._from.row)
    shown = [name for name in TITLES if name != "heat"]
    for drawing, name in zip(drawings, shown, strict=True):
        place = drawing.anchor._from
        label, question = (sheet.cell(place.row + 1 + below, 1).value for below in (0, 1))
        assert label.startswith(f"Figure {list(TITLES).index(name) + 1}  ·  {TITLES[name][0]}  ")
        assert question.endswith("?") and place.col == 1
        bottom = drawing.anchor.ext.height / 12_700
        row = place.row + 1
        while bottom > 0:
            assert row == place.row + 1 or not f"{sheet.cell(row, 1).value}".startswith("Figure ")
            bottom -= sheet.row_dimensions[row].height
            row += 1


def rows_of(heights, together=(), starts=(), room=100.0, repeated=0):
    """Make what `breaks` looks at of a page."""
    return SimpleNamespace(
        heights=dict(enumerate(heights, 1)),
        together=list(together),
        page_starts=set(starts),
        page_height=room,
        repeated=repeated,
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_page_ends_where_nothing_is_cut_and_what_follows_has_no_room(seed):
    rng = random.Random(seed)
    blocks, rows = [], 0
    while rows < 40:
        rows += (size := rng.choice((1, 1, 2, 5)))
        blocks.append((rows - size + 1, rows))
    heights = [float(rng.randint(5, 20)) for _ in range(rows)]
    starts = {first for first, _ in blocks if rng.random() < 0.1}
    found = print_setup.breaks(rows_of(heights, blocks, starts), rows)
    assert set(found) <= {end for _, end in blocks[:-1]}
    assert {first - 1 for first in starts - {1}} <= set(found)
    for start, end, after in zip([0, *found], [*found, rows], [*found[1:], rows, 0], strict=False):
        assert 0 < sum(heights[start:end]) <= 100
        if end < rows and end + 1 not in starts:
            (following,) = (last for first, last in blocks if first == end + 1)
            assert sum(heights[start:following]) > 100 and after > end


def test_rows_that_overlap_stay_together_and_a_page_may_start_within_them():
    tall = [60.0, 30.0, 30.0, 30.0, 30.0]
    assert print_setup.breaks(rows_of(tall), 5) == [2]
    assert print_setup.breaks(rows_of(tall, [(2, 3), (3, 4)]), 5) == [1, 4]
    assert print_setup.breaks(rows_of(tall, [(2, 4)], {3}), 5) == [2]
    assert print_setup.breaks(rows_of([60.0, 200.0, 30.0]), 3) == [1, 2]
    assert print_setup.breaks(rows_of([200.0, 30.0]), 2) == [1]
    assert print_setup.breaks(rows_of([]), 5) == [] != print_setup.breaks(rows_of([]), 8)


def test_a_repeated_header_takes_room_on_the_pages_below_it_alone():
    rows = [30.0, 20.0, *[10.0] * 18]
    assert print_setup.breaks(rows_of(rows), 20) == [7, 17]
    assert print_setup.breaks(rows_of(rows, repeated=2), 20) == [7, 15]
    assert print_setup.breaks(rows_of(rows, starts={2}, repeated=2), 20) == [1, 10, 18]


@pytest.mark.parametrize(
    ("least", "step"),
    [(0.021, 0.025), (0.19, 0.2), (1, 1), (17.3, 20), (26_000, 50_000), (0.3, 0.5), (0, 1)],
)
def test_axes_take_round_steps(least, step):
    assert native_charts.round_step(least) == step


def test_a_table_shows_another_decimal_only_where_there_is_one():
    assert native_charts.precise("0.0", [1.71, 0.97]) == "0.00"
    assert native_charts.precise("0.0", [15.0, 7.5, 4]) == "0.0"
    assert native_charts.precise("0%") == "0.0%"
    assert native_charts.precise("$0.00", [1.234]) == "$0.00"


# --- mutants: the checker must reject each


def mutate(source, target, part="", edit=None, dates=True, extra=()):
    """Copy a workbook with an edit of some parts, which must change, and with `extra` parts."""
    changes = 0
    with ZipFile(source) as good, ZipFile(target, "w") as bad:
        for info in good.infolist():
            content = good.read(info.filename)
            if re.fullmatch(part, info.filename):
                edited = edit(content.decode()).encode()
                changes += edited != content
                content = edited
            info.compress_type = ZIP_STORED  # faster
            bad.writestr(info if dates else info.filename, content)
        for name in extra:
            bad.writestr(name, "x")
    assert changes or not part, f"the mutant is no mutant: {part}"
    return target


def swap(old, new, count=1):
    return lambda text: text.replace(old, new, count)


def first(pattern, new):
    return lambda text: re.sub(pattern, new, text, count=1, flags=re.DOTALL)


def last(old, number):
    return lambda text: f't="n"><v>{number}</v>'.join(text.rsplit(old, 1))


def turn_on(option):
    return swap(f'<{option} val="0"', f'<{option} val="1"')


def every(pattern, new):
    return lambda text: re.sub(pattern, new, text)


def sheet(name):
    return rf"xl/worksheets/sheet{rules.SHEETS.index(name) + 1}\.xml"


def chart(number):
    return rf"xl/charts/chart{number}\.xml"


STRINGS, CHART = r"xl/worksheets/sheet\d+\.xml", chart(1)
DRAWING = r"xl/drawings/drawing1\.xml"
TABLES = r"xl/tables/table\d+\.xml"
WORKBOOK, STYLES, CORE = r"xl/workbook\.xml", r"xl/styles\.xml", r"docProps/core\.xml"
MARKED_HEAD = r'(<c r="A\d+")( s="\d+")([^>]*><is><t>Saturday</t>)'
NUMBER = r'(<c r="[A-Z]+\d+"[^>]*>)<v>\d+</v>'
SUPPRESSED = 't="inlineStr"><is><t>suppressed</t></is>'
LEAVERS = "Leave out customers without prior orders"
DROP_RESULTS = every("(</f>)<v>[^<]*</v>", r"\1")
FIRST_CELL = '<c r="A1"[^>]*>.*?</c>'

MUTANTS = {
    rules.charts_are_sound: {
        "axis deleted": (CHART, turn_on("delete")),
        "axis without title": (CHART, swap("<a:t>Value (USD)</a:t>", "<a:t></a:t>")),
        "bars not from 0": (CHART, first(r'<min val="0[.0]*"', '<min val="90"')),
        "title over the plot": (CHART, turn_on("overlay")),
        "title too short": (CHART, swap("Saturday takes 200 orders", "Saturdays")),
        "pie": (CHART, swap("barChart", "pieChart", -1)),
        "smooth line": (chart(2), turn_on("smooth")),
        "colour of nobody's palette": (CHART, swap("0072B2", "FF00FF", -1)),
        "rainbow bars": (CHART, turn_on("varyColors")),
        "upside down": (chart(3), swap('<orientation val="maxMin"', '<orientation val="minMax"')),
    },
    rules.charts_draw_the_cells: {
        "cache of another number": (CHART, swap("<v>200</v>", "<v>201</v>"))
    },
    rules.drawings_are_described: {
        "alt text emptied": (DRAWING, first('descr="[^"]+"', 'descr=""')),
        "alt text repeated": (
            DRAWING,
            every('descr="[^"]+"', f'descr="{"the same words again " * 3}"'),
        ),
        "image blurred": (
            DRAWING,
            every(r'(<(?:xdr:)?ext )cx="(\d+)" cy="(\d+)"', r'\1cx="\g<2>0" cy="\g<3>0"'),
        ),
    },
    rules.prints_well: {
        "chart cut by a page": (
            sheet(rules.FIGURES),
            first(
                r"<rowBreaks.*?</rowBreaks>",
                '<rowBreaks count="1" manualBreakCount="1">'
                '<brk id="25" max="16383" man="1"/></rowBreaks>',
            ),
        ),
        "portrait": (sheet(rules.TITLE), swap('orientation="landscape"', 'orientation="portrait"')),
        "not fitted": (sheet(rules.SUMMARY), first(r"<pageSetUpPr[^>]*>", "")),
        "Monday on two pages": (sheet(rules.MONDAY), swap('fitToHeight="1"', 'fitToHeight="0"')),
        "summary too small to read": (sheet(rules.SUMMARY), every(r'ht="\d{2}[\d.]*"', 'ht="99"')),
    },
    rules.headers_are_repeated: {
        "table cut without its header": (
            sheet(rules.ADVICE),
            first(r'<brk id="\d+"', '<brk id="10"'),
        ),
        "header of another table": (
            WORKBOOK,
            first(r"derivations'!\$\d+:\$\d+", "derivations'!$7:$7"),
        ),
    },
    rules.pages_are_filled: {
        "half-empty page": (sheet(rules.FIGURES), first('<brk id="36"', '<brk id="12"'))
    },
    rules.what_titles_name_is_marked: {
        "bar in the usual hue": (chart(1), every("<dPt>.*?</dPt>", "")),
        "one of two bars in the usual hue": (chart(4), first("<dPt>.*?</dPt>", "")),
        "one of two series in the usual hue": (chart(7), first("<dPt>.*?</dPt>", "")),
        "point without a name": (chart(5), every("<a:t>produce</a:t>", "<a:t>bulk</a:t>")),
        "row that is not there": (sheet(rules.FIGURES), swap("<t>Saturday</t>", "<t>Day 0</t>")),
        "row in the usual fill": (sheet(rules.FIGURES), first(MARKED_HEAD, r"\1\3")),
    },
    rules.intervals_are_drawn_whole: {
        "interval cut off": (chart(2), first('<max val="90"', '<max val="70"')),
        "axis left to the program": (chart(2), first('<max val="90"[^>]*/>', "")),
    },
    rules.sentences_are_plain: {
        "word of statistics": (STRINGS, swap("Keep 1,600 lines", "Keep an epsilon of 1,600 lines")),
        "name of a column": (STRINGS, swap("Keep 1,600 lines", "Keep 1,600 order_lines")),
    },
    rules.sheets_hold_what_they_promise: {
        "question left out": (sheet(rules.ADVICE), swap("<t>Q12 ", "<t>")),
        "no word of censoring": (STRINGS, swap("Censored gaps", "Gaps")),
    },
    rules.the_summary_leaves_nothing_out: {
        "message left out": (sheet(rules.SUMMARY), swap("A day sooner is worth most", "Of old")),
        "reason said twice": (
            sheet(rules.SUMMARY),
            swap("<t>No region differs</t>", "<t>Not answered: histories are incomplete</t>"),
        ),
    },
    rules.the_largest_prize_comes_first: {
        "smaller prize first": (sheet(rules.MONDAY), swap("<v>0.00672</v>", "<v>0.9</v>")),
        "message out of place": (
            sheet(rules.SUMMARY),
            swap("A day sooner is worth most", "No region differs"),
        ),
    },
    rules.labels_of_digits_are_marked: {
        "green triangles": (sheet(rules.FIGURES), first("<ignoredErrors>.*?</ignoredErrors>", ""))
    },
    rules.words_are_the_clients: {
        "switch": (sheet(rules.FIGURES), swap("Act on days", "Act by RULES")),
        "hash": (sheet(rules.TITLE), swap("<t>Client</t>", "<t>Data sha256</t>")),
        "code of a decision": (sheet(rules.CHECKS), swap("kept as text", "kept as text (D-04)")),
        "name of a table": (sheet(rules.FIGURES), swap("orders by day", "orders_by_day")),
        "name of a table of a stage": (sheet(rules.FLOW), swap("As received", "raw_orders")),
        "settings": (sheet(rules.ADVICE), swap("Keep 1,600", "settings.yml: keep 1,600")),
    },
    rules.links_say_where_they_lead: {
        "link that says nothing": (sheet(rules.SUMMARY), swap("<t>Figure 1</t>", "<t>Chart</t>")),
        "link to another figure": (
            sheet(rules.SUMMARY),
            swap("<t>Figure 1</t>", "<t>Figure 4</t>"),
        ),
    },
    rules.figures_are_listed: {
        "figure left out": (sheet(rules.FIGURES), swap("<t>Figure 2, ", "<t>Figure 9, ")),
        "numbers left out": (sheet(rules.CHART_DATA), swap("<t>Figure 2, ", "<t>Figure 9, ")),
        "out of order": (sheet(rules.CHART_DATA), swap("<t>Q9</t>", "<t>Q1</t>")),
    },
    rules.formulas_give_their_results: {
        "stale result": (sheet(rules.MONDAY), first(r"(\*used_reach</f><v>)[\d.]+", r"\g<1>77")),
        "formula changed": (sheet(rules.MONDAY), swap("*used_margin-", "*used_margin+")),
        "input changed": (sheet(rules.MONDAY), first(r"<v>0\.25</v>", "<v>0.5</v>")),
    },
    rules.inputs_are_guarded: {
        "not validated": (sheet(rules.MONDAY), first("<dataValidations.*?</dataValidations>", "")),
        "no message": (sheet(rules.MONDAY), every(' error="[^"]*"', "")),
        "no name": (WORKBOOK, swap('name="used_reach"', 'name="other_reach"')),
    },
    rules.the_what_if_is_that_of_the_prizes: {
        "orders of another lever": (sheet(rules.MONDAY), last("<v>70</v>", 71)),
        "dollars": (sheet(rules.MONDAY), first(r"</f><v>(500|499\.9)[.\d]*</v>", "</f><v>510</v>")),
    },
    rules.groups_tie_out: {
        "level": (sheet(rules.SEGMENTS), swap("<v>68.5</v>", "<v>69.5</v>")),
        "group left out": (sheet(rules.SEGMENTS), swap("<t>Northeast</t>", "<t>East</t>")),
    },
    rules.segments_tie_out: {
        "size": (sheet(rules.SEGMENTS), swap("80 customers, 66.7%", "81 customers, 66.7%")),
        "block left out": (sheet(rules.SEGMENTS), every("<t>Weekly big shop</t>", "<t>Others</t>")),
    },
    rules.the_week_ties_out: {
        "per cent": (sheet(rules.ADVICE), first(r"(\d+)% fewer<", "99% fewer<")),
        "more for fewer": (sheet(rules.ADVICE), first(r"% fewer<", "% more<")),
        "day left out": (sheet(rules.ADVICE), first(r"<t>Sunday[^<]*</t>", "<t>Monday</t>")),
    },
    rules.cells_are_values: {
        "result dropped": (sheet(rules.MONDAY), first("</f><v>[^<]*</v>", "</f><v></v>")),
        "formula injected": (sheet(rules.CHART_DATA), first(NUMBER, r"\1<f>1+1</f><v>2</v>")),
        "error value": (sheet(rules.TITLE), first(FIRST_CELL, '<c r="A1" t="e"><v>#REF!</v></c>')),
        "error as text": (STRINGS, swap("order lines", "#NAME?")),
        "nan": (STRINGS, swap("<t>VP of Marketing</t>", "<t>nan</t>")),
        "text that may run": (STYLES, swap('quotePrefix="1"', 'quotePrefix="0"', -1)),
        "float without format": (STYLES, swap('formatCode="$0.00"', 'formatCode="General"', -1)),
    },
    rules.cells_are_readable: {
        "tiny font": (STYLES, swap('<sz val="10"', '<sz val="8"', -1)),
        "pale text": (STYLES, swap("FF5B6770", "FFB0B8C0", -1)),
        "row too low": (sheet(rules.SUMMARY), every(r'ht="\d{2}[\d.]*"', 'ht="9"')),
    },
    rules.links_resolve: {
        "link broken": (sheet(rules.SUMMARY), swap("'6. Visualizations'!", "'Figures'!")),
        "no way back": (sheet(rules.CHECKS), first("<hyperlinks>.*?</hyperlinks>", "")),
    },
    rules.sheets_are_the_twelve: {
        "sheet hidden": (
            WORKBOOK,
            first(r'(name="4\. Wrangling steps"[^>]*state=)"visible"', r'\1"hidden"'),
        ),
        "sheet renamed": (WORKBOOK, swap("4. Wrangling steps", "4. Wrangling")),
        "merged cells": (
            sheet(rules.FLOW),
            swap("</sheetData>", '</sheetData><mergeCells><mergeCell ref="A5:B5"/></mergeCells>'),
        ),
        "row hidden": (sheet(rules.WRANGLING), swap('<row r="4"', '<row hidden="1" r="4"')),
    },
    rules.tables_are_tables: {
        "no style": (TABLES, first("<tableStyleInfo[^>]*/>", "")),
        "no filter buttons": (TABLES, first("<autoFilter[^>]*/>", "")),
        "header blank": (STRINGS, swap("<t>Owner</t>", "<t> </t>")),
        "table renamed": (r"xl/tables/table1\.xml", swap("tbl_", "list_", -1)),
        "number outside of a table": (
            sheet(rules.CHECKS),
            first(FIRST_CELL, '<c r="A1"><v>5</v></c>'),
        ),
    },
    rules.sentences_tie_out: {
        "number that ties to no table": (
            STRINGS,
            swap("200 orders, 20.0% more", "210 orders, 20.0% more"),
        ),
        "governing thought": (sheet(rules.MONDAY), swap("0.8% more spend", "8.9% more spend")),
        "per cent that ties to no table": (STRINGS, swap("20.0%", "21.0%")),
        "title that ties to no table": (CHART, swap("takes 200 orders", "takes 999 orders")),
    },
    rules.tiles_tie_out: {"tile": (sheet(rules.TITLE), swap("<v>1000</v>", "<v>1001</v>"))},
    rules.numbers_tie_out: {
        "number behind a figure": (sheet(rules.CHART_DATA), swap("<v>200</v>", "<v>201</v>")),
        "frequency": (sheet(rules.DERIVATIONS), swap("<v>480</v>", "<v>481</v>")),
    },
    rules.flow_adds_up: {
        "flow": (sheet(rules.FLOW), swap("<v>1060</v>", "<v>1061</v>")),
        "customers vanish": (sheet(rules.FLOW), first(f"({LEAVERS}.*?<t>)Customers", r"\1Orders")),
    },
    rules.nobody_is_named: {
        "customer named": (STRINGS, swap("VP of Marketing", NAMES[0])),
        "customer named in properties": (CORE, swap("The basket analysis team", NAMES[1])),
        "user_id column": (TABLES, swap('name="Owner"', 'name="user_id"')),
    },
    rules.small_groups_are_not_shown: {
        "small group shown": (sheet(rules.DERIVATIONS), last(SUPPRESSED, "7")),
        "one of two suppressed shown": (
            sheet(rules.DERIVATIONS),
            swap(SUPPRESSED, 't="n"><v>23</v>'),
        ),
    },
    rules.texts_are_complete: {
        "something to do": (STRINGS, swap("Act on days", "TODO days")),
        "no citation": (STRINGS, swap("Grocery Shopping Dataset 2017", "data set")),
        "no banner": (sheet(rules.ADVICE), first(r'<c r="A3"[^>]*>.*?</c>', '<c r="A3"/>')),
        "no so what": (STRINGS, swap("So what: ", "Thus: ")),
    },
    rules.properties_are_set: {
        "creator": (CORE, first("<dc:creator>[^<]*", "<dc:creator>openpyxl")),
        "another commit": (r"docProps/custom\.xml", swap("0123", "9999")),
    },
    rules.dates_are_the_runs: {"modified later": (CORE, swap("2025-01-31T", "2025-02-01T"))},
    rules.package_holds_nothing_foreign: {
        "external link": (
            r"xl/_rels/workbook\.xml\.rels",
            swap(
                "</Relationships>",
                '<Relationship Id="rId99" Type="x" Target="file:///c:/a.xlsx" '
                'TargetMode="External"/></Relationships>',
            ),
        )
    },
}


@pytest.mark.parametrize(
    ("rule", "part", "edit"),
    [
        pytest.param(rule, *edit, id=name)
        for rule, edits in MUTANTS.items()
        for name, edit in edits.items()
    ],
)
def test_the_checker_rejects(good, tmp_path, rule, part, edit):
    bad = mutate(good.path, tmp_path / "bad.xlsx", part, edit)
    with pytest.raises(AssertionError, match=r"\w"):
        rule(beside(good, bad))


def test_the_checker_rejects_dates_of_today(good, tmp_path):
    bad = mutate(good.path, tmp_path / "bad.xlsx", dates=False)
    with pytest.raises(AssertionError, match="zip date"):
        rules.dates_are_the_runs(beside(good, bad))


@pytest.mark.parametrize(
    "name",
    [
        "vbaProject.bin",
        "externalLinks/externalLink1.xml",
        "comments/comment1.xml",
        "connections.xml",
    ],
)
def test_the_checker_rejects_foreign_parts(good, tmp_path, name):
    bad = mutate(good.path, tmp_path / "bad.xlsx", extra=[f"xl/{name}"])
    with pytest.raises(AssertionError, match="not allowed"):
        rules.package_holds_nothing_foreign(beside(good, bad))


def test_the_checker_rejects_a_finding_that_rests_on_no_cell(fresh):
    with changed(fresh, "findings") as found:
        found[3]["numbers"]["orders"]["value"] = 202
    build.write_report(fresh, SETTINGS)
    with pytest.raises(AssertionError, match="F04: orders: 202"):
        rules.findings_rest_on_cells(finished(fresh))


REMINDER = "a reminder once the customer's own usual gap has passed"


def test_contrast_is_that_of_wcag():
    assert math.isclose(rules.contrast((0, 0, 0), (255, 255, 255)), 21)
    assert 4.4 < rules.contrast((119, 119, 119), (255, 255, 255)) < 4.5


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (0.3, f"{REMINDER}, with offers from the customer's own history"),
        (0.1, REMINDER),
        (0.2, REMINDER),
    ],
)
def test_a_segment_is_offered_its_own_history_where_that_hits_more_often(own, said):
    offers = frame(
        "source last_order precision",
        [("own", "all", own), ("store", "all", 0.2), ("own", "order 5 to 9", 0.9)],
    )
    row = {"segment": "Weekly big shop", "median_gap_days": 9.0}
    assert sheet_segments.what_to_try(row, [], offers) == f"{said}; against a control group."
    action = {"action_basis": "hypothesis", "touches": [{"segment": "Weekly big shop"}]}
    named = [action | {"action": "Try offers that keep them."}]
    assert sheet_segments.what_to_try(row, named, offers) == "offers that keep them."


def test_intervals_of_too_few_customers_are_not_shown_beside_groups():
    few = ("too few effective customers", "")
    tests = frame(
        "population grouping group_a measure effect_name effect_low effect_high reason",
        [
            ("active", "profile", "young", "reorder_rate", "ratio", 0.78, 0.87, few[0]),
            ("active", "profile", "old", "reorder_rate", "ratio", 0.9, 1.2, few[1]),
            ("active", "loyalty_flag", "New", "reorder_rate", "ratio", 0.5, 0.6, "by definition"),
        ],
    )
    assert sheet_segments.comparisons(tests) == {
        ("profile", "old", "reorder_rate"): (-0.1, 0.2),
        ("loyalty_flag", "New", "reorder_rate"): (-0.5, -0.4),
    }


def test_an_interval_that_holds_no_difference_may_still_decide():
    (said,) = sheet_notes.sections(SETTINGS, FACTS)["How to read an interval"].values()
    assert said.endswith(
        "one that reaches both none and a difference that matters leaves the question open."
    )


def test_a_gap_of_30_days_stands_for_all_that_are_longer():
    assert [half_of_gaps(gap) for gap in (7.5, 29, 30)] == [
        "7.5 days or less",
        "29 days or less",
        "30 days or more",
    ]


def test_lifts_that_differ_have_a_column_each():
    plan = trial_plan().replace({"lift": {0.02: 0.015, 0.05: 0.02}}).assign(supported="yes")
    found = sheet_advice.trials(plan)
    assert list(found.columns[3:-1]) == ["to see +1.5%", "to see +2%", "to see +10%"]
    assert found["enough"].tolist() == ["yes, from +1.5%"]
    assert found["to see +10%"].tolist() == ["–"]  # more than the action touches


@pytest.mark.parametrize(
    ("most", "said"),
    [
        (0.06, "no: run it with more customers"),
        (float("nan"), "no: run it with more customers"),
        ("", "no: run it with more customers"),  # of no action: the column is empty
        (0.019, "no: it touches too little for any of these"),
    ],
)
def test_more_customers_are_asked_for_where_they_would_help(most, said):
    found = sheet_advice.trials(trial_plan().assign(most_lift=most))
    assert found["enough"].tolist() == [said]


def test_the_notes_say_the_confidence_as_it_is():
    statistics = SETTINGS.statistics.model_copy(update={"confidence": 0.995})
    settings = SETTINGS.model_copy(update={"statistics": statistics})
    (said,) = sheet_notes.sections(settings, FACTS)["How to read an interval"].values()
    for text in (said, sheet_notes.glossary(settings)["Interval"]):
        assert "99.5%" in text


def test_a_segment_stands_in_its_own_part_of_the_day():
    hours = {"Night": [0, 10], "Noon": [11, 13], "Afternoon": [14, 18], "Evening (late": [19, 23]}
    settings = SETTINGS.model_copy(update={"dayparts": hours})
    times = ["orders in the afternoon", "orders in the evening (late", "suppressed"]
    table = pd.DataFrame({"segment": ["A", "B", "C"], "top_time": times})
    nobody = sheet_week.NOBODY
    assert sheet_week.who_orders(table, settings) == [nobody, nobody, "A", "B"]
    assert sheet_week.who_orders(None, settings) == [nobody] * 4


def test_a_department_that_settings_misspell_is_told(book):
    said = " ".join(str(cell) for (cell, *_) in book[rules.CHECKS].values if cell)
    assert (
        "The settings name departments that this data lacks, or of which nothing was sold: babies, "
        "pets, alcohol, missing, other; correct those that are misspelt."
    ) in said
    everything = [rule.department for rule in SETTINGS.basket_labels.values()]
    assert SETTINGS.unknown_departments({*everything, "missing", "other"}, with_keys=True) == ""
