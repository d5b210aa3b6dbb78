"""Product pairs: against plain pandas, against the bootstrap of customers, and by simulation."""

import numpy as np
import pandas as pd
import pytest

from basket.analysis.questions import q11_pairs
from basket.project.folders import ROOT
from basket.project.settings import load_settings
from basket.tables.ids import IdIndex
from basket.tables.stage import add_up

SETTINGS = load_settings(ROOT / "settings.yml")
LOW, ACTIVE = SETTINGS.flags["exclusion_flag"].labels
GROUPINGS = ("loyalty_flag", "age_group", "income_group")
LOOSE = {"minimum_support": 0.0, "minimum_orders": 1}


def shop(baskets):
    """Make the tables of [(user_id, order_id, [product_key, …]), …]; user ids below 0 are low."""
    lines = [(order, key) for _, order, keys in baskets for key in keys]
    users = sorted({user for user, _, _ in baskets}, key=abs)
    return {
        "merged": pd.DataFrame(lines, columns=["order_id", "product_key"]).astype("int32"),
        "orders": pd.DataFrame(
            {
                "order_id": np.array([order for _, order, _ in baskets], np.int32),
                "user_id": np.array([abs(user) for user, _, _ in baskets], np.int32),
            }
        ),
        "customers": pd.DataFrame(
            {
                "user_id": np.array([abs(user) for user in users], np.int32),
                "exclusion_flag": pd.Categorical(
                    [LOW if user < 0 else ACTIVE for user in users], categories=[LOW, ACTIVE]
                ),
            }
        ),
    }


