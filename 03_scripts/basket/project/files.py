"""Files written whole or not at all, read as JSON, and hashed."""

import csv
import hashlib
import io
import json
import os
from pathlib import Path

from basket.project.errors import BasketError

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


def read_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV file of the project, also one that a spreadsheet has saved as CSV UTF-8.

    Raises BasketError, in one line, where it is not text or lacks one of these columns.
    """
    again = "save it as CSV UTF-8, with commas"
    try:
        rows = csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig")), restval="")
        lacking = [name for name in columns if name not in (rows.fieldnames or [])]
        if not lacking:
            return list(rows)
    except OSError as error:
        raise BasketError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BasketError(f"{path}: is not UTF-8; {again}") from None
    except csv.Error as error:
        raise BasketError(f"{path}: is not readable as CSV ({error}); {again}") from None
    expected = f"expected {', '.join(columns)}"
    raise BasketError(f"{path}, line 1: column {lacking[0]} is missing; {expected}: {again}")


def file_hash(path: Path) -> str | None:
    """Return the sha256 of a file, None when it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
