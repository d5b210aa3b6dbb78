"""Stage 05, first half: one pass over the parts, and the result tables that count and average.

Lines, orders and customers are never confused: every count says in its column what it counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import numpy as np
import pandas as pd

from basket.analysis import times
from basket.analysis.groups import (
    POPULATIONS,
    TOTALS,
    People,
    department_mix,
    group_labels,
    habits,
    is_active,
)
from basket.analysis.statistics import Moments
from basket.project.settings import POPULATION_FLAG, Settings
from basket.tables.ids import Positions
from basket.tables.stage import Stage
from basket.tables.sums import (
    GAPS,
    HOURS,
    Tally,
    dollars,
    gap_counts,
    narrow,
    orders_of,
    per,
    sum_by,
    tally,
)

ACTIVE = (False, True)  # the values of the key `is_active`


# ---- one part ---------------------------------------------------------------------------------


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
        """Take them from analysis_products and its `department_names`."""
        departments = Positions(names["department_id"].to_numpy())
        ranges = products["price_range"].cat
        return Goods(
            departments.find(products["department_id"].to_numpy()),
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
        users = Positions(customers["user_id"].to_numpy())
        self.customer_of_order = users.find(orders["user_id"].to_numpy())
        self.active_customer = is_active(customers, settings)
        self.active_order = self.active_customer[self.customer_of_order]


def count_part(
    merged: pd.DataFrame,
    orders: pd.DataFrame,
    customers: pd.DataFrame,
    *,
    goods: Goods,
    labels: pd.DataFrame,
    users: Positions,
    settings: Settings,
) -> tuple[dict, dict]:
    """Count one part: a Tally for each aggregate, a row per customer, and the moments of times.

    `labels` are the groups of all customers, `users` where each stands among them. The first key
    of every Tally is `is_active`.
    """
    part = Part(merged, orders, customers, settings)
    bought = department_lines(part, goods)
    gaps = gap_counts(part.customer_of_order, orders["days_since_prior_order"], len(customers))
    group = labels.take(users.find(customers["user_id"].to_numpy()))
    by_time = by_day_hour(part)
    return {}, {
        "day_hour": by_time,
        **{flag: by_busiest(part, flag) for flag in settings.flags_of("order")},
        "product": by_product(part, len(goods.cents)),
        "department": by_department(part, bought, goods),
        "price_range": by_price_range(part, goods),
        **by_group(part, bought, group, "mix", "lines", {"department": goods.departments}),
        **by_group(part, gaps, group, "gaps", "orders", {"days": range(GAPS)}),
        "department_lines": [narrow(bought)],
        "customer_times": [orders_by_time(part)],
    } | times.time_moments(
        orders,
        part.order,
        part.customer_of_order,
        part.active_customer,
        goods.department.take(part.product),
        len(goods.departments),
        settings,
    )


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
            "customers": np.stack(
                [buys[part.active_customer == each].sum(axis=0) for each in ACTIVE]
            ),
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
    parts = len(settings.dayparts)
    daypart = np.array(settings.daypart_of_hour())[part.orders["order_hour"].to_numpy()]
    by_part = np.bincount(
        part.customer_of_order * parts + daypart, minlength=customers * parts
    ).reshape(customers, parts)
    weekend = np.isin(part.orders["order_day"], settings.weekend_days())
    return narrow(np.column_stack([by_part, sum_by(part.customer_of_order, weekend, customers)]))


# ---- all parts ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """What one pass over the parts adds up; `counts["day_hour"]` is an aggregate by its name.

    The first key of every aggregate is the population: all, active. `people` are all customers,
    `active` says which of them are active, and `users` where each user_id stands among them.
    """

    people: People
    active: np.ndarray
    users: Positions
    products: pd.DataFrame
    departments: pd.DataFrame  # department_id and name of those that have products
    tallies: dict[str, Tally]
    time_moments: Moments
    settings: Settings

    def __getitem__(self, name: str) -> Tally:
        """Return an aggregate."""
        return self.tallies[name]

    def __repr__(self) -> str:
        """List the aggregates with their keys and sums, and the rows that they add up."""
        rows = self["day_hour"].by("population").table().set_index("population")
        lines = [f"{name}: {aggregate}" for name, aggregate in self.tallies.items()]
        return "\n".join(
            [
                f"{rows.orders['all']:,} orders, {rows.lines['all']:,} order lines, "
                f"{len(self.active):,} customers, {self.active.sum():,} of them active",
                *lines,
            ]
        )

    @property
    def customers(self) -> pd.DataFrame:
        """All customers, a row each."""
        return self.people.customers

    @property
    def labels(self) -> pd.DataFrame:
        """The label of each customer's group, a column per grouping."""
        return self.people.labels

    @property
    def time_columns(self) -> times.Columns:
        """Say where each sum stands among the columns of `time_moments`."""
        return times.Columns(len(self.settings.dayparts), len(self.departments))

    @property
    def active_people(self) -> People:
        """The active customers: a copy, made when it is asked for."""
        return self.people.those(self.active)


