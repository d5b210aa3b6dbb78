"""Archives and files that claim what they are not: refused in one line, at once, in little memory.

Each attack is a file of its own making; what it claims, no tool would write.
"""

import gzip
import io
import json
import os
import socket
import struct
import sys
import tarfile
import zlib
from functools import cache
from pathlib import Path

import pytest

from basket.prepare.raw_files import find, has_data
from basket.project.errors import DataError
from checkout import run_command
from test_import import LIMITS
from test_received import C, lay, tar_of, zip_of

pytestmark = pytest.mark.slow

SECONDS, MEGABYTES = 5, 300
LOOK = r"""
import json, re, sys, time
from pathlib import Path
from basket.prepare.raw_files import look
from basket.project.errors import DataError
from basket.project.settings import load_settings
from basket.project.folders import ROOT
limits = load_settings(ROOT / "settings.yml").limits
begun = time.perf_counter()
found, faults = look(Path(sys.argv[1]), limits)
for file in [] if faults else found.files.values():
    try:
        file.spelling
    except DataError as fault:
        faults.append(fault)
seconds = time.perf_counter() - begun
peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps([[str(fault) for fault in faults], seconds, peak]))
"""
PRODUCTS = C["products.csv"]


def looked_at(data: Path) -> tuple[list[str], float, float]:
    """Look at a delivery and at how its files are written, in a process of its own.

    Gives faults, seconds and its peak in MiB.
    """
    done = run_command(sys.executable, "-c", LOOK, data)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- zip files by hand --------------------------------------------------------------------------


@cache  # many entries hold the same
def deflated(content: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(content) + deflate.flush()


def zip_entry(name: bytes, content: bytes, **claims: int) -> tuple[bytes, bytes]:
    """Give the local part of an entry, and the rest of its place in the directory."""
    method = claims.get("method", 8)
    packed = deflated(content) if method == 8 else content
    size = claims.get("size", len(content))
    packed_size = claims.get("packed", len(packed))
    facts = struct.pack(
        "<HHHHHIIIH", 20, 0, method, 0, 33, zlib.crc32(content), packed_size, size, len(name)
    )
    return b"PK\3\4" + facts + b"\0\0" + name + packed, facts


def zip_by_hand(entries: list[tuple[bytes, bytes, bytes]], told: int | None = None) -> bytes:
    """Put entries (name, local part, facts) together; `told` is the number it claims."""
    body, directory, places = io.BytesIO(), io.BytesIO(), {}
    for name, local, facts in entries:
        place = places.setdefault(id(local), body.tell())
        if place == body.tell():
            body.write(local)
        directory.write(
            b"PK\1\2\x14\0" + facts + struct.pack("<HHHHII", 0, 0, 0, 0, 0, place) + name
        )
    start, size = body.tell(), directory.tell()
    told = len(entries) if told is None else told
    end = struct.pack("<HHHHIIH", 0, 0, min(told, 65535), min(told, 65535), size, start, 0)
    return body.getvalue() + directory.getvalue() + b"PK\5\6" + end


def crowded(entries: int, told: int | None = None) -> bytes:
    """Make a zip of so many empty entries that all share a place."""
    local, facts = zip_entry(b"000000", b"")
    return zip_by_hand([(b"%06d" % number, local, facts) for number in range(entries)], told)


def claiming(**claims: int) -> bytes:
    """Make a zip of the course's files of which one claims other sizes than it has."""
    entries = []
    for name, content in C.items():
        local, facts = zip_entry(
            name.encode(), content, **(claims if name == "products.csv" else {})
        )
        entries.append((name.encode(), local, facts))
    return zip_by_hand(entries)


def overlapping() -> bytes:
    """Make a zip of 900 entries that are one and the same place in it."""
    local, facts = zip_entry(b"000/products.csv", PRODUCTS + b"0" * 150_000)
    return zip_by_hand([(b"%03d/products.csv" % number, local, facts) for number in range(900)])


def small_bombs() -> bytes:
    """Make a zip of 900 files of which each is too small to be called a bomb."""
    names = [b"%d.csv" % number for number in range(900)]
    return zip_by_hand([(name, *zip_entry(name, b"0" * 2**20)) for name in names])


# ---- tar and gzip files by hand -----------------------------------------------------------------


def sparse_tar(size: int) -> bytes:
    """Make a tar of GNU's sparse form: a file of zeros that takes no room."""
    info = tarfile.TarInfo("products.csv")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[483:495] = b"\x80" + size.to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"\0" * 1024


def crowded_tar(entries: int) -> bytes:
    block = tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT)
    return gzip.compress(block * entries + b"\0" * 1024)


