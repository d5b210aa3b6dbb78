"""The sheets for the client: title page, executive summary, recommendations and ad calendar."""

from dataclasses import dataclass

import pandas as pd
from openpyxl.styles import Alignment, Border

from basket.errors import BasketError
from basket.privacy import PUBLISHED_POPULATION, SUPPRESSED
from basket.questions import QUESTIONS, number_of
from basket.workbook_figures import SHEET as FIGURES_SHEET
from basket.workbook_figures import Figure
from basket.workbook_page import CONTENTS, NOTHING, Book, Page, is_number

SUMMARY_SHEET = "Executive Summary"
ADVICE_SHEET = "7. Recommendations"
NOTES_SHEET = "9. Notes and glossary"
TILE_WIDTH = 24.0
CONFIDENCE = {"high": "●●● High", "medium": "●●○ Medium", "low": "●○○ Low"}
SHORT_HASH = 12
CHANGE_MIND = {
    "high": "A run on other data whose interval leaves this verdict.",
    "medium": "An interval that crosses the threshold of its verdict, or other cuts (Q12).",
    "low": "More customers: the intervals of its tests are still wide.",
}
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
        Tile("Customers", customers if is_number(customers) else None, "#,##0", who),
        Tile("Orders", int(orders), "#,##0", f"prior orders, {who}"),
        Tile("Order lines", int(lines), "#,##0", f"products in orders, {who}"),
    ]
    if synthetic != "columns":
        found += [
            Tile("Spend (USD)", round(float(spend), 2), "$#,##0", f"fabricated prices, {who}"),
            Tile("Mean order value (USD)", round(float(spend / orders), 6), "$#,##0.00",
                 f"spend / orders, {who}"),
        ]
    else:
        found.append(Tile("Mean lines per order", round(float(lines / orders), 6), "0.00", who))
    found.append(Tile("Reorder rate", round(float(reordered / lines), 6), "0.0%",
                      f"share of order lines, {who}"))
    return found


def _active(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["population"] == PUBLISHED_POPULATION]


def write_title(book: Book, tables: dict[str, pd.DataFrame], facts: dict) -> Page:
    """Write the title page: what this is, its key numbers, and the way to every sheet."""
    report, look = book.settings.report, book.look
    page = book.pages[CONTENTS]
    page.text(report.subject, colour="muted", size=13)
    page.space(14)
    for label, value in title_facts(report, facts):
        page.write(page.row, 1, label, font=look.font("muted"))
        page.write(page.row, 2, value)
        page.set_height(page.row, 16)
        page.row += 1
    page.space(16)
    _write_tiles(page, tiles(tables, facts["data"]["synthetic"]))
    page.space(18)
    page.section("Contents")
    for name, content in CONTENT.items():
        page.link(page.write(page.row, 1, name), name)
        page.write(page.row, 2, content)
        page.set_height(page.row, 17)
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
            cell = page.write(first + offset, column, value, font=font, number_format=form,
                              align=Alignment(horizontal="left", vertical="center", indent=1,
                                              wrap_text=offset == len(rows) - 1))
            cell.fill = look.fill("grid", 0.3)
            cell.border = Border(left=look.side("paper", "thick"), right=line,
                                 top=look.side("accent", "thick") if offset == 0 else None)
            page.set_height(first + offset, height)
    page.row = first + len(rows)
    page.keep(first, page.row - 1)


# ---- findings ---------------------------------------------------------------------------------


def check_findings(findings: list[dict], tables: dict[str, pd.DataFrame],
                   published: dict[str, pd.DataFrame]) -> None:
    """Refuse a finding that tells of a group too small to publish, or of another population.

    A number's `where` is looked up when it names the columns and values of its row.
    """
    for finding in findings:
        for name, number in finding["numbers"].items():
            table, where = number["table"], number.get("where")
            if table not in published or table not in tables or not isinstance(where, dict):
                continue
            keys = {key: value for key, value in where.items() if key in tables[table]}
            rows = _matching(published[table], keys)
            if not keys or (len(rows) and not (rows == SUPPRESSED).any(axis=None)):
                continue
            raise BasketError(
                f"finding {finding['id']}: {name} tells of a group that may not be published "
                f"({table}, {keys}): too small, or not of the active population (D-15)")


def _matching(table: pd.DataFrame, keys: dict) -> pd.DataFrame:
    rows = pd.Series(True, index=table.index)
    for key, value in keys.items():
        rows &= table[key].astype("str") == str(value)
    return table[rows]


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

    def text(self, finding: dict) -> str:
        """Name of the figure and of the tables."""
        figure = "Figure on sheet 6\n" if self.target(finding) else ""
        return f"{figure}{', '.join(finding['evidence'])}"


