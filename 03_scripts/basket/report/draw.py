"""Draw the figures of stage 05 as images, each by the kind of chart that it is.

Seaborn and matplotlib see aggregated tables only (D-26).
"""

import io
import textwrap

import matplotlib as mpl
import matplotlib.figure
import matplotlib.ticker
import matplotlib.transforms
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg

from basket.analysis.figure import Figure
from basket.project.settings import Settings

DOTS_PER_INCH = 150
SIZE = (9.0, 5.0)  # inches
SHOWN_WIDTH = 900  # pixels in a notebook


def draw(figure: Figure, settings: Settings, banner: str = "") -> bytes:
    """Draw a figure as PNG, with `banner` on it when the data is not real."""
    colours = settings.palette
    style = {
        **dict.fromkeys(("axes.spines.top", "axes.spines.right", "text.parse_math"), False),
        **dict.fromkeys(
            ("axes.labelcolor", "text.color", "xtick.color", "ytick.color"), colours.ink
        ),
        "axes.edgecolor": colours.muted,
        "grid.color": colours.grid,
        "font.size": 10,
        "axes.axisbelow": True,
        "figure.facecolor": colours.paper,
    }
    with mpl.rc_context(style):
        canvas = mpl.figure.Figure(figsize=SIZE, dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(canvas)  # a canvas for any format makes a new renderer at every question
        canvas.get_layout_engine().set(rect=(0.01, 0.05, 0.98, 0.8), w_pad=0, h_pad=0)
        axes = canvas.add_subplot()
        series = [colours.accent, colours.contrast, colours.third, colours.fourth]
        KINDS[figure.kind](axes, figure, series, colours)
        canvas.text(0.015, 0.975, figure.title, fontsize=14, fontweight="bold", va="top")
        subtitle = textwrap.fill(figure.subtitle, 128)
        canvas.text(0.015, 0.915, subtitle, color=colours.muted, va="top")
        note = f"Source: {', '.join(figure.sources)}." + (f" {banner}." if banner else "")
        ink = colours.contrast if banner else colours.muted
        canvas.text(0.015, 0.015, note, fontsize=8, color=ink)
        image = io.BytesIO()
        canvas.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


# ---- kinds --------------------------------------------------------------------------------------


def _name(figure: Figure, column: str) -> str:
    return figure.labels.get(column, column.replace("_", " "))


def _grid(axes, which: str) -> None:
    axes.grid(axis=which, linewidth=0.7)
    axes.tick_params(length=0)


def _errors(figure: Figure, column: str) -> np.ndarray | None:
    if not figure.intervals or column not in figure.intervals:
        return None
    low, high = figure.intervals[column]
    values = figure.data[column].astype("float64")
    return np.nan_to_num(np.abs(np.vstack([values - figure.data[low], figure.data[high] - values])))


def _format(axis, number_format: str) -> None:
    """Show ticks as the workbook does."""
    if "%" in number_format:
        digits = max(number_format.count("0") - 1, 0)
        axis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=digits))
        return
    if "$" in number_format:
        pattern = f"${{x:,.{2 if '.' in number_format else 0}f}}"
    else:
        digits = len(number_format.partition(".")[2].rstrip('"'))
        pattern = f"{{x:,.{digits}f}}"
    axis.set_major_formatter(mpl.ticker.StrMethodFormatter(pattern))


def _bars(
    axes, figure: Figure, colours: list[str], palette, *, sideways: bool, stacked: bool
) -> None:
    names = figure.data[figure.x].astype("str").tolist()
    place = np.arange(len(names), dtype="float64")
    width = 0.8 if stacked else 0.8 / len(figure.series)
    base = np.zeros(len(names))
    for number, column in enumerate(figure.series):
        values = figure.data[column].astype("float64").to_numpy()
        at = place if stacked else place + (number - (len(figure.series) - 1) / 2) * width
        error = None if stacked else _errors(figure, column)
        common = {
            "color": colours[number],
            "label": _name(figure, column),
            "alpha": 1 if error is None else 0.55,  # the lower half of an interval can be seen
            "error_kw": {"ecolor": palette.ink, "lw": 1},
        }
        start = base if stacked else 0
        if sideways:
            axes.barh(at, values, height=width, left=start, xerr=error, **common)
        else:
            axes.bar(at, values, width=width, bottom=start, yerr=error, **common)
        if stacked:
            _write_shares(axes, at, base, values, palette)
            base = base + values
    if sideways:
        axes.set_yticks(place, names)
        axes.invert_yaxis()
        axes.set(xlabel=figure.y_title, ylabel=figure.x_title, xlim=(0, None))
        _format(axes.xaxis, figure.number_format)
    else:
        crowded = sum(len(name) for name in names) > 90 and len(names) < 20
        turned = {"rotation": 30, "ha": "right"} if crowded else {}
        axes.set_xticks(place, names, **turned)
        axes.set(ylabel=figure.y_title, xlabel=figure.x_title, ylim=(0, None))
        _format(axes.yaxis, figure.number_format)
    _grid(axes, "x" if sideways else "y")
    _reference(axes, figure, palette, sideways)
    if len(figure.series) > 1:
        corner = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1.0), "borderaxespad": 0.1}
        axes.legend(frameon=False, ncols=len(figure.series), **corner)


