"""What Q11 and Q12 say, word for word, on small tables made by hand; and contradicting actions.

Each cell of these tables holds a number of its own, so that a number in the wrong place is seen.
"""

import re
from dataclasses import asdict

import pandas as pd
import pytest

from basket.analysis.finding import Evidence, Finding, Touch, answer, contradictions, record
from basket.analysis.questions import q11_pairs as q11
from basket.analysis.questions import q12_sensitivity as q12

WHOLE = pd.DataFrame({"what": ["holes"], "found": [0], "of": [9], "share": [0.0], "limit": [0.01]})
ACTIVE = pd.DataFrame({"population": ["active"]})  # a customer, so that there is something to say
INVENTED = (
    "Customers' ages, incomes, families and states are invented in this data: this shows the "
    + "method."
)
GIVEN, WITHIN = "lift_given_size", "lift_within_customers_given_size"


def pair(number, *, candidate="no", reason="", departments=("deli", "bakery"), **other):
    """Make one row of product_pairs, whose numbers are its own."""
    return {
        "product_a": number,
        "product_b": 100 + number,
        "product_name_a": f"Hummus {number}",
        "product_name_b": f"Pita {number}",
        "department_a": departments[0],
        "department_b": departments[1],
        "choice": number,
        "orders_with_both": 1_234 + number,
        "customers_with_both": 321 + number,
        "orders_with_a": 5_678 + number,
        "orders_with_b": 8_765 + number,
        "confidence_a_to_b": 0.22,
        "confidence_b_to_a": 0.14,
        GIVEN: 3.1 + number,
        f"{GIVEN}_low": 2.2 + number,
        f"{GIVEN}_high": 4.6 + number,
        WITHIN: 1.6 + number,
        f"{WITHIN}_low": 1.3 + number,
        f"{WITHIN}_high": 1.9 + number,
        "reason": reason,
        "candidate": candidate,
        **other,
    }


def buyers(number=1, *, stands_out="no", group="65+", grouping="age_group"):
    rows = [
        ("loyalty_flag", "Loyal customer", 0.5, 9.9, 8.8, 11.1, "yes", 1e-9),
        ("age_group", "18-39", 0.11, 0.97, 0.9, 1.04, "no", 0.2),
        (grouping, group, 0.234, 1.7, 1.4, 2.1, stands_out, 1e-6),
        ("income_group", "Low income", 0.1, 0.8, 0.7, 0.9, "no", 0.01),
    ]
    names = ["grouping", "group", "share", "effect", "effect_low", "effect_high"]
    table = pd.DataFrame(rows, columns=[*names, "stands_out", "p_value"])
    return table.assign(product_a=number, product_b=100 + number)


def tables(*pairs, whom=None):
    found = pd.DataFrame(pairs, columns=list(pair(1)))
    return {
        "completeness": WHOLE,
        "habits": ACTIVE,
        "product_pairs": found,
        "pair_buyers": buyers() if whom is None else whom,
    }


