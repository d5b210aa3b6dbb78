"""Stage 04: the flags, each at the grain it belongs to.

Every function takes plain columns and returns a Categorical whose categories are the labels of
settings.yml in their order and, last, the label for missing.
"""

import numpy as np
import pandas as pd

from basket.prepare import clean
from basket.project.settings import Rules, Settings
from basket.tables.audit import Audit
from basket.tables.ids import OrdersOfLines, Positions
from basket.tables.sums import gap_counts, median_of_counts, orders_of, sum_by


def categorical(codes: np.ndarray, labels: list[str], missing: str) -> pd.Categorical:
    """Label codes 0, 1, …; a negative code is the label for missing."""
    codes = np.where(codes < 0, len(labels), codes)
    return pd.Categorical.from_codes(codes, categories=[*labels, missing])


def banded(
    values, lower_bounds: list[float], labels: list[str], missing: str, *, bound_belongs: str
) -> pd.Categorical:
    """Label values by bands; each bound belongs to the band `below` or `above` it.

    One label more than bounds. NaN is labelled missing.
    """
    numbers = np.asarray(values, dtype="float64")
    side = {"below": "left", "above": "right"}[bound_belongs]
    codes = np.searchsorted(lower_bounds, numbers, side=side)
    return categorical(np.where(np.isnan(numbers), -1, codes), labels, missing)


# ---- products -------------------------------------------------------------------------------


def price_range(price_cents: pd.Series, settings: Settings) -> pd.Categorical:
    """Up to 5 dollars low, up to 15 mid, above high. Source: the course's ranges, field's rule."""
    bounds = [
        round(100 * settings.thresholds.low_price_up_to_dollars),
        round(100 * settings.thresholds.mid_price_up_to_dollars),
    ]
    return banded(
        price_cents.astype("Float64").to_numpy("float64", na_value=np.nan),
        bounds,
        settings.labels.price_range,
        settings.labels.missing,
        bound_belongs="below",
    )


def analysis_products(
    products: pd.DataFrame, departments: pd.DataFrame, sales: dict, settings: Settings
) -> pd.DataFrame:
    """One row per product with its price range and its sales; `sales` are sums by product_key.

    The price range is that of the price as the rules in force see it; the price kept is cleaned.
    """
    named = products.merge(departments, on="department_id", how="left", validate="many_to_one")
    return named.assign(
        price_range=price_range(products["price_cents"], settings),
        price_cents=clean.without_absurd_prices(products["price_cents"], settings.thresholds),
        lines=sales["lines"].astype(np.int32),
        reordered_lines=sales["reordered_lines"].astype(np.int32),
        spend_cents=sales["spend_cents"],
    )


# ---- orders -----------------------------------------------------------------------------------


def rank_busiest(counts: np.ndarray, most: int, fewest: int) -> np.ndarray:
    """Code each day or hour: 0 the `most` busiest, 2 the `fewest` slowest, 1 the rest.

    Ties go to the lower day or hour; busiest are chosen before slowest; a day or hour without any
    count takes no part.
    """
    codes = np.ones(len(counts), np.int8)
    taking_part = np.flatnonzero(counts)
    busiest = taking_part[np.argsort(-counts[taking_part], kind="stable")[:most]]
    rest = np.setdiff1d(taking_part, busiest)
    slowest = rest[np.argsort(counts[rest], kind="stable")[:fewest]]
    codes[busiest] = 0
    codes[slowest] = 2
    return codes


def busiest_labels(
    orders: np.ndarray, lines: np.ndarray, rules: Rules, settings: Settings
) -> dict[str, pd.Categorical]:
    """Label each day and hour from counts by day x hour (7 x 24) over the whole population."""
    counts = {"orders": orders, "lines": lines}[rules.rank_busiest_by]
    by_day, by_hour = counts.sum(axis=1), counts.sum(axis=0)
    days, hours = settings.thresholds.busiest_days, settings.thresholds.busiest_hours
    labels, missing = settings.labels, settings.labels.missing
    return {
        "busiest_day": categorical(rank_busiest(by_day, 1, 1), labels.busiest_day, missing),
        "busiest_days": categorical(rank_busiest(by_day, days, days), labels.busiest_days, missing),
        "busiest_period_of_day": categorical(
            rank_busiest(by_hour, hours, hours), labels.busiest_period_of_day, missing
        ),
    }


