"""One run, one delivery, one installation at a time; nothing is overwritten that was not made."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from basket.prepare.raw_files import find
from basket.project.errors import BasketError, DataError
from basket.project.folders import ROOT, Folders, Inputs
from basket.project.settings import load_settings
from basket.run.manifest import Run
from basket.synthetic.generate import MARKER, generate
from basket.tables.publish import locked
from checkout import BASKET, basket, copy_of_checkout, hashes, make
from conftest import SETTINGS_FILE
from test_import import COURSE, write

SETTINGS = load_settings(SETTINGS_FILE)


# ---- the data analysed is the data hashed -------------------------------------------------------


@pytest.fixture
def run(tmp_path) -> Run:
    """Give a run that has taken the hashes of its data."""
    data = write(tmp_path / "data", COURSE)
    run = Run(Inputs(tmp_path / "out"), SETTINGS, "corrected", find(data, SETTINGS.limits))
    assert set(run.received) == set(COURSE)
    run.require_same_data({})
    return run


def replaced(path: Path) -> None:
    """Replace a file by another of the same size and time."""
    before = path.stat()
    content = path.read_bytes()
    path.with_name("new").write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    path.with_name("new").replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def changed_and_back(path: Path) -> None:
    """Change a file while it is read, and undo it: its hash is as before."""
    content, before = path.read_bytes(), path.stat()
    path.write_bytes(content[::-1])
    time.sleep(0.02)  # the system's clock of files
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more\n")


@pytest.mark.parametrize("attack", [replaced, changed_and_back, grown, Path.unlink])
def test_data_that_changes_while_it_is_read_stops_the_run(run, attack):
    attack(run.data.root / "customers.csv")
    with pytest.raises(BasketError, match=r"^customers.csv: has changed while it was read"):
        run.require_same_data({})


def test_a_change_that_no_time_tells_is_found_by_its_hash(run, monkeypatch):
    """On a drive that counts in seconds, a file just written may change at the same time."""
    states = run.data.states()
    monkeypatch.setattr(type(run.data), "states", lambda _: states)
    replaced(run.data.root / "customers.csv")
    with pytest.raises(BasketError, match=r"/data: has changed while it was read"):
        run.require_same_data({})


def test_a_delivery_that_stage_01_saw_otherwise_stops_the_run(run):
    run.require_same_data({"facts": json.loads(json.dumps(run.data.facts))})
    with pytest.raises(BasketError, match=r"/data: has changed while it was read"):
        run.require_same_data({"facts": {**run.data.facts, "synthetic": {"scale": 1}}})


@pytest.mark.slow
def test_customers_replaced_after_hashing_are_not_reported(panel, tmp_path):
    """The attack: another customers.csv of the same size as soon as stage 01 begins."""
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for file in panel.glob("*.csv"):
        (data / file.name).write_bytes(file.read_bytes())
    other = (data / "customers.csv").read_bytes().replace(b"Alabama", b"Georgia")
    (tmp_path / "new.csv").write_bytes(other)
    command = [*BASKET, "report", "--data", data, "--out", out]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        building = out / "02_data" / "prepared_data" / ".building"
        while not building.is_dir() and process.poll() is None:
            time.sleep(0.01)
        (tmp_path / "new.csv").replace(data / "customers.csv")
        said = process.communicate(timeout=300)[1].splitlines()[-1]
    assert process.returncode == 1
    assert said.startswith("basket: customers.csv: has changed while it was read")
    assert not (out / "05_sent_to_client").exists()


# ---- folders ------------------------------------------------------------------------------------


def test_data_and_results_lie_apart(tmp_path):
    data = write(tmp_path / "data", COURSE)
    for out in (data, data / "results"):
        done = basket("report", "--data", data, "--out", out)
        assert done.returncode == 1
        assert "lies within DATA" in done.stderr and len(done.stderr.splitlines()) == 1
    tables = write(tmp_path / "out" / "04_analysis" / "tables", COURSE)
    done = basket("report", "--data", tables, "--out", tmp_path / "out")
    assert done.returncode == 1 and "DATA lies within" in done.stderr
    assert sorted(path.name for path in tables.iterdir()) == sorted(COURSE)


def test_nobody_else_can_read_the_prepared_data(tmp_path):
    folders = Folders(tmp_path)
    for mode in (0o700, 0o755):
        folders.prepared.mkdir(parents=True, exist_ok=True)
        folders.prepared.chmod(mode)
        with locked(folders):
            assert folders.prepared.stat().st_mode & 0o777 == 0o700


def test_generate_overwrites_nothing_that_it_did_not_make(tmp_path):
    mine = tmp_path / "customers.csv"
    mine.write_text("mine\n", encoding="utf-8")
    before = hashes(tmp_path)
    with pytest.raises(DataError, match=r"customers.csv: is there and was not generated"):
        generate(tmp_path, scale=0.0002)
    done = basket("generate", tmp_path)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert hashes(tmp_path) == before
    mine.unlink()
    for _ in range(2):  # its own files it makes anew
        generate(tmp_path, scale=0.0002)


def test_a_data_set_that_is_half_generated_is_marked_as_invented(tmp_path, monkeypatch):
    from basket.synthetic import generate as module

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_write_shopping", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, scale=0.0002)
    assert (tmp_path / "customers.csv").is_file() and (tmp_path / MARKER).is_file()


@pytest.mark.parametrize("given", ["²", "99999999999999999999"])
def test_a_date_that_is_none_is_one_line(tmp_path, given):
    data = write(tmp_path / "data", COURSE)
    for command in ("status", "report"):
        options = ("--data", data, "--out", tmp_path / "out")
        done = basket(command, *options, SOURCE_DATE_EPOCH=given)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("basket: SOURCE_DATE_EPOCH: found ")
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_control_characters_of_a_name_are_shown_not_sent(tmp_path):
    """A name may colour, rename or move what a terminal shows."""
    name = "\x1b]0;pwned\x07\x9b31m\u202egnp.csv"
    folder = write(tmp_path / "data", COURSE)
    (folder / name).write_bytes((folder / "orders.csv").read_bytes()[::-1])
    settings = SETTINGS_FILE.read_text(encoding="utf-8") + '\n"\\e]0;pwned\\a": 1\n'
    (folder / "settings.yml").write_text(settings, encoding="utf-8")
    commands = (
        ("check", folder),
        ("check", "--json", folder),
        ("check", folder / f"no{name}"),
        ("report", "--settings", folder / "settings.yml"),
        ("report", "--data", folder / f"no{name}"),
    )
    for command in commands:
        done = basket(*command)
        printed = done.stdout + done.stderr
        assert "pwned" in printed
        assert all(sign.isprintable() or sign == "\n" for sign in printed)


# ---- make and the installation ------------------------------------------------------------------


@pytest.fixture(scope="module")
def front_door(tmp_path_factory) -> Path:
    """Give a folder with the Makefile, whose Python prints what it is called with."""
    folder = copy_of_checkout(tmp_path_factory.mktemp("front") / "a b")
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    for name in ("installed.lock", "installed-lab.lock"):
        (folder / ".venv" / name).touch()
    return folder


SHELL = [
    "`touch p`",
    "$(touch p)",
    "$$(touch p)",
    "$(shell touch p)",
    '"; touch p; "',
    "'; touch p; '",
    "/deliv/x `touch p`.zip",
    "a\\",
    "costs $5, $HOME",
]


@pytest.mark.parametrize("text", SHELL)
@pytest.mark.parametrize(
    ("target", "variable"),
    [("report", "DATA"), ("report", "RULES"), ("send", "TO"), ("lab", "SETTINGS")],
)
def test_no_shell_reads_a_value_that_make_was_given(front_door, target, variable, text):
    for given in ((target, f"{variable}={text}"), (target,)):
        environment = {} if len(given) > 1 else {variable: text}
        done = make(front_door, *given, **environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == text
        assert not list(front_door.rglob("p"))


def test_no_recipe_holds_the_text_of_a_value():
    """`$(if $(DATA),…)` asks whether there is one; what it is stands as "$$DATA"."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    names = re.search(r"^TEXTS := (.*)$", text, re.M)[1].split()
    recipes = "\n".join(line for line in text.splitlines() if line.startswith("\t"))
    for name in names:
        assert f"$({name})" not in recipes.replace(f"$(if $({name})", ""), name


