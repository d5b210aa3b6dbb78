"""Order lines that stand twice: a product is in an order once (D-30).

Looked for in each finished part, where all lines of an order lie together: 0.5 s at full size.
Only when there are some is the file read again, line by line, to say where they stand.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from basket import tables
from basket.errors import DataError
from basket.raw import RawFile
from basket.read_csv import BadRow, Reader, Row, usable_rows

TABLE = "raw_lines"
KEY = ["order_id", "product_id"]


def find(folder: Path, parts: int, threads: int) -> list[np.ndarray]:
    """For each part of the order lines, the keys of the lines that repeat an earlier one."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(partial(_repeated_keys, folder), range(parts)))


def _repeated_keys(folder: Path, part: int) -> np.ndarray:
    with pq.ParquetFile(tables.part_file(folder, part)) as file:
        stored = file.read(columns=KEY, use_threads=False)
    keys = stored["order_id"].to_numpy().astype(np.int64)
    keys <<= 32
    keys |= stored["product_id"].to_numpy()
    keys.sort()
    return keys[1:][keys[1:] == keys[:-1]]


def set_aside(
    file: RawFile, folder: Path, repeated: list[np.ndarray]
) -> tuple[list[BadRow], dict[int, dict]]:
    """Take the repeated lines out of their parts; return them, and what the new parts hold.

    The first of the equal lines stays. Raises DataError, naming both lines, where the second says
    something else than the first: nobody can tell which of them is true.
    """
    bad = rows_that_repeat(file, set(np.concatenate(repeated).tolist()))
    rewritten = {}
    for part, keys in enumerate(repeated):
        if len(keys):
            lines = tables.read_part(folder, part)
            rewritten[part] = tables.write_part(folder, TABLE, part, lines[~lines.duplicated(KEY)])
    return bad, rewritten


def rows_that_repeat(file: RawFile, keys: set[int]) -> list[BadRow]:
    """The rows that repeat an earlier row of one of the keys, with the line that they repeat."""
    reader = Reader(file, TABLE, tuple(file.header()))
    order, product = (reader.header.index(name) for name in KEY)
    first: dict[int, tuple[int, list[int]]] = {}
    bad = []
    for line, fields in usable_rows(file, TABLE):
        values = [int(value) for value in fields]
        key = values[order] << 32 | values[product]
        if key not in keys:
            continue
        if key not in first:
            first[key] = line, values
            continue
        before, same = first[key]
        place = f"{file.name}, line {line}: product_id {values[product]}"
        if values != same:
            raise DataError(
                f"{place} stands in order_id {values[order]} on line {before} already, with other "
                "values; expected each product once in an order: correct the file"
            )
        rule = f"repeats line {before}: order_id {values[order]} has this product already"
        bad.append(BadRow(file.name, line, rule, reader.shown(Row(line, ",".join(fields), [], ""))))
    return bad
