"""Version and commit of this checkout, whether it has changed since, and the date of a run."""

import os
import subprocess
import tomllib
from functools import cache

from basket.project.folders import ROOT

NO_COMMIT = "unknown"
EPOCH_WITHOUT_COMMIT = 1_483_228_800  # 1 January 2017, the year of the data set
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
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
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
    """Whether files differ from the commit or are new; what was sent and its log do not count."""
    if EXAMPLE in os.environ:
        return False
    changed = _git("status", "--porcelain", "--", ".", ":!05_sent_to_client")
    return bool(changed)


def epoch() -> int:
    """Return the date of a run in seconds: SOURCE_DATE_EPOCH, else the commit's date."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdigit():
        return int(given)
    return int(_git("log", "-1", "--format=%ct") or EPOCH_WITHOUT_COMMIT)
