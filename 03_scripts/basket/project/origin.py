"""Say where a run's data comes from: real, wholly generated, or with fabricated columns.

This is the one home of the answer and of the words that say it on figures, pages and sheets.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from basket.project.dictionary import columns_of
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


NEVER_HIGH = "What rests on them shows the method, not the market, and is never rated high."
WAS_NOT_RECEIVED = "What was not received"
IS_REAL, IS_INVENTED, WAS_DRAWN = "What is real", "What is invented", "How it was drawn"
DRAWN = (
    "Instacart drew customers with four to a hundred orders, all within one year; the last order "
    "comes without its lines. Who never came back is not in it, and a gap of 30 days means 30 or "
    "more."
)


PRICE, PEOPLE = "prices", "customers"  # what may be invented, or absent
OF_PEOPLE = tuple(c.name for c in columns_of("raw_customers") if c.name != "user_id")
OPTIONAL = {PRICE: (PRICE,), PEOPLE: OF_PEOPLE}  # the columns of each
INSTACART = "Instacart's data"


class About(BaseModel):
    """What another shop says of its data in about.yml; `invented` names columns that it made up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=80)]
    citation: Annotated[str, Field(max_length=400)] = ""
    invented: tuple[str, ...] = ()

    @field_validator("invented")
    @classmethod
    def _are_optional(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = [column for columns in OPTIONAL.values() for column in columns]
        for name in names:
            if name not in known:
                raise ValueError(f"expected some of {', '.join(known)}")
        return names


@dataclass(frozen=True)
class Origin:
    """The generator's mark on the data, what it had to supply, and whose layout the data has.

    `absent` are columns about prices and people that were neither received nor fabricated, and
    `about` what another shop says of its data: of Instacart's, prices and people are invented.
    """

    synthetic: dict | None
    fabricated: tuple[str, ...]
    owner: str  # of the layout, as sentences say it: "the course's"
    absent: tuple[str, ...] = ()
    about_shop: About | None = None

    @classmethod
    def of_run(cls, folders: Folders) -> "Origin":
        """Return what stage 01 recorded; raise BasketError when it has not run yet."""
        facts = read_record(folders, "01_import")["facts"]
        about = facts.get("about")
        absent, shop = tuple(facts.get("absent", ())), About(**about) if about else None
        return cls(facts["synthetic"], tuple(facts["fabricated"]), facts["owner"], absent, shop)

    def invented(self, what: str) -> tuple[str, ...]:
        """Return the invented columns of PRICE or PEOPLE, by whomever."""
        if self.about_shop and not self.synthetic:
            return tuple(name for name in OPTIONAL[what] if name in self.about_shop.invented)
        return tuple(name for name in OPTIONAL[what] if name not in self.absent)

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
        real = (
            "The orders: their days, hours, gaps and baskets, and what is bought again, "
            "are the behaviour of real customers."
        )
        if self.about_shop:
            names = [*self.invented(PRICE), *self.invented(PEOPLE)]
            listed = f"By the shop's own account: {', '.join(names)}. {NEVER_HIGH}"
            return {
                IS_REAL: f"{self.about_shop.name}, as the shop gave it. Nothing was added to it.",
                IS_INVENTED: listed if names else "Nothing.",
                WAS_DRAWN: "As the shop chose: all of its orders that were received are in it.",
            } | self._not_received()
        return {IS_REAL: real, IS_INVENTED: self._invented(), WAS_DRAWN: DRAWN} | (
            self._not_received()
        )

    def _invented(self) -> str:
        """Say what of Instacart's data is invented, and by whom."""
        made_by = {
            COLUMNS: "by our generator",
            PRICES: "by our generator (prices) and for a course (customers)",
            CUSTOMERS: "by our generator (customers) and for a course (prices)",
        }
        by = made_by.get(self.kind, "for a course")
        prices, people = self.invented(PRICE), self.invented(PEOPLE)
        if not prices and not people:
            return "Nothing."
        what = "Prices" if prices else "Customers' ages, incomes, families and states"
        if prices and people:
            what = "Prices, and customers' ages, incomes, families and states,"
        return f"{what} were made up {by} and describe nobody. {NEVER_HIGH}"

    def _not_received(self) -> dict[str, str]:
        """Say what was neither received nor invented."""
        if not self.absent:
            return {}
        text = f"{', '.join(self.absent)}. What rests on them is not answered."
        return {WAS_NOT_RECEIVED: text}

    def sentence(self) -> str:
        """Say in one sentence what data this is."""
        if self.kind == GENERATED:
            scale = self.synthetic.get("scale")
            size = f" of SCALE {scale:g}" if isinstance(scale, int | float) else ""
            return f"SYNTHETIC DATA: a generated data set{size} in {self.owner} layout"
        what = FABRICATED.get(self.kind, "").replace("and ", "and the ")
        fabricated = f"the {what} are fabricated by the generator"
        more = f"; SYNTHETIC COLUMNS: {fabricated}" if what else ""
        left = f"; not received, and not invented: {', '.join(self.absent)}" * bool(self.absent)
        whose = self.about_shop.name if self.about_shop else f"{INSTACART} in {self.owner} layout"
        return f"{whose}{more}{left}"
