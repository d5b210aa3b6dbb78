"""The whole product through its front door: make, the command, the notebooks, what they leave."""

import csv
import hashlib
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from basket.project.folders import ROOT
from basket.project.stages import graph

SMALL = "0.004"


def copy_of_checkout(target: Path) -> Path:
    """A copy of the checkout's tracked and new files, under a name with spaces and accents."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: its files cannot be listed")
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=500,
        check=False,
    )


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the checkout whose commands run in the environment of these tests."""
    folder = copy_of_checkout(tmp_path_factory.mktemp("copy") / "données d'épicerie (2017)")
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("python", "basket", "ruff", "jupyter"):
        run = (
            f'exec "{sys.executable}"'
            if name == "python"
            else f'exec "{sys.executable}" -c "import sys; from basket.command import main; main()"'
        )
        (binaries / name).write_text(
            f'#!/bin/sh\nPYTHONPATH="{folder}/03_scripts" {run} "$@"\n'.replace('$@"\n', '$@"\n')
        )
        (binaries / name).chmod(0o755)
    shutil.copy(folder / "requirements.lock", folder / ".venv" / "installed.lock")
    os.utime(folder / ".venv" / "installed.lock")
    return folder


@pytest.fixture(scope="module")
def built(checkout) -> subprocess.CompletedProcess:
    done = make(checkout, "report", f"SCALE={SMALL}")
    assert done.returncode == 0, done.stderr
    return done


def test_make_alone_prints_help(checkout):
    done = make(checkout)
    assert done.returncode == 0
    for target in ("report", "test", "lab", "clean"):
        assert f"make {target}" in done.stdout


def test_report_is_built_from_nothing_in_a_folder_with_spaces_and_accents(checkout, built):
    assert "SYNTHETIC DATA" in built.stderr
    for stage in graph():
        assert (checkout / "04_analysis" / "notebooks" / f"{stage}.ipynb").is_file()
        assert (checkout / "04_analysis" / "notebooks" / f"{stage}.html").is_file()
    for path in (
        "05_sent_to_client/instacart_final_report.xlsx",
        "04_analysis/findings.json",
        "04_analysis/manifest.json",
        "04_analysis/notebooks/index.html",
        "04_analysis/tables/habits.csv",
        "04_analysis/visualizations/figures.json",
    ):
        assert (checkout / path).stat().st_size > 0, path
    assert not list(checkout.rglob("*.partial*")) and not list(checkout.rglob("*FAILED*"))


def test_every_page_says_synthetic_data(checkout, built):
    for page in (checkout / "04_analysis" / "notebooks").glob("*.html"):
        assert "SYNTHETIC DATA" in page.read_text(encoding="utf-8"), page.name


def test_a_run_with_nothing_new_does_nothing_and_is_quick(checkout, built):
    before = hashes(checkout / "04_analysis") | hashes(checkout / "05_sent_to_client")
    begun = time.perf_counter()
    done = make(checkout, "report", f"SCALE={SMALL}")
    seconds = time.perf_counter() - begun
    assert done.returncode == 0
    assert done.stderr.count("up to date") == len(graph())
    assert before == hashes(checkout / "04_analysis") | hashes(checkout / "05_sent_to_client")
    assert seconds < 6, "two seconds are the aim; this machine may be busy"


def test_from_runs_again_from_a_stage(checkout, built):
    done = make(checkout, "report", f"SCALE={SMALL}", "FROM=6")
    assert done.returncode == 0
    assert done.stderr.count("up to date") == len(graph()) - 1


