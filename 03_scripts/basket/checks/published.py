"""`basket verify --published`: a run on the full real data against the figures of other analyses.

published_figures.csv says of each figure which RULES produce it, or that the raw files do. A figure
that neither RULES gives (a variant, or an error of the field) is not held against; nor is one that
no table of ours holds: both are listed with the reason.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from basket.project.errors import BasketError
from basket.project.folders import ROOT, Folders
from basket.project.settings import load_settings
from basket.project.stages import read_record
from basket.tables.store import read_sidecar

FIGURES = ROOT / "01_project_management" / "published_figures.csv"
TOLERANCE = 1e-6  # of means, published and stored with six decimals; counts agree exactly
SIZES = {
    "rows.customers": "raw_customers",
    "rows.products_raw": "raw_products",
    "rows.orders": "raw_orders",
    "rows.prior": "raw_lines",
}
MISSING = "(missing)"
NO_TABLE = {
    "rows.nameless_product_lines": "lines without their product are counted together",
    "rows.missing_id_lines": "lines without their product are counted together",
    "rows.first_order_nan_combined": "lines are counted by order after the merge, not before it",
    "merged.mean_price before": "mean prices are taken after price cleaning under both RULES",
}


@dataclass(frozen=True)
class Source:
    """Where a figure is found: the place in words, and its values by key."""

    place: str
    values: pd.Series


@dataclass
class Held:
    """What a comparison came to: rows held and in agreement, mismatches, rows not held and why."""

    figures: int = 0
    rows: int = 0
    different: list[str] = field(default_factory=list)
    not_held: dict[str, list[str]] = field(default_factory=dict)


def read_published() -> pd.DataFrame:
    """The published figures, one row each: figure, key (text), value, produced_by and more."""
    return pd.read_csv(FIGURES, keep_default_na=False, dtype={"key": str})


def verify_published(folders: Folders) -> Held:
    """Hold a run against each published figure that its RULES produce.

    Raises BasketError, in one line, when the run's data are not the full real data.
    """
    record = read_record(folders, "01_import")
    rules = read_record(folders, "03_merge")["rules"]
    published = read_published()
    _require_full_data(record, published)
    sources = find(folders, rules)
    held, figures = Held(), set()
    for row in published.itertuples():
        name = f"{row.figure} {row.key}".strip()
        if row.produced_by == "variant":
            reason = "neither RULES gives it"
        elif row.produced_by not in ("raw", rules):
            reason = f"RULES={row.produced_by} gives it"
        else:
            reason = NO_TABLE.get(name)
        if reason:
            held.not_held.setdefault(reason, []).append(name)
            continue
        source = sources[row.figure]
        found = source.values.get(row.key, math.nan)
        tolerance = TOLERANCE if "mean" in row.figure else 0
        if not abs(found - row.value) <= tolerance:
            shown = "nothing" if math.isnan(found) else f"{found:,.10g}"
            held.different.append(
                f"{name}: {source.place} says {shown}; published is {row.value:,.10g}"
            )
        held.rows += 1
        figures.add(row.figure)
    held.figures = len(figures)
    return held


def _require_full_data(record: dict, published: pd.DataFrame) -> None:
    """Refuse data whose rows are not those of the full data in the course's layout."""
    found = {row["table"]: row["rows_in"] for row in record["flow"] if row["step"] == "read"}
    sizes = published.set_index("figure")["value"]
    other = [
        f"{found.get(table, 0):,} rows in {table}, expected {int(sizes[figure]):,}"
        for figure, table in SIZES.items()
        if found.get(table) != sizes[figure]
    ]
    if record["facts"]["synthetic"]:
        other.insert(0, "they are generated")
    if other:
        raise BasketError(
            "the published figures are of the full real data in the course's layout, and these "
            f"data are not: {'; '.join(other)}"
        )


