"""Q4: which departments are ordered most often, which have the lowest share, and why."""

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import (
    DESIGN,
    HYPOTHESIS,
    MORE,
    NO_ACTION,
    SALES,
    Evidence,
    Finding,
    Prize,
    TooLittleData,
    Touch,
)
from basket.analysis.privacy import published_rows
from basket.analysis.question import WHEN, Question
from basket.analysis.times import apart, estimates
from basket.analysis.totals import Counts
from basket.analysis.where import where
from basket.analysis.words import capitalised
from basket.project.settings import Settings
from basket.tables.sums import per

QUESTION = Question(
    id="Q4",
    title="Departments",
    text="Which departments are ordered most often, which have the lowest share, and why?",
    part=WHEN,
)
REASONS = {  # what makes a department small: its name in the table, and in words
    "products": ("how many products it has", "it has few products"),
    "reach": ("how many customers buy it", "few customers buy it"),
    "orders_per_buyer": ("how often its buyers order it", "its buyers order it rarely"),
    "lines_per_order": ("how much they take at a time", "its buyers take little of it at a time"),
}
TRIALS = {  # of a small department: what could be tried
    "reach": "Try offers of {name} to customers who have not bought it, against a control group.",
    "orders_per_buyer": "Try reminders of {name} to its buyers, against a control group.",
    "lines_per_order": "Try offers of several {name} products at once to its buyers, against a "
    "control group.",
}


def department_reach(departments: pd.DataFrame, counts: Counts) -> pd.DataFrame:
    """Why a department is large or small, active: who buys x how often x how much at a time.

    lines = customers who buy x orders with it per buyer x lines per such order; `reach` is the
    share of active customers who have it in the orders of this data. Each factor, and the number of
    products, is also given against the geometric mean of all departments (1 = typical);
    `main_reason` is the one that lies farthest from it in the direction of the department's size.
    `ratio_to_next` compares its lines with those of the next department that has a name.
    """
    of = departments[where(population="active")]
    table = of[["department_id", "department", "products", "lines"]].assign(
        share=per(of["lines"], of["lines"].sum()),
        share_of_products=per(of["products"], of["products"].sum()),
        spend=of["spend"],
        customers=of["customers"],
        reach=per(of["customers"], counts.active.sum()),
        orders_per_buyer=per(of["orders"], of["customers"]),
        lines_per_order=per(of["lines"], of["orders"]),
    )
    logs = np.log(table[list(REASONS)].astype("float64"))
    against = logs - logs.mean()
    table = table.join(np.exp(against).add_suffix("_against_typical"))
    direction = np.sign(against.drop(columns="products").sum(axis=1))
    names = np.array([reason for reason, _ in REASONS.values()])
    largest = against.mul(direction, axis=0).to_numpy().argmax(axis=1) if len(of) else []
    table = table.assign(main_reason=names[largest], reorder_rate=of["reorder_rate"])
    table = table.sort_values(["lines", "department_id"], ascending=[False, True])
    table.insert(0, "rank", range(1, len(table) + 1))
    table = table.reset_index(drop=True)
    return table.assign(**_against_next(table["department"], counts))


def _against_next(departments: pd.Series, counts: Counts) -> dict:
    """Compare the lines of each department with those of the next one that has a name."""
    settings = counts.settings
    column = {name: place for place, name in enumerate(counts.departments["department"])}
    named = ~departments.isin(settings.labels.unnamed_departments).to_numpy()
    following = [
        next((other for other in range(place + 1, len(named)) if named[other]), -1)
        for place in range(len(named))
    ]
    known = np.array(following, int) >= 0
    lines = counts.times.lines.sum(axis=1)[:, [column[name] for name in departments]]
    found = estimates([lines], [lines[:, following] * known], settings)
    return {
        "next_name": [departments[place] if place >= 0 else "" for place in following],
        "ratio_to_next": np.where(known, found.ratio, np.nan),
        "ratio_to_next_low": found.low,
        "ratio_to_next_high": found.high,
        "stands_out": np.where(apart(found, settings), "yes", "no"),
        "effective_customers": found.effective_customers,
        "largest_share": found.largest_share,
        "reason": np.where(known, found.reason(settings.statistics), ""),
    }


