"""Q4: which departments are ordered most often, which have the lowest share, and why."""

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import SALES, Evidence, Finding, Prize, TooLittleData
from basket.analysis.question import WHEN, Question
from basket.analysis.where import where
from basket.project.settings import Settings
from basket.tables.sums import per

QUESTION = Question(
    id="Q4",
    title="Departments",
    text="Which departments are ordered most often, which have the lowest share, and why?",
    part=WHEN,
)
REASONS = {  # the factor of department_reach that makes a department small, in words
    "reach": ("how many customers buy it", "few customers buy it"),
    "orders_per_buyer": ("how often its buyers order it", "its buyers order it rarely"),
    "lines_per_order": ("how much they take at a time", "its buyers take little of it at a time"),
}


def department_reach(departments: pd.DataFrame, customers: int) -> pd.DataFrame:
    """Why a department is large or small, active: who buys x how often x how much at a time.

    lines = customers who buy x orders with it per buyer x lines per such order. Each factor is
    also given against the geometric mean of all departments (1 = typical); `main_reason` is the
    factor that lies farthest from it in the direction of the department's size.
    """
    of = departments[where(population="active")]
    table = of[["department_id", "department", "lines"]].assign(
        share=per(of["lines"], of["lines"].sum()),
        spend=of["spend"],
        reach=per(of["customers"], customers),
        orders_per_buyer=per(of["orders"], of["customers"]),
        lines_per_order=per(of["lines"], of["orders"]),
    )
    logs = np.log(table[list(REASONS)])
    against = logs - logs.mean()
    table = table.join(np.exp(against).add_suffix("_against_typical"))
    direction = np.sign(against.sum(axis=1))
    reasons = np.array([reason for reason, _ in REASONS.values()])
    largest = against.mul(direction, axis=0).to_numpy().argmax(axis=1) if len(of) else []
    table = table.assign(main_reason=reasons[largest], reorder_rate=of["reorder_rate"])
    table = table.sort_values(["lines", "department_id"], ascending=[False, True])
    table.insert(0, "rank", range(1, len(table) + 1))
    return table.reset_index(drop=True)


def named_departments(table: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Leave out the departments that gather what has no other place; TooLittleData if all are."""
    named = table[~table["department"].isin(settings.labels.unnamed_departments)]
    if named.empty:
        raise TooLittleData("No order line belongs to a department with a name.")
    return named


def shares(tables: dict, settings: Settings) -> figure.Figure:
    """Draw each department's share of order lines."""
    named = named_departments(tables["department_reach"], settings)
    top, last = named.iloc[0], named.iloc[-1]
    return figure.plain_bars(
        tables["department_reach"][["department", "share", "lines"]],
        x="department",
        series=["share"],
        name="departments",
        title=f"{top['department'].capitalize()} leads, {last['department']} is smallest",
        subtitle="Share of order lines by department, active customers",
        alt=f"Bars of each department's share of order lines, from {top['department']} with "
        f"{top['share']:.1%} down to {last['department']} with {last['share']:.2%}.",
        sources=("department_reach",),
        x_title="Department",
        y_title="Share of order lines",
        number_format=figure.SHARE,
    )


def reach_and_orders(tables: dict, settings: Settings) -> figure.Figure:
    """Draw why departments are small: who buys from them, and how often."""
    low = named_departments(tables["department_reach"], settings).nsmallest(1, "reach").iloc[0]
    return figure.scatter(
        tables["department_reach"],
        name_of="department",
        x="reach",
        y="orders_per_buyer",
        name="department_reach",
        title=f"{low['department'].capitalize()} reaches {low['reach']:.0%} of customers, the "
        "fewest",
        subtitle="Customers who buy from a department, and how many orders each has with it, "
        "active customers",
        alt="Scatter of departments: few customers buy from those at the left; "
        f"{low['department']} reaches {low['reach']:.1%} of customers.",
        sources=("department_reach",),
        x_title="Share of customers who buy from it",
        y_title="Orders with it per buyer",
        number_format="0.0",
    )


def popular_departments(seen: Evidence, settings: Settings) -> Finding:
    """Say which departments are ordered most."""
    if len(seen.tables["department_reach"]) < 2:
        raise TooLittleData("Only one department has order lines.")
    top, next_one = (seen.row("department_reach", rank=rank) for rank in (1, 2))
    first, second = top.cell("department", "first"), next_one.cell("department", "second")
    share, share2 = top.cell("share", "first_share"), next_one.cell("share", "second_share")
    reach = top.cell("reach", "first_reach")
    again = top.cell("reorder_rate", "first_reorder")
    lines = top.cell("lines", "first_lines")
    return Finding(
        headline=f"{first.capitalize()} and {second} lead with {share:.0%} and {share2:.0%} of all "
        "order lines",
        so_what=f"{reach:.0%} of customers buy {first}, and {again:.0%} of its order lines are "
        "reorders: people come back for it.",
        action=f"Use {first} and {second} as the reason to return; advertise others beside them.",
        prize=Prize(what_if=f"{lines:,} order lines are {first}."),
        owner=SALES,
        confidence="high",
        figure="departments",
        change_mind="Margins: a popular department may earn little.",
    )


def small_departments(seen: Evidence, settings: Settings) -> Finding:
    """Say which department has the lowest share, and why."""
    seen.require_histories()
    named = named_departments(seen.tables["department_reach"], settings)
    row = seen.row("department_reach", rank=int(named["rank"].max()))
    name, share, reach = row.cell("department", "name"), row.share, row.reach
    often, reason = row.cell("orders_per_buyer", "often"), row.cell("main_reason", "reason")
    typical, lines = row.reach_against_typical, row.lines
    too_few_buyers = reason == REASONS["reach"][0]
    return Finding(
        headline=f"{name.capitalize()} has the lowest share of order lines, {share:.2%}: "
        f"{dict(REASONS.values())[reason]}",
        so_what=f"{reach:.1%} of customers ever buy {name}, {typical:.2f} times as many as a "
        f"typical department reaches; those who do have {often:.1f} orders with it.",
        action=f"To grow {name}, win first buyers; a discount for those who buy it already would "
        "change little."
        if too_few_buyers
        else f"To grow {name}, bring its buyers back: reminders and subscriptions.",
        prize=Prize(what_if=f"{lines:,} order lines are {name}."),
        owner=SALES,
        confidence="high",
        figure="department_reach",
        change_mind="Products that are missing from the range: demand that could not be met.",
    )
