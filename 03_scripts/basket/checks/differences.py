"""Compare what is to be sent with what was sent before: together, reports may tell of a few people.

Beside each file that was sent lies what it says of customers: counts that stand in it, no rows.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from basket.analysis.privacy import KEYS, SUPPRESSED, describes_customers
from basket.project.errors import BasketError
from basket.project.files import read_json
from basket.project.folders import Folders
from basket.project.settings import Settings
from basket.report.workbook.material import read_material

COUNTS = ("customers", "buyers", "customers_with_both", "customers_relabelled", "customers_here")
ROWS = ("rows_in", "rows_added", "rows_removed", "rows_out")  # of the flow: a row is a customer
FLOW = "population_flow"
ACTIVE = "active customers, analysis_customers (1): rows_out"  # the place of who is left
SAID = ".counts.json"
SENT = re.compile(r"^\| \d{4}-\d\d-\d\d \| ([^|/]+\.xlsx) \|", re.M)  # a row of the log: its file

Counts = dict[str, int | None]


def published_counts(folders: Folders, settings: Settings) -> Counts:
    """Return each count of customers of the report, by its place; None where it is suppressed."""
    material = read_material(folders, settings, folders.run_facts)
    flow = material.tables[FLOW]
    tables = {
        name: table for name, table in material.tables.items() if not describes_customers(table)
    } | material.published
    tables[FLOW] = flow[flow["table"].astype(str).str.endswith("customers")]
    return {
        place: count for name, table in tables.items() for place, count in _counts_of(name, table)
    }


def _counts_of(name: str, table: pd.DataFrame) -> Iterator[tuple[str, int | None]]:
    """Yield the counts of customers of one table by its name, its labels and the column."""
    labels = [column for column in table.columns if column in KEYS]
    again: Counter[str] = Counter()
    for row in table.astype(object).to_dict("records"):
        place = ", ".join(str(row[column]) for column in labels)
        again[place] += 1
        for column in (*COUNTS, *ROWS):
            count = row.get(column)
            if count == SUPPRESSED or isinstance(count, int):
                place_of_count = f"{name}: {place} ({again[place]}): {column}"
                yield place_of_count, None if count == SUPPRESSED else count


def sent_before(client: Path) -> dict[str, Counts]:
    """Return the counts of each report that was sent, by the name of its file, from its folder.

    Raises BasketError where the log names a report of which no counts are kept.
    """
    log = (client / "log.md").read_text(encoding="utf-8")
    for name in SENT.findall(log):
        kept = said_file(client / name)
        if not kept.is_file():
            raise BasketError(
                f"log.md says that {name} was sent, and {kept.name} is not there: nobody can tell "
                "whether both reports together tell of a few customers; restore that file from "
                "git, or add --accept-difference (make send ACCEPT_DIFFERENCE=1)"
            )
    files = sorted(client.glob(f"*{SAID}"))
    return {file.name.removesuffix(SAID): read_json(file, {}) for file in files}


def said_file(report: Path) -> Path:
    """Return the file that keeps the counts of a report that was sent."""
    return report.with_name(f"{report.name}{SAID}")


def refuse_few(counts: Counts, smallest: int) -> None:
    """Raise BasketError where the whole report is about fewer than `smallest` customers."""
    for place, count in counts.items():
        if place.endswith(ACTIVE) and (count or 0) < smallest:
            raise BasketError(
                f"the report is about {count or 0} active customers, fewer than "
                f"{smallest} (privacy.smallest_group): every number tells of them; not sent"
            )


def refuse_revealing(now: Counts, earlier: dict[str, Counts], smallest: int) -> None:
    """Raise BasketError where a count and one that was sent differ by fewer than `smallest`."""
    for file, before in earlier.items():
        found = [
            f"{place}: {_told(before[place])} then, {_told(count)} now"
            for place, count in now.items()
            if place in before and _reveals(count, before[place], smallest)
        ]
        if found:
            more = f", and {len(found) - 1:,} more" if len(found) > 1 else ""
            raise BasketError(
                f"{file} was sent before, and a count differs from it by 1 to {smallest - 1} "
                f"customers ({found[0]}{more}): both together tell of these customers; do not send "
                "it, or add --accept-difference (make send ACCEPT_DIFFERENCE=1)"
            )


def _reveals(one: int | None, other: int | None, smallest: int) -> bool:
    """Whether two counts differ by too few; a suppressed one may be just below a small one."""
    if one is None or other is None:
        return (one or other or 2 * smallest) < 2 * smallest - 1
    return 0 < abs(one - other) < smallest


def _told(count: int | None) -> str:
    return SUPPRESSED if count is None else f"{count:,}"
