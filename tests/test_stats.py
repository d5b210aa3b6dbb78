"""Effects, intervals and verdicts: against scipy, brute force, known values and simulation."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from basket.analysis import statistics
from basket.analysis.statistics import bootstrap, effects, ratio_tests

THRESHOLDS = {
    "cramers_v": (0.1, 0.3, 0.5),
    "epsilon_squared": (0.01, 0.06, 0.14),
    "cliffs_delta": (0.147, 0.33, 0.474),
    "ratio": (1.05, 1.15, 1.3),
}
LIMITS = dict(rel=1e-9, abs=1e-12)

verdict = partial(statistics.verdict, thresholds=THRESHOLDS)
required = partial(statistics.required_sample_size, thresholds=THRESHOLDS)
tables = st.tuples(st.integers(2, 5), st.integers(2, 5)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(0, 60))
)
samples = st.lists(st.integers(-6, 6).map(float), min_size=2, max_size=40)


def plain(estimate):
    """Return the numbers of an estimate, to compare two of them with pytest.approx."""
    return (estimate.effect, estimate.low, estimate.high, estimate.statistic, estimate.p_value)


# --- Cramér's V


def test_cramers_v_is_bergsmas_correction_of_scipys_uncorrected_v():
    counts = np.array([[120, 80, 44], [60, 90, 71]])
    estimate = statistics.cramers_v(counts)
    test = scipy_stats.chi2_contingency(counts, correction=False)
    n, rows, columns = counts.sum(), 2, 3
    uncorrected = scipy_stats.contingency.association(counts, method="cramer")
    phi_squared = uncorrected**2 * (min(rows, columns) - 1)
    corrected = phi_squared - (rows - 1) * (columns - 1) / (n - 1)
    effective = [k - (k - 1) ** 2 / (n - 1) for k in (rows, columns)]
    assert estimate.statistic == pytest.approx(test.statistic)
    assert estimate.p_value == pytest.approx(test.pvalue)
    assert estimate.effect == pytest.approx(math.sqrt(corrected / (min(effective) - 1)))
    assert estimate.effect < uncorrected
    assert (estimate.effect_name, estimate.n) == ("cramers_v", n)


def test_cramers_v_limits_invert_the_noncentral_chi_squared():
    counts = np.array([[400, 300, 100], [200, 350, 150], [90, 80, 70]])
    estimate = statistics.cramers_v(counts)
    n = counts.sum()
    room = 2 - 4 / (n - 1)
    for limit, probability in ((estimate.low, 0.975), (estimate.high, 0.025)):
        noncentrality = limit**2 * n * room
        found = scipy_stats.ncx2.cdf(estimate.statistic, 4, noncentrality)
        assert found == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize(("k", "customers"), [(2, 200), (3, 200), (5, 200), (4, 51_552)])
def test_cramers_v_of_identical_attributes_is_1_and_finite_at_full_size(k, customers):
    estimate = statistics.cramers_v(np.eye(k) * customers)
    assert estimate.effect == pytest.approx(1)
    assert estimate.high == 1
    assert estimate.low > 0.85
    assert np.isfinite(plain(estimate)).all()


def test_cramers_v_of_independent_attributes_is_0_and_its_interval_covers_0():
    estimate = statistics.cramers_v(np.outer([10, 20, 30], [5, 6, 7]))
    assert (estimate.effect, estimate.low, estimate.p_value) == (0, 0, 1)


@pytest.mark.parametrize("counts", [[[5, 7]], [[5, 7], [0, 0]], [[0, 0], [0, 0]], [[1, 0], [0, 1]]])
def test_cramers_v_without_two_filled_rows_and_columns_is_no_test(counts):
    estimate = statistics.cramers_v(np.array(counts))
    assert np.isnan(plain(estimate)).all()
    assert estimate.n == np.sum(counts)


@pytest.mark.parametrize("counts", [[1, 2], [[1, -1], [2, 3]], [[1.0, math.nan], [2, 3]]])
def test_cramers_v_refuses_what_is_no_table_of_counts(counts):
    with pytest.raises(ValueError, match="table of counts"):
        statistics.cramers_v(np.array(counts))


@given(tables)
@settings(max_examples=150, deadline=None)
def test_cramers_v_is_from_0_to_1_in_order_and_blind_to_the_order_of_labels(counts):
    estimate = statistics.cramers_v(counts)
    if math.isnan(estimate.effect):
        assert math.isnan(estimate.p_value)
        return
    assert 0 <= estimate.low <= estimate.effect <= estimate.high <= 1
    assert 0 <= estimate.p_value <= 1
    for other in (counts[::-1, ::-1].T, np.insert(counts, 1, 0, axis=0)):  # and an empty row
        assert plain(statistics.cramers_v(other)) == pytest.approx(plain(estimate), **LIMITS)


# --- epsilon-squared


def test_epsilon_squared_agrees_with_scipys_kruskal_with_ties_missing_values_and_codes():
    random = np.random.default_rng(1)
    values = random.integers(0, 12, 500).astype(float)
    groups = random.integers(-1, 4, 500)
    values[groups == 2] += 2
    values[::17] = math.nan
    estimate = statistics.epsilon_squared(values, groups)
    kept = ~np.isnan(values)
    parts = [values[kept & (groups == g)] for g in range(4)]
    test = scipy_stats.kruskal(*parts)
    n = sum(map(len, parts))
    assert estimate.statistic == pytest.approx(test.statistic)
    assert estimate.p_value == pytest.approx(test.pvalue)
    assert estimate.effect == pytest.approx((test.statistic - 3) / (n - 4))
    assert (estimate.effect_name, estimate.n) == ("epsilon_squared", n)
    for limit, probability in ((estimate.low, 0.975), (estimate.high, 0.025)):
        found = scipy_stats.ncx2.cdf(test.statistic, 3, limit * (n - 4))
        assert found == pytest.approx(probability, abs=1e-6)


def test_epsilon_squared_is_kelleys_adjustment_of_the_explained_variance_of_ranks():
    values, groups = np.array([1.0, 2, 3, 4, 9, 7, 8, 6]), np.array([0, 0, 0, 1, 1, 2, 2, 2])
    ranks = scipy_stats.rankdata(values)
    explained = 1 - sum(ranks[groups == g].var() * (groups == g).sum() for g in range(3)) / (
        ranks.var() * 8
    )
    adjusted = 1 - (1 - explained) * 7 / 5
    assert statistics.epsilon_squared(values, groups).effect == pytest.approx(adjusted)


def test_epsilon_squared_of_apart_groups_is_large_and_of_alike_groups_covers_0():
    apart = statistics.epsilon_squared(np.arange(300.0), np.repeat([0, 1, 2], 100))
    alike = statistics.epsilon_squared(np.arange(300.0), np.tile([0, 1, 2], 100))
    assert apart.effect > 0.85
    assert (alike.effect, alike.low) == (0, 0)


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        ([1, 2, 3], [0, 0, 0]),
        ([1, 2, 3], [0, -1, -1]),
        ([4, 4, 4, 4], [0, 0, 1, 1]),
        ([1, 2], [0, 1]),
        ([math.nan, math.nan, 1, 2], [0, 0, 1, 1]),
        ([], []),
    ],
)
def test_epsilon_squared_without_two_groups_or_variation_is_no_test(values, groups):
    estimate = statistics.epsilon_squared(np.array(values), np.array(groups, dtype=int))
    assert np.isnan(plain(estimate)).all()


def test_epsilon_squared_refuses_labels_and_other_lengths():
    for groups in (["a", "b", "b"], [0.0, 1.0, 1.0], [0, 1]):
        with pytest.raises(ValueError, match="integer code per value"):
            statistics.epsilon_squared(np.array([1, 2, 3]), np.array(groups))


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-1, 4)), min_size=1, max_size=60))
@settings(max_examples=150, deadline=None)
def test_epsilon_squared_is_in_order_and_knows_only_ranks_and_groups(rows):
    values, groups = np.array(rows).T
    estimate = statistics.epsilon_squared(values, groups)
    if not math.isnan(estimate.effect):
        assert 0 <= estimate.low <= estimate.effect <= estimate.high <= 1
    shuffled = np.random.default_rng(0).permutation(len(rows))
    renamed = np.where(groups < 0, -1, 7 - groups)
    for other in (
        statistics.epsilon_squared(values[shuffled], groups[shuffled]),
        statistics.epsilon_squared(values**3, renamed),
    ):
        assert plain(other) == pytest.approx(plain(estimate), nan_ok=True, **LIMITS)


# --- Cliff's delta


def brute_force_delta(a, b):
    """Return delta and Cliff's unbiased variance from the full matrix of pairs."""
    pairs = np.sign(np.subtract.outer(a, b))
    n, m = pairs.shape
    delta = pairs.mean()
    variance = (
        m**2 * ((pairs.mean(axis=1) - delta) ** 2).sum()
        + n**2 * ((pairs.mean(axis=0) - delta) ** 2).sum()
        - ((pairs - delta) ** 2).sum()
    ) / (n * m * (n - 1) * (m - 1))
    return delta, max(variance, (1 - delta**2) / (n * m - 1))


