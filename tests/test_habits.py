"""Segments, offers and trials: against independent SQL, and at their boundaries."""

import numpy as np
import pandas as pd
import pytest

import oracle_habits
from basket.analysis import predicting
from basket.analysis.questions import q13_offers, q14_trial
from basket.project.settings import load_settings
from conftest import SETTINGS_FILE

SETTINGS = load_settings(SETTINGS_FILE)
DATA = ("generated", "panel")
RULES = ("corrected", pytest.param("course", marks=pytest.mark.slow))


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("data", DATA)
def test_offers_hit_as_often_as_the_sql_says(built, request, data, rules):
    data = request.getfixturevalue(data)
    found = built(data, rules).all_results["offers"].set_index(["source", "last_order"])
    expected = oracle_habits.offers(data, rules).set_index(["source", "last_order"])
    assert set(found.index) == set(expected.index)
    expected = expected.loc[found.index]
    assert found["customers"].tolist() == expected["customers"].tolist()
    for measure in ("precision", "recall"):
        np.testing.assert_allclose(found[measure], expected[measure], rtol=1e-9)


def test_on_the_real_panel_own_history_hits_three_times_as_often(built, panel):
    table = built(panel, "corrected").all_results["offers"]
    hit = table[table["last_order"] == "all"].set_index("source")["precision"]
    assert hit["own"] >= 3 * hit["store"]


def test_on_the_real_panel_habits_predict_and_people_do_not(built, panel):
    """Lines an order of the second half of a customer's orders, mean over 40 splits."""
    table = built(panel, "corrected").all_results["segment_gain"]
    told = table[table["measure"] == "lines_per_order"].set_index("grouping")["r_squared"]
    assert told["segment"] >= 0.42
    assert told["segment"] - told["income_group"] >= 0.3


@pytest.mark.parametrize("data", DATA)
def test_the_largest_share_of_one_customer_is_that_of_orders_lines_or_spend(built, request, data):
    run = built(request.getfixturevalue(data), "corrected")
    people = run.table("analysis_customers")
    people = people[people["exclusion_flag"] == "Active"]
    habits = run.results["habits"].set_index(["population", "grouping", "group"])
    for grouping in ("segment", "region"):
        for group, those in people.groupby(people[grouping].astype(str)):
            shares = [
                those[total].max() / those[total].sum()
                for total in ("orders", "lines", "spend_cents")
            ]
            found = habits.loc[("active", grouping, group), "largest_share"]
            assert found == pytest.approx(max(shares)), (grouping, group)


# ---- offers -------------------------------------------------------------------------------------


def test_a_history_goes_by_orders_then_by_the_latest_then_by_the_id():
    """Products 0 to 3 in the order of their ids; lines of two customers."""
    who = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    product = np.array([3, 3, 2, 1, 0, 0, 2, 1])
    number = np.array([1, 2, 3, 2, 2, 2, 1, 1])
    keys = q13_offers.distinct((who * 4 + product) * 5 + number)
    pairs, bought = q13_offers.histories(*np.divmod(keys, 5), 5, 4)
    assert pairs.tolist() == [[0, 3], [0, 2], [0, 0], [0, 1], [1, 1], [1, 2]]
    assert bought.tolist() == [2, 1, 1, 1, 1, 1]  # twice in one order is once


def test_best_sellers_go_by_sales_then_by_the_id_and_leave_out_what_was_not_sold():
    best = q13_offers.best_sellers(np.array([[5, 7, 0, 5]]))
    assert best.tolist() == [[1, 0, 3, -1]]


def test_keys_are_among_the_listed_as_numpy_says():
    draw = np.random.default_rng(6)
    for listed in (draw.integers(0, 50, 20), np.array([], int), np.array([49])):
        keys = np.unique(draw.integers(0, 60, 40))
        assert q13_offers.is_among(keys, listed).tolist() == np.isin(keys, listed).tolist()


# ---- what predicts -----------------------------------------------------------------------------


def gained(codes: np.ndarray, outcome: np.ndarray, judged: np.ndarray) -> float:
    """R^2 of one grouping for one outcome."""
    of = [
        predicting.errors(each, {"outcome": outcome}, judged)["outcome"]
        for each in (codes, np.zeros(len(codes), int))
    ]
    return 1 - of[0].sum() / of[1].sum()


