"""What may carry a headline, redundant attributes within what determines them, and the wording."""

import inspect

import numpy as np
import pandas as pd
import pytest

from basket.analysis import comparisons, findings, goods, statistics, visuals
from basket.project.settings import Settings

LIFT = comparisons.LIFT


def comparison(grouping, measure, p_value, effect_name="ratio", **other) -> dict:
    """One row before all are judged: a ratio of 1.5, or an epsilon squared of 0.05."""
    effect = (1.5, 1.3, 1.8) if effect_name == "ratio" else (0.05, 0.03, 0.08)
    row = dict(zip(("effect", "effect_low", "effect_high"), effect, strict=True))
    row |= {
        "question": "Q9",
        "population": "active",
        "grouping": grouping,
        "measure": measure,
        "group_a": "x" if effect_name == "ratio" else "",
        "group_b": "",
        "unit": "share",
        "n": 100,
        "statistic": 3.0,
        "effect_name": effect_name,
        "p_value": p_value,
    }
    return row | other


def test_a_ratio_may_carry_a_headline_where_the_overall_test_survives_all_others(settings):
    rows = [
        comparison("region", "mean_order_value", 1e-9, "epsilon_squared"),
        comparison("region", "mean_order_value", 0.01),  # 0: its groups are proven to differ
        comparison("region", "mean_order_value", 0.9),  # its own verdict is missing
        comparison("gender", "mean_order_value", 0.04, "epsilon_squared"),
        comparison("gender", "mean_order_value", 1e-12),  # a few heavy customers: ranks say no
        comparison("region", "share of snacks", 1e-9, "epsilon_squared"),
        comparison("region", "snacks", 0.01, unit=LIFT),  # a lift and its share are one measure
        comparison(np.nan, np.nan, 1e-6),  # a time: there is no overall test to ask
        comparison(np.nan, np.nan, 0.01),
        comparison(np.nan, np.nan, 1e-6, effect=1.01, effect_low=1.005, effect_high=1.02),
        comparison("region", "orders", np.nan),
    ]
    judged = comparisons.judge(pd.DataFrame(rows), settings)
    assert list(judged["for_headline"]) == [
        "yes",
        "yes",
        "no",
        "no",
        "no",
        "yes",
        "yes",
        "yes",
        "no",
        "no",
        "no",
    ]
    assert list(judged["verdict"].isin(statistics.LABELS)) == [
        True,
        True,
        False,
        True,
        True,
        True,
        True,
        True,
        True,
        False,
        False,
    ]


def test_times_are_among_the_ratios_and_count_the_orders_they_say(settings):
    customers = pd.DataFrame({name: [12, 30] for name in comparisons.TOTALS})
    counts = np.array([[1, 4, 5, 2, 3], [0, 10, 13, 7, 11]])
    values = comparisons.measures(
        customers.assign(median_days_between_orders=7.0),
        np.array([[12], [30]]),
        counts,
        ["snacks"],
        settings,
    )
    sums = comparisons.customer_sums(
        customers, np.array([[12], [30]]), counts, ["snacks"], settings
    )
    times = comparisons.time_names(settings)
    assert list(values) == [*comparisons.UNITS, *times, "share of snacks"]
    assert times == [
        "orders in the night",
        "orders in the morning",
        "orders in the afternoon",
        "orders in the evening",
        "orders at the weekend",
    ]
    for number, time in enumerate(times):
        assert sums[time].tolist() == counts[:, number].tolist()
        assert values[time].tolist() == (counts[:, number] / [12, 30]).tolist()
    assert sums.names == [*comparisons.TOTALS, *times, "lines of snacks"]
    assert sums["lines of snacks"].tolist() == [12, 30] == sums["orders"].tolist()


