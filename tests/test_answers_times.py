"""What Q1 to Q4 and the ad calendar say: small tables made by hand in, whole sentences out.

Each cell of these tables holds a number of its own, so that a number in the wrong place is seen.
`answers_times.md` says what each case says, part by part; the first case of a function gives all
parts, the next ones those that differ.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from basket.analysis import windows
from basket.analysis.chosen_times import SPLIT_HALVES
from basket.analysis.finding import Evidence, answer
from basket.analysis.questions import QUESTIONS, question_of
from basket.analysis.questions import q01_busiest as q01
from basket.analysis.questions import q02_spending as q02
from basket.analysis.questions import q03_price_ranges as q03
from basket.analysis.questions import q04_departments as q04
from basket.analysis.questions.ad_calendar import ad_calendar
from basket.analysis.questions.goods_by_time import goods_by_daypart, what_sells_when
from basket.analysis.words import hours_in_words, in_dollars, listed, number, per_cent, span
from basket.checks.verify import unexplained
from basket.project.settings import load_settings
from conftest import cut_at, write_settings

SENTENCES = Path(__file__).parent / "answers_times.md"
FINDING = (
    *("kind", "headline", "so_what", "action", "action_basis", "touches", "owner", "confidence"),
    *("rests_on", "figure", "prize", "change_mind"),
)
FIGURE = (
    *("name", "title", "highlight", "subtitle", "so_what", "alt", "x_title", "y_title"),
    *("reference", "first row"),
)
NONE, UNDECIDED = "no practical difference", "undecided"
WHOLE = pd.DataFrame({"what": [""], "found": [0], "of": [9], "share": [0.0], "limit": [0.01]})
ACTIVE = pd.DataFrame({"population": ["active"]})  # a customer, so that there is something to say
NAN = float("nan")


def table(columns: str, *rows: tuple, **same) -> pd.DataFrame:
    """Make a table of these rows; `same` are columns of one value."""
    return pd.DataFrame(rows, columns=columns.split()).assign(**same)


# ---- tables -------------------------------------------------------------------------------------

BUSY = table(
    "period rank names share equal_share tenth_more index_low orders spend share_of_spend reason "
    "level_with stands_out",
    (
        "days",
        "busiest",
        "Saturday and Sunday",
        0.343,
        0.286,
        0.03,
        1.15,
        7_200,
        71.5,
        0.36,
        "",
        "",
        "yes",
    ),
    (
        "days",
        "slowest",
        "Tuesday and Wednesday",
        0.21,
        0.29,
        0.02,
        0.7,
        4_200,
        41.5,
        0.2,
        "",
        "",
        "yes",
    ),
    ("hours", "busiest", "09:00–17:00", 0.66, 0.33, 0.07, 1.9, 13_200, 131.5, 0.67, "", "", "yes"),
    ("hours", "slowest", "23:00–07:00", 0.04, 0.34, 0.004, 0.1, 800, 9.5, 0.03, "", "", "yes"),
    (
        "windows",
        "slowest",
        "20:00–23:00 on all seven days",
        0.074,
        0.13,
        0.0074,
        0.4,
        1_480,
        14.5,
        0.07,
        "",
        "",
        "no",
    ),
)
DAYS = ("Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def busy(period: str = "days", rank: str = "busiest", **changed) -> dict[str, pd.DataFrame]:
    """Give the busiest times with some cells of one row changed."""
    times = BUSY.copy()
    row = (times["period"] == period) & (times["rank"] == rank)
    for name, value in changed.items():
        times.loc[row, name] = value
    return {"busiest_times": times}


def quiet_table(*rows: tuple) -> pd.DataFrame:
    """Make windows, quietest first: day, first hour, orders, index, quiet, edge, reason."""
    found = table("day from_hour orders index is_quiet at_edge reason", *rows)
    names = [DAYS[day] for day in found["day"]]
    last = len(found) - 1
    return found.assign(
        rank=range(1, len(found) + 1),
        day_name=names,
        to_hour=found["from_hour"] + 3,
        window=[span(hour, hour + 3) for hour in found["from_hour"]],
        index_low=found["index"] - 0.05,
        index_high=found["index"] + 0.06,
        difference=abs(1 - found["index"]),
        next_name=[*names[1:], ""],
        ratio_to_next=[*np.linspace(0.93, 0.99, last), NAN],
        ratio_to_next_low=[*np.linspace(0.85, 0.95, last), NAN],
        ratio_to_next_high=[*np.linspace(1.03, 1.08, last), NAN],
        stands_out="no",
    )


EVENINGS = [
    (day, 20, 311 + place, 0.32 + place / 40, "yes", "yes", "")
    for place, day in enumerate((5, 6, 3, 4, 2, 1, 0))
]
TWO_WINDOWS = [(4, 20, 311, 0.5, "yes", "yes", ""), (0, 8, 415, 0.7, "yes", "no", "")]
ONE_DAY = [(3, 12, 311, 0.63, "yes", "no", "")]


def quiet(*rows: tuple, names: str = "20:00–23:00 on all seven days", **changed) -> dict:
    """Give quiet windows and, named by `names`, all of them together."""
    found = quiet_table(*rows).assign(**changed)
    return {"quiet_windows": found} | busy("windows", "slowest", names=names)


def halves(*rows: tuple) -> pd.DataFrame:
    """Make rows of split_halves: topic, group, measure, first half's effect, effect, confirmed."""
    found = table("topic group measure effect_first_half effect confirmed reason", *rows)
    return found.assign(
        question="Q2",
        effect_low=found["effect"] - 0.021,
        effect_high=found["effect"] + 0.032,
        p_value=0.001,
        effective_customers=99.0,
        largest_share=0.01,
        customers_behind=99,
        difference=abs(found["effect"] - 1),
    )[SPLIT_HALVES]


