"""The result tables against the oracle's SQL, the real panel, and themselves in other parts."""

import pandas as pd
import pytest

from basket.tables.result_csv import to_csv
from oracle import KEYS, assert_tables_equal, result_tables, row_flow

RULES = ["corrected", "course"]
DATA = ["generated", "panel"]
TABLES = list(KEYS)
CHANGED = {
    "price_ceiling_dollars": 20,
    "price_range": (4.2, 12.5),
    "spending_flag": (8,),
    "loyalty_flag": (8, 25),
    "frequency_flag": (7, 14),
    "exclusion_flag": (7,),
    "busiest_hours": 5,
    "busiest_days": 3,
    "age_group": (30, 50),
    "income_group": (70_000, 90_000),
}


@pytest.fixture(scope="module")
def expected_of():
    """Give a function that asks the oracle once per data, RULES and thresholds."""
    answers = {}

    def expected(data, rules, **thresholds):
        key = (data, rules, *sorted(thresholds.items()))
        if key not in answers:
            answers[key] = result_tables(data, rules, thresholds)
        return answers[key]

    return expected


def assert_as_expected(actual: dict, expected: dict, table: str) -> None:
    """Compare one result table with the oracle's, in both directions."""
    assert_tables_equal(actual[table], expected[table], KEYS[table], table=table, both_ways=True)


# ---- against the oracle -------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("data", DATA)
def test_the_tables_are_what_the_oracle_says(built, expected_of, request, data, rules, table):
    data = request.getfixturevalue(data)
    assert_as_expected(built(data, rules).results, expected_of(data, rules), table)


@pytest.mark.parametrize("rules", RULES)
def test_changed_thresholds_reach_every_table(built, expected_of, generated, rules):
    actual = built(generated, rules, **CHANGED).results
    for table in TABLES:
        assert_as_expected(actual, expected_of(generated, rules, **CHANGED), table)


def test_the_changed_thresholds_move_every_label_so_none_can_be_ignored_unseen(
    expected_of, generated, settings
):
    usual, changed = (
        expected_of(generated, "corrected", **thresholds)["flags"].set_index(KEYS["flags"])["lines"]
        for thresholds in ({}, CHANGED)
    )
    moved = {"busiest_days", "busiest_period_of_day", *(set(CHANGED) & set(settings.flags))}
    assert len(moved) == 9
    for flag in moved:
        for label, lines in usual["all", flag].items():
            other = changed["all", flag].get(label)  # none where the label states the cut
            assert label == "(missing)" or other != lines, (flag, label)
    assert changed["all", "price_range", "(missing)"] > usual["all", "price_range", "(missing)"]


@pytest.mark.parametrize("table", sorted(set(KEYS) - {"department_mix"}))
@pytest.mark.parametrize("rules", RULES)
def test_the_real_panel_gives_the_results_known_from_another_sql(
    built, real_data, panel, rules, table
):
    path = real_data / "panel1200_expected" / rules / f"{table}.csv"
    expected = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert len(expected)
    assert_tables_equal(built(panel, rules).results[table], expected, KEYS[table], table=table)


def test_the_two_sets_of_rules_differ(built, generated):
    corrected, course = (built(generated, rules).results for rules in RULES)
    for table in TABLES:
        assert to_csv(corrected[table]) != to_csv(course[table]), table


@pytest.mark.parametrize("population", ["all", "active"])
def test_profiles_hold_the_same_customers_as_the_regions(built, generated, population):
    flags = built(generated, "corrected").results["flags"].query("population == @population")
    sums = flags.groupby("flag")[["customers", "orders", "lines"]].sum()
    assert (flags["flag"] == "profile").sum() > 10
    assert sums.loc["profile"].tolist() == sums.loc["region"].tolist()


# ---- row flow -----------------------------------------------------------------------------------


KNOWN_FLOW = {
    "corrected": {"rows_in": 180_895, "rows_removed": 0, "rows_added": 0, "rows_out": 180_895},
    "course": {"rows_in": 180_895, "rows_removed": 225, "rows_added": 12, "rows_out": 180_682},
}
KNOWN_ORDERS = {"corrected": 18_774, "course": 18_773}


def merge_flow(run, rules: str) -> dict[str, int]:
    """Give the row of the merge's flow that stage 03 recorded for a set of rules."""
    flow = [row for row in run.record("03_merge")["flow"] if row["step"] == "merge"]
    (row,) = [row for row in flow if row["rules"] == rules]
    return {name: row[name] for name in ("rows_in", "rows_removed", "rows_added", "rows_out")}


