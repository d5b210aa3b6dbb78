"""The whole product through its front door: make, the command, the notebooks, what they leave."""

import errno
import json
import platform
import re
import resource
import shutil
import sys
import threading
import time
from contextlib import closing
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from basket.prepare import raw_files
from basket.project.errors import BasketError
from basket.project.folders import ROOT, Folders
from basket.project.settings import load_settings
from basket.project.stages import graph
from basket.run import pipeline, up_to_date
from basket.run.environment import ENVIRONMENT
from basket.run.execute import execute
from basket.run.kernel import LOADED, Kernel
from basket.synthetic.generate import generate
from basket.tables.publish import locked
from checkout import (
    BUILD_LOG,
    SMALL,
    basket,
    checkout_in,
    copy_of_checkout,
    hashes,
    make,
    run_command,
)
from conftest import SETTINGS_FILE, whole_report


@pytest.fixture
def broken(checkout, tmp_path) -> Path:
    """Give a copy of the checkout with its report, to be spoilt."""
    return shutil.copytree(checkout, tmp_path / checkout.name)


def report(folder: Path, *options: str):
    return make(folder, "report", f"SCALE={SMALL}", *options)


def results(folder: Path) -> dict[str, str]:
    return hashes(folder / "04_analysis") | hashes(folder / "05_sent_to_client")


def test_make_alone_prints_help(checkout):
    done = make(checkout)
    assert done.returncode == 0
    for target in ("report", "test", "lab", "clean"):
        assert f"make {target}" in done.stdout


def test_report_is_built_from_nothing_in_a_folder_with_spaces_and_accents(checkout):
    assert "SYNTHETIC DATA" in (checkout.parent / BUILD_LOG).read_text(encoding="utf-8")
    pages = [f"04_analysis/notebooks/{name}.html" for name in (*graph(), "index")]
    for page in pages:
        assert "SYNTHETIC DATA" in (checkout / page).read_text(encoding="utf-8"), page
    for path in (
        *(page.replace(".html", ".ipynb") for page in pages[:-1]),
        "05_sent_to_client/instacart_final_report.xlsx",
        "04_analysis/findings.json",
        "04_analysis/manifest.json",
        "04_analysis/tables/habits.csv",
        "04_analysis/visualizations/figures.json",
    ):
        assert (checkout / path).stat().st_size > 0, path
    assert not list(checkout.rglob("*.partial*")) and not list(checkout.rglob("*FAILED*"))


def test_a_run_with_nothing_new_does_nothing_and_is_quick(checkout):
    before = results(checkout)
    begun = time.perf_counter()
    done = report(checkout)
    seconds = time.perf_counter() - begun
    assert done.returncode == 0
    assert done.stderr.count("up to date") == len(graph())
    assert before == results(checkout)
    assert seconds < 6, "two seconds are the aim; this machine may be busy"


def test_from_runs_again_from_a_stage(checkout):
    done = report(checkout, "FROM=6")
    assert done.returncode == 0
    assert done.stderr.count("up to date") == len(graph()) - 1
    assert re.search(r"^06_report .* MiB   FROM=06_report$", done.stderr, re.M)


@pytest.mark.slow
def test_whatever_was_tampered_with_is_noticed_and_built_again(checkout):
    """A part, a notebook, a result table, a figure, a page, the report and the manifest."""

    def manifest() -> dict:
        content = json.loads((checkout / "04_analysis/manifest.json").read_text())
        return {key: value for key, value in content.items() if key not in ("seconds", "finished")}

    before, manifest_before = results(checkout), manifest()
    part = checkout / "02_data/prepared_data/products/part-000.parquet"
    part_before = part.read_bytes()
    for path in (
        part,
        checkout / "04_analysis/notebooks/03_merge.ipynb",
        checkout / "04_analysis/notebooks/01_import.html",
        checkout / "04_analysis/notebooks/index.html",
        checkout / "04_analysis/notebooks/explorer.html",
        checkout / "04_analysis/notebooks/decisions.html",
        checkout / "04_analysis/tables/habits.csv",
        checkout / "04_analysis/visualizations/loyalty.png",
        checkout / "04_analysis/manifest.json",
        checkout / "05_sent_to_client/instacart_final_report.xlsx",
    ):
        good = path.read_bytes()
        path.write_bytes(good[:-20] + bytes([good[-20] ^ 1]) + good[-19:])
    done = report(checkout)
    assert done.returncode == 0, done.stderr
    up_to_date = {line.split()[0] for line in done.stderr.splitlines() if "up to date" in line}
    assert up_to_date == {"01_import", "04_derive_flags"}
    assert part.read_bytes() == part_before
    after = results(checkout)
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == {"manifest.json"}
    assert manifest() == manifest_before


