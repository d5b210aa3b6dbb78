"""Returns and what is missing: against independent SQL, and what must hold in themselves."""

import numpy as np
import pandas as pd
import pytest

from basket.analysis.questions import q05_loyalty as q05
from basket.analysis.questions import weekly_returns
from basket.tables import completeness
from oracle_returns import followed, tables
from small_store import thinned, write_store

DATA = ["generated", "panel"]
TABLES = ["days_between_orders", "usual_gaps", "observed_time", "time_to_next_order"]
TABLES += ["return_hazard"]
KEYS = {"observed_time": ["group"]}
WHAT = "customers whose order numbers are not 1 to n"


@pytest.fixture(scope="module")
def of_data(built, request):
    """Give a function that returns our result tables and the oracle's of one data set."""
    found = {}

    def both(name: str) -> tuple[dict, dict]:
        if name not in found:
            data = request.getfixturevalue(name)
            found[name] = built(data, "corrected").analysis["results"], tables(data)
        return found[name]

    return both


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("data", DATA)
def test_the_tables_about_returns_are_what_the_oracle_says(of_data, data, table):
    ours, expected = (of_data(data)[side][table].reset_index(drop=True) for side in (0, 1))
    if table in KEYS:
        expected = ours[KEYS[table]].astype("str").merge(expected, on=KEYS[table])
    assert len(ours) == len(expected) > 0
    for name in expected.columns:
        if name in KEYS.get(table, ()):
            continue
        if expected[name].dtype == bool:
            assert (ours[name] == "yes").tolist() == expected[name].tolist(), name
            continue
        wanted = expected[name].to_numpy("float64")
        assert ours[name].to_numpy("float64") == pytest.approx(wanted, rel=1e-9, nan_ok=True), name


@pytest.mark.parametrize("data", DATA)
def test_what_is_missing_is_what_the_oracle_counts(of_data, data):
    ours, expected = of_data(data)
    ours = ours["completeness"].set_index("what")
    for row in expected["completeness"].itertuples():
        found = ours.loc[row.what]
        assert (int(found["found"]), found["of"]) == (row.found, row.of), row.what
        assert found["share"] == pytest.approx(row.found / row.of)
    assert completeness.warning(of_data(data)[0]["completeness"]) == ""


@pytest.mark.parametrize("data", DATA)
def test_the_gaps_of_decision_11_are_those_of_all_orders(built, request, data):
    """Prior and last orders of all customers together: what orders.csv has, and D-11 quotes."""
    folder = request.getfixturevalue(data)
    run = built(folder, "corrected")
    raw = pd.read_csv(folder / "orders.csv")["days_since_prior_order"].dropna()
    checks = pd.DataFrame(run.record("02_clean")["checks"]).set_index("check")["found"]
    at_wall = ("censored at 30", "last orders' gaps censored at 30")
    assert sum(int(checks[name]) for name in at_wall) == (raw == 30).sum()
    last = run.table("customers")["last_gap_days"].notna().sum()
    assert last + run.table("orders")["days_since_prior_order"].notna().sum() == len(raw)


def test_the_last_gap_is_no_part_of_any_flag_and_on_no_line(built, generated):
    run = built(generated, "corrected")
    assert "last_gap_days" not in run.table("merged")
    customers = run.table("analysis_customers")
    assert customers["last_gap_days"].notna().all()
    assert (customers["last_order_number"] == customers["max_order"] + 1).all()


# ---- small cases, by hand -----------------------------------------------------------------------


def gaps(*of_customers: list[int], loyalty: str = "New customer") -> q05.Gaps:
    """Make the gaps of some customers, in the order of their orders."""
    by_days = np.zeros((len(of_customers), 31), np.int64)
    after = np.full((len(of_customers), q05.FIRST_ORDERS), q05.UNKNOWN, np.int8)
    for place, days in enumerate(of_customers):
        np.add.at(by_days[place], days, 1)
        after[place, : len(days)] = days[: q05.FIRST_ORDERS]
    return q05.Gaps(by_days, after, pd.Series([loyalty] * len(of_customers)))


