"""Data that lacks something: the whole pipeline gives true sentences, or says what it cannot."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from basket.analysis.finding import NOT_ANSWERED
from basket.analysis.verdicts import UNDECIDED
from basket.checks.verify import verify_findings
from basket.project.folders import Folders
from basket.tables.result_csv import read_csv
from checkout import basket
from conftest import run_stages, whole_report
from small_store import thinned, write_store

SETS = {
    "one customer": {"customers": 1, "orders": 12},
    "five customers": {"customers": 5, "orders": (6, 20)},
    "one day": {"days": 1},
    "one department": {"departments": 1},
    "one price": {"prices": "one"},
    "no prices": {"prices": "none", "customers": 60},
    "all loyal": {"customers": 35, "orders": (41, 50)},
    "nobody active": {"orders": 3},
    "one order each": {"orders": 1},
    "one order each, nothing after it": {"orders": 1, "last": False},
    "one or two orders each": {"orders": (1, 2)},
    "no last order": {"last": False},
    "all gaps of 30 days": {"gaps": (30,), "customers": 60},
    "all orders of one size": {"lines": (3, 3), "customers": 60},
    "some incomes empty": {"incomes": "some"},
    "a hundred thousand with one order": {"customers": 100_000, "orders": 1, "lines": 3},
}
# Through the whole command; the others through the same notebooks, in this process, and of these
# two the figures are drawn.
BY_COMMAND = ("one customer", "thinned")
DRAWN = ("no prices", "a hundred thousand with one order")
NO_NUMBER = re.compile(r"(?<![\w-])(nan|NaN|NaT|None|-?inf|<NA>)(?![\w-])")
NOBODY_ACTIVE = "Not answered: no customer has enough orders to count as active"


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Give a function that runs the pipeline on a data set once; return the folders of the run."""
    made: dict[str, Folders] = {}

    def report(name: str) -> Folders:
        if name not in made:
            out = tmp_path_factory.mktemp("run")
            if name == "thinned":
                data = thinned(write_store(out / "whole"), out / "data", 0.12)
            else:
                data = write_store(out / "data", **SETS[name])
            if name in BY_COMMAND:
                done = basket("report", "--data", data, "--out", out)
                assert done.returncode == 0, f"{name}: {done.stderr}"
                assert "Traceback" not in done.stderr
                warned = "Histories are incomplete: " in done.stderr
                assert warned == (name == "thinned")
            else:
                whole_report(data, out, drawn=name in DRAWN)
            made[name] = Folders(out)
        return made[name]

    return report


def findings_of(folders: Folders) -> list[dict]:
    return json.loads(folders.findings.read_text(encoding="utf-8"))


def sentences_of(folders: Folders) -> list[str]:
    """All sentences of a run: those of the findings and of the figures."""
    said = [
        f"{finding[part]}"
        for finding in findings_of(folders)
        for part in ("headline", "so_what", "action", "change_mind")
    ]
    said += [(finding["prize"] or {}).get("what_if", "") for finding in findings_of(folders)]
    return said + [
        figure[part] for figure in figures_of(folders) for part in ("title", "subtitle", "alt")
    ]


def cells_of(table: Path) -> list[str]:
    with table.open(newline="", encoding="utf-8") as file:
        return [cell for row in csv.reader(file) for cell in row]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SETS, "thinned"])
def test_no_output_shows_what_a_program_prints_for_no_number(reports, name):
    folders = reports(name)
    for sentence in sentences_of(folders):
        assert not NO_NUMBER.search(sentence), sentence
    for table in sorted(folders.tables.glob("*.csv")):
        wrong = [cell for cell in cells_of(table) if NO_NUMBER.search(cell)]
        assert not wrong, f"{table.name}: {wrong[0]}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SETS, "thinned"])
def test_what_report_accepts_verify_accepts(reports, name):
    folders = reports(name)
    assert folders.report.stat().st_size > 20_000
    if name in BY_COMMAND:
        done = basket("verify", "--out", folders.out)
        assert done.returncode == 0, done.stderr
    assert verify_findings(folders) >= 0  # raises at the first number that is not in its table


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SETS, "thinned"])
def test_a_claim_has_numbers_and_no_answer_has_a_reason(reports, name):
    for finding in findings_of(reports(name)):
        refused = finding["headline"].startswith("Not answered: ")
        assert refused == (finding["kind"] == "not answered"), finding["headline"]
        if finding["kind"] in ("difference", "candidate"):
            assert finding["numbers"], finding["headline"]
        if refused:
            assert (finding["prize"], finding["touches"], finding["confidence"]) == (
                None,
                [],
                "low",
            )
            assert len(finding["headline"]) > 25 and not finding["headline"].endswith(".")


