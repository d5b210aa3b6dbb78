"""The generated data set: shape, planted faults, real distributions, planted effects, sameness.

The figures to meet are read from the package's aggregated counts and, when the environment variable
BASKET_REAL_DATA names a folder with the real data, from its `marginals.json` too. Tolerances are
for 10,310 customers (scale 0.05), whose habits make counts vary more than independent draws would.
"""

import csv
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.csv as pa_csv
import pytest

from basket.project.errors import DataError
from basket.synthetic.catalogue import fabricate_prices
from basket.synthetic.generate import NONE, REAL, Effects, generate
from basket.synthetic.people import fabricate_customers

pytestmark = pytest.mark.slow

SCALE = 0.05
CUSTOMERS = 10_310
ALL_CUSTOMERS = 206_209
HEADERS = {
    "customers.csv": "user_id,First Name,Surnam,Gender,STATE,Age,date_joined,n_dependants,"
    "fam_status,income",
    "departments.csv": "department_id," + ",".join(map(str, range(1, 22))),
    "orders.csv": "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,"
    "days_since_prior_order",
    "orders_products_prior.csv": "order_id,product_id,add_to_cart_order,reordered",
    "products.csv": "product_id,product_name,aisle_id,department_id,prices",
}
FACTS = json.loads(
    Path(generate.__code__.co_filename).with_name("real_distributions.json").read_text("utf-8")
)
DEPARTMENTS = pd.DataFrame(FACTS["departments"]).set_index("department_id")
MEAT, SNACKS, PRODUCE = 12, 19, 4


@dataclass(frozen=True)
class Data:
    """A generated data set as read back; `lines` carries what its order, customer, product say."""

    folder: Path
    orders: pd.DataFrame
    lines: pd.DataFrame
    products: pd.DataFrame  # one row per real product, index = its own id, absurd prices missing
    customers: pd.DataFrame  # index = user_id


def read(folder: Path) -> Data:
    """Read a generated folder; doubled product ids get their own id back."""
    orders, lines, customers = (
        pa_csv.read_csv(folder / name).to_pandas()
        for name in ("orders.csv", "orders_products_prior.csv", "customers.csv")
    )
    products = pd.read_csv(folder / "products.csv", keep_default_na=False).drop_duplicates()
    first_of_pair = products.product_id.duplicated(keep="last")
    products.index = pd.Index(products.product_id - first_of_pair, name="own_id")
    products["prices"] = products.prices.where(products.prices < 100)
    by_order = orders.set_index("order_id")
    for name in ("user_id", "order_number", "order_dow", "order_hour_of_day"):
        lines[name] = by_order[name].reindex(lines.order_id).to_numpy()
    for name in ("department_id", "prices"):
        lines[name] = products[name].reindex(lines.product_id).to_numpy()
    return Data(folder, orders, lines, products, customers.set_index("user_id").sort_index())


def made(folder: Path, effects: Effects | str) -> Data:
    generate(folder, SCALE, effects=effects)
    return read(folder)


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Data:
    """Give the default data set."""
    return made(tmp_path_factory.mktemp("real"), "real")


@pytest.fixture(scope="module")
def none(tmp_path_factory) -> Data:
    """Give the same without any link between who customers are and what they do."""
    return made(tmp_path_factory.mktemp("none"), "none")


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Data:
    """Give two test effects at once, and no other; it differs from `none` by them alone."""
    effects = Effects(income=False, region_spend=("South", 1.08), night_owls=0.3)
    return made(tmp_path_factory.mktemp("planted"), effects)


@pytest.fixture(scope="module")
def marginals(real_data) -> dict:
    """Give distributions of the real data, where they are available."""
    return json.loads((real_data / "marginals.json").read_text("utf-8"))


def shares(counts) -> np.ndarray:
    """Counts as shares of their sum."""
    counts = np.asarray(counts, dtype=float)
    return counts / counts.sum()


def day_by_hour(orders: pd.DataFrame) -> np.ndarray:
    """Orders by weekday 0-6 and hour 0-23."""
    cell = orders.order_dow * 24 + orders.order_hour_of_day
    return np.bincount(cell, minlength=168).reshape(7, 24)


