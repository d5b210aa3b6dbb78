"""The explorer: what is drawn, what is withheld, and what stays text."""

import re
from itertools import pairwise, product
from pathlib import Path

import pandas as pd
import pytest

from basket.project.folders import Folders
from basket.project.settings import Settings
from basket.report.pages import explorer
from basket.report.pages.explorer import write_explorer
from basket.report.pages.interval_chart import (
    MOST,
    PLOT,
    WIDTH,
    Chart,
    Row,
    as_change,
    bars,
    row_of,
)
from basket.report.pages.page import settings_of_run
from notebook_maker import write_run
from test_pages import Elements

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202egnorts si ti\u202c",
    "one\nline\x00and </svg><style>*{}",
    "a" * 300,
)
REGIONS = {"Northeast": 5, "Midwest": 60, "South": 70, "West": 80}
LEVELS = ("spend", "mean_order_value", "mean_lines_per_order", "mean_item_price")
LEVELS += ("median_days_between_orders", "reorder_rate")
HIDDEN = ("Northeast", "Midwest")  # the first is too small; without the second, it would follow
SECRET = 123456.78  # a level of theirs


def comparison(group: str, measure: str, ratio: tuple, **other) -> dict:
    """Make a row of tests or department_lifts: a region beside the others."""
    low, at, high = ratio
    plain = {"question": "Q7", "population": "active", "grouping": "region", "group_b": "others"}
    plain |= {"effect_name": "ratio", "effect": at, "effect_low": low, "effect_high": high}
    plain |= {"group_a": group, "measure": measure, "n": REGIONS[group], "adjusted_for": None}
    return plain | {"reason": None, "verdict": "undecided", "for_headline": "no"} | other


