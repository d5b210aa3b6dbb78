"""Draw the figures of stage 05 as images, each by the kind of chart that it is.

Seaborn and matplotlib see aggregated tables only (D-26). One hue for what is shown, its ramp for
ordered classes, the contrasting hue for what the title names. Every image is as wide as the others,
and as high as its rows ask for.
"""

import math
import textwrap
import warnings
from dataclasses import replace

import matplotlib as mpl
import matplotlib.figure
import matplotlib.ticker
import matplotlib.transforms
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg

from basket.analysis.figure import Figure
from basket.project.settings import Palette, Settings
from basket.report.colours import ink_of_named, ramp
from basket.report.pictures import as_png

DOTS_PER_INCH = 150
WIDTH, HEIGHT, LOWEST, HIGHEST = 8.0, 3.7, 2.5, 6.4  # inches
ROW, ROWS_BESIDE = 0.26, 1.6  # inches: a row of a chart of rows, and what stands around them
BAR = 0.15  # inches: a bar of a row that holds several
TITLE, TEXT, SMALL = 13, 10, 8  # points, as of the workbook's charts
TITLE_WRAPS, SUBTITLE_WRAPS = 70, 105  # characters
MARGIN, CHARACTER = 0.1, 0.08  # inches
LONGEST_NAME = 48  # characters beside a row
MOST_WRITTEN = 80  # characters below an axis
POINTS_PER_INCH = 72

# What seaborn calls and matplotlib will replace is no error, where warnings are made errors.
warnings.filterwarnings("ignore", category=PendingDeprecationWarning, module="seaborn")


def draw(figure: Figure, settings: Settings, banner: str = "") -> bytes:
    """Draw a figure as PNG, with `banner` on it when the data is not real."""
    with mpl.rc_context(_style(settings.palette)):
        return as_png(compose(figure, settings, banner))


def compose(figure: Figure, settings: Settings, banner: str = "") -> mpl.figure.Figure:
    """Put a figure together: title, subtitle, panels and source."""
    colours, height = settings.palette, _height(figure)
    canvas = mpl.figure.Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(canvas)
    title = textwrap.fill(figure.title, TITLE_WRAPS)
    subtitle = textwrap.fill(figure.subtitle.replace(" %", "\u00a0%"), SUBTITLE_WRAPS)
    line = 1.25 / POINTS_PER_INCH / height
    top = 1 - MARGIN / height
    canvas.text(0.012, top, title, fontsize=TITLE, fontweight="bold", va="top")
    top -= line * TITLE * (title.count("\n") + 1) + 0.04 / height
    canvas.text(0.012, top, subtitle, color=colours.muted, va="top")
    top -= line * TEXT * (subtitle.count("\n") + 1)
    sources = ", ".join(figure.sources).replace("_", " ")
    note = f"Source: {sources}." + (f" {banner}." if banner else "")
    ink = ink_of_named(colours) if banner else colours.muted
    canvas.text(0.012, 0.08 / height, note, fontsize=SMALL, color=ink)
    parts = _parts(figure)
    panels = canvas.subplots(1, len(parts), squeeze=False, sharex=True, sharey=True)[0]
    for (name, part), axes in zip(parts.items(), panels, strict=True):
        KINDS[figure.kind](axes, part, colours)
        _band(axes, part, colours)
        if name:
            axes.set_title(name, fontsize=TEXT, loc="left")
            axes.set_ylabel("")
    if len(panels) > 1:
        for axes in panels:
            axes.set_xlabel("")
        panels[0].set_xlabel(figure.y_title)
        panels[0].xaxis.label.set(ha="left", x=0)
    _fit(panels, top - 0.1 / height, 0.3 / height)
    if figure.kind == "bar":  # of all panels, with room for the longest bar's label
        highest = figure.data[figure.series].to_numpy("float64", na_value=0).max()
        label = CHARACTER * len(_written(highest, figure.number_format)) + 0.05
        width = WIDTH * panels[0].get_position().width
        wider = max(1.05 + 0.07 * len(panels), width / (width - label))
        panels[0].set_xlim(0, wider * highest or 1)
    if figure.kind == "scatter":
        _name_points(panels[0], figure, colours)
    return canvas


