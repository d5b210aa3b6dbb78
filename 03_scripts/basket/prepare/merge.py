"""Stage 03: match every order line with its order, product, department and customer.

We look rows up by index (tables/ids.py) instead of merging wide frames, and keep pyarrow columns
from file to file. The tests compare the result with plain pandas merges.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from basket.prepare import clean
from basket.project.errors import DataError
from basket.tables.audit import Audit
from basket.tables.ids import IdIndex, OrdersOfLines
from basket.tables.store import column_to_arrow, gathered, side_by_side
from basket.tables.sums import customer_of

BOTH, LEFT_ONLY = "both", "left_only"
MERGE_FLAG = pa.array([BOTH, LEFT_ONLY, "right_only"])
KEPT_BY_CUSTOMER = ("user_id", "last_order_number", "last_gap_days")  # not copied onto lines


@dataclass(frozen=True)
class Catalogue:
    """The products, ready for lines to find them: with departments, and several rows per id."""

    rows: pd.DataFrame
    columns: pa.Table
    ids: IdIndex
    first_row: np.ndarray
    rows_of_id: np.ndarray

    @staticmethod
    def of(products: pd.DataFrame, departments: pd.DataFrame) -> "Catalogue":
        """Index products (sorted by product_id) by id; an id may be on several rows."""
        rows = products.merge(departments, on="department_id", how="left", validate="many_to_one")
        columns = pa.table({name: column_to_arrow(rows[name]) for name in rows})
        ids, first, counts = np.unique(rows["product_id"], return_index=True, return_counts=True)
        # an id that is not there has the place -1, which is the last: no row
        first, counts = (np.append(each, 0).astype(np.int32) for each in (first, counts))
        return Catalogue(rows, columns, IdIndex(ids), first, counts)

    def locate(self, product_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first row of each id and how many rows it has: 0 where the id is absent."""
        place = self.ids.locate(product_ids)
        return self.first_row.take(place), self.rows_of_id.take(place)


