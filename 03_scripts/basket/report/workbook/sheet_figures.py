"""Sheets 6 and 8: every figure beside its question, and the numbers behind each."""

import math
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import pandas as pd
from openpyxl.cell import Cell
from openpyxl.chart._chart import ChartBase
from openpyxl.drawing.image import Image
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, OneCellAnchor
from openpyxl.drawing.xdr import XDRPositiveSize2D
from openpyxl.formatting.rule import ColorScaleRule
from openpyxl.styles import Alignment
from openpyxl.utils import get_column_letter

from basket.analysis.privacy import SUPPRESSED
from basket.analysis.questions import QUESTIONS, number_of
from basket.project.errors import BasketError
from basket.project.settings import Settings
from basket.report.workbook import native_charts
from basket.report.workbook.page import Book, Page, Place, heading, is_number, plain

SHEET = "6. Visualizations"
DATA_SHEET = "8. Chart data"
HEAT_COLUMNS = 25
WIDTHS = (55.0, *([5.6] * HEAT_COLUMNS))
DATA_WIDTHS = (37.5, *([11.5] * 6), 37.5, *([11.5] * 5))
LEFT_BAND, RIGHT_BAND = range(1, 7), range(8, 14)  # columns of tables that stand side by side
PANEL_HEIGHT, MOST_ADDED = 172, 140  # points: the least, and what may be added to fill the page
BAR_HEIGHT, BARS_BESIDE = 12.5, 88  # points: each bar of a horizontal chart, and the rest
PANEL_MARGIN, TEXT_MARGIN = 8, 3
HEAT_BESIDE, GAP = 150, 10  # points: the texts of a heat map, and what parts two figures
SHELF_HEIGHT, ROW_HEIGHT = 47, 16  # points, on sheet 8: of what frames a table, and of its rows
IMAGE_DPI = 150
PIXELS_PER_INCH = 96
EMU_PER_PIXEL = 9_525
POINTS_PER_PIXEL = 0.75
MOST_IN_A_CELL = 10_000
WIDEST_IN_A_CELL = 4  # characters
COUNTED = ("orders", "lines")
HIGHER = {"scatter": 1.4, "image": 1.5}  # times the height of a panel


