"""What the report says: each finding and figure on small tables made by hand, branch by branch.

Each cell of these tables holds a number of its own, so that a number in the wrong place is seen.
"""

import inspect
import re
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

import pandas as pd
import pytest

from basket.analysis.finding import Evidence, Finding, answer
from basket.analysis.questions import QUESTIONS, number_of, question_of
from basket.analysis.questions import q05_loyalty as q05
from basket.analysis.questions import q06_habits as q06
from basket.analysis.questions import q07_region as q07
from basket.analysis.questions import q08_family as q08
from basket.analysis.questions import q09_classes as q09
from basket.analysis.questions import q10_profiles as q10
from basket.analysis.questions import q11_pairs as q11
from basket.analysis.questions import q12_sensitivity as q12
from basket.analysis.where import where
from basket.project.settings import Settings
from basket.report.gallery import Paper

SENTENCES = Path(__file__).parent / "sentences.md"
FINDING_PARTS = [field.name for field in fields(Finding)]
FIGURE_PARTS = ("name", "title", "subtitle", "alt", "x_title", "y_title", "reference")
NONE, UNDECIDED = "no practical difference", "undecided"
ACTIVE = pd.DataFrame({"population": ["active"]})  # a customer, so that there is something to say


def table(columns: str, *rows: tuple, **same) -> pd.DataFrame:
    """Make a table of these rows; `same` are columns of one value."""
    return pd.DataFrame(rows, columns=columns.split()).assign(**same)


def ranges(prefix: str, *each: tuple[float, float, float]) -> dict:
    """Columns of an estimate and its interval."""
    return {
        f"{prefix}{end}": [values[place] for values in each]
        for place, end in enumerate(("", "_low", "_high"))
    }


# ---- tables -------------------------------------------------------------------------------------


NEW, REGULAR, LOYAL = "New customer", "Regular customer", "Loyal customer"
SHARES = table(
    "grouping group orders share_of_customers share_of_orders spend",
    ("loyalty_flag", NEW, 100, 0.333, 0.1, 1.0),
    ("loyalty_flag", REGULAR, 565, 0.563, 0.565, 2.0),
    ("loyalty_flag", LOYAL, 335, 0.104, 0.335, 3.0),
    ("income_group", "Low income", 70, 0.22, 0.07, 900.0),
)
GAPS = table(
    "label orders share", ("6", 50, 0.06), ("7", 300, 0.37), ("8", 60, 0.07), ("30+", 400, 0.49)
)
TWO_PEAKS = GAPS.assign(orders=[50, 300, 300, 400], share=[0.06, 0.37, 0.37, 0.49])
HABITS = table(
    "population group median_days_between_orders spend",
    ("active", NEW, 14.0, 1_000.0),
    ("active", REGULAR, 8.0, 2_000.0),
    ("active", LOYAL, 5.5, 3_000.0),
    ("all", LOYAL, 99.0, 9.0),
    grouping="loyalty_flag",
)


def compared(grouping: str, *rows: tuple, name: str = "epsilon_squared") -> pd.DataFrame:
    """Make tests of one grouping: measure, effect, verdict, for_headline, customers_to_decide."""
    columns = "measure effect verdict for_headline customers_to_decide"
    tests = table(
        columns, *rows, grouping=grouping, effect_name=name, group_a="", group_b="", n=813
    )
    return tests.astype({"customers_to_decide": "Int64"}).assign(
        effect_low=(tests["effect"] - 0.011).round(6),
        effect_high=(tests["effect"] + 0.022).round(6),
    )


def value_of_loyal(verdict: str, ratio: float) -> pd.DataFrame:
    """Give the test of the order value of loyal customers, beside one of another group."""
    rows = [("mean_order_value", ratio, verdict, "yes", None)]
    loyal = compared("loyalty_flag", *rows, name="ratio")
    loyal = loyal.assign(group_a="Loyal customer", group_b="all customers")
    return pd.concat([loyal, loyal.assign(group_a="New customer", effect=7.0)])


