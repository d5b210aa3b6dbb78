"""Q9: steps in age and income that are searched for, and attributes that restate other attributes.

Both learn on one half of the customers and are judged on the other. The unit is the customer: every
function takes one row per customer. Measured on 206,209 customers with 2 threads: the bands
of 9 measures 1.0 s, all redundancies 0.9 s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from basket.analysis import statistics
from basket.analysis.comparisons import TELLING_GOODS
from basket.project.settings import Settings

STEPS = {"age": 1, "income": 1000}  # a proposed cut is a multiple of this: years, dollars
MOST_CUTS = 3
LEAST_BAND = 0.05  # of the customers searched: a smaller band is no group to address
LEAST_GAIN = 0.005  # of R2: a further cut must add as much on customers it was not searched on

TINY = 1e-12

REDUNDANT_FROM = 0.99  # accuracy on the held-out half
ERRORS_REMOVED_FROM = 0.5  # of the errors that naming the commonest label makes
SINGLE_IS_ENOUGH = 0.001  # accuracy that a second attribute must add to be named
MOST_BINS = 100  # of an ordered attribute with more values, such as income
MOST_CELLS = 10  # of an ordered attribute where another one is cut within each cell
ORDERED_FROM = 10  # numbers with more values than this are ordered, with fewer they are cells


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
    """Customers and the sum of their measure by bin of an attribute; bin k begins at edges[k]."""

    edges: np.ndarray
    customers: np.ndarray
    total: np.ndarray

    @staticmethod
    def of(bins: np.ndarray, values: np.ndarray, edges: np.ndarray) -> "Binned":
        """Add up values by bin number."""
        size = len(edges)
        return Binned(
            edges,
            np.bincount(bins, minlength=size),
            np.bincount(bins, weights=values, minlength=size),
        )

    def __add__(self, other: "Binned") -> "Binned":
        """Put two sets of customers together."""
        return Binned(self.edges, self.customers + other.customers, self.total + other.total)


def best_cuts(binned: Binned, most: int = MOST_CUTS, least_band: float = LEAST_BAND) -> list:
    """Find the best 0, 1, … `most` cuts: those that leave the least variance within the bands.

    A list of arrays of cuts; a value at a cut belongs to the band above it. Exact, by dynamic
    programming over the bins (Fisher 1958); the list ends where no further cut leaves every band
    the share `least_band` of the customers. Ties go to the lower cuts.
    """
    customers = np.concatenate([[0], np.cumsum(binned.customers)])
    total = np.concatenate([[0.0], np.cumsum(binned.total)])
    size = customers[None, :] - customers[:, None]  # of a band from bin [row] to before [column]
    difference = total[None, :] - total[:, None]
    enough = size >= max(1, least_band * customers[-1])
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
        r2 = [
            r_squared(
                band_means(quarters[here], found[here][number]),
                found[here][number],
                quarters[1 - here],
                squares[1 - here],
            )
            for here in (0, 1)
        ]
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
    pairs: Sequence[tuple[str, str]],
) -> pd.DataFrame:
    """Hold the bands that the search proposes against the course's, for each (attribute, measure).

    `customers` has user_id and the attributes, `measures` a column per measure, row by row the
    same customers (a missing value leaves the customer out). Two rows per pair: method `course`
    and `proposed`. R2 is the share of the variance that the mean of each band, taken from the half
    searched, predicts: of the half searched, and of the confirming half. gain_over_course is the
    difference on the confirming half, with the limits of a percentile bootstrap of its customers.
    `confirmed` is yes where a cut is proposed and all of that interval is above 0; a gain can be
    confirmed and small. No cut proposed means that no step was found.
    """
    order = np.argsort(customers["user_id"].to_numpy(), kind="stable")  # as the bootstrap asks
    ids = customers["user_id"].to_numpy()[order]
    quarter = quarter_of(ids, settings.seed)
    confirms = np.flatnonzero(quarter >= 2)
    rows, columns = [], np.empty((len(confirms), 2 * len(pairs)))
    for number, (attribute, measure) in enumerate(pairs):
        row, column = _compare(
            _floats(customers[attribute])[order],
            _floats(measures[measure])[order],
            quarter,
            np.asarray(course_cuts[attribute], float),
            STEPS.get(attribute, 1),
        )
        rows += [{"attribute": attribute, "measure": measure, **each} for each in row]
        columns[:, 2 * number : 2 * number + 2] = column[confirms]
    table = pd.DataFrame(rows)
    gain = _gains(columns, settings)
    proposed = np.flatnonzero(table["method"] == "proposed")
    table.loc[proposed, ["gain_low", "gain_high"]] = np.column_stack(gain)
    has_step = table.loc[proposed, "cuts"].to_numpy() != ""
    table["confirmed"] = ""
    table.loc[proposed, "confirmed"] = np.where(has_step & (gain[0] > 0), "yes", "no")
    return table


def _compare(attribute, values, quarter, course, step) -> tuple[list[dict], np.ndarray]:
    """Two rows, and per customer: how much less the proposed bands miss by, and the square."""
    known = ~np.isnan(attribute) & ~np.isnan(values)
    x, y, part = attribute[known], values[known], quarter[known]
    column = np.zeros((len(quarter), 2))
    halves = part < 2, part >= 2
    if min(half.sum() for half in halves) < 2:
        return [
            _row(method, [], half=halves, r2=(np.nan, np.nan), gain=np.nan)
            for method in ("course", "proposed")
        ], column
    lowest = np.floor(x.min() / step)
    bins = (np.floor(x / step) - lowest).astype(np.int64)
    edges = (lowest + np.arange(bins.max() + 1)) * step
    edges = edges.astype(np.int64) if (edges % 1 == 0).all() else edges
    quarters = [Binned.of(bins[part == number], y[part == number], edges) for number in (0, 1)]
    cuts = choose_cuts(quarters, [_squares(y[part == number]) for number in (0, 1)])

    misses, r2 = {}, {}
    for method, by in (("course", course), ("proposed", cuts)):
        band = np.searchsorted(by, x, side="right")
        searched = band[halves[0]]
        sizes = np.bincount(searched, minlength=len(by) + 1)
        means = np.bincount(searched, y[halves[0]], len(by) + 1) / np.maximum(sizes, 1)
        means[sizes == 0] = y[halves[0]].mean()
        misses[method] = (y - means[band]) ** 2
        r2[method] = [
            _share_predicted(misses[method][half].sum(), _squares(y[half])) for half in halves
        ]
    column[known, 0] = misses["course"] - misses["proposed"]
    column[known, 1] = (y - y[halves[1]].mean()) ** 2
    gain = r2["proposed"][1] - r2["course"][1]
    return [
        _row("course", course, half=halves, r2=r2["course"], gain=0.0),
        _row("proposed", cuts, half=halves, r2=r2["proposed"], gain=gain),
    ], column


def _share_predicted(missed: float, squares: float) -> float:
    share = 1 - missed / squares if squares > 0 else 0.0
    return 0.0 if abs(share) < TINY else share  # what no band predicts is 0, not rounding noise


def _row(method: str, cuts, *, half, r2, gain: float) -> dict:
    return {
        "method": method,
        "cuts": " | ".join(f"{cut:.15g}" for cut in cuts),
        "bands": len(cuts) + 1,
        "customers": int(half[0].sum() + half[1].sum()),
        "r2_search_half": r2[0],
        "r2_confirm_half": r2[1],
        "gain_over_course": gain,
    }


def _gains(columns: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the gain of each pair, from one set of resamples of the confirming customers."""
    if not len(columns):
        unknown = np.full(columns.shape[1] // 2, np.nan)
        return unknown, unknown
    sums = statistics.bootstrap_sums(
        columns,
        {},
        resamples=settings.statistics.resamples,
        seed=settings.seed,
        threads=settings.limits.threads,
    ).everyone
    missed, squares = sums[:, 0::2], sums[:, 1::2]
    ratios = np.divide(missed, squares, out=np.full_like(missed, np.nan), where=squares > 0)
    return statistics.percentile_interval(ratios, settings.statistics.confidence)[1:]


def _squares(values: np.ndarray) -> float:
    return float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0


def _floats(values: pd.Series) -> np.ndarray:
    return values.to_numpy("float64", na_value=np.nan)


# ---- what is asked of the customers of this project -------------------------------------------


def course_cuts(settings: Settings) -> dict[str, list[float]]:
    """Where the groups of people by age and income begin: the cuts by the column they cut."""
    people = [settings.flags[name] for name in settings.banded()]
    return {flag.source: flag.cuts for flag in people if flag.describes_people}


def customer_measures(
    customers: pd.DataFrame,
    department_lines: np.ndarray,
    names: pd.DataFrame,
    of: Sequence[str] = TELLING_GOODS,
) -> pd.DataFrame:
    """One value per customer of what bands could explain; missing where nothing can be divided.

    Mean item price (dollars), order value (dollars an order), the share of the customer's lines in
    each department that `of` names and the data has, and income (dollars a year) as a measure of
    age. `department_lines` is customers x departments, in the order of `names`.
    """
    spend = customers["spend_cents"].to_numpy() / 100
    lines = customers["lines"].to_numpy()
    priced = customers["priced_lines"].to_numpy()
    columns = {
        "mean_item_price": spend / np.where(priced == 0, np.nan, priced),
        "mean_order_value": spend / customers["orders"].to_numpy(),
        "income": _floats(customers["income"]),
    }
    for number, name in enumerate(names["department"].astype("str")):
        if name in of:
            columns[f"share of {name}"] = department_lines[:, number] / lines
    return pd.DataFrame(columns)


def asked(measures: pd.DataFrame) -> list[tuple[str, str]]:
    """Every measure for age and for income, but for income as a measure of itself."""
    return [
        (attribute, measure)
        for attribute in STEPS
        for measure in measures.columns
        if attribute != measure
    ]


# ---- attributes that restate others -----------------------------------------------------------


@dataclass(frozen=True)
class Coded:
    """An attribute as codes from 0; `ordered` if the codes follow a scale that can be cut.

    `names` says what a code stands for; for an ordered one, the value at which it begins.
    """

    codes: np.ndarray
    names: list
    ordered: bool

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.names)


