"""Texts that no spreadsheet takes for a formula.

One that begins with one of `= + - @` or a tab would be calculated, and a product may be called like
that. It is written after an apostrophe, which readers take off again.
"""

import re

FORMULA_LIKE = re.compile("'*[-=+@\t]")


def guarded(text: object) -> object:
    """Return a text that no spreadsheet calculates; anything else as it is."""
    return f"'{text}" if isinstance(text, str) and FORMULA_LIKE.match(text) else text


def unguarded(text: str) -> str:
    """Return the text of which `guarded` made this one."""
    return text[1:] if text.startswith("'") and FORMULA_LIKE.match(text) else text
