"""`basket flat` against plain merges, DuckDB's counts, and tables that do not fit."""

import shutil

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from basket.prepare import flat
from basket.project import dictionary
from basket.project.errors import BasketError
from checkout import basket

FLAGS = [c for c in dictionary.columns_of("flat_lines") if "merged" not in c.tables]
LABELS = [flag.name for flag in FLAGS if flag.type == "category"]


def write_flat(run) -> str:
    """Write the flat lines of what the stages built, in this process; return their hash."""
    with run.environment():
        flat.write_flat()
    return run.sidecar("flat_lines")["sha256"]


def plain_flat(run) -> pd.DataFrame:
    """Merge whole tables on their keys: the plain form."""
    merged = run.table("merged")
    keys = {"products": "product_key", "orders": "order_id", "customers": "user_id"}
    for what, key in keys.items():
        table = f"analysis_{what}"
        flags = run.table(table)[[key, *(flag.name for flag in FLAGS if table in flag.tables)]]
        merged = merged.merge(flags, on=key, validate="many_to_one")
    return merged[[column.name for column in dictionary.columns_of("flat_lines")]]


@pytest.mark.parametrize(("rules", "parts"), [("corrected", 3), ("course", 1)])
def test_flat_lines_are_the_merged_lines_with_the_flags_of_their_keys(
    generated, built, rules, parts
):
    run = built(generated, rules, parts)
    rows = run.sidecar("merged")["rows"]
    done = basket("flat", "--out", run.out)
    assert (done.returncode, done.stdout) == (0, f"flat_lines: {rows:,} order lines\n"), done.stderr
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
    write_flat(run)
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
    before = write_flat(run)
    assert basket("flat", "--out", run.out).returncode == 0
    assert run.sidecar("flat_lines")["sha256"] == before


def test_no_lines_have_no_flags(generated, built):
    run = built(generated, "corrected", 3)
    columns = {
        "merged": ["order_id", "product_key"],
        "analysis_products": ["product_key", "price_range"],
        "analysis_orders": ["order_id", "user_id", "busiest_day"],
        "analysis_customers": ["user_id", "profile"],
    }
    tables = [pa.Table.from_pandas(run.table(n)[names].head(0)) for n, names in columns.items()]
    found = flat.flags_of_lines(*tables)
    assert found.num_rows == 0
    assert found.column_names == ["price_range", "busiest_day", "profile"]
    assert set(found.column_names) < {flag.name for flag in FLAGS}


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
        done = basket("flat", "--out", out)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        return done.stderr

    place = merged.column_names.index("order_hour")
    wide = merged.set_column(place, "order_hour", merged["order_hour"].cast(pa.int64()))
    assert "flat_lines: breaks data_dictionary.csv: " in (said := refused(wide))
    assert "'order_hour'" in said
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


def test_where_no_report_was_built_nothing_is_written(tmp_path):
    done = basket("flat", "--out", tmp_path / "none")
    assert done.returncode == 1 and "04_derive_flags has not run yet" in done.stderr
    assert not list(tmp_path.iterdir())
