"""What is named of groups of customers: chosen on one half of the customers, measured on the other.

Groups of people are compared at equal income, where incomes are known, loyalty groups over orders
of the same numbers. A group is named only if it is proven to differ on all customers; which of
those is named, the first half decides, and the second says how large the difference is.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from basket.analysis import comparisons, statistics
from basket.analysis.groups import People
from basket.analysis.halves import chosen_row, in_first_half
from basket.analysis.measures import OF_ORDERS, RATIOS, customer_sums, income_bands, share_of
from basket.analysis.privacy import published_rows
from basket.analysis.questions import group_words as words
from basket.analysis.totals import Counts
from basket.analysis.verdicts import BY_DEFINITION
from basket.analysis.where import where
from basket.project.settings import Settings

OVERALL = ("epsilon_squared", "cliffs_delta")  # of all groups of a grouping, or of its two
TOPICS = ["question", "topic", "group", "measure"]
ESTIMATES = ["effect_first_half", "effect", "effect_low", "effect_high", "p_value"]
COLUMNS = [*TOPICS, *ESTIMATES, "effective_customers", "largest_share", "customers_behind"]
COLUMNS += ["reason", "confirmed"]
MORE_GOODS, LESS_GOODS = "goods they buy more of", "goods they buy less of"
TOP_GOODS, TOP_TIMES = "top goods", "top times"  # of a profile or a segment


# ---- which comparisons there are ----------------------------------------------------------------


def held_equal(tables: dict, grouping: str, settings: Settings) -> str:
    """Say what is held equal where groups are compared: order numbers, or income if known."""
    if grouping == comparisons.LOYALTY:
        return comparisons.equal_orders(settings)
    table = tables["tests"]
    table = table[(table["grouping"] == grouping) & (table["adjusted_for"] == comparisons.INCOME)]
    return comparisons.INCOME if table["effect"].notna().any() else ""


def group_ratios(
    tables: dict, name: str, grouping: str, settings: Settings, **only: str
) -> pd.DataFrame:
    """Pick the published ratios of each group to the others, of tests or department_lifts.

    `only` says what else the rows must hold, such as for_headline="yes".
    """
    table = tables[name]
    table = table[where(grouping=grouping, effect_name="ratio", **only)]
    table = table[table["adjusted_for"] == held_equal(tables, grouping, settings)]
    table = table[table["reason"] != BY_DEFINITION]
    return published_rows(tables, table, settings)


# ---- what is chosen on one half of the customers, and estimated on the other --------------------


def split_halves(counts: Counts, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Choose on one half of the active customers what is named of groups: rows of split_halves.

    A row for each grouping that has a proven difference, two for the goods of an income group, and
    up to two for each profile and segment: what it buys more of, and when it orders more.
    """
    people, settings = counts.active_people.by_id(), counts.settings
    if people.customers.empty:
        return pd.DataFrame(columns=COLUMNS)
    halves = Halves.of(people, settings)
    rows = []
    for grouping in settings.tested():
        table = proven_groups(tables, grouping, settings)
        if len(table):
            names = {"question": settings.flags[grouping].question}
            names["topic"] = topic_of(grouping, held_equal(tables, grouping, settings))
            rows.append(halves.farthest(table, names))
    rows += _goods_by_income(tables, halves, settings)
    rows += _tops(tables, halves, settings)
    return pd.DataFrame(rows, columns=COLUMNS)


def _tops(tables: dict, halves: "Halves", settings: Settings) -> list[dict]:
    """Choose of each profile and segment what it buys most above the others, and when it orders so.

    Of what is proven on all customers. What too few of the second half stand behind is left out.
    """
    rows = []
    for topic, name in ((TOP_GOODS, "department_lifts"), (TOP_TIMES, "tests")):
        for grouping in ("profile", "segment"):
            table = group_ratios(tables, name, grouping, settings, for_headline="yes")
            if topic == TOP_TIMES:
                table = table[table["unit"] == OF_ORDERS]
            named = ~table["measure"].isin(settings.labels.unnamed_departments)
            for group, proven in table[named & (table["effect"] > 1)].groupby("group_a"):
                names = {"question": settings.flags[grouping].question}
                rows.append(halves.farthest(proven, names | {"topic": f"{topic}: {group}"}))
    return [row for row in rows if row["customers_behind"] >= settings.privacy.smallest_group]


def tops(tables: dict, topic: str) -> pd.DataFrame:
    """Pick what the second half confirms of profiles and segments: rows of split_halves by group.

    Those that led the choice come first.
    """
    table = tables["split_halves"]
    table = table[table["topic"].str.startswith(f"{topic}: ") & (table["confirmed"] == "yes")]
    table = table[table["effect"] > 1].set_index("group")
    return table.sort_values("effect_first_half", ascending=False, kind="stable")


def top_columns(tables: dict, topic: str, name: str, ratio: str) -> pd.DataFrame:
    """Give what `tops` picks as columns: the measure as `name`, its ratio and limits as `ratio`."""
    columns = {"measure": name} | {f"effect{end}": f"{ratio}{end}" for end in ("", "_low", "_high")}
    return tops(tables, topic).rename(columns=columns)[list(columns.values())]


def topic_of(grouping: str, held: str) -> str:
    """Name what is chosen: the difference of a group that stands out most."""
    return f"{words.attribute(grouping)}{words.held_equal(held)}: the farthest from the others"


