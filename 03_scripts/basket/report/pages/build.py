"""The pages: HTML of each executed notebook, and the index that links them and all else.

A page is one file that makes no request and runs no script; its content security policy says so.
Notebooks are rendered with the parts that nbconvert is made of, not with its templates: those load
scripts, put styles into attributes, and read "$5 to $10" as a formula.
"""

import ast
import base64
import hashlib
import json
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, urlsplit

import mistune
from bs4 import BeautifulSoup
from bs4.element import PreformattedString, Tag
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers.python import PythonLexer

from basket.analysis.questions import QUESTIONS, number_of
from basket.project.errors import BasketError
from basket.project.folders import ROOT, Folders, Inputs
from basket.project.settings import Settings, load_settings
from basket.project.stages import SIDECAR, graph

TEMPLATES = Path(__file__).parent / "templates"
PARTS = ("beautifulsoup4", "jinja2", "mistune", "pygments")  # nbconvert brings them
IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
CONTENTS_LEVELS = (2, 3)
WIDEST_CELL = 60  # characters; a longer text breaks into lines
COUNTS = ("rows_in", "rows_added", "rows_removed", "rows_quarantined", "rows_out")
BANNERS = {
    "data": {
        "title": "SYNTHETIC DATA",
        "text": "Every number here comes from a generated data set, not from real customers.",
    },
    "columns": {
        "title": "SYNTHETIC COLUMNS",
        "text": "The prices and the customers are fabricated; nothing is recommended from them.",
    },
}

REMOVED = {
    "script",
    "style",
    "template",
    "iframe",
    "object",
    "embed",
    "svg",
    "math",
    "head",
    "form",
    "input",
    "button",
    "select",
    "textarea",
    "audio",
    "video",
    "link",
    "meta",
    "base",
}
KEPT_ATTRIBUTES = {
    **dict.fromkeys(
        [
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "p",
            "br",
            "hr",
            "em",
            "strong",
            "b",
            "i",
            "del",
            "sub",
            "sup",
            "code",
            "pre",
            "blockquote",
            "ul",
            "ol",
            "li",
            "dl",
            "dt",
            "dd",
            "table",
            "caption",
            "thead",
            "tbody",
            "tfoot",
            "tr",
        ],
        (),
    ),
    "a": ("href",),
    "img": ("src", "alt"),
    "th": ("colspan", "rowspan"),
    "td": ("colspan", "rowspan"),
}
LINK_SCHEMES = ("", "http", "https", "mailto")
NUMBER = re.compile(r"[-+\u2212]?\$?\d[\d,]*(\.\d+)?(e[-+]?\d+)?\s?%?|NaN|<NA>|N/A")
PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?")
NOT_KNOWN = ("NaN", "<NA>", "N/A")
IDENTIFIERS = ("_id", "_key")  # numbers in name only
MOST_DECIMALS = 4
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")
KERNEL_FILE = re.compile(r"\S*ipykernel_\d+[\\/]\d+\.py")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class PageError(BasketError, ValueError):
    """A notebook that cannot be shown as it should, such as a figure without a text for it."""


@dataclass(frozen=True)
class Heading:
    """A heading of a page, as its contents list shows it."""

    level: int
    text: str
    id: str


# ---- the pages of the notebooks ---------------------------------------------------------------


def render(executed: Path) -> Path:
    """Write a notebook's page beside it, whole or not at all; an image without alt: PageError."""
    settings = settings_of_run()
    notebook = NotebookPage(executed)
    _write(
        executed.with_suffix(".html"),
        "notebook.html.j2",
        settings,
        {
            "made_from": made_from(executed, settings),
            "banner": banner_of(folders_around(executed)),
            "title": notebook.title,
            "contents": notebook.contents,
            "cells": notebook.cells,
        },
    )
    return executed.with_suffix(".html")


def is_current(executed: Path) -> bool:
    """Whether the page was made from exactly this notebook, with this code and these settings."""
    try:
        with executed.with_suffix(".html").open(encoding="utf-8") as file:
            return f'content="{made_from(executed, settings_of_run())}"' in file.read(2_000)
    except (OSError, UnicodeDecodeError):
        return False


def settings_of_run() -> Settings:
    """The settings of the run that started this process, else the checkout's."""
    return load_settings(Inputs.received().settings)


