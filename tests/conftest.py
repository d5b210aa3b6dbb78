"""What several tests share: real data, generated data, and the stages run without notebooks."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from basket.analysis import bands, comparisons, flags, pairs, times, totals
from basket.prepare import clean, import_raw, merge
from basket.prepare.layouts import layouts
from basket.project.folders import ROOT, Folders
from basket.project.settings import Settings, load_settings
from basket.project.stages import read_record
from basket.synthetic.generate import generate
from basket.tables import store
from basket.tables.ids import Positions
from basket.tables.stage import Stage
from basket.tables.store import read_sidecar, read_table

SETTINGS_FILE = ROOT / "settings.yml"
RAW_TABLES = ["raw_products", "raw_departments", "raw_customers", "raw_orders", "raw_lines"]
COLUMNS_FOR_SUMS = ["order_id", "product_key", "reordered"]


# ---- data -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Give the folder of real data, or skip saying why."""
    folder = os.environ.get("BASKET_REAL_DATA")
    if not folder:
        pytest.skip("NOT RUN against real data: set BASKET_REAL_DATA to the folder of panel1200")
    return Path(folder)


@pytest.fixture(scope="session")
def panel(real_data: Path) -> Path:
    """Give the raw files of the panel: 1,200 real customers in the course's layout."""
    return real_data / "panel1200" / "careerfoundry_layout"


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> Path:
    """Generate a small data set once: about 1,000 customers, the planted faults included."""
    folder = tmp_path_factory.mktemp("generated")
    generate(folder, scale=0.005)
    return folder


# ---- settings ---------------------------------------------------------------------------------


def write_settings(path: Path, changes: dict) -> Path:
    """Write settings.yml with some values changed; {"limits.threads": 1} changes that key."""
    content = yaml.safe_load(SETTINGS_FILE.read_text(encoding="utf-8"))
    for dotted, value in changes.items():
        *sections, key = dotted.split(".")
        section = content
        for name in sections:
            section = section[name]
        section[key] = value
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Give the project's settings as they are."""
    return load_settings(SETTINGS_FILE)


def lines_per_part(data: Path, parts: int) -> int:
    """Give the setting under which this data comes out in so many parts."""
    files = [data / layout.tables["raw_lines"].file for layout in layouts().values()]
    size = next(file.stat().st_size for file in files if file.is_file())
    return int(size / import_raw.BYTES_PER_LINE / parts)


# ---- the stages, without notebooks --------------------------------------------------------------


@dataclass
class Run:
    """What the stages 01 to 04 built, and the result tables that stage 05 makes of it."""

    out: Path
    rules: str
    settings_file: Path
    sums_of_merge: dict = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The settings of this run."""
        return load_settings(self.settings_file)

    @property
    def folders(self) -> Folders:
        """Where this run put things."""
        return Folders(self.out)

    def table(self, name: str) -> pd.DataFrame:
        """Read one of the prepared tables."""
        return read_table(self.folders.prepared / name)

    def sidecar(self, name: str) -> dict:
        """Read what one of the prepared tables says of itself."""
        return read_sidecar(self.folders.prepared / name)

    def record(self, stage: str) -> dict:
        """Read the audit and the facts of one stage."""
        return read_record(self.folders, stage)

    def open(self, stage: str, data: Path | None = None) -> Stage:
        """Open a stage of this run."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BASKET_OUT", str(self.out))
            patch.setenv("BASKET_SETTINGS", str(self.settings_file))
            return Stage(stage, self.rules)

    @cached_property
    def stage_05(self) -> "Measured":
        """The sums of stage 05."""
        return Measured(self.open("05_visualise"))

    @cached_property
    def results(self) -> dict[str, pd.DataFrame]:
        """The result tables that count and average, from flags to department_mix."""
        return self.stage_05.counted()

    @cached_property
    def all_results(self) -> dict[str, pd.DataFrame]:
        """And those that compare: times, tests, pairs."""
        return self.stage_05.compared(self.results)


