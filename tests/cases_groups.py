"""Small tables for each branch of what Q6 to Q10 say; answers_groups.md says what is said."""

import pandas as pd

from basket.analysis.questions import profiles_of_people as q10
from basket.analysis.questions import q06_habits as q06
from basket.analysis.questions import q07_region as q07
from basket.analysis.questions import q08_family as q08
from basket.analysis.questions import q09_classes as q09
from group_tables import BOTH, alike, chosen, comparison, overall, preferred, tables

REGION = "region at equal income: the farthest from the others"
REGIONS = ("South", "West")
AGES = ("18-39", "65+")
NEW, REGULAR, LOYAL = "New customer", "Regular customer", "Loyal customer"


def west(measure: str, effect: float, low: float, high: float, **other) -> dict:
    return comparison("region", measure, effect, low, high, group_a="West", n=300, **other)


def named(measure: str, *sizes: float, confirmed: str = "yes") -> dict:
    """Regions of which the West is named, with the first half's ratio and the second's."""
    rows = [*overall("region"), west(measure, 1.5, 1.4, 1.6, for_headline="yes")]
    halves = chosen((REGION, "West", measure, *sizes), confirmed=confirmed)
    return tables([*rows, *alike("region", REGIONS)[:5]], split_halves=halves)


def open_question(*ratio: float, needed: int | None = None, **other) -> dict:
    """Regions of which the West may differ by more than matters."""
    rows = alike("region", REGIONS)
    rows[5] = west("mean_order_value", *ratio, customers_to_decide=needed, **other)
    return tables([*overall("region"), *rows, *preferred("region")])


RESTATES = pd.DataFrame(
    {
        "attribute": ["family_status", "gender"],
        "determined_by": ["age, n_dependants", "age"],
        "accuracy": [0.9975, 0.51],
        "redundant": ["yes", "no"],
    }
)
AGE = tables([*overall("age_group"), *alike("age_group", AGES), *preferred("age_group")])


def loyalty(rows: list[dict], **other: pd.DataFrame) -> dict:
    made = tables([*overall("loyalty_flag", adjusted_for=""), *rows], **other)
    groups = [NEW, REGULAR, LOYAL]
    habits = pd.DataFrame(
        {
            "population": "active",
            "grouping": "loyalty_flag",
            "group": groups,
            "customers": [310, 520, 90],
            "median_days_between_orders": [14.0, 8.0, 5.5],
            "reorder_rate": [0.37, 0.58, 0.73],
            "mean_lines_per_order": [9.26, 10.18, 9.13],
        }
    )
    equal = pd.DataFrame({"group": groups, "reorder_rate": [0.384, 0.402, 0.421]})
    equal["mean_lines_per_order"] = [9.22, 10.13, 10.08]
    shares = pd.DataFrame({"grouping": "loyalty_flag", "group": groups, "spend": [1.0, 2.0, 30.0]})
    shares["share_of_spend"] = [0.11, 0.53, 0.36]
    return made | {"habits": habits, "habits_at_equal_orders": equal, "group_shares": shares}


NUMBERS = "orders 2 to 5"
OF_LOYALTY = "loyalty in orders 2 to 5: the farthest from the others"
LOYAL_ALIKE = [
    row | {"reason": "by definition" if row["measure"] == "mean_gap" else ""}
    for row in alike("loyalty_flag", (NEW, LOYAL), adjusted_for=NUMBERS)
]
LOYAL_MORE = comparison(
    "loyalty_flag",
    "mean_order_value",
    1.04,
    0.98,
    1.11,
    group_a=LOYAL,
    adjusted_for=NUMBERS,
    customers_to_decide=700,
)


def goods(more="yes", less: str | None = "yes", proven="no", reason="", **other) -> dict:
    """Low incomes buy more snacks and less meat; who confirms it, and what ranks prove.

    `reason` says why the second half says nothing of snacks.
    """
    rows = [("goods they buy more of", "Low income", "snacks", 1.9, 1.74, 1.62, 1.88)]
    halves = [chosen(*rows, confirmed=more, reason=reason)]
    if less:
        rows = [("goods they buy less of", "Low income", "meat seafood", 0.5, 0.43, 0.31, 0.58)]
        halves.append(chosen(*rows, confirmed=less))
    said = {"effect_name": "epsilon_squared", "adjusted_for": "", "for_headline": proven}
    shares = [
        comparison("income_group", "share of snacks", 0.041, 0.022, 0.073, **said),
        comparison("income_group", "share of meat seafood", 0.052, 0.033, 0.084, **said),
    ]
    low = comparison("income_group", BOTH[0], 0.7, 0.6, 0.8, group_a="Low income", adjusted_for="")
    high = comparison(
        "income_group", BOTH[0], 1.2, 0.9, 1.5, group_a="High income", adjusted_for=""
    )
    rows = [*overall("income_group", adjusted_for=""), *shares, low, high]
    return tables(rows, split_halves=pd.concat(halves)) | other