@dataclass(eq=False)
class Figure:
    """A figure as the workbook shows it: what it says, and the numbers that may be shown."""

    spec: dict
    data: pd.DataFrame
    hidden: int = 0
    place: Place | None = None
    row: int = 0
    drawn: int = 0
    title_cell: Cell | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the figure."""
        return self.spec["name"]

    @property
    def chart(self) -> dict | None:
        """How to draw it natively, if at all."""
        return self.spec.get("chart")

    @property
    def heat(self) -> dict | None:
        """Which columns span its heat map, if it is one."""
        return self.spec.get("heat")


def publishable_figures(
    specs: list[dict], withheld: set[tuple[str, str]], customer_tables: set, settings: Settings
) -> list[Figure]:
    """The figures in the order of the questions, without the numbers of groups too small to show.

    Rows of such a group go to the end, as `suppressed`, so that a chart can stop above them.
    """
    found = []
    for spec in sorted(specs, key=lambda spec: number_of(spec.get("question", ""))):
        data = pd.DataFrame(spec["data"]["rows"], columns=spec["data"]["columns"])
        data = data.astype(object).where(data.notna(), None)
        figure = Figure(spec, data)
        if customer_tables & set(spec.get("sources", ())):
            _suppress(figure, withheld, settings)
        found.append(figure)
    return found


def _suppress(figure: Figure, withheld: set[tuple[str, str]], settings: Settings) -> None:
    data = figure.data
    if "population" in data and (data["population"] == "all").any():
        raise BasketError(
            f"figure {figure.name}: shows groups of all customers; groups are "
            "published for the active ones only (D-15)"
        )
    hidden = _rows_of_withheld(data, withheld)
    if "customers" in data:
        few = pd.to_numeric(data["customers"], errors="coerce")
        hidden |= few.between(1, settings.privacy.smallest_group - 1)
    numbers = [name for name in data if any(is_number(plain(value)) for value in data[name])]
    data.loc[hidden, numbers] = SUPPRESSED
    for name in {label for _, label in withheld} & set(data.columns):
        data[name], hidden = SUPPRESSED, hidden | True
    figure.hidden = int(hidden.sum())
    figure.data = pd.concat([data[~hidden], data[hidden]], ignore_index=True)
    if figure.hidden:
        figure.notes.append(
            f"Groups that stand for fewer than {settings.privacy.smallest_group} "
            "customers, and those that would give them away, are not shown."
        )


def _rows_of_withheld(data: pd.DataFrame, withheld: set[tuple[str, str]]) -> pd.Series:
    """Rows that name a withheld group, in the column of its grouping or anywhere in the texts."""
    hidden = pd.Series(False, index=data.index)
    named = {grouping for grouping, _ in withheld} & set(data.columns)
    for name in named or data.columns:
        texts = data[name].astype("str")
        if "grouping" in data:
            labels = pd.Series(list(zip(data["grouping"].astype("str"), texts, strict=True)))
            hidden |= labels.isin(withheld).to_numpy()
        else:
            labels = {label for grouping, label in withheld if not named or grouping == name}
            hidden |= texts.isin(labels) & ~data[name].map(lambda value: is_number(plain(value)))
    return hidden


# ---- sheet 8 ----------------------------------------------------------------------------------


def write_chart_data(book: Book, figures: list[Figure]) -> Page:
    """Write the numbers behind every figure, as tables."""
    page = book.page(DATA_SHEET, "Chart data", DATA_WIDTHS)
    page.text(
        "Every number behind every figure, as it was drawn, under the figure's title; below "
        "it the result table (04_analysis/tables) that it comes from. Minus and plus say how "
        "far an interval reaches below and above its value.",
        colour="muted",
    )
    page.space(4)
    for figure in figures:
        prepare(figure)
    waiting = shelves(figures)
    heights = [_shelf_height(page, shelf) for shelf in waiting]
    for place in in_pages(heights, page.page_height, sum(page.heights.values())):
        _write_side_by_side(page, *waiting[place])
    return page


def in_pages(heights: list[float], room: float, above: float) -> list[int]:
    """In which order shelves fill few pages: each, the highest first, on the first with room.

    `above` is taken from the room of the first page; on a page the order of the questions stays.
    """
    pages, left = [[]], [room - above]
    for place in sorted(range(len(heights)), key=lambda place: -heights[place]):
        fits = [page for page, free in enumerate(left) if heights[place] <= free]
        if not fits:
            pages.append([])
            left.append(room)
        page = fits[0] if fits else len(pages) - 1
        pages[page].append(place)
        left[page] -= heights[place]
    return [place for page in pages for place in sorted(page)]


def _shelf_height(page: Page, shelf: tuple[Figure, ...]) -> float:
    """Height in points of tables side by side: each row is as high as its highest cell."""
    rows = [
        _row_heights(page, figure, band.start)
        for figure, band in zip(shelf, (LEFT_BAND, RIGHT_BAND), strict=False)
    ]
    return SHELF_HEIGHT + sum(max(row) for row in zip_longest(*rows, fillvalue=0))


def _row_heights(page: Page, figure: Figure, column: int) -> list[float]:
    """Heights of the header and the rows of a figure's table."""
    if _stands_on_sheet_6(figure):
        return [ROW_HEIGHT]
    bold, normal, given = page.look.font(bold=True), page.look.font(), _headings(figure)
    header = max(
        page.height_of(given.get(name, heading(name)), column + place, bold, 1)
        for place, name in enumerate(figure.data)
    )
    return [
        header + 2,
        *(
            max(
                page.height_of(value, column + place, normal, 1)
                if isinstance(value, str)
                else ROW_HEIGHT
                for place, value in enumerate(row)
            )
            for row in figure.data.itertuples(index=False, name=None)
        ),
    ]


