"""`basket flat`: the flat flagged data set, one wide row per order line."""

import numpy as np
import pandas as pd

from basket import dictionary
from basket.graph import Step, read_record
from basket.lookup import Positions
from basket.project import folders_of_run
from basket.stage import Stage

FLAT = Step(
    "flat",
    ("merged", "analysis_products", "analysis_orders", "analysis_customers"),
    ("flat_lines",),
)


def flatten_part(
    merged: pd.DataFrame,
    orders: pd.DataFrame,
    customers: pd.DataFrame,
    range_of_product: pd.Categorical,
) -> tuple[dict, dict]:
    """Give each merged line of one part the flags of its product, order and customer."""
    order = Positions(orders["order_id"].to_numpy()).find(merged["order_id"].to_numpy())
    customer = Positions(customers["user_id"].to_numpy()).find(merged["user_id"].to_numpy())
    wanted = {column.name for column in dictionary.columns_of("flat_lines")}
    added = {"price_range": range_of_product.take(merged["product_key"].to_numpy())}
    for frame, place in ((orders, order), (customers, customer)):
        for name in frame.columns:
            if name in wanted and name not in merged and name not in added:
                added[name] = frame[name].array.take(place)
    return {"flat_lines": merged.assign(**added)}, {"lines": np.int64(len(merged))}


def write_flat() -> int:
    """Write the table flat_lines beside the other prepared tables; return its rows."""
    rules = read_record(folders_of_run(), "04_derive_flags")["rules"]
    stage = Stage("flat", rules, FLAT)
    ranges = stage.read("analysis_products", ["price_range"])["price_range"].array
    sums = stage.for_each_part(
        flatten_part,
        {"merged": "merged", "orders": "analysis_orders", "customers": "analysis_customers"},
        makes=("flat_lines",),
        range_of_product=ranges,
    )
    stage.publish()
    return int(sums["lines"])
