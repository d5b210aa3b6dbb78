"""Q10: how the customer profiles differ in value, frequency, goods, timing and loyalty."""

import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import Evidence, Finding, Prize, TooLittleData
from basket.analysis.measures import OF_ORDERS
from basket.analysis.question import WHOM, Question
from basket.analysis.questions.group_differences import order_value_ratios
from basket.analysis.where import where
from basket.project.settings import Settings

QUESTION = Question(
    id="Q10",
    title="Profiles",
    text="How do the profiles differ in order value, frequency, products, timing and loyalty?",
    part=WHOM,
)
HABITS = ["mean_order_value", "mean_item_price", "median_days_between_orders", "reorder_rate"]
ORDER_VALUE = {  # columns of tests, as the table profiles calls them
    "effect": "order_value_ratio",
    "effect_low": "order_value_ratio_low",
    "effect_high": "order_value_ratio_high",
    "verdict": "order_value_verdict",
    "for_headline": "order_value_for_headline",
}


def profiles(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per profile, active: size, value, frequency, and the goods it buys more of.

    Ratios compare with all customers. `top_department` is the one with the highest lift, `top_time`
    the time with the highest ratio of shares of orders, among those above 1 that may carry a
    headline; empty where there is none.
    """
    tests, lifts = tables["tests"], tables["department_lifts"]
    habits = tables["habits"][where(population="active", grouping="profile")]
    ratios = tests[where(effect_name="ratio")]
    value = ratios[where(grouping="profile", measure="mean_order_value")].set_index("group_a")
    value = value.rename(columns=ORDER_VALUE)
    times = ratios[ratios["unit"] == OF_ORDERS]
    table = (
        tables["group_shares"][where(grouping="profile")]
        .drop(columns="grouping")
        .rename(columns={"group": "profile"})
        .join(habits.set_index("group")[HABITS], on="profile")
        .join(value[list(ORDER_VALUE.values())], on="profile")
        .join(_highest(lifts, "top_department", "top_lift"), on="profile")
        .join(_highest(times, "top_time", "top_time_ratio"), on="profile")
    )
    names = table[["top_department", "top_time"]].astype("object").fillna("")
    return table.assign(**names).sort_values("spend", ascending=False, ignore_index=True)


def _highest(ratios: pd.DataFrame, name: str, ratio: str) -> pd.DataFrame:
    """Find each profile's measure with the highest ratio above 1 that may carry a headline."""
    strong = ratios[where(grouping="profile", for_headline="yes")].query("effect > 1")
    best = strong.sort_values("effect", ascending=False).drop_duplicates("group_a")
    columns = {
        "measure": name,
        "effect": ratio,
        "effect_low": f"{ratio}_low",
        "effect_high": f"{ratio}_high",
    }
    return best.set_index("group_a").rename(columns=columns)[list(columns.values())]


def value_by_profile(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the value of an order by profile."""
    data = order_value_ratios(tables, "profile", settings)
    data = data.sort_values("ratio", ascending=False, ignore_index=True)
    first, last = data.iloc[0], data.iloc[-1]
    differs = len(tables["profiles"][where(order_value_for_headline="yes")]) > 0
    return figure.dots(
        data,
        x="group",
        y="ratio",
        name="profiles",
        title=f"Order value by profile runs from {last['ratio']:.2f} to {first['ratio']:.2f} "
        "times the mean"
        if differs
        else "No profile's order value is proven to differ from the mean",
        subtitle="Mean order value by profile, times that of all active customers, "
        + figure.with_intervals(settings),
        alt=f"Dots with intervals for each profile, from {first['ratio']:.2f} times the mean "
        f"({first['group']}) to {last['ratio']:.2f} ({last['group']}).",
        sources=("tests",),
        x_title="Profile",
        y_title="Times the mean of all customers",
    )


def how_profiles_differ(seen: Evidence, settings: Settings) -> Finding:
    """Say how customer profiles differ."""
    table = seen.tables["profiles"]
    table = table[table["customers"] >= settings.privacy.smallest_group]
    if table.empty:
        raise TooLittleData("No profile has enough customers to be shown.")
    largest = table.sort_values("spend", ascending=False)["profile"].iloc[0]
    row = seen.row("profiles", profile=largest)
    share = row.cell("share_of_spend", "largest_spend_share")
    customers = row.cell("customers", "largest_customers")
    spend = row.cell("spend", "largest_spend")
    decided = table[where(order_value_for_headline="yes")].sort_values("order_value_ratio")
    if decided.empty:
        differs = "no profile's order value is proven to differ"
        so_what = f"“{largest}” spends most because it is many: {customers:,} customers."
        then = "choose profiles by size, not by basket value."
    else:
        lowest = decided["profile"].iloc[0]
        row = seen.row("profiles", profile=lowest)
        value = row.cell("mean_order_value", "lowest_value")
        ratio = row.cell("order_value_ratio", "lowest_ratio")
        low = row.cell("order_value_ratio_low", "lowest_low")
        high = row.cell("order_value_ratio_high", "lowest_high")
        differs = f"“{lowest}” has orders of {ratio:.2f} times the mean value"
        so_what = (
            f"“{largest}” has {customers:,} customers; an order of “{lowest}” is worth "
            f"${value:.2f} (interval {low:.2f} to {high:.2f} times the mean)."
        )
        then = f"{'do not ' * (ratio < 1)}promote large baskets to “{lowest}”."
    return Finding(
        headline=f"The profile “{largest}” spends most, {share:.0%} of the total; {differs}",
        so_what=so_what + _preferred_time(seen, table),
        action=f"Reach “{largest}” first; {then}",
        prize=Prize(what_if=f"${spend:,.0f} of spend comes from “{largest}”."),
        confidence="medium" if decided.empty else "high",
        figure="profiles",
        change_mind="A campaign by profile that does not beat the same money spent on everyone.",
    )


def _preferred_time(seen: Evidence, table: pd.DataFrame) -> str:
    """Say which profile is drawn most to one time, if any is."""
    timed = table[table["top_time"] != ""].sort_values("top_time_ratio", ascending=False)
    if timed.empty:
        return ""
    profile = timed["profile"].iloc[0]
    row = seen.row("profiles", profile=profile)
    time, often = row.cell("top_time", "time"), row.cell("top_time_ratio", "time_ratio")
    return f" “{profile}” has {often:.2f} times the usual share of {time}."
