"""Q10: customer profiles from ordering habits: rhythm x basket, and what each segment does.

Orders, gaps, baskets and reorders are real behaviour; people were invented. So the profiles that
the report acts on are made of habits, and age, income and family only describe them.
"""

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import (
    DESCRIPTION,
    DESIGN,
    DIFFERENCE,
    HYPOTHESIS,
    INVENTED_CUSTOMERS,
    LESS,
    MORE,
    NO_ACTION,
    Evidence,
    Finding,
    Prize,
    TooLittleData,
    Touch,
    is_invented,
    require_histories,
)
from basket.analysis.question import PEOPLE, PRICE, WHOM, Question
from basket.analysis.questions.group_halves import TOP_GOODS, TOP_TIMES, top_columns, tops
from basket.analysis.questions.q04_departments import named_departments
from basket.analysis.statistics import ratios
from basket.analysis.totals import Counts
from basket.analysis.verdicts import UNDECIDED
from basket.analysis.where import where
from basket.analysis.words import at_most, half_of_gaps
from basket.project.settings import Settings
from basket.tables.sums import dollars, per

QUESTION = Question(
    id="Q10",
    title="Profiles from habits",
    text="Which customer profiles do ordering habits suggest, and how do they differ?",
    part=WHOM,
    needs=(PRICE, PEOPLE),
)
SHARES = ("share_of_customers", "share_of_orders", "share_of_lines", "share_of_spend")
HABITS = {
    "median_days_between_orders": "median_gap_days",
    "mean_lines_per_order": "mean_lines_per_order",
    "mean_order_value": "mean_order_value",
    "reorder_rate": "reorder_rate",
}
OF_LABELS = [
    *("label", "department", "least_share", "customers", "share_of_customers", "orders"),
    *("share_of_orders", "lines", "spend", "share_of_spend", "mean_lines_per_order"),
    *("lines_ratio", "lines_ratio_low", "lines_ratio_high", "effective_customers"),
]
WHO_THEY_ARE = ("profile", "income_group")  # what predicts later orders by who customers are
DESCRIBED_BY = ("age_group", "income_group", "family_status", "region")


