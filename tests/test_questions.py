"""The questions as a whole: what each must have, and that a mistake in one stops the run.

What each says, branch by branch, stands in test_answers_*.py.
"""

import ast
import inspect
import json
import re
from concurrent.futures import Future
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

import cases_groups
import test_answers_times
from basket.analysis import questions
from basket.analysis.figure import Figure
from basket.analysis.finding import HYPOTHESIS, NO_ACTION, Evidence, Finding, answer
from basket.analysis.measures import RATIOS
from basket.analysis.question import PRICE, WHEN
from basket.analysis.questions import QUESTIONS, group_words, number_of, question_of
from basket.analysis.questions import q05_loyalty as q05
from basket.analysis.where import where
from basket.project.errors import BasketError
from basket.project.files import read_json
from basket.project.folders import ROOT, SCRIPTS
from basket.project.origin import GENERATED, PEOPLE
from basket.project.settings import load_settings
from basket.report import gallery
from basket.report.gallery import Paper
from basket.tables.completeness import INVENTED
from conftest import DOT, SETTINGS_FILE

MODULES = [
    import_module(f"{questions.__name__}.{path.stem}")
    for path in sorted(Path(questions.__file__).parent.glob("*.py"))
    if path.stem != "__init__"
]
ANSWERS = [*Path(__file__).parent.glob("test_answers_*.py"), Path(cases_groups.__file__)]
CASES = cases_groups.FINDINGS | cases_groups.FIGURES | test_answers_times.FIGURES
ACTIVE = pd.DataFrame({"population": ["active"]})  # a customer, so that there is something to say
WHOLE = pd.DataFrame({"what": [""], "found": [0], "of": [9], "share": [0.0], "limit": [0.01]})
SHARES = pd.DataFrame(
    {
        "grouping": "loyalty_flag",
        "customers": [30, 20, 11],
        "group": ["New customer", "Regular customer", "Loyal customer"],
        "orders": [100, 565, 335],
        "share_of_customers": [0.333, 0.563, 0.104],
        "share_of_orders": [0.1, 0.565, 0.335],
    }
)


def said_by(module) -> list[str]:
    """Name the functions of a module that make a figure or a finding for the report."""
    return [
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and function.__annotations__.get("return") in (Figure, Finding)
        and not name.startswith("_")
        and len(inspect.signature(function).parameters) == 2
    ]


@cache
def named_in_answers() -> set[str]:
    """Give every name in the tests of what is said."""
    return {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for path in ANSWERS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
    }


@pytest.mark.parametrize(
    ("module", "name"),
    [(each, name) for each in MODULES for name in said_by(each)],
    ids=lambda value: value if isinstance(value, str) else value.__name__.rsplit(".")[-1],
)
def test_what_each_figure_and_finding_says_stands_in_a_test(module, name):
    assert name in named_in_answers(), (
        f"no tests/test_answers_*.py names {name} of {module.__name__}"
    )


@pytest.mark.parametrize("case", CASES)
def test_a_misspelt_column_stops_the_run(case, settings):
    """A column that is not there is a mistake of ours and never a statement about the data."""
    function, tables = CASES[case]
    tables = {"habits": ACTIVE, "completeness": WHOLE} | tables

    class Noted(dict):
        def __getitem__(self, name):
            read.add(name)
            return super().__getitem__(name)

    def make(given):
        if inspect.signature(function).return_annotation is Finding:
            answer(function, given, settings)
        else:
            function(given, settings)

    read: set[str] = set()
    make(Noted(tables))
    for name in read - {"completeness"}:
        misspelt = tables[name].rename(columns=lambda column: f"{column}s")
        with pytest.raises((AttributeError, LookupError, pd.errors.UndefinedVariableError)):
            make(tables | {name: misspelt})


def test_a_misspelt_name_stops_the_run():
    tests = pd.DataFrame({"grouping": ["region"], "measure": ["orders"], "for_headline": ["no"]})
    assert tests[where(grouping="age_group", measure=["orders"], for_headline="yes")].empty
    with pytest.raises(ValueError, match="no grouping is called regoin"):
        tests[where(measure="orders", grouping=["region", "regoin"])]


