"""`make report`: the stages in their order, each only when something it depends on has changed."""

import errno
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from basket.analysis import questions
from basket.prepare import raw_files
from basket.project import git
from basket.project.errors import BasketError, is_text, told, visible
from basket.project.files import file_hash, read_json, write_json
from basket.project.folders import ORIGINAL_DATA, ROOT, SCRIPTS, Folders, Inputs
from basket.project.settings import Settings, load_settings
from basket.project.stages import Step, done_file, graph, read_record, record_file, usage_file
from basket.report.pages.current import is_current
from basket.run import manifest, up_to_date
from basket.run.environment import ENVIRONMENT, limit_memory
from basket.run.lock import only_run, runtime_prefix
from basket.run.manifest import Run
from basket.run.up_to_date import executed
from basket.tables import cluster, progress
from basket.tables.publish import building_folder, publish

# Stages and pages load nbformat. Where JupyterLab is installed, that would compile the grammar of
# addresses: 2 s.
sys.modules.setdefault("rfc3987_syntax", None)

FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or what of it a user may have


def report(
    data: Path | None,
    out: Path | None,
    rules: str,
    scale: float | None,
    start_from: str | None,
    settings_file: Path | None,
    scheduler: str | None = None,
    no_fabrication: bool = False,
) -> Path:
    """Build everything that is not up to date; return the report's path. Raises BasketError."""
    settings, inputs = planned(data, out, scale, settings_file)
    folders = Folders(inputs.out)
    if not limit_memory(settings.limits.memory_share):
        _say("memory_share has no effect: this system cannot limit the memory of a program")
    with only_run(folders):
        if scheduler:
            _say(cluster.check(scheduler))
        if data is None and inputs.data != ORIGINAL_DATA.resolve():
            _generated_data(folders, settings, scale)
        found = raw_files.find(inputs.data, settings.limits)
        if not found.synthetic:
            _say(f"{found.root}: {found.listed()}")
        found = replace(found, invents=not no_fabrication)
        _say(found.origin.sentence())
        invent_nothing = "yes" if no_fabrication else ""
        inputs = replace(inputs, scheduler=scheduler, invent_nothing=invent_nothing)
        run = Run(inputs, settings, rules, found, start_from)
        _prepare_environment(run)
        if scheduler:
            _require_shared_folders(run)
        _build(run)
        if warning := read_record(folders, "05_visualise")["facts"]["incomplete"]:
            _say(warning)
        with _naming(folders.out, "the pages or the manifest could not be written"):
            try:
                _finish_pages(run)
            finally:  # all stages are published: the manifest says so, whatever pages are lacking
                manifest.write_manifest(run)
    return folders.report


@contextmanager
def _naming(out: Path, what: str) -> Iterator[None]:
    """Tell an error of the system with what was being done, and where: in `out` if it is silent."""
    try:
        yield
    except OSError as error:
        advice = "; make room there, then run again" if error.errno in FULL else ""
        where = f"{error.filename or out}: {error.strerror or error}"
        raise BasketError(f"{what}: {where}{advice}") from None


def planned(
    data: Path | None, out: Path | None, scale: float | None, settings_file: Path | None
) -> tuple[Settings, Inputs]:
    """Return the settings and the folders of a run; refuse what no run can do. Writes nothing.

    Data that is to be generated need not be there yet.
    """
    settings_file = (settings_file or ROOT / "settings.yml").resolve()
    settings = load_settings(settings_file)
    questions.require_known(settings.flags, settings_file)
    git.epoch()  # refuses a SOURCE_DATE_EPOCH that is no date
    folders = Folders(out.resolve() if out else ROOT)
    if not is_text(folders.out):
        raise BasketError(
            f"{folders.out}: the name is no text in this locale; name another OUT, or set "
            "LC_ALL=C.UTF-8"
        )
    data = _data_of_run(data, folders, settings, scale).resolve()
    _require_apart(folders, data)
    return settings, Inputs(folders.out, settings_file, data)


def _require_apart(folders: Folders, data: Path) -> None:
    """Refuse data among what a run replaces, and results among what it reads."""
    if data.is_dir() and folders.out.is_relative_to(data):
        raise BasketError(
            f"{data}: OUT, {folders.out}, lies within DATA, where results would be taken for data; "
            "name a folder of the data alone, or another OUT"
        )
    for built in (folders.prepared, folders.analysis, folders.client):
        if data.is_relative_to(built) and not data.is_relative_to(folders.generated):
            raise BasketError(
                f"{data}: DATA lies within {built}, which a run replaces; move it, or name another "
                "OUT"
            )


