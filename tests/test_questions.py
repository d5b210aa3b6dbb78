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

from basket.analysis.finding import CUSTOMERS, PRICES, Evidence, Finding, answer
from basket.analysis.questions import QUESTIONS, number_of, q03_price_ranges, question_of
from basket.analysis.questions import q01_busiest as q01
from basket.analysis.questions import q02_spending as q02
from basket.analysis.questions import q04_departments as q04
from basket.analysis.questions import q05_loyalty as q05
from basket.analysis.questions import q06_habits as q06
from basket.analysis.questions import q07_region as q07
from basket.analysis.questions import q08_family as q08
from basket.analysis.questions import q09_classes as q09
from basket.analysis.questions import q10_profiles as q10
from basket.analysis.questions import q11_pairs as q11
from basket.analysis.questions import q12_sensitivity as q12
from basket.analysis.questions.ad_calendar import ad_calendar
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


BUSIEST = table(
    "period rank names share index_low orders",
    ("days", "busiest", "Saturday and Sunday", 0.36, 1.2, 7200),
    ("days", "slowest", "Tuesday and Wednesday", 0.21, 0.7, 4200),
    ("hours", "busiest", "9 to 16", 0.66, 1.9, 13_200),
    ("hours", "slowest", "23 to 6", 0.04, 0.1, 800),
)
QUIET = table(
    "rank day day_name from_hour to_hour orders index index_low index_high",
    (1, 4, "Wednesday", 20, 23, 311, 0.5, 0.45, 0.56),
    (2, 0, "Saturday", 8, 11, 415, 0.7, 0.6, 0.8),
)


def spend(*, ratio=1.2, verdicts=(NONE, NONE, "small"), headline=("no", "no", "yes"), **other):
    """Spend of two hours and, last, a day whose orders are worth `ratio` times the mean."""
    ratios = [(1, 0.99, 1.01), (0.9, 0.8, 1.1), (ratio, ratio - 0.02, ratio + 0.03)]
    times = table(
        "period key name spend spend_share",
        ("hour", 10, "10:00", 9_000.0, 0.61),
        ("hour", 19, "19:00", 5_000.0, 0.39),
        ("day", 1, "Sunday", 6_000.0, 0.42),
        verdict=verdicts,
        for_headline=headline,
        **ranges("mean_order_value", (80, 78, 83), (70, 67, 74), (80 * ratio, 1, 2)),
        **ranges("order_value_ratio", *ratios),
    )
    return {"spend_by_time": times.assign(**other)}


TWO_DAYS = {"spend_by_time": spend()["spend_by_time"].iloc[[2, 2]]}
TWO_DAYS["spend_by_time"] = TWO_DAYS["spend_by_time"].assign(
    key=[1, 2], name=["Sunday", "Monday"], order_value_ratio=[1.2, 1.3], for_headline=["yes", "no"]
)


def goods(*, proven: str = "yes", verdict: str = "large", **other) -> dict[str, pd.DataFrame]:
    """Departments by part of the day: produce moves more lines than snacks, at a lower lift."""
    sold = table(
        "daypart department lines lift lift_low lift_high for_headline verdict",
        ("Night", "snacks", 40, 1.5, 1.4, 1.7, proven, verdict),
        ("Evening", "produce", 900, 1.2, 1.1, 1.3, proven, verdict),
        ("Morning", "missing", 5, 3, 2, 4, "yes", "large"),
    )
    return {"department_times": sold.assign(**other)}


PRICE_BANDS = table(
    "method band up_to_dollars share_of_lines share_of_spend spend share_relabelled",
    ("course", "1 of 3", 5, 0.31, 0.13, 130.0, 0.0),
    ("course", "2 of 3", 15, 0.67, 0.84, 84_000.0, 0.0),
    ("course", "3 of 3", 25, 0.02, 0.031, 31.0, 0.0),
    ("equal lines", "1 of 3", 4, 0.33, 0.2, 20, 0.4),
    ("equal lines", "2 of 3", 9, 0.34, 0.3, 30, 0.4),
    ("equal lines", "3 of 3", 25, 0.33, 0.5, 50, 0.4),
    ("equal spend", "1 of 3", 7.25, 0.55, 0.33, 33, 0.58),
    ("equal spend", "2 of 3", 11.5, 0.25, 0.34, 34, 0.58),
    ("equal spend", "3 of 3", 25, 0.2, 0.32, 32, 0.58),
    lines=range(11, 20),
)


