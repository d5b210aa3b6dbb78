"""What the analysis found, composed from the numbers of this run.

No sentence is typed in that data could falsify. A finding takes each number from a cell of a result
table through `Evidence`, which notes where it stands; `basket verify` looks every one of them up
again.
"""

from dataclasses import asdict, dataclass, field

import pandas as pd

from basket.analysis import statistics
from basket.analysis.visuals import sells_more, threshold_in_words
from basket.project.dictionary import result_column
from basket.project.settings import Settings

MARKETING, SALES = "VP of Marketing", "SVP of Sales"
HABITS = (
    "mean_order_value",
    "mean_lines_per_order",
    "mean_item_price",
    "median_days_between_orders",
    "orders",
    "reorder_rate",
)
IN_WORDS = {
    "mean_order_value": "the value of an order",
    "mean_lines_per_order": "the lines per order",
    "mean_item_price": "the price of an item",
    "median_days_between_orders": "the days between orders",
    "orders": "the number of orders",
    "reorder_rate": "the reorder rate",
}
BECAUSE = {  # the main reason of a small share, as department_reach gives it
    "how many customers buy it": "few customers buy it",
    "how often its buyers order it": "its buyers order it rarely",
    "how much they take at a time": "its buyers take little of it at a time",
}


@dataclass
class Finding:
    """One answer: what was found, so what, what to do, who does it, how sure we are."""

    id: str
    question: str
    headline: str = ""
    so_what: str = ""
    action: str = ""
    owner: str = MARKETING
    confidence: str = "low"
    evidence: list[str] = field(default_factory=list)
    figure: str = ""
    numbers: dict[str, dict] = field(default_factory=dict)
    size: str = ""
    change_mind: str = ""


class Evidence:
    """The result tables, and the finding that numbers are being taken for."""

    def __init__(self, tables: dict[str, pd.DataFrame], finding: Finding):
        """Take numbers for `finding` from `tables`."""
        self.tables = tables
        self.finding = finding

    def cell(self, name: str, table: str, column: str, unit: str, **where):
        """Return the one cell of `column` in the row that `where` names; note where it stands."""
        frame = self.tables[table]
        rows = frame
        for key, value in where.items():
            rows = rows[rows[key].astype("str") == str(value)]
        if len(rows) != 1:
            raise LookupError(f"{self.finding.id}: {table} has {len(rows)} rows where {where}")
        value = rows[column].iloc[0]
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, float):
            value = round(value, result_column(column).decimals)  # as the table is written
        keys = {key: str(value) for key, value in where.items()}
        self.finding.numbers[name] = {
            "value": value,
            "unit": unit,
            "table": table,
            "where": {"column": column, **keys},
        }
        if table not in self.finding.evidence:
            self.finding.evidence.append(table)
        return value


def compose(
    tables: dict[str, pd.DataFrame], settings: Settings, fabricated: tuple[str, ...]
) -> list[dict]:
    """All findings, question by question; none concludes from what is `fabricated`."""
    made = []
    for number, (question, needs, function, figure) in enumerate(FINDINGS, start=1):
        finding = Finding(f"F{number:02d}", question, figure=figure)
        unusable = [name for name in fabricated if name in needs]
        if unusable:
            _not_answered(finding, unusable)
        elif tables["group_shares"].empty:
            _cannot_be_said(finding, "No customer has enough orders to count as active.")
        else:
            try:
                function(finding, Evidence(tables, finding), settings)
            except (LookupError, IndexError):
                _cannot_be_said(
                    finding, "The tables behind this question have no row to compare with."
                )
        made.append(asdict(finding))
    return made


def _not_answered(finding: Finding, columns: list[str]) -> None:
    what = " and ".join(
        "the prices" if name == "products.prices" else "the customers" for name in columns
    )
    finding.headline = f"Not answered: {what} of this data are fabricated"
    finding.so_what = "A conclusion from made-up columns would say nothing about real customers."
    finding.action = "Run the analysis again with real prices and customers."
    finding.confidence = "low"
    finding.figure = ""


def _cannot_be_said(finding: Finding, reason: str) -> None:
    finding.numbers.clear()
    finding.headline = "Not answered: this data holds too little to say"
    finding.so_what = reason
    finding.action = "Run the analysis again with more data."
    finding.confidence = "low"
    finding.figure = ""


# ---- Q1 --------------------------------------------------------------------------------------


