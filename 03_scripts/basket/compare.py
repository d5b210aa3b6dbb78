"""Q5 to Q10: whether groups of customers differ, tested with one row per customer.

Lines of one customer resemble each other, so a test that takes lines as independent rejects nearly
every true null (D-09). Every comparison gives its effect first, then its interval, then p, then q.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from basket import stats
from basket.measure import GROUPINGS, is_active
from basket.settings import Settings
from basket.stats import Estimate

TESTS = ["question", "population", "grouping", "group_a", "group_b", "measure", "unit", "n",
         "statistic", "effect_name", "effect", "effect_low", "effect_high", "p_value", "q_value",
         "verdict", "customers_to_decide"]
QUESTION_OF = {"loyalty_flag": "Q6", "region": "Q7", "age_group": "Q8", "family_status": "Q8",
               "income_group": "Q9", "gender": "Q9", "n_dependants": "Q9", "profile": "Q10"}
DEMOGRAPHIC = ("region", "age_group", "family_status", "income_group", "gender", "n_dependants",
               "profile")
RATIOS = {  # measure of a group: unit, numerator, denominator
    "mean_order_value": ("US dollars an order", "spend_cents", "orders"),
    "mean_lines_per_order": ("order lines an order", "lines", "orders"),
    "mean_item_price": ("US dollars an item", "spend_cents", "priced_lines"),
    "reorder_rate": ("share of order lines", "reordered_lines", "lines"),
}
TOTALS = ["spend_cents", "orders", "lines", "priced_lines", "reordered_lines"]


def measures(customers: pd.DataFrame, department_lines: np.ndarray, customer_times: np.ndarray,
             departments: list[str], settings: Settings) -> pd.DataFrame:
    """One row per customer: each measure of ordering habits, and each department's share of lines.

    `customer_times` are the customer's orders by daypart and, last, at the weekend. A measure that
    a customer cannot have (no priced line, no gap) is NaN.
    """
    lines = customers["lines"].to_numpy("float64")
    priced = customers["priced_lines"].to_numpy("float64")
    orders = customers["orders"].to_numpy("float64")
    spend = customers["spend_cents"].to_numpy("float64") / 100
    habits = pd.DataFrame({
        "orders": orders,
        "mean_order_value": spend / orders,
        "mean_lines_per_order": lines / orders,
        "mean_item_price": spend / np.where(priced == 0, np.nan, priced),
        "median_days_between_orders": customers["median_days_between_orders"].to_numpy(),
        "reorder_rate": customers["reordered_lines"].to_numpy() / lines,
    })
    timing = pd.DataFrame(customer_times / orders[:, None], columns=[
        *(f"orders in the {name.lower()}" for name in settings.dayparts), "orders at the weekend"])
    shares = pd.DataFrame(department_lines / lines[:, None],
                          columns=[f"share of {name}" for name in departments])
    return pd.concat([habits, timing, shares], axis="columns")


UNITS = {"orders": "orders", "mean_order_value": "US dollars an order",
         "mean_lines_per_order": "order lines an order", "mean_item_price": "US dollars an item",
         "median_days_between_orders": "days", "reorder_rate": "share of order lines"}


def unit_of(measure: str) -> str:
    """Unit of a measure."""
    return UNITS.get(measure, "share of orders" if measure.startswith("orders ")
                     else "share of order lines")


def codes_of(labels: pd.DataFrame, grouping: str, missing: str) -> tuple[np.ndarray, list[str]]:
    """Code of each customer's group, -1 where missing, and the names of the groups."""
    names = [name for name in labels[grouping].cat.categories if name != missing]
    codes = labels[grouping].cat.set_categories(names).cat.codes.to_numpy().astype(np.int64)
    return codes, names


