"""Q2: when people spend most, in total and per order."""

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.chosen_times import ORDER_VALUE, WITHIN
from basket.analysis.finding import (
    DAY_NAMES,
    DIFFERENCE,
    HYPOTHESIS,
    INVENTED_PRICES,
    LARGER_ORDERS,
    MORE,
    NO_ACTION,
    Evidence,
    Finding,
    Prize,
    TooLittleData,
    Touch,
    if_invented,
)
from basket.analysis.privacy import published_rows
from basket.analysis.question import PRICE, WHEN, Question
from basket.analysis.times import against_other_times, columns, estimates, level, within_customers
from basket.analysis.totals import Counts
from basket.analysis.verdicts import NO_DIFFERENCE, SIZES, UNDECIDED
from basket.analysis.where import where
from basket.analysis.words import dayparts_of, hours_in_words, listed, span
from basket.project.settings import Settings
from basket.tables.sums import HOURS, dollars, per

QUESTION = Question(
    id="Q2",
    title="Spending times",
    text="When do people spend the most, for each order, for each item and in total, and what "
    "should be advertised then?",
    part=WHEN,
    needs=(PRICE,),
)
NO_HOUR_LEADS = "No hour is proven to take most of the money"
CLOSE = 0.005  # shares of a day that read as one
NO_PRICE = "No order line of an active customer has a price."


