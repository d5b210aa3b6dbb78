"""Native charts of the workbook: openpyxl's classes with the defaults that a reader needs.

openpyxl hides the axes in Excel, lays titles over the plot, smooths lines, colours every bar
differently and leaves out the cached numbers that a preview shows. Each function here corrects
one of these; `build` puts a chart together from a figure and the table that holds its numbers.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from openpyxl.chart import BarChart, LineChart, ScatterChart
from openpyxl.chart import data_source as source
from openpyxl.chart._chart import ChartBase
from openpyxl.chart.axis import ChartLines
from openpyxl.chart.error_bar import ErrorBars
from openpyxl.chart.label import DataLabel, DataLabelList
from openpyxl.chart.layout import Layout, ManualLayout
from openpyxl.chart.legend import Legend
from openpyxl.chart.marker import DataPoint, Marker
from openpyxl.chart.series import Series, SeriesLabel, XYSeries
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText, Text
from openpyxl.chart.title import Title
from openpyxl.descriptors import Typed
from openpyxl.drawing import text as words
from openpyxl.drawing.line import LineProperties
from openpyxl.utils import get_column_letter

from basket.project.settings import Palette
from basket.report.colours import RAMPS, ramp
from basket.report.workbook.look import FONT
from basket.report.workbook.page import Place

KINDS = ("column", "bar", "line", "scatter")
MOST_SERIES = max(RAMPS)
POINTS = 100  # a chart gives sizes in hundredths of a point
EMU_PER_POINT = 12_700
TITLE_SIZE, TEXT_SIZE = 11, 10
# Room for a point's name and half of a point, in shares of the axes.
LABEL_WIDTH, LABEL_HEIGHT, POINT_WIDTH = 0.14, 0.07, 0.008
SMALLEST_PER_CENT = 0.01
MOST_LABELLED = {"column": 12, "bar": 30}
NOTHING_ELSE = dict.fromkeys(  # in the label of a point
    ("showLegendKey", "showCatName", "showSerName", "showPercent", "showBubbleSize"), False
)
MOST_STEPS = 6  # of an axis whose ends are ours
LOG_END = 1.0  # where a logarithmic axis of shares ends
STEPS = (1, 2, 2.5, 5, 10)  # times a power of ten


@dataclass(frozen=True)
class Range:
    """The part of a table of the workbook that a chart draws: its first rows, with their values."""

    place: Place
    values: pd.DataFrame

    def column(self, name: str) -> str:
        """Refer to the numbers or texts of a column."""
        letter, first = get_column_letter(self.place.columns[name]), self.place.first
        last = self.place.header + len(self.values)
        return f"'{self.place.sheet}'!${letter}${first}:${letter}${last}"

    def title(self, name: str) -> str:
        """Refer to a column's header."""
        letter = get_column_letter(self.place.columns[name])
        return f"'{self.place.sheet}'!${letter}${self.place.header}"


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
    named = [
        row
        for row, name in enumerate(map(str, data.values[figure.get("name_of") or spec["x"]]))
        if name in figure.get("highlight", ())
    ]
    hues = [ramp(palette, len(names), colour) for colour in ("accent", "contrast")]
    for name, hue, marked in zip(names, *hues, strict=True):
        series = _series(kind, data, spec["x"], name, headings.get(name, name), style)
        _colour(series, kind, hue.lstrip("#"), style)
        if kind != "line":
            series.dPt = [_marked(row, kind, marked.lstrip("#"), style) for row in named]
        interval = (spec.get("intervals") or {}).get(name)
        if interval:
            series.errBars = _error_bars(data, name, kind, style)
        chart.series.append(series)
    if kind == "scatter":
        _name_points(chart.series[0], data, spec, named, style)
    chart.title = _title(figure["title"], style, TITLE_SIZE, bold=True)
    chart.title.layout = Layout(ManualLayout(xMode="edge", yMode="edge", x=0.01, y=0.02))
    chart.legend = _legend(style) if len(names) > 1 else None
    single = len(names) == 1 and not spec.get("intervals")
    labelled = single and len(data.values) <= MOST_LABELLED.get(kind, 0)
    if labelled:
        chart.dataLabels = _labels(style)
    _axes(chart, spec, data, style, gridlines=not labelled)
    chart.roundedCorners = False
    chart.display_blanks = "gap"
    chart.graphical_properties = GraphicalProperties(noFill=True, ln=LineProperties(noFill=True))
    chart.name, chart.alt_text = figure["name"], figure["alt"]
    return chart


