"""Q1: which days and hours are the busiest, and when orders thin out."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import (
    DAY_NAMES,
    DESIGN,
    HYPOTHESIS,
    MORE,
    QUIET_WINDOWS,
    SALES,
    Evidence,
    Finding,
    Prize,
    TooLittleData,
    Touch,
)
from basket.analysis.halves import in_first_half
from basket.analysis.question import WHEN, Question
from basket.analysis.times import apart, columns, estimates, level
from basket.analysis.totals import Counts
from basket.analysis.verdicts import UNDECIDED
from basket.analysis.where import where
from basket.analysis.windows import days_in_words, to_try, windows_in_words
from basket.analysis.words import at_daypart, dayparts_of, hours_in_words, listed, number, span
from basket.project.settings import Settings
from basket.tables.sums import HOURS, dollars, per

QUESTION = Question(
    id="Q1",
    title="Busiest times",
    text="Which days and hours are the busiest, and when do orders thin out?",
    part=WHEN,
)
NO_NEXT = {
    "next_name": "",
    **dict.fromkeys(("ratio_to_next", "ratio_to_next_low", "ratio_to_next_high"), np.nan),
    "stands_out": "no",
}
UNTESTED = "Whether advertising adds more there or in quiet hours is not in this data."


def busiest_times(counts: Counts, quiet: pd.DataFrame) -> pd.DataFrame:
    """Name the busiest and slowest days and hours, active, with their share of orders.

    `index` compares the share with `equal_share`, that of as many average days or hours. Busiest
    are only times with orders. `next_name` is the first that is not among them, `ratio_to_next`
    the orders of the last among them against that; `level_with` names all that are not proven to
    lie behind (before, for the slowest). The last row puts together the windows that are proven to
    be quiet; its index, as theirs, is that of the half of the customers that did not choose them.
    """
    days, hours, settings = counts.times.orders_by_day, counts.times.orders_by_hour, counts.settings
    rows = []
    for period, orders, count, named in (
        ("days", days, settings.thresholds.busiest_days, _day_namer(settings)),
        ("hours", hours, settings.thresholds.busiest_hours, hours_in_words),
    ):
        totals = orders.sum(axis=0).astype("int64")
        most, least = np.argsort(-totals, kind="stable"), np.argsort(totals, kind="stable")
        with_orders = most[: np.count_nonzero(totals)]
        for rank, order in (("busiest", with_orders), ("slowest", least)):
            rows.append(
                {
                    "period": period,
                    "rank": rank,
                    **_share_of_orders(counts, orders, np.sort(order[:count]), named),
                    **_ahead_of_next(orders, order, count, named, settings),
                }
            )
    rows.append(_quiet_together(counts, quiet))
    return pd.DataFrame(rows)


def _quiet_together(counts: Counts, quiet: pd.DataFrame) -> dict:
    """Put the windows that are proven to be quiet together, as a row of busiest_times."""
    windows = to_try(quiet)
    hours = [
        row.day * HOURS + hour
        for row in windows.itertuples()
        for hour in range(row.from_hour, row.to_hour)
    ]
    named = windows_in_words(windows, counts.settings)
    measured = ~in_first_half(counts.times.users)
    share = _share_of_orders(
        counts, counts.times.cells, np.array(hours, "intp"), lambda _: named, measured
    )
    return {"period": "windows", "rank": "slowest", **share, **NO_NEXT, "level_with": ""}


def _day_namer(settings: Settings) -> Callable[[np.ndarray], str]:
    return lambda days: listed([settings.day_names[day] for day in days])


def _share_of_orders(
    counts: Counts,
    orders: np.ndarray,
    chosen: np.ndarray,
    named: Callable[[np.ndarray], str],
    measured: np.ndarray | slice = slice(None),
) -> dict:
    """Orders, spend and index of some times together; `orders` is customers x all times.

    The index is that of the customers `measured`.
    """
    picked = orders[:, chosen].sum(axis=1)
    found = estimates([picked[measured]], [orders.sum(axis=1)[measured]], counts.settings)
    equal = len(chosen) / orders.shape[1]
    share = float(per(picked.sum(), orders.sum()))
    cents = counts["day_hour"].at("population", "active")["spend_cents"]
    at = {7: cents.sum(axis=1), HOURS: cents.sum(axis=0)}.get(orders.shape[1], cents.ravel())
    index = columns(found, "index", counts.settings, 1 / equal if equal else np.nan)
    return {
        "names": named(chosen) if len(chosen) else "",
        "first": int(chosen[0]) if len(chosen) else 0,
        "last": int(chosen[-1]) if len(chosen) else 0,
        "orders": int(picked.sum()),
        "share": share,
        "equal_share": equal,
        "tenth_more": share / 10,
        "spend": float(dollars(at[chosen].sum())),
        "share_of_spend": float(per(at[chosen].sum(), cents.sum())),
        **{name: values[0] for name, values in index.items()},
    }


def _ahead_of_next(
    orders: np.ndarray,
    order: np.ndarray,
    count: int,
    named: Callable[[np.ndarray], str],
    settings: Settings,
) -> dict:
    """Compare the last of the chosen times with each that was not chosen, in their order."""
    others = order[count:]
    if not len(others):
        return NO_NEXT | {"level_with": ""}
    found = estimates([orders[:, order[count - 1]]], [orders[:, others]], settings)
    behind = np.sort(others[level(found, settings)])
    return {
        "next_name": named(others[:1]),
        "ratio_to_next": found.ratio[0],
        "ratio_to_next_low": found.low[0],
        "ratio_to_next_high": found.high[0],
        "stands_out": "yes" if apart(found, settings)[0] else "no",
        "level_with": named(behind) if len(behind) else "",
    }


def order_index(counts: Counts) -> pd.DataFrame:
    """Orders of the active population by day, hour, and day x hour, against the average.

    `index` is 1 where the day (hour, hour of the week) has as many orders as the average one.
    """
    times, settings = counts.times, counts.settings
    tables = []
    for period, orders, day, hour in (
        ("day", times.orders_by_day, np.arange(7), None),
        ("hour", times.orders_by_hour, None, np.arange(HOURS)),
        ("day_hour", times.cells, np.repeat(np.arange(7), HOURS), np.tile(np.arange(HOURS), 7)),
    ):
        cells = orders.shape[1]
        found = estimates([orders], [orders.sum(axis=1)], settings)
        tables.append(
            pd.DataFrame(
                {
                    "population": "active",
                    "period": period,
                    "day": pd.array([pd.NA] * cells if day is None else day, dtype="Int64"),
                    "hour": pd.array([pd.NA] * cells if hour is None else hour, dtype="Int64"),
                    "orders": orders.sum(axis=0).astype("int64"),
                    "share": found.ratio,
                    **columns(found, "index", settings, cells),
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    names = dict(enumerate(settings.day_names))
    table.insert(3, "day_name", table["day"].map(names).fillna(""))
    return table[table["orders"] > 0].reset_index(drop=True)


# ---- figures ------------------------------------------------------------------------------------


def heat_map(tables: dict, settings: Settings) -> figure.Figure:
    """Draw orders by day and hour, with each window that is proven to be quiet in a frame."""
    table = tables["orders_by_day_hour"][where(population="active")]
    times = tables["busiest_times"].set_index(["period", "rank"])
    names, share = times["names"], times["share"]
    data = table.assign(day=[settings.day_names[day] for day in table["day"]])
    data = data.pivot_table(
        index="day", columns="hour", values="orders", aggfunc="sum", fill_value=0, sort=False
    )
    data = data.reindex(columns=range(HOURS), fill_value=0).rename_axis(columns="hour")
    data = data.stack().rename("orders").reset_index()
    peak = data.sort_values("orders", ascending=False, kind="stable").iloc[0]
    days, hours = names["days", "busiest"], names["hours", "busiest"]
    at_peak = f"{peak['day']} {span(peak['hour'], peak['hour'] + 1)}"
    framed = tuple(
        (row.day_name, row.from_hour, row.to_hour)
        for row in to_try(tables["quiet_windows"]).itertuples()
    )
    frames = "; framed: windows proven to be quiet" if framed else ""
    return figure.heat(
        data,
        rows="day",
        columns="hour",
        values="orders",
        outlined=framed,
        name="orders_by_day_hour",
        title=f"{days} and the hours {hours} have the most orders"
        if share["days", "busiest"] < 1
        else f"All orders fall on {days}; the hours {hours} have the most",
        subtitle=f"Orders by day and hour, active customers{frames}",
        alt=f"Heat map of orders by day of the week and hour. The fullest cell is {at_peak} with "
        f"{peak['orders']:,} orders; the hours with the most orders are {hours}, those with the "
        f"fewest {names['hours', 'slowest']}.",
        sources=("orders_by_day_hour", "busiest_times", "quiet_windows"),
        x_title="Hour of the day",
        y_title="Orders",
        so_what="Staff and stock for the busiest hours, drawn darkest; try advertisements in the "
        "framed ones, where waking orders are fewest: chosen on one half of the customers, "
        "measured on the other. When people are awake is a setting of ours."
        if framed
        else "Staff and stock for the busiest hours, drawn darkest.",
    )


# ---- findings -----------------------------------------------------------------------------------

NEXT = ["ratio_to_next", "ratio_to_next_low", "ratio_to_next_high"]
NO_WINDOWS = "No order of an active customer falls into waking hours."
HALVES = "Windows were chosen on one half of the customers and measured on the other."


def _from_average(seen: Evidence, windows: pd.DataFrame) -> str:
    """Say how far windows lie from the average one: 50% (Sunday) to 72% (Friday) fewer orders."""
    ranks = windows.sort_values("index", kind="stable")["rank"]
    first, last = (seen.row("quiet_windows", rank=ranks.iloc[place]) for place in (0, -1))
    most, least = (
        f"{row.cell('difference', f'{name}_difference'):.0%}"
        for row, name in ((first, "quietest"), (last, "least_quiet"))
    )
    low, high = (row.cell("index", f"{name}_index") for row, name in ((first, "q"), (last, "l")))
    if low < 1 < high:
        return f"between {most} fewer and {least} more orders than"
    if most == least:
        return f"{most} {'more' if low > 1 else 'fewer'} orders than"
    quietest, fullest = f"{most} ({first.day_name})", f"{least} ({last.day_name})"
    said = f"{quietest} to {fullest} more" if low > 1 else f"{fullest} to {quietest} fewer"
    return f"{said} orders than"


def busiest(seen: Evidence, settings: Settings) -> Finding:
    """Say which days and hours take most orders."""
    of_days = seen.row("busiest_times", period="days", rank="busiest")
    of_hours = seen.row("busiest_times", period="hours", rank="busiest")
    days = of_days.cell("names", "busiest_days", "days")
    hours = of_hours.cell("names", "busiest_hours", "hours of the day")
    share, hour_share = of_days.cell("share", "days_share"), of_hours.cell("share", "hours_share")
    orders = of_days.cell("orders", "days_orders")
    level, hours_level = of_days.level_with, of_hours.level_with
    reason = of_hours.reason or (of_days.reason if share < 1 else "")
    if share < 1:
        equal = of_days.cell("equal_share", "days_equal_share")
        unproven = f" (not proven to be ahead of {level})" if level else ""
        week = len(settings.day_names)
        of_all = f"{number(round(equal * week))} of {number(week)} days would be {equal:.1%}"
        start = f"{days}{unproven} take {share:.1%} of all orders ({of_all})"
        ahead = of_days.cell("index_low", "days_index_low") > 1 if not reason else False
    else:
        start, ahead = f"All orders fall on {days}", True
    sure = f"The hours {hours} are not proven to be ahead of {hours_level}. " if hours_level else ""
    few = f"Nothing may be concluded beyond these orders: {reason}. " if reason else ""
    return Finding(
        headline=f"{start}, and the hours {hours} take {hour_share:.0%}",
        so_what=f"{few}{sure}{UNTESTED}",
        action="Plan capacity and service for these days and hours.",
        action_basis=DESIGN,
        owner=SALES,
        prize=_prize(of_days, "days", f"{orders:,} orders fall on {days}."),
        confidence="low" if reason or not ahead else "medium" if level or hours_level else "high",
        rests_on=(DAY_NAMES,),
        figure="orders_by_day_hour",
        change_mind="An official list of weekdays that reads 0 as another day than Saturday.",
    )


def _prize(row, name: str, what_if: str, lever: str = "") -> Prize:
    """Give the orders at some times, and their spend where anything has a price."""
    spend = row.cell("spend", f"{name}_spend")
    share = row.cell("share_of_spend", f"{name}_share_of_spend") if spend else None
    orders = row.cell("orders", f"{name}_orders")
    return Prize(
        what_if=what_if, lever=lever, orders=orders, spend=spend or None, share_of_spend=share
    )


def quiet(seen: Evidence, settings: Settings) -> Finding:
    """Say when orders thin out while people are awake, and what could be tried then."""
    table = seen.tables["quiet_windows"]
    if table.empty:
        raise TooLittleData(NO_WINDOWS)
    trial = to_try(table)
    if trial.empty:
        return _none_is_quiet(seen, table, settings)
    together = seen.row("busiest_times", period="windows", rank="slowest")
    names = together.cell("names", "windows", "windows")
    orders = together.cell("orders", "windows_orders")
    share = together.cell("share", "windows_share")
    more = together.cell("tenth_more", "tenth_more")
    sure = len(trial) == len(table) and (trial["at_edge"] == "no").all()
    return Finding(
        headline=f"{_thin_out(trial, names, settings)}, with {_from_average(seen, trial)} the "
        "average waking window",
        so_what=" ".join([HALVES, *_about_windows(seen, trial, settings)]),
        action=f"Try advertisements at {names}, against a control group that sees none.",
        action_basis=HYPOTHESIS,
        touches=tuple(
            Touch(
                day=row.day_name,
                daypart=daypart,
                hours=(row.from_hour, row.to_hour),
                direction=MORE,
            )
            for row in trial.itertuples()
            for daypart in dayparts_of(row.from_hour, row.to_hour, settings)
        ),
        prize=_prize(
            together,
            "windows",
            f"These windows hold {orders:,} orders, {share:.1%} of all; a tenth more in them would "
            f"be {more:.2%} more in all.",
            lever=QUIET_WINDOWS,
        ),
        confidence="high" if sure else "medium",
        rests_on=(DAY_NAMES,),
        figure="orders_by_day_hour",
        change_mind="A trial in which advertisements in these windows add no orders.",
    )


def _none_is_quiet(seen: Evidence, table: pd.DataFrame, settings: Settings) -> Finding:
    """Say that no window is proven to be quiet, and how far those chosen lie from the average."""
    said = [HALVES, *_about_windows(seen, table.head(0), settings)]
    if (table["reason"] == "").all():
        said.insert(1, f"Those chosen have {_from_average(seen, table)} the average waking window.")
    seen.evidence.append("quiet_windows")
    return Finding(
        headline="No waking window that has orders is proven to have fewer orders than the average "
        "window",
        so_what=" ".join(said),
        action="No action follows.",
        kind=UNDECIDED,
        rests_on=(DAY_NAMES,),
        figure="orders_by_day_hour",
        change_mind="More customers: smaller differences could then be proven.",
    )


def _thin_out(table: pd.DataFrame, names: str, settings: Settings) -> str:
    """Begin the headline: orders thin out where every window ends with the waking hours."""
    if table["window"].nunique() > 1:
        return f"The quietest waking windows are {names}"
    window, named = table["window"].iloc[0], table.sort_values("day")["day_name"].tolist()
    days = days_in_words(named, len(settings.day_names))
    said = f"{window} is the quietest waking window on {days}"
    dayparts = dayparts_of(*table.iloc[0][["from_hour", "to_hour"]], settings)
    at_end = table["to_hour"].iloc[0] == settings.waking_hours[1] + 1
    return f"Orders thin out {at_daypart(dayparts[-1])}: {said}" if at_end else said


def _about_windows(seen: Evidence, trial: pd.DataFrame, settings: Settings) -> list[str]:
    """Say on what the windows to try depend, whether days differ, and what is not proven."""
    table, said = seen.tables["quiet_windows"], []
    edge = trial["at_edge"] == "yes"
    if edge.any():
        which = "These windows touch" if edge.all() else "Some of these windows touch"
        said.append(
            f"{which} an end of the hours in which we take people to be awake: that setting of "
            "ours decides which window is the quietest."
        )
    open_still = table[(table["is_quiet"] != "yes") & (table["orders"] > 0)]
    for reason, rows in open_still.groupby("reason") if len(trial) else ():
        days = listed(rows.sort_values("day")["day_name"])
        said.append(
            f"On {days}, nothing can be concluded of the quietest window: {reason}."
            if reason
            else f"On {days}, no window is proven to have fewer orders than average."
        )
    empty = table[table["orders"] == 0]
    if len(empty):
        for row in empty.itertuples():
            seen.row("quiet_windows", rank=row.rank).cell("window", f"empty_{row.day_name}")
        said.append(f"No order falls into {windows_in_words(empty, settings)}.")
    closed = [name for name in settings.day_names if name not in set(table["day_name"])]
    if closed:
        said.append(f"No order falls on {listed(closed)} in waking hours.")
    few = sorted(set(table["reason"]) - {""})
    if few and not len(trial):
        said.append(f"For some windows nothing can be concluded: {listed(few)}.")
    elif not few and table.loc[table["rank"] == 1, NEXT].notna().all(axis=None):
        first = seen.row("quiet_windows", rank=1)
        ratio = first.cell("ratio_to_next", "to_next")
        low, high = (
            first.cell(f"ratio_to_next_{end}", f"to_next_{end}") for end in ("low", "high")
        )
        day = first.cell("day_name", "quietest_day", "day")
        # the half that measures may say the opposite, or that the window is not quiet at all
        ahead = first.is_quiet == first.stands_out == "yes" and ratio < 1
        said.append(
            (
                f"{day}'s is the quietest of these windows"
                if ahead
                else "Which is the quietest is not proven"
            )
            + f": {day}'s has {ratio:.0%} of the orders of the next, {first.next_name}'s (interval "
            f"{low:.0%} to {high:.0%})."
        )
    return said