def overall_tests(values: pd.DataFrame, labels: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """One test per grouping and measure: do its groups differ at all?

    Kruskal-Wallis with epsilon squared; between two groups, Cliff's delta.
    """
    jobs = [(grouping, measure) for grouping in QUESTION_OF for measure in values
            if not (grouping == "loyalty_flag" and measure == "orders")]
    coded = {grouping: codes_of(labels, grouping, settings.labels.missing)
             for grouping in QUESTION_OF}

    def test(job: tuple[str, str]) -> dict:
        grouping, measure = job
        codes, names = coded[grouping]
        column = values[measure].to_numpy()
        present = [code for code in range(len(names)) if (codes == code).any()]
        pair = len(present) == 2
        if pair:
            first, second = present
            found = stats.cliffs_delta(column[codes == first], column[codes == second],
                                       settings.statistics.confidence)
        else:
            found = stats.epsilon_squared(column, codes, settings.statistics.confidence)
        return row(QUESTION_OF[grouping], grouping, names[present[0]] if pair else "",
                   names[present[1]] if pair else "", measure,
                   unit_of(measure), found)

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
        rows.append(row("Q5", grouping, "", "", "loyalty_flag", "customers",
                        stats.cramers_v(counts, settings.statistics.confidence)))
    return pd.DataFrame(rows)


def resampled_sums(customers: pd.DataFrame, department_lines: np.ndarray, labels: pd.DataFrame,
                   settings: Settings) -> stats.Resampled:
    """Bootstrap of customers: totals (as TOTALS) and then lines by department, of every group.

    Customers are drawn in the order of their ids, so that the number of parts changes nothing.
    """
    by_id = np.argsort(customers["user_id"].to_numpy())
    columns = np.column_stack([customers[TOTALS].to_numpy("float64"), department_lines])[by_id]
    groupings = {grouping: codes_of(labels, grouping, settings.labels.missing)[0][by_id]
                 for grouping in GROUPINGS}
    return stats.bootstrap_sums(
        columns, groupings, resamples=settings.statistics.resamples, seed=settings.seed,
        threads=settings.limits.threads)


def ratio_tests(resampled: stats.Resampled, labels: pd.DataFrame,
                settings: Settings) -> pd.DataFrame:
    """How each group's means compare with those of all customers, as a ratio."""
    rows = []
    place = {name: number for number, name in enumerate(TOTALS)}
    for grouping, question in QUESTION_OF.items():
        _, names = codes_of(labels, grouping, settings.labels.missing)
        sizes = labels[grouping].value_counts()
        for measure, (unit, above, below) in RATIOS.items():
            ratios = _against_everyone(resampled, grouping, place[above], place[below])
            for number, name in enumerate(names[:ratios.shape[1]]):
                if sizes[name]:
                    found = stats.ratio_interval(ratios[:, number], int(sizes[name]),
                                                 settings.statistics.confidence)
                    rows.append(row(question, grouping, name, "all customers", measure, unit, found))
    return pd.DataFrame(rows)


def department_lifts(resampled: stats.Resampled, labels: pd.DataFrame, departments: list[str],
                     settings: Settings) -> pd.DataFrame:
    """Lift of each department in each group: its share of the group's lines over that of all."""
    rows = []
    lines = TOTALS.index("lines")
    for grouping, question in QUESTION_OF.items():
        _, names = codes_of(labels, grouping, settings.labels.missing)
        sizes = labels[grouping].value_counts()
        for number, department in enumerate(departments):
            ratios = _against_everyone(resampled, grouping, len(TOTALS) + number, lines)
            for group, name in enumerate(names[:ratios.shape[1]]):
                if sizes[name]:
                    found = stats.ratio_interval(ratios[:, group], int(sizes[name]),
                                                 settings.statistics.confidence)
                    rows.append(row(question, grouping, name, "all customers", department,
                                    "lift of the share of order lines", found))
    return pd.DataFrame(rows)


def _against_everyone(resampled: stats.Resampled, grouping: str, above: int, below: int
                      ) -> np.ndarray:
    sums = resampled.groups[grouping]
    with np.errstate(divide="ignore", invalid="ignore"):
        group = sums[..., above] / sums[..., below]
        everyone = resampled.everyone[:, above] / resampled.everyone[:, below]
        return group / everyone[:, None]


def within_tests(values: pd.DataFrame, customers: pd.DataFrame, labels: pd.DataFrame,
                 redundant: str, within: list[str], settings: Settings) -> pd.DataFrame:
    """Test a redundant attribute where it still can differ: within groups of what determines it.

    Each stratum (a band of age or income, a number of dependants) is tested by itself, on the
    ordering habits: strata differ in size and in what is usual, so their ranks cannot be pooled.
    Strata in which only one group is large enough to be published say nothing and are left out.
    """
    rows = []
    codes, _ = codes_of(labels, redundant, settings.labels.missing)
    strata = np.column_stack([_stratum(customers[name], settings) for name in within])
    for stratum in np.unique(strata, axis=0):
        inside = (strata == stratum).all(axis=1)
        sizes = np.bincount(codes[inside & (codes >= 0)], minlength=1)
        kept = np.flatnonzero(sizes >= settings.privacy.smallest_group)
        if len(kept) < 2:
            continue
        chosen = inside & np.isin(codes, kept)
        name = ", ".join(f"{attribute} {_stratum_name(attribute, number, settings)}"
                         for attribute, number in zip(within, stratum, strict=True))
        for measure in UNITS:
            found = stats.epsilon_squared(values[measure].to_numpy()[chosen], codes[chosen],
                                          settings.statistics.confidence)
            rows.append(row("Q8", f"{redundant} within {name}", "", "", measure, unit_of(measure),
                            found))
    return pd.DataFrame(rows)


def _stratum_name(attribute: str, number: int, settings: Settings) -> str:
    bands = {"age": settings.labels.age_group, "income": settings.labels.income_group}
    return bands[attribute][number] if attribute in bands else str(number)


def _stratum(values: pd.Series, settings: Settings) -> np.ndarray:
    """Number of the stratum of each customer; ages and incomes in the bands of settings."""
    thresholds = settings.thresholds
    bounds = {"age": [thresholds.middle_age_from_years, thresholds.older_age_from_years],
              "income": [thresholds.middle_income_from_dollars,
                         thresholds.high_income_from_dollars]}.get(values.name)
    if bounds is not None:
        return np.searchsorted(bounds, values.to_numpy("float64", na_value=np.nan), side="right")
    return values.to_numpy() if pd.api.types.is_numeric_dtype(values) else pd.factorize(values)[0]


def row(question: str, grouping: str, group_a: str, group_b: str, measure: str, unit: str,
        found: Estimate) -> dict:
    """One comparison of the active population, before all of them are judged together."""
    return {"question": question, "population": "active", "grouping": grouping, "group_a": group_a,
            "group_b": group_b, "measure": measure, "unit": unit, "n": found.n,
            "statistic": found.statistic, "effect_name": found.effect_name, "effect": found.effect,
            "effect_low": found.low, "effect_high": found.high, "p_value": found.p_value}


def all_comparisons(
    customers: pd.DataFrame, values: pd.DataFrame, labels: pd.DataFrame,
    department_lines: np.ndarray, names: pd.DataFrame, results: dict[str, pd.DataFrame],
    settings: Settings,
) -> dict[str, pd.DataFrame]:
    """Make every comparison of the report, and judge all of them together.

    `customers`, `values`, `labels` and `department_lines` are those of the active customers, row by
    row. Returns the tables tests and department_lifts, and those of `results` that compare times,
    with q and verdict.
    """
    departments = list(names["department"].astype("str"))
    resampled = resampled_sums(customers, department_lines, labels, settings)
    redundant = results["redundancy"].query("redundant == 'yes'")
    parts = {
        "tests": pd.concat([
            association_tests(labels, settings), overall_tests(values, labels, settings),
            ratio_tests(resampled, labels, settings),
            *(within_tests(values, customers, labels, told.attribute, told.determined_by.split(", "),
                           settings)
              for told in redundant.itertuples() if told.attribute in labels),
        ], ignore_index=True),
        "department_lifts": department_lifts(resampled, labels, departments, settings),
        "spend_by_time": _as_ratios(results["spend_by_time"], "order_value_ratio", len(customers)),
        "department_times": _as_ratios(results["department_times"], "lift", len(customers)),
    }
    judged = judge(pd.concat(parts, names=["table"]), settings)
    made = {name: judged.loc[name].reset_index(drop=True) for name in parts}
    for name in ("spend_by_time", "department_times"):
        made[name] = results[name].assign(q_value=made[name]["q_value"],
                                          verdict=made[name]["verdict"])
    return made


def _as_ratios(table: pd.DataFrame, ratio: str, customers: int) -> pd.DataFrame:
    return pd.DataFrame({
        "effect_name": "ratio", "effect": table[ratio], "effect_low": table[f"{ratio}_low"],
        "effect_high": table[f"{ratio}_high"], "p_value": table["p_value"], "n": customers})


def judge(comparisons: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Give ALL comparisons of the report together their q and their verdict."""
    effects = settings.statistics.effects.model_dump()
    judged = comparisons.assign(q_value=stats.false_discovery(comparisons["p_value"]))
    limits = judged[["effect_name", "effect", "effect_low", "effect_high"]].to_numpy()
    judged["verdict"] = [
        stats.verdict(*each, q, thresholds=effects, significance=settings.statistics.significance)
        for each, q in zip(limits, judged["q_value"], strict=True)
    ]
    needed = [
        stats.customers_to_decide(*each, n, thresholds=effects) if verdict == stats.UNDECIDED
        else None
        for each, n, verdict in zip(limits, judged["n"], judged["verdict"], strict=True)
    ]
    return judged.assign(customers_to_decide=pd.array(needed, dtype="Int64"))[TESTS]


def conclusions_under(customers: pd.DataFrame, values: pd.DataFrame, relabel, settings: Settings):
    """Return a function from settings to the verdicts that the labels under them lead to.

    `relabel(customers, settings)` labels all customers anew; `values` are their measures. Each
    grouping that a threshold cuts is tested on the measures that the findings rest on.
    """
    measured = [name for name in ("mean_order_value", "mean_item_price", "share of snacks",
                                  "share of meat seafood") if name in values]
    effects = settings.statistics.effects.model_dump()
    known: dict[tuple, str] = {}

    def conclude(changed: Settings) -> dict[tuple[str, str], str]:
        labels = relabel(customers, changed)
        active = is_active(labels, changed)
        found = {}
        for grouping in ("loyalty_flag", "age_group", "income_group"):
            codes, _ = codes_of(labels, grouping, changed.labels.missing)
            codes = codes[active]
            for measure in measured:
                key = (measure, codes.tobytes())
                if key not in known:
                    estimate = stats.epsilon_squared(
                        values[measure].to_numpy()[active], codes, settings.statistics.confidence)
                    known[key] = stats.verdict(
                        estimate.effect_name, estimate.effect, estimate.low, estimate.high,
                        estimate.p_value, thresholds=effects,
                        significance=settings.statistics.significance)
                found[grouping, measure] = known[key]
        return found

    return conclude


def verdict_counts(tests: pd.DataFrame) -> pd.DataFrame:
    """How many comparisons of each grouping came to each verdict."""
    order = [stats.NO_DIFFERENCE, "small", "medium", "large", stats.UNDECIDED]
    table = pd.crosstab([tests["question"], tests["grouping"]], tests["verdict"])
    table = table.reindex(columns=order, fill_value=0)
    return table.assign(tests=table.sum(axis=1)).rename_axis(columns=None).reset_index()
