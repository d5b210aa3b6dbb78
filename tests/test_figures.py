"""Figures as images: what the title names is marked, and nothing that is written is cut off."""

import io
import itertools
import math
from functools import cache

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
DOLLARS = pd.DataFrame({"hour": range(7, 23)})
DOLLARS["value"] = [81.5, *[78.0] * 11, 72.3, 75.8, 83.4, 83.6]
DOLLARS = DOLLARS.assign(value_low=DOLLARS["value"] - 1.8, value_high=DOLLARS["value"] + 3)
MADE = {
    "bar": figure.bars(ROWS, x="department", series=["share"], number_format="0%", **SAID),
    "bars": figure.bars(
        ROWS, x="department", series=["share", "other"], number_format="0%", **SAID
    ),
    "bars of hundreds of thousands": figure.bars(
        ROWS.assign(orders=170_000 * ROWS["share"]), x="department", series=["orders"], **SAID
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
    "line of dollars": figure.line(  # its ticks are 5 or 2.50 apart, as its height is a guess
        DOLLARS,
        x="hour",
        y="value",
        number_format=figure.CENTS,
        **SAID
        | {"subtitle": "Mean value of an order by waking hour", "y_title": "US dollars an order"},
    ),
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


@cache
def drawn(case: str):
    """Draw a case once; what is drawn is only looked at."""
    return composed(MADE[case])


def hues(axes) -> set[str]:
    """All hues of bars, dots, lines and frames."""
    found = [patch.get_facecolor() for patch in axes.patches]
    found += [patch.get_edgecolor() for patch in axes.patches]
    found += [line.get_color() for line in axes.lines]
    for one in axes.collections:
        found += [*one.get_facecolors(), *one.get_edgecolors()]
    return {mpl.colors.to_hex(hue).upper() for hue in found}


def texts(canvas) -> list:
    return [one for one in canvas.findobj(mpl.text.Text) if one.get_visible() and one.get_text()]


def test_nothing_that_is_written_is_cut_off(case):
    canvas = drawn(case)
    edge, renderer = canvas.bbox.padded(1), canvas.canvas.get_renderer()
    for part in (*canvas.axes, *canvas.texts):
        box = part.get_tightbbox(renderer)
        inside = edge.x0 <= box.x0 and box.x1 <= edge.x1 and edge.y0 <= box.y0 <= box.y1 <= edge.y1
        assert inside, f"{part} at {box}"


def test_what_the_title_names_is_marked(case):
    made = MADE[case]
    canvas = drawn(case)
    plain = composed(figure.Figure(**vars(made) | {"highlight": ()}))
    if made.kind in ("histogram", "line"):
        assert case in ("histogram", "line of dollars") or made.highlight == ("bulk",)
        return
    assert made.highlight == (("Sunday",) if "counts" in case else ("bulk",))
    marked = [one for one in texts(canvas) if one.get_color() == ink_of_named(PALETTE)]
    named = {one.get_text() for one in marked}
    if made.kind == "heat" or (not made.panel and made.kind != "column"):
        assert set(made.highlight) <= named
    if made.kind != "heat":
        assert any(MARKS & hues(axes) for axes in canvas.axes)
        assert not any(MARKS & hues(axes) for axes in plain.axes)


@pytest.mark.slow
def test_the_same_figure_gives_the_same_bytes(case):
    first, second = (draw.draw(MADE[case], SETTINGS) for _ in range(2))
    assert first == second
    image = Image.open(io.BytesIO(first))
    assert image.width == draw.WIDTH * draw.DOTS_PER_INCH
    assert draw.LOWEST <= image.height / draw.DOTS_PER_INCH <= draw.HIGHEST


def test_cells_that_are_undecided_are_grey_and_carry_no_number():
    canvas = drawn("heat of ratios")
    (axes,) = canvas.axes
    assert mpl.colors.to_hex(axes.get_facecolor()).upper() == PALETTE.grid
    decided = CELLS.loc[~CELLS["is_undecided"], "lift"]
    assert sorted(one.get_text() for one in axes.texts) == sorted(f"{one:.2f}" for one in decided)
    lowest, highest = axes.collections[0].get_clim()
    assert lowest == -highest and highest == pytest.approx(np.log(2))


def test_the_quiet_window_is_framed():
    (frame,) = [one for one in drawn("heat of counts").axes[0].patches if not one.get_fill()]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((20, 1), 3, 1)


def test_the_band_of_what_does_not_matter_is_drawn():
    def spans(case: str) -> list:
        return [
            one
            for one in drawn(case).axes[0].patches
            if mpl.colors.to_hex(one.get_facecolor()).upper() == PALETTE.grid
        ]

    (band,) = spans("dots")
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.9, 1.1))
    assert spans("dots on a logarithmic axis") == []


