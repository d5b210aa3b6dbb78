"""Privacy (D-15): what describes customers by their attributes leaves 04_analysis through here.

Only the active population is published. A row about fewer than `smallest_group` customers
is suppressed, together with as many others as keep it from being worked out: an attacker knows
every row left visible, every total, and how the groupings hang together (a profile is an age group,
dependants and an income group; family status follows from dependants). The rows to suppress are
found by solving the attacker's equations: no set of up to three suppressed rows about
too few customers may follow from them. A group of which one customer holds more than half (of its
orders, lines or spend) counts as that one customer.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd

from basket.project.dictionary import columns
from basket.project.settings import Settings

SUPPRESSED = "suppressed"
PUBLISHED_POPULATION = "active"
PAIRS = (("grouping", "group"), ("flag", "label"))
COUNTS = ("buyers", "customers")  # the first that a table has counts the people that a row is about
ATTRIBUTES = frozenset(c.name for c in columns() if c.key == "customers")
_MEMBERS = frozenset(name for pair in PAIRS for name in pair)
LABELS = frozenset(c.name for c in columns() if c.key in ("customers", "parts")) - _MEMBERS
CONTEXT = frozenset(c.name for c in columns() if c.key == "context") - _MEMBERS
KEYS = LABELS | CONTEXT | _MEMBERS
WITHOUT_DEPENDANTS = frozenset({"single", "divorced/widowed"})
CLOSE = 1e-9
HALF = 0.5  # of a group's orders, lines or spend: more of one customer is about that customer
MANY_HIDDEN = 25  # beyond this, sets of three suppressed rows are too many to look at


def describes_customers(table: pd.DataFrame) -> bool:
    """Whether a result table describes customers by their attributes."""
    of_customers = {"grouping", "flag", "customers_relabelled", "last_order", *ATTRIBUTES}
    return bool(of_customers & set(table.columns))


def publishable(
    table: pd.DataFrame, settings: Settings, habits: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return a result table as it may leave 04_analysis.

    A store-wide table (by day, hour, department, product) returns as it is. Whatever `habits` must
    suppress is suppressed here too; a table of groups that does not count customers
    (department_mix, tests) cannot do without it.
    """
    if not describes_customers(table):
        return table.copy()
    shown = table
    if "population" in shown:
        shown = shown[shown["population"] == PUBLISHED_POPULATION]
    shown = shown.reset_index(drop=True)
    minimum = settings.privacy.smallest_group
    if "customers_relabelled" in shown:
        few = shown["customers_relabelled"].between(1, minimum - 1).to_numpy(bool, na_value=False)
        return _hide(shown, few, [name for name in shown.columns if "relabelled" in name])
    if habits is None and not set(COUNTS) & set(shown.columns):
        raise ValueError("a table of groups without a count of customers needs the table habits")
    hidden = suppressed_rows(shown, minimum)
    withheld = withheld_groups(habits, settings) if habits is not None else set()
    if habits is not None:
        if {"grouping", "group", "department"} <= set(shown.columns):
            shown = _every_department(shown, withheld)
            hidden = np.zeros(len(shown), bool)
        hidden |= _rows_of(shown, withheld)
    if "n" in shown:
        hidden |= (pd.to_numeric(shown["n"]) < minimum).to_numpy()
    if "ages" in shown and any(grouping == "age_group" for grouping, _ in withheld):
        shown = shown.drop(columns="customers")  # narrow bands add up to the withheld age group
    return _hide(shown, hidden, [name for name in shown.columns if name not in KEYS])


def withheld_labels(published: dict[str, pd.DataFrame]) -> set[tuple[str, str]]:
    """Return the (grouping, label) pairs that are suppressed in habits or a table of one attribute.

    Not those of a table with further labels: there, a suppressed row is one of many of its group.
    """
    found = set()
    for table in published.values():
        labels = [name for name in table.columns if name in KEYS - {"population"}]
        if labels in ([name] for name in ATTRIBUTES):
            rows = table[(table == SUPPRESSED).any(axis=1)]
            found |= {(labels[0], str(label)) for label in rows[labels[0]]}
        elif labels in (list(pair) for pair in PAIRS):
            rows = table.loc[(table == SUPPRESSED).any(axis=1), labels].astype("str")
            found |= set(rows.itertuples(index=False, name=None))
    return found


def withheld_groups(habits: pd.DataFrame, settings: Settings) -> set[tuple[str, str]]:
    """Return the (grouping, group) pairs of active customers whose numbers are not published."""
    active = habits[habits["population"] == PUBLISHED_POPULATION].reset_index(drop=True)
    hidden = suppressed_rows(active, settings.privacy.smallest_group)
    rows = active.loc[hidden, ["grouping", "group"]].astype("str")
    return set(rows.itertuples(index=False, name=None))


