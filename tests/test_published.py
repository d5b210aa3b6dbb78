"""A run against the published figures: on tables made from them, and against an independent SQL."""

import csv
import json
import math
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oracle
from basket.checks import published
from basket.project import published_figures
from basket.project.errors import BasketError
from basket.project.files import SIDECAR
from basket.project.folders import Folders
from basket.tables.result_csv import to_csv

RULES = ("course", "corrected")
DEPARTMENTS = [
    "frozen", "other", "bakery", "produce", "alcohol", "international", "beverages", "pets",
    "dry goods pasta", "bulk", "personal care", "meat seafood", "pantry", "breakfast",
    "canned goods", "dairy eggs", "household", "babies", "snacks", "deli", "missing",
]  # fmt: skip
STATE_OF_REGION = {region: states[0] for region, states in oracle.REGIONS.items()}


# ---- tables that hold just what is published ----------------------------------------------------


def rows_of_figures() -> list[dict[str, str]]:
    """Read the published figures without the code under test."""
    with published_figures.PATH.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def figures_by_key() -> dict[str, dict[str, float]]:
    """Return the values of each published figure by key; "" is the key of one that has none."""
    values: dict[str, dict[str, float]] = {}
    for row in rows_of_figures():
        number = float if "mean" in row["figure"] else int
        values.setdefault(row["figure"], {})[row["key"]] = number(float(row["value"]))
    return values


def write_results(folders: Folders, name: str, rows: list[dict]) -> None:
    folders.tables.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(folders.tables / f"{name}.csv", index=False)


def write_prepared(folders: Folders, name: str, *parts: dict) -> None:
    folder = folders.prepared / name
    folder.mkdir(parents=True)
    described = []
    for number, columns in enumerate(parts):
        file, table = f"part-{number:03d}.parquet", pa.table(columns)
        pq.write_table(table, folder / file, compression="snappy")
        described.append({"file": file, "rows": len(table)})
    (folder / SIDECAR).write_text(json.dumps({"parts": described}))


def spread(counts: dict) -> np.ndarray:
    """Repeat each key as often as its count says."""
    return np.repeat(np.array(list(counts), dtype=object), list(counts.values()))


def customers_of(figures: dict) -> dict[str, np.ndarray]:
    """Make customers whose lines add up to every published split: state, loyalty and spending.

    Think of each region's lines in a row, which every split cuts into its labels: a customer is
    what lies between two cuts.
    """
    rows = []
    crossed = {"loyalty_flag": "loyalty", "spending_flag": "spending_before_cleaning"}
    for region, states in oracle.REGIONS.items():
        splits = {"state": {state: figures["merged.state"][state] for state in states}}
        for flag, name in crossed.items():
            splits[flag] = {
                key.split(" / ")[1]: lines
                for key, lines in figures[f"merged.region_x_{name}"].items()
                if key.startswith(region)
            }
        ends = {flag: np.cumsum(list(split.values())) for flag, split in splits.items()}
        assert len({int(end[-1]) for end in ends.values()}) == 1, region
        cuts = np.unique(np.concatenate(list(ends.values())))
        labels = {
            flag: np.array(list(split))[np.searchsorted(ends[flag], cuts)]
            for flag, split in splits.items()
        }
        rows.append(pd.DataFrame({"region": region, **labels, "lines": np.diff(cuts, prepend=0)}))
    customers = pd.concat(rows, ignore_index=True)
    customers[["priced_lines", "spend_cents", "reordered_lines"]] = 0
    priced = figures["rows.merged"][""] - figures["rows.price_outliers"][""]
    customers.loc[0, "priced_lines"] = priced
    customers.loc[1, "spend_cents"] = round(100 * figures["merged.mean_price"]["after"] * priced)
    return {name: customers[name].to_numpy() for name in customers}


def merged_of(figures: dict) -> list[dict]:
    """Make all 32 million merged lines with department and order number, in three parts."""
    ids, numbers = [], []
    for number, name in enumerate(DEPARTMENTS, start=1):
        lines = figures["merged.department"][name]
        total = round(figures["merged.mean_order_number_by_department"][str(number)] * lines)
        low = math.floor(total / lines)
        ids.append(np.full(lines, number, dtype="int8"))
        high = total - low * lines
        numbers.append(np.repeat(np.array([low, low + 1], dtype="int16"), [lines - high, high]))
    ids, numbers = np.concatenate(ids), np.concatenate(numbers)
    assert len(ids) == figures["rows.merged"][""]
    return [{"department_id": ids[part::3], "order_number": numbers[part::3]} for part in range(3)]


