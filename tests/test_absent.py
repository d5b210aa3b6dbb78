"""What was not received and is not invented: its questions stay unanswered, and say why.

So with `--no-fabrication`, and for another shop, whose data an about.yml describes.
"""

import json

import pandas as pd
import pytest
from click.testing import CliRunner
from openpyxl import load_workbook

from basket.analysis.questions import QUESTIONS
from basket.checks.data import check
from basket.checks.verify import verify_findings
from basket.command import main
from basket.prepare.raw_files import find
from basket.project.errors import BasketError
from basket.project.folders import Folders
from basket.project.origin import OF_PEOPLE, REAL
from basket.run.status import status
from basket.tables.completeness import is_absent, is_invented, why_not
from checkout import basket
from conftest import clean_stage, imported, whole_report
from small_store import write_store
from test_emptiness import NO_NUMBER, findings_of, sentences_of
from test_import import COURSE, CUSTOMERS, KAGGLE, LIMITS, write

SHOP = {"about.yml": ["name: Corner Shop", "citation: Corner Shop, orders of 2025"]}
FEW = ["user_id,STATE,Age", "1,Texas,40", "2,Ohio,18"]
NAMELESS = [",".join([*line.split(",")[:1], *line.split(",")[3:]]) for line in CUSTOMERS]


def cleaned(data, out):
    """Run the first two stages; return the run and what they found missing."""
    run = imported(data, out)
    clean_stage(run)
    return run, run.open("02_clean").audit, pd.DataFrame(run.record("02_clean")["missing"])


def test_without_fabrication_what_was_not_received_stays_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("BASKET_INVENT_NOTHING", "yes")
    run, _, missing = cleaned(write(tmp_path / "data", KAGGLE), tmp_path / "out")
    assert run.table("raw_products")["prices"].isna().all()
    customers = run.table("raw_customers")
    assert sorted(customers["user_id"]) == [1, 2]
    assert customers[list(OF_PEOPLE)].isna().all(axis=None)
    facts = run.record("01_import")["facts"]
    assert facts["fabricated"] == [] and facts["absent"] == ["prices", *OF_PEOPLE]
    for what in ("prices", "customers"):
        assert is_absent(missing, what) and not is_invented(missing, what)
    assert (
        why_not(missing, QUESTIONS["Q7"].needs)
        == "customers were not received, and none are invented"
    )
    assert (
        why_not(missing, QUESTIONS["Q2"].needs) == "prices were not received, and none are invented"
    )
    assert why_not(missing, QUESTIONS["Q1"].needs) == ""


def test_with_fabrication_and_the_courses_layout_both_are_invented(tmp_path):
    for name, files in {"kaggle": KAGGLE, "course": COURSE}.items():
        _, _, missing = cleaned(write(tmp_path / name, files), tmp_path / f"{name}_out")
        for what in ("prices", "customers"):
            assert is_invented(missing, what) and not is_absent(missing, what)
        assert why_not(missing, QUESTIONS["Q9"].needs) == ""


def test_another_shop_may_lack_attributes_and_nothing_of_it_is_invented(tmp_path):
    files = COURSE | SHOP | {"customers.csv": FEW, "products.csv": KAGGLE["products.csv"]}
    data = write(tmp_path / "data", files)
    run, _, missing = cleaned(data, tmp_path / "out")
    assert run.table("raw_customers")["age"].tolist() == [40, 18]
    assert run.table("raw_customers")["income"].isna().all()
    assert run.table("raw_products")["prices"].isna().all()
    assert why_not(missing, QUESTIONS["Q8"].needs).startswith(
        "some columns of customers were not received, and"
    )
    assert not any(is_invented(missing, what) for what in ("prices", "customers"))
    origin = find(data, LIMITS).origin
    assert origin.kind == REAL and origin.banner is None
    assert origin.sentence().startswith("Corner Shop; not received, and not invented: prices")
    assert origin.about()["What is invented"] == "Nothing."
    assert "prices, gender, date_joined" in origin.about()["What was not received"]
    checked = check(data, run.settings)
    assert checked.faults == []
    assert any("not received: prices; Q2, Q3" in note for note in checked.notes)
    assert "about.yml" not in checked.found


def test_names_of_people_may_be_absent_too(tmp_path):
    found = find(write(tmp_path / "data", COURSE | SHOP | {"customers.csv": NAMELESS}), LIMITS)
    assert found.absent == () and not found.files["raw_customers"].people


