"""One part counted: each aggregate against plain pandas, on any few lines."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from basket.analysis import part as counting
from basket.analysis import totals
from basket.analysis.groups import POPULATIONS, add_missing_label, is_active
from basket.analysis.part import Goods, Part
from basket.analysis.totals import Counts
from basket.project.folders import ROOT
from basket.project.settings import POPULATION_FLAG, load_settings
from basket.tables.sums import Tally

SETTINGS = load_settings(ROOT / "settings.yml")
DEPARTMENTS, RANGES = ["bakery", "deli", "snacks"], ["Low", "High", "missing"]
PRODUCTS = pd.DataFrame(
    {
        "department_id": [1, 1, 2, 3],
        "price_range": pd.Categorical.from_codes([0, 1, 0, 1], RANGES),
        "price_cents": pd.array([150, 700, 250, None], dtype="Int64"),
    }
)
GOODS = Goods.of(PRODUCTS, pd.DataFrame({"department_id": [1, 2, 3], "department": DEPARTMENTS}))
ACTIVITY = pd.Categorical.from_codes([1, 0, 1], SETTINGS.flags[POPULATION_FLAG].labels)
CUSTOMERS = pd.DataFrame({"user_id": [7, 5, 9], POPULATION_FLAG: ACTIVITY})
ORDER = st.tuples(
    st.integers(0, 2),  # its customer
    st.integers(0, 6),
    st.integers(0, 23),
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6),
)


def frames(orders: list) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give orders with their totals, and lines with all that belongs to them."""
    lines = pd.DataFrame(
        [
            (number, customer, product, reordered)
            for number, (customer, _, _, bought) in enumerate(orders)
            for product, reordered in bought
        ],
        columns=["order_id", "customer", "product_key", "reordered"],
    )
    lines["department"] = GOODS.department[lines["product_key"]]
    lines["price_range"] = GOODS.price_range[lines["product_key"]]
    lines["spend_cents"] = GOODS.cents[lines["product_key"]]
    lines["priced_lines"] = PRODUCTS["price_cents"].notna().to_numpy()[lines["product_key"]]
    lines["is_active"] = is_active(CUSTOMERS, SETTINGS)[lines["customer"]]
    table = pd.DataFrame(
        {
            "order_id": range(len(orders)),
            "user_id": [CUSTOMERS["user_id"][customer] for customer, *_ in orders],
            "order_day": [day for _, day, _, _ in orders],
            "order_hour": [hour for _, _, hour, _ in orders],
        }
    )
    by_order = lines.groupby("order_id")
    sums = by_order[["spend_cents", "priced_lines"]].sum().assign(lines=by_order.size())
    return table.join(sums, on="order_id"), lines


def counts(frame: pd.DataFrame, by: list[str], shape: tuple) -> np.ndarray:
    """Count the rows of a frame by the numbers in some columns, plainly."""
    found = np.zeros(shape, np.int64)
    for place in frame[by].itertuples(index=False):
        found[tuple(map(int, place))] += 1
    return found


@pytest.mark.slow
@given(st.lists(ORDER, min_size=1, max_size=6))
@effort(deadline=None)
def test_what_is_counted_fast_is_what_is_counted_plainly(orders):
    table, lines = frames(orders)
    part = Part(lines[["order_id", "product_key", "reordered"]], table, CUSTOMERS, SETTINGS)
    by_product = counting.by_product(part, len(PRODUCTS))
    keys = ["is_active", "product_key"]
    assert np.array_equal(by_product["lines"], counts(lines, keys, (2, 4)))
    reordered = counts(lines[lines["reordered"]], keys, (2, 4))
    assert np.array_equal(by_product["reordered_lines"], reordered)
    bought = counting.times_of(part, GOODS).lines.sum(axis=1)
    assert np.array_equal(bought, counts(lines, ["customer", "department"], (3, 3)))
    by_department = counting.by_department(part, bought, GOODS)
    for name, id_column in (("orders", "order_id"), ("customers", "customer")):
        once = lines.drop_duplicates([id_column, "department"])
        expected = counts(once, ["is_active", "department"], (2, 3))
        assert np.array_equal(by_department[name], expected)
    once = lines.drop_duplicates(["order_id", "price_range"])
    by_range = counting.by_price_range(part, GOODS)
    assert list(by_range.axes["price_range"]) == ["Low", "High"]
    assert np.array_equal(by_range["orders"], counts(once, ["is_active", "price_range"], (2, 2)))


