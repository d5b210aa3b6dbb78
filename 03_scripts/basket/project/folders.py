"""Where things are: the checkout, and the folder that receives what a run builds."""

import os
from dataclasses import dataclass
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
    def client(self) -> Path:
        """What the client receives."""
        return self.out / "05_sent_to_client"

    @property
    def report(self) -> Path:
        """The Excel report."""
        return self.client / "instacart_final_report.xlsx"


def folders_of_run() -> Folders:
    """The folders of the run that started this process; a notebook run by hand: the checkout's."""
    return Folders(Path(os.environ.get("BASKET_OUT", ROOT)))