@pytest.fixture
def determined() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Customers whose family status follows from their age, some of unknown age."""
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
    values = pd.DataFrame({measure: random.normal(size=n) for measure in comparisons.UNITS})
    values["orders"] += 10 * customers["age"].astype(float).fillna(200)  # differs only by age
    return customers, values, labels


def test_a_redundant_attribute_is_tested_within_named_strata(determined, settings: Settings):
    customers, values, labels = determined
    table = comparisons.within_tests(
        values, customers, labels, "family_status", ["age", "region"], settings
    )
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
            values["orders"][middle].to_numpy(), pd.factorize(labels["family_status"][middle])[0]
        ).p_value
    )


# ---- the wording -------------------------------------------------------------------------------


def said(function, settings: Settings, **tables: pd.DataFrame) -> findings.Finding:
    finding = findings.Finding("F01", "Q1")
    function(finding, findings.Evidence(tables, finding), settings)
    return finding


def spend(ratio: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "period": "hour",
            "key": [10, 19],
            "name": ["10:00", "19:00"],
            "spend": [9.0, 5.0],
            "spend_share": [0.6, 0.4],
            "mean_order_value": [80.0, 80 * ratio],
            "order_value_ratio": [1.0, ratio],
            "order_value_ratio_low": [0.99, ratio - 0.02],
            "order_value_ratio_high": [1.01, ratio + 0.02],
            "verdict": ["no practical difference", "small"],
            "for_headline": ["no", "yes"],
        }
    )


@pytest.mark.parametrize(
    ("ratio", "action"),
    [(1.2, "Advertise large baskets at 19:00"), (0.8, "Do not advertise large baskets at 19:00")],
)
def test_a_time_of_small_baskets_is_not_recommended_for_large_ones(ratio, action, settings):
    assert said(findings.spending, settings, spend_by_time=spend(ratio)).action.startswith(action)


def test_what_is_undecided_is_not_called_no_difference(settings):
    table = spend(1.2).assign(for_headline="no", verdict=["no practical difference", "undecided"])
    finding = said(findings.spending, settings, spend_by_time=table)
    assert "no time is proven to hold orders of another value" in finding.headline
    same = said(
        findings.spending, settings, spend_by_time=table.assign(verdict="no practical difference")
    )
    assert "hardly depends on the time" in same.headline


def income(*lifts: tuple[str, float]) -> dict[str, pd.DataFrame]:
    rows = pd.DataFrame(lifts, columns=["measure", "effect"])
    rows = rows.assign(
        grouping="income_group",
        group_a="Low income",
        n=100,
        for_headline="yes",
        verdict="large",
        effect_low=rows["effect"] - 0.1,
        effect_high=rows["effect"] + 0.1,
    )
    departments = pd.DataFrame(
        {"population": "active", "department": rows["measure"], "lines": 1_000}
    )
    shares = pd.DataFrame(
        {
            "grouping": ["income_group"],
            "group": ["Low income"],
            "share_of_customers": [0.2],
            "spend": [900.0],
        }
    )
    return {"department_lifts": rows, "departments": departments, "group_shares": shares}


def test_goods_of_low_incomes_are_shown_where_bought_more_and_not_where_bought_less(settings):
    both = said(
        findings.by_income,
        settings,
        **income(("snacks", 1.7), ("meat seafood", 0.4), ("missing", 2.5)),
    )
    assert both.headline.endswith("low income customers buy more snacks and less meat seafood")
    assert "show snacks to low income customers" in both.action
    less = said(findings.by_income, settings, **income(("meat seafood", 0.4)))
    assert "do not push meat seafood to low income customers" in less.action


def pair_table(*departments: tuple[str, str]) -> pd.DataFrame:
    """Pairs of products with falling lifts; of the last, more who buy b also buy a."""
    count = len(departments)
    return pd.DataFrame(
        {
            "product_a": range(count),
            "product_b": range(100, 100 + count),
            "product_name_a": [f"a{place}" for place in range(count)],
            "product_name_b": [f"b{place}" for place in range(count)],
            "department_a": [one for one, _ in departments],
            "department_b": [other for _, other in departments],
            "lift": [60.0 - place for place in range(count)],
            "lift_low": 2.0,
            "lift_high": 70.0,
            "orders_with_both": 90,
            "customers_with_both": 40,
            "confidence_a_to_b": [0.2] * count,
            "confidence_b_to_a": [0.1] * (count - 1) + [0.3],
        }
    )


def test_a_pair_of_two_departments_comes_before_flavours_of_one_product(settings):
    table = pair_table(("dairy", "dairy"), ("dairy", "dairy"), ("deli", "bakery"))
    finding = said(findings.pairs, settings, product_pairs=table)
    assert finding.headline.startswith("“a2” and “b2”")
    assert "two departments, deli and bakery" in finding.so_what
    assert finding.action == "Recommend “a2” to whoever puts “b2” into the basket."
    flavours = said(findings.pairs, settings, product_pairs=table.head(2))
    assert flavours.headline.startswith("“a0” and “b0”")
    assert "two kinds of one product" in flavours.so_what
    assert flavours.action == "Recommend “b0” to whoever puts “a0” into the basket."


@pytest.mark.parametrize(("reason", "words"), [*findings.BECAUSE.items()])
def test_every_reason_of_a_small_share_has_words_of_its_own(reason, words, settings):
    reach = pd.DataFrame(
        {
            "rank": [1, 2],
            "department": ["produce", "bulk"],
            "share": [0.9, 0.1],
            "lines": [90, 10],
            "reach": [0.9, 0.1],
            "orders_per_buyer": [9.0, 1.0],
            "main_reason": reason,
            "reach_against_typical": [2.0, 0.5],
        }
    )
    finding = said(findings.small_departments, settings, department_reach=reach)
    assert finding.headline == f"Bulk has the lowest share of order lines, 10.00%: {words}"
    assert reason in inspect.getsource(goods.department_reach)


def test_thresholds_are_said_with_their_value_and_unit():
    assert visuals.threshold_in_words("loyal_customer_above_orders", 40) == (
        "loyal customer above 40 orders"
    )
    said = visuals.threshold_in_words("middle_income_from_dollars", 5e4)
    assert said == "middle income from 50,000 dollars"


def test_what_does_not_rest_on_prices_is_answered_without_them():
    """How loyal customers are is a matter of orders: fabricated prices do not touch it."""
    needs = {function: needs for _, needs, function, _ in findings.FINDINGS}
    assert needs[findings.loyalty] == needs[findings.returning] == ()
    for function, needed in needs.items():
        if findings.PRICES not in needed and findings.CUSTOMERS not in needed:
            assert "US dollars" not in inspect.getsource(function), function.__name__
