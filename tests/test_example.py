"""What a visitor sees without running anything: it is there, renders, and is of this code."""

import csv
import hashlib
import io
import json
import re
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

import workbook_rules
from basket.analysis.questions import QUESTIONS
from basket.checks import example
from basket.project import git
from basket.project.files import write_whole
from basket.project.folders import ROOT, Folders
from basket.project.settings import load_settings
from basket.project.stages import Step, graph
from basket.report.results import _plain, anchor, first_findings, results_page
from basket.report.stages_picture import stages_picture
from basket.report.workbook.material import read_material
from checkout import basket, run_command
from test_workbook import OTHER_ANSWERS, TITLES, write_run

PLACE = ROOT / "04_analysis" / "example"
CODE = re.compile(r"\bD-\d\d\b")
LINKED = re.compile(r"\[D-\d\d\]\([^)]+\)|<a href=\"[^\"]+\">D-\d\d</a>")
OF_A_MACHINE = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|work|usr|Users|opt|var)/|[A-Z]:\\\\")
TEXTS = {".ipynb", ".html", ".json", ".csv", ".md"}


@pytest.fixture(scope="module")
def place() -> Path:
    """Give the folder of the committed example."""
    assert PLACE.is_dir(), "04_analysis/example is absent; run `make example` and commit it"
    return PLACE


def notebook_of(place: Path, stage: str) -> dict:
    return json.loads((place / f"{stage}.ipynb").read_text(encoding="utf-8"))


def text_of(lines: str | list[str]) -> str:
    return "".join(lines)


def first_stale(made: dict[str, bytes], root: Path = ROOT) -> str:
    """Name the first file of a checkout that the example would change, and how; "" if none."""
    here = {path.relative_to(root).as_posix() for path in (root / example.PLACE).rglob("*")}
    there = {name for name in here if (root / name).is_file()}
    for name in sorted(there | set(made)):
        if name not in there and not (root / name).is_file():
            return f"{name} is absent; run `make example`"
        if name not in made:
            return f"{name} is no longer made; run `make example`"
        if _content(name, made[name]) != _content(name, (root / name).read_bytes()):
            return f"{name} is out of date; run `make example`"
    return ""


def _content(name: str, file: bytes) -> bytes | dict[str, bytes]:
    """Return what a file says: a workbook is packed differently by another zlib."""
    if not name.endswith(".xlsx"):
        return file
    with zipfile.ZipFile(io.BytesIO(file)) as packed:
        return {member: packed.read(member) for member in packed.namelist()}


@pytest.mark.slow
def test_the_example_is_what_this_code_makes_and_its_workbook_meets_every_rule(tmp_path):
    made, folders = example.example(tmp_path), Folders(tmp_path / "build")
    settings = load_settings(ROOT / "settings.yml")
    workbook_rules.check(folders.report, folders.analysis, settings)
    assert first_stale(made) == ""


