"""Q5 to Q10: whether groups of customers differ, tested with one row per customer.

Lines of one customer resemble each other, so a test that takes lines as independent rejects nearly
every true null (D-09). Every comparison gives its effect first, then its interval, then p, then q.
A group is compared with the others: once as it is, and once more at equal income or, where the
number of orders makes the group, over orders of the same numbers (D-44).
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
    HABITS,
    LIFT,
    OF_ORDERS,
    RATIOS,
    Measures,
    at_equal_income,
    commonest,
    customer_sums,
    income_bands,
    lines_of,
    measures,
    time_names,
    unit_of,
)
from basket.analysis.order_sums import EARLY
from basket.analysis.statistics import Estimate, Split
from basket.analysis.totals import Counts
from basket.analysis.verdicts import BY_DEFINITION, COARSER, NO_DIFFERENCE, SIZES, UNDECIDED
from basket.analysis.where import where
from basket.project.settings import Settings

OTHERS = "others"
INCOME, INCOME_GROUP, LOYALTY = "income", "income_group", "loyalty_flag"
VERDICTS = [NO_DIFFERENCE, *SIZES, UNDECIDED]
RESTATED = {  # by the groups of a grouping that is made from them
    LOYALTY: {"orders", "median_days_between_orders", "mean_gap", "reorder_rate"},
    "segment": {"orders", "median_days_between_orders", "mean_gap", "reorder_rate"}
    | {"mean_lines_per_order", "mean_order_value"},
}
RATIO_OF_TIME = {"spend_by_time": "order_value_ratio", "department_times": "lift"}


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


def made_at_equal_income(settings: Settings) -> list[str]:
    """Name the groupings of people that are also compared at equal income."""
    tested = settings.tested().items()
    return [name for name, flag in tested if flag.describes_people and name != INCOME_GROUP]


def overall_tests(values: Measures, people: People, settings: Settings) -> pd.DataFrame:
    """Test for each grouping and measure whether its groups differ at all.

    Kruskal-Wallis with epsilon squared; between two groups, Cliff's delta. Habits are tested at
    equal income too: by each customer's rank among those in the same band of income.
    """
    coded = coded_groupings(people.labels, settings)
    bands, adjusted = income_bands(people, settings), made_at_equal_income(settings)

    def tests_of(measure: str) -> list[dict]:
        column = values[measure]()
        kinds = [("", column, coded)]
        if measure in HABITS:
            equal = {name: coded[name] for name in adjusted}
            kinds.append((INCOME, at_equal_income(column, bands), equal))
        rows = []
        for adjusted_for, numbers, groupings in kinds:
            ordered = statistics.Ordered.of(numbers)
            for grouping, (codes, names) in groupings.items():
                if (grouping, measure) == (LOYALTY, "orders"):
                    continue
                found, *sides = _overall(numbers, ordered, codes, names, settings)
                reason = _defined(grouping, measure, adjusted_for)
                reason = reason or coarser(grouping, measure, settings)
                said = {"adjusted_for": adjusted_for, "reason": reason}
                question = settings.flags[grouping].question
                rows.append(row(question, grouping, measure, found, *sides, **said))
        return rows

    with ThreadPoolExecutor(settings.limits.threads) as pool:
        tests = list(pool.map(tests_of, values))
    place = list(coded)
    return pd.DataFrame(
        sorted((of for rows in tests for of in rows), key=lambda of: place.index(of["grouping"]))
    )


def _overall(
    column: np.ndarray,
    ordered: statistics.Ordered,
    codes: np.ndarray,
    names: list[str],
    settings: Settings,
) -> tuple[Estimate, str, str]:
    """Test one grouping, and name its two groups if it has two."""
    confidence = settings.statistics.confidence
    present = [code for code in range(len(names)) if (codes == code).any()]
    if len(present) != 2:
        return statistics.epsilon_squared(ordered, codes, confidence), "", ""
    first, second = present
    found = statistics.cliffs_delta(column[codes == first], column[codes == second], confidence)
    return found, names[first], names[second]


def _defined(grouping: str, measure: str, adjusted_for: str) -> str:
    """Say that a measure only restates how the groups are defined; empty if it does not.

    Many orders within a year are short gaps, also between the first few of them, and leave more to
    reorder; an order of many lines is worth more.
    """
    restated = RESTATED.get(grouping, set())
    restates = measure == "mean_gap" if adjusted_for else True
    return BY_DEFINITION if restates and measure in restated else ""


def coarser(grouping: str, measure: str, settings: Settings) -> str:
    """Give the reason why shares of groups made from habits are not compared by ranks, else "".

    Customers with few orders more often have a share of 0 of anything rare, and their commonest
    time is noisier. Such groups differ in numbers of orders, so their ranks differ even where
    their habits do not; the groups' ratios are unaffected.
    """
    is_made_of_habits = not settings.flags[grouping].describes_people
    return COARSER if is_made_of_habits and measure not in HABITS else ""


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


def commonest_tests(people: People, settings: Settings) -> pd.DataFrame:
    """Test whether groups differ in the time and department that most customers of each prefer."""
    rows = []
    for measure, chosen in commonest(people, settings).items():
        for grouping, (codes, names) in coded_groupings(people.labels, settings).items():
            counts = np.zeros((len(names), chosen.max(initial=0) + 1), np.int64)
            np.add.at(counts, (codes[codes >= 0], chosen[codes >= 0]), 1)
            found = statistics.cramers_v(counts, settings.statistics.confidence)
            question = settings.flags[grouping].question
            reason = coarser(grouping, measure, settings)
            rows.append(row(question, grouping, measure, found, reason=reason))
    return pd.DataFrame(rows)


Splits = dict[tuple[str, str], tuple[Split, list[str]]]  # by grouping and what is held equal


def splits(people: People, bands: np.ndarray, settings: Settings) -> Splits:
    """Put the customers in order of their groups, for each grouping and what is held equal.

    `bands` are their `income_bands`.
    """
    coded = coded_groupings(people.labels, settings)
    size = int(bands.max(initial=-1)) + 1
    known = bands >= 0
    weights = np.bincount(bands[known], people.customers["orders"].to_numpy()[known], size)
    found = {}
    for grouping, (codes, names) in coded.items():
        found[grouping, ""] = Split.of(codes, len(names)), names
        if grouping == LOYALTY:
            found[grouping, equal_orders(settings)] = found[grouping, ""]
    for grouping in made_at_equal_income(settings) if size else ():
        codes, names = coded[grouping]
        fewest = settings.privacy.smallest_group
        found[grouping, INCOME] = Split.of(codes, len(names), bands, weights, fewest), names
    return found


def equal_orders(settings: Settings) -> str:
    """Say which order numbers loyalty groups are compared over."""
    first, last = settings.statistics.equal_order_numbers
    return f"orders {first} to {last}"


def sums_of(measure: str, adjusted_for: str = "") -> tuple[str, str]:
    """Name the sums above and below the line of a ratio."""
    if measure == "spend_per_customer":
        return "spend_cents", "customers"
    if measure.startswith("orders "):
        return measure, "orders"
    if measure not in RATIOS:
        return lines_of(measure), "lines"
    above, below = RATIOS[measure]
    early = EARLY if adjusted_for.startswith("orders ") else ""
    return early + above, early + below


def ratio_tests(
    names: list[str], unit: str, sums: Mapping[str, np.ndarray], split: Splits, settings: Settings
) -> pd.DataFrame:
    """Compare each group's ratio of each measure with the others', as a ratio again."""
    limits = settings.statistics

    def tests_of(measure: str) -> list[dict]:
        found = []
        for (grouping, adjusted_for), (sides, groups) in split.items():
            if not _is_asked(grouping, adjusted_for, measure):
                continue
            above, below = sums_of(measure, adjusted_for)
            ratios = sides.compare(sums[above], sums[below], limits.confidence)
            reason = ratios.reason(limits)
            defined = _defined(grouping, measure, adjusted_for)
            question = settings.flags[grouping].question
            no_ratio = statistics.no_estimate("ratio", 0)
            sizes = split[grouping, ""][0].sizes[:, 0]
            columns = {
                **row(question, grouping, measure, no_ratio, adjusted_for=adjusted_for),
                "group_a": np.array(groups, object),
                "group_b": OTHERS,
                "unit": unit or unit_of(measure),
                "n": sizes,
                "effect": ratios.ratio,
                "effect_low": ratios.low,
                "effect_high": ratios.high,
                "p_value": ratios.p_value,
                "covered": sides.covered if adjusted_for == INCOME else np.nan,
                "effective_customers": ratios.effective_customers,
                "largest_share": ratios.largest_share,
                "customers_behind": ratios.customers,
                "reason": np.array([defined] * len(groups)) if defined else reason,
            }
            present = np.flatnonzero(sizes)
            found += [
                {name: each[place] if np.ndim(each) else each for name, each in columns.items()}
                for place in present
            ]
        return found

    with ThreadPoolExecutor(settings.limits.threads) as pool:
        found = [each for rows in pool.map(tests_of, names) for each in rows]
    place = {grouping: number for number, (grouping, _) in enumerate(split)}
    return pd.DataFrame(sorted(found, key=lambda each: place[each["grouping"]]))


def _is_asked(grouping: str, adjusted_for: str, measure: str) -> bool:
    """Whether a measure is compared: orders of the same numbers only by habits; all by income."""
    if measure == "spend_per_customer":
        return grouping == "profile" and not adjusted_for
    return adjusted_for in ("", INCOME) or measure in RATIOS


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
        for measure in HABITS:
            found = statistics.epsilon_squared(
                values[measure]()[chosen], codes[chosen], settings.statistics.confidence
            )
            question = settings.flags[redundant].question or ""
            rows.append(row(question, f"{redundant} within {name}", measure, found))
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
    adjusted_for: str = "",
    reason: str = "",
) -> dict:
    """Describe one comparison of the active population, before all are judged together.

    The unit is that of the measure, if none is given. A `reason` says why nothing follows.
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
        "adjusted_for": adjusted_for,
        "covered": np.nan,
        "effective_customers": np.nan,
        "largest_share": np.nan,
        "customers_behind": np.nan,
        "reason": reason,
    }