def count_by_day_hour(merged: pd.DataFrame, orders: pd.DataFrame) -> tuple[dict, dict]:
    """Count one part's orders and lines by day x hour: two arrays of 7 x 24."""
    lines = orders_of(merged, orders).count()
    cell = orders["order_day"].to_numpy().astype(np.int64) * 24 + orders["order_hour"].to_numpy()
    return {}, {
        "orders": sum_by(cell, lines > 0, 7 * 24).reshape(7, 24),
        "lines": sum_by(cell, lines, 7 * 24).reshape(7, 24),
    }


# ---- customers --------------------------------------------------------------------------------


def loyalty_flag(max_order, settings: Settings) -> pd.Categorical:
    """More than 40 orders loyal, more than 10 regular, else new."""
    bounds = [settings.thresholds.regular_above_orders, settings.thresholds.loyal_above_orders]
    return banded(
        max_order,
        bounds,
        settings.labels.loyalty_flag,
        settings.labels.missing,
        bound_belongs="below",
    )


def spending_flag(price_sum_cents, priced_lines, settings: Settings) -> pd.Categorical:
    """Mean item price below 10 dollars low, else high; in whole cents, so 10.00 is high."""
    total, lines = np.asarray(price_sum_cents), np.asarray(priced_lines)
    cents = round(100 * settings.thresholds.low_spender_below_dollars)
    codes = np.where(lines == 0, -1, np.where(total < cents * lines, 0, 1))
    return categorical(codes, settings.labels.spending_flag, settings.labels.missing)


def frequency_flag(median_days, settings: Settings) -> pd.Categorical:
    """Median gap up to 10 days frequent, up to 20 regular, above non-frequent."""
    bounds = [settings.thresholds.frequent_up_to_days, settings.thresholds.non_frequent_above_days]
    return banded(
        median_days,
        bounds,
        settings.labels.frequency_flag,
        settings.labels.missing,
        bound_belongs="below",
    )


def exclusion_flag(max_order, settings: Settings) -> pd.Categorical:
    """Fewer than 5 orders low activity, else active."""
    return banded(
        max_order,
        [settings.thresholds.active_from_orders],
        settings.labels.exclusion_flag,
        settings.labels.missing,
        bound_belongs="above",
    )


def age_group(age, settings: Settings) -> pd.Categorical:
    """Age in three groups; each bound opens the next group."""
    bounds = [settings.thresholds.middle_age_from_years, settings.thresholds.older_age_from_years]
    return banded(
        age, bounds, settings.labels.age_group, settings.labels.missing, bound_belongs="above"
    )


def income_group(income, settings: Settings) -> pd.Categorical:
    """Income in three groups; each bound opens the next group."""
    bounds = [
        settings.thresholds.middle_income_from_dollars,
        settings.thresholds.high_income_from_dollars,
    ]
    return banded(
        income, bounds, settings.labels.income_group, settings.labels.missing, bound_belongs="above"
    )


def region(state: pd.Series, settings: Settings) -> pd.Categorical:
    """US Census Bureau region of the state; a state it does not know is missing."""
    names = list(settings.regions)
    of_state = settings.region_of_state()
    codes = [
        names.index(of_state[name]) if name in of_state else -1 for name in state.cat.categories
    ]
    return categorical(np.array([*codes, -1])[state.cat.codes], names, settings.labels.missing)


def profile_labels(settings: Settings) -> list[str]:
    """The profiles: age group x dependants x income group (D-24)."""
    return [
        f"{age}, {household}, {income.lower()}"
        for age in settings.labels.age_group
        for household in ("no dependants", "with dependants")
        for income in settings.labels.income_group
    ]


def profile(
    age: pd.Categorical, n_dependants, income: pd.Categorical, settings: Settings
) -> pd.Categorical:
    """Put each customer into one readable profile; missing where age or income group is."""
    incomes = len(settings.labels.income_group)
    known = (age.codes < len(settings.labels.age_group)) & (income.codes < incomes)
    household = (np.asarray(n_dependants) > 0).astype(int)
    codes = (age.codes.astype(int) * 2 + household) * incomes + income.codes
    return categorical(
        np.where(known, codes, -1), profile_labels(settings), settings.labels.missing
    )


