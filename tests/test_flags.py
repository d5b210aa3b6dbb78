"""Every flag at its boundaries, and the sums, medians and lookups that the flags rest on."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from basket.analysis import derive, flags, groups
from basket.project.flag import Flag
from basket.project.folders import ROOT
from basket.project.settings import load_settings
from basket.tables import ids as lookup_module
from basket.tables import sums
from basket.tables.audit import Audit
from basket.tables.ids import IdIndex, OrdersOfLines
from basket.tables.stage import add_up

SETTINGS = load_settings(ROOT / "settings.yml")
MISSING = "(missing)"


# ---- boundaries ---------------------------------------------------------------------------------

STATES = {
    "South": ["Delaware", "District of Columbia", "Maryland", "Oklahoma"],
    "Northeast": ["Pennsylvania"],
    "Midwest": ["Ohio", "Missouri"],
    "West": ["New Mexico", "Alaska", "Hawaii"],
    MISSING: ["Puerto Rico", None],
}
BOUNDARIES = {  # the values that carry each label, on both sides of each bound
    "price_range": {
        "Low-range product": [0, 499, 500],
        "Mid-range product": [501, 1500],
        "High-range product": [1501, 10_000, 9_999_900],
        MISSING: [None],
    },
    "loyalty_flag": {
        "New customer": [1, 10],
        "Regular customer": [11, 40],
        "Loyal customer": [41, 100],
    },
    "exclusion_flag": {"Low activity": [1, 4], "Active": [5, 100]},
    "frequency_flag": {
        "Frequent customer": [0.0, 10.0],
        "Regular customer": [10.5, 20.0],
        "Non-frequent customer": [20.5, 30.0],
        MISSING: [np.nan],
    },
    "age_group": {"18-39": [18, 39], "40-64": [40, 64], "65+": [65, 81], MISSING: [np.nan]},
    "income_group": {
        "Low income": [0, 49_999, 49_999.99],
        "Middle income": [50_000, 99_999, 99_999.99],
        "High income": [100_000, 593_901],
        MISSING: [np.nan],
    },
    "region": STATES,
}
DTYPES = {"price_range": "Int32", "loyalty_flag": "int16", "region": "category"}


@pytest.mark.parametrize(
    ("flag", "label"), [(flag, label) for flag, labels in BOUNDARIES.items() for label in labels]
)
def test_each_label_begins_and_ends_where_its_rule_says(flag, label):
    entry, values = SETTINGS.flags[flag], BOUNDARIES[flag][label]
    for value in values:
        table = {entry.source: pd.Series([value], dtype=DTYPES.get(flag))}
        assert list(flags.label(entry, table, MISSING)) == [label], value


@pytest.mark.parametrize(
    ("cents", "priced_lines", "expected"),
    [
        ([999, 2999, 999_999_999, 0], [1, 3, 1_000_000, 1], "Low spender"),
        ([1000, 1001, 3000, 3001, 1_000_000_000], [1, 1, 3, 3, 1_000_000], "High spender"),
        ([0], [0], MISSING),
    ],
)
def test_a_mean_item_price_below_10_is_low_and_exactly_10_high(cents, priced_lines, expected):
    entry = SETTINGS.flags["spending_flag"]
    table = dict(zip(entry.columns, (cents, priced_lines), strict=True))
    assert set(flags.label(entry, table, MISSING)) == {expected}


def test_the_51_states_are_in_four_regions():
    sizes = {region: len(states) for region, states in SETTINGS.regions.items()}
    assert sizes == {"Northeast": 9, "Midwest": 12, "South": 17, "West": 13}


@pytest.mark.parametrize(
    ("age", "dependants", "income", "expected"),
    [
        (39, 0, 49_999, "18-39, no dependants, low income"),
        (40, 1, 50_000, "40-64, with dependants, middle income"),
        (65, 3, 100_000, "65+, with dependants, high income"),
        (65, 0, np.nan, MISSING),
        (np.nan, 0, 60_000, MISSING),
    ],
)
def test_a_profile_is_age_group_dependants_and_income_group(age, dependants, income, expected):
    banded = [flag for flag in SETTINGS.flags.values() if flag.bands]
    one = {name: 1 for flag in banded for name in flag.columns}
    one |= {"age": age, "n_dependants": dependants, "income": income}
    found = flags.labels_of("customer", pd.DataFrame([one]), SETTINGS)
    assert list(found["profile"]) == [expected]
    assert len(flags.profile_parts(SETTINGS)) == 18


def test_every_flag_has_its_labels_in_the_order_of_the_settings_and_missing_last():
    for name, flag in SETTINGS.flags.items():
        if flag.bands:
            found = flags.label(flag, {name: [1, 11, 41] for name in flag.columns}, MISSING)
            assert list(found.categories) == [*flag.bands, MISSING], name


def banded(source: str, *bands: str) -> Flag:
    """Make a flag with the labels a, b, …, of these bounds."""
    labels = dict(zip("abcd", bands, strict=False))
    return Flag(of="customer", source=source, unit="units", bands=labels)


@pytest.mark.parametrize(
    ("bands", "expected"),
    [(("up to 0.1", "up to 0.3", "above"), "aab"), (("below 0.1", "below 0.3", "from"), "abc")],
)
def test_a_mean_exactly_at_a_bound_is_not_decided_by_float_noise(bands, expected):
    """3 of 30 is 0.1 and 30 of 100 is 0.3, though no float is."""
    table = {"some": [1, 3, 30], "all": [30, 30, 100]}
    assert "".join(flags.label(banded("some / all", *bands), table, MISSING)) == expected


@pytest.mark.parametrize(
    ("source", "bands", "cuts", "moved"),
    [
        (
            "orders",
            {"0-10": "up to 10", "11-40": "up to 40", "41+": "above 40"},
            [20, 50],
            {"0-20": "up to 20", "21-50": "up to 50", "51+": "above 50"},
        ),
        (
            "age",
            {"Under 40": "below 40", "40-64": "below 65", "Over 64": "from 65"},
            [30, 1_000],
            {"Under 30": "below 30", "30-999": "below 1000", "Over 999": "from 1000"},
        ),
        (
            "spend_cents / priced_lines",
            {"up to 5": "up to 5", "5-1,500": "up to 1500", "over 1,500": "above 1500"},
            [7.5, 2_000],
            {"up to 7.5": "up to 7.5", "7.5-2,000": "up to 2000", "over 2,000": "above 2000"},
        ),
        (
            "orders",
            {"Few": "up to 10", "Many": "above 10"},
            [20],
            {"Few": "up to 20", "Many": "above 20"},
        ),
    ],
)
def test_labels_of_moved_bounds_state_the_new_ones(source, bands, cuts, moved):
    flag = Flag(of="customer", source=source, unit="of it", bands=bands)
    assert flag.bands_at(cuts) == moved
    assert Flag(of="customer", source=source, unit="of it", bands=moved).cuts == cuts


def test_the_mean_of_nothing_is_missing():
    table = {"some": [0, 1], "all": [0, 1]}
    found = flags.label(banded("some / all", "up to 2", "above"), table, MISSING)
    assert list(found) == [MISSING, "a"]


def test_counts_shown_on_pages_tell_of_no_small_group():
    """All customers less the published active ones would be a few people (D-15)."""
    labels = [*SETTINGS.flags["loyalty_flag"].labels, MISSING]
    codes = np.repeat([0, 1, 2], [3, 8, 1234])
    counted = sums.tally({"loyalty_flag": (codes, labels)}, {"customers": 1})
    shown = derive.rule_and_counts("loyalty_flag", counted, SETTINGS)
    rules = ["up to 10 orders", "above 10 up to 40 orders", "above 40 orders", "no value"]
    assert shown["rule"].tolist() == rules
    few = "fewer than 11"
    assert shown["customers"].tolist() == [few, "about 11", "about 1,232", few]


def test_notebook_04_shows_each_flag_that_is_made(built, generated, settings, monkeypatch):
    """Those of products stand beside their sales; labels as received need no rule."""
    run, shown = built(generated, "corrected"), []
    monkeypatch.setattr(derive, "rule_and_counts", lambda name, *_: shown.append(name))
    run.notebook("04_derive_flags")
    made = {**settings.flags_of("order"), **settings.flags_of("customer")}
    assert sorted(shown) == sorted(name for name, flag in made.items() if flag.source != name)


# ---- busiest ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "most", "fewest", "expected"),
    [
        ([5, 9, 1, 4], 1, 1, [1, 0, 2, 1]),
        ([7, 7, 3, 3], 1, 1, [0, 1, 2, 1]),  # ties go to the lower number
        ([4, 4, 4, 4], 1, 1, [0, 2, 1, 1]),  # the busiest is taken before the slowest
        ([4, 4, 4, 4], 2, 2, [0, 0, 2, 2]),
        ([4, 4, 4], 2, 2, [0, 0, 2]),
        ([0, 3, 0, 2, 1], 1, 1, [1, 0, 1, 1, 2]),  # a day without any order is no slowest day
        ([0, 0, 6], 1, 1, [1, 1, 0]),
        ([0, 0, 0], 1, 1, [1, 1, 1]),
    ],
)
def test_busiest_come_before_slowest_and_ties_go_to_the_lower_number(
    counts, most, fewest, expected
):
    assert flags.rank_busiest(np.array(counts), most, fewest).tolist() == expected


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=24), st.integers(1, 12), st.integers(1, 12)
)
def test_busiest_are_never_fewer_than_the_rest_and_slowest_never_more(counts, most, fewest):
    counts = np.array(counts)
    codes = flags.rank_busiest(counts, most, fewest)
    with_orders = int((counts > 0).sum())
    assert (codes == 0).sum() == min(most, with_orders)
    assert (codes == 2).sum() == min(fewest, with_orders - (codes == 0).sum())
    assert (codes[counts == 0] == 1).all()
    rest = counts[(codes != 0) & (counts > 0)]
    if len(rest):
        assert counts[codes == 0].min() >= rest.max()
    if (codes == 2).any():
        assert counts[codes == 2].max() <= counts[(codes != 2) & (counts > 0)].min(
            initial=counts.max()
        )


@pytest.mark.parametrize(("rank_by", "expected"), [("orders", 0), ("lines", 6)])
def test_days_are_ranked_by_orders_or_by_lines_as_the_rules_say(rank_by, expected):
    orders, lines = np.ones((7, 24), np.int64), np.ones((7, 24), np.int64)
    orders[0, 0], lines[6, 0] = 50, 900
    rules = SETTINGS.rules.corrected.model_copy(update={"rank_busiest_by": rank_by})
    labels = flags.busiest_labels(orders, lines, rules, SETTINGS)
    assert list(labels["busiest_day"]).index("Busiest day") == expected
    assert list(labels["busiest_days"]).count("Busiest days") == 2
    assert list(labels["busiest_period_of_day"]).count("Most orders") == 8
    assert list(labels["busiest_period_of_day"]).count("Fewest orders") == 8


def test_an_order_without_lines_makes_no_day_busier():
    orders = pd.DataFrame(
        {
            "order_id": [1, 2, 3],
            "order_day": np.array([0, 6, 6], np.int8),
            "order_hour": np.array([5, 23, 23], np.int8),
        }
    )
    counts = derive.count_by_day_hour(pd.DataFrame({"order_id": [1, 1, 3]}), orders)[1]["day_hour"]
    assert counts["orders"].shape == counts["lines"].shape == (7, 24)
    assert (counts["orders"][0, 5], counts["lines"][0, 5]) == (1, 2)
    assert (counts["orders"][6, 23], counts["lines"][6, 23]) == (1, 1)
    assert counts["orders"].sum() == 2


# ---- missing labels -----------------------------------------------------------------------------


def test_missing_attributes_are_a_group_of_their_own_called_missing():
    numbers = groups.add_missing_label(pd.Series([2, None, 10], dtype="Int16"), MISSING)
    assert list(numbers) == ["2", MISSING, "10"]
    assert list(numbers.categories) == ["2", "10", MISSING]
    texts = groups.add_missing_label(pd.Series(["Male", None], dtype="category"), MISSING)
    assert list(texts) == ["Male", MISSING]
    known = flags.label(SETTINGS.flags["income_group"], {"income": [60_000, np.nan]}, MISSING)
    again = groups.add_missing_label(pd.Series(known), MISSING)
    assert list(again) == ["Middle income", MISSING]
    assert list(again.categories) == list(known.categories)


# ---- lookups ----------------------------------------------------------------------------------


IDS = st.lists(st.integers(1, 2**31 - 1), unique=True, min_size=1, max_size=30)


@pytest.mark.parametrize("spare", [10_000_000, 0], ids=["dense", "sparse"])
@given(ids=IDS, others=IDS, data=st.data())
@effort(deadline=None)
def test_positions_are_those_of_a_dictionary(spare, ids, others, data):
    """Ids are scaled down for the dense index, which is as long as the largest id.

    They come in pieces, of which some may be empty.
    """
    if spare:
        ids, others = ({number % 1000 + 1 for number in each} for each in (ids, others))
    wanted = data.draw(st.lists(st.sampled_from([*ids, *others]), max_size=40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup_module, "SPARE_IDS", spare)
        pieces = np.array_split(np.array([*ids], np.int32), 3)
        found = IdIndex(*pieces).locate(np.array(wanted, np.int32))
    place = {number: position for position, number in enumerate(ids)}
    assert found.tolist() == [place.get(number, -1) for number in wanted]


def test_an_index_of_no_ids_finds_nothing():
    assert IdIndex(np.array([], np.int32)).locate(np.array([1, 5], np.int32)).tolist() == [-1, -1]


@pytest.mark.parametrize("largest", [40, 20_000_000], ids=["dense", "sparse"])
def test_positions_are_those_of_a_merge(largest):
    rng = np.random.default_rng(1)
    ids = rng.choice(largest, 30, replace=False) + 1
    wanted = np.concatenate([rng.choice(ids, 20), [1, largest + 1, largest + 500]])
    merged = pd.DataFrame({"id": wanted}).merge(
        pd.DataFrame({"id": ids, "place": range(30)}), on="id", how="left"
    )
    assert IdIndex(ids).locate(wanted).tolist() == merged["place"].fillna(-1).astype(int).tolist()


@given(lines=st.lists(st.tuples(st.integers(1, 6), st.integers(-5, 5)), max_size=40))
def test_orders_of_lines_are_what_groupby_and_map_say(lines):
    """Lines in any order: an order's lines need not stand together."""
    lines = pd.DataFrame(lines, columns=["order_id", "value"], dtype="int32")
    orders = pd.Series([4, 2, 6, 1, 5, 3], name="order_id", dtype="int32")
    names = np.array(["d", "b", "f", "a", "e", "c"])
    found = OrdersOfLines(IdIndex(orders.to_numpy()), lines["order_id"].to_numpy())
    by_order = lines.groupby("order_id")["value"]
    assert found.count().tolist() == orders.map(by_order.size()).fillna(0).tolist()
    sums_of_orders = orders.map(by_order.sum()).fillna(0)
    assert found.sum(lines["value"].to_numpy()).tolist() == sums_of_orders.tolist()
    expected = lines["order_id"].map(dict(zip(orders, names, strict=True)))
    assert found.of_line(names).tolist() == expected.tolist()


@given(ids=st.lists(st.integers(1, 9), max_size=40))
def test_lines_by_order_are_a_stable_sort_by_the_place_of_their_order(ids):
    ids = np.array(ids, np.int32)
    orders = IdIndex(np.array([4, 2, 6, 1], np.int32))
    found = OrdersOfLines(orders, ids).lines_by_order()
    assert found.tolist() == np.argsort(orders.locate(ids), kind="stable").tolist()


def test_no_order_is_counted_where_a_line_has_none():
    found = OrdersOfLines(IdIndex(np.array([7, 9], np.int32)), np.array([9, 8], np.int32))
    with pytest.raises(ValueError, match="negative"):
        found.count()


def test_a_line_without_its_order_takes_the_value_for_none():
    orders = IdIndex(np.array([7, 9], np.int32))
    found = OrdersOfLines(orders, np.array([9, 9, 8, 7], np.int32))
    assert found.of_line(np.array([70, 90, 0])).tolist() == [90, 90, 0, 70]


# ---- parts --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_part(built, generated):
    """Give 200 customers with their orders and lines, and what else derive_part takes."""
    run = built(generated, "course")
    customers = run.table("customers").head(200)
    orders = run.table("orders")
    orders = orders[orders["user_id"].isin(customers["user_id"])].reset_index(drop=True)
    merged = run.table("merged")
    merged = merged[merged["user_id"].isin(customers["user_id"])].reset_index(drop=True)
    counts = derive.count_by_day_hour(merged, orders)[1]["day_hour"]
    rules = SETTINGS.rules.course
    constants = {
        "prices": run.table("products")["price_cents"],
        "rules": rules,
        "settings": SETTINGS,
        "busiest": flags.busiest_labels(counts["orders"], counts["lines"], rules, SETTINGS),
    }
    return merged, orders, customers, constants


