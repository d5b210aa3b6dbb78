"""What may carry a headline, and redundant attributes within what determines them."""

import numpy as np
import pandas as pd
import pytest

from basket.analysis import comparisons, groups, statistics
from basket.analysis.groups import People
from basket.project.settings import Settings


def comparison(grouping, measure, p_value, effect_name="ratio", **other) -> dict:
    """Give one row before all are judged: a ratio of 1.5, or an epsilon squared of 0.05."""
    effect = (1.5, 1.3, 1.8) if effect_name == "ratio" else (0.05, 0.03, 0.08)
    found = statistics.Estimate(effect_name, *effect, statistic=3.0, p_value=p_value, n=100)
    return comparisons.row("Q9", grouping, measure, found, unit="share") | other


def test_a_ratio_may_carry_a_headline_where_the_overall_test_survives_all_others(settings):
    epsilon = "epsilon_squared"
    near_1 = {"effect": 1.01, "effect_low": 1.005, "effect_high": 1.02}
    cases = [  # a comparison; may it carry a headline; is its own verdict a difference
        (comparison("region", "mean_order_value", 1e-9, epsilon), "yes", True),
        # its groups are proven to differ
        (comparison("region", "mean_order_value", 0.01), "yes", True),
        # its own verdict is missing
        (comparison("region", "mean_order_value", 0.9), "no", False),
        (comparison("gender", "mean_order_value", 0.04, epsilon), "no", True),
        # a few heavy customers: ranks say no
        (comparison("gender", "mean_order_value", 1e-12), "no", True),
        (comparison("region", "share of snacks", 1e-9, epsilon), "yes", True),
        # a lift and its share are one measure
        (comparison("region", "snacks", 0.01, unit=comparisons.LIFT), "yes", True),
        # a time: there is no overall test to ask
        (comparison(np.nan, np.nan, 1e-6), "yes", True),
        (comparison(np.nan, np.nan, 0.01), "no", True),
        (comparison(np.nan, np.nan, 1e-6, **near_1), "no", False),
        (comparison("region", "orders", np.nan), "no", False),
    ]
    rows, headlines, differences = zip(*cases, strict=True)
    judged = comparisons.judge_together(pd.DataFrame(rows), settings)
    assert tuple(judged["for_headline"]) == headlines
    assert tuple(judged["verdict"].isin(statistics.LABELS)) == differences


def test_times_are_among_the_ratios_and_count_the_orders_they_say(settings):
    customers = pd.DataFrame({name: [12, 30] for name in groups.TOTALS})
    counts = np.array([[1, 4, 5, 2, 3], [0, 10, 13, 7, 11]])
    people = People(
        customers.assign(median_days_between_orders=7.0),
        pd.DataFrame(index=customers.index),
        np.array([[12], [30]]),
        counts,
        ["snacks"],
    )
    values = comparisons.measures(people, settings)
    sums = comparisons.customer_sums(people, settings).columns
    times = comparisons.time_names(settings)
    assert list(values) == [*comparisons.UNITS, *times, "share of snacks"]
    dayparts = ("night", "morning", "afternoon", "evening")
    assert times == [*(f"orders in the {part}" for part in dayparts), "orders at the weekend"]
    for number, time in enumerate(times):
        assert sums[time].tolist() == counts[:, number].tolist()
        assert values[time]().tolist() == (counts[:, number] / [12, 30]).tolist()
    assert list(sums) == [*groups.TOTALS, *times, "lines of snacks"]
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
    columns = pd.DataFrame({measure: random.normal(size=n) for measure in comparisons.UNITS})
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