def _headings(figure: Figure) -> dict[str, str]:
    """Headings of a figure's table that are its own."""
    ends = {
        end(name): title
        for name in (figure.chart or {}).get("intervals") or {}
        for end, title in (
            (native_charts.below_column, "Minus"),
            (native_charts.above_column, "Plus"),
        )
    }
    return figure.spec.get("labels", {}) | ends


def _stands_on_sheet_6(figure: Figure) -> bool:
    """Whether a heat map is too wide for sheet 8; its cells on sheet 6 hold the same numbers."""
    return bool(figure.heat) and len(figure.data.columns) > len(DATA_WIDTHS)


def shelves(figures: list[Figure]) -> list[tuple[Figure, ...]]:
    """Which tables stand side by side: narrow ones of about the same length, in the order of Q."""
    narrow = [
        figure
        for figure in figures
        if len(figure.data.columns) <= len(LEFT_BAND) and not figure.heat
    ]
    narrow.sort(key=lambda figure: -len(figure.data))
    pairs = [
        tuple(sorted(narrow[place : place + 2], key=lambda figure: -len(figure.data.columns)))
        for place in range(0, len(narrow), 2)
    ]
    wide = [(figure,) for figure in figures if figure not in narrow]
    return sorted([*pairs, *wide], key=lambda shelf: min(figures.index(one) for one in shelf))


def prepare(figure: Figure) -> None:
    """Turn a heat map's list into its grid; add how far intervals reach from their values."""
    if figure.heat:
        figure.data = heat_grid(figure)
        return
    if figure.hidden and not figure.chart:
        figure.spec = figure.spec | {"chart": bars_instead(figure)}
    spec = figure.chart
    if not spec:
        return
    if len(spec["series"]) > native_charts.MOST_SERIES:
        raise BasketError(
            f"figure {figure.name}: a chart shows at most {native_charts.MOST_SERIES} series"
        )
    used = [spec["x"], *spec["series"]]
    broken = [
        any(
            plain(value) is None or not (is_number(plain(value)) or column == spec["x"])
            for column, value in zip(used, row, strict=True)
        )
        for row in figure.data[used].itertuples(index=False, name=None)
    ]
    order = pd.Series(broken).astype(int)
    figure.data = figure.data.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    figure.drawn = int((order == 0).sum())
    for name, (low, high) in (spec.get("intervals") or {}).items():
        for column, above, below in (
            (native_charts.below_column(name), name, low),
            (native_charts.above_column(name), high, name),
        ):
            figure.data[column] = [
                round(plain(a) - plain(b), 10) if is_number(plain(a)) and is_number(plain(b)) else a
                for a, b in zip(figure.data[above], figure.data[below], strict=True)
            ]


def bars_instead(figure: Figure) -> dict | None:
    """A native chart in place of a picture, which cannot leave a group out."""
    numbers = [
        name for name in figure.data if any(is_number(plain(value)) for value in figure.data[name])
    ]
    labels = [name for name in figure.data if name not in numbers]
    if not numbers or not labels:
        return None
    first = numbers[0]
    ends = [f"{first}_low", f"{first}_high"]
    return {
        "kind": "bar",
        "x": labels[0],
        "series": [first],
        "x_title": heading(labels[0]),
        "y_title": heading(first),
        "number_format": "0.00",
        "intervals": {first: ends} if set(ends) <= set(figure.data) else None,
    }


def heat_grid(figure: Figure) -> pd.DataFrame:
    """A heat map as rows and columns, the longer side across, headers as text."""
    heat = figure.heat
    grid = figure.data.pivot(index=heat["rows"], columns=heat["columns"], values=heat["values"])
    grid = grid.reindex(
        index=figure.data[heat["rows"]].unique(), columns=figure.data[heat["columns"]].unique()
    )
    rows = heat["rows"]
    if len(grid) > len(grid.columns) and len(grid) <= HEAT_COLUMNS:
        grid, rows = grid.T, heat["columns"]
    if len(grid.columns) > HEAT_COLUMNS:
        raise BasketError(f"figure {figure.name}: a heat map has at most {HEAT_COLUMNS} columns")
    if heat["values"] in COUNTED:
        grid = grid.fillna(0)  # a cell without orders has no row
    grid.columns = [str(plain(name)) for name in grid.columns]
    return grid.rename_axis(rows).reset_index().astype(object)


