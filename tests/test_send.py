"""What is sent can be traced: `send` refuses what was built otherwise than the commit says."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from basket.checks import differences
from basket.checks import send as sending
from basket.project import git
from basket.project.errors import BasketError
from basket.project.files import file_hash, write_json
from basket.project.folders import Folders
from basket.project.settings import load_settings
from basket.run.manifest import settings_hash
from checkout import run_command
from conftest import SETTINGS_FILE, write_settings
from small_store import with_orders

SETTINGS = load_settings(SETTINGS_FILE)
HASH = settings_hash(SETTINGS)
COUNTS = {"habits: region, South: customers": 118, "habits: region, West: customers": None}


def run_git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    done = run_command("git", *who, *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """Give a checkout with one commit, which `send` takes for its own."""
    folder = tmp_path / "checkout"
    (folder / "05_sent_to_client").mkdir(parents=True)
    (folder / "05_sent_to_client" / "log.md").write_text("| date |\n|---|\n", encoding="utf-8")
    (folder / ".gitignore").write_text("/04_analysis/\n*.xlsx\n", encoding="utf-8")
    (folder / "settings.yml").write_bytes(SETTINGS_FILE.read_bytes())
    (folder / "privacy.py").write_text("RULE = 11\n", encoding="utf-8")
    run_git(folder, "init", "--quiet")
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message", "all of it")
    monkeypatch.setattr(git, "ROOT", folder)
    monkeypatch.setattr(differences, "published_counts", lambda *_: COUNTS)
    forget()
    yield folder
    forget()


def forget() -> None:
    """Let git be asked again."""
    git.commit.cache_clear()
    git.is_dirty.cache_clear()


def delivered(
    repository: Path, content: bytes = b"the report", synthetic: str = "no", **facts
) -> Folders:
    """Make the files of a report that verifies; return their folders."""
    folders = Folders(repository)
    folders.report.write_bytes(content)
    made = {"commit": git.commit(), "dirty": False, "settings_sha256": HASH} | facts
    data = {"synthetic": synthetic, "sha256": "ab", "description": "real"}
    write_json(folders.run_facts, made | {"data": data})
    write_json(folders.findings, [])
    names = (folders.report, folders.run_facts, folders.findings)
    files = {p.relative_to(repository).as_posix(): {"sha256": file_hash(p)} for p in names}
    write_json(folders.analysis / "manifest.json", {"files": files})
    return folders


def refused(folders: Folders, to: str = "the client") -> str:
    log = folders.client / "log.md"
    before = log.read_text(encoding="utf-8")
    forget()
    with pytest.raises(BasketError) as error:
        sending.send(folders, to, allow_synthetic=False)
    assert log.read_text(encoding="utf-8") == before
    assert not list(folders.client.glob("20*.xlsx"))
    return str(error.value)


def test_the_log_holds_the_hash_of_the_settings(repository):
    folders = delivered(repository)
    sent = sending.send(folders, "the client", allow_synthetic=False)
    assert sent.read_bytes() == b"the report"
    assert f"| {HASH} |" in (folders.client / "log.md").read_text(encoding="utf-8").splitlines()[-1]


def test_a_report_of_other_settings_is_refused(repository, tmp_path):
    """The attack: a report built with SETTINGS= of which the commit knows nothing."""
    other = load_settings(write_settings(tmp_path / "s.yml", {"privacy.smallest_group": 12}))
    assert settings_hash(other) != HASH
    said = refused(delivered(repository, settings_sha256=settings_hash(other)))
    assert "built with other settings than the commit's settings.yml" in said
    assert "other settings" in refused(delivered(repository, settings_sha256=None))


def test_settings_of_the_commit_below_the_floor_are_refused(repository):
    text = SETTINGS_FILE.read_text(encoding="utf-8")
    (repository / "settings.yml").write_text(
        text.replace("smallest_group: 11", "smallest_group: 1")
    )
    run_git(repository, "commit", "--quiet", "--all", "--message", "no rule")
    forget()
    assert "privacy.smallest_group: Input should be greater" in refused(delivered(repository))


def test_a_change_that_git_was_told_not_to_see_is_seen(repository):
    for mark in ("--assume-unchanged", "--skip-worktree"):
        run_git(repository, "update-index", mark, "privacy.py")
        (repository / "privacy.py").write_text("RULE = 1\n", encoding="utf-8")
        assert run_git(repository, "status", "--porcelain") == ""
        assert "files have changed" in refused(delivered(repository))
        run_git(repository, "update-index", mark.replace("--", "--no-"), "privacy.py")


def test_a_new_file_is_seen_whatever_git_is_configured_to_show(repository):
    run_git(repository, "config", "status.showUntrackedFiles", "no")
    (repository / "sitecustomize.py").write_text("", encoding="utf-8")
    assert run_git(repository, "status", "--porcelain") == ""
    assert "files have changed" in refused(delivered(repository))


def test_a_git_that_does_not_answer_counts_as_a_change(repository, monkeypatch):
    """The attack: HEAD can be read, the index cannot."""
    folders = delivered(repository)
    (repository / "privacy.py").write_text("RULE = 1\n", encoding="utf-8")
    (repository / ".git" / "index").write_bytes(b"broken")
    forget()
    assert git.commit() != git.NO_COMMIT
    assert "files have changed" in refused(folders)


def test_another_repository_cannot_answer_for_this_one(repository, tmp_path, monkeypatch):
    """By a variable of git, or as a repository around this folder that ignores it."""
    (repository / "privacy.py").write_text("RULE = 1\n", encoding="utf-8")
    clean = tmp_path / "clean"
    run_git(tmp_path, "clone", "--quiet", str(repository), str(clean))
    monkeypatch.setenv("GIT_DIR", str(clean / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(clean))
    assert "files have changed" in refused(delivered(repository))
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_WORK_TREE")

    (clean / ".gitignore").write_text("/inner/\n", encoding="utf-8")
    run_git(clean, "commit", "--quiet", "--all", "--message", "ignores it")
    inner = clean / "inner"
    (inner / "05_sent_to_client").mkdir(parents=True)
    (inner / "05_sent_to_client" / "log.md").write_text("", encoding="utf-8")
    (inner / "settings.yml").write_bytes(SETTINGS_FILE.read_bytes())
    monkeypatch.setattr(git, "ROOT", inner)
    forget()
    assert not git.is_dirty()
    assert "the commit holds no settings.yml" in refused(delivered(inner))


@pytest.mark.parametrize(
    "name",
    [
        "<b>client</b>",
        "![x](y)",
        "[a](b)",
        "http://evil.example",
        "who@example.org",
        "`x`",
        "a\x1b]0;pwned\x07",
        "nul\0",
        "\u202eright to left",
        "x" * 201,
        " \t\n ",
    ],
)
def test_the_log_takes_names_and_nothing_that_acts(repository, name):
    said = refused(delivered(repository), to=name)
    assert said.startswith(("TO: found ", "nobody to send to"))
    assert said.isprintable()


@pytest.mark.parametrize("given", ["99999999999999999999", "²", "-1", "1e9", " 1"])
def test_a_date_that_is_none_is_one_line(given):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", given)
        with pytest.raises(
            BasketError, match=r"^SOURCE_DATE_EPOCH: found .*; correct the variable"
        ):
            git.epoch()


def test_the_manifest_of_a_report_is_read_before_it_is_sent(repository):
    folders = delivered(repository)
    facts = json.loads(folders.run_facts.read_text(encoding="utf-8"))
    write_json(folders.run_facts, facts | {"settings_sha256": "forged"})
    assert "run_facts.json: has sha256" in refused(folders)


# ---- two deliveries -----------------------------------------------------------------------------


def close(place: str, then: int | None, now: int | None) -> bool:
    """Whether a report is refused beside one that was sent, for one count."""
    try:
        differences.refuse_revealing({place: now}, {"sent.xlsx": {place: then}}, 11)
    except BasketError as error:
        assert str(error).startswith("sent.xlsx was sent before") and place in str(error)
        return True
    return False


@pytest.mark.parametrize(
    ("then", "now", "refused"),
    [
        (118, 118, False),
        (118, 117, True),
        (118, 128, True),
        (118, 107, False),
        (118, 129, False),
        (None, None, False),
        (11, None, True),  # the pattern of what is suppressed tells it
        (None, 20, True),
        (21, None, False),
        (0, 1, True),
        (0, 11, False),
    ],
)
def test_a_count_that_differs_by_one_to_ten_customers_is_refused(then, now, refused):
    assert close("habits: region, South: customers", then, now) is refused


@pytest.mark.parametrize(("active", "refused"), [(0, True), (10, True), (11, False)])
def test_a_report_about_a_few_customers_is_refused(active, refused):
    counts = {f"population_flow: corrected, {differences.ACTIVE}": active, "habits: a": None}
    if not refused:
        differences.refuse_few(counts, 11)
        return
    with pytest.raises(BasketError, match=f"about {active} active customers, fewer than 11"):
        differences.refuse_few(counts, 11)


def test_the_place_of_the_active_customers_is_that_of_the_flow(panel, built):
    run = built(panel, "corrected")
    flow = run.analysis["results"]["population_flow"]
    places = [place for place, _ in differences._counts_of("population_flow", flow)]
    assert sum(place.endswith(differences.ACTIVE) for place in places) == 1


def test_a_swap_of_two_customers_passes_no_total():
    """The attack: as many customers as before, one of the South for one of the West."""
    before = {"active: customers": 300, "South: customers": 118, "West: customers": 182}
    now = {"active: customers": 300, "South: customers": 117, "West: customers": 183}
    with pytest.raises(BasketError, match=r"South: customers: 118 then, 117 now, and 1 more"):
        differences.refuse_revealing(now, {"sent.xlsx": before}, 11)


def test_send_compares_with_all_that_was_sent(repository, monkeypatch):
    folders = delivered(repository)
    sent = sending.send(folders, "the client", allow_synthetic=False)
    said = json.loads(differences.said_file(sent).read_text(encoding="utf-8"))
    assert said == COUNTS
    sending.send(folders, "the client", allow_synthetic=False)  # the same again
    sent.rename(sent.with_name("2017-01-01_instacart_final_report.xlsx"))
    differences.said_file(sent).rename(folders.client / f"2017-01-01{differences.SAID}")
    (folders.client / "log.md").write_text("| date |\n|---|\n", encoding="utf-8")
    other = {**COUNTS, "habits: region, South: customers": 117}
    monkeypatch.setattr(differences, "published_counts", lambda *_: other)
    with pytest.raises(BasketError, match="2017-01-01 was sent before, and a count differs"):
        sending.send(folders, "the client", allow_synthetic=False)
    sending.send(folders, "the client", allow_synthetic=False, accept_difference=True)


def test_a_report_of_generated_data_tells_of_nobody_and_two_of_a_day_have_names(
    repository, monkeypatch
):
    """Generated, then real, the same day; the real one again, then with a customer less."""

    def send(content: bytes, synthetic: str = "no") -> Path:
        forget()
        return sending.send(delivered(repository, content, synthetic), "the client", True)

    names = [send(b"generated", "data"), send(b"real"), send(b"real")]
    day = names[0].name[:10]
    report = "instacart_final_report.xlsx"
    assert [path.name for path in names] == [f"{day}_{report}", *[f"{day}_2_{report}"] * 2]
    assert json.loads(differences.said_file(names[0]).read_text()) == {}
    assert json.loads(differences.said_file(names[1]).read_text()) == COUNTS
    fewer = {place: count - 1 for place, count in COUNTS.items() if count}
    monkeypatch.setattr(differences, "published_counts", lambda *_: fewer)
    with pytest.raises(BasketError, match=f"{day}_2_{report} was sent before, and a count differs"):
        send(b"one less")
    assert send(b"generated again", "data").name == f"{day}_3_{report}"


def test_a_report_of_another_folder_is_compared_with_what_was_sent_too(
    repository, tmp_path, monkeypatch
):
    """The attack: each report in a folder of its own, where nothing was sent before."""
    sent = sending.send(delivered(repository), "the client", allow_synthetic=False)
    other = {**COUNTS, "habits: region, South: customers": 117}
    monkeypatch.setattr(differences, "published_counts", lambda *_: other)
    elsewhere = Folders(tmp_path / "out")
    shutil.copytree(repository / "04_analysis", elsewhere.analysis)
    elsewhere.client.mkdir()
    shutil.copyfile(repository / "05_sent_to_client" / elsewhere.report.name, elsewhere.report)
    with pytest.raises(BasketError, match=f"{sent.name} was sent before, and a count differs"):
        sending.send(elsewhere, "the client", allow_synthetic=False)
    again = sending.send(elsewhere, "the client", allow_synthetic=False, accept_difference=True)
    assert again == sent


def test_a_report_that_was_sent_and_of_which_no_counts_are_kept_is_not_passed_over(repository):
    """The attack: the counts of what was sent are removed, so that nothing differs from them."""
    folders = delivered(repository)
    sent = sending.send(folders, "the client", allow_synthetic=False)
    differences.said_file(sent).unlink()
    with pytest.raises(BasketError, match=rf"log.md says that {sent.name} was sent, and .* is not"):
        sending.send(folders, "the client", allow_synthetic=False)
    sending.send(folders, "the client", allow_synthetic=False, accept_difference=True)


@pytest.mark.slow
def test_one_customer_less_is_seen_in_what_two_reports_publish(panel, built, tmp_path):
    """The attack of the review: a delivery, and the same without one customer."""
    people = pd.read_csv(panel / "customers.csv", dtype=str)
    less = with_orders(
        panel, tmp_path / "less", lambda orders: orders["user_id"] != people["user_id"][0]
    )
    people[1:].to_csv(less / "customers.csv", index=False)
    counted = []
    for data in (panel, less):
        run = built(data, "corrected")
        run.notebook("05_visualise")
        write_json(run.folders.run_facts, {})
        counted.append(differences.published_counts(run.folders, SETTINGS))
    now, before = counted
    assert len(now.keys() & before.keys()) > 100
    in_one = now.keys() ^ before.keys()  # some cells of goods
    assert all(name.startswith("department_mix: ") for name in in_one), in_one
    with pytest.raises(BasketError, match=r"differs from it by 1 to 10 customers .*, and \d+ more"):
        differences.refuse_revealing(now, {"sent.xlsx": before}, 11)
    differences.refuse_revealing(now, {"sent.xlsx": now}, 11)
