"""The project itself: documents that must agree with the code, files that must stay clean."""

import csv
import json
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from basket.project.folders import ROOT
from basket.project.stages import graph

README = (ROOT / "README.md").read_text(encoding="utf-8")


def stage_table() -> str:
    rows = ["| stage | takes | makes |", "|---|---|---|"]
    for step in graph().values():
        takes = ", ".join(f"`{name}`" if name != "raw files" else name for name in step.takes)
        rows.append(f"| `{step.stage}` | {takes} | {', '.join(f'`{n}`' for n in step.makes)} |")
    return "\n".join(rows)


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
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
def test_source_notebooks_are_stripped_and_have_one_parameters_cell(stage):
    notebook = json.loads((ROOT / "03_scripts" / f"{stage}.ipynb").read_text(encoding="utf-8"))
    cells = notebook["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert "papermill" not in notebook["metadata"]
    assert cells[0]["cell_type"] == "markdown" and cells[0]["source"]


@pytest.mark.parametrize("stage", list(graph())[:4])
def test_the_first_four_notebooks_load_neither_seaborn_nor_scipy(stage):
    """Importing them costs more than the work at small sizes."""
    notebook = json.loads((ROOT / "03_scripts" / f"{stage}.ipynb").read_text(encoding="utf-8"))
    imports = [
        line
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        for line in "".join(cell["source"]).splitlines()
        if re.match(r"(from|import) ", line)
    ]
    script = "\n".join(
        [*imports, "import sys", "print([m for m in ('seaborn', 'scipy') if m in sys.modules])"]
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def locked() -> dict[str, str]:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return {
        name.lower(): version
        for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", text, re.M)
    }


def test_lock_holds_every_dependency_with_hashes_and_names_no_host():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[<>=\[;]", name)[0].strip().lower() for name in wanted}
    assert names <= set(locked())
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        if "==" in block.splitlines()[0] and not block.startswith("#"):
            assert "--hash=sha256:" in block, block.splitlines()[0]
    assert not re.search(
        r"https?://|--index|--find-links|--extra-index",
        "\n".join(line for line in text.splitlines() if not line.startswith("#")),
    )


def test_every_dependency_is_justified_in_the_decisions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    decisions = (
        (ROOT / "01_project_management" / "decisions.md").read_text(encoding="utf-8").lower()
    )
    for name in wanted:
        plain = re.split(r"[<>=\[;]", name)[0].strip().lower()
        assert plain in decisions, f"{plain} has no line in decisions.md"


def test_environment_yml_holds_python_pip_and_the_lock_alone():
    import yaml

    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert content["dependencies"] == [
        "python >=3.11,<3.14",
        "pip",
        {"pip": ["--require-hashes", "-r requirements.lock"]},
    ]


def test_no_tracked_file_names_a_path_of_one_machine():
    forbidden = re.compile(r"(?<![\w.])(/home/\w|/Users/\w|/root/|/work/|[A-Z]:\\\\?Users)")
    for path in tracked_files():
        if path.suffix in {".png", ".xlsx"} or path == Path(__file__):
            continue
        found = forbidden.search(path.read_text(encoding="utf-8", errors="ignore"))
        if path.parts[-2] in ("tests", ".ci"):
            continue  # tests plant such paths to look for them
        assert not found, f"{path.relative_to(ROOT)}: {found[0]}"


def test_no_built_file_is_tracked():
    for path in tracked_files():
        inside = path.relative_to(ROOT).parts
        assert inside[:2] != ("02_data", "prepared_data")
        assert inside[0] != "04_analysis" or inside[1] == "README.md"
        assert path.suffix not in {".parquet", ".pkl", ".pickle", ".xlsx"}


def test_decisions_that_notebooks_quote_exist():
    decisions = (ROOT / "01_project_management" / "decisions.md").read_text(encoding="utf-8")
    numbers = set(re.findall(r"\bD-(\d\d)\b", decisions))
    quoted = set()
    for path in [
        *(ROOT / "03_scripts").glob("*.ipynb"),
        ROOT / "settings.yml",
        *(ROOT / "03_scripts" / "basket").rglob("*.py"),
    ]:
        quoted |= set(re.findall(r"\bD-(\d\d)\b", path.read_text(encoding="utf-8")))
    assert quoted and quoted <= numbers, quoted - numbers


def test_published_figures_are_a_table_with_their_rules():
    with (ROOT / "01_project_management" / "published_figures.csv").open(
        newline="", encoding="utf-8"
    ) as file:
        rows = list(csv.DictReader(file))
    assert len({row["figure"] for row in rows}) == 73
    assert {row["produced_by"] for row in rows} == {"raw", "course", "corrected", "variant"}
    merged = next(row for row in rows if row["figure"] == "rows.merged")
    assert merged["value"] == "32404859" and merged["produced_by"] == "course"