def gap_counts(orders: pd.DataFrame) -> np.ndarray:
    """Gaps of 0, 1, ... 30 days."""
    gaps = orders.days_since_prior_order.dropna().astype(int)
    return np.bincount(gaps, minlength=31)


def basket_sizes(data: Data) -> pd.Series:
    """Lines per prior order."""
    return data.lines.groupby("order_id").size()


def mean_prices(data: Data, least_lines: int = 20) -> pd.Series:
    """Mean item price per customer with enough lines."""
    price = data.lines.groupby("user_id").prices
    return price.mean()[price.size() >= least_lines]


def rank_correlation(left: pd.Series, right: pd.Series) -> float:
    """Spearman's rho over the index that both have."""
    both = pd.concat([left, right], axis=1, join="inner")
    return both.iloc[:, 0].corr(both.iloc[:, 1], method="spearman")


# Shape


def test_files_have_the_headers_and_formats_of_the_course(real):
    rows = {name: (real.folder / name).read_text("utf-8").splitlines() for name in HEADERS}
    assert {name: text[0] for name, text in rows.items()} == HEADERS
    assert rows["departments.csv"][1].startswith("department,frozen,other,bakery,produce,")
    text = pd.read_csv(real.folder / "orders.csv", dtype=str, keep_default_na=False)
    assert text.order_hour_of_day.str.fullmatch(r"[01]\d|2[0-3]").all()
    first = text.order_number == "1"
    assert (text.days_since_prior_order[first] == "").all()
    assert text.days_since_prior_order[~first].str.fullmatch(r"([12]?\d|30)\.0").all()
    dates = real.customers.date_joined
    assert dates.str.fullmatch(r"[1-9]\d?/[1-9]\d?/20(17|18|19|20)").all()
    prices = pd.read_csv(real.folder / "products.csv", dtype=str).prices
    assert prices.str.fullmatch(r"\d+\.\d").all()


def test_orders_are_complete_histories(real):
    orders = real.orders
    assert list(orders.user_id.unique()) == list(range(1, CUSTOMERS + 1))
    assert sorted(orders.order_id) == list(range(1, len(orders) + 1))
    assert (orders.order_number == orders.groupby("user_id").cumcount() + 1).all()
    last = ~orders.user_id.duplicated(keep="last")
    assert (orders.eval_set[~last] == "prior").all()
    assert orders.eval_set[last].isin(["train", "test"]).all()
    assert abs((orders.eval_set[last] == "train").mean() - 131_209 / ALL_CUSTOMERS) < 0.015
    numbers = orders.groupby("user_id").size()
    assert numbers.min() == 4
    assert numbers.max() == 100
    assert np.corrcoef(orders.order_id, orders.user_id)[0, 1] == pytest.approx(0, abs=0.02)


def test_lines_are_grouped_by_order_and_numbered_within(real):
    lines = real.lines
    assert lines.order_id.is_monotonic_increasing
    assert (lines.add_to_cart_order == lines.groupby("order_id").cumcount() + 1).all()
    assert lines.add_to_cart_order.max() <= 145
    prior = real.orders.order_id[real.orders.eval_set == "prior"]
    assert set(lines.order_id) == set(prior)
    assert lines.product_id.between(1, 49_688).all()


def test_no_order_holds_a_product_twice(real, planted):
    for data in (real, planted):
        assert not data.lines.duplicated(["order_id", "product_id"]).any()


def test_weekdays_agree_with_gaps(real):
    orders = real.orders
    walked = (orders.order_dow - orders.order_dow.shift()) % 7
    known = orders.days_since_prior_order < 30
    assert (walked[known] == orders.days_since_prior_order[known] % 7).all()


@pytest.mark.parametrize("effects", [REAL, Effects(loyal_produce=1.3, night_owls=0.5)])
def test_reordered_is_true_to_history(tmp_path, effects):
    generate(tmp_path, 0.02, seed=5, effects=effects)
    wrong, lines = duckdb.sql(f"""
        with history as (
            select l.reordered, o.order_number,
                   min(o.order_number) over (partition by o.user_id, l.product_id) as first_bought
            from read_csv('{tmp_path}/orders_products_prior.csv') l
            join read_csv('{tmp_path}/orders.csv') o using (order_id))
        select count(*) filter (reordered <> (order_number > first_bought)::int), count(*)
        from history""").fetchall()[0]
    assert lines > 500_000
    assert wrong == 0