def precise(number_format: str, values: Iterable = ()) -> str:
    """Return the format of a chart's numbers in a table: one more decimal where they have it."""
    if number_format == "0%":
        return "0.0%"
    shorter = any(
        isinstance(value, float) and round(value, 1) != round(value, 2) for value in values
    )
    return "0.00" if number_format == "0.0" and shorter else number_format


def _distinct(number_format: str, data: Range, names: Sequence[str]) -> str:
    """Add a decimal to the format where per cents would otherwise read 0."""
    values = [value for name in names for value in _plain(data.values[name])]
    small = any(0 < value < SMALLEST_PER_CENT for value in values)
    return precise(number_format) if small else number_format


@dataclass(frozen=True)
class Style:
    """What all parts of a chart share."""

    palette: Palette
    number_format: str

    def colour(self, name: str) -> str:
        """Return a colour of the palette, as RRGGBB."""
        return getattr(self.palette, name).lstrip("#")

    def line(self, name: str, points: float | None = None) -> GraphicalProperties:
        """Return a line in a colour of the palette."""
        width = None if points is None else int(points * EMU_PER_POINT)
        return GraphicalProperties(ln=LineProperties(solidFill=self.colour(name), w=width))


def _empty(kind: str) -> ChartBase:
    if kind == "line":
        return LineChart()
    if kind == "scatter":
        chart = ScatterChart()
        chart.scatterStyle, chart.varyColors = "lineMarker", False
        return chart
    chart = BarChart()
    chart.type = "col" if kind == "column" else "bar"
    chart.grouping = "clustered"
    chart.gapWidth = 55
    chart.varyColors = False
    return chart


# ---- series -----------------------------------------------------------------------------------


def _series(kind: str, data: Range, x: str, name: str, title: str, style: Style):
    cache = source.StrData(ptCount=1, pt=[source.StrVal(idx=0, v=title)])
    label = SeriesLabel(strRef=source.StrRef(f=data.title(name), strCache=cache))
    numbers = _numbers(data, name, style.number_format)
    categories = _categories(data, x)
    if kind == "scatter":
        return XYSeries(tx=label, xVal=categories, yVal=numbers)
    return Series(tx=label, cat=categories, val=numbers)


def _numbers(data: Range, name: str, number_format: str) -> source.NumDataSource:
    return source.NumDataSource(numRef=_number_reference(data, name, number_format))


def _number_reference(data: Range, name: str, number_format: str) -> source.NumRef:
    points = [
        source.NumVal(idx=place, v=repr(value) if isinstance(value, float) else str(value))
        for place, value in enumerate(_plain(data.values[name]))
        if value is not None
    ]
    cache = source.NumData(formatCode=number_format, ptCount=len(data.values), pt=points)
    return source.NumRef(f=data.column(name), numCache=cache)


def _categories(data: Range, name: str) -> source.AxDataSource:
    values = _plain(data.values[name])
    if all(isinstance(value, int | float) for value in values):
        return source.AxDataSource(numRef=_number_reference(data, name, "General"))
    points = [source.StrVal(idx=place, v=str(value)) for place, value in enumerate(values)]
    cache = source.StrData(ptCount=len(values), pt=points)
    return source.AxDataSource(strRef=source.StrRef(f=data.column(name), strCache=cache))


def _plain(values: pd.Series) -> list:
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    return [None if pd.isna(value) else value for value in plain]


