"""A flag of settings.yml: what it labels, from which column, and where each label begins."""

import re
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from basket.project import dictionary

LONGEST_TEXT = 1000  # characters; with a limit, a text that no file can hold is refused as well
BOUND = re.compile(r"(up to|below|above|from)(?: (\d+(?:\.\d+)?))?")
DECIMALS = 4  # of a bound, at most
FITS = re.compile(rf"\d{{1,9}}(\.\d{{1,{DECIMALS}}})?")  # times any customer's counts: 64 bits
LAST = {"up to": "above", "below": "from"}  # how the last band begins, by the form of the others
WORDS = (("up to ", "above {} up to {}", "above "), ("below ", "{} to below {}", "from "))
NUMBER = r"\d[\d,]*(?:\.\d+)?"
RANGE = re.compile(rf"({NUMBER})(\s*[-–]\s*)({NUMBER})")
LONE = re.compile(NUMBER)
EXCLUSIVE = re.compile(r"\b(over|above|under|below|(more|less|fewer) than)\b", re.IGNORECASE)


class Flag(BaseModel):
    """One flag. Labels are in the order of tables and charts."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, str_max_length=LONGEST_TEXT
    )

    of: Literal["product", "order", "customer"]
    source: str = Field(alias="from")
    unit: str = ""
    question: Annotated[str, Field(pattern=r"^Q\d+$")] | None = None
    describes_people: bool = False
    bands: dict[str, str] = {}
    ranks: list[str] = []
    gathers: dict[str, list[str]] = {}

    @property
    def labels(self) -> list[str]:
        """The labels without that for missing; none where the values received are the labels."""
        return [*self.bands, *self.ranks, *self.gathers]

    @property
    def columns(self) -> list[str]:
        """The columns it is made from."""
        return self.source.replace("/", " ").split()

    @property
    def cuts(self) -> list[int | float]:
        """Where one band ends and the next begins, in the flag's unit."""
        return [_number(text) for text in list(self.bands.values())[:-1]]

    @property
    def cut_belongs_above(self) -> bool:
        """Whether a value exactly at a cut belongs to the band above it (`below`, `from`)."""
        return next(iter(self.bands.values())).startswith("below")

    @property
    def rules(self) -> list[str]:
        """The rule of each label, in words; none where labels are received or composed."""
        if self.bands:
            first, between, last = WORDS[self.cut_belongs_above]
            cuts = [f"{cut:,.10g}" for cut in self.cuts]
            texts = [first + cuts[0], *map(between.format, cuts, cuts[1:]), last + cuts[-1]]
            return [f"{text} {self.unit}" for text in texts]
        if self.ranks:
            return ["most", "the rest", "fewest"]
        return list(map(", ".join, self.gathers.values()))

    @property
    def wording(self) -> str:
        """The labels with their rules, in words."""
        pairs = zip(self.labels, self.rules, strict=False)
        return "; ".join(f"{label}: {rule}" for label, rule in pairs)

    @property
    def is_counted(self) -> bool:
        """Whether it is one column, and not in cents: orders, years, days, dollars of income."""
        return len(self.columns) == 1 and not self.columns[0].endswith("_cents")

    @property
    def is_whole(self) -> bool:
        """Whether its values are counts without halves: a median may lie between two whole days."""
        types = {column.name: column.type for column in dictionary.columns()}
        return self.is_counted and not types.get(self.source, "").startswith("float")

    @property
    def smallest_step(self) -> float:
        """The least by which a cut may move, in the flag's unit: one of what is counted."""
        return 1 if self.is_counted else 10**-DECIMALS

    @property
    def bounds(self) -> list[Decimal]:
        """The cuts in the unit of the column: exact, and in cents where the column is."""
        scale = 100 if self.columns[0].endswith("_cents") else 1
        return [Decimal(str(cut)) * scale for cut in self.cuts]

    @property
    def edges(self) -> list[tuple[Decimal, bool]]:
        """Where each band but the last ends: its bound, and whether that itself is in the band."""
        return [(bound, not self.cut_belongs_above) for bound in self.bounds]

    def bands_at(self, cuts: list[int | float]) -> dict[str, str]:
        """Return the bands with other cuts; the numbers in their labels follow."""
        form = "below" if self.cut_belongs_above else "up to"
        texts = [f"{form} {_plain(cut)}" for cut in cuts]
        texts.append(f"{LAST[form]} {_plain(cuts[-1])}")
        return {
            self._restated(label, low, high): text
            for label, text, (low, high) in zip(self.bands, texts, _edges(cuts), strict=True)
        }

    @field_validator("bands")
    @classmethod
    def _are_bands(cls, bands: dict[str, str]) -> dict[str, str]:
        """Refuse bounds that are of two forms, do not rise, or leave the last band closed."""
        found = [(label, BOUND.fullmatch(text)) for label, text in bands.items()]
        for label, match in found:
            if match is None:
                raise ValueError(
                    f"{label}: {bands[label]!r} is no bound; expected `up to 10` or `below 10`, "
                    "and for the last label `above` or `from 10`"
                )
            if match[2] and not FITS.fullmatch(match[2]):
                raise ValueError(
                    f"{label}: {bands[label][:40]!r} is too large or too exact; expected a bound "
                    f"below 1,000,000,000 with at most {DECIMALS} decimals"
                )
        if not found:
            return bands
        if len(found) == 1:
            raise ValueError("one band alone divides nothing; expected two or more")
        *closed, (last, open_end) = found
        forms = {match[1] for _, match in closed}
        if len(forms) != 1 or not forms <= LAST.keys() or not all(match[2] for _, match in closed):
            raise ValueError(
                "all labels but the last need bounds of one form: all `up to 10`, or all `below 10`"
            )
        (form,) = forms
        for (low, _), (high, _) in pairwise(closed):
            if _number(bands[low]) >= _number(bands[high]):
                raise ValueError(
                    f"{low} ({bands[low]}) must be below {high} ({bands[high]}): bounds must rise"
                )
        expected = f"{LAST[form]} {closed[-1][1][2]}"
        if open_end[1] != LAST[form] or open_end[2] not in (None, closed[-1][1][2]):
            raise ValueError(f"{last}: the last label must say `{expected}`, not {bands[last]!r}")
        if form == "below" and _number(bands[closed[0][0]]) == 0:
            raise ValueError(f"{closed[0][0]}: nothing is below 0")
        return bands

    @model_validator(mode="after")
    def _agrees(self):
        """Refuse a flag of two kinds, and a label that states another number than its bounds."""
        if sum(map(bool, (self.bands, self.ranks, self.gathers))) > 1:
            raise ValueError("a flag has bands, ranks or gathers: one of them")
        if not all(label.strip() for label in self.labels):
            raise ValueError("found an empty label, expected a name")
        if self.ranks and len(set(self.ranks)) != 3:
            raise ValueError("ranks must be three different labels: most, the rest, fewest")
        if self.bands and not self.unit:
            raise ValueError("bands need the unit of their bounds")
        values = [value for each in self.gathers.values() for value in each]
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"gathers must have each value once; {value} is in several")
        for label, (low, high) in zip(self.bands, _edges(self.cuts), strict=bool(self.bands)):
            expected = self._restated(label, low, high)
            if label != expected:
                raise ValueError(
                    f"the label {label} states another number than its bounds "
                    f"({self.bands[label]}): it should say {expected}"
                )
        return self

    def _restated(self, label: str, low, high) -> str:
        """Set the numbers that a label states to the bounds of its band (None: open).

        Whole numbers are counted: from 40 to below 65 is 40-64. Of other numbers, such as money,
        means and medians, both bounds are stated.
        """
        is_whole = self.is_whole and all(edge is None or edge == int(edge) for edge in (low, high))
        above = self.cut_belongs_above
        first = low if low is None or above or not is_whole else low + 1
        last = high if high is None or not above or not is_whole else high - 1
        commas = "," if "," in label else ""

        def stated(edge, text: str) -> str:
            return text if edge is None else f"{edge:{commas}.10g}"

        if found := RANGE.search(label):
            says = stated(first, found[1]) + found[2] + stated(last, found[3])
            return label[: found.start()] + says + label[found.end() :]
        if found := LONE.search(label):
            beyond = 1 if is_whole and EXCLUSIVE.search(label) else 0  # over 39 is from 40
            edges = [first - beyond] if first is not None else []
            edges += [last + beyond] if last is not None else []
            if _number(found[0]) not in edges:
                return label[: found.start()] + stated(edges[0], found[0]) + label[found.end() :]
        return label


def _edges(cuts: list[int | float]) -> list[tuple]:
    """Both ends of each band; None where it is open."""
    return list(pairwise([None, *cuts, None])) if cuts else []


def _number(text: str) -> int | float:
    """Read the number at the end of a text: `up to 10`, `50,000`."""
    number = text.rsplit(maxsplit=1)[-1].replace(",", "")
    return float(number) if "." in number else int(number)


def _plain(number: int | float) -> str:
    return f"{number:.15g}"