ALSO = {"owner": "SVP of Sales", "figure": "product_pairs", "touches": ()}
PROVEN = {
    "kind": "candidate",
    "headline": "“Hummus 1” and “Pita 1” are candidates to be shown together: one order holds both "
    "2.6 times as often as the same customers' own habits explain",
    "action": "Try showing “Pita 1” beside “Hummus 1”, against a control group that does not see "
    "it.",
    "action_basis": "hypothesis",
    "confidence": "medium",
    "rests_on": ("invented customers",),
    "change_mind": "A trial in which showing the pair sells no more than not showing it.",
    **ALSO,
}
SECOND_HALF = (
    "Of the customers that took no part in choosing the pair, 322 had both in 1,235 orders: the "
    "pair is in one order 4.1 times (3.2 to 5.6) as often as basket size explains, and 2.6 times "
    "(2.3 to 2.9) as often as the same customers' own habits explain."
)
UNPROVEN = {
    "kind": "undecided",
    "headline": "No pair of products is proven to be combined more than basket size and customers' "
    "own habits explain",
    "action": "Offer no two products as a pair on the strength of this data.",
    "change_mind": "More customers: smaller lifts could then be proven.",
    "action_basis": "design",
    "confidence": "low",
    "rests_on": (),
    "prize": None,
    **ALSO,
}
LIKELIEST = (
    "The pair across departments that led on the other half of the customers, “Hummus 2” and "
    "“Pita 2”, is in one order 5.1 times (4.2 to 6.6) as often as basket size explains, and "
    "3.6 times (3.3 to 3.9) as often as the same customers' own habits explain"
)
REACHED = {"lever": "both", "orders": 5_679, "spend": None, "share_of_spend": None}
REACHED["what_if"] = (
    "5,679 orders of half of the customers hold “Hummus 1”, 1,235 of them with “Pita 1”."
)
NAN = float("nan")
PAIRS = {
    "a candidate": (
        tables(pair(2, departments=("dairy", "dairy")), pair(1, candidate="yes")),
        PROVEN
        | {
            "so_what": f"{SECOND_HALF} No group by age or income stands out among those who buy "
            f"both. {INVENTED}",
            "prize": REACHED,
        },
    ),
    "a candidate, surer the other way round": (
        tables(pair(1, candidate="yes", confidence_b_to_a=0.3)),
        PROVEN
        | {
            "so_what": f"{SECOND_HALF} No group by age or income stands out among those who buy "
            f"both. {INVENTED}",
            "action": "Try showing “Hummus 1” beside “Pita 1”, against a control group that does "
            "not see it.",
            "prize": REACHED
            | {
                "orders": 8_766,
                "what_if": "8,766 orders of half of the customers hold “Pita 1”, 1,235 of them "
                "with “Hummus 1”.",
            },
        },
    ),
    "a candidate, and by whom": (
        tables(pair(1, candidate="yes"), whom=buyers(stands_out="yes")),
        PROVEN
        | {
            "so_what": f"{SECOND_HALF} By age, “65+” stands out: 23.4% of them ever had both, 1.7 "
            f"times the share of the others (1.4 to 2.1). {INVENTED}",
            "prize": REACHED,
        },
    ),
    "a candidate of one department beside an unproven one of two": (
        tables(pair(2), pair(1, candidate="yes", departments=("deli", "deli"))),
        PROVEN
        | {
            "so_what": f"{SECOND_HALF} No group by age or income stands out among those who buy "
            f"both. {INVENTED}",
            "prize": REACHED,
        },
    ),
    "none proven": (
        tables(pair(3), pair(2), pair(1, departments=("deli", "deli"))),
        UNPROVEN | {"so_what": f"{LIKELIEST}."},
    ),
    "none proven, of one customer": (
        tables(pair(2, reason="one customer holds too much of it")),
        UNPROVEN
        | {
            "so_what": f"{LIKELIEST}; nothing may be concluded from it: one customer holds too "
            "much of it."
        },
    ),
    "none proven, without limits": (
        tables(
            pair(
                2,
                reason="nothing to compare",
                **{f"{name}{end}": NAN for name in (GIVEN, WITHIN) for end in ("_low", "_high")},
            )
        ),
        UNPROVEN
        | {
            "so_what": "The pair across departments that led on the other half of the customers, "
            "“Hummus 2” and “Pita 2”, is in one order 5.1 times as often as basket size explains, "
            "and 3.6 times as often as the same customers' own habits explain; nothing may be "
            "concluded from it: nothing to compare."
        },
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_what_is_said_of_pairs(case, settings):
    given, expected = PAIRS[case]
    finding, seen = answer(q11.strongest_pair, given, settings)
    assert asdict(finding) == expected
    assert "nan" not in str(asdict(finding))
    assert {"product_pairs"} <= set(seen.evidence) <= set(given)


def test_no_pair_of_enough_customers_is_not_answered(settings):
    finding, _ = answer(q11.strongest_pair, tables(), settings)
    assert finding.headline == (
        "Not answered: no two products are bought together by enough customers"
    )
    assert (finding.kind, finding.action) == ("not answered", "No action follows.")


def test_the_figure_of_pairs(settings):
    two = tables(pair(2), pair(1, candidate="yes"))
    drawn = q11.strongest_pairs(two, settings)
    assert drawn.title == "1 pair is a candidate for a trial of offers"
    assert drawn.subtitle == (
        "Orders with both products, times those that basket size explains, active customers that "
        "took no part in choosing the pairs, with 95 % intervals"
    )
    assert drawn.alt == (
        "Dots with intervals for pairs of products. The first, Hummus 2 + Pita 2, is in one order "
        "5.1 times as often as basket size explains; 1 of the 2 pairs shown exceed what basket "
        "size and customers' own habits explain."
    )
    assert drawn.data["pair"].tolist() == ["Hummus 2 + Pita 2", "Hummus 1 + Pita 1"]
    assert drawn.data[f"{GIVEN}_low"].is_monotonic_decreasing
    assert drawn.data[GIVEN].tolist() == [5.1, 4.1]
    assert drawn.highlight == ("Hummus 1 + Pita 1",)
    unsure = q11.strongest_pairs(
        tables(pair(2, reason="too few effective customers"), pair(1, candidate="yes")), settings
    )
    for made, why in (
        (drawn, "more than customers' own habits explain is not proven."),
        (unsure, "too few effective customers."),
    ):
        assert made.so_what.endswith(f"what a trial tells. The first is no candidate: {why}")
    both = q11.strongest_pairs(tables(pair(2, candidate="yes"), pair(1, candidate="yes")), settings)
    assert both.title == "2 pairs are candidates for a trial of offers"
    assert both.so_what.endswith("that is what a trial tells.")
    none = q11.strongest_pairs(tables(pair(1), pair(2, **{f"{GIVEN}_low": NAN})), settings)
    assert none.title == "No pair is proven beyond basket size and own habits"
    assert none.data["pair"].tolist() == ["Hummus 1 + Pita 1"]


# ---- sensitivity --------------------------------------------------------------------------------


def move(setting, base, changed, conclusions="", relabelled=5, unit="customers"):
    return {
        "setting": setting,
        "base": float(base),
        "changed": float(changed),
        "conclusions_changed": conclusions,
        "headlines_changed": len(conclusions.split("; ")) if conclusions else 0,
        "unit": unit,
        "relabelled": relabelled,
        "share_relabelled": relabelled / 1000,
    }


def moves(*each):
    return {"habits": ACTIVE, "sensitivity": pd.DataFrame(each)}


QUIET = "Q1 quiet window"
LATER = move("waking_hours_until_hour", 23, 24, QUIET, 1, "orders")
EARLIER = move("waking_hours_from_hour", 7, 6, "", 2, "orders")
SPENDER = move("high_spender_from_dollars", 10, 8, relabelled=365)
LOYAL = move("loyal_customer_above_orders", 40, 32, relabelled=61)
AGAIN = (
    "A threshold moves by a fifth or an hour; judged again are the quiet windows, order values and "
    "goods by time, price ranges, pairs, and groups by loyalty, age and income, and nothing else."
)
FRAGILE = (
    "The most fragile label is “high spender from 10 dollars”: at 8 dollars, 365 customers (36% "
    "of all, active or not) get another label; no finding uses it."
)
OF_LOYALTY = (
    "The most fragile label is “loyal customer above 40 orders”: at 32 orders, 61 customers (6% of "
    "all, active or not) get another label; Q6 uses it."
)
PRICES = "Prices are invented in this data: this shows the method."
BOTH = (
    "Prices and customers' ages, incomes, families and states are invented in this data: this "
    "shows the method."
)
AGREE = "Agree on the most fragile threshold before it is used."
USUAL = {
    "kind": "description",
    "action_basis": "design",
    "touches": (),
    "owner": "VP of Marketing",
    "figure": "sensitivity",
    "prize": None,
    "change_mind": "A business reason for other thresholds.",
}
SENSITIVITY = {
    "the window alone": (
        moves(LOYAL, SPENDER, EARLIER, LATER),
        {
            "headline": "Moving the waking hours changes where the quiet window lies; no other "
            "retested conclusion changes",
            "so_what": f"As they are: waking hours until 23:00. {AGAIN} {FRAGILE} {PRICES}",
            "action": f"State these settings wherever the conclusion is quoted. {AGREE}",
            "confidence": "medium",
            "rests_on": ("invented prices",),
        },
    ),
    "the window, and a label that a finding uses": (
        moves(LOYAL, LATER, move("window_of_hours", 3, 4, QUIET, 0, "orders")),
        {
            "headline": "Moving the waking hours and the length of a window changes where the "
            "quiet window lies; no other retested conclusion changes",
            "so_what": "As they are: waking hours until 23:00 and window of 3 hours. "
            f"{AGAIN} {OF_LOYALTY}",
            "action": "State these settings wherever the conclusion is quoted.",
            "confidence": "high",
            "rests_on": (),
        },
    ),
    "two conclusions": (
        moves(SPENDER, LATER, move("middle_income_from_dollars", 50_000, 60_000, "Q9 income", 9)),
        {
            "headline": "Moving the waking hours changes where the quiet window lies; moving "
            "“middle income from” changes what is said of income; no other retested "
            "conclusion changes",
            "so_what": "As they are: waking hours until 23:00 and middle income from 50,000 "
            f"dollars. {AGAIN} {FRAGILE} {BOTH}",
            "action": f"State these settings wherever the conclusion is quoted. {AGREE}",
            "confidence": "medium",
            "rests_on": ("invented customers", "invented prices"),
        },
    ),
    "two conclusions by one setting": (
        moves(LOYAL, move("active_from_orders", 5, 6, "Q6 loyalty; Q7 region", 31)),
        {
            "headline": "Moving “active from” changes what is said of loyalty and what is said of "
            "region; no other retested conclusion changes",
            "so_what": f"As they are: active from 5 orders. {AGAIN} {OF_LOYALTY} {INVENTED}",
            "action": "State these settings wherever the conclusion is quoted.",
            "confidence": "medium",
            "rests_on": ("invented customers",),
        },
    ),
    "many conclusions": (
        moves(
            LOYAL,
            LATER,
            move("minimum_support_of_pairs_share", 0.001, 0.0012, "Q11 pairs", 3, "pairs"),
            move("evening_from_hour", 18, 19, "Q2 goods by time", 8, "orders"),
            move("high-range_product_above_dollars", 15, 12, "Q3 price ranges", 7, "lines"),
        ),
        {
            "headline": "Our thresholds decide where the quiet window lies, which pairs of "
            "products are candidates, which goods sell better at a time of day and which price "
            "range holds most money; no other retested conclusion changes",
            "so_what": "As they are: waking hours until 23:00, minimum support of pairs 0.10% of "
            "orders, evening from 18:00 and high-range product above 15 dollars. "
            f"{AGAIN} {OF_LOYALTY}",
            "action": "State these settings wherever the conclusion is quoted.",
            "confidence": "high",
            "rests_on": (),
        },
    ),
    "nothing": (
        moves(LOYAL, SPENDER, EARLIER),
        {
            "headline": "Of the conclusions judged again, none changes when a threshold moves",
            "so_what": f"{AGAIN} {FRAGILE} {PRICES}",
            "action": f"Use the thresholds as they are. {AGREE}",
            "confidence": "medium",
            "rests_on": ("invented prices",),
        },
    ),
    "nothing but of too few to be shown": (
        moves(LOYAL | {"relabelled": 10}, EARLIER),
        {
            "headline": "Of the conclusions judged again, none changes when a threshold moves",
            "so_what": f"{AGAIN} Fewer customers than may be shown get another label.",
            "action": "Use the thresholds as they are.",
            "confidence": "high",
            "rests_on": (),
        },
    ),
    "nothing at all": (
        moves(LOYAL | {"relabelled": 0}, EARLIER),
        {
            "headline": "Of the conclusions judged again, none changes when a threshold moves",
            "so_what": f"{AGAIN} No customer gets another label.",
            "action": "Use the thresholds as they are.",
            "confidence": "high",
            "rests_on": (),
        },
    ),
}


@pytest.mark.parametrize("case", SENSITIVITY)
def test_what_is_said_of_thresholds(case, settings):
    given, expected = SENSITIVITY[case]
    finding, seen = answer(q12.what_depends, given, settings)
    found = asdict(finding)
    assert found | {"rests_on": tuple(sorted(found["rests_on"]))} == USUAL | expected
    assert set(seen.evidence) <= {"sensitivity"}


def test_the_figure_of_thresholds(settings):
    up, down = move("loyal_customer_above_orders", 40, 48, "Q6 loyalty", 81), LOYAL
    drawn = q12.labels_by_threshold(moves(down, up, SPENDER, LATER), settings)
    assert drawn.title == "Moved by a fifth, one threshold of labels changes a conclusion"
    assert drawn.alt == (
        "Bars by threshold; moving high spender from 10 dollars by a fifth relabels up to 36% of "
        "customers. Of the thresholds shown, 1 changes a conclusion."
    )
    assert drawn.data["setting"].tolist() == [
        "high spender from 10 dollars",
        "loyal customer above 40 orders (a conclusion changes)",
    ]
    assert drawn.data["share_relabelled"].tolist() == [0.365, 0.081]
    assert drawn.highlight == ("loyal customer above 40 orders (a conclusion changes)",)
    none = q12.labels_by_threshold(moves(SPENDER), settings)
    assert none.title == "Moved by a fifth, no threshold of labels changes a conclusion"
    assert none.highlight == ()


@pytest.mark.parametrize(
    ("setting", "value", "labels", "words"),
    [
        ("waking_hours_from_hour", 7, "orders", "waking hours from 07:00"),
        ("window_of_hours", 3, "orders", "window of 3 hours"),
        ("small_epsilon_squared_from_size", 0.01, "comparisons", "small epsilon squared from 0.01"),
        ("small_ratio_from_size", 1.05, "comparisons", "small ratio from 1.05"),
        (
            "minimum_support_of_pairs_share",
            0.001,
            "pairs",
            "minimum support of pairs 0.10% of orders",
        ),
        ("loyal_above_orders", 40, "customers", "loyal above 40 orders"),
        ("middle_income_from_dollars", 50_000, "customers", "middle income from 50,000 dollars"),
        ("rich_from_dollars", 1_234_567, "customers", "rich from 1,234,567 dollars"),
        ("loyal_above_share", 0.6, "customers", "loyal above 0.6 share"),
        ("late_from_hour", 9.5, "customers", "late from 9.5 hour"),
        ("busiest_days", 2, "orders", "2 busiest days"),
    ],
)
def test_thresholds_are_said_in_words(setting, value, labels, words):
    assert q12.threshold_in_words(setting, value, labels) == words


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("waking_hours_until_hour", "the waking hours"),
        ("window_of_hours", "the length of a window"),
        ("window_shopper_above_orders", "“window shopper above”"),
    ],
)
def test_a_setting_is_named_without_its_value(setting, said):
    assert q12._plain(setting) == said