def coded(values: pd.Series) -> Coded:
    """Code the values of an attribute; many numbers are ordered (in quantile bins if very many).

    A missing value has a code of its own, below all others where the attribute is ordered.
    """
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > ORDERED_FROM:
        numbers = _floats(values)
        starts = np.unique(numbers[~np.isnan(numbers)])
        if len(starts) > MOST_BINS:
            shares = np.arange(MOST_BINS) / MOST_BINS
            starts = np.unique(np.nanquantile(numbers, shares, method="lower"))
        codes = np.where(np.isnan(numbers), 0, np.searchsorted(starts, numbers, side="right"))
        codes = codes.astype(np.min_scalar_type(len(starts)))
        return Coded(codes, [-np.inf, *starts], ordered=True)
    codes, names = pd.factorize(values, sort=True, use_na_sentinel=False)
    return Coded(
        codes, ["(missing)" if pd.isna(name) else str(name) for name in names], ordered=False
    )


def coarse(attribute: Coded) -> Coded:
    """Turn an ordered attribute into a few cells of about equally many customers."""
    if not attribute.ordered:
        return attribute
    shares = np.arange(1, MOST_CELLS) / MOST_CELLS
    cuts = np.unique(np.quantile(attribute.codes, shares, method="lower"))
    names = [f"from {attribute.names[cut]:g}" for cut in cuts]
    return Coded(
        np.searchsorted(cuts, attribute.codes, side="right"), ["below", *names], ordered=False
    )


