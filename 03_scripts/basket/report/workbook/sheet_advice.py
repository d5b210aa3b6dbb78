"""Sheet 7: each question with its answer and action, then the week, then the trials."""

import pandas as pd

from basket.analysis.finding import NO_ACTION, NOT_ANSWERED
from basket.analysis.privacy import SUPPRESSED
from basket.analysis.questions import QUESTIONS, Question, number_of
from basket.analysis.words import per_cent
from basket.report.workbook.page import Book, Page
from basket.report.workbook.ranking import lever_of
from basket.report.workbook.sheet_summary import of_lever
from basket.report.workbook.sheet_week import write_week
from basket.report.workbook.sheets import ADVICE
from basket.report.workbook.shown_findings import FigureLinks, basis, confidence, prize
from basket.report.workbook.values import NOTHING

WIDTHS = (18.0, 42.0, 37.0, 29.0, 30.0, 12.5, 11.0, 14.0, 10.5)
MOST_ANSWERS = 5  # in a table, which printing does not cut: short ones fill the pages
CHANGE_MIND = {
    "high": "A run on other data whose interval leaves this verdict.",
    "medium": "An interval that crosses the threshold of its verdict, or other thresholds.",
    "low": "More customers: the intervals are still wide.",
}
NO_ANSWER = {
    "kind": NOT_ANSWERED,
    "headline": "Not answered by this run.",
    "action": NOTHING,
    "owner": NOTHING,
    "prize": None,
    "confidence": NOTHING,
    "action_basis": NO_ACTION,
    "change_mind": NOTHING,
}
HEADINGS = {
    "question": "Key question",
    "answer": "Answer",
    "action": "Do this",
    "prize": "Prize",
    "fact": "Fact",
    "basis": "Action",
    "change_mind": "What would change our mind",
    "figure": "Figure",
}


def write_advice(
    book: Book,
    findings: list[dict],
    levers: pd.DataFrame,
    links: FigureLinks,
    published: dict[str, pd.DataFrame],
) -> Page:
    """Write each question with its answer and action; then the week, then the trials."""
    page = book.page(ADVICE, "Recommendations", WIDTHS)
    page.text(
        "Each key question with its answer and what to do. Fact says how sure the answer is; "
        "Action whether it is a plan or something to be tried. The week and the trials follow.",
        colour="muted",
    )
    page.space(6)
    for title in dict.fromkeys(question.part for question in QUESTIONS.values()):
        questions = [question for question in QUESTIONS.values() if question.part == title]
        page.section(f"{title} ({in_words(questions)})")
        for some in in_tables(questions, findings):
            name = f"recommendations_{number_of(some[0].id)}"
            _write_part(page, name, some, findings, levers, links)
            page.space(10)
    write_week(page, published, book.settings)
    page.space(12)
    plan = published.get("trial_plan")
    _write_trials(page, plan if plan is None else plan[~(plan == SUPPRESSED).any(axis=1)])
    return page


def in_tables(questions: list[Question], findings: list[dict]) -> list[list[Question]]:
    """Divide questions into tables that a printed page holds, each question in one of them."""
    tables, rows = [[]], 0
    for question in questions:
        more = max(1, sum(finding["question"] == question.id for finding in findings))
        if tables[-1] and rows + more > MOST_ANSWERS:
            tables.append([])
            rows = 0
        tables[-1].append(question)
        rows += more
    return tables


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
    levers: pd.DataFrame,
    links: FigureLinks,
) -> None:
    """Write the findings of some questions as a table."""
    rows, targets = [], []
    for question in questions:
        answers = [finding for finding in findings if finding["question"] == question.id]
        for finding in answers or [NO_ANSWER]:
            lever = lever_of(finding, levers)
            rows.append(
                {
                    "question": f"{question.id}  {question.title}",
                    "answer": finding["headline"],
                    "action": finding["action"],
                    "prize": prize(finding) if lever is None else of_lever(lever),
                    "change_mind": finding["change_mind"] or CHANGE_MIND[finding["confidence"]],
                    "fact": confidence(finding),
                    "basis": basis(finding),
                    "owner": finding["owner"],
                    "figure": links.short(finding),
                }
            )
            targets.append(links.target(finding))
    frame = pd.DataFrame(rows)
    page.table(name_of_table, frame, bold_first=True, links={"figure": targets}, headings=HEADINGS)


# ---- trials -----------------------------------------------------------------------------------


def _write_trials(page: Page, plan: pd.DataFrame | None) -> None:
    page.section("The trials: how we would know that it works")
    if plan is None or plan.empty:
        page.text("This run plans no trial: no action is to be tried, or nobody was seen for long.")
        return
    first = plan.iloc[0]
    rules = plan.drop_duplicates("decision")
    decide = "; ".join(f"{row.decision} ({row.guard})" for row in rules.itertuples())
    page.text(
        f"Assign customers at random to {first['arms']}. After {first['weeks']} weeks: {decide}. "
        f"The numbers are customers an arm for so much more, two-sided at "
        f"{per_cent(first['significance'])} with {per_cent(first['power'])} power. {NOTHING}: more "
        "than twice the orders at its times, or the pair in each order with one, could bring. In "
        "this data: customers whom it addresses, seen so long.",
        colour="muted",
    )
    page.space(3)
    table = trials(plan)
    lifts = {name: name for name in table.columns if name.startswith("to see")}
    page.table(
        "trials",
        table,
        headings={
            "action": "Action to be tried",
            "outcome": "What is counted",
            "here": "In this data",
            "enough": "Enough here to decide",
            **lifts,
        },
        dense=True,
    )


def trials(plan: pd.DataFrame) -> pd.DataFrame:
    """Turn the plan into a row for each action and outcome; a column for each lift.

    Actions that need the same trial share a row.
    """
    rows = []
    beyond = plan["lift"] > pd.to_numeric(plan["most_lift"], errors="coerce")
    plan = plan.assign(
        lift="+" + plan["lift"].map(per_cent),
        customers_per_arm=plan["customers_per_arm"].astype(object).mask(beyond, NOTHING),
    )
    for (outcome, action), part in plan.groupby(["outcome", "action"], sort=False):
        sizes = {f"to see {row.lift}": row.customers_per_arm for row in part.itertuples()}
        enough = [row.lift for row in part.itertuples() if row.supported == "yes"]
        if set(sizes.values()) == {NOTHING}:
            otherwise = "no: it touches too little for any of these"
        else:
            otherwise = "no: run it with more customers"
        rows.append(
            {
                "action": action,
                "outcome": outcome,
                **sizes,
                "here": int(part["customers_here"].iloc[0]),
                "enough": f"yes, from {enough[0]}" if enough else otherwise,
            }
        )
    table = pd.DataFrame(rows)
    order = [name for name in table if name.startswith("to see")]
    return table[["outcome", "action", "enough", *order, "here"]]