def count(stage: Stage) -> Counts:
    """Count everything that stage 05 counts, in one pass over the order lines, part by part.

    Groups belong to customers; lines pick them up by position.
    """
    settings = stage.settings
    customers = stage.read("analysis_customers", customer_columns(settings))
    products = stage.read("analysis_products")
    names = department_names(products)
    labels = group_labels(customers, settings)
    users = Positions(customers["user_id"].to_numpy())
    goods = Goods.of(products, names)
    sums = stage.for_each_part(
        count_part,
        {
            "merged": ("merged", ["order_id", "product_key", "reordered"]),
            "orders": "analysis_orders",
            "customers": "analysis_customers",
        },
        goods=goods,
        labels=labels,
        users=users,
        settings=settings,
    )
    people = People(
        customers,
        labels,
        np.concatenate(sums.pop("department_lines")),
        np.concatenate(sums.pop("customer_times")),
        goods.departments,
    )
    moments = sums.pop("time_moments")
    active = is_active(customers, settings)
    labelled = labels.assign(**{POPULATION_FLAG: customers[POPULATION_FLAG]})
    sums |= {flag: by_label(customers, active, labelled[flag]) for flag in labelled}
    tallies = with_sales({name: populations(each) for name, each in sums.items()}, goods)
    return Counts(people, active, users, products, names, tallies, moments, settings)


def customer_columns(settings: Settings) -> list[str]:
    """List what stage 05 takes of analysis_customers: totals, flags, and what makes their bands."""
    flags = settings.flags_of("customer")
    made_from = [column for flag in flags.values() if flag.bands for column in flag.columns]
    return list(dict.fromkeys(["user_id", *made_from, *TOTALS, *flags]))


def department_names(products: pd.DataFrame) -> pd.DataFrame:
    """List the departments that have products: department_id and name, by id."""
    names = products[["department_id", "department"]].drop_duplicates("department_id")
    return names.sort_values("department_id", ignore_index=True).astype({"department": "str"})


def by_label(customers: pd.DataFrame, active: np.ndarray, labels: pd.Series) -> Tally:
    """Count customers, and add up their totals, by the label of their group."""
    return tally(
        {"is_active": (active, ACTIVE), "group": (labels.cat.codes, labels.cat.categories)},
        {"customers": 1, **customers[list(TOTALS)]},
    )


def populations(counts: Tally) -> Tally:
    """Turn sums of others and of active customers (first key) into sums of all and of active."""
    _, *keys = counts.axes
    others, active = (counts.at("is_active", each).sums for each in ACTIVE)
    return Tally(
        {"population": POPULATIONS, **{key: counts.axes[key] for key in keys}},
        {name: np.stack([others[name] + active[name], active[name]]) for name in counts.sums},
    )


def with_sales(tallies: dict[str, Tally], goods: Goods) -> dict[str, Tally]:
    """Add cents to what was sold by product, and roll it up by department and price range."""
    sold = tallies["product"]
    sold = Tally(sold.axes, {**sold.sums, "spend_cents": sold["lines"] * goods.cents})

    def rolled_up(name: str, group: np.ndarray) -> Tally:
        counts = tallies[name]
        size = len(counts.axes[name])
        return Tally(
            counts.axes,
            {
                **counts.sums,
                **{
                    measure: np.stack([sum_by(group, values, size) for values in by_product])
                    for measure, by_product in sold.sums.items()
                },
            },
        )

    return tallies | {
        "product": sold,
        "department": rolled_up("department", goods.department),
        "price_range": rolled_up("price_range", goods.price_range),
    }


# ---- tables -----------------------------------------------------------------------------------


def result_tables(counts: Counts) -> dict[str, pd.DataFrame]:
    """Make the result tables that count and average, from `flags` to `department_mix`."""
    return {
        "flags": flags(counts),
        "orders_by_day": orders_by_day(counts),
        "orders_by_hour": orders_by_hour(counts),
        "orders_by_day_hour": orders_by_day_hour(counts),
        "price_ranges": price_ranges(counts),
        "departments": departments(counts),
        "habits": habits(counts.tallies, counts.settings.groupings()),
        "department_mix": department_mix(counts.tallies, counts.settings.groupings()),
    }


def orders_by_day(counts: Counts) -> pd.DataFrame:
    """Count orders, lines and spend of each day of the week."""
    table = counts["day_hour"].table("population", "day")
    names = dict(enumerate(counts.settings.day_names))
    return _with_lines(
        table.assign(day_name=table["day"].map(names)),
        ["day", "day_name", "orders", "lines", "spend"],
    )