def named_departments(table: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Leave out the departments that gather what has no other place; TooLittleData if all are."""
    named = table[~table["department"].isin(settings.labels.unnamed_departments)]
    if named.empty:
        raise TooLittleData("No order line belongs to a department with a name.")
    return named


def _two_named(table: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    named = named_departments(table, settings)
    if len(named) == 1:
        raise TooLittleData("Only one department with a name has order lines.")
    return named


def shares(tables: dict, settings: Settings) -> figure.Figure:
    """Draw each department's share of order lines."""
    named = _two_named(tables["department_reach"], settings)
    top, last = named.iloc[0], named.iloc[-1]
    return figure.bars(
        named[["department", "share", "lines"]],
        x="department",
        series=["share"],
        name="departments",
        title=f"{top['department'].capitalize()} has {top['share']:.1%} of all order lines, "
        f"{last['department']} {last['share']:.2%}",
        subtitle="Share of order lines by department that has a name, active customers",
        alt=f"Bars of each department's share of order lines, from {top['department']} with "
        f"{top['share']:.1%} down to {last['department']} with {last['share']:.2%}.",
        sources=("department_reach",),
        x_title="Department",
        y_title="Share of order lines",
        number_format="0.0%",
        so_what="Plan stock and delivery for the longest bars; what the shortest sell hardly moves "
        "the total.",
    )


def reach_and_orders(tables: dict, settings: Settings) -> figure.Figure:
    """Draw why departments are small: who buys from them, and how often."""
    table = published_rows(tables, tables["department_reach"], settings)
    named = _two_named(table, settings)
    low = named.nsmallest(1, "reach").iloc[0]
    return figure.scatter(
        named,
        name_of="department",
        x="reach",
        y="orders_per_buyer",
        name="department_reach",
        title=f"{low['reach']:.1%} of customers have a line of {low['department']} in these orders",
        subtitle="Customers who have a department in the orders of this data, and how many orders "
        "each has with it, active customers",
        alt="Scatter of departments: few customers have those at the left; "
        f"{low['reach']:.1%} of customers have a line of {low['department']} in these orders.",
        sources=("department_reach",),
        x_title="Share of customers who have it in these orders",
        y_title="Orders with it per buyer",
        number_format="0.0",
        is_log=bool((named["reach"] > 0).all()),
        so_what="Departments at the left have few buyers. "
        "Those at the lower right have many, who seldom come back for them.",
    )


def popular_departments(seen: Evidence, settings: Settings) -> Finding:
    """Say which departments are ordered most."""
    named = _two_named(seen.tables["department_reach"], settings)
    top, second = (seen.row("department_reach", rank=rank) for rank in named["rank"].iloc[:2])
    name, other = top.cell("department", "first"), second.cell("department", "second")
    share, share2 = top.cell("share", "first_share"), second.cell("share", "second_share")
    ahead = top.stands_out == "yes"
    third = second.cell("next_name", "third")
    level = f", which is not proven to be ahead of {third}" if second.stands_out != "yes" else ""
    if second.reason:
        level = f", which cannot be compared with {third}: {second.reason}"
    lines, spend = top.cell("lines", "first_lines"), top.cell("spend", "first_spend")
    again = top.cell("reorder_rate", "first_reorder")
    return Finding(
        headline=f"{name.capitalize()} has {share:.0%} of all order lines, ahead of {other} with "
        f"{share2:.0%}{level if third else ''}"
        if ahead
        else f"{name.capitalize()} and {other} have {share:.0%} and {share2:.0%} of all order "
        "lines; which of them leads is not proven",
        so_what=f"{_bought_by(top, name)} {again:.0%} of its order lines are products that the "
        "customer had ordered before.",
        action=f"Plan stock and delivery for {name} first."
        if ahead
        else f"Plan stock and delivery for {name} and {other} first.",
        action_basis=DESIGN,
        owner=SALES,
        prize=Prize(what_if=f"{lines:,} order lines are from {name}.", spend=spend),
        confidence=_confidence(top),
        figure="departments",
        change_mind="Margins: a popular department may earn little.",
    )


def _bought_by(row, name: str) -> str:
    """Say how many customers have a department in the orders that this data holds: its reach."""
    return f"{row.reach:.1%} of customers have a line of {name} in these orders."


def _confidence(row) -> str:
    return "low" if row.reason else "high" if row.stands_out == "yes" else "medium"


def small_departments(seen: Evidence, settings: Settings) -> Finding:
    """Say which department has the lowest share, and why."""
    seen.require_histories()
    table = seen.tables["department_reach"]
    named = _two_named(table, settings)
    of = "Of the departments with a name, " if len(named) < len(table) else ""
    before, row = (seen.row("department_reach", rank=rank) for rank in named["rank"].iloc[-2:])
    name, share = row.cell("department", "name"), row.cell("share", "share")
    products, of_products = row.products, row.share_of_products
    often, typical = row.cell("orders_per_buyer", "often"), row.reach_against_typical
    reason = row.cell("main_reason", "reason")
    factor = next(factor for factor, (said, _) in REASONS.items() if said == reason)
    why = REASONS[factor][1]
    other, share2 = before.cell("department", "before"), before.cell("share", "before_share")
    alone = before.stands_out == "yes"
    trial = TRIALS.get(factor, "").format(name=name) if alone else ""
    wider = f"Decide whether the range of {name} should be wider before advertising it."
    action = trial or (wider if alone else "No action follows.")
    return Finding(
        headline=capitalised(f"{of}{name} has the lowest share of order lines, {share:.2%}: {why}")
        if alone
        else capitalised(
            f"{of}{name} and {other} have the lowest shares of order lines, {share:.2%} and "
            f"{share2:.2%}; which of them is last is not proven"
        ),
        so_what=f"{_bought_by(row, name)} That is {typical:.2f} times as many as a typical "
        "department has (by the geometric mean). Its buyers have "
        f"{often:.1f} orders with it, and it has {products:,} products, {of_products:.2%} of those "
        "sold.",
        action=action,
        action_basis=HYPOTHESIS if trial else DESIGN if alone else NO_ACTION,
        touches=(Touch(department=name, direction=MORE),) if trial else (),
        prize=Prize(what_if=f"{row.lines:,} order lines are from {name}.", spend=row.spend),
        owner=SALES,
        confidence=_confidence(before),
        figure="department_reach",
        change_mind="Products that are missing from the range: demand that could not be met.",
    )