@given(samples, samples)
@settings(max_examples=200, deadline=None)
def test_cliffs_delta_equals_all_pairs_and_mann_whitney(a, b):
    estimate = statistics.cliffs_delta(a, b)
    if len(set(a + b)) == 1:
        assert np.isnan(plain(estimate)).all()
        return
    delta, variance = brute_force_delta(a, b)
    test = scipy_stats.mannwhitneyu(a, b, method="asymptotic")
    assert estimate.effect == pytest.approx(delta, abs=1e-12)
    assert estimate.statistic == pytest.approx(test.statistic)
    assert estimate.p_value == pytest.approx(test.pvalue)
    assert -1 <= estimate.low <= estimate.effect <= estimate.high <= 1
    assert estimate.n == len(a) + len(b)
    if abs(delta) < 1:
        error, rest = 1.959963984540054 * math.sqrt(variance), 1 - delta**2
        half_width = error * math.sqrt(rest**2 + error**2) / (rest + error**2)
        assert estimate.high - estimate.low == pytest.approx(2 * half_width)


@given(samples, samples)
@settings(max_examples=100, deadline=None)
def test_cliffs_delta_is_antisymmetric_and_knows_only_the_order_of_values(a, b):
    forth, back = statistics.cliffs_delta(a, b), statistics.cliffs_delta(b, a)
    mirrored = (-back.effect, -back.high, -back.low, back.p_value)
    ours = (forth.effect, forth.low, forth.high, forth.p_value)
    assert ours == pytest.approx(mirrored, nan_ok=True, **LIMITS)
    cubed = statistics.cliffs_delta(np.array(a[::-1]) ** 3, np.array(b) ** 3)
    assert plain(cubed) == pytest.approx(plain(forth), nan_ok=True, **LIMITS)