def bands(attribute: str, measure: str, cuts: str, confirmed: str, **other) -> dict:
    table = pd.DataFrame(
        {
            "attribute": attribute,
            "measure": measure,
            "method": ["course", "proposed"],
            "cuts": ["40 | 65", cuts],
            "r2_search_half": [0.08, 0.33],
            "r2_confirm_half": [0.07, 0.31],
            "gain_over_course": [0.0, 0.24],
            "gain_low": [None, 0.13],
            "gain_high": [None, 0.35],
            "confirmed": ["", confirmed],
        }
    )
    return {"bands": table.assign(**other)}


def several_bands() -> dict:
    """Confirm steps of two measures: one led on the half searched, the other on the other half."""
    led, other = (
        bands(*named, "yes", **r2)["bands"]
        for named, r2 in (
            (("age", "income", "41"), {"r2_search_half": [0.1, 0.35]}),
            (("income", "mean_item_price", "48000"), {"r2_confirm_half": [0.1, 0.5]}),
        )
    )
    return {"bands": pd.concat([other.assign(r2_search_half=[0.3, 0.5]), led], ignore_index=True)}


def profiles(ratio: tuple[float, float, float]) -> dict:
    """Profiles that do not differ at equal income; the first has most spend, Tiny is not shown."""
    names = ("Young family", "Old single")
    made = tables([*overall("profile"), *alike("profile", names), *preferred("profile")])
    table = pd.DataFrame(
        {
            "profile": [*names, "Tiny"],
            "customers": [500, 493, 3],
            "spend": [9_000.0, 4_000.0, 99_000.0],
            "share_of_customers": [0.56, 0.43, 0.01],
            "share_of_spend": [0.61, 0.27, 0.12],
            "spend_ratio": [ratio[0], 0.5, 9.0],
            "spend_ratio_low": [ratio[1], 0.4, 8.0],
            "spend_ratio_high": [ratio[2], 0.6, 9.9],
        }
    )
    return made | {"profiles": table}


