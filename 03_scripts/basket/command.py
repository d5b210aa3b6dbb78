"""The command `basket`; the Makefile's targets are names for it."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import click

from basket.project import git
from basket.project.errors import BasketError, visible
from basket.project.folders import ROOT, SCRIPTS, Folders, Inputs, folders_of_run
from basket.project.stages import graph


class _Path(click.Path):
    """A path, of which `~` is the user's home also where no shell has expanded it."""

    def convert(self, value, param, ctx):
        """Return the path; an empty one, as of a variable that is not set, is a wrong option."""
        if not str(value):
            self.fail("found an empty path; leave the option out, or name a folder or file")
        try:
            return Path(super().convert(value, param, ctx)).expanduser()
        except RuntimeError:
            self.fail(f"{value}: there is no such user; expected a folder or file")


class _Commands(click.Group):
    """The commands; an error of what one loads or prints is told like one of what it does."""

    def invoke(self, ctx):
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read what is printed has left
            raise
        except TOLD as error:
            if isinstance(error, OSError) and not error.filename:
                error.filename = "what is printed"
            _fail(error)


FOLDER = _Path()
DATA = click.option("--data", type=FOLDER, help="Folder or zip with the raw files.")
OUT = click.option("--out", type=FOLDER, help="Folder of the results, if not this checkout.")
RULES = click.option(
    "--rules",
    type=click.Choice(["corrected", "course"]),
    default="corrected",
    show_default=True,
    help="How the known faults of the data are treated.",
)
SCALE = click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    help="Size of the generated data; 1 = 206,209 customers and about 32 million order lines.",
)
SETTINGS = click.option("--settings", "settings_file", type=FOLDER, help="Another settings file.")
GENERATED = "02_data/original_data holds no data: a report is built from a generated data set"
NO_FABRICATION = click.option(
    "--no-fabrication", is_flag=True, help="Invent nothing that was not received."
)


def _stage_name(_context, _option, value: str | None) -> str | None:
    """Accept a stage by its name or by its number: 03_merge, 03 or 3."""
    if value is None:
        return None
    for name in graph():
        if value in (name, name[:2], name[:2].lstrip("0")):
            return name
    raise click.BadParameter(f"{value} is no stage; expected one of {', '.join(graph())}")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(git.version(), prog_name="basket")
def main() -> None:
    """From raw order files to six notebooks and one Excel report."""
    _run_own_code(Path(sys.argv[0]).absolute())


def _run_own_code(script: Path) -> None:
    """Start again with the code beside a copied .venv, which remembers where it was made."""
    checkout = script.parents[min(2, len(script.parents) - 1)]
    own = checkout / SCRIPTS.relative_to(ROOT)
    if script.stem == "basket" and (own / "basket").is_dir() and not own.samefile(SCRIPTS):
        paths = filter(None, [str(own), os.environ.get("PYTHONPATH")])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, "-m", "basket", *sys.argv[1:]]
        os.execve(sys.executable, command, environment)


@main.command()
@DATA
@OUT
@RULES
@SCALE
@click.option("--from", "start_from", callback=_stage_name, help="Run again from this stage.")
@SETTINGS
@click.option("--scheduler", help="Address of a Dask cluster that does the work: tcp://host:port.")
@NO_FABRICATION
def report(data, out, rules, scale, start_from, settings_file, scheduler, no_fabrication) -> None:
    """Build the report and all that leads to it; only what has changed."""
    from basket.run import pipeline

    options = (data, out, rules, scale, start_from, settings_file, scheduler, no_fabrication)
    path = _run(pipeline.report, *options)
    _say(f"report: {path}")
    _say(f"pages:  {path.parents[1] / '04_analysis' / 'notebooks' / 'index.html'}")