def _data_of_run(
    data: Path | None, folders: Folders, settings: Settings, scale: float | None
) -> Path:
    """Return DATA, else the original data if there is any, else the place of generated data."""
    if data is None and not raw_files.has_data(ORIGINAL_DATA):
        folder = generated_folder(folders, settings, scale)
        if not folder.is_dir():
            from basket.synthetic.generate import customers_at

            customers_at(settings.generator.scale if scale is None else scale)
        return folder
    if scale is not None:
        there = "DATA names other data" if data else "02_data/original_data holds files"
        raise BasketError(
            f"SCALE is the size of the generated data, but {there}; leave SCALE out, or name a "
            "generated folder with DATA alone"
        )
    return data or ORIGINAL_DATA


def generated_folder(folders: Folders, settings: Settings, scale: float | None) -> Path:
    """Return the folder of the generated data of this size, whether or not it has been made."""
    scale = settings.generator.scale if scale is None else scale
    return folders.generated / f"scale_{scale:g}_seed_{settings.generator.seed}"


def _generated_data(folders: Folders, settings: Settings, scale: float | None) -> Path:
    """Return the generated data of this size; make it unless this code has made it before."""
    scale = settings.generator.scale if scale is None else scale
    _say(
        "02_data/original_data holds no data: this report is built from a generated data set, "
        f"SYNTHETIC DATA of SCALE {scale:g}"
    )
    seed = settings.generator.seed
    folder = generated_folder(folders, settings, scale)
    stamp = folder / "generator.sha256"
    code = up_to_date.hash_of(sorted((SCRIPTS / "basket" / "synthetic").glob("*.*")))
    if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == code):
        from basket.synthetic.generate import generate

        begun = time.perf_counter()
        shutil.rmtree(folders.generated, ignore_errors=True)
        generate(folder, scale=scale, seed=seed, threads=settings.limits.threads)
        stamp.write_text(code, encoding="utf-8", newline="\n")
        _say(f"generated    {time.perf_counter() - begun:6.1f} s")
    return folder


def _prepare_environment(run: Run) -> None:
    """Set the variables that tell the kernels, which inherit them, where things are.

    matplotlib caches its list of fonts, which takes seconds to make, and reads settings from the
    user's home: give it a folder in the virtual environment instead.
    """
    home = Path(sys.prefix) if os.access(sys.prefix, os.W_OK) else run.folders.prepared
    os.environ.update(
        MPLCONFIGDIR=str(home / ".matplotlib"),
        PYTHONHASHSEED="0",
        SOURCE_DATE_EPOCH=str(git.epoch()),
        **run.inputs.environment(),
        **ENVIRONMENT,
    )


def _require_shared_folders(run: Run) -> None:
    """Check that the workers of the cluster see the folders and files that this machine sees."""
    plain = [file for file in run.data.files.values() if not file.members]
    if len(plain) < len(run.data.files):
        _say("the data is packed: this machine unpacks and splits it, the cluster does the rest")
    cluster.check_folders(run.inputs.scheduler, run.folders.prepared, [file.path for file in plain])


def _build(run: Run) -> None:
    """Run the stages that are not up to date; render each notebook while the next one is at work.

    Return when all pages are rendered, or have failed: `run.pages` tells.
    """
    with ThreadPoolExecutor(1) as beside, closing(Kernels(run)) as kernels:
        to_render = []  # pages of what has run: between two stages, rendering would only delay

        def render() -> None:
            while to_render:
                name, make = to_render.pop(0)
                run.pages[name] = beside.submit(make)

        try:
            for step in graph().values():
                why = up_to_date.reason_to_run(run, step)
                if not why:
                    _say(f"{step.stage:<16} up to date")
                    continue
                with _naming(run.folders.out, step.stage):
                    _run_stage(run, step, kernels, why, render)
                to_render.append((step.stage, partial(_render, run.folders, step.stage)))
                if step.stage == "05_visualise":  # they show nothing of the report
                    for name in ("explorer", "decisions"):
                        to_render.append((name, partial(_write_page, run, name)))
        finally:
            render()
        for stage in graph():
            if stage not in run.pages and not _has_current_page(run, stage):
                run.pages[stage] = beside.submit(_render, run.folders, stage)


