"""What all pages share: the template, the banner, the way to the other pages."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from basket.project.errors import BasketError
from basket.project.files import read_json, write_whole
from basket.project.folders import Folders, Inputs
from basket.project.origin import BANNERS, Banner, Origin
from basket.project.settings import Settings, load_settings
from basket.project.stages import graph, record_file

TEMPLATES = Path(__file__).parent / "templates"


class PageError(BasketError, ValueError):
    """A notebook that cannot be shown as it should, such as a figure without a text for it."""


@dataclass(frozen=True)
class Heading:
    """A heading of a page, as its contents list shows it."""

    level: int
    text: str
    id: str


def settings_of_run() -> Settings:
    """Load the settings of the run that started this process, else the checkout's."""
    return load_settings(Inputs.received().settings)


def banner_of(folders: Folders) -> Banner | None:
    """Return what every page says first when the data, or a part of it, is made up.

    Stage 01 recorded it; where its record is absent, the facts of the run say it.
    """
    if record_file(folders, "01_import").is_file():
        return Origin.of_run(folders).banner
    facts = read_json(folders.run_facts, {})
    return BANNERS.get(facts.get("data", {}).get("synthetic"))


def write_page(path: Path, template: str, settings: Settings, content: dict) -> None:
    """Fill a template and write the page whole or not at all."""
    templates = _templates()
    css = templates.get_template("page.css.j2").render(settings.palette.model_dump())
    css_hash = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    page = templates.get_template(template).render(
        css=Markup(css),
        policy=f"default-src 'none'; style-src 'sha256-{css_hash}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        language=settings.report.language,
        report=settings.report,
        here=path.name,
        pages={"index.html": "Index"} | {f"{name}.html": label_of(name) for name in graph()},
        **content,
    )
    write_whole(path, page.encode("utf-8", errors="replace"))


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def label_of(stage: str) -> str:
    """`04_derive_flags` as people read it: 04 Derive flags."""
    number, _, words = stage.partition("_")
    return f"{number} {words.replace('_', ' ').capitalize()}"
