"""Where things are: the checkout, and the folder that receives what a run builds."""

import os
from dataclasses import dataclass, fields
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "03_scripts"
ORIGINAL_DATA = ROOT / "02_data" / "original_data"


@dataclass(frozen=True)
class Folders:
    """The folders that a run writes to, all below `out` (the checkout, or what OUT says)."""

    out: Path = ROOT

    @property
    def prepared(self) -> Path:
        """Parquet tables and the stages' records."""
        return self.out / "02_data" / "prepared_data"

    @property
    def generated(self) -> Path:
        """The generated default data set."""
        return self.prepared / "generated_data"

    @property
    def analysis(self) -> Path:
        """Everything the analyst reads."""
        return self.out / "04_analysis"

    @property
    def notebooks(self) -> Path:
        """Executed notebooks and their pages."""
        return self.analysis / "notebooks"

    @property
    def tables(self) -> Path:
        """Result tables."""
        return self.analysis / "tables"

    @property
    def visualizations(self) -> Path:
        """Figures."""
        return self.analysis / "visualizations"

    @property
    def findings(self) -> Path:
        """The findings."""
        return self.analysis / "findings.json"

    @property
    def run_facts(self) -> Path:
        """What the report may say of the run that built it."""
        return self.analysis / "run_facts.json"

    @property
    def client(self) -> Path:
        """What the client receives."""
        return self.out / "05_sent_to_client"

    @property
    def report(self) -> Path:
        """The Excel report."""
        return self.client / "instacart_final_report.xlsx"


@dataclass(frozen=True)
class Inputs:
    """What a run hands to its notebooks through the environment, as BASKET_OUT and so on.

    A notebook run by hand gets none of it and works in the checkout.
    """

    out: Path = ROOT
    settings: Path = ROOT / "settings.yml"
    data: Path | None = None
    scheduler: str | None = None  # address of a Dask cluster
    building: Path | None = None  # where the notebook leaves what the run will publish
    invent_nothing: str = ""  # "yes": what was not received stays empty

    @classmethod
    def received(cls) -> "Inputs":
        """Read them from the environment."""
        found = {}
        for name in (field.name for field in fields(cls)):
            if value := os.environ.get(_variable(name)):
                is_text = name in ("scheduler", "invent_nothing")
                found[name] = value if is_text else Path(value)
        return cls(**found)

    def environment(self) -> dict[str, str]:
        """Return the variables that hand them on."""
        return {_variable(name): str(value or "") for name, value in vars(self).items()}


def _variable(name: str) -> str:
    return f"BASKET_{name.upper()}"


def folders_of_run() -> Folders:
    """Return the folders of the run that started this process, or the checkout's."""
    return Folders(Inputs.received().out)
