"""A finding, the evidence that it takes its numbers from, and what is said instead of an answer.

No sentence is typed in that data could falsify. A finding takes each number from a cell of a result
table through `Evidence`, which notes its place; `basket verify` looks every one of them up
again.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import pandas as pd

from basket.analysis.where import where
from basket.project.dictionary import result_column
from basket.project.settings import Settings

MARKETING, SALES = "VP of Marketing", "SVP of Sales"
PRICES, CUSTOMERS = "products.prices", "customers"  # what a delivery may lack and have made up
UNITS = {  # of a column in one table, where the dictionary gives that of most tables
    "busiest_times.index_low": "times the average",
    "busiest_times.share": "share of orders",
    "days_between_orders.share": "share of returns",
    "department_lifts.effect": "times the mean share",
    "department_lifts.effect_low": "times the mean share",
    "department_lifts.effect_high": "times the mean share",
    "product_pairs.lift": "times chance",
    "product_pairs.lift_low": "times chance",
    "product_pairs.lift_high": "times chance",
    "profiles.top_time_ratio": "times the usual share",
}


class NotAnswered(Exception):
    """This data cannot answer a question; the arguments say what is put in place of an answer."""

    headline: str
    action: str


class TooLittleData(NotAnswered):
    """This data holds too little to say: the reason, as a sentence for the reader."""

    headline = "Not answered: this data holds too little to say"
    action = "Run the analysis again with more data."


class FabricatedData(NotAnswered):
    """The answer would rest on columns that were made up because the delivery lacks them."""

    action = "Run the analysis again with real prices and customers."

    def __init__(self, what: str):
        """Name what is made up: the prices, the customers."""
        super().__init__(
            "A conclusion from made-up columns would say nothing about real customers."
        )
        self.headline = f"Not answered: {what} of this data are fabricated"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One answer: what was found, so what, what to do, who does it, how sure we are.

    `figure` names the figure that shows it, `size` says how much it touches.
    """

    headline: str
    so_what: str
    action: str
    owner: str = MARKETING
    confidence: str = "low"
    figure: str = ""
    size: str = ""
    change_mind: str = ""


class Evidence:
    """The result tables, and every number that one finding takes from them."""

    def __init__(self, tables: dict[str, pd.DataFrame], fabricated: tuple[str, ...] = ()):
        """Take numbers from `tables`; `fabricated` names what in them was made up."""
        self.tables = tables
        self.fabricated = fabricated
        self.numbers: dict[str, dict] = {}
        self.rests_on: list[str] = []

    def require_real(self, needed: str) -> None:
        """Raise FabricatedData where the prices, or the customers, were made up."""
        if needed in self.fabricated:
            raise FabricatedData("the prices" if needed == PRICES else "the customers")

    def row(self, table: str, **where) -> "Row":
        """Find the one row of a table in which the columns have these values."""
        return Row(self, table, where)


class Row:
    """One row of a result table: each cell that is read is noted as a number of the finding."""

    def __init__(self, seen: Evidence, table: str, where: dict):
        """Find the row; LookupError unless there is exactly one."""
        if table not in seen.tables or not {*where} <= {*seen.tables[table]}:
            raise LookupError(
                f"no table {table} has these columns: asked for the row where {where}"
            )
        rows = seen.tables[table]
        for key, value in where.items():
            rows = rows[rows[key].astype("str") == str(value)]
        if len(rows) != 1:
            raise LookupError(f"{table} has {len(rows)} rows where {where}; expected one")
        self._seen, self._table, self._where = seen, table, where
        self._row = rows.iloc[0:1]

    def __getattr__(self, column: str):
        """Read a cell and note it under the name of its column."""
        if column.startswith("_") or column not in self._row:
            raise AttributeError(f"{self._table} has no column {column}")
        return self.cell(column)

    def cell(self, column: str, name: str = "", unit: str = ""):
        """Read a cell and note it under `name`; `unit` where the column alone does not tell it."""
        described = result_column(column)
        value = self._row[column].iloc[0]
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, float):
            value = round(value, described.decimals)  # as the table is written
        where = {"column": column} | {key: str(value) for key, value in self._where.items()}
        self._seen.numbers[name or column] = {
            "value": value,
            "unit": unit or UNITS.get(f"{self._table}.{column}", described.unit),
            "table": self._table,
            "where": where,
        }
        if self._table not in self._seen.rests_on:
            self._seen.rests_on.append(self._table)
        return value


def answer(
    function: Callable[[Evidence, Settings], Finding],
    tables: dict[str, pd.DataFrame],
    settings: Settings,
    fabricated: tuple[str, ...],
) -> tuple[Finding, Evidence]:
    """Answer, or say why this data cannot: the only place that catches NotAnswered."""
    seen = Evidence(tables, fabricated)
    try:
        require_active(tables)
        return function(seen, settings), seen
    except NotAnswered as reason:
        said = Finding(headline=reason.headline, so_what=str(reason), action=reason.action)
        return said, Evidence(tables)


def require_active(tables: dict[str, pd.DataFrame]) -> None:
    """Raise TooLittleData where no customer is active: then there is nothing to say or draw."""
    if tables["habits"][where(population="active")].empty:
        raise TooLittleData("No customer has enough orders to count as active.")


def record(number: int, question: str, finding: Finding, seen: Evidence) -> dict:
    """Describe a finding as findings.json does; `number` is its place among all, from 1."""
    said = asdict(finding)
    before = ("headline", "so_what", "action", "owner", "confidence")
    return {
        "id": f"F{number:02d}",
        "question": question,
        **{name: said[name] for name in before},
        "evidence": seen.rests_on,
        "figure": finding.figure,
        "numbers": seen.numbers,
        "size": finding.size,
        "change_mind": finding.change_mind,
    }
