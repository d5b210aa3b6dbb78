"""Attributes of customers that others determine, such as a family status that follows from age.

They are learnt on one half of the customers and judged on the other; one row per customer. Measured
on 206,209 customers with 2 threads: all attributes 0.9 s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from basket.analysis.cut_points import MOST_CUTS, floats, quarter_of
from basket.project.settings import Settings

ATTRIBUTES = ("age", "income", "gender", "region", "n_dependants", "family_status")
REDUNDANT_FROM = 0.99  # accuracy on the held-out half
ERRORS_REMOVED_FROM = 0.5  # of the errors that naming the commonest label makes
SINGLE_IS_ENOUGH = 0.001  # accuracy that a second attribute must add to be named
MOST_BINS = 100  # of an ordered attribute with more values, such as income
MOST_CELLS = 10  # of an ordered attribute where another one is cut within each cell
ORDERED_FROM = 10  # numbers with more values than this are ordered, with fewer they are cells

COLUMNS = [
    "attribute",
    "determined_by",
    "customers",
    "accuracy",
    "baseline",
    "entropy_explained",
    "redundant",
    "rule",
]


@dataclass(frozen=True)
class Coded:
    """An attribute as codes from 0; `ordered` if the codes follow a scale that can be cut.

    `names` gives the value of each code; for an ordered one, the value at which it begins.
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
        numbers = floats(values)
        starts = np.unique(numbers[~np.isnan(numbers)])
        if len(starts) > MOST_BINS:
            shares = np.arange(MOST_BINS) / MOST_BINS
            starts = np.unique(np.nanquantile(numbers, shares, method="lower"))
        codes = np.where(np.isnan(numbers), 0, np.searchsorted(starts, numbers, side="right"))
        codes = codes.astype(np.min_scalar_type(len(starts)))
        return Coded(codes, [-np.inf, *starts], ordered=True)
    codes, names = pd.factorize(values, sort=True, use_na_sentinel=False)
    names = ["(missing)" if pd.isna(name) else str(name) for name in names]
    return Coded(codes, names, ordered=False)


def coarse(attribute: Coded) -> Coded:
    """Turn an ordered attribute into a few cells of about equally many customers."""
    if not attribute.ordered:
        return attribute
    shares = np.arange(1, MOST_CELLS) / MOST_CELLS
    cuts = np.unique(np.quantile(attribute.codes, shares, method="lower"))
    names = ["below", *(f"from {attribute.names[cut]:g}" for cut in cuts)]
    return Coded(np.searchsorted(cuts, attribute.codes, side="right"), names, ordered=False)


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
    right: int  # customers of the half searched that it labels correctly


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


def redundancies(
    customers: pd.DataFrame, settings: Settings, attributes: Sequence[str] = ATTRIBUTES
) -> pd.DataFrame:
    """Find the one or two others that predict each attribute best: a row each, the best first.

    `customers` has user_id and the attributes. Age and income are predicted as their groups
    (age_group, income_group) and predict as numbers, which are cut where it helps most, within each
    value of the second attribute. Everything is learnt on half of the customers; accuracy (the
    share of customers classified correctly), baseline (the share of the commonest label) and
    entropy_explained (Theil's uncertainty coefficient, 1970) are those of the other half.
    `redundant` is yes where accuracy is at least REDUNDANT_FROM and at least half of the baseline's
    errors are gone (Goodman and Kruskal's lambda, 1954). `rule` says in words what was learnt, and
    is empty otherwise.
    """
    if customers.empty:
        return pd.DataFrame(columns=COLUMNS)
    codes = {name: coded(customers[name]) for name in attributes}
    searched = quarter_of(customers["user_id"], settings.seed) < 2
    rows = []
    for name in attributes:
        label = {"age": "age_group", "income": "income_group"}.get(name, name)
        others = {other: codes[other] for other in attributes if other != name}
        target = coded(customers[label].astype("str"))
        rows.append({"attribute": label} | _redundancy(target, others, searched))
    table = pd.DataFrame(rows)
    return table.sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)


def _redundancy(target: Coded, others: Mapping[str, Coded], searched: np.ndarray) -> dict:
    """Predict an attribute from the others: which one or two are named, and how well they do."""
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

    predicted = best.labels[best.cells.codes, best.bins.codes][~searched]
    actual = target.codes[~searched]
    common = np.bincount(target.codes[rows], minlength=target.size).argmax()
    accuracy, baseline = float((predicted == actual).mean()), float((actual == common).mean())
    is_redundant = accuracy >= REDUNDANT_FROM and (
        accuracy - baseline >= ERRORS_REMOVED_FROM * (1 - baseline) > 0
    )
    return {
        "determined_by": ", ".join(name for name in others if name in by),
        "customers": len(searched),
        "accuracy": accuracy,
        "baseline": baseline,
        "entropy_explained": _entropy_explained(actual, predicted),
        "redundant": "yes" if is_redundant else "no",
        "rule": _rule_in_words(target, best, *by) if is_redundant else "",
    }


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

    def entropy(codes: np.ndarray) -> float:
        shares = np.bincount(codes) / len(codes)
        shares = shares[shares > 0]
        return float(-(shares * np.log(shares)).sum())

    joint, alone = entropy(predicted * (int(actual.max(initial=0)) + 1) + actual), entropy(actual)
    return (alone + entropy(predicted) - joint) / alone if alone > 0 else 0.0


def _rule_in_words(target: Coded, found: Prediction, cells: str, bins: str) -> str:
    """Say what each cell predicts; cells that predict the same are named together."""
    said: dict[str, list[str]] = {}
    for cell, labels in zip(found.cells.names, found.labels, strict=True):
        named = [target.names[label] for label in labels]
        if found.bins.ordered:
            first, *later = np.flatnonzero(np.diff(labels, prepend=-1))
            starts = [(named[start], found.bins.names[start]) for start in later]
            parts = [named[first], *(f"from {bins} {value:g} {label}" for label, value in starts)]
        else:
            labelled = zip(found.bins.names, named, strict=True)
            parts = [f"{bins} {name} {label}" for name, label in labelled]
        said.setdefault(", ".join(parts), []).append(cell)
    return "; ".join(
        f"{cells} {'/'.join(names)}: {rule}" if cells else rule for rule, names in said.items()
    )
