"""Stage 06: the Excel report, twelve sheets that a client can read without us.

Everything in it comes from what the stages before it left: result tables, findings, figures, the
audit's rows, the dictionary, the settings and the facts of the run. The same inputs give the same
bytes.
"""

from pathlib import Path

from openpyxl.packaging.custom import StringProperty

from basket.analysis.privacy import SUPPRESSED
from basket.project.files import write_whole
from basket.project.folders import Folders
from basket.project.origin import BANNERS
from basket.project.settings import Settings
from basket.report.workbook.file import date_of, to_bytes
from basket.report.workbook.material import Material, read_material
from basket.report.workbook.page import Book
from basket.report.workbook.ranking import by_worth
from basket.report.workbook.sheet_advice import write_advice
from basket.report.workbook.sheet_chart_data import write_chart_data
from basket.report.workbook.sheet_figures import write_figures
from basket.report.workbook.sheet_monday import write_monday
from basket.report.workbook.sheet_notes import write_notes
from basket.report.workbook.sheet_record import (
    write_checks,
    write_derivations,
    write_flow,
    write_wrangling,
)
from basket.report.workbook.sheet_segments import write_segments
from basket.report.workbook.sheet_summary import write_summary
from basket.report.workbook.sheet_title import TILE_WIDTH, write_title
from basket.report.workbook.sheets import SHEETS, TITLE
from basket.report.workbook.shown_findings import FigureLinks


def write_report(
    folders: Folders, settings: Settings, path: Path | None = None, facts: Path | None = None
) -> Path:
    """Write the report of a run, whose facts are in the file `facts`; return its path."""
    path = path or folders.report
    material = read_material(folders, settings, facts or folders.run_facts)
    book = build(material, settings, folders.visualizations)
    write_whole(path, to_bytes(book.workbook, material.facts["epoch"], book.results))
    return path


def build(material: Material, settings: Settings, images: Path) -> Book:
    """Build the workbook in memory."""
    tables, published, facts = material.tables, material.published, material.facts
    findings, figures = material.findings, material.figures
    book = Book(settings, str(BANNERS.get(facts["data"]["synthetic"], "")))
    book.page(TITLE, settings.report.title, (TILE_WIDTH,) * 6)

    write_chart_data(book, figures)
    write_figures(book, figures, images)
    links = FigureLinks(figures)
    levers = by_worth(published.get("prizes"))
    write_title(book, tables, facts)
    write_monday(book, findings, levers, published, links)
    write_summary(book, findings, levers, links)
    write_flow(book, tables["population_flow"], facts)
    checks, flow = tables["consistency_checks"], tables["population_flow"]
    write_checks(book, checks, flow, tables["departments"])
    write_wrangling(book, tables["wrangling_steps"])
    flags = published["flags"]
    write_derivations(book, flags, bool((flags == SUPPRESSED).any(axis=None)))
    write_segments(book, findings, published)
    write_advice(book, findings, levers, links, published)
    write_notes(book, published, facts)
    for page in book.pages.values():
        page.close()
    book.workbook._sheets = [book.pages[name].sheet for name in SHEETS]
    book.workbook.active = 0
    for sheet in book.workbook._sheets[1:]:
        sheet.sheet_view.tabSelected = False
    set_properties(book, facts)
    return book


def set_properties(book: Book, facts: dict) -> None:
    """Say in the file's properties what it is, and from which commit, data and rules it comes."""
    report, properties = book.settings.report, book.workbook.properties
    properties.title, properties.subject = report.title, report.subject
    properties.creator = properties.lastModifiedBy = report.author
    properties.keywords = "Instacart, grocery, market basket, customer segments"
    properties.description = (
        f"{report.subject}. {facts['data']['description']}. "
        f"RULES={facts['rules']}, commit {facts['commit']}."
    )
    properties.language = report.language
    properties.created = date_of(facts["epoch"]).replace(tzinfo=None)
    for name, value in (
        ("git_commit", facts["commit"]),
        ("data_sha256", facts["data"]["sha256"]),
        ("rules", facts["rules"]),
    ):
        book.workbook.custom_doc_props.append(StringProperty(name=name, value=value))
