"""What the report says: each finding and figure on small tables made by hand, branch by branch.

Each cell of these tables holds a number of its own, so that a number in the wrong place is seen.
"""

from dataclasses import asdict, fields
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
from basket.project.settings import Settings

SENTENCES = Path(__file__).parent / "sentences.md"
FINDING_PARTS = [field.name for field in fields(Finding)]
FIGURE_PARTS = ("name", "title", "subtitle", "alt", "x_title", "y_title", "reference")
NONE, UNDECIDED = "no practical difference", "undecided"
ACTIVE = pd.DataFrame({"population": ["active"]})  # a customer, so that there is something to say


def frame(*rows: dict, **same) -> pd.DataFrame:
    """Make a table of these rows; `same` are columns of one value."""
    return pd.DataFrame(rows).assign(**same)


def ranges(prefix: str, *each: tuple[float, float, float]) -> dict:
    """Columns of an estimate and its interval."""
    return {
        f"{prefix}{end}": [values[place] for values in each]
        for place, end in enumerate(("", "_low", "_high"))
    }


# ---- tables -------------------------------------------------------------------------------------


BUSIEST = frame(
    {
        "rank": "busiest",
        "period": "days",
        "names": "Saturday and Sunday",
        "share": 0.36,
        "index_low": 1.2,
        "orders": 7200,
    },
    {
        "rank": "slowest",
        "period": "days",
        "names": "Tuesday and Wednesday",
        "share": 0.21,
        "index_low": 0.7,
        "orders": 4200,
    },
    {
        "rank": "busiest",
        "period": "hours",
        "names": "9 to 16",
        "share": 0.66,
        "index_low": 1.9,
        "orders": 13_200,
    },
    {
        "rank": "slowest",
        "period": "hours",
        "names": "23 to 6",
        "share": 0.04,
        "index_low": 0.1,
        "orders": 800,
    },
)
QUIET = frame(
    {"rank": 1, "day": 4, "day_name": "Wednesday", "from_hour": 20, "to_hour": 23, "orders": 311},
    {"rank": 2, "day": 0, "day_name": "Saturday", "from_hour": 8, "to_hour": 11, "orders": 415},
).assign(**ranges("index", (0.5, 0.45, 0.56), (0.7, 0.6, 0.8)))


def spend(*, ratio: float = 1.2, verdicts=(NONE, NONE, "small"), headline=("no", "no", "yes")):
    """Spend of two hours and, last, a day whose orders are worth `ratio` times the mean."""
    return pd.DataFrame(
        {
            "period": ["hour", "hour", "day"],
            "key": [10, 19, 1],
            "name": ["10:00", "19:00", "Sunday"],
            "spend": [9_000.0, 5_000.0, 6_000.0],
            "spend_share": [0.61, 0.39, 0.42],
            **ranges("mean_order_value", (80, 78, 83), (70, 67, 74), (80 * ratio, 1, 2)),
            **ranges(
                "order_value_ratio",
                (1, 0.99, 1.01),
                (0.9, 0.8, 1.1),
                (ratio, ratio - 0.02, ratio + 0.03),
            ),
            "verdict": verdicts,
            "for_headline": headline,
        }
    )


def goods(*, proven: str = "yes", verdict: str = "large") -> pd.DataFrame:
    """Departments by part of the day: produce moves more lines than snacks, at a lower lift."""
    return pd.DataFrame(
        {
            "daypart": ["Night", "Evening", "Morning"],
            "department": ["snacks", "produce", "missing"],
            "lines": [40, 900, 5],
            **ranges("lift", (1.5, 1.4, 1.7), (1.2, 1.1, 1.3), (3, 2, 4)),
            "for_headline": [proven, proven, "yes"],
            "verdict": [verdict, verdict, "large"],
        }
    )


