"""What Windows lacks: fcntl, resource, sockets that are files, make; and files open in Excel.

Here all of it is hidden from an ordinary run, which must come to the same tables.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from basket.project.errors import BasketError
from basket.project.folders import SCRIPTS, Folders
from basket.tables import publish
from checkout import BUILD_LOG, run_command

HIDE = """
import sys

import psutil  # which does without resource on Windows
import zmq

for name in ("fcntl", "resource", "msvcrt"):
    sys.modules[name] = None
bind = zmq.Socket.bind


def bind_to_ports(self, address):
    if address.startswith("ipc:"):
        raise zmq.ZMQError(zmq.EPROTONOSUPPORT)
    return bind(self, address)


zmq.Socket.bind = bind_to_ports
"""


@pytest.fixture(scope="module")
def hidden(tmp_path_factory) -> dict[str, str]:
    """Give the environment of a process to which these modules are hidden, and no program."""
    folder = tmp_path_factory.mktemp("hidden")
    (folder / "sitecustomize.py").write_text(HIDE)
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(SCRIPTS)]), "PATH": str(folder)}


def basket(*arguments, **environment) -> subprocess.CompletedProcess:
    return run_command(sys.executable, "-m", "basket", *arguments, **environment)


@pytest.mark.slow
def test_without_all_that_windows_lacks_a_run_gives_the_same_files(checkout, tmp_path, hidden):
    """As the report of the checkout, which knows no commit either and is of the same data."""
    (data,) = (checkout / "02_data" / "prepared_data" / "generated_data").iterdir()
    done = basket("report", "--data", data, "--out", tmp_path, **hidden)
    assert done.returncode == 0, done.stderr
    without_limit = "memory_share has no effect"
    assert without_limit in done.stderr
    assert without_limit not in (checkout.parent / BUILD_LOG).read_text(encoding="utf-8")
    checked = basket("verify", "--out", tmp_path, **hidden)
    assert checked.returncode == 0, checked.stderr
    one, other = (
        json.loads((out / "04_analysis" / "manifest.json").read_text())["files"]
        for out in (checkout, tmp_path)
    )
    assert len(one) > 60 and one == other
    for file in (*tmp_path.rglob("*.json"), *(checkout / "04_analysis").rglob("*.json")):
        assert not [key for key in keys_of(json.loads(file.read_text())) if "\\" in key], file


def keys_of(content) -> list[str]:
    """All keys in a file of JSON."""
    if isinstance(content, list):
        return [key for item in content for key in keys_of(item)]
    if not isinstance(content, dict):
        return []
    return [*content, *(key for item in content.values() for key in keys_of(item))]


HOLD = """
import sys
from pathlib import Path
from basket.project.folders import Folders
from basket.run.lock import only_run
with only_run(Folders(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("is_hidden", [False, True])
def test_a_second_run_in_a_folder_is_refused_also_without_fcntl(tmp_path, hidden, is_hidden):
    environment = hidden if is_hidden else {"PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | environment, **pipes) as first:
        assert first.stdout.readline() == "held\n"
        second = run_command(*command, **environment)
        assert second.returncode == 1 and "another run is at work in" in second.stderr
        first.kill()
    third = run_command(*command, **environment)  # a killed run holds nothing
    assert third.stdout == "held\n", third.stderr


def test_a_disk_on_which_sqlite_cannot_lock_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "flock", None)
    folders = Folders(tmp_path)
    folders.prepared.mkdir(parents=True)
    (folders.prepared / ".lock").write_text("no database, but something else\n" * 99)
    with (
        pytest.raises(BasketError, match=r"cannot be locked \(file is not a database\)"),
        publish.locked(folders),
    ):
        pass


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_another_program_holds_is_named_with_the_way_out(tmp_path, monkeypatch, is_folder):
    built, published = tmp_path / "built", tmp_path / "report.xlsx"
    for path in (built, published):
        if is_folder:
            path.mkdir()
        else:
            path.write_text("x")

    def held(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename" if is_folder else "replace", held)
    with pytest.raises(
        BasketError, match=r"report\.xlsx: cannot be replaced .*: close it in Excel"
    ):
        publish._move(built, published)


# ---- the same bytes, the same names -------------------------------------------------------------

CODE = sorted((SCRIPTS / "basket").rglob("*.py"))


def unportable(code: str) -> list[str]:
    """Find text that is written with the system's line ends, and paths turned into keys by str."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        called, given = ast.unparse(node.func), {option.arg for option in node.keywords}
        arguments = [ast.unparse(argument) for argument in node.args]
        if called.endswith(".write_text") and "newline" not in given:
            found.append(ast.unparse(node))
        if called in ("open", "os.fdopen") or called.endswith(".open"):
            modes = [a for a in arguments if a.strip("'") and set(a.strip("'")) <= set("rwabxt+")]
            is_text = any({"w", "a", "x"} & set(m) and "b" not in m for m in modes)
            if is_text and modes != ["'a+'"] and "newline" not in given:
                found.append(ast.unparse(node))
        if called == "str" and any(".relative_to(" in argument for argument in arguments):
            found.append(ast.unparse(node))
    return found


def test_no_text_is_written_with_the_line_ends_of_a_system():
    found = {path.name: unportable(path.read_text(encoding="utf-8")) for path in CODE}
    assert len(found) > 60
    assert {name: calls for name, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "code",
    [
        "path.write_text(text, encoding='utf-8')",
        "path.open('w', encoding='utf-8')",
        "open(path, 'a')",
        "keys[str(path.relative_to(root))] = 1",
    ],
)
def test_each_of_them_would_be_seen(code):
    assert unportable(code)


def test_advice_names_the_command_that_is_there(tmp_path):
    code = "from basket.project.errors import REPORT; print(REPORT)"
    (tmp_path / "make").write_text("#!/bin/sh\n")
    for mode, said in ((0o600, "python -m basket report"), (0o755, "make report")):
        (tmp_path / "make").chmod(mode)
        done = run_command(sys.executable, "-c", code, PATH=tmp_path, PYTHONPATH=SCRIPTS)
        assert done.stdout.strip() == said
