"""Q9: which classes the demographics suggest: goods by income, steps in age and income."""

from statistics import NormalDist

import numpy as np
import pandas as pd

from basket.analysis import cut_points, figure
from basket.analysis.cut_points import floats
from basket.analysis.finding import Evidence, Finding, Prize, TooLittleData
from basket.analysis.groups import People
from basket.analysis.measures import TELLING_GOODS, measures, share_of
from basket.analysis.question import WHOM, Question
from basket.analysis.questions.group_differences import (
    IN_WORDS,
    capitalised,
    published_rows,
    whether_groups_differ,
)
from basket.analysis.totals import Counts
from basket.analysis.where import where
from basket.project.settings import Settings

QUESTION = Question(
    id="Q9",
    title="Classifications",
    text="Which classifications do age, income, goods and family status suggest?",
    part=WHOM,
)
MOST_DEPARTMENTS = 6  # shown by income
AGES_PER_ROW = 4  # years


def course_cuts(settings: Settings) -> dict[str, list[float]]:
    """Where the groups of people by age and income begin: the cuts by the column they cut."""
    flags = (settings.flags[name] for name in ("age_group", "income_group"))
    return {flag.source: flag.cuts for flag in flags}


def bands(counts: Counts) -> pd.DataFrame:
    """Compare the steps that a search proposes with the course's cuts, for active customers."""
    people, settings = counts.active_people, counts.settings
    values = customer_measures(people, settings)
    return cut_points.bands(people.customers, values, course_cuts(settings), settings)


def customer_measures(people: People, settings: Settings) -> pd.DataFrame:
    """One value per customer of what bands could explain; missing where nothing can be divided.

    Mean item price (dollars), order value (dollars an order), income (dollars a year) as a measure
    of age, and the shares of the customer's lines in the departments of TELLING_GOODS.
    """
    values = measures(people, settings)
    shares = [share_of(name) for name in people.departments if name in TELLING_GOODS]
    return pd.DataFrame(
        {
            "mean_item_price": values["mean_item_price"](),
            "mean_order_value": values["mean_order_value"](),
            "income": floats(people.customers["income"]),
            **{name: values[name]() for name in shares},
        }
    )


def income_by_age(counts: Counts) -> pd.DataFrame:
    """Average the income of active customers by age, in rows of four years, with its interval.

    Customers are taken in the order of their ids: the last digit of a sum of floats depends on it.
    """
    active = counts.active_people.customers.dropna(subset="income").sort_values("user_id")
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


