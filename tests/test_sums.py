"""Sums by group, medians of histograms, and aggregates that add up over parts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basket.tables.sums import gap_counts, median_of_counts, sum_by, tally

# ---- aggregates, against pandas -----------------------------------------------------------------

DAYS, CODES = ["Sunday", "Monday"], list("abc")
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2**31 - 1)), max_size=40
)


def counted(rows: list[tuple[int, int, int]]):
    day, code, cents = (np.array([row[number] for row in rows], np.int64) for number in range(3))
    return tally({"day": (day, DAYS), "code": (code, CODES)}, {"orders": 1, "cents": cents})


@given(ROWS)
def test_a_tally_is_what_groupby_counts_and_sums_by_every_combination(rows):
    frame = pd.DataFrame(rows, columns=["day", "code", "cents"])
    keys = pd.MultiIndex.from_product([range(2), range(3)], names=["day", "code"])
    expected = frame.groupby(["day", "code"])["cents"].agg(["size", "sum"]).reindex(keys)
    table = counted(rows).table()
    assert list(table.columns) == ["day", "code", "orders", "cents"]
    assert list(zip(table["day"], table["code"], strict=True)) == [
        (day, code) for day in DAYS for code in CODES
    ]
    assert table["orders"].tolist() == expected["size"].fillna(0).tolist()
    assert table["cents"].tolist() == expected["sum"].fillna(0).tolist()
    assert table["orders"].dtype == table["cents"].dtype == np.int64


@given(ROWS, ROWS)
def test_the_tallies_of_two_parts_add_up_to_that_of_all_rows(one, other):
    pd.testing.assert_frame_equal(
        (counted(one) + counted(other)).table(), counted(one + other).table()
    )


@given(ROWS)
def test_keys_are_added_up_or_chosen_by_their_names(rows):
    whole = counted(rows).table()
    for day in DAYS:
        chosen = whole[whole["day"] == day].drop(columns="day").reset_index(drop=True)
        pd.testing.assert_frame_equal(counted(rows).at("day", day).table(), chosen)
    by_code = whole.groupby("code", as_index=False)[["orders", "cents"]].sum()
    pd.testing.assert_frame_equal(counted(rows).table("code"), by_code)


@pytest.mark.parametrize("code", [-1, 3])
def test_a_code_that_stands_for_no_value_is_an_error(code):
    with pytest.raises(ValueError, match="invalid entry"):
        counted([(0, code, 1)])


def test_a_tally_says_its_keys_and_sums():
    assert repr(counted([])) == "2 day x 3 code: orders, cents"


# ---- sums and medians ---------------------------------------------------------------------------

GAPS = st.lists(st.integers(0, 30), max_size=40)


@given(st.lists(GAPS, min_size=1, max_size=6))
def test_the_median_of_a_histogram_is_numpys_median_of_the_values(customers):
    group = np.repeat(np.arange(len(customers)), [len(gaps) for gaps in customers])
    days = pd.Series([day for gaps in customers for day in gaps], dtype="Int8")
    found = median_of_counts(gap_counts(group, days, len(customers)))
    expected = [np.median(gaps) if gaps else np.nan for gaps in customers]
    np.testing.assert_array_equal(found, expected)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=30))
def test_the_weighted_median_is_numpys_median_of_repeated_values(orders):
    days = pd.Series([day for day, _ in orders], dtype="Int8")
    lines = np.array([lines for _, lines in orders], np.int64)
    counts = gap_counts(np.zeros(len(orders), np.int64), days, 1, lines)
    repeated = np.repeat(days.to_numpy("float64"), lines)
    expected = np.median(repeated) if len(repeated) else np.nan
    np.testing.assert_array_equal(median_of_counts(counts), [expected])


def test_missing_gaps_are_left_out_of_the_median():
    days = pd.Series([None, 8, None, 4, 30], dtype="Int8")
    counts = gap_counts(np.array([0, 0, 1, 0, 0]), days, 2)
    np.testing.assert_array_equal(median_of_counts(counts), [8.0, np.nan])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**31 - 1)), max_size=50))
def test_sums_by_group_are_those_of_plain_integers(rows):
    group = np.array([group for group, _ in rows], np.int64)
    values = np.array([value for _, value in rows], np.int64)
    found = sum_by(group, values, 6)
    assert found.dtype == np.int64
    assert found.tolist() == [sum(value for g, value in rows if g == number) for number in range(6)]
