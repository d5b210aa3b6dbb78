"""Read and check the settings: every adjustable number and label, from settings.yml."""

from collections.abc import Collection
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from basket.project import dictionary
from basket.project.flag import LONGEST_TEXT, Flag
from basket.project.yaml_file import parse_yaml, read_yaml


def _rising(values: list[float]) -> list[float]:
    """Refuse numbers of which one is not above the one before it."""
    if any(low >= high for low, high in pairwise(values)):
        raise ValueError("each number must be above the one before it")
    return values


def _from_to(hours: list[int]) -> list[int]:
    """Refuse hours of which the last comes before the first."""
    if hours[0] > hours[1]:
        raise ValueError("the first hour must not be after the last")
    return hours


Positive = Annotated[float, Field(gt=0, le=10**12, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0, le=10**12)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, le=1)]
SomeShare = Annotated[float, Field(gt=0, le=1)]
Chance = Annotated[float, Field(gt=0, lt=1)]
Factor = Annotated[float, Field(gt=1, le=10**12)]
Hour = Annotated[int, Field(ge=0, le=23)]
Hours = Annotated[list[Hour], Field(min_length=2, max_length=2), AfterValidator(_from_to)]
Colour = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
THREE = (Field(min_length=3, max_length=3), AfterValidator(_rising))
Steps = Annotated[list[SomeShare], *THREE]


class Section(BaseModel):
    """A part of the settings: an unknown key is an error, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=LONGEST_TEXT)


class Report(Section):
    """What the report calls itself."""

    title: str
    subject: str
    client: str
    author: str
    language: str


class Thresholds(Section):
    """Limits and ranks that belong to no flag; the cut points of labels are in the flags."""

    price_ceiling_dollars: Positive
    busiest_hours: Annotated[int, Field(ge=1, le=12)]
    busiest_days: Annotated[int, Field(ge=1, le=3)]


class Labels(Section):
    """Labels that belong to no flag."""

    missing: str
    unnamed_product: str
    damaged_name: str
    unnamed_departments: list[str]


class Rules(Section):
    """One named set of switches: how the analysis treats the known faults of the data."""

    repair_product_ids: bool
    keep_unnamed_products: bool
    every_line_must_match: bool
    clean_prices_before_flags: bool
    rank_busiest_by: Literal["orders", "lines"]
    median_gap_over: Literal["orders", "lines"]


class RuleSets(Section):
    """The two sets of rules (D-02)."""

    corrected: Rules
    course: Rules


class Effects(Section):
    """The smallest effect called small, medium and large, for each measure of effect."""

    cramers_v: Steps
    epsilon_squared: Steps
    cliffs_delta: Steps
    ratio: Annotated[list[Factor], *THREE]


class Statistics(Section):
    """How sure the report must be."""

    confidence: Chance
    significance: Chance
    power: Chance
    most_times_the_data: Positive
    fewest_effective_customers: Positive
    largest_share_of_one: Share
    income_bands: Annotated[Count, Field(le=100)]
    equal_order_numbers: Annotated[
        list[Count], Field(min_length=2, max_length=2), AfterValidator(_rising)
    ]
    incomplete_histories: Share
    effects: Effects


class BasketLabel(Section):
    """What baskets tell of a household: the department, and its least share of own lines."""

    department: str
    share: Share


class Trial(Section):
    """The trial of an action: how long, and how small a lift it should see."""

    weeks: Count
    lifts: Annotated[list[Positive], *THREE]


class WhatIf(Section):
    """The change that each lever's prize is worked out for."""

    more_orders: Share
    late_returns_a_day_sooner: Share
    orders_with_one_more_line: Share
    orders_that_add_the_other: Share
    reach: Share
    contact_dollars: Positive
    margin: Share


SMALLEST_GROUP = 11  # no settings may publish smaller ones (D-58)


class Privacy(Section):
    """What is too small to publish."""

    smallest_group: Annotated[Count, Field(ge=SMALLEST_GROUP)]


class Generator(Section):
    """The generated default data set."""

    seed: Seed
    scale: Positive