def test_a_failing_cell_names_itself_and_leaves_the_last_good_outputs(broken):
    source, before = broken / "03_scripts" / "06_report.ipynb", results(broken)
    notebook = nbformat.read(source, as_version=4)
    at = next(at for at, cell in enumerate(notebook.cells) if "Stage(" in cell.source)
    notebook.cells.insert(at + 1, new_code_cell("\nraise ValueError('planted')", id="zz"))
    nbformat.write(notebook, source)
    done = report(broken)
    assert done.returncode == 2
    error = '06_report: code cell 3 below "06 Report", line 1: ValueError: planted'
    assert error in done.stderr
    assert "06_report.FAILED.ipynb" in done.stderr and "Traceback" not in done.stderr
    after = results(broken)
    after.pop("notebooks/06_report.FAILED.ipynb")
    assert after == before


CHANGED = "prepare/clean.py"  # the others are spoilt by a cell: all stages would be built again
PLANT = """from importlib import import_module

module = import_module({name!r})
exec(compile(900 * "\\n" + {bug!r}, module.__file__, "exec"), vars(module))"""


@pytest.mark.parametrize(
    ("module", "function", "table", "place"),
    [
        pytest.param(
            "analysis/questions/q01_busiest.py",
            "heat_map(tables, settings)",
            "tables['busiest_times']",
            r'05_visualise: code cell 2 below "Q1 .*\?", line 1',
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "analysis/questions/q07_region.py",
            "by_region(seen, settings)",
            "seen.tables['tests']",
            r'05_visualise: code cell 3 below "Q7 .*\?", line 2',
            marks=pytest.mark.slow,
        ),
        (CHANGED, "departments(raw)", "raw", r'02_clean: code cell \d below "Departments", line 1'),
        pytest.param(
            "report/workbook/build.py",
            "build(*_)",
            "{}",
            r'06_report: code cell 1 below "The workbook", line 1',
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_bug_stops_the_run_with_its_stage_cell_and_line(broken, module, function, table, place):
    """The results of the last good run are whole, and nothing is claimed about the data."""
    bug = f"\n\ndef {function}:\n    return {table}['no_such_column']\n"
    if module != CHANGED:
        notebook = broken / "03_scripts" / f"{place.partition(':')[0]}.ipynb"
        content = nbformat.read(notebook, as_version=4)
        name = f"basket.{module.removesuffix('.py').replace('/', '.')}"
        content.cells.insert(1, new_code_cell(PLANT.format(name=name, bug=bug), id="planted"))
        nbformat.write(content, notebook)
    else:
        with (broken / "03_scripts" / "basket" / module).open("a") as file:
            file.write(bug)
    before = results(broken)
    done = make(broken, "report", f"SCALE={SMALL}", SOURCE_DATE_EPOCH="1500000000")  # other facts
    assert done.returncode == 2
    error = rf"KeyError: 'no_such_column' \(basket/{module}, line \d+\)"
    see = rf"  see .*{place.partition(':')[0]}\.FAILED\.ipynb"
    assert re.search(f"^basket: {place}: {error}\n{see}$", done.stderr, re.M)
    assert "Traceback" not in done.stderr
    after = results(broken)
    assert basket("verify", "--out", broken).returncode == 0
    kept = [name for name in before if not name.endswith(".html")]  # pages hold the code's hash
    assert [name for name in kept if before[name] != after.get(name)] == []


BROKEN_PAGES = """
from basket.command import main
from basket.report.pages import notebook

notebook.markdown_to_html = lambda source: {}[source]
main()
"""


@pytest.mark.slow
def test_a_bug_in_a_page_leaves_whole_outputs_without_that_page(broken):
    """The bug is in memory: a change of the code would build all stages again."""
    for page in (broken / "04_analysis" / "notebooks").glob("*.html"):
        page.unlink()
    python = broken / ".venv" / "bin" / "python"
    done = run_command(python, "-c", BROKEN_PAGES, "report", "--scale", SMALL, folder=broken)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "05_visualise     up to date" in done.stderr
    where = r"KeyError: .* \(basket/report/pages/notebook\.py, line \d+\)"
    assert re.search(f"^basket: 01_import: its page could not be made: {where}", done.stderr, re.M)
    left = sorted(page.stem for page in (broken / "04_analysis/notebooks").glob("*.html"))
    assert left == ["decisions", "explorer"], "these come of no notebook"
    checked = make(broken, "verify")
    assert checked.returncode == 0, checked.stderr


def run_cells(folder: Path, *cells: str, timeout: int = 60) -> list:
    """Execute a notebook of these cells on a kernel; return it as executed, cell by cell."""
    path, target = folder / "some.ipynb", folder / "executed" / "some.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), path)
    with closing(Kernel(path)) as kernel:
        execute(path, target, {}, timeout, kernel)
    return nbformat.read(target, as_version=4).cells


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "print('so far')\nimport os; os._exit(1)",
            ": the kernel died; it was killed or ran out of",
        ),
        ("import sys; sys.exit()", " is the last that ran"),
    ],
)
def test_a_killed_kernel_and_an_early_exit_are_failures(tmp_path, caplog, source, message):
    with pytest.raises(BasketError, match=f"^some: code cell 2{message}.*\n  see .*FAILED"):
        run_cells(tmp_path, "1 + 1", source, "1 + 1")
    assert [path.name for path in (tmp_path / "executed").iterdir()] == ["some.FAILED.ipynb"]
    failed = nbformat.read(tmp_path / "executed" / "some.FAILED.ipynb", as_version=4)
    assert failed.cells[0].outputs and not failed.cells[-1].outputs
    assert not caplog.records