# ---- contradictions -----------------------------------------------------------------------------


def recorded(*touches_of_each: list[Touch]) -> list[dict]:
    return [
        record(
            number,
            "Q1",
            Finding(headline="", so_what="", action="", touches=tuple(touches)),
            Evidence({}),
        )
        for number, touches in enumerate(touches_of_each, start=1)
    ]


def more(**what):
    return Touch(direction="more", **what)


def less(**what):
    return Touch(direction="less", **what)


@pytest.mark.parametrize(
    ("first", "second", "contradict"),
    [
        (less(day="Saturday"), more(day="Saturday"), True),
        (less(day="Saturday"), more(day="Saturday", department="snacks"), True),
        (less(attribute="age"), more(attribute="age", segment="18-39"), True),
        (more(segment="Low income", department="snacks"), less(department="snacks"), True),
        (less(day="Saturday"), more(day="Sunday"), False),
        (less(day="Saturday"), less(day="Saturday"), False),
        (less(day="Saturday"), more(department="snacks"), False),
        (
            more(daypart="Evening", day="Monday", hours=(20, 23)),
            less(daypart="Evening", day="Monday", hours=(18, 20)),
            False,
        ),
        (more(daypart="Evening", day="Monday", hours=(20, 23)), less(daypart="Evening"), True),
        (
            more(daypart="Evening", department="frozen"),
            less(daypart="Evening", department="produce"),
            False,
        ),
    ],
)
def test_two_actions_contradict_where_they_touch_the_same_with_opposite_signs(
    first, second, contradict
):
    expected = ["F01 and F02"] if contradict else []
    assert contradictions(recorded([first], [second])) == expected
    assert contradictions(recorded([second], [first])) == expected
    assert contradictions(recorded([first], [], [second])) == [
        each.replace("F02", "F03") for each in expected
    ]