def random_shop(seed, customers=150, products=12):
    """Make customers who differ in tastes and orders; an even product brings the next."""
    rng = np.random.default_rng(seed)
    baskets, order = [], 0
    for user in range(1, customers + 1):
        taste = rng.beta(0.6, 2.0, products)
        low = rng.random() < 0.2
        for _ in range(rng.geometric(0.15)):
            order += 1
            held = rng.random(products) < taste
            held[1::2] |= held[::2] & (rng.random(products // 2) < 0.5)
            keys = np.flatnonzero(held)
            if len(keys):
                baskets.append((-user if low else user, order, list(rng.permutation(keys))))
    return shop(baskets)


def assortment(ids, lines=None, departments="produce"):
    return pd.DataFrame(
        {
            "product_key": range(len(ids)),
            "product_id": ids,
            "product_name": pd.Categorical([f"product {number}" for number in range(len(ids))]),
            "lines": 1000 if lines is None else lines,
            "department": departments,
        }
    )


def groups_of(customers, seed=0):
    rng = np.random.default_rng(seed)
    groups = {}
    for name in GROUPINGS:
        labels = SETTINGS.flags[name].labels
        drawn = rng.choice(labels, len(customers))
        groups[name] = pd.Categorical(drawn, categories=[*labels, "(missing)"])
    return pd.DataFrame(groups)


def both_passes(tables, products, labels=None, keys=None, **limits):
    keys = products["product_key"].to_numpy() if keys is None else keys
    counted = q11_pairs.count_part(**tables, keys=keys, settings=SETTINGS)[1]
    chosen = q11_pairs.candidates(counted, keys, products, **limits)
    labels = groups_of(tables["customers"]) if labels is None else labels
    users = IdIndex(tables["customers"]["user_id"].to_numpy())
    described = q11_pairs.describe_part(
        **tables, pairs=chosen, labels=labels, settings=SETTINGS, users=users
    )[1]
    return chosen, described


def plain_pairs(tables):
    """Count pairs by a self-merge of the active lines: the plain reference."""
    lines = (
        tables["merged"]
        .drop_duplicates()
        .merge(tables["orders"], on="order_id", validate="many_to_one")
        .merge(tables["customers"], on="user_id", validate="many_to_one")
        .query("exclusion_flag == @ACTIVE")
    )
    both = lines.merge(lines, on=["order_id", "user_id"], suffixes=("_a", "_b"))
    both = both[both["product_key_a"] < both["product_key_b"]]
    orders = tables["orders"].merge(tables["customers"], on="user_id")
    return lines, both, int((orders["exclusion_flag"] == ACTIVE).sum())


# --- counting


def test_orders_with_both_are_counted_by_hand():
    tables = shop(
        [
            (1, 10, [0, 1, 2]),
            (1, 11, [1, 0, 1]),  # a product that stands twice counts once
            (2, 12, [0]),
            (2, 13, [2, 1, 4]),
            (-3, 14, [0, 1, 2]),  # not active
        ]
    )
    sums = q11_pairs.count_part(**tables, keys=np.array([0, 1, 2]), settings=SETTINGS)[1]
    assert sums["orders"] == 4
    assert sums["together"].tolist() == [[3, 2, 1], [2, 3, 2], [1, 2, 2]]


@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_those_of_a_plain_self_merge(seed):
    tables, products = random_shop(seed), assortment(range(100, 112))
    chosen, described = both_passes(tables, products, **LOOSE)
    table = q11_pairs.product_pairs(chosen, described, products, SETTINGS)
    lines, both, orders = plain_pairs(tables)
    alone = lines["product_key"].value_counts()
    counts = both.groupby(["product_key_a", "product_key_b"]).agg(
        orders_with_both=("order_id", "size"), buyers=("user_id", "nunique")
    )
    assert 0 < len(table) <= q11_pairs.MOST_PAIRS
    for row in table.itertuples():
        a, b = row.product_a - 100, row.product_b - 100
        assert a < b
        assert row.orders_with_both == counts.loc[(a, b), "orders_with_both"]
        assert row.customers_with_both == counts.loc[(a, b), "buyers"]
        assert row.support == pytest.approx(row.orders_with_both / orders)
        assert row.confidence_a_to_b == pytest.approx(row.orders_with_both / alone[a])
        assert row.confidence_b_to_a == pytest.approx(row.orders_with_both / alone[b])
        assert row.lift == pytest.approx(row.orders_with_both * orders / (alone[a] * alone[b]))
        assert 1 < row.lift_low < row.lift < row.lift_high
    assert {(100, 101), (104, 105)} <= set(zip(table["product_a"], table["product_b"], strict=True))


def test_lift_of_the_first_pass_is_that_of_the_second():
    tables, products = random_shop(4), assortment(range(12))
    chosen, described = both_passes(tables, products, **LOOSE)
    lift = q11_pairs.lift_interval(described["moments"], 0.95)[0]
    assert lift == pytest.approx(chosen["lift"].to_numpy())
    assert chosen["lift"].is_monotonic_decreasing


def test_parts_add_up_to_the_whole_exactly():
    tables, products = random_shop(5, customers=200), assortment(range(12))
    labels = groups_of(tables["customers"])
    keys = products["product_key"].to_numpy()
    users = IdIndex(tables["customers"]["user_id"].to_numpy())
    parts = []
    for part in range(3):
        orders = tables["orders"][tables["orders"]["user_id"] % 3 == part]
        customers = tables["customers"][tables["customers"]["user_id"] % 3 == part]
        merged = tables["merged"][tables["merged"]["order_id"].isin(orders["order_id"])]
        parts.append({"orders": orders, "merged": merged, "customers": customers})
    counted = [q11_pairs.count_part(**part, keys=keys, settings=SETTINGS)[1] for part in parts]
    chosen, described = both_passes(tables, products, labels, **LOOSE)
    of_parts = q11_pairs.candidates(add_up(counted), keys, products, **LOOSE)
    pd.testing.assert_frame_equal(of_parts, chosen)
    constants = {"pairs": chosen, "labels": labels, "users": users, "settings": SETTINGS}
    added = add_up([q11_pairs.describe_part(**part, **constants)[1] for part in parts])
    assert added.keys() == described.keys()
    for name, value in described.items():
        np.testing.assert_array_equal(added[name], value)


def test_popular_products_have_most_lines_and_ties_go_to_the_lower_key():
    products = assortment(range(6), lines=[90, 70, 49, 70, 200, 50])
    assert q11_pairs.popular(products, 3).tolist() == [0, 1, 4]
    assert q11_pairs.popular(products).tolist() == [0, 1, 3, 4, 5]  # 49 lines cannot be 50 orders


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"minimum_support": 0.5, "minimum_orders": 1}, [(0, 1), (1, 2)]),
        ({"minimum_support": 0.51, "minimum_orders": 1}, []),
        ({"minimum_support": 0.0, "minimum_orders": 2}, [(0, 1), (1, 2)]),
        ({"minimum_support": 0.0, "minimum_orders": 3}, []),
        ({"minimum_support": 0.0, "minimum_orders": 2, "limit": 1}, [(0, 1)]),
    ],
)
def test_a_pair_needs_enough_orders_and_ties_go_to_the_lower_ids(limits, expected):
    sums = {"orders": 4, "together": np.array([[2, 2, 1], [2, 4, 2], [1, 2, 2]], np.int32)}
    chosen = q11_pairs.candidates(sums, np.arange(3), assortment([5, 6, 7]), **limits)
    assert list(zip(chosen["key_a"], chosen["key_b"], strict=True)) == expected


