"""Write the workbook as a file, with alternative texts, and the same bytes for the same content."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import escape, unescape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

OLDEST_IN_A_ZIP = datetime(1980, 1, 1, tzinfo=UTC)
CORE = "docProps/core.xml"
DIGITS = re.compile(r"-?\d+(\.\d+)?")
AFTER_IGNORED = ("<drawing ", "<tableParts ", "</worksheet>")  # what follows <ignoredErrors>
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


def to_bytes(
    workbook: Workbook, epoch: int, results: dict[tuple[str, str], float | str] | None = None
) -> bytes:
    """Write the workbook as a file whose every date is `epoch`, formulas with their results.

    `results` says what the formula in a cell gives, by sheet and cell.
    """
    buffer = BytesIO()
    DescribedWriter(workbook, ZipFile(buffer, "w", ZIP_DEFLATED)).save()
    date = date_of(epoch)
    completed = {
        f"xl/worksheets/sheet{number}.xml": completion(sheet, results or {})
        for number, sheet in enumerate(workbook.worksheets, 1)
    }
    fixed = BytesIO()
    with ZipFile(buffer) as written, ZipFile(fixed, "w", ZIP_DEFLATED) as file:
        for name in written.namelist():
            content = written.read(name)
            part = ZipInfo(name, date.timetuple()[:6])
            part.compress_type, part.create_system, part.external_attr = ZIP_DEFLATED, UNIX, 0
            if name == CORE:
                content = with_dates(content, date)
            elif name in completed:
                content = completed[name](content.decode()).encode()
            file.writestr(part, content)
    return fixed.getvalue()


def completion(sheet: Worksheet, results: dict) -> Callable[[str], str]:
    """Return what completes a sheet's XML: results of formulas, and marks on labels of digits.

    openpyxl writes neither the result of a formula nor which cells Excel should not mark green
    because their digits are text.
    """
    own = {cell: result for (name, cell), result in results.items() if name == sheet.title}
    digits = [
        cell.coordinate
        for row in sheet.iter_rows()
        for cell in row
        if isinstance(cell.value, str) and DIGITS.fullmatch(cell.value)
    ]

    def complete(xml: str) -> str:
        for cell, result in own.items():
            xml = with_result(xml, cell, result)
        if not digits:
            return xml
        mark = f'<ignoredErrors><ignoredError sqref="{" ".join(digits)}" numberStoredAsText="1"/>'
        before = next(tag for tag in AFTER_IGNORED if tag in xml)
        return xml.replace(before, f"{mark}</ignoredErrors>{before}", 1)

    return complete


def with_result(xml: str, cell: str, result: float | str) -> str:
    """Write the result of a cell's formula into the XML of its sheet."""
    is_text = isinstance(result, str)
    kind, value = (' t="str"', escape(result)) if is_text else ("", repr(result))
    found = re.compile(rf'<c r="{cell}"( s="\d+")?[^>]*>(<f>[^<]*</f>)<v ?(?:/>|></v>)')
    xml, count = found.subn(lambda m: f'<c r="{cell}"{m[1] or ""}{kind}>{m[2]}<v>{value}</v>', xml)
    if count != 1:
        raise ValueError(f"{count} formulas in cell {cell}")
    return xml


def with_dates(core: bytes, date: datetime) -> bytes:
    """Give the core properties one date for both: created and modified."""
    stamp = date.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    return re.sub(rb"(<dcterms:(created|modified)[^>]*>)[^<]*", rb"\g<1>" + stamp, core)


def contents(path: Path) -> list[dict]:
    """Say of each sheet of a workbook how many rows, tables, charts and images it holds."""
    found = []
    with ZipFile(path) as file:
        names = re.findall(r'<sheet [^>]*name="([^"]+)"', file.read("xl/workbook.xml").decode())
        for number, name in enumerate(names, 1):
            sheet = file.read(f"xl/worksheets/sheet{number}.xml").decode()
            drawing = _part(file, f"xl/worksheets/_rels/sheet{number}.xml.rels", r"drawing\d+\.xml")
            drawn = file.read(f"xl/drawings/{drawing}").decode() if drawing else ""
            found.append(
                {
                    "sheet": unescape(name),
                    "rows": sheet.count("<row "),
                    "tables": sheet.count("<tablePart "),
                    "native charts": len(re.findall(r"<(?:\w+:)?graphicFrame>", drawn)),
                    "images": len(re.findall(r"<(?:\w+:)?pic>", drawn)),
                    "formulas": sheet.count("<f>"),
                }
            )
    return found


def _part(file: ZipFile, relations: str, name: str) -> str:
    """Find the part of this name among a part's relations, or nothing."""
    if relations not in file.namelist():
        return ""
    found = re.search(name, file.read(relations).decode())
    return found[0] if found else ""