def test_a_group_that_tells_everything_explains_everything_and_lots_explain_nothing():
    draw = np.random.default_rng(1)
    codes, judged = draw.integers(0, 3, 600), draw.random((600, 40)) < 0.5
    assert gained(codes, codes * 10.0, judged) == 1
    assert abs(gained(draw.integers(0, 3, 600), codes * 10.0, judged)) < 0.03


def test_errors_are_those_of_a_plain_loop():
    """40 customers in three groups, some without one, some of unknown outcome; 5 splits."""
    draw = np.random.default_rng(3)
    codes, judged = draw.integers(-1, 3, 40), draw.random((40, 5)) < 0.5
    outcome = np.where(draw.random(40) < 0.1, np.nan, draw.normal(size=40))
    codes[0], outcome[0] = 3, 1.0  # a group of one: nothing is learnt of it where it is judged
    expected = np.zeros(40)
    for split in range(5):
        learnt = [i for i in range(40) if not judged[i, split] and not np.isnan(outcome[i])]
        for i in range(40):
            alike = [k for k in learnt if codes[k] == codes[i] >= 0] or learnt
            if judged[i, split] and not np.isnan(outcome[i]):
                expected[i] += (outcome[i] - outcome[alike].mean()) ** 2
    found = predicting.errors(codes, {"outcome": outcome}, judged)["outcome"]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_where_all_are_alike_there_is_nothing_to_predict():
    codes, judged = np.arange(90) % 3, np.random.default_rng(4).random((90, 40)) < 0.5
    found = predicting.errors(codes, {"outcome": np.full(90, 0.1)}, judged)["outcome"]
    assert not found.any()


def test_what_cannot_be_told_from_half_of_the_orders_predicts_nothing():
    """A spending flag may be made of reordered lines, whose labels are those of all orders."""
    random = np.random.default_rng(3)
    names = (*predicting.SUMS, "median_gap")
    first = {name: random.integers(20, 60, 50).astype(float) for name in names}
    people = ("profile", "income_group", "loyalty_flag", "spending_flag", "segment")
    labels = pd.DataFrame({name: pd.Categorical(["a", "b"] * 25) for name in people})
    everything = list(predicting.groupings(labels, first, SETTINGS))
    assert everything == [*people, "kmeans"]
    of_reorders = SETTINGS.flags["spending_flag"].model_copy(
        update={"source": "reordered_lines / lines"}
    )
    changed = {"flags": SETTINGS.flags | {"spending_flag": of_reorders}}
    found = predicting.groupings(labels, first, SETTINGS.model_copy(update=changed))
    assert list(found) == [name for name in everything if name != "spending_flag"]


def test_the_middle_order_belongs_to_the_first_half():
    orders = pd.DataFrame(
        {
            "user_id": [7] * 5,
            "order_number": [1, 2, 3, 4, 5],
            "lines": [1, 2, 3, 4, 5],
            "spend_cents": [0] * 5,
            "priced_lines": [0] * 5,
            "days_since_prior_order": pd.array([pd.NA, 3, 5, 7, 9], "Int8"),
        }
    )
    _, sums = predicting.count_part(orders, pd.DataFrame({"user_id": [7]}))
    assert sums["first_lines"][0].tolist() == [6] and sums["second_lines"][0].tolist() == [9]
    assert sums["first_median_gap"][0].tolist() == [4] and sums["second_gap_days"][0][0] == 16