def _style(colours: Palette) -> dict:
    inked = ("axes.labelcolor", "text.color", "xtick.color", "ytick.color")
    return {
        **dict.fromkeys(("axes.spines.top", "axes.spines.right", "text.parse_math"), False),
        **dict.fromkeys(inked, colours.ink),
        "axes.edgecolor": colours.muted,
        "grid.color": colours.grid,
        "font.size": TEXT,
        "axes.axisbelow": True,
        "figure.facecolor": colours.paper,
    }


def _height(figure: Figure) -> float:
    """Return the height in inches that the rows of a figure ask for."""
    rows = figure.data[figure.x].nunique()
    if figure.kind == "heat":
        names = figure.data[figure.x].map(_short)
        turned = CHARACTER * names.str.len().max() if figure.heat["undecided"] else 0
        wanted = ROWS_BESIDE - 0.2 + turned + ROW * figure.data[figure.heat["rows"]].nunique()
    elif figure.kind in ("bar", "dots"):
        wanted = ROWS_BESIDE + rows * max(ROW, BAR * len(figure.series) + 0.1)
    else:
        wanted = HEIGHT * (1.25 if figure.kind == "scatter" else 1)
    return min(max(wanted, LOWEST), HIGHEST)


def _parts(figure: Figure) -> dict[str, Figure]:
    """Part a figure into its panels, each with the same rows."""
    if not figure.panel:
        return {"": figure}
    rows = figure.data[figure.x]
    rows = rows.cat.categories if isinstance(rows.dtype, pd.CategoricalDtype) else rows.unique()
    return {
        name: replace(
            figure, data=part.set_index(figure.x).reindex(rows).rename_axis(figure.x).reset_index()
        )
        for name, part in figure.data.groupby(figure.panel, sort=False)
    }


def _fit(panels, top: float, bottom: float) -> None:
    """Place the panels beside each other, with room for what is written around them."""
    canvas = panels[0].figure
    renderer, to_share = canvas.canvas.get_renderer(), canvas.transFigure.inverted()
    for axes in panels:  # about as high as it will be: that decides how many ticks there are
        place = axes.get_position()
        axes.set_position((place.x0, bottom + 0.15, place.width, top - bottom - 0.2))
        axes.yaxis.set_major_locator(mpl.ticker.FixedLocator(axes.get_yticks()))  # these have room
    frames = [axes.get_tightbbox(renderer).transformed(to_share) for axes in panels]
    inner = [axes.get_position() for axes in panels]
    left = inner[0].x0 - frames[0].x0 + 0.012
    below = max(place.y0 - frame.y0 for place, frame in zip(inner, frames, strict=True))
    above = max(frame.y1 - place.y1 for place, frame in zip(inner, frames, strict=True))
    right = max(frames[-1].x1 - inner[-1].x1, 0) + 0.012
    gap = 0.03
    width = (1 - left - right - gap * (len(panels) - 1)) / len(panels)
    low = bottom + below
    for number, axes in enumerate(panels):
        axes.set_position((left + number * (width + gap), low, width, top - max(above, 0) - low))


# ---- kinds --------------------------------------------------------------------------------------


class Ticks(mpl.ticker.Formatter):
    """Write numbers as the workbook does, with the decimals that their steps have."""

    def __init__(self, number_format: str):
        """Take the format of the workbook: of shares, dollars or numbers."""
        self._scale = 100 if "%" in number_format else 1
        self._before, self._after = "$" * ("$" in number_format), "%" * ("%" in number_format)

    def __call__(self, value: float, pos: int | None = None) -> str:
        """Write one number."""
        return self.format_ticks([value])[0]

    def format_ticks(self, values) -> list[str]:
        """Write the numbers of an axis alike."""
        scaled = [self._scale * value for value in values]
        digits = next(
            (n for n in range(6) if all(abs(value - round(value, n)) < 1e-9 for value in scaled)), 6
        )
        return [f"{self._before}{value:,.{digits}f}{self._after}" for value in scaled]


def _short(name) -> str:
    """Cut a name that leaves no room for what it names."""
    text = f"{name}"
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1].rstrip()}…"


def _written(value: float, number_format: str) -> str:
    """Write a number beside its bar, nothing for none; a share below 1 % keeps a decimal."""
    if math.isnan(value):
        return ""
    if "%" in number_format:
        digits = 1 if ".0" in number_format or 0 < value < 0.01 else 0
        return f"{value:.{digits}%}"
    digits = len(number_format.partition(".")[2].rstrip('"'))
    return f"{'$' * ('$' in number_format)}{value:,.{digits}f}"


