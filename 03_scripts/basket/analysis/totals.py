"""Stage 05, first half: the result tables, added up from the parts at the grain each count names.

Lines, orders and customers are never confused: every count says in its column what it counts.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from basket.analysis import times
from basket.analysis.flags import GAPS, median_of_counts, orders_of, sum_by
from basket.project.settings import Settings
from basket.tables.ids import Positions
from basket.tables.sums import HOURS, dollars, per

POPULATIONS = ("all", "active")
GROUPINGS = (
    "loyalty_flag",
    "spending_flag",
    "frequency_flag",
    "region",
    "age_group",
    "income_group",
    "family_status",
    "gender",
    "n_dependants",
    "profile",
)
BUSIEST = ("busiest_day", "busiest_days", "busiest_period_of_day")
TOTALS = ("orders", "lines", "spend_cents", "priced_lines", "reordered_lines")
CUSTOMERS = [  # columns of analysis_customers that stage 05 takes
    "user_id",
    "age",
    "income",
    "max_order",
    "median_days_between_orders",
    "exclusion_flag",
    *TOTALS,
    *GROUPINGS,
]


def add_missing_label(values: pd.Series, missing: str) -> pd.Categorical:
    """Give a column labels for all its values and, last, the label for missing."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        kept = [label for label in values.cat.categories if label != missing]
        labels = pd.Categorical(values, categories=[*kept, missing])
    else:
        numbers = pd.Categorical(values)
        labels = numbers.rename_categories([str(number) for number in numbers.categories])
        labels = labels.add_categories(missing)
    return labels.fillna(missing)