def value_of(
    period: str, name: str, raw: float, within: float, sure=("yes", "yes"), reason=""
) -> list:
    """Rows of the order value at a time, raw and within customers."""
    topic = f"order value by {period}"
    return [
        (topic, name, "order value", 1.5, raw, sure[0], ""),
        (f"{topic}, within customers", name, "order value", 1.6, within, sure[1], reason),
    ]


def spend(*picked: tuple, verdicts=(UNDECIDED, NONE, NONE, "small", NONE), **other) -> dict:
    """Spend of three hours and a day, and what was picked."""
    times = table(
        "period key name spend spend_share orders ties_with_top",
        ("hour", 10, "10:00–11:00", 9_000.0, 0.41, 700, "yes"),
        ("hour", 11, "11:00–12:00", 8_000.0, 0.35, 600, "yes"),
        ("hour", 19, "19:00–20:00", 5_000.0, 0.24, 500, "no"),
        ("day", 1, "Sunday", 6_000.0, 0.42, 400, "yes"),
        ("day", 2, "Monday", 4_000.0, 0.28, 300, "no"),
        verdict=verdicts,
        for_headline=["no", "no", "no", "yes", "no"],
        mean_item_price=[7.8, 7.82, 7.75, 7.8, 7.79],
        **ranges(
            "mean_order_value", (80, 78, 83), (75, 72, 77), (70, 67, 74), (96, 94, 99), (71, 69, 73)
        ),
        **ranges(
            "order_value_ratio",
            (1, 0.98, 1.1),
            (1, 0.9, 1.1),
            (0.9, 0.8, 1),
            (1.2, 1.1, 1.3),
            (0.9, 0.8, 1),
        ),
        **ranges(
            "within",
            (1, 0.97, 1.03),
            (1, 0.9, 1.1),
            (0.9, 0.8, 1),
            (1.07, 1.02, 1.11),
            (0.94, 0.91, 0.98),
        ),
    ).rename(columns={"within": "within_ratio"})
    return {"spend_by_time": times.assign(**other), "split_halves": halves(*picked)}


def ranges(prefix: str, *each: tuple[float, float, float]) -> dict:
    """Columns of an estimate and its interval."""
    return {
        f"{prefix}{end}": [values[place] for values in each]
        for place, end in enumerate(("", "_low", "_high"))
    }


EVENING = ("goods by time: Evening", "Evening", "frozen", 1.3, 1.16, "yes", "")
NIGHT = ("goods by time: Night", "Night", "snacks", 1.6, 1.48, "yes", "")


def goods(*picked: tuple, verdict: str = UNDECIDED, **other) -> dict[str, pd.DataFrame]:
    """Departments by part of the day, and what was picked."""
    sold = table(
        "daypart department lines lift lift_low lift_high reason",
        ("Night", "snacks", 40, 1.5, 1.4, 1.7, ""),
        ("Evening", "frozen", 900, 1.15, 1.1, 1.3, ""),
        ("Morning", "frozen", 800, 1.25, 0.9, 1.6, ""),
        ("Morning", "alcohol", 5, 3.5, 0.2, 9, "too few effective customers"),
        ("Morning", "missing", 6, 3, 2, 4, ""),
        verdict=verdict,
        for_headline="no",
    )
    return {"department_times": sold.assign(**other), "split_halves": halves(*picked)}