# ---- Executive Summary ------------------------------------------------------------------------


def write_summary(book: Book, findings: list[dict], evidence: Evidence) -> Page:
    """Write one row for each message, in the order of the questions."""
    page = book.page(SUMMARY_SHEET, "Executive summary", (6.0, 43.0, 33.0, 33.0, 18.0, 12.5))
    ordered = in_order(findings)
    page.text("What we found, what it means, and what to do about it. Answers come first; how they "
              "were reached stands on the sheets behind.", colour="muted")
    page.space(6)
    frame = pd.DataFrame([{
        "question": finding["question"], "finding": finding["headline"],
        "so_what": finding["so_what"], "do_this": finding["action"],
        "evidence": evidence.text(finding), "confidence": confidence(finding),
    } for finding in ordered], columns=["question", "finding", "so_what", "do_this", "evidence",
                                        "confidence"])

    def link(row: int, column: str):
        return evidence.target(ordered[row]) if column == "evidence" and ordered else None

    place = page.table("key_messages", frame, headings={"question": "Q", "so_what": "So what",
                                                        "do_this": "Do this"}, link=link)
    for row in range(place.first, place.last + 1):
        page.sheet.cell(row, 2).font = page.look.font(bold=True)
        page.set_height(row, page.height_of(page.sheet.cell(row, 2).value, 2,
                                            page.look.font(bold=True)) + 6)
    page.sheet.freeze_panes = page.sheet.cell(place.first, 1)
    page.space(6)
    page.text("●●● High: the whole interval supports the verdict.   ●●○ Medium: it holds here, and "
              "depends on a cut or an assumption.   ●○○ Low: a hint, not yet a result.",
              colour="muted")
    return page


def in_order(findings: list[dict]) -> list[dict]:
    """Findings in the order of their questions."""
    return sorted(findings, key=lambda finding: number_of(finding["question"]))


# ---- 7. Recommendations -----------------------------------------------------------------------


def write_advice(book: Book, findings: list[dict], evidence: Evidence,
                 calendar: pd.DataFrame | None) -> Page:
    """Write each question with its answer and action; then the ad calendar on a page of its own."""
    page = book.page(ADVICE_SHEET, "Recommendations",
                     (17.0, 12.0, 34.0, 30.0, 12.0, 13.0, 12.0, 16.0))
    page.text("Each key question with its answer and what to do; the ad calendar follows on a page "
              "of its own.", colour="muted")
    page.space(6)
    rows, targets = [], []
    for name, question in QUESTIONS.items():
        answers = [finding for finding in findings if finding["question"] == name]
        for finding in answers:
            rows.append({
                "question": f"{name}  {question.title}", "see": evidence.text(finding),
                "answer": finding["headline"], "action": finding["action"],
                "owner": finding["owner"], "size": finding.get("size") or NOTHING,
                "confidence": confidence(finding),
                "change_mind": finding.get("change_mind") or CHANGE_MIND[finding["confidence"]],
            })
            targets.append(evidence.target(finding))
        if not answers:
            rows.append({"question": f"{name}  {question.title}",
                         "see": NOTHING, "answer": "Not answered by this run: its table is absent.",
                         "action": NOTHING, "owner": NOTHING, "size": NOTHING,
                         "confidence": NOTHING, "change_mind": NOTHING})
            targets.append(None)

    def link(row: int, column: str):
        return targets[row] if column == "see" else None

    page.table("recommendations", pd.DataFrame(rows), bold_first=True, link=link, headings={
        "question": "Key question", "see": "Chart and tables", "size": "Size (orders or USD)",
        "change_mind": "What would change our mind"})
    _write_calendar(page, calendar)
    return page


def _write_calendar(page: Page, calendar: pd.DataFrame | None) -> None:
    page.space(4)
    page.new_page()
    page.section("Ad calendar: when to say what to whom")
    if calendar is None or calendar.empty:
        page.text("This run proposes no ad calendar: it found no window in which orders are few.")
        return
    page.text("Print this page. Each row is a window in which orders are few, the people to "
              "address, and what to offer them.", colour="muted")
    page.space(6)
    page.table("ad_calendar", calendar[calendar_columns(calendar)], bold_first=True)


def calendar_columns(calendar: pd.DataFrame) -> list[str]:
    """Day, window, audience and offer first, numbers in the middle, evidence last."""
    first = [name for name in ("day", "window", "audience", "offer") if name in calendar]
    last = [name for name in ("evidence",) if name in calendar]
    rest = [name for name in calendar if name not in (*first, *last, "population")]
    return [*first, *rest, *last]
