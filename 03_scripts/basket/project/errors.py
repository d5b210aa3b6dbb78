"""Errors that are for people: one line that says what was found, what was expected, what to do."""


class BasketError(Exception):
    """A run that cannot go on, with a message a user can act on."""


class DataError(BasketError):
    """The raw data is missing, damaged or not what it should be."""


class SettingsError(BasketError):
    """settings.yml holds something it should not."""