PRICES = {
    "departments": pd.DataFrame(
        {
            "population": "active",
            "department": ["meat seafood", "missing", "snacks"],
            "customers": 99,
        }
    ),
    "department_prices": table(
        "department products lines spend lowest_dollars third_dollars two_thirds_dollars "
        "highest_dollars",
        ("all departments", 90, 900, 9_000.5, 1.1, 5.2, 10.3, 24.9),
        ("meat seafood", 40, 400, 7_000.5, 8.1, 15.2, 20.3, 24.9),
        ("missing", 30, 300, 1_500.5, 3.1, 5.5, 9.3, 12.9),
        ("snacks", 20, 200, 500.5, 1.1, 3.2, 5.3, 7.9),
    ),
    "spend_by_price": table(
        "from_dollars share_of_spend", (0, 0.0), (1, 0.128), (2, 0.0), (3, 0.872)
    ),
    "price_bands": table(
        "department price_range share_of_spend",
        ("all departments", "Low-range product", 0.128),
        ("all departments", "Mid-range product", 0.841),
        ("all departments", "High-range product", 0.031),
        ("meat seafood", "Mid-range product", 0.61),
        ("meat seafood", "High-range product", 0.39),
        ("missing", "Mid-range product", 1.0),
        ("snacks", "Low-range product", 0.45),
        ("snacks", "Mid-range product", 0.55),
    ),
}
ONE_PRICE = PRICES["department_prices"].assign(lowest_dollars=5.0, highest_dollars=5.0)


def reach(reason: str = "how many products it has", **changed) -> dict[str, pd.DataFrame]:
    """Four departments, one of them without a name; `changed` columns have a value each."""
    often = "how often its buyers order it"
    found = table(
        "rank department products share_of_products lines spend share reach orders_per_buyer "
        "reach_against_typical reorder_rate main_reason next_name stands_out reason",
        (
            1,
            "produce",
            1_700,
            0.41,
            3_000,
            31.5,
            0.59,
            0.91,
            9.1,
            1.9,
            0.65,
            often,
            "dairy",
            "yes",
            "",
        ),
        (2, "dairy", 900, 0.31, 2_000, 21.5, 0.39, 0.81, 7.3, 1.6, 0.6, often, "bulk", "yes", ""),
        (3, "bulk", 38, 0.0008, 30, 3.5, 0.0061, 0.052, 1.4, 0.42, 0.3, reason, "", "no", ""),
        (4, "missing", 9, 0.0002, 9, 1.5, 0.0018, 0.011, 1.1, 0.2, 0.2, "how", "", "no", ""),
    )
    return {"department_reach": found.assign(**changed)}


