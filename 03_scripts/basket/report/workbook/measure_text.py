"""How wide a text is in Arial, and where it breaks into lines: Excel says neither."""

import re

from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from basket.project.errors import BasketError

TEXT_SIZE = 10
POINTS_PER_PIXEL = 0.75
LONGEST_TEXT = 32_767
UNWANTED = re.compile(f"{ILLEGAL_CHARACTERS_RE.pattern}|[\ud800-\udfff\ufffe\uffff]")
# Widths of Arial's characters, in thousandths of the size; what is not listed counts as `WIDE`.
WIDTHS = {
    character: width
    for width, characters in {
        191: "'",
        222: "ijl’",
        260: "|",
        278: " !,./:;I[\\]ft·",
        333: "()-`r“”",
        334: "{}",
        355: '"',
        389: "*",
        469: "^",
        500: "Jcksvxyz",
        556: "#$0123456789?L_abdeghnopqu–é",
        584: "+<=>~×",
        604: "●○",
        611: "FTZ",
        667: "&ABEKPSVXY",
        722: "CDHNRUw",
        778: "GOQ",
        833: "Mm",
        889: "%",
        944: "W",
    }.items()
    for character in characters
}
WIDE = 1000
BOLDER = 1.07
LINE = 1.27  # height of a line, in sizes


def clean_text(text: str) -> str:
    """Remove the characters that a workbook cannot hold."""
    cleaned = UNWANTED.sub("", text)
    if len(cleaned) > LONGEST_TEXT:
        raise BasketError(
            f"a text of {len(cleaned):,} characters does not fit into a cell of the "
            f"workbook ({LONGEST_TEXT:,}): {cleaned[:60]} …"
        )
    return cleaned


def text_width(text: str, size: float = TEXT_SIZE, bold: bool = False) -> float:
    """Return the width of a text in pixels."""
    thousandths = sum(WIDTHS.get(character, WIDE) for character in text)
    return thousandths / 1000 * size / POINTS_PER_PIXEL * (BOLDER if bold else 1)


def wrap(text: str, pixels: float, size: float = TEXT_SIZE, bold: bool = False) -> list[str]:
    """Cut a text into lines of at most `pixels`; a word too long is cut as well."""
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if text_width(longer, size, bold) <= pixels:
                line = longer
                continue
            if line:
                lines.append(line)
            while text_width(word, size, bold) > pixels and len(word) > 1:
                fits = max(1, int(len(word) * pixels / text_width(word, size, bold)))
                lines.append(word[:fits])
                word = word[fits:]  # noqa: PLW2901 (what is left of the word)
            line = word
        lines.append(line)
    return lines or [""]
