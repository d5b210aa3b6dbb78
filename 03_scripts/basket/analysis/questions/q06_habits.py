"""Q6: do ordering habits differ with loyalty, beside what loyalty is defined by?"""

from dataclasses import replace

import pandas as pd

from basket.analysis import comparisons, figure
from basket.analysis.finding import (
    DESIGN,
    DIFFERENCE,
    INVENTED_CUSTOMERS,
    Evidence,
    Finding,
    Row,
    TooLittleData,
)
from basket.analysis.order_sums import EARLY
from basket.analysis.privacy import published_rows
from basket.analysis.question import WHOM, Question
from basket.analysis.questions import group_words as words
from basket.analysis.questions.group_differences import whether_groups_differ
from basket.analysis.questions.q05_loyalty import new_and_loyal
from basket.analysis.totals import Counts
from basket.analysis.where import where
from basket.project.settings import Settings
from basket.tables.sums import per

QUESTION = Question(
    id="Q6", title="Habits by loyalty", text="Do ordering habits differ with loyalty?", part=WHOM
)


def habits_at_equal_orders(counts: Counts) -> pd.DataFrame:
    """Describe the habits of each loyalty group over orders of the same numbers: a row a group.

    Groups of active customers; only orders with statistics.equal_order_numbers are counted.
    """
    settings, people = counts.settings, counts.active_people
    names = [name for name in people.customers if name.startswith(EARLY)]
    sums = people.customers[names].rename(columns=lambda name: name.removeprefix(EARLY))
    by = (
        sums.assign(customers=1)
        .astype("int64")
        .groupby(people.labels[comparisons.LOYALTY], observed=True)
    )
    table = by.sum().rename_axis("group").reset_index().astype({"group": "str"})
    table = table[table["lines"] > 0].reset_index(drop=True)
    return table[["group", "customers", "orders", "lines"]].assign(
        population="active",
        grouping=comparisons.LOYALTY,
        adjusted_for=comparisons.equal_orders(settings),
        mean_order_value=per(table["spend_cents"] / 100, table["orders"]),
        mean_lines_per_order=per(table["lines"], table["orders"]),
        mean_item_price=per(table["spend_cents"] / 100, table["priced_lines"]),
        mean_gap_up_to_30=per(table["gap_days"], table["gaps"]),
        reorder_rate=per(table["reordered_lines"], table["lines"]),
    )


