"""What the report is made from: all that the stages before have left, as far as it may be shown."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from basket.analysis.privacy import describes_customers, publishable, withheld_labels
from basket.project.errors import REPORT, BasketError
from basket.project.folders import Folders
from basket.project.settings import Settings
from basket.report.workbook.measure_text import clean_text
from basket.report.workbook.shown_figures import FigureGate, ShownFigure, publishable_figures
from basket.report.workbook.shown_findings import publishable_findings, unanswered
from basket.tables.result_csv import read_csv

NEEDED = (
    "population_flow",
    "consistency_checks",
    "wrangling_steps",
    "completeness",
    "flags",
    "orders_by_day",
    "departments",
    "habits",
)


@dataclass(frozen=True)
class Material:
    """Result tables, findings, figures and facts; few customers are withheld in all but `tables`.

    Only totals are read from `tables`, and the row flow, whose own rule is `shown_flow`.
    """

    tables: dict[str, pd.DataFrame]
    published: dict[str, pd.DataFrame]
    findings: list[dict]
    figures: list[ShownFigure]
    facts: dict


def read_material(folders: Folders, settings: Settings, facts: Path) -> Material:
    """Read what the stages have left and withhold small groups; raise where something is absent."""
    tables = {path.stem: read_csv(path) for path in sorted(folders.tables.glob("*.csv"))}
    absent = [name for name in NEEDED if name not in tables]
    if absent:
        raise BasketError(f"{folders.tables}: no table {', '.join(absent)}; run `{REPORT}`")
    findings, figures, facts = (
        _read_json(path)
        for path in (folders.findings, folders.visualizations / "figures.json", facts)
    )
    published = {
        name: publishable(table, settings, tables["habits"]) for name, table in tables.items()
    }
    of_customers = {name for name, table in tables.items() if describes_customers(table)}
    shown = publishable_findings(findings, published, settings)
    gate = FigureGate(withheld_labels(published), of_customers, unanswered(findings, shown))
    return Material(tables, published, shown, publishable_figures(figures, gate, settings), facts)


def _read_json(path: Path):
    try:
        return _cleaned(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise BasketError(f"{path}: absent or unreadable; run `{REPORT}`") from None


def _cleaned(value):
    """Remove the characters that a workbook cannot hold."""
    if isinstance(value, dict):
        return {key: _cleaned(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    return clean_text(value) if isinstance(value, str) else value
