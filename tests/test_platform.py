"""Where a run starts: make's variables, a copied checkout, odd folders, kernels that die."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from basket import command
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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("report", "--data", ""), "'--data': found an empty path; leave the option out, or"),
        (("report", "--out", ""), "'--out': found an empty path; leave the option out, or"),
        (("check", ""), "'[DATA]': found an empty path; leave the option out, or name a"),
        (("check", "~nobody-here/x"), "~nobody-here/x: there is no such user; expected a folder"),
    ],
)
def test_a_path_that_names_nothing_is_a_wrong_option(options, said):
    done = CliRunner().invoke(command.main, options)
    assert (done.exit_code, done.output.count("Error")) == (2, 1)
    assert said in done.output.splitlines()[-1]


def test_a_folder_whose_name_is_no_text_is_one_line(tmp_path):
    out = os.fsdecode(os.fsencode(tmp_path) + b"/o\xff")
    for options, said in (
        (("report", "--scale", "0.001"), ("; name another ", "LC_ALL=C.UTF-8")),
        (("flat",), ("04_derive_flags has not run yet",)),
    ):
        done = run_command(*BASKET, *options, "--out", out)
        assert done.returncode == 1
        assert done.stderr.startswith("basket: ") and done.stderr.count("\n") == 1
        assert all(words in done.stderr for words in said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="NOT RUN: no /dev/full")
def test_what_cannot_be_printed_is_one_line(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*BASKET, "status", "--out", tmp_path],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "basket: what is printed: No space left on device\n"


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
    obey = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # tests may run in the background
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=obey,  # noqa: PLW1509
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


# ---- setting up ---------------------------------------------------------------------------------

FAKE = """#!/bin/sh
case "$2" in
*exit*) exit {fits} ;;
*version*) echo "{version}" ;;
*venv*) mkdir -p .venv/bin; echo "{version}" >.venv/made_with; cp "$0" .venv/bin/python ;;
*) echo "$@" >>pip.txt ;;
esac
"""


@pytest.fixture
def bare(tmp_path, monkeypatch) -> Path:
    """Give a folder to set up, and Pythons of which only the number counts."""
    folder, tools = tmp_path / "checkout", tmp_path / "my tools"
    (folder / "03_scripts").mkdir(parents=True)
    tools.mkdir()
    for path in (SCRIPTS / "set_up.sh", *ROOT.glob("requirements*.lock")):
        shutil.copy(path, folder / path.relative_to(ROOT))
    for name in (
        "sh",
        "rm",
        "cp",
        "mkdir",
        "grep",
        "cmp",
        "cat",
        "chmod",
        "rmdir",
        "sleep",
        "tail",
        "dirname",
    ):
        (tools / name).symlink_to(shutil.which(name))
    for name, (fits, version) in {
        "python3": (1, "3.9"),
        "python3.12": (0, "3.12"),
        "my python": (0, "3.14"),
        "python2": (1, "2.7"),
    }.items():
        (tools / name).write_text(FAKE.format(fits=fits, version=version))
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.delenv("PYTHON", raising=False)
    return folder


def set_up(folder: Path, *extra: str, **environment) -> subprocess.CompletedProcess:
    return run_command("sh", "03_scripts/set_up.sh", *extra, folder=folder, **environment)


def made_with(folder: Path) -> str:
    return (folder / ".venv" / "made_with").read_text().strip()


@pytest.mark.slow
def test_the_first_python_that_fits_is_taken_and_only_what_is_needed_installed(bare):
    done = set_up(bare)
    assert done.returncode == 0, done.stderr
    assert made_with(bare) == "3.12"
    assert (bare / ".venv" / "installed.lock").is_file()
    assert not (bare / ".venv" / "installed-test.lock").exists()
    (asked,) = [line for line in (bare / "pip.txt").read_text().splitlines() if "pip" in line]
    assert "--require-hashes -r requirements.lock" in asked
    done = set_up(bare, "test")
    assert done.returncode == 0 and "adding to .venv what test needs" in done.stderr
    assert "-r requirements-test.lock" in (bare / "pip.txt").read_text()
    assert (bare / ".venv" / "installed-test.lock").is_file()


def test_the_python_that_is_named_is_taken_or_refused(bare):
    named = bare.parent / "my tools" / "my python"
    assert set_up(bare, PYTHON=named).returncode == 0
    assert made_with(bare) == "3.14"
    for wrong in (bare.parent / "my tools" / "python2", "/nowhere/python3.12"):
        done = set_up(bare, PYTHON=wrong)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert f"basket: PYTHON={wrong} is no Python from 3.11 to 3.14" in done.stderr
    assert made_with(bare) == "3.14"
    before = (bare / "pip.txt").read_text()
    assert set_up(bare, PYTHON=named).returncode == 0  # all is there already
    assert (bare / "pip.txt").read_text() == before


def test_a_venv_of_somebody_else_is_not_removed(bare):
    (bare / ".venv").mkdir()
    (bare / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    done = set_up(bare)
    assert done.returncode == 1
    assert "basket: .venv is there and was not made here; move it away" in done.stderr
    assert (bare / ".venv" / "pyvenv.cfg").is_file()


def test_the_command_of_a_copied_or_renamed_checkout_runs_its_own_code(bare, tmp_path):
    assert set_up(bare).returncode == 0
    copy = tmp_path / "v2 of it"
    shutil.copytree(bare, copy, symlinks=True)
    shutil.rmtree(bare)
    (copy / ".venv" / "bin" / "python").write_text(ASKED)
    done = run_command(copy / ".venv" / "bin" / "basket", "status", PYTHONPATH="/elsewhere")
    assert done.stdout == f"{copy}/03_scripts:/elsewhere|-m basket status\n"


OTHER_CODE = 'import sys\nprint("the code of this folder", *sys.argv[1:])\n'


def test_a_script_of_a_copied_venv_starts_again_with_the_code_beside_it(tmp_path):
    """As pip writes it: it names the Python, and with it the code, of where it was made."""
    own = tmp_path / "v2" / "03_scripts" / "basket"
    script = tmp_path / "v2" / ".venv" / "bin" / "basket"
    for folder in (own, script.parent):
        folder.mkdir(parents=True)
    (own / "__main__.py").write_text(OTHER_CODE)
    (own / "__init__.py").write_text("")
    script.write_text(
        f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''\n"
        f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n"
        "from basket.command import main\nmain()\n"
    )
    script.chmod(0o755)
    done = run_command(script, "status", "--out", tmp_path)
    assert done.stdout == f"the code of this folder status --out {tmp_path}\n", done.stderr


def test_the_lab_works_on_the_data_that_is_named(tmp_path, monkeypatch):
    started, codes = [], [0, 0, 3]

    def run(args, **more):
        started.append((args, more))
        return subprocess.CompletedProcess(args, codes[len(started) - 1])

    monkeypatch.setattr(command.subprocess, "run", run)
    monkeypatch.setattr(command, "find_spec", lambda _: True)
    (tmp_path / "s.yml").write_text("x")
    options = ["--data", str(tmp_path / "d"), "--out", str(tmp_path), "--settings", "s.yml"]
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(command.main, ["lab", *options]).exit_code == 0
    (kernel, _), (lab, given) = started
    assert kernel[1:4] == ["-m", "ipykernel", "install"] and lab[1:3] == ["-m", "jupyterlab"]
    for name, value in {"DATA": "d", "OUT": "", "SETTINGS": "s.yml"}.items():
        assert given["env"][f"BASKET_{name}"] == str(tmp_path / value)
    assert CliRunner().invoke(command.main, ["lab"]).exit_code == 3
    assert len(started) == 3, "where the kernel cannot be installed, the lab would take another"
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    done = CliRunner().invoke(command.main, ["lab"])
    assert done.exit_code == 1 and "requirements-lab.lock" in done.output
