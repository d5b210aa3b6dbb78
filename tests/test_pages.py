"""The pages as text: what they hold, what they must not hold, and when they are made again."""

import json
import os
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
from nbformat import v4

from basket.project.errors import BasketError
from basket.project.folders import ROOT, SCRIPTS, Folders
from basket.project.origin import Origin
from basket.project.stages import graph
from basket.report.pages import decisions
from basket.report.pages.clean_html import readable
from basket.report.pages.current import is_current
from basket.report.pages.decisions import known_codes, write_decisions
from basket.report.pages.explorer import write_explorer
from basket.report.pages.index import _listed, _table, write_index
from basket.report.pages.notebook import _first_line, render
from basket.report.pages.page import PageError, settings_of_run
from notebook_maker import (
    ALT,
    HOSTILE,
    code,
    figure,
    stream,
    table,
    usual_cells,
    write_notebook,
    write_run,
)
from workbook_rules import contrast


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, page: Path):
        """Read the page."""
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Keep an element."""
        self.found.append((tag, dict(attrs)))

    def all(self, *tags: str) -> list[dict]:
        """Return the attributes of all elements with such a tag."""
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Give the page of a notebook that has one of everything."""
    return render(write_notebook(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Path:
    """Give the index of a run."""
    folders = write_run(tmp_path_factory.mktemp("run"))
    return write_index(folders, settings_of_run())


@pytest.fixture(params=["page", "index"])
def either(request) -> Path:
    """Give one page after the other: a notebook's and the index."""
    return request.getfixturevalue(request.param)


def rendered(folder: Path, *cells: dict) -> str:
    """Render a notebook that has these cells below its title."""
    notebook = write_notebook(folder, [v4.new_markdown_cell("# Title"), *cells])
    return render(notebook).read_text(encoding="utf-8")


def test_the_page_is_beside_the_notebook_and_no_partial_file_is_left(tmp_path):
    page = render(write_notebook(tmp_path))
    files = sorted(file.name for file in page.parent.iterdir())
    assert files == ["03_merge.html", "03_merge.ipynb"]


def test_a_figure_keeps_its_alt_text_and_its_size(page):
    (image,) = Elements(page).all("img")
    assert image["alt"] == ALT
    assert image["src"].startswith("data:image/png;base64,")
    assert (image["width"], image["height"]) == ("1200", "700")


@pytest.mark.parametrize("alt", [None, "", "  "])
def test_a_figure_without_alt_text_fails_and_leaves_the_page_as_it_was(tmp_path, alt):
    """The error names the cell; the earlier page is still there, and known to be out of date."""
    before = rendered(tmp_path, code("1"))
    notebook = write_notebook(tmp_path, [v4.new_markdown_cell("# Title"), code("x", figure(alt))])
    with pytest.raises(ValueError, match=r"03_merge\.ipynb: cell 2: a figure has") as raised:
        render(notebook)
    assert isinstance(raised.value, BasketError)
    assert notebook.with_suffix(".html").read_text(encoding="utf-8") == before
    assert not is_current(notebook)


@pytest.mark.parametrize(
    "source",
    [
        "![a chart](chart.png)",
        "<img src='https://example.org/a.png' alt='a chart'>",
        "![](data:image/png;base64,AAAA)",
    ],
)
def test_an_image_from_elsewhere_or_without_alt_fails(tmp_path, source):
    with pytest.raises(PageError, match="cell 2: an image must be part of the notebook"):
        rendered(tmp_path, v4.new_markdown_cell(source))


def test_a_notebook_without_a_title_fails(tmp_path):
    """The title is the page's only heading of level 1."""
    with pytest.raises(PageError, match="does not open with a heading"):
        render(write_notebook(tmp_path, [code("1")]))


def test_a_page_asks_for_nothing_and_runs_nothing(either):
    """No script, no style attribute, no resource from anywhere; links are links."""
    elements = Elements(either)
    assert not elements.all("script", "iframe", "object", "embed", "base", "form", "video", "audio")
    assert [link["href"] for link in elements.all("link")] == ["data:,"]
    for tag, attributes in elements.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag
        assert attributes.get("src", "data:").startswith("data:"), tag
    (css,) = re.findall(r"<style>(.*?)</style>", either.read_text(encoding="utf-8"), re.DOTALL)
    assert not re.search(r"url\(|@import|@font-face", css)


def test_a_strict_policy(either):
    """It comes before anything it governs; nothing unsafe is in it."""
    elements = Elements(either)
    (policy,) = [meta["content"] for meta in elements.all("meta") if "http-equiv" in meta]
    assert '<meta http-equiv="Content-Security-Policy"' in either.read_text(encoding="utf-8")
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; img-src data:; "
        r"base-uri 'none'; form-action 'none'",
        policy,
    )
    assert [tag for tag, _ in elements.found][:4] == ["html", "head", "meta", "meta"]


def test_landmarks_language_and_headings_in_order(either):
    """One main, a skip link to it, one heading of level 1 and no level left out."""
    elements = Elements(either)
    assert elements.all("html") == [{"lang": "en-GB"}]
    assert [main["id"] for main in elements.all("main")] == ["content"]
    assert elements.all("a")[0] == {"class": "skip", "href": "#content"}
    assert len(elements.all("header")) == 1
    levels = [int(tag[1]) for tag, _ in elements.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_link_within_a_page_leads_somewhere(either):
    elements = Elements(either)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    hrefs = [link["href"] for link in elements.all("a")]
    targets = {unquote(href[1:]) for href in hrefs if href.startswith("#")}
    assert len(targets) > 2
    assert targets <= set(ids)


def test_contents_have_the_names_that_jupyter_gives(page):
    """So a notebook's links work here and there; the page's list takes the place of its own."""
    links = [unquote(link["href"]) for link in Elements(page).all("a")]
    assert links.count("#Rows,-in-and-out") == 2  # for a screen and for a phone
    assert links.count("#Rows,-in-and-out-2") == 2
    assert "Contents:" not in page.read_text(encoding="utf-8")


def test_every_page_links_all_stages_and_says_which_it_is(page):
    links = Elements(page).all("a")
    hrefs = [link["href"] for link in links]
    assert {"index.html", *(f"{stage}.html" for stage in graph())} <= set(hrefs)
    assert [link["href"] for link in links if link.get("aria-current")] == ["03_merge.html"]


def test_code_is_folded_under_its_first_line(page):
    """So the parameters of this run can be read without unfolding anything."""
    text = page.read_text(encoding="utf-8")
    box = r'<details class="code">\n<summary>(.*?) <code>(.*?)</code>'
    assert re.findall(box, text) == [
        ("Default parameters", "rules = &#34;corrected&#34;"),
        ("Parameters of this run", "rules = &#34;course&#34;"),
        ("Code", "merged = merge.attach_products(lines, products)"),
        ("Code", "parts = 8"),
        ("Code", "show(figure)"),
        ("Code", "1 / 0"),
    ]
    assert "<details open" not in text


def test_a_section_of_machinery_is_folded_up_to_the_next_section(page):
    """Its heading stands in the fold's summary, where a link of the contents list finds it."""
    text = page.read_text(encoding="utf-8")
    fold = text[text.index('<details class="machinery">') :]
    assert fold.splitlines()[1] == '<summary><h2 id="How-it-is-done">How it is done</h2></summary>'
    inside = fold[: fold.index('<h2 id="What-came-out">')]
    assert inside.count("<details") == inside.count("</details>") == 2
    assert "parts = 8" in inside
    assert 'href="#How-it-is-done"' in text
    assert text.count('<details class="machinery">') == 1


def test_figures_are_numbered_and_have_captions(tmp_path):
    """A figure without a caption shows the text that describes it."""
    html = rendered(tmp_path, code("a", figure(caption="Saturday <leads>.")), code("b", figure()))
    assert re.findall("<figcaption>(.*)</figcaption>", html) == [
        "<strong>Figure 1.</strong> Saturday &lt;leads&gt;.",
        f"<strong>Figure 2.</strong> {ALT}",
    ]


def test_decisions_are_linked_where_they_are_quoted(tmp_path):
    """Those that exist, in texts and tables; not in code, headings and links."""
    link = '<a href="decisions.html#D-04">D-04</a>'
    quoted = "> D-04 first. `D-04` D-99\n\n## On D-04\n\n[D-04](https://example.org)"
    cells = v4.new_markdown_cell(quoted), code("'D-04'", table("<table><td>(D-04)</table>"))
    html = rendered(tmp_path, *cells, code("x", stream("D-04")))
    assert html.count(link) == 2
    assert f"<p>{link} first. <code>D-04</code> D-99</p>" in html
    assert f"<td>({link})</td>" in html


def test_no_link_to_a_decision_is_dead(tmp_path):
    """Every decision has its place on the page of decisions, under its code."""
    page = write_decisions(Folders(tmp_path), settings_of_run())
    elements = Elements(page)
    ids = {attributes["id"] for _, attributes in elements.found if "id" in attributes}
    assert known_codes() <= ids
    assert {"D-01", "D-09", "D-49"} <= known_codes()
    assert {link["href"][1:] for link in elements.all("a") if link["href"][0] == "#"} <= ids
    text = (ROOT / "01_project_management" / "decisions.md").read_text(encoding="utf-8")
    quoted = set(re.findall(r"D-\d\d", text))
    for notebook in SCRIPTS.glob("*.ipynb"):
        quoted |= set(re.findall(r"D-\d\d", notebook.read_text(encoding="utf-8")))
    assert quoted <= known_codes()


def test_a_hundredth_decision_has_its_place(tmp_path, monkeypatch):
    text = (
        "| a |\n|---|\n| b |\n\n## D-100 A hundredth\n\n[here](#d-100-a-hundredth), D-100, D-1000"
    )
    (tmp_path / "decisions.md").write_text(text, encoding="utf-8")
    monkeypatch.setattr(decisions, "DECISIONS", tmp_path / "decisions.md")
    monkeypatch.setattr(decisions, "known_codes", decisions.known_codes.__wrapped__)
    html = write_decisions(Folders(tmp_path), settings_of_run()).read_text(encoding="utf-8")
    assert '<h2 id="D-100">' in html
    assert '<a href="#D-100">here</a>, <a href="#D-100">D-100</a>, D-1000' in html


def test_money_is_not_taken_for_a_formula(page):
    assert "From $5 to <strong>$10</strong>." in page.read_text(encoding="utf-8")


def test_a_table_scrolls_in_its_box_with_numbers_to_the_right(page):
    """Headings say what they head; pandas' styles and ids are gone."""
    text = page.read_text(encoding="utf-8")
    assert text.count('<div aria-label="Table') == 2
    assert '<th class="number" scope="col">a_column_3</th>' in text
    assert '<td class="number">1,234</td>' in text
    assert "T_a1b2c" not in text


def test_row_numbers_are_dropped_and_named_rows_are_kept(tmp_path):
    """Numbers that pandas gives rows say nothing; an index that has a name or names does."""
    frame = pd.DataFrame({"lines": [5, 6]}, index=[7, 9])
    assert 'scope="row"' not in rendered(tmp_path, code("x", table(frame.to_html())))
    for index in (["small", "large"], pd.Index([7, 9], name="hour")):
        html = rendered(tmp_path, code("x", table(frame.set_axis(index).to_html())))
        assert html.count('scope="row"') == 2, index


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("1135827", "1,135,827"),
        ("-32164.5", "-32,164.5"),
        ("0.340760", "0.3408"),
        ("82.422976", "82.4230"),
        ("0.000002", "0.000002"),
        ("0.000000", "0.000000"),
        ("41", "41"),
        ("-0.5", "-0.5"),
        ("$1,200", "$1,200"),
        ("NaN", "NaN"),
        ("1e-9", "1e-9"),
    ],
)
def test_numbers_are_shown_as_people_read_them(number, shown):
    assert readable(number) == shown