def test_cliffs_delta_without_overlap_has_wilsons_inner_limit():
    estimate = statistics.cliffs_delta(np.arange(30) + 100.0, np.arange(50))
    wilson = scipy_stats.binomtest(30, 30).proportion_ci(method="wilson")
    assert (estimate.effect, estimate.high) == (1, 1)
    assert estimate.low == pytest.approx(2 * wilson.low - 1)


def test_cliffs_delta_drops_missing_values_and_needs_two_customers_a_group():
    worked = statistics.cliffs_delta([3, 5, 6], [1, 3, 4])  # of 9 pairs a wins 7, b 1; 1 is tied
    assert worked.effect == pytest.approx(6 / 9)
    full = statistics.cliffs_delta([1, 4, 6], [2, 3, 5])
    assert statistics.cliffs_delta([1, math.nan, 4, 6], [math.nan, 2, 3, 5]) == full
    assert np.isnan(plain(statistics.cliffs_delta([1], [2, 3]))).all()
    assert np.isnan(plain(statistics.cliffs_delta([], []))).all()


# --- bootstrap of per-customer sums


def customers(n, seed=5):
    """Return (n, 3) whole-number sums (cents, orders, lines) and two groupings."""
    random = np.random.default_rng(seed)
    orders = random.geometric(0.1, n)
    lines = orders * random.integers(1, 20, n)
    cents = lines * random.integers(200, 1500, n)
    groupings = {"region": random.integers(0, 4, n), "status": random.integers(-1, 7, n)}
    return np.column_stack([cents, orders, lines]), groupings


