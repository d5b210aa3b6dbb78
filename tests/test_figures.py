"""Figures as images: what the title names is marked, and nothing that is written is cut off."""

import io
import math
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from basket.analysis import figure
from basket.analysis.finding import TooLittleData
from basket.project.folders import ROOT
from basket.project.settings import load_settings
from basket.report import draw
from basket.report.colours import RAMPS, ink_of_named, ramp
from workbook_rules import contrast

SETTINGS = load_settings(ROOT / "settings.yml")
PALETTE = SETTINGS.palette
NAMES = ["produce", "dairy eggs", "bulk", "a department whose name is as long as names can be"]
SAID = {
    "name": "sample",
    "title": "Bulk is bought by few customers",
    "subtitle": "Share of customers who have a department in their orders, active customers, with "
    "95 % intervals; grey: too small to matter",
    "alt": "Departments by the share of customers who have them.",
    "sources": ("department_reach", "busiest_times"),
    "x_title": "Department",
    "y_title": "Share of customers",
    "so_what": "Nothing follows.",
}
ROWS = pd.DataFrame(
    {
        "department": NAMES,
        "share": [0.9, 0.5, 0.025, 0.1],
        "share_low": [0.8, 0.45, 0.02, 0.07],
        "share_high": [0.95, 0.55, 0.03, 0.2],
        "other": [0.3, 0.2, 0.1, 0.5],
        "panel": ["first", "second", "first", "second"],
        "orders_per_buyer": [14.2, 9.1, 1.3, 2.0],
    }
)
CELLS = pd.DataFrame(
    [("Night", name, 0.5 + number / 2, number % 2 == 1) for number, name in enumerate(NAMES)]
    + [("Morning", name, 1.0, name != "bulk") for name in NAMES],
    columns=["daypart", "department", "lift", "is_undecided"],
)
HOURS = pd.DataFrame(
    [(day, hour, hour) for day in ("Sunday", "Monday") for hour in range(24)],
    columns=["day", "hour", "orders"],
)
SPAN = {"intervals": {"share": ["share_low", "share_high"]}}
MADE = {
    "bar": figure.bars(ROWS, x="department", series=["share"], number_format="0%", **SAID),
    "bars": figure.bars(
        ROWS, x="department", series=["share", "other"], number_format="0%", **SAID
    ),
    "bars in panels": figure.bars(
        ROWS, x="department", series=["share", "other"], panel="panel", **SAID
    ),
    "column": figure.columns(ROWS, x="department", series=["share", "other"], **SAID),
    "dots": figure.dots(ROWS, x="department", y="share", band=(0.9, 1.1), **SAID),
    "dots on a logarithmic axis": figure.dots(ROWS, x="department", y="share", is_log=True, **SAID),
    "dots in panels": figure.dots(ROWS, x="department", y="share", panel="panel", **SAID),
    "dots of classes": figure.dots_of_classes(
        ROWS.assign(other_low=0.1, other_high=0.9),
        x="department",
        series=["share", "other"],
        intervals=SPAN["intervals"] | {"other": ["other_low", "other_high"]},
        **SAID,
    ),
    "line": figure.line(ROWS, x="department", y="share", number_format="0%", **SAID),
    "scatter": figure.scatter(
        ROWS, name_of="department", x="share", y="orders_per_buyer", is_log=True, **SAID
    ),
    "histogram": figure.histogram(
        pd.DataFrame({"from": range(26), "share": np.linspace(0.08, 0, 26)}),
        x="from",
        y="share",
        cuts=((5, "simple cut $5"), (5.3, "a third of lines $5.30"), (25, "simple cut $25")),
        number_format="0%",
        **SAID | {"x_title": "Price in US dollars"},
    ),
    "heat of ratios": figure.heat(
        CELLS, rows="daypart", columns="department", values="lift", undecided="is_undecided", **SAID
    ),
    "heat of counts": figure.heat(
        HOURS,
        rows="day",
        columns="hour",
        values="orders",
        outlined=(("Monday", 20, 23),),
        **SAID | {"title": "Sunday is full"},
    ),
}
MARKS = {PALETTE.contrast, *(hue for size in RAMPS for hue in ramp(PALETTE, size, "contrast"))}


