"""Q5: how customers are spread between new, regular and loyal, and how often they return."""

import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import Evidence, Finding, Prize, TooLittleData
from basket.analysis.question import WHOM, Question
from basket.analysis.totals import Counts
from basket.analysis.where import where
from basket.project.settings import Settings
from basket.tables.sums import per

QUESTION = Question(
    id="Q5",
    title="Loyalty",
    text="How are customers spread between new, regular and loyal: how often do they return?",
    part=WHOM,
)


def days_between_orders(counts: Counts) -> pd.DataFrame:
    """Count the active orders by days since the previous order; 30 means 30 or more."""
    gaps = counts["gaps_loyalty_flag"].at("population", "active").table("days")
    labels = gaps["days"].astype("str")
    labels.iloc[-1] += "+"
    return gaps.assign(label=labels, share=per(gaps["orders"], gaps["orders"].sum()))[
        ["days", "label", "orders", "share"]
    ]


def commonest_gap(table: pd.DataFrame) -> pd.Series:
    """Pick the days between orders with most orders, the fewest of several, without the last row.

    The last row gathers all longer gaps. TooLittleData where nobody came back.
    """
    if not table["orders"].any():
        raise TooLittleData("No active customer is known to have come back.")
    return table.loc[table["orders"].iloc[:-1].idxmax()]


def new_and_loyal(table: pd.DataFrame, settings: Settings) -> tuple[str, str]:
    """Name the least and the most loyal group; TooLittleData where a group has no customer."""
    new, *_, loyal = settings.flags["loyalty_flag"].labels
    present = set(table.loc[where(grouping="loyalty_flag"), "group"].astype("str"))
    for group in (new, loyal):
        if group not in present:
            raise TooLittleData(f"No active customer is a {group.lower()}.")
    return new, loyal


def shares_by_loyalty(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the loyalty groups by customers and by orders."""
    table = tables["group_shares"][where(grouping="loyalty_flag")]
    last = table.iloc[-1]
    return figure.columns(
        table,
        x="group",
        series=["share_of_customers", "share_of_orders"],
        name="loyalty",
        title=f"{last['group']}s: {last['share_of_customers']:.0%} of customers, "
        f"{last['share_of_orders']:.0%} of orders",
        subtitle="Share of customers and of orders by loyalty, active customers",
        alt=f"Columns by loyalty group: {last['group'].lower()}s are "
        f"{last['share_of_customers']:.1%} of customers and place {last['share_of_orders']:.1%} of "
        "orders.",
        sources=("group_shares",),
        x_title="Loyalty",
        y_title="Share",
        number_format=figure.SHARE,
        labels={"share_of_customers": "of customers", "share_of_orders": "of orders"},
    )


def days_between(tables: dict, settings: Settings) -> figure.Figure:
    """Draw how soon customers return."""
    table = tables["days_between_orders"]
    peak, last = commonest_gap(table), table.iloc[-1]
    return figure.histogram(
        table,
        x="label",
        y="orders",
        name="days_between_orders",
        title=f"Customers return most often after {peak['label']} days",
        subtitle="Orders by days since the previous order; the last bar is 30 days or more, active "
        "customers",
        alt=f"Histogram with one bar per day; the highest is at {peak['label']} days with "
        f"{peak['orders']:,} orders, and {last['orders']:,} orders came after 30 days or more.",
        sources=("days_between_orders",),
        x_title="Days since the previous order",
        y_title="Orders",
    )


def loyalty(seen: Evidence, settings: Settings) -> Finding:
    """Say how loyal customers are."""
    new, loyal = new_and_loyal(seen.tables["group_shares"], settings)
    row = seen.row("group_shares", grouping="loyalty_flag", group=loyal)
    share = row.cell("share_of_customers", "loyal_customers")
    orders = row.cell("share_of_orders", "loyal_orders")
    placed = row.cell("orders", "loyal_number")
    fresh = seen.row("group_shares", grouping="loyalty_flag", group=new).cell(
        "share_of_customers", "new_customers"
    )
    return Finding(
        headline=f"{loyal}s are {share:.1%} of active customers and place {orders:.1%} of their "
        "orders",
        so_what=f"{fresh:.0%} of active customers are still new: their next orders are the way to "
        f"more {loyal.lower()}s, who bring {orders:.1%} of orders.",
        action="Reward loyal customers; spend on the next orders of new customers before buying "
        "more first orders.",
        prize=Prize(what_if=f"{placed:,} orders are placed by {loyal.lower()}s."),
        confidence="high",
        figure="loyalty",
        change_mind="Dates: without them, a new customer may simply have joined late.",
    )


def returning(seen: Evidence, settings: Settings) -> Finding:
    """Say how soon customers come back."""
    table = seen.tables["days_between_orders"]
    often = seen.row("days_between_orders", label=commonest_gap(table)["label"])
    rarely = seen.row("days_between_orders", label=table["label"].iloc[-1])
    day, share, orders = often.cell("label", "day"), often.share, often.orders
    end, late = rarely.cell("label", "last").rstrip("+"), rarely.cell("share", "late")
    return Finding(
        headline=f"Customers return most often after {day} days; {late:.0%} of returns take {end} "
        "days or more",
        so_what=f"{share:.0%} of all returns come exactly {day} days after the last order, more "
        f"than on any other day; {late:.0%} come after {end} days or more, and the data does not "
        "say when.",
        action=f"Remind customers just before day {day}; write again after {end} days of silence.",
        prize=Prize(what_if=f"{orders:,} orders came {day} days after the last."),
        confidence="high",
        figure="days_between_orders",
        change_mind="Dates: they would show whether people keep to a weekday or to a gap.",
    )
