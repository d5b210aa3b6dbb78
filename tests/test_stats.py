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
from basket.analysis.statistics import effects
from basket.project.folders import ROOT
from basket.project.settings import load_settings

THRESHOLDS = {
    "cramers_v": (0.1, 0.3, 0.5),
    "epsilon_squared": (0.01, 0.06, 0.14),
    "cliffs_delta": (0.147, 0.33, 0.474),
    "ratio": (1.05, 1.15, 1.3),
}
LIMITS = dict(rel=1e-9, abs=1e-12)


def verdict(effect_name: str, effect: float, low: float, high: float, q: float) -> str:
    """Give the verdict on one effect."""
    one = (np.array([each]) for each in (effect_name, effect, low, high, q))
    return str(statistics.verdicts(*one, thresholds=THRESHOLDS, significance=0.05)[0])


OF_REPORT = load_settings(ROOT / "settings.yml").statistics
required = partial(statistics.required_sample_size, thresholds=THRESHOLDS, settings=OF_REPORT)
in_half = partial(  # the number that decides in half of the cases, however large
    required, settings=OF_REPORT.model_copy(update={"power": 0.5, "most_times_the_data": 1e12})
)
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


# --- q, verdicts, customers to decide


def test_false_discovery_is_benjamini_hochberg_over_all_and_skips_missing():
    p = np.array([0.01, math.nan, 0.04, 0.03, 0.9])
    q = statistics.false_discovery(p)
    assert np.isnan(q[1])
    assert q[[0, 2, 3, 4]] == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.9])
    assert np.isnan(statistics.false_discovery([math.nan])).all()
    assert len(statistics.false_discovery([])) == 0
    for wrong in ([0.5, 1.5], [math.nan, -0.1]):
        with pytest.raises(ValueError, match="from 0 to 1"):
            statistics.false_discovery(wrong)


@pytest.mark.parametrize("n", [1, 2, 50, 1650])
def test_false_discovery_is_that_of_scipy_also_among_equal_p_values(n):
    p = np.random.default_rng(n).random(n) ** 3
    for p_values in (p, np.round(p, 2), np.append(p, [0, 1])):
        assert (
            statistics.false_discovery(p_values) == scipy_stats.false_discovery_control(p_values)
        ).all()


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
        ("cliffs_delta", 0.047, -0.153, 0.247, 9_000),  # 2.04 times (0.2 / 0.1)**2: 8,170
        ("cliffs_delta", -0.047, -0.247, 0.153, 9_000),
        ("cliffs_delta", 0.247, 0.097, 0.397, 5_000),  # 4,600, rounded up
        ("cramers_v", 0.05, 0.0, 0.12, 5_000),  # 2.04 times (0.07 / 0.05)**2
        ("epsilon_squared", 0.0025, 0.0, 0.0144, 5_000),  # the same, squared
        ("ratio", 1.0, 1 / 1.05**2, 1.05**2, 9_000),
        ("ratio", 1.05**-3, 1.05**-7, 1.05, 9_000),
        ("ratio", 1.0, 1 / 1.05**2.2, 1.05**2.2, 10_000),  # 9,880
        ("ratio", 1.0, 1 / 1.05**2.22, 1.05**2.22, None),  # 10,070: more than ten times the data
        ("ratio", 1.5, 0.0, 3.0, None),  # a lower limit of 0 tells no width
        ("cliffs_delta", 0.147, 0.1, 0.2, None),  # the threshold itself
        ("cliffs_delta", 0.2, 0.147, 0.25, None),  # decided, but for q
        ("cramers_v", 0.05, 0.0, 0.1, 3_000),  # not decided, but nearly
        ("cliffs_delta", 0.01, -0.1, 0.12, None),  # decided
        ("cliffs_delta", math.nan, math.nan, math.nan, None),
    ],
)
def test_customers_to_decide(effect_name, effect, low, high, expected):
    assert required(effect_name, effect, low, high, 1_000) == expected


def test_as_many_customers_decide_in_four_of_five_cases():
    """Half as many more than the estimate needs would decide in half of the cases."""
    random = np.random.default_rng(21)
    n, truth, error = 1_000, 0.0, 0.1  # of Cliff's delta among n customers
    number = required("cliffs_delta", truth, truth - 1.96 * error, truth + 1.96 * error, n)
    estimates = random.normal(truth, error * math.sqrt(n / number), 20_000)
    reach = 1.96 * error * math.sqrt(n / number)
    decided = (np.abs(estimates) + reach < 0.147).mean()
    assert 0.6 <= decided <= 0.95  # both sides must be left; one digit is rounded up
    one_sided = (estimates + reach < 0.147).mean()
    assert 0.8 <= one_sided <= 0.93


@given(st.floats(-0.5, 0.5), st.floats(0.01, 0.4), st.integers(50, 10**6))
@settings(deadline=None)
def test_that_many_customers_do_decide_if_the_width_shrinks_as_said(effect, half_width, n):
    low, high = effect - half_width, effect + half_width
    number = in_half("cliffs_delta", effect, low, high, n)
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

    number = in_half("epsilon_squared", effect, *limits(n), n)
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