def test_the_example_is_small_and_whole(place):
    files = [path for path in place.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= example.LARGEST == 6_000_000
    names = {path.relative_to(place).as_posix() for path in files}
    assert {f"{stage}.ipynb" for stage in graph()} <= names
    assert {"index.html", "instacart_final_report.xlsx", "datapackage.json"} <= names
    assert (ROOT / "RESULTS.md").is_file()


@pytest.mark.parametrize("stage", list(graph()))
def test_an_executed_notebook_renders_on_a_code_host(place, stage):
    cells = notebook_of(place, stage)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    outputs = [output for cell in code for output in cell["outputs"]]
    assert all(cell["execution_count"] for cell in code if text_of(cell["source"]).strip())
    assert len(outputs) >= 3
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert "Traceback" not in json.dumps(outputs)
    for output in outputs:
        for mime in output.get("data", {}):
            if mime.startswith("image/"):
                assert len(output["metadata"][mime]["alt"]) >= 40


@pytest.mark.parametrize("stage", list(graph()))
def test_a_notebook_quotes_no_decision_without_its_link(place, stage):
    for cell in notebook_of(place, stage)["cells"]:
        texts = [text_of(cell["source"])] if cell["cell_type"] == "markdown" else []
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            texts += [
                text_of(data[mime]) for mime in ("text/markdown", "text/html") if mime in data
            ]
            texts.append(text_of(output.get("text", "")))
        for text in texts:
            assert not CODE.search(LINKED.sub("", text)), text
            for link in re.findall(r"\]\(([^)#\s]+\.md)#[^)]*\)", text):
                assert (place / link).is_file()


def test_nothing_names_a_machine(place):
    for path in [ROOT / "RESULTS.md", *place.rglob("*")]:
        if path.suffix in TEXTS:
            text = re.sub(r"data:image/png;base64,[\w+/=]+", "", path.read_text(encoding="utf-8"))
            text = re.sub(r'"image/png": "[^"]*"', "", text)
            assert not OF_A_MACHINE.search(text), (path.name, OF_A_MACHINE.search(text))


def dead_links(place: Path) -> dict[str, set[str]]:
    """Give the links of each page of a folder that lead to no file, for pages that have any."""
    found = {}
    for page in place.glob("*.html"):
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        links = {link["href"].partition("#")[0] for link in soup.find_all("a", href=True)} - {""}
        local = {link for link in links if not link.startswith("http")}
        found[page.name] = {link for link in local if not (place / link).is_file()}
    assert found
    return {name: links for name, links in found.items() if links}


def test_the_pages_lead_to_files_that_are_there(place):
    assert dead_links(place) == {}


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
def test_a_site_has_the_pages_of_all_stages_and_no_dead_link(checkout, settings, tmp_path, whole):
    for name, content in example._laid_out(Folders(checkout), settings, whole):
        write_whole(tmp_path / name, content)
    assert dead_links(tmp_path) == {}
    assert all((tmp_path / f"{stage}.html").is_file() == whole for stage in graph())


def test_everything_says_that_it_is_synthetic(place):
    for path in (ROOT / "RESULTS.md", ROOT / "README.md", place / "index.html"):
        assert "SYNTHETIC DATA" in path.read_text(encoding="utf-8"), path.name
    facts = json.loads((place / "run_facts.json").read_text(encoding="utf-8"))
    assert (facts["commit"], facts["dirty"], facts["rules"]) == ("example", False, "corrected")
    package = json.loads((place / "datapackage.json").read_text(encoding="utf-8"))
    assert package["description"].startswith("SYNTHETIC DATA")


def test_the_readme_shows_three_findings_with_a_picture_each(place):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split(example.BEGIN)[1].split(example.END)[0]
    pictures = re.findall(r"!\[[^\]]{40,}\]\(([^)]+)\)", shown)
    assert len(pictures) == len(set(pictures)) == 3
    assert all((ROOT / picture).is_file() for picture in pictures)
    assert len(text.splitlines()) <= 120


def test_each_question_of_the_results_has_its_own_answers_and_figures(tmp_path):
    folders = write_run(tmp_path)
    settings = load_settings(ROOT / "settings.yml")
    material = read_material(folders, settings, folders.run_facts)
    head, *parts = results_page(material, "here", settings).split("\n## ")
    *parts, terms = parts
    assert (
        terms.startswith("Terms\n") and "- **Usual gap**: the median of a customer's own" in terms
    )
    assert "●●○ Medium" in terms and "Weekly: up to 8 days" in terms
    sections = {part.split(" ")[0]: part for part in parts}
    assert [part.split("\n")[0] for part in parts] == [
        f"{name} {question.title}" for name, question in QUESTIONS.items()
    ]
    for number, (name, text) in enumerate(sections.items(), 1):
        assert QUESTIONS[name].text in text
        found = [one for one in material.findings if one["question"] == name]
        assert len(found) == (number <= 11) == text.count("Fact: ")
        for finding in found:
            assert f"**{finding['headline']}.** {_plain(finding['so_what'])}" in text
            assert f"*VP of Marketing, do this:* {finding['action']} 200 orders" in text
            assert "Evidence: [orders_by_day](here/tables/orders_by_day.csv)." in text
            title = f"{name} {QUESTIONS[name].title}"
            assert f"| [{title}](#{anchor(title)}) | {finding['headline']} | ●●● High |" in head
        drawn = [figure for figure, (question, _) in TITLES.items() if question == name]
        assert re.findall(r"visualizations/(\w+)\.png", text) == drawn
    shown = first_findings(material, "here")
    assert shown.startswith(f"**{OTHER_ANSWERS[2]['headline']}.** {OTHER_ANSWERS[2]['action']}\n")
    assert re.findall(r"here/visualizations/(\w+)\.png", shown) == ["value", "heat"]


def test_the_picture_of_the_stages_is_that_of_stages_csv():
    settings = load_settings(ROOT / "settings.yml")
    drawn = stages_picture(graph(), settings.palette)
    assert (ROOT / example.PICTURE).read_text(encoding="utf-8") == drawn
    soup = BeautifulSoup(drawn, "html.parser")
    names = " ".join(text.get_text() for text in soup.find_all("text"))
    assert all(made in names for step in graph().values() for made in step.makes)
    about = soup.find("desc").get_text()
    assert all(f"{step.stage} takes {', '.join(step.takes)}" in about for step in graph().values())
    makers = {made: name for name, step in graph().items() for made in step.makes}
    pairs = {
        (makers[taken], name)
        for name, step in graph().items()
        for taken in step.takes
        if taken in makers
    }
    assert len(soup.find_all("path", {"marker-end": True})) == len(pairs)


def test_a_box_of_the_stages_holds_all_that_its_stage_makes():
    palette, made = load_settings(ROOT / "settings.yml").palette, [f"table_{n}" for n in range(60)]
    stages = {"01_import": Step("01_import", (), tuple(made)), "02_clean": Step("02_clean", (), ())}
    soup = BeautifulSoup(stages_picture(stages, palette), "html.parser")
    first, second = (box for box in soup.find_all("rect") if box.get("rx"))
    end = float(first["y"]) + float(first["height"])
    texts = [float(text["y"]) for text in soup.find_all("text") if "table_" in text.get_text()]
    assert len(texts) > 5 and max(texts) < end < float(second["y"])


# ---- the data package ---------------------------------------------------------------------------

PARSES = {"string": str, "integer": int, "number": float}


def faults_of(package: dict, place: Path) -> list[str]:
    """Hold a package against the standard (datapackage.org, 2.0), and its tables against it."""
    found = [name for name in ("$schema", "name", "resources") if not package.get(name)]
    names = [resource["name"] for resource in package["resources"]]
    found += [name for name in names if not re.fullmatch(r"[a-z0-9._-]+", name)]
    found += [name for name in set(names) if names.count(name) > 1]
    for resource in package["resources"]:
        content = (place / resource["path"]).read_bytes()
        if resource["bytes"] != len(content):
            found.append(f"{resource['name']}: bytes")
        if resource["hash"] != f"sha256:{hashlib.sha256(content).hexdigest()}":
            found.append(f"{resource['name']}: hash")
        fields = resource["schema"]["fields"]
        header, *rows = csv.reader(content.decode(resource["encoding"]).splitlines(keepends=True))
        if header != [field["name"] for field in fields]:
            found.append(f"{resource['name']}: header")
        for field, values in zip(fields, zip(*rows, strict=True), strict=False):
            given = [value for value in values if value not in resource["schema"]["missingValues"]]
            found += [
                f"{resource['name']}.{field['name']}: {value}"
                for value in given
                if not _meets(field, value)
            ]
    return found


def _meets(field: dict, value: str) -> bool:
    limits = field.get("constraints", {})
    try:
        parsed = PARSES[field["type"]](value)
    except ValueError:
        return False
    return (
        parsed in limits.get("enum", [parsed])
        and not parsed < limits.get("minimum", parsed)
        and not parsed > limits.get("maximum", parsed)
    )


def test_the_data_package_describes_every_table(place):
    package = json.loads((place / "datapackage.json").read_text(encoding="utf-8"))
    paths = {resource["path"] for resource in package["resources"]}
    assert paths == {f"tables/{path.name}" for path in (place / "tables").glob("*.csv")}
    assert faults_of(package, place) == []


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("1,first", None),
        (",", None),
        ("1.5,first", "t.orders: 1.5"),
        ("0,first", "t.orders: 0"),
        ("1,third", "t.half: third"),
    ],
)
def test_a_table_that_breaks_its_description_is_found(tmp_path, row, fault):
    """Minimum of orders and values of half are those of the dictionary."""
    from basket.report.data_package import data_package

    table = tmp_path / "t.csv"
    table.write_text(f"orders,half\n{row}\n")
    facts = {"version": "1", "date": "2026-01-01", "data": {"description": "d"}}
    package = data_package([table], facts, "T", ".")
    assert faults_of(package, tmp_path) == ([fault] if fault else [])
    table.write_text(f"orders,half\n{row}\n{row}\n")
    assert faults_of(package, tmp_path)[:2] == ["t: bytes", "t: hash"]


