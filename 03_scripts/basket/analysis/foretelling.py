"""How well a grouping of customers foretells the second half of each customer's own orders.

Each customer's orders are cut in two. Groupings by habits are made from the first half alone; those
by who people are do not change. The mean of each group is learnt on half of the customers and
judged on the other half, 40 times over:

    R^2 = 1 - (sum of squared errors) / (sum of squares about the mean of those learnt from)

Both sums are over customers, so that R^2 has its interval from the engine of all ratios.
"""

import numpy as np
import pandas as pd
from scipy.cluster.vq import kmeans2

from basket.analysis import flags
from basket.analysis.groups import add_missing_label, is_active
from basket.analysis.statistics import ratios
from basket.analysis.totals import Counts
from basket.project.settings import Settings
from basket.tables.ids import IdIndex
from basket.tables.stage import Stage
from basket.tables.sums import gap_counts, median_of_counts, per, sum_by

SPLITS = 40
FEWEST_ORDERS = 4  # two in each half: fewer have no gap to tell
FEWEST_DAYS = 7  # observed, for what a customer spends a day
MEASURES = ("lines_per_order", "order_value", "gap", "spend_a_day")
GROUPINGS = ("profile", "income_group", "loyalty_flag", "spending_flag", "segment", "kmeans")
SUMS = ("orders", "lines", "spend_cents", "priced_lines", "gaps", "gap_days")


def segment_gain(stage: Stage, counts: Counts) -> pd.DataFrame:
    """Judge every grouping: a row per grouping and measure, active customers with enough orders."""
    found = stage.for_each_part(
        count_part, {"orders": "analysis_orders", "customers": ("analysis_customers", ["user_id"])}
    )
    first, second = (
        {name: np.concatenate(found[f"{half}_{name}"]) for name in (*SUMS, "median_gap")}
        for half in ("first", "second")
    )
    active = is_active(counts.people.customers, counts.settings)
    enough = active & (first["orders"] + second["orders"] >= FEWEST_ORDERS)
    chosen = np.flatnonzero(enough)  # by id, so that the splits do not depend on the parts
    chosen = chosen[np.argsort(counts.people.customers["user_id"].to_numpy()[chosen])]
    first, second = ({k: v[chosen] for k, v in half.items()} for half in (first, second))
    labels = groupings(counts.people.labels.iloc[chosen], first, counts.settings)
    outcomes = measures(second)
    seen = [
        learnt_and_judged(codes, outcomes, counts.settings) | {"grouping": name}
        for name, codes in labels.items()
    ]
    return as_table(seen, counts.settings)


def count_part(orders: pd.DataFrame, customers: pd.DataFrame) -> tuple[dict, dict]:
    """Add up the first and the second half of each customer's orders: arrays, an entry a customer.

    The middle one of an odd number of orders belongs to the first half.
    """
    size = len(customers)
    customer = IdIndex(customers["user_id"].to_numpy()).locate(orders["user_id"].to_numpy())
    number = orders["order_number"].to_numpy("int64")
    rank = pd.Series(number).groupby(customer).rank().to_numpy()
    is_second = rank > (np.bincount(customer, minlength=size)[customer] + 1) // 2
    gap = orders["days_since_prior_order"]
    values = {
        "orders": np.ones(len(orders), np.int64),
        **{name: orders[name].to_numpy() for name in ("lines", "spend_cents", "priced_lines")},
        "gaps": gap.notna().to_numpy(),
        "gap_days": gap.fillna(0).to_numpy("int64"),
    }
    sums = {}
    for half, those in (("first", ~is_second), ("second", is_second)):
        who = customer[those]
        for name, value in values.items():
            sums[f"{half}_{name}"] = [sum_by(who, value[those], size)]
        sums[f"{half}_median_gap"] = [median_of_counts(gap_counts(who, gap[those], size))]
    return {}, sums


