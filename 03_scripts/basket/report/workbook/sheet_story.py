"""The sheets for the client: title page, executive summary, recommendations and ad calendar."""

from dataclasses import dataclass

import pandas as pd
from openpyxl.styles import Alignment, Border

from basket.analysis.privacy import PUBLISHED_POPULATION, SUPPRESSED
from basket.analysis.questions import QUESTIONS, Question, number_of
from basket.project.errors import BasketError
from basket.project.settings import Settings
from basket.report.workbook.page import CONTENTS, NOTHING, Book, Page
from basket.report.workbook.sheet_figures import SHEET as FIGURES_SHEET
from basket.report.workbook.sheet_figures import Figure

SUMMARY_SHEET = "Executive Summary"
ADVICE_SHEET = "7. Recommendations"
NOTES_SHEET = "9. Notes and glossary"
TILE_WIDTH = 24.0
CONFIDENCE = {"high": "●●● High", "medium": "●●○ Medium", "low": "●○○ Low"}
SHORT_HASH = 12
CHANGE_MIND = {
    "high": "A run on other data whose interval leaves this verdict.",
    "medium": "An interval that crosses the threshold of its verdict, or other thresholds.",
    "low": "More customers: the intervals of its tests are still wide.",
}
MOST_OFFERS = 8
ADVICE_COLUMNS = [
    "question",
    "confidence",
    "answer",
    "action",
    "owner",
    "size",
    "change_mind",
    "chart",
    "evidence",
]
CONTENT = {
    SUMMARY_SHEET: "What we found, what it means, and what to do: one row for each message",
    "2. Population Flow": "How many rows came in, were removed or added, and were analysed",
    "3. Consistency checks": "What was looked for in each column, what was found and done",
    "4. Wrangling steps": "Columns dropped, renamed or given another type",
    "5. Column derivations": "The rule behind each derived column, and how often each label occurs",
    FIGURES_SHEET: "Every figure beside the question that it answers",
    ADVICE_SHEET: "Each question with its answer, action and owner; then the ad calendar",
    "8. Chart data": "The numbers behind every figure",
    NOTES_SHEET: "Citation, method, limits, tests with their intervals, privacy, glossary",
}


# ---- 1. Title Page ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    """A number that the reader sees first: its label, value, format, and what it counts."""

    label: str
    value: float | None
    number_format: str
    note: str


def tiles(tables: dict[str, pd.DataFrame], synthetic: str) -> list[Tile]:
    """The tiles, read from the result tables (active population).

    Where prices are fabricated by us (Kaggle's layout), no dollars stand on the title page.
    """
    days = _active(tables["orders_by_day"])
    orders, lines, spend = (days[name].sum() for name in ("orders", "lines", "spend"))
    people = tables["flags"]
    people = _active(people[people["flag"] == "exclusion_flag"])
    departments = _active(tables["departments"])
    reordered = (departments["reorder_rate"] * departments["lines"]).sum()
    who = "active customers"
    customers = people["customers"].iloc[-1] if len(people) else None
    found = [
        Tile("Customers", customers, "#,##0", who),
        Tile("Orders", int(orders), "#,##0", f"prior orders, {who}"),
        Tile("Order lines", int(lines), "#,##0", f"products in orders, {who}"),
    ]
    if synthetic != "columns":
        found += [
            Tile("Spend (USD)", round(float(spend), 2), "$#,##0", f"fabricated prices, {who}"),
            Tile(
                "Mean order value (USD)",
                round(float(spend / orders), 6),
                "$#,##0.00",
                f"spend / orders, {who}",
            ),
        ]
    else:
        found.append(Tile("Mean lines per order", round(float(lines / orders), 6), "0.00", who))
    found.append(
        Tile(
            "Reorder rate",
            round(float(reordered / lines), 6),
            "0.0%",
            f"share of order lines, {who}",
        )
    )
    return found


def _active(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["population"] == PUBLISHED_POPULATION]


def write_title(book: Book, tables: dict[str, pd.DataFrame], facts: dict) -> Page:
    """Write the title page: what this is, its key numbers, and the way to every sheet."""
    report, look = book.settings.report, book.look
    page = book.pages[CONTENTS]
    page.text(report.subject, colour="muted", size=13)
    page.space(8)
    for label, value in title_facts(report, facts):
        page.write(page.row, 1, label, font=look.font("muted"))
        page.write(page.row, 2, value)
        page.set_height(page.row, 16)
        page.row += 1
    page.space(12)
    _write_tiles(page, tiles(tables, facts["data"]["synthetic"]))
    page.space(8)
    page.section("Contents")
    for name, content in CONTENT.items():
        page.link(page.write(page.row, 1, name), name)
        page.write(page.row, 2, content)
        page.set_height(page.row, 16)
        page.row += 1
    return page


