"""A finding, the evidence that it takes its numbers from, and what is said instead of an answer.

No sentence is typed in that data could falsify. A finding takes each number from a cell of a result
table through `Evidence`, which notes its place; `basket verify` looks every one of them up
again.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from math import isnan

import pandas as pd

from basket.analysis.where import where
from basket.analysis.words import capitalised
from basket.project.dictionary import result_column
from basket.project.origin import PEOPLE, PRICE
from basket.project.settings import Settings
from basket.tables import completeness

MARKETING, SALES = "VP of Marketing", "SVP of Sales"
DESCRIPTION, DIFFERENCE, CANDIDATE = "description", "difference", "candidate"
NOT_ANSWERED = "not answered"  # kinds of findings, beside two verdicts
DESIGN, HYPOTHESIS, NO_ACTION = "design", "hypothesis", "none"  # what an action rests on
MORE, LESS = "more", "less"

INVENTED_PRICES, INVENTED_CUSTOMERS = "invented prices", "invented customers"
INVENTED = {INVENTED_PRICES: PRICE, INVENTED_CUSTOMERS: PEOPLE}
DAY_NAMES = "day names are our reading"
INCOMPLETE_HISTORIES, SYNTHETIC_DATA = "incomplete histories", "synthetic data"
SAID = {  # what a finding or a figure rests on, as its so-what says it
    frozenset({INVENTED_PRICES}): "Prices are invented in this data: this shows the method.",
    frozenset({INVENTED_CUSTOMERS}): "Customers' ages, incomes, families and states are invented "
    "in this data: this shows the method.",
    frozenset({INVENTED_PRICES, INVENTED_CUSTOMERS}): "Prices and customers' ages, incomes, "
    "families and states are invented in this data: this shows the method.",
}
QUIET_WINDOWS, SOONER, ONE_MORE_LINE, BOTH = "quiet windows", "sooner", "one more line", "both"
ALL_ORDERS, ORDER_LINES = "all orders", "order lines"  # outcomes of a trial
OWN_USUAL_GAP = "own usual gap"  # what an action touches that follows each customer's own
LARGER_ORDERS = "larger orders"  # what an action touches that is to make them so
SIZES = ("rank", "orders", "share_of_orders", "spend", "share_of_spend")  # of a lever's prize
NEVER_HIGH = {INVENTED_PRICES, INVENTED_CUSTOMERS, INCOMPLETE_HISTORIES}
UNITS = {  # of a column in one table, where the dictionary gives that of most tables
    "busiest_times.index_low": "times the average",
    "busiest_times.share": "share of orders",
    "days_between_orders.share": "share of returns",
    "days_between_orders.share_of_customers": "share of active customers",
    "usual_gaps.median_days": "days",
}


class NotAnswered(Exception):
    """This data cannot answer a question: the true reason, as a sentence for the reader."""

    so_what = "Nothing follows from this data."
    action = "No action follows."

    @property
    def headline(self) -> str:
        """Say the reason as a headline."""
        reason = str(self).rstrip(".")
        return f"Not answered: {reason[:1].lower()}{reason[1:]}"


class TooLittleData(NotAnswered):
    """This data holds too little to say."""


class IncompleteHistories(NotAnswered):
    """The answer needs each customer's whole history, and too many histories have holes."""

    so_what = "What customers did before the orders of this data is unknown."
    action = "Run the analysis again with every order of each customer."


@dataclass(frozen=True, kw_only=True)
class Touch:
    """What an action touches: an empty name is not touched; `direction` is more or less of it.

    `hours` are those of the action within its daypart, the end excluded: (20, 23). `attribute` says
    what a group of people is a group of; a segment by habits has none.
    """

    direction: str
    day: str = ""
    daypart: str = ""
    hours: tuple[int, int] | tuple[()] = ()
    department: str = ""
    segment: str = ""
    attribute: str = ""


