"""The graph of stages, read from stages.csv, and the record that each stage leaves."""

import csv
import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from basket.project.errors import BasketError
from basket.project.folders import SCRIPTS, Folders

GRAPH = SCRIPTS / "stages.csv"
SIDECAR = "_table.json"  # what a published table says of itself, in its folder


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
    try:
        return json.loads(record_file(folders, stage).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BasketError(f"{stage} has not run yet; run `make report` first") from None


def write_json(path: Path, content, default=None) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False, default=default)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def file_hash(path: Path) -> str | None:
    """The sha256 of a file, None when it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
