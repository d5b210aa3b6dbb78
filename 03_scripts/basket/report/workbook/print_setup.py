"""How a sheet prints: A4 landscape, one page wide, with breaks that cut nothing.

Excel cuts drawings and tables where a page ends, so the breaks are set here, by arithmetic.
"""

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.pagebreak import Break
from openpyxl.worksheet.properties import PageSetupProperties

from basket.report.workbook.look import FONT
from basket.report.workbook.sheets import FOR_THE_CLIENT

# A4 landscape, in points; a column of width 1 is 7 pixels, a pixel 0.75 points.
A4_WIDTH, A4_HEIGHT = 841.9, 595.3
MARGIN_SIDE, MARGIN_TOP, MARGIN_BOTTOM = 0.5, 0.55, 0.55  # inches
PAGE_WIDTH = A4_WIDTH - 144 * MARGIN_SIDE
PAGE_HEIGHT = A4_HEIGHT - 72 * (MARGIN_TOP + MARGIN_BOTTOM) - 8
ROW = 13.5  # points, of a row whose height nobody set


def set_up_print(page) -> None:
    """Set heights, page breaks and print setup of a page."""
    sheet, last = page.sheet, max(page.row - 1, page.sheet.max_row)
    for row in range(1, last + 1):
        sheet.row_dimensions[row].height = round(page.heights.get(row, ROW) * 4) / 4
    for row in () if page.on_one_page else breaks(page, last):
        sheet.row_breaks.append(Break(id=row))
    sheet.sheet_view.showGridLines = False
    sheet.sheet_view.zoomScale = 100
    sheet.sheet_properties.tabColor = page.look.colour(
        "accent" if page.name in FOR_THE_CLIENT else "muted"
    )
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, int(page.on_one_page)
    margins = sheet.page_margins
    margins.left = margins.right = MARGIN_SIDE
    margins.top, margins.bottom = MARGIN_TOP, MARGIN_BOTTOM
    margins.header = margins.footer = 0.3
    sheet.print_area = f"A1:{get_column_letter(len(page.widths))}{last}"
    _footer(page)


def _footer(page) -> None:
    footer, header = page.sheet.oddFooter, page.sheet.oddHeader
    footer.left.text = page.book.settings.report.title.replace("&", "&&")
    footer.center.text = "&A"
    footer.right.text = "Page &P of &N"
    header.right.text = page.book.banner.split(":")[0].replace("&", "&&")
    for part in (footer.left, footer.center, footer.right, header.right):
        part.size, part.font, part.color = 9, FONT, page.look.colour("muted")[2:]


def breaks(page, last: int) -> list[int]:
    """Find the rows after which a printed page ends, so that what is kept together stays so."""
    tied = {row for first, end in page.together for row in range(first + 1, end + 1)}
    found, used, start = [], 0.0, 1
    row = 1
    while row <= last:
        end = row
        while end + 1 <= last and end + 1 in tied and end + 1 not in page.page_starts:
            end += 1
        height = sum(page.heights.get(r, ROW) for r in range(row, end + 1))
        if row > start and (row in page.page_starts or used + height > page.page_height):
            found.append(row - 1)
            start = row
            used = page.heights[page.repeated] if 0 < page.repeated < row else 0.0
        used += height
        row = end + 1
    return found
