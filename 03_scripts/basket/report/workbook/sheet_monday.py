"""Monday: one page that says what to do first, where to save, and what if."""

import pandas as pd
from openpyxl.styles import Border
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation

from basket.analysis.finding import (
    BOTH,
    HYPOTHESIS,
    INCOMPLETE_HISTORIES,
    INVENTED_CUSTOMERS,
    INVENTED_PRICES,
    MARKETING,
    NO_ACTION,
    ONE_MORE_LINE,
    QUIET_WINDOWS,
    SAID,
    SOONER,
    SYNTHETIC_DATA,
    is_invented,
)
from basket.analysis.words import listed
from basket.project.origin import PRICE
from basket.project.settings import Settings
from basket.report.workbook import what_if
from basket.report.workbook.page import Book, Page
from basket.report.workbook.ranking import SMALLEST_SAID, lever_of, ranked, to_do, to_leave, worth
from basket.report.workbook.sheets import MONDAY
from basket.report.workbook.shown_findings import FigureLinks, basis, confidence
from basket.report.workbook.values import NOTHING

# rank, action, finding, fact, action's basis, numbers, what if, figure
WIDTHS = (4.0, 36.0, 48.5, 12.5, *([10.5] * 7), 22.5, 12.0)
FACTS_COLUMN = 12  # label of what the formulas start from; the number stands beside it
MOST_ACTIONS, MOST_LEFT = 3, 3
GENERATED = "All of this data is generated: this shows the method."
LEADS = {
    SOONER: "Bring late customers back sooner",
    QUIET_WINDOWS: "Fill the quiet windows",
    ONE_MORE_LINE: "Make orders a line longer",
    BOTH: "Show together what is bought together",
}
TRIES = {  # an action for a lever that no finding names
    SOONER: "Try a reminder to each customer once that customer's own usual gap has passed",
    QUIET_WINDOWS: "Try advertisements in the quiet windows",
    ONE_MORE_LINE: "Try suggestions that add a line to an order",
    BOTH: "Try showing the second product of a pair beside the first",
}
ACTION_HEADINGS = {
    "rank": "#",
    "do": "Do this",
    "found": "Because",
    "fact": "Fact",
    "basis": "Action",
    "more_orders": "More orders",
    "more_dollars": "More dollars",
    "share": "Share of spend",
    "touched": "Orders touched",
    "if": "What if",
}
LEVER_HEADINGS = {
    "lever": "What is changed",
    "touches": "What it touches",
    "orders": "Orders today",
    "gap": "Days an order",
    "dollars": "USD each",
    "more_orders": "More orders",
    "more_dollars": "More dollars",
    "share": "Share of spend",
    "left": "Left after cost",
    "break_even": "Break-even: the cost is covered from",
    "trial": "Customers an arm",
}


def write_monday(
    book: Book,
    findings: list[dict],
    levers: pd.DataFrame,
    tables: dict[str, pd.DataFrame],
    links: FigureLinks,
) -> Page:
    """Write the page: governing thought, three actions, where to save, and the what-if."""
    page = book.page(MONDAY, "What to do on Monday", WIDTHS)
    page.on_one_page = True
    page.text(governing_thought(findings, levers), size=14, bold=True)
    page.text(caveat(findings, tables), colour="muted")
    _write_actions(page, first_actions(findings, levers)[:MOST_ACTIONS], links)
    page.text(what_pays(findings, levers), colour="muted")
    _write_left(page, to_leave(findings)[:MOST_LEFT], links)
    _write_what_if(page, levers, tables, book.settings)
    return page


# ---- what to say ------------------------------------------------------------------------------


def governing_thought(findings: list[dict], levers: pd.DataFrame) -> str:
    """Say in a sentence where most is to be won, from the largest and the smallest prize."""
    open_levers = _not_refused(levers, findings)
    if open_levers.empty:
        first = next(iter([*to_do(findings, levers), *ranked(findings, levers)]), None)
        return first["headline"] if first else "This run found nothing to say."
    best = open_levers.iloc[0]
    of_some_size = open_levers[[worth(one) >= SMALLEST_SAID for _, one in open_levers.iterrows()]]
    least = best if of_some_size.empty else of_some_size.iloc[-1]
    said = f"{LEADS[best['lever']]}: {in_words(best)} would be {_share(best)}"
    if best["lever"] != least["lever"]:
        said += f"; {in_words(least)} would be {_share(least, short=True)}"
    return said + "."


