"""Q1: which days and hours are the busiest, and when advertisements can win orders."""

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import SALES, Evidence, Finding, Prize
from basket.analysis.question import WHEN, Question
from basket.analysis.totals import Counts
from basket.analysis.where import where
from basket.project.settings import Settings
from basket.tables.sums import HOURS

QUESTION = Question(
    id="Q1",
    title="Busiest times",
    text="Which days and hours are the busiest, and when are orders so few that an advertisement "
    "can win some?",
    part=WHEN,
)


def busiest_times(counts: Counts) -> pd.DataFrame:
    """Name the busiest and slowest days and hours, active, with their share of orders.

    `index` compares with as many average days or hours. Hours that follow each other are named
    from first to last.
    """
    moments, columns, settings = counts.time_moments, counts.time_columns, counts.settings
    everything = columns.orders.sum(axis=0)[None, :]
    rows = []
    for period, weights, count, names in (
        ("days", columns.orders_by_day, settings.thresholds.busiest_days, settings.day_names),
        ("hours", columns.orders_by_hour, settings.thresholds.busiest_hours, None),
    ):
        orders = weights @ moments.sums
        for rank, order in (
            ("busiest", np.argsort(-orders, kind="stable")),
            ("slowest", np.argsort(orders, kind="stable")),
        ):
            chosen = np.sort(order[:count])
            picked = weights[chosen].sum(axis=0)[None, :]
            share, low, high, _ = map(float, np.ravel(counts.time_ratio([picked], [everything])))
            factor = len(weights) / count
            rows.append(
                {
                    "period": period,
                    "rank": rank,
                    "names": in_words(chosen, names),
                    "first": int(chosen[0]),
                    "last": int(chosen[-1]),
                    "orders": round(float((picked @ moments.sums)[0])),
                    "share": share,
                    "index": share * factor,
                    "index_low": low * factor,
                    "index_high": high * factor,
                }
            )
    return pd.DataFrame(rows)


def in_words(numbers: np.ndarray, names: list[str] | None) -> str:
    """Name days, or hours as ranges: `9 to 16`, `23 to 6` over midnight."""
    if names is not None:
        return " and ".join(names[number] for number in numbers)
    for start in numbers:
        run = (start + np.arange(len(numbers))) % HOURS
        if set(run) == set(numbers):
            return f"{run[0]} to {run[-1]}"
    return ", ".join(str(number) for number in numbers)


