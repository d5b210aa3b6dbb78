"""The habits of generated customers: those of real ones, within tolerances that stand here.

The panel has 960 active customers, so that its own figures vary from sample to sample: the
tolerances are two to four standard errors of the panel's figures, or less where the two are
nearer. Where no segment effect is planted, none must be there beyond habit itself: who orders
often or much reorders more, and reorders hold other departments than first purchases do. So first
purchases are looked at: among them departments must not differ by segment at all.
"""

import numpy as np
import pandas as pd
import pytest

from basket.analysis.statistics import ratios
from basket.synthetic.generate import generate
from conftest import Run, run_stages

pytestmark = pytest.mark.slow

SCALE = 0.01  # 2,062 customers, some 1,630 active
ORDER_NUMBERS = [1, 2, 3, 5, 9, 19, 39, 99]  # ends of classes: 2, 3, 4 to 5, ... 40 to 99
OF_LAST = {"5 to 9": 0.06, "10 to 19": 0.06, "20 to 39": 0.06, "40 or more": 0.06, "all": 0.04}


@pytest.fixture(scope="module")
def both(built, panel, tmp_path_factory) -> tuple[Run, Run]:
    """Give the real panel and generated customers, both after all stages."""
    folder = tmp_path_factory.mktemp("habits")
    generate(folder, scale=SCALE)
    return built(panel, "corrected"), built(folder, "corrected")