def test_a_customer_with_many_gaps_weighs_as_much_as_one_with_few():
    table = q05.days_between_orders(gaps([7] * 98 + [30] * 2, [30])).set_index("days")
    assert table.loc[[7, 30], "orders"].tolist() == [98, 3]
    assert table.loc[[7, 30], "mean_share"].tolist() == [0.49, (0.02 + 1) / 2]
    assert table.loc[[7, 30], "customers"].tolist() == [1, 1]
    assert table["label"].tolist()[-1] == "30+"


def test_a_gap_is_the_commonest_only_where_it_is_so_alone():
    table = q05.days_between_orders(gaps([7, 7, 30, 30], [5])).set_index("days")
    assert table.loc[[5, 7, 30], "customers"].tolist() == [1, 0, 0]
    assert table["share_of_customers"].sum() == 0.5


def test_usual_gaps_are_the_customers_own_medians():
    (row,) = q05.usual_gaps(gaps([1, 2], [7, 7, 30], [10], [30, 30])).to_dict("records")
    quartiles = ["low_quartile_days", "median_days", "high_quartile_days"]
    assert [row[name] for name in quartiles] == [1.5, 7, 10]
    assert (row["customers"], row["orders"], row["later_orders"]) == (4, 8, 2)
    assert row["share_later"] == 0.25
    # The later ones are 2 and 30 days, of customers who take 3 / 2 and 44 / 3 days an order; the
    # first is half a day late, and comes no sooner than that.
    assert row["days_per_order"] == pytest.approx(2 / (0.5 * 2 / 3 + 3 / 44))


def test_thirty_days_or_more_are_no_return(settings):
    table = q05.time_to_next_order(gaps([3], [30], [30], [10]), settings)
    table = table[table["order_number"] == 1].set_index("day")
    assert table.loc[[0, 3, 4, 10, 11, 30], "at_risk"].tolist() == [4, 4, 3, 3, 2, 2]
    assert table["returned"].sum() == 2 and table.loc[30, "returned"] == 0
    assert table.loc[[2, 3, 10, 29, 30], "still_out"].tolist() == [1, 0.75, 0.5, 0.5, 0.5]
    assert (table["still_out_high"].dropna() <= 1).all()


def test_the_order_after_which_nobody_is_followed_has_no_rows(settings):
    table = q05.time_to_next_order(gaps([3, 4], [30]), settings)
    assert table["order_number"].unique().tolist() == [1, 2]
    expected = followed(
        pd.DataFrame(
            [(1, 3, 1), (1, 30, 1), (2, 4, 1)], columns=["order_number", "gap", "customers"]
        )
    )
    for name in expected:
        assert table[name].to_numpy(float) == pytest.approx(expected[name], nan_ok=True), name


def test_groups_are_seen_from_their_first_to_their_last_order(settings):
    found = gaps([7, 7], [30, 30], [1], loyalty="Loyal customer")
    (row,) = q05.observed_time(found, settings).to_dict("records")
    assert row == {
        "grouping": "loyalty_flag",
        "group": "Loyal customer",
        "rule": "above 40 orders",
        "customers": 3,
        "median_days": 14.0,
    }


def test_without_any_gap_the_tables_are_empty_or_without_numbers(settings):
    for nobody in (gaps(), gaps([], [])):
        assert q05.days_between_orders(nobody)["orders"].sum() == 0
        (row,) = q05.usual_gaps(nobody).to_dict("records")
        assert row["customers"] == row["orders"] == 0 and np.isnan(row["median_days"])
        table = q05.time_to_next_order(nobody, settings)
        assert table.empty and "still_out" in table


# ---- the hazard of coming back ------------------------------------------------------------------


def test_the_hazard_weighs_each_customer_once(settings):
    """One customer with 98 gaps of 3 days and two of 30, one with a single gap of 7 days."""
    table = weekly_returns.return_hazard(gaps([3] * 98 + [30] * 2, [7]), settings).set_index("day")
    assert table.loc[[3, 7], "gaps"].tolist() == [101, 3]
    assert table.loc[[3, 7], "gaps_ended"].tolist() == [98, 1]
    assert table.loc[[3, 7], "gap_hazard"].tolist() == pytest.approx([98 / 101, 1 / 3])
    assert table.loc[[3, 7], "hazard"].tolist() == pytest.approx([0.98 / 2, 1 / 1.02])
    assert table.index.tolist() == list(range(30)), "no event at the wall of 30 days"
    assert table["is_peak"].eq("no").all(), "two customers prove nothing"


