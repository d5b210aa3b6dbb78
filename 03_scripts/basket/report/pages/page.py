"""What all pages share: the template, the banner, the way to the other pages."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup

from basket.project.errors import BasketError
from basket.project.files import read_json, write_whole
from basket.project.folders import ROOT, Folders, Inputs
from basket.project.origin import BANNERS, GENERATED, IS_INVENTED, Banner, Origin
from basket.project.settings import Settings, load_settings
from basket.project.stages import graph, record_file

DECISIONS = ROOT / "01_project_management" / "decisions.md"  # which every page links
TEMPLATES = Path(__file__).parent / "templates"
DARK = {  # the colours of the settings' palette on a dark screen
    "ink": "#E4E8EB",
    "muted": "#A9B4BD",
    "grid": "#3A444D",
    "accent": "#6CB8F0",
    "contrast": "#FF9E5E",
    "third": "#4CC9A0",
    "fourth": "#D3A6EC",
    "paper": "#14191D",
    "warning": "#4A3D0F",
    "raised": "#1F262C",
}
RAISED = "#F4F6F8"  # behind code and quotations, on a light screen
EXACT = "Exact, for the analyst; not for passing on."
WITHHELD = "Small groups are withheld on this page: it may be passed on."


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


def notes_of(folders: Folders, first: str = EXACT) -> list[str]:
    """Return what a page says on top: whom its numbers are for, and what real data has invented."""
    if not record_file(folders, "01_import").is_file():
        return [first]
    origin = Origin.of_run(folders)
    if origin.kind == GENERATED:  # the banner says so
        return [first]
    return [first, origin.about()[IS_INVENTED]]


def write_page(
    path: Path, template: str, settings: Settings, content: dict, rules: str = ""
) -> None:
    """Fill a template, whose style gets further rules, and write the page whole or not at all."""
    templates = _templates()
    colours = {"light": settings.palette.model_dump() | {"raised": RAISED}, "dark": DARK}
    css = templates.get_template("page.css.j2").render(colours) + rules
    css_hash = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    page = templates.get_template(template).render(
        css=Markup(css),
        policy=f"default-src 'none'; style-src 'sha256-{css_hash}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        language=settings.report.language,
        report=settings.report,
        here=path.name,
        pages=_pages(),
        **{"banner": None, "notes": []} | content,
    )
    write_whole(path, page.encode("utf-8", errors="replace"))


def _pages() -> dict[str, str]:
    """Name the pages, in the order in which every page links them."""
    stages = {f"{name}.html": label_of(name) for name in graph()}
    beside = {"explorer.html": "Explorer", "decisions.html": "Decisions"}
    return {"index.html": "Index"} | stages | beside


@cache
def _templates():
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # no page, no need for it

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
