"""Q5 to Q10: whether groups of customers differ, tested with one row per customer.

Lines of one customer resemble each other, so a test that takes lines as independent rejects nearly
every true null (D-09). Every comparison gives its effect first, then its interval, then p, then q.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from basket import stats
from basket.measure import is_active
from basket.settings import Settings
from basket.stats import Estimate

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


def measures(
    customers: pd.DataFrame,
    department_lines: np.ndarray,
    customer_times: np.ndarray,
    departments: list[str],
    settings: Settings,
) -> pd.DataFrame:
    """One row per customer: each measure of ordering habits, and each department's share of lines.

    `customer_times` are the customer's orders by daypart and, last, at the weekend. A measure that
    a customer cannot have (no priced line, no gap) is NaN.
    """
    lines = customers["lines"].to_numpy("float64")
    priced = customers["priced_lines"].to_numpy("float64")
    orders = customers["orders"].to_numpy("float64")
    spend = customers["spend_cents"].to_numpy("float64") / 100
    habits = pd.DataFrame(
        {
            "orders": orders,
            "mean_order_value": spend / orders,
            "mean_lines_per_order": lines / orders,
            "mean_item_price": spend / np.where(priced == 0, np.nan, priced),
            "median_days_between_orders": customers["median_days_between_orders"].to_numpy(),
            "reorder_rate": customers["reordered_lines"].to_numpy() / lines,
        }
    )
    timing = pd.DataFrame(
        customer_times / orders[:, None],
        columns=[
            *(f"orders in the {name.lower()}" for name in settings.dayparts),
            "orders at the weekend",
        ],
    )
    shares = pd.DataFrame(
        department_lines / lines[:, None], columns=[share_of(name) for name in departments]
    )
    return pd.concat([habits, timing, shares], axis="columns")


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
    codes = labels[grouping].cat.set_categories(names).cat.codes.to_numpy().astype(np.int64)
    return codes, names


def coded_groupings(
    labels: pd.DataFrame, settings: Settings
) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Codes of the customers and names of the groups, as `codes_of`, of each tested grouping."""
    return {
        grouping: codes_of(labels, grouping, settings.labels.missing) for grouping in QUESTION_OF
    }


