"""The audit: what each stage checked, changed and removed, kept as rows of the report."""

from dataclasses import dataclass, field

import pandas as pd

from basket.project.errors import BasketError
from basket.project.folders import Folders
from basket.project.stages import graph, read_record

COUNTS = ["rows_in", "rows_added", "rows_removed", "rows_quarantined", "rows_out"]
FLOW = ["rules", "step", "table", *COUNTS, "reason"]
CHECKS = ["table", "column", "check", "found", "action"]
WRANGLING = ["table", "dropped", "renamed", "type_changed", "reason"]
COMPLETENESS = ["what", "found", "of", "share", "limit", "consequence"]


def read_audit(folders: Folders, before: str) -> dict[str, pd.DataFrame]:
    """Read the audit of all stages before this one: flow, checks, wrangling, what is missing."""
    records = [read_record(folders, name) for name in graph() if name < before]
    parts = {
        "population_flow": ("flow", FLOW),
        "consistency_checks": ("checks", CHECKS),
        "wrangling_steps": ("wrangling", WRANGLING),
        "completeness": ("missing", COMPLETENESS),
    }
    return {
        name: pd.DataFrame([row for record in records for row in record[part]], columns=columns)
        for name, (part, columns) in parts.items()
    }


@dataclass
class Audit:
    """What one stage recorded: rows of the four tables that `read_audit` reads."""

    rules: str
    flow: list[dict] = field(default_factory=list)
    checks: list[dict] = field(default_factory=list)
    wrangling: list[dict] = field(default_factory=list)
    missing: list[dict] = field(default_factory=list)

    def record_flow(
        self,
        table: str,
        step: str,
        rows_in: int,
        rows_out: int,
        *,
        added: int = 0,
        removed: int = 0,
        quarantined: int = 0,
        reason: str = "",
        rules: str | None = None,
    ) -> pd.DataFrame:
        """Record where rows went, in rows of `table`.

        Raises BasketError when they do not add up or a count is negative.
        """
        if rows_in + added != rows_out + removed + quarantined:
            raise BasketError(
                f"{table}: {step}: rows do not add up: {rows_in:,} read + {added:,} added is not "
                f"{rows_out:,} kept + {removed:,} removed + {quarantined:,} quarantined"
            )
        if min(rows_in, rows_out, added, removed, quarantined) < 0:
            raise BasketError(f"{table}: {step}: a count of rows is negative")
        counts = map(int, (rows_in, added, removed, quarantined, rows_out))
        values = (rules or self.rules, step, table, *counts, reason)
        row = dict(zip(FLOW, values, strict=True))
        self.flow.append(row)
        return pd.DataFrame([row])

    def record_check(self, table: str, column: str, check: str, found, action: str) -> None:
        """Record one look at a column: what was looked for, what was found, what was done."""
        row = (table, column, check, str(found), action)
        self.checks.append(dict(zip(CHECKS, row, strict=True)))

    def record_wrangling(
        self, table: str, reason: str, dropped: str = "", renamed: str = "", type_changed: str = ""
    ) -> None:
        """Record columns that were dropped, renamed or given another type, and why."""
        row = (table, dropped, renamed, type_changed, reason)
        self.wrangling.append(dict(zip(WRANGLING, row, strict=True)))

    def record_missing(
        self,
        table: str,
        column: str,
        what: str,
        found: int,
        of: int,
        consequence: str,
        limit: float | None = None,
    ) -> None:
        """Record how much of something is missing, as a row of completeness and as a check.

        Above the share `limit` the histories of customers are incomplete.
        """
        share = found / of if of else 0.0
        row = (what, int(found), int(of), share, limit, consequence if found else "none")
        self.missing.append(dict(zip(COMPLETENESS, row, strict=True)))
        action = consequence if found else "none needed"
        self.record_check(table, column, what, f"{int(found):,} of {int(of):,}", action)

    def missing_table(self) -> pd.DataFrame:
        """Return what this stage recorded as missing so far."""
        return pd.DataFrame(self.missing, columns=COMPLETENESS)

    def checks_table(self) -> pd.DataFrame:
        """Return the checks of this stage so far."""
        return pd.DataFrame(self.checks, columns=CHECKS)

    def flow_table(self) -> pd.DataFrame:
        """Return the row flow of this stage so far."""
        return pd.DataFrame(self.flow, columns=FLOW)