def reach(reason: str = "how many customers buy it") -> pd.DataFrame:
    often = "how often its buyers order it"
    return table(
        "rank department lines share reach orders_per_buyer reach_against_typical reorder_rate "
        "main_reason",
        (1, "produce", 3_000, 0.59, 0.91, 9.1, 1.9, 0.65, often),
        (2, "dairy", 2_000, 0.39, 0.81, 7.3, 1.6, 0.6, often),
        (3, "bulk", 30, 0.0061, 0.052, 1.4, 0.42, 0.3, reason),
        (4, "missing", 9, 0.0018, 0.011, 1.1, 0.2, 0.2, "how often"),
    )


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
    "busiest": (q01.busiest, {"busiest_times": BUSIEST}),
    "busiest, not for sure": (
        q01.busiest,
        {"busiest_times": BUSIEST.assign(index_low=[0.99, 0.7, 1.9, 0.1])},
    ),
    "quiet": (q01.quiet, {"quiet_windows": QUIET}),
    "quiet, not for sure": (q01.quiet, {"quiet_windows": QUIET.assign(index_high=1.01)}),
    "spending, a day of large baskets": (q02.spending, spend()),
    "spending, a day of small baskets": (q02.spending, spend(ratio=0.8)),
    "spending, an hour of large baskets": (
        q02.spending,
        spend(headline=("no", "yes", "no"), order_value_ratio=1.3),
    ),
    "spending, all the same": (q02.spending, spend(headline=NEVER, verdicts=(NONE,) * 3)),
    "spending, undecided": (q02.spending, spend(headline=NEVER, verdicts=(NONE, UNDECIDED, NONE))),
    "goods by time": (q02.goods_by_time, goods()),
    "goods by time, at night": (q02.goods_by_time, goods(lines=[4_000, 900, 5])),
    "goods by time, undecided": (q02.goods_by_time, goods(proven="no", verdict=UNDECIDED)),
    "goods by time, all the same": (q02.goods_by_time, goods(proven="no", verdict=NONE)),
    "price ranges": (q03_price_ranges.price_ranges, {"price_bands": PRICE_BANDS}),
    "popular departments": (q04.popular_departments, {"department_reach": reach()}),
    **{
        f"small departments, {reason}": (q04.small_departments, {"department_reach": reach(reason)})
        for reason, _ in q04.REASONS.values()
    },
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
    "heat map": (q01.heat_map, {"orders_by_day_hour": ORDERS, "busiest_times": BUSIEST}),
    "quietest windows": (q01.quietest_windows, {"quiet_windows": QUIET}),
    "value by hour, different": (q02.value_by_hour, spend(headline=("yes", "no", "no"))),
    "value by hour, the same": (q02.value_by_hour, spend()),
    "value by hour, undecided": (q02.value_by_hour, spend(verdicts=(UNDECIDED, NONE, NONE))),
    "value by day": (q02.value_by_day, spend()),
    "value by day, the highest not proven": (q02.value_by_day, TWO_DAYS),
    "value by day, undecided": (q02.value_by_day, spend(headline=NEVER)),
    "goods by daypart": (q02.goods_by_daypart, goods()),
    "goods by daypart, undecided": (q02.goods_by_daypart, goods(proven="no")),
    "money by range": (q03_price_ranges.money_by_range, {"price_bands": PRICE_BANDS}),
    "department shares": (q04.shares, {"department_reach": reach()}),
    "reach and orders": (q04.reach_and_orders, {"department_reach": reach()}),
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
    "no named department": (
        q02.goods_by_time,
        {"department_times": goods()["department_times"].tail(1)},
        "No order line belongs to a department with a name.",
    ),
    "no price": (
        q03_price_ranges.price_ranges,
        {"price_bands": PRICE_BANDS.assign(lines=0)},
        "No order line of an active customer has a price.",
    ),
    "one department": (
        q04.popular_departments,
        {"department_reach": reach().head(1)},
        "Only one department has order lines.",
    ),
    "no small department": (
        q04.small_departments,
        {"department_reach": reach().tail(1)},
        "No order line belongs to a department with a name.",
    ),
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
    finding, seen = answer(function, {"habits": ACTIVE} | tables, settings, ())
    assert finding.headline == "Not answered: this data holds too little to say"
    assert finding.so_what == reason
    assert finding.action == "Run the analysis again with more data."
    assert (finding.confidence, finding.figure, seen.numbers, seen.rests_on) == ("low", "", {}, [])


def test_where_nobody_is_active_nothing_is_said(settings):
    tables = {"habits": ACTIVE.assign(population="all"), "busiest_times": BUSIEST}
    finding, _ = answer(q01.busiest, tables, settings, ())
    assert finding.so_what == "No customer has enough orders to count as active."


NEEDS = {  # what an answer must not rest on when it was made up; the other answers need neither
    PRICES: ("spending", "price_ranges", "habits_by_loyalty"),
    CUSTOMERS: (
        "by_region",
        "by_family",
        "by_income",
        "steps",
        "how_profiles_differ",
        "what_depends",
    ),
}