def reorders_by_loyalty(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the reorder rate by loyalty, over all orders and over orders of the same numbers."""
    data, numbers = _at_both(tables, "reorder_rate", settings)
    all_orders, equal_orders = (
        f"{data[name].min():.0%} to {data[name].max():.0%}" for name in ("all orders", numbers)
    )
    return _beside_equal_orders(
        data,
        numbers,
        name="habits_by_loyalty",
        title=f"Reorder rates span {all_orders}; in {numbers}, {equal_orders}",
        drawn="Share of order lines that are reorders",
        alt=f"the reorder rate spans {all_orders} over all orders and {equal_orders} in {numbers}",
        y_title="Reorder rate",
        number_format=figure.SHARE,
        so_what="Who has ordered more can reorder more: only the columns at equal order numbers "
        "compare the customers themselves.",
    )


def lines_by_loyalty(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the lines of an order by loyalty, over all orders and over those of equal numbers."""
    data, numbers = _at_both(tables, "mean_lines_per_order", settings)
    all_orders, equal_orders = (
        f"{data[name].min():.1f}–{data[name].max():.1f}" for name in ("all orders", numbers)
    )
    return _beside_equal_orders(
        data,
        numbers,
        name="lines_by_loyalty",
        title=f"By loyalty an order holds {all_orders} lines; in {numbers}, {equal_orders}",
        drawn="Order lines of an order",
        alt=f"an order holds {all_orders} lines over all orders and {equal_orders} in {numbers}",
        y_title="Order lines an order",
        number_format="0.0",
        so_what="What grows with loyalty is the number of orders; whether the basket grows too, "
        "the columns at equal order numbers say.",
    )


def _beside_equal_orders(
    data: pd.DataFrame, numbers: str, *, drawn: str, alt: str, **said: str
) -> figure.Figure:
    """Draw what `_at_both` pairs: `drawn` names the measure, `alt` says how far it reaches."""
    return figure.columns(
        data,
        x="group",
        series=["all orders", numbers],
        subtitle=f"{drawn}, over all orders and in {numbers}, active customers",
        alt=f"Columns by loyalty group: {alt}.",
        sources=("habits", "habits_at_equal_orders"),
        x_title="Loyalty",
        **said,
    )


def _at_both(tables: dict, measure: str, settings: Settings) -> tuple[pd.DataFrame, str]:
    """Pair each loyalty group's habit over all orders with that at equal order numbers."""
    every = tables["habits"][where(population="active", grouping=comparisons.LOYALTY)]
    every = published_rows(tables, every, settings)
    equal = tables["habits_at_equal_orders"].set_index("group")[measure]
    numbers = comparisons.equal_orders(settings)
    data = every[["group", measure]].rename(columns={measure: "all orders"})
    data[numbers] = equal.reindex(data["group"].astype("str")).to_numpy()
    data = data.dropna()
    if len(data) < 2:
        raise TooLittleData("No two loyalty groups have enough customers to be shown.")
    return data, numbers


def habits_by_loyalty(seen: Evidence, settings: Settings) -> Finding:
    """Say what loyalty is by definition, and what differs at equal order numbers."""
    seen.require_histories()
    table = seen.tables["habits"][where(population="active")]
    new, loyal = new_and_loyal(table, settings)
    table = table[where(grouping=comparisons.LOYALTY)]
    shown = set(published_rows(seen.tables, table, settings)["group"].astype("str"))
    if not {new, loyal} <= shown:
        raise TooLittleData("A loyalty group has too few active customers to be shown.")
    found = whether_groups_differ(
        seen,
        comparisons.LOYALTY,
        settings,
        figure="habits_by_loyalty",
        change_mind="A trial in which an offer moves the orders of one loyalty group more.",
    )
    found = replace(
        found,
        so_what=f"{_by_definition(seen, new, loyal, settings)} {found.so_what}",
        rests_on=tuple(name for name in found.rests_on if name != INVENTED_CUSTOMERS),
    )
    if found.kind == DIFFERENCE:
        return found
    numbers = comparisons.equal_orders(settings)
    return replace(
        found,
        action=f"Compare loyalty groups over {numbers}, not over all their orders.",
        action_basis=DESIGN,
        touches=(),
    )


def _by_definition(seen: Evidence, new: str, loyal: str, settings: Settings) -> str:
    """Say what restates the number of orders, and what of the reorder rate is left."""

    def habits(group: str) -> Row:
        names = {"population": "active", "grouping": comparisons.LOYALTY, "group": group}
        return seen.row("habits", **names)

    def at_equal(group: str) -> Row:
        return seen.row("habits_at_equal_orders", group=group)

    who = [words.who(comparisons.LOYALTY, group) for group in (loyal, new)]
    gaps = [
        habits(group).cell("median_days_between_orders", f"{name}_gap")
        for group, name in ((loyal, "loyal"), (new, "new"))
    ]
    rates = [
        habits(group).cell("reorder_rate", f"{name}_rate")
        for group, name in ((loyal, "loyal"), (new, "new"))
    ]
    said, restate = "Loyalty is the number of orders: ", "restates"
    if not pd.isna(gaps).any():
        restate = "restate"
        said += f"days between orders ({gaps[0]:g} for {who[0]}, {gaps[1]:g} for {who[1]}) and "
    said += f"the reorder rate over all orders ({rates[0]:.0%} against {rates[1]:.0%}) {restate} it"
    if not {loyal, new} <= set(seen.tables["habits_at_equal_orders"]["group"]):
        return f"{said}."
    equal = [
        at_equal(group).cell("reorder_rate", f"{name}_equal_rate")
        for group, name in ((loyal, "loyal"), (new, "new"))
    ]
    numbers = comparisons.equal_orders(settings)
    return f"{said}; in {numbers} it is {equal[0]:.0%} against {equal[1]:.0%}."
