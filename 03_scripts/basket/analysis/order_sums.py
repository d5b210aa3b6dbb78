"""Sums over each customer's orders: of the gaps between them, of the first few, by weekday.

Loyalty is the number of orders, so loyalty groups are compared over orders of the same numbers.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from basket.tables.sums import gap_counts, narrow, sum_by

if TYPE_CHECKING:
    from basket.analysis.part import Part

OF_ORDERS = ("orders", "lines", "spend_cents", "priced_lines", "reordered_lines")
OF_GAPS = ("gap_days", "gaps")  # a gap of 30 days stands for 30 or more
EARLY = "early_"  # before the name of a sum over orders with statistics.equal_order_numbers
COLUMNS = (*OF_GAPS, *(EARLY + name for name in (*OF_ORDERS, *OF_GAPS)), "commonest_day")


def order_sums(part: "Part", gaps: np.ndarray, by_day: np.ndarray) -> list[np.ndarray]:
    """Give a row per customer of the part, with a number for each of COLUMNS.

    `gaps` counts the customers' orders by days since the order before (`gap_counts`), `by_day` by
    weekday. Of several weekdays with as many orders, the commonest is the first.
    """
    orders, customer, customers = part.orders, part.customer_of_order, len(part.customers)
    first, last = part.settings.statistics.equal_order_numbers
    early = orders["order_number"].between(first, last).to_numpy()
    of_early = {"orders": early} | {name: orders[name].to_numpy() for name in OF_ORDERS[1:]}
    gaps_early = gap_counts(customer[early], orders["days_since_prior_order"][early], customers)
    sums = [
        *days_and_number(gaps),
        *(sum_by(customer[early], values[early], customers) for values in of_early.values()),
        *days_and_number(gaps_early),
        by_day.argmax(axis=1),
    ]
    return [narrow(np.column_stack(sums))]


def days_and_number(gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add up the days of each customer's gaps, and count the gaps."""
    return gaps @ np.arange(gaps.shape[1]), gaps.sum(axis=1)


def with_order_sums(customers: pd.DataFrame, parts: list[np.ndarray]) -> pd.DataFrame:
    """Add the sums of all parts to the customers, who are in the same order."""
    sums = np.concatenate(parts)
    return customers.assign(**dict(zip(COLUMNS, sums.T, strict=True)))
