"""Figures as the workbook may show them: small groups withheld, numbers in drawing order."""

from dataclasses import dataclass, field

import pandas as pd
from openpyxl.cell import Cell

from basket.analysis.figure import MOST_COLUMNS
from basket.analysis.privacy import SUPPRESSED
from basket.analysis.questions import QUESTIONS, number_of
from basket.project.errors import BasketError
from basket.project.settings import Settings
from basket.report.workbook import native_charts
from basket.report.workbook.page import Place
from basket.report.workbook.values import heading, is_number, plain

COUNTED = ("orders", "lines")


@dataclass(eq=False)
class ShownFigure:
    """A figure as the workbook shows it: what it says, and the numbers that may be shown."""

    spec: dict
    data: pd.DataFrame
    number: int = 0  # in the order of the questions, from 1
    hidden: int = 0
    is_neutral: bool = False  # says nothing of what it shows, and its image is not used
    place: Place | None = None
    row: int = 0
    drawn: int = 0
    title_cell: Cell | None = None
    undecided: set[tuple[str, str]] = field(default_factory=set)  # cells of a heat map
    framed: set[tuple[str, str]] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the figure."""
        return self.spec["name"]

    @property
    def chart(self) -> dict | None:
        """How to draw it natively, if at all."""
        return self.spec.get("chart")

    @property
    def heat(self) -> dict | None:
        """Which columns span its heat map, if it is one."""
        return self.spec.get("heat")


@dataclass(frozen=True)
class FigureGate:
    """What figures may not show: withheld groups (grouping, label), and what withheld answers said.

    `of_customers` are the tables that describe groups of customers, `unanswered` the figures of the
    findings that are withheld, and what these findings said.
    """

    withheld: set[tuple[str, str]]
    of_customers: set[str]
    unanswered: set[str]


def publishable_figures(
    specs: list[dict], gate: FigureGate, settings: Settings
) -> list[ShownFigure]:
    """Put figures in the order of the questions, without the numbers of groups too small to show.

    Rows of such a group go to the end, as `suppressed`, so that a chart can stop above them. What
    such a figure says, and one whose finding is withheld, becomes neutral words.
    """
    found = []
    for spec in sorted(specs, key=lambda spec: number_of(spec.get("question", ""))):
        data = pd.DataFrame(spec["data"]["rows"], columns=spec["data"]["columns"])
        data = data.astype(object).where(data.notna(), None)
        figure = ShownFigure(spec, data, len(found) + 1)
        if gate.of_customers & set(spec.get("sources", ())):
            _suppress(figure, gate.withheld, settings)
        if figure.hidden or {figure.name, spec["so_what"]} & gate.unanswered:
            figure.spec, figure.is_neutral = spec | neutral_words(spec, settings), True
        found.append(figure)
    return found


def neutral_words(spec: dict, settings: Settings) -> dict:
    """Say only what a figure is about, in place of its title, so-what and alternative text."""
    question = QUESTIONS.get(spec.get("question", ""))
    about = question.title if question else spec["name"].replace("_", " ").capitalize()
    few = f"fewer than {settings.privacy.smallest_group} customers"
    return {
        "title": f"{about}: without the smallest groups",
        "so_what": f"What it says would describe {few}, and is withheld.",
        "alt": f"{about}: {spec['name'].replace('_', ' ')}. Groups of {few} are left out.",
    }


def _suppress(figure: ShownFigure, withheld: set[tuple[str, str]], settings: Settings) -> None:
    data = figure.data
    if "population" in data and (data["population"] == "all").any():
        raise BasketError(
            f"figure {figure.name}: shows groups of all customers; groups are "
            "published for the active ones only (D-15)"
        )
    hidden = _rows_of_withheld(data, withheld)
    if "customers" in data:
        few = pd.to_numeric(data["customers"], errors="coerce")
        hidden |= few.between(1, settings.privacy.smallest_group - 1)
    numbers = [name for name in data if any(is_number(plain(value)) for value in data[name])]
    data.loc[hidden, numbers] = SUPPRESSED
    for name in {label for _, label in withheld} & set(data.columns):
        data[name], hidden = SUPPRESSED, hidden | True
    figure.hidden = int(hidden.sum())
    figure.data = pd.concat([data[~hidden], data[hidden]], ignore_index=True)
    if figure.hidden:
        figure.notes.append(
            f"Groups that stand for fewer than {settings.privacy.smallest_group} "
            "customers, and those that would give them away, are not shown."
        )


def _rows_of_withheld(data: pd.DataFrame, withheld: set[tuple[str, str]]) -> pd.Series:
    """Find rows that name a withheld group, in the column of its grouping or in any text."""
    hidden = pd.Series(False, index=data.index)
    named = {grouping for grouping, _ in withheld} & set(data.columns)
    for name in named or data.columns:
        texts = data[name].astype("str")
        if "grouping" in data:
            labels = pd.Series(list(zip(data["grouping"].astype("str"), texts, strict=True)))
            hidden |= labels.isin(withheld).to_numpy()
        else:
            labels = {label for grouping, label in withheld if not named or grouping == name}
            hidden |= texts.isin(labels) & ~data[name].map(lambda value: is_number(plain(value)))
    return hidden


def prepare(figure: ShownFigure) -> None:
    """Turn a heat map's list into its grid; add how far intervals reach from their values."""
    if figure.heat:
        _prepare_heat(figure)
        return
    if figure.is_neutral and not figure.chart:
        figure.spec = figure.spec | {"chart": bars_instead(figure)}
    spec = figure.chart
    if not spec:
        return
    if len(spec["series"]) > native_charts.MOST_SERIES:
        most = f"at most {native_charts.MOST_SERIES} series"
        raise BasketError(f"figure {figure.name}: a chart shows {most}")
    used = [spec["x"], *spec["series"]]
    cells = figure.data[used].map(plain)
    drawable = cells[spec["series"]].map(is_number).all(axis=1) & cells[spec["x"]].notna()
    order = (~drawable).astype(int)
    figure.data = figure.data.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    figure.drawn = int((order == 0).sum())
    for name, (low, high) in (spec.get("intervals") or {}).items():
        for column, above, below in (
            (native_charts.below_column(name), name, low),
            (native_charts.above_column(name), high, name),
        ):
            figure.data[column] = [
                round(plain(a) - plain(b), 10) if is_number(plain(a)) and is_number(plain(b)) else a
                for a, b in zip(figure.data[above], figure.data[below], strict=True)
            ]