def test_panels_share_their_rows():
    first, second = drawn("dots in panels").axes
    assert [one.get_text() for one in first.get_yticklabels()] == [*map(draw._short, NAMES)]
    assert first.get_ylim() == second.get_ylim() and first.get_xlim() == second.get_xlim()
    assert [axes.get_title("left") for axes in (first, second)] == ["first", "second"]
    assert [axes.get_xlabel() for axes in (first, second)] == [SAID["y_title"], ""]


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


def test_a_table_of_ratios_begins_with_the_farthest_proof_and_decides_what_titles_say():
    table = pd.DataFrame(
        [
            ("Night", "produce", 1.01, "", "no practical difference", "no"),
            ("Night", "pets", 9.0, "too few effective customers", "undecided", "no"),
            ("Night", "bulk", 0.5, "", "medium", "yes"),
            ("Night", "snacks", 1.4, "", "large", "no"),
            ("Night", "eggs", 1.2, "", "undecided", "yes"),
            ("Day", "pets", 3.0, "", "undecided", "no"),
            ("Day", "bulk", 0.0, "", "large", "yes"),
        ],
        columns=["daypart", "department", "lift", "reason", "verdict", "for_headline"],
    )
    made = figure.decided_first(table, rows="daypart", columns="department", ratio="lift")
    assert made.values.tolist() == [
        ["Night", "bulk", 0.5, False, True],
        ["Night", "eggs", 1.2, False, True],
        ["Night", "produce", 1.01, False, False],
        ["Night", "pets", 9.0, True, False],
        ["Night", "snacks", 1.4, True, False],
        ["Day", "bulk", 0.0, True, True],
        ["Day", "pets", 3.0, True, False],
    ]


@pytest.mark.parametrize(
    ("departments", "left_out"), [(25, ""), (26, "; of 26 departments the first 25")]
)
def test_a_heat_map_has_as_many_columns_as_there_is_room_for(departments, left_out):
    rows = [("Night", f"{n:02}", 1 + n / 10, "", "large", "yes") for n in range(departments)]
    names = ["daypart", "department", "lift", "reason", "verdict", "for_headline"]
    table = pd.DataFrame(rows, columns=names)
    made = figure.decided_first(table, rows="daypart", columns="department", ratio="lift")
    assert len(made) == figure.MOST_COLUMNS and made["department"].iloc[0] == f"{departments - 1}"
    assert figure.without(table, made, "department") == left_out


@pytest.mark.parametrize("case", ["bar", "bars", "bars in panels", "column"])
def test_bars_and_their_labels_end_inside_of_their_axes(case):
    canvas = drawn(case)
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
    assert all(after / before > 1.25 for before, after in itertools.pairwise(on_paper))
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


# ---- what is drawn is what the table says -----------------------------------------------------


BARRED = ["bar", "bars", "bars in panels", "column"]


def shown_values(case: str, axes) -> pd.DataFrame:
    """Give the values that a panel shows: a row per name, a column per series."""
    made = MADE[case]
    data = made.data.set_index(made.x)
    if made.panel:
        data = data[data[made.panel] == axes.get_title("left")].reindex(made.data[made.x])
    return data[made.series]


def spans_of(bars, sideways: bool) -> tuple[np.ndarray, np.ndarray]:
    """Give where bars start and end along their values, then across them."""
    boxes = np.array([bar.get_bbox().extents for bar in bars])
    along, across = boxes[:, [0, 2]], boxes[:, [1, 3]]
    return (along, across) if sideways else (across, along)


