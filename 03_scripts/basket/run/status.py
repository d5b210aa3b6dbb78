"""`basket status`: which stages a report would run, and why. Nothing is run or written."""

from dataclasses import replace
from pathlib import Path

from basket.prepare import raw_files
from basket.project.stages import graph
from basket.run import pipeline, up_to_date
from basket.run.manifest import Run


def status(
    data: Path | None,
    out: Path | None,
    rules: str,
    scale: float | None,
    settings_file: Path | None,
    no_fabrication: bool = False,
) -> dict[str, str]:
    """Return why each stage would run, empty where it would not. Raises BasketError."""
    settings, inputs = pipeline.planned(data, out, scale, settings_file)
    if data is None and not inputs.data.is_dir():
        return dict.fromkeys(graph(), "its data has not been generated yet")
    found = raw_files.find(inputs.data, settings.limits)
    found = replace(found, invents=not no_fabrication)
    run = Run(inputs, settings, rules, found)
    reasons: dict[str, str] = {}
    for stage, step in graph().items():
        reasons[stage] = up_to_date.reason_to_run(run, step)
        before = [name for name, why in reasons.items() if why and name != stage]
        if before and not reasons[stage]:
            reasons[stage] = f"after {before[0]}, if that makes anything new"
    return reasons