NOT_2 = {"stands_out": ["yes", "no", "no", "no"]}
NOT_1 = {"stands_out": ["no", "yes", "no", "no"]}
FEW = "too few effective customers"
SUNDAY = value_of("day", "Sunday", 1.12, 1.07)
HOUR = value_of("hour", "19:00–20:00", 1.2, 1.13)
FINDINGS = {
    "busiest": (q01.busiest, busy()),
    "busiest, days not proven": (
        q01.busiest,
        busy(level_with="Friday and Monday", stands_out="no"),
    ),
    "busiest, hours not proven": (q01.busiest, busy("hours", level_with="17:00–18:00")),
    "busiest, one day": (
        q01.busiest,
        busy(
            names="Tuesday",
            share=1.0,
            equal_share=0.143,
            index_low=NAN,
            reason="nothing to compare",
        ),
    ),
    "busiest, few customers": (q01.busiest, busy(reason=FEW)),
    "quiet": (q01.quiet, quiet(*EVENINGS)),
    "quiet, one day proven": (q01.quiet, quiet(*EVENINGS, stands_out="yes")),
    "quiet, windows differ": (
        q01.quiet,
        quiet(*TWO_WINDOWS, names="08:00–11:00 on Saturday; 20:00–23:00 on Wednesday"),
    ),
    "quiet, one of two": (
        q01.quiet,
        quiet(
            (3, 12, 40, 0.6, "yes", "no", ""),
            (2, 7, 50, 0.5, "no", "yes", ""),
            names="12:00–15:00 on Tuesday",
        ),
    ),
    "quiet, in the morning": (
        q01.quiet,
        quiet(
            (1, 7, 40, 0.4, "yes", "yes", ""),
            (2, 7, 50, 0.5, "yes", "yes", ""),
            names="07:00–10:00 on Sunday and Monday",
        ),
    ),
    "quiet, one day": (q01.quiet, quiet(*ONE_DAY, names="12:00–15:00 on Tuesday")),
    "quiet, not proven": (
        q01.quiet,
        quiet(
            (1, 12, 40, 0.9, "no", "no", ""),
            (2, 12, 50, 1.2, "no", "no", ""),
            names="12:00–15:00 on Sunday and Monday",
        ),
    ),
    "quiet, more than the average": (
        q01.quiet,
        quiet(
            (1, 12, 40, 1.1, "no", "no", ""),
            (2, 12, 50, 1.3, "no", "no", ""),
            names="12:00–15:00 on Sunday and Monday",
        ),
    ),
    "quiet, few customers": (
        q01.quiet,
        quiet(
            (1, 12, 40, 0.4, "no", "no", FEW),
            (2, 12, 50, 0.5, "yes", "no", ""),
            names="12:00–15:00 on Monday",
        ),
    ),
    "quiet, no order": (
        q01.quiet,
        quiet(
            (1, 12, 0, 0.0, "no", "no", "nothing to compare"),
            (2, 12, 50, 0.5, "yes", "no", ""),
            names="12:00–15:00 on Monday",
        ),
    ),
    "spending, a day of large baskets": (q02.spending, spend(*SUNDAY, *HOUR)),
    "spending, a day of small baskets": (q02.spending, spend(*value_of("day", "Sunday", 0.8, 0.9))),
    "spending, an hour of large baskets": (
        q02.spending,
        spend(*value_of("day", "Sunday", 1.12, 1.02, ("yes", "no")), *HOUR),
    ),
    "spending, other customers": (q02.spending, spend(*value_of("day", "Sunday", 1.12, 1.04))),
    "spending, other customers alone": (
        q02.spending,
        spend(*value_of("day", "Sunday", 1.12, 0.98, ("yes", "no"))),
    ),
    "spending, other customers, smaller": (
        q02.spending,
        spend(*value_of("hour", "19:00–20:00", 0.88, 0.97)),
    ),
    "spending, within unknown": (
        q02.spending,
        spend(*value_of("day", "Sunday", 1.12, 1.3, ("yes", "no"), FEW)),
    ),
    "spending, nothing confirmed": (
        q02.spending,
        spend(*value_of("day", "Sunday", 1.12, 1.04, ("no", "no"))),
    ),
    "spending, nothing picked": (q02.spending, spend()),
    "spending, all the same": (q02.spending, spend(verdicts=(NONE,) * 5)),
    "spending, one hour": (q02.spending, spend(ties_with_top=["yes", "no", "no", "yes", "no"])),
    "spending, two spans": (q02.spending, spend(ties_with_top=["yes", "no", "yes", "yes", "no"])),
    "spending, all in one hour": (
        q02.spending,
        spend(spend=[9_000.0, 0, 0, 6_000.0, 4_000.0], ties_with_top=["yes", *["no"] * 4]),
    ),
    "spending, no hour ahead": (q02.spending, spend(ties_with_top="yes")),
    "goods by time": (what_sells_when, goods(EVENING)),
    "goods by time, two": (what_sells_when, goods(EVENING, NIGHT)),
    "goods by time, one of two confirmed": (
        what_sells_when,
        goods((*NIGHT[:5], "no", ""), EVENING),
    ),
    "goods by time, not confirmed": (what_sells_when, goods((*NIGHT[:5], "no", ""))),
    "goods by time, few on the other half": (what_sells_when, goods((*NIGHT[:5], "no", FEW))),
    "goods by time, nothing picked": (what_sells_when, goods()),
    "goods by time, all the same": (what_sells_when, goods(verdict=NONE)),
    "price ranges": (q03.price_ranges, PRICES),
    "price ranges, one department": (
        q03.price_ranges,
        PRICES | {"department_prices": PRICES["department_prices"].iloc[:2]},
    ),
    "price ranges, one price": (q03.price_ranges, PRICES | {"department_prices": ONE_PRICE}),
    "popular departments": (q04.popular_departments, reach()),
    "popular departments, second not proven": (q04.popular_departments, reach(**NOT_2)),
    "popular departments, first not proven": (q04.popular_departments, reach(**NOT_1)),
    "popular departments, two": (
        q04.popular_departments,
        {
            "department_reach": reach()["department_reach"]
            .iloc[[0, 1]]
            .assign(next_name=["dairy", ""], stands_out=["yes", "no"])
        },
    ),
    "popular departments, few customers": (
        q04.popular_departments,
        reach(**NOT_1)
        | {"department_reach": reach(**NOT_1)["department_reach"].assign(reason=FEW)},
    ),
    **{
        f"small departments, {reason}": (q04.small_departments, reach(reason))
        for reason, _ in q04.REASONS.values()
    },
    "small departments, not proven": (
        q04.small_departments,
        reach("how many customers buy it", **NOT_2),
    ),
}


