"""Small deliveries in the course's layout, made in code: a shop that lacks one thing or another."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

DEPARTMENTS = {1: "frozen", 4: "produce", 12: "meat seafood", 16: "dairy eggs", 19: "snacks"}
STATES = ["Ohio", "Texas", "Maine", "Oregon"]
FAMILIES = {False: "single", True: "married"}


def write_store(
    folder: Path,
    *,
    customers: int = 40,
    orders: int | tuple[int, int] = (5, 50),
    days: int = 7,
    departments: int = 5,
    prices: str = "many",
    incomes: str = "all",
    lines: int | tuple[int, int] = 6,
    gaps: tuple[int, ...] = (1, 4, 7, 7, 8, 14, 21, 30),
    last: bool = True,
    seed: int = 7,
) -> Path:
    """Write the five files of a store; return the folder.

    `orders` is the number of prior orders of a customer, or its range; `lines` the most lines of an
    order, or their range; `gaps` the days between orders, drawn by lot; `prices` is many, one or
    none; `incomes` is all or some; without `last`, no customer has a train or test order.
    """
    chance = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    names = dict(list(DEPARTMENTS.items())[:departments])
    products = _products(chance, list(names), prices)
    least, most = (orders, orders) if isinstance(orders, int) else orders
    placed = chance.integers(least, most + 1, customers)
    ordered = _orders(chance, placed, days, gaps, last)
    bought = _lines(chance, ordered[ordered["eval_set"] == "prior"], len(products), lines)
    for name, table in {
        "products": products,
        "departments": pd.DataFrame(
            [["department", *names.values()]], columns=["department_id", *names]
        ),
        "customers": _customers(chance, customers, incomes),
        "orders": ordered,
        "orders_products_prior": bought,
    }.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    return folder


def _products(chance, departments: list[int], prices: str) -> pd.DataFrame:
    size = 30
    cents = {"many": chance.integers(100, 2500, size), "one": np.full(size, 500)}
    return pd.DataFrame(
        {
            "product_id": range(1, size + 1),
            "product_name": [f"Product {chr(65 + n % 26)}{chr(65 + n // 26)}" for n in range(size)],
            "aisle_id": 1,
            "department_id": [departments[n % len(departments)] for n in range(size)],
            "prices": cents[prices] / 100 if prices in cents else "",
        }
    )


def _customers(chance, size: int, incomes: str) -> pd.DataFrame:
    dependants = chance.integers(0, 4, size)
    income = pd.Series(chance.integers(26_000, 200_000, size), dtype="Int64")
    if incomes == "some":
        income[chance.random(size) < 0.4] = pd.NA
    return pd.DataFrame(
        {
            "user_id": range(1, size + 1),
            "First Name": "Ann",
            "Surnam": "Lee",
            "Gender": chance.choice(["Female", "Male"], size),
            "STATE": chance.choice(STATES, size),
            "Age": chance.integers(18, 82, size),
            "date_joined": "1/1/2017",
            "n_dependants": dependants,
            "fam_status": [FAMILIES[bool(n)] for n in dependants],
            "income": income,
        }
    )


def _orders(chance, placed: np.ndarray, days: int, gaps: tuple, last: bool) -> pd.DataFrame:
    whole = placed + last
    user = np.repeat(np.arange(1, len(placed) + 1), whole)
    number = np.concatenate([np.arange(1, n + 1) for n in whole]) if len(whole) else []
    is_last = last & (number == np.repeat(whole, whole))
    size = len(user)
    gap = pd.Series(chance.choice(gaps, size), dtype="Int64")
    gap[number == 1] = pd.NA
    return pd.DataFrame(
        {
            "order_id": chance.permutation(size) + 1,
            "user_id": user,
            "eval_set": np.where(is_last, "train", "prior"),
            "order_number": number,
            "order_dow": chance.integers(0, days, size) if days > 1 else 3,
            "order_hour_of_day": [f"{hour:02}" for hour in chance.integers(6, 23, size)],
            "days_since_prior_order": gap.map(lambda days: "" if pd.isna(days) else f"{days}.0"),
        }
    )


def _lines(chance, prior: pd.DataFrame, products: int, lines: int | tuple) -> pd.DataFrame:
    least, most = (1, lines) if isinstance(lines, int) else lines
    sizes = chance.integers(least, most + 1, len(prior))
    order = np.repeat(prior["order_id"].to_numpy(), sizes)
    place = np.concatenate([np.arange(1, n + 1) for n in sizes]) if len(sizes) else []
    first = np.repeat(chance.integers(0, products, len(prior)), sizes)
    reordered = np.where(np.repeat(prior["order_number"].to_numpy(), sizes) > 1, order % 2, 0)
    return pd.DataFrame(
        {
            "order_id": order,
            "product_id": (first + 7 * place) % products + 1,
            "add_to_cart_order": place,
            "reordered": reordered,
        }
    )


def thinned(data: Path, folder: Path, share: float, seed: int = 1) -> Path:
    """Write a copy of a delivery with a share of its orders, drawn by lot, and their lines."""
    draw = np.random.default_rng(seed)
    return with_orders(data, folder, lambda orders: draw.random(len(orders)) < share)


def with_orders(data: Path, folder: Path, chosen: Callable) -> Path:
    """Write a copy of a delivery with the orders that `chosen` says of the table, and their lines.

    All customers stay. `folder` may be `data` itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {path.name: path for path in data.glob("*.csv")}
    tables = {
        name: pd.read_csv(path, dtype=str, keep_default_na=False) for name, path in files.items()
    }
    orders = tables["orders.csv"]
    tables["orders.csv"] = kept = orders[chosen(orders)]
    for name, table in tables.items():
        of_lines = name.startswith(("orders_products", "order_products"))
        written = table[table["order_id"].isin(kept["order_id"])] if of_lines else table
        written.to_csv(folder / name, index=False, lineterminator="\n")
    return folder
