"""The workbook: a small hand-made run meets every rule, and each rule rejects a mutant."""

import itertools
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest
from openpyxl import load_workbook
from PIL import Image

import workbook_rules as rules
from basket.project.errors import BasketError
from basket.project.folders import Folders
from basket.project.settings import load_settings
from basket.report.workbook import (
    build,
    measure_text,
    native_charts,
    sheet_chart_data,
    sheet_figures,
    values,
)

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = load_settings(ROOT / "settings.yml")
DAYS = SETTINGS.day_names
NAMES = ("Quillfeather", "Ozymandia Brambleworth")  # customers of the sample; never to be seen
DEPARTMENTS = ("produce", "dairy eggs", "snacks", "bulk")
HABITS = [
    "population",
    "grouping",
    "group",
    "customers",
    "orders",
    "lines",
    "spend",
    "mean_order_value",
    "mean_lines_per_order",
    "mean_item_price",
    "median_days_between_orders",
    "reorder_rate",
]
GROUPS = {
    "loyalty_flag": {"New customer": 60, "Regular customer": 45, "Loyal customer": 15},
    "region": {"Northeast": 50, "Midwest": 40, "South": 23, "West": 7},  # West is too small
    "age_group": {"18-39": 50, "40-64": 40, "65+": 30},
}
ALL_LINES = {"all": 9_000, "active": 8_000}


# --- a small run, made by hand


def orders_by_day():
    rows = []
    for population, factor in (("all", 2), ("active", 1)):
        for day, orders in enumerate((200, 190, 140, 130, 120, 110, 110)):
            rows.append(
                (
                    population,
                    day,
                    DAYS[day],
                    orders * factor,
                    orders * factor * 8,
                    orders * factor * 62.5,
                )
            )
    return pd.DataFrame(rows, columns=["population", "day", "day_name", "orders", "lines", "spend"])


def orders_by_hour():
    rows = [
        ("active", hour, 5 + 3 * min(hour, 23 - hour), 40 + hour, 300.5, 60.25 + hour, 7.5)
        for hour in range(24)
    ]
    table = pd.DataFrame(
        rows,
        columns=[
            "population",
            "hour",
            "orders",
            "lines",
            "spend",
            "mean_order_value",
            "mean_item_price",
        ],
    )
    return table.assign(
        mean_order_value_low=table["mean_order_value"] - 2,
        mean_order_value_high=table["mean_order_value"] + 3,
    )


def orders_by_day_hour():
    rows = [
        ("active", day, hour, 1 + (day * hour) % 11, 9, 70.0)
        for day in range(7)
        for hour in range(24)
        if (day, hour) != (3, 3)
    ]
    return pd.DataFrame(rows, columns=["population", "day", "hour", "orders", "lines", "spend"])


def departments():
    rows = [
        (
            population,
            number,
            name,
            9,
            100 - number,
            900 - number,
            lines,
            lines * 7.5,
            0.6 - number / 10,
        )
        for population in ("all", "active")
        for number, (name, lines) in enumerate(
            zip(DEPARTMENTS, (4000, 2500, 1200, 300), strict=True)
        )
    ]
    return pd.DataFrame(
        rows,
        columns=[
            "population",
            "department_id",
            "department",
            "products",
            "customers",
            "orders",
            "lines",
            "spend",
            "reorder_rate",
        ],
    )


def habits():
    rows = [
        (
            "active",
            grouping,
            group,
            n,
            n * 8,
            n * 66,
            n * 500.0,
            62.5 + n / 10,
            8.25,
            7.5,
            8.0,
            0.5 + n / 1000,
        )
        for grouping, groups in GROUPS.items()
        for group, n in groups.items()
    ]
    everyone = [("all", *row[1:3], row[3] + 5, *row[4:]) for row in rows]
    return pd.DataFrame(everyone + rows, columns=HABITS)


def flags():
    rows = [
        ("active", "price_range", label, None, None, 2_600)
        for label in SETTINGS.flags["price_range"].labels
    ]
    rows += [
        ("active", grouping, group, n, n * 8, n * 66)
        for grouping, groups in GROUPS.items()
        for group, n in groups.items()
    ]
    rows += [
        (population, "exclusion_flag", "Active", 120, 1_000, 8_000)
        for population in ("all", "active")
    ]
    rows += [("all", "exclusion_flag", "Low activity", 20, 60, 500)]
    table = pd.DataFrame(
        rows, columns=["population", "flag", "label", "customers", "orders", "lines"]
    )
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
    rows = [
        (*step[:3], *step[3:7], step[3] + step[4] - step[5] - step[6], step[7]) for step in steps
    ]
    return pd.DataFrame(
        rows,
        columns=[
            "rules",
            "step",
            "table",
            "rows_in",
            "rows_added",
            "rows_removed",
            "rows_quarantined",
            "rows_out",
            "reason",
        ],
    )


