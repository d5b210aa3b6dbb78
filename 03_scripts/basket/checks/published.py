"""`basket verify --published`: a run on the full real data against the figures of other analyses.

published_figures.csv says of each figure which RULES produce it (or that the raw files do), and
where in a run it is. A figure that neither RULES gives (a variant, or an error of the field) is not
compared, nor is one that no table of ours holds: both are listed with the reason.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from basket.project.errors import BasketError
from basket.project.folders import ROOT, Folders
from basket.project.published_figures import read_published
from basket.project.settings import load_settings
from basket.project.stages import read_record
from basket.tables.guarded import unguarded
from basket.tables.store import read_sidecar

TOLERANCE = 1e-6  # of means, published and stored with six decimals; counts agree exactly
SIZES = {
    "rows.customers": "raw_customers",
    "rows.products_raw": "raw_products",
    "rows.orders": "raw_orders",
    "rows.prior": "raw_lines",
}
MISSING = "(missing)"
NO_TABLE = "no table: "  # begins a `where` that says why no table of ours holds the figure
WHERE = re.compile(r"([\w.]+): ([\w/-]+)(?: by (.+?))?(?: where (.+))?")


@dataclass
class Comparison:
    """What was compared, what differs, and what was not compared, by reason."""

    figures: set[str] = field(default_factory=set)
    rows: int = 0
    different: list[str] = field(default_factory=list)
    not_compared: dict[str, list[str]] = field(default_factory=dict)


def verify_published(folders: Folders) -> Comparison:
    """Compare a run with each published figure that its RULES produce.

    Raises BasketError, in one line, when the run's data are not the full real data.
    """
    record = read_record(folders, "01_import")
    rules = read_record(folders, "03_merge")["rules"]
    published = read_published()
    _require_full_data(record, published)
    sources = find(folders, rules)
    comparison = Comparison()
    for row in published.itertuples():
        name = f"{row.figure} {row.key}".strip()
        reason = _reason_against(row, rules)
        if reason:
            comparison.not_compared.setdefault(reason, []).append(name)
            continue
        place, values = sources[row.figure]
        found = values.get(row.key, math.nan)
        if not abs(found - row.value) <= (TOLERANCE if "mean" in row.figure else 0):
            shown = "nothing" if math.isnan(found) else f"{found:,.10g}"
            comparison.different.append(
                f"{name}: {place} says {shown}; published is {row.value:,.10g}"
            )
        comparison.rows += 1
        comparison.figures.add(row.figure)
    return comparison


def _reason_against(row, rules: str) -> str | None:
    """Say why a published figure is not compared; None if it is."""
    if row.produced_by == "variant":
        return "neither RULES gives it"
    if row.produced_by not in ("raw", rules):
        return f"RULES={row.produced_by} gives it"
    return row.where.removeprefix(NO_TABLE) if row.where.startswith(NO_TABLE) else None


def _require_full_data(record: dict, published: pd.DataFrame) -> None:
    """Refuse data whose rows are not those of the full data in the course's layout."""
    found = {row["table"]: row["rows_in"] for row in record["flow"] if row["step"] == "read"}
    sizes = published.set_index("figure")["value"]
    other = [
        f"{found.get(table, 0):,} rows in {table}, expected {int(sizes[figure]):,}"
        for figure, table in SIZES.items()
        if found.get(table) != sizes[figure]
    ]
    if record["facts"]["synthetic"]:
        other.insert(0, "they are generated")
    if other:
        raise BasketError(
            "the published figures are of the full real data in the course's layout, and these "
            f"data are not: {'; '.join(other)}"
        )


def find(folders: Folders, rules: str) -> dict[str, tuple[str, pd.Series]]:
    """Return where each figure of these RULES or the raw files is found, and its values by key."""
    published = read_published()
    produced = published[published["produced_by"].isin(["raw", rules])]
    found: dict[str, tuple[str, pd.Series]] = {}
    for (figure, text), rows in produced.groupby(["figure", "where"], sort=False):
        if text.startswith(NO_TABLE):
            continue
        place, values = look_up(text, folders, rules)
        if list(values.index) == [""]:
            values.index = rows["key"]
        if figure in found:  # its keys are in different places
            values = pd.concat([found[figure][1], values])
        found[figure] = place, values
    return found


def look_up(text: str, folders: Folders, rules: str) -> tuple[str, pd.Series]:
    """Return the place that a `where` names, in words, and its values by key.

    The form is `table: value by key where column=value, …`; a result table ends in .csv. The value
    is a column, `rows`, or columns and numbers joined by - and /, worked out from left to right.
    """
    table, value, by, only = WHERE.fullmatch(text).groups()
    keys = by.split(" and ") if by else []
    chosen = dict(pair.split("=") for pair in only.split(", ")) if only else {}

    def column(name: str) -> pd.Series | int:
        if name.isdigit():
            return int(name)
        if table.endswith(".csv"):
            return _of_result(folders.tables / table, keys, chosen, name, rules)
        return _of_prepared(folders.prepared / table, keys, chosen, name)

    first, *rest = re.split("([-/])", value)
    values = column(first)
    for sign, name in zip(rest[::2], rest[1::2], strict=True):
        values = values - column(name) if sign == "-" else values / column(name)
    return f"{table}, {value}" + (f" of {', '.join(chosen.values())}" if chosen else ""), values


def _of_result(
    path: Path, keys: list[str], chosen: dict[str, str], name: str, rules: str
) -> pd.Series:
    """Return a column of a result table by the key, of the chosen rows; no key is one value."""
    frame = pd.read_csv(path, keep_default_na=False, dtype=str).map(unguarded)
    if "rules" in frame:
        chosen = chosen | {"rules": rules}
    for column, value in chosen.items():
        frame = frame[frame[column] == value]
    numbers = pd.to_numeric(frame[name])
    return numbers.set_axis(frame[keys[0]]) if keys else one(numbers)


def _of_prepared(folder: Path, keys: list[str], chosen: dict[str, str], name: str) -> pd.Series:
    """Return the sum of a column of a prepared table, or its rows, by the keys."""
    of = None if name == "rows" else name
    if keys == ["region of state"]:
        regions = load_settings(ROOT / "settings.yml").regions.items()
        region_of = {state: region for region, states in regions for state in states}
        return add_up(folder, ["state"], of).groupby(region_of).sum()
    values = add_up(folder, keys or list(chosen), of)
    return one(values[values.index == " / ".join(chosen.values())]) if chosen else values


def one(values: pd.Series) -> pd.Series:
    """Return the last of the values, without a key."""
    return values[-1:].set_axis([""][: len(values)])


def add_up(folder: Path, by: list[str], of: str | None = None) -> pd.Series:
    """Add up a column of a prepared table by others, part by part; without `of`, count the rows.

    The index joins the keys with " / "; a missing key is (missing).
    """
    parts = []
    for part in read_sidecar(folder)["parts"]:
        table = pq.read_table(folder / part["file"], columns=[*by, *([of] if of else [])])
        keys = {f"key {number}": _plain(table[name]) for number, name in enumerate(by)}
        values = table[of].cast(pa.int64()) if of else pa.repeat(1, part["rows"])
        sums = pa.table(keys | {"of": values}).group_by(list(keys)).aggregate([("of", "sum")])
        texts = [sums[key].cast(pa.string()).fill_null(MISSING).to_pylist() for key in keys]
        index = list(map(" / ".join, zip(*texts, strict=True))) if keys else [""]
        parts.append(pd.Series(sums["of_sum"].to_numpy(), index))
    return pd.concat(parts).groupby(level=0).sum()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
