"""Ratios of a group against those of all customers: a permutation test by saddlepoint."""

import math
from collections.abc import Mapping

import numpy as np
from scipy import stats

from basket.analysis.statistics.effects import NAN, Estimate, no_estimate
from basket.analysis.statistics.intervals import percentile_interval

TAIL, MIDDLE = 1_000, 2_000  # of sorted values: how many stay single at each end, means between


def permutation_tests(
    above: np.ndarray, below: np.ndarray, groupings: Mapping[str, np.ndarray]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Test each group's ratio of sums against everyone's: z and p of every group, by grouping.

    `above` and `below` have one number per customer; groupings are as of `bootstrap_sums`, and who
    is in no group counts among everyone. A customer moves the comparison by d = above - r * below,
    with everyone's ratio r. The p-value asks how often so many customers, drawn at random from all,
    would have a sum of d as far out on that side, twice: a permutation test, which takes nothing
    from the group itself, whose own few heavy customers make its error look small. `z` is the sum
    in its standard deviations. A group of all customers, and a ratio that does not vary, are NaN.

    The tail is Skovgaard's double saddlepoint for a sample without replacement (Booth and Butler
    1990), from |z| = 0.5; below, the normal one. Simulated on generated customers, groups of 12 to
    400, ordinary and rare departments: 0.05 and 0.01 are met within a fifth and 0.001 within a
    half, where a normal p-value from the bootstrap's standard deviation is ten times too small.
    More than 4,000 customers are put together in the middle of the d, not in its tails.
    """
    above, below = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    n = len(above)
    everyone = below.sum()
    d = above - above.sum() / everyone * below if everyone else np.zeros(n)
    squares = float((d**2).sum())
    d = d / math.sqrt(squares / n) if squares else d
    values, counts = _alike_together(np.sort(d))
    found = {}
    for name, codes in groupings.items():
        known = codes >= 0
        sizes, sums = np.bincount(codes[known]), np.bincount(codes[known], d[known])
        variance = sizes * (n - sizes) / max(1, n - 1)
        z = np.full(len(sizes), NAN)
        tested = (variance > 0) & (squares > 0)
        z[tested] = sums[tested] / np.sqrt(variance[tested])
        p_values = 2 * stats.norm.sf(abs(z))
        for group in np.flatnonzero(abs(z) >= 0.5):
            side = math.copysign(1, z[group])
            tail = _saddlepoint_tail(side * values, counts, int(sizes[group]), side * sums[group])
            p_values[group] = min(1.0, 2 * tail)
        found[name] = z, p_values
    return found


def ratio_interval(
    ratios: np.ndarray, n: int, z: float, p_value: float, confidence: float = 0.95
) -> Estimate:
    """Make an estimate of a ratio: index 0 as observed, then its resamples; 1 is no difference.

    `n` counts the customers that the numerator describes. The limits are those of
    `percentile_interval`, z and the p-value those of `permutation_tests`: the resamples give none,
    as counting those beyond 1 could not go below 2 / resamples. A ratio of 0 (never seen in the
    group) or undefined has no limits and no test: resampling cannot tell what was never seen.
    """
    effect, low, high = (float(x) for x in percentile_interval(ratios, confidence))
    if not (effect > 0 and math.isfinite(low)):
        return no_estimate("ratio", n, effect)
    return Estimate("ratio", effect, low, high, float(z), float(p_value), int(n))


def _alike_together(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shorten sorted values to a few thousand means with counts; the tails stay as they are."""
    n = len(values)
    if n <= 2 * TAIL + MIDDLE:
        return values, np.ones(n)
    starts = np.concatenate(
        [
            np.arange(TAIL),
            np.linspace(TAIL, n - TAIL, MIDDLE, endpoint=False).astype(np.int64),
            np.arange(n - TAIL, n),
        ]
    )
    counts = np.diff(starts, append=n)
    return np.add.reduceat(values, starts) / counts, counts


def _saddlepoint_tail(values: np.ndarray, counts: np.ndarray, size: int, total: float) -> float:
    """Chance that `size` of the customers, drawn without replacement, sum to `total` or more.

    `values` add up to 0 with a mean square of 1, each held by `counts` customers. Each customer is
    in with odds that rise by exp(u + v * value), so that the expected number is `size` and the
    expected sum `total`; Newton's method finds u and v. NaN where no such odds exist.
    """
    n = counts.sum()
    share = size / n
    log_odds, log_rest = math.log(share / (1 - share)), math.log1p(-share)
    goal = np.array([size, total])

    def look_at(point: np.ndarray) -> tuple[float, np.ndarray]:
        """Height of the cumulant function above the plane of the goal, and who is in."""
        logit = log_odds + point[0] + point[1] * values
        lesser = np.exp(-abs(logit))
        height = counts @ (np.log1p(lesser) + np.maximum(logit, 0) + log_rest) - point @ goal
        return float(height), np.where(logit > 0, 1, lesser) / (1 + lesser)

    point = np.array([0.0, total / (n * share * (1 - share))])
    height, inside = look_at(point)
    for _ in range(50):
        expected, spread = counts * inside, counts * inside * (1 - inside)
        down = size - expected.sum(), total - expected @ values
        a, b, c = spread.sum(), spread @ values, spread @ values**2
        determinant = a * c - b * b
        if not determinant > 0:
            return NAN
        step = np.array([c * down[0] - b * down[1], a * down[1] - b * down[0]]) / determinant
        gain = float(step @ down)
        if gain < 1e-12:
            break
        length = 1.0
        ahead = look_at(point + step)
        while ahead[0] > height - 1e-4 * length * gain and length > 1e-6:
            length /= 2
            ahead = look_at(point + length * step)
        point = point + length * step
        height, inside = ahead
    else:
        return NAN
    w = math.copysign(math.sqrt(max(0.0, -2 * height)), point[1])
    u = point[1] * math.sqrt(determinant / (n * share * (1 - share)))
    if w == 0 or u == 0:
        return NAN
    return float(stats.norm.sf(w) + stats.norm.pdf(w) * (1 / u - 1 / w))
