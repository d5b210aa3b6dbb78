"""The explorer: pictures of what is published, chosen by radio buttons, without a script.

Every picture is drawn beforehand; `:has(:checked)` shows the chosen one. Numbers of groups are
those that may leave 04_analysis: small groups are suppressed as in the report.
"""

from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import pandas as pd

from basket.analysis.privacy import PUBLISHED_POPULATION, publishable
from basket.analysis.verdicts import SIZES, UNDECIDED
from basket.analysis.words import per_cent
from basket.project.folders import Folders
from basket.project.settings import Settings
from basket.report.pages import interval_chart
from basket.report.pages.interval_chart import PROVEN, Chart, as_level, bars, one_line, row_of
from basket.report.pages.page import WITHHELD, Heading, banner_of, notes_of, write_page
from basket.tables.result_csv import read_csv

FIRST = "segment"  # the grouping that is shown first: it rests on behaviour alone
HABITS = {  # measure of the tests: its words, the column of its level, how that is written
    "mean_order_value": ("Dollars an order", "mean_order_value", "${:,.2f}"),
    "mean_lines_per_order": ("Lines an order", "mean_lines_per_order", "{:.1f}"),
    "mean_item_price": ("Dollars an item", "mean_item_price", "${:,.2f}"),
    "mean_gap": ("Days between orders", "median_days_between_orders", "{:g}"),
    "reorder_rate": ("Reorder rate", "reorder_rate", "{:.0%}"),
}
MEASURES_OF_TIMES = ("Orders", "Dollars an order", "Dollars an item", "Share of spend")
TIMES = "orders "  # how the names of measures of time begin
ENDS = ("effect", "effect_low", "effect_high")
READ = ("habits", "tests", "department_lifts", "department_mix", "order_index", "spend_by_time")
READ += ("department_reach", "department_times")


@dataclass
class Block:
    """A part of the page: what is compared, by what, and a chart for each pair of the two.

    `measures` are in groups, each under its legend: words by the name of the measure.
    """

    id: str
    title: str
    text: str
    choices: list[str]
    measures: list[tuple[str, dict[str, str]]]
    charts: dict[tuple[str, str], Chart] = field(default_factory=dict)

    @property
    def all_measures(self) -> dict[str, str]:
        """Every measure with its words, in order: its place is its number on the page."""
        return {name: words for _, some in self.measures for name, words in some.items()}

    def rules(self) -> str:
        """Return the rules of style that show what is chosen."""
        shown = [
            f"#{self.id}:has(#{self.id}-{letter}{place}:checked) .{letter}{place}"
            for letter, many in (("a", self.choices), ("b", self.all_measures))
            for place in range(len(many))
        ]
        return f"{','.join(shown)}{{display:block}}"


def write_explorer(folders: Folders, settings: Settings) -> Path:
    """Write explorer.html from the result tables, as far as there are any."""
    tables = {name: _read(folders, name) for name in READ}
    made = (_groups(tables, settings), _times(tables, settings), _departments(tables, settings))
    blocks = [block for block in made if block.charts]
    rules = "".join(block.rules() for block in blocks)
    content = {
        "made_from": "explorer",
        "banner": banner_of(folders),
        "notes": notes_of(folders, WITHHELD),
        "contents": [Heading(2, block.title, block.id) for block in blocks],
        "blocks": blocks,
        "confidence": per_cent(settings.statistics.confidence),
        "draw": interval_chart,
    }
    page = folders.notebooks / "explorer.html"
    rules = f"@supports selector(:has(a)){{.choice,.chart{{display:none}}{rules}}}" if rules else ""
    write_page(page, "explorer.html.j2", settings, content, rules)
    return page


def _read(folders: Folders, name: str) -> pd.DataFrame:
    """Read the active rows of a result table; an absent one is empty."""
    path = folders.tables / f"{name}.csv"
    table = read_csv(path) if path.is_file() else pd.DataFrame()
    if "population" not in table:
        return table
    return table[table["population"] == PUBLISHED_POPULATION].reset_index(drop=True)


# ---- groups of customers ----------------------------------------------------------------------


