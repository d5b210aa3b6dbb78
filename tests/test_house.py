"""The house: rooms whose imports go one way, modules and functions that stay short."""

import ast
import json
from pathlib import Path

import pytest

from basket.project.folders import SCRIPTS

PACKAGE = SCRIPTS / "basket"
FLOORS = (  # from the ground up; rooms of one floor do not import each other
    {"project"},
    {"tables"},
    {"prepare", "synthetic"},
    {"analysis"},
    {"report"},
    {"run", "checks"},
    {"command", "__main__"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
BESIDE = {("prepare", "synthetic"), ("checks", "run")}  # who may ask the neighbour on its floor
LONGEST_MODULE, LONGEST_FUNCTION, MOST_AT_THE_TOP = 500, 60, 4
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    """The room of `basket.room.module`; the package's own name has none."""
    return [*module.split("."), ""][1]


def imports_of(code: str) -> set[str]:
    """Every module of the package that a piece of code imports, wherever it does so."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("basket.")}


def climbs(room: str, code: str) -> list[str]:
    """The imports of a module that lead to a room above its own, or beside it unasked."""
    return [
        f"{room} -> {name}"
        for name in sorted(imports_of(code))
        for other in (room_of(name),)
        if other != room
        and FLOOR_OF[other] >= FLOOR_OF[room]
        and (room, other) not in BESIDE
        and room != "__main__"
    ]


def test_imports_go_one_way():
    wrong = [
        arrow
        for path in MODULES
        for arrow in climbs(
            path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path.read_text(encoding="utf-8")
        )
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("room", "code", "wrong"),
    [
        ("analysis", "from basket.report.draw import Figure", 2),
        ("tables", "def late():\n    from basket.run import pipeline", 2),
        ("report", "from basket.analysis import flags", 0),
        ("prepare", "from basket.synthetic import generate", 0),
        ("synthetic", "import basket.prepare.clean", 1),
    ],
)
def test_an_import_that_climbs_is_seen(room, code, wrong):
    assert len(climbs(room, code)) == wrong


def test_modules_and_functions_stay_short():
    long = []
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(PACKAGE))
        if len(text.splitlines()) > LONGEST_MODULE:
            long.append(f"{name}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long.append(f"{name}: {node.name} {lines} lines")
    assert long == []


def test_few_modules_are_outside_the_rooms():
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_AT_THE_TOP
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms | {"command", "__main__"} == set(FLOOR_OF)


def handlers_that_hide(path: Path) -> list[str]:
    """Handlers that could turn a programming error into a statement about the data."""
    broad = {"Exception", "BaseException", "LookupError", "KeyError", "IndexError", "ValueError"}
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            names = {
                name.id
                for name in ast.walk(node.type or ast.Name("Exception"))
                if isinstance(name, ast.Name)
            }
            if names & broad:
                found.append(f"{path.name}:{node.lineno}")
    return found


def test_the_analysis_catches_nothing_but_its_own_word():
    found = [
        place for path in (PACKAGE / "analysis").rglob("*.py") for place in handlers_that_hide(path)
    ]
    assert found == []
    assert handlers_that_hide(PACKAGE / "report" / "gallery.py") == []


def test_the_first_question_comes_early_in_notebook_05():
    cells = json.loads((SCRIPTS / "05_visualise.ipynb").read_text(encoding="utf-8"))["cells"]
    first = next(
        place
        for place, cell in enumerate(cells)
        if cell["cell_type"] == "markdown" and "".join(cell["source"]).startswith("## Q1 ")
    )
    assert sum(cell["cell_type"] == "code" for cell in cells[:first]) <= 8
