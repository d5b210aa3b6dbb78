"""Mistakes that public analyses of this data make, each shown to give another number here.

The right value is computed from the raw files with a few lines of pandas; beside it is the
mistake, computed the way it is commonly made, and it must differ, or the test could not fail.
"""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from basket.analysis import flags
from basket.prepare import clean
from basket.project.folders import ROOT, SCRIPTS
from basket.project.settings import load_settings
from basket.tables.result_csv import to_csv

SETTINGS = load_settings(ROOT / "settings.yml")
CEILING = SETTINGS.thresholds.price_ceiling_dollars


@pytest.fixture(scope="module")
def run(built, generated):
    """Give the stages' result under RULES=corrected."""
    return built(generated, "corrected")


@pytest.fixture(scope="module")
def orders(generated) -> pd.DataFrame:
    """Give the prior orders as received."""
    orders = pd.read_csv(generated / "orders.csv")
    return orders[orders["eval_set"] == "prior"]


@pytest.fixture(scope="module")
def lines(run) -> pd.DataFrame:
    """Give the merged lines, with prices in dollars as received."""
    order = ["order_id", "user_id", "order_number", "order_hour", "order_day"]
    raw = clean.drop_exact_duplicates(run.table("raw_products"))
    prices = clean.repair_doubled_ids(raw).sort_values("product_id")["prices"].to_numpy()
    merged = run.table("merged")[[*order, "product_key", "days_since_prior_order"]]
    return merged.assign(price=prices[merged["product_key"]])


@pytest.fixture(scope="module")
def customers(run) -> pd.DataFrame:
    """Give analysis_customers by user_id."""
    return run.table("analysis_customers").set_index("user_id")


# ---- grains -------------------------------------------------------------------------------------


def test_orders_are_not_counted_as_lines(run, orders, lines):
    table = run.results["orders_by_hour"].query("population == 'all'").set_index("hour")
    right = orders.groupby("order_hour_of_day")["order_id"].nunique()
    mistake = lines.groupby("order_hour").size()
    assert table["orders"].to_dict() == right.to_dict()
    assert table["lines"].to_dict() == mistake.to_dict()
    assert (mistake > 5 * right).all()
    assert table["orders"].sum() == len(orders)


def test_a_distribution_of_people_counts_customers_not_their_lines(run, orders):
    table = run.results["flags"].query("population == 'all' and flag == 'loyalty_flag'")
    table = table.set_index("label")
    most = orders.groupby("user_id")["order_number"].max()
    labels = ["New customer", "Regular customer", "Loyal customer"]
    right = pd.cut(most, [0, 10, 40, 100], labels=labels).value_counts()
    assert table["customers"].to_dict() == right.to_dict()
    shares = table[["customers", "lines"]] / table[["customers", "lines"]].sum()
    assert shares.loc["New customer", "customers"] - shares.loc["New customer", "lines"] > 0.1


def test_an_identifier_is_never_summed(run):
    for name, table in run.results.items():
        assert not {"order_id", "user_id", "product_id"} & set(table.columns), name


# ---- exclusion, gaps, medians -------------------------------------------------------------------


def test_the_exclusion_goes_by_the_customers_orders_not_by_order_number(run, lines):
    table = run.results["flags"].query("population == 'active' and flag == 'exclusion_flag'")
    most = lines.groupby("user_id")["order_number"].transform("max")
    right, mistake = int((most >= 5).sum()), int((lines["order_number"] >= 5).sum())
    assert table["lines"].tolist() == [right]
    assert mistake < right
    assert run.table("low_activity_customers")["max_order"].max() == 4


def labelled(flag: str, **columns):
    return flags.label(SETTINGS.flags[flag], columns, SETTINGS.labels.missing)


def frequency_of(days: pd.Series) -> pd.Series:
    labels = labelled("frequency_flag", median_days_between_orders=days)
    return pd.Series(labels, index=days.index)


