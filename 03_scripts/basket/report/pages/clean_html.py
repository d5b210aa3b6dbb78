"""HTML of a notebook's cells, reduced to what a page may hold, its tables made readable."""

import re
from functools import cache
from urllib.parse import urlsplit

import mistune
from bs4 import BeautifulSoup
from bs4.element import PreformattedString, Tag

from basket.report.pages.page import PageError

REMOVED = [
    "script", "style", "template", "iframe", "object", "embed", "svg", "math", "head", "form",
    "input", "button", "select", "textarea", "audio", "video", "link", "meta", "base",
]  # fmt: skip
PLAIN = [
    "h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "em", "strong", "b", "i", "del", "sub",
    "sup", "code", "pre", "blockquote", "ul", "ol", "li", "dl", "dt", "dd", "table", "caption",
    "thead", "tbody", "tfoot", "tr",
]  # fmt: skip
KEPT_ATTRIBUTES = {
    **dict.fromkeys(PLAIN, ()),
    "a": ("href",),
    "img": ("src", "alt"),
    "th": ("colspan", "rowspan"),
    "td": ("colspan", "rowspan"),
}
LINK_SCHEMES = ("", "http", "https", "mailto")
NUMBER = re.compile(r"[-+\u2212]?\$?\d[\d,]*(\.\d+)?(e[-+]?\d+)?\s?%?|NaN|<NA>|N/A")
PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?")
NOT_KNOWN = ("NaN", "<NA>", "N/A")
MISSING, NOTHING = ("NaN", "<NA>"), "\u2013"  # as pandas shows it, and as a page does
IDENTIFIERS = ("_id", "_key")  # numbers in name only
MOST_DECIMALS = 4
WIDEST_CELL = 60  # characters; a longer text breaks into lines
NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def markdown_to_html(source: str) -> str:
    """Turn Markdown, which may hold tables and HTML of its own, into HTML that is not yet clean."""
    return _markdown_parser()(NOT_TEXT.sub("\ufffd", source))


@cache
def _markdown_parser() -> mistune.Markdown:
    return mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])


def clean_html(html: str, where: str) -> BeautifulSoup:
    """Reduce the HTML of a cell to the tags and attributes that a page may hold."""
    soup = BeautifulSoup(html, "html.parser")
    for string in soup.find_all(string=lambda string: isinstance(string, PreformattedString)):
        string.extract()
    for tag in soup.find_all(REMOVED):
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


def box_tables(soup: BeautifulSoup, seen: int = 0) -> int:
    """Put each table into a box of its own that scrolls sideways; return how many were seen."""
    for table in soup.find_all("table"):
        if not table.find_parent("table"):
            seen += 1
            drop_row_numbers(table)
            describe_cells(table)
            label = {"aria-label": f"Table {seen}", "tabindex": "0"}
            table.wrap(soup.new_tag("div", attrs={"class": "scroll", "role": "region", **label}))
    return seen


def drop_row_numbers(table: Tag) -> None:
    """Drop the first column where it only numbers the rows, as pandas does: without a name."""
    rows = [row.find_all(["th", "td"], recursive=False) for row in table.find_all("tr")]
    cells = [row[0] for row in rows if row]
    heads = [cell for cell in cells if cell.find_parent("thead")]
    others = [cell for cell in cells if not cell.find_parent("thead")]
    if any(cell.has_attr("colspan") or cell.has_attr("rowspan") for cell in cells) or not others:
        return
    if all(not head.get_text().strip() for head in heads) and all(
        cell.name == "th" and cell.get_text().strip().isdecimal() for cell in others
    ):
        for cell in cells:
            cell.extract()


def describe_cells(table: Tag) -> None:
    """Say what each heading cell is the heading of, and set numbers to the right."""
    rows = [
        (row.find_parent("thead") is not None, row.find_all(["th", "td"], recursive=False))
        for row in table.find_all("tr")
    ]
    for in_head, cells in rows:
        for cell in cells:
            _describe_cell(cell, in_head)
    spans = ("colspan", "rowspan")
    if any(cell.has_attr(span) for _, cells in rows for cell in cells for span in spans):
        return
    body = [cells for in_head, cells in rows if not in_head]
    for head in (cells for in_head, cells in rows if in_head):
        for position, cell in enumerate(head):
            below = [cells[position] for cells in body if position < len(cells)]
            if below and all(other.get("class") == "number" for other in below):
                cell["class"] = "number"
                continue
            are_texts = (
                other.get_text().strip() and other.get("class") != "number" for other in below
            )
            for other in below if any(are_texts) else ():
                if other.get_text().strip() in NOT_KNOWN:
                    del other["class"]  # align what is missing among texts as they are
    names = [cell.get_text().strip() for in_head, cells in rows[:1] if in_head for cell in cells]
    for cells in body:
        for position, cell in enumerate(cells):
            header = names[position] if position < len(names) else ""
            named = (header, cells[0].get_text().strip())
            is_identifier = any(name.endswith(IDENTIFIERS) for name in named)
            text = cell.get_text().strip()
            if text in MISSING:
                cell.string = NOTHING
            elif cell.get("class") == "number" and not is_identifier:
                cell.string = readable(text)


def readable(number: str) -> str:
    """Write a number as people read it: thousands apart, and few decimals."""
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
