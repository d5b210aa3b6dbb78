"""Sheets 2 to 5: the record of the work: where rows went, what was checked, changed, derived."""

from dataclasses import dataclass

import pandas as pd
from openpyxl.formatting.rule import DataBarRule
from openpyxl.styles import Alignment, Border
from openpyxl.utils import get_column_letter

from basket.project import dictionary
from basket.project.origin import GENERATED
from basket.project.published_figures import read_published
from basket.project.settings import POPULATION_FLAG
from basket.report.workbook.page import Book, Page
from basket.report.workbook.sheets import CHECKS, DERIVATIONS, FLOW, WRANGLING
from basket.report.workbook.values import plain

FLOW_WIDTHS = (24.0, 19.0, 11.0, 14.0, 13.0, 11.0, 15.0, 13.0, 10.0, 42.0, 14.0)
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
    "Without exclusions": _box_of(
        ("Order lines", "merged", "active customers", "rows_out"),
        ("Orders", "analysis_orders", "active customers", "rows_out"),
        ("Customers", "analysis_customers", "active customers", "rows_out"),
    ),
}
EXCLUDED = {
    label: BoxNumber(number.table, number.step, "rows_removed")
    for label, number in BOXES["Without exclusions"].items()
}

# What published analyses print, and why a run may give another number.
COUNTED_BEFORE = (
    "Follows from the lines merged, and from counting a customer's prior orders (D-04, D-05)."
)
COMPARED = {
    "rows.products_raw": ("Products as received", BOXES["As received"]["Products"], ""),
    "rows.customers": ("Customers as received", BOXES["As received"]["Customers"], ""),
    "rows.prior": ("Order lines as received", BOXES["As received"]["Order lines"], ""),
    "rows.products_clean": (
        "Products after cleaning",
        BOXES["Cleaned"]["Products"],
        "The corrected RULES keep products without a name, under a label (D-05).",
    ),
    "rows.merged": (
        "Order lines merged",
        BOXES["Merged"]["Order lines"],
        "The corrected RULES repair doubled ids and keep nameless products: no line is lost and "
        "none is added (D-04, D-05).",
    ),
    "rows.active": (
        "Order lines of active customers",
        BOXES["Without exclusions"]["Order lines"],
        COUNTED_BEFORE,
    ),
    "rows.excluded": ("Order lines excluded", EXCLUDED["Order lines"], COUNTED_BEFORE),
    "customers.active": (
        "Active customers",
        BOXES["Without exclusions"]["Customers"],
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
    low_activity = book.settings.flags[POPULATION_FLAG]
    page.text(
        f"How many rows each step took in and gave on, under RULES={rules}. All = merged; "
        "active = without exclusions; excluded = customers of low activity "
        f"({low_activity.rules[0]}).",
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
        theirs = reconciled(flow[flow["rules"] == other])
        page.table(f"population_flow_{other}", theirs, headings={"adds_up": "Adds up"})
    page.space(10)
    _write_published(page, ours, rules, data["synthetic"])
    _write_files(page, data.get("files") or {})
    return page


def _write_files(page: Page, files: dict[str, dict]) -> None:
    if not files:
        return
    page.space(12)
    page.section("The files as received")
    frame = pd.DataFrame(files).T[["bytes", "sha256"]].sort_index().rename_axis("file")
    headings = {"sha256": "sha256"}
    page.table("input_files", frame.reset_index(), headings=headings, overflow=("sha256",))


def look_up(flow: pd.DataFrame, figure: BoxNumber) -> int | None:
    """Find the number of a box, or None where the flow has no such row."""
    rows = flow[flow["table"] == figure.table]
    if figure.step is not None:
        rows = rows[rows["step"] == figure.step]
    return int(rows[figure.column].iloc[-1]) if len(rows) else None


def _write_boxes(page: Page, flow: pd.DataFrame) -> None:
    first = page.row
    boxes = {title: _known(flow, figures) for title, figures in BOXES.items()}
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
    excluded = _known(flow, EXCLUDED)
    if len(excluded) == len(EXCLUDED):
        page.write(page.row, BOX_COLUMNS[2][1], "↓", **middle)
        page.set_height(page.row, 22)
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
        page.set_height(row + offset, 19)
    middle = Alignment(horizontal="left", vertical="center", indent=1)
    page.write(row, columns[0], title, font=look.font(bold=True, size=11), align=middle)
    for offset, (label, value) in enumerate(numbers.items(), 1):
        page.write(row + offset, columns[0], label, font=look.font("muted"), align=middle)
        bold, right = (
            look.font(bold=True),
            Alignment(horizontal="right", vertical="center", indent=1),
        )
        page.write(row + offset, columns[1], value, font=bold, align=right)


def reconciled(flow: pd.DataFrame) -> pd.DataFrame:
    """Show the flow, with whether each row adds up."""
    numbers = [name for name in flow if name.startswith("rows_")]
    shown = flow.astype(dict.fromkeys(numbers, "int64")).reset_index(drop=True)
    lost = shown["rows_removed"] + shown["rows_quarantined"]
    adds_up = shown["rows_in"] + shown["rows_added"] - lost == shown["rows_out"]
    shown["adds_up"] = adds_up.map({True: "yes", False: "NO"})
    return shown[["step", "table", "rules", *numbers, "adds_up", "reason"]]


def _write_published(page: Page, flow: pd.DataFrame, rules: str, synthetic: str) -> None:
    """Write the famous figures beside this run's, with the reason where they differ."""
    figures = read_published().set_index("figure")["value"]
    published = figures[figures.index.isin(COMPARED)].astype("int64").to_dict()
    raw = [name for name in ("rows.prior", "rows.customers") if name in published]
    same_data = all(look_up(flow, COMPARED[name][1]) == published[name] for name in raw)
    rows = []
    for name, (label, figure, why) in COMPARED.items():
        ours = look_up(flow, figure)
        if name not in published or ours is None:
            continue
        if ours == published[name]:
            reason = "The same."
        elif not same_data and synthetic == GENERATED:
            reason = "Generated data, not the published data set."
        elif not same_data:
            reason = "Another data set: a part of the published one."
        else:
            reason = why if rules == "corrected" and why else "Differs: the input files differ."
        rows.append(
            {
                "figure": label,
                "published": published[name],
                "same": "yes" if ours == published[name] else "no",
                "this_run": ours,
                "difference": ours - published[name],
                "why": reason,
            }
        )
    if rows:
        page.section("Beside the figures that published analyses print")
        page.table("published_figures", pd.DataFrame(rows), overflow=("why",))


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
        "Each derived column with the rule and the thresholds in force, which the "
        "wording takes from settings.yml.",
        colour="muted",
    )
    page.space(4)
    rules = pd.DataFrame(dictionary.derivations(book.settings))
    rules["table"] = [tables.split()[0] for tables in rules["table"]]
    page.table(
        "column_derivations",
        rules[["table", "column", "derived_from", "unit", "condition"]],
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
