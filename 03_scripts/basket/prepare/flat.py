"""`basket flat`: the flat flagged data set, one wide row per order line."""

import numpy as np
import pyarrow as pa

from basket.project import dictionary
from basket.project.errors import REPORT, BasketError
from basket.project.folders import folders_of_run
from basket.project.stages import Step, read_record
from basket.tables import store
from basket.tables.ids import IdIndex, OrdersOfLines
from basket.tables.stage import Stage

NAME = "flat_lines"
TABLES = ("merged", "analysis_products", "analysis_orders", "analysis_customers")


def write_flat() -> int:
    """Write the table flat_lines beside the other prepared tables; return its rows."""
    rules = read_record(folders_of_run(), "04_derive_flags")["rules"]
    stage = Stage("flat", rules, Step("flat", TABLES, (NAME,)))

    def flags(table: str, *keys: str) -> tuple[str, list[str]]:
        columns = dictionary.columns_of(table)
        flags = [c.name for c in columns if NAME in c.tables and "merged" not in c.tables]
        return table, [*keys, *flags]

    products, columns = flags("analysis_products", "product_key")
    stage.for_each_part(
        flat_part,
        {
            "merged": "merged",
            "orders": flags("analysis_orders", "order_id", "user_id"),
            "customers": flags("analysis_customers", "user_id"),
        },
        makes=(NAME,),
        read=store.read_stored,
        products=store.read_stored(stage.folder_of(products), 0, columns),
    )
    stage.publish()
    return stage.built[NAME]["rows"]


def flat_part(
    merged: pa.Table, orders: pa.Table, customers: pa.Table, products: pa.Table
) -> tuple[dict, dict]:
    """Put the flags of each merged line beside its columns."""
    flags = flags_of_lines(merged, products, orders, customers)
    return {NAME: store.side_by_side(merged, flags)}, {}


def flags_of_lines(
    lines: pa.Table, products: pa.Table, orders: pa.Table, customers: pa.Table
) -> pa.Table:
    """Return the flags of each order line: those of its product, its order and its customer.

    Raises BasketError where a line lacks one of the three: the tables are of different runs.
    """
    order = OrdersOfLines(_positions(orders, "order_id"), lines["order_id"].to_numpy())
    customer_of_order = _positions(customers, "user_id").locate(orders["user_id"].to_numpy())
    customer = np.append(customer_of_order, -1)[order.row]
    product = _positions(products, "product_key").locate(lines["product_key"].to_numpy())
    if any((rows < 0).any() for rows in (product, order.row, customer)):
        raise BasketError(
            "merged holds order lines whose product, order or customer the analysis tables lack: "
            f"they are of different runs; run `{REPORT}`, then `basket flat` again"
        )
    of_line = np.repeat(order.row, order.lengths)
    return store.side_by_side(
        store.gathered(products.drop_columns("product_key"), product),
        store.gathered(orders.drop_columns(["order_id", "user_id"]), of_line),
        store.gathered(customers.drop_columns("user_id"), np.repeat(customer, order.lengths)),
    )


def _positions(table: pa.Table, key: str) -> IdIndex:
    return IdIndex(table[key].to_numpy())