@pytest.mark.slow
def test_whatever_was_tampered_with_is_noticed_and_built_again(checkout, built):
    """A part, a notebook, a result table, a figure, a page, the report and the manifest."""
    before = hashes(checkout / "04_analysis") | hashes(checkout / "05_sent_to_client")
    manifest = json.loads((checkout / "04_analysis" / "manifest.json").read_text())
    part = checkout / "02_data" / "prepared_data" / "products" / "part-000.parquet"
    part_before = part.read_bytes()
    for path in (
        part,
        checkout / "04_analysis" / "notebooks" / "03_merge.ipynb",
        checkout / "04_analysis" / "notebooks" / "01_import.html",
        checkout / "04_analysis" / "notebooks" / "index.html",
        checkout / "04_analysis" / "tables" / "habits.csv",
        checkout / "04_analysis" / "visualizations" / "loyalty.png",
        checkout / "04_analysis" / "manifest.json",
        checkout / "05_sent_to_client" / "instacart_final_report.xlsx",
    ):
        good = path.read_bytes()
        path.write_bytes(good[:-20] + bytes([good[-20] ^ 1]) + good[-19:])
    done = make(checkout, "report", f"SCALE={SMALL}")
    assert done.returncode == 0, done.stderr
    up_to_date = {line.split()[0] for line in done.stderr.splitlines() if "up to date" in line}
    assert up_to_date == {"01_import", "04_derive_flags"}
    assert part.read_bytes() == part_before
    after = hashes(checkout / "04_analysis") | hashes(checkout / "05_sent_to_client")
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == {"manifest.json"}
    again = json.loads((checkout / "04_analysis" / "manifest.json").read_text())
    times = ("seconds", "finished")
    assert {k: v for k, v in again.items() if k not in times} == {
        k: v for k, v in manifest.items() if k not in times
    }


def test_a_failing_cell_names_itself_and_leaves_the_last_good_outputs(checkout, built):
    source = checkout / "03_scripts" / "06_report.ipynb"
    good = source.read_text(encoding="utf-8")
    before = {path: digest for path, digest in hashes(checkout / "04_analysis").items()}
    notebook = json.loads(good)
    notebook["cells"].append(
        {
            "cell_type": "code",
            "id": "zz",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": ["raise ValueError('planted')"],
        }
    )
    try:
        source.write_text(json.dumps(notebook), encoding="utf-8")
        done = make(checkout, "report", f"SCALE={SMALL}")
        assert done.returncode == 2
        assert "06_report: cell" in done.stderr and "ValueError: planted" in done.stderr
        assert "06_report.FAILED.ipynb" in done.stderr and "Traceback" not in done.stderr
        after = hashes(checkout / "04_analysis")
        after.pop("notebooks/06_report.FAILED.ipynb")
        changed = {path for path in before if before[path] != after.get(path)}
        assert not changed
    finally:
        source.write_text(good, encoding="utf-8")
    assert make(checkout, "report", f"SCALE={SMALL}").returncode == 0


@pytest.mark.parametrize(
    ("source", "said"),
    [("import os; os._exit(1)", "the kernel died"), ("import sys; sys.exit()", "cell")],
)
def test_a_killed_kernel_and_an_early_exit_are_failures(checkout, built, tmp_path, source, said):
    from basket.project.errors import BasketError
    from basket.run.execute import execute
    from basket.run.kernel import Kernel

    notebook = json.loads((ROOT / "03_scripts" / "06_report.ipynb").read_text(encoding="utf-8"))
    parameters = next(cell for cell in notebook["cells"] if cell["metadata"].get("tags"))
    plain = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    notebook["cells"] = [
        parameters,
        plain | {"id": "a", "source": [source]},
        plain | {"id": "b", "source": ["1 + 1"]},
    ]
    path = tmp_path / "05_visualise.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    target = tmp_path / "executed" / "05_visualise.ipynb"
    with Kernel(path) as kernel, pytest.raises(BasketError, match=said):
        execute(path, target, {"rules": "course"}, 60, kernel)
    assert not target.exists()
    with Kernel(path) as kernel, pytest.raises(BasketError, match="no parameter"):
        execute(path, target, {"no_such_parameter": 1}, 60, kernel)


def test_a_kernel_that_has_made_the_imports_shows_what_one_without_them_shows(tmp_path):
    """pandas looks, as it is imported, whether it is in a notebook: else it cuts wide tables."""
    from basket.run.execute import execute
    from basket.run.kernel import Kernel

    cells = [
        "import sys\nbefore = 'pandas' in sys.modules",
        "import pandas as pd",
        "print(before)",
        "print(pd.get_option('display.max_columns'))",
        "pd.DataFrame({f'a wide column {number} ' * 9: [1] for number in range(4)})",
    ]
    path, target = tmp_path / "wide.ipynb", tmp_path / "executed.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), path)
    threads = threading.active_count()
    with Kernel(path) as kernel:
        execute(path, target, {}, 60, kernel)
    assert threading.active_count() == threads, "a client is left open"
    *_, printed, columns, shown = nbformat.read(target, as_version=4).cells
    assert printed.outputs[0].text == "True\n"
    assert columns.outputs[0].text == "20\n"
    assert "..." not in shown.outputs[0].data["text/plain"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="NOT RUN: the heap is not glibc's")
