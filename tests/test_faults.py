"""Kills, full disks, too little memory: whole outputs after each, and the same bytes in the end."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from basket.checks.reproduce import hashes
from basket.project.errors import BasketError
from basket.project.files import SIDECAR, file_hash
from basket.project.folders import Folders
from basket.project.stages import graph
from basket.run import lock
from basket.run.lock import only_run, runtime_prefix
from basket.tables.publish import publish
from checkout import BASKET, run_command
from conftest import cut_at, imported, write_settings
from small_store import write_store

NEW = cut_at("loyalty_flag", 10, 30) | {"report.title": "Another report"}
KILLS = int(os.environ.get("BASKET_KILLS", "4"))
LITTLE = 2**14  # bytes: less than a table of stage 04, the first that the new settings change


# ---- a run, and what it may leave behind --------------------------------------------------------


def start(data: Path, out: Path, settings: Path, temp: Path, **options) -> subprocess.Popen:
    """Start `basket report` with a home and a temp folder of its own."""
    home = temp.with_name(f"{temp.name}-home")
    home.mkdir(exist_ok=True)
    command = [*BASKET, "report", "--data", data, "--out", out, "--settings", settings]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temp), "HOME": str(home)},
        cwd=temp,
        **options,
    )


def finish(run: subprocess.Popen, seconds: int = 240) -> tuple[int, str]:
    """Wait for a run; return its exit code and its messages."""
    try:
        _, stderr = run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        run.kill()
        raise
    return run.returncode, stderr


def report(*arguments, **options) -> tuple[int, str]:
    return finish(start(*arguments, **options))


def kernels_of(run: subprocess.Popen) -> list[psutil.Process]:
    """Return the kernels of a run: the one at work, then the one that waits for the next stage."""
    try:
        children = psutil.Process(run.pid).children()
        kernels = [child for child in children if "basket.run.kernel" in child.cmdline()]
        return sorted(kernels, key=psutil.Process.create_time)
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(scope="module")
def temp():
    """Give a temp folder with a short path: a socket's path has little room."""
    folder = Path(tempfile.mkdtemp(prefix="t"))
    yield folder
    shutil.rmtree(folder)
    shutil.rmtree(folder.with_name(f"{folder.name}-home"))


