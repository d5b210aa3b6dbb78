"""Sheet 7: each question with its answer and action, then the ad calendar."""

import pandas as pd

from basket.analysis.questions import QUESTIONS, Question, number_of
from basket.project.settings import Settings
from basket.report.workbook.page import Book, Page
from basket.report.workbook.sheets import ADVICE
from basket.report.workbook.shown_findings import FigureLinks, confidence, prize
from basket.report.workbook.values import NOTHING

WIDTHS = (17.0, 15.0, 38.0, 34.0, 12.0, 22.0, 25.0, 9.0, 21.0)
CHANGE_MIND = {
    "high": "A run on other data whose interval leaves this verdict.",
    "medium": "An interval that crosses the threshold of its verdict, or other thresholds.",
    "low": "More customers: the intervals of its tests are still wide.",
}
NO_ANSWER = {
    **dict.fromkeys(("action", "owner", "confidence", "change_mind"), NOTHING),
    "prize": None,
    "headline": "Not answered by this run.",
    "evidence": [NOTHING],
}
MOST_OFFERS = 8


def write_advice(
    book: Book,
    findings: list[dict],
    links: FigureLinks,
    calendar: pd.DataFrame | None,
    offers: pd.DataFrame,
) -> Page:
    """Write each question with its answer and action; then the ad calendar on a page of its own."""
    page = book.page(ADVICE, "Recommendations", WIDTHS)
    page.text(
        "Each key question with its answer and what to do; the ad calendar follows on a page "
        "of its own.",
        colour="muted",
    )
    page.space(6)
    for title in dict.fromkeys(question.part for question in QUESTIONS.values()):
        questions = [question for question in QUESTIONS.values() if question.part == title]
        page.section(f"{title} ({in_words(questions)})")
        _write_part(
            page, f"recommendations_{number_of(questions[0].id)}", questions, findings, links
        )
        page.new_page()
    _write_calendar(page, calendar, offers)
    return page


def in_words(questions: list[Question]) -> str:
    """Say which questions these are: `Q1 to Q4`, or each of them where others lie between."""
    first, last = questions[0].id, questions[-1].id
    follow_each_other = number_of(last) - number_of(first) == len(questions) - 1
    return f"{first} to {last}" if follow_each_other else ", ".join(q.id for q in questions)


def _write_part(
    page: Page,
    name_of_table: str,
    questions: list[Question],
    findings: list[dict],
    links: FigureLinks,
) -> None:
    """Write the findings of some questions as a table that fits on a page."""
    rows, targets = [], []
    for question in questions:
        key = f"{question.id}  {question.title}"
        answers = [finding for finding in findings if finding["question"] == question.id]
        for finding in answers or [NO_ANSWER]:
            rows.append(
                {
                    "question": key,
                    "confidence": confidence(finding),
                    "answer": finding["headline"],
                    "action": finding["action"],
                    "owner": finding["owner"],
                    "prize": prize(finding),
                    "change_mind": finding["change_mind"] or CHANGE_MIND[finding["confidence"]],
                    "chart": links.chart(finding),
                    "evidence": ", ".join(finding["evidence"]),
                }
            )
            targets.append(links.target(finding))

    page.table(
        name_of_table,
        pd.DataFrame(rows),
        bold_first=True,
        links={"chart": targets},
        headings={
            "question": "Key question",
            "prize": "What it touches",
            "change_mind": "What would change our mind",
        },
    )


def _write_calendar(page: Page, calendar: pd.DataFrame | None, offers: pd.DataFrame) -> None:
    page.section("Ad calendar: when to say what to whom")
    if calendar is None or calendar.empty:
        page.text("This run proposes no ad calendar: it found no window in which orders are few.")
        return
    page.text(
        "Print this page. Each row is the window of the day in which orders are fewest while "
        "people are awake, whom to address, and what to offer. 0.50 times the average window "
        "means half of its orders.",
        colour="muted",
    )
    page.space(6)
    page.table(
        "ad_calendar",
        as_printed(calendar),
        bold_first=True,
        headings={"offer": "What to offer", "orders": "Orders then"},
    )
    if offers.empty:
        return
    page.space(10)
    page.section("In any window: what certain customers buy more of than others")
    page.text("Customers' ages, incomes, families and states are invented.", colour="muted")
    page.table(
        "ad_offers",
        offers,
        bold_first=True,
        headings={"lift": "Times the others' share of order lines"},
    )


def proven_offers(lifts: pd.DataFrame | None, settings: Settings) -> pd.DataFrame:
    """Find the department that each group of customers surely buys more of, the surest first.

    One row per group, of those whose difference may carry a headline.
    """
    if lifts is None:
        return pd.DataFrame()
    allowed = [name for name, flag in settings.tested().items() if flag.labels]
    strong = lifts[
        lifts["grouping"].isin(allowed)
        & (lifts["for_headline"] == "yes")
        & ~lifts["measure"].isin(settings.labels.unnamed_departments)
    ]
    strong = strong[pd.to_numeric(strong["effect"], errors="coerce") > 1]
    strong = strong.sort_values("effect_low", ascending=False, kind="stable")
    strong = strong.drop_duplicates(["grouping", "group_a"]).head(MOST_OFFERS)
    return pd.DataFrame(
        {
            "audience": strong["group_a"],
            "customers": strong["n"],
            "offer": strong["measure"],
            "lift": strong["effect"],
            "interval_low": strong["effect_low"],
            "interval_high": strong["effect_high"],
            "evidence": "department_lifts",
        }
    ).reset_index(drop=True)


def as_printed(calendar: pd.DataFrame) -> pd.DataFrame:
    """Name the days, and put the reason of an offer beside it."""
    shown = calendar.drop(columns=["day", "offer_reason"]).rename(columns={"day_name": "day"})
    shown["offer"] = [
        f"{offer} ({reason})" if offer and reason else offer
        for offer, reason in zip(calendar["offer"], calendar["offer_reason"], strict=True)
    ]
    return shown
