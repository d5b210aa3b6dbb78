"""Q5: how customers are spread between new, regular and loyal, and how soon they order again.

A gap belongs to the order that ends it. Each customer's last order has no lines, but its gap is
known and counts here (D-46). Gaps stop at 30 days, which means 30 or more (D-11).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import (
    DESIGN,
    HYPOTHESIS,
    MORE,
    OWN_USUAL_GAP,
    SOONER,
    Evidence,
    Finding,
    Prize,
    TooLittleData,
    Touch,
    require_histories,
)
from basket.analysis.groups import is_active
from basket.analysis.question import WHOM, Question
from basket.analysis.statistics import ratios
from basket.analysis.where import where
from basket.analysis.words import capitalised
from basket.project.settings import Settings
from basket.tables.stage import Stage
from basket.tables.sums import GAPS, WALL, customer_of, median_of_counts, narrow, per

QUESTION = Question(
    id="Q5",
    title="Loyalty",
    text="How are customers spread between new, regular and loyal: how often do they return?",
    part=WHOM,
)
FIRST_ORDERS = 20  # the orders of each customer after which the time to the next is followed
UNKNOWN = -1
NEXT_ORDER = ["order_number", "day", "at_risk", "returned", "hazard", "still_out"]
NEXT_ORDER += ["still_out_low", "still_out_high"]


@dataclass(frozen=True)
class Gaps:
    """The days between the orders of each active customer, a row per customer, by user_id.

    `by_days` counts a customer's gaps of 0, 1, ... 30 days; `after` holds the days to the next
    order after each of the customer's first orders, UNKNOWN where there is no such order.
    """

    by_days: np.ndarray
    after: np.ndarray
    loyalty: pd.Series


def gaps(stage: Stage) -> Gaps:
    """Read the gaps of all active customers, part by part, the one before the last order too."""
    sums = stage.for_each_part(
        gaps_of_part,
        {
            "orders": ("analysis_orders", ["user_id", "order_number", "days_since_prior_order"]),
            "customers": "analysis_customers",
        },
        settings=stage.settings,
    )
    customers = pd.concat(sums["customers"], ignore_index=True)
    by_id = customers["user_id"].argsort()
    by_days, after = (np.concatenate(sums[name])[by_id] for name in ("by_days", "after"))
    return Gaps(by_days, after, customers["loyalty_flag"][by_id])


def gaps_of_part(
    orders: pd.DataFrame, customers: pd.DataFrame, *, settings: Settings
) -> tuple[dict, dict]:
    """Find the gaps of one part's active customers."""
    active = customers[is_active(customers, settings)].reset_index(drop=True)
    size = len(active)
    place = customer_of(orders, active)
    later = (place >= 0) & orders["days_since_prior_order"].notna().to_numpy()
    last = active["last_gap_days"].notna().to_numpy()
    customer = np.concatenate([place[later], np.flatnonzero(last)])
    ended_by = pd.concat([orders["order_number"][later], active["last_order_number"][last]])
    days = pd.concat([orders["days_since_prior_order"][later], active["last_gap_days"][last]])
    number, days = ended_by.to_numpy("int64") - 1, days.to_numpy("int64")
    after = np.full((size, FIRST_ORDERS), UNKNOWN, np.int8)
    early = (number >= 1) & (number <= FIRST_ORDERS)
    after[customer[early], number[early] - 1] = days[early]
    by_days = np.bincount(customer * GAPS + days, minlength=size * GAPS).reshape(size, GAPS)
    named = active[["user_id", "loyalty_flag"]]
    return {}, {"by_days": [narrow(by_days)], "after": [after], "customers": [named]}


