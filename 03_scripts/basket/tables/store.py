"""Tables on disk: a folder of parquet parts, published whole or not at all.

Orders, lines and customers are split by customer (`user_id` modulo the number of parts, D-12), so
that whatever is computed per customer or per order stays within one part.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from basket.project import dictionary
from basket.project.errors import REPORT, BasketError
from basket.project.files import SIDECAR

ROWS_PER_GROUP = 250_000  # of a table that is written while it is read
ROWS_WAITING = 5_000_000  # of all parts that are written side by side
OF_CUSTOMERS = ("user_id", "age", "date_joined", "n_dependants", "income", "max_order")
REPEATING = ("order_id", *OF_CUSTOMERS, "median_days_between_orders")  # from line to line
pa.set_memory_pool(pa.system_memory_pool())  # the heap that numpy's arrays come from (D-35)


def release_memory() -> None:
    """Give the system what is free: malloc keeps it for what comes next (D-35)."""
    pa.default_memory_pool().release_unused()


def part_of_customer(user_ids, parts: int):
    """Return the number of the part with a customer's rows; the same in every table of a run."""
    return user_ids % parts


def part_file(folder: Path, part: int) -> Path:
    """Return the file of one part."""
    return folder / f"part-{part:03d}.parquet"


def to_arrow(table: str, frame: pd.DataFrame) -> pa.Table:
    """Turn a frame into the table's stored types; raise when it breaks the dictionary."""
    schema, frame = dictionary.arrow_schema(table), dictionary.validate(table, frame)
    columns = [column_to_arrow(frame[name]) for name in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def column_to_arrow(values: pd.Series) -> pa.Array:
    """Turn a column of a frame into the type in which it is stored."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return _labels(values.array)
    return pa.Array.from_pandas(values, type=pa.date32() if values.dtype.kind == "M" else None)


def _labels(values: pd.Categorical) -> pa.DictionaryArray:
    missing = values.codes < 0
    codes = pa.array(values.codes.astype(np.int32), mask=missing if missing.any() else None)
    labels = pa.array(values.categories, pa.string())
    return pa.DictionaryArray.from_arrays(codes, labels, safe=False)


def to_pandas(table: str, stored: pa.Table) -> pd.DataFrame:
    """Turn stored columns into the types that the dictionary promises."""
    types = {column.name: column.pandas_type for column in dictionary.columns_of(table)}
    series = {}
    for name, values in zip(stored.column_names, stored.unify_dictionaries().columns, strict=True):
        kind = types.get(name, "")
        if kind.startswith("I"):  # integers that may be missing
            series[name] = pd.Series(pd.array([], dtype=kind).dtype.__from_arrow__(values))
        elif kind.startswith("datetime"):
            series[name] = values.cast(pa.timestamp("s")).to_pandas()
        else:
            series[name] = values.to_pandas()
    return pd.DataFrame(series, copy=False)


def gathered(rows: pa.Table, places: np.ndarray) -> pa.Table:
    """Return the rows at `places`, all of which must exist: to check would take twice the time."""
    rows = rows.combine_chunks()  # from one piece it takes half the time
    at = pa.array(places.astype(np.int32, copy=False))
    return pa.table({n: pc.take(rows[n], at, boundscheck=False) for n in rows.column_names})


def side_by_side(*tables: pa.Table) -> pa.Table:
    """Put the columns of tables of the same rows beside each other."""
    return pa.table({name: table[name] for table in tables for name in table.column_names})


def write_part(folder: Path, table: str, part: int, rows: pd.DataFrame | pa.Table) -> dict:
    """Check one part against the dictionary and write it; return its rows, bytes and hash."""
    is_stored = isinstance(rows, pa.Table)
    stored = conforming(table, rows) if is_stored else to_arrow(table, rows)
    path = part_file(folder, part)
    with _writer(path, table) as writer:
        writer.write_table(stored, row_group_size=max(1, len(stored)))
    return describe_part(path, len(stored))


def conforming(table: str, rows: pa.Table) -> pa.Table:
    """Return columns in the dictionary's order and types; raise when they break the dictionary.

    The same rules as those of `dictionary.validate`, without turning every column into pandas.
    """
    columns = dictionary.columns_of(table)
    names = [column.name for column in columns]

    def keeps(column: dictionary.Column) -> bool:
        values = rows[column.name]
        if values.type != column.arrow_type or (column.required and values.null_count):
            return False
        if not column.is_checked_in(table):
            return True
        frame = to_pandas(table, rows.select([column.name]))
        return dictionary.keeps(column, frame[column.name], table)

    if sorted(rows.column_names) != sorted(names) or not all(map(keeps, columns)):
        dictionary.validate(table, to_pandas(table, rows))
    return rows.select(names).cast(dictionary.arrow_schema(table))


def _writer(path: Path, table: str) -> pq.ParquetWriter:
    """Open a part for writing: labels as dictionaries, numbers as split bytes, all under LZ4.

    Split bytes (BYTE_STREAM_SPLIT) cost a number 4 ns where a dictionary costs 10, and take no more
    room; every reader of parquet 2.11 knows them (D-33). Values that repeat from line to line are
    smaller and faster unencoded: LZ4 finds the repetition.
    """
    columns = dictionary.columns_of(table)
    numbers = [c.name for c in columns if c.type not in ("category", "bool")]
    encoding = {n: "PLAIN" if n in REPEATING else "BYTE_STREAM_SPLIT" for n in numbers}
    return pq.ParquetWriter(
        path,
        dictionary.arrow_schema(table),
        compression="lz4",
        write_statistics=False,
        use_dictionary=[c.name for c in columns if c.type == "category"],
        column_encoding=encoding,
    )


class PartWriters:
    """Write a table's parts side by side, each in row groups of ROWS_PER_GROUP.

    With so many parts that this much of each cannot wait in memory, the row groups are smaller.
    """

    def __init__(self, folder: Path, table: str, parts: int, of_parts: int | None = None):
        """Open one file per part in an empty folder.

        `of_parts` is the number of parts of the table where others write the rest of them.
        """
        self._folder = folder
        self._table = table
        self._enough = min(ROWS_PER_GROUP, ROWS_WAITING // (of_parts or parts))
        self._writers = [_writer(part_file(folder, part), table) for part in range(parts)]
        self._waiting: list[list[pa.Table]] = [[] for _ in range(parts)]
        self._rows = [0] * parts

    def __enter__(self) -> "PartWriters":
        """Return the writers."""
        return self

    def __exit__(self, *error) -> None:
        """Write what is waiting and close every file."""
        for part, writer in enumerate(self._writers):
            self._flush(part)
            writer.close()

    @property
    def rows(self) -> int:
        """Rows added so far."""
        return sum(self._rows)

    @property
    def described(self) -> list[dict]:
        """What the sidecar says of each part, once all are closed."""
        files = [part_file(self._folder, part) for part in range(len(self._rows))]
        return list(map(describe_part, files, self._rows))

    def add(self, rows: pa.Table, starts) -> None:
        """Add rows that are valid and sorted by part; part k is rows[starts[k] : starts[k + 1]]."""
        for part, waiting in enumerate(self._waiting):
            count = int(starts[part + 1] - starts[part])
            if count:
                waiting.append(rows.slice(int(starts[part]), count))
                self._rows[part] += count
                if sum(piece.num_rows for piece in waiting) >= self._enough:
                    self._flush(part)

    def _flush(self, part: int) -> None:
        if not self._waiting[part]:
            return
        rows = pa.concat_tables(self._waiting[part]).unify_dictionaries()
        self._waiting[part].clear()
        rows = rows.cast(dictionary.arrow_schema(self._table))
        self._writers[part].write_table(rows, row_group_size=ROWS_PER_GROUP)


def describe_part(path: Path, rows: int) -> dict:
    """Return what a table's sidecar says of one part."""
    with path.open("r+b") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        os.fsync(file.fileno())
        digest = hashlib.sha256(content).hexdigest()
    return {"file": path.name, "rows": rows, "bytes": path.stat().st_size, "sha256": digest}


def write_sidecar(folder: Path, table: str, parts: Iterable[dict], rules: str) -> dict:
    """Write what the table holds beside its parts: rows, columns, hash, and under which RULES."""
    parts = list(parts)
    joined = "".join(part["sha256"] for part in parts)
    content = {
        "table": table,
        "rules": rules,
        "rows": sum(part["rows"] for part in parts),
        "columns": [column.name for column in dictionary.columns_of(table)],
        "sha256": hashlib.sha256(joined.encode()).hexdigest(),
        "parts": parts,
    }
    text = json.dumps(content, indent=1) + "\n"
    (folder / SIDECAR).write_text(text, encoding="utf-8", newline="\n")
    return content


def read_sidecar(folder: Path) -> dict:
    """Read what a published table says of itself; raise a BasketError when it is not there."""
    try:
        return json.loads((folder / SIDECAR).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BasketError(
            f"the table {folder.name} has not been built yet; run `{REPORT}` first"
        ) from None


def read_part(folder: Path, part: int, columns: list[str] | None = None) -> pd.DataFrame:
    """Read one part of a table."""
    return to_pandas(folder.name, read_stored(folder, part, columns))


def read_stored(folder: Path, part: int, columns: list[str] | None = None) -> pa.Table:
    """Read one part of a table as it is stored."""
    stored = pq.read_table(part_file(folder, part), columns=columns, use_threads=False)
    return stored.unify_dictionaries()


def read_table(folder: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a whole table, its parts one after the other."""
    files = [part_file(folder, part) for part in range(len(read_sidecar(folder)["parts"]))]
    stored = pa.concat_tables(pq.read_table(file, columns=columns) for file in files)
    return to_pandas(folder.name, stored)
