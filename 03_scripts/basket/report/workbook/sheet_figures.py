"""Sheet 6: every figure beside its question."""

import math
from pathlib import Path

import pandas as pd
from openpyxl.cell import Cell
from openpyxl.chart._chart import ChartBase
from openpyxl.drawing.image import Image
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, OneCellAnchor
from openpyxl.drawing.xdr import XDRPositiveSize2D
from openpyxl.formatting.rule import ColorScaleRule
from openpyxl.styles import Alignment, Border

from basket.analysis.figure import MOST_COLUMNS
from basket.analysis.questions import QUESTIONS
from basket.report.workbook import native_charts
from basket.report.workbook.measure_text import POINTS_PER_PIXEL
from basket.report.workbook.page import Book, Page, Place
from basket.report.workbook.plain_words import sources_in_words
from basket.report.workbook.sheets import CHART_DATA, FIGURES
from basket.report.workbook.shown_figures import COUNTED, ShownFigure
from basket.report.workbook.values import heading, is_number, plain

WIDTHS = (66.0, *([5.6] * MOST_COLUMNS))
PANEL_HEIGHT, MOST_ADDED = 150, 140  # points: the least, and what may be added to fill the page
BAR_HEIGHT, BARS_BESIDE = 12.25, 82  # points: each bar of a horizontal chart, and the rest
PANEL_MARGIN, TEXT_MARGIN = 8, 3
HEAT_BESIDE, GAP = 110, 10  # points: the texts of a heat map, and what parts two figures
ROW_HEIGHT, MOST_HIGHER = 16, 6  # points, of a row of a heat map; what may be added to it
IMAGE_DPI = 150
PIXELS_PER_INCH = 96
ALL = "All"  # the share of a row or column of a heat map of counts
RATIOS = ("lift", "ratio")  # measures of heat maps whose middle is 1
BESIDE = {"top": (-1, 0), "bottom": (1, 0), "left": (0, -1), "right": (0, 1)}  # rows, columns
EMU_PER_PIXEL = 9_525
MOST_IN_A_CELL = 10_000
WIDEST_IN_A_CELL = 4  # characters
TWO_DIGITS = 9.995
FAINT = 1.5  # a ratio whose tint is full, if none is farther from 1
SCATTER_HIGHER = 1.2  # times the height of a panel
LEAST_SCALE = 0.72  # of an image, whose words are as large as those of a chart at 1


def write_figures(book: Book, figures: list[ShownFigure], images: Path) -> Page:
    """Write every figure beside its question."""
    page = book.page(FIGURES, "Visualizations", WIDTHS)
    page.text(
        "Each figure stands beside the question that it answers; its numbers stand on sheet "
        f"{CHART_DATA}.",
        colour="muted",
    )
    page.space(4)
    contents = _write_list(page, figures)
    heights = [_least_height(page, figure, images) for figure in figures]
    above, room = sum(page.heights.values()), page.page_height - GAP
    for places in evenly(heights, room, above):
        left = room - above - sum(heights[place] for place in places)
        higher = {place: min(left, _most_added(figures[place])) for place in places}
        panels = [place for place in places if not figures[place].heat]
        left -= sum(higher[place] for place in places if figures[place].heat)
        higher |= {place: min(max(left, 0) / len(panels), MOST_ADDED) for place in panels}
        if not above:
            page.new_page()
        for place in places:
            figure = figures[place]
            figure.row = page.row
            if figure.heat:
                _write_heat(page, figure, higher[place])
            else:
                _write_panel(page, figure, images, higher[place])
            page.link(figure.title_cell, FIGURES, figure.row)
            page.space(GAP)
        above = 0
    for cell, figure in zip(contents, figures, strict=True):
        page.link(cell, FIGURES, figure.row)
    return page


