"""Generate the embedded default data set: the course's five raw files, planted faults included.

Every figure that the customers follow comes from `real_distributions.json` (aggregated counts of
"The Instacart Online Grocery Shopping Dataset 2017" and of the course's additions to it). The same
scale, seed and effects give the same bytes, whatever the number of threads.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cache, partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from basket.synthetic.names import MEN, SURNAMES, WOMEN, product_name
from basket.synthetic.shopping import NO_GAP, Assortment, Shoppers, Shopping, assortment, real, shop

MARKER = "SYNTHETIC_DATA.json"
CUSTOMERS_IN_BLOCK = 206_209  # order ids are shuffled within blocks of so many customers
CUSTOMERS_IN_CHUNK = 2_048  # are generated together, with a random stream of their own
ORDERS_IN_SLICE = 50_000  # orders whose lines are written together
ROWS_IN_SLICE = 400_000  # of orders.csv and customers.csv

PRODUCTS = 49_688  # ids 1..49688, as in Kaggle's file
CATALOGUE_SEED = 49_688  # the catalogue is the same for every seed and scale
DAMAGED_NAME = "#NAME?"
DAMAGED_NAME_ID = 11_908
PRODUCT_CALLED_NONE_ID = 21_405
NAMELESS_IDS = (
    57, 301, 1_024, 3_333, 5_120, 7_777, 9_306, 12_012, 15_551, 19_089, 23_456, 28_282, 31_415,
    37_037, 42_424, 48_888,
)  # fmt: skip
REPEATED_ROW_IDS = (462, 18_458, 26_808, 35_306, 35_491)
ABSURD_PRICES = {21_553: 14_900.0, 33_664: 99_999.0}  # dollars
DEAR_OUTSIDE_MEAT = {2_718: 20.0}  # the one price above 15 outside department 12
DOUBLED_IDS = {6_799: 6_800, 26_519: 26_520}  # the first product's own id: the id that it shows

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
WIDOWED_FROM = 60  # years, without dependants; the course's rule of family status
CHILD_UP_TO = 21  # years, with dependants; the same


def generate(
    folder: Path,
    scale: float = 0.05,
    seed: int = 2017,
    effects: Effects | str = "real",
    threads: int = 2,
) -> None:
    """Write the five raw files into `folder`, and `SYNTHETIC_DATA.json` last.

    `scale` 1 is 206,209 customers, 3.42 million orders and 32.4 million prior lines; the catalogue
    of products is whole at every scale. `effects` is "real", "none" or an `Effects`.
    """
    effects = NAMED_EFFECTS[effects] if isinstance(effects, str) else effects
    customers = round(CUSTOMERS_IN_BLOCK * scale)
    if customers < 1:
        raise ValueError(f"scale {scale} gives no customer; use at least {1 / CUSTOMERS_IN_BLOCK}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    rows = {
        "products": _write_products(folder / "products.csv"),
        "departments": _write_departments(folder / "departments.csv"),
    }
    with ThreadPoolExecutor(threads) as pool:
        parallel = partial(_in_order, pool, 2 * threads)
        rows["customers"] = _write_customers(folder / "customers.csv", customers, parallel)
        rows |= _write_shopping(folder, customers, seed, effects, parallel)
    name = next((name for name, known in NAMED_EFFECTS.items() if known == effects), None)
    facts = {
        "synthetic": True,
        "scale": scale,
        "seed": seed,
        "effects": name or asdict(effects),
        "rows": rows,
    }
    (folder / MARKER).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


# Customers and prices, by id


def fabricate_prices(products: pd.DataFrame) -> pd.Series:
    """Price of each product in dollars, one decimal, from `product_id` and `department_id` alone.

    Prices are spread evenly from 1 to 15, snacks 1.6 to 7, meat and seafood 8 to 25, as in the
    course's file (complete file); its two absurd prices are not repeated here. A department that
    the real data lacks is priced like most.
    """
    departments = real()["departments"]
    most = departments[0]["price"]
    lowest, highest = np.array([most, *(fact["price"] for fact in departments)]).T
    department = products["department_id"].to_numpy(dtype=np.int64)
    department = np.where((department > 0) & (department < len(lowest)), department, 0)
    low, high = lowest[department], highest[department]
    spread = _uniform(products["product_id"].to_numpy(dtype=np.uint64), "label")
    return pd.Series(np.round(low + spread * (high - low), 1), products.index, name="prices")


def fabricate_customers(user_ids: np.ndarray) -> pd.DataFrame:
    """One row per user id, in the order given, with the columns of the course's customers.csv.

    Each value follows from the id alone. Within 1..206209 the numbers of people by age, dependants,
    gender, state, missing first name and day joined are the real ones.
    """
    people = _people(user_ids)
    facts = real()["customers"]
    is_man = _position(user_ids, "gender") < facts["male"]
    given = np.where(
        is_man,
        np.array(MEN)[_position(user_ids, "first name") % len(MEN)],
        np.array(WOMEN)[_position(user_ids, "first name") % len(WOMEN)],
    ).astype(object)
    given[_position(user_ids, "no first name") < facts["first_name_missing"]] = None
    day = _position(user_ids, "date joined") * facts["date_joined"]["days"] // CUSTOMERS_IN_BLOCK
    return pd.DataFrame(
        {
            "user_id": user_ids,
            "First Name": pd.Series(given, dtype="str"),
            "Surnam": np.array(SURNAMES)[_position(user_ids, "surname") % len(SURNAMES)],
            "Gender": np.where(is_man, "Male", "Female"),
            "STATE": np.array(_states())[people.state],
            "Age": people.age,
            "date_joined": _days_joined()[day],
            "n_dependants": people.dependants,
            "fam_status": _family_status(people.age, people.dependants),
            "income": people.income,
        }
    )


@dataclass(frozen=True)
class _People:
    """What effects may depend on; one value per customer."""

    age: np.ndarray
    dependants: np.ndarray
    state: np.ndarray  # index into _states()
    income: np.ndarray  # dollars a year


def _people(user_ids: np.ndarray) -> _People:
    facts = real()["customers"]
    age = facts["age"]["least"] + np.searchsorted(
        np.cumsum(facts["age"]["counts"]), _position(user_ids, "age"), side="right"
    )
    dependants = np.searchsorted(
        np.cumsum(facts["dependants"]), _position(user_ids, "dependants"), side="right"
    )
    return _People(
        age,
        dependants,
        _position(user_ids, "state") % len(_states()),
        _incomes(age, _uniform(np.asarray(user_ids, np.uint64), "income")),
    )


def _incomes(age: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Income from the histogram of the customer's side of the step between 40 and 41 years."""
    facts = real()["customers"]["income"]
    sides = []
    for least, counts in zip(
        facts["least"], (facts["up_to_step_age"], facts["above"]), strict=True
    ):
        edges = [least, *facts["edges"][1:]]
        cumulative = np.concatenate(([0], np.cumsum(counts))) / sum(counts)
        sides.append(np.interp(uniform, cumulative, edges))
    return np.where(age <= facts["step_age"], *sides).astype(np.int64)


