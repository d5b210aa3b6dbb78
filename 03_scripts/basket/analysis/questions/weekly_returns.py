"""Q5, last part: on which days after an order customers come back, among those still out.

The hazard of a day is the share of those who have not been back before it that come back on it.

What is selection in it: its level, because every gap of this data ended with an order (the time
after a customer's last order is not in it, and customers with few orders a year were not drawn);
its fall from week to week, because those who order often leave first; and its end, because gaps
stop at 30 days (D-11). What is not: the peaks after whole weeks, because a day is compared with the
two days beside it, when nearly the same customers are still out (D-50).
"""

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import (
    DESIGN,
    DIFFERENCE,
    NO_ACTION,
    Evidence,
    Finding,
    TooLittleData,
    require_histories,
)
from basket.analysis.questions.q05_loyalty import QUESTION, Gaps  # noqa: F401
from basket.analysis.times import estimates, joined
from basket.analysis.verdicts import UNDECIDED
from basket.analysis.words import listed
from basket.project.settings import Settings
from basket.tables.sums import WALL, per

WEEKS = (7, 14, 21, 28)  # days: after these peaks are looked for, and after no others
COLUMNS = [
    *("day", "gaps", "gaps_ended", "gap_hazard", "hazard", "hazard_low", "hazard_high"),
    *("peak_ratio", "peak_ratio_low", "peak_ratio_high", "effective_customers", "reason"),
    "is_peak",
]


def return_hazard(found: Gaps, settings: Settings) -> pd.DataFrame:
    """Follow every gap day by day until the next order: a row per day below 30.

    `gap_hazard` counts each gap once: `gaps_ended` of the `gaps` that lasted until that day.
    `hazard` counts each customer once: a gap weighs 1 / the customer's number of gaps. `peak_ratio`
    is the hazard over that of the two days beside, together; a day after whole weeks is a peak
    where this is above 1, by Bonferroni's correction over these days.
    """
    by_day = np.ascontiguousarray(found.by_days.T)  # days x customers: one day after the other
    by_day = by_day[:, by_day.any(axis=0)]
    if not by_day.size:
        return pd.DataFrame(columns=COLUMNS)
    own = by_day / by_day.sum(axis=0, dtype="int64")  # shares of each customer's gaps
    out = own[::-1].cumsum(axis=0)[::-1]  # that last until the day, or longer
    ended = by_day.sum(axis=1, dtype="int64")
    longer = ended[::-1].cumsum()[::-1]
    hazard = estimates([own[:WALL].T], [out[:WALL].T], settings)
    table = pd.DataFrame(
        {
            "day": np.arange(WALL),
            "gaps": longer[:WALL],
            "gaps_ended": ended[:WALL],
            "gap_hazard": per(ended, longer)[:WALL],
            "hazard": hazard.ratio,
            "hazard_low": hazard.low,
            "hazard_high": np.minimum(hazard.high, 1.0),
        }
    ).join(_peaks(own, out, settings))
    return table.fillna({"reason": "", "is_peak": "no"})[COLUMNS]


def _peaks(own: np.ndarray, out: np.ndarray, settings: Settings) -> pd.DataFrame:
    """Compare the hazard of each day that has two others below 30 beside it with theirs."""
    limits, days = settings.statistics, np.arange(1, WALL - 1)
    peak = joined(  # day by day: the sums of two days are arrays of all customers
        [
            estimates(
                [own[day], out[day - 1] + out[day + 1]],
                [out[day], own[day - 1] + own[day + 1]],
                settings,
            )
            for day in days
        ]
    )
    reason = peak.reason(settings.statistics)
    sure = (peak.p_value * len(WEEKS) < limits.significance) & (peak.ratio > 1) & (reason == "")
    return pd.DataFrame(
        {
            "peak_ratio": np.where(np.isfinite(peak.ratio), peak.ratio, np.nan),
            "peak_ratio_low": peak.low,
            "peak_ratio_high": peak.high,
            "effective_customers": peak.effective_customers,
            "reason": reason,
            "is_peak": np.where(sure & np.isin(days, WEEKS), "yes", "no"),
        },
        index=days,
    )


def hazard_by_day(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the hazard of coming back by day, with what is said of its weekly peaks as the title."""
    require_histories(tables)
    table = _followed(tables)
    proven, _ = _weeks(table)
    shown, left_out = figure.sure_enough(table, "hazard")
    return figure.line(
        shown,
        x="day",
        y="hazard",
        name="return_hazard",
        title=f"Returns peak {listed(proven)} days after an order"
        if proven
        else "No weekly peak of returns is proven",
        subtitle="Share of those not back yet who come back on that day, each customer once, "
        f"active customers, {figure.with_intervals(settings)}{left_out}",
        alt=f"A line by days since the order, from 0 to {WALL - 1}. "
        + (
            f"It peaks at {listed(proven)} days, above the two days beside each."
            if proven
            else "No day after whole weeks is proven to lie above the two days beside it."
        ),
        sources=("return_hazard",),
        x_title="Days since the order",
        y_title="Come back on that day",
        number_format="0.0%",
    )


def whole_weeks(seen: Evidence, settings: Settings) -> Finding:
    """Say after which whole weeks more customers come back than on the days beside."""
    seen.require_histories()
    table = _followed(seen.tables)
    row = seen.row("return_hazard", day=WEEKS[0])
    first, hazard = row.cell("day", "first_day"), row.hazard
    proven, others = (
        [seen.row("return_hazard", day=day).cell("day", f"after_{day}") for day in days]
        for days in _weeks(table)
    )
    return Finding(
        kind=DIFFERENCE if proven else UNDECIDED,
        headline=f"More customers come back {listed(proven)} days after an order than a day "
        "before or later"
        if proven
        else "Whether customers come back in whole weeks is undecided with this data",
        so_what=f"Of the customers who are not back before day {first}, {hazard:.1%} come back on "
        f"it: {_beside(row)}. "
        + (f"A peak after {listed(others)} days is not proven. " if proven and others else "")
        + "Nearly the same customers are still out on neighbouring days, so a peak is what people "
        "do; that fewer come back in later weeks is also who is left.",
        action="Compare returns week by week, not day by day, and plan the days of a reminder's "
        "trial in whole weeks."
        if proven
        else "No action follows.",
        action_basis=DESIGN if proven else NO_ACTION,
        confidence="high" if proven else "low",
        figure="return_hazard",
        change_mind="Dates: they would show whether people keep to a weekday or to a gap.",
    )


def _beside(row) -> str:
    """Compare a day with the two beside it, if there is enough to compare."""
    if row.reason:
        return f"how the days beside it compare cannot be said ({row.reason})"
    ratio, low, high = (row.cell(f"peak_ratio{end}") for end in ("", "_low", "_high"))
    return f"{ratio:.2f} times the share of the days beside it (interval {low:.2f} to {high:.2f})"


def _followed(tables: dict) -> pd.DataFrame:
    table = tables["return_hazard"]
    if table.empty:
        raise TooLittleData("No active customer is known to have come back.")
    if not table["gaps_ended"].any():
        raise TooLittleData("Every gap between orders is as long as a gap can be in this data.")
    return table


def _weeks(table: pd.DataFrame) -> tuple[list[int], list[int]]:
    """Split the days after whole weeks: those that are peaks, and the others."""
    peaks = set(table.loc[table["is_peak"] == "yes", "day"])
    return [day for day in WEEKS if day in peaks], [day for day in WEEKS if day not in peaks]