def order_index(counts: Counts) -> pd.DataFrame:
    """Orders of the active population by day, hour, and day x hour, against the average.

    `index` is 1 where the day (hour, hour of the week) has as many orders as the average one.
    """
    moments, columns, settings = counts.time_moments, counts.time_columns, counts.settings
    everything = columns.orders.sum(axis=0, keepdims=True)
    tables = []
    for period, weights, day, hour in (
        ("day", columns.orders_by_day, np.arange(7), None),
        ("hour", columns.orders_by_hour, None, np.arange(HOURS)),
        ("day_hour", columns.orders, np.repeat(np.arange(7), HOURS), np.tile(np.arange(HOURS), 7)),
    ):
        cells = len(weights)
        share, low, high, _ = counts.time_ratio([weights], [np.repeat(everything, cells, axis=0)])
        tables.append(
            pd.DataFrame(
                {
                    "population": "active",
                    "period": period,
                    "day": pd.array([pd.NA] * cells if day is None else day, dtype="Int64"),
                    "hour": pd.array([pd.NA] * cells if hour is None else hour, dtype="Int64"),
                    "orders": np.rint(weights @ moments.sums).astype("int64"),
                    "share": share,
                    "index": share * cells,
                    "index_low": low * cells,
                    "index_high": high * cells,
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    names = dict(enumerate(settings.day_names))
    table.insert(3, "day_name", table["day"].map(names).fillna(""))
    return table[table["orders"] > 0].reset_index(drop=True)


def quiet_windows(counts: Counts) -> pd.DataFrame:
    """Find the quietest window of each day within waking hours, quietest first.

    `index` compares the window's orders with the average window of the same length in waking
    hours; a window is `is_quiet` when the whole interval lies below 1.
    """
    moments, columns, settings = counts.time_moments, counts.time_columns, counts.settings
    first, last = settings.waking_hours
    length = settings.window_hours
    starts = range(first, last - length + 2)
    by_cell = columns.orders.reshape(7, HOURS, -1)
    waking = by_cell[:, first : last + 1].sum(axis=(0, 1))[None, :]
    rows = []
    for day in range(7):
        by_start = [by_cell[day, start : start + length].sum(axis=0) for start in starts]
        quietest = int(np.argmin([weights @ moments.sums for weights in by_start]))
        start, weights = starts[quietest], by_start[quietest][None, :]
        share, low, high, _ = map(float, np.ravel(counts.time_ratio([weights], [waking])))
        windows = 7 * (last - first + 1) / length
        rows.append(
            {
                "day": day,
                "day_name": settings.day_names[day],
                "from_hour": start,
                "to_hour": start + length,
                "orders": round(float((weights @ moments.sums)[0])),
                "share": share,
                "index": share * windows,
                "index_low": low * windows,
                "index_high": high * windows,
                "is_quiet": "yes" if high * windows < 1 else "no",
            }
        )
    table = pd.DataFrame(rows).sort_values(["index", "day"], ignore_index=True)
    table.insert(0, "rank", table.index + 1)
    return table


def heat_map(tables: dict, settings: Settings) -> figure.Figure:
    """Draw orders by day and hour."""
    table = tables["orders_by_day_hour"][where(population="active")]
    names = tables["busiest_times"].set_index(["period", "rank"])["names"]
    days = [settings.day_names[day] for day in table["day"]]
    data = table.assign(day=days)[["day", "hour", "orders"]].reset_index(drop=True)
    peak = data.sort_values("orders", ascending=False, kind="stable").iloc[0]
    return figure.heat(
        data,
        rows="day",
        columns="hour",
        values="orders",
        name="orders_by_day_hour",
        title=f"{names['days', 'busiest']} and hours {names['hours', 'busiest']} are the busiest",
        subtitle="Orders by day and hour, active customers",
        alt=f"Heat map of orders by day of the week and hour. The fullest cell is {peak['day']} "
        f"{peak['hour']}:00 with {peak['orders']:,} orders; the busiest hours are "
        f"{names['hours', 'busiest']}, the slowest {names['hours', 'slowest']}.",
        sources=("orders_by_day_hour", "busiest_times"),
        x_title="Hour of the day",
        y_title="Orders",
    )


def quietest_windows(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the quietest waking window of each day against the average window."""
    table = tables["quiet_windows"]
    windows = [
        f"{row.day_name} {row.from_hour}:00 to {row.to_hour}:00" for row in table.itertuples()
    ]
    data = table.assign(window=windows)
    first = data.iloc[0]
    return figure.dots(
        data,
        x="window",
        y="index",
        name="quiet_windows",
        title=f"Advertise when few order: {first['window']} is quietest",
        subtitle="Orders in the quietest waking window of each day, times the average window, "
        f"active customers, {figure.with_intervals(settings)}",
        alt=f"Dots with intervals: the quietest window of each day. {first['window']} has "
        f"{first['index']:.2f} times the orders of an average window.",
        sources=("quiet_windows",),
        x_title="Window",
        y_title="Times the average window",
    )


def busiest(seen: Evidence, settings: Settings) -> Finding:
    """Say which days and hours take most orders."""
    of_days = seen.row("busiest_times", period="days", rank="busiest")
    of_hours = seen.row("busiest_times", period="hours", rank="busiest")
    days = of_days.cell("names", "busiest_days", "days")
    share = of_days.cell("share", "days_share")
    hours = of_hours.cell("names", "busiest_hours", "hours of the day")
    hour_share = of_hours.cell("share", "hours_share")
    low = of_days.cell("index_low", "days_index_low")
    orders = of_days.cell("orders", "days_orders")
    return Finding(
        headline=f"{days} are the busiest days, and hours {hours} take {hour_share:.0%} of all "
        "orders",
        so_what=f"{days} take {share:.1%} of the week's orders; customers are in the app then "
        "anyway, so an advertisement has the least to add.",
        action="Keep capacity and service for these hours; do not pay for reach in them.",
        owner=SALES,
        prize=Prize(what_if=f"{orders:,} orders fall on {days}."),
        confidence="high" if low > 1 else "low",
        figure="orders_by_day_hour",
        change_mind="An official list of weekdays that reads 0 as another day than Saturday.",
    )


def quiet(seen: Evidence, settings: Settings) -> Finding:
    """Say when advertisements should run because orders are few."""
    row = seen.row("quiet_windows", rank=1)
    window = f"{row.cell('day_name', 'day')} {row.from_hour}:00 to {row.to_hour}:00"
    index, low, high, orders = row.index, row.index_low, row.index_high, row.orders
    return Finding(
        headline=f"The quietest waking window is {window}: it takes {index:.0%} of the orders of "
        "an average one",
        so_what=f"{window} takes {index:.0%} of an average window's orders (interval {low:.0%} to "
        f"{high:.0%}): people are awake and not ordering, which is when an advertisement can add "
        "an order.",
        action="Schedule advertisements by the ad calendar, quietest window of each day first.",
        prize=Prize(what_if=f"{orders:,} orders fall into this window today."),
        confidence="high" if high < 1 else "low",
        figure="quiet_windows",
        change_mind="A trial in which the quiet windows bring no more orders than busy ones.",
    )