def _family_status(age: np.ndarray, dependants: np.ndarray) -> np.ndarray:
    """Family status as the course made it: fully determined by age and dependants."""
    alone = np.where(age < WIDOWED_FROM, "single", "divorced/widowed")
    family = np.where(age <= CHILD_UP_TO, "living with parents and siblings", "married")
    return np.where(dependants == 0, alone, family)


@cache
def _states() -> list[str]:
    return sorted(state for states in real()["states"].values() for state in states)


@cache
def _days_joined() -> np.ndarray:
    """Every day on which someone joined, written like 4/1/2020."""
    facts = real()["customers"]["date_joined"]
    first = date.fromisoformat(facts["first"])
    days = [first + timedelta(days) for days in range(facts["days"])]
    return np.array([f"{day.month}/{day.day}/{day.year}" for day in days])


# Random numbers that are a function of an id


def _mixed(values: np.ndarray) -> np.ndarray:
    """Splitmix64: a bijection of 64-bit numbers without visible pattern."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _salt(purpose: str) -> np.uint64:
    return np.uint64(int.from_bytes(sha256(purpose.encode()).digest()[:8], "little"))


def _uniform(ids: np.ndarray, purpose: str) -> np.ndarray:
    """A number from 0 up to 1 for each id; another purpose gives unrelated numbers."""
    return (_mixed(_mixed(ids ^ _salt(purpose))) >> np.uint64(11)) * 2.0**-53


def _position(user_ids: np.ndarray, purpose: str) -> np.ndarray:
    """Position 0..206208 of each id in a shuffle of its block of 206,209 ids.

    A Feistel network shuffles 18-bit numbers; one that falls outside the block is shuffled again
    until it falls inside. So the ids of a block get each position once.
    """
    half, mask = np.uint64(9), np.uint64(2**9 - 1)
    block, position = np.divmod(
        np.asarray(user_ids, np.uint64) - np.uint64(1), np.uint64(CUSTOMERS_IN_BLOCK)
    )
    keys = _mixed(_salt(purpose) + block)
    pending = np.arange(position.size)
    while pending.size:
        left, right = position[pending] >> half, position[pending] & mask
        for turn in range(4):
            scrambled = _mixed(keys[pending] + np.uint64(turn) ^ right << np.uint64(16))
            left, right = right, left ^ (scrambled & mask)
        position[pending] = left << half | right
        pending = pending[position[pending] >= CUSTOMERS_IN_BLOCK]
    return position.astype(np.int64)


# The catalogue


@dataclass(frozen=True)
class _Catalogue:
    """The 49,688 products as they really are, before faults; index 0 is unused."""

    department: np.ndarray
    aisle: np.ndarray
    rank: np.ndarray  # popularity within the department, from 0


@cache
def _catalogue() -> _Catalogue:
    rng = np.random.default_rng(CATALOGUE_SEED)
    aisles = {int(aisle): facts for aisle, facts in real()["aisles"].items()}
    shelf = np.repeat(list(aisles), [products for _, products in aisles.values()])
    aisle = np.concatenate(([0], rng.permutation(shelf)))
    department_of = np.zeros(max(aisles) + 1, np.int64)
    for number, (department, _) in aisles.items():
        department_of[number] = department
    department = department_of[aisle]
    rank = np.zeros(PRODUCTS + 1, np.int64)
    shuffled = rng.permutation(PRODUCTS) + 1
    by_department = shuffled[np.argsort(department[shuffled], kind="stable")]
    sizes = np.bincount(department[1:])
    rank[by_department] = np.arange(PRODUCTS) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return _Catalogue(department, aisle, rank)


def _prices() -> np.ndarray:
    """Sound prices in dollars of all products, by id."""
    products = {
        "product_id": np.arange(1, PRODUCTS + 1),
        "department_id": _catalogue().department[1:],
    }
    return fabricate_prices(pd.DataFrame(products)).to_numpy()


@cache
def _assortment() -> Assortment:
    """The products as customers see them; popularity is planted where faults cost lines."""
    counts = real()["planted_lines"]
    planted = {
        NAMELESS_IDS: "nameless",
        tuple(DOUBLED_IDS): "absent",
        tuple(DOUBLED_IDS.values()): "doubled",
        tuple(ABSURD_PRICES): "absurd_price",
    }
    lines = {
        product: counts[key] / counts["all"] / len(ids)
        for ids, key in planted.items()
        for product in ids
    }
    catalogue = _catalogue()
    prices = np.concatenate(([0.0], _prices()))
    return assortment(catalogue.department, catalogue.rank, prices, lines)


def _write_products(path: Path) -> int:
    """Write products.csv with its faults: damaged names and prices, doubled rows and ids."""
    catalogue = _catalogue()
    ids = np.arange(1, PRODUCTS + 1)
    prices = _prices().tolist()
    departments = {fact["department_id"]: fact["department"] for fact in real()["departments"]}
    planted_names = dict.fromkeys(NAMELESS_IDS, "") | {
        DAMAGED_NAME_ID: DAMAGED_NAME,
        PRODUCT_CALLED_NONE_ID: "None",
    }
    planted_prices = ABSURD_PRICES | DEAR_OUTSIDE_MEAT
    rows = []
    for product, price in zip(ids.tolist(), prices, strict=True):
        department = int(catalogue.department[product])
        name = planted_names.get(product)
        if name is None:
            name = product_name(departments[department], int(catalogue.rank[product]))
        row = (
            DOUBLED_IDS.get(product, product),
            name,
            int(catalogue.aisle[product]),
            department,
            planted_prices.get(product, price),
        )
        rows += [row, row] if product in REPEATED_ROW_IDS else [row]
    _write_rows(path, ("product_id", "product_name", "aisle_id", "department_id", "prices"), rows)
    return len(rows)


def _write_departments(path: Path) -> int:
    """Write departments.csv, wide: the ids are the header, the names one row below it."""
    facts = real()["departments"]
    header = ("department_id", *(fact["department_id"] for fact in facts))
    _write_rows(path, header, [("department", *(fact["department"] for fact in facts))])
    return len(facts)


def _write_rows(path: Path, header: Iterable, rows: Iterable[Iterable]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


# Customers, orders and lines

Parallel = Callable[[Callable, Iterable], Iterator]


def _in_order(pool: ThreadPoolExecutor, ahead: int, work: Callable, tasks: Iterable) -> Iterator:
    """Yield the results in the order of the tasks, with few of them waiting in memory."""
    waiting = []
    for task in tasks:
        waiting.append(pool.submit(work, task))
        if len(waiting) > ahead:
            yield waiting.pop(0).result()
    while waiting:
        yield waiting.pop(0).result()


def _csv_bytes(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
    pa_csv.write_csv(table, sink, options)
    return sink.getvalue()


def _ranges(rows: int, step: int) -> Iterator[slice]:
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))


def _write_customers(path: Path, customers: int, parallel: Parallel) -> int:
    """Write customers.csv sorted by date_joined; within a day the order is arbitrary."""
    user_ids = np.arange(1, customers + 1)
    user_ids = user_ids[np.argsort(_position(user_ids, "date joined"), kind="stable")]

    def rows(part: slice) -> pa.Buffer:
        people = fabricate_customers(user_ids[part])
        return _csv_bytes(pa.Table.from_pandas(people, preserve_index=False))

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
    products = _assortment()

    def shop_chunk(chunk: slice) -> Shopping:
        user_ids = np.arange(chunk.start, chunk.stop) + block.start + 1
        rng = np.random.default_rng([seed, int(user_ids[0]), 0])
        return shop(rng, _shoppers(user_ids, effects), products)

    chunks = parallel(shop_chunk, _ranges(block.stop - block.start, CUSTOMERS_IN_CHUNK))
    fields = zip(*(vars(chunk).values() for chunk in chunks), strict=True)
    return Shopping(*(np.concatenate(field) for field in fields))


def _shoppers(user_ids: np.ndarray, effects: Effects) -> Shoppers:
    """Apply the effects: how each customer's attributes change what the customer does."""
    people = _people(user_ids)
    bounds = real()["line_share_by_income"]["up_to"]
    by_income = np.searchsorted(bounds, people.income, side="left")
    factor = np.ones(user_ids.size)
    if effects.region_spend:
        region, spend = effects.region_spend
        within = np.isin(_states(), real()["states"][region])
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
            pa.table(
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
            pa.table(
                {
                    "order_id": np.repeat(order_id, size),
                    "product_id": shopping.product[line],
                    "add_to_cart_order": (cart + 1).astype(np.uint8),
                    "reordered": shopping.reordered[line].view(np.uint8),
                }
            )
        )

    return rows, _ranges(row_of_id.size, ORDERS_IN_SLICE)
