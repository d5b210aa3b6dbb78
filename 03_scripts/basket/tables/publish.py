"""Publish the outputs of a stage: whole, once the stage has ended.

A notebook that a run has started only writes below `.building`; the run moves what it made into
place. So a kernel that outlives a killed run cannot publish anything (D-40). A notebook run by hand
has a folder of its own, and publishes only while no run is at work.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from errno import EACCES, EAGAIN
from pathlib import Path
from typing import IO

from basket.project.errors import BasketError
from basket.project.folders import Folders
from basket.project.stages import Step, record_file, usage_file

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows
    flock = None

TAKEN = "taken"  # by another run
LOCK = ".lock"


@contextlib.contextmanager
def locked(folders: Folders) -> Iterator[None]:
    """Hold the lock of a folder; raise BasketError where it is held, or nothing can be written."""
    path = folders.prepared / LOCK
    try:
        folders.prepared.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):  # somebody else's folder
            folders.prepared.chmod(0o700)  # it has a row for each customer
        file = path.open("a+")
    except OSError as error:
        raise BasketError(
            f"{error.filename}: {error.strerror}; name another folder with OUT"
        ) from None
    with file, contextlib.ExitStack() as held:
        reason = _lock(file) if flock else _lock_by_sqlite(path, held)
        if reason == TAKEN:
            raise BasketError(
                f"another run is at work in {folders.out}; wait for it to end, or "
                "give this one another folder with OUT"
            )
        if reason:  # as on some network drives
            raise BasketError(
                f"{folders.prepared}: cannot be locked ({reason}); name a folder on a "
                "disk of this machine with OUT"
            )
        yield


def _lock(file: IO) -> str:
    """Lock an open file; return why it cannot be: TAKEN, or what the system says."""
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except OSError as error:
        return TAKEN if error.errno in (EAGAIN, EACCES) else str(error.strerror)
    return ""


def _lock_by_sqlite(path: Path, held: contextlib.ExitStack) -> str:
    """Do the same without fcntl: SQLite, which Python brings, locks files on every system."""
    database = held.enter_context(contextlib.closing(sqlite3.connect(path, timeout=0)))
    try:
        database.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        return TAKEN if "locked" in str(error) else str(error)
    return ""


def building_folder(folders: Folders) -> Path:
    """Return the folder below which the stages of a run write their unpublished outputs."""
    return folders.prepared / ".building"


def place_of(folders: Folders, made: str) -> Path:
    """Return where one of the things in stages.csv is published: a folder or a file."""
    published = ("tables", "visualizations", "findings", "report")
    return getattr(folders, made) if made in published else folders.prepared / made


def publish(folders: Folders, step: Step, building: Path) -> None:
    """Move all that a stage has built into its place, the record and the usage last.

    Raises BasketError when the stage has not closed its work with `stage.publish()`.
    """
    notes = [record_file(folders, step.stage), usage_file(folders, step.stage)]
    if not all((building / note.name).is_file() for note in notes):
        raise BasketError(
            f"{step.stage}: the notebook ended without `stage.publish()`; the tables published "
            "before are in place"
        )
    for made in step.makes:
        place, built = place_of(folders, made), building / made
        _move(built / place.name if place.suffix else built, place)
    if (building / "quarantine").is_dir():
        _move(building / "quarantine", folders.prepared / "quarantine")
    if (building / folders.run_facts.name).is_file():
        _move(building / folders.run_facts.name, folders.run_facts)
    for note in notes:
        _move(building / note.name, note)
    shutil.rmtree(building, ignore_errors=True)


def _move(built: Path, published: Path) -> None:
    """Put a finished table or file in its place; what was there before goes.

    Raises BasketError where another program holds it, as Excel does on Windows.
    """
    try:
        _replace(built, published)
    except PermissionError as error:
        raise BasketError(
            f"{published}: cannot be replaced ({error.strerror}): close it in Excel or whatever "
            "has it open, then run again"
        ) from None


def _replace(built: Path, published: Path) -> None:
    published.parent.mkdir(parents=True, exist_ok=True)
    if built.is_file():
        built.replace(published)
        return
    old = published.with_name(f".{published.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if published.exists():
        published.rename(old)
    built.rename(published)
    shutil.rmtree(old, ignore_errors=True)
