"""What acting could touch: each lever's what-if in orders, dollars and shares, so that they rank.

Nothing was varied in this data, so none of this is an effect. It is arithmetic: what the change
that settings name would be worth, if it came. Dollars rest on invented prices.
"""

import numpy as np
import pandas as pd

from basket.analysis.finding import BOTH, ONE_MORE_LINE, QUIET_WINDOWS, SOONER
from basket.analysis.totals import Counts
from basket.analysis.windows import to_try
from basket.analysis.words import per_cent
from basket.tables.sums import HOURS, per

COLUMNS = [
    *("rank", "lever", "touches", "base_orders", "base_spend", "change", "change_unit"),
    *("days_per_order", "orders", "share_of_orders", "spend", "share_of_spend"),
    *("left_after_cost", "what_if"),
]
DOLLARS = ["spend", "base_spend", "left_after_cost"]


def prizes(results: dict[str, pd.DataFrame], counts: Counts) -> pd.DataFrame:
    """Size every lever, active population: a row each, the largest share of orders first.

    `base_orders` and `base_spend` are what the lever touches today; `orders` and `spend` what the
    change would add; `left_after_cost` what the margin leaves after a contact for each order, of
    those reached.
    """
    change = counts.settings.what_if
    rows = [
        _quiet_windows(results, counts, change.more_orders),
        _sooner(results, counts, change.late_returns_a_day_sooner),
        _one_more_line(counts, change.orders_with_one_more_line),
        _both(results, counts, change.orders_that_add_the_other),
    ]
    table = pd.DataFrame([row for row in rows if row], columns=COLUMNS)
    if table.empty:
        return table
    whole = counts["day_hour"].at("population", "active")
    table["share_of_orders"] = per(table["orders"], whole["orders"].sum())
    table["share_of_spend"] = per(table["spend"], whole["spend_cents"].sum() / 100).round(6)
    table["orders"] = table["orders"].round().astype("int64")
    table["base_orders"] = table["base_orders"].round().astype("int64")
    cost = table["base_orders"] * change.reach * change.contact_dollars
    table["left_after_cost"] = table["spend"] * change.reach * change.margin - cost
    dollars = table[DOLLARS].round(2)
    table[DOLLARS] = dollars if whole["priced_lines"].any() else np.nan
    table = table.sort_values("share_of_orders", ascending=False, kind="stable", ignore_index=True)
    return table.assign(rank=range(1, len(table) + 1))


def _quiet_windows(results: dict, counts: Counts, more: float) -> dict:
    windows = to_try(results["quiet_windows"])
    if windows.empty:
        return {}
    of = counts["day_hour"].at("population", "active")
    inside = np.zeros((7, HOURS), bool)
    for row in windows.itertuples():
        inside[row.day, row.from_hour : row.to_hour] = True
    orders, spend = of["orders"][inside].sum(), of["spend_cents"][inside].sum() / 100
    return {
        "lever": QUIET_WINDOWS,
        "touches": "orders in the windows proven to be quiet",
        "base_orders": orders,
        "base_spend": spend,
        "change": more,
        "change_unit": "more orders",
        "orders": more * orders,
        "spend": more * spend,
        "what_if": f"{per_cent(more)} more orders in the quiet windows",
    }


def _sooner(results: dict, counts: Counts, share: float) -> dict:
    """Bring a share of the returns later than the customer's own usual gap a day sooner, at most.

    A day that is saved is the part of an order that the customer's mean gap makes it.
    """
    gaps = results["usual_gaps"].iloc[0]
    late, days_per_order = gaps["later_orders"], gaps["days_per_order"]
    if not late or gaps["customers"] < counts.settings.privacy.smallest_group:
        return {}
    orders, cents, *_ = _usual_order(counts)
    value, more = cents / 100 / orders, share * late / days_per_order
    return {
        "lever": SOONER,
        "touches": "returns later than the customer's own usual gap",
        "base_orders": late,
        "base_spend": late * value,
        "change": share,
        "change_unit": "of them a day sooner",
        "days_per_order": days_per_order,
        "orders": more,
        "spend": more * value,
        "what_if": f"{per_cent(share)} of the late returns a day sooner",
    }


def _usual_order(counts: Counts) -> tuple[int, int, np.ndarray, np.ndarray]:
    """Give the active orders and their cents, the dollars of a line and the lines of an order.

    Lines without a price count: their dollars are in no spend with which a prize is compared.
    """
    of = counts["day_hour"].at("population", "active")
    orders, cents = of["orders"].sum(), of["spend_cents"].sum()
    lines = of["lines"].sum()
    return orders, cents, per(cents / 100, lines), per(lines, orders)


def _one_more_line(counts: Counts, share: float) -> dict:
    orders, cents, price, lines = _usual_order(counts)
    if not np.isfinite(price) or not lines:
        return {}
    return {
        "lever": ONE_MORE_LINE,
        "touches": "all orders",
        "base_orders": orders,
        "base_spend": cents / 100,
        "change": share,
        "change_unit": "of the orders with one more line",
        "orders": share * orders / lines,
        "spend": share * orders * price,
        "what_if": f"one more line in {per_cent(share)} of the orders, "
        "counted as orders of usual size",
    }


def _both(results: dict, counts: Counts, share: float) -> dict:
    pairs = results["product_pairs"]
    pairs = pairs[pairs["candidate"] == "yes"]
    if pairs.empty:
        return {}
    orders, _, price, lines = _usual_order(counts)
    first = pairs.iloc[0]
    with_both = first["support"] * orders  # pairs are counted on half of the customers
    single = sum(with_both * (1 / first[f"confidence_{way}"] - 1) for way in ("a_to_b", "b_to_a"))
    return {
        "lever": BOTH,
        "touches": "orders with one of the pair, not both (an estimate)",
        "base_orders": single,
        "base_spend": single * lines * price,
        "change": share,
        "change_unit": "of these orders add the other",
        "orders": share * single / lines,
        "spend": share * single * price,
        "what_if": f"{per_cent(share)} of the orders with one of the pair add the other",
    }
