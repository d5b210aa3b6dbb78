"""The workbook: a small hand-made run meets every rule, and each rule rejects a mutant."""

import itertools
import json
import math
import random
import re
import shutil
import sys
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest
from openpyxl import load_workbook
from PIL import Image

import workbook_rules as rules
from basket.project.errors import BasketError
from basket.project.folders import ROOT, SCRIPTS, Folders
from basket.project.origin import Origin
from basket.project.settings import load_settings
from basket.report.workbook import (
    build,
    measure_text,
    native_charts,
    sheet_chart_data,
    sheet_figures,
    values,
)
from basket.report.workbook.page import Place
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
        ("corrected", "active customers", "analysis_customers", 140, 0, 20, 0, "too few orders"),
    ]
    table = pd.DataFrame(steps, columns=[name for name in FLOW if name != "rows_out"])
    removed = table["rows_removed"] + table["rows_quarantined"]
    return table.assign(rows_out=table["rows_in"] + table["rows_added"] - removed)[FLOW]


def comparisons():
    """Make the tests of a first version: without the columns that came later."""
    unit, effect = "US dollars an order", (0.051, -0.1, 0.2, 0.25, 0.5, "undecided")
    rows = [
        ("Q7", "active", "region", a, b, "mean_order_value", unit, 90, 3.5, "cliffs_delta", *effect)
        for a, b in (("", ""), ("Northeast", "Midwest"), ("South", "West"))
    ]
    names = "question population grouping group_a group_b measure unit n statistic effect_name "
    return frame(names + "effect effect_low effect_high p_value q_value verdict", rows)


def result_tables():
    checks = [
        ("products", "product_name", "looks like a formula", "=HYPERLINK(1)", "kept as text"),
        ("orders", "order_id", "duplicates", "0", "none needed"),
    ]
    steps = [("orders", "eval_set", "order_dow → order_day", "", "only prior orders are left")]
    missing = [("customers whose order numbers are not 1 to n", "0", 100, 0.0, 0.01, "none")]
    calendar = [
        (number, day, "20:00 to 23:00", "all active customers", "snacks", "", 31, "orders_by_day")
        for number, day in enumerate(DAYS)
    ]
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
        "ad_calendar": frame(
            "day day_name window audience offer offer_reason orders evidence", calendar
        ),
    }


TITLES = {  # of the figures, each with its question
    "heat": ("Q1", "Saturday noon is full"),
    "days": ("Q1", "Saturday takes 200 orders"),
    "value": ("Q2", "Order value grows with the hour"),
    "parts": ("Q2", "Produce leads at all times"),
    "departments": ("Q4", "Produce leads, bulk is smallest"),
    "reach": ("Q4", "Large departments are reordered more"),
    "loyalty": ("Q5", "Most customers are still new"),
    "two": ("Q6", "Loyal customers reorder a little less"),
    "region": ("Q7", "Regions differ in order value"),
    "ages": ("Q8", "All ages order alike"),
    "picture": ("Q9", "Bands of age in a picture"),
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
    return figure(name, source, table[[*more.get("names", ()), x, *series, *ends]], chart=chart)


def figures(tables):
    active = {
        name: tables[name].query("population == 'active'")
        for name in ("orders_by_day", "orders_by_hour", "departments", "habits")
    }
    day, hour, dep, hab = active.values()
    cells = tables["orders_by_day_hour"].assign(
        day=lambda table: table["day"].map(dict(enumerate(DAYS)))
    )
    loyalty, region, ages = (table for _, table in hab.groupby("grouping", sort=False))
    shares = frame("part produce others", [("Morning", 0.6, 0.4), ("Evening", 0.7, 0.3)])
    heat = {"rows": "day", "columns": "hour", "values": "orders"}
    ends = {"mean_order_value": ["mean_order_value_low", "mean_order_value_high"]}
    lines = dep[["department", "lines"]]
    return [
        figure("heat", "orders_by_day_hour", cells[list(heat.values())], heat=heat),
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
        charted("parts", "departments", shares, "stacked_bar", "part produce others", "0%"),
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
            "prize": {
                "what_if": "200 orders",
                "orders": 200,
                "spend": None,
                "share_of_spend": None,
            },
            "change_mind": "",
            "numbers": numbers,
        }
        for place in range(1, 12)
    ]


