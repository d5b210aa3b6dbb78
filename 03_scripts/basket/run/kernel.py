"""Start each notebook's kernel ahead of time, with the modules loaded that its stage needs.

Started while the stage before is at work, it takes a second or two off each stage (D-34). The
kernel itself is `python -m basket.run.kernel STAGE -f CONNECTION_FILE`.
"""

import contextlib
import importlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import zmq
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_core.utils import run_sync
from traitlets import Unicode

from basket.project.folders import Inputs
from basket.run.environment import limit_memory
from basket.run.lock import runtime_folder

LOADED = {  # by each kernel before its first cell, with all that these import
    "01_import": ["basket.prepare.import_raw"],
    "02_clean": ["basket.prepare.clean"],
    "03_merge": ["basket.prepare.merge"],
    "04_derive_flags": ["basket.analysis.flags"],
    "05_visualise": ["basket.report.gallery", "basket.analysis.predicting"],
    "06_report": ["basket.report.workbook.build", "basket.checks.verify"],
}


class ThisPython(AsyncKernelManager):
    """A kernel of the Python that runs now, whatever kernels the user has installed."""

    stage = Unicode(help="whose modules the kernel loads before it serves")
    connected = None

    def client(self, **options):
        """Return a client, and keep it: nbclient leaves it open."""
        self.connected = super().client(**options)
        return self.connected

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel's command."""
        return KernelSpec(
            argv=[sys.executable, "-m", "basket.run.kernel", self.stage, "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )


def _has_ipc(folder: str) -> bool:
    """Whether kernels can be spoken to through files; else through ports of this machine."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as tried:
        try:
            tried.bind(f"ipc://{folder}/tried")
        except zmq.ZMQError:  # Windows, or a path that is too long
            return False
        return True


class Kernel:
    """A started kernel; all its files are in a private folder that is removed with it."""

    def __init__(
        self,
        notebook: Path,
        building: Path | None = None,
        memory_share: float | None = None,
        prefix: str = "basket-",
    ):
        """Start it without waiting until it is ready.

        Its stage leaves what the run will publish in `building`. It may use `memory_share` of the
        machine's memory, and `prefix` begins the name of its private folder.
        """
        self.building = building
        self._own = TemporaryDirectory(
            prefix=prefix, dir=runtime_folder(), ignore_cleanup_errors=True
        )
        own = self._own.name
        files = {"transport": "ipc", "ip": f"{own}/socket"} if _has_ipc(own) else {}
        self.manager = ThisPython(
            stage=notebook.stem, connection_file=f"{own}/kernel.json", **files
        )
        private = {"JUPYTER_RUNTIME_DIR": own, "IPYTHONDIR": f"{own}/ipython"}
        private |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), own)
        handed_on = replace(Inputs.received(), building=building).environment()
        self._said = Path(own) / "stderr"
        with self._said.open("wb") as said:
            run_sync(self.manager.start_kernel)(
                cwd=str(notebook.parent), env=os.environ | handed_on | private, stderr=said
            )
        self._process = self.manager.provisioner.process
        if memory_share:
            limit_memory(memory_share, self._process.pid)

    @property
    def is_stopped(self) -> bool:
        """Whether somebody has stopped its process, which neither works nor ends."""
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED
        return False

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        return self._process.poll() is None

    @property
    def last_words(self) -> str:
        """The last line of what it printed outside of cells, if that tells an error; else empty."""
        try:
            said = self._said.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        _, told, trace = said.rpartition("Traceback (most recent call last):")
        lines = [line.strip() for line in trace.splitlines() if line.strip()]
        return lines[-1] if told and lines else ""

    def close(self) -> None:
        """End it at once: nothing that it could still do matters."""
        self._process.kill()
        self._process.wait()
        if self.manager.connected:
            self.manager.connected.stop_channels()
        run_sync(self.manager.cleanup_resources)()
        self._own.cleanup()


def main() -> None:
    """Load what the stage needs; then serve, and release free memory after each cell."""
    from ipykernel.kernelapp import IPKernelApp

    stage = sys.argv.pop(1)
    kernel = IPKernelApp.instance()
    kernel.initialize()
    with kernel.shell.builtin_trap:  # get_ipython, by which pandas knows that it is in a notebook
        from basket.tables.store import release_memory  # which imports pandas

        with contextlib.suppress(Exception):  # if it is broken, the notebook will fail as well
            for module in LOADED.get(stage, ["basket.tables.stage"]):
                importlib.import_module(module)
    kernel.shell.events.register("post_run_cell", lambda _: release_memory())
    kernel.start()


if __name__ == "__main__":
    main()
