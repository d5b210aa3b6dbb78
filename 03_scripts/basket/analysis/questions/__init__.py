"""The questions of the report: one module each, `qNN_*`, found by name. No other list exists.

A question module holds `QUESTION`, the functions that make its result tables, its figures
(result tables and settings to a `Figure`) and its findings (evidence and settings to a `Finding`).
"""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

from basket.analysis.question import Question

_MODULES = sorted(
    m.name for m in iter_modules(__path__) if m.name[0] == "q" and m.name[1].isdigit()
)
QUESTIONS: dict[str, Question] = {
    question.id: question
    for question in (import_module(f"{__name__}.{name}").QUESTION for name in _MODULES)
}


def number_of(question: str) -> int:
    """Place of a question in the report: Q1 is 1; whatever is no question of ours comes last."""
    return list(QUESTIONS).index(question) + 1 if question in QUESTIONS else len(QUESTIONS) + 1


def question_of(function: Callable) -> Question:
    """Find the question that a figure or a finding belongs to: that of its module."""
    return import_module(function.__module__).QUESTION
