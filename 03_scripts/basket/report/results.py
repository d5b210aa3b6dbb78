"""What a run has found, as a page that a code host shows: RESULTS.md, and the README's findings.

`make example` alone writes them, of generated data: they must never publish a client's numbers.
"""

import re
from urllib.parse import quote

import pandas as pd

from basket.analysis.finding import NO_ACTION
from basket.analysis.questions import QUESTIONS
from basket.project.origin import BANNERS
from basket.project.settings import POPULATION_FLAG, Settings
from basket.project.stages import graph
from basket.report.workbook.material import Material
from basket.report.workbook.ranking import by_worth
from basket.report.workbook.sheet_monday import caveat, first_actions, governing_thought, what_pays
from basket.report.workbook.sheet_notes import glossary
from basket.report.workbook.shown_findings import BASIS, CONFIDENCE, FACT

IN_README = 3  # findings
MARKS = re.compile(r"([\\`*_\[\]<>$|])")  # Markdown, and the formulas of a code host


def results_page(material: Material, place: str, settings: Settings) -> str:
    """Return RESULTS.md: each question with its answers and figures, linked to what they rest on.

    `place` is the folder of the example, as a link from the page. Terms stand at the end.
    """
    facts = material.facts
    banner = BANNERS[facts["data"]["synthetic"]]
    findings, levers = material.findings, _levers(material)
    thought = governing_thought(findings, levers)
    rests_on = f"{caveat(findings, material.tables)} {what_pays(findings, levers)}".rstrip()
    lines = [
        "# Results",
        "",
        f"> **{facts['data']['description']}**, {banner.text} As of {facts['date']}.",
        "",
        f"**{_plain(thought)}** {_plain(rests_on)}",
        "",
        _doors(place),
        "",
        "`make example` writes this page and all that it links, from the data set that comes with "
        "the project. Nobody edits it by hand.",
        "",
        "| question | answer | fact |",
        "|---|---|---|",
    ]
    for finding in material.findings:
        question = QUESTIONS[finding["question"]]
        name = f"{question.id} {question.title}"
        link = f"[{name}](#{anchor(name)})"
        confidence = CONFIDENCE[finding["confidence"]]
        lines.append(f"| {link} | {_plain(finding['headline'])} | {confidence} |")
    for name, question in QUESTIONS.items():
        lines += ["", f"## {name} {question.title}", "", question.text, ""]
        lines += _answers(material, name, place)
    populations = settings.flags[POPULATION_FLAG].wording
    lines += ["", "## Terms", "", f"{FACT} Populations: {populations}."]
    lines += ["", *(f"- **{term}**: {_plain(text)}" for term, text in glossary(settings).items())]
    return "\n".join(lines) + "\n"


def first_findings(material: Material, place: str) -> str:
    """Return the README's findings: those behind the first actions of Monday that have a figure."""
    drawn = {figure.name for figure in material.figures}
    chosen = [one for one, _ in first_actions(material.findings, _levers(material))]
    shown = [finding for finding in chosen if finding["figure"] in drawn][:IN_README]
    parts = [
        f"**{_plain(finding['headline'].rstrip('.'))}.** {_plain(finding['action'])}\n\n"
        f"{_picture(material, finding['figure'], place)}"
        for finding in shown
    ]
    return "\n\n".join(parts)


def anchor(heading: str) -> str:
    """Return the anchor that a code host gives a heading: "Q1 Loyalty" has q1-loyalty."""
    kept = "".join(one for one in heading.lower() if one.isalnum() or one in " -_")
    return kept.replace(" ", "-")


def _levers(material: Material) -> pd.DataFrame:
    return by_worth(material.tables.get("prizes"))


def _doors(place: str) -> str:
    notebooks = ", ".join(f"[{stage}]({place}/{stage}.ipynb)" for stage in graph())
    return (
        f"- the report: [instacart_final_report.xlsx]({place}/instacart_final_report.xlsx)\n"
        f"- the notebooks, executed: {notebooks}\n"
        f"- to download and open in a browser: [index.html]({place}/index.html)\n"
        f"- every number: [tables]({place}/tables), described by "
        f"[datapackage.json]({place}/datapackage.json)\n"
        "- how it was found: [the method](01_project_management/method.md), "
        "[the decisions](01_project_management/decisions.md)"
    )


def _answers(material: Material, question: str, place: str) -> list[str]:
    """Say what a question's findings say, then show its figures."""
    lines = []
    for finding in material.findings:
        if finding["question"] != question:
            continue
        said, whose = [f"Fact: {CONFIDENCE[finding['confidence']]}"], ""
        if finding["action_basis"] != NO_ACTION:
            said.append(f"action: {BASIS[finding['action_basis']].lower()}")
            whose = f"*{finding['owner']}, do this:* "
        if finding["rests_on"]:
            said.append(f"rests on: {', '.join(finding['rests_on'])}")
        tables = ", ".join(f"[{name}]({place}/tables/{name}.csv)" for name in finding["evidence"])
        evidence = f" Evidence: {tables}." if tables else ""
        prize = (finding["prize"] or {}).get("what_if", "")
        lines += [
            f"**{_plain(finding['headline'].rstrip('.'))}.** {_plain(finding['so_what'])}",
            "",
            f"{whose}{_plain(finding['action'])} {_plain(prize)}".rstrip(),
            "",
            f"{'; '.join(said)}.{evidence}",
            "",
        ]
    figures = [one.name for one in material.figures if one.spec["question"] == question]
    for name in figures:
        lines += [_picture(material, name, place), ""]
    return lines[:-1]


def _picture(material: Material, name: str, place: str) -> str:
    figure = next(one for one in material.figures if one.name == name)
    return f"![{_plain(figure.spec['alt'])}]({place}/visualizations/{quote(name)}.png)"


def _plain(text: str) -> str:
    """Escape what Markdown would take for a mark."""
    return MARKS.sub(r"\\\1", text)
