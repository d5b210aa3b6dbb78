"""The week as a grid: days by parts of the day, with fewer or more orders than usual."""

from decimal import Decimal

import pandas as pd

from basket.analysis.measures import orders_in
from basket.analysis.privacy import PUBLISHED_POPULATION, SUPPRESSED
from basket.analysis.words import listed, per_cent, span
from basket.project.settings import Settings
from basket.report.workbook.page import Page
from basket.tables.sums import HOURS

USUAL = "as usual"
SHADES = {-2: ("contrast", 0.32), -1: ("contrast", 0.14), 1: ("accent", 0.14), 2: ("accent", 0.32)}
NOTHING_SOLD, NOBODY = "nothing proven", "no segment confirmed"


def write_week(page: Page, tables: dict[str, pd.DataFrame], settings: Settings) -> None:
    """Write the grid, the quietest windows and what sells more in each part of the day."""
    page.section("The week: when orders are few, when they are many")
    shares = orders_against_usual(tables["orders_by_day_hour"], settings)
    if shares is None:
        page.text("This data holds no orders to lay out over a week.")
        return
    steps = settings.statistics.effects.ratio
    page.text(
        "Orders an hour against the average hour of the week. Days that read alike share a row. "
        f"{legend(steps)} "
        "Where orders are few, an advertisement can be tried; whether it brings orders, a trial "
        "tells.",
        colour="muted",
    )
    page.space(4)
    classes, frame = grid(shares, steps)
    sells = what_sells(tables.get("department_times"), settings)
    frame.loc[len(frame)] = ["Sells more then", *sells]
    frame.loc[len(frame)] = ["Who orders more", *who_orders(tables.get("segments"), settings)]
    headings = {0: "Day"}  # no text: a part of the day may be called Day
    place = page.table("ad_week", frame, headings=headings, bold_first=True, filters=False)
    for row, line in enumerate(classes, place.first):
        for column, shade in enumerate(line, 2):
            if shade:
                page.sheet.cell(row, column).fill = page.look.fill(*SHADES[shade])
    said = quietest(tables.get("quiet_windows"), settings)
    if said:
        page.space(4)
        page.text(said, bold=True)


def orders_against_usual(orders: pd.DataFrame, settings: Settings) -> pd.DataFrame | None:
    """Return orders an hour by day and part of the day; 1 is the average hour of the week.

    Active customers; a cell without orders is 0. None without any order.
    """
    of = orders[orders["population"] == PUBLISHED_POPULATION]
    if of.empty or not of["orders"].sum():
        return None
    names = list(settings.dayparts)
    parts = pd.Series([names[place] for place in settings.daypart_of_hour()])  # of each hour
    hours = parts.value_counts()
    cells = of.groupby([of["day"], of["hour"].map(parts)])["orders"].sum().unstack(fill_value=0)
    cells = cells.reindex(index=range(7), columns=list(settings.dayparts), fill_value=0)
    usual = of["orders"].sum() / (7 * HOURS)
    found = cells / hours[cells.columns].to_numpy() / usual
    return found.set_axis(settings.day_names, axis=0)


def legend(steps: list[float]) -> str:
    """Say from where on orders are more, or fewer.

    A fewer is the inverse of a more, rounded to per cent, or as exactly as its step is given.
    """
    said = []
    for step in (steps[0], steps[2]):
        decimals = max(2, -Decimal(str(step)).as_tuple().exponent)
        said.append((per_cent(step - 1), per_cent(round(1 - 1 / step, decimals))))
    (more, fewer), (far_more, far_fewer) = said
    return (
        f"More: from {more}; far more: from {far_more}; "
        f"fewer: from {fewer}; far fewer: from {far_fewer}."
    )