def _write_side_by_side(page: Page, *figures: Figure) -> None:
    first = page.row
    last = first
    for figure, column in zip(figures, (LEFT_BAND.start, RIGHT_BAND.start), strict=False):
        page.row = first
        _write_numbers(page, figure, column)
        last = max(last, page.row - 1)
    page.keep(first, last)
    page.row = last + 1
    page.space(14)


def _write_numbers(page: Page, figure: Figure, column: int) -> None:
    figure.title_cell = page.write(
        page.row,
        column,
        f"{figure.spec['question']}  {figure.spec['title']}",
        font=page.look.font(bold=True),
    )
    page.set_height(page.row, 18)
    page.row += 1
    sources = page.write(page.row, column, "Source: " + ", ".join(figure.spec.get("sources", ())))
    sources.font = page.look.font("muted")
    page.set_height(page.row, 15)
    page.row += 1
    if _stands_on_sheet_6(figure):
        page.write(page.row, column, "The numbers are the cells of the heat map on sheet 6.")
        page.set_height(page.row, 15)
        page.row += 1
        return
    spec = figure.chart or {}
    given = spec.get("number_format") or "General"
    formats = {
        name: native_charts.precise(given, map(plain, figure.data[name]))
        for name in spec.get("series", ())
        if given != "General"
    }
    for name, ends in (spec.get("intervals") or {}).items():
        for other in (*ends, native_charts.below_column(name), native_charts.above_column(name)):
            formats[other] = formats.get(name, "0.00")
    figure.place = page.table(
        figure.name, figure.data, column=column, formats=formats, headings=_headings(figure)
    )


# ---- sheet 6 ----------------------------------------------------------------------------------


def write_figures(book: Book, figures: list[Figure], images: Path) -> Page:
    """Write every figure beside its question."""
    page = book.page(SHEET, "Visualizations", WIDTHS)
    page.text(
        "Each figure stands beside the question that it answers; its numbers stand on sheet "
        f"{DATA_SHEET}.",
        colour="muted",
    )
    page.space(4)
    heights = [_least_height(page, figure) for figure in figures]
    above, room = sum(page.heights.values()), page.page_height - GAP
    for places in evenly(heights, room, above):
        left = room - above - sum(heights[place] for place in places)
        added = min(max(left, 0) / len(places), MOST_ADDED)
        if not above:
            page.new_page()
        for place in places:
            figure = figures[place]
            figure.row = page.row
            if figure.heat:
                _write_heat(page, figure, added)
            else:
                _write_panel(page, figure, images, added)
            page.link(figure.title_cell, SHEET, figure.row)
            page.space(GAP)
        above = 0
    return page


def evenly(heights: list[float], room: float, above: float) -> list[range]:
    """Which figures share a page: in order, on few pages, each filled about as much as the next.

    `above` is taken from the room of the first page. The fewest pages come first, then the least
    sum of what is left on each, squared.
    """
    best = [(0, 0.0, 0)]  # for the first 0, 1, … figures: pages, squares, where the last one starts
    for end in range(1, len(heights) + 1):
        choices = []
        for start in range(end):
            left = room - sum(heights[start:end]) - (above if start == 0 else 0)
            if left >= 0 or start == end - 1:
                pages, squares, _ = best[start]
                choices.append((pages + 1, squares + left**2, start))
        best.append(min(choices))
    found, end = [], len(heights)
    while end:
        found.insert(0, range(best[end][2], end))
        end = found[0].start
    return found


