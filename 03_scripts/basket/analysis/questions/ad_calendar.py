"""The ad calendar: when to try advertisements, to whom, and what to offer."""

import pandas as pd

from basket.analysis.chosen_times import confirmed_goods
from basket.analysis.windows import to_try
from basket.analysis.words import dayparts_of
from basket.project.settings import Settings

ANYTHING = "no particular department"
WHY = "confirmed to sell more in this part of the day"
WHY_NOT = "none is confirmed to sell more in this part of the day"


def ad_calendar(tables: dict[str, pd.DataFrame], settings: Settings) -> pd.DataFrame:
    """One row per day with a quiet window: when to try, for whom, what to offer, on what evidence.

    The window is the day's quietest in waking hours, where it is proven to be quiet: chosen on one
    half of the customers, its index measured on the other. The offer is the department that is
    confirmed to sell more in the part of the day in which the whole window lies.
    """
    calendar = to_try(tables["quiet_windows"])
    sure = confirmed_goods(tables["split_halves"]).set_index("group")["measure"]
    offers = []
    for first, end in zip(calendar["from_hour"], calendar["to_hour"], strict=True):
        dayparts = dayparts_of(first, end, settings)
        offers.append(sure.get(dayparts[0], ANYTHING) if len(dayparts) == 1 else ANYTHING)
    return pd.DataFrame(
        {
            "day": calendar["day"],
            "day_name": calendar["day_name"],
            "window": calendar["window"],
            "audience": "all active customers",
            "offer": offers,
            "offer_reason": [WHY_NOT if offer == ANYTHING else WHY for offer in offers],
            "orders": calendar["orders"],
            "index": calendar["index"],
            "index_low": calendar["index_low"],
            "index_high": calendar["index_high"],
            "evidence": "quiet_windows, split_halves",
        }
    )