def test_pairs_across_departments_have_places_of_their_own():
    """Flavours take the first places; a pair of two departments is reported all the same."""
    baskets = [(user, user * 10, [0, 1, 2]) for user in range(1, 13)]  # three flavours
    baskets += [(user, user * 10, [3, 4]) for user in range(21, 61)]  # a dip and its bread
    baskets += [(user, user * 10, [5]) for user in range(71, 99)]
    tables = shop(baskets)
    products = assortment(range(1, 7), departments=["dairy"] * 3 + ["deli", "bakery", "snacks"])
    chosen, sums = both_passes(tables, products, limit=3, **LOOSE)
    flavours = [(0, 1), (0, 2), (1, 2)]
    assert list(zip(chosen["key_a"], chosen["key_b"], strict=True)) == [*flavours, (3, 4)]
    found = q11_pairs.product_pairs(chosen, sums, products, SETTINGS, limit=1)
    assert list(zip(found["product_a"], found["product_b"], strict=True)) == [(1, 2), (4, 5)]
    assert found["lift"].is_monotonic_decreasing
    assert found["department_a"].tolist() == ["dairy", "deli"]
    assert found["department_b"].tolist() == ["dairy", "bakery"]


def test_two_products_of_one_doubled_id_are_no_pair():
    together = np.full((3, 3), 60, np.int32)
    sums, products = {"orders": 100, "together": together}, assortment([6800, 6800, 7000])
    chosen = q11_pairs.candidates(sums, np.arange(3), products)
    assert list(zip(chosen["key_a"], chosen["key_b"], strict=True)) == [(0, 2), (1, 2)]


def test_a_pair_of_fewer_customers_than_the_smallest_group_is_not_reported():
    smallest = SETTINGS.privacy.smallest_group
    for buyers, expected in ((smallest - 1, 0), (smallest, 1)):
        baskets = [(user, user * 10 + n, [0, 1]) for user in range(1, buyers + 1) for n in range(9)]
        baskets += [(user, user * 10, [2]) for user in range(50, 90)]
        tables, products = shop(baskets), assortment([1, 2, 3])
        found = q11_pairs.product_pairs(*both_passes(tables, products), products, SETTINGS)
        assert len(found) == expected


def test_no_pair_at_all_leaves_empty_tables():
    tables, products = random_shop(6, customers=20), assortment(range(12))
    labels = groups_of(tables["customers"])
    chosen, described = both_passes(tables, products, labels, minimum_orders=10**6)
    assert q11_pairs.product_pairs(chosen, described, products, SETTINGS).empty
    buyers = q11_pairs.pair_buyers(chosen, described, products, labels, SETTINGS)
    assert buyers.empty
    tables = random_shop(6), assortment(range(12))
    some = q11_pairs.pair_buyers(
        *both_passes(*tables, **LOOSE), tables[1], groups_of(tables[0]["customers"]), SETTINGS
    )
    assert len(some)
    assert list(buyers) == list(some)  # its header says the same


# --- the interval


def moments_of(x):
    """Add up over customers for one pair: x has the columns orders, with a, with b, with both."""
    full = np.column_stack([np.ones(len(x)), x]).astype(np.int64)
    return (full.T @ full)[None]


def customers_with_tastes(rng, customers, both_when_a=0.0, mean_orders=12):
    """Draw customers who differ in orders and tastes; with `both_when_a`, a brings b along."""
    orders = rng.geometric(1 / mean_orders, customers)
    taste_a, taste_b = rng.beta(0.5, 3.0, customers), rng.beta(0.8, 3.0, customers)
    with_a = rng.binomial(orders, taste_a)
    both = rng.binomial(with_a, taste_b + (1 - taste_b) * both_when_a)
    with_b = both + rng.binomial(orders - with_a, taste_b)
    return np.column_stack([orders, with_a, with_b, both])