def _run_stage(
    run: Run, step: Step, kernels: "Kernels", why: str, meanwhile: Callable[[], None]
) -> None:
    """Run a stage's notebook, then publish what it has made; say how much, how long and why.

    `meanwhile` is called when the notebook is about to start.
    """
    stage, begun = step.stage, time.perf_counter()
    timeout = run.settings.limits.cell_timeout_seconds
    source, target = SCRIPTS / f"{stage}.ipynb", executed(run.folders, stage)
    done_file(run.folders, stage).unlink(missing_ok=True)
    with closing(kernels.take(stage)) as kernel:
        from basket.run.execute import execute  # papermill: takes as long as a kernel to start

        before = up_to_date.parts_of(run, step)
        if stage == "06_report":
            write_json(kernel.building / run.folders.run_facts.name, manifest.run_facts(run))
        kernels.start_ahead(dict(pairwise(graph())).get(stage))
        meanwhile()
        with progress.bar(kernel.building, stage):
            execute(source, target, {"rules": run.rules}, timeout, kernel)
        if "raw files" in step.takes:
            record = kernel.building / record_file(run.folders, stage).name
            run.require_same_data(read_json(record, {}))
        publish(run.folders, step, kernel.building)
    up_to_date.note_done(run, step, before)
    run.seconds[stage] = time.perf_counter() - begun
    usage = read_json(usage_file(run.folders, stage), {})
    _say(
        f"{stage:<16} {usage['rows']:>12,} rows {run.seconds[stage]:7.1f} s "
        f"{usage['peak_bytes'] / 2**20:8,.0f} MiB"
        + (f"   {why}" if why != up_to_date.NOT_YET else "")
    )


class Kernels:
    """The kernels of a run: one at work, and one that starts for the next stage in the meantime."""

    def __init__(self, run: Run):
        """Start none yet."""
        self._run = run
        self._waiting = None  # stage, hash of the code that it loads, kernel

    def close(self) -> None:
        """Stop the waiting kernel, if there is one."""
        if self._waiting:
            self._waiting[-1].close()
            self._waiting = None

    def start_ahead(self, stage: str | None) -> None:
        """Start the kernel of the stage that comes next; it waits until it is taken."""
        if stage:
            self._waiting = stage, up_to_date.code_hash(stage), self._start(stage)

    def take(self, stage: str):
        """Return the kernel that waits for a stage; a new one if it died or loaded other code."""
        if self._waiting:
            name, code, kernel = self._waiting
            if name == stage and kernel.is_alive and code == up_to_date.code_hash(stage):
                self._waiting = None
                return kernel
        self.close()
        return self._start(stage)

    def _start(self, stage: str):
        from basket.run.kernel import Kernel

        folders, share = self._run.folders, self._run.settings.limits.memory_share
        building = building_folder(folders) / stage / uuid.uuid4().hex
        return Kernel(SCRIPTS / f"{stage}.ipynb", building, share, runtime_prefix(folders))


def _render(folders: Folders, stage: str) -> None:
    from basket.report.pages import notebook

    notebook.render(executed(folders, stage))


def _has_current_page(run: Run, stage: str) -> bool:
    notebook = executed(run.folders, stage)
    return _is_untouched(run, notebook.with_suffix(".html")) and is_current(notebook)


def _is_untouched(run: Run, page: Path) -> bool:
    recorded = manifest.hashes_in(manifest.read_manifest(run.folders))
    return recorded.get(page.relative_to(run.folders.out).as_posix()) == file_hash(page)


def _write_page(run: Run, name: str) -> None:
    # Importing it parses code, and so does rendering: in CPython 3.11, two threads must not.
    from basket.report.pages import decisions, explorer, index

    write = {
        "index": index.write_index,
        "explorer": explorer.write_explorer,
        "decisions": decisions.write_decisions,
    }
    write[name](run.folders, run.settings)


def _finish_pages(run: Run) -> None:
    """Write the index and its like; remove the pages that could not be made: they are out of date.

    Raises BasketError in one line that names the first of them; for a programming error, with its
    place.
    """
    makers = {executed(run.folders, name): page.result for name, page in run.pages.items()}
    for name in ("index", "explorer", "decisions"):
        page = run.folders.notebooks / f"{name}.html"
        if name not in run.pages and (run.pages or not _is_untouched(run, page)):
            makers[page] = partial(_write_page, run, name)
    failures = []
    for file, make in makers.items():
        try:
            make()
        except Exception as error:
            file.with_suffix(".html").unlink(missing_ok=True)
            failures.append(f"{file.stem}: its page could not be made: {told(error)}")
    if failures:
        raise BasketError(f"{failures[0]}; the report and all other files are whole")


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr, flush=True)
