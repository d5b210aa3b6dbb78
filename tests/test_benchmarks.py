"""The benchmark runs, both sides agree, and what was measured is written down."""

import re
import sys

import pytest

from basket.project.folders import ROOT
from checkout import run_command

pytest.importorskip("duckdb")


@pytest.mark.slow
@pytest.mark.parametrize("order", [[], ["--shuffled"]], ids=["ordered", "shuffled"])
def test_a_small_benchmark_ends_well_and_is_written_down(tmp_path, order):
    results = tmp_path / "results.md"
    results.write_text("# Earlier results\n", encoding="utf-8")
    options = ["--scale", 0.003, "--rounds", 1, "--folder", tmp_path / "data", "--results", results]
    done = run_command(sys.executable, ROOT / "benchmarks" / "bench.py", *options, *order)
    assert done.returncode == 0, done.stdout + done.stderr
    text = results.read_text(encoding="utf-8")
    assert text.startswith("# Earlier results\n\n## ")
    assert "8 result tables agree cell by cell (without largest_share), 15 prepared" in text
    for step in ("import", "clean", "merge", "derive", "results", "flat"):
        assert re.search(rf"^\| {step}, s \| [0-9.]+ \| [0-9.]+ \| [0-9.]+ \|$", text, re.M), step
    assert len(re.findall(r"\| (aim met|met|missed) \|$", text, re.M)) == 4
    for kind in ("wall", "CPU"):
        assert re.search(
            rf"^\| {kind} time with flat_lines, ours / peer \|.*\d \|  \|$", text, re.M
        )
    assert ("random order" in text) == bool(order)
