"""The result tables as a data package (Frictionless Data), described by the data dictionary."""

import csv
import hashlib
from pathlib import Path

from basket.project.dictionary import Column, result_column

SCHEMAS = "https://datapackage.org/profiles/2.0"
TYPES = {"text": "string", "category": "string", "whole": "integer"}
TYPES |= {"int16": "integer", "int32": "integer"}  # all others are numbers


def data_package(tables: list[Path], facts: dict, title: str, place: str) -> dict:
    """Describe result tables: a resource each, with the type, unit and limits of every column.

    `facts` are those of the run; `place` is where the tables lie beside the description.
    """
    return {
        "$schema": f"{SCHEMAS}/datapackage.json",
        "name": "basket-results",
        "title": title,
        "description": facts["data"]["description"],
        "version": facts["version"],
        "created": f"{facts['date']}T00:00:00Z",
        "licenses": [{"name": "MIT", "path": "https://opensource.org/license/mit"}],
        "resources": [_resource(path, place) for path in sorted(tables)],
    }


def _resource(table: Path, place: str) -> dict:
    content = table.read_bytes()
    header = next(csv.reader(content.decode("utf-8").splitlines()))
    return {
        "name": table.stem,
        "type": "table",
        "path": f"{place}/{table.name}",
        "title": table.stem.replace("_", " ").capitalize(),
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": len(content),
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "schema": {
            "$schema": f"{SCHEMAS}/tableschema.json",
            "fields": [_field(result_column(name)) for name in header],
            "missingValues": [""],
        },
    }


def _field(column: Column) -> dict:
    """Describe a column; a category that the dictionary lists is an enumeration."""
    number = TYPES.get(column.type, "number")
    limits = {"minimum": column.minimum, "maximum": column.maximum}
    constraints = {name: limit for name, limit in limits.items() if limit is not None}
    constraints |= {"enum": list(column.allowed)} if column.allowed else {}
    described = {
        "name": column.name,
        "type": number,
        "title": column.heading or column.name,
        "description": column.description,
        "unit": column.unit,
        "constraints": constraints,
    }
    return {name: value for name, value in described.items() if value}
