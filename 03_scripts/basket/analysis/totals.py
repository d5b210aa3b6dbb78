"""Stage 05, first half: all parts counted, and the result tables that count and average.

Lines, orders and customers are never confused: every count says in its column what it counts.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from basket.analysis.groups import (
    POPULATIONS,
    TOTALS,
    People,
    department_mix,
    group_labels,
    habits,
    is_active,
)
from basket.analysis.order_sums import with_order_sums
from basket.analysis.part import ACTIVE, Goods, count_part
from basket.analysis.times import Times
from basket.project.settings import POPULATION_FLAG, Settings
from basket.tables.ids import IdIndex
from basket.tables.stage import Stage
from basket.tables.sums import Tally, dollars, narrow, per, sum_by, tally

SOLD = ("orders", "lines", "spend")


@dataclass(frozen=True)
class Counts:
    """What one pass over the parts adds up; `counts["day_hour"]` is an aggregate by its name.

    The first key of every aggregate is the population: all, active. `people` are all customers,
    `active` says which of them are active, and `users` finds the row of a user_id. `times` are
    those of the active customers alone, in the order of their ids.
    """

    people: People
    active: np.ndarray
    users: IdIndex
    products: pd.DataFrame
    departments: pd.DataFrame  # department_id and name of those that have products
    tallies: dict[str, Tally]
    times: Times
    settings: Settings

    def __getitem__(self, name: str) -> Tally:
        """Return an aggregate."""
        return self.tallies[name]

    def __repr__(self) -> str:
        """Say how many rows are added up, and list the aggregates."""
        return f"{self._rows()}\n{self.overview().to_string(index=False)}"

    def _repr_html_(self) -> str:
        return f"<p>{self._rows()}</p>{self.overview().to_html(index=False)}"

    def _rows(self) -> str:
        orders, lines = (self["day_hour"].by("population")[name][0] for name in ("orders", "lines"))
        return (
            f"{orders:,} orders, {lines:,} order lines, {len(self.active):,} customers, "
            f"{self.active.sum():,} of them active"
        )

    def overview(self) -> pd.DataFrame:
        """List the aggregates with their keys and sums: those of several flags in one row."""
        kinds: dict[tuple, list[str]] = {}
        for name, each in self.tallies.items():
            kinds.setdefault((" x ".join(each.axes), ", ".join(each.sums)), []).append(name)
        rows = [
            (first + f" and {len(others)} of other flags" * bool(others), *kind)
            for kind, (first, *others) in kinds.items()
        ]
        return pd.DataFrame(rows, columns=["aggregate", "keys", "sums"])

    @property
    def active_people(self) -> People:
        """The active customers: a copy, made when it is asked for."""
        return self.people.those(self.active)


def count(stage: Stage) -> Counts:
    """Count everything that stage 05 counts, in one pass over the order lines, part by part.

    Groups belong to customers; lines pick them up by position.
    """
    settings = stage.settings
    flags = settings.flags_of("customer")
    made_from = [column for flag in flags.values() if flag.bands for column in flag.columns]
    columns = dict.fromkeys(["user_id", *made_from, *TOTALS, *flags])
    customers = stage.read("analysis_customers", list(columns))
    products = stage.read("analysis_products")
    departments = products[["department_id", "department"]].drop_duplicates("department_id")
    departments = departments.sort_values("department_id", ignore_index=True)
    departments = departments.astype({"department": "str"})
    labels = group_labels(customers, settings)
    users = IdIndex(customers["user_id"].to_numpy())
    goods = Goods.of(products, departments)
    sums = stage.for_each_part(
        count_part,
        {
            "merged": ("merged", ["order_id", "product_key", "reordered"]),
            "orders": "analysis_orders",
            "customers": ("analysis_customers", ["user_id", POPULATION_FLAG]),
        },
        goods=goods,
        labels=labels,
        users=users,
        settings=settings,
    )
    parts = sums.pop("times")
    people = People(
        with_order_sums(customers, sums.pop("order_sums")),
        labels,
        np.concatenate([narrow(part.lines.sum(axis=1)) for part in parts]),
        np.concatenate([customer_times(part, settings) for part in parts]),
        goods.departments,
    )
    active = is_active(customers, settings)
    by_id = np.argsort(customers["user_id"].to_numpy())  # so sums do not depend on the parts
    times = Times.together(parts, by_id[active[by_id]])
    labelled = labels.assign(**{POPULATION_FLAG: customers[POPULATION_FLAG]})
    sums |= {flag: by_label(customers, active, labelled[flag]) for flag in labelled}
    tallies = with_sales({name: populations(each) for name, each in sums.items()}, goods)
    return Counts(people, active, users, products, departments, tallies, times, settings)


def customer_times(times: Times, settings: Settings) -> np.ndarray:
    """Count each customer's orders by daypart and, last, at the weekend."""
    daypart = np.array(settings.daypart_of_hour())
    of_day, of_hour = times.orders_by_day, times.orders_by_hour
    by_part = [of_hour[:, daypart == part].sum(axis=1) for part in range(len(settings.dayparts))]
    weekend = of_day[:, settings.weekend_days()].sum(axis=1)
    return narrow(np.column_stack([*by_part, weekend]))


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
        sums = {
            measure: np.stack([sum_by(group, values, size) for values in by_product])
            for measure, by_product in sold.sums.items()
        }
        return Tally(counts.axes, {**counts.sums, **sums})

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
        "orders_by_day_hour": _with_lines(counts["day_hour"].table(), ["day", "hour", *SOLD]),
        "price_ranges": price_ranges(counts),
        "departments": departments(counts),
        "habits": habits(counts.tallies, counts.settings.groupings()).pipe(with_largest, counts),
        "department_mix": department_mix(counts.tallies, counts.settings.groupings()),
    }


