"""Privacy (D-15, D-64): every result table leaves 04_analysis through here.

Only the active population is published. A row stands for the customers behind its numbers: those
of the group, or the buyers among them, whichever are fewer. A row of fewer than `smallest_group`,
or that one customer has more than half of, is suppressed, together with as many others as keep it
from being worked out: an attacker knows every row left visible, every total, and how the groupings
hang together (a profile is an age group, dependants and an income group; family status follows from
dependants). The rows to suppress are found by solving the attacker's equations: no set of up to
three suppressed rows about too few customers may follow from them. Of two flags with bands over one
column one is withheld where both would tell of too few between their cuts.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd

from basket.project.dictionary import columns
from basket.project.settings import DEPENDANTS, Settings

SUPPRESSED = "suppressed"
PUBLISHED_POPULATION = "active"
PAIRS = (("grouping", "group"), ("flag", "label"))
COUNTS = ("buyers", "customers")  # the first that a table has counts the people that a row is about
BEHIND = (*COUNTS, "customers_with_both", "customers_behind", "customers_here", "at_risk", "n")
MOST_OF_ONE = 0.5  # share of a row's sum that one customer may have
OF_ORDERS = {"orders", "lines", "products", "share", "share_of_products", "equal_share"}
OF_ORDERS |= {"mean_share", "tenth_more", "lift", "index", "index_low", "index_high", "difference"}
OF_ORDERS |= {"first", "last", "from_hour", "to_hour", "weeks", "order_number"}  # of no people
ADDED = frozenset({"spend"})  # what adds up over the rows of a store-wide table to a known total
ATTRIBUTES = frozenset(c.name for c in columns() if c.key == "customers")
_MEMBERS = frozenset(name for pair in PAIRS for name in pair)
LABELS = frozenset(c.name for c in columns() if c.key in ("customers", "parts")) - _MEMBERS
CONTEXT = frozenset(c.name for c in columns() if c.key == "context") - _MEMBERS
KEYS = LABELS | CONTEXT | _MEMBERS
WITHOUT_DEPENDANTS = frozenset({"single", "divorced/widowed"})
CLOSE = 1e-9
EVERYONE = (Decimal("Infinity"), True)
Parts = tuple[tuple[str, str, str, str], ...]
MANY_HIDDEN = 25  # beyond this, sets of three suppressed rows are too many to look at


def describes_customers(table: pd.DataFrame) -> bool:
    """Whether a result table describes customers by their attributes."""
    of_groups = {"grouping", "flag", "customers_relabelled", "last_order", "least_share"}
    return bool((of_groups | ATTRIBUTES) & set(table.columns))


def publishable(
    table: pd.DataFrame, settings: Settings, habits: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return a result table as it may leave 04_analysis.

    A store-wide table (by day, hour, department, product) keeps its counts of orders, lines and
    products; its money and shares of customers are suppressed where too few stand behind them.
    Whatever `habits` must suppress is suppressed here too; a table of groups that does not count
    customers (tests) cannot do without it.
    """
    shown = table
    if "population" in shown:
        shown = shown[shown["population"] == PUBLISHED_POPULATION]
    shown = shown.reset_index(drop=True)
    if shown.empty:
        return shown
    minimum = settings.privacy.smallest_group
    numbers = [name for name in shown.columns if name not in KEYS]
    if "customers_relabelled" in shown:
        few = shown["customers_relabelled"].between(1, minimum - 1).to_numpy(bool, na_value=False)
        few = few | (habits is not None and few_left_out(habits, minimum))  # shares of all
        return _hide(shown, few, [name for name in shown.columns if "relabelled" in name])
    if not describes_customers(table):
        of_people = [name for name in numbers if name not in OF_ORDERS and _is_number(shown[name])]
        hidden = _of_few(shown, minimum)
        if ADDED & set(shown.columns):
            hidden = _with_others(shown, hidden, minimum)
        return _hide(shown, hidden, of_people)
    withheld = set() if habits is None else withheld_groups(habits, settings)
    if habits is None and not set(COUNTS) & set(shown.columns):
        raise ValueError("a table of groups without a count of customers needs the table habits")
    if {"grouping", "group", "department"} <= set(shown.columns):
        shown = _every_department(shown, withheld)
        hidden = _by_department(shown, settings)
    elif "customers_behind" in shown:
        hidden = _with_others(shown, _of_few(shown, minimum), minimum)
    else:
        hidden = suppressed_rows(shown, settings) | _of_few(shown, minimum)
    if habits is not None:
        hidden |= _rows_of(shown, withheld)
    if "ages" in shown and any(grouping == "age_group" for grouping, _ in withheld):
        shown = shown.drop(columns="customers")  # narrow bands add up to the withheld age group
    return _hide(shown, hidden, [name for name in shown.columns if name not in KEYS])


