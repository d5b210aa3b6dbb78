"""Sheets 2 to 5: the record of the work: where rows went, what was checked, changed, derived."""

from dataclasses import dataclass

import pandas as pd
from openpyxl.formatting.rule import DataBarRule
from openpyxl.styles import Alignment, Border
from openpyxl.utils import get_column_letter

from basket.project import dictionary
from basket.project.origin import GENERATED
from basket.project.published_figures import read_published
from basket.report.workbook.page import Book, Page
from basket.report.workbook.sheets import CHECKS, DERIVATIONS, FLOW, WRANGLING
from basket.report.workbook.values import plain

FLOW_WIDTHS = (24.0, 19.0, 11.0, 14.0, 13.0, 11.0, 15.0, 13.0, 10.0, 42.0, 14.0)
BOX_COLUMNS = ((1, 2), (4, 5), (7, 8), (10, 11))  # label and number of each box
ARROW_COLUMNS = (3, 6, 9)


@dataclass(frozen=True)
class BoxNumber:
    """A number in a box: its label, and the row of population_flow and the column that hold it."""

    label: str
    table: str
    step: str | None
    column: str


BOXES = (
    (
        "As received",
        (
            BoxNumber("Order lines", "raw_lines", "read", "rows_in"),
            BoxNumber("Orders", "raw_orders", "read", "rows_in"),
            BoxNumber("Customers", "raw_customers", "read", "rows_in"),
            BoxNumber("Products", "raw_products", "read", "rows_in"),
        ),
    ),
    (
        "Cleaned",
        (
            BoxNumber("Order lines", "raw_lines", "read", "rows_out"),
            BoxNumber("Orders", "orders", "prior orders only", "rows_out"),
            BoxNumber("Customers", "raw_customers", "read", "rows_out"),
            BoxNumber("Products", "products", None, "rows_out"),
        ),
    ),
    (
        "Merged",
        (
            BoxNumber("Order lines", "merged", "merge", "rows_out"),
            BoxNumber("Orders", "analysis_orders", "active customers", "rows_in"),
            BoxNumber("Customers", "analysis_customers", "active customers", "rows_in"),
        ),
    ),
    (
        "Without exclusions",
        (
            BoxNumber("Order lines", "merged", "active customers", "rows_out"),
            BoxNumber("Orders", "analysis_orders", "active customers", "rows_out"),
            BoxNumber("Customers", "analysis_customers", "active customers", "rows_out"),
        ),
    ),
)
EXCLUDED = (
    "Excluded: low activity",
    (
        BoxNumber("Order lines", "merged", "active customers", "rows_removed"),
        BoxNumber("Orders", "analysis_orders", "active customers", "rows_removed"),
        BoxNumber("Customers", "analysis_customers", "active customers", "rows_removed"),
    ),
)

# What published analyses print, and why a run may give another number.
COMPARED = {
    "rows.products_raw": ("Products as received", BOXES[0][1][3], ""),
    "rows.customers": ("Customers as received", BOXES[0][1][2], ""),
    "rows.prior": ("Order lines as received", BOXES[0][1][0], ""),
    "rows.products_clean": (
        "Products after cleaning",
        BOXES[1][1][3],
        "The corrected RULES keep products without a name, under a label (D-05).",
    ),
    "rows.merged": (
        "Order lines merged",
        BOXES[2][1][0],
        "The corrected RULES repair doubled ids and keep nameless products: no line is lost and "
        "none is added (D-04, D-05).",
    ),
    "rows.active": (
        "Order lines of active customers",
        BOXES[3][1][0],
        "Follows from the lines merged, and from counting a customer's prior orders (D-04, D-05).",
    ),
    "rows.excluded": (
        "Order lines excluded",
        EXCLUDED[1][0],
        "Follows from the lines merged, and from counting a customer's prior orders (D-04, D-05).",
    ),
    "customers.active": (
        "Active customers",
        BOXES[3][1][2],
        "The corrected RULES count a customer's prior orders, the published ones those that are "
        "left after the merge (D-04, D-05).",
    ),
}


# ---- 2. Population flow -----------------------------------------------------------------------


