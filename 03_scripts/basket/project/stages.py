"""Read the graph of stages from stages.csv, and the record that each stage leaves."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from basket.project.errors import REPORT, BasketError
from basket.project.files import read_json, read_rows
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
    """Return the stages in their order."""
    steps = {}
    for row in read_rows(GRAPH, ("stage", "takes", "makes")):
        stage, takes, makes = row["stage"], row["takes"], tuple(row["makes"].split())
        takes = (takes,) if takes == "raw files" else tuple(takes.split())
        steps[stage] = Step(stage, takes, makes)
    return steps


def record_file(folders: Folders, stage: str) -> Path:
    """Return the file with a stage's record."""
    return folders.prepared / f"{stage}.json"


def read_record(folders: Folders, stage: str) -> dict:
    """Read a stage's record; raise a BasketError when the stage has not run yet."""
    record = read_json(record_file(folders, stage), None)
    if record is None:
        raise BasketError(f"{stage} has not run yet; run `{REPORT}` first")
    return record


def usage_file(folders: Folders, stage: str) -> Path:
    """Return the file in which a stage says how much it used; not part of any result."""
    return folders.prepared / f"{stage}{USAGE}"


def done_file(folders: Folders, stage: str) -> Path:
    """Return the file in which a run notes a finished stage's inputs and outputs."""
    return folders.prepared / f"{stage}{DONE}"
