"""Executed notebooks made by hand, for the tests of the pages."""

import base64
import json
from io import BytesIO
from pathlib import Path

from nbformat import v4
from PIL import Image

from basket.project.files import SIDECAR
from basket.project.folders import Folders
from basket.project.stages import graph, record_file

ALT = "Bars: orders by day. Saturday leads with 19 % of all orders, Wednesday is last."
HOSTILE = "<script>alert(1)</script>"
WIDE_TABLE = (
    "<div><style scoped>.dataframe tbody tr th {vertical-align: top}</style>"
    '<table border="1" class="dataframe" id="T_a1b2c"><thead><tr style="text-align: right;">'
    "<th></th>"
    + "".join(f"<th>a_column_{number}</th>" for number in range(14))
    + "</tr></thead><tbody><tr><th>0</th><td>&lt;script&gt;alert(1)&lt;/script&gt;</td>"
    + "".join(f"<td>{number * 1234:,}</td>" for number in range(13))
    + "</tr></tbody></table></div>"
)


def png(width: int = 1200, height: int = 700) -> str:
    """Make a picture, as a notebook holds it."""
    buffer = BytesIO()
    Image.new("RGB", (width, height), "#0072B2").save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode() + "\n"


def figure(alt: str | None = ALT, **texts: str) -> dict:
    """Make the output of a cell that shows a figure, with or without its alternative text."""
    metadata = {} if alt is None else {"image/png": {"alt": alt, **texts}}
    data = {"image/png": png(), "text/plain": "<Figure size 1200x700 with 1 Axes>"}
    return v4.new_output("display_data", data, metadata=metadata)


def table(html: str = WIDE_TABLE) -> dict:
    """Make the output of a cell that ends with a table."""
    data = {"text/html": html, "text/plain": "…"}
    return v4.new_output("execute_result", data, execution_count=1)


def stream(text: str, name: str = "stdout") -> dict:
    """Make a piece of what a cell printed."""
    return v4.new_output("stream", name=name, text=text)


def code(source: str, *outputs: dict, tags: tuple[str, ...] = ()) -> dict:
    """Make a code cell that ran."""
    metadata = {"tags": list(tags)}
    return v4.new_code_cell(source, outputs=list(outputs), execution_count=1, metadata=metadata)


def usual_cells() -> list[dict]:
    """Make the cells of a notebook that has one of everything."""
    warning = "/tmp/ipykernel_41/99.py:3: UserWarning: at 0x7f00deadbeef\n"
    error = v4.new_output(
        "error",
        ename="ZeroDivisionError",
        evalue="division by zero",
        traceback=["\x1b[31mZeroDivisionError\x1b[39m: division by zero"],
    )
    return [
        v4.new_markdown_cell(
            "# 03 Merge\n\nDo all lines find their order? From $5 to **$10**.\n\n"
            "**Contents:** [Rows](#Rows,-in-and-out)"
        ),
        code('rules = "corrected"', tags=("parameters",)),
        code('rules = "course"', tags=("injected-parameters",)),
        v4.new_markdown_cell(
            "## Rows, in and out\n\n> D-04 The first of each pair is absent.\n\n"
            "| step | rows |\n|---|---:|\n| read | 1,000 |\n\n"
            "See [the paper](https://example.org/paper)."
        ),
        code("# attach\nmerged = merge.attach_products(lines, products)\nmerged.head()", table()),
        v4.new_markdown_cell("## Rows, in and out\n\n#### A deeper point"),
        v4.new_markdown_cell("## How it is done\n\nBy parts.", metadata={"tags": ["machinery"]}),
        code("parts = 8"),
        v4.new_markdown_cell("## What came out"),
        code(
            "show(figure)",
            figure(caption="Saturday leads."),
            stream("first "),
            stream("and second: " + "wide " * 60),
            stream(warning, "stderr"),
        ),
        code("1 / 0", error),
    ]


def write_notebook(folder: Path, cells: list[dict] | None = None, name: str = "03_merge") -> Path:
    """Write an executed notebook where a run would; return its path."""
    path = folder / "04_analysis" / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = usual_cells() if cells is None else cells
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    path.write_text(json.dumps(v4.new_notebook(cells=cells)), encoding="utf-8")
    return path


def write_run(folder: Path, synthetic: str = "data") -> Folders:
    """Write what a run leaves behind, as far as the index shows it; a product's name is hostile."""
    folders = Folders(folder)
    for stage in graph():
        cells = [v4.new_markdown_cell(f"# {stage}"), v4.new_markdown_cell("## Q1 When is it busy?")]
        write_notebook(folder, [*cells, code("show(figure)", figure())], stage)
    folders.tables.mkdir(parents=True)
    (folders.tables / "orders_by_day.csv").write_text("day,orders\n0,5\n", encoding="utf-8")
    folders.visualizations.mkdir(parents=True)
    (folders.visualizations / "orders_by_day.png").write_bytes(base64.b64decode(png()))
    row = {
        "step": "attach products",
        "table": "merged",
        "rows_in": 1234567,
        "rows_added": 0,
        "rows_removed": 567,
        "rows_quarantined": 0,
        "rows_out": 1234000,
        "reason": f"{HOSTILE} (D-16)",
    }
    flow = [{"rules": "corrected", **row}, {"rules": "course", **row, "rows_in": 7654321}]
    facts = {
        "owner": "Kaggle's" if synthetic == "columns" else "the course's",
        "synthetic": {"seed": 1} if synthetic == "data" else None,
        "fabricated": ["prices"] if synthetic == "columns" else [],
    }
    chart = {"name": "orders_by_day", "image": "orders_by_day.png", "question": "Q1", "alt": ALT}
    contents = {
        folders.visualizations / "figures.json": [chart | {"title": f"{HOSTILE} leads"}],
        folders.analysis / "run_facts.json": {
            "rules": "corrected",
            "version": "1.0.0",
            "commit": "0123456789abcdef",
            "date": "2017-01-01",
            "data": {"synthetic": synthetic, "description": "A data set"},
        },
        folders.analysis / "findings.json": [
            {
                "id": "q1_busiest",
                "question": "Q1",
                "headline": f"{HOSTILE} sells most on Saturday",
                "so_what": "So what: two days make a third of all orders.",
                "action": "Advertise midweek.",
                "kind": "description",
                "action_basis": "hypothesis",
                "touches": [],
                "prize": {"what_if": f"{HOSTILE}: 7 orders.", "lever": "", "share_of_spend": 0.1},
                "rests_on": ["invented prices"],
                "owner": "Marketing",
                "confidence": "high",
                "evidence": ["orders_by_day"],
                "figure": "orders_by_day",
                "numbers": {},
            }
        ],
        record_file(folders, "01_import"): {"rules": "corrected", "flow": [], "facts": facts},
        record_file(folders, "03_merge"): {"rules": "corrected", "flow": flow},
        folders.prepared / "merged" / SIDECAR: {"rows": 1234000},
    }
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folders
