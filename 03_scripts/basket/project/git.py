"""Version and commit of this checkout, whether it has changed since, and the date that a run has.

The user's own configuration and variables of git decide none of them: where git does not answer,
the checkout counts as changed.
"""

import os
import re
import subprocess
import tomllib
from functools import cache

from basket.project.errors import BasketError
from basket.project.folders import ROOT

NO_COMMIT = "unknown"
EPOCH_WITHOUT_COMMIT = 1_483_228_800  # 1 January 2017, the year of the data set
LATEST_EPOCH = 4_102_444_799  # the end of 2099
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # would answer for another checkout
EXAMPLE = "BASKET_EXAMPLE"  # set while the example is built: it names no commit


def version() -> str:
    """Return the version that pyproject.toml states; the project need not be installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["version"]


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(ROOT), *arguments],  # writes nothing
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=20,
            env={name: value for name, value in os.environ.items() if name not in ELSEWHERE},
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def commit() -> str:
    """Return the commit of this checkout, or `unknown` outside version control."""
    if EXAMPLE in os.environ:
        return "example"
    return _git("rev-parse", "HEAD") or NO_COMMIT


@cache
def is_dirty() -> bool:
    """Whether files differ from the commit or are new; what was sent and its log do not count.

    Where git does not say so, or was told to take a file for unchanged, they may: true. Outside
    version control there is nothing to differ from.
    """
    if EXAMPLE in os.environ or commit() == NO_COMMIT:
        return False
    places = ("--", ".", ":!05_sent_to_client")
    changed = _git("status", "--porcelain", "--untracked-files=all", *places)
    marked = _git("ls-files", "-v", *places)  # H: compared with the commit
    if changed is None or marked is None:
        return True
    return bool(changed) or any(not line.startswith("H ") for line in marked.splitlines())


def in_words(commit: str, dirty: bool) -> str:
    """Say the commit that something was built from, and whether files had changed since."""
    return f"{commit} with local changes" if dirty else commit


def committed(name: str) -> str | None:
    """Return the text that the commit holds of a file; None where it holds no such file."""
    return _git("show", f"{commit()}:./{name}")


def epoch() -> int:
    """Return the date of a run in seconds: SOURCE_DATE_EPOCH, else the commit's date.

    Raises BasketError for a SOURCE_DATE_EPOCH that is no time between 1970 and 2099.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH", ""):
        if re.fullmatch("[0-9]{1,10}", given) and int(given) <= LATEST_EPOCH:
            return int(given)
        raise BasketError(
            f"SOURCE_DATE_EPOCH: found {given[:40]!r}, expected seconds since 1970, up to "
            f"{LATEST_EPOCH}; correct the variable or unset it"
        )
    return int(_git("log", "-1", "--format=%ct") or EPOCH_WITHOUT_COMMIT)