@pytest.mark.parametrize("case", BARRED)
def test_each_bar_begins_at_zero_and_ends_at_its_value(case):
    sideways = MADE[case].kind == "bar"
    for axes in drawn(case).axes:
        values = shown_values(case, axes)
        along, across = spans_of(axes.patches, sideways)
        assert along[:, 0].tolist() == [0] * values.size
        assert along[:, 1] == pytest.approx(values.fillna(0).to_numpy().T.ravel())
        rows = np.tile(np.arange(len(values)), len(values.columns))
        assert (np.abs(across - rows[:, None]) < 0.5).all()
        ends = np.sort(across, axis=0)
        assert (ends[1:, 0] >= ends[:-1, 1] - 1e-9).all(), "bars cover each other"
        least, most = axes.get_xlim() if sideways else axes.get_ylim()
        longest = MADE[case].data[values.columns].to_numpy().max()
        assert least == 0 and longest <= most < 1.25 * longest


@pytest.mark.parametrize("case", BARRED)
def test_each_bar_has_its_value_written_at_its_end(case):
    made = MADE[case]
    unit = 0.01 if "%" in made.number_format else 1
    canvas = drawn(case)
    for axes in canvas.axes:
        values = shown_values(case, axes).to_numpy().T.ravel()
        for bar, label, value in zip(axes.patches, axes.texts, values, strict=True):
            if np.isnan(value):  # none is not zero
                assert label.get_text() == ""
                continue
            assert float(label.get_text().strip("%")) * unit == pytest.approx(
                value, abs=0.51 * unit
            )
            end, said = bar.get_window_extent(), label.get_window_extent()
            if made.kind == "bar":
                gap, aside = said.x0 - end.x1, (said.y0 + said.y1 - end.y0 - end.y1) / 2
            else:
                gap, aside = said.y0 - end.y1, (said.x0 + said.x1 - end.x0 - end.x1) / 2
            assert 0 <= gap < 20 and abs(aside) < 5
        shown = axes.xaxis if made.kind == "bar" else axes.yaxis
        assert not [one for one in shown.get_ticklabels() if one.get_text()]


@pytest.mark.parametrize(("kind", "most"), [("bars", 30), ("columns", 12)])
def test_more_bars_than_can_be_labelled_have_an_axis(kind, most):
    for number in (most, most + 1):
        rows = pd.DataFrame({"hour": map(str, range(number)), "orders": range(1, number + 1)})
        make = {"bars": figure.bars, "columns": figure.columns}[kind]
        (axes,) = composed(make(rows, x="hour", series=["orders"], **SAID)).axes
        ticks = (axes.xaxis if kind == "bars" else axes.yaxis).get_ticklabels()
        assert bool(axes.texts) == (number == most)
        assert number < (axes.get_xlim() if kind == "bars" else axes.get_ylim())[1] < 1.25 * number
        assert bool([one for one in ticks if one.get_text()]) == (number > most)


@pytest.mark.parametrize("case", ["bars", "bars in panels", "column", "dots of classes"])
def test_the_legend_names_each_series_in_its_hue(case):
    made, first = MADE[case], drawn(case).axes[0]
    legend = first.get_legend()
    assert [one.get_text() for one in legend.get_texts()] == made.series
    keys = [mpl.colors.to_hex(one.get_facecolor()).upper() for one in legend.get_patches()]
    assert keys == ramp(PALETTE, 2)
    others = hues(first) - MARKS
    assert set(keys) <= others
    assert all(axes.get_legend() is None for axes in drawn(case).axes[1:])
    assert drawn("bar").axes[0].get_legend() is None


@pytest.mark.parametrize("case", ["dots", "dots on a logarithmic axis", "dots of classes"])
def test_each_dot_stands_at_its_value_between_the_ends_of_its_interval(case):
    made = MADE[case]
    (axes,) = drawn(case).axes
    found = []
    for line, _, (limits,) in axes.containers:
        for value, place, limit in zip(*line.get_data(), limits.get_segments(), strict=True):
            (low, below), (high, above) = limit
            assert below == above == place
            found.append((round(place), place, low, value, high))
    found = np.array(sorted(found))
    expected = [
        [row[made.intervals[name][0]], row[name], row[made.intervals[name][1]]]
        for row in made.data.to_dict("records")
        for name in made.series
    ]
    assert found[:, 2:] == pytest.approx(np.array(expected))
    assert found[:, 0].tolist() == sorted([*range(len(NAMES))] * len(made.series))
    assert [one.get_xdata() for one in axes.lines if one.get_linestyle() == "-"][-1] == [1, 1]