def write_flow(book: Book, flow: pd.DataFrame, facts: dict) -> Page:
    """Write the boxes, the reconciliation, the published figures beside ours, and the files."""
    rules, data = facts["rules"], facts["data"]
    page = book.page(FLOW, "Population flow", FLOW_WIDTHS)
    ours = flow[flow["rules"].isin([rules, "any"])]
    page.text(
        f"How many rows each step took in and gave on, under RULES={rules}. All = merged; "
        "active = without exclusions; excluded = customers with fewer than "
        f"{book.settings.flags['exclusion_flag'].cuts[0]} orders.",
        colour="muted",
    )
    page.space(8)
    _write_boxes(page, ours)
    page.section("Reconciliation: in + added – removed – quarantined = out")
    page.table("population_flow", reconciled(ours), headings={"adds_up": "Adds up"})
    for other in (name for name in flow["rules"].unique() if name not in (rules, "any")):
        page.space(10)
        page.section(f"What RULES={other} would have removed or added")
        page.text("Counted in this run; it takes no second one.", colour="muted")
        page.space(3)
        page.table(
            f"population_flow_{other}",
            reconciled(flow[flow["rules"] == other]),
            headings={"adds_up": "Adds up"},
        )
    page.space(10)
    _write_published(page, ours, rules, data["synthetic"])
    _write_files(page, data.get("files") or {})
    return page


def _write_files(page: Page, files: dict[str, dict]) -> None:
    if not files:
        return
    page.space(12)
    page.section("The files as received")
    rows = [(name, file["bytes"], file["sha256"]) for name, file in sorted(files.items())]
    page.table(
        "input_files",
        pd.DataFrame(rows, columns=["file", "bytes", "sha256"]),
        headings={"sha256": "sha256"},
        overflow=("sha256",),
    )


def look_up(flow: pd.DataFrame, figure: BoxNumber) -> int | None:
    """The number of a box, or None where the flow has no such row."""
    rows = flow[flow["table"] == figure.table]
    if figure.step is not None:
        rows = rows[rows["step"] == figure.step]
    return int(rows[figure.column].iloc[-1]) if len(rows) else None


def _write_boxes(page: Page, flow: pd.DataFrame) -> None:
    first = page.row
    boxes = [(title, [(f.label, look_up(flow, f)) for f in figures]) for title, figures in BOXES]
    boxes = [(title, [item for item in items if item[1] is not None]) for title, items in boxes]
    boxes = [box for box in boxes if box[1]]
    height = max((len(items) for _, items in boxes), default=0)
    for (title, items), columns in zip(boxes, BOX_COLUMNS, strict=False):
        _box(page, first, columns, title, items, height, strong=columns == BOX_COLUMNS[-1])
    for column in ARROW_COLUMNS[: max(len(boxes) - 1, 0)]:
        page.write(
            first + 2,
            column,
            "→",
            font=page.look.font("muted", 18),
            align=Alignment(horizontal="center", vertical="center"),
        )
    page.row = first + height + 1
    excluded = [(f.label, look_up(flow, f)) for f in EXCLUDED[1]]
    if all(value is not None for _, value in excluded):
        page.write(
            page.row,
            BOX_COLUMNS[2][1],
            "↓",
            font=page.look.font("muted", 18),
            align=Alignment(horizontal="center", vertical="center"),
        )
        page.set_height(page.row, 22)
        page.row += 1
        _box(page, page.row, BOX_COLUMNS[2], EXCLUDED[0], excluded, len(excluded), strong=False)
        page.row += len(excluded) + 1
    page.keep(first, page.row)
    page.space(10)


