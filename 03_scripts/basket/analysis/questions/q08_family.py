"""Q8: do age and family status go with ordering habits, and are they two things?"""

from dataclasses import replace

from basket.analysis import comparisons, figure
from basket.analysis.finding import (
    DESIGN,
    DIFFERENCE,
    INVENTED_CUSTOMERS,
    Evidence,
    Finding,
    TooLittleData,
    if_invented,
)
from basket.analysis.privacy import published_rows
from basket.analysis.question import PEOPLE, WHOM, Question
from basket.analysis.questions import group_words as words
from basket.analysis.questions.group_differences import whether_groups_differ
from basket.analysis.questions.group_halves import held_equal
from basket.analysis.verdicts import UNDECIDED
from basket.analysis.where import where
from basket.analysis.words import capitalised, listed
from basket.project.settings import Settings

QUESTION = Question(
    id="Q8",
    title="Age and family",
    text="Do age and family status go with ordering habits?",
    part=WHOM,
    needs=(PEOPLE,),
)


def effects_by_attribute(tables: dict, settings: Settings) -> figure.Figure:
    """Draw how much each attribute of people tells about what an order is worth."""
    table = tables["tests"]
    table = table[where(measure="mean_order_value", effect_name="epsilon_squared")]
    people = [name for name, flag in settings.tested().items() if flag.describes_people]
    held = {name: held_equal(tables, name, settings) for name in people}
    table = table[table["grouping"].isin(people)]
    table = table[table["adjusted_for"] == table["grouping"].map(held)].dropna(subset="effect")
    table = published_rows(tables, table, settings)
    if table.empty:
        raise TooLittleData("No attribute has groups to compare.")
    table = table.sort_values("effect", ascending=False, kind="stable")
    table = table.assign(grouping=table["grouping"].map(words.attribute))
    proven = table[where(for_headline="yes")]
    first, smallest = table.iloc[0], settings.statistics.effects.epsilon_squared[0]
    is_open = len(proven) and proven["verdict"].iloc[0] == UNDECIDED
    size = "; whether by enough to matter is undecided" if is_open else ""
    equal = "; all but income at equal income" if comparisons.INCOME in held.values() else ""
    return figure.dots(
        table,
        x="grouping",
        y="effect",
        name="effects_by_attribute",
        title="No attribute tells in practice what an order is worth"
        if table["effect_high"].max() < smallest
        else capitalised(proven["grouping"].iloc[0]) + f" goes with what an order is worth{size}"
        if len(proven)
        else "No attribute is proven to go with what an order is worth",
        subtitle=f"Share of the differences in order value that each attribute explains{equal}, "
        f"active customers, {figure.with_intervals(settings)}; grey: too small to matter",
        alt=f"Dots with intervals by attribute; the highest estimate is that of "
        f"{first['grouping']}, {first['effect']:.2%} of how order values differ.",
        sources=("tests",),
        x_title="Attribute",
        y_title="Share of the differences in order value explained",
        number_format=figure.SHARE,
        reference=None,
        band=(0.0, smallest),
        so_what="An attribute that stays in the grey band cannot guide offers of large baskets."
        + if_invented(tables, INVENTED_CUSTOMERS),
    )


def by_family(seen: Evidence, settings: Settings) -> Finding:
    """Say whether age goes with habits, and whether family status is a thing of its own."""
    found = whether_groups_differ(
        seen,
        "age_group",
        settings,
        figure="effects_by_attribute",
        change_mind="A survey in which family status is asked, not derived.",
    )
    restates = where(attribute="family_status", redundant="yes")
    if seen.tables["redundancy"][restates].empty:
        return found
    row = seen.row("redundancy", attribute="family_status")
    accuracy = row.accuracy
    others = listed([words.attribute(name) for name in row.determined_by.split(", ")])
    headline = found.headline[0].lower() + found.headline[1:]
    leave_out = f"Leave family status out where {others} are used."
    if found.kind == UNDECIDED:
        found = replace(found, action=leave_out, action_basis=DESIGN)
    elif found.kind != DIFFERENCE:
        found = replace(found, action=f"{found.action} {leave_out}")
    return replace(
        found,
        headline=f"Family status only restates {others}; {headline}",
        so_what=f"Family status follows from {others} for {100 * accuracy:.4g}% of the customers "
        f"it was checked on, so it adds nothing of its own. {found.so_what}",
    )
