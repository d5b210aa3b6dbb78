"""Find rows that repeat another: a product is in an order once (D-30), and an order is there once.

They are looked for in each finished part, which has all lines of an order: 0.5 s at full size. Only
if there are some is the file read again, to say on which lines they are. Orders are looked at where
a layout says that its delivery holds repeated ones.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from basket.prepare.field import LONGEST_TEXT
from basket.prepare.raw_file import RawFile
from basket.prepare.read_csv import BadRow, find_rows
from basket.project.errors import DataError
from basket.tables import store

KEYS = {"raw_lines": ["order_id", "product_id"], "raw_orders": ["order_id"]}


def find(folder: Path, parts: int, threads: int) -> list[np.ndarray]:
    """Return, for each part of a table, the keys of the rows that repeat an earlier one."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(partial(_repeated_keys, folder), range(parts)))


def _repeated_keys(folder: Path, part: int) -> np.ndarray:
    with pq.ParquetFile(store.part_file(folder, part)) as file:
        key = KEYS[folder.name]
        keys = keys_of(file.read(columns=key, use_threads=False).select(key))
    keys.sort()
    return keys[1:][keys[1:] == keys[:-1]]


def keys_of(rows: pa.Table) -> np.ndarray:
    """Combine order and product of each line into one number; of an order, its id is enough."""
    keys = rows["order_id"].to_numpy().astype(np.int64)
    if "product_id" in rows.column_names:
        keys <<= 32
        keys |= rows["product_id"].to_numpy()
    return keys


def set_aside(
    file: RawFile, folder: Path, repeated: list[np.ndarray]
) -> tuple[list[BadRow], dict[int, dict]]:
    """Take the repeated rows out of their parts; return them, and what the new parts hold.

    The first of the equal rows stays. Raises DataError, naming both lines, if the second differs
    from the first: nobody can say which of them is true.
    """
    table = folder.name
    bad = rows_that_repeat(file, table, np.concatenate(repeated))
    rewritten = {}
    for part, keys in enumerate(repeated):
        if len(keys):
            rows = store.read_part(folder, part)
            kept = rows[~rows.duplicated(KEYS[table])]
            rewritten[part] = store.write_part(folder, table, part, kept)
    return bad, rewritten


def rows_that_repeat(file: RawFile, table: str, keys: np.ndarray) -> list[BadRow]:
    """Return the rows that repeat an earlier row with one of the keys, and which line it is."""
    first: dict[tuple[int, ...], tuple[int, dict]] = {}
    bad = []
    for line, text, values in find_rows(file, table, lambda rows: np.isin(keys_of(rows), keys)):
        key = tuple(values[name] for name in KEYS[table])
        if key not in first:
            first[key] = line, values
            continue
        before, same = first[key]
        order, *product = key
        if values != same:
            where = f"product_id {product[0]} is in order_id {order}" if product else f"{order} is"
            once = "each product once in an order" if product else "each order once"
            raise DataError(
                f"{file.name}, line {line}: {where} on line {before} already, with other values; "
                f"expected {once}: correct the file"
            )
        has = "has this product already" if product else "is there already"
        rule = f"repeats line {before}: order_id {order} {has}"
        bad.append(BadRow(file.name, line, rule, text[:LONGEST_TEXT]))
    return bad
