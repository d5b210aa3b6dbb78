"""The executive summary: one row for each message."""

import pandas as pd

from basket.analysis.questions import number_of
from basket.report.workbook.page import Book, Page
from basket.report.workbook.sheets import SUMMARY
from basket.report.workbook.shown_findings import FigureLinks, confidence


def write_summary(book: Book, findings: list[dict], links: FigureLinks) -> Page:
    """Write one row for each message, in the order of the questions."""
    page = book.page(SUMMARY, "Executive summary", (5.5, 47.0, 42.0, 34.0, 14.5, 9.0, 21.0))
    ordered = sorted(findings, key=lambda finding: number_of(finding["question"]))
    page.text(
        "What we found, what it means, and what to do about it. Answers come first; how they "
        "were reached stands on the sheets behind.",
        colour="muted",
    )
    page.space(6)
    frame = pd.DataFrame(
        {
            "question": [finding["question"] for finding in ordered],
            "finding": [finding["headline"] for finding in ordered],
            "so_what": [finding["so_what"] for finding in ordered],
            "do_this": [finding["action"] for finding in ordered],
            "confidence": [confidence(finding) for finding in ordered],
            "chart": [links.chart(finding) for finding in ordered],
            "evidence": [", ".join(finding["evidence"]) for finding in ordered],
        }
    )
    place = page.table(
        "key_messages",
        frame,
        headings={"question": "Q", "so_what": "So what", "do_this": "Do this"},
        links={"chart": [links.target(finding) for finding in ordered]},
    )
    bold = page.look.font(bold=True)
    for row in range(place.first, place.last + 1):
        cell = page.sheet.cell(row, 2)
        cell.font = bold
        page.set_height(row, page.height_of(cell.value, 2, bold) + 4)
    page.sheet.freeze_panes = page.sheet.cell(place.first, 1)
    page.repeat(place.header)
    page.space(6)
    page.text(
        "●●● High: the whole interval supports the verdict.   ●●○ Medium: it holds here, and "
        "depends on a cut or an assumption.   ●○○ Low: a hint, not yet a result.",
        colour="muted",
    )
    return page
