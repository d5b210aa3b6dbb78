"""A figure of the report: its message, its numbers and its axes; one constructor for each kind.

A figure says once what it shows: the image and the native chart of the workbook are both drawn from
it. `data` holds a row for each mark, as result tables give it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from basket.analysis.finding import TooLittleData
from basket.analysis.verdicts import NO_DIFFERENCE
from basket.project.settings import Settings

FEWEST_POINTS = 2  # of estimates in a figure
MOST_COLUMNS = 25  # of a heat map

SHARE, WHOLE, RATIO = "0%", "#,##0", "0.00"  # number formats of the workbook
DECIMALS, MOST_DECIMALS = 2, 6  # of an estimate without an interval; of any
DOLLARS, CENTS = '"$"#,##0', '"$"#,##0.00'


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure. `x` and `series` are columns of `data`; titles and `alt` are whole sentences.

    `intervals` gives the columns of the lower and upper limits of a series, `reference` a value
    to compare with (a line), `band` the values that are too close to it to matter, `labels` what a
    column is called in the legend. `name_of` is the column that names a row, `x` if none is given,
    and `highlight` holds the names that the title says; of a heat map, rows or columns. `panel` is
    the column that parts the rows into panels beside each other. `cuts` are lines across a
    histogram, each with its name. A figure that is `native` is also a chart that the workbook
    draws itself.
    """

    name: str
    kind: str
    title: str
    subtitle: str
    alt: str
    sources: tuple[str, ...]
    data: pd.DataFrame
    x: str
    series: list[str]
    x_title: str
    y_title: str
    number_format: str = WHOLE
    intervals: dict[str, list[str]] | None = None
    reference: float | None = None
    band: tuple[float, float] | None = None
    highlight: tuple[str, ...] = ()
    name_of: str = ""
    panel: str | None = None
    cuts: tuple[tuple[float, str], ...] = ()
    is_log: bool = False
    native: bool = True
    heat: dict | None = None
    so_what: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    def record(self, question: str, so_what: str) -> dict:
        """Describe this figure as figures.json does."""
        axes = ("x", "series", "x_title", "y_title", "number_format", "intervals", "is_log")
        chart = {"kind": {"histogram": "column", "dots": "scatter"}.get(self.kind, self.kind)}
        chart |= {name: getattr(self, name) for name in axes}
        data = self._rounded()
        rows = data.astype("object").where(data.notna(), None).values.tolist()
        return {
            "name": self.name,
            "question": question,
            "kind": self.kind,
            "title": self.title,
            "subtitle": self.subtitle,
            "so_what": self.so_what or so_what,
            "alt": self.alt,
            "image": f"{self.name}.png",
            "sources": list(self.sources),
            "data": {"columns": list(self.data.columns), "rows": rows},
            "chart": chart if self.native else None,
            "heat": self.heat,
            "name_of": self.name_of,
            "highlight": list(self.highlight),
            "labels": self.labels,
        }

    def _rounded(self) -> pd.DataFrame:
        """Round estimates and their limits as their error allows: two digits of half the width."""
        data = self.data.copy()
        for name, limits in (self.intervals or {}).items():
            numbers = data[[name, *limits]].astype("float64")
            half = (numbers[limits[1]] - numbers[limits[0]]).to_numpy() / 2
            decimals = 1 - np.floor(np.log10(np.where(half > 0, half, 1.0)))
            scale = 10.0 ** np.clip(np.where(half > 0, decimals, DECIMALS), 0, MOST_DECIMALS)
            for column in numbers:
                data[column] = (np.round(numbers[column] * scale) / scale).round(MOST_DECIMALS)
        return data


def with_intervals(settings: Settings) -> str:
    """Say at which confidence the intervals of a figure are drawn, to end its subtitle."""
    return f"with {100 * settings.statistics.confidence:g} % intervals"


def named(title: str, names: Iterable[str]) -> tuple[str, ...]:
    """Pick the names that a title says, longest first: a part of a longer one is none."""
    said = []
    for name in sorted(set(names), key=lambda name: (-len(name), name)):
        found = re.compile(rf"(?<!\w){re.escape(name)}s?(?!\w)", re.IGNORECASE)
        if any(map(str.isalpha, name)) and found.search(title):
            title = found.sub(" ", title)
            said.append(name)
    return tuple(sorted(said))


def no_difference(settings: Settings) -> tuple[float, float]:
    """Give the ratios that are too close to 1 to matter, as a band."""
    smallest = settings.statistics.effects.ratio[0]
    return 1 / smallest, smallest


def sure_enough(data: pd.DataFrame, y: str) -> tuple[pd.DataFrame, str]:
    """Leave out estimates whose interval is wider than themselves, which would flatten the others.

    Returns what is left, and what a subtitle says of it. Raises TooLittleData where fewer than two
    are left: a point alone compares nothing.
    """
    sure = data[f"{y}_high"] - data[f"{y}_low"] <= data[y]
    if sure.all():
        return data, ""
    if sure.sum() < FEWEST_POINTS:
        raise TooLittleData("Nearly all intervals are wider than their values: too few customers.")
    return data[sure], "; intervals wider than their value are left out"