def orders_by_hour(counts: Counts) -> pd.DataFrame:
    """Count orders, lines, spend, and value per order and per item, of each hour of the day."""
    table = counts["day_hour"].table("population", "hour")
    spend = table["spend_cents"] / 100
    return _with_lines(
        table.assign(
            mean_order_value=per(spend, table["orders"]),
            mean_item_price=per(spend, table["priced_lines"]),
        ),
        ["hour", "orders", "lines", "spend", "mean_order_value", "mean_item_price"],
    )


def orders_by_day_hour(counts: Counts) -> pd.DataFrame:
    """Count orders, lines and spend of each hour of the week."""
    return _with_lines(counts["day_hour"].table(), ["day", "hour", "orders", "lines", "spend"])


def price_ranges(counts: Counts) -> pd.DataFrame:
    """Count products sold, orders, lines and spend of each price range."""
    table = counts["price_range"].table()
    return _with_lines(
        table.assign(products=products_sold(counts, "price_range", table)),
        ["price_range", "products", "orders", "lines", "spend"],
    )


def departments(counts: Counts) -> pd.DataFrame:
    """Count products, customers, orders, lines, spend and reorder rate of each department."""
    table = counts["department"].table()
    ids = np.tile(counts.departments["department_id"], len(POPULATIONS))
    table = table.assign(department_id=ids)
    return _with_lines(
        table.assign(
            products=products_sold(counts, "department_id", table),
            reorder_rate=per(table["reordered_lines"], table["lines"]),
        ),
        [
            "department_id",
            "department",
            "products",
            "customers",
            "orders",
            "lines",
            "spend",
            "reorder_rate",
        ],
    )


def products_sold(counts: Counts, by: str, table: pd.DataFrame) -> list[int]:
    """Count the products that a population bought of a group, for each row of `table`."""
    sold = {
        population: counts.products[counts["product"].at("population", population)["lines"] > 0]
        .groupby(by, observed=True)["product_id"]
        .nunique()
        for population in POPULATIONS
    }
    keys = zip(table["population"], table[by], strict=True)
    return [int(sold[population].get(group, 0)) for population, group in keys]


def _with_lines(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Say spend in dollars and leave out the rows without lines."""
    table = table.assign(spend=dollars(table["spend_cents"]))
    return table.loc[table["lines"] > 0, ["population", *columns]].reset_index(drop=True)


def flags(counts: Counts) -> pd.DataFrame:
    """Count how many customers, orders and lines carry each label of each flag.

    A price range belongs to lines, a busiest label to orders: the grains above it are left empty.
    """
    counted = {
        "product": ["lines"],
        "order": ["orders", "lines"],
        "customer": ["customers", "orders", "lines"],
    }
    tables = []
    for population, flag in product(POPULATIONS, counts.settings.flags):
        columns = counted[counts.settings.flags[flag].of]
        by_label = counts[flag].at("population", population)
        (label,) = by_label.axes
        table = by_label.table()[[label, *columns]].rename(columns={label: "label"})
        tables.append(table.assign(population=population, flag=flag))
    table = pd.concat(tables, ignore_index=True)
    table = table.astype({"customers": "Int64", "orders": "Int64", "lines": "int64"})
    return table.loc[
        table["lines"] > 0, ["population", "flag", "label", "customers", "orders", "lines"]
    ].reset_index(drop=True)


def days_between_orders(counts: Counts) -> pd.DataFrame:
    """Count the active orders by days since the previous order; 30 means 30 or more."""
    gaps = counts["gaps_loyalty_flag"].at("population", "active").table("days")
    labels = gaps["days"].astype("str")
    labels.iloc[-1] += "+"
    return gaps.assign(label=labels, share=per(gaps["orders"], gaps["orders"].sum()))[
        ["days", "label", "orders", "share"]
    ]


AGES_PER_ROW = 4  # years


def income_by_age(counts: Counts) -> pd.DataFrame:
    """Average the income of active customers by age, in rows of four years, with its interval.

    Customers are taken in the order of their ids: the last digit of a sum of floats depends on it.
    """
    active = counts.customers[counts.active & counts.customers["income"].notna().to_numpy()]
    active = active.sort_values("user_id")
    first = active["age"] // AGES_PER_ROW * AGES_PER_ROW
    table = active["income"].astype("float64").groupby(first).agg(["size", "mean", "sem"])
    confidence = counts.settings.statistics.confidence
    half = NormalDist().inv_cdf((1 + confidence) / 2) * table["sem"]
    return pd.DataFrame(
        {
            "ages": [f"{age}-{age + AGES_PER_ROW - 1}" for age in table.index],
            "customers": table["size"].to_numpy(),
            "mean_income": table["mean"].to_numpy(),
            "mean_income_low": (table["mean"] - half).to_numpy(),
            "mean_income_high": (table["mean"] + half).to_numpy(),
        }
    )
