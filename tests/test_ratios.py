"""The one engine for ratios: against plain sums, scipy, and truth in simulations."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from basket.analysis.statistics import ratios

RUNS = 2000


def plain(y, x, inside, confidence=0.95):
    """The method written out customer by customer: ratio, limits, p-value, m, largest share."""
    sides = [(y[inside], x[inside]), (y[~inside], x[~inside])]
    rates = [sum(top) / sum(bottom) for top, bottom in sides]
    variance = squares = fourths = 0.0
    for top, bottom in sides:
        z = [a / sum(top) - b / sum(bottom) for a, b in zip(top, bottom, strict=True)]
        of_side = sum(each**2 for each in z)
        variance += len(z) / (len(z) - 1) * of_side
        squares += of_side
        fourths += sum(each**4 for each in z)
    m = squares**2 / fourths
    ratio, error = rates[0] / rates[1], variance**0.5
    reach = stats.t.ppf((1 + confidence) / 2, m - 1) * error
    p_value = 2 * stats.t.sf(abs(np.log(ratio)) / error, m - 1)
    largest = max(max(top) / sum(top) for top, _ in sides)
    return ratio, ratio * np.exp(-reach), ratio * np.exp(reach), p_value, m, largest


def standardised(y, x, codes, groups, strata, weights, fewest):
    split = ratios.Split.of(codes, groups, strata, weights, fewest)
    return split.compare(y, x), split.covered


def numbers(found, cell):
    return (
        found.ratio[cell],
        found.low[cell],
        found.high[cell],
        found.p_value[cell],
        found.effective_customers[cell],
        found.largest_share[cell],
    )


@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(3, 30))
def test_groups_against_the_others_are_the_plain_sums(seed, first, second):
    draw = np.random.default_rng(seed)
    y, x = draw.integers(1, 100, first + second), draw.integers(1, 20, first + second)
    codes = draw.permutation(np.repeat([0, 1], [first, second]))
    found = ratios.against_others(y, x, codes, 2)
    for group in (0, 1):
        assert numbers(found, group) == pytest.approx(plain(y, x, codes == group), rel=1e-9)


def test_a_customer_without_a_group_takes_no_part():
    draw = np.random.default_rng(1)
    y, x, codes = draw.integers(1, 9, 60), draw.integers(1, 9, 60), draw.integers(-1, 3, 60)
    known = codes >= 0
    with_them = ratios.against_others(y, x, codes, 3)
    without = ratios.against_others(y[known], x[known], codes[known], 3)
    np.testing.assert_allclose(numbers(with_them, slice(None)), numbers(without, slice(None)))


def test_a_mean_of_equal_weights_is_the_t_interval_of_scipy():
    """With one order each and one sign, se on the log scale is that of the mean over the mean."""
    values = np.random.default_rng(2).normal(100, 5, 400)
    found = ratios.product([values], [np.ones(400)])
    error = stats.sem(values) / values.mean()
    m = found.effective_customers[0]
    assert found.high[0] / found.ratio[0] == pytest.approx(
        np.exp(stats.t.ppf(0.975, m - 1) * error), rel=1e-9
    )
    assert 400 / 3.5 < m < 400 / 2.5  # normal values: about a third of the customers


@pytest.mark.parametrize("customers", [1, 2, 5, 60])
def test_shares_of_customers_are_what_the_engine_says_of_ones_and_zeros(customers):
    chance = np.random.default_rng(customers)
    counted = (chance.random((customers, 8)) < chance.random(8)).astype(int)
    counted[:, 0], counted[:, 1] = 0, 1
    found = ratios.shares(counted.sum(axis=0), customers)
    expected = ratios.product([counted], [np.ones(customers)])
    for name, values in vars(expected).items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=1e-9, err_msg=name)


def test_a_lift_is_a_product_of_ratios():
    draw = np.random.default_rng(3)
    cells = draw.integers(0, 9, (200, 4)).astype(float)
    row, column, everything = cells[:, :2].sum(axis=1), cells[:, ::2].sum(axis=1), cells.sum(axis=1)
    found = ratios.product([cells[:, 0], everything], [row, column])
    assert found.ratio[0] == pytest.approx(
        cells[:, 0].sum() / row.sum() / (column.sum() / everything.sum())
    )
    one_out = [np.delete(part, 0) for part in (cells[:, 0], everything, row, column)]
    moved = np.log(one_out[0].sum() * one_out[1].sum() / one_out[2].sum() / one_out[3].sum())
    z = ratios.influence([cells[:, 0], everything], [row, column])[0]
    assert np.log(found.ratio[0]) - moved == pytest.approx(z, rel=0.05)


LIMITS = SimpleNamespace(fewest_effective_customers=10, largest_share_of_one=0.25)


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        ([0, 0, 0, 0, 1, 2, 3, 4], ratios.NOTHING_TO_COMPARE),
        ([97, 1, 1, 1, 1, 2, 3, 4], ratios.ONE_CUSTOMER),
        ([1, 2, 3, 4, 1, 2, 3, 4], ratios.ONE_CUSTOMER),
        ([10**9, 1, 1, 1, 1, 2, 3, 4], ratios.ONE_CUSTOMER),  # the interval has no end
        ([3, 3, 3, 3, 3, 3, 3, 3], ratios.NOTHING_TO_COMPARE),
    ],
)
def test_where_nothing_may_be_concluded_the_reason_is_said(y, reason):
    found = ratios.against_others(np.array(y), np.ones(8), np.repeat([0, 1], 4), 2)
    assert found.reason(LIMITS)[0] == reason
    assert not np.isfinite(found.high[0]) or y[0] < 10**9


def test_few_effective_customers_are_too_few():
    y = np.concatenate([np.arange(10, 18), np.arange(10, 300)])
    found = ratios.against_others(y, np.ones(len(y)), (np.arange(len(y)) < 8).astype(int), 2)
    assert found.effective_customers[1] < 10
    assert found.reason(LIMITS)[1] == ratios.TOO_FEW


@pytest.mark.slow
@pytest.mark.parametrize("customers", [200, 1000])
def test_intervals_of_groups_of_eleven_cover_the_truth(customers):
    draw = np.random.default_rng(4)
    covered = 0
    for _ in range(RUNS):
        orders, y = people(draw, customers)
        codes = (np.arange(customers) < 11).astype(int)
        found = ratios.against_others(y, orders, codes, 2)
        covered += found.low[1] <= 1 <= found.high[1]
    assert 0.93 <= covered / RUNS <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("customers", [300, 1000, 5000])
def test_groups_defined_by_their_orders_keep_the_level(customers):
    """Loyalty is the number of orders: a permutation of customers rejects a quarter of nulls."""
    draw = np.random.default_rng(5)
    rejected = np.zeros(3)
    for _ in range(RUNS):
        orders, y = people(draw, customers)
        rejected += (
            ratios.against_others(y, orders, np.searchsorted([10.5, 40.5], orders), 3).p_value
            < 0.05
        )
    assert (rejected / RUNS > 0.03).all() and (rejected / RUNS < 0.07).all()


def people(draw, customers):
    """Orders as skewed as the panel's, and spend in proportion to them and to a personal level."""
    orders = np.minimum(draw.geometric(1 / 15, customers) + 4, 99)
    return orders, orders * draw.lognormal(4, 0.6, customers)