def _box(
    page: Page,
    row: int,
    columns: tuple[int, int],
    title: str,
    items: list,
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
        page.set_height(row + offset, 19)
    middle = Alignment(horizontal="left", vertical="center", indent=1)
    page.write(row, columns[0], title, font=look.font(bold=True, size=11), align=middle)
    for offset, (label, value) in enumerate(items, 1):
        page.write(row + offset, columns[0], label, font=look.font("muted"), align=middle)
        page.write(
            row + offset,
            columns[1],
            value,
            font=look.font(bold=True),
            align=Alignment(horizontal="right", vertical="center", indent=1),
        )


def reconciled(flow: pd.DataFrame) -> pd.DataFrame:
    """The flow as it is shown: whether each row adds up, and what its rows are."""
    numbers = flow[["rows_in", "rows_added", "rows_removed", "rows_quarantined", "rows_out"]]
    numbers = numbers.astype("int64")
    adds_up = (
        numbers["rows_in"]
        + numbers["rows_added"]
        - numbers["rows_removed"]
        - numbers["rows_quarantined"]
        == numbers["rows_out"]
    )
    return pd.DataFrame(
        {
            "step": flow["step"],
            "table": flow["table"],
            "rules": flow["rules"],
            **{name: numbers[name] for name in numbers},
            "adds_up": adds_up.map({True: "yes", False: "NO"}),
            "reason": flow["reason"],
        }
    ).reset_index(drop=True)


def _write_published(page: Page, flow: pd.DataFrame, rules: str, synthetic: str) -> None:
    """The famous figures beside this run's, with the reason where they differ."""
    figures = read_published().set_index("figure")["value"]
    published = figures[figures.index.isin(COMPARED)].astype("int64").to_dict()
    raw = [name for name in ("rows.prior", "rows.customers") if name in published]
    same_data = all(look_up(flow, COMPARED[name][1]) == published[name] for name in raw)
    rows = []
    for name, (label, figure, why) in COMPARED.items():
        ours = look_up(flow, figure)
        if name not in published or ours is None:
            continue
        other_data = (
            "Generated data, not the published data set."
            if synthetic == GENERATED
            else "Another data set: a part of the published one."
        )
        reason = (
            "The same."
            if ours == published[name]
            else other_data
            if not same_data
            else why
            if rules == "corrected" and why
            else "Differs: the input files differ."
        )
        rows.append(
            (
                label,
                published[name],
                "yes" if ours == published[name] else "no",
                ours,
                ours - published[name],
                reason,
            )
        )
    if not rows:
        return
    page.section("Beside the figures that published analyses print")
    frame = pd.DataFrame(
        rows, columns=["figure", "published", "same", "this_run", "difference", "why"]
    )
    page.table("published_figures", frame, overflow=("why",))


# ---- 3. and 4. --------------------------------------------------------------------------------


def write_checks(book: Book, checks: pd.DataFrame) -> Page:
    """Write what was checked, what was found, and what was done."""
    page = book.page(CHECKS, "Consistency checks", (24.0, 24.0, 34.0, 16.0, 48.0))
    acted = (~checks["action"].str.lower().str.startswith(("none", "no "))).sum()
    page.text(
        f"{len(checks)} checks; {acted} of them led to an action or a note. Missing values, "
        "duplicates, mixed types and outliers are looked for at each import and each change.",
        colour="muted",
    )
    page.space(4)
    shown = checks.assign(found=[_number_if_one(value) for value in checks["found"]])
    place = page.table("consistency_checks", shown, filters=True)
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
    place = page.table("wrangling_steps", steps, filters=True)
    page.repeat(place.header)
    return page


# ---- 5. Column derivations --------------------------------------------------------------------


def write_derivations(book: Book, flags: pd.DataFrame, flags_are_withheld: bool) -> Page:
    """Write the rule of each derived column, and how often each label occurs at each grain."""
    page = book.page(DERIVATIONS, "Column derivations", (25.0, 38.0, 32.0, 17.0, 82.0))
    page.text(
        "Each derived column with the rule and the thresholds in force; the wording is "
        "filled from settings.yml and cannot disagree with the code.",
        colour="muted",
    )
    page.space(4)
    rules = pd.DataFrame(dictionary.derivations(book.settings))
    rules["table"] = [tables.split()[0] for tables in rules["table"]]
    columns = ["table", "column", "derived_from", "unit", "condition"]
    page.table(
        "column_derivations",
        rules[columns],
        headings={"table": "First table", "column": "New column", "condition": "Rule"},
        filters=True,
    )
    page.space(12)
    if flags.empty:
        return page
    page.section("How often each label occurs: active customers, their orders and order lines")
    page.text(
        "N/A: the label belongs to orders or lines and does not divide customers.", colour="muted"
    )
    if flags_are_withheld:
        page.text(
            f"suppressed: fewer than {book.settings.privacy.smallest_group} customers, or a "
            "row that would give such a group away (sheet 9).",
            colour="muted",
        )
    page.space(3)
    place = page.table("flags", flags[["flag", "label", "customers", "orders", "lines"]])
    bars = DataBarRule("num", 0, "max", None, page.look.colour("accent"), minLength=0, maxLength=85)
    letter = get_column_letter(place.columns["lines"])
    page.sheet.conditional_formatting.add(f"{letter}{place.first}:{letter}{place.last}", bars)
    page.repeat(place.header)
    return page
