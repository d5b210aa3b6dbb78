"""Say where a run's data comes from: real, wholly generated, or with fabricated columns.

This is the one home of the answer and of the words that say it on figures, pages and sheets.
"""

from dataclasses import dataclass

from basket.project.folders import Folders
from basket.project.stages import read_record

REAL, GENERATED, COLUMNS = "no", "data", "columns"  # the answers to: is it synthetic?


@dataclass(frozen=True)
class Banner:
    """What a reader must not overlook: a title and a sentence, and the short form on figures."""

    title: str
    text: str
    on_figures: str

    def __str__(self) -> str:
        """Return title and sentence in one line."""
        return f"{self.title}: {self.text}"


BANNERS = {
    GENERATED: Banner(
        "SYNTHETIC DATA",
        "generated, not real. Every number here describes invented orders.",
        "SYNTHETIC DATA",
    ),
    COLUMNS: Banner(
        "SYNTHETIC COLUMNS",
        "prices and customers are fabricated by the generator, not real.",
        "SYNTHETIC COLUMNS: prices and customers",
    ),
}


IS_REAL, IS_INVENTED, WAS_DRAWN = "What is real", "What is invented", "How it was drawn"
DRAWN = (
    "Each customer comes with four to a hundred orders, all within one year; the last order comes "
    "without its lines. Who never came back is not in it, and a gap of 30 days means 30 or more."
)


@dataclass(frozen=True)
class Origin:
    """The generator's mark on the data, what it had to supply, and whose layout the data has."""

    synthetic: dict | None
    fabricated: tuple[str, ...]
    owner: str  # of the layout, as sentences say it: "the course's"

    @classmethod
    def of_run(cls, folders: Folders) -> "Origin":
        """Return what stage 01 recorded; raise BasketError when it has not run yet."""
        facts = read_record(folders, "01_import")["facts"]
        return cls(facts["synthetic"], tuple(facts["fabricated"]), facts["owner"])

    @property
    def kind(self) -> str:
        """One of REAL, GENERATED and COLUMNS."""
        return GENERATED if self.synthetic else COLUMNS if self.fabricated else REAL

    @property
    def banner(self) -> Banner | None:
        """The banner of this data; None when it is real."""
        return BANNERS.get(self.kind)

    def about(self) -> dict[str, str]:
        """Say what is real in this data, what is invented, and how its customers were drawn."""
        if self.kind == GENERATED:
            return {
                IS_INVENTED: "Everything: orders, prices and customers are generated. No number "
                "describes a real shopper.",
                WAS_DRAWN: f"In the shape of the real data. {DRAWN}",
            }
        by = "by our generator" if self.kind == COLUMNS else "for a course"
        return {
            IS_REAL: "The orders: their days, hours, gaps and baskets, and what is bought again, "
            "are the behaviour of real customers.",
            IS_INVENTED: "Prices, and customers' ages, incomes, families and states, were made up "
            f"{by} and describe nobody. What rests on them shows the method, not the market, and "
            "is never rated high.",
            WAS_DRAWN: DRAWN,
        }

    def sentence(self) -> str:
        """Say in one sentence what data this is."""
        if self.kind == GENERATED:
            scale = self.synthetic.get("scale")
            size = f" of SCALE {scale:g}" if isinstance(scale, int | float) else ""
            return f"SYNTHETIC DATA: a generated data set{size} in {self.owner} layout"
        fabricated = "the prices and the customers are fabricated by the generator"
        more = f"; SYNTHETIC COLUMNS: {fabricated}" if self.kind == COLUMNS else ""
        return f"Instacart's data in {self.owner} layout{more}"