# ---- what is true of each set -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "nobody active",
        "one order each",
        "one order each, nothing after it",
        "a hundred thousand with one order",
    ],
)
def test_where_nobody_is_active_every_question_says_so(reports, name):
    assert {finding["headline"] for finding in findings_of(reports(name))} == {NOBODY_ACTIVE}


@pytest.mark.slow
def test_where_all_orders_fall_on_one_day_no_other_day_is_named(reports):
    for finding in findings_of(reports("one day")):
        sentence = finding["headline"] + finding["action"]
        assert not re.search("Saturday|Sunday|Monday|Wednesday|Thursday|Friday", sentence), sentence


@pytest.mark.slow
def test_of_one_department_nothing_is_lowest_and_few_buy_nothing(reports):
    said = [f["headline"] for f in findings_of(reports("one department")) if f["question"] == "Q4"]
    assert said and not any("lowest" in each or "few" in each for each in said), said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["no prices", "one price"])
def test_without_different_prices_no_range_of_prices_is_proposed(reports, name):
    findings = findings_of(reports(name))
    of_prices = [f["headline"] + f["action"] for f in findings if f["question"] == "Q3"]
    assert of_prices and not any(re.search("split|cut", said) for said in of_prices), of_prices
    for finding in findings:
        if name == "no prices":
            said = finding["headline"] + finding["so_what"] + finding["action"]
            assert "$" not in said, said


