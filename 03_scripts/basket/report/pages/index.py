"""The index page: the story on a page or two, then limits, stages, figures and tables."""

import base64
import csv
import re
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from basket.analysis.finding import HYPOTHESIS, NOT_ANSWERED
from basket.analysis.questions import QUESTIONS
from basket.analysis.words import listed
from basket.project import git
from basket.project.dictionary import result_column
from basket.project.files import SIDECAR, read_json
from basket.project.folders import Folders
from basket.project.settings import Settings
from basket.project.stages import graph, record_file
from basket.report.pages.decisions import linked
from basket.report.pages.notebook import headings_of
from basket.report.pages.page import Heading, banner_of, label_of, notes_of, write_page
from basket.report.workbook.ranking import by_worth, ranked, to_leave
from basket.report.workbook.sheet_monday import caveat, first_actions, governing_thought, what_pays
from basket.report.workbook.sheet_summary import of_lever
from basket.tables import completeness
from basket.tables.audit import COUNTS
from basket.tables.result_csv import read_csv

SECTIONS = ("questions", "limits", "stages", "figures", "tables")
MOST_ACTIONS = MOST_FIGURES = 3
MOST_COLUMNS = 5  # of a table, that its line names
PAPER = "05_visualise.html"


def write_index(folders: Folders, settings: Settings) -> Path:
    """Write index.html: what to do first and why, each question's answer, then what is behind."""
    facts = read_json(folders.run_facts, {})
    findings = read_json(folders.analysis / "findings.json", [])
    figures = _figures(folders)
    story = _story(folders, settings, findings, figures)
    shown = [action["figure"] for action in story["actions"] if action["figure"]]
    shown += story["further"]
    page = folders.notebooks / "index.html"
    content = {
        "made_from": "index",
        "banner": banner_of(folders),
        "notes": notes_of(folders),
        "contents": [Heading(2, text.capitalize(), text) for text in SECTIONS],
        "data_description": facts.get("data", {}).get("description", ""),
        **{name: facts.get(name, "") for name in ("rules", "version", "date")},
        "commit": git.in_words(facts.get("commit", "")[:12], facts.get("dirty", False)),
        "about": facts.get("data", {}).get("about", {}),
        "warning": _warning(folders),
        "smallest_group": settings.privacy.smallest_group,
        **story,
        "answers": _answers(folders, findings),
        "stages": [_stage(folders, name) for name in graph()],
        "counts": COUNTS,
        "above": _listed(shown),
        "figures": [figure for figure in figures if figure not in shown],
        "tables": [_table(path) for path in sorted(folders.tables.glob("*.csv"))],
        "linked": linked,
    }
    write_page(page, "index.html.j2", settings, content)
    return page


def _warning(folders: Folders) -> str:
    """Say that histories are incomplete, where stage 05 has found it."""
    return "".join(completeness.warning(table) for table in _completeness(folders).values())


def _completeness(folders: Folders) -> dict[str, pd.DataFrame]:
    """Read the table completeness, by its name, if this run has got so far."""
    path = folders.tables / "completeness.csv"
    return {"completeness": read_csv(path)} if path.is_file() else {}


# ---- the story --------------------------------------------------------------------------------


def _story(folders: Folders, settings: Settings, findings: list[dict], figures: list[dict]) -> dict:
    """Say what the sheet Monday says: the thought, three actions, what to leave, what it rests on.

    Each action stands beside its finding's figure; actions without one, beside the next in rank.
    """
    if not findings:
        nothing = {"caveat": "", "actions": [], "further": [], "leave": []}
        return nothing | {"thought": "No findings yet."}
    levers = _levers(folders)
    chosen = first_actions(findings, levers)[:MOST_ACTIONS]
    named = [finding["figure"] for finding, _ in chosen]
    named += [finding["figure"] for finding in ranked(findings, levers)]
    drawn = {figure["name"]: figure for figure in figures}
    shown = [drawn[name] for name in dict.fromkeys(named) if name in drawn][:MOST_FIGURES]
    own = {name: drawn[name] for name in named[: len(chosen)] if name in drawn}
    spare = [figure for figure in shown if figure["name"] not in own]
    actions = []
    for finding, lever in chosen:
        figure = own.pop(finding["figure"], None) or (spare.pop(0) if spare else None)
        prize = (finding["prize"] or {}).get("what_if") or "Not sized."
        prize = prize if lever is None else of_lever(lever)
        actions.append(
            {
                "do": finding["action"],
                "because": finding["headline"].rstrip("."),
                "prize": prize,
                "fact": finding["confidence"],
                "basis": "to be tried" if finding["action_basis"] == HYPOTHESIS else "a plan",
                "figure": figure,
            }
        )
    said = caveat(findings, _completeness(folders)), what_pays(findings, levers)
    return {
        "thought": governing_thought(findings, levers),
        "caveat": " ".join(filter(None, said)),
        "actions": actions,
        "further": spare,
        "leave": [finding["action"] for finding in to_leave(findings)[:MOST_ACTIONS]],
    }


