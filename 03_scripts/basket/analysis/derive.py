"""Stage 04: the tables of products, orders and customers, each with its flags and its totals."""

import numpy as np
import pandas as pd

from basket.analysis import flags
from basket.prepare import clean
from basket.project.flag import Flag
from basket.project.settings import POPULATION_FLAG, Rules, Settings
from basket.tables.audit import Audit
from basket.tables.ids import OrdersOfLines
from basket.tables.sums import (
    HOURS,
    Tally,
    customer_of,
    gap_counts,
    median_of_counts,
    orders_of,
    sum_by,
    tally,
)

TOTALS = ("lines", "priced_lines", "spend_cents", "reordered_lines")
COUNTED = dict.fromkeys(("lines", "priced_lines", "reordered_lines"), "int32")
SEEN = {"seen_cents": "spend_cents", "seen_lines": "priced_lines"}  # by flags, under the rules


def count_by_day_hour(merged: pd.DataFrame, orders: pd.DataFrame) -> tuple[dict, dict]:
    """Count one part's orders and lines by day and hour; an order without lines is none."""
    lines = orders_of(merged, orders).count()
    by = {
        "order_day": (orders["order_day"].to_numpy(), range(7)),
        "order_hour": (orders["order_hour"].to_numpy(), range(HOURS)),
    }
    return {}, {"day_hour": tally(by, {"orders": lines > 0, "lines": lines})}


def analysis_products(
    products: pd.DataFrame, departments: pd.DataFrame, sales: dict, settings: Settings
) -> pd.DataFrame:
    """One row per product with its price range and its sales; `sales` are sums by product_key.

    Flags are those of the price as the rules in force see it; the price kept is cleaned.
    """
    named = products.merge(departments, on="department_id", how="left", validate="many_to_one")
    return named.assign(
        **flags.labels_of("product", products, settings),
        price_cents=clean.without_absurd_prices(products["price_cents"], settings.thresholds),
        lines=sales["lines"].astype(np.int32),
        reordered_lines=sales["reordered_lines"].astype(np.int32),
        spend_cents=sales["spend_cents"],
    )


def derive_part(
    merged: pd.DataFrame,
    orders: pd.DataFrame,
    customers: pd.DataFrame,
    *,
    prices: pd.Series,
    busiest: dict[str, pd.Categorical],
    rules: Rules,
    settings: Settings,
) -> tuple[dict, dict]:
    """Derive the flags of one part's orders and customers, and add up its sales by product.

    An order or customer counts where it has at least one line (D-07). `prices` are the cents of
    each product, by product_key. Returns analysis_orders, analysis_customers and
    low_activity_customers; and sums by product_key, totals, and a Tally of each flag by its name.
    """
    order = orders_of(merged, orders)
    key = merged["product_key"].to_numpy("intp")
    reordered = merged["reordered"].to_numpy()
    kept_prices = clean.without_absurd_prices(prices, settings.thresholds)
    spend_cents, priced_lines = _spent(order, key, kept_prices)
    seen_cents, seen_lines = (
        (spend_cents, priced_lines) if kept_prices.equals(prices) else _spent(order, key, prices)
    )

    totals = orders.assign(
        lines=order.count(),
        priced_lines=priced_lines,
        spend_cents=spend_cents,
        reordered_lines=order.sum(reordered),
        seen_cents=seen_cents,
        seen_lines=seen_lines,
    )
    has_lines = totals["lines"].to_numpy() > 0
    analysis_orders = _label_orders(totals[has_lines].reset_index(drop=True), busiest, settings)
    analysis_customers = _label_customers(analysis_orders, customers, rules, settings)

    sold = np.bincount(key, minlength=len(prices))
    low = settings.flags[POPULATION_FLAG].labels[0]
    by_orders = {"orders": 1, "lines": analysis_orders["lines"]}
    is_first = analysis_orders["order_number"] == 1
    is_low = (analysis_customers[POPULATION_FLAG] == low).to_numpy()
    return {
        "analysis_orders": analysis_orders.drop(columns=["seen_cents", "seen_lines"]),
        "analysis_customers": analysis_customers,
        "low_activity_customers": analysis_customers[is_low],
    }, {
        "lines": sold,
        "reordered_lines": sum_by(key, reordered, len(prices)),
        "spend_cents": sold * kept_prices.fillna(0).to_numpy("int64"),
        "low_activity_lines": int(analysis_customers.loc[is_low, "lines"].sum()),
        "orders": len(analysis_orders),
        "reorders_in_first": int(analysis_orders["reordered_lines"][is_first].sum()),
        "low_activity_orders": int(analysis_customers.loc[is_low, "orders"].sum()),
        **_ungathered(analysis_customers, settings),
        **_carriers(analysis_orders, settings.flags_of("order"), by_orders),
        **_carriers(analysis_customers, settings.flags_of("customer"), {"customers": 1}),
    }


