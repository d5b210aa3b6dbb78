"""Moving thresholds: labels counted by hand, conclusions compared, impossible moves said so."""

import numpy as np
import pandas as pd
import pytest

from basket.analysis import sensitivity as sens
from basket.analysis.questions import q12_sensitivity
from basket.project.folders import ROOT
from basket.project.settings import load_settings

SETTINGS = load_settings(ROOT / "settings.yml")
RULES = SETTINGS.rules.corrected
HOURS = (np.arange(168).reshape(7, 24) + 1, 10 * np.arange(168).reshape(7, 24)[::-1] + 10)
CONTRACT = ["setting", "base", "changed", "customers_relabelled", "headlines_changed"]


CUSTOMERS = pd.DataFrame(  # near the thresholds of loyalty, frequency, age, income and spending
    {
        "max_order": [4, 9, 11, 35, 45],
        "median_days_between_orders": [9.0, 11, 19, np.nan, 30],
        "spend_cents": [900, 1100, 500, 0, 700],
        "priced_lines": [1, 1, 1, 0, 1],
        "age": [20, 39, 40, 64, 80],
        "n_dependants": [0, 1, 2, 3, 0],
        "income": pd.array([45_000, 55_000, 90_000, None, 110_000], "Int32"),
    }
)


PRODUCTS = pd.DataFrame(
    {
        "price_cents": pd.array([450, 550, 1300, None, 1700], "Int32"),
        "lines": np.array([10, 20, 30, 40, 50], np.int32),
    }
)


def run(headline_of=lambda _: {}, settings=SETTINGS):
    table = q12_sensitivity.sensitivity(
        CUSTOMERS, PRODUCTS, HOURS, RULES, settings, headline_of=headline_of
    )
    assert list(table.columns[:5]) == CONTRACT
    return table


def changed_settings(flag, cuts=None, thresholds=None, **entry):
    content = SETTINGS.model_dump()
    bands = {"bands": SETTINGS.flags[flag].bands_at(cuts)} if cuts else {}
    content["flags"][flag].update(bands, **entry)
    content["thresholds"].update(thresholds or {})
    return type(SETTINGS).model_validate(content)


def named(setting, settings=SETTINGS):
    return next(each for each in sens.thresholds(settings) if each.setting == setting)