def reference_sums(sums, codes, resamples, seed):
    """Return what `bootstrap_sums` must return, one drawn customer at a time."""
    n, groups = len(sums), codes.max() + 1
    batches = -(-resamples // bootstrap.BATCH)
    result = [[sums[codes == g].sum(axis=0) for g in range(groups)]]
    for batch_seed in np.random.SeedSequence(seed).spawn(batches):
        random = np.random.default_rng(batch_seed)
        for _ in range(min(bootstrap.BATCH, resamples + 1 - len(result))):
            drawn = random.integers(0, n, n)
            result.append([sums[drawn[codes[drawn] == g]].sum(axis=0) for g in range(groups)])
    return np.array(result)


@pytest.mark.parametrize("n", [1, 30, 256, 257, 2_048, 5_000])
def test_bootstrap_sums_are_exactly_those_of_the_customers_drawn(n):
    sums, groupings = customers(n)
    groupings["status"][0] = 0
    result = statistics.bootstrap_sums(sums, groupings, resamples=40, seed=9, threads=2)
    for name, codes in groupings.items():
        assert np.array_equal(result.groups[name], reference_sums(sums, codes, 40, 9))
    everyone = reference_sums(sums, np.zeros(n, dtype=int), 40, 9)
    assert np.array_equal(result.everyone, everyone[:, 0])


def test_bootstrap_sums_do_not_depend_on_threads_other_groupings_or_further_resamples():
    sums, groupings = customers(3_000)
    one = statistics.bootstrap_sums(sums, groupings, resamples=70, seed=1, threads=1)
    two = statistics.bootstrap_sums(sums, groupings, resamples=100, seed=1, threads=2)
    alone = statistics.bootstrap_sums(
        sums[:, 1:2], {"region": groupings["region"]}, resamples=70, seed=1, threads=2
    )
    for name in groupings:
        assert np.array_equal(one.groups[name], two.groups[name][:71])
    assert np.array_equal(one.everyone, two.everyone[:71])
    assert np.array_equal(one.groups["region"][..., 1:2], alone.groups["region"])
    other = statistics.bootstrap_sums(sums, {}, resamples=70, seed=2, threads=2)
    assert np.array_equal(other.everyone[0], one.everyone[0])
    assert not np.array_equal(other.everyone, one.everyone)


def test_bootstrap_sums_of_rows_in_another_order_are_the_same():
    sums, groupings = customers(3_000)
    place = np.random.default_rng(4).permutation(len(sums))
    shuffled = np.empty_like(sums)
    shuffled[place] = sums
    sorted_ = statistics.bootstrap_sums(sums, groupings, resamples=40, seed=1, threads=2)
    found = statistics.bootstrap_sums(
        shuffled, groupings, resamples=40, seed=1, threads=2, rows=place
    )
    assert np.array_equal(found.everyone, sorted_.everyone)
    for name in groupings:
        assert np.array_equal(found.groups[name], sorted_.groups[name])


def test_bootstrap_sums_count_the_missing_in_everyone_only_and_empty_groups_as_0():
    sums = np.arange(1.0, 9).reshape(4, 2)
    groupings = {"g": np.array([-1, 0, 2, 2], dtype=np.int8), "none": np.full(4, -1)}
    result = statistics.bootstrap_sums(sums, groupings, resamples=3, seed=0, threads=1)
    assert result.groups["g"].shape == (4, 3, 2)
    assert result.groups["none"].shape == (4, 0, 2)
    assert result.everyone[0].tolist() == [16, 20]
    assert result.groups["g"][0].tolist() == [[3, 4], [0, 0], [12, 14]]
    assert not result.groups["g"][:, 1].any()


def test_bootstrap_sums_add_cents_beyond_single_precision_exactly():
    sums = np.full((1_000, 1), 1_234_567_891)
    result = statistics.bootstrap_sums(sums, {}, resamples=5, seed=0, threads=1)
    assert (result.everyone == 1_234_567_891_000).all()


def test_bootstrap_weights_are_multinomial():
    n = 400
    drawn = statistics.bootstrap_sums(np.eye(n), {}, resamples=500, seed=3, threads=2)
    identity = drawn.everyone[1:]
    assert (identity.sum(axis=1) == n).all()
    shares = [(identity == k).mean() for k in range(4)]
    assert shares == pytest.approx(scipy_stats.binom.pmf(range(4), n, 1 / n), abs=0.004)
    covariances = np.cov(identity[:, :50].T)[np.triu_indices(50, 1)]
    assert covariances.mean() == pytest.approx(-1 / n, abs=0.002)


@pytest.mark.parametrize(
    ("sums", "codes"),
    [
        ([[1.0], [math.nan]], [0, 1]),
        ([[1.0], [math.inf]], [0, 1]),
        ([1.0, 2.0], [0, 1]),
        ([[1.0], [2.0]], [0]),
        ([[1.0], [2.0]], [0, -2]),
        ([[1.0], [2.0]], [0.0, 1.0]),
        (np.empty((0, 1)), []),
    ],
)
def test_bootstrap_sums_refuse_missing_sums_and_bad_codes(sums, codes):
    groups = {"g": np.array(codes)}
    with pytest.raises(ValueError, match=r"row per customer|per customer is needed"):
        statistics.bootstrap_sums(np.array(sums), groups, resamples=2, seed=0, threads=1)


def test_percentile_interval_of_a_ratio_agrees_with_scipys_bootstrap():
    sums, _ = customers(300)
    result = statistics.bootstrap_sums(sums, {}, resamples=4_000, seed=8, threads=2)
    order_value = result.everyone[:, 0] / result.everyone[:, 1]
    estimate, low, high = statistics.percentile_interval(order_value)
    peer = scipy_stats.bootstrap(
        (sums[:, 0], sums[:, 1]),
        lambda cents, orders, axis: cents.sum(axis=axis) / orders.sum(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=4_000,
        rng=np.random.default_rng(2),
    )
    assert estimate == pytest.approx(sums[:, 0].sum() / sums[:, 1].sum())
    tolerance = 0.1 * (high - low)  # a limit's Monte Carlo error is about 0.03 of the width
    assert (low, high) == pytest.approx(tuple(peer.confidence_interval), abs=tolerance)
    deviation = np.std(order_value[1:], ddof=1)
    assert deviation == pytest.approx(peer.standard_error, rel=0.08)


def test_percentile_interval_leaves_out_undefined_resamples_and_gives_up_on_many():
    values = np.empty((101, 4))
    values[0], values[1:] = 5, np.arange(100)[:, None]
    values[1:6, 1] = math.nan
    values[1:7, 2] = math.inf
    values[0, 3] = math.nan
    estimate, low, high = statistics.percentile_interval(values)
    assert low[0] == pytest.approx(np.percentile(np.arange(100), 2.5))
    assert high[1] == pytest.approx(np.percentile(np.arange(5, 100), 97.5))
    assert np.isnan([low[2], high[2], estimate[3], low[3], high[3]]).all()


def test_ratio_interval_of_a_lognormal_ratio():
    random = np.random.default_rng(4)
    ratios = np.concatenate([[1.2], np.exp(np.log(1.2) + 0.05 * random.standard_normal(5_000))])
    estimate = statistics.ratio_interval(ratios, n=700, z=3.6, p_value=0.0003)
    assert (estimate.effect_name, estimate.effect, estimate.n) == ("ratio", 1.2, 700)
    assert (estimate.statistic, estimate.p_value) == (3.6, 0.0003)
    limits = [1.2 * math.exp(-0.098), 1.2 * math.exp(0.098)]
    assert [estimate.low, estimate.high] == pytest.approx(limits, rel=0.01)


def test_ratio_interval_of_what_was_never_seen_is_no_test():
    never = statistics.ratio_interval(np.zeros(101), n=12, z=-1.0, p_value=0.3)
    assert never.effect == 0
    assert np.isnan([never.low, never.high, never.p_value]).all()
    undefined = statistics.ratio_interval(np.full(101, math.nan), n=12, z=-1.0, p_value=0.3)
    assert np.isnan(plain(undefined)).all()
    same = statistics.ratio_interval(np.ones(101), n=12, z=math.nan, p_value=math.nan)
    assert (same.low, same.high) == (1, 1)
    assert math.isnan(same.p_value)


def skewed_shoppers(random, n):
    """Return lines of a rare department and all lines of n customers: most buy none, few a lot."""
    below = 5.0 + random.geometric(0.05, n)
    return random.poisson(below * random.gamma(0.05, 1, n)).astype(float), below


@pytest.mark.parametrize("size", [12, 40, 150, 260])
@pytest.mark.parametrize("extreme", [0.975, 0.99, 0.998])
def test_p_value_of_a_ratio_is_the_share_of_random_groups_that_are_as_extreme(size, extreme):
    random = np.random.default_rng(size)
    above, below = skewed_shoppers(random, 300)
    d = above - above.sum() / below.sum() * below
    draws = np.array([random.permutation(300) for _ in range(40_000)])
    sums = d[draws[:, :size]].sum(axis=1)
    chosen = np.argsort(sums)[[round((1 - extreme) * 40_000), round(extreme * 40_000) - 1]]
    for place, tail in zip(chosen, (sums <= sums[chosen[0]], sums >= sums[chosen[1]]), strict=True):
        codes = np.ones(300, dtype=int)
        codes[draws[place, :size]] = 0
        z, p_values = statistics.permutation_tests(above, below, {"g": codes})["g"]
        assert z[0] == pytest.approx(sums[place] / sums.std(), rel=0.03)
        assert p_values[0] == pytest.approx(2 * tail.mean(), rel=0.3)
        assert z[1] == pytest.approx(-z[0])  # what is left is as extreme on the other side
        assert p_values[1] == pytest.approx(p_values[0], rel=0.02)


def test_p_value_of_a_share_is_the_hypergeometric_one():
    above, codes = np.repeat([1.0, 0.0], [60, 340]), np.ones(400, dtype=int)
    codes[np.r_[0:16, 100:144]] = 0  # 16 of the 60 in a group of 60 where 9 are expected
    _, p_values = statistics.permutation_tests(above, np.ones(400), {"g": codes})["g"]
    exact = scipy_stats.hypergeom(400, 60, 60)
    assert p_values[0] == pytest.approx(2 * (exact.sf(16) + exact.pmf(16) / 2), rel=0.1)


def test_ratio_tests_of_nothing_to_compare_are_nan():
    codes = {"all": np.zeros(50, dtype=int), "none": np.full(50, -1), "some": np.arange(50) % 5 - 1}
    above = np.arange(50.0)
    found = statistics.permutation_tests(above, np.ones(50), codes)
    assert np.isnan(found["all"]).all()
    assert found["none"][0].size == 0
    assert np.isfinite(found["some"]).all()
    assert found["some"][1].size == 4
    for same in (np.zeros(50), np.full(50, 2.0)):  # a ratio that does not vary
        assert np.isnan(statistics.permutation_tests(same, np.ones(50), codes)["some"]).all()
    assert np.isnan(statistics.permutation_tests(above, np.zeros(50), codes)["some"]).all()


def test_ratio_tests_of_many_customers_are_those_without_shortening(monkeypatch):
    random = np.random.default_rng(8)
    above, below = skewed_shoppers(random, 20_000)
    codes = {"g": np.minimum(random.integers(0, 300, 20_000), 3)}
    above[codes["g"] == 0] *= 5
    short = statistics.permutation_tests(above, below, codes)["g"]
    monkeypatch.setattr(ratio_tests, "TAIL", 20_000)
    whole = statistics.permutation_tests(above, below, codes)["g"]
    assert short[0] == pytest.approx(whole[0])
    assert short[1] == pytest.approx(whole[1], rel=1e-3)
    assert short[1][0] < 0.01


# --- q, verdicts, customers to decide


def test_false_discovery_is_benjamini_hochberg_over_all_and_skips_missing():
    p = np.array([0.01, math.nan, 0.04, 0.03, 0.9])
    q = statistics.false_discovery(p)
    assert np.isnan(q[1])
    assert q[[0, 2, 3, 4]] == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.9])
    assert np.isnan(statistics.false_discovery([math.nan])).all()
    assert len(statistics.false_discovery([])) == 0
    with pytest.raises(ValueError):
        statistics.false_discovery([0.5, 1.5])