def _least_height(page: Page, figure: Figure) -> float:
    """The height in points that a figure needs, with what parts it from the next."""
    if figure.heat:
        return HEAT_BESIDE + ROW_HEIGHT * len(figure.data) + GAP
    texts = sum(_text_height(page, *caption) for caption in _captions(figure) if caption[0])
    return max(texts, _panel_height(figure, page.page_height) + PANEL_MARGIN) + GAP


def _question(figure: Figure) -> tuple[str, str]:
    question = QUESTIONS.get(figure.spec["question"])
    label = figure.spec["question"] + (f"  {question.title}" if question else "")
    return label, question.text if question else ""


def _captions(figure: Figure) -> list[tuple[str, dict]]:
    """What stands beside a figure, from top to bottom, with its font; a picture has no title."""
    spec = figure.spec
    label, question = _question(figure)
    so_what = spec["so_what"]
    return [
        (label, {"colour": "accent", "size": 11, "bold": True}),
        (question, {"colour": "ink", "bold": True}),
        *([] if figure.chart else [(spec["title"], {"colour": "ink", "size": 11, "bold": True})]),
        (spec["subtitle"], {"colour": "muted"}),
        (so_what if so_what.startswith("So what:") else f"So what: {so_what}", {"colour": "ink"}),
        (" ".join(note for note in figure.notes if note), {"colour": "muted"}),
        (
            "Source: "
            + ", ".join(spec["sources"])
            + (f"; numbers on sheet {DATA_SHEET}" if figure.place else ""),
            {"colour": "muted"},
        ),
    ]


def _text_height(page: Page, text: str, look: dict) -> float:
    return page.height_of(text, 1, page.look.font(**look)) + TEXT_MARGIN


def _write_panel(page: Page, figure: Figure, images: Path, added: float) -> None:
    """The texts in the first column, the chart or image, so much higher, to the right of them."""
    first, height = page.row, 0.0
    picture = None if figure.chart else images / figure.spec["image"]
    for text, look in _captions(figure):
        if not text:
            continue
        cell = page.wrapped(page.row, 1, text, font=page.look.font(**look))
        page.set_height(page.row, _text_height(page, text, look))
        if text.startswith("Source: ") and figure.place:
            page.link(cell, DATA_SHEET, figure.place.header - 2, min(figure.place.columns.values()))
        height += page.heights[page.row]
        page.row += 1
    wanted = _panel_height(figure, page.page_height) + added
    width = page.pixels(2, len(WIDTHS)) - 12
    drawing, size = _drawing(figure, picture, page, (width, round(wanted / POINTS_PER_PIXEL)))
    wanted = size[1] * POINTS_PER_PIXEL if drawing else 0
    if height < wanted + PANEL_MARGIN:
        page.set_height(page.row, wanted + PANEL_MARGIN - height)
        page.row += 1
    page.keep(first, page.row - 1)
    if drawing is None:
        return
    drawing.anchor = OneCellAnchor(
        _from=AnchorMarker(
            col=1, row=first - 1, colOff=10 * EMU_PER_PIXEL, rowOff=3 * EMU_PER_PIXEL
        ),
        ext=XDRPositiveSize2D(size[0] * EMU_PER_PIXEL, size[1] * EMU_PER_PIXEL),
    )
    if isinstance(drawing, ChartBase):
        page.sheet.add_chart(drawing)
    else:
        page.sheet.add_image(drawing)


def _panel_height(figure: Figure, page_height: float) -> float:
    if figure.chart and figure.chart["kind"] in ("bar", "stacked_bar"):
        series = len(figure.chart["series"]) if figure.chart["kind"] == "bar" else 1
        bars = figure.drawn * (1 + 0.5 * (series - 1))
        return min(max(PANEL_HEIGHT, BARS_BESIDE + bars * BAR_HEIGHT), page_height - 60)
    return PANEL_HEIGHT * HIGHER.get(figure.chart["kind"] if figure.chart else "image", 1)


