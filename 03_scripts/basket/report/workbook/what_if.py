"""What Monday's cells work out: inputs that a reader may change, and a lever's gain from them.

Each formula has its result beside it, worked out here in Python: previewers show the result, and a
spreadsheet works it out again. Nothing here is an effect: it is arithmetic on counts.
"""

from dataclasses import dataclass
from statistics import NormalDist

import pandas as pd

from basket.analysis.finding import (
    ALL_ORDERS,
    BOTH,
    ONE_MORE_LINE,
    ORDER_LINES,
    QUIET_WINDOWS,
    SOONER,
)
from basket.project.settings import Settings

PER_CENT, DOLLARS = "0.0%", "$#,##0.00"
CUSTOMERS = '[>=1000000]"over a million";#,##0'
NEVER = "never"
LARGEST_COST = 1_000
INPUT_OF = {  # the cell that sets a lever
    QUIET_WINDOWS: "more_orders",
    ONE_MORE_LINE: "one_more_line",
    BOTH: "add_other",
    SOONER: "sooner",
}


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
    orders_in_trial: tuple[float, float] | None  # of a customer: mean, standard deviation
    lines_in_trial: tuple[float, float] | None
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
    of_levers = {
        QUIET_WINDOWS: ("More orders in the quiet windows", "of those there today"),
        ONE_MORE_LINE: ("Orders that gain a line", "share of all orders"),
        BOTH: ("Orders that add the other", "share of those with one of the pair"),
        SOONER: ("Late returns a day sooner", "share of those later than usual"),
    }
    presets = {
        QUIET_WINDOWS: change.more_orders,
        ONE_MORE_LINE: change.orders_with_one_more_line,
        BOTH: change.orders_that_add_the_other,
        SOONER: change.late_returns_a_day_sooner,
    }
    found = [
        Input(INPUT_OF[lever], *words, presets[lever], 0, 1)
        for lever, words in of_levers.items()
        if lever in names
    ]
    cost, most = change.contact_dollars, LARGEST_COST
    guess = "put in yours"
    return [
        *found,
        Input("reach", "Orders reached", "share of those touched", change.reach, 0, 1),
        Input("contact", "Cost of a contact", f"USD an order; {guess}", cost, 0, most, DOLLARS),
        Input("margin", "Margin", f"of a dollar; {guess}", change.margin, 0, 1),
    ]


def facts(tables: dict[str, pd.DataFrame], settings: Settings) -> Facts:
    """Read what the formulas start from: active customers, all their orders."""
    days = tables["orders_by_day"]
    days = days[days["population"] == "active"]
    orders, lines = int(days["orders"].sum()), int(days["lines"].sum())
    z, limits = NormalDist().inv_cdf, settings.statistics
    reach = z(1 - limits.significance / 2) + z(limits.power)
    plan = tables.get("trial_plan")
    return Facts(
        round(float(days["spend"].sum()), 2),
        orders,
        lines / orders if orders else 0.0,
        _in_trial(plan, ALL_ORDERS),
        _in_trial(plan, ORDER_LINES),
        2 * reach**2,
    )


def _in_trial(plan: pd.DataFrame | None, outcome: str) -> tuple[float, float] | None:
    """Read how an outcome differs between customers, of the plan with most of them."""
    if plan is None or plan.empty:
        return None
    here = pd.to_numeric(plan["customers_here"], errors="coerce")
    here = here[(plan["outcome"] == outcome) & here.notna()]
    if here.empty:
        return None
    row = plan.loc[here.idxmax()]
    return float(row["mean_outcome"]), float(row["sd_outcome"])


class Lever:
    """A row of the what-if: what a lever touches today, and the formulas of what it would add."""

    def __init__(self, row: pd.Series, used: dict[str, float], of_run: Facts):
        """Take the lever's row of `prizes`, the inputs in use and the facts of the run."""
        self.row, self.used, self.facts = row, used, of_run
        self.name: str = row["lever"]
        self.is_sooner = self.name == SOONER
        self.adds_lines = self.name in (ONE_MORE_LINE, BOTH)
        self.orders = int(row["base_orders"])
        self.gap = float(row["days_per_order"]) if self.is_sooner else None
        money, per = row["base_spend"], self.orders
        if self.adds_lines:
            per = per * of_run.lines_per_order
        self.dollars = float(money) / float(per) if per and not pd.isna(money) and money else None

    @property
    def _effect(self) -> tuple[str, float]:
        """How much more of the orders today, as a formula and as a number."""
        name = INPUT_OF[self.name]
        if self.is_sooner:
            return f"used_{name}/{{gap}}", self.used[name] / self.gap
        return f"used_{name}", self.used[name]

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
        """Work out what the margin leaves after a contact for each order that is reached."""
        more = self.more_dollars()
        if more is None:
            return None
        used = self.used
        cost = self.orders * used["reach"] * used["contact"]
        return Formula(
            "={more_dollars}*used_margin-{orders}*used_reach*used_contact",
            more.result * used["margin"] - cost,
            "$#,##0;[Red]-$#,##0",
        )

    def break_even(self) -> Formula | None:
        """Find the share from which the margin pays for the contacts."""
        if self.dollars is None:
            return None
        text = "used_contact/({dollars}*used_margin)"
        kept = self.dollars * self.used["margin"]
        result = self.used["contact"] / (kept or 1)
        if self.is_sooner:
            text, result = f"{{gap}}*{text}", self.gap * result
        whole = f'=IF(used_margin>0,{text},"{NEVER}")'
        return Formula(whole, result if kept > 0 else NEVER, PER_CENT)

    def trial(self) -> Formula | None:
        """Size each arm of a trial that would see this change in all that customers order.

        In their order lines where the lever adds lines, else in their orders.
        n = 2 (z_(1 - alpha/2) + z_power)^2 (sd / mean)^2 / lift^2.
        Source: Fleiss, Levin and Paik (2003), ch. 4.
        """
        what = "lines" if self.adds_lines else "orders"
        known = self.facts.lines_in_trial if self.adds_lines else self.facts.orders_in_trial
        if known is None:
            return None
        mean, deviation = known
        more = self.more_orders().result
        lift = "({more_orders}/(orders_in_all*used_reach))"
        text = f"size_factor*(sd_{what}/mean_{what})^2/{lift}^2"
        result: float | str = NEVER
        if more > 0:
            of_all = more / (self.facts.orders * self.used["reach"])
            result = self.facts.factor * (deviation / mean) ** 2 / of_all**2
        return Formula(f'=IF({{more_orders}}>0,{text},"{NEVER}")', result, CUSTOMERS)
