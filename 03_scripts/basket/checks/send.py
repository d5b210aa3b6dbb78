"""`basket send`: put a dated copy of the report aside and write down what was sent."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from basket.checks.verify import verify
from basket.project import git, origin
from basket.project.errors import REPORT, BasketError
from basket.project.files import file_hash
from basket.project.folders import Folders


def send(folders: Folders, recipient: str, allow_synthetic: bool) -> Path:
    """Copy the report, dated, into 05_sent_to_client and append a row to its log.

    Refuses, with a BasketError, whatever could not be traced or vouched for later: a tree with
    changes that no commit holds, a report of another commit, a report on synthetic data unless
    that is allowed, a folder that does not verify, and a recipient without a name.
    """
    if not recipient.strip():
        raise BasketError('nobody to send to; name the recipient: make send TO="VP of Marketing"')
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
    if made["data"]["synthetic"] != origin.REAL and not allow_synthetic:
        raise BasketError(
            f"{made['data']['description']}: not sent; add --allow-synthetic if the "
            "recipient knows (make send ALLOW_SYNTHETIC=1)"
        )
    now = datetime.now(UTC)
    target = folders.client / f"{now:%Y-%m-%d}_{folders.report.name}"
    digest = file_hash(folders.report)
    if target.exists() and file_hash(target) != digest:
        raise BasketError(
            f"{target.name} was sent today with other content; rename that copy "
            "and its row in log.md, then send"
        )
    shutil.copyfile(folders.report, target)
    clean = " ".join(recipient.replace("|", "/").split())
    row = f"| {now:%Y-%m-%d} | {target.name} | {clean} | {made['commit'][:12]} | "
    with (folders.client / "log.md").open("a", encoding="utf-8", newline="\n") as log:
        log.write(f"{row}{made['data']['sha256']} | {digest} |\n")
    return target
