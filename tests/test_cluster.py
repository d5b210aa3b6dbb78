"""Parts on a Dask cluster, on threads, on a full disk: the same results, or one clear line."""

import contextlib
import hashlib
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basket.checks.reproduce import hashes
from basket.prepare import raw_files, split
from basket.prepare.layouts import layouts
from basket.prepare.raw_files import RawFile
from basket.project import git
from basket.project.errors import BasketError
from basket.project.folders import ROOT, SCRIPTS
from basket.project.settings import load_settings
from basket.project.stages import Step, graph
from basket.synthetic.generate import generate
from basket.tables import cluster, progress, stage, store
from checkout import BASKET, run_command
from conftest import SETTINGS_FILE, Run, import_stage, lines_per_part, run_stages, write_settings

LINES = layouts()["course"].tables["raw_lines"].file


# ---- a cluster of processes on this machine -----------------------------------------------------


class Cluster:
    """One scheduler and its workers, each a process of its own on 127.0.0.1."""

    def __init__(self, folder: Path, **scheduler_settings: str):
        """Start the scheduler; workers are added one by one."""
        self.folder = folder
        self.workers: list[subprocess.Popen] = []
        file = folder / "scheduler.json"
        file.touch()
        self.scheduler = self._start(
            "scheduler --host 127.0.0.1 --port 0 --dashboard-address 127.0.0.1:0 "
            "--scheduler-file scheduler.json",
            scheduler_settings,
        )
        address = re.compile(r"t(?:cp|ls)://[\d.:]+\d")
        wait_until(lambda: address.search(file.read_text()), "the scheduler has not started")
        self.address = address.search(file.read_text())[0]

    def _start(self, command: str, settings: dict[str, str]) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *command.split()],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": f"{Path(__file__).parent}:{SCRIPTS}"} | settings,
        )

    def add_worker(self, threads: int = 1, **settings: str) -> subprocess.Popen:
        """Start a worker without a nanny: killed, it stays away."""
        worker = self._start(
            f"worker {self.address} --host 127.0.0.1 --nthreads {threads} --no-nanny "
            "--no-dashboard --memory-limit 0 --local-directory .",
            settings,
        )
        self.workers.append(worker)
        return worker

    def end(self) -> None:
        """End the processes that were started here."""
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait(20)


@contextlib.contextmanager
def running(folder: Path, workers: int, **scheduler_settings: str):
    started = Cluster(folder, **scheduler_settings)
    try:
        for _ in range(workers):
            started.add_worker()
        with cluster.connected(started.address) as client:
            if workers:
                client.wait_for_workers(workers, timeout=60)
        yield started
    finally:
        started.end()


@pytest.fixture
def two_workers(tmp_path):
    """Give a cluster of two workers that retries nothing."""
    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with running(tmp_path, 2, **settings) as started:
        yield started


def settings_for(data: Path, parts: int) -> Path:
    """Write, beside the data, the settings under which they come out in this many parts."""
    changes = {"limits.lines_per_part": lines_per_part(data, parts)}
    return write_settings(data.with_name("settings.yml"), changes)


def wait_until(happens, otherwise: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)


def report(*arguments, **options) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([*BASKET, "report", *arguments], text=True, **pipes)


@contextlib.contextmanager
def terminal():
    """Give the screen of a terminal, to write to, and what was seen on it so far."""
    keyboard, screen = pty.openpty()
    termios.tcsetwinsize(screen, (24, 80))
    seen: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # nobody writes any more
            while found := os.read(keyboard, 4096):
                seen.append(found)

    threading.Thread(target=read, daemon=True).start()
    try:
        yield screen, seen
    finally:
        os.close(screen)


def text_of(seen: list[bytes]) -> str:
    return b"".join(seen).decode()


# ---- results ------------------------------------------------------------------------------------


