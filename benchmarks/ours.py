"""Our side: stages 01 to 04, the result tables and `basket flat`, in one process without kernels.

    python benchmarks/ours.py DATA OUT

The cells of the notebooks themselves, under RULES=corrected. Of stage 05 it runs what counts and
averages: the notebook up to its comparisons. The peer draws nothing, so the two pictures of
notebook 02 are left out: `basket report` as a whole is measured with all that it draws.
"""

import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from basket.prepare.flat import write_flat
from basket.project.folders import ROOT, Folders
from basket.tables.result_csv import to_csv

sys.path.insert(0, str(ROOT / "tests"))
from in_process import run_notebook

sys.modules["basket.report.pictures"] = SimpleNamespace(
    show_prices=lambda *_: None, show_gaps=lambda *_: None
)
COMPARISONS = "What is compared, and how sure we are"  # the heading of 05 at which it stops


def result_tables() -> None:
    """05, first half: the tables that count and average, as CSV files."""
    folder = Folders(Path(os.environ["BASKET_OUT"])).tables
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in run_notebook("05_visualise", until=COMPARISONS)["results"].items():
        (folder / f"{name}.csv").write_text(to_csv(table), encoding="utf-8")


STEPS = {
    "import": partial(run_notebook, "01_import"),
    "clean": partial(run_notebook, "02_clean"),
    "merge": partial(run_notebook, "03_merge"),
    "derive": partial(run_notebook, "04_derive_flags"),
    "results": result_tables,
    "flat": write_flat,
}


def main(data: str, out: str) -> None:
    """Run the steps; print the seconds of each, of wall and CPU, as JSON."""
    os.environ |= {"BASKET_DATA": str(Path(data).resolve()), "BASKET_OUT": str(Path(out).resolve())}
    for name, step in STEPS.items():
        begun, cpu = time.perf_counter(), time.process_time()
        step()
        used = {"wall": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
        print(json.dumps({"step": name} | used), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