def best_labels(counts: np.ndarray, most: int = MOST_CUTS) -> np.ndarray:
    """Label every bin so that most customers carry the label of their bin, in few bands.

    `counts` is bins x labels. The bins are cut into bands in the best way, exactly, by the fewest
    of up to `most` cuts that reach the highest number; each band takes its commonest label, a bin
    without customers halfway to the next band. Returns the label of each bin.
    """
    occurs = np.flatnonzero(counts.sum(axis=1))
    if not len(occurs):
        return np.full(len(counts), -1)
    sums = np.vstack([np.zeros(counts.shape[1], counts.dtype), np.cumsum(counts[occurs], axis=0)])
    inside = sums[None, :, :] - sums[:, None, :]  # of a band from [row] to before [column]
    right = inside.max(axis=2)
    right[np.tril_indices(len(sums))] = -sums[-1].sum() - 1  # a band is not empty
    best, came_from, reached = right[0], [], [right[0, -1]]
    for _ in range(min(most, len(occurs) - 1)):
        further = best[:, None] + right
        came_from.append(further.argmax(axis=0))
        best = further.max(axis=0)
        reached.append(best[-1])
    labels, end = np.empty(len(occurs), np.int64), len(occurs)
    for back in reversed(came_from[: int(np.argmax(reached))]):  # the first best: fewest cuts
        start = back[end]
        labels[start:end] = inside[start, end].argmax()
        end = start
    labels[:end] = inside[0, end].argmax()
    middle = (occurs[1:] + occurs[:-1] + 1) // 2  # a bin in a gap goes with the nearer neighbour
    return labels[np.searchsorted(middle, np.arange(len(counts)), side="right")]


