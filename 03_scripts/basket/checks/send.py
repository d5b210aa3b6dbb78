"""`basket send`: put a dated copy of the report aside and write down what was sent."""

import json
import shutil
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from basket.checks import differences
from basket.checks.verify import verify
from basket.project import git, origin
from basket.project.errors import REPORT, BasketError
from basket.project.files import file_hash, write_json
from basket.project.folders import ROOT, Folders
from basket.project.settings import Settings, parse_settings
from basket.run.manifest import settings_hash

LONGEST_RECIPIENT = 200
NO_RECIPIENT_HAS = set("<>[]{}`!\\:*#~@")  # of which Markdown makes links, pictures and more


def send(
    folders: Folders, recipient: str, allow_synthetic: bool, accept_difference: bool = False
) -> Path:
    """Copy the report, dated, into the checkout's 05_sent_to_client and append a row to its log.

    There whatever the folder of the report is: each is compared with all that were sent.

    Refuses, with a BasketError, whatever could not be traced or vouched for later: a tree with
    changes that no commit holds, a report of another commit or of other settings than the commit's,
    a report on synthetic data unless that is allowed, a folder that does not verify, and a
    recipient that is no name; and, unless it is accepted, a report that together with one that was
    sent before tells of a few customers.
    """
    recipient = _in_the_log(recipient)
    if git.commit() == git.NO_COMMIT:
        raise BasketError(
            "this folder is not under version control: what is sent could not be "
            "traced to a commit; send from a git checkout"
        )
    if git.is_dirty():
        raise BasketError(
            f"files have changed since the last commit; commit them, run `{REPORT}`, then send"
        )
    verify(folders)
    made = json.loads(folders.run_facts.read_text(encoding="utf-8"))
    if made["commit"] != git.commit() or made["dirty"]:
        raise BasketError(
            f"the report was built from another commit or with changes; run `{REPORT}`, then send"
        )
    settings = _require_settings_of_commit(made)
    if made["data"]["synthetic"] != origin.REAL and not allow_synthetic:
        raise BasketError(
            f"{made['data']['description']}: not sent; add --allow-synthetic if the "
            "recipient knows (make send ALLOW_SYNTHETIC=1)"
        )
    is_generated = made["data"]["synthetic"] == origin.GENERATED  # and tells of nobody
    counts = {} if is_generated else differences.published_counts(folders, settings)
    differences.refuse_few(counts, settings.privacy.smallest_group)
    client = Folders(git.ROOT).client
    if not accept_difference:
        smallest = settings.privacy.smallest_group
        differences.refuse_revealing(counts, differences.sent_before(client), smallest)
    now = datetime.now(UTC)
    digest = file_hash(folders.report)
    target = _place(client, f"{now:%Y-%m-%d}", folders.report.name, digest)
    write_json(differences.said_file(target), counts)
    shutil.copyfile(folders.report, target)
    row = f"| {now:%Y-%m-%d} | {target.name} | {recipient} | {made['commit'][:12]} | "
    with (client / "log.md").open("a", encoding="utf-8", newline="\n") as log:
        log.write(f"{row}{made['data']['sha256']} | {digest} | {settings_hash(settings)} |\n")
    return target


def _place(client: Path, day: str, name: str, digest: str) -> Path:
    """Return where the report of this hash goes: the second one of a day gets _2, and so on."""
    place, numbers = client / f"{day}_{name}", count(2)
    while place.exists() and file_hash(place) != digest:
        place = client / f"{day}_{next(numbers)}_{name}"
    return place


def _in_the_log(recipient: str) -> str:
    """Return a recipient as a cell of the log; raise BasketError for what is no name."""
    clean = " ".join(recipient.replace("|", "/").split())
    if not clean:
        raise BasketError('nobody to send to; name the recipient: make send TO="VP of Marketing"')
    wrong = [sign for sign in clean if sign in NO_RECIPIENT_HAS or not sign.isprintable()]
    if wrong or len(clean) > LONGEST_RECIPIENT:
        found = repr(wrong[0]) if wrong else f"{len(clean):,} characters"
        raise BasketError(
            f"TO: found {found}, expected the name of a role or team: letters, digits, spaces and "
            f"signs like . , - / ( ) &, up to {LONGEST_RECIPIENT} characters"
        )
    return clean


def _require_settings_of_commit(made: dict) -> Settings:
    """Return the commit's settings; raise BasketError if the report's are others."""
    text = git.committed("settings.yml")
    if text is None:
        raise BasketError(
            "the commit holds no settings.yml: what is sent could not be traced to it; send from a "
            "checkout of this project"
        )
    settings = parse_settings(text, ROOT / "settings.yml")
    if made.get("settings_sha256") != settings_hash(settings):
        raise BasketError(
            "the report was built with other settings than the commit's settings.yml; run "
            "`make report` without SETTINGS, then send"
        )
    return settings
