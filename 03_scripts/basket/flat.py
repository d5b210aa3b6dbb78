"""`basket flat`: the flat flagged data set, one wide row per order line."""

import pyarrow as pa

from basket import dictionary
from basket.graph import Step, read_record
from basket.merge import Catalogue, merge_part
from basket.project import folders_of_run
from basket.stage import Stage
from basket.tables import read_stored

FLAT = Step(
    "flat",
    (
        "raw_lines",
        "products",
        "departments",
        "analysis_products",
        "analysis_orders",
        "analysis_customers",
    ),
    ("flat_lines",),
)


def flatten_part(
    raw_lines: pa.Table, orders: pa.Table, customers: pa.Table, catalogue: Catalogue
) -> tuple[dict, dict]:
    """Merge one part's lines as stage 03 does, with flagged orders, products and customers.

    Faster than reading the merged lines again, most of whose columns come from the small tables.
    """
    made, sums = merge_part(raw_lines, orders, customers, catalogue)
    return {"flat_lines": made["merged"]}, {"lines": sums["kept"]}


def write_flat() -> int:
    """Write the table flat_lines beside the other prepared tables; return its rows."""
    rules = read_record(folders_of_run(), "04_derive_flags")["rules"]
    stage = Stage("flat", rules, FLAT)
    wanted = {column.name for column in dictionary.columns_of("flat_lines")}
    columns = {
        table: [c.name for c in dictionary.columns_of(table) if c.name in wanted | {more}]
        for table, more in (("analysis_orders", "is_first_order"), ("analysis_customers", ""))
    }
    flagged = stage.read("products").assign(
        price_range=stage.read("analysis_products", ["price_range"])["price_range"]
    )
    sums = stage.for_each_part(
        flatten_part,
        {
            "raw_lines": "raw_lines",
            "orders": ("analysis_orders", columns["analysis_orders"]),
            "customers": ("analysis_customers", columns["analysis_customers"]),
        },
        makes=("flat_lines",),
        read=read_stored,
        catalogue=Catalogue.of(flagged, stage.read("departments")),
    )
    stage.publish()
    return int(sums["lines"])