def write_result_tables(folders: Folders, rules: str) -> list[dict]:
    """Write each figure where it says that a result table holds it; return the rows as read.

    The tests against SQL, below, check that these places hold what the figures mean.
    """
    tables: dict[str, dict] = {}
    for row in rows_of_figures():
        if row["produced_by"] in ("raw", rules) and ".csv: " in row["where"]:
            table, column, by, only = published.WHERE.fullmatch(row["where"]).groups()
            keys = dict(pair.split("=") for pair in only.split(", "))
            keys |= {by: row["key"]} if by else {"rules": rules}
            known = tables.setdefault(table.removesuffix(".csv"), {})
            known.setdefault(tuple(keys.values()), keys)[column] = row["value"]
    for table, rows in tables.items():
        write_results(folders, table, list(rows.values()))
    flow = tables["population_flow"].values()
    return [row | {"rows_in": int(row["rows_in"])} for row in flow if row["step"] == "read"]


def compose(folders: Folders, rules: str) -> Folders:
    """Fill a folder whose tables say what is published, as a run on the full data would."""
    figures = figures_by_key()
    folders.prepared.mkdir(parents=True)
    records = {
        "01_import": {"facts": {"synthetic": None}, "flow": write_result_tables(folders, rules)},
        "03_merge": {"rules": rules},
    }
    for stage, record in records.items():
        (folders.prepared / f"{stage}.json").write_text(json.dumps(record))
    gaps = {
        np.nan if gap == "(missing)" else int(gap): orders
        for gap, orders in figures["orders.days_since_prior"].items()
    }
    orders = {
        "order_hour": spread(figures["orders.hour"]).astype("int8"),
        "order_day": spread(figures["orders.dow"]).astype("int8"),
        "days_since_prior_order": pd.array(spread(gaps).astype("float32"), "Int8"),
    }
    write_prepared(folders, "raw_orders", orders)
    regions = {STATE_OF_REGION[region]: n for region, n in figures["customers.region"].items()}
    customers = {
        "n_dependants": spread(figures["customers.n_dependants"]).astype("int8"),
        "family_status": spread(figures["customers.fam_status"]),
        "state": spread(regions),
    }
    write_prepared(folders, "raw_customers", customers)
    if rules == "corrected":
        first, again = figures["full.reordered"].values()
        nothing = {"priced_lines": [0], "spend_cents": [0]}
        parts = [
            {"lines": [lines], "reordered_lines": [reordered]} | nothing
            for lines, reordered in ((first, 0), (again, again))
        ]
        write_prepared(folders, "analysis_customers", *parts)
        return folders
    write_prepared(folders, "analysis_customers", customers_of(figures))
    lines, first, outliers, unsold = (
        figures[f"rows.{name}"][""]
        for name in ("merged", "first_order_nan_merged", "price_outliers", "unmatched_right")
    )
    orders = {"days_since_prior_order": [None, 7], "lines": [first, lines - first]}
    write_prepared(folders, "analysis_orders", orders)
    products = {
        "price_cents": [None, 100, *[200] * unsold],
        "lines": [outliers, lines - outliers, *[0] * unsold],
    }
    write_prepared(folders, "analysis_products", products)
    write_prepared(folders, "merged", *merged_of(figures))
    return folders


@pytest.fixture(scope="module", params=RULES)
def composed(request, tmp_path_factory) -> tuple[str, Folders]:
    """Give the rules, and a folder composed from what is published for them."""
    out = tmp_path_factory.mktemp(f"published_{request.param}")
    return request.param, compose(Folders(out), request.param)


@cache
def add_up_once(folder, by: tuple, of, add_up=published.add_up):
    return add_up(folder, list(by), of)


@pytest.fixture(autouse=True)
def parquet_read_once(monkeypatch):
    """Add up the 32 million composed lines once; no test changes them."""
    once = lambda folder, by, of=None: add_up_once(folder, tuple(by), of).copy()  # noqa: E731
    monkeypatch.setattr(published, "add_up", once)


@pytest.mark.slow
def test_every_figure_is_compared_or_listed_with_its_reason(composed):
    rules, folders = composed
    found = published.verify_published(folders)
    assert found.different == []
    rows = published.read_published()
    produced = rows["produced_by"].isin(["raw", rules])
    assert found.rows + sum(map(len, found.not_compared.values())) == len(rows) == 398
    without_table = [
        name
        for reason, names in found.not_compared.items()
        if "lines" in reason or "prices" in reason
        for name in names
    ]
    assert found.rows == produced.sum() - len(without_table)
    assert (found.rows, len(without_table)) == {"course": (324, 4), "corrected": (123, 0)}[rules]
    whole = {name for name in without_table if " " not in name}
    assert found.figures == set(rows["figure"][produced]) - whole