class Limits(Section):
    """Sizes, times and shares that a run keeps within."""

    lines_per_part: Count
    threads: Count
    max_quarantined_share: Share
    memory_share: SomeShare
    cell_timeout_seconds: Count
    largest_archive_gigabytes: Positive
    largest_archive_ratio: Positive


class Palette(Section):
    """The colours of charts and sheets."""

    ink: Colour
    muted: Colour
    grid: Colour
    accent: Colour
    contrast: Colour
    third: Colour
    fourth: Colour
    paper: Colour
    warning: Colour


POPULATION_FLAG = "exclusion_flag"  # its last label is the active population
DEPENDANTS = ("no dependants", "with dependants")
BUSIEST = ("busiest_day", "busiest_days", "busiest_period_of_day")  # the flags of orders
NAMED_FLAGS = {  # flags that the analysis knows by name: the column and the number of labels
    "price_range": ("price_cents", 3),
    "busiest_day": ("order_day", 3),
    "busiest_days": ("order_day", 3),
    "busiest_period_of_day": ("order_hour", 3),
    "loyalty_flag": (None, 3),
    POPULATION_FLAG: (None, 2),
    "rhythm": ("median_days_between_orders", None),
    "basket": ("lines / orders", None),
    "segment": ("rhythm basket", 0),
    "region": ("state", None),
    "age_group": ("age", None),
    "income_group": ("income", None),
    "family_status": ("family_status", 0),
    "gender": ("gender", 0),
    "n_dependants": ("n_dependants", 0),
    "profile": ("age_group n_dependants income_group", 0),
}


