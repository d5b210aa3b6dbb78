"""What one pass adds up by time: each active customer's orders, spend and lines, as moments."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from basket.analysis.statistics import Moments
from basket.project.settings import Settings
from basket.tables.ids import OrdersOfLines
from basket.tables.sums import HOURS

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
