"""The kernels of a run: each starts, with its notebook's imports made, before it is needed.

Started while the stage before is at work, it takes a second or two off each stage (D-34). The
kernel itself is `python -m basket.run.kernel NOTEBOOK -f CONNECTION_FILE`.
"""

import ast
import contextlib
import importlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_core.utils import run_sync
from traitlets import Unicode

from basket.run.lock import runtime_prefix


class ThisPython(AsyncKernelManager):
    """A kernel of the Python that runs now, whatever kernels the user has installed."""

    notebook = Unicode(help="whose imports the kernel makes before it serves")
    connected = None

    def client(self, **options):
        """Return a client, and keep it: nbclient leaves it open."""
        self.connected = super().client(**options)
        return self.connected

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel's command."""
        return KernelSpec(
            argv=[
                sys.executable,
                "-m",
                "basket.run.kernel",
                self.notebook,
                "-f",
                "{connection_file}",
            ],
            display_name="Python 3",
            language="python",
        )


class Kernel:
    """A started kernel, all of whose files lie in a private folder that goes with it."""

    def __init__(self, notebook: Path, lock: int | None = None, memory: int | None = None):
        """Start it, without waiting until it can be asked.

        `lock` is the descriptor of the run's lock, which the kernel then holds too (basket.lock);
        `memory` the bytes that it may have.
        """
        prefix = "basket-" if lock is None else runtime_prefix(lock)
        self._own = TemporaryDirectory(prefix=prefix)  # short: a socket's path has 108 bytes
        own = self._own.name
        self.manager = ThisPython(
            notebook=str(notebook),
            transport="ipc",  # files, not ports
            ip=f"{own}/socket",
            connection_file=f"{own}/kernel.json",
        )
        run_sync(self.manager.start_kernel)(
            cwd=str(notebook.parent),
            env=os.environ
            | {"JUPYTER_RUNTIME_DIR": own, "IPYTHONDIR": f"{own}/ipython", "TMPDIR": own},
            stderr=subprocess.DEVNULL,  # what it says outside of cells is of no use
            pass_fds=() if lock is None else (lock,),
        )
        self._process = self.manager.provisioner.process
        if memory and hasattr(resource, "prlimit"):  # Linux
            most = resource.getrlimit(resource.RLIMIT_DATA)[1]
            allowed = memory if most == resource.RLIM_INFINITY else min(memory, most)
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (allowed, most))

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        return self._process.poll() is None

    def __enter__(self) -> "Kernel":
        """Return the kernel."""
        return self

    def __exit__(self, *error) -> None:
        """Stop the kernel."""
        self.stop()

    def stop(self) -> None:
        """End it at once: all that a notebook makes is published by then."""
        self._process.kill()
        self._process.wait()
        if self.manager.connected:
            self.manager.connected.stop_channels()
        run_sync(self.manager.cleanup_resources)()
        self._own.cleanup()


def imported_by(notebook: Path) -> list[str]:
    """What a notebook's cells import: modules, and names that may be modules of a package."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    statements, names = [], []
    for cell in cells:
        if cell["cell_type"] == "code":
            with contextlib.suppress(SyntaxError):  # a command of IPython
                statements += ast.parse("".join(cell["source"])).body
    for statement in statements:
        if isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            package = statement.module
            names += [package, *(f"{package}.{alias.name}" for alias in statement.names)]
    return names


def main() -> None:
    """Import what the notebook will; then serve, and give free memory back after each cell."""
    from ipykernel.kernelapp import IPKernelApp

    names = imported_by(Path(sys.argv.pop(1)))
    kernel = IPKernelApp.instance()
    kernel.initialize()
    with kernel.shell.builtin_trap:  # get_ipython, by which pandas knows that it is in a notebook
        for name in names:
            with contextlib.suppress(Exception):  # what is wrong, running the notebook will tell
                importlib.import_module(name)
        from basket.tables.store import give_back  # which imports pandas
    kernel.shell.events.register("post_run_cell", lambda _: give_back())
    kernel.start()


if __name__ == "__main__":
    main()