def active(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the active customers, and their orders."""
    customers = run.table("analysis_customers")
    customers = customers[customers["exclusion_flag"] == "Active"]
    orders = run.table("analysis_orders")
    return customers, orders[orders["user_id"].isin(customers["user_id"])]


def of_customer(values: pd.Series, customer: pd.Series) -> float:
    """Share of the variance that is between customers (intraclass correlation, one-way)."""
    values = values.astype("float64")
    of = values.groupby(customer)
    sizes, means = of.size(), of.mean()
    customers, all_values = len(sizes), sizes.sum()
    between = (sizes * (means - values.mean()) ** 2).sum() / (customers - 1)
    within = ((values - of.transform("mean")) ** 2).sum() / (all_values - customers)
    size = (all_values - (sizes**2).sum() / all_values) / (customers - 1)
    return (between - within) / (between + (size - 1) * within)


def gaps(run: Run) -> tuple[pd.Series, pd.Series]:
    """Give the known gaps of active customers, and whose each is."""
    _, orders = active(run)
    orders = orders[orders["days_since_prior_order"].notna()]
    return orders["days_since_prior_order"], orders["user_id"]


def lines(run: Run) -> pd.DataFrame:
    """Read the order lines of active customers, with the class of the order's number."""
    table = run.table("merged")[["user_id", "order_number", "product_id", "reordered"]]
    table = table[table["user_id"].isin(active(run)[0]["user_id"])]
    return table.assign(number=pd.cut(table["order_number"], ORDER_NUMBERS))


def near(both: tuple[Run, Run], figure, tolerance: float) -> None:
    """Hold a figure of generated customers, or several, against that of the real ones."""
    real, made = (figure(run) for run in both)
    print(f"\nreal {np.round(real, 3)}\nmade {np.round(made, 3)}")
    assert np.shape(real) == np.shape(made)
    np.testing.assert_allclose(made, real, rtol=0, atol=tolerance)


def test_gaps_persist_within_customers(both):
    """Share of the variance of gaps that is between customers: within .05."""
    near(both, lambda run: of_customer(*gaps(run)), 0.05)


def test_gaps_persist_within_customers_of_like_activity(both):
    """The same among new, regular and loyal customers, where less is between them: within .1."""

    def by_loyalty(run: Run) -> list[float]:
        days, who = gaps(run)
        group = active(run)[0].set_index("user_id")["loyalty_flag"].reindex(who).to_numpy()
        return [of_customer(days[group == label], who[group == label]) for label in labels]

    labels = both[0].settings.flags["loyalty_flag"].labels
    near(both, by_loyalty, 0.1)


def test_every_other_gap_predicts_the_rest(both):
    """Correlation of a customer's mean gaps before even and odd orders: within .1."""

    def correlation(run: Run) -> float:
        days, who = gaps(run)
        _, orders = active(run)
        is_even = orders["order_number"].reindex(days.index) % 2 == 0
        return days.astype("float64").groupby([who, is_even]).mean().unstack().corr().iloc[0, 1]

    near(both, correlation, 0.1)


def test_basket_sizes_persist_within_customers(both):
    """Share of the variance of log lines an order that is between customers: within .05."""

    def between(run: Run) -> float:
        _, orders = active(run)
        return of_customer(np.log(orders["lines"]), orders["user_id"])

    near(both, between, 0.05)


def test_own_products_are_reordered_by_order_number(both):
    """Reorder rate by class of the order's number: within .03."""
    near(both, lambda run: lines(run).groupby("number", observed=True)["reordered"].mean(), 0.03)


def test_the_order_before_predicts_the_next_by_order_number(both):
    """Share of an order's lines that were in the order before: within .04."""

    def share(run: Run) -> pd.Series:
        table = lines(run)
        key = ["user_id", "order_number", "product_id"]
        before = table[key].assign(order_number=table["order_number"] + 1).drop_duplicates()
        later = table[table["order_number"] > 1].merge(before, on=key, how="left", indicator=True)
        return (later["_merge"] == "both").groupby(later["number"], observed=True).mean()

    near(both, share, 0.04)


def test_own_lists_hit_by_the_last_orders_number(both):
    """Precision of ten products of the customer's own history: within .04 of all, .06 a class."""
    for last, tolerance in OF_LAST.items():

        def precision(run: Run, last: str = last) -> float:
            offers = run.all_results["offers"].query("source == 'own'").set_index("last_order")
            return offers.loc[last, "precision"]

        near(both, precision, tolerance)


def test_terciles_of_rhythm_and_basket_are_those_of_real_customers(both):
    """Own median gap within 1.5 days, own lines an order within .8."""
    thirds = [1 / 3, 2 / 3]
    near(both, lambda run: gap_of(run).quantile(thirds), 1.5)
    near(both, lambda run: basket_of(run).quantile(thirds), 0.8)


def gap_of(run: Run) -> pd.Series:
    days, who = gaps(run)
    return days.astype("float64").groupby(who).median()


def basket_of(run: Run) -> pd.Series:
    _, orders = active(run)
    return orders.groupby("user_id")["lines"].mean()


def test_segments_are_as_large_as_among_real_customers(both):
    """Share of the customers in each of nine segments, within .05; rhythm and basket go apart."""
    near(both, lambda run: active(run)[0]["segment"].value_counts(normalize=True, sort=False), 0.05)

    def together(run: Run) -> float:
        return gap_of(run).corr(basket_of(run), method="spearman")

    near(both, together, 0.07)


# ---- nothing planted ----------------------------------------------------------------------------


def first_purchases(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Count each active customer's lines that are no reorders, by department; and the segments."""
    customers, _ = active(run)
    merged = run.table("merged")[["user_id", "department", "reordered"]]
    new = merged[(merged["reordered"] == 0) & merged["user_id"].isin(customers["user_id"])]
    table = pd.crosstab(new["user_id"], new["department"]).reindex(customers["user_id"])
    return table.to_numpy(), customers["segment"].cat.codes.to_numpy("intp")


def p_values(counts: np.ndarray, segments: np.ndarray, settings) -> np.ndarray:
    """Compare each segment's share of each department with the others', where enough buy it."""
    found, limits = [], settings.statistics
    for of_department in counts.T:
        one = ratios.against_others(of_department, counts.sum(axis=1), segments, 9)
        usable = one.reason(limits) == ""
        found.append(np.where(usable, one.p_value, np.nan))
    return np.array(found)


def test_without_effects_first_purchases_do_not_depend_on_the_segment(tmp_path):
    """4,124 customers, no effects: p < .05 in at most 10 % of the comparisons, none by Bonferroni.

    The test sees effects: with produce planted among big shops (every tenth other line of a first
    purchase) the same comparisons find it.
    """
    generate(tmp_path / "data", scale=0.02, seed=11, effects="none")
    run = run_stages(tmp_path / "data", tmp_path / "out", "corrected")
    counts, segments = first_purchases(run)
    found = p_values(counts, segments, run.settings)
    known = found[np.isfinite(found)]
    print(f"\np < .05: {(known < 0.05).mean():.3f} of {len(known)}, lowest {known.min():.5f}")
    assert len(known) > 100
    assert (known < 0.05).mean() <= 0.1
    assert known.min() * len(known) > 0.05

    planted = counts.copy()
    names = sorted(run.table("merged")["department"].cat.categories)
    moved = planted[segments % 3 == 2] // 10
    planted[segments % 3 == 2] -= moved
    planted[segments % 3 == 2, names.index("produce")] += moved.sum(axis=1)
    found = p_values(planted, segments, run.settings)
    assert np.nanmin(found) * len(known) < 0.05