def days_between_orders(found: Gaps) -> pd.DataFrame:
    """Count gaps by their days, each gap once (orders, share) and each customer once (mean_share).

    `customers` have more gaps of so many days than of any other number.
    """
    by_days = found.by_days.astype("int64")
    known = by_days.sum(axis=1)
    most = by_days.max(axis=1, keepdims=True)
    alone = ((by_days == most).sum(axis=1) == 1) & (known > 0)
    commonest = np.bincount(by_days[alone].argmax(axis=1), minlength=GAPS)
    orders = by_days.sum(axis=0)
    shares = by_days[known > 0] / known[known > 0, None]
    days = np.arange(GAPS)
    return pd.DataFrame(
        {
            "days": days,
            "label": [*days[:-1].astype("str"), f"{WALL}+"],
            "orders": orders,
            "share": per(orders, orders.sum()),
            "mean_share": per(shares.sum(axis=0), len(shares)),
            "customers": commonest,
            "share_of_customers": per(commonest, np.count_nonzero(known)),
        }
    )


def usual_gaps(found: Gaps) -> pd.DataFrame:
    """Give the quartiles of the customers' usual gaps, and the gaps beyond the usual: one row.

    A customer's usual gap is the median of the customer's own. A quartile is a gap that occurs: the
    smallest that is not exceeded by a quarter, half, three quarters of the customers. A day less
    before a later order is 1 / d of an order more, d being the mean gap of its customer, and half
    of that for half a day: no order comes sooner than the usual gap. `days_per_order` are the later
    orders over the sum. 30 stands for 30 or more.
    """
    by_days, days = found.by_days.astype("int64"), np.arange(GAPS)
    usual = median_of_counts(by_days)
    known = usual[~np.isnan(usual)]
    quartiles = (
        np.quantile(known, [0.25, 0.5, 0.75], method="inverted_cdf")
        if len(known)
        else np.full(3, np.nan)
    )
    beyond = days - usual[:, None]
    later = np.where(beyond > 0, by_days, 0).sum(axis=1)
    days_saved = np.where(beyond > 0, by_days * np.minimum(beyond, 1), 0).sum(axis=1)
    orders = by_days.sum(axis=1)
    orders_a_day = np.nan_to_num(per(orders, by_days @ days))  # all on one day: none is later
    names = ["low_quartile_days", "median_days", "high_quartile_days"]
    return pd.DataFrame(
        {
            "customers": [len(known)],
            **{name: [days] for name, days in zip(names, quartiles, strict=True)},
            "orders": [orders.sum()],
            "later_orders": [later.sum()],
            "share_later": per([later.sum()], [orders.sum()]),
            "days_per_order": per([later.sum()], [days_saved @ orders_a_day]),
        }
    )


def observed_time(found: Gaps, settings: Settings) -> pd.DataFrame:
    """Say for how long each loyalty group is seen, from first to last order: a row per group.

    A gap of 30 days or more counts 30, so that half of the customers are seen for `median_days` or
    longer.
    """
    seen = found.by_days.astype("int64") @ np.arange(GAPS)
    flag = settings.flags["loyalty_flag"]
    rows = []
    for group, rule in zip(flag.labels, flag.rules, strict=True):
        of_group = seen[(found.loyalty == group).to_numpy()]
        if len(of_group):
            days = np.quantile(of_group, 0.5, method="inverted_cdf")
            rows.append(("loyalty_flag", group, rule, len(of_group), float(days)))
    return pd.DataFrame(rows, columns=["grouping", "group", "rule", "customers", "median_days"])


def time_to_next_order(found: Gaps, settings: Settings) -> pd.DataFrame:
    """Follow customers after each of their first orders until the next: a row per order and day.

    The product-limit estimate (Kaplan and Meier 1958, J. Am. Stat. Assoc. 53, 457-481): nobody is
    lost before day 30, and so it is the share of customers whose next order comes later. 30 means
    30 or more: there is no event on that day. Intervals take the customer as the unit (D-09).
    """
    tables, days = [], np.arange(GAPS)
    for number in range(1, FIRST_ORDERS + 1):
        waited = found.after[:, number - 1]
        waited = waited[waited != UNKNOWN]
        if not len(waited):
            continue
        counts = np.bincount(waited, minlength=GAPS)
        at_risk = len(waited) - counts.cumsum() + counts
        returned = np.where(days < WALL, counts, 0)
        out = (at_risk - returned)[np.minimum(days, WALL - 1)]
        share = ratios.shares(out, len(waited), settings.statistics.confidence)
        values = [returned, per(returned, at_risk), share.ratio, share.low]
        values = [number, days, at_risk, *values, np.minimum(share.high, 1.0)]
        tables.append(pd.DataFrame(dict(zip(NEXT_ORDER, values, strict=True))))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=NEXT_ORDER)


