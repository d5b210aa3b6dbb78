"""A question of the report; each has a module in `analysis/questions`."""

from dataclasses import dataclass

from basket.project.origin import PEOPLE, PRICE

__all__ = ["PEOPLE", "PRICE", "WHEN", "WHOM", "Question"]

WHEN = "When to advertise, and what"
WHOM = "Whom to address, and how sure we are"


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question: its id (Q1), a short title, itself in one sentence, its part of the report.

    `part` is the heading of the sheet with the recommendations for its answers, `needs` what it has
    no answer without, of what a delivery may lack: PRICE, PEOPLE.
    """

    id: str
    title: str
    text: str
    part: str
    needs: tuple[str, ...] = ()
