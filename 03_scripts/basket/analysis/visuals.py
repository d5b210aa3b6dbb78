"""Which figures the report has: each takes its numbers from result tables and says one thing."""

import numpy as np
import pandas as pd

from basket.analysis import statistics
from basket.analysis.privacy import SUPPRESSED, publishable
from basket.project.settings import Settings
from basket.report.draw import Figure
from basket.tables.sums import per

ACTIVE = "active customers"
MOST_DAYPART_ROWS = 12


def sells_more(table: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Departments that sell more than usual in a daypart, those with most extra lines first.

    Only what may carry a headline counts; departments that gather what has no other place
    (`unnamed_departments`) are left out.
    """
    strong = table[
        (table["lift"] > 1)
        & (table["for_headline"] == "yes")
        & ~table["department"].isin(settings.labels.unnamed_departments)
    ]
    extra = strong["lines"] * (1 - 1 / strong["lift"])
    return strong.loc[extra.sort_values(ascending=False, kind="stable").index]


def all_figures(
    tables: dict[str, pd.DataFrame], findings: list[dict], settings: Settings
) -> list[Figure]:
    """Every figure for which there is data, with the so-what of the finding it belongs to."""
    if tables["group_shares"].empty:
        return []  # nobody is active: there is nothing to draw, and the findings say so
    so_what = {finding["figure"]: finding["so_what"] for finding in findings if finding["figure"]}
    of_question = {finding["question"]: finding["so_what"] for finding in reversed(findings)}
    made = []
    for function in FIGURES:
        try:
            figure = function(tables, settings)
        except (LookupError, ValueError):
            continue  # too little data for this figure; its finding says so
        if figure.data.empty:
            continue
        figure.so_what = so_what.get(figure.name) or of_question[figure.question]
        made.append(figure)
    return made


def heat_map(tables: dict, settings: Settings) -> Figure:
    """Q1: orders by day and hour."""
    table = tables["orders_by_day_hour"]
    table = table[table["population"] == "active"]
    days = tables["busiest_times"].set_index(["period", "rank"])["names"]
    data = pd.DataFrame(
        {
            "day": [settings.day_names[day] for day in table["day"]],
            "hour": table["hour"],
            "orders": table["orders"],
        }
    )
    peak = data.sort_values("orders", ascending=False, kind="stable").iloc[0]
    return Figure(
        "orders_by_day_hour",
        "Q1",
        "heat",
        f"{days['days', 'busiest']} and hours {days['hours', 'busiest']} are the busiest",
        f"Orders by day and hour, {ACTIVE}",
        f"Heat map of orders by day of the week and hour. The fullest cell is {peak['day']} "
        f"{peak['hour']}:00 with {peak['orders']:,} orders; the busiest hours are "
        f"{days['hours', 'busiest']}, the slowest {days['hours', 'slowest']}.",
        ("orders_by_day_hour", "busiest_times"),
        data.reset_index(drop=True),
        "hour",
        ["orders"],
        "Hour of the day",
        "Orders",
        native=False,
        heat={"rows": "day", "columns": "hour", "values": "orders"},
    )


def quiet_windows(tables: dict, settings: Settings) -> Figure:
    """Q1: the quietest waking window of each day."""
    table = tables["quiet_windows"]
    data = pd.DataFrame(
        {
            "window": [
                f"{row.day_name} {row.from_hour}:00 to {row.to_hour}:00"
                for row in table.itertuples()
            ],
            "index": table["index"],
            "index_low": table["index_low"],
            "index_high": table["index_high"],
        }
    )
    first = data.iloc[0]
    return Figure(
        "quiet_windows",
        "Q1",
        "dots",
        f"Advertise when few order: {first['window']} is quietest",
        f"Orders in the quietest waking window of each day, times the average window, {ACTIVE}, "
        "with 95 % intervals",
        f"Dots with intervals: the quietest window of each day. {first['window']} has "
        f"{first['index']:.2f} times the orders of an average window.",
        ("quiet_windows",),
        data,
        "window",
        ["index"],
        "Window",
        "Times the average window",
        "0.00",
        {"index": ["index_low", "index_high"]},
        reference=1.0,
        native=False,
    )


def order_value(tables: dict, settings: Settings) -> Figure:
    """Q2: value of an order by hour."""
    table = tables["spend_by_time"].query("period == 'hour'")
    data = table[["key", "mean_order_value", "mean_order_value_low", "mean_order_value_high"]]
    data = data.rename(columns={"key": "hour"}).reset_index(drop=True)
    different = (table["for_headline"] == "yes").any()
    highest = data.sort_values("mean_order_value").iloc[-1]
    return Figure(
        "order_value_by_hour",
        "Q2",
        "line",
        "The value of an order depends on the hour"
        if different
        else "The value of an order hardly depends on the hour"
        if (table["verdict"] == statistics.NO_DIFFERENCE).all()
        else "No hour is proven to hold larger or smaller orders",
        f"Mean value of an order by hour, {ACTIVE}, with 95 % intervals",
        f"Line of mean order value by hour with its interval. The highest estimate is "
        f"${highest['mean_order_value']:.2f} at {highest['hour']:.0f}:00.",
        ("spend_by_time",),
        data,
        "hour",
        ["mean_order_value"],
        "Hour of the day",
        "US dollars an order",
        '"$"#,##0.00',
        {"mean_order_value": ["mean_order_value_low", "mean_order_value_high"]},
    )


def order_value_by_day(tables: dict, settings: Settings) -> Figure:
    """Q2: value of an order by day, against the mean order."""
    table = tables["spend_by_time"].query("period == 'day'").sort_values("key")
    data = table[
        ["name", "order_value_ratio", "order_value_ratio_low", "order_value_ratio_high"]
    ].reset_index(drop=True)
    data.columns = ["day", "ratio", "ratio_low", "ratio_high"]
    proven = table[(table["for_headline"] == "yes") & (table["order_value_ratio"] > 1)]
    most = data.sort_values("ratio").iloc[-1]
    return Figure(
        "order_value_by_day",
        "Q2",
        "dots",
        "No day is proven to hold larger orders"
        if proven.empty
        else f"Orders on {most['day']} are worth {most['ratio']:.2f} times the mean",
        f"Mean value of an order by day, times that of all orders, {ACTIVE}, with 95 % intervals",
        f"Dots with intervals by day of the week. Orders on {most['day']} are worth "
        f"{most['ratio']:.2f} times the mean order, the most of all days.",
        ("spend_by_time",),
        data,
        "day",
        ["ratio"],
        "Day",
        "Times the value of the mean order",
        "0.00",
        {"ratio": ["ratio_low", "ratio_high"]},
        reference=1.0,
        native=False,
    )


def departments_by_daypart(tables: dict, settings: Settings) -> Figure:
    """Q2: what sells more than usual in some part of the day."""
    table = tables["department_times"]
    table = table[~table["department"].isin(settings.labels.unnamed_departments)]
    strong = sells_more(table, settings)
    title = (
        "No department is proven to have a time of day of its own"
        if strong.empty
        else f"{strong['department'].iloc[0].capitalize()} sells best in the "
        f"{strong['daypart'].iloc[0].lower()}"
    )
    popular = table.groupby("department")["lines"].sum().nlargest(MOST_DAYPART_ROWS).index
    best = table.sort_values("lift").groupby("department").tail(1)
    best = best.sort_values("lift", ascending=False, kind="stable")
    shown = list(dict.fromkeys([*strong["department"], *popular]))[:MOST_DAYPART_ROWS]
    data = best[best["department"].isin(shown)].reset_index(drop=True)
    data["when"] = [f"{row.department}, {row.daypart.lower()}" for row in data.itertuples()]
    data = data[["when", "lift", "lift_low", "lift_high"]]
    first = data.iloc[0]
    return Figure(
        "departments_by_daypart",
        "Q2",
        "dots",
        title,
        "Share of order lines in each department's best part of the day, times its usual share, "
        f"{ACTIVE}, with 95 % intervals",
        f"Dots with intervals: each department's best part of the day. {first['when']} has "
        f"{first['lift']:.2f} times the usual share of order lines.",
        ("department_times",),
        data,
        "when",
        ["lift"],
        "Department and part of the day",
        "Times its usual share of order lines",
        "0.00",
        {"lift": ["lift_low", "lift_high"]},
        reference=1.0,
        native=False,
    )


def price_bands(tables: dict, settings: Settings) -> Figure:
    """Q3: how much of the money lies in each price range."""
    table = tables["price_bands"]
    data = table.pivot(index="method", columns="band", values="share_of_spend")
    data = data.reindex(table["method"].unique()).rename(index={"course": "usual cuts"})
    data = data.reset_index()
    bands = list(data.columns[1:])
    data = data.rename(columns=dict(zip(bands, ("low", "mid", "high"), strict=True)))
    course = data.iloc[0]
    return Figure(
        "price_bands",
        "Q3",
        "stacked_bar",
        f"The usual mid range holds {course['mid']:.0%} of all money",
        f"Share of spend in three price ranges, by three ways to cut, {ACTIVE}",
        f"Stacked bars: with the usual cuts the mid range holds {course['mid']:.0%} of spend "
        "and "
        f"the high range {course['high']:.1%}.",
        ("price_bands",),
        data,
        "method",
        ["low", "mid", "high"],
        "Where prices are cut",
        "Share of spend",
        "0%",
    )


def departments(tables: dict, settings: Settings) -> Figure:
    """Q4: share of each department."""
    data = tables["department_reach"][["department", "share", "lines"]]
    named = data[~data["department"].isin(settings.labels.unnamed_departments)]
    top, last = named.iloc[0], named.iloc[-1]
    return Figure(
        "departments",
        "Q4",
        "bar",
        f"{top['department'].capitalize()} leads, {last['department']} is smallest",
        f"Share of order lines by department, {ACTIVE}",
        f"Bars of each department's share of order lines, from {top['department']} with "
        f"{top['share']:.1%} down to {last['department']} with {last['share']:.2%}.",
        ("department_reach",),
        data.reset_index(drop=True),
        "department",
        ["share"],
        "Department",
        "Share of order lines",
        "0%",
    )


def department_reach(tables: dict, settings: Settings) -> Figure:
    """Q4: why departments are small."""
    table = tables["department_reach"]
    data = table[["department", "reach", "orders_per_buyer"]].reset_index(drop=True)
    named = data[~data["department"].isin(settings.labels.unnamed_departments)]
    low = named.sort_values("reach").iloc[0]
    return Figure(
        "department_reach",
        "Q4",
        "scatter",
        f"{low['department'].capitalize()} reaches {low['reach']:.0%} of customers, the fewest",
        f"Customers who buy from a department, and how many orders each has with it, {ACTIVE}",
        f"Scatter of departments: few customers buy from those at the left; {low['department']} "
        f"reaches {low['reach']:.1%} of customers.",
        ("department_reach",),
        data,
        "reach",
        ["orders_per_buyer"],
        "Share of customers who buy from it",
        "Orders with it per buyer",
        "0.0",
    )


def loyalty(tables: dict, settings: Settings) -> Figure:
    """Q5: loyalty groups, by customers and by orders."""
    table = tables["group_shares"].query("grouping == 'loyalty_flag'")
    data = table[["group", "share_of_customers", "share_of_orders"]].reset_index(drop=True)
    last = data.iloc[-1]
    return Figure(
        "loyalty",
        "Q5",
        "column",
        f"{last['group']}s: {last['share_of_customers']:.0%} of customers, "
        f"{last['share_of_orders']:.0%} of orders",
        "Share of customers and of orders by loyalty, active customers",
        f"Columns by loyalty group: {last['group'].lower()}s are {last['share_of_customers']:.1%} "
        "of "
        f"customers and place {last['share_of_orders']:.1%} of orders.",
        ("group_shares",),
        data,
        "group",
        ["share_of_customers", "share_of_orders"],
        "Loyalty",
        "Share",
        "0%",
        labels={"share_of_customers": "of customers", "share_of_orders": "of orders"},
    )


def days_between(tables: dict, settings: Settings) -> Figure:
    """Q5: how often customers return."""
    data = tables["days_between_orders"][["label", "orders"]].reset_index(drop=True)
    peak = data.iloc[:-1].sort_values("orders").iloc[-1]
    last = data.iloc[-1]
    return Figure(
        "days_between_orders",
        "Q5",
        "histogram",
        f"Customers return most often after {peak['label']} days",
        f"Orders by days since the previous order; the last bar is 30 days or more, {ACTIVE}",
        f"Histogram with one bar per day; the highest is at {peak['label']} days with "
        f"{peak['orders']:,} orders, and {last['orders']:,} orders came after 30 days or more.",
        ("days_between_orders",),
        data,
        "label",
        ["orders"],
        "Days since the previous order",
        "Orders",
    )


def habits_by_loyalty(tables: dict, settings: Settings) -> Figure:
    """Q6: gap between orders by loyalty."""
    table = tables["habits"].query("population == 'active' and grouping == 'loyalty_flag'")
    data = table[["group", "median_days_between_orders"]].reset_index(drop=True)
    first, last = data.iloc[0], data.iloc[-1]
    return Figure(
        "habits_by_loyalty",
        "Q6",
        "column",
        f"{last['group']}s return after {last['median_days_between_orders']:g} "
        "days, "
        f"{first['group'].lower()}s after {first['median_days_between_orders']:g}",
        f"Median days between orders by loyalty, {ACTIVE}",
        f"Columns: {last['group'].lower()}s order every {last['median_days_between_orders']:g} "
        "days, "
        f"{first['group'].lower()}s every {first['median_days_between_orders']:g}.",
        ("habits",),
        data,
        "group",
        ["median_days_between_orders"],
        "Loyalty",
        "Median days between orders",
        "0.0",
    )


def habits_by_region(tables: dict, settings: Settings) -> Figure:
    """Q7: order value by region."""
    data = _ratios(tables, "region", settings)
    counts = tables["verdict_counts"].set_index("grouping")
    overall = tables["tests"].query(
        "grouping == 'region' and measure == 'mean_order_value' and effect_name != 'ratio'"
    )  # the test that the finding rests on
    said = (
        "Region makes no practical difference to the value of an order"
        if (overall["verdict"] == statistics.NO_DIFFERENCE).all()
        else "The value of an order differs by region"
        if (overall["for_headline"] == "yes").any()
        else "Whether orders differ in value by region is undecided"
    )
    most = data.sort_values("ratio").iloc[-1]
    return Figure(
        "habits_by_region",
        "Q7",
        "dots",
        said,
        f"Mean order value by region, times that of all {ACTIVE}, with 95 % intervals",
        f"Dots with intervals by region; the highest, {most['group']}, is {most['ratio']:.3f} "
        "times "
        f"the mean. {counts.loc['region', 'tests']} comparisons by region were made.",
        ("tests",),
        data,
        "group",
        ["ratio"],
        "Region",
        "Times the mean of all customers",
        "0.00",
        {"ratio": ["ratio_low", "ratio_high"]},
        reference=1.0,
        native=False,
    )


def _shown(table: pd.DataFrame, tables: dict, settings: Settings) -> pd.DataFrame:
    """The rows about groups of customers that may be published (D-15)."""
    table = publishable(table, settings, tables["habits"])
    return table[~(table == SUPPRESSED).any(axis="columns")].infer_objects()


def _ratios(tables: dict, grouping: str, settings: Settings) -> pd.DataFrame:
    table = tables["tests"]
    table = table[
        (table["grouping"] == grouping)
        & (table["measure"] == "mean_order_value")
        & (table["effect_name"] == "ratio")
    ]
    table = _shown(table, tables, settings)
    if table.empty:
        raise LookupError(grouping)
    return table.rename(
        columns={
            "group_a": "group",
            "effect": "ratio",
            "effect_low": "ratio_low",
            "effect_high": "ratio_high",
        }
    )[["group", "ratio", "ratio_low", "ratio_high"]].reset_index(drop=True)


def effects_by_attribute(tables: dict, settings: Settings) -> Figure:
    """Q8: how much each attribute tells about what an order is worth."""
    table = tables["tests"]
    table = table[
        (table["measure"] == "mean_order_value")
        & (table["effect_name"] == "epsilon_squared")
        & ~table["grouping"].str.contains(" within ")
    ]
    table = table.sort_values("effect", ascending=False)
    tells = table["for_headline"].iloc[0] == "yes"
    data = table[["grouping", "effect", "effect_low", "effect_high"]].reset_index(drop=True)
    data["grouping"] = data["grouping"].str.replace("_", " ")
    smallest = settings.statistics.effects.epsilon_squared[0]
    first = data.iloc[0]
    none = data["effect_high"].max() < smallest
    return Figure(
        "effects_by_attribute",
        "Q8",
        "bar",
        "No attribute tells in practice what an order is worth"
        if none
        else f"{first['grouping'].capitalize()} tells most about what an order is worth"
        if tells
        else "No attribute is proven to tell what an order is worth",
        f"Epsilon squared of order value by attribute, {ACTIVE}, with 95 % intervals; "
        f"below {smallest:g} (dashed) a difference does not matter",
        f"Bars of epsilon squared with intervals; the largest, {first['grouping']}, is "
        f"{first['effect']:.4f}.",
        ("tests",),
        data,
        "grouping",
        ["effect"],
        "Attribute",
        "Epsilon squared",
        "0.000",
        {"effect": ["effect_low", "effect_high"]},
        reference=smallest,
    )


def goods_by_income(tables: dict, settings: Settings) -> Figure:
    """Q9: what goes with income."""
    table = tables["department_lifts"].query("grouping == 'income_group'")
    table = _shown(table, tables, settings)
    spread = table.groupby("measure")["effect"].agg(lambda lifts: np.log(lifts.max() / lifts.min()))
    share = tables["departments"].query("population == 'active'").set_index("department")["lines"]
    share = per(share, share.sum()) if share.empty else share / share.sum()
    weight = (spread * spread.index.map(share)).sort_values(ascending=False)
    chosen = weight.index[:6]
    wide = table[table["measure"].isin(chosen)].pivot(
        index="measure", columns="group_a", values=["effect", "effect_low", "effect_high"]
    )
    groups = [name for name in settings.flags["income_group"].labels if name in wide["effect"]]
    intervals = {name: [f"{name}, low", f"{name}, high"] for name in groups}
    columns = {name: wide["effect"][name] for name in groups}
    for name, (low, high) in intervals.items():
        columns |= {low: wide["effect_low"][name], high: wide["effect_high"][name]}
    data = pd.DataFrame(columns).loc[chosen].rename_axis("department").reset_index()
    top = data.iloc[0]
    return Figure(
        "goods_by_income",
        "Q9",
        "bar",
        "Income goes with what is in the basket"
        if (table["for_headline"] == "yes").any()
        else "No department is proven to sell more or less by income",
        f"A department's share of the group's order lines over its share of all, {ACTIVE}, with "
        "95 % intervals",
        f"Bars of lift by income group for the departments that differ most; in "
        f"{top['department']} "
        f"the groups run from {min(top[groups]):.2f} to {max(top[groups]):.2f}.",
        ("department_lifts",),
        data,
        "department",
        groups,
        "Department",
        "Times the usual share of order lines",
        "0.00",
        intervals,
        reference=1.0,
    )


def income_by_age(tables: dict, settings: Settings) -> Figure:
    """Q9: the step in income."""
    data = tables["income_by_age"]
    data = data[data["customers"] >= settings.privacy.smallest_group]
    data = data[["ages", "mean_income", "mean_income_low", "mean_income_high"]].reset_index(
        drop=True
    )
    lowest, highest = data["mean_income"].min(), data["mean_income"].max()
    step = tables["bands"].query(
        "attribute == 'age' and measure == 'income' and method == 'proposed' and confirmed == 'yes'"
    )
    return Figure(
        "income_by_age",
        "Q9",
        "line",
        f"Mean income runs from ${lowest:,.0f} to ${highest:,.0f} over the ages"
        if step.empty
        else f"Mean income steps up at age {' and '.join(step['cuts'].iloc[0].split(' | '))}",
        f"Mean income by age, {ACTIVE}, with 95 % intervals",
        f"Line of mean income by age; it runs from ${lowest:,.0f} to ${highest:,.0f} a year.",
        ("income_by_age",),
        data,
        "ages",
        ["mean_income"],
        "Age in years",
        "US dollars a year",
        '"$"#,##0',
        {"mean_income": ["mean_income_low", "mean_income_high"]},
    )


def profiles(tables: dict, settings: Settings) -> Figure:
    """Q10: order value by profile."""
    data = _ratios(tables, "profile", settings).sort_values(
        "ratio", ascending=False, ignore_index=True
    )
    first, last = data.iloc[0], data.iloc[-1]
    differs = (tables["profiles"]["order_value_for_headline"] == "yes").any()
    return Figure(
        "profiles",
        "Q10",
        "dots",
        f"Order value by profile runs from {last['ratio']:.2f} to {first['ratio']:.2f} times "
        "the mean"
        if differs
        else "No profile's order value is proven to differ from the mean",
        f"Mean order value by profile, times that of all {ACTIVE}, with 95 % intervals",
        f"Dots with intervals for each profile, from {first['ratio']:.2f} times the mean "
        f"({first['group']}) to {last['ratio']:.2f} ({last['group']}).",
        ("tests",),
        data,
        "group",
        ["ratio"],
        "Profile",
        "Times the mean of all customers",
        "0.00",
        {"ratio": ["ratio_low", "ratio_high"]},
        reference=1.0,
        native=False,
    )


def product_pairs(tables: dict, settings: Settings) -> Figure:
    """Q11: the strongest pairs."""
    table = tables["product_pairs"]
    apart = table[table["department_a"] != table["department_b"]]
    table = (apart if len(apart) else table).head(10)
    data = pd.DataFrame(
        {
            "pair": [
                f"{_short(a)} + {_short(b)}"
                for a, b in zip(table["product_name_a"], table["product_name_b"], strict=True)
            ],
            "lift": table["lift"],
            "lift_low": table["lift_low"],
            "lift_high": table["lift_high"],
        }
    )
    first = data.iloc[0]
    return Figure(
        "product_pairs",
        "Q11",
        "bar",
        f"The strongest pair is bought together {first['lift']:.1f} times as often as by chance",
        f"Lift of the strongest pairs{' across departments' * bool(len(apart))}, {ACTIVE}, with "
        "95 % intervals",
        f"Bars of lift for pairs of products; the strongest, {first['pair']}, is bought together "
        f"{first['lift']:.1f} times as often as by chance.",
        ("product_pairs",),
        data,
        "pair",
        ["lift"],
        "Pair",
        "Times as often as by chance",
        "0.0",
        {"lift": ["lift_low", "lift_high"]},
    )


def _short(name: str) -> str:
    return name if len(name) <= 28 else name[:27].rstrip() + "…"


def threshold_in_words(setting: str, value: float) -> str:
    """A threshold in words: `loyal_above_orders` at 40 is “loyal above 40 orders”."""
    *words, unit = setting.split("_")
    return f"{' '.join(words)} {value:,g} {unit}"


def sensitivity(tables: dict, settings: Settings) -> Figure:
    """Q12: labels that depend on thresholds."""
    table = tables["sensitivity"].query("unit == 'customers'").dropna(subset=["changed"])
    data = table.pivot_table(
        index="setting",
        columns=np.where(table["changed"] < table["base"], "a fifth lower", "a fifth higher"),
        values="share_relabelled",
        aggfunc="max",
    ).fillna(0.0)
    data = data.loc[data.max(axis=1).sort_values(ascending=False).index].reset_index()
    base = table.groupby("setting")["base"].first()
    data["setting"] = [threshold_in_words(name, base[name]) for name in data["setting"]]
    series = [name for name in ("a fifth lower", "a fifth higher") if name in data]
    first = data.iloc[0]
    return Figure(
        "sensitivity",
        "Q12",
        "bar",
        f"Labels depend most on “{first['setting']}”",
        "Share of customers who get another label when a threshold moves by a fifth, all customers",
        f"Bars by threshold; moving {first['setting']} by a fifth relabels up to "
        f"{max(first[series]):.0%} of customers.",
        ("sensitivity",),
        data,
        "setting",
        series,
        "Threshold",
        "Share of customers",
        "0%",
    )


FIGURES = (
    heat_map,
    quiet_windows,
    order_value,
    order_value_by_day,
    departments_by_daypart,
    price_bands,
    departments,
    department_reach,
    loyalty,
    days_between,
    habits_by_loyalty,
    habits_by_region,
    effects_by_attribute,
    goods_by_income,
    income_by_age,
    profiles,
    product_pairs,
    sensitivity,
)
