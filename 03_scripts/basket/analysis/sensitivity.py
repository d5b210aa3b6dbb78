"""Q12: how much the labels and the conclusions depend on where the thresholds are.

Each threshold is moved down and up by a fifth while all others stay. What it labels is labelled
anew from the tables that stage 04 made: no line is read again. Measured on 206,209 customers: 28
moves 0.9 s, without the time that the conclusions take.
"""

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