def write_tables(folder: Path, departments: tuple = HOSTILE_NAMES, synthetic: str = "no"):
    """Write what the explorer reads: regions, one of them too small to show, and departments."""
    folders = write_run(folder, synthetic)
    habits = pd.DataFrame(
        {"population": "active", "grouping": "region", "group": list(REGIONS)}
        | {name: list(REGIONS.values()) for name in ("customers", "orders", "lines")}
        | {name: [SECRET, SECRET, 11.0, 12.0] for name in LEVELS}
    )
    tests = [
        comparison("Northeast", "mean_order_value", (0.123, 0.456, 0.789)),
        comparison("Midwest", "mean_order_value", (0.123, 0.456, 0.789)),
        comparison(
            "South", "mean_order_value", (1.1, 1.2, 1.3), verdict="medium", for_headline="yes"
        ),
        comparison("South", "mean_item_price", (1.1, 1.2, 1.3), verdict="medium"),
        comparison("West", "mean_item_price", (1.01, 1.2, 1.3), for_headline="yes"),
        comparison(
            "West", "mean_order_value", (0.5, 1.5, 3e9), reason="too few effective customers"
        ),
        comparison("West", "mean_order_value", (0.1, 0.2, 0.3), adjusted_for="income"),
        comparison("West", "mean_lines_per_order", (0.8, 0.9, 1.1)),  # hidden: by its level alone
        comparison("Midwest", "orders in the evening", (0.123, 0.456, 0.789)),  # by its ratio alone
        comparison(
            "South", "orders in the evening", (0.97, 1.0, 1.02), verdict="no practical difference"
        ),
    ]
    mix = [
        {"population": "active", "grouping": "region", "group": group, "department": department}
        | {"lines": 100, "share": 0.25, "lift": 1.0}
        for group, department in product(REGIONS, departments)
    ]
    lifts = [
        comparison(group, department, (0.8, 0.9, 1.1))
        for group, department in product(REGIONS, departments)
        if group not in HIDDEN or department == departments[0]  # the others: by their shares alone
    ]
    times = [
        {"population": "active", "daypart": "Night", "department": department, "lines": 9}
        | {"share": 0.1, "lift": 1.5, "lift_low": 1.2, "lift_high": 2.5}
        | {"reason": None, "verdict": "large", "for_headline": "yes"}
        for department in departments
    ]
    for name, rows in {
        "habits": habits,
        "tests": pd.DataFrame(tests),
        "department_mix": pd.DataFrame(mix),
        "department_lifts": pd.DataFrame(lifts),
        "department_times": pd.DataFrame(times),
    }.items():
        rows.to_csv(folders.tables / f"{name}.csv", index=False, lineterminator="\n")
    return folders


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Give the settings of the checkout."""
    return settings_of_run()


@pytest.fixture(scope="module")
def page(tmp_path_factory, settings) -> Path:
    """Give the explorer of a store whose departments have hostile names."""
    return write_explorer(write_tables(tmp_path_factory.mktemp("run")), settings)


@pytest.fixture(scope="module")
def text(page) -> str:
    """Give its text."""
    return page.read_text(encoding="utf-8")


def chart(text: str, title: str) -> str:
    """Cut one chart out of the page, by its title."""
    return text.partition(f"<figcaption>{title}</figcaption>")[2].partition("</figure>")[0]


def test_the_confidence_is_said_as_it_is(tmp_path, settings):
    statistics = settings.statistics.model_copy(update={"confidence": 0.995})
    changed = settings.model_copy(update={"statistics": statistics})
    said = write_explorer(write_tables(tmp_path), changed).read_text(encoding="utf-8")
    assert "its line the 99.5% interval" in said


def test_levels_intervals_and_verdicts_stand_beside_each_group(text):
    shown = chart(text, "Habits: Dollars an order, by region")
    assert re.findall(r"<text[^>]*>([^<]*)</text>", shown)[-10:] == [
        *("Northeast", "suppressed", "Midwest", "suppressed"),
        *("South", "$11.00 · +20% (+10% to +30%)", "higher: medium"),
        *("West", "$12.00 · 1.50 times (0.50 to over 8)", "undecided: few customers"),
    ]
    assert "South: $11.00 · +20% (+10% to +30%) (higher: medium); West:" in shown
    shown = chart(text, "Habits: Dollars an item, by region")
    assert "South: $11.00 · +20% (+10% to +30%) (undecided: likely medium)" in shown
    assert "West: $12.00 · +20% (+1% to +30%) (higher)" in shown
    shown = chart(text, "Orders: In the evening, by region")
    assert "South: 0% (−3% to +2%) (no practical difference)" in shown


def test_a_group_too_small_to_show_is_named_and_nothing_else(text):
    """Neither its level, nor its comparisons, nor its share of any department."""
    assert not re.search("123,?456", text)
    assert "0.46" not in text and "−54%" not in text
    titles = re.findall("<figcaption>(.*, by region)</figcaption>", text)
    assert len(titles) == 4 + len(HOSTILE_NAMES)
    for title, group in product(titles, HIDDEN):
        shown = chart(text, title)
        (level,) = re.findall(rf">{group}</text><text[^>]*>([^<]*)<", shown)
        (said,) = re.findall(rf"{group}: ([^;]*);", shown)
        assert {level, said} <= {"suppressed", "", " (not compared)"}, title


def test_a_comparison_at_equal_income_is_not_taken_for_the_plain_one(text):
    assert "−80%" not in text


def test_hostile_names_stay_text(page, text):
    """No element, attribute or rule comes of them; a long one is cut, a line break is a space."""
    elements = Elements(page)
    tags = {tag for tag, _ in elements.found}
    assert not tags & {"script", "img", "style2", "iframe", "foreignObject", "a:href"}
    assert len(elements.all("style")) == 1
    for tag, attributes in elements.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag
    assert ">&lt;script&gt;alert(1)&lt;/script&gt;</text>" in text
    assert "&#34;&gt;&lt;img src=x onerror=alert(1)&gt;" in text
    assert "one line\ufffdand &lt;/svg&gt;&lt;style&gt;*{}" in text
    assert f">{'a' * 39}…</text>" in text
    assert "a" * 41 not in text
    assert text.count("<svg") == text.count("</svg>") > 5


def test_the_policy_is_that_of_all_pages_and_the_style_has_no_name_of_the_data(page, text):
    (policy,) = [meta["content"] for meta in Elements(page).all("meta") if "http-equiv" in meta]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; img-src data:; "
        r"base-uri 'none'; form-action 'none'",
        policy,
    )
    assert "alert" not in text[text.index("<style>") : text.index("</style>")]


def test_every_choice_has_a_label_and_a_rule_and_one_is_checked(page, text):
    """Radio buttons of one name, the first checked: arrow keys move between them."""
    radios = [one for one in Elements(page).all("input") if one["type"] == "radio"]
    assert len({one["id"] for one in radios}) == len(radios) > 8
    for name in {one["name"] for one in radios}:
        group = [one for one in radios if one["name"] == name]
        assert [one["id"] for one in group if "checked" in one] == [group[0]["id"]]
    for one in radios:
        block, choice = one["id"].split("-")
        assert f"#{block}:has(#{one['id']}:checked) .{choice}" in text
        assert f'class="chart {choice}"' in text or f'class="choice {choice}"' in text
    assert len(re.findall(r"<label><input [^>]*> [^<]+</label>", text)) == len(radios)


def test_the_same_tables_give_the_same_bytes_wherever_they_are(tmp_path, settings):
    one, other = (
        write_explorer(write_tables(tmp_path / name), settings).read_bytes()
        for name in ("one", "a/second")
    )
    assert one == other


def test_a_run_without_tables_has_a_page_that_says_so(tmp_path, settings):
    page = write_explorer(Folders(tmp_path), settings)
    assert "This data compares nothing yet." in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("ends", [(0.9, 0.8, 1.2), (1e-12, 0.0, 1e12), (5.0, 4.0, 300.0)])
def test_nothing_is_drawn_outside_the_plot(ends):
    drawn = Chart("x", [Row("a", "", ends)], 1.05)
    places = [drawn.x(end) for end in (*ends, drawn.band, 1 / drawn.band)]
    assert all(0 < place < PLOT < WIDTH for place in places)
    assert drawn.x(1) == pytest.approx(PLOT / 2)
    assert drawn.ticks == sorted(drawn.ticks)
    assert all(later[0] - one[0] >= 42 for one, later in pairwise(drawn.ticks))


@pytest.mark.parametrize(
    ("ratio", "change"), [(1.0, "0%"), (1.004, "0%"), (0.5, "−50%"), (1.499, "+50%")]
)
def test_a_ratio_is_written_as_a_change(ratio, change):
    assert as_change(ratio) == change


@pytest.mark.parametrize(
    ("ratio", "verdict", "reason", "level", "said", "is_sure"),
    [
        ((1.2, 1.1, 1.3), "small", "", "+20% (+10% to +30%)", "higher: small", True),
        ((0.8, 0.7, 0.9), "small", "", "−20% (−30% to −10%)", "lower: small", True),
        ((0.8, 0.7, 0.99), "proven", "", "−20% (−30% to −1%)", "lower", True),
        ((0.8, 0.7, 0.9), "undecided", "", "−20% (−30% to −10%)", "undecided", False),
        (
            (1.2, 0.1, 20.0),
            "undecided",
            "",
            "1.20 times (under 0.12 to over 8)",
            "undecided",
            False,
        ),
        ((None, None, None), "undecided", "nothing to compare", "", "undecided: too little", False),
        (("suppressed",) * 3, "suppressed", "", "suppressed", "", False),
    ],
)
def test_a_row_says_what_its_cells_say(ratio, verdict, reason, level, said, is_sure):
    row = row_of("a", "", ratio, verdict, reason)
    assert (row.level, row.verdict, row.is_sure) == (level, said, is_sure)
    assert MOST == 8


@pytest.mark.parametrize(
    ("row", "verdict", "reason"),
    [
        ({"verdict": "large", "for_headline": "yes", "reason": ""}, "large", ""),
        ({"verdict": "large", "for_headline": "no", "reason": ""}, "undecided", "likely large"),
        ({"verdict": "undecided", "for_headline": "no", "reason": None}, "undecided", ""),
        ({"verdict": "undecided", "for_headline": "yes", "reason": ""}, "proven", ""),
        ({"verdict": "undecided", "for_headline": "no", "reason": "few"}, "undecided", "few"),
        ({}, "", ""),
    ],
)
def test_what_is_sized_but_not_proven_is_called_likely(row, verdict, reason):
    assert (explorer._verdict(row), explorer._reason(row)) == (verdict, reason)


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((1.0, 0.95, 1.1), ["−20%", "0%", "+20%"]),
        ((1.0, 0.95, 1.4), ["−20%", "0%", "+20%"]),
        ((1.0, 0.9, 1.6), ["−25%", "0%", "+50%"]),
        ((1.2, 0.5, 2.1), ["−50%", "0%", "2 times"]),
        ((1.2, 0.05, 90), ["−75%", "0%", "4 times"]),
    ],
)
def test_ticks_of_an_axis_are_round_and_have_room(ends, words):
    drawn = Chart("x", [Row("a", "", ends), Row("b")])
    places = [place for place, _ in drawn.ticks]
    assert [text for _, text in drawn.ticks] == words
    assert all(after - before >= 42 for before, after in pairwise(places))
    assert {text: place for place, text in drawn.ticks}["0%"] == pytest.approx(PLOT / 2)
    assert drawn.x(2) - drawn.x(1) == pytest.approx(drawn.x(1) - drawn.x(0.5), abs=0.2)


def test_bars_of_counts_are_shares_of_the_longest():
    drawn = bars("Orders", ["a", "b", "c"], [10, 40, None], "{:,.0f}")
    assert [row.bar for row in drawn.rows] == [0.25, 1, None]
    assert [row.level for row in drawn.rows] == ["10", "40", "N/A"]
    assert drawn.alt == "Orders. a: 10; b: 40; c: N/A"
    assert not drawn.compares
    compared = Chart("x", [Row("a", "7", (1, 0.9, 1.1), "alike")])
    assert compared.compares and compared.alt == "x. a: 7 (alike)"
    assert compared.height > bars("x", ["a"], [1], "{}").height > 0
    assert bars("x", [], [], "{}").height == 0