def measures(half: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Measure each customer's half: lines and dollars an order, mean gap, dollars a day.

    Dollars a day need a week at least to be told.
    """
    days = np.where(half["gap_days"] >= FEWEST_DAYS, half["gap_days"], 0)
    return {
        "lines_per_order": per(half["lines"], half["orders"]),
        "order_value": per(half["spend_cents"] / 100, half["orders"]),
        "gap": per(half["gap_days"], half["gaps"]),
        "spend_a_day": per(half["spend_cents"] / 100, days),
    }


def groupings(
    labels: pd.DataFrame, first: dict[str, np.ndarray], settings: Settings
) -> dict[str, np.ndarray]:
    """Code the group of each customer, as the first half alone tells it; -1 where missing.

    Loyalty is the number of orders: that of the first half, doubled.
    """
    missing = settings.labels.missing
    seen = pd.DataFrame(
        {
            "max_order": 2 * first["orders"],
            "median_days_between_orders": pd.Series(first["median_gap"]),
            **{name: first[name] for name in ("orders", "lines", "spend_cents", "priced_lines")},
        }
    )
    of_first = {
        name: flags.label(settings.flags[name], seen, missing)
        for name in ("loyalty_flag", "spending_flag", "rhythm", "basket")
    }
    of_first["segment"] = flags.segment(of_first["rhythm"], of_first["basket"], settings)
    found = {}
    for name in GROUPINGS[:-1]:
        values = pd.Series(of_first[name] if name in of_first else labels[name].to_numpy())
        values = pd.Categorical(add_missing_label(values.astype("category"), missing))
        codes = values.codes.astype(np.intp)
        found[name] = np.where(codes == list(values.categories).index(missing), -1, codes)
    found["kmeans"] = clusters(first, len(flags.segment_labels(settings)), settings.seed)
    return found


def clusters(first: dict[str, np.ndarray], number: int, seed: int) -> np.ndarray:
    """Cluster customers by the logs of their first half, standardised: a yardstick (k-means)."""
    told = measures(first)
    habits = np.column_stack([np.log1p(told[name]) for name in ("lines_per_order", "gap")])
    known = np.isfinite(habits).all(axis=1)
    codes = np.full(len(habits), -1)
    if known.sum() > number:
        chosen = habits[known]
        spread = chosen.std(axis=0)
        chosen = (chosen - chosen.mean(axis=0)) / np.where(spread > 0, spread, 1)
        codes[known] = kmeans2(chosen, number, minit="++", seed=seed)[1]
    return codes


def learnt_and_judged(
    codes: np.ndarray, outcomes: dict[str, np.ndarray], settings: Settings
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Learn group means on half of the customers, judge on the other: sums of squares each.

    Returns for each measure the squared error and the square about the mean of each customer, added
    up over the splits in which the customer was judged. Who has no group is told by that mean.
    """
    found = {}
    draw = np.random.default_rng(settings.seed)
    halves = [draw.random(len(codes)) < 0.5 for _ in range(SPLITS)]
    groups = int(codes.max(initial=0)) + 1
    for measure, outcome in outcomes.items():
        known = np.isfinite(outcome)
        errors, squares = np.zeros(len(codes)), np.zeros(len(codes))
        for learning in halves:
            learnt, judged = learning & known, ~learning & known
            if not learnt.any():
                continue
            middle = outcome[learnt].mean()
            grouped = learnt & (codes >= 0)
            sums = np.bincount(codes[grouped], outcome[grouped], groups)
            sizes = np.bincount(codes[grouped], minlength=groups)
            told = np.append(np.where(sizes > 0, sums / np.maximum(sizes, 1), middle), middle)
            errors[judged] += (outcome[judged] - told[codes[judged]]) ** 2
            squares[judged] += (outcome[judged] - middle) ** 2
        found[measure] = errors, squares
    return found


def as_table(seen: list[dict], settings: Settings) -> pd.DataFrame:
    """Turn sums of squares into R^2 with its interval."""
    rows = []
    for each in seen:
        for measure in MEASURES:
            errors, squares = each[measure]
            judged = squares > 0
            found = ratios.product(
                [errors[judged]], [squares[judged]], settings.statistics.confidence
            )
            rows.append(
                {
                    "grouping": each["grouping"],
                    "measure": measure,
                    "customers": int(judged.sum()),
                    "r_squared": 1 - float(found.ratio[0]),
                    "r_squared_low": 1 - float(found.high[0]),
                    "r_squared_high": 1 - float(found.low[0]),
                }
            )
    return pd.DataFrame(rows)
