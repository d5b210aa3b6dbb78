"""Find order lines that repeat another: a product is in an order once (D-30).

They are looked for in each finished part, which has all lines of an order: 0.5 s at full size. Only
if there are some is the file read again, to say on which lines they are.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from basket.prepare.field import LONGEST_TEXT
from basket.prepare.raw_files import RawFile
from basket.prepare.read_csv import BadRow, find_rows
from basket.project.errors import DataError
from basket.tables import store

TABLE = "raw_lines"
KEY = ["order_id", "product_id"]


def find(folder: Path, parts: int, threads: int) -> list[np.ndarray]:
    """Return, for each part, the keys of the lines that repeat an earlier one."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(partial(_repeated_keys, folder), range(parts)))


def _repeated_keys(folder: Path, part: int) -> np.ndarray:
    with pq.ParquetFile(store.part_file(folder, part)) as file:
        keys = keys_of(file.read(columns=KEY, use_threads=False))
    keys.sort()
    return keys[1:][keys[1:] == keys[:-1]]


def keys_of(lines: pa.Table) -> np.ndarray:
    """Combine order and product of each line into one number."""
    keys = lines["order_id"].to_numpy().astype(np.int64)
    keys <<= 32
    keys |= lines["product_id"].to_numpy()
    return keys


def set_aside(
    file: RawFile, folder: Path, repeated: list[np.ndarray]
) -> tuple[list[BadRow], dict[int, dict]]:
    """Take the repeated lines out of their parts; return them, and what the new parts hold.

    The first of the equal lines stays. Raises DataError, naming both lines, if the second differs
    from the first: nobody can say which of them is true.
    """
    bad = rows_that_repeat(file, np.concatenate(repeated))
    rewritten = {}
    for part, keys in enumerate(repeated):
        if len(keys):
            lines = store.read_part(folder, part)
            rewritten[part] = store.write_part(folder, TABLE, part, lines[~lines.duplicated(KEY)])
    return bad, rewritten


def rows_that_repeat(file: RawFile, keys: np.ndarray) -> list[BadRow]:
    """Return the rows that repeat an earlier row with one of the keys, and which line it is."""
    first: dict[tuple[int, int], tuple[int, dict]] = {}
    bad = []
    for line, text, values in find_rows(file, TABLE, lambda rows: np.isin(keys_of(rows), keys)):
        order, product = values["order_id"], values["product_id"]
        if (order, product) not in first:
            first[order, product] = line, values
            continue
        before, same = first[order, product]
        if values != same:
            raise DataError(
                f"{file.name}, line {line}: product_id {product} is in order_id {order} on "
                f"line {before} already, with other values; expected each product once in an "
                "order: correct the file"
            )
        rule = f"repeats line {before}: order_id {order} has this product already"
        bad.append(BadRow(file.name, line, rule, text[:LONGEST_TEXT]))
    return bad
