"""Native charts of the workbook: openpyxl's classes with the defaults that a reader needs.

openpyxl hides the axes in Excel, lays titles over the plot, smooths lines, colours every bar
differently and leaves out the cached numbers that a preview shows. Each function here puts one of
these right; `build` puts a chart together from a figure and the table that holds its numbers.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from openpyxl.chart import BarChart, LineChart, ScatterChart
from openpyxl.chart._chart import ChartBase
from openpyxl.chart.axis import ChartLines
from openpyxl.chart.data_source import (
    AxDataSource,
    NumData,
    NumDataSource,
    NumRef,
    NumVal,
    StrData,
    StrRef,
    StrVal,
)
from openpyxl.chart.error_bar import ErrorBars
from openpyxl.chart.label import DataLabel, DataLabelList
from openpyxl.chart.layout import Layout, ManualLayout
from openpyxl.chart.legend import Legend
from openpyxl.chart.marker import Marker
from openpyxl.chart.series import Series, SeriesLabel, XYSeries
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText, Text
from openpyxl.chart.title import Title
from openpyxl.descriptors import Typed
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.text import (
    CharacterProperties,
    Font,
    Paragraph,
    ParagraphProperties,
    RegularTextRun,
    RichTextProperties,
)
from openpyxl.utils import get_column_letter

from basket.project.settings import Palette

KINDS = ("column", "bar", "stacked_bar", "line", "scatter")
MOST_SERIES = 4
POINTS = 100  # a chart gives sizes in hundredths of a point
EMU_PER_POINT = 12_700
TITLE_SIZE, TEXT_SIZE = 11, 10
FONT = "Arial"
# Room for a point's name and half of a point, in shares of the axes.
LABEL_WIDTH, LABEL_HEIGHT, POINT_WIDTH = 0.14, 0.07, 0.008
SMALLEST_PER_CENT = 0.01
MOST_LABELLED = {"column": 12, "bar": 30}
MOST_STEPS = 6  # of an axis whose ends are ours
STEPS = (1, 2, 2.5, 5, 10)  # times a power of ten


@dataclass(frozen=True)
class Range:
    """A table of the workbook that a chart draws: where it stands, and what it holds."""

    sheet: str
    first: int
    last: int
    columns: dict[str, int]
    header: int
    values: pd.DataFrame

    def column(self, name: str) -> str:
        """Reference to the numbers or texts of a column."""
        letter = get_column_letter(self.columns[name])
        return f"'{self.sheet}'!${letter}${self.first}:${letter}${self.last}"

    def title(self, name: str) -> str:
        """Reference to a column's header."""
        return f"'{self.sheet}'!${get_column_letter(self.columns[name])}${self.header}"


def series_colours(palette: Palette) -> list[str]:
    """Colours of a chart's series, in their order."""
    names = ("accent", "contrast", "third", "fourth")
    return [getattr(palette, name).lstrip("#") for name in names]


def build(figure: dict, data: Range, headings: dict[str, str], palette: Palette) -> ChartBase:
    """Build the native chart of a figure, with its numbers cached."""
    spec = figure["chart"]
    kind, names = spec["kind"], spec["series"]
    if kind not in KINDS:
        raise ValueError(f"{figure['name']}: no chart of kind {kind}")
    if not 1 <= len(names) <= MOST_SERIES:
        raise ValueError(f"{figure['name']}: a chart shows 1 to {MOST_SERIES} series")
    style = Style(palette, _distinct(spec.get("number_format") or "General", data, names))
    chart = _empty(kind)
    for name, colour in zip(names, series_colours(palette), strict=False):
        series = _series(kind, data, spec["x"], name, headings.get(name, name), style)
        _colour(series, kind, colour, palette)
        interval = (spec.get("intervals") or {}).get(name)
        if interval:
            series.errBars = _error_bars(data, name, kind, palette)
        chart.series.append(series)
    if kind == "scatter":
        _name_points(chart.series[0], data, spec, palette)
    chart.title = _title(figure["title"], palette, TITLE_SIZE, bold=True)
    chart.title.layout = Layout(ManualLayout(xMode="edge", yMode="edge", x=0.01, y=0.02))
    chart.legend = _legend(palette) if len(names) > 1 else None
    labelled = (
        len(names) == 1
        and not spec.get("intervals")
        and len(data.values) <= MOST_LABELLED.get(kind, 0)
    )
    if labelled:
        chart.dataLabels = _labels(style)
    _axes(chart, spec, data, style, gridlines=not labelled)
    if kind == "stacked_bar" and _adds_up_to_one(names, data.values):
        chart.y_axis.scaling.max = 1
    chart.roundedCorners = False
    chart.display_blanks = "gap"
    chart.graphical_properties = GraphicalProperties(noFill=True, ln=LineProperties(noFill=True))
    chart.name, chart.alt_text = figure["name"], figure["alt"]
    return chart