def _groups(tables: dict[str, pd.DataFrame], settings: Settings) -> Block:
    """Compare the groups of each grouping by their habits, their times and their goods."""
    habits, tests = tables["habits"], _ratios(tables)
    block = Block(
        "groups",
        "Groups of customers",
        "Each group beside all others. The level is the group's own; the change compares it.",
        [],
        [],
    )
    if habits.empty or tests.empty:
        return block
    levels = publishable(habits, settings)
    levels = {(row["grouping"], row["group"]): row for row in levels.to_dict("records")}
    found = {
        (row["grouping"], row["group_a"], row["measure"]): row
        for row in publishable(tests, settings, habits).to_dict("records")
    }
    shares = _shares(tables["department_mix"], habits, settings)
    tested = list(dict.fromkeys(measure for *_, measure in found))
    unnamed = settings.labels.unnamed_departments
    block.measures = _measures(tested, set(tables["department_lifts"].get("measure", ())), unnamed)
    for grouping in sorted(settings.tested(), key=lambda name: name != FIRST):
        groups = [group for name, group in levels if name == grouping]
        words = grouping.removesuffix("_flag").removeprefix("n_").replace("_", " ")
        for legend, measures in block.measures:
            for name, title in measures.items():
                rows = [_group_row(grouping, one, name, levels, found, shares) for one in groups]
                if any(row.ratio for row in rows):
                    what = f"{legend}: {title}, by {words}"
                    chart = Chart(what, rows, settings.statistics.effects.ratio[0])
                    block.charts[words.capitalize(), name] = chart
    block.choices = list(dict.fromkeys(choice for choice, _ in block.charts))
    return block


def _measures(
    tested: list[str], goods: set[str], unnamed: list[str]
) -> list[tuple[str, dict[str, str]]]:
    """Name what the tests compare: habits, times of orders, shares of lines of named goods."""
    times = [name for name in tested if name.startswith(TIMES) and name not in goods]
    return [
        ("Habits", {name: words for name, (words, *_) in HABITS.items() if name in tested}),
        ("Orders", {name: name.removeprefix(TIMES).capitalize() for name in times}),
        ("Share of lines", {name: one_line(name) for name in sorted(goods - {*unnamed})}),
    ]