@pytest.fixture(params=MADE)
def case(request):
    return request.param


def composed(made: figure.Figure):
    with mpl.rc_context(draw._style(PALETTE)):
        canvas = draw.compose(made, SETTINGS, "SYNTHETIC DATA")
        canvas.canvas.draw()
    return canvas


def hues(axes) -> set[str]:
    """All hues of bars, dots, lines and frames."""
    found = [patch.get_facecolor() for patch in axes.patches]
    found += [patch.get_edgecolor() for patch in axes.patches]
    found += [line.get_color() for line in axes.lines]
    for drawn in axes.collections:
        found += [*drawn.get_facecolors(), *drawn.get_edgecolors()]
    return {mpl.colors.to_hex(hue).upper() for hue in found}


def texts(canvas) -> list:
    return [one for one in canvas.findobj(mpl.text.Text) if one.get_visible() and one.get_text()]


def test_nothing_that_is_written_is_cut_off(case):
    canvas = composed(MADE[case])
    edge, renderer = canvas.bbox.padded(1), canvas.canvas.get_renderer()
    for drawn in (*canvas.axes, *canvas.texts):
        box = drawn.get_tightbbox(renderer)
        inside = edge.x0 <= box.x0 and box.x1 <= edge.x1 and edge.y0 <= box.y0 <= box.y1 <= edge.y1
        assert inside, f"{drawn} at {box}"


def test_what_the_title_names_is_marked(case):
    made = MADE[case]
    canvas = composed(made)
    plain = composed(figure.Figure(**vars(made) | {"highlight": ()}))
    if made.kind in ("histogram", "line"):
        assert case == "histogram" or made.highlight == ("bulk",)
        return
    assert made.highlight == (("Sunday",) if "counts" in case else ("bulk",))
    marked = [one for one in texts(canvas) if one.get_color() == ink_of_named(PALETTE)]
    named = {one.get_text() for one in marked}
    if made.kind == "heat" or (not made.panel and made.kind != "column"):
        assert set(made.highlight) <= named
    if made.kind != "heat":
        assert any(MARKS & hues(axes) for axes in canvas.axes)
        assert not any(MARKS & hues(axes) for axes in plain.axes)


def test_the_same_figure_gives_the_same_bytes(case):
    first, second = (draw.draw(MADE[case], SETTINGS) for _ in range(2))
    assert first == second
    image = Image.open(io.BytesIO(first))
    assert image.width == draw.WIDTH * draw.DOTS_PER_INCH
    assert draw.LOWEST <= image.height / draw.DOTS_PER_INCH <= draw.HIGHEST


def test_cells_that_are_undecided_are_grey_and_carry_no_number():
    canvas = composed(MADE["heat of ratios"])
    (axes,) = canvas.axes
    assert mpl.colors.to_hex(axes.get_facecolor()).upper() == PALETTE.grid
    decided = CELLS.loc[~CELLS["is_undecided"], "lift"]
    assert sorted(one.get_text() for one in axes.texts) == sorted(f"{one:.2f}" for one in decided)
    lowest, highest = axes.collections[0].get_clim()
    assert lowest == -highest and highest == pytest.approx(np.log(2))


def test_the_quiet_window_is_framed():
    (frame,) = [
        one for one in composed(MADE["heat of counts"]).axes[0].patches if not one.get_fill()
    ]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((20, 1), 3, 1)


def test_the_band_of_what_does_not_matter_is_drawn():
    def spans(made) -> list:
        return [
            one
            for one in composed(made).axes[0].patches
            if mpl.colors.to_hex(one.get_facecolor()).upper() == PALETTE.grid
        ]

    (band,) = spans(MADE["dots"])
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.9, 1.1))
    assert spans(MADE["dots on a logarithmic axis"]) == []


def test_panels_share_their_rows():
    first, second = composed(MADE["dots in panels"]).axes
    assert [one.get_text() for one in first.get_yticklabels()] == [*map(draw._short, NAMES)]
    assert first.get_ylim() == second.get_ylim() and first.get_xlim() == second.get_xlim()
    assert [axes.get_title("left") for axes in (first, second)] == ["first", "second"]


