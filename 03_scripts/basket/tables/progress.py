"""Show how far the running stage is: a bar over its parts, on a terminal only.

A stage runs in a kernel of its own, and what it prints there ends up in the executed notebook. So
it notes in a small file which part it has finished; the run that started it reads that file.
"""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SECONDS = 0.2  # between two looks at the file
FORMAT = "{desc} |{bar:24}| {n_fmt} of {total_fmt}"


def note(building: Path, what: str, done: int, total: int) -> None:
    """Note that `done` of `total` are finished; `what` says of what ("merge_part, part")."""
    building.mkdir(parents=True, exist_ok=True)
    partial = building / ".progress.partial"
    partial.write_text(json.dumps([what, done, total]), encoding="utf-8", newline="\n")
    with suppress(PermissionError):  # Windows: the run is reading it; the next note comes soon
        partial.replace(building / "progress")


@contextmanager
def bar(building: Path, stage: str) -> Iterator[None]:
    """Show how far the stage is that builds there, and wipe it off at the end."""
    if sys.__stderr__ is None or not sys.__stderr__.isatty():
        yield
        return
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(building, stage, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(building: Path, stage: str, ended: threading.Event) -> None:
    from tqdm import tqdm

    shown = None
    while not ended.wait(SECONDS):
        try:
            what, done, total = json.loads((building / "progress").read_text(encoding="utf-8"))
        except OSError:
            continue
        if total < 2:  # one part is no progress worth a bar
            continue
        if shown is None:
            shown = tqdm(bar_format=FORMAT, leave=False, file=sys.__stderr__, dynamic_ncols=True)
        shown.total, shown.n = total, done
        shown.set_description_str(f"{stage:<16} {what}")
    if shown is not None:
        shown.close()
