"""One part counted: customers with all their orders and order lines, as aggregates that add up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from basket.analysis.groups import is_active
from basket.analysis.order_sums import order_sums
from basket.analysis.statistics import Moments
from basket.project.settings import Settings
from basket.tables.ids import IdIndex
from basket.tables.sums import GAPS, HOURS, Tally, gap_counts, narrow, orders_of, sum_by, tally

ACTIVE = (False, True)  # the values of the key `is_active`


@dataclass(frozen=True)
class Goods:
    """What order lines take from their products, by product_key, so that no line carries it."""

    department: np.ndarray  # its place among the departments
    departments: Sequence[str]
    price_range: np.ndarray  # its place among the price ranges
    price_ranges: Sequence[str]  # those that occur, and all below the highest of them
    cents: np.ndarray  # 0 where the price is missing

    @staticmethod
    def of(products: pd.DataFrame, names: pd.DataFrame) -> "Goods":
        """Take them from analysis_products and the ids and names of their departments."""
        departments = IdIndex(names["department_id"].to_numpy())
        ranges = products["price_range"].cat
        return Goods(
            departments.locate(products["department_id"].to_numpy()),
            list(names["department"]),
            ranges.codes.to_numpy("intp"),
            list(ranges.categories[: ranges.codes.max() + 1]),
            products["price_cents"].fillna(0).to_numpy("int64"),
        )


class Part:
    """One part's tables, and where its lines find their orders and its orders their customers."""

    def __init__(
        self,
        merged: pd.DataFrame,
        orders: pd.DataFrame,
        customers: pd.DataFrame,
        settings: Settings,
    ):
        """Find them."""
        self.orders, self.customers, self.settings = orders, customers, settings
        self.product = merged["product_key"].to_numpy("intp")
        self.reordered = merged["reordered"].to_numpy()
        self.order = orders_of(merged, orders)
        self.order_of_line = self.order.of_line(np.arange(len(orders)))
        users = IdIndex(customers["user_id"].to_numpy())
        self.customer_of_order = users.locate(orders["user_id"].to_numpy())
        self.active_customer = is_active(customers, settings)
        self.active_order = self.active_customer[self.customer_of_order]


def count_part(
    merged: pd.DataFrame,
    orders: pd.DataFrame,
    customers: pd.DataFrame,
    *,
    goods: Goods,
    labels: pd.DataFrame,
    users: IdIndex,
    settings: Settings,
) -> tuple[dict, dict]:
    """Count one part: a Tally for each aggregate, a row per customer, and the moments of times.

    `labels` are the groups of all customers, `users` the place of each among them. The first key
    of every Tally is `is_active`.
    """
    part = Part(merged, orders, customers, settings)
    bought = department_lines(part, goods)
    gaps = gap_counts(part.customer_of_order, orders["days_since_prior_order"], len(customers))
    group = labels.take(users.locate(customers["user_id"].to_numpy()))
    return {}, {
        "day_hour": by_day_hour(part),
        **{flag: by_busiest(part, flag) for flag in settings.flags_of("order")},
        "product": by_product(part, len(goods.cents)),
        "department": by_department(part, bought, goods),
        "price_range": by_price_range(part, goods),
        **by_group(part, bought, group, "mix", "lines", {"department": goods.departments}),
        **by_group(part, gaps, group, "gaps", "orders", {"days": range(GAPS)}),
        "department_lines": [narrow(bought)],
        "customer_times": [orders_by_time(part)],
        "order_sums": order_sums(part, gaps),
        "time_moments": time_moments(part, goods),
    }


def by_day_hour(part: Part) -> Tally:
    """Count orders, lines, cents and priced lines by day and hour."""
    orders = part.orders
    return tally(
        {
            "is_active": (part.active_order, ACTIVE),
            "day": (orders["order_day"], range(7)),
            "hour": (orders["order_hour"], range(HOURS)),
        },
        {"orders": 1, **orders[["lines", "spend_cents", "priced_lines"]]},
    )


def by_busiest(part: Part, flag: str) -> Tally:
    """Count orders and lines by the label of a busiest flag."""
    labels = part.orders[flag].cat
    return tally(
        {"is_active": (part.active_order, ACTIVE), "label": (labels.codes, labels.categories)},
        {"orders": 1, "lines": part.orders["lines"]},
    )


def by_product(part: Part, products: int) -> Tally:
    """Count lines and reordered lines by product, in one pass: the lines are many."""
    cell = part.order.of_line(part.active_order * 2 * products)
    cell += part.product
    cell += part.reordered * np.int64(products)
    counts = np.bincount(cell, minlength=4 * products).reshape(2, 2, products)
    return Tally(
        {"is_active": ACTIVE, "product_key": range(products)},
        {"lines": counts.sum(axis=1), "reordered_lines": counts[:, 1]},
    )


def orders_with(part: Part, group: np.ndarray, groups: int) -> np.ndarray:
    """Count the orders that hold a product of each group of products: 2 x groups, active last."""
    orders = len(part.orders)
    holds = np.zeros(groups * orders, bool)
    holds[(group * orders).take(part.product) + part.order_of_line] = True
    holds = holds.reshape(groups, orders)
    everyone, active = (
        np.count_nonzero(each, axis=1) for each in (holds, holds & part.active_order)
    )
    return np.stack([everyone - active, active])


def department_lines(part: Part, goods: Goods) -> np.ndarray:
    """Count the lines of each customer by department, in the order of the part's customers."""
    size, customers = len(goods.departments), len(part.customers)
    cell = part.order.of_line(part.customer_of_order * size) + goods.department.take(part.product)
    return np.bincount(cell, minlength=customers * size).reshape(customers, size)


