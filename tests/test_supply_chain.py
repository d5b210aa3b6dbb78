"""No code comes out of data: nothing is unpickled or evaluated, and no shell reads a name."""

import ast
import json
import shutil

import pytest

from basket.project.folders import ROOT, SCRIPTS
from checkout import run_command

MODULES = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
CALLS = {"eval", "exec", "compile", "__import__", "pd.eval", "joblib.load"}
CALLS |= {"os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}
CALLS |= {"np.load", "np.loads", "numpy.load"}
METHODS = {"to_pickle", "read_pickle", "extractall"}
OPTIONS = {"shell", "allow_pickle"}


def sources() -> dict[str, str]:
    """Return the code of the package and of the notebooks."""
    found = {
        path.name: path.read_text(encoding="utf-8") for path in (SCRIPTS / "basket").rglob("*.py")
    }
    for path in SCRIPTS.glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found[path.name] = "\n".join(
            "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"
        )
    return found


def dangers(code: str) -> list[str]:
    """Find what a piece of code imports or calls that can turn data into code."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            names.append(getattr(node, "module", None) or "")
            found += [name for name in names if name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CALLS or called.rpartition(".")[2] in METHODS:
                found.append(called)
            found += [
                option.arg
                for option in node.keywords
                if option.arg in OPTIONS and ast.unparse(option.value) != "False"
            ]
        elif isinstance(node, ast.Attribute) and node.attr in ("read_pickle", "to_pickle"):
            found.append(node.attr)
    return found


def test_nothing_in_the_package_or_the_notebooks_turns_data_into_code():
    code = sources()
    assert len(code) > 40
    assert {name: dangers(text) for name, text in code.items() if dangers(text)} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import os, dill.source",
        "eval('1')",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "numpy.load(path)",
        "pd.read_pickle(path)",
        "f = pd.read_pickle",
        "subprocess.run(command, shell=True)",
        "yaml.load(text)",
        "archive.extractall(folder)",
        "os.system(name)",
        "__import__(name)",
    ],
)
def test_each_danger_is_recognised(code):
    assert dangers(code)


@pytest.mark.slow
def test_no_locked_package_has_a_known_vulnerability():
    """Asks pip-audit, where it is installed and can reach its database."""
    command = shutil.which("pip-audit")
    if not command:
        pytest.skip("NOT RUN: pip-audit is not on PATH, so the lock was not audited")
    lock = ROOT / "requirements.lock"
    options = ["--requirement", lock, "--require-hashes", "--disable-pip", "--format", "json"]
    done = run_command(command, *options, "--progress-spinner", "off")
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        pytest.skip(f"NOT RUN: pip-audit could not ask its database: {done.stderr[-200:]}")
    assert {one["name"]: one["vulns"] for one in packages if one.get("vulns")} == {}
