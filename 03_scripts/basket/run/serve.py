"""A notebook's kernel: `python -m basket.run.serve STAGE -f CONNECTION_FILE`.

Little is imported here: a process that a notebook starts imports this file again.
"""

import contextlib
import importlib
import sys

LOADED = {  # by each kernel before its first cell, with all that these import
    "01_import": ["basket.prepare.import_raw"],
    "02_clean": ["basket.prepare.clean"],
    "03_merge": ["basket.prepare.merge"],
    "04_derive_flags": ["basket.analysis.flags"],
    "05_visualise": ["basket.report.gallery", "basket.analysis.foretelling"],
    "06_report": ["basket.report.workbook.build"],
}


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