class Measured:
    """Stage 05's passes over the parts, and the tables made of their sums."""

    def __init__(self, stage: Stage):
        """Add up the parts."""
        self.stage, self.settings = stage, stage.settings
        self.customers = stage.read("analysis_customers")
        self.products = stage.read("analysis_products")
        self.names = totals.department_names(self.products)
        self.labels = totals.group_labels(self.customers, self.settings)
        self.everyone = Positions(self.customers["user_id"].to_numpy())
        self.sums = stage.for_each_part(
            totals.measure_part,
            {
                "merged": ("merged", COLUMNS_FOR_SUMS),
                "orders": "analysis_orders",
                "customers": "analysis_customers",
            },
            goods=totals.Goods.of(self.products, self.names),
            labels=self.labels,
            users=self.everyone,
            settings=self.settings,
        )
        self.department_lines = np.concatenate(self.sums["customer_departments"])
        self.customer_times = np.concatenate(self.sums["customer_times"])

    def counted(self) -> dict[str, pd.DataFrame]:
        """The tables that count and average."""
        return totals.result_tables(
            self.sums, self.customers, self.labels, self.products, self.names, self.settings
        )

    def compared(self, counted: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        """The tables that compare, with those that they rest on."""
        settings, names, moments = self.settings, self.names, self.sums["time_moments"]
        active = totals.is_active(self.customers, settings)
        columns = times.Columns(len(settings.dayparts), len(names))
        results = counted | {
            "spend_by_time": times.spend_by_time(moments, columns, settings),
            "department_times": times.department_times(moments, columns, names, settings),
            "redundancy": bands.redundancies(self.customers[active], settings),
        }
        results |= comparisons.all_comparisons(
            self.customers[active],
            self.labels[active],
            self.department_lines[active],
            self.customer_times[active],
            names,
            results,
            settings,
        )
        return (
            results
            | self._pairs()
            | {
                "busiest_times": times.busiest_times(moments, columns, settings),
                "order_index": times.order_index(moments, columns, settings),
                "quiet_windows": times.quiet_windows(moments, columns, settings),
                "days_between_orders": totals.days_between_orders(self.sums),
                "income_by_age": totals.income_by_age(self.customers, settings),
            }
        )

    def _pairs(self) -> dict[str, pd.DataFrame]:
        takes = {
            "merged": ("merged", ["order_id", "product_key"]),
            "orders": ("analysis_orders", ["order_id", "user_id"]),
            "customers": ("analysis_customers", ["user_id", "exclusion_flag"]),
        }
        keys = pairs.popular(self.products)
        counted = self.stage.for_each_part(
            pairs.count_part, takes, keys=keys, settings=self.settings
        )
        chosen = pairs.candidates(counted, keys, self.products)
        spread = self.stage.for_each_part(
            pairs.describe_part,
            takes,
            pairs=chosen,
            labels=self.labels,
            users=self.everyone,
            settings=self.settings,
        )
        return {"product_pairs": pairs.product_pairs(chosen, spread, self.products, self.settings)}


def run_stages(data: Path, out: Path, rules: str, settings_file: Path = SETTINGS_FILE) -> Run:
    """Run the stages 01 to 04 into `out`, as their notebooks do."""
    run = imported(data, out, settings_file, rules)
    clean_stage(run)
    merge_stage(run)
    flag_stage(run)
    return run


def imported(
    data: Path, out: Path, settings_file: Path = SETTINGS_FILE, rules: str = "corrected"
) -> Run:
    """Run stage 01 into `out`."""
    run = Run(out, rules, settings_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASKET_DATA", str(data))
        import_stage(run)
    return run


def hashes(run: Run) -> dict[str, str]:
    """The hash of each raw table of a run."""
    return {table: run.sidecar(table)["sha256"] for table in RAW_TABLES}


def import_stage(run: Run) -> None:
    """01: the raw files that BASKET_DATA names become typed tables."""
    stage = run.open("01_import")
    raw = import_raw.find_raw_files(stage)
    import_raw.import_products(stage, raw)
    import_raw.import_departments(stage, raw)
    order_index, part_of_order, user_ids = import_raw.import_orders(stage, raw)
    import_raw.import_customers(stage, raw, user_ids)
    import_raw.import_lines(stage, raw, order_index, part_of_order)
    stage.publish(**raw.facts)


def clean_stage(run: Run) -> None:
    """02: each small table put right."""
    stage = run.open("02_clean")
    raw_products = stage.read("raw_products")
    products = clean.products(
        raw_products, stage.rules, stage.settings.thresholds, stage.settings.labels
    )
    files = stage.raw_files()
    if stage.rules.repair_product_ids:
        clean.require_own_ids(products, files)
    departments = clean.departments(stage.read("raw_departments"))
    clean.require_departments(products, departments, files)
    stage.write("products", products)
    stage.write("departments", departments)
    for name in ("corrected", "course"):
        clean.record_product_flow(stage.audit, name, raw_products, stage.settings)
    counts = stage.for_each_part(
        clean.clean_part,
        {"raw_orders": "raw_orders", "raw_customers": "raw_customers"},
        makes=("orders", "customers"),
        files=files,
    )
    clean.record_orders(stage.audit, counts)
    stage.audit.record_flow(
        "orders",
        "prior orders only",
        counts["orders"],
        counts["prior_orders"],
        removed=counts["orders"] - counts["prior_orders"],
    )
    stage.publish()


def merge_stage(run: Run) -> None:
    """03: every line with its order, product, department and customer."""
    stage = run.open("03_merge")
    catalogue = merge.Catalogue.of(stage.read("products"), stage.read("departments"))
    sums = stage.for_each_part(
        merge.merge_part,
        {"raw_lines": "raw_lines", "orders": "orders", "customers": "customers"},
        makes=("merged",),
        read=store.read_stored,
        catalogue=catalogue,
    )
    if stage.rules.every_line_must_match:
        merge.require_full_match(sums, stage.raw_files())
    merge.record_checks(stage.audit, sums)
    raw_products = stage.read("raw_products")
    for name in (run.rules, *({"corrected", "course"} - {run.rules})):
        products = clean.products(
            raw_products,
            stage.settings.rules_named(name),
            stage.settings.thresholds,
            stage.settings.labels,
        )
        flow = merge.flow_under(products, sums)
        stage.audit.record_flow(
            "merged",
            "merge",
            sums["read"],
            flow["kept"],
            added=flow["added"],
            removed=flow["unmatched"],
            rules=name,
        )
    stage.publish(orders=sums["orders_kept"], customers=sums["customers_kept"])
    run.sums_of_merge = sums


def flag_stage(run: Run) -> None:
    """04: the flags, each at its own grain."""
    stage = run.open("04_derive_flags")
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
    flags.record_exclusion(stage.audit, sums, stage.built)
    stage.publish()


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Give a function that runs the stages once per data, RULES, number of parts and thresholds."""
    runs: dict[tuple, Run] = {}

    def run(data: Path, rules: str, parts: int = 1, **thresholds) -> Run:
        key = (data, rules, parts, *sorted(thresholds.items()))
        if key not in runs:
            out = tmp_path_factory.mktemp("built")
            changes = {f"thresholds.{name}": value for name, value in thresholds.items()}
            if parts > 1:
                changes["limits.lines_per_part"] = lines_per_part(data, parts)
            file = write_settings(out / "settings.yml", changes) if changes else SETTINGS_FILE
            runs[key] = run_stages(data, out, rules, file)
            assert len(runs[key].sidecar("merged")["parts"]) == parts
        return runs[key]

    return run
