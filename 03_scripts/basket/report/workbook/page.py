"""A sheet of the workbook as a page that is written from top to bottom.

Excel neither wraps a sentence over cells nor knows how high a wrapped row is, and cuts drawings
where a page ends. So text is measured (measure_text), and this module sets every height and every
page break itself. No cell is merged; a long sentence is cut into lines that run over the
empty cells to the right.
"""

import math
import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Border, NamedStyle
from openpyxl.styles.cell_style import StyleArray
from openpyxl.utils import get_column_letter
from openpyxl.utils.indexed_list import IndexedList
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.table import Table, TableStyleInfo
from openpyxl.worksheet.worksheet import Worksheet

from basket.project.errors import BasketError
from basket.project.settings import Settings
from basket.report.workbook.look import Font, Look
from basket.report.workbook.measure_text import (
    LINE,
    POINTS_PER_PIXEL,
    TEXT_SIZE,
    clean_text,
    text_width,
    wrap,
)
from basket.report.workbook.print_setup import PAGE_HEIGHT, PAGE_WIDTH, set_up_print
from basket.report.workbook.sheets import TITLE
from basket.report.workbook.values import (
    NOTHING,
    heading,
    is_number,
    number_format,
    number_format_of,
    plain,
    shown,
    unique,
)

LONGEST_TABLE = 1_000
LONGEST_SHEET_NAME = 31
TABLE_STYLE = "TableStyleLight1"

PIXELS_PER_WIDTH = 7
SMALLEST_SCALE = 0.7  # of print: 10 points become 7
HEADING_HEIGHT = 60  # points: what a section's heading and its first sentence take
CELL_PADDING = 8  # pixels
INDENT = 9  # pixels
ROW_PADDING = 3  # points
SAFE = 0.98  # programs measure text a little differently

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\n", "\r")


@dataclass
class Place:
    """Where a table is: the rows of its header and its last row, and its columns by name."""

    sheet: str
    header: int
    last: int
    columns: dict[str, int]

    @property
    def first(self) -> int:
        """First row below the header."""
        return self.header + 1


@dataclass
class Book:
    """The workbook that is being written: its pages, its look, and what every page must say."""

    settings: Settings
    banner: str
    workbook: Workbook = field(default_factory=Workbook)
    pages: dict[str, "Page"] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    styles: dict[tuple, StyleArray] = field(default_factory=dict)  # of cells in tables
    results: dict[tuple[str, str], float | str] = field(default_factory=dict)  # of formulas

    def __post_init__(self):
        """Start without sheets and with our own styles."""
        self.look = look = Look(self.settings)
        self.workbook.remove(self.workbook.active)
        self.workbook._fonts = IndexedList([look.font()])  # the first sets columns' widths
        self.workbook._named_styles["Normal"].font = look.font()
        title = NamedStyle("Heading 1", builtinId=16)
        section = NamedStyle("Heading 2", builtinId=17)
        title.font, section.font = look.font(size=20, bold=True), look.font("accent", 12, bold=True)
        title.alignment = Alignment(vertical="center")
        section.alignment = Alignment(vertical="bottom")
        section.border = Border(bottom=look.side("accent"))
        for style in (title, section):
            self.workbook.add_named_style(style)

    def page(self, name: str, title: str, widths: Sequence[float]) -> "Page":
        """Add a sheet; its columns together are at most as wide as the page."""
        if len(name) > LONGEST_SHEET_NAME:
            raise ValueError(f"sheet name too long: {name}")
        self.pages[name] = Page(self, name, title, widths)
        return self.pages[name]


# ---- a page -----------------------------------------------------------------------------------


