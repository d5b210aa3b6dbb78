"""What Monday's cells work out: inputs that a reader may change, and a lever's gain from them.

Each formula has its result beside it, worked out here in Python: previewers show the result, and a
spreadsheet works it out again. Nothing here is an effect: it is arithmetic on counts.
"""

from dataclasses import dataclass
from statistics import NormalDist

import pandas as pd

from basket.analysis.finding import BOTH, ONE_MORE_LINE, QUIET_WINDOWS, SOONER
from basket.project.settings import Settings

PER_CENT, DOLLARS, DAYS = "0.0%", "$#,##0.00", "0.0"
NEVER = "never"
LARGEST_COST = 1_000


@dataclass(frozen=True)
class Input:
    """A cell that the reader may change; outside of `low` to `high` its limit is used."""

    name: str
    label: str
    meaning: str
    value: float
    low: float
    high: float
    number_format: str = PER_CENT


@dataclass(frozen=True)
class Facts:
    """What the run counted and the formulas start from."""

    spend: float
    orders: int
    lines_per_order: float
    mean_orders: float | None
    sd_orders: float | None
    factor: float  # of the sample size: 2 (z_(1 - alpha/2) + z_power)^2


@dataclass(frozen=True)
class Formula:
    """A formula, in terms of a row's cells and of names, with its result."""

    text: str
    result: float | str
    number_format: str = "#,##0"


def inputs(levers: pd.DataFrame, settings: Settings) -> list[Input]:
    """List the inputs, preset as settings say: those of this run's levers, then what all share."""
    change, names = settings.what_if, set(levers["lever"])
    gaps = [row.gap for row in levers.itertuples() if row.lever.startswith(SOONER)]
    most_days = max(min(gaps, default=0) / 2, change.days_sooner)
    of_levers = {
        QUIET_WINDOWS: ("more_orders", "More orders in the quiet windows", "of those there today"),
        ONE_MORE_LINE: ("one_more_line", "Orders that gain a line", "share of all orders"),
        BOTH: ("add_other", "Orders that add the other", "share of those with one of the pair"),
    }
    presets = (change.more_orders, change.orders_with_one_more_line)
    presets = (*presets, change.orders_that_add_the_other)
    found = [
        Input(*words, preset, 0, 1)
        for (lever, words), preset in zip(of_levers.items(), presets, strict=True)
        if lever in names
    ]
    if gaps:
        label, meaning = "Days sooner that customers come back", "at most half of the shortest gap"
        found.append(Input("days_sooner", label, meaning, change.days_sooner, 0, most_days, DAYS))
    cost, most = change.contact_dollars, LARGEST_COST
    guess = "put in yours"
    return [
        *found,
        Input("reach", "Customers reached", "share of those concerned", change.reach, 0, 1),
        Input("contact", "Cost of reaching a customer", f"USD; {guess}", cost, 0, most, DOLLARS),
        Input("margin", "Margin", f"of a dollar; {guess}", change.margin, 0, 1),
    ]


def facts(tables: dict[str, pd.DataFrame], settings: Settings) -> Facts:
    """Read what the formulas start from: active customers, all their orders."""
    days = tables["orders_by_day"]
    days = days[days["population"] == "active"]
    orders, lines = int(days["orders"].sum()), int(days["lines"].sum())
    z, limits = NormalDist().inv_cdf, settings.statistics
    reach = z(1 - limits.significance / 2) + z(limits.power)
    mean = deviation = None
    plan = tables.get("trial_plan")
    if plan is not None and len(plan):
        shown = pd.to_numeric(plan["customers_here"], errors="coerce").notna()
        whole = plan[(plan["outcome"] == "all orders") & shown].infer_objects()
        if len(whole):
            row = whole.loc[whole["customers_here"].idxmax()]
            mean, deviation = float(row["mean_orders"]), float(row["sd_orders"])
    return Facts(
        round(float(days["spend"].sum()), 2),
        orders,
        lines / orders if orders else 0.0,
        mean,
        deviation,
        2 * reach**2,
    )


