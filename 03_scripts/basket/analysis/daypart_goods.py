"""Q12: whether the goods that sell better in a part of the day still do under other bounds.

One pass over the order lines of the second half of the customers, for the few departments that Q2
confirms: the lines of each customer by hour, which every division of the day adds up.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from basket.analysis.chosen_times import confirmed_goods
from basket.analysis.groups import is_active
from basket.analysis.halves import in_first_half
from basket.analysis.statistics.ratios import product
from basket.analysis.totals import Counts
from basket.project.settings import Settings
from basket.tables.ids import IdIndex
from basket.tables.stage import Stage
from basket.tables.sums import HOURS, narrow, orders_of


@dataclass(frozen=True)
class DaypartGoods:
    """What was `chosen` (part of the day, department), and each customer's lines by hour.

    `lines` is customers x 24, `goods` one such array for each department of `chosen`.
    """

    chosen: list[tuple[str, str]]
    lines: np.ndarray
    goods: dict[str, np.ndarray]

    @staticmethod
    def of(stage: Stage, counts: Counts, split_halves: pd.DataFrame) -> "DaypartGoods":
        """Count them, where the table split_halves confirms any."""
        goods = confirmed_goods(split_halves)
        chosen = list(zip(goods["group"], goods["measure"].astype("str"), strict=True))
        if not chosen:
            return DaypartGoods([], np.empty((0, HOURS)), {})
        names = sorted({department for _, department in chosen})
        of_product = IdIndex(counts.products["product_key"].to_numpy())
        place = {name: number for number, name in enumerate(names)}
        codes = counts.products["department"].astype("str").map(place).fillna(-1).astype("intp")
        found = stage.for_each_part(
            count_part,
            {
                "merged": ("merged", ["order_id", "product_key"]),
                "orders": ("analysis_orders", ["order_id", "user_id", "order_hour", "lines"]),
                "customers": ("analysis_customers", ["user_id", "exclusion_flag"]),
            },
            of_product=of_product,
            department=codes.to_numpy(),
            departments=len(names),
            settings=counts.settings,
        )
        by_id = np.argsort(np.concatenate(found["users"]))
        goods = np.concatenate(found["goods"])[by_id]
        goods = {name: goods[:, number] for number, name in enumerate(names)}
        return DaypartGoods(chosen, np.concatenate(found["lines"])[by_id], goods)

    def confirmed(self, settings: Settings) -> tuple[bool, ...]:
        """Say of each that was chosen whether it sells above its usual share under `settings`."""
        limits, found = settings.statistics, []
        for daypart, department in self.chosen:
            first, last = settings.dayparts[daypart]
            here = slice(first, last + 1)
            goods = self.goods[department].astype("int64")
            every = self.lines.astype("int64")
            lift = product(
                [goods[:, here].sum(axis=1), every.sum(axis=1)],
                [every[:, here].sum(axis=1), goods.sum(axis=1)],
                limits.confidence,
            )
            reason = lift.reason(limits)
            proven = not reason[0] and lift.p_value[0] < limits.significance
            found.append(bool(proven and lift.ratio[0] > 1))
        return tuple(found)


def count_part(
    merged: pd.DataFrame,
    orders: pd.DataFrame,
    customers: pd.DataFrame,
    *,
    of_product: IdIndex,
    department: np.ndarray,
    departments: int,
    settings: Settings,
) -> tuple[dict, dict]:
    """Count one part's lines by customer and hour, and those of each department asked for."""
    users = customers["user_id"].to_numpy()
    kept = np.flatnonzero(is_active(customers, settings) & ~in_first_half(users))
    number = np.full(len(customers), -1)
    number[kept] = np.arange(len(kept))
    customer = number[IdIndex(users).locate(orders["user_id"].to_numpy())]
    cell = np.where(customer >= 0, customer * HOURS + orders["order_hour"].to_numpy("int64"), -1)
    inside = cell >= 0
    lines = np.bincount(cell[inside], orders["lines"].to_numpy()[inside], len(kept) * HOURS)
    asked = department[of_product.locate(merged["product_key"].to_numpy())]
    of_line = orders_of(merged, orders).of_line(cell)
    wanted = (asked >= 0) & (of_line >= 0)
    who, hour = np.divmod(of_line[wanted], HOURS)
    place = (who * departments + asked[wanted]) * HOURS + hour
    goods = np.bincount(place, minlength=len(kept) * departments * HOURS)
    return {}, {
        "users": [users[kept]],
        "lines": [narrow(lines.astype(np.int64).reshape(-1, HOURS))],
        "goods": [narrow(goods.reshape(-1, departments, HOURS))],
    }
