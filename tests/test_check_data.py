"""`basket check`: all faults at once, completeness, and nothing written."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from basket.checks.data import check
from basket.command import main
from basket.project import folders
from basket.project.settings import load_settings
from conftest import SETTINGS_FILE, clean_stage, imported, merge_stage, write_settings
from test_bad_input import CASES, LOOSE, Stops, title, write_files
from test_import import COURSE, CUSTOMERS, KAGGLE, LINES, ORDERS, write
from test_received import TRIPLETEN

SETTINGS = load_settings(SETTINGS_FILE)
STOPPED = [case for case in CASES if isinstance(case.outcome, Stops)]
READ = [case for case in CASES if not isinstance(case.outcome, Stops)]
CUT = "cut "  # off the last row of products or customers: its lines find it no more
OTHER_WORDS = ("twice", "already", "several", "times", "repeats", "is not in")  # of doubled ids


@pytest.fixture(scope="module")
def loose(tmp_path_factory):
    """Give settings that allow half of the rows to be bad."""
    path = tmp_path_factory.mktemp("settings") / "settings.yml"
    return load_settings(write_settings(path, LOOSE))


def test_sound_data_is_sound(tmp_path):
    checked = check(write(tmp_path / "data"), SETTINGS)
    assert checked.is_sound and checked.faults == []
    assert {file["file"]: file["rows"] for file in checked.files} == {
        "products.csv": 6,
        "departments.csv": 3,
        "customers.csv": 2,
        "orders.csv": 5,
        "orders_products_prior.csv": 6,
    }
    assert checked.layout == "course"
    (note,) = checked.notes
    assert note.startswith(
        "the settings name departments that this data lacks, or of which nothing was sold: babies "
        "(basket_labels.Baby household)"
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


@pytest.mark.parametrize("case", STOPPED, ids=title)
def test_what_stops_a_run_is_a_fault(case, tmp_path, loose):
    """In the same words, but for ids that are there twice."""
    if case.outcome.rules == "course":
        pytest.skip("RULES=course")
    folder = write_files(tmp_path / "data")
    checked = check(case.make(folder, case.file) or folder, loose)
    assert not checked.is_sound
    said = "\n".join(checked.faults)
    if not any(word in case.outcome.words for word in OTHER_WORDS):
        assert case.outcome.words.split(" … ")[0] in said
    assert "Ann" not in said


@pytest.mark.parametrize("case", READ, ids=title)
def test_what_is_read_is_no_fault(case, tmp_path, loose):
    if getattr(case.outcome, "rules", "") == "course":
        pytest.skip("RULES=course")
    folder = write_files(tmp_path / "data")
    checked = check(case.make(folder, case.file) or folder, loose)
    if case.file in ("products.csv", "customers.csv") and case.corruption.startswith(CUT):
        (fault,) = checked.faults
        assert fault.startswith("orders_products_prior.csv: column ") and "is not in" in fault
        return
    assert checked.faults == []
    aside = getattr(case.outcome, "rows", ())
    repeated = [row for row in aside if "repeats line" in row[1]]
    assert sum(file["bad_rows"] for file in checked.files) == len(aside) - len(repeated)


def test_all_faults_are_told_at_once(tmp_path):
    files = COURSE | {
        "orders.csv": [*ORDERS, "14,1,train,9,9,08,7.0", ORDERS[1]],
        "customers.csv": CUSTOMERS[:2],
        "orders_products_prior.csv": [*LINES, "99,1,1,0", "21,77,3,0", *LINES[1:]],
        "departments.csv": ["department_id,1,2", "department,frozen,snacks"],
    }
    checked = check(write(tmp_path / "data", files), SETTINGS)
    said = "\n".join(checked.faults)
    for part in (
        "orders.csv, line 7: order_dow: found 9, expected 6 or less; 1 of 7 rows are bad",
        "orders.csv: column order_id: 1 rows repeat an id (11); expected each once",
        "orders_products_prior.csv: column order_id: 99 is not in orders.csv among the prior",
        "orders_products_prior.csv: column product_id: 77 is not in products.csv",
        "orders_products_prior.csv: 6 of 14 lines repeat another of their order",
        "orders_products_prior.csv: column user_id: the customer of order 21 is not in customers",
        "products.csv: column department_id: 12 of product 5 is not in departments.csv",
    ):
        assert part in said, (part, said)
    assert len(checked.faults) == 7


def test_lines_that_repeat_one_far_away_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("basket.prepare.raw_file.RawFile.slices.__defaults__", (30,))
    data = write(tmp_path / "data", orders_products_prior=[*LINES, LINES[1], LINES[4]])
    (fault,) = check(data, SETTINGS).faults
    assert "2 of 8 lines repeat another of their order" in fault
    data = write(tmp_path / "b", orders_products_prior=[*LINES, "11,1,9,0"])
    (fault,) = check(data, SETTINGS).faults
    assert "line 8: product_id 1 is in order_id 11 on line 2 already, with other values" in fault


def test_completeness_is_that_of_a_run(tmp_path):
    orders = [ORDERS[0], *ORDERS[2:], "15,1,prior,5,0,08,7.0"]
    lines = [LINES[0], *LINES[3:]]
    data = write(tmp_path / "data", orders=orders, orders_products_prior=lines)
    checked = check(data, SETTINGS)
    run = imported(data, tmp_path / "out")
    clean_stage(run)
    merge_stage(run)
    expected = [row for stage in ("02_clean", "03_merge") for row in run.record(stage)["missing"]]
    by_what = {row["what"]: (row["found"], row["of"]) for row in expected}
    assert {row["what"]: (row["found"], row["of"]) for row in checked.completeness} == by_what
    assert by_what["prior orders without any line"] == (1, 3)
    assert checked.notes[-1].startswith("Histories are incomplete: ")


def test_tripletens_completeness_is_that_of_a_run(tmp_path, loose):
    data = write(tmp_path / "data", TRIPLETEN)
    checked = check(data, loose)
    counted = {row["what"]: row["found"] for row in checked.completeness}
    assert counted["customers without a last order (train or test)"] == 0
    assert checked.faults == []
    assert "order_products.csv: add_to_cart_order: empty → 65: the layout says so" in (
        checked.spellings
    )


def command(*arguments: str):
    return CliRunner().invoke(main, ["check", *arguments])


def test_the_command_prints_a_report_and_exits_0_or_1(tmp_path):
    done = command(str(write(tmp_path / "data", KAGGLE)))
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert "data: found products.csv, " in lines[0] and "aisles.csv (not needed)" in lines[0]
    assert lines[-1] == "sound: a report can be built from this data"
    assert "no prices were received: they will be fabricated, and marked so; Q2, Q3" in done.output
    done = command(str(write(tmp_path / "b", customers=None)))
    assert done.exit_code == 1
    assert "1 fault: no report can be built from this data" in done.output
    assert "1. " in done.output.splitlines()[-1] and "customers.csv is missing" in done.output
    done = command(str(tmp_path / "nowhere"))
    assert done.exit_code == 1 and "nowhere: does not exist; expected" in done.output


def test_states_that_no_region_gathers_are_noted(tmp_path):
    people = [row.replace(",Texas,", ",Mars,") for row in CUSTOMERS]
    checked = check(write(tmp_path / "data", COURSE | {"customers.csv": people}), SETTINGS)
    assert checked.is_sound
    (note,) = (note for note in checked.notes if "region" in note)
    assert note == (
        "customers.csv: column state: values that no region of the settings gathers: Mars; "
        "customers who will have no region: 1"
    )


def test_settings_that_no_report_takes_are_refused(tmp_path):
    settings = write_settings(tmp_path / "settings.yml", {"flags.region.question": "Q99"})
    done = command(str(write(tmp_path / "data")), "--settings", str(settings))
    assert done.exit_code == 1
    assert "flags.region.question: found Q99, expected one of Q1, " in done.output


def test_the_command_prints_json(tmp_path):
    done = command(str(write(tmp_path / "data")), "--json")
    said = json.loads(done.output)
    assert said["sound"] is True and said["layout"] == "course"
    assert said["files"][0].keys() >= {"file", "place", "table", "rows", "bad_rows", "examples"}
    assert said["completeness"] and said["faults"] == []


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(Path(tmp_path) / "data")
    assert command("~/data").exit_code == 0


def test_the_generated_data_is_sound(generated):
    assert check(generated, SETTINGS).faults == []


def test_without_any_data_the_check_says_what_a_report_would_be_built_from(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "ORIGINAL_DATA", tmp_path)
    (tmp_path / "README.md").write_text("x")
    done = command()
    assert done.exit_code == 0 and "a report is built from a generated data set" in done.output
    (tmp_path / "orders.csv").write_text("order_id\n")
    done = command()
    assert done.exit_code == 1 and "generated" not in done.output
