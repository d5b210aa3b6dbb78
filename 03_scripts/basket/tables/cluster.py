"""Work on a Dask cluster: submit the functions that run on threads here to its workers.

Scheduling, retries after a lost worker, spilling and the dashboard are Dask's (D-29). The workers
must have this package at this version and see OUT and DATA under the same paths.
"""

import hashlib
import os
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from platform import python_version_tuple

from basket.project import git
from basket.project.errors import REPORT, BasketError
from basket.project.files import file_hash
from basket.project.folders import ROOT, SCRIPTS

CONNECT_SECONDS = 4  # Dask's own 30 are too long to wait without a sign
WORKERS_SECONDS = 30  # without any worker, at the start or half-way
ASK_SECONDS = 5
PACKAGES = ("numpy", "pandas", "pyarrow", "dask", "distributed")
QUIET = {
    "logging": {"distributed": "critical", "distributed.client": "critical"},
    "distributed.admin.large-graph-warning-threshold": "1 GiB",
}  # what Dask says on stderr would appear in the executed notebook
FAILS_TO_CONNECT = (OSError, ValueError, TypeError, MemoryError)  # by what may listen there instead
MORE_MEMORY = (
    "give the workers more memory or fewer threads, or lower lines_per_part in settings.yml"
)


def _distributed():
    """Import Dask's cluster client and silence it; raise BasketError when it is not installed."""
    try:
        import dask

        dask.config.set(QUIET)
        import distributed
    except ImportError:
        raise BasketError(
            "SCHEDULER needs the packages dask and distributed, which are not installed; install "
            "them: .venv/bin/python -m pip install -r requirements-cluster.lock"
        ) from None
    return distributed


@contextmanager
def connected(address: str) -> Iterator:
    """Connect to the scheduler at `address`; raises BasketError when none answers in time."""
    distributed = _distributed()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other versions, which `check` puts into a sentence
            client = distributed.Client(address, timeout=CONNECT_SECONDS)
    except FAILS_TO_CONNECT:
        raise _nobody_at(address) from None
    try:
        yield client
    finally:
        client.close(timeout=CONNECT_SECONDS)


def _nobody_at(address: str) -> BasketError:
    return BasketError(
        f"no Dask scheduler answers at {address}; start one there (`dask scheduler`), name another "
        "with SCHEDULER=tcp://host:port, or leave SCHEDULER out to work on this machine"
    )


def in_order(
    address: str, function: Callable, items: Sequence, constants: dict, what: str
) -> Iterator:
    """Yield `function(item, **constants)` for each item, in their order; workers compute them.

    `what` says in errors what an item is ("merge_part, part"). Dask replaces a worker that dies, so
    the function may run twice for one item.
    """
    distributed = _distributed()
    doing = what
    with connected(address) as client:
        try:
            shared = client.submit(dict, constants, pure=False)  # a task, redone when it is lost
            _wait_for(client, shared, doing)
            client.replicate(shared)  # else the first worker, which has it, gets all of a few parts
            options = {"pure": False, "key": function.__name__}
            futures = client.map(_call, items, function=function, constants=shared, **options)
            for number, future in enumerate(futures, start=1):
                doing = f"{what} {number} of {len(items)}"
                _wait_for(client, future, doing)
                yield future.result()
                future.release()
        except distributed.KilledWorker as error:
            raise BasketError(
                f"{doing}: {error.allowed_failures + 1} worker(s) died while they computed it, "
                f"most likely out of memory; {MORE_MEMORY}"
            ) from None
        except MemoryError:
            raise BasketError(f"{doing}: a worker ran out of memory; {MORE_MEMORY}") from None
        except (CancelledError, distributed.comm.CommClosedError):
            raise BasketError(
                f"{doing}: the scheduler at {address} was lost; start it again and run "
                f"`{REPORT}`, which goes on from the last finished stage"
            ) from None


def _call(item, function: Callable, constants: dict):
    return function(item, **constants)


