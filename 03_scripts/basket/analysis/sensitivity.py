"""Q12: how much the labels and the conclusions depend on where the thresholds are.

Each threshold is moved down and up by a fifth while all others stay. What it labels is labelled
anew from the tables that stage 04 made: no line is read again. Measured on 206,209 customers: 28
moves 0.9 s, without the time that the conclusions take.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
from pydantic import ValidationError

from basket.analysis import flags
from basket.project.settings import Rules, Settings

MOVE = 0.2  # of the threshold, down and up
UNIT_OF = {
    "low_price_up_to_dollars": "lines",
    "mid_price_up_to_dollars": "lines",
    "low_spender_below_dollars": "customers",
    "regular_above_orders": "customers",
    "loyal_above_orders": "customers",
    "frequent_up_to_days": "customers",
    "non_frequent_above_days": "customers",
    "active_from_orders": "customers",
    "busiest_hours": "orders",
    "busiest_days": "orders",
    "middle_age_from_years": "customers",
    "older_age_from_years": "customers",
    "middle_income_from_dollars": "customers",
    "high_income_from_dollars": "customers",
}
"""What each threshold labels. The price ceiling labels nothing: it says which prices are damage
(D-06), and what another ceiling would let in cannot be told from prices that are already clean."""


def relabel(customers: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Label the rows of analysis_customers anew under these settings: a column per flag.

    The flags are those that a threshold decides. The mean item price is that of cleaned
    prices, also under RULES=course, whose spending flag saw the damaged ones; base and moved labels
    are both made here, so their difference is the threshold's alone.
    """
    age = flags.age_group(customers["age"], settings)
    income = flags.income_group(customers["income"].to_numpy("float64", na_value=np.nan), settings)
    return pd.DataFrame(
        {
            "loyalty_flag": flags.loyalty_flag(customers["max_order"], settings),
            "spending_flag": flags.spending_flag(
                customers["spend_cents"], customers["priced_lines"], settings
            ),
            "frequency_flag": flags.frequency_flag(
                customers["median_days_between_orders"], settings
            ),
            "exclusion_flag": flags.exclusion_flag(customers["max_order"], settings),
            "age_group": age,
            "income_group": income,
            "profile": flags.profile(age, customers["n_dependants"], income, settings),
        }
    )


def relabel_products(products: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Label the products anew by price range."""
    return pd.DataFrame({"price_range": flags.price_range(products["price_cents"], settings)})


def relabel_hours(
    orders: np.ndarray, lines: np.ndarray, rules: Rules, settings: Settings
) -> pd.DataFrame:
    """Label each of the 7 x 24 hours of the week anew, from all customers' orders and lines."""
    labels = flags.busiest_labels(orders, lines, rules, settings)
    day, hour = np.divmod(np.arange(orders.size), orders.shape[1])
    return pd.DataFrame(
        {
            "busiest_day": labels["busiest_day"].take(day),
            "busiest_days": labels["busiest_days"].take(day),
            "busiest_period_of_day": labels["busiest_period_of_day"].take(hour),
        }
    )


def moved(settings: Settings, name: str, direction: int, move: float = MOVE) -> Settings | None:
    """Move one threshold down (-1) or up (+1) by a share; a whole number by one step at least.

    None where the settings would not hold together, such as a low bound above a high one.
    """
    base = getattr(settings.thresholds, name)
    step = max(1, round(move * base)) if isinstance(base, int) else move * base
    content = settings.model_dump()
    content["thresholds"][name] = round(base + direction * step, 9)  # 7 + 1.4 is 8.4
    try:
        return Settings.model_validate(content)
    except ValidationError:
        return None


def sensitivity(
    customers: pd.DataFrame,
    products: pd.DataFrame,
    hours: tuple[np.ndarray, np.ndarray],
    rules: Rules,
    settings: Settings,
    *,
    headline_of: Callable[[Settings], Mapping[Hashable, object]],
    settings_moved: Sequence[str] = tuple(UNIT_OF),
    move: float = MOVE,
) -> pd.DataFrame:
    """One row per threshold and direction: how many change their label, how many conclusions.

    `hours` are all customers' orders and lines by day and hour, two arrays of 7 x 24.
    `headline_of(settings)` gives the conclusion of each finding (its verdict or direction, not its
    numbers) under settings; it is called once for the base and once for each move that changes any
    label, for without another label there is no other conclusion. headlines_changed counts the
    findings whose conclusion differs, or that only one of the two has.

    `unit` says what the threshold labels: customers, lines (by their product's price range) or
    orders (by their day and hour). `relabelled` counts those, of both populations, that change any
    label, share_relabelled is their share; customers_relabelled is 0 where no customer's label can
    change. A move that the settings do not allow has its threshold and leaves the rest empty.
    """

    def labels_under(changed: Settings, unit: str) -> tuple[pd.DataFrame, np.ndarray]:
        if unit == "lines":
            return relabel_products(products, changed), products["lines"].to_numpy("int64")
        if unit == "orders":
            return relabel_hours(*hours, rules, changed), hours[0].ravel()
        return relabel(customers, changed), np.ones(len(customers), np.int64)

    base = {
        unit: labels_under(settings, unit)
        for unit in dict.fromkeys(UNIT_OF[name] for name in settings_moved)
    }
    conclusions = dict(headline_of(settings))
    rows = []
    for name in settings_moved:
        unit = UNIT_OF[name]
        labels, weights = base[unit]
        for direction in (-1, 1):
            threshold = getattr(settings.thresholds, name)
            changed = moved(settings, name, direction, move)
            row = {"setting": name, "base": threshold, "unit": unit}
            if changed is not None:
                differs = is_relabelled(labels, labels_under(changed, unit)[0])
                count = int(weights[differs].sum())
                other = dict(headline_of(changed)) if differs.any() else conclusions
                row |= {
                    "changed": getattr(changed.thresholds, name),
                    "customers_relabelled": count if unit == "customers" else 0,
                    "headlines_changed": changed_conclusions(conclusions, other),
                    "relabelled": count,
                    "share_relabelled": count / max(1, int(weights.sum())),
                }
            rows.append(row)
    table = pd.DataFrame(
        rows,
        columns=[
            "setting",
            "base",
            "changed",
            "customers_relabelled",
            "headlines_changed",
            "unit",
            "relabelled",
            "share_relabelled",
        ],
    )
    whole = ["customers_relabelled", "headlines_changed", "relabelled"]
    if (table[["base", "changed"]].stack() % 1 == 0).all():
        whole += ["base", "changed"]
    return table.astype(dict.fromkeys(whole, "Int64"))


def is_relabelled(base: pd.DataFrame, changed: pd.DataFrame) -> np.ndarray:
    """Whether any label of a row differs; both frames hold categoricals of the same labels."""
    differs = np.zeros(len(base), bool)
    for flag in base.columns:
        differs |= base[flag].cat.codes.to_numpy() != changed[flag].cat.codes.to_numpy()
    return differs


def changed_conclusions(base: Mapping, other: Mapping) -> int:
    """Count the findings whose conclusion differs, or that only one of the two has."""
    return sum(
        name not in base or name not in other or base[name] != other[name]
        for name in base.keys() | other.keys()
    )