def _hide(table: pd.DataFrame, hidden: np.ndarray, columns: list[str]) -> pd.DataFrame:
    if not hidden.any():
        return table
    shown = table.astype(dict.fromkeys(columns, object))
    shown.loc[hidden, columns] = SUPPRESSED
    return shown


def _rows_of(table: pd.DataFrame, withheld: set[tuple[str, str]]) -> np.ndarray:
    """Find the rows about a withheld group: their own group, or one side of a comparison."""
    hidden = np.zeros(len(table), bool)
    for grouping, label in (*PAIRS, ("grouping", "group_a"), ("grouping", "group_b")):
        if {grouping, label} <= set(table.columns):
            pairs = zip(table[grouping].astype("str"), table[label].astype("str"), strict=True)
            hidden |= np.fromiter((pair in withheld for pair in pairs), bool, len(table))
    for name in ATTRIBUTES & set(table.columns):
        labels = {label for grouping, label in withheld if grouping == name}
        hidden |= table[name].astype("str").isin(labels).to_numpy()
    return hidden


def _every_department(mix: pd.DataFrame, withheld: set[tuple[str, str]]) -> pd.DataFrame:
    """Give a withheld group a row for each department, so that its rows hide what it buys."""
    if mix.empty:
        return mix
    departments = mix["department"].drop_duplicates()
    pieces = []
    for (grouping, group), rows in mix.groupby(["grouping", "group"], sort=False, observed=True):
        if (str(grouping), str(group)) in withheld:
            every = departments.to_frame().assign(
                **{
                    name: rows[name].iloc[0]
                    for name in ("population", "grouping", "group")
                    if name in rows
                }
            )
            pieces.append(every.merge(rows, how="left"))
        else:
            pieces.append(rows)
    return pd.concat(pieces, ignore_index=True)[list(mix.columns)]


# ---- which rows to suppress -------------------------------------------------------------------


def suppressed_rows(table: pd.DataFrame, minimum: int) -> np.ndarray:
    """Find the rows of a table (of one population) that its count of customers says to suppress."""
    count = next((name for name in COUNTS if name in table), None)
    if count is None:
        return np.zeros(len(table), bool)
    customers = pd.to_numeric(table[count]).astype("Float64").to_numpy("float64", na_value=0)
    few = (customers > 0) & (customers < minimum)
    if count == COUNTS[-1] and "largest_share" in table:
        few |= (pd.to_numeric(table["largest_share"]) > HALF).to_numpy() & (customers > 0)
    if not few.any():
        return few
    labels = table[[name for name in table.columns if name in KEYS]].astype("str")
    rows = tuple(labels.itertuples(index=False, name=None))
    return np.array(
        _suppressed(tuple(labels.columns), rows, tuple(customers), tuple(few.tolist()), minimum)
    )


@lru_cache(maxsize=256)  # the table habits alone is asked about for every table that is published
def _suppressed(
    names: tuple[str, ...],
    rows: tuple[tuple],
    counted: tuple[float, ...],
    few: tuple[bool, ...],
    minimum: int,
) -> tuple[bool, ...]:
    """Find the rows to suppress from their labels, and how many customers each is about.

    One that is mostly of one customer counts as one of one.
    """
    table, customers, hidden = pd.DataFrame(rows, columns=names), np.array(counted), np.array(few)
    sizes = np.where(hidden & (customers >= minimum), 1, customers)

    def is_of_use(row: np.ndarray, is_relation: bool) -> bool:
        """Whether an attacker can use it: a relation that is true, or a total that is published."""
        value = float(row @ customers)
        return abs(value) < CLOSE if is_relation else value >= minimum

    filled = customers > 0
    known = [row for row, is_relation in known_sums(table) if is_of_use(row, is_relation)]
    weights = np.array(known).reshape(-1, len(table))
    primary = hidden.copy()
    while exposed := exposed_sets(weights, sizes, hidden, minimum):
        candidates = _neighbours(weights, exposed, filled & ~hidden)
        if not candidates.any():
            return tuple(hidden.tolist())
        places = np.flatnonzero(candidates)
        hidden[places[np.argmin(customers[places])]] = True
    return tuple(_show_again(weights, sizes, hidden, primary, minimum).tolist())


def _show_again(
    weights: np.ndarray,
    customers: np.ndarray,
    hidden: np.ndarray,
    primary: np.ndarray,
    minimum: int,
) -> np.ndarray:
    """Show again, the largest first, the rows whose suppression turns out not to be needed."""
    for row in sorted(np.flatnonzero(hidden & ~primary), key=lambda row: -customers[row]):
        fewer = hidden.copy()
        fewer[row] = False
        if not exposed_sets(weights, customers, fewer, minimum):
            hidden = fewer
    return hidden