def in_words(lever: pd.Series) -> str:
    """Say a lever's change, for use within a sentence."""
    return lever["what_if"].split(", counted", 1)[0].replace(" add the other", " adding the other")


def _share(lever: pd.Series, *, short: bool = False) -> str:
    what = "orders" if pd.isna(lever["share_of_spend"]) else "spend"
    return f"{worth(lever):.1%}" if short else f"{worth(lever):.1%} more {what}"


def what_pays(findings: list[dict], levers: pd.DataFrame) -> str:
    """Say which levers would pay for their contacts at the presets; nothing without prices."""
    open_levers = _not_refused(levers, findings)
    if open_levers.empty or open_levers["left_after_cost"].isna().all():
        return ""
    paying = [_label(name).lower() for name in open_levers.query("left_after_cost > 0")["lever"]]
    all_pay = len(paying) == len(open_levers)
    none, every = "none of the changes sized", "each of the changes sized"
    which = every if all_pay else f"only {listed(paying)}" if paying else none
    return f"At the preset cost of a contact and margin, guesses of ours, {which} would pay."


def caveat(findings: list[dict], tables: dict[str, pd.DataFrame]) -> str:
    """Say what all of this rests on, once for the page."""
    rests_on = {one for finding in findings for one in finding["rests_on"]}
    invented = frozenset(rests_on) & {INVENTED_PRICES, INVENTED_CUSTOMERS}
    invented |= {INVENTED_PRICES} if is_invented(tables, PRICE) else set()
    said = [
        "Arithmetic on what was counted, not effects: nothing was varied in this data, so each "
        "action is tried against a control group first.",
        GENERATED if SYNTHETIC_DATA in rests_on else SAID.get(invented, ""),
    ]
    if INCOMPLETE_HISTORIES in rests_on:
        said.append("Histories of customers are incomplete in this data.")
    return " ".join(said)


# ---- actions ----------------------------------------------------------------------------------


def first_actions(
    findings: list[dict], levers: pd.DataFrame
) -> list[tuple[dict, pd.Series | None]]:
    """List what to do, the largest prize first: each lever once, then what is not sized.

    The action is that of the finding that names the lever; where none does, it is to try the
    lever's own change, unless a finding names it and no action follows.
    """
    doing = [(finding, lever_of(finding, levers)) for finding in to_do(findings, levers)]
    chosen = []
    for _, best in _not_refused(levers, findings).iterrows():
        named = [
            (finding, lever)
            for finding, lever in doing
            if lever is not None and lever["lever"] == best["lever"]
        ]
        chosen.append(named[0] if named else (_own_action(best, findings), best))
    return chosen + [(finding, lever) for finding, lever in doing if lever is None]


def _not_refused(levers: pd.DataFrame, findings: list[dict]) -> pd.DataFrame:
    """Keep the levers that some action pulls, or of which no finding speaks."""
    names = {True: set(), False: set()}  # of levers, by whether an action follows
    for finding in findings:
        name = (finding.get("prize") or {}).get("lever")
        if name:
            names[finding["action_basis"] != NO_ACTION].add(name)
    return levers[~levers["lever"].isin(names[False] - names[True])]


def _own_action(lever: pd.Series, findings: list[dict]) -> dict:
    """Make an action of a lever: what to try, because of what it touches today."""
    rests_on = {one for finding in findings for one in finding["rests_on"]}
    touches = lever["touches"]
    return {
        "action": f"{TRIES[lever['lever']]}, against a control group.",
        "headline": f"It touches {lever['base_orders']:,} orders: {touches}.",
        "confidence": "medium" if INCOMPLETE_HISTORIES in rests_on else "high",
        "action_basis": HYPOTHESIS,
        "owner": MARKETING,
        "prize": {"orders": int(lever["base_orders"])},
        "figure": "",
    }


