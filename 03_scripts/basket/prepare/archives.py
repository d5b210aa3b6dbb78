"""Look for files in a folder and in the archives that lie there: nothing is unpacked to a disk.

A folder is searched three folders deep. Zip, tar and gzip are read by their content, also within
each other. What an archive would unpack to is limited by its packed size and by the settings, and a
path in an archive is a name and leads nowhere.
"""

import gzip
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from basket.prepare.raw_file import GZIP, GZIPPED, UNREADABLE, RawFile, is_tar
from basket.prepare.unpacking import FREE, Budget, Guarded, Packed, open_zip, require_few
from basket.project.errors import DataError
from basket.project.settings import Limits

KINDS = {
    stat.S_ISFIFO: "named pipe",
    stat.S_ISSOCK: "socket",
    stat.S_ISCHR: "device",
    stat.S_ISBLK: "device",
}
DEEPEST = 3  # folders below the one that was named, and archives within each other
MOST_FILES = 1000
PIECE = 2**20
PACKED = {".zip": "zip", ".gz": "gzip", ".tgz": "gzip", ".tar": "tar"}
IGNORED = re.compile(
    r"(^|/)(\.(?!\.?/)|__MACOSX/|__pycache__/)|(^|/)(Thumbs\.db|desktop\.ini)$", re.I
)
NOTES = re.compile(r"(^|/)(readme|licen[cs]e)[^/]*$", re.I)  # for people: no data


@dataclass
class Contents:
    """What lies in a folder or an archive.

    `files` may be data; `others` are not, by their kind; `faults` tell of what cannot be read, by
    its name; `folders` are empty ones.
    """

    files: list[RawFile] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    faults: dict[str, DataError] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)


def plain_name(name: str) -> str:
    """Return the name that a copy was made of: `Orders (1).CSV` is orders.csv."""
    base = re.split(r"[/\\]", name)[-1].lower().strip()
    base = re.sub(r"( ?\(\d+\)| - copy)+(?=\.|$)", "", base)
    return re.sub(r"(\.csv)\1+$", r"\1", base)


def is_data(file: Path) -> bool:
    """Whether a file may be data: it is neither hidden nor a note for people."""
    return not IGNORED.search(file.name) and not NOTES.search(file.name)


def look_into(data: Path, wanted: Callable[[str], bool], limits: Limits) -> Contents:
    """List what lies in a folder or archive; `wanted` tells by its name if a file may be data.

    Raises DataError when there is nothing of this name, when an archive is refused, or when a
    folder has more files than anybody's data.
    """
    found = Contents()
    look = _Look(data, wanted, limits, found)
    if data.is_dir():
        for path in _files_below(data, found):
            look.at(path)
    elif data.is_file():
        look.at(data, is_archive=True)
    elif os.path.lexists(data):
        raise not_a_file(data)
    else:
        raise DataError(f"{data}: does not exist; expected a folder or zip file with the raw data")
    look.refuse_bloated()
    return found


