"""Sheet 8: the numbers behind every figure."""

from itertools import chain, takewhile, zip_longest

import pandas as pd

from basket.report.workbook import native_charts
from basket.report.workbook.page import ROW_PADDING, Book, Page
from basket.report.workbook.plain_words import sources_in_words
from basket.report.workbook.sheets import CHART_DATA
from basket.report.workbook.shown_figures import ShownFigure, prepare
from basket.report.workbook.values import heading, plain

DATA_WIDTHS = (36.5, *([12.0] * 6), 36.5, *([12.0] * 5))
LEFT_BAND, RIGHT_BAND = range(1, 7), range(8, 14)  # columns of tables side by side
TITLES, GAP = (16, 14), 10  # points: of title and source, and of what parts two tables


def write_chart_data(book: Book, figures: list[ShownFigure]) -> Page:
    """Write a list of the figures, then the numbers behind each, as tables in the same order."""
    page = book.page(CHART_DATA, "Chart data", DATA_WIDTHS)
    page.text(
        "Every number behind every figure, as it was drawn, in the order of the questions. Minus "
        "and plus say how far an interval reaches below and above its value.",
        colour="muted",
    )
    page.space(4)
    top = page.row
    for figure in figures:
        prepare(figure)
    contents = _write_list(page, figures)
    _write_all(page, figures, top)
    for row, figure in zip(contents, figures, strict=True):
        cell = figure.title_cell
        page.link(page.sheet.cell(row, 1), CHART_DATA, cell.row, cell.column)
    return page


def _write_list(page: Page, figures: list[ShownFigure]) -> range:
    """List the tables by figure; return the rows whose first cells will lead to them."""
    frame = pd.DataFrame(
        {
            "figure": [f"Figure {one.number}, {one.name.replace('_', ' ')}" for one in figures],
            "question": [one.spec["question"] for one in figures],
            "rows": [len(one.data) for one in figures],
            "source": [sources_in_words(one.spec.get("sources", ())) for one in figures],
        }
    )
    place = page.table(
        "list_of_chart_data",
        frame,
        headings={"question": "Q", "rows": "Rows", "source": "Source"},
        overflow=("source",),
        dense=True,
        filters=False,
    )
    page.space(14)
    return range(place.first, place.first + len(figures))


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


def _write_all(page: Page, figures: list[ShownFigure], top: int) -> None:
    """Write the tables in order: down the left columns of a page, then down the right ones.

    The list of tables stands at the left, from the row `top`. A wide table takes the whole width.
    """
    room = page.page_height - _between(page, 1, top)
    beside = [page.heights[row] for row in range(top, page.row)]  # the list, at the left
    remaining = list(figures)
    while remaining:
        tables = [_row_heights(page, figure) for figure in takewhile(_is_narrow, remaining)] or [
            _row_heights(page, remaining[0])
        ]
        most = len(tables) if _is_narrow(remaining[0]) else 0  # that may stand at the right
        count, at_left, height = _fitting(tables, beside, room, most)
        if not count and room == page.page_height:  # higher than a page
            count = at_left = 1
        first, page.row = page.row, top
        rows = [first if beside else top, top]
        for place, figure in enumerate(remaining[:count]):
            band = int(place >= at_left)
            page.row = rows[band]
            _write_numbers(page, figure, (LEFT_BAND, RIGHT_BAND)[band].start)
            page.space(GAP)
            rows[band] = page.row
        top = page.row = max(*rows, first)
        remaining, room, beside = remaining[count:], room - height, []
        if remaining and count < len(tables):
            page.new_page()
            room = page.page_height


def _fitting(
    tables: list[list[float]], beside: list[float], room: float, most: int
) -> tuple[int, int, float]:
    """Find how many of the next tables fit, how many of them at the left, and how high they are.

    Tables are the heights of their rows; those of a row are as high as the higher one. The most
    tables that fit, as low as they can be. Up to `most` stand at the
    right, below what stands `beside` at the left.
    """
    found = (0, 0, sum(beside))
    for at_left in range(len(tables) + 1):
        left = [*beside, *chain.from_iterable(tables[:at_left])]
        for count in range(max(at_left, 1), min(at_left + most, len(tables)) + 1):
            right = chain.from_iterable(tables[at_left:count])
            height = sum(max(pair) for pair in zip_longest(left, right, fillvalue=0))
            if height <= room and (count, -height) > (found[0], -found[2]):
                found = (count, at_left, height)
    return found


def _between(page: Page, first: int, after: int) -> float:
    return sum(page.heights[row] for row in range(first, after))


def _row_heights(page: Page, figure: ShownFigure) -> list[float]:
    """Return the heights of a figure's rows: title, source, header, rows, and the gap below."""
    column = LEFT_BAND.start  # the columns at the right are as wide
    if _is_on_sheet_6(figure):
        return [*TITLES, TITLES[-1], GAP]
    bold, normal, given = page.look.font(bold=True), page.look.font(), _headings(figure)
    header = max(
        page.height_of(given.get(name, heading(name)), place, bold, 1)
        for place, name in enumerate(_numbers(figure), column)
    )
    rows = [
        max(
            page.height_of(value, place, normal, place > column) if isinstance(value, str) else 0
            for place, value in enumerate(row, column)
        )
        for row in _numbers(figure).itertuples(index=False, name=None)
    ]
    least = page.height_of("", column, normal)
    return [*TITLES, header + 2, *(max(row, least) - ROW_PADDING for row in rows), GAP]


def _numbers(figure: ShownFigure) -> pd.DataFrame:
    """Return what the table of a figure shows: no texts that only repeat the names of its rows."""
    name = figure.spec.get("name_of")
    if not name or figure.heat:
        return figure.data
    names = figure.data[name].astype(str).str.lower()
    repeats = [
        column
        for column in figure.data.columns.drop(name)
        if all(
            str(text).lower() in row for text, row in zip(figure.data[column], names, strict=True)
        )
    ]
    return figure.data.drop(columns=repeats)


def _is_narrow(figure: ShownFigure) -> bool:
    if _is_on_sheet_6(figure):
        return True
    return not figure.heat and len(_numbers(figure).columns) <= min(len(LEFT_BAND), len(RIGHT_BAND))


def _write_numbers(page: Page, figure: ShownFigure, column: int) -> None:
    title = f"Figure {figure.number}  ·  {figure.spec['question']}  {figure.spec['title']}"
    figure.title_cell = page.write(page.row, column, title, font=page.look.font(bold=True))
    page.set_height(page.row, TITLES[0])
    page.row += 1
    sources = f"Source: {sources_in_words(figure.spec.get('sources', ()))}"
    page.write(page.row, column, sources, font=page.look.font("muted"))
    page.set_height(page.row, TITLES[1])
    page.row += 1
    if _is_on_sheet_6(figure):
        page.write(page.row, column, "The numbers are the cells of the heat map on sheet 6.")
        page.set_height(page.row, TITLES[1])
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
        figure.name,
        _numbers(figure),
        column=column,
        formats=formats,
        headings=_headings(figure),
        dense=True,
    )
