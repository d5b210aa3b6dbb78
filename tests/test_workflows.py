"""Workflows, dev container and editor: files that are well formed, safe, and call what is there."""

import json
import re

import pytest
import yaml

from basket.project.folders import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
OURS = re.compile(r"(make [a-z-]+|python -m basket [a-z]+)\b[^;&|]*")
INSTALL = "python -m pip install --require-hashes -r requirements.lock"
TARGETS = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))


def faults_of(text: str) -> list[str]:
    """List what a workflow may not do; unknown keys of a job are mostly misspelt ones."""
    content = yaml.safe_load(text)
    found = [name for name in ("name", True, "permissions", "jobs") if name not in content]
    if "Unproven until pushed" not in text:
        found.append("does not say that it is unproven")
    grants = [content.get("permissions", {})]
    for name, job in content["jobs"].items():
        grants.append(job.get("permissions", {}))
        known = {"name", "needs", "runs-on", "timeout-minutes", "strategy", "env", "steps"}
        known |= {"permissions", "environment"}
        found += [f"{name}: {key}" for key in set(job) - known]
        found += [f"{name}: no {key}" for key in ("runs-on", "timeout-minutes") if key not in job]
        for step in job["steps"]:
            found += [f"{name}: {fault}" for fault in _faults_of_step(step)]
    for grant in grants:
        if not isinstance(grant, dict):
            found.append(f"permissions: {grant}")
            continue
        allowed = {"contents": "read", "pages": "write", "id-token": "write"}
        found += [f"{key}: {value}" for key, value in grant.items() if allowed.get(key) != value]
    return found


def _faults_of_step(step: dict) -> list[str]:
    found = [key for key in step if key not in ("id", "uses", "with", "run")]
    if used := step.get("uses"):
        if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", used):
            found.append(f"not pinned by its commit: {used}")
        if "checkout" in used and step["with"].get("persist-credentials") is not False:
            found.append("keeps credentials")
    run = step.get("run", INSTALL)
    if "${{" in run:
        found.append(f"text from outside in a shell: {run}")
    if run != INSTALL and not OURS.fullmatch(run):
        found.append(f"neither make nor basket: {run}")
    if run.startswith("make ") and run.split()[1] not in TARGETS:
        found.append(f"no such target: {run}")
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_well_formed_safe_and_calls_what_is_there(path):
    assert faults_of(path.read_text(encoding="utf-8")) == []


def test_there_are_two_workflows_and_ci_covers_systems_and_versions():
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "pages.yml"]
    jobs = yaml.safe_load(WORKFLOWS[0].read_text(encoding="utf-8"))["jobs"]
    versions = ["3.11", "3.12", "3.13", "3.14"]
    unix, windows = (jobs[name]["strategy"]["matrix"] for name in ("unix", "windows"))
    assert (unix["python"], windows["python"]) == (versions, versions)
    assert unix["system"] == ["ubuntu-latest", "macos-latest"]
    assert jobs["windows"]["runs-on"] == "windows-latest"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("contents: read", "contents: write"),
        ("make test-slow", "make test-slwo"),
        ("make test-slow", "make test-slow; curl x"),
        ("make verify OUT=built", "echo ${{ github.head_ref }}"),
        ("@11bd71901bbe5b1630ceea73d27597364c9af683", "@v4"),
        ("Unproven until pushed", "Proven"),
        ("timeout-minutes: 90", "timeout-minuts: 90"),
        ("{persist-credentials: false}", "{fetch-depth: 0}"),
    ],
)
def test_a_fault_of_a_workflow_is_found(old, new):
    text = WORKFLOWS[0].read_text(encoding="utf-8")
    assert old in text
    assert faults_of(text.replace(old, new)) != []


def test_editor_and_container_recommend_the_same():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    editor = json.loads((ROOT / ".vscode" / "extensions.json").read_text(encoding="utf-8"))
    assert container["customizations"]["vscode"]["extensions"] == editor["recommendations"]
    script = container["postCreateCommand"].split()[1]
    assert (ROOT / script).is_file()
