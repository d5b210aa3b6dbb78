"""Stage 01: the raw files, typed and split by customer; names of people never pass this point."""

import math
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa

from basket.prepare import repeats
from basket.prepare.layouts import layouts
from basket.prepare.raw_file import SLICE_BYTES, RawFile
from basket.prepare.raw_files import RawData, find, has_data
from basket.prepare.read_csv import (
    BadRow,
    Reader,
    advice,
    department_rows,
    expect_rows,
    find_rows,
    numbered,
    read_departments,
    read_slices,
    read_small,
)
from basket.prepare.spelling import AS_EXPECTED
from basket.prepare.split import cut, join_part, split_slice
from basket.project import dictionary
from basket.project.errors import DataError
from basket.project.folders import ORIGINAL_DATA
from basket.tables import store
from basket.tables.ids import IdIndex, OrdersOfLines
from basket.tables.stage import Stage

PRIOR, WITHOUT_LINES = "prior", "test"  # labels of eval_set, where a layout has none
MOST_PARTS = 500
BYTES_PER_LINE = 17.8  # of the order lines' file, on average


def find_raw_files(stage: Stage) -> RawData:
    """Find the raw files of this run: what DATA names.

    A notebook run by hand takes 02_data/original_data, or what the last run generated.
    """
    generated = sorted(stage.folders.generated.glob("*"))
    by_hand = generated[0] if generated and not has_data(ORIGINAL_DATA) else ORIGINAL_DATA
    found = find(stage.inputs.data or by_hand, stage.settings.limits)
    return replace(found, invents=not stage.inputs.invent_nothing)


def files_table(raw: RawData) -> pd.DataFrame:
    """Return a row per raw file: the table it becomes and its size in bytes, unpacked."""
    files = raw.files.items()
    return pd.DataFrame([{"table": t, "file": f.name, "bytes": f.size} for t, f in files])


def import_products(stage: Stage, raw: RawData) -> pd.DataFrame:
    """Read products.csv, one row per row of the file; fabricate missing prices if asked to."""
    products = _import_small(stage, raw, "raw_products")
    if raw.fabricated and "prices" not in products:
        from basket.synthetic.catalogue import fabricate_prices

        products["prices"] = fabricate_prices(products).to_numpy("float64")
        action = "fabricated by the generator: SYNTHETIC COLUMN"
        stage.audit.record_check("raw_products", "prices", "column present", "absent", action)
    products = _with_absent(stage, "raw_products", products)
    stage.write("raw_products", products)
    return products