def test_the_first_reports_instructions_are_refused():
    """Do not pay for reach on Saturday; advertise large baskets then; the calendar has a window."""
    found = recorded(
        [less(day="Saturday"), less(day="Sunday")],
        [more(day="Saturday", daypart="Evening")],
        [less(attribute="age")],
        [more(attribute="age", segment="18-39, with dependants, middle income")],
    )
    assert contradictions(found) == ["F01 and F02", "F03 and F04"]


def refused_and_advised(found: list[dict]) -> list[str]:
    """Name what one action tells to leave aside, in words, and another one goes by, as data."""
    goes_by = {
        touch["attribute"]: finding["id"]
        for finding in found
        for touch in finding["touches"]
        if touch["direction"] == "more" and "attribute" in touch
    }
    refusals = [
        (finding["id"], sentence)
        for finding in found
        for sentence in re.split(r"(?<=[.;])", finding["action"])
        if re.search(r"\b(leave|not by|do not)\b", sentence, re.I)
    ]
    return [
        f"{refuses} leaves out {attribute}, {goes_by[attribute]} goes by it"
        for refuses, sentence in refusals
        for attribute in goes_by
        if attribute in sentence
    ]


def test_what_one_action_leaves_out_in_words_no_other_goes_by():
    """Snacks for low incomes (Q9) beside "leave age, family and income out" (Q10)."""
    found = recorded([more(attribute="income", department="snacks")], [])
    found[1]["action"] = "Address customers by their habits; leave age and income out."
    assert refused_and_advised(found) == ["F02 leaves out income, F01 goes by it"]
    found[1]["action"] = "Address customers by their income. Do not target by age alone."
    assert refused_and_advised(found) == []


@pytest.mark.slow
@pytest.mark.parametrize("data", ["generated", "panel"])
def test_no_two_findings_of_a_run_contradict_each_other(data, built, request):
    found = built(request.getfixturevalue(data), "corrected").analysis["paper"].found
    assert len(found) >= 12
    assert contradictions(found) == []
    assert refused_and_advised(found) == []


def test_a_report_whose_actions_contradict_is_not_saved(built, generated):
    paper = built(generated, "corrected").analysis["paper"]
    touched = [{"direction": "more", "day": "Sunday"}], [{"direction": "less", "day": "Sunday"}]
    usual = paper.found
    paper.found = [
        finding | {"touches": touches} for finding, touches in zip(usual, touched, strict=False)
    ]
    try:
        with pytest.raises(ValueError, match="actions contradict each other: F01 and F02"):
            paper._check()
    finally:
        paper.found = usual
