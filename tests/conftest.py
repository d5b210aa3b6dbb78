"""What several tests share: real data, generated data, and the stages run without notebooks."""

import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import hypothesis
import pandas as pd
import pytest
import yaml
from PIL import Image

from basket.prepare import import_raw, raw_files
from basket.prepare.layouts import layouts
from basket.project import yaml_file
from basket.project.files import write_json
from basket.project.folders import ROOT, Folders, Inputs
from basket.project.settings import Settings, load_settings
from basket.project.stages import graph, read_record
from basket.report import draw, pictures
from basket.run import manifest
from basket.synthetic.generate import generate
from basket.tables.stage import Stage
from basket.tables.store import read_sidecar, read_table
from checkout import built_in
from in_process import run_notebook

hypothesis.settings.register_profile("no clock", deadline=None)  # machines are busy at times
hypothesis.settings.load_profile("no clock")

# Thousands of tests read the same settings: a text is parsed once, and its models are frozen.
yaml_file.parse_yaml = cache(yaml_file.parse_yaml)

SETTINGS_FILE = ROOT / "settings.yml"
RAW_TABLES = ["raw_products", "raw_departments", "raw_customers", "raw_orders", "raw_lines"]


# ---- order --------------------------------------------------------------------------------------

HEAVIEST = (  # what takes longest comes first, so that no worker is left alone with it
    "test_pipeline",
    "test_faults",
    "test_emptiness",
    "test_fuzz",
    "test_cluster",
    "test_privacy_reports",
    "test_guards",
    "test_cases",
    "test_absent",
    "test_browser",
    "test_workbook",
    "test_result_tables",
    "test_runs_apart",
    "test_hostile_archives",
    "test_hostile_report",
    "test_reproduce",
    "test_delivery",  # after test_pipeline, whose report it copies
    "test_bad_input",
    "test_times_edges",
    "test_generate",
    "test_groups_against_sql",
    "test_flat",
    "test_times",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files, the heaviest first; what looks at a report or at stages that ran is slow."""
    places = {name: place for place, name in enumerate(HEAVIEST)}
    for item in items:
        if {"checkout", "built"} & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)
        if "built" in item.fixturenames:
            item.add_marker(pytest.mark.stages)
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


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


def cut_at(flag: str, *cuts: float) -> dict:
    """Give the change of settings that cuts a flag elsewhere; labels that state a number follow."""
    return {f"flags.{flag}.bands": load_settings(SETTINGS_FILE).flags[flag].bands_at(list(cuts))}


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Give the project's settings as they are."""
    return load_settings(SETTINGS_FILE)


def lines_per_part(data: Path, parts: int) -> int:
    """Give the setting under which this data comes out in this many parts."""
    files = [data / layout.tables["raw_lines"].file for layout in layouts().values()]
    size = next(file.stat().st_size for file in files if file.is_file())
    return int(size / import_raw.BYTES_PER_LINE / parts)


# ---- the stages, without kernels ----------------------------------------------------------------

# Headings of notebook 05: of what follows the counts, and of what follows the comparisons.
COUNTED = "What is compared, and how sure we are"
COMPARED = "Q1 When are orders many, and when few?"
drawn = io.BytesIO()
Image.new("RGB", (9, 5)).save(drawn, "PNG")
DOT = drawn.getvalue()  # in place of each figure
AUDIT = ("population_flow", "consistency_checks", "wrangling_steps", "completeness")


@dataclass
class Run:
    """The stages of one run: their notebooks' own cells, executed in this process."""

    out: Path
    rules: str
    settings_file: Path

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

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Let what opens a stage work in this run."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BASKET_OUT", str(self.out))
            patch.setenv("BASKET_SETTINGS", str(self.settings_file))
            yield

    def open(self, stage: str) -> Stage:
        """Open a stage of this run."""
        with self.environment():
            return Stage(stage, self.rules)

    def notebook(self, stage: str, until: str | None = None, drawn: bool = False) -> dict:
        """Run a stage; return the names that its notebook defines.

        Unless they are to be `drawn`, each figure is a dot, and pictures are not painted: that
        takes longer than the stage.
        """
        with self.environment(), pytest.MonkeyPatch.context() as patch:
            if not drawn:
                patch.setattr(draw, "draw", lambda *_, **__: DOT)
                for name in ("show_prices", "show_gaps"):
                    patch.setattr(pictures, name, lambda *_: None)
            return run_notebook(stage, self.rules, until)

    @cached_property
    def results(self) -> dict[str, pd.DataFrame]:
        """The result tables that count and average, from flags to department_mix."""
        return _without_audit(self.notebook("05_visualise", COUNTED))

    @cached_property
    def analysis(self) -> dict:
        """The names of notebook 05: `results`, the tables, and `paper`, with the findings."""
        return self.notebook("05_visualise")

    @property
    def all_results(self) -> dict[str, pd.DataFrame]:
        """Every result table of stage 05."""
        return _without_audit(self.analysis)


