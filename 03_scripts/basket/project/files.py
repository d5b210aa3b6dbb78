"""Files written whole or not at all, read as JSON, and hashed."""

import hashlib
import json
import os
from pathlib import Path

SIDECAR = "_table.json"  # what a published table says of itself, in its folder


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, then move it there: a reader sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_json(path: Path, content, default=None) -> None:
    """Write content as JSON, whole or not at all; `default` says how to write other types."""
    text = json.dumps(content, indent=1, ensure_ascii=False, default=default)
    write_whole(path, f"{text}\n".encode())


def read_json(path: Path, otherwise):
    """Read a JSON file; return `otherwise` when it is absent or unreadable."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return otherwise


def file_hash(path: Path) -> str | None:
    """Return the sha256 of a file, None when it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
