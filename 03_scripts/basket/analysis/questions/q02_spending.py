"""Q2: when people spend most, in total and per order, and what sells then."""

import numpy as np
import pandas as pd

from basket.analysis import figure, statistics
from basket.analysis.finding import Evidence, Finding, Prize
from basket.analysis.question import WHEN, Question
from basket.analysis.questions.q04_departments import named_departments
from basket.analysis.totals import Counts
from basket.analysis.where import where
from basket.project.settings import Settings
from basket.tables.sums import HOURS, dollars, per

QUESTION = Question(
    id="Q2",
    title="Spending times",
    text="When do people spend the most, for each order, for each item and in total, and what "
    "should be advertised then?",
    part=WHEN,
)
MOST_DAYPART_ROWS = 12


def spend_by_time(counts: Counts) -> pd.DataFrame:
    """Spend in total, per order and per item of each hour and day, against the average, active.

    Ratios compare with the mean over all orders (or items); the p-value is that of the order value.
    """
    moments, columns, settings = counts.time_moments, counts.time_columns, counts.settings
    tables = []
    for period, orders in (("day", columns.orders_by_day), ("hour", columns.orders_by_hour)):
        spend = columns.block(f"cents_by_{period}")
        priced = columns.block(f"priced_lines_by_{period}")
        cells = len(orders)

        def whole(weights: np.ndarray, cells=cells) -> np.ndarray:
            return np.repeat(weights.sum(axis=0, keepdims=True), cells, axis=0)

        value, value_low, value_high, _ = counts.time_ratio([spend], [orders])
        ratio, low, high, p_value = counts.time_ratio(
            [spend, whole(orders)], [orders, whole(spend)]
        )
        item, item_low, item_high, _ = counts.time_ratio(
            [spend, whole(priced)], [priced, whole(spend)]
        )
        cents = np.rint(spend @ moments.sums)
        names = settings.day_names if period == "day" else [f"{hour}:00" for hour in range(HOURS)]
        tables.append(
            pd.DataFrame(
                {
                    "population": "active",
                    "period": period,
                    "key": range(cells),
                    "name": names,
                    "orders": np.rint(orders @ moments.sums).astype("int64"),
                    "spend": dollars(cents),
                    "spend_share": per(cents, cents.sum()),
                    "mean_order_value": value / 100,
                    "mean_order_value_low": value_low / 100,
                    "mean_order_value_high": value_high / 100,
                    "order_value_ratio": ratio,
                    "order_value_ratio_low": low,
                    "order_value_ratio_high": high,
                    "mean_item_price": per(cents / 100, priced @ moments.sums),
                    "item_price_ratio": item,
                    "item_price_ratio_low": item_low,
                    "item_price_ratio_high": item_high,
                    "p_value": p_value,
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    return table[table["orders"] > 0].reset_index(drop=True)


def department_times(counts: Counts) -> pd.DataFrame:
    """Lines of each department in each daypart, and its lift over the whole day, active.

    `lift` is the department's share of the daypart's lines over its share of all lines.
    """
    moments, columns, settings = counts.time_moments, counts.time_columns, counts.settings
    lines = columns.block("lines").reshape(columns.dayparts, columns.departments, -1)
    cells = columns.dayparts * columns.departments

    def spread(weights: np.ndarray) -> np.ndarray:
        return np.broadcast_to(weights, lines.shape).reshape(cells, -1)

    lift, low, high, p_value = counts.time_ratio(
        [spread(lines), spread(lines.sum(axis=(0, 1), keepdims=True))],
        [spread(lines.sum(axis=1, keepdims=True)), spread(lines.sum(axis=0, keepdims=True))],
    )
    totals = np.rint(lines @ moments.sums).astype("int64")
    table = pd.DataFrame(
        {
            "population": "active",
            "daypart": np.repeat(list(settings.dayparts), columns.departments),
            "department": np.tile(counts.departments["department"], columns.dayparts),
            "lines": totals.ravel(),
            "share": per(totals, totals.sum(axis=1, keepdims=True)).ravel(),
            "lift": lift,
            "lift_low": low,
            "lift_high": high,
            "p_value": p_value,
        }
    )
    return table[table["lines"] > 0].reset_index(drop=True)


def sells_more(table: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Pick the departments that sell more than usual in a daypart, most extra lines first.

    Takes rows of department_times. Only what may carry a headline counts; departments that gather
    what has no other place (`unnamed_departments`) are left out.
    """
    table = table[~table["department"].isin(settings.labels.unnamed_departments)]
    strong = table[where(for_headline="yes")].query("lift > 1")
    extra = strong["lines"] * (1 - 1 / strong["lift"])
    return strong.loc[extra.sort_values(ascending=False, kind="stable").index]


def value_by_hour(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the value of an order by hour."""
    table = tables["spend_by_time"][where(period="hour")].rename(columns={"key": "hour"})
    highest = table.sort_values("mean_order_value").iloc[-1]
    return figure.line(
        table,
        x="hour",
        y="mean_order_value",
        name="order_value_by_hour",
        title="The value of an order depends on the hour"
        if len(table[where(for_headline="yes")])
        else "The value of an order hardly depends on the hour"
        if (table["verdict"] == statistics.NO_DIFFERENCE).all()
        else "No hour is proven to hold larger or smaller orders",
        subtitle="Mean value of an order by hour, active customers, "
        + figure.with_intervals(settings),
        alt="Line of mean order value by hour with its interval. The highest estimate is "
        f"${highest['mean_order_value']:.2f} at {highest['hour']:.0f}:00.",
        sources=("spend_by_time",),
        x_title="Hour of the day",
        y_title="US dollars an order",
        number_format=figure.CENTS,
    )


def value_by_day(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the value of an order by day against the mean order."""
    table = tables["spend_by_time"][where(period="day")].sort_values("key")
    proven = table[where(for_headline="yes")].query("order_value_ratio > 1")

    def most_worth(days: pd.DataFrame) -> str:
        most = days.sort_values("order_value_ratio").iloc[-1]
        return f"Orders on {most['name']} are worth {most['order_value_ratio']:.2f} times the mean"

    return figure.dots(
        table.rename(columns={"name": "day"}).rename(
            columns=lambda name: name.replace("order_value_ratio", "ratio")
        ),
        x="day",
        y="ratio",
        name="order_value_by_day",
        title="No day is proven to hold larger orders" if proven.empty else most_worth(proven),
        subtitle="Mean value of an order by day, times that of all orders, active customers, "
        + figure.with_intervals(settings),
        alt=f"Dots with intervals by day of the week. {most_worth(table)} order, the most of all "
        "days.",
        sources=("spend_by_time",),
        x_title="Day",
        y_title="Times the value of the mean order",
    )


def goods_by_daypart(tables: dict, settings: Settings) -> figure.Figure:
    """Draw what sells more than usual in some part of the day."""
    table = named_departments(tables["department_times"], settings)
    strong = sells_more(table, settings)
    popular = table.groupby("department")["lines"].sum().nlargest(MOST_DAYPART_ROWS).index
    shown = list(dict.fromkeys([*strong["department"], *popular]))[:MOST_DAYPART_ROWS]
    best = table.sort_values("lift").groupby("department").tail(1)
    best = best[best["department"].isin(shown)].sort_values("lift", ascending=False, kind="stable")
    best["when"] = best["department"] + ", " + best["daypart"].str.lower()
    first = best.iloc[0]
    return figure.dots(
        best,
        x="when",
        y="lift",
        name="departments_by_daypart",
        title="No department is proven to have a time of day of its own"
        if strong.empty
        else f"{strong['department'].iloc[0].capitalize()} sells best in the "
        f"{strong['daypart'].iloc[0].lower()}",
        subtitle="Share of order lines in each department's best part of the day, times its usual "
        f"share, active customers, {figure.with_intervals(settings)}",
        alt=f"Dots with intervals: each department's best part of the day. {first['when']} has "
        f"{first['lift']:.2f} times the usual share of order lines.",
        sources=("department_times",),
        x_title="Department and part of the day",
        y_title="Times its usual share of order lines",
    )


def spending(seen: Evidence, settings: Settings) -> Finding:
    """Say when people spend most, in total and per order."""
    table = seen.tables["spend_by_time"]
    hours = table[where(period="hour")]
    top = hours.sort_values(["spend", "key"], ascending=[False, True])["key"].iloc[0]
    hour = seen.row("spend_by_time", period="hour", key=top)
    name, share = hour.cell("name", "hour", "hour"), hour.spend_share
    prize = Prize(what_if=f"${hour.spend:,.0f} is spent at {name}.")
    change_mind = "Quantities, which this data lacks: it counts each product once an order."
    different = table[where(for_headline="yes")].sort_values("order_value_ratio")
    if different.empty:
        same = (table["verdict"] == statistics.NO_DIFFERENCE).all()
        depends = "the value of an order hardly depends on the time"
        unproven = "no time is proven to hold orders of another value"
        return Finding(
            headline=f"Most money is spent at {name}, {share:.1%} of it; "
            + (depends if same else unproven),
            so_what="Spend follows the number of orders: no hour or day is proven to hold bigger "
            "baskets.",
            action="Choose advertising times by the number of orders, not by basket value.",
            confidence="high" if same else "medium",
            figure="order_value_by_hour",
            prize=prize,
            change_mind=change_mind,
        )
    period, key = different.iloc[-1][["period", "key"]]
    time = seen.row("spend_by_time", period=period, key=key)
    when = f"{'on' if period == 'day' else 'at'} {time.cell('name', 'when', 'time')}"
    value = time.cell("mean_order_value", "order_value")
    ratio = time.cell("order_value_ratio", "ratio")
    low = time.cell("order_value_ratio_low", "ratio_low")
    high = time.cell("order_value_ratio_high", "ratio_high")
    return Finding(
        headline=f"Most money is spent at {name}; orders {when} are worth {ratio:.2f} times the "
        "mean",
        so_what=f"An order {when} is worth ${value:.2f}, {ratio:.2f} times the mean (interval "
        f"{low:.2f} to {high:.2f}); {share:.1%} of all money is spent at {name}.",
        action=f"Advertise large baskets {when}; elsewhere choose times by orders."
        if ratio > 1
        else f"Do not advertise large baskets {when}; choose times by orders.",
        confidence="high",
        figure=f"order_value_by_{period}",
        prize=prize,
        change_mind=change_mind,
    )


def goods_by_time(seen: Evidence, settings: Settings) -> Finding:
    """Say what sells more than usual in each part of the day."""
    table = named_departments(seen.tables["department_times"], settings)
    strong = sells_more(table, settings)
    best = (table.sort_values("lift_low", ascending=False) if strong.empty else strong).iloc[0]
    name, daypart = best["department"], best["daypart"]
    when = "at night" if daypart == "Night" else f"in the {daypart.lower()}"
    row = seen.row("department_times", daypart=daypart, department=name)
    lift, low, high = row.lift, row.lift_low, row.lift_high
    if strong.empty:
        decided = (table["verdict"] == statistics.NO_DIFFERENCE).all()
        return Finding(
            headline="No department is proven to sell more than usual in a part of the day",
            so_what=f"The likeliest, {name} {when}, has {lift:.2f} times its usual share of order "
            f"lines (interval {low:.2f} to {high:.2f}).",
            action="Advertise the same departments all day; choose them by who sees the "
            "advertisement.",
            confidence="high" if decided else "low",
            figure="departments_by_daypart",
        )
    return Finding(
        headline=f"{when.capitalize()}, {name} sells {lift:.2f} times its usual share",
        so_what=f"{name.capitalize()} has {lift:.2f} times its usual share of order lines {when} "
        f"(interval {low:.2f} to {high:.2f}).",
        action=f"Offer {name} in {daypart.lower()} advertisements.",
        prize=Prize(what_if=f"{row.lines:,} order lines {when} are {name}."),
        confidence="high",
        figure="departments_by_daypart",
        change_mind="A campaign in that part of the day that moves other departments as much.",
    )