@pytest.fixture(scope="module")
def two_settings(tmp_path_factory) -> list[Path]:
    """Give two settings under which nearly all results differ."""
    folder = tmp_path_factory.mktemp("settings")
    return [write_settings(folder / "old.yml", {}), write_settings(folder / "new.yml", NEW)]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Give a small delivery: what a run takes is hardly a matter of its size."""
    return write_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def undisturbed(store, two_settings, tmp_path_factory, temp) -> list[Path]:
    """Give what an undisturbed run builds under each of the two settings: the other after one."""
    old, new = (tmp_path_factory.mktemp("undisturbed") / file.stem for file in two_settings)
    for out, settings in zip((old, new), two_settings, strict=True):
        code, stderr = report(store, out, settings, temp)
        assert code == 0, stderr
        if out == old:
            shutil.copytree(old, new)
    return [old, new]


def require_whole(out: Path, good: list[dict[str, str]]) -> None:
    """Every table matches its sidecar; every published file is one that an undisturbed run made."""
    for sidecar in (out / "02_data" / "prepared_data").glob(f"[!.]*/{SIDECAR}"):
        content = json.loads(sidecar.read_text())
        assert content["parts"], sidecar
        assert {part["file"] for part in content["parts"]} == {
            path.name for path in sidecar.parent.glob("*.parquet")
        }
        for part in content["parts"]:
            path = sidecar.parent / part["file"]
            assert file_hash(path) == part["sha256"]
            assert pq.read_table(path).num_rows == part["rows"]
    found = hashes(out)
    found = {name: digest for name, digest in found.items() if not name.endswith(".FAILED.ipynb")}
    found.pop("04_analysis/manifest.json", None)  # holds what the last finished run made
    for name, digest in found.items():
        assert digest in {hashed.get(name) for hashed in good}, name
    assert good[0].keys() & good[1].keys() <= found.keys() | {"04_analysis/manifest.json"}


# ---- one run at a time, and what a killed one leaves --------------------------------------------


def test_a_second_run_is_refused(generated, two_settings, tmp_path, temp):
    first = start(generated, tmp_path, two_settings[0], temp)
    while first.poll() is None and not (tmp_path / "02_data/prepared_data/.lock").exists():
        time.sleep(0.01)
    time.sleep(0.5)
    code, stderr = report(generated, tmp_path, two_settings[0], temp)
    first.terminate()
    first.communicate()
    assert code == 1
    assert stderr == (
        f"basket: another run is at work in {tmp_path}; wait for it to end, or give this one "
        "another folder with OUT\n"
    )


def test_a_kernel_that_outlives_its_run_publishes_nothing(generated, tmp_path):
    """Within a run, a stage only writes below the building folder; the run publishes it."""
    building, folders = tmp_path / "building" / "01_import" / "x", Folders(tmp_path / "out")
    step = graph()["01_import"]
    with pytest.raises(BasketError, match=r"01_import: .* ended without `stage.publish\(\)`"):
        publish(folders, step, building)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASKET_BUILDING", str(building))
        imported(generated, folders.out)
    assert not folders.out.exists()
    publish(folders, step, building)
    run = imported(generated, tmp_path / "by_hand")
    assert hashes(folders.out) == hashes(run.out)
    assert not building.exists()


def test_a_notebook_run_by_hand_keeps_its_work_and_publishes_between_runs(generated, tmp_path):
    run = imported(generated, tmp_path)
    own, orders = run.folders.prepared / ".02_clean.by_hand", run.folders.prepared / "orders"
    with only_run(run.folders), pytest.raises(BasketError, match="another run is at work"):
        run.notebook("02_clean")
    assert (own / "orders" / SIDECAR).is_file() and not orders.exists()
    run.notebook("02_clean")
    assert orders.is_dir() and not own.exists()


def test_what_a_killed_run_left_is_swept_up_and_put_back(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "runtime_folder", lambda: tmp_path / "temp")
    folders = Folders(tmp_path / "out")
    prefix = runtime_prefix(folders)
    (tmp_path / "temp" / f"{prefix}abc" / "ipython").mkdir(parents=True)
    (tmp_path / "temp" / "basket-of-another-run").mkdir()
    files = {
        folders.prepared / ".merged.old" / "part-000.parquet": "the last good one",
        folders.prepared / ".orders.old" / "part-000.parquet": "the one before",
        folders.prepared / "orders" / "part-000.parquet": "the last good one",
        folders.prepared / ".building" / "03_merge" / "merged" / "part-000.parquet": "half",
        folders.prepared / ".03_merge.done.json.partial": "half",
        folders.notebooks / ".03_merge.ipynb.partial": "half",
        folders.client / ".instacart_final_report.xlsx.partial": "half",
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    with only_run(folders):
        left = {path for path in folders.out.rglob("*") if path.is_file()}
    merged, orders = (folders.prepared / name / "part-000.parquet" for name in ("merged", "orders"))
    assert left == {merged, orders, folders.prepared / ".lock"}
    assert merged.read_text() == orders.read_text() == "the last good one"
    assert [path.name for path in (tmp_path / "temp").iterdir()] == ["basket-of-another-run"]


# ---- kills ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_kills_leave_whole_outputs_and_the_next_run_finishes(
    store, two_settings, undisturbed, tmp_path, temp
):
    """Runner and kernel are killed in turn, at random moments of a run with new settings.

    Those change the stages from 04 on. The first result was built from nothing.
    """
    good = [hashes(out) for out in undisturbed]
    took = json.loads((undisturbed[1] / "04_analysis" / "manifest.json").read_text())["seconds"]
    seconds = sum(took[stage] for stage in list(graph())[3:])
    out, chance = tmp_path / "out", random.Random(2017)
    shutil.copytree(undisturbed[0], out, symlinks=True)
    killed, new = [], 1
    while len(killed) < KILLS:
        kind = ("runner", "kernel")[len(killed) % 2]
        run = start(store, out, two_settings[new], temp)
        time.sleep(chance.uniform(0.2, 1.1 * seconds))
        kernels = kernels_of(run)
        while kind == "kernel" and not kernels and run.poll() is None:
            time.sleep(0.01)
            kernels = kernels_of(run)
        if run.poll() is None:  # else the kill comes too late, and does not count
            os.kill(kernels[0].pid if kind == "kernel" else run.pid, signal.SIGKILL)
            killed.append(kind)
        code, stderr = finish(run)
        if kind == "kernel":  # killed once its last cell was done, it is not missed
            assert code in (0, 1) and "Traceback" not in stderr, stderr
            assert code == 0 or "kernel died" in stderr.lower(), stderr
        if kind == "kernel" or len(killed) % 4 == 1:  # else the next run meets the orphan
            _, alive = psutil.wait_procs(kernels, timeout=20)
            assert not alive, "a kernel outlives its run"
            require_whole(out, good)
        code, stderr = report(store, out, two_settings[new], temp)
        assert code == 0, stderr
        assert hashes(out) == good[new]
        assert not list(temp.iterdir()), "the next run sweeps up"
        assert not list(temp.with_name(f"{temp.name}-home").iterdir())
        new = 1 - new


# ---- too little memory, full disks, read-only folders -------------------------------------------


def mounted(folder: Path, *options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder]
    return run_command(*command).returncode == 0


@pytest.mark.slow
def test_too_little_of_something_is_said_and_leaves_whole_outputs(
    store, two_settings, undisturbed, tmp_path, temp
):
    """The disk, the right to write, the size of a file, memory: one fault after the other."""
    good = [hashes(out) for out in undisturbed]
    new = two_settings[1]
    disk, out = tmp_path / "disk", tmp_path / "disk" / "out"
    disk.mkdir()
    is_disk = os.geteuid() == 0 and mounted(disk, "size=512m")

    def require_refused(words: tuple[str, ...], settings: Path = new, **options):
        code, stderr = report(store, out, settings, temp, **options)
        error = [line for line in stderr.splitlines() if line.startswith("basket: ")]
        assert code == 1 and len(error) == 1 and "Traceback" not in stderr, stderr
        assert any(word in error[0] for word in words), stderr
        require_whole(out, good)

    try:
        shutil.copytree(undisturbed[0], out)
        if is_disk:
            space = os.statvfs(disk)
            used = (space.f_blocks - space.f_bfree) * space.f_frsize
            assert mounted(disk, "remount", f"size={used + LITTLE}")
            require_refused(("no room left on the disk",))
            assert mounted(disk, "remount", "size=512m", "ro")
            require_refused(("Read-only file system",))
            assert mounted(disk, "remount", "size=512m", "rw")
        limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (LITTLE, LITTLE))
        require_refused(("File too large",), preexec_fn=limit)
        little = {"limits.memory_share": 300 * 2**20 / psutil.virtual_memory().total}
        starved = write_settings(tmp_path / "starved.yml", NEW | little)
        require_refused(
            ("kernel died", "MemoryError", "ArrowException", "process that draws"), starved
        )
        code, stderr = report(store, out, new, temp)
        assert code == 0, stderr
        assert hashes(out) == good[1]
        assert not list(temp.iterdir())
    finally:
        if is_disk:
            assert run_command("umount", disk).returncode == 0
    if not is_disk:
        pytest.skip("NOT RUN with a full disk: only root can mount one")
