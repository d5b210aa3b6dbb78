"""One run at a time in a folder, and what a killed run leaves behind."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from basket.project.folders import Folders
from basket.tables.publish import LOCK, building_folder, locked

LONGEST_FOLDER = 60  # bytes; a socket's path has 103 on a Mac, of which its own name takes 40


@contextlib.contextmanager
def only_run(folders: Folders) -> Iterator[None]:
    """Refuse a second run in the same folder; sweep up what killed runs left."""
    with locked(folders):
        sweep(folders)
        try:
            yield
        finally:
            sweep(folders)  # a kernel may have outlived a killed run for a moment, and written


def runtime_folder() -> Path:
    """Return the folder for temporary files, or /tmp where its path is too long for a socket."""
    folder = Path(tempfile.gettempdir())
    short = Path("/tmp")
    is_long = len(os.fsencode(folder)) > LONGEST_FOLDER
    return short if is_long and os.access(short, os.W_OK) else folder


def runtime_prefix(folders: Folders) -> str:
    """Return how the names of a run's private folders in the temp directory begin."""
    place = str(folders.prepared.resolve()).encode()
    return f"basket-{hashlib.sha256(place).hexdigest()[:12]}-"


def clean(folders: Folders) -> None:
    """Remove all that runs have built, unless one is at work; the lock itself stays."""
    with only_run(folders):
        analysis = ("manifest.json", folders.findings.name, folders.run_facts.name)
        built = [
            *(path for path in folders.prepared.iterdir() if path.name != LOCK),
            *(folders.notebooks, folders.visualizations, folders.tables, folders.report),
            *(folders.analysis / name for name in analysis),
        ]
        for path in built:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def sweep(folders: Folders) -> None:
    """Remove what killed runs left half-done; put back what was just being replaced.

    Only the run that holds the lock may call this.
    """
    for place in (folders.prepared, folders.analysis, folders.notebooks, folders.client):
        for left in place.glob(".*.partial"):
            left.unlink()
        for old in place.glob(".*.old"):
            published = old.with_name(old.name[1 : -len(".old")])
            if published.exists():
                shutil.rmtree(old)
            else:
                old.rename(published)
    shutil.rmtree(building_folder(folders), ignore_errors=True)
    for runtime in runtime_folder().glob(f"{runtime_prefix(folders)}*"):
        shutil.rmtree(runtime, ignore_errors=True)