def record_exclusion(audit: Audit, sums: dict, built: dict[str, dict]) -> None:
    """Record what the active population leaves out, in lines, orders and customers."""
    reason = "customers with too few orders (exclusion_flag)"
    lines = int(sums["lines"].sum())
    customers = built["analysis_customers"]["rows"]
    for table, rows, removed in (
        ("merged", lines, sums["low_activity_lines"]),
        ("analysis_orders", sums["orders"], sums["low_activity_orders"]),
        ("analysis_customers", customers, built["low_activity_customers"]["rows"]),
    ):
        audit.record_flow(
            table, "active customers", rows, rows - removed, removed=removed, reason=reason
        )
    audit.record_check(
        "analysis_customers",
        "exclusion_flag",
        "low activity",
        built["low_activity_customers"]["rows"],
        "exported as the sample low_activity_customers",
    )


# ---- one part ---------------------------------------------------------------------------------


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
    low_activity_customers, and sums by product_key.
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
    analysis_orders = _label_orders(totals[has_lines].reset_index(drop=True), busiest)
    analysis_customers = _label_customers(analysis_orders, customers, rules, settings)

    sold = np.bincount(key, minlength=len(prices))
    low = settings.labels.exclusion_flag[0]
    is_low = (analysis_customers["exclusion_flag"] == low).to_numpy()
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
        "low_activity_orders": int(analysis_customers.loc[is_low, "orders"].sum()),
    }


def _label_orders(orders: pd.DataFrame, busiest: dict[str, pd.Categorical]) -> pd.DataFrame:
    return orders.assign(
        busiest_day=busiest["busiest_day"].take(orders["order_day"]),
        busiest_days=busiest["busiest_days"].take(orders["order_day"]),
        busiest_period_of_day=busiest["busiest_period_of_day"].take(orders["order_hour"]),
    ).astype({"lines": "int32", "priced_lines": "int32", "reordered_lines": "int32"})


def _label_customers(
    orders: pd.DataFrame, customers: pd.DataFrame, rules: Rules, settings: Settings
) -> pd.DataFrame:
    """One row per customer who has an order line, with totals and flags."""
    index = Positions(customers["user_id"].to_numpy())
    place = index.find(orders["user_id"].to_numpy())
    size = len(customers)
    totals = {
        name: sum_by(place, orders[name].to_numpy(), size)
        for name in (
            "lines",
            "priced_lines",
            "spend_cents",
            "reordered_lines",
            "seen_cents",
            "seen_lines",
        )
    }
    max_order = np.zeros(size, np.int16)
    np.maximum.at(max_order, place, orders["order_number"].to_numpy())
    weights = orders["lines"].to_numpy() if rules.median_gap_over == "lines" else None
    median = median_of_counts(gap_counts(place, orders["days_since_prior_order"], size, weights))

    age, income = (
        age_group(customers["age"], settings),
        income_group(_floats(customers["income"]), settings),
    )
    labelled = customers.assign(
        region=region(customers["state"], settings),
        age_group=age,
        income_group=income,
        orders=np.bincount(place, minlength=size).astype(np.int32),
        lines=totals["lines"].astype(np.int32),
        priced_lines=totals["priced_lines"].astype(np.int32),
        spend_cents=totals["spend_cents"],
        reordered_lines=totals["reordered_lines"].astype(np.int32),
        max_order=max_order,
        median_days_between_orders=median,
        loyalty_flag=loyalty_flag(max_order, settings),
        spending_flag=spending_flag(totals["seen_cents"], totals["seen_lines"], settings),
        frequency_flag=frequency_flag(median, settings),
        exclusion_flag=exclusion_flag(max_order, settings),
        profile=profile(age, customers["n_dependants"], income, settings),
    )
    return labelled[labelled["lines"] > 0].reset_index(drop=True)


def _spent(
    order: OrdersOfLines, key: np.ndarray, prices: pd.Series
) -> tuple[np.ndarray, np.ndarray]:
    """Cents of each order, and its lines that have a price; `prices` are by product_key."""
    cents, is_priced = prices.fillna(0).to_numpy("int64"), prices.notna().to_numpy()
    return order.sum(cents.take(key)), order.sum(is_priced.take(key))


def _floats(values: pd.Series) -> np.ndarray:
    return values.to_numpy("float64", na_value=np.nan)
