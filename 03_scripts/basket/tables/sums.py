"""Counts and sums by group: whole numbers that add up over parts, and the means made of them."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import pandas as pd

from basket.tables.ids import IdIndex, OrdersOfLines

HOURS = 24  # of a day
WALL = 30  # days: the longest gap on record, for all longer ones too (D-11)
GAPS = WALL + 1  # days_since_prior_order takes the values 0 to 30


def dollars(cents) -> np.ndarray:
    """Turn whole cents into dollars, two decimals."""
    return np.round(np.asarray(cents) / 100, 2)


def per(numerator, denominator) -> np.ndarray:
    """Divide into a mean, share or rate; NaN where there is nothing to divide by."""
    denominator = np.asarray(denominator, "float64")
    return np.asarray(numerator, "float64") / np.where(denominator == 0, np.nan, denominator)


def sum_by(group: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    """Sum whole numbers by group number; exact, because every sum stays below 2**53."""
    return np.bincount(group, weights=values, minlength=groups).astype(np.int64)


def narrow(counts: np.ndarray) -> np.ndarray:
    """Store counts in the smallest type that holds them, row after row."""
    return counts.astype(np.min_scalar_type(counts.max(initial=0)), order="C")


# ---- aggregates ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tally:
    """Sums of whole numbers by every combination of some keys; two of them add up.

    `axes` names the keys and lists the values of each; every array of `sums` has one axis per key,
    in that order.
    """

    axes: Mapping[str, Sequence[Hashable]]
    sums: Mapping[str, np.ndarray]

    def __add__(self, other: "Tally") -> "Tally":
        """Add the sums of other rows by the same keys."""
        return Tally(self.axes, {name: sums + other[name] for name, sums in self.sums.items()})

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one of the sums, with an axis per key."""
        return self.sums[name]

    def __repr__(self) -> str:
        """Name the keys with their number of values, and the sums."""
        axes = " x ".join(f"{len(values)} {name}" for name, values in self.axes.items())
        return f"{axes}: {', '.join(self.sums)}"

    def at(self, axis: str, value: Hashable) -> "Tally":
        """Keep the sums at one value of a key, which goes."""
        number = list(self.axes).index(axis)
        place = list(self.axes[axis]).index(value)
        axes = {name: values for name, values in self.axes.items() if name != axis}
        return Tally(axes, {name: s.take(place, axis=number) for name, s in self.sums.items()})

    def by(self, *axes: str) -> "Tally":
        """Add up over all keys but these, which keep their order."""
        gone = tuple(number for number, name in enumerate(self.axes) if name not in axes)
        kept = {name: values for name, values in self.axes.items() if name in axes}
        return Tally(kept, {name: sums.sum(axis=gone) for name, sums in self.sums.items()})

    def table(self, *axes: str) -> pd.DataFrame:
        """Return a row per combination of the keys (or of `axes` alone), and a column per sum."""
        tally = self.by(*axes) if axes else self
        keys = pd.MultiIndex.from_product(tally.axes.values(), names=tally.axes)
        columns = {name: sums.ravel() for name, sums in tally.sums.items()}
        return pd.DataFrame(columns, index=keys).reset_index()


def tally(
    by: Mapping[str, tuple[np.ndarray, Sequence[Hashable]]],
    weights: Mapping[str, np.ndarray | pd.Series | int],
) -> Tally:
    """Sum whole numbers over rows by every combination of keys.

    `by` gives each key the code of every row, from 0, and the values that the codes stand for; a
    code that stands for none raises ValueError. A weight of 1 counts the rows.
    """
    shape = tuple(len(values) for _, values in by.values())
    cell = np.ravel_multi_index([codes for codes, _ in by.values()], shape)
    return Tally(
        {name: values for name, (_, values) in by.items()},
        {
            name: (
                np.bincount(cell, minlength=prod(shape))
                if isinstance(weight, int)
                else sum_by(cell, np.asarray(weight), prod(shape))
            ).reshape(shape)
            for name, weight in weights.items()
        },
    )


# ---- orders of lines, and gaps between orders ---------------------------------------------------


def orders_of(merged: pd.DataFrame, orders: pd.DataFrame) -> OrdersOfLines:
    """Find which of a part's orders each merged line belongs to."""
    ids = IdIndex(orders["order_id"].to_numpy())
    return OrdersOfLines(ids, merged["order_id"].to_numpy())


def customer_of(orders: pd.DataFrame, customers: pd.DataFrame) -> np.ndarray:
    """Find the row of each order's customer, -1 where it is not among these customers."""
    return IdIndex(customers["user_id"].to_numpy()).locate(orders["user_id"].to_numpy())


def gap_counts(group: np.ndarray, days: pd.Series, groups: int, weights=None) -> np.ndarray:
    """Count the days between orders of each group (groups x 31); missing gaps are left out."""
    known = days.notna().to_numpy()
    cell = group[known] * GAPS + days[known].to_numpy("int64")
    counts = np.bincount(cell, None if weights is None else weights[known], groups * GAPS)
    return counts.astype(np.int64).reshape(groups, GAPS)


def median_of_counts(counts: np.ndarray) -> np.ndarray:
    """Return the exact median of each row of a histogram over 0, 1, 2, …; NaN for an empty row.

    Between two middle values it is their mean, as in numpy.median.
    """
    reached = counts.cumsum(axis=1)
    total = reached[:, -1]
    lower = (reached >= ((total + 1) // 2)[:, None]).argmax(axis=1)
    upper = (reached >= (total // 2 + 1)[:, None]).argmax(axis=1)
    return np.where(total > 0, (lower + upper) / 2, np.nan)
