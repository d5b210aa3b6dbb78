"""Small hand-made result tables about groups of customers; each number is there once."""

import pandas as pd

NONE, UNDECIDED = "no practical difference", "undecided"
BOTH = ["mean_order_value", "mean_lines_per_order", "mean_item_price", "mean_gap", "reorder_rate"]
OVERALL = ["orders", *BOTH[:3], "median_days_between_orders", "reorder_rate"]


def comparison(grouping: str, measure: str, effect: float, low: float, high: float, **other):
    """Give a row of tests: a ratio of a group to the others, if not said otherwise."""
    usual = {
        "population": "active",
        "grouping": grouping,
        "group_a": "",
        "group_b": "others",
        "measure": measure,
        "unit": "",
        "n": 500,
        "effect_name": "ratio",
        "effect": effect,
        "effect_low": low,
        "effect_high": high,
        "adjusted_for": "income",
        "covered": 0.87,
        "reason": "",
        "verdict": UNDECIDED,
        "for_headline": "no",
        "customers_to_decide": None,
    }
    return usual | other


def overall(grouping: str, *, adjusted_for: str = "income", effects=(0.002, 0.0, 0.006), **other):
    """Give the overall tests of all habits of a grouping."""
    said = {"effect_name": "epsilon_squared", "group_b": "", "covered": None, "verdict": NONE}
    said |= {"adjusted_for": adjusted_for} | other
    return [comparison(grouping, measure, *effects, **said) for measure in OVERALL]


def preferred(grouping: str, high: float = 0.08) -> list[dict]:
    """Give Cramér's V of groups with the commonest time, day and department."""
    said = {"effect_name": "cramers_v", "group_b": "", "adjusted_for": "", "covered": None}
    return [
        comparison(grouping, f"commonest {what}", 0.02, 0.0, high, **said)
        for what in ("daypart", "day", "department")
    ]


def alike(grouping: str, groups: tuple[str, str], *, adjusted_for: str = "income") -> list[dict]:
    """Give the ratios of two groups that differ by 4 % at most."""
    return [
        comparison(
            grouping,
            measure,
            1 + sign * (0.001 * place + 0.01),
            0.98 - sign * 0.001 * place,
            1.02 + sign * (0.002 * place + 0.01),
            group_a=group,
            adjusted_for=adjusted_for,
            verdict=NONE,
        )
        for group, sign in zip(groups, (1, -1), strict=True)
        for place, measure in enumerate(BOTH)
    ]


def tables(rows: list[dict], **other: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Put rows of tests together, with tables that have each group, and no choice made."""
    tests = pd.DataFrame(rows).astype({"customers_to_decide": "Int64"})
    groups = tests.loc[tests["effect_name"] == "ratio", ["grouping", "group_a"]].drop_duplicates()
    groups = groups.rename(columns={"group_a": "group"}).reset_index(drop=True)
    sizes = [500 - 7 * place for place in range(len(groups))]
    shares = [0.31 - 0.02 * place for place in range(len(groups))]
    habits = groups.assign(population="active", customers=sizes)
    lifts = tests[tests["effect_name"] == "ratio"].head(0)
    made = {
        "tests": tests,
        "habits": habits,
        "department_lifts": lifts,
        "split_halves": pd.DataFrame(columns=[*CHOSEN, "reason", "confirmed"]),
        "group_shares": groups.assign(
            share_of_spend=shares, share_of_customers=0.27, spend=12_345.0
        ),
    }
    return made | other


CHOSEN = ["question", "topic", "group", "measure", "effect_first_half"]
CHOSEN += ["effect", "effect_low", "effect_high"]


def chosen(*rows: tuple, confirmed: str = "yes", reason: str = "") -> pd.DataFrame:
    """Make rows of split_halves: topic, group, measure, first half, effect, low, high."""
    table = pd.DataFrame([("Q0", *row) for row in rows], columns=CHOSEN)
    return table.assign(reason=reason, confirmed=confirmed)
