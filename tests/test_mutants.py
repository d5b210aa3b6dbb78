"""Mutants of the package: each is one change that can be run, and meets the tests of its module."""

import ast
import sys

import pytest

from basket.project.folders import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import mutants


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("a = b < c", ["< -> <="]),
        ("é = 'é'; a = b + 1", ["+ -> -", "1 -> 2"]),
        ("a = b and c", ["and -> or"]),
        ("if a:\n    b = True", ["a -> not (a)", "True -> False"]),
        ("a = (b\n     * c)", ["* -> /"]),
        ("a = f'{b + 1:>{c * 2}}'", []),
        ("a = b is None", []),
    ],
)
def test_changes_are_those_of_the_text(code, changes):
    found = mutants.mutants_of("project/x.py", code)
    assert [f"{one.before} -> {one.after}" for one in found] == changes
    for one in found:
        text = code.encode()
        assert text[one.start : one.end].decode() == one.before
        ast.parse((text[: one.start] + one.after.encode() + text[one.end :]).decode())


def test_a_module_meets_the_tests_that_import_it_else_those_of_its_room():
    assert "test_ratios.py" in mutants.tests_of("analysis/statistics/ratios.py")
    assert "test_workbook.py" in mutants.tests_of("report/workbook/look.py")
    for path in mutants.PACKAGE.rglob("*.py"):
        module = path.relative_to(mutants.PACKAGE).as_posix()
        assert mutants.tests_of(module) or module in ("__init__.py", "__main__.py"), module


@pytest.mark.slow
def test_a_changed_line_is_noticed_and_taken_back(tmp_path, monkeypatch):
    package = tmp_path / "03_scripts" / "basket" / "project"
    package.mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    code, test = (
        "def more(a):\n    return a + 1\n",
        "from x import more\n\n\ndef test():\n    assert more(1) ",
    )
    (package / "x.py").write_text(code)
    monkeypatch.setattr(mutants, "tests_of", lambda _: ["test_x.py"])
    monkeypatch.setattr(mutants, "EXAMPLE", ["tests/test_example.py"])
    path = f"import sys\nsys.path.insert(0, {str(package)!r})\n"
    plus = mutants.mutants_of("project/x.py", code)[0]

    def passes(quick: str, example: str) -> bool:
        for name, compared in (("x", quick), ("example", example)):
            (tmp_path / "tests" / f"test_{name}.py").write_text(f"{path}{test}{compared}\n")
        return mutants.survives(plus, tmp_path)

    assert passes(">= 0", ">= 0")
    assert not passes("== 2", ">= 0")
    assert not passes(">= 0", "== 2")
    assert (package / "x.py").read_text() == code