def test_marker_says_what_was_generated(real):
    marker = json.loads((real.folder / "SYNTHETIC_DATA.json").read_text("utf-8"))
    assert marker == {
        "synthetic": True,
        "scale": SCALE,
        "seed": 2017,
        "effects": "real",
        "rows": {
            "products": 49_693,
            "departments": 21,
            "customers": CUSTOMERS,
            "orders": len(real.orders),
            "orders_products_prior": len(real.lines),
        },
    }
    assert {path.name for path in real.folder.iterdir()} == {*HEADERS, "SYNTHETIC_DATA.json"}


# Planted faults


@pytest.fixture(scope="module")
def raw_products(real) -> pd.DataFrame:
    """products.csv as it stands, faults included."""
    return pd.read_csv(real.folder / "products.csv", keep_default_na=False)


def test_products_carry_every_planted_fault(raw_products):
    assert len(raw_products) == 49_693
    assert (raw_products.product_name == "").sum() == 16
    repeated = raw_products[raw_products.duplicated()]
    assert list(repeated.product_id) == [462, 18_458, 26_808, 35_306, 35_491]
    high = raw_products[raw_products.prices > 25]
    assert dict(zip(high.product_id, high.prices, strict=True)) == {21_553: 14_900, 33_664: 99_999}
    assert list(raw_products.product_id[raw_products.product_name == "#NAME?"]) == [11_908]
    assert (raw_products.product_name == "None").sum() == 1


def test_two_ids_are_doubled_and_the_ids_before_them_are_absent(raw_products):
    distinct = raw_products.drop_duplicates()
    doubled = distinct[distinct.product_id.duplicated(keep=False)]
    assert list(doubled.product_id) == [6_800, 6_800, 26_520, 26_520]
    assert doubled.product_name.nunique() == 4
    absent = set(range(1, 49_689)) - set(raw_products.product_id)
    assert absent == {6_799, 26_519}


def test_lines_refer_to_all_of_kaggles_ids(real, raw_products):
    bought = set(real.lines.product_id)
    assert {6_799, 26_519} <= bought  # unmatched under the course's rules
    assert {6_800, 26_520} & bought  # fan out under the course's rules
    nameless = set(raw_products.product_id[raw_products.product_name == ""])
    of_nameless = real.lines.product_id.isin(nameless).mean()
    assert of_nameless == pytest.approx(28_171 / 32_434_489, rel=0.35)
    assert real.products.index.is_unique
    assert set(real.products.index) == set(range(1, 49_689))


def test_first_row_of_a_doubled_id_is_the_absent_product(real):
    ids = pd.DataFrame(
        {
            "product_id": [6_799, 6_800],
            "department_id": real.products.department_id[[6_799, 6_800]].to_numpy(),
        }
    )
    assert fabricate_prices(ids).tolist() == real.products.prices[[6_799, 6_800]].tolist()


def test_names_are_awkward_as_real_ones_are(raw_products):
    names = raw_products.product_name
    assert names.str.contains(",").any()
    assert names.str.contains('"').any()
    assert names.str.contains("Jalapeño").any()
    named = raw_products.drop_duplicates()
    named = named[~named.product_name.isin(["", "#NAME?"])]
    assert named.product_name.is_unique


def test_each_aisle_belongs_to_one_department(raw_products):
    assert raw_products.aisle_id.nunique() == 134
    assert raw_products.groupby("aisle_id").department_id.nunique().max() == 1
    counts = raw_products.drop_duplicates().department_id.value_counts().sort_index()
    assert (counts == DEPARTMENTS.products).all()


def test_prices_above_15_are_meat_and_one_other(raw_products):
    dear = raw_products[raw_products.prices.between(15.01, 25)]
    assert len(dear) == pytest.approx(546, abs=60)
    assert (dear.department_id != MEAT).sum() == 1


