"""Q7: do ordering habits differ between regions?"""

from basket.analysis import figure, statistics
from basket.analysis.finding import Evidence, Finding
from basket.analysis.question import WHOM, Question
from basket.analysis.questions.group_differences import (
    OVERALL,
    order_value_ratios,
    whether_groups_differ,
)
from basket.analysis.where import where
from basket.project.settings import Settings

QUESTION = Question(
    id="Q7", title="Habits by region", text="Do ordering habits differ between regions?", part=WHOM
)


def value_by_region(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the value of an order by region."""
    data = order_value_ratios(tables, "region", settings)
    tests = tables["tests"][where(grouping="region")]
    overall = tests[where(measure="mean_order_value", effect_name=OVERALL)]
    most = data.sort_values("ratio").iloc[-1]
    return figure.dots(
        data,
        x="group",
        y="ratio",
        name="habits_by_region",
        title="Region makes no practical difference to the value of an order"
        if (overall["verdict"] == statistics.NO_DIFFERENCE).all()
        else "The value of an order differs by region"
        if len(overall[where(for_headline="yes")])
        else "Whether orders differ in value by region is undecided",
        subtitle="Mean order value by region, times that of all active customers, "
        + figure.with_intervals(settings),
        alt=f"Dots with intervals by region; the highest, {most['group']}, is {most['ratio']:.3f} "
        f"times the mean. {len(tests):,} comparisons by region were made.",
        sources=("tests",),
        x_title="Region",
        y_title="Times the mean of all customers",
    )


def by_region(seen: Evidence, settings: Settings) -> Finding:
    """Say whether habits differ by region."""
    return whether_groups_differ(
        seen,
        "region",
        "region",
        figure="habits_by_region",
        change_mind="More customers, or deliveries and competitors by region.",
    )