WITH_ORDERS = [(1, 8, 9, 0.5, "yes", "no", ""), (0, 20, 9, 0.6, "yes", "yes", "")]
ORDERS = table(
    "day hour orders", (0, 10, 70), (1, 8, 3), (1, 10, 5), (1, 11, 95), population="active"
)
BY_VALUE = {"for_headline": ["no", "yes", "no", "no", "no"]}
FIGURES = {
    "heat map": (q01.heat_map, quiet(*WITH_ORDERS) | {"orders_by_day_hour": ORDERS}),
    "heat map, one day": (
        q01.heat_map,
        quiet((1, 12, 311, 0.93, "no", "no", ""))
        | {"orders_by_day_hour": ORDERS.tail(1), **busy(names="Sunday", share=1.0)},
    ),
    "spend by hour": (q02.spend_by_hour, spend()),
    "spend by hour, as the orders": (q02.spend_by_hour, spend(orders=[410, 350, 240, 4, 3])),
    "spend by hour, proven to differ": (
        q02.spend_by_hour,
        spend(**BY_VALUE, orders=[410, 350, 240, 4, 3]),
    ),
    "spend by hour, the same": (q02.spend_by_hour, spend(verdicts=(NONE,) * 5)),
    "value by hour, undecided": (q02.value_by_hour, spend()),
    "value by hour, different": (
        q02.value_by_hour,
        spend(**BY_VALUE, order_value_ratio=[1, 1.2, 0.9, 1.2, 0.9]),
    ),
    "value by hour, smaller": (q02.value_by_hour, spend(for_headline=[*["no"] * 2, *["yes"] * 3])),
    "value by hour, the same": (q02.value_by_hour, spend(verdicts=(NONE,) * 5)),
    "value by day": (q02.value_by_day, spend()),
    "value by day, the same": (
        q02.value_by_day,
        spend(within_ratio=1.01, within_low=0.98, within_high=1.04),
    ),
    "goods by daypart": (goods_by_daypart, goods(EVENING)),
    "goods by daypart, nothing confirmed": (goods_by_daypart, goods(verdict="large")),
    "goods by daypart, proven and not confirmed": (
        goods_by_daypart,
        goods(for_headline=["yes", *["no"] * 4]),
    ),
    "prices and cuts": (q03.prices_and_cuts, PRICES),
    "department shares": (q04.shares, reach()),
    "reach and orders": (q04.reach_and_orders, reach()),
}


def parts_of(case: str, settings) -> dict[str, str]:
    """All that a finding or a figure says, part by part."""
    function, tables = (FINDINGS | FIGURES)[case]
    if case in FINDINGS:
        found, _ = answer(function, {"habits": ACTIVE, "completeness": WHOLE} | tables, settings)
        said = {part: asdict(found)[part] for part in FINDING}
        said["touches"] = "; ".join(
            ", ".join(f"{name} {value}" for name, value in touch.items() if value)
            for touch in said["touches"]
        )
        said["rests_on"] = ", ".join(said["rests_on"])
        prize = said["prize"] or {}
        said["prize"] = ", ".join(f"{value}" for value in prize.values() if value not in (None, ""))
        return {part: value or "(nothing)" for part, value in said.items()}
    made = function(tables, settings)
    low_and_high = (made.intervals or {}).get(made.series[0], [])
    columns = dict.fromkeys([made.x, *made.series, *low_and_high])
    first = ", ".join(f"{name} {made.data[name].iloc[0]}" for name in columns)
    said = {part: getattr(made, part) for part in FIGURE[:-1]} | {"first row": first}
    return {part: f"{value}" for part, value in said.items()}


def sentences() -> dict[str, dict[str, str]]:
    """Read what answers_times.md says in each case, part by part."""
    blocks = SENTENCES.read_text(encoding="utf-8").split("\n## ")[1:]
    return {
        name: dict(line[2:].split(": ", 1) for line in said.splitlines() if line.startswith("- "))
        for name, _, said in (block.partition("\n") for block in blocks)
    }