@pytest.mark.slow
def test_each_single_figure_that_differs_is_named(composed, monkeypatch):
    rules, folders = composed
    sources = published.find(folders, rules)
    rows = published.read_published()
    monkeypatch.setattr(published, "read_published", lambda: rows)
    named = 0
    for row in rows[rows["produced_by"].isin(["raw", rules])].itertuples():
        if row.where.startswith(published.NO_TABLE):
            continue
        place, good = sources[row.figure]
        step = 0.00001 if "mean" in row.figure else 1
        values = good.astype("float64")
        values[row.key] += step
        changed = sources | {row.figure: (place, values)}
        monkeypatch.setattr(published, "find", lambda *_, changed=changed: changed)
        (message,) = published.verify_published(folders).different
        assert message.startswith(f"{row.figure} {row.key}".strip() + ": ") and place in message
        named += 1
    assert named == {"course": 324, "corrected": 123}[rules]


CHANGES = {
    "course": [
        ("population_flow", "32404859", "32404289", "rows.merged: population_flow.csv"),
        ("flags", "21559853", "22796659", "merged.order_frequency_flag Frequent customer"),
        ("departments", "9479291", "9479290", "merged.department produce: departments.csv"),
        ("habits", "7.773575", "10.386336", "merged.mean_price_by_loyalty_after Loyal customer"),
        ("orders_by_hour", "2761760", "288418", "merged.hour 10: orders_by_hour.csv"),
        ("orders_by_day", "5908610", "", "active.dow 0: orders_by_day.csv, lines of active says n"),
    ],
    "corrected": [
        ("population_flow", "3214874", "3421083", "orders.prior_distinct: population_flow.csv"),
        ("flags", "10293959", "10284093", "full.loyalty_flag Loyal customer: flags.csv"),
        ("orders_by_hour", "2764426", "288418", "full.hour 10: orders_by_hour.csv"),
    ],
}


def test_a_table_that_differs_is_named(composed):
    rules, folders = composed
    for table, old, new, message in CHANGES[rules]:
        path = folders.tables / f"{table}.csv"
        good = path.read_text()
        assert old in good
        path.write_text(good.replace(old, new))
        different = published.verify_published(folders).different
        path.write_text(good)
        assert any(line.startswith(message) for line in different), (message, different)


# ---- what the sources mean ----------------------------------------------------------------------


def totals(population: str, attribute: str, unit: str) -> str:
    return (
        f"SELECT label, {unit} FROM group_totals "
        f"WHERE population = '{population}' AND attribute = '{attribute}'"
    )


def lines_by(column: str, population: str = "all", of: str = "count(*)") -> str:
    return (
        f"SELECT {column}, {of} FROM population_lines LEFT JOIN customer_rows USING (user_id) "
        f"LEFT JOIN customers USING (user_id) LEFT JOIN department_names USING (department_id) "
        f"WHERE population = '{population}' GROUP BY 1"
    )


def count_of(rows: str) -> str:
    return f"SELECT '', count(*) FROM {rows}"


def rows_by(table: str, column: str) -> str:
    return f"SELECT {column}, count(*) FROM {table} GROUP BY 1"


def labelled(day_or_hour: str, label: str) -> str:
    return (
        f"SELECT {label}, count(*) FROM lines JOIN {day_or_hour}_labels "
        f"USING ({day_or_hour}) GROUP BY 1"
    )