def test_identifiers_stay_and_what_is_missing_is_aligned_as_its_column(tmp_path):
    nan = float("nan")
    numbers = {"product_id": [21553, 33664], "lines": [21553, 33664]}
    frame = pd.DataFrame(numbers | {"name": ["milk", nan], "price": [1.5, nan]})
    html = rendered(tmp_path, code("frame", table(frame.to_html())))
    assert (html.count("21553"), html.count("21,553")) == (1, 1)
    assert (html.count("<td>–</td>"), html.count('<td class="number">–</td>')) == (1, 1)
    assert "NaN" not in html


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("from basket import (\n    bands,\n    pairs,\n)\n\nstage = 1", "stage = 1"),
        ("# why\nimport os\nx = os", "x = os"),
        ("import os", "import os"),
        ("%time x", "%time x"),
        ("", ""),
    ],
)
def test_folded_code_shows_the_first_line_that_does_something(source, line):
    assert _first_line(source) == line


def test_what_differs_between_runs_is_not_shown(tmp_path):
    """Addresses, the kernel's files, folders, colours, overwritten text, pieces of a stream."""
    printed = (
        f"/tmp/ipykernel_41/99.py:3: at 0x7f00deadbeef in {tmp_path}{os.sep}02_data/x "
        f"{ROOT}{os.sep}settings.yml\n10 %\r\x1b[31mdone\x1b[0m\x00"
    )
    text = rendered(tmp_path, code("x", stream(printed[:30]), stream(printed[30:])))
    assert '">cell.py:3: at 0x… in 02_data/x settings.yml\ndone\ufffd</pre>' in text