def result_tables():
    region = [
        (
            "Q7",
            "active",
            "region",
            a,
            b,
            "mean_order_value",
            "US dollars an order",
            90,
            3.5,
            "cliffs_delta",
            0.051,
            -0.1,
            0.2,
            0.25,
            0.5,
            "undecided",
        )
        for a, b in (("", ""), ("Northeast", "Midwest"), ("South", "West"))
    ]
    return {
        "population_flow": population_flow(),
        "consistency_checks": pd.DataFrame(
            [
                (
                    "products",
                    "product_name",
                    "looks like a formula",
                    "=HYPERLINK(1)",
                    "kept as text",
                ),
                ("orders", "order_id", "duplicates", "0", "none needed"),
            ],
            columns=["table", "column", "check", "found", "action"],
        ),
        "wrangling_steps": pd.DataFrame(
            [("orders", "eval_set", "order_dow → order_day", "", "only prior orders are left")],
            columns=["table", "dropped", "renamed", "type_changed", "reason"],
        ),
        "flags": flags(),
        "habits": habits(),
        "departments": departments(),
        "orders_by_day": orders_by_day(),
        "orders_by_hour": orders_by_hour(),
        "orders_by_day_hour": orders_by_day_hour(),
        "tests": pd.DataFrame(
            region,
            columns=[
                "question",
                "population",
                "grouping",
                "group_a",
                "group_b",
                "measure",
                "unit",
                "n",
                "statistic",
                "effect_name",
                "effect",
                "effect_low",
                "effect_high",
                "p_value",
                "q_value",
                "verdict",
            ],
        ),
        "ad_calendar": pd.DataFrame(
            [
                (day, "20:00 to 23:00", "all active customers", "snacks", 31, "orders_by_day")
                for day in DAYS
            ],
            columns=["day_name", "window", "audience", "offer", "orders", "evidence"],
        ),
    }


def figure(name, question, title, data, sources, chart=None, heat=None, image=""):
    return {
        "name": name,
        "question": question,
        "kind": "bars",
        "title": title,
        "subtitle": "Orders, active customers",
        "so_what": f"Act on {name}.",
        "alt": f"Chart {name} of question {question}, which says: {title}.",
        "image": image,
        "sources": sources,
        "chart": chart,
        "heat": heat,
        "data": {"columns": list(data.columns), "rows": json.loads(data.to_json(orient="values"))},
    }


def chart(kind, x, series, number_format="#,##0", intervals=None):
    return {
        "kind": kind,
        "x": x,
        "series": series,
        "x_title": x.capitalize(),
        "y_title": "Value (USD)",
        "number_format": number_format,
        "intervals": intervals,
    }


