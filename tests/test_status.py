"""`basket status` says why each stage would run; `--no-fabrication` invents nothing."""

import os

import pytest
from click.testing import CliRunner

from basket.command import main
from basket.project import git
from basket.project.errors import BasketError
from basket.project.stages import graph
from basket.run import pipeline, up_to_date
from basket.run.status import status
from conftest import SETTINGS_FILE, write_settings
from test_check_data import write

STAGES = list(graph())


@pytest.fixture(autouse=True)
def without_commit(monkeypatch):
    """Let no commit be known, as in a copy of the checkout, nor the date of one."""
    monkeypatch.setattr(git, "commit", lambda: git.NO_COMMIT)
    monkeypatch.setattr(git, "is_dirty", lambda: False)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(git.EPOCH_WITHOUT_COMMIT))


@pytest.fixture
def generates(monkeypatch, tmp_path):
    """Let no original data lie there."""
    monkeypatch.setattr(pipeline, "ORIGINAL_DATA", tmp_path / "original_data")


def test_where_nothing_has_run_all_stages_would(tmp_path, generates):
    out = tmp_path / "out"
    reasons = status(None, out, "corrected", 0.01, None)
    assert reasons == dict.fromkeys(STAGES, "its data has not been generated yet")
    reasons = status(write(tmp_path / "data"), out, "corrected", None, None)
    assert reasons == dict.fromkeys(STAGES, "it has not run yet")
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data": "data", "scale": 3.0}, "SCALE is the size of the generated data, but DATA names"),
        ({"data": "data", "scale": float("nan")}, "SCALE is the size of the generated data, but"),
        ({"scale": 1e300}, "scale 1e+300: expected a number from 4.8e-06 to 500"),
        ({"data": "data", "out": "data"}, "data: OUT, "),
        ({"data": "data", "out": "data/o"}, "data: OUT, "),
        ({"settings_file": "s.yml"}, "s.yml: flags.gender.question: found Q99, expected one of"),
        ({"out": os.fsdecode(b"o\xff")}, "the name is no text in this locale; name another OUT"),
    ],
)
def test_a_run_and_its_status_refuse_the_same_and_write_nothing(
    tmp_path, generates, monkeypatch, options, said
):
    monkeypatch.setattr(pipeline, "limit_memory", lambda share: True)
    write(tmp_path / "data")
    write_settings(tmp_path / "s.yml", {"flags.gender.question": "Q99"})
    before = sorted(tmp_path.rglob("*"))
    places = {name: tmp_path / value for name, value in options.items() if name != "scale"}
    common = {"data": None, "out": tmp_path / "out", "rules": "corrected", "scale": None}
    given = common | {"settings_file": None} | options | places
    for command, more in ((status, {}), (pipeline.report, {"start_from": None})):
        with pytest.raises(BasketError) as error:
            command(**given | more)
        assert said in str(error.value) and "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("stale", "said"),
    [
        ([], {}),
        (["01_import"], {"02_clean": "after 01_import, if that makes anything new"}),
        (["03_merge", "05_visualise"], {"06_report": "after 03_merge, if that makes anything new"}),
        (["06_report"], {"05_visualise": ""}),
    ],
)
def test_stages_after_one_that_would_run_may_run_too(tmp_path, monkeypatch, stale, said):
    why = {name: "the code has changed" for name in stale}
    monkeypatch.setattr(up_to_date, "reason_to_run", lambda _, step: why.get(step.stage, ""))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1738281600")
    reasons = status(write(tmp_path / "data"), tmp_path / "out", "corrected", None, None)
    first = STAGES.index(stale[0]) if stale else len(STAGES)
    assert all(bool(reasons[name]) == (place >= first) for place, name in enumerate(STAGES))
    assert why | said == {name: reasons[name] for name in why | said}


@pytest.mark.slow
def test_each_reason_to_run_is_said_and_nothing_is_run(checkout, tmp_path):
    (data,), out = (checkout / "02_data/prepared_data/generated_data").iterdir(), checkout
    options = ["--data", str(data), "--out", str(out)]
    loose = write_settings(tmp_path / "loose.yml", {"limits.max_quarantined_share": 0.5})
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert set(status(data, out, "corrected", None, None).values()) == {""}
    other = status(data, out, "course", None, None)
    assert all(why.startswith("other RULES") for why in other.values())
    changed = status(data, out, "corrected", None, loose)
    assert set(changed.values()) == {"settings have changed"}
    (out / "04_analysis" / "findings.json").write_text("[]")
    done = CliRunner().invoke(main, ["status", *options])
    assert "01_import        up to date" in done.output
    assert "05_visualise     would run: what it made was changed or is missing" in done.output
    with (data / "products.csv").open("a", encoding="utf-8") as file:
        file.write("99999,x,7,2,1.0\n")
    reasons = status(data, out, "corrected", None, SETTINGS_FILE)
    assert reasons["01_import"] == "its inputs have changed"
    assert reasons["02_clean"] == "after 01_import, if that makes anything new"
    (out / "04_analysis" / "findings.json").unlink()
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert {path for path in before if path not in after} == {out / "04_analysis" / "findings.json"}