def test_missing_gaps_are_left_out_not_filled_with_0(orders, customers):
    gaps = orders.groupby("user_id")["days_since_prior_order"]
    filled = orders.fillna({"days_since_prior_order": 0}).groupby("user_id")
    right, mistake = gaps.median(), filled["days_since_prior_order"].median()
    pd.testing.assert_series_equal(
        customers["median_days_between_orders"], right, check_names=False, check_index_type=False
    )
    assert (frequency_of(right) != frequency_of(mistake)).sum() > 10
    assert not (frequency_of(mistake) == "(missing)").any()


def test_a_median_is_a_median_not_a_mean(orders, customers):
    gaps = orders.groupby("user_id")["days_since_prior_order"]
    right, mistake = frequency_of(gaps.median()), frequency_of(gaps.mean())
    assert (customers["frequency_flag"].astype("str") == right.astype("str")).all()
    assert (right != mistake).sum() > 10


def test_the_median_of_a_customer_is_over_orders_not_over_lines(lines, customers):
    mistake = lines.groupby("user_id")["days_since_prior_order"].median().astype("float64")
    assert (customers["median_days_between_orders"] != mistake).sum() > 50


def test_30_days_mean_30_or_more_and_no_mean_gap_is_shown(run):
    for name, table in run.all_results.items():
        assert not {"mean_days_between_orders", "mean_gap"} & set(table.columns), name
    assert run.results["habits"]["median_days_between_orders"].max() <= 30
    last = run.all_results["days_between_orders"].iloc[-1]
    assert last["days"] == 30
    assert last["label"] in ("30 or more", "30+")


# ---- prices -------------------------------------------------------------------------------------


def test_flags_see_cleaned_prices_not_14900_dollars(lines, customers):
    cleaned = lines.assign(price=lines["price"].where(lines["price"] <= CEILING))
    right = cleaned.groupby("user_id")["price"].mean().round(6) >= 10
    mistake = lines.groupby("user_id")["price"].mean().round(6) >= 10
    assert ((customers["spending_flag"] == "High spender") == right).all()
    assert (mistake & ~right).sum() > 5


def test_a_product_with_a_damaged_price_is_no_high_range_product(run):
    products = run.table("analysis_products").set_index("product_id")
    damaged = run.table("raw_products").query("prices > @CEILING")["product_id"]
    assert len(damaged) == 2
    assert (products.loc[damaged, "price_range"] == "(missing)").all()
    assert products.loc[damaged, "price_cents"].isna().all()


@pytest.mark.parametrize("prices", [[11.7, 7.1, 11.2], [9.9, 10.1], [10.0] * 7])
def test_a_mean_price_of_exactly_10_is_not_decided_by_float_noise(prices):
    cents = clean.to_cents(pd.Series(prices))
    assert cents.sum() == 1000 * len(prices)
    found = labelled("spending_flag", spend_cents=[cents.sum()], priced_lines=[len(prices)])
    assert list(found) == ["High spender"]


def test_float_noise_would_decide_a_mean_price_of_exactly_10():
    assert np.mean([11.7, 7.1, 11.2]) < 10


def test_spend_is_a_whole_number_of_cents(run, lines):
    total = lines["price"].where(lines["price"] <= CEILING).mul(100).round().sum()
    assert run.table("analysis_customers")["spend_cents"].sum() == int(total)
    assert run.table("analysis_customers")["spend_cents"].dtype == np.int64


# ---- histograms, labels, overflow ---------------------------------------------------------------