def figures(tables):
    day, hour = (
        tables[name].query("population == 'active'") for name in ("orders_by_day", "orders_by_hour")
    )
    dep = tables["departments"].query("population == 'active'")
    hab = tables["habits"].query("population == 'active'")
    cells = tables["orders_by_day_hour"].assign(
        day=lambda table: [DAYS[number] for number in table["day"]]
    )
    loyalty, region, ages = (hab[hab["grouping"] == name] for name in GROUPS)
    shares = pd.DataFrame(
        {"part": ["Morning", "Evening"], "produce": [0.6, 0.7], "others": [0.4, 0.3]}
    )
    return [
        figure(
            "heat",
            "Q1",
            "Saturday noon is full",
            cells[["day", "hour", "orders"]],
            ["orders_by_day_hour"],
            heat={"rows": "day", "columns": "hour", "values": "orders"},
        ),
        figure(
            "days",
            "Q1",
            "Saturday takes 200 orders",
            day[["day_name", "orders"]],
            ["orders_by_day"],
            chart("column", "day_name", ["orders"]),
        ),
        figure(
            "value",
            "Q2",
            "Order value grows with the hour",
            hour[["hour", "mean_order_value", "mean_order_value_low", "mean_order_value_high"]],
            ["orders_by_hour"],
            chart(
                "line",
                "hour",
                ["mean_order_value"],
                "$0.00",
                {"mean_order_value": ["mean_order_value_low", "mean_order_value_high"]},
            ),
        ),
        figure(
            "parts",
            "Q2",
            "Produce leads at all times",
            shares,
            ["departments"],
            chart("stacked_bar", "part", ["produce", "others"], "0%"),
        ),
        figure(
            "departments",
            "Q4",
            "Produce leads, bulk is smallest",
            dep[["department", "lines"]],
            ["departments"],
            chart("bar", "department", ["lines"]),
        ),
        figure(
            "reach",
            "Q4",
            "Large departments are reordered more",
            dep[["department", "lines", "reorder_rate"]],
            ["departments"],
            chart("scatter", "lines", ["reorder_rate"], "0%"),
        ),
        figure(
            "loyalty",
            "Q5",
            "Most customers are still new",
            loyalty[["group", "customers"]],
            ["habits"],
            chart("column", "group", ["customers"]),
        ),
        figure(
            "two",
            "Q6",
            "Loyal customers reorder a little less",
            loyalty[["group", "orders", "lines"]],
            ["habits"],
            chart("bar", "group", ["orders", "lines"]),
        ),
        figure(
            "region",
            "Q7",
            "Regions differ in order value",
            region[["group", "mean_order_value"]],
            ["habits"],
            chart("bar", "group", ["mean_order_value"], "$0.00"),
        ),
        figure(
            "ages",
            "Q8",
            "All ages order alike",
            ages[["group", "reorder_rate"]],
            ["habits"],
            chart("column", "group", ["reorder_rate"], "0.0%"),
        ),
        figure(
            "picture",
            "Q9",
            "Bands of age in a picture",
            dep[["department", "lines"]],
            ["departments"],
            image="picture.png",
        ),
    ]


def findings():
    made = []
    for number in range(1, 12):
        question = f"Q{number}"
        made.append(
            {
                "id": f"F{number:02d}",
                "question": question,
                "confidence": "high",
                "headline": f"Saturday takes 200 orders, 20.0% more than {DAYS[2]}",
                "so_what": "At $62.50 an order it carries the week.",
                "owner": "VP of Marketing",
                "action": "Keep 1,600 lines in stock.",
                "evidence": ["orders_by_day"],
                "figure": {"Q1": "heat", "Q2": "value", "Q7": "region"}.get(question, ""),
                "size": "200 orders",
                "change_mind": "",
                "numbers": {
                    "orders": {
                        "value": 200,
                        "unit": "orders",
                        "table": "orders_by_day",
                        "where": {"column": "orders", "population": "active", "day": "0"},
                    },
                    "lines": {
                        "value": 1600,
                        "unit": "order lines",
                        "table": "orders_by_day",
                        "where": {"column": "lines", "population": "active", "day": "0"},
                    },
                    "share": {
                        "value": 0.2,
                        "unit": "share",
                        "table": "departments",
                        "where": {
                            "column": "reorder_rate",
                            "population": "active",
                            "department": "extra",
                        },
                    },
                    "worth": {
                        "value": 62.5,
                        "unit": "US dollars an order",
                        "table": "orders_by_hour",
                        "where": {"column": "mean_income", "hour": "0"},
                    },
                },
            }
        )
    return made


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
        "files": {"orders.csv": {"bytes": 12_345, "sha256": "cd" * 32}},
    },
    "versions": {"pandas": "3.0.0"},
}


def write_run(out):
    """Write the sample run below `out`; return its folders."""
    folders = Folders(out)
    folders.tables.mkdir(parents=True)
    folders.visualizations.mkdir()
    tables = result_tables()
    drawn = figures(tables)
    tables["orders_by_hour"]["mean_income"] = 62.5
    extra = tables["departments"].iloc[[-1]].assign(department="extra", lines=0, reorder_rate=0.2)
    tables["departments"] = pd.concat([tables["departments"], extra])
    for name, table in tables.items():
        table.to_csv(folders.tables / f"{name}.csv", index=False, lineterminator="\n")
    Image.new("RGB", (1350, 750), "white").save(folders.visualizations / "picture.png")
    save(folders, findings=findings(), figures=drawn, facts=FACTS)
    return folders


def save(folders, **parts):
    places = {
        "findings": folders.analysis / "findings.json",
        "figures": folders.visualizations / "figures.json",
        "facts": folders.analysis / "run_facts.json",
    }
    for name, content in parts.items():
        places[name].write_text(json.dumps(content), encoding="utf-8")