def test_errors_and_warnings_show(page):
    text = page.read_text(encoding="utf-8")
    assert '<pre class="error" tabindex="0">ZeroDivisionError: division by zero</pre>' in text
    assert '<pre class="stderr" tabindex="0">cell.py:3: UserWarning' in text


HOSTILE_HTML = (
    "<table><tr><td onclick='x()' style='color:red'><script>alert(1)</script>"
    "<a href='javascript:alert(1)'>go</a><svg onload='x()'></svg><!-- x --></td></tr>"
    "</table><iframe src='https://example.org'></iframe>"
)


@pytest.mark.parametrize(
    "cell",
    [
        v4.new_markdown_cell(HOSTILE_HTML),
        v4.new_markdown_cell(f"Sold: {HOSTILE} <b onclick='x()'>now</b> [go](javascript:alert(1))"),
        code("x", table(HOSTILE_HTML)),
        code(
            f'"{HOSTILE}"', stream(HOSTILE), v4.new_output("display_data", {"text/plain": HOSTILE})
        ),
    ],
    ids=["html in markdown", "markdown", "html output", "text"],
)
def test_hostile_text_stays_text(tmp_path, cell):
    """Nothing of it becomes a script, a handler, a frame or a link that runs something."""
    rendered(tmp_path, cell)
    elements = Elements(tmp_path / "04_analysis" / "notebooks" / "03_merge.html")
    assert not elements.all("script", "iframe", "svg")
    for _, attributes in elements.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert not attributes.get("href", "").startswith("javascript")