def _colour(series, kind: str, colour: str, style: Style) -> None:
    paper = LineProperties(solidFill=style.colour("paper"))
    if kind not in ("line", "scatter"):
        series.invertIfNegative = False
        series.graphicalProperties = GraphicalProperties(solidFill=colour, ln=paper)
        return
    series.smooth = False
    series.marker = Marker("circle", size=5 if kind == "line" else 8)
    edge = LineProperties(solidFill=colour) if kind == "line" else paper
    series.marker.graphicalProperties = GraphicalProperties(solidFill=colour, ln=edge)
    drawn = LineProperties(solidFill=colour, w=int(2 * EMU_PER_POINT))
    hidden = LineProperties(noFill=True)
    series.graphicalProperties = GraphicalProperties(ln=drawn if kind == "line" else hidden)


def _marked(row: int, kind: str, colour: str, style: Style) -> DataPoint:
    """Give the point of a row that the title names the contrasting hue."""
    fill = GraphicalProperties(solidFill=colour, ln=LineProperties(solidFill=style.colour("paper")))
    if kind == "scatter":
        return DataPoint(idx=row, marker=Marker("circle", size=9, spPr=fill))
    return DataPoint(idx=row, invertIfNegative=False, spPr=fill)


def below_column(name: str) -> str:
    """Name the column that says how far the interval of a series reaches below its value."""
    return f"{name} (interval below)"


def above_column(name: str) -> str:
    """Name the column that says how far the interval of a series reaches above its value."""
    return f"{name} (interval above)"


class IntervalBars(ErrorBars):
    """Error bars that are written in the order that the file format asks for."""

    tagname = ErrorBars.tagname
    __attrs__, __nested__ = ErrorBars.__attrs__, ErrorBars.__nested__
    __elements__ = (
        "errDir", "errBarType", "errValType", "noEndCap", "plus", "minus", "val", "spPr",
    )  # fmt: skip


def _error_bars(data: Range, name: str, kind: str, style: Style) -> ErrorBars:
    bars = IntervalBars(
        errDir="y" if kind == "scatter" else None,
        errBarType="both",
        errValType="cust",
        noEndCap=False,
        plus=_numbers(data, above_column(name), "General"),
        minus=_numbers(data, below_column(name), "General"),
    )
    bars.spPr = style.line("ink", 1.25)
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


def _name_points(series, data: Range, spec: dict, named: list[int], style: Style) -> None:
    """Write names beside the points of a scatter as there is room, those of the title first."""
    columns = data.values.items()
    names = next((list(v) for _, v in columns if all(isinstance(one, str) for one in v)), None)
    if names is None:
        return
    across, up = data.values[spec["x"]], _scaled(data.values[spec["series"][0]])
    across = _on_log(across) if spec.get("is_log") else _scaled(across)
    labels = [
        PointLabel(
            place,
            _title(names[place], style, TEXT_SIZE, bold=place in named).tx,
            dLblPos=side,
            showVal=True,
            **NOTHING_ELSE,
        )
        for place, side in sorted(sides_with_room(across, up, named).items())
    ]
    series.dLbls = DataLabelList(dLbl=labels, showVal=False, **NOTHING_ELSE)


def sides_with_room(across: list[float], up: list[float], first: list[int] = ()) -> dict[int, str]:
    """Find the side of each point (r, l) on which its name hides no other point or name.

    The points of `first` choose before the others.
    """
    taken = [(x - POINT_WIDTH, x + POINT_WIDTH, y) for x, y in zip(across, up, strict=True)]
    found = {}
    for place in sorted(
        range(len(up)), key=lambda place: (place not in first, -abs(up[place] - 0.5))
    ):
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


def _least_tick(shares: pd.Series) -> float:
    """Return the power of ten below the least of some shares: where a logarithmic axis starts."""
    return 10.0 ** math.floor(math.log10(shares.astype(float).min()))


def _on_log(shares: pd.Series) -> list[float]:
    """Scale shares to places between 0 and 1 of a logarithmic axis."""
    logs = shares.astype(float).map(math.log10)
    low = math.log10(_least_tick(shares))
    return list((logs - low) / (math.log10(LOG_END) - low))


def _scaled(values: pd.Series) -> list[float]:
    """Scale values to places between 0 and 1 of an axis from 0."""
    numbers = values.astype(float)
    return list(numbers / (numbers.max() or 1))


# ---- texts ------------------------------------------------------------------------------------