TOTALS = {  # figure: population, attribute, unit
    "merged.loyalty_flag": ("all", "loyalty_flag", "lines"),
    "merged.region": ("all", "region", "lines"),
    "merged.spending_flag_before_cleaning": ("all", "spending_flag", "lines"),
    "merged.order_frequency_flag": ("all", "frequency_flag", "lines"),
    "merged.fam_status": ("all", "family_status", "lines"),
    "active.fam_status": ("active", "family_status", "lines"),
    "active.gender": ("active", "gender", "lines"),
    "active.n_dependants": ("active", "n_dependants", "lines"),
    "customers.active_n_dependants": ("active", "n_dependants", "customers"),
    "active_customers.fam_status": ("active", "family_status", "customers"),
    "active_customers.loyalty_flag": ("active", "loyalty_flag", "customers"),
    "active_customers.region": ("active", "region", "customers"),
}
RAW_SQL = {
    "rows.customers": count_of("raw_customers"),
    "rows.products_raw": count_of("raw_products"),
    "rows.orders": count_of("raw_orders"),
    "rows.prior": count_of("raw_lines"),
    "orders.hour": rows_by("raw_orders", "CAST(order_hour_of_day AS INT)"),
    "orders.dow": rows_by("raw_orders", "order_dow"),
    "orders.days_since_prior": rows_by(
        "raw_orders",
        "coalesce(CAST(CAST(nullif(days_since_prior_order, '') AS DOUBLE) AS INT)"
        "::VARCHAR, '(missing)')",
    ),
    "customers.n_dependants": rows_by("raw_customers", "n_dependants"),
    "customers.fam_status": rows_by("raw_customers", "fam_status"),
    "customers.region": "SELECT region, count(*) FROM raw_customers "
    "JOIN census_regions "
    "ON census_regions.state = raw_customers.STATE GROUP BY 1",
}
SQL = {
    "corrected": RAW_SQL | {
        "full.dow": rows_by("prior_orders JOIN line_rows USING (order_id)", "day"),
        "full.hour": rows_by("prior_orders JOIN line_rows USING (order_id)", "hour"),
        "full.reordered": rows_by("line_rows", "reordered"),
        "full.loyalty_flag": totals("all", "loyalty_flag", "lines"),
        "full.region": totals("all", "region", "lines"),
        "customers.loyalty_flag": totals("all", "loyalty_flag", "customers"),
        "orders.prior_distinct": count_of("prior_orders"),
    },
    "course": RAW_SQL | {
        "rows.products_no_null": count_of("product_rows WHERE product_name IS NOT NULL"),
        "rows.products_clean": count_of("products"),
        "rows.combined": count_of("line_rows JOIN prior_orders USING (order_id)"),
        "rows.merged": count_of("lines"),
        "rows.unmatched_left": count_of(
            "line_rows WHERE product_id NOT IN (SELECT product_id FROM products)"),
        "rows.unmatched_right": count_of(
            "products WHERE product_id NOT IN (SELECT product_id FROM line_rows)"),
        "rows.fanout_extra":
            "SELECT '', (SELECT count(*) FROM lines) - count(*) FROM line_rows "
            "WHERE product_id IN (SELECT product_id FROM products)",
        "rows.price_outliers": count_of("lines WHERE flag_cents > 10000"),
        "rows.active": count_of("population_lines WHERE population = 'active'"),
        "rows.excluded": count_of(
            "lines JOIN customers USING (user_id) WHERE exclusion_flag = 'Low activity'"),
        "rows.first_order_nan_merged": count_of("lines WHERE gap_days IS NULL"),
        "customers.active": count_of("members WHERE population = 'active'"),
        "merged.dow": lines_by("day"), "merged.hour": lines_by("hour"),
        "active.dow": lines_by("day", "active"),
        "merged.state": lines_by("state"),
        "merged.department": lines_by("department"),
        "active.department": lines_by("department", "active"),
        "merged.price_range_loc": lines_by("price_range"),
        "active.price_range_loc": lines_by("price_range", "active"),
        "merged.mean_order_number_by_department":
            lines_by("department_id", of="avg(order_number)"),
        "merged.mean_price": "SELECT 'after', avg(price_cents) / 100 FROM lines",
        "merged.mean_price_by_loyalty_after": lines_by("loyalty_flag", of="avg(price_cents) / 100"),
        "merged.region_x_loyalty": lines_by("region || ' / ' || loyalty_flag"),
        "merged.region_x_spending_before_cleaning": lines_by("region || ' / ' || spending_flag"),
        "merged.busiest_day": labelled("day", "busiest_day"),
        "merged.busiest_days": labelled("day", "busiest_days"),
        "merged.busiest_period_of_day": labelled("hour", "busiest_period_of_day"),
    } | {figure: totals(*of) for figure, of in TOTALS.items()},
}  # fmt: skip


@pytest.mark.parametrize("rules", RULES)
def test_the_sources_are_what_the_definitions_say(built, generated, rules):
    """Every source of a run, against SQL from the figures' definitions on the raw files."""
    run = built(generated, rules)
    run.folders.tables.mkdir(parents=True, exist_ok=True)
    for name, table in run.results.items():
        (run.folders.tables / f"{name}.csv").write_text(to_csv(table), encoding="utf-8")
    flow = [
        row
        for stage in ("01_import", "02_clean", "03_merge", "04_derive_flags")
        for row in run.record(stage)["flow"]
    ]
    write_results(run.folders, "population_flow", flow)
    sources = published.find(run.folders, rules)
    assert sources.keys() == SQL[rules].keys()
    with oracle._analysis(generated, rules, None) as connection:
        for figure, query in SQL[rules].items():
            expected = {str(key): value for key, value in connection.execute(query).fetchall()}
            found = sources[figure][1].to_dict()
            assert found.keys() == expected.keys(), figure
            for key, value in expected.items():
                assert found[key] == pytest.approx(value, rel=0, abs=1e-6), (figure, key)


def test_data_that_are_not_the_full_ones_are_refused_in_one_line(built, generated):
    run = built(generated, "corrected")
    with pytest.raises(BasketError) as refused:
        published.verify_published(run.folders)
    message = str(refused.value)
    customers = len(run.table("raw_customers"))
    assert "\n" not in message
    assert "these data are not: they are generated" in message
    assert f"{customers:,} rows in raw_customers, expected 206,209" in message
    assert "rows in raw_lines, expected 32,434,489" in message
