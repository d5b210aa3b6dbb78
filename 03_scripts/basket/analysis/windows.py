"""The quietest window of each day within waking hours, and which of them are worth a trial."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from basket.analysis.times import against_next, columns, estimates
from basket.analysis.totals import Counts
from basket.analysis.words import listed, number, span
from basket.tables.sums import dollars, per


def quietest(counts: Counts) -> list[tuple[int, int]]:
    """Find the day and first hour of the quietest window of each day with orders in waking hours.

    Of two alike the earlier. By day.
    """
    first, last = counts.settings.waking_hours
    length = counts.settings.window_hours
    totals = counts.times.orders.sum(axis=0).astype("int64")
    open_days = np.flatnonzero(totals[:, first : last + 1].sum(axis=1))
    starts = range(first, last - length + 2)
    return [
        (int(day), min(starts, key=lambda start: totals[day, start : start + length].sum()))
        for day in open_days
    ]


def quiet_windows(counts: Counts) -> pd.DataFrame:
    """Describe the quietest window of each day within waking hours, active, quietest first.

    `index` compares the window's orders with the average window of as many waking hours, over the
    days that have orders then: the others have no row. `difference` is how far it lies from 1; a
    window is `is_quiet` where the whole interval of the index lies below 1, or where it holds no
    order. It is `at_edge` where it touches an end of the waking hours: then that setting decides
    which window it is.
    `ratio_to_next` compares the window's orders with those of the next row.
    """
    settings, orders = counts.settings, counts.times.orders
    first, last = settings.waking_hours
    length = settings.window_hours
    found = quietest(counts)
    totals = [orders[:, day, start : start + length].sum() for day, start in found]
    found = [found[place] for place in np.argsort(totals, kind="stable")]
    here = np.zeros((len(orders), len(found)), np.int64)
    for place, (day, start) in enumerate(found):
        here[:, place] = orders[:, day, start : start + length].sum(axis=1)
    share = estimates([here], [orders[:, :, first : last + 1].sum(axis=(1, 2))], settings)
    windows = len(found) * (last - first + 1) / length
    cents = counts["day_hour"].at("population", "active")["spend_cents"]
    spend = [cents[day, start : start + length].sum() for day, start in found]
    starts = np.array([start for _, start in found], "int64")
    names = [settings.day_names[day] for day, _ in found]
    index = columns(share, "index", settings, windows)
    quiet = (index["index_high"] < 1) | ~here.any(axis=0)
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
            "share": share.ratio,
            "share_of_spend": per(spend, cents.sum()),
            **index,
            "difference": np.abs(1 - index["index"]),
            "is_quiet": np.where(quiet, "yes", "no"),
            "at_edge": np.where(edge, "yes", "no"),
            **against_next(here, names, settings),
        }
    )


def to_try(windows: pd.DataFrame) -> pd.DataFrame:
    """Pick the quiet windows, of quiet_windows, of which something may be concluded; by day."""
    quiet = windows[(windows["is_quiet"] == "yes") & (windows["reason"] == "")]
    return quiet.sort_values("day", ignore_index=True)


def windows_in_words(windows: list[tuple[str, str]], days: int) -> str:
    """Name windows, given as day and hours: those of the same hours together."""
    by_hours: dict[str, list[str]] = {}
    for day, hours in windows:
        by_hours.setdefault(hours, []).append(day)
    return "; ".join(f"{hours} on {days_in_words(on, days)}" for hours, on in by_hours.items())


def days_in_words(named: Sequence[str], days: int) -> str:
    """Name days: all seven days, where they are all there are."""
    return f"all {number(days)} days" if len(named) == days else listed(named)
