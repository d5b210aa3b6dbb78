"""Run one notebook with papermill, so that a failure is seen, named and kept.

papermill's own command calls a run with a killed kernel a success, overwrites the last good
notebook and only warns of an unknown parameter (D-21).
"""

import asyncio
import logging
import re
import warnings
from itertools import groupby
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from papermill.engines import NBClientEngine
from papermill.exceptions import PapermillExecutionError
from papermill.execute import raise_for_execution_errors
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from basket.project.errors import BasketError
from basket.project.files import write_whole
from basket.run.kernel import Kernel

PEOPLE_ERRORS = ("BasketError", "DataError", "SettingsError")
MEMORY_ADVICE = " (a notebook may use memory_share of the memory; fewer lines_per_part need less)"
STOPPED = "the kernel was stopped, by a signal or a debugger, and did not answer any more"
DIED = "the kernel died; it was killed or ran out of memory"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
IN_CELL = re.compile(r"(?m)^(?:Cell )?In ?\[\d+\], line (\d+)")  # frames of IPython's traceback
IN_PACKAGE = re.compile(r"(?m)^File .*[\\/](basket[\\/]\S+\.py):(\d+)")
PARAMETERS_ID = "injected-parameters"
HEADING = re.compile(r"(?m)^#+ +(.+)$")

for name in ("papermill", "asyncio"):  # what they tell is told here, and better
    logging.getLogger(name).setLevel(logging.CRITICAL)


def execute(source: Path, target: Path, parameters: dict, timeout: int, kernel: Kernel) -> None:
    """Run the notebook `source` on a fresh kernel and put it, executed, at `target`.

    Raises BasketError in two lines, which cell raised what and where the notebook is, when a cell
    fails, the kernel dies or a cell did not run; `target` then stays as it was. A cell is named by
    the heading above it and its place below that: its execution count is not in the source.
    """
    unknown = set(parameters) - set(papermill.inspect_notebook(str(source)))
    if unknown:
        raise BasketError(f"{source.name} has no parameter {', '.join(sorted(unknown))}")
    target.parent.mkdir(parents=True, exist_ok=True)
    failed = target.with_name(f"{target.stem}.FAILED.ipynb")
    failed.unlink(missing_ok=True)
    notebook = load_notebook_node(str(source))
    if parameters:
        notebook = parameterize_notebook(notebook, parameters, kernel_name="python3")
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    try:
        _run(notebook, timeout, kernel)
        raise_for_execution_errors(notebook, None)
        if all(cell.execution_count for cell in code):
            _write(_without_traces(notebook), target)
            return
        reason = " is the last that ran: the notebook ended after it"
    except PapermillExecutionError as error:
        reason = _reason(error) if error.evalue else f": {_last_printed(notebook) or error.ename}"
    except DeadKernelError:
        reason = f": {_death(kernel)}"
    except RuntimeError as error:  # what jupyter_client raises when a kernel does not start
        reason = f": did not start: {error}" if kernel.is_alive else f": {_death(kernel)}"
    except CellTimeoutError:
        limit = f"ran longer than {timeout} s (cell_timeout_seconds in settings.yml)"
        reason = f": {STOPPED if kernel.is_stopped else limit}"
    started = [cell for cell in code if cell.metadata.papermill.get("start_time")]
    if not started:
        raise BasketError(f"{source.stem}{reason}")
    what = " ".join(f"{_place(notebook, started[-1])}{reason}".split())
    try:
        _write(notebook, failed)
        see = f"see {failed}"
    except OSError as error:  # the disk that is full may be why the cell failed
        see = f"{failed} could not be written: {error.strerror}"
    raise BasketError(f"{source.stem}: {what}\n  {see}")


def _death(kernel: Kernel) -> str:
    """Say why a kernel is lost: stopped, or dead with last words or without."""
    if kernel.is_stopped:
        return STOPPED
    words = kernel.last_words
    advice = "" if words and "MemoryError" not in words else MEMORY_ADVICE
    return (f"the kernel died: {words}" if words else DIED) + advice


def _place(notebook: nbformat.NotebookNode, cell: nbformat.NotebookNode) -> str:
    """Say where a code cell is: the heading above it, and how many code cells later."""
    heading, number = "", 0
    for one in notebook.cells:
        if one.cell_type == "markdown" and (found := HEADING.findall(one.source)):
            heading, number = f' below "{found[-1]}"', 0
        number += one.cell_type == "code" and PARAMETERS_ID not in one.metadata.get("tags", [])
        if one is cell:
            break
    return f"code cell {number}{heading}"


def _reason(error: PapermillExecutionError) -> str:
    """Say why a cell failed; for a programming error, also where.

    That is the line of the cell, and the line of this package to which it led.
    """
    if error.ename in PEOPLE_ERRORS:
        return f": {error.evalue}"
    trace = ANSI.sub("", "\n".join(error.traceback))
    in_cell, in_package = IN_CELL.findall(trace), IN_PACKAGE.findall(trace)
    line = f", line {in_cell[-1]}" if in_cell else ""
    where = " ({}, line {})".format(*in_package[-1]) if in_package else ""
    advice = MEMORY_ADVICE if "MemoryError" in error.ename else ""
    return f"{line}: {error.ename}: {error.evalue}{where}{advice}"


def _last_printed(notebook: nbformat.NotebookNode) -> str:
    """Return the last line that a cell printed as an error, where Jupyter has none to tell."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = "".join(output.text for output in outputs if output.get("name") == "stderr")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _run(notebook: nbformat.NotebookNode, timeout: int, kernel: Kernel) -> None:
    """Execute the cells on the kernel, in place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            NBClientEngine.execute_notebook(
                notebook,
                "python3",
                km=kernel.manager,
                progress_bar=False,
                execution_timeout=timeout,
                start_timeout=120,
                autosave_cell_every=0,
            )
        except asyncio.CancelledError as error:
            raise DeadKernelError("the kernel died") from error


def _write(notebook: nbformat.NotebookNode, path: Path) -> None:
    write_whole(path, f"{nbformat.writes(notebook)}\n".encode())


def _without_traces(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove what differs from run to run: times, random cell ids, the interpreter's version.

    What a cell prints arrives in pieces that depend on the clock: join them.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
        if PARAMETERS_ID in cell.metadata.get("tags", []):
            cell.id = PARAMETERS_ID
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    return notebook


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join what was printed between two outputs of another kind, stream by stream."""
    joined: list[nbformat.NotebookNode] = []
    for printed, group in groupby(outputs, lambda output: output.output_type == "stream"):
        pieces = list(group)
        if not printed:
            joined += pieces
            continue
        for name in ("stdout", "stderr"):
            text = "".join(piece.text for piece in pieces if piece.name == name)
            joined += [new_output("stream", name=name, text=text)] if text else []
    return joined
