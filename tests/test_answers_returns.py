"""What Q5 says, word for word, on small tables made by hand; what is refused, and why."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from basket.analysis import finding
from basket.analysis.finding import (
    DESIGN,
    HYPOTHESIS,
    INCOMPLETE_HISTORIES,
    INVENTED_PRICES,
    MORE,
    NO_ACTION,
    NOT_ANSWERED,
    SYNTHETIC_DATA,
    Evidence,
    Finding,
    IncompleteHistories,
    Prize,
    Touch,
    answer,
    with_caveats,
)
from basket.analysis.questions import q04_departments as q04
from basket.analysis.questions import q05_loyalty as q05
from basket.analysis.questions import q06_habits as q06
from basket.analysis.questions import weekly_returns
from basket.checks.verify import unexplained

NEW, REGULAR, LOYAL = "New customer", "Regular customer", "Loyal customer"
RULES = {NEW: "up to 10 orders", REGULAR: "above 10 up to 40 orders", LOYAL: "above 40 orders"}
WHOLE = pd.DataFrame({"what": ["holes"], "found": [0], "of": [9], "share": [0.0], "limit": [0.01]})
HOLES = WHOLE.assign(found=8, share=8 / 9)
ACTIVE = pd.DataFrame({"population": ["active"]})


def groups(**customers_orders_days: tuple[int, int, float]) -> dict[str, pd.DataFrame]:
    """Make the tables of loyalty: for each group its customers, orders, and median days seen."""
    names = {"new": NEW, "regular": REGULAR, "loyal": LOYAL}
    given = {names[name]: values for name, values in customers_orders_days.items()}
    customers, orders, days = (list(each) for each in zip(*given.values(), strict=True))
    same = {"grouping": "loyalty_flag", "group": list(given), "customers": customers}
    shares = pd.DataFrame(same | {"orders": orders})
    for name in ("customers", "orders"):
        shares[f"share_of_{name}"] = shares[name] / shares[name].sum()
    observed = pd.DataFrame(same | {"rule": [RULES[group] for group in given], "median_days": days})
    return {"group_shares": shares, "observed_time": observed}


def returns(
    *,
    orders: dict[int, int],
    mean_share: float = 0.185,
    mostly: float = 0.332,
    usual: tuple[float, float] = (10.5, 17.5),
    customers: int = 960,
    later: tuple[int, float] = (7538, 0.4199),
) -> dict[str, pd.DataFrame]:
    """Make the tables of returns: `orders` by days, all others 0; the rest is of 30 or more."""
    days = np.arange(31)
    counts = pd.Series(orders).reindex(days, fill_value=0)
    between = pd.DataFrame(
        {
            "days": days,
            "label": [*days[:-1].astype(str), "30+"],
            "orders": counts,
            "share": counts / max(counts.sum(), 1),
            "mean_share": [0.001] * 30 + [mean_share],
            "customers": [1] * 30 + [319],
            "share_of_customers": [0.002] * 30 + [mostly],
        }
    )
    gaps = pd.DataFrame(
        {
            "customers": [customers],
            "low_quartile_days": [7.0],
            "median_days": [usual[0]],
            "high_quartile_days": [usual[1]],
            "orders": [counts.sum()],
            "later_orders": [later[0]],
            "share_later": [later[1]],
            "days_per_order": [6.5],
        }
    )
    return {"days_between_orders": between, "usual_gaps": gaps}


USUAL_GROUPS = groups(new=(433, 2800, 123), regular=(426, 8984, 242), loyal=(101, 6170, 355))
USUAL_RETURNS = returns(orders={7: 4000, 8: 3000, 30: 1000, 1: 2000})
LABEL = " The label counts orders: it restates how long and how often someone has ordered."
LOYALTY = Finding(
    headline="Loyal customers are 10.5% of active customers and place 34.4% of their orders",
    so_what="45% of active customers are new customers (up to 10 orders so far); half of them "
    "are seen for 123 days or longer, from first to last order; half of the loyal customers "
    "(above 40 orders) are seen for 355 days or longer." + LABEL,
    action="Compare customers at equal numbers of orders; use the label to describe, not to "
    "predict who stays.",
    kind="description",
    action_basis=DESIGN,
    touches=(),
    owner="VP of Marketing",
    confidence="high",
    rests_on=(),
    figure="loyalty",
    prize=Prize(what_if="6,170 orders are placed by loyal customers.", orders=6170),
    change_mind="Dates: without them, a new customer may simply have joined late.",
)
RETURNING = Finding(
    headline="Half of the customers have a usual gap of 10.5 days or less between orders, a "
    "quarter of 17.5 days or more",
    so_what="A customer's usual gap is the median of that customer's days between orders; 42% of "
    "returns come later than it, and never more than half can. Counted by orders, the commonest "
    "gap below 30 days is 7 days (40%), and 10% of gaps are 30 days or more. Counted by customer, "
    "18% of gaps are. 33% of customers have more gaps of 30 days or more than gaps of any one "
    "length. Customers who never came back are not in this data, and a gap longer than 30 days is "
    "recorded as 30.",
    action="Try a reminder to each customer with a usual gap below 30 days, once that gap has "
    "passed, against a control group.",
    kind="description",
    action_basis=HYPOTHESIS,
    touches=(Touch(direction=MORE, attribute="own usual gap"),),
    owner="VP of Marketing",
    confidence="high",
    rests_on=(),
    figure="days_between_orders",
    prize=Prize(
        what_if="7,538 orders came later than the customer's usual gap, 42% of all returns.",
        lever="sooner",
        orders=7538,
    ),
    change_mind="Dates: they would show whether people keep to a weekday or to a gap.",
)
ANSWERS = {
    "loyalty": (q05.loyalty, USUAL_GROUPS, LOYALTY),
    "all are loyal": (
        q05.loyalty,
        groups(loyal=(35, 1600, 360)),
        replace(
            LOYALTY,
            headline="Loyal customers are 100.0% of active customers and place 100.0% of their "
            "orders",
            so_what="No active customer is a new customer; half of the loyal customers (above "
            "40 orders) are seen for 360 days or longer." + LABEL,
            prize=Prize(what_if="1,600 orders are placed by loyal customers.", orders=1600),
        ),
    ),
    "nobody is loyal": (
        q05.loyalty,
        groups(new=(90, 700, 80.5), regular=(10, 200, 300)),
        replace(
            LOYALTY,
            headline="No active customer is a loyal customer",
            so_what="90% of active customers are new customers (up to 10 orders so far); half "
            "of them are seen for 80 days or longer, from first to last order." + LABEL,
            prize=None,
        ),
    ),
    "loyalty of five": (
        q05.loyalty,
        groups(new=(2, 12, 40), regular=(2, 50, 200), loyal=(1, 41, 300)),
        replace(
            LOYALTY,
            headline="Loyal customers are 20.0% of active customers and place 39.8% of their "
            "orders",
            so_what="40% of active customers are new customers (up to 10 orders so far); half "
            "of them are seen for 40 days or longer, from first to last order; half of the loyal "
            "customers (above 40 orders) are seen for 300 days or longer." + LABEL,
            prize=Prize(what_if="41 orders are placed by loyal customers.", orders=41),
            confidence="low",
        ),
    ),
    "returning": (q05.returning, USUAL_RETURNS, RETURNING),
    "returning, a quarter at the wall": (
        q05.returning,
        returns(orders={7: 4000, 8: 3000, 30: 1000, 1: 2000}, usual=(14.0, 30.0)),
        replace(
            RETURNING,
            headline="Half of the customers have a usual gap of 14 days or less between orders, a "
            "quarter of 30 days or more",
        ),
    ),
    "returning, half at the wall": (
        q05.returning,
        returns(orders={7: 4000, 8: 3000, 30: 1000, 1: 2000}, usual=(30.0, 30.0)),
        replace(
            RETURNING,
            headline="Half of the customers have a usual gap of 30 days or more between orders",
        ),
    ),
    "returning, two alike": (
        q05.returning,
        returns(orders={7: 3000, 5: 3000, 30: 4000}, customers=9),
        replace(
            RETURNING,
            so_what=RETURNING.so_what.replace("7 days (40%), and 10%", "5 days (30%), and 40%"),
            confidence="low",
        ),
    ),
}
FIGURES = {
    "loyalty": (
        q05.shares_by_loyalty,
        USUAL_GROUPS,
        "Loyal customers: 11% of customers, 34% of orders",
        "Columns by loyalty group: loyal customers are 10.5% of customers and place 34.4% of "
        "orders.",
    ),
    "days between": (
        q05.days_between,
        USUAL_RETURNS,
        "30 days or more: 10% of all gaps, 18% of an average customer's",
        "Two columns per day, each gap counted once and each customer once. Below 30 days the "
        "commonest gap by orders is 7 days with 40.0%; 30 days or more are 10.0% of all gaps and "
        "18.5% of an average customer's.",
    ),
}


def complete(tables: dict) -> dict:
    """Add what every answer looks at first."""
    return {"habits": ACTIVE, "completeness": WHOLE} | tables


@pytest.mark.parametrize("case", ANSWERS)
def test_each_answer_word_for_word(case, settings):
    function, tables, expected = ANSWERS[case]
    found, seen = answer(function, complete(tables), settings)
    assert asdict(found) == asdict(expected)
    said = (found.headline, found.so_what, found.action, found.prize and found.prize.what_if)
    for sentence in said:  # as `basket verify` will look for each number
        assert unexplained(sentence or "", seen.numbers) == [], sentence


@pytest.mark.parametrize("case", FIGURES)
def test_each_figure_word_for_word(case, settings):
    function, tables, title, alt = FIGURES[case]
    made = function(complete(tables), settings)
    assert (made.title, made.alt) == (title, alt)


NUMBERS = {  # of each table: columns whose numbers a sentence takes
    "loyalty": [
        ("group_shares", "share_of_customers", "share_of_orders"),
        ("observed_time", "median_days", "customers"),
    ],
    "returning": [
        ("usual_gaps", "median_days", "high_quartile_days"),
        ("days_between_orders", "share", "mean_share"),
        ("days_between_orders", "mean_share", "share_of_customers"),
    ],
}


@pytest.mark.parametrize(
    ("case", "table", "one", "other"),
    [(case, *columns) for case, each in NUMBERS.items() for columns in each],
)
def test_two_numbers_in_each_others_place_change_the_answer(case, table, one, other, settings):
    function, tables, expected = ANSWERS[case]
    swapped = tables[table].rename(columns={one: other, other: one})
    found, _ = answer(function, complete(tables | {table: swapped}), settings)
    assert (found.headline, found.so_what) != (expected.headline, expected.so_what)


def test_where_nobody_came_back_the_reason_is_given(settings):
    tables = complete(returns(orders={}))
    found, seen = answer(q05.returning, tables, settings)
    assert found.headline == "Not answered: no active customer is known to have come back"
    assert (found.kind, found.action_basis, seen.numbers) == (NOT_ANSWERED, NO_ACTION, {})
    with pytest.raises(finding.TooLittleData, match="No active customer is known to have come"):
        q05.days_between(tables, settings)


def test_a_number_that_cannot_be_computed_is_never_said(settings):
    tables = complete(USUAL_RETURNS)
    tables["usual_gaps"] = tables["usual_gaps"].assign(median_days=np.nan)
    found, _ = answer(q05.returning, tables, settings)
    assert found.headline == (
        "Not answered: a number that the answer needs cannot be computed from this data"
    )


def test_an_interval_that_has_no_end_is_never_said(settings):
    seen = finding.Evidence({"spend_by_time": pd.DataFrame({"hour": [7], "effect_low": [np.nan]})})
    assert np.isnan(seen.row("spend_by_time", hour=7).effect_low)
    with pytest.raises(finding.TooLittleData, match="or one of them holds too much"):
        finding.require_numbers(seen)


def test_where_every_gap_is_at_the_wall_no_day_is_the_commonest(settings):
    tables = complete(returns(orders={30: 700}) | {"return_hazard": hazards(ended=0)})
    for function in (q05.returning, weekly_returns.whole_weeks):
        found, _ = answer(function, tables, settings)
        assert (
            found.headline
            == "Not answered: every gap between orders is as long as a gap can be in this data"
        )
    for function in (q05.days_between, weekly_returns.hazard_by_day):
        with pytest.raises(finding.TooLittleData, match="Every gap between orders is as long"):
            function(tables, settings)


# ---- whole weeks --------------------------------------------------------------------------------


def hazards(*peaks: int, ended: int = 9) -> pd.DataFrame:
    """Make the table of hazards: each cell of day 7 holds a number of its own."""
    days = np.arange(30)
    table = pd.DataFrame({"day": days, "gaps": 1000, "gaps_ended": ended, "gap_hazard": 0.2})
    table = table.assign(hazard=0.05, hazard_low=0.04, hazard_high=0.06)
    table = table.assign(peak_ratio=1.1, peak_ratio_low=0.9, peak_ratio_high=1.3)
    table.loc[7, ["hazard", "peak_ratio"]] = 0.125, 1.54
    table.loc[7, ["peak_ratio_low", "peak_ratio_high"]] = 1.42, 1.67
    return table.assign(is_peak=np.where(np.isin(days, peaks), "yes", "no"), reason="")


def test_a_day_that_nothing_can_be_concluded_of_has_no_interval(settings):
    few = hazards().assign(reason="too few effective customers", peak_ratio_high=4.4e8)
    tables = {"return_hazard": few, "completeness": WHOLE}
    found = weekly_returns.whole_weeks(finding.Evidence(tables), settings)
    assert found.so_what == (
        "Of the customers who are not back before day 7, 12.5% come back on it: how the days "
        f"beside it compare cannot be said (too few effective customers). {BESIDE}"
    )


DAY_7 = (
    "Of the customers who are not back before day 7, 12.5% come back on it: 1.54 times the share "
    "of the days beside it (interval 1.42 to 1.67). "
)
BESIDE = (
    "Nearly the same customers are still out on neighbouring days, so a peak is what people do; "
    "that fewer come back in later weeks is also who is left."
)


@pytest.mark.parametrize(
    ("peaks", "headline", "title", "others"),
    [
        (
            (7, 14, 21),
            "More customers come back 7, 14 and 21 days after an order than a day before or later",
            "Returns peak 7, 14 and 21 days after an order",
            "A peak after 28 days is not proven. ",
        ),
        (
            (7, 14, 21, 28),
            "More customers come back 7, 14, 21 and 28 days after an order than a day before or "
            "later",
            "Returns peak 7, 14, 21 and 28 days after an order",
            "",
        ),
        (
            (),
            "Whether customers come back in whole weeks is undecided with this data",
            "No weekly peak of returns is proven",
            "",
        ),
    ],
)
def test_whole_weeks_word_for_word(peaks, headline, title, others, settings):
    tables = complete({"return_hazard": hazards(*peaks)})
    found, seen = answer(weekly_returns.whole_weeks, tables, settings)
    assert found == Finding(
        kind="difference" if peaks else "undecided",
        headline=headline,
        so_what=DAY_7 + others + BESIDE,
        action="Compare returns week by week, not day by day, and plan the days of a reminder's "
        "trial in whole weeks."
        if peaks
        else "No action follows.",
        action_basis=DESIGN if peaks else NO_ACTION,
        confidence="high" if peaks else "low",
        figure="return_hazard",
        change_mind="Dates: they would show whether people keep to a weekday or to a gap.",
    )
    assert unexplained(f"{found.headline} {found.so_what}", seen.numbers) == []
    made = weekly_returns.hazard_by_day(tables, settings)
    assert made.title == title
    assert ("7 days" in made.alt or "7, " in made.alt) == bool(peaks)


# ---- incomplete histories -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        q05.loyalty,
        q05.returning,
        weekly_returns.whole_weeks,
        q06.habits_by_loyalty,
        q04.small_departments,
    ],
    ids=lambda function: function.__name__,
)
def test_what_needs_whole_histories_is_not_answered_where_they_have_holes(function, settings):
    tables = complete(USUAL_GROUPS | USUAL_RETURNS) | {"completeness": HOLES}
    found, seen = answer(function, tables, settings, (INCOMPLETE_HISTORIES,))
    assert found == Finding(
        kind=NOT_ANSWERED,
        headline="Not answered: histories are incomplete",
        so_what="What customers did before the orders of this data is unknown.",
        action="Run the analysis again with every order of each customer.",
        rests_on=(INCOMPLETE_HISTORIES,),
    )
    assert seen.numbers == {}


@pytest.mark.parametrize("function", [q05.shares_by_loyalty, q05.days_between])
def test_what_needs_whole_histories_is_not_drawn_where_they_have_holes(function, settings):
    with pytest.raises(IncompleteHistories):
        function(complete(USUAL_GROUPS | USUAL_RETURNS) | {"completeness": HOLES}, settings)


def test_histories_that_nobody_looked_at_are_no_complete_ones():
    with pytest.raises(LookupError):
        Evidence({}).require_histories()


def test_what_rests_on_holes_is_never_high_and_a_caveat_is_said_once():
    found = with_caveats(LOYALTY, (SYNTHETIC_DATA, INCOMPLETE_HISTORIES))
    assert found.rests_on == (SYNTHETIC_DATA, INCOMPLETE_HISTORIES)
    assert found.confidence == "medium" and found.so_what == LOYALTY.so_what
    assert with_caveats(LOYALTY, (SYNTHETIC_DATA,)).confidence == "high"
    priced = with_caveats(replace(LOYALTY, rests_on=(INVENTED_PRICES,)), (INVENTED_PRICES,))
    assert priced.rests_on == (INVENTED_PRICES,) and priced.confidence == "medium"
    assert priced.so_what.count("Prices are invented") == 1