def _without_audit(names: dict) -> dict[str, pd.DataFrame]:
    """Return the result tables of notebook 05 without the audit of the earlier stages."""
    return {name: table for name, table in names["results"].items() if name not in AUDIT}


def run_stages(data: Path, out: Path, rules: str, settings_file: Path = SETTINGS_FILE) -> Run:
    """Run the stages 01 to 04 into `out`."""
    run = imported(data, out, settings_file, rules)
    for stage in list(graph())[1:4]:
        run.notebook(stage)
    return run


def whole_report(
    data: Path,
    out: Path,
    settings_file: Path = SETTINGS_FILE,
    rules: str = "corrected",
    drawn: bool = False,
) -> Run:
    """Run all six stages into `out`: no kernel, no page, and each figure a dot if not `drawn`."""
    run = run_stages(data, out, rules, settings_file)
    found = raw_files.find(data, run.settings.limits)
    of_run = manifest.Run(Inputs(out, run.settings_file, data), run.settings, run.rules, found)
    run.notebook("05_visualise", drawn=drawn)
    write_json(run.folders.run_facts, manifest.run_facts(of_run))
    run.notebook("06_report")
    return run


def imported(
    data: Path, out: Path, settings_file: Path = SETTINGS_FILE, rules: str = "corrected"
) -> Run:
    """Run stage 01 into `out`."""
    run = Run(out, rules, settings_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASKET_DATA", str(data))
        run.notebook("01_import")
    return run


def _stage(name: str):
    return lambda run: run.notebook(name)


import_stage, clean_stage, merge_stage, flag_stage = map(_stage, list(graph())[:4])


def hashes(run: Run) -> dict[str, str]:
    """Return the hash of each raw table of a run."""
    return {table: run.sidecar(table)["sha256"] for table in RAW_TABLES}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Give a function that runs the stages once per data, RULES, number of parts and thresholds.

    A threshold is one of settings.thresholds, or the cuts of a flag as a tuple.
    """
    runs: dict[tuple, Run] = {}

    def run(data: Path, rules: str, parts: int = 1, **thresholds) -> Run:
        key = (data, rules, parts, *sorted(thresholds.items()))
        if key not in runs:
            out = tmp_path_factory.mktemp("built")
            changes = {}
            for name, value in thresholds.items():
                is_cut = isinstance(value, tuple)
                changes |= cut_at(name, *value) if is_cut else {f"thresholds.{name}": value}
            if parts > 1:
                changes["limits.lines_per_part"] = lines_per_part(data, parts)
            file = write_settings(out / "settings.yml", changes) if changes else SETTINGS_FILE
            runs[key] = run_stages(data, out, rules, file)
            assert len(runs[key].sidecar("merged")["parts"]) == parts
        return runs[key]

    return run


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """Give a copy of the checkout with a report, which `make` has built from nothing."""
    base = tmp_path_factory.getbasetemp()  # of this worker, where there are several
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    return built_in(base / f"copy-{uuid.uuid4().hex[:8]}", shared / "checkout")