def test_after_a_cell_its_free_memory_goes_back_to_the_system(tmp_path, monkeypatch):
    from basket.run.environment import ENVIRONMENT
    from basket.run.execute import execute
    from basket.run.kernel import Kernel

    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    size = f"int(open('/proc/self/statm').read().split()[1]) * {resource.getpagesize()} >> 20"  # MB
    cells = [
        f"before = {size}\ndata = [b'x' * 2**20 for _ in range(300)]",
        f"held = ({size}) - before\nlast = data[-1]\ndel data",
        f"print(held, ({size}) - before)",
    ]
    path, target = tmp_path / "memory.ipynb", tmp_path / "executed.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), path)
    with Kernel(path) as kernel:
        execute(path, target, {}, 60, kernel)
    held, left = map(int, nbformat.read(target, as_version=4).cells[-1].outputs[0].text.split())
    assert held > 250 and left < 50


@pytest.mark.parametrize(
    ("alive", "code", "is_used"),
    [(True, "now", True), (False, "now", False), (True, "before an edit", False)],
)
def test_a_kernel_that_has_died_or_holds_other_code_is_not_used(monkeypatch, alive, code, is_used):
    from basket.run import pipeline

    class Waiting:
        is_alive, stopped = alive, False

        def stop(self):
            self.stopped = True

    mine, other = Waiting(), Waiting()
    monkeypatch.setattr(pipeline.Kernels, "_start", lambda kernels, stage: made.pop(0))
    monkeypatch.setattr(pipeline, "code_hash", lambda stage: code)
    made = [mine, "new", other, "another"]
    with pipeline.Kernels(None) as kernels:
        kernels.start_ahead("03_merge")
        monkeypatch.setattr(pipeline, "code_hash", lambda stage: "now")
        assert kernels.take("03_merge") is (mine if is_used else "new")
        assert mine.stopped is not is_used
        made[:-2] = []
        kernels.start_ahead("04_derive_flags")
        assert kernels.take("05_visualise") == "another", "03's kernel is not for another stage"
    assert other.stopped


def test_each_kernel_loads_what_its_stage_needs_and_nothing_slow_before_05():
    from basket.run.kernel import LOADED

    assert list(LOADED) == list(graph())
    for module in LOADED.values():
        slow = "{'seaborn', 'scipy', 'matplotlib', 'openpyxl'}"
        code = f"import sys, {module}\nprint(sorted({slow} & set(sys.modules)))"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout == "[]\n" or module.startswith("basket.report"), module