def derive_in_parts(one_part, part_of_user: dict[int, int], parts: int):
    *tables, constants = one_part
    done = []
    for part in range(parts):
        rows = [
            frame[frame["user_id"].map(part_of_user) == part].reset_index(drop=True)
            for frame in tables
        ]
        done.append(derive.derive_part(*rows, **constants))
    frames = {table: pd.concat([made[table] for made, _ in done]) for table in done[0][0]}
    return frames, add_up(added for _, added in done)


def require_same(one: dict, other: dict) -> None:
    """Compare what was added up; a Tally by its sums, the values of all parts as a set."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        pairs = [(value, other[name])]
        if isinstance(value, list):
            pairs = [tuple(set(np.concatenate(each)) for each in (value, other[name]))]
        if isinstance(value, sums.Tally):
            pairs = [(value[each], other[name][each]) for each in value.sums]
        for left, right in pairs:
            np.testing.assert_array_equal(left, right)


@given(seed=st.integers(0, 2**16), parts=st.integers(1, 5))
@effort(deadline=None, max_examples=8)
def test_however_customers_are_split_the_flags_and_totals_are_the_same(one_part, seed, parts):
    users = one_part[2]["user_id"]
    part = np.random.default_rng(seed).integers(0, parts, len(users))
    frames, added = derive_in_parts(one_part, dict(zip(users, part, strict=True)), parts)
    whole, whole_added = derive_in_parts(one_part, dict.fromkeys(users, 0), 1)
    require_same(added, whole_added)
    assert list(whole) == ["analysis_orders", "analysis_customers", "low_activity_customers"]
    for table, frame in whole.items():
        assert len(frame)
        key = frame.columns[0]
        assert key == ("order_id" if table == "analysis_orders" else "user_id")
        left, right = (each.sort_values(key, ignore_index=True) for each in (frames[table], frame))
        pd.testing.assert_frame_equal(left, right)


def test_an_order_without_lines_counts_for_nobody(one_part):
    merged, orders, customers, constants = one_part
    gone = orders.loc[orders["user_id"] == customers["user_id"].iloc[0], "order_id"]
    fewer = merged[~merged["order_id"].isin(gone)].reset_index(drop=True)
    frames, totals = derive.derive_part(fewer, orders, customers, **constants)
    assert not frames["analysis_orders"]["order_id"].isin(gone).any()
    assert customers["user_id"].iloc[0] not in set(frames["analysis_customers"]["user_id"])
    assert totals["orders"] == len(frames["analysis_orders"])


def test_flags_and_sums_do_not_depend_on_the_order_of_the_lines(one_part):
    merged, orders, customers, constants = one_part
    shuffled = merged.sample(frac=1, random_state=7).reset_index(drop=True)
    left, right = (
        derive.derive_part(lines, orders, customers, **constants) for lines in (merged, shuffled)
    )
    for table, frame in left[0].items():
        pd.testing.assert_frame_equal(frame, right[0][table])
    require_same(*(added for _, added in (left, right)))


def test_states_that_no_region_gathers_are_counted():
    people = pd.DataFrame(
        {"state": ["Ohio", "TX", "TX", "Mars", None], "region": ["Midwest", *["(missing)"] * 4]}
    )
    audit = Audit("corrected")
    parts = [derive._ungathered(people, SETTINGS), derive._ungathered(people.head(2), SETTINGS)]
    derive.record_ungathered(audit, add_up(parts), SETTINGS)
    (check,) = audit.checks
    assert (check["check"], check["found"]) == ("values that no region gathers", "2")
    assert check["action"] == "left without a region"
    audit = Audit("corrected")
    derive.record_ungathered(audit, derive._ungathered(people.head(1), SETTINGS), SETTINGS)
    assert audit.checks[0]["action"] == "none needed"