def bars_instead(figure: ShownFigure) -> dict | None:
    """Describe a native chart in place of a picture, which cannot leave a group out."""
    numbers = [
        name for name in figure.data if any(is_number(plain(value)) for value in figure.data[name])
    ]
    labels = [name for name in figure.data if name not in numbers]
    if not numbers or not labels:
        return None
    first = numbers[0]
    ends = [f"{first}_low", f"{first}_high"]
    return {
        "kind": "bar",
        "x": labels[0],
        "series": [first],
        "x_title": heading(labels[0]),
        "y_title": heading(first),
        "number_format": "0.00",
        "intervals": {first: ends} if set(ends) <= set(figure.data) else None,
    }


def _prepare_heat(figure: ShownFigure) -> None:
    """Turn a heat map's list into its grid; say which of its cells are undecided or framed."""
    heat, cells = figure.heat, figure.data
    figure.data = heat_grid(figure)
    sides = [heat["rows"], heat["columns"]]
    if figure.data.columns[0] != heat["rows"]:
        sides.reverse()
    if heat.get("undecided"):
        grey = cells[cells[heat["undecided"]].astype(bool)]
        figure.undecided = set(zip(*(grey[side].map(str) for side in sides), strict=True))
        grid = figure.data.set_index(figure.data.columns[0])
        empty = grid.isna().stack()
        figure.undecided |= {(str(row), str(column)) for row, column in empty[empty].index}
    for row, first, end in heat.get("outlined") or ():
        for column in range(first, end):
            pair = {heat["rows"]: str(row), heat["columns"]: str(column)}
            figure.framed.add(tuple(pair[side] for side in sides))


def heat_grid(figure: ShownFigure) -> pd.DataFrame:
    """Turn a heat map into rows and columns, the longer side across, headers as text."""
    heat = figure.heat
    grid = figure.data.pivot(index=heat["rows"], columns=heat["columns"], values=heat["values"])
    grid = grid.reindex(
        index=figure.data[heat["rows"]].unique(), columns=figure.data[heat["columns"]].unique()
    )
    rows = heat["rows"]
    if len(grid) > len(grid.columns) and len(grid) <= MOST_COLUMNS:
        grid, rows = grid.T, heat["columns"]
    if len(grid.columns) > MOST_COLUMNS:
        raise BasketError(f"figure {figure.name}: a heat map has at most {MOST_COLUMNS} columns")
    if heat["values"] in COUNTED:
        grid = grid.fillna(0)  # a cell without orders has no row
    grid.columns = [str(plain(name)) for name in grid.columns]
    return grid.rename_axis(rows).reset_index().astype(object)
