"""The pictures of notebook 02: what their texts say, and data that holds little."""

import warnings

import numpy as np
import pandas as pd
import pytest

from basket.report import pictures


@pytest.fixture
def shown(monkeypatch):
    """Give the images that are shown, each with its text; a warning is an error."""
    images = []
    monkeypatch.setattr(
        pictures,
        "display",
        lambda image, metadata: images.append((image.data, metadata["image/png"]["alt"])),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield images


@pytest.mark.parametrize(
    ("dollars", "said"),
    [
        ([1, 2.5, 100, 101, 99_999, np.nan], "3 products cost more than 0 and up to 100 dollars, "),
        ([1, 101, 99_999], "; 2 cost more, up to 99,999 dollars"),
        ([1, 100], "; none more"),
        ([0, np.nan], ": 0 products"),
        ([], ": 0 products"),
    ],
)
def test_prices_are_counted_on_both_sides_of_the_ceiling(shown, dollars, said):
    for _ in range(2):
        pictures.show_prices(pd.Series(dollars, dtype="float64"), 100)
    (image, alt), again = shown
    assert said in alt
    assert (image, alt) == again and image.startswith(b"\x89PNG")


@pytest.mark.parametrize("times", [1, 1_000, 1_000_000])
def test_nothing_that_is_written_is_cut_off(monkeypatch, times):
    figures = []
    monkeypatch.setattr(pictures, "_show", lambda figure, alt: figures.append(figure))
    pictures.show_gaps(np.arange(31) * times)
    pictures.show_prices(pd.Series([1, 2.5, 99_999] * min(times, 1_000)), 100)
    for figure in figures:
        left, bottom, right, top = figure.get_tightbbox().extents
        assert left >= 0 and bottom >= 0
        assert (right <= figure.get_size_inches()[0]) and (top <= figure.get_size_inches()[1])


@pytest.mark.parametrize("at_the_wall", [0, 900])
def test_the_wall_at_30_is_counted(shown, at_the_wall):
    orders = np.array([*range(30), at_the_wall])
    pictures.show_gaps(orders)
    ((_, alt),) = shown
    assert f"of {435 + at_the_wall:,} orders, {at_the_wall} stand at 30" in alt


@pytest.mark.parametrize("colours", [1, 127, 129, 256, 2_000])
def test_common_colours_stay_and_rare_ones_move_little(colours):
    """Colours of a ramp, as a smoothed edge has; the n-th is on ever fewer pixels."""
    random = np.random.default_rng(colours)
    steps = np.linspace(0, 1, colours)[:, None]
    ramp = np.array([20, 60, 200]) * steps + np.array([250, 180, 40]) * (1 - steps)
    some = np.unique(np.c_[ramp, np.full(colours, 255)].astype("uint8"), axis=0)
    often = random.permutation(len(some))
    drawn = np.ascontiguousarray(np.repeat(some, often + 1, axis=0)[None])
    picture = pictures.in_256_colours(drawn)
    assert len(picture.getcolors()) <= 256
    shown = np.asarray(picture.convert("RGB")).astype(int)
    moved = np.abs(shown - drawn[:, :, :3]).max(axis=2)[0]
    common = np.repeat(often >= len(some) - pictures.KEPT, often + 1)
    assert not moved[common].any()
    assert moved.max() <= 8
