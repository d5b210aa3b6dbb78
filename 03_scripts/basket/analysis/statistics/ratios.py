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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from basket.analysis.verdicts import NOTHING_TO_COMPARE, ONE_CUSTOMER, TOO_FEW
from basket.project.settings import Statistics

NO_VARIATION = 1e-9  # of a log ratio: less is the rounding of numbers that are all alike


@dataclass(frozen=True)
class Ratios:
    """Estimated ratios, an entry a cell in each array; NaN where a cell has no estimate.

    The p-value is that of "the ratio is 1". `largest_share` is the largest share that one customer
    has in the sum above the line, on the side where it is largest; `customers` are those who have
    something in it, of a group its own.
    """

    ratio: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray
    effective_customers: np.ndarray
    largest_share: np.ndarray
    customers: np.ndarray

    def reason(self, limits: Statistics) -> np.ndarray:
        """Say of each cell why nothing may be concluded from it; empty where something may."""
        return np.select(
            [
                ~((self.ratio > 0) & np.isfinite(self.ratio)),
                self.largest_share > limits.largest_share_of_one,
                self.effective_customers < limits.fewest_effective_customers,
                ~np.isfinite(self.low),  # nobody differs
            ],
            [NOTHING_TO_COMPARE, ONE_CUSTOMER, TOO_FEW, NOTHING_TO_COMPARE],
            "",
        )


def influence(above: Sequence[np.ndarray], below: Sequence[np.ndarray]) -> np.ndarray:
    """Give each customer's z for a product of ratios: the terms above less the terms below.

    Each term has a number a customer. A sum of 0 makes z NaN.
    """
    z = 0.0
    for added, terms in ((np.add, above), (np.subtract, below)):
        for term in terms:
            z = added(z, term / (term.sum() or np.nan))
    return z


def product(
    above: Sequence[np.ndarray],
    below: Sequence[np.ndarray],
    confidence: float = 0.95,
    threads: int = 1,
) -> Ratios:
    """Estimate the product of the sums `above` over those `below`, cell by cell.

    Each term is customers x cells, or a column that serves all cells; whole numbers are summed
    exactly. The first term above the line is the one that no customer may hold too much of.
    """
    (cells,) = np.broadcast_shapes(*(np.shape(term)[1:] or (1,) for term in (*above, *below)))

    def of_cell(cell: int) -> tuple[float, ...]:
        return _sums_of_cell(*(_of_cell(side, cell) for side in (above, below)))

    if min(threads, cells) > 1:
        with ThreadPoolExecutor(threads) as pool:
            sums = list(pool.map(of_cell, range(cells)))
    else:
        sums = list(map(of_cell, range(cells)))
    *estimated, customers = np.array(sums, "float64").reshape(cells, 6).T
    return _estimates(*estimated, customers.astype(np.int64), confidence)


def _of_cell(terms: Sequence[np.ndarray], cell: int) -> list[np.ndarray]:
    """Take one cell of each term: so few numbers stay in the processor's cache."""
    columns = [np.asarray(term) for term in terms]
    columns = [each[:, min(cell, each.shape[1] - 1)] if each.ndim > 1 else each for each in columns]
    return [each.astype("float64") for each in columns]