def _drawing(figure: Figure, picture: Path | None, page: Page, room: tuple[int, int]):
    """The chart or image, and its size in pixels."""
    if figure.chart:
        place = figure.place
        values = figure.data.iloc[: figure.drawn]
        data = native_charts.Range(
            place.sheet,
            place.first,
            place.header + figure.drawn,
            place.columns,
            place.header,
            values,
        )
        headings = {name: heading(name) for name in figure.data} | figure.spec.get("labels", {})
        return native_charts.build(figure.spec, data, headings, page.book.settings.palette), room
    image = Image(picture)
    image.name, image.alt_text = figure.name, figure.spec["alt"]
    scale = min(room[0] / image.width, room[1] / image.height, PIXELS_PER_INCH / IMAGE_DPI)
    size = math.floor(image.width * scale), math.floor(image.height * scale)
    image.width, image.height = size
    return image, size


def _write_heat(page: Page, figure: Figure, added: float) -> None:
    """A heat map as a formatted range, over the whole width, its texts above.

    `added` points make its rows higher, to fill the page.
    """
    first = page.row
    spec = figure.spec
    label, question = _question(figure)
    page.text(label, colour="accent", size=11, bold=True)
    page.text(question, bold=True)
    page.text(spec["title"], size=11, bold=True)
    values = [plain(value) for value in figure.data.iloc[:, 1:].to_numpy().ravel()]
    form, note = heat_format(values)
    page.text(
        f"{spec['subtitle'].rstrip('.')}. {note}".strip() if note else spec["subtitle"],
        colour="muted",
    )
    headers = list(figure.data.columns)
    turned = headers[1:] if any(len(name) > WIDEST_IN_A_CELL - 1 for name in headers[1:]) else ()
    place = page.table(
        f"heat_{figure.name}", figure.data, turned=turned, formats=dict.fromkeys(headers[1:], form)
    )
    for row in range(place.first, place.last + 1):
        page.set_height(row, ROW_HEIGHT + added / len(figure.data))
    _shade(page, place, spec["heat"]["values"], values)
    page.space(3)
    so_what, notes, source = (text for text, _ in _captions(figure)[-3:])
    page.text(so_what)
    if notes:
        page.text(notes, colour="muted")
    row = page.row
    page.text(source, colour="muted")
    if figure.place:
        page.link(page.sheet.cell(row, 1), DATA_SHEET, figure.place.header - 2)
    page.keep(first, page.row - 1)
    figure.place = figure.place or place


def heat_format(values: list) -> tuple[str, str]:
    """A format whose numbers fit into a narrow cell, and what the reader must be told of it."""
    numbers = [abs(value) for value in values if is_number(value)]
    largest = max(numbers, default=0)
    if any(not float(value).is_integer() for value in numbers):
        return ("0%", "Cells in per cent.") if largest <= 1 else ("0.0", "")
    if largest < MOST_IN_A_CELL:
        return "#,##0", ""
    return ("0.0," if largest < 10 * MOST_IN_A_CELL else "0,"), "Cells in thousands."


def _shade(page: Page, place: Place, measure: str, values: list) -> None:
    numbers = [value for value in values if is_number(value)]
    columns = sorted(place.columns.values())
    cells = (
        f"{get_column_letter(columns[1])}{place.first}:{get_column_letter(columns[-1])}{place.last}"
    )
    accent, contrast, paper = (
        page.look.fill(name, share).start_color.rgb
        for name, share in (("accent", 0.5), ("contrast", 0.5), ("paper", 1))
    )
    if "lift" in measure and min(numbers, default=1) < 1 < max(numbers, default=1):
        rule = ColorScaleRule(
            start_type="min",
            start_color=contrast,
            mid_type="num",
            mid_value=1,
            mid_color=paper,
            end_type="max",
            end_color=accent,
        )
    else:
        rule = ColorScaleRule(start_type="min", start_color=paper, end_type="max", end_color=accent)
    page.sheet.conditional_formatting.add(cells, rule)
    for row in page.sheet[cells]:
        for cell in row:
            cell.alignment = Alignment(horizontal="center", vertical="center")