def spend_by_time(counts: Counts) -> pd.DataFrame:
    """Spend in total, per order and per item of each hour and day, active.

    Ratios of order value and item price compare with all other days (or hours); `within_ratio`
    compares orders with those of the same customers at other times. The p-value is that of the
    order value. `ties_with_top` is yes where the spend is not proven to lie below the highest.
    """
    settings = counts.settings
    tables = []
    for period, names in (
        ("day", settings.day_names),
        ("hour", [span(hour, hour + 1) for hour in range(HOURS)]),
    ):
        orders, cents, priced = counts.times.by(period)
        totals = cents.sum(axis=0).astype("int64")
        value = estimates([cents], [orders], settings)
        ratio = against_other_times(cents, orders, settings)
        item = against_other_times(cents, priced, settings)
        within = within_customers(cents, orders, settings)
        tables.append(
            pd.DataFrame(
                {
                    "population": "active",
                    "period": period,
                    "key": range(len(names)),
                    "name": names,
                    "orders": orders.sum(axis=0).astype("int64"),
                    "spend": dollars(totals),
                    "spend_share": per(totals, totals.sum()),
                    "ties_with_top": np.where(_ties_with_top(cents, settings), "yes", "no"),
                    "mean_order_value": value.ratio / 100,
                    "mean_order_value_low": value.low / 100,
                    "mean_order_value_high": value.high / 100,
                    **columns(ratio, "order_value_ratio", settings),
                    "within_ratio": within.ratio,
                    "within_low": within.low,
                    "within_high": within.high,
                    "within_effective_customers": within.effective_customers,
                    "within_reason": within.reason(settings.statistics),
                    "mean_item_price": per(totals / 100, priced.sum(axis=0)),
                    "item_price_ratio": item.ratio,
                    "item_price_ratio_low": item.low,
                    "item_price_ratio_high": item.high,
                    "p_value": ratio.p_value,
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    return table[table["orders"] > 0].reset_index(drop=True)


def _ties_with_top(cents: np.ndarray, settings: Settings) -> np.ndarray:
    """Say of each column whether its sum is not proven to lie below the highest.

    All tie that are not 0 where nothing may be concluded from the highest.
    """
    totals = cents.sum(axis=0)
    top = int(totals.argmax())
    if estimates([cents[:, top]], [cents.sum(axis=1)], settings).reason(settings.statistics)[0]:
        return totals > 0
    ties = level(estimates([cents], [cents[:, top]], settings), settings)
    ties[top] = True
    return ties


# ---- figures ------------------------------------------------------------------------------------


def _require_prices(table: pd.DataFrame) -> None:
    if not table["spend"].any():
        raise TooLittleData(NO_PRICE)


def _waking(tables: dict, settings: Settings) -> pd.DataFrame:
    """Pick the waking hours of spend_by_time that may be published."""
    table = published_rows(tables, tables["spend_by_time"], settings)[where(period="hour")]
    return table[table["key"].between(*settings.waking_hours)]


def value_by_hour(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the value of an order by hour, while people are awake."""
    _require_prices(tables["spend_by_time"])
    table = _waking(tables, settings).rename(columns={"key": "hour"})
    if table.empty:
        raise TooLittleData("No order of an active customer falls into waking hours.")
    shown, left_out = figure.sure_enough(table, "mean_order_value")
    highest = shown.sort_values("mean_order_value").iloc[-1]
    differ = table[where(for_headline="yes")]
    so_what = "Choose hours by how many orders they bring, not by what an order is worth."
    if (differ["order_value_ratio"] > 1).any():
        so_what = "Offers of large baskets belong where orders are larger."
    elif len(differ):
        so_what = "Some hours hold smaller orders: offers of large baskets belong in the others."
    return figure.line(
        shown,
        x="hour",
        y="mean_order_value",
        name="order_value_by_hour",
        title="The value of an order depends on the hour"
        if len(differ)
        else "The value of an order hardly depends on the hour"
        if (table["verdict"] == NO_DIFFERENCE).all()
        else "No hour is proven to hold larger or smaller orders",
        subtitle="Mean value of an order by waking hour, active customers, "
        f"{figure.with_intervals(settings)}{left_out}",
        alt="Line of mean order value by hour with its interval. The highest estimate is "
        f"${highest['mean_order_value']:.2f} at {highest['name']}.",
        sources=("spend_by_time",),
        x_title="Hour of the day",
        y_title="US dollars an order",
        number_format=figure.DOLLARS,
        so_what=so_what + if_invented(tables, INVENTED_PRICES),
    )


def spend_by_hour(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the share of spend beside that of orders, by hour."""
    table = tables["spend_by_time"][where(period="hour")].sort_values("key")
    _require_prices(table)
    top, named = table[table["ties_with_top"] == "yes"]["key"], _most(table)
    data = pd.DataFrame(
        {
            "hour": table["key"],
            "share_of_orders": table["orders"] / table["orders"].sum(),
            "share_of_spend": table["spend_share"],
        }
    )
    apart = (data["share_of_orders"] - data["share_of_spend"]).abs().max()
    few = len(top) <= HOURS / 2
    most = f"Most is spent at {hours_in_words(named)}" if few else NO_HOUR_LEADS
    awake = _waking(tables, settings)
    differs = (awake["for_headline"] == "yes").any()
    alike = len(awake) > 0 and (awake["verdict"] == NO_DIFFERENCE).all()
    follows = apart < CLOSE and not differs
    return figure.columns(
        data,
        x="hour",
        series=["share_of_orders", "share_of_spend"],
        name="spend_by_hour",
        title=f"{most}; spend follows the orders" if follows else most,
        highlight=tuple(str(hour) for hour in top) if few else (),
        subtitle="Share of the orders and of the spend of a day by hour, active customers"
        + "; marked: hours not proven to differ from the highest" * few,
        alt=f"Two columns per hour, of orders and of spend. {most}. The two shares of an hour "
        f"differ by {100 * apart:.1f} percentage points at most.",
        sources=("spend_by_time",),
        x_title="Hour of the day",
        y_title="Share",
        number_format=figure.SHARE,
        labels={"share_of_orders": "of orders", "share_of_spend": "of spend"},
        so_what=(
            "Some waking hours are proven to bring more or less money than their orders do."
            if differs
            else f"No waking hour {'brings' if alike else 'is proven to bring'} more or less money "
            "than its orders do: plan by orders."
        )
        + if_invented(tables, INVENTED_PRICES),
    )


def value_by_day(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the value of an order by day against the same customers' orders on other days."""
    table = published_rows(tables, tables["spend_by_time"], settings)
    table = table[where(period="day")].sort_values("key")
    _require_prices(table)
    table = table[table["within_ratio"] > 0]
    if table.empty:
        raise TooLittleData("No active customer has orders on more than one day of the week.")
    table = table.rename(columns={"name": "day", "within_low": "within_ratio_low"})
    table = table.rename(columns={"within_high": "within_ratio_high"})
    shown, left_out = figure.sure_enough(table, "within_ratio")
    small = settings.statistics.effects.ratio[0]
    least, most = (shown.sort_values("within_ratio").iloc[place] for place in (0, -1))
    inside = (table["within_ratio_high"] < small) & (table["within_ratio_low"] > 1 / small)
    larger = list(shown["day"][shown["within_ratio_low"] >= small])
    return figure.dots(
        shown,
        x="day",
        y="within_ratio",
        name="order_value_by_day",
        title="The same customers' orders are worth nearly the same on every day"
        if inside.all()
        else f"The same customers' orders: worth {least['within_ratio']:.2f} times as much on "
        f"{least['day']}, {most['within_ratio']:.2f} on {most['day']}",
        subtitle="Value of orders on a day, times that of the same customers' orders on others, "
        f"active customers of both halves, {figure.with_intervals(settings)}{left_out}",
        alt=f"Dots with intervals by day of the week. {most['day']} has the highest estimate, "
        f"{most['within_ratio']:.2f} times the same customers' orders on other days, and "
        f"{least['day']} the lowest, {least['within_ratio']:.2f} times.",
        sources=("spend_by_time",),
        x_title="Day",
        y_title="Times the same customers' orders on other days",
        band=figure.no_difference(settings),
        so_what=(
            f"Offers of large baskets belong on {listed(larger)}: right of the grey band."
            if larger
            else "No day lies wholly right of the grey band, so none calls for offers of large "
            "baskets."
        )
        + if_invented(tables, INVENTED_PRICES),
    )


# ---- findings -----------------------------------------------------------------------------------


def spending(seen: Evidence, settings: Settings) -> Finding:
    """Say when people spend most, in total and per order."""
    table, halves = seen.tables["spend_by_time"], seen.tables["split_halves"]
    _require_prices(table)
    most = _most_money(seen, table[where(period="hour")])
    said: dict = {
        "rests_on": (INVENTED_PRICES, DAY_NAMES),
        "change_mind": "Quantities, which this data lacks: it counts each product once an order.",
    }
    picked = [
        [seen.row("split_halves", topic=topic.format(period)) for topic in (ORDER_VALUE, WITHIN)]
        for period in ("day", "hour")
        if (halves["topic"] == ORDER_VALUE.format(period)).any()
    ]
    acting = [rows for rows in picked if _matters(rows[1], settings)]
    acts = bool(acting)
    if not (differ := acting or [rows for rows in picked if rows[0].confirmed == "yes"]):
        return _no_time_differs(most, table, said, _per_item(seen, settings))
    raw, within = differ[0]
    time = table[table["name"] == raw.cell("group", "when", "time")].iloc[0]
    when = f"{'on' if time['period'] == 'day' else 'at'} {time['name']}"
    more = "more" if (within if acts else raw).effect > 1 else "less"
    by, of_same = (row.cell("difference", name) for row, name in ((raw, "by"), (within, "of_same")))
    if acts:
        differs = (
            f"the same customers' orders are worth {of_same:.0%} {more} {when} than at other times"
        )
    else:
        differs = f"orders {when} are worth {by:.0%} {more} than at other times{_but(raw, within)}"
    said["prize"], said["touches"] = None, ()
    if acts and more == "more":
        row = seen.row("spend_by_time", period=time["period"], key=time["key"])
        said |= _to_try(row, time, when, settings)
    return Finding(
        headline=f"{most}; {differs}",
        so_what="On the half of the customers that took no part in choosing this time, the value "
        f"of an order {when} {_compared(raw, 'raw', 'orders at other times')}, and "
        f"{_compared(within, 'within', 'orders of the same customers at other times')}."
        + _over_all(seen.row("spend_by_time", period=time["period"], key=time["key"]))
        + _per_item(seen, settings),
        action=f"Try offers of large baskets {when}, against a control group."
        if said["touches"]
        else "No action follows from the value of orders.",
        action_basis=HYPOTHESIS if said["touches"] else NO_ACTION,
        kind=DIFFERENCE,
        confidence="high",
        figure=f"order_value_by_{time['period']}",
        **said,
    )


def _matters(row, settings: Settings) -> bool:
    """Say whether a confirmed ratio is at least a small effect."""
    size = max(row.effect, 1 / row.effect) if row.effect > 0 else 0
    return row.confirmed == "yes" and size >= settings.statistics.effects.ratio[0]


def _but(raw, within) -> str:
    """Say how much of the difference is left within customers."""
    if within.reason:
        return "; how the same customers' orders compare cannot be told"
    same_way = (raw.effect > 1) == (within.effect > 1)
    if not same_way or within.difference < 0.005:
        return ", but those of the same customers are not"
    return f", but those of the same customers only {within.difference:.0%}"


def _compared(row, name: str, other: str) -> str:
    if row.reason:
        return f"cannot be compared with that of {other} ({row.cell('reason', f'{name}_reason')})"
    ratio, low, high = (row.cell(f"effect{end}", f"{name}{end}") for end in ("", "_low", "_high"))
    return f"is {ratio:.2f} times that of {other} (interval {low:.2f} to {high:.2f})"


def _over_all(row) -> str:
    """Say where the table, judged with all of its days and hours, is less sure than the halves."""
    if row.for_headline == "yes":
        return ""
    alike = row.verdict == NO_DIFFERENCE
    is_what = f"there is {row.verdict}" if alike else f"the difference is {row.verdict}"
    is_what += ", less sure than a headline needs" * (row.verdict in SIZES)
    return (
        f" Between the orders of all customers, with every day and hour judged together, {is_what}."
    )


def _to_try(row, time: pd.Series, when: str, settings: Settings) -> dict:
    """Give what a trial at a time touches, and what is spent then."""
    if time["period"] == "day":
        touches = (Touch(day=time["name"], attribute=LARGER_ORDERS, direction=MORE),)
    else:
        hours = int(time["key"]), int(time["key"]) + 1
        (daypart,) = dayparts_of(*hours, settings)
        touches = (Touch(daypart=daypart, hours=hours, attribute=LARGER_ORDERS, direction=MORE),)
    spend, share = row.spend, row.spend_share
    what_if = f"${spend:,.0f} is spent {when}, {share:.1%} of all."
    prize = Prize(what_if=what_if, orders=row.orders, spend=spend, share_of_spend=share)
    return {"touches": touches, "prize": prize}


def _per_item(seen: Evidence, settings: Settings) -> str:
    """Say what an item costs in the waking hours that may be published; no hour is named."""
    hours = _waking(seen.tables, settings).dropna(subset="mean_item_price")
    if hours.empty:
        return ""
    low, high = (
        seen.row("spend_by_time", period="hour", key=hours.loc[place, "key"])
        for place in (hours["mean_item_price"].idxmin(), hours["mean_item_price"].idxmax())
    )
    least = f"{low.cell('mean_item_price', 'least_per_item'):.2f}"
    most = f"{high.cell('mean_item_price', 'most_per_item'):.2f}"
    prices = f"${least}" if least == most else f"between ${least} and ${most}"
    return f" In the waking hours an item costs {prices} on average."


def _no_time_differs(most: str, table: pd.DataFrame, said: dict, per_item: str) -> Finding:
    alike = (table["verdict"] == NO_DIFFERENCE).all()
    return Finding(
        headline=f"{most}; the value of an order hardly depends on the time"
        if alike
        else f"{most}; no time is confirmed to hold larger or smaller orders",
        so_what=(
            "Spend follows the number of orders."
            if alike
            else "This data neither shows that the value of an order depends on the time nor "
            "excludes it."
        )
        + per_item,
        action="No action follows from the value of orders.",
        kind=NO_DIFFERENCE if alike else UNDECIDED,
        confidence="high" if alike else "low",
        figure="order_value_by_hour",
        **said,
    )


def _most(hours: pd.DataFrame) -> pd.Series:
    """List the hours that tie with the highest, and any between two of them that takes as much."""
    spend, ties = hours.set_index("key")["spend"], hours[where(ties_with_top="yes")]["key"]
    between = [
        hour
        for hour in spend.index.difference(ties)
        if {hour - 1, hour + 1} <= set(ties) and spend[hour] >= spend[ties].min()
    ]
    return pd.concat([ties, pd.Series(between, dtype=ties.dtype)])


def _most_money(seen: Evidence, hours: pd.DataFrame) -> str:
    """Name the hours whose spend is not proven to lie below the highest."""
    top = _most(hours)
    spending_hours = np.count_nonzero(hours["spend"])
    if len(top) == spending_hours > 1:
        return "No hour is proven to take more money than the others"
    for place, key in enumerate(top, start=1):
        seen.row("spend_by_time", period="hour", key=key).cell("name", f"hour_{place}", "hour")
    spans = hours_in_words(top)
    between = f"between {spans.replace('–', ' and ')}" if spans.count("–") == 1 else f"at {spans}"
    return f"{'Most' if spending_hours > 1 else 'All'} money is spent {between}"
