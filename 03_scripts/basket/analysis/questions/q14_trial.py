"""Q14: how we would know that it works: the trial that each action to be tried needs.

Customers are assigned to two arms at random, one of which gets the action. The outcome that decides
is all orders of a customer, because an advertisement may only move an order from one hour to
another; the orders at the times of the action are what it touches directly. An action that is to
make orders larger is decided by all order lines of a customer. How many customers an arm needs
follows from how much customers differ, which this data tells. No size helps where the action
touches too little.
"""

import math
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import (
    ALL_ORDERS,
    BOTH,
    DESCRIPTION,
    DESIGN,
    HYPOTHESIS,
    LARGER_ORDERS,
    ONE_MORE_LINE,
    ORDER_LINES,
    OWN_USUAL_GAP,
    Evidence,
    Finding,
    TooLittleData,
    require_histories,
)
from basket.analysis.groups import is_active
from basket.analysis.privacy import published_rows
from basket.analysis.question import WHOM, Question
from basket.analysis.questions.group_words import attribute
from basket.analysis.totals import Counts
from basket.analysis.where import where
from basket.analysis.words import per_cent
from basket.project.settings import Settings
from basket.tables.stage import Stage
from basket.tables.sums import HOURS, WALL, customer_of, narrow, per, sum_by

QUESTION = Question(
    id="Q14",
    title="The trial",
    text="How would we know that an action works: whom to compare, for how long, and how many?",
    part=WHOM,
)
AT_ITS_TIMES = "orders at its times"
SHORT = 34  # characters of an action in the figure
COLUMNS = [
    *("finding", "action", "unit_of_trial", "arms", "outcome", "guard", "weeks", "lift"),
    "most_lift",
    *("customers_here", "mean_outcome", "sd_outcome", "significance", "power"),
    *("customers_per_arm", "supported", "decision"),
]
QUOTED_WITHIN = str.maketrans("“”", "‘’")


@dataclass(frozen=True)
class Seen:
    """What the customers who were seen as long as a trial lasts ordered in its weeks.

    `orders` by day x hour (customers x 168), their order `lines`, each one's `usual_gap` in days
    (30 is 30 or more), and in `groups` the label of each in every grouping.
    """

    orders: np.ndarray
    lines: np.ndarray
    usual_gap: np.ndarray
    groups: pd.DataFrame


def trial_plan(
    stage: Stage, counts: Counts, found: list[dict], prizes: pd.DataFrame
) -> pd.DataFrame:
    """Plan a trial of each action that is a hypothesis: a row per action, outcome and lift."""
    seen = seen_in_trial(stage, counts)
    with_one = prizes.loc[prizes["lever"] == BOTH, "base_orders"].sum()
    of_pair = float(per(with_one, counts["day_hour"].at("population", "active")["lines"].sum()))
    rows = []
    for finding in found:
        if finding["action_basis"] == HYPOTHESIS:
            rows += plan(finding, seen, counts.settings, of_pair)
    return pd.DataFrame(rows, columns=COLUMNS)


def seen_in_trial(stage: Stage, counts: Counts) -> Seen:
    """Count what each customer orders in the weeks of a trial.

    The weeks follow the customer's first order. Customers who were not seen so long are left out.
    """
    found = stage.for_each_part(
        count_part,
        {
            "orders": (
                "analysis_orders",
                [
                    *("user_id", "order_number", "order_day", "order_hour"),
                    *("days_since_prior_order", "lines"),
                ],
            ),
            "customers": (
                "analysis_customers",
                ["user_id", "exclusion_flag", "median_days_between_orders"],
            ),
        },
        settings=counts.settings,
    )
    kept = np.concatenate(found["kept"])
    orders, lines, gap = (np.concatenate(found[name]) for name in ("orders", "lines", "usual_gap"))
    return Seen(orders, lines, gap, counts.people.labels[kept])


