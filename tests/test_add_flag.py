"""The recipe "add a flag", followed in a copy of the project: four files, and no line of code."""

import csv
import sys
from pathlib import Path

import pytest

from basket.project import dictionary
from basket.project.folders import ROOT
from basket.project.settings import load_settings
from checkout import copy_of_checkout, hashes, run_command
from conftest import SETTINGS_FILE

ENTRY = """\
  basket_size: {of: customer, from: lines / orders, unit: lines, question: Q2, bands: {
    Small baskets: up to 9, Large baskets: above}}
"""
COLUMN = {
    "column": "basket_size",
    "tables": "analysis_customers low_activity_customers flat_lines",
    "type": "category",
    "required": "yes",
    "source": "derived",
    "derived_from": "lines orders",
    "derivation": "lines an order, on average. {rules}",
    "description": "Size of the customer's baskets.",
    "key": "customers",
}
SQL = {  # a place in tests/oracle.py, and what is put before it
    '    "age_group": [40, 65],': '    "basket_size": [9],\n',
    "    coalesce(region, '(missing)') AS region,": """\
    CASE
        WHEN totals.lines > getvariable('basket_size')[1] * totals.orders THEN 'Large baskets'
        ELSE 'Small baskets'
    END AS basket_size,
""",
    "rhythm, basket, segment, exclusion_flag,": "basket_size, ",
}
TEST = """
import pandas as pd
import pytest

from basket.analysis import flags, privacy
from basket.project import dictionary
from oracle import KEYS, assert_tables_equal, result_tables


@pytest.mark.parametrize(("lines", "expected"), [(18, "Small baskets"), (19, "Large baskets")])
def test_baskets_of_up_to_9_lines_are_small(lines, expected, settings):
    table = {"lines": [lines], "orders": [2]}
    assert list(flags.label(settings.flags["basket_size"], table, "(missing)")) == [expected]


def test_the_flag_is_counted_tested_moved_and_worded(built, generated, settings):
    found = built(generated, "corrected").all_results
    expected = result_tables(generated, "corrected")
    for name, key in (("flags", "flag"), ("habits", "grouping"), ("department_mix", "grouping")):
        ours, theirs = (
            table[table[key] == "basket_size"] for table in (found[name], expected[name])
        )
        assert len(ours) >= 4
        assert_tables_equal(ours, theirs, KEYS[name], table=name, both_ways=True)
    tests = found["tests"].query("grouping == 'basket_size'")
    assert set(tests["question"]) == {"Q2"} and len(tests) > 20
    assert "basket_size" in set(found["pair_buyers"]["grouping"])
    moved = found["sensitivity"].set_index("setting").loc["large_baskets_above_lines"]
    assert (moved["customers_relabelled"] > 0).all()
    (row,) = [row for row in dictionary.derivations(settings) if row["column"] == "basket_size"]
    assert row["condition"] == (
        "lines an order, on average. Small baskets: up to 9 lines; Large baskets: above 9 lines"
    )


def test_a_small_group_is_suppressed_like_any_other(settings):
    sizes = {"Small baskets": 5, "Large baskets": 90}
    rows = [("active", "basket_size", label, customers) for label, customers in sizes.items()]
    habits = pd.DataFrame(rows, columns=["population", "grouping", "group", "customers"])
    shown = privacy.publishable(habits, settings, habits)
    assert shown["customers"].iloc[0] == privacy.SUPPRESSED
    wide = habits.rename(columns={"group": "basket_size"})[["basket_size", "customers"]]
    assert privacy.describes_customers(wide)
"""


def put_before(file: Path, inserts: dict[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for place, insert in inserts.items():
        assert text.count(place) == 1, place
        text = text.replace(place, insert + place)
    file.write_text(text, encoding="utf-8")


def add_flag(copy: Path) -> None:
    """Follow the recipe: settings, dictionary, independent SQL, test."""
    put_before(copy / "settings.yml", {"  region:  ": ENTRY})
    put_before(copy / "tests" / "oracle.py", SQL)
    (copy / "tests" / "test_basket_size.py").write_text(TEST, encoding="utf-8")
    path = copy / dictionary.PATH.relative_to(ROOT)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    place = [row["column"] for row in rows].index("exclusion_flag")
    rows.insert(place, dict.fromkeys(rows[0], "") | COLUMN)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_a_flag_takes_four_files_and_reaches_every_table(tmp_path):
    copy = copy_of_checkout(tmp_path)
    before = hashes(copy)
    add_flag(copy)
    assert [name for name, content in hashes(copy).items() if before.get(name) != content] == [
        "01_project_management/data_dictionary.csv",
        "settings.yml",
        "tests/oracle.py",
        "tests/test_basket_size.py",
    ]
    tests = ("test_basket_size.py", "test_flags.py::test_notebook_04_shows_each_flag_that_is_made")
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    python_path = copy / "03_scripts"
    done = run_command(*pytest_, *tests, folder=copy / "tests", PYTHONPATH=python_path)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "5 passed" in done.stdout


def test_every_flag_is_a_column_that_the_dictionary_knows():
    """A flag of customers must be marked as one, or a table that shows it would be published."""
    columns = {column.name: column for column in dictionary.columns()}
    for name, flag in load_settings(SETTINGS_FILE).flags.items():
        assert f"analysis_{flag.of}s" in columns[name].tables, name
        assert (columns[name].key == "customers") == (flag.of == "customer"), name