def test_the_same_notebook_gives_the_same_bytes_wherever_it_is(tmp_path):
    one, other = (render(write_notebook(tmp_path / name)) for name in ("one", "a/second"))
    assert one.read_bytes() == other.read_bytes()


def test_the_index_says_where_files_had_changed_since_the_commit(tmp_path):
    folders = write_run(tmp_path)
    assert "commit 0123456789ab, " in write_index(folders, settings_of_run()).read_text("utf-8")
    facts = json.loads(folders.run_facts.read_text("utf-8"))
    folders.run_facts.write_text(json.dumps(facts | {"dirty": True}), encoding="utf-8")
    text = write_index(folders, settings_of_run()).read_text("utf-8")
    assert "commit 0123456789ab with local changes, " in text


def test_a_page_is_current_until_something_changes(tmp_path, monkeypatch):
    notebook = write_notebook(tmp_path)
    assert not is_current(notebook)
    render(notebook)
    assert is_current(notebook)
    settings = tmp_path / "settings.yml"
    text = (ROOT / "settings.yml").read_text(encoding="utf-8")
    settings.write_text(text.replace("#0072B2", "#0072B3"), encoding="utf-8")
    monkeypatch.setenv("BASKET_SETTINGS", str(settings))
    assert not is_current(notebook)
    monkeypatch.undo()
    write_run(tmp_path)
    write_notebook(tmp_path)
    assert not is_current(notebook), "the data is synthetic now"
    render(notebook)
    assert is_current(notebook)
    write_notebook(tmp_path, usual_cells()[:-1])
    assert not is_current(notebook)


@pytest.mark.parametrize(
    ("synthetic", "banner"),
    [("data", "SYNTHETIC DATA"), ("columns", "SYNTHETIC COLUMNS"), ("no", None)],
)
def test_every_page_says_what_is_made_up(tmp_path, synthetic, banner):
    folders = write_run(tmp_path, synthetic)
    for page in (
        write_index(folders, settings_of_run()),
        render(folders.notebooks / "02_clean.ipynb"),
    ):
        text = page.read_text(encoding="utf-8")
        if banner:
            assert text.index(f"<strong>{banner}</strong>") < text.index("<main")
        else:
            assert "SYNTHETIC" not in text


