"""Ratios of customers' sums, with their intervals and p-values, by linearisation.

A mean, a share, a rate, a lift, an index, a difference between groups: each is a product of sums
over customers, above and below the line. The value of an order is spend / orders; a lift is
(lines of the department in the daypart / lines of the daypart) / (lines of the department / lines).
The customer is the unit (D-09). On the log scale such a ratio is nearly a sum over customers, and
each customer's term is its influence z:

    z = y / Y - x / X                     of a ratio Y / X
    z = y / Y - x / X  in the group, -(y / Y' - x / X')  among the others it is compared with
    se^2 = sum over the sides of n / (n - 1) * (sum of z^2)
    m    = (sum of z^2)^2 / (sum of z^4)  effective customers
    limits = ratio * exp(+-t * se)        t of Student's distribution with m - 1 degrees of freedom

Sources: linearised variance of a ratio, Cochran (1977), Sampling Techniques, ch. 6; effective
degrees of freedom after Satterthwaite (1946), Biometrics Bulletin 2, 110-114; direct
standardisation, Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions,
ch. 19. Measured: 95 to 96 % coverage in groups of 11 customers (see tests/test_ratios.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

NOTHING_TO_COMPARE = "nothing to compare"
ONE_CUSTOMER = "one customer holds too much of it"
TOO_FEW = "too few effective customers"


@dataclass(frozen=True)
class Ratios:
    """Estimated ratios, an entry a cell in each array; NaN where a cell has no estimate.

    The p-value is that of "the ratio is 1". `largest_share` is the largest share that one customer
    has in the sum above the line, on the side where it is largest.
    """

    ratio: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray
    effective_customers: np.ndarray
    largest_share: np.ndarray

    def reason(self, fewest: float, largest_share: float) -> np.ndarray:
        """Say why nothing may be concluded from a cell; empty where something may.

        `fewest` effective customers are enough, and one may hold up to `largest_share`.
        """
        return np.select(
            [
                ~np.isfinite(self.low),
                self.largest_share > largest_share,
                ~(self.effective_customers >= fewest),
            ],
            [NOTHING_TO_COMPARE, ONE_CUSTOMER, TOO_FEW],
            "",
        )


def influence(above: Sequence[np.ndarray], below: Sequence[np.ndarray]) -> np.ndarray:
    """Give each customer's z for a product of ratios: the terms above less the terms below.

    Each term is customers x cells, or a column that serves all cells. A sum of 0 makes z NaN.
    """
    z = 0.0
    for sign, terms in ((1.0, above), (-1.0, below)):
        for term in map(_cells, terms):
            total = term.sum(axis=0)
            z = z + sign * term / np.where(total == 0, np.nan, total)
    return z


def product(
    above: Sequence[np.ndarray], below: Sequence[np.ndarray], confidence: float = 0.95
) -> Ratios:
    """Estimate the product of the sums `above` over those `below`, cell by cell.

    Each term is customers x cells, or a column that serves all cells; whole numbers are summed
    exactly. The first term above the line is the one that no customer may hold too much of.
    """
    z = influence(above, below)
    tops, bottoms = ([_cells(term).sum(axis=0) for term in terms] for terms in (above, below))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.prod(np.broadcast_arrays(*tops), axis=0) / np.prod(
            np.broadcast_arrays(*bottoms), axis=0
        )
    squares = z * z
    n = len(z)
    return _estimates(
        np.broadcast_to(ratio, squares.shape[1:]),
        variance=squares.sum(axis=0) * (n / (n - 1) if n > 1 else np.nan),
        squares=squares.sum(axis=0),
        fourths=(squares * squares).sum(axis=0),
        largest_share=np.broadcast_to(_largest_share(_cells(above[0])), squares.shape[1:]),
        confidence=confidence,
    )


def against_others(
    y: np.ndarray, x: np.ndarray, codes: np.ndarray, groups: int, confidence: float = 0.95
) -> Ratios:
    """Compare each group's ratio Y / X with that of the others: an entry a group.

    `codes` are the customers' groups, -1 for a customer of none, who is left out.
    """
    whole = np.zeros(len(codes), np.intp)
    return standardised(y, x, codes, groups, whole, np.ones(1), 0, confidence)[0]


def standardised(
    y: np.ndarray,
    x: np.ndarray,
    codes: np.ndarray,
    groups: int,
    strata: np.ndarray,
    weights: np.ndarray,
    fewest: int,
    confidence: float = 0.95,
) -> tuple[Ratios, np.ndarray]:
    """Compare each group's ratio with that of the others at equal strata (direct standardisation).

    Each side's ratios within the strata are averaged with the same `weights`, one a stratum, taken
    as fixed. Customers of stratum -1 or group -1 are left out, and so are the strata that have
    fewer than `fewest` customers on one side. Returns the comparisons, an entry a group, and the
    share of all weights that the strata used for a group have.
    """
    known = (codes >= 0) & (strata >= 0)
    y, x = np.asarray(y)[known].astype("float64"), np.asarray(x)[known].astype("float64")
    codes, strata = codes[known], strata[known]
    found = np.full((5, groups), np.nan)
    covered = np.zeros(groups)
    for group in range(groups):
        inside = codes == group
        sizes = np.stack([_per(strata[side], len(weights)) for side in (inside, ~inside)])
        used = (sizes >= max(1, fewest)).all(axis=0)
        covered[group] = weights[used].sum() / weights.sum() if weights.any() else 0.0
        sides = [
            _standardised_side(y[side], x[side], strata[side], np.where(used, weights, 0.0))
            for side in (inside & used[strata], ~inside & used[strata])
        ]
        (rate, *sums, largest), (other_rate, *other_sums, other_largest) = sides
        with np.errstate(divide="ignore", invalid="ignore"):
            found[:, group] = (
                rate / other_rate if other_rate else np.nan,
                *(a + b for a, b in zip(sums, other_sums, strict=True)),
                np.fmax(largest, other_largest),
            )
    return _estimates(*found, confidence), covered


def _standardised_side(
    y: np.ndarray, x: np.ndarray, strata: np.ndarray, weights: np.ndarray
) -> tuple[float, float, float, float, float]:
    """One side: its weighted ratio, variance, sums of z^2 and z^4, and largest share."""
    size = len(weights)
    n, above, below = _per(strata, size), _per(strata, size, y), _per(strata, size, x)
    with np.errstate(divide="ignore", invalid="ignore"):
        within = above / below
        rate = float((weights / weights.sum() * np.where(weights > 0, within, 0.0)).sum())
        scale = weights / weights.sum() / below / rate
        z = scale[strata] * (y - within[strata] * x)
        squares = z * z
        correction = n / np.where(n > 1, n - 1.0, np.nan)
    return (
        rate,
        float((correction[strata] * squares).sum()),
        float(squares.sum()),
        float((squares * squares).sum()),
        float(_largest_share(_cells(y))[0]),
    )


def _estimates(ratio, variance, squares, fourths, largest_share, confidence: float) -> Ratios:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        effective = squares**2 / fourths
        error = np.sqrt(variance)
        freedom = effective - 1
        log = np.log(ratio)
        usable = np.isfinite(log) & (error > 0) & (freedom > 0)
        freedom = np.where(usable, freedom, 1.0)
        reach = stdtrit(freedom, (1 + confidence) / 2) * error
        p_value = 2 * stdtr(freedom, -np.abs(log / error))
        low, high = np.exp(log - reach), np.exp(log + reach)
    usable &= np.isfinite(high)
    low, high, p_value = (np.where(usable, each, np.nan) for each in (low, high, p_value))
    return Ratios(ratio, low, high, p_value, effective, largest_share)


def _largest_share(columns: np.ndarray) -> np.ndarray:
    total = columns.sum(axis=0)
    return columns.max(axis=0, initial=0) / np.where(total == 0, np.nan, total)


def _cells(term: np.ndarray) -> np.ndarray:
    term = np.asarray(term)
    return term if term.ndim > 1 else term[:, None]


def _per(codes: np.ndarray, size: int, values: np.ndarray | None = None) -> np.ndarray:
    return np.bincount(codes, values, size)
