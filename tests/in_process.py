"""Run a notebook's own cells in this process: for tests and benchmarks, without a kernel.

The order of calls is written in the notebooks and nowhere else.
"""

import io
import json
import linecache
from contextlib import redirect_stdout

from basket.project.folders import SCRIPTS


def run_notebook(stage: str, rules: str = "corrected", until: str | None = None) -> dict:
    """Execute the code cells of a stage's notebook; return the names that they define.

    `until` stops at the heading that begins with these words; a heading that is not there raises
    ValueError. What the cells print and show is dropped, what they raise is raised.
    """
    source = (SCRIPTS / f"{stage}.ipynb").read_text(encoding="utf-8")
    names = {"__name__": stage, "display": print}
    with redirect_stdout(io.StringIO()):
        for number, cell in enumerate(json.loads(source)["cells"], start=1):
            text = "".join(cell["source"])
            if cell["cell_type"] == "code":
                _execute(text, f"{stage}.ipynb, cell {number}", names)
                if "parameters" in cell["metadata"].get("tags", ()):
                    names["rules"] = rules
            elif until and text.lstrip("# ").startswith(until):
                return names
    if until:
        raise ValueError(f"{stage}.ipynb has no heading that begins with {until!r}")
    return names


def _execute(source: str, name: str, names: dict) -> None:
    """Execute one cell; its lines are known to tracebacks."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), names)
