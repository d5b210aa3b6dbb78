"""The settings: every adjustable number and label, read from settings.yml and checked."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from basket.project.errors import SettingsError


def _rising(values: list[float]) -> list[float]:
    """Refuse numbers of which one is not above the one before it."""
    if any(low >= high for low, high in pairwise(values)):
        raise ValueError("each number must be above the one before it")
    return values


def _different(values: list[str]) -> list[str]:
    """Refuse a label that stands twice: two groups would become one."""
    if len(set(values)) < len(values):
        raise ValueError("each label must stand once")
    return values


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Hours = Annotated[list[Annotated[int, Field(ge=0, le=23)]], Field(min_length=2, max_length=2)]
Colour = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
TwoLabels = Annotated[list[str], Field(min_length=2, max_length=2), AfterValidator(_different)]
ThreeLabels = Annotated[list[str], Field(min_length=3, max_length=3), AfterValidator(_different)]
Steps = Annotated[list[Positive], Field(min_length=3, max_length=3), AfterValidator(_rising)]


class Section(BaseModel):
    """A part of the settings: an unknown key is an error, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Report(Section):
    """What the report calls itself."""

    title: str
    subject: str
    client: str
    author: str
    language: str


class Thresholds(Section):
    """Where one label ends and the next begins; the name of each says its unit."""

    price_ceiling_dollars: Positive
    low_price_up_to_dollars: Positive
    mid_price_up_to_dollars: Positive
    low_spender_below_dollars: Positive
    regular_above_orders: Count
    loyal_above_orders: Count
    frequent_up_to_days: Positive
    non_frequent_above_days: Positive
    active_from_orders: Count
    busiest_hours: Annotated[int, Field(ge=1, le=12)]
    busiest_days: Annotated[int, Field(ge=1, le=3)]
    middle_age_from_years: Count
    older_age_from_years: Count
    middle_income_from_dollars: Positive
    high_income_from_dollars: Positive

    @model_validator(mode="after")
    def _in_order(self):
        for low, high in (
            ("low_price_up_to_dollars", "mid_price_up_to_dollars"),
            ("mid_price_up_to_dollars", "price_ceiling_dollars"),
            ("regular_above_orders", "loyal_above_orders"),
            ("frequent_up_to_days", "non_frequent_above_days"),
            ("middle_age_from_years", "older_age_from_years"),
            ("middle_income_from_dollars", "high_income_from_dollars"),
        ):
            if getattr(self, low) >= getattr(self, high):
                raise ValueError(f"{low} must be below {high}")
        return self


class Labels(Section):
    """The labels of each flag, in the order in which tables and charts show them."""

    price_range: ThreeLabels
    busiest_day: ThreeLabels
    busiest_days: ThreeLabels
    busiest_period_of_day: ThreeLabels
    loyalty_flag: ThreeLabels
    spending_flag: TwoLabels
    frequency_flag: ThreeLabels
    exclusion_flag: TwoLabels
    age_group: ThreeLabels
    income_group: ThreeLabels
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
    ratio: Steps


class Statistics(Section):
    """How sure the report must be."""

    confidence: Share
    significance: Share
    resamples: Count
    effects: Effects


class Privacy(Section):
    """What is too small to publish."""

    smallest_group: Count


class Generator(Section):
    """The generated default data set."""

    seed: int
    scale: Positive


class Limits(Section):
    """Sizes, times and shares that a run keeps within."""

    lines_per_part: Count
    threads: Count
    max_quarantined_share: Share
    memory_share: Share
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


class Settings(Section):
    """All settings."""

    report: Report
    thresholds: Thresholds
    labels: Labels
    day_names: Annotated[list[str], Field(min_length=7, max_length=7)]
    waking_hours: Hours
    window_hours: Annotated[int, Field(ge=1, le=12)]
    dayparts: dict[str, Hours]
    regions: dict[str, list[str]]
    rules: RuleSets
    statistics: Statistics
    privacy: Privacy
    generator: Generator
    seed: int
    limits: Limits
    palette: Palette

    @model_validator(mode="after")
    def _whole_day(self):
        hours = [hour for first, last in self.dayparts.values() for hour in range(first, last + 1)]
        if sorted(hours) != list(range(24)):
            raise ValueError("dayparts must hold each hour from 0 to 23 once")
        first, last = self.waking_hours
        if last - first + 1 < self.window_hours:
            raise ValueError("waking_hours must hold window_hours or more")
        return self

    @model_validator(mode="after")
    def _each_state_once(self):
        states = [state for names in self.regions.values() for state in names]
        doubled = sorted({state for state in states if states.count(state) > 1})
        if doubled:
            raise ValueError(f"regions must hold each state once; {doubled[0]} stands in several")
        return self

    def daypart_of_hour(self) -> list[int]:
        """Number of the daypart of each hour, 0 to 23."""
        bounds = list(self.dayparts.values())
        return [
            next(number for number, (first, last) in enumerate(bounds) if first <= hour <= last)
            for hour in range(24)
        ]

    def weekend_days(self) -> list[int]:
        """Numbers of the days called Saturday and Sunday."""
        return [number for number, name in enumerate(self.day_names) if name.startswith("S")]

    def rules_named(self, name: str) -> Rules:
        """Return the set of rules called `name`: corrected or course."""
        return getattr(self.rules, name)

    def region_of_state(self) -> dict[str, str]:
        """Map each state to its US Census region."""
        return {state: region for region, states in self.regions.items() for state in states}


def load_settings(path: Path) -> Settings:
    """Read and check a settings file; raise SettingsError that names the key at fault."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); expected a settings file"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path}: is not valid YAML: {reason}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: holds no settings; expected the keys of settings.yml")
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"]) or "settings"
        found = "" if isinstance(first["input"], dict) else f", found {first['input']!r}"
        raise SettingsError(f"{path}: {key}: {first['msg']}{found}") from None