def _write_actions(
    page: Page, chosen: list[tuple[dict, pd.Series | None]], links: FigureLinks
) -> None:
    reach = page.book.settings.what_if.reach
    all_reached = ", if all are reached" * (reach != 1)
    page.section(
        f"Do first: {_number(len(chosen))}, by what the presets below add before costs{all_reached}"
    )
    if not chosen:
        page.text("No action follows from this data.")
        return
    rows = []
    for place, (finding, lever) in enumerate(chosen, 1):
        sized = lever is not None
        money = sized and not pd.isna(lever["share_of_spend"])
        own = (finding["prize"] or {}).get("what_if") or "Not sized."
        rows.append(
            {
                "rank": f"{place}.",
                "do": finding["action"],
                "found": finding["headline"],
                "fact": confidence(finding),
                "basis": basis(finding),
                "more_orders": int(lever["orders"]) if sized else NOTHING,
                "more_dollars": float(lever["spend"]) if money else NOTHING,
                "share": float(lever["share_of_spend"]) if money else NOTHING,
                "touched": int(lever["base_orders"]) if sized else _touched(finding),
                "figure": links.short(finding),
                "owner": finding["owner"],
                "if": lever["what_if"] if sized else own,
            }
        )
    page.table(
        "first_actions",
        pd.DataFrame(rows),
        filters=False,
        links={"figure": [links.target(finding) for finding, _ in chosen]},
        headings=ACTION_HEADINGS,
        formats={"more_dollars": "$#,##0", "share": "0.0%"},
    )


def _number(count: int) -> str:
    return {0: "nothing", 1: "one action", 2: "two actions", 3: "three actions"}[count]


def _touched(finding: dict) -> int | str:
    orders = (finding["prize"] or {}).get("orders")
    return orders if orders is not None else NOTHING


def _write_left(page: Page, chosen: list[dict], links: FigureLinks) -> None:
    page.section("Where to save")
    if not chosen:
        page.text("No finding of this run says where to save.")
        return
    frame = pd.DataFrame(
        {
            "place": [finding["question"] for finding in chosen],
            "leave": [finding["action"] for finding in chosen],
            "found": [finding["headline"] for finding in chosen],
            "fact": [confidence(finding) for finding in chosen],
            "figure": [links.short(finding) for finding in chosen],
        }
    )
    page.table(
        "leave_out",
        frame,
        filters=False,
        links={"figure": [links.target(finding) for finding in chosen]},
        headings={"place": "Q", "leave": "Do this", "found": "Because", "fact": "Fact"},
    )


# ---- what if ----------------------------------------------------------------------------------


def _write_what_if(
    page: Page, levers: pd.DataFrame, tables: dict[str, pd.DataFrame], settings: Settings
) -> None:
    page.section("What if? Change the framed cells: all below follows")
    if levers.empty:
        page.text("Nothing can be sized with this data.")
        return
    given = what_if.inputs(levers, settings)
    of_run = what_if.facts(tables, settings)
    first = page.row
    _write_facts(page, of_run)
    page.row, last = first, page.row
    _write_inputs(page, given)
    page.row = max(page.row, last)
    page.space(1)
    used = {one.name: one.value for one in given}
    _write_levers(page, [what_if.Lever(row, used, of_run) for _, row in levers.iterrows()], levers)


def _name(page: Page, name: str, row: int, column: int) -> None:
    place = page.sheet.cell(row, column)
    target = f"'{MONDAY}'!${place.column_letter}${row}"
    page.book.workbook.defined_names[name] = DefinedName(name, attr_text=target)


def _write_facts(page: Page, of_run: what_if.Facts) -> None:
    """Write what the formulas start from, at the right of the inputs."""
    rows = [
        ("spend_in_all", "Spend (USD)", of_run.spend, "$#,##0"),
        ("orders_in_all", "Orders", of_run.orders, "#,##0"),
        ("lines_per_order", "Order lines an order", of_run.lines_per_order, "0.00"),
    ]
    in_trial = {"orders": of_run.orders_in_trial, "lines": of_run.lines_in_trial}
    for what, known in in_trial.items():
        if known:
            label = f"{'Lines' if what == 'lines' else 'Orders'} each in a trial"
            rows.append((f"mean_{what}", label, known[0], "0.00"))
            rows.append((f"sd_{what}", "their standard deviation", known[1], "0.00"))
    rows.append(("size_factor", "Factor of the trial's size", of_run.factor, "0.00"))
    frame = pd.DataFrame([(label, value) for _, label, value, _ in rows], columns=["from", "value"])
    place = page.table(
        "what_if_facts",
        frame,
        column=FACTS_COLUMN,
        filters=False,
        headings={"from": "Counted in this data", "value": "Number"},
    )
    for row, (name, _, _, form) in enumerate(rows, place.first):
        page.sheet.cell(row, FACTS_COLUMN + 1).number_format = form
        _name(page, name, row, FACTS_COLUMN + 1)


