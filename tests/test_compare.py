"""What groups are compared with and at equal what; what may carry a headline; strata."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from basket.analysis import comparisons, groups, statistics
from basket.analysis.groups import People
from basket.analysis.measures import RATIOS, at_equal_income, commonest
from basket.analysis.order_sums import COLUMNS
from basket.project.settings import Settings


def comparison(grouping, measure, p_value, effect_name="ratio", **other) -> dict:
    """Give one row before all are judged: a ratio of 1.5, or an epsilon squared of 0.05."""
    effect = (1.5, 1.3, 1.8) if effect_name == "ratio" else (0.05, 0.03, 0.08)
    found = statistics.Estimate(effect_name, *effect, statistic=3.0, p_value=p_value, n=100)
    return comparisons.row("Q9", grouping, measure, found, unit="share") | other


def test_what_may_carry_a_headline(settings):
    epsilon = "epsilon_squared"
    small, wide, touches_1 = (
        {"effect": effect, "effect_low": low, "effect_high": high}
        for effect, low, high in ((1.049, 1.04, 1.06), (1.06, 1.01, 1.12), (1.06, 1.0, 1.12))
    )
    cases = [  # a comparison; may it carry a headline; its verdict
        (comparison("region", "mean_order_value", 1e-9), "yes", "large"),
        (comparison("region", "mean_order_value", 1e-9, epsilon), "yes", "small"),
        (comparison("region", "orders", 1e-9, epsilon) | {"effect": 0.0099}, "no", "small"),
        (comparison("region", "lines", 0.003), "no", "large"),  # one of more than 20 tests
        (comparison("region", "lines", 1e-9, **small), "no", "undecided"),
        (comparison("region", "lines", 1e-9, **wide), "yes", "undecided"),
        (comparison("region", "lines", 1e-9, **touches_1), "no", "undecided"),
        (comparison("region", "lines", 1e-9, reason="by definition"), "no", "undecided"),
        (comparison("region", "lines", np.nan), "no", "undecided"),
        *[(comparison("region", "lines", 0.9), "no", "undecided")] * 20,
    ]
    rows, headlines, verdicts = zip(*cases, strict=True)
    judged = statistics.judge_together(pd.DataFrame(rows), settings)
    assert tuple(judged["for_headline"]) == headlines
    assert tuple(judged["verdict"]) == verdicts
    assert judged["customers_to_decide"].isna()[7]  # a reason is not a matter of numbers
    assert judged["q_value"].isna()[7], "nor one of the tests"
    rest = statistics.judge_together(pd.DataFrame([*rows[:7], *rows[8:]]), settings)
    assert rest["q_value"].equals(judged["q_value"].drop(7).reset_index(drop=True))


def planted(random, n=3000) -> People:
    """Customers of two regions, of which the North has the larger incomes; spend goes by income."""
    income = random.normal(80_000, 20_000, n).round()
    north = random.random(n) < np.where(income > 80_000, 0.7, 0.3)
    orders = random.geometric(0.1, n) + 4
    cents = (orders * random.lognormal(8, 0.4, n) * np.where(income > 80_000, 1.3, 1.0)).round()
    customers = pd.DataFrame({"user_id": np.arange(n), "income": pd.array(income, "Int32")})
    customers = customers.assign(**dict.fromkeys((*groups.TOTALS, *COLUMNS), orders))
    customers["spend_cents"] = cents
    names = {
        "region": np.where(north, "North", "South"),
        "loyalty_flag": np.where(orders > 20, "Loyal", "New"),
    }
    labels = pd.DataFrame({name: pd.Categorical(each) for name, each in names.items()})
    for name in (
        "age_group",
        "income_group",
        "family_status",
        "gender",
        "n_dependants",
        "profile",
        "segment",
    ):
        labels[name] = pd.Categorical(["all"] * n)
    times = np.repeat(orders[:, None], 5, axis=1)
    return People(customers, labels, orders[:, None], times, ["snacks"])


def test_a_difference_that_is_incomes_is_gone_at_equal_income(settings):
    people = planted(np.random.default_rng(3))
    bands = comparisons.income_bands(people, settings)
    assert np.bincount(bands).tolist() == pytest.approx([300] * 10, abs=2)
    table = comparisons.ratio_tests(
        ["mean_order_value"],
        "",
        comparisons.customer_sums(people, settings),
        comparisons.splits(people, bands, settings),
        settings,
    )
    north = table[(table["group_a"] == "North")].set_index("adjusted_for")
    assert (north["group_b"] == "others").all()
    assert north.loc["", "effect_low"] > 1.05
    assert north.loc["income", "effect_low"] < 1 < north.loc["income", "effect_high"]
    assert north.loc["income", "covered"] == pytest.approx(1)
    spend, orders = people.customers["spend_cents"], people.customers["orders"]
    inside = (people.labels["region"] == "North").to_numpy()
    one, other = (spend[side].sum() / orders[side].sum() for side in (inside, ~inside))
    assert north.loc["", "effect"] == pytest.approx(one / other)
    alone = table[table["grouping"] == "gender"]
    assert (alone["reason"] == "nothing to compare").all() and alone["effect"].isna().all()


def test_what_loyalty_is_defined_by_is_said_to_be(settings):
    people = planted(np.random.default_rng(4))
    bands = comparisons.income_bands(people, settings)
    table = comparisons.ratio_tests(
        list(RATIOS),
        "",
        comparisons.customer_sums(people, settings),
        comparisons.splits(people, bands, settings),
        settings,
    )
    loyal = table[table["grouping"] == "loyalty_flag"]
    defined = loyal[loyal["reason"] == "by definition"]
    assert set(zip(defined["measure"], defined["adjusted_for"], strict=True)) == {
        ("mean_gap", ""),
        ("mean_gap", "orders 2 to 5"),
        ("reorder_rate", ""),
    }
    defined = table[(table["reason"] == "by definition") & (table["grouping"] != "loyalty_flag")]
    assert set(zip(defined["grouping"], defined["measure"], strict=True)) == {
        ("segment", "mean_gap"),
        ("segment", "mean_lines_per_order"),
        ("segment", "mean_order_value"),
        ("segment", "reorder_rate"),
    }


def test_shares_of_habits_groups_are_not_compared_by_ranks(settings):
    """Loyalty has nothing to do with the night, but few orders are more often none at all by night.

    The rank test rejects the true null, the ratio of the groups' shares does not.
    """
    random = np.random.default_rng(4)
    people = planted(random)
    orders = people.customers["orders"].to_numpy()
    labels = people.labels.assign(segment=people.labels["loyalty_flag"])
    people = replace(
        people,
        customers=people.customers.assign(commonest_day=random.integers(0, 7, len(orders))),
        customer_times=random.multinomial(orders, [0.05, 0.35, 0.35, 0.15, 0.1]),
        labels=labels,
    )
    made = comparisons.measures(people, settings)
    values = {name: made[name] for name in ("mean_order_value", "orders in the night")}
    both = [comparisons.overall_tests(values, people, settings)]
    both += [comparisons.commonest_tests(people, settings)]
    table = pd.concat(both, ignore_index=True)
    coarser = table[table["reason"] == "shares of few orders are coarser"]
    assert set(coarser["grouping"]) == {"loyalty_flag", "segment"}
    assert "mean_order_value" not in set(coarser["measure"])
    night = coarser[(coarser["measure"] == "orders in the night")].set_index("grouping")
    assert night.loc["loyalty_flag", "p_value"] < 1e-6, "else this proves nothing"
    sums = comparisons.customer_sums(people, settings)
    split = comparisons.splits(people, comparisons.income_bands(people, settings), settings)
    ratios = comparisons.ratio_tests(["orders in the night"], "", sums, split, settings)
    ratios = ratios[(ratios["grouping"] == "loyalty_flag") & (ratios["reason"] == "")]
    assert (ratios["p_value"] > 0.01).all() and len(ratios)
    counted = comparisons.verdict_counts(table.assign(verdict="small")).set_index("grouping")
    of = table["grouping"].value_counts()
    assert counted.loc["region", "tests"] == of["region"]
    assert "segment" not in counted.index and of["segment"] > 1  # all have a reason


def test_ranks_within_bands_of_income_say_nothing_of_the_bands():
    bands = np.repeat([0, 1, 2, -1], [3, 7, 4, 1])
    alike = at_equal_income(np.full(15, 4.0), bands)
    assert alike[:-1].tolist() == [0.5] * 14 and np.isnan(alike[-1])
    rising = at_equal_income(np.arange(15.0), bands)
    assert rising[:3] == pytest.approx([1 / 6, 1 / 2, 5 / 6])


def test_customers_are_coded_by_what_is_commonest_and_rare_ones_together(settings):
    n = 200
    times = np.zeros((n, 5), int)
    times[:, 2] = 3  # afternoons, but for nine nights (4.5 %) and thirty mornings
    times[:9, 0], times[9:39, 1] = 4, 3
    lines = np.tile([5, 5, 1], (n, 1))
    days = np.repeat([0, 6], [100, 100])
    people = People(pd.DataFrame({"commonest_day": days}), None, lines, times, ["a", "b", "c"])
    found = commonest(people, settings)
    assert np.bincount(found["commonest daypart"]).tolist() == [9, 30, 161]
    assert np.bincount(found["commonest day"]).tolist() == [0, 100, 100]
    assert len(set(found["commonest department"])) == 1  # of two alike, the first


def test_times_are_among_the_ratios_and_count_the_orders_they_say(settings):
    customers = pd.DataFrame({name: [12, 30] for name in (*groups.TOTALS, *COLUMNS)})
    counts = np.array([[1, 4, 5, 2, 3], [0, 10, 13, 7, 11]])
    people = People(
        customers.assign(median_days_between_orders=7.0),
        pd.DataFrame(index=customers.index),
        np.array([[12], [30]]),
        counts,
        ["snacks"],
    )
    values = comparisons.measures(people, settings)
    sums = comparisons.customer_sums(people, settings)
    times = comparisons.time_names(settings)
    assert list(values) == [*comparisons.HABITS, *times, "share of snacks"]
    dayparts = ("night", "morning", "afternoon", "evening")
    assert times == [*(f"orders in the {part}" for part in dayparts), "orders at the weekend"]
    for number, time in enumerate(times):
        assert sums[time].tolist() == counts[:, number].tolist()
        assert values[time]().tolist() == (counts[:, number] / [12, 30]).tolist()
    assert list(sums) == [*groups.TOTALS, *COLUMNS, *times, "lines of snacks", "customers"]
    assert sums["lines of snacks"].tolist() == [12, 30] == sums["orders"].tolist()


@pytest.fixture
def determined() -> tuple[pd.DataFrame, dict, pd.DataFrame]:
    """Give customers whose family status follows from their age, some of unknown age."""
    random = np.random.default_rng(1)
    n = 400
    customers = pd.DataFrame(
        {
            "age": pd.array(random.integers(18, 80, n), dtype="Int8"),
            "region": pd.Categorical(random.choice(["South", "West"], n)),
        }
    )
    customers.loc[:9, "age"] = pd.NA
    status = np.where(customers["age"].fillna(0) >= 60, "widowed", "single")
    labels = pd.DataFrame({"family_status": pd.Categorical(status)})
    columns = pd.DataFrame({measure: random.normal(size=n) for measure in comparisons.HABITS})
    columns["orders"] += 10 * customers["age"].astype(float).fillna(200)  # differs only by age
    values = {measure: columns[measure].to_numpy for measure in columns}
    return customers, values, labels


def test_a_redundant_attribute_is_tested_within_named_strata(determined, settings: Settings):
    customers, values, labels = determined
    people = People(customers, labels, np.empty((400, 0)), np.empty((400, 0)), [])
    table = comparisons.within_tests(values, people, "family_status", "age, region", settings)
    assert set(table["grouping"]) == {
        "family_status within age 40-64, region South",
        "family_status within age 40-64, region West",
    }  # in other ages all have one status
    middle = customers["age"].between(40, 64) & (customers["region"] == "South")
    chosen = table[table["grouping"].str.endswith("South")]
    assert (chosen["n"] == middle.sum()).all()  # customers without an age are in no stratum
    orders = chosen.set_index("measure").loc["orders"]
    assert orders["p_value"] == pytest.approx(
        statistics.epsilon_squared(
            values["orders"]()[middle.fillna(False).to_numpy(bool)],
            pd.factorize(labels["family_status"][middle])[0],
        ).p_value
    )