def _estimates(kind: str, data: pd.DataFrame, *, x: str, y: str, **said) -> Figure:
    """Show an estimate for each row, with its interval (`y`_low to `y`_high)."""
    limits = [f"{y}_low", f"{y}_high"]
    more = [said[name] for name in ("name_of", "panel") if said.get(name)]
    data = data[[*more, x, y, *limits]].reset_index(drop=True)
    return _named(kind=kind, data=data, x=x, series=[y], intervals={y: limits}, **said)


def _named(**said) -> Figure:
    """Make a figure that highlights the rows that its title names."""
    rows = said["data"][said.get("name_of") or said["x"]].astype("str")
    return Figure(**{"highlight": named(said["title"], rows)} | said)


def decided_first(table: pd.DataFrame, *, rows: str, columns: str, ratio: str) -> pd.DataFrame:
    """Order a table of judged ratios for a heat map: the columns with the farthest proof first.

    A row per cell of the first MOST_COLUMNS, with `is_undecided` and `is_proven`; rows keep their
    order. Decided is what may carry a headline, as the titles say, and what is proven to make no
    practical difference.
    """
    proven = table["for_headline"] == "yes"
    alike = (table["reason"].fillna("") == "") & (table["verdict"] == NO_DIFFERENCE)
    undecided = ~((proven | alike) & (table[ratio] > 0))
    data = table.assign(is_undecided=undecided, is_proven=proven)
    far = np.log(data[ratio].where(~undecided)).abs().fillna(0.0).groupby(data[columns]).max()
    names = far.sort_values(ascending=False, kind="stable").index[:MOST_COLUMNS]
    order = data[columns].map({name: number for number, name in enumerate(names)})
    place = pd.Series(pd.factorize(data[rows])[0], index=data.index)
    data = data.assign(_row=place, _column=order).dropna(subset="_column")
    data = data.sort_values(["_row", "_column"], kind="stable")
    return data[[rows, columns, ratio, "is_undecided", "is_proven"]].reset_index(drop=True)


def without(table: pd.DataFrame, data: pd.DataFrame, column: str) -> str:
    """Say how many columns of a table a heat map has no room for."""
    lost = table[column].nunique() - data[column].nunique()
    return f"; of {table[column].nunique()} {column}s the first {MOST_COLUMNS}" if lost else ""


def heat(
    data: pd.DataFrame,
    *,
    rows: str,
    columns: str,
    values: str,
    undecided: str | None = None,
    outlined: tuple[tuple[str, int, int], ...] = (),
    **said,
) -> Figure:
    """Show a value for each row and column as a tint.

    Cells where the column `undecided` is true are grey. `outlined` frames cells: each frame is a
    row, the first of its columns and the one after its last.
    """
    spans = {"rows": rows, "columns": columns, "values": values}
    spans |= {"undecided": undecided, "outlined": [list(frame) for frame in outlined]}
    sides = pd.concat([data[rows].astype("str"), data[columns].astype("str")])
    usual = {"highlight": named(said["title"], sides), "native": False}
    return Figure(kind="heat", data=data, x=columns, series=[values], heat=spans, **usual | said)


def dots(data: pd.DataFrame, **said) -> Figure:
    """Show ratios beside each other, each with its interval (`y`_low to `y`_high), against 1."""
    usual = {"number_format": RATIO, "reference": 1.0, "native": False}
    return _estimates("dots", data, **usual | said)


def dots_of_classes(data: pd.DataFrame, *, x: str, series: list[str], **said) -> Figure:
    """Show a ratio for each row and ordered class, each with its interval, against 1."""
    usual = {"number_format": RATIO, "reference": 1.0, "native": False}
    return _named(kind="dots", data=data, x=x, series=series, **usual | said)


def line(data: pd.DataFrame, **said) -> Figure:
    """Show a value over an ordered axis, with its interval (`y`_low to `y`_high)."""
    return _estimates("line", data, **said)


def bars(data: pd.DataFrame, *, x: str, series: list[str], **said) -> Figure:
    """Show horizontal bars for each row and series; intervals are named by `intervals` if any."""
    return _named(kind="bar", data=data.reset_index(drop=True), x=x, series=series, **said)


def columns(data: pd.DataFrame, *, x: str, series: list[str], **said) -> Figure:
    """Show upright columns for each row and series."""
    data = data[[x, *series]].reset_index(drop=True)
    return _named(kind="column", data=data, x=x, series=series, **said)


def histogram(data: pd.DataFrame, *, x: str, y: str, **said) -> Figure:
    """Show a count for each class of a scale."""
    data = data[[x, y]].reset_index(drop=True)
    return Figure(kind="histogram", data=data, x=x, series=[y], **said)


def scatter(data: pd.DataFrame, *, name_of: str, x: str, y: str, **said) -> Figure:
    """Show a point for each row, with its name; `x` is a share."""
    data = data[[name_of, x, y]].reset_index(drop=True)
    return _named(kind="scatter", data=data, x=x, series=[y], name_of=name_of, **said)