def _with_absent(stage: Stage, table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that were not received and are not fabricated: empty."""
    empty = {}
    for column in dictionary.columns_of(table):
        if column.name not in rows:
            empty[column.name] = pd.Series(None, rows.index, dtype=column.pandas_type)
            action = "left empty: nothing is invented"
            stage.audit.record_check(table, column.name, "column present", "absent", action)
    return rows.assign(**empty)


def import_departments(stage: Stage, raw: RawData) -> pd.DataFrame:
    """Read departments.csv, one row per department."""
    file = raw.files["raw_departments"]
    departments = store.to_pandas("raw_departments", read_departments(file))
    if left := department_rows(file)[1]:
        reason = "left by pandas or R, and no part of the data"
        stage.audit.record_wrangling("raw_departments", dropped=left, reason=reason)
    _record_names(stage, "raw_departments", file)
    stage.audit.record_flow("raw_departments", "read", len(departments), len(departments))
    stage.write("raw_departments", departments)
    return departments


def import_customers(stage: Stage, raw: RawData, user_ids: np.ndarray) -> pd.DataFrame:
    """Read customers.csv without names, one row per customer; fabricate them where there is none.

    `user_ids` are the customers who ordered: those to fabricate, or, if nothing is, to list.
    """
    if "raw_customers" in raw.files:
        customers = _import_small(stage, raw, "raw_customers")
        ids = customers["user_id"].to_numpy()
        _expect_unique(raw, "raw_customers", "user_id", IdIndex(ids), ids)
    else:
        step, action = "fabricate", "fabricated by the generator: SYNTHETIC COLUMNS"
        if raw.fabricated:
            customers = _fabricated_customers(user_ids)
        else:
            step, action = "list who ordered", "those who ordered are listed, without attributes"
            customers = pd.DataFrame({"user_id": user_ids})
        made, reason = len(customers), "no customers were received"
        stage.audit.record_flow("raw_customers", step, 0, made, added=made, reason=reason)
        stage.audit.record_check("raw_customers", "all", "table present", "absent", action)
    customers = _with_absent(stage, "raw_customers", customers)
    parts = part_count(stage, raw)
    part = store.part_of_customer(customers["user_id"].to_numpy(), parts)
    folder = stage.building("raw_customers")
    written = [
        store.write_part(folder, "raw_customers", number, customers[part == number])
        for number in range(parts)
    ]
    stage.finish("raw_customers", written)
    return customers


def _fabricated_customers(user_ids: np.ndarray) -> pd.DataFrame:
    from basket.synthetic.people import fabricate_customers

    names = layouts()["course"].tables["raw_customers"].columns
    made = fabricate_customers(user_ids).rename(columns=names)
    types = {column.name: column.pandas_type for column in dictionary.columns_of("raw_customers")}
    joined = pd.to_datetime(made["date_joined"], format="%m/%d/%Y")
    return made.assign(date_joined=joined)[list(types)].astype(types)


def part_count(stage: Stage, raw: RawData) -> int:
    """Say in how many parts this delivery's tables are split, of about `lines_per_part` lines.

    Raises DataError where that are too many: each is a file, and all are open at once.
    """
    lines, each = raw.files["raw_lines"].size / BYTES_PER_LINE, stage.settings.limits.lines_per_part
    parts = max(1, round(lines / each))
    if parts > MOST_PARTS:
        least = math.ceil(lines / MOST_PARTS)
        raise DataError(
            f"lines_per_part in settings.yml: {each:,} makes {parts:,} parts of the order lines; "
            f"expected {MOST_PARTS} at most: set it to {least:,} or more"
        )
    return parts


def import_orders(stage: Stage, raw: RawData) -> tuple[IdIndex, np.ndarray, np.ndarray]:
    """Read orders.csv, one row per order, split by customer.

    Returns an index of the orders' ids, the part in which each order lies and, last, the one for
    lines without an order, and the customers' ids.
    """
    parts = part_count(stage, raw)
    ids, places, users = [], [], []
    numbers = np.arange(parts, dtype=np.min_scalar_type(parts))  # small: one of them for each order

    def part_of(rows: pa.Table) -> np.ndarray:
        return store.part_of_customer(rows["user_id"].to_numpy(), parts)

    columns = ["order_id", "user_id"]
    for rows, starts in _import_split(stage, raw, "raw_orders", part_of, columns):
        ids.append(rows["order_id"].to_numpy())
        places.append(np.repeat(numbers, np.diff(starts)))
        users.append(pd.unique(rows["user_id"].to_numpy()))  # np.unique takes ten times as long
    if raw.received["raw_orders"].repeats:
        kept = stage.built["raw_orders"]["rows"]
        ids, places = _each_once(ids, places, kept)
    orders = IdIndex(*ids)
    _expect_unique(raw, "raw_orders", "order_id", orders, *ids)
    ids.clear()
    places.append(numbers[:1])
    return orders, np.concatenate(places), np.sort(pd.unique(np.concatenate(users)))


def _each_once(ids: list, places: list, rows: int) -> tuple[list, list]:
    """Return ids and places of orders without those set aside; all, if that leaves not `rows`."""
    every, first = np.unique(np.concatenate(ids), return_index=True)
    if len(every) != rows:  # an id is on different orders: the caller will say so
        return ids, places
    return [every], [np.concatenate(places)[first]]


def import_lines(stage: Stage, raw: RawData, orders: IdIndex, part_of_order: np.ndarray) -> int:
    """Read the order lines, one row per product in an order, split like the orders they belong to.

    A line whose order is not in orders.csv goes to the first part; stage 03 finds it unmatched. A
    line that repeats another of its order goes to quarantine (D-30). Returns the lines kept.
    """

    def part_of(rows: pa.Table) -> np.ndarray:
        return OrdersOfLines(orders, rows["order_id"].to_numpy()).of_line(part_of_order)

    for _ in _import_split(stage, raw, "raw_lines", part_of, columns=[]):
        pass
    if raw.received["raw_orders"].from_lines:
        _label_orders_without_lines(stage, part_count(stage, raw))
    return stage.built["raw_lines"]["rows"]


def _with_label(rows: pa.Table, table: str, name: str, label: str) -> pa.Table:
    """Add a column of one label, in the dictionary's order of columns."""
    labels = pa.DictionaryArray.from_arrays(np.zeros(len(rows), np.int32), pa.array([label]))
    names = [column.name for column in dictionary.columns_of(table)]
    return rows.append_column(name, labels).select(names)


def _label_orders_without_lines(stage: Stage, parts: int) -> None:
    """Call the orders without lines test orders, where the file does not say which are prior."""
    orders_in, lines_in = stage.building("raw_orders"), stage.building("raw_lines")
    described, found = [], 0
    for part in range(parts):
        orders = store.read_part(orders_in, part)
        lines = store.read_part(lines_in, part, ["order_id"])["order_id"].unique()
        without = ~orders["order_id"].isin(lines)
        labels = np.where(without, WITHOUT_LINES, PRIOR)
        labelled = orders.assign(eval_set=pd.Categorical(labels, [PRIOR, WITHOUT_LINES]))
        described.append(store.write_part(orders_in, "raw_orders", part, labelled))
        found += int(without.sum())
    stage.finish("raw_orders", described)
    changed = f"eval_set: absent → {PRIOR} with lines, {WITHOUT_LINES} without ({found:,} orders)"
    reason = "the file does not say which orders have lines"
    stage.audit.record_wrangling("raw_orders", type_changed=changed, reason=reason)


def _import_small(stage: Stage, raw: RawData, table: str) -> pd.DataFrame:
    file = raw.files[table]
    rows, bad = read_small(file, table)
    _record_names(stage, table, file)
    _record_read(stage, table, rows.num_rows, bad)
    return store.to_pandas(table, rows)


def _import_split(
    stage: Stage, raw: RawData, table: str, part_of: Callable, columns: list[str]
) -> Generator[tuple[pa.Table, np.ndarray]]:
    """Read a large file and write each row to its customer's part; rows keep the file's order.

    Yields some columns of each slice's rows, sorted by part, and where each part starts among them.
    """
    file = raw.files[table]
    parts = part_count(stage, raw)
    absent = raw.received[table].from_lines

    def sort_by_part(rows: pa.Table) -> tuple[pa.Table, np.ndarray]:
        if absent:
            rows = _with_label(rows, table, absent, PRIOR)
        if parts == 1:
            return rows, np.array([0, rows.num_rows])
        part = part_of(rows).astype(np.int16)
        order = np.argsort(part, kind="stable")
        starts = np.append(0, np.cumsum(np.bincount(part, minlength=parts)))
        return store.gathered(rows, order), starts

    bad: list[BadRow] = []
    is_plain = not file.members and file.spelling == AS_EXPECTED
    split = _split_on_cluster if stage.scheduler and is_plain else _split_here
    with stage.writing():
        described = yield from split(stage, file, table, parts, sort_by_part, columns, bad)
    expect_rows(file, _rows_of(described) + len(bad))
    if table == "raw_lines" or raw.received[table].repeats:
        with stage.writing():
            described = _without_repeats(stage, table, file, described, bad)
    _record_names(stage, table, file)
    _record_read(stage, table, _rows_of(described), bad)
    stage.finish(table, described)


def _rows_of(described: list[dict]) -> int:
    return sum(part["rows"] for part in described)


def _split_here(
    stage: Stage, file: RawFile, table: str, parts: int, sort: Callable, columns: list, bad: list
) -> Generator:
    """Split on this machine: one thread writes the parts while others read ahead."""
    slices = -(-file.size // SLICE_BYTES)
    with store.PartWriters(stage.building(table), table, parts) as writers:
        limits = stage.settings.limits
        read = read_slices(file, table, sort, limits.threads, limits.max_quarantined_share)
        for number, ((rows, starts), found) in enumerate(read, start=1):
            bad += found
            writers.add(rows, starts)
            stage.note_progress(f"{file.name}, slice", number, slices)
            yield rows.select(columns), starts
    return writers.described


def _split_on_cluster(
    stage: Stage, file: RawFile, table: str, parts: int, sort: Callable, columns: list, bad: list
) -> Generator:
    """Split on a cluster: workers read slices, then put the parts together."""
    folder = stage.building(table)
    allowed = stage.settings.limits.max_quarantined_share
    reader = Reader(file, table, tuple(file.header()), allowed)
    places = cut(file)
    with TemporaryDirectory(dir=folder.parent, prefix="slices-") as slices:
        constants = {"reader": reader, "sort_by_part": sort, "columns": columns}
        doing = f"{file.name}, slice"
        split = stage.in_order(split_slice, places, doing, folder=Path(slices), **constants)
        for result, found in numbered(split, reader):
            bad += found
            yield result
        constants = {"table": table, "parts": parts, "places": places, "slices": Path(slices)}
        doing = f"{table}, part"
        return list(stage.in_order(join_part, range(parts), doing, folder=folder, **constants))


def _without_repeats(
    stage: Stage, table: str, file: RawFile, described: list[dict], bad: list[BadRow]
) -> list[dict]:
    """Take rows that repeat another out of the parts, into `bad`; describe the parts."""
    folder, limits = stage.building(table), stage.settings.limits
    repeated = repeats.find(folder, len(described), limits.threads)
    found = sum(map(len, repeated))
    what = "lines that repeat another of their order"
    what = what if table == "raw_lines" else "orders that repeat another"
    key = ", ".join(repeats.KEYS[table])
    stage.audit.record_check(table, key, what, found, _quarantined(found))
    if not found:
        return described
    all_bad, read = found + len(bad), _rows_of(described) + len(bad)
    if all_bad > limits.max_quarantined_share * read:
        one = min(int(keys.min()) for keys in repeated if len(keys))
        first = repeats.rows_that_repeat(file, table, np.array([one]))[0]
        raise too_many(first, all_bad, read, limits.max_quarantined_share)
    lines, rewritten = repeats.set_aside(file, folder, repeated)
    bad[:] = sorted([*bad, *lines], key=lambda row: row.line)
    return [rewritten.get(part, before) for part, before in enumerate(described)]


def _quarantined(rows: int) -> str:
    return "quarantined" if rows else "none needed"


def too_many(first: BadRow, bad: int, read: int, allowed: float) -> DataError:
    """Return the error of a file of which more than the allowed share of rows is bad."""
    return DataError(
        f"{first.file}, line {first.line}: {first.rule}; {bad:,} of {read:,} rows are bad, more "
        f"than max_quarantined_share ({allowed:g}): {advice(first.rule, bad, read)}"
    )


def _record_read(stage: Stage, table: str, rows: int, bad: list[BadRow]) -> None:
    """Record how many rows were read and kept; put the bad ones aside, or stop if they are many."""
    read = rows + len(bad)
    allowed = stage.settings.limits.max_quarantined_share
    if len(bad) > allowed * read:
        raise too_many(bad[0], len(bad), read, allowed)
    if not rows:
        raise DataError(
            f"{bad[0].file}, line {bad[0].line}: {bad[0].rule}; no row of the file can be used"
        )
    reason = "rows that cannot be read are kept in quarantine" if bad else ""
    stage.audit.record_flow(table, "read", read, rows, quarantined=len(bad), reason=reason)
    action = _quarantined(len(bad))
    stage.audit.record_check(table, "all", "rows that cannot be read", len(bad), action)
    if bad:
        stage.quarantine(table, pd.DataFrame(bad))


def _record_names(stage: Stage, table: str, file: RawFile) -> None:
    """Record which columns of a file are stored under another name, or not at all."""
    if file.people:
        reason = "names of people are not needed and not kept (D-14)"
        stage.audit.record_wrangling(table, dropped=", ".join(file.people), reason=reason)
    if file.renamed:
        renamed = ", ".join(f"{old} → {new}" for old, new in file.renamed.items())
        reason = "one style of names, which say what a column holds"
        stage.audit.record_wrangling(table, renamed=renamed, reason=reason)
    for step in file.spelling.steps():
        stage.audit.record_wrangling(table, **step)


def _expect_unique(
    raw: RawData, table: str, column: str, index: IdIndex, *pieces: np.ndarray
) -> None:
    """Raise DataError, naming the lines, when an id that must be a key is on several rows.

    `index` is that of the ids, given in the same pieces: of an id on several rows it knows one.
    """
    ends = np.cumsum([len(ids) for ids in pieces])
    lost = [
        ids[index.locate(ids) != np.arange(end - len(ids), end)]
        for ids, end in zip(pieces, ends, strict=True)
    ]
    doubled = np.unique(np.concatenate(lost))
    if len(doubled):
        file = raw.files[table]
        rows = find_rows(file, table, lambda rows: rows[column].to_numpy() == doubled[0])
        (first, *_), (second, *_) = next(rows), next(rows)
        shown = "this customer" if column == "user_id" else doubled[0]
        raise DataError(
            f"{file.name}, line {second}: column {column}: {shown} is on line {first} already, "
            f"and {len(doubled) - 1:,} other ids are on several rows, too; expected "
            "each once: correct the file"
        )


def overview(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row per column: type, missing values, distinct values, smallest and largest."""
    numbers = frame.select_dtypes(["number", "datetime"])
    said = {
        "type": frame.dtypes.astype("str"),
        "missing": frame.isna().sum(),
        "distinct": frame.nunique(),
        "smallest": numbers.min().map(str),
        "largest": numbers.max().map(str),
    }
    return pd.DataFrame(said).fillna("").loc[frame.columns]
