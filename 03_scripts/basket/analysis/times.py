"""What each customer orders when: whole numbers, and the ratios that the engine makes of them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np

from basket.analysis.statistics.ratios import Ratios, product
from basket.project.settings import Settings
from basket.tables.sums import HOURS


@dataclass(frozen=True)
class Times:
    """Counts and sums of cents, a row per customer in each array; together 0.5 KB a customer.

    `orders` is customers x 7 days x 24 hours, `lines` customers x dayparts x departments; the
    others are customers x 7 days or customers x 24 hours.
    """

    users: np.ndarray
    orders: np.ndarray
    lines: np.ndarray
    cents_by_day: np.ndarray
    cents_by_hour: np.ndarray
    priced_lines_by_day: np.ndarray
    priced_lines_by_hour: np.ndarray

    @staticmethod
    def together(parts: Sequence["Times"], rows: np.ndarray) -> "Times":
        """Keep these customers of all parts, in this order; place 0 is the first of the first.

        One array after the other, as together they are most of what stage 05 holds.
        """
        names = [field.name for field in fields(Times)]
        return Times(
            *(np.concatenate([getattr(part, name) for part in parts])[rows] for name in names)
        )

    def those(self, rows: np.ndarray) -> "Times":
        """Keep the customers of a mask, or of these places in this order."""
        return Times(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def cells(self) -> np.ndarray:
        """Orders by hour of the week: customers x 168."""
        return self.orders.reshape(len(self.orders), 7 * HOURS)

    @property
    def orders_by_day(self) -> np.ndarray:
        """Orders by day: customers x 7."""
        return self.orders.sum(axis=2)

    @property
    def orders_by_hour(self) -> np.ndarray:
        """Orders by hour: customers x 24."""
        return self.orders.sum(axis=1)

    def by(self, period: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Orders, cents and priced lines by `day` or `hour`: customers x 7, or customers x 24."""
        if period == "day":
            return self.orders_by_day, self.cents_by_day, self.priced_lines_by_day
        return self.orders_by_hour, self.cents_by_hour, self.priced_lines_by_hour


def estimates(
    above: Sequence[np.ndarray], below: Sequence[np.ndarray], settings: Settings
) -> Ratios:
    """Estimate products of ratios as `ratios.product` does, on several threads.

    Each term is customers x cells, or customers, which serves all cells.
    """
    return product(above, below, settings.statistics.confidence, settings.limits.threads)


def against_other_times(y: np.ndarray, x: np.ndarray, settings: Settings) -> Ratios:
    """Compare Y / X of each time with that of all other times; both are customers x times."""
    y, x = y.astype("int64"), x.astype("int64")
    others_y, others_x = y.sum(axis=1, keepdims=True) - y, x.sum(axis=1, keepdims=True) - x
    return estimates([y, others_x], [x, others_y], settings)


def lifts(times: Times, settings: Settings) -> Ratios:
    """Estimate the lift of each daypart x department, one after the other."""
    everything, of_department = times.lines.sum(axis=(1, 2)), times.lines.sum(axis=1)
    by_daypart = times.lines.transpose(1, 0, 2)
    return joined(
        [
            estimates([lines, everything], [lines.sum(axis=1), of_department], settings)
            for lines in by_daypart
        ]
    )


def within_customers(y: np.ndarray, x: np.ndarray, settings: Settings) -> Ratios:
    """Compare Y / X of each time with that of the same customers at all other times.

    The sum of y over the sum of what it would be at each customer's own Y / X of the other times:
    sum of y_i / sum of x_i * (Y_i - y_i) / (X_i - x_i), over the customers who have both.
    """
    all_y, all_x = y.sum(axis=1), x.sum(axis=1)

    def of_time(time: int) -> Ratios:
        now_y, now_x = y[:, time].astype("int64"), x[:, time].astype("int64")
        others_y, others_x = all_y - now_y, all_x - now_x
        both = (now_x > 0) & (others_x > 0)
        expected = now_x[both] * others_y[both] / others_x[both]
        return product([now_y[both]], [expected], settings.statistics.confidence)

    with ThreadPoolExecutor(settings.limits.threads) as pool:
        return joined(list(pool.map(of_time, range(y.shape[1]))))


def joined(found: Sequence[Ratios]) -> Ratios:
    """Put estimates of several cells one after the other."""
    names = [field.name for field in fields(Ratios)]
    return Ratios(*(np.concatenate([getattr(each, name) for each in found]) for name in names))


def columns(found: Ratios, name: str, settings: Settings, times: float = 1.0) -> dict:
    """Give a table its columns: the ratio under `name`, its limits, and what they rest on."""
    return {
        name: found.ratio * times,
        f"{name}_low": found.low * times,
        f"{name}_high": found.high * times,
        "effective_customers": found.effective_customers,
        "largest_share": found.largest_share,
        "customers_behind": found.customers,
        "reason": found.reason(settings.statistics),
    }


def apart(found: Ratios, settings: Settings) -> np.ndarray:
    """Say of each ratio whether its interval excludes 1, and something may be concluded."""
    return (found.reason(settings.statistics) == "") & ((found.low > 1) | (found.high < 1))


def level(found: Ratios, settings: Settings) -> np.ndarray:
    """Say of each ratio whether its interval holds 1, and something may be concluded."""
    return (found.reason(settings.statistics) == "") & (found.low <= 1) & (found.high >= 1)


def against_next(here: np.ndarray, names: Sequence[str], settings: Settings) -> dict:
    """Compare each column of customers x times with the next, as columns of a table.

    The last has no next: its name is empty and its ratio missing, as is a ratio to nothing.
    """
    found = estimates([here[:, :-1]], [here[:, 1:]], settings)
    last = [np.nan] * min(1, len(names))
    ratio, low, high = (
        [*np.where(np.isfinite(end), end, np.nan), *last]
        for end in (found.ratio, found.low, found.high)
    )
    return {
        "next_name": [*names[1:], *[""] * len(last)],
        "ratio_to_next": ratio,
        "ratio_to_next_low": low,
        "ratio_to_next_high": high,
        "stands_out": [*np.where(apart(found, settings), "yes", "no"), *["no"] * len(last)],
    }
