"""The project itself: documents that must agree with the code, files that must stay clean."""

import ast
import json
import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from basket.project.folders import ROOT, SCRIPTS
from basket.project.published_figures import read_published
from basket.project.stages import graph
from checkout import run_command

DECISIONS = ROOT / "01_project_management" / "decisions.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- tests -->\n", "\n<!-- /tests -->"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def stage_table() -> str:
    rows = ["| stage | takes | makes |", "|---|---|---|"]
    for step in graph().values():
        takes = ", ".join(f"`{name}`" if name != "raw files" else name for name in step.takes)
        rows.append(f"| `{step.stage}` | {takes} | {', '.join(f'`{n}`' for n in step.makes)} |")
    return "\n".join(rows)


def tracked_files() -> list[Path]:
    listed = run_command("git", "ls-files", "-z", folder=ROOT)
    if listed.returncode:
        pytest.skip("not a git checkout: the files under version control cannot be listed")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_readme_shows_the_stages_of_stages_csv():
    shown = re.search(r"<!-- stages -->\n(.*?)\n<!-- /stages -->", README, re.S)[1]
    assert shown == stage_table()


def test_every_make_target_is_in_the_readme():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][a-z-]*):.*## ", makefile, re.M)
    assert len(targets) >= 6
    for target in targets:
        assert f"`make {target}" in README or target == "help", target


def test_stages_are_notebooks_in_order_and_take_only_what_was_made():
    made: set[str] = {"raw files"}
    for step in graph().values():
        assert (ROOT / "03_scripts" / f"{step.stage}.ipynb").is_file()
        assert set(step.takes) <= made, step
        made |= set(step.makes)
    assert list(graph()) == sorted(graph())


@pytest.mark.parametrize("stage", list(graph()))
def test_source_notebooks_have_one_parameters_cell_and_begin_with_text(stage):
    notebook = json.loads((ROOT / "03_scripts" / f"{stage}.ipynb").read_text(encoding="utf-8"))
    cells = notebook["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert cells[0]["cell_type"] == "markdown" and cells[0]["source"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", list(graph()))
def test_no_notebook_loads_what_is_slow_and_not_needed(stage):
    """At small sizes, importing it costs more than the work; figures are drawn elsewhere."""
    notebook = json.loads((ROOT / "03_scripts" / f"{stage}.ipynb").read_text(encoding="utf-8"))
    imports = [
        ast.unparse(one)
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        for one in ast.parse("".join(cell["source"])).body
        if isinstance(one, ast.Import | ast.ImportFrom)
    ]
    slow = ("seaborn", "scipy.stats") + ("scipy",) * (stage != "05_visualise")
    slow += ("matplotlib",) * (stage != "02_clean")
    loaded = f"print([m for m in {slow} if m in sys.modules])"
    done = run_command(sys.executable, "-c", "\n".join([*imports, "import sys", loaded]))
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


LOCKS = {"": "requirements.lock"}
LOCKS |= {name: f"requirements-{name}.lock" for name in ("cluster", "lab", "test")}


def locked(name: str = "") -> dict[str, set[str]]:
    """The versions of each package in a lock; several where they depend on the Python."""
    text = (ROOT / LOCKS[name]).read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", text, re.M):
        found.setdefault(package.lower(), set()).add(version)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_each_lock_holds_its_dependencies_with_hashes_and_names_no_host(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(LOCKS) == {"", *extras}
    wanted = [*project["dependencies"], *extras.get(name, [])]
    names = {re.split(r"[<>=\[;]", name)[0].strip().lower() for name in wanted}
    assert names <= set(locked(name))
    text = (ROOT / LOCKS[name]).read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        if "==" in block.splitlines()[0] and not block.startswith("#"):
            assert "--hash=sha256:" in block, block.splitlines()[0]
    entries = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert not re.search(r"https?://|--index|--find-links|--extra-index", entries)


@pytest.mark.parametrize("name", list(LOCKS)[1:])
def test_all_locks_agree_on_what_a_report_needs(name):
    assert locked().items() <= locked(name).items()


def test_a_report_needs_neither_jupyterlab_nor_dask_nor_what_tests_need():
    """At most 80 packages on each Python and system; 88 are named for all of them together."""
    assert not {"jupyter", "jupyterlab", "notebook", "dask", "pytest", "ruff"} & set(locked())
    always = re.findall(
        r"^[a-z0-9_.-]+==[^ ;]+ \\$", (ROOT / "requirements.lock").read_text(), re.M
    )
    assert len(always) <= 75


def test_every_dependency_is_justified_in_the_decisions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    decisions = DECISIONS.read_text(encoding="utf-8").lower()
    for name in wanted:
        plain = re.split(r"[<>=\[;]", name)[0].strip().lower()
        assert plain in decisions, f"{plain} has no line in decisions.md"


def test_environment_yml_holds_python_pip_and_the_lock_alone():
    import yaml

    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert content["dependencies"] == [
        "python >=3.11,<3.15",
        "pip",
        {"pip": ["--require-hashes", "-r requirements.lock"]},
    ]


def test_no_built_file_is_tracked():
    for path in tracked_files():
        inside = path.relative_to(ROOT).parts
        assert inside[:2] != ("02_data", "prepared_data")
        if inside[:2] == ("04_analysis", "example"):  # of generated data: `make example`
            assert path.suffix in {".ipynb", ".html", ".png", ".csv", ".json", ".xlsx"}
            continue
        assert inside[0] != "04_analysis" or inside[1] == "README.md"
        assert path.suffix not in {".parquet", ".pkl", ".pickle", ".xlsx"}


def test_decisions_that_notebooks_quote_exist():
    numbers = set(re.findall(r"\bD-(\d\d)\b", DECISIONS.read_text(encoding="utf-8")))
    files = [*SCRIPTS.glob("*.ipynb"), ROOT / "settings.yml", *(SCRIPTS / "basket").rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in files]
    quoted = {number for text in texts for number in re.findall(r"\bD-(\d\d)\b", text)}
    assert quoted and quoted <= numbers, quoted - numbers


def test_published_figures_are_a_table_with_their_rules():
    rows = read_published()
    assert rows["figure"].nunique() == 73
    assert set(rows["produced_by"]) == {"raw", "course", "corrected", "variant"}
    merged = rows.set_index("figure").loc["rows.merged"]
    assert (int(merged["value"]), merged["produced_by"]) == (32404859, "course")


def table_of_tests() -> str:
    """Say which test file guards what: the first paragraph of each.

    A file of one question, such as test_q15.py, says by its name what it guards.
    """
    rows = ["| file | guards |", "|---|---|"]
    files = (ROOT / "tests").glob("test_*.py")
    for path in sorted(path for path in files if not re.match(r"test_q\d+", path.name)):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).split("\n\n")[0]
        rows.append(f"| `{path.name}` | {' '.join(said.split())} |")
    return "\n".join(rows)


def test_contributing_says_what_each_test_file_guards():
    shown = CONTRIBUTING.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert shown == table_of_tests(), "write it again: python tests/test_project.py"


if __name__ == "__main__":
    before, rest = CONTRIBUTING.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    CONTRIBUTING.write_text(f"{before}{BEGIN}{table_of_tests()}{END}{after}", encoding="utf-8")