@main.command()
@DATA
@OUT
@RULES
@SCALE
@SETTINGS
@NO_FABRICATION
def status(data, out, rules, scale, settings_file, no_fabrication) -> None:
    """Say which stages a report would run, and why, without running any."""
    from basket.run.status import status as reasons

    options = (data, out, rules, scale, settings_file, no_fabrication)
    for stage, why in _run(reasons, *options).items():
        _say(f"{stage:<16} {f'would run: {why}' if why else 'up to date'}")


@main.command()
@click.argument("data", type=FOLDER, required=False)
@SETTINGS
@click.option("--json", "as_json", is_flag=True, help="Print it for a program to read.")
def check(data, settings_file, as_json) -> None:
    """Look at raw files without building anything: all faults at once, and what is missing.

    DATA is a folder or archive, 02_data/original_data without it. Exit code 1 where no report can
    be built from it.
    """
    import json

    from basket.analysis.questions import require_known
    from basket.checks.data import Checked
    from basket.checks.data import check as look_at
    from basket.prepare.raw_files import has_data
    from basket.project.folders import ORIGINAL_DATA
    from basket.project.settings import load_settings

    settings_file = settings_file or ROOT / "settings.yml"
    settings = _run(load_settings, settings_file)
    _run(require_known, settings.flags, settings_file)
    if data is None and not _run(has_data, ORIGINAL_DATA):
        checked = Checked(str(ORIGINAL_DATA), notes=[GENERATED])
    else:
        checked = _run(look_at, (data or ORIGINAL_DATA).resolve(), settings)
    text = "\n".join(checked.lines()).lstrip()
    _say(json.dumps(checked.as_json(), indent=1) if as_json else text)
    sys.exit(0 if checked.is_sound else 1)


@main.command()
@DATA
@OUT
@SETTINGS
def lab(data, out, settings_file) -> None:
    """Open the notebooks in JupyterLab; they work on this data, in this folder."""
    if find_spec("jupyterlab") is None:
        sys.exit("basket: JupyterLab is not installed: pip install -r requirements-lab.lock")
    settings = (settings_file or ROOT / "settings.yml").resolve()
    inputs = Inputs(out.resolve() if out else ROOT, settings, data and data.resolve())
    environment = os.environ | inputs.environment() | {"PYTHONPATH": str(SCRIPTS)}
    kernel = ["ipykernel", "install", "--sys-prefix", "--name", "python3"]
    for command in (kernel, ["jupyterlab", "--notebook-dir", str(SCRIPTS)]):
        quiet = subprocess.DEVNULL if command is kernel else None
        done = _run(subprocess.run, [sys.executable, "-m", *command], env=environment, stdout=quiet)
        if done.returncode:
            sys.exit(done.returncode)


@main.command()
@click.argument("folder", type=FOLDER)
@SCALE
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Another seed than that of settings.yml."
)
@click.option(
    "--effects",
    type=click.Choice(["real", "none"]),
    default="real",
    show_default=True,
    help="Whether purchases depend on the customer.",
)
def generate(folder, scale, seed, effects) -> None:
    """Generate a data set in the course's exact shape, planted faults included."""
    from basket.project.settings import load_settings
    from basket.synthetic.generate import generate as make

    default = _run(load_settings, ROOT / "settings.yml").generator
    scale, seed = (scale or default.scale), (default.seed if seed is None else seed)
    _run(make, folder, scale=scale, seed=seed, effects=effects)
    _say(f"generated: {folder}")


@main.command()
@OUT
@click.option("--published", is_flag=True, help="Compare with the published figures as well.")
def verify(out, published) -> None:
    """Check every built file against the manifest, and every number of the findings.

    What is in 04_analysis is the analyst's and exact; what is for others is made by `basket send`.
    With --published: compare a run on the full real data with the figures of other analyses.
    """
    from basket.checks.published import verify_published
    from basket.checks.verify import verify as check

    folders = _folders(out)
    checked = _run(check, folders)
    _say(f"verified: {checked['files']:,} files and {checked['numbers']:,} numbers")
    if not published:
        return
    found = _run(verify_published, folders)
    for line in found.different:
        _say(f"differs: {line}", err=True)
    for reason, names in found.not_compared.items():
        figures = dict.fromkeys(name.split(" ")[0] for name in names)
        _say(f"not compared ({reason}), {len(names)}: {', '.join(figures)}")
    agree = found.rows - len(found.different)
    _say(f"published: {agree} of {found.rows} rows of {len(found.figures)} figures agree")
    if found.different:
        sys.exit(1)


