"""Where a run starts: make's variables, a copied checkout, odd folders, kernels that die."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from basket.project.errors import BasketError
from basket.project.folders import ROOT, SCRIPTS, Folders
from basket.run import execute, lock
from basket.run.kernel import Kernel
from basket.tables import publish
from checkout import BASKET, copy_of_checkout, make, run_command

ASKED = '#!/bin/sh\necho "$PYTHONPATH|$@"\n'


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """Give a copy of the checkout whose Python says what it was asked for."""
    folder = copy_of_checkout(tmp_path_factory.mktemp("copies") / "v2 of it")
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(ASKED)
    python.chmod(0o755)
    (folder / ".venv" / "installed.lock").write_text("")
    os.utime(folder / ".venv" / "installed.lock")
    return folder


@pytest.mark.parametrize("name", ["DTA", "data", "OUTPUT", "RULE"])
def test_a_variable_that_make_does_not_know_is_refused(copy, name):
    done = make(copy, "report", f"{name}=/x")
    assert done.returncode == 2 and done.stdout == ""
    assert f"unknown variable {name}; known are DATA OUT RULES" in done.stderr
    assert done.stderr.count("\n") == 1


def test_variables_of_the_environment_and_make_s_own_are_no_mistake(copy):
    done = make(copy, "-j", "2", "report", "DATA=a b", "SCALE=1", DTA="/x", PYTHONPATH="/elsewhere")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("|-m basket report --data a b --scale 1")


def test_a_copied_checkout_runs_its_own_code(copy):
    for target in ("report", "verify", "check", "reproduce"):
        done = make(copy, target, PYTHONPATH="/elsewhere")
        assert done.stdout.startswith(f"{copy}/03_scripts:/elsewhere|-m basket {target}")


def test_no_checkout_has_line_ends_that_a_shell_cannot_read():
    listed = run_command(
        "git", "ls-files", "--eol", "Makefile", "03_scripts/set_up.sh", folder=ROOT
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert listed.stdout.count("eol=lf") == 2


BROKEN = {"random.py": 'print("homework")\n', "numpy.py": 'raise RuntimeError("broken")\n'}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_module_that_stands_in_the_way_is_named(tmp_path, name):
    (tmp_path / name).write_text(BROKEN[name])
    path = os.pathsep.join([str(SCRIPTS), str(tmp_path)])
    done = run_command(*BASKET, "check", ROOT / "tests", PYTHONPATH=path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1
    assert f"{tmp_path / name} stands in the way of a module of this name" in done.stderr


def test_a_programming_error_keeps_its_traceback(tmp_path):
    code = (
        "import basket.command as c, basket.__main__ as m\n"
        "def main(): raise ZeroDivisionError\n"
        "c.main = main; m.run()"
    )
    done = run_command(sys.executable, "-c", code, folder=tmp_path, PYTHONPATH=SCRIPTS)
    assert "Traceback" in done.stderr and "stands in the way" not in done.stderr


def test_a_long_folder_for_temporary_files_does_not_break_sockets(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert len(os.fsencode(lock.runtime_folder())) <= lock.LONGEST_FOLDER
    kernel = Kernel(SCRIPTS / "01_import.ipynb", tmp_path / "building")
    try:
        assert len(kernel.manager.ip) < 100
        assert kernel.is_alive
    finally:
        kernel.close()


def test_a_kernel_that_dies_as_it_starts_says_why(tmp_path, monkeypatch):
    (tmp_path / "ipykernel.py").write_text("raise ImportError('no such thing here')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(SCRIPTS)]))
    kernel = Kernel(SCRIPTS / "01_import.ipynb", tmp_path / "building")
    try:
        for _ in range(200):
            if not kernel.is_alive:
                break
            time.sleep(0.1)
        assert execute._death(kernel) == "the kernel died: ImportError: no such thing here"
    finally:
        kernel.close()


def test_a_kernel_that_died_without_a_word_was_killed_or_lacked_memory():
    assert (
        execute._death(SimpleNamespace(last_words="", is_stopped=False))
        == execute.DIED + execute.MEMORY_ADVICE
    )


def test_a_disk_without_locks_is_named(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(publish, "flock", no_locks)
    with (
        pytest.raises(BasketError, match=r"prepared_data: cannot be locked \(No locks.* with OUT"),
        publish.locked(Folders(tmp_path)),
    ):
        pass


@pytest.mark.slow
def test_an_interrupted_run_ends_in_one_line(tmp_path):
    command = [*BASKET, "report", "--scale", "0.002", "--out", str(tmp_path)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("01_import"):
                time.sleep(1)
                os.killpg(process.pid, signal.SIGINT)
    assert process.returncode == 1
    assert said[-1] == "basket: interrupted; the last good outputs are in place\n"
    assert "Traceback" not in "".join(said) and "Task exception" not in "".join(said)