def test_dots_of_an_undefined_interval_are_drawn_without_one():
    rows = ROWS.assign(share_low=math.nan)
    (axes,) = composed(figure.dots(rows, x="department", y="share", **SAID)).axes
    values = [value for line, *_ in axes.containers for value in line.get_xdata()]
    assert sorted(values) == sorted(ROWS["share"])


def test_a_line_goes_through_its_values_within_its_intervals():
    (axes,) = drawn("line").axes
    (line,) = axes.lines
    assert line.get_xydata() == pytest.approx(np.column_stack([range(4), ROWS["share"]]))
    (area,) = axes.collections
    corners = {(x, round(y, 9)) for x, y in area.get_paths()[0].vertices}
    for ends in (ROWS["share_low"], ROWS["share_high"]):
        assert set(enumerate(ends)) <= corners


def test_each_point_stands_at_its_values_with_its_name_beside_it():
    (axes,) = drawn("scatter").axes
    points = axes.collections[0].get_offsets()
    assert points.tolist() == ROWS[["share", "orders_per_buyer"]].to_numpy().tolist()
    assert {one.get_text() for one in axes.texts} == set(NAMES)
    ticks = [one.get_text() for one in axes.get_xticklabels()]
    assert ticks == ["2%", "5%", "10%", "20%", "50%", "100%"]
    for label in axes.texts:
        place = NAMES.index(label.get_text())
        assert label.xy == tuple(points[place])
        x, y = axes.transData.transform(points[place])
        box = label.get_window_extent()
        assert max(box.x0 - x, x - box.x1, box.y0 - y, y - box.y1) < 20


def test_bars_of_nothing_are_drawn_on_an_axis():
    (axes,) = composed(
        figure.bars(ROWS.assign(share=0.0), x="department", series=["share"], **SAID)
    ).axes
    assert axes.get_xlim() == (0, 1)


def test_points_at_one_place_are_named_as_far_as_there_is_room():
    rows = ROWS.assign(share=0.5, orders_per_buyer=[10, 10.001, 10.002, 10.003])
    made = figure.scatter(rows, name_of="department", x="share", y="orders_per_buyer", **SAID)
    (axes,) = composed(made).axes
    assert 1 <= len(axes.texts) < len(NAMES) and axes.texts[0].get_text() == "bulk"
    assert axes.get_xlim()[0] == axes.get_ylim()[0] == 0


def test_a_histogram_has_a_column_from_each_class_to_the_next_and_its_cuts_across():
    made = MADE["histogram"]
    (axes,) = drawn("histogram").axes
    for bar, (start, value) in zip(axes.patches, made.data.to_numpy(), strict=True):
        assert bar.get_bbox().extents == pytest.approx((start, 0, start + 1, value))
    assert [one.get_xdata() for one in axes.lines] == [[at, at] for at, _ in made.cuts]
    boxes = [one.get_window_extent() for one in axes.texts]
    for label, (at, said) in zip(axes.texts, made.cuts, strict=True):
        assert label.get_text().strip() == said and label.get_position()[0] == at
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    highest = axes.transData.transform((0, made.data["share"].max()))[1]
    assert all(box.y0 > highest for box in boxes), "a name covers the columns"


def test_each_cell_of_a_heat_map_is_tinted_by_its_value():
    (axes,) = drawn("heat of counts").axes
    assert axes.collections[0].get_array().tolist() == [list(range(24))] * 2
    tints = axes.collections[0].get_facecolors()[:24].sum(axis=1)
    assert (np.diff(tints) < 0).all(), "more orders, darker tint"
    names = [[one.get_text() for one in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis)]
    assert names == [[str(hour) for hour in range(24)], ["Sunday", "Monday"]]
    (ratios,) = drawn("heat of ratios").axes
    shown = np.exp(ratios.collections[0].get_array())
    assert shown.filled(0) == pytest.approx(np.array([[0.5, 0, 1.5, 0], [0, 0, 1, 0]]))
    half, one = ratios.collections[0].get_facecolors()[[0, 6], :3]
    assert half == pytest.approx(mpl.colors.to_rgb(PALETTE.contrast), abs=0.02)
    assert one == pytest.approx(mpl.colors.to_rgb(PALETTE.paper), abs=0.02)


