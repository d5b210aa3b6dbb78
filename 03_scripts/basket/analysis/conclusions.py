"""Q12: the verdicts that the findings rest on, under thresholds other than those of settings."""

import numpy as np

from basket.analysis import statistics
from basket.analysis.comparisons import codes_of
from basket.analysis.groups import People, is_active
from basket.analysis.measures import TELLING_GOODS, measures, share_of
from basket.analysis.sensitivity import relabel
from basket.project.settings import Settings

MEASURES = ("mean_order_value", "mean_item_price", *map(share_of, TELLING_GOODS))


class Conclusions:
    """The verdicts on all customers, labelled anew each time; no labels are tested twice."""

    def __init__(self, people: People, settings: Settings):
        """Order the measures of all customers."""
        values = measures(people, settings)
        self._ordered = {
            name: statistics.Ordered.of(values[name]()) for name in MEASURES if name in values
        }
        self._customers, self._settings = people.customers, settings
        self._known: dict[tuple[str, bytes], str] = {}

    def under(self, changed: Settings) -> dict[tuple[str, str], str]:
        """Return the verdict on each grouping and measure that the labels of `changed` lead to."""
        labels = relabel(self._customers, changed)
        active = is_active(labels, changed)
        found = {}
        for grouping in changed.banded():
            codes, _ = codes_of(labels, grouping, changed.labels.missing)
            codes = np.where(active, codes, -1)
            found |= {(grouping, name): self._verdict(name, codes) for name in self._ordered}
        return found

    def _verdict(self, measure: str, codes: np.ndarray) -> str:
        key = measure, codes.tobytes()
        if key not in self._known:
            statistic = self._settings.statistics
            found = statistics.epsilon_squared(self._ordered[measure], codes, statistic.confidence)
            self._known[key] = statistics.verdict(
                *(found.effect_name, found.effect, found.low, found.high, found.p_value),
                thresholds=statistic.effects.model_dump(),
                significance=statistic.significance,
            )
        return self._known[key]
