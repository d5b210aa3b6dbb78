"""Product pairs: against plain pandas, part by part, and where there is no affinity at all."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from basket.analysis import pairs
from basket.analysis.halves import in_first_half
from basket.analysis.questions import q11_pairs
from basket.project.folders import ROOT
from basket.project.settings import load_settings
from basket.tables.stage import add_up

SETTINGS = load_settings(ROOT / "settings.yml")
LOW, ACTIVE = SETTINGS.flags["exclusion_flag"].labels
GROUPINGS = ("loyalty_flag", "age_group", "income_group")
LOOSE = {"minimum_support": 0.0, "minimum_orders": 1}
KEYS = ["key_a", "key_b"]


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
                "lines": np.array([len(keys) for _, _, keys in baskets], np.int32),
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


def counted(tables, products):
    keys = products["product_key"].to_numpy()
    return pairs.count_part(**tables, keys=keys, settings=SETTINGS)[1]


def chosen_of(tables, products, **limits):
    keys = products["product_key"].to_numpy()
    return pairs.choose(counted(tables, products), keys, products, SETTINGS, **limits)


def described(tables, products, chosen):
    keys = products["product_key"].to_numpy()
    shares = pairs.shares_by_size(counted(tables, products), keys, chosen)
    made = pairs.describe_part(**tables, chosen=chosen, shares=shares, settings=SETTINGS)[1]
    return pairs.Half.of(made, shares)


def found_in(tables, products, **limits):
    """Choose pairs and describe them: the table product_pairs, and the second half."""
    chosen = chosen_of(tables, products, **limits)
    people = described(tables, products, chosen)
    return q11_pairs.product_pairs(chosen, people, products, SETTINGS), people


def of_half(tables, first):
    """The orders of the active customers of one half, each with the set of its products."""
    active = tables["customers"].query("exclusion_flag == @ACTIVE")["user_id"]
    orders = tables["orders"]
    orders = orders[orders["user_id"].isin(active[in_first_half(active.to_numpy()) == first])]
    held = tables["merged"].groupby("order_id")["product_key"].agg(set)
    return orders.assign(held=orders["order_id"].map(held))


# --- choosing, on the first half


def test_orders_are_counted_by_hand():
    first, second = (
        [user for user in range(1, 20) if in_first_half(np.array([user]))[0] == half][:2]
        for half in (True, False)
    )
    tables = shop(
        [
            (first[0], 10, [0, 1, 2]),
            (first[0], 11, [1, 0, 1]),  # a product that stands twice counts once
            (first[1], 12, [0]),
            (first[1], 13, [2, 1, 4]),
            (second[0], 14, [0, 2]),
            (-second[1], 15, [0, 1, 2]),  # not active
        ]
    )
    sums = counted(tables, assortment(range(3)))
    assert sums["together"].tolist() == [[0, 2, 1], [0, 0, 2], [0, 0, 0]]
    assert sums["squares"].tolist() == [[0, 4, 1], [0, 0, 2], [0, 0, 0]]  # 2, and 1 and 1
    assert sums["orders"][0].nonzero()[0].tolist() == [1, 3]  # lines: also those of no product
    assert sums["orders"].sum(axis=1).tolist() == [4, 1]
    assert sums["alone"].sum(axis=1).tolist() == [[3, 3, 2], [1, 0, 1]]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_chosen_on_is_the_plain_sum_over_orders(seed):
    tables, products = random_shop(seed), assortment(range(100, 112))
    sums, orders = counted(tables, products), of_half(tables, first=True)
    size = orders["held"].map(len)
    assert sums["orders"][0].sum() == len(orders)
    found = chosen_of(tables, products, **LOOSE)
    assert len(found) > 10
    for row in found.itertuples():
        has_a, has_b = (orders["held"].map(lambda held, k=k: k in held) for k in row[1:3])
        expected = sum(
            has_a[size == one].sum() * has_b[size == one].sum() / (size == one).sum()
            for one in size.unique()
        )
        by_customer = (has_a & has_b).groupby(orders["user_id"]).sum()
        assert sums["together"][row.key_a, row.key_b] == by_customer.sum()
        assert sums["squares"][row.key_a, row.key_b] == (by_customer**2).sum()
        assert row.effect_first_half == pytest.approx(by_customer.sum() / expected)


def test_the_second_half_chooses_nothing():
    tables, products = random_shop(4), assortment(range(12))
    usual = chosen_of(tables, products, **LOOSE)
    first = tables["customers"]["user_id"][in_first_half(tables["customers"]["user_id"].to_numpy())]
    alone = {
        "customers": tables["customers"][tables["customers"]["user_id"].isin(first)],
        "orders": tables["orders"][tables["orders"]["user_id"].isin(first)],
    }
    alone["merged"] = tables["merged"][tables["merged"]["order_id"].isin(alone["orders"].order_id)]
    pd.testing.assert_frame_equal(chosen_of(alone, products, **LOOSE), usual)


def test_parts_add_up_to_the_whole_exactly():
    tables, products = random_shop(5, customers=200), assortment(range(12))
    parts = []
    for part in range(3):
        orders = tables["orders"][tables["orders"]["user_id"] % 3 == part]
        customers = tables["customers"][tables["customers"]["user_id"] % 3 == part]
        merged = tables["merged"][tables["merged"]["order_id"].isin(orders["order_id"])]
        parts.append({"orders": orders, "merged": merged, "customers": customers})
    whole, added = counted(tables, products), add_up(counted(part, products) for part in parts)
    for name, value in whole.items():
        np.testing.assert_array_equal(added[name], value)
    chosen = chosen_of(tables, products, **LOOSE)
    shares = pairs.shares_by_size(whole, products["product_key"].to_numpy(), chosen)
    constants = {"chosen": chosen, "shares": shares, "settings": SETTINGS}
    found = add_up(pairs.describe_part(**part, **constants)[1] for part in parts)
    people, usual = pairs.Half.of(found, shares), described(tables, products, chosen)
    for name, value in vars(usual).items():
        np.testing.assert_array_equal(getattr(people, name), value)


def test_popular_products_have_most_lines_and_ties_go_to_the_lower_key():
    products = assortment(range(6), lines=[90, 70, 24, 70, 200, 25])
    assert pairs.popular(products, 3).tolist() == [0, 1, 4]
    assert pairs.popular(products).tolist() == [0, 1, 3, 4, 5]  # 24 lines cannot be 25 orders


def sums_of(together, squares=None):
    """Make the sums of a first pass by hand, all orders of one size."""
    upper = np.triu(np.array(together), 1)
    alone, orders = np.zeros((2, pairs.SIZES, len(upper)), int), np.zeros((2, pairs.SIZES), int)
    alone[0, 5], orders[0, 5] = np.diag(together), 1000
    squares = upper if squares is None else np.triu(np.array(squares), 1)
    return {"together": upper, "squares": squares, "alone": alone, "orders": orders}


TOGETHER = [[90, 50, 20], [50, 80, 49], [20, 49, 70]]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"minimum_support": 0.05, "minimum_orders": 1}, [(0, 1)]),
        ({"minimum_support": 0.051, "minimum_orders": 1}, []),
        ({"minimum_support": 0.0, "minimum_orders": 49}, [(1, 2), (0, 1)]),
        ({"minimum_support": 0.0, "minimum_orders": 49, "limit": 1}, [(1, 2)]),
        ({"minimum_support": 0.0, "minimum_orders": 51}, []),
    ],
)
def test_a_pair_needs_enough_orders(limits, expected):
    sums, products = sums_of(TOGETHER), assortment([5, 6, 7])
    chosen = pairs.choose(sums, np.arange(3), products, SETTINGS, **limits)
    assert list(chosen[KEYS].itertuples(index=False, name=None)) == expected


def test_a_pair_of_few_effective_customers_is_not_chosen():
    """50 orders as if of 10 customers, and as if of fewer."""
    for squares, expected in ((250, 1), (251, 0)):
        sums = sums_of(TOGETHER, [[0, squares, 400], [0, 0, 2401], [0, 0, 0]])
        chosen = pairs.choose(sums, np.arange(3), assortment([5, 6, 7]), SETTINGS)
        assert len(chosen) == expected


def test_pairs_across_departments_have_places_of_their_own():
    across = np.array([False, False, True, False, True, True])
    assert pairs.first_pairs(across, 2).tolist() == [True, True, True, False, True, False]


def test_two_products_of_one_doubled_id_are_no_pair():
    sums, products = sums_of(TOGETHER), assortment([6800, 6800, 7000])
    chosen = pairs.choose(sums, np.arange(3), products, SETTINGS, minimum_orders=1)
    assert list(chosen[KEYS].itertuples(index=False, name=None)) == [(1, 2), (0, 2)]


def test_each_support_has_its_pairs_among_those_that_are_described_once(monkeypatch):
    monkeypatch.setattr(pairs, "SUPPORTS", (0.049, 0.01, 0.06))
    every, by_support = pairs.for_each_support(
        sums_of(TOGETHER), np.arange(3), assortment([5, 6, 7]), SETTINGS
    )
    assert [len(chosen) for chosen in by_support.values()] == [2, 2, 0]
    for chosen in by_support.values():
        assert (every.loc[chosen.index, KEYS].to_numpy() == chosen[KEYS].to_numpy()).all()


# --- estimating, on the second half


@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_those_of_plain_sums_over_the_second_half(seed):
    tables, products = random_shop(seed, customers=300), assortment(range(100, 112))
    table, _ = found_in(tables, products, **LOOSE)
    orders = of_half(tables, first=False)
    size = orders["held"].map(len)
    assert len(table) > 10
    assert (table["half"] == "second").all()
    for row in table.itertuples():
        keys = row.product_a - 100, row.product_b - 100
        has_a, has_b = (orders["held"].map(lambda held, k=k: k in held) for k in keys)
        t = pd.DataFrame({"a": has_a, "b": has_b, "both": has_a & has_b, "n": 1, "size": size})
        by_customer = t.groupby(orders["user_id"]).sum()
        both = by_customer["both"].sum()
        assert row.orders_with_both == both
        assert row.customers_with_both == (by_customer["both"] > 0).sum()
        assert (row.orders_with_a, row.orders_with_b) == (has_a.sum(), has_b.sum())
        assert row.support == pytest.approx(both / len(orders))
        assert row.confidence_a_to_b == pytest.approx(both / has_a.sum())
        assert row.confidence_b_to_a == pytest.approx(both / has_b.sum())
        assert row.largest_share == pytest.approx(by_customer["both"].max() / both)
        assert row.lift == pytest.approx(both * len(orders) / has_a.sum() / has_b.sum())
        of_size = t.groupby("size").sum()
        assert row.lift_given_size == pytest.approx(
            both / (of_size["a"] * of_size["b"] / of_size["n"]).sum()
        )
        chance = by_customer["a"] * by_customer["b"] / by_customer["n"]
        assert row.lift_within_customers == pytest.approx(both / chance.sum())
        squares = (size**2).groupby(orders["user_id"]).sum()
        sized = by_customer["a"] * by_customer["b"] * squares / by_customer["size"] ** 2
        assert row.lift_within_customers_given_size == pytest.approx(both / sized.sum())
        assert row.lift_low < row.lift < row.lift_high


def planted_shop(seed, together=0.6, customers=1200):
    """Make orders of five products and of others: the second comes along with the first."""
    rng = np.random.default_rng(seed)
    baskets, order = [], 0
    for user in range(1, customers + 1):
        for _ in range(8):
            order += 1
            held = rng.random(5) < 0.25
            held[1] = held[0] if rng.random() < together else held[1]
            baskets.append(
                (user, order, [*np.flatnonzero(held), *range(100, 100 + rng.integers(1, 9))])
            )
    return shop(baskets), assortment(range(5), departments=["dairy", *["bakery"] * 4])


def test_a_planted_pair_is_the_candidate():
    table, _ = found_in(*planted_shop(3))
    assert (table["candidate"] == "yes").sum() == 1
    first = q11_pairs.headline_first(table).iloc[0]
    assert (first["product_a"], first["product_b"], first["candidate"]) == (0, 1, "yes")
    assert first["lift"] == pytest.approx((0.6 + 0.4 * 0.25) / 0.25, rel=0.08)
    assert 1.5 < first["lift_given_size"] < first["lift"]  # orders with both are larger


def test_without_affinity_no_pair_is_a_candidate():
    """Ten shops of customers who differ in tastes and order sizes: nothing brings another along."""
    for seed in range(10):
        table, _ = found_in(*planted_shop(seed, together=0.0, customers=600))
        assert len(table) > 5
        assert (table["candidate"] == "no").all()


def with_one_heavy_customer(heavy_orders):
    """A planted pair, and one customer of the second half with so many orders more of it."""
    tables, products = planted_shop(3)
    users = tables["customers"]["user_id"].to_numpy()
    heavy = users[~in_first_half(users)][0]
    first = tables["orders"]["order_id"].max() + 1
    more = pd.DataFrame({"order_id": range(first, first + heavy_orders), "lines": 2})
    lines = pd.DataFrame({"order_id": np.repeat(more["order_id"], 2)})
    lines["product_key"] = np.tile([0, 1], heavy_orders)
    return {
        "customers": tables["customers"],
        "orders": pd.concat([tables["orders"], more.assign(user_id=heavy)]).astype("int32"),
        "merged": pd.concat([tables["merged"], lines]).astype("int32"),
    }, products


@pytest.mark.parametrize(
    ("orders", "candidate", "reason"),
    [
        (0, ["yes"], [""]),
        (50, ["no"], ["too few effective customers"]),
        (600, ["no"], ["one customer holds too much of it"]),
        (2000, [], []),  # more than half of the orders with both: not shown
    ],
)
def test_a_pair_that_one_customer_carries_is_no_candidate(orders, candidate, reason):
    table, _ = found_in(*with_one_heavy_customer(orders))
    row = table[(table["product_a"] == 0) & (table["product_b"] == 1)]
    assert row["candidate"].tolist() == candidate
    assert row["reason"].tolist() == reason


def test_a_pair_of_fewer_customers_than_the_smallest_group_is_not_reported():
    users = np.arange(1, 500)
    first, second = users[in_first_half(users)], users[~in_first_half(users)]
    smallest = SETTINGS.privacy.smallest_group
    for buyers, expected in ((smallest - 1, 0), (smallest, 1)):
        both = [*first[:30], *second[:buyers]]
        baskets = [(user, user * 10 + n, [0, 1]) for user in both for n in range(3)]
        baskets += [(user, user * 10, [2]) for user in (*first[40:90], *second[40:90])]
        table, _ = found_in(shop(baskets), assortment([1, 2, 3]))
        assert len(table) == expected


def test_the_table_is_ranked_by_the_lower_limit_and_the_finding_by_candidates():
    table = pd.DataFrame(
        {
            "candidate": ["no", "yes", "no", "yes", "no"],
            "choice": [5, 4, 3, 2, 1],
            "department_a": list("aabab"),
            "department_b": list("aaaba"),
        }
    )
    assert q11_pairs.headline_first(table).index.tolist() == [3, 1, 4, 2, 0]


def test_no_pair_at_all_leaves_empty_tables_with_the_same_columns():
    tables, products = random_shop(6, customers=200), assortment(range(12))
    labels = groups_of(tables["customers"])
    empty, nobody = found_in(tables, products, minimum_orders=10**6)
    table, people = found_in(tables, products, **LOOSE)
    assert empty.empty
    assert len(table)
    assert list(empty) == list(table)
    place = tables["customers"]["user_id"].searchsorted(people.users)
    buyers = q11_pairs.pair_buyers(table, people, labels.take(place), SETTINGS)
    nobodies = q11_pairs.pair_buyers(empty, nobody, labels.take(place), SETTINGS)
    assert nobodies.empty
    assert len(buyers)
    assert list(nobodies) == list(buyers)


@pytest.mark.parametrize("users", [[], [3], [1, 2, 3, 4, 5]])
def test_few_or_no_customers_give_no_pair_and_no_error(users):
    baskets = [(user, 10 * user + n, [0, 1]) for user in users for n in range(40)]
    table, _ = found_in(shop(baskets or [(-1, 1, [0, 1])]), assortment([1, 2]))
    assert table.empty


# --- buyers


def test_buyers_are_those_of_plain_pandas():
    tables, products = random_shop(7, customers=400), assortment(range(12))
    table, people = found_in(tables, products, **LOOSE)
    place = tables["customers"]["user_id"].searchsorted(people.users)
    labels = groups_of(tables["customers"], seed=7).take(place).reset_index(drop=True)
    buyers = q11_pairs.pair_buyers(table, people, labels, SETTINGS)
    first = q11_pairs.headline_first(table).head(q11_pairs.MOST_BUYER_PAIRS)
    named = buyers[["product_a", "product_b"]].drop_duplicates()
    assert named.values.tolist() == first[["product_a", "product_b"]].values.tolist()
    held = of_half(tables, first=False)
    for row in buyers.itertuples():
        has = held["held"].map(lambda keys, row=row: {row.product_a, row.product_b} <= keys)
        bought = np.isin(people.users, held["user_id"][has])
        inside = (labels[row.grouping] == row.group).to_numpy()
        assert (row.customers, row.buyers) == (inside.sum(), (bought & inside).sum())
        assert row.share == pytest.approx(bought[inside].mean())
        assert row.effect == pytest.approx(bought[inside].mean() / bought[~inside].mean())
    assert (buyers["stands_out"] == "no").all()  # groups drawn by lot


def test_a_group_that_buys_the_pair_more_stands_out():
    tables, products = planted_shop(3)
    table, people = found_in(tables, products)
    bought = people.both[:, table.index[0]] > 0
    low, middle, high = SETTINGS.flags["income_group"].labels
    labels = groups_of(tables["customers"]).take(np.arange(len(bought))).reset_index(drop=True)
    drawn = np.where(bought, low, np.where(np.arange(len(bought)) % 2, middle, low))
    labels["income_group"] = pd.Categorical(drawn, categories=[low, middle, high, "(missing)"])
    buyers = q11_pairs.pair_buyers(table, people, labels, SETTINGS).set_index("group")
    pair = table.loc[table.index[0], ["product_a", "product_b"]]
    rows = buyers[(buyers[["product_a", "product_b"]] == pair).all(axis=1)]
    assert rows.loc[low, "stands_out"] == "no"  # the others have none: nothing to compare
    assert rows.loc[low, "reason"] == "nothing to compare"


def test_expected_pairs_are_never_two_of_one_place():
    customer, order = np.zeros(6, int), np.array([0, 0, 0, 0, 1, 1])
    pair, both = pairs.both_by_customer(customer, order, np.array([0, 1, 2, 3, 1, 3]), 4)
    named = {(int(p) // 4, int(p) % 4): int(n) for p, n in zip(pair, both, strict=True)}
    assert named == {two: 1 + (two == (1, 3)) for two in combinations(range(4), 2)}