def income(*lifts: tuple[str, float]) -> dict[str, pd.DataFrame]:
    same = {"grouping": "income_group", "group_a": "Low income", "n": 100, "for_headline": "yes"}
    rows = table("measure effect", *lifts, **same)
    rows = rows.astype({"measure": "str", "effect": "float64"})  # as the empty table has them
    rows = rows.assign(effect_low=rows["effect"] - 0.11, effect_high=rows["effect"] + 0.12)
    lines = pd.DataFrame({"population": "active", "department": rows["measure"], "lines": 1_000})
    return {"department_lifts": rows, "departments": lines, "group_shares": SHARES}


def bands(attribute: str, measure: str, cuts: str, confirmed: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "attribute": attribute,
            "measure": measure,
            "method": ["course", "proposed"],
            "cuts": ["40 | 65", cuts],
            "r2_confirm_half": [0.07, 0.31],
            "customers": 812,
            "confirmed": ["", confirmed],
        }
    )


def profiles(*, ratio: float = 0.77, proven: str = "yes", time: str = "") -> pd.DataFrame:
    """Three profiles; the second may differ, the third is too small to be shown."""
    nothing = float("nan")
    return table(
        "profile customers spend share_of_spend mean_order_value order_value_for_headline top_time "
        "top_time_ratio",
        ("Young family", 300, 9_000.0, 0.54, 81.0, "no", "", nothing),
        ("Old single", 200, 4_000.0, 0.24, 62.5, proven, time, 1.31 if time else nothing),
        ("Tiny", 3, 99_000.0, 0.22, 5.0, "yes", "orders in the night", 9.0),
        **ranges("order_value_ratio", (1, 0.9, 1.1), (ratio, 0.71, 0.84), (0.1, 0, 1)),
    )


def pairs(*departments: tuple[str, str], low: float = 2.0) -> pd.DataFrame:
    """Pairs of products with falling lifts; of the last, more who buy b also buy a."""
    count = len(departments)
    return pd.DataFrame(
        {
            "product_a": range(count),
            "product_b": range(100, 100 + count),
            "product_name_a": [f"a{place}" for place in range(count)],
            "product_name_b": [f"b{place}" for place in range(count)],
            "department_a": [one for one, _ in departments],
            "department_b": [other for _, other in departments],
            "lift": [60.0 - place for place in range(count)],
            "lift_low": low,
            "lift_high": 70.0,
            "orders_with_both": 90,
            "customers_with_both": 40,
            "confidence_a_to_b": [0.2] * count,
            "confidence_b_to_a": [0.1] * (count - 1) + [0.3],
        }
    )


def moves(*, headlines: int) -> pd.DataFrame:
    """Two thresholds, each moved both ways; the second decides `headlines` conclusions."""
    return table(
        "setting base changed customers_relabelled headlines_changed share_relabelled",
        ("loyal_above_orders", 40, 32, 10, 0, 0.01),
        ("loyal_above_orders", 40, 48, 20, 0, 0.02),
        ("older_from_years", 65, 52, 70, headlines, 0.07),
        ("older_from_years", 65, 78, 30, headlines, 0.03),
        unit="customers",
    )


# ---- what is said, in every case ----------------------------------------------------------------


def value(effect: float, verdict: str, headline: str = "no", needed: int | None = None) -> tuple:
    return "mean_order_value", effect, verdict, headline, needed


def lines(effect: float, verdict: str, headline: str = "no", needed: int | None = None) -> tuple:
    return "mean_lines_per_order", effect, verdict, headline, needed


def both(grouping: str, *rows: tuple) -> dict[str, pd.DataFrame]:
    """Give the overall tests of a grouping, and one ratio of it, which no answer rests on."""
    ratio = compared(grouping, value(7.0, "large", "yes"), name="ratio")
    return {"tests": pd.concat([compared(grouping, *rows), ratio], ignore_index=True)}


