"""Verdicts: what the intervals and tests of ALL comparisons of the report decide together."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from basket.analysis.statistics.effects import NAN
from basket.project.settings import Settings

LABELS = ("small", "medium", "large")
NO_DIFFERENCE = "no practical difference"
UNDECIDED = "undecided"


def false_discovery(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return q for each p: the false discovery rate if all p up to this one count as findings.

    Pass ALL tests of the report at once. NaN stays NaN and is not counted as a test. A p-value
    outside 0 to 1 raises ValueError. Source: Benjamini and Hochberg (1995).
    """
    p = np.asarray(p_values, dtype=float)
    q = np.full(p.shape, NAN)
    tested = ~np.isnan(p)
    if tested.any():
        q[tested] = stats.false_discovery_control(p[tested])
    return q


def verdict(
    effect_name: str,
    effect: float,
    low: float,
    high: float,
    q: float,
    *,
    thresholds: Mapping[str, Sequence[float]],
    significance: float = 0.05,
) -> str:
    """Say what the interval of the size of an effect decides.

    `no practical difference` if all of it is below the smallest threshold; else `large`, `medium`
    or `small` if all of it is at or above that threshold and q is below `significance`; else
    `undecided`, which a missing limit or q gives too. The size is |effect|; of a ratio r it is
    max(r, 1 / r). `thresholds` maps the effect's name to (small, medium, large); an unknown name
    raises KeyError. Source: analysis decisions, from the interval, set before looking.
    """
    steps = thresholds[effect_name]
    if math.isnan(effect):
        return UNDECIDED
    least, most = _size_interval(effect_name, low, high)
    if most < steps[0]:
        return NO_DIFFERENCE
    if q < significance:
        for label, step in reversed(list(zip(LABELS, steps, strict=True))):
            if least >= step:
                return label
    return UNDECIDED


def required_sample_size(
    effect_name: str,
    effect: float,
    low: float,
    high: float,
    n: int,
    *,
    thresholds: Mapping[str, Sequence[float]],
) -> int | None:
    """Return how many customers would decide an undecided verdict: two digits, rounded up.

    The effect is taken to stay what it is while its interval, as wide on both sides as on its wider
    one, shrinks with 1 / sqrt(n), until it leaves the smallest threshold on one side. Ratios shrink
    on the log scale, epsilon-squared on that of its root (its width near 0 goes with 1 / n). None
    if the interval has decided already (also when only q stands in the way), if a limit is missing,
    or if the effect is the threshold itself, which no number decides.
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
    customers = n * (half_width / distance) ** 2
    step = 10 ** max(0, math.floor(math.log10(customers)) - 1)
    return math.ceil(customers / step) * step


def _size_interval(effect_name: str, low: float, high: float) -> tuple[float, float]:
    """Turn the interval of an effect into that of its size: |effect|, or max(r, 1 / r)."""
    if math.isnan(low) or math.isnan(high):
        return NAN, NAN
    if effect_name == "ratio":
        inverse_of_low, inverse_of_high = (1 / x if x > 0 else math.inf for x in (low, high))
        least = 1.0 if low <= 1 <= high else max(low, inverse_of_high)
        return least, max(high, inverse_of_low)
    least = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return least, max(abs(low), abs(high))


def judge_together(comparisons: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Give ALL comparisons of the report together their q, verdict and required sample size.

    A comparison with a `reason` is undecided. A false discovery rate lets a few in a hundred claims
    be false, and a headline picks the most extreme of many. So `for_headline` is yes only where
    there is no reason, the effect itself is at least a small one, its interval excludes no
    difference, and its p-value survives Bonferroni's correction over all comparisons.
    """
    effects = settings.statistics.effects.model_dump()
    significance = settings.statistics.significance
    judged = comparisons.assign(q_value=false_discovery(comparisons["p_value"]))
    limits = judged[["effect_name", "effect", "effect_low", "effect_high"]].to_numpy()
    may = (judged["reason"] == "").to_numpy() if "reason" in judged else np.ones(len(judged), bool)
    judged["verdict"] = [
        verdict(*each, q, thresholds=effects, significance=significance) if ok else UNDECIDED
        for each, q, ok in zip(limits, judged["q_value"], may, strict=True)
    ]
    strict = significance / max(1, judged["p_value"].notna().sum())
    matters = [
        _size_interval(name, effect, effect)[0] >= effects[name][0] for name, effect, _, _ in limits
    ]
    survives = may & np.array(matters, bool) & (judged["p_value"] < strict).to_numpy()
    judged["for_headline"] = np.where(survives, "yes", "no")
    needed = [
        required_sample_size(*each, n, thresholds=effects) if decided == UNDECIDED else None
        for each, n, decided in zip(limits, judged["n"], judged["verdict"], strict=True)
    ]
    return judged.assign(customers_to_decide=pd.array(needed, dtype="Int64"))
