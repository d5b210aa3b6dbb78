"""What is measured of each customer: habits, shares of goods and times, sums for ratios."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from basket.analysis.groups import TOTALS, People
from basket.analysis.order_sums import COLUMNS
from basket.project.settings import Settings
from basket.tables.sums import per

UNITS = {
    "orders": "orders",
    "mean_order_value": "US dollars an order",
    "mean_lines_per_order": "order lines an order",
    "mean_item_price": "US dollars an item",
    "median_days_between_orders": "days",
    "reorder_rate": "share of order lines",
    "mean_gap": "days",
    "spend_per_customer": "US dollars a customer",
    "commonest daypart": "customers",
    "commonest day": "customers",
    "commonest department": "customers",
}
HABITS = tuple(UNITS)[:6]  # of each customer: what overall tests ask for
RATIOS = {  # a habit of a group: the sum above the line, and the sum below
    "mean_order_value": ("spend_cents", "orders"),
    "mean_lines_per_order": ("lines", "orders"),
    "mean_item_price": ("spend_cents", "priced_lines"),
    "mean_gap": ("gap_days", "gaps"),
    "reorder_rate": ("reordered_lines", "lines"),
}
RARE = 0.05  # of the customers: times and departments that are commonest to fewer are one
Measures = dict[str, Callable[[], np.ndarray]]
OF_ORDERS = "share of orders"
LIFT = "ratio of shares of order lines"
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


def customer_sums(people: People, settings: Settings) -> dict[str, np.ndarray]:
    """Name the sums that ratios are made of: whole numbers, one per customer."""
    times = dict(zip(time_names(settings), people.customer_times.T, strict=True))
    lines = dict(zip(map(lines_of, people.departments), people.department_lines.T, strict=True))
    totals = {name: people.customers[name].to_numpy() for name in (*TOTALS, *COLUMNS)}
    return totals | times | lines | {"customers": np.ones(len(people.customers), np.int64)}


def commonest(people: People, settings: Settings) -> dict[str, np.ndarray]:
    """Code each customer by the daypart, day and department that most of the orders or lines have.

    Ties go to the first. What is the commonest of fewer than RARE of the customers has one code
    together, so that no cell of a table of customers is nearly empty.
    """
    dayparts = people.customer_times[:, : len(settings.dayparts)]
    found = {
        "commonest daypart": dayparts.argmax(axis=1),
        "commonest day": people.customers["commonest_day"].to_numpy("intp"),
        "commonest department": people.department_lines.argmax(axis=1),
    }
    for name, codes in found.items():
        counts = np.bincount(codes)
        frequent = counts >= RARE * len(codes)
        found[name] = np.where(frequent, np.cumsum(frequent), 0)[codes]
    return found


def income_bands(people: People, settings: Settings) -> np.ndarray:
    """Code each customer by the band of income, -1 where it is missing; bands of equal size."""
    return banded(people.customers["income"].to_numpy("float64", na_value=np.nan), settings)


def banded(incomes: np.ndarray, settings: Settings) -> np.ndarray:
    """Code each income by its band as `income_bands` does, -1 where it is NaN."""
    known = ~np.isnan(incomes)
    if not known.any():
        return np.full(len(incomes), -1)
    bands = settings.statistics.income_bands
    cuts = np.unique(np.nanquantile(incomes, np.arange(1, bands) / bands, method="lower"))
    return np.where(known, np.searchsorted(cuts, incomes, side="right"), -1)


def at_equal_income(values: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Turn the values of customers into their ranks among those of the same band, from 0 to 1.

    The mean rank is 0.5 in every band, also where all its values are alike.
    """
    in_band = pd.Series(values).groupby(bands)
    ranks = (2 * in_band.rank() - 1) / (2 * in_band.transform("count"))
    return np.where(bands >= 0, ranks, np.nan)
