"""`make bench`: our stages and a hand-tuned DuckDB script on the same files, one after the other.

Each side runs as a process of its own, by turns, and is measured from outside: wall time, CPU time of
all its threads, the most memory it held at once. Then `basket report` runs whole on the same files.
What is compared and what is not: README.md beside this file.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BASKET = [sys.executable, "-c", "from basket.command import main; main()"]
PACKAGES = ("basket", "pandas", "numpy", "pyarrow", "duckdb")
MIB = 2**20

# Measure: what it is called, target, aim.
TARGETS = {
    "wall": ("wall time, ours / peer", 0.85, 0.6),
    "cpu": ("CPU time, ours / peer", 0.8, None),
    "report": ("wall time, whole report / peer", 2.0, 1.2),
    "memory": ("most memory of any of our processes, GiB", 1.5, 1.0),
}


@dataclass
class Measured:
    """One process: seconds of wall and CPU, most bytes of memory, bytes written, seconds by step."""

    wall: float
    cpu: float
    memory: int
    written: int = 0
    steps: dict[str, float] = field(default_factory=dict)


# ---- measuring ------------------------------------------------------------------------------------


def measure(command: list[str]) -> Measured:
    """Run a command to its end. Raises SystemExit with what it said when it fails.

    CPU and memory are those of the process and of the children that it waited for: the sum, and the
    largest. This process must stay small: Linux counts it as the child's until the child has begun.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said, complained = process.communicate() if os.name == "nt" else _read(process)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{complained}")
    unit = 1 if sys.platform == "darwin" else 1024
    steps = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit,
                    steps={step["step"]: step["seconds"] for step in steps})
