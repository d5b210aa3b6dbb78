"""Read the data dictionary: every column once, turned into schemas that all written tables meet.

A column of the result tables (`results` among its tables) also says how a reader sees it: heading,
number format, and whether it identifies rows.
"""

from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from basket.project.errors import BasketError
from basket.project.files import read_rows
from basket.project.folders import ROOT

if TYPE_CHECKING:  # they take long to load; the settings are checked against the dictionary
    import pandas as pd
    import pyarrow as pa

    from basket.project.flag import Flag
    from basket.project.settings import Settings

PATH = ROOT / "01_project_management" / "data_dictionary.csv"

_SLOWLY = Lock()  # pandera loads its checks at the first use, which must not be on two threads

STORED_AS = {  # a type of the dictionary and pyarrow's name of how it is stored
    **{name: name for name in ("int8", "int16", "int32", "int64", "float64", "bool")},
    **{name: name.lower() for name in ("Int8", "Int16", "Int32")},  # pandas' with gaps
    "date": "date32",
    "category": "dictionary",
}
COMPOSED = ("segment", "profile")  # flags of customers whose labels are put together from others
NUMERIC = tuple(name for name in STORED_AS if name.lower().startswith(("int", "float")))
RESULTS = "results"  # means all result tables among the tables of a column
AS_WRITTEN = ("type", "unit", "source", "derived_from", "derivation", "description")
AS_WRITTEN += ("heading", "format", "key")
HEADER = ("column", "tables", "required", "minimum", "maximum", "allowed", *AS_WRITTEN)
OF_RESULTS = ("fraction", "money", "text", "whole")  # types of columns that no stored table has
EXPECTED = {  # of each row
    "type": (*STORED_AS, *OF_RESULTS),
    "required": ("yes", "no", "received"),
    "key": ("", "customers", "parts", "context"),
}


@dataclass(frozen=True)
class Column:
    """One row of the dictionary: a column name means the same in every table that has it."""

    name: str
    tables: tuple[str, ...]
    type: str
    required: bool
    needed: bool  # in every row of a file that has the column, which may lack it
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
    def is_text(self) -> bool:
        """Whether it contains texts, even if every one of them looks like a number."""
        return self.type in ("text", "category")

    @property
    def decimals(self) -> int:
        """Decimals with which its fractions are written: two for money, six for others."""
        return 2 if self.type == "money" else 6

    def is_checked_in(self, table: str) -> bool:
        """Return whether its values are checked in a table: only in its first, others copy them."""
        return self.tables[0] == table

    @property
    def arrow_type(self) -> "pa.DataType":
        """Type in which the column is stored."""
        import pyarrow as pa

        if self.type == "category":
            return pa.dictionary(pa.int32(), pa.string())
        return pa.type_for_alias(STORED_AS[self.type])

    @property
    def pandas_type(self) -> str:
        """Type that a notebook sees."""
        return "datetime64[s]" if self.type == "date" else self.type


@cache
def columns() -> tuple[Column, ...]:
    """Return all columns, in the order in which every table shows them."""
    return tuple(map(_column, read_rows(PATH, HEADER)))


def _column(row: dict[str, str]) -> Column:
    tables = row["tables"].split()
    for name, known in EXPECTED.items():
        if row[name] not in known:
            raise _wrong(row, name, f"one of {', '.join(one or 'nothing' for one in known)}")
    if tables == [RESULTS] and row["type"] not in OF_RESULTS:
        raise _wrong(row, "type", f"of a result table, one of {', '.join(OF_RESULTS)}")
    return Column(
        name=row["column"],
        tables=tuple(name for name in tables if name != RESULTS),
        required=row["required"] == "yes",
        needed=row["required"] in ("yes", "received"),
        minimum=_limit(row, "minimum"),
        maximum=_limit(row, "maximum"),
        allowed=tuple(row["allowed"].split("|")) if row["allowed"] else (),
        in_results=RESULTS in tables,
        **{name: row[name] for name in AS_WRITTEN},
    )


def _limit(row: dict[str, str], name: str) -> float | None:
    try:
        return float(row[name]) if row[name] else None
    except ValueError:
        raise _wrong(row, name, "a number, or nothing") from None


def _wrong(row: dict[str, str], name: str, expected: str) -> BasketError:
    found = f"found {row[name]!r}, expected {expected}"
    return BasketError(f"{PATH}: row {row['column']}: {name}: {found}")


@cache
def columns_of(table: str) -> tuple[Column, ...]:
    """Return the columns of a table, in order. Raises KeyError for a table that no column names."""
    found = tuple(column for column in columns() if table in column.tables)
    if not found:
        raise KeyError(f"data_dictionary.csv has no column for the table {table}")
    return found


@cache
def result_columns() -> dict[str, Column]:
    """Return the columns of the result tables by name."""
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
def arrow_schema(table: str) -> "pa.Schema":
    """Return the schema in which a table is stored."""
    import pyarrow as pa

    columns = columns_of(table)
    return pa.schema([pa.field(c.name, c.arrow_type, not c.required) for c in columns])


