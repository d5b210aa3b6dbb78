"""`make report`: the stages in their order, each only when something it depends on has changed.

doit does the staging. What is up to date is asked of the stages' own fingerprints: doit's database
forgets a stage that finished before a kill and does not notice a tampered file (D-20).
"""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from doit.exceptions import TaskFailed

from basket.prepare import raw_files
from basket.project import git
from basket.project.errors import BasketError
from basket.project.files import file_hash, write_json
from basket.project.folders import ORIGINAL_DATA, ROOT, SCRIPTS, Folders
from basket.project.origin import Origin
from basket.project.settings import Settings, load_settings
from basket.project.stages import Step, done_file, graph, record_file
from basket.run import manifest
from basket.run.environment import ENVIRONMENT
from basket.run.lock import only_run
from basket.tables import cluster, progress

if TYPE_CHECKING:
    from basket.run.kernel import Kernel

SHARED_CODE = [
    ROOT / "requirements.lock",
    ROOT / "01_project_management" / "data_dictionary.csv",
    SCRIPTS / "stages.csv",
]


@dataclass
class Run:
    """One run of the pipeline: its options, its folders, and what each stage said."""

    folders: Folders
    settings: Settings
    settings_file: Path
    rules: str
    data: raw_files.RawData
    data_path: Path
    lock: int
    start_from: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    pages: dict[str, Future] = field(default_factory=dict)
    waiting: dict[str, tuple[str, "Kernel"]] = field(default_factory=dict)
    error: BasketError | None = None

    @cached_property
    def received(self) -> dict[str, dict]:
        """Bytes and sha256 of each raw file, by name."""
        return self.data.hashes()


def report(
    data: Path | None,
    out: Path | None,
    rules: str,
    scale: float | None,
    start_from: str | None,
    settings_file: Path | None,
    scheduler: str | None = None,
) -> Path:
    """Build everything that is not up to date; return the report's path. Raises BasketError."""
    settings_file = (settings_file or ROOT / "settings.yml").resolve()
    settings = load_settings(settings_file)
    folders = Folders(out.resolve() if out else ROOT)
    with only_run(folders) as lock:
        if scheduler:
            _say(cluster.check(scheduler))
        data_path = (data or _default_data(folders, settings, scale)).resolve()
        found = raw_files.find(data_path, settings.limits)
        _say(Origin(found.synthetic, found.fabricated).sentence())
        run = Run(folders, settings, settings_file, rules, found, data_path, lock, start_from)
        _prepare_environment(run)
        if scheduler:
            _hand_over_to(scheduler, run)
        _build(run)
        manifest.write_manifest(run)
    return folders.report


def _default_data(folders: Folders, settings: Settings, scale: float | None) -> Path:
    """The original data if there is any, else the generated default of the asked size."""
    if raw_files.has_data(ORIGINAL_DATA):
        if scale is not None:
            raise BasketError(
                "SCALE is the size of the generated data, but 02_data/original_data "
                "holds files; leave SCALE out, or name a generated folder with DATA"
            )
        archives = list(ORIGINAL_DATA.glob("*.zip"))
        names = {file for files in raw_files.LAYOUTS.values() for file, _ in files.values()}
        whole = [path for path in archives if path.stem not in names]
        return (
            whole[0] if len(whole) == 1 and not list(ORIGINAL_DATA.glob("*.csv")) else ORIGINAL_DATA
        )
    scale = settings.generator.scale if scale is None else scale
    _say(
        "02_data/original_data holds no data: this report is built from a generated data set, "
        f"SYNTHETIC DATA of SCALE {scale:g}"
    )
    folder = folders.generated / f"scale_{scale:g}_seed_{settings.generator.seed}"
    stamp = folder / "generator.sha256"
    code = _hash_of(sorted((SCRIPTS / "basket" / "synthetic").glob("*.*")))
    if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == code):
        from basket.synthetic import generate

        begun = time.perf_counter()
        shutil.rmtree(folders.generated, ignore_errors=True)
        generate.generate(
            folder, scale=scale, seed=settings.generator.seed, threads=settings.limits.threads
        )
        stamp.write_text(code, encoding="utf-8")
        _say(f"generated    {time.perf_counter() - begun:6.1f} s")
    return folder


def _prepare_environment(run: Run) -> None:
    """Tell the kernels, which inherit it, where things are.

    matplotlib keeps its list of fonts, which takes seconds to make, and would read settings from
    the user's home: it gets a folder in the virtual environment instead.
    """
    home = Path(sys.prefix) if os.access(sys.prefix, os.W_OK) else run.folders.prepared
    os.environ.update(
        MPLCONFIGDIR=str(home / ".matplotlib"),
        BASKET_OUT=str(run.folders.out),
        BASKET_DATA=str(run.data_path),
        BASKET_SETTINGS=str(run.settings_file),
        PYTHONHASHSEED="0",
        SOURCE_DATE_EPOCH=str(git.epoch()),
        BASKET_SCHEDULER="",
        **ENVIRONMENT,
    )


