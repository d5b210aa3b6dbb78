"""Invented products: their departments, prices, popularity and names, and the planted faults."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from basket.synthetic.by_id import uniform
from basket.synthetic.names import product_name
from basket.synthetic.shopping import Assortment, assortment, real

PRODUCTS = 49_688  # ids 1..49688, as in Kaggle's file
SEED = 49_688  # the catalogue is the same for every seed and scale of the data
NAMELESS_IDS = (
    57, 301, 1_024, 3_333, 5_120, 7_777, 9_306, 12_012, 15_551, 19_089, 23_456, 28_282, 31_415,
    37_037, 42_424, 48_888,
)  # fmt: skip
PLANTED_NAMES = dict.fromkeys(NAMELESS_IDS, "") | {11_908: "#NAME?", 21_405: "None"}
REPEATED_ROW_IDS = (462, 18_458, 26_808, 35_306, 35_491)
ABSURD_PRICES = {21_553: 14_900.0, 33_664: 99_999.0}  # dollars
PLANTED_PRICES = ABSURD_PRICES | {2_718: 20.0}  # the one price above 15 outside department 12
DOUBLED_IDS = {6_799: 6_800, 26_519: 26_520}  # the first product's own id: the id that it shows


def fabricate_prices(products: pd.DataFrame) -> pd.Series:
    """Price each product in dollars, one decimal, from `product_id` and `department_id` alone.

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
    spread = uniform(products["product_id"].to_numpy(), "label")
    return pd.Series(np.round(low + spread * (high - low), 1), products.index, name="prices")


@dataclass(frozen=True)
class Catalogue:
    """The 49,688 products as they really are, before faults; index 0 is unused."""

    department: np.ndarray
    aisle: np.ndarray
    rank: np.ndarray  # popularity within the department, from 0
    price: np.ndarray  # dollars


@cache
def catalogue() -> Catalogue:
    """Put the products on the shelves: the same for every seed and scale of the data."""
    rng = np.random.default_rng(SEED)
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
    ids = {"product_id": np.arange(1, PRODUCTS + 1), "department_id": department[1:]}
    price = np.concatenate(([0.0], fabricate_prices(pd.DataFrame(ids))))
    return Catalogue(department, aisle, rank, price)


@cache
def all_products() -> Assortment:
    """Return the products as customers see them; popularity is planted where faults cost lines."""
    counts = real()["planted_lines"]
    planted = {
        "nameless": NAMELESS_IDS,
        "absent": DOUBLED_IDS.keys(),
        "doubled": DOUBLED_IDS.values(),
        "absurd_price": ABSURD_PRICES,
    }
    lines = {
        product: counts[fault] / counts["all"] / len(ids)
        for fault, ids in planted.items()
        for product in ids
    }
    products = catalogue()
    return assortment(products.department, products.rank, products.price, lines)


def write_products(path: Path) -> int:
    """Write products.csv with its faults: damaged names and prices, doubled rows and ids."""
    products = catalogue()
    departments = {fact["department_id"]: fact["department"] for fact in real()["departments"]}
    rows = []
    for product in range(1, PRODUCTS + 1):
        department = int(products.department[product])
        name = PLANTED_NAMES.get(product)
        if name is None:
            name = product_name(departments[department], int(products.rank[product]))
        row = (
            DOUBLED_IDS.get(product, product),
            name,
            int(products.aisle[product]),
            department,
            PLANTED_PRICES.get(product, float(products.price[product])),
        )
        rows += [row, row] if product in REPEATED_ROW_IDS else [row]
    _write_rows(path, ("product_id", "product_name", "aisle_id", "department_id", "prices"), rows)
    return len(rows)


def write_departments(path: Path) -> int:
    """Write departments.csv, wide: the ids are the header, the names one row below it."""
    facts = real()["departments"]
    header = ("department_id", *(fact["department_id"] for fact in facts))
    _write_rows(path, header, [("department", *(fact["department"] for fact in facts))])
    return len(facts)


def _write_rows(path: Path, header: Iterable, rows: Iterable[Iterable]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
