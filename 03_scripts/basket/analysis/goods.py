"""Q3, Q4 and Q10: price bands, what makes a department small, and what each profile is worth."""

import numpy as np
import pandas as pd

from basket.project.settings import Settings
from basket.tables.sums import dollars, per

BANDS = 3
METHODS = ("course", "equal lines", "equal spend")


def price_bands(products: pd.DataFrame, lines: np.ndarray, settings: Settings) -> pd.DataFrame:
    """The course's price ranges beside two proposals from the data, active population.

    `lines` are the lines of each product (one per row of `products`). `equal lines` cuts where a
    third and two thirds of the lines are reached, `equal spend` the same of the money.
    `lines_relabelled` counts the lines of the method that lie in another band than the course's.
    """
    cents = products["price_cents"].to_numpy("float64", na_value=np.nan)
    known = ~np.isnan(cents) & (lines > 0)
    cents, lines = cents[known].astype(np.int64), lines[known]
    course = [float(bound) for bound in settings.flags["price_range"].bounds]
    cuts = {
        "course": course,
        "equal lines": weighted_cuts(cents, lines),
        "equal spend": weighted_cuts(cents, lines * cents),
    }
    course_band = np.searchsorted(course, cents)
    tables = []
    for method in METHODS:
        band = np.searchsorted(cuts[method], cents)
        band_lines = np.bincount(band, lines, BANDS).astype(np.int64)
        band_cents = np.bincount(band, lines * cents, BANDS).astype(np.int64)
        edges = [int(cents.min(initial=0)), *cuts[method], int(cents.max(initial=0))]
        tables.append(
            pd.DataFrame(
                {
                    "method": method,
                    "band": [f"{number} of {BANDS}" for number in range(1, BANDS + 1)],
                    "above_dollars": np.array(edges[:-1]) / 100,
                    "up_to_dollars": np.array(edges[1:]) / 100,
                    "products": np.bincount(band, minlength=BANDS),
                    "lines": band_lines,
                    "share_of_lines": per(band_lines, band_lines.sum()),
                    "spend": dollars(band_cents),
                    "share_of_spend": per(band_cents, band_cents.sum()),
                    "lines_relabelled": int(lines[band != course_band].sum()),
                    "share_relabelled": float(per(lines[band != course_band].sum(), lines.sum())),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def weighted_cuts(values: np.ndarray, weights: np.ndarray) -> list[int]:
    """Values at which a third and two thirds of the weight are reached; two different values."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    if not len(reached) or not reached[-1]:
        return [0, 1]
    first, second = (
        int(values[order][np.searchsorted(reached, reached[-1] * part / BANDS)]) for part in (1, 2)
    )
    return [first, max(second, first + 1)]


def department_reach(departments: pd.DataFrame, customers: int) -> pd.DataFrame:
    """Why a department is large or small, active: who buys x how often x how much at a time.

    lines = customers who buy x orders with it per buyer x lines per such order. Each factor is
    also given against the geometric mean of all departments (1 = typical); `main_reason` is the
    factor that lies farthest from it in the direction of the department's size.
    """
    table = departments[departments["population"] == "active"].copy()
    table["share"] = per(table["lines"], table["lines"].sum())
    table["reach"] = per(table["customers"], customers)
    table["orders_per_buyer"] = per(table["orders"], table["customers"])
    table["lines_per_order"] = per(table["lines"], table["orders"])
    factors = ["reach", "orders_per_buyer", "lines_per_order"]
    for factor in factors:
        logs = np.log(table[factor])
        table[f"{factor}_against_typical"] = np.exp(logs - logs.mean())
    against = np.log(table[[f"{factor}_against_typical" for factor in factors]].to_numpy())
    direction = np.sign(against.sum(axis=1, keepdims=True))
    reasons = np.array(
        [
            "how many customers buy it",
            "how often its buyers order it",
            "how much they take at a time",
        ]
    )
    table["main_reason"] = reasons[(against * direction).argmax(axis=1)] if len(table) else ""
    table = table.sort_values(["lines", "department_id"], ascending=[False, True])
    table.insert(1, "rank", range(1, len(table) + 1))
    return table[
        [
            "rank",
            "department_id",
            "department",
            "lines",
            "share",
            "spend",
            "reach",
            "orders_per_buyer",
            "lines_per_order",
            *(f"{factor}_against_typical" for factor in factors),
            "main_reason",
            "reorder_rate",
        ]
    ].reset_index(drop=True)


def profiles(
    habits: pd.DataFrame, shares: pd.DataFrame, tests: pd.DataFrame, lifts: pd.DataFrame
) -> pd.DataFrame:
    """One row per profile, active: size, value, frequency, and the goods it buys more of.

    Ratios compare with all customers. `top_department` is the one with the highest lift, `top_time`
    the time with the highest ratio of shares of orders, among those above 1 that may carry a
    headline; empty where there is none.
    """
    table = shares[shares["grouping"] == "profile"].drop(columns="grouping")
    table = table.rename(columns={"group": "profile"})
    mine = habits[(habits["population"] == "active") & (habits["grouping"] == "profile")]
    table = table.merge(
        mine[
            [
                "group",
                "mean_order_value",
                "mean_item_price",
                "median_days_between_orders",
                "reorder_rate",
            ]
        ].rename(columns={"group": "profile"}),
        on="profile",
    )
    value = tests[
        (tests["grouping"] == "profile")
        & (tests["measure"] == "mean_order_value")
        & (tests["group_b"] != "")
    ]
    table = table.merge(
        value.rename(
            columns={
                "group_a": "profile",
                "effect": "order_value_ratio",
                "effect_low": "order_value_ratio_low",
                "effect_high": "order_value_ratio_high",
                "verdict": "order_value_verdict",
                "for_headline": "order_value_for_headline",
            }
        )[
            [
                "profile",
                "order_value_ratio",
                "order_value_ratio_low",
                "order_value_ratio_high",
                "order_value_verdict",
                "order_value_for_headline",
            ]
        ],
        on="profile",
        how="left",
    )
    times = tests[(tests["effect_name"] == "ratio") & (tests["unit"] == "share of orders")]
    table = table.merge(_highest(lifts, "top_department", "top_lift"), on="profile", how="left")
    table = table.merge(_highest(times, "top_time", "top_time_ratio"), on="profile", how="left")
    names = table[["top_department", "top_time"]].astype("object").fillna("")
    return table.assign(**names).sort_values("spend", ascending=False, ignore_index=True)


def _highest(ratios: pd.DataFrame, name: str, ratio: str) -> pd.DataFrame:
    """Of each profile, the measure with the highest ratio above 1 that may carry a headline."""
    strong = ratios[
        (ratios["grouping"] == "profile")
        & (ratios["effect"] > 1)
        & (ratios["for_headline"] == "yes")
    ]
    best = strong.sort_values("effect", ascending=False).drop_duplicates("group_a")
    columns = {
        "group_a": "profile",
        "measure": name,
        "effect": ratio,
        "effect_low": f"{ratio}_low",
        "effect_high": f"{ratio}_high",
    }
    return best.rename(columns=columns)[list(columns.values())]
