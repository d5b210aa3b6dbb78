"""Q1 and Q2: when orders come, when they are few, when people spend, and what sells then."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from basket.analysis.statistics import Moments
from basket.project.settings import Settings
from basket.tables.ids import OrdersOfLines
from basket.tables.sums import HOURS, dollars, per

CELLS = 7 * HOURS


@dataclass(frozen=True)
class Columns:
    """Where each per-customer sum stands among the columns of the moments.

    Orders by day x hour (168), cents by hour (24), cents by day (7), priced lines by hour (24),
    priced lines by day (7), lines by daypart x department.
    """

    dayparts: int
    departments: int

    @property
    def starts(self) -> np.ndarray:
        """First column of each block, and the number of columns."""
        return np.cumsum([0, CELLS, HOURS, 7, HOURS, 7, self.dayparts * self.departments])

    def block(self, number: int) -> np.ndarray:
        """Weights that pick each column of a block: columns of the block x all columns."""
        first, last = self.starts[number], self.starts[number + 1]
        return np.eye(self.starts[-1])[first:last]

    @property
    def orders(self) -> np.ndarray:
        """Orders by day x hour."""
        return self.block(0)

    @property
    def orders_by_hour(self) -> np.ndarray:
        """Orders by hour."""
        return self.orders.reshape(7, HOURS, -1).sum(axis=0)

    @property
    def orders_by_day(self) -> np.ndarray:
        """Orders by day."""
        return self.orders.reshape(7, HOURS, -1).sum(axis=1)

    @property
    def lines(self) -> np.ndarray:
        """Lines by daypart x department."""
        return self.block(5)


def time_moments(
    orders: pd.DataFrame,
    order: OrdersOfLines,
    customer_of_order: np.ndarray,
    active_customer: np.ndarray,
    department: np.ndarray,
    departments: int,
    settings: Settings,
) -> dict[str, Moments]:
    """Moments of the active customers of one part, their columns as `Columns` names them.

    `order` says which order each line belongs to, `department` which department.
    """
    day, hour = orders["order_day"].to_numpy("int64"), orders["order_hour"].to_numpy("int64")
    cents, priced = orders["spend_cents"].to_numpy(), orders["priced_lines"].to_numpy()
    dayparts = len(settings.dayparts)
    daypart = np.array(settings.daypart_of_hour())[hour]

    def table(columns: int, cell: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        counts = np.bincount(cell, values, len(active_customer) * columns)
        return counts.reshape(-1, columns)[active_customer]

    def of_order(column: np.ndarray, columns: int, values: np.ndarray | None = None) -> np.ndarray:
        return table(columns, customer_of_order * columns + column, values)

    def of_line() -> np.ndarray:
        first = (customer_of_order * dayparts + daypart) * departments
        return table(dayparts * departments, order.of_line(first) + department)

    blocks = (  # one after the other, into one array: together they are large
        lambda: of_order(day * HOURS + hour, CELLS),
        lambda: of_order(hour, HOURS, cents),
        lambda: of_order(day, 7, cents),
        lambda: of_order(hour, HOURS, priced),
        lambda: of_order(day, 7, priced),
        of_line,
    )
    starts = Columns(dayparts, departments).starts
    columns = np.empty((np.count_nonzero(active_customer), starts[-1]))
    for block, (first, last) in zip(blocks, pairwise(starts), strict=True):
        columns[:, first:last] = block()
    return {"time_moments": Moments.of(columns)}


# ---- tables -------------------------------------------------------------------------------------


def order_index(moments: Moments, columns: Columns, settings: Settings) -> pd.DataFrame:
    """Orders of the active population by day, hour, and day x hour, against the average.

    `index` is 1 where the day (hour, hour of the week) has as many orders as the average one.
    """
    confidence = settings.statistics.confidence
    everything = columns.orders.sum(axis=0, keepdims=True)
    tables = []
    for period, weights, day, hour in (
        ("day", columns.orders_by_day, np.arange(7), None),
        ("hour", columns.orders_by_hour, None, np.arange(HOURS)),
        ("day_hour", columns.orders, np.repeat(np.arange(7), HOURS), np.tile(np.arange(HOURS), 7)),
    ):
        share, low, high, _ = moments.ratio(
            [weights], [np.repeat(everything, len(weights), axis=0)], confidence
        )
        cells = len(weights)
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


def quiet_windows(moments: Moments, columns: Columns, settings: Settings) -> pd.DataFrame:
    """The quietest window of each day within waking hours, quietest first.

    `index` compares the window's orders with the average window of the same length in waking
    hours; a window is `is_quiet` when the whole interval lies below 1.
    """
    first, last = settings.waking_hours
    length = settings.window_hours
    starts = range(first, last - length + 2)
    by_cell = columns.orders.reshape(7, HOURS, -1)
    waking = by_cell[:, first : last + 1].sum(axis=(0, 1), keepdims=False)[None, :]
    rows = []
    for day in range(7):
        totals = [
            by_cell[day, start : start + length].sum(axis=0) @ moments.sums for start in starts
        ]
        start = starts[int(np.argmin(totals))]
        weights = by_cell[day, start : start + length].sum(axis=0)[None, :]
        share, low, high, _ = (
            float(x[0]) for x in moments.ratio([weights], [waking], settings.statistics.confidence)
        )
        windows = 7 * (last - first + 1) / length
        rows.append(
            (
                day,
                settings.day_names[day],
                start,
                start + length,
                round(float((weights @ moments.sums)[0])),
                share,
                share * windows,
                low * windows,
                high * windows,
            )
        )
    table = pd.DataFrame(
        rows,
        columns=[
            "day",
            "day_name",
            "from_hour",
            "to_hour",
            "orders",
            "share",
            "index",
            "index_low",
            "index_high",
        ],
    )
    table = table.assign(is_quiet=np.where(table["index_high"] < 1, "yes", "no"))
    table = table.sort_values(["index", "day"], ignore_index=True)
    table.insert(0, "rank", table.index + 1)
    return table


def spend_by_time(moments: Moments, columns: Columns, settings: Settings) -> pd.DataFrame:
    """Spend in total, per order and per item of each hour and day, against the average, active.

    Ratios compare with the mean over all orders (or items); the p-value is that of the order value.
    """
    confidence = settings.statistics.confidence
    tables = []
    for period, spend, orders, priced in (
        ("day", columns.block(2), columns.orders_by_day, columns.block(4)),
        ("hour", columns.block(1), columns.orders_by_hour, columns.block(3)),
    ):
        cells = len(orders)

        def whole(weights: np.ndarray, cells=cells) -> np.ndarray:
            return np.repeat(weights.sum(axis=0, keepdims=True), cells, axis=0)

        value, value_low, value_high, _ = moments.ratio([spend], [orders], confidence)
        ratio, low, high, p_value = moments.ratio(
            [spend, whole(orders)], [orders, whole(spend)], confidence
        )
        item, item_low, item_high, _ = moments.ratio(
            [spend, whole(priced)], [priced, whole(spend)], confidence
        )
        cents = np.rint(spend @ moments.sums)
        names = settings.day_names if period == "day" else [f"{hour}:00" for hour in range(HOURS)]
        tables.append(
            pd.DataFrame(
                {
                    "population": "active",
                    "period": period,
                    "key": range(cells),
                    "name": names,
                    "orders": np.rint(orders @ moments.sums).astype("int64"),
                    "spend": dollars(cents),
                    "spend_share": per(cents, cents.sum()),
                    "mean_order_value": value / 100,
                    "mean_order_value_low": value_low / 100,
                    "mean_order_value_high": value_high / 100,
                    "order_value_ratio": ratio,
                    "order_value_ratio_low": low,
                    "order_value_ratio_high": high,
                    "mean_item_price": per(cents / 100, priced @ moments.sums),
                    "item_price_ratio": item,
                    "item_price_ratio_low": item_low,
                    "item_price_ratio_high": item_high,
                    "p_value": p_value,
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    return table[table["orders"] > 0].reset_index(drop=True)


def department_times(
    moments: Moments, columns: Columns, names: pd.DataFrame, settings: Settings
) -> pd.DataFrame:
    """Lines of each department in each daypart, and its lift over the whole day, active.

    `lift` is the department's share of the daypart's lines over its share of all lines.
    """
    lines = columns.lines.reshape(columns.dayparts, columns.departments, -1)
    cells = columns.dayparts * columns.departments

    def spread(weights: np.ndarray) -> np.ndarray:
        return np.broadcast_to(weights, lines.shape).reshape(cells, -1)

    lift, low, high, p_value = moments.ratio(
        [spread(lines), spread(lines.sum(axis=(0, 1), keepdims=True))],
        [spread(lines.sum(axis=1, keepdims=True)), spread(lines.sum(axis=0, keepdims=True))],
        settings.statistics.confidence,
    )
    totals = np.rint(lines @ moments.sums).astype("int64")
    table = pd.DataFrame(
        {
            "population": "active",
            "daypart": np.repeat(list(settings.dayparts), columns.departments),
            "department": np.tile(names["department"].astype("str"), columns.dayparts),
            "lines": totals.ravel(),
            "share": per(totals, totals.sum(axis=1, keepdims=True)).ravel(),
            "lift": lift,
            "lift_low": low,
            "lift_high": high,
            "p_value": p_value,
        }
    )
    return table[table["lines"] > 0].reset_index(drop=True)


def busiest_times(moments: Moments, columns: Columns, settings: Settings) -> pd.DataFrame:
    """The busiest and slowest days and hours of the active population, with their share of orders.

    `index` compares with as many average days or hours. Hours that follow each other are named
    from first to last.
    """
    confidence = settings.statistics.confidence
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
            share, low, high, _ = (
                float(x[0]) for x in moments.ratio([picked], [everything], confidence)
            )
            factor = len(weights) / count
            rows.append(
                (
                    period,
                    rank,
                    spoken(chosen, names),
                    int(chosen[0]),
                    int(chosen[-1]),
                    round(float((picked @ moments.sums)[0])),
                    share,
                    share * factor,
                    low * factor,
                    high * factor,
                )
            )
    return pd.DataFrame(
        rows,
        columns=[
            "period",
            "rank",
            "names",
            "first",
            "last",
            "orders",
            "share",
            "index",
            "index_low",
            "index_high",
        ],
    )


def spoken(numbers: np.ndarray, names: list[str] | None) -> str:
    """Name days, or hours as ranges: `9 to 16`, `23 to 6` over midnight."""
    if names is not None:
        return " and ".join(names[number] for number in numbers)
    for start in numbers:
        run = (start + np.arange(len(numbers))) % HOURS
        if set(run) == set(numbers):
            return f"{run[0]} to {run[-1]}"
    return ", ".join(str(number) for number in numbers)