def walk(
    folder: Path, not_listed: Callable[[OSError], None]
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk as `os.walk` does, also through links to folders, into each folder once."""
    known = set()
    for here, below, names in os.walk(folder, onerror=not_listed, followlinks=True):
        place = os.path.realpath(here)
        if place in known:
            below.clear()
            continue
        known.add(place)
        yield Path(here), below, names


def _files_below(data: Path, found: Contents) -> list[Path]:
    """Return the files of a folder and of those below it, sorted; note the empty folders."""
    files: list[Path] = []

    def not_listed(error: OSError) -> None:
        what = f"{error.filename}: cannot be listed ({error.strerror}); expected a folder to read"
        found.faults[Path(error.filename).name] = DataError(what)

    for here, below, names in walk(data, not_listed):
        depth = len(here.relative_to(data).parts)
        below[:] = sorted(name for name in below if not IGNORED.search(f"{name}/"))
        if depth >= DEEPEST:
            below.clear()
        files += [here / name for name in sorted(names) if is_data(here / name)]
        if not names and not below:
            found.folders.append(here)
        if len(files) > MOST_FILES:
            raise DataError(
                f"{data}: holds more than {MOST_FILES:,} files; expected a folder with the raw "
                "data and little else: name that folder"
            )
    return files


def not_a_file(path: Path) -> DataError | None:
    """Say what a name leads to that is no file; None where it is one."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        where = " (a link that leads nowhere)" if path.is_symlink() else ""
        return DataError(f"{path}: cannot be read: {error.strerror}{where}; expected a file")
    kind = next((kind for is_kind, kind in KINDS.items() if is_kind(mode)), None)
    return DataError(f"{path}: is a {kind}; expected a file") if kind else None


@dataclass
class _Look:
    """One look at a delivery."""

    root: Path
    wanted: Callable[[str], bool]
    limits: Limits
    found: Contents
    unpacked: dict[Path, int] = field(default_factory=dict)
    budgets: dict[Path, Budget] = field(default_factory=dict)

    def at(self, path: Path, is_archive: bool = False) -> None:
        """Note a file, or what is in it if it is an archive."""
        if fault := not_a_file(path):
            self.found.faults[path.name] = fault
            return
        size = path.stat().st_size
        if not is_archive and self.wanted(path.name):
            self._add(RawFile(plain_name(path.name), path, (), size))
            return
        if not is_archive and not plain_name(path.name).endswith(tuple(PACKED)):
            self.found.others.append(RawFile("", path, (), 0).place(self.root))
            return
        try:
            with path.open("rb") as file:
                self.budgets[path] = Budget(path, size)
                self._inside(path, file, size, ())
            return
        except DataError as error:
            fault = error
        except UNREADABLE as error:
            kind = PACKED.get(path.suffix.lower(), "zip")
            expected = "a whole one: get it again"
            if kind == "zip":
                expected = "a folder or zip file with the raw data"
            elif isinstance(error, gzip.BadGzipFile):
                error = "what follows its end, or all of it, is no gzip"
            what = f"is not a readable {kind} file ({error})"
            fault = DataError(f"{path}: {what}; expected {expected}")
        self.found.faults[path.name] = fault
        self.found.files = [file for file in self.found.files if file.path != path]

    def _inside(self, path: Path, file: BinaryIO, size: int, way: tuple[str, ...]) -> None:
        """Note the files of an opened archive of this packed size, and of archives within it."""
        if len(way) >= DEEPEST:
            raise DataError(f"{path}: archives lie more than {DEEPEST} deep in each other; refused")
        start = file.read(2)
        file.seek(0)
        if start == GZIP:
            self._in_gzip(path, file, size, way)
        elif is_tar(file):
            self._in_tar(path, file, way)
        else:
            self._in_zip(path, file, size, way)

    def _in_zip(self, path: Path, file: BinaryIO, size: int, way: tuple[str, ...]) -> None:
        with open_zip(file, size, self.budgets[path]) as archive:
            seen: set[str] = set()
            for info in archive.infolist():
                name = info.filename.replace("\\", "/")
                if info.is_dir() or name.endswith("/") or not self._is_of_use(path, name, way):
                    continue
                if name in seen:
                    raise DataError(f"{path}: holds {name} twice; expected it once")
                seen.add(name)
                self._refuse_protected(path, info)
                self._refuse_ratio(path, name, info.file_size, info.compress_size)
                inner = (*way, info.filename)
                if self.wanted(name):
                    self._add(RawFile(plain_name(name), path, inner, info.file_size))
                    continue
                with archive.open(info) as member:
                    self._inside(path, member, info.file_size, inner)

    def _in_tar(self, path: Path, file: BinaryIO, way: tuple[str, ...]) -> None:
        guarded = Guarded(file, self.budgets[path])
        with tarfile.open(fileobj=guarded, mode="r:") as archive:
            seen: set[str] = set()
            for number, info in enumerate(archive, start=1):
                require_few(path, number)
                name = info.name
                if not info.isreg() or not self._is_of_use(path, name, way):
                    continue
                if name in seen:
                    raise DataError(f"{path}: holds {name} twice; expected it once")
                seen.add(name)
                if info.issparse():
                    raise DataError(f"{path}: {name} is a sparse file; expected a whole one")
                if self.wanted(name):
                    self._add(RawFile(plain_name(name), path, (*way, name), info.size))
                    continue
                with archive.extractfile(info) as member:
                    self._inside(path, member, info.size, (*way, name))

    def _in_gzip(self, path: Path, file: BinaryIO, size: int, way: tuple[str, ...]) -> None:
        """Note what a gzip file holds: a tar archive, or one file named like it without `.gz`."""
        name = re.sub(r"\.gz$", "", plain_name(way[-1] if way else path.name))
        most = int(size * self.limits.largest_archive_ratio + PIECE)
        packed = Packed(file, path)
        way = (*way, GZIPPED)
        with gzip.GzipFile(fileobj=packed) as unpacked:
            bounded = Guarded(unpacked, self.budgets[path], min(most, self._most_bytes), name)
            packed.unpacked = bounded
            if is_tar(bounded):
                self._in_tar(path, bounded, way)
            elif self.wanted(name):
                while bounded.read(PIECE):  # its size is not told
                    pass
                self._add(RawFile(name, path, way, bounded.tell()))
            else:
                self.found.others.append(RawFile("", path, way, 0).place(self.root))

    @property
    def _most_bytes(self) -> int:
        return int(self.limits.largest_archive_gigabytes * 10**9)

    def _is_of_use(self, path: Path, name: str, way: tuple[str, ...]) -> bool:
        """Whether a member may be data or hold some; note it where it is neither."""
        if IGNORED.search(name) or NOTES.search(name):
            return False
        if self.wanted(name) or plain_name(name).endswith(tuple(PACKED)):
            return True
        self.found.others.append(RawFile("", path, (*way, name), 0).place(self.root))
        return False

    def _add(self, file: RawFile) -> None:
        self.unpacked[file.path] = self.unpacked.get(file.path, 0) + file.size
        self.found.files.append(file)
        if len(self.found.files) > MOST_FILES:
            raise DataError(f"{file.path}: holds more than {MOST_FILES:,} files; refused")

    def _refuse_protected(self, path: Path, info: zipfile.ZipInfo) -> None:
        if info.flag_bits & 1:
            name = Path(info.filename).name
            raise DataError(f"{path}: {name} is protected by a password; expected a plain zip file")

    def _refuse_ratio(self, path: Path, name: str, size: int, packed: int) -> None:
        ratio = self.limits.largest_archive_ratio
        if size > packed * ratio + PIECE:
            raise DataError(
                f"{path}: {Path(name).name} would unpack to {size:,} bytes, more than {ratio:g} "
                "times its packed size; refused"
            )

    def refuse_bloated(self) -> None:
        """Raise DataError when a file, or what an archive holds, is larger than allowed."""
        gigabytes, ratio = self.limits.largest_archive_gigabytes, self.limits.largest_archive_ratio
        for path, size in self.unpacked.items():
            packed = path.stat().st_size
            is_packed = path in self.budgets
            what = f"would unpack to {size:,} bytes" if is_packed else f"has {size:,} bytes"
            if size > self._most_bytes:
                raise DataError(f"{path}: {what}, more than {gigabytes:g} GB; refused")
            if is_packed and size > packed * ratio + FREE:
                raise DataError(f"{path}: {what}, more than {ratio:g} times its own; refused")
