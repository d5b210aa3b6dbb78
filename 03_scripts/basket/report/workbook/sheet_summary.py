"""The executive summary: one printed page, the most important message first."""

import pandas as pd

from basket.analysis.finding import INVENTED_PRICES, NOT_ANSWERED
from basket.analysis.questions import number_of
from basket.analysis.words import capitalised
from basket.report.workbook.page import Book, Page
from basket.report.workbook.ranking import lever_of, ranked, worth
from basket.report.workbook.sheets import ADVICE, SUMMARY
from basket.report.workbook.shown_findings import (
    FACT,
    FigureLinks,
    basis,
    confidence,
    prize,
    rests_on,
    without_caveat,
)
from basket.report.workbook.values import NOTHING

WIDTHS = (4.5, 47.0, 49.0, 37.0, 12.5, 10.5, 13.0, 23.5, 10.0)
BELOW = 48  # points: what stands under the table
WORDS = {
    "question": "Q",
    "finding": "Finding",
    "so_what": "So what",
    "do_this": "Do this",
    "fact": "Fact",
    "action": "Action",
    "rests_on": "It rests on",
    "prize": "Prize",
    "figure": "Figure",
}


def write_summary(
    book: Book, findings: list[dict], levers: pd.DataFrame, links: FigureLinks
) -> Page:
    """Write a row for each message, as many as a page holds; say where the others stand."""
    page = book.page(SUMMARY, "Executive summary", WIDTHS)
    page.on_one_page = True
    rests_on_prices = any(INVENTED_PRICES in finding["rests_on"] for finding in findings)
    invented = " Dollars rest on invented prices." * rests_on_prices
    page.text(
        "What we found, what it means and what to do, by what acting could add. Fact says how sure "
        "the finding is, Action whether it was tried: none was." + invented,
        colour="muted",
    )
    page.space(4)
    answered = [one for one in ranked(findings, levers) if one["kind"] != NOT_ANSWERED]
    rows = [_row(one, levers, links) for one in answered]
    open_questions = _not_answered(findings)
    room = page.page_height - sum(page.heights.values()) - BELOW
    room -= sum(_height(page, row) for row in open_questions)
    kept = _first_with_room(page, rows, room)
    targets = [links.target(one) for one in answered[:kept]] + [None] * len(open_questions)
    frame = pd.DataFrame([*rows[:kept], *open_questions], columns=list(WORDS))
    place = page.table("key_messages", frame, headings=WORDS, links={"figure": targets})
    bold = page.look.font(bold=True)
    for row in range(place.first, place.last + 1):
        page.sheet.cell(row, 2).font = bold
        page.set_height(row, page.height_of(page.sheet.cell(row, 2).value, 2, bold, 1))
    page.sheet.freeze_panes = page.sheet.cell(place.first, 1)
    page.space(4)
    page.text(f"{FACT}  Action: to be tried against a control group, or a plan.", colour="muted")
    left = sorted({one["question"] for one in answered[kept:]}, key=number_of)
    if left:
        said = f"Further answers, to {', '.join(left)}, stand on sheet {ADVICE}."
        page.link(page.write_row(said), ADVICE)
    return page


def _row(finding: dict, levers: pd.DataFrame, links: FigureLinks) -> dict:
    lever = lever_of(finding, levers)
    return {
        "question": finding["question"],
        "finding": finding["headline"],
        "so_what": without_caveat(finding["so_what"]),
        "do_this": finding["action"],
        "fact": confidence(finding),
        "action": basis(finding),
        "rests_on": rests_on(finding),
        "prize": prize(finding) if lever is None else of_lever(lever),
        "figure": links.short(finding),
    }


def of_lever(lever: pd.Series) -> str:
    """Say a lever's prize in a sentence."""
    money, what = "", "orders"
    if not pd.isna(lever["share_of_spend"]):
        money, what = f" and ${lever['spend']:,.0f}", "spend"
    orders = f"{lever['orders']:,} {'order' if lever['orders'] == 1 else 'orders'}"
    return capitalised(f"{lever['what_if']}: {orders}{money}, {worth(lever):.1%} of {what}.")


def _not_answered(findings: list[dict]) -> list[dict]:
    """Say each reason once, with the questions that it leaves open."""
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        if finding["kind"] == NOT_ANSWERED:
            reasons.setdefault(finding["headline"], []).append(finding["question"])
    return [
        dict.fromkeys(WORDS, NOTHING)
        | {"question": "–", "finding": headline, "so_what": f"This leaves open: {_said(asked)}."}
        for headline, asked in reasons.items()
    ]


def _said(questions: list[str]) -> str:
    return ", ".join(dict.fromkeys(questions))


def _first_with_room(page: Page, rows: list[dict], room: float) -> int:
    """Return how many rows, from the first, fit into the points that are left."""
    for count, row in enumerate(rows):
        room -= _height(page, row)
        if room < 0:
            return count
    return len(rows)


def _height(page: Page, row: dict) -> float:
    return max(
        page.height_of(value, column, page.look.font(bold=column == 2), column > 1)
        for column, value in enumerate(row.values(), 1)
    )
