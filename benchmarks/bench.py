"""`make bench`: our stages and a hand-tuned DuckDB script on the same files, alternately.

Each side runs as a process of its own and is measured from outside: wall time, CPU time of all its
threads, the most memory it held at once. So is `basket report` as a whole, in each round. What is
compared and what is not: README.md beside this file.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from basket.project.stages import USAGE
from basket.run.environment import ENVIRONMENT

HERE = Path(__file__).resolve().parent
BASKET = [sys.executable, "-m", "basket"]
SIDES = ("ours", "peer")
STEPS = ("import", "clean", "merge", "derive", "results", "flat")
PACKAGES = ("pandas", "numpy", "pyarrow", "duckdb")
LEFT_OUT = "largest_share"  # a column of ours that guards privacy, and is no part of an answer
UNITS = {"gib": 2**30, "mb": 10**6}

# What is aimed at: target, aim. Tables are all that both sides make but flat_lines, which is an
# option of ours; the whole report makes no flat_lines either.
TARGETS = {
    "wall time, our tables / the peer's": (0.9, 0.6),
    "CPU time, our tables / the peer's": (0.8, 0.6),
    "wall time with flat_lines, ours / peer": (None, None),
    "CPU time with flat_lines, ours / peer": (None, None),
    "wall time, whole report / peer with flat_lines": (1.2, 1.0),
    "wall time, whole report / the peer's tables": (None, None),
    "most memory of any of our processes, GiB": (1.0, None),
}


@dataclass
class Measured:
    """One process: seconds of wall and CPU, most bytes held, bytes written; seconds by step."""

    wall: float
    cpu: float
    memory: int
    steps: dict[str, dict[str, float]]
    written: int = 0

    @property
    def tables_wall(self) -> float:
        """Seconds of wall without flat_lines."""
        return self.wall - self.steps["flat"]["wall"]

    @property
    def tables_cpu(self) -> float:
        """Seconds of CPU without flat_lines."""
        return self.cpu - self.steps["flat"]["cpu"]

    def __str__(self) -> str:
        """Say what was measured of the whole process."""
        memory = self.memory / UNITS["gib"]
        return f"{self.wall:.1f} s wall, {self.cpu:.1f} s CPU, {memory:.2f} GiB"


def measure(command: list[str]) -> Measured:
    """Run a command to its end; raise SystemExit with its last output when it fails.

    CPU and memory are those of the process and of the children that it waited for: their sum, and
    the largest. This process has to stay small: Linux counts its memory as the child's at first.
    """
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | ENVIRONMENT
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        lines = output.read().decode(errors="replace").splitlines()
    if process.returncode:
        raise SystemExit("\n".join([f"{' '.join(command)} failed:", *lines[-20:]]))
    steps = [json.loads(line) for line in lines if line.startswith('{"step"')]
    kilobytes = 1 if sys.platform == "darwin" else 1024
    return Measured(
        wall,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss * kilobytes,
        {step["step"]: step for step in steps},
    )


def measure_side(side: str, data: Path, out: Path) -> Measured:
    """Run one side from nothing into an empty folder."""
    shutil.rmtree(out, ignore_errors=True)
    found = measure([sys.executable, str(HERE / f"{side}.py"), str(data), str(out)])
    found.written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{side}: {found}", flush=True)
    return found


def measure_report(data: Path, out: Path) -> tuple[Measured, dict[str, int]]:
    """Run `basket report` whole, from nothing; return it, and the most bytes of each stage."""
    shutil.rmtree(out, ignore_errors=True)
    found = measure([*BASKET, "report", "--data", str(data), "--out", str(out)])
    peaks = {
        file.name.removesuffix(USAGE): json.loads(file.read_text(encoding="utf-8"))["peak_bytes"]
        for file in sorted((out / "02_data" / "prepared_data").glob(f"*{USAGE}"))
    }
    found.memory = max([found.memory, *peaks.values()])
    print(f"report: {found}", flush=True)
    return found, peaks


# ---- data ---------------------------------------------------------------------------------------


def data_of(scale: float, folder: Path, shuffled: bool) -> Path:
    """Generate the data of this scale, or take what an earlier run has left; read it once."""
    data = folder / f"scale_{scale:g}"
    if not (data / "SYNTHETIC_DATA.json").is_file():
        shutil.rmtree(data, ignore_errors=True)
        subprocess.run([*BASKET, "generate", str(data), "--scale", f"{scale:g}"], check=True)
    if shuffled:
        ordered, data = data, folder / f"scale_{scale:g}_shuffled"
        if not (data / "SYNTHETIC_DATA.json").is_file():
            subprocess.run(
                [sys.executable, str(HERE / "shuffle.py"), str(ordered), str(data)], check=True
            )
    for file in data.glob("*.csv"):
        with file.open("rb") as stream:
            while stream.read(2**24):
                pass
    return data


# ---- agreement ----------------------------------------------------------------------------------


def compare(ours: Path, peer: Path) -> str:
    """Compare the result tables and the row counts of both sides.

    Counts must agree exactly, dollars to a cent, means, shares and rates to 1e-6. Flags that the
    peer does not make are left out, and so is LEFT_OUT.
    """
    sys.path.insert(0, str(HERE.parent / "tests"))
    import pandas as pd
    import pyarrow.parquet as pq

    from basket.prepare.layouts import layouts
    from oracle import KEYS, assert_tables_equal

    for name, keys in KEYS.items():
        left, right = (
            pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
            for folder in (ours / "04_analysis" / "tables", peer / "tables")
        )
        for kind in {"flag", "grouping"} & set(keys):
            left = left[left[kind].isin(right[kind])]
        left = left.drop(columns=LEFT_OUT, errors="ignore")
        assert_tables_equal(left, right, keys, table=name, both_ways=True)
    files = sorted((peer / "prepared").glob("*.parquet"))
    received = layouts()["course"].tables  # the peer keeps the names of the files
    for file in files:
        sidecar = ours / "02_data" / "prepared_data" / file.stem / "_table.json"
        content = json.loads(sidecar.read_text(encoding="utf-8"))
        found = pq.read_metadata(file)
        assert content["rows"] == found.num_rows, file.stem
        renamed = received[file.stem].columns if file.stem in received else {}
        names = {renamed.get(name, name) for name in found.schema.to_arrow_schema().names}
        assert set(content["columns"]) >= names, file.stem
    return (
        f"{len(KEYS)} result tables agree cell by cell (without {LEFT_OUT}), {len(files)} prepared "
        "tables in rows and columns"
    )


# ---- report -------------------------------------------------------------------------------------


def machine() -> str:
    """Describe the machine and the versions."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.partition(":")[2].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / UNITS["gib"]
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()}; "
        f"Python {platform.python_version()}, {versions}"
    )