def test_at_equal_strata_each_side_is_averaged_with_the_same_weights():
    draw = np.random.default_rng(6)
    n, strata, codes = 600, draw.integers(0, 3, 600), draw.integers(0, 2, 600)
    x = draw.integers(5, 30, n)
    y = x * draw.lognormal(0, 0.5, n) * np.array([1.0, 2.0, 4.0])[strata]
    weights = np.bincount(strata, x)
    found, covered = standardised(y, x, codes, 2, strata, weights, 11)

    def rate(inside):
        rates = [
            y[inside & (strata == s)].sum() / x[inside & (strata == s)].sum() for s in range(3)
        ]
        return (weights * rates).sum() / weights.sum()

    assert found.ratio[1] == pytest.approx(rate(codes == 1) / rate(codes == 0))
    assert covered.tolist() == [1, 1]
    without = [
        np.delete(np.arange(n), customer) for customer in np.flatnonzero(codes == 1)[:3]
    ]  # the influence of a customer is what the estimate moves by without it
    for customer, kept in zip(np.flatnonzero(codes == 1)[:3], without, strict=True):
        moved, _ = standardised(y[kept], x[kept], codes[kept], 2, strata[kept], weights, 11)
        z = y[customer] - x[customer] * (
            y[(codes == 1) & (strata == strata[customer])].sum()
            / x[(codes == 1) & (strata == strata[customer])].sum()
        )
        assert np.sign(np.log(found.ratio[1] / moved.ratio[1])) == np.sign(z)


def test_a_stratum_with_few_customers_on_one_side_is_left_out():
    draw = np.random.default_rng(7)
    strata = np.repeat([0, 1], 100)
    codes = np.concatenate([np.tile([0, 1], 50), np.zeros(95, int), np.ones(5, int)])
    y, x = draw.integers(1, 100, 200), np.ones(200)
    found, covered = standardised(y, x, codes, 2, strata, np.array([30.0, 70.0]), 11)
    only = ratios.against_others(y[:100], x[:100], codes[:100], 2)
    assert covered == pytest.approx([0.3, 0.3])
    assert found.ratio == pytest.approx(only.ratio) and found.low == pytest.approx(only.low)


def test_every_customer_takes_part_however_the_groups_are_coded():
    """The codes of pandas have a byte each: 13 groups x 10 strata are more than it holds."""
    draw = np.random.default_rng(9)
    codes, strata = draw.integers(0, 18, 5_000), draw.integers(0, 10, 5_000)
    y, x = draw.integers(1, 100, (2, 5_000))
    of_a_byte, plain = (
        standardised(y, x, codes.astype(of), 18, strata, np.ones(10), 11) for of in ("int8", int)
    )
    assert (plain[1] > 0.9).all() and (of_a_byte[1] == plain[1]).all()
    assert of_a_byte[0].ratio.tolist() == plain[0].ratio.tolist()


def test_the_confounded_difference_is_gone_at_equal_strata():
    """A planted stratum effect, and groups that differ only in the strata they come from."""
    draw = np.random.default_rng(8)
    n = 20_000
    strata = draw.integers(0, 2, n)
    codes = (draw.random(n) < np.where(strata == 1, 0.7, 0.3)).astype(int)
    x = draw.integers(5, 30, n)
    y = x * draw.lognormal(0, 0.5, n) * np.where(strata == 1, 1.5, 1.0)
    raw = ratios.against_others(y, x, codes, 2)
    equal, _ = standardised(y, x, codes, 2, strata, np.bincount(strata, x), 11)
    assert raw.low[1] > 1.1
    assert equal.low[1] < 1 < equal.high[1]
