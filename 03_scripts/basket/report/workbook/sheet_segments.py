"""Segments: a block for each segment by habits, then every group of customers beside the others."""

import pandas as pd

from basket.analysis.finding import HYPOTHESIS, SYNTHETIC_DATA, is_invented
from basket.analysis.privacy import PUBLISHED_POPULATION, SUPPRESSED
from basket.analysis.verdicts import BY_DEFINITION
from basket.analysis.words import half_of_gaps, per_cent
from basket.project.origin import PEOPLE, PRICE
from basket.project.settings import Settings
from basket.report.workbook.page import Book, Page
from basket.report.workbook.sheets import SEGMENTS
from basket.report.workbook.values import NOTHING, is_number, plain

WIDTHS = (13.5, 38.5, 12.0, 10.0, *((10.0, 8.3, 8.3) * 5))
BESIDE = ((1, 3), (5, 11), (13, 19))  # columns of blocks side by side: first and last
LEVELS = {  # of the table `habits`: heading, format, short name, and the measure that compares it
    "mean_order_value": ("USD an order", "$0.00", "value", "mean_order_value"),
    "mean_lines_per_order": ("Lines an order", "0.0", "lines", "mean_lines_per_order"),
    "mean_item_price": ("USD an item", "$0.00", "price", "mean_item_price"),
    "median_days_between_orders": ("Days to next", "0.0", "days", "mean_gap"),
    "reorder_rate": ("Reorder rate", "0.0%", "rate", "reorder_rate"),
}
ENDS = {"effect_low": ("low", "from"), "effect_high": ("high", "to")}
MORE = "+0.0%;-0.0%;0.0%"


def write_segments(book: Book, findings: list[dict], published: dict[str, pd.DataFrame]) -> Page:
    """Write a block for each segment, then the levels of every group with their intervals."""
    page = book.page(SEGMENTS, "Customer groups and segments", WIDTHS)
    tests = published.get("tests")
    table = levels(published["habits"], tests, book.settings)
    confidence = per_cent(book.settings.statistics.confidence)
    page.text(
        "In the table, from and to: how far a group may lie below or above "
        f"all the others, with {confidence} confidence; where both "
        "have one sign, the difference is unlikely to be chance in this one comparison of many. "
        f"{NOTHING}: too few customers, or one with too much of it, to conclude from. Days to the "
        "next order are the median; their interval is that of the mean, gaps of 30 days or more "
        "as 30. What a segment buys more of, and when it orders more, is chosen on one half of "
        "the customers and confirmed on the other, with the interval of that.",
        colour="muted",
    )
    page.text(
        f"{_invented(published)}Loyalty is defined by the number of orders, so days between orders "
        "and the reorder rate partly restate it.",
        colour="muted",
    )
    page.space(4)
    _write_blocks(page, findings, published)
    first = page.row
    page.section("Every group of active customers, beside the others")
    hidden = table["customers"] == SUPPRESSED
    if hidden.any():
        page.text(
            f"{hidden.sum()} of {len(table)} groups are left out: they are of fewer than "
            f"{book.settings.privacy.smallest_group} customers, or would give such a group away.",
            colour="muted",
        )
        page.space(3)
    if hidden.all():
        return page
    table, (headings, formats) = table[~hidden], headings_and_formats()
    place = page.table("groups", table, headings=headings, formats=formats, dense=True, whole=False)
    page.keep(first, place.first + 1)
    page.repeat(place.header)
    return page


def headings_and_formats() -> tuple[dict[str, str], dict[str, str]]:
    """Name the columns so that each header is read on its own, and say how they look."""
    headings = {"share_of_spend": "Share of spend"}
    formats = {"share_of_spend": "0.0%"}
    for name, (title, form, short, _) in LEVELS.items():
        headings |= {name: title}
        headings |= {f"{name}_{end}": f"{short}, {words}" for end, words in ENDS.values()}
        formats |= {name: form} | {f"{name}_{end}": MORE for end, _ in ENDS.values()}
    return headings, formats


def levels(habits: pd.DataFrame, tests: pd.DataFrame | None, settings: Settings) -> pd.DataFrame:
    """List the groups of every tested grouping: levels, and how they compare, as shares of 1.

    A row per group of active customers; small groups are suppressed as in `habits`.
    """
    rows = []
    compared = comparisons(tests)
    for grouping in settings.tested():
        groups = habits[habits["grouping"] == grouping]
        for row in groups.to_dict("records"):
            found = {
                "grouping": grouping.removeprefix("n_").replace("_flag", "").replace("_", " "),
                "group": str(row["group"]),
                "customers": row["customers"],
                "share_of_spend": _share(row["spend"], habits),
            }
            for name, (*_, measure) in LEVELS.items():
                key = (grouping, str(row["group"]), measure)
                low, high = compared.get(key, (NOTHING, NOTHING))
                hidden = row[name] == SUPPRESSED
                found |= {
                    name: row[name],
                    f"{name}_low": NOTHING if hidden else low,
                    f"{name}_high": NOTHING if hidden else high,
                }
            rows.append(found)
    names = ["grouping", "group", "customers", "share_of_spend"]
    ends = [end for name in LEVELS for end in (name, f"{name}_low", f"{name}_high")]
    return pd.DataFrame(rows, columns=[*names, *ends])


def _share(spend, habits: pd.DataFrame):
    """Return a group's share of the spend of all groups; the largest grouping knows the whole."""
    if not is_number(plain(spend)):
        return SUPPRESSED if spend == SUPPRESSED else NOTHING
    by_grouping = pd.to_numeric(habits["spend"], errors="coerce").groupby(habits["grouping"]).sum()
    whole = by_grouping.max()
    return round(float(spend) / float(whole), 6) if whole else NOTHING