@pytest.mark.parametrize(
    ("figures", "sources", "named", "wrong"),
    [
        ((), ("group_shares",), "loyaltys", "is not shown: loyaltys"),
        ((), ("group_sharess",), "loyalty", "no result table: group_sharess"),
        ((1,), ("group_shares",), "loyalty", "one name: loyalty"),
    ],
)
def test_a_paper_that_names_what_it_does_not_have_stops_the_run(
    figures, sources, named, wrong, settings
):
    tables = {"group_shares": SHARES, "completeness": WHOLE}
    shown = replace(q05.shares_by_loyalty(tables, settings), sources=sources)
    paper = object.__new__(Paper)
    paper.results, paper._not_drawn = tables, {"Q1"}
    paper.figures = [("Q5", shown) for _ in (0, *figures)]
    paper.found = [
        {"question": question, "figure": name, "touches": [], "id": question}
        for question, name in (("Q5", named), ("Q1", "not drawn"))
    ]
    with pytest.raises(ValueError, match=wrong):
        paper.save()
    paper.figures, paper.found[0]["figure"] = [("Q5", replace(shown, sources=()))], shown.name
    paper._check()


class Easel:
    """Draws when it is told to: what was asked for, with the banner that it got."""

    def __init__(self, settings, banner):
        """Start with nothing asked for."""
        self.banner, self.asked, self.is_closed = banner, [], False

    def draw(self, figure):
        """Take a figure."""
        self.asked.append((figure, Future()))
        return self.asked[-1][1]

    def finish(self):
        """Draw all of them."""
        for _, drawn in self.asked:
            drawn.set_result(DOT)

    def close(self):
        """Note it."""
        self.is_closed = True


@pytest.fixture
def paper_of(settings, monkeypatch, tmp_path):
    """Give a function that starts a paper about data of a kind, in a run; and what it shows."""
    shown = []

    def show(one, metadata=None, display_id=None):
        shown.append((one, metadata, display_id))

    monkeypatch.setattr(gallery, "display", show)
    monkeypatch.setattr(gallery, "update_display", show)
    monkeypatch.setattr(gallery, "Beside", Easel)

    def start(kind, completeness, banner=None):
        origin = SimpleNamespace(kind=kind, banner=banner)
        monkeypatch.setattr(gallery.Origin, "of_run", lambda folders: origin)
        inputs = SimpleNamespace(building=tmp_path)
        stage = SimpleNamespace(folders=None, settings=settings, built={}, inputs=inputs)
        stage.building = lambda name: tmp_path
        stage.write_findings = lambda found: None
        tables = {"habits": ACTIVE, "completeness": completeness, "group_shares": SHARES}
        return Paper(stage, tables), shown

    return start


@pytest.mark.parametrize(
    ("kind", "found", "caveats"),
    [
        (GENERATED, 9, ["synthetic data", "incomplete histories"]),
        (GENERATED, 0, ["synthetic data"]),
        ("no", 9, ["incomplete histories"]),
        ("no", 0, []),
    ],
)
def test_an_answer_says_what_kind_of_data_it_rests_on(paper_of, kind, found, caveats):
    paper, shown = paper_of(kind, WHOLE.assign(found=found, share=found / 9))
    function, tables = CASES["region, more spend"]
    paper.results |= {"habits": ACTIVE} | tables
    paper.answer(function)
    (answered,) = paper.found
    assert (answered["id"], answered["question"]) == ("F01", "Q7")
    assert [one for one in answered["rests_on"] if "invented" not in one] == caveats
    (text, *_) = shown[0]
    assert f"> **{answered['headline']}.** {answered['so_what']}" in text.data
    assert answered["action"] in text.data
    assert all(caveat in text.data for caveat in caveats)


@pytest.mark.parametrize("invented", [0, 9])
def test_nothing_is_to_be_tried_with_people_who_are_invented(invented):
    function, tables = CASES["region, more spend"]
    told = pd.DataFrame({"what": [INVENTED[PEOPLE]], "found": [invented], "share": 0, "limit": 1})
    tables = {"habits": ACTIVE} | tables | {"completeness": told}
    said, _ = answer(function, tables, load_settings(SETTINGS_FILE))
    later = "ry offers of large baskets for customers in the West, against a control group."
    if invented:
        assert said.action == f"Nothing follows from invented customers. With real ones: t{later}"
        assert (said.action_basis, said.touches, said.prize) == (NO_ACTION, (), None)
    else:
        assert (said.action, said.action_basis) == (f"T{later}", HYPOTHESIS)
        assert said.touches and said.prize


