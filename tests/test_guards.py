"""Does the analysis keep quiet where nothing is, and find what is there?

Whole analyses of small generated sets, in-process, through the package's own functions. Seeds and
counts stand in each test; `pytest -s` prints the rates. About 3 minutes on 2 processors.
"""

import json
import multiprocessing
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pytest

from basket.analysis import comparisons, finding, statistics
from basket.analysis.groups import group_shares
from basket.analysis.measures import HABITS
from basket.analysis.questions import group_halves, q02_spending, q07_region
from basket.analysis.totals import Counts, result_tables
from basket.synthetic.generate import Effects, fabricate_customers, generate
from basket.synthetic.shopping import real
from checkout import basket
from conftest import COMPARED, COUNTED, Run, run_stages

pytestmark = pytest.mark.slow

SMALL = 0.005  # of the customers: 1,031, of whom some 813 are active
LARGE = 0.1  # 20,621 customers
NULL_SEEDS = range(1, 41)
MUTANT_SEEDS = range(1, 11)
PLANTED_SEEDS = range(1, 21)
SHUFFLE_SEEDS = range(1, 4)

# Not family_status: it restates age and dependants. Not profile: it is made of the others.
DEMOGRAPHIC = ["region", "age_group", "income_group", "gender", "n_dependants"]
DEMOGRAPHIC_QUESTIONS = ["Q7", "Q8", "Q9", "Q10"]


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """Two processes to analyse data sets in."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        yield processes


def analysed(run: Run) -> tuple[dict[str, pd.DataFrame], list[dict]]:
    """Give the result tables and the findings of stage 05."""
    return run.all_results, run.analysis["paper"].found


def all_compared(results: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Every comparison of groups of customers, with its kind."""
    lifts = results["department_lifts"].assign(kind="lift of a department")
    tests = results["tests"]
    return pd.concat([tests.assign(kind=tests["effect_name"]), lifts], ignore_index=True)


def claims(found: list[dict]) -> list[str]:
    """Pick what demographic findings claim of differences in what customers do.

    A step of income over age is none: it is built into the generated people.
    """
    about = [each for each in found if each["question"] in DEMOGRAPHIC_QUESTIONS]
    unanswered = [each["headline"] for each in about if each["kind"] == finding.NOT_ANSWERED]
    assert not unanswered, unanswered
    return [
        each["headline"]
        for each in about
        if each["kind"] == finding.DIFFERENCE
        and not each["headline"].startswith("Invented incomes")
    ]