def merge_part(
    raw_lines: pa.Table, orders: pa.Table, customers: pa.Table, catalogue: Catalogue
) -> tuple[dict, dict]:
    """Merge one part's lines with all that belongs to them: an inner join, counted.

    The merged lines are in the order of `orders`, those of one order in the order of the file.
    Returns them, and the sums: lines read, unmatched by reason, added by doubled ids, kept, orders
    without lines, the lines of each product_id with order and customer, and examples unmatched.
    """
    found = OrdersOfLines(IdIndex(orders["order_id"].to_numpy()), raw_lines["order_id"].to_numpy())
    lines = gathered(raw_lines, found.lines_by_order())
    order_ids, ids = (lines[name].to_numpy() for name in ("order_id", "product_id"))

    # of each line: the row of its order and its customer (-1: none), the first row of its product
    # and how many rows that has (0: none)
    count = np.bincount(found.row + 1, found.lengths, len(orders) + 1).astype(np.int64)
    order = np.repeat(np.arange(-1, len(orders), dtype=np.int32), count)
    customer_of_order = customer_of(orders, customers)
    customer = np.repeat(np.insert(customer_of_order, 0, -1).astype(np.int32), count)
    product, product_rows = catalogue.locate(ids)

    without_order = order < 0
    without_product = ~without_order & (product_rows == 0)
    without_customer = ~without_order & ~without_product & (customer < 0)
    repeats = np.where(customer >= 0, product_rows, 0)
    lines_of_id = pd.Series(ids[customer >= 0]).value_counts(sort=False)
    if not (repeats == 1).all():  # in sound data every line matches once
        line = np.repeat(np.arange(len(ids)), repeats)
        nth = np.arange(len(line)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        lines, order, customer = gathered(lines, line), order[line], customer[line]
        product = product[line] + nth

    merged = side_by_side(
        lines,
        gathered(orders.drop_columns(["order_id", "is_first_order"]), order),
        gathered(_copied(customers), customer),
        gathered(catalogue.columns.drop_columns("product_id"), product),
        pa.table({"merge": pa.DictionaryArray.from_arrays(np.zeros_like(order), MERGE_FLAG)}),
    )
    kept = order[np.diff(order, prepend=-1) > 0]  # each order once

    return {"merged": merged}, {
        "read": len(ids),
        "kept": len(order),
        "added": int((repeats - 1)[repeats > 1].sum()),
        "without_order": int(without_order.sum()),
        "without_product": int(without_product.sum()),
        "without_customer": int(without_customer.sum()),
        "orders": len(orders),
        "orders_without_lines": int((count[1:] == 0).sum()),
        "orders_kept": len(kept),
        "customers_kept": len(pd.unique(customer_of_order[kept])),
        "examples": [
            *_example("order_id", "raw_orders", order_ids[without_order]),
            *_example("product_id", "raw_products", ids[without_product]),
            *_example("user_id", "raw_customers", order_ids[without_customer]),
        ],
        "lines_of_id": [lines_of_id],
    }


def _copied(customers: pa.Table) -> pa.Table:
    """Pick what each merged line says of its customer."""
    return customers.select([n for n in customers.column_names if n not in KEPT_BY_CUSTOMER])


def _example(column: str, table: str, ids: np.ndarray) -> list[tuple[str, str, int, int]]:
    return [(column, table, int(ids.min()), len(ids))] if len(ids) else []


def unmatched(sums: dict) -> int:
    """Count the lines that lack their order, their product or their customer."""
    return sums["without_order"] + sums["without_product"] + sums["without_customer"]


def require_full_match(sums: dict, files: dict[str, str]) -> None:
    """Raise DataError, naming the first offender, unless every line matched once."""
    examples = sorted(sums["examples"])
    if examples:
        column, table, example, _ = examples[0]
        lines = sum(found[-1] for found in examples if found[0] == column)
        prior = " among the prior orders" * (table == "raw_orders")
        shown = f"the customer of order {example}" if column == "user_id" else example
        raise DataError(
            f"{files['raw_lines']}: column {column}: {shown} is not in {files[table]}{prior} (and "
            f"the same for {lines - 1:,} lines more), or its row there is in quarantine; expected "
            "every line to match: correct the files, or run RULES=course, which removes and counts "
            "such lines"
        )
    if sums["added"]:
        raise DataError(
            f"{files['raw_lines']}: {sums['added']:,} lines match several products; expected "
            f"each product_id once in {files['raw_products']}"
        )


def record_checks(audit: Audit, sums: dict) -> None:
    """Record how many lines lacked each of their partners, and how many were added."""
    keys = {"order": "order_id", "product": "product_id", "customer": "user_id"}
    for name, key in keys.items():
        lines = sums[f"without_{name}"]
        action = "removed and counted" if lines else "none needed"
        audit.record_check("merged", key, f"lines without their {name}", lines, action)
    added = sums["added"]
    action = "kept and counted" if added else "none needed"
    audit.record_check("merged", "product_id", "lines added by doubled ids", added, action)


def record_missing(audit: Audit, sums: dict, raw_lines: str, limit: float) -> None:
    """Record the prior orders that no line belongs to, and a file of lines that was cut off."""
    audit.record_missing(
        "raw_lines",
        "order_id",
        "prior orders without any line",
        sums["orders_without_lines"],
        sums["orders"],
        "what they held is missing: what needs whole histories is not answered",
        limit,
    )
    clean.record_spreadsheet_limit(audit, "raw_lines", raw_lines, sums["read"])


def merge_flag(sums: dict) -> pd.DataFrame:
    """Count each value of the merge flag among the lines read, with its share."""
    counts = {BOTH: sums["read"] - unmatched(sums), LEFT_ONLY: unmatched(sums)}
    table = pd.DataFrame({"lines": counts}).rename_axis("merge")
    return table.assign(share=(table["lines"] / sums["read"]).round(6))


def flow_reason(flow: dict[str, int]) -> str:
    """Say why lines left or came; empty where none did."""
    removed = "lines without an order, product or customer are removed" * bool(flow["unmatched"])
    added = "doubled ids add lines" * bool(flow["added"])
    return "; ".join(reason for reason in (removed, added) if reason)


def flow_under(products: pd.DataFrame, sums: dict) -> dict[str, int]:
    """Count what these products would do to the lines read: unmatched, added and kept."""
    lines_of_id = pd.concat(sums["lines_of_id"]).groupby(level=0).sum()
    keys = products["product_id"].value_counts().reindex(lines_of_id.index, fill_value=0)
    lost = sums["read"] - int(lines_of_id[keys > 0].sum())
    added = int((lines_of_id * (keys - 1).clip(lower=0)).sum())
    return {"unmatched": lost, "added": added, "kept": sums["read"] - lost + added}