@dataclass(frozen=True)
class Prediction:
    """The label that each cell and bin of two attributes predicts, as learnt on one half."""

    cells: Coded
    bins: Coded
    labels: np.ndarray  # cells x bins
    right: int  # customers of the half searched that it labels right

    def of_customers(self) -> np.ndarray:
        """Label predicted for each customer."""
        return self.labels[self.cells.codes, self.bins.codes]


def learn(target: Coded, cells: Coded, bins: Coded, searched: np.ndarray) -> Prediction:
    """Learn on the half searched the commonest label of each cell, or of bands within each cell.

    A cell without customers has the commonest label of all.
    """
    size = (cells.size, bins.size, target.size)
    place = np.ravel_multi_index(
        (cells.codes[searched], bins.codes[searched], target.codes[searched]), size
    )
    counts = np.bincount(place, minlength=np.prod(size)).reshape(size)
    if bins.ordered:
        labels = np.stack([best_labels(cell) for cell in counts])
    else:
        labels = np.where(counts.sum(axis=2) > 0, counts.argmax(axis=2), -1)
    labels = np.where(labels < 0, counts.sum(axis=(0, 1)).argmax(), labels)
    right = int(np.take_along_axis(counts, labels[:, :, None], axis=2).sum())
    return Prediction(cells, bins, labels, right)


def redundancy(
    frame: pd.DataFrame, attribute: str, others: Sequence[str], settings: Settings
) -> pd.DataFrame:
    """Which one or two of the others tell the attribute best, and how well: one row.

    `frame` has user_id, the attribute (labels) and the others, of which numbers with many values
    are cut where it helps most, within each value of the second one. Everything is learnt on half
    of the customers; accuracy (the share of customers told right), baseline (the share of the
    commonest label) and entropy_explained (Theil's uncertainty coefficient, 1970) are those of the
    other half. `redundant` is yes where accuracy is at least REDUNDANT_FROM and at least half of
    the baseline's errors are gone (Goodman and Kruskal's lambda, 1954). `rule` says in words what
    was learnt, and is empty otherwise.
    """
    codes = {name: coded(frame[name]) for name in others}
    return _redundancy(
        coded(frame[attribute].astype("str")),
        attribute,
        codes,
        quarter_of(frame["user_id"], settings.seed) < 2,
    )


