"""`basket flat` against plain merges, other readers of Parquet, and tables that do not fit."""

import shutil
import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basket.prepare import flat, splice
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
    assert "merged and its flags do not fit: age is not a column as expected" in refused(wide)
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


# ---- files side by side -------------------------------------------------------------------------


def write(path, table: pa.Table, rows_in_group: int = 10, **options) -> None:
    with pq.ParquetWriter(path, table.schema, **options) as writer:
        writer.write_table(table, row_group_size=rows_in_group)


@st.composite
def wide_tables(draw) -> pa.Table:
    """Draw a table of two to six columns of several types, some with missing values."""
    rows = draw(st.integers(0, 35))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    missing = random.random(rows) < 0.3
    kinds = {
        "whole": pa.array(random.integers(-5, 2**31, rows)),
        "missing": pa.array(random.integers(0, 9, rows), pa.int8(), mask=missing),
        "decimal": pa.array(random.random(rows)),
        "label": pa.array(random.choice(["a", "b ü", "c"], rows)).dictionary_encode(),
        "text": pa.array(random.choice(["", "x" * 300], rows), pa.string(), mask=missing),
        "truth": pa.array(random.random(rows) < 0.5),
    }
    names = draw(st.permutations(sorted(kinds)))[: draw(st.integers(2, 6))]
    return pa.table({name: kinds[name] for name in names})


@given(
    table=wide_tables(),
    data=st.data(),
    codec=st.sampled_from(["none", "lz4", "zstd"]),
    statistics=st.booleans(),
    split=st.booleans(),
)
def test_columns_put_side_by_side_are_the_table_they_were_taken_from(
    tmp_path_factory, table, data, codec, statistics, split
):
    def written_with(names) -> dict:
        """How the files are written; numbers as split bytes, as ours are, or as pyarrow does it."""
        numbers = [name for name in names if name in ("whole", "decimal")] if split else []
        return {
            "compression": codec,
            "write_statistics": statistics,
            "use_dictionary": [name for name in names if name not in numbers],
            "column_encoding": dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
        }

    folder = tmp_path_factory.mktemp("splice")
    files = data.draw(
        st.lists(st.integers(0, 2), min_size=table.num_columns, max_size=table.num_columns)
    )
    paths = []
    for number in sorted(set(files)):
        names = [
            name for name, file in zip(table.column_names, files, strict=True) if file == number
        ]
        paths.append(folder / f"{number}.parquet")
        write(paths[-1], table.select(names), **written_with(names))
    write(folder / "empty", table.schema.empty_table())
    splice.side_by_side(paths, folder / "empty", folder / "whole")
    assert pq.read_table(folder / "whole").equals(table)
    written, whole = pq.read_metadata(folder / "whole"), folder / "at once"
    write(whole, table, **written_with(table.column_names))
    at_once = pq.read_metadata(whole)
    assert written.schema.equals(at_once.schema)
    assert written.num_rows == at_once.num_rows
    for group in range(at_once.num_row_groups):
        left, right = written.row_group(group), at_once.row_group(group)
        assert (left.num_rows, left.total_byte_size) == (right.num_rows, right.total_byte_size)
    assert (
        duckdb.read_parquet(str(folder / "whole")).fetchall()
        == duckdb.read_parquet(str(whole)).fetchall()
    )


@pytest.mark.parametrize(
    ("left", "right", "options", "said"),
    [
        ({"a": [1, 2]}, {"b": [1]}, {}, "different lengths"),
        ({"a": [1, 2]}, {"c": [1, 2]}, {}, "c is not a column as expected"),
        ({"a": [1, 2]}, {"a": [1, 2]}, {}, "expected each column in one of the files"),
        ({"a": [1, 2], "b": [1, 2]}, {"b": [1, 2]}, {}, "expected each column in one of the files"),
        ({"a": [1, 2]}, {"b": [1.5, 2]}, {}, "b is not a column as expected"),
        ({"a": list(range(20))}, {"b": list(range(10))}, {}, "shorter"),
        ({"a": [1, 2]}, {"b": [1, 2]}, {"write_page_index": True}, "cannot be moved"),
        ({"a": [1, 2]}, {"b": [1, 2]}, {"bloom_filter_options": {"b": True}}, "cannot be moved"),
        (
            {"a": [1, 2]},
            {"b": [1, 2]},
            {"sorting_columns": [pq.SortingColumn(0)]},
            "cannot be moved",
        ),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path, left, right, options, said):
    write(tmp_path / "left", pa.table(left))
    write(tmp_path / "right", pa.table(right), **options)
    write(
        tmp_path / "empty", pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.int64())})
    )
    with pytest.raises(ValueError, match=said):
        splice.side_by_side(
            [tmp_path / "left", tmp_path / "right"], tmp_path / "empty", tmp_path / "whole"
        )