# ---- the code behind it -------------------------------------------------------------------------


def test_the_first_stale_file_is_named(tmp_path):
    folder = tmp_path / example.PLACE
    folder.mkdir(parents=True)
    made = {f"{example.PLACE}/b.csv": b"1", "RESULTS.md": b"r"}
    assert first_stale(made, tmp_path).startswith(f"{example.PLACE}/b.csv is absent")
    (folder / "b.csv").write_bytes(b"2")
    assert first_stale(made, tmp_path).startswith(f"{example.PLACE}/b.csv is out of date")
    (folder / "b.csv").write_bytes(b"1")
    assert first_stale(made, tmp_path).startswith("RESULTS.md is absent")
    (tmp_path / "RESULTS.md").write_bytes(b"r")
    assert first_stale(made, tmp_path) == ""
    (folder / "a.csv").write_bytes(b"1")
    assert first_stale(made, tmp_path).startswith(f"{example.PLACE}/a.csv is no longer made")


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("> D-14 Names", "> [D-14](../../{0}#d-14-"),
        ("(D-09).", "([D-09](../../{0}#d-09-"),
        ("[D-09](x.md) and ID-09, D-091", None),
    ],
)
def test_decisions_are_linked_once(text, linked):
    given = json.dumps({"cells": [{"cell_type": "markdown", "source": [text]}]})
    content = json.loads(example._with_linked_decisions(given))
    said = content["cells"][0]["source"][0]
    assert said == text if linked is None else said.startswith(linked.format(example.DECISIONS))