def _write_list(page: Page, figures: list[ShownFigure]) -> list[Cell]:
    """List the figures by number; return the cells that will lead to them."""
    frame = pd.DataFrame(
        {
            "figure": [
                f"Figure {one.number}, {one.spec['question']}: {one.name.replace('_', ' ')}"
                for one in figures
            ],
            "title": [one.spec["title"] for one in figures],
        }
    )
    headings = {"title": "What it says"}
    place = page.table("list_of_figures", frame, headings=headings, overflow=("title",), dense=True)
    page.space(8)
    return [page.sheet.cell(row, 1) for row in range(place.first, place.first + len(figures))]


def evenly(heights: list[float], room: float, above: float) -> list[range]:
    """Choose which figures share a page: in order, on few pages, about equally filled.

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


def _least_height(page: Page, figure: ShownFigure, images: Path) -> float:
    """Return the height in points that a figure needs, with the gap below it."""
    if figure.heat:
        rows = len(figure.data) + _is_counted(figure)
        header = max(page.height_upwards(name) for name in _turned(figure) or ("",))
        return HEAT_BESIDE + header + ROW_HEIGHT * rows + GAP
    texts = sum(_text_height(page, *caption) for caption in _captions(figure) if caption[0])
    return max(texts, _panel_height(figure, page.page_height, images) + PANEL_MARGIN) + GAP


def _question(figure: ShownFigure) -> tuple[str, str]:
    question = QUESTIONS.get(figure.spec["question"])
    label = f"Figure {figure.number}  ·  {figure.spec['question']}"
    label += f"  {question.title}" if question else ""
    return label, question.text if question else ""


def _captions(figure: ShownFigure) -> list[tuple[str, dict]]:
    """List the texts beside a figure, each with its font; a chart or image has its title inside.

    An image holds its subtitle, too.
    """
    spec = figure.spec
    label, question = _question(figure)
    so_what = spec["so_what"].removeprefix("So what:").strip()
    sheet = f"; numbers on sheet {CHART_DATA}" if figure.place else ""
    return [
        (label, {"colour": "accent", "size": 11, "bold": True}),
        (question, {"bold": True}),
        *([(spec["subtitle"], {"colour": "muted"})] if figure.chart else []),
        (f"So what: {so_what}", {}),
        (" ".join(note for note in figure.notes if note), {"colour": "muted"}),
        (f"Source: {sources_in_words(spec['sources'])}{sheet}", {"colour": "muted"}),
    ]


def _text_height(page: Page, text: str, look: dict) -> float:
    return page.height_of(text, 1, page.look.font(**look)) + TEXT_MARGIN


def _write_panel(page: Page, figure: ShownFigure, images: Path, added: float) -> None:
    """Write the texts into the first column and put the chart or image, enlarged, beside them."""
    first, height = page.row, 0.0
    picture = None if figure.chart else images / figure.spec["image"]
    for text, look in _captions(figure):
        if not text:
            continue
        cell = page.wrapped(page.row, 1, text, font=page.look.font(**look))
        page.set_height(page.row, _text_height(page, text, look))
        if text.startswith("Source: ") and figure.place:
            page.link(cell, CHART_DATA, figure.place.header - 2, min(figure.place.columns.values()))
        height += page.heights[page.row]
        page.row += 1
    wanted = _panel_height(figure, page.page_height, images) + added
    width = page.pixels(2, len(WIDTHS)) - 12
    drawing, size = _drawing(figure, picture, page, (width, round(wanted / POINTS_PER_PIXEL)))
    wanted = size[1] * POINTS_PER_PIXEL if drawing else 0
    if height < wanted + PANEL_MARGIN:
        page.set_height(page.row, wanted + PANEL_MARGIN - height)
        page.row += 1
    page.keep(first, page.row - 1)
    if drawing is None:
        return
    offset = {"colOff": 10 * EMU_PER_PIXEL, "rowOff": 3 * EMU_PER_PIXEL}
    extent = XDRPositiveSize2D(size[0] * EMU_PER_PIXEL, size[1] * EMU_PER_PIXEL)
    corner = AnchorMarker(col=1, row=first - 1, **offset)
    drawing.anchor = OneCellAnchor(_from=corner, ext=extent)
    if isinstance(drawing, ChartBase):
        page.sheet.add_chart(drawing)
    else:
        page.sheet.add_image(drawing)


def _panel_height(figure: ShownFigure, page_height: float, images: Path) -> float:
    if not figure.chart:
        inches = Image(images / figure.spec["image"]).height / IMAGE_DPI
        return inches * PIXELS_PER_INCH * POINTS_PER_PIXEL * LEAST_SCALE
    if figure.chart["kind"] == "bar":
        bars = figure.drawn * (1 + 0.5 * (len(figure.chart["series"]) - 1))
        return min(max(PANEL_HEIGHT, BARS_BESIDE + bars * BAR_HEIGHT), page_height - 60)
    return PANEL_HEIGHT * (SCATTER_HIGHER if figure.chart["kind"] == "scatter" else 1)


def _drawing(figure: ShownFigure, picture: Path | None, page: Page, room: tuple[int, int]):
    """Return the chart or image, and its size in pixels."""
    if figure.chart:
        data = native_charts.Range(figure.place, figure.data.iloc[: figure.drawn])
        headings = {name: heading(name) for name in figure.data} | figure.spec.get("labels", {})
        return native_charts.build(figure.spec, data, headings, page.book.settings.palette), room
    if figure.is_neutral:  # its image has its title
        return None, (0, 0)
    image = Image(picture)
    image.name, image.alt_text = figure.name, figure.spec["alt"]
    scale = min(room[0] / image.width, room[1] / image.height, PIXELS_PER_INCH / IMAGE_DPI)
    size = math.floor(image.width * scale), math.floor(image.height * scale)
    image.width, image.height = size
    return image, size


def _write_heat(page: Page, figure: ShownFigure, added: float) -> None:
    """Write a heat map as a formatted range over the whole width, its texts above.

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
    grid = _with_shares(figure.data) if _is_counted(figure) else figure.data
    note += f" {ALL}: share of all {spec['heat']['values']}." if _is_counted(figure) else ""
    subtitle = f"{spec['subtitle'].rstrip('.')}. {note.strip()}" if note else spec["subtitle"]
    page.text(subtitle, colour="muted")
    headers = list(grid.columns)
    place = page.table(
        f"heat_{figure.name}",
        grid,
        turned=_turned(figure),
        formats=dict.fromkeys(headers[1:], form),
    )
    for row in range(place.first, place.last + 1):
        page.set_height(row, ROW_HEIGHT + added / len(grid))
    _shade(page, figure, place)
    page.space(3)
    so_what, notes, source = (text for text, _ in _captions(figure)[-3:])
    page.text(so_what)
    if notes:
        page.text(notes, colour="muted")
    row = page.row
    page.text(source, colour="muted")
    if figure.place:
        page.link(page.sheet.cell(row, 1), CHART_DATA, figure.place.header - 2)
    page.keep(first, page.row - 1)
    figure.place = figure.place or place


