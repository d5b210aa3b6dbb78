"""The attack on privacy: what follows from all published tables together, and in whole numbers.

It shares no code with what suppresses. Cells are labels with their counts of active customers; the
tables say sums of cells, and how groupings hang together.
"""

import re
from functools import partial

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from basket.project.folders import ROOT, Folders
from basket.project.settings import load_settings

CUTS = (40, 65)  # of the age groups, as in settings.yml
GAPS = {  # days between orders, up to: the bands of two flags, as in settings.yml
    8: ("Weekly", "Frequent customer"),
    10: ("Fortnightly", "Frequent customer"),
    15: ("Fortnightly", "Regular customer"),
    20: ("Occasional", "Regular customer"),
    30: ("Occasional", "Non-frequent customer"),
}
SPOUSE = ("married", "living with parents and siblings")


def true_counts(folders: Folders) -> dict[tuple[str, str], int]:
    """Count the active customers of each label, from the prepared data."""
    people = pd.concat(
        map(pd.read_parquet, sorted((folders.prepared / "analysis_customers").glob("*.parquet")))
    )
    people = people[people["exclusion_flag"] == "Active"]
    people = people.assign(n_dependants=people["n_dependants"].astype(str))
    counts = {}
    for name in load_settings(ROOT / "settings.yml").groupings():
        labels = people[name].astype(object).where(people[name].notna(), "(missing)")
        counts |= {(name, str(label)): int(n) for label, n in labels.value_counts().items() if n}
    gaps = pd.cut(people["median_days_between_orders"].astype(float), [-1, *GAPS], labels=[*GAPS])
    counts |= {("gaps", str(days)): int(n) for days, n in gaps.value_counts().items() if n}
    ages = pd.read_csv(folders.tables / "income_by_age.csv")
    return counts | {
        ("ages", label): int(n) for label, n in zip(ages["ages"], ages["customers"], strict=True)
    }


def read_off(tables: dict[str, pd.DataFrame], cells: list[tuple[str, str]], everyone: int):
    """Read off the tables: sets of cells, and how many customers they are of together."""
    attributes = {name for name, _ in cells}
    for of_name in attributes:
        yield [cell for cell in cells if cell[0] == of_name], everyone
    for table in tables.values():
        if not {"customers", "n", "share_of_customers"} & set(table.columns):
            continue
        if "population" in table and set(table["population"]) != {"active"}:
            continue
        pairs = (("flag", "label"), ("grouping", "group"))
        labels = next((pair for pair in pairs if set(pair) <= set(table.columns)), None)
        single = next((name for name in attributes if name in table.columns), None)
        for row in table.to_dict("records"):
            cell = (row[labels[0]], row[labels[1]]) if labels else (single, row.get(single))
            sides = [(row.get("grouping"), row.get(side)) for side in ("group_a", "group_b")]
            for seen, column, unit in (
                ([cell], "customers", 1),
                (sides, "n", 1),
                ([cell], "share_of_customers", everyone),
            ):
                value = row.get(column, "suppressed")
                if value != "suppressed" and set(seen) <= set(cells):
                    yield seen, round(float(value) * unit)


def relations(cells: list[tuple[str, str]]):
    """Yield how labels depend on each other: cells of the same customers as others."""

    def of(name: str, holds=lambda label: True) -> list[tuple[str, str]]:
        return [cell for cell in cells if cell[0] == name and holds(cell[1])]

    def age_in(low: int, high: int) -> list[tuple[str, str]]:
        return of("ages", lambda label: low <= int(re.match(r"\d+", label)[0]) < high)

    without = of("n_dependants", lambda label: label == "0")
    some = of("n_dependants", lambda label: label != "0")
    for low, high, group in ((0, CUTS[0], "18-39"), (*CUTS, "40-64"), (CUTS[1], 999, "65+")):
        yield of("profile", partial(re.match, re.escape(group))), [("age_group", group)]
        yield age_in(low, high), [("age_group", group)]
    for income in ("Low income", "Middle income", "High income"):
        yield of("profile", partial(re.search, f"{income.lower()}$")), [("income_group", income)]
    for part, end in (("rhythm", "^{}"), ("basket", "{}$")):
        for _, label in of(part):
            holds = partial(re.search, end.format(label.lower()))
            yield of("segment", lambda name, holds=holds: holds(name.lower())), [(part, label)]
    for place, flag in enumerate(("rhythm", "frequency_flag")):
        for _, label in of(flag):
            those = {str(days) for days, bands in GAPS.items() if bands[place] == label}
            yield of("gaps", those.__contains__), [(flag, label)]
    yield of("profile", lambda label: "no dependants" in label), without
    yield of("profile", lambda label: "with dependants" in label), some
    yield of("family_status", lambda label: label in SPOUSE), some
    yield of("family_status", lambda label: label not in SPOUSE), without


def equations(tables: dict[str, pd.DataFrame], truth: dict) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums that are known: a row of weights of the cells for each, and its value."""
    cells = list(truth)
    counts = np.array([truth[cell] for cell in cells], float)
    flow = tables["population_flow"].query("table == 'analysis_customers'")
    everyone = int(flow.query("step == 'active customers'")["rows_out"].iloc[0])
    known = [(seen, [], total) for seen, total in read_off(tables, cells, everyone)]
    known += [(left, right, 0) for left, right in relations(cells) if set(right) <= set(cells)]
    matrix = np.array(
        [[(cell in left) - (cell in right) for cell in cells] for left, right, _ in known], float
    )
    totals = np.array([total for *_, total in known], float)
    true = matrix @ counts == totals  # a band of ages across a cut is of no use
    found = np.unique(np.column_stack([matrix, totals])[true], axis=0)
    return found[:, :-1], found[:, -1]


def worked_out(tables: dict[str, pd.DataFrame], truth: dict, least: int) -> list[tuple]:
    """Find one or two labels of fewer customers than allowed whose sum the tables determine."""
    cells = list(truth)
    counts = np.array(list(truth.values()), float)
    matrix, _ = equations(tables, truth)
    free = np.eye(len(cells)) - np.linalg.pinv(matrix) @ matrix
    small = np.flatnonzero(counts < least)
    found = [(cells[one],) for one in small if abs(free[one, one]) < 1e-9]
    for i, one in enumerate(small):
        for other in small[i + 1 :]:
            together = free[one] + free[other]
            if counts[one] + counts[other] < least and abs(together).max() < 1e-9:
                found.append((cells[one], cells[other]))
    return found


def narrowed_to_one(tables: dict[str, pd.DataFrame], truth: dict, least: int) -> list[tuple]:
    """Find labels of few customers for which whole numbers leave a single possible count."""
    matrix, totals = equations(tables, truth)
    found = []
    for place, (cell, count) in enumerate(truth.items()):
        if count < least:
            weights = np.zeros(len(truth))
            weights[place] = 1
            ends = []
            for sign in (1, -1):
                done = milp(
                    sign * weights,
                    constraints=LinearConstraint(matrix, totals, totals),
                    integrality=np.ones(len(truth)),
                    bounds=Bounds(0, totals.max()),
                )
                assert done.success, f"{cell}: {done.message}"
                ends.append(round(sign * done.fun))
            assert ends[0] <= count <= ends[1], f"{cell}: {count} is not from {ends}"
            found += [cell] * (ends[0] == ends[1])
    return found