def test_days_between_orders_have_one_bin_a_day_so_no_dip_is_invented(run, orders, customers):
    table = run.all_results["days_between_orders"]
    active = customers[customers["exclusion_flag"] == "Active"]
    of_active = orders["user_id"].isin(active.index)
    gaps = pd.concat([orders.loc[of_active, "days_since_prior_order"], active["last_gap_days"]])
    gaps = gaps.dropna()
    assert active["last_gap_days"].notna().all()  # each customer's last gap is one of them
    assert table["days"].tolist() == list(range(31))
    assert table["orders"].tolist() == gaps.value_counts().reindex(range(31), fill_value=0).tolist()
    assert table["orders"].sum() == len(gaps)
    assert table["share"].sum() == pytest.approx(1)
    assert (table["orders"] > 0).all()
    mistake, _ = np.histogram(gaps, bins=40)  # 40 bins over 31 whole days
    assert (mistake == 0).sum() == 9


def test_missing_names_do_not_become_the_text_nan(run):
    names = run.table("products")["product_name"].astype("str")
    assert names.isna().sum() == 0
    assert (names == "(unnamed)").sum() == 16
    assert not names.isin(["nan", "NaN", "<NA>"]).any()
    mistake = run.table("raw_products")["product_name"].astype("object").map(str)
    assert (mistake == "nan").sum() == 16


def test_no_result_table_holds_the_text_nan(run):
    for name, table in run.all_results.items():
        cells = {cell for line in to_csv(table).splitlines() for cell in line.split(",")}
        assert not cells & {"nan", "NaN", "None", "<NA>", "inf", "-inf"}, name


def test_a_product_called_none_keeps_its_name(generated, run):
    kept = run.table("products")["product_name"] == "None"
    assert kept.sum() == 1
    mistake = pd.read_csv(generated / "products.csv")["product_name"]
    assert not (mistake == "None").any()
    assert mistake.isna().sum() == 17


@pytest.mark.parametrize(
    ("table", "column", "too_small"),
    [
        ("orders", "order_id", "int8"),
        ("orders", "user_id", "int8"),
        ("products", "product_id", "int8"),
        ("customers", "income", "int16"),
        ("products", "prices", "float16"),
    ],
)
def test_no_number_overflows_a_type_that_is_too_small(generated, run, table, column, too_small):
    received = pd.read_csv(generated / f"{table}.csv")[column]
    stored = run.table(f"raw_{table}")[column]
    assert stored.max() == received.max()
    assert stored.astype("float64").sum() == pytest.approx(received.sum(), abs=1e-6)
    with np.errstate(over="ignore"):
        assert received.to_numpy().astype(too_small).max() != received.max()


def test_99999_dollars_fit_into_cents(built, generated):
    price = built(generated, "course").table("products")["price_cents"].max()
    assert price == 9_999_900


# ---- bands --------------------------------------------------------------------------------------


def test_every_income_has_exactly_one_group_and_groups_only_rise():
    incomes = np.arange(0, 600_001)
    groups = labelled("income_group", income=incomes)
    assert not (groups == "(missing)").any()
    assert (np.diff(groups.codes) >= 0).all()
    assert np.flatnonzero(np.diff(groups.codes)).tolist() == [49_999, 99_999]
    mistake = [(incomes < 50_000), (incomes > 50_000) & (incomes < 100_000), (incomes > 100_000)]
    assert (np.sum(mistake, axis=0) == 0).sum() == 2  # 50,000 and 100,000 belong nowhere


@pytest.mark.parametrize(
    ("flag", "values"),
    [
        ("age_group", np.arange(0, 121)),
        ("loyalty_flag", np.arange(1, 101)),
        ("exclusion_flag", np.arange(1, 101)),
        ("frequency_flag", np.arange(0, 30.5, 0.5)),
    ],
)
def test_no_band_leaves_a_value_without_a_label(flag, values):
    found = labelled(flag, **{SETTINGS.flags[flag].source: values})
    assert not (found == "(missing)").any()
    assert (np.diff(found.codes) >= 0).all()


def test_groups_of_customers_add_up_to_all_customers(run):
    flagged = run.results["flags"].dropna(subset="customers")
    for _, group in flagged.groupby(["population", "flag"]):
        expected = run.sidecar("analysis_customers")["rows"]
        if group["population"].iloc[0] == "active":
            expected -= run.sidecar("low_activity_customers")["rows"]
        assert group["customers"].sum() == expected