def count_part(
    orders: pd.DataFrame, customers: pd.DataFrame, *, settings: Settings
) -> tuple[dict, dict]:
    """Count one part's orders and lines in the trial, of customers kept; `kept` says who is.

    Kept are the active customers who were seen for as long as the trial lasts.
    """
    customer = customer_of(orders, customers)
    order = np.lexsort((orders["order_number"], customer))
    customer = customer[order]
    gap = orders["days_since_prior_order"].fillna(0).to_numpy("int64")[order]
    reached = np.cumsum(gap)
    first = np.flatnonzero(np.diff(customer, prepend=-1))
    day = reached - np.repeat(reached[first], np.diff(first, append=len(customer)))
    length = 7 * settings.trial.weeks
    seen = np.zeros(len(customers), bool)
    seen[customer[day >= length]] = True
    kept = seen & is_active(customers, settings)
    inside = (day > 0) & (day <= length)
    cell = orders["order_day"].to_numpy("int64") * HOURS + orders["order_hour"].to_numpy("int64")
    cells = 7 * HOURS
    counts = np.bincount(
        customer[inside] * cells + cell[order][inside], minlength=len(customers) * cells
    )
    lines = orders["lines"].to_numpy("int64")[order]
    usual = customers["median_days_between_orders"].to_numpy("float64", na_value=np.nan)
    return {}, {
        "orders": [narrow(counts.reshape(-1, cells)[kept])],
        "lines": [sum_by(customer[inside], lines[inside], len(customers))[kept]],
        "usual_gap": [usual[kept]],
        "kept": [kept],
    }


def plan(finding: dict, seen: Seen, settings: Settings, of_pair: float = math.nan) -> list[dict]:
    """Plan the trial of one action: who takes part, what is counted, how many an arm needs.

    `of_pair` are the orders with one product of the pair and not the other, over all order lines.
    """
    touched = finding["touches"]
    those = takes_part(touched, seen)
    if those.sum() < settings.privacy.smallest_group:
        return []  # what so few customers do is not told, and no trial can be planned from it
    times = cells_touched(touched, settings)
    most = most_lift(finding, seen.orders[those], times, of_pair)
    if is_to_enlarge(finding):
        outcomes, guard = {ORDER_LINES: seen.lines[those]}, "all orders must not fall"
    else:
        outcomes = {ALL_ORDERS: seen.orders.sum(axis=1)[those]}
        guard = "order value and lines per order must not fall"
        if times.any() and not times.all():
            outcomes[AT_ITS_TIMES] = seen.orders[:, times].sum(axis=1)[those]
    decides = next(iter(outcomes))
    rows = []
    for outcome, counted in outcomes.items():
        if len(counted) < 2 or counted.min() == counted.max():
            continue  # where customers do not differ, nothing tells how many are needed
        mean, deviation = float(counted.mean()), float(counted.std(ddof=1))
        for lift in settings.trial.lifts:
            needed = customers_per_arm(mean, deviation, lift, settings)
            rows.append(
                {
                    "finding": finding["id"],
                    "action": finding["action"],
                    "unit_of_trial": "customer, assigned at random",
                    "arms": "two arms of equal size: the action, and its control group",
                    "outcome": outcome,
                    "guard": guard,
                    "weeks": settings.trial.weeks,
                    "lift": lift,
                    "most_lift": most if outcome == decides else math.nan,
                    "customers_here": int(those.sum()),
                    "mean_outcome": mean,
                    "sd_outcome": deviation,
                    "significance": settings.statistics.significance,
                    "power": settings.statistics.power,
                    "customers_per_arm": needed,
                    "supported": "yes" if 2 * needed <= those.sum() and not lift > most else "no",
                    "decision": f"roll out where the interval of the difference in {decides} lies "
                    "above 0",
                }
            )
    return rows


def is_to_enlarge(finding: dict) -> bool:
    """Say whether an action is to make orders larger, rather than more."""
    lever = (finding.get("prize") or {}).get("lever")
    attributes = {touch.get("attribute") for touch in finding["touches"]}
    return lever in (ONE_MORE_LINE, BOTH) or LARGER_ORDERS in attributes


