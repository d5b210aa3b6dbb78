"""Damaged files by the thousand: every row is kept with its values, set aside with its text, or the
run has stopped with an error for people. A plain reader of the csv module is the measure.

BASKET_FUZZ_COMMANDS says how many damaged deliveries go through the whole command (6 without it).
"""

import csv
import io
import os
import random
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from basket.prepare import raw_files, read_csv
from basket.prepare.layouts import layouts
from basket.project.errors import BasketError
from basket.project.folders import Folders
from checkout import basket
from conftest import Run, clean_stage, import_stage, merge_stage, write_settings
from test_bad_input import CUSTOMERS, DEPARTMENTS, FILES, LINES, ORDERS, PRODUCTS, TABLE

EASY = {"deadline": None, "suppress_health_check": list(HealthCheck)}
FILES_FUZZED = 10_000
DELIVERIES_FUZZED = 200
COMMANDS_FUZZED = int(os.environ.get("BASKET_FUZZ_COMMANDS", "6"))
NAMES = {name: raw.columns for name, raw in layouts()["course"].tables.items()}

# ---- damage -------------------------------------------------------------------------------------

SIGNS = ("é".encode(), "🍌".encode(), "\u0663".encode(), b"\xef\xbb\xbf")
TOKENS = [
    *(b",", b",,", b'"', b'""', b'","', b"\n", b"\r", b"\r\n", b'"\n', b'\n"', b"\x00", b"\xff"),
    *(b"\xe9", *SIGNS, b";", b"\t", b" ", b"+", b"-", b".", b".0", b"e2", b"0x1", b"X"),
    *(b"NA", b"nan", b"inf", b"None", b"0", b"9", b"99999999999", b"1e999", b"-0"),
    *(b"'", b"=1+1", b"\\", b"#", b"2/30/2019", b"1/1/2017"),
]
GENDERS = ("Female", "Male")
STATUSES = ("married", "single", "divorced/widowed", "living with parents and siblings")
EDIT = st.tuples(
    st.sampled_from(["insert", "insert", "insert", "replace", "delete", "double", "move", "cut"]),
    st.integers(0, 999),
    st.integers(1, 30),
    st.sampled_from(TOKENS),
)


def damaged(content: bytes, edits: list[tuple]) -> bytes:
    """Apply each edit at its place, in thousandths of the content."""
    for kind, where, size, token in edits:
        at = where * len(content) // 1000
        if kind == "insert":
            content = content[:at] + token + content[at:]
        elif kind == "replace":
            content = content[:at] + token + content[at + len(token) :]
        elif kind == "delete":
            content = content[:at] + content[at + size :]
        elif kind == "double":
            content = content[: at + size] + content[at:]
        elif kind == "move":
            content = content[:at] + content[at + size :] + content[at : at + size]
        elif kind == "cut" and where > 900:
            content = content[:at]
    return content


def sound(name: str) -> bytes:
    return "".join(line + "\n" for line in FILES[name]).encode()


# ---- the plain reader ---------------------------------------------------------------------------


def whole(low: int, high: int, *, pointed: bool = False, missing: bool = False):
    """Make a rule: a whole number within limits, perhaps written 7.0, perhaps missing."""

    def value_of(text: str):
        if text == "":
            return None if missing else ValueError
        pattern = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?" if pointed else r"-?\d+"
        if not re.fullmatch(pattern, text, re.ASCII):
            return ValueError
        number = float(text)
        if not low <= number <= high or number != int(number):
            return ValueError
        return int(number)

    return value_of


def among(*labels: str, missing: bool = False):
    def value_of(text: str):
        return text if text in labels else None if missing and text == "" else ValueError

    return value_of


def words(text: str):
    if "\0" in text or re.search("[\udc80-\udcff]", text):
        return ValueError
    return text or None


def dollars(text: str):
    if text == "":
        return None
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        return ValueError
    return float(text) if 0 <= float(text) <= 1_000_000 else ValueError


def day(text: str):
    if text == "":
        return None
    if not re.fullmatch(r"\d\d?/\d\d?/(19|20)\d\d", text, re.ASCII):
        return ValueError
    try:
        return datetime.strptime(text, "%m/%d/%Y").date()
    except ValueError:
        return ValueError