def heat_format(values: list) -> tuple[str, str]:
    """Find a format whose numbers fit into a narrow cell, and what the reader must know of it."""
    numbers = [abs(value) for value in values if is_number(value)]
    largest = max(numbers, default=0)
    if any(not float(value).is_integer() for value in numbers):
        return ("0%", "Cells in per cent.") if largest <= 1 else (_decimals(largest), "")
    if largest < MOST_IN_A_CELL:
        return "#,##0", ""
    return ("0.0," if largest < 10 * MOST_IN_A_CELL else "0,"), "Cells in thousands."


def _decimals(largest: float) -> str:
    return "0.00" if largest < TWO_DIGITS else "0.0"


def _is_counted(figure: ShownFigure) -> bool:
    """Say whether shares of rows and columns go with a heat map, and have room."""
    return figure.heat["values"] in COUNTED and len(figure.data.columns) <= MOST_COLUMNS


def _turned(figure: ShownFigure) -> list[str]:
    """List the headers of a heat map that stand upright: all, where one is long."""
    headers = list(figure.data.columns[1:])
    return headers if any(len(name) >= WIDEST_IN_A_CELL for name in headers) else []


def _most_added(figure: ShownFigure) -> float:
    return MOST_HIGHER * len(figure.data) if figure.heat else MOST_ADDED


