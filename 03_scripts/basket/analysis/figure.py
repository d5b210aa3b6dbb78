"""A figure of the report: its message, its numbers and its axes; one constructor for each kind.

A figure says once what it shows: the image and the native chart of the workbook are both drawn from
it. `data` holds a row for each mark, as result tables give it.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from basket.project.settings import Settings

SHARE, WHOLE, RATIO = "0%", "#,##0", "0.00"  # number formats of the workbook
DECIMALS, MOST_DECIMALS = 2, 6  # of an estimate without an interval; of any
DOLLARS, CENTS = '"$"#,##0', '"$"#,##0.00'


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure. `x` and `series` are columns of `data`; titles and `alt` are whole sentences.

    `intervals` gives the columns of the lower and upper limits of a series, `reference` a value
    to compare with (a dashed line), `labels` what a column is called in the legend. A figure
    that is `native` is also a chart that the workbook draws itself.
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
    native: bool = True
    heat: dict | None = None
    labels: dict[str, str] = field(default_factory=dict)

    def record(self, question: str, so_what: str) -> dict:
        """Describe this figure as figures.json does."""
        axes = ("x", "series", "x_title", "y_title", "number_format", "intervals")
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
            "so_what": so_what,
            "alt": self.alt,
            "image": f"{self.name}.png",
            "sources": list(self.sources),
            "data": {"columns": list(self.data.columns), "rows": rows},
            "chart": chart if self.native else None,
            "heat": self.heat,
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


def _estimates(kind: str, data: pd.DataFrame, *, x: str, y: str, **said) -> Figure:
    """Show an estimate for each row, with its interval (`y`_low to `y`_high)."""
    limits = [f"{y}_low", f"{y}_high"]
    data = data[[x, y, *limits]].reset_index(drop=True)
    return Figure(kind=kind, data=data, x=x, series=[y], intervals={y: limits}, **said)


def heat(data: pd.DataFrame, *, rows: str, columns: str, values: str, **said) -> Figure:
    """Show a value for each row and column as a tint."""
    spans = {"rows": rows, "columns": columns, "values": values}
    return Figure(
        kind="heat", data=data, x=columns, series=[values], heat=spans, native=False, **said
    )


def dots(data: pd.DataFrame, **said) -> Figure:
    """Show ratios beside each other, each with its interval (`y`_low to `y`_high), against 1."""
    usual = {"number_format": RATIO, "reference": 1.0, "native": False}
    return _estimates("dots", data, **usual | said)


def line(data: pd.DataFrame, **said) -> Figure:
    """Show a value over an ordered axis, with its interval (`y`_low to `y`_high)."""
    return _estimates("line", data, **said)


def bars(data: pd.DataFrame, **said) -> Figure:
    """Show one horizontal bar for each row, with its interval (`y`_low to `y`_high)."""
    return _estimates("bar", data, **said)


def plain_bars(data: pd.DataFrame, *, x: str, series: list[str], **said) -> Figure:
    """Show horizontal bars for each row and series; intervals are named by `intervals` if any."""
    return Figure(kind="bar", data=data.reset_index(drop=True), x=x, series=series, **said)


def stacked_bars(data: pd.DataFrame, **said) -> Figure:
    """Show the shares that make up each row of `x`, one after the other."""
    return Figure(kind="stacked_bar", data=data, number_format=SHARE, **said)


def columns(data: pd.DataFrame, *, x: str, series: list[str], **said) -> Figure:
    """Show upright columns for each row and series."""
    data = data[[x, *series]].reset_index(drop=True)
    return Figure(kind="column", data=data, x=x, series=series, **said)


def histogram(data: pd.DataFrame, *, x: str, y: str, **said) -> Figure:
    """Show a count for each class of a scale."""
    data = data[[x, y]].reset_index(drop=True)
    return Figure(kind="histogram", data=data, x=x, series=[y], **said)


def scatter(data: pd.DataFrame, *, name_of: str, x: str, y: str, **said) -> Figure:
    """Show a point for each row, with its name; `x` is a share."""
    data = data[[name_of, x, y]].reset_index(drop=True)
    return Figure(kind="scatter", data=data, x=x, series=[y], **said)
