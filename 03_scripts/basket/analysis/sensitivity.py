"""The thresholds that can be moved, and the labels that other thresholds would give.

Labels are made anew from the tables that stage 04 made: no line is read again.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import ValidationError

from basket.analysis import flags
from basket.project.settings import Rules, Settings

MOVE = 0.2  # of the threshold, down and up
UNIT_OF = {"product": "lines", "order": "orders", "customer": "customers"}  # what it labels
RANKED = ("busiest_hours", "busiest_days")


@dataclass(frozen=True)
class Threshold:
    """What can be moved: one cut of a flag or, without a flag, a number of ranked days or hours."""

    setting: str  # in words, its unit last: loyal_customer_above_orders
    value: int | float
    unit: str  # of what it labels
    flag: str = ""
    cut: int = 0


def thresholds(settings: Settings) -> list[Threshold]:
    """List what can be moved, in the order of the flags.

    The price ceiling labels nothing: it says which prices are damage (D-06), and what another
    ceiling would let in cannot be seen in prices that are already clean.
    """
    found, taken = [], set()
    for name, flag in settings.flags.items():
        bound = "from" if flag.bands and flag.cut_belongs_above else "above"
        for cut, (value, label) in enumerate(zip(flag.cuts, flag.labels[1:], strict=False)):
            words = f"{label.lower().replace(' ', '_')}_{bound}_{flag.unit}"
            if label[0].isdigit() or words in taken:
                words = f"{name}_{words}"
            taken.add(words)
            found.append(Threshold(words, value, UNIT_OF[flag.of], name, cut))
    ranked = [Threshold(name, getattr(settings.thresholds, name), "orders") for name in RANKED]
    return found + ranked


def relabel(customers: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Label the rows of analysis_customers anew under these settings: a column per flag.

    The flags are those that a threshold decides. The mean item price is that of cleaned
    prices, also under RULES=course, whose spending flag saw the damaged ones; base and moved labels
    are both made here, so their difference is the threshold's alone.
    """
    return pd.DataFrame(flags.labels_of("customer", customers, settings))


def relabel_hours(
    orders: np.ndarray, lines: np.ndarray, rules: Rules, settings: Settings
) -> pd.DataFrame:
    """Label each of the 7 x 24 hours of the week anew, from all customers' orders and lines."""
    labels = flags.busiest_labels(orders, lines, rules, settings)
    day, hour = np.divmod(np.arange(orders.size), orders.shape[1])
    place = {"order_day": day, "order_hour": hour}
    return pd.DataFrame(
        {name: each.take(place[settings.flags[name].source]) for name, each in labels.items()}
    )


def moved(
    settings: Settings, threshold: Threshold, direction: int
) -> tuple[int | float, Settings] | None:
    """Move one threshold down (-1) or up (+1) by a fifth: its new value, and the new settings.

    A whole number (of orders, years, hours; not of dollars) moves by one step at least. None
    where the settings would not hold together, such as a low bound above a high one.
    """
    flag = settings.flags.get(threshold.flag)
    step = MOVE * threshold.value
    if flag is None or flag.is_whole:
        step = max(1, round(step))
    value = round(threshold.value + direction * step, 9)  # 7 + 1.4 is 8.4
    content = settings.model_dump()
    if flag is None:
        content["thresholds"][threshold.setting] = value
    else:
        cuts = flag.cuts
        cuts[threshold.cut] = value
        content["flags"][threshold.flag]["bands"] = flag.bands_at(cuts)
    try:
        return value, Settings.model_validate(content)
    except ValidationError:
        return None
