"""The decisions as a page, and the way to them from wherever a page quotes one: D-09."""

import re
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup
from markupsafe import Markup, escape

from basket.project.folders import Folders
from basket.project.settings import Settings
from basket.report.pages.clean_html import box_tables, clean_html, markdown_to_html
from basket.report.pages.page import DECISIONS, Heading, write_page

PAGE = "decisions.html"
DECISION = r"D-(?:\d\d|[1-9]\d{2,})\b"
CODE = re.compile(rf"\b{DECISION}")
TITLE = re.compile(rf"^## ({DECISION})", re.MULTILINE)
ANCHOR = re.compile(r"#(d-\d+)-.*")  # as a code host makes it of a title
NOT_LINKED = ["a", "code", "pre", "h1", "h2", "h3", "h4", "h5", "h6"]


def write_decisions(folders: Folders, settings: Settings) -> Path:
    """Write decisions.html: every decision under its code, which is its anchor."""
    soup = clean_html(markdown_to_html(DECISIONS.read_text(encoding="utf-8")), DECISIONS.name)
    soup.table.decompose()  # the page has a list of its own
    for link in soup.find_all("a", href=ANCHOR):
        link["href"] = ANCHOR.sub(lambda found: f"#{found[1].upper()}", link["href"])
    contents = []
    for title in soup.find_all("h2"):
        text = title.get_text()
        contents.append(Heading(2, text, CODE.match(text)[0]))
        title["id"] = contents[-1].id
    link_codes(soup, "")
    box_tables(soup)
    page = folders.notebooks / PAGE
    content = {"made_from": "decisions", "contents": contents, "text": Markup(str(soup))}
    write_page(page, "decisions.html.j2", settings, content)
    return page


@cache
def known_codes() -> frozenset[str]:
    """Return the codes of all decisions: no other is linked."""
    return frozenset(TITLE.findall(DECISIONS.read_text(encoding="utf-8")))


def linked(text: str, page: str = PAGE) -> Markup:
    """Escape a text, and link each decision that it quotes."""
    return Markup(CODE.sub(lambda found: _link(found[0], page), str(escape(text))))


def link_codes(soup: BeautifulSoup, page: str = PAGE) -> None:
    """Link each decision that a text quotes, but for code, headings and what is linked already."""
    for string in soup.find_all(string=CODE):
        if not string.find_parent(NOT_LINKED):
            string.replace_with(BeautifulSoup(linked(string, page), "html.parser"))


def _link(code: str, page: str) -> str:
    return f'<a href="{page}#{code}">{code}</a>' if code in known_codes() else code