class Page:
    """A sheet, written from top to bottom; `row` is the next free row."""

    def __init__(self, book: Book, name: str, title: str, widths: Sequence[float]):
        """Add the sheet, with its title, the way back and the banner."""
        self.book, self.name, self.widths, self.look = book, name, tuple(widths), book.look
        width = self.pixels(1, len(widths)) * POINTS_PER_PIXEL
        scale = min(1.0, math.floor(100 * PAGE_WIDTH / width) / 100)
        if scale < SMALLEST_SCALE:
            raise ValueError(f"{name}: the columns are too wide to be read in print")
        self.page_height = PAGE_HEIGHT / scale
        self.on_one_page = False
        self.repeated = 0  # the row on top of each page that begins below it
        self.sheet: Worksheet = book.workbook.create_sheet(name)
        self.row = 1
        self.heights: dict[int, float] = {}
        self.together: list[tuple[int, int]] = []
        self.page_starts: set[int] = set()
        for number, width in enumerate(widths, 1):
            self.sheet.column_dimensions[get_column_letter(number)].width = width
        self._open(title)

    def _open(self, title: str) -> None:
        self.sheet["A1"].style = "Heading 1"
        self._put(1, 1, clean_text(title))
        self.set_height(1, 32)
        self.row = 2
        if self.name != TITLE:
            self.link(self.write_row("Back to contents"), TITLE)
        if self.book.banner:
            self.banner(self.book.banner)
        self.space(6)

    # ---- cells and rows

    def pixels(self, first: int, last: int | None = None) -> int:
        """Return the width of columns in pixels."""
        return sum(
            int(width * PIXELS_PER_WIDTH) for width in self.widths[first - 1 : last or first]
        )

    def set_height(self, row: int, points: float) -> None:
        """Make a row at least this high."""
        self.heights[row] = max(self.heights.get(row, 0), points)

    def write(
        self,
        row: int,
        column: int,
        value,
        *,
        font: Font | None = None,
        align: Alignment | None = None,
        number_format: str | None = None,
    ) -> Cell:
        """Write a value as text or number, never as a formula."""
        value = plain(value)
        cell = self._put(row, column, value)
        if is_number(value):
            cell.number_format = number_format or number_format_of(value)
        cell.font = font or self.look.font()
        cell.alignment = align or Alignment(vertical="top")
        return cell

    def _put(self, row: int, column: int, value) -> Cell:
        """Put a value into a cell, which keeps its style; a text stays one, however it begins."""
        cell = self.sheet.cell(row, column, value)
        if isinstance(value, str) and value.startswith(STARTS_A_FORMULA):
            cell.data_type, cell.quotePrefix = "s", True
        return cell

    def formula(self, row: int, column: int, formula: str, result, number_format: str = "") -> Cell:
        """Write a formula with its result, which previewers show: they calculate nothing."""
        if not isinstance(result, str) and not is_number(result):
            raise ValueError(f"{self.name}: {formula} gives {result}")
        cell = self.sheet.cell(row, column, formula)
        if number_format:
            cell.number_format = number_format
        self.book.results[self.name, cell.coordinate] = result
        return cell

    def write_row(self, label: str, value: str | None = None, font: Font | None = None) -> Cell:
        """Write a label, and a value beside it, into the next row; return the label's cell."""
        cell = self.write(self.row, 1, label, font=font)
        if value is not None:
            self.write(self.row, 2, value)
        self.set_height(self.row, 16)
        self.row += 1
        return cell

    def link(self, cell: Cell, page: str, row: int = 1, column: int = 1) -> None:
        """Let a cell lead to a cell of another page."""
        target = f"'{page}'!{get_column_letter(column)}{row}"
        cell.hyperlink = Hyperlink(ref=cell.coordinate, location=target, tooltip=f"Go to {page}")
        cell.font = self.look.font("accent", underline="single", bold=bool(cell.font.bold))

    def wrapped(
        self, row: int, column: int, text: str, *, font: Font | None = None, **alignment
    ) -> Cell:
        """Write a text that wraps in its cell, and make the row high enough."""
        font = font or self.look.font()
        align = Alignment(wrap_text=True, vertical="top", **alignment)
        cell = self.write(row, column, text, font=font, align=align)
        self.set_height(row, self.height_of(cell.value, column, font, align.indent))
        return cell

    def height_of(self, text, column: int, font: Font, indent: float = 0) -> float:
        """Return the height in points that a text needs in a column, indented by some steps."""
        pixels = (self.pixels(column) - CELL_PADDING - INDENT * indent) * SAFE
        lines = wrap(str(text), pixels, font.size, bool(font.bold))
        return len(lines) * font.size * LINE + ROW_PADDING

    def space(self, points: float = 10) -> None:
        """Leave an empty row."""
        self.set_height(self.row, points)
        self.row += 1

    def new_page(self) -> None:
        """Start a new printed page with the next row."""
        self.page_starts.add(self.row)

    def repeat(self, row: int) -> None:
        """Print a row again on top of each page that begins below it."""
        self.sheet.print_title_rows = f"{row}:{row}"
        self.repeated = row

    def keep(self, first: int, last: int) -> None:
        """Keep rows on one printed page."""
        self.together.append((first, last))

    # ---- blocks

    def banner(self, text: str) -> None:
        """Write what nobody can overlook, in as many rows as it takes."""
        middle = Alignment(vertical="center")
        for line in wrap(text, self.pixels(1, len(self.widths)) - CELL_PADDING, TEXT_SIZE, True):
            for column in range(1, len(self.widths) + 1):
                self.sheet.cell(self.row, column).fill = self.look.fill("warning")
            self.write(self.row, 1, line, font=self.look.font(bold=True), align=middle)
            self.set_height(self.row, 20)
            self.row += 1

    def section(self, text: str) -> None:
        """Write a heading."""
        for column in range(1, len(self.widths) + 1):
            self.sheet.cell(self.row, column).style = "Heading 2"
        self._put(self.row, 1, clean_text(text))
        self.set_height(self.row, 22)
        self.keep(self.row, self.row + 5)
        self.row += 1
        self.space(4)

    def text(
        self,
        text: str,
        *,
        colour: str = "ink",
        bold: bool = False,
        size: float = TEXT_SIZE,
        column: int = 1,
        last: int | None = None,
    ) -> None:
        """Write a paragraph as lines that run over the empty cells to the right, up to `last`."""
        pixels = (self.pixels(column, last or len(self.widths)) - CELL_PADDING) * SAFE
        for line in wrap(clean_text(text), pixels, size, bold):
            self.write(self.row, column, line, font=self.look.font(colour, size, bold=bold))
            self.set_height(self.row, size * LINE + 2)
            self.row += 1

    def term(self, term: str, text: str) -> None:
        """Write a term with its explanation beside it."""
        first = self.row
        self.write(first, 1, term, font=self.look.font(bold=True))
        self.text(text, column=2)
        self.keep(first, self.row - 1)
        self.space(1.5)

    def table(
        self,
        name: str,
        frame: pd.DataFrame,
        *,
        column: int = 1,
        headings: dict | None = None,
        formats: dict | None = None,
        filters: bool = True,
        bold_first: bool = False,
        links: dict[str, list[tuple[str, int] | None]] | None = None,
        turned: Sequence[str] = (),
        overflow: Sequence[str] = (),
        dense: bool = False,
        whole: bool = True,
    ) -> Place:
        """Write a table as an Excel table `tbl_<name>`; return its place.

        `links` says of a column where each of its cells leads: (page, row), or nowhere. The
        headers of `turned` columns are written upwards; texts of a last column that may `overflow`
        run over the empty cells to the right. The rows of a `dense` table are as low as its texts
        allow. A table that fits on a page is not cut in print, if it is to stay `whole`.
        """
        if len(frame) > LONGEST_TABLE:
            many = f"the table {name} has {len(frame):,} rows"
            raise BasketError(f"{many}; the workbook shows at most {LONGEST_TABLE:,}")
        if frame.empty:
            frame = pd.DataFrame([[NOTHING] * len(frame.columns)], columns=frame.columns)
        titles = unique([(headings or {}).get(label, heading(str(label))) for label in frame])
        header, before = self.row, dict(self.heights)
        for offset, (label, title) in enumerate(zip(frame.columns, titles, strict=True)):
            values, indent = [plain(value) for value in frame[label]], int(offset > 0)
            numeric = any(is_number(value) for value in values)
            form = (formats or {}).get(label) or number_format(str(label), values)
            across = label not in turned and label not in overflow
            self._header(header, column + offset, title, numeric, label in turned, indent, across)
            looks = {"bold": bold_first and offset == 0, "wraps": label not in overflow}
            targets = (links or {}).get(label) or [None] * len(values)
            for row, (value, target) in enumerate(zip(values, targets, strict=True), header + 1):
                cell = self._body(
                    row, column + offset, value, form, numeric, indent=indent, **looks
                )
                if target:
                    self.link(cell, *target)
        last = header + len(frame)
        for row in range(header + 1, last + 1) if dense else ():
            self.heights[row] = max(before.get(row, 0), self.heights[row] - ROW_PADDING)
        self._add_table(name, titles, column, header, last, filters and not turned)
        height = sum(self.heights[row] for row in range(header, last + 1))
        fits = whole and height <= self.page_height - HEADING_HEIGHT
        self.keep(header, last if fits else min(header + 2, last))
        self.row = last + 1
        places = {str(label): column + offset for offset, label in enumerate(frame.columns)}
        return Place(self.name, header, last, places)

    def _header(
        self,
        row: int,
        column: int,
        title: str,
        numeric: bool,
        turned: bool,
        indent: int,
        wraps: bool,
    ) -> None:
        font = self.look.font(bold=True)
        align = Alignment(
            wrap_text=wraps,
            vertical="bottom",
            horizontal="center" if turned else "right" if numeric else "left",
            indent=0 if turned else 1 if numeric else indent,
            text_rotation=90 if turned else 0,
        )
        cell = self.write(row, column, title, font=font, align=align)
        cell.fill = self.look.fill("grid", 0.45)
        cell.border = Border(bottom=self.look.side("ink"))
        across = self.height_of(title if wraps else "", column, font, align.indent) + 2
        self.set_height(row, self.height_upwards(title) if turned else across)

    def height_upwards(self, title: str) -> float:
        """Return the height in points of a header that is written upwards."""
        return text_width(title, bold=True) * POINTS_PER_PIXEL + 10

    def _body(
        self,
        row: int,
        column: int,
        value,
        form: str,
        numeric: bool,
        bold: bool,
        wraps: bool,
        indent: int,
    ) -> Cell:
        number = is_number(value)
        if number or (numeric and len(str(value)) <= 12):
            wide = text_width(shown(value, form)) + INDENT + CELL_PADDING > self.pixels(column)
            look = ("number", bold, number, wide)
            height = TEXT_SIZE * LINE + ROW_PADDING
        else:
            value = clean_text(str(value))
            look = ("wrapped" if wraps else "text", bold, indent)
            height = self.height_of(value, column, self._cell_font(look), indent) if wraps else 0
        if height:
            self.set_height(row, height)
        cell = self.sheet.cell(row, column, value)
        marked = isinstance(value, str) and value.startswith(STARTS_A_FORMULA)
        key = (*look, form if number else "", marked)
        if key not in self.book.styles:
            self._style(cell, look, form if number else "", marked)
            self.book.styles[key] = copy(cell._style)
        else:
            cell._style = copy(self.book.styles[key])
        if marked:
            cell.data_type = "s"
        return cell

    def _cell_font(self, look: tuple) -> Font:
        """Return the font of a cell in a table: what stands in for a number is muted."""
        muted = look[0] == "number" and not look[2]
        return self.look.font("muted") if muted else self.look.font(bold=look[1])

    def _style(self, cell: Cell, look: tuple, number_format: str, marked: bool) -> None:
        """Give a cell of a table its look; setting it anew for each cell would take a second."""
        kind = look[0]
        if kind == "number":
            shrink = look[3] or None
            align = Alignment(horizontal="right", vertical="top", indent=1, shrink_to_fit=shrink)
        else:
            wrap_text = True if kind == "wrapped" else None
            align = Alignment(
                horizontal="left", vertical="top", indent=look[2], wrap_text=wrap_text
            )
        cell.font, cell.alignment, cell.border = self._cell_font(look), align, self.look.under
        if number_format:
            cell.number_format = number_format
        if marked:
            cell.data_type, cell.quotePrefix = "s", True

    def _add_table(
        self, name: str, titles: list[str], column: int, header: int, last: int, filters: bool
    ) -> None:
        full_name = "tbl_" + re.sub(r"\W", "_", name)
        if full_name in self.book.tables:
            raise ValueError(f"two tables are called {full_name}")
        self.book.tables.add(full_name)
        ends = get_column_letter(column), get_column_letter(column + len(titles) - 1)
        table = Table(
            displayName=full_name, name=full_name, ref=f"{ends[0]}{header}:{ends[1]}{last}"
        )
        table._initialise_columns()
        for tag, title in zip(table.tableColumns, titles, strict=True):
            tag.name = title
        table.tableStyleInfo = TableStyleInfo(name=TABLE_STYLE, showRowStripes=False)
        if not filters:
            table.autoFilter = None
        self.sheet.add_table(table)

    def close(self) -> None:
        """Set heights, page breaks and print setup; nothing is written after this."""
        set_up_print(self)