def find(folders: Folders, rules: str) -> dict[str, Source]:
    """The source of each figure that the raw files or these RULES produce."""
    results, prepared = folders.tables, folders.prepared

    def result(table: str, keys: dict[str, str], key: str, column: str) -> Source:
        frame = pd.read_csv(results / f"{table}.csv", keep_default_na=False, dtype=str)
        for name, value in keys.items():
            frame = frame[frame[name] == value]
        values = pd.to_numeric(frame.set_index(key)[column])
        return Source(f"{table}.csv, {column} of {', '.join(keys.values())}", values)

    def flow(step: str, table: str, column: str) -> Source:
        source = result("population_flow", {"rules": rules, "step": step}, "table", column)
        return Source(f"{source.place}, {table}", one(source.values.get(table)))

    def flag(population: str, name: str, unit: str) -> Source:
        return result("flags", {"population": population, "flag": name}, "label", unit)

    def counted(table: str, by: list[str], of: str | None = None) -> Source:
        place = f"{table}, {of or 'rows'} by {' and '.join(by)}"
        return Source(place, add_up(prepared / table, by, of))

    found = {figure: flow("read", table, "rows_in") for figure, table in SIZES.items()}
    for figure, column in (
        ("orders.hour", "order_hour"),
        ("orders.dow", "order_day"),
        ("orders.days_since_prior", "days_since_prior_order"),
    ):
        found[figure] = counted("raw_orders", [column])
    found["customers.n_dependants"] = counted("raw_customers", ["n_dependants"])
    found["customers.fam_status"] = counted("raw_customers", ["family_status"])
    regions = load_settings(ROOT / "settings.yml").regions.items()
    region_of = {state: region for region, states in regions for state in states}
    found["customers.region"] = Source(
        "raw_customers, rows by region of state",
        add_up(prepared / "raw_customers", ["state"]).groupby(region_of).sum(),
    )
    spend, priced, reordered, lines = (
        add_up(prepared / "analysis_customers", [], column).sum()
        for column in ("spend_cents", "priced_lines", "reordered_lines", "lines")
    )
    prefix = "merged" if rules == "course" else "full"
    found |= {
        f"{prefix}.dow": result("orders_by_day", {"population": "all"}, "day", "lines"),
        f"{prefix}.hour": result("orders_by_hour", {"population": "all"}, "hour", "lines"),
        f"{prefix}.loyalty_flag": flag("all", "loyalty_flag", "lines"),
        f"{prefix}.region": flag("all", "region", "lines"),
    }
    if rules == "corrected":
        return found | {
            "orders.prior_distinct": flow("prior orders only", "orders", "rows_out"),
            "full.reordered": Source(
                "analysis_customers, reordered_lines and lines",
                pd.Series({"0": lines - reordered, "1": reordered}),
            ),
            "customers.loyalty_flag": flag("all", "loyalty_flag", "customers"),
        }
    first_orders = counted("analysis_orders", ["days_since_prior_order"], "lines")
    unpriced = counted("analysis_products", ["price_cents"], "lines")
    unsold = counted("analysis_products", ["lines"])
    numbers = add_up(prepared / "merged", ["department_id"], "order_number")
    found |= {
        "rows.products_no_null": flow("drop nameless", "products", "rows_out"),
        "rows.products_clean": flow("drop exact duplicates", "products", "rows_out"),
        "rows.combined": flow("merge", "merged", "rows_in"),
        "rows.merged": flow("merge", "merged", "rows_out"),
        "rows.unmatched_left": flow("merge", "merged", "rows_removed"),
        "rows.fanout_extra": flow("merge", "merged", "rows_added"),
        "rows.unmatched_right": Source("analysis_products without lines", one(unsold.values["0"])),
        "rows.price_outliers": Source(
            "analysis_products, lines without a price", one(unpriced.values[MISSING])
        ),
        "rows.active": flow("active customers", "merged", "rows_out"),
        "rows.excluded": flow("active customers", "merged", "rows_removed"),
        "rows.first_order_nan_merged": Source(
            "analysis_orders, lines without a gap", one(first_orders.values[MISSING])
        ),
        "customers.active": flow("active customers", "analysis_customers", "rows_out"),
        "merged.state": counted("analysis_customers", ["state"], "lines"),
        "merged.region_x_loyalty": counted(
            "analysis_customers", ["region", "loyalty_flag"], "lines"
        ),
        "merged.region_x_spending_before_cleaning": counted(
            "analysis_customers", ["region", "spending_flag"], "lines"
        ),
        "merged.mean_price": Source(
            "analysis_customers, spend per priced line", pd.Series({"after": spend / priced / 100})
        ),
        "merged.mean_price_by_loyalty_after": result(
            "habits", {"population": "all", "grouping": "loyalty_flag"}, "group", "mean_item_price"
        ),
        "merged.mean_order_number_by_department": Source(
            "merged, mean order_number by department_id",
            numbers / add_up(prepared / "merged", ["department_id"]),
        ),
        "merged.spending_flag_before_cleaning": flag("all", "spending_flag", "lines"),
        "merged.order_frequency_flag": flag("all", "frequency_flag", "lines"),
        "merged.fam_status": flag("all", "family_status", "lines"),
        "active.dow": result("orders_by_day", {"population": "active"}, "day", "lines"),
        "active.fam_status": flag("active", "family_status", "lines"),
        "active.gender": flag("active", "gender", "lines"),
        "active.n_dependants": flag("active", "n_dependants", "lines"),
        "customers.active_n_dependants": flag("active", "n_dependants", "customers"),
        "active_customers.fam_status": flag("active", "family_status", "customers"),
        "active_customers.loyalty_flag": flag("active", "loyalty_flag", "customers"),
        "active_customers.region": flag("active", "region", "customers"),
    }
    for name in ("busiest_day", "busiest_days", "busiest_period_of_day"):
        found[f"merged.{name}"] = flag("all", name, "lines")
    for prefix, population in (("merged", "all"), ("active", "active")):
        found[f"{prefix}.department"] = result(
            "departments", {"population": population}, "department", "lines"
        )
        found[f"{prefix}.price_range_loc"] = flag(population, "price_range", "lines")
    return found


def one(value) -> pd.Series:
    """A figure that has no key."""
    return pd.Series([] if value is None else [value], index=[] if value is None else [""])


def add_up(folder: Path, by: list[str], of: str | None = None) -> pd.Series:
    """Add up a column of a prepared table by others, part by part; without `of`, count the rows.

    The index joins the keys with " / "; a missing key is (missing).
    """
    parts = []
    for part in read_sidecar(folder)["parts"]:
        columns = pq.read_table(folder / part["file"], columns=[*by, *([of] if of else [])])
        if not by:
            parts.append(pd.Series([pa.compute.sum(columns[of]).as_py()], index=[""]))
            continue
        keys = pa.table({f"key {n}": columns[name].cast(pa.string()) for n, name in enumerate(by)})
        keys = keys.append_column("of", columns[of].cast(pa.int64()) if of else columns[by[0]])
        added = keys.group_by([f"key {n}" for n in range(len(by))]).aggregate(
            [("of", "sum") if of else ("of", "count", pa.compute.CountOptions(mode="all"))]
        )
        frame = added.to_pandas().fillna(MISSING)
        values = frame.pop("of_sum" if of else "of_count")
        parts.append(pd.Series(values.to_numpy(), frame.agg(" / ".join, axis=1)))
    added = pd.concat(parts)
    return added.groupby(added.index).sum()