def made_from(executed: Path, settings: Settings) -> str:
    """Hash of all that a notebook's page depends on."""
    digest = hashlib.sha256(_hash_of_renderer().encode())
    for content in (
        settings.palette.model_dump(),
        settings.report.model_dump(),
        list(graph()),
        banner_of(folders_around(executed)),
    ):
        digest.update(json.dumps(content, sort_keys=True).encode())
    digest.update(executed.read_bytes())
    return digest.hexdigest()


@cache
def _hash_of_renderer() -> str:
    """Hash of this module, its templates and the packages that do the work."""
    digest = hashlib.sha256(" ".join(f"{part} {version(part)}" for part in PARTS).encode())
    for path in [Path(__file__), *sorted(TEMPLATES.glob("*.j2"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def folders_around(executed: Path) -> Folders:
    """The folders of the run that executed a notebook."""
    return Folders(executed.resolve().parents[2])


def banner_of(folders: Folders) -> dict | None:
    """What every page says first when the data, or a part of it, is made up.

    Stage 01 recorded it; the facts of the run, written before stage 06, say it where it did not.
    """
    recorded = _read_json(folders.prepared / "01_import.json", {}).get("facts", {})
    if "synthetic" in recorded:
        made_up = (
            "data" if recorded["synthetic"] else "columns" if recorded.get("fabricated") else "no"
        )
    else:
        facts = _read_json(folders.analysis / "run_facts.json", {})
        made_up = facts.get("data", {}).get("synthetic")
    return BANNERS.get(made_up)


@dataclass
class NotebookPage:
    """An executed notebook as the template takes it: title, headings and cells."""

    executed: Path
    cells: list[dict] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    tables: int = 0

    def __post_init__(self):
        """Read the notebook and prepare its cells one after another."""
        notebook = json.loads(self.executed.read_bytes())
        for number, cell in enumerate(notebook["cells"], start=1):
            where = f"{self.executed.name}: cell {number}"
            source = _text(cell["source"])
            if cell["cell_type"] == "markdown":
                self.cells.append({"kind": "markdown", "html": self._markdown(source, where)})
            elif cell["cell_type"] == "code" and (source.strip() or cell["outputs"]):
                self.cells.append(
                    {
                        "kind": "code",
                        "has_switch": False,
                        **_code(source, cell),
                        "outputs": list(self._outputs(cell, where)),
                    }
                )
        if not (self.headings and self.headings[0].level == 1):
            raise PageError(f"{self.executed.name}: does not open with a heading '# …', its title")
        for cell in [cell for cell in self.cells if cell["kind"] == "code"][:1]:
            cell["has_switch"] = True

    @property
    def title(self) -> str:
        """The notebook's first heading."""
        return self.headings[0].text

    @property
    def contents(self) -> list[Heading]:
        """The headings that the contents list shows."""
        return [heading for heading in self.headings if heading.level in CONTENTS_LEVELS]

    def _markdown(self, source: str, where: str) -> Markup:
        soup = _clean_html(_markdown_to_html(source), where)
        for tag in soup.find_all(["h1", "h2", "h3", "h4", "h5", "h6"]):
            heading = self._next_heading(int(tag.name[1]), " ".join(tag.get_text().split()))
            tag.name, tag["id"] = f"h{heading.level}", heading.id
        for paragraph in soup.find_all("p"):
            if paragraph.get_text().startswith("Contents:"):
                paragraph.decompose()  # the page has a list of its own
        return self._finished(soup)

    def _next_heading(self, level: int, text: str) -> Heading:
        """Add a heading: one of level 1 per page, no level left out, each id once."""
        above = self.headings[-1].level if self.headings else 0
        level = max(min(level, above + 1), 2 if self.headings else 1)
        name = text.replace(" ", "-") or "section"  # as Jupyter does: the notebooks link to it
        taken = {heading.id for heading in self.headings} | {"content", "all-code"}
        number, unique = 2, name
        while unique in taken:
            number, unique = number + 1, f"{name}-{number}"
        self.headings.append(Heading(level, text, unique))
        return self.headings[-1]

    def _finished(self, soup: BeautifulSoup) -> Markup:
        """The HTML with each table in a box of its own that scrolls sideways."""
        for table in soup.find_all("table"):
            if table.find_parent("table"):
                continue
            self.tables += 1
            _describe_cells(table)
            table.wrap(
                soup.new_tag(
                    "div",
                    attrs={
                        "class": "scroll",
                        "role": "region",
                        "aria-label": f"Table {self.tables}",
                        "tabindex": "0",
                    },
                )
            )
        return Markup(str(soup).strip())

    def _outputs(self, cell: dict, where: str) -> Iterator[dict]:
        for output in _joined_streams(cell["outputs"]):
            if output["output_type"] == "stream":
                kind = "stderr" if output["name"] == "stderr" else "text"
                yield {"kind": kind, "text": self._stable(output["text"])}
            elif output["output_type"] == "error":
                said = output["traceback"] or [f"{output['ename']}: {output['evalue']}"]
                yield {"kind": "error", "text": self._stable("\n".join(said))}
            else:
                yield self._data(output, where)

    def _data(self, output: dict, where: str) -> dict:
        """The best of the forms in which a cell gave its result."""
        data = output["data"]
        for mime in IMAGES:
            if mime in data:
                return _image(mime, data[mime], output.get("metadata", {}).get(mime, {}), where)
        if "text/html" in data:
            soup = _clean_html(self._stable(_text(data["text/html"])), where)
            return {"kind": "html", "html": self._finished(soup)}
        if "text/markdown" in data:
            return {"kind": "html", "html": self._markdown(_text(data["text/markdown"]), where)}
        return {"kind": "text", "text": self._stable(_text(data.get("text/plain", "")))}

    def _stable(self, text: str) -> str:
        """The text without colour codes and without what differs from run to run."""
        text = OVERWRITTEN.sub("", ANSI.sub("", text))
        text = ADDRESS.sub("0x…", KERNEL_FILE.sub("cell.py", text))
        for folder in (folders_around(self.executed).out, ROOT):
            text = text.replace(f"{folder}{os.sep}", "")
        return NOT_TEXT.sub("\ufffd", text)


def headings_of(executed: Path) -> list[Heading]:
    """The headings of a notebook's page; none when there is no such notebook."""
    return NotebookPage(executed).headings if executed.is_file() else []


def _text(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


def _code(source: str, cell: dict) -> dict:
    """The code of a cell: folded, except for the parameters of this run."""
    tags = cell["metadata"].get("tags", [])
    injected = "injected-parameters" in tags
    return {
        "summary": "Parameters of this run"
        if injected
        else "Default parameters"
        if "parameters" in tags
        else "Code",
        "open": injected,
        "first_line": _first_line(source),
        "code": _highlighted(source) if source.strip() else "",
    }


def _first_line(source: str) -> str:
    """The first line that does something: no comment, no import."""
    lines = source.splitlines()
    try:
        does = [
            one
            for one in ast.parse(source).body
            if not isinstance(one, ast.Import | ast.ImportFrom)
        ]
    except (SyntaxError, ValueError):  # a command of IPython, or what no program can hold
        does = []
    return lines[does[0].lineno - 1] if does else next(filter(str.strip, lines), "")


def _highlighted(source: str) -> Markup:
    return Markup(
        highlight(NOT_TEXT.sub("\ufffd", source), PythonLexer(), HtmlFormatter(nowrap=True)).rstrip(
            "\n"
        )
    )


@cache
def _markdown_parser() -> mistune.Markdown:
    return mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])


def _markdown_to_html(source: str) -> str:
    return _markdown_parser()(NOT_TEXT.sub("\ufffd", source))


def _joined_streams(outputs: list[dict]) -> Iterator[dict]:
    """The outputs, with text that arrived in pieces put together: where it is cut is chance."""
    waiting: dict | None = None
    for output in outputs:
        same = waiting and output["output_type"] == "stream" and output["name"] == waiting["name"]
        if same:
            waiting["text"] += _text(output["text"])
            continue
        if waiting:
            yield waiting
        waiting = None
        if output["output_type"] == "stream":
            waiting = {**output, "text": _text(output["text"])}
        else:
            yield output
    if waiting:
        yield waiting


def _image(mime: str, content: str | list[str], metadata: dict, where: str) -> dict:
    """An image inside the page, with the text that stands for it."""
    alt = str(metadata.get("alt", "")).strip()
    if not alt:
        raise PageError(
            f"{where}: a figure has no text that stands for it; show it with "
            'display(figure, metadata={"image/png": {"alt": "…"}})'
        )
    content = _text(content)
    if mime == "image/svg+xml":
        content = base64.b64encode(content.encode()).decode()
    content = "".join(content.split())
    width = height = None
    if mime == "image/png":
        width, height = struct.unpack(">II", base64.b64decode(content[:32])[16:24])
    return {
        "kind": "image",
        "source": f"data:{mime};base64,{content}",
        "alt": alt,
        "width": width,
        "height": height,
    }


def _clean_html(html: str, where: str) -> BeautifulSoup:
    """HTML of a cell, reduced to the tags and attributes that a page may hold."""
    soup = BeautifulSoup(html, "html.parser")
    for string in soup.find_all(string=lambda string: isinstance(string, PreformattedString)):
        string.extract()
    for tag in soup.find_all(list(REMOVED)):
        tag.extract()
    for tag in soup.find_all(True):
        if tag.name in KEPT_ATTRIBUTES:
            kept = KEPT_ATTRIBUTES[tag.name]
            tag.attrs = {name: value for name, value in tag.attrs.items() if name in kept}
            _check_target(tag, where)
        else:
            tag.unwrap()
    return soup


def _check_target(tag: Tag, where: str) -> None:
    """Drop a link that could run something; refuse an image that is elsewhere or says nothing."""
    if tag.name == "a" and urlsplit(tag.get("href", "").strip()).scheme.lower() not in LINK_SCHEMES:
        del tag["href"]
    if tag.name == "img" and not (
        tag.get("src", "").startswith("data:image/") and tag.get("alt", "").strip()
    ):
        raise PageError(f"{where}: an image must be part of the notebook and have an alt text")


def _describe_cells(table: Tag) -> None:
    """Say what each heading cell is the heading of, and set numbers to the right."""
    rows = [
        (row.find_parent("thead") is not None, row.find_all(["th", "td"], recursive=False))
        for row in table.find_all("tr")
    ]
    for in_head, cells in rows:
        for cell in cells:
            _describe_cell(cell, in_head)
    if any(
        cell.has_attr("colspan") or cell.has_attr("rowspan") for _, cells in rows for cell in cells
    ):
        return
    body = [cells for in_head, cells in rows if not in_head]
    for head in (cells for in_head, cells in rows if in_head):
        for position, cell in enumerate(head):
            below = [cells[position] for cells in body if position < len(cells)]
            if below and all(other.get("class") == "number" for other in below):
                cell["class"] = "number"
            elif any(
                other.get_text().strip() and other.get("class") != "number" for other in below
            ):
                for other in below:
                    if other.get_text().strip() in NOT_KNOWN:
                        del other["class"]  # what is missing among texts stands as they do
    names = [cell.get_text().strip() for in_head, cells in rows[:1] if in_head for cell in cells]
    for cells in body:
        for position, cell in enumerate(cells):
            named = (names[position] if position < len(names) else "", cells[0].get_text().strip())
            if cell.get("class") == "number" and not any(
                name.endswith(IDENTIFIERS) for name in named
            ):
                cell.string = readable(cell.get_text().strip())


def readable(number: str) -> str:
    """A number as people read it: thousands apart, and no decimals that nobody looks at."""
    if not PLAIN_NUMBER.fullmatch(number):
        return number
    whole, _, decimals = number.lstrip("-").partition(".")
    sign = "-" if number.startswith("-") else ""
    if len(decimals) > MOST_DECIMALS and round(float(number), MOST_DECIMALS):
        return f"{float(number):,.{MOST_DECIMALS}f}"
    return f"{sign}{int(whole):,}{'.' if decimals else ''}{decimals}"


def _describe_cell(cell: Tag, in_head: bool) -> None:
    text = cell.get_text().strip()
    if cell.name == "th" and not text:
        cell.name = "td"
    elif cell.name == "th":
        cell["scope"] = "col" if in_head else "row"
    elif NUMBER.fullmatch(text):
        cell["class"] = "number"
    elif len(text) > WIDEST_CELL:
        cell["class"] = "words"


# ---- the index --------------------------------------------------------------------------------


def write_index(folders: Folders, settings: Settings) -> Path:
    """Write index.html: the findings first, then stages with their rows, figures and tables."""
    facts = _read_json(folders.analysis / "run_facts.json", {})
    findings = _findings(folders)
    contents = [
        Heading(2, text.capitalize(), text) for text in ("findings", "stages", "figures", "tables")
    ]
    _write(
        folders.notebooks / "index.html",
        "index.html.j2",
        settings,
        {
            "made_from": "index",
            "banner": banner_of(folders),
            "contents": contents,
            "data_description": facts.get("data", {}).get("description", ""),
            "rules": facts.get("rules", ""),
            "version": facts.get("version", ""),
            "commit": facts.get("commit", "")[:12],
            "date": facts.get("date", ""),
            "findings": findings,
            "stages": [_stage(folders, name) for name in graph()],
            "counts": COUNTS,
            "figures": _figures(folders),
            "tables": sorted(path.name for path in folders.tables.glob("*.csv")),
        },
    )
    return folders.notebooks / "index.html"


def _findings(folders: Folders) -> list[dict]:
    """The findings, each with its figure and the section of the page that shows it."""
    headings = headings_of(folders.notebooks / "05_visualise.ipynb")
    keys = ("headline", "so_what", "action", "owner", "confidence", "evidence")
    return [
        {key: finding.get(key) or "" for key in keys}
        | {
            "href": _section_of(finding, headings),
            "figure": _figure_of(finding, folders),
            "question": _question(finding),
        }
        for finding in _read_json(folders.analysis / "findings.json", [])
    ]


def _question(finding: dict) -> str:
    """The question that a finding answers: Q1 Busiest times."""
    name = finding.get("question", "")
    return f"{name} {QUESTIONS[name].title}" if name in QUESTIONS else name


def _figure_of(finding: dict, folders: Folders) -> str:
    """The file of a finding's figure, when it has one."""
    stem = Path(finding.get("figure") or "").stem
    return next(
        (figure["file"] for figure in _figures(folders) if Path(figure["file"]).stem == stem), ""
    )


def _section_of(finding: dict, headings: list[Heading]) -> str:
    """Link to the section whose heading names the finding's question, such as Q4."""
    code = re.match(r"Q\d+", f"{finding.get('question', '')}")
    for heading in headings:
        if code and re.search(rf"\b{code.group()}\b", heading.text):
            return f"05_visualise.html#{quote(heading.id)}"
    return "05_visualise.html"


def _stage(folders: Folders, name: str) -> dict:
    """What the index says of a stage; the rows are those of the rules in force."""
    record = _read_json(folders.prepared / f"{name}.json", {})
    flow = [row for row in record.get("flow", []) if row["rules"] in (record["rules"], "any")]
    step = graph()[name]
    return {
        "name": name,
        "label": _label(name),
        "flow": flow,
        "takes": [_with_rows(folders, table) for table in step.takes],
        "makes": [_with_rows(folders, table) for table in step.makes],
    }


def _with_rows(folders: Folders, table: str) -> str:
    """A table with its rows; the tables, figures and findings of stage 05 with their number."""
    many = {
        "tables": lambda: len(list(folders.tables.glob("*.csv"))),
        "visualizations": lambda: len(_figures(folders)),
        "findings": lambda: len(_read_json(folders.analysis / "findings.json", [])),
    }
    if table in many:
        return f"{table} ({many[table]()})"
    rows = _read_json(folders.prepared / table / SIDECAR, {}).get("rows")
    return table if rows is None else f"{table} ({rows:,} rows)"


def _figures(folders: Folders) -> list[dict]:
    """The figures, each under its title where figures.json gives one."""
    records = {
        record["image"]: record
        for record in _read_json(folders.visualizations / "figures.json", [])
    }
    files = sorted(path.name for path in folders.visualizations.glob("*.png"))
    return [
        {
            "file": file,
            "question": records.get(file, {}).get("question", ""),
            "title": records.get(file, {}).get("title") or Path(file).stem.replace("_", " "),
        }
        for file in sorted(files, key=lambda file: _place(records.get(file, {})))
    ]


def _place(record: dict) -> int:
    return number_of(record.get("question", ""))


# ---- what both share --------------------------------------------------------------------------


def _write(path: Path, template: str, settings: Settings, content: dict) -> None:
    """Fill a template and write the page whole or not at all."""
    templates = _templates()
    css = templates.get_template("page.css.j2").render(settings.palette.model_dump())
    css_hash = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    page = templates.get_template(template).render(
        css=Markup(css),
        policy=f"default-src 'none'; style-src 'sha256-{css_hash}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        language=settings.report.language,
        report=settings.report,
        here=path.name,
        pages=[{"href": "index.html", "label": "Index"}]
        + [{"href": f"{name}.html", "label": _label(name)} for name in graph()],
        **content,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    os.replace(partial, path)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def _label(stage: str) -> str:
    """`04_derive_flags` as people read it: 04 Derive flags."""
    number, _, words = stage.partition("_")
    return f"{number} {words.replace('_', ' ').capitalize()}"


def _read_json(path: Path, otherwise):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return otherwise
