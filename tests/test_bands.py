"""Bands and redundancies: exact against brute force, planted steps found, chance not confirmed."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from basket.analysis import cut_points, redundancy
from basket.analysis.groups import People
from basket.analysis.questions import q09_classes
from basket.project.folders import ROOT
from basket.project.settings import load_settings

SETTINGS = load_settings(ROOT / "settings.yml")
CUTS = q09_classes.course_cuts(SETTINGS)
REGIONS = list(SETTINGS.regions)


def test_a_second_flag_of_the_same_column_leaves_the_courses_cuts_alone():
    other = SETTINGS.flags["age_group"].model_copy(update={"bands": {"a": "below 30", "b": "from"}})
    more = SETTINGS.model_copy(update={"flags": SETTINGS.flags | {"generation": other}})
    assert q09_classes.course_cuts(more) == CUTS == {"age": [40, 65], "income": [50_000, 100_000]}


def shoppers(n, seed=0):
    """Make customers like the real ones, with a step of income and a family status."""
    rng = np.random.default_rng(seed)
    age, dependants = rng.integers(18, 82, n), rng.integers(0, 4, n)
    income = np.where(age < 41, rng.normal(68_000, 25_000, n), rng.normal(110_000, 40_000, n))
    alone = np.where(age < 60, "single", "divorced/widowed")
    together = np.where(age < 22, "living with parents and siblings", "married")
    customers = pd.DataFrame(
        {
            "user_id": np.arange(1, n + 1),
            "age": age.astype("int16"),
            "income": pd.array(income.clip(25_903).round(), "Int32"),
            "n_dependants": dependants.astype("int16"),
            "family_status": pd.Categorical(np.where(dependants == 0, alone, together)),
            "gender": pd.Categorical(rng.choice(["Female", "Male"], n)),
            "region": pd.Categorical(rng.choice(REGIONS, n, p=[0.2, 0.2, 0.35, 0.25])),
        }
    )
    ages, incomes = (SETTINGS.flags[name].labels for name in ("age_group", "income_group"))
    return customers.assign(
        age_group=pd.cut(customers["age"], [0, 39, 64, 120], labels=ages),
        income_group=pd.cut(income, [0, 49_999, 99_999, 1e9], labels=incomes),
    )


def binned(customers, total):
    return cut_points.Binned(
        np.arange(10, 10 + len(customers)), np.array(customers), np.array(total)
    )


# --- halves


def test_halves_depend_on_seed_and_id_alone():
    ids = np.arange(1, 20_001)
    quarter = cut_points.quarter_of(ids, SETTINGS.seed)
    assert np.bincount(quarter) == pytest.approx([5000] * 4, rel=0.05)
    shuffled = np.random.default_rng(0).permutation(ids)
    assert (cut_points.quarter_of(shuffled, SETTINGS.seed) == quarter[shuffled - 1]).all()
    assert (cut_points.quarter_of(pd.Series(ids, dtype="int32"), SETTINGS.seed) == quarter).all()
    assert 0.2 < (cut_points.quarter_of(ids, SETTINGS.seed + 1) == quarter).mean() < 0.3
    for parts in (2, 16):  # a half is not a set of parts
        assert abs(np.corrcoef(quarter, ids % parts)[0, 1]) < 0.03


# --- the search


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-50, 50)), min_size=4, max_size=9))
def test_cuts_are_the_best_of_all(bins):
    data = binned([count for count, _ in bins], [float(count and total) for count, total in bins])
    n = data.customers.sum()

    def explained(places):
        return sum(
            data.total[start:end].sum() ** 2 / data.customers[start:end].sum()
            for start, end in zip([0, *places], [*places, len(bins)], strict=True)
        )

    def is_allowed(places):
        return all(
            data.customers[start:end].sum() >= max(1, 0.05 * n)
            for start, end in zip([0, *places], [*places, len(bins)], strict=True)
        )

    for number, cuts in enumerate(cut_points.best_cuts(data)):
        places = np.searchsorted(data.edges, cuts)
        allowed = [p for p in combinations(range(1, len(bins)), number) if is_allowed(p)]
        if number:
            assert is_allowed(places)
            assert explained(places) == pytest.approx(max(map(explained, allowed)))
    assert number == cut_points.MOST_CUTS or not any(
        is_allowed(p) for p in combinations(range(1, len(bins)), number + 1)
    )


def test_a_band_has_its_least_share_of_the_customers():
    data = binned([4, 96], [400.0, 0.0])  # the best cut would leave 4 % below it
    assert len(cut_points.best_cuts(data)) == 1
    assert cut_points.best_cuts(binned([5, 95], [500.0, 0.0]))[1].tolist() == [11]


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-9, 40), st.integers(-50, 50)), min_size=1, max_size=30))
def test_steps_that_nobody_has_change_no_cut(people):
    """A gap belongs to the band above it, as if its steps were bins that hold nobody."""
    values, measure = (np.array(of, float) for of in zip(*people, strict=True))
    bins, edges = cut_points.in_bins(values, 1)
    every = np.arange(values.min(), values.max() + 1)
    dense = cut_points.Binned.of((values - values.min()).astype(int), measure, every)
    found = cut_points.best_cuts(cut_points.Binned.of(bins, measure, edges))
    assert [cuts.tolist() for cuts in found] == [c.tolist() for c in cut_points.best_cuts(dense)]


@pytest.mark.parametrize("most", [2_147_483_647, 40_000])
def test_bins_stay_few_and_part_the_values_however_far_these_reach(most):
    values = np.append(np.random.default_rng(3).integers(1, 40_000, 5_000), most).astype(float)
    bins, edges = cut_points.in_bins(values, 1)
    assert 500 < len(edges) <= cut_points.MOST_BINS
    assert (np.searchsorted(edges, values, side="right") - 1 == bins).all()


def test_r_squared_of_the_sums_is_that_of_the_customers():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 6, 300), rng.normal(5, 2, 300)
    data = cut_points.Binned.of(x, y, np.arange(6))
    cuts, means = np.array([2, 4]), np.array([4.0, 5.0, 6.5])
    missed = ((y - means[np.searchsorted(cuts, x, side="right")]) ** 2).sum()
    squares = ((y - y.mean()) ** 2).sum()
    assert cut_points.r_squared(means, cuts, data, squares) == pytest.approx(1 - missed / squares)
    expected = [y[x < 2].mean(), y[(x >= 2) & (x < 4)].mean(), y[x >= 4].mean()]
    assert cut_points.band_means(data, cuts) == pytest.approx(expected)


def run(customers, measures, attribute=None):
    table = cut_points.bands(customers, measures, CUTS, SETTINGS)
    return table[table["attribute"] == attribute].reset_index(drop=True) if attribute else table


@pytest.mark.parametrize("seed", range(3))
def test_the_step_of_income_between_40_and_41_is_found_and_confirmed(seed):
    customers = shoppers(20_000, seed)
    measures = pd.DataFrame({"income": customers["income"]})
    course, proposed = run(customers, measures).to_dict("records")
    assert (course["cuts"], course["gain_over_course"], course["confirmed"]) == ("40 | 65", 0, "")
    assert (proposed["cuts"], proposed["bands"], proposed["confirmed"]) == ("41", 2, "yes")
    assert 0 < proposed["gain_low"] < proposed["gain_over_course"] < proposed["gain_high"]
    assert proposed["gain_over_course"] == pytest.approx(
        proposed["r2_confirm_half"] - course["r2_confirm_half"]
    )


def test_every_planted_step_is_found_and_no_more():
    customers = shoppers(20_000)
    income = customers["income"].to_numpy("float64")
    noise = np.random.default_rng(2).normal(0, 1, len(customers))
    measures = pd.DataFrame(
        {
            "one": noise + (income >= 55_000),
            "two": noise + 1.0 * (income >= 47_000) + 1.0 * (income >= 90_000),
            "three": noise + np.searchsorted([45_000, 70_000, 120_000], income, side="right"),
        }
    )
    table = run(customers, measures, "income")
    cuts = table.loc[table["method"] == "proposed", "cuts"].str.split(" | ", regex=False)
    for found, planted in zip(cuts, [[55], [47, 90], [45, 70, 120]], strict=True):
        assert [int(cut) / 1000 for cut in found] == pytest.approx(planted, abs=2)


def test_steps_by_chance_are_neither_proposed_nor_confirmed():
    confirmed = proposed = 0
    for seed in range(10):
        customers = shoppers(1200, seed)
        rng = np.random.default_rng(100 + seed)
        measures = pd.DataFrame(rng.exponential(1, (1200, 6)), columns=list("abcdef"))
        table = run(customers, measures)
        table = table[table["method"] == "proposed"]
        confirmed += (table["confirmed"] == "yes").sum()
        proposed += (table["bands"] > 1).sum()
    assert confirmed <= 4  # of 120
    assert proposed <= 24


def test_a_step_of_the_half_searched_alone_is_not_confirmed():
    customers = shoppers(4000)
    searched = cut_points.quarter_of(customers["user_id"], SETTINGS.seed) < 2
    noise = np.random.default_rng(8).normal(0, 1, len(customers))
    measures = pd.DataFrame({"fleeting": noise + 2 * searched * (customers["age"] >= 52)})
    proposed = run(customers, measures, "age").iloc[1]
    assert proposed["cuts"] == "52"
    assert proposed["r2_search_half"] > 0.4
    assert proposed["r2_confirm_half"] < 0
    assert proposed["gain_high"] < 0
    assert proposed["confirmed"] == "no"


def test_where_the_course_is_right_the_search_gains_nothing():
    customers = shoppers(8000)
    noise = np.random.default_rng(3).normal(0, 1, len(customers))
    steps = np.searchsorted(CUTS["age"], customers["age"], side="right")
    table = run(customers, pd.DataFrame({"step": noise + steps}), "age")
    assert table["cuts"].tolist() == ["40 | 65", "40 | 65"]
    assert table["gain_over_course"].tolist() == [0, 0]
    assert table["gain_low"].isna().all()  # nothing differs: there is no interval
    assert table["confirmed"].tolist() == ["", "no"]


def test_bands_do_not_depend_on_the_order_of_the_customers():
    customers = shoppers(2000)
    measures = pd.DataFrame({"income": customers["income"]})
    order = np.random.default_rng(4).permutation(2000)
    shuffled = (table.iloc[order].reset_index(drop=True) for table in (customers, measures))
    pd.testing.assert_frame_equal(run(*shuffled), run(customers, measures))


def test_missing_values_leave_their_customers_out():
    customers = shoppers(3000)
    income = customers["income"].copy()
    income[::3] = pd.NA
    full = run(customers[income.notna()], pd.DataFrame({"income": income.dropna()}))
    holed = run(customers, pd.DataFrame({"income": income}))
    assert holed["customers"].tolist() == [2000, 2000]
    exact = ["cuts", "r2_search_half", "r2_confirm_half"]
    pd.testing.assert_frame_equal(holed[exact], full[exact])


def test_no_known_value_leaves_no_result():
    customers = shoppers(200)
    table = run(customers, pd.DataFrame({"empty": np.full(200, np.nan)}))
    assert table["r2_confirm_half"].isna().all()
    assert set(table["confirmed"]) == {"", "no"}


def test_measures_of_customers():
    customers = pd.DataFrame(
        {
            "spend_cents": [3000, 0],
            "priced_lines": [4, 0],
            "lines": [5, 2],
            "orders": [2, 1],
            "income": pd.array([50_000, None], "Int32"),
        }
    )
    lines = np.array([[4, 1], [0, 2]])
    people = People(customers, pd.DataFrame(), lines, lines, ["produce", "snacks"])
    measures = q09_classes.customer_measures(people, SETTINGS)
    assert measures["mean_item_price"].tolist()[0] == 7.5
    assert measures["mean_order_value"].tolist() == [15, 0]
    assert measures["share of snacks"].tolist() == [0.2, 1]
    assert list(measures) == ["mean_item_price", "mean_order_value", "income", "share of snacks"]
    assert measures.isna().sum().tolist() == [1, 0, 1, 0]


def test_income_is_a_measure_of_age_and_not_of_itself():
    customers = shoppers(400)
    table = run(customers, customers[["income"]].assign(other=1.0))
    asked = set(zip(table["attribute"], table["measure"], strict=True))
    assert asked == {("age", "income"), ("age", "other"), ("income", "other")}


# --- redundancy


def determined(customers, attribute, *others):
    table = redundancy.redundancies(customers, SETTINGS, [attribute, *others])
    return table.set_index("attribute").loc[attribute]


@pytest.mark.parametrize(("n", "seed"), [*((1200, seed) for seed in range(6)), (30_000, 0)])
def test_family_status_is_found_to_be_a_function_of_age_and_dependants(n, seed):
    table = redundancy.redundancies(shoppers(n, seed), SETTINGS).set_index("attribute")
    found = table.loc["family_status"]
    assert found["determined_by"] == "age, n_dependants"
    assert found["redundant"] == "yes"
    assert found["accuracy"] >= 0.99
    assert found["entropy_explained"] > 0.95
    assert (table["redundant"] == "yes").sum() == 1
    for attribute in ("gender", "region", "n_dependants", "age_group", "income_group"):
        assert table.loc[attribute, "accuracy"] < 0.85


def test_the_rule_is_said_in_words():
    table = redundancy.redundancies(shoppers(30_000), SETTINGS)
    assert table.loc[0, "rule"] == (
        "n_dependants 0: single, from age 60 divorced/widowed; "
        "n_dependants 1/2/3: living with parents and siblings, from age 22 married"
    )
    assert (table["rule"][1:] == "").all()


def test_one_attribute_is_named_where_one_is_enough():
    customers = shoppers(3000)
    customers["zone"] = pd.Categorical(np.where(customers["region"] == "West", "far", "near"))
    found = determined(customers, "zone", "age", "region", "gender")
    assert (found["determined_by"], found["redundant"]) == ("region", "yes")
    near = ", ".join(f"region {name} near" for name in ("Midwest", "Northeast", "South"))
    assert found["rule"] == f"{near}, region West far"


def test_a_second_attribute_that_only_fits_noise_is_not_named():
    customers = shoppers(20_000)
    rng = np.random.default_rng(9)
    flipped = rng.random(20_000) < 0.0005
    customers["street"] = pd.Categorical(rng.integers(0, 5000, 20_000).astype(str))
    customers["zone"] = np.where((customers["region"] == "West") != flipped, "far", "near")
    found = determined(customers, "zone", "age", "region", "street")
    assert (found["determined_by"], found["redundant"]) == ("region", "yes")


def test_what_is_only_learnt_by_heart_is_no_redundancy():
    customers = shoppers(3000)
    rng = np.random.default_rng(10)
    customers["coin"] = rng.choice(["heads", "tails"], 3000)
    customers["street"] = pd.Categorical([f"street {n}" for n in rng.integers(0, 900, 3000)])
    found = determined(customers, "coin", "street", "age")
    assert found["accuracy"] == pytest.approx(0.5, abs=0.06)
    assert found["redundant"] == "no"


def test_noise_in_the_attribute_is_no_redundancy():
    customers = shoppers(5000)
    changed = np.random.default_rng(5).random(5000) < 0.04
    customers["family_status"] = customers["family_status"].mask(changed, "married")
    found = redundancy.redundancies(customers, SETTINGS).set_index("attribute").loc["family_status"]
    assert (found["determined_by"], found["redundant"]) == ("age, n_dependants", "no")


def test_a_label_that_nearly_all_share_is_no_redundancy():
    customers = shoppers(5000)
    customers["rare"] = np.where(np.random.default_rng(6).random(5000) < 0.004, "a", "b")
    found = determined(customers, "rare", "age", "region")
    assert found["accuracy"] > 0.99
    assert found["redundant"] == "no"


def test_an_attribute_cut_along_two_ordered_others_is_told_from_them():
    customers = shoppers(8000)
    older = customers["age"] >= customers["age"].quantile(0.5)
    rich = customers["income"] >= 80_000
    customers["quadrant"] = np.where(older, "o", "y") + np.where(rich, "r", "p").astype(object)
    found = determined(customers, "quadrant", "age", "income", "gender")
    assert found["determined_by"] == "age, income"
    assert found["accuracy"] > 0.93


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=8))
def test_labels_in_bands_are_the_best_of_all(counts):
    counts = np.array(counts)
    occurs = counts[counts.sum(axis=1) > 0]
    labels = redundancy.best_labels(counts, most=2)
    if not len(occurs):
        assert (labels == -1).all()
        return
    best = max(
        sum(
            occurs[start:end].sum(axis=0).max()
            for start, end in zip([0, *places], [*places, len(occurs)], strict=True)
        )
        for number in range(min(3, len(occurs)))
        for places in combinations(range(1, len(occurs)), number)
    )
    assert counts[np.arange(len(counts)), labels].sum() == best


def test_a_gap_between_two_bands_is_shared():
    counts = np.array([[5, 0], [0, 0], [0, 0], [0, 0], [0, 5]])
    assert redundancy.best_labels(counts).tolist() == [0, 0, 1, 1, 1]