PRICE_BANDS = pd.DataFrame(
    {
        "method": ["course"] * 3 + ["equal lines"] * 3 + ["equal spend"] * 3,
        "band": ["1 of 3", "2 of 3", "3 of 3"] * 3,
        "lines": range(11, 20),
        "up_to_dollars": [5, 15, 25, 4, 9, 25, 7.25, 11.5, 25],
        "share_of_lines": [0.31, 0.67, 0.02, 0.33, 0.34, 0.33, 0.55, 0.25, 0.2],
        "share_of_spend": [0.13, 0.84, 0.031, 0.2, 0.3, 0.5, 0.33, 0.34, 0.32],
        "spend": [130.0, 84_000.0, 31.0, 20, 30, 50, 33, 34, 32],
        "share_relabelled": [0.0] * 3 + [0.4] * 3 + [0.58] * 3,
    }
)


def reach(reason: str = "how many customers buy it") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rank": [1, 2, 3, 4],
            "department": ["produce", "dairy", "bulk", "missing"],
            "lines": [3_000, 2_000, 30, 9],
            "share": [0.59, 0.39, 0.0061, 0.0018],
            "reach": [0.91, 0.81, 0.052, 0.011],
            "orders_per_buyer": [9.1, 7.3, 1.4, 1.1],
            "reach_against_typical": [1.9, 1.6, 0.42, 0.2],
            "reorder_rate": [0.65, 0.6, 0.3, 0.2],
            "main_reason": ["how often its buyers order it"] * 2 + [reason, "how often"],
        }
    )


LOYALTY = ("New customer", "Regular customer", "Loyal customer")
SHARES = pd.DataFrame(
    {
        "grouping": ["loyalty_flag"] * 3 + ["income_group"],
        "group": [*LOYALTY, "Low income"],
        "orders": [100, 565, 335, 70],
        "share_of_customers": [0.333, 0.563, 0.104, 0.22],
        "share_of_orders": [0.1, 0.565, 0.335, 0.07],
        "spend": [1.0, 2.0, 3.0, 900.0],
    }
)
GAPS = pd.DataFrame(
    {
        "label": ["6", "7", "8", "30+"],
        "orders": [50, 300, 60, 400],
        "share": [0.06, 0.37, 0.07, 0.49],
    }
)
HABITS = pd.DataFrame(
    {
        "population": ["active"] * 3 + ["all"],
        "grouping": "loyalty_flag",
        "group": [*LOYALTY, "Loyal customer"],
        "median_days_between_orders": [14.0, 8.0, 5.5, 99.0],
        "spend": [1_000.0, 2_000.0, 3_000.0, 9.0],
    }
)


def compared(grouping: str, *rows: tuple, name: str = "epsilon_squared") -> pd.DataFrame:
    """Make tests of one grouping: measure, effect, verdict, for_headline, customers_to_decide."""
    columns = ["measure", "effect", "verdict", "for_headline", "customers_to_decide"]
    table = pd.DataFrame(rows, columns=columns).astype({"customers_to_decide": "Int64"})
    return table.assign(
        grouping=grouping,
        effect_name=name,
        group_a="",
        group_b="",
        effect_low=(table["effect"] - 0.011).round(6),
        effect_high=(table["effect"] + 0.022).round(6),
        n=813,
    )


def value_of_loyal(verdict: str, ratio: float) -> pd.DataFrame:
    """Give the test of the order value of loyal customers, beside one of another group."""
    rows = [("mean_order_value", ratio, verdict, "yes", None)]
    loyal = compared("loyalty_flag", *rows, name="ratio")
    loyal = loyal.assign(group_a="Loyal customer", group_b="all customers")
    return pd.concat([loyal, loyal.assign(group_a="New customer", effect=7.0)])


