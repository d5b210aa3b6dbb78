"""The layouts in which raw data may arrive: layouts.yml, checked against the data dictionary."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, RootModel, model_validator

from basket.project import dictionary
from basket.project.folders import ROOT
from basket.project.settings import Section
from basket.project.stages import graph
from basket.project.yaml_file import read_yaml

PATH = ROOT / "01_project_management" / "layouts.yml"
FABRICATED = ("products.prices", "customers")  # by the generator, where a layout lacks them


def _names_by_header(columns: object) -> object:
    """Turn [order_id, order_dow: order_day] into {order_id: order_id, order_dow: order_day}."""
    if not isinstance(columns, list):
        raise ValueError("expected a list of columns")
    pairs = [column if isinstance(column, dict) else {column: column} for column in columns]
    found = {header: name for pair in pairs for header, name in pair.items()}
    if len(found) < len(columns):
        raise ValueError("each column must appear once")
    return found


class RawTable(Section):
    """The file of one raw table, and the name under which each of its columns is stored.

    `empty_means` gives the number that stands in for an empty field. The column `from_lines` is not
    in the file: whether an order has lines tells it. Rows that repeat another are `set aside` where
    a delivery is known to hold some.
    """

    file: Annotated[str, Field(pattern=r"^[^/\\]+\.csv$")]
    columns: Annotated[dict[str, str | None], BeforeValidator(_names_by_header)]
    empty_means: dict[str, int] = Field(default_factory=dict)
    from_lines: Literal["eval_set"] | None = None
    repeats: Literal["set aside"] | None = None

    @property
    def stored(self) -> set[str]:
        """The names of the columns that are stored of it, those that its lines tell included."""
        names = set(self.columns.values()) | {self.from_lines}
        return {name for name in names if name is not None}


class Layout(Section):
    """One layout: the file of each raw table. `owner` says in messages whose layout it is."""

    owner: str
    separator: Annotated[str, Field(pattern=r"^[,;\t|]$")] = ","
    tables: dict[str, RawTable]
    not_read: list[str] = Field(default_factory=list)

    @property
    def lacks(self) -> tuple[str, ...]:
        """Tables, and columns of its tables, that the dictionary has and the layout lacks."""
        return lacking(self.tables)

    @model_validator(mode="after")
    def _fits_the_dictionary(self):
        for table, raw in self.tables.items():
            if table not in graph()["01_import"].makes:
                raise ValueError(f"{table} is no raw table")
            known = {column.name for column in dictionary.columns_of(table)}
            stored = [name for name in raw.columns.values() if name is not None]
            for name in stored:
                if name not in known or stored.count(name) > 1:
                    raise ValueError(
                        f"{table}: {name}: expected a column that data_dictionary.csv has, once"
                    )
        missing = [name for name in self.lacks if name not in FABRICATED]
        if missing:
            raise ValueError(f"{missing[0]} is missing and cannot be fabricated")
        return self


def lacking(tables: dict[str, RawTable]) -> tuple[str, ...]:
    """Return the tables, and the columns of these tables, that the dictionary has beyond them."""
    lacks = []
    for table in graph()["01_import"].makes:
        short, raw = table.removeprefix("raw_"), tables.get(table)
        if raw is None:
            lacks.append(short)
            continue
        names = [column.name for column in dictionary.columns_of(table)]
        lacks += [f"{short}.{name}" for name in names if name not in raw.stored]
    return tuple(lacks)


class _Layouts(RootModel[dict[str, Layout]]):
    @model_validator(mode="after")
    def _each_lines_file_once(self):
        files = [layout.tables["raw_lines"].file for layout in self.root.values()]
        if len(set(files)) < len(files):
            raise ValueError("the files of raw_lines must have a name of their own in each layout")
        return self


@cache
def layouts(path: Path = PATH) -> dict[str, Layout]:
    """Return all layouts by name; raise SettingsError that names the place at fault in the file."""
    return read_yaml(path, _Layouts).root


@dataclass(frozen=True)
class Form:
    """One way in which a raw table may arrive: the layout that describes it, and its file there."""

    layout: str
    table: str
    raw: RawTable

    @property
    def file(self) -> str:
        """The name of its file, in lower case."""
        return self.raw.file.lower()

    @property
    def separators(self) -> tuple[str, ...]:
        """What may stand between its fields: the layout's own sign, or a comma."""
        return tuple(dict.fromkeys([layouts()[self.layout].separator, ","]))


@cache
def forms() -> tuple[Form, ...]:
    """Return every form of every raw table, in the order of layouts.yml."""
    found = layouts().items()
    return tuple(Form(name, table, raw) for name, one in found for table, raw in one.tables.items())


def files_not_read() -> set[str]:
    """Return the names of files that belong to a delivery and are not needed."""
    return {name.lower() for layout in layouts().values() for name in layout.not_read}
