"""Q9, second half: what profiles of age, family and income tell beyond income."""

from dataclasses import replace

import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import Evidence, Finding, TooLittleData
from basket.analysis.privacy import published_rows
from basket.analysis.questions.group_differences import value_of_groups, whether_groups_differ
from basket.analysis.questions.group_halves import TOP_GOODS, TOP_TIMES, held_equal, top_columns
from basket.analysis.questions.q09_classes import QUESTION  # noqa: F401
from basket.analysis.where import where
from basket.project.settings import Settings

HABITS = ["mean_order_value", "mean_item_price", "median_days_between_orders", "reorder_rate"]
LIMITS = ("", "_low", "_high")


def profiles(tables: dict[str, pd.DataFrame], settings: Settings) -> pd.DataFrame:
    """One row per profile, active: size, value, frequency, and the goods it buys more of.

    Ratios are to the other profiles, that of order value at equal income; `spend_ratio` is that of
    spend per customer. `top_department` is the one with the highest ratio of shares of order lines,
    `top_time` the time with the highest ratio of shares of orders, both at equal income, as one
    half of the customers chooses it and the other confirms it; empty where there is none.
    """
    tests = tables["tests"]
    habits = tables["habits"][where(population="active", grouping="profile")]
    ratios = tests[where(grouping="profile", effect_name="ratio")]
    spend = ratios[where(measure="spend_per_customer")].set_index("group_a")
    held = held_equal(tables, "profile", settings)
    equal = ratios[ratios["adjusted_for"] == held]
    value = equal[where(measure="mean_order_value")].set_index("group_a")
    value = value.rename(
        columns={f"effect{end}": f"order_value_ratio{end}" for end in LIMITS}
        | {name: f"order_value_{name}" for name in ("verdict", "for_headline")}
    )
    spend = spend.rename(columns={f"effect{end}": f"spend_ratio{end}" for end in LIMITS})
    table = (
        tables["group_shares"][where(grouping="profile")]
        .drop(columns="grouping")
        .rename(columns={"group": "profile"})
        .join(habits.set_index("group")[HABITS], on="profile")
        .join(value[[name for name in value if name.startswith("order_value_")]], on="profile")
        .join(spend[[f"spend_ratio{end}" for end in LIMITS]], on="profile")
        .join(top_columns(tables, TOP_GOODS, "top_department", "top_lift"), on="profile")
        .join(top_columns(tables, TOP_TIMES, "top_time", "top_time_ratio"), on="profile")
    )
    names = table[["top_department", "top_time"]].astype("object").fillna("")
    return table.assign(**names).sort_values("spend", ascending=False, ignore_index=True)


def value_by_profile(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the value of an order by profile, in a panel for each class of income."""
    drawn = value_of_groups(tables, "profile", "profiles", settings)
    parts = dict(settings.composed()["profile"])
    if not set(drawn.data["group"]) <= set(parts):
        return drawn
    chosen = [parts[group] for group in drawn.data["group"]]
    data = drawn.data.assign(
        people=[f"{each['age_group']}, {each['dependants']}" for each in chosen],
        income=[each["income_group"].lower() for each in chosen],
    )
    order = [name.lower() for name in settings.flags["income_group"].labels]
    data = data.assign(place=data["income"].map(order.index))
    data = data.sort_values(["place", "people"], kind="stable", ignore_index=True)
    data["people"] = pd.Categorical(data["people"], sorted(set(data["people"])))
    data = data.drop(columns="place")
    return replace(drawn, data=data, x="people", name_of="group", panel="income")


def how_profiles_differ(seen: Evidence, settings: Settings) -> Finding:
    """Say what profiles tell beyond income."""
    table = published_rows(
        seen.tables, seen.tables["profiles"].assign(population="active"), settings
    )
    table = table[table["profile"].astype("str") != settings.labels.missing]
    if table.empty:
        raise TooLittleData("No profile has enough customers to be shown.")
    return whether_groups_differ(
        seen,
        "profile",
        settings,
        figure="profiles",
        change_mind="A campaign by profile that beats the same money spent on everyone.",
    )