def _write_inputs(page: Page, given: list[what_if.Input]) -> None:
    frame = pd.DataFrame(
        {
            "input": [one.label for one in given],
            "meaning": [f"{one.meaning}, {_range(one)}" for one in given],
            "value": [one.value for one in given],
            "used": [one.value for one in given],
            "check": ["as entered"] * len(given),
        }
    )
    place = page.table(
        "what_if_inputs",
        frame,
        column=2,
        filters=False,
        overflow=("check",),
        headings={
            "input": "Input",
            "meaning": "What it is",
            "value": "Your value",
            "used": "Used",
            "check": "Check",
        },
    )
    line = page.look.side("accent", "medium")
    for row, one in enumerate(given, place.first):
        cell, used = (page.sheet.cell(row, place.columns[name]) for name in ("value", "used"))
        cell.number_format = one.number_format
        cell.fill = page.look.fill("warning")
        cell.font = page.look.font("accent", bold=True)
        cell.border = Border(left=line, right=line, top=line, bottom=line)
        at, low, high = cell.coordinate, f"{one.low:.10g}", f"{one.high:.10g}"
        page.formula(
            row,
            used.column,
            f"=IF(ISNUMBER({at}),MIN(MAX({at},{low}),{high}),{one.value:.10g})",
            one.value,
            one.number_format,
        )
        page.formula(
            row,
            place.columns["check"],
            f'=IF(ISNUMBER({at}),IF({at}={used.coordinate},"as entered",'
            f'"outside {_range(one)}: the limit is used"),"no number: the preset is used")',
            "as entered",
        )
        _name(page, f"in_{one.name}", row, cell.column)
        _name(page, f"used_{one.name}", row, used.column)
        page.sheet.add_data_validation(_validation(one, at))


def _range(one: what_if.Input) -> str:
    return " to ".join(
        f"{end:.0%}" if "%" in one.number_format else f"{end:g}" for end in (one.low, one.high)
    )


def _validation(one: what_if.Input, at: str) -> DataValidation:
    low, high = f"{one.low:.10g}", f"{one.high:.10g}"
    rule = DataValidation("decimal", operator="between", formula1=low, formula2=high)
    rule.allowBlank = False
    rule.showErrorMessage = rule.showInputMessage = True
    rule.errorTitle, rule.error = one.label[:31], f"Enter a number from {_range(one)}."
    rule.promptTitle, rule.prompt = one.label[:31], f"{one.meaning}; from {_range(one)}."
    rule.add(at)
    return rule


def _write_levers(page: Page, shown: list[what_if.Lever], levers: pd.DataFrame) -> None:
    """Write a row for each lever: what it touches, then formulas of what the change would add."""
    formulas = [
        {
            "more_orders": lever.more_orders(),
            "more_dollars": lever.more_dollars(),
            "share": lever.share_of_spend(),
            "left": lever.left(),
            "break_even": lever.break_even(),
            "trial": lever.trial(),
        }
        for lever in shown
    ]
    frame = pd.DataFrame(
        [
            {
                "lever": _label(lever.name),
                "touches": row["touches"],
                "orders": lever.orders,
                "gap": NOTHING if lever.gap is None else lever.gap,
                "dollars": NOTHING if lever.dollars is None else lever.dollars,
            }
            | {name: formula.result if formula else NOTHING for name, formula in given.items()}
            for lever, given, (_, row) in zip(shown, formulas, levers.iterrows(), strict=True)
        ]
    )
    formats = {"dollars": "$0.00", "gap": "0.0", "more_dollars": "$#,##0", "share": "0.0%"}
    place = page.table(
        "what_if", frame, column=2, filters=False, headings=LEVER_HEADINGS, formats=formats
    )
    for row, given in enumerate(formulas, place.first):
        cells = {name: f"{page.sheet.cell(row, c).coordinate}" for name, c in place.columns.items()}
        for name, formula in given.items():
            if formula:
                text = formula.text.format(**cells)
                column = place.columns[name]
                page.formula(row, column, text, formula.result, formula.number_format)
    page.text(
        "The presets are assumptions of ours: as many respond to each, not as easily. Orders are "
        "those of all the time counted, up to a year of each customer; lines count as orders of "
        "usual size. A day saved is 1/g of an order, where g are the mean days between that "
        "customer's orders. Each order touched takes one contact. Customers an arm: needed to see "
        "just this change in all orders of those reached.",
        colour="muted",
    )


def _label(lever: str) -> str:
    return {
        SOONER: "Late returns a day sooner",
        QUIET_WINDOWS: "More orders in the quiet windows",
        ONE_MORE_LINE: "One more line in an order",
        BOTH: "The other product of a pair",
    }[lever]