def test_customers_carry_their_planted_faults(real):
    raw = pd.read_csv(real.folder / "customers.csv")
    assert raw["First Name"].isna().mean() == pytest.approx(11_259 / ALL_CUSTOMERS, abs=0.008)
    assert not raw.drop(columns="First Name").isna().any(axis=None)
    assert pd.to_datetime(raw.date_joined, format="%m/%d/%Y").is_monotonic_increasing
    assert sorted(raw.user_id) == list(range(1, CUSTOMERS + 1))
    (real.folder / "customers.csv").read_text("ascii")


# Real distributions


def check_day_by_hour(orders: pd.DataFrame, real_counts) -> None:
    """Cells, weekdays and hours as in the real table."""
    found, expected = shares(day_by_hour(orders)), shares(real_counts)
    assert np.abs(found - expected).max() < 0.0015
    assert np.abs(found.sum(axis=1) - expected.sum(axis=1)).max() < 0.003
    assert np.abs(found.sum(axis=0) - expected.sum(axis=0)).max() < 0.004
    chi2 = len(orders) * ((found - expected) ** 2 / expected).sum()
    assert chi2 / found.size < 5  # 1 if orders were independent of their customers' habits


def check_gaps(orders: pd.DataFrame, real_counts) -> None:
    """Shares of gaps, with their weekly peaks and the pile at 30."""
    found = shares(gap_counts(orders))
    assert np.abs(found - shares(real_counts)).max() < 0.003
    for peak in (7, 14, 21, 28, 30):
        assert found[peak] > found[peak - 1]


def check_departments(lines: pd.DataFrame, share: pd.Series, reorder_rate: pd.Series) -> None:
    """Shares of lines and reorder rates by department id."""
    by_department = lines.groupby("department_id").reordered.agg(["size", "mean"])
    found = by_department["size"] / len(lines)
    assert (found - share).abs().max() < 0.005
    large = share > 0.005
    assert (found / share - 1)[large].abs().max() < 0.15
    assert (by_department["mean"] - reorder_rate)[large].abs().max() < 0.03
    assert rank_correlation(by_department["mean"][large], reorder_rate[large]) > 0.9


def check_popularity(lines: pd.DataFrame, share_of_top: dict[str, float]) -> None:
    """Share of lines that the most popular 10, 100, 1000 and 5000 products have."""
    counts = np.sort(lines.product_id.value_counts().to_numpy())[::-1]
    for top, expected in share_of_top.items():
        assert counts[: int(top)].sum() / len(lines) == pytest.approx(expected, abs=0.025), top


def test_days_hours_gaps_and_departments(real, none):
    for data in (real, none):
        check_day_by_hour(data.orders, FACTS["orders_by_day_and_hour"])
        check_gaps(data.orders, FACTS["days_since_prior_order"])
        check_departments(data.lines, DEPARTMENTS.line_share, DEPARTMENTS.reorder_rate)


def test_frequent_customers_have_more_orders(real):
    by_customer = real.orders.groupby("user_id").agg(
        orders=("order_number", "max"), gap=("days_since_prior_order", "mean")
    )
    assert by_customer.orders.corr(by_customer.gap, method="spearman") < -0.5
    typical = by_customer.groupby(pd.cut(by_customer.orders, [3, 5, 10, 20, 40, 99, 100])).gap
    assert typical.mean().is_monotonic_decreasing


def test_orders_per_customer(real):
    numbers = real.orders.groupby("user_id").size()
    assert numbers.mean() == pytest.approx(16.590, abs=0.05)
    assert (numbers == 4).mean() == pytest.approx(23_986 / ALL_CUSTOMERS, abs=0.002)
    assert (numbers == 100).mean() == pytest.approx(1_374 / ALL_CUSTOMERS, abs=0.001)
    loyalty = np.histogram(numbers - 1, [0, 10.5, 40.5, 100])[0]
    assert np.allclose(shares(loyalty), shares([112_328, 76_864, 17_017]), atol=0.002)


