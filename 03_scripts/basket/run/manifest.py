"""Facts about a run: what the report may say of it, and the manifest of what went in and out."""

import csv
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version

from basket.project import git
from basket.project.files import SIDECAR, file_hash, read_json, write_json
from basket.project.folders import ROOT, Folders
from basket.project.stages import done_file, graph, read_record, usage_file

NO_RESULT_DEPENDS_ON = {"threads", "memory_share", "cell_timeout_seconds"}  # of the limits
PACKAGES = ("pandas", "numpy", "pyarrow", "scipy", "matplotlib", "seaborn", "openpyxl", "papermill")


def run_facts(run) -> dict:
    """What the report may say of a run: data, rules, versions and commit; no time, no path."""
    files = run.received
    origin = run.data.origin
    return {
        "rules": run.rules,
        "version": version("basket"),
        "commit": git.commit(),
        "dirty": git.is_dirty(),
        "date": datetime.fromtimestamp(git.epoch(), UTC).date().isoformat(),
        "epoch": git.epoch(),
        "data": {
            "layout": run.data.layout,
            "synthetic": origin.kind,
            "description": origin.sentence(),
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


def read_usage(folders: Folders, stage: str) -> dict:
    """Rows that a stage took or made, and its peak memory."""
    return read_json(usage_file(folders, stage), {"rows": 0, "peak_bytes": 0})


def write_manifest(run) -> None:
    """Write manifest.json: every input, intermediate and output with its hash and rows, and times.

    A stage that did not run keeps the seconds of the run that built it; where nothing has changed
    the file stays as it is.
    """
    folders, path = run.folders, run.folders.analysis / "manifest.json"
    earlier = read_manifest(folders)
    made = _made(run)
    if not run.seconds and {key: earlier.get(key) for key in made} == made:
        return
    before = earlier.get("seconds", {})
    seconds = {stage: round(run.seconds.get(stage, before.get(stage, 0)), 2) for stage in graph()}
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(path, made | {"seconds": seconds, "finished": finished})


def read_manifest(folders: Folders) -> dict:
    """The manifest of the last finished run; empty when there is none that can be read."""
    manifest = read_json(folders.analysis / "manifest.json", {})
    return manifest if isinstance(manifest, dict) else {}


def hashes_in(manifest: dict) -> dict[str, str]:
    """The sha256 of each built file by its path; empty where a manifest does not hold them."""
    try:
        return {name: file["sha256"] for name, file in manifest["files"].items()}
    except (AttributeError, KeyError, TypeError):
        return {}


def _made(run) -> dict:
    """All of the manifest but its times."""
    folders = run.folders
    facts = json.loads((folders.analysis / "run_facts.json").read_text(encoding="utf-8"))
    done = {
        stage: json.loads(done_file(folders, stage).read_text(encoding="utf-8"))
        for stage in graph()
    }
    hashes = {name: digest for stage in done.values() for name, digest in stage["outputs"].items()}
    hashes |= {
        str(page.relative_to(folders.out)): file_hash(page)
        for page in sorted(folders.notebooks.glob("*.html"))
    }
    tables = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folders.prepared.glob(f"*/{SIDECAR}"))
        if path.relative_to(folders.out).as_posix() in hashes
    }
    rows = {
        f"02_data/prepared_data/{name}/{part['file']}": part["rows"]
        for name, table in tables.items()
        for part in table["parts"]
    } | {f"04_analysis/tables/{path.name}": _rows_of(path) for path in folders.tables.glob("*.csv")}
    received = [row for row in read_record(folders, "01_import")["flow"] if row["step"] == "read"]
    return {
        **facts,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "lock_sha256": file_hash(ROOT / "requirements.lock"),
        "parameters": {
            "rules": run.rules,
            "settings": run.settings.model_dump(exclude={"limits": NO_RESULT_DEPENDS_ON}),
        },
        "received": {row["table"]: row["rows_in"] for row in received},
        "quarantined": {row["table"]: row["rows_quarantined"] for row in received},
        "tables": {
            name: {"rows": table["rows"], "parts": len(table["parts"]), "sha256": table["sha256"]}
            for name, table in tables.items()
        },
        "fingerprints": {stage: content["fingerprint"] for stage, content in done.items()},
        "files": {
            name: {
                "sha256": digest,
                "bytes": (folders.out / name).stat().st_size,
                **({"rows": rows[name]} if name in rows else {}),
            }
            for name, digest in sorted(hashes.items())
        },
    }


def _rows_of(table) -> int:
    with table.open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.reader(file)) - 1
