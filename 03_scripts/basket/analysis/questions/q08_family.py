"""Q8: do age and family status go with ordering habits, and are they two things?"""

from dataclasses import replace

from basket.analysis import figure
from basket.analysis.finding import Evidence, Finding, TooLittleData
from basket.analysis.question import WHOM, Question
from basket.analysis.questions.group_differences import (
    attribute_in_words,
    capitalised,
    whether_groups_differ,
)
from basket.analysis.where import where
from basket.project.settings import Settings

QUESTION = Question(
    id="Q8",
    title="Age and family",
    text="Do age and family status go with ordering habits?",
    part=WHOM,
)


def effects_by_attribute(tables: dict, settings: Settings) -> figure.Figure:
    """Draw how much each attribute tells about what an order is worth."""
    table = tables["tests"]
    table = table[where(measure="mean_order_value", effect_name="epsilon_squared")]
    table = table[~table["grouping"].str.contains(" within ")]
    if table["effect"].isna().all():
        raise TooLittleData("No attribute has groups to compare.")
    table = table.sort_values("effect", ascending=False)
    table = table.assign(grouping=table["grouping"].map(attribute_in_words))
    proven = table[where(for_headline="yes")]
    first, smallest = table.iloc[0], settings.statistics.effects.epsilon_squared[0]
    return figure.bars(
        table,
        x="grouping",
        y="effect",
        name="effects_by_attribute",
        title="No attribute tells in practice what an order is worth"
        if table["effect_high"].max() < smallest
        else f"{capitalised(first['grouping'])} tells most about what an order is worth"
        if first["for_headline"] == "yes"
        else f"{capitalised(proven['grouping'].iloc[0])} is proven to tell what an order is worth"
        if len(proven)
        else "No attribute is proven to tell what an order is worth",
        subtitle="Epsilon squared of order value by attribute, active customers, "
        f"{figure.with_intervals(settings)}; below {smallest:g} (dashed) a difference "
        "does not matter",
        alt=f"Bars of epsilon squared with intervals; the largest, {first['grouping']}, is "
        f"{first['effect']:.4f}.",
        sources=("tests",),
        x_title="Attribute",
        y_title="Epsilon squared",
        number_format="0.000",
        reference=smallest,
    )


def by_family(seen: Evidence, settings: Settings) -> Finding:
    """Say whether age and family status go with habits, and whether they are two things."""
    finding = whether_groups_differ(
        seen,
        "age_group",
        "age",
        figure="effects_by_attribute",
        change_mind="A survey in which family status is asked, not derived.",
    )
    restates = where(attribute="family_status", redundant="yes")
    if seen.tables["redundancy"][restates].empty:
        return finding
    row = seen.row("redundancy", attribute="family_status")
    accuracy = row.accuracy
    others = " and ".join(map(attribute_in_words, row.determined_by.split(", ")))
    headline = finding.headline[0].lower() + finding.headline[1:]
    return replace(
        finding,
        headline=f"Family status only restates {others}; {headline}",
        so_what=f"Family status follows from {others} for {100 * accuracy:.4g}% of the customers "
        f"it was checked on, so it adds nothing of its own. {finding.so_what}",
    )
