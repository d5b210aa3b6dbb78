"""Verdicts: what the intervals and tests of ALL comparisons of the report decide together."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

from basket.analysis.statistics.effects import NAN
from basket.analysis.verdicts import NO_DIFFERENCE, SIZES, UNDECIDED
from basket.project.settings import Settings, Statistics

NORMAL = NormalDist()


def false_discovery(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return q for each p: the false discovery rate if all p up to this one count as findings.

    Pass ALL tests of the report at once. NaN stays NaN and is not counted as a test. A p-value
    outside 0 to 1 raises ValueError. Source: Benjamini and Hochberg (1995). Four lines instead of
    scipy.stats, whose import takes half a second (D-77); a test compares the two.
    """
    p = np.asarray(p_values, dtype=float)
    q = np.full(p.shape, NAN)
    tested = np.flatnonzero(~np.isnan(p))
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise ValueError(f"a p-value is from 0 to 1, found {p[(p < 0) | (p > 1)][0]}")
    falling = tested[np.argsort(-p[tested], kind="stable")]
    tests = len(falling)
    at_this_p = p[falling] * (tests / np.arange(tests, 0, -1))  # of those up to it, false by chance
    q[falling] = np.minimum(1, np.minimum.accumulate(at_this_p))
    return q


def verdicts(
    effect_names: np.ndarray,
    effect: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    q: np.ndarray,
    *,
    thresholds: Mapping[str, Sequence[float]],
    significance: float,
) -> np.ndarray:
    """Say what the interval of the size of each effect decides.

    `no practical difference` if all of it is below the smallest threshold; else `large`, `medium`
    or `small` if all of it is at or above that threshold and q is below `significance`; else
    `undecided`, which a missing limit or q gives too. The size is |effect|; of a ratio r it is
    max(r, 1 / r). `thresholds` maps the effect's name to (small, medium, large); an unknown name
    raises KeyError. Source: analysis decisions, from the interval, set before looking.
    """
    steps = _steps(effect_names, thresholds)
    least, most = _size_intervals(effect_names, low, high)
    found = np.full(len(effect), UNDECIDED, dtype=object)
    for place, label in enumerate(SIZES):
        found[(q < significance) & (least >= steps[:, place])] = label
    found[most < steps[:, 0]] = NO_DIFFERENCE
    found[np.isnan(effect)] = UNDECIDED
    return found


def _steps(effect_names: np.ndarray, thresholds: Mapping[str, Sequence[float]]) -> np.ndarray:
    """Give the three thresholds of each effect: effects x 3."""
    names, places = np.unique(effect_names, return_inverse=True)
    return np.array([thresholds[name] for name in names], float).reshape(-1, 3)[places]


def required_sample_size(
    effect_name: str,
    effect: float,
    low: float,
    high: float,
    n: int,
    *,
    thresholds: Mapping[str, Sequence[float]],
    settings: Statistics,
) -> int | None:
    """Return how many customers decide an undecided verdict, with a chance of `settings.power`.

    One digit, rounded up. The effect is taken to stay what it is while its interval, as wide on
    both sides as on its wider one, shrinks with 1 / sqrt(n), until it leaves the smallest threshold
    on one side: which it does in half of the cases; for a chance of 80 % it must shrink further, by
    (z_0.975 + z_0.8) / z_0.975. Ratios shrink on the log scale, epsilon-squared on that of its root
    (its width near 0 goes with 1 / n). None if the interval has decided already (also when only q
    stands in the way), if a limit is missing, if the effect is the threshold itself, which no
    number decides, and above `most_times_the_data` times n: this data cannot decide it.
    """
    smallest = thresholds[effect_name][0]
    least, most = _size_interval(effect_name, low, high)
    if math.isnan(effect) or not least < smallest <= most:
        return None
    scale = {"ratio": np.log, "epsilon_squared": np.sqrt}.get(effect_name, np.asarray)
    with np.errstate(divide="ignore"):
        middle, bottom, top, limit = (float(scale(x)) for x in (effect, low, high, smallest))
    distance = abs(abs(middle) - limit)
    half_width = max(top - middle, middle - bottom)
    if distance == 0 or not math.isfinite(half_width):
        return None
    usual = NORMAL.inv_cdf((1 + settings.confidence) / 2)
    surer = (usual + NORMAL.inv_cdf(settings.power)) / usual
    customers = n * (surer * half_width / distance) ** 2
    if customers > settings.most_times_the_data * n:
        return None
    step = 10 ** math.floor(math.log10(customers))
    return math.ceil(customers / step) * step