@pytest.mark.parametrize(
    ("number_format", "values", "written"),
    [
        ("0%", [0, 0.05, 0.1], ["0%", "5%", "10%"]),
        ("0%", [0, 0.025], ["0.0%", "2.5%"]),
        ("0.0", [0, 0.25, 0.5], ["0.00", "0.25", "0.50"]),
        ("0.0", [0, 2, 4], ["0", "2", "4"]),
        (figure.CENTS, [1000, 1000.5], ["$1,000.0", "$1,000.5"]),
    ],
)
def test_ticks_show_the_step_that_they_have(number_format, values, written):
    assert draw.Ticks(number_format).format_ticks(values) == written


@pytest.mark.parametrize(
    ("title", "names", "found"),
    [
        ("Produce leads", ["produce", "pro", "bulk"], ("produce",)),
        ("Loyal customers: 11%", ["Loyal customer", "New customer"], ("Loyal customer",)),
        ("Age, family and income", ["Income", "Age, family and income"], 1),
        ("Orders at 20:00 hold 5.0 lines", ["20", "5"], ()),
        ("Bulky goods", ["bulk"], ()),
        ("a+b (c)", ["a+b (c)", ""], ("a+b (c)",)),
    ],
)
def test_names_in_a_title_are_whole_and_the_longest(title, names, found):
    assert figure.named(title, names) == (found if found != 1 else (names[1],))


def test_a_table_of_ratios_begins_with_the_farthest_proof():
    table = pd.DataFrame(
        [
            ("Night", "produce", 1.1, "", "small", "no"),
            ("Night", "pets", 9.0, "too few effective customers", "undecided", "no"),
            ("Night", "bulk", 0.5, "", "medium", "yes"),
            ("Day", "pets", 3.0, "", "undecided", "no"),
            ("Day", "bulk", 0.0, "", "large", "no"),
        ],
        columns=["daypart", "department", "lift", "reason", "verdict", "for_headline"],
    )
    made = figure.decided_first(table, rows="daypart", columns="department", ratio="lift")
    assert made.values.tolist() == [
        ["Night", "bulk", 0.5, False, True],
        ["Night", "produce", 1.1, False, False],
        ["Night", "pets", 9.0, True, False],
        ["Day", "bulk", 0.0, True, False],
        ["Day", "pets", 3.0, True, False],
    ]


@pytest.mark.parametrize("case", ["bar", "bars", "bars in panels", "column"])
def test_bars_and_their_labels_end_inside_of_their_axes(case):
    canvas = composed(MADE[case])
    renderer = canvas.canvas.get_renderer()
    for axes in canvas.axes:
        for bar in axes.patches:
            assert bar.get_x() + bar.get_width() <= axes.get_xlim()[1]
            assert bar.get_y() + bar.get_height() <= max(axes.get_ylim())
        for label in axes.texts:
            assert label.get_window_extent(renderer).x1 <= axes.bbox.x1 + 1, label.get_text()


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour.lstrip("#")[place : place + 2], 16) for place in (0, 2, 4))


@pytest.mark.parametrize("hue", ["accent", "contrast"])
@pytest.mark.parametrize("classes", RAMPS)
def test_a_ramp_grows_darker_in_one_hue(classes, hue):
    on_paper = [contrast(rgb(one), rgb(PALETTE.paper)) for one in ramp(PALETTE, classes, hue)]
    assert len(on_paper) == classes and on_paper == sorted(on_paper)
    assert all(after / before > 1.25 for before, after in pairwise(on_paper))
    assert contrast(rgb(ink_of_named(PALETTE)), rgb(PALETTE.paper)) >= 4.5


@pytest.mark.parametrize(
    ("highs", "left"), [((1.2, 1.4, 6e73), 2), ((1.2, 1.4, math.nan), 2), ((1.2, 9.0, 6e73), None)]
)
def test_an_interval_wider_than_its_value_is_left_out_and_a_point_alone_is_no_figure(highs, left):
    data = pd.DataFrame({"rate": [1.0, 1.2, 0.0], "rate_low": [0.9, 1.0, 0.0], "rate_high": highs})
    if left is None:
        with pytest.raises(TooLittleData, match="too few customers"):
            figure.sure_enough(data, "rate")
    else:
        shown, said = figure.sure_enough(data, "rate")
        assert len(shown) == left and "left out" in said
