"""Errors that are for people: one line that says what was found, what was expected, what to do."""

import shutil
import traceback
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
REPORT = "make report" if shutil.which("make") else "python -m basket report"  # as advice says it


def visible(text: object) -> str:
    """Return a text as a terminal may receive it: control characters are shown, not obeyed.

    What a supplier wrote into a name could else colour, move or rename what the user sees.
    """
    return "".join(
        sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in str(text)
    )


def is_text(text: object) -> bool:
    """Whether a text can be written to a file: a name of other bytes, or half a sign, cannot."""
    try:
        str(text).encode()
    except UnicodeEncodeError:
        return False
    return True


class BasketError(Exception):
    """A run that cannot go on, with a message a user can act on."""


class DataError(BasketError):
    """The raw data is missing, damaged or not what it should be."""


class SettingsError(BasketError):
    """settings.yml holds something it should not."""


def told(error: Exception) -> str:
    """Tell an error in one line; a programming error with the last line of this package."""
    what = " ".join(f"{error}".split())
    if isinstance(error, BasketError | OSError):
        return what
    frames = traceback.extract_tb(error.__traceback__)
    frame = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)][-1]
    place = Path(frame.filename).relative_to(PACKAGE.parent).as_posix()
    return f"{type(error).__name__}: {what} ({place}, line {frame.lineno})"
