"""A run and its facts: what the report may say of it, and the manifest of what went in and out."""

import csv
import json
import platform
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from basket.prepare.raw_files import RawData
from basket.project import git
from basket.project.errors import BasketError
from basket.project.files import SIDECAR, file_hash, read_json, write_json
from basket.project.folders import ROOT, Folders, Inputs
from basket.project.settings import Settings
from basket.project.stages import done_file, graph, read_record

NO_RESULT_DEPENDS_ON = {"threads", "memory_share", "cell_timeout_seconds"}  # of the limits
RECENT = 60  # seconds: clocks of drives differ, and some count in seconds
PACKAGES = ("pandas", "numpy", "pyarrow", "scipy", "matplotlib", "seaborn", "openpyxl", "papermill")


def effective(settings: Settings, only: set[str] | None = None) -> dict:
    """Return the settings that a result depends on: all, or `only` some of their sections."""
    return settings.model_dump(include=only, exclude={"limits": NO_RESULT_DEPENDS_ON})


def settings_hash(settings: Settings) -> str:
    """Return the sha256 of all settings that a result depends on: not on the size of partitions."""
    content = effective(settings)
    del content["limits"]["lines_per_part"]
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass
class Run:
    """One run of the pipeline: its options, its folders, and the seconds and page of each stage."""

    inputs: Inputs
    settings: Settings
    rules: str
    data: RawData
    start_from: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    pages: dict[str, Future] = field(default_factory=dict)

    @property
    def folders(self) -> Folders:
        """The folders that receive what is built."""
        return Folders(self.inputs.out)

    @property
    def received(self) -> dict[str, dict]:
        """Bytes and sha256 of each raw file, by name."""
        return self._received[0]

    @cached_property
    def _received(self) -> tuple[dict[str, dict], dict[str, tuple], bool]:
        """What the raw files were before they were read, their state, and if it was a fresh one.

        A file that changed lately may change again and bear the same time: its hash will tell.
        """
        states = self.data.states()  # before: what changes while it is hashed is seen, too
        lately = (time.time() - RECENT) * 10**9
        return self.data.hashes(), states, any(state[-1] > lately for state in states.values())

    def require_same_data(self, record: dict) -> None:
        """Raise BasketError unless the raw files still are those whose hashes were taken.

        `record` is that of stage 01, which has looked for its files itself.
        """
        hashes, states, is_fresh = self._received
        now, facts = self.data.states(), json.loads(json.dumps(self.data.facts))
        is_same = now == states and record.get("facts", facts) == facts
        if is_same and (not is_fresh or self.data.hashes() == hashes):
            return
        changed = [name for name, state in now.items() if state != states[name]]
        raise BasketError(
            f"{changed[0] if changed else self.data.root}: has changed while it was read, so that "
            "nobody could say which data was analysed; wait until it is complete, then run again"
        )


def run_facts(run: Run) -> dict:
    """Return what the report may say of a run: data, rules, versions, commit; no time, no path."""
    named = "".join(f"{name}{file['sha256']}" for name, file in run.received.items())
    shop = run.data.about
    own = f"{shop and shop.name}: ask the shop before you pass it on."
    return {
        "rules": run.rules,
        "settings_sha256": settings_hash(run.settings),
        "version": git.version(),
        "commit": git.commit(),
        "dirty": git.is_dirty(),
        "date": datetime.fromtimestamp(git.epoch(), UTC).date().isoformat(),
        "epoch": git.epoch(),
        "data": {
            "layout": run.data.layout,
            "synthetic": run.data.origin.kind,
            "description": run.data.origin.sentence(),
            "about": run.data.origin.about(),
            **({"citation": shop.citation or own} if shop else {}),
            "sha256": sha256(named.encode()).hexdigest(),
            "files": run.received,
        },
        "versions": {name: version(name) for name in PACKAGES},
    }


def write_manifest(run: Run) -> None:
    """Write manifest.json: every input, intermediate and output with its hash and rows, and times.

    A stage that did not run keeps the seconds of the run that built it. If nothing has changed, the
    file stays as it is.
    """
    earlier = read_manifest(run.folders)
    made = _made(run)
    if not run.seconds and {key: earlier.get(key) for key in made} == made:
        return
    seconds = {stage: 0 for stage in graph()} | earlier.get("seconds", {}) | run.seconds
    times = {
        "seconds": {stage: round(seconds[stage], 2) for stage in graph()},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_json(run.folders.analysis / "manifest.json", made | times)


def read_manifest(folders: Folders) -> dict:
    """Return the manifest of the last finished run; empty if none can be read."""
    manifest = read_json(folders.analysis / "manifest.json", {})
    return manifest if isinstance(manifest, dict) else {}


def hashes_in(manifest: dict) -> dict[str, str]:
    """Return the sha256 of each built file by its path; empty if the manifest lacks them."""
    try:
        return {name: file["sha256"] for name, file in manifest["files"].items()}
    except (AttributeError, KeyError, TypeError):
        return {}


def _made(run: Run) -> dict:
    """Return all of the manifest but its times."""
    folders = run.folders
    done = {stage: read_json(done_file(folders, stage), {}) for stage in graph()}
    hashes = {name: digest for stage in done.values() for name, digest in stage["outputs"].items()}
    for page in folders.notebooks.glob("*.html"):
        hashes[page.relative_to(folders.out).as_posix()] = file_hash(page)
    tables = {
        path.parent.name: read_json(path, {})
        for path in sorted(folders.prepared.glob(f"*/{SIDECAR}"))
        if path.relative_to(folders.out).as_posix() in hashes
    }
    rows = {
        f"02_data/prepared_data/{name}/{part['file']}": {"rows": part["rows"]}
        for name, table in tables.items()
        for part in table["parts"]
    }
    for path in folders.tables.glob("*.csv"):
        rows[f"04_analysis/tables/{path.name}"] = {"rows": _rows_of(path)}
    received = [row for row in read_record(folders, "01_import")["flow"] if row["step"] == "read"]
    return {
        **read_json(folders.run_facts, {}),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "lock_sha256": file_hash(ROOT / "requirements.lock"),
        "parameters": {"rules": run.rules, "settings": effective(run.settings)},
        "received": {row["table"]: row["rows_in"] for row in received},
        "quarantined": {row["table"]: row["rows_quarantined"] for row in received},
        "tables": {
            name: {"rows": table["rows"], "parts": len(table["parts"]), "sha256": table["sha256"]}
            for name, table in tables.items()
        },
        "fingerprints": {stage: content["fingerprint"] for stage, content in done.items()},
        "files": {
            name: {"sha256": digest, "bytes": (folders.out / name).stat().st_size}
            | rows.get(name, {})
            for name, digest in sorted(hashes.items())
        },
    }


def _rows_of(table: Path) -> int:
    with table.open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.reader(file)) - 1
