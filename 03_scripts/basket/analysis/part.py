"""One part counted: customers with all their orders and order lines, as aggregates that add up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from basket.analysis.groups import is_active
from basket.analysis.order_sums import order_sums
from basket.analysis.times import Times
from basket.project.settings import Settings
from basket.tables.ids import IdIndex
from basket.tables.sums import GAPS, HOURS, Tally, customer_of, gap_counts, narrow, orders_of, tally

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
        self.customer_of_order = customer_of(orders, customers)
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
    """Count one part: a Tally for each aggregate, and what each customer orders when.

    `labels` are the groups of all customers, `users` the place of each among them. The first key
    of every Tally is `is_active`.
    """
    part = Part(merged, orders, customers, settings)
    times = times_of(part, goods)
    bought = times.lines.sum(axis=1)
    gaps = gap_counts(part.customer_of_order, orders["days_since_prior_order"], len(customers))
    group = labels.take(users.locate(customers["user_id"].to_numpy()))
    return {}, {
        "day_hour": by_day_hour(part),
        **{flag: by_busiest(part, flag) for flag in settings.flags_of("order")},
        "product": by_product(part, len(goods.cents)),
        "department": by_department(part, bought, goods),
        "price_range": by_price_range(part, goods),
        **by_group(
            part,
            {"lines": bought, "customers": bought > 0},
            group,
            "mix",
            {"department": goods.departments},
        ),
        **by_group(part, {"orders": gaps}, group, "gaps", {"days": range(GAPS)}),
        "times": [times],
        "order_sums": order_sums(part, gaps, times.orders_by_day),
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


def by_department(part: Part, bought: np.ndarray, goods: Goods) -> Tally:
    """Count buyers and orders by department; `bought` are the customers' lines by department."""
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
    counts: Mapping[str, np.ndarray],
    group: pd.DataFrame,
    prefix: str,
    axis: Mapping[str, Sequence],
) -> dict[str, Tally]:
    """Add up customers x columns of whole numbers, by name, for every group of each grouping.

    A product with a sparse matrix of who belongs where: an eighth of the time of a dense one.
    """
    columns, customers = np.hstack(list(counts.values()), dtype=np.int64), len(group)

    def sums_of(grouping: str) -> Tally:
        labels = group[grouping].cat
        size = len(labels.categories)
        cell = part.active_customer * size + labels.codes.to_numpy()
        at = np.ones(customers, np.int64), (cell, np.arange(customers))
        sums = (csr_array(at, shape=(2 * size, customers)) @ columns).reshape(
            2, size, len(counts), -1
        )
        return Tally(
            {"is_active": ACTIVE, "group": labels.categories, **axis},
            {name: sums[:, :, place] for place, name in enumerate(counts)},
        )

    return {f"{prefix}_{grouping}": sums_of(grouping) for grouping in group}


def times_of(part: Part, goods: Goods) -> Times:
    """Count what each customer orders when, in the order of the part's customers."""
    orders, settings, customers = part.orders, part.settings, len(part.customers)
    day, hour = orders["order_day"].to_numpy("int64"), orders["order_hour"].to_numpy("int64")
    cents, priced = orders["spend_cents"].to_numpy(), orders["priced_lines"].to_numpy()
    dayparts, departments = len(settings.dayparts), len(goods.departments)
    daypart = np.array(settings.daypart_of_hour())[hour]

    def table(cell: np.ndarray, shape: tuple, values: np.ndarray | None = None) -> np.ndarray:
        counts = np.bincount(cell, values, customers * prod(shape))
        return narrow(counts.astype(np.int64).reshape(customers, *shape))

    def of_order(at: np.ndarray, *shape: int, of: np.ndarray | None = None) -> np.ndarray:
        return table(part.customer_of_order * prod(shape) + at, shape, of)

    first = part.order.of_line((part.customer_of_order * dayparts + daypart) * departments)
    return Times(
        part.customers["user_id"].to_numpy(),
        of_order(day * HOURS + hour, 7, HOURS),
        table(first + goods.department.take(part.product), (dayparts, departments)),
        of_order(day, 7, of=cents),
        of_order(hour, HOURS, of=cents),
        of_order(day, 7, of=priced),
        of_order(hour, HOURS, of=priced),
    )