# ---- trials -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("data", DATA)
def test_trials_count_the_orders_that_the_sql_counts(built, request, data, rules):
    data = request.getfixturevalue(data)
    run = built(data, rules)
    touches = [{"day": "Thursday", "daypart": "Evening", "hours": (20, 23), "direction": "more"}]
    findings = [
        {"id": "F1", "action": "a", "action_basis": "hypothesis", "touches": touches},
        {
            "id": "F2",
            "action": "b",
            "action_basis": "hypothesis",
            "touches": [{"segment": "Weekly big shop", "direction": "more"}],
        },
        {"id": "F3", "action": "c", "action_basis": "design", "touches": []},
        {
            "id": "F4",
            "action": "d",
            "action_basis": "hypothesis",
            "touches": [{"day": "Thursday", "attribute": "larger orders", "direction": "more"}],
        },
        {
            "id": "F5",
            "action": "e",
            "action_basis": "hypothesis",
            "touches": [],
            "prize": {"lever": "one more line"},
        },
        {
            "id": "F6",
            "action": "f",
            "action_basis": "hypothesis",
            "touches": [{"segment": "Low income", "attribute": "income", "direction": "more"}],
        },
        {
            "id": "F7",
            "action": "g",
            "action_basis": "hypothesis",
            "touches": [{"attribute": "own usual gap", "direction": "more"}],
        },
    ]
    stage = run.open("05_visualise")
    with run.environment():
        plan = q14_trial.trial_plan(
            stage, run.analysis["counts"], findings, run.analysis["results"]["prizes"]
        )
    expected = oracle_habits.orders_in_trial(data, rules)
    of_all = expected[["segment", "income_group", "has_usual_gap"]].isna().all(axis=1)
    everyone = expected[of_all].iloc[0]
    punctual = expected[expected["has_usual_gap"] == True].iloc[0]  # noqa: E712 (may be missing)
    poor = expected[expected["income_group"] == "Low income"].iloc[0]
    segment = expected[expected["segment"] == "Weekly big shop"].iloc[0]
    assert set(plan["finding"]) == {"F1", "F2", "F4", "F5", "F6", "F7"}
    larger = plan[plan["finding"].isin(["F4", "F5"])]
    assert set(larger["outcome"]) == {"order lines"}
    assert set(larger["guard"]) == {"all orders must not fall"}
    assert larger["decision"].str.endswith("in order lines lies above 0").all()
    for finding, outcome, mean, deviation, customers in (
        ("F1", "all orders", everyone["mean"], everyone["sd"], everyone["customers"]),
        ("F1", "orders at its times", everyone["windows_mean"], everyone["windows_sd"], None),
        ("F2", "all orders", segment["mean"], segment["sd"], segment["customers"]),
        ("F4", "order lines", everyone["lines_mean"], everyone["lines_sd"], None),
        ("F5", "order lines", everyone["lines_mean"], everyone["lines_sd"], everyone["customers"]),
        ("F6", "all orders", poor["mean"], poor["sd"], poor["customers"]),
        ("F7", "all orders", punctual["mean"], punctual["sd"], punctual["customers"]),
    ):
        rows = plan[(plan["finding"] == finding) & (plan["outcome"] == outcome)]
        assert rows["lift"].tolist() == [0.02, 0.05, 0.1]
        np.testing.assert_allclose(rows["mean_outcome"], mean)
        np.testing.assert_allclose(rows["sd_outcome"], deviation)
        assert customers is None or (rows["customers_here"] == customers).all()
    key = ["finding", "outcome"]
    most = plan.drop_duplicates(key).set_index(key)["most_lift"]
    assert most["F1", "all orders"] == pytest.approx(
        everyone["windows_mean"] / everyone["mean"], abs=1e-6
    )
    endless = [("F2", "all orders"), ("F5", "order lines"), ("F7", "all orders")]
    endless += [("F1", "orders at its times")]
    assert most[endless].isna().all()


def test_no_trial_is_planned_from_a_handful_of_a_segment():
    """Ten customers of the segment were seen long enough, then eleven."""
    orders = np.arange(40 * 168).reshape(40, 168) % 3
    finding = {"id": "F1", "action": "a", "touches": [{"segment": "few", "direction": "more"}]}
    for few, rows in ((10, 0), (11, 3)):
        groups = pd.DataFrame({"segment": ["few"] * few + ["many"] * (40 - few)})
        orders_of = orders * np.arange(40)[:, None]
        seen = q14_trial.Seen(orders_of, np.arange(40), np.full(40, 7.0), groups)
        plan = q14_trial.plan(finding, seen, SETTINGS)
        assert len(plan) == rows


LARGER = "larger orders"


