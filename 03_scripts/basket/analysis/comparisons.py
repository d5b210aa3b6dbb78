"""Q5 to Q10: whether groups of customers differ, tested with one row per customer.

Lines of one customer resemble each other, so a test that takes lines as independent rejects nearly
every true null (D-09). Every comparison gives its effect first, then its interval, then p, then q.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pandas as pd

from basket.analysis import statistics
from basket.analysis.flags import label
from basket.analysis.groups import People
from basket.analysis.measures import (
    LIFT,
    OF_ORDERS,
    UNITS,
    Measures,
    Sums,
    customer_sums,
    lines_of,
    measures,
    time_names,
    unit_of,
)
from basket.analysis.statistics import Estimate
from basket.analysis.totals import Counts
from basket.analysis.where import where
from basket.project.settings import Settings

RATIOS = {  # measure of a group: unit, numerator, denominator
    "mean_order_value": ("US dollars an order", "spend_cents", "orders"),
    "mean_lines_per_order": ("order lines an order", "lines", "orders"),
    "mean_item_price": ("US dollars an item", "spend_cents", "priced_lines"),
    "reorder_rate": ("share of order lines", "reordered_lines", "lines"),
}


def codes_of(labels: pd.DataFrame, grouping: str, missing: str) -> tuple[np.ndarray, list[str]]:
    """Code the group of each customer, -1 where missing, and name the groups."""
    names = [name for name in labels[grouping].cat.categories if name != missing]
    return labels[grouping].cat.set_categories(names).cat.codes.to_numpy(), names


def coded_groupings(
    labels: pd.DataFrame, settings: Settings
) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Code the customers by each tested grouping, as `codes_of` does."""
    return {
        grouping: codes_of(labels, grouping, settings.labels.missing)
        for grouping in settings.tested()
    }