def test_basket_sizes(real):
    sizes = basket_sizes(real)
    assert sizes.mean() == pytest.approx(10.089, abs=0.15)
    expected = shares(FACTS["basket_sizes"])
    for size, share in enumerate(expected[:4], start=1):
        assert (sizes == size).mean() == pytest.approx(share, abs=0.004)
    for quantile in (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99):
        real_size = np.searchsorted(np.cumsum(expected), quantile) + 1
        assert abs(sizes.quantile(quantile) - real_size) <= 1, quantile


@pytest.mark.parametrize(
    ("column", "key", "tolerance"),
    [("order_dow", "by_day", 0.025), ("order_hour_of_day", "by_hour", 0.04)],
)
def test_baskets_vary_a_little_with_day_and_hour(real, column, key, tolerance):
    orders = real.lines.drop_duplicates("order_id").set_index("order_id")[column]
    sizes = basket_sizes(real)
    ratio = sizes.groupby(orders).mean() / sizes.mean()
    frequent = orders.value_counts() > 1_000
    off = (ratio - FACTS["basket_size_ratio"][key])[frequent]
    assert off.abs().max() < tolerance


def test_reorder_rate_rises_with_order_number(real):
    lines = real.lines
    assert lines.reordered.mean() == pytest.approx(0.5897, abs=0.01)
    assert lines.reordered[lines.order_number == 1].sum() == 0
    numbers, rates = zip(*FACTS["reorder_rate"]["by_order_number"], strict=True)
    bounds = [0.5, 2.5, 3.5, 4.5, 5.5, 7.5, 10.5, 15.5, 20.5, 25.5, 30.5, 40.5, 50.5, 60.5, 80.5]
    later = lines[lines.order_number > 1]
    found = later.groupby(pd.cut(later.order_number, [*bounds, 100])).reordered.mean()
    assert len(found) == len(numbers)
    assert np.abs(found.to_numpy() - rates).max() < 0.03
    assert found.is_monotonic_increasing


def test_reordered_products_are_added_to_the_cart_first(real):
    by_place = real.lines.groupby("add_to_cart_order").reordered.mean()
    assert by_place[1] == pytest.approx(0.723, abs=0.03)
    assert by_place[20] == pytest.approx(0.495, abs=0.04)


def test_popularity(real):
    check_popularity(real.lines, FACTS["popularity"]["share_of_top"])


def test_prices(real):
    mean = real.products.groupby("department_id").prices.mean()
    middle = DEPARTMENTS.price.map(np.mean)
    assert (mean - middle).abs().drop([2, 10]).max() < 0.35  # the smallest departments vary more
    assert real.lines.prices.mean() == pytest.approx(7.79, abs=0.15)
    for department, (low, high) in DEPARTMENTS.price.items():
        sound = real.products[real.products.department_id == department].prices.drop(
            2_718, errors="ignore"
        )
        assert sound.min() >= low
        assert sound.max() <= high


def test_income_goes_with_snacks_meat_and_prices(real):
    facts = FACTS["line_share_by_income"]
    income = real.customers.income.reindex(real.lines.user_id).to_numpy()
    group = np.searchsorted(facts["up_to"], income)
    for index, shares_ in enumerate(facts["shares"]):
        here = real.lines[group == index]
        assert here.prices.mean() == pytest.approx(FACTS["mean_price_by_income"][index], abs=0.2)
        for department in (SNACKS, MEAT):
            found = (here.department_id == department).mean()
            assert found == pytest.approx(shares_[department - 1], rel=0.2), (index, department)


def test_rank_correlations_of_the_real_data(real):
    customers = real.customers
    numbers = real.orders.groupby("user_id").size()
    # 0.23 in the marginals' sample of 3,830 customers, 0.42 among the panel's 1,200
    assert 0.2 < rank_correlation(mean_prices(real), customers.income) < 0.45
    for attribute in ("income", "Age", "n_dependants"):
        assert abs(rank_correlation(numbers, customers[attribute])) < 0.03, attribute
    assert abs(rank_correlation(mean_prices(real), customers.n_dependants)) < 0.03


