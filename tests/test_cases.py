"""Small deliveries of the kinds that people really have: what is found, and what is said.

The files in tests/cases are made up. `basket check` looks at each; some become whole reports.
"""

import shutil
from pathlib import Path

import pytest

from basket.checks.data import check
from basket.checks.verify import verify_findings
from basket.project.folders import Folders
from basket.project.settings import load_settings
from basket.run import pipeline
from basket.tables import completeness
from basket.tables.result_csv import read_csv
from conftest import SETTINGS_FILE, whole_report
from test_emptiness import NO_NUMBER, findings_of, sentences_of

CASES = Path(__file__).parent / "cases"
SETTINGS = load_settings(SETTINGS_FILE)
BOTH = "SYNTHETIC COLUMNS: the prices and the customers are fabricated"
SAID = {  # a case -> its layout, and what is said of it
    "closed_hours": ("course", []),
    "course_zips": ("course", ["found 4.3_orders_products.zip/products.csv", "customers.zip/cust"]),
    "extract_all": ("kaggle", ["found products.csv/products.csv", "not used: aisles.csv/", BOTH]),
    "few_customers/type_error": ("course", ["prior orders without any line (49.2%)"]),
    "index_column/departments_transposed": ("course", ["departments.csv: the name department_id"]),
    "index_column/orders": ("course", ["orders.csv: a column without a name (left out)"]),
    "lines_cut_on_a_row": (
        "course",
        ["prior orders without any line: 259 of 720", "Histories are incomplete: prior orders"],
    ),
    "mixed_layouts/course_with_kaggle_line_name": ("course", ["order_products__prior.csv"]),
    "mixed_layouts/kaggle_plus_customers": (
        "kaggle+course",
        ["customers.csv", "SYNTHETIC COLUMNS: the prices are fabricated by the generator"],
    ),
    "original_data_ignored/subfolder": ("kaggle", ["found instacart_2017_05_01/products", BOTH]),
    "original_data_ignored/targz": ("kaggle", ["_2017_05_01.tar.gz/instacart_2017_05_01/", BOTH]),
    "saved_by_excel/iso_dates": ("course", ["date_joined: year-month-day → date"]),
    "tripleten": (
        "tripleten",
        ["fields between ';' → between ','", "add_to_cart_order: 61.0 → 61", "empty → 65", BOTH],
    ),
}


def test_every_case_is_told_of():
    folders = {path.parent for path in CASES.rglob("*") if path.is_file()}
    assert all(any(folder.is_relative_to(CASES / case) for case in SAID) for folder in folders)


@pytest.mark.parametrize("case", SAID)
def test_a_case_is_read_and_what_is_odd_about_it_is_said(case):
    layout, parts = SAID[case]
    checked = check(CASES / case, SETTINGS)
    assert checked.faults == [] and checked.layout == layout
    said = "\n".join(checked.lines())
    assert [part for part in parts if part not in said] == []


@pytest.mark.parametrize("case", ["subfolder", "targz"])
def test_what_lies_in_original_data_is_taken_not_invented_data(tmp_path, monkeypatch, case):
    folder = tmp_path / "original_data"
    shutil.copytree(CASES / "original_data_ignored" / case, folder)
    (folder / "README.md").write_text("x")
    monkeypatch.setattr(pipeline, "ORIGINAL_DATA", folder)
    assert pipeline._data_of_run(None, Folders(), SETTINGS, None) == folder


@pytest.mark.slow
@pytest.mark.parametrize("case", ["closed_hours", "few_customers/type_error", "lines_cut_on_a_row"])
def test_a_report_on_a_case_is_whole_and_true(tmp_path, case):
    """By the notebooks alone; `test_emptiness` has incomplete histories told by the command."""
    folders = whole_report(CASES / case, tmp_path, drawn=True).folders
    verify_findings(folders)
    said = completeness.warning(read_csv(folders.tables / "completeness.csv"))
    for sentence in sentences_of(folders):
        assert not NO_NUMBER.search(sentence), sentence
    incomplete = "Histories are incomplete: prior orders without any line" in said
    assert incomplete == (case != "closed_hours")
    if case == "closed_hours":
        quiet = findings_of(folders)[1]
        assert quiet["action"] == "No action follows.", "nobody advertises where the shop is closed"
        assert "No order falls into 19:00–22:00 on Monday, Wednesday and Friday" in quiet["so_what"]
        assert "No order falls on Sunday in waking hours" in quiet["so_what"]