@pytest.mark.slow
def test_where_all_are_loyal_they_are_all_of_the_customers(reports):
    said = [f["headline"] for f in findings_of(reports("all loyal")) if f["question"] == "Q5"]
    assert said[0] == (
        "Loyal customers are 100.0% of active customers and place 100.0% of their orders"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one customer", "five customers"])
def test_a_handful_of_customers_carries_no_firm_answer(reports, name):
    assert "high" not in {finding["confidence"] for finding in findings_of(reports(name))}


@pytest.mark.slow
def test_without_last_orders_the_gaps_are_those_between_prior_orders(reports):
    folders = reports("no last order")
    missing = read_csv(folders.tables / "completeness.csv").set_index("what")
    row = missing.loc["customers without a last order (train or test)"]
    assert (row["found"], row["of"]) == ("40", 40)
    assert read_csv(folders.tables / "time_to_next_order.csv")["at_risk"].max() <= 40


# ---- habits -------------------------------------------------------------------------------------

OF_HABITS = ("Q5", "Q10", "Q13", "Q14")


def headlines(folders: Folders, *questions: str) -> list[str]:
    return [one["headline"] for one in findings_of(folders) if one["question"] in questions]


def figures_of(folders: Folders) -> list[dict]:
    return json.loads((folders.visualizations / "figures.json").read_text(encoding="utf-8"))


def names_of_figures(folders: Folders) -> set[str]:
    return {figure["name"] for figure in figures_of(folders)}


@pytest.mark.slow
def test_customers_with_one_or_two_orders_are_in_no_segment(reports):
    folders = reports("one or two orders each")
    assert set(headlines(folders, *OF_HABITS)) == {NOBODY_ACTIVE}
    for name in ("segments", "offers", "trial_plan"):
        assert read_csv(folders.tables / f"{name}.csv").empty, name


@pytest.mark.slow
def test_where_all_gaps_are_30_days_nobody_is_said_to_come_back_in_weeks(reports):
    folders = reports("all gaps of 30 days")
    (segment,) = read_csv(folders.tables / "segments.csv").to_dict("records")
    assert (segment["customers"], segment["median_gap_days"]) == (60, 30)
    said = " ".join(one["so_what"] for one in findings_of(folders) if one["question"] == "Q10")
    assert "Half of the gaps between their orders are 30 days or more" in said
    assert (
        headlines(folders, "Q5")[1:]
        == ["Not answered: every gap between orders is as long as a gap can be in this data"] * 2
    )
    assert headlines(folders, "Q14") == [
        "Not answered: no action is to be tried that touches enough, or no customers who differ "
        "were seen long enough"
    ]
    assert not read_csv(folders.tables / "return_hazard.csv")["gaps_ended"].any()
    assert not {"days_between_orders", "return_hazard"} & names_of_figures(folders)


@pytest.mark.slow
def test_where_all_orders_are_of_one_size_there_is_nothing_to_predict(reports):
    folders = reports("all orders of one size")
    assert headlines(folders, "Q10")[1] == (
        "Not answered: all later orders hold as many lines: there is nothing to predict"
    )
    told = read_csv(folders.tables / "segment_gain.csv").query("measure == 'lines_per_order'")
    assert not told["customers"].any() and told["r_squared"].isna().all()
    assert "segment_gain" not in names_of_figures(folders)


@pytest.mark.slow
def test_without_prices_the_value_is_lines_per_order(reports):
    folders = reports("no prices")
    segments, told, prizes = (
        read_csv(folders.tables / f"{name}.csv") for name in ("segments", "segment_gain", "prizes")
    )
    assert segments["mean_lines_per_order"].notna().all()
    assert not segments["spend"].any(), "as the contract has it: the sum of the prices there are"
    assert "order lines" in headlines(folders, "Q10")[0]
    by_measure = told.groupby("measure")["customers"].max()
    assert by_measure["lines_per_order"] == 60 and by_measure["order_value"] == 0
    assert (prizes[["spend", "base_spend"]] == "").all(axis=None)
    prizes = [one["prize"] for one in findings_of(folders) if one["question"] in OF_HABITS]
    assert any(prizes) and all(prize["spend"] is None for prize in prizes if prize)


@pytest.mark.slow
def test_incomplete_histories_answer_no_question_about_habits(reports):
    folders = reports("thinned")
    assert set(headlines(folders, *OF_HABITS)) == {"Not answered: histories are incomplete"}
    assert not {figure["question"] for figure in figures_of(folders)} & set(OF_HABITS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_habits_drawn_by_lot_are_not_said_to_predict(tmp_path, seed):
    """60 customers, every order's size drawn anew: nothing of the first half tells the second."""
    data = write_store(tmp_path / "data", customers=60, seed=seed)
    run = run_stages(data, tmp_path / "out", "corrected")
    names = run.notebook("05_visualise", "Q11 What is bought together")
    said = [one for one in names["paper"].found if one["question"] == "Q10"][1]
    assert said["kind"] in (UNDECIDED, NOT_ANSWERED)
    told = names["results"]["segment_gain"].set_index(["grouping", "measure"])["r_squared"]
    assert not np.greater(told["segment", "lines_per_order"], 0.1)


# ---- incomplete histories -----------------------------------------------------------------------


def says_that_histories_are_incomplete(folders: Folders) -> None:
    """Every place that must say it does, and nothing that needs histories is answered."""
    findings = findings_of(folders)
    assert all("incomplete histories" in finding["rests_on"] for finding in findings)
    assert "high" not in {finding["confidence"] for finding in findings}
    needing = [f for f in findings if f["question"] in ("Q5", "Q6")]
    assert {f["question"] for f in needing} == {"Q5", "Q6"} and len(findings) >= 12
    said = {(f["kind"], f["headline"]) for f in needing}
    assert said == {("not answered", "Not answered: histories are incomplete")}
    reach = [f["headline"] for f in findings if f["question"] == "Q4"]
    assert "Not answered: histories are incomplete" in reach
    checks = read_csv(folders.tables / "consistency_checks.csv").set_index("check")
    row = checks.loc["customers whose order numbers are not 1 to n"]
    assert row["action"].startswith("their histories have holes")
    assert not {"loyalty", "days_between_orders"} & names_of_figures(folders)


@pytest.mark.slow
def test_a_thinned_store_says_that_histories_are_incomplete(reports):
    folders = reports("thinned")
    says_that_histories_are_incomplete(folders)
    index = (folders.notebooks / "index.html").read_text(encoding="utf-8")
    assert "Histories are incomplete: customers whose order numbers are not 1 to n" in index
    pages = (folders.notebooks / "05_visualise.html").read_text(encoding="utf-8")
    assert "Histories are incomplete: customers" in pages


@pytest.mark.slow
def test_the_real_panel_thinned_to_12_percent_says_that_histories_are_incomplete(panel, tmp_path):
    data = thinned(panel, tmp_path / "data", 0.12)
    says_that_histories_are_incomplete(whole_report(data, tmp_path).folders)