def test_a_peak_is_told_from_the_two_days_beside_it(settings):
    """Of 300 customers, 20 each come back after 6 and 8 days, 60 after 7, the rest later."""
    found = gaps(*[[6]] * 20, *[[7]] * 60, *[[8]] * 20, *[[30]] * 200)
    row = weekly_returns.return_hazard(found, settings).set_index("day").loc[7]
    assert row["hazard"] == pytest.approx(60 / 280)
    assert row["peak_ratio"] == pytest.approx((60 / 280) / (40 / (300 + 220)))
    assert row["peak_ratio_low"] > 1 and row["is_peak"] == "yes"


def test_where_nobody_comes_back_on_the_days_beside_there_is_no_ratio(settings):
    table = weekly_returns.return_hazard(gaps(*[[7]] * 40, *[[9]] * 40), settings)
    row = table.set_index("day").loc[7]
    assert np.isnan(row["peak_ratio"]) and row["reason"] == "nothing to compare"
    assert not np.isinf(table.select_dtypes("number")).any(axis=None)
    assert (table["is_peak"] == "no").all()


@pytest.mark.slow
def test_without_weeks_in_what_people_do_no_peak_is_said(settings):
    """Hazards level within customers, different between them: 200 data sets of 300 customers."""
    draw = np.random.default_rng(5)
    said = 0
    for _ in range(200):
        hazard = draw.beta(1.5, 12, 300)
        days = [np.minimum(draw.geometric(h, draw.integers(1, 40)) - 1, 30) for h in hazard]
        table = weekly_returns.return_hazard(gaps(*days), settings)
        said += (table["is_peak"] == "yes").any()
    assert said <= 10  # Bonferroni: at most 2.5 % in expectation


@pytest.mark.parametrize("nobody", [gaps(), gaps([], [])])
def test_where_nobody_came_back_there_is_no_hazard(nobody, settings):
    table = weekly_returns.return_hazard(nobody, settings)
    assert table.empty and "hazard" in table


# ---- what is missing ----------------------------------------------------------------------------


def missing(found: int, of: int, limit: float | None = 0.01, what: str = WHAT) -> pd.DataFrame:
    row = (what, found, of, found / of, limit, "…")
    return pd.DataFrame([row], columns=["what", "found", "of", "share", "limit", "consequence"])


def test_histories_are_incomplete_above_the_limit_and_not_at_it():
    assert completeness.warning(missing(1, 100)) == ""
    assert completeness.warning(missing(100, 100, limit=None)) == ""
    assert completeness.warning(missing(2, 100)) == (
        f"Histories are incomplete: {WHAT} (2.0%). What needs whole histories is not answered, and "
        "nothing is rated high."
    )
    cut = missing(1, 1, limit=0, what="lines.csv ends at a spreadsheet's limit of rows")
    assert completeness.warning(cut).startswith(
        "Histories are incomplete: lines.csv ends at a spreadsheet's limit of rows. "
    )


def test_a_thinned_store_has_holes_and_orders_that_lost_their_lines_show(built, tmp_path):
    whole = write_store(tmp_path / "whole")
    data = thinned(whole, tmp_path / "thin", 0.5)
    lines = pd.read_csv(data / "orders_products_prior.csv")
    first = lines["order_id"].unique()[:30]
    lines[~lines["order_id"].isin(first)].to_csv(data / "orders_products_prior.csv", index=False)
    run, expected = built(data, "corrected"), tables(data)["completeness"].set_index("what")
    recorded = [row for stage in ("02_clean", "03_merge") for row in run.record(stage)["missing"]]
    ours = pd.DataFrame(recorded).set_index("what")
    assert ours.loc[expected.index, "found"].tolist() == expected["found"].tolist()
    assert ours.loc[WHAT, "share"] > 0.9
    assert ours.loc["prior orders without any line", "found"] == 30
    said = completeness.warning(ours.reset_index())
    assert WHAT in said and "prior orders without any line" in said