# ---- people -------------------------------------------------------------------------------------


def texts_in(file: Path) -> set[str]:
    """Collect every text that a parquet file holds, in its columns and their names."""
    table = pq.read_table(file).unify_dictionaries()
    found = set(table.column_names)
    for column in table.columns:
        if pa.types.is_dictionary(column.type):
            for chunk in column.chunks:
                found |= {text for text in chunk.dictionary.to_pylist() if text}
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            found |= set(column.unique().to_pylist()) - {None}
    return found


def test_names_of_customers_are_in_no_table(generated, run):
    people = pd.read_csv(generated / "customers.csv", keep_default_na=False)
    names = set(people["First Name"]) | set(people["Surnam"]) | {"First Name", "Surnam"} - {""}
    names -= set(people["STATE"]) | {""}
    assert len(names) > 200
    files = sorted(run.folders.prepared.rglob("*.parquet"))
    assert len(files) > 12
    for file in files:
        assert not names & texts_in(file), file.name
    for table in run.all_results.values():
        assert not names & set(re.split(r"[,\"\n]", to_csv(table)))


def test_no_result_table_has_a_row_per_customer(run):
    for name, table in run.all_results.items():
        assert not {"user_id", "First Name", "Surnam", "date_joined"} & set(table.columns), name


# ---- files under version control ----------------------------------------------------------------


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Give the files under version control, or skip saying why."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("NOT RUN: this is no checkout, so no file is under version control")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


A_PATH = re.compile(r"(?<![\w.~])/(?:home|Users|tmp|root|work)/\w|(?<![A-Za-z])[A-Z]:\\{1,2}\w")
PLANTS_PATHS = {"notebook_maker.py", "test_pages.py", "test_project.py"}  # to see them removed


def test_no_tracked_file_holds_an_absolute_path(tracked):
    for file in tracked:
        is_packed = file.suffix in (".png", ".xlsx")  # bytes that spell a path by chance
        if file.name not in PLANTS_PATHS and not is_packed:
            found = A_PATH.search(file.read_text(encoding="utf-8", errors="ignore"))
            assert not found, f"{file.relative_to(ROOT)}: {found}"


@pytest.mark.parametrize("path", ["/{}/ann/data", "pd.read_csv(r'{}:\\data\\x.csv')"])
def test_an_absolute_path_would_be_seen(path):
    for place in ("home", "Users", "tmp") if path.startswith("/") else ("C", "D"):
        assert A_PATH.search(path.format(place))
    assert not A_PATH.search("https://example.org/home/x ./tmp/x 02_data/tmp/x ratio:\\n")


NOTEBOOKS = sorted(SCRIPTS.glob("*.ipynb"))


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_are_stored_without_outputs_or_traces_of_a_run(file):
    notebook = json.loads(file.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(code) > 3
    for cell in code:
        assert cell["outputs"] == [] and cell["execution_count"] is None
    traces = {"papermill", "execution", "widgets"}
    for metadata in (notebook["metadata"], *(cell["metadata"] for cell in notebook["cells"])):
        assert not traces & set(metadata)
    assert not re.search(r"injected-parameters|\d\.\d+\.\d+", json.dumps(notebook["metadata"]))


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_no_threshold_is_typed_into_a_notebook(file):
    """A flag written out in a notebook would be a copy that can disagree with settings.yml."""
    notebook = json.loads(file.read_text(encoding="utf-8"))
    code = "\n".join(
        "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"
    )
    labels = [label for flag in SETTINGS.flags.values() for label in flag.labels]
    labels += SETTINGS.labels.model_dump(exclude={"unnamed_departments"}).values()
    assert [label for label in labels if f'"{label}"' in code or f"'{label}'" in code] == []
    assert not re.search(r"[<>]=?\s*\d{2,}", code)