def test_the_index_without_a_record_of_stage_01_asks_the_facts_of_the_run(tmp_path):
    folders = write_run(tmp_path)
    (folders.prepared / "01_import.json").unlink()
    text = write_index(folders, settings_of_run()).read_text(encoding="utf-8")
    assert "SYNTHETIC DATA" in text


def test_the_index_links_all_there_is(index):
    """Each link that stays in the run leads to a file, but for those that are written after it."""
    hrefs = {link["href"] for link in Elements(index).all("a")}
    assert {
        "../../05_sent_to_client/instacart_final_report.xlsx",
        "../findings.json",
        "../manifest.json",
        "../tables/orders_by_day.csv",
        "../visualizations/orders_by_day.png",
        "05_visualise.html#Q1-When-is-it-busy%3F",
    } <= hrefs
    within = re.compile(r"^#|\.html(#|$)")
    outside = {href for href in hrefs if not within.search(href)}
    missing = {href for href in outside if not (index.parent / href).exists()}
    assert "explorer.html" in hrefs
    assert missing == {"../../05_sent_to_client/instacart_final_report.xlsx", "../manifest.json"}


def test_the_index_tells_the_story_in_its_order_and_escapes_it(index):
    """The thought, actions with prize and figure, questions with answers, limits; then all else."""
    text = index.read_text(encoding="utf-8")
    hostile = "&lt;script&gt;alert(1)&lt;/script&gt;"
    places = [
        text.index(part)
        for part in (
            f"<h1>{hostile} sells most on Saturday",
            'id="action-1">1. Advertise midweek.</h2>',
            f"<strong>Because:</strong> {hostile} sells most on Saturday.",
            f"<strong>What if:</strong> {hostile}: 7 orders.",
            "The fact: high confidence. The action: to be tried.",
            'src="data:image/png;base64,',
            f'">Figure 1.</a> {hostile} leads (Q1)',
            'id="questions"',
            'href="05_visualise.html#Q1-When-is-it-busy%3F">Q1 Busiest times</a>',
            f"<td>{hostile} sells most on Saturday.</td>",
            'id="limits"',
            'id="stages"',
            f'{hostile} (<a href="decisions.html#D-16">D-16</a>)',
            'id="figures"',
            "Figure 1 stands above.",
            'id="tables"',
            'orders_by_day.csv">orders_by_day.csv</a> 1 row by day: orders',
        )
    ]
    assert places == sorted(places)
    assert HOSTILE not in text
    assert text.count("data:image/png") == 1, "a figure stands once"


def test_what_cannot_be_answered_says_so_once(tmp_path):
    """Questions that one reason leaves open share a row, each with its link."""
    folders = write_run(tmp_path)
    (answered,) = json.loads(folders.findings.read_text(encoding="utf-8"))
    lacking = {"kind": "not answered", "headline": "Not answered: no prices", "prize": None}
    open_ones = [answered | lacking | {"question": name} for name in ("Q2", "Q3", "Q3")]
    folders.findings.write_text(json.dumps([answered, *open_ones]), encoding="utf-8")
    text = write_index(folders, settings_of_run()).read_text(encoding="utf-8")
    assert text.count("Not answered: no prices") == 1
    row = text[: text.index("Not answered: no prices")].rsplit("<tr>", 1)[1]
    assert re.findall(">(Q.*?)</a>", row) == ["Q2 Spending times", "Q3 Price ranges"]


@pytest.mark.parametrize("name", ["index", "page", "explorer"])
def test_a_page_of_exact_numbers_says_whom_it_is_for(tmp_path, name):
    """One line on top; the explorer withholds small groups and says that."""
    folders = write_run(tmp_path, "no")
    page = {
        "index": lambda: write_index(folders, settings_of_run()),
        "page": lambda: render(folders.notebooks / "02_clean.ipynb"),
        "explorer": lambda: write_explorer(folders, settings_of_run()),
    }[name]()
    text = page.read_text(encoding="utf-8")
    head = text[: text.index("<main")]
    exact = "Exact, for the analyst; not for passing on."
    assert (exact in head) == (name != "explorer")
    assert ("Small groups are withheld on this page: it may be passed on." in head) != (
        exact in head
    )
    assert "Prices, and customers&#39; ages, incomes, families and states, were made up" in head