def _characters(style: Style, size: float, bold: bool, colour: str) -> words.CharacterProperties:
    font = words.Font(typeface=FONT)
    fill = style.colour(colour)
    return words.CharacterProperties(sz=int(size * POINTS), b=bold, latin=font, solidFill=fill)


def _title(text: str, style: Style, size: float, bold: bool = False, turned: bool = False) -> Title:
    characters = _characters(style, size, bold, "ink" if bold else "muted")
    turn = {"rot": -5_400_000, "vert": "horz"} if turned else {}
    paragraph = words.Paragraph(
        pPr=words.ParagraphProperties(defRPr=characters),
        r=[words.RegularTextRun(rPr=characters, t=text)],
    )
    rich = RichText(bodyPr=words.RichTextProperties(**turn), p=[paragraph])
    title = Title(tx=Text(rich=rich))
    title.overlay = False
    return title


def _text(style: Style) -> RichText:
    paragraph = words.Paragraph(
        pPr=words.ParagraphProperties(defRPr=_characters(style, TEXT_SIZE, False, "ink")),
        endParaRPr=words.CharacterProperties(sz=TEXT_SIZE * POINTS),
    )
    return RichText(bodyPr=words.RichTextProperties(), p=[paragraph])


def _legend(style: Style) -> Legend:
    legend = Legend()
    legend.position, legend.overlay = "b", False
    legend.txPr = _text(style)
    return legend


def _labels(style: Style) -> DataLabelList:
    labels = DataLabelList()
    labels.showVal = True
    labels.showSerName = labels.showCatName = labels.showLegendKey = labels.showPercent = False
    labels.position = "outEnd"
    labels.numFmt = style.number_format
    labels.txPr = _text(style)
    return labels


# ---- axes -------------------------------------------------------------------------------------


def _axes(chart: ChartBase, spec: dict, data: Range, style: Style, *, gridlines: bool) -> None:
    kind = spec["kind"]
    sideways = kind == "bar"
    for axis, text, turned in (
        (chart.x_axis, spec["x_title"], sideways),
        (chart.y_axis, spec["y_title"], not sideways),
    ):
        axis.delete = False
        axis.title = _title(text, style, TEXT_SIZE, turned=turned)
        axis.txPr = _text(style)
        axis.majorTickMark = axis.minorTickMark = "none"
        axis.tickLblPos = "low" if axis is chart.x_axis else "nextTo"
        axis.majorGridlines = None
        axis.graphicalProperties = style.line("muted")
    chart.y_axis.number_format = style.number_format
    chart.y_axis.numFmt.sourceLinked = False
    if gridlines:
        chart.y_axis.majorGridlines = ChartLines(style.line("grid"))
        chart.y_axis.graphicalProperties = GraphicalProperties(ln=LineProperties(noFill=True))
    if kind in ("column", "bar"):
        chart.y_axis.scaling.min = 0
    if kind == "bar" and not spec.get("intervals"):
        highest = data.values[spec["series"]].astype(float).max(axis=None)
        chart.y_axis.majorUnit = round_step(float(highest) / MOST_STEPS)
    if kind != "scatter":
        chart.x_axis.tickLblSkip = 1
    if spec.get("intervals"):
        _make_room_for_intervals(chart.y_axis, kind, spec["intervals"], data.values)
    if sideways:
        chart.x_axis.scaling.orientation = "maxMin"
        chart.y_axis.crosses = "max"
    if kind == "scatter":
        shares = data.values[spec["x"]].astype(float).between(0, 1).all()
        chart.x_axis.number_format = "0%" if shares else "#,##0"
        chart.x_axis.scaling.max = 1 if shares else None
        chart.x_axis.numFmt.sourceLinked = False
        chart.x_axis.scaling.min = chart.y_axis.scaling.min = 0
        if spec.get("is_log"):
            scaling = chart.x_axis.scaling
            scaling.logBase, scaling.max = 10, LOG_END
            scaling.min = _least_tick(data.values[spec["x"]])


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
    """Round up to 1, 2, 2.5 or 5 times a power of ten."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(round(step * power, 12) for step in STEPS if step * power >= least * (1 - 1e-9))
