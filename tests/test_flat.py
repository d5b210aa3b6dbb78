"""`basket flat` against plain merges, DuckDB's counts, and tables that do not fit."""

import shutil
import subprocess
import sys

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from basket.prepare import flat
from basket.project import dictionary
from basket.project.errors import BasketError

LABELS = [
    c.name
    for c in dictionary.columns_of("flat_lines")
    if c.type == "category" and "merged" not in c.tables
]
BASKET = [sys.executable, "-c", "from basket.command import main; main()"]


def written_flat(run) -> str:
    """Run `basket flat` on what the stages built; return what it printed."""
    done = subprocess.run(
        [*BASKET, "flat", "--out", str(run.out)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def plain_flat(run) -> pd.DataFrame:
    """The plain form: merges of whole tables on their keys."""

    def flags_of(table: str, *keys: str) -> pd.DataFrame:
        flags = [
            c.name
            for c in dictionary.columns_of(table)
            if "flat_lines" in c.tables and "merged" not in c.tables
        ]
        return run.table(table)[[*keys, *flags]]

    merged = (
        run.table("merged")
        .merge(
            flags_of("analysis_products", "product_key"), on="product_key", validate="many_to_one"
        )
        .merge(flags_of("analysis_orders", "order_id"), on="order_id", validate="many_to_one")
        .merge(flags_of("analysis_customers", "user_id"), on="user_id", validate="many_to_one")
    )
    return merged[[column.name for column in dictionary.columns_of("flat_lines")]]


@pytest.mark.parametrize(("rules", "parts"), [("corrected", 3), ("course", 1)])
def test_flat_lines_are_the_merged_lines_with_the_flags_of_their_keys(
    generated, built, rules, parts
):
    run = built(generated, rules, parts)
    rows = run.sidecar("merged")["rows"]
    assert written_flat(run) == f"flat_lines: {rows:,} order lines\n"
    found, expected = run.table("flat_lines"), plain_flat(run)
    assert len(found) == rows > 100_000
    for frame in (found, expected):  # labels in any order of the categories
        frame[frame.select_dtypes("category").columns] = frame.select_dtypes("category").astype(str)
    pd.testing.assert_frame_equal(found, expected)  # row by row, in the order of merged
    assert len(run.sidecar("flat_lines")["parts"]) == parts


def test_duckdb_reads_the_flat_lines_and_counts_each_flag_as_the_result_table_does(
    generated, built
):
    run = built(generated, "corrected", 3)
    written_flat(run)
    files = str(run.folders.prepared / "flat_lines" / "*.parquet")
    counted = run.results["flags"].query("population == 'all'")
    checked = 0
    for flag in LABELS:
        rows = duckdb.sql(f'SELECT {flag}::VARCHAR, count(*) FROM "{files}" GROUP BY ALL')
        expected = counted[counted["flag"] == flag].set_index("label")["lines"]
        assert dict(rows.fetchall()) == expected[expected > 0].to_dict(), flag
        checked += 1
    assert checked == len(LABELS) >= len(set(run.settings.groupings()) & set(LABELS)) + 4


def test_the_same_bytes_again(generated, built):
    run = built(generated, "corrected", 3)
    written_flat(run)
    before = run.sidecar("flat_lines")["sha256"]
    written_flat(run)
    assert run.sidecar("flat_lines")["sha256"] == before


def test_no_lines_have_no_flags(generated, built):
    run = built(generated, "corrected", 3)
    tables = [
        pa.Table.from_pandas(run.table(name).head(0))
        for name in ("merged", "analysis_products", "analysis_orders", "analysis_customers")
    ]
    flags = [c.name for c in dictionary.columns_of("flat_lines") if "merged" not in c.tables]
    columns = [
        ["order_id", "product_key"],
        ["product_key", "price_range"],
        ["order_id", "user_id", "busiest_day"],
        ["user_id", "profile"],
    ]
    found = flat.flags_of_lines(
        *(table.select(names) for table, names in zip(tables, columns, strict=True))
    )
    assert found.num_rows == 0
    assert found.column_names == ["price_range", "busiest_day", "profile"]
    assert set(found.column_names) < set(flags)


def test_a_merged_table_of_another_run_is_refused_in_one_line_by_the_command(
    generated, built, tmp_path
):
    run = built(generated, "corrected", 3)
    out = tmp_path / "out"
    shutil.copytree(run.out, out, ignore=shutil.ignore_patterns("flat_lines"))
    file = out / "02_data" / "prepared_data" / "merged" / "part-001.parquet"
    merged = pq.read_table(file)

    def refused(changed: pa.Table) -> str:
        pq.write_table(changed, file)
        done = subprocess.run(
            [*BASKET, "flat", "--out", str(out)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        return done.stderr

    place = merged.column_names.index("age")
    wide = merged.set_column(place, "age", merged["age"].cast(pa.int64()))
    assert "flat_lines: breaks data_dictionary.csv: " in (said := refused(wide)) and "'age'" in said
    place = merged.column_names.index("order_id")
    other = merged.set_column(
        place, "order_id", pa.array(range(10**9, 10**9 + len(merged)), pa.int32())
    )
    assert "of different runs; run `make report`, then `basket flat` again" in refused(other)
    assert not (out / "02_data" / "prepared_data" / "flat_lines").exists()


def test_lines_of_other_orders_products_or_customers_are_refused():
    def table(**columns) -> pa.Table:
        return pa.table({name: pa.array(values, pa.int32()) for name, values in columns.items()})

    lines = table(order_id=[5, 5, 7], product_key=[0, 1, 0])
    products = table(product_key=[0, 1], price_range=[3, 4])
    orders = table(order_id=[7, 5], user_id=[1, 2], busiest_day=[10, 20])
    customers = table(user_id=[2, 1], profile=[200, 100])
    assert flat.flags_of_lines(lines, products, orders, customers).to_pydict() == {
        "price_range": [3, 4, 3],
        "busiest_day": [20, 20, 10],
        "profile": [200, 200, 100],
    }
    for fewer in (
        (products.slice(1), orders, customers),
        (products, orders.slice(1), customers),
        (products, orders, customers.slice(1)),
        (products, orders, customers.slice(2)),
    ):
        with pytest.raises(BasketError, match="different runs; run `make report`"):
            flat.flags_of_lines(lines, *fewer)