class Settings(Section):
    """All settings."""

    report: Report
    thresholds: Thresholds
    flags: dict[str, Flag]
    labels: Labels
    day_names: Annotated[list[str], Field(min_length=7, max_length=7)]
    weekend: list[str]
    waking_hours: Hours
    window_hours: Annotated[int, Field(ge=1, le=12)]
    dayparts: dict[str, Hours]
    rules: RuleSets
    statistics: Statistics
    basket_labels: dict[str, BasketLabel]
    trial: Trial
    what_if: WhatIf
    privacy: Privacy
    generator: Generator
    seed: Seed
    limits: Limits
    palette: Palette

    @model_validator(mode="after")
    def _days_and_hours_fit(self):
        hours = [hour for first, last in self.dayparts.values() for hour in range(first, last + 1)]
        if sorted(hours) != list(range(24)):
            raise ValueError("dayparts must hold each hour from 0 to 23 once")
        if len({name.lower() for name in self.dayparts}) < len(self.dayparts):
            raise ValueError("dayparts must differ, also in small letters")
        first, last = self.waking_hours
        if last - first + 1 < self.window_hours:
            raise ValueError("waking_hours must hold window_hours or more")
        if len(set(self.day_names)) < 7 or not set() < set(self.weekend) < set(self.day_names):
            raise ValueError("day_names must differ, and weekend must name some of them")
        return self

    @model_validator(mode="after")
    def _flags_fit(self):
        for name, (source, labels) in NAMED_FLAGS.items():
            if name not in self.flags:
                raise ValueError(f"flags.{name} is missing; the analysis needs a flag of this name")
            flag = self.flags[name]
            if source not in (None, flag.source):
                raise ValueError(f"flags.{name}.from: found {flag.source!r}, expected {source}")
            if labels not in (None, len(flag.labels)):
                found = len(flag.labels)
                raise ValueError(f"flags.{name} must have {labels} labels, found {found}")
        for name, flag in self.flags.items():
            if self.labels.missing in flag.labels:
                raise ValueError(f"flags.{name}: {self.labels.missing} is the label for missing")
            if {bool(flag.ranks), flag.of == "order"} != {name in BUSIEST}:
                raise ValueError(f"flags.{name}: expected ranks in {', '.join(BUSIEST)} alone")
            dictionary.require_flag(name, flag)
        if absent := dictionary.flags_described() - set(self.flags):
            raise ValueError(
                f"flags.{min(absent)} is missing, but {dictionary.PATH.name} describes it: take "
                "its row away as well"
            )
        for name, groups in self.composed().items():
            labels = [label for label, _ in groups]
            for label in labels:
                if [*labels, self.labels.missing].count(label) > 1:
                    parts = [f"flags.{part}" for part in self.flags[name].columns]
                    raise ValueError(
                        f"flags.{name}: two of its labels would be {label!r}; they are put "
                        f"together from those of {', '.join(parts)}: rename one there"
                    )
        dictionary.derivations(self)  # refuses what its rows ask of no settings
        highest, ceiling = self.flags["price_range"].cuts[-1], self.thresholds.price_ceiling_dollars
        if highest >= ceiling:
            raise ValueError(
                f"flags.price_range must end below thresholds.price_ceiling_dollars: {highest:g} "
                f"is not below {ceiling:g}"
            )
        return self

    def flags_of(self, what: str) -> dict[str, Flag]:
        """Return the flags of products, orders or customers: `what` is the singular."""
        return {name: flag for name, flag in self.flags.items() if flag.of == what}

    def composed(self) -> dict[str, list[tuple[str, dict[str, str]]]]:
        """Name all segments (rhythm x basket, D-48) and profiles (D-24), each with its parts.

        Segments are called as a marketer says them: Weekly big shop.
        """
        rhythms, baskets, ages, incomes = (
            self.flags[name].labels for name in ("rhythm", "basket", "age_group", "income_group")
        )
        return {
            "segment": [
                (f"{rhythm} {basket[0].lower()}{basket[1:]}", {"rhythm": rhythm, "basket": basket})
                for rhythm, basket in product(rhythms, baskets)
            ],
            "profile": [
                (
                    f"{age}, {household}, {income.lower()}",
                    {"age_group": age, "dependants": household, "income_group": income},
                )
                for age, household, income in product(ages, DEPENDANTS, incomes)
            ],
        }

    def groupings(self) -> list[str]:
        """Name the flags that group customers, in order."""
        return [name for name in self.flags_of("customer") if name != POPULATION_FLAG]

    def tested(self) -> dict[str, Flag]:
        """Return the groupings that serve a question, in the order of the questions."""
        found = {name: self.flags[name] for name in self.groupings() if self.flags[name].question}
        return dict(sorted(found.items(), key=lambda item: int(item[1].question[1:])))

    def banded(self) -> list[str]:
        """Name the tested groupings whose groups are bands of ours: thresholds move them."""
        return [name for name, flag in self.tested().items() if flag.bands]

    def unknown_departments(self, departments: Collection[str], *, with_keys: bool) -> str:
        """Say which departments that settings name are not among these; empty where all are.

        Another shop's data may lack one; in most data it is a misspelling that would go unseen.
        """
        named = [(rule.department, f"basket_labels.{k}") for k, rule in self.basket_labels.items()]
        named += [(name, "labels.unnamed_departments") for name in self.labels.unnamed_departments]
        absent = [
            f"{name} ({key})" if with_keys else name
            for name, key in named
            if name not in departments
        ]
        if not absent:
            return ""
        return (
            f"the settings name departments that this data lacks, or of which nothing was sold: "
            f"{', '.join(absent)}; correct those that are misspelt"
        )

    @property
    def regions(self) -> dict[str, list[str]]:
        """The states of each US Census region."""
        return self.flags["region"].gathers

    def daypart_of_hour(self) -> list[int]:
        """Return the number of the daypart of each hour, 0 to 23."""
        bounds = list(self.dayparts.values())
        return [
            next(number for number, (first, last) in enumerate(bounds) if first <= hour <= last)
            for hour in range(24)
        ]

    def weekend_days(self) -> list[int]:
        """Return the numbers of the days of the weekend."""
        return [number for number, name in enumerate(self.day_names) if name in self.weekend]

    def rules_named(self, name: str) -> Rules:
        """Return the set of rules called `name`: corrected or course."""
        return getattr(self.rules, name)


def load_settings(path: Path) -> Settings:
    """Read and check a settings file; raise SettingsError that names the key at fault."""
    return read_yaml(path, Settings)


def parse_settings(text: str, path: Path) -> Settings:
    """Check the text of a settings file; raise SettingsError that names `path` and the key."""
    return parse_yaml(text, path, Settings)