def judge(
    counts: Counts, results: Mapping[str, pd.DataFrame], settings: Settings
) -> dict[str, pd.DataFrame]:
    """Make every comparison of the report among active customers, and judge them together.

    `results` holds spend_by_time, department_times and redundancy. Returns the tables tests,
    department_lifts and verdict_counts, and those of `results` that compare times, with q and
    verdict; nothing is compared where no customer is active.
    """
    people = counts.active_people.by_id()
    times = {name: results[name] for name in RATIO_OF_TIME}
    if people.customers.empty:
        nothing = {"q_value": np.nan, "verdict": UNDECIDED, "for_headline": "no"}
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
        name: _as_ratios(table, RATIO_OF_TIME[name], len(people.customers))
        for name, table in times.items()
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
    split = splits(people, income_bands(people, settings), settings)
    habits = [*RATIOS, "spend_per_customer"]
    tests = [
        association_tests(people.labels, settings),
        overall_tests(values, people, settings),
        commonest_tests(people, settings),
        ratio_tests(habits, "", sums, split, settings),
        ratio_tests(time_names(settings), OF_ORDERS, sums, split, settings),
        *(
            within_tests(values, people, row.attribute, row.determined_by, settings)
            for row in redundant.itertuples()
            if row.attribute in people.labels
        ),
    ]
    return {
        "tests": pd.concat(tests, ignore_index=True),
        "department_lifts": ratio_tests(list(people.departments), LIFT, sums, split, settings),
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
            "reason": table.get("reason", ""),
        }
    )


def verdict_counts(tests: pd.DataFrame) -> pd.DataFrame:
    """Count how many comparisons of each grouping came to each verdict, of those that compare."""
    tests = tests[~tests["reason"].isin([BY_DEFINITION, COARSER])]
    table = pd.crosstab([tests["question"], tests["grouping"]], tests["verdict"])
    table = table.reindex(columns=VERDICTS, fill_value=0)
    return table.assign(tests=table.sum(axis=1)).rename_axis(columns=None).reset_index()
