"""Q12: what the findings conclude under settings other than ours, judged as the report judges.

Not counted anew: pairs and goods by time for other active customers, loyalty at equal order
numbers, and what profiles add to income.
"""

from collections.abc import Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from basket.analysis import flags, statistics, verdicts
from basket.analysis.comparisons import RATIO_OF_TIME, coarser, codes_of
from basket.analysis.daypart_goods import DaypartGoods
from basket.analysis.groups import is_active
from basket.analysis.halves import in_first_half
from basket.analysis.measures import RATIOS, TELLING_GOODS, banded, measures, share_of
from basket.analysis.sensitivity import Relabelling
from basket.analysis.statistics.ratios import Ratios, Split
from basket.analysis.totals import Counts
from basket.analysis.windows import quietest, to_try
from basket.project.settings import Settings

HABITS = ("mean_order_value", "mean_lines_per_order", "mean_item_price")
QUIET, RANGES, GOODS = "Q1 quiet window", "Q3 price ranges", "Q2 goods by time"
TIMES = {"spend_by_time": "Q2 order value by time", "department_times": GOODS}  # by table
JUDGED = ["effect_name", "effect", "effect_low", "effect_high", "p_value", "n", "reason"]
NAMED = ["conclusion", "measure", "group"]


class Conclusions:
    """What each finding concludes, by its name; no grouping is compared twice in the same way.

    Of a grouping this is the kind of what is said, and whether the strongest claim made under the
    report's own settings stands: a measure in which a group has more (or less) than the others.
    """

    def __init__(self, counts: Counts, results: Mapping[str, pd.DataFrame], goods: DaypartGoods):
        """Take the comparisons of the report; order the measures of all customers."""
        people, settings = counts.people, counts.settings
        self._customers, self._settings, self._goods = people.customers, settings, goods
        choosing = in_first_half(counts.times.users)
        quiet = np.isin(np.arange(7), to_try(results["quiet_windows"])["day"])
        self._orders = counts.times.orders[choosing].sum(axis=0) * quiet[:, None]
        self._products = counts.products
        values = measures(people, settings)
        lines = dict(zip(people.departments, people.department_lines.T, strict=True))
        goods_sold = [name for name in TELLING_GOODS if name in people.departments]
        self._sums = {
            name: tuple(people.customers[each].to_numpy() for each in RATIOS[name])
            for name in HABITS
        } | {name: (lines[name], people.customers["lines"].to_numpy()) for name in goods_sold}
        self._ordered = {
            name: statistics.Ordered.of(values[share_of(name) if name in lines else name]())
            for name in self._sums
        }
        self._income = people.customers["income"].to_numpy("float64", na_value=np.nan)
        self._relabelling = Relabelling(self._customers, settings)
        self._compared: dict[tuple, pd.DataFrame] = {}
        self._judged: dict[tuple, pd.DataFrame] = {}
        self._said: dict[tuple, dict[str, Hashable]] = {}
        self._fixed = _of_report(results, settings, set(self._sums))
        judged = self._judged[self._judge(settings)].groupby("conclusion", sort=False)
        self._claims = {name: _strongest(rows) for name, rows in judged}

    def under(self, changed: Settings) -> dict[str, Hashable]:
        """Say what each finding concludes under these settings."""
        key = self._judge(changed)
        if key not in self._said:
            self._said[key] = kinds(self._judged[key], self._claims)
        found = self._said[key] | {RANGES: self._range_with_most_money(changed)}
        if self._orders.any():  # on days with a window that is proven to be quiet
            found[QUIET] = quiet_hours(self._orders, changed)
        if self._goods.chosen:
            found[GOODS] = self._goods.confirmed(changed)
        return found

    def verdicts(self, changed: Settings) -> np.ndarray:
        """Give the verdict of each comparison of the report under these settings."""
        return self._judged[self._judge(changed)]["verdict"].to_numpy()

    def labels(self, changed: Settings) -> pd.DataFrame:
        """Label the customers under these settings."""
        return self._relabelling.under(changed)

    def _judge(self, changed: Settings) -> tuple:
        """Judge all comparisons under these settings; return their key among those judged."""
        labels = self.labels(changed)
        active = is_active(labels, changed)
        rows, keys = [self._fixed], [changed.statistics.effects.model_dump_json()]
        for grouping in changed.banded():
            codes, groups = codes_of(labels, grouping, changed.labels.missing)
            codes = np.where(active, codes, -1)
            key = grouping, codes.tobytes()
            if key not in self._compared:
                self._compared[key] = self._compare(grouping, codes, len(groups), active)
            rows.append(self._compared[key])
            keys.append(key)
        if tuple(keys) not in self._judged:
            together = pd.concat(rows, ignore_index=True)
            self._judged[tuple(keys)] = statistics.decide_together(together, changed)
        return tuple(keys)

    def _compare(
        self, grouping: str, codes: np.ndarray, groups: int, active: np.ndarray
    ) -> pd.DataFrame:
        """Compare the groups of one grouping: overall, and each with the others.

        People are compared at equal income, but for the groups of income itself.
        """
        limits, flag = self._settings.statistics, self._settings.flags[grouping]
        if flag.describes_people and flag.source != "income":
            bands = banded(np.where(active, self._income, np.nan), self._settings)
            known = bands >= 0
            orders = self._customers["orders"].to_numpy()
            weights = np.bincount(bands[known], orders[known]) if known.any() else np.ones(1)
            split = Split.of(codes, groups, bands, weights, self._settings.privacy.smallest_group)
        else:
            split = Split.of(codes, groups)

        def compared(measure: str) -> list[pd.DataFrame]:
            overall = statistics.epsilon_squared(self._ordered[measure], codes, limits.confidence)
            found = split.compare(*self._sums[measure], limits.confidence)
            reason = coarser(grouping, measure, self._settings)
            return [_overall(measure, overall, reason), _of_groups(measure, found, codes, limits)]

        with ThreadPoolExecutor(self._settings.limits.threads) as pool:
            tables = [each for both in pool.map(compared, self._sums) for each in both]
        named = pd.concat(tables, ignore_index=True)
        return named.assign(conclusion=name_of(grouping, self._settings))[NAMED + JUDGED]

    def _range_with_most_money(self, changed: Settings) -> int:
        priced = self._products[self._products["price_cents"].notna()]
        labels = flags.label(changed.flags["price_range"], priced, changed.labels.missing)
        spend = priced["price_cents"].to_numpy("int64") * priced["lines"].to_numpy("int64")
        return int(np.bincount(labels.codes, spend, len(labels.categories)).argmax())


