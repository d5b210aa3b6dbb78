"""`basket example`: what a visitor sees without running anything, built from the generated default.

Its stamp is that of a release: the date of CITATION.cff, and no commit. The same code gives the
same files, so that a test can name the first that is out of date.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import yaml

from basket.checks.reproduce import Conditions, build
from basket.project import git
from basket.project.errors import BasketError
from basket.project.files import read_json, write_whole
from basket.project.folders import ROOT, Folders
from basket.project.settings import Settings, load_settings
from basket.project.stages import graph
from basket.report.data_package import data_package
from basket.report.pages.decisions import DECISION
from basket.report.results import anchor, first_findings, results_page
from basket.report.stages_picture import stages_picture
from basket.report.workbook.material import read_material
from basket.synthetic.generate import generate

PLACE = "04_analysis/example"
DECISIONS = "01_project_management/decisions.md"
PICTURE = "01_project_management/pipeline.svg"
LARGEST = 6_000_000  # bytes: every renewal stays in the history
BEGIN, END = "<!-- findings -->\n", "\n<!-- /findings -->"
FLAT = {  # the folders of a run, as its pages name them, and of the example
    "../visualizations/": "visualizations/",
    "../tables/": "tables/",
    "../../05_sent_to_client/": "",
    "../findings.json": "findings.json",
    '../manifest.json">manifest.json': 'run_facts.json">run_facts.json',  # it has times
}
CODE = re.compile(rf"(?<![\w\[#-]){DECISION}(?!\])")


def make_example() -> Path:
    """Build the example, RESULTS.md, the README's findings and the picture; return its folder."""
    with tempfile.TemporaryDirectory(prefix="basket-example-") as place:
        made = example(Path(place))
    size = sum(len(content) for name, content in made.items() if name.startswith(PLACE))
    if size > LARGEST:
        raise BasketError(f"{PLACE}: {size:,} bytes, expected {LARGEST:,} at most; leave files out")
    shutil.rmtree(ROOT / PLACE, ignore_errors=True)
    for name, content in made.items():
        write_whole(ROOT / name, content)
    return ROOT / PLACE


def make_site(site: Path) -> Path:
    """Write the example with all its pages into a folder, for a web server; return its first page.

    The committed example leaves the stages' pages out: a code host shows the notebooks instead.
    """
    with tempfile.TemporaryDirectory(prefix="basket-example-") as place:
        folders = _built(Path(place))
        for name, content in _laid_out(folders, load_settings(ROOT / "settings.yml"), True):
            write_whole(site / name, content)
    return site / "index.html"


def example(place: Path) -> dict[str, bytes]:
    """Build in a folder; return each file of the example by its path in the checkout."""
    folders, settings = _built(place), load_settings(ROOT / "settings.yml")
    material = read_material(folders, settings, folders.run_facts)
    texts = {
        "RESULTS.md": results_page(material, PLACE, settings),
        "README.md": _readme(first_findings(material, PLACE)),
        PICTURE: stages_picture(graph(), settings.palette),
    }
    made = {name: text.encode() for name, text in texts.items()}
    return made | {f"{PLACE}/{name}": file for name, file in _laid_out(folders, settings, False)}


def released() -> int:
    """Return the release's date, of CITATION.cff, in seconds since 1970."""
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    day = content["date-released"]
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _built(place: Path) -> Folders:
    """Build the report on the generated default, under the stamp of the release."""
    settings_file = ROOT / "settings.yml"
    generator = load_settings(settings_file).generator
    generate(place / "generated", scale=generator.scale, seed=generator.seed)
    stamp = {"SOURCE_DATE_EPOCH": str(released()), git.EXAMPLE: "1"}
    conditions = Conditions("build", 2, stamp)
    return Folders(build(place, conditions, ["--data", str(place / "generated")], settings_file))


def _laid_out(folders: Folders, settings: Settings, whole: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the example: notebooks, pages, figures, tables, report; all flat."""
    for path in sorted(folders.notebooks.glob("*.ipynb")):
        yield path.name, _with_linked_decisions(path.read_text(encoding="utf-8")).encode()
    for path in sorted(folders.notebooks.glob("*.html")):
        if whole or path.stem not in graph():
            yield path.name, _flat(path.read_text(encoding="utf-8"), whole).encode()
    for path in sorted(folders.visualizations.glob("*.png")):
        yield f"visualizations/{path.name}", path.read_bytes()
    tables = sorted(folders.tables.glob("*.csv"))
    for path in tables:
        yield f"tables/{path.name}", path.read_bytes()
    for path in (folders.report, folders.findings, folders.run_facts):
        yield path.name, path.read_bytes()
    facts = read_json(folders.run_facts, {})
    package = data_package(tables, facts, settings.report.title, "tables")
    yield "datapackage.json", f"{json.dumps(package, indent=1, ensure_ascii=False)}\n".encode()


def _flat(page: str, whole: bool) -> str:
    """Let the links of a page lead to the example's folders; without pages, to the notebooks."""
    for there, here in FLAT.items():
        page = page.replace(f'href="{there}', f'href="{here}')
    if not whole:
        for stage in graph():
            page = page.replace(f'href="{stage}.html', f'href="{stage}.ipynb')
    return page


def _with_linked_decisions(notebook: str) -> str:
    """Link every decision that a notebook's texts and tables quote, such as D-09, to its text."""
    content = json.loads(notebook)
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _each(cell["source"], r"[{0}]({1})")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for mime, form in (
                ("text/markdown", "[{0}]({1})"),
                ("text/html", '<a href="{1}">{0}</a>'),
            ):
                if mime in data:
                    data[mime] = _each(data[mime], form)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _each(lines: list[str] | str, form: str) -> list[str] | str:
    def link(found: re.Match) -> str:
        return form.format(found[0], f"../../{DECISIONS}#{_anchors()[found[0]]}")

    if isinstance(lines, str):
        return CODE.sub(link, lines)
    return [CODE.sub(link, line) for line in lines]


def _anchors() -> dict[str, str]:
    """Return the anchor of each decision by its code."""
    text = (ROOT / DECISIONS).read_text(encoding="utf-8")
    headings = re.findall(rf"(?m)^## (({DECISION}) .*)$", text)
    return {code: anchor(heading) for heading, code in headings}


def _readme(findings: str) -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise BasketError("README.md: no lines <!-- findings --> and <!-- /findings -->")
    return f"{before}{BEGIN}{findings}{END}{after}"
