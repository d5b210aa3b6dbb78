"""Index the ids of a small table: the hot path's replacement for a merge on one key.

Measured on 4 million rows: taking five columns by position 0.06 s, `merge` 0.4 s. The tests compare
it with `merge`.
"""

import numpy as np

SPARE_IDS = 10_000_000  # a dense index may be this much longer than four times its ids


class IdIndex:
    """Position of each id in an array of unique ids; -1 for an id that is not there."""

    def __init__(self, *pieces: np.ndarray):
        """Index unique ids, none negative: an array, or the pieces of a long one."""
        ends = np.cumsum([len(ids) for ids in pieces])
        self.size = int(ends[-1])
        largest = max((int(ids.max()) for ids in pieces if len(ids)), default=0)
        self._dense = largest < 4 * self.size + SPARE_IDS
        if self._dense:
            self._table = np.full(largest + 2, -1, np.int32)
            for ids, end in zip(pieces, ends, strict=True):
                self._table[ids] = np.arange(end - len(ids), end, dtype=np.int32)
        else:
            ids = np.concatenate(pieces)
            self._order = np.argsort(ids).astype(np.int32)
            self._sorted = ids[self._order]

    def locate(self, wanted: np.ndarray) -> np.ndarray:
        """Return the position of each wanted id, -1 where it is not among the indexed ids.

        Positions are of numpy's own index type: taking by any other is three times slower.
        """
        wanted = np.asarray(wanted, np.intp)
        if self._dense:
            last = len(self._table) - 1  # stands for every id beyond the largest
            inside = wanted if not len(wanted) or wanted.max() < last else np.minimum(wanted, last)
            return self._table.take(inside).astype(np.intp)
        place = np.searchsorted(self._sorted, wanted)
        place[place == len(self._sorted)] = 0
        return np.where(self._sorted[place] == wanted, self._order[place], np.intp(-1))


class OrdersOfLines:
    """Which order each line belongs to, found once for every run of lines of one order.

    In a raw file, lines arrive order by order; where they are in random order, each is a run of its
    own: the same result, slower. From stage 03 on the lines of an order are together.
    """

    def __init__(self, orders: IdIndex, order_of_line: np.ndarray):
        """Find the order of each line among the indexed ones."""
        changes = np.flatnonzero(order_of_line[1:] != order_of_line[:-1]) + 1
        self._starts = np.concatenate([[0], changes]) if len(order_of_line) else changes
        self._size = orders.size
        self.lines = len(order_of_line)
        self.lengths = np.diff(self._starts, append=len(order_of_line))
        """Lines of each run."""
        self.row = orders.locate(order_of_line[self._starts])
        """Position of each run's order; -1 where it is not there."""

    def of_line(self, values: np.ndarray) -> np.ndarray:
        """Return the value of each line's order; the last of `values` for a line without one."""
        return np.repeat(values[self.row], self.lengths)

    def lines_by_order(self) -> np.ndarray:
        """Return the places of the lines: first those without an order, then order by order.

        Lines of one order keep their sequence.
        """
        unique = self.row * len(self.row) + np.arange(len(self.row))
        runs = np.argsort(unique)  # four times faster than a stable sort of the rows
        lengths = self.lengths[runs]
        moved = self._starts[runs] - (np.cumsum(lengths) - lengths)
        return np.repeat(moved, lengths) + np.arange(self.lines)

    def count(self) -> np.ndarray:
        """Count the lines of each order. Raises ValueError if a line has no order."""
        return self._add(self.lengths)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sum a whole number per line for each order, exact below 2**53."""
        if not self.lines:
            return self.count()
        return self._add(np.add.reduceat(values, self._starts, dtype=np.int64))

    def _add(self, of_run: np.ndarray) -> np.ndarray:
        return np.bincount(self.row, of_run, self._size).astype(np.int64)