RESTATES = table(
    "attribute determined_by accuracy redundant",
    ("family_status", "age, n_dependants", 0.9975, "yes"),
    ("gender", "age", 0.5, "no"),
)
AGE = both("age_group", value(0.052, "small", "yes"), lines(0.002, NONE))
ANY = RESTATES.assign(redundant="no")
TWO_INCOMES = compared("income_group", lines(-0.3, UNDECIDED, needed=900), name="cliffs_delta")
DAIRY, NEVER = ("dairy", "dairy"), ("no",) * 3
FINDINGS = {  # of each case: the function and its tables; sentences.md says what it says
    "loyalty": (q05.loyalty, {"group_shares": SHARES}),
    "returning": (q05.returning, {"days_between_orders": GAPS}),
    "returning, two alike": (q05.returning, {"days_between_orders": TWO_PEAKS}),
    **{
        f"habits by loyalty, {verdict} {ratio}": (
            q06.habits_by_loyalty,
            {"habits": HABITS, "tests": value_of_loyal(verdict, ratio)},
        )
        for verdict, ratio in ((NONE, 1.01), (UNDECIDED, 1.1), ("small", 1.2), ("small", 0.8))
    },
    "by region, different": (
        q07.by_region,
        both("region", lines(0.021, "small", "yes"), value(0.051, "small", "yes")),
    ),
    "by region, undecided": (
        q07.by_region,
        both("region", value(0.5, NONE), lines(0.012, UNDECIDED, needed=4_300)),
    ),
    "by region, undecided for good": (q07.by_region, both("region", lines(0.012, UNDECIDED))),
    "by region, the same": (q07.by_region, both("region", lines(0.003, NONE), value(0.004, NONE))),
    "by family": (q08.by_family, AGE | {"redundancy": ANY}),
    "by family, which restates age": (q08.by_family, AGE | {"redundancy": RESTATES}),
    "by income, more and less": (
        q09.by_income,
        income(("snacks", 1.7), ("babies", 0.4), ("missing", 2.5), ("produce", 1.1)),
    ),
    "by income, less": (q09.by_income, income(("babies", 0.4))),
    "by income, two groups": (q09.by_income, income() | {"tests": TWO_INCOMES}),
    "steps": (q09.steps, {"bands": bands("income", "mean_item_price", "50000", "yes")}),
    "steps, of age": (q09.steps, {"bands": bands("age", "income", "41 | 66", "yes")}),
    "steps, none": (q09.steps, {"bands": bands("age", "income", "41", "no")}),
    "profiles, of small baskets": (
        q10.how_profiles_differ,
        {"profiles": profiles(time="orders at the weekend")},
    ),
    "profiles, of large baskets": (q10.how_profiles_differ, {"profiles": profiles(ratio=1.4)}),
    "profiles, undecided": (
        q10.how_profiles_differ,
        {"profiles": profiles(proven="no", time="orders in the night")},
    ),
    "pairs, of two departments": (
        q11.strongest_pair,
        {"product_pairs": pairs(DAIRY, DAIRY, ("deli", "bakery"))},
    ),
    "pairs, of one department": (
        q11.strongest_pair,
        {"product_pairs": pairs(DAIRY, ("deli", "deli"), low=0.9)},
    ),
    "thresholds that decide": (q12.what_depends, {"sensitivity": moves(headlines=2)}),
    "thresholds that decide nothing": (q12.what_depends, {"sensitivity": moves(headlines=0)}),
}


TESTS_BY_VALUE = pd.concat(
    [
        compared("income_group", value(0.05, "small", "yes")),
        compared("n_dependants", value(0.003, NONE)),
        compared("family_status within age 18-39", value(0.9, "large", "yes")),
    ]
)


def ratios_of(grouping: str, verdict: str, headline: str) -> dict[str, pd.DataFrame]:
    """Order values of two groups, and of two that are too small to be shown; their overall test."""
    small = [value(5.0, "large"), value(6.0, "large")]  # two: one would tell of the other
    values = [value(1.02, verdict, headline), value(0.9, verdict), *small]
    ratios = compared(grouping, *values, name="ratio").assign(
        group_a=["West", "South", "Tiny", "Few"], group_b="all customers", n=[500, 300, 3, 10]
    )
    tests = pd.concat([compared(grouping, value(0.004, verdict, headline)), ratios])
    groups = zip(ratios["group_a"], ratios["n"], strict=True)
    return {
        "tests": tests.assign(population="active"),
        "habits": table("group customers", *groups, population="active", grouping=grouping),
        "profiles": profiles(proven=headline).assign(order_value_for_headline=headline),
    }