ONLY_OVERALL = tables(
    [
        *overall("region", effects=(0.021, 0.012, 0.034), for_headline="yes", verdict="small")[1:2],
        *overall("region")[2:],
        *alike("region", REGIONS),
    ]
)
TWO = tables(
    [
        comparison(
            "region", BOTH[0], -0.24, -0.31, -0.17, effect_name="cliffs_delta", for_headline="yes"
        ),
        *alike("region", REGIONS),
    ]
)
NO_INCOME = tables(
    [
        *overall("region", adjusted_for=""),
        *alike("region", REGIONS, adjusted_for=""),
        *preferred("region"),
    ]
)
NOT_AT_EQUAL = named("mean_lines_per_order", 1.31, 1.17, 1.06, 1.28)
WITHOUT_GAPS = loyalty(LOYAL_ALIKE)
WITHOUT_GAPS["habits"] = WITHOUT_GAPS["habits"].assign(median_days_between_orders=None)
SNACKS = named("snacks", 1.9, 1.62, 1.31, 2.03)
SNACKS["department_lifts"] = SNACKS["tests"][SNACKS["tests"]["measure"] == "snacks"]
SNACKS["tests"] = SNACKS["tests"][SNACKS["tests"]["measure"] != "snacks"]
FINDINGS = {
    "region, more spend": (q07.by_region, named("mean_order_value", 1.21, 1.12, 1.07, 1.18)),
    "region, less spend": (q07.by_region, named("mean_order_value", 0.81, 0.88, 0.83, 0.94)),
    "region, more lines": (q07.by_region, NOT_AT_EQUAL),
    "region, fewer lines": (q07.by_region, named("mean_lines_per_order", 0.9, 0.91, 0.85, 0.97)),
    "region, dearer": (q07.by_region, named("mean_item_price", 1.3, 1.14, 1.08, 1.2)),
    "region, cheaper": (q07.by_region, named("mean_item_price", 0.7, 0.86, 0.8, 0.93)),
    "region, longer gaps": (q07.by_region, named("mean_gap", 1.3, 1.24, 1.18, 1.31)),
    "region, shorter gaps": (q07.by_region, named("mean_gap", 0.7, 0.76, 0.7, 0.83)),
    "region, more reorders": (q07.by_region, named("reorder_rate", 1.2, 1.16, 1.09, 1.23)),
    "region, fewer reorders": (q07.by_region, named("reorder_rate", 0.8, 0.84, 0.78, 0.91)),
    "region, at a time": (q07.by_region, named("orders in the night", 1.6, 1.44, 1.2, 1.7)),
    "region, not at a time": (q07.by_region, named("orders at the weekend", 0.8, 0.9, 0.85, 0.96)),
    "region, not confirmed": (
        q07.by_region,
        named("mean_order_value", 1.21, 1.02, 0.95, 1.1, confirmed="no"),
    ),
    "region, by ranks alone": (q07.by_region, ONLY_OVERALL),
    "two regions, by ranks alone": (q07.by_region, TWO),
    "region, the same": (q07.by_region, open_question(1.01, 0.97, 1.04)),
    "region, the same in habits": (
        q07.by_region,
        tables([*overall("region"), *alike("region", REGIONS), *preferred("region", 0.12)]),
    ),
    "region, no incomes": (q07.by_region, NO_INCOME),
    "region, undecided": (q07.by_region, open_question(1.03, 0.96, 1.11, needed=4_000)),
    "region, undecided for good": (q07.by_region, open_question(1.03, 0.96, 1.11)),
    "region, undecided but not none": (q07.by_region, open_question(0.94, 0.89, 0.99)),
    "region, one customer holds too much": (
        q07.by_region,
        open_question(1.6, 1.2, 2.1, reason="one customer holds too much of it"),
    ),
    "region, may be chance": (q07.by_region, open_question(1.11, 1.06, 1.16, verdict="small")),
    "region, too few of one": (
        q07.by_region,
        open_question(1.01, 0.97, 1.04, reason="too few effective customers"),
    ),
    "region, too few of all": (
        q07.by_region,
        tables(
            [*overall("region"), west(BOTH[0], 1.2, 0.5, 2.9, reason="too few effective customers")]
        ),
    ),
    "region, goods": (q07.by_region, SNACKS),
    "age, which family status restates": (q08.by_family, AGE | {"redundancy": RESTATES}),
    "age": (q08.by_family, AGE | {"redundancy": RESTATES.assign(redundant="no")}),
    "loyalty, the same": (q06.habits_by_loyalty, loyalty(LOYAL_ALIKE)),
    "loyalty, undecided": (q06.habits_by_loyalty, loyalty([*LOYAL_ALIKE[:5], LOYAL_MORE])),
    "loyalty, different": (
        q06.habits_by_loyalty,
        loyalty(
            [*LOYAL_ALIKE[:5], LOYAL_MORE | {"for_headline": "yes"}],
            split_halves=chosen((OF_LOYALTY, LOYAL, "mean_order_value", 1.2, 1.13, 1.06, 1.22)),
        ),
    ),
    "loyalty, no gaps": (q06.habits_by_loyalty, WITHOUT_GAPS),
    "income, more and less": (q09.by_income, goods()),
    "income, more alone": (q09.by_income, goods(less=None)),
    "income, less by ranks": (q09.by_income, goods(less="no", proven="yes")),
    "income, by ranks": (q09.by_income, goods(more="no", less="no", proven="yes")),
    "income, by ranks, of few": (
        q09.by_income,
        goods(more="no", less=None, proven="yes", reason="too few effective customers"),
    ),
    "income, not confirmed": (q09.by_income, goods(more="no", less="no")),
    "steps": (q09.steps, bands("income", "mean_item_price", "48000", "yes")),
    "steps, of age": (q09.steps, bands("age", "income", "41 | 66", "yes")),
    "steps, of goods": (q09.steps, bands("income", "share of meat seafood", "50000", "yes")),
    "steps, several": (q09.steps, several_bands()),
    "steps, not confirmed": (q09.steps, bands("age", "income", "41", "no")),
    "steps, worse than the mean": (
        q09.steps,
        bands("age", "mean_order_value", "41", "no", r2_confirm_half=[0.02, -0.4]),
    ),
    "steps, none": (q09.steps, bands("age", "income", "", "no")),
    "profiles, alike a head": (q10.how_profiles_differ, profiles((1.01, 0.97, 1.04))),
    "profiles, more a head": (q10.how_profiles_differ, profiles((1.21, 1.12, 1.32))),
    "profiles, who knows": (q10.how_profiles_differ, profiles((1.02, 0.93, 1.13))),
}