def segments(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per segment, active: its size, rhythm, basket, and what it buys more of, and when.

    `top_department` is the one with the highest lift against the others, `top_time` the time with
    the highest ratio of shares of orders, as one half of the customers chooses them among what is
    proven and the other confirms them; empty where none is.
    """
    habits = tables["habits"][where(population="active", grouping="segment")]
    table = (
        tables["group_shares"][where(grouping="segment")]
        .drop(columns="grouping")
        .rename(columns={"group": "segment"})
        .join(habits.set_index("group")[list(HABITS)].rename(columns=HABITS), on="segment")
        .join(top_columns(tables, TOP_GOODS, "top_department", "top_lift"), on="segment")
        .join(top_columns(tables, TOP_TIMES, "top_time", "top_time_ratio"), on="segment")
    )
    names = table[["top_department", "top_time"]].astype("object").fillna("")
    return table.assign(**names).reset_index(drop=True)


def segment_people(counts: Counts) -> pd.DataFrame:
    """Describe the people of each segment: customers by segment and attribute, active.

    `share` is that of the segment's customers, `lift` the share over that of all. Ages, incomes,
    families and states were invented: this is a description, not a finding.
    """
    labels = counts.active_people.labels
    tables = []
    for grouping in DESCRIBED_BY:
        table = pd.crosstab(labels["segment"], labels[grouping], dropna=False).rename_axis(
            columns="group"
        )
        share = table.div(table.sum(axis=1), axis=0)
        lift = share.div(table.sum() / table.to_numpy().sum(), axis=1)
        stacked = pd.DataFrame(
            {"customers": table.stack(), "share": share.stack(), "lift": lift.stack()}
        ).reset_index()
        tables.append(stacked.assign(grouping=grouping))
    found = pd.concat(tables, ignore_index=True)
    found = found[found["customers"] > 0].astype({"segment": "str", "group": "str"})
    return found[["segment", "grouping", "group", "customers", "share", "lift"]].reset_index(
        drop=True
    )


def basket_labels(counts: Counts) -> pd.DataFrame:
    """Describe the households that baskets tell of, active: a row per label of settings.

    A customer has a label where the department's share of the customer's own order lines reaches
    that of settings; a customer may have several. `lines_ratio` compares the lines of an order with
    the others'.
    """
    people, settings = counts.active_people, counts.settings
    customers = people.customers
    orders, lines, cents = (
        customers[name].to_numpy() for name in ("orders", "lines", "spend_cents")
    )
    rows = []
    for label, rule in settings.basket_labels.items():
        if rule.department not in people.departments:
            continue
        of_department = people.department_lines[:, people.departments.index(rule.department)]
        has = per(of_department, lines) >= rule.share  # 0.07 x 100 is above 7, 7 / 100 is 0.07
        if not has.any():
            continue
        found = ratios.against_others(
            lines, orders, has.astype(np.intp), 2, settings.statistics.confidence
        )
        rows.append(
            {
                "label": label,
                "department": rule.department,
                "least_share": rule.share,
                "customers": int(has.sum()),
                "share_of_customers": float(has.mean()),
                "orders": int(orders[has].sum()),
                "share_of_orders": float(orders[has].sum() / orders.sum()),
                "lines": int(lines[has].sum()),
                "spend": float(dollars(cents[has].sum())),
                "share_of_spend": float(per(cents[has].sum(), cents.sum())),
                "mean_lines_per_order": float(per(lines[has].sum(), orders[has].sum())),
                "lines_ratio": float(found.ratio[1]),
                "lines_ratio_low": float(found.low[1]),
                "lines_ratio_high": float(found.high[1]),
                "effective_customers": float(found.effective_customers[1]),
            }
        )
    return pd.DataFrame(rows, columns=OF_LABELS)


def mix_of_segments(tables: dict, settings: Settings) -> figure.Figure:
    """Draw each segment's share of customers, orders and lines, in a panel for each rhythm."""
    require_histories(tables)
    table = _published(tables["segments"], settings)
    most = table.sort_values("share_of_lines").iloc[-1]
    data = table[["segment", *SHARES[:3]]]
    rhythm_of = {name: parts["rhythm"] for name, parts in settings.composed()["segment"]}
    rhythms = [rhythm_of.get(name, name) for name in data["segment"]]  # or it is missing
    baskets = [
        name.removeprefix(rhythm).strip()
        for name, rhythm in zip(data["segment"], rhythms, strict=True)
    ]
    data = data.assign(rhythm=rhythms, basket=baskets)
    return figure.bars(
        data,
        x="basket",
        series=list(SHARES[:3]),
        name="segments",
        name_of="segment",
        panel="rhythm",
        native=False,
        title=f"{most['segment']}: {most['share_of_customers']:.0%} of customers, "
        f"{most['share_of_lines']:.0%} of order lines",
        subtitle="Share of customers, orders and order lines by segment, active customers",
        alt=f"Bars by segment of habits; {most['segment']} has the most order lines, "
        f"{most['share_of_lines']:.1%}, of {most['share_of_customers']:.1%} of customers.",
        sources=("segments",),
        x_title="Basket",
        y_title="Share",
        number_format=figure.SHARE,
        labels={
            "share_of_customers": "of customers",
            "share_of_orders": "of orders",
            "share_of_lines": "of order lines",
        },
        so_what="A segment whose share of lines is above its share of customers carries more than "
        "its weight: keep its rhythm before winning others.",
    )


def goods_by_segment(tables: dict, settings: Settings) -> figure.Figure:
    """Draw what each segment buys more or less of than the others, where it is decided."""
    require_histories(tables)
    table = tables["department_lifts"]
    table = table[where(grouping="segment")].rename(
        columns={"group_a": "segment", "measure": "department", "effect": "ratio"}
    )
    table = named_departments(table, settings)
    table = table[table["segment"].isin(_published(tables["segments"], settings)["segment"])]
    if table.empty or (table["reason"].fillna("") != "").all():
        raise TooLittleData("No segment has enough customers for its goods to be compared.")
    data = figure.decided_first(table, rows="segment", columns="department", ratio="ratio")
    proven = data[~data["is_undecided"] & data["is_proven"]]
    sure = tops(tables, TOP_GOODS)
    sure = sure[sure.index.isin(data["segment"])]
    title = "No segment buys more or less of a department surely enough for a claim"
    if len(sure):
        title = f"{sure.index[0]}: a larger share of {sure['measure'].iloc[0]} than the others"
    elif len(proven):
        title = "Segments differ in what they buy; no half of the customers alone confirms in what"
    return figure.heat(
        data.drop(columns="is_proven"),
        rows="segment",
        columns="department",
        values="ratio",
        undecided="is_undecided",
        name="goods_by_segment",
        title=title,
        subtitle="A department's share of the segment's order lines, times that of the others, "
        "active customers of both halves; grey: not sure enough for a claim"
        f"{figure.without(table, data, 'department')}",
        alt=f"Heat map of departments by segment; {int((~data['is_undecided']).sum())} of "
        f"{len(data)} cells are decided, {len(proven)} of them proven to differ.",
        sources=("department_lifts", "segments", "split_halves"),
        x_title="Department",
        y_title="Times the others' share of order lines",
        so_what="Offer a segment what it buys more of than the others; grey cells say nothing."
        if (proven["ratio"] > 1).any()
        else "No offer to a segment follows from here: no cell is proven to lie above 1.",
    )


def what_predicts(tables: dict, settings: Settings) -> figure.Figure:
    """Draw how well each grouping predicts the lines of a customer's later orders."""
    require_histories(tables)
    table = _predicted(tables)
    table = table[table["reason"] == ""]
    if table.empty:
        raise TooLittleData("Too few customers tell how well a grouping predicts later orders.")
    data = table.assign(grouping=table["grouping"].map(GROUPINGS_IN_WORDS))
    data = data.rename(columns=lambda name: name.replace("r_squared", "explained"))
    best = data.sort_values("explained").iloc[-1]
    return figure.dots(
        data.sort_values("explained", ascending=False),
        x="grouping",
        y="explained",
        name="segment_gain",
        title="Rhythm and basket predict later baskets better than age, family and income"
        if habits_are_better(table)
        else "Habits are not proven to predict later baskets better than age, family and income",
        subtitle="Share of the differences in lines an order, second half of each customer's "
        f"orders, on customers not learnt from, {figure.with_intervals(settings)}",
        alt=f"Dots with intervals by grouping; {best['grouping'].lower()} explain "
        f"{best['explained']:.1%} of how later orders differ in size.",
        sources=("segment_gain",),
        x_title="Grouping",
        y_title="Share explained",
        number_format=figure.SHARE,
        reference=0.0,
        so_what="Plan with the grouping that predicts what customers do next; one whose "
        "interval reaches 0 is not proven to predict anything.",
    )


GROUPINGS_IN_WORDS = {
    "profile": "Age, family and income",
    "income_group": "Income",
    "loyalty_flag": "Number of orders",
    "spending_flag": "Price of items",
    "segment": "Rhythm and basket",
    "kmeans": "Clusters (k-means)",
}


def _published(table: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    table = table[table["customers"] >= settings.privacy.smallest_group]
    if table.empty:
        raise TooLittleData("No segment has enough customers to be shown.")
    return table


def _predicted(tables: dict) -> pd.DataFrame:
    """Pick what predicts the lines of later orders; TooLittleData where there is nothing to."""
    table = tables["segment_gain"]
    if table.empty or not table["customers"].any():
        raise TooLittleData("No customer has orders enough to predict some from others.")
    table = table[table["measure"] == "lines_per_order"]
    if not table["customers"].any():
        raise TooLittleData("All later orders hold as many lines: there is nothing to predict.")
    return table


def habits_are_better(table: pd.DataFrame) -> bool:
    """Whether own habits are proven to predict later baskets, and better than who people are.

    Nothing is proven where a reason stands, or where nothing is predicted.
    """
    rows = table.set_index("grouping")
    if not {"segment", *WHO_THEY_ARE} <= set(rows.index[rows["reason"] == ""]):
        return False
    low, most = rows.loc["segment", "r_squared_low"], _most_by_people(table)["r_squared_high"]
    return bool(low > max(most, 0))


def _most_by_people(table: pd.DataFrame) -> pd.Series:
    """Pick, of the groupings by who people are, the one that may predict most."""
    of_people = table[table["grouping"].isin(WHO_THEY_ARE)]
    return of_people.loc[of_people["r_squared_high"].idxmax()]


def which_segments(seen: Evidence, settings: Settings) -> Finding:
    """Say which segment carries most order lines, and how it shops."""
    seen.require_histories()
    table = _published(seen.tables["segments"], settings)
    most = table.sort_values("share_of_lines")["segment"].iloc[-1]
    row = seen.row("segments", segment=most)
    customers, lines = row.share_of_customers, row.share_of_lines
    gap, size, again = row.median_gap_days, row.mean_lines_per_order, row.reorder_rate
    orders, share = row.orders, row.share_of_orders
    buys = ""
    if row.cell("top_department", "department"):
        buys = (
            f" They have {row.cell('top_lift', 'lift'):.1f} times the others' share of "
            f"{row.cell('top_department', 'department')}."
        )
    return Finding(
        kind=DESCRIPTION,
        headline=f"{most} customers are {customers:.0%} of customers and take {lines:.0%} of all "
        "order lines",
        so_what=f"Half of the gaps between their orders are {half_of_gaps(gap)}; an order has "
        f"{size:.1f} lines, and {again:.0%} of their lines are reorders.{buys} Segments are "
        "made from gaps and lines: in these, and in what follows, they differ by definition.",
        action=f"Try offers that keep {most} customers in their rhythm, against a control group.",
        action_basis=HYPOTHESIS,
        touches=(Touch(segment=most, direction=MORE),),
        confidence="high",
        figure="segments",
        prize=Prize(
            what_if=f"{orders:,} orders, {share:.0%} of all, are placed by {most} customers.",
            orders=orders,
        ),
        change_mind="Dates: they would show whether customers move between segments.",
    )


def what_habits_add(seen: Evidence, settings: Settings) -> Finding:
    """Say how much better own habits predict later orders than who people are."""
    seen.require_histories()
    table = _predicted(seen.tables)
    better = habits_are_better(table)
    key = {"measure": "lines_per_order"}
    own = seen.row("segment_gain", grouping="segment", **key)
    customers = own.cell("customers", "customers")
    explained, most, limits = 0.0, 0.0, ""
    if better:
        people = seen.row("segment_gain", grouping=_most_by_people(table)["grouping"], **key)
        explained, most = own.cell("r_squared", "own"), people.cell("r_squared_high", "people_most")
        low, high = (own.cell(f"r_squared_{end}", f"own_{end}") for end in ("low", "high"))
        limits = f"The interval of the first is {low:.0%} to {high:.0%}. "
    return Finding(
        kind=DIFFERENCE if better else UNDECIDED,
        headline=f"A customer's own first orders predict {explained:.0%} of how later baskets "
        "differ in size; age, family and income "
        + (f"at most {at_most(most)}" if most > 0 else "nothing")
        if better
        else "Whether a customer's own habits predict later baskets better than age, family and "
        "income is undecided with this data",
        so_what=f"{limits}Learnt on the first half of each customer's orders and judged on the "
        f"second; each of {customers:,} customers is predicted from other customers' averages.",
        action="Predict a customer's baskets from the customer's own rhythm and basket, not from "
        "who the customer is."
        if better
        else "No action follows.",
        action_basis=DESIGN if better else NO_ACTION,
        touches=(
            Touch(attribute="rhythm and basket", direction=MORE),
            Touch(attribute="profile", direction=LESS),
        )
        if better
        else (),
        confidence="high" if better else "low",
        rests_on=(INVENTED_CUSTOMERS,),
        figure="segment_gain",
        change_mind="Real ages, families and incomes: those of this data were invented."
        if is_invented(seen.tables, PEOPLE)
        else "Customers of another shop.",
    )
