"""The page of an executed notebook.

A page is one file that makes no request and runs no script; its content security policy says so.
Notebooks are rendered with the parts that nbconvert is made of, not with its templates: those load
scripts, put styles into attributes, and read "$5 to $10" as a formula.
"""

import ast
import base64
import json
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from bs4 import BeautifulSoup
from bs4.element import Tag
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers.python import PythonLexer

from basket.project.folders import ROOT
from basket.report.pages.clean_html import NOT_TEXT, box_tables, clean_html, markdown_to_html
from basket.report.pages.current import folders_around, made_from
from basket.report.pages.decisions import link_codes
from basket.report.pages.page import (
    Heading,
    PageError,
    banner_of,
    notes_of,
    settings_of_run,
    write_page,
)

IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
CONTENTS_LEVELS = (2, 3)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")
KERNEL_FILE = re.compile(r"\S*ipykernel_\d+[\\/]\d+\.py")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
MACHINERY = "machinery"  # tag of a cell whose section is folded: how it was done, no answer


def render(executed: Path) -> Path:
    """Write a notebook's page beside it, whole or not at all; an image without alt: PageError."""
    settings, page = settings_of_run(), executed.with_suffix(".html")
    notebook = NotebookPage(executed)
    content = {
        "made_from": made_from(executed, settings),
        "banner": banner_of(folders_around(executed)),
        "notes": notes_of(folders_around(executed)),
        "title": notebook.headings[0].text,
        "contents": [one for one in notebook.headings if one.level in CONTENTS_LEVELS],
        "sections": notebook.sections(),
    }
    write_page(page, "notebook.html.j2", settings, content)
    return page


@dataclass
class NotebookPage:
    """An executed notebook as the template needs it: title, headings and cells."""

    executed: Path
    only_texts: bool = False
    cells: list[dict] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    tables: int = 0
    figures: int = 0

    def __post_init__(self):
        """Read the notebook and prepare its cells one after another."""
        notebook = json.loads(self.executed.read_bytes())
        for number, cell in enumerate(notebook["cells"], start=1):
            where = f"{self.executed.name}: cell {number}"
            source = _text(cell["source"])
            if cell["cell_type"] == "markdown":
                self._add_text(source, where, MACHINERY in cell["metadata"].get("tags", []))
            elif self.only_texts or cell["cell_type"] != "code":
                continue
            elif source.strip() or cell["outputs"]:
                outputs = list(self._outputs(cell, where))
                switch = not any(one["kind"] == "code" for one in self.cells)
                self.cells.append(_code(source, cell) | {"outputs": outputs, "has_switch": switch})
        if not (self.headings and self.headings[0].level == 1):
            raise PageError(f"{self.executed.name}: does not open with a heading '# …', its title")

    def _add_text(self, source: str, where: str, is_machinery: bool) -> None:
        """Add a cell of Markdown; one that opens with a heading of level 2 opens a section."""
        soup = self._markdown(source, where)
        opens = isinstance(soup.find(True), Tag) and soup.find(True).name == "h2"
        title = Markup(str(soup.h2.extract())) if opens and is_machinery else ""
        html = Markup(str(soup).strip())
        self.cells.append({"kind": "markdown", "html": html, "opens": opens, "fold": title})

    def sections(self) -> list[dict]:
        """Return the cells in sections; `fold` is the title of one that is folded, else empty."""
        found = [{"fold": "", "cells": []}]
        for cell in self.cells:
            if cell.get("opens"):
                found.append({"fold": cell["fold"], "cells": []})
            found[-1]["cells"].append(cell)
        return found

    def _markdown(self, source: str, where: str) -> BeautifulSoup:
        soup = clean_html(markdown_to_html(source), where)
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

    def _finished(self, soup: BeautifulSoup) -> BeautifulSoup:
        """Link the decisions, and put the tables into boxes."""
        link_codes(soup)
        self.tables = box_tables(soup, self.tables)
        return soup

    def _outputs(self, cell: dict, where: str) -> Iterator[dict]:
        for output in _joined_streams(cell["outputs"]):
            if output["output_type"] == "stream":
                kind = "stderr" if output["name"] == "stderr" else "text"
                yield {"kind": kind, "text": self._stable(output["text"])}
            elif output["output_type"] == "error":
                lines = output["traceback"] or [f"{output['ename']}: {output['evalue']}"]
                yield {"kind": "error", "text": self._stable("\n".join(lines))}
            else:
                yield self._data(output, where)

    def _data(self, output: dict, where: str) -> dict:
        """Choose the best of the forms in which a cell gave its result."""
        data = output["data"]
        for mime in IMAGES:
            if mime in data:
                self.figures += 1
                shown = _image(mime, data[mime], output.get("metadata", {}).get(mime, {}), where)
                return shown | {"number": self.figures}
        if "text/html" in data:
            soup = clean_html(self._stable(_text(data["text/html"])), where)
            return {"kind": "html", "html": Markup(str(self._finished(soup)).strip())}
        if "text/markdown" in data:
            soup = self._markdown(_text(data["text/markdown"]), where)
            return {"kind": "html", "html": Markup(str(soup).strip())}
        return {"kind": "text", "text": self._stable(_text(data.get("text/plain", "")))}

    def _stable(self, text: str) -> str:
        """Remove colour codes from a text, and what differs from run to run."""
        text = OVERWRITTEN.sub("", ANSI.sub("", text))
        text = ADDRESS.sub("0x…", KERNEL_FILE.sub("cell.py", text))
        for folder in (folders_around(self.executed).out, ROOT):
            text = text.replace(f"{folder}{os.sep}", "")
        return NOT_TEXT.sub("\ufffd", text)


def headings_of(executed: Path) -> list[Heading]:
    """List the headings in the texts of a notebook; none when there is no such notebook."""
    return NotebookPage(executed, only_texts=True).headings if executed.is_file() else []


def _text(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


def _code(source: str, cell: dict) -> dict:
    """Show the code of a cell, folded: under its first line, or as the parameters of this run."""
    tags = cell["metadata"].get("tags", [])
    injected = "injected-parameters" in tags
    default = "Default parameters" if "parameters" in tags else "Code"
    return {
        "kind": "code",
        "summary": "Parameters of this run" if injected else default,
        "first_line": _first_line(source),
        "code": _highlighted(source) if source.strip() else "",
    }


def _first_line(source: str) -> str:
    """Find the first line that does something: no comment, no import."""
    lines = source.splitlines()
    try:
        body = ast.parse(source).body
        does = [one for one in body if not isinstance(one, ast.Import | ast.ImportFrom)]
    except (SyntaxError, ValueError):  # a command of IPython, or what no program can hold
        does = []
    return lines[does[0].lineno - 1] if does else next(filter(str.strip, lines), "")


def _highlighted(source: str) -> Markup:
    source = NOT_TEXT.sub("\ufffd", source)
    return Markup(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip("\n"))


def _joined_streams(outputs: list[dict]) -> Iterator[dict]:
    """Join text that arrived in pieces: where it is cut is chance."""
    for name, group in groupby(outputs, key=lambda output: output.get("name")):
        if name is None:
            yield from group
        else:
            pieces = list(group)
            yield {**pieces[0], "text": "".join(_text(piece["text"]) for piece in pieces)}


def _image(mime: str, content: str | list[str], metadata: dict, where: str) -> dict:
    """Put an image inside the page, with its alternative text."""
    alt = str(metadata.get("alt", "")).strip()
    if not alt:
        raise PageError(
            f"{where}: a figure has no alternative text; show it with "
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
        "caption": str(metadata.get("caption", "")).strip(),
        "width": width,
        "height": height,
    }
