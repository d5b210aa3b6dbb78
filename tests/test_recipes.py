"""The recipes of CONTRIBUTING, followed in a copy of the checkout: how many files each touches."""

import json
import sys
from pathlib import Path

import openpyxl
import pytest

from checkout import BASKET, copy_of_checkout, hashes, run_command

pytestmark = pytest.mark.slow

NOTEBOOK = "03_scripts/05_visualise.ipynb"
QUESTIONS = "03_scripts/basket/analysis/questions"
TITLE = "Q15 At which hour do orders hold most lines?"
MODULE = '''"""Q15: at which hour do orders hold most lines?"""

import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import Evidence, Finding, Prize, TooLittleData
from basket.analysis.question import WHEN, Question
from basket.project.settings import Settings

QUESTION = Question(
    id="Q15", title="Full baskets", text="At which hour do orders hold most lines?", part=WHEN
)


def lines_by_hour(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per hour of the day, active: lines for each order."""
    table = tables["orders_by_hour"].query("population == 'active' and orders > 0")
    return table.assign(lines_per_order=table["lines"] / table["orders"])[
        ["population", "hour", "orders", "lines", "lines_per_order"]
    ]


def full_baskets(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the lines of an order by hour."""
    table = tables["lines_by_hour"]
    most = table.nlargest(1, "lines_per_order").iloc[0]
    return figure.columns(
        table,
        x="hour",
        series=["lines_per_order"],
        name="lines_by_hour",
        title=f"Orders at {most['hour']}:00 hold {most['lines_per_order']:.1f} lines, the most",
        subtitle="Order lines of an order by hour, active customers",
        alt=f"Columns by hour; the highest, {most['lines_per_order']:.1f} lines, stands at "
        f"{most['hour']}:00.",
        sources=("lines_by_hour",),
        x_title="Hour of the day",
        y_title="Order lines an order",
        number_format="0.0",
    )


def fullest(seen: Evidence, settings: Settings) -> Finding:
    """Say at which hour orders hold most lines."""
    table = seen.tables["lines_by_hour"]
    if len(table) < 2:
        raise TooLittleData("All orders come at one hour.")
    row = seen.row("lines_by_hour", hour=table.nlargest(1, "lines_per_order")["hour"].iloc[0])
    hour, lines, orders = row.hour, row.lines_per_order, row.orders
    return Finding(
        headline=f"Orders at {hour}:00 hold {lines:.1f} lines, more than at any other hour",
        so_what=f"An order at {hour}:00 holds {lines:.1f} lines.",
        action="Show large offers at that hour.",
        prize=Prize(what_if=f"{orders:,} orders come at {hour}:00.", orders=orders),
        figure="lines_by_hour",
    )
'''
TEST = """

def test_the_hour_of_the_fullest_baskets(settings):
    from basket.analysis.questions import q15_full_baskets

    hours = {"population": "active", "hour": [9, 20], "orders": [30, 7], "lines": [60, 35]}
    table = q15_full_baskets.lines_by_hour({"orders_by_hour": pd.DataFrame(hours)})
    finding = q15_full_baskets.fullest(Evidence({"lines_by_hour": table}), settings)
    assert finding.headline.startswith("Orders at 20:00 hold 5.0 lines")
    figure = q15_full_baskets.full_baskets({"lines_by_hour": table}, settings)
    assert figure.title == "Orders at 20:00 hold 5.0 lines, the most"
"""
TESTS = [
    f"tests/test_{name}.py"
    for name in ("answers_habits", "answers_returns", "project", "questions")
]
CHART = '''

def spend_by_loyalty(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the spend of a customer by loyalty."""
    return figure.columns(
        tables["group_shares"].query("grouping == 'loyalty_flag'"),
        x="group",
        series=["spend_per_customer"],
        name="spend_by_loyalty",
        title="What a customer spends goes with loyalty",
        subtitle="Spend of a customer by loyalty, active customers",
        alt="Columns of the spend of a customer, one for each loyalty group.",
        sources=("group_shares",),
        x_title="Loyalty",
        y_title="US dollars a customer",
        number_format=figure.CENTS,
    )
'''


CHART_TEST = """

def test_spend_by_loyalty(settings):
    shares = {"grouping": "loyalty_flag", "group": ["New", "Loyal"], "spend_per_customer": [1, 9]}
    made = q05.spend_by_loyalty({"group_shares": pd.DataFrame(shares)}, settings)
    assert made.title == "What a customer spends goes with loyalty"
"""