def _hand_over_to(scheduler: str, run: Run) -> None:
    """Have the stages, which inherit it, work on the cluster; check that it sees what they do."""
    plain = [file for file in run.data.files.values() if not file.members]
    if len(plain) < len(run.data.files):
        _say("the data is packed: this machine unpacks and splits it, the cluster does the rest")
    cluster.check_folders(scheduler, run.folders.prepared, [file.path for file in plain])
    os.environ["BASKET_SCHEDULER"] = scheduler


def _build(run: Run) -> None:
    """Run the stages through doit; render each executed notebook beside the next stage."""
    run.folders.prepared.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as beside:

        def tasks() -> Iterator[dict]:
            before: list[str] = []
            for step in graph().values():
                yield {
                    "basename": step.stage,
                    "actions": [(_run_stage, [run, step, beside])],
                    "uptodate": [lambda step=step: _is_up_to_date(run, step)],
                    "task_dep": list(before),
                    "verbosity": 0,
                }
                before = [step.stage]

        config = {
            "dep_file": str(run.folders.prepared / ".doit.json"),
            "backend": "json",
            "reporter": _Quiet,
        }
        loader = ModuleTaskLoader({"task_stages": tasks, "DOIT_CONFIG": config})
        try:
            outcome = DoitMain(loader).run(["run", *graph()])
        finally:
            for _, kernel in run.waiting.values():
                kernel.stop()
        if run.error:
            raise run.error
        if outcome:
            raise BasketError("the stages could not be run; see the messages above")
        _render_pages(run, beside)


class _Quiet:
    """doit's reporter: the stages say themselves what they do."""

    desc = "says nothing of its own"

    def __init__(self, outstream, options):
        """Accept what doit passes."""

    def _nothing(self, *_) -> None:
        """Say nothing."""

    initialize = get_status = execute_task = add_success = skip_ignore = _nothing
    cleanup_error = teardown_task = complete_run = _nothing

    def skip_uptodate(self, task) -> None:
        """Say which stage had nothing to do."""
        if task.name in graph():
            _say(f"{task.name:<16} up to date")

    def add_failure(self, task, failure) -> None:
        """Show a failure that no stage has put into words."""
        if not isinstance(failure, TaskFailed):
            print(failure.get_msg(), file=sys.stderr)

    def runtime_error(self, message: str) -> None:
        """Show what doit itself stumbled over."""
        print(message, file=sys.stderr)


def _run_stage(run: Run, step: Step, beside: ThreadPoolExecutor) -> TaskFailed | None:
    begun = time.perf_counter()
    _done_file(run, step.stage).unlink(missing_ok=True)
    try:
        with _kernel_for(run, step.stage) as kernel:
            before = fingerprint(run, step)
            if step.stage == "06_report":
                manifest.write_run_facts(run)
            _execute(run, step.stage, kernel)
        write_json(
            _done_file(run, step.stage),
            {
                "fingerprint": before,
                "outputs": {
                    str(path.relative_to(run.folders.out)): digest
                    for path, digest in _hashes(_outputs(run, step)).items()
                },
            },
        )
    except BasketError as error:
        run.error = error
    except OSError as error:
        where = error.filename or run.folders.out
        run.error = BasketError(f"{step.stage}: {where}: {error.strerror or error}")
    if run.error:
        return TaskFailed(str(run.error))
    run.seconds[step.stage] = time.perf_counter() - begun
    run.pages[step.stage] = beside.submit(_render, run.folders, step.stage)
    usage = manifest.read_usage(run.folders, step.stage)
    _say(
        f"{step.stage:<16} {usage['rows']:>12,} rows {run.seconds[step.stage]:7.1f} s "
        f"{usage['peak_bytes'] / 2**20:8,.0f} MiB"
    )
    return None


def _execute(run: Run, stage: str, kernel: "Kernel") -> None:
    """Run a stage's notebook; the kernel of the next stage starts meanwhile."""
    from basket.run.execute import execute  # papermill: takes as long as a kernel to start

    with progress.bar(run.folders, stage):
        following = dict(pairwise(graph())).get(stage)
        if following:
            run.waiting[following] = _code_hash(following), _start_kernel(run, following)
        execute(
            SCRIPTS / f"{stage}.ipynb",
            executed(run.folders, stage),
            {"rules": run.rules},
            run.settings.limits.cell_timeout_seconds,
            kernel,
        )


def _kernel_for(run: Run, stage: str) -> "Kernel":
    """Give the kernel that waits for a stage; a new one where it has died or holds other code."""
    kernel = None
    for name, (code, waiting) in run.waiting.items():
        if name == stage and waiting.is_alive and code == _code_hash(stage):
            kernel = waiting
        else:
            waiting.stop()
    run.waiting.clear()
    return kernel or _start_kernel(run, stage)


def _start_kernel(run: Run, stage: str) -> "Kernel":
    from basket.run.kernel import Kernel

    memory = int(psutil.virtual_memory().total * run.settings.limits.memory_share)
    return Kernel(SCRIPTS / f"{stage}.ipynb", run.lock, memory)


