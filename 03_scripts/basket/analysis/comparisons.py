"""Q5 to Q10: whether groups of customers differ, tested with one row per customer.

Lines of one customer resemble each other, so a test that takes lines as independent rejects nearly
every true null (D-09). Every comparison gives its effect first, then its interval, then p, then q.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from basket.analysis import statistics
from basket.analysis.statistics import Estimate
from basket.analysis.totals import is_active, narrow
from basket.project.settings import Settings

TESTS = [
    "question",
    "population",
    "grouping",
    "group_a",
    "group_b",
    "measure",
    "unit",
    "n",
    "statistic",
    "effect_name",
    "effect",
    "effect_low",
    "effect_high",
    "p_value",
    "q_value",
    "verdict",
    "for_headline",
    "customers_to_decide",
]
QUESTION_OF = {
    "loyalty_flag": "Q6",
    "region": "Q7",
    "age_group": "Q8",
    "family_status": "Q8",
    "income_group": "Q9",
    "gender": "Q9",
    "n_dependants": "Q9",
    "profile": "Q10",
}
DEMOGRAPHIC = (
    "region",
    "age_group",
    "family_status",
    "income_group",
    "gender",
    "n_dependants",
    "profile",
)
RATIOS = {  # measure of a group: unit, numerator, denominator
    "mean_order_value": ("US dollars an order", "spend_cents", "orders"),
    "mean_lines_per_order": ("order lines an order", "lines", "orders"),
    "mean_item_price": ("US dollars an item", "spend_cents", "priced_lines"),
    "reorder_rate": ("share of order lines", "reordered_lines", "lines"),
}
LIFT = "lift of the share of order lines"
TOTALS = ["spend_cents", "orders", "lines", "priced_lines", "reordered_lines"]


class Measures(Mapping):
    """Measures by name, each worked out when it is asked for: together they fill the memory."""

    def __init__(self, makers: Mapping[str, Callable[[], np.ndarray]]):
        """Take what works out each measure: one number per customer."""
        self._makers = makers

    def __getitem__(self, name: str) -> np.ndarray:
        """Work out a measure."""
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._makers)

    def __len__(self) -> int:
        """Count the measures."""
        return len(self._makers)


def measures(
    customers: pd.DataFrame,
    department_lines: np.ndarray,
    customer_times: np.ndarray,
    departments: list[str],
    settings: Settings,
) -> Measures:
    """Each measure of ordering habits, and each department's share of lines; one per customer.

    `customer_times` are the customer's orders by daypart and, last, at the weekend. A measure that
    a customer cannot have (no priced line, no gap) is NaN.
    """

    def of(name: str) -> np.ndarray:
        return customers[name].to_numpy("float64")

    def share(counts: np.ndarray, number: int, whole: str) -> np.ndarray:
        return counts[:, number] / of(whole)

    def item_price() -> np.ndarray:
        priced = of("priced_lines")
        return of("spend_cents") / 100 / np.where(priced == 0, np.nan, priced)

    makers = {
        "orders": partial(of, "orders"),
        "mean_order_value": lambda: of("spend_cents") / 100 / of("orders"),
        "mean_lines_per_order": lambda: of("lines") / of("orders"),
        "mean_item_price": item_price,
        "median_days_between_orders": partial(of, "median_days_between_orders"),
        "reorder_rate": lambda: of("reordered_lines") / of("lines"),
    }
    for number, name in enumerate(time_names(settings)):
        makers[name] = partial(share, customer_times, number, "orders")
    for number, name in enumerate(departments):
        makers[share_of(name)] = partial(share, department_lines, number, "lines")
    return Measures(makers)


def time_names(settings: Settings) -> list[str]:
    """Names of the measures that are shares of orders at some time."""
    return [
        *(f"orders in the {name.lower()}" for name in settings.dayparts),
        "orders at the weekend",
    ]


UNITS = {
    "orders": "orders",
    "mean_order_value": "US dollars an order",
    "mean_lines_per_order": "order lines an order",
    "mean_item_price": "US dollars an item",
    "median_days_between_orders": "days",
    "reorder_rate": "share of order lines",
}


def share_of(department):
    """Name of the measure of a department's share of a customer's lines."""
    return "share of " + department


def unit_of(measure: str) -> str:
    """Unit of a measure."""
    return UNITS.get(
        measure, "share of orders" if measure.startswith("orders ") else "share of order lines"
    )


def codes_of(labels: pd.DataFrame, grouping: str, missing: str) -> tuple[np.ndarray, list[str]]:
    """Code of each customer's group, -1 where missing, and the names of the groups."""
    names = [name for name in labels[grouping].cat.categories if name != missing]
    return labels[grouping].cat.set_categories(names).cat.codes.to_numpy(), names