def validate(table: str, frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return the frame with the table's columns in order; raise when it breaks the dictionary."""
    columns = columns_of(table)
    names = [column.name for column in columns]
    for name in set(frame).difference(names):
        raise BasketError(
            f"{table} has the column {name}, which {PATH.name} does not describe: add a row"
        )
    is_complete = sorted(frame) == sorted(names)
    if not is_complete or not all(keeps(c, frame[c.name], table) for c in columns):
        with _SLOWLY:
            _say_what_is_wrong(table, frame)
    return frame[names]


def keeps(column: Column, values: "pd.Series", table: str) -> bool:
    """Return whether a column keeps to the dictionary: in one pass, pandera would take ten."""
    if str(values.dtype) != column.pandas_type or (column.required and values.hasnans):
        return False
    if not column.is_checked_in(table) or values.isna().all():
        return True
    if column.allowed:
        return set(values.cat.categories) <= set(column.allowed)
    return (column.minimum is None or values.min() >= column.minimum) and (
        column.maximum is None or values.max() <= column.maximum
    )


def _say_what_is_wrong(table: str, frame: "pd.DataFrame") -> None:
    """Raise a BasketError that names the first rule which the frame breaks, if it breaks one."""
    import pandera.pandas as pandera

    described = {}
    for column in columns_of(table):
        rules = []
        if column.is_checked_in(table):
            check, limits = pandera.Check, (column.minimum, column.maximum, column.allowed or None)
            rules = [
                rule(limit, n_failure_cases=20)
                for rule, limit in zip((check.ge, check.le, check.isin), limits, strict=True)
                if limit is not None
            ]
        nullable = not column.required
        described[column.name] = pandera.Column(column.pandas_type, rules, nullable=nullable)
    try:
        pandera.DataFrameSchema(described, strict=True, name=table).validate(frame)
    except (pandera.errors.SchemaError, pandera.errors.SchemaErrors) as error:
        first = getattr(error, "schema_errors", [error])[0]
        reason = " ".join(str(first).split())[:300]
        raise BasketError(f"{table}: breaks data_dictionary.csv: {reason}") from None


def require_flag(name: str, flag: "Flag") -> None:
    """Raise ValueError where no column can hold a flag, or no column can make its labels."""
    key, table = f"flags.{name}", f"analysis_{flag.of}s"
    column = {column.name: column for column in columns_of(table)}.get(name)
    if column is None:
        raise ValueError(f"{key}: {PATH.name} has no column {name} of {table}: add a row")
    if not flag.labels and (flag.of != "customer" or name not in (flag.source, *COMPOSED)):
        raise ValueError(f"{key}: found no labels, expected bands or gathers")
    if flag.labels and (column.type, column.source) != ("category", "derived"):
        kind = f"found {column.type} from {column.source}, expected a category that is derived"
        raise ValueError(f"{key}: {PATH.name} has another column {name}: {kind}")
    if column.key != "customers" and flag.of == "customer":
        raise ValueError(f"{key}: expected customers as the key of {name} in {PATH.name}")
    source = columns_of("products" if flag.of == "product" else table)
    numbers = [c.name for c in source if c.type in NUMERIC and c.unit != "identifier"]
    received = [c.name for c in source if c.type == "category" and c.source != "derived"]
    usable, most, over = (numbers, 2, ", or one over another") if flag.bands else (received, 1, "")
    parts = [part.strip() for part in flag.source.split("/")]
    if (flag.bands or flag.gathers) and (not set(parts) <= set(usable) or len(parts) > most):
        found = f"found {flag.source!r}, expected one of {', '.join(usable)}{over}"
        raise ValueError(f"{key}.from: {found}")


def flags_described() -> set[str]:
    """Name the columns whose derivation stands in the settings."""
    return {column.name for column in columns() if "{rules}" in column.derivation}


def derivations(settings: "Settings") -> list[dict[str, str]]:
    """Return a row per derived column, its rule worded with the thresholds in force.

    `{rules}` in a derivation stands for the rules of the flag of that name.
    """
    words = {name: f"{value:,.10g}" for name, value in settings.thresholds}
    words |= settings.labels.model_dump() | {"day_0": settings.day_names[0]}
    rules = {name: flag.wording for name, flag in settings.flags.items()}
    return [
        {
            "table": " ".join(column.tables),
            "column": column.name,
            "derived_from": column.derived_from,
            "condition": _filled(column, "derivation", words | {"rules": rules.get(column.name)}),
            "unit": column.unit,
            "description": _filled(column, "description", words),
        }
        for column in columns()
        if column.source == "derived" and column.tables
    ]


def _filled(column: Column, name: str, words: dict[str, object]) -> str:
    """Put the words in the place of their names; raise BasketError for a name of none."""
    try:
        return getattr(column, name).format(**words)
    except (LookupError, ValueError) as error:
        found = f"found {error}" if isinstance(error, LookupError) else error
        expected = f"in braces, expected one of {', '.join(words)}"
        raise BasketError(f"{PATH}: row {column.name}: {name}: {found}; {expected}") from None


def describe(table: str) -> "pd.DataFrame":
    """Return the dictionary's rows of one table: column, type, unit and description."""
    import pandas as pd

    rows = [(c.name, c.type, c.unit, c.description) for c in columns_of(table)]
    return pd.DataFrame(rows, columns=["column", "type", "unit", "description"])