@pytest.mark.parametrize("case", [*FINDINGS, *FIGURES])
def test_each_case_says_what_answers_times_md_says(case, settings):
    """A case that follows another of its function gives only the parts that differ from that."""
    cases = FINDINGS | FIGURES
    first = next(name for name, (other, _) in cases.items() if other is cases[case][0])
    assert parts_of(case, settings) == sentences()[first] | sentences()[case]


def test_no_sentence_is_left_over_and_none_shows_what_a_program_would():
    assert set(sentences()) == {*FINDINGS, *FIGURES}
    text = SENTENCES.read_text(encoding="utf-8")
    for word in (
        "nan",
        "NaN",
        "inf ",
        "dtype",
        "_group",
        "can add",
        "anyway",
        "would change",
        "ever ",
    ):
        assert word not in text, word


@pytest.mark.parametrize("case", FINDINGS)
def test_every_number_of_a_sentence_is_a_cell(case, settings):
    function, tables = FINDINGS[case]
    found, seen = answer(function, {"habits": ACTIVE, "completeness": WHOLE} | tables, settings)
    for said in (found.headline, found.so_what, found.action, found.prize and found.prize.what_if):
        assert unexplained(said or "", seen.numbers) == []
    assert not any(pd.isna(number["value"]) for number in seen.numbers.values())


def test_no_action_touches_with_one_sign_what_another_touches_with_the_other(settings):
    touched = {}
    for case, (function, tables) in FINDINGS.items():
        found, _ = answer(function, {"habits": ACTIVE, "completeness": WHOLE} | tables, settings)
        for touch in found.touches:
            touched.setdefault(touch.direction, []).append(case)
        assert bool(found.touches) == (found.action_basis == "hypothesis"), case
        assert found.action.startswith("Try ") == (found.action_basis == "hypothesis"), case
        assert found.action.startswith("No action") == (found.action_basis == "none"), case
    assert set(touched) == {"more"}


# ---- what cannot be said ------------------------------------------------------------------------

NOTHING_PRICED = "no order line of an active customer has a price"
UNNAMED = "no order line belongs to a department with a name"
GOODS = goods()["department_times"]
NO_ANSWER = {
    "no waking order": (
        q01.quiet,
        {"quiet_windows": quiet_table(*EVENINGS).head(0)},
        "no order of an active customer falls into waking hours",
    ),
    "no price, by time": (q02.spending, spend(spend=0.0), NOTHING_PRICED),
    "no price": (
        q03.price_ranges,
        {name: table.head(0) for name, table in PRICES.items()},
        NOTHING_PRICED,
    ),
    "no named department": (
        what_sells_when,
        goods() | {"department_times": GOODS.tail(1)},
        UNNAMED,
    ),
    "one department by time": (
        what_sells_when,
        goods() | {"department_times": GOODS.iloc[[1, 2]]},
        "only one department has order lines",
    ),
    "one part of the day": (
        what_sells_when,
        goods() | {"department_times": GOODS.iloc[[2, 3]]},
        "all orders fall into one part of the day",
    ),
    "one department": (
        q04.popular_departments,
        {"department_reach": reach()["department_reach"].iloc[[0, 3]]},
        "only one department with a name has order lines",
    ),
    "one small department": (
        q04.small_departments,
        {"department_reach": reach()["department_reach"].head(1)},
        "only one department with a name has order lines",
    ),
    "no small department": (
        q04.small_departments,
        {"department_reach": reach()["department_reach"].tail(1)},
        UNNAMED,
    ),
}


@pytest.mark.parametrize("case", NO_ANSWER)
def test_where_there_is_no_answer_the_true_reason_is_given(case, settings):
    function, tables, reason = NO_ANSWER[case]
    found, seen = answer(function, {"habits": ACTIVE, "completeness": WHOLE} | tables, settings)
    assert found.headline == f"Not answered: {reason}"
    assert (found.kind, found.confidence, found.touches) == ("not answered", "low", ())
    assert seen.numbers == {}


def test_where_nobody_is_active_nothing_is_said(settings):
    found, _ = answer(
        q01.busiest,
        {"habits": ACTIVE.assign(population="all"), "completeness": WHOLE} | busy(),
        settings,
    )
    assert found.headline == "Not answered: no customer has enough orders to count as active"