@pytest.fixture
def real_or_generated(request, tmp_path) -> Path:
    """Give a copy of the real panel; where it is absent, a generated set of about its size."""
    try:
        return shutil.copytree(request.getfixturevalue("panel"), tmp_path / "data")
    except pytest.skip.Exception:
        print("\nNOT RUN against real data: BASKET_REAL_DATA is not set; generated data instead")
        generate(tmp_path / "data", scale=0.005)
        return tmp_path / "data"


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_builds_the_same_files(real_or_generated, tmp_path):
    """The run on this machine has a terminal, and that leaves no trace in the files either."""
    data = real_or_generated
    options = ["--data", data, "--settings", settings_for(data, 6)]
    with terminal() as (screen, seen):
        here = report(*options, "--out", tmp_path / "here", stderr=screen)
    with running(tmp_path, 2) as two:
        out = tmp_path / "there"
        there = report(*options, "--out", out, "--scheduler", two.address)
        building = out / "02_data" / "prepared_data" / ".building"
        merged = "03_merge/*/merged/part-*.parquet"
        wait_until(lambda: list(building.glob(merged)), "no part was merged", 200)
        two.workers[0].kill()
        _, stderr = there.communicate(timeout=300)
    assert there.returncode == 0, stderr
    assert here.wait(300) == 0
    first_line = r"cluster of 2 worker\(s\) at tcp://\S+, dashboard: http://127.0.0.1:\d+"
    assert re.match(first_line, stderr)

    expected = hashes(tmp_path / "here")
    assert sum("merged/part" in path for path in expected) == 6
    assert sum(path.startswith("04_analysis/tables/") for path in expected) > 20
    assert hashes(out) == expected
    assert not building.exists()

    stage_lines = r"(?m)^.*\r?(0\d_\w+) +[\d,]+ rows"
    shown = text_of(seen)
    assert re.search(r"03_merge +merge_part, part \|.{24}\| \d of 6", shown)
    assert re.findall(stage_lines, stderr) == re.findall(stage_lines, shown) == list(graph())
    assert "\r" not in stderr and "|" not in stderr  # no bar where there is no terminal

    origin = raw_files.find(data, load_settings(SETTINGS_FILE).limits).origin.sentence()
    assert origin in stderr.splitlines() and origin in shown
    flow = (out / "04_analysis" / "tables" / "population_flow.csv").read_text()
    if not (data / "SYNTHETIC_DATA.json").exists():
        assert "SYNTHETIC" not in origin
        assert "Instacart's data in the course's layout" in stderr
        assert "corrected,merge,merged,180895,0,0,0,180895" in flow
    assert (out / "05_sent_to_client" / "instacart_final_report.xlsx").is_file()


@given(st.binary(max_size=200), st.integers(1, 60))
def test_workers_read_the_slices_that_one_machine_reads(tmp_path_factory, content, size):
    content = b"header\n" + content.replace(b"\r", b"\n")
    path = tmp_path_factory.getbasetemp() / "cut.csv"
    path.write_bytes(content)
    file = RawFile("cut.csv", path, (), len(content))
    slices = [content[begin:end] for begin, end in split.cut(file, size)]
    assert slices == list(file.slices(size))


def test_parts_put_together_from_slices_are_those_read_in_one_go(generated, tmp_path, monkeypatch):
    """As on a cluster, with slices far smaller than a part; a bad row keeps its line number."""
    data = shutil.copytree(generated, tmp_path / "data")
    with (data / LINES).open("a") as file:
        file.write("1,x,1,0\n")
    size = (data / LINES).stat().st_size // 5
    monkeypatch.setattr(RawFile.slices, "__defaults__", (size,))
    monkeypatch.setattr(split.cut, "__defaults__", (size,))
    settings = settings_for(data, 3)
    monkeypatch.setenv("BASKET_DATA", str(data))
    import_stage(Run(tmp_path / "here", "corrected", settings))

    used = []

    def on_threads(address, function, items, constants, what):
        used.append((address, function.__name__, len(items)))
        return stage._on_threads(2, function, items, constants)

    monkeypatch.setattr(cluster, "in_order", on_threads)
    monkeypatch.setenv("BASKET_SCHEDULER", "tcp://there")
    import_stage(Run(tmp_path / "there", "corrected", settings))
    assert ("tcp://there", "split_slice", 6) in used and ("tcp://there", "join_part", 3) in used
    assert hashes(tmp_path / "here") == hashes(tmp_path / "there")
    quarantine = tmp_path / "there" / "02_data" / "prepared_data" / "quarantine"
    bad = pd.read_parquet(quarantine / "raw_lines.parquet")
    assert bad["line"].tolist() == [(data / LINES).read_bytes().count(b"\n")]


def test_a_packed_file_is_split_on_this_machine(generated, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "in_order", None)
    monkeypatch.setenv("BASKET_SCHEDULER", "tcp://there")
    shutil.make_archive(str(tmp_path / "data"), "zip", generated)
    monkeypatch.setenv("BASKET_DATA", str(tmp_path / "data.zip"))
    run = Run(tmp_path / "out", "corrected", ROOT / "settings.yml")
    import_stage(run)
    assert run.sidecar("raw_lines")["rows"] > 100_000


# ---- a cluster that cannot be used --------------------------------------------------------------


