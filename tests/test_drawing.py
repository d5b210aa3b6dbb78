"""Figures drawn at once and beside the work: the same bytes, no error lost, no process left."""

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pandas as pd
import psutil
import pytest

from basket.analysis import figure
from basket.project.errors import BasketError
from basket.report import draw
from basket.report.drawing import AtOnce, Beside

BANNER = "SYNTHETIC DATA"
SECONDS = 60


def bars(name: str, kind: str = "bar") -> figure.Figure:
    data = pd.DataFrame({"group": pd.Categorical(["few", "many"]), "orders": [3.5, 40]})
    texts = dict.fromkeys(("title", "subtitle", "alt", "x_title", "y_title"), name)
    return figure.Figure(
        name=name, kind=kind, data=data, x="group", series=["orders"], sources=("t",), **texts
    )


@pytest.fixture(scope="module")
def beside(settings):
    with closing(Beside(settings, BANNER)) as drawing:
        yield drawing


@pytest.mark.slow
def test_beside_and_at_once_give_what_draw_gives(settings, beside):
    figures = [bars(f"figure {number}") for number in range(3)]
    drawn = [beside.draw(each) for each in figures]
    at_once = AtOnce(settings, BANNER)
    for each, image in zip(figures, drawn, strict=True):
        expected = draw.draw(each, settings, BANNER)
        assert image.result(SECONDS) == at_once.draw(each).result(0) == expected
    at_once.close()


def test_an_error_is_raised_where_the_figure_is_awaited_and_the_next_is_drawn(beside):
    wrong, right = beside.draw(bars("no such kind", kind="cake")), beside.draw(bars("right"))
    with pytest.raises(BasketError) as raised:
        wrong.result(SECONDS)
    said = f"{raised.value}"
    assert said.startswith(
        "figure no such kind could not be drawn: KeyError: 'cake' (basket/report"
    )
    assert "Traceback" in raised.value.__notes__[0]
    assert right.result(SECONDS).startswith(b"\x89PNG")


def test_a_process_that_was_killed_is_told_with_the_figure(settings):
    with closing(Beside(settings, BANNER)) as drawing:
        drawing.process.kill()
        drawing.process.join(SECONDS)
        with pytest.raises(
            BasketError, match="figure lost could not be drawn: the process that draws was"
        ):
            drawing.draw(bars("lost")).result(SECONDS)


@pytest.mark.slow
def test_closed_it_draws_all_that_it_was_asked_for_and_ends(settings):
    drawing = Beside(settings, BANNER)
    asked = [drawing.draw(bars(f"{number}")) for number in range(2)]
    drawing.close()
    assert all(each.result(0) for each in asked)
    assert drawing.process.exitcode == 0


@pytest.mark.slow
def test_it_ends_where_the_process_that_asked_is_killed():
    code = """
        import time
        from basket.project.folders import ROOT
        from basket.project.settings import load_settings
        import test_drawing
        from basket.report.drawing import Beside

        if __name__ == "__main__":
            drawing = Beside(load_settings(ROOT / "settings.yml"), "")
            drawing.draw(test_drawing.bars("drawn")).result()
            print(drawing.process.pid, flush=True)
            time.sleep(60)
    """
    asking = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    )
    try:
        drawing = psutil.Process(int(asking.stdout.readline()))
    finally:
        os.kill(asking.pid, signal.SIGKILL)
        asking.wait()
    drawing.wait(SECONDS)
