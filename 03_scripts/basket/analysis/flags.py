"""The flags: what each product, order and customer is called, as the entries of settings.yml say.

Each label is a Categorical whose categories are the entry's labels in their order and, last, the
label for missing.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from basket.project.flag import Flag
from basket.project.settings import Rules, Settings


def categorical(codes: np.ndarray, labels: list[str], missing: str) -> pd.Categorical:
    """Label codes 0, 1, …; a negative code is the label for missing."""
    codes = np.where(codes < 0, len(labels), codes)
    return pd.Categorical.from_codes(codes, categories=[*labels, missing])


def label(flag: Flag, table: Mapping, missing: str) -> pd.Categorical:
    """Label each row of a table by its band, or by the label that gathers its value.

    `table` has the columns that the flag is made from. What is missing, the mean of nothing and a
    value that no label gathers are labelled missing.
    """
    codes = _band(flag, table) if flag.bands else _gathering(flag, table[flag.source])
    return categorical(codes, flag.labels, missing)


def _band(flag: Flag, table: Mapping) -> np.ndarray:
    """Find the band of each row: how many bounds its value has passed; -1 where it has none.

    A mean is compared without a division, and a bound as a fraction of whole numbers: a mean item
    price of exactly 10.00 dollars is not below 10.
    """
    values, *counts = (_numbers(table[name]) for name in flag.columns)
    (count,) = counts or [np.int64(1)]
    band = np.zeros(len(values), np.int64)
    for bound in flag.bounds:
        above, below = bound.as_integer_ratio()
        left, right = values * below, count * above
        band += left >= right if flag.cut_belongs_above else left > right
    return np.where(np.isnan(values) | np.isnan(count) | (count == 0), -1, band)


def _numbers(values) -> np.ndarray:
    """Give whole numbers as they are, and others and those with gaps as floats."""
    values = pd.Series(values)
    if values.dtype.kind in "iu" and not values.hasnans:
        return values.to_numpy("int64")
    return values.to_numpy("float64", na_value=np.nan)


def _gathering(flag: Flag, values: pd.Series) -> np.ndarray:
    """Find the label that gathers each value of a categorical column; -1 where none does."""
    number = {
        value: place for place, gathered in enumerate(flag.gathers.values()) for value in gathered
    }
    codes = [number.get(value, -1) for value in values.cat.categories]
    return np.array([*codes, -1])[values.cat.codes]


def labels_of(
    what: str,
    table: pd.DataFrame,
    settings: Settings,
    known: Mapping[str, pd.Categorical] = MappingProxyType({}),
) -> dict[str, pd.Categorical]:
    """Label each `what` (product or customer) by its flags; {flag: labels}.

    Values that are labels as received, such as gender, are no part of it, nor are gathered values
    (states) where the table lacks them: no threshold moves their labels. Flags whose labels are
    `known` keep them.
    """
    found = {}
    for name, flag in settings.flags_of(what).items():
        if flag.bands or (flag.gathers and flag.source in table):
            is_known = name in known
            found[name] = known[name] if is_known else label(flag, table, settings.labels.missing)
    if what == "customer":
        found["segment"] = segment(found["rhythm"], found["basket"], settings)
        found["profile"] = profile(
            found["age_group"], table["n_dependants"], found["income_group"], settings
        )
    return found


def segment(rhythm: pd.Categorical, basket: pd.Categorical, settings: Settings) -> pd.Categorical:
    """Put each customer into one segment by habits; missing where rhythm or basket is."""
    rhythms, baskets = (len(settings.flags[name].labels) for name in ("rhythm", "basket"))
    known = (rhythm.codes < rhythms) & (basket.codes < baskets)
    codes = rhythm.codes.astype(int) * baskets + basket.codes
    labels = [name for name, _ in settings.composed()["segment"]]
    return categorical(np.where(known, codes, -1), labels, settings.labels.missing)


def profile(
    age: pd.Categorical, n_dependants, income: pd.Categorical, settings: Settings
) -> pd.Categorical:
    """Put each customer into one readable profile; missing where any of the three is."""
    ages, incomes = (len(settings.flags[name].labels) for name in ("age_group", "income_group"))
    dependants = _numbers(n_dependants)
    known = (age.codes < ages) & (income.codes < incomes) & ~np.isnan(dependants)
    household = (dependants > 0).astype(int)
    codes = (age.codes.astype(int) * 2 + household) * incomes + income.codes
    labels = [name for name, _ in settings.composed()["profile"]]
    return categorical(np.where(known, codes, -1), labels, settings.labels.missing)


# ---- days and hours ---------------------------------------------------------------------------


def rank_busiest(counts: np.ndarray, most: int, fewest: int) -> np.ndarray:
    """Code each day or hour: 0 the `most` busiest, 2 the `fewest` slowest, 1 the rest.

    Ties go to the lower day or hour; busiest are chosen before slowest; a day or hour without any
    count takes no part.
    """
    codes = np.ones(len(counts), np.int8)
    taking_part = np.flatnonzero(counts)
    busiest = taking_part[np.argsort(-counts[taking_part], kind="stable")[:most]]
    rest = np.setdiff1d(taking_part, busiest)
    slowest = rest[np.argsort(counts[rest], kind="stable")[:fewest]]
    codes[busiest] = 0
    codes[slowest] = 2
    return codes


def busiest_labels(
    orders: np.ndarray, lines: np.ndarray, rules: Rules, settings: Settings
) -> dict[str, pd.Categorical]:
    """Label each day and hour from counts by day x hour (7 x 24) over the whole population."""
    counts = {"orders": orders, "lines": lines}[rules.rank_busiest_by]
    by = {"order_day": counts.sum(axis=1), "order_hour": counts.sum(axis=0)}
    most = {
        "busiest_day": 1,
        "busiest_days": settings.thresholds.busiest_days,
        "busiest_period_of_day": settings.thresholds.busiest_hours,
    }
    found = {}
    for name, number in most.items():
        flag = settings.flags[name]
        codes = rank_busiest(by[flag.source], number, number)
        found[name] = categorical(codes, flag.labels, settings.labels.missing)
    return found
