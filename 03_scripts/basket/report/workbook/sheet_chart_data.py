"""Sheet 8: the numbers behind every figure."""

from itertools import zip_longest

from basket.report.workbook import native_charts
from basket.report.workbook.page import Book, Page
from basket.report.workbook.sheets import CHART_DATA
from basket.report.workbook.shown_figures import ShownFigure, prepare
from basket.report.workbook.values import heading, plain

DATA_WIDTHS = (37.5, *([11.5] * 6), 37.5, *([11.5] * 5))
LEFT_BAND, RIGHT_BAND = range(1, 7), range(8, 14)  # columns of tables side by side
SHELF_HEIGHT, ROW_HEIGHT = 47, 16  # points, on sheet 8: of what frames a table, and of its rows


def write_chart_data(book: Book, figures: list[ShownFigure]) -> Page:
    """Write the numbers behind every figure, as tables."""
    page = book.page(CHART_DATA, "Chart data", DATA_WIDTHS)
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
    """Order shelves so that they fill few pages: each, the highest first, on the first with room.

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


def _shelf_height(page: Page, shelf: tuple[ShownFigure, ...]) -> float:
    """Return the height in points of tables side by side, each row as high as its highest cell."""
    rows = [
        _row_heights(page, figure, band.start)
        for figure, band in zip(shelf, (LEFT_BAND, RIGHT_BAND), strict=False)
    ]
    return SHELF_HEIGHT + sum(max(row) for row in zip_longest(*rows, fillvalue=0))


def _row_heights(page: Page, figure: ShownFigure, column: int) -> list[float]:
    """Return the heights of the header and the rows of a figure's table."""
    if _is_on_sheet_6(figure):
        return [ROW_HEIGHT]
    bold, normal, given = page.look.font(bold=True), page.look.font(), _headings(figure)
    header = max(
        page.height_of(given.get(name, heading(name)), place, bold, 1)
        for place, name in enumerate(figure.data, column)
    )
    rows = [
        max(
            page.height_of(value, place, normal, 1) if isinstance(value, str) else ROW_HEIGHT
            for place, value in enumerate(row, column)
        )
        for row in figure.data.itertuples(index=False, name=None)
    ]
    return [header + 2, *rows]


def _headings(figure: ShownFigure) -> dict[str, str]:
    """Return the headings of a figure's table that are its own."""
    ends = {}
    for name in (figure.chart or {}).get("intervals") or {}:
        ends[native_charts.below_column(name)] = "Minus"
        ends[native_charts.above_column(name)] = "Plus"
    return figure.spec.get("labels", {}) | ends


def _is_on_sheet_6(figure: ShownFigure) -> bool:
    """Say whether a heat map is too wide for sheet 8; its cells on sheet 6 are the same numbers."""
    return bool(figure.heat) and len(figure.data.columns) > len(DATA_WIDTHS)


def shelves(figures: list[ShownFigure]) -> list[tuple[ShownFigure, ...]]:
    """Put narrow tables of about the same length side by side, in the order of the questions."""
    most = len(LEFT_BAND)
    narrow = [one for one in figures if len(one.data.columns) <= most and not one.heat]
    narrow.sort(key=lambda figure: -len(figure.data))
    pairs = [
        tuple(sorted(narrow[place : place + 2], key=lambda figure: -len(figure.data.columns)))
        for place in range(0, len(narrow), 2)
    ]
    wide = [(figure,) for figure in figures if figure not in narrow]
    return sorted([*pairs, *wide], key=lambda shelf: min(figures.index(one) for one in shelf))


def _write_side_by_side(page: Page, *figures: ShownFigure) -> None:
    first = page.row
    last = first
    for figure, column in zip(figures, (LEFT_BAND.start, RIGHT_BAND.start), strict=False):
        page.row = first
        _write_numbers(page, figure, column)
        last = max(last, page.row - 1)
    page.keep(first, last)
    page.row = last + 1
    page.space(14)


def _write_numbers(page: Page, figure: ShownFigure, column: int) -> None:
    title = f"{figure.spec['question']}  {figure.spec['title']}"
    figure.title_cell = page.write(page.row, column, title, font=page.look.font(bold=True))
    page.set_height(page.row, 18)
    page.row += 1
    sources = "Source: " + ", ".join(figure.spec.get("sources", ()))
    page.write(page.row, column, sources, font=page.look.font("muted"))
    page.set_height(page.row, 15)
    page.row += 1
    if _is_on_sheet_6(figure):
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