def test_no_answer_rests_on_what_was_made_up(settings):
    """How loyal customers are is a matter of orders: fabricated prices do not touch it."""
    for function, tables in FINDINGS.values():
        for made_up, names in NEEDS.items():
            finding, seen = answer(function, {"habits": ACTIVE} | tables, settings, (made_up,))
            what = "prices" if made_up == PRICES else "customers"
            refused = finding.headline == f"Not answered: the {what} of this data are fabricated"
            assert refused == (function.__name__ in names), function
            units = {number["unit"] for number in seen.numbers.values()}
            if made_up == PRICES and function.__name__ not in NEEDS[CUSTOMERS]:
                assert "US dollars" not in units  # dollars of made-up prices are never given


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
            answer(function, given, settings, ())
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
            answer(planted, {"habits": ACTIVE} | tables, settings, ())
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
        ((), ("spend_by_time",), "order_value_by_hours", "is not shown: order_value_by_hours"),
        ((), ("spend_by_times",), "order_value_by_hour", "no result table: spend_by_times"),
        ((1,), ("spend_by_time",), "order_value_by_hour", "one name: order_value_by_hour"),
    ],
)
def test_a_paper_that_names_what_it_does_not_have_stops_the_run(
    figures, sources, named, wrong, settings
):
    shown = replace(q02.value_by_hour(spend(), settings), sources=sources)
    paper = object.__new__(Paper)
    paper.results, paper._not_drawn = spend(), {"Q1"}
    paper.figures = [("Q2", shown) for _ in (0, *figures)]
    paper.found = [{"question": "Q2", "figure": named}, {"question": "Q1", "figure": "not drawn"}]
    with pytest.raises(ValueError, match=wrong):
        paper.save()
    paper.figures, paper.found[0]["figure"] = [("Q2", replace(shown, sources=()))], shown.name
    paper._check()


def test_a_row_is_one_row_and_a_number_keeps_its_place(settings):
    seen = Evidence({"quiet_windows": QUIET})
    row = seen.row("quiet_windows", rank=1)
    assert (row.index, row.cell("orders", "these")) == (0.5, 311)
    assert seen.numbers["these"] == {
        "value": 311,
        "unit": "orders",
        "table": "quiet_windows",
        "where": {"column": "orders", "rank": "1"},
    }
    assert (list(seen.numbers), seen.rests_on) == (["index", "these"], ["quiet_windows"])
    with pytest.raises(AttributeError, match="quiet_windows has no column indices"):
        _ = row.indices
    with pytest.raises(LookupError, match="quiet_windows has 0 rows where"):
        seen.row("quiet_windows", rank=3)
    with pytest.raises(LookupError, match=r"table quiet_windows .* where {'rnak': 1}"):
        seen.row("quiet_windows", rnak=1)


# ---- the ad calendar, the registry --------------------------------------------------------------


def test_the_calendar_offers_what_sells_then_else_what_is_ordered_most(settings):
    tables = {
        "quiet_windows": QUIET,
        **goods(),
        "department_reach": reach().sort_values("rank", ascending=False),
    }
    calendar = ad_calendar(tables, settings).set_index("day_name")
    assert calendar["window"].to_dict() == {
        "Saturday": "8:00 to 11:00",
        "Wednesday": "20:00 to 23:00",
    }
    assert calendar["orders"].to_dict() == {"Saturday": 415, "Wednesday": 311}
    assert calendar["offer_reason"].to_dict() == {
        "Saturday": "the most ordered; no department is proven to sell better then",
        "Wednesday": "sells above its usual share then",
    }
    other = goods(department=["produce", "snacks", "missing"])
    evening = ad_calendar(tables | other, settings).set_index("day_name")
    assert evening["offer"].to_dict() == {"Saturday": "produce", "Wednesday": "snacks"}
    nothing = ad_calendar(tables | {"department_reach": reach().head(0)}, settings)
    assert nothing.empty
    assert set(nothing) == {"day_name", *calendar}


def test_thresholds_are_said_with_their_value_and_unit():
    in_words = q12.threshold_in_words
    assert in_words("loyal_above_orders", 40) == "loyal above 40 orders"
    assert in_words("middle_income_from_dollars", 5e4) == "middle income from 50,000 dollars"


def test_the_questions_are_their_modules_in_order():
    assert list(QUESTIONS) == [f"Q{number}" for number in range(1, len(QUESTIONS) + 1)]
    functions = [function for function, _ in (FINDINGS | FIGURES).values()]
    assert {question_of(function).id: question_of(function) for function in functions} == QUESTIONS
    assert number_of("Q1") == 1
    assert number_of("not ours") == len(QUESTIONS) + 1