JUST_BELOW = math.nextafter(0.147, 0)


@pytest.mark.parametrize(
    ("effect_name", "low", "high", "q", "expected"),
    [
        ("cliffs_delta", -0.1, JUST_BELOW, 0.9, "no practical difference"),
        ("cliffs_delta", -0.1, 0.147, 0.9, "undecided"),
        ("cliffs_delta", -0.147, 0.1, 0.001, "undecided"),
        ("cliffs_delta", 0.01, 0.02, 1e-9, "no practical difference"),
        ("cliffs_delta", 0.147, 0.2, 0.049, "small"),
        ("cliffs_delta", 0.147, 0.2, 0.05, "undecided"),
        ("cliffs_delta", JUST_BELOW, 0.2, 0.001, "undecided"),
        ("cliffs_delta", 0.147, 0.9, 0.001, "small"),
        ("cliffs_delta", -0.9, -0.33, 0.001, "medium"),
        ("cliffs_delta", 0.474, 0.474, 0.001, "large"),
        ("cliffs_delta", -0.5, 0.5, 0.001, "undecided"),
        ("cliffs_delta", 0.5, 0.6, math.nan, "undecided"),
        ("cliffs_delta", math.nan, math.nan, 0.001, "undecided"),
        ("cramers_v", 0, 0.0999, 0.5, "no practical difference"),
        ("cramers_v", 0, 0.1, 0.5, "undecided"),
        ("cramers_v", 0.3, 0.9, 0.001, "medium"),
        ("epsilon_squared", 0.14, 0.2, 0.001, "large"),
        ("epsilon_squared", 0, 0.00999, 0.001, "no practical difference"),
        ("ratio", 0.96, 1.049, 0.9, "no practical difference"),
        ("ratio", 0.95, 1.04, 0.9, "undecided"),
        ("ratio", 0.96, 1.05, 0.9, "undecided"),
        ("ratio", 1.05, 1.1, 0.01, "small"),
        ("ratio", 0.8, 0.95, 0.01, "small"),
        ("ratio", 0.8, 0.86, 0.01, "medium"),
        ("ratio", 0.5, 0.76, 0.01, "large"),
        ("ratio", 0.0, 0.76, 0.01, "large"),
        ("ratio", 0.0, 1.01, 0.01, "undecided"),
        ("ratio", 0.7, 1.4, 0.01, "undecided"),
        ("ratio", 1.3, 2.0, 0.01, "large"),
    ],
)
def test_verdict_at_the_thresholds(effect_name, low, high, q, expected):
    effect = (low + high) / 2
    given_q = verdict(effect_name, effect, low, high, q)
    assert given_q == expected


