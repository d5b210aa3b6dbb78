"""Whether a stage must run again: fingerprints of what goes into it, hashes of what came out.

A stage is up to date when neither what it depends on nor what it made has changed since (D-20).
"""

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from basket.prepare import layouts
from basket.project.files import file_hash, read_json, write_json
from basket.project.folders import ROOT, SCRIPTS, Folders
from basket.project.stages import Step, done_file, graph, record_file
from basket.run.manifest import Run, effective, run_facts
from basket.tables.publish import place_of

SHARED_CODE = [
    ROOT / "requirements.lock",
    ROOT / "01_project_management" / "data_dictionary.csv",
    layouts.PATH,
    SCRIPTS / "stages.csv",
]


SETTINGS_OF = {  # what these stages see of the settings; the last two see all
    "01_import": {"limits", "rules"},
    "02_clean": {"limits", "rules", "labels", "statistics", "thresholds"},
    "03_merge": {"limits", "rules", "labels", "statistics", "thresholds"},
    "04_derive_flags": {"limits", "rules", "labels", "thresholds", "flags", "day_names", "privacy"},
}
NOT_YET = "it has not run yet"
CHANGED = {  # of what a stage depends on: how a changed one is said
    "rules": "other RULES",
    "settings": "settings have changed",
    "code": "the code has changed",
    "python": "another Python",
    "inputs": "its inputs have changed",
    "facts": "what the report says of the run has changed",
    "records": "the records of the other stages have changed",
}


def reason_to_run(run: Run, step: Step) -> str:
    """Say why a stage would run; empty where it is up to date."""
    names = list(graph())
    if run.start_from and names.index(step.stage) >= names.index(run.start_from):
        return f"FROM={run.start_from}"
    try:
        content = read_json(done_file(run.folders, step.stage), {})
        made = {run.folders.out / path: digest for path, digest in content["outputs"].items()}
    except (AttributeError, KeyError, TypeError):  # absent, or not what this project writes
        return NOT_YET
    if content.get("fingerprint") != fingerprint(run, step):
        before, now = content.get("parts", {}), parts_of(run, step)
        changed = [said for name, said in CHANGED.items() if before.get(name) != now.get(name)]
        return ", ".join(changed)
    if hashes(_outputs(run.folders, step)) != made:
        return "what it made was changed or is missing"
    return ""


def note_done(run: Run, step: Step, made_from: dict[str, str]) -> None:
    """Note what a stage has made, and of what: `parts_of` before it ran."""
    made = hashes(_outputs(run.folders, step))
    outputs = {
        path.relative_to(run.folders.out).as_posix(): digest for path, digest in made.items()
    }
    content = {"fingerprint": _digest(made_from), "parts": made_from, "outputs": outputs}
    write_json(done_file(run.folders, step.stage), content)


def fingerprint(run: Run, step: Step) -> str:
    """Hash all that a stage's result depends on: inputs, code, settings, rules, lock."""
    return _digest(parts_of(run, step))


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def parts_of(run: Run, step: Step) -> dict[str, str]:
    """Return a hash of each thing that a stage's result depends on, by its name."""
    content = {
        "stage": step.stage,
        "rules": run.rules,
        "settings": effective(run.settings, SETTINGS_OF.get(step.stage)),
        "code": code_hash(step.stage),
        "python": sys.version_info[:2],
        "inputs": {
            path.relative_to(run.folders.out).as_posix(): digest
            for table in step.takes
            if table != "raw files"
            for path, digest in hashes(_files_of(run.folders, table)).items()
        },
    }
    if "raw files" in step.takes:
        content["inputs"] = run.received | run.data.facts
    if step.stage == "06_report":
        content["facts"] = {**run_facts(run), "settings_sha256": None}  # they are told above
        records = [record_file(run.folders, name) for name in graph() if name != step.stage]
        content["records"] = list(hashes(records).values())
    return {name: _digest(value) for name, value in content.items()}


def code_hash(stage: str) -> str:
    """Hash the code that a stage runs: the package, what all stages share, its notebook."""
    package = sorted((SCRIPTS / "basket").rglob("*.*"))
    return hash_of([*package, *SHARED_CODE, SCRIPTS / f"{stage}.ipynb"])


def executed(folders: Folders, stage: str) -> Path:
    """Return where a stage's executed notebook belongs."""
    return folders.notebooks / f"{stage}.ipynb"


def _files_of(folders: Folders, made: str) -> list[Path]:
    """Return the files of one of the things that a stage makes."""
    place = place_of(folders, made)
    return sorted(place.parent.glob(place.name) if place.suffix else place.glob("*"))


def _outputs(folders: Folders, step: Step) -> list[Path]:
    outputs = [path for table in step.makes for path in _files_of(folders, table)]
    outputs += [record_file(folders, step.stage), executed(folders, step.stage)]
    if step.stage == "01_import":
        outputs += _files_of(folders, "quarantine")
    if step.stage == "06_report":
        outputs.append(folders.run_facts)
    return outputs


def hash_of(paths: list[Path]) -> str:
    """Hash the names and the contents of files."""
    named = "".join(f"{path.name}{_known_hash(path)}" for path in _seen(paths))
    return hashlib.sha256(named.encode()).hexdigest()


def hashes(paths: list[Path]) -> dict[Path, str | None]:
    """Return the sha256 of each file, None if it is absent; skip hidden and compiled files."""
    seen = _seen(paths)
    with ThreadPoolExecutor() as pool:  # tables are large
        return dict(zip(seen, pool.map(_known_hash, seen), strict=True))


def _seen(paths: list[Path]) -> list[Path]:
    return [
        path for path in paths if "__pycache__" not in path.parts and not path.name.startswith(".")
    ]


def _known_hash(path: Path) -> str | None:
    """Return the sha256 of a file; read it once in a run unless it changes."""
    try:
        now = path.stat()
    except OSError:
        return None
    return _hash_as_of(path, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)


@cache
def _hash_as_of(path: Path, *_state: int) -> str | None:
    return file_hash(path)