def _listed(figures: list[dict]) -> str:
    """Say which figures stand in the story: Figure 2 stands; Figures 2 and 5 stand."""
    numbers = sorted(figure["number"] for figure in figures)
    if len(numbers) < 2:
        return "".join(f"Figure {number} stands" for number in numbers)
    return f"Figures {listed(numbers)} stand"


def _levers(folders: Folders) -> pd.DataFrame:
    path = folders.tables / "prizes.csv"
    return by_worth(read_csv(path) if path.is_file() else None)


def _answers(folders: Folders, findings: list[dict]) -> list[dict]:
    """List the questions with their answers; one reason that leaves several open stands once."""
    headings = headings_of(folders.notebooks / "05_visualise.ipynb")
    answers: list[dict] = []
    open_questions: dict[str, list[dict]] = {}
    for name, question in QUESTIONS.items():
        found = [finding for finding in findings if finding["question"] == name]
        answered = [finding for finding in found if finding["kind"] != NOT_ANSWERED]
        asked = {"id": name, "title": question.title, "href": _section_of(name, headings)}
        if answered:
            answers.append({"asked": [asked], "found": answered})
        for finding in found:
            if finding["kind"] == NOT_ANSWERED:
                open_questions.setdefault(finding["headline"], []).append(asked)
    for headline, asked in open_questions.items():
        once = list({one["id"]: one for one in asked}.values())
        answers.append({"asked": once, "found": [{"headline": headline, "confidence": ""}]})
    return answers


def _section_of(question: str, headings: list[Heading]) -> str:
    """Link to the section of 05 whose heading names a question, such as Q4."""
    for heading in headings:
        if re.search(rf"\b{re.escape(question)}\b", heading.text):
            return f"{PAPER}#{quote(heading.id)}"
    return PAPER


# ---- what is behind ---------------------------------------------------------------------------


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
        "visualizations": lambda: len(list(folders.visualizations.glob("*.png"))),
        "findings": lambda: len(read_json(folders.analysis / "findings.json", [])),
    }
    if table in many:
        return f"{table} ({many[table]()})"
    rows = read_json(folders.prepared / table / SIDECAR, {}).get("rows")
    return table if rows is None else f"{table} ({rows:,} rows)"


def _figures(folders: Folders) -> list[dict]:
    """List the figures with their pictures, numbered as in 05."""
    found = []
    for record in read_json(folders.visualizations / "figures.json", []):
        picture = (folders.visualizations / record["image"]).read_bytes()
        found.append(
            {
                "name": record["name"],
                "number": len(found) + 1,
                "source": f"data:image/png;base64,{base64.b64encode(picture).decode()}",
                **{name: record[name] for name in ("image", "question", "title", "alt")},
            }
        )
    return found


def _table(path: Path) -> dict:
    """Say of a result table in a line how many rows it has, what a row is, and what it tells."""
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    keys = [name for name in names if result_column(name).key]
    told = [name for name in names if name not in keys]
    more = ", …" if len(told) > MOST_COLUMNS else ""
    words = [name.replace("_", " ") for name in told[:MOST_COLUMNS]]
    by = f" by {', '.join(name.replace('_', ' ') for name in keys)}" if keys else ""
    count = "1 row" if len(rows) == 1 else f"{len(rows):,} rows"
    return {"file": path.name, "line": f"{count}{by}: {', '.join(words)}{more}"}
