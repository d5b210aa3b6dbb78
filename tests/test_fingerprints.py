"""A stage runs again where something that it uses has changed, and only there."""

import pytest

from basket.prepare.raw_files import find
from basket.project.folders import Inputs
from basket.project.settings import Settings, load_settings
from basket.project.stages import graph
from basket.run import up_to_date
from basket.run.manifest import Run
from basket.tables import stage as stages
from conftest import SETTINGS_FILE, write_settings
from conftest import Run as RunOfStages
from small_store import write_store
from test_import import KAGGLE, LIMITS, write

SECTIONS = set(Settings.model_fields)


class Watched(Settings):
    """Settings that note which of their sections are looked at."""

    def __getattribute__(self, name):
        """Note the name of a section."""
        if name in SECTIONS:
            seen.add(name)
        return super().__getattribute__(name)


seen: set[str] = set()


@pytest.mark.parametrize("rules", ["corrected", "course"])
@pytest.mark.parametrize("layout", ["course", "kaggle"])
def test_a_stage_sees_no_other_settings_than_its_fingerprint_holds(
    tmp_path, monkeypatch, rules, layout
):
    def watched(path):
        plain = load_settings(path)
        return Watched.model_construct(**{name: getattr(plain, name) for name in SECTIONS})

    monkeypatch.setattr(stages, "load_settings", watched)
    course = layout == "course"
    data = write_store(tmp_path / "data", customers=20) if course else tmp_path / "data"
    monkeypatch.setenv("BASKET_DATA", str(data if course else write(data, KAGGLE)))
    run = RunOfStages(tmp_path / "out", rules, SETTINGS_FILE)
    for stage in list(graph())[:4]:
        seen.clear()
        run.notebook(stage)
        assert {"limits", "rules"} & seen
        assert seen <= up_to_date.SETTINGS_OF[stage], stage


CHANGES = {  # a setting -> the stages that run again
    "palette.accent": ("#000000", ["05_visualise", "06_report"]),
    "report.author": ("Somebody else", ["05_visualise", "06_report"]),
    "trial.weeks": (9, ["05_visualise", "06_report"]),
    "thresholds.busiest_days": (1, list(graph())[1:]),
    "limits.max_quarantined_share": (0.5, list(graph())),
    "limits.threads": (1, []),
}


@pytest.mark.parametrize("setting", CHANGES)
def test_what_runs_again_after_a_setting_has_changed(tmp_path, setting):
    value, expected = CHANGES[setting]
    file = write_settings(tmp_path / "settings.yml", {setting: value})
    data = find(write(tmp_path / "data", KAGGLE), LIMITS)
    before, after = (
        Run(Inputs(tmp_path), load_settings(path), "corrected", data)
        for path in (SETTINGS_FILE, file)
    )
    changed = [
        step.stage
        for step in list(graph().values())
        if up_to_date.parts_of(before, step)["settings"]
        != up_to_date.parts_of(after, step)["settings"]
    ]
    assert changed == expected
