"""What a question of the report is; each stands in a module of `analysis/questions`."""

from dataclasses import dataclass

WHEN = "When to advertise, and what"
WHOM = "Whom to address, and how sure we are"


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question: its id (Q1), a short title, itself in one sentence, its part of the report.

    `part` is the heading of the sheet with the recommendations under which its answers stand.
    """

    id: str
    title: str
    text: str
    part: str