@pytest.mark.parametrize("rules", RULES)
def test_the_panels_lines_orders_and_customers_are_the_known_ones(built, panel, rules):
    run = built(panel, rules)
    assert merge_flow(run, rules) == KNOWN_FLOW[rules]
    assert run.sidecar("merged")["rows"] == KNOWN_FLOW[rules]["rows_out"]
    assert run.record("03_merge")["facts"] == {"orders": KNOWN_ORDERS[rules], "customers": 1_200}
    assert run.sidecar("analysis_orders")["rows"] == KNOWN_ORDERS[rules]
    assert run.sidecar("analysis_customers")["rows"] == 1_200


def test_every_line_of_the_panel_matches_under_corrected_rules(built, panel):
    assert (built(panel, "corrected").table("merged")["merge"] == "both").all()


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("data", DATA)
def test_the_flow_under_the_other_rules_is_what_a_run_under_them_gives(built, request, data, rules):
    data = request.getfixturevalue(data)
    other = next(name for name in RULES if name != rules)
    assert merge_flow(built(data, rules), other) == merge_flow(built(data, other), other)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("data", DATA)
def test_the_oracle_counts_the_same_row_flow(built, request, data, rules):
    data = request.getfixturevalue(data)
    run, expected = built(data, rules), row_flow(data, rules)
    assert merge_flow(run, rules) == {
        "rows_in": expected["lines_read"],
        "rows_removed": expected["lines_unmatched"],
        "rows_added": expected["lines_added"],
        "rows_out": expected["lines_kept"],
    }
    (active,) = [row for row in run.record("04_derive_flags")["flow"] if row["table"] == "merged"]
    assert active["rows_out"] == expected["lines_active"]
    assert active["rows_removed"] == expected["lines_excluded"]
    assert run.sidecar("low_activity_customers")["rows"] == (
        expected["customers_kept"] - expected["customers_active"]
    )


@pytest.mark.parametrize("rules", RULES)
def test_every_recorded_flow_adds_up(built, generated, rules):
    run = built(generated, rules)
    stages = ("01_import", "02_clean", "03_merge", "04_derive_flags")
    rows = [row for stage in stages for row in run.record(stage)["flow"]]
    assert len(rows) > 10
    for row in rows:
        assert row["rows_in"] + row["rows_added"] == (
            row["rows_out"] + row["rows_removed"] + row["rows_quarantined"]
        ), row
        if row["rules"] == "corrected" and row["step"] != "fabricate":
            assert row["rows_added"] == 0, row


# ---- tables of times, against the oracle's hours -------------------------------------------------


def active_hours(expected: dict) -> pd.DataFrame:
    """Give the oracle's orders of the active population, a row per day and a column per hour."""
    hours = expected["orders_by_day_hour"].query("population == 'active'")
    hours = hours.pivot(index="day", columns="hour", values="orders")
    return hours.reindex(index=range(7), columns=range(24)).fillna(0)


def test_the_quiet_window_of_each_day_has_the_fewest_orders_within_waking_hours(
    built, expected_of, generated
):
    """Fewest on one half of the customers; all orders are counted, the other half is compared."""
    run = built(generated, "corrected")
    hours = active_hours(expected_of(generated, "corrected"))
    active = run.table("analysis_customers").query("exclusion_flag == 'Active'")[["user_id"]]
    orders = run.table("analysis_orders").merge(active)
    first = orders["user_id"].astype("int64") * 2654435761 % 4294967296 < 2147483648
    of_first, of_second = (
        rows.groupby(["order_day", "order_hour"]).size().unstack(fill_value=0)
        for rows in (orders[first], orders[~first])
    )
    windows = run.all_results["quiet_windows"]
    assert sorted(windows["day"]) == list(range(7))
    assert windows["rank"].tolist() == list(range(1, 8))
    chosen = []
    for window in windows.itertuples():
        sums = [of_first.loc[window.day, start : start + 2].sum() for start in range(7, 21)]
        chosen.append(min(sums))
        assert sums[window.from_hour - 7] == min(sums)
        assert window.to_hour == window.from_hour + 3
        inside = slice(window.from_hour, window.to_hour - 1)
        assert window.orders == hours.loc[window.day, inside].sum()
        waking = of_second.loc[:, 7:22].to_numpy().sum()
        measured = of_second.loc[window.day, inside].sum()
        assert window.index == pytest.approx(measured / (waking / (7 * 16) * 3))
        assert window.index_low < window.index < window.index_high
    assert chosen == sorted(chosen)