def overall_tests(values: pd.DataFrame, labels: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """One test per grouping and measure: do its groups differ at all?

    Kruskal-Wallis with epsilon squared; between two groups, Cliff's delta.
    """
    jobs = [
        (grouping, measure)
        for grouping in QUESTION_OF
        for measure in values
        if not (grouping == "loyalty_flag" and measure == "orders")
    ]
    ordered = {measure: stats.Ordered.of(column) for measure, column in values.items()}
    coded = coded_groupings(labels, settings)

    def test(job: tuple[str, str]) -> dict:
        grouping, measure = job
        codes, names = coded[grouping]
        present = [code for code in range(len(names)) if (codes == code).any()]
        pair = len(present) == 2
        if pair:
            first, second = present
            column = values[measure].to_numpy()
            found = stats.cliffs_delta(
                column[codes == first], column[codes == second], settings.statistics.confidence
            )
        else:
            found = stats.epsilon_squared(
                ordered[measure], codes, settings.statistics.confidence
            )
        return row(
            QUESTION_OF[grouping],
            grouping,
            names[present[0]] if pair else "",
            names[present[1]] if pair else "",
            measure,
            unit_of(measure),
            found,
        )

    with ThreadPoolExecutor(settings.limits.threads) as pool:
        return pd.DataFrame(list(pool.map(test, jobs)))


def association_tests(labels: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Does loyalty go with who people are? Cramér's V of customers by two attributes."""
    rows = []
    loyalty, _ = codes_of(labels, "loyalty_flag", settings.labels.missing)
    for grouping in DEMOGRAPHIC:
        codes, names = codes_of(labels, grouping, settings.labels.missing)
        known = (loyalty >= 0) & (codes >= 0)
        counts = np.zeros((loyalty.max() + 1, len(names)), np.int64)
        np.add.at(counts, (loyalty[known], codes[known]), 1)
        rows.append(
            row(
                "Q5",
                grouping,
                "",
                "",
                "loyalty_flag",
                "customers",
                stats.cramers_v(counts, settings.statistics.confidence),
            )
        )
    return pd.DataFrame(rows)


def customer_sums(
    customers: pd.DataFrame,
    values: pd.DataFrame,
    department_lines: np.ndarray,
    departments: list[str],
) -> pd.DataFrame:
    """What ratios are made of, a row per customer: totals, orders by time, lines by department."""
    orders = customers["orders"].to_numpy("float64")
    by_time = {name: np.rint(values[name].to_numpy() * orders) for name in times_of(values)}
    lines = {lines_of(name): department_lines[:, number] for number, name in enumerate(departments)}
    totals = {name: customers[name].to_numpy() for name in TOTALS}
    return pd.DataFrame(totals | by_time | lines, dtype="float64")


def times_of(values: pd.DataFrame) -> list[str]:
    """The measures that are shares of orders at some time."""
    return [name for name in values if unit_of(name) == "share of orders"]


def lines_of(department: str) -> str:
    """Name of the column of a department's lines."""
    return f"lines of {department}"


def resampled_sums(
    sums: pd.DataFrame, customers: pd.DataFrame, labels: pd.DataFrame, settings: Settings
) -> stats.Resampled:
    """Bootstrap of customers: every column of `sums`, of all and of every group.

    Customers are drawn in the order of their ids, so that the number of parts changes nothing.
    """
    by_id = np.argsort(customers["user_id"].to_numpy())
    coded = coded_groupings(labels, settings)
    groupings = {grouping: codes[by_id] for grouping, (codes, _) in coded.items()}
    return stats.bootstrap_sums(
        sums.to_numpy()[by_id],
        groupings,
        resamples=settings.statistics.resamples,
        seed=settings.seed,
        threads=settings.limits.threads,
    )


def ratio_tests(
    ratios: Mapping[str, tuple[str, str, str]],
    sums: pd.DataFrame,
    resampled: stats.Resampled,
    labels: pd.DataFrame,
    settings: Settings,
) -> pd.DataFrame:
    """How each group's ratios compare with those of all customers, as a ratio again.

    `ratios` gives the unit, the column above and the column below of each measure.
    """
    rows = []
    place = {name: number for number, name in enumerate(sums)}
    coded = coded_groupings(labels, settings)
    groupings = {grouping: codes for grouping, (codes, _) in coded.items()}

    def test(each: tuple[str, str, str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return stats.ratio_tests(sums[each[1]].to_numpy(), sums[each[2]].to_numpy(), groupings)

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
                    stats.ratio_interval(
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
    resampled: stats.Resampled, grouping: str, above: int, below: int
) -> np.ndarray:
    sums = resampled.groups[grouping]
    with np.errstate(divide="ignore", invalid="ignore"):
        group = sums[..., above] / sums[..., below]
        everyone = resampled.everyone[:, above] / resampled.everyone[:, below]
        return group / everyone[:, None]


def within_tests(
    values: pd.DataFrame,
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
    strata = np.array(
        list(zip(*(_strata(customers[name], settings) for name in within), strict=True))
    )
    for stratum in np.unique(strata[known], axis=0):
        inside = known & (strata == stratum).all(axis=1)
        sizes = np.bincount(codes[inside & (codes >= 0)], minlength=1)
        kept = np.flatnonzero(sizes >= settings.privacy.smallest_group)
        if len(kept) < 2:
            continue
        chosen = inside & np.isin(codes, kept)
        name = ", ".join(
            f"{attribute} {band}" for attribute, band in zip(within, stratum, strict=True)
        )
        for measure in UNITS:
            found = stats.epsilon_squared(
                values[measure].to_numpy()[chosen], codes[chosen], settings.statistics.confidence
            )
            rows.append(
                row("Q8", f"{redundant} within {name}", "", "", measure, unit_of(measure), found)
            )
    return pd.DataFrame(rows)


def _strata(values: pd.Series, settings: Settings) -> np.ndarray:
    """Name of the stratum of each customer; ages and incomes in the bands of settings."""
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
        return values.astype("str").to_numpy()
    *bounds, names = bands[values.name]
    numbers = values.to_numpy("float64", na_value=np.nan)
    return np.array(names)[np.searchsorted(bounds, numbers, side="right")]


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
    values: pd.DataFrame,
    labels: pd.DataFrame,
    department_lines: np.ndarray,
    names: pd.DataFrame,
    results: dict[str, pd.DataFrame],
    settings: Settings,
) -> dict[str, pd.DataFrame]:
    """Make every comparison of the report, and judge all of them together.

    `customers`, `values`, `labels` and `department_lines` are those of the active customers, row by
    row. Returns the tables tests and department_lifts, and those of `results` that compare times,
    with q and verdict; nothing is compared where no customer is active.
    """
    if customers.empty:
        nothing = {"q_value": np.nan, "verdict": stats.UNDECIDED, "for_headline": "no"}
        return {
            "tests": pd.DataFrame(columns=TESTS),
            "department_lifts": pd.DataFrame(columns=TESTS),
            "spend_by_time": results["spend_by_time"].assign(**nothing),
            "department_times": results["department_times"].assign(**nothing),
        }
    departments = list(names["department"].astype("str"))
    sums = customer_sums(customers, values, department_lines, departments)
    resampled = resampled_sums(sums, customers, labels, settings)
    of_times = {name: ("share of orders", name, "orders") for name in times_of(values)}
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
    judged = comparisons.assign(q_value=stats.false_discovery(comparisons["p_value"]))
    limits = judged[["effect_name", "effect", "effect_low", "effect_high"]].to_numpy()
    judged["verdict"] = [
        stats.verdict(*each, q, thresholds=effects, significance=settings.statistics.significance)
        for each, q in zip(limits, judged["q_value"], strict=True)
    ]
    strict = settings.statistics.significance / max(1, judged["p_value"].notna().sum())
    asked = _of_overall_test(judged).fillna(judged["p_value"])
    stands = judged["verdict"].isin(stats.LABELS) & (asked < strict)
    judged["for_headline"] = np.where(stands, "yes", "no")
    needed = [
        stats.customers_to_decide(*each, n, thresholds=effects)
        if verdict == stats.UNDECIDED
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


def conclusions_under(customers: pd.DataFrame, values: pd.DataFrame, relabel, settings: Settings):
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
    ordered = {measure: stats.Ordered.of(values[measure]) for measure in measured}
    known: dict[tuple, str] = {}

    def conclude(changed: Settings) -> dict[tuple[str, str], str]:
        labels = relabel(customers, changed)
        active = is_active(labels, changed)
        found = {}
        for grouping in ("loyalty_flag", "age_group", "income_group"):
            codes, _ = codes_of(labels, grouping, changed.labels.missing)
            codes = np.where(active, codes, -1)
            for measure in measured:
                key = (measure, codes.tobytes())
                if key not in known:
                    estimate = stats.epsilon_squared(
                        ordered[measure], codes, settings.statistics.confidence
                    )
                    known[key] = stats.verdict(
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
    order = [stats.NO_DIFFERENCE, "small", "medium", "large", stats.UNDECIDED]
    table = pd.crosstab([tests["question"], tests["grouping"]], tests["verdict"])
    table = table.reindex(columns=order, fill_value=0)
    return table.assign(tests=table.sum(axis=1)).rename_axis(columns=None).reset_index()
