"""Times, prices and departments: every ratio with its limits against SQL on the raw files."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import oracle_times
from basket.analysis import chosen_times, windows
from basket.analysis.halves import in_first_half
from basket.analysis.statistics.ratios import product
from basket.analysis.times import Times, against_next, estimates, level, within_customers

DATA = ["generated", "panel"]
RATIO = {"ratio": "", "low": "_low", "high": "_high"}


@pytest.fixture(scope="module")
def expected_of(request):
    """Give a function that asks the oracle once per data and half of the customers."""
    answers = {}

    def expected(data, of=oracle_times.WHOLE):
        if (data, of) not in answers:
            answers[data, of] = oracle_times.ratios(data, of)
        return answers[data, of]

    return expected


@pytest.fixture(params=DATA)
def data(request):
    """Give the generated and the real raw files."""
    return request.getfixturevalue(request.param)


def assert_ratios(found: pd.DataFrame, name: str, expected: pd.DataFrame, times: float = 1) -> None:
    """Compare a table's ratio, limits, effective customers and largest share with the oracle's."""
    expected = expected.loc[found.index]
    for theirs, ours in RATIO.items():
        np.testing.assert_allclose(
            found[f"{name}{ours}"].astype(float), expected[theirs].astype(float) * times, rtol=1e-6
        )
    for theirs, ours in (("m", "effective_customers"), ("largest_share", "largest_share")):
        if ours in found:
            np.testing.assert_allclose(
                found[ours].astype(float), expected[theirs].astype(float), rtol=1e-6
            )


def test_quiet_windows_are_chosen_on_one_half_and_have_the_oracles_limits_of_the_other(
    built, data, expected_of
):
    first, second, whole = (
        expected_of(data, of)["windows"] for of in (*HALVES, oracle_times.WHOLE)
    )
    found = built(data, "corrected").all_results["quiet_windows"]
    found = found.set_index(found["day"].astype(str) + " " + found["from_hour"].astype(str))
    chosen = first.loc[found.index, "ratio"]
    lowest = first.groupby(first.index.str[0])["ratio"].min()
    assert chosen.tolist() == sorted(lowest)
    assert_ratios(found, "index", second)
    judged = second.loc[found.index]
    np.testing.assert_allclose(found["p_value"], judged["p_value"].astype(float), rtol=1e-5)
    np.testing.assert_allclose(found["share"], whole.loc[found.index, "ratio"] / (7 * 16 / 3))
    assert (found["difference"] - abs(1 - found["index"])).abs().max() < 1e-9
    enough = (judged["m"] >= 10) & (judged["largest_share"] <= 0.25)
    proven = (judged["ratio"] <= 1 / 1.05) & (judged["p_value"] < 0.05 / 7) & enough
    assert found["is_quiet"].eq("yes").tolist() == proven.tolist()
    assert proven.all()  # real quiet windows are large, and found
    assert found["at_edge"].eq("yes").eq(found["from_hour"].isin([7, 20])).all()


def test_lifts_by_daypart_are_the_oracles(built, data, expected_of):
    found = built(data, "corrected").all_results["department_times"]
    found = found.set_index(found["daypart"] + ": " + found["department"])
    expected = expected_of(data)["lifts"]
    assert_ratios(found, "lift", expected)
    known = found[found["lift_low"].notna()]
    theirs = expected.loc[known.index, "p_value"]
    np.testing.assert_allclose(known["p_value"], theirs, rtol=1e-5)
    few = (found["effective_customers"] < 10) | (found["largest_share"] > 0.25)
    assert found["reason"].ne("").eq(few | found["lift_low"].isna()).all()


@pytest.mark.parametrize("period", ["day", "hour"])
def test_order_values_by_time_and_within_customers_are_the_oracles(
    built, data, expected_of, period
):
    found = built(data, "corrected").all_results["spend_by_time"]
    found = found[found["period"] == period].set_index("key")
    values, within = (expected_of(data)[f"{period} {kind}"] for kind in ("values", "within"))
    assert_ratios(found, "order_value_ratio", values)
    np.testing.assert_allclose(found["p_value"], values.loc[found.index, "p_value"], rtol=1e-5)
    known = found[found["within_low"].notna()].rename(
        columns={"within_low": "within_ratio_low", "within_high": "within_ratio_high"}
    )
    known = known.drop(columns=["effective_customers", "largest_share"])
    known = known.rename(columns={"within_effective_customers": "effective_customers"})
    assert len(known) > 5
    assert_ratios(known, "within_ratio", within)


def chosen_by_the_oracle(first: pd.DataFrame, cells: int, more: bool) -> str | None:
    """Choose as D-45 says: proven, at least a small effect, the one that is surely farthest off."""
    size = np.fmax(first["ratio"], 1 / first["ratio"])
    sure = (first["m"] >= 10) & (first["largest_share"] <= 0.25) & (first["p_value"] < 0.05 / cells)
    candidates = first[sure & (size >= 1.05) & ((first["ratio"] > 1) | (not more))]
    if candidates.empty:
        return None
    return np.fmax(candidates["low"], 1 / candidates["high"]).idxmax()


def test_what_is_chosen_is_chosen_on_one_half_and_estimated_on_the_other(
    built, data, expected_of, settings
):
    table = built(data, "corrected").all_results["split_halves"]
    table = table[table["question"] == "Q2"].set_index("topic")
    first, second = (expected_of(data, half) for half in HALVES)
    expected = {}
    lifts, unnamed = first["lifts"], tuple(settings.labels.unnamed_departments)
    for daypart in settings.dayparts:
        named = lifts.index.str.startswith(daypart) & ~lifts.index.str.endswith(unnamed)
        cell = chosen_by_the_oracle(lifts[named], len(lifts), more=True)
        if cell is not None:
            expected[f"goods by time: {daypart}"] = ("lifts", cell, cell.split(": ")[1])
    for period, names in (("day", settings.day_names), ("hour", range(24))):
        for kind in ("within", "values"):
            ratios = first[f"{period} {kind}"]
            cell = chosen_by_the_oracle(ratios[ratios["m"] > 0], len(names), more=False)
            if cell is not None:
                said = names[cell] if period == "day" else f"{cell:02d}:00–{cell + 1:02d}:00"
                expected[f"order value by {period}"] = (f"{period} values", cell, said)
                within = f"order value by {period}, within customers"
                expected[within] = (f"{period} within", cell, said)
                break
    assert set(table.index) == set(expected)
    for topic, (kind, cell, name) in expected.items():
        row = table.loc[topic]
        assert name in (row["group"], row["measure"])
        theirs = second[kind].loc[cell]
        assert row["effect_first_half"] == pytest.approx(first[kind].loc[cell, "ratio"])
        for ours, column in (("effect", "ratio"), ("effect_low", "low"), ("effect_high", "high")):
            assert row[ours] == pytest.approx(theirs[column], rel=1e-6)
        assert row["difference"] == pytest.approx(abs(theirs["ratio"] - 1))


HALVES = (oracle_times.FIRST_HALF, oracle_times.SECOND_HALF)


def test_the_halves_are_those_of_the_sql(built, data):
    users = built(data, "corrected").analysis["counts"].times.users
    by_sql = [user * 2654435761 % 4294967296 < 2147483648 for user in users.tolist()]
    assert in_first_half(users).tolist() == by_sql
    assert 0.4 < np.mean(by_sql) < 0.6
    assert (np.diff(users.astype("int64")) > 0).all()


def test_prices_of_departments_are_the_oracles(built, data):
    results = built(data, "corrected").all_results
    expected = oracle_times.goods(data)["prices"]
    found = results["department_prices"].set_index("department")
    assert found.index[0] == "all departments"
    assert found["two_thirds_dollars"].iloc[1:].is_monotonic_decreasing
    assert set(found.index) == set(expected.index)
    columns = [*expected.columns[:-3]]
    for column in columns:
        np.testing.assert_allclose(found[column].astype(float), expected.loc[found.index, column])
    bands = results["price_bands"].pivot(
        index="department", columns="price_range", values="share_of_spend"
    )
    for name in ("low", "mid", "high"):
        ours = bands[f"{name.capitalize()}-range product"]
        np.testing.assert_allclose(ours.loc[found.index], expected.loc[found.index, name])
    assert results["price_bands"].groupby("department")["share_of_lines"].sum().round(9).eq(1).all()


def test_reach_and_ranks_of_departments_are_the_oracles(built, data, expected_of):
    found = built(data, "corrected").all_results["department_reach"].set_index("department")
    expected = oracle_times.goods(data)["reach"]
    assert list(found["lines"]) == sorted(expected["lines"], reverse=True)
    for column in expected:
        np.testing.assert_allclose(found[column].astype(float), expected.loc[found.index, column])
    named = found[~found.index.isin(["missing", "other"]) & (found["next_name"] != "")]
    ratios = expected_of(data)["departments"]
    assert set(named.index) == set(ratios.index)
    assert_ratios(named, "ratio_to_next", ratios)
    outside = (named["ratio_to_next_low"] > 1) & (named["reason"] == "")
    assert named["stands_out"].eq("yes").eq(outside).all()
    typical = np.exp(np.log(found["products"]).mean())
    np.testing.assert_allclose(found["products_against_typical"], found["products"] / typical)


def test_busiest_times_have_the_shares_and_ratios_of_plain_sums(built, data):
    run = built(data, "corrected")
    orders = run.table("analysis_orders").merge(
        run.table("analysis_customers").query("exclusion_flag == 'Active'")[["user_id"]]
    )
    table = run.all_results["busiest_times"].set_index(["period", "rank"])
    for period, column, size, of in (("days", "order_day", 2, 7), ("hours", "order_hour", 8, 24)):
        counts = orders[column].value_counts()
        busiest = table.loc[(period, "busiest")]
        assert busiest["share"] == pytest.approx(counts.iloc[:size].sum() / len(orders))
        assert busiest["equal_share"] == pytest.approx(size / of)
        assert busiest["index"] == pytest.approx(busiest["share"] / (size / of))
        assert busiest["ratio_to_next"] == pytest.approx(counts.iloc[size - 1] / counts.iloc[size])
        assert busiest["stands_out"] == ("yes" if busiest["ratio_to_next_low"] > 1 else "no")
    quiet = windows.to_try(run.all_results["quiet_windows"])
    together = table.loc[("windows", "slowest")]
    assert together["orders"] == quiet["orders"].sum()
    assert together["tenth_more"] == pytest.approx(quiet["orders"].sum() / len(orders) / 10)
    assert together["spend"] == pytest.approx(quiet["spend"].sum(), abs=0.05)
    at = orders.merge(quiet, left_on="order_day", right_on="day", how="left")
    inside = (at["order_hour"] >= at["from_hour"]) & (at["order_hour"] < at["to_hour"])
    second = ~in_first_half(at["user_id"])
    equal = 3 * len(quiet) / 168
    assert together["index"] == pytest.approx(inside[second].mean() / equal)


# ---- the arithmetic, on a few customers --------------------------------------------------------


def test_a_customer_who_orders_at_one_time_only_says_nothing_within(settings):
    orders = np.array([[1, 1], [2, 0], [1, 3]])
    cents = np.array([[300, 100], [9_999, 0], [200, 450]])
    found = within_customers(cents, orders, settings)
    assert found.ratio == pytest.approx([(300 + 200) / (100 + 150), (100 + 450) / (300 + 600)])


def test_cells_are_estimated_alike_on_threads_and_at_once(settings):
    draw = np.random.default_rng(1)
    counts = draw.integers(0, 9, (40, 30)).astype(np.uint8)
    terms = [counts, counts.sum(axis=1)], [counts[:, ::-1], counts[:, 0]]
    found, whole = estimates(*terms, settings), product(*terms, settings.statistics.confidence)
    assert len(found.low) == 30
    for name in ("ratio", "low", "effective_customers", "largest_share", "customers"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    assert len(estimates([counts[:, :0], counts[:, 0]], [counts[:, :0]], settings).ratio) == 0


def test_customers_of_all_parts_stand_together_in_the_order_that_is_asked_for():
    parts = [Times(users, *[users.reshape(-1, 1) * 10] * 6) for users in np.array([[5, 2], [9, 7]])]
    found = Times.together(parts, np.array([3, 0, 1]))
    assert found.users.tolist() == [7, 5, 2]
    assert found.lines.ravel().tolist() == found.cents_by_hour.ravel().tolist() == [70, 50, 20]


def test_times_are_those_of_active_customers_in_the_order_of_their_ids(built, generated):
    counts = built(generated, "corrected").analysis["counts"]
    active = counts.people.customers[counts.active].set_index("user_id").sort_index()
    assert counts.times.users.tolist() == active.index.tolist()
    np.testing.assert_array_equal(counts.times.orders.sum(axis=(1, 2)), active["orders"])
    np.testing.assert_array_equal(counts.times.lines.sum(axis=(1, 2)), active["lines"])


# ---- what generated data does not show ----------------------------------------------------------


class Few(SimpleNamespace):
    """Counts of a few customers: their times, and a dollar in each hour of the week."""

    def __getitem__(self, _):
        """Give the one aggregate that is asked for."""
        cents = np.full((7, 24), 100)
        return SimpleNamespace(at=lambda *_: {"spend_cents": cents})


def few(settings, **times) -> Few:
    """Make counts of 400 customers who order alike; some arrays are given."""
    draw = np.random.default_rng(3)
    usual = {
        "orders": draw.poisson(3, (400, 7, 24)),
        "lines": draw.poisson(9, (400, 4, 3)),
        "cents_by_day": draw.poisson(900, (400, 7)),
        "cents_by_hour": draw.poisson(900, (400, 24)),
        "priced_lines_by_day": draw.poisson(9, (400, 7)),
        "priced_lines_by_hour": draw.poisson(9, (400, 24)),
    }
    departments = pd.DataFrame({"department": ["deli", "snacks", "missing"]})
    counted = Times(np.arange(1, 401), **usual | times)
    return Few(times=counted, settings=settings, departments=departments)


def test_a_planted_time_of_a_department_is_chosen_and_confirmed(settings):
    lines = np.random.default_rng(4).poisson(9, (400, 4, 3))
    lines[:, 1, 0] *= 2  # deli in the morning
    lines[:, 2, 1] //= 3  # few snacks in the afternoon
    lines[:, 3, 2] *= 5  # what has no name is not chosen
    table = chosen_times.chosen(few(settings, lines=lines)).set_index("topic")
    goods = table[table.index.str.startswith(chosen_times.GOODS)]
    assert ("Morning", "deli") in set(zip(goods["group"], goods["measure"], strict=True))
    assert "missing" not in set(goods["measure"])
    assert (goods["effect_first_half"] > 1).all()
    assert goods.loc["goods by time: Morning", "confirmed"] == "yes"
    sure = chosen_times.confirmed_goods(table.reset_index())
    assert sure["effect_first_half"].is_monotonic_decreasing


def test_a_planted_day_of_large_orders_is_chosen_within_customers(settings):
    draw = np.random.default_rng(5)
    orders = draw.poisson(3, (400, 7, 24)) + 1
    cents = draw.poisson(orders.sum(axis=2) * 100)
    cents[:, 4] *= 2
    table = chosen_times.chosen(few(settings, orders=orders, cents_by_day=cents))
    days = table[table["topic"].str.startswith("order value by day")]
    assert list(days["group"]) == [settings.day_names[4]] * 2
    assert days["effect"].to_numpy() == pytest.approx(2, rel=0.01)


def test_a_window_is_quiet_only_where_the_other_half_proves_it(settings):
    orders = np.random.default_rng(6).poisson(1, (400, 7, 24))
    orders[:, 5, 10:13] //= 3  # Thursday
    orders[:, 2, 7:10] //= 2  # Monday, from the first waking hour on
    orders[:, 6] = 0
    table = windows.quiet_windows(few(settings, orders=orders)).set_index("day_name")
    assert settings.day_names[6] not in table.index
    thursday = table.loc["Thursday"]
    assert (thursday["window"], thursday["is_quiet"]) == ("10:00–13:00", "yes")
    assert (thursday["at_edge"], thursday["stands_out"]) == ("no", "yes")
    assert (table.loc["Monday", "window"], table.loc["Monday", "at_edge"]) == ("07:00–10:00", "yes")
    assert table["is_quiet"].eq("yes").tolist() == [True, True, *[False] * 4]
    assert thursday["orders"] == orders[:, 5, 10:13].sum()
    second = orders[~in_first_half(np.arange(1, 401))]
    average = second[:, :, 7:23].sum() / (6 * 16) * 3
    assert thursday["index"] == pytest.approx(second[:, 5, 10:13].sum() / average)


def test_a_window_that_is_low_on_the_choosing_half_alone_is_not_quiet(settings):
    orders = np.random.default_rng(6).poisson(1, (400, 7, 24))
    orders[in_first_half(np.arange(1, 401)), 5, 10:13] = 0
    table = windows.quiet_windows(few(settings, orders=orders)).set_index("day_name")
    assert (table["rank"].idxmin(), table.loc["Thursday", "window"]) == ("Thursday", "10:00–13:00")
    assert set(table["is_quiet"]) == {"no"}
    orders[~in_first_half(np.arange(1, 401)), 5, 10:13] += 9  # and far more on the other half
    table = windows.quiet_windows(few(settings, orders=orders)).set_index("day_name")
    assert table.loc["Thursday", "index"] > 2 and table.loc["Thursday", "is_quiet"] == "no"


@pytest.mark.parametrize(("start", "quiet"), [(10, "no"), (20, "yes")])
def test_a_window_that_hardly_differs_is_not_quiet_however_sure(settings, start, quiet):
    """Everybody orders 30 times in each hour, 29 or 28 times in a window: 3 % and 7 % fewer."""
    orders = np.full((400, 7, 24), 30)
    orders[:, :, start : start + 3] = 29 if quiet == "no" else 28
    orders[:, :, 8] += np.random.default_rng(7).integers(0, 2, (400, 7))
    table = windows.quiet_windows(few(settings, orders=orders))
    assert (table["p_value"] < 1e-9).all()
    assert set(table["is_quiet"]) == {quiet}


def test_a_ratio_that_holds_one_is_level_and_does_not_stand_out(settings):
    draw = np.random.default_rng(8)
    here = np.column_stack([draw.poisson(mean, 400) for mean in (4, 8, 8)])
    next_ = against_next(here, ["a", "b", "c"], settings)
    assert next_["next_name"] == ["b", "c", ""]
    assert next_["stands_out"] == ["yes", "no", "no"]
    found = estimates([here[:, :2]], [here[:, 1:]], settings)
    assert level(found, settings).tolist() == [False, True]
