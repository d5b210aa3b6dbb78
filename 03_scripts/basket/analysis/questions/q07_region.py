"""Q7: do ordering habits differ between regions?"""

from basket.analysis import figure
from basket.analysis.finding import Evidence, Finding
from basket.analysis.question import PEOPLE, WHOM, Question
from basket.analysis.questions.group_differences import value_of_groups, whether_groups_differ
from basket.project.settings import Settings

QUESTION = Question(
    id="Q7",
    title="Habits by region",
    text="Do ordering habits differ between regions?",
    part=WHOM,
    needs=(PEOPLE,),
)


def value_by_region(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the value of an order by region."""
    return value_of_groups(tables, "region", "habits_by_region", settings)


def by_region(seen: Evidence, settings: Settings) -> Finding:
    """Say whether habits differ by region."""
    return whether_groups_differ(
        seen,
        "region",
        settings,
        figure="habits_by_region",
        change_mind="More customers, or deliveries and competitors by region.",
    )
