"""Sheets 2 to 5: the record of the work: where rows went, what was checked, changed, derived."""

from dataclasses import dataclass

import pandas as pd
from openpyxl.formatting.rule import DataBarRule
from openpyxl.styles import Alignment, Border
from openpyxl.utils import get_column_letter

from basket.analysis.privacy import SUPPRESSED
from basket.analysis.words import capitalised
from basket.project import dictionary
from basket.project.origin import GENERATED
from basket.project.published_figures import read_published
from basket.project.settings import POPULATION_FLAG
from basket.report.workbook.page import Book, Page
from basket.report.workbook.plain_words import plain_words, table_in_words
from basket.report.workbook.sheets import CHECKS, DERIVATIONS, FLOW, WRANGLING
from basket.report.workbook.values import NOTHING, plain

FLOW_WIDTHS = (31.0, 17.0, 11.0, 14.0, 13.0, 13.0, 15.0, 13.0, 10.0, 42.0, 24.0)
BOX_COLUMNS = ((1, 2), (4, 5), (7, 8), (10, 11))  # label and number of each box
ARROW_COLUMNS = (3, 6, 9)


@dataclass(frozen=True)
class BoxNumber:
    """A number in a box: the row of population_flow and the column that hold it."""

    table: str
    step: str | None
    column: str


def _box_of(*numbers: tuple[str, str, str | None, str]) -> dict[str, BoxNumber]:
    return {label: BoxNumber(*where) for label, *where in numbers}


BOXES = {
    "As received": _box_of(
        ("Order lines", "raw_lines", "read", "rows_in"),
        ("Orders", "raw_orders", "read", "rows_in"),
        ("Customers", "raw_customers", "read", "rows_in"),
        ("Products", "raw_products", "read", "rows_in"),
    ),
    "Cleaned": _box_of(
        ("Order lines", "raw_lines", "read", "rows_out"),
        ("Orders", "orders", "prior orders only", "rows_out"),
        ("Customers", "raw_customers", "read", "rows_out"),
        ("Products", "products", None, "rows_out"),
    ),
    "Merged": _box_of(
        ("Order lines", "merged", "merge", "rows_out"),
        ("Orders", "analysis_orders", "active customers", "rows_in"),
        ("Customers", "analysis_customers", "active customers", "rows_in"),
    ),
    "After exclusions": _box_of(
        ("Order lines", "merged", "active customers", "rows_out"),
        ("Orders", "analysis_orders", "active customers", "rows_out"),
        ("Customers", "analysis_customers", "active customers", "rows_out"),
    ),
}
EXCLUDED = {
    label: BoxNumber(number.table, number.step, "rows_removed")
    for label, number in BOXES["After exclusions"].items()
}

FLOW_HEADINGS = {
    "counted": "Counted",
    "step": "Step",
    "rows_in": "In",
    "rows_added": "Added",
    "rows_removed": "Removed",
    "rows_quarantined": "Set aside",
    "rows_out": "Out",
    "adds_up": "Adds up",
    "reason": "Why",
}
OTHER_RULES = {
    "course": "the rules of published analyses",
    "corrected": "rules that repair the known faults",
}

# The rows of the reconciliation, in chains: what goes out of one goes into the next.
CHAINS = {
    "Order lines": ("raw_lines", "merged"),
    "Orders": ("raw_orders", "orders", "analysis_orders"),
    "Customers": ("raw_customers", "customers", "analysis_customers"),
    "Products": ("raw_products", "products"),
}
BETWEEN = {  # what happens between two tables that no step of its own records
    "Order lines": ("leave out lines", "lines of no order, product or customer"),
    "Orders": ("leave out orders without lines", "orders of which no line was received"),
    "Customers": (
        "leave out customers without prior orders",
        "no order of theirs has lines, so there is nothing to analyse",
    ),
}
STEPS = {
    "read": "As received",
    "drop nameless": "Products without a name",
    "drop exact duplicates": "Exact duplicates",
    "prior orders only": "Orders that have lines in this data",
    "merge": "Joined with order and product",
    "active customers": "Customers with enough orders",
}