@dataclass(frozen=True, kw_only=True)
class Prize:
    """What acting could touch, of the active population: orders, US dollars, share of spend.

    `what_if` says it in a sentence. It is no effect: nothing was varied in this data. `lever` names
    the row of the table prizes that sizes it, once all levers are sized.
    """

    what_if: str
    lever: str = ""
    orders: int | None = None
    spend: float | None = None
    share_of_spend: float | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One answer: what was found, so what, what to do, who does it, how sure we are.

    `confidence` is that of the fact; `action_basis` says what the action rests on: `design` (how to
    plan or analyse), `hypothesis` (to be tried with a control group) or `none`. `rests_on` names
    what was invented or assumed, `figure` the figure that shows it.
    """

    headline: str
    so_what: str
    action: str
    kind: str = DESCRIPTION
    action_basis: str = NO_ACTION
    touches: tuple[Touch, ...] = ()
    owner: str = MARKETING
    confidence: str = "low"
    rests_on: tuple[str, ...] = ()
    figure: str = ""
    prize: Prize | None = None
    change_mind: str = ""


class Evidence:
    """The result tables, and every number that one finding takes from them."""

    def __init__(self, tables: dict[str, pd.DataFrame]):
        """Take numbers from `tables`."""
        self.tables = tables
        self.numbers: dict[str, dict] = {}
        self.evidence: list[str] = []  # the tables that numbers were taken from

    def require_histories(self) -> None:
        """Raise IncompleteHistories where too many customers' histories have holes."""
        require_histories(self.tables)

    def row(self, table: str, **where) -> "Row":
        """Find the one row of a table in which the columns have these values."""
        return Row(self, table, where)


class Row:
    """One row of a result table: each cell that is read is noted as a number of the finding."""

    def __init__(self, seen: Evidence, table: str, where: dict):
        """Find the row; LookupError unless there is exactly one."""
        if table not in seen.tables or not {*where} <= {*seen.tables[table]}:
            raise LookupError(
                f"no table {table} has these columns: asked for the row where {where}"
            )
        rows = seen.tables[table]
        for key, value in where.items():
            rows = rows[rows[key].astype("str") == str(value)]
        if len(rows) != 1:
            raise LookupError(f"{table} has {len(rows)} rows where {where}; expected one")
        self._seen, self._table, self._where = seen, table, where
        self._row = rows.iloc[0:1]

    def __getattr__(self, column: str):
        """Read a cell and note it under the name of its column."""
        if column.startswith("_") or column not in self._row:
            raise AttributeError(f"{self._table} has no column {column}")
        return self.cell(column)

    def holds(self, column: str) -> bool:
        """Say whether a cell holds a value, without noting it."""
        return bool(self._row[column].notna().iloc[0])

    def cell(self, column: str, name: str = "", unit: str = ""):
        """Read a cell and note it under `name`; `unit` where the column alone does not tell it."""
        described = result_column(column)
        value = self._row[column].iloc[0]
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, float):
            value = round(value, described.decimals)  # as the table is written
        where = {"column": column} | {key: str(value) for key, value in self._where.items()}
        self._seen.numbers[name or column] = {
            "value": value,
            "unit": unit or UNITS.get(f"{self._table}.{column}", described.unit),
            "table": self._table,
            "where": where,
        }
        if self._table not in self._seen.evidence:
            self._seen.evidence.append(self._table)
        return value


def answer(
    function: Callable[[Evidence, Settings], Finding],
    tables: dict[str, pd.DataFrame],
    settings: Settings,
    of_data: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
) -> tuple[Finding, Evidence]:
    """Answer, or say why this data cannot: the only place that catches NotAnswered.

    Every finding rests on `of_data`, what is invented or missing in all of the data; none on prices
    or people that are not invented. Nothing is to be tried with people who are. Where what its
    question `needs` was not received, that is why there is no answer.
    """
    seen = Evidence(tables)
    try:
        require_active(tables)
        found = function(seen, settings)
        require_numbers(seen)
    except NotAnswered as reason:
        if isinstance(reason, TooLittleData):
            reason = TooLittleData(completeness.why_not(tables["completeness"], needs) or reason)
        found = Finding(
            kind=NOT_ANSWERED,
            headline=reason.headline,
            so_what=reason.so_what,
            action=reason.action,
        )
        return replace(found, rests_on=of_data), Evidence(tables)
    real = [name for name, what in INVENTED.items() if not is_invented(tables, what)]
    found = replace(found, rests_on=tuple(name for name in found.rests_on if name not in real))
    if is_a_handful(tables, settings):
        found = replace(found, confidence="low")
    if INVENTED_CUSTOMERS in found.rests_on and any(map(_is_of_people, found.touches)):
        found = _with_real_people(found)
    return with_caveats(found, of_data), seen


def _is_of_people(touch: Touch) -> bool:
    """Whether an action picks customers by who they are: a segment by habits has no attribute."""
    return bool(touch.segment and touch.attribute)


def _with_real_people(found: Finding) -> Finding:
    """Say what to try once customers are real: nobody can find those that were invented."""
    later = found.action[:1].lower() + found.action[1:]
    action = f"Nothing follows from invented customers. With real ones: {later}"
    return replace(found, action=action, action_basis=NO_ACTION, touches=(), prize=None)