def lifts_by_income(headline: str) -> dict[str, pd.DataFrame]:
    lifts = table(
        "group_a measure n effect effect_low effect_high",
        ("Low income", "snacks", 500, 1.7, 1.6, 1.8),
        ("High income", "snacks", 300, 0.9, 0.8, 1),
        ("Low income", "babies", 500, 0.4, 0.3, 0.5),
        ("High income", "babies", 300, 1.2, 1.1, 1.3),
        population="active",
        grouping="income_group",
        for_headline=headline,
    )
    active = {"population": "active"}
    groups = table("group customers", ("Low income", 500), ("High income", 300), **active)
    return {
        "department_lifts": lifts,
        "departments": table("department lines", ("snacks", 900), ("babies", 10), **active),
        "habits": groups.assign(grouping="income_group"),
    }


INCOMES = table(
    "ages customers mean_income mean_income_low mean_income_high",
    ("36-39", 90, 52_000.0, 51_000.0, 53_000.0),
    ("40-43", 80, 99_500.0, 98_000.0, 99_900.0),
    ("80-83", 2, 1.0, 1.0, 1.0),
)
ORDERS = table("day hour orders", (0, 10, 70), (1, 11, 95), population="active")
FIGURES = {
    "shares by loyalty": (q05.shares_by_loyalty, {"group_shares": SHARES}),
    "days between": (q05.days_between, {"days_between_orders": GAPS}),
    "days between, two alike": (q05.days_between, {"days_between_orders": TWO_PEAKS}),
    "gap by loyalty": (q06.gap_by_loyalty, {"habits": HABITS}),
    "value by region, the same": (q07.value_by_region, ratios_of("region", NONE, "no")),
    "value by region, different": (q07.value_by_region, ratios_of("region", "small", "yes")),
    "value by region, undecided": (q07.value_by_region, ratios_of("region", UNDECIDED, "no")),
    "effects by attribute": (q08.effects_by_attribute, {"tests": TESTS_BY_VALUE}),
    "effects by attribute, the largest not proven": (
        q08.effects_by_attribute,
        {"tests": TESTS_BY_VALUE.assign(for_headline=["no", "yes", "no"])},
    ),
    "effects by attribute, undecided": (
        q08.effects_by_attribute,
        {"tests": TESTS_BY_VALUE.assign(for_headline="no")},
    ),
    "effects by attribute, the same": (
        q08.effects_by_attribute,
        {"tests": TESTS_BY_VALUE.assign(for_headline="no", effect_high=0.0099)},
    ),
    "goods by income": (q09.goods_by_income, lifts_by_income("yes")),
    "goods by income, undecided": (q09.goods_by_income, lifts_by_income("no")),
    "income by age, a step": (
        q09.mean_income_by_age,
        {"income_by_age": INCOMES, "bands": bands("age", "income", "40 | 61", "yes")},
    ),
    "income by age": (
        q09.mean_income_by_age,
        {"income_by_age": INCOMES, "bands": bands("age", "income", "40", "no")},
    ),
    "value by profile": (q10.value_by_profile, ratios_of("profile", "small", "yes")),
    "value by profile, undecided": (q10.value_by_profile, ratios_of("profile", UNDECIDED, "no")),
    "strongest pairs, across departments": (
        q11.strongest_pairs,
        {"product_pairs": pairs(DAIRY, ("deli", "bakery"))},
    ),
    "strongest pairs": (q11.strongest_pairs, {"product_pairs": pairs(("deli", "deli"))}),
    "labels by threshold": (q12.labels_by_threshold, {"sensitivity": moves(headlines=0)}),
}


def parts_of(function, tables: dict, settings: Settings) -> dict[str, str]:
    """All that a finding or a figure says, part by part."""
    if function in [each for each, _ in FINDINGS.values()]:
        return asdict(function(Evidence(tables), settings))
    made = function(tables, settings)
    low_and_high = (made.intervals or {}).get(made.series[0], [])
    columns = dict.fromkeys([made.x, *made.series, *low_and_high])
    first = ", ".join(f"{name} {made.data[name].iloc[0]}" for name in columns)
    return {part: f"{getattr(made, part)}" for part in FIGURE_PARTS} | {"first row": first}


def sentences() -> dict[str, dict[str, str]]:
    """Read what sentences.md says in each case, part by part."""
    blocks = SENTENCES.read_text(encoding="utf-8").split("\n## ")[1:]
    return {
        name: dict(line[2:].split(": ", 1) for line in said.splitlines() if line.startswith("- "))
        for name, _, said in (block.partition("\n") for block in blocks)
    }


