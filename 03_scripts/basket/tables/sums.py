"""Money and means: whole cents to dollars, and division where there may be nothing to divide by."""

import numpy as np

HOURS = 24  # of a day


def dollars(cents) -> np.ndarray:
    """Dollars of whole cents, two decimals."""
    return np.round(np.asarray(cents) / 100, 2)


def per(numerator, denominator) -> np.ndarray:
    """A mean, share or rate; NaN where there is nothing to divide by."""
    denominator = np.asarray(denominator, "float64")
    return np.asarray(numerator, "float64") / np.where(denominator == 0, np.nan, denominator)
