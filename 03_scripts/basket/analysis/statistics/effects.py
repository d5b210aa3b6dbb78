"""Effects between groups of customers, each with its interval and its test.

The unit is always the customer: one value per customer. Lines of one customer resemble each other,
and a test that takes them as independent rejects almost every true null.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtr, chdtrc, chndtrinc, ndtr, ndtri

NAN = math.nan


@dataclass(frozen=True)
class Estimate:
    """An effect with its interval and its test; `n` counts customers.

    A comparison that cannot be made has NaN for its limits, statistic and p-value (and effect, but
    for a ratio of 0): it is no test and does not count among the tests of `false_discovery`.
    """

    effect_name: str
    effect: float
    low: float
    high: float
    statistic: float
    p_value: float
    n: int


def no_estimate(effect_name: str, n: float, effect: float = NAN) -> Estimate:
    """Return the estimate of a comparison that cannot be made."""
    return Estimate(effect_name, effect, NAN, NAN, NAN, NAN, int(n))


def cramers_v(counts: np.ndarray, confidence: float = 0.95) -> Estimate:
    """Cramér's V, bias-corrected, of an r x c table of customers; from 0 to 1.

    Empty rows and columns are dropped first; fewer than two of either leave NaN. A table that is
    not two-dimensional or has a negative count raises ValueError. `statistic` is Pearson's
    chi-squared without continuity correction. V and its limits are from 0 to 1 and in order.

    Sources: Bergsma (2013) for V; the interval holds the noncentralities that do not make the
    chi-squared unusual (Steiger and Fouladi 1997; Smithson 2003), in the scale of the corrected V.
    Its lower limit is above 0 only when p < (1 - confidence) / 2. Simulated coverage of 95 %: 94 to
    97 up to V = 0.5, more above.
    """
    table = np.asarray(counts, dtype=float)
    if table.ndim != 2 or not (table >= 0).all():
        raise ValueError(f"a table of counts has two dimensions and none below 0, found {table}")
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    n = table.sum()
    rows, columns = table.shape
    if min(rows, columns) < 2:
        return no_estimate("cramers_v", n)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    chi_squared = float(((table - expected) ** 2 / expected).sum())
    freedom = (rows - 1) * (columns - 1)
    # Bergsma's effective number of rows and columns, less one; none is left when n is tiny.
    room = min((size - 1) - (size - 1) ** 2 / (n - 1) for size in (rows, columns))
    if room <= 0:
        return no_estimate("cramers_v", n)
    corrected = max(0.0, chi_squared / n - freedom / (n - 1))
    low, high = _noncentral_interval(chi_squared, freedom, confidence)
    return Estimate(
        "cramers_v",
        *(min(1.0, math.sqrt(part / room)) for part in (corrected, low / n, high / n)),
        statistic=chi_squared,
        p_value=float(chdtrc(freedom, chi_squared)),
        n=int(n),
    )


@dataclass(frozen=True)
class Ordered:
    """One number per customer, put in order once for all comparisons of the same customers."""

    places: np.ndarray  # of each value among the distinct ones, from 0; -1 where it is missing

    @staticmethod
    def of(values: np.ndarray) -> "Ordered":
        """Order values, of which some may be NaN."""
        values = np.asarray(values, dtype=float)
        known = ~np.isnan(values)
        places = np.full(values.shape, -1, np.int32)
        places[known] = np.unique(values[known], return_inverse=True)[1]
        return Ordered(places)


def epsilon_squared(
    values: np.ndarray | Ordered, groups: np.ndarray, confidence: float = 0.95
) -> Estimate:
    """Share of the variance of the ranks that the groups explain (Kruskal-Wallis); from 0 to 1.

    `values` has one number per customer, `groups` an integer code from 0; NaN and code -1 (missing)
    are dropped. The adjusted form, (H - k + 1) / (n - k) for k groups that occur, not below 0: the
    plain H / (n - 1) grows with k where nothing differs. Fewer than two groups, no more customers
    than groups, or values all equal leave NaN. `statistic` is H, corrected for ties.

    Sources: Kruskal and Wallis (1952); Kelley (1935), here on ranks (Tomczak and Tomczak 2014 print
    it as the eta-squared of H). Interval as for `cramers_v`: it can cover 0, which a bootstrap's
    does not; simulated coverage of 95 %: 95 to 97 up to 0.03, 98 and more above 0.2.
    """
    places = (values if isinstance(values, Ordered) else Ordered.of(values)).places
    groups = np.asarray(groups)
    if places.shape != groups.shape or not np.issubdtype(groups.dtype, np.integer):
        raise ValueError("one integer code per value is needed")
    kept = (groups >= 0) & (places >= 0)
    places, groups = places[kept], groups[kept]
    n = len(places)
    sizes = np.bincount(groups)
    present = sizes > 0
    k = int(present.sum())
    if k < 2 or n <= k:
        return no_estimate("epsilon_squared", n)
    ties = np.bincount(places)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[places]  # equal values share their mean rank
    # The variance of the ranks, which ties reduce; H is the share of it between groups, times n-1.
    total = ((ranks - (n + 1) / 2) ** 2).sum()
    if total == 0:
        return no_estimate("epsilon_squared", n)
    mean_ranks = np.bincount(groups, weights=ranks)[present] / sizes[present]
    between = (sizes[present] * (mean_ranks - (n + 1) / 2) ** 2).sum()
    h = float((n - 1) * between / total)
    low, high = _noncentral_interval(h, k - 1, confidence)
    return Estimate(
        "epsilon_squared",
        *(min(1.0, max(0.0, part / (n - k))) for part in (h - k + 1, low, high)),
        statistic=h,
        p_value=float(chdtrc(k - 1, h)),
        n=n,
    )


def cliffs_delta(a: np.ndarray, b: np.ndarray, confidence: float = 0.95) -> Estimate:
    """P(a > b) - P(a < b) for a customer of each of two groups; from -1 to 1, above 0: a is higher.

    One number per customer; NaN is dropped. Fewer than two customers in a group, or values all
    equal, leave NaN. `statistic` is the Mann-Whitney U of `a`, its p-value the normal one with
    corrections for ties and continuity. No pair is formed: sorting, O(n log n).

    Sources: Cliff (1996) for the unbiased variance, not below (1 - delta**2) / (n m - 1), and for
    the asymmetric interval, which stays within -1 and 1 (as in Feng and Cliff 2004). Where no value
    overlaps that variance is 0: then the inner limit is Wilson's (1927) for as many independent
    pairs as the smaller group has customers. Simulated coverage of 95 %: 93 to 95; against a group
    of 11 customers 93 at delta 0, 88 at 0.7.
    """
    a, b = (np.sort(np.asarray(x, dtype=float)) for x in (a, b))
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    n, m = len(a), len(b)
    pooled = np.sort(np.concatenate([a, b]), kind="stable")  # merges the two sorted runs
    if min(n, m) < 2 or pooled[0] == pooled[-1]:
        return no_estimate("cliffs_delta", n + m)
    below_a, up_to_a = np.searchsorted(b, a, "left"), np.searchsorted(b, a, "right")
    below_b, up_to_b = np.searchsorted(a, b, "left"), np.searchsorted(a, b, "right")
    # For each customer: the share of the other group that it exceeds less the share that exceeds it
    rows = (below_a + up_to_a - m) / m
    columns = (n - below_b - up_to_b) / n
    delta = float(rows.mean())
    untied_pairs = n * m - float((up_to_a - below_a).sum())
    variance = (
        m**2 * ((rows - delta) ** 2).sum()
        + n**2 * ((columns - delta) ** 2).sum()
        - (untied_pairs - n * m * delta**2)
    ) / (n * m * (n - 1) * (m - 1))
    variance = max(float(variance), (1 - delta**2) / (n * m - 1))
    low, high = _delta_interval(delta, variance, min(n, m), confidence)

    u = n * m * (1 + delta) / 2
    ties = np.diff(np.flatnonzero(np.concatenate([[True], pooled[1:] != pooled[:-1], [True]])))
    ties = ties.astype(float)
    size = n + m
    spread = math.sqrt(n * m / 12 * (size + 1 - ((ties**3 - ties) / (size * (size - 1))).sum()))
    z = (abs(u - n * m / 2) - 0.5) / spread
    return Estimate("cliffs_delta", delta, low, high, u, min(1.0, float(2 * ndtr(-z))), size)


def _noncentral_interval(statistic: float, freedom: int, confidence: float) -> tuple[float, float]:
    """Return the noncentralities under which `statistic` is just not too high or too low."""
    tail = (1 - confidence) / 2
    low, high = (
        float(chndtrinc(statistic, freedom, p))
        if chdtr(freedom, statistic) > p
        else 0.0  # even without any effect the statistic is not that high
        for p in (1 - tail, tail)
    )
    return low, high


def _delta_interval(
    delta: float, variance: float, smaller: int, confidence: float
) -> tuple[float, float]:
    z = -float(ndtri((1 - confidence) / 2))
    if abs(delta) == 1:
        inner = (smaller - z**2) / (smaller + z**2)
        return (inner, 1.0) if delta > 0 else (-1.0, -inner)
    error = z * math.sqrt(variance)
    rest = 1 - delta**2
    half_width = error * math.hypot(rest, error)
    return tuple((delta * rest + side * half_width) / (rest + error**2) for side in (-1, 1))
