"""A stage as its notebook sees it: its inputs and outputs, its tables, its audit.

`stages.csv` is the graph: reading or writing a table that it does not name is an error.
"""

import errno
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from basket.project.errors import REPORT, BasketError
from basket.project.files import SIDECAR, write_json
from basket.project.folders import Folders, Inputs
from basket.project.settings import load_settings
from basket.project.stages import Step, graph, read_record, record_file, usage_file
from basket.tables import progress, store
from basket.tables.audit import Audit
from basket.tables.publish import locked, publish
from basket.tables.result_csv import to_csv


class Stage:
    """One numbered stage at work: limited to the tables that stages.csv names for it."""

    def __init__(self, name: str, rules: str = "corrected", step: Step | None = None):
        """Open the stage `name` under the set of rules `rules` (corrected or course).

        `step` says what it takes and makes where stages.csv does not: for work outside notebooks,
        by one who holds the lock.
        """
        self.name = name
        self.step = step or graph()[name]
        self.inputs = Inputs.received()
        self.folders = Folders(self.inputs.out)
        self.settings = load_settings(self.inputs.settings)
        self.rules_name = rules
        self.rules = self.settings.rules_named(rules)
        self.audit = Audit(rules)
        self.built: dict[str, dict] = {}
        pd.set_option("display.max_colwidth", None)
        self.scheduler = self.inputs.scheduler
        self._building = self.inputs.building
        if self._building is None:  # run by hand: this stage publishes itself
            self._building = self.folders.prepared / f".{name}.by_hand"
            shutil.rmtree(self._building, ignore_errors=True)

    def __repr__(self) -> str:
        """Name the stage without its address in memory, which differs from run to run."""
        return f"Stage({self.name!r}, rules={self.rules_name!r})"

    def _repr_html_(self) -> str:
        takes, makes = ", ".join(self.step.takes), ", ".join(self.step.makes)
        row = {"takes": takes, "makes": makes, "rules": self.rules_name}
        return pd.DataFrame(row, index=[self.name]).to_html()

    # ---- reading ------------------------------------------------------------------------------

    def folder_of(self, table: str) -> Path:
        """Return the folder of a published table that this stage takes."""
        if table not in self.step.takes:
            raise BasketError(f"{self.name} may not read {table}: stages.csv does not say so")
        folder = self.folders.prepared / table
        rules = store.read_sidecar(folder)["rules"]
        if rules not in (self.rules_name, "any"):
            raise BasketError(
                f"{table} was built under RULES={rules}, this notebook says "
                f"{self.rules_name}; run `{REPORT}` with RULES={self.rules_name}"
            )
        return folder

    def read(self, table: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Read a whole table."""
        return store.read_table(self.folder_of(table), columns)

    def read_part(self, table: str, part: int = 0, columns: list[str] | None = None):
        """Read one part of a table: some customers, with all that is theirs."""
        return store.read_part(self.folder_of(table), part, columns)

    def parts(self, table: str) -> int:
        """Return how many parts the table has."""
        return len(store.read_sidecar(self.folder_of(table))["parts"])

    def rows(self, table: str) -> int:
        """Return how many rows the table has."""
        return store.read_sidecar(self.folder_of(table))["rows"]

    def raw_files(self) -> dict[str, str]:
        """Return the name of the file that each raw table of this run was read from."""
        return read_record(self.folders, "01_import")["facts"]["files"]

    @property
    def run_facts(self) -> Path:
        """The facts of this run; those of the last one where this notebook is run by hand."""
        own = self._building / self.folders.run_facts.name
        return own if own.is_file() else self.folders.run_facts

    # ---- making -------------------------------------------------------------------------------

    def building(self, table: str) -> Path:
        """Return the folder in which an output of this stage is written before publication."""
        if table not in self.step.makes:
            raise BasketError(f"{self.name} may not write {table}: stages.csv does not say so")
        folder = self._building / table
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Say of a full disk where it is and what to do; remove this stage's partial output."""
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            shutil.rmtree(self._building, ignore_errors=True)
            raise BasketError(
                f"{self.folders.prepared}: no room left on the disk; make room there, or name a "
                "folder on a larger one with OUT, and run again; the tables published before are "
                "in place"
            ) from None

    def write(self, table: str, frame: pd.DataFrame) -> None:
        """Write a small table, in one part."""
        with self.writing():
            self.finish(table, [store.write_part(self.building(table), table, 0, frame)])

    def finish(self, table: str, parts: list[dict]) -> None:
        """Close a table whose parts are all written."""
        rules = "any" if self.name == "01_import" else self.rules_name
        self.built[table] = store.write_sidecar(self.building(table), table, parts, rules)

    def for_each_part(
        self,
        function: Callable,
        takes: Mapping[str, str | tuple[str, list[str]]],
        makes: tuple[str, ...] = (),
        read: Callable = store.read_part,
        **constants,
    ) -> dict:
        """Apply a pure function to every part; write the frames it returns, add up its sums.

        `takes` maps each argument to a table, or to (table, columns). `function(**frames,
        **constants)` returns (frames by table, sums by name); sums are integers or arrays and are
        added in the order of the parts. `read` is `store.read_stored` for a function of stored
        columns instead of frames. The parts run on a pool of threads, or on a cluster.
        """
        sources = {}
        for argument, source in takes.items():
            table, columns = source if isinstance(source, tuple) else (source, None)
            sources[argument] = self.folder_of(table), columns
        work = {
            "function": function,
            "sources": sources,
            "read": read,
            "folders": {table: self.building(table) for table in makes},
            "constants": constants,
        }
        parts = range(max(self.parts(folder.name) for folder, _ in sources.values()))
        written, total = [], {}
        with self.writing():
            for made, sums in self.in_order(run_part, parts, f"{function.__name__}, part", **work):
                written.append(made)
                total = add_up((total, sums))
        for table in makes:
            self.finish(table, [made[table] for made in written])
        return total

    def in_order(self, function: Callable, items: Sequence, what: str, /, **constants) -> Iterator:
        """Yield `function(item, **constants)` for each item, in their order, as they are finished.

        They run on a pool of threads, or on the cluster of this run; `what` names an item.
        """
        if self.scheduler:
            from basket.tables import cluster

            done = cluster.in_order(self.scheduler, function, items, constants, what)
        else:
            done = _on_threads(self.settings.limits.threads, function, items, constants)
        for number, result in enumerate(done, start=1):
            self.note_progress(what, number, len(items))
            yield result

    def note_progress(self, what: str, done: int, total: int) -> None:
        """Note how many items are finished, for the bar that the run shows."""
        progress.note(self._building, what, done, total)

    def write_results(self, results: dict[str, pd.DataFrame]) -> None:
        """Write the result tables of the analysis as CSV files; refuse an undescribed column."""
        folder = self.building("tables")
        with self.writing():
            for name, table in results.items():
                (folder / f"{name}.csv").write_text(to_csv(table), encoding="utf-8", newline="\n")
        self.built["tables"] = {"rows": sum(len(table) for table in results.values())}

    def write_findings(self, found: list[dict]) -> None:
        """Write the findings."""
        write_json(self.building("findings") / "findings.json", found)
        self.built["findings"] = {"rows": len(found)}

    def quarantine(self, table: str, rows: pd.DataFrame) -> None:
        """Keep the rows of a raw table that could not be used: file, line, rule and text."""
        folder = self._building / "quarantine"
        folder.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(folder / f"{table}.parquet", index=False)

    # ---- publishing ---------------------------------------------------------------------------

    def publish(self, **facts) -> pd.DataFrame:
        """Publish all that the stage made, with its audit and facts; return rows in and out.

        Within a run it is the run that publishes, once this notebook has ended.
        """
        missing = [table for table in self.step.makes if table not in self.built]
        if missing:
            raise BasketError(f"{self.name} has not made {', '.join(missing)}")
        if self.name == "01_import":  # also where nothing was set aside
            (self._building / "quarantine").mkdir(parents=True, exist_ok=True)
        tables = [t for t in self.step.takes if (self.folders.prepared / t / SIDECAR).is_file()]
        rows = [("takes", table, self.rows(table)) for table in tables]
        rows += [("makes", table, self.built[table]["rows"]) for table in self.step.makes]
        self._save_record(facts)
        self._save_usage()
        if self.inputs.building is None:
            by_hand = self.name in graph()
            with locked(self.folders) if by_hand else nullcontext():
                publish(self.folders, self.step, self._building)
        return pd.DataFrame(rows, columns=["", "table", "rows"])

    def _save_record(self, facts: dict) -> None:
        """Save what this stage did: its audit, and any facts that later stages report."""
        content = {
            "stage": self.name,
            "rules": self.rules_name,
            "facts": facts,
            "flow": self.audit.flow,
            "checks": self.audit.checks,
            "wrangling": self.audit.wrangling,
            "missing": self.audit.missing,
        }
        write_json(self._building / record_file(self.folders, self.name).name, content)

    def _save_usage(self) -> None:
        """Save what this stage used, for the line that the run prints; not part of any result."""
        rows = max(made["rows"] for made in self.built.values())
        usage = {"rows": rows, "peak_bytes": peak_bytes()}
        write_json(self._building / usage_file(self.folders, self.name).name, usage)


def peak_bytes() -> int:
    """Return the most memory that this process has used at once; 0 on platforms without it."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _on_threads(threads: int, function: Callable, items: Sequence, constants: dict) -> Iterator:
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(partial(function, **constants), items)


def run_part(
    part: int, function: Callable, sources: dict, read: Callable, folders: dict, constants: dict
) -> tuple:
    """Read one part's frames, apply the function, write its frames; return what was written.

    Each file is written aside and moved in when it is whole: doing it twice does no harm.
    """
    frames = {
        argument: read(folder, part, columns) for argument, (folder, columns) in sources.items()
    }
    made, sums = function(**frames, **constants)
    written = {}
    for table, folder in folders.items():
        with TemporaryDirectory(dir=folder.parent, prefix="attempt-") as attempt:
            written[table] = store.write_part(Path(attempt), table, part, made[table])
            store.part_file(Path(attempt), part).replace(store.part_file(folder, part))
    return written, sums


def add_up(sums: Iterable[dict]) -> dict:
    """Add the sums of all parts, name by name, in the order of the parts, as they arrive."""
    total: dict = {}
    for part in sums:
        total = {
            name: total[name] + value if name in total else value for name, value in part.items()
        }
    return total
