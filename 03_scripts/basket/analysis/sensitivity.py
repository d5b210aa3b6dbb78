"""The thresholds that can be moved, and the labels that other thresholds would give.

Labels are made anew from the tables that stage 04 made: no line is read again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from pydantic import ValidationError

from basket.analysis import flags
from basket.project.settings import Rules, Settings

MOVE = 0.2  # of the threshold, down and up; hours are moved by one
UNIT_OF = {"product": "lines", "order": "orders", "customer": "customers"}  # what it labels
COMPARISONS, PAIRS = "comparisons", "pairs"  # what is no label, but judged or chosen by a threshold
RANKED = ("busiest_hours", "busiest_days")
JUDGED_BY = ("ratio", "epsilon_squared", "cramers_v")  # the smallest effect of each


@dataclass(frozen=True)
class Threshold:
    """What can be moved: one cut of a flag or, without a flag, a number at `places` of settings.

    A place is a path of keys with what is added to the value there: the end of a part of the day
    is the last hour in it, one before the hour from which the next one begins.
    """

    setting: str  # in words, its unit last: loyal_customer_above_orders
    value: int | float
    unit: str  # of what it labels
    flag: str = ""
    cut: int = 0
    step: float = 0  # 0: a fifth
    places: tuple[tuple[tuple, int], ...] = ()


def thresholds(settings: Settings) -> list[Threshold]:
    """List what can be moved: the cuts of flags, ranks, hours, and the smallest effects.

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
    return [*found, *_ranks(settings), *_hours(settings), *_effects(settings)]


def _ranks(settings: Settings) -> Iterator[Threshold]:
    """List how many hours and days are called busiest."""
    for name in RANKED:
        value = getattr(settings.thresholds, name)
        step, path = max(1, round(MOVE * value)), ("thresholds", name)
        yield Threshold(name, value, "orders", step=step, places=((path, 0),))


def _hours(settings: Settings) -> Iterator[Threshold]:
    """List the waking hours, the length of a window, and where each part of the day begins."""
    first, last = settings.waking_hours
    waking = "waking_hours"
    yield Threshold(f"{waking}_from_hour", first, "orders", step=1, places=(((waking, 0), 0),))
    yield Threshold(f"{waking}_until_hour", last + 1, "orders", step=1, places=(((waking, 1), -1),))
    length = settings.window_hours
    yield Threshold("window_of_hours", length, "orders", step=1, places=((("window_hours",), 0),))
    parts = sorted(settings.dayparts, key=settings.dayparts.get)
    for before, name in pairwise(parts):
        value = settings.dayparts[name][0]
        places = ((("dayparts", name, 0), 0), (("dayparts", before, 1), -1))
        setting = f"{name.lower().replace(' ', '_')}_from_hour"
        yield Threshold(setting, value, "orders", step=1, places=places)


def _effects(settings: Settings) -> Iterator[Threshold]:
    """List the smallest effect of each kind; of a ratio, it is the distance from 1 that moves."""
    for name in JUDGED_BY:
        value = getattr(settings.statistics.effects, name)[0]
        step = MOVE * (value - 1 if name == "ratio" else value)
        places = ((("statistics", "effects", name, 0), 0),)
        yield Threshold(f"small_{name}_from_size", value, COMPARISONS, step=step, places=places)


class Relabelling:
    """Labels of the rows of analysis_customers, made anew where a flag differs from the report's.

    The flags are those that a threshold decides. The mean item price is that of cleaned
    prices, also under RULES=course, whose spending flag saw the damaged ones; base and moved labels
    are both made here, so their difference is the threshold's alone.
    """

    def __init__(self, customers: pd.DataFrame, settings: Settings):
        """Label the customers under the report's own settings."""
        self._customers, self._flags = customers, settings.flags
        self._labels = flags.labels_of("customer", customers, settings)
        self._last = settings.flags, pd.DataFrame(self._labels)

    def under(self, changed: Settings) -> pd.DataFrame:
        """Label them under other settings, a column per flag; anew where the last ones differed."""
        if changed.flags != self._last[0]:
            same = {
                name: labels
                for name, labels in self._labels.items()
                if name in self._flags and changed.flags[name] == self._flags[name]
            }
            labels = flags.labels_of("customer", self._customers, changed, same)
            self._last = changed.flags, pd.DataFrame(labels)
        return self._last[1]


def relabel_hours(
    orders: np.ndarray, lines: np.ndarray, rules: Rules, settings: Settings
) -> pd.DataFrame:
    """Label each of the 7 x 24 hours of the week anew, from all customers' orders and lines."""
    labels = flags.busiest_labels(orders, lines, rules, settings)
    day, hour = np.divmod(np.arange(orders.size), orders.shape[1])
    place = {"order_day": day, "order_hour": hour}
    table = pd.DataFrame(
        {name: each.take(place[settings.flags[name].source]) for name, each in labels.items()}
    )
    first, last = settings.waking_hours
    return table.assign(
        daypart=pd.Categorical(np.array(settings.daypart_of_hour())[hour]),
        waking=pd.Categorical((hour >= first) & (hour <= last), categories=[False, True]),
    )


def moved(
    settings: Settings, threshold: Threshold, direction: int
) -> tuple[int | float, Settings] | None:
    """Move one threshold down (-1) or up (+1) by its step: its new value, and the new settings.

    What is counted (orders, years, days, hours, dollars of income, but no cents) moves by whole
    numbers, by one at least.
    None where the settings would not hold together, such as a low bound above a high one.
    """
    flag = settings.flags.get(threshold.flag)
    step = threshold.step or MOVE * threshold.value
    if flag is not None:
        step = max(1, round(step / flag.smallest_step)) * flag.smallest_step
    value = round(threshold.value + direction * step, 9)  # 7 + 1.4 is 8.4
    content = settings.model_dump()
    for (*path, last), added in threshold.places:
        section = content
        for key in path:
            section = section[key]
        section[last] = value + added
    if flag is not None:
        cuts = flag.cuts
        cuts[threshold.cut] = value
        content["flags"][threshold.flag]["bands"] = flag.bands_at(cuts)
    try:
        return value, Settings.model_validate(content)
    except ValidationError:
        return None