def cell(kind: str, text: str) -> dict:
    """Make a cell of a notebook, as the others are written."""
    made = {"cell_type": kind, "id": f"new-{abs(hash(text)) % 10**8}", "metadata": {}}
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    return made | {"source": text.splitlines(keepends=True)}


def edit_notebook(folder: Path, *, before: str, cells: list[dict], imported: str = "") -> None:
    """Put cells before the heading that begins with `before`; add a line to the contents."""
    path = folder / NOTEBOOK
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for each in notebook["cells"]:
        text = "".join(each["source"])
        if imported and "    q14_trial,\n" in text:
            each["source"] = text.replace("q14_trial,", f"q14_trial,\n    {imported},")
        if imported and "**Contents:**" in text:
            link = f"[{TITLE}](#{TITLE.replace(' ', '-')})"
            each["source"] = text.replace(" · [The ad calendar]", f" · {link} · [The ad calendar]")
    texts = ["".join(each["source"]) for each in notebook["cells"]]
    place = next(number for number, text in enumerate(texts) if text.startswith(before))
    notebook["cells"][place:place] = cells
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def append(file: Path, text: str) -> None:
    """Write more at the end of a file."""
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def touched(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Name the files that are new or other than before."""
    return {name for name, content in after.items() if before.get(name) != content}


@pytest.fixture(scope="module")
def changed(tmp_path_factory) -> tuple[Path, set[str], set[str]]:
    """Give a report with a 15th question and a new chart, and the files that each touched."""
    folder = copy_of_checkout(tmp_path_factory.mktemp("recipes"))
    as_it_was = hashes(folder)

    (folder / QUESTIONS / "q15_full_baskets.py").write_text(MODULE, encoding="utf-8")
    append(folder / "tests" / "test_answers_habits.py", TEST)
    append(folder / "01_project_management" / "brief.md", f"\n- **Q15** {TITLE}\n")
    edit_notebook(
        folder,
        before="## The ad calendar",
        imported="q15_full_baskets",
        cells=[
            cell("markdown", f"## {TITLE}\n\nLines of an order, by the hour of the order."),
            cell("code", 'results["lines_by_hour"] = q15_full_baskets.lines_by_hour(results)'),
            cell(
                "code",
                "paper.show(q15_full_baskets.full_baskets)\npaper.answer(q15_full_baskets.fullest)",
            ),
        ],
    )
    with_question = hashes(folder)

    append(folder / QUESTIONS / "q05_loyalty.py", CHART)
    edit_notebook(
        folder, before="## Q6", cells=[cell("code", "paper.show(q05_loyalty.spend_by_loyalty)")]
    )
    append(folder / "tests" / "test_answers_returns.py", CHART_TEST)
    with_chart = hashes(folder)

    report = (*BASKET, "report", "--scale", "0.005")
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    for command in (report, (*pytest_, *TESTS)):
        done = run_command(*command, folder=folder, PYTHONPATH=folder / "03_scripts")
        assert done.returncode == 0, done.stdout + done.stderr
    return folder, touched(as_it_was, with_question), touched(with_question, with_chart)


def test_a_question_touches_four_files_and_stands_everywhere(changed):
    folder, files, _ = changed
    print(f"\na question: {len(files)} files: {', '.join(sorted(files))}")
    assert len(files) <= 4
    found = json.loads((folder / "04_analysis" / "findings.json").read_text(encoding="utf-8"))
    assert [each["headline"][:10] for each in found if each["question"] == "Q15"] == ["Orders at "]
    index = (folder / "04_analysis" / "notebooks" / "index.html").read_text(encoding="utf-8")
    assert "Q15 Full baskets" in index
    book = openpyxl.load_workbook(folder / "05_sent_to_client" / "instacart_final_report.xlsx")
    cells = [str(each.value) for row in book["7. Recommendations"] for each in row if each.value]
    assert "Q15  Full baskets" in cells
    assert "When to advertise, and what (Q1, Q2, Q3, Q4, Q15)" in cells


def test_a_chart_touches_two_files_and_a_test_and_is_drawn(changed):
    folder, _, files = changed
    print(f"\na chart: {len(files)} files: {', '.join(sorted(files))}")
    assert len(files) <= 3 and "tests/test_answers_returns.py" in files
    drawings = folder / "04_analysis" / "visualizations"
    figures = json.loads((drawings / "figures.json").read_text(encoding="utf-8"))
    drawn = {each["name"]: each["question"] for each in figures}
    assert (drawn["spend_by_loyalty"], drawn["lines_by_hour"]) == ("Q5", "Q15")
    assert (drawings / "spend_by_loyalty.png").is_file()
