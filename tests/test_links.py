"""Every link in every document leads somewhere: to a file, and to a heading of that name."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from basket.project.folders import ROOT
from checkout import run_command

LINK = re.compile(r"(?<!\\)\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"(?ms)^```.*?^```$|`[^`\n]*`")
HEADING = re.compile(r"(?m)^#{1,6} +(.+?) *#*$")
ELSEWHERE = ("http://", "https://", "mailto:")


def documents() -> list[str]:
    """List the documents of the checkout, new ones included; those of a package are not ours."""
    options = ("--cached", "--others", "--exclude-standard", "-z", "--", "*.md")
    listed = run_command("git", "ls-files", *options, folder=ROOT)
    if listed.returncode:
        return sorted(path.name for path in ROOT.glob("*.md"))
    return sorted({name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()})


def anchors(text: str) -> set[str]:
    """Give the anchors of a document as a code host makes them: repeated ones are numbered."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub(_without_fence, text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]|\\(?=\W)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number, unique = 1, slug
        while unique in found:
            unique, number = f"{slug}-{number}", number + 1
        found.add(unique)
    return found


def _without_fence(found: re.Match) -> str:
    return "" if found[0].startswith("```") else found[0]


def broken(document: Path) -> list[str]:
    """List the links of a document that lead nowhere."""
    text = document.read_text(encoding="utf-8")
    wrong = []
    for target in LINK.findall(FENCE.sub("", text)):
        if target.startswith(ELSEWHERE):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / unquote(name) if name else document
        if not path.exists():
            wrong.append(target)
        elif anchor and path.suffix == ".md":
            known = anchors(path.read_text(encoding="utf-8"))
            wrong += [target] * (unquote(anchor) not in known)
    return wrong


@pytest.mark.parametrize("name", documents())
def test_every_link_leads_somewhere(name):
    assert broken(ROOT / name) == [], "links to the example need `make example`"


def test_links_that_lead_nowhere_are_found(tmp_path):
    document = tmp_path / "a.md"
    (tmp_path / "b c.md").write_text("# One, `two`: 3 – four!\n# Twice\n# Twice\n```\n# Not\n```\n")
    document.write_text(
        "# Here\n[a](b%20c.md#one-two-3--four) [b](#here) [c](https://x.y) ![d](none.png)\n"
        "[e](#there) [f](b%20c.md#twice-1) [g](b%20c.md#not) `[h](code.md)`\n```\n[i](no.md)\n```\n"
    )
    assert broken(document) == ["none.png", "#there", "b%20c.md#not"]