def comparisons(tests: pd.DataFrame | None) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return the interval of each comparison with the others: 0.1 is a tenth more.

    Comparisons that are adjusted for something, and those from which nothing may be concluded, are
    left out; what a group is defined by is a comparison.
    """
    if tests is None or tests.empty:
        return {}
    rows = tests[(tests["population"] == PUBLISHED_POPULATION) & (tests["effect_name"] == "ratio")]
    if "adjusted_for" in rows:
        rows = rows[rows["adjusted_for"].fillna("").astype("str") == ""]
    found = {}
    for row in rows.to_dict("records"):
        low, high = (plain(row[name]) for name in ENDS)
        concludes = (row.get("reason") or "") in ("", BY_DEFINITION)
        if concludes and is_number(low) and is_number(high):
            key = (row["grouping"], str(row["group_a"]), row["measure"])
            found[key] = (round(low - 1, 6), round(high - 1, 6))
    return found


# ---- segments ---------------------------------------------------------------------------------


def _write_blocks(page: Page, findings: list[dict], published: dict[str, pd.DataFrame]) -> None:
    segments = published.get("segments")
    if segments is None or segments.empty:
        return
    page.section("The segments: how often customers order, and how large their baskets are")
    few = segments["customers"] == SUPPRESSED
    rows = segments[~few].to_dict("records")
    for place in range(0, len(rows), len(BESIDE)):
        first = last = page.row
        for row, columns in zip(rows[place : place + len(BESIDE)], BESIDE, strict=False):
            page.row = first
            _write_block(page, columns, row, lines_about(row, findings, published))
            last = max(last, page.row)
        page.keep(first, last - 1)
        page.row = last
        page.space(8)
    if few.any():
        names = ", ".join(segments.loc[few, "segment"])
        page.text(f"Too few customers to be described: {names}.", colour="muted")
        page.space(8)


def _write_block(page: Page, columns: tuple[int, int], row: dict, lines: dict[str, str]) -> None:
    first, last = columns
    accent = page.look.font("accent", 11, bold=True)
    page.write(page.row, first, row["segment"], font=accent)
    for column in range(first, last + 1):
        page.sheet.cell(page.row, column).border = page.look.under
    page.set_height(page.row, 18)
    page.row += 1
    for label, text in lines.items():
        page.text(f"{label}: {text}", column=first, last=last)


def lines_about(row: dict, findings: list[dict], tables: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Say of a segment how large it is, its rhythm, hours and goods, and what to try."""
    return {
        "Size": (
            f"{row['customers']:,} customers, {row['share_of_customers']:.1%} of all; "
            f"{row['share_of_orders']:.1%} of orders, {_per_cent(row['share_of_spend'])} of spend"
        ),
        "Rhythm": (
            f"half of the gaps between orders are {half_of_gaps(row['median_gap_days'])}; an order "
            f"has {row['mean_lines_per_order']:.1f} lines, {_dollars(row['mean_order_value'])}; "
            f"{row['reorder_rate']:.0%} of lines are bought again"
        ),
        "Hours": _more(row, "top_time", "no part of the day is confirmed"),
        "Buys more of": _more(row, "top_department", "no department is confirmed"),
        "What to try": what_to_try(row, findings, tables.get("offers")),
        "Rests on": _rests_on(row, findings, tables),
    }


def _per_cent(share) -> str:
    return f"{share:.1%}" if is_number(plain(share)) else "an unknown share"


def _dollars(value) -> str:
    return f"${value:,.2f}" if is_number(plain(value)) else "no price known"


def _more(row: dict, name: str, otherwise: str) -> str:
    """Say what a segment has more of than the others, with its interval."""
    ratio = "top_lift" if name == "top_department" else f"{name}_ratio"
    found, low, high = (plain(row.get(key)) for key in (name, f"{ratio}_low", f"{ratio}_high"))
    if not isinstance(found, str) or found in ("N/A", NOTHING) or not is_number(low):
        return otherwise
    return f"{found}, {low - 1:.0%} to {high - 1:.0%} more than the others"


def what_to_try(row: dict, findings: list[dict], offers: pd.DataFrame | None) -> str:
    """Take the action that names the segment; else its own rhythm says when to write."""
    named = [
        finding["action"]
        for finding in findings
        if finding["action_basis"] == HYPOTHESIS
        and any(touch.get("segment") == row["segment"] for touch in finding["touches"])
    ]
    if named:
        return " ".join(dict.fromkeys(named)).removeprefix("Try ")
    said = "a reminder once the customer's own usual gap has passed"
    if offers is not None and _own_history_wins(offers):
        said += ", with offers from the customer's own history"
    return f"{said}; against a control group."


def _own_history_wins(offers: pd.DataFrame) -> bool:
    whole = offers[offers["last_order"].astype("str") == "all"].set_index("source")["precision"]
    return {"own", "store"} <= set(whole.index) and whole["own"] > whole["store"]


def _invented(tables: dict[str, pd.DataFrame]) -> str:
    """Say which groups and measures of the sheet are invented; empty where none are."""
    people, prices = is_invented(tables, PEOPLE), is_invented(tables, PRICE)
    if not people and not prices:
        return ""
    said = "Region, age, gender, income, family and profile" if people else "Prices"
    said += " are invented in this data"
    if people and prices:
        said += ", and so are prices"
    return f"{said}: they show the method. "


def _rests_on(row: dict, findings: list[dict], tables: dict[str, pd.DataFrame]) -> str:
    data = {one for finding in findings for one in finding["rests_on"]}
    behaviour = "generated behaviour" if SYNTHETIC_DATA in data else "counted behaviour"
    is_money = is_number(plain(row["share_of_spend"])) and is_invented(tables, PRICE)
    money = "; dollars on invented prices" * is_money
    return f"{behaviour}{money}."
