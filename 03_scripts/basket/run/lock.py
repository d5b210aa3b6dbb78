"""One run at a time in a folder, and what a killed run leaves behind."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from basket.project.errors import BasketError
from basket.project.folders import Folders

ORPHANS_END_WITHIN = 20  # seconds; a kernel looks for its run once a second


@contextlib.contextmanager
def only_run(folders: Folders) -> Iterator[int]:
    """Refuse a second run in the same folder while one is at work; yield the lock, a descriptor.

    The lock belongs to the run and to its kernels, which inherit the descriptor: after a run was
    killed its last kernel may write for a second more. That is waited for, then swept up.
    """
    try:
        folders.prepared.mkdir(parents=True, exist_ok=True)
        file = (folders.prepared / ".lock").open("a+")
    except OSError as error:
        raise BasketError(
            f"{error.filename}: {error.strerror}; name another folder with OUT"
        ) from None
    with file as lock:
        give_up = time.monotonic() + ORPHANS_END_WITHIN
        while not _taken(lock):
            if _owner_is_alive(lock) or time.monotonic() > give_up:
                raise BasketError(
                    f"another run is at work in {folders.out}; wait for it to end, or "
                    "give this one another folder with OUT"
                )
            time.sleep(0.1)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        sweep(folders, lock.fileno())
        yield lock.fileno()


def runtime_prefix(lock: int) -> str:
    """How the names of a run's private folders in the temp directory begin: by its lock's file."""
    file = os.fstat(lock)
    return f"basket-{file.st_dev:x}-{file.st_ino:x}-"


def sweep(folders: Folders, lock: int) -> None:
    """Remove what killed runs left half-done; put back what stood where one was just replacing.

    Only whoever holds the lock may call this.
    """
    for place in (folders.prepared, folders.analysis, folders.notebooks, folders.client):
        for left in [*place.glob(".*.partial"), *place.glob("*.partial.ipynb")]:
            left.unlink()
        for old in place.glob(".*.old"):
            published = old.with_name(old.name[1 : -len(".old")])
            if published.exists():
                shutil.rmtree(old)
            else:
                old.rename(published)
    shutil.rmtree(folders.prepared / ".building", ignore_errors=True)
    for runtime in Path(tempfile.gettempdir()).glob(f"{runtime_prefix(lock)}*"):
        shutil.rmtree(runtime, ignore_errors=True)


def _taken(lock) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner_is_alive(lock) -> bool:
    """Whether the run that wrote its number into the lock still lives; if not, its kernel does."""
    lock.seek(0)
    try:
        os.kill(int(lock.read()), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        return True
    return True
