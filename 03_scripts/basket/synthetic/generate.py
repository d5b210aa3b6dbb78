"""Generate the embedded default data set: the course's five raw files, planted faults included.

Every figure that the customers follow comes from `real_distributions.json` (aggregated counts of
"The Instacart Online Grocery Shopping Dataset 2017" and of the course's additions to it). The same
scale, seed and effects give the same bytes, whatever the number of threads.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from basket.project.errors import DataError
from basket.project.threads import in_order
from basket.synthetic.by_id import CUSTOMERS_IN_BLOCK, position
from basket.synthetic.catalogue import all_products, write_departments, write_products
from basket.synthetic.people import attributes, fabricate_customers, states
from basket.synthetic.shopping import NO_GAP, Shoppers, Shopping, real, shop

MARKER = "SYNTHETIC_DATA.json"
FILES = tuple(f"{n}.csv" for n in ("products", "departments", "customers", "orders"))
FILES += ("orders_products_prior.csv",)
CUSTOMERS_IN_CHUNK = 2_048  # are generated together, with a random stream of their own
ORDERS_IN_SLICE = 50_000  # orders whose lines are written together
ROWS_IN_SLICE = 400_000  # of orders.csv and customers.csv
LARGEST_SCALE = 500  # 1.7 billion orders; an id has 32 bits
EVAL_SETS = ("prior", "train", "test")


@dataclass(frozen=True)
class Effects:
    """Which links between who customers are and what they do are built into the data.

    The truth that each plants, everything else being equal:

    - `income`: customers with incomes up to 60,000 buy more snacks, less meat and cheaper
      products, the more so the lower the income (by income group: see the distributions file).
    - `region_spend`: (US Census region, factor of 1 or more). Each order of that region's customers
      has `factor` times the lines, in expectation (at most 145), so mean order value there is
      `factor` times that elsewhere.
    - `loyal_produce`: customers with more than 40 prior orders have this times the share of produce
      lines that they would have.
    - `night_owls`: this share of customers aged 18-39 without dependants place all their orders
      from 20:00 to 23:59, spread over these hours as everybody's late orders are.
    """

    income: bool = True
    region_spend: tuple[str, float] | None = None
    loyal_produce: float | None = None
    night_owls: float | None = None


REAL = Effects()
NONE = Effects(income=False)
NAMED_EFFECTS = {"real": REAL, "none": NONE}
OWL_OLDEST = 39  # years


def generate(
    folder: Path,
    scale: float = 0.05,
    seed: int = 2017,
    effects: Effects | str = "real",
    threads: int = 2,
) -> None:
    """Write the five raw files into `folder`; `SYNTHETIC_DATA.json` tells of them last.

    `scale` 1 is 206,209 customers, 3.42 million orders and 32.4 million prior lines; the catalogue
    of products is whole at every scale. `effects` is "real", "none" or an `Effects`. Raises
    DataError where the folder has such files that were not generated, or no customer results.
    """
    effects = NAMED_EFFECTS[effects] if isinstance(effects, str) else effects
    customers = customers_at(scale)
    _require_own(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text('{"synthetic": true}\n', encoding="utf-8", newline="\n")
    rows = {
        "products": write_products(folder / "products.csv"),
        "departments": write_departments(folder / "departments.csv"),
    }
    with ThreadPoolExecutor(threads) as pool:
        parallel = partial(in_order, pool, 2 * threads)
        rows["customers"] = _write_customers(folder / "customers.csv", customers, parallel)
        rows |= _write_shopping(folder, customers, seed, effects, parallel)
    name = next((name for name, known in NAMED_EFFECTS.items() if known == effects), None)
    facts = {"synthetic": True, "scale": scale, "seed": seed}
    facts |= {"effects": name or asdict(effects), "rows": rows}
    (folder / MARKER).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8", newline="\n")


def customers_at(scale: float) -> int:
    """Return the number of customers; raise DataError where a scale gives none, or too many."""
    customers = round(CUSTOMERS_IN_BLOCK * scale) if 0 < scale <= LARGEST_SCALE else 0
    if customers < 1:
        least = 1 / CUSTOMERS_IN_BLOCK
        raise DataError(f"scale {scale:g}: expected a number from {least:.2g} to {LARGEST_SCALE}")
    return customers


def _require_own(folder: Path) -> None:
    """Raise DataError where a file that would be overwritten is not of the generator's making."""
    for name in FILES:
        if os.path.lexists(folder / name) and not (folder / MARKER).is_file():
            raise DataError(
                f"{folder / name}: is there and was not generated; it stays as it is: name another "
                "folder"
            )


# Customers, orders and lines

Parallel = Callable[[Callable, Iterable], Iterator]


def _csv_bytes(columns: dict) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
    pa_csv.write_csv(pa.table(columns), sink, options)
    return sink.getvalue()


def _ranges(rows: int, step: int) -> Iterator[slice]:
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))