def few_left_out(habits: pd.DataFrame, minimum: int) -> bool:
    """Say whether all customers are a few more than the active ones: a count of all would tell."""
    sizes = habits.groupby(["grouping", "population"])["customers"].sum().unstack(fill_value=0)
    if {PUBLISHED_POPULATION, "all"} - set(sizes):
        return False
    return bool((sizes["all"] - sizes[PUBLISHED_POPULATION]).between(1, minimum - 1).any())


def published_rows(
    tables: Mapping[str, pd.DataFrame], table: pd.DataFrame, settings: Settings
) -> pd.DataFrame:
    """Keep the rows of a result table that may be published whole."""
    if table.empty:
        return table
    table = publishable(table, settings, tables.get("habits"))
    return table[~(table == SUPPRESSED).any(axis="columns")].infer_objects()


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


# ---- how many stand behind a row --------------------------------------------------------------


def people_behind(table: pd.DataFrame) -> np.ndarray:
    """Count the customers behind each row: the least that the table says; NaN where it does not."""
    counts = [name for name in BEHIND if name in table]
    if not counts:
        return np.full(len(table), np.nan)
    numbers = [pd.to_numeric(table[name], errors="coerce").astype("Float64") for name in counts]
    return pd.concat(numbers, axis=1).min(axis=1).to_numpy("float64", na_value=np.nan)


def _of_few(table: pd.DataFrame, minimum: int) -> np.ndarray:
    """Find the rows that too few customers stand behind, or of which one has more than half.

    A ratio of nobody in a group says of each member what he does not do: it counts as one of few.
    """
    people = people_behind(table)
    least = 0 if "customers_behind" in table else 1
    hidden = (people >= least) & (people < minimum)
    if "largest_share" in table:
        share = pd.to_numeric(table["largest_share"]).to_numpy("float64", na_value=np.nan)
        hidden |= share > MOST_OF_ONE
    return hidden


def _with_others(table: pd.DataFrame, hidden: np.ndarray, minimum: int) -> np.ndarray:
    """Hide others beside a hidden row: two at least, of enough customers, of each sum of rows.

    The rows of a sum are alike in all but what they are parts of: groups of a grouping, hours.
    """
    if not hidden.any():
        return hidden
    parts = {"group_a", "group", "label", *LABELS}
    names = [name for name in table if name in CONTEXT | {"grouping", "flag"} and name not in parts]
    sums = [table[name].astype("str").to_numpy() for name in names] or np.zeros(len(table))
    people, hidden = np.nan_to_num(people_behind(table)), hidden.copy()
    for places in table.groupby(sums, sort=False, dropna=False).indices.values():
        while True:
            rest = places[~hidden[places] & (people[places] > 0)]
            few = places[hidden[places]]
            enough = len(few) > 1 and people[few].sum() >= minimum
            if not len(few) or not len(rest) or enough:
                break
            hidden[rest[np.argmin(people[rest])]] = True
    return hidden


