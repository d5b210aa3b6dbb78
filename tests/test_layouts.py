"""A raw layout is one entry of layouts.yml: another one is added, and wrong ones are refused."""

import filecmp
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

import checkout
from basket.prepare.layouts import PATH, layouts
from basket.project.errors import SettingsError
from basket.project.folders import ROOT
from conftest import run_stages
from test_import import COURSE, write

OTHER = """
other:
  owner: the other shop's
  tables:
    raw_products: {file: goods.csv, columns: [sort: department_id, price: prices, shelf: aisle_id,
      label: product_name, good: product_id]}
    raw_departments: {file: sorts.csv, columns: [name: department, sort: department_id]}
    raw_customers: {file: people.csv, columns: [buyer: user_id, called: ~, sex: gender, state, age,
      since: date_joined, children: n_dependants, status: family_status, pay: income]}
    raw_orders: {file: visits.csv, columns: [visit: order_id, buyer: user_id, set: eval_set,
      nth: order_number, day: order_day, hour: order_hour, gap: days_since_prior_order]}
    raw_lines: {file: basket_lines.csv, columns: [visit: order_id, good: product_id,
      place: add_to_cart_order, again: reordered]}
"""
GOODS = [
    "sort,price,shelf,label,good",
    '2,5.0,7,"Crackers, salted",1',
    "2,15.0,7,None,2",
    "1,1.5,8,,3",
    "1,14900.0,8,Pasta (500 g),4",
    '12,25.0,9,"The ""best"" beef",5',
    "12,8.2,9,NA,6",
]
PEOPLE = [
    "buyer,called,sex,state,age,since,children,status,pay",
    "1,Ann,Female,Texas,40,1/1/2017,3,married,99999",
    "2,,Male,Ohio,18,12/31/2019,0,single,50000",
]
FILES = {
    "goods.csv": GOODS,
    "sorts.csv": ["name,sort", "frozen,1", "snacks,2", "meat seafood,12"],
    "people.csv": PEOPLE,
    "visits.csv": ["visit,buyer,set,nth,day,hour,gap", *COURSE["orders.csv"][1:]],
    "basket_lines.csv": ["visit,good,place,again", *COURSE["orders_products_prior.csv"][1:]],
}
RUN = """
import sys
from pathlib import Path
from conftest import run_stages
from basket.project.errors import BasketError
try:
    run_stages(Path(sys.argv[1]), Path(sys.argv[2]), "corrected")
except BasketError as error:
    sys.exit(str(error))
"""


def changed_files(copy: Path) -> list[str]:
    """List the files of the copy that differ from the project's, or are not in it."""
    files = [path.relative_to(copy) for path in copy.rglob("*") if path.is_file()]
    return [
        str(file)
        for file in files
        if "__pycache__" not in file.parts
        and not ((ROOT / file).is_file() and filecmp.cmp(copy / file, ROOT / file, shallow=False))
    ]


@pytest.mark.slow
def test_another_layout_takes_one_file_and_gives_the_same_tables(tmp_path):
    copy, out = tmp_path / "copy", tmp_path / "out"
    for folder in ("01_project_management", "03_scripts"):
        shutil.copytree(ROOT / folder, copy / folder)
    shutil.copy(ROOT / "settings.yml", copy)
    with (copy / PATH.relative_to(ROOT)).open("a", encoding="utf-8") as file:
        file.write(OTHER)

    def run(data: Path, into: Path) -> str:
        paths = os.pathsep.join([str(copy / "03_scripts"), str(ROOT / "tests")])
        return checkout.run_command(sys.executable, "-c", RUN, data, into, PYTHONPATH=paths).stderr

    data = write(tmp_path / "data", FILES)
    assert run(data, out) == ""
    assert changed_files(copy) == ["01_project_management/layouts.yml"]  # 1 of at most 3

    course = run_stages(write(tmp_path / "course", COURSE), tmp_path / "expected", "corrected")
    prepared = out / "02_data" / "prepared_data"
    tables = sorted(path.parent.name for path in prepared.glob("*/_table.json"))
    assert len(tables) > 10
    for table in tables:
        said = json.loads((prepared / table / "_table.json").read_text(encoding="utf-8"))
        assert said == course.sidecar(table), table
    first = json.loads((prepared / "01_import.json").read_text(encoding="utf-8"))
    assert first["facts"]["layout"] == "other" and first["facts"]["fabricated"] == []
    renamed = {row["table"]: row["renamed"] for row in first["wrangling"] if row["renamed"]}
    assert set(renamed) == set(layouts()["course"].tables)
    assert renamed["raw_lines"] == (
        "visit → order_id, good → product_id, place → add_to_cart_order, again → reordered"
    )
    (dropped,) = [row for row in first["wrangling"] if row["dropped"]]
    assert (dropped["table"], dropped["dropped"]) == ("raw_customers", "called")

    damaged = FILES | {"basket_lines.csv": FILES["basket_lines.csv"] + ["21,99,3,0"]}
    said = run(write(tmp_path / "damaged", damaged), tmp_path / "nothing")
    assert "basket_lines.csv: column product_id: 99 is not in goods.csv" in said
    damaged = FILES | {"people.csv": [*PEOPLE, "3,Bo,Male,Ohio,130,1/1/2018,0,single,1"]}
    said = run(write(tmp_path / "old", damaged), tmp_path / "nothing")
    assert "people.csv, line 4: age: found 130, expected 120 or less" in said


@pytest.mark.parametrize(
    ("table", "columns", "said"),
    [
        ("raw_orders", ["order_id", {"order_dow": "order_days"}], "raw_orders: order_days: expec"),
        ("raw_lines", ["order_id", "product_id"], "lines.add_to_cart_order is missing"),
        ("raw_lines", ["order_id", {"id": "order_id"}], "raw_lines: order_id: expected a column"),
        ("raw_lines", ["order_id", "order_id"], "raw_lines.columns: each column must"),
        ("raw_lines", {"order_id": "order_id"}, "raw_lines.columns: expected a list"),
        ("raw_lines", None, "course: lines is missing and cannot be fabricated"),
        ("raw_aisles", ["aisle_id"], "course: raw_aisles is no raw table"),
    ],
)
def test_a_layout_that_does_not_fit_the_dictionary_is_named(tmp_path, table, columns, said):
    content = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    tables = content["course"]["tables"]
    if columns is None:
        del tables[table]
    else:
        tables[table] = {"file": "lines.csv", "columns": columns}
    path = tmp_path / "layouts.yml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        layouts(path)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_layouts_with_the_same_file_of_lines_cannot_be_told_apart(tmp_path):
    path = tmp_path / "layouts.yml"
    text = PATH.read_text(encoding="utf-8")
    path.write_text(text.replace("order_products__prior.csv", "orders_products_prior.csv"))
    with pytest.raises(SettingsError, match="must have a name of their own in each layout"):
        layouts(path)
    path.write_text(
        text.replace("    owner:", "    owner: ours\n    owner:").replace(
            "  owner:", "  owner: ours\n  owner:", 1
        )
    )
    with pytest.raises(SettingsError, match=r"layouts.yml: course.owner: found this key twice"):
        layouts(path)
    path.write_text("course: [")
    with pytest.raises(SettingsError, match=r"layouts.yml: is not valid YAML"):
        layouts(path)


def test_what_a_layout_lacks_is_what_is_fabricated():
    assert {name: layout.lacks for name, layout in layouts().items()} == {
        "course": (),
        "kaggle": ("products.prices", "customers"),
        "tripleten": ("products.prices", "customers"),
    }