def test_wrong_options_exit_2_and_bad_data_exits_1(tmp_path):
    def basket(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", "from basket.command import main; main()", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert basket("report", "--rules", "other").returncode == 2
    assert basket("report", "--from", "9").returncode == 2
    assert basket("nothing").returncode == 2
    done = basket("report", "--data", str(tmp_path / "absent"), "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "does not exist" in done.stderr


@pytest.mark.parametrize("stage", ["01_import", "03_merge"])
def test_a_notebook_run_by_hand_works_on_the_last_built_tables(checkout, built, tmp_path, stage):
    script = (
        "import sys, nbformat\nfrom nbclient import NotebookClient\n"
        f"notebook = nbformat.read('{stage}.ipynb', as_version=4)\n"
        "NotebookClient(notebook, kernel_name='python3', timeout=120).execute()\n"
        "print(len([c for c in notebook.cells if c.get('execution_count')]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=checkout / "03_scripts",
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=os.environ
        | {
            "PYTHONPATH": str(checkout / "03_scripts"),
            "IPYTHONDIR": str(tmp_path / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        },
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
    assert make(checkout, "report", f"SCALE={SMALL}").returncode == 0


def test_two_runs_in_one_folder_are_refused(tmp_path):
    from basket.project.errors import BasketError
    from basket.project.folders import Folders
    from basket.run.lock import only_run

    with (
        only_run(Folders(tmp_path)),
        pytest.raises(BasketError, match="another run"),
        only_run(Folders(tmp_path)),
    ):
        pass


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("exit 1", "no Python from 3.11 to 3.13"),
        ('test "$1" = -c', "python3 cannot make a virtual environment"),
    ],
)
def test_a_python_that_is_too_old_or_lacks_venv_is_one_clear_line(tmp_path, python, said):
    folder = copy_of_checkout(tmp_path / "copy")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "make", "rm", "printf", "cp"):
        (tools / name).symlink_to(shutil.which(name))
    (tools / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (tools / "python3").chmod(0o755)
    done = make(folder, "report", PATH=str(tools), PYTHON="")
    assert done.returncode == 2
    first = done.stderr.splitlines()[0]
    assert said in first and "make PYTHON=" in first
    assert not (folder / ".venv").exists()


def test_clean_removes_what_was_built_and_nothing_else(tmp_path):
    folder = copy_of_checkout(tmp_path / "copy")
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
    assert make(folder, "clean").returncode == 0
    assert hashes(folder) == before


def test_the_manifest_holds_all_that_went_in_and_came_out(checkout, built):
    """Every hash and count of rows is computed again from the files themselves."""
    import pandas as pd
    import pyarrow.parquet as pq
    import yaml

    manifest = json.loads((checkout / "04_analysis" / "manifest.json").read_text())
    data = next((checkout / "02_data" / "prepared_data" / "generated_data").glob("scale_*"))
    received = {
        "raw_customers": "customers.csv",
        "raw_lines": "orders_products_prior.csv",
        "raw_orders": "orders.csv",
        "raw_products": "products.csv",
    }
    assert manifest["data"]["files"].keys() == {*received.values(), "departments.csv"}
    for name, file in manifest["data"]["files"].items():
        content = (data / name).read_bytes()
        assert file == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    for table, name in received.items():
        rows = len(pd.read_csv(data / name, dtype=str))
        assert manifest["received"][table] == rows
        set_aside = checkout / "02_data" / "prepared_data" / "quarantine" / f"{table}.parquet"
        quarantined = pq.read_metadata(set_aside).num_rows if set_aside.exists() else 0
        assert manifest["quarantined"][table] == quarantined

    built_files = {
        name: digest
        for folder in ("02_data/prepared_data", "04_analysis", "05_sent_to_client")
        for path, digest in hashes(checkout / folder).items()
        if not (name := f"{folder}/{path}").endswith((".done.json", ".usage.json", ".md"))
        and "/." not in name
        and "generated_data" not in name
        and name != "04_analysis/manifest.json"
    }
    assert {name: file["sha256"] for name, file in manifest["files"].items()} == built_files
    counted = 0
    for name, file in manifest["files"].items():
        path = checkout / name
        assert file["bytes"] == path.stat().st_size
        if path.suffix == ".parquet" and path.parent.name != "quarantine":
            assert file["rows"] == pq.read_metadata(path).num_rows
            assert manifest["tables"][path.parent.name]["rows"] == file["rows"]  # one part
        elif path.suffix == ".csv":
            assert file["rows"] == len(pd.read_csv(path, dtype=str))
        else:
            continue
        counted += 1
    tables = [name for step in graph().values() for name in step.makes]
    assert manifest["tables"].keys() <= set(tables) and len(manifest["tables"]) >= 14
    assert counted == len(manifest["tables"]) + len(
        list((checkout / "04_analysis" / "tables").glob("*.csv"))
    )

    lock = (checkout / "requirements.lock").read_bytes()
    assert manifest["lock_sha256"] == hashlib.sha256(lock).hexdigest()
    settings = yaml.safe_load((checkout / "settings.yml").read_text())
    assert manifest["parameters"]["rules"] == manifest["rules"] == "corrected"
    for section in ("thresholds", "labels", "rules", "statistics", "privacy"):
        assert manifest["parameters"]["settings"][section].items() >= settings[section].items()
    assert manifest["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"commit", "dirty", "versions", "fingerprints", "seconds"} <= manifest.keys()


def test_verify_names_a_file_that_was_changed_removed_or_added(checkout, built):
    """Each kind of built file, by one byte."""
    from basket.checks.verify import verify_files
    from basket.project.errors import BasketError
    from basket.project.folders import Folders

    folders = Folders(checkout)
    manifest = json.loads((checkout / "04_analysis" / "manifest.json").read_text())
    assert verify_files(folders) == len(manifest["files"])
    kinds = {(Path(name).parent.parent.name, Path(name).suffix): name for name in manifest["files"]}
    assert len(kinds) >= 9
    for name in kinds.values():
        path = checkout / name
        good = path.read_bytes()
        path.write_bytes(good[:-9] + bytes([good[-9] ^ 1]) + good[-8:] if len(good) > 9 else b"")
        with pytest.raises(BasketError, match=re.escape(f"{name}: has sha256 ")):
            verify_files(folders)
        path.unlink()
        with pytest.raises(BasketError, match=re.escape(f"{name}: is missing; ")):
            verify_files(folders)
        path.write_bytes(good)
        if path.parent.name == "05_sent_to_client":
            continue  # where earlier copies and the log lie as well
        added = path.with_name(f"zz_added{path.suffix}")
        added.write_bytes(good)
        with pytest.raises(BasketError, match=r"zz_added\..*: is not in the manifest"):
            verify_files(folders)
        added.unlink()
    assert verify_files(folders) == len(manifest["files"])
    assert "verified:" in make(checkout, "verify").stdout
    done = make(checkout, "verify", "PUBLISHED=1")
    assert done.returncode == 2
    assert "these data are not: they are generated" in done.stderr.splitlines()[0]


def test_verify_names_each_number_that_differs_from_its_table(checkout, built):
    """Each number of the findings is changed, then the table cell that it names."""
    from basket.checks.verify import verify_findings
    from basket.project.errors import BasketError
    from basket.project.folders import Folders

    folders = Folders(checkout)
    path = checkout / "04_analysis" / "findings.json"
    good = path.read_text(encoding="utf-8")
    count = verify_findings(folders)
    assert count > 40
    findings, changed = json.loads(good), 0
    try:
        for finding in findings:
            for name, number in finding["numbers"].items():
                value = number["value"]
                number["value"] = f"not {value}" if isinstance(value, str) else value + 0.001
                path.write_text(json.dumps(findings), encoding="utf-8")
                with pytest.raises(BasketError, match=re.escape(f"{finding['id']}: {name} is")):
                    verify_findings(folders)
                number["value"] = value
                changed += 1
        assert changed == count
        findings[0]["headline"] += " and 77.7% more"
        path.write_text(json.dumps(findings), encoding="utf-8")
        with pytest.raises(BasketError, match=r"the headline says 77\.7"):
            verify_findings(folders)
    finally:
        path.write_text(good, encoding="utf-8")

    for finding in json.loads(good):
        for number in finding["numbers"].values():
            table = checkout / "04_analysis" / "tables" / f"{number['table']}.csv"
            as_built = table.read_bytes()
            change_cell(table, number["where"])
            with pytest.raises(BasketError, match=f"^(findings.json|{table.name}): "):
                verify_findings(folders)
            table.write_bytes(as_built)
    assert verify_findings(folders) == count


def change_cell(table: Path, where: dict[str, str]) -> None:
    """Change one cell of a result table: the one that a finding's number names."""
    with table.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    keys = {header.index(key): str(value) for key, value in where.items() if key != "column"}

    def same(cell: str, value: str) -> bool:
        try:
            return float(cell) == float(value)
        except ValueError:
            return cell == value

    (row,) = [row for row in rows if all(same(row[at], value) for at, value in keys.items())]
    row[header.index(where["column"])] += "9" if row[header.index(where["column"])] else "1"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_send_copies_logs_and_refuses_what_cannot_be_traced(checkout, built):
    refused = make(checkout, "send", "TO=the client")
    assert refused.returncode == 2 and "not under version control" in refused.stderr
    git(checkout, "init", "--quiet")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "all of it")
    assert "another commit" in make(checkout, "send", "TO=the client").stderr
    assert make(checkout, "report", f"SCALE={SMALL}").returncode == 0
    assert "SYNTHETIC DATA" in make(checkout, "send", "TO=the client").stderr

    assert "nobody to send to" in make(checkout, "send", "ALLOW_SYNTHETIC=1").stderr
    for _ in range(2):  # sending again, and what was sent before, are no obstacle
        done = make(checkout, "send", "TO=the client | marketing", "ALLOW_SYNTHETIC=1")
        assert done.returncode == 0, done.stderr
    sent = sorted((checkout / "05_sent_to_client").glob("20*_instacart_final_report.xlsx"))
    assert len(sent) == 1
    digest = hashlib.sha256(sent[0].read_bytes()).hexdigest()
    rows = (checkout / "05_sent_to_client" / "log.md").read_text().splitlines()[-2:]
    assert all(digest in row and "the client / marketing" in row for row in rows)

    table = checkout / "04_analysis" / "tables" / "habits.csv"
    good = table.read_bytes()
    table.write_bytes(good + b"x")
    assert "habits.csv" in make(checkout, "send", "TO=x", "ALLOW_SYNTHETIC=1").stderr
    table.write_bytes(good)
    (checkout / "settings.yml").open("a").write("# changed\n")
    assert (
        "changed since the last commit"
        in make(checkout, "send", "TO=x", "ALLOW_SYNTHETIC=1").stderr
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ("careerfoundry_layout", "Instacart's data in the course's layout"),
        ("kaggle_layout", "SYNTHETIC COLUMNS"),
    ],
)
@pytest.mark.parametrize("rules", ["corrected", "course"])
def test_report_of_the_real_panel_in_both_layouts(real_data, tmp_path, layout, said, rules):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from basket.command import main; main()",
            "report",
            "--data",
            str(real_data / "panel1200" / layout),
            "--out",
            str(tmp_path),
            "--rules",
            rules,
        ],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stderr
    flow = (tmp_path / "04_analysis" / "tables" / "population_flow.csv").read_text()
    assert "corrected,merge,merged,180895,0,0,0,180895" in flow
    if layout == "careerfoundry_layout":
        assert "course,merge,merged,180895,12,225,0,180682" in flow
    assert (tmp_path / "05_sent_to_client" / "instacart_final_report.xlsx").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["nobody is active", "columns of one value"])