def test_verdict_of_an_unknown_effect_is_an_error_and_of_a_missing_one_undecided():
    with pytest.raises(KeyError):
        verdict("eta", 0.1, 0, 0.2, 0.01)
    missing = verdict("ratio", math.nan, 1, 1, 0.01)
    assert missing == "undecided"


@given(st.floats(0.2, 5), st.floats(1, 2), st.floats(1, 2), st.sampled_from([0.001, 0.5]))
@settings(deadline=None)
def test_a_ratio_and_its_inverse_have_the_same_verdict(ratio, down, up, q):
    low, high = ratio / down, ratio * up
    one = verdict("ratio", ratio, low, high, q)
    other = verdict("ratio", 1 / ratio, 1 / high, 1 / low, q)
    near = any(
        math.isclose(max(x, 1 / x), step, rel_tol=1e-9)
        for x in (low, high)
        for step in THRESHOLDS["ratio"]
    )
    assert near or one == other


@pytest.mark.parametrize(
    ("effect_name", "effect", "low", "high", "expected"),
    [
        ("cliffs_delta", 0.047, -0.153, 0.247, 4_000),  # half width 0.2, distance 0.1: 4 times
        ("cliffs_delta", -0.047, -0.247, 0.153, 4_000),
        ("cliffs_delta", 0.247, 0.097, 0.397, 2_300),  # 2,250, rounded up
        ("cramers_v", 0.05, 0.0, 0.12, 2_000),  # (0.07 / 0.05)**2 = 1.96
        ("epsilon_squared", 0.0025, 0.0, 0.0144, 2_000),  # the same, squared
        ("ratio", 1.0, 1 / 1.05**2, 1.05**2, 4_000),
        ("ratio", 1.05**-3, 1.05**-7, 1.05, 4_000),
        ("ratio", 1.5, 0.0, 3.0, None),  # a lower limit of 0 tells no width
        ("cliffs_delta", 0.147, 0.1, 0.2, None),  # the threshold itself
        ("cliffs_delta", 0.2, 0.147, 0.25, None),  # decided, but for q
        ("cramers_v", 0.05, 0.0, 0.1, 1_000),  # not decided, but nearly
        ("cliffs_delta", 0.01, -0.1, 0.12, None),  # decided
        ("cliffs_delta", math.nan, math.nan, math.nan, None),
    ],
)
def test_customers_to_decide(effect_name, effect, low, high, expected):
    number = required(effect_name, effect, low, high, 1_000)
    assert number is None if expected is None else number == pytest.approx(expected, rel=0.051)
    assert expected is None or len(str(number).rstrip("0")) <= 2