def precise(number_format: str, values: Iterable = ()) -> str:
    """The format in which a table shows a chart's numbers: one more decimal where they have it."""
    if number_format == "0%":
        return "0.0%"
    shorter = any(
        isinstance(value, float) and round(value, 1) != round(value, 2) for value in values
    )
    return "0.00" if number_format == "0.0" and shorter else number_format


def _distinct(number_format: str, data: Range, names: Sequence[str]) -> str:
    """The format, with a decimal where per cents would otherwise read 0."""
    values = [value for name in names for value in _plain(data.values[name])]
    small = any(0 < value < SMALLEST_PER_CENT for value in values)
    return precise(number_format) if small else number_format


@dataclass(frozen=True)
class Style:
    """What all parts of a chart share."""

    palette: Palette
    number_format: str


def _empty(kind: str) -> ChartBase:
    if kind == "line":
        return LineChart()
    if kind == "scatter":
        chart = ScatterChart()
        chart.scatterStyle, chart.varyColors = "lineMarker", False
        return chart
    chart = BarChart()
    chart.type = "col" if kind == "column" else "bar"
    chart.grouping = "stacked" if kind == "stacked_bar" else "clustered"
    chart.overlap = 100 if kind == "stacked_bar" else None
    chart.gapWidth = 55
    chart.varyColors = False
    return chart


# ---- series -----------------------------------------------------------------------------------


def _series(kind: str, data: Range, x: str, name: str, title: str, style: Style):
    label = SeriesLabel(
        strRef=StrRef(f=data.title(name), strCache=StrData(ptCount=1, pt=[StrVal(idx=0, v=title)]))
    )
    numbers = _numbers(data, name, style.number_format)
    categories = _categories(data, x)
    if kind == "scatter":
        return XYSeries(tx=label, xVal=categories, yVal=numbers)
    return Series(tx=label, cat=categories, val=numbers)


def _numbers(data: Range, name: str, number_format: str) -> NumDataSource:
    points = [
        NumVal(idx=place, v=repr(value) if isinstance(value, float) else str(value))
        for place, value in enumerate(_plain(data.values[name]))
        if value is not None
    ]
    return NumDataSource(
        numRef=NumRef(
            f=data.column(name),
            numCache=NumData(formatCode=number_format, ptCount=len(data.values), pt=points),
        )
    )


def _categories(data: Range, name: str) -> AxDataSource:
    values = _plain(data.values[name])
    if all(isinstance(value, int | float) for value in values):
        points = [NumVal(idx=place, v=str(value)) for place, value in enumerate(values)]
        return AxDataSource(
            numRef=NumRef(
                f=data.column(name),
                numCache=NumData(formatCode="General", ptCount=len(values), pt=points),
            )
        )
    points = [StrVal(idx=place, v=str(value)) for place, value in enumerate(values)]
    return AxDataSource(
        strRef=StrRef(f=data.column(name), strCache=StrData(ptCount=len(values), pt=points))
    )


def _plain(values: pd.Series) -> list:
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    return [None if pd.isna(value) else value for value in plain]


def _colour(series, kind: str, colour: str, palette: Palette) -> None:
    if kind == "line":
        series.smooth = False
        series.marker = Marker("circle", size=5)
        series.marker.graphicalProperties = GraphicalProperties(
            solidFill=colour, ln=LineProperties(solidFill=colour)
        )
        series.graphicalProperties = GraphicalProperties(
            ln=LineProperties(solidFill=colour, w=int(2 * EMU_PER_POINT))
        )
    elif kind == "scatter":
        series.smooth = False
        series.marker = Marker("circle", size=8)
        series.marker.graphicalProperties = GraphicalProperties(
            solidFill=colour, ln=LineProperties(solidFill=palette.paper.lstrip("#"))
        )
        series.graphicalProperties = GraphicalProperties(ln=LineProperties(noFill=True))
    else:
        series.invertIfNegative = False
        series.graphicalProperties = GraphicalProperties(
            solidFill=colour, ln=LineProperties(solidFill=palette.paper.lstrip("#"))
        )


def below_column(name: str) -> str:
    """Name of the column that says how far the interval of a series reaches below its value."""
    return f"{name} (interval below)"