def coded_groupings(
    labels: pd.DataFrame, settings: Settings
) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Codes of the customers and names of the groups, as `codes_of`, of each tested grouping."""
    return {
        grouping: codes_of(labels, grouping, settings.labels.missing) for grouping in QUESTION_OF
    }


def overall_tests(
    values: Mapping[str, np.ndarray], labels: pd.DataFrame, settings: Settings
) -> pd.DataFrame:
    """One test per grouping and measure: do its groups differ at all?

    Kruskal-Wallis with epsilon squared; between two groups, Cliff's delta.
    """
    coded = coded_groupings(labels, settings)

    def test(grouping: str, measure: str, column: np.ndarray, ordered: statistics.Ordered) -> dict:
        codes, names = coded[grouping]
        present = [code for code in range(len(names)) if (codes == code).any()]
        pair = len(present) == 2
        if pair:
            first, second = present
            found = statistics.cliffs_delta(
                column[codes == first], column[codes == second], settings.statistics.confidence
            )
        else:
            found = statistics.epsilon_squared(ordered, codes, settings.statistics.confidence)
        return row(
            QUESTION_OF[grouping],
            grouping,
            names[present[0]] if pair else "",
            names[present[1]] if pair else "",
            measure,
            unit_of(measure),
            found,
        )

    def tests_of(measure: str) -> dict[tuple[str, str], dict]:
        column = values[measure]
        ordered = statistics.Ordered.of(column)
        return {
            (grouping, measure): test(grouping, measure, column, ordered)
            for grouping in QUESTION_OF
            if not (grouping == "loyalty_flag" and measure == "orders")
        }

    found: dict[tuple[str, str], dict] = {}
    with ThreadPoolExecutor(settings.limits.threads) as pool:
        for tests in pool.map(tests_of, values):
            found |= tests
    jobs = [job for job in product(QUESTION_OF, values) if job in found]
    return pd.DataFrame([found[job] for job in jobs])


def association_tests(labels: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Does loyalty go with who people are? Cramér's V of customers by two attributes."""
    rows = []
    loyalty, _ = codes_of(labels, "loyalty_flag", settings.labels.missing)
    for grouping in DEMOGRAPHIC:
        codes, names = codes_of(labels, grouping, settings.labels.missing)
        known = (loyalty >= 0) & (codes >= 0)
        counts = np.zeros((int(loyalty.max()) + 1, len(names)), np.int64)
        np.add.at(counts, (loyalty[known], codes[known]), 1)
        rows.append(
            row(
                "Q5",
                grouping,
                "",
                "",
                "loyalty_flag",
                "customers",
                statistics.cramers_v(counts, settings.statistics.confidence),
            )
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Sums:
    """What ratios are made of: tables of whole numbers side by side, a row per customer."""

    names: list[str]
    tables: list[np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        """A column of one of the tables."""
        number = self.names.index(name)
        table = 0
        while number >= self.tables[table].shape[1]:
            number -= self.tables[table].shape[1]
            table += 1
        return self.tables[table][:, number]


def customer_sums(
    customers: pd.DataFrame,
    department_lines: np.ndarray,
    customer_times: np.ndarray,
    departments: list[str],
    settings: Settings,
) -> Sums:
    """Totals, orders by time and lines by department of each customer."""
    names = [*TOTALS, *time_names(settings), *map(lines_of, departments)]
    totals = narrow(customers[TOTALS].to_numpy())
    return Sums(names, [totals, customer_times, department_lines])


def lines_of(department: str) -> str:
    """Name of the column of a department's lines."""
    return f"lines of {department}"


def resampled_sums(
    sums: Sums, customers: pd.DataFrame, labels: pd.DataFrame, settings: Settings
) -> statistics.Resampled:
    """Bootstrap of customers: every column of `sums`, of all and of every group.

    Customers are drawn in the order of their ids, so that the number of parts changes nothing.
    """
    by_id = np.argsort(customers["user_id"].to_numpy()).astype(np.int32)
    coded = coded_groupings(labels, settings)
    groupings = {grouping: codes[by_id] for grouping, (codes, _) in coded.items()}
    return statistics.bootstrap_sums(
        sums.tables,
        groupings,
        resamples=settings.statistics.resamples,
        seed=settings.seed,
        threads=settings.limits.threads,
        rows=by_id,
    )


def ratio_tests(
    ratios: Mapping[str, tuple[str, str, str]],
    sums: Sums,
    resampled: statistics.Resampled,
    labels: pd.DataFrame,
    settings: Settings,
) -> pd.DataFrame:
    """How each group's ratios compare with those of all customers, as a ratio again.

    `ratios` gives the unit, the column above and the column below of each measure.
    """
    rows = []
    place = {name: number for number, name in enumerate(sums.names)}
    coded = coded_groupings(labels, settings)
    groupings = {grouping: codes for grouping, (codes, _) in coded.items()}

    def test(each: tuple[str, str, str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return statistics.ratio_tests(sums[each[1]], sums[each[2]], groupings)

    with ThreadPoolExecutor(settings.limits.threads) as pool:
        tested = list(pool.map(test, ratios.values()))
    for grouping, (codes, names) in coded.items():
        sizes = np.bincount(codes[codes >= 0], minlength=len(names))
        for (measure, (unit, above, below)), found in zip(ratios.items(), tested, strict=True):
            drawn = _against_everyone(resampled, grouping, place[above], place[below])
            z, p_values = found[grouping]
            rows += [
                row(
                    QUESTION_OF[grouping],
                    grouping,
                    names[group],
                    "all customers",
                    measure,
                    unit,
                    statistics.ratio_interval(
                        drawn[:, group],
                        sizes[group],
                        z[group],
                        p_values[group],
                        settings.statistics.confidence,
                    ),
                )
                for group in np.flatnonzero(sizes)
            ]
    return pd.DataFrame(rows)


def _against_everyone(
    resampled: statistics.Resampled, grouping: str, above: int, below: int
) -> np.ndarray:
    sums = resampled.groups[grouping]
    with np.errstate(divide="ignore", invalid="ignore"):
        group = sums[..., above] / sums[..., below]
        everyone = resampled.everyone[:, above] / resampled.everyone[:, below]
        return group / everyone[:, None]


def within_tests(
    values: Mapping[str, np.ndarray],
    customers: pd.DataFrame,
    labels: pd.DataFrame,
    redundant: str,
    within: list[str],
    settings: Settings,
) -> pd.DataFrame:
    """Test a redundant attribute where it still can differ: within groups of what determines it.

    Each stratum (a band of age or income, a number of dependants) is tested by itself, on the
    ordering habits: strata differ in size and in what is usual, so their ranks cannot be pooled.
    Strata in which only one group is large enough to be published say nothing and are left out.
    """
    rows = []
    codes, _ = codes_of(labels, redundant, settings.labels.missing)
    known = customers[within].notna().all(axis=1).to_numpy()
    bands = [_strata(customers[name], settings) for name in within]
    for stratum in sorted(product(*(names for _, names in bands))):
        inside = known.copy()
        for (band_codes, names), band in zip(bands, stratum, strict=True):
            inside &= band_codes == names.index(band)
        sizes = np.bincount(codes[inside & (codes >= 0)], minlength=1)
        kept = np.flatnonzero(sizes >= settings.privacy.smallest_group)
        if len(kept) < 2:
            continue
        chosen = inside & np.isin(codes, kept)
        name = ", ".join(
            f"{attribute} {band}" for attribute, band in zip(within, stratum, strict=True)
        )
        for measure in UNITS:
            found = statistics.epsilon_squared(
                values[measure][chosen], codes[chosen], settings.statistics.confidence
            )
            rows.append(
                row("Q8", f"{redundant} within {name}", "", "", measure, unit_of(measure), found)
            )
    return pd.DataFrame(rows)


def _strata(values: pd.Series, settings: Settings) -> tuple[np.ndarray, list[str]]:
    """Code and names of the strata of customers; ages and incomes in the bands of settings."""
    thresholds, labels = settings.thresholds, settings.labels
    bands = {
        "age": (
            thresholds.middle_age_from_years,
            thresholds.older_age_from_years,
            labels.age_group,
        ),
        "income": (
            thresholds.middle_income_from_dollars,
            thresholds.high_income_from_dollars,
            labels.income_group,
        ),
    }
    if values.name not in bands:
        codes, names = pd.factorize(values)
        return codes, [str(name) for name in names]
    *bounds, names = bands[values.name]
    numbers = values.to_numpy("float64", na_value=np.nan)
    return np.searchsorted(bounds, numbers, side="right"), names


def row(
    question: str,
    grouping: str,
    group_a: str,
    group_b: str,
    measure: str,
    unit: str,
    found: Estimate,
) -> dict:
    """One comparison of the active population, before all of them are judged together."""
    return {
        "question": question,
        "population": "active",
        "grouping": grouping,
        "group_a": group_a,
        "group_b": group_b,
        "measure": measure,
        "unit": unit,
        "n": found.n,
        "statistic": found.statistic,
        "effect_name": found.effect_name,
        "effect": found.effect,
        "effect_low": found.low,
        "effect_high": found.high,
        "p_value": found.p_value,
    }


def all_comparisons(
    customers: pd.DataFrame,
    labels: pd.DataFrame,
    department_lines: np.ndarray,
    customer_times: np.ndarray,
    names: pd.DataFrame,
    results: dict[str, pd.DataFrame],
    settings: Settings,
) -> dict[str, pd.DataFrame]:
    """Make every comparison of the report, and judge all of them together.

    `customers`, `labels` and the counts by department and time are those of the active customers,
    row by row. Returns the tables tests and department_lifts, and those of `results` that compare
    times, with q and verdict; nothing is compared where no customer is active.
    """
    if customers.empty:
        nothing = {"q_value": np.nan, "verdict": statistics.UNDECIDED, "for_headline": "no"}
        return {
            "tests": pd.DataFrame(columns=TESTS),
            "department_lifts": pd.DataFrame(columns=TESTS),
            "spend_by_time": results["spend_by_time"].assign(**nothing),
            "department_times": results["department_times"].assign(**nothing),
        }
    departments = list(names["department"].astype("str"))
    counts = customers, department_lines, customer_times, departments, settings
    values, sums = measures(*counts), customer_sums(*counts)
    resampled = resampled_sums(sums, customers, labels, settings)
    of_times = {name: ("share of orders", name, "orders") for name in time_names(settings)}
    lifts = {name: (LIFT, lines_of(name), "lines") for name in departments}
    redundant = results["redundancy"].query("redundant == 'yes'")
    parts = {
        "tests": pd.concat(
            [
                association_tests(labels, settings),
                overall_tests(values, labels, settings),
                ratio_tests(RATIOS | of_times, sums, resampled, labels, settings),
                *(
                    within_tests(
                        values,
                        customers,
                        labels,
                        told.attribute,
                        told.determined_by.split(", "),
                        settings,
                    )
                    for told in redundant.itertuples()
                    if told.attribute in labels
                ),
            ],
            ignore_index=True,
        ),
        "department_lifts": ratio_tests(lifts, sums, resampled, labels, settings),
        "spend_by_time": _as_ratios(results["spend_by_time"], "order_value_ratio", len(customers)),
        "department_times": _as_ratios(results["department_times"], "lift", len(customers)),
    }
    judged = judge(pd.concat(parts, names=["table"]), settings)
    made = {name: judged.loc[name].reset_index(drop=True) for name in parts}
    for name in ("spend_by_time", "department_times"):
        made[name] = results[name].assign(
            **{column: made[name][column] for column in ("q_value", "verdict", "for_headline")}
        )
    return made


def _as_ratios(table: pd.DataFrame, ratio: str, customers: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "effect_name": "ratio",
            "effect": table[ratio],
            "effect_low": table[f"{ratio}_low"],
            "effect_high": table[f"{ratio}_high"],
            "p_value": table["p_value"],
            "n": customers,
        }
    )


def judge(comparisons: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Give ALL comparisons of the report together their q and their verdict.

    A false discovery rate lets a few in a hundred claims be false, and a headline picks the most
    extreme of many. So `for_headline` is yes only where the verdict is small, medium or large and
    the difference survives Bonferroni's correction over all comparisons of the report. For the
    ratio of one group that is asked of the overall test of its grouping and measure, which goes by
    ranks, so that a few heavy customers cannot carry a headline; its own verdict says which way.
    """
    effects = settings.statistics.effects.model_dump()
    judged = comparisons.assign(q_value=statistics.false_discovery(comparisons["p_value"]))
    limits = judged[["effect_name", "effect", "effect_low", "effect_high"]].to_numpy()
    judged["verdict"] = [
        statistics.verdict(
            *each, q, thresholds=effects, significance=settings.statistics.significance
        )
        for each, q in zip(limits, judged["q_value"], strict=True)
    ]
    strict = settings.statistics.significance / max(1, judged["p_value"].notna().sum())
    asked = _of_overall_test(judged).fillna(judged["p_value"])
    stands = judged["verdict"].isin(statistics.LABELS) & (asked < strict)
    judged["for_headline"] = np.where(stands, "yes", "no")
    needed = [
        statistics.customers_to_decide(*each, n, thresholds=effects)
        if verdict == statistics.UNDECIDED
        else None
        for each, n, verdict in zip(limits, judged["n"], judged["verdict"], strict=True)
    ]
    return judged.assign(customers_to_decide=pd.array(needed, dtype="Int64"))[TESTS]


def _of_overall_test(judged: pd.DataFrame) -> pd.Series:
    """The p-value of the overall test of each comparison's grouping and measure, or NaN."""
    is_lift = judged["unit"] == LIFT
    measure = judged["measure"].where(~is_lift, share_of(judged["measure"]))
    keys = pd.MultiIndex.from_arrays([judged["grouping"], measure])
    overall = pd.Series(judged["p_value"].to_numpy(), keys)[
        (judged["effect_name"] != "ratio").to_numpy()
    ]
    return pd.Series(overall.reindex(keys).to_numpy(), judged.index)


def conclusions_under(
    customers: pd.DataFrame, values: Mapping[str, np.ndarray], relabel, settings: Settings
):
    """Return a function from settings to the verdicts that the labels under them lead to.

    `relabel(customers, settings)` labels all customers anew; `values` are their measures. Each
    grouping that a threshold cuts is tested on the measures that the findings rest on.
    """
    measured = [
        name
        for name in (
            "mean_order_value",
            "mean_item_price",
            "share of snacks",
            "share of meat seafood",
        )
        if name in values
    ]
    effects = settings.statistics.effects.model_dump()
    ordered = {measure: statistics.Ordered.of(values[measure]) for measure in measured}
    known: dict[tuple, str] = {}

    def conclude(changed: Settings) -> dict[tuple[str, str], str]:
        labels = relabel(customers, changed)
        active = is_active(labels, changed)
        found = {}
        for grouping in ("loyalty_flag", "age_group", "income_group"):
            codes, _ = codes_of(labels, grouping, changed.labels.missing)
            codes = np.where(active, codes, -1)
            for measure in measured:
                key = measure, hashlib.sha256(codes).digest()
                if key not in known:
                    estimate = statistics.epsilon_squared(
                        ordered[measure], codes, settings.statistics.confidence
                    )
                    known[key] = statistics.verdict(
                        estimate.effect_name,
                        estimate.effect,
                        estimate.low,
                        estimate.high,
                        estimate.p_value,
                        thresholds=effects,
                        significance=settings.statistics.significance,
                    )
                found[grouping, measure] = known[key]
        return found

    return conclude


def verdict_counts(tests: pd.DataFrame) -> pd.DataFrame:
    """How many comparisons of each grouping came to each verdict."""
    order = [statistics.NO_DIFFERENCE, "small", "medium", "large", statistics.UNDECIDED]
    table = pd.crosstab([tests["question"], tests["grouping"]], tests["verdict"])
    table = table.reindex(columns=order, fill_value=0)
    return table.assign(tests=table.sum(axis=1)).rename_axis(columns=None).reset_index()
