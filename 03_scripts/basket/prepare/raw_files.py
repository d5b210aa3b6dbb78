"""Find the raw files as received: which layout, where each file is, and if its header is right."""

import csv
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from basket.prepare.layouts import file_names, layouts
from basket.project.errors import DataError
from basket.project.files import file_hash
from basket.project.origin import Origin
from basket.project.settings import Limits

MARKER = "SYNTHETIC_DATA.json"
SLICE_BYTES = 4 * 2**20  # what is parsed of it stays in the processor's cache
LONGEST_HEADER = 64 * 1024  # bytes
LONGEST_LINE = 64 * 2**20  # bytes; what has none is no text of lines
BOM = b"\xef\xbb\xbf"
# What a damaged archive or file raises when it is read; RuntimeError includes NotImplementedError.
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)


@dataclass(frozen=True)
class RawFile:
    """One raw file: in a folder, in an archive, or in an archive within an archive.

    `names` maps each column of its header to the name under which it is stored, None for people's.
    """

    name: str
    path: Path
    members: tuple[str, ...]
    size: int
    names: dict[str, str | None] = field(default_factory=dict)

    @property
    def people(self) -> list[str]:
        """The columns that hold names of people."""
        return [header for header, name in self.names.items() if name is None]

    @property
    def renamed(self) -> dict[str, str]:
        """The columns that are stored under another name than the file's."""
        return {header: name for header, name in self.names.items() if name not in (None, header)}

    @contextmanager
    def open(self):
        """Open the file's bytes, unpacked, from the start."""
        with ExitStack() as opened:
            file = opened.enter_context(self.path.open("rb", buffering=0))
            for member in self.members:
                archive = opened.enter_context(zipfile.ZipFile(file))
                file = opened.enter_context(archive.open(member))
            yield file

    def slices(self, size: int = SLICE_BYTES) -> Iterator[bytes]:
        """Yield the file in slices of about `size` bytes that end with a line; no BOM."""
        rest = b""
        for read in self._pieces(size):
            end = read.rfind(b"\n") + 1
            if end:
                yield rest + read[:end]
                rest = read[end:]
            else:
                rest += read
                if len(rest) > max(size, LONGEST_LINE):
                    raise DataError(
                        f"{self.name}: a line is longer than {LONGEST_LINE:,} bytes; expected a "
                        "CSV file with a row on each line"
                    )
        if rest:
            yield rest

    def _pieces(self, size: int) -> Iterator[bytes]:
        """Yield the file in pieces of up to `size` bytes, wherever a line ends; no BOM."""
        try:
            with self.open() as file:
                yield file.read(size).removeprefix(BOM)
                while piece := file.read(size):
                    yield piece
        except UNREADABLE as error:
            raise DataError(
                f"{self.path.name}: {self.name} cannot be unpacked or read ({error}); "
                "expected a whole file, get it again"
            ) from None

    def header(self) -> list[str]:
        """Return the column names in the first line. Raises DataError when there is none."""
        first = next(self._pieces(LONGEST_HEADER), b"")
        line, end, _ = first.partition(b"\n")
        line = line.rstrip(b"\r")
        if not line.strip():
            raise DataError(f"{self.name}: the file is empty; expected a header and rows")
        if not end and len(first) >= LONGEST_HEADER - len(BOM):
            raise DataError(
                f"{self.name}: the first line is longer than {LONGEST_HEADER:,} bytes; expected "
                "a UTF-8 CSV file with a header and a row on each line"
            )
        try:
            if b"\0" in line:
                raise ValueError("NUL bytes, as in UTF-16")
            return next(csv.reader([line.decode("utf-8")], strict=True))
        except (ValueError, csv.Error):
            raise DataError(
                f"{self.name}: the first line is not readable text; expected a UTF-8 "
                "CSV file with a header"
            ) from None


@dataclass(frozen=True)
class RawData:
    """The raw files of one delivery."""

    layout: str
    files: dict[str, RawFile]
    synthetic: dict | None

    @property
    def owner(self) -> str:
        """Whose layout it is, as messages say it: `the course's`."""
        return layouts()[self.layout].owner

    @property
    def fabricated(self) -> tuple[str, ...]:
        """Tables or columns that the delivery lacks and the pipeline fabricates."""
        return layouts()[self.layout].lacks

    @property
    def origin(self) -> Origin:
        """Say whether this data is real, generated, or partly made up."""
        return Origin(self.synthetic, self.fabricated, self.owner)

    @property
    def facts(self) -> dict:
        """Facts of the delivery for later stages and the report."""
        return {
            "layout": self.layout,
            "owner": self.owner,
            "files": {table: file.name for table, file in self.files.items()},
            "synthetic": self.synthetic,
            "fabricated": self.fabricated,
        }

    def hashes(self) -> dict[str, dict]:
        """Return bytes and sha256 of each file on disk, by name."""
        found = {}
        for path in {file.path for file in self.files.values()}:
            found[path.name] = {"bytes": path.stat().st_size, "sha256": file_hash(path)}
        return dict(sorted(found.items()))


def has_data(folder: Path) -> bool:
    """Return whether a folder contains anything that could be raw data."""
    return any(path.suffix in (".csv", ".zip") for path in folder.glob("*"))


