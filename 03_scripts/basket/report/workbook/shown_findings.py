"""Findings as the workbook may show them: small groups withheld, linked to their figures."""

import pandas as pd

from basket.analysis.finding import (
    DESIGN,
    HYPOTHESIS,
    NO_ACTION,
    NOT_ANSWERED,
    SAID,
    SYNTHETIC_DATA,
)
from basket.analysis.privacy import PUBLISHED_POPULATION, SUPPRESSED
from basket.project.errors import BasketError
from basket.project.settings import Settings
from basket.report.workbook.sheets import FIGURES
from basket.report.workbook.shown_figures import ShownFigure
from basket.report.workbook.values import NOTHING

BASIS = {HYPOTHESIS: "To be tried", DESIGN: "Plan", NO_ACTION: NOTHING}
WITHHELD = "Withheld: the answer would describe too few customers"
CONFIDENCE = {"high": "●●● High", "medium": "●●○ Medium", "low": "●○○ Low"}
FACT = (
    "Fact: ●●● High, the whole interval supports it; ●●○ Medium, it holds here and depends on a "
    "cut or on invented columns; ●○○ Low, a hint."
)


def publishable_findings(
    findings: list[dict], published: dict[str, pd.DataFrame], settings: Settings
) -> list[dict]:
    """Withhold what describes a group too small to publish; refuse groups of another population.

    A number's `where` names its column and the values of its row.
    """
    hiding = {name for name, table in published.items() if (table == SUPPRESSED).any(axis=None)}
    return [
        _withhold(finding, settings)
        if any(
            _is_withheld(finding, number, published, hiding)
            for number in finding["numbers"].values()
        )
        else finding
        for finding in findings
    ]


def _is_withheld(
    finding: dict, number: dict, published: dict[str, pd.DataFrame], hiding: set[str]
) -> bool:
    """Say whether a number lies in a cell that is suppressed; `hiding` tables have any."""
    table, where = number["table"], number.get("where")
    if table not in published or not isinstance(where, dict):
        return False
    if where.get("population", PUBLISHED_POPULATION) != PUBLISHED_POPULATION:
        raise BasketError(
            f"finding {finding['id']} describes groups of all customers ({table}); "
            "groups are published for the active ones only (D-15)"
        )
    if table not in hiding:
        return False
    rows = published[table]
    for key in set(where) & set(rows.columns):
        rows = rows[rows[key].astype("str") == str(where[key])]
    cells = rows[where["column"]] if where.get("column") in rows else rows
    return bool((cells == SUPPRESSED).any(axis=None))


def unanswered(findings: list[dict], shown: list[dict]) -> set[str]:
    """Name the figures of withheld findings, and give what these said: figures repeat it."""
    withheld = [
        finding
        for finding, as_shown in zip(findings, shown, strict=True)
        if as_shown["headline"] == WITHHELD
    ]
    return {finding[name] for finding in withheld for name in ("figure", "so_what")} - {""}


def _withhold(finding: dict, settings: Settings) -> dict:
    return finding | {
        "headline": WITHHELD,
        "so_what": f"It rests on a group of fewer than {settings.privacy.smallest_group} "
        "customers, or on one that would give such a group away (D-15).",
        "action": "Run the analysis again with more customers.",
        "numbers": {},
        "kind": NOT_ANSWERED,
        "action_basis": NO_ACTION,
        "touches": [],
        "prize": None,
        "confidence": "low",
        "change_mind": "More customers in the group.",
    }


def prize(finding: dict) -> str:
    """Say what acting on a finding could touch; nothing without an action or a shown lever."""
    if finding["action_basis"] == NO_ACTION or not finding["prize"]:
        return NOTHING
    return finding["prize"]["what_if"]


def confidence(finding: dict) -> str:
    """Say how sure a finding's fact is, readable without colours."""
    return CONFIDENCE.get(finding["confidence"], finding["confidence"])


def basis(finding: dict) -> str:
    """Say what a finding's action rests on: nothing here was tried."""
    return BASIS.get(finding["action_basis"], NOTHING)


def rests_on(finding: dict) -> str:
    """Say what was invented or assumed behind a finding; what all the data is stands on top."""
    own = [one for one in finding["rests_on"] if one != SYNTHETIC_DATA]
    return ", ".join(own) or NOTHING


def without_caveat(so_what: str) -> str:
    """Leave out the sentence on invented columns where a column of its own says so."""
    for sentence in SAID.values():
        so_what = so_what.replace(sentence, "").strip()
    return so_what or NOTHING


class FigureLinks:
    """Where the evidence of a finding is in this workbook."""

    def __init__(self, figures: list[ShownFigure]):
        """Remember the figures, numbered as on their sheet."""
        self.figures = {figure.name: figure for figure in figures}

    def target(self, finding: dict) -> tuple[str, int] | None:
        """Return page and row of a finding's figure."""
        figure = self.figures.get(finding.get("figure") or "")
        return (FIGURES, figure.row) if figure and figure.row else None

    def short(self, finding: dict) -> str:
        """Return the number of a finding's figure, as a link's text."""
        figure = self.figures.get(finding.get("figure") or "")
        return f"Figure {figure.number}" if figure and figure.row else NOTHING