def name_of(grouping: str, settings: Settings) -> str:
    """Name what is concluded of a grouping: Q9 income."""
    words = grouping.removesuffix("_group").removesuffix("_flag").removeprefix("n_")
    return f"{settings.flags[grouping].question} {words.replace('_', ' ')}"


def quiet_hours(orders: np.ndarray, settings: Settings) -> tuple[int, int] | None:
    """Find the hours of the quietest window of the week in waking hours; `orders` are 7 x 24.

    None where no day has orders then. Days without any are closed, and not quiet.
    """
    first, last = settings.waking_hours
    windows = quietest(orders, np.flatnonzero(orders[:, first : last + 1].sum(axis=1)), settings)
    if not windows:
        return None
    _, start = windows[0]
    return start, start + settings.window_hours


def _of_report(
    results: Mapping[str, pd.DataFrame], settings: Settings, measured: set[str]
) -> pd.DataFrame:
    """Put together the comparisons of the report, without those that are made anew."""
    groups = pd.concat([results["tests"], results["department_lifts"]], ignore_index=True)
    plain = groups["measure"].str.removeprefix(share_of(""))
    groups = groups[~(groups["grouping"].isin(settings.banded()) & plain.isin(measured))]
    tested = settings.tested()
    named = [name_of(name, settings) if name in tested else "" for name in groups["grouping"]]
    tables = [groups.assign(conclusion=named, group=groups["group_a"])]
    customers = int(groups["n"].max()) if len(groups) else 0
    for name, conclusion in TIMES.items():
        ratio = RATIO_OF_TIME[name]
        renamed = {f"{ratio}{end}": f"effect{end}" for end in ("", "_low", "_high")}
        table = results[name].rename(columns=renamed).assign(effect_name="ratio")
        columns = ["period", "name"] if "period" in table else ["daypart", "department"]
        group, measure = (table[column].astype("str") for column in columns)
        tables.append(
            table.assign(conclusion=conclusion, group=group, measure=measure, n=customers)
        )
    together = pd.concat(tables, ignore_index=True)
    if "reason" not in together:
        together["reason"] = ""
    return together.assign(reason=together["reason"].fillna(""))[NAMED + JUDGED]


def _overall(measure: str, found: statistics.Estimate, reason: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "measure": measure,
            "group": "",
            "effect_name": found.effect_name,
            "effect": found.effect,
            "effect_low": found.low,
            "effect_high": found.high,
            "p_value": found.p_value,
            "n": found.n,
            "reason": reason,
        },
        index=[0],
    )


def _of_groups(measure: str, found: Ratios, codes: np.ndarray, limits) -> pd.DataFrame:
    groups = len(found.ratio)
    return pd.DataFrame(
        {
            "measure": measure,
            "group": [str(group) for group in range(groups)],
            "effect_name": "ratio",
            "effect": found.ratio,
            "effect_low": found.low,
            "effect_high": found.high,
            "p_value": found.p_value,
            "n": np.bincount(codes[codes >= 0], minlength=groups),
            "reason": found.reason(limits),
        }
    )


def kinds(judged: pd.DataFrame, ours: Mapping[str, Hashable]) -> dict[str, Hashable]:
    """Say of each conclusion its kind, and whether our own claim, if we make one, stands.

    Comparisons without a name, within the groups of another attribute, are judged, but none of the
    findings rests on them.
    """
    judged = judged[judged["conclusion"] != ""]
    proven = judged[judged["for_headline"] == "yes"].groupby("conclusion", sort=False)
    claims = {name: _claims(rows) for name, rows in proven}
    same = judged["verdict"].eq(verdicts.NO_DIFFERENCE).groupby(judged["conclusion"]).all()
    found = {
        name: verdicts.NO_DIFFERENCE if alike else verdicts.UNDECIDED
        for name, alike in same.items()
    }
    return {
        name: (kind, ours.get(name) in {None, *claims.get(name, ())})
        for name, kind in (found | dict.fromkeys(claims, "difference")).items()
    }


def _claims(rows: pd.DataFrame) -> set[Hashable]:
    """Name the measures, groups and directions of what may carry a headline."""
    proven = rows[rows["for_headline"] == "yes"]
    more = np.where(proven["effect_name"] == "ratio", proven["effect"] > 1, True)
    return set(zip(proven["measure"], proven["group"], more.tolist(), strict=True))


def _strongest(rows: pd.DataFrame) -> Hashable | None:
    """Name the claim of the largest ratio, or of the largest overall effect; None if none is."""
    proven = rows[rows["for_headline"] == "yes"]
    ratios = proven[proven["effect_name"] == "ratio"]
    if len(ratios):
        proven = ratios.assign(size=np.abs(np.log(ratios["effect"])))
    else:
        proven = proven.assign(size=proven["effect"].abs())
    first = proven.sort_values("size", ascending=False, kind="stable").head(1)
    return next(iter(_claims(first)), None)