@pytest.mark.parametrize("case", [*FINDINGS, *FIGURES])
def test_a_misspelt_column_stops_the_run(case, settings):
    """A column that is not there is a mistake of ours and never a statement about the data."""
    function, tables = (FINDINGS | FIGURES)[case]
    tables = {"habits": ACTIVE, "completeness": WHOLE} | tables

    class Noted(dict):
        def __getitem__(self, name):
            read.add(name)
            return super().__getitem__(name)

    def make(given):
        return answer(function, given, settings) if case in FINDINGS else function(given, settings)

    read: set[str] = set()
    make(Noted(tables))
    for name in read:
        misspelt = tables[name].rename(columns=lambda column: f"{column}s")
        with pytest.raises((AttributeError, LookupError)):
            make(tables | {name: misspelt})


def test_days_may_be_called_as_sentences_go(settings):
    names = ["Rest and sun", "Off, on rota", *settings.day_names[2:]]
    settings = settings.model_copy(update={"day_names": names})
    found = q01.busiest(Evidence(busy(names=names[0], equal_share=1 / 7)), settings)
    assert "(one of seven days would be 14.3%)" in found.headline
    rows = quiet_table(*TWO_WINDOWS[:1]).assign(day_name=names[1])
    given = quiet(*TWO_WINDOWS[:1], names=f"20:00–23:00 on {names[1]}") | {"quiet_windows": rows}
    assert q01.quiet(Evidence(given), settings).headline.startswith(
        "Orders thin out in the evening: 20:00–23:00 is the quietest waking window on Off, on rota,"
    )


@pytest.mark.parametrize(
    ("is_quiet", "ratio", "said"),
    [
        ("yes", 0.9, "Sunday's is the quietest of these windows: Sunday's has 90%"),
        (
            "no",
            0.9,
            "Which is the quietest is not proven: Sunday's has 90%",
        ),  # another day's window is quiet
        (
            "yes",
            1.1,
            "Which is the quietest is not proven: Sunday's has 110%",
        ),  # the other half says so
    ],
)
def test_the_quietest_day_is_one_that_is_quiet(settings, is_quiet, ratio, said):
    windows = [(1, 20, 9, 0.5, is_quiet, "yes", ""), (2, 20, 9, 0.6, "yes", "yes", "")]
    rows = quiet_table(*windows).assign(stands_out=["yes", "no"])
    rows["ratio_to_next"] = [ratio, NAN]
    given = quiet(*windows, names="20:00–23:00 on Monday") | {"quiet_windows": rows}
    assert said in q01.quiet(Evidence(given), settings).so_what


def test_nothing_is_said_of_a_next_day_without_orders(settings):
    given = quiet(*TWO_WINDOWS, names="a", ratio_to_next=NAN, ratio_to_next_high=NAN)
    said = q01.quiet(Evidence(given), settings).so_what
    assert "of the orders of the next" not in said and "nan" not in said


def test_cuts_of_price_are_drawn_as_settings_have_them(tmp_path):
    settings = load_settings(write_settings(tmp_path / "s.yml", cut_at("price_range", 1.5, 2)))
    cuts = q03.prices_and_cuts(PRICES, settings).cuts
    assert [said for _, said in cuts if "simple" in said] == ["simple cut $1.50", "simple cut $2"]


def test_a_department_may_be_called_as_the_sentence_goes(settings):
    prices = PRICES["department_prices"].replace("meat seafood", "meat and more")
    found = q03.price_ranges(Evidence(PRICES | {"department_prices": prices}), settings)
    assert found.so_what.startswith(
        "A third of the order lines of meat and more cost more than $20.30, of snacks more than "
    )


# ---- the ad calendar, and words ------------------------------------------------------------------


def test_hours_of_most_spend_are_named_without_a_hole_where_as_much_is_spent():
    hours = table(
        "key spend ties_with_top",
        *((9, 5.0, "yes"), (10, 6.0, "no"), (11, 9.0, "yes"), (12, 4.0, "no"), (13, 5.5, "yes")),
        (20, 7.0, "no"),
    )
    assert sorted(q02._most(hours)) == [9, 10, 11, 13]


