"""The ad calendar: when to advertise, to whom, and what to offer; the report prints it."""

import pandas as pd

from basket.analysis.questions.q02_spending import sells_more
from basket.project.settings import Settings


def ad_calendar(tables: dict[str, pd.DataFrame], settings: Settings) -> pd.DataFrame:
    """One row per day of the week: when to advertise, to whom, what to offer, on what evidence.

    The window is the day's quietest in waking hours. The offer is the department with the highest
    proven lift in that part of the day, else the most ordered one.
    """
    popular = tables["department_reach"].sort_values("rank")["department"]
    dayparts, names = settings.daypart_of_hour(), list(settings.dayparts)
    strong = sells_more(tables["department_times"], settings)
    calendar = tables["quiet_windows"].sort_values("day", ignore_index=True)
    calendar = calendar.head(0) if popular.empty else calendar
    offers, reasons = [], []
    for hour in calendar["from_hour"]:
        best = strong.loc[strong["daypart"] == names[dayparts[hour]], "department"]
        offers.append(popular.iloc[0] if best.empty else best.iloc[0])
        reasons.append(
            "the most ordered; no department is proven to sell better then"
            if best.empty
            else "sells above its usual share then"
        )
    hours = zip(calendar["from_hour"], calendar["to_hour"], strict=True)
    return pd.DataFrame(
        {
            "day": calendar["day"],
            "day_name": calendar["day_name"],
            "window": [f"{first}:00 to {last}:00" for first, last in hours],
            "audience": "all active customers",
            "offer": offers,
            "offer_reason": reasons,
            "orders": calendar["orders"],
            "index": calendar["index"],
            "index_low": calendar["index_low"],
            "index_high": calendar["index_high"],
            "evidence": "quiet_windows, department_times",
        }
    )
