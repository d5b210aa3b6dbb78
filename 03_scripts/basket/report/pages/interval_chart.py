"""Charts of the explorer: rows with a level, a ratio with its interval, and a verdict.

A chart is worked out here, in numbers and words; the template draws it as SVG, which escapes every
word. Nothing is drawn but what the rows say.
"""

from dataclasses import dataclass, field
from math import exp, log

import pandas as pd

from basket.analysis.privacy import SUPPRESSED
from basket.analysis.verdicts import (
    BY_DEFINITION,
    NOTHING_TO_COMPARE,
    ONE_CUSTOMER,
    SIZES,
    TOO_FEW,
    UNDECIDED,
)
from basket.report.pages.clean_html import NOT_TEXT

WIDTH, PLOT = 400, 205  # of a chart, and of the part of it where ratios are drawn
BAR = 340  # the longest
ROW, AXIS = 38, 22  # heights
EDGE = 6  # of the plot, so that a dot at its end is whole
LONGEST_NAME = 40  # characters
MOST = 8.0  # times: ratios beyond it, or its inverse, end at the edge
TICKS = ((1.0,), (0.5, 2.0), (0.25, 4.0), (0.75, 1.5), (0.8, 1.2))  # those with room, in order
APART = 42  # ticks from each other
TIMES = 2.0  # a change that may be so large is told as times, not in per cent
NOT_KNOWN = "N/A"
PROVEN = "proven"  # to differ, by a size that is not
SHORT = {
    TOO_FEW: "few customers",
    ONE_CUSTOMER: "one customer's",
    NOTHING_TO_COMPARE: "too little",
    BY_DEFINITION: "defines the group",
}


@dataclass
class Row:
    """A row: its name, its level as text, its ratio with an interval, its verdict as text.

    Without a ratio it may have a bar, whose length is a share of the longest.
    """

    name: str
    level: str = ""
    ratio: tuple[float, float, float] | None = None
    verdict: str = ""
    is_sure: bool = False
    bar: float | None = None


@dataclass
class Chart:
    """A chart: what it shows, its rows, and where each thing is drawn."""

    title: str
    rows: list[Row]
    band: float = 1.0  # ratios up to it, and down to its inverse, are too small to matter
    reach: float = field(init=False)

    def __post_init__(self):
        """Make the scale as wide as the rows need."""
        ends = [abs(log(end)) for row in self.rows if row.ratio for end in row.ratio if end > 0]
        self.reach = min(max([log(1.25), *ends]), log(MOST))

    @property
    def compares(self) -> bool:
        """Whether any row has a ratio, and so the chart an axis."""
        return any(row.ratio for row in self.rows)

    @property
    def height(self) -> int:
        """Height of the drawing."""
        return ROW * len(self.rows) + (AXIS if self.compares else 0)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places on the axis, and what stands there: how much more or less."""
        ends, shown = exp(self.reach), []
        for pair in TICKS:  # of less and of more: both or neither
            within = all(1 / ends <= tick <= ends for tick in pair)
            places = [self.x(tick) for tick in pair]
            if within and all(abs(at - other) >= APART for at in places for other, _ in shown):
                said = [f"{tick:g} times" if tick >= TIMES else as_change(tick) for tick in pair]
                shown += zip(places, said, strict=True)
        return sorted(shown)

    def x(self, ratio: float) -> float:
        """Place of a ratio in the plot, on a logarithmic scale with 1 in its middle."""
        at = max(-self.reach, min(self.reach, log(ratio))) if ratio > 0 else -self.reach
        return round(EDGE + (PLOT - 2 * EDGE) * (at / self.reach + 1) / 2, 1)

    @property
    def alt(self) -> str:
        """Say the chart in words, for those who cannot see it."""
        said = [
            f"{row.name}: {row.level}" + f" ({row.verdict})" * bool(row.verdict)
            for row in self.rows
        ]
        return f"{self.title}. {'; '.join(said)}"


def row_of(name, level: str, ratio: tuple, verdict: str, reason: str = "") -> Row:
    """Make a row from the cells of a table; what is suppressed or unknown is said, not drawn."""
    if SUPPRESSED in (level, *ratio):
        return Row(one_line(name), SUPPRESSED)
    numbers = [None if pd.isna(one) or one == "" else float(one) for one in ratio]
    if None in numbers:
        return Row(one_line(name), level, None, _of_no_ratio(verdict, reason))
    at, low, high = numbers
    if high >= TIMES:
        text = f"{as_times(at)} times ({as_times(low)} to {as_times(high)})"
    else:
        text = f"{as_change(at)} ({as_change(low)} to {as_change(high)})"
    level = " · ".join(filter(None, (level, text)))
    is_sure = verdict in (*SIZES, PROVEN)
    if is_sure:
        size = f": {verdict}" * (verdict != PROVEN)
        verdict = f"{'higher' if at > 1 else 'lower'}{size}"
    elif verdict == UNDECIDED and reason:
        verdict = f"undecided: {SHORT.get(reason, reason)}"
    return Row(one_line(name), level, (at, low, high), verdict, is_sure)


def _of_no_ratio(verdict: str, reason: str) -> str:
    """Say why a row has no ratio: its reason, or that nobody compared it."""
    if not verdict:
        return "not compared"
    return f"undecided: {SHORT.get(reason, reason)}" if reason else UNDECIDED


def bars(title: str, names: list, numbers: list, form: str) -> Chart:
    """Make a chart of bars from 0, for what is counted and not estimated."""
    known = [None if pd.isna(one) or one == "" else float(one) for one in numbers]
    most = max(filter(None, known), default=1.0)
    rows = [
        Row(one_line(name), as_level(one, form), bar=None if one is None else one / most)
        for name, one in zip(names, known, strict=True)
    ]
    return Chart(title, rows)


def as_level(number, form: str) -> str:
    """Write a level; what is suppressed or unknown is said."""
    if isinstance(number, str) and number == SUPPRESSED:
        return SUPPRESSED
    return NOT_KNOWN if number is None or pd.isna(number) or number == "" else form.format(number)


def as_change(ratio: float) -> str:
    """Write a ratio as a change: 1.1 is +10%."""
    change = round(100 * (ratio - 1))
    return f"+{change}%" if change > 0 else f"\u2212{-change}%" if change else "0%"


def as_times(ratio: float) -> str:
    """Write a ratio as it is, as far as the axis reaches at most."""
    if ratio > MOST:
        return f"over {MOST:g}"
    return f"{ratio:.2f}" if ratio >= 1 / MOST else f"under {1 / MOST:.2f}"


def one_line(name) -> str:
    """Put a name on a line that is not too long; it may come from the data, with anything in it."""
    text = " ".join(NOT_TEXT.sub("\ufffd", str(name)).split())
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
