"""Q6: do ordering habits differ with loyalty?"""

from basket.analysis import figure, statistics
from basket.analysis.finding import Evidence, Finding, Prize
from basket.analysis.question import WHOM, Question
from basket.analysis.questions.q05_loyalty import new_and_loyal
from basket.analysis.where import where
from basket.project.settings import Settings

QUESTION = Question(
    id="Q6", title="Habits by loyalty", text="Do ordering habits differ with loyalty?", part=WHOM
)


def gap_by_loyalty(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the days between orders by loyalty."""
    table = tables["habits"][where(population="active", grouping="loyalty_flag")]
    first, last = table.iloc[0], table.iloc[-1]
    return figure.columns(
        table,
        x="group",
        series=["median_days_between_orders"],
        name="habits_by_loyalty",
        title=f"{last['group']}s return after {last['median_days_between_orders']:g} days, "
        f"{first['group'].lower()}s after {first['median_days_between_orders']:g}",
        subtitle="Median days between orders by loyalty, active customers",
        alt=f"Columns: {last['group'].lower()}s order every "
        f"{last['median_days_between_orders']:g} days, {first['group'].lower()}s every "
        f"{first['median_days_between_orders']:g}.",
        sources=("habits",),
        x_title="Loyalty",
        y_title="Median days between orders",
        number_format="0.0",
    )


def habits_by_loyalty(seen: Evidence, settings: Settings) -> Finding:
    """Say how habits differ with loyalty."""
    seen.require_histories()
    new, loyal = new_and_loyal(seen.tables["habits"][where(population="active")], settings)

    def habits(group: str):
        return seen.row("habits", population="active", grouping="loyalty_flag", group=group)

    of_loyal = habits(loyal)
    gap_loyal = of_loyal.cell("median_days_between_orders", "loyal_gap")
    gap_new = habits(new).cell("median_days_between_orders", "new_gap")
    spend = of_loyal.cell("spend", "loyal_spend")
    value = seen.row(
        "tests",
        grouping="loyalty_flag",
        group_a=loyal,
        measure="mean_order_value",
        group_b="all customers",
    )
    ratio, low = value.cell("effect", "value_ratio"), value.cell("effect_low", "value_low")
    high, verdict = value.cell("effect_high", "value_high"), value.cell("verdict", "value_verdict")
    same, undecided = verdict == statistics.NO_DIFFERENCE, verdict == statistics.UNDECIDED
    more = not same and not undecided and ratio > 1
    if same:
        worth = "their orders are worth practically the same"
    elif undecided:
        worth = "whether their orders are worth more is undecided"
    else:
        worth = f"their orders are worth {'more' if more else 'less'}"
    return Finding(
        headline=f"{loyal}s order every {gap_loyal:g} days against {gap_new:g} for {new.lower()}s; "
        f"{worth}",
        so_what=f"An order of a {loyal.lower()} is worth {ratio:.2f} times the mean (interval "
        f"{low:.2f} to {high:.2f}): loyalty shows in how often people order"
        + (", not in what an order is worth." if same else "."),
        action="Aim loyalty offers at shortening the gap to the next order"
        + (" and at bigger baskets." if more else ", not at bigger baskets."),
        prize=Prize(what_if=f"${spend:,.0f} of spend comes from {loyal.lower()}s."),
        confidence="medium" if undecided else "high",
        figure="habits_by_loyalty",
        change_mind="A trial in which a bigger-basket offer raises yearly spend more.",
    )
