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


@pytest.mark.parametrize("at_the_wall", [0, 900])
def test_the_wall_at_30_is_counted(shown, at_the_wall):
    orders = np.array([*range(30), at_the_wall])
    pictures.show_gaps(orders)
    ((_, alt),) = shown
    assert f"of {435 + at_the_wall:,} orders, {at_the_wall} stand at 30" in alt
