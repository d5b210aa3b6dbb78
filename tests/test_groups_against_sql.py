"""Comparisons of groups against an independent SQL: on generated data and on the real panel."""

import numpy as np
import pandas as pd
import pytest

from oracle_groups import FIRST_HALF, KEYS, compared, people

ESTIMATES = ["effect", "effect_low", "effect_high", "p_value"]
ESTIMATES += ["effective_customers", "largest_share"]


@pytest.fixture(scope="module", params=["generated", "panel"])
def both(request, built):
    """The tables of a run, and the SQL's database."""
    data = request.getfixturevalue(request.param)
    connection = people(data, "corrected")
    yield built(data, "corrected").all_results, connection
    connection.close()


def of_run(results: dict) -> pd.DataFrame:
    table = pd.concat([results["tests"], results["department_lifts"]])
    return table[table["effect_name"] == "ratio"].set_index(KEYS)


def test_each_group_is_compared_with_the_others_as_the_sql_does(both):
    results, connection = both
    found, expected = of_run(results), compared(connection)
    parts = expected.index.get_level_values("grouping").isin(["rhythm", "basket"])
    expected = expected[~parts]  # of segments: they are tested together
    missing = expected.index.difference(found.index)
    assert len(expected) > 300 and missing.empty, missing
    measures = expected.index.get_level_values("measure").unique()
    others = found[found.index.get_level_values("measure").isin(measures)]
    others = others.drop(expected.index)
    assert others["effect"].isna().all(), others  # no stratum has enough customers on both sides
    found = found.loc[expected.index]
    known = found["effect_low"].notna() & np.isfinite(expected["effect_low"])
    assert known.sum() > 300 and (known == found["effect_low"].notna()).all()
    pd.testing.assert_frame_equal(
        found.loc[known, ESTIMATES], expected.loc[known, ESTIMATES], rtol=1e-6, atol=1e-12
    )
    equal = known & (found.index.get_level_values("adjusted_for") == "income")
    assert equal.sum() > 100
    assert found.loc[equal, "covered"].to_numpy() == pytest.approx(
        expected.loc[equal, "covered"].to_numpy()
    )


def test_what_is_named_is_the_second_halfs_and_farthest_in_the_first(both):
    results, connection = both
    chosen = results["split_halves"]
    chosen = chosen[chosen["question"].isin(["Q6", "Q7", "Q8", "Q9", "Q10"])]
    chosen = chosen[chosen["topic"].str.startswith("goods")]
    assert len(chosen)
    first, second = (compared(connection, half) for half in (FIRST_HALF, f"NOT ({FIRST_HALF})"))
    lifts = results["department_lifts"].set_index(KEYS)
    for row in chosen.itertuples():
        key = ("income_group", row.group, row.measure, "")
        if overall := lifts.loc[key, "reason"]:  # what all customers cannot say, no half does
            assert (row.reason, row.confirmed) == (overall, "no")
        assert row.effect_first_half == pytest.approx(first.loc[key, "effect"])
        for name in ESTIMATES:
            assert getattr(row, name) == pytest.approx(second.loc[key, name], rel=1e-6), name
    assert set(chosen["group"]) == {"Low income"}
    assert chosen.set_index("topic")["measure"].to_dict().get("goods they buy more of") == "snacks"


def test_what_a_profile_or_a_segment_buys_most_above_others_is_chosen_on_one_half(both):
    results, connection = both
    table = results["split_halves"]
    table = table[table["topic"].str.startswith("top ")]
    lifts = results["department_lifts"].set_index(KEYS)
    proven = lifts[(lifts["for_headline"] == "yes") & (lifts["effect"] > 1)]
    first, second = (compared(connection, half) for half in (FIRST_HALF, f"NOT ({FIRST_HALF})"))
    for row in table[table["topic"].str.startswith("top goods: ")].itertuples():
        held = "income" if row.question == "Q9" else ""
        grouping = "segment" if row.question == "Q10" else "profile"
        keys = [
            (grouping, row.group, goods, held)
            for goods in lifts.index.unique("measure").drop("missing", errors="ignore")
            if (grouping, row.group, goods, held) in proven.index
        ]
        key = (grouping, row.group, row.measure, held)
        assert first.loc[keys, "effect"].map(np.log).abs().idxmax() == key
        assert row.effect_first_half == pytest.approx(first.loc[key, "effect"])
        for name in ESTIMATES:
            assert getattr(row, name) == pytest.approx(second.loc[key, name], rel=1e-6), name
    confirmed = table[(table["confirmed"] == "yes") & (table["effect"] > 1)].set_index("topic")
    for name in ("profile", "segment"):
        for row in results[f"{name}s"].itertuples():
            for topic, ratio in (("top goods", row.top_lift), ("top times", row.top_time_ratio)):
                said = confirmed["effect"].get(f"{topic}: {getattr(row, name)}", np.nan)
                assert ratio == pytest.approx(said, nan_ok=True)


def test_the_habits_at_equal_orders_are_those_of_orders_2_to_5(both):
    results, connection = both
    table = results["habits_at_equal_orders"].set_index("group")
    expected = connection.execute(
        """
        SELECT label, count(DISTINCT user_id) AS customers, count(*) AS orders,
               sum(lines) AS lines, sum(spend_cents) / 100 / count(*) AS mean_order_value,
               sum(spend_cents) / 100 / sum(priced_lines) AS mean_item_price,
               sum(least(gap_days, 30)) / count(gap_days) AS mean_gap_up_to_30,
               sum(reordered_lines) / sum(lines) AS reorder_rate
        FROM orders JOIN active USING (user_id) JOIN customer_labels USING (user_id)
        WHERE attribute = 'loyalty_flag' AND order_number BETWEEN 2 AND 5
        GROUP BY label
        """
    ).df()
    expected = expected.set_index("label").loc[table.index].astype(float)
    assert len(table) == 3
    for name in expected:
        assert table[name].to_numpy(float) == pytest.approx(expected[name].to_numpy()), name
