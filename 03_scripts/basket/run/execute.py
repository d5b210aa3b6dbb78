"""Run one notebook with papermill, so that a failure is seen, named and kept.

papermill's own command calls a run with a killed kernel a success, overwrites the last good
notebook and only warns of an unknown parameter (D-21).
"""

import asyncio
import re
import warnings
from itertools import groupby
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from papermill.exceptions import PapermillExecutionError

from basket.project.errors import BasketError
from basket.run.kernel import Kernel

PEOPLE_ERRORS = ("BasketError", "DataError", "SettingsError")
MEMORY_ADVICE = " (a notebook may use memory_share of the memory; fewer lines_per_part need less)"
DIED = "the kernel died; it was killed or ran out of memory"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
IN_CELL = re.compile(r"(?m)^(?:Cell )?In ?\[\d+\], line (\d+)")  # frames of IPython's traceback
IN_PACKAGE = re.compile(r"(?m)^File .*[\\/](basket[\\/]\S+\.py):(\d+)")
PARAMETERS_ID = "injected-parameters"


def execute(source: Path, target: Path, parameters: dict, timeout: int, kernel: Kernel) -> None:
    """Run the notebook `source` on a fresh kernel and put it, executed, at `target`.

    Raises BasketError in two lines, which cell raised what and where the notebook is, when a cell
    fails, the kernel dies or a cell did not run; `target` then stays as it was.
    """
    unknown = set(parameters) - set(papermill.inspect_notebook(str(source)))
    if unknown:
        raise BasketError(f"{source.name} has no parameter {', '.join(sorted(unknown))}")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.stem}.partial.ipynb")
    failed = target.with_name(f"{target.stem}.FAILED.ipynb")
    failed.unlink(missing_ok=True)
    try:
        _run(source, partial, parameters, timeout, kernel)
        notebook = nbformat.read(partial, as_version=4)
        for number, cell in enumerate(notebook.cells, start=1):
            if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
                raise BasketError(f"cell {number} did not run: the notebook ended before it")
    except PapermillExecutionError as error:
        reason = _reason(error)
    except DeadKernelError:
        reason = DIED
    except RuntimeError as error:  # what jupyter_client raises when a kernel does not start
        reason = f"did not start: {error}" if kernel.is_alive else DIED
        reason += MEMORY_ADVICE
    except CellTimeoutError:
        reason = f"a cell ran longer than {timeout} s (cell_timeout_seconds in settings.yml)"
    except BasketError as error:
        reason = str(error)
    else:
        nbformat.write(_without_traces(notebook), partial)
        partial.replace(target)
        return
    reason = f"{source.stem}: {' '.join(reason.split())}"
    if partial.exists():
        partial.replace(failed)
        reason += f"\n  see {failed}"
    raise BasketError(reason)


def _reason(error: PapermillExecutionError) -> str:
    """Say which cell failed and why; for a programming error, also where.

    That is the line of the cell, and the line of this package to which it led.
    """
    cell = f"cell {error.exec_count}"
    if error.ename in PEOPLE_ERRORS:
        return f"{cell}: {error.evalue}"
    trace = ANSI.sub("", "\n".join(error.traceback))
    in_cell, in_package = IN_CELL.findall(trace), IN_PACKAGE.findall(trace)
    line = f", line {in_cell[-1]}" if in_cell else ""
    where = " ({}, line {})".format(*in_package[-1]) if in_package else ""
    advice = MEMORY_ADVICE if "MemoryError" in error.ename else ""
    return f"{cell}{line}: {error.ename}: {error.evalue}{where}{advice}"


def _run(source: Path, partial: Path, parameters: dict, timeout: int, kernel: Kernel) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            papermill.execute_notebook(
                str(source),
                str(partial),
                parameters=parameters,
                kernel_name="python3",
                km=kernel.manager,
                progress_bar=False,
                cwd=str(source.parent),
                execution_timeout=timeout,
                start_timeout=120,
                request_save_on_cell_execute=False,
                autosave_cell_every=0,
            )
        except asyncio.CancelledError as error:
            raise DeadKernelError("the kernel died") from error


def _without_traces(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove what differs from run to run: times, random cell ids, the interpreter's version.

    What a cell prints arrives in pieces that depend on the clock: join them.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
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