def test_people_have_the_real_distributions_exactly():
    facts = FACTS["customers"]
    people = fabricate_customers(np.arange(1, ALL_CUSTOMERS + 1))
    assert list(people.Age.value_counts().sort_index()) == facts["age"]["counts"]
    assert list(people.n_dependants.value_counts().sort_index()) == facts["dependants"]
    assert (people.Gender == "Male").sum() == facts["male"]
    assert people["First Name"].isna().sum() == 11_259
    states = people.STATE.value_counts()
    assert len(states) == 51
    assert set(states) == {4_043, 4_044}
    assert people.date_joined.nunique() == 1_187
    status = people.fam_status.value_counts()
    assert np.allclose(
        shares(status), shares([facts["fam_status"][k] for k in status.index]), atol=0.003
    )
    for side, key in ((people.Age <= 40, "up_to_step_age"), (people.Age > 40, "above")):
        edges = facts["income"]["edges"]
        found = np.histogram(people.income[side], edges)[0]
        assert np.abs(shares(found) - shares(facts["income"][key])).max() < 0.003
    means = people.income.groupby(people.Age > 40).mean()
    assert np.allclose(means, facts["income"]["mean"], rtol=0.01)
    assert people.income.between(25_903, 593_901).all()


def test_family_status_is_determined_by_age_and_dependants():
    people = fabricate_customers(np.arange(1, 20_001))
    rule = np.select(
        [
            (people.n_dependants == 0) & (people.Age < 60),
            people.n_dependants == 0,
            people.Age <= 21,
        ],
        ["single", "divorced/widowed", "living with parents and siblings"],
        "married",
    )
    assert (people.fam_status == rule).all()


def test_attributes_of_people_are_independent_of_each_other():
    people = fabricate_customers(np.arange(1, ALL_CUSTOMERS + 1))
    codes = people[["Age", "n_dependants"]].assign(
        state=people.STATE.astype("category").cat.codes,
        man=people.Gender == "Male",
        unnamed=people["First Name"].isna(),
        user_id=people.user_id,
        joined=pd.to_datetime(people.date_joined, format="%m/%d/%Y"),
    )
    correlation = codes.astype("int64").corr(method="spearman").to_numpy()
    assert np.abs(correlation - np.eye(len(correlation))).max() < 0.01


# The same against the real data itself


def test_meets_the_marginals_of_the_real_data(real, marginals):
    check_day_by_hour(real.orders, marginals["orders_dow_by_hour"]["rows_dow_0_6_cols_hour_0_23"])
    gaps = marginals["days_since_prior_order"]["counts"]
    check_gaps(real.orders, [gaps[str(day)] for day in range(31)])
    departments = marginals["departments"]
    names = DEPARTMENTS.department
    check_departments(
        real.lines,
        names.map(departments["prior_items_full"]["shares"]),
        names.map(lambda name: departments["prior_sample"]["by_department"][name]["reorder_rate"]),
    )
    check_popularity(real.lines, marginals["product_popularity_train"]["share_top"])
    sizes = basket_sizes(real)
    exact = marginals["basket_size"]["exact_prior"]
    for least, orders in exact["orders_with_at_least_k_items"].items():
        assert (sizes >= int(least)).mean() == pytest.approx(orders / 3_214_874, abs=0.01)
    for quantile, size in marginals["basket_size"]["prior_random_orders_1_20000"][
        "quantiles"
    ].items():
        if float(quantile) < 0.999:
            assert abs(sizes.quantile(float(quantile)) - size) <= 1, quantile
    rate = marginals["reorder_rate"]["full_exact_prior"]["rate"]
    assert real.lines.reordered.mean() == pytest.approx(rate, abs=0.01)


def test_prices_meet_the_marginals_of_the_real_data(real, marginals):
    prices = marginals["prices_careerfoundry"]
    found = real.products.groupby("department_id").prices.mean()
    expected = DEPARTMENTS.department.map(lambda name: prices["mean_by_department"][name][0])
    assert (found - expected).abs().drop(10).max() < 0.4  # 38 products are sold in bulk
    for quantile, price in prices["quantiles_le100"].items():
        assert real.products.prices.quantile(float(quantile)) == pytest.approx(price, abs=0.35)