def with_largest(table: pd.DataFrame, counts: Counts) -> pd.DataFrame:
    """Add to `habits` the largest share that one customer has in a group's orders, lines or spend.

    Of the active population, which alone is published.
    """
    people, groupings = counts.active_people, counts.settings.groupings()
    sums = people.customers[["orders", "lines", "spend_cents"]].astype("float64")
    largest = {}
    for grouping in groupings:
        by_group = sums.groupby(people.labels[grouping], observed=True)
        share = (by_group.max() / by_group.sum()).max(axis=1)
        largest |= {("active", grouping, str(group)): value for group, value in share.items()}
    keys = zip(table["population"], table["grouping"], table["group"].astype("str"), strict=True)
    return table.assign(largest_share=[largest.get(key, np.nan) for key in keys])


def orders_by_day(counts: Counts) -> pd.DataFrame:
    """Count orders, lines and spend of each day of the week."""
    table = counts["day_hour"].table("population", "day")
    names = dict(enumerate(counts.settings.day_names))
    return _with_lines(table.assign(day_name=table["day"].map(names)), ["day", "day_name", *SOLD])


def orders_by_hour(counts: Counts) -> pd.DataFrame:
    """Count orders, lines, spend, and value per order and per item, of each hour of the day."""
    table = counts["day_hour"].table("population", "hour")
    spend = table["spend_cents"] / 100
    return _with_lines(
        table.assign(
            mean_order_value=per(spend, table["orders"]),
            mean_item_price=per(spend, table["priced_lines"]),
        ),
        ["hour", *SOLD, "mean_order_value", "mean_item_price"],
    )


def price_ranges(counts: Counts) -> pd.DataFrame:
    """Count products sold, orders, lines and spend of each price range."""
    table = counts["price_range"].table()
    return _with_lines(
        table.assign(products=products_sold(counts, "price_range", table)),
        ["price_range", "products", *SOLD],
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
        ["department_id", "department", "products", "customers", *SOLD, "reorder_rate"],
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
