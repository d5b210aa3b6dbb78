"""Say where a run's data comes from: real, wholly generated, or with fabricated columns.

This is the one home of the answer and of the words that say it on figures, pages and sheets.
"""

from dataclasses import dataclass

from basket.project.folders import Folders
from basket.project.stages import read_record

REAL, GENERATED = "no", "data"  # the answers to: is it synthetic?
COLUMNS, PRICES, CUSTOMERS = "columns", "prices", "customers"  # or: both, or one of them


@dataclass(frozen=True)
class Banner:
    """What a reader must not overlook: a title and a sentence, and the short form on figures."""

    title: str
    text: str
    on_figures: str

    def __str__(self) -> str:
        """Return title and sentence in one line."""
        return f"{self.title}: {self.text}"


FABRICATED = {COLUMNS: "prices and customers", PRICES: "prices", CUSTOMERS: "customers"}
BANNERS = {
    GENERATED: Banner(
        "SYNTHETIC DATA",
        "generated, not real. Every number here describes invented orders.",
        "SYNTHETIC DATA",
    ),
    **{
        kind: Banner(
            "SYNTHETIC COLUMNS",
            f"{what} are fabricated by the generator, not real.",
            f"SYNTHETIC COLUMNS: {what}",
        )
        for kind, what in FABRICATED.items()
    },
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
        """One of REAL, GENERATED, COLUMNS, PRICES and CUSTOMERS."""
        if self.synthetic or not self.fabricated:
            return GENERATED if self.synthetic else REAL
        if len(self.fabricated) > 1:
            return COLUMNS
        return CUSTOMERS if "customers" in self.fabricated else PRICES

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
        made_by = {
            COLUMNS: "by our generator",
            PRICES: "by our generator (prices) and for a course (customers)",
            CUSTOMERS: "by our generator (customers) and for a course (prices)",
        }
        by = made_by.get(self.kind, "for a course")
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
        what = FABRICATED.get(self.kind, "").replace("and ", "and the ")
        fabricated = f"the {what} are fabricated by the generator"
        more = f"; SYNTHETIC COLUMNS: {fabricated}" if what else ""
        return f"Instacart's data in {self.owner} layout{more}"