ID = whole(1, 2**31 - 1)
SMALL = whole(1, 32_767)
RULES = {
    PRODUCTS: {
        "product_id": ID,
        "product_name": words,
        "aisle_id": SMALL,
        "department_id": SMALL,
        "prices": dollars,
    },
    CUSTOMERS: {
        "user_id": ID,
        "Gender": among(*GENDERS, missing=True),
        "STATE": words,
        "Age": whole(0, 120),
        "date_joined": day,
        "n_dependants": whole(0, 50),
        "fam_status": among(*STATUSES, missing=True),
        "income": whole(0, 2**31 - 1, missing=True),
    },
    ORDERS: {
        "order_id": ID,
        "user_id": ID,
        "eval_set": among("prior", "train", "test"),
        "order_number": SMALL,
        "order_dow": whole(0, 6),
        "order_hour_of_day": whole(0, 23),
        "days_since_prior_order": whole(0, 30, pointed=True, missing=True),
    },
    LINES: {"order_id": ID, "product_id": ID, "add_to_cart_order": SMALL, "reordered": whole(0, 1)},
}


def values_of(name: str, header: list[str], fields: list[str]):
    """Return the values of a row, or None when it breaks a rule."""
    if len(fields) != len(header):
        return None
    found = {
        NAMES[TABLE[name]][column]: rule(fields[header.index(column)])
        for column, rule in RULES[name].items()
    }
    return None if any(value is ValueError for value in found.values()) else found


def is_whole_row(text: str) -> bool:
    """Whether a text is one row of CSV: no quoted field is left open."""
    try:
        return len(list(csv.reader(io.StringIO(text, newline=""), strict=True))) == 1
    except csv.Error:
        return False


def physical_lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", errors="surrogateescape")
    return list(io.StringIO(text, newline=""))


def assert_nothing_is_lost(name: str, content: bytes, kept: list[dict], aside: list) -> None:
    """Every line of the file is in a kept row of the same values, or set aside with its text."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    if name == DEPARTMENTS:
        rows = [row for row in csv.reader(io.StringIO(content.decode(), newline="")) if row]
        is_long = rows[0] == ["department_id", "department"]
        pairs = rows[1:] if is_long else zip(rows[0][1:], rows[1][1:], strict=True)
        expected = [(int(one), name) for one, name in pairs]
        assert [(row["department_id"], row["department"]) for row in kept] == expected
        return
    head, _, body = content.partition(b"\n")
    header = next(csv.reader([head.rstrip(b"\r").decode()]))
    lines = physical_lines(body)
    everything = list(lines)
    for row in aside:
        height = max(1, len(physical_lines(row.text.encode())))  # an empty text is a line
        place = row.line - 2
        if name == CUSTOMERS or "***" in row.text:  # what is masked may have held line ends
            end = min((r.line - 2 for r in aside if r.line > row.line), default=len(lines))
            texts = {h: "".join(lines[place : place + h]) for h in range(1, end - place + 1)}
            alike = [h for h, text in texts.items() if _same(text, row.text)]  # names are masked
            height = next((h for h in alike if is_whole_row(texts[h])), alike[0])
        text = "".join(lines[place : place + height])
        assert all(line is not None for line in lines[place : place + height]), "set aside twice"
        assert _same(text, row.text), (text, row.text)
        assert row.rule
        try:
            (fields,) = csv.reader(io.StringIO(text, newline=""), strict=True)
            if repeated := re.match(r"repeats line (\d+): ", row.rule):
                earlier = next(csv.reader([everything[int(repeated[1]) - 2]]))
                assert values_of(name, header, fields) == values_of(name, header, earlier)
                lines[place] = None
                continue
            was_cut = place + height == len(lines) and text.endswith(",")
            assert values_of(name, header, fields) is None or was_cut, f"a sound row: {text!r}"
        except (csv.Error, ValueError):
            pass
        lines[place : place + height] = [None] * height
    rest = "".join(line for line in lines if line is not None)
    rows = csv.reader(io.StringIO(rest, newline=""))
    expected = [values_of(name, header, fields) for fields in rows if fields]
    assert None not in expected, "a row that breaks a rule was kept"
    assert kept == expected


def _same(text: str, shown: str) -> bool:
    """Whether a kept text is that of the file, but for what is masked or is no UTF-8."""
    text = text.rstrip("\r\n").encode("utf-8", "replace").decode()
    if text == shown:
        return True
    if "***" not in shown:  # a masked row is put together from its fields, without their quotes
        shown, text = shown.replace('"', ""), text.replace('"', "")
        return text == shown
    try:
        pieces = next(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (csv.Error, StopIteration):
        pieces = None
    return any(
        len(found) == len(masks)
        and all(mask in {"***", piece} for piece, mask in zip(found, masks, strict=True))
        for found in (pieces, text.split(","))
        if found is not None
        for masks in (shown.split(","),)
    ) or _joined(pieces, shown)


def _joined(pieces: list[str] | None, shown: str) -> bool:
    """Whether masking each field, some with commas in them, gives the text that is shown."""
    if pieces is None:
        return False
    allowed = (*GENDERS, *STATUSES)
    masked = [any(map(str.isalpha, piece)) and piece not in allowed for piece in pieces]
    return shown == ",".join("***" if m else p for m, p in zip(masked, pieces, strict=True))


# ---- 10,000 files -------------------------------------------------------------------------------


def rows_of(table: pa.Table) -> list[dict]:
    return table.to_pylist()


def read(folder: Path, name: str, content: bytes, size: int):
    """Read one file as the import does: its rows and its bad rows, or the error that stops it."""
    (folder / name).write_bytes(content)
    table = TABLE[name]
    file = raw_files.RawFile(name, folder / name, (), len(content), NAMES[table])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("basket.prepare.raw_files.RawFile.slices.__defaults__", (size,))
        try:
            raw_files.check_header(file, may_be_wide=name == DEPARTMENTS)
            if name == DEPARTMENTS:
                return rows_of(read_csv.read_departments(file)), []
            if name in (PRODUCTS, CUSTOMERS):
                rows, bad = read_csv.read_small(file, table)
                return rows_of(rows), bad
            kept, bad = [], []
            for rows, more in read_csv.read_slices(file, table, rows_of, 1):
                kept += rows
                bad += more
            return kept, bad
        except BasketError as error:
            assert "\n" not in str(error) and name in str(error)
            return None


def fuzz(folder: Path, files: int, phases=tuple(Phase)) -> dict[str, int]:
    """Damage and read so many files; count how they came out."""
    outcomes = {"read": 0, "set aside": 0, "stopped": 0}

    options = {"derandomize": True, "database": None, "phases": phases}

    @settings(max_examples=files, **EASY, **options)
    @given(
        st.sampled_from(list(FILES)),
        st.lists(EDIT, min_size=1, max_size=4),
        st.sampled_from([2**24, 2**24, 60, 7]),
        st.booleans(),
    )
    def run(name, edits, size, after_the_header):
        content = sound(name)
        head = content.index(b"\n") + 1 if after_the_header else 0
        content = content[:head] + damaged(content[head:], edits)
        found = read(folder, name, content, size)
        if found is None:
            outcomes["stopped"] += 1
            return
        outcomes["set aside" if found[1] else "read"] += 1
        assert_nothing_is_lost(name, content, *found)

    run()
    return outcomes


@pytest.mark.slow
def test_10000_damaged_files_lose_nothing(tmp_path):
    """Through the import's own functions, in slices of all sizes."""
    outcomes = fuzz(tmp_path, FILES_FUZZED)
    print(outcomes)
    assert sum(outcomes.values()) >= FILES_FUZZED
    assert min(outcomes.values()) > FILES_FUZZED // 20, outcomes