def test_the_calendar_offers_only_what_is_confirmed_for_the_part_of_the_day(settings):
    tables = quiet(*TWO_WINDOWS) | {"split_halves": halves(EVENING, NIGHT)}
    calendar = ad_calendar(tables, settings).set_index("day_name")
    assert calendar["window"].to_dict() == {"Saturday": "08:00–11:00", "Wednesday": "20:00–23:00"}
    assert calendar["orders"].to_dict() == {"Saturday": 415, "Wednesday": 311}
    assert calendar["index"].to_dict() == {"Saturday": 0.7, "Wednesday": 0.5}
    assert calendar["offer"].to_dict() == {
        "Saturday": "no particular department",
        "Wednesday": "frozen",
    }
    assert calendar["offer_reason"].to_dict() == {
        "Saturday": "none is confirmed to sell more in this part of the day",
        "Wednesday": "confirmed to sell more in this part of the day",
    }
    not_sure = tables | {"split_halves": halves((*EVENING[:5], "no", ""))}
    assert set(ad_calendar(not_sure, settings)["offer"]) == {"no particular department"}


def test_a_window_across_two_parts_of_the_day_has_no_offer(settings):
    across = quiet((0, 16, 9, 0.5, "yes", "no", "")) | {"split_halves": halves(EVENING)}
    assert list(ad_calendar(across, settings)["offer"]) == ["no particular department"]


def test_the_calendar_leaves_out_windows_that_are_not_proven_to_be_quiet(settings):
    rows = (0, 20, 9, 0.5, "no", "yes", ""), (1, 20, 9, 0.5, "no", "yes", FEW), EVENINGS[0]
    calendar = ad_calendar(quiet(*rows) | {"split_halves": halves()}, settings)
    assert list(calendar["day_name"]) == ["Thursday"]
    empty = ad_calendar(quiet(*rows[:2]) | {"split_halves": halves()}, settings)
    assert empty.empty
    assert list(empty.columns) == list(calendar.columns)


def test_the_calendar_and_the_finding_name_the_same_days(settings):
    tables = quiet(*EVENINGS, *TWO_WINDOWS[:0]) | {"split_halves": halves(EVENING)}
    found = q01.quiet(Evidence(tables), settings)
    assert {touch.day for touch in found.touches} == set(ad_calendar(tables, settings)["day_name"])


def test_words():
    assert (span(9, 17), span(20, 24)) == ("09:00–17:00", "20:00–24:00")
    assert hours_in_words([9, 10, 11]) == "09:00–12:00"
    assert hours_in_words([23, 0, 1]) == "23:00–02:00"
    assert hours_in_words([22, 23]) == "22:00–24:00"
    assert hours_in_words([10, 13, 14]) == "10:00–11:00 and 13:00–15:00"
    assert hours_in_words(range(24)) == "00:00–24:00"
    assert [listed(list("abc")[:size]) for size in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
    assert (number(7), number(1_200)) == ("seven", "1,200")


@pytest.mark.parametrize(
    ("share", "said"),
    [
        *((0.02, "2%"), (0.015, "1.5%"), (0.025, "2.5%"), (0.995, "99.5%"), (0.005, "0.5%")),
        *((0.07, "7%"), (0, "0%"), (1, "100%"), (12, "1,200%"), (1e-9, "0.0000001%")),
        *((10**12, "100,000,000,000,000%"), (1.05 - 1, "5%"), (0.0123456, "1.23456%")),
    ],
)
def test_a_share_of_settings_is_said_as_it_is_and_verified_so(share, said):
    assert per_cent(share) == said
    numbers = {"share": {"value": share, "where": {}}}
    assert unexplained(f"{said} more orders", numbers) == []
    assert unexplained(f"{said[:-1]}1% more orders", numbers) == [f"{said[:-1]}1"]


@pytest.mark.parametrize(
    ("amount", "said"),
    [(5, "$5"), (7.5, "$7.50"), (4.99, "$4.99"), (4.995, "$4.995"), (5e4, "$50,000")],
)
def test_dollars_of_settings_are_said_as_they_are(amount, said):
    assert in_dollars(amount) == said


def test_windows_of_the_same_hours_are_named_together(settings):
    some = quiet_table(EVENINGS[1], EVENINGS[4], (1, 8, 9, 0.5, "yes", "no", ""))
    named = windows.windows_in_words(some, settings)
    assert named == "08:00–11:00 on Sunday; 20:00–23:00 on Monday and Friday"
    every = windows.windows_in_words(quiet_table(*EVENINGS), settings)
    assert every == "20:00–23:00 on all seven days"


def test_each_function_belongs_to_its_question():
    functions = [function for function, _ in (FINDINGS | FIGURES).values()]
    assert {question_of(function).id for function in functions} == {"Q1", "Q2", "Q3", "Q4"}
    assert all(QUESTIONS[question_of(each).id] == question_of(each) for each in functions)
