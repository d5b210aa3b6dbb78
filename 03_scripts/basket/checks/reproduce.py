"""`basket reproduce`: build everything twice under different conditions and compare every byte.

The two builds differ in folder, time zone, hash seed, locale and number of threads. None of these
may leave a trace: equal inputs must give equal bytes (D-19).
"""

import hashlib
import json
import locale
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from basket.project.errors import BasketError
from basket.project.files import file_hash
from basket.project.folders import ROOT
from basket.project.stages import DONE, USAGE

MANIFEST = "04_analysis/manifest.json"
TIMES = ("seconds", "finished")  # of the manifest: all that may differ


@dataclass(frozen=True)
class Conditions:
    """What must not matter to a build."""

    folder: str
    threads: int
    environment: dict[str, str]


def _installed(wished: str) -> str:
    """Return the locale, or C where it is not installed.

    Under C, Python does not start from a folder whose name is not ASCII: there, C.UTF-8.
    """
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, wished)
    except locale.Error:
        return "C" if f"{ROOT}{sys.prefix}".isascii() else "C.UTF-8"
    finally:
        locale.setlocale(locale.LC_ALL, before)
    return wished


FIRST = Conditions("first", 1, {"TZ": "UTC", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"})
SECOND = Conditions(
    "deuxième essai (2)",
    4,
    {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "4321", "LC_ALL": _installed("de_DE.UTF-8")},
)


def reproduce(options: list[str], settings_file: Path | None = None) -> tuple[int, str]:
    """Build twice with these options of `basket report`; return the files and one hash of all.

    Raises BasketError naming the first file that differs; both folders are then kept.
    """
    place = Path(tempfile.mkdtemp(prefix="basket-reproduce-"))
    builds = [
        build(place, conditions, options, settings_file or ROOT / "settings.yml")
        for conditions in (FIRST, SECOND)
    ]
    found = compare(*builds)
    shutil.rmtree(place)
    return found


def build(place: Path, conditions: Conditions, options: list[str], settings_file: Path) -> Path:
    """Run `basket report` under these conditions; return the folder that it filled."""
    settings = yaml.safe_load(settings_file.read_text(encoding="utf-8"))
    settings["limits"]["threads"] = conditions.threads
    changed = place / f"settings of {conditions.folder}.yml"
    changed.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8", newline="\n")
    out = place / conditions.folder
    command = [sys.executable, "-m", "basket", "report", *options]
    done = subprocess.run(
        [*command, "--out", str(out), "--settings", str(changed)],
        env=os.environ | conditions.environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise BasketError(f"the build in {out} failed:\n{done.stderr.strip()}")
    return out


def compare(first: Path, second: Path) -> tuple[int, str]:
    """Compare two built folders; return how many files they hold, and one hash of them all.

    Raises BasketError with the count of files that differ, and the first of them.
    """
    one, other = hashes(first), hashes(second)
    names = sorted(one | other, key=lambda name: (name == MANIFEST, name))  # it holds all hashes
    different = [name for name in names if one.get(name) != other.get(name)]
    if different:
        name = different[0]
        raise BasketError(
            f"{len(different)} of {len(names)} files differ, the first is {name}: sha256 "
            f"{_short(one.get(name))} in {first}, {_short(other.get(name))} in {second}"
        )
    return len(one), hashlib.sha256(json.dumps(one).encode()).hexdigest()


def hashes(out: Path) -> dict[str, str]:
    """Return the hash of each file of a build by its path; of the manifest, without its times.

    This leaves out what is no result: hidden files, what a stage used, and the notes on which
    stages are up to date (the manifest repeats them).
    """
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not hidden and not path.name.endswith((DONE, USAGE)):
            found[name.as_posix()] = file_hash(path)
    if MANIFEST in found:
        content = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        timeless = {key: value for key, value in content.items() if key not in TIMES}
        found[MANIFEST] = hashlib.sha256(json.dumps(timeless).encode()).hexdigest()
    return found


def _short(digest: str | None) -> str:
    return f"{digest[:12]}…" if digest else "(absent)"