def proven_groups(tables: dict, grouping: str, settings: Settings) -> pd.DataFrame:
    """Pick the ratios of groups that may carry a headline: of habits, if any, else of the rest."""
    tests, lifts = (
        group_ratios(tables, name, grouping, settings, for_headline="yes")
        for name in ("tests", "department_lifts")
    )
    named = ~lifts["measure"].isin(settings.labels.unnamed_departments)
    proven = pd.concat([tests, lifts[named]], ignore_index=True)
    proven = proven[proven["measure"] != "spend_per_customer"]
    habits = proven[proven["measure"].isin(RATIOS)]
    return habits if len(habits) else proven


@dataclass(frozen=True)
class Halves:
    """Sums and groups of each half of the customers."""

    sums: list[dict[str, np.ndarray]]
    splits: list[comparisons.Splits]
    settings: Settings

    @staticmethod
    def of(people: People, settings: Settings) -> "Halves":
        """Part the customers; bands of income are those of all."""
        bands = income_bands(people, settings)
        first = in_first_half(people.customers["user_id"].to_numpy())
        parts = [(people.those(half), bands[half]) for half in (first, ~first)]
        return Halves(
            [customer_sums(part, settings) for part, _ in parts],
            [comparisons.splits(part, of_part, settings) for part, of_part in parts],
            settings,
        )

    def ratios(self, grouping: str, measure: str, held: str) -> list[statistics.Ratios]:
        """Compare the groups in the first half and in the second."""
        above, below = comparisons.sums_of(measure, held)
        confidence = self.settings.statistics.confidence
        return [
            split[grouping, held][0].compare(sums[above], sums[below], confidence)
            for sums, split in zip(self.sums, self.splits, strict=True)
        ]

    def place(self, grouping: str, group: str) -> int:
        """Place of a group in the estimates."""
        return self.splits[0][grouping, ""][1].index(group)

    def farthest(self, table: pd.DataFrame, names: dict[str, str]) -> dict:
        """Choose, of rows of tests, the ratio farthest from 1 in the first half."""
        found = []
        for row in table.itertuples():
            first, second = self.ratios(row.grouping, row.measure, row.adjusted_for)
            cell = self.place(row.grouping, row.group_a)
            size = abs(np.log(first.ratio[cell])) if first.ratio[cell] > 0 else 0.0
            found.append((np.nan_to_num(size), row, first, second, cell))
        _, row, first, second, cell = max(found, key=lambda each: each[0])
        named = names | {"group": row.group_a, "measure": row.measure}
        return chosen_row(named, first, second, cell, self.settings)


def telling_goods(tables: dict, settings: Settings) -> list[str]:
    """Name the departments that income is proven to go with.

    By the shares of groups; if none is, by how customers differ in the share of their own lines,
    where a few heavy buyers weigh no more than others.
    """
    grouping = comparisons.INCOME_GROUP
    lifts = group_ratios(tables, "department_lifts", grouping, settings, for_headline="yes")
    found = lifts["measure"]
    if found.empty:
        tests = tables["tests"]
        tests = tests[where(grouping=grouping, effect_name=OVERALL)]
        tests = tests[where(for_headline="yes")]
        prefix = share_of("")
        found = tests["measure"][tests["measure"].str.startswith(prefix)]
        found = found.str.removeprefix(prefix)
    return [
        name for name in dict.fromkeys(found) if name not in settings.labels.unnamed_departments
    ]


def _goods_by_income(tables: dict, halves: Halves, settings: Settings) -> list[dict]:
    """Choose the income group whose baskets differ most, and what it buys more and less of.

    The group and the goods it buys more of by the lines that they move, the others by their ratio.
    """
    grouping = comparisons.INCOME_GROUP
    overall = group_ratios(tables, "department_lifts", grouping, settings)
    groups = overall["group_a"].unique()
    goods = telling_goods(tables, settings)
    lines = tables["departments"][where(population="active")].set_index("department")["lines"]
    found = pd.DataFrame(
        [
            {"group": group, "goods": name, "ratios": ratios, "cell": halves.place(grouping, group)}
            for name in goods
            for ratios in [halves.ratios(grouping, name, "")]
            for group in groups
        ]
    )
    if found.empty:
        return []
    ratio = [each[0].ratio[cell] for each, cell in zip(found["ratios"], found["cell"], strict=True)]
    found["ratio"] = np.array(ratio, float)
    found = found[found["ratio"] > 0]
    found["moved"] = (found["ratio"] - 1).abs() * lines.reindex(found["goods"]).to_numpy()
    if found.empty:
        return []
    found = found[found["group"] == found.loc[found["moved"].idxmax(), "group"]]
    more, less = found[found["ratio"] > 1], found[found["ratio"] < 1]
    rows = []
    for topic, table, column in ((MORE_GOODS, more, "moved"), (LESS_GOODS, less, "ratio")):
        if len(table):
            best = table.loc[
                table[column].idxmax() if column == "moved" else table[column].idxmin()
            ]
            names = dict(zip(TOPICS, ("Q9", topic, best["group"], best["goods"]), strict=True))
            row = chosen_row(names, *best["ratios"], best["cell"], settings)
            reasons = overall[where(group_a=best["group"], measure=best["goods"])]["reason"]
            if reason := "".join(reasons):  # a half may not conclude what all customers cannot
                row |= {"reason": reason, "confirmed": "no"}
            rows.append(row)
    return rows