def _wait_for(client, future, what: str) -> None:
    """Wait until a task has ended, for as long as there are workers."""
    distributed = _distributed()
    while not future.done():
        try:
            distributed.wait(future, timeout=ASK_SECONDS)
        except TimeoutError:
            _require_workers(client, f"{what}: ")


def _require_workers(client, meanwhile: str = "") -> None:
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError:
        raise BasketError(
            f"{meanwhile}the scheduler at {client.scheduler.address} has had no worker for "
            f"{WORKERS_SECONDS} s; start some: `dask worker {client.scheduler.address}`"
        ) from None


# ---- before the first stage ---------------------------------------------------------------------


def check(address: str) -> str:
    """Check that the scheduler answers and that its workers have what runs here.

    Returns one line for the user: how many workers, and the address of the dashboard. Raises
    BasketError, in one line, naming the first worker with another Python, package or version.
    """
    _require_scheduler(address)
    with connected(address) as client:
        _require_workers(client)
        here = installation()
        workers = client.run(installation, on_error="return")
        for worker, there in sorted(workers.items()):
            if isinstance(there, Exception):
                wrong = [f"does not have this version of basket ({there})"]
            else:
                names = [name for name in here if there.get(name) != here[name]]
                wrong = [f"has {n} {there.get(n)}, expected {here[n]} as here" for n in names]
            if wrong:
                raise BasketError(
                    f"worker {worker} {wrong[0]}; start the workers from a checkout of the same "
                    "commit, with its .venv"
                )
        dashboard = client.dashboard_link or "none"
        return f"cluster of {len(workers)} worker(s) at {address}, dashboard: {dashboard}"


def _require_scheduler(address: str) -> None:
    """Raise BasketError unless a scheduler answers in time, whatever else may listen there."""
    import asyncio  # which no run without a cluster waits for

    distributed = _distributed()

    async def greet() -> None:  # Client alone waits for ever where another server listens
        arguments = distributed.Security().get_connection_args("client")
        greeting = distributed.comm.connect(address, **arguments)
        await (await asyncio.wait_for(greeting, CONNECT_SECONDS)).close()

    try:
        asyncio.run(greet())
    except FAILS_TO_CONNECT:
        raise _nobody_at(address) from None


@cache
def installation() -> dict[str, str]:
    """Return what must be the same on all machines: Python, packages that compute, this package.

    It is computed when a worker loads this package, and kept: the files may change later.
    """
    code = sorted((SCRIPTS / "basket").rglob("*.py"))
    code.append(ROOT / "01_project_management" / "data_dictionary.csv")
    digest = hashlib.sha256("".join(f"{path.name}{file_hash(path)}" for path in code).encode())
    return {
        "Python": ".".join(python_version_tuple()[:2]),
        **{package: version(package) for package in PACKAGES},
        "basket": f"{git.version()} ({digest.hexdigest()[:12]})",
    }


def check_folders(address: str, out: Path, files: Sequence[Path]) -> None:
    """Check that every worker writes to this very `out` and reads these very files.

    Raises BasketError, in one line, naming the first worker that does not, and the path.
    """
    token = uuid.uuid4().hex
    with connected(address) as client, tempfile.NamedTemporaryFile("w", dir=out) as proof:
        proof.write(token)
        proof.flush()
        sizes = {str(path): path.stat().st_size for path in files}
        found = client.run(_unseen, proof.name, token, sizes)
        for worker, path in sorted(found.items()):
            if path:
                raise BasketError(
                    f"worker {worker} cannot use {path} as this machine does; OUT and DATA must "
                    "lie on a file system that all workers share, under the same path"
                )


def _unseen(proof: str, token: str, sizes: dict[str, int]) -> str | None:
    """Return the first path that this process does not see as the asking one does, or None."""
    folder = os.path.dirname(proof)
    try:
        if Path(proof).read_text(encoding="utf-8") != token:
            return folder
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return folder
    for path, size in sizes.items():
        try:
            with open(path, "rb"):
                if os.stat(path).st_size != size:
                    return path
        except OSError:
            return path
    return None
