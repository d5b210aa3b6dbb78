"""A kernel that has made the imports of a notebook before it is asked to run it.

    python -m basket.kernel NOTEBOOK -f CONNECTION_FILE

Started while the stage before is at work, it takes a second or two off each stage.
"""

import ast
import contextlib
import json
import sys
from pathlib import Path

from ipykernel.kernelapp import IPKernelApp


def imports_of(notebook: Path) -> str:
    """The import statements at the top level of a notebook's cells."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    statements = [statement for source in sources for statement in ast.parse(source).body]
    imports = [each for each in statements if isinstance(each, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, imports))


def main() -> None:
    """Import, in a namespace that the notebook does not see; then serve."""
    notebook = Path(sys.argv.pop(1))
    kernel = IPKernelApp.instance()
    kernel.initialize()
    with (
        kernel.shell.builtin_trap,  # get_ipython, by which pandas knows that it is in a notebook
        contextlib.suppress(Exception),  # what is wrong, running the notebook will tell
    ):
        exec(imports_of(notebook), {})
    kernel.start()


if __name__ == "__main__":
    main()