# What published analyses print, what it depends on, and why our rules give another number.
COUNTED_BEFORE = "Follows from the lines merged, and from counting a customer's prior orders."
COMPARED = {
    "rows.products_raw": ("Products as received", BOXES["As received"]["Products"], (), ""),
    "rows.customers": ("Customers as received", BOXES["As received"]["Customers"], (), ""),
    "rows.prior": ("Order lines as received", BOXES["As received"]["Order lines"], (), ""),
    "rows.products_clean": (
        "Products after cleaning",
        BOXES["Cleaned"]["Products"],
        ("rows.products_raw",),
        "Products without a name are kept here, under a label; published analyses drop them.",
    ),
    "rows.merged": (
        "Order lines merged",
        BOXES["Merged"]["Order lines"],
        ("rows.prior", "rows.products_raw"),
        "Doubled ids are repaired and nameless products kept here: no line is lost and none added.",
    ),
    "rows.active": (
        "Order lines of active customers",
        BOXES["After exclusions"]["Order lines"],
        ("rows.prior", "rows.customers"),
        COUNTED_BEFORE,
    ),
    "rows.excluded": (
        "Order lines excluded",
        EXCLUDED["Order lines"],
        ("rows.prior", "rows.customers"),
        COUNTED_BEFORE,
    ),
    "customers.active": (
        "Active customers",
        BOXES["After exclusions"]["Customers"],
        ("rows.prior", "rows.customers"),
        "A customer's prior orders are counted here; published analyses count those that are left "
        "after the merge.",
    ),
}


# ---- 2. Population flow -----------------------------------------------------------------------


def write_flow(book: Book, flow: pd.DataFrame, facts: dict) -> Page:
    """Write the boxes, the reconciliation, the published figures beside ours, and the files."""
    rules = facts["rules"]
    page = book.page(FLOW, "Population flow", FLOW_WIDTHS)
    page.on_one_page = True
    ours = flow[flow["rules"].isin([rules, "any"])]
    low_activity = book.settings.flags[POPULATION_FLAG]
    page.text(
        "How many rows each step took in and gave on. Merged: every order line with its order, "
        "product and customer. After exclusions: active customers. Excluded: customers of low "
        f"activity ({low_activity.rules[0]}).",
        colour="muted",
    )
    page.space(4)
    few = few_left_out(ours, book.settings.privacy.smallest_group)
    if few:
        page.text(
            f"Fewer than {book.settings.privacy.smallest_group} customers are left out: the steps "
            "of orders, lines and customers stand as one, and what would tell of those few is "
            "suppressed.",
            colour="muted",
        )
    _write_boxes(page, ours, few)
    page.section("Reconciliation: in + added – removed – set aside = out, and out is the next in")
    steps = merged_steps(reconciled(ours)) if few else reconciled(ours)
    _write_rows(page, "population_flow", steps)
    others = [name for name in flow["rules"].unique() if name not in (rules, "any")]
    for other in () if few else others:
        page.space(4)
        page.section(f"What {OTHER_RULES.get(other, other)} would have removed or added")
        theirs = reconciled(flow[flow["rules"] == other], whole=False)
        _write_rows(page, f"population_flow_{other}", theirs)
    page.space(4)
    if not few:
        _write_published(page, ours, rules, facts)
    return page


def few_left_out(flow: pd.DataFrame, minimum: int) -> bool:
    """Say whether what is counted before and after a step differs by 1 to 10 customers."""
    customers = flow[flow["table"].isin(CHAINS["Customers"])]
    last = customers["rows_out"].iloc[-1] if len(customers) else 0
    return bool((customers["rows_in"] - last).between(1, minimum - 1).any())


