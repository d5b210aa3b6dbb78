"""The executive summary: one row for each message."""

import pandas as pd

from basket.report.workbook.page import Book, Page
from basket.report.workbook.sheets import SUMMARY
from basket.report.workbook.shown_findings import FigureLinks, confidence, in_order


def write_summary(book: Book, findings: list[dict], links: FigureLinks) -> Page:
    """Write one row for each message, in the order of the questions."""
    page = book.page(SUMMARY, "Executive summary", (5.5, 47.0, 42.0, 34.0, 14.5, 9.0, 21.0))
    ordered = in_order(findings)
    page.text(
        "What we found, what it means, and what to do about it. Answers come first; how they "
        "were reached stands on the sheets behind.",
        colour="muted",
    )
    page.space(6)
    frame = pd.DataFrame(
        [
            {
                "question": finding["question"],
                "finding": finding["headline"],
                "so_what": finding["so_what"],
                "do_this": finding["action"],
                "confidence": confidence(finding),
                "chart": links.chart(finding),
                "evidence": ", ".join(finding["evidence"]),
            }
            for finding in ordered
        ],
        columns=["question", "finding", "so_what", "do_this", "confidence", "chart", "evidence"],
    )

    def link(row: int, column: str):
        return links.target(ordered[row]) if column == "chart" and ordered else None

    place = page.table(
        "key_messages",
        frame,
        headings={"question": "Q", "so_what": "So what", "do_this": "Do this"},
        link=link,
    )
    for row in range(place.first, place.last + 1):
        page.sheet.cell(row, 2).font = page.look.font(bold=True)
        page.set_height(
            row, page.height_of(page.sheet.cell(row, 2).value, 2, page.look.font(bold=True)) + 4
        )
    page.sheet.freeze_panes = page.sheet.cell(place.first, 1)
    page.repeat(place.header)
    page.space(6)
    page.text(
        "●●● High: the whole interval supports the verdict.   ●●○ Medium: it holds here, and "
        "depends on a cut or an assumption.   ●○○ Low: a hint, not yet a result.",
        colour="muted",
    )
    return page