def test_some_damaged_files_lose_nothing(tmp_path):
    assert sum(fuzz(tmp_path, 300).values()) >= 300


@pytest.mark.parametrize(
    ("function", "mutant"),
    [
        ("_doubtful", lambda self, lines: []),
        ("line_by_line", lambda self, text: read_csv.Slice(self._typed(b""), [], 0, np.arange(0))),
        (
            "_row_at",
            lambda self, lines, place: read_csv.Row(  # the rest of the slice with a bad row
                place + 1,
                b"".join(lines[place:]).decode("utf-8", "replace"),
                [],
                "bad",
                len(lines) - place,
            ),
        ),
        ("_broken_rule", lambda self, fields: None if len(fields) == len(self.header) else "bad"),
        ("shown", lambda self, row: ""),
    ],
)
def test_the_plain_reader_catches_a_reader_that_loses_rows(tmp_path, monkeypatch, function, mutant):
    monkeypatch.setattr(read_csv.Reader, function, mutant)
    caught = (AssertionError, IndexError, pa.ArrowInvalid, read_csv._LimitBrokenError)
    with pytest.raises(caught):
        fuzz(tmp_path, 1000, (Phase.generate,))


@settings(max_examples=60, **EASY)
@given(st.data())
def test_a_line_that_is_taken_for_sound_is_read_as_the_plain_reader_reads_it(
    tmp_path_factory, data
):
    """The regular expression of sound lines must never accept what a rule refuses."""
    name = data.draw(st.sampled_from([PRODUCTS, CUSTOMERS, ORDERS, LINES]))
    header = FILES[name][0]
    file = raw_files.RawFile(name, Path(name), (), 0, NAMES[TABLE[name]])
    reader = read_csv.Reader(file, TABLE[name], tuple(header.split(",")))
    row = re.compile(reader.plain_row.encode())
    lines = data.draw(st.lists(st.from_regex(row, fullmatch=True), min_size=1, max_size=3))
    lines = [line.rstrip(b"\r\n") + b"\n" for line in lines]
    assert reader._doubtful(lines) == []
    content = header.encode() + b"\n" + b"".join(lines)
    rows, bad = read(tmp_path_factory.mktemp("plain"), name, content, 2**24)
    assert bad == [] and len(rows) == len(lines)
    assert_nothing_is_lost(name, content, rows, bad)


