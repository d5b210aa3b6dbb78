"""Q3: into which few price ranges all prices can be folded, so that effort has a direction."""

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import SALES, Evidence, Finding, Prize, TooLittleData
from basket.analysis.question import WHEN, Question
from basket.analysis.totals import Counts
from basket.project.settings import Settings
from basket.tables.sums import dollars, per

QUESTION = Question(
    id="Q3",
    title="Price ranges",
    text="Into which few price ranges can all prices be folded, so that effort has a direction?",
    part=WHEN,
)
BANDS = 3
METHODS = ("course", "equal lines", "equal spend")


def price_bands(counts: Counts) -> pd.DataFrame:
    """Compare the course's price ranges with two proposals from the data, active population.

    One row per way to cut and band. `equal lines` cuts where a third and two thirds of the lines
    are reached, `equal spend` the same of the money. `lines_relabelled` counts the lines of the
    method that lie in another band than the course's.
    """
    lines = counts["product"].at("population", "active")["lines"]
    cents = counts.products["price_cents"].to_numpy("float64", na_value=np.nan)
    known = ~np.isnan(cents) & (lines > 0)
    cents, lines = cents[known].astype(np.int64), lines[known]
    course = [float(bound) for bound in counts.settings.flags["price_range"].bounds]
    cuts = {
        "course": course,
        "equal lines": weighted_cuts(cents, lines),
        "equal spend": weighted_cuts(cents, lines * cents),
    }
    course_band = np.searchsorted(course, cents)
    tables = []
    for method in METHODS:
        band = np.searchsorted(cuts[method], cents)
        band_lines = np.bincount(band, lines, BANDS).astype(np.int64)
        band_cents = np.bincount(band, lines * cents, BANDS).astype(np.int64)
        edges = [int(cents.min(initial=0)), *cuts[method], int(cents.max(initial=0))]
        tables.append(
            pd.DataFrame(
                {
                    "method": method,
                    "band": [f"{number} of {BANDS}" for number in range(1, BANDS + 1)],
                    "above_dollars": np.array(edges[:-1]) / 100,
                    "up_to_dollars": np.array(edges[1:]) / 100,
                    "products": np.bincount(band, minlength=BANDS),
                    "lines": band_lines,
                    "share_of_lines": per(band_lines, band_lines.sum()),
                    "spend": dollars(band_cents),
                    "share_of_spend": per(band_cents, band_cents.sum()),
                    "lines_relabelled": int(lines[band != course_band].sum()),
                    "share_relabelled": float(per(lines[band != course_band].sum(), lines.sum())),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def weighted_cuts(values: np.ndarray, weights: np.ndarray) -> list[int]:
    """Values at which a third and two thirds of the weight are reached; two different values."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    if not len(reached) or not reached[-1]:
        return [0, 1]
    first, second = (
        int(values[order][np.searchsorted(reached, reached[-1] * part / BANDS)]) for part in (1, 2)
    )
    return [first, max(second, first + 1)]


def _require_prices(table: pd.DataFrame) -> None:
    if not table["lines"].any():
        raise TooLittleData("No order line of an active customer has a price.")


def money_by_range(tables: dict, settings: Settings) -> figure.Figure:
    """Draw how much of the money lies in each price range, by each way to cut."""
    table = tables["price_bands"]
    _require_prices(table)
    names = {f"{number} of {BANDS}": name for number, name in enumerate(("low", "mid", "high"), 1)}
    data = table.pivot(index="method", columns="band", values="share_of_spend")[list(names)]
    data = data.rename(columns=names).rename_axis(columns=None).reindex(METHODS)
    usual = data.loc["course"]
    return figure.stacked_bars(
        data.rename(index={"course": "usual cuts"}).reset_index(),
        x="method",
        series=list(names.values()),
        name="price_bands",
        title=f"The usual mid range holds {usual['mid']:.0%} of all money",
        subtitle="Share of spend in three price ranges, by three ways to cut, active customers",
        alt=f"Stacked bars: with the usual cuts the mid range holds {usual['mid']:.0%} of spend "
        f"and the high range {usual['high']:.1%}.",
        sources=("price_bands",),
        x_title="Where prices are cut",
        y_title="Share of spend",
    )


def price_ranges(seen: Evidence, settings: Settings) -> Finding:
    """Say which simple price ranges direct effort."""
    _require_prices(seen.tables["price_bands"])

    def band(method: str, number: int):
        return seen.row("price_bands", method=method, band=f"{number} of {BANDS}")

    middle, even = band("course", 2), band("equal spend", 1)
    lines = middle.cell("share_of_lines", "middle_lines")
    spend = middle.cell("share_of_spend", "middle_spend")
    money = middle.cell("spend", "middle_dollars")
    first = band("course", 1).cell("up_to_dollars", "course_cut_1")
    second = middle.cell("up_to_dollars", "course_cut_2")
    top_spend = band("course", 3).cell("share_of_spend", "high_spend")
    low = even.cell("up_to_dollars", "equal_spend_low")
    high = band("equal spend", 2).cell("up_to_dollars", "equal_spend_high")
    moved = even.cell("share_relabelled", "relabelled")
    return Finding(
        headline=f"The usual mid range holds {spend:.0%} of all money; cuts at ${low:.2f} and "
        f"${high:.2f} would split it evenly",
        so_what=f"The usual ranges (cuts at ${first:g} and ${second:g}) put {lines:.0%} of the "
        f"order lines into one range and {top_spend:.1%} of the money into the highest, so they "
        f"hardly direct effort. The even cuts move {moved:.0%} of the lines to another range.",
        action="Plan by the ranges of equal spend; keep the usual ones for comparison.",
        prize=Prize(what_if=f"${money:,.0f} of spend lies in the usual mid range."),
        owner=SALES,
        confidence="medium",
        figure="price_bands",
        change_mind="Margins by product: ranges of equal profit would serve better.",
    )
