"""The benchmark runs, both sides agree, and what was measured is written down."""

import re
import sys
from types import SimpleNamespace

import pytest

from basket.project.folders import ROOT
from checkout import run_command

pytest.importorskip("duckdb")
sys.path.insert(0, str(ROOT / "benchmarks"))
import bench

AGREED = "8 result tables agree cell by cell (without largest_share), 15 prepared"


@pytest.mark.slow
def test_a_small_benchmark_ends_well_and_is_written_down(tmp_path):
    results = tmp_path / "results.md"
    results.write_text("# Earlier results\n", encoding="utf-8")
    options = ["--scale", 0.003, "--rounds", 1, "--folder", tmp_path / "data", "--results", results]
    command = [sys.executable, ROOT / "benchmarks" / "bench.py", *options, "--shuffled"]
    done = run_command(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    text = results.read_text(encoding="utf-8")
    assert text.startswith("# Earlier results\n\n## ")
    assert AGREED in text and "random order" in text
    for step in ("import", "clean", "merge", "derive", "results", "flat"):
        assert re.search(rf"^\| {step}, s \| [0-9.]+ \| [0-9.]+ \| [0-9.]+ \|$", text, re.M), step
    assert len(re.findall(r"\| (aim met|met|missed) \|$", text, re.M)) == 4
    for kind in ("wall", "CPU"):
        assert re.search(
            rf"^\| {kind} time with flat_lines, ours / peer \|.*\d \|  \|$", text, re.M
        )


@pytest.mark.slow
def test_both_sides_agree_on_lines_in_their_order(tmp_path):
    data = bench.data_of(0.003, tmp_path, shuffled=False)
    outs = {side: tmp_path / side for side in bench.SIDES}
    rounds = {side: [bench.measure_side(side, data, out)] for side, out in outs.items()}
    agreed = bench.compare(*outs.values())
    assert agreed.startswith(AGREED)
    options = SimpleNamespace(scale=0.003, rounds=1, shuffled=False)
    text = bench.section(options, rounds | {"report": rounds["ours"]}, {}, agreed, 0.0)
    assert AGREED in text and "random order" not in text