def value(effect: float, grouping: str = "region", headline: str = "no", **other) -> dict:
    """Order values of two groups, and of two that are too small to be shown."""
    rows = [
        comparison(
            grouping, BOTH[0], size, size - 0.03, size + 0.02, group_a=group, n=n, for_headline=mark
        )
        for group, n, size, mark in (
            ("South", 320, 1.02, "no"),
            ("West", 301, effect, headline),
            ("Tiny", 3, 5.0, "yes"),
            ("Few", 10, 6.0, "yes"),
        )
    ]
    made = tables(rows)
    sizes = [320, 301, 3, 10]
    return made | {"habits": made["habits"].assign(customers=sizes)}


def by_attribute(headlines: tuple[str, str], high: float = 0.02) -> dict:
    """How much age, at equal income, and income tell about order value; not the other rows."""
    said = {"effect_name": "epsilon_squared", "group_b": "", "covered": None, "n": 900}
    rows = [
        comparison("age_group", BOTH[0], 0.004, 0.001, high / 2, for_headline=headlines[0], **said),
        comparison("age_group", BOTH[0], 0.3, 0.2, 0.4, **said | {"adjusted_for": ""}),
        comparison(
            "income_group",
            BOTH[0],
            0.009,
            0.005,
            high,
            for_headline=headlines[1],
            **said | {"adjusted_for": ""},
        ),
        comparison("loyalty_flag", BOTH[0], 0.5, 0.4, 0.6, **said | {"adjusted_for": ""}),
    ]
    return tables(rows)


def lifts(headline: str) -> dict:
    """Shares of goods of two income groups; snacks move most lines."""
    rows = [
        comparison(
            "income_group", measure, *sizes, group_a=group, adjusted_for="", for_headline=headline
        )
        for group, measure, *sizes in (
            ("Low income", "snacks", 1.7, 1.6, 1.8),
            ("High income", "snacks", 0.9, 0.8, 0.99),
            ("Low income", "babies", 0.4, 0.3, 0.5),
            ("High income", "babies", 1.2, 1.1, 1.3),
        )
    ]
    made = tables(rows)
    sold = pd.DataFrame({"department": ["snacks", "babies"], "lines": [900, 10]})
    return made | {
        "department_lifts": made["tests"],
        "departments": sold.assign(population="active"),
    }


INCOMES = {
    "income_by_age": pd.DataFrame(
        {
            "ages": ["36-39", "40-43", "80-83"],
            "customers": [90, 80, 2],
            "mean_income": [52_000.0, 99_500.0, 1.0],
            "mean_income_low": [51_000.0, 98_000.0, 1.0],
            "mean_income_high": [53_000.0, 99_900.0, 1.0],
        }
    )
}
FIGURES = {
    "value by region, different": (q07.value_by_region, value(1.09, headline="yes")),
    "value by region, the same": (q07.value_by_region, value(0.99)),
    "value by region, undecided": (q07.value_by_region, value(0.93)),
    "value by profile": (q10.value_by_profile, value(0.93, "profile", "yes")),
    "value by profile, undecided": (q10.value_by_profile, value(0.93, "profile")),
    "effects, income proven": (q08.effects_by_attribute, by_attribute(("no", "yes"))),
    "effects, age proven": (q08.effects_by_attribute, by_attribute(("yes", "no"))),
    "effects, none proven": (q08.effects_by_attribute, by_attribute(("no", "no"))),
    "effects, none that matters": (q08.effects_by_attribute, by_attribute(("no", "no"), 0.0099)),
    "reorders by loyalty": (q06.reorders_by_loyalty, loyalty(LOYAL_ALIKE)),
    "lines by loyalty": (q06.lines_by_loyalty, loyalty(LOYAL_ALIKE)),
    "goods by income": (q09.goods_by_income, lifts("yes")),
    "goods by income, undecided": (q09.goods_by_income, lifts("no")),
    "income by age": (q09.mean_income_by_age, INCOMES | bands("age", "income", "41", "no")),
    "income by age, a step": (
        q09.mean_income_by_age,
        INCOMES | bands("age", "income", "41", "yes"),
    ),
}
FIGURE_PARTS = (
    *("name", "title", "highlight", "subtitle", "so_what", "alt", "x_title", "y_title"),
    *("reference", "band", "panel"),
)
