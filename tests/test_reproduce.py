"""The same inputs give the same bytes, whatever the folder, clock, locale, threads and parts."""

import json
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output

from basket.checks import reproduce
from basket.project.errors import BasketError
from basket.run.execute import _without_traces
from checkout import basket, copy_of_checkout
from conftest import lines_per_part, write_settings

FLAGS, MANIFEST = "04_analysis/tables/flags.csv", "04_analysis/manifest.json"
HABITS, NEW = "04_analysis/tables/habits.csv", "04_analysis/tables/new.csv"


def tree(folder: Path, **changes: str | None) -> Path:
    """Make a small folder like one that a run has filled; a change to None removes a file."""
    files = {
        "02_data/prepared_data/merged/part-000.parquet": "lines",
        "02_data/prepared_data/03_merge.usage.json": folder.name,
        "02_data/prepared_data/.lock": folder.name,
        MANIFEST: json.dumps(
            {"rules": "course", "seconds": {"03_merge": len(folder.name)}, "finished": folder.name}
        ),
        FLAGS: "flags",
        "05_sent_to_client/instacart_final_report.xlsx": "report",
    }
    for name, content in (files | changes).items():
        if content is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
    return folder


def test_times_and_what_a_run_used_are_no_difference(tmp_path):
    count, digest = reproduce.compare(tree(tmp_path / "a"), tree(tmp_path / "bb"))
    assert count == 4
    assert (count, digest) == reproduce.compare(tree(tmp_path / "bb"), tree(tmp_path / "ccc"))
    other = {FLAGS: "other flags"}
    pair = tree(tmp_path / "d", **other), tree(tmp_path / "e", **other)
    assert reproduce.compare(*pair)[1] != digest


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({FLAGS: "flagS"}, FLAGS),
        ({FLAGS: None}, FLAGS),
        ({NEW: "x"}, NEW),
        ({MANIFEST: '{"rules": "corrected"}'}, MANIFEST),
        ({HABITS: "x", MANIFEST: "{}"}, HABITS),
    ],
)
def test_the_first_file_that_differs_is_named(tmp_path, changes, first):
    pair = [tree(tmp_path / "a"), tree(tmp_path / "b", **changes)]
    message = rf"^{len(changes)} of \d files differ, the first is {first}:"
    for one, other in (pair, pair[::-1]):
        with pytest.raises(BasketError, match=message):
            reproduce.compare(one, other)


@given(
    text=st.text("abc\n", min_size=1), cuts=st.lists(st.integers(0, 20)), warned=st.integers(0, 3)
)
def test_printed_text_is_the_same_however_it_arrives_in_pieces(text, cuts, warned):
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[i:j] for i, j in pairwise(places)]
    printed = [new_output("stream", name="stdout", text=piece) for piece in pieces]
    printed.insert(min(warned, len(printed)), new_output("stream", name="stderr", text="careful"))
    table = new_output("display_data", data={"text/plain": "a table"})
    last = [new_output("stream", name="stdout", text=piece) for piece in pieces]
    notebook = new_notebook(cells=[new_code_cell("1", outputs=[*printed, table, *last])])
    kinds = [
        (output.get("name"), output.get("text"))
        for output in _without_traces(nbformat.from_dict(notebook)).cells[0].outputs
    ]
    assert kinds == [("stdout", text), ("stderr", "careful"), (None, None), ("stdout", text)]


# ---- whole builds -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.alone  # beside other tests its processes starve
def test_all_but_what_shows_where_it_ran_is_equal_under_other_conditions_and_in_seven_parts(
    tmp_path,
):
    """A cell prints the time zone: it, its page and the manifest differ, and nothing else."""
    folder = copy_of_checkout(tmp_path / "copy")
    source = folder / "03_scripts" / "04_derive_flags.ipynb"
    notebook = nbformat.read(source, as_version=4)
    notebook.cells.append(new_code_cell("import time\nprint(time.tzname)", id="mutant"))
    nbformat.write(notebook, source)
    place = {"PYTHONPATH": str(folder / "03_scripts"), "TMPDIR": str(tmp_path)}
    done = basket("reproduce", "--scale", "0.005", **place)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    (count,) = re.findall(r"^basket: 3 of (\d+) files differ", line)
    assert int(count) > 90
    assert "the first is 04_analysis/notebooks/04_derive_flags.html: " in line
    (kept,) = tmp_path.glob("basket-reproduce-*")
    first = kept / reproduce.FIRST.folder

    (data,) = (first / "02_data" / "prepared_data" / "generated_data").iterdir()
    few = write_settings(tmp_path / "few.yml", {"limits.lines_per_part": lines_per_part(data, 7)})
    conditions = reproduce.Conditions("parts", 2, place)
    parts = reproduce.build(tmp_path, conditions, ["--data", str(data)], few)
    assert len(list((parts / "02_data/prepared_data/merged").glob("*.parquet"))) == 7
    places = tuple(
        f"04_analysis/{name}" for name in ("tables/", "visualizations/", "findings.json")
    )
    places += ("05_sent_to_client/",)
    one, seven = (
        {name: digest for name, digest in reproduce.hashes(out).items() if name.startswith(places)}
        for out in (first, parts)
    )
    assert len(one) > 45 and one == seven
