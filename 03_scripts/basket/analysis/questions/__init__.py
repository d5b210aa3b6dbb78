"""The questions of the report: one module each, `qNN_*`, found by name. No other list exists.

A question module holds, in this order, `QUESTION`, the functions that make its result tables, its
figures (result tables and settings to a `Figure`) and its findings (evidence and settings to a
`Finding`).

The questions are read from the source of their modules: printing a title (stage 06, the pages)
needs no statistics, whose import takes a second. A run reads them before it renders pages in a
thread: Python 3.11 cannot build syntax trees in two threads at once.
"""

import ast
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from basket.analysis import question
from basket.analysis.question import Question
from basket.project.errors import SettingsError
from basket.project.flag import Flag

DEFINED = re.compile(r"^QUESTION = (Question\(.*?\))$", re.DOTALL | re.MULTILINE)


def _read(module: Path) -> Question:
    """Read `QUESTION = Question(...)`: texts, and names that `analysis/question.py` knows."""
    found = DEFINED.search(module.read_text(encoding="utf-8"))
    if not found:
        raise LookupError(f"{module.name} defines no QUESTION = Question(...)")
    call = ast.parse(found[1], mode="eval").body
    return Question(**{each.arg: _value(each.value) for each in call.keywords})


def _value(node: ast.expr):
    if isinstance(node, ast.Name):
        return vars(question)[node.id]
    return tuple(map(_value, node.elts)) if isinstance(node, ast.Tuple) else ast.literal_eval(node)


QUESTIONS: dict[str, Question] = {
    found.id: found for found in map(_read, sorted(Path(__file__).parent.glob("q[0-9][0-9]_*.py")))
}


def number_of(question: str) -> int:
    """Place of a question in the report: Q1 is 1; whatever is no question of ours comes last."""
    return list(QUESTIONS).index(question) + 1 if question in QUESTIONS else len(QUESTIONS) + 1


def require_known(flags: dict[str, Flag], file: Path) -> None:
    """Raise SettingsError where a flag of a settings file serves a question that no module asks."""
    for name, flag in flags.items():
        if flag.question not in (None, *QUESTIONS):
            found = f"found {flag.question}, expected one of {', '.join(QUESTIONS)}"
            raise SettingsError(f"{file}: flags.{name}.question: {found}")


def question_of(function: Callable) -> Question:
    """Find the question that a figure or a finding belongs to: that of its module."""
    return import_module(function.__module__).QUESTION