def _sums_of_cell(above: list[np.ndarray], below: list[np.ndarray]) -> tuple[float, ...]:
    """Give what `_estimates` takes, of one cell."""
    squares, first, n = influence(above, below) ** 2, above[0], len(above[0])
    squared, highest = squares.sum(), first.max(initial=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.divide(*(np.prod([term.sum() for term in side]) for side in (above, below)))
        largest_share = np.divide(highest, first.sum())
    return (
        ratio,
        squared * (n / (n - 1) if n > 1 else np.nan),
        squared,
        (squares**2).sum(),
        largest_share,
        np.count_nonzero(first),
    )


def shares(those: np.ndarray, customers: int, confidence: float = 0.95) -> Ratios:
    """Estimate shares of customers from the numbers of `those` who are counted in each cell.

    What `product` gives for a column of ones and zeros, in closed form: z is 1 / those - 1 / all
    for who is counted, -1 / all for the others.
    """
    k, n = np.asarray(those, "float64"), float(customers)
    k = np.where(k > 0, k, np.nan)
    squares = k * (1 / k - 1 / n) ** 2 + (n - k) / n**2
    fourths = k * (1 / k - 1 / n) ** 4 + (n - k) / n**4
    variance = squares * (n / (n - 1) if n > 1 else np.nan)
    those = np.asarray(those)
    return _estimates(those / n, variance, squares, fourths, 1 / k, those, confidence)


def against_others(
    y: np.ndarray, x: np.ndarray, codes: np.ndarray, groups: int, confidence: float = 0.95
) -> Ratios:
    """Compare each group's ratio Y / X with that of the others: an entry a group.

    `codes` are the customers' groups, -1 for a customer of none, who is left out.
    """
    return Split.of(codes, groups).compare(y, x, confidence)


@dataclass(frozen=True)
class Split:
    """Customers sorted by group and stratum, once for all measures that are compared.

    A customer of the others has another z for each group, as the others' ratio is another. Their
    sums of z^2 and z^4 come from sums over each cell (group and stratum) of products of x and of
    r = y - W x, with the ratio W of everyone in the stratum: z is r - (w - W) x, up to its scale,
    and the others' ratio w is near W, so that nothing cancels. Measured on 164,000 customers, 18
    groups, 10 strata: 23 ms a measure, group by group 165.
    """

    order: np.ndarray  # places of the customers that are compared, by cell
    starts: np.ndarray  # where each cell that has customers begins
    cells: tuple[np.ndarray, np.ndarray]  # its group and stratum
    sizes: np.ndarray  # customers: groups x strata
    weights: np.ndarray  # of the strata used: groups x strata, each row sums to 1
    covered: np.ndarray  # share of all weights that the strata used for a group have: groups

    @staticmethod
    def of(
        codes: np.ndarray,
        groups: int,
        strata: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        fewest: int = 1,
    ) -> "Split":
        """Sort the customers by their group and, for comparisons at equal strata, by stratum.

        Each side's ratios within the strata are averaged with the same `weights`, one a stratum,
        taken as fixed (direct standardisation); without strata all are in one. Customers of group
        -1 or stratum -1 are left out, and so are the strata that have fewer than `fewest`
        customers on one side.
        """
        codes = np.asarray(codes).astype(np.intp)  # those of pandas have a byte: 13 * 10 overflows
        strata = np.zeros(len(codes), np.intp) if strata is None else strata
        weights = np.ones(1) if weights is None else np.asarray(weights, "float64")
        cell = np.where((codes >= 0) & (strata >= 0), codes * len(weights) + strata, -1)
        order = np.argsort(cell, kind="stable")[np.count_nonzero(cell < 0) :]
        found, starts = np.unique(cell[order], return_index=True)
        sizes = np.zeros((groups, len(weights)), np.int64)
        cells = np.divmod(found, len(weights))
        sizes[cells] = np.diff(starts, append=len(order))
        used = np.minimum(sizes, sizes.sum(axis=0) - sizes) >= max(1, fewest)
        kept = np.where(used, weights, 0.0)
        whole = kept.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            covered = whole / weights.sum() if weights.any() else np.zeros(groups)
            return Split(order, starts, cells, sizes, kept / whole[:, None], covered)

    def compare(self, y: np.ndarray, x: np.ndarray, confidence: float = 0.95) -> Ratios:
        """Compare each group's ratio Y / X with that of the others: an entry a group."""
        if not len(self.order):
            return _estimates(*np.full((6, len(self.sizes)), np.nan), confidence)
        y, x = (np.asarray(each)[self.order].astype("float64") for each in (y, x))
        above, below = self._sums(y), self._sums(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            within = above / below
            everyone = np.nan_to_num(above.sum(axis=0) / below.sum(axis=0))
        z = y - self._spread(within) * x
        squares = z * z
        inside = self._side(
            within, below, self.sizes, self._sums(squares), self._sums(squares * squares)
        )
        outside = self._others(y, x, above, below, everyone)
        highest = np.zeros(self.sizes.shape)
        highest[self.cells] = np.maximum.reduceat(y, self.starts)
        with np.errstate(divide="ignore", invalid="ignore"):
            return _estimates(
                np.where(outside[0] != 0, inside[0] / outside[0], np.nan),
                *(one + other for one, other in zip(inside[1:], outside[1:], strict=True)),
                self._largest_share(above, highest),
                self._sums(y != 0).sum(axis=1),
                confidence,
            )

    def _others(self, y, x, above, below, everyone) -> tuple[np.ndarray, ...]:
        r, rest = y - everyone[self._stratum()] * x, 1 - np.eye(len(self.sizes))
        rr, rx, xx = r * r, r * x, x * x
        sums = [rest @ self._sums(each) for each in (rr, rx, xx, rr * rr, rr * rx, rr * xx)]
        sums += [rest @ self._sums(each) for each in (rx * xx, xx * xx)]
        others_above, others_below = rest @ above, rest @ below
        with np.errstate(divide="ignore", invalid="ignore"):
            within = others_above / others_below
        d = within - everyone
        second = sums[0] - 2 * d * sums[1] + d**2 * sums[2]
        fourth = sums[3] - 4 * d * sums[4] + 6 * d**2 * sums[5] - 4 * d**3 * sums[6]
        fourth += d**4 * sums[7]
        sizes = (rest @ self.sizes).round()
        return self._side(within, others_below, sizes, np.maximum(second, 0), np.maximum(fourth, 0))

    def _side(self, within, below, sizes, squares, fourths) -> tuple[np.ndarray, ...]:
        """One side of each group: weighted ratio, variance, sums of z^2 and z^4."""
        used = self.weights > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(used, self.weights * within, 0.0).sum(axis=1)
            rate = np.where(used.any(axis=1), rate, np.nan)
            scale = self.weights / below / rate[:, None]
            correction = sizes / np.where(sizes > 1, sizes - 1.0, np.nan)

            def total(of_cell: np.ndarray) -> np.ndarray:
                return np.where(used, of_cell, 0.0).sum(axis=1)

            return (
                rate,
                total(scale**2 * correction * squares),
                total(scale**2 * squares),
                total(scale**4 * fourths),
            )

    def _largest_share(self, above: np.ndarray, highest: np.ndarray) -> np.ndarray:
        """Largest share of one customer in the sum above the line, on the side where it is."""
        used, found = self.weights > 0, []
        for group, strata in enumerate(used):
            is_group = np.arange(len(used)) == group
            for side in (is_group, ~is_group):
                of_side = above[side][:, strata].sum()
                largest = highest[side][:, strata].max(initial=0)
                found.append(largest / of_side if of_side else np.nan)
        return np.fmax(found[::2], found[1::2])

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Add up the values of each cell: groups x strata."""
        sums = np.zeros(self.sizes.shape)
        sums[self.cells] = np.add.reduceat(values, self.starts)
        return sums

    def _spread(self, of_cell: np.ndarray) -> np.ndarray:
        """Give each sorted customer the value of its cell."""
        return np.repeat(of_cell[self.cells], self.sizes[self.cells])

    def _stratum(self) -> np.ndarray:
        return np.repeat(self.cells[1], self.sizes[self.cells])


def _estimates(
    ratio, variance, squares, fourths, largest_share, customers, confidence: float
) -> Ratios:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        effective = squares**2 / fourths
        error = np.sqrt(variance)
        freedom = effective - 1
        log = np.log(ratio)
        usable = np.isfinite(log) & (error > NO_VARIATION) & (freedom > 0)
        freedom = np.where(usable, freedom, 1.0)
        reach = stdtrit(freedom, (1 + confidence) / 2) * error
        p_value = 2 * stdtr(freedom, -np.abs(log / error))
        low, high = np.exp(log - reach), np.exp(log + reach)
    usable &= np.isfinite(high)
    low, high, p_value = (np.where(usable, each, np.nan) for each in (low, high, p_value))
    return Ratios(ratio, low, high, p_value, effective, largest_share, customers)
