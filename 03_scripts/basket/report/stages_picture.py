"""The stages as a picture (SVG), drawn from stages.csv: what each makes, and who takes it."""

from xml.sax.saxutils import escape

from basket.project.settings import Palette
from basket.project.stages import Step
from basket.report.pages.page import label_of

WIDTH, MARGIN, LEFT = 760, 16, 96  # pixels; arcs are drawn left of LEFT
BOX, GAP, LANE, LINE = 56, 26, 22, 17  # height of a box, between boxes, between arcs, of a line
LETTERS = 78  # of a line of names


def stages_picture(stages: dict[str, Step], palette: Palette) -> str:
    """Return the picture: a box for each stage, an arc for what skips the stages between."""
    parts, tops, y = [], {}, MARGIN
    for step in stages.values():
        lines = _wrapped(step.makes)
        tops[step.stage] = (y, max(BOX, 38 + LINE * len(lines)))
        parts += _box(step, lines, tops[step.stage], palette)
        y += tops[step.stage][1] + GAP
    height = y - GAP + MARGIN
    parts += _arrows(stages, tops, palette)
    described = "; ".join(
        f"{step.stage} takes {', '.join(step.takes)} and makes {', '.join(step.makes)}"
        for step in stages.values()
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title about" '
            'font-family="sans-serif">',
            '<title id="title">The stages of the pipeline</title>',
            f'<desc id="about">{escape(described)}.</desc>',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="{palette.muted}"/>'
            "</marker></defs>",
            f'<rect width="{WIDTH}" height="{height}" fill="{palette.paper}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _box(step: Step, lines: list[str], place: tuple[int, int], palette: Palette) -> list[str]:
    """Draw a stage: its name, and below it the names of what it makes."""
    top, height = place
    said = [
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - MARGIN}" height="{height}" rx="6" '
        f'fill="{palette.paper}" stroke="{palette.accent}" stroke-width="2"/>',
        f'<text x="{LEFT + 16}" y="{top + 24}" font-size="16" font-weight="bold" '
        f'fill="{palette.accent}">{escape(label_of(step.stage))}</text>',
    ]
    for number, line in enumerate(lines):
        said.append(
            f'<text x="{LEFT + 16}" y="{top + 44 + LINE * number}" font-size="13" '
            f'fill="{palette.ink}">{escape(line)}</text>'
        )
    return said


def _arrows(stages: dict[str, Step], tops: dict, palette: Palette) -> list[str]:
    """Draw an arrow to the next stage, and an arc on the left to each that is further."""
    names, maker, drawn = list(stages), {}, []
    for step in stages.values():
        maker |= dict.fromkeys(step.makes, step.stage)
    pairs = sorted(
        {
            (maker[made], step.stage)
            for step in stages.values()
            for made in step.takes
            if made in maker
        },
        key=lambda pair: (names.index(pair[1]) - names.index(pair[0]), names.index(pair[0])),
    )
    arcs = 0
    for start, end in pairs:
        bottom, top = sum(tops[start]), tops[end][0]
        style = f'fill="none" stroke="{palette.muted}" stroke-width="1.5" marker-end="url(#tip)"'
        if names.index(end) - names.index(start) == 1:
            drawn.append(f'<path d="M{LEFT + 40} {bottom}V{top}" {style}/>')
            continue
        arcs += 1
        x, leave = LEFT - LANE * arcs, bottom - tops[start][1] // 3
        reach = top + 10 * arcs
        drawn.append(f'<path d="M{LEFT} {leave}H{x}V{reach}H{LEFT}" {style}/>')
    return drawn


def _wrapped(names: tuple[str, ...]) -> list[str]:
    lines = [""]
    for name in names:
        if lines[-1] and len(lines[-1]) + len(name) > LETTERS:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{name}"
    return lines