def merged_steps(flow: pd.DataFrame) -> pd.DataFrame:
    """Make one step of all that leaves out orders, lines and customers, without its numbers.

    A difference of 1 to 10 customers, their orders and their lines would follow from any number
    before it; what goes out stands on every sheet.
    """
    shown = []
    for counted, rows in flow.groupby("counted", sort=False):
        if counted not in BETWEEN:
            shown += rows.to_dict("records")
            continue
        hidden = dict.fromkeys(name for name in rows if name.startswith("rows_"))
        shown.append(
            rows.iloc[-1].to_dict()
            | dict.fromkeys(hidden, SUPPRESSED)
            | {"rows_out": rows["rows_out"].iloc[-1], "step": "All that is left out, together"}
            | {"adds_up": "yes" if (rows["adds_up"] == "yes").all() else "NO", "reason": NOTHING}
        )
    return pd.DataFrame(shown, columns=flow.columns)


def _write_rows(page: Page, name: str, rows: pd.DataFrame) -> None:
    page.table(name, rows, headings=FLOW_HEADINGS, overflow=("reason",), dense=True)


def look_up(flow: pd.DataFrame, figure: BoxNumber) -> int | None:
    """Find the number of a box, or None where the flow has no such row."""
    rows = flow[flow["table"] == figure.table]
    if figure.step is not None:
        rows = rows[rows["step"] == figure.step]
    return int(rows[figure.column].iloc[-1]) if len(rows) else None


def _write_boxes(page: Page, flow: pd.DataFrame, few: bool) -> None:
    first = page.row
    last = list(BOXES)[-1]
    boxes = {
        title: _known(flow, figures) for title, figures in BOXES.items() if title == last or not few
    }
    boxes = {title: numbers for title, numbers in boxes.items() if numbers}
    height = max(map(len, boxes.values()), default=0)
    for (title, numbers), columns in zip(boxes.items(), BOX_COLUMNS, strict=False):
        _box(page, first, columns, title, numbers, height, strong=columns == BOX_COLUMNS[-1])
    middle = {
        "font": page.look.font("muted", 18),
        "align": Alignment(horizontal="center", vertical="center"),
    }
    for column in ARROW_COLUMNS[: max(len(boxes) - 1, 0)]:
        page.write(first + 2, column, "→", **middle)
    page.row = first + height + 1
    excluded = {} if few else _known(flow, EXCLUDED)
    if len(excluded) == len(EXCLUDED):
        page.write(page.row, BOX_COLUMNS[2][1], "↓", **middle)
        page.set_height(page.row, 16)
        page.row += 1
        title = "Excluded: low activity"
        _box(page, page.row, BOX_COLUMNS[2], title, excluded, len(excluded), strong=False)
        page.row += len(excluded) + 1
    page.keep(first, page.row)
    page.space(10)


def _known(flow: pd.DataFrame, figures: dict[str, BoxNumber]) -> dict[str, int]:
    found = {label: look_up(flow, figure) for label, figure in figures.items()}
    return {label: value for label, value in found.items() if value is not None}


def _box(
    page: Page,
    row: int,
    columns: tuple[int, int],
    title: str,
    numbers: dict[str, int],
    height: int,
    strong: bool,
) -> None:
    look = page.look
    fill = look.fill("accent", 0.12) if strong else look.fill("grid", 0.3)
    line = look.side("accent" if strong else "muted", "medium" if strong else "thin")
    for offset in range(height + 1):
        for side, column in enumerate(columns):
            cell = page.sheet.cell(row + offset, column)
            cell.fill = fill
            cell.border = Border(
                left=line if side == 0 else None,
                right=line if side == 1 else None,
                top=line if offset == 0 else None,
                bottom=line if offset == height else None,
            )
        page.set_height(row + offset, 16)
    middle = Alignment(horizontal="left", vertical="center", indent=1)
    page.write(row, columns[0], title, font=look.font(bold=True, size=11), align=middle)
    for offset, (label, value) in enumerate(numbers.items(), 1):
        page.write(row + offset, columns[0], label, font=look.font("muted"), align=middle)
        bold = look.font(bold=True)
        right = Alignment(horizontal="right", vertical="center", indent=1)
        page.write(row + offset, columns[1], value, font=bold, align=right)