def overall_tests(values: Measures, labels: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Test for each grouping and measure whether its groups differ at all.

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
        sides = [names[code] for code in present] if pair else ["", ""]
        return row(settings.flags[grouping].question, grouping, measure, found, *sides)

    def tests_of(measure: str) -> dict[str, dict]:
        column = values[measure]()
        ordered = statistics.Ordered.of(column)
        return {
            grouping: test(grouping, measure, column, ordered)
            for grouping in coded
            if not (grouping == "loyalty_flag" and measure == "orders")
        }

    with ThreadPoolExecutor(settings.limits.threads) as pool:
        tests = list(pool.map(tests_of, values))
    return pd.DataFrame([of[grouping] for grouping in coded for of in tests if grouping in of])


def association_tests(labels: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Test whether loyalty goes with who people are: Cramér's V of customers by two attributes."""
    rows = []
    loyalty, _ = codes_of(labels, "loyalty_flag", settings.labels.missing)
    for grouping, flag in settings.tested().items():
        if not flag.describes_people:
            continue
        codes, names = codes_of(labels, grouping, settings.labels.missing)
        known = (loyalty >= 0) & (codes >= 0)
        counts = np.zeros((int(loyalty.max()) + 1, len(names)), np.int64)
        np.add.at(counts, (loyalty[known], codes[known]), 1)
        found = statistics.cramers_v(counts, settings.statistics.confidence)
        rows.append(row("Q5", grouping, "loyalty_flag", found, unit="customers"))
    return pd.DataFrame(rows)


def resampled_sums(sums: Sums, people: People, settings: Settings) -> statistics.Resampled:
    """Resample customers: every column of `sums`, of all and of every group.

    Customers are drawn in the order of their ids, so that the number of parts changes nothing.
    """
    by_id = np.argsort(people.customers["user_id"].to_numpy()).astype(np.int32)
    coded = coded_groupings(people.labels, settings)
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
    """Compare each group's ratios with those of all customers, as a ratio again.

    `ratios` gives the unit, the column above and the column below of each measure.
    """
    rows = []
    place = {name: number for number, name in enumerate(sums.columns)}
    coded = coded_groupings(labels, settings)
    groupings = {grouping: codes for grouping, (codes, _) in coded.items()}

    def test(each: tuple[str, str, str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return statistics.permutation_tests(sums.columns[each[1]], sums.columns[each[2]], groupings)

    with ThreadPoolExecutor(settings.limits.threads) as pool:
        tested = list(pool.map(test, ratios.values()))
    for grouping, (codes, names) in coded.items():
        sizes = np.bincount(codes[codes >= 0], minlength=len(names))
        for (measure, (unit, above, below)), found in zip(ratios.items(), tested, strict=True):
            drawn = _against_everyone(resampled, grouping, place[above], place[below])
            z, p_values = found[grouping]
            for group in np.flatnonzero(sizes):
                ratio = statistics.ratio_interval(
                    drawn[:, group],
                    sizes[group],
                    z[group],
                    p_values[group],
                    settings.statistics.confidence,
                )
                sides = names[group], "all customers"
                question = settings.flags[grouping].question
                rows.append(row(question, grouping, measure, ratio, *sides, unit=unit))
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
    values: Measures, people: People, redundant: str, determined_by: str, settings: Settings
) -> pd.DataFrame:
    """Test a redundant attribute where it still can differ: within groups of what determines it.

    Each stratum (a band of age or income, a number of dependants) is tested by itself, on the
    ordering habits: strata differ in size and in what is usual, so their ranks cannot be pooled.
    Strata in which only one group is large enough to be published say nothing and are left out.
    """
    rows = []
    customers, within = people.customers, determined_by.split(", ")
    codes, _ = codes_of(people.labels, redundant, settings.labels.missing)
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
        name = ", ".join(map(" ".join, zip(within, stratum, strict=True)))
        for measure in UNITS:
            found = statistics.epsilon_squared(
                values[measure]()[chosen], codes[chosen], settings.statistics.confidence
            )
            rows.append(row("Q8", f"{redundant} within {name}", measure, found))
    return pd.DataFrame(rows)


def _strata(values: pd.Series, settings: Settings) -> tuple[np.ndarray, list[str]]:
    """Code and name the strata of customers; ages and incomes in the bands of settings."""
    banded = [flag for flag in settings.flags.values() if flag.bands and flag.describes_people]
    flag = next((flag for flag in banded if flag.source == values.name), None)
    if flag is None:
        codes, names = pd.factorize(values)
        return codes, [str(name) for name in names]
    return label(flag, {flag.source: values}, settings.labels.missing).codes, flag.labels


def row(
    question: str,
    grouping: str,
    measure: str,
    found: Estimate,
    group_a: str = "",
    group_b: str = "",
    *,
    unit: str = "",
) -> dict:
    """Describe one comparison of the active population, before all are judged together.

    The unit is that of the measure, if none is given.
    """
    return {
        "question": question,
        "population": "active",
        "grouping": grouping,
        "group_a": group_a,
        "group_b": group_b,
        "measure": measure,
        "unit": unit or unit_of(measure),
        "n": found.n,
        "statistic": found.statistic,
        "effect_name": found.effect_name,
        "effect": found.effect,
        "effect_low": found.low,
        "effect_high": found.high,
        "p_value": found.p_value,
    }


def judge(
    counts: Counts, results: Mapping[str, pd.DataFrame], settings: Settings
) -> dict[str, pd.DataFrame]:
    """Make every comparison of the report among active customers, and judge them together.

    `results` holds spend_by_time, department_times and redundancy. Returns the tables tests,
    department_lifts and verdict_counts, and those of `results` that compare times, with q and
    verdict; nothing is compared where no customer is active.
    """
    people = counts.active_people
    times = {name: results[name] for name in ("spend_by_time", "department_times")}
    if people.customers.empty:
        nothing = {"q_value": np.nan, "verdict": statistics.UNDECIDED, "for_headline": "no"}
        no_test = pd.DataFrame([row("", "", "", statistics.no_estimate("ratio", 0))])
        empty = statistics.judge_together(no_test, settings).head(0)
        judged_times = {name: table.assign(**nothing) for name, table in times.items()}
        return judged_times | {
            "tests": empty,
            "department_lifts": empty,
            "verdict_counts": verdict_counts(empty),
        }
    redundant = results["redundancy"][where(redundant="yes")]
    parts = _of_groups(people, redundant, settings) | {
        name: _as_ratios(table, ratio, len(people.customers))
        for (name, table), ratio in zip(times.items(), ("order_value_ratio", "lift"), strict=True)
    }
    judged = statistics.judge_together(pd.concat(parts, names=["table"]), settings)
    made = {name: judged.loc[name].reset_index(drop=True) for name in parts}
    for name, table in times.items():
        made[name] = table.assign(**made[name][["q_value", "verdict", "for_headline"]])
    return made | {"verdict_counts": verdict_counts(made["tests"])}


def _of_groups(
    people: People, redundant: pd.DataFrame, settings: Settings
) -> dict[str, pd.DataFrame]:
    """Compare groups of customers; `redundant` attributes also within what determines them."""
    values, sums = measures(people, settings), customer_sums(people, settings)
    resampled = resampled_sums(sums, people, settings)
    of_times = {name: (OF_ORDERS, name, "orders") for name in time_names(settings)}
    lifts = {name: (LIFT, lines_of(name), "lines") for name in people.departments}
    tests = [
        association_tests(people.labels, settings),
        overall_tests(values, people.labels, settings),
        ratio_tests(RATIOS | of_times, sums, resampled, people.labels, settings),
        *(
            within_tests(values, people, row.attribute, row.determined_by, settings)
            for row in redundant.itertuples()
            if row.attribute in people.labels
        ),
    ]
    return {
        "tests": pd.concat(tests, ignore_index=True),
        "department_lifts": ratio_tests(lifts, sums, resampled, people.labels, settings),
    }


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


def verdict_counts(tests: pd.DataFrame) -> pd.DataFrame:
    """Count how many comparisons of each grouping came to each verdict."""
    order = [statistics.NO_DIFFERENCE, "small", "medium", "large", statistics.UNDECIDED]
    table = pd.crosstab([tests["question"], tests["grouping"]], tests["verdict"])
    table = table.reindex(columns=order, fill_value=0)
    return table.assign(tests=table.sum(axis=1)).rename_axis(columns=None).reset_index()