def _by_department(mix: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Find the cells of groups and departments to hide: few buy there, or others would tell.

    What a group buys adds up over departments, what is bought of a department over the groups.
    """
    hidden = np.zeros(len(mix), bool)
    if "customers" not in mix:
        return hidden
    cells = mix[["grouping", "group", "customers"]]
    for places in mix.groupby("department", observed=True).indices.values():
        hidden[places] = suppressed_rows(cells.iloc[places].reset_index(drop=True), settings)
    of_group = cells.rename(columns={"group": "attribute"})
    return _with_others(of_group, hidden, settings.privacy.smallest_group)


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
    hidden = suppressed_rows(active, settings)
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


def suppressed_rows(table: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Find the rows of a table (of one population) that its count of customers says to suppress."""
    count = next((name for name in COUNTS if name in table), None)
    if count is None:
        return np.zeros(len(table), bool)
    minimum = settings.privacy.smallest_group
    customers = pd.to_numeric(table[count]).astype("Float64").to_numpy("float64", na_value=0)
    few = _of_few(table, minimum) & (customers > 0)
    labels = table[[name for name in table.columns if name in KEYS]].astype("str")
    both = _told_between(labels, customers, settings)
    if not few.any():
        return both
    rows = tuple(labels.itertuples(index=False, name=None))
    counted, hidden = tuple(customers), tuple(few.tolist())
    parts = _parts_of_groups(settings)
    return (
        np.array(_suppressed(tuple(labels.columns), rows, counted, hidden, minimum, parts)) | both
    )


def _pair_of(table: pd.DataFrame) -> tuple[str, str] | None:
    """Name the columns of a table that say of which grouping a row is, and of which group."""
    return next((pair for pair in PAIRS if set(pair) <= set(table.columns)), None)


def _told_between(labels: pd.DataFrame, customers: np.ndarray, settings: Settings) -> np.ndarray:
    """Find the rows of a flag that, beside another's, tells of few who are between their cuts.

    Both have bands over one column: who is up to 10 days less who is up to 8 is who is between. The
    one that settings name first goes.
    """
    hidden = np.zeros(len(labels), bool)
    pair = _pair_of(labels)
    if pair is None:
        return hidden
    grouping, group = (labels[name].to_numpy() for name in pair)
    present = [name for name in settings.flags if (grouping == name).any()]
    banded = [(name, settings.flags[name]) for name in present if settings.flags[name].bands]
    for (first, one), (second, other) in combinations(banded, 2):
        if one.source != other.source:
            continue
        up_to = {}  # each edge: how many customers are not beyond it
        for name, flag in ((first, one), (second, other)):
            counts = [
                customers[(grouping == name) & (group == label)].sum() for label in flag.labels
            ]
            up_to |= dict(zip([*flag.edges, EVERYONE], np.cumsum(counts), strict=True))
        between = np.diff([up_to[edge] for edge in sorted(up_to)], prepend=0)
        if ((between > 0) & (between < settings.privacy.smallest_group)).any():
            hidden |= grouping == first
    return hidden


@lru_cache(maxsize=256)  # the table habits alone is asked about for every table that is published
def _suppressed(
    names: tuple[str, ...],
    rows: tuple[tuple],
    counted: tuple[float, ...],
    few: tuple[bool, ...],
    minimum: int,
    parts: Parts,
) -> tuple[bool, ...]:
    """Find the rows to suppress from their labels, and how many customers each is about.

    One that is mostly of one customer counts as one of one.
    """
    customers, hidden = np.array(counted), np.array(few)
    sizes = np.where(hidden & (customers >= minimum), 1, customers)

    def is_of_use(row: np.ndarray, is_relation: bool) -> bool:
        """Whether an attacker can use it: a relation that is true, or a total that is published."""
        value = float(row @ customers)
        return abs(value) < CLOSE if is_relation else value >= minimum

    filled = customers > 0
    sums = known_sums(names, rows, parts)
    known = [row for row, is_relation in sums if is_of_use(row, is_relation)]
    weights = np.array(known).reshape(-1, len(rows))
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


@lru_cache(maxsize=64)  # the groups are the same for every department
def known_sums(
    names: tuple[str, ...], rows: tuple[tuple], parts: Parts
) -> list[tuple[np.ndarray, bool]]:
    """Return the sums of rows that are known: totals, margins, and relations between groupings.

    Each is a row of weights, and whether it is a relation: that one weighs the rows of a grouping
    against those of another, and is of use only where its sum is 0. `parts` says of which groups
    segments and profiles are made.
    """
    table = pd.DataFrame(rows, columns=names)
    pair = _pair_of(table)
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
        related = _relations(*(table[name].astype("str") for name in pair), parts)
        equations += [relation for relation in related if relation[0].any()]
    return equations


def _parts_of_groups(settings: Settings) -> Parts:
    """List what each segment and profile is made of: its grouping, its name, a part's two."""
    return tuple(
        (grouping, group, part, label)
        for grouping, groups in settings.composed().items()
        for group, parts in groups
        for part, label in parts.items()
    )


def _relations(grouping: pd.Series, group: pd.Series, parts: Parts) -> Iterable[tuple]:
    """Yield how profiles and segments add up to their parts, and family status to dependants."""
    without, some = DEPENDANTS
    numbers = grouping == "n_dependants"
    is_part = {("dependants", without): numbers & (group == "0")}
    is_part["dependants", some] = numbers & (group != "0")
    single, family = group.isin(WITHOUT_DEPENDANTS), grouping == "family_status"
    yield _relation(family & single, is_part["dependants", without])
    yield _relation(family & ~single, is_part["dependants", some])
    made_of: dict[tuple[str, str, str], list[str]] = {}
    for whole, name, part, label in parts:
        made_of.setdefault((whole, part, label), []).append(name)
    for (whole, part, label), names in made_of.items():
        those = is_part.get((part, label), (grouping == part) & (group == label))
        yield _relation((grouping == whole) & group.isin(names), those)


def _relation(left: pd.Series, right: pd.Series) -> tuple[np.ndarray, bool]:
    return left.to_numpy(float) - right.to_numpy(float), True