def income(*lifts: tuple[str, float]) -> dict[str, pd.DataFrame]:
    rows = pd.DataFrame(lifts, columns=["measure", "effect"])
    rows = rows.assign(
        grouping="income_group",
        group_a="Low income",
        n=100,
        for_headline="yes",
        effect_low=rows["effect"] - 0.11,
        effect_high=rows["effect"] + 0.12,
    )
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
    return pd.DataFrame(
        {
            "profile": ["Young family", "Old single", "Tiny"],
            "customers": [300, 200, 3],
            "spend": [9_000.0, 4_000.0, 99_000.0],
            "share_of_spend": [0.54, 0.24, 0.22],
            "mean_order_value": [81.0, 62.5, 5.0],
            **ranges("order_value_ratio", (1, 0.9, 1.1), (ratio, 0.71, 0.84), (0.1, 0, 1)),
            "order_value_for_headline": ["no", proven, "yes"],
            "top_time": ["", time, "orders in the night"],
            "top_time_ratio": [float("nan"), 1.31 if time else float("nan"), 9.0],
        }
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
    return pd.DataFrame(
        {
            "setting": ["loyal_above_orders"] * 2 + ["older_from_years"] * 2,
            "base": [40, 40, 65, 65],
            "changed": [32, 48, 52, 78],
            "customers_relabelled": [10, 20, 70, 30],
            "headlines_changed": [0, 0, headlines, headlines],
            "unit": "customers",
            "share_relabelled": [0.01, 0.02, 0.07, 0.03],
        }
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


RESTATES = pd.DataFrame(
    {
        "attribute": ["family_status", "gender"],
        "determined_by": ["age, n_dependants", "age"],
        "accuracy": [0.9975, 0.5],
        "redundant": ["yes", "no"],
    }
)
AGE = both("age_group", value(0.052, "small", "yes"), lines(0.002, NONE))
ANY = RESTATES.assign(redundant="no")
FINDINGS = {  # of each case: the function and its tables; what it says stands in sentences.md
    "busiest": (q01.busiest, {"busiest_times": BUSIEST}),
    "busiest, not for sure": (
        q01.busiest,
        {"busiest_times": BUSIEST.assign(index_low=[0.99, 0.7, 1.9, 0.1])},
    ),
    "quiet": (q01.quiet, {"quiet_windows": QUIET}),
    "quiet, not for sure": (q01.quiet, {"quiet_windows": QUIET.assign(index_high=1.01)}),
    "spending, a day of large baskets": (q02.spending, {"spend_by_time": spend()}),
    "spending, a day of small baskets": (q02.spending, {"spend_by_time": spend(ratio=0.8)}),
    "spending, an hour of large baskets": (
        q02.spending,
        {"spend_by_time": spend(headline=("no", "yes", "no")).assign(order_value_ratio=1.3)},
    ),
    "spending, all the same": (
        q02.spending,
        {"spend_by_time": spend(headline=("no",) * 3, verdicts=(NONE,) * 3)},
    ),
    "spending, undecided": (
        q02.spending,
        {"spend_by_time": spend(headline=("no",) * 3, verdicts=(NONE, UNDECIDED, NONE))},
    ),
    "goods by time": (q02.goods_by_time, {"department_times": goods()}),
    "goods by time, at night": (
        q02.goods_by_time,
        {"department_times": goods().assign(lines=[4_000, 900, 5])},
    ),
    "goods by time, undecided": (
        q02.goods_by_time,
        {"department_times": goods(proven="no", verdict=UNDECIDED)},
    ),
    "goods by time, all the same": (
        q02.goods_by_time,
        {"department_times": goods(proven="no", verdict=NONE)},
    ),
    "price ranges": (q03_price_ranges.price_ranges, {"price_bands": PRICE_BANDS}),
    "popular departments": (q04.popular_departments, {"department_reach": reach()}),
    **{
        f"small departments, {reason}": (q04.small_departments, {"department_reach": reach(reason)})
        for reason, _ in q04.REASONS.values()
    },
    "loyalty": (q05.loyalty, {"group_shares": SHARES}),
    "returning": (q05.returning, {"days_between_orders": GAPS}),
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
    "by income, two groups": (
        q09.by_income,
        income()
        | {
            "tests": compared(
                "income_group", lines(-0.3, UNDECIDED, needed=900), name="cliffs_delta"
            )
        },
    ),
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
        {"product_pairs": pairs(("dairy", "dairy"), ("dairy", "dairy"), ("deli", "bakery"))},
    ),
    "pairs, of one department": (
        q11.strongest_pair,
        {"product_pairs": pairs(("dairy", "dairy"), ("deli", "deli"), low=0.9)},
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
    table = pd.concat([compared(grouping, value(0.004, verdict, headline)), ratios])
    return {
        "tests": table.assign(population="active"),
        "habits": pd.DataFrame(
            {
                "population": "active",
                "grouping": grouping,
                "group": ["West", "South", "Tiny", "Few"],
                "customers": [500, 300, 3, 10],
            }
        ),
        "profiles": profiles(proven=headline).assign(order_value_for_headline=headline),
    }


def lifts_by_income(headline: str) -> dict[str, pd.DataFrame]:
    rows = pd.DataFrame(
        {
            "population": "active",
            "grouping": "income_group",
            "group_a": ["Low income", "High income"] * 2,
            "measure": ["snacks"] * 2 + ["babies"] * 2,
            **ranges("effect", (1.7, 1.6, 1.8), (0.9, 0.8, 1), (0.4, 0.3, 0.5), (1.2, 1.1, 1.3)),
            "n": [500, 300] * 2,
            "for_headline": headline,
        }
    )
    lines = pd.DataFrame({"department": ["snacks", "babies"], "lines": [900, 10]})
    groups = pd.DataFrame({"group": ["Low income", "High income"], "customers": [500, 300]})
    return {
        "department_lifts": rows,
        "departments": lines.assign(population="active"),
        "habits": groups.assign(population="active", grouping="income_group"),
    }


INCOMES = pd.DataFrame(
    {
        "ages": ["36-39", "40-43", "80-83"],
        "customers": [90, 80, 2],
        **ranges(
            "mean_income", (52_000, 51_000, 53_000), (99_500, 98_000, 99_900), (1.0, 1.0, 1.0)
        ),
    }
)
ORDERS = frame(
    {"day": 0, "hour": 10, "orders": 70}, {"day": 1, "hour": 11, "orders": 95}, population="active"
)
FIGURES = {
    "heat map": (q01.heat_map, {"orders_by_day_hour": ORDERS, "busiest_times": BUSIEST}),
    "quietest windows": (q01.quietest_windows, {"quiet_windows": QUIET}),
    "value by hour, different": (
        q02.value_by_hour,
        {"spend_by_time": spend(headline=("yes", "no", "no"))},
    ),
    "value by hour, the same": (q02.value_by_hour, {"spend_by_time": spend()}),
    "value by hour, undecided": (
        q02.value_by_hour,
        {"spend_by_time": spend(verdicts=(UNDECIDED, NONE, NONE))},
    ),
    "value by day": (q02.value_by_day, {"spend_by_time": spend()}),
    "value by day, undecided": (q02.value_by_day, {"spend_by_time": spend(headline=("no",) * 3)}),
    "goods by daypart": (q02.goods_by_daypart, {"department_times": goods()}),
    "goods by daypart, undecided": (q02.goods_by_daypart, {"department_times": goods(proven="no")}),
    "money by range": (q03_price_ranges.money_by_range, {"price_bands": PRICE_BANDS}),
    "department shares": (q04.shares, {"department_reach": reach()}),
    "reach and orders": (q04.reach_and_orders, {"department_reach": reach()}),
    "shares by loyalty": (q05.shares_by_loyalty, {"group_shares": SHARES}),
    "days between": (q05.days_between, {"days_between_orders": GAPS}),
    "gap by loyalty": (q06.gap_by_loyalty, {"habits": HABITS}),
    "value by region, the same": (q07.value_by_region, ratios_of("region", NONE, "no")),
    "value by region, different": (q07.value_by_region, ratios_of("region", "small", "yes")),
    "value by region, undecided": (q07.value_by_region, ratios_of("region", UNDECIDED, "no")),
    "effects by attribute": (q08.effects_by_attribute, {"tests": TESTS_BY_VALUE}),
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
        {"product_pairs": pairs(("dairy", "dairy"), ("deli", "bakery"))},
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
        {"department_times": goods().tail(1)},
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
        with pytest.raises((AttributeError, KeyError, pd.errors.UndefinedVariableError)):
            make(tables | {name: misspelt})


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


# ---- the ad calendar, the registry --------------------------------------------------------------


def test_the_calendar_offers_what_sells_then_else_what_is_ordered_most(settings):
    tables = {
        "quiet_windows": QUIET,
        "department_times": goods(),
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
    other = goods().assign(department=["produce", "snacks", "missing"])
    evening = ad_calendar(tables | {"department_times": other}, settings).set_index("day_name")
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
