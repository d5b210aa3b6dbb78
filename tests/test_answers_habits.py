"""What Q10, Q13 and Q14 say, word for word, on small tables made by hand.

Each cell of these tables holds a number of its own, so that a number in the wrong place is seen.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from basket.analysis import prizes as levers
from basket.analysis.finding import (
    DESCRIPTION,
    DESIGN,
    DIFFERENCE,
    HYPOTHESIS,
    INVENTED_CUSTOMERS,
    LESS,
    MARKETING,
    MORE,
    NO_ACTION,
    NOT_ANSWERED,
    Evidence,
    IncompleteHistories,
    TooLittleData,
    Touch,
    answer,
    sized,
)
from basket.analysis.groups import People
from basket.analysis.questions import q10_segments, q13_offers, q14_trial
from basket.analysis.questions.group_halves import TOP_GOODS, top_columns
from basket.analysis.verdicts import UNDECIDED
from basket.checks.verify import unexplained
from basket.project.settings import load_settings
from basket.tables.sums import Tally
from conftest import write_settings

ACTIVE = pd.DataFrame({"population": ["active"]})
WHOLE = pd.DataFrame({"what": ["holes"], "found": [0], "of": [9], "share": [0.0], "limit": [0.01]})
HOLES = WHOLE.assign(found=8, share=8 / 9)


def frame(columns: str, *rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split())


SEGMENTS = frame(
    "segment customers share_of_customers orders share_of_orders share_of_lines median_gap_days "
    "mean_lines_per_order reorder_rate top_department top_lift",
    ("Weekly top-up", 97, 0.101, 2_749, 0.153, 0.063, 5.5, 4.0, 0.71, "alcohol", 2.34),
    ("Weekly big shop", 126, 0.131, 3_409, 0.191, 0.312, 6.0, 15.6, 0.67, "", float("nan")),
    ("Monthly tiny", 10, 0.011, 20, 0.002, 0.9, 29.0, 1.5, 0.2, "", float("nan")),
)
DRINKERS = SEGMENTS.assign(share_of_lines=[0.412, 0.312, 0.9])


def gain(
    own: float, own_low: float, people_high: float, reason: str = "", income_high: float = -0.1
) -> pd.DataFrame:
    return frame(
        "grouping measure customers r_squared r_squared_low r_squared_high reason",
        ("profile", "lines_per_order", 957, -0.009, -0.033, people_high, ""),
        ("income_group", "lines_per_order", 958, -0.2, -0.3, income_high, ""),
        ("segment", "lines_per_order", 960, own, own_low, 0.55, reason),
        ("segment", "order_value", 955, 0.44, 0.4, 0.5, ""),
    )


def lists(own_low: float, store_high: float, reason: str = "") -> pd.DataFrame:
    return frame(
        "source order_number last_order customers precision precision_low precision_high reason",
        ("store", None, "all", 961, 0.071, 0.06, store_high, ""),
        ("segment", None, "all", 962, 0.082, 0.075, 0.09, ""),
        ("own", None, "all", 963, 0.294, own_low, 0.31, reason),
        ("own", 5, "5 to 9", 300, 0.28, 0.26, 0.3, ""),
    )


AT_ITS_TIMES = "orders at its times"
AT_NIGHT = "Try advertisements at 20:00–23:00 on all seven days, against a control group."


def trials(supported: str) -> pd.DataFrame:
    return frame(
        "finding action outcome lift most_lift weeks customers_here mean_outcome sd_outcome "
        "significance power customers_per_arm supported",
        (
            "F02",
            AT_NIGHT,
            "all orders",
            0.02,
            0.065,
            8,
            890,
            4.54,
            3.65,
            0.05,
            0.8,
            26_000,
            supported,
        ),
        ("F02", AT_NIGHT, "all orders", 0.05, 0.065, 8, 890, 4.54, 3.65, 0.05, 0.8, 4_100, "no"),
        ("F02", AT_NIGHT, AT_ITS_TIMES, 0.02, np.nan, 8, 890, 0.09, 0.33, 0.05, 0.8, 530_000, "no"),
    )


def said(function, settings, **tables):
    seen = Evidence({"habits": ACTIVE, "completeness": WHOLE} | tables)
    found = function(seen, settings)
    parts = [
        found.headline,
        found.so_what,
        found.action,
        found.prize.what_if if found.prize else "",
    ]
    assert unexplained(" ".join(parts), seen.numbers) == []
    return found


# ---- Q10 ----------------------------------------------------------------------------------------


def test_the_segment_with_most_order_lines_is_named_with_its_own_numbers(settings):
    found = said(q10_segments.which_segments, settings, segments=SEGMENTS)
    assert found.headline == (
        "Weekly big shop customers are 13% of customers and take 31% of all order lines"
    )
    assert found.so_what == (
        "Half of the gaps between their orders are 6 days or less; an order has 15.6 lines, and "
        "67% of their lines are reorders. Segments are made from gaps and lines: in these, and "
        "in what follows, they differ by definition."
    )
    assert found.action == (
        "Try offers that keep Weekly big shop customers in their rhythm, against a control group."
    )
    assert (
        found.prize.what_if == "3,409 orders, 19% of all, are placed by Weekly big shop customers."
    )
    assert found.prize.orders == 3_409
    assert found.touches == (Touch(segment="Weekly big shop", direction=MORE),)
    assert (found.kind, found.action_basis) == (DESCRIPTION, HYPOTHESIS)
    assert (found.confidence, found.owner, found.rests_on) == ("high", MARKETING, ())
    assert found.figure == "segments"


def test_what_a_segment_buys_more_of_is_said_where_it_is_proven(settings):
    found = said(q10_segments.which_segments, settings, segments=DRINKERS)
    assert found.headline.startswith("Weekly top-up customers are 10% of customers and take 41%")
    assert found.so_what == (
        "Half of the gaps between their orders are 5.5 days or less; an order has 4.0 lines, and "
        "71% of their lines are reorders. They have 2.3 times the others' share of alcohol. "
        "Segments are made from gaps and lines: in these, and in what follows, they differ by "
        "definition."
    )


def test_the_figure_of_segments_names_the_one_with_most_lines(settings):
    made = q10_segments.mix_of_segments({"segments": SEGMENTS, "completeness": WHOLE}, settings)
    assert made.title == "Weekly big shop: 13% of customers, 31% of order lines"
    assert made.alt == (
        "Bars by segment of habits; Weekly big shop has the most order lines, 31.2%, of 13.1% of "
        "customers."
    )
    assert made.data["segment"].tolist() == ["Weekly top-up", "Weekly big shop"]  # none is tiny


def test_the_figure_of_segments_has_a_panel_for_each_rhythm(tmp_path):
    bands = {"Every week": "up to 8", "Every fortnight": "above"}
    settings = load_settings(write_settings(tmp_path / "s.yml", {"flags.rhythm.bands": bands}))
    names = ["Every week top-up", "Every fortnight big shop"]
    segments = SEGMENTS.head(2).assign(segment=names)
    made = q10_segments.mix_of_segments({"segments": segments, "completeness": WHOLE}, settings)
    assert made.data["rhythm"].tolist() == ["Every week", "Every fortnight"]
    assert made.data["basket"].tolist() == ["top-up", "big shop"]


def test_a_household_has_its_label_from_exactly_the_share_of_settings(tmp_path):
    """7 of 100 lines are a share of 0.07, though 0.07 x 100 is above 7."""
    labels = {"Baby household": {"department": "babies", "share": 0.07}}
    settings = load_settings(write_settings(tmp_path / "s.yml", {"basket_labels": labels}))
    customers = pd.DataFrame({"orders": [10, 10], "lines": [100, 100], "spend_cents": [500, 700]})
    lines = np.array([[7], [6]])
    people = People(customers, pd.DataFrame(), lines, np.empty((2, 0)), ["babies"])
    found = q10_segments.basket_labels(SimpleNamespace(active_people=people, settings=settings))
    assert (found["customers"].tolist(), found["spend"].tolist()) == ([1], [5.0])


@pytest.mark.parametrize(
    ("own_low", "people_high", "kind", "headline", "action"),
    [
        (
            0.45,
            0.013,
            DIFFERENCE,
            "A customer's own first orders predict 49% of how later baskets differ in size; age, "
            "family and income at most 2%",
            "Predict a customer's baskets from the customer's own rhythm and basket, not from who "
            "the customer is.",
        ),
        (
            0.01,
            0.013,
            UNDECIDED,
            "Whether a customer's own habits predict later baskets better than age, family and "
            "income is undecided with this data",
            "No action follows.",
        ),
    ],
)
def test_habits_are_said_to_predict_only_where_their_interval_is_above_that_of_people(
    settings, own_low, people_high, kind, headline, action
):
    table = gain(0.49, own_low, people_high)
    found = said(q10_segments.what_habits_add, settings, segment_gain=table)
    assert (found.kind, found.headline, found.action) == (kind, headline, action)
    decided = kind == DIFFERENCE
    limits = f"The interval of the first is {own_low:.0%} to 55%. " * decided
    assert found.so_what == (
        f"{limits}Learnt on the first half of each customer's orders and judged on the second; "
        "each of 960 customers is predicted from other customers' averages."
    )
    assert found.touches == (
        (
            Touch(attribute="rhythm and basket", direction=MORE),
            Touch(attribute="profile", direction=LESS),
        )
        if decided
        else ()
    )
    assert found.action_basis == (DESIGN if decided else NO_ACTION)
    assert found.confidence == ("high" if decided else "low")
    assert found.rests_on == (INVENTED_CUSTOMERS,)
    made = q10_segments.what_predicts({"segment_gain": table, "completeness": WHOLE}, settings)
    assert made.title == (
        "Rhythm and basket predict later baskets better than age, family and income"
        if decided
        else "Habits are not proven to predict later baskets better than age, family and income"
    )
    assert made.alt == (
        "Dots with intervals by grouping; rhythm and basket explain 49.0% of how later orders "
        "differ in size."
    )


def test_what_predicts_worse_than_the_mean_predicts_nothing(settings):
    found = said(q10_segments.what_habits_add, settings, segment_gain=gain(0.49, 0.45, -0.02))
    assert found.headline.endswith("differ in size; age, family and income nothing")


@pytest.mark.parametrize(("income_high", "kind"), [(0.0413, DIFFERENCE), (0.46, UNDECIDED)])
def test_income_alone_may_predict_more_than_profiles_do(settings, income_high, kind):
    table = gain(0.49, 0.45, 0.013, income_high=income_high)
    found = said(q10_segments.what_habits_add, settings, segment_gain=table)
    assert found.kind == kind
    assert found.headline.endswith("income at most 5%") == (kind == DIFFERENCE)
    few = table.assign(reason=["", "too few effective customers", "", ""])
    assert said(q10_segments.what_habits_add, settings, segment_gain=few).kind == UNDECIDED


@pytest.mark.parametrize(
    ("own_low", "people_high", "reason"),
    [(-0.2, -0.3, ""), (0.4, 0.1, "too few effective customers")],
)
def test_habits_that_predict_nothing_sure_are_not_said_to_predict(
    settings, own_low, people_high, reason
):
    """Worse than the mean, though better than people; or by a few customers."""
    table = gain(0.45, own_low, people_high, reason)
    found = said(q10_segments.what_habits_add, settings, segment_gain=table)
    assert (found.kind, found.touches) == (UNDECIDED, ())
    if not reason:
        made = q10_segments.what_predicts({"segment_gain": table, "completeness": WHOLE}, settings)
        assert made.title.startswith("Habits are not proven to predict")


def test_gaps_of_thirty_days_are_thirty_or_more(settings):
    table = SEGMENTS.assign(median_gap_days=30.0)
    found = said(q10_segments.which_segments, settings, segments=table)
    assert found.so_what.startswith("Half of the gaps between their orders are 30 days or more;")


# ---- Q13 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own_low", "reason", "kind"),
    [
        (0.28, "", DIFFERENCE),
        (0.05, "", UNDECIDED),
        (0.28, "too few effective customers", UNDECIDED),
    ],
)
def test_own_history_is_held_against_the_best_sellers(settings, own_low, reason, kind):
    table = lists(own_low, 0.076, reason)
    better = kind == DIFFERENCE
    found = said(q13_offers.what_to_offer, settings, offers=table)
    assert found.headline == (
        "Of ten products that a customer has bought most, 29% are in the next order; of the "
        "store's ten best sellers, 7%" + ("" if better else ": which is more is not proven")
    )
    assert found.so_what == (
        "Counted on the latest order with lines of 963 customers, which no list had seen. The best "
        "sellers of a customer's own segment reach 8%."
    )
    assert found.action == (
        "Try offers from each customer's own history, against a control group that sees the best "
        "sellers."
        if better
        else "No action follows."
    )
    assert (found.kind, found.action_basis) == (kind, HYPOTHESIS if better else NO_ACTION)
    assert found.touches == ((Touch(attribute="own history", direction=MORE),) if better else ())
    assert found.confidence == ("high" if better else "low")
    assert found.prize.what_if == "963 customers have a history to choose from."
    made = q13_offers.precision_by_source({"offers": table, "completeness": WHOLE}, settings)
    assert made.title == (
        "29% of suggestions from a customer's own history are in the next order, 7% of those from "
        "best sellers"
        if better
        else "No list of ten suggestions is proven to hit more often"
    )
    assert made.alt == (
        "Dots with intervals for three lists of suggestions; the customer's own most bought "
        "products hit 29.4% of the time."
    )


def test_the_figure_of_goods_names_the_segment_that_is_proven_to_buy_most_of_something(settings):
    lifts = frame(
        "grouping group_a measure effect reason verdict for_headline",
        ("segment", "Weekly top-up", "alcohol", 2.34, "", "large", "yes"),
        ("segment", "Weekly top-up", "missing", 9.9, "", "large", "yes"),
        ("segment", "Weekly big shop", "alcohol", 0.71, "", "medium", "no"),
        ("segment", "Weekly big shop", "babies", 3.21, "", "undecided", "no"),
        ("segment", "Monthly tiny", "babies", 8.7, "", "large", "yes"),
        ("region", "West", "babies", 7.6, "", "large", "yes"),
    )
    halves = frame(
        "topic group measure effect_first_half effect effect_low effect_high confirmed",
        ("top goods: Monthly tiny", "Monthly tiny", "babies", 9.1, 8.1, 5.0, 12.0, "yes"),
        ("top goods: Weekly big shop", "Weekly big shop", "babies", 8.1, 2.1, 0.9, 5.0, "no"),
        ("top goods: Weekly top-up", "Weekly top-up", "alcohol", 2.5, 2.1, 1.8, 2.4, "yes"),
        ("top times: Weekly top-up", "Weekly top-up", "orders at night", 9, 9, 8, 10, "yes"),
    )
    assert top_columns({"split_halves": halves}, TOP_GOODS, "top", "lift").loc["Weekly top-up"][
        ["top", "lift", "lift_low", "lift_high"]
    ].to_list() == ["alcohol", 2.1, 1.8, 2.4]
    tables = {"completeness": WHOLE, "segments": SEGMENTS, "department_lifts": lifts}
    tables |= {"split_halves": halves}
    made = q10_segments.goods_by_segment(tables, settings)
    assert made.title == "Weekly top-up: a larger share of alcohol than the others"
    assert made.highlight == ("Weekly top-up", "alcohol")
    assert made.alt == (
        "Heat map of departments by segment; 1 of 3 cells are decided, 1 of them proven to differ."
    )
    assert made.so_what == (
        "Offer a segment what it buys more of than the others; grey cells say nothing."
    )
    assert made.data.values.tolist() == [
        ["Weekly top-up", "alcohol", 2.34, False],
        ["Weekly big shop", "alcohol", 0.71, True],
        ["Weekly big shop", "babies", 3.21, True],
    ]
    unsure = tables | {"split_halves": halves.assign(confirmed="no")}
    assert q10_segments.goods_by_segment(unsure, settings).title == (
        "Segments differ in what they buy; no half of the customers alone confirms in what"
    )
    unsure |= {"department_lifts": lifts.assign(for_headline="no")}
    made = q10_segments.goods_by_segment(unsure, settings)
    assert made.title == "No segment buys more or less of a department surely enough for a claim"
    assert made.data["is_undecided"].all()
    assert made.so_what == (
        "No offer to a segment follows from here: no cell is proven to lie above 1."
    )
    few = tables | {"department_lifts": lifts.assign(reason="too few effective customers")}
    with pytest.raises(TooLittleData, match="No segment has enough customers"):
        q10_segments.goods_by_segment(few, settings)


# ---- Q14 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("supported", "enough", "first"),
    [
        (
            "yes",
            "enough for both arms.",
            "The first that can be tried here is “Try advertisements at 20:00–23:00 on all "
            "seven days, against a control group”: 2% more orders can be seen with 26,000 "
            "customers an arm.",
        ),
        ("no", "too few for such a trial.", "No trial of the plan has enough customers here."),
    ],
)
def test_the_trial_of_all_orders_is_named_with_its_size(settings, supported, enough, first):
    table = trials(supported)
    found = said(q14_trial.how_to_try, settings, trial_plan=table)
    assert found.headline == (
        "A trial that can see 2% more orders in 8 weeks needs about 26,000 customers in each arm"
    )
    assert found.so_what == (
        "A customer places 4.5 orders in the 8 weeks after the first one, with a standard "
        f"deviation of 3.6. This data has 890 such customers, {enough} {first} All sizes are those "
        "of a two-sided test at 5% that finds such a difference with a chance of 80%."
    )
    assert found.action == (
        "Split customers in two at random, by a hash of their ids, and apply the action to one "
        "half. Count what the plan names, at all hours: orders in a window may only have moved "
        "there."
    )
    assert found.prize is None
    assert (found.kind, found.action_basis, found.confidence) == (DESCRIPTION, DESIGN, "medium")
    made = q14_trial.sizes_by_lift({"trial_plan": table, "completeness": WHOLE}, settings)
    by_action = "A trial needs 26,000 to 530,000 customers an arm to see 2% more, by action"
    assert made.title == by_action
    alone = {"trial_plan": table[table["outcome"] == "all orders"], "completeness": WHOLE}
    of_one = q14_trial.sizes_by_lift(alone, settings)
    assert of_one.title == "A trial needs 26,000 customers an arm to see 2% more"
    assert made.alt == (
        "Bars of the customers that each arm needs, by action; the least are 26,000."
    )
    assert made.data["trial"].tolist() == [
        "Try advertisements at 20:00–23:00… (these times)",
        "Try advertisements at 20:00–23:00…",
    ]
    assert made.highlight == ("Try advertisements at 20:00–23:00…",)


@pytest.mark.parametrize(
    ("ends", "names"),
    [
        (("high income customers", "women"), ["for high…", "for women"]),
        (("high income customers",) * 2, ["for…"]),
        (("women", "women "), ["for women", "for women"]),
    ],
)
def test_the_names_of_trials_are_as_short_as_keeps_them_apart(ends, names):
    start = "Try offers of large baskets "
    found = q14_trial.short_names([f"{start}for {end}" for end in ends])
    assert sorted(found.values()) == [f"{start}{name}" for name in names]


def test_the_figure_of_trials_marks_only_the_least(settings):
    table = (
        trials("yes")
        .head(2)
        .assign(
            lift=0.02,
            action=[f"Try offers of large baskets for {who}" for who in ("women", "high men")],
        )
    )
    made = q14_trial.sizes_by_lift({"trial_plan": table, "completeness": WHOLE}, settings)
    assert made.highlight == ("Try offers of large baskets for high…",)


def test_no_trial_is_shown_of_more_than_its_action_touches(settings):
    table = trials("yes").assign(most_lift=[0.019, 0.019, np.nan])
    made = q14_trial.sizes_by_lift({"trial_plan": table, "completeness": WHOLE}, settings)
    assert made.data["customers_per_arm"].tolist() == [530_000]
    with pytest.raises(TooLittleData):
        q14_trial.how_to_try(
            Evidence({"habits": ACTIVE, "completeness": WHOLE, "trial_plan": table}), settings
        )


def test_a_lift_is_said_as_settings_have_it(settings):
    table = trials("yes").replace({"lift": {0.02: 0.015, 0.05: 0.02}})
    found = said(q14_trial.how_to_try, settings, trial_plan=table)
    assert found.headline.startswith("A trial that can see 1.5% more orders in 8 weeks")
    statistics = settings.statistics.model_copy(update={"power": 0.825})
    power = settings.model_copy(update={"statistics": statistics})
    made = q14_trial.sizes_by_lift({"trial_plan": table, "completeness": WHOLE}, power)
    assert made.title.endswith("to see 1.5% more, by action")
    assert made.subtitle.startswith("Customers in each arm for 1.5% more in 8 weeks")
    assert made.subtitle.endswith("at 82.5% power")


# ---- what cannot be said ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "tables", "headline"),
    [
        (
            q10_segments.which_segments,
            {"segments": SEGMENTS.tail(1)},
            "Not answered: no segment has enough customers to be shown",
        ),
        (
            q10_segments.what_habits_add,
            {"segment_gain": gain(0.5, 0.4, 0.1).head(0)},
            "Not answered: no customer has orders enough to predict some from others",
        ),
        (
            q13_offers.what_to_offer,
            {"offers": lists(0.2, 0.1).head(1)},
            "Not answered: no active customer has an order after another one",
        ),
        (
            q14_trial.how_to_try,
            {"trial_plan": trials("no").head(0)},
            "Not answered: no action is to be tried that touches enough, or no customers who "
            "differ were seen long",
        ),
        (
            q10_segments.what_habits_add,
            {"segment_gain": gain(0.5, 0.4, 0.1).assign(customers=[0, 0, 0, 955])},
            "Not answered: all later orders hold as many lines: there is nothing to predict",
        ),
        *(
            (function, {"completeness": HOLES}, "Not answered: histories are incomplete")
            for function in (
                q10_segments.which_segments,
                q10_segments.what_habits_add,
                q13_offers.what_to_offer,
                q14_trial.how_to_try,
            )
        ),
    ],
)
def test_what_cannot_be_said_says_why(settings, function, tables, headline):
    found, _ = answer(function, {"habits": ACTIVE, "completeness": WHOLE} | tables, settings)
    assert found.kind == NOT_ANSWERED
    assert found.headline.startswith(headline)


@pytest.mark.parametrize(
    "function",
    [
        q10_segments.mix_of_segments,
        q10_segments.what_predicts,
        q13_offers.precision_by_source,
        q14_trial.sizes_by_lift,
    ],
)
def test_no_figure_is_drawn_of_incomplete_histories(settings, function):
    with pytest.raises(IncompleteHistories):
        function({"completeness": HOLES}, settings)


# ---- prizes -------------------------------------------------------------------------------------


def test_a_share_in_a_lever_is_said_as_it_is(settings):
    sums = {"orders": np.ones((1, 7, 24)), "spend_cents": np.ones((1, 7, 24))}
    keys = {"population": ("active",), "day": range(7), "hour": range(24)}
    counts = {"day_hour": Tally(keys, sums)}
    windows = frame("day from_hour to_hour is_quiet", (0, 20, 23, "yes"), (1, 7, 10, "no"))
    more = levers._quiet_windows({"quiet_windows": windows}, counts, 0.025)
    assert more["what_if"] == "2.5% more orders in the quiet windows"
    assert more["base_orders"] == 3


def test_a_prize_is_sized_by_its_own_lever():
    prizes = frame(
        "rank lever orders share_of_orders spend share_of_spend what_if",
        (4, "quiet windows", 117, 0.0065, 9_000.25, 0.0066, "10% more orders"),
        (5, "both", 1, 0.00003, 38.93, 0.00003, "1% add the other"),
    )
    found = {
        "prize": {"lever": "quiet windows", "what_if": "before", "orders": 5, "spend": None},
        "numbers": {},
        "evidence": ["quiet_windows"],
    }
    now = sized(found, prizes)
    assert now["prize"]["what_if"] == "10% more orders: 117 orders, 0.7% of all orders."
    assert [now["prize"][name] for name in ("rank", "orders", "spend")] == [4, 117, 9_000.25]
    assert now["evidence"] == ["quiet_windows", "prizes"]
    assert unexplained(now["prize"]["what_if"], now["numbers"]) == []
    both = sized(found | {"prize": {"lever": "both"}}, prizes)["prize"]
    assert both["what_if"] == "1% add the other: 1 order, 0.0% of all orders."
    assert sized(found | {"prize": None}, prizes)["prize"] is None
    assert sized(found | {"prize": {"lever": "other"}}, prizes)["prize"] == {"lever": "other"}


@pytest.mark.parametrize("reach", [1, 0.5])
def test_what_is_left_is_the_margin_of_what_is_added_after_a_contact_each(settings, reach):
    """Lines of $4 at a tenth of 200 orders: $80, of which 25 % are kept; a contact is $1."""
    sums = {"orders": 200, "lines": 2_000, "priced_lines": 2_000, "spend_cents": 800_000}
    sums = {name: np.array([3 * number, number]) for name, number in sums.items()}
    counts = Counted(day_hour=Tally({"population": ("all", "active")}, sums))
    counts.settings = settings.model_copy(
        update={"what_if": settings.what_if.model_copy(update={"reach": reach})}
    )
    nothing = {
        "quiet_windows": frame("is_quiet day from_hour to_hour"),
        "usual_gaps": frame("customers later_orders days_per_order", (50, 0, 5.0)),
        "product_pairs": frame("candidate"),
    }
    (row,) = levers.prizes(nothing, counts).to_dict("records")
    assert (row["spend"], row["left_after_cost"]) == (80, reach * (80 * 0.25 - 200))


def test_levers_of_single_lines_are_sized_by_the_usual_order():
    """200 active orders of 10 lines at $4; the others, of all customers, do not count."""
    sums = {"orders": 200, "lines": 2_000, "priced_lines": 2_000, "spend_cents": 800_000}
    sums = {name: np.array([3 * number, number]) for name, number in sums.items()}
    counts = {"day_hour": Tally({"population": ("all", "active")}, sums)}
    more = levers._one_more_line(counts, 0.1)
    assert (more["base_orders"], more["base_spend"]) == (200, 8_000)
    assert (more["orders"], more["spend"]) == pytest.approx((2, 80))
    half = counts["day_hour"].sums | {"priced_lines": np.array([3_000, 1_000])}
    half_priced = {"day_hour": Tally({"population": ("all", "active")}, half)}
    assert levers._one_more_line(half_priced, 0.1)["spend"] == 80  # of a spend that lacks as much
    # 15 % of the orders of half of the customers hold both. Of all, that is 30, while 270 hold only
    # the first and 120 only the second.
    pairs = frame(
        "candidate support confidence_a_to_b confidence_b_to_a",
        ("no", 0.5, 0.5, 0.5),
        ("yes", 0.15, 0.1, 0.2),
    )
    both = levers._both({"product_pairs": pairs}, counts, 0.05)
    assert (both["base_orders"], both["base_spend"]) == pytest.approx((390, 15_600))
    assert (both["orders"], both["spend"]) == pytest.approx((1.95, 78))
    assert levers._both({"product_pairs": pairs.head(1)}, counts, 0.05) == {}
    assert levers._one_more_line(counts, 0.005)["what_if"].startswith("one more line in 0.5% of ")
    assert levers._both({"product_pairs": pairs}, counts, 0.015)["what_if"].startswith("1.5% of ")


class Counted(dict):
    """What a run has counted, with its settings."""


@pytest.mark.parametrize(
    ("customers", "late", "orders"), [(11, 40, 4), (10, 40, None), (11, 0, None)]
)
def test_a_day_sooner_is_a_part_of_an_order_at_late_returns(settings, customers, late, orders):
    """Five days an order: a day at half of 40 returns are 4 orders of $40."""
    sums = {"orders": 200, "lines": 2_000, "priced_lines": 2_000, "spend_cents": 800_000}
    sums = {name: np.array([3 * number, number]) for name, number in sums.items()}
    counts = Counted(day_hour=Tally({"population": ("all", "active")}, sums))
    counts.settings = settings
    gaps = frame("customers later_orders days_per_order", (customers, late, 5.0))
    sooner = levers._sooner({"usual_gaps": gaps}, counts, 0.5)
    if orders is None:
        assert sooner == {}
        return
    assert (sooner["base_orders"], sooner["base_spend"]) == (40, 1_600)
    assert (sooner["orders"], sooner["spend"]) == (orders, 160)
    assert sooner["what_if"] == "50% of the late returns a day sooner"