def busiest(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """Which days and hours take most orders."""
    days = seen.cell(
        "busiest_days", "busiest_times", "names", "days", period="days", rank="busiest"
    )
    share = seen.cell(
        "days_share", "busiest_times", "share", "share of orders", period="days", rank="busiest"
    )
    hours = seen.cell(
        "busiest_hours",
        "busiest_times",
        "names",
        "hours of the day",
        period="hours",
        rank="busiest",
    )
    hour_share = seen.cell(
        "hours_share", "busiest_times", "share", "share of orders", period="hours", rank="busiest"
    )
    low = seen.cell(
        "days_index_low",
        "busiest_times",
        "index_low",
        "times the average",
        period="days",
        rank="busiest",
    )
    orders = seen.cell(
        "days_orders", "busiest_times", "orders", "orders", period="days", rank="busiest"
    )
    finding.headline = (
        f"{days} are the busiest days, and hours {hours} take {hour_share:.0%} of all orders"
    )
    finding.so_what = (
        f"{days} take {share:.1%} of the week's orders; customers are in the app then anyway, so "
        "an advertisement has the least to add."
    )
    finding.action = "Keep capacity and service for these hours; do not pay for reach in them."
    finding.owner = SALES
    finding.size = f"{orders:,} orders fall on {days}."
    finding.confidence = "high" if low > 1 else "low"
    finding.change_mind = "An official list of weekdays that reads 0 as another day than Saturday."


def quiet(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """When advertisements should run because orders are few."""
    day = seen.cell("day", "quiet_windows", "day_name", "day", rank=1)
    start = seen.cell("from_hour", "quiet_windows", "from_hour", "hour", rank=1)
    end = seen.cell("to_hour", "quiet_windows", "to_hour", "hour", rank=1)
    index = seen.cell("index", "quiet_windows", "index", "times the average window", rank=1)
    low = seen.cell("index_low", "quiet_windows", "index_low", "times the average window", rank=1)
    high = seen.cell(
        "index_high", "quiet_windows", "index_high", "times the average window", rank=1
    )
    orders = seen.cell("orders", "quiet_windows", "orders", "orders", rank=1)
    window = f"{day} {start}:00 to {end}:00"
    finding.headline = (
        f"The quietest waking window is {window}: it takes {index:.0%} of the orders of an "
        "average one"
    )
    finding.so_what = (
        f"{window} takes {index:.0%} of an average window's orders (interval {low:.0%} to "
        f"{high:.0%}): people are awake and not ordering, which is when an advertisement can add "
        "an order."
    )
    finding.action = (
        "Schedule advertisements by the ad calendar, quietest window of each day first."
    )
    finding.size = f"{orders:,} orders fall into this window today."
    finding.confidence = "high" if high < 1 else "low"
    finding.change_mind = "A trial in which the quiet windows bring no more orders than busy ones."


# ---- Q2 --------------------------------------------------------------------------------------


def spending(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """When people spend most, in total and per order."""
    table = seen.tables["spend_by_time"]
    hours = table[table["period"] == "hour"]
    top = hours.sort_values(["spend", "key"], ascending=[False, True])["key"].iloc[0]
    name = seen.cell("hour", "spend_by_time", "name", "hour", period="hour", key=top)
    share = seen.cell(
        "spend_share", "spend_by_time", "spend_share", "share of spend", period="hour", key=top
    )
    spend = seen.cell("spend", "spend_by_time", "spend", "US dollars", period="hour", key=top)
    finding.size = f"${spend:,.0f} is spent at {name}."
    different = table[table["for_headline"] == "yes"].sort_values("order_value_ratio")
    if different.empty:
        same = (table["verdict"] == statistics.NO_DIFFERENCE).all()
        finding.headline = f"Most money is spent at {name}, {share:.1%} of it; " + (
            "the value of an order hardly depends on the time"
            if same
            else "no time is proven to hold orders of another value"
        )
        finding.so_what = (
            "Spend follows the number of orders: no hour or day is proven to hold bigger baskets."
        )
        finding.confidence = "high" if same else "medium"
        finding.action = "Choose advertising times by the number of orders, not by basket value."
    else:
        row = different.iloc[-1]
        key = {"period": row["period"], "key": row["key"]}
        when = seen.cell("when", "spend_by_time", "name", "time", **key)
        value = seen.cell("order_value", "spend_by_time", "mean_order_value", "US dollars", **key)
        ratio = seen.cell("ratio", "spend_by_time", "order_value_ratio", "times the mean", **key)
        low = seen.cell(
            "ratio_low", "spend_by_time", "order_value_ratio_low", "times the mean", **key
        )
        high = seen.cell(
            "ratio_high", "spend_by_time", "order_value_ratio_high", "times the mean", **key
        )
        when = f"{'on' if row['period'] == 'day' else 'at'} {when}"
        finding.figure = f"order_value_by_{row['period']}"
        finding.headline = (
            f"Most money is spent at {name}; orders {when} are worth {ratio:.2f} times the mean"
        )
        finding.so_what = (
            f"An order {when} is worth ${value:.2f}, {ratio:.2f} times the mean (interval "
            f"{low:.2f} to {high:.2f}); {share:.1%} of all money is spent at {name}."
        )
        finding.action = (
            f"Advertise large baskets {when}; elsewhere choose times by orders."
            if ratio > 1
            else f"Do not advertise large baskets {when}; choose times by orders."
        )
        finding.confidence = "high"
    finding.change_mind = "Quantities, which this data lacks: it counts each product once an order."


def goods_by_time(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """What sells more than usual in each part of the day."""
    table = seen.tables["department_times"]
    table = table[~table["department"].isin(settings.labels.unnamed_departments)]
    strong = sells_more(table, settings)
    finding.owner = MARKETING
    best = (table.sort_values("lift_low", ascending=False) if strong.empty else strong).iloc[0]
    name, when = best["department"], _in_the(best["daypart"])
    key = {"daypart": best["daypart"], "department": name}
    lift = seen.cell("lift", "department_times", "lift", "times its usual share", **key)
    low = seen.cell("lift_low", "department_times", "lift_low", "times its usual share", **key)
    high = seen.cell("lift_high", "department_times", "lift_high", "times its usual share", **key)
    if strong.empty:
        finding.headline = "No department is proven to sell more than usual in a part of the day"
        finding.so_what = (
            f"The likeliest, {name} {when}, has {lift:.2f} times its usual share of order lines "
            f"(interval {low:.2f} to {high:.2f})."
        )
        finding.action = (
            "Advertise the same departments all day; choose them by who sees the advertisement."
        )
        decided = (table["verdict"] == statistics.NO_DIFFERENCE).all()
        finding.confidence = "high" if decided else "low"
        return
    lines = seen.cell("lines", "department_times", "lines", "order lines", **key)
    finding.headline = f"{when.capitalize()}, {name} sells {lift:.2f} times its usual share"
    finding.so_what = (
        f"{name.capitalize()} has {lift:.2f} times its usual share of order lines {when} "
        f"(interval {low:.2f} to {high:.2f})."
    )
    finding.action = f"Offer {name} in {best['daypart'].lower()} advertisements."
    finding.size = f"{lines:,} order lines {when} are {name}."
    finding.confidence = "high"
    finding.change_mind = "A campaign in that part of the day that moves other departments as much."


def _in_the(daypart: str) -> str:
    return "at night" if daypart == "Night" else f"in the {daypart.lower()}"


# ---- Q3, Q4 ----------------------------------------------------------------------------------


def price_ranges(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """Which simple price ranges direct effort."""
    middle = {"method": "course", "band": "2 of 3"}
    lines = seen.cell("middle_lines", "price_bands", "share_of_lines", "share of lines", **middle)
    spend = seen.cell("middle_spend", "price_bands", "share_of_spend", "share of spend", **middle)
    money = seen.cell("middle_dollars", "price_bands", "spend", "US dollars", **middle)
    first, second = (
        seen.cell(
            f"course_cut_{place}",
            "price_bands",
            "up_to_dollars",
            "US dollars",
            method="course",
            band=f"{place} of 3",
        )
        for place in (1, 2)
    )
    top_spend = seen.cell(
        "high_spend",
        "price_bands",
        "share_of_spend",
        "share of spend",
        method="course",
        band="3 of 3",
    )
    low = seen.cell(
        "equal_spend_low",
        "price_bands",
        "up_to_dollars",
        "US dollars",
        method="equal spend",
        band="1 of 3",
    )
    high = seen.cell(
        "equal_spend_high",
        "price_bands",
        "up_to_dollars",
        "US dollars",
        method="equal spend",
        band="2 of 3",
    )
    moved = seen.cell(
        "relabelled",
        "price_bands",
        "share_relabelled",
        "share of lines",
        method="equal spend",
        band="1 of 3",
    )
    finding.headline = (
        f"The usual mid range holds {spend:.0%} of all money; cuts at ${low:.2f} and "
        f"${high:.2f} would split it evenly"
    )
    finding.so_what = (
        f"The usual ranges (cuts at ${first:g} and ${second:g}) put {lines:.0%} of the order lines "
        f"into one range and {top_spend:.1%} of the money into the highest, so they hardly direct "
        f"effort. The even cuts move {moved:.0%} of the lines to another range."
    )
    finding.action = "Plan by the ranges of equal spend; keep the usual ones for comparison."
    finding.size = f"${money:,.0f} of spend lies in the usual mid range."
    finding.owner = SALES
    finding.confidence = "medium"
    finding.change_mind = "Margins by product: ranges of equal profit would serve better."


def popular_departments(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """Which departments are ordered most."""
    first = seen.cell("first", "department_reach", "department", "department", rank=1)
    second = seen.cell("second", "department_reach", "department", "department", rank=2)
    share = seen.cell("first_share", "department_reach", "share", "share of lines", rank=1)
    share2 = seen.cell("second_share", "department_reach", "share", "share of lines", rank=2)
    reach = seen.cell("first_reach", "department_reach", "reach", "share of customers", rank=1)
    again = seen.cell("first_reorder", "department_reach", "reorder_rate", "share of lines", rank=1)
    lines = seen.cell("first_lines", "department_reach", "lines", "order lines", rank=1)
    finding.size = f"{lines:,} order lines are {first}."
    finding.headline = (
        f"{first.capitalize()} and {second} lead with {share:.0%} and {share2:.0%} "
        "of all order lines"
    )
    finding.so_what = (
        f"{reach:.0%} of customers buy {first}, and {again:.0%} of its order lines are reorders: "
        "people come back for it."
    )
    finding.action = (
        f"Use {first} and {second} as the reason to return; advertise others beside them."
    )
    finding.owner = SALES
    finding.confidence = "high"
    finding.change_mind = "Margins: a popular department may earn little."


def small_departments(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """Which department has the lowest share, and why."""
    table = seen.tables["department_reach"]
    named = table[~table["department"].isin(settings.labels.unnamed_departments)]
    rank = int(named["rank"].max())
    name = seen.cell("name", "department_reach", "department", "department", rank=rank)
    share = seen.cell("share", "department_reach", "share", "share of lines", rank=rank)
    reach = seen.cell("reach", "department_reach", "reach", "share of customers", rank=rank)
    often = seen.cell("often", "department_reach", "orders_per_buyer", "orders a buyer", rank=rank)
    reason = seen.cell("reason", "department_reach", "main_reason", "reason", rank=rank)
    typical = seen.cell(
        "reach_against_typical",
        "department_reach",
        "reach_against_typical",
        "times typical",
        rank=rank,
    )
    lines = seen.cell("lines", "department_reach", "lines", "order lines", rank=rank)
    finding.size = f"{lines:,} order lines are {name}."
    finding.headline = (
        f"{name.capitalize()} has the lowest share of order lines, {share:.2%}: "
        f"{BECAUSE.get(reason, reason)}"
    )
    finding.so_what = (
        f"{reach:.1%} of customers ever buy {name}, {typical:.2f} times as many as a typical "
        f"department reaches; those who do have {often:.1f} orders with it."
    )
    finding.action = (
        f"To grow {name}, win first buyers; a discount for those who buy it already "
        "would change little."
        if "how many customers" in reason
        else f"To grow {name}, bring its buyers back: reminders and subscriptions."
    )
    finding.owner = SALES
    finding.confidence = "high"
    finding.change_mind = "Products that are missing from the range: demand that could not be met."


# ---- Q5 to Q10 -------------------------------------------------------------------------------


def loyalty(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """How loyal customers are."""
    new, _, loyal = settings.flags["loyalty_flag"].labels
    key = {"grouping": "loyalty_flag", "group": loyal}
    share = seen.cell(
        "loyal_customers", "group_shares", "share_of_customers", "share of active customers", **key
    )
    orders = seen.cell("loyal_orders", "group_shares", "share_of_orders", "share of orders", **key)
    placed = seen.cell("loyal_number", "group_shares", "orders", "orders", **key)
    fresh = seen.cell(
        "new_customers",
        "group_shares",
        "share_of_customers",
        "share of active customers",
        grouping="loyalty_flag",
        group=new,
    )
    finding.headline = (
        f"{loyal}s are {share:.1%} of active customers and place {orders:.1%} of their orders"
    )
    finding.so_what = (
        f"{fresh:.0%} of active customers are still new: their next orders are the way to more "
        f"{loyal.lower()}s, who bring {orders:.1%} of orders."
    )
    finding.action = (
        "Reward loyal customers; spend on the next orders of new customers before buying more "
        "first orders."
    )
    finding.size = f"{placed:,} orders are placed by {loyal.lower()}s."
    finding.confidence = "high"
    finding.change_mind = "Dates: without them, a new customer may simply have joined late."


def returning(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """How soon customers come back."""
    table = seen.tables["days_between_orders"]
    label = table.iloc[:-1].sort_values("orders", ascending=False, kind="stable")["label"].iloc[0]
    peak = {"label": label}
    day = seen.cell("day", "days_between_orders", "label", "days", **peak)
    share = seen.cell("share", "days_between_orders", "share", "share of returns", **peak)
    orders = seen.cell("orders", "days_between_orders", "orders", "orders", **peak)
    last = {"label": table["label"].iloc[-1]}
    end = seen.cell("last", "days_between_orders", "label", "days", **last)
    late = seen.cell("late", "days_between_orders", "share", "share of returns", **last)
    day, end = f"{day}", f"{end}".rstrip("+")
    finding.headline = (
        f"Customers return most often after {day} days; {late:.0%} of returns take {end} days or "
        "more"
    )
    finding.so_what = (
        f"{share:.0%} of all returns come exactly {day} days after the last order, more than on "
        f"any other day; {late:.0%} come after {end} days or more, and the data does not say when."
    )
    finding.action = (
        f"Remind customers just before day {day}; write again after {end} days of silence."
    )
    finding.size = f"{orders:,} orders came {day} days after the last."
    finding.confidence = "high"
    finding.change_mind = "Dates: they would show whether people keep to a weekday or to a gap."


def habits_by_loyalty(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """How habits differ with loyalty."""
    new, _, loyal = settings.flags["loyalty_flag"].labels
    gap_loyal = seen.cell(
        "loyal_gap",
        "habits",
        "median_days_between_orders",
        "days",
        population="active",
        grouping="loyalty_flag",
        group=loyal,
    )
    gap_new = seen.cell(
        "new_gap",
        "habits",
        "median_days_between_orders",
        "days",
        population="active",
        grouping="loyalty_flag",
        group=new,
    )
    spend = seen.cell(
        "loyal_spend",
        "habits",
        "spend",
        "US dollars",
        population="active",
        grouping="loyalty_flag",
        group=loyal,
    )
    finding.size = f"${spend:,.0f} of spend comes from {loyal.lower()}s."
    key = {
        "grouping": "loyalty_flag",
        "group_a": loyal,
        "measure": "mean_order_value",
        "group_b": "all customers",
    }
    ratio = seen.cell("value_ratio", "tests", "effect", "times the mean", **key)
    low = seen.cell("value_low", "tests", "effect_low", "times the mean", **key)
    high = seen.cell("value_high", "tests", "effect_high", "times the mean", **key)
    verdict = seen.cell("value_verdict", "tests", "verdict", "verdict", **key)
    same, more = verdict == statistics.NO_DIFFERENCE, verdict != statistics.UNDECIDED and ratio > 1
    finding.headline = (
        f"{loyal}s order every {gap_loyal:g} days against {gap_new:g} for {new.lower()}s; "
        f"{_value_words(verdict, ratio)}"
    )
    finding.so_what = (
        f"An order of a {loyal.lower()} is worth {ratio:.2f} times the mean (interval {low:.2f} to "
        f"{high:.2f}): loyalty shows in how often people order"
        + (", not in what an order is worth." if same else ".")
    )
    finding.action = "Aim loyalty offers at shortening the gap to the next order" + (
        " and at bigger baskets." if more and not same else ", not at bigger baskets."
    )
    finding.confidence = "high" if verdict != statistics.UNDECIDED else "medium"
    finding.change_mind = "A trial in which a bigger-basket offer raises yearly spend more."


def _value_words(verdict: str, ratio: float) -> str:
    if verdict == statistics.NO_DIFFERENCE:
        return "their orders are worth practically the same"
    if verdict == statistics.UNDECIDED:
        return "whether their orders are worth more is undecided"
    return f"their orders are worth {'more' if ratio > 1 else 'less'}"


def by_region(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """Whether habits differ by region."""
    _whether_groups_differ(finding, seen, "region", "region", "regions")
    finding.change_mind = "More customers, or deliveries and competitors by region."


def _whether_groups_differ(
    finding: Finding, seen: Evidence, grouping: str, word: str, plural: str
) -> None:
    """Say which ordering habits differ between the groups of one attribute."""
    table = seen.tables["tests"]
    overall = table[
        (table["grouping"] == grouping)
        & table["measure"].isin(HABITS)
        & (table["effect_name"] != "ratio")
    ]
    overall = overall[overall["effect"].notna()]  # a single group has nothing to differ from
    if overall.empty:
        raise LookupError(f"no test of {grouping}")
    decided = overall[overall["for_headline"] == "yes"].sort_values(
        "effect", ascending=False, key=abs
    )
    undecided = overall[overall["verdict"] != statistics.NO_DIFFERENCE].sort_values(
        "customers_to_decide", ascending=False, kind="stable"
    )
    largest = overall.sort_values("effect", ascending=False, key=abs).iloc[0]
    shown = decided.iloc[0] if len(decided) else undecided.iloc[0] if len(undecided) else largest
    key = {"grouping": grouping, "measure": shown["measure"], "effect_name": shown["effect_name"]}
    effect = seen.cell("effect", "tests", "effect", shown["effect_name"], **key)
    low = seen.cell("effect_low", "tests", "effect_low", shown["effect_name"], **key)
    high = seen.cell("effect_high", "tests", "effect_high", shown["effect_name"], **key)
    number = seen.cell("customers", "tests", "n", "customers", **key)
    measure = IN_WORDS[shown["measure"]]
    said = _explained(shown["effect_name"], word, measure, effect, low, high)
    finding.owner = MARKETING
    finding.size = f"{number:,} customers were compared."
    if len(decided):
        finding.headline = (
            f"{measure[0].upper()}{measure[1:]} differs by {word}: a {shown['verdict']} difference"
        )
        finding.so_what = f"{said}."
        finding.action = f"Tailor offers by {word} where they aim at {measure}."
        finding.confidence = "high"
    elif len(undecided):
        needed = shown["customers_to_decide"]
        finding.headline = f"Whether ordering habits differ by {word} is undecided with this data"
        finding.so_what = f"{said}: this data allows both a difference that matters and none."
        if not pd.isna(needed):
            needed = seen.cell("needed", "tests", "customers_to_decide", "customers", **key)
            finding.so_what += f" About {needed:,} customers would decide it."
        finding.action = f"Do not pay for campaigns by {word} yet; analyse more customers first."
        finding.confidence = "low"
    else:
        finding.headline = f"There is no practical difference in ordering habits between {plural}"
        finding.so_what = f"{said}, and other habits even less: too little to matter."
        finding.action = f"Do not spend money on campaigns by {word}."
        finding.confidence = "high"


def _explained(
    effect_name: str, word: str, measure: str, effect: float, low: float, high: float
) -> str:
    """An effect in words; epsilon squared is the share of differences that a grouping explains."""
    if effect_name == "epsilon_squared":
        return (
            f"{word.capitalize()} explains {effect:.1%} of how customers differ in {measure} "
            f"(interval {low:.1%} to {high:.1%})"
        )
    name = effect_name.replace("_", " ").replace("cliffs", "Cliff's")
    return (
        f"For {measure} the two groups of {word} lie {effect:.2f} apart by {name} "
        f"(interval {low:.2f} to {high:.2f})"
    )


def by_family(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """Whether age and family status go with ordering habits, and whether they are two things."""
    table = seen.tables["redundancy"]
    status = table[table["attribute"] == "family_status"]
    _whether_groups_differ(finding, seen, "age_group", "age", "age groups")
    if len(status) and status["redundant"].iloc[0] == "yes":
        accuracy = seen.cell(
            "accuracy", "redundancy", "accuracy", "share of customers", attribute="family_status"
        )
        others = (
            seen.cell(
                "determined_by",
                "redundancy",
                "determined_by",
                "attributes",
                attribute="family_status",
            )
            .replace("n_dependants", "dependants")
            .replace(", ", " and ")
        )
        finding.headline = (
            f"Family status only restates {others}; "
            f"{finding.headline[0].lower()}{finding.headline[1:]}"
        )
        finding.so_what = (
            f"Family status follows from {others} for {100 * accuracy:.4g}% of the customers it "
            f"was checked on, so it adds nothing of its own. {finding.so_what}"
        )
    finding.change_mind = "A survey in which family status is asked, not derived."


def by_income(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """Which classification the demographics suggest: income and what is bought."""
    table = seen.tables["department_lifts"]
    mine = table[
        (table["grouping"] == "income_group")
        & (table["for_headline"] == "yes")
        & (table["n"] >= settings.privacy.smallest_group)
        & ~table["measure"].isin(settings.labels.unnamed_departments)
    ]
    if mine.empty:
        _whether_groups_differ(finding, seen, "income_group", "income", "income groups")
        finding.change_mind = "More customers."
        return
    shares = seen.tables["departments"]
    shares = shares[shares["population"] == "active"].set_index("department")["lines"]
    mine = mine.assign(moved=(mine["effect"] - 1).abs() * mine["measure"].map(shares))
    group = mine.sort_values("moved", ascending=False)["group_a"].iloc[0]
    of_group = mine[mine["group_a"] == group]
    more = of_group[of_group["effect"] > 1].sort_values("moved", ascending=False)
    less = of_group[of_group["effect"] < 1].sort_values("effect")
    said = []
    for name, rows, word in (("more", more, "more"), ("less", less, "less")):
        if len(rows):
            department = rows["measure"].iloc[0]
            key = {"grouping": "income_group", "group_a": group, "measure": department}
            lift = seen.cell(
                f"{name}_lift", "department_lifts", "effect", "times the mean share", **key
            )
            low = seen.cell(
                f"{name}_low", "department_lifts", "effect_low", "times the mean share", **key
            )
            high = seen.cell(
                f"{name}_high", "department_lifts", "effect_high", "times the mean share", **key
            )
            said.append((word, department, lift, low, high))
    key = {"grouping": "income_group", "group": group}
    customers = seen.cell(
        "customers", "group_shares", "share_of_customers", "share of active customers", **key
    )
    spend = seen.cell("spend", "group_shares", "spend", "US dollars", **key)
    finding.size = f"${spend:,.0f} of spend comes from {group.lower()} customers."
    finding.headline = (
        f"Income goes with what is bought: {group.lower()} customers buy "
        + " and ".join(f"{word} {department}" for word, department, *_ in said)
    )
    finding.so_what = (
        f"In the baskets of {group.lower()} customers: "
        + ", ".join(
            f"{department} at {lift:.2f} times the usual share (interval {low:.2f} to {high:.2f})"
            for _, department, lift, low, high in said
        )
        + f". They are {customers:.0%} of active customers."
    )
    finding.action = (
        f"Class customers by income first; {'show' if len(more) else 'do not push'} {said[0][1]} "
        "to "
        f"{group.lower()} customers and steer the rest by their own baskets."
    )
    finding.owner = MARKETING
    finding.confidence = "high"
    finding.change_mind = "Real incomes: those of this data were fabricated for a course."


def steps(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """Which cut points in age and income the data itself proposes."""
    table = seen.tables["bands"]
    confirmed = table[(table["method"] == "proposed") & (table["confirmed"] == "yes")]
    if confirmed.empty:
        finding.headline = "No step in age or income is confirmed on customers kept aside"
        finding.so_what = (
            "What looked like a step on one half of the customers was not there on the other."
        )
        finding.action = "Keep the usual age and income groups; do not build others."
        finding.confidence = "medium"
        finding.evidence.append("bands")
        return
    best = confirmed.sort_values("r2_confirm_half", ascending=False).iloc[0]
    key = {"attribute": best["attribute"], "measure": best["measure"], "method": "proposed"}
    cuts = seen.cell("cuts", "bands", "cuts", best["attribute"], **key)
    explained = seen.cell("r2", "bands", "r2_confirm_half", "share of variance", **key)
    usual = key | {"method": "course"}
    usual_cuts = seen.cell("usual_cuts", "bands", "cuts", best["attribute"], **usual)
    usual_r2 = seen.cell("usual_r2", "bands", "r2_confirm_half", "share of variance", **usual)
    customers = seen.cell("customers", "bands", "customers", "customers", **key)
    unit = " dollars" if best["attribute"] == "income" else ""
    cuts, usual_cuts = (f"{one}".replace(" | ", " and ") + unit for one in (cuts, usual_cuts))
    measure = IN_WORDS.get(best["measure"], best["measure"])
    finding.headline = (
        f"{measure[0].upper()}{measure[1:]} has {'steps' if ' and ' in cuts else 'a step'} at "
        f"{best['attribute']} {cuts}, which explains {explained:.0%} of how customers differ in it"
    )
    finding.so_what = (
        f"Found on half of the customers and confirmed on the other half; the usual cuts at "
        f"{best['attribute']} {usual_cuts} explain {usual_r2:.0%} there."
    )
    finding.size = f"{customers:,} customers were looked at."
    finding.action = f"Cut {best['attribute']} at {cuts} when classing customers."
    finding.owner = MARKETING
    finding.confidence = "high"
    finding.change_mind = "Real demographics: a clean step is a sign of fabricated data."


def profiles(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """How customer profiles differ."""
    table = seen.tables["profiles"]
    table = table[table["customers"] >= settings.privacy.smallest_group]
    largest = table.sort_values("spend", ascending=False).iloc[0]["profile"]
    share = seen.cell(
        "largest_spend_share", "profiles", "share_of_spend", "share of spend", profile=largest
    )
    customers = seen.cell(
        "largest_customers", "profiles", "customers", "customers", profile=largest
    )
    spend = seen.cell("largest_spend", "profiles", "spend", "US dollars", profile=largest)
    decided = table[table["order_value_for_headline"] == "yes"]
    finding.owner = MARKETING
    finding.size = f"${spend:,.0f} of spend comes from “{largest}”."
    if decided.empty:
        finding.headline = (
            f"The profile “{largest}” spends most, {share:.0%} of the total; no "
            "profile's order value is proven to differ"
        )
        finding.so_what = f"“{largest}” spends most because it is many: {customers:,} customers."
        finding.confidence = "medium"
        finding.action = f"Reach “{largest}” first; choose profiles by size, not by basket value."
    else:
        lowest = decided.sort_values("order_value_ratio").iloc[0]["profile"]
        value = seen.cell(
            "lowest_value", "profiles", "mean_order_value", "US dollars", profile=lowest
        )
        ratio = seen.cell(
            "lowest_ratio", "profiles", "order_value_ratio", "times the mean", profile=lowest
        )
        finding.headline = (
            f"The profile “{largest}” spends most, {share:.0%} of the total; “{lowest}” "
            f"has orders of {ratio:.2f} times the mean value"
        )
        low = seen.cell(
            "lowest_low", "profiles", "order_value_ratio_low", "times the mean", profile=lowest
        )
        high = seen.cell(
            "lowest_high", "profiles", "order_value_ratio_high", "times the mean", profile=lowest
        )
        finding.so_what = (
            f"“{largest}” has {customers:,} customers; an order of “{lowest}” is worth "
            f"${value:.2f} (interval {low:.2f} to {high:.2f} times the mean)."
        )
        finding.confidence = "high"
        finding.action = (
            f"Reach “{largest}” first; do not promote large baskets to “{lowest}”."
            if ratio < 1
            else f"Reach “{largest}” first; promote large baskets to “{lowest}”."
        )
    timed = table[table["top_time"] != ""].sort_values("top_time_ratio", ascending=False)
    if len(timed):
        key = {"profile": timed.iloc[0]["profile"]}
        time = seen.cell("time", "profiles", "top_time", "time", **key)
        often = seen.cell(
            "time_ratio", "profiles", "top_time_ratio", "times the usual share", **key
        )
        name = key["profile"]
        finding.so_what += f" “{name}” has {often:.2f} times the usual share of {time}."
    finding.change_mind = (
        "A campaign by profile that does not beat the same money spent on everyone."
    )


def pairs(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """What is bought together."""
    table = seen.tables["product_pairs"]
    if table.empty:
        raise LookupError("no pair reaches the minimum support")
    apart = table[table["department_a"] != table["department_b"]]
    best = (apart if len(apart) else table).iloc[0]
    key = {"product_a": best["product_a"], "product_b": best["product_b"]}
    a = seen.cell("product_a", "product_pairs", "product_name_a", "product", **key)
    b = seen.cell("product_b", "product_pairs", "product_name_b", "product", **key)
    lift = seen.cell("lift", "product_pairs", "lift", "times chance", **key)
    low = seen.cell("lift_low", "product_pairs", "lift_low", "times chance", **key)
    high = seen.cell("lift_high", "product_pairs", "lift_high", "times chance", **key)
    orders = seen.cell("orders", "product_pairs", "orders_with_both", "orders", **key)
    buyers = seen.cell("customers", "product_pairs", "customers_with_both", "customers", **key)
    finding.headline = f"“{a}” and “{b}” are bought together {lift:.1f} times as often as by chance"
    finding.so_what = (
        f"{orders:,} orders of {buyers:,} customers hold both (interval {low:.1f} to {high:.1f} "
        "times chance); "
    ) + (
        f"they stand in two departments, {best['department_a']} and {best['department_b']}."
        if len(apart)
        else f"both stand in {best['department_a']} and may be two kinds of one product."
    )
    if best["confidence_a_to_b"] < best["confidence_b_to_a"]:
        a, b = b, a  # the surer direction: more of those who buy the first also buy the second
    finding.action = f"Recommend “{b}” to whoever puts “{a}” into the basket."
    finding.owner = SALES
    finding.size = f"{orders:,} orders hold both."
    finding.confidence = "high" if low > 1 else "low"
    finding.change_mind = "A trial in which the recommendation sells no more than one drawn by lot."


def sensitivity(finding: Finding, seen: Evidence, settings: Settings) -> None:
    """How much the conclusions depend on the thresholds."""
    table = seen.tables["sensitivity"]
    worst = table.sort_values("customers_relabelled", ascending=False).iloc[0]
    key = {"setting": worst["setting"], "changed": worst["changed"]}
    moved = seen.cell("relabelled", "sensitivity", "customers_relabelled", "customers", **key)
    base = seen.cell("base", "sensitivity", "base", "threshold", **key)
    changed = seen.cell("changed", "sensitivity", "changed", "threshold", **key)
    affected = table[table["headlines_changed"] > 0].drop_duplicates("setting")
    if affected.empty:
        finding.headline = "No conclusion changes when a threshold moves by a fifth"
        finding.confidence = "high"
        finding.action = "Use the thresholds as they are."
    else:
        named = [
            threshold_in_words(
                row["setting"],
                seen.cell(
                    f"base_{row['setting']}",
                    "sensitivity",
                    "base",
                    "threshold",
                    setting=row["setting"],
                    changed=row["changed"],
                ),
            )
            for _, row in affected.iterrows()
        ]
        finding.headline = f"Conclusions depend on these thresholds: {', '.join(named)}"
        finding.confidence = "medium"
        finding.action = "Agree on these thresholds with those who act on the labels."
    finding.so_what = (
        f"Most depends on “{threshold_in_words(worst['setting'], base)}”: moved to {changed:,g}, "
        f"it gives {moved:,} customers another label."
    )
    finding.size = f"{moved:,} customers change their label."
    finding.owner = MARKETING
    finding.change_mind = "A business reason for other thresholds."


PRICES, CUSTOMERS = "products.prices", "customers"
FINDINGS = (  # question, what it must not rest on when fabricated, the function, its figure
    ("Q1", (), busiest, "orders_by_day_hour"),
    ("Q1", (), quiet, "quiet_windows"),
    ("Q2", (PRICES,), spending, "order_value_by_hour"),
    ("Q2", (), goods_by_time, "departments_by_daypart"),
    ("Q3", (PRICES,), price_ranges, "price_bands"),
    ("Q4", (), popular_departments, "departments"),
    ("Q4", (), small_departments, "department_reach"),
    ("Q5", (), loyalty, "loyalty"),
    ("Q5", (), returning, "days_between_orders"),
    ("Q6", (PRICES,), habits_by_loyalty, "habits_by_loyalty"),
    ("Q7", (CUSTOMERS,), by_region, "habits_by_region"),
    ("Q8", (CUSTOMERS,), by_family, "effects_by_attribute"),
    ("Q9", (CUSTOMERS,), by_income, "goods_by_income"),
    ("Q9", (CUSTOMERS,), steps, "income_by_age"),
    ("Q10", (CUSTOMERS,), profiles, "profiles"),
    ("Q11", (), pairs, "product_pairs"),
    ("Q12", (CUSTOMERS,), sensitivity, "sensitivity"),
)


def ad_calendar(tables: dict[str, pd.DataFrame], settings: Settings) -> pd.DataFrame:
    """One row per day of the week: when to advertise, to whom, what to offer, on what evidence.

    The window is the day's quietest in waking hours. The offer is the department with the highest
    proven lift in that part of the day, else the most ordered one.
    """
    dayparts = settings.daypart_of_hour()
    names = list(settings.dayparts)
    goods = tables["department_times"]
    popular = tables["department_reach"].sort_values("rank")["department"]
    columns = [
        "day",
        "day_name",
        "window",
        "audience",
        "offer",
        "offer_reason",
        "orders",
        "index",
        "index_low",
        "index_high",
        "evidence",
    ]
    if popular.empty:
        return pd.DataFrame(columns=columns)
    rows = []
    for window in (
        tables["quiet_windows"]
        .sort_values("day")
        .rename(columns={"index": "index_value"})
        .itertuples()
    ):
        part = names[dayparts[window.from_hour]]
        strong = sells_more(goods[goods["daypart"] == part], settings)
        offer = strong["department"].iloc[0] if len(strong) else popular.iloc[0]
        why = (
            "sells above its usual share then"
            if len(strong)
            else "the most ordered; no department is proven to sell better then"
        )
        rows.append(
            {
                "day": window.day,
                "day_name": window.day_name,
                "window": f"{window.from_hour}:00 to {window.to_hour}:00",
                "audience": "all active customers",
                "offer": offer,
                "offer_reason": why,
                "orders": window.orders,
                "index": window.index_value,
                "index_low": window.index_low,
                "index_high": window.index_high,
                "evidence": "quiet_windows, department_times",
            }
        )
    return pd.DataFrame(rows, columns=columns)