def title_facts(report, facts: dict) -> list[tuple[str, str]]:
    """Who, for whom, when, from which data, under which rules, from which commit."""
    commit = facts["commit"][:SHORT_HASH] + (" with local changes" if facts.get("dirty") else "")
    data = facts["data"]
    return [
        ("Client", report.client),
        ("Author", report.author),
        ("Date", facts["date"]),
        ("Data", data["description"]),
        ("Data sha256", data["sha256"][:SHORT_HASH]),
        ("RULES", facts["rules"]),
        ("Version, commit", f"{facts['version']}, {commit}"),
    ]


def _write_tiles(page: Page, found: list[Tile]) -> None:
    look, first = page.look, page.row
    line = look.side("grid")
    for column, tile in enumerate(found, 1):
        rows = (
            (tile.label, look.font("muted"), 20, None),
            (tile.value, look.font("accent", 20, bold=True), 34, tile.number_format),
            (tile.note, look.font("muted"), 32, None),
        )
        for offset, (value, font, height, form) in enumerate(rows):
            cell = page.write(
                first + offset,
                column,
                value,
                font=font,
                number_format=form,
                align=Alignment(
                    horizontal="left",
                    vertical="center",
                    indent=1,
                    wrap_text=offset == len(rows) - 1,
                ),
            )
            cell.fill = look.fill("grid", 0.3)
            cell.border = Border(
                left=look.side("paper", "thick"),
                right=line,
                top=look.side("accent", "thick") if offset == 0 else None,
            )
            page.set_height(first + offset, height)
    page.row = first + len(rows)
    page.keep(first, page.row - 1)


# ---- findings ---------------------------------------------------------------------------------


def publishable_findings(
    findings: list[dict], published: dict[str, pd.DataFrame], settings: Settings
) -> list[dict]:
    """Withhold what tells of a group too small to publish; refuse groups of another population.

    A number's `where` names its column and the values of its row.
    """
    return [
        _withhold(finding, settings)
        if any(_is_withheld(finding, number, published) for number in finding["numbers"].values())
        else finding
        for finding in findings
    ]


def _is_withheld(finding: dict, number: dict, published: dict[str, pd.DataFrame]) -> bool:
    table, where = number["table"], number.get("where")
    if table not in published or not isinstance(where, dict):
        return False
    if where.get("population", PUBLISHED_POPULATION) != PUBLISHED_POPULATION:
        raise BasketError(
            f"finding {finding['id']} tells of groups of all customers ({table}); "
            "groups are published for the active ones only (D-15)"
        )
    rows = published[table]
    for key in set(where) & set(rows.columns):
        rows = rows[rows[key].astype("str") == str(where[key])]
    cells = rows[where["column"]] if where.get("column") in rows else rows
    return bool((cells == SUPPRESSED).to_numpy().any())


def _withhold(finding: dict, settings: Settings) -> dict:
    return finding | {
        "headline": "Withheld: the answer would tell of too few customers",
        "so_what": f"It rests on a group of fewer than {settings.privacy.smallest_group} "
        "customers, or on one that would give such a group away (D-15).",
        "action": "Run the analysis again with more customers.",
        "numbers": {},
        "size": "",
        "confidence": "low",
        "change_mind": "More customers in the group.",
    }


def confidence(finding: dict) -> str:
    """How sure a finding is, readable without colours."""
    return CONFIDENCE.get(finding["confidence"], finding["confidence"])


class Evidence:
    """Where the evidence of a finding stands in this workbook."""

    def __init__(self, figures: list[Figure]):
        """Remember the rows of the figures on their sheet."""
        self.rows = {figure.name: figure.row for figure in figures}

    def target(self, finding: dict) -> tuple[str, int] | None:
        """Page and row of a finding's figure."""
        row = self.rows.get(finding.get("figure") or "")
        return (FIGURES_SHEET, row) if row else None

    def chart(self, finding: dict) -> str:
        """The word that leads to a finding's figure."""
        return "Chart" if self.target(finding) else NOTHING


# ---- Executive Summary ------------------------------------------------------------------------