def test_a_figure_is_shown_with_its_words_and_kept_or_the_reason_is_said(paper_of, tmp_path):
    banner = SimpleNamespace(on_figures="SYNTHETIC DATA")
    paper, shown = paper_of(GENERATED, WHOLE, banner)
    paper.show(q05.shares_by_loyalty)
    paper.results["group_shares"] = SHARES.assign(customers=[30, 20, 5])
    paper.show(q05.shares_by_loyalty)
    (question, figure), *more = paper.figures
    easel = paper._drawing
    assert (question, more, easel.banner) == ("Q5", [], "SYNTHETIC DATA")
    (text, _, place), (reason, *_) = shown
    assert (text.data, place) == (f"*{figure.alt}*", figure.name)
    assert reason.data == "*No figure: A loyalty group has too few active customers to be shown.*"
    easel.finish()
    paper.show(q05.shares_by_loyalty)
    image, said, place = shown[2]
    assert said["image/png"] == {"alt": figure.alt, "caption": f"{figure.title}."}
    assert (image.data, image.width, place) == (DOT, gallery.SHOWN_WIDTH, figure.name)
    paper.figures = [("Q5", replace(figure, so_what=""))]
    paper.found = [
        {"question": "Q5", "figure": "", "so_what": "Of the question.", "touches": [], "id": "F01"},
        {"question": "Q5", "figure": "", "so_what": "Later.", "touches": [], "id": "F02"},
    ]
    paper.save()
    assert easel.is_closed
    assert (tmp_path / f"{figure.name}.png").read_bytes() == DOT
    (record,) = read_json(tmp_path / "figures.json", None)
    assert (record["question"], record["so_what"]) == ("Q5", "Of the question.")
    paper.found[1]["figure"] = figure.name
    paper.save()
    (record,) = read_json(tmp_path / "figures.json", None)
    assert record["so_what"] == "Later."


def test_a_figure_that_cannot_be_drawn_stops_what_comes_next(paper_of):
    paper, shown = paper_of("no", WHOLE)
    paper.show(q05.shares_by_loyalty)
    ((_, drawn),) = paper._drawing.asked
    drawn.set_exception(BasketError("figure loyalty could not be drawn"))
    with pytest.raises(BasketError, match="loyalty could not be drawn"):
        paper.save()
    assert len(shown) == 1 and not paper.images


def test_the_comparisons_of_a_question_are_shown_proven_first_without_those_in_strata(paper_of):
    paper, _ = paper_of("no", WHOLE)
    rows = [("Q7", "region", "a", "ratio", n / 10, "", "no") for n in range(5, 29)]
    rows += [("Q7", "region", "b", "ratio", 1.1, "", "yes")]
    rows += [("Q7", "region", "c", "ratio", 9.0, "too few effective customers", "yes")]
    rows += [("Q7", "region within loyalty", "a", "ratio", 9.0, "", "yes")]
    rows += [("Q8", "age", "a", "ratio", 9.0, "", "yes")]
    columns = ["question", "grouping", "group_a", "effect_name", "effect", "reason", "for_headline"]
    tests = pd.DataFrame(rows, columns=columns)
    paper.results["tests"] = tests.assign(**dict.fromkeys(set(gallery.NOT_SHOWN) - {*columns}, ""))
    shown = paper.tests("Q7")
    away = sorted((n / 10 for n in range(5, 29)), key=lambda ratio: -max(ratio, 1 / ratio))
    assert shown["effect"].tolist() == [1.1, *away[:19]], "proven first, then farthest from 1"
    assert list(shown) == ["grouping", "group_a", "effect_name", "effect", "reason"]
    paper.results["tests"]["group_a"] = ""
    assert "group_a" not in paper.tests("Q7")
    assert paper.tests("Q5").empty
    paper.results["tests"] = tests.assign(**dict.fromkeys(gallery.NOT_SHOWN, "")).head(0)
    assert paper.tests("Q7").empty