@given(st.floats(-0.5, 0.5), st.floats(0.01, 0.4), st.integers(50, 10**6))
@settings(deadline=None)
def test_that_many_customers_do_decide_if_the_width_shrinks_as_said(effect, half_width, n):
    low, high = effect - half_width, effect + half_width
    number = required("cliffs_delta", effect, low, high, n)
    before = verdict("cliffs_delta", effect, low, high, 0.001)
    if number is None:
        assert before != "undecided" or abs(effect) == 0.147
        return
    shrunk = half_width * math.sqrt(n / number) * (1 - 1e-12)
    after = verdict("cliffs_delta", effect, effect - shrunk, effect + shrunk, 0.001)
    assert (before, after != "undecided", number >= n) == ("undecided", True, True)


@given(st.floats(0, 0.05), st.integers(1, 17), st.integers(200, 5_000))
@settings(deadline=None)
def test_customers_to_decide_holds_for_real_intervals_of_more_customers(effect, freedom, n):
    """The same epsilon-squared among as many customers as asked for is decided."""

    def limits(customers):
        within = customers - freedom - 1
        low, high = effects._noncentral_interval(effect * within + freedom, freedom, 0.95)
        return low / within, high / within

    number = required("epsilon_squared", effect, *limits(n), n)
    if number is not None and number < 10**8:
        after = limits(number * 1.02)  # the root's width shrinks with 1 / sqrt(n) but for this much
        decided = verdict("epsilon_squared", effect, *after, 0.001)
        assert decided != "undecided"


def coverage(estimates, truth):
    return np.mean([e.low <= truth <= e.high for e in estimates])


def test_interval_of_cramers_v_covers_the_truth():
    random = np.random.default_rng(11)
    shares = np.array([[0.16, 0.1, 0.08], [0.08, 0.12, 0.1], [0.1, 0.12, 0.14]])
    expected = np.outer(shares.sum(axis=1), shares.sum(axis=0))
    truth = math.sqrt(((shares - expected) ** 2 / expected).sum() / 2)
    draws = random.multinomial(800, shares.ravel(), size=600).reshape(-1, 3, 3)
    estimates = [statistics.cramers_v(counts) for counts in draws]
    assert 0.925 <= coverage(estimates, truth) <= 0.975
    assert np.mean([e.effect**2 for e in estimates]) == pytest.approx(truth**2, rel=0.06)


def test_interval_of_epsilon_squared_covers_the_truth():
    random = np.random.default_rng(12)
    shifts = np.array([0.0, 0.2, 0.4])
    above = scipy_stats.norm.cdf(np.subtract.outer(shifts, shifts) / math.sqrt(2)).mean(axis=1)
    truth = 12 * ((above - 0.5) ** 2).mean()
    groups = np.repeat([0, 1, 2], 150)
    estimates = [
        statistics.epsilon_squared(random.standard_normal(450) + shifts[groups], groups)
        for _ in range(600)
    ]
    assert 0.925 <= coverage(estimates, truth) <= 0.975
    assert np.mean([e.effect for e in estimates]) == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.5])