@pytest.mark.slow
def test_no_scheduler_there_is_one_line_within_ten_seconds(tmp_path):
    begun = time.monotonic()
    done = report("--out", tmp_path, "--scheduler", "tcp://127.0.0.1:9")
    _, stderr = done.communicate(timeout=60)
    assert time.monotonic() - begun < 10
    assert done.returncode == 1
    assert stderr.count("\n") == 1 and "tcp://127.0.0.1:9;" in stderr
    assert "leave SCHEDULER out" in stderr
    assert not list((tmp_path / "02_data" / "prepared_data").glob("generated_data"))


@pytest.mark.parametrize("address", ["nowhere", "http://127.0.0.1:80", "tcp://127.0.0.1"])
def test_what_is_no_address_of_a_scheduler_is_one_line(address, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with pytest.raises(BasketError, match=f"no Dask scheduler answers at {address};"):
        cluster.check(address)


@pytest.mark.parametrize("says", [b"", b"HTTP/1.0 400 Bad request\r\n\r\n"])
def test_another_server_at_the_address_is_one_line(says, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = []

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])
                    taken[-1].sendall(says)

        threading.Thread(target=answer, daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(BasketError, match="no Dask scheduler answers"):
            cluster.check(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        assert time.monotonic() - begun < 5
    assert taken


def test_without_dask_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BasketError, match=r"pip install -r requirements-cluster\.lock"):
        cluster.check("tcp://127.0.0.1:9")


def certificates(folder: Path) -> dict[str, str]:
    """Make an authority and a certificate; give the variables that the README sets."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not on PATH, so no certificates can be made")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out cert.csr -subj /CN=basket",
        "x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2",
    ):
        done = run_command("openssl", *command.split(), folder=folder)
        assert done.returncode == 0, done.stderr
    comm = "DASK_DISTRIBUTED__COMM"
    said = {f"{comm}__REQUIRE_ENCRYPTION": "true"}
    said[f"{comm}__TLS__CA_FILE"] = str(folder / "ca.pem")
    for who in ("SCHEDULER", "WORKER", "CLIENT"):
        said[f"{comm}__TLS__{who}__CERT"] = str(folder / "cert.pem")
        said[f"{comm}__TLS__{who}__KEY"] = str(folder / "key.pem")
    return said


@pytest.mark.slow
def test_a_cluster_with_certificates_serves_who_has_one_and_nobody_else(tmp_path):
    """Dask's own options of security reach all that this project connects."""
    secured = certificates(tmp_path)
    ask = "import sys; from basket.tables import cluster; print(cluster.check(sys.argv[1]))"
    started = Cluster(tmp_path, **secured)
    try:
        started.add_worker(**secured)
        assert started.address.startswith("tls://")
        welcome = run_command(sys.executable, "-c", ask, started.address, **secured)
        assert "cluster of 1 worker(s)" in welcome.stdout, welcome.stderr
        for address in (started.address, started.address.replace("tls", "tcp")):
            refused = run_command(sys.executable, "-c", ask, address)
            assert refused.stderr.splitlines()[-1].endswith("to work on this machine")
    finally:
        started.end()


@pytest.mark.slow
def test_workers_must_be_there_be_the_same_and_see_the_same_files(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "WORKERS_SECONDS", 1)
    with running(tmp_path, 0) as started:
        with pytest.raises(BasketError, match="has had no worker for 1 s; start some"):
            cluster.check(started.address)
        monkeypatch.setattr(cluster, "WORKERS_SECONDS", 60)

        other = tmp_path / "other" / "03_scripts"
        shutil.copytree(ROOT / "03_scripts", other)
        shutil.copytree(ROOT / "01_project_management", other.parent / "01_project_management")
        shutil.copy(ROOT / "pyproject.toml", other.parent)
        (other / "basket" / "prepare" / "clean.py").open("a").write("# another version\n")
        for message in (f"has basket {git.version()} ", "does not have this version of basket"):
            worker = started.add_worker(PYTHONPATH=str(other))
            with pytest.raises(BasketError, match=message) as raised:
                cluster.check(started.address)
            assert "checkout of the same commit" in str(raised.value)
            worker.kill()
            worker.wait(20)
            (other / "basket" / "tables" / "cluster.py").unlink(missing_ok=True)

        started.add_worker()
        assert "cluster of 1 worker(s)" in cluster.check(started.address)
        seen = tmp_path / "seen.csv"
        seen.write_text("x")
        cluster.check_folders(started.address, tmp_path, [seen])
        monkeypatch.setattr(cluster, "_unseen", unseen_elsewhere)
        with pytest.raises(BasketError, match=f"cannot use {tmp_path} as this machine does"):
            cluster.check_folders(started.address, tmp_path, [seen])


def unseen_elsewhere(proof: str, token: str, sizes: dict) -> str | None:
    """As on a worker whose folder of that name is another one."""
    return cluster._unseen(proof, token + "x", sizes)


def test_a_worker_names_the_path_that_it_does_not_see(tmp_path):
    proof, data = tmp_path / "proof", tmp_path / "orders.csv"
    proof.write_text("token")
    data.write_text("12345")
    sizes = {str(data): 5}
    assert cluster._unseen(str(proof), "token", sizes) is None
    assert cluster._unseen(str(proof), "another", sizes) == str(tmp_path)
    elsewhere = tmp_path / "absent"
    assert cluster._unseen(str(elsewhere / "proof"), "token", {}) == str(elsewhere)
    assert cluster._unseen(str(proof), "token", {str(data): 6}) == str(data)
    assert cluster._unseen(str(proof), "token", {str(tmp_path / "x"): 6}) == str(tmp_path / "x")


# ---- a cluster that fails half-way --------------------------------------------------------------


def kills_its_worker(number: int, deadly: int, others: Path) -> int:
    if number == deadly:
        until = time.monotonic() + 60
        while not others.exists() and time.monotonic() < until:
            time.sleep(0.05)  # what a worker has to do when it dies is accused with it
        os._exit(1)
    return number


def sleeps(number: int, seconds: float) -> int:
    time.sleep(seconds)
    return number


@pytest.mark.slow
@pytest.mark.alone  # beside other tests its processes starve
def test_a_part_that_kills_its_workers_is_named_and_so_is_a_cluster_without_any(
    two_workers, tmp_path, monkeypatch
):
    monkeypatch.setattr(cluster, "WORKERS_SECONDS", 2)
    monkeypatch.setattr(cluster, "ASK_SECONDS", 0.5)
    for worker in two_workers.workers:
        worker.kill()
        worker.wait(20)
    two_workers.workers[:] = []
    for _ in range(2):
        two_workers.add_worker(threads=4)  # no part waits behind the deadly one
    there = two_workers.address
    given = {"deadly": 3, "others": tmp_path / "others"}
    work = cluster.in_order(there, kills_its_worker, range(4), given, "merge_part, part")
    assert [next(work) for _ in range(3)] == [0, 1, 2]
    given["others"].touch()
    with pytest.raises(BasketError, match=r"merge_part, part 4 of 4: 1 worker.* died"):
        next(work)
    for worker in two_workers.workers:
        worker.kill()
        worker.wait(20)
    with pytest.raises(BasketError, match=r"clean_part, part: the scheduler .* no worker for 2 s"):
        list(cluster.in_order(there, sleeps, range(3), {"seconds": 0}, "clean_part, part"))


@pytest.mark.slow
def test_a_lost_scheduler_is_one_line(two_workers, monkeypatch):
    monkeypatch.setattr(cluster, "ASK_SECONDS", 0.5)
    work = cluster.in_order(two_workers.address, sleeps, range(9), {"seconds": 0.5}, "pass, part")
    assert next(work) == 0
    two_workers.scheduler.kill()
    with pytest.raises(BasketError, match=r"pass, part \d of 9: the scheduler at .* was lost"):
        list(work)


# ---- a full disk --------------------------------------------------------------------------------


def twice(numbers: pd.DataFrame) -> tuple[dict, dict]:
    return {"raw_orders": numbers}, {"rows": len(numbers)}


def test_a_full_disk_is_one_line_and_what_was_published_stays(generated, tmp_path, monkeypatch):
    run = run_stages(generated, tmp_path, "corrected")
    before = hashes(run.folders.prepared)
    again = run.open("01_import")
    again.step = Step("01_import", ("raw_orders",), ("raw_orders",))
    monkeypatch.setattr(again, "folder_of", lambda table: run.folders.prepared / table)
    real = store.part_file

    def part_file(folder: Path, part: int) -> Path:
        return Path("/dev/full") if "attempt-" in folder.name else real(folder, part)

    monkeypatch.setattr(store, "part_file", part_file)
    with pytest.raises(BasketError, match="no room left on the disk") as raised:
        again.for_each_part(twice, {"numbers": "raw_orders"}, makes=("raw_orders",))
    assert str(raised.value).startswith(str(run.folders.prepared))
    assert hashes(run.folders.prepared) == before
    assert not list((run.folders.prepared / ".building").glob("*/*/*"))


@pytest.fixture
def small_disk(tmp_path):
    """Give a folder on a disk of 8 MiB, or skip: mounting one takes root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk]
    if not shutil.which("mount") or run_command(*mount).returncode:
        pytest.skip("NOT RUN on a full disk: a small one cannot be mounted here")
    yield disk
    assert run_command("umount", "-l", disk).returncode == 0


@pytest.mark.slow
def test_a_run_on_a_cluster_that_fills_the_disk_names_it(small_disk, tmp_path):
    """What was published stays; test_faults fills the disk of a run on this machine."""
    data = tmp_path / "data"
    generate(data, scale=0.01)
    options = ["--data", data, "--settings", settings_for(data, 4), "--out", small_disk]
    with running(tmp_path, 2) as two:
        done = report(*options, "--scheduler", two.address)
        _, stderr = done.communicate(timeout=200)
    assert done.returncode == 1
    prepared = small_disk / "02_data" / "prepared_data"
    assert f"{prepared}: no room left on the disk" in stderr and "Traceback" not in stderr
    published = sorted(path.parent.name for path in prepared.glob("*/_table.json"))
    assert "raw_lines" in published
    for name in published:
        for part in store.read_sidecar(prepared / name)["parts"]:
            content = (prepared / name / part["file"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == part["sha256"]


@pytest.mark.slow
def test_one_customer_with_a_third_of_all_lines_fills_one_part(tmp_path):
    """The part of that customer is the largest, and the counts are those of the files."""
    data = tmp_path / "data"
    generate(data, scale=0.003)
    orders = pd.read_csv(data / "orders.csv", dtype=str, keep_default_na=False)
    lines = pd.read_csv(data / LINES)
    user = orders["user_id"].iloc[0]
    mine = orders.query("user_id == @user and eval_set == 'prior'")
    first, per_order = orders["order_id"].astype(int).max() + 1, 100
    many = len(lines) // 2 // per_order
    more = pd.DataFrame(
        {
            "order_id": range(first, first + many),
            "user_id": user,
            "eval_set": "prior",
            "order_number": len(mine) + 1 + np.arange(many),
            "order_dow": 1,
            "order_hour_of_day": "09",
            "days_since_prior_order": "1.0",
        }
    )
    goods = pd.DataFrame(
        {
            "product_id": np.unique(lines["product_id"])[:per_order],
            "add_to_cart_order": np.arange(1, per_order + 1),
            "reordered": 1,
        }
    )
    bought = more[["order_id"]].merge(goods, how="cross")
    last = orders["user_id"].eq(user) & orders["eval_set"].ne("prior")
    orders.loc[last, "order_number"] = str(len(mine) + many + 1)
    pd.concat([orders, more]).to_csv(data / "orders.csv", index=False)
    pd.concat([lines, bought]).to_csv(data / LINES, index=False)

    run = run_stages(data, tmp_path / "out", "corrected", settings_for(data, 4))
    rows = [part["rows"] for part in run.sidecar("merged")["parts"]]
    assert len(rows) == 4 and sum(rows) == len(lines) + len(bought)
    assert rows[int(user) % 4] == max(rows) > len(bought)
    customer = run.table("analysis_customers").set_index("user_id").loc[int(user)]
    assert customer["max_order"] == len(mine) + many
    before = lines["order_id"].isin(mine["order_id"].astype(int)).sum()
    assert customer["lines"] == len(bought) + before


def test_the_bar_is_drawn_on_a_terminal_wiped_off_and_not_drawn_elsewhere(tmp_path, monkeypatch):
    with terminal() as (screen, seen), os.fdopen(os.dup(screen), "w") as stream:
        monkeypatch.setattr(sys, "__stderr__", stream)
        with progress.bar(tmp_path, "03_merge"):
            progress.note(tmp_path, "one, part", 1, 1)
            time.sleep(3 * progress.SECONDS)
            assert text_of(seen) == "", "one part is no progress worth a bar"
            for done in (1, 2):
                progress.note(tmp_path, "merge_part, part", done, 4)
                bar = re.compile(rf"03_merge +merge_part, part \|.{{24}}\| {done} of 4")
                wait_until(lambda bar=bar: bar.search(text_of(seen)), f"no bar: {bar}", 10)
    wait_until(lambda: text_of(seen).endswith(" \r"), "the bar was not wiped off", 10)
    assert "\n" not in text_of(seen) and "\x1b" not in text_of(seen)

    with (tmp_path / "log").open("w+") as log:
        monkeypatch.setattr(sys, "__stderr__", log)
        with progress.bar(tmp_path, "03_merge"):
            time.sleep(3 * progress.SECONDS)
        log.seek(0)
        assert log.read() == ""