def test_a_failure_is_told_also_where_its_notebook_cannot_be_kept(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("basket.run.execute._write", full)
    error = (
        r"^some: code cell 1, line 1: ValueError: planted\n  .*\.ipynb could not be written: No sp"
    )
    with pytest.raises(BasketError, match=error):
        run_cells(tmp_path, "raise ValueError('planted')")


@pytest.mark.slow
def test_a_stopped_kernel_is_said_to_be_stopped(tmp_path):
    stop = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    with pytest.raises(
        BasketError, match=r"^some: code cell 1: the kernel was stopped, by a signal"
    ):
        run_cells(tmp_path, stop, timeout=2)


def test_a_parameter_that_a_notebook_lacks_is_an_error(tmp_path):
    notebook, parameters = ROOT / "03_scripts/06_report.ipynb", {"rules": "course", "other": 1}
    with pytest.raises(BasketError, match="has no parameter other"):
        execute(notebook, tmp_path / "x", parameters, 60, None)


def test_a_kernel_that_has_made_the_imports_shows_what_one_without_them_shows(tmp_path):
    """On import, pandas looks whether it is in a notebook: if not, it cuts wide tables."""
    threads = threading.active_count()
    *_, printed, columns, shown = run_cells(
        tmp_path,
        "import sys\nbefore = 'pandas' in sys.modules",
        "import pandas as pd",
        "print(before)",
        "print(pd.get_option('display.max_columns'))",
        "pd.DataFrame({f'a wide column {number} ' * 9: [1] for number in range(4)})",
    )
    assert threading.active_count() == threads, "a client is left open"
    assert printed.outputs[0].text == "True\n"
    assert columns.outputs[0].text == "20\n"
    assert "..." not in shown.outputs[0].data["text/plain"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="NOT RUN: the heap is not glibc's")
def test_after_a_cell_its_free_memory_goes_back_to_the_system(tmp_path, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    size = f"int(open('/proc/self/statm').read().split()[1]) * {resource.getpagesize()} >> 20"  # MB
    *_, last = run_cells(
        tmp_path,
        f"before = {size}\ndata = [b'x' * 2**20 for _ in range(300)]",
        f"full = ({size}) - before\nlast = data[-1]\ndel data",
        f"print(full, ({size}) - before)",
    )
    full, left = map(int, last.outputs[0].text.split())
    assert full > 250 and left < 50


@pytest.mark.parametrize(
    ("alive", "code", "is_used"),
    [(True, "now", True), (False, "now", False), (True, "before an edit", False)],
)
def test_a_kernel_that_has_died_or_holds_other_code_is_not_used(monkeypatch, alive, code, is_used):
    class Waiting:
        is_alive, stopped = alive, False

        def close(self):
            self.stopped = True

    mine, other = Waiting(), Waiting()
    monkeypatch.setattr(pipeline.Kernels, "_start", lambda kernels, stage: made.pop(0))
    monkeypatch.setattr(up_to_date, "code_hash", lambda stage: code)
    made = [mine, "new", other, "another"]
    with closing(pipeline.Kernels(None)) as kernels:
        kernels.start_ahead("03_merge")
        monkeypatch.setattr(up_to_date, "code_hash", lambda stage: "now")
        assert kernels.take("03_merge") is (mine if is_used else "new")
        assert mine.stopped is not is_used
        made[:-2] = []
        kernels.start_ahead("04_derive_flags")
        assert kernels.take("05_visualise") == "another", "03's kernel is not for another stage"
    assert other.stopped


def test_each_kernel_loads_what_its_stage_needs_and_nothing_slow_before_05():
    assert list(LOADED) == list(graph())
    assert all(find_spec(module) for module in chain.from_iterable(LOADED.values()))
    before_05 = ", ".join(chain.from_iterable(list(LOADED.values())[:4]))
    slow = "{'seaborn', 'scipy', 'matplotlib', 'openpyxl'}"
    code = f"import sys, {before_05}\nprint({slow} & set(sys.modules))"
    assert run_command(sys.executable, "-c", code).stdout == "set()\n"


def test_a_run_with_nothing_to_do_loads_nothing_slow(generated):
    slow = "{'numpy', 'pyarrow', 'pandas', 'scipy', 'matplotlib', 'papermill', 'bs4', 'jinja2'}"
    code = f"""
import pathlib, sys, basket.command, basket.run.pipeline, basket.checks.verify
from basket.prepare import raw_files
from basket.project import folders, settings
limits = settings.load_settings(folders.ROOT / "settings.yml").limits
raw_files.find(pathlib.Path(sys.argv[1]), limits).facts
print({slow} & set(sys.modules))"""
    done = run_command(sys.executable, "-c", code, generated)
    assert done.stdout == "set()\n", done.stderr


def test_wrong_options_exit_2_and_bad_data_exits_1(tmp_path):
    for wrong in (["report", "--rules", "other"], ["report", "--from", "9"], ["nothing"]):
        assert basket(*wrong).returncode == 2
    done = basket("report", "--data", tmp_path / "absent", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "does not exist" in done.stderr


@pytest.mark.parametrize("stage", ["01_import", pytest.param("03_merge", marks=pytest.mark.slow)])
def test_a_notebook_run_by_hand_works_on_the_last_built_tables(checkout, tmp_path, stage):
    script = (
        "import sys, nbformat\nfrom nbclient import NotebookClient\n"
        f"notebook = nbformat.read('{stage}.ipynb', as_version=4)\n"
        "NotebookClient(notebook, kernel_name='python3', timeout=120).execute()\n"
        "print(len([c for c in notebook.cells if c.get('execution_count')]))\n"
    )
    done = run_command(
        sys.executable,
        "-c",
        script,
        folder=checkout / "03_scripts",
        PYTHONPATH=checkout / "03_scripts",
        IPYTHONDIR=tmp_path / "ipython",
        JUPYTER_RUNTIME_DIR=tmp_path / "runtime",
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
    assert report(checkout).returncode == 0


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("exit 1", "no Python from 3.11 to 3.14"),
        ('test "$1" = -c', "python3 cannot make a virtual environment"),
    ],
)
def test_a_python_that_is_too_old_or_lacks_venv_is_one_clear_line(tmp_path, python, message):
    folder, tools = copy_of_checkout(tmp_path / "copy"), tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "make", "rm", "printf", "cp", "dirname", "mkdir", "rmdir"):
        (tools / name).symlink_to(shutil.which(name))
    (tools / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (tools / "python3").chmod(0o755)
    done = make(folder, "report", PATH=str(tools), PYTHON="")
    assert done.returncode == 2
    first = done.stderr.splitlines()[0]
    assert message in first and "make PYTHON=" in first
    assert not (folder / ".venv").exists()


def test_clean_removes_what_was_built_and_nothing_else(tmp_path):
    folder = checkout_in(tmp_path)
    kept = folder / "02_data" / "original_data" / "orders.csv"
    kept.write_text("mine\n")
    sent = folder / "05_sent_to_client" / "2017-01-01_instacart_final_report.xlsx"
    sent.write_bytes(b"sent")
    before = hashes(folder)
    for path in (
        "02_data/prepared_data/x.parquet",
        "04_analysis/tables/x.csv",
        "04_analysis/findings.json",
        "05_sent_to_client/instacart_final_report.xlsx",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("built")
    with locked(Folders(folder)):
        refused = make(folder, "clean")
    assert "another run is at work" in refused.stderr
    assert set(hashes(folder)) > set(before)
    assert make(folder, "clean").returncode == 0
    after = {name: at for name, at in hashes(folder).items() if "__pycache__" not in name}
    del after["02_data/prepared_data/.lock"]
    assert after == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "rules"),
    [
        ("careerfoundry_layout", "course"),
        ("kaggle_layout", "corrected"),
        ("kaggle_layout", "course"),
    ],
)
def test_report_of_the_real_panel_in_both_layouts(real_data, tmp_path, layout, rules):
    """In process; `test_cluster` builds the first layout, corrected, by the command."""
    data = real_data / "panel1200" / layout
    origin = raw_files.find(data, load_settings(SETTINGS_FILE).limits).origin.sentence()
    assert ("SYNTHETIC COLUMNS" in origin) == (layout == "kaggle_layout")
    whole_report(data, tmp_path, rules=rules)
    flow = (tmp_path / "04_analysis" / "tables" / "population_flow.csv").read_text()
    assert "corrected,merge,merged,180895,0,0,0,180895" in flow
    if layout == "careerfoundry_layout":
        assert "course,merge,merged,180895,12,225,0,180682" in flow
    assert (tmp_path / "05_sent_to_client" / "instacart_final_report.xlsx").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["nobody is active", "columns of one value"])