def grid(shares: pd.DataFrame, steps: list[float]) -> tuple[list[tuple[int, ...]], pd.DataFrame]:
    """Put days of the same classes into one row; return the classes and the sentences."""
    alike: dict[tuple[int, ...], list[str]] = {}
    for day, row in shares.iterrows():
        alike.setdefault(tuple(class_of(value, steps) for value in row), []).append(str(day))
    rows = []
    for classes, days in alike.items():
        cells = [
            in_words(shade, shares.loc[days, part], steps)
            for shade, part in zip(classes, shares, strict=True)
        ]
        rows.append([_days(days, list(shares.index)), *cells])
    return list(alike), pd.DataFrame(rows, columns=[0, *shares.columns])


def class_of(ratio: float, steps: list[float]) -> int:
    """Class a ratio: -2 and 2 are far from 1, by the thresholds of effects."""
    if ratio >= 1:
        return 2 if ratio >= steps[2] else int(ratio >= steps[0])
    return -2 if ratio <= 1 / steps[2] else -int(ratio <= 1 / steps[0])


def in_words(shade: int, ratios: pd.Series, steps: list[float]) -> str:
    """Say a class with the range of its values: `far fewer: 53% to 68% fewer`.

    A value that rounding would put into the next class has a decimal more.
    """
    if not shade:
        return USUAL
    direction = "more" if shade > 0 else "fewer"
    next_class = (steps[2] - 1) if shade > 0 else (1 - 1 / steps[2])
    said_of = set()
    for far in (abs(one - 1) for one in ratios):
        seems_next = abs(shade) == 1 and round(far, 2) >= round(next_class, 2)
        said_of.add(f"{far:.{1 if seems_next else 0}%}")
    ends = sorted(said_of, key=lambda text: float(text[:-1]))
    said = ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}"
    start = "far " if abs(shade) > 1 else ""
    return f"{start}{direction}: {said} {direction}"


def _days(days: list[str], week: list) -> str:
    if len(days) == len(week):
        return "Every day"
    places = [week.index(day) for day in days]
    if len(days) > 2 and places == list(range(places[0], places[-1] + 1)):
        return f"{days[0]} to {days[-1]}"
    return listed(days)


def what_sells(times: pd.DataFrame | None, settings: Settings) -> list[str]:
    """Name for each part of the day the departments that surely sell more then."""
    if times is None or times.empty:
        return [NOTHING_SOLD] * len(settings.dayparts)
    times = times[times["lift_low"] != SUPPRESSED]
    sure = times[(times["for_headline"] == "yes") & (times["lift"] > 1)]
    sure = sure[~sure["department"].isin(settings.labels.unnamed_departments)]
    sure = sure.sort_values("lift_low", ascending=False, kind="stable")
    return [
        ", ".join(sure.loc[sure["daypart"] == part, "department"].head(3)) or NOTHING_SOLD
        for part in settings.dayparts
    ]


def who_orders(segments: pd.DataFrame | None, settings: Settings) -> list[str]:
    """Name for each part of the day the segments that surely order more then."""
    if segments is None:
        return [NOBODY] * len(settings.dayparts)
    return [
        ", ".join(segments.loc[segments["top_time"] == orders_in(part), "segment"]) or NOBODY
        for part in settings.dayparts
    ]


def quietest(windows: pd.DataFrame | None, settings: Settings) -> str:
    """Say the quietest waking window of the days on which it is proven, those alike together."""
    if windows is None or windows.empty:
        return ""
    quiet = windows[windows["is_quiet"] == "yes"].sort_values("day")
    if quiet.empty:
        return ""
    parts = []
    for (start, end), rows in quiet.groupby(["from_hour", "to_hour"]):
        days = _days(list(rows["day_name"]), settings.day_names)
        fewer = [f"{1 - one:.0%}" for one in (rows["index"].max(), rows["index"].min())]
        said = " to ".join(dict.fromkeys(fewer))
        parts.append(f"{days} {span(start, end)}, {said} fewer than an average waking window")
    first, last = settings.waking_hours
    return (
        f"Quietest while people are awake ({span(first, last + 1)} by our reading): "
        f"{'; '.join(parts)}. Chosen on one half of the customers, measured on the other."
    )