def test_a_report_is_made_of_data_that_holds_too_little(tmp_path, case):
    import pandas as pd

    from basket.synthetic.generate import generate

    generate(tmp_path / "data", scale=0.003)
    settings = (ROOT / "settings.yml").read_text(encoding="utf-8")
    if case == "nobody is active":
        settings = settings.replace(
            "activity: below 5, Active: from 5", "activity: below 900, Active: from"
        )
    else:
        people = pd.read_csv(tmp_path / "data" / "customers.csv", dtype=str, keep_default_na=False)
        one = {"Gender": "Female", "STATE": "Texas", "n_dependants": "0", "fam_status": "single"}
        people.assign(**one).to_csv(tmp_path / "data" / "customers.csv", index=False)
    (tmp_path / "settings.yml").write_text(settings, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from basket.command import main; main()",
            "report",
            "--data",
            str(tmp_path / "data"),
            "--out",
            str(tmp_path / "out"),
            "--settings",
            str(tmp_path / "settings.yml"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "04_analysis" / "findings.json").read_text())
    unanswered = {
        finding["question"] for finding in found if finding["headline"].startswith("Not answered")
    }
    every = {finding["question"] for finding in found}
    assert unanswered == (every if case == "nobody is active" else {"Q7"})
    assert (tmp_path / "out" / "05_sent_to_client" / "instacart_final_report.xlsx").is_file()


@pytest.mark.slow
def test_installation_from_the_lock_on_a_bare_checkout(tmp_path):
    """`make report` is the only command: it makes its environment, too."""
    folder = copy_of_checkout(tmp_path / "new machine")
    done = make(folder, "report", "SCALE=0.003")
    assert done.returncode == 0, done.stderr
    assert (folder / "05_sent_to_client" / "instacart_final_report.xlsx").is_file()
