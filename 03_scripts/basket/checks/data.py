"""`basket check`: can a report be built from this data, and what will it say? Nothing is written.

Every raw file is read as stage 01 reads it, and looked at as the stages 02 and 03 look at it: keys,
references both ways, completeness. All faults are told at once, not only the first. At full size
the order lines pass through in slices; of all of them only which order has lines is kept.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from basket.analysis.questions import QUESTIONS
from basket.prepare import clean, merge, repeats
from basket.prepare.import_raw import too_many
from basket.prepare.raw_files import RawData, RawFile, look
from basket.prepare.read_csv import (
    BadRow,
    department_rows,
    expect_rows,
    read_departments,
    read_slices,
    read_small,
)
from basket.project.errors import BasketError
from basket.project.origin import OPTIONAL
from basket.project.settings import Settings
from basket.tables import store
from basket.tables.audit import Audit
from basket.tables.completeness import warning
from basket.tables.ids import IdIndex

SHOWN = 3  # bad rows of a file
MOST_KEYS = 1000  # repeated lines that are looked up in the file


@dataclass
class Checked:
    """What a check found; `faults` keep a report from being built, `notes` will stand in it."""

    data: str
    layout: str = ""
    found: str = ""
    description: str = ""
    files: list[dict] = field(default_factory=list)
    spellings: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    completeness: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether a report can be built."""
        return not self.faults

    def as_json(self) -> dict:
        """Return it as plain values."""
        return asdict(self) | {"sound": self.is_sound}

    def lines(self) -> list[str]:
        """Return it as lines for a reader."""
        lines = [text for text in (self.found, self.description) if text]
        if self.files:
            lines += ["", f"{'file':<36}{'rows':>14}{'bad rows':>12}"]
        for file in self.files:
            lines.append(f"{file['file']:<36}{file['rows']:>14,}{file['bad_rows']:>12,}")
            lines += [f"  {row}" for row in file["examples"]]
        if self.spellings:
            lines += ["", "read in another spelling:", *(f"  {text}" for text in self.spellings)]
        if self.completeness:
            lines += ["", "completeness:"]
            shown = "  {what}: {found:,} of {of:,}: {consequence}"
            lines += [shown.format(**row) for row in self.completeness]
        if self.notes:
            lines += ["", *self.notes]
        if self.is_sound:
            return [*lines, "", "sound: a report can be built from this data"]
        many = f"{len(self.faults)} fault{'s' * (len(self.faults) > 1)}"
        numbered = [f"  {n}. {fault}" for n, fault in enumerate(self.faults, start=1)]
        return [*lines, "", f"{many}: no report can be built from this data", *numbered]


def check(data: Path, settings: Settings) -> Checked:
    """Look at everything in a folder or an archive that a report would be built from."""
    checked = Checked(str(data))
    found, faults = look(data, settings.limits)
    checked.faults += map(str, faults)
    if found is None:
        return checked
    checked.layout = found.layout
    if not faults:
        checked.found = f"{found.root}: {found.listed()}"
        checked.description = found.origin.sentence()
    look_at = _Look(found, settings, checked)
    look_at.products_and_departments()
    look_at.customers_and_orders()
    look_at.lines()
    look_at.histories()
    checked.completeness = look_at.audit.missing
    checked.notes += look_at.notes(is_whole=not faults)
    return checked