def goods_by_income(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the departments that differ most by income, weighted by their share of order lines."""
    table = tables["department_lifts"][where(grouping="income_group")]
    table = published_rows(tables, table, settings)
    if table.empty:
        raise TooLittleData("No income group has enough customers to be shown.")
    spread = table.groupby("measure")["effect"].agg(lambda lifts: np.log(lifts.max() / lifts.min()))
    lines = tables["departments"][where(population="active")].set_index("department")["lines"]
    weight = spread * spread.index.map(lines / lines.sum())
    chosen = weight.sort_values(ascending=False).index[:MOST_DEPARTMENTS]
    wide = table[table["measure"].isin(chosen)].pivot(
        index="measure", columns="group_a", values=["effect", "effect_low", "effect_high"]
    )
    groups = [name for name in settings.flags["income_group"].labels if name in wide["effect"]]
    intervals = {name: [f"{name}, low", f"{name}, high"] for name in groups}
    columns = {name: wide["effect"][name] for name in groups}
    for name, (low, high) in intervals.items():
        columns |= {low: wide["effect_low"][name], high: wide["effect_high"][name]}
    data = pd.DataFrame(columns).loc[chosen].rename_axis("department").reset_index()
    top = data.iloc[0]
    return figure.plain_bars(
        data,
        x="department",
        series=groups,
        intervals=intervals,
        name="goods_by_income",
        title="Income goes with what is in the basket"
        if len(table[where(for_headline="yes")])
        else "No department is proven to sell more or less by income",
        subtitle="A department's share of the group's order lines over its share of all, active "
        "customers, " + figure.with_intervals(settings),
        alt="Bars of lift by income group for the departments that differ most; in "
        f"{top['department']} the groups run from {min(top[groups]):.2f} to "
        f"{max(top[groups]):.2f}.",
        sources=("department_lifts",),
        x_title="Department",
        y_title="Times the usual share of order lines",
        number_format=figure.RATIO,
        reference=1.0,
    )


def mean_income_by_age(tables: dict, settings: Settings) -> figure.Figure:
    """Draw income over age, where a step may be."""
    data = tables["income_by_age"]
    data = data[data["customers"] >= settings.privacy.smallest_group]
    if data.empty:
        raise TooLittleData("No age has enough customers with an income to be shown.")
    runs = f"runs from ${data['mean_income'].min():,.0f} to ${data['mean_income'].max():,.0f}"
    step = tables["bands"][
        where(attribute="age", measure="income", method="proposed", confirmed="yes")
    ]
    return figure.line(
        data,
        x="ages",
        y="mean_income",
        name="income_by_age",
        title=f"Mean income {runs} over the ages"
        if step.empty
        else f"Mean income steps up at age {_listed(step['cuts'].iloc[0])}",
        subtitle=f"Mean income by age, active customers, {figure.with_intervals(settings)}",
        alt=f"Line of mean income by age; it {runs} a year.",
        sources=("income_by_age",),
        x_title="Age in years",
        y_title="US dollars a year",
        number_format=figure.DOLLARS,
    )


def _listed(cuts: str) -> str:
    return str(cuts).replace(" | ", " and ")


def by_income(seen: Evidence, settings: Settings) -> Finding:
    """Say whether income suggests a classification by what is bought."""
    lifts = _proven_lifts(seen.tables, settings)
    if lifts.empty:
        return whether_groups_differ(
            seen, "income_group", "income", figure="goods_by_income", change_mind="More customers."
        )
    group = lifts.sort_values("moved", ascending=False)["group_a"].iloc[0]
    lifts = lifts[lifts["group_a"] == group]
    said = []
    for name, rows in (
        ("more", lifts[lifts["effect"] > 1].sort_values("moved", ascending=False)),
        ("less", lifts[lifts["effect"] < 1].sort_values("effect")),
    ):
        if len(rows):
            department = rows["measure"].iloc[0]
            where = {"grouping": "income_group", "group_a": group, "measure": department}
            row = seen.row("department_lifts", **where)
            limits = (("effect", "lift"), ("effect_low", "low"), ("effect_high", "high"))
            lift = (row.cell(cell, f"{name}_{limit}") for cell, limit in limits)
            said.append((name, department, *lift))
    row = seen.row("group_shares", grouping="income_group", group=group)
    customers, spend = row.cell("share_of_customers", "customers"), row.spend
    who, (direction, department, *_) = f"{group.lower()} customers", said[0]
    return Finding(
        headline=f"Income goes with what is bought: {who} buy "
        + " and ".join(f"{more_or_less} from {goods}" for more_or_less, goods, *_ in said),
        so_what=f"In the baskets of {who}: "
        + ", ".join(
            f"{goods} at {lift:.2f} times the usual share (interval {low:.2f} to {high:.2f})"
            for _, goods, lift, low, high in said
        )
        + f". They are {customers:.0%} of active customers.",
        action=f"Class customers by income first; "
        f"{'show' if direction == 'more' else 'do not push'} {department} to {who} and steer the "
        "rest by their own baskets.",
        prize=Prize(what_if=f"${spend:,.0f} of spend comes from {who}."),
        confidence="high",
        figure="goods_by_income",
        change_mind="Real incomes: those of this data were fabricated for a course.",
    )


def _proven_lifts(tables: dict[str, pd.DataFrame], settings: Settings) -> pd.DataFrame:
    """Lifts of departments by income that may carry a headline, with the lines that they move."""
    table = tables["department_lifts"][where(grouping="income_group", for_headline="yes")]
    lifts = table[
        (table["n"] >= settings.privacy.smallest_group)
        & ~table["measure"].isin(settings.labels.unnamed_departments)
    ]
    lines = tables["departments"][where(population="active")].set_index("department")["lines"]
    return lifts.assign(
        moved=(lifts["effect"] - 1).abs() * lines.reindex(lifts["measure"]).to_numpy()
    )


def steps(seen: Evidence, settings: Settings) -> Finding:
    """Say which cut points in age and income the data itself proposes."""
    table = seen.tables["bands"]
    confirmed = table[where(method="proposed", confirmed="yes")]
    if confirmed.empty:
        seen.evidence.append("bands")
        return Finding(
            headline="No step in age or income is confirmed on customers kept aside",
            so_what="What looked like a step on one half of the customers was not there on the "
            "other.",
            action="Keep the usual age and income groups; do not build others.",
            confidence="medium",
            figure="income_by_age",
        )
    best = confirmed.sort_values("r2_confirm_half", ascending=False).iloc[0]
    attribute, measure = best["attribute"], best["measure"]
    proposed, usual = (
        seen.row("bands", attribute=attribute, measure=measure, method=method)
        for method in ("proposed", "course")
    )
    unit = " dollars" if attribute == "income" else ""
    cuts = _listed(proposed.cell("cuts", unit=attribute)) + unit
    explained = proposed.cell("r2_confirm_half", "r2")
    usual_cuts = _listed(usual.cell("cuts", "usual_cuts", attribute)) + unit
    usual_r2 = usual.cell("r2_confirm_half", "usual_r2")
    return Finding(
        headline=f"{capitalised(IN_WORDS.get(measure, measure))} has "
        f"{'steps' if ' and ' in cuts else 'a step'} at {attribute} {cuts}, which explains "
        f"{explained:.0%} of how customers differ in it",
        so_what="Found on half of the customers and confirmed on the other half; the usual cuts at "
        f"{attribute} {usual_cuts} explain {usual_r2:.0%} there.",
        action=f"Cut {attribute} at {cuts} when classing customers.",
        prize=Prize(what_if=f"{proposed.customers:,} customers were looked at."),
        confidence="high",
        figure="income_by_age",
        change_mind="Real demographics: a clean step is a sign of fabricated data.",
    )