FACTS = {
    "rules": "corrected",
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


@pytest.fixture
def fresh(tmp_path):
    return write_run(tmp_path)


def finished(folders, path=None):
    return rules.Finished(path or folders.report, folders.analysis, SETTINGS, NAMES)


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
def test_the_workbook_meets_the_rule(run, rule):
    rule(finished(run))


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
def test_libreoffice_converts_it_without_errors_into_as_many_pages(run, tmp_path):
    if not (shutil.which("soffice") and shutil.which("pdftotext")):
        pytest.skip("soffice and pdftotext are not on PATH")
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    to_pdf = ("soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", tmp_path)
    done = run_command(*to_pdf, run.report)
    assert done.returncode == 0, done.stderr
    text = run_command("pdftotext", tmp_path / f"{run.report.stem}.pdf", "-").stdout
    assert not re.search(r"###|Err:|#NAME\?|#REF!", text)
    breaks = sum(len(sheet.row_breaks.brk) + 1 for sheet in load_workbook(run.report).worksheets)
    assert text.count("\f") == breaks


def test_small_groups_are_suppressed_on_every_sheet(run):
    book = load_workbook(run.report)
    rows = {row[1]: row[2] for row in table_of(book["5. Column derivations"], "tbl_flags")}
    assert (rows["West"], rows["South"], rows["Midwest"]) == ("suppressed", "suppressed", 40)
    rows = dict(table_of(book["8. Chart data"], "tbl_region"))
    assert (rows["West"], rows["South"]) == ("suppressed", "suppressed")
    charts = finished(run).charts().values()
    drawn = next(chart for chart in charts if "Regions differ" in rules._text(chart))
    assert "West" not in {one.text for one in drawn.iter(f"{rules.C}v")}
    assert any("not shown" in text for text in texts_of(book["6. Visualizations"]))


def test_a_question_without_a_finding_says_so(run):
    sheet = load_workbook(run.report)["7. Recommendations"]
    rows = table_of(sheet, "tbl_recommendations_5")
    assert [row[2] for row in rows if row[0].startswith("Q12")] == ["Not answered by this run."]


def test_tables_that_a_first_version_lacks_may_be_absent(fresh):
    for name in ("tests", "ad_calendar"):
        (fresh.tables / f"{name}.csv").unlink()
    check(fresh)


def test_fabricated_columns_are_announced_and_dollars_are_marked_as_invented(fresh):
    with changed(fresh, "facts") as facts:
        facts["data"] |= {"synthetic": "columns", "layout": "kaggle"}
    check(fresh)
    texts = texts_of(load_workbook(fresh.report)["1. Title Page"])
    assert any("Spend (USD)" in text for text in texts)
    assert any("invented prices" in text for text in texts)


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
    for name in ("Executive Summary", "7. Recommendations"):
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


def test_repeated_headers_differ():
    assert values.unique(["From", "from", "To"]) == ["From", "from 2", "To"]


def test_per_cents_below_one_keep_a_decimal():
    data = native_charts.Range(Place("s", 1, 3, {"v": 1}), pd.DataFrame({"v": [0.3, 0.004]}))
    assert native_charts._distinct("0%", data, ["v"]) == "0.0%"
    assert native_charts._distinct("0%", data, []) == "0%"


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


def test_shelves_fill_the_first_page_with_room():
    assert sheet_chart_data.in_pages([100, 590, 190, 380], 700, 110) == [1, 0, 2, 3]
    assert sheet_chart_data.in_pages([50, 60, 70], 700, 110) == [0, 1, 2]
    assert sheet_chart_data.in_pages([], 700, 110) == []


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


def sheet(number):
    return rf"xl/worksheets/sheet{number}\.xml"


def chart(number):
    return rf"xl/charts/chart{number}\.xml"


STRINGS, CHART = sheet(r"\d+"), chart(1)
DRAWING = r"xl/drawings/drawing1\.xml"
TABLES = r"xl/tables/table\d+\.xml"
WORKBOOK, STYLES, CORE = r"xl/workbook\.xml", r"xl/styles\.xml", r"docProps/core\.xml"
NUMBER = r'(<c r="[A-Z]+\d+"[^>]*>)<v>\d+</v>'
SUPPRESSED = 't="inlineStr"><is><t>suppressed</t></is>'
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
            sheet(7),
            first(
                r"<rowBreaks.*?</rowBreaks>",
                '<rowBreaks count="1" manualBreakCount="1">'
                '<brk id="25" max="16383" man="1"/></rowBreaks>',
            ),
        ),
        "portrait": (sheet(1), swap('orientation="landscape"', 'orientation="portrait"')),
        "not fitted": (sheet(2), first(r"<pageSetUpPr[^>]*>", "")),
    },
    rules.headers_are_repeated: {
        "table cut without its header": (sheet(3), first(r'<brk id="38"', '<brk id="25"')),
        "header of another table": (WORKBOOK, swap("derivations'!$37:$37", "derivations'!$7:$7")),
    },
    rules.pages_are_filled: {"half-empty page": (sheet(7), first('<brk id="29"', '<brk id="12"'))},
    rules.intervals_are_drawn_whole: {
        "interval cut off": (chart(2), first('<max val="90"', '<max val="70"')),
        "axis left to the program": (chart(2), first('<max val="90"[^>]*/>', "")),
    },
    rules.sentences_are_plain: {
        "word of statistics": (STRINGS, swap("Keep 1,600 lines", "Keep an epsilon of 1,600 lines")),
        "name of a column": (STRINGS, swap("Keep 1,600 lines", "Keep 1,600 order_lines")),
    },
    rules.sheets_hold_what_they_promise: {
        "message left out": (TABLES, swap('ref="A7:G18"', 'ref="A7:G17"', -1)),
        "question left out": (sheet(8), swap("<t>Q12 ", "<t>")),
        "no word of censoring": (STRINGS, swap("Censored gaps", "Gaps")),
    },
    rules.cells_are_values: {
        "formula injected": (sheet(9), first(NUMBER, r"\1<f>1+1</f><v>2</v>")),
        "error value": (sheet(1), first(FIRST_CELL, '<c r="A1" t="e"><v>#REF!</v></c>')),
        "error as text": (STRINGS, swap("order lines", "#NAME?")),
        "nan": (STRINGS, swap("<t>VP of Marketing</t>", "<t>nan</t>")),
        "text that may run": (STYLES, swap('quotePrefix="1"', 'quotePrefix="0"', -1)),
        "float without format": (STYLES, swap('formatCode="$0.00"', 'formatCode="General"', -1)),
    },
    rules.cells_are_readable: {
        "tiny font": (STYLES, swap('<sz val="10"', '<sz val="8"', -1)),
        "pale text": (STYLES, swap("FF5B6770", "FFB0B8C0", -1)),
        "row too low": (sheet(2), every(r'ht="\d{2}[\d.]*"', 'ht="9"')),
    },
    rules.links_resolve: {
        "link broken": (sheet(2), swap("'6. Visualizations'!", "'Figures'!")),
        "no way back": (sheet(4), first("<hyperlinks>.*?</hyperlinks>", "")),
    },
    rules.sheets_are_the_ten: {
        "sheet hidden": (
            WORKBOOK,
            first(r'(name="4\. Wrangling steps"[^>]*state=)"visible"', r'\1"hidden"'),
        ),
        "sheet renamed": (WORKBOOK, swap("4. Wrangling steps", "4. Wrangling")),
        "merged cells": (
            sheet(3),
            swap("</sheetData>", '</sheetData><mergeCells><mergeCell ref="A5:B5"/></mergeCells>'),
        ),
        "row hidden": (sheet(5), swap('<row r="4"', '<row hidden="1" r="4"')),
    },
    rules.tables_are_tables: {
        "header blank": (STRINGS, swap("<t>Owner</t>", "<t> </t>")),
        "table renamed": (r"xl/tables/table1\.xml", swap("tbl_", "list_", -1)),
        "number outside of a table": (sheet(4), first(FIRST_CELL, '<c r="A1"><v>5</v></c>')),
    },
    rules.sentences_tie_out: {
        "number that ties to no table": (
            STRINGS,
            swap("200 orders, 20.0% more", "210 orders, 20.0% more"),
        ),
        "per cent that ties to no table": (STRINGS, swap("20.0%", "21.0%")),
        "title that ties to no table": (CHART, swap("takes 200 orders", "takes 999 orders")),
    },
    rules.tiles_tie_out: {"tile": (sheet(1), swap("<v>1000</v>", "<v>1001</v>"))},
    rules.numbers_tie_out: {
        "number behind a figure": (sheet(9), swap("<v>200</v>", "<v>201</v>")),
        "frequency": (sheet(6), swap("<v>480</v>", "<v>481</v>")),
    },
    rules.flow_adds_up: {"flow": (sheet(3), swap("<v>1060</v>", "<v>1061</v>"))},
    rules.nobody_is_named: {
        "customer named": (STRINGS, swap("VP of Marketing", NAMES[0])),
        "customer named in properties": (CORE, swap("The basket analysis team", NAMES[1])),
        "user_id column": (TABLES, swap('name="Owner"', 'name="user_id"')),
    },
    rules.small_groups_are_not_shown: {
        "small group shown": (sheet(6), last(SUPPRESSED, "7")),
        "one of two suppressed shown": (sheet(6), swap(SUPPRESSED, 't="n"><v>23</v>')),
    },
    rules.texts_are_complete: {
        "something to do": (STRINGS, swap("Act on days", "TODO days")),
        "no citation": (STRINGS, swap("Grocery Shopping Dataset 2017", "data set")),
        "no banner": (sheet(8), first(r'<c r="A3"[^>]*>.*?</c>', '<c r="A3"/>')),
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
def test_the_checker_rejects(run, tmp_path, rule, part, edit):
    bad = mutate(run.report, tmp_path / "bad.xlsx", part, edit)
    with pytest.raises(AssertionError, match=r"\w"):
        rule(finished(run, bad))


def test_the_checker_rejects_dates_of_today(run, tmp_path):
    bad = mutate(run.report, tmp_path / "bad.xlsx", dates=False)
    with pytest.raises(AssertionError, match="zip date"):
        rules.dates_are_the_runs(finished(run, bad))


@pytest.mark.parametrize(
    "name",
    [
        "vbaProject.bin",
        "externalLinks/externalLink1.xml",
        "comments/comment1.xml",
        "connections.xml",
    ],
)
def test_the_checker_rejects_foreign_parts(run, tmp_path, name):
    bad = mutate(run.report, tmp_path / "bad.xlsx", extra=[f"xl/{name}"])
    with pytest.raises(AssertionError, match="not allowed"):
        rules.package_holds_nothing_foreign(finished(run, bad))


def test_the_checker_rejects_a_finding_that_rests_on_no_cell(fresh):
    with changed(fresh, "findings") as found:
        found[3]["numbers"]["orders"]["value"] = 202
    build.write_report(fresh, SETTINGS)
    with pytest.raises(AssertionError, match="F04: orders: 202"):
        rules.findings_rest_on_cells(finished(fresh))


def test_contrast_is_that_of_wcag():
    assert math.isclose(rules.contrast((0, 0, 0), (255, 255, 255)), 21)
    assert 4.4 < rules.contrast((119, 119, 119), (255, 255, 255)) < 4.5