def _name(figure: Figure, column: str) -> str:
    return figure.labels.get(column, column.replace("_", " "))


def _names(figure: Figure) -> list[str]:
    """Name each row, as titles may."""
    return figure.data[figure.name_of or figure.x].astype("str").tolist()


def _is_named(figure: Figure) -> np.ndarray:
    return np.isin(_names(figure), figure.highlight)


def _grid(axes, which: str) -> None:
    axes.grid(axis=which, linewidth=0.7)
    axes.tick_params(length=0)


def _limits(figure: Figure, column: str) -> np.ndarray:
    """Return how far the interval of each row reaches below and above its value."""
    low, high = figure.intervals[column]
    values = figure.data[column].astype("float64")
    return np.nan_to_num(np.abs(np.vstack([values - figure.data[low], figure.data[high] - values])))


def _name_rows(axes, figure: Figure, colours: Palette) -> None:
    """Write the names of rows at the left, those of the title in the contrasting hue."""
    names = figure.data[figure.x].map(_short)
    axes.set_yticks(np.arange(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(figure.y_title)
    if not figure.panel:
        _mark(axes.get_yticklabels(), figure, colours)


def _mark(labels, figure: Figure, colours: Palette) -> None:
    named = set(map(_short, figure.highlight))
    for label in labels:
        if label.get_text() in named:
            label.set(color=ink_of_named(colours), fontweight="bold")


def _legend(axes, figure: Figure, hues: list[str]) -> None:
    """Name the series above the axes, in the hues that rows have which no title names."""
    if len(figure.series) > 1 and axes.get_subplotspec().is_first_col():
        names = [_name(figure, column) for column in figure.series]
        handles = [mpl.patches.Patch(color=hue) for hue in hues]
        place = (-0.01, 1.12 if figure.panel else 1.0)
        corner = {"loc": "lower left", "bbox_to_anchor": place, "borderaxespad": 0.1}
        axes.legend(handles, names, frameon=False, ncols=len(names), **corner)


def _bars(axes, figure: Figure, colours: Palette, *, sideways: bool) -> None:
    place, named = np.arange(len(figure.data), dtype="float64"), _is_named(figure)
    width = 0.8 / len(figure.series)
    hues = ramp(colours, len(figure.series))
    marked = ramp(colours, len(figure.series), "contrast")
    labelled = len(figure.data) * len(figure.series) <= (30 if sideways else 12)
    for number, column in enumerate(figure.series):
        values = figure.data[column].astype("float64")
        at = place + (number - (len(figure.series) - 1) / 2) * width
        hue = [marked[number] if one else hues[number] for one in named]
        draw_bars = axes.barh if sideways else axes.bar
        drawn = draw_bars(at, values.fillna(0), width, color=hue, label=_name(figure, column))
        if labelled:
            shown = [_written(value, figure.number_format) for value in values]
            axes.bar_label(drawn, shown, padding=2, fontsize=SMALL + 1)
    values = axes.xaxis if sideways else axes.yaxis
    values.set_major_formatter(Ticks(figure.number_format))
    if sideways:
        _name_rows(axes, figure, colours)
    else:
        _name_columns(axes, figure, colours)
        axes.set(ylabel=figure.y_title, ylim=(0, None))
    _grid(axes, "x" if sideways else "y")
    if labelled:
        axes.grid(visible=False)
        values.set_ticks([])
    _legend(axes, figure, hues)


def _name_columns(axes, figure: Figure, colours: Palette) -> None:
    """Write the names of columns below, each where there is room for all."""
    names = figure.data[figure.x].astype("str").tolist()
    written = sum(map(len, names)) + len(names)
    step = 1 if written <= MOST_WRITTEN else 2 if len(names) <= 24 else 7
    kept = [n for n in range(len(names)) if n % step == 0 or (step == 7 and n == len(names) - 1)]
    axes.set_xticks(kept, [names[n] for n in kept])
    axes.set_xlabel(figure.x_title)
    _mark(axes.get_xticklabels(), figure, colours)


def _histogram(axes, figure: Figure, colours: Palette) -> None:
    """Draw a column from each class to the next, and the cuts across them."""
    start, values = figure.data[figure.x], figure.data[figure.series[0]]
    width = start.diff().min() if len(start) > 1 else 1
    look = {"align": "edge", "color": colours.accent, "edgecolor": colours.paper}
    axes.bar(start, values, width, **look)
    axes.set(xlabel=figure.x_title, ylabel=figure.y_title, ylim=(0, 1.5 * values.max()))
    axes.xaxis.set_major_formatter(Ticks("$" if "dollar" in figure.x_title else ""))
    axes.yaxis.set_major_formatter(Ticks(figure.number_format))
    _grid(axes, "y")
    frame = axes.get_xaxis_transform()
    for number, (at, said) in enumerate(figure.cuts):
        axes.axvline(at, color=colours.contrast, linewidth=1.5, linestyle=(0, (4, 2)))
        look = {"color": ink_of_named(colours), "fontsize": SMALL + 1, "va": "top"}
        look["bbox"] = {"facecolor": colours.paper, "edgecolor": "none", "pad": 0.5}
        axes.text(at, 0.99 - 0.08 * number, f" {said}", transform=frame, **look)


def _line(axes, figure: Figure, colours: Palette) -> None:
    place = np.arange(len(figure.data))
    hues = ramp(colours, len(figure.series))
    for number, column in enumerate(figure.series):
        values = figure.data[column].astype("float64")
        line = {"color": hues[number], "label": _name(figure, column)}
        axes.plot(place, values, marker="o", markersize=4, **line)
        if figure.intervals and column in figure.intervals:
            low, high = (figure.data[name].astype("float64") for name in figure.intervals[column])
            axes.fill_between(place, low, high, color=hues[number], alpha=0.18, linewidth=0)
    _name_columns(axes, figure, colours)
    axes.set_ylabel(figure.y_title)
    axes.yaxis.set_major_formatter(Ticks(figure.number_format))
    _grid(axes, "y")
    _legend(axes, figure, hues)


def _dots(axes, figure: Figure, colours: Palette) -> None:
    """Draw estimates beside each other as dots, each with its interval."""
    named, classes = _is_named(figure), len(figure.series)
    hues, marked = ramp(colours, classes), ramp(colours, classes, "contrast")
    for number, column in enumerate(figure.series):
        values, limits = figure.data[column].astype("float64"), _limits(figure, column)
        place = np.arange(len(values)) + 0.24 * (number - (classes - 1) / 2)
        look = {"fmt": "o", "markersize": 5, "elinewidth": 1.6, "capsize": 0}
        for rows, hue in ((~named, hues[number]), (named, marked[number])):
            if rows.any():
                axes.errorbar(values[rows], place[rows], xerr=limits[:, rows], color=hue, **look)
    if figure.is_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
        axes.xaxis.set_major_formatter("{x:g}")
    else:
        axes.xaxis.set_major_formatter(Ticks(figure.number_format))
    _name_rows(axes, figure, colours)
    _grid(axes, "x")
    if figure.reference is not None:
        axes.axvline(figure.reference, color=colours.ink, linewidth=1)
    _legend(axes, figure, hues)


def _band(axes, figure: Figure, colours: Palette) -> None:
    """Shade the values that are too close to each other to matter."""
    if figure.band:
        axes.axvspan(*figure.band, color=colours.grid, alpha=0.6, linewidth=0, zorder=0)


def _scatter(axes, figure: Figure, colours: Palette) -> None:
    x, y = figure.data[figure.x].astype("float64"), figure.data[figure.series[0]].astype("float64")
    hue = np.where(_is_named(figure), colours.contrast, colours.accent)
    axes.scatter(x, y, color=hue, s=36)
    axes.set(xlabel=figure.x_title, ylabel=figure.y_title)
    if figure.is_log:
        axes.set_xscale("log")
        places = [tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if tick >= x.min() / 1.5]
        axes.xaxis.set_major_locator(mpl.ticker.FixedLocator(places))
        axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
        axes.set_xlim(x.min() / 1.15, x.max() * 1.25)
    else:
        axes.set(xlim=(0, None), ylim=(0, None))
    axes.xaxis.set_major_formatter(Ticks("0%"))
    axes.yaxis.set_major_formatter(Ticks(figure.number_format))
    _grid(axes, "both")


def _name_points(axes, figure: Figure, colours: Palette) -> None:
    """Write each point's name beside it, at the first side that no other name has taken.

    The names of the title come first.
    """
    x, y = (figure.data[name].astype("float64") for name in (figure.x, figure.series[0]))
    points = axes.transData.transform(np.column_stack([x, y]))
    taken = [mpl.transforms.Bbox.from_bounds(left - 7, low - 7, 14, 14) for left, low in points]
    order = np.lexsort((-y, ~_is_named(figure)))
    names = np.array(_names(figure))
    for row in order:
        for offset, side, height in (
            ((6, 0), "left", "center"),
            ((-6, 0), "right", "center"),
            ((0, 6), "center", "bottom"),
            ((0, -6), "center", "top"),
        ):
            look = {"textcoords": "offset points", "fontsize": SMALL, "ha": side, "va": height}
            label = axes.annotate(names[row], (x.iloc[row], y.iloc[row]), offset, **look)
            if names[row] in figure.highlight:
                label.set(color=ink_of_named(colours), fontweight="bold", fontsize=TEXT)
            box = label.get_window_extent().padded(1)
            if not any(box.overlaps(other) for other in taken) and axes.bbox.containsx(box.x1):
                taken.append(box)
                break
            label.remove()


def _heat(axes, figure: Figure, colours: Palette) -> None:
    """Draw a tint for each row and column; ratios from one hue over paper to the other."""
    spans = figure.heat
    table = figure.data.pivot(index=spans["rows"], columns=spans["columns"], values=spans["values"])
    table = table.reindex(
        index=figure.data[spans["rows"]].unique(), columns=figure.data[spans["columns"]].unique()
    ).astype("float64")
    look = {"ax": axes, "cbar": False, "linewidths": 0.5, "linecolor": colours.paper}
    if spans["undecided"]:
        decided = ~figure.data[spans["undecided"]].astype(bool)
        shown = figure.data[decided].pivot(
            index=spans["rows"], columns=spans["columns"], values=spans["values"]
        )
        shown = shown.reindex_like(table).astype("float64")
        hues = [colours.contrast, colours.paper, colours.accent]
        look |= {"cmap": sns.blend_palette(hues, as_cmap=True), "center": 0}
        farthest = np.nanmax([*np.abs(np.log(shown.to_numpy().ravel())), math.log(1.5)])
        look |= {"vmin": -farthest, "vmax": farthest}
        look |= {"annot": shown, "fmt": ".2f", "annot_kws": {"fontsize": SMALL - 1}}
        axes.set_facecolor(colours.grid)
        sns.heatmap(np.log(shown), **look)
        axes.set_xticks(
            np.arange(len(table.columns)) + 0.5, [*map(_short, table.columns)], rotation=90
        )
    else:
        tints = sns.light_palette(colours.accent, as_cmap=True)
        sns.heatmap(table.fillna(0), cmap=tints, **look)  # a cell without orders has no row
        _legend_of_tints(axes, figure)
    for row, first, end in spans["outlined"]:
        corner = (list(table.columns).index(first), list(table.index).index(row))
        frame = {"fill": False, "edgecolor": colours.contrast, "linewidth": 2.2}
        axes.add_patch(mpl.patches.Rectangle(corner, end - first, 1, **frame))
    axes.set(xlabel=figure.x_title, ylabel="")
    axes.tick_params(length=0)
    axes.set_yticks(axes.get_yticks(), [*map(_short, table.index)], rotation=0)
    for axis in (axes.xaxis, axes.yaxis):
        _mark(axis.get_ticklabels(), figure, colours)


def _legend_of_tints(axes, figure: Figure) -> None:
    bar = axes.inset_axes((1.015, 0, 0.02, 1))
    axes.figure.colorbar(axes.collections[0], cax=bar, format="{x:,.0f}", label=figure.y_title)
    bar.tick_params(length=0, labelsize=SMALL)


KINDS = {
    "heat": _heat,
    "line": _line,
    "dots": _dots,
    "scatter": _scatter,
    "histogram": _histogram,
    "bar": lambda *parts: _bars(*parts, sideways=True),
    "column": lambda *parts: _bars(*parts, sideways=False),
}
