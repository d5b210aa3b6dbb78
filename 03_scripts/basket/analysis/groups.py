"""Groups of customers: who belongs to which, what each group does, and its share of everything."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from basket.project.settings import POPULATION_FLAG, Settings
from basket.tables.sums import Tally, dollars, median_of_counts, per

POPULATIONS = ("all", "active")
TOTALS = ("orders", "lines", "spend_cents", "priced_lines", "reordered_lines")


@dataclass(frozen=True)
class People:
    """What is known of customers, a row per customer in each table.

    `labels` has a column per grouping; `department_lines` a column per department, named in
    `departments`; `customer_times` orders by daypart and, last, at the weekend.
    """

    customers: pd.DataFrame
    labels: pd.DataFrame
    department_lines: np.ndarray
    customer_times: np.ndarray
    departments: list[str]

    def those(self, chosen: np.ndarray) -> "People":
        """Keep the customers of a mask, or of these places."""
        return People(
            self.customers.iloc[chosen],
            self.labels.iloc[chosen],
            self.department_lines[chosen],
            self.customer_times[chosen],
            self.departments,
        )

    def by_id(self) -> "People":
        """Order the customers by id: the last digit of a sum of floats depends on their order."""
        return self.those(np.argsort(self.customers["user_id"].to_numpy(), kind="stable"))


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
    """Label the group of each customer: one column per grouping, one row per customer."""
    return pd.DataFrame(
        {
            grouping: add_missing_label(customers[grouping], settings.labels.missing)
            for grouping in settings.groupings()
        }
    )


def is_active(customers: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Say whether each customer is in the active population."""
    return (customers[POPULATION_FLAG] == settings.flags[POPULATION_FLAG].labels[1]).to_numpy()


def habits(tallies: Mapping[str, Tally], groupings: list[str]) -> pd.DataFrame:
    """Describe the ordering habits of every group: a row per population and group."""
    tables = []
    for population, grouping in product(POPULATIONS, groupings):
        groups, gaps = (
            tallies[name].at("population", population) for name in (grouping, f"gaps_{grouping}")
        )
        tables.append(
            groups.table().assign(
                population=population,
                grouping=grouping,
                median_days_between_orders=median_of_counts(gaps["orders"]),
            )
        )
    table = pd.concat(tables)
    table = table[table["lines"] > 0].reset_index(drop=True)
    spend = table["spend_cents"] / 100
    return table[["population", "grouping", "group", "customers", "orders", "lines"]].assign(
        spend=dollars(table["spend_cents"]),
        mean_order_value=per(spend, table["orders"]),
        mean_lines_per_order=per(table["lines"], table["orders"]),
        mean_item_price=per(spend, table["priced_lines"]),
        median_days_between_orders=table["median_days_between_orders"],
        reorder_rate=per(table["reordered_lines"], table["lines"]),
    )


def department_mix(tallies: Mapping[str, Tally], groupings: list[str]) -> pd.DataFrame:
    """Count the lines of every group by department, with their share of the group and its lift.

    `customers` are those of the group who bought there. Lift is the share over the population's
    share.
    """
    tables = []
    for population, grouping in product(POPULATIONS, groupings):
        overall = tallies["department"].at("population", population)["lines"]
        mix = tallies[f"mix_{grouping}"].at("population", population)
        share = per(mix["lines"], mix["lines"].sum(axis=1, keepdims=True))
        lift = per(share, per(overall, overall.sum()))
        table = mix.table().assign(share=share.ravel(), lift=lift.ravel())
        table.insert(0, "population", population)
        table.insert(1, "grouping", grouping)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    return table[table["lines"] > 0].reset_index(drop=True)


def group_shares(habits: pd.DataFrame) -> pd.DataFrame:
    """Give each group its share of its grouping's customers, orders, lines and spend, active."""
    measures = ["customers", "orders", "lines", "spend"]
    table = habits[habits["population"] == POPULATIONS[1]][["grouping", "group", *measures]]
    whole = table.groupby("grouping")[measures].transform("sum")
    for name in measures:
        table[f"share_of_{name}"] = per(table[name], whole[name])
    table["spend_per_customer"] = np.round(per(table["spend"], table["customers"]), 2)
    return table.reset_index(drop=True)
