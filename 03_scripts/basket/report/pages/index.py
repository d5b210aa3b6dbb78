"""The index page: the findings first, then stages with their rows, figures and tables."""

import re
from pathlib import Path
from urllib.parse import quote

from basket.analysis.questions import QUESTIONS, number_of
from basket.project.files import SIDECAR, read_json
from basket.project.folders import Folders
from basket.project.settings import Settings
from basket.project.stages import graph, record_file
from basket.report.pages.notebook import headings_of
from basket.report.pages.page import Heading, banner_of, label_of, write_page
from basket.tables import completeness
from basket.tables.result_csv import read_csv

COUNTS = ("rows_in", "rows_added", "rows_removed", "rows_quarantined", "rows_out")


def write_index(folders: Folders, settings: Settings) -> Path:
    """Write index.html: the findings first, then stages with their rows, figures and tables."""
    facts = read_json(folders.run_facts, {})
    page, sections = folders.notebooks / "index.html", ("findings", "stages", "figures", "tables")
    content = {
        "made_from": "index",
        "banner": banner_of(folders),
        "contents": [Heading(2, text.capitalize(), text) for text in sections],
        "data_description": facts.get("data", {}).get("description", ""),
        **{name: facts.get(name, "") for name in ("rules", "version", "date")},
        "commit": facts.get("commit", "")[:12],
        "about": facts.get("data", {}).get("about", {}),
        "warning": _warning(folders),
        "findings": _findings(folders),
        "stages": [_stage(folders, name) for name in graph()],
        "counts": COUNTS,
        "figures": _figures(folders),
        "tables": sorted(path.name for path in folders.tables.glob("*.csv")),
    }
    write_page(page, "index.html.j2", settings, content)
    return page


def _warning(folders: Folders) -> str:
    """Say that histories are incomplete, where stage 05 has found it."""
    table = folders.tables / "completeness.csv"
    return completeness.warning(read_csv(table)) if table.is_file() else ""


def _findings(folders: Folders) -> list[dict]:
    """List the findings, each with its figure and the section of the page that shows it."""
    headings = headings_of(folders.notebooks / "05_visualise.ipynb")
    keys = ("headline", "so_what", "action", "owner", "confidence", "rests_on", "evidence")
    return [
        {key: finding.get(key) or "" for key in keys}
        | {
            "href": _section_of(finding, headings),
            "figure": _figure_of(finding, folders),
            "question": _question(finding),
        }
        for finding in read_json(folders.analysis / "findings.json", [])
    ]


def _question(finding: dict) -> str:
    """Name the question that a finding answers: Q1 Busiest times."""
    name = finding.get("question", "")
    return f"{name} {QUESTIONS[name].title}" if name in QUESTIONS else name


def _figure_of(finding: dict, folders: Folders) -> str:
    """Find the file of a finding's figure, when it has one."""
    file = f"{finding.get('figure')}.png"
    return file if (folders.visualizations / file).is_file() else ""


def _section_of(finding: dict, headings: list[Heading]) -> str:
    """Link to the section whose heading names the finding's question, such as Q4."""
    code = re.match(r"Q\d+", f"{finding.get('question', '')}")
    for heading in headings:
        if code and re.search(rf"\b{code.group()}\b", heading.text):
            return f"05_visualise.html#{quote(heading.id)}"
    return "05_visualise.html"


def _stage(folders: Folders, name: str) -> dict:
    """Say what the index shows of a stage; the rows are those of the rules in force."""
    record = read_json(record_file(folders, name), {})
    flow = [row for row in record.get("flow", []) if row["rules"] in (record["rules"], "any")]
    step = graph()[name]
    return {
        "name": name,
        "label": label_of(name),
        "flow": flow,
        "takes": [_with_rows(folders, table) for table in step.takes],
        "makes": [_with_rows(folders, table) for table in step.makes],
    }


def _with_rows(folders: Folders, table: str) -> str:
    """Say how many rows a table has, or how many tables, figures and findings stage 05 made."""
    many = {
        "tables": lambda: len(list(folders.tables.glob("*.csv"))),
        "visualizations": lambda: len(_figures(folders)),
        "findings": lambda: len(read_json(folders.analysis / "findings.json", [])),
    }
    if table in many:
        return f"{table} ({many[table]()})"
    rows = read_json(folders.prepared / table / SIDECAR, {}).get("rows")
    return table if rows is None else f"{table} ({rows:,} rows)"


def _figures(folders: Folders) -> list[dict]:
    """List the figures, each under its title where figures.json gives one."""
    records = read_json(folders.visualizations / "figures.json", [])
    records = {record["image"]: record for record in records}
    found = []
    for path in sorted(folders.visualizations.glob("*.png")):
        record = records.get(path.name, {})
        title = record.get("title") or path.stem.replace("_", " ")
        found.append({"file": path.name, "question": record.get("question", ""), "title": title})
    return sorted(found, key=lambda figure: number_of(figure["question"]))
