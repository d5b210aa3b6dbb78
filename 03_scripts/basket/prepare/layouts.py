"""The layouts in which raw data may arrive: layouts.yml, checked against the data dictionary."""

from functools import cache
from pathlib import Path
from typing import Annotated

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
    """The file of one raw table, and the name under which each of its columns is stored."""

    file: Annotated[str, Field(pattern=r"^[^/\\]+\.csv$")]
    columns: Annotated[dict[str, str | None], BeforeValidator(_names_by_header)]


class Layout(Section):
    """One layout: the file of each raw table. `owner` says in messages whose layout it is."""

    owner: str
    tables: dict[str, RawTable]

    @property
    def lacks(self) -> tuple[str, ...]:
        """Tables, and columns of its tables, that the dictionary has and the layout lacks."""
        lacks = []
        for table in graph()["01_import"].makes:
            short, raw = table.removeprefix("raw_"), self.tables.get(table)
            if raw is None:
                lacks.append(short)
                continue
            names = [column.name for column in dictionary.columns_of(table)]
            lacks += [f"{short}.{name}" for name in names if name not in raw.columns.values()]
        return tuple(lacks)

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


def file_names() -> set[str]:
    """Return the names of the files of all layouts."""
    return {raw.file for layout in layouts().values() for raw in layout.tables.values()}