def null_run(seed: int) -> tuple[pd.DataFrame, list[str], list[float]]:
    """One data set without effects: its comparisons, its claims, and the p-values of the mutant.

    A step in what customers do counts as a claim, also where a greater one (in income) is named.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = stages_on(Path(folder), seed, SMALL, "none")
        results, found = analysed(run)
        mutant = p_values_of_lines(run) if seed in MUTANT_SEEDS else []
        said = claims(found) + steps(results) + goods_claimed(found)
        return all_compared(results).assign(seed=seed), said, mutant


def steps(results: dict[str, pd.DataFrame]) -> list[str]:
    """Name the confirmed steps of age or income in what customers do."""
    table = results["bands"]
    table = table[(table["confirmed"] == "yes") & (table["measure"] != "income")]
    rows = table.itertuples()
    return [f"{row.attribute} has a step at {row.cuts} in {row.measure}" for row in rows]


def goods_claimed(found: list[dict]) -> list[str]:
    """Claims that a department sells better at some time: in generated data none does."""
    said = [finding["headline"] for finding in found if finding["question"] == "Q2"]
    return [headline for headline in said if "its usual share" in headline]


def stages_on(folder: Path, seed: int, scale: float, effects: Effects | str) -> Run:
    generate(folder / "data", scale=scale, seed=seed, effects=effects)
    return run_stages(folder / "data", folder / "out", "corrected")


def p_values_of_lines(run: Run) -> list[float]:
    """Test as the mutant does: each order line is an observation of its price and order value."""
    lines = run.table("merged")[["order_id", "price_cents"]]
    lines = lines.merge(run.table("analysis_orders")[["order_id", "user_id", "spend_cents"]])
    lines = lines.merge(run.table("analysis_customers")[["user_id", *DEMOGRAPHIC]])
    p_values = []
    for value in ("price_cents", "spend_cents"):
        numbers = lines[value].to_numpy("float64", na_value=np.nan)
        for grouping in DEMOGRAPHIC:
            codes, _ = pd.factorize(lines[grouping])
            p_values.append(statistics.epsilon_squared(numbers, codes).p_value)
    return p_values


# ---- nothing there ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def null_runs(pool) -> list:
    """Analyse the 40 data sets without effects."""
    return list(pool.map(null_run, NULL_SEEDS))


def test_true_nulls_are_rejected_as_often_as_the_level_says(null_runs):
    """Seeds 1 to 40, 1,031 customers each, no effects: raw p < 0.05 in 3 to 7 % of the tests.

    25,800 comparisons of five demographic attributes. Cramér's V has only 200 of them, whose share
    has a standard error of 1.5 %: 1 to 9 %.
    """
    table = pd.concat([table for table, _, _ in null_runs])
    table = table[table["grouping"].isin(DEMOGRAPHIC) & table["p_value"].notna()]
    table = table[table["reason"] == ""]
    rejected = (table["p_value"] < 0.05).groupby(table["kind"]).agg(["size", "mean"])
    print(f"\n{rejected}\nall: {(table['p_value'] < 0.05).mean():.4f} of {len(table):,}")
    kinds = {"cramers_v", "epsilon_squared", "cliffs_delta", "ratio", "lift of a department"}
    assert set(rejected.index) == kinds
    assert 0.03 <= (table["p_value"] < 0.05).mean() <= 0.07
    assert rejected.drop("cramers_v")["mean"].between(0.03, 0.07).all()
    assert 0.01 <= rejected.loc["cramers_v", "mean"] <= 0.09


def test_rejection_keeps_to_the_level_far_out_and_in_small_groups_and_departments(null_runs):
    """The same 40 seeds, with profiles, down to 11 customers: what the tables call significant.

    Few heavy customers make a ratio's error look small; its p-value must not follow.
    """
    table = pd.concat([table for table, _, _ in null_runs])
    table = table[
        table["grouping"].isin([*DEMOGRAPHIC, "profile"])
        & (table["n"] >= 11)
        & (table["effect_name"] == "ratio")
        & (table["reason"] == "")
    ]
    small = pd.cut(table["n"], [0, 30, 100, 1_000], labels=["11-30", "31-100", "above 100"])
    levels = pd.DataFrame({level: table["p_value"] < level for level in (0.05, 0.01, 0.001)})
    shares = levels.groupby(small, observed=True).mean()
    print(f"\n{shares.assign(tests=small.value_counts())}")
    assert shares[0.05].between(0.03, 0.07).all()
    assert (shares[0.01] < 0.02).all()
    assert (shares[0.001] < 0.003).all()
    decided = table["verdict"].isin(statistics.LABELS).sum()
    print(f"verdicts small, medium or large: {decided} in {len(NULL_SEEDS)} runs")
    assert decided <= len(NULL_SEEDS)


def test_no_headline_claims_a_difference_where_there_is_none(null_runs):
    """The same 40 seeds: no finding claims a link with who customers are, nor of goods with times.

    A claim needs an effect that is at least small and survives Bonferroni's correction, and is
    confirmed on the half of the customers that did not choose it (D-10, D-44). Here with
    family_status and profile, which restate attributes that have no effect either.
    """
    said = [sentence for _, sentences, _ in null_runs for sentence in sentences]
    table = pd.concat([table for table, _, _ in null_runs])
    table = table[
        table["grouping"].isin([*DEMOGRAPHIC, "family_status", "profile"])
        | table["grouping"].str.contains(" within ")
    ]
    headlines = table[table["for_headline"] == "yes"]
    found = (table["q_value"] < 0.05).sum()
    print(f"\nclaims: {len(said)}; headlines: {len(headlines)}, q < 0.05: {found} of {len(table)}")
    assert said == []
    assert headlines.empty, headlines


def test_the_guard_rejects_an_analysis_whose_unit_is_the_order_line(null_runs):
    """Seeds 1 to 10, 100 tests: lines as observations are far outside the 3 to 7 %."""
    p_values = np.concatenate([mutant for _, _, mutant in null_runs])
    share = (p_values < 0.05).mean()
    print(f"\nlines as the unit: {share:.3f} of {len(p_values)} true nulls rejected")
    assert len(p_values) == 2 * len(DEMOGRAPHIC) * len(MUTANT_SEEDS)
    assert share > 0.5


@pytest.fixture(scope="module")
def large_null(pool) -> tuple:
    """Analyse a data set of 20,621 customers without effects: tables and findings."""
    return pool.submit(large_null_run, 1).result()


def large_null_run(seed: int) -> tuple:
    with tempfile.TemporaryDirectory() as folder:
        run = stages_on(Path(folder), seed, LARGE, "none")
        results, found = analysed(run)
        wanted = ("tests", "department_lifts", "group_shares")
        return {name: results[name] for name in wanted}, found


def test_with_20_000_customers_region_makes_no_practical_difference(large_null):
    """Seed 1 at scale 0.1: decided, not undecided, for every ordering habit."""
    results, found = large_null
    tests = results["tests"]
    habits = tests[
        (tests["grouping"] == "region")
        & tests["measure"].isin(HABITS)
        & (tests["effect_name"] == "epsilon_squared")
        & (tests["adjusted_for"] == "")
    ]
    print(f"\n{habits[['measure', 'n', 'effect', 'effect_high', 'verdict']]}")
    assert len(habits) == len(HABITS)
    assert (habits["verdict"] == statistics.NO_DIFFERENCE).all()
    (region,) = [each for each in found if each["question"] == "Q7"]
    assert region["kind"] in (finding.NO_DIFFERENCE, finding.UNDECIDED), region["headline"]
    assert claims(found) == []


# ---- something there ----------------------------------------------------------------------------

SOUTH = Effects(income=False, region_spend=("South", 1.08))
PRODUCE = Effects(income=False, loyal_produce=1.2)
OWLS = Effects(income=False, night_owls=0.5)
YOUNG_ALONE = "18-39, no dependants, middle income"  # the largest of the profiles with night owls


def planted_run(task: tuple[int, Effects]) -> pd.DataFrame:
    """Give the ratios of every group in a data set with a planted effect."""
    seed, effects = task
    with tempfile.TemporaryDirectory() as folder:
        run = stages_on(Path(folder), seed, SMALL, effects)
        table = all_compared(run.notebook("05_visualise", COMPARED)["results"])
    return table[table["effect_name"] == "ratio"]


def hits(pool, effects: Effects, group: str, measure: str, truth: float) -> tuple[int, int, int]:
    """In how many seeds the ratio is above 1, its interval covers the truth, and both."""
    tables = pool.map(planted_run, [(seed, effects) for seed in PLANTED_SEEDS])
    rows = pd.concat(
        table[(table["group_a"] == group) & (table["measure"] == measure)].head(1)
        for table in tables
    )
    right = rows["effect"] > 1
    covers = (rows["effect_low"] <= truth) & (truth <= rows["effect_high"])
    print(
        f"\n{group}, {measure}: truth {truth:.3f}, mean estimate {rows['effect'].mean():.3f}, "
        f"customers {rows['n'].mean():.0f}; of {len(rows)} seeds right sign {right.sum()}, "
        f"covered {covers.sum()}, p < 0.05 {(rows['p_value'] < 0.05).sum()}"
    )
    return right.sum(), covers.sum(), (right & covers).sum()


ENOUGH = 0.8 * len(PLANTED_SEEDS)


def test_a_region_that_spends_8_percent_more_is_found(pool):
    """Seeds 1 to 20: a third of all customers are in the South (17 of 51 states).

    Against the others, 1.08 is 1.08.
    """
    assert min(hits(pool, SOUTH, "South", "mean_order_value", 1.08)) >= ENOUGH


def test_loyal_customers_that_buy_more_produce_are_found(pool, large_null):
    """Seeds 1 to 20: 1.2 times the produce share that loyal customers have without the effect.

    What that share is, against the others', comes from the data set without effects at scale 0.1.
    """
    results, _ = large_null
    lifts = results["department_lifts"].set_index(["group_a", "measure"])
    truth = 1.2 * lifts.loc[("Loyal customer", "produce"), "effect"]
    assert min(hits(pool, PRODUCE, "Loyal customer", "produce", truth)) >= ENOUGH


def test_night_owls_are_found_by_their_share_of_evening_orders(pool):
    """Seeds 1 to 20: half of the customers aged 18 to 39 without dependants order from 20:00 on.

    With e of everybody's orders from 18:00 on, a profile of theirs has (1 + e) / 2 of its orders
    then; with a share f of such customers among the others, those have e + f (1 - e) / 2.
    """
    by_hour = np.sum(real()["orders_by_day_and_hour"], axis=0)
    usual = by_hour[18:].sum() / by_hour.sum()
    people = fabricate_customers(np.arange(1, 206_210))
    able = (people["Age"] <= 39) & (people["n_dependants"] == 0)
    others = ~(able & people["income"].between(50_000, 99_999))
    truth = (1 + usual) / 2 / (usual + able[others].mean() * (1 - usual) / 2)
    assert min(hits(pool, OWLS, YOUNG_ALONE, "orders in the evening", truth)) >= ENOUGH


@pytest.fixture(scope="module")
def counted(tmp_path_factory) -> Counts:
    """Count a data set of 10,310 customers with the effects of the default."""
    run = stages_on(tmp_path_factory.mktemp("counted"), 2017, 0.05, "real")
    return run.notebook("05_visualise", COUNTED)["counts"]


def with_regions_dealt(counts: Counts, seed: int, factor: float) -> Counts:
    """Deal the regions anew among active customers; the West's orders are `factor` times as large.

    Lines grow with spend, as more of the same in each order.
    """
    people, active = counts.people, np.flatnonzero(counts.active)
    order = np.arange(len(people.customers))
    order[active] = np.random.default_rng(seed).permutation(active)
    labels = people.labels.assign(region=people.labels["region"].iloc[order].array)
    west = (labels["region"] == "West").to_numpy()
    grown = {
        name: np.where(west, (people.customers[name] * factor).round(), people.customers[name])
        for name in ("spend_cents", "lines", "priced_lines", "reordered_lines")
    }
    grown = {name: values.astype("int64") for name, values in grown.items()}
    customers = people.customers.assign(**grown)
    return replace(counts, people=replace(people, customers=customers, labels=labels))


def test_where_loyalty_makes_no_difference_it_is_found_as_often_as_the_level_says(counted):
    """200 deals of the value of an order among customers: p < 0.05 in 3 to 7 % of 1,200 tests."""
    people, settings = counted.active_people.by_id(), counted.settings
    codes, names = comparisons.codes_of(people.labels, "loyalty_flag", settings.labels.missing)
    split, random = statistics.Split.of(codes, len(names)), np.random.default_rng(1)
    p_values = []
    for prefix in ("", "early_"):
        orders = people.customers[f"{prefix}orders"].to_numpy()
        value = people.customers[f"{prefix}spend_cents"].to_numpy() / orders
        deals = (random.permutation(value) for _ in range(200))
        p_values += [split.compare(dealt * orders, orders).p_value for dealt in deals]
    share = (np.concatenate(p_values) < 0.05).mean()
    print(f"\nloyalty null: {share:.4f} of {np.size(p_values)}")
    assert 0.03 <= share <= 0.07


@pytest.mark.parametrize("factor", [1.10, 1.15])
def test_a_region_with_larger_orders_is_named_and_never_called_the_same(counted, factor):
    """20 deals of the regions among 8,133 active customers: named in 18 at least."""
    found, settings = [], counted.settings
    others = {
        "spend_by_time": q02_spending.spend_by_time(counted),
        "department_times": q02_spending.department_times(counted),
        "redundancy": pd.DataFrame({"attribute": ["region"], "redundant": ["no"]}),
    }
    for seed in PLANTED_SEEDS:
        counts = with_regions_dealt(counted, seed, factor)
        tables = result_tables(counts)
        tables["group_shares"] = group_shares(tables["habits"])
        tables |= comparisons.judge(counts, others, settings)
        tables["split_halves"] = group_halves.split_halves(counts, tables)
        answer, _ = finding.answer(q07_region.by_region, tables, settings)
        found.append((answer.kind, answer.headline))
    named = sum(kind == finding.DIFFERENCE and "West" in headline for kind, headline in found)
    print(f"\nWest {factor}: named in {named} of {len(found)}")
    assert named >= 18
    assert finding.NO_DIFFERENCE not in [kind for kind, _ in found]


# ---- real customers -----------------------------------------------------------------------------


def test_the_real_panel_shows_what_is_true_of_it(panel: Path, tmp_path: Path):
    """1,200 real customers: income and goods, the restated attribute, the busy times, no region."""
    results, found = analysed(run_stages(panel, tmp_path, "corrected"))
    (income, _) = [each for each in found if each["question"] == "Q9"]
    print(f"\n{income['headline']}. {income['so_what']}")
    assert income["kind"] == finding.DIFFERENCE
    assert "snacks" in income["headline"]
    assert "meat and seafood" in income["headline"] + income["so_what"]

    redundant = results["redundancy"].query("redundant == 'yes'")
    assert list(redundant["attribute"]) == ["family_status"]

    busiest = results["busiest_times"].query("rank == 'busiest'").set_index("period")["names"]
    assert busiest.to_dict() == {"days": "Saturday and Sunday", "hours": "9 to 16"}

    table = all_compared(results)
    region = table[table["grouping"] == "region"]
    print(region["verdict"].value_counts())
    assert set(region["verdict"]) == {statistics.UNDECIDED, statistics.NO_DIFFERENCE}


@pytest.mark.parametrize("seed", SHUFFLE_SEEDS)
def test_shuffled_demographics_carry_no_headline(seed: int, shuffle_of: Path, tmp_path: Path):
    """Three shuffles of who is who: real customers where there are some, else generated ones."""
    data = shuffled(shuffle_of, tmp_path / "data", seed)
    results, found = analysed(run_stages(data, tmp_path / "out", "corrected"))
    table = all_compared(results)
    table = table[table["grouping"].isin([*DEMOGRAPHIC, "family_status", "profile"])]
    print(f"\nshuffle {seed}: p < 0.05 in {(table['p_value'] < 0.05).mean():.3f}")
    assert claims(found) + steps(results) == []
    assert (table["for_headline"] == "no").all()


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_whole_report_on_shuffled_demographics_claims_nothing(
    seed: int, shuffle_of: Path, tmp_path: Path
):
    """Three whole reports through the command: what the reader would see makes no claim."""
    data = shuffled(shuffle_of, tmp_path / "data", seed)
    done = basket("report", "--data", data, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    written = tmp_path / "out" / "04_analysis" / "findings.json"
    found = json.loads(written.read_text(encoding="utf-8"))
    assert {finding["question"] for finding in found} >= {"Q7", "Q8", "Q9", "Q10"}
    assert claims(found) == []


def shuffled(source: Path, target: Path, seed: int) -> Path:
    """Make a copy of the data in which each customer has another customer's demographics."""
    copytree(source, target)
    people = pd.read_csv(target / "customers.csv", dtype=str, keep_default_na=False)
    order = np.random.default_rng(seed).permutation(len(people))
    others = people.columns.drop("user_id")
    people[others] = people[others].to_numpy()[order]
    people.to_csv(target / "customers.csv", index=False)
    return target


@pytest.fixture(scope="module")
def shuffle_of(request, generated: Path) -> Path:
    """Give real customers, or generated ones whose habits depend on income."""
    try:
        return request.getfixturevalue("panel")
    except pytest.skip.Exception:
        print("\nNOT RUN against real data: BASKET_REAL_DATA is not set; generated data instead")
        return generated
