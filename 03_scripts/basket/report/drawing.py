"""Draw figures: at once, or in a process beside the work, one after the other (D-77).

Drawing takes two fifths of the time of stage 05 and needs nothing but small tables. What loads
slowly for it, seaborn and matplotlib, is loaded by whoever draws.
"""

import contextlib
import importlib
import multiprocessing
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection

from basket.analysis.figure import Figure
from basket.project.errors import BasketError, told
from basket.project.settings import Settings


class AtOnce:
    """Draws in this process."""

    def __init__(self, settings: Settings, banner: str):
        """Draw under these settings, with `banner` on each figure of data that is not real."""
        self._look = settings, banner

    def draw(self, figure: Figure) -> Future:
        """Return the figure's PNG; what is raised as it is drawn is raised here."""
        from basket.report.draw import draw

        drawn = Future()
        drawn.set_result(draw(figure, *self._look))
        return drawn

    def close(self) -> None:
        """End: nothing is left to be drawn."""


class Beside:
    """Draws in a process of its own, which ends when it is closed or this process ends."""

    def __init__(self, settings: Settings, banner: str):
        """Start the process without waiting until it is ready."""
        context = multiprocessing.get_context("spawn")  # a fork copies locks that threads hold
        self._end, other_end = context.Pipe()
        self.process = context.Process(
            target=_draw_all, args=(other_end, settings, banner), daemon=True
        )
        self.process.start()
        other_end.close()
        self._asking = ThreadPoolExecutor(1)  # one figure on its way: neither end fills the pipe

    def draw(self, figure: Figure) -> Future:
        """Return what will be the figure's PNG; it raises BasketError where that fails."""
        return self._asking.submit(self._ask, figure)

    def close(self) -> None:
        """End the process once it has drawn all that it was asked for."""
        self._asking.shutdown()
        self._end.close()
        self.process.join()

    def _ask(self, figure: Figure) -> bytes:
        try:
            self._end.send(figure)
            drawn = self._end.recv()
        except (EOFError, OSError):
            raise BasketError(
                f"figure {figure.name} could not be drawn: the process that draws was killed, or "
                "ran out of memory"
            ) from None
        if isinstance(drawn, BasketError):
            raise drawn
        return drawn


def _draw_all(end: Connection, settings: Settings, banner: str) -> None:
    """Answer each figure with its PNG or with an error, until the other end is closed."""
    with contextlib.suppress(Exception):  # if it is broken, the first figure will say so
        importlib.import_module("basket.report.draw")  # while nothing is asked yet
    at_once = AtOnce(settings, banner)
    while True:
        try:
            figure = end.recv()
        except (EOFError, OSError):
            return
        try:
            drawn = at_once.draw(figure).result()
        except Exception as error:
            drawn = BasketError(f"figure {figure.name} could not be drawn: {told(error)}")
            drawn.add_note(traceback.format_exc())
        end.send(drawn)