def test_a_shop_says_what_it_made_up(tmp_path):
    about = [*SHOP["about.yml"], "invented: [income, prices]"]
    data = write(tmp_path / "data", COURSE | {"about.yml": about})
    _, _, missing = cleaned(data, tmp_path / "out")
    found = missing.set_index("what")["found"].to_dict()
    assert found["columns about prices that are invented"] == 1
    assert found["columns about people that are invented"] == 1
    said = find(data, LIMITS).origin.about()["What is invented"]
    assert said.startswith("By the shop's own account: prices, income. What rests on them shows")


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (["citation: x"], "about.yml: name: Field required"),
        (["name: x", "invented: [orders]"], "about.yml: invented: expected some of prices, gender"),
        (["name: x", "own: 1"], "about.yml: own: unknown key"),
        (["name: ["], "about.yml: is not valid YAML"),
    ],
)
def test_an_about_that_is_wrong_is_refused_in_one_line(tmp_path, about, said):
    data = write(tmp_path / "data", COURSE | {"about.yml": about})
    with pytest.raises(BasketError) as error:
        find(data, LIMITS)
    assert said in str(error.value) and "\n" not in str(error.value)
    done = CliRunner().invoke(main, ["check", str(data)])
    assert done.exit_code == 1 and said in done.output


@pytest.mark.parametrize("lost", ["user_id", "Age"])
def test_without_about_an_absent_column_stops_and_an_id_always_does(tmp_path, lost):
    place = CUSTOMERS[0].split(",").index(lost)
    lines = [line.split(",") for line in CUSTOMERS]
    less = [",".join(line[:place] + line[place + 1 :]) for line in lines]
    for name, more in {"instacart": {}, "shop": SHOP}.items():
        data = write(tmp_path / name, COURSE | more | {"customers.csv": less})
        if (name, lost) == ("shop", "Age"):
            assert find(data, LIMITS).absent == ("age",)
            continue
        with pytest.raises(BasketError, match=rf"customers\.csv: column {lost} is missing"):
            find(data, LIMITS)


def texts_of(folders: Folders) -> list[str]:
    """All texts of the workbook."""
    book = load_workbook(folders.report, read_only=True)
    cells = [cell for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row]
    book.close()
    return [cell for cell in cells if isinstance(cell, str)]


def says_no_number_that_is_none(folders: Folders) -> None:
    for sentence in sentences_of(folders):
        assert not NO_NUMBER.search(sentence), sentence


@pytest.mark.slow
def test_a_report_that_invents_nothing_answers_the_rest(tmp_path):
    data = write_store(tmp_path / "data", customers=120)
    for name in ("customers.csv", "orders_products_prior.csv"):
        (data / name).rename(data / f"{name}.old")
    (data / "orders_products_prior.csv.old").rename(data / "order_products__prior.csv")
    (data / "customers.csv.old").unlink()
    products = pd.read_csv(data / "products.csv").drop(columns="prices")
    products.to_csv(data / "products.csv", index=False)
    folders = Folders(tmp_path / "out")
    done = basket("report", "--data", data, "--out", folders.out, "--no-fabrication")
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    checked = basket("verify", "--out", folders.out)
    assert checked.returncode == 0, checked.stderr
    says_no_number_that_is_none(folders)
    by_question: dict[str, set] = {}
    for found in findings_of(folders):
        by_question.setdefault(found["question"], set()).add(found["headline"])
        assert not {"invented prices", "invented customers"} & set(found["rests_on"])
    for question, what in {"Q3": "prices", "Q7": "customers", "Q8": "customers"}.items():
        reason = f"Not answered: {what} were not received, and none are invented"
        assert by_question[question] == {reason}
    for question in ("Q1", "Q4", "Q5"):
        assert not any(said.startswith("Not answered") for said in by_question[question])
    texts = texts_of(folders)
    assert "prices were not received, active customers" in texts
    assert not [text for text in texts if "SYNTHETIC" in text or "invented in this data" in text]
    manifest = json.loads((folders.analysis / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["data"]["synthetic"] == REAL
    of_run = (data, tmp_path / "out", "corrected", None, None)
    assert set(status(*of_run, no_fabrication=True).values()) == {""}
    assert status(*of_run)["01_import"] == "its inputs have changed"


@pytest.mark.slow
def test_a_report_on_another_shop_calls_nothing_of_it_invented(tmp_path):
    data = write_store(tmp_path / "data", customers=120)
    (data / "about.yml").write_text("".join(f"{line}\n" for line in SHOP["about.yml"]))
    folders = whole_report(data, tmp_path / "out", drawn=True).folders
    assert verify_findings(folders) > 0
    says_no_number_that_is_none(folders)
    texts = texts_of(folders)
    general = ("What is invented", "Fact: ", "columns about ")  # of any data
    said = [text for text in texts if "nvented" in text or "made up" in text]
    assert [text for text in said if not text.startswith(general)] == []
    assert "Corner Shop, orders of 2025" in texts
    assert "Beside the figures that published analyses print" not in texts
    assert not [text for text in texts if "Instacart's data" in text]
    for found in findings_of(folders):
        assert "nvented" not in json.dumps(found) and "for a course" not in json.dumps(found)