def commonest_gap(table: pd.DataFrame) -> pd.Series:
    """Pick the days between orders with most orders, the fewest of several, without the last row.

    The last row gathers all longer gaps. TooLittleData where nobody came back, or nobody sooner.
    """
    if not table["orders"].any():
        raise TooLittleData("No active customer is known to have come back.")
    sooner = table["orders"].iloc[:-1]
    if not sooner.any():
        raise TooLittleData("Every gap between orders is as long as a gap can be in this data.")
    return table.loc[sooner.idxmax()]


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
    require_histories(tables)
    table = tables["group_shares"][where(grouping="loyalty_flag")]
    if table["customers"].min() < settings.privacy.smallest_group:
        raise TooLittleData("A loyalty group has too few active customers to be shown.")
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
        so_what="Loyalty counts orders, so the loyal must have more of them; the share of orders "
        "says how much rests on them.",
    )


def days_between(tables: dict, settings: Settings) -> figure.Figure:
    """Draw how soon customers order again, by orders and by customers."""
    require_histories(tables)
    table = tables["days_between_orders"]
    peak, last = commonest_gap(table), table.iloc[-1]
    return figure.columns(
        table,
        x="label",
        series=["share", "mean_share"],
        name="days_between_orders",
        title=f"{WALL} days or more: {last['share']:.0%} of all gaps, {last['mean_share']:.0%} of "
        "an average customer's",
        subtitle="Share of gaps by days since the previous order; the last bar is 30 days or more, "
        "active customers",
        alt=f"Two columns per day, each gap counted once and each customer once. Below {WALL} days "
        f"the commonest gap by orders is {peak['label']} days with {peak['share']:.1%}; {WALL} "
        f"days or more are {last['share']:.1%} of all gaps and {last['mean_share']:.1%} of an "
        "average customer's.",
        sources=("days_between_orders",),
        x_title="Days since the previous order",
        y_title="Share of gaps",
        number_format="0.0%",
        labels={"share": "each gap once", "mean_share": "each customer once"},
        highlight=(str(last["label"]),),
        so_what="Gaps differ too much for one day of reminders: let each customer's own usual gap "
        "set it. How long customers stay away beyond 30 days is not known.",
    )


def loyalty(seen: Evidence, settings: Settings) -> Finding:
    """Say how customers and orders are spread between new and loyal."""
    seen.require_histories()
    new, *_, loyal = settings.flags["loyalty_flag"].labels
    groups = set(seen.tables["observed_time"]["group"].astype("str"))
    said = []
    if new in groups:
        told = seen.row("observed_time", grouping="loyalty_flag", group=new)
        share = seen.row("group_shares", grouping="loyalty_flag", group=new).cell(
            "share_of_customers", "new_customers"
        )
        rule, days = told.cell("rule", "new_rule"), told.cell("median_days", "new_days")
        said.append(
            f"{share:.0%} of active customers are {new.lower()}s ({rule} so far); half of them "
            f"are seen for {days:,.0f} days or longer, from first to last order"
        )
    else:
        said.append(f"no active customer is a {new.lower()}")
    if loyal in groups:
        told = seen.row("observed_time", grouping="loyalty_flag", group=loyal)
        rule, days = told.cell("rule", "loyal_rule"), told.cell("median_days", "loyal_days")
        said.append(
            f"half of the {loyal.lower()}s ({rule}) are seen for {days:,.0f} days or longer"
        )
        row = seen.row("group_shares", grouping="loyalty_flag", group=loyal)
        share = row.cell("share_of_customers", "loyal_customers")
        of_orders = row.cell("share_of_orders", "loyal_orders")
        placed = row.cell("orders", "placed")
        headline = f"{loyal}s are {share:.1%} of active customers and place {of_orders:.1%} of "
        headline += "their orders"
        prize = Prize(what_if=f"{placed:,} orders are placed by {loyal.lower()}s.", orders=placed)
    else:
        headline, prize = f"No active customer is a {loyal.lower()}", None
    return Finding(
        headline=headline,
        so_what=_sentence(said) + " The label counts orders: it restates how long and how often "
        "someone has ordered.",
        action="Compare customers at equal numbers of orders; use the label to describe, not to "
        "predict who stays.",
        action_basis=DESIGN,
        prize=prize,
        confidence=_confidence(seen.tables["observed_time"], settings),
        figure="loyalty",
        change_mind="Dates: without them, a new customer may simply have joined late.",
    )