def reconciled(flow: pd.DataFrame, *, whole: bool = True) -> pd.DataFrame:
    """Show the flow in chains, each with whether it adds up.

    A `whole` flow closes: where two tables of a chain differ and no step says why, the row between
    them does.
    """
    numbers = [name for name in flow if name.startswith("rows_")]
    rows = flow.astype(dict.fromkeys(numbers, "int64")).to_dict("records")
    found = []
    for counted, tables in CHAINS.items():
        before = None
        chain = [row for table in tables for row in rows if row["table"] == table]
        for row in chain:
            if whole and before is not None and before != row["rows_in"]:
                found.append(_between(counted, before, row["rows_in"]))
            before = row["rows_out"]
            step = STEPS.get(row["step"], row["step"])
            reason = plain_words(plain(row["reason"])) if row["reason"] else NOTHING
            found.append({"counted": counted, **row, "step": step, "reason": reason})
    shown = pd.DataFrame(found)
    lost = shown["rows_removed"] + shown["rows_quarantined"]
    adds_up = shown["rows_in"] + shown["rows_added"] - lost == shown["rows_out"]
    shown["adds_up"] = adds_up.map({True: "yes", False: "NO"})
    shown["reason"] = shown["reason"].replace({"N/A": NOTHING, "nan": NOTHING})
    return shown[["step", "counted", *numbers, "adds_up", "reason"]]


def _between(counted: str, before: int, after: int) -> dict:
    step, reason = BETWEEN.get(counted, ("between the tables", NOTHING))
    return {
        "counted": counted,
        "step": capitalised(step),
        "rows_in": before,
        "rows_added": max(after - before, 0),
        "rows_removed": max(before - after, 0),
        "rows_quarantined": 0,
        "rows_out": after,
        "reason": reason,
    }


def _write_published(page: Page, flow: pd.DataFrame, rules: str, facts: dict) -> None:
    rows = compared(flow, rules, facts["data"]["synthetic"])
    if len(rows) and "citation" not in facts["data"]:  # of another shop
        page.section("Beside the figures that published analyses print")
        page.table("published_figures", rows, overflow=("why",), dense=True)


def compared(flow: pd.DataFrame, rules: str, synthetic: str) -> pd.DataFrame:
    """Put the famous figures beside this run's, with the reason where they differ.

    Our rules are the reason only where what a figure depends on is as published.
    """
    figures = read_published().set_index("figure")["value"]
    published = figures[figures.index.isin(COMPARED)].astype("int64").to_dict()
    found = {name: look_up(flow, COMPARED[name][1]) for name in published}
    same = {name: found[name] == value for name, value in published.items()}
    rows = []
    for name, (label, _, inputs, why) in COMPARED.items():
        ours = found.get(name)
        if ours is None:
            continue
        if same[name]:
            reason = "The same."
        elif inputs and all(same.get(one) for one in inputs):
            reason = why if rules == "corrected" else "Differs, though the input files are alike."
        elif synthetic == GENERATED:
            reason = "Generated data, not the published data set."
        elif all((found.get(one) or 0) <= published[one] for one in inputs or (name,)):
            reason = "A part of the published data set was received."
        else:
            reason = "Other input files than the published ones."
        rows.append(
            {
                "figure": label,
                "published": published[name],
                "same": "yes" if ours == published[name] else "no",
                "this_run": ours,
                "this_run_less_published": ours - published[name],
                "why": reason,
            }
        )
    return pd.DataFrame(rows)


# ---- 3. and 4. --------------------------------------------------------------------------------


