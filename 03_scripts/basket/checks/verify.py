"""`basket verify`: is what lies there what the run made, and is every number in it true?

It looks at all of 04_analysis, which is the analyst's; what is for others is made by `send`.
"""

import csv
import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache, partial
from pathlib import Path

from basket.project.errors import REPORT, BasketError
from basket.project.files import file_hash
from basket.project.folders import Folders
from basket.project.stages import DONE, USAGE
from basket.run.manifest import hashes_in
from basket.tables.guarded import unguarded

NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?")
HOUR = re.compile(r"\b0?(\d{1,2}):00\b")
TOLERANCE = 1e-9
DECIMALS = (0, 1, 2, 3, 4)
NO_NUMBER = re.compile(
    r"(?<![\w-])\$?(nan|-?inf)\b%?"
)  # what a program prints where it has no number


def verify(folders: Folders) -> dict[str, int]:
    """Check what a run has built; return how much was checked, raise BasketError at a fault.

    Every file that the manifest lists must have its hash, and no other may lie among them. Every
    number of the findings must equal the table cell that it names, and every number in a sentence
    must be one of those.
    """
    return {"files": verify_files(folders), "numbers": verify_findings(folders)}


def verify_files(folders: Folders) -> int:
    """Compare every file with the hash in the manifest; return how many there are."""
    expected = hashes_in(_read(folders.analysis / "manifest.json"))
    if not expected:
        raise BasketError(
            f"{folders.analysis / 'manifest.json'}: does not say which files were built; "
            f"run `{REPORT}` again"
        )
    known = {folders.out / name for name in expected}
    for name, digest in expected.items():
        found = file_hash(folders.out / name)
        if found != digest:
            state = "is missing" if found is None else f"has sha256 {found[:12]}…"
            raise BasketError(
                f"{name}: {state}; the manifest says {digest[:12]}…: run `{REPORT}` again"
            )
    for folder in sorted({path.parent for path in known}):
        for path in sorted(folder.iterdir()):
            if path.is_file() and path not in known and not _is_expected(folders, path):
                raise BasketError(
                    f"{path.relative_to(folders.out).as_posix()}: is not in the manifest; "
                    f"remove it, or run `{REPORT}` again"
                )
    return len(expected)


def _is_expected(folders: Folders, path: Path) -> bool:
    """Whether a file that the manifest does not list may lie beside built files."""
    return (
        path.name.startswith(".")
        or path == folders.analysis / "manifest.json"
        or path.parent == folders.client  # the log and what was sent before
        or path.name.endswith((DONE, USAGE, ".FAILED.ipynb"))
        or path.name in ("README.md", "flat.json")
    )


def verify_findings(folders: Folders) -> int:
    """Look up every number of the findings in its table; find every number of their sentences."""
    checked = 0
    rows_of = cache(partial(_rows_of, folders))
    for finding in _read(folders.findings):
        for name, number in finding["numbers"].items():
            cell = _cell(rows_of, number["table"], number["where"], f"{finding['id']}: {name}")
            if not _equal(cell, number["value"]):
                raise BasketError(
                    f"findings.json: {finding['id']}: {name} is {number['value']}, "
                    f"but {number['table']}.csv says {cell} where "
                    f"{_worded(number['where'])}"
                )
            checked += 1
        said = {part: finding[part] for part in ("headline", "so_what", "action")}
        said["prize"] = (finding["prize"] or {}).get("what_if", "")
        for part, sentence in said.items():
            if found := NO_NUMBER.search(sentence):
                raise BasketError(
                    f"findings.json: {finding['id']}: the {part} says {found.group()!r} where a "
                    "number belongs"
                )
            for shown in unexplained(sentence, finding["numbers"]):
                raise BasketError(
                    f"findings.json: {finding['id']}: the {part} says {shown}, which "
                    "is none of the finding's numbers"
                )
    return checked


def unexplained(sentence: str, numbers: dict[str, dict]) -> list[str]:
    """Return the numbers of a sentence that `numbers` hold neither rounded nor in a text.

    An upper limit may be rounded up to whole per cent, as `at_most` does, and a share of settings
    be said as it is, as `per_cent` does.
    """
    values = [number["value"] for number in numbers.values()]
    keys = [key for number in numbers.values() for key in number["where"].values()]
    texts = [value for value in values if isinstance(value, str)]
    known = set(NUMBER.findall(_whole_hours(" ".join([*texts, *map(str, keys)]))))
    known |= {f"{int(shown):,}" for shown in known if shown.isdigit()}
    for value in values:
        if isinstance(value, int | float):
            shares = (value, abs(value - 1))  # 1.12 times is 12 % more
            said = (value, *(100 * share for share in shares))
            shown = [f"{n:,.{decimals}f}" for n in said for decimals in DECIMALS]
            known.update(shown, [f"{value:g}"])
            known.update(spell(share) for share in shares for spell in (_up, _as_it_is))
    found = NUMBER.findall(_whole_hours(sentence))
    return [shown for shown in found if not {shown, shown.rstrip(",")} & known]


# Both are spelt anew: a check does not share the code that it checks.


def _up(share: float) -> str:
    return f"{math.ceil(round(100 * share, 4))}"


def _as_it_is(share: float) -> str:
    return f"{Decimal(f'{100 * share:.10g}'):,f}"


def _whole_hours(text: str) -> str:
    """Say hours of the day as the numbers that they are: 07:00 is 7."""
    return HOUR.sub(r"\1", text)


def _rows_of(folders: Folders, table: str) -> list[dict[str, str]]:
    with (folders.tables / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{name: unguarded(cell or "") for name, cell in row.items()} for row in rows]


def _cell(rows_of: Callable, table: str, where: dict[str, str], name: str) -> str:
    keys = {key: value for key, value in where.items() if key != "column"}
    try:
        cells = [
            row[where["column"]]
            for row in rows_of(table)
            if all(_equal(row[key], value) for key, value in keys.items())
        ]
    except (OSError, KeyError) as error:
        raise BasketError(f"{table}.csv: {name}: cannot be looked up ({error})") from None
    if len(cells) != 1:
        raise BasketError(
            f"{table}.csv: {name}: {len(cells)} rows where {_worded(where)}; expected one"
        )
    return cells[0]


def _equal(cell: str, value) -> bool:
    found, expected = _number(cell), _number(str(value))
    if found is None or expected is None:
        return cell == str(value)
    return abs(found - expected) <= TOLERANCE


@cache
def _number(text: str) -> float | None:
    """Read a number, once for all the rows that hold it; None if it is a text."""
    try:
        return float(text)
    except ValueError:
        return None


def _worded(where: dict[str, str]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in where.items() if key != "column")


def _read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BasketError(f"{path}: is missing or unreadable; run `{REPORT}` first") from None