def _carriers(table: pd.DataFrame, flags: dict[str, Flag], weights: dict) -> dict[str, Tally]:
    """Count what carries each label of the flags that we make; labels as received stay out."""
    return {
        name: tally({name: (table[name].cat.codes, table[name].cat.categories)}, weights)
        for name, flag in flags.items()
        if flag.source != name
    }


def _ungathered(customers: pd.DataFrame, settings: Settings) -> dict[str, list[np.ndarray]]:
    """List, by the flag that should gather them under a label, the values that none of its does."""
    return {
        f"not in {name}": [
            customers.loc[customers[name] == settings.labels.missing, flag.source].dropna().unique()
        ]
        for name, flag in settings.flags_of("customer").items()
        if flag.gathers
    }


def rule_and_counts(flag: str, carriers: Tally, settings: Settings) -> pd.DataFrame:
    """Show the labels of a flag: the rule of each, and how many carry it.

    Customers are counted to the nearest `smallest_group`: all customers less the active ones, whose
    numbers are published, would else tell of a few people (D-15).
    """
    table = carriers.table().set_index(flag)
    if "customers" in table:
        base = settings.privacy.smallest_group
        rounded = (table["customers"] / base).round().astype("int64") * base
        table["customers"] = [f"about {n:,}" if n else f"fewer than {base}" for n in rounded]
    rules = settings.flags[flag].rules
    if rules:
        table.insert(0, "rule", [*rules, "no value"])
    return table


def _label_orders(
    orders: pd.DataFrame, busiest: dict[str, pd.Categorical], settings: Settings
) -> pd.DataFrame:
    labels = {
        name: labels.take(orders[settings.flags[name].source]) for name, labels in busiest.items()
    }
    return orders.assign(**labels).astype(COUNTED)


def _label_customers(
    orders: pd.DataFrame, customers: pd.DataFrame, rules: Rules, settings: Settings
) -> pd.DataFrame:
    """One row per customer who has an order line, with totals and flags."""
    place = customer_of(orders, customers)
    size = len(customers)
    max_order = np.zeros(size, np.int16)
    np.maximum.at(max_order, place, orders["order_number"].to_numpy())
    weights = orders["lines"].to_numpy() if rules.median_gap_over == "lines" else None
    gaps = gap_counts(place, orders["days_since_prior_order"], size, weights)
    totals = customers.assign(
        orders=np.bincount(place, minlength=size).astype(np.int32),
        **{name: sum_by(place, orders[name].to_numpy(), size) for name in (*TOTALS, *SEEN)},
        max_order=max_order,
        median_days_between_orders=median_of_counts(gaps),
    )
    seen = totals.drop(columns=list(SEEN.values())).rename(columns=SEEN)
    labelled = totals.drop(columns=list(SEEN)).assign(**flags.labels_of("customer", seen, settings))
    return labelled[labelled["lines"] > 0].reset_index(drop=True).astype(COUNTED)


def _spent(
    order: OrdersOfLines, key: np.ndarray, prices: pd.Series
) -> tuple[np.ndarray, np.ndarray]:
    """Cents of each order, and its lines that have a price; `prices` are by product_key."""
    cents, is_priced = prices.fillna(0).to_numpy("int64"), prices.notna().to_numpy()
    return order.sum(cents.take(key)), order.sum(is_priced.take(key))


def record_ungathered(audit: Audit, sums: dict, settings: Settings) -> None:
    """Record how many values no label of a flag gathers: their customers have no label."""
    for name, flag in settings.flags_of("customer").items():
        if flag.gathers:
            found = {value for part in sums[f"not in {name}"] for value in part}
            action = f"left without a {name}" if found else "none needed"
            what = f"values that no {name} gathers"
            audit.record_check("analysis_customers", flag.source, what, len(found), action)


def record_reorders(audit: Audit, found: int) -> None:
    """Record how many order lines of first orders are said to be reorders, which none can be."""
    action = "kept: reorder rates are as received, and cannot be right" if found else "none needed"
    audit.record_check("analysis_orders", "reordered", "reorders in first orders", found, action)


def record_exclusion(audit: Audit, sums: dict, built: dict[str, dict]) -> None:
    """Record what the active population leaves out, in lines, orders and customers."""
    reason = "customers with too few orders (exclusion_flag)"
    customers, low = (
        built[name]["rows"] for name in ("analysis_customers", "low_activity_customers")
    )
    for table, rows, removed in (
        ("merged", int(sums["lines"].sum()), sums["low_activity_lines"]),
        ("analysis_orders", sums["orders"], sums["low_activity_orders"]),
        ("analysis_customers", customers, low),
    ):
        audit.record_flow(
            table, "active customers", rows, rows - removed, removed=removed, reason=reason
        )
    done = "exported as the sample low_activity_customers"
    audit.record_check("analysis_customers", "exclusion_flag", "low activity", low, done)
