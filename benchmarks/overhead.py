"""What contracts and hashing cost: `basket report` whole, with them and without, by turns.

Without: no table is compared with the data dictionary, and no file is hashed. Both kinds of run
load the same start-up module (a `sitecustomize`), so that it costs both the same.

    python benchmarks/overhead.py --data FOLDER --out FOLDER [--rounds 2]
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench import BASKET, Measured, measure

START_UP = """
import hashlib, os, sys

if "basket" in " ".join(sys.orig_argv):
    import basket.project.dictionary, basket.tables.store

    if os.environ.get("BASKET_WITHOUT_CHECKS"):
        class Nothing:
            def hexdigest(self):
                return "0" * 64

        def describe_part(path, rows):
            size = path.stat().st_size
            return {"file": path.name, "rows": rows, "bytes": size, "sha256": "0" * 64}

        hashlib.file_digest = lambda *_: Nothing()
        basket.tables.store.describe_part = describe_part
        basket.project.dictionary.validate = lambda table, frame: frame[
            [column.name for column in basket.project.dictionary.columns_of(table)]]
        basket.tables.store.conforming = lambda table, rows: rows.select(
            basket.project.dictionary.arrow_schema(table).names).cast(basket.project.dictionary.arrow_schema(table))
"""


def main() -> None:
    """Run both by turns; print wall and CPU seconds of each and the share of the checks."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--rounds", type=int, default=2)
    given = options.parse_args()
    runs: dict[bool, list[Measured]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as start_up:
        (Path(start_up) / "sitecustomize.py").write_text(START_UP, encoding="utf-8")
        os.environ["PYTHONPATH"] = os.pathsep.join(
            [start_up, *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        for number in range(2 * given.rounds):
            with_checks = number % 2 == 0
            os.environ["BASKET_WITHOUT_CHECKS"] = "" if with_checks else "1"
            shutil.rmtree(given.out, ignore_errors=True)
            command = [*BASKET, "report", "--data", str(given.data), "--out", str(given.out)]
            done = measure(command)
            runs[with_checks].append(done)
            print(f"{'with' if with_checks else 'without'} checks: {done}", flush=True)
    for kind in ("wall", "cpu"):
        with_, without = (median(getattr(run, kind) for run in runs[key]) for key in (True, False))
        print(f"{kind}: {with_:.1f} s with, {without:.1f} s without: {1 - without / with_:.1%}")


if __name__ == "__main__":
    sys.exit(main())