def _is_up_to_date(run: Run, step: Step) -> bool:
    """Whether nothing that the stage depends on, and nothing that it made, has changed."""
    names = list(graph())
    if run.start_from and names.index(step.stage) >= names.index(run.start_from):
        return False
    try:
        done = json.loads(_done_file(run, step.stage).read_text(encoding="utf-8"))
        expected = {run.folders.out / path: digest for path, digest in done["outputs"].items()}
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    return (
        done.get("fingerprint") == fingerprint(run, step)
        and set(expected) == set(_outputs(run, step))
        and _hashes(list(expected)) == expected
    )


def fingerprint(run: Run, step: Step) -> str:
    """Hash of all that a stage's result depends on: inputs, code, settings, rules, lock."""
    content = {
        "stage": step.stage,
        "rules": run.rules,
        "settings": run.settings.model_dump(exclude={"limits": manifest.NO_RESULT_DEPENDS_ON}),
        "code": _code_hash(step.stage),
        "python": sys.version_info[:2],
        "inputs": {
            str(path.relative_to(run.folders.out)): digest
            for table in step.takes
            if table != "raw files"
            for path, digest in _hashes(_files_of(run, table)).items()
        },
    }
    if "raw files" in step.takes:
        content["inputs"] = run.received | {"synthetic": run.data.synthetic}
    if step.stage == "06_report":
        content["facts"] = manifest.run_facts(run)
        content["records"] = list(
            _hashes(
                [record_file(run.folders, name) for name in graph() if name != step.stage]
            ).values()
        )
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _code_hash(stage: str) -> str:
    """Hash of the code that a stage runs: the package, what all stages share, its notebook."""
    package = sorted((SCRIPTS / "basket").rglob("*.*"))
    return _hash_of([*package, *SHARED_CODE, SCRIPTS / f"{stage}.ipynb"])


def _files_of(run: Run, table: str) -> list[Path]:
    """The files of a table, or of one of the things that stages 05 and 06 make."""
    folders = run.folders
    places = {
        "tables": lambda: folders.tables.glob("*"),
        "visualizations": lambda: folders.visualizations.glob("*"),
        "findings": lambda: folders.analysis.glob("findings.json"),
        "report": lambda: folders.client.glob(folders.report.name),
    }
    found: Callable = places.get(table, lambda: (folders.prepared / table).glob("*"))
    return sorted(found())


def _outputs(run: Run, step: Step) -> list[Path]:
    made = [path for table in step.makes for path in _files_of(run, table)]
    more = [record_file(run.folders, step.stage), executed(run.folders, step.stage)]
    if step.stage == "01_import":
        more += sorted((run.folders.prepared / "quarantine").glob("*"))
    if step.stage == "06_report":
        more.append(run.folders.analysis / "run_facts.json")
    return made + more


def executed(folders: Folders, stage: str) -> Path:
    """Where a stage's executed notebook stands."""
    return folders.notebooks / f"{stage}.ipynb"


def _done_file(run: Run, stage: str) -> Path:
    return done_file(run.folders, stage)


def _render(folders: Folders, stage: str) -> None:
    from basket.report.pages import notebook

    notebook.render(executed(folders, stage))


def _render_pages(run: Run, beside: ThreadPoolExecutor) -> None:
    """Finish the pages of all stages, and the index that links them."""
    from basket.report.pages.index import write_index
    from basket.report.pages.notebook import is_current

    recorded = manifest.hashes_in(manifest.read_manifest(run.folders))

    def is_untouched(page: Path) -> bool:
        return recorded.get(page.relative_to(run.folders.out).as_posix()) == file_hash(page)

    for stage in graph():
        notebook = executed(run.folders, stage)
        untouched = is_untouched(notebook.with_suffix(".html"))
        if stage not in run.pages and not (untouched and is_current(notebook)):
            run.pages[stage] = beside.submit(_render, run.folders, stage)
    for page in run.pages.values():
        page.result()
    if run.pages or not is_untouched(run.folders.notebooks / "index.html"):
        write_index(run.folders, run.settings)


def _hash_of(paths: list[Path]) -> str:
    return hashlib.sha256(
        "".join(f"{path.name}{digest}" for path, digest in _hashes(paths).items()).encode()
    ).hexdigest()


def _hashes(paths: list[Path]) -> dict[Path, str | None]:
    """The sha256 of each file, None for one that is not there; no hidden or compiled files."""
    known = [
        path for path in paths if "__pycache__" not in path.parts and not path.name.startswith(".")
    ]
    with ThreadPoolExecutor() as pool:
        return dict(zip(known, pool.map(_known_hash, known), strict=True))


def _known_hash(path: Path) -> str | None:
    """The sha256 of a file; read once in a run for as long as the file stays as it is."""
    try:
        now = path.stat()
    except OSError:
        return None
    return _hash_as_of(path, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)


@cache
def _hash_as_of(path: Path, *_state: int) -> str | None:
    return file_hash(path)


def _say(text: str) -> None:
    print(text, file=sys.__stderr__, flush=True)  # doit holds back what a stage prints
