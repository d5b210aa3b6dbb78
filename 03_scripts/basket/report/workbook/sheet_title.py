"""The title page: what this is, its key numbers, and the way to every sheet."""

from dataclasses import dataclass

import pandas as pd
from openpyxl.styles import Alignment, Border

from basket.analysis.privacy import PUBLISHED_POPULATION
from basket.project.origin import PRICE
from basket.report.workbook.page import Book, Page
from basket.report.workbook.sheets import CONTENT, TITLE
from basket.tables import completeness
from basket.tables.sums import per

TILE_WIDTH = 24.0
NEARLY_ALL = 0.99  # order lines with a price: with fewer, the tile of the spend says how many


@dataclass(frozen=True)
class Tile:
    """A number that the reader sees first: its label, value, format, and what it counts."""

    label: str
    value: float | None
    number_format: str
    note: str


def tiles(tables: dict[str, pd.DataFrame], missing: str) -> list[Tile]:
    """Read the tiles from the result tables (active population); `missing` labels no price."""
    days = _active(tables["orders_by_day"])
    orders, lines, spend = (days[name].sum() for name in ("orders", "lines", "spend"))
    flags = _active(tables["flags"])
    people = flags[flags["flag"] == "exclusion_flag"]
    departments = _active(tables["departments"])
    reorder_rate = float(per((departments["reorder_rate"] * departments["lines"]).sum(), lines))
    who = "active customers"
    customers = people["customers"].iloc[-1] if len(people) else None
    mean = round(float(per(spend, orders)), 6)
    prices = (
        "invented prices" if completeness.is_invented(tables["completeness"], PRICE) else "spend"
    )
    if completeness.is_absent(tables["completeness"], PRICE):
        spend, mean, prices = None, None, "prices were not received"
    else:
        ranges = flags[flags["flag"] == "price_range"].set_index("label")["lines"]
        priced = float(per(ranges.drop(missing, errors="ignore").sum(), ranges.sum()))
        if priced < NEARLY_ALL:
            prices += f" ({priced:.0%} of order lines have a price)"
    share = f"share of order lines, {who}"
    return [
        Tile("Customers", customers, "#,##0", who),
        Tile("Orders", int(orders), "#,##0", f"{_each(orders, customers)} a customer, {who}"),
        Tile("Order lines", int(lines), "#,##0", f"{_each(lines, orders)} an order, {who}"),
        Tile("Spend (USD)", spend and round(float(spend), 2), "$#,##0", f"{prices}, {who}"),
        Tile("Mean order value (USD)", mean, "$#,##0.00", f"spend / orders, {who}"),
        Tile("Reorder rate", round(float(reorder_rate), 6), "0.0%", share),
    ]


def _each(many: float, of: float | None) -> str:
    return f"{many / of:,.1f}" if of else "none"


def _active(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["population"] == PUBLISHED_POPULATION]


def write_title(book: Book, tables: dict[str, pd.DataFrame], facts: dict) -> Page:
    """Write the title page: what this is, its key numbers, and the way to every sheet."""
    report, look = book.settings.report, book.look
    page = book.pages[TITLE]
    page.on_one_page = True
    page.text(report.subject, colour="muted", size=13)
    page.space(8)
    for label, value in title_facts(report, facts):
        page.write_row(label, value, font=look.font("muted"))
    page.space(12)
    _write_tiles(page, tiles(tables, book.settings.labels.missing))
    page.space(8)
    page.section("What this data is")
    if warning := completeness.warning(tables["completeness"]):
        page.text(warning, colour="contrast", bold=True)
    else:
        page.text("Histories are complete.")
    for term, text in facts["data"]["about"].items():
        page.term(term, text)
    page.space(8)
    page.section("Contents")
    for name, content in CONTENT.items():
        page.link(page.write_row(name, content), name)
    return page


def title_facts(report, facts: dict) -> list[tuple[str, str]]:
    """Who, for whom, when, from which data."""
    return [
        ("Client", report.client),
        ("Author", report.author),
        ("Date", facts["date"]),
        ("Data", facts["data"]["description"]),
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
            wrap = offset == len(rows) - 1
            align = Alignment(horizontal="left", vertical="center", indent=1, wrap_text=wrap)
            place = (first + offset, column)
            cell = page.write(*place, value, font=font, number_format=form, align=align)
            cell.fill = look.fill("grid", 0.3)
            cell.border = Border(
                left=look.side("paper", "thick"),
                right=line,
                top=look.side("accent", "thick") if offset == 0 else None,
            )
            page.set_height(first + offset, height)
    page.row = first + len(rows)
    page.keep(first, page.row - 1)
