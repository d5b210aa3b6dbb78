"""The quietest window of each day within waking hours, and which of them are worth a trial.

It is chosen on one half of the customers and measured on the other: the lowest of many windows is
low by chance too.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from basket.analysis.chosen_times import proven
from basket.analysis.halves import in_first_half
from basket.analysis.times import against_next, columns, estimates
from basket.analysis.totals import Counts
from basket.analysis.words import listed, number, span
from basket.project.settings import Settings
from basket.tables.sums import dollars, per


def quietest(
    orders: np.ndarray, open_days: np.ndarray, settings: Settings
) -> list[tuple[int, int]]:
    """Find the day and first hour of the quietest waking window of each of these days.

    `orders` are 7 x 24. Quietest first; of two alike the earlier.
    """
    first, last = settings.waking_hours
    length = settings.window_hours
    found = (
        min(
            (orders[day, start : start + length].sum(), day, start)
            for start in range(first, last - length + 2)
        )
        for day in open_days
    )
    return [(int(day), start) for _, day, start in sorted(found)]


def quiet_windows(counts: Counts) -> pd.DataFrame:
    """Describe the quietest window of each day within waking hours, active, quietest first.

    Windows and their ranks are chosen on the first half of the customers. `orders`, `spend` and
    shares are those of all customers; all that is compared is measured on the second half.
    `index` compares the window's orders with the average waking window of as many hours, over the
    days that have orders then: the others have no row. `difference` is how far it lies from 1. A
    window is `is_quiet` where it is proven to have fewer, after Bonferroni's correction over the
    days, and by no less than a small effect. It is `at_edge` where it touches an end of the waking
    hours: then that setting decides which window it is.
    `ratio_to_next` compares the window's orders with those of the next row.
    """
    settings, orders = counts.settings, counts.times.orders
    first, last = settings.waking_hours
    length = settings.window_hours
    waking = orders[:, :, first : last + 1].sum(axis=2).astype("int64")
    in_first = in_first_half(counts.times.users)
    open_days = np.flatnonzero(waking.sum(axis=0))
    found = quietest(orders[in_first].sum(axis=0), open_days, settings)
    here = np.zeros((len(orders), len(found)), np.int64)
    for place, (day, start) in enumerate(found):
        here[:, place] = orders[:, day, start : start + length].sum(axis=1)
    measured, hours = here[~in_first], len(found) * (last - first + 1)
    # orders an hour of the window over those an hour of all, both in whole numbers
    fewer = estimates([measured * hours], [waking[~in_first].sum(axis=1) * length], settings)
    cents = counts["day_hour"].at("population", "active")["spend_cents"]
    spend = [cents[day, start : start + length].sum() for day, start in found]
    starts = np.array([start for _, start in found], "int64")
    names = [settings.day_names[day] for day, _ in found]
    quiet = proven(fewer, settings) & (fewer.ratio < 1)
    edge = (starts == first) | (starts + length == last + 1)
    return pd.DataFrame(
        {
            "rank": range(1, len(found) + 1),
            "day": [day for day, _ in found],
            "day_name": names,
            "from_hour": starts,
            "to_hour": starts + length,
            "window": [span(start, start + length) for start in starts],
            "orders": here.sum(axis=0),
            "spend": dollars(spend),
            "share": per(here.sum(axis=0), waking.sum()),
            "share_of_spend": per(spend, cents.sum()),
            **columns(fewer, "index", settings),
            "p_value": fewer.p_value,
            "difference": np.abs(1 - fewer.ratio),
            "is_quiet": np.where(quiet, "yes", "no"),
            "at_edge": np.where(edge, "yes", "no"),
            **against_next(measured, names, settings),
        }
    )


def to_try(windows: pd.DataFrame) -> pd.DataFrame:
    """Pick the windows, of quiet_windows, that are proven to be quiet; by day."""
    return windows[windows["is_quiet"] == "yes"].sort_values("day", ignore_index=True)


def windows_in_words(windows: pd.DataFrame, settings: Settings) -> str:
    """Name windows, of quiet_windows, by day: those of the same hours together."""
    days = len(settings.day_names)
    by_hours = windows.sort_values("day").groupby("window", sort=False)["day_name"]
    return "; ".join(f"{hours} on {days_in_words(list(on), days)}" for hours, on in by_hours)


def days_in_words(named: Sequence[str], days: int) -> str:
    """Name days: all seven days, where they are all there are."""
    return f"all {number(days)} days" if len(named) == days else listed(named)