def test_each_threshold_that_labels_is_moved_both_ways():
    table = run()
    cuts = sum(len(flag.cuts) for flag in SETTINGS.flags.values())
    assert table["setting"].nunique() == cuts + len(["busiest_hours", "busiest_days"])
    assert (table.groupby("setting").size() == 2).all()
    assert (table["changed"] < table["base"]).tolist() == [True, False] * (len(table) // 2)


@pytest.mark.parametrize(
    ("name", "direction", "expected"),
    [
        ("loyal_customer_above_orders", -1, 32),
        ("loyal_customer_above_orders", 1, 48),
        ("active_from_orders", -1, 4),
        ("active_from_orders", 1, 6),
        ("busiest_days", -1, 1),
        ("busiest_days", 1, 3),
        ("busiest_hours", 1, 10),
        ("regular_customer_above_days", 1, 12),
        ("mid-range_product_above_dollars", -1, 4),
        ("middle_income_from_dollars", 1, 60_000),
        ("age_group_65+_from_years", -1, 52),
    ],
)
def test_a_fifth_and_at_least_one_step(name, direction, expected):
    value, changed = sens.moved(SETTINGS, named(name), direction)
    assert value == expected
    before, after = ([each.value for each in sens.thresholds(s)] for s in (SETTINGS, changed))
    place = [each.setting for each in sens.thresholds(SETTINGS)].index(name)
    assert after == [*before[:place], expected, *before[place + 1 :]]
    assert changed.thresholds.price_ceiling_dollars == SETTINGS.thresholds.price_ceiling_dollars


def test_a_label_that_states_an_age_follows_the_move():
    _, changed = sens.moved(SETTINGS, named("age_group_65+_from_years"), -1)
    assert changed.flags["age_group"].labels == ["18-39", "40-51", "52+"]


def test_two_thresholds_never_have_one_name():
    """Regular customers are those of loyalty and of frequency; here in one unit."""
    found = sens.thresholds(changed_settings("frequency_flag", unit="orders"))
    names = [each.setting for each in found]
    assert len(set(names)) == len(names)
    assert "frequency_flag_regular_customer_above_orders" in names


def test_dollars_keep_no_floating_noise():
    settings = changed_settings("price_range", [7, 15])
    value, changed = sens.moved(settings, named("mid-range_product_above_dollars", settings), 1)
    assert value == changed.flags["price_range"].cuts[0] == 8.4


def test_relabelled_customers_are_counted_by_hand():
    table = run()
    expected = {
        "loyal_customer_above_orders": [1, 1],  # 35 orders; 45 orders
        "regular_customer_above_orders": [1, 1],  # 9; 11
        "active_from_orders": [1, 0],  # 4 orders
        "regular_customer_above_days": [1, 1],  # 9; 11 days
        "non-frequent_customer_above_days": [1, 0],  # 19
        "high_spender_from_dollars": [1, 1],  # 9; 11 dollars
        "age_group_40-64_from_years": [1, 1],  # 39; 40 years
        "age_group_65+_from_years": [1, 0],  # 64
        "middle_income_from_dollars": [1, 1],  # 45,000; 55,000
        "high_income_from_dollars": [1, 1],  # 90,000; 110,000
    }
    found = table.groupby("setting")["customers_relabelled"].agg(list)
    assert {name: found[name] for name in expected} == expected
    people = table[table["unit"] == "customers"]
    assert (people["relabelled"] == people["customers_relabelled"]).all()
    assert people["share_relabelled"].tolist() == pytest.approx(
        (people["customers_relabelled"] / 5).tolist()
    )


def test_a_customer_whose_profile_alone_moves_is_counted_once():
    labels = sens.relabel(CUSTOMERS, SETTINGS)

    def moved(name, direction):
        return sens.relabel(CUSTOMERS, sens.moved(SETTINGS, named(name), direction)[1])

    changed = moved("age_group_65+_from_years", -1)
    differs = [flag for flag in labels if (labels[flag].cat.codes != changed[flag].cat.codes).any()]
    assert differs == ["age_group"]  # income is missing
    changed = moved("age_group_40-64_from_years", 1)
    assert np.flatnonzero(q12_sensitivity.is_relabelled(labels, changed)).tolist() == [2]
    assert labels["profile"][2] != changed["profile"][2]


def test_prices_relabel_lines_and_hours_relabel_orders():
    table = run()
    lines = table[table["unit"] == "lines"]
    assert lines["relabelled"].tolist() == [10, 20, 30, 50]
    assert lines["share_relabelled"].tolist() == pytest.approx(
        [10 / 150, 20 / 150, 30 / 150, 50 / 150]
    )
    assert (lines["customers_relabelled"] == 0).all()
    orders = table[table["setting"] == "busiest_days"]
    by_day = HOURS[0].sum(axis=1)  # the last two days are the busiest, the first two the slowest
    assert orders["relabelled"].tolist() == [by_day[5] + by_day[1], by_day[4] + by_day[2]]


def test_under_course_rules_the_hours_are_ranked_by_lines():
    uneven = HOURS[0], HOURS[1][:, ::-1]
    for rules, day in ((SETTINGS.rules.course, 0), (RULES, 6)):  # day 0 has most lines
        labels = sens.relabel_hours(*uneven, rules, SETTINGS)["busiest_day"]
        assert labels.iloc[day * 24] == SETTINGS.flags["busiest_day"].labels[0]


def test_headlines_changed_counts_the_conclusions_that_differ():
    def headline_of(settings):
        loyal = settings.flags["loyalty_flag"].cuts[1]
        conclusions = {"F-01": "small" if loyal <= 40 else "undecided", "F-02": "up"}
        return conclusions if loyal >= 40 else conclusions | {"F-03": "down"}

    table = run(headline_of)
    changed = table[table["headlines_changed"] > 0]
    assert changed["setting"].unique().tolist() == ["loyal_customer_above_orders"]
    assert changed["headlines_changed"].tolist() == [1, 1]


def test_where_no_label_changes_no_conclusion_is_drawn_again():
    calls = []
    table = run(lambda settings: calls.append(settings) or {})
    assert len(calls) == 1 + (table["relabelled"] > 0).sum()


def test_a_move_that_settings_do_not_allow_is_left_empty():
    settings = changed_settings("age_group", [60, 65], {"busiest_days": 3})
    table = run(settings=settings).set_index("setting")
    up = table.loc["age_group_60-64_from_years"].iloc[1]
    assert up["base"] == 60
    assert up[["changed", "customers_relabelled", "headlines_changed", "relabelled"]].isna().all()
    assert pd.isna(table.loc["busiest_days"].iloc[1]["changed"])
    assert table.loc["busiest_days"].iloc[0]["changed"] == 2


def test_whole_thresholds_are_printed_whole():
    table = run()
    assert table.loc[table["setting"] == "busiest_hours", "changed"].tolist() == [6, 10]
    assert str(table["base"].dtype) == str(table["changed"].dtype) == "Int64"
