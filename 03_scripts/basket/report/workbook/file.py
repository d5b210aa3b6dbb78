"""Write the workbook as a file, with alternative texts, and the same bytes for the same content."""

import re
from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.writer.excel import ExcelWriter

OLDEST_IN_A_ZIP = datetime(1980, 1, 1, tzinfo=UTC)
CORE = "docProps/core.xml"
UNIX = 3


class DescribedWriter(ExcelWriter):
    """A writer that gives charts and images their names and alternative texts.

    Each carries them as the attributes `name` and `alt_text`.
    """

    def _write_drawing(self, drawing: SpreadsheetDrawing) -> None:
        describe(drawing)
        super()._write_drawing(drawing)


def describe(drawing: SpreadsheetDrawing) -> None:
    """Let a drawing write the names and alternative texts of what it holds."""
    chart_frame, picture_frame = drawing._chart_frame, drawing._picture_frame

    def described(properties, item):
        properties.name, properties.descr = item.name, item.alt_text

    def describe_chart(number: int):
        frame = chart_frame(number)
        described(frame.nvGraphicFramePr.cNvPr, drawing.charts[number - 1])
        return frame

    def describe_picture(number: int):
        frame = picture_frame(number)
        described(frame.nvPicPr.cNvPr, drawing.images[number - 1 - len(drawing.charts)])
        return frame

    drawing._chart_frame, drawing._picture_frame = describe_chart, describe_picture


def date_of(epoch: int) -> datetime:
    """Return the date that is written into the file; a zip knows none before 1980."""
    return max(datetime.fromtimestamp(epoch, UTC), OLDEST_IN_A_ZIP)


def to_bytes(workbook: Workbook, epoch: int) -> bytes:
    """Write the workbook as a file whose every date is `epoch`."""
    buffer = BytesIO()
    DescribedWriter(workbook, ZipFile(buffer, "w", ZIP_DEFLATED)).save()
    date = date_of(epoch)
    fixed = BytesIO()
    with ZipFile(buffer) as written, ZipFile(fixed, "w", ZIP_DEFLATED) as file:
        for name in written.namelist():
            content = written.read(name)
            part = ZipInfo(name, date.timetuple()[:6])
            part.compress_type, part.create_system, part.external_attr = ZIP_DEFLATED, UNIX, 0
            file.writestr(part, with_dates(content, date) if name == CORE else content)
    return fixed.getvalue()


def with_dates(core: bytes, date: datetime) -> bytes:
    """Give the core properties one date for both: created and modified."""
    stamp = date.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    return re.sub(rb"(<dcterms:(created|modified)[^>]*>)[^<]*", rb"\g<1>" + stamp, core)