def test_people_meet_the_marginals_of_the_real_data(marginals):
    facts = marginals["customers_careerfoundry"]
    people = fabricate_customers(np.arange(1, ALL_CUSTOMERS + 1))
    assert people.Age.value_counts().to_dict() == {
        int(age): count for age, count in facts["age"]["counts"].items()
    }
    assert people.STATE.value_counts().to_dict() == facts["state"]["counts"]
    assert people.Gender.value_counts().to_dict() == facts["gender"]
    for side, key in ((people.Age <= 40, "age_le_40"), (people.Age > 40, "age_gt_40")):
        for quantile in ("0.01", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95"):
            found = people.income[side].quantile(float(quantile))
            assert found == pytest.approx(facts["income"][key][quantile], rel=0.03), quantile


def test_the_packages_figures_are_those_of_the_real_data(marginals):
    gaps = marginals["days_since_prior_order"]["counts"]
    assert FACTS["days_since_prior_order"] == [gaps[str(day)] for day in range(31)]
    assert sum(FACTS["customers_by_orders"]["counts"]) == ALL_CUSTOMERS
    counts = FACTS["customers_by_orders"]["counts"]
    assert sum((orders + 4) * count for orders, count in enumerate(counts)) == 3_421_083
    catalogue = marginals["departments"]["catalogue_products_by_department"]
    assert DEPARTMENTS.set_index("department").products.to_dict() == catalogue


def test_no_name_is_a_real_products_name(raw_products, real_data):
    path = real_data / "full_dimensions" / "products.csv"
    with path.open(encoding="utf-8", newline="") as file:
        taken = {row["product_name"] for row in csv.DictReader(file)}
    assert not taken & set(raw_products.product_name) - {"", "#NAME?"}


# Effects


def test_without_effects_nothing_depends_on_demographics(none):
    customers = none.customers
    behaviour = {
        "mean price": mean_prices(none),
        "orders": none.orders.groupby("user_id").size(),
        "lines": none.lines.groupby("user_id").size(),
        "gap": none.orders.groupby("user_id").days_since_prior_order.mean(),
        "hour": none.orders.groupby("user_id").order_hour_of_day.mean(),
        "snacks": (none.lines.department_id == SNACKS).groupby(none.lines.user_id).mean(),
        "reordered": none.lines.groupby("user_id").reordered.mean(),
    }
    for name, values in behaviour.items():
        for attribute in ("income", "Age", "n_dependants"):
            rho = rank_correlation(values, customers[attribute])
            assert abs(rho) < 0.035, (name, attribute)  # 3.5 standard errors


def test_without_effects_people_are_the_same(real, none):
    pd.testing.assert_frame_equal(real.customers, none.customers)


def test_region_spend_multiplies_the_baskets_of_one_region(planted, none):
    south = planted.customers.STATE.isin(FACTS["states"]["South"])
    for measure, tolerance in (("size", 0.003), ("sum", 0.01)):
        before, after = (
            data.lines.groupby("user_id").prices.agg(measure) for data in (none, planted)
        )
        assert after[south].sum() / before[south].sum() == pytest.approx(1.08, abs=tolerance)
        assert after[~south].sum() / before[~south].sum() == pytest.approx(1, abs=tolerance)


def test_night_owls_are_young_people_without_dependants(planted, none):
    customers = planted.customers
    profile = (customers.Age <= 39) & (customers.n_dependants == 0)
    before, after = (
        data.orders.groupby("user_id").order_hour_of_day.min() >= 20 for data in (none, planted)
    )
    assert after[profile].mean() == pytest.approx(0.3, abs=0.04)
    assert (after == before)[~profile].all()
    assert before.mean() < 0.005


def test_loyal_produce_multiplies_the_share_of_produce_lines(none, tmp_path):
    planted = made(tmp_path, Effects(income=False, loyal_produce=1.2))
    loyal = none.orders.groupby("user_id").size() - 1 > 40
    before, after = (
        (data.lines.department_id == PRODUCE).groupby(data.lines.user_id).mean()
        for data in (none, planted)
    )
    assert after[loyal].mean() / before[loyal].mean() == pytest.approx(1.2, abs=0.02)
    assert (after == before)[~loyal].all()
    assert not planted.lines.duplicated(["order_id", "product_id"]).any()


def test_named_effects_equal_their_objects(tmp_path):
    for name, effects in (("none", NONE), ("real", REAL)):
        generate(tmp_path / "name", 0.002, effects=name)
        generate(tmp_path / "object", 0.002, effects=effects)
        assert_same_files(tmp_path / "name", tmp_path / "object")


# Sameness


def assert_same_files(left: Path, right: Path) -> None:
    """Every file is the same, byte for byte."""
    assert sorted(path.name for path in left.iterdir()) == sorted(
        path.name for path in right.iterdir()
    )
    for path in left.iterdir():
        assert path.read_bytes() == (right / path.name).read_bytes(), path.name


def test_same_seed_gives_the_same_bytes_whatever_the_threads(tmp_path):
    generate(tmp_path / "one", 0.03, seed=7, threads=1)
    generate(tmp_path / "three", 0.03, seed=7, threads=3)
    assert_same_files(tmp_path / "one", tmp_path / "three")


def test_another_seed_gives_other_orders_and_the_same_catalogue(tmp_path):
    generate(tmp_path / "a", 0.005, seed=1)
    generate(tmp_path / "b", 0.005, seed=2)
    for name in ("orders.csv", "orders_products_prior.csv"):
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()
    for name in ("products.csv", "departments.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_scale_that_gives_no_customer_or_too_many_is_refused(tmp_path):
    for scale in (0.0, 1e-6, 501, 1e300, float("inf"), float("nan")):
        with pytest.raises(DataError, match=f"^scale {re.escape(f'{scale:g}')}: expected a number"):
            generate(tmp_path / "data", scale)
    assert not (tmp_path / "data").exists()


def test_customers_do_not_depend_on_the_others_present():
    everybody = fabricate_customers(np.arange(1, 5_001)).set_index("user_id")
    some = np.random.default_rng(1).permutation(np.arange(1, 5_001))[:400]
    alone = fabricate_customers(some).set_index("user_id")
    pd.testing.assert_frame_equal(alone, everybody.loc[some])
    beyond = fabricate_customers(np.array([ALL_CUSTOMERS + 1, 3 * ALL_CUSTOMERS]))
    assert beyond.Age.between(18, 81).all()


def test_prices_do_not_depend_on_the_others_present(real):
    products = (
        real.products[["department_id"]].reset_index().rename(columns={"own_id": "product_id"})
    )
    prices = fabricate_prices(products)
    some = products.sample(500, random_state=1)
    pd.testing.assert_series_equal(fabricate_prices(some), prices[some.index])
    known = ~products.product_id.isin([2_718, 21_553, 33_664])
    assert (prices[known].to_numpy() == real.products.prices[known.to_numpy()].to_numpy()).all()


@pytest.mark.alone
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory of a process is read from /proc"
)
def test_full_size_takes_30_seconds_and_a_gibibyte(tmp_path):
    # a little above full size, so that the boundary between two blocks of customers is crossed
    program = (
        "import pathlib, sys; from basket.synthetic.generate import generate\n"
        "generate(pathlib.Path(sys.argv[1]), 1.002)\n"
        "print(pathlib.Path('/proc/self/status').read_text())"
    )
    started = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    assert seconds <= 30
    peak = next(line.split()[1] for line in ran.stdout.splitlines() if line.startswith("VmHWM"))
    assert int(peak) * 1024 <= 2**30

    orders = pa_csv.read_csv(tmp_path / "orders.csv").to_pandas()
    assert orders.user_id.is_monotonic_increasing
    assert orders.user_id.nunique() == round(1.002 * ALL_CUSTOMERS)
    assert np.array_equal(np.sort(orders.order_id), np.arange(1, len(orders) + 1))
    lines = pa_csv.read_csv(tmp_path / "orders_products_prior.csv").to_pandas()
    assert len(lines) == pytest.approx(1.002 * 32_434_489, rel=0.01)
    assert lines.order_id.is_monotonic_increasing
    assert lines.add_to_cart_order.max() <= 145
    assert lines.reordered.mean() == pytest.approx(0.5897, abs=0.002)