def write_summary(book: Book, findings: list[dict], evidence: Evidence) -> Page:
    """Write one row for each message, in the order of the questions."""
    page = book.page(SUMMARY_SHEET, "Executive summary", (5.5, 47.0, 42.0, 34.0, 14.5, 9.0, 21.0))
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
                "chart": evidence.chart(finding),
                "evidence": ", ".join(finding["evidence"]),
            }
            for finding in ordered
        ],
        columns=["question", "finding", "so_what", "do_this", "confidence", "chart", "evidence"],
    )

    def link(row: int, column: str):
        return evidence.target(ordered[row]) if column == "chart" and ordered else None

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


def in_order(findings: list[dict]) -> list[dict]:
    """Findings in the order of their questions."""
    return sorted(findings, key=lambda finding: number_of(finding["question"]))


# ---- 7. Recommendations -----------------------------------------------------------------------


def write_advice(
    book: Book,
    findings: list[dict],
    evidence: Evidence,
    calendar: pd.DataFrame | None,
    offers: pd.DataFrame,
) -> Page:
    """Write each question with its answer and action; then the ad calendar on a page of its own."""
    page = book.page(
        ADVICE_SHEET, "Recommendations", (17.0, 15.0, 38.0, 34.0, 12.0, 22.0, 25.0, 9.0, 21.0)
    )
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
            page, f"recommendations_{number_of(questions[0].id)}", questions, findings, evidence
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
    evidence: Evidence,
) -> None:
    """A part of the questions, each with its findings, as a table that fits on a page."""
    rows, targets = [], []
    for question in questions:
        key = f"{question.id}  {question.title}"
        answers = [finding for finding in findings if finding["question"] == question.id]
        for finding in answers:
            rows.append(
                {
                    "question": key,
                    "confidence": confidence(finding),
                    "answer": finding["headline"],
                    "action": finding["action"],
                    "owner": finding["owner"],
                    "size": finding.get("size") or NOTHING,
                    "change_mind": finding.get("change_mind") or CHANGE_MIND[finding["confidence"]],
                    "chart": evidence.chart(finding),
                    "evidence": ", ".join(finding["evidence"]),
                }
            )
            targets.append(evidence.target(finding))
        if not answers:
            rows.append({"question": key, "answer": "Not answered by this run."})
            targets.append(None)

    def link(row: int, column: str):
        return targets[row] if column == "chart" else None

    frame = pd.DataFrame(rows, columns=ADVICE_COLUMNS).fillna(NOTHING)
    page.table(
        name_of_table,
        frame,
        bold_first=True,
        link=link,
        headings={
            "question": "Key question",
            "size": "Size (what it touches)",
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
    page.table(
        "ad_offers",
        offers,
        bold_first=True,
        headings={"lift": "Times its usual share of their order lines"},
    )


def proven_offers(lifts: pd.DataFrame | None, settings: Settings, synthetic: str) -> pd.DataFrame:
    """The department that each group of customers surely buys more of, the surest first.

    One row per group of a flag that settings define, of those whose difference may carry a
    headline. Nothing rests on demographics that are fabricated.
    """
    columns = [
        "audience",
        "customers",
        "offer",
        "lift",
        "interval_low",
        "interval_high",
        "evidence",
    ]
    if lifts is None:
        return pd.DataFrame(columns=columns)
    allowed = [
        name
        for name, flag in settings.tested().items()
        if flag.labels and not (flag.describes_people and synthetic == "columns")
    ]
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
        },
        columns=columns,
    ).reset_index(drop=True)


def as_printed(calendar: pd.DataFrame) -> pd.DataFrame:
    """The calendar with names for days, and the reason of an offer beside it."""
    shown = calendar.copy()
    if "day_name" in shown:
        shown["day"] = shown.pop("day_name")
    if "offer_reason" in shown:
        reasons = shown.pop("offer_reason")
        shown["offer"] = [
            f"{offer} ({reason})" if offer and reason else offer
            for offer, reason in zip(shown["offer"], reasons, strict=True)
        ]
    return shown[calendar_columns(shown)]


def calendar_columns(calendar: pd.DataFrame) -> list[str]:
    """Day, window, audience and offer first, numbers in the middle, evidence last."""
    first = [name for name in ("day", "window", "audience", "offer") if name in calendar]
    last = [name for name in ("evidence",) if name in calendar]
    rest = [name for name in calendar if name not in (*first, *last, "population")]
    return [*first, *rest, *last]