class _Look:
    """The tables of one delivery, as far as they could be read."""

    def __init__(self, raw: RawData, settings: Settings, checked: Checked):
        """Read nothing yet."""
        self.raw, self.settings, self.checked = raw, settings, checked
        self.audit = Audit("corrected")
        self.names = {table: file.name for table, file in raw.files.items()}
        self.product_ids: IdIndex | None = None
        self.orders: pd.DataFrame | None = None
        self.customers: pd.DataFrame | None = None

    @contextmanager
    def noting(self):
        """Note an error that is for people as a fault, and go on."""
        try:
            yield
        except BasketError as error:
            self.checked.faults.append(str(error))

    def products_and_departments(self) -> None:
        """Read both; look at the ids of products and at the departments that they are in."""
        departments = products = None
        if file := self.raw.files.get("raw_departments"):
            with self.noting():
                departments = store.to_pandas("raw_departments", read_departments(file))
                self._note_file("raw_departments", file, len(departments), [])
                if left := department_rows(file)[1]:
                    self.checked.spellings.append(f"{file.name}: {left} (left out)")
        products = self._small("raw_products")
        if products is None:
            return
        repaired = clean.repair_doubled_ids(clean.drop_exact_duplicates(products))
        self.product_ids = IdIndex(repaired["product_id"].unique())
        with self.noting():
            clean.require_own_ids(repaired, self.names)
        if "prices" in products:
            with self.noting():
                clean.require_dollars(products["prices"], self.settings.thresholds, self.names)
        if departments is not None:
            with self.noting():
                clean.require_departments(repaired, departments, self.names)
            if note := self.settings.unknown_departments(
                set(departments["department"]), with_keys=True
            ):
                self.checked.notes.append(note)

    def _small(self, table: str) -> pd.DataFrame | None:
        """Read a table of texts; None where it is not there or cannot be read."""
        file = self.raw.files.get(table)
        if file is None:
            return None
        rows = None
        with self.noting():
            rows, bad = read_small(file, table)
            self._note_file(table, file, rows.num_rows, bad)
        return None if rows is None else store.to_pandas(table, rows)

    def _note_file(self, table: str, file: RawFile, rows: int, bad: list[BadRow]) -> None:
        """Note what was read of a file, and as a fault if too much of it is bad."""
        examples = [f"line {row.line}: {row.rule}" for row in bad[:SHOWN]]
        self.checked.files.append(
            {
                "file": file.name,
                "place": file.place(self.raw.root),
                "table": table,
                "bytes": file.size,
                "rows": rows,
                "bad_rows": len(bad),
                "examples": examples,
            }
        )
        for step in file.spelling.steps():
            dropped = f"{step.get('dropped')} (left out)"
            changed = step.get("type_changed") or step.get("renamed") or dropped
            self.checked.spellings.append(f"{file.name}: {changed}: {step['reason']}")
        allowed = self.settings.limits.max_quarantined_share
        if len(bad) > allowed * (rows + len(bad)):
            fault = too_many(bad[0], len(bad), rows + len(bad), allowed)
            self.checked.faults.append(str(fault))

    def _large(self, table: str, work: Callable) -> tuple[list, list[BadRow]]:
        """Read a large file; return what `work` made of each slice, and the bad rows."""
        limits = self.settings.limits
        made, bad = [], []
        read = read_slices(
            self.raw.files[table], table, work, limits.threads, limits.max_quarantined_share
        )
        for result, found in read:
            made.append(result)
            bad += found
        return made, bad

    def customers_and_orders(self) -> None:
        """Read both; look at their keys and at the numbers of orders."""
        customers = self.customers = self._small("raw_customers")
        if customers is not None and not customers["user_id"].is_unique:
            doubled = int(customers["user_id"].duplicated().sum())
            name = self.names["raw_customers"]
            self._fault(f"{name}: column user_id: {doubled:,} rows repeat an id")
        if customers is not None:
            self._note_ungathered(customers)
        if "raw_orders" not in self.raw.files:
            return
        orders = self._read_orders()
        if orders is None:
            return
        with self.noting():
            clean.require_own_numbers(orders, self.names)
        self.orders = orders

    def _note_ungathered(self, customers: pd.DataFrame) -> None:
        """Note values that no label of a flag gathers, such as a misspelt state."""
        for name, flag in self.settings.flags_of("customer").items():
            if not flag.gathers or flag.source not in customers:
                continue
            values = customers[flag.source].dropna()
            lost = values[~values.isin([one for each in flag.gathers.values() for one in each])]
            if len(lost):
                named = sorted(lost.unique())
                more = f" and {len(named) - SHOWN:,} more" if len(named) > SHOWN else ""
                self.checked.notes.append(
                    f"{self.names['raw_customers']}: column {flag.source}: values that no {name} "
                    f"of the settings gathers: {', '.join(named[:SHOWN])}{more}; customers "
                    f"who will have no {name}: {len(lost):,}"
                )

    def _fault(self, text: str) -> None:
        self.checked.faults.append(f"{text}; expected each once: correct the file")

    def _read_orders(self) -> pd.DataFrame | None:
        """Read orders.csv: ids, numbers, gaps, and whether an order is a prior one."""
        file, spec = self.raw.files["raw_orders"], self.raw.received["raw_orders"]
        columns = ["order_id", "user_id", "order_number", "days_since_prior_order"]
        columns += [] if spec.from_lines else ["eval_set"]
        with self.noting():
            made, bad = self._large("raw_orders", lambda rows: rows.select(columns))
            rows = pa.concat_tables(made).unify_dictionaries() if made else None
            expect_rows(file, (len(rows) if made else 0) + len(bad))
            orders = store.to_pandas("raw_orders", rows)
            repeated = orders["order_id"].duplicated()
            if spec.repeats:
                orders = orders[~repeated]
            elif repeated.any():
                example = orders.loc[repeated, "order_id"].iloc[0]
                more = f"{int(repeated.sum()):,} rows repeat an id ({example})"
                self._fault(f"{file.name}: column order_id: {more}")
                orders = orders[~repeated]
            self._note_file("raw_orders", file, len(rows), bad)
            if spec.from_lines:
                orders = orders.assign(eval_set="prior")  # those without lines are counted below
            return orders
        return None

    def lines(self) -> None:
        """Read the order lines; look for their orders and products, for orders without lines."""
        if "raw_lines" not in self.raw.files or self.orders is None:
            return
        file = self.raw.files["raw_lines"]
        prior = self.orders.loc[self.orders["eval_set"] == "prior", "order_id"].to_numpy()
        with self.noting():
            index = IdIndex(prior)
            made, bad = self._large("raw_lines", _Lines(index, self.product_ids))
            read = sum(piece.rows for piece in made)
            expect_rows(file, read + len(bad))
            repeated = self._repeated(made, index)
            self._note_file("raw_lines", file, read, bad)
            self._note_unmatched(made)
            has_lines = np.zeros(len(prior), bool)
            for piece in made:
                has_lines[piece.orders] = True
            if repeated:
                share = self.settings.limits.max_quarantined_share
                if repeated + len(bad) > share * (read + len(bad)):
                    self.checked.faults.append(
                        f"{file.name}: {repeated:,} of {read:,} lines repeat another of their "
                        f"order, more than max_quarantined_share ({share:g}): correct the file"
                    )
            limit = self.settings.statistics.incomplete_histories
            sums = {
                "orders_without_lines": int((~has_lines).sum()),
                "orders": len(prior),
                "read": read + len(bad),
            }
            if self.raw.received["raw_orders"].from_lines:
                without = self.orders["order_id"].isin(prior[~has_lines])
                self.orders.loc[without, "eval_set"] = "test"
            else:
                merge.record_missing(self.audit, sums, file.name, limit)
            self._note_unknown_customers(prior[has_lines])

    def _note_unknown_customers(self, with_lines: np.ndarray) -> None:
        """Note orders with lines whose customer is not known."""
        if self.customers is None:
            return
        orders = self.orders[~self.orders["user_id"].isin(self.customers["user_id"])]
        orders = orders.loc[orders["order_id"].isin(with_lines), "order_id"]
        if len(orders):
            lines, customers = self.names["raw_lines"], self.names["raw_customers"]
            self.checked.faults.append(
                f"{lines}: column user_id: the customer of order {orders.min()} is not in "
                f"{customers}, nor are those of {len(orders) - 1:,} other orders with lines: "
                "correct the files, or run RULES=course, which removes and counts them"
            )

    def histories(self) -> None:
        """Note what is missing from the customers' histories."""
        if self.orders is None:
            return
        orders, known = self.orders, self.customers
        known = orders[["user_id"]].drop_duplicates() if known is None else known
        counts = clean.count_missing(orders, known)
        with self.noting():
            clean.require_oldest_first(counts, self.names)
        counts |= {"orders": len(orders), "customers": len(known)}
        limit = self.settings.statistics.incomplete_histories
        clean.record_missing(self.audit, counts, self.names, self.raw.origin, limit)

    def _note_unmatched(self, made: list["_Piece"]) -> None:
        """Note lines without an order or a product: RULES=course would remove and count them."""
        lines, orders = self.names["raw_lines"], self.names["raw_orders"]
        for what, where in (
            ("order_id", f"{orders} among the prior orders"),
            ("product_id", self.names.get("raw_products", "")),
        ):
            found = [piece.unknown[what] for piece in made if piece.unknown[what][0]]
            if found:
                many, example = sum(count for count, _ in found), min(one for _, one in found)
                self.checked.faults.append(
                    f"{lines}: column {what}: {example} is not in {where}; so it is on {many:,} "
                    "lines: correct the files, or run RULES=course, which removes and counts them"
                )

    def _repeated(self, made: list["_Piece"], index: IdIndex) -> int:
        """Count the lines that repeat another; raise DataError where they have other values.

        Those within a slice are known, and the first and last order of each slice are kept. Other
        orders in several slices are looked at in a second reading.
        """
        times, at_edges = (np.zeros(index.size, np.uint16) for _ in range(2))
        for piece in made:
            times[piece.orders] += 1
            at_edges[piece.edges] += 1
        keys = [piece.repeated for piece in made]
        scattered = (times > 1) & (times != at_edges)
        edges = np.concatenate([piece.edge_keys for piece in made])
        is_scattered = np.append(scattered, False)[index.locate(edges >> 32)]
        keys.append(_doubled(edges[~is_scattered]))
        if scattered.any():
            keys.append(self._repeated_across(index, scattered))
        every = np.concatenate(keys)
        if not len(every):
            return 0
        file = self.raw.files["raw_lines"]
        repeats.rows_that_repeat(file, "raw_lines", np.unique(every)[:MOST_KEYS])
        return len(every)

    def _repeated_across(self, index: IdIndex, several: np.ndarray) -> np.ndarray:
        """Return the keys of repeated lines in orders whose lines are in several slices."""
        wanted = np.append(several, False)

        def keys_of(rows: pa.Table) -> np.ndarray:
            place = index.locate(rows["order_id"].to_numpy())
            return np.unique(repeats.keys_of(rows)[wanted[place]])

        made, _ = self._large("raw_lines", keys_of)
        return _doubled(np.concatenate(made))

    def notes(self, is_whole: bool) -> list[str]:
        """Say what will be invented, what is incomplete, and which questions that touches."""
        notes = [text for text in (warning(self.audit.missing_table()),) if text]
        for what in OPTIONAL if is_whole else ():
            numbers = ", ".join(each.id for each in QUESTIONS.values() if what in each.needs)
            absent = [name for name in OPTIONAL[what] if name in self.raw.absent]
            if absent:
                notes.append(f"not received: {', '.join(absent)}; {numbers} rest on them")
            elif {what, f"products.{what}"} & set(self.raw.fabricated):
                notes.append(
                    f"no {what} were received: they will be fabricated, and marked so; {numbers} "
                    "rest on them"
                )
        return notes


