"""Our side: stages 01 to 04, the result tables and `basket flat`, in one process without notebooks.

    python benchmarks/ours.py DATA OUT

The same functions in the same order as the notebooks call them, under RULES=corrected. Of stage 05
it runs what counts and averages (`measure.count_part`), not what prepares the tests.
"""

import json
import os
import sys
import time
from pathlib import Path

from basket.analysis import flags, totals
from basket.prepare import clean, import_raw, merge
from basket.prepare.flat import write_flat
from basket.tables import store
from basket.tables.ids import Positions
from basket.tables.result_csv import to_csv
from basket.tables.stage import Stage


def import_stage() -> None:
    """01: the raw files become typed tables."""
    stage = Stage("01_import")
    raw = import_raw.find_raw_files(stage)
    import_raw.import_products(stage, raw)
    import_raw.import_departments(stage, raw)
    orders, part_of_order, user_ids = import_raw.import_orders(stage, raw)
    import_raw.import_customers(stage, raw, user_ids)
    import_raw.import_lines(stage, raw, orders, part_of_order)
    stage.publish(**raw.facts)


def clean_stage() -> None:
    """02: each small table put right."""
    stage = Stage("02_clean")
    products = clean.products(
        stage.read("raw_products"), stage.rules, stage.settings.thresholds, stage.settings.labels
    )
    files = stage.raw_files()
    if stage.rules.repair_product_ids:
        clean.require_own_ids(products, files)
    departments = clean.departments(stage.read("raw_departments"))
    clean.require_departments(products, departments, files)
    stage.write("products", products)
    stage.write("departments", departments)
    stage.for_each_part(
        clean.clean_part,
        {"raw_orders": "raw_orders", "raw_customers": "raw_customers"},
        makes=("orders", "customers"),
        files=files,
    )
    stage.publish()


def merge_stage() -> None:
    """03: every line with its order, product, department and customer."""
    stage = Stage("03_merge")
    catalogue = merge.Catalogue.of(stage.read("products"), stage.read("departments"))
    sums = stage.for_each_part(
        merge.merge_part,
        {"raw_lines": "raw_lines", "orders": "orders", "customers": "customers"},
        makes=("merged",),
        read=store.read_stored,
        catalogue=catalogue,
    )
    merge.require_full_match(sums, stage.raw_files())
    stage.publish(orders=sums["orders_kept"], customers=sums["customers_kept"])


def derive_stage() -> None:
    """04: the flags, each at its own grain."""
    stage = Stage("04_derive_flags")
    counts = stage.for_each_part(
        flags.count_by_day_hour,
        {
            "merged": ("merged", ["order_id"]),
            "orders": ("orders", ["order_id", "order_day", "order_hour"]),
        },
    )
    busiest = flags.busiest_labels(counts["orders"], counts["lines"], stage.rules, stage.settings)
    products = stage.read("products")
    sums = stage.for_each_part(
        flags.derive_part,
        {
            "merged": ("merged", ["order_id", "product_key", "reordered"]),
            "orders": "orders",
            "customers": "customers",
        },
        makes=("analysis_orders", "analysis_customers", "low_activity_customers"),
        prices=products["price_cents"],
        busiest=busiest,
        rules=stage.rules,
        settings=stage.settings,
    )
    stage.write(
        "analysis_products",
        flags.analysis_products(products, stage.read("departments"), sums, stage.settings),
    )
    stage.publish()


def result_tables() -> None:
    """05, first half: the tables that count and average, as CSV files."""
    stage = Stage("05_visualise")
    customers = stage.read("analysis_customers", totals.CUSTOMERS)
    products = stage.read("analysis_products")
    names = totals.department_names(products)
    labels = totals.group_labels(customers, stage.settings)
    sums = stage.for_each_part(
        totals.count_part,
        {
            "merged": ("merged", ["order_id", "product_key", "reordered"]),
            "orders": "analysis_orders",
            "customers": "analysis_customers",
        },
        goods=totals.Goods.of(products, names),
        labels=labels,
        users=Positions(customers["user_id"].to_numpy()),
        settings=stage.settings,
    )
    results = totals.result_tables(sums, customers, labels, products, names, stage.settings)
    stage.folders.tables.mkdir(parents=True, exist_ok=True)
    for name, table in results.items():
        (stage.folders.tables / f"{name}.csv").write_text(to_csv(table), encoding="utf-8")


STEPS = {
    "import": import_stage,
    "clean": clean_stage,
    "merge": merge_stage,
    "derive": derive_stage,
    "results": result_tables,
    "flat": write_flat,
}


def main(data: str, out: str) -> None:
    """Run the steps; print the seconds of each, as JSON."""
    os.environ |= {"BASKET_DATA": str(Path(data).resolve()), "BASKET_OUT": str(Path(out).resolve())}
    seconds = {}
    for name, step in STEPS.items():
        begun = time.perf_counter()
        step()
        seconds[name] = round(time.perf_counter() - begun, 3)
        print(json.dumps({"step": name, "seconds": seconds[name]}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