def above_column(name: str) -> str:
    """Name of the column that says how far the interval of a series reaches above its value."""
    return f"{name} (interval above)"


class IntervalBars(ErrorBars):
    """Error bars that are written in the order that the file format asks for."""

    tagname = ErrorBars.tagname
    __attrs__, __nested__ = ErrorBars.__attrs__, ErrorBars.__nested__
    __elements__ = (
        "errDir",
        "errBarType",
        "errValType",
        "noEndCap",
        "plus",
        "minus",
        "val",
        "spPr",
    )


def _error_bars(data: Range, name: str, kind: str, palette: Palette) -> ErrorBars:
    bars = IntervalBars(
        errDir="y" if kind == "scatter" else None,
        errBarType="both",
        errValType="cust",
        noEndCap=False,
        plus=_numbers(data, above_column(name), "General"),
        minus=_numbers(data, below_column(name), "General"),
    )
    bars.spPr = GraphicalProperties(
        ln=LineProperties(solidFill=palette.ink.lstrip("#"), w=int(1.25 * EMU_PER_POINT))
    )
    return bars


class PointLabel(DataLabel):
    """A label with a text of its own, at one point of a series."""

    tagname = DataLabel.tagname
    tx = Typed(expected_type=Text)
    __attrs__, __nested__ = DataLabel.__attrs__, DataLabel.__nested__
    __elements__ = ("idx", "tx", *DataLabel.__elements__[1:])

    def __init__(self, idx: int, text: Text, **options):
        """Label the point `idx` with `text`."""
        super().__init__(idx=idx, **options)
        self.tx = text


def _name_points(series, data: Range, spec: dict, palette: Palette) -> None:
    """Write names beside the points of a scatter, as far as there is room for them."""
    names = next(
        (
            column
            for column in data.values
            if all(isinstance(value, str) for value in data.values[column])
        ),
        None,
    )
    if names is None:
        return
    across, up = (_scaled(data.values[name]) for name in (spec["x"], spec["series"][0]))
    labels = []
    for place, side in sides_with_room(across, up).items():
        text = _title(str(data.values[names].iloc[place]), palette, TEXT_SIZE).tx
        labels.append(
            PointLabel(
                place,
                text,
                dLblPos=side,
                showVal=True,
                showLegendKey=False,
                showCatName=False,
                showSerName=False,
                showPercent=False,
                showBubbleSize=False,
            )
        )
    series.dLbls = DataLabelList(
        dLbl=sorted(labels, key=lambda label: label.idx),
        showVal=False,
        showLegendKey=False,
        showCatName=False,
        showSerName=False,
        showPercent=False,
        showBubbleSize=False,
    )


def sides_with_room(across: list[float], up: list[float]) -> dict[int, str]:
    """On which side of a point (r, l) its name hides no other point and no other name."""
    taken = [(x - POINT_WIDTH, x + POINT_WIDTH, y) for x, y in zip(across, up, strict=True)]
    found = {}
    for place in sorted(range(len(up)), key=lambda place: -abs(up[place] - 0.5)):
        x, y = across[place], up[place]
        for side, box in (
            ("r", (x + POINT_WIDTH, x + LABEL_WIDTH)),
            ("l", (x - LABEL_WIDTH, x - POINT_WIDTH)),
        ):
            free = not any(
                box[0] < right and left < box[1] and abs(y - other) < LABEL_HEIGHT
                for left, right, other in taken
            )
            if free and min(box) >= 0 and max(box) <= 1:
                found[place] = side
                taken.append((*box, y))
                break
    return found


def _scaled(values: pd.Series) -> list[float]:
    """Values as places between 0 and 1 of an axis from 0."""
    numbers = values.astype(float)
    return list(numbers / (numbers.max() or 1))


# ---- texts ------------------------------------------------------------------------------------


def _characters(palette: Palette, size: float, bold: bool, colour: str) -> CharacterProperties:
    return CharacterProperties(
        sz=int(size * POINTS),
        b=bold,
        latin=Font(typeface=FONT),
        solidFill=getattr(palette, colour).lstrip("#"),
    )


def _title(
    text: str, palette: Palette, size: float, bold: bool = False, turned: bool = False
) -> Title:
    characters = _characters(palette, size, bold, "ink" if bold else "muted")
    properties = RichTextProperties(rot=-5_400_000, vert="horz") if turned else RichTextProperties()
    paragraph = Paragraph(
        pPr=ParagraphProperties(defRPr=characters), r=[RegularTextRun(rPr=characters, t=text)]
    )
    title = Title(tx=Text(rich=RichText(bodyPr=properties, p=[paragraph])))
    title.overlay = False
    return title