def _write_shares(axes, at, base, values, palette) -> None:
    """Write each share into its part of a stacked bar, where there is room for it."""
    for where, start, value in zip(at, base, values, strict=True):
        if value > 0.06:
            place, share = (start + value / 2, where), f"{value:.0%}"
            axes.text(*place, share, ha="center", va="center", color=palette.paper, fontsize=9)


def _reference(axes, figure: Figure, palette, sideways: bool) -> None:
    if figure.reference is not None:
        line = axes.axvline if sideways else axes.axhline
        line(figure.reference, color=palette.ink, linewidth=1, linestyle="--")


def _line(axes, figure: Figure, colours: list[str], palette) -> None:
    names = figure.data[figure.x].astype("str")
    place = np.arange(len(names))
    for number, column in enumerate(figure.series):
        values = figure.data[column].astype("float64")
        line = {"color": colours[number], "label": _name(figure, column)}
        axes.plot(place, values, marker="o", markersize=4, **line)
        if figure.intervals and column in figure.intervals:
            low, high = (figure.data[name].astype("float64") for name in figure.intervals[column])
            axes.fill_between(place, low, high, color=colours[number], alpha=0.18, linewidth=0)
    step = 1 if len(names) <= 16 else 2
    axes.set_xticks(place[::step], names[::step])
    axes.set(xlabel=figure.x_title, ylabel=figure.y_title)
    _format(axes.yaxis, figure.number_format)
    _grid(axes, "y")
    _reference(axes, figure, palette, sideways=False)
    if len(figure.series) > 1:
        axes.legend(frameon=False)


def _dots(axes, figure: Figure, colours: list[str], palette) -> None:
    """Draw estimates beside each other as dots, each with its interval."""
    names = figure.data[figure.x].astype("str").tolist()
    place = np.arange(len(names))
    column = figure.series[0]
    values, limits = figure.data[column].astype("float64"), _errors(figure, column)
    look = {"fmt": "o", "color": colours[0], "elinewidth": 2, "capsize": 3}
    axes.errorbar(values, place, xerr=limits, **look)
    axes.set_yticks(place, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set(xlabel=figure.y_title, ylabel=figure.x_title)
    _format(axes.xaxis, figure.number_format)
    _grid(axes, "x")
    _reference(axes, figure, palette, sideways=True)


def _scatter(axes, figure: Figure, colours: list[str], palette) -> None:
    x, y = figure.data[figure.x].astype("float64"), figure.data[figure.series[0]].astype("float64")
    axes.scatter(x, y, color=colours[0], s=36)
    axes.set(xlabel=figure.x_title, ylabel=figure.y_title, xlim=(0, None), ylim=(0, None))
    axes.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
    _format(axes.yaxis, figure.number_format)
    _grid(axes, "both")
    _name_points(axes, x, y, figure.data[figure.data.columns[0]].astype("str"))


def _name_points(axes, x: pd.Series, y: pd.Series, names: pd.Series) -> None:
    """Write each point's name beside it, at the first side that no other name has taken."""
    axes.figure.canvas.draw()
    points = axes.transData.transform(np.column_stack([x, y]))
    taken = [mpl.transforms.Bbox.from_bounds(left - 5, low - 5, 10, 10) for left, low in points]
    for name, across, up in sorted(zip(names, x, y, strict=True), key=lambda point: -point[2]):
        for offset, side, height in (
            ((6, 0), "left", "center"),
            ((-6, 0), "right", "center"),
            ((0, 6), "center", "bottom"),
            ((0, -6), "center", "top"),
        ):
            look = {"textcoords": "offset points", "fontsize": 8, "ha": side, "va": height}
            label = axes.annotate(name, (across, up), offset, **look)
            box = label.get_window_extent().padded(1)
            if not any(box.overlaps(other) for other in taken) and axes.bbox.containsx(box.x1):
                taken.append(box)
                break
            label.remove()


def _heat(axes, figure: Figure, colours: list[str], palette) -> None:
    spans = figure.heat
    table = figure.data.pivot(index=spans["rows"], columns=spans["columns"], values=spans["values"])
    table = table.reindex(figure.data[spans["rows"]].unique())
    tints = sns.light_palette(palette.accent, as_cmap=True)
    sns.heatmap(
        table.astype("float64"),
        ax=axes,
        cmap=tints,
        linewidths=0.5,
        linecolor=palette.paper,
        cbar_kws={"label": figure.y_title, "format": "{x:,.0f}"},
    )
    axes.set(xlabel=figure.x_title, ylabel="")
    axes.tick_params(length=0)
    axes.tick_params(axis="y", rotation=0)


KINDS = {
    "heat": _heat,
    "line": _line,
    "dots": _dots,
    "scatter": _scatter,
    "bar": lambda *a: _bars(*a, sideways=True, stacked=False),
    "column": lambda *a: _bars(*a, sideways=False, stacked=False),
    "histogram": lambda *a: _bars(*a, sideways=False, stacked=False),
    "stacked_bar": lambda *a: _bars(*a, sideways=True, stacked=True),
}
