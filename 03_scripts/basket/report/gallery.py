"""The paper that notebook 05 writes: figures drawn and findings answered, one after the other."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
import pandas as pd
from IPython.display import Image, Markdown, display, update_display

from basket.analysis import finding
from basket.analysis.figure import Figure
from basket.analysis.finding import NotAnswered, TooLittleData
from basket.analysis.privacy import publishable
from basket.analysis.questions import question_of
from basket.project.files import write_json
from basket.project.origin import GENERATED, Origin
from basket.report.drawing import AtOnce, Beside
from basket.tables import completeness
from basket.tables.stage import Stage

IN_WORDS = {  # what an action rests on
    finding.DESIGN: "a way to plan, not an effect",
    finding.HYPOTHESIS: "to be tried with a control group",
}
SHOWN_WIDTH = 900  # pixels of a figure in a notebook
NOT_SHOWN = ["question", "population", "group_b", "unit", "statistic", "for_headline"]
NOT_SHOWN += ["covered", "largest_share", "customers_behind"]


class Paper:
    """The figures and findings of this run, in the order in which the notebook asks for them.

    `results` may grow while the paper is written: a figure and a finding read the tables that are
    there when they are asked for. In a run a figure is drawn beside the work, and takes the place
    of its text when it is there; by hand it is drawn at once.
    """

    def __init__(self, stage: Stage, results: dict[str, pd.DataFrame]):
        """Start an empty paper about these result tables."""
        self.stage, self.results = stage, results
        self.figures: list[tuple[str, Figure]] = []
        self.images: dict[str, bytes] = {}
        self._being_drawn: deque[tuple[Figure, Future]] = deque()
        self.found: list[dict] = []
        self._not_drawn: set[str] = set()  # questions of which a figure could not be drawn
        origin = Origin.of_run(stage.folders)
        banner = origin.banner.on_figures if origin.banner else ""
        in_a_run = stage.inputs.building is not None
        self._drawing = (Beside if in_a_run else AtOnce)(stage.settings, banner)
        self._is_generated = origin.kind == GENERATED

    def show(self, function: Callable) -> None:
        """Draw one figure and show it, with its text for those who cannot see it."""
        self._put_up()
        try:
            finding.require_active(self.results)
            figure = function(self.results, self.stage.settings)
            if figure.data[figure.series].isna().all(axis=None):
                raise TooLittleData("None of its values can be computed from this data.")
        except NotAnswered as reason:
            self._not_drawn.add(question_of(function).id)
            display(Markdown(f"*No figure: {reason}*"))
            return
        self.figures.append((question_of(function).id, figure))
        display(Markdown(f"*{figure.alt}*"), display_id=figure.name)
        self._being_drawn.append((figure, self._drawing.draw(figure)))
        self._put_up()

    def _put_up(self, wait: bool = False) -> None:
        """Put the figures that are drawn where their texts stand; `wait` for all of them."""
        while self._being_drawn and (wait or self._being_drawn[0][1].done()):
            figure, drawn = self._being_drawn.popleft()
            self.images[figure.name] = drawn.result()
            image = Image(self.images[figure.name], format="png", width=SHOWN_WIDTH)
            texts = {"alt": figure.alt, "caption": f"{figure.title}."}
            update_display(image, display_id=figure.name, metadata={"image/png": texts})

    def answer(self, function: Callable) -> None:
        """Answer: make one finding from the numbers of the result tables, and show it."""
        self._put_up()
        question = question_of(function)
        holes = len(completeness.beyond_limit(self.results["completeness"])) > 0
        of_data = (finding.SYNTHETIC_DATA,) * self._is_generated
        of_data += (finding.INCOMPLETE_HISTORIES,) * holes
        settings = self.stage.settings
        said, seen = finding.answer(function, self.results, settings, of_data, question.needs)
        self.found.append(finding.record(len(self.found) + 1, question.id, said, seen))
        action, basis = said.action, ""
        if said.action_basis != finding.NO_ACTION:
            action = f"*Do this:* {said.action} ({said.owner})"
            basis = f"; the action is {IN_WORDS[said.action_basis]}"
        rests_on = f"; it rests on: {', '.join(said.rests_on)}" if said.rests_on else ""
        display(
            Markdown(
                f"> **{said.headline}.** {said.so_what}\n>\n"
                f"> {action}\n>\n"
                f"> *{said.kind.capitalize()}, confidence {said.confidence}{basis}{rests_on}*"
            )
        )

    def size(self) -> None:
        """Size the prizes of the findings by the table prizes."""
        self.found = [finding.sized(found, self.results["prizes"]) for found in self.found]

    def tests(self, question: str) -> pd.DataFrame:
        """Pick the comparisons of one question, without those in strata.

        What is proven comes first, then the largest effects, each against the smallest that
        matters; what has a reason comes last.
        """
        tests = self.results["tests"]
        tests = tests[(tests["question"] == question) & ~tests["grouping"].str.contains(" within ")]
        matters = self.stage.settings.statistics.effects.model_dump()
        smallest = {name: steps[0] for name, steps in matters.items()}
        smallest = tests["effect_name"].map(smallest).astype(float)
        effect, is_ratio = tests["effect"].astype(float), tests["effect_name"] == "ratio"
        with np.errstate(divide="ignore", invalid="ignore"):  # a ratio of 0 is the farthest from 1
            size = (np.log(effect) / np.log(smallest)).where(is_ratio, effect / smallest).abs()
        refused, is_open = tests["reason"] != "", tests["for_headline"] != "yes"
        order = np.lexsort((-size, is_open, refused))
        shown = tests.iloc[order].drop(columns=NOT_SHOWN).head(20)
        return shown if shown["group_a"].any() else shown.drop(columns="group_a")

    def publishable(self, name: str) -> pd.DataFrame:
        """Give a table about groups of customers, small groups suppressed."""
        return publishable(self.results[name], self.stage.settings, self.results["habits"])

    def save(self) -> None:
        """Write the figures, figures.json with what each says, and the findings.

        Raises ValueError where a figure or finding names what this paper does not have.
        """
        self._check()
        self._put_up(wait=True)
        self._drawing.close()
        folder = self.stage.building("visualizations")
        of_figure = {found["figure"]: found["so_what"] for found in self.found if found["figure"]}
        of_question = {found["question"]: found["so_what"] for found in reversed(self.found)}
        for name, image in self.images.items():
            (folder / f"{name}.png").write_bytes(image)
        records = [
            figure.record(question, of_figure.get(figure.name) or of_question[question])
            for question, figure in self.figures
        ]
        write_json(folder / "figures.json", records, default=_plain)
        self.stage.built["visualizations"] = {"rows": len(records)}
        self.stage.write_findings(self.found)

    def _check(self) -> None:
        """Refuse figures of one name, sources that are no table, and findings that contradict."""
        names = [figure.name for _, figure in self.figures]
        sources = {source for _, figure in self.figures for source in figure.sources}
        drawn = [found for found in self.found if found["question"] not in self._not_drawn]
        for what, wrong in (
            ("two figures have one name", {name for name in names if names.count(name) > 1}),
            ("a figure names a source that is no result table", sources - set(self.results)),
            (
                "a finding names a figure that is not shown",
                {f["figure"] for f in drawn} - {"", *names},
            ),
            ("actions contradict each other", set(finding.contradictions(self.found))),
        ):
            if wrong:
                raise ValueError(f"{what}: {', '.join(sorted(wrong))}")


def _plain(value):
    return value.item() if hasattr(value, "item") else str(value)