def most_lift(finding: dict, orders: np.ndarray, times: np.ndarray, of_pair: float) -> float:
    """Say how much more there could be at the very most; NaN where the action has no such end.

    All `orders` at its times (customers x 168) would come twice, or be twice as large; each order
    with one product of a pair would gain the other.
    """
    if (finding.get("prize") or {}).get("lever") == BOTH:
        return round(of_pair, 6)
    if not times.any() or times.all():
        return math.nan
    return round(float(per(orders[:, times].sum(), orders.sum())), 6)


def takes_part(touches: list[dict], seen: Seen) -> np.ndarray:
    """Say of each customer whether an action is for it: for all, where it names no group.

    What follows each one's own usual gap is for those who have one that is known: below 30 days.
    """
    if any(touch.get("attribute") == OWN_USUAL_GAP for touch in touches):
        return seen.usual_gap < WALL
    groupings = {attribute(grouping): grouping for grouping in seen.groups}
    named = [touch for touch in touches if "segment" in touch]
    those = [
        seen.groups[groupings[touch.get("attribute", "segment")]] == touch["segment"]
        for touch in named
    ]
    return np.any(those, axis=0) if those else np.ones(len(seen.groups), bool)


def cells_touched(touches: list[dict], settings: Settings) -> np.ndarray:
    """Say of each day x hour (168) whether an action touches it."""
    days, parts = settings.day_names, list(settings.dayparts)
    part_of = np.array(settings.daypart_of_hour())
    cells = np.zeros((7, HOURS), bool)
    for touch in touches:
        if not {"day", "daypart"} & touch.keys():
            continue
        day = days.index(touch["day"]) if "day" in touch else slice(None)
        hours = np.isin(np.arange(HOURS), range(*touch.get("hours", (0, HOURS))))
        if "daypart" in touch:
            hours &= part_of == parts.index(touch["daypart"])
        cells[day, hours] = True
    return cells.ravel()


def customers_per_arm(mean: float, deviation: float, lift: float, settings: Settings) -> int:
    """Return how many customers each arm needs to see `lift`, two digits, rounded up.

    n = 2 (z_(1 - alpha/2) + z_power)^2 sd^2 / (lift mean)^2, for the difference of two means.
    Source: Fleiss, Levin and Paik (2003), ch. 4; alpha and power are those of settings.
    """
    z = NormalDist().inv_cdf
    limits = settings.statistics
    reach = z(1 - limits.significance / 2) + z(limits.power)
    needed = 2 * (reach * deviation / (lift * mean)) ** 2
    step = 10 ** max(0, math.floor(math.log10(needed)) - 1)
    return math.ceil(needed / step) * step


def sizes_by_lift(tables: dict, settings: Settings) -> figure.Figure:
    """Draw how many customers each arm needs, by action, for the smallest lift."""
    require_histories(tables)
    planned = published_rows(tables, tables["trial_plan"], settings)
    table = _smallest_lift(tables | {"trial_plan": planned})
    shown = {ALL_ORDERS: "", ORDER_LINES: " (lines)", AT_ITS_TIMES: " (these times)"}
    where_counted = table["outcome"].map(shown)
    data = table.assign(trial=table["action"].map(short_names(table["action"])) + where_counted)
    data = data.drop_duplicates(["trial", "customers_per_arm"])  # actions with the same trial
    data = data.sort_values("customers_per_arm", ascending=False, ignore_index=True)
    least = data.iloc[-1]
    lift, most = per_cent(least["lift"]), data["customers_per_arm"].iloc[0]
    up_to = f" to {most:,}" if most > least["customers_per_arm"] else ""
    return figure.bars(
        data[["trial", "customers_per_arm"]],
        x="trial",
        series=["customers_per_arm"],
        name="trial_plan",
        title=f"A trial needs {least['customers_per_arm']:,}{up_to} customers an arm to see {lift} "
        f"more{', by action' * bool(up_to)}",
        subtitle=f"Customers in each arm for {lift} more in {least['weeks']} weeks, "
        f"by action, at {per_cent(settings.statistics.power)} power",
        alt=f"Bars of the customers that each arm needs, by action; the least are "
        f"{least['customers_per_arm']:,}.",
        sources=("trial_plan",),
        x_title="Action and outcome",
        y_title="Customers an arm",
        highlight=tuple(data.loc[data["customers_per_arm"] == least["customers_per_arm"], "trial"]),
        so_what="Sizes count the customers whom an action addresses: to find them for an action "
        "that addresses a tenth of all, ten times as many are needed. The more customers differ in "
        "what is counted, the larger the trial.",
    )


