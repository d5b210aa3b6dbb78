"""Steps of a measure over age or income: cut points that are searched for and then confirmed.

They are learnt on one half of the customers and judged on the other. The unit is the customer:
every function takes one row per customer. Measured on 206,209 customers with 2 threads: the bands
of 9 measures 1.0 s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from basket.analysis import statistics
from basket.project.settings import Settings

STEPS = {"age": 1, "income": 1000}  # a proposed cut is a multiple of this: years, dollars
MOST_CUTS = 3
MOST_BINS = 1000  # the search looks at every two of them
LEAST_BAND = 0.05  # of the customers searched: a smaller band is no group to address
LEAST_GAIN = 0.005  # of R2: a further cut must add as much on customers it was not searched on

TINY = 1e-12


# ---- halves of the customers ------------------------------------------------------------------


def quarter_of(user_ids, seed: int) -> np.ndarray:
    """Quarter 0 to 3 of each customer: 0 and 1 are the half searched, 2 and 3 confirm.

    It depends on the seed and the customer's id alone, not on rows, parts or who else is there.
    Source: the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    """
    start = np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    x = np.asarray(user_ids).astype(np.uint64) + start
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(62)).astype(np.int8)


# ---- bands of one attribute for one measure ---------------------------------------------------


@dataclass(frozen=True)
class Binned:
    """Customers and the sum of their measure by bin of an attribute: see `in_bins`."""

    edges: np.ndarray
    customers: np.ndarray
    total: np.ndarray

    @staticmethod
    def of(bins: np.ndarray, values: np.ndarray, edges: np.ndarray) -> "Binned":
        """Add up values by bin number."""
        size = len(edges)
        return Binned(edges, np.bincount(bins, None, size), np.bincount(bins, values, size))

    def __add__(self, other: "Binned") -> "Binned":
        """Put two sets of customers together."""
        return Binned(self.edges, self.customers + other.customers, self.total + other.total)


def in_bins(values: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Put values into bins of a step's width, or of more where more than MOST_BINS hold any.

    Returns the number of each value's bin, and for each bin the least multiple of the step that is
    above all values of the bins before: a gap belongs to the band above it.
    """
    steps = np.floor(values / step)
    held = np.unique(steps)
    starts = held
    if len(held) > MOST_BINS:
        shares = np.arange(MOST_BINS) / MOST_BINS
        starts = np.unique(np.quantile(steps, shares, method="lower"))
    edges = starts * step
    edges[1:] = (held[np.searchsorted(held, starts[1:]) - 1] + 1) * step
    edges = edges.astype(np.int64) if (edges % 1 == 0).all() else edges
    return np.searchsorted(starts, steps, side="right") - 1, edges


def best_cuts(binned: Binned, most: int = MOST_CUTS) -> list:
    """Find the best 0, 1, … `most` cuts: those that leave the least variance within the bands.

    A list of arrays of cuts; a value at a cut belongs to the band above it. Exact, by dynamic
    programming over the bins (Fisher 1958); the list ends where no further cut leaves every band
    the share LEAST_BAND of the customers. Ties go to the lower cuts.
    """
    customers = np.concatenate([[0], np.cumsum(binned.customers)])
    total = np.concatenate([[0.0], np.cumsum(binned.total)])
    size = customers[None, :] - customers[:, None]  # of a band from bin [row] to before [column]
    difference = total[None, :] - total[:, None]
    enough = size >= max(1, LEAST_BAND * customers[-1])
    between = np.where(enough, difference**2 / np.maximum(size, 1), -np.inf)
    best, came_from = between[0], []
    found = [np.array([], binned.edges.dtype)]
    for _ in range(most):
        reached = best[:, None] + between
        came_from.append(reached.argmax(axis=0))
        best = reached.max(axis=0)
        if not np.isfinite(best[-1]):
            break
        places, at = [], len(binned.customers)
        for back in reversed(came_from):
            at = back[at]
            places.append(at)
        found.append(binned.edges[places[::-1]])
    return found


def band_means(binned: Binned, cuts: np.ndarray) -> np.ndarray:
    """Mean measure of each band; a band without customers has the mean of all."""
    band = np.searchsorted(cuts, binned.edges, side="right")
    customers = np.bincount(band, binned.customers, len(cuts) + 1)
    total = np.bincount(band, binned.total, len(cuts) + 1)
    everyone = binned.total.sum() / max(1, binned.customers.sum())
    return np.where(customers > 0, total / np.maximum(customers, 1), everyone)


def choose_cuts(quarters: Sequence[Binned], squares: Sequence[float]) -> np.ndarray:
    """Choose the cuts of the half searched, and how many, by what they predict in its quarters.

    The cuts found on one quarter predict the other, and the reverse; a number of cuts is kept where
    it adds LEAST_GAIN of R2 to the best smaller number. So the other half stays untouched, and
    there may be no step at all. `squares` is each quarter's sum of squares around its mean.
    """
    found = [best_cuts(quarter) for quarter in quarters]
    mean_r2 = [0.0]
    for number in range(1, min(map(len, found))):
        r2 = []
        for here, other in ((0, 1), (1, 0)):
            cuts = found[here][number]
            means = band_means(quarters[here], cuts)
            r2.append(r_squared(means, cuts, quarters[other], squares[other]))
        mean_r2.append(sum(r2) / 2)
    kept = 0
    for number, r2 in enumerate(mean_r2):
        if r2 - mean_r2[kept] >= LEAST_GAIN:
            kept = number
    whole = best_cuts(quarters[0] + quarters[1], kept)
    return whole[min(kept, len(whole) - 1)]