@pytest.mark.parametrize("case", [*FINDINGS, *FIGURES])
def test_each_case_says_what_sentences_md_says(case, settings):
    """A case that follows another of its function gives only the parts that differ from that."""
    cases = FINDINGS | FIGURES
    function, tables = cases[case]
    first = next(name for name, (other, _) in cases.items() if other is function)
    expected = sentences()[first] | sentences()[case]
    assert parts_of(function, tables, settings) == expected | {
        part: "" for part in FINDING_PARTS if part in expected and expected[part] == "(nothing)"
    }


def test_no_sentence_is_left_over_and_none_shows_what_a_program_would():
    assert set(sentences()) == {*FINDINGS, *FIGURES}
    text = SENTENCES.read_text(encoding="utf-8")
    for word in ("nan", "dtype", "NaN", "inf ", "n_dependants", "_group", "less babies"):
        assert word not in text, word


# ---- what cannot be said ------------------------------------------------------------------------


EMPTY = {  # of each case: the function, tables that hold too little, and the reason given
    "nobody is new": (
        q05.loyalty,
        {"group_shares": SHARES.tail(3)},
        "No active customer is a new customer.",
    ),
    "nobody is loyal": (
        q06.habits_by_loyalty,
        {"habits": HABITS[HABITS["group"] != "Loyal customer"]},
        "No active customer is a loyal customer.",
    ),
    "nobody came back": (
        q05.returning,
        {"days_between_orders": GAPS.assign(orders=0)},
        "No active customer is known to have come back.",
    ),
    "one region": (
        q07.by_region,
        {"tests": compared("region", value(float("nan"), UNDECIDED))},
        "All customers whose region is known are in one group.",
    ),
    "tiny profiles": (
        q10.how_profiles_differ,
        {"profiles": profiles().tail(1)},
        "No profile has enough customers to be shown.",
    ),
    "no pairs": (
        q11.strongest_pair,
        {"product_pairs": pairs(("deli", "deli")).head(0)},
        "No two products are bought together often enough.",
    ),
}


@pytest.mark.parametrize("case", EMPTY)
def test_where_the_data_holds_too_little_the_reason_is_given(case, settings):
    function, tables, reason = EMPTY[case]
    finding, seen = answer(function, {"habits": ACTIVE} | tables, settings)
    assert finding.headline == "Not answered: this data holds too little to say"
    assert finding.so_what == reason
    assert finding.action == "Run the analysis again with more data."
    assert (finding.confidence, finding.figure, seen.numbers, seen.rests_on) == ("low", "", {}, [])


@pytest.mark.parametrize("case", [*FINDINGS, *FIGURES])
def test_a_misspelt_column_stops_the_run(case, settings):
    """A column that is not there is a mistake of ours and never a statement about the data."""
    function, tables = (FINDINGS | FIGURES)[case]
    tables = {"habits": ACTIVE} | tables

    class Noted(dict):
        def __getitem__(self, name):
            read.add(name)
            return super().__getitem__(name)

    def make(given):
        if case in FINDINGS:
            answer(function, given, settings)
        else:
            function(given, settings)

    read: set[str] = set()
    make(Noted(tables))
    for name in read:
        misspelt = tables[name].rename(columns=lambda column: f"{column}s")
        with pytest.raises((AttributeError, LookupError, pd.errors.UndefinedVariableError)):
            make(tables | {name: misspelt})


LAST = {function: case for case, (function, _) in (FINDINGS | FIGURES).items()}
SELECTED = {  # names that questions select rows by, in the source of a figure or finding
    (case, name)
    for function, case in LAST.items()
    for given in re.findall(r"\[where\((.*?)\)", inspect.getsource(function), re.DOTALL)
    for name in re.findall('"([^"]+)"', given)
}
SELECTED |= {(LAST[function], "region") for function in (q07.by_region, q07.value_by_region)}
SELECTED |= {(LAST[q10.value_by_profile], "profile"), (LAST[q05.loyalty], "loyalty_flag")}