def find(data: Path, limits: Limits) -> RawData:
    """Find the raw files in a folder or zip archive and check each header.

    Raises DataError, in one line, when the folder does not exist, a file is missing, empty or
    unreadable, or a header is not what it should be.
    """
    candidates = _members(data, limits)
    files_of = {name: [raw.file for raw in one.tables.values()] for name, one in layouts().items()}
    lines_file = {name: one.tables["raw_lines"].file for name, one in layouts().items()}
    found = [name for name, file in lines_file.items() if file in candidates]
    if len(found) > 1:
        raise DataError(
            f"{data}: holds both {' and '.join(lines_file[name] for name in found)}; expected the "
            "order lines of one layout: take the other away"
        )
    if not found:
        expected = [f"{one.owner} files ({', '.join(files_of[n])})" for n, one in layouts().items()]
        first = next(iter(lines_file.values()))
        raise DataError(f"{data}: {first} is missing; expected {' or '.join(expected)}")
    (layout,) = found
    for file in files_of[layout]:
        if file not in candidates:
            raise DataError(f"{data}: {file} is missing; expected {', '.join(files_of[layout])}")
    files = {}
    for table, raw in layouts()[layout].tables.items():
        files[table] = replace(candidates[raw.file], names=raw.columns)
        check_header(files[table], may_be_wide=table == "raw_departments")
    return RawData(layout, files, _synthetic(candidates.get(MARKER)))


def check_header(file: RawFile, may_be_wide: bool = False) -> None:
    """Raise DataError unless the header holds exactly the expected columns, in any order.

    A wide table has in its header what others have in rows: only its first column is checked.
    """
    found = file.header()
    doubled = sorted({name for name in found if found.count(name) > 1})
    if doubled:
        raise DataError(
            f"{file.name}: column {_shown(doubled[:1])} occurs {found.count(doubled[0])} times "
            "in the header; expected it once"
        )
    first, *_ = columns = list(file.names)
    if may_be_wide:
        if found[0] != first:
            raise DataError(
                f"{file.name}: column {first} is missing; expected it first, found {_shown(found)}"
            )
        return
    for name in columns:
        if name not in found:
            given = "" if file.people else f"; found {_shown(found)}"  # may be a person
            raise DataError(
                f"{file.name}: column {name} is missing; expected {', '.join(columns)}{given}"
            )
    extra = [name for name in found if name not in columns]
    if extra:
        raise DataError(
            f"{file.name}: unexpected column {_shown(extra[:1]) or '(without a name)'}; "
            f"expected only {', '.join(columns)}"
        )


def _shown(names: list[str]) -> str:
    text = ", ".join(name if name.isprintable() else ascii(name) for name in names)
    return text if len(text) <= 120 else text[:120] + " …"


def _members(data: Path, limits: Limits) -> dict[str, RawFile]:
    """Find the files with an expected name in a folder or archive; each may be zipped itself."""
    names = file_names() | {MARKER}
    if data.is_dir():
        found = {}
        for name in names:
            path, archive = data / name, data / f"{name}.zip"
            if path.exists() and archive.exists():
                raise DataError(
                    f"{data}: holds both {name} and {name}.zip; expected one of them: take the "
                    "other away"
                )
            if path.is_file():
                found[name] = RawFile(name, path, (), path.stat().st_size)
            elif path.is_dir():
                raise DataError(f"{path}: is a folder; expected the file {name}")
            elif archive.is_file():
                found |= _archived(archive, {name}, limits)
        return found
    if data.is_file():
        return _archived(data, names, limits)
    raise DataError(f"{data}: does not exist; expected a folder or zip file with the raw data")


def _archived(path: Path, names: set[str], limits: Limits) -> dict[str, RawFile]:
    """Find the files with an expected name in an archive, or zipped one by one within it."""
    found: dict[str, RawFile] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in _expected(archive, names | {f"{name}.zip" for name in names}):
                _refuse_protected_or_bloated(path, info, limits)
                members = [(info, (info.filename,))]
                if info.filename.endswith(".zip"):
                    with archive.open(info) as file, zipfile.ZipFile(file) as inner:
                        files = _expected(inner, names)
                        members = [(each, (info.filename, each.filename)) for each in files]
                for member, way in members:
                    _refuse_protected_or_bloated(path, member, limits)
                    name = Path(member.filename).name
                    if name in found:
                        raise DataError(
                            f"{path}: holds {name} twice ({'/'.join(found[name].members)} and "
                            f"{'/'.join(way)}); expected it once"
                        )
                    found[name] = RawFile(name, path, way, member.file_size)
    except UNREADABLE as error:
        raise DataError(
            f"{path}: is not a readable zip file ({error}); expected a folder or zip "
            "file with the raw data"
        ) from None
    total = sum(file.size for file in found.values())
    if total > limits.largest_archive_gigabytes * 10**9:
        raise DataError(
            f"{path}: would unpack to {total:,} bytes, more than "
            f"{limits.largest_archive_gigabytes:g} GB; refused"
        )
    return found


def _expected(archive: zipfile.ZipFile, names: set[str]) -> list[zipfile.ZipInfo]:
    files = [info for info in archive.infolist() if not info.is_dir()]
    files = [info for info in files if "__MACOSX" not in info.filename]
    return [info for info in files if Path(info.filename).name in names]


def _refuse_protected_or_bloated(path: Path, info: zipfile.ZipInfo, limits: Limits) -> None:
    name = Path(info.filename).name
    if info.flag_bits & 1:
        raise DataError(f"{path}: {name} is protected by a password; expected a plain zip file")
    if info.file_size > info.compress_size * limits.largest_archive_ratio + 2**20:
        raise DataError(
            f"{path}: {name} would unpack to {info.file_size:,} bytes, more than "
            f"{limits.largest_archive_ratio:g} times its packed size; refused"
        )


def _synthetic(marker: RawFile | None) -> dict | None:
    if marker is None:
        return None
    try:
        return json.loads(b"".join(marker.slices()))
    except ValueError:
        return {"synthetic": True}
