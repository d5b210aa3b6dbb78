"""The parts of a run, without running a stage: what is up to date, what is told, what is kept."""

import json
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from nbformat import v4

from basket.project.errors import BasketError, told
from basket.project.folders import Folders, Inputs
from basket.project.stages import Step, done_file, graph, record_file
from basket.run import environment, execute, manifest, pipeline, up_to_date
from basket.run.manifest import Run
from basket.synthetic import generate
from basket.tables import cluster
from conftest import SETTINGS_FILE

STAGES = list(graph())
GIB = 2**30


@pytest.fixture
def run(tmp_path, settings) -> Run:
    """Give a run that has made nothing yet."""
    inputs = Inputs(tmp_path, SETTINGS_FILE, tmp_path / "data", "tcp://there")
    made = Run(inputs, settings, "corrected", SimpleNamespace(files={}, root=tmp_path / "data"))
    made.folders.notebooks.mkdir(parents=True)
    made.folders.prepared.mkdir(parents=True)
    return made


def put(path, text: str = "x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# ---- what is up to date -------------------------------------------------------------------------


def test_a_stage_runs_again_when_what_it_depends_on_or_made_has_changed(run, monkeypatch):
    step = Step("03_merge", ("products",), ("merged",))
    parts = {"rules": "corrected", "settings": "s", "code": "c", "inputs": "i"}
    monkeypatch.setattr(up_to_date, "parts_of", lambda *_: parts)

    def why(start_from=None):
        run.start_from = start_from
        return up_to_date.reason_to_run(run, step)

    assert why() == "it has not run yet"
    made = [put(run.folders.prepared / "merged" / f"part-{n}.parquet") for n in range(2)]
    made += [put(record_file(run.folders, step.stage))]
    made += [put(up_to_date.executed(run.folders, step.stage))]
    up_to_date.note_done(run, step, dict(parts))
    assert why() == why("04_derive_flags") == ""
    assert why("03_merge") == "FROM=03_merge" and why("01_import") == "FROM=01_import"
    for changed, said in (
        ({"code": "d"}, "the code has changed"),
        ({"rules": "course", "inputs": "j"}, "other RULES, its inputs have changed"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(up_to_date, "parts_of", lambda *_, new=changed: parts | new)
            assert why() == said
    for path in made:
        put(path, "changed")
        assert why() == "what it made was changed or is missing"
        put(path)
        assert why() == ""
        path.unlink()
        assert why() == "what it made was changed or is missing"
        put(path)
    more = put(run.folders.prepared / "merged" / "part-2.parquet")
    assert why() == "what it made was changed or is missing"
    more.unlink()
    put(run.folders.prepared / "merged" / ".hidden")
    assert why() == ""
    for text in ("[]", "{}", "{"):
        put(done_file(run.folders, step.stage), text)
        assert why() == "it has not run yet"


def test_only_stages_that_are_not_up_to_date_run_and_pages_that_lack_are_made(run, monkeypatch):
    ran, rendered, written, fails = [], [], [], set()
    stale, without_page = {"03_merge", "05_visualise"}, {"02_clean"}
    why = dict.fromkeys(stale, "it has changed")
    monkeypatch.setattr(up_to_date, "reason_to_run", lambda _, step: why.get(step.stage, ""))

    def run_stage(run, step, kernels, why, meanwhile):
        ran.append(step.stage)
        waiting = set(ran[:-1]) - set(run.pages)
        if step.stage in fails:
            raise BasketError("failed")
        meanwhile()
        assert waiting == set(ran[:-1]) <= set(run.pages)  # not before, and then at once

    monkeypatch.setattr(pipeline, "_run_stage", run_stage)
    monkeypatch.setattr(pipeline, "_has_current_page", lambda _, name: name not in without_page)
    monkeypatch.setattr(pipeline, "_render", lambda folders, stage: rendered.append(stage))
    monkeypatch.setattr(pipeline, "_write_page", lambda _, name: written.append(name))
    pipeline._build(run)
    assert ran == ["03_merge", "05_visualise"]
    assert sorted(rendered) == ["02_clean", "03_merge", "05_visualise"]
    assert written == ["explorer", "decisions"]
    assert set(run.pages) == {*rendered, *written}

    rendered.clear()
    ran.clear()
    run.pages.clear()
    fails.add("05_visualise")
    with pytest.raises(BasketError, match="failed"):
        pipeline._build(run)
    assert rendered == ["03_merge"]

    def full(*_):
        raise OSError(28, "No space left on device", "lines.parquet")

    monkeypatch.setattr(pipeline, "_run_stage", full)
    with pytest.raises(BasketError) as error:
        pipeline._build(run)
    full_disk = "No space left on device; make room there, then run again"
    assert f"{error.value}" == f"03_merge: lines.parquet: {full_disk}"


def test_an_error_of_the_system_that_names_no_file_names_the_folder_of_the_results(tmp_path):
    for number, said in ((28, "full; make room there, then run again"), (5, "full")):
        with pytest.raises(BasketError) as error, pipeline._naming(tmp_path, "the manifest"):
            raise OSError(number, "full")
        assert f"{error.value}" == f"the manifest: {tmp_path}: {said}"


def test_a_page_is_current_while_it_is_as_the_manifest_says(run, monkeypatch):
    page = put(run.folders.notebooks / "03_merge.html")
    monkeypatch.setattr(pipeline, "is_current", lambda notebook: notebook.name == "03_merge.ipynb")
    assert not pipeline._has_current_page(run, "03_merge")
    files = {"04_analysis/notebooks/03_merge.html": {"sha256": pipeline.file_hash(page)}}
    put(run.folders.analysis / "manifest.json", json.dumps({"files": files}))
    assert pipeline._has_current_page(run, "03_merge")
    put(page, "changed")
    assert not pipeline._has_current_page(run, "03_merge")


# ---- what is told -------------------------------------------------------------------------------


def failed(error: Exception | None) -> Future:
    """Make what a page leaves that was made, or was not."""
    page = Future()
    if error:
        page.set_exception(error)
    else:
        page.set_result(None)
    return page


def test_a_page_that_cannot_be_made_is_removed_and_all_others_are_made(run, monkeypatch):
    written = []
    monkeypatch.setattr(pipeline, "_write_page", lambda _, name: written.append(name))
    broken = OSError(28, "No space\n left", "x.html")
    run.pages = {"02_clean": failed(None), "03_merge": failed(broken), "explorer": failed(None)}
    pages = {name: put(run.folders.notebooks / f"{name}.html") for name in run.pages}
    with pytest.raises(BasketError) as error:
        pipeline._finish_pages(run)
    assert f"{error.value}" == (
        "03_merge: its page could not be made: [Errno 28] No space left: 'x.html'; the report and "
        "all other files are whole"
    )
    assert written == ["index", "decisions"]
    assert [name for name, page in pages.items() if page.exists()] == ["02_clean", "explorer"]


def test_pages_that_nobody_has_touched_are_not_written_again(run, monkeypatch):
    written = []
    monkeypatch.setattr(pipeline, "_write_page", lambda _, name: written.append(name))
    monkeypatch.setattr(pipeline, "_is_untouched", lambda _, page: page.stem != "decisions")
    pipeline._finish_pages(run)
    assert written == ["decisions"]


def test_a_programming_error_is_told_in_one_line_with_its_place():
    try:
        Run(None, None, "corrected", None).folders  # noqa: B018 (it is to fail)
    except AttributeError as error:
        said = told(error)
    assert said.startswith("AttributeError: 'NoneType' object has no attribute 'out' (basket/run/")
    assert "\n" not in said
    assert told(BasketError("one\n  two")) == "one two"


def test_of_packed_data_a_cluster_is_told_that_this_machine_unpacks_it(run, monkeypatch, capsys):
    checked = []
    monkeypatch.setattr(cluster, "check_folders", lambda *given: checked.append(given))
    plain, packed = (
        SimpleNamespace(path=run.data.root / name, members=members)
        for name, members in (("orders.csv", ()), ("data.zip", ("lines.csv",)))
    )
    run.data.files = {"raw_orders": plain}
    pipeline._require_shared_folders(run)
    assert capsys.readouterr().err == ""
    run.data.files = {"raw_orders": plain, "raw_lines": packed}
    pipeline._require_shared_folders(run)
    assert "the data is packed: this machine unpacks and splits it" in capsys.readouterr().err
    assert checked == [("tcp://there", run.folders.prepared, [plain.path])] * 2


def notebook():
    """Make a notebook of two sections, with the parameters at its beginning."""
    parameters = v4.new_code_cell("rules = 1", metadata={"tags": ["injected-parameters"]})
    return v4.new_notebook(
        cells=[
            v4.new_code_cell("import this"),
            parameters,
            v4.new_markdown_cell("# Orders\n\ntext"),
            v4.new_code_cell("a"),
            v4.new_markdown_cell("no heading"),
            v4.new_code_cell("b"),
            v4.new_markdown_cell("## By day\n\n### By hour"),
            v4.new_code_cell("c"),
        ]
    )


def test_a_cell_is_named_by_its_heading_and_its_place_below():
    made = notebook()
    places = [execute._place(made, cell) for cell in made.cells if cell.cell_type == "code"]
    assert places == [
        "code cell 1",
        "code cell 1",
        'code cell 1 below "Orders"',
        'code cell 2 below "Orders"',
        'code cell 1 below "By hour"',
    ]


@pytest.mark.parametrize(
    ("name", "trace", "told"),
    [
        ("BasketError", ["Cell In[3], line 7"], ": wrong"),
        ("KeyError", [], ": KeyError: wrong"),
        ("KeyError", ["\x1b[31mCell In[3], line 7\x1b[0m"], ", line 7: KeyError: wrong"),
        (
            "KeyError",
            [
                "Cell In[3], line 7",
                "File /x/basket/report/draw.py:5, in draw",
                "File /x/basket/run/lock.py:12, in only_run",
                "File /x/pandas/core.py:99, in take",
            ],
            ", line 7: KeyError: wrong (basket/run/lock.py, line 12)",
        ),
        ("MemoryError", [], f": MemoryError: wrong{execute.MEMORY_ADVICE}"),
    ],
)
def test_why_a_cell_failed_is_told_with_its_line_and_ours(name, trace, told):
    error = SimpleNamespace(ename=name, evalue="wrong", traceback=trace)
    assert execute._reason(error) == told


@pytest.mark.parametrize(
    ("stopped", "words", "told"),
    [
        (True, "", execute.STOPPED),
        (False, "", execute.DIED + execute.MEMORY_ADVICE),
        (False, "no module x", "the kernel died: no module x"),
        (False, "MemoryError: x", f"the kernel died: MemoryError: x{execute.MEMORY_ADVICE}"),
    ],
)
def test_a_lost_kernel_is_told_by_its_last_words(stopped, words, told):
    assert execute._death(SimpleNamespace(is_stopped=stopped, last_words=words)) == told


# ---- what is kept -------------------------------------------------------------------------------


def test_what_a_cell_prints_is_joined_between_what_it_shows():
    def said(name, text):
        return v4.new_output("stream", name=name, text=text)

    shown = v4.new_output("display_data", data={"text/plain": "table"})
    pieces = [said("stdout", "a"), said("stderr", "w\n"), said("stdout", "b\n"), shown, shown]
    joined = execute._joined([*pieces, said("stdout", "c")])
    assert [one.get("text") for one in joined] == ["ab\n", "w\n", None, None, "c"]
    assert [one.get("name") for one in joined] == ["stdout", "stderr", None, None, "stdout"]
    made = notebook()
    made.cells[0].outputs = [*pieces, said("stderr", "the last\n\n")]
    assert execute._last_printed(made) == "the last"
    assert execute._last_printed(notebook()) == ""


def test_a_manifest_keeps_the_seconds_of_stages_that_did_not_run(run, monkeypatch):
    monkeypatch.setattr(manifest, "_made", lambda _: {"files": {}})
    run.seconds = dict.fromkeys(STAGES, 1.234)
    manifest.write_manifest(run)
    run.seconds = {"03_merge": 5.0}
    manifest.write_manifest(run)
    seconds = manifest.read_manifest(run.folders)["seconds"]
    assert seconds == dict.fromkeys(STAGES, 1.23) | {"03_merge": 5.0}
    file = put(run.folders.analysis / "manifest.json", '{"files": {}, "seconds": {}}')
    run.seconds = {}
    manifest.write_manifest(run)
    assert json.loads(file.read_text()) == {"files": {}, "seconds": {}}
    monkeypatch.setattr(manifest, "_made", lambda _: {"files": {"a": {"sha256": "b"}}})
    manifest.write_manifest(run)
    written = manifest.read_manifest(run.folders)
    assert manifest.hashes_in(written) == {"a": "b"}
    assert written["seconds"] == dict.fromkeys(STAGES, 0)
    put(file, "[]")
    assert manifest.read_manifest(run.folders) == manifest.hashes_in({"files": []}) == {}


def test_rows_of_a_table_are_counted_without_its_header(tmp_path):
    assert manifest._rows_of(put(tmp_path / "t.csv", 'a,b\n1,"two\nlines"\n2,3\n')) == 2


def test_the_size_of_parts_and_threads_change_no_result_and_no_hash_of_settings(settings):
    def other(**limits):
        return settings.model_copy(update={"limits": settings.limits.model_copy(update=limits)})

    same = manifest.settings_hash(settings)
    assert manifest.settings_hash(other(threads=1, lines_per_part=7)) == same
    assert manifest.settings_hash(other(max_quarantined_share=0.5)) != same
    assert manifest.effective(other(threads=1)) == manifest.effective(settings)
    assert manifest.effective(other(lines_per_part=7)) != manifest.effective(settings)


def test_data_is_generated_again_only_by_other_code(tmp_path, settings, monkeypatch, capsys):
    made = []

    def generated(folder, **given):
        folder.mkdir(parents=True)
        made.append(given)

    monkeypatch.setattr(generate, "generate", generated)
    folders = Folders(tmp_path)
    folder = pipeline._generated_data(folders, settings, 0.01)
    assert folder == pipeline.generated_folder(folders, settings, 0.01)
    assert folder.name == f"scale_0.01_seed_{settings.generator.seed}"
    assert "SYNTHETIC DATA of SCALE 0.01" in capsys.readouterr().err
    assert pipeline._generated_data(folders, settings, 0.01) == folder and len(made) == 1
    put(folder / "generator.sha256", "of other code")
    old = put(folder / "old.csv")
    assert pipeline._generated_data(folders, settings, 0.01) == folder and len(made) == 2
    assert not old.exists()
    usual = pipeline._generated_data(folders, settings, None)
    assert usual.name.startswith(f"scale_{settings.generator.scale:g}_") and not folder.exists()
    assert [given["scale"] for given in made] == [0.01, 0.01, settings.generator.scale]


@pytest.mark.parametrize(
    ("share", "process", "most", "allowed"),
    [
        (0.5, 0, -1, 8 * GIB),
        (0.01, 0, -1, 2 * GIB),  # the least with which a run can start
        (0.25, 42, -1, 4 * GIB),
        (0.0625, 42, -1, GIB),
        (0.5, 0, 3 * GIB, 3 * GIB),  # the system allows no more
        (0.5, 0, 9 * GIB, 8 * GIB),
    ],
)
def test_a_process_may_use_its_share_of_the_memory(monkeypatch, share, process, most, allowed):
    resource = pytest.importorskip("resource")
    limits = []
    memory = SimpleNamespace(total=16 * GIB)
    monkeypatch.setattr(environment.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(resource, "getrlimit", lambda what: (-1, most))
    monkeypatch.setattr(resource, "prlimit", lambda *given: limits.append(given), raising=False)
    assert environment.limit_memory(share, process)
    assert limits == [(process, resource.RLIMIT_DATA, (allowed, most))]