def returning(seen: Evidence, settings: Settings) -> Finding:
    """Say how soon customers order again: each customer once, and each order once."""
    seen.require_histories()
    table = seen.tables["days_between_orders"]
    often = seen.row("days_between_orders", label=commonest_gap(table)["label"])
    wall = seen.row("days_between_orders", label=table["label"].iloc[-1])
    usual = seen.row("usual_gaps", customers=seen.tables["usual_gaps"]["customers"].iloc[0])
    middle, high = usual.cell("median_days", "middle"), usual.cell("high_quartile_days", "high")
    day, share = often.cell("label", "day"), often.share
    end, late = wall.cell("label", "wall").rstrip("+"), wall.cell("share", "late")
    late_by_customer = wall.cell("mean_share", "late_by_customer")
    mostly = wall.cell("share_of_customers", "mostly_late")
    later, share_later = usual.later_orders, usual.share_later
    return Finding(
        headline=f"Half of the customers have a usual gap of {_days(middle, 'less')} between orders"
        + (f", a quarter of {_days(high, 'more')}" if middle < WALL else ""),
        so_what="A customer's usual gap is the median of that customer's days between orders; "
        f"{share_later:.0%} of returns come later than it, and never more than half can. Counted "
        f"by orders, the commonest gap below {end} days is {day} days ({share:.0%}), and "
        f"{late:.0%} of gaps are {end} days or more. Counted by customer, {late_by_customer:.0%} "
        f"of gaps are. {mostly:.0%} of customers have more gaps of {end} days or more than gaps of "
        "any one length. Customers who never came back are not in this data, and a gap longer than "
        f"{end} days is recorded as {end}.",
        action=f"Try a reminder to each customer with a usual gap below {WALL} days, once that gap "
        "has passed, against a control group.",
        action_basis=HYPOTHESIS,
        touches=(Touch(direction=MORE, attribute=OWN_USUAL_GAP),),
        prize=Prize(
            what_if=f"{later:,} orders came later than the customer's usual gap, "
            f"{share_later:.0%} of all returns.",
            lever=SOONER,
            orders=later,
        ),
        confidence=_confidence(seen.tables["usual_gaps"], settings),
        figure="days_between_orders",
        change_mind="Dates: they would show whether people keep to a weekday or to a gap.",
    )


def _sentence(parts: list[str]) -> str:
    return f"{capitalised('; '.join(parts))}."


def _days(days: float, beyond: str) -> str:
    """Say a quartile: gaps stop at 30 days, so that 30 is only ever 30 or more."""
    return f"{days:g} days or {'more' if days >= WALL else beyond}"


def _confidence(described: pd.DataFrame, settings: Settings) -> str:
    """Rate a description of customers: that of a handful of them is no more than a hint."""
    enough = described["customers"].sum() >= settings.statistics.fewest_effective_customers
    return "high" if enough else "low"