def write_checks(
    book: Book, checks: pd.DataFrame, flow: pd.DataFrame, departments: pd.DataFrame
) -> Page:
    """Write what was checked, what was found, and what was done.

    Where few customers are left out, what was found among all of them would tell of those few.
    `departments` are those that sold something: settings may name others, which are said too.
    """
    page = book.page(CHECKS, "Consistency checks", (22.0, 23.0, 46.0, 15.0, 48.0))
    page.on_one_page = True
    acted = (~checks["action"].str.lower().str.startswith(("none", "no "))).sum()
    page.text(
        f"{len(checks)} checks; {acted} of them led to an action or a note. Missing values, "
        "duplicates, mixed types and outliers are looked for at each import and each change.",
        colour="muted",
    )
    sold = set(departments["department"])
    if note := book.settings.unknown_departments(sold, with_keys=False):
        page.text(f"{capitalised(note)}.")
    page.space(4)
    if few_left_out(flow, book.settings.privacy.smallest_group):
        of_people = checks["table"].isin({table for name in BETWEEN for table in CHAINS[name]})
        some = checks["found"].astype("str") != "0"
        checks = checks.assign(found=checks["found"].mask(of_people & some, SUPPRESSED))
    shown = checks.assign(
        table=[table_in_words(name) for name in checks["table"]],
        found=[_number_if_one(value) for value in checks["found"]],
        action=[plain_words(text) for text in checks["action"]],
    )
    place = page.table("consistency_checks", shown)
    page.sheet.freeze_panes = page.sheet.cell(place.first, 1)
    page.repeat(place.header)
    return page


def _number_if_one(value):
    text = str(plain(value)).replace(",", "")
    return int(text) if text.isdigit() and len(text) <= 15 else value


def write_wrangling(book: Book, steps: pd.DataFrame) -> Page:
    """Write which columns were dropped, renamed or given another type, and why."""
    page = book.page(WRANGLING, "Wrangling steps", (20.0, 30.0, 32.0, 30.0, 34.0))
    page.text("Columns dropped, renamed or given another type, with the reason.", colour="muted")
    page.space(4)
    shown = steps.assign(
        table=[table_in_words(name) for name in steps["table"]],
        reason=[plain_words(text) for text in steps["reason"]],
    )
    place = page.table("wrangling_steps", shown)
    page.sheet.freeze_panes = page.sheet.cell(place.first, 1)
    page.repeat(place.header)
    return page


# ---- 5. Column derivations --------------------------------------------------------------------


def write_derivations(book: Book, flags: pd.DataFrame, flags_are_withheld: bool) -> Page:
    """Write the rule of each derived column, and how often each label occurs at each grain."""
    page = book.page(DERIVATIONS, "Column derivations", (25.0, 38.0, 32.0, 17.0, 82.0))
    page.text("Each derived column with its rule and the thresholds in force.", colour="muted")
    page.space(4)
    rules = pd.DataFrame(dictionary.derivations(book.settings))
    rules["table"] = [table_in_words(tables.split()[0]) for tables in rules["table"]]
    rules["condition"] = [plain_words(text) for text in rules["condition"]]
    page.table(
        "column_derivations",
        rules[["table", "column", "derived_from", "unit", "condition"]],
        headings={"table": "First table", "column": "New column", "condition": "Rule"},
        dense=True,
    )
    page.space(12)
    if flags.empty:
        return page
    page.section("How often each label occurs: active customers, their orders and order lines")
    page.text(
        "N/A: the label belongs to orders or lines and does not divide customers. Profiles and "
        "segments stand on the sheet Segments.",
        colour="muted",
    )
    if flags_are_withheld:
        page.text(
            f"suppressed: fewer than {book.settings.privacy.smallest_group} customers, or a "
            "row that would give such a group away (sheet 9).",
            colour="muted",
        )
    page.space(3)
    shown = flags[~flags["flag"].isin(("rhythm", "basket", *dictionary.COMPOSED))]
    shown = shown[["flag", "label", "customers", "orders", "lines"]]
    shown = shown.assign(flag=[str(name).replace("_", " ") for name in shown["flag"]])
    place = page.table("flags", shown, dense=True)
    bars = DataBarRule("num", 0, "max", None, page.look.colour("accent"), minLength=0, maxLength=85)
    letter = get_column_letter(place.columns["lines"])
    page.sheet.conditional_formatting.add(f"{letter}{place.first}:{letter}{place.last}", bars)
    page.repeat(place.header)
    return page