def _neighbours(
    weights: np.ndarray, exposed: list[tuple[int, ...]], wanted: np.ndarray
) -> np.ndarray:
    """Find the wanted rows that share an equation with an exposed row, or are nearest to one."""
    reached = np.zeros(len(wanted), bool)
    reached[[row for found in exposed for row in found]] = True
    while True:
        touching = (weights[:, reached] != 0).any(axis=1)
        further = reached | (weights[touching] != 0).any(axis=0)
        if (further & wanted).any() or (further == reached).all():
            return further & wanted
        reached = further


def exposed_sets(
    weights: np.ndarray, customers: np.ndarray, hidden: np.ndarray, minimum: int
) -> list[tuple[int, ...]]:
    """Find sets of hidden rows, of too few customers, whose sum follows from what is visible.

    A sum follows when its indicator lies in the space spanned by the equations, restricted to the
    hidden rows.
    """
    rows = np.flatnonzero(hidden)
    if not len(rows):
        return []
    matrix = weights[:, rows]
    free = np.eye(len(rows)) - np.linalg.pinv(matrix) @ matrix
    found = []
    for size in range(1, 4 if len(rows) <= MANY_HIDDEN else 3):
        sets = np.array(list(combinations(range(len(rows)), size)), int).reshape(-1, size)
        few = customers[rows][sets].sum(axis=1) < minimum
        sets = sets[few]
        loose = sum(
            (free[sets[:, i], sets[:, j]] for i in range(size) for j in range(size)),
            np.zeros(len(sets)),
        )
        found += [tuple(int(row) for row in rows[places]) for places in sets[loose < CLOSE]]
    for equation in matrix:  # and every remainder of a total, however many rows it has
        rest = np.flatnonzero(equation)
        if len(rest) and (equation[rest] > 0).all() and customers[rows[rest]].sum() < minimum:
            found.append(tuple(int(row) for row in rows[rest]))
    return list(dict.fromkeys(found))


# ---- what an attacker knows -------------------------------------------------------------------


def known_sums(table: pd.DataFrame) -> list[tuple[np.ndarray, bool]]:
    """Return the sums of rows that are known: totals, margins, and relations between groupings.

    Each is a row of weights, and whether it is a relation: that one weighs the rows of a grouping
    against those of another, and is of use only where its sum is 0.
    """
    pair = next((pair for pair in PAIRS if set(pair) <= set(table.columns)), None)
    labels = [name for name in table.columns if name in LABELS]
    blocks = [
        *([pair[0]] if pair else []),
        *labels,
        *(name for name in table.columns if name in CONTEXT),
    ]
    summed = [*([pair[1]] if pair else []), *labels]
    equations = []
    for name in summed:
        fixed = [other for other in dict.fromkeys([*blocks, *summed]) if other != name]
        keys = pd.Series("", table.index)
        for other in fixed:
            keys = keys + "|" + table[other].astype("str")
        equations += [((keys == key).to_numpy(float), False) for key in keys.unique()]
    if pair and not labels:
        equations += _relations(table[pair[0]].astype("str"), table[pair[1]].astype("str"))
    return equations


def _relations(grouping: pd.Series, group: pd.Series) -> Iterable[tuple]:
    """Yield how profiles and segments add up to their parts, and family status to dependants."""
    segments, name = grouping == "segment", group.str.lower()
    for part, is_at in (("rhythm", name.str.startswith), ("basket", name.str.endswith)):
        for label in group[grouping == part].unique():
            those = segments & is_at(label.lower())
            yield _relation(those, (grouping == part) & (group == label))
    profiles = grouping == "profile"
    parts = group.str.split(", ", n=2, expand=True).reindex(columns=range(3))
    without = (grouping == "n_dependants") & (group == "0")
    for age in parts.loc[profiles, 0].dropna().unique():
        yield _relation(profiles & (parts[0] == age), (grouping == "age_group") & (group == age))
    for income in parts.loc[profiles, 2].dropna().unique():
        yield _relation(
            profiles & (parts[2] == income),
            (grouping == "income_group") & (group.str.lower() == income),
        )
    with_some = (grouping == "n_dependants") & (group != "0")
    single = group.isin(WITHOUT_DEPENDANTS)
    family = grouping == "family_status"
    for rows, is_without in ((profiles, parts[1] == "no dependants"), (family, single)):
        if rows.any():
            yield _relation(rows & is_without, without)
            yield _relation(rows & ~is_without, with_some)


def _relation(left: pd.Series, right: pd.Series) -> tuple[np.ndarray, bool]:
    return left.to_numpy(float) - right.to_numpy(float), True
