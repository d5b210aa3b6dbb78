"""How far the running stage is: a bar over its parts, in plain text, on a terminal only.

A stage runs in a kernel of its own, and what it prints there ends in the executed notebook. It
notes in a small file instead which part it has finished; the run that started it reads that file.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from basket.project.folders import Folders

SECONDS = 0.2  # between two looks at the file
BAR = 24  # characters
WIDTH = 78


def progress_file(folders: Folders, stage: str) -> Path:
    """Where a stage notes how far it is; goes when the stage publishes."""
    return folders.prepared / ".building" / stage / "progress"


def note(file: Path, what: str, done: int, total: int) -> None:
    """Note that `done` of `total` are finished; `what` says of what ("merge_part, part")."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{done} {total} {what}\n", encoding="utf-8")


def line(stage: str, noted: str) -> str:
    """The line that shows what a stage has noted; empty when there is nothing to show.

    One part is no progress worth a bar, and a half-written note is left for the next look.
    """
    try:
        done, total, what = noted.removesuffix("\n").split(" ", 2)
        done, total = int(done), int(total)
    except ValueError:
        return ""
    if total < 2 or not noted.endswith("\n"):
        return ""
    full = BAR * done // total
    return f"{stage:<16} [{'#' * full}{'.' * (BAR - full)}] {what} {done} of {total}"[:WIDTH]


@contextmanager
def bar(folders: Folders, stage: str) -> Iterator[None]:
    """Show the bar of a stage while it runs, and wipe it off at the end; nothing off a terminal."""
    screen = sys.__stderr__
    if screen is None or not screen.isatty():
        yield
        return
    ended = threading.Event()
    file = progress_file(folders, stage)

    def watch() -> None:
        shown = ""
        while not ended.wait(SECONDS):
            try:
                now = line(stage, file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            width = os.get_terminal_size(screen.fileno()).columns or WIDTH
            if now and now != shown:
                screen.write("\r" + f"{now:<{WIDTH}}"[: width - 1])
                screen.flush()
                shown = now
        if shown:
            screen.write("\r" + " " * min(WIDTH, width - 1) + "\r")
            screen.flush()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
