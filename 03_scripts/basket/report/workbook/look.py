"""Colours, fonts and lines of the sheets."""

from dataclasses import dataclass

from openpyxl.styles import Border, PatternFill, Side
from openpyxl.styles import Font as UnorderedFont

from basket.project.settings import Settings
from basket.report.colours import mix
from basket.report.workbook.measure_text import TEXT_SIZE

FONT = "Arial"


class Font(UnorderedFont):
    """A font that is written in the order that the file format asks for."""

    tagname = UnorderedFont.tagname
    __attrs__, __nested__ = UnorderedFont.__attrs__, UnorderedFont.__nested__
    __elements__ = (
        "b", "i", "strike", "condense", "extend", "outline", "shadow", "u", "vertAlign", "sz",
        "color", "name", "family", "charset", "scheme",
    )  # fmt: skip


@dataclass(frozen=True)
class Look:
    """Colours, fonts and lines of the sheets, from the palette in settings."""

    settings: Settings

    def colour(self, name: str) -> str:
        """Return a colour of the palette, as FFRRGGBB: the first two say that it is opaque."""
        return "FF" + getattr(self.settings.palette, name).lstrip("#")

    def font(self, colour: str = "ink", size: float = TEXT_SIZE, **more) -> Font:
        """Return a font in one of the palette's colours."""
        return Font(name=FONT, size=size, color=self.colour(colour), **more)

    def fill(self, colour: str, share: float = 1) -> PatternFill:
        """Return a fill in a tint of one of the palette's colours."""
        palette = self.settings.palette
        tint = "FF" + mix(getattr(palette, colour), palette.paper, share).lstrip("#")
        return PatternFill("solid", start_color=tint, end_color=tint)

    def side(self, colour: str = "grid", style: str = "thin") -> Side:
        """Return a line in one of the palette's colours."""
        return Side(style=style, color=self.colour(colour))

    @property
    def under(self) -> Border:
        """A thin line below."""
        return Border(bottom=self.side())