def middle(rounds: list[Measured], what: str) -> float:
    """Return the median of one figure over the rounds."""
    return median(getattr(found, what) for found in rounds)


def ratio(rounds: dict[str, list[Measured]], what: str, side: str = "ours", of: str = "") -> float:
    """Return the median over the rounds of a side over the peer, each pair of one round."""
    return median(
        getattr(left, what) / getattr(right, of or what)
        for left, right in zip(rounds[side], rounds["peer"], strict=True)
    )


def table(head: list[str], rows: list[list]) -> str:
    """Format a table in Markdown."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in lines)


def sides_table(rounds: dict[str, list[Measured]]) -> str:
    """Show the medians of both sides, step by step and whole."""
    rows = []
    for step in STEPS:
        ours, peer = (median(each.steps[step]["wall"] for each in rounds[side]) for side in SIDES)
        rows.append([f"{step}, s", f"{ours:.2f}", f"{peer:.2f}", f"{ours / peer:.2f}"])
    for name, what, unit in (
        ("tables, s", "tables_wall", 1),
        ("tables, CPU s", "tables_cpu", 1),
        ("whole process, s", "wall", 1),
        ("whole process, CPU s", "cpu", 1),
        ("most memory, GiB", "memory", UNITS["gib"]),
        ("written, MB", "written", UNITS["mb"]),
    ):
        ours, peer = (middle(rounds[side], what) / unit for side in SIDES)
        rows.append([name, f"{ours:.2f}", f"{peer:.2f}", f"{ratio(rounds, what):.2f}"])
    walls = [" ".join(f"{found.wall:.1f}" for found in rounds[side]) for side in SIDES]
    rows.append(["wall of each round, s", *walls, ""])
    return table(["step", "ours", "peer", "ours / peer"], rows)


def targets_table(rounds: dict[str, list[Measured]]) -> str:
    """Show the targets, what was found, and whether it met them."""
    memory = max(found.memory for side in ("ours", "report") for found in rounds[side])
    found = (
        ratio(rounds, "tables_wall"),
        ratio(rounds, "tables_cpu"),
        ratio(rounds, "wall"),
        ratio(rounds, "cpu"),
        ratio(rounds, "wall", "report"),
        ratio(rounds, "wall", "report", "tables_wall"),
        memory / UNITS["gib"],
    )
    rows = []
    for value, (name, (target, aim)) in zip(found, TARGETS.items(), strict=True):
        verdict = "missed" if target else ""
        if target and value <= target:
            verdict = "aim met" if aim and value <= aim else "met"
        rows.append([name, target or "", aim or "", f"{value:.2f}", verdict])
    return table(["measure", "target", "aim", "found", "verdict"], rows)


def section(
    options: argparse.Namespace,
    rounds: dict[str, list[Measured]],
    peaks: dict[str, int],
    agreement: str,
    load: float,
) -> str:
    """One dated section of results.md."""
    order = ", lines in random order" if options.shuffled else ""
    walls = " ".join(f"{found.wall:.1f}" for found in rounds["report"])
    stages = ", ".join(f"{name} {peak / UNITS['gib']:.2f}" for name, peak in peaks.items())
    parts = [
        f"## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, scale {options.scale:g}, "
        f"{options.rounds} round(s){order}",
        f"{machine()}. Load of the machine before the first round: {load:.1f}.",
        sides_table(rounds),
        f"Whole report: {middle(rounds['report'], 'wall'):.1f} s wall ({walls}), "
        f"{middle(rounds['report'], 'cpu'):.1f} s CPU. Most memory by stage, GiB: {stages}.",
        targets_table(rounds),
        f"{agreement[0].upper()}{agreement[1:]}.",
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Run the rounds, the whole report and the comparison; print and append what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1, help="1 = 32 million order lines")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shuffled", action="store_true", help="the lines' file in random order")
    parser.add_argument("--folder", type=Path, default=HERE / "data", help="for data and outputs")
    parser.add_argument("--results", type=Path, default=HERE / "results.md")
    options = parser.parse_args()
    data = data_of(options.scale, options.folder.resolve(), options.shuffled)
    outs = {side: options.folder.resolve() / f"out_{side}" for side in (*SIDES, "report")}
    load = os.getloadavg()[0]
    rounds: dict[str, list[Measured]] = {side: [] for side in (*SIDES, "report")}
    for _ in range(options.rounds):
        for side in SIDES:
            rounds[side].append(measure_side(side, data, outs[side]))
        whole, peaks = measure_report(data, outs["report"])
        rounds["report"].append(whole)
    agreement = compare(outs["ours"], outs["peer"])
    text = section(options, rounds, peaks, agreement, load)
    print(f"\n{text}")
    head = "" if options.results.exists() else "# Results of `make bench`, oldest first\n"
    with options.results.open("a", encoding="utf-8") as file:
        file.write(f"{head}\n{text}")
    for out in outs.values():
        shutil.rmtree(out)


if __name__ == "__main__":
    main()