def test_a_hundredth_decision_is_linked(tmp_path, monkeypatch):
    text = "## D-99 Before\n\n## D-100 A hundredth\n"
    (tmp_path / "01_project_management").mkdir()
    (tmp_path / example.DECISIONS).write_text(text, encoding="utf-8")
    monkeypatch.setattr(example, "ROOT", tmp_path)
    link = f"[D-100](../../{example.DECISIONS}#d-100-a-hundredth)"
    assert example._each("(D-100), D-1000x", "[{}]({})") == f"({link}), D-1000x"


def test_the_stamp_is_the_date_of_the_release():
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert example.released() % 86_400 == 0
    assert f"{content['date-released']}" >= "2026-01-01"
    assert example.released() >= 1_767_225_600


@pytest.mark.parametrize("option", ["-h", "--help", "--version"])
def test_the_command_says_what_it_is(option):
    done = basket(option)
    assert done.returncode == 0
    assert ("example" in done.stdout) == (option != "--version")
    assert re.search(r"basket, version \d+\.\d+\.\d+", done.stdout) or option != "--version"


def test_results_hold_every_answer_and_every_figure(place):
    text = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    findings = json.loads((place / "findings.json").read_text(encoding="utf-8"))
    assert len(findings) >= 14
    for finding in findings:
        for part in ("headline", "so_what", "action"):
            assert _plain(finding[part].rstrip(".")) in text, (finding["id"], part)
    for path in (place / "visualizations").glob("*.png"):
        assert f"]({example.PLACE}/visualizations/{path.name})" in text


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("$2 to $10", r"\$2 to \$10"),
        ("a*b_c [d] <e>|`f`", r"a\*b\_c \[d\] \<e\>\|\`f\`"),
        ("é 3%", "é 3%"),
    ],
)
def test_no_text_of_the_data_is_taken_for_a_mark(said, written):
    assert _plain(said) == written


def test_only_the_example_names_no_commit(monkeypatch):
    """The variable cannot pretend another commit: whatever it holds, the result says example."""
    ask = "from basket.project import git; print(git.commit(), git.is_dirty())"
    monkeypatch.delenv(git.EXAMPLE, raising=False)
    assert not run_command(sys.executable, "-c", ask).stdout.startswith("example")
    done = run_command(sys.executable, "-c", ask, **{git.EXAMPLE: "0123abc"})
    assert done.stdout == "example False\n"