def _size_interval(effect_name: str, low: float, high: float) -> tuple[float, float]:
    least, most = _size_intervals(*(np.array([each]) for each in (effect_name, low, high)))
    return float(least[0]), float(most[0])


def _size_intervals(
    effect_names: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Turn the intervals of effects into those of their sizes: |effect|, or max(r, 1 / r)."""
    is_ratio = effect_names == "ratio"
    usual = is_ratio.astype(float)  # no difference: 1 of a ratio, else 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        small, large = (
            np.where(is_ratio, np.where(limit > 0, 1 / limit, np.inf), abs(limit))
            for limit in (high, low)
        )
        least = np.where(is_ratio, np.maximum(low, small), np.minimum(abs(low), abs(high)))
        least = np.where((low <= usual) & (usual <= high), usual, least)
        most = np.where(is_ratio, np.maximum(high, large), np.maximum(abs(low), abs(high)))
    unknown = np.isnan(low) | np.isnan(high)
    return np.where(unknown, NAN, least), np.where(unknown, NAN, most)


def judge_together(comparisons: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Give ALL comparisons of the report together their q, verdict and required sample size."""
    judged = decide_together(comparisons, settings)
    effects = settings.statistics.effects.model_dump()
    limits = judged[["effect_name", "effect", "effect_low", "effect_high", "n"]].to_numpy()
    open_to_all = (judged["verdict"] == UNDECIDED) & (judged["reason"] == "")
    needed = [
        required_sample_size(*each, thresholds=effects, settings=settings.statistics)
        if is_open
        else None
        for each, is_open in zip(limits, open_to_all, strict=True)
    ]
    return judged.assign(customers_to_decide=pd.array(needed, dtype="Int64"))


def decide_together(comparisons: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Give ALL comparisons of the report together their q and verdict.

    A comparison with a `reason` is undecided and no test: nothing may be concluded from it, and
    what is certain by definition would make the others look surer. A false discovery rate lets a
    few in a hundred claims be false, and a headline picks the most extreme of many. So
    `for_headline` is yes only where there is no reason, the effect itself is at least a small one,
    its interval excludes no difference, its p-value survives Bonferroni's correction over all
    comparisons of the report, and enough customers stand behind it to be published.
    """
    effects = settings.statistics.effects.model_dump()
    significance = settings.statistics.significance
    names = comparisons["effect_name"].to_numpy().astype(str)
    effect, low, high, p_value = (
        comparisons[name].to_numpy(float)
        for name in ("effect", "effect_low", "effect_high", "p_value")
    )
    may_conclude = (comparisons["reason"] == "").to_numpy()
    p_value = np.where(may_conclude, p_value, NAN)
    q = false_discovery(p_value)
    found = verdicts(names, effect, low, high, q, thresholds=effects, significance=significance)
    size, _ = _size_intervals(names, effect, effect)
    least, _ = _size_intervals(names, low, high)
    matters = (size >= _steps(names, effects)[:, 0]) & (least > (names == "ratio"))
    strict = significance / max(1, np.count_nonzero(~np.isnan(p_value)))
    survives = matters & (p_value < strict)
    if "customers_behind" in comparisons:
        behind = pd.to_numeric(comparisons["customers_behind"]).astype("Int64")
        comparisons = comparisons.assign(customers_behind=behind)
        few = behind < settings.privacy.smallest_group  # a headline could not be published
        survives &= ~few.to_numpy(bool, na_value=False)
    return comparisons.assign(
        q_value=q,
        verdict=np.where(may_conclude, found, UNDECIDED),
        for_headline=np.where(survives, "yes", "no"),
    )