# ---- whole deliveries, through the stages and through the command -----------------------------


def delivery(folder: Path, dice: random.Random) -> Path:
    """Write the five files, one or two of them damaged."""
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(sound(name))
    for name in dice.sample(list(FILES), dice.choice([1, 1, 2])):
        content = sound(name)
        head = dice.choice([0, *[content.index(b"\n") + 1] * 4])
        kinds = ["insert", "replace", "delete", "double", "move", "cut"]
        edits = [
            (dice.choice(kinds), dice.randrange(1000), dice.randint(1, 30), dice.choice(TOKENS))
            for _ in range(dice.randint(1, 2))
        ]
        if dice.random() < 0.3:  # whole rows that stand twice
            lines = content.splitlines(keepends=True)
            lines.insert(dice.randint(1, len(lines)), dice.choice(lines[1:]))
            (folder / name).write_bytes(b"".join(lines))
        else:
            (folder / name).write_bytes(content[:head] + damaged(content[head:], edits))
    return folder


def assert_delivery_is_whole(data: Path, prepared: Path) -> None:
    """Compare all prepared tables with the files."""
    for name in FILES:
        table = TABLE[name]
        kept = pq.read_table(prepared / table / "part-000.parquet").to_pylist()
        file = prepared / "quarantine" / f"{table}.parquet"
        rows = pd.read_parquet(file).to_dict("records") if file.is_file() else []
        aside = [read_csv.BadRow(**row) for row in rows]
        assert_nothing_is_lost(name, (data / name).read_bytes(), kept, aside)
    keys = [(row["order_id"], row["product_id"]) for row in kept]
    assert len(set(keys)) == len(keys)
    assert sum(map(len, [keys])) == pq.read_table(prepared / "merged").num_rows


@pytest.mark.slow
def test_200_damaged_deliveries_lose_nothing_up_to_the_merge(tmp_path):
    """Through the stages 01 to 03 in this process, with half of the rows allowed to be bad."""
    dice = random.Random(2017)
    loose = write_settings(tmp_path / "settings.yml", {"limits.max_quarantined_share": 0.5})
    outcomes = {"done": 0, "stopped": 0}
    for number in range(DELIVERIES_FUZZED):
        data = delivery(tmp_path / f"{number}" / "data", dice)
        run = Run(tmp_path / f"{number}" / "out", "corrected", loose)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BASKET_DATA", str(data))
            try:
                import_stage(run)
                clean_stage(run)
                merge_stage(run)
            except BasketError as error:
                assert "\n" not in str(error)
                outcomes["stopped"] += 1
                continue
        outcomes["done"] += 1
        assert_delivery_is_whole(data, run.folders.prepared)
    print(outcomes)
    assert sum(outcomes.values()) == DELIVERIES_FUZZED
    assert min(outcomes.values()) > DELIVERIES_FUZZED // 10, outcomes


@pytest.mark.slow
def test_damaged_deliveries_through_the_command_end_well_or_in_one_line(tmp_path):
    """The last of the same deliveries: a whole report and exit 0, or one line and exit 1."""
    dice = random.Random(2017)
    folders = [tmp_path / f"{number}" / "data" for number in range(DELIVERIES_FUZZED)]
    deliveries = [delivery(folder, dice) for folder in folders][-COMMANDS_FUZZED:]
    changes = {"limits.max_quarantined_share": 0.5}
    loose = write_settings(tmp_path / "settings.yml", changes)

    def run(data: Path) -> int:
        out = data.parent / "out"
        done = basket("report", "--data", data, "--out", out, "--settings", loose)
        said = [line for line in done.stderr.splitlines() if line.startswith("basket: ")]
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (0, 1)
        assert len(said) == done.returncode, done.stderr
        folders = Folders(out)
        if done.returncode == 0:
            assert_delivery_is_whole(data, folders.prepared)
            assert folders.report.is_file() and (folders.analysis / "manifest.json").is_file()
        else:
            last = done.stderr.splitlines()[-1]
            assert last == said[0] or last.startswith("  see ")
            assert not folders.report.exists()
            assert not (folders.analysis / "manifest.json").exists()
            assert re.search(r"\.csv|departments|products", said[0]), said[0]
        return done.returncode

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(run, deliveries))
    print({"done": outcomes.count(0), "stopped": outcomes.count(1)})
    assert len(outcomes) == COMMANDS_FUZZED <= DELIVERIES_FUZZED
    assert set(outcomes) == {0, 1}