def _with_shares(grid: pd.DataFrame) -> pd.DataFrame:
    """Add the share of each row and column of a heat map of counts."""
    inner = grid.set_index(grid.columns[0]).astype(float)
    total = inner.to_numpy().sum() or 1
    shares = (inner.sum(axis=1) / total).to_numpy()
    below = pd.DataFrame([[ALL, *(inner.sum() / total), 1.0]], columns=[*grid, ALL])
    return pd.concat([grid.assign(**{ALL: shares}), below.astype(object)], ignore_index=True)


def _shade(page: Page, figure: ShownFigure, place: Place) -> None:
    """Tint the cells of a heat map; grey what is undecided, frame what is framed."""
    columns = sorted(place.columns.values())[1:]
    grid, cells = figure.data, {}
    for row, name in enumerate(grid.iloc[:, 0].map(str), place.first):
        for column, header in zip(columns, grid.columns[1:], strict=False):
            cells[name, header] = page.sheet.cell(row, column)
    for rows in page.sheet.iter_rows(place.first, place.last, columns[0], columns[-1]):
        for cell in rows:
            cell.alignment = Alignment(horizontal="center", vertical="center")
            if cell not in cells.values():
                cell.number_format = "0.0%" if cell.value != 1 else "0%"
    for where in sorted(figure.undecided & set(cells)):
        cells[where].fill = page.look.fill("grid", 0.7)
    frame = page.look.side("contrast", "medium")
    for row, column in sorted(figure.framed & set(cells)):
        cell = cells[row, column]
        names = list(grid.iloc[:, 0].map(str)), list(grid.columns[1:])
        sides = {}
        for side, (down, across) in BESIDE.items():
            other = names[0].index(row) + down, names[1].index(column) + across
            inside = 0 <= other[0] < len(names[0]) and 0 <= other[1] < len(names[1])
            if not inside or (names[0][other[0]], names[1][other[1]]) not in figure.framed:
                sides[side] = frame
        cell.border = Border(**sides)
    _mark(page, figure, place)
    decided = [cell for at, cell in cells.items() if at not in figure.undecided]
    if decided:
        where = " ".join(cell.coordinate for cell in decided)
        numbers = [cell.value for cell in decided if is_number(cell.value)]
        page.sheet.conditional_formatting.add(where, _tints(page, figure, numbers))


def _mark(page: Page, figure: ShownFigure, place: Place) -> None:
    """Mark the names of rows and columns that the title says."""
    first = min(place.columns.values())
    named = {
        name.casefold() for name in figure.spec.get("highlight", ())
    }  # headers are capitalised
    for cell in (
        *(page.sheet.cell(row, first) for row in range(place.first, place.last + 1)),
        *(page.sheet.cell(place.header, column) for column in place.columns.values()),
    ):
        if str(cell.value).casefold() in named:
            cell.font = page.look.font(bold=True)
            cell.fill = page.look.fill("contrast", 0.3)


def _tints(page: Page, figure: ShownFigure, numbers: list[float]) -> ColorScaleRule:
    """Tint counts from paper to the accent; ratios from one hue over paper at 1 to the other."""
    accent, contrast, paper = (
        page.look.fill(name, share).start_color.rgb
        for name, share in (("accent", 0.6), ("contrast", 0.6), ("paper", 1))
    )
    colours = {"start_type": "min", "start_color": paper, "end_type": "max", "end_color": accent}
    if figure.heat["values"] in RATIOS:
        positive = [number for number in numbers if number > 0]
        farthest = max([FAINT, *(max(number, 1 / number) for number in positive)])
        colours |= {"start_type": "num", "start_value": 1 / farthest, "start_color": contrast}
        colours |= {"mid_type": "num", "mid_value": 1, "mid_color": paper}
        colours |= {"end_type": "num", "end_value": farthest}
    return ColorScaleRule(**colours)
