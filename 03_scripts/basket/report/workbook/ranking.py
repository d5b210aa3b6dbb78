"""Which findings come first: those whose lever is worth most, then by what kind of answer they are.

A finding's prize may name a lever, a row of the table `prizes`. Without one it has no place by
prize: acting on it was not sized.
"""

import pandas as pd

from basket.analysis.finding import (
    CANDIDATE,
    DESCRIPTION,
    DIFFERENCE,
    LESS,
    NO_ACTION,
    NOT_ANSWERED,
)
from basket.analysis.questions import number_of
from basket.analysis.verdicts import NO_DIFFERENCE, UNDECIDED

SMALLEST_SAID = 0.0005  # share of spend that is not printed as 0.0%
KINDS = (DIFFERENCE, CANDIDATE, DESCRIPTION, NO_DIFFERENCE, UNDECIDED, NOT_ANSWERED)


def by_worth(prizes: pd.DataFrame | None) -> pd.DataFrame:
    """Put the levers of the table prizes in order, the largest prize first."""
    if prizes is None or prizes.empty:
        return pd.DataFrame(columns=["lever"])
    dollars = prizes[["share_of_spend", "left_after_cost"]]  # all empty without prices
    levers = prizes.assign(**dollars.apply(pd.to_numeric, errors="coerce"))
    order = levers.apply(worth, axis=1).sort_values(ascending=False, kind="stable").index
    return levers.loc[order].reset_index(drop=True)


def lever_of(finding: dict, levers: pd.DataFrame) -> pd.Series | None:
    """Return the lever that a finding's prize names."""
    name = (finding.get("prize") or {}).get("lever")
    rows = levers[levers["lever"] == name]
    return None if rows.empty else rows.iloc[0]


def ranked(findings: list[dict], levers: pd.DataFrame) -> list[dict]:
    """Put findings in the order of their prizes, then of their kinds, then of the questions."""
    return sorted(findings, key=lambda finding: _place(finding, levers))


def _place(finding: dict, levers: pd.DataFrame) -> tuple:
    gain = worth(lever_of(finding, levers))
    touched = (finding.get("prize") or {}).get("share_of_spend") or 0
    return (
        -gain if gain >= SMALLEST_SAID else 0,
        KINDS.index(finding["kind"]),
        finding["action_basis"] == NO_ACTION,
        -touched,
        number_of(finding["question"]),
    )


def worth(lever: pd.Series | None) -> float:
    """Return the share of spend that a lever's change would add; of orders where no price is known.

    Nothing where there is no lever.
    """
    if lever is None:
        return 0.0
    share = lever["share_of_spend"]
    return float(lever["share_of_orders"] if pd.isna(share) else share)


def to_do(findings: list[dict], levers: pd.DataFrame) -> list[dict]:
    """Return the findings whose action does something, the largest prize first."""
    return [
        finding
        for finding in ranked(findings, levers)
        if finding["action_basis"] != NO_ACTION
        and finding["kind"] != NOT_ANSWERED
        and not says_less(finding)
    ]


def to_leave(findings: list[dict]) -> list[dict]:
    """Return the findings that say where no money should go."""
    return [
        finding
        for finding in findings
        if finding["kind"] != NOT_ANSWERED
        and (finding["kind"] == NO_DIFFERENCE or says_less(finding))
    ]


def says_less(finding: dict) -> bool:
    """Whether something that an action touches is to become less."""
    return any(touch["direction"] == LESS for touch in finding.get("touches") or [])
