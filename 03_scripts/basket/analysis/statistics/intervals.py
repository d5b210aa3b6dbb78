"""Intervals of ratios, with the customer as the unit, from moments."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri


@dataclass(frozen=True)
class Moments:
    """Customers n, their sums (k), and the sums of products of their columns (k x k).

    For sums over customers s and their variance V, the delta method gives the standard error of the
    log of any product of powers of such sums. One matrix of products serves thousands of ratios,
    where the bootstrap would draw thousands of resamples; the tests hold the two against each
    other. Moments add up over parts. Source: linearised variance of a ratio under cluster sampling,
    Cochran (1977), Sampling Techniques, ch. 6.
    """

    n: int
    sums: np.ndarray
    products: np.ndarray

    @staticmethod
    def of(columns: np.ndarray) -> "Moments":
        """Moments of one part: `columns` is customers x k, whole numbers."""
        columns = np.asarray(columns, "float64")
        return Moments(len(columns), columns.sum(axis=0), columns.T @ columns)

    def __add__(self, other: "Moments") -> "Moments":
        """Moments of the customers of both."""
        return Moments(self.n + other.n, self.sums + other.sums, self.products + other.products)

    def ratio(
        self, above: list[np.ndarray], below: list[np.ndarray], confidence: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Product of the sums `above` over those `below`, with its interval.

        Each of `above` and `below` is m x k: row i weighs the k columns into the sum that ratio i
        takes. Returns estimate, lower and upper limit, and the p-value against a ratio of 1, m
        each; NaN where a sum is zero.
        """
        gradient = 0.0
        log_ratio = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            for sign, weights in [(1, w) for w in above] + [(-1, w) for w in below]:
                totals = weights @ self.sums
                log_ratio = log_ratio + sign * np.log(totals)
                gradient = gradient + sign * weights / totals[:, None]
            centred = self.products - np.outer(self.sums, self.sums) / max(self.n, 1)
            variance = np.einsum("ij,jk,ik->i", gradient, centred, gradient, optimize=True)
            variance *= self.n / max(self.n - 1, 1)
            error = np.sqrt(np.maximum(variance, 0))
            width = error * ndtri((1 + confidence) / 2)
            found = (
                np.exp(log_ratio),
                np.exp(log_ratio - width),
                np.exp(log_ratio + width),
                2 * ndtr(-np.abs(log_ratio) / error),
            )
        known = np.isfinite(log_ratio) & np.isfinite(error)
        return tuple(np.where(known, values, np.nan) for values in found)
