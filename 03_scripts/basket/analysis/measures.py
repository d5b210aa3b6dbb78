"""What is measured of each customer: habits, shares of goods and times, sums for ratios."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from basket.analysis.groups import TOTALS, People
from basket.project.settings import Settings
from basket.tables.sums import narrow, per

UNITS = {
    "orders": "orders",
    "mean_order_value": "US dollars an order",
    "mean_lines_per_order": "order lines an order",
    "mean_item_price": "US dollars an item",
    "median_days_between_orders": "days",
    "reorder_rate": "share of order lines",
}
Measures = dict[str, Callable[[], np.ndarray]]
OF_ORDERS = "share of orders"
LIFT = "lift of the share of order lines"
TELLING_GOODS = ("snacks", "meat seafood")  # departments that the classes of Q9 rest on


def measures(people: People, settings: Settings) -> Measures:
    """Measure ordering habits, and each department's share of lines: one number per customer.

    Each measure is a function that computes it when it is needed: together they fill the memory.
    A measure that a customer cannot have (no priced line, no gap) is NaN.
    """

    def of(name: str) -> np.ndarray:
        return people.customers[name].to_numpy("float64")

    def share(counts: np.ndarray, number: int, whole: str) -> np.ndarray:
        return counts[:, number] / of(whole)

    makers = {
        "orders": partial(of, "orders"),
        "mean_order_value": lambda: of("spend_cents") / 100 / of("orders"),
        "mean_lines_per_order": lambda: of("lines") / of("orders"),
        "mean_item_price": lambda: per(of("spend_cents") / 100, of("priced_lines")),
        "median_days_between_orders": partial(of, "median_days_between_orders"),
        "reorder_rate": lambda: of("reordered_lines") / of("lines"),
    }
    for number, name in enumerate(time_names(settings)):
        makers[name] = partial(share, people.customer_times, number, "orders")
    for number, name in enumerate(people.departments):
        makers[share_of(name)] = partial(share, people.department_lines, number, "lines")
    return makers


def time_names(settings: Settings) -> list[str]:
    """Name the measures that are shares of orders at some time."""
    dayparts = [f"orders in the {name.lower()}" for name in settings.dayparts]
    return [*dayparts, "orders at the weekend"]


def share_of(department):
    """Name the measure of a department's share of a customer's lines."""
    return "share of " + department


def lines_of(department: str) -> str:
    """Name the column of a department's lines."""
    return f"lines of {department}"


def unit_of(measure: str) -> str:
    """Give the unit of a measure."""
    return UNITS.get(
        measure, OF_ORDERS if measure.startswith("orders ") else "share of order lines"
    )


@dataclass(frozen=True)
class Sums:
    """What ratios are made of: whole numbers, a row per customer, in tables side by side.

    `columns` are the columns of all tables, by name and in their order.
    """

    tables: list[np.ndarray]
    columns: dict[str, np.ndarray]


def customer_sums(people: People, settings: Settings) -> Sums:
    """Put together the totals, orders by time and lines by department of each customer."""
    totals = narrow(people.customers[list(TOTALS)].to_numpy())
    tables = [totals, people.customer_times, people.department_lines]
    names = [*TOTALS, *time_names(settings), *map(lines_of, people.departments)]
    columns = (column for table in tables for column in table.T)
    return Sums(tables, dict(zip(names, columns, strict=True)))