@main.command()
@DATA
@RULES
@SCALE
@SETTINGS
def reproduce(data, rules, scale, settings_file) -> None:
    """Build the report twice, under different conditions, and compare every file."""
    from basket.checks.reproduce import reproduce as build_twice

    options = ["--rules", rules]
    options += ["--data", str(data.resolve())] if data else []
    options += ["--scale", str(scale)] if scale is not None else []
    files, digest = _run(build_twice, options, settings_file)
    _say(f"reproduced: {files:,} equal files, sha256 of all: {digest}")


@main.command()
@OUT
def flat(out) -> None:
    """Write the flat flagged data set: one wide row per order line, in prepared_data/flat_lines."""
    from basket.prepare.flat import write_flat
    from basket.project.stages import read_record
    from basket.run.lock import only_run

    def write_alone() -> int:
        folders = folders_of_run()
        read_record(folders, "04_derive_flags")  # where no report was built, nothing is written
        with only_run(folders):
            return write_flat()

    if out:
        os.environ |= Inputs(out.resolve()).environment()
    _say(f"flat_lines: {_run(write_alone):,} order lines")


@main.command()
@click.option("--to", "recipient", required=True, help="Who receives the report.")
@OUT
@click.option("--allow-synthetic", is_flag=True, help="Send a report on generated data.")
@click.option("--accept-difference", is_flag=True, help="Send it beside a report that is close.")
def send(recipient, out, allow_synthetic, accept_difference) -> None:
    """Put a dated copy of the report aside and log what was sent, to whom, from which commit."""
    from basket.checks.send import send as send_report

    target = _run(send_report, _folders(out), recipient, allow_synthetic, accept_difference)
    _say(f"sent: {target}")


@main.command()
def clean() -> None:
    """Remove all that was built here; what was received and what was sent stay."""
    from basket.run.lock import clean as remove_built

    _run(remove_built, Folders(ROOT))


def _say(text: str, err: bool = False) -> None:
    click.echo(visible(text), err=err)


@main.command()
@click.option("--site", type=FOLDER, help="Write the pages for a web server, and nothing else.")
def example(site) -> None:
    """Build what a visitor sees: RESULTS.md and 04_analysis/example, from the generated default.

    It reads the generator and settings.yml, never the data that you received.
    """
    from basket.checks.example import make_example, make_site

    _say(f"example: {_run(make_site, site) if site else _run(make_example)}")


def _folders(out: Path | None) -> Folders:
    return Folders(out.resolve() if out else ROOT)


def _run(function, *arguments, **options):
    """Call a function; an error that is for people becomes one line and exit code 1."""
    try:
        return function(*arguments, **options)
    except TOLD as error:
        _fail(error)


TOLD = (BasketError, MemoryError, OSError, UnicodeEncodeError, KeyboardInterrupt)


def _fail(error: BaseException) -> NoReturn:
    """Tell an error in one line and end with exit code 1."""
    if isinstance(error, MemoryError):
        what = "out of memory; give the machine more, or lower lines_per_part in settings.yml"
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        what = f"{where}{error.strerror or error}"
    elif isinstance(error, UnicodeEncodeError):  # of a name that the system has in other bytes
        what = f"{error.object!a} is no text; name another folder, or set LC_ALL=C.UTF-8"
    elif isinstance(error, KeyboardInterrupt):
        what = "interrupted; the last good outputs are in place"
    else:
        what = str(error)
    _say(f"basket: {what}", err=True)
    sys.exit(1)