@pytest.mark.parametrize("both_when_a", [0.0, 0.5])
def test_the_interval_is_that_of_a_bootstrap_of_customers(both_when_a):
    x = customers_with_tastes(np.random.default_rng(1), 2000, both_when_a)
    lift, low, high = (float(each[0]) for each in q11_pairs.lift_interval(moments_of(x), 0.95))
    draw = np.random.default_rng(1)
    drawn = np.array(
        [x.sum(axis=0), *(x[draw.integers(0, 2000, 2000)].sum(axis=0) for _ in range(2000))]
    )
    lifts = drawn[:, 3] * drawn[:, 0] / (drawn[:, 1] * drawn[:, 2])
    estimate, (boot_low, boot_high) = lifts[0], np.quantile(lifts[1:], [0.025, 0.975])
    assert lift == pytest.approx(estimate)
    assert high - low == pytest.approx(boot_high - boot_low, rel=0.08)
    assert [low, high] == pytest.approx([boot_low, boot_high], abs=0.1 * (high - low))


def test_the_interval_covers_the_truth_and_one_of_orders_would_not():
    rng = np.random.default_rng(2)
    truth = 1.0  # tastes are independent
    covered, by_orders = 0, 0
    for _ in range(400):
        x = customers_with_tastes(rng, 500, mean_orders=30)
        lift, low, high = (float(each[0]) for each in q11_pairs.lift_interval(moments_of(x), 0.95))
        covered += low <= truth <= high
        orders, a, b, both = x.sum(axis=0)
        error = 1.96 * np.sqrt(1 / both + 1 / orders - 1 / a - 1 / b)
        by_orders += lift * np.exp(-error) <= truth <= lift * np.exp(error)
    assert 0.92 <= covered / 400 <= 0.98
    assert by_orders / 400 < 0.8


def test_one_customer_has_no_interval():
    low, high = q11_pairs.lift_interval(moments_of(np.array([[9, 5, 4, 3]])), 0.95)[1:]
    assert np.isnan([low, high]).all()


def test_a_planted_pair_comes_first_and_independent_ones_are_not_reported():
    rng = np.random.default_rng(3)
    baskets, order = [], 0
    for user in range(1, 601):
        for _ in range(8):
            order += 1
            held = rng.random(5) < 0.25
            held[1] = held[0] if rng.random() < 0.7 else held[1]
            baskets.append((user, order, [*np.flatnonzero(held), 5]))
    tables, products = shop(baskets), assortment(range(6))
    found = q11_pairs.product_pairs(*both_passes(tables, products), products, SETTINGS)
    assert tuple(found.loc[0, ["product_a", "product_b"]]) == (0, 1)
    assert found["lift"].iloc[0] == pytest.approx((0.7 + 0.3 * 0.25) / 0.25, rel=0.08)
    assert len(found) <= 2  # nine independent pairs, each found by chance with 2.5 %


# --- buyers


def test_buyers_are_those_of_plain_pandas():
    tables, products = random_shop(7), assortment(range(12))
    labels = groups_of(tables["customers"], seed=7)
    chosen, described = both_passes(tables, products, labels, **LOOSE)
    table = q11_pairs.pair_buyers(chosen, described, products, labels, SETTINGS, limit=4)
    first = q11_pairs.product_pairs(chosen, described, products, SETTINGS, limit=4)
    names = ["product_a", "product_b"]
    assert table[names].drop_duplicates().values.tolist() == first[names].values.tolist()

    both = plain_pairs(tables)[1]
    is_active = (tables["customers"]["exclusion_flag"] == ACTIVE).to_numpy()
    ids = tables["customers"].loc[is_active, "user_id"]
    assert len(table) == 4 * 9  # no active customer is without a group
    buyers = both.groupby(["product_key_a", "product_key_b"])["user_id"].agg(set)
    for row in table.itertuples():
        bought = ids.isin(buyers[row.product_a, row.product_b]).to_numpy()
        group = (labels.loc[is_active, row.grouping] == row.group).to_numpy()
        assert (row.customers, row.buyers) == (group.sum(), (bought & group).sum())
        assert row.share == pytest.approx(row.buyers / row.customers)
        assert row.lift == pytest.approx(row.share / bought.mean())
        assert 0 <= row.share_low <= row.share <= row.share_high <= 1