def _text(palette: Palette, colour: str = "ink") -> RichText:
    paragraph = Paragraph(
        pPr=ParagraphProperties(defRPr=_characters(palette, TEXT_SIZE, False, colour)),
        endParaRPr=CharacterProperties(sz=TEXT_SIZE * POINTS),
    )
    return RichText(bodyPr=RichTextProperties(), p=[paragraph])


def _legend(palette: Palette) -> Legend:
    legend = Legend()
    legend.position, legend.overlay = "b", False
    legend.txPr = _text(palette)
    return legend


def _labels(style: Style) -> DataLabelList:
    labels = DataLabelList()
    labels.showVal = True
    labels.showSerName = labels.showCatName = labels.showLegendKey = labels.showPercent = False
    labels.position = "outEnd"
    labels.numFmt = style.number_format
    labels.txPr = _text(style.palette)
    return labels


# ---- axes -------------------------------------------------------------------------------------


def _axes(chart: ChartBase, spec: dict, data: Range, style: Style, *, gridlines: bool) -> None:
    kind = spec["kind"]
    sideways = kind in ("bar", "stacked_bar")
    palette = style.palette
    for axis, text, turned in (
        (chart.x_axis, spec["x_title"], sideways),
        (chart.y_axis, spec["y_title"], not sideways),
    ):
        axis.delete = False
        axis.title = _title(text, palette, TEXT_SIZE, turned=turned)
        axis.txPr = _text(palette)
        axis.majorTickMark = axis.minorTickMark = "none"
        axis.tickLblPos = "low" if axis is chart.x_axis else "nextTo"
        axis.majorGridlines = None
        axis.graphicalProperties = GraphicalProperties(
            ln=LineProperties(solidFill=palette.muted.lstrip("#"))
        )
    chart.y_axis.number_format = style.number_format
    chart.y_axis.numFmt.sourceLinked = False
    if gridlines:
        chart.y_axis.majorGridlines = ChartLines(
            GraphicalProperties(ln=LineProperties(solidFill=palette.grid.lstrip("#")))
        )
        chart.y_axis.graphicalProperties = GraphicalProperties(ln=LineProperties(noFill=True))
    if kind in ("column", "bar", "stacked_bar"):
        chart.y_axis.scaling.min = 0
        chart.x_axis.tickLblSkip = 1
    if spec.get("intervals"):
        _make_room_for_intervals(chart.y_axis, kind, spec["intervals"], data.values)
    if sideways:
        chart.x_axis.scaling.orientation = "maxMin"
        chart.y_axis.crosses = "max"
    if kind == "line":
        chart.x_axis.tickLblSkip = 1
    if kind == "scatter":
        shares = data.values[spec["x"]].astype(float).between(0, 1).all()
        chart.x_axis.number_format = "0%" if shares else "#,##0"
        chart.x_axis.scaling.max = 1 if shares else None
        chart.x_axis.numFmt.sourceLinked = False
        chart.x_axis.scaling.min = chart.y_axis.scaling.min = 0


def _make_room_for_intervals(axis, kind: str, intervals: dict, values: pd.DataFrame) -> None:
    """Let the axis reach over every interval: programs look at the values alone and cut the rest.

    A line that stays far from 0 need not start there; bars do.
    """
    low = values[[ends[0] for ends in intervals.values()]].to_numpy(float).min()
    high = values[[ends[1] for ends in intervals.values()]].to_numpy(float).max()
    if not math.isfinite(low) or not math.isfinite(high):
        return
    start = low if low < 0 or (kind == "line" and low > high / 2) else 0.0
    step = round_step(float(high - start) / MOST_STEPS)
    axis.scaling.min = round(math.floor(float(start) / step) * step, 10)
    axis.scaling.max = round(math.ceil(float(high) / step) * step, 10)
    axis.majorUnit = step


def round_step(least: float) -> float:
    """The smallest round step that is no smaller: 1, 2, 2.5 or 5 times a power of ten."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(round(step * power, 12) for step in STEPS if step * power >= least * (1 - 1e-9))


def _adds_up_to_one(names: Sequence[str], values: pd.DataFrame) -> bool:
    """Whether the series of every row are shares of a whole."""
    total = values[list(names)].astype(float).sum(axis=1)
    return bool(((total - 1).abs() < 0.01).all())
