"""Facts about a run: what the report may say of it, and the manifest of what went in and out."""

import json
import os
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version

from basket.graph import file_hash, graph, read_record, record_file, write_json
from basket.project import ROOT, Folders
from basket.raw import RawData

NO_COMMIT = "unknown"
EPOCH_WITHOUT_COMMIT = 1_483_228_800  # 1 January 2017, the year of the data set
PACKAGES = ("pandas", "numpy", "pyarrow", "scipy", "matplotlib", "seaborn", "openpyxl", "papermill")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def commit() -> str:
    """The commit of this checkout, or `unknown` outside version control."""
    return _git("rev-parse", "HEAD") or NO_COMMIT


@cache
def is_dirty() -> bool:
    """Whether files differ from the commit or are new; what was sent and its log do not count."""
    changed = _git("status", "--porcelain", "--", ".", ":!05_sent_to_client")
    return bool(changed)


def epoch() -> int:
    """Seconds that stand for the date of this run: SOURCE_DATE_EPOCH, else the commit's date."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdigit():
        return int(given)
    return int(_git("log", "-1", "--format=%ct") or EPOCH_WITHOUT_COMMIT)


def describe_data(data: RawData) -> str:
    """Say in one sentence what data this is."""
    if data.synthetic:
        scale = data.synthetic.get("scale")
        size = f" of SCALE {scale:g}" if isinstance(scale, int | float) else ""
        return f"SYNTHETIC DATA: a generated data set{size} in the course's layout"
    if data.fabricated:
        return (
            "Instacart's data in Kaggle's layout; SYNTHETIC COLUMNS: the prices and the "
            "customers are fabricated by the generator"
        )
    return "Instacart's data in the course's layout"


def banner(stage) -> str:
    """What stands on every figure of a run whose data is not real."""
    arrived = read_record(stage.folders, "01_import")["facts"]
    return (
        "SYNTHETIC DATA"
        if arrived["synthetic"]
        else "SYNTHETIC COLUMNS: prices and customers"
        if arrived["fabricated"]
        else ""
    )


def run_facts(run) -> dict:
    """What the report may say of a run: data, rules, versions and commit; no time, no path."""
    files = run.data.hashes()
    return {
        "rules": run.rules,
        "version": version("basket"),
        "commit": commit(),
        "dirty": is_dirty(),
        "date": datetime.fromtimestamp(epoch(), UTC).date().isoformat(),
        "epoch": epoch(),
        "data": {
            "layout": run.data.layout,
            "synthetic": "data"
            if run.data.synthetic
            else "columns"
            if run.data.fabricated
            else "no",
            "description": describe_data(run.data),
            "sha256": _joined(files),
            "files": files,
        },
        "versions": {name: version(name) for name in PACKAGES},
    }


def _joined(files: dict[str, dict]) -> str:
    from hashlib import sha256

    return sha256(
        "".join(f"{name}{file['sha256']}" for name, file in files.items()).encode()
    ).hexdigest()


def write_run_facts(run) -> None:
    """Write the facts where stage 06 reads them."""
    write_json(run.folders.analysis / "run_facts.json", run_facts(run))


def usage_file(folders: Folders, stage: str):
    """Where a stage says how much it used; not part of any result."""
    return folders.prepared / f"{stage}.usage.json"


def read_usage(folders: Folders, stage: str) -> dict:
    """Rows that a stage took or made, and its peak memory."""
    try:
        return json.loads(usage_file(folders, stage).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"rows": 0, "peak_bytes": 0}


def write_manifest(folders: Folders, seconds: dict[str, float]) -> None:
    """Write manifest.json: every input, intermediate and output with its hash, and the times."""
    facts = json.loads((folders.analysis / "run_facts.json").read_text(encoding="utf-8"))
    path = folders.analysis / "manifest.json"
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))["seconds"] if path.exists() else {}
    except (ValueError, KeyError):
        earlier = {}
    if path.exists() and not seconds:
        return
    stages = {}
    for stage in graph():
        done = json.loads((folders.prepared / f"{stage}.done.json").read_text(encoding="utf-8"))
        stages[stage] = {"fingerprint": done["fingerprint"], "outputs": done["outputs"]}
    pages = sorted(folders.notebooks.glob("*.html"))
    files = {name: digest for stage in stages.values() for name, digest in stage["outputs"].items()}
    files |= {str(page.relative_to(folders.out)): file_hash(page) for page in pages}
    record = json.loads(record_file(folders, "01_import").read_text(encoding="utf-8"))
    write_json(
        path,
        {
            **facts,
            "quarantined": {
                row["table"]: row["rows_quarantined"]
                for row in record["flow"]
                if row["step"] == "read"
            },
            "fingerprints": {stage: done["fingerprint"] for stage, done in stages.items()},
            "files": dict(sorted(files.items())),
            "seconds": {
                stage: round(seconds.get(stage, earlier.get(stage, 0)), 2) for stage in graph()
            },
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )
