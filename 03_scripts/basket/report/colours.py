"""Colours that follow from those of the palette: mixtures, and one ramp for ordered classes."""

from basket.project.settings import Palette

RAMPS = {  # by the number of classes: the share of the hue, and what it is mixed with
    1: ((1.0, "paper"),),
    2: ((0.5, "paper"), (1.0, "paper")),
    3: ((0.45, "paper"), (1.0, "paper"), (0.5, "ink")),
    4: ((0.35, "paper"), (0.7, "paper"), (1.0, "paper"), (0.5, "ink")),
}


def mix(colour: str, other: str, share: float) -> str:
    """Mix a share of a colour with another; all are #RRGGBB."""
    pair = zip(_rgb(colour), _rgb(other), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02X}" for a, b in pair)


def ramp(palette: Palette, classes: int, colour: str = "accent") -> list[str]:
    """Give up to four classes one hue, the last the darkest."""
    base = getattr(palette, colour)
    return [mix(base, getattr(palette, other), share) for share, other in RAMPS[classes]]


def ink_of_named(palette: Palette) -> str:
    """Give the contrasting hue for words: dark enough to be read on paper."""
    return mix(palette.contrast, palette.ink, 0.75)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour.lstrip("#")[i : i + 2], 16) for i in (0, 2, 4))