def _ratios(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the comparisons of a group with the others, of habits and of goods, as they are."""
    both = pd.concat([tables["tests"], tables["department_lifts"]], ignore_index=True)
    if both.empty:
        return both
    is_plain = both["adjusted_for"].fillna("").astype("str") == ""
    return both[(both["effect_name"] == "ratio") & is_plain].reset_index(drop=True)


def _shares(mix: pd.DataFrame, habits: pd.DataFrame, settings: Settings) -> dict[tuple, float]:
    """Return each department's share of the order lines of each group."""
    if mix.empty:
        return {}
    shown = publishable(mix, settings, habits)
    keys = zip(shown["grouping"], shown["group"], shown["department"], strict=True)
    return dict(zip(keys, shown["share"], strict=True))


def _group_row(grouping: str, group: str, name: str, levels: dict, found: dict, shares: dict):
    """Make the row of a group: its level, and how it compares with the others."""
    test = found.get((grouping, group, name), {})
    if name in HABITS:
        _, column, form = HABITS[name]
        level = as_level(levels[grouping, group].get(column), form)
    else:
        level = as_level(shares.get((grouping, group, name), ""), "{:.1%}")
        level = "" if level == interval_chart.NOT_KNOWN else level
    ratio = tuple(test.get(end) for end in ENDS)
    return row_of(group, level, ratio, _verdict(test), _reason(test))


def _verdict(row: dict) -> str:
    """Give the verdict of a comparison: proven is what may carry a headline, as in the figures."""
    verdict = row.get("verdict", "")
    if row.get("for_headline") == "yes":
        return PROVEN if verdict == UNDECIDED else verdict
    return UNDECIDED if verdict in SIZES else verdict


def _reason(row: dict) -> str:
    """Say why a comparison is undecided: what stands against it, or that it is likely only."""
    verdict = row.get("verdict", "")
    is_likely = verdict in SIZES and row.get("for_headline") != "yes"
    return row.get("reason") or f"likely {verdict}" * is_likely


# ---- times and departments --------------------------------------------------------------------


def _times(tables: dict[str, pd.DataFrame], settings: Settings) -> Block:
    """Compare days, and hours, with the average, and with the same customers' other orders."""
    block = Block(
        "times",
        "Hours and days",
        "Orders compare with an average day or hour; where enough customers stand behind one, its "
        "interval alone says what is proven. "
        "The worth of an order compares with the same customers' orders at other times; these "
        "intervals have no verdict.",
        ["Hour", "Day"],
        [("Measure", {name: name for name in MEASURES_OF_TIMES})],
    )
    band = settings.statistics.effects.ratio[0]
    orders, spend = tables["order_index"], tables["spend_by_time"]
    for choice in block.choices:
        what = choice.lower()
        if not orders.empty:
            rows = orders[orders["period"] == what].to_dict("records")
            block.charts[choice, "Orders"] = Chart(
                f"Orders, by {what}", [_index_row(row, what) for row in rows], band
            )
        if spend.empty:
            continue
        some = spend[spend["period"] == what]
        rows = some.to_dict("records")
        block.charts[choice, "Share of spend"] = bars(
            f"Share of spend, by {what}", list(some["name"]), list(some["spend_share"]), "{:.1%}"
        )
        for title, level, ratio in (
            ("Dollars an order", "mean_order_value", ("within_ratio", "within_low", "within_high")),
            ("Dollars an item", "mean_item_price", _ends("item_price_ratio")),
        ):
            made = [_spend_row(row, level, ratio) for row in rows]
            block.charts[choice, title] = Chart(f"{title}, by {what}", made, band)
    return block


def _ends(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _index_row(row: dict, period: str):
    """Make the row of a day or an hour: its orders, against the average."""
    name = row["day_name"] if period == "day" else f"{int(row['hour']):02d}:00"
    reason = row["reason"] or ""
    ratio = tuple(row[end] for end in _ends("index"))
    made = row_of(name, f"{row['orders']:,}", ratio, UNDECIDED, reason)
    if made.ratio and not reason:
        _, low, high = made.ratio
        made.is_sure = low > 1 or high < 1
        said = "more than average" if low > 1 else "fewer than average"
        made.verdict = said if made.is_sure else UNDECIDED
    return made


def _spend_row(row: dict, level: str, ratio: tuple[str, str, str]):
    """Make the row of a day or an hour: what an order, or an item, is worth then."""
    ends = tuple(row[end] for end in ratio)
    reason = row["within_reason"] or "" if ratio[0] == "within_ratio" else ""
    verdict = UNDECIDED if reason else ""  # that of the table is of another ratio
    return row_of(row["name"], as_level(row[level], "${:,.2f}"), ends, verdict, reason)


def _departments(tables: dict[str, pd.DataFrame], settings: Settings) -> Block:
    """Show how large each department is, and what it sells more of in a part of the day."""
    columns = {
        "Share of lines": ("share", "{:.1%}"),
        "Share of customers": ("reach", "{:.1%}"),
        "Orders a buyer": ("orders_per_buyer", "{:.1f}"),
        "Reorder rate": ("reorder_rate", "{:.0%}"),
    }
    unnamed = settings.labels.unnamed_departments
    reach, times = (
        table[~table["department"].isin(unnamed)] if len(table) else table
        for table in (tables["department_reach"], tables["department_times"])
    )
    block = Block(
        "departments",
        "Departments",
        "Sizes are counts of departments that have a name. A part of the day compares a "
        "department's share of order lines then with its share of all.",
        ["Departments"],
        [],
    )
    if not reach.empty:
        block.measures.append(("Size", {title: title for title in columns}))
        for title, (column, form) in columns.items():
            order = list(reach["department"])
            block.charts["Departments", title] = bars(
                f"{title}, by department", order, list(reach[column]), form
            )
    dayparts = [] if times.empty else list(dict.fromkeys(times["daypart"]))
    if dayparts:
        block.measures.append(("Part of the day", {part: one_line(part) for part in dayparts}))
    for part, rows in groupby(times.to_dict("records"), key=lambda row: row["daypart"]):
        made = [
            row_of(
                row["department"],
                as_level(row["share"], "{:.1%}"),
                tuple(row[end] for end in _ends("lift")),
                _verdict(row),
                _reason(row),
            )
            for row in rows
        ]
        title = f"Share of lines, by department: {one_line(part)}"
        chart = Chart(title, made, settings.statistics.effects.ratio[0])
        block.charts["Departments", part] = chart
    return block
