"""Whether the page of a notebook is up to date: asked in every run, so without what renders it."""

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

from basket.project.folders import Folders
from basket.project.settings import Settings
from basket.project.stages import graph
from basket.report.pages.page import DECISIONS, TEMPLATES, banner_of, notes_of, settings_of_run

PARTS = ("beautifulsoup4", "jinja2", "mistune", "pygments")  # packages that make it


def is_current(executed: Path) -> bool:
    """Say whether the page was made from exactly this notebook, code and settings."""
    try:
        with executed.with_suffix(".html").open(encoding="utf-8") as file:
            return f'content="{made_from(executed, settings_of_run())}"' in file.read(2_000)
    except (OSError, UnicodeDecodeError):
        return False


def made_from(executed: Path, settings: Settings) -> str:
    """Hash of all that a notebook's page depends on."""
    digest = hashlib.sha256(_hash_of_renderer().encode())
    for content in (
        settings.palette.model_dump(),
        settings.report.model_dump(),
        list(graph()),
        str(banner_of(folders_around(executed))),
        notes_of(folders_around(executed)),
    ):
        digest.update(json.dumps(content, sort_keys=True).encode())
    digest.update(executed.read_bytes())
    return digest.hexdigest()


@cache
def _hash_of_renderer() -> str:
    """Hash of the modules here, their templates, the decisions and the packages that render."""
    digest = hashlib.sha256(" ".join(f"{part} {version(part)}" for part in PARTS).encode())
    for path in sorted([*Path(__file__).parent.glob("*.py"), *TEMPLATES.glob("*.j2"), DECISIONS]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def folders_around(executed: Path) -> Folders:
    """Return the folders of the run that executed a notebook."""
    return Folders(executed.resolve().parents[2])