def load(folders, name):
    return json.loads(
        (
            folders.visualizations / f"{name}.json"
            if name == "figures"
            else folders.analysis / f"{name}.json"
        ).read_text(encoding="utf-8")
    )


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


def texts_of(sheet):
    return [cell.value for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]


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
    expected = sha256(run.report.read_bytes()).hexdigest()
    for zone, seed in (("Asia/Tokyo", "7"), ("America/New_York", "123")):
        path = tmp_path / f"{seed}.xlsx"
        environment = os.environ | {
            "TZ": zone,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(ROOT / "03_scripts"),
        }
        subprocess.run(
            [sys.executable, "-c", code, str(run.out), str(ROOT / "settings.yml"), str(path)],
            check=True,
            env=environment,
        )
        assert sha256(path.read_bytes()).hexdigest() == expected


def test_the_open_xml_sdk_finds_no_error(run):
    reason = rules.validates(run.report)
    if reason:
        pytest.skip(reason)


@pytest.mark.slow
def test_libreoffice_converts_it_without_errors_into_as_many_pages(run, tmp_path):
    if not (shutil.which("soffice") and shutil.which("pdftotext")):
        pytest.skip("soffice and pdftotext are not on PATH")
    subprocess.run(
        [
            "soffice",
            f"-env:UserInstallation=file://{tmp_path}/profile",
            "--headless",
            "--convert-to",
            "pdf",
            "--outdir",
            str(tmp_path),
            str(run.report),
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    pdf = tmp_path / f"{run.report.stem}.pdf"
    text = subprocess.run(
        ["pdftotext", str(pdf), "-"], check=True, capture_output=True, text=True
    ).stdout
    assert not re.search(r"###|Err:|#NAME\?|#REF!", text)
    breaks = sum(len(sheet.row_breaks.brk) + 1 for sheet in load_workbook(run.report).worksheets)
    assert text.count("\f") == breaks


def test_small_groups_are_suppressed_on_every_sheet(run):
    book = load_workbook(run.report)
    sheet = book["5. Column derivations"]
    rows = {row[1].value: row[2].value for row in sheet[sheet.tables["tbl_flags"].ref]}
    assert (rows["West"], rows["South"], rows["Midwest"]) == ("suppressed", "suppressed", 40)
    sheet = book["8. Chart data"]
    rows = {row[0].value: row[1].value for row in sheet[sheet.tables["tbl_region"].ref]}
    assert (rows["West"], rows["South"]) == ("suppressed", "suppressed")
    drawn = next(
        one for one in finished(run).charts().values() if "Regions differ" in rules._text(one)
    )
    assert "West" not in {one.text for one in drawn.iter(f"{rules.C}v")}
    assert any("not shown" in text for text in texts_of(book["6. Visualizations"]))


def test_a_question_without_a_finding_says_so(run):
    sheet = load_workbook(run.report)["7. Recommendations"]
    cells = sheet[sheet.tables["tbl_recommendations_5"].ref]
    rows = [[cell.value for cell in row] for row in cells]
    assert [row[2] for row in rows if row[0].startswith("Q12")] == ["Not answered by this run."]


def test_tables_that_a_first_version_lacks_may_be_absent(fresh):
    for name in ("tests", "ad_calendar"):
        (fresh.tables / f"{name}.csv").unlink()
    build.write_report(fresh, SETTINGS)
    rules.check(fresh.report, fresh.analysis, SETTINGS, NAMES)


def test_fabricated_columns_are_announced_and_no_dollars_head_the_report(fresh):
    facts = load(fresh, "run_facts")
    facts["data"] |= {"synthetic": "columns", "layout": "kaggle"}
    save(fresh, facts=facts)
    build.write_report(fresh, SETTINGS)
    rules.check(fresh.report, fresh.analysis, SETTINGS, NAMES)
    texts = texts_of(load_workbook(fresh.report)["1. Title Page"])
    assert "Mean lines per order" in texts
    assert not any("USD" in text for text in texts)


def test_real_data_is_not_called_synthetic(fresh):
    facts = load(fresh, "run_facts")
    facts["data"] |= {"synthetic": "no", "description": "Instacart's data"}
    save(fresh, facts=facts)
    build.write_report(fresh, SETTINGS)
    rules.texts_are_complete(finished(fresh))


def test_other_data_gives_other_tiles(fresh):
    path = fresh.tables / "orders_by_day.csv"
    path.write_text(path.read_text().replace("active,0,Saturday,200", "active,0,Saturday,900"))
    build.write_report(fresh, SETTINGS)
    rules.tiles_tie_out(finished(fresh))


def test_characters_that_a_workbook_cannot_hold_are_left_out(fresh):
    told = load(fresh, "findings")
    told[0]["action"] = "@cmd \ud800\ufffe\x07 keep 1,600 lines"
    save(fresh, findings=told)
    build.write_report(fresh, SETTINGS)
    sheet = load_workbook(fresh.report)["Executive Summary"]
    cell = next(
        cell for row in sheet.iter_rows() for cell in row if str(cell.value).startswith("@cmd")
    )
    assert cell.value == "@cmd  keep 1,600 lines"
    assert cell.quotePrefix
    rules.cells_are_values(finished(fresh))


def test_a_text_too_long_for_a_cell_is_an_error_not_cut(fresh):
    told = load(fresh, "findings")
    told[0]["headline"] = "long " * 8_000
    save(fresh, findings=told)
    with pytest.raises(BasketError, match="does not fit into a cell"):
        build.write_report(fresh, SETTINGS)


def number(table, where, value=1):
    return {"value": value, "unit": "customers", "table": table, "where": where}


def test_a_finding_about_a_small_group_is_withheld(fresh):
    told = load(fresh, "findings")
    told[0]["headline"] = "The West orders less"
    told[0]["numbers"] = {
        "west": number(
            "habits",
            {
                "column": "reorder_rate",
                "population": "active",
                "grouping": "region",
                "group": "West",
            },
        )
    }
    save(fresh, findings=told)
    build.write_report(fresh, SETTINGS)
    book = load_workbook(fresh.report)
    for name in ("Executive Summary", "7. Recommendations"):
        texts = texts_of(book[name])
        assert "The West orders less" not in texts
        assert any(text.startswith("Withheld") for text in texts)


def test_a_finding_about_groups_of_all_customers_is_refused(fresh):
    told = load(fresh, "findings")
    told[0]["numbers"] = {
        "new": number(
            "flags",
            {"column": "customers", "population": "all", "flag": "region", "label": "South"},
        )
    }
    save(fresh, findings=told)
    with pytest.raises(BasketError, match=r"F01.*all customers"):
        build.write_report(fresh, SETTINGS)


def test_a_figure_of_groups_of_all_customers_is_refused(fresh):
    drawn = load(fresh, "figures")
    region = next(one for one in drawn if one["name"] == "region")
    region["data"]["columns"].append("population")
    region["data"]["rows"] = [[*row, "all"] for row in region["data"]["rows"]]
    save(fresh, figures=drawn)
    with pytest.raises(BasketError, match="region: shows groups of all customers"):
        build.write_report(fresh, SETTINGS)


def test_a_picture_with_a_small_group_gives_way_to_a_chart_without_it(fresh):
    drawn = load(fresh, "figures")
    region = next(one for one in drawn if one["name"] == "region")
    region |= {"chart": None, "image": "picture.png"}
    save(fresh, figures=drawn)
    build.write_report(fresh, SETTINGS)
    rules.check(fresh.report, fresh.analysis, SETTINGS, NAMES)
    assert len([one for *_, one in finished(fresh).drawings() if one]) == 1


@pytest.mark.parametrize(
    "path", ["tables/flags.csv", "findings.json", "run_facts.json", "visualizations/figures.json"]
)
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


def test_repeated_headers_are_told_apart():
    assert values.unique(["From", "from", "To"]) == ["From", "from 2", "To"]


def test_per_cents_below_one_keep_a_decimal():
    data = native_charts.Range("s", 2, 3, {"v": 1}, 1, pd.DataFrame({"v": [0.3, 0.004]}))
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
    assert (native_charts.precise("0%"), native_charts.precise("$0.00", [1.234])) == (
        "0.0%",
        "$0.00",
    )


# --- mutants: the checker must reject each


def mutate(source, target, edits, dates=True, extra=None):
    """Copy a workbook with some parts edited; every edit must change a part."""
    unchanged = set(edits)
    with ZipFile(source) as good, ZipFile(target, "w") as bad:
        for info in good.infolist():
            content = good.read(info.filename)
            for pattern, edit in edits.items():
                if re.fullmatch(pattern, info.filename):
                    changed = edit(content.decode()).encode()
                    unchanged -= {pattern} if changed != content else set()
                    content = changed
            bad.writestr(info if dates else info.filename, content)
        for name, content in (extra or {}).items():
            bad.writestr(name, content)
    assert not unchanged, f"the mutant is no mutant: {unchanged}"
    return target


def swap(old, new, count=1):
    return lambda text: text.replace(old, new, count)


def first(pattern, new):
    return lambda text: re.sub(pattern, new, text, count=1, flags=re.DOTALL)


def last(old, number):
    return lambda text: f't="n"><v>{number}</v>'.join(text.rsplit(old, 1))


def sheet(number):
    return rf"xl/worksheets/sheet{number}\.xml"


STRINGS = r"xl/worksheets/sheet\d+\.xml"
CHART = r"xl/charts/chart1\.xml"
DRAWING = r"xl/drawings/drawing1\.xml"
NUMBER = r'(<c r="[A-Z]+\d+"[^>]*>)<v>\d+</v>'
SUPPRESSED = 't="inlineStr"><is><t>suppressed</t></is>'
FIRST_CELL = '<c r="A1"'

MUTANTS = {
    "axis deleted": (rules.charts_are_sound, {CHART: swap('<delete val="0"', '<delete val="1"')}),
    "axis without title": (
        rules.charts_are_sound,
        {CHART: swap("<a:t>Value (USD)</a:t>", "<a:t></a:t>")},
    ),
    "bars not from 0": (
        rules.charts_are_sound,
        {CHART: first(r'<min val="0[.0]*"', '<min val="90"')},
    ),
    "title over the plot": (
        rules.charts_are_sound,
        {CHART: swap('<overlay val="0"', '<overlay val="1"')},
    ),
    "title too short": (
        rules.charts_are_sound,
        {CHART: swap("Saturday takes 200 orders", "Saturdays")},
    ),
    "pie": (rules.charts_are_sound, {CHART: swap("barChart", "pieChart", -1)}),
    "smooth line": (
        rules.charts_are_sound,
        {r"xl/charts/chart2\.xml": swap('<smooth val="0"', '<smooth val="1"')},
    ),
    "colour of nobody's palette": (rules.charts_are_sound, {CHART: swap("0072B2", "FF00FF", -1)}),
    "rainbow bars": (
        rules.charts_are_sound,
        {CHART: swap('<varyColors val="0"', '<varyColors val="1"')},
    ),
    "upside down": (
        rules.charts_are_sound,
        {r"xl/charts/chart3\.xml": swap('<orientation val="maxMin"', '<orientation val="minMax"')},
    ),
    "cache of another number": (
        rules.charts_draw_the_cells,
        {CHART: swap("<v>200</v>", "<v>201</v>")},
    ),
    "alt text emptied": (
        rules.drawings_are_described,
        {DRAWING: first('descr="[^"]+"', 'descr=""')},
    ),
    "alt text repeated": (
        rules.drawings_are_described,
        {
            DRAWING: lambda text: re.sub(
                'descr="[^"]+"', f'descr="{"the same words again " * 3}"', text
            )
        },
    ),
    "image blurred": (
        rules.drawings_are_described,
        {
            DRAWING: lambda text: re.sub(
                r'(<xdr:ext |<ext )cx="(\d+)" cy="(\d+)"',
                lambda m: f'{m[1]}cx="{int(m[2]) * 3}" cy="{int(m[3]) * 3}"',
                text,
            )
        },
    ),
    "chart cut by a page": (
        rules.prints_well,
        {
            sheet(7): first(
                r"<rowBreaks.*?</rowBreaks>",
                '<rowBreaks count="1" manualBreakCount="1">'
                '<brk id="25" max="16383" man="1"/></rowBreaks>',
            )
        },
    ),
    "table cut without its header": (
        rules.headers_are_repeated,
        {sheet(3): first(r'<brk id="38"', '<brk id="25"')},
    ),
    "header of another table": (
        rules.headers_are_repeated,
        {
            r"xl/workbook\.xml": swap(
                "'5. Column derivations'!$37:$37", "'5. Column derivations'!$7:$7"
            )
        },
    ),
    "half-empty page": (rules.pages_are_filled, {sheet(7): first('<brk id="29"', '<brk id="12"')}),
    "interval cut off": (
        rules.intervals_are_drawn_whole,
        {r"xl/charts/chart2\.xml": first('<max val="90"', '<max val="70"')},
    ),
    "axis left to the program": (
        rules.intervals_are_drawn_whole,
        {r"xl/charts/chart2\.xml": first('<max val="90"[^>]*/>', "")},
    ),
    "word of statistics": (
        rules.sentences_are_plain,
        {STRINGS: swap("Keep 1,600 lines", "Keep an epsilon of 1,600 lines")},
    ),
    "name of a column": (
        rules.sentences_are_plain,
        {STRINGS: swap("Keep 1,600 lines", "Keep 1,600 order_lines")},
    ),
    "message left out": (
        rules.sheets_hold_what_they_promise,
        {r"xl/tables/table\d+\.xml": swap('ref="A7:G18"', 'ref="A7:G17"', -1)},
    ),
    "question left out": (rules.sheets_hold_what_they_promise, {sheet(8): swap("<t>Q12 ", "<t>")}),
    "no word of censoring": (
        rules.sheets_hold_what_they_promise,
        {STRINGS: swap("Censored gaps", "Gaps")},
    ),
    "portrait": (
        rules.prints_well,
        {sheet(1): swap('orientation="landscape"', 'orientation="portrait"')},
    ),
    "not fitted": (rules.prints_well, {sheet(2): first(r"<pageSetUpPr[^>]*>", "")}),
    "formula injected": (
        rules.cells_are_values,
        {sheet(9): first(NUMBER, r"\1<f>1+1</f><v>2</v>")},
    ),
    "error value": (
        rules.cells_are_values,
        {sheet(1): first(FIRST_CELL + r"[^>]*>.*?</c>", '<c r="A1" t="e"><v>#REF!</v></c>')},
    ),
    "error as text": (rules.cells_are_values, {STRINGS: swap("order lines", "#NAME?")}),
    "nan": (rules.cells_are_values, {STRINGS: swap("<t>VP of Marketing</t>", "<t>nan</t>")}),
    "text that may run": (
        rules.cells_are_values,
        {r"xl/styles\.xml": swap('quotePrefix="1"', 'quotePrefix="0"', -1)},
    ),
    "float without format": (
        rules.cells_are_values,
        {r"xl/styles\.xml": swap('formatCode="$0.00"', 'formatCode="General"', -1)},
    ),
    "tiny font": (
        rules.cells_are_readable,
        {r"xl/styles\.xml": swap('<sz val="10"', '<sz val="8"', -1)},
    ),
    "pale text": (rules.cells_are_readable, {r"xl/styles\.xml": swap("FF5B6770", "FFB0B8C0", -1)}),
    "row too low": (
        rules.cells_are_readable,
        {sheet(2): lambda text: re.sub(r'ht="\d{2}[\d.]*"', 'ht="9"', text)},
    ),
    "link broken": (
        rules.links_resolve,
        {sheet(2): first("location=\"'6. Visualizations'!", "location=\"'Figures'!")},
    ),
    "no way back": (rules.links_resolve, {sheet(4): first("<hyperlinks>.*?</hyperlinks>", "")}),
    "sheet hidden": (
        rules.sheets_are_the_ten,
        {
            r"xl/workbook\.xml": lambda text: re.sub(
                r'(name="4\. Wrangling steps"[^>]*state=)"visible"', r'\1"hidden"', text
            )
        },
    ),
    "sheet renamed": (
        rules.sheets_are_the_ten,
        {r"xl/workbook\.xml": swap('name="4. Wrangling steps"', 'name="4. Wrangling"')},
    ),
    "merged cells": (
        rules.sheets_are_the_ten,
        {
            sheet(3): swap(
                "</sheetData>",
                '</sheetData><mergeCells count="1"><mergeCell ref="A5:B5"/></mergeCells>',
            )
        },
    ),
    "row hidden": (
        rules.sheets_are_the_ten,
        {sheet(5): swap('<row r="4"', '<row hidden="1" r="4"')},
    ),
    "header blank": (rules.tables_are_tables, {STRINGS: swap("<t>Owner</t>", "<t> </t>")}),
    "table renamed": (
        rules.tables_are_tables,
        {r"xl/tables/table1\.xml": swap("tbl_", "list_", -1)},
    ),
    "number outside of a table": (
        rules.tables_are_tables,
        {sheet(4): first(FIRST_CELL + r"[^>]*>.*?</c>", '<c r="A1"><v>5</v></c>')},
    ),
    "number that ties to no table": (
        rules.sentences_tie_out,
        {
            STRINGS: swap(
                "Saturday takes 200 orders, 20.0% more", "Saturday takes 210 orders, 20.0% more"
            )
        },
    ),
    "per cent that ties to no table": (rules.sentences_tie_out, {STRINGS: swap("20.0%", "21.0%")}),
    "title that ties to no table": (
        rules.sentences_tie_out,
        {CHART: swap("Saturday takes 200 orders", "Saturday takes 999 orders")},
    ),
    "tile": (rules.tiles_tie_out, {sheet(1): swap("<v>1000</v>", "<v>1001</v>")}),
    "number behind a figure": (rules.numbers_tie_out, {sheet(9): swap("<v>200</v>", "<v>201</v>")}),
    "frequency": (rules.numbers_tie_out, {sheet(6): swap("<v>480</v>", "<v>481</v>")}),
    "flow": (rules.flow_adds_up, {sheet(3): swap("<v>1060</v>", "<v>1061</v>")}),
    "customer named": (rules.nobody_is_named, {STRINGS: swap("VP of Marketing", NAMES[0])}),
    "customer named in properties": (
        rules.nobody_is_named,
        {r"docProps/core\.xml": swap("The basket analysis team", NAMES[1])},
    ),
    "user_id column": (
        rules.nobody_is_named,
        {r"xl/tables/table\d+\.xml": swap('name="Owner"', 'name="user_id"')},
    ),
    "small group shown": (rules.small_groups_are_not_shown, {sheet(6): last(SUPPRESSED, "7")}),
    "one of two suppressed shown": (
        rules.small_groups_are_not_shown,
        {sheet(6): swap(SUPPRESSED, 't="n"><v>23</v>')},
    ),
    "something to do": (rules.texts_are_complete, {STRINGS: swap("Act on days", "TODO days")}),
    "no citation": (
        rules.texts_are_complete,
        {STRINGS: swap("The Instacart Online Grocery Shopping Dataset 2017", "A data set")},
    ),
    "no banner": (
        rules.texts_are_complete,
        {sheet(8): first(r'<c r="A3"[^>]*>.*?</c>', '<c r="A3"/>')},
    ),
    "no so what": (rules.texts_are_complete, {STRINGS: swap("So what: ", "Thus: ")}),
    "creator": (
        rules.properties_are_set,
        {
            r"docProps/core\.xml": first(
                r"<dc:creator>.*?</dc:creator>", "<dc:creator>openpyxl</dc:creator>"
            )
        },
    ),
    "another commit": (rules.properties_are_set, {r"docProps/custom\.xml": swap("0123", "9999")}),
    "modified later": (
        rules.dates_are_the_runs,
        {r"docProps/core\.xml": swap("2025-01-31T", "2025-02-01T")},
    ),
    "external link": (
        rules.package_holds_nothing_foreign,
        {
            r"xl/_rels/workbook\.xml\.rels": swap(
                "</Relationships>",
                '<Relationship Id="rId99" Type="x" Target="file:///c:/a.xlsx" '
                'TargetMode="External"/></Relationships>',
            )
        },
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_checker_rejects(run, tmp_path, mutant):
    rule, edits = MUTANTS[mutant]
    bad = mutate(run.report, tmp_path / "bad.xlsx", edits)
    with pytest.raises(AssertionError, match=r"\w"):
        rule(finished(run, bad))


def test_the_checker_rejects_dates_of_today(run, tmp_path):
    bad = mutate(run.report, tmp_path / "bad.xlsx", {}, dates=False)
    with pytest.raises(AssertionError, match="zip date"):
        rules.dates_are_the_runs(finished(run, bad))


@pytest.mark.parametrize(
    "name",
    [
        "xl/vbaProject.bin",
        "xl/externalLinks/externalLink1.xml",
        "xl/comments/comment1.xml",
        "xl/connections.xml",
    ],
)
def test_the_checker_rejects_foreign_parts(run, tmp_path, name):
    bad = mutate(run.report, tmp_path / "bad.xlsx", {}, extra={name: "x"})
    with pytest.raises(AssertionError, match="not allowed"):
        rules.package_holds_nothing_foreign(finished(run, bad))


def test_the_checker_rejects_a_finding_that_rests_on_no_cell(fresh):
    told = load(fresh, "findings")
    told[3]["numbers"]["orders"]["value"] = 202
    save(fresh, findings=told)
    build.write_report(fresh, SETTINGS)
    with pytest.raises(AssertionError, match="F04: orders: 202"):
        rules.findings_rest_on_cells(finished(fresh))


def test_contrast_is_that_of_wcag():
    assert math.isclose(rules.contrast((0, 0, 0), (255, 255, 255)), 21)
    assert 4.4 < rules.contrast((119, 119, 119), (255, 255, 255)) < 4.5