def long_header(size: int) -> bytes:
    """Make a tar whose first header is a description of this length."""
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.XHDTYPE, size
    return gzip.compress(info.tobuf(tarfile.USTAR_FORMAT)) + gzip.compress(bytes(size // 8)) * 8


def to_and_fro() -> bytes:
    """Make a tar.gz of many small archives behind a large file: each is a way from the start."""
    files = {"film.bin": b"0" * 150_000_000}
    files |= {f"{number}.csv.gz": gzip.compress(b"a\n") for number in range(800)}
    return gzip.compress(tar_of(files) + os.urandom(1_000_000))


def named_gz(length: int) -> bytes:
    return b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"a" * length + b"\0" + gzip.compress(b"a\n")[10:]


ATTACKS = {  # the files; what is said of them
    "200,000 entries": ({"a.zip": lambda: crowded(200_000)}, "its list of entries"),
    "20,000 entries": ({"a.zip": lambda: crowded(20_000)}, "holds more than 1,000 entries"),
    "200,000 entries of which three are told": (
        {"a.zip": lambda: crowded(200_000, told=3)},
        "its list of entries",
    ),
    "200,000 entries in an inner archive": (
        {"a.zip": lambda: zip_of({"b.zip": crowded(200_000), "c.bin": os.urandom(900_000)})},
        "its list of entries",
    ),
    "a packed size beyond the file": (
        {"a.zip": lambda: claiming(packed=10**9, size=2 * 10**9)},
        "for which there is no room in the archive",
    ),
    "entries that share their bytes": ({"a.zip": overlapping}, "there is no room in the archive"),
    "many small bombs": ({"a.zip": small_bombs}, "times its own; refused"),
    "many small bombs, packed twice": (
        {"a.zip": lambda: zip_of({"b.zip": small_bombs()})},
        "times its own; refused",
    ),
    "a sparse tar": ({"a.tar": lambda: sparse_tar(40 * 10**9)}, "is a sparse file"),
    "a tar of 200,000 entries": (
        {"a.tar.gz": lambda: crowded_tar(200_000)},
        "holds more than 1,000 entries",
    ),
    "a tar with a long description": ({"a.tar.gz": lambda: long_header(400_000_000)}, "; refused"),
    "a tar that is read to and fro": ({"a.tar.gz": to_and_fro}, "times its size would have to be"),
    "a gzip with a long name": (
        {"orders.csv.gz": lambda: named_gz(30_000_000)},
        "is mostly filling",
    ),
    "a gzip of empty members": (
        {"orders.csv.gz": lambda: gzip.compress(b"") * 2_000_000},
        "is mostly filling",
    ),
    "a gzip that ends with zeros": (
        {"orders.csv.gz": lambda: gzip.compress(b"a\n") + b"\0" * 60_000_000},
        "is mostly filling",
    ),
}


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_a_hostile_archive_is_refused_at_once_and_in_little_memory(tmp_path, attack):
    files, said = ATTACKS[attack]
    rest = {name: content for name, content in C.items() if name != "products.csv"}
    rest = {} if any("orders.csv" in name for name in files) else rest
    made = {name: make() for name, make in files.items()}
    faults, seconds, peak = looked_at(lay(tmp_path / "data", {**rest, **made}))
    print(f"{attack}: {seconds:.2f} s, {peak:.0f} MiB: {faults}")
    assert len(faults) == 1 and said in faults[0], faults
    assert "\n" not in faults[0]
    assert seconds < SECONDS and peak < MEGABYTES


def test_a_size_that_the_file_does_not_have_is_no_fact(tmp_path):
    """An archive claims more than unpacks: sizes decide how tables are split."""
    archive = tmp_path / "a.zip"
    archive.write_bytes(claiming(size=len(PRODUCTS) + 900_000))
    with pytest.raises(DataError, match=r"products.csv: found \d+ bytes, expected 900,\d+"):
        b"".join(find(archive, LIMITS).files["raw_products"].slices())


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path):
    data = find(lay(tmp_path / "data", C), LIMITS)
    file = data.files["raw_orders"]
    slices = file.slices(8)
    next(slices)
    with file.path.open("ab") as more:
        more.write(b"15,1,prior,4,0,08,7.0\n" * 99)
    with pytest.raises(DataError, match=r"orders.csv: found more than [\d,]+ bytes, exp"):
        list(slices)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (50 * 10**9 + 1, "has 50,000,000,001 bytes, more than 50 GB; refused"),
        (40 * 10**9, "found 40,000,000,000 bytes, expected at most 1,000,000,000"),
        (10**9, "a line is longer than 67,108,864 bytes"),
    ],
)
def test_a_sparse_file_is_refused_before_it_fills_the_memory(tmp_path, size, said):
    folder = lay(tmp_path / "data", C)
    os.truncate(folder / "products.csv", size)
    faults, seconds, peak = looked_at(folder)
    assert len(faults) == 1 and said in faults[0], faults
    assert seconds < SECONDS and peak < MEGABYTES


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        folder = os.getcwd()
        os.chdir(path.parent)  # a socket's path is short
        try:
            made.bind(path.name)
        finally:
            os.chdir(folder)


NO_FILES = {
    "a named pipe": (os.mkfifo, "is a named pipe; expected a file"),
    "a socket": (a_socket, "is a socket; expected a file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is a device; expected a file"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "leads nowhere"),
    "a link in a circle": (lambda path: path.symlink_to(path.name), "leads nowhere"),
}


@pytest.mark.parametrize("kind", list(NO_FILES))
@pytest.mark.parametrize("itself", [False, True])
def test_what_is_no_file_is_said_to_be_what_it_is(tmp_path, kind, itself):
    make, said = NO_FILES[kind]
    folder = lay(tmp_path / "data", {n: c for n, c in C.items() if n != "orders.csv"})
    path = folder / "orders.csv"
    make(path)
    with pytest.raises(DataError) as error:
        find(path if itself else folder, LIMITS)
    assert str(error.value).startswith(f"{path}: ") and said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("below", ["", "received"])
def test_a_folder_that_may_not_be_listed_is_not_passed_over(tmp_path, monkeypatch, below):
    """Root may list every folder: so the system refuses by hand."""
    (tmp_path / "received").mkdir()
    scandir, closed = os.scandir, str(tmp_path / below)

    def refused(path):
        if str(path) == closed:
            raise PermissionError(13, "Permission denied", closed)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PermissionError):
        has_data(tmp_path)
    with pytest.raises(DataError, match=r": cannot be listed \(Permission denied\); expected"):
        find(tmp_path, LIMITS)


def test_a_link_to_nothing_in_original_data_is_not_passed_over(tmp_path):
    (tmp_path / "orders.csv").symlink_to("nothing")
    assert has_data(tmp_path)