@pytest.mark.parametrize("period", ["day", "hour"])
def test_spend_by_time_repeats_the_oracles_orders_and_spend(built, expected_of, generated, period):
    found = built(generated, "corrected").all_results["spend_by_time"]
    found = found[found["period"] == period].set_index("key")
    expected = expected_of(generated, "corrected")[f"orders_by_{period}"]
    expected = expected.query("population == 'active'").set_index(period).sort_index()
    assert found["orders"].tolist() == expected["orders"].tolist()
    assert found["spend"].to_numpy() == pytest.approx(expected["spend"].to_numpy(), abs=0.01)
    value = expected["spend"] / expected["orders"]
    others = (expected["spend"].sum() - expected["spend"]) / (
        expected["orders"].sum() - expected["orders"]
    )
    assert found["mean_order_value"].to_numpy() == pytest.approx(value.to_numpy())
    assert found["order_value_ratio"].to_numpy() == pytest.approx((value / others).to_numpy())
    assert found.loc[found["spend"].idxmax(), "ties_with_top"] == "yes"
    assert found.loc[found["spend"].idxmin(), "ties_with_top"] == "no"


def test_busiest_times_are_those_with_most_orders(built, expected_of, generated):
    orders = active_hours(expected_of(generated, "corrected"))
    found = built(generated, "corrected").all_results["busiest_times"].set_index(["period", "rank"])
    for period, counts, size in (("days", orders.sum(axis=1), 2), ("hours", orders.sum(), 8)):
        assert found.loc[(period, "busiest"), "orders"] == counts.nlargest(size).sum()
        assert found.loc[(period, "slowest"), "orders"] == counts.nsmallest(size).sum()


def test_department_times_add_up_to_the_oracles_departments(built, expected_of, generated):
    found = built(generated, "corrected").all_results["department_times"]
    expected = expected_of(generated, "corrected")["departments"].query("population == 'active'")
    lines = found.groupby("department")["lines"].sum()
    assert lines.to_dict() == expected.set_index("department")["lines"].to_dict()
    assert found.groupby("daypart")["share"].sum().to_numpy() == pytest.approx(1)


# ---- any number of parts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "rules", "parts"),
    [
        ("generated", "corrected", 3),
        pytest.param("generated", "course", 3, marks=pytest.mark.slow),
        pytest.param("panel", "corrected", 3, marks=pytest.mark.slow),
    ],
)
def test_the_number_of_parts_changes_no_character_of_any_table(built, request, data, rules, parts):
    data = request.getfixturevalue(data)
    whole, split = built(data, rules), built(data, rules, parts)
    for name, table in whole.all_results.items():
        assert len(table), name
        assert to_csv(split.all_results[name]) == to_csv(table), name
    times = {"quiet_windows", "spend_by_time", "department_times", "split_halves"}
    assert {"tests", "product_pairs", "department_reach", *times} < set(whole.all_results)


def test_a_customers_rows_lie_in_one_part_of_every_table(built, generated):
    run = built(generated, "corrected", 3)
    stage = run.open("05_visualise")
    merged, orders, customers = (
        [set(stage.read_part(table, part)["user_id"]) for part in range(3)]
        for table in ("merged", "analysis_orders", "analysis_customers")
    )
    assert merged == orders == customers
    assert not merged[0] & merged[1]


# ---- what the tables must be in themselves ------------------------------------------------------


def test_every_grouping_is_in_flags_habits_and_department_mix(built, generated, settings):
    results = built(generated, "corrected").results
    assert set(results["habits"]["grouping"]) == set(settings.groupings())
    assert set(results["department_mix"]["grouping"]) == set(settings.groupings())
    assert set(results["flags"]["flag"]) == set(settings.flags)


def test_no_cell_without_lines_has_a_row(built, generated):
    for name, table in built(generated, "course").results.items():
        assert (table["lines"] > 0).all(), name


def test_written_tables_have_two_decimals_for_money_and_six_for_other_fractions():
    table = pd.DataFrame(
        {"orders": [1, 2], "spend": [10.0, 2.5], "share": [1 / 3, None], "effect": [-1e-9, 0.5]}
    )
    assert to_csv(table) == (
        "orders,spend,share,effect\n1,10.00,0.333333,0.000000\n2,2.50,,0.500000\n"
    )
