"""Pictures of the notebooks that prepare data: by matplotlib alone, as seaborn loads slowly."""

import io

import numpy as np
import pandas as pd
import PIL.Image
from IPython.display import Image, display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from basket.tables.sums import WALL

PLACE = {"left": 0.15, "right": 0.95, "bottom": 0.17, "top": 0.96}  # room for tens of millions
KEPT = 128  # of the 256 colours of a picture: its most common ones, each as it was drawn
BELOW, BEYOND = "C0", "C1"  # the palette of settings.yml is for what a client sees


def show_prices(dollars: pd.Series, ceiling: float) -> None:
    """Show how many products cost how much, both on logarithmic scales, and the ceiling."""
    dollars = dollars[dollars > 0]
    absurd = dollars > ceiling
    shown = np.append(dollars, ceiling)
    edges = np.geomspace(shown.min() / 1.01, shown.max() * 1.01, 61)
    figure, axes = _empty("price in US dollars (logarithmic scale)", "products (logarithmic scale)")
    most = max(10, np.histogram(dollars, edges)[0].max())
    axes.set(xscale="log", yscale="log", xlim=edges[[0, -1]], ylim=(0.7, 3 * most))
    for some, colour in ((dollars[~absurd], BELOW), (dollars[absurd], BEYOND)):
        axes.hist(some, edges, color=colour)
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.axvline(ceiling, color="black", linestyle="--")
    frame = ("data", "axes fraction")
    axes.annotate(f" ceiling: {ceiling:g} dollars", (ceiling, 0.93), xycoords=frame)
    above = f"{int(absurd.sum()):,} cost more, up to {shown.max():,.0f} dollars"
    _show(
        figure,
        f"Histogram of prices before cleaning: {int((~absurd).sum()):,} products cost more than 0 "
        f"and up to {ceiling:g} dollars, the ceiling; {above if absurd.any() else 'none more'}",
    )


def show_gaps(orders: np.ndarray) -> None:
    """Show how many orders came how many days after the one before: `orders[days]`, 0 to 30."""
    figure, axes = _empty("days since the customer's previous order", "orders")
    days = np.arange(len(orders))
    colours = np.where(days < WALL, BELOW, BEYOND)
    axes.bar(days, orders, color=colours, width=0.85)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    place, look = (WALL - 0.5, orders[WALL]), {"ha": "right", "va": "top"}
    axes.annotate("30 means 30 or more ", place, color=BEYOND, **look)
    _show(
        figure,
        "Column chart of orders by days since the customer's previous order: of "
        f"{orders.sum():,} orders, {orders[WALL]:,} stand at 30, which means 30 or more",
    )


def _empty(x_title: str, y_title: str) -> tuple:
    figure = Figure(figsize=(8, 3), dpi=120)
    FigureCanvasAgg(figure)
    figure.subplots_adjust(**PLACE)
    axes = figure.subplots()
    axes.set(xlabel=x_title, ylabel=y_title)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _show(figure: Figure, alt: str) -> None:
    """Show a figure with its alternative text; the same bytes every time."""
    display(Image(as_png(figure), format="png", width=800), metadata={"image/png": {"alt": alt}})


def as_png(figure: Figure) -> bytes:
    """Draw a figure as PNG in 256 colours of its own: a third of the size of all its colours."""
    figure.canvas.draw()
    picture, png = in_256_colours(np.ascontiguousarray(figure.canvas.buffer_rgba())), io.BytesIO()
    picture.save(png, "PNG", compress_level=8, dpi=(figure.dpi, figure.dpi))
    return png.getvalue()


def in_256_colours(drawn: np.ndarray) -> PIL.Image.Image:
    """Return an image of `drawn`, pixels of four bytes, that has 256 colours at most.

    A chart has some thousand. The common ones stay as they are, to the bit; for the rare ones, at
    smoothed edges, colours are chosen by median cut, of which each counts once. Three pixels in
    ten thousand move by more than 8 of 255 (25 figures of the default); with a median cut of all
    pixels it was six, in six times the time.
    """
    colour_of, colours = pd.factorize(drawn.view("uint32").ravel())
    common_first = np.argsort(-np.bincount(colour_of), kind="stable")
    every = colours[common_first].view("uint8").reshape(-1, 4)[:, :3]
    chosen, entry = every[:KEPT], np.arange(len(every)).clip(max=KEPT)
    if len(every) > KEPT:
        rare = PIL.Image.fromarray(np.ascontiguousarray(every[None, KEPT:]))
        few = rare.quantize(256 - KEPT, PIL.Image.Quantize.MEDIANCUT, dither=0)
        entry[KEPT:] += np.asarray(few)[0]
        chosen = np.append(chosen, np.array(few.getpalette(), "uint8"))
    entry_of = np.empty(len(every), "uint8")
    entry_of[common_first] = entry
    picture = PIL.Image.fromarray(entry_of[colour_of].reshape(drawn.shape[:2]))
    picture.putpalette(chosen.tobytes())
    return picture
