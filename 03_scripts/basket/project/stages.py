"""The graph of stages, read from stages.csv, and the record that each stage leaves."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from basket.project.errors import BasketError
from basket.project.files import read_json
from basket.project.folders import SCRIPTS, Folders

GRAPH = SCRIPTS / "stages.csv"
USAGE, DONE = ".usage.json", ".done.json"  # endings of the files that are no result


@dataclass(frozen=True)
class Step:
    """One row of stages.csv."""

    stage: str
    takes: tuple[str, ...]
    makes: tuple[str, ...]


@cache
def graph() -> dict[str, Step]:
    """The stages in their order."""
    with GRAPH.open(newline="", encoding="utf-8") as file:
        return {
            row["stage"]: Step(
                row["stage"],
                ("raw files",) if row["takes"] == "raw files" else tuple(row["takes"].split()),
                tuple(row["makes"].split()),
            )
            for row in csv.DictReader(file)
        }


def record_file(folders: Folders, stage: str) -> Path:
    """Where a stage's record stands."""
    return folders.prepared / f"{stage}.json"


def read_record(folders: Folders, stage: str) -> dict:
    """Read a stage's record; raise a BasketError when the stage has not run yet."""
    record = read_json(record_file(folders, stage), None)
    if record is None:
        raise BasketError(f"{stage} has not run yet; run `make report` first")
    return record


def usage_file(folders: Folders, stage: str) -> Path:
    """Where a stage says how much it used; not part of any result."""
    return folders.prepared / f"{stage}{USAGE}"


def done_file(folders: Folders, stage: str) -> Path:
    """Where a run notes what a finished stage was built from, and what it made."""
    return folders.prepared / f"{stage}{DONE}"
