"""Q12: how much the labels and the conclusions depend on where the thresholds are.

Each threshold is moved down and up by a fifth while all others stay. What it labels is labelled
anew from the tables that stage 04 made: no line is read again. Measured on 206,209 customers: 28
moves 0.9 s, without the time that the conclusions take.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import ValidationError

from basket.analysis import flags
from basket.project.settings import Rules, Settings

MOVE = 0.2  # of the threshold, down and up
UNIT_OF = {"product": "lines", "order": "orders", "customer": "customers"}  # what it labels
COLUMNS = [
    "setting",
    "base",
    "changed",
    "customers_relabelled",
    "headlines_changed",
    "unit",
    "relabelled",
    "share_relabelled",
]
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
    ceiling would let in cannot be told from prices that are already clean.
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
    settings: Settings, threshold: Threshold, direction: int, move: float = MOVE
) -> tuple[int | float, Settings] | None:
    """Move one threshold down (-1) or up (+1) by a share: its new value, and the new settings.

    A whole number (of orders, years, hours; not of dollars) moves by one step at least. None
    where the settings would not hold together, such as a low bound above a high one.
    """
    flag = settings.flags.get(threshold.flag)
    step = move * threshold.value
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


def sensitivity(
    customers: pd.DataFrame,
    products: pd.DataFrame,
    hours: tuple[np.ndarray, np.ndarray],
    rules: Rules,
    settings: Settings,
    *,
    headline_of: Callable[[Settings], Mapping[Hashable, object]],
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
            labels = flags.labels_of("product", products, changed)
            return pd.DataFrame(labels), products["lines"].to_numpy("int64")
        if unit == "orders":
            return relabel_hours(*hours, rules, changed), hours[0].ravel()
        return relabel(customers, changed), np.ones(len(customers), np.int64)

    base = {unit: labels_under(settings, unit) for unit in UNIT_OF.values()}
    conclusions = dict(headline_of(settings))
    rows = []
    for threshold in thresholds(settings):
        labels, weights = base[threshold.unit]
        for direction in (-1, 1):
            row = {"setting": threshold.setting, "base": threshold.value, "unit": threshold.unit}
            found = moved(settings, threshold, direction, move)
            if found is not None:
                value, changed = found
                differs = is_relabelled(labels, labels_under(changed, threshold.unit)[0])
                count = int(weights[differs].sum())
                other = dict(headline_of(changed)) if differs.any() else conclusions
                row |= {
                    "changed": value,
                    "customers_relabelled": count if threshold.unit == "customers" else 0,
                    "headlines_changed": changed_conclusions(conclusions, other),
                    "relabelled": count,
                    "share_relabelled": count / max(1, int(weights.sum())),
                }
            rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    whole = ["customers_relabelled", "headlines_changed", "relabelled"]
    if (table[["base", "changed"]].stack() % 1 == 0).all():
        whole += ["base", "changed"]
    return table.astype(dict.fromkeys(whole, "Int64"))


def is_relabelled(base: pd.DataFrame, changed: pd.DataFrame) -> np.ndarray:
    """Whether any label of a row differs, by its number: labels that state a cut move with it."""
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