@given(st.lists(ORDER, min_size=1, max_size=6), st.tuples(*[st.sampled_from([0, 1, None])] * 3))
@effort(deadline=None)
def test_lines_by_group_and_department_are_those_counted_line_by_line(orders, codes):
    table, lines = frames(orders)
    part = Part(lines[["order_id", "product_key", "reordered"]], table, CUSTOMERS, SETTINGS)
    group = add_missing_label(pd.Series(codes, dtype="Int8"), "missing")
    labels = pd.DataFrame({"region": group})
    bought = counting.times_of(part, GOODS).lines.sum(axis=1)
    axis = {"department": DEPARTMENTS}
    cells = {"lines": bought, "customers": bought > 0}
    mix = counting.by_group(part, cells, labels, "mix", axis)["mix_region"]
    lines["group"] = group.codes[lines["customer"]]
    shape = 2, len(group.categories), 3
    keys = ["is_active", "group", "department"]
    assert np.array_equal(mix["lines"], counts(lines, keys, shape))
    buyers = lines.drop_duplicates(["customer", "department"])
    assert np.array_equal(mix["customers"], counts(buyers, keys, shape))


@given(st.lists(ORDER, min_size=1, max_size=6))
@effort(deadline=None)
def test_what_each_customer_orders_when_is_counted_order_by_order(orders):
    table, lines = frames(orders)
    part = Part(lines[["order_id", "product_key", "reordered"]], table, CUSTOMERS, SETTINGS)
    times = counting.times_of(part, GOODS)
    assert times.users.tolist() == [7, 5, 9]
    table["customer"] = [customer for customer, *_ in orders]
    by_cell = counts(table, ["customer", "order_day", "order_hour"], (3, 7, 24))
    assert np.array_equal(times.orders, by_cell)
    assert np.array_equal(times.orders_by_day, by_cell.sum(axis=2))
    assert np.array_equal(times.orders_by_hour, by_cell.sum(axis=1))
    for period, size in (("day", 7), ("hour", 24)):
        by = table.groupby(["customer", f"order_{period}"])[["spend_cents", "priced_lines"]].sum()
        cells = pd.MultiIndex.from_product([range(3), range(size)])
        by = by.reindex(cells, fill_value=0)
        _, cents, priced = times.by(period)
        assert cents.ravel().tolist() == by["spend_cents"].tolist()
        assert priced.ravel().tolist() == by["priced_lines"].tolist()
    hours = table["order_hour"].to_numpy()[lines["order_id"]]
    lines["daypart"] = np.array(SETTINGS.daypart_of_hour())[hours]
    shape = 3, len(SETTINGS.dayparts), len(DEPARTMENTS)
    expected = counts(lines, ["customer", "daypart", "department"], shape)
    assert np.array_equal(times.lines, expected)
    assert all(column.dtype.itemsize < 8 for column in (times.orders, times.lines, cents))


@given(st.lists(ORDER, min_size=1, max_size=6))
@effort(deadline=None)
def test_orders_by_daypart_and_at_the_weekend_are_sums_of_the_times(orders):
    table, lines = frames(orders)
    part = Part(lines[["order_id", "product_key", "reordered"]], table, CUSTOMERS, SETTINGS)
    found = totals.customer_times(counting.times_of(part, GOODS), SETTINGS)
    daypart = np.array(SETTINGS.daypart_of_hour())
    expected = np.zeros((3, len(SETTINGS.dayparts) + 1), int)
    for customer, day, hour, _ in orders:
        expected[customer, daypart[hour]] += 1
        expected[customer, -1] += SETTINGS.day_names[day] in SETTINGS.weekend
    assert found.tolist() == expected.tolist()


def test_what_is_counted_is_shown_with_a_row_for_aggregates_of_one_kind():
    both = {"orders": np.array([7_000, 3]), "lines": np.array([9, 4])}
    rows = Tally({"population": POPULATIONS}, both)
    mix = Tally({"population": POPULATIONS, "group": "ab"}, {"lines": np.zeros((2, 2))})
    known = dict.fromkeys(field.name for field in fields(Counts))
    tallies = {"day_hour": rows, "mix_region": mix, "mix_gender": mix}
    counts = Counts(**known | {"tallies": tallies, "active": np.array([True, False])})
    assert counts.overview().to_numpy().tolist() == [
        ["day_hour", "population", "orders, lines"],
        ["mix_region and 1 of other flags", "population x group", "lines"],
    ]
    said = "7,000 orders, 9 order lines, 2 customers, 1 of them active"
    assert repr(counts).startswith(said)
    assert counts._repr_html_().startswith(f"<p>{said}</p><table")
