"""Where each id stands in a small table: the hot path's replacement for a merge on one key.

Measured on 4 million rows: taking five columns by position 0.06 s, `merge` 0.4 s. The tests hold
it against `merge`.
"""

import numpy as np

SPARE_IDS = 10_000_000  # a dense index may be this much longer than four times its ids


class Positions:
    """Position of each id in an array of unique ids; -1 for an id that is not there."""

    def __init__(self, ids: np.ndarray):
        """Index unique, positive `ids`."""
        ids = np.asarray(ids)
        largest = int(ids.max()) if len(ids) else 0
        self._dense = largest < 4 * len(ids) + SPARE_IDS
        if self._dense:
            self._table = np.full(largest + 2, -1, np.int32)
            self._table[ids] = np.arange(len(ids), dtype=np.int32)
        else:
            self._order = np.argsort(ids).astype(np.int32)
            self._sorted = ids[self._order]

    def find(self, wanted: np.ndarray) -> np.ndarray:
        """Return the position of each wanted id, -1 where it is not among the indexed ids."""
        wanted = np.asarray(wanted)
        if self._dense:
            last = len(self._table) - 1  # stands for every id beyond the largest
            inside = wanted if not len(wanted) or wanted.max() < last else np.minimum(wanted, last)
            return self._table[inside]
        place = np.searchsorted(self._sorted, wanted)
        place[place == len(self._sorted)] = 0
        return np.where(self._sorted[place] == wanted, self._order[place], np.int32(-1))
