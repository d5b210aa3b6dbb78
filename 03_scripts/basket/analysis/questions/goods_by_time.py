"""Q2, second half: what sells more at one time of day."""

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.chosen_times import GOODS, confirmed_goods
from basket.analysis.finding import (
    DIFFERENCE,
    HYPOTHESIS,
    MORE,
    Evidence,
    Finding,
    Prize,
    TooLittleData,
    Touch,
)
from basket.analysis.privacy import published_rows
from basket.analysis.questions.q02_spending import QUESTION  # noqa: F401
from basket.analysis.questions.q04_departments import named_departments
from basket.analysis.times import columns, lifts
from basket.analysis.totals import Counts
from basket.analysis.verdicts import NO_DIFFERENCE, UNDECIDED
from basket.analysis.words import at_daypart
from basket.project.settings import Settings
from basket.tables.sums import per


def department_times(counts: Counts) -> pd.DataFrame:
    """Lines of each department in each daypart, and its lift over the whole day, active.

    `lift` is the department's share of the daypart's lines over its share of all lines.
    """
    settings, lines = counts.settings, counts.times.lines
    lift = lifts(counts.times, settings)
    totals = lines.sum(axis=0).astype("int64")
    dayparts, departments = totals.shape
    table = pd.DataFrame(
        {
            "population": "active",
            "daypart": np.repeat(list(settings.dayparts), departments),
            "department": np.tile(counts.departments["department"], dayparts),
            "lines": totals.ravel(),
            "share": per(totals, totals.sum(axis=1, keepdims=True)).ravel(),
            **columns(lift, "lift", settings),
            "p_value": lift.p_value,
        }
    )
    return table[table["lines"] > 0].reset_index(drop=True)


def goods_by_daypart(tables: dict, settings: Settings) -> figure.Figure:
    """Draw what sells more or less than usual in each part of the day, where it is decided."""
    table = published_rows(tables, tables["department_times"], settings)
    table = named_departments(table, settings)
    if (table["reason"] != "").all():
        raise TooLittleData("No department has enough customers in any part of the day.")
    sure = confirmed_goods(tables["split_halves"])
    cells = table["daypart"] + table["department"]  # what the title may name is not grey
    named = cells.isin(sure["group"] + sure["measure"])
    table = table.assign(for_headline=table["for_headline"].mask(named, "yes"))
    data = figure.decided_first(table, rows="daypart", columns="department", ratio="lift")
    decided = data[~data["is_undecided"]]
    proven = decided[decided["is_proven"]]
    title = "No department is confirmed to sell more at one time of day"
    if len(sure):
        first = sure.iloc[0]
        title = f"{first['measure'].capitalize()} sells more {at_daypart(first['group'])}"
    elif (proven["lift"] > 1).any():
        title = "No half of the customers alone confirms what sells more at one time of day"
    said = "".join(
        f" Of these, the highest ratio is {row.lift:.2f}, of {row.department} "
        f"{at_daypart(row.daypart)}."
        for row in decided.sort_values("lift", kind="stable").tail(1).itertuples()
    )
    return figure.heat(
        data,
        rows="daypart",
        columns="department",
        values="lift",
        undecided="is_undecided",
        name="departments_by_daypart",
        title=title,
        subtitle="Share of order lines of a department in a part of the day, times its usual "
        "share, active customers of both halves; grey: not sure enough for a claim"
        f"{figure.without(table, data, 'department')}",
        alt=f"Heat map of departments by part of the day; {len(decided)} of {len(data)} cells are "
        f"decided.{said}",
        sources=("department_times", "split_halves"),
        x_title="Department",
        y_title="Times its usual share of order lines",
        so_what="Grey cells cannot guide what to advertise when; of the others, blue ones sell "
        "more than usual at that time, orange ones less."
        if len(proven)
        else "What is drawn here cannot guide what to advertise when.",
    )


def what_sells_when(seen: Evidence, settings: Settings) -> Finding:
    """Say what sells more than usual in each part of the day."""
    table = named_departments(seen.tables["department_times"], settings)
    for column, reason in (
        ("department", "Only one department has order lines."),
        ("daypart", "All orders fall into one part of the day."),
    ):
        if seen.tables["department_times"][column].nunique() == 1:
            raise TooLittleData(reason)
    halves = seen.tables["split_halves"]
    sure = confirmed_goods(halves)
    if sure.empty:
        return _no_goods_differ(seen, table)
    topic = sure["topic"].iloc[0]
    row = seen.row("split_halves", topic=topic)
    name, daypart = row.cell("measure", "department", "department"), row.cell("group", "daypart")
    when = at_daypart(daypart)
    more = row.cell("difference", "more")
    lift, low, high = (row.cell(f"effect{end}", f"lift{end}") for end in ("", "_low", "_high"))
    lines = seen.row("department_times", daypart=daypart, department=name).lines
    return Finding(
        headline=f"{name.capitalize()} sells more {when}: its share of order lines is {more:.0%} "
        "above that of the whole day",
        so_what="On the half of the customers that took no part in the choice, its share is "
        f"{lift:.2f} times the usual one (interval {low:.2f} to {high:.2f}). Whether advertising "
        "it then adds more than advertising it at another time is not in this data.",
        action=f"Try {name} in advertisements {when}, against a control group.",
        action_basis=HYPOTHESIS,
        kind=DIFFERENCE,
        touches=(Touch(daypart=daypart, department=name, direction=MORE),),
        prize=Prize(what_if=f"{lines:,} order lines {when} are from {name}."),
        confidence="high",
        figure="departments_by_daypart",
        change_mind="A campaign in that part of the day that moves other departments as much.",
    )


def _no_goods_differ(seen: Evidence, table: pd.DataFrame) -> Finding:
    alike = (table["verdict"] == NO_DIFFERENCE).all()
    picked = seen.tables["split_halves"]
    picked = picked[picked["topic"].str.startswith(GOODS)]
    seen.evidence.append("department_times")
    so_what = "On one half of the customers no department stands out at any time of day."
    if (table["for_headline"] == "yes").any():
        so_what += " What is decided for all of them together was not found by that half."
    if len(picked):
        best = picked.sort_values("effect_first_half", ascending=False, kind="stable").iloc[0]
        row = seen.row("split_halves", topic=best["topic"])
        name, when = row.cell("measure", "department", "department"), at_daypart(row.group)
        so_what = f"{name.capitalize()} {when} stands out on one half of the customers, and "
        so_what += "the other half does not confirm it"
        so_what += (
            f" ({row.reason})." if row.reason else f": {row.effect:.2f} times its usual share"
        )
        if not row.reason:
            so_what += f" (interval {row.effect_low:.2f} to {row.effect_high:.2f})."
    return Finding(
        headline="No department is confirmed to sell more at one time of day than at others",
        so_what=so_what,
        action="No action follows.",
        kind=NO_DIFFERENCE if alike else UNDECIDED,
        confidence="high" if alike else "low",
        figure="departments_by_daypart",
        change_mind="More customers: smaller differences could then be proven.",
    )