@pytest.mark.parametrize(("case", "name"), sorted(SELECTED))
def test_a_misspelt_name_stops_the_run(case, name, settings):
    """It selects no row, which must not read as if the data held too little."""
    function, tables = (FINDINGS | FIGURES)[case]
    module = sys.modules[function.__module__]
    misspelt = {"__name__": module.__name__}
    source = re.sub(rf'(?<!\[)"{name}"', f'"{name[:-1]}"', inspect.getsource(module))
    exec(source, misspelt)
    planted = misspelt[function.__name__]
    with pytest.raises(ValueError, match="is called"):
        if case in FINDINGS:
            answer(planted, {"habits": ACTIVE} | tables, settings)
        else:
            planted(tables, settings)


def test_a_known_name_without_rows_is_too_little_data():
    tests = compared("region", value(0.1, NONE))
    assert tests[where(grouping="age_group", measure=["orders"], for_headline="yes")].empty
    with pytest.raises(ValueError, match="no grouping is called regoin"):
        tests[where(measure="orders", grouping=["region", "regoin"])]


@pytest.mark.parametrize("case", FIGURES)
def test_a_figure_says_at_which_confidence_its_intervals_are(case, settings):
    statistics = settings.statistics.model_copy(update={"confidence": 0.9})
    function, tables = FIGURES[case]
    made = function(tables, settings.model_copy(update={"statistics": statistics}))
    assert bool(made.intervals) == ("with 90 % intervals" in made.subtitle)
    assert "95" not in made.subtitle


@pytest.mark.parametrize(
    ("figures", "sources", "named", "wrong"),
    [
        ((), ("group_shares",), "loyaltys", "is not shown: loyaltys"),
        ((), ("group_sharess",), "loyalty", "no result table: group_sharess"),
        ((1,), ("group_shares",), "loyalty", "one name: loyalty"),
    ],
)
def test_a_paper_that_names_what_it_does_not_have_stops_the_run(
    figures, sources, named, wrong, settings
):
    shown = replace(q05.shares_by_loyalty({"group_shares": SHARES}, settings), sources=sources)
    paper = object.__new__(Paper)
    paper.results, paper._not_drawn = {"group_shares": SHARES}, {"Q1"}
    paper.figures = [("Q5", shown) for _ in (0, *figures)]
    paper.found = [{"question": "Q5", "figure": named}, {"question": "Q1", "figure": "not drawn"}]
    with pytest.raises(ValueError, match=wrong):
        paper.save()
    paper.figures, paper.found[0]["figure"] = [("Q5", replace(shown, sources=()))], shown.name
    paper._check()


def test_a_row_is_one_row_and_a_number_keeps_its_place(settings):
    rows = table("rank index orders", (1, 0.5, 311), (2, 0.7, 415))
    seen = Evidence({"quiet_windows": rows})
    row = seen.row("quiet_windows", rank=1)
    assert (row.index, row.cell("orders", "these")) == (0.5, 311)
    assert seen.numbers["these"] == {
        "value": 311,
        "unit": "orders",
        "table": "quiet_windows",
        "where": {"column": "orders", "rank": "1"},
    }
    assert (list(seen.numbers), seen.evidence) == (["index", "these"], ["quiet_windows"])
    with pytest.raises(AttributeError, match="quiet_windows has no column indices"):
        _ = row.indices
    with pytest.raises(LookupError, match="quiet_windows has 0 rows where"):
        seen.row("quiet_windows", rank=3)
    with pytest.raises(LookupError, match=r"table quiet_windows .* where {'rnak': 1}"):
        seen.row("quiet_windows", rnak=1)


# ---- the registry --------------------------------------------------------------


def test_thresholds_are_said_with_their_value_and_unit():
    in_words = q12.threshold_in_words
    assert in_words("loyal_above_orders", 40) == "loyal above 40 orders"
    assert in_words("middle_income_from_dollars", 5e4) == "middle income from 50,000 dollars"


def test_the_questions_are_their_modules_in_order():
    assert list(QUESTIONS) == [f"Q{number}" for number in range(1, len(QUESTIONS) + 1)]
    functions = [function for function, _ in (FINDINGS | FIGURES).values()]
    assert all(QUESTIONS[question_of(each).id] == question_of(each) for each in functions)
    assert number_of("Q1") == 1
    assert number_of("not ours") == len(QUESTIONS) + 1