def test_the_legend_of_tints_is_a_narrow_bar_beside_the_map():
    (axes,) = drawn("heat of counts").axes
    (bar,) = axes.child_axes
    cells, beside = axes.get_window_extent(), bar.get_window_extent()
    assert (beside.y0, beside.y1) == pytest.approx((cells.y0, cells.y1))
    assert cells.x1 < beside.x0 and 20 * beside.width < 2 * cells.width
    assert bar.get_ylabel() == SAID["y_title"] and bar.get_ylim() == (0, 23)


@pytest.mark.parametrize("series", [["orders"], ["orders", "lines"], ["orders", "lines", "users"]])
@pytest.mark.parametrize("rows", [4, 9])
def test_the_rows_of_an_image_are_neither_thin_nor_thick(rows, series):
    table = pd.DataFrame({"department": [f"shelf {n}" for n in range(rows)]})
    table = table.assign(orders=1, lines=2, users=3, orders_low=1, orders_high=2)
    made = {"bars": figure.bars(table, x="department", series=series, **SAID)}
    if len(series) == 1:
        made["dots"] = figure.dots(table, x="department", y="orders", **SAID)
        cells = table.merge(pd.DataFrame({"daypart": ["Night", "Day"]}), how="cross")
        spans = {"rows": "department", "columns": "daypart", "values": "orders"}
        made["heat"] = figure.heat(cells, **spans, **SAID)
    for kind, one in made.items():
        axes = composed(one).axes[0]
        row = axes.get_window_extent().height / draw.DOTS_PER_INCH / rows
        bar = row * 0.8 / len(series)
        assert (0.1 < bar < 0.3) if kind == "bars" else (0.15 < row < 0.5), (kind, row)


def test_a_name_that_leaves_no_room_is_cut_and_no_other():
    longest = draw.LONGEST_NAME
    assert draw._short("a" * longest) == "a" * longest
    assert draw._short("a" * (longest + 1)) == "a" * (longest - 1) + "…"
    assert draw._short("a" * (longest - 2) + " bcd") == "a" * (longest - 2) + "…"


def test_points_with_names_have_more_room_than_a_line():
    heights = {kind: drawn(kind).get_size_inches()[1] for kind in ("line", "column", "scatter")}
    assert heights["line"] == heights["column"] < heights["scatter"]


@pytest.mark.parametrize(
    ("names", "written"),
    [
        ([f"{hour}" for hour in range(24)], [f"{hour}" for hour in range(24)]),
        ([f"{hour:02d}:00" for hour in range(24)], [f"{hour:02d}:00" for hour in range(0, 24, 2)]),
        ([f"{day} d" for day in range(31)], ["0 d", "7 d", "14 d", "21 d", "28 d", "30 d"]),
    ],
)
def test_names_below_columns_are_thinned_out_where_all_have_no_room(names, written):
    rows = pd.DataFrame({"time": names, "orders": 1.0})
    (axes,) = composed(figure.columns(rows, x="time", series=["orders"], **SAID)).axes
    assert [one.get_text() for one in axes.get_xticklabels()] == written
    assert [names[int(place)] for place in axes.get_xticks()] == written


@pytest.mark.parametrize(
    ("value", "number_format", "written"),
    [
        (0.256, "0%", "26%"),
        (0.0, "0%", "0%"),
        (0.004, "0%", "0.4%"),
        (0.01, "0%", "1%"),
        (0.256, "0.0%", "25.6%"),
        (1234.5, figure.WHOLE, "1,234"),
        (1.25, figure.RATIO, "1.25"),
        (1234.5, figure.DOLLARS, "$1,234"),
        (1234.5, figure.CENTS, "$1,234.50"),
    ],
)
def test_a_number_beside_its_bar_has_the_decimals_of_its_format(value, number_format, written):
    assert draw._written(value, number_format) == written
