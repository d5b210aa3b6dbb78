"""Times and goods chosen on one half of the customers and estimated on the other, for Q2."""

import numpy as np
import pandas as pd

from basket.analysis.halves import chosen_row, in_first_half
from basket.analysis.statistics.ratios import Ratios
from basket.analysis.times import Times, against_other_times, lifts, within_customers
from basket.analysis.totals import Counts
from basket.analysis.words import span
from basket.project.settings import Settings
from basket.tables.sums import HOURS

ORDER_VALUE, WITHIN = "order value by {}", "order value by {}, within customers"
GOODS = "goods by time"
SPLIT_HALVES = [  # as halves.chosen_row makes them, and |effect - 1|
    *("question", "topic", "group", "measure", "effect_first_half", "effect", "effect_low"),
    *("effect_high", "p_value", "effective_customers", "largest_share", "customers_behind"),
    *("reason", "confirmed", "difference"),
]


def chosen(counts: Counts) -> pd.DataFrame:
    """Pick times and goods on the first half of the customers; estimate them on the second.

    Rows of split_halves: the day and the hour whose orders differ most from those at other times,
    within customers if that is proven on the first half, and for each daypart the department that
    sells most above its usual share. Most is by the limit of the interval that lies nearer to 1.
    Nothing is picked that the first half does not prove.
    """
    settings, in_first = counts.settings, in_first_half(counts.times.users)
    halves = [counts.times.those(rows) for rows in (in_first, ~in_first)]
    hours = [span(hour, hour + 1) for hour in range(HOURS)]
    rows = [
        *_chosen_times(halves, "day", settings.day_names, settings),
        *_chosen_times(halves, "hour", hours, settings),
        *_chosen_goods(halves, counts),
    ]
    for row in rows:
        row["difference"] = abs(row["effect"] - 1)
    return pd.DataFrame(rows, columns=SPLIT_HALVES)


def proven(found: Ratios, settings: Settings) -> np.ndarray:
    """Say which of many ratios are at least a small effect, after Bonferroni's correction."""
    limits = settings.statistics
    size = np.fmax(found.ratio, 1 / np.where(found.ratio > 0, found.ratio, np.nan))
    strict = limits.significance / max(1, len(found.ratio))
    enough = size >= limits.effects.ratio[0]
    return (found.reason(settings.statistics) == "") & (found.p_value < strict) & enough


def _surely(found: Ratios) -> np.ndarray:
    """Give the size that each ratio has at least: its limit nearer to 1, or the inverse."""
    with np.errstate(divide="ignore"):
        return np.fmax(found.low, 1 / found.high)


def _chosen_times(halves: list[Times], period: str, names: list[str], settings: Settings) -> list:
    raw, within = (
        [
            compare(cents, orders, settings)
            for orders, cents, _ in (half.by(period) for half in halves)
        ]
        for compare in (against_other_times, within_customers)
    )
    for first in (within[0], raw[0]):
        candidates = proven(first, settings)
        if candidates.any():
            cell = int(np.where(candidates, _surely(first), 0).argmax())
            break
    else:
        return []
    named = {"question": "Q2", "group": names[cell], "measure": "order value"}
    return [
        chosen_row(named | {"topic": topic.format(period)}, *found, cell, settings)
        for topic, found in ((ORDER_VALUE, raw), (WITHIN, within))
    ]


def _chosen_goods(halves: list[Times], counts: Counts) -> list[dict]:
    settings, departments = counts.settings, counts.departments["department"]
    first, second = (lifts(half, settings) for half in halves)
    named = ~departments.isin(settings.labels.unnamed_departments).to_numpy()
    candidates = (
        proven(first, settings) & (first.ratio > 1) & np.tile(named, len(settings.dayparts))
    )
    rows = []
    for place, daypart in enumerate(settings.dayparts):
        cells = place * len(departments) + np.arange(len(departments))
        cells = cells[candidates[cells]]
        if len(cells):
            cell = int(cells[_surely(first)[cells].argmax()])
            names = {"group": daypart, "measure": departments[cell % len(departments)]}
            names = {"question": "Q2", "topic": f"{GOODS}: {daypart}", **names}
            rows.append(chosen_row(names, first, second, cell, settings))
    return rows


def confirmed_goods(split_halves: pd.DataFrame) -> pd.DataFrame:
    """Pick the departments confirmed to sell more in a daypart, those that led the choice first."""
    goods = split_halves[split_halves["topic"].str.startswith(GOODS)]
    goods = goods[goods["confirmed"] == "yes"]
    return goods.sort_values("effect_first_half", ascending=False, kind="stable")