def redundancies(
    customers: pd.DataFrame,
    settings: Settings,
    attributes: Sequence[str] = (
        "age",
        "income",
        "gender",
        "region",
        "n_dependants",
        "family_status",
    ),
) -> pd.DataFrame:
    """Hold each attribute against every pair of the others: one row each, the best told first.

    Age and income are told as their groups (age_group, income_group) and tell as numbers.
    """
    if customers.empty:
        return pd.DataFrame(
            columns=[
                "attribute",
                "determined_by",
                "customers",
                "accuracy",
                "baseline",
                "entropy_explained",
                "redundant",
                "rule",
            ]
        )
    codes = {name: coded(customers[name]) for name in attributes}
    searched = quarter_of(customers["user_id"], settings.seed) < 2
    tables = []
    for name in attributes:
        told = {"age": "age_group", "income": "income_group"}.get(name, name)
        others = {other: codes[other] for other in attributes if other != name}
        tables.append(_redundancy(coded(customers[told].astype("str")), told, others, searched))
    table = pd.concat(tables, ignore_index=True)
    return table.sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)


def _redundancy(
    target: Coded, attribute: str, others: Mapping[str, Coded], searched: np.ndarray
) -> pd.DataFrame:
    rows = np.flatnonzero(searched)
    nothing = Coded(np.zeros(len(searched), np.int64), [""], ordered=False)
    learnt = {name: learn(target, nothing, other, rows) for name, other in others.items()}
    name, single = max(learnt.items(), key=lambda item: item[1].right)
    by, best = ("", name), single
    for cells, bins in _ways(others):
        found = learn(target, coarse(others[cells]), others[bins], rows)
        needed = found.right - single.right > SINGLE_IS_ENOUGH * len(rows)
        if needed and found.right > best.right:
            by, best = (cells, bins), found

    held = ~searched
    actual, predicted = target.codes[held], best.of_customers()[held]
    common = np.bincount(target.codes[rows], minlength=target.size).argmax()
    accuracy, baseline = float((predicted == actual).mean()), float((actual == common).mean())
    is_redundant = accuracy >= REDUNDANT_FROM and (
        accuracy - baseline >= ERRORS_REMOVED_FROM * (1 - baseline) > 0
    )
    return pd.DataFrame(
        [
            {
                "attribute": attribute,
                "determined_by": ", ".join(name for name in others if name in by),
                "customers": len(searched),
                "accuracy": accuracy,
                "baseline": baseline,
                "entropy_explained": _entropy_explained(actual, predicted),
                "redundant": "yes" if is_redundant else "no",
                "rule": _rule_in_words(target, best, *by) if is_redundant else "",
            }
        ]
    )


def _ways(others: Mapping[str, Coded]) -> list[tuple[str, str]]:
    """Name each two attributes, cells first; where both are ordered, either can be the cells."""
    ways = []
    for one, two in combinations(others, 2):
        if others[two].ordered or not others[one].ordered:
            ways.append((one, two))
        if others[one].ordered:
            ways.append((two, one))
    return ways


def _entropy_explained(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the entropy of the labels that the predicted labels take away; 0 for one label."""
    counts = np.bincount(predicted * (int(actual.max(initial=0)) + 1) + actual)
    counts = counts[counts > 0]

    def entropy(codes: np.ndarray) -> float:
        shares = np.bincount(codes) / len(codes)
        shares = shares[shares > 0]
        return float(-(shares * np.log(shares)).sum())

    shares = counts / len(actual)
    joint = float(-(shares * np.log(shares)).sum())
    alone = entropy(actual)
    return (alone + entropy(predicted) - joint) / alone if alone > 0 else 0.0


def _rule_in_words(target: Coded, found: Prediction, cells: str, bins: str) -> str:
    """Say what each cell predicts; cells that predict the same are named together."""
    said: dict[str, list[str]] = {}
    for cell, labels in zip(found.cells.names, found.labels, strict=True):
        named = [target.names[label] for label in labels]
        if found.bins.ordered:
            first, *later = np.flatnonzero(np.diff(labels, prepend=-1))
            parts = [
                named[first],
                *(f"from {bins} {found.bins.names[start]:g} {named[start]}" for start in later),
            ]
        else:
            parts = [
                f"{bins} {name} {label}"
                for name, label in zip(found.bins.names, named, strict=True)
            ]
        said.setdefault(", ".join(parts), []).append(cell)
    return "; ".join(
        f"{cells} {'/'.join(names)}: {rule}" if cells else rule for rule, names in said.items()
    )