def _write_customers(path: Path, customers: int, parallel: Parallel) -> int:
    """Write customers.csv sorted by date_joined; within a day the order is arbitrary."""
    user_ids = np.arange(1, customers + 1)
    user_ids = user_ids[np.argsort(position(user_ids, "date joined"), kind="stable")]

    def rows(part: slice) -> pa.Buffer:
        people = fabricate_customers(user_ids[part])
        return _csv_bytes({name: pa.Array.from_pandas(people[name]) for name in people})

    with path.open("wb") as file:
        file.write((",".join(fabricate_customers(user_ids[:1])) + "\n").encode())
        for text in parallel(rows, _ranges(customers, ROWS_IN_SLICE // 8)):
            file.write(text)
    return customers


def _write_shopping(
    folder: Path, customers: int, seed: int, effects: Effects, parallel: Parallel
) -> dict[str, int]:
    """Write orders.csv and orders_products_prior.csv, one block of customers after the other."""
    order_rows = line_rows = 0
    with (
        (folder / "orders.csv").open("wb") as orders_file,
        (folder / "orders_products_prior.csv").open("wb") as lines_file,
    ):
        orders_file.write(
            b"order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,"
            b"days_since_prior_order\n"
        )
        lines_file.write(b"order_id,product_id,add_to_cart_order,reordered\n")
        for number, block in enumerate(_ranges(customers, CUSTOMERS_IN_BLOCK)):
            shopping = _shop_block(block, seed, effects, parallel)
            rng = np.random.default_rng([seed, number, 1])
            row_of_id = rng.permutation(shopping.number.size).astype(np.int32)
            for text in parallel(*_order_rows(shopping, block, row_of_id, order_rows)):
                orders_file.write(text)
            for text in parallel(*_line_rows(shopping, row_of_id, order_rows)):
                lines_file.write(text)
            order_rows += shopping.number.size
            line_rows += shopping.product.size
    return {"orders": order_rows, "orders_products_prior": line_rows}


def _shop_block(block: slice, seed: int, effects: Effects, parallel: Parallel) -> Shopping:
    """Let a block of customers shop, chunk by chunk, and join what they did."""
    products = all_products()

    def shop_chunk(chunk: slice) -> Shopping:
        user_ids = np.arange(chunk.start, chunk.stop) + block.start + 1
        rng = np.random.default_rng([seed, int(user_ids[0]), 0])
        return shop(rng, _shoppers(user_ids, effects), products)

    chunks = parallel(shop_chunk, _ranges(block.stop - block.start, CUSTOMERS_IN_CHUNK))
    fields = zip(*(vars(chunk).values() for chunk in chunks), strict=True)
    return Shopping(*(np.concatenate(field) for field in fields))


def _shoppers(user_ids: np.ndarray, effects: Effects) -> Shoppers:
    """Apply the effects: how each customer's attributes change what the customer does."""
    people = attributes(user_ids)
    bounds = real()["line_share_by_income"]["up_to"]
    by_income = np.searchsorted(bounds, people.income, side="left")
    factor = np.ones(user_ids.size)
    if effects.region_spend:
        region, spend = effects.region_spend
        within = np.isin(states(), real()["states"][region])
        factor[within[people.state]] = spend
    is_young_alone = (people.age <= OWL_OLDEST) & (people.dependants == 0)
    return Shoppers(
        mix=by_income if effects.income else np.full(user_ids.size, len(bounds) + 1),
        thrift=np.array(real()["thrift_by_income"])[by_income] * effects.income,
        basket_factor=factor,
        night_owl=np.where(is_young_alone, effects.night_owls or 0.0, 0.0),
        loyal_produce=effects.loyal_produce,
    )


def _order_rows(shopping: Shopping, block: slice, row_of_id: np.ndarray, ids_before: int):
    """Return the work and the tasks that give the block's rows of orders.csv, by customer."""
    order_id = np.empty(row_of_id.size, np.int32)
    order_id[row_of_id] = np.arange(ids_before + 1, ids_before + row_of_id.size + 1)
    user_id = np.repeat(np.arange(block.start + 1, block.stop + 1, dtype=np.int32), shopping.orders)
    hours = pa.array([f"{hour:02}" for hour in range(24)])
    gaps = pa.array([f"{days}.0" for days in range(NO_GAP)] + [None])
    sets = pa.array(EVAL_SETS)

    def rows(part: slice) -> pa.Buffer:
        return _csv_bytes(
            {
                "order_id": order_id[part],
                "user_id": user_id[part],
                "eval_set": sets.take(pa.array(shopping.eval_set[part])),
                "order_number": shopping.number[part],
                "order_dow": shopping.day[part],
                "order_hour_of_day": hours.take(pa.array(shopping.hour[part])),
                "days_since_prior_order": gaps.take(pa.array(shopping.gap[part])),
            }
        )

    return rows, _ranges(order_id.size, ROWS_IN_SLICE)


def _line_rows(shopping: Shopping, row_of_id: np.ndarray, ids_before: int):
    """Return the work and the tasks that give the block's prior lines, by order id."""
    ends = np.cumsum(shopping.size, dtype=np.int32)

    def rows(part: slice) -> pa.Buffer:
        order = row_of_id[part]
        size = shopping.size[order].astype(np.int32)
        written = np.cumsum(size, dtype=np.int32) - size  # lines before each order in the slice
        order_id = np.arange(part.start, part.stop, dtype=np.int32) + np.int32(ids_before + 1)
        cart = np.arange(size.sum(), dtype=np.int32) - np.repeat(written, size)
        line = cart + np.repeat(ends[order] - size, size)
        return _csv_bytes(
            {
                "order_id": np.repeat(order_id, size),
                "product_id": shopping.product[line],
                "add_to_cart_order": (cart + 1).astype(np.uint8),
                "reordered": shopping.reordered[line].view(np.uint8),
            }
        )

    return rows, _ranges(row_of_id.size, ORDERS_IN_SLICE)
