"""What notebook 05 shows beside its tables: figures with alt text, tests, findings."""

import pandas as pd
from IPython.display import Image, Markdown, display

from basket.analysis.privacy import publishable
from basket.analysis.visuals import all_figures
from basket.project.origin import Origin
from basket.project.stages import graph, read_record
from basket.report import draw
from basket.tables.audit import CHECKS, FLOW, WRANGLING
from basket.tables.stage import Stage


def read_audit(stage: Stage) -> dict[str, pd.DataFrame]:
    """The audit rows of all earlier stages: row flow, checks, wrangling steps."""
    earlier = [name for name in graph() if name < stage.name]
    records = [read_record(stage.folders, name) for name in earlier]
    return {
        name: pd.DataFrame([row for record in records for row in record[part]], columns=columns)
        for name, part, columns in (
            ("population_flow", "flow", FLOW),
            ("consistency_checks", "checks", CHECKS),
            ("wrangling_steps", "wrangling", WRANGLING),
        )
    }


class Gallery:
    """The figures and findings of this run, ready to be shown one by one."""

    def __init__(self, stage: Stage, results: dict[str, pd.DataFrame], found: list[dict]):
        """Draw every figure."""
        self.stage, self.results, self.found = stage, results, found
        self.figures = all_figures(results, found, stage.settings)
        banner = Origin.of_run(stage.folders).banner
        note = banner.on_figures if banner else ""
        self.images = {
            figure.name: draw.draw(figure, stage.settings, note) for figure in self.figures
        }

    def show(self, name: str) -> None:
        """Show one figure, with its text for those who cannot see it."""
        for figure in self.figures:
            if figure.name == name:
                image = Image(self.images[name], format="png", width=draw.SHOWN_WIDTH)
                display(image, metadata={"image/png": {"alt": figure.alt}})
                return
        display(Markdown(f"*No figure {name}: this data holds too little for it.*"))

    def finding(self, question: str) -> None:
        """Show the findings of one question."""
        for finding in self.found:
            if finding["question"] == question:
                display(
                    Markdown(
                        f"> **{finding['headline']}.** {finding['so_what']}\n>\n"
                        f"> *Do this:* {finding['action']} ({finding['owner']}; confidence "
                        f"{finding['confidence']})"
                    )
                )

    def tests(self, question: str) -> pd.DataFrame:
        """The comparisons of one question, largest effects first, without those within strata."""
        tests = self.results["tests"]
        shown = (
            tests[(tests["question"] == question) & ~tests["grouping"].str.contains(" within ")]
            .sort_values(["effect_name", "effect"], ascending=[True, False])[
                [
                    "grouping",
                    "group_a",
                    "measure",
                    "n",
                    "effect_name",
                    "effect",
                    "effect_low",
                    "effect_high",
                    "p_value",
                    "q_value",
                    "verdict",
                    "customers_to_decide",
                ]
            ]
            .head(20)
        )
        return shown if shown["group_a"].any() else shown.drop(columns="group_a")

    def publishable(self, name: str) -> pd.DataFrame:
        """A table about groups of customers, small groups suppressed."""
        return publishable(self.results[name], self.stage.settings, self.results["habits"])

    def save(self) -> None:
        """Write the figures and figures.json."""
        draw.save(self.figures, self.images, self.stage.building("visualizations"))
        self.stage.built["visualizations"] = {"rows": len(self.figures)}