def short_names(actions: Iterable[str]) -> dict[str, str]:
    """Shorten each action to SHORT characters, all to as many more as keep them apart."""
    actions, width = set(actions), SHORT
    while True:
        names = {action: textwrap.shorten(action, width, placeholder="…") for action in actions}
        if len(set(names.values())) == len(names) or width >= max(map(len, names)):
            return names
        width += 1


def _smallest_lift(tables: dict) -> pd.DataFrame:
    require_histories(tables)
    table = tables["trial_plan"]
    table = table[~(table["lift"] > table["most_lift"])]
    if table.empty:
        raise TooLittleData(
            "No action is to be tried that touches enough, or no customers who differ were seen "
            "long enough."
        )
    return table[table["lift"] == table["lift"].min()]


def how_to_try(seen: Evidence, settings: Settings) -> Finding:
    """Say how many customers a trial of all orders needs, and whether this data has them."""
    table = _smallest_lift(seen.tables)[where(outcome=ALL_ORDERS)]
    if table.empty:
        raise TooLittleData("The customers who were seen long enough all place as many orders.")
    key = {"outcome": ALL_ORDERS, "finding": table["finding"].iloc[0]}
    row = seen.row("trial_plan", lift=table["lift"].iloc[0], **key)
    lift, weeks, needed = row.lift, row.weeks, row.customers_per_arm
    here, mean, deviation = row.customers_here, row.mean_outcome, row.sd_outcome
    enough, significance, power = row.supported == "yes", row.significance, row.power
    return Finding(
        kind=DESCRIPTION,
        headline=f"A trial that can see {per_cent(lift)} more orders in {weeks} weeks needs about "
        f"{needed:,} customers in each arm",
        so_what=f"A customer places {mean:.1f} orders in the {weeks} weeks after the first one, "
        f"with a standard deviation of {deviation:.1f}. This data has {here:,} such customers, "
        + ("enough for both arms." if enough else "too few for such a trial.")
        + _first_to_try(seen)
        + f" All sizes are those of a two-sided test at {per_cent(significance)} that finds such a "
        f"difference with a chance of {per_cent(power)}.",
        action="Split customers in two at random, by a hash of their ids, and apply the action to "
        "one half. Count what the plan names, at all hours: orders in a window may only have "
        "moved there.",
        action_basis=DESIGN,
        confidence="medium",
        figure="trial_plan",
        change_mind="Orders before the trial, which explain a part of how customers differ.",
    )


def _first_to_try(seen: Evidence) -> str:
    """Name the action whose trial sees the smallest lift with the customers of this data."""
    plan = seen.tables["trial_plan"]
    ready = plan[where(supported="yes")].dropna(subset="customers_here")
    ready = ready[ready["outcome"] != AT_ITS_TIMES]
    if ready.empty:
        return " No trial of the plan has enough customers here."
    first = ready.sort_values(["lift", "customers_per_arm"], kind="stable").iloc[0]
    key = {name: first[name] for name in ("finding", "outcome", "lift")}
    row = seen.row("trial_plan", **key)
    action = row.cell("action", "first_action").rstrip(".").translate(QUOTED_WITHIN)
    lift, needed = row.cell("lift", "first_lift"), row.cell("customers_per_arm", "first_needed")
    what = "order lines" if first["outcome"] == ORDER_LINES else "orders"
    return (
        f" The first that can be tried here is “{action}”: {per_cent(lift)} "
        f"more {what} can be seen with {needed:,} customers an arm."
    )
