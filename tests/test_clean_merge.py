"""Cleaning fault by fault, and the merge against plain pandas merges."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from basket.prepare import clean, merge
from basket.project.errors import BasketError, DataError
from basket.project.folders import ROOT
from basket.project.settings import load_settings
from basket.tables.audit import Audit

SETTINGS = load_settings(ROOT / "settings.yml")
RULES = ["corrected", "course"]

FILES = {
    "raw_products": "products.csv",
    "raw_departments": "departments.csv",
    "raw_customers": "customers.csv",
    "raw_orders": "orders.csv",
    "raw_lines": "lines.csv",
}


def int32(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns).astype(np.int32)


def raw_products(*rows) -> pd.DataFrame:
    """Write products as (id, name, price in dollars); aisle and department follow from the id."""
    ids, names, prices = zip(*rows, strict=True)
    ones = np.ones(len(ids), np.int16)
    columns = {"product_name": pd.Categorical(names), "aisle_id": ones, "department_id": ones}
    return int32(product_id=ids).assign(**columns, prices=np.array(prices, np.float64))


def cleaned(raw: pd.DataFrame, rules: str = "corrected") -> pd.DataFrame:
    return clean.products(raw, SETTINGS.rules_named(rules), SETTINGS.thresholds, SETTINGS.labels)


def pairs_of(products: pd.DataFrame) -> list[tuple]:
    return list(zip(products["product_id"], products["product_name"], strict=True))


# ---- products -----------------------------------------------------------------------------------


def test_the_first_row_of_a_doubled_id_takes_the_absent_id_before_it():
    raw = raw_products((3, "a", 1), (7, "first", 2), (7, "second", 3), (8, "b", 4))
    assert pairs_of(cleaned(raw)) == [(3, "a"), (6, "first"), (7, "second"), (8, "b")]


@pytest.mark.parametrize(
    "rows",
    [
        [(6, "a", 1), (7, "first", 2), (7, "second", 3)],  # 6 is not absent
        [(7, "first", 1), (7, "second", 2), (7, "third", 3)],  # two would stay on 7
        [(1, "first", 1), (1, "second", 2)],  # there is no id 0
    ],
)
def test_a_doubled_id_that_cannot_be_repaired_stops_the_run_and_is_named(rows):
    with pytest.raises(DataError, match=rf"products.csv: column product_id: {rows[-1][0]} is on"):
        clean.require_own_ids(cleaned(raw_products(*rows)), FILES)


def test_course_rules_leave_a_doubled_id_on_both_products_with_keys_of_their_own():
    found = cleaned(raw_products((7, "first", 2), (7, "second", 3), (2, "a", 1)), "course")
    assert pairs_of(found) == [(2, "a"), (7, "first"), (7, "second")]
    assert found["product_key"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("rules", RULES)
def test_rows_that_repeat_another_in_every_column_are_dropped(rules):
    raw = raw_products((4, "a", 1), (5, "b", 2), (5, "b", 2), (9, "c", 3), (9, "c", 3))
    assert pairs_of(cleaned(raw, rules)) == [(4, "a"), (5, "b"), (9, "c")]


def test_a_row_that_differs_in_its_price_alone_is_no_exact_duplicate():
    raw = raw_products((4, "a", 1), (5, "b", 2), (5, "b", 2.5))
    with pytest.raises(DataError, match="5 is on several products"):
        clean.require_own_ids(cleaned(raw), FILES)
    assert len(cleaned(raw, "course")) == 3


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            "corrected",
            [(1, "(unnamed)"), (2, "(damaged name)"), (3, "None"), (4, "nan"), (5, "(unnamed)")],
        ),
        ("course", [(2, "#NAME?"), (3, "None"), (4, "nan")]),
    ],
)
def test_nameless_and_damaged_names_are_labelled_and_a_product_called_none_stays(rules, expected):
    raw = raw_products((1, None, 1), (2, "#NAME?", 2), (3, "None", 3), (4, "nan", 4), (5, None, 5))
    assert pairs_of(cleaned(raw, rules)) == expected


def test_nameless_products_that_repeat_each_other_are_one_product():
    assert pairs_of(cleaned(raw_products((1, None, 1), (1, None, 1)))) == [(1, "(unnamed)")]


def test_dollars_become_whole_cents_without_float_noise():
    dollars = [0.0, 1.0, 1.1, 4.35, 8.2, 0.1 + 0.2, 19.99, 9.999, 14_900.0, 99_999.0, np.nan]
    found = clean.to_cents(pd.Series(dollars))
    assert found.dtype == "Int32"
    expected = [0, 100, 110, 435, 820, 30, 1999, 1000, 1_490_000, 9_999_900, pd.NA]
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("dollars", "is_kept"),
    [(99.99, True), (100.0, True), (100.01, False), (14_900.0, False), (99_999.0, False)],
)
def test_a_price_above_100_dollars_is_no_price(dollars, is_kept):
    corrected = cleaned(raw_products((1, "a", dollars)))["price_cents"]
    assert corrected.notna().tolist() == [is_kept]
    course = cleaned(raw_products((1, "a", dollars)), "course")["price_cents"]
    assert course.tolist() == [round(100 * dollars)]  # the flags still see it


def test_cleaning_leaves_its_argument_alone():
    raw = raw_products((7, None, 1), (7, "second", 9999), (2, "#NAME?", 1))
    before = raw.copy(deep=True)
    cleaned(raw)
    pd.testing.assert_frame_equal(raw, before)


@pytest.mark.parametrize("rules", RULES)
def test_products_are_sorted_by_id_and_keep_the_files_order_within_one(rules):
    found = cleaned(raw_products((9, "z", 1), (4, "second?", 1), (2, "a", 1)), rules)
    assert found["product_id"].tolist() == [2, 4, 9]
    assert found["product_key"].tolist() == [0, 1, 2]


def test_a_product_in_an_unknown_department_is_named():
    products = cleaned(raw_products((3, "a", 1)))
    with pytest.raises(DataError, match=r"1 of product 3 is not in departments\.csv"):
        clean.require_departments(products, pd.DataFrame({"department_id": [2]}), FILES)


@pytest.mark.parametrize("rules", RULES)
def test_the_products_that_each_rule_removes_are_recorded_and_add_up(rules):
    raw = raw_products((1, None, 1), (5, "b", 2), (5, "b", 2), (7, "c", 3), (7, "d", 4))
    audit = Audit(rules)
    clean.record_product_flow(audit, rules, raw, SETTINGS)
    flow = audit.flow_table()
    assert flow["rows_removed"].tolist() == ([0, 1] if rules == "corrected" else [1, 1])
    assert flow["rows_in"].iloc[0] == 5
    assert flow["rows_out"].iloc[-1] == len(cleaned(raw, rules))


# ---- orders and customers -----------------------------------------------------------------------


def raw_orders() -> pd.DataFrame:
    return int32(
        order_id=[13, 11, 12, 21, 22],
        user_id=[1, 1, 1, 2, 2],
        order_number=[3, 1, 2, 1, 2],
        order_day=range(5),
        order_hour=range(8, 13),
    ).assign(
        eval_set=pd.Categorical(["train", "prior", "prior", "prior", "test"]),
        days_since_prior_order=pd.array([5, None, 30, None, 7], "Int8"),
    )


def raw_customers() -> pd.DataFrame:
    texts = {"gender": ["Male", "Female"], "state": ["Ohio", "Texas"], "family_status": ["x", "y"]}
    return int32(user_id=[2, 1], age=[30, 40]).assign(**texts)


def test_only_prior_orders_are_kept_in_the_order_of_each_customers_history():
    frames, counts = clean.clean_part(raw_orders(), raw_customers(), FILES)
    orders = frames["orders"]
    assert orders["order_id"].tolist() == [11, 12, 21]
    assert orders["is_first_order"].tolist() == [True, False, True]
    assert orders["days_since_prior_order"].tolist() == [pd.NA, 30, pd.NA]
    assert "eval_set" not in orders
    assert frames["customers"]["user_id"].tolist() == [1, 2]
    assert {"gender", "state", "age", "family_status"} < set(frames["customers"])
    assert frames["customers"]["last_order_number"].tolist() == [3, 2]
    assert frames["customers"]["last_gap_days"].tolist() == [5, 7]
    assert counts.pop("orders_by_gap").tolist() == [0] * 30 + [1]
    last = counts.pop("last_orders_by_gap")
    assert {day: n for day, n in enumerate(last.tolist()) if n} == {5: 1, 7: 1}
    assert counts == {
        "orders": 5,
        "prior_orders": 3,
        "train_orders": 1,
        "test_orders": 1,
        "first_orders": 2,
        "first_not_numbered_1": 0,
        "first_with_gap": 0,
        "customers": 2,
        "customers_ordering": 2,
        "customers_backwards": 0,
        "customers_with_holes": 0,
        "customers_without_last": 0,
        "customers_without_orders": 0,
        "orders_without_customer": 0,
    }


def test_holes_in_a_history_and_what_lacks_its_partner_are_counted():
    """Order 2 of customer 1 is gone, customer 2 has no last order, 3 none at all, 4 is unknown."""
    orders = raw_orders()
    holes = orders[(orders["user_id"] != 1) | (orders["order_number"] != 2)]
    holes = holes[(holes["user_id"] != 2) | (holes["eval_set"] == "prior")]
    unknown = holes.tail(1).assign(user_id=np.int32(4), order_id=np.int32(99))
    people = pd.concat([raw_customers(), raw_customers().head(1).assign(user_id=np.int32(3))])
    frames, counts = clean.clean_part(pd.concat([holes, unknown]), people, FILES)
    found = {name: counts[name] for name in counts if name.startswith("customers_")}
    assert found == {
        "customers_ordering": 3,
        "customers_backwards": 0,
        "customers_with_holes": 1 + (unknown["order_number"].iloc[0] > 1),
        "customers_without_last": 1 + (unknown["eval_set"].iloc[0] == "prior"),
        "customers_without_orders": 1,
    }
    assert counts["orders_without_customer"] == 1
    assert frames["customers"]["last_gap_days"].tolist() == [5, pd.NA, pd.NA]


def test_the_last_of_several_orders_without_lines_is_the_last():
    orders = raw_orders()
    orders.loc[orders["order_number"] == 2, "eval_set"] = "test"
    frames, _ = clean.clean_part(orders, raw_customers(), FILES)
    assert frames["customers"]["last_order_number"].tolist() == [3, 2]


def test_a_missing_gap_on_a_later_order_is_counted_not_filled():
    damaged = raw_orders()
    damaged.loc[2, "days_since_prior_order"] = pd.NA
    frames, counts = clean.clean_part(damaged, raw_customers(), FILES)
    assert (counts["first_not_numbered_1"], counts["first_with_gap"]) == (1, 0)
    assert frames["orders"]["days_since_prior_order"].isna().all()


def test_orders_numbered_from_the_newest_are_refused_and_no_others():
    orders = raw_orders()
    last = orders.groupby("user_id")["order_number"].transform("max")
    backwards = orders.assign(order_number=last + 1 - orders["order_number"])
    without_gaps = orders.assign(days_since_prior_order=pd.array([pd.NA] * len(orders), "Int8"))
    for table, found in ((orders, 0), (backwards, 2), (without_gaps, 0)):
        counts = clean.count_missing(table, raw_customers())
        assert counts["customers_backwards"] == found
    clean.require_oldest_first({"customers_backwards": 1, "customers_ordering": 2}, FILES)
    with pytest.raises(DataError, match="for 2 of 2 customers the highest number has no days"):
        clean.require_oldest_first({"customers_backwards": 2, "customers_ordering": 2}, FILES)


def test_a_gap_on_a_first_order_is_none_whatever_filled_it():
    """A 0 for an empty field would be a return on the day of the first order."""
    filled = raw_orders()
    filled["days_since_prior_order"] = filled["days_since_prior_order"].fillna(0)
    frames, counts = clean.clean_part(filled, raw_customers(), FILES)
    assert frames["orders"].equals(
        clean.clean_part(raw_orders(), raw_customers(), FILES)[0]["orders"]
    )
    assert (counts["first_not_numbered_1"], counts["first_with_gap"]) == (0, 2)
    audit = Audit("corrected")
    clean.record_orders(audit, counts)
    checks = audit.checks_table().set_index("check")
    assert checks.loc["a gap on a first order", "found"] == "2"
    assert checks.loc["a gap on a first order", "action"].startswith("set missing")


@pytest.mark.parametrize(("prices", "found"), [([5.1, 14.9, None], 0), ([5.005, 3.0, 1.999], 2)])
def test_prices_with_a_fraction_of_a_cent_are_counted(prices, found):
    assert clean.fractions_of_cents(pd.Series(prices, dtype="float64")) == found


# ---- the merge, against plain pandas merges -----------------------------------------------------


@st.composite
def deliveries(draw, complete: bool = False):
    """Draw lines, orders, customers, products and departments; `complete` if every line matches."""
    users = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5, unique=True))
    order_ids = draw(st.lists(st.integers(1, 12), min_size=1, max_size=8, unique=True))
    user_of_order = [draw(st.sampled_from(users if complete else range(1, 6))) for _ in order_ids]
    product_ids = sorted(draw(st.lists(st.integers(1, 6), min_size=1, max_size=8, unique=complete)))
    line_orders = st.sampled_from(order_ids) if complete else st.integers(1, 13)
    line_products = st.sampled_from(product_ids) if complete else st.integers(1, 7)
    lines = draw(st.lists(st.tuples(line_orders, line_products), max_size=30))
    orders = int32(order_id=order_ids, user_id=user_of_order)
    orders = orders.assign(
        order_number=np.arange(1, len(orders) + 1, dtype=np.int16),
        order_day=np.arange(len(orders), dtype=np.int8) % 7,
        is_first_order=False,
    )
    customers = int32(user_id=users, age=[20 + user for user in users])
    department_of = [number % 3 for number in product_ids]
    keys = range(len(product_ids))
    products = int32(product_id=product_ids, product_key=keys, department_id=department_of)
    departments = int32(department_id=range(3)).assign(department=pd.Categorical(["a", "b", "c"]))
    raw_lines = pd.DataFrame(lines, columns=["order_id", "product_id"]).astype("int32")
    raw_lines["add_to_cart_order"] = np.arange(1, len(lines) + 1, dtype=np.int16)
    raw_lines["reordered"] = np.arange(len(lines), dtype=np.int8) % 2
    return raw_lines, orders, customers, products, departments


def merge_frames(raw_lines, orders, customers, products, departments) -> tuple[pd.DataFrame, dict]:
    """Merge frames as `merge_part` merges the stored columns of a part."""
    frames = (raw_lines, orders, customers)
    stored = [pa.Table.from_pandas(frame, preserve_index=False) for frame in frames]
    made, sums = merge.merge_part(*stored, merge.Catalogue.of(products, departments))
    return made["merged"].to_pandas(), sums


def merged_plainly(raw_lines, orders, customers, products, departments) -> pd.DataFrame:
    """Merge as one would on a whiteboard: inner joins, one after the other."""
    return (
        raw_lines.merge(orders.drop(columns="is_first_order"), on="order_id")
        .merge(products.merge(departments, on="department_id"), on="product_id")
        .merge(customers, on="user_id")
        .assign(merge="both")
    )


def as_rows(frame: pd.DataFrame) -> list[tuple]:
    columns = sorted(frame.columns)
    return sorted(map(tuple, frame[columns].astype(object).to_numpy().tolist()))


@pytest.mark.slow
@given(deliveries())
@effort(deadline=None, max_examples=60)
def test_the_merge_is_that_of_plain_pandas_with_unmatched_lines_and_doubled_ids(delivery):
    found, sums = merge_frames(*delivery)
    expected = merged_plainly(*delivery)
    assert sorted(found.columns) == sorted(expected.columns)
    assert as_rows(found) == as_rows(expected)
    assert sums["orders_kept"] == expected["order_id"].nunique()
    assert sums["customers_kept"] == expected["user_id"].nunique()


@given(deliveries())
@effort(deadline=None, max_examples=60)
def test_lines_read_and_added_are_always_those_kept_and_unmatched(delivery):
    raw_lines = delivery[0]
    found, sums = merge_frames(*delivery)
    assert sums["read"] == len(raw_lines)
    assert sums["kept"] == len(found)
    assert sums["read"] + sums["added"] == sums["kept"] + merge.unmatched(sums)
    flag = merge.merge_flag(sums)["lines"] if len(raw_lines) else pd.Series([0])
    assert flag.sum() == sums["read"]


@pytest.mark.slow
@given(deliveries(), deliveries())
@effort(deadline=None, max_examples=60)
def test_the_flow_under_other_products_is_what_merging_with_them_gives(delivery, other):
    raw_lines, orders, customers, products, departments = delivery
    _, sums = merge_frames(*delivery)
    for catalogue in (products, other[3]):
        expected = merged_plainly(raw_lines, orders, customers, catalogue, departments)
        flow = merge.flow_under(catalogue, sums)
        assert flow["kept"] == len(expected)
        assert flow["unmatched"] == len(raw_lines) - expected["add_to_cart_order"].nunique()
        assert flow["kept"] == sums["read"] - flow["unmatched"] + flow["added"]


@given(deliveries(), st.randoms(use_true_random=False))
@effort(deadline=None, max_examples=30)
def test_the_order_of_the_rows_of_any_table_is_irrelevant(delivery, random):
    seed = random.randrange(2**16)
    shuffled = [frame.sample(frac=1, random_state=seed) for frame in delivery[:3]]
    shuffled = [frame.reset_index(drop=True) for frame in shuffled]
    left, left_sums = merge_frames(*delivery)
    right, right_sums = merge_frames(*shuffled, *delivery[3:])
    assert as_rows(left) == as_rows(right)
    for name in ("kept", "added", "without_order", "without_product", "without_customer"):
        assert left_sums[name] == right_sums[name]


@pytest.mark.slow
@given(deliveries())
@effort(deadline=None, max_examples=60)
def test_merged_lines_are_in_the_order_of_the_orders_and_then_of_the_file(delivery):
    found, _ = merge_frames(*delivery)
    order_ids = delivery[1]["order_id"]
    found["order"] = found["order_id"].map(dict(zip(order_ids, range(len(order_ids)), strict=True)))
    keys = list(found[["order", "add_to_cart_order", "product_key"]].itertuples(index=False))
    assert keys == sorted(keys)


@given(deliveries(complete=True))
@effort(deadline=None, max_examples=30)
def test_complete_data_matches_fully_and_adds_nothing(delivery):
    _, sums = merge_frames(*delivery)
    merge.require_full_match(sums, FILES)
    assert sums["kept"] == sums["read"]


# ---- what does not match is named ---------------------------------------------------------------


def small_delivery(**changes) -> dict[str, pd.DataFrame]:
    """Make two orders of two customers with three lines of two products."""
    lines = {"order_id": [1, 1, 2], "product_id": [5, 6, 6], "add_to_cart_order": [1, 2, 1]}
    return {
        "raw_lines": int32(**lines, reordered=[0, 0, 0]),
        "orders": int32(order_id=[1, 2], user_id=[10, 20]).assign(is_first_order=True),
        "customers": int32(user_id=[10, 20], age=[30, 40]),
        "products": PRODUCTS,
        "departments": pd.DataFrame({"department_id": [1], "department": ["a"]}),
    } | changes


PRODUCTS = int32(product_id=[5, 6], product_key=[0, 1], department_id=[1, 1])


@pytest.mark.parametrize(
    ("table", "row", "message"),
    [
        ("orders", 1, r"lines.csv: column order_id: 2 is not in orders.csv .* 0 lines more"),
        (
            "customers",
            0,
            r"lines.csv: column user_id: the customer of order 1 is not in "
            r"customers.csv .* 1 lines more.* or its row there is in quarantine",
        ),
    ],
)
def test_a_line_without_its_order_or_customer_is_named(table, row, message):
    delivery = small_delivery()
    delivery[table] = delivery[table].drop(index=row).reset_index(drop=True)
    _, sums = merge_frames(**delivery)
    with pytest.raises(DataError, match=message):
        merge.require_full_match(sums, FILES)


def test_a_line_without_its_product_is_named_with_the_lines_of_every_part():
    _, sums = merge_frames(**small_delivery(products=PRODUCTS.head(1)))
    twice = {name: value + value for name, value in sums.items()}
    with pytest.raises(DataError, match=r"product_id: 6 is not in products.csv .* 3 lines more"):
        merge.require_full_match(twice, FILES)


def test_a_product_id_on_two_products_is_refused_where_every_line_must_match_once():
    products = pd.concat([PRODUCTS, PRODUCTS.tail(1).assign(product_key=2)], ignore_index=True)
    _, sums = merge_frames(**small_delivery(products=products))
    assert sums["added"] == 2
    with pytest.raises(DataError, match="2 lines match several products"):
        merge.require_full_match(sums, FILES)


def test_a_line_that_lacks_product_and_customer_is_lost_once():
    customers = small_delivery()["customers"].tail(1)
    delivery = small_delivery(customers=customers, products=PRODUCTS.tail(1))
    _, sums = merge_frames(**delivery)
    assert (sums["without_product"], sums["without_customer"], sums["kept"]) == (1, 1, 1)
    assert merge.flow_under(PRODUCTS.tail(1), sums) == {"unmatched": 2, "added": 0, "kept": 1}


# ---- the audit ----------------------------------------------------------------------------------


@given(*[st.integers(0, 99)] * 4, st.integers(1, 9))
def test_a_flow_that_does_not_add_up_cannot_be_recorded(kept, added, removed, quarantined, wrong):
    audit = Audit("corrected")
    rows_in, rows_out = kept + removed + quarantined, kept + added
    changes = {"added": added, "removed": removed, "quarantined": quarantined}
    audit.record_flow("t", "s", rows_in, rows_out, **changes)
    for step in (wrong, -wrong):
        with pytest.raises(BasketError, match="rows do not add up"):
            audit.record_flow("t", "s", rows_in + step, rows_out, **changes)
    with pytest.raises(BasketError, match="a count of rows is negative"):
        audit.record_flow("t", "s", rows_in, rows_in + wrong, removed=-wrong)
    assert len(audit.flow) == 1


def test_what_is_missing_is_recorded_as_a_share_and_as_a_check():
    audit = Audit("corrected")
    audit.record_missing("orders", "order_number", "gaps", 1_000, 4_000, "Not answered.", 0.01)
    audit.record_missing("orders", "order_number", "doubles", 0, 4_000, "Not answered.")
    audit.record_missing("orders", "order_number", "holes", 0, 0, "Not answered.")
    missing = audit.missing_table()
    assert missing[["found", "of", "share", "consequence"]].to_numpy().tolist() == [
        [1_000, 4_000, 0.25, "Not answered."],
        [0, 4_000, 0.0, "none"],
        [0, 0, 0.0, "none"],
    ]
    assert missing["limit"].fillna(0).tolist() == [0.01, 0, 0]
    assert audit.checks_table()[["check", "found", "action"]].to_numpy().tolist() == [
        ["gaps", "1,000 of 4,000", "Not answered."],
        ["doubles", "0 of 4,000", "none needed"],
        ["holes", "0 of 0", "none needed"],
    ]
