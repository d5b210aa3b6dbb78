"""What several questions ask of groups of customers: do their ordering habits differ?"""

import pandas as pd

from basket.analysis import statistics
from basket.analysis.finding import Evidence, Finding, Prize, Row, TooLittleData
from basket.analysis.privacy import SUPPRESSED, publishable
from basket.analysis.where import where
from basket.project.settings import Settings

IN_WORDS = {  # the habits that findings rest on
    "mean_order_value": "the value of an order",
    "mean_lines_per_order": "the lines per order",
    "mean_item_price": "the price of an item",
    "median_days_between_orders": "the days between orders",
    "orders": "the number of orders",
    "reorder_rate": "the reorder rate",
}
OVERALL = ("epsilon_squared", "cliffs_delta")  # of all groups of a grouping, or of its two


def attribute_in_words(column: str) -> str:
    """Name an attribute of customers as a reader does: n_dependants is “dependants”."""
    return column.removeprefix("n_").replace("_", " ")


def capitalised(words: str) -> str:
    """Make the first letter a capital, and leave the others."""
    return words[0].upper() + words[1:]


def published_rows(tables: dict, table: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Keep the rows about groups of customers that may be published (D-15)."""
    table = publishable(table, settings, tables["habits"])
    return table[~(table == SUPPRESSED).any(axis="columns")].infer_objects()


def order_value_ratios(tables: dict, grouping: str, settings: Settings) -> pd.DataFrame:
    """One row per group: its mean order value over that of all customers, with its interval."""
    table = tables["tests"]
    table = table[where(grouping=grouping, measure="mean_order_value", effect_name="ratio")]
    table = published_rows(tables, table, settings)
    if table.empty:
        raise TooLittleData(f"No {attribute_in_words(grouping)} has enough customers to be shown.")
    names = {
        "group_a": "group",
        "effect": "ratio",
        "effect_low": "ratio_low",
        "effect_high": "ratio_high",
    }
    return table.rename(columns=names)[list(names.values())].reset_index(drop=True)


def whether_groups_differ(seen: Evidence, grouping: str, word: str, **said: str) -> Finding:
    """Say which ordering habits differ between the groups of one attribute, and how sure that is.

    `word` names the attribute; `said` is what the finding says besides.
    """
    tests = seen.tables["tests"]
    tests = tests[where(grouping=grouping, measure=IN_WORDS, effect_name=OVERALL)]
    tests = tests.dropna(subset="effect")  # a single group has nothing to differ from
    if tests.empty:
        raise TooLittleData(f"All customers whose {word} is known are in one group.")
    by_effect = tests.sort_values("effect", ascending=False, key=abs)
    decided = by_effect[where(for_headline="yes")]
    undecided = tests[tests["verdict"] != statistics.NO_DIFFERENCE].sort_values(
        "customers_to_decide", ascending=False, kind="stable"
    )
    shown = next(table.iloc[0] for table in (decided, undecided, by_effect) if len(table))
    measure = IN_WORDS[shown["measure"]]
    names = {name: shown[name] for name in ("measure", "effect_name")}
    row = seen.row("tests", grouping=grouping, **names)
    explained = _explained(row, shown["effect_name"], word, measure)
    said |= {"prize": Prize(what_if=f"{row.cell('n', 'customers'):,} customers were compared.")}
    if len(decided):
        return Finding(
            headline=f"{capitalised(measure)} differs by {word}: a {shown['verdict']} difference",
            so_what=f"{explained}.",
            action=f"Tailor offers by {word} where they aim at {measure}.",
            confidence="high",
            **said,
        )
    if len(undecided):
        needed = ""
        if not pd.isna(shown["customers_to_decide"]):
            number = row.cell("customers_to_decide", "needed")
            needed = f" About {number:,} customers would decide it."
        return Finding(
            headline=f"Whether ordering habits differ by {word} is undecided with this data",
            so_what=f"{explained}: this data allows both a difference that matters and none."
            + needed,
            action=f"Do not pay for campaigns by {word} yet; analyse more customers first.",
            confidence="low",
            **said,
        )
    groups = f"{attribute_in_words(grouping)}s"
    return Finding(
        headline=f"There is no practical difference in ordering habits between {groups}",
        so_what=f"{explained}, and other habits even less: too little to matter.",
        action=f"Do not spend money on campaigns by {word}.",
        confidence="high",
        **said,
    )


def _explained(row: Row, effect_name: str, word: str, measure: str) -> str:
    """Put an effect into words; epsilon squared is the share of differences that is explained."""
    effect, low, high = (
        row.cell(f"effect{limit}", unit=effect_name) for limit in ("", "_low", "_high")
    )
    if effect_name == "epsilon_squared":
        return (
            f"{word.capitalize()} explains {effect:.1%} of how customers differ in {measure} "
            f"(interval {low:.1%} to {high:.1%})"
        )
    name = effect_name.replace("_", " ").replace("cliffs", "Cliff's")
    return (
        f"For {measure} the two groups of {word} lie {effect:.2f} apart by {name} "
        f"(interval {low:.2f} to {high:.2f})"
    )
