"""A copy of the checkout, with and without a built report, and its front door: make."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from basket.project.folders import ROOT

BASKET = (sys.executable, "-m", "basket")
SMALL = "0.004"
NAME = "données d'épicerie (2017)"  # with spaces and accents, as a user's folder may have
BUILD_LOG = "build.log"  # beside the checkout: what `make` printed to stderr


def copy_of_checkout(target: Path) -> Path:
    """Copy the checkout's tracked and new files; return the folder."""
    listed = run_command(
        "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder=ROOT
    )
    if listed.returncode:
        pytest.skip("not a git checkout: its files cannot be listed")
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def run_command(*command, folder: Path | None = None, **environment) -> subprocess.CompletedProcess:
    """Run a command in a folder, with additions to the environment; keep its output as text."""
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {name: str(value) for name, value in environment.items()},
        timeout=500,
        check=False,
    )


def basket(*arguments, **environment) -> subprocess.CompletedProcess:
    """Run the command `basket` of the code that these tests import."""
    return run_command(*BASKET, *arguments, **environment)


def make(folder: Path, *arguments: str, **environment) -> subprocess.CompletedProcess:
    """Run `make` in a copy of the checkout, as by itself: these tests may run under `make`, too."""
    by_itself = {"MAKELEVEL": 0, "MAKEFLAGS": "", "MFLAGS": ""}
    return run_command("make", *arguments, folder=folder, **by_itself | environment)


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def checkout_in(place: Path) -> Path:
    """Make a copy of the checkout whose commands run in the environment of these tests."""
    folder = copy_of_checkout(place / NAME)
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("python", "basket"):
        program = "" if name == "python" else " -m basket"
        (binaries / name).write_text(
            '#!/bin/sh\nhere="$(cd "$(dirname "$0")/../.." && pwd)"\n'
            f'PYTHONPATH="$here/03_scripts" exec "{sys.executable}"{program} "$@"\n'
        )
        (binaries / name).chmod(0o755)
    shutil.copy(folder / "requirements.lock", folder / ".venv" / "installed.lock")
    os.utime(folder / ".venv" / "installed.lock")
    return folder


def built_in(place: Path, shared: Path) -> Path:
    """Return a copy of a checkout with a built report; the first who asks builds it in `shared`."""
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / BUILD_LOG).exists():
            done = make(checkout_in(shared), "report", f"SCALE={SMALL}")
            assert done.returncode == 0, done.stderr
            (shared / BUILD_LOG).write_text(done.stderr, encoding="utf-8")
    return shutil.copytree(shared, place) / NAME
