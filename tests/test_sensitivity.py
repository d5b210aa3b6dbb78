"""Moving thresholds: labels counted by hand, conclusions compared, impossible moves said so."""

import numpy as np
import pandas as pd
import pytest

from basket.analysis import conclusions, daypart_goods, statistics
from basket.analysis import sensitivity as sens
from basket.analysis.chosen_times import confirmed_goods
from basket.analysis.halves import in_first_half
from basket.analysis.questions import q12_sensitivity
from basket.project.folders import ROOT
from basket.project.settings import load_settings
from basket.tables.ids import IdIndex

SETTINGS = load_settings(ROOT / "settings.yml")
RULES = SETTINGS.rules.corrected
HOURS = (np.arange(168).reshape(7, 24) + 1, 10 * np.arange(168).reshape(7, 24)[::-1] + 10)
CONTRACT = ["setting", "base", "changed", "customers_relabelled", "headlines_changed"]


CUSTOMERS = pd.DataFrame(  # near the thresholds of loyalty, frequency, age, income and spending
    {
        "max_order": [4, 9, 11, 35, 45],
        "median_days_between_orders": [9.0, 11, 19, np.nan, 30],
        "spend_cents": [900, 1100, 500, 0, 700],
        "lines": [1, 1, 1, 1, 1],
        "orders": [1, 1, 1, 1, 1],
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


def run(headline_of=lambda _: {}, settings=SETTINGS, verdicts=lambda _: np.array(["small"] * 4)):
    table = q12_sensitivity.sensitivity(
        PRODUCTS,
        HOURS,
        RULES,
        settings,
        customers_under=sens.Relabelling(CUSTOMERS, SETTINGS).under,
        conclusions_under=headline_of,
        verdicts_under=verdicts,
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
    others = {"busiest_hours", "busiest_days", "waking_hours_from_hour", "waking_hours_until_hour"}
    others |= {"window_of_hours", "morning_from_hour", "afternoon_from_hour", "evening_from_hour"}
    others |= {f"small_{name}_from_size" for name in ("ratio", "epsilon_squared", "cramers_v")}
    assert others < set(table["setting"])
    assert table["setting"].nunique() == cuts + len(others)
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
        ("waking_hours_from_hour", -1, 6),
        ("waking_hours_until_hour", 1, 24),
        ("window_of_hours", 1, 4),
        ("evening_from_hour", -1, 17),
        ("small_ratio_from_size", -1, 1.04),
        ("small_epsilon_squared_from_size", 1, 0.012),
    ],
)
def test_a_fifth_and_at_least_one_step(name, direction, expected):
    value, changed = sens.moved(SETTINGS, named(name), direction)
    assert value == expected
    before, after = ([each.value for each in sens.thresholds(s)] for s in (SETTINGS, changed))
    place = [each.setting for each in sens.thresholds(SETTINGS)].index(name)
    assert after == [*before[:place], expected, *before[place + 1 :]]
    assert changed.thresholds.price_ceiling_dollars == SETTINGS.thresholds.price_ceiling_dollars


@pytest.mark.parametrize(
    ("cut", "direction", "expected"),
    [(9.9999, -1, 7.9999), (9.9999, 1, 11.9999), (0.0002, -1, 0.0001), (0.0002, 1, 0.0003)],
)
def test_a_cut_as_exact_as_settings_allow_can_be_moved(cut, direction, expected):
    settings = changed_settings("spending_flag", [cut])
    value, changed = sens.moved(settings, named("high_spender_from_dollars", settings), direction)
    assert changed.flags["spending_flag"].cuts == [value] == [expected]


def test_an_hour_that_moves_takes_its_neighbour_along():
    _, changed = sens.moved(SETTINGS, named("evening_from_hour"), -1)
    assert changed.dayparts["Evening"] == [17, 23]
    assert changed.dayparts["Afternoon"] == [12, 16]
    _, changed = sens.moved(SETTINGS, named("waking_hours_until_hour"), 1)
    assert changed.waking_hours == [7, 23]  # up to and including


def test_waking_hours_that_hold_no_window_are_left_empty():
    content = SETTINGS.model_dump() | {"waking_hours": [19, 22], "window_hours": 4}
    table = run(settings=type(SETTINGS).model_validate(content)).set_index("setting")
    for name, place in (("waking_hours_from_hour", 1), ("window_of_hours", 1)):
        assert pd.isna(table.loc[name, "changed"].iloc[place])
        assert table.loc[name, "conclusions_changed"].iloc[place] == ""


def test_hours_relabel_the_orders_in_them_and_effects_the_comparisons():
    def verdicts(settings):
        smallest = settings.statistics.effects.ratio[0]
        return np.array(["small" if smallest <= 1.05 else "undecided", "small", "large"])

    table = run(verdicts=verdicts).set_index("setting")
    by_hour = HOURS[0].sum(axis=0)
    assert table.loc["waking_hours_from_hour", "relabelled"].tolist() == [by_hour[6], by_hour[7]]
    assert table.loc["waking_hours_until_hour", "relabelled"].tolist() == [by_hour[22], by_hour[23]]
    assert table.loc["morning_from_hour", "relabelled"].tolist() == [by_hour[5], by_hour[6]]
    assert table.loc["window_of_hours", "relabelled"].tolist() == [0, 0]
    assert table.loc["small_ratio_from_size", "relabelled"].tolist() == [0, 1]
    assert table.loc["small_ratio_from_size", "unit"].tolist() == ["comparisons"] * 2


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
    relabelling = sens.Relabelling(CUSTOMERS, SETTINGS)
    labels = relabelling.under(SETTINGS)

    def moved(name, direction):
        return relabelling.under(sens.moved(SETTINGS, named(name), direction)[1])

    changed = moved("age_group_65+_from_years", -1)
    differs = [flag for flag in labels if (labels[flag].cat.codes != changed[flag].cat.codes).any()]
    assert differs == ["age_group"]  # income is missing
    changed = moved("age_group_40-64_from_years", 1)
    assert np.flatnonzero(q12_sensitivity.is_relabelled(labels, changed)).tolist() == [2]
    assert labels["profile"][2] != changed["profile"][2]


def test_labels_that_are_kept_are_those_that_would_be_made_anew():
    relabelling = sens.Relabelling(CUSTOMERS, SETTINGS)
    moves = [sens.moved(SETTINGS, threshold, 1) for threshold in sens.thresholds(SETTINGS)]
    for _, changed in filter(None, moves):
        anew = sens.Relabelling(CUSTOMERS, changed).under(changed)
        pd.testing.assert_frame_equal(relabelling.under(changed), anew)


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
    assert changed["conclusions_changed"].tolist() == ["F-03", "F-01"]
    assert table["conclusions_changed"].isin(["", "F-03", "F-01"]).all()


def test_a_move_that_settings_do_not_allow_is_left_empty():
    settings = changed_settings("age_group", [60, 65], {"busiest_days": 3})
    table = run(settings=settings).set_index("setting")
    up = table.loc["age_group_60-64_from_years"].iloc[1]
    assert up["base"] == 60
    assert up[["changed", "customers_relabelled", "headlines_changed", "relabelled"]].isna().all()
    assert pd.isna(table.loc["busiest_days"].iloc[1]["changed"])
    assert table.loc["busiest_days"].iloc[0]["changed"] == 2


def test_minimum_supports_are_moves_of_the_pairs():
    supports = pd.DataFrame(
        {
            "minimum_support": [0.001, 0.0008, 0.0012],
            "pairs": [40, 46, 31],
            "candidates": ["1 + 2", "1 + 2", "1 + 2; 3 + 4"],
        }
    )
    table = q12_sensitivity.supports_moved(supports)
    assert table["base"].tolist() == [0.001, 0.001]
    assert table["changed"].tolist() == [0.0008, 0.0012]
    assert table["relabelled"].tolist() == [6, 9]
    assert table["headlines_changed"].tolist() == [0, 1]
    assert table["conclusions_changed"].tolist() == ["", "Q11 pairs"]


# ---- conclusions --------------------------------------------------------------------------------


def orders_by_day_hour():
    """Orders that fall by the hour from 10:00 on, on every day, more of them on later days."""
    by_hour = np.where(np.arange(24) < 10, 30 * np.arange(24), 12 * (34 - np.arange(24)))
    return by_hour + np.arange(7)[:, None]


@pytest.mark.parametrize(
    ("waking", "length", "expected"),
    [
        ((7, 22), 3, (20, 23)),
        ((7, 21), 3, (19, 22)),
        ((7, 23), 3, (21, 24)),
        ((7, 22), 2, (21, 23)),
        ((6, 22), 3, (20, 23)),
        ((9, 20), 3, (18, 21)),
        ((1, 20), 3, (1, 4)),
    ],
)
def test_the_quiet_window_moves_with_the_waking_hours(waking, length, expected):
    content = SETTINGS.model_dump() | {"waking_hours": list(waking), "window_hours": length}
    settings = type(SETTINGS).model_validate(content)
    assert conclusions.quiet_hours(orders_by_day_hour(), settings) == expected


def test_a_day_without_orders_is_not_quiet_and_no_orders_are_no_window():
    orders = orders_by_day_hour()
    orders[3] = 0
    assert conclusions.quiet_hours(orders, SETTINGS) == (20, 23)
    assert conclusions.quiet_hours(0 * orders, SETTINGS) is None


def rows(*each):
    names = ["measure", "group", "effect_name", "effect", "for_headline", "verdict"]
    return pd.DataFrame(each, columns=names)


def test_the_strongest_claim_is_the_one_that_must_stand():
    table = rows(
        ("snacks", "", "epsilon_squared", 0.9, "yes", "large"),
        ("snacks", "0", "ratio", 1.8, "yes", "large"),
        ("meat", "0", "ratio", 0.4, "yes", "large"),
        ("produce", "0", "ratio", 0.1, "no", "undecided"),
    )
    assert conclusions._strongest(table) == ("meat", "0", False)
    assert conclusions._claims(table) == {
        ("snacks", "", True),
        ("snacks", "0", True),
        ("meat", "0", False),
    }
    assert conclusions._strongest(table[3:]) is None


def test_a_conclusion_is_a_difference_if_one_comparison_is_and_none_if_all_say_so():
    claim = ("snacks", "0", "ratio", 1.8, "yes", "large")
    same = ("meat", "0", "ratio", 1.0, "no", "no practical difference")
    open_still = ("meat", "0", "ratio", 0.9, "no", "undecided")
    table = pd.concat(
        rows(*those).assign(conclusion=name)
        for name, those in {
            "one differs": (same, claim),
            "all alike": (same, same),
            "one is undecided": (same, open_still),
            "": (claim,),  # within the groups of another attribute: no finding's conclusion
        }.items()
    )
    named = {"one differs": ("snacks", "0", True), "all alike": ("meat", "0", False)}
    assert conclusions.kinds(table, named) == {
        "one differs": ("difference", True),
        "all alike": ("no practical difference", False),
        "one is undecided": ("undecided", True),
    }


@pytest.fixture(scope="module")
def analysed(built, panel):
    """Give the names of notebook 05 on the real panel."""
    return built(panel, "corrected").analysis


def test_the_quiet_window_is_that_of_the_report_if_it_names_one(analysed):
    counts, results, settings = (analysed[name] for name in ("counts", "results", "settings"))
    found = results["quiet_windows"]
    first = found.iloc[0]
    late = found.assign(
        is_quiet=["no"] * (len(found) - 1) + ["yes"]
    )  # the last one alone is proven
    for table, expected in (
        (found, (first["from_hour"], first["to_hour"])),
        (late, (late["from_hour"].iloc[-1], late["to_hour"].iloc[-1])),
        (found.assign(is_quiet="no"), None),
    ):
        given = results | {"quiet_windows": table}
        made = conclusions.Conclusions(counts, given, daypart_goods.DaypartGoods([], None, {}))
        assert made.under(settings).get("Q1 quiet window") == expected


def test_on_real_data_the_window_hangs_on_the_waking_hours_and_no_hour_on_people(analysed):
    table = analysed["results"]["sensitivity"].set_index("setting")
    assert table["base"].notna().all()
    assert "Q1 quiet window" in table.loc["waking_hours_until_hour", "conclusions_changed"].tolist()
    of_hours = table.loc[["waking_hours_from_hour", "waking_hours_until_hour", "window_of_hours"]]
    assert set(of_hours["conclusions_changed"]) <= {"", "Q1 quiet window"}
    unused = table.loc["high_spender_from_dollars"]
    assert unused["share_relabelled"].max() > 0.3
    assert (unused["headlines_changed"] == 0).all()


def test_the_range_with_most_money_ends_where_that_of_the_report_does():
    """0.29 dollars are 29 cents, and less than that as a product of floats."""
    made = object.__new__(conclusions.Conclusions)
    made._products = pd.DataFrame({"price_cents": [29, 900, None], "lines": [50, 1, 9]})
    assert made._range_with_most_money(changed_settings("price_range", [0.29, 15])) == 0
    assert made._range_with_most_money(changed_settings("price_range", [0.28, 15])) == 1


def test_a_customer_is_judged_by_all_comparisons_and_by_q(analysed):
    """What is made anew and what is taken from the report are judged together, once."""
    counts, results = analysed["counts"], analysed["results"]
    made = conclusions.Conclusions(counts, results, daypart_goods.DaypartGoods([], None, {}))
    settings = analysed["settings"]
    judged = made._judged[made._judge(settings)]
    whole = sum(len(results[name]) for name in ("tests", "department_lifts"))
    whole += sum(len(results[name]) for name in ("spend_by_time", "department_times"))
    assert 0.95 * whole < len(judged) <= whole + 60
    tests = judged[judged["reason"] == ""]
    expected = statistics.false_discovery(tests["p_value"])
    np.testing.assert_array_equal(tests["q_value"], expected)
    said = made.under(settings)
    assert {"Q1 quiet window", "Q6 loyalty", "Q7 region", "Q8 age", "Q9 income"} < set(said)
    assert said["Q9 income"] == ("difference", True)
    assert all(stands for kind, stands in (said[name] for name in ("Q7 region", "Q8 age")))


# ---- goods by time ------------------------------------------------------------------------------


def test_lines_by_customer_and_hour_are_counted_by_hand():
    second = [user for user in range(1, 30) if not in_first_half(np.array([user]))[0]][:2]
    first = next(user for user in range(1, 30) if in_first_half(np.array([user]))[0])
    low, active = SETTINGS.flags["exclusion_flag"].labels
    users = [first, *second]
    customers = pd.DataFrame(
        {
            "user_id": users,
            "exclusion_flag": pd.Categorical([active, active, active], categories=[low, active]),
        }
    )
    orders = pd.DataFrame(
        {
            "order_id": [1, 2, 3, 4],
            "user_id": [users[1], users[1], users[2], users[0]],
            "order_hour": [9, 20, 9, 9],
            "lines": [2, 1, 3, 5],
        }
    )
    merged = pd.DataFrame({"order_id": [1, 1, 2, 3, 3, 3, 4], "product_key": [0, 1, 0, 2, 2, 0, 0]})
    found = daypart_goods.count_part(
        merged,
        orders,
        customers,
        of_product=IdIndex(np.array([0, 1, 2])),
        department=np.array([0, -1, 1]),
        departments=2,
        settings=SETTINGS,
    )[1]
    assert found["users"][0].tolist() == second
    assert found["lines"][0][:, [9, 20]].tolist() == [[2, 1], [3, 0]]
    assert found["goods"][0][:, :, 9].tolist() == [[1, 0], [1, 2]]
    assert found["goods"][0].sum() == 5


def test_what_sells_better_in_the_evening_is_asked_again_with_another_evening():
    rng = np.random.default_rng(1)
    lines = rng.poisson(10, (400, 24))
    goods = rng.binomial(lines, 0.1)
    goods[:, 18] = rng.binomial(lines[:, 18], 0.6)  # in the first hour of the evening alone
    made = daypart_goods.DaypartGoods([("Evening", "frozen")], lines, {"frozen": goods})
    assert made.confirmed(SETTINGS) == (True,)
    later = sens.moved(SETTINGS, named("evening_from_hour"), 1)[1]
    assert made.confirmed(later) == (False,)


def test_only_confirmed_goods_are_asked_again():
    table = pd.DataFrame(
        {
            "topic": ["goods by time: Evening", "goods by time: Night", "order value by time"],
            "group": ["Evening", "Night", "Friday"],
            "measure": ["frozen", "pets", "order value"],
            "confirmed": ["yes", "no", "yes"],
            "effect_first_half": [1.2, 1.3, 1.4],
        }
    )
    confirmed = confirmed_goods(table)
    assert list(zip(confirmed["group"], confirmed["measure"], strict=True)) == [
        ("Evening", "frozen")
    ]
    nothing = daypart_goods.DaypartGoods.of(None, None, table.head(0))
    assert (nothing.chosen, nothing.goods) == ([], {})