def by_department(part: Part, bought: np.ndarray, goods: Goods) -> Tally:
    """Count buyers and orders by department; `bought` are the customers' `department_lines`."""
    buys = bought > 0
    return Tally(
        {"is_active": ACTIVE, "department": goods.departments},
        {
            "customers": np.stack([buys[part.active_customer == k].sum(axis=0) for k in ACTIVE]),
            "orders": orders_with(part, goods.department, len(goods.departments)),
        },
    )


def by_price_range(part: Part, goods: Goods) -> Tally:
    """Count orders by the price ranges that they hold products of."""
    return Tally(
        {"is_active": ACTIVE, "price_range": goods.price_ranges},
        {"orders": orders_with(part, goods.price_range, len(goods.price_ranges))},
    )


def by_group(
    part: Part,
    counts: np.ndarray,
    group: pd.DataFrame,
    prefix: str,
    name: str,
    axis: Mapping[str, Sequence],
) -> dict[str, Tally]:
    """Add up customers x columns of whole numbers for every group of each grouping.

    A product of matrices, exact below 2**53: three times as fast as counting each column.
    """
    counts = counts.astype(float)

    def sums_of(grouping: str) -> Tally:
        labels = group[grouping].cat
        size = len(labels.categories)
        cell = part.active_customer * size + labels.codes.to_numpy()
        belongs = (np.arange(2 * size)[:, None] == cell).astype(float)
        return Tally(
            {"is_active": ACTIVE, "group": labels.categories, **axis},
            {name: (belongs @ counts).astype(np.int64).reshape(2, size, -1)},
        )

    return {f"{prefix}_{grouping}": sums_of(grouping) for grouping in group}


def orders_by_time(part: Part) -> np.ndarray:
    """Count each customer's orders by daypart and, last, at the weekend."""
    settings, customers = part.settings, len(part.customers)
    daypart = np.array(settings.daypart_of_hour())[part.orders["order_hour"].to_numpy()]
    by = {
        "customer": (part.customer_of_order, range(customers)),
        "daypart": (daypart, settings.dayparts),
    }
    by_part = tally(by, {"orders": 1})["orders"]
    weekend = np.isin(part.orders["order_day"], settings.weekend_days())
    return narrow(np.column_stack([by_part, sum_by(part.customer_of_order, weekend, customers)]))


@dataclass(frozen=True)
class TimeColumns:
    """The place of each per-customer sum among the columns of the moments, block after block."""

    dayparts: int
    departments: int

    @property
    def sizes(self) -> dict[str, int]:
        """Number of columns of each block, in their order."""
        return {
            "orders": 7 * HOURS,  # by day x hour
            "cents_by_hour": HOURS,
            "cents_by_day": 7,
            "priced_lines_by_hour": HOURS,
            "priced_lines_by_day": 7,
            "lines": self.dayparts * self.departments,  # by daypart x department
        }

    @property
    def places(self) -> dict[str, slice]:
        """Place of each block among all columns."""
        ends = np.cumsum([*self.sizes.values()])
        return {
            name: slice(end - size, end)
            for (name, size), end in zip(self.sizes.items(), ends, strict=True)
        }

    def block(self, name: str) -> np.ndarray:
        """Return weights that pick each column of a block: columns of the block x all columns."""
        return np.eye(sum(self.sizes.values()))[self.places[name]]

    @property
    def orders(self) -> np.ndarray:
        """Weights of the orders of each day x hour."""
        return self.block("orders")

    @property
    def orders_by_hour(self) -> np.ndarray:
        """Weights of the orders of each hour."""
        return self.orders.reshape(7, HOURS, -1).sum(axis=0)

    @property
    def orders_by_day(self) -> np.ndarray:
        """Weights of the orders of each day."""
        return self.orders.reshape(7, HOURS, -1).sum(axis=1)


def time_moments(part: Part, goods: Goods) -> Moments:
    """Take the moments of the part's active customers; their columns are `TimeColumns`."""
    orders, settings = part.orders, part.settings
    day, hour = orders["order_day"].to_numpy("int64"), orders["order_hour"].to_numpy("int64")
    cents, priced = orders["spend_cents"].to_numpy(), orders["priced_lines"].to_numpy()
    dayparts, departments = len(settings.dayparts), len(goods.departments)
    daypart = np.array(settings.daypart_of_hour())[hour]
    columns = TimeColumns(dayparts, departments)

    def table(size: int, cell: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        counts = np.bincount(cell, values, len(part.customers) * size)
        return counts.reshape(-1, size)[part.active_customer]

    def of_order(column: np.ndarray, size: int, values: np.ndarray | None = None) -> np.ndarray:
        return table(size, part.customer_of_order * size + column, values)

    def of_line() -> np.ndarray:
        first = (part.customer_of_order * dayparts + daypart) * departments
        return table(
            dayparts * departments, part.order.of_line(first) + goods.department.take(part.product)
        )

    blocks = {  # one after the other, into one array: together they are large
        "orders": lambda: of_order(day * HOURS + hour, 7 * HOURS),
        "cents_by_hour": lambda: of_order(hour, HOURS, cents),
        "cents_by_day": lambda: of_order(day, 7, cents),
        "priced_lines_by_hour": lambda: of_order(hour, HOURS, priced),
        "priced_lines_by_day": lambda: of_order(day, 7, priced),
        "lines": of_line,
    }
    sums = np.empty((np.count_nonzero(part.active_customer), sum(columns.sizes.values())))
    for name, place in columns.places.items():
        sums[:, place] = blocks[name]()
    return Moments.of(sums)