def test_a_report_is_made_of_data_that_holds_too_little(tmp_path, case):
    data, out, settings_file = (tmp_path / name for name in ("data", "out", "settings.yml"))
    generate(data, scale=0.003)
    settings = (ROOT / "settings.yml").read_text(encoding="utf-8")
    if case == "nobody is active":
        settings = settings.replace(
            "activity: below 5, Active: from 5", "activity: below 900, Active: from"
        )
    else:
        people = pd.read_csv(data / "customers.csv", dtype=str, keep_default_na=False)
        one = {"Gender": "Female", "STATE": "Texas", "n_dependants": "0", "fam_status": "single"}
        people.assign(**one).to_csv(data / "customers.csv", index=False)
    settings_file.write_text(settings, encoding="utf-8")
    whole_report(data, out, settings_file)
    findings = json.loads((out / "04_analysis" / "findings.json").read_text())
    unanswered = {f["question"] for f in findings if f["headline"].startswith("Not answered")}
    every = {finding["question"] for finding in findings}
    assert unanswered == (every if case == "nobody is active" else {"Q7"})
    assert (out / "05_sent_to_client" / "instacart_final_report.xlsx").is_file()


@pytest.mark.slow
def test_installation_from_the_lock_on_a_bare_checkout(tmp_path):
    """`make report` is the only command: it makes its environment, too."""
    folder = copy_of_checkout(tmp_path / "new machine")
    done = make(folder, "report", "SCALE=0.003")
    assert done.returncode == 0, done.stderr
    assert (folder / "05_sent_to_client" / "instacart_final_report.xlsx").is_file()