class Lever:
    """A row of the what-if: what a lever touches today, and the formulas of what it would add."""

    def __init__(self, row: pd.Series, used: dict[str, float], of_run: Facts):
        """Take the lever's row of `prizes`, the inputs in use and the facts of the run."""
        self.row, self.used, self.facts = row, used, of_run
        self.name: str = row["lever"]
        self.is_sooner = self.name.startswith(SOONER)
        self.adds_lines = self.name in (ONE_MORE_LINE, BOTH)
        self.orders = int(row["base_orders"])
        self.customers = None if pd.isna(row["customers"]) else int(row["customers"])
        self.gap = float(row["gap"]) if self.is_sooner else None
        money = row["spend"] if self.adds_lines else row["base_spend"]
        per = row["change"] * self.orders if self.adds_lines else self.orders
        self.dollars = float(money) / float(per) if per and not pd.isna(money) and money else None

    @property
    def _effect(self) -> tuple[str, float]:
        """How much more of the orders today, as a formula and as a number."""
        if self.is_sooner:
            days = self.used["days_sooner"]
            return "({gap}/({gap}-used_days_sooner)-1)", self.gap / (self.gap - days) - 1
        name = {QUIET_WINDOWS: "more_orders", ONE_MORE_LINE: "one_more_line", BOTH: "add_other"}
        return f"used_{name[self.name]}", self.used[name[self.name]]

    @property
    def _touched(self) -> tuple[str, float]:
        text, effect = self._effect
        return f"{{orders}}*{text}*used_reach", self.orders * effect * self.used["reach"]

    def more_orders(self) -> Formula:
        """More orders; lines count as orders of usual size."""
        text, touched = self._touched
        if self.adds_lines:
            return Formula(f"={text}/lines_per_order", touched / self.facts.lines_per_order)
        return Formula(f"={text}", touched)

    def more_dollars(self) -> Formula | None:
        """More spend in US dollars; None where no price is known."""
        if self.dollars is None:
            return None
        text, touched = self._touched
        return Formula(f"={text}*{{dollars}}", touched * self.dollars, "$#,##0")

    def share_of_spend(self) -> Formula | None:
        """More spend as a share of all."""
        more = self.more_dollars()
        if more is None or not self.facts.spend:
            return None
        return Formula("={more_dollars}/spend_in_all", more.result / self.facts.spend, "0.0%")

    def left(self) -> Formula | None:
        """Work out what the margin leaves after the cost of reaching the customers."""
        more = self.more_dollars()
        if more is None or self.customers is None:
            return None
        used = self.used
        cost = self.customers * used["reach"] * used["contact"]
        return Formula(
            "={more_dollars}*used_margin-{customers}*used_reach*used_contact",
            more.result * used["margin"] - cost,
            "$#,##0;-$#,##0",
        )

    def break_even(self) -> Formula | None:
        """Find the change at which the margin pays the cost: a share, or days sooner."""
        if self.dollars is None or self.customers is None:
            return None
        cost = self.customers * self.used["contact"]
        kept = self.orders * self.dollars * self.used["margin"]
        spent, gains = "{customers}*used_contact", "{orders}*{dollars}*used_margin"
        if self.is_sooner:
            text, result = (
                f"{{gap}}*{spent}/({gains}+{spent})",
                self.gap * cost / (kept + cost or 1),
            )
            form = '0.00" days sooner"'
        else:
            text, result, form = f"{spent}/({gains})", cost / (kept or 1), "0.0%"
        whole = f'=IF(used_margin>0,{text},"{NEVER}")'
        return Formula(whole, result if self.used["margin"] > 0 else NEVER, form)

    def trial(self) -> Formula | None:
        """Size each arm of a trial that would see this change in all orders, in customers.

        n = 2 (z_(1 - alpha/2) + z_power)^2 (sd / mean)^2 / lift^2.
        Source: Fleiss, Levin and Paik (2003), ch. 4.
        """
        if self.facts.mean_orders is None or self.adds_lines:
            return None
        base = ("{orders}", self.orders) if self.is_sooner else ("orders_in_all", self.facts.orders)
        more = self.more_orders().result
        lift = f"({{more_orders}}/({base[0]}*used_reach))"
        text = f"size_factor*(sd_orders/mean_orders)^2/{lift}^2"
        result: float | str = NEVER
        if more > 0:
            spread = self.facts.sd_orders / self.facts.mean_orders
            result = self.facts.factor * spread**2 / (more / (base[1] * self.used["reach"])) ** 2
        return Formula(f'=IF({{more_orders}}>0,{text},"{NEVER}")', result)