def r_squared(means: np.ndarray, cuts: np.ndarray, binned: Binned, squares: float) -> float:
    """Share of the variance of these customers' measure that the given means of bands predict.

    Below 0 where they predict worse than the customers' own mean.
    """
    predicted = means[np.searchsorted(cuts, binned.edges, side="right")]
    own = binned.total.sum() / max(1, binned.customers.sum())
    # the sum of squares around the predictions less that around the mean, from the bins' sums
    excess = binned.customers * (predicted**2 - own**2) - 2 * binned.total * (predicted - own)
    return float(-excess.sum() / squares) if squares > 0 else 0.0


def bands(
    customers: pd.DataFrame,
    measures: pd.DataFrame,
    course_cuts: Mapping[str, Sequence],
    settings: Settings,
) -> pd.DataFrame:
    """Compare the bands that the search proposes with the course's, for each attribute and measure.

    `customers` has user_id, age and income, `measures` a column per measure, row by row the same
    customers (a missing value leaves the customer out); nothing is asked about itself. Two rows per
    attribute and measure: method `course` and `proposed`. R2 is 1 - SSE / SST: the share of the
    variance around the mean of the half searched that the mean of each band, taken from that half,
    predicts: of the half searched, and of the confirming half. gain_over_course is the difference
    on the confirming half, its limits those of the ratio of the two SSE (`statistics.product`),
    which leaves the variance itself as it was. `confirmed` is yes where a cut is proposed and all
    of that interval is above 0, with enough customers behind it; a gain can be confirmed and small.
    No cut proposed means that no step was found.
    """
    order = np.argsort(customers["user_id"].to_numpy(), kind="stable")
    quarter = quarter_of(customers["user_id"].to_numpy()[order], settings.seed)
    rows = []
    for attribute, measure in product(STEPS, measures.columns):
        if attribute != measure:
            compared = _compare(
                floats(customers[attribute])[order],
                floats(measures[measure])[order],
                quarter,
                np.asarray(course_cuts[attribute], float),
                STEPS[attribute],
                settings,
            )
            rows += [{"attribute": attribute, "measure": measure, **each} for each in compared]
    return pd.DataFrame(rows)


def _compare(attribute, values, quarter, course, step, settings: Settings) -> list[dict]:
    """Two rows: the course's cuts and the proposed ones."""
    known = ~np.isnan(attribute) & ~np.isnan(values)
    x, y, part = attribute[known], values[known], quarter[known]
    halves = part < 2, part >= 2
    if min(half.sum() for half in halves) < 2:
        nothing = {"half": halves, "r2": (np.nan, np.nan), "gain": (np.nan,) * 3}
        return [
            _row("course", [], **nothing),
            _row("proposed", [], **nothing) | {"confirmed": "no"},
        ]
    bins, edges = in_bins(x, step)
    quarters = [Binned.of(bins[part == number], y[part == number], edges) for number in (0, 1)]
    cuts = choose_cuts(quarters, [_squares(y[part == number]) for number in (0, 1)])

    usual = y[halves[0]].mean()
    misses, r2 = {}, {}
    for method, by in (("course", course), ("proposed", cuts)):
        band = np.searchsorted(by, x, side="right")
        searched = band[halves[0]]
        sizes = np.bincount(searched, minlength=len(by) + 1)
        means = np.bincount(searched, y[halves[0]], len(by) + 1) / np.maximum(sizes, 1)
        means[sizes == 0] = usual
        misses[method] = (y - means[band]) ** 2
        r2[method] = [
            _share_predicted(misses[method][half].sum(), ((y[half] - usual) ** 2).sum())
            for half in halves
        ]
    gain, confirmed = _gain(misses, r2, halves[1], settings)
    confirmed = "yes" if len(cuts) and confirmed else "no"
    return [
        _row("course", course, half=halves, r2=r2["course"], gain=(0.0, np.nan, np.nan)),
        _row("proposed", cuts, half=halves, r2=r2["proposed"], gain=gain)
        | {"confirmed": confirmed},
    ]


def _gain(misses, r2, half: np.ndarray, settings: Settings) -> tuple[tuple, bool]:
    """Gain of the proposed cuts over the course's, with its limits, and whether it is proven."""
    limits = settings.statistics
    found = statistics.product(
        [misses["proposed"][half]], [misses["course"][half]], limits.confidence
    )
    missed = 1 - r2["course"][1]
    low, high = (float(missed * (1 - limit[0])) for limit in (found.high, found.low))
    reason = found.reason(limits)[0]
    return (r2["proposed"][1] - r2["course"][1], low, high), reason == "" and low > 0


def _share_predicted(missed: float, squares: float) -> float:
    share = 1 - missed / squares if squares > 0 else 0.0
    return 0.0 if abs(share) < TINY else share  # what no band predicts is 0, not rounding noise


def _row(method: str, cuts, *, half, r2, gain: tuple[float, float, float]) -> dict:
    return {
        "method": method,
        "cuts": " | ".join(f"{cut:.15g}" for cut in cuts),
        "bands": len(cuts) + 1,
        "customers": int(half[0].sum() + half[1].sum()),
        "r2_search_half": r2[0],
        "r2_confirm_half": r2[1],
        **dict(zip(("gain_over_course", "gain_low", "gain_high"), gain, strict=True)),
        "confirmed": "",
    }


def _squares(values: np.ndarray) -> float:
    return float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0


def floats(values: pd.Series) -> np.ndarray:
    """Values as floats, NaN where missing."""
    return values.to_numpy("float64", na_value=np.nan)
