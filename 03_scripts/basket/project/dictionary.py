"""The data dictionary: every column once, turned into schemas that each written table must meet.

A column of the result tables (`results` among its tables) also says how a reader sees it: heading,
number format, and whether it identifies rows.
"""

import csv
from dataclasses import dataclass
from functools import cache
from threading import Lock

import pandas as pd
import pyarrow as pa

from basket.project.errors import BasketError
from basket.project.folders import ROOT
from basket.project.settings import Settings

PATH = ROOT / "01_project_management" / "data_dictionary.csv"

_SLOWLY = Lock()  # pandera loads its checks at the first use, which must not be on two threads

ARROW_TYPES = {
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "Int8": pa.int8(),
    "Int32": pa.int32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "category": pa.dictionary(pa.int32(), pa.string()),
}
RESULTS = "results"  # stands for all result tables among the tables of a column
TEXTS = ("text", "category")
PANDAS_TYPES = {name: name for name in ARROW_TYPES} | {"date": "datetime64[s]"}


@dataclass(frozen=True)
class Column:
    """One row of the dictionary: a column name means the same in every table that has it."""

    name: str
    tables: tuple[str, ...]
    type: str
    required: bool
    minimum: float | None
    maximum: float | None
    allowed: tuple[str, ...]
    unit: str
    source: str
    derived_from: str
    derivation: str
    description: str
    in_results: bool
    heading: str
    format: str
    key: str  # of the rows of a result table: customers, parts, context, or none

    @property
    def is_key(self) -> bool:
        """Whether it identifies the rows of a result table: a label, never a value."""
        return bool(self.key)

    @property
    def is_text(self) -> bool:
        """Whether it holds texts, even where every one of them looks like a number."""
        return self.type in TEXTS

    @property
    def decimals(self) -> int:
        """Decimals with which its fractions are written: of money two, of others six."""
        return 2 if self.type == "money" else 6

    def is_checked_in(self, table: str) -> bool:
        """Whether its values are checked in a table: in the first, as a gather changes none."""
        return self.tables[0] == table

    @property
    def arrow_type(self) -> pa.DataType:
        """Type in which the column is stored."""
        return ARROW_TYPES[self.type]

    @property
    def pandas_type(self) -> str:
        """Type that a notebook sees."""
        return PANDAS_TYPES[self.type]


@cache
def columns() -> tuple[Column, ...]:
    """All columns, in the order in which every table shows them."""
    with PATH.open(newline="", encoding="utf-8") as file:
        return tuple(
            Column(
                name=row["column"],
                tables=tuple(name for name in row["tables"].split() if name != RESULTS),
                type=row["type"],
                required=row["required"] == "yes",
                minimum=float(row["minimum"]) if row["minimum"] else None,
                maximum=float(row["maximum"]) if row["maximum"] else None,
                allowed=tuple(row["allowed"].split("|")) if row["allowed"] else (),
                unit=row["unit"],
                source=row["source"],
                derived_from=row["derived_from"],
                derivation=row["derivation"],
                description=row["description"],
                in_results=RESULTS in row["tables"].split(),
                heading=row["heading"],
                format=row["format"],
                key=row["key"],
            )
            for row in csv.DictReader(file, restval="")
        )


@cache
def columns_of(table: str) -> tuple[Column, ...]:
    """The columns of one table, in order. Raises KeyError for a table that no column names."""
    found = tuple(column for column in columns() if table in column.tables)
    if not found:
        raise KeyError(f"data_dictionary.csv has no column for the table {table}")
    return found


@cache
def result_columns() -> dict[str, Column]:
    """The columns of the result tables by name."""
    return {column.name: column for column in columns() if column.in_results}


def result_column(name: str) -> Column:
    """Return a column of the result tables; raise BasketError for an unknown name."""
    try:
        return result_columns()[name]
    except KeyError:
        raise BasketError(
            f"{PATH.name}: describes no column {name} of the result tables; add a row for it with "
            f"{RESULTS} among its tables"
        ) from None


@cache
def arrow_schema(table: str) -> pa.Schema:
    """The schema in which a table is stored."""
    return pa.schema(
        [pa.field(c.name, c.arrow_type, nullable=not c.required) for c in columns_of(table)]
    )


@cache
def schema(table: str):
    """The pandera schema of a table: columns, types, missing values, and values (is_checked_in)."""
    import pandera.pandas as pandera

    def checks(column: Column) -> list:
        if not column.is_checked_in(table):
            return []
        found = []
        if column.minimum is not None:
            found.append(pandera.Check.ge(column.minimum, n_failure_cases=20))
        if column.maximum is not None:
            found.append(pandera.Check.le(column.maximum, n_failure_cases=20))
        if column.allowed:
            found.append(pandera.Check.isin(column.allowed, n_failure_cases=20))
        return found

    return pandera.DataFrameSchema(
        {
            c.name: pandera.Column(c.pandas_type, checks(c), nullable=not c.required)
            for c in columns_of(table)
        },
        strict=True,
        name=table,
    )


def validate(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the table's columns in order; raise when it breaks the dictionary."""
    names = [column.name for column in columns_of(table)]
    if sorted(frame) != sorted(names) or not all(
        keeps(column, frame[column.name], table) for column in columns_of(table)
    ):
        with _SLOWLY:
            _say_what_is_wrong(table, frame)
    return frame[names]


def keeps(column: Column, values: pd.Series, table: str) -> bool:
    """Whether a column keeps to the dictionary, checked in one pass: pandera's checks take ten."""
    if str(values.dtype) != column.pandas_type or (column.required and values.hasnans):
        return False
    if not column.is_checked_in(table) or values.isna().all():
        return True
    if column.allowed:
        return set(values.cat.categories) <= set(column.allowed)
    return (column.minimum is None or values.min() >= column.minimum) and (
        column.maximum is None or values.max() <= column.maximum
    )


def _say_what_is_wrong(table: str, frame: pd.DataFrame) -> None:
    """Raise a BasketError that names the first rule which the frame breaks, if it breaks one."""
    from pandera.errors import SchemaError, SchemaErrors

    try:
        schema(table).validate(frame)
    except (SchemaError, SchemaErrors) as error:
        first = error.schema_errors[0] if isinstance(error, SchemaErrors) else error
        reason = " ".join(str(first).split())[:300]
        raise BasketError(f"{table}: breaks data_dictionary.csv: {reason}") from None


def derivations(settings: Settings) -> list[dict[str, str]]:
    """One row per derived column, its rule worded with the thresholds in force."""
    words = {name: f"{value:,.10g}" for name, value in settings.thresholds}
    words |= {
        name: [f"{cut:,.10g}" for cut in flag.cuts]
        for name, flag in settings.flags.items()
        if flag.cuts
    }
    words |= settings.labels.model_dump() | {"day_0": settings.day_names[0]}
    return [
        {
            "table": " ".join(column.tables),
            "column": column.name,
            "derived_from": column.derived_from,
            "condition": column.derivation.format(**words),
            "unit": column.unit,
            "description": column.description.format(**words),
        }
        for column in columns()
        if column.source == "derived"
    ]


def describe(table: str) -> pd.DataFrame:
    """The dictionary's rows of one table: column, type, unit and description."""
    return pd.DataFrame(
        [(c.name, c.type, c.unit, c.description) for c in columns_of(table)],
        columns=["column", "type", "unit", "description"],
    )