def test_effects_of_each_kind_are_shown_by_what_matters_of_their_kind(paper_of):
    """Smallest that matter: a ratio of 1.05, epsilon squared of 0.01, a delta of 0.15."""
    paper, _ = paper_of("no", WHOLE)
    rows = [("ratio", 1.1), ("epsilon_squared", 0.03), ("cliffs_delta", -0.2), ("ratio", 0.0)]
    rows += [("ratio", float("nan"))]
    tests = pd.DataFrame(rows, columns=["effect_name", "effect"])
    said = {"question": "Q7", "grouping": "region", "group_a": "a", "reason": ""}
    paper.results["tests"] = tests.assign(**dict.fromkeys(gallery.NOT_SHOWN, "no") | said)
    shown = paper.tests("Q7")["effect"].tolist()
    assert shown[:4] == [0.0, 0.03, 1.1, -0.2]


def test_a_row_is_one_row_and_a_number_keeps_its_place():
    rows = pd.DataFrame({"rank": [1, 2], "index": [0.5, 0.7], "orders": [311, 415]})
    seen = Evidence({"quiet_windows": rows})
    row = seen.row("quiet_windows", rank=1)
    assert (row.index, row.cell("orders", "these")) == (0.5, 311)
    assert seen.numbers["these"] == {
        "value": 311,
        "unit": "orders",
        "table": "quiet_windows",
        "where": {"column": "orders", "rank": "1"},
    }
    assert (list(seen.numbers), seen.evidence) == (["index", "these"], ["quiet_windows"])
    with pytest.raises(AttributeError, match="quiet_windows has no column indices"):
        _ = row.indices
    with pytest.raises(LookupError, match="quiet_windows has 0 rows where"):
        seen.row("quiet_windows", rank=3)
    with pytest.raises(LookupError, match=r"table quiet_windows .* where {'rnak': 1}"):
        seen.row("quiet_windows", rnak=1)


def test_the_questions_are_their_modules_in_order():
    assert list(QUESTIONS) == [f"Q{number}" for number in range(1, len(QUESTIONS) + 1)]
    functions = [function for function, _ in CASES.values()]
    assert all(QUESTIONS[question_of(each).id] == question_of(each) for each in functions)
    assert number_of("Q1") == 1
    assert number_of("not ours") == len(QUESTIONS) + 1


def test_each_question_stands_in_the_brief_and_in_the_contents_of_notebook_05():
    brief = (ROOT / "01_project_management" / "brief.md").read_text(encoding="utf-8")
    cells = json.loads((SCRIPTS / "05_visualise.ipynb").read_text(encoding="utf-8"))["cells"]
    headings = re.findall(r"^## (Q\d+) ", "\n".join("".join(c["source"]) for c in cells), re.M)
    contents = next(text for c in cells if "**Contents:**" in (text := "".join(c["source"])))
    assert set(headings) == set(QUESTIONS)
    for each in QUESTIONS:
        assert f"**{each}**" in brief, f"brief.md lacks {each}"
        assert f"[{each} " in contents, f"the contents of 05_visualise.ipynb lack {each}"


@pytest.mark.parametrize(
    "written",
    [
        'QUESTION = Question(id="Q9", title="A (b)", text="c?", part=WHEN, needs=(PRICE,))',
        'QUESTION = Question(\n    id="Q9",\n    title="A "\n    "(b)",\n    text="c?",\n'
        "    part=WHEN,\n    needs=(PRICE,),\n)",
    ],
)
def test_a_question_is_read_on_one_line_and_on_several(tmp_path, written):
    module = tmp_path / "q09_a.py"
    module.write_text(f"{written}\nrest = (1,)\n", encoding="utf-8")
    found = questions._read(module)
    assert (found.id, found.title, found.part, found.needs) == ("Q9", "A (b)", WHEN, (PRICE,))
    module.write_text("QUESTIONS = 1\n", encoding="utf-8")
    with pytest.raises(LookupError, match=r"q09_a\.py defines no QUESTION"):
        questions._read(module)


def test_every_measure_of_habits_has_its_words():
    for words in (group_words.HABIT, group_words.DOES, group_words.OFFERS):
        assert set(RATIOS) <= set(words)