def group_labels(customers: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """One column per grouping, one row per customer: the label of the group each belongs to."""
    return pd.DataFrame(
        {
            grouping: add_missing_label(customers[grouping], settings.labels.missing)
            for grouping in GROUPINGS
        }
    )


def narrow(counts: np.ndarray) -> np.ndarray:
    """What is counted of each customer, in the smallest type that holds it, row after row."""
    return counts.astype(np.min_scalar_type(counts.max(initial=0)), order="C")


def is_active(customers: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Whether each customer is in the active population."""
    return (customers["exclusion_flag"] == settings.labels.exclusion_flag[1]).to_numpy()


# ---- one part ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Goods:
    """What order lines take from their products, by product_key, so that no line carries it."""

    department: np.ndarray  # its place among `department_names`
    price_range: np.ndarray  # its place among the labels
    cents: np.ndarray  # 0 where the price is missing
    departments: int

    @staticmethod
    def of(products: pd.DataFrame, names: pd.DataFrame) -> "Goods":
        """From analysis_products and its `department_names`."""
        departments = Positions(names["department_id"].to_numpy())
        return Goods(
            departments.find(products["department_id"].to_numpy()),
            products["price_range"].cat.codes.to_numpy("intp"),
            products["price_cents"].fillna(0).to_numpy("int64"),
            len(names),
        )

    @property
    def ranges(self) -> int:
        """Number of price ranges that occur, those below the highest included."""
        return int(self.price_range.max()) + 1


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


def measure_part(
    merged: pd.DataFrame,
    orders: pd.DataFrame,
    customers: pd.DataFrame,
    *,
    goods: Goods,
    labels: pd.DataFrame,
    users: Positions,
    settings: Settings,
) -> tuple[dict, dict]:
    """Add up one part for the tables that count (`count_part`) and for the tests of times."""
    part = Part(merged, orders, customers, settings)
    bought = department_lines(part, goods)
    return {}, (
        _count(part, bought, goods, labels, users)
        | {"customer_departments": [narrow(bought)], "customer_times": [orders_by_time(part)]}
        | times.time_moments(
            orders,
            part.order,
            part.customer_of_order,
            part.active_customer,
            goods.department.take(part.product),
            goods.departments,
            settings,
        )
    )


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
    """Count one part: by day and hour, department, price range, product, and gaps by group.

    `labels` are the groups of all customers, `users` where each stands among them. The first axis
    of every sum is the population: all, active.
    """
    part = Part(merged, orders, customers, settings)
    return {}, _count(part, department_lines(part, goods), goods, labels, users)


def _count(
    part: Part, bought: np.ndarray, goods: Goods, labels: pd.DataFrame, users: Positions
) -> dict:
    sold = by_product(part, len(goods.cents))
    group = labels.take(users.find(part.customers["user_id"].to_numpy()))
    return (
        by_day_hour(part)
        | by_busiest(part)
        | by_department(part, bought, sold, goods)
        | by_price_range(part, sold, goods)
        | mix_by_group(part, bought, group)
        | gaps_by_group(part, group)
    )


def both_populations(counts: np.ndarray) -> np.ndarray:
    """Turn counts of others and of active ones (first axis) into counts of all and of active."""
    return np.stack([counts.sum(axis=0), counts[1]])


def by_day_hour(part: Part) -> dict[str, np.ndarray]:
    """Orders, lines, cents and priced lines by day x hour: 2 x 4 x 7 x 24."""
    orders = part.orders
    cell = orders["order_day"].to_numpy("int64") * HOURS + orders["order_hour"].to_numpy()
    cell += part.active_order * 7 * HOURS
    size = 2 * 7 * HOURS
    counts = [np.bincount(cell, minlength=size)]
    counts += [
        sum_by(cell, orders[name].to_numpy(), size)
        for name in ("lines", "spend_cents", "priced_lines")
    ]
    by_active = np.stack(counts).reshape(4, 2, 7, HOURS).swapaxes(0, 1)
    return {"day_hour": both_populations(by_active)}


def by_busiest(part: Part) -> dict[str, np.ndarray]:
    """Orders and lines by each of the busiest labels: 2 x 2 x labels."""
    orders = part.orders

    def sums_of(flag: str) -> np.ndarray:
        size = len(orders[flag].cat.categories)
        cell = part.active_order * size + orders[flag].cat.codes.to_numpy()
        counts = np.bincount(cell, minlength=2 * size)
        lines = sum_by(cell, orders["lines"].to_numpy(), 2 * size)
        return both_populations(np.stack([counts, lines]).reshape(2, 2, size).swapaxes(0, 1))

    return {flag: sums_of(flag) for flag in BUSIEST}


def by_product(part: Part, products: int) -> tuple[np.ndarray, np.ndarray]:
    """Lines and reordered lines by product, each 2 x products."""
    cell = part.order.of_line(part.active_order * 2 * products)
    cell += part.product
    cell += part.reordered * np.int64(products)
    counts = np.bincount(cell, minlength=4 * products).reshape(2, 2, products)
    return both_populations(counts.sum(axis=1)), both_populations(counts[:, 1])


def roll_up(group: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    """Sum values by product (2 x products) over groups of products: 2 x groups."""
    return np.stack([sum_by(group, counts, groups) for counts in values])


def orders_with(part: Part, group: np.ndarray, groups: int) -> np.ndarray:
    """Orders that hold a product of each group of products: 2 x groups."""
    orders = len(part.orders)
    holds = np.zeros(groups * orders, bool)
    holds[(group * orders).take(part.product) + part.order_of_line] = True
    holds = holds.reshape(groups, orders)
    active = holds & part.active_order
    return np.stack([np.count_nonzero(each, axis=1) for each in (holds, active)])


def department_lines(part: Part, goods: Goods) -> np.ndarray:
    """Lines of each customer by department, in the order of the part's customers."""
    size, customers = goods.departments, len(part.customers)
    cell = part.order.of_line(part.customer_of_order * size) + goods.department.take(part.product)
    return np.bincount(cell, minlength=customers * size).reshape(customers, size)


def by_department(
    part: Part, bought: np.ndarray, sold: tuple[np.ndarray, np.ndarray], goods: Goods
) -> dict[str, np.ndarray]:
    """Customers, orders, lines, cents and reordered lines by department: 2 x 5 x departments.

    `bought` are the customers' `department_lines`, `sold` lines and reordered lines by product.
    """
    size = goods.departments
    buyers = np.stack([(bought > 0).sum(axis=0), (bought[part.active_customer] > 0).sum(axis=0)])

    sold_lines, reordered = sold
    columns = [
        buyers,
        orders_with(part, goods.department, size),
        *(
            roll_up(goods.department, counts, size)
            for counts in (sold_lines, sold_lines * goods.cents, reordered)
        ),
    ]
    return {"departments": np.stack(columns, axis=1)}


def by_price_range(
    part: Part, sold: tuple[np.ndarray, np.ndarray], goods: Goods
) -> dict[str, np.ndarray]:
    """Orders, lines and cents by price range: 2 x 3 x ranges; lines by product: 2 x products."""
    lines = sold[0]
    columns = [
        orders_with(part, goods.price_range, goods.ranges),
        *(
            roll_up(goods.price_range, counts, goods.ranges)
            for counts in (lines, lines * goods.cents)
        ),
    ]
    return {"price_ranges": np.stack(columns, axis=1), "product_lines": lines}


def cell_of_customer(part: Part, labels: pd.Series) -> tuple[np.ndarray, int]:
    """Place of each customer among others and active ones x groups; the number of groups."""
    size = len(labels.cat.categories)
    return part.active_customer * size + labels.cat.codes.to_numpy(), size


def mix_by_group(part: Part, bought: np.ndarray, group: pd.DataFrame) -> dict[str, np.ndarray]:
    """Lines by department for every group of each grouping: 2 x groups x departments."""
    bought = bought.astype(float)  # whole numbers below 2**53: sums are exact

    def lines_of(grouping: str) -> np.ndarray:
        cell, size = cell_of_customer(part, group[grouping])
        belongs = (np.arange(2 * size)[:, None] == cell).astype(float)
        return both_populations((belongs @ bought).astype(np.int64).reshape(2, size, -1))

    return {f"mix_{name}": lines_of(name) for name in GROUPINGS}


def gaps_by_group(part: Part, group: pd.DataFrame) -> dict[str, np.ndarray]:
    """Histogram of days between orders for every group of each grouping: 2 x groups x 31."""
    gaps = part.orders["days_since_prior_order"]
    known = gaps.notna().to_numpy()
    days, customer = gaps[known].to_numpy("int64"), part.customer_of_order[known]

    def counts_of(grouping: str) -> np.ndarray:
        cell, size = cell_of_customer(part, group[grouping])
        counts = np.bincount((cell * GAPS)[customer] + days, minlength=2 * size * GAPS)
        return both_populations(counts.reshape(2, size, GAPS))

    return {f"gaps_{name}": counts_of(name) for name in GROUPINGS}


def orders_by_time(part: Part) -> np.ndarray:
    """Each customer's orders by daypart and, last, at the weekend, in the customers' order."""
    settings, customers = part.settings, len(part.customers)
    parts = len(settings.dayparts)
    daypart = np.array(settings.daypart_of_hour())[part.orders["order_hour"].to_numpy()]
    by_part = np.bincount(
        part.customer_of_order * parts + daypart, minlength=customers * parts
    ).reshape(customers, parts)
    weekend = np.isin(part.orders["order_day"], settings.weekend_days())
    return narrow(np.column_stack([by_part, sum_by(part.customer_of_order, weekend, customers)]))


def department_names(products: pd.DataFrame) -> pd.DataFrame:
    """The departments that have products: department_id and name, by id."""
    names = products[["department_id", "department"]].drop_duplicates("department_id")
    return names.sort_values("department_id", ignore_index=True).astype({"department": "str"})


# ---- tables -----------------------------------------------------------------------------------


def orders_by_day(sums: dict, settings: Settings) -> pd.DataFrame:
    """Orders, lines and spend of each day of the week."""
    return _by_population(
        lambda population: _counts_of(sums["day_hour"][population].sum(axis=2)).assign(
            day=range(7), day_name=settings.day_names
        ),
        ["day", "day_name", "orders", "lines", "spend"],
    )


def orders_by_hour(sums: dict) -> pd.DataFrame:
    """Orders, lines, spend, and value per order and per item, of each hour of the day."""
    return _by_population(
        lambda population: _counts_of(sums["day_hour"][population].sum(axis=1)).assign(
            hour=range(HOURS)
        ),
        ["hour", "orders", "lines", "spend", "mean_order_value", "mean_item_price"],
    )


def orders_by_day_hour(sums: dict) -> pd.DataFrame:
    """Orders, lines and spend of each hour of the week."""
    return _by_population(
        lambda population: _counts_of(sums["day_hour"][population].reshape(4, -1)).assign(
            day=np.repeat(range(7), HOURS), hour=np.tile(range(HOURS), 7)
        ),
        ["day", "hour", "orders", "lines", "spend"],
    )


def _counts_of(counts: np.ndarray) -> pd.DataFrame:
    orders, lines, cents, priced = counts
    return pd.DataFrame(
        {
            "orders": orders,
            "lines": lines,
            "spend": dollars(cents),
            "mean_order_value": per(cents / 100, orders),
            "mean_item_price": per(cents / 100, priced),
        }
    )


def _by_population(table_of, columns: list[str]) -> pd.DataFrame:
    """Stack a table over both populations; a row without lines is left out."""
    tables = [table_of(number).assign(population=name) for number, name in enumerate(POPULATIONS)]
    table = pd.concat(tables, ignore_index=True)
    return table.loc[table["lines"] > 0, ["population", *columns]].reset_index(drop=True)


def price_ranges(sums: dict, products: pd.DataFrame) -> pd.DataFrame:
    """Products sold, orders, lines and spend of each price range."""
    labels = products["price_range"].cat.categories

    def of(population: int) -> pd.DataFrame:
        orders, lines, cents = sums["price_ranges"][population]
        sold = _products_sold(sums, products, population, "price_range")
        return pd.DataFrame(
            {
                "price_range": labels[: len(lines)],
                "orders": orders,
                "lines": lines,
                "spend": dollars(cents),
            }
        ).assign(products=lambda table: table["price_range"].map(sold).fillna(0).astype(int))

    return _by_population(of, ["price_range", "products", "orders", "lines", "spend"])


def departments(sums: dict, products: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """Products sold, customers, orders, lines, spend and reorder rate of each department."""

    def of(population: int) -> pd.DataFrame:
        customers, orders, lines, cents, reordered = sums["departments"][population]
        sold = _products_sold(sums, products, population, "department_id")
        return names.assign(
            products=names["department_id"].map(sold).fillna(0).astype(int),
            customers=customers,
            orders=orders,
            lines=lines,
            spend=dollars(cents),
            reorder_rate=per(reordered, lines),
        )

    return _by_population(
        of,
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


def _products_sold(sums: dict, products: pd.DataFrame, population: int, by: str) -> pd.Series:
    sold = products[sums["product_lines"][population] > 0]
    return sold.groupby(by, observed=True)["product_id"].nunique()


def sums_by_label(values: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Sums of whole numbers by label, and how many customers have it; a row per category."""
    codes, size = labels.cat.codes.to_numpy(), len(labels.cat.categories)
    sums = {name: sum_by(codes, values[name].to_numpy(), size) for name in values}
    sums["customers"] = np.bincount(codes, minlength=size)
    return pd.DataFrame(sums, index=labels.cat.categories)


def habits(
    customers: pd.DataFrame, labels: pd.DataFrame, sums: dict, settings: Settings
) -> pd.DataFrame:
    """Ordering habits of every group, from customers' totals and gap histograms."""
    active = is_active(customers, settings)
    tables = []
    for number, population in enumerate(POPULATIONS):
        rows = active if population == "active" else np.ones(len(customers), bool)
        kept, groups = customers.loc[rows, list(TOTALS)], labels.loc[rows]
        for grouping in GROUPINGS:
            table = sums_by_label(kept, groups[grouping]).assign(
                median_days_between_orders=median_of_counts(sums[f"gaps_{grouping}"][number])
            )
            tables.append(
                table.rename_axis("group")
                .reset_index()
                .assign(population=population, grouping=grouping)
            )
    table = pd.concat([table.astype({"group": "str"}) for table in tables], ignore_index=True)
    spend = table["spend_cents"] / 100
    table = table.assign(
        spend=dollars(table["spend_cents"]),
        mean_order_value=per(spend, table["orders"]),
        mean_lines_per_order=per(table["lines"], table["orders"]),
        mean_item_price=per(spend, table["priced_lines"]),
        reorder_rate=per(table["reordered_lines"], table["lines"]),
    )
    return table.loc[
        table["lines"] > 0,
        [
            "population",
            "grouping",
            "group",
            "customers",
            "orders",
            "lines",
            "spend",
            "mean_order_value",
            "mean_lines_per_order",
            "mean_item_price",
            "median_days_between_orders",
            "reorder_rate",
        ],
    ].reset_index(drop=True)


def department_mix(sums: dict, labels: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """Lines of every group by department, their share of the group's lines, and its lift.

    Lift is the share over the population's share.
    """
    tables = []
    for number, population in enumerate(POPULATIONS):
        _, _, overall, _, _ = sums["departments"][number]
        for grouping in GROUPINGS:
            lines = pd.DataFrame(
                sums[f"mix_{grouping}"][number],
                index=labels[grouping].cat.categories,
                columns=names["department"].astype("str"),
            )
            share = lines.div(lines.sum(axis=1), axis=0)
            lift = share / per(overall, overall.sum())
            tables.append(
                pd.DataFrame(
                    {
                        "population": population,
                        "grouping": grouping,
                        "group": np.repeat(lines.index.astype("str"), lines.shape[1]),
                        "department": np.tile(lines.columns, len(lines)),
                        "lines": lines.to_numpy().ravel(),
                        "share": share.to_numpy().ravel(),
                        "lift": lift.to_numpy().ravel(),
                    }
                )
            )
    table = pd.concat(tables, ignore_index=True)
    return table[table["lines"] > 0].reset_index(drop=True)


def result_tables(
    sums: dict,
    customers: pd.DataFrame,
    labels: pd.DataFrame,
    products: pd.DataFrame,
    names: pd.DataFrame,
    settings: Settings,
) -> dict[str, pd.DataFrame]:
    """The result tables that count and average, from `flags` to `department_mix`."""
    ranges = price_ranges(sums, products)
    return {
        "flags": flags(customers, labels, sums, ranges, settings),
        "orders_by_day": orders_by_day(sums, settings),
        "orders_by_hour": orders_by_hour(sums),
        "orders_by_day_hour": orders_by_day_hour(sums),
        "price_ranges": ranges,
        "departments": departments(sums, products, names),
        "habits": habits(customers, labels, sums, settings),
        "department_mix": department_mix(sums, labels, names),
    }


def flags(
    customers: pd.DataFrame,
    labels: pd.DataFrame,
    sums: dict,
    ranges: pd.DataFrame,
    settings: Settings,
) -> pd.DataFrame:
    """How many customers, orders and lines carry each label of each flag.

    `ranges` is the table price_ranges. A price range belongs to lines, a busiest label to orders:
    the grains above it are left empty.
    """
    active = is_active(customers, settings)
    tables = []
    for number, population in enumerate(POPULATIONS):
        lines = ranges[ranges["population"] == population]
        tables.append(
            pd.DataFrame(
                {
                    "population": population,
                    "flag": "price_range",
                    "label": lines["price_range"],
                    "lines": lines["lines"],
                }
            )
        )
        for flag in BUSIEST:
            tables.append(
                pd.DataFrame(
                    {
                        "population": population,
                        "flag": flag,
                        "label": [*getattr(settings.labels, flag), settings.labels.missing],
                        "orders": sums[flag][number][0],
                        "lines": sums[flag][number][1],
                    }
                )
            )
        rows = active if population == "active" else np.ones(len(customers), bool)
        kept = customers.loc[rows, ["orders", "lines", "exclusion_flag"]]
        groups = labels.loc[rows]
        for flag in (
            "loyalty_flag",
            "spending_flag",
            "frequency_flag",
            "region",
            "exclusion_flag",
            "age_group",
            "income_group",
            "family_status",
            "gender",
            "n_dependants",
            "profile",
        ):
            by = kept[flag] if flag == "exclusion_flag" else groups[flag]
            tables.append(
                sums_by_label(kept[["orders", "lines"]], by)
                .rename_axis("label")
                .reset_index()
                .assign(population=population, flag=flag)
            )
    table = pd.concat([table.astype({"label": "str"}) for table in tables], ignore_index=True)
    table = table.astype({"customers": "Int64", "orders": "Int64", "lines": "int64"})
    return table.loc[
        table["lines"] > 0, ["population", "flag", "label", "customers", "orders", "lines"]
    ].reset_index(drop=True)


def days_between_orders(sums: dict) -> pd.DataFrame:
    """Orders of the active population by days since the previous order; 30 means 30 or more."""
    counts = sums["gaps_loyalty_flag"][1].sum(axis=0)
    days = np.arange(len(counts))
    return pd.DataFrame(
        {
            "days": days,
            "label": [*map(str, days[:-1]), f"{days[-1]}+"],
            "orders": counts,
            "share": per(counts, counts.sum()),
        }
    )


AGES_PER_ROW = 4  # years


def income_by_age(customers: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Mean income of active customers by age, in rows of four years, with a normal interval.

    Customers are taken in the order of their ids: the last digit of a sum of floats depends on it.
    """
    active = customers[is_active(customers, settings) & customers["income"].notna()]
    active = active.sort_values("user_id")
    first = active["age"] // AGES_PER_ROW * AGES_PER_ROW
    table = active["income"].astype("float64").groupby(first).agg(["size", "mean", "sem"])
    half = NormalDist().inv_cdf((1 + settings.statistics.confidence) / 2) * table["sem"]
    return pd.DataFrame(
        {
            "ages": [f"{age}-{age + AGES_PER_ROW - 1}" for age in table.index],
            "customers": table["size"].to_numpy(),
            "mean_income": table["mean"].to_numpy(),
            "mean_income_low": (table["mean"] - half).to_numpy(),
            "mean_income_high": (table["mean"] + half).to_numpy(),
        }
    )
