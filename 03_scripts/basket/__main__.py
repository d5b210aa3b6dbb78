"""Run the command as `python -m basket`."""

import os
import sys


def _in_the_way(error: Exception) -> str:
    """Return a file of PYTHONPATH or of this folder that Python takes for another module, or ""."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folders = [own, os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    folders = {os.path.realpath(folder) for folder in folders if folder}
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    trace = error.__traceback__
    while trace:
        files.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    for file in filter(os.path.isfile, filter(None, reversed(files))):
        folder = os.path.dirname(os.path.realpath(file))
        is_package = file.endswith("__init__.py") and os.path.basename(folder) != "basket"
        if folder in folders or (is_package and os.path.dirname(folder) in folders):
            return file
    return ""


def run() -> None:
    """Run it; where a module of another folder stands in the way, say so in one line."""
    try:
        from basket.command import main

        main()
    except Exception as error:
        if file := _in_the_way(error):
            what = " ".join(f"{type(error).__name__}: {error}".split())
            sys.exit(
                f"basket: {what}: {file} stands in the way of a module of this name; rename it, or "
                "take its folder off PYTHONPATH"
            )
        raise


if __name__ == "__main__":
    run()
