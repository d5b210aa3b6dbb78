"""How well a grouping of customers predicts the second half of each customer's own orders.

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
from basket.tables.stage import Stage
from basket.tables.sums import customer_of, gap_counts, median_of_counts, per, sum_by

SPLITS = 40
BLOCK = 2**16  # customers whose splits are numbers at the same time
FEWEST_ORDERS = 4  # two in each half: fewer have no gap to tell
FEWEST_DAYS = 7  # observed, for what a customer spends a day
MEASURES = ("lines_per_order", "order_value", "gap", "spend_a_day")
GROUPINGS = ("profile", "income_group", "loyalty_flag", "spending_flag", "segment")
BY_HABITS = ("loyalty_flag", "spending_flag", "rhythm", "basket")
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
    draw = np.random.default_rng(counts.settings.seed)
    judged = np.column_stack([draw.random(len(chosen)) >= 0.5 for _ in range(SPLITS)])
    squares = errors(np.zeros(len(chosen), np.intp), outcomes, judged)  # about the mean of all
    seen = {name: errors(codes, outcomes, judged) for name, codes in labels.items()}
    return as_table(seen, squares, counts.settings)


def count_part(orders: pd.DataFrame, customers: pd.DataFrame) -> tuple[dict, dict]:
    """Add up the first and the second half of each customer's orders: arrays, an entry a customer.

    The middle one of an odd number of orders belongs to the first half.
    """
    size = len(customers)
    customer = customer_of(orders, customers)
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

    Loyalty is the number of orders: that of the first half, doubled. A flag that settings lack, or
    make from what is not summed by half, is left out.
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
        for name in BY_HABITS
        if name in settings.flags and set(settings.flags[name].columns) <= set(seen)
    }
    of_first["segment"] = flags.segment(of_first["rhythm"], of_first["basket"], settings)
    found = {}
    for name in GROUPINGS:
        if name in BY_HABITS and name not in of_first:
            continue
        values = pd.Series(of_first[name] if name in of_first else labels[name].to_numpy())
        values = pd.Categorical(add_missing_label(values.astype("category"), missing))
        codes = values.codes.astype(np.intp)
        found[name] = np.where(codes == list(values.categories).index(missing), -1, codes)
    found["kmeans"] = clusters(first, len(settings.composed()["segment"]), settings.seed)
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


def errors(
    codes: np.ndarray, outcomes: dict[str, np.ndarray], judged: np.ndarray
) -> dict[str, np.ndarray]:
    """Learn group means on some customers, judge them on the others: squared errors of each.

    `judged` (customers x splits) says in which splits a customer is judged; in the others it is
    learnt from. A customer without a group (-1), or of one that nothing was learnt of, is told by
    the mean of all. Errors are added up over the splits; 0 where the outcome is not known.

    A customer's splits are added up by products of matrices, not one by one: the same to 1e-12 as
    the plain loop of the tests, 0.8 instead of 14.8 s at full size.
    """
    known = np.column_stack([np.isfinite(each) for each in outcomes.values()])
    values = np.column_stack([_from_the_first(each) for each in outcomes.values()])
    groups = [np.flatnonzero(codes == group) for group in range(-1, int(codes.max(initial=-1)) + 1)]
    blocks = [
        (group, rows[first : first + BLOCK])
        for group, rows in enumerate(groups)
        for first in range(0, len(rows), BLOCK)
    ]
    # Of each group: splits x (sums, then numbers, of each outcome).
    learnt = np.zeros((len(groups), judged.shape[1], 2 * len(outcomes)))
    for group, rows in blocks:
        both = np.column_stack([values[rows], known[rows]])
        learnt[group] += both.sum(axis=0) - judged[rows].T.astype("float64") @ both
    middle = per(*np.split(learnt.sum(axis=0), 2, axis=1))
    usable = np.isfinite(middle)
    found = np.zeros(values.shape)
    for group, rows in blocks:
        means = per(*np.split(learnt[group], 2, axis=1))
        told = np.where(np.isnan(means) | (group == 0), middle, means)
        told = np.where(usable, told, 0.0)
        sums = judged[rows].astype("float64") @ np.column_stack([usable, told, told * told])
        times, once, twice = np.split(sums, 3, axis=1)
        y = values[rows]
        found[rows] = y * y * times - 2 * y * once + twice  # of (y - told)^2 over the splits
    found = np.where(known, np.maximum(found, 0.0), 0.0)
    return dict(zip(outcomes, found.T, strict=True))


def _from_the_first(outcome: np.ndarray) -> np.ndarray:
    """Count from the first known value, so that equal values have no error at all; unknown is 0."""
    known = np.isfinite(outcome)
    return np.where(known, outcome - outcome[known.argmax()], 0.0) if known.any() else 0 * known


def as_table(
    seen: dict[str, dict[str, np.ndarray]], squares: dict[str, np.ndarray], settings: Settings
) -> pd.DataFrame:
    """Turn the errors of each grouping, and the squares about the mean, into R^2 with intervals."""
    rows = []
    for grouping, errors_of in seen.items():
        for measure in MEASURES:
            judged = squares[measure] > 0
            found = ratios.product(
                [errors_of[measure][judged]],
                [squares[measure][judged]],
                settings.statistics.confidence,
            )
            rows.append(
                {
                    "grouping": grouping,
                    "measure": measure,
                    "customers": int(judged.sum()),
                    "r_squared": 1 - float(found.ratio[0]),
                    "r_squared_low": 1 - float(found.high[0]),
                    "r_squared_high": 1 - float(found.low[0]),
                    "effective_customers": float(found.effective_customers[0]),
                    "reason": str(found.reason(settings.statistics)[0]),
                }
            )
    return pd.DataFrame(rows)
