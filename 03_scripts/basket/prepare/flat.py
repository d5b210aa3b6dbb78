"""`basket flat`: the flat flagged data set, one wide row per order line.

Each part is the part of `merged` as it is stored, with the flags of its lines put beside it: two
thirds of the columns need not be gathered and encoded a second time (basket.splice).
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from basket.prepare.splice import side_by_side
from basket.project import dictionary
from basket.project.errors import BasketError
from basket.project.folders import folders_of_run
from basket.project.stages import Step, read_record
from basket.tables import store
from basket.tables.ids import OrdersOfLines, Positions
from basket.tables.stage import Stage

NAME = "flat_lines"
AGAIN = "run `make report`, then `basket flat` again"
FLAT = Step(
    "flat", ("merged", "analysis_products", "analysis_orders", "analysis_customers"), (NAME,)
)


def write_flat() -> int:
    """Write the table flat_lines beside the other prepared tables; return its rows."""
    rules = read_record(folders_of_run(), "04_derive_flags")["rules"]
    stage = Stage("flat", rules, FLAT)
    parts = range(stage.parts("merged"))
    places = {table: stage.folder_of(table) for table in FLAT.takes}
    with stage.writing():
        written = stage.in_order(
            write_flat_part, parts, f"{NAME}, part", places=places, folder=stage.building(NAME)
        )
        stage.finish(NAME, list(written))
    stage.publish()
    return stage.built[NAME]["rows"]


def write_flat_part(part: int, places: dict[str, Path], folder: Path) -> dict:
    """Write one part of flat_lines into `folder`; return what the sidecar says of it.

    `places` are the folders of the tables it is made of.
    """

    def read(table: str, number: int, *keys: str) -> pa.Table:
        flags = [column.name for column in dictionary.columns_of(table) if _is_flag(column)]
        return store.read_stored(places[table], number, [*keys, *flags])

    flags = flags_of_lines(
        store.read_stored(places["merged"], part, ["order_id", "product_key"]),
        read("analysis_products", 0, "product_key"),
        read("analysis_orders", part, "order_id", "user_id"),
        read("analysis_customers", part, "user_id"),
    )
    with TemporaryDirectory(dir=folder.parent, prefix="attempt-") as attempt:
        beside, empty, whole = (Path(attempt) / name for name in ("beside", "empty", "whole"))
        store.write_columns(beside, NAME, flags)
        store.write_columns(empty, NAME, dictionary.arrow_schema(NAME).empty_table())
        try:
            side_by_side([store.part_file(places["merged"], part), beside], empty, whole)
        except ValueError as error:
            raise BasketError(f"merged and its flags do not fit: {error}; {AGAIN}") from None
        whole.replace(store.part_file(folder, part))
    return store.describe_part(store.part_file(folder, part), len(flags))


def _is_flag(column: dictionary.Column) -> bool:
    return NAME in column.tables and "merged" not in column.tables


def flags_of_lines(
    lines: pa.Table, products: pa.Table, orders: pa.Table, customers: pa.Table
) -> pa.Table:
    """The flags of each order line: those of its product, of its order and of its customer.

    Raises BasketError where a line lacks one of the three: the tables are of different runs.
    """
    order = OrdersOfLines(_positions(orders, "order_id"), lines["order_id"].to_numpy())
    customer_of_order = _positions(customers, "user_id").find(orders["user_id"].to_numpy())
    customer = np.append(customer_of_order, -1)[order.row]
    product = _positions(products, "product_key").find(lines["product_key"].to_numpy())
    if any((rows < 0).any() for rows in (product, order.row, customer)):
        raise BasketError(
            "merged holds order lines whose product, order or customer the analysis tables lack: "
            f"they are of different runs; {AGAIN}"
        )
    columns = {}
    for table, keys, rows in (
        (products, ["product_key"], product),
        (orders, ["order_id", "user_id"], np.repeat(order.row, order.lengths)),
        (customers, ["user_id"], np.repeat(customer, order.lengths)),
    ):
        taken = store.gathered(table.drop_columns(keys), rows)
        columns |= {name: taken[name] for name in taken.column_names}
    return pa.table(columns)


def _positions(table: pa.Table, key: str) -> Positions:
    return Positions(table[key].to_numpy())