@pytest.mark.parametrize(
    ("finding", "most", "supported"),
    [
        ({"touches": [{"day": "Saturday", "hours": (0, 2)}]}, 2 / 168, ["no", "no", "no"]),
        ({"touches": [{"day": "Saturday"}]}, 1 / 7, ["yes", "yes", "yes"]),
        ({"touches": [{"day": "Saturday", "hours": (0, 9)}]}, 9 / 168, ["yes", "yes", "no"]),
        ({"touches": [], "prize": {"lever": "both"}}, 0.03, ["yes", "no", "no"]),
        ({"touches": [], "prize": {"lever": "one more line"}}, np.nan, ["yes", "yes", "yes"]),
        ({"touches": [{"day": "Saturday", "attribute": LARGER}]}, 1 / 7, ["yes", "yes", "yes"]),
        ({"touches": [{"attribute": "own usual gap"}]}, np.nan, ["yes", "yes", "yes"]),
    ],
)
def test_no_trial_is_said_to_be_enough_for_more_than_its_action_touches(finding, most, supported):
    """Each of 100,000 customers orders as often at each hour of the week, five lines an order."""
    often = np.tile(np.array([[1], [2]], np.uint8), (50_000, 168))
    gaps, groups = np.full(100_000, 7.0), pd.DataFrame({"segment": ["a"] * 100_000})
    seen = q14_trial.Seen(often, 5 * often.sum(axis=1, dtype="int64"), gaps, groups)
    plan = pd.DataFrame(q14_trial.plan({"id": "F1", "action": "a"} | finding, seen, SETTINGS, 0.03))
    decides = plan[plan["outcome"] != "orders at its times"]
    np.testing.assert_allclose(decides["most_lift"], most, atol=1e-6)
    assert decides["supported"].tolist() == supported


@pytest.mark.parametrize(
    ("touches", "days", "hours"),
    [
        ([{"day": "Monday", "daypart": "Evening", "hours": [20, 23]}], [2], range(20, 23)),
        (
            [
                {"day": "Monday", "daypart": "Afternoon", "hours": [16, 19]},
                {"day": "Monday", "daypart": "Evening", "hours": [16, 19]},
            ],
            [2],
            range(16, 19),
        ),
        ([{"daypart": "Evening", "department": "frozen"}], range(7), range(18, 24)),
        ([{"day": "Monday"}, {"department": "snacks"}], [2], range(24)),
        ([{"department": "snacks"}, {"attribute": "own usual gap"}], [], []),
    ],
)
def test_a_trial_counts_the_days_and_hours_that_its_action_names(touches, days, hours):
    cells = q14_trial.cells_touched(touches, SETTINGS).reshape(7, 24)
    assert set(zip(*np.nonzero(cells), strict=True)) == {(d, h) for d in days for h in hours}


def test_a_trial_is_of_the_group_that_its_action_names():
    groups = pd.DataFrame(
        {
            "segment": ["a", "b", "a"],
            "income_group": ["b", "b", "c"],
            "n_dependants": ["0", "2", "2"],
        }
    )
    for touches, expected in (
        ([{"segment": "b"}], [False, True, False]),
        ([{"segment": "b", "attribute": "income"}, {"day": "Monday"}], [True, True, False]),
        ([{"segment": "2", "attribute": "dependants"}, {"segment": "a"}], [True, True, True]),
        ([{"attribute": "own usual gap"}], [True, False, False]),
    ):
        seen = q14_trial.Seen(np.zeros((3, 168)), np.zeros(3), np.array([29.5, 30, np.nan]), groups)
        assert q14_trial.takes_part(touches, seen).tolist() == expected


def test_a_trial_of_the_size_that_is_named_sees_the_lift_four_times_in_five():
    """Simulated: 1,000 trials with the customers an arm that the plan names."""
    draw = np.random.default_rng(2)
    mean, lift = 4.0, 0.1
    needed = q14_trial.customers_per_arm(mean, 2.0, lift, SETTINGS)
    arms = draw.normal(mean, 2.0, (1000, 2, needed)) + np.array([0, lift * mean])[:, None]
    means, errors = arms.mean(axis=2), arms.var(axis=2, ddof=1).sum(axis=1) / needed
    seen = np.abs(means[:, 1] - means[:, 0]) / np.sqrt(errors) > 1.96
    assert 0.78 <= seen.mean() <= 0.86