@dataclass(frozen=True)
class _Piece:
    """What is kept of a slice of order lines: which orders, what is unknown, repeated keys.

    `edges` are its first and its last order, which may go on in other slices.
    """

    rows: int
    orders: np.ndarray
    edges: np.ndarray
    edge_keys: np.ndarray
    unknown: dict[str, tuple[int, int]]
    repeated: np.ndarray


@dataclass(frozen=True)
class _Lines:
    """Looks at the lines of a slice, on the pool of threads."""

    prior: IdIndex
    products: IdIndex | None

    def __call__(self, rows: pa.Table) -> _Piece:
        """Find each line's order and product; find the keys that are there twice."""
        order_ids, product_ids = (rows[name].to_numpy() for name in ("order_id", "product_id"))
        changes = np.flatnonzero(np.diff(order_ids, prepend=-1))
        place = self.prior.locate(order_ids[changes])
        lengths = np.diff(changes, append=len(order_ids))
        lost = place < 0
        unknown = {"order_id": _example(order_ids[changes[lost]], int(lengths[lost].sum()))}
        absent = np.zeros(len(rows), bool)
        if self.products:
            absent = self.products.locate(product_ids) < 0
        unknown["product_id"] = _example(product_ids[absent], int(absent.sum()))
        keys = repeats.keys_of(rows)
        at_edge = np.isin(order_ids, order_ids[[0, -1]]) if len(rows) else absent
        edges = np.unique(self.prior.locate(order_ids[at_edge]))
        edge_keys = np.unique(keys[at_edge])
        repeated = _doubled(keys)
        found = np.unique(place[~lost]).astype(np.int32)
        return _Piece(len(rows), found, edges[edges >= 0], edge_keys, unknown, repeated)


def _doubled(keys: np.ndarray) -> np.ndarray:
    """Return the keys that repeat another, each as often as it does."""
    ordered = np.sort(keys)
    return ordered[1:][ordered[1:] == ordered[:-1]]


def _example(ids: np.ndarray, lines: int) -> tuple[int, int]:
    return lines, int(ids.min()) if len(ids) else 0