def test_interval_of_cliffs_delta_covers_the_truth_also_with_unequal_spread(shift):
    random = np.random.default_rng(13)
    truth = 2 * scipy_stats.norm.cdf(shift / math.sqrt(1 + 4)) - 1
    estimates = [
        statistics.cliffs_delta(random.normal(shift, 1, 60), random.normal(0, 2, 140))
        for _ in range(600)
    ]
    assert 0.925 <= coverage(estimates, truth) <= 0.975


def lift_estimates(random, group_size, n, simulations):
    """Simulate order values; return lift estimates of a group, 1.2 times the rest's, and truth."""
    codes = (np.arange(n) >= group_size).astype(int)
    estimates = []
    for seed in range(simulations):
        orders = random.geometric(0.1, n)
        cents = orders * random.lognormal(8, 0.4, n) * np.where(codes == 0, 1.2, 1.0)
        result = statistics.bootstrap_sums(
            np.column_stack([cents, orders]), {"g": codes}, resamples=400, seed=seed, threads=2
        )
        with np.errstate(invalid="ignore"):  # a resample without any of a group's 11 customers
            value = result.groups["g"][..., 0] / result.groups["g"][..., 1]
        ratios = value[:, 0] / value[:, 1]
        estimates.append(statistics.ratio_interval(ratios, group_size, math.nan, math.nan))
    return estimates


def test_interval_of_a_ratio_covers_the_truth():
    estimates = lift_estimates(np.random.default_rng(14), 80, 400, 250)
    assert 0.91 <= coverage(estimates, 1.2) <= 0.98


@pytest.mark.slow
def test_interval_of_a_ratio_in_the_smallest_published_group_covers_nearly_as_often():
    """The percentile bootstrap of 11 skewed customers is known to be too narrow."""
    estimates = lift_estimates(np.random.default_rng(15), 11, 1_000, 800)
    assert 0.85 <= coverage(estimates, 1.2) <= 0.95


@pytest.mark.parametrize("size", [12, 100])
def test_p_value_of_a_ratio_rejects_a_true_null_as_often_as_it_says(size):
    random = np.random.default_rng(16)
    codes = {"g": (np.arange(400) >= size).astype(int)}
    samples = (skewed_shoppers(random, 400) for _ in range(2_000))
    found = [statistics.permutation_tests(*sample, codes)["g"] for sample in samples]
    p_values = np.array([p_values[0] for _, p_values in found])
    assert 0.04 <= np.mean(p_values < 0.05) <= 0.065
    assert np.mean(p_values < 0.01) <= 0.016


def null_rejections(random, simulations, unit):
    """Return how often p < 0.05 where groups do not differ but each customer has its own mean."""
    rejected = 0
    for _ in range(simulations):
        groups = random.integers(0, 4, 150)
        own_mean = random.normal(8, 1.5, 150)
        lines = own_mean[:, None] + random.normal(0, 2, (150, 60))
        of_lines = lines.ravel(), np.repeat(groups, 60)
        sample = of_lines if unit == "line" else (lines.mean(axis=1), groups)
        rejected += statistics.epsilon_squared(*sample).p_value < 0.05
    return rejected / simulations


def test_customers_reject_a_true_null_at_5_percent_and_their_lines_almost_always():
    """The second half is the mutant: the same test on lines fails the check of the first."""
    assert 0.03 <= null_rejections(np.random.default_rng(17), 600, "customer") <= 0.07
    assert null_rejections(np.random.default_rng(17), 100, "line") > 0.9


@pytest.mark.parametrize("null", ["cramers_v", "cliffs_delta"])
def test_other_tests_reject_a_true_null_at_5_percent(null):
    random = np.random.default_rng(18)
    p_values = []
    for _ in range(800):
        if null == "cramers_v":
            counts = np.zeros((4, 3), dtype=int)
            np.add.at(counts, (random.integers(0, 4, 500), random.integers(0, 3, 500)), 1)
            p_values.append(statistics.cramers_v(counts).p_value)
        else:
            a, b = random.poisson(4, 80), random.poisson(4, 120)
            p_values.append(statistics.cliffs_delta(a, b).p_value)
    assert 0.03 <= np.mean(np.array(p_values) < 0.05) <= 0.07


@pytest.mark.slow
def test_false_discoveries_among_findings_stay_below_5_percent():
    """20 real and 80 null comparisons: of those with q < 0.05, about 1 in 20 or fewer is null."""
    random = np.random.default_rng(19)
    groups, null = np.repeat([0, 1, 2], 100), np.arange(100) >= 20
    false_share = []
    for _ in range(100):
        samples = [random.standard_normal(300) + 0.4 * groups * ~is_null for is_null in null]
        p = [statistics.epsilon_squared(sample, groups).p_value for sample in samples]
        found = statistics.false_discovery(p) < 0.05
        false_share.append((found & null).sum() / max(1, found.sum()))
    assert np.mean(false_share) <= 0.06
