"""Errors that are for people: one line that says what was found, what was expected, what to do."""

import shutil

REPORT = "make report" if shutil.which("make") else "python -m basket report"  # as advice says it


class BasketError(Exception):
    """A run that cannot go on, with a message a user can act on."""


class DataError(BasketError):
    """The raw data is missing, damaged or not what it should be."""


class SettingsError(BasketError):
    """settings.yml holds something it should not."""