def is_invented(tables: dict[str, pd.DataFrame], what: str) -> bool:
    """Say whether something about prices or customers is invented: so where nothing tells."""
    return "completeness" not in tables or completeness.is_invented(tables["completeness"], what)


def if_invented(tables: dict[str, pd.DataFrame], what: str) -> str:
    """Give the sentence that a figure's so-what ends with if prices or customers are invented."""
    return f" {SAID[frozenset({what})]}" * is_invented(tables, INVENTED[what])


def is_a_handful(tables: dict[str, pd.DataFrame], settings: Settings) -> bool:
    """Say whether fewer customers are active than a published group needs: nothing is sure then."""
    active = tables["habits"][where(population="active")]
    if "customers" not in active:
        return False
    return active.groupby("grouping")["customers"].sum().max() < settings.privacy.smallest_group


def with_caveats(found: Finding, of_data: tuple[str, ...]) -> Finding:
    """Say what a finding rests on; what rests on invented or missing data is never `high`."""
    rests_on = tuple(dict.fromkeys([*found.rests_on, *of_data]))
    said = SAID.get(frozenset(rests_on) & {INVENTED_PRICES, INVENTED_CUSTOMERS}, "")
    limited = found.confidence == "high" and NEVER_HIGH & set(rests_on)
    return replace(
        found,
        so_what=f"{found.so_what} {said}".strip(),
        confidence="medium" if limited else found.confidence,
        rests_on=rests_on,
    )


def require_numbers(seen: Evidence) -> None:
    """Raise TooLittleData where a number that an answer took could not be computed."""
    lacking = [
        number["where"]["column"]
        for number in seen.numbers.values()
        if isinstance(number["value"], float) and isnan(number["value"])
    ]
    if lacking and all(column.endswith(("_low", "_high")) for column in lacking):
        raise TooLittleData(
            "An interval that the answer needs cannot be computed: too few customers are behind "
            "it, or one of them holds too much."
        )
    if lacking:
        raise TooLittleData("A number that the answer needs cannot be computed from this data.")


def require_active(tables: dict[str, pd.DataFrame]) -> None:
    """Raise TooLittleData where no customer is active: then there is nothing to say or draw."""
    if tables["habits"][where(population="active")].empty:
        raise TooLittleData("No customer has enough orders to count as active.")


def require_histories(tables: dict[str, pd.DataFrame]) -> None:
    """Raise IncompleteHistories where too many customers' histories have holes (D-46)."""
    if len(completeness.beyond_limit(tables["completeness"])):
        raise IncompleteHistories("Histories are incomplete.")


def sized(found: dict, prizes: pd.DataFrame) -> dict:
    """Size the prize of a recorded finding by its lever, if the table prizes has it."""
    lever = (found["prize"] or {}).get("lever")
    if not (prizes["lever"] == lever).any():
        return found
    seen = Evidence({"prizes": prizes})
    row = seen.row("prizes", lever=lever)
    cells = {name: row.cell(name, f"prize_{name}") if row.holds(name) else None for name in SIZES}
    what_if = (
        f"{row.cell('what_if', 'prize_what_if')}: {cells['orders']:,} "
        f"order{'s' * (cells['orders'] != 1)}, {cells['share_of_orders']:.1%} of all orders"
    )
    return found | {
        "prize": found["prize"] | cells | {"what_if": f"{capitalised(what_if)}."},
        "numbers": found["numbers"] | seen.numbers,
        "evidence": [*found["evidence"], *seen.evidence],
    }


def record(number: int, question: str, finding: Finding, seen: Evidence) -> dict:
    """Describe a finding as findings.json does; `number` is its place among all, from 1."""
    touches = [
        {name: value for name, value in asdict(touch).items() if value} for touch in finding.touches
    ]
    return {
        "id": f"F{number:02d}",
        "question": question,
        **asdict(finding),
        "touches": touches,
        "evidence": seen.evidence,
        "numbers": seen.numbers,
    }


def contradictions(found: list[dict]) -> list[str]:
    """Name the pairs of findings, as recorded, whose actions contradict each other.

    Two touches do where one is more, the other less, they name something in common (a day, a part
    of the day, a department, a segment or an attribute), and nothing that differs: more of frozen
    goods in the evening goes with less of produce then.
    """
    touches = [(finding["id"], touch) for finding in found for touch in finding["touches"]]
    return [
        f"{one} and {other}"
        for (one, first), (other, second) in combinations(touches, 2)
        if _contradict(first, second)
    ]


def _contradict(first: dict, second: dict) -> bool:
    shared = (first.keys() & second.keys()) - {"direction"}
    opposite = first["direction"] != second["direction"]
    return opposite and bool(shared) and all(first[name] == second[name] for name in shared)