def test_the_index_shows_rows_of_the_rules_in_force(index):
    text = index.read_text(encoding="utf-8")
    assert '<td class="number">1,234,567</td>' in text
    assert "7,654,321" not in text
    assert "merged (1,234,000 rows)" in text
    assert "<dd>tables (1), visualizations (1), findings (1)</dd>" in text


def test_the_index_of_a_run_that_has_nothing_yet(tmp_path):
    index = write_index(Folders(tmp_path), settings_of_run())
    text = index.read_text(encoding="utf-8")
    assert "No findings yet." in text
    assert "none yet" in text


def colours_in(page: Path) -> dict[str, dict[str, tuple]]:
    """The colours of a page's style by their names, on a light screen and on a dark one."""
    css = page.read_text(encoding="utf-8")
    found = re.findall(r":root\{ ?(.*?)color-scheme:(\w+)\}", css)
    return {
        scheme: {
            name: tuple(bytes.fromhex(colour))
            for name, colour in re.findall(r"--(\w+):#(\w{6});", colours)
        }
        for colours, scheme in found
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(either, scheme):
    """Every colour that a rule gives to text, on every colour that stands behind text."""
    css = either.read_text(encoding="utf-8")
    colours = colours_in(either)[scheme]
    inks = set(re.findall(r"[{;](?:color|fill):var\(--(\w+)\)", css)) - {"grid", "paper"}
    behind = set(re.findall(r"background:var\(--(\w+)\)", css))
    assert inks == {"ink", "muted", "accent", "fourth"}
    assert behind == {"paper", "raised", "warning"}
    low = {
        (ink, paper): round(contrast(colours[ink], colours[paper]), 2)
        for ink in inks
        for paper in behind
        if (ink, paper) != ("fourth", "warning")  # strings of code, which no warning holds
    }
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


# ---- what the data is ---------------------------------------------------------------------------


def test_the_index_says_what_the_data_is_and_that_histories_have_holes(tmp_path):
    folders = write_run(tmp_path, "no")
    facts = json.loads(folders.run_facts.read_text(encoding="utf-8"))
    facts["data"]["about"] = Origin(None, (), "the course's").about()
    folders.run_facts.write_text(json.dumps(facts), encoding="utf-8")
    table = folders.tables / "completeness.csv"
    row = "customers whose order numbers are not 1 to n,{},100,{},0.01,gone\n"
    for found, share in ((0, 0.0), (88, 0.88)):
        table.write_text(
            "what,found,of,share,limit,consequence\n" + row.format(found, share), encoding="utf-8"
        )
        text = write_index(folders, settings_of_run()).read_text(encoding="utf-8")
        assert "<dt>What is real</dt><dd>The orders: their days, hours, gaps and baskets" in text
        assert "were made up for a course and describe nobody" in text
        assert ("Histories are incomplete" in text) == (found > 0)


def test_the_data_is_described_alike_in_either_layout():
    """Invented by the course or by our generator: the same columns, the same policy."""
    course, kaggle = (
        Origin(None, lacks, owner).about()
        for lacks, owner in (((), "the course's"), (("products.prices", "customers"), "Kaggle's"))
    )
    assert kaggle["What is invented"] == course["What is invented"].replace(
        "for a course", "by our generator"
    )
    assert {**kaggle, "What is invented": ""} == {**course, "What is invented": ""}
    generated = Origin({"scale": 0.05}, (), "the course's").about()
    assert generated["What is invented"].startswith("Everything: ")
    assert "What is real" not in generated


@pytest.mark.parametrize(
    ("name", "rows", "line"),
    [
        ("a", "population,day,orders\nall,0,7\nall,1,8\n", "2 rows by population, day: orders"),
        ("b", "orders,spend\n7,8.5\n", "1 row: orders, spend"),
        (
            "c",
            "flag,label,customers,orders,lines,spend,reorder_rate,mean_order_value\n",
            "0 rows by flag, label: customers, orders, lines, spend, reorder rate, …",
        ),
    ],
)
def test_a_table_is_told_by_what_a_row_is_and_what_it_says(tmp_path, name, rows, line):
    path = tmp_path / f"{name}.csv"
    path.write_text(rows, encoding="utf-8")
    assert _table(path) == {"file": f"{name}.csv", "line": line}


def test_figures_that_stand_above_are_named():
    said = [_listed([{"number": n} for n in given]) for given in ((), (3,), (5, 2))]
    assert said == ["", "Figure 3 stands", "Figures 2 and 5 stand"]