def test_a_value_is_no_option(front_door):
    done = make(front_door, "check", "DATA=--json")
    assert done.stdout.splitlines()[-2:] == ["--", "--json"]


@pytest.fixture
def slow_python(tmp_path) -> Path:
    """Give a folder of tools with a Python whose virtual environment takes a while to make."""
    tools = tmp_path / "tools"
    tools.mkdir()
    fake = tools / "python3"
    fake.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        '"-m venv .venv") sleep 2; mkdir -p .venv/bin; cp "$0" .venv/bin/python;;\n'
        '*pip*) sleep 2; echo "$*" >> pip.log; test -x .venv/bin/python;;\n'
        "--version) echo Python 3.11;;\n"
        "esac\n"
    )
    fake.chmod(0o755)
    return tools


@pytest.mark.slow
def test_of_two_first_installations_the_second_waits_and_has_nothing_to_do(tmp_path, slow_python):
    folder = copy_of_checkout(tmp_path / "copy")
    command = ["sh", folder / "03_scripts" / "set_up.sh"]
    environment = {"PATH": f"{slow_python}:/usr/bin:/bin", "PYTHON": str(slow_python / "python3")}
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ".venv").mkdir(parents=True)
    (elsewhere / ".venv" / "mine.txt").write_text("mine\n", encoding="utf-8")
    options = {"cwd": elsewhere, "env": environment, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **options) as first:
        time.sleep(1)
        with subprocess.Popen(command, **options) as second:
            said = [process.communicate(timeout=60)[1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert "another installation is at work" in said[1]
    assert len((folder / "pip.log").read_text().splitlines()) == 1  # of the first alone
    assert not (folder / ".venv.lock").exists()
    assert (elsewhere / ".venv" / "mine.txt").is_file()  # it is called from there, not for there


def test_an_installation_that_fails_leaves_no_lock(tmp_path, slow_python):
    (slow_python / "python3").write_text('#!/bin/sh\n[ "$1" = -c ]\n')
    folder = copy_of_checkout(tmp_path / "copy")
    environment = {"PATH": f"{slow_python}:/usr/bin:/bin", "PYTHON": str(slow_python / "python3")}
    command = ["sh", folder / "03_scripts" / "set_up.sh"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "cannot make a virtual environment" in done.stderr
    assert not (folder / ".venv.lock").exists()
