"""One raw file: its bytes, unpacked from whatever it lies in, in slices that end with a line."""

import csv
import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from basket.prepare.spelling import AS_EXPECTED, Spelling
from basket.project.errors import DataError

SLICE_BYTES = 4 * 2**20  # what is parsed of it stays in the processor's cache
LONGEST_HEADER = 64 * 1024  # bytes
LONGEST_LINE = 64 * 2**20  # bytes; what has none is no text of lines
MOST_IN_MEMORY = 10**9  # bytes of a file that is read in one piece: products, customers
BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"  # how a gzip file begins
GZIPPED = ""  # the member that a gzip file holds: it has no name
# What a damaged archive or file raises when it is read; RuntimeError includes NotImplementedError.
UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError)
UNREADABLE += (RuntimeError,)


def _as_expected(_: "RawFile") -> Spelling:
    return AS_EXPECTED


@dataclass(frozen=True)
class RawFile:
    """One raw file: in a folder, in an archive, or in an archive within an archive.

    `members` leads from the file `path` through archives to it. `names` maps each column of its
    header to the name under which it is stored, None for people's. Written in another way than
    expected, it is read as if it were not: `spelling` says how, which `look` finds out.
    """

    name: str
    path: Path
    members: tuple[str, ...]
    size: int
    names: dict[str, str | None] = field(default_factory=dict)
    look: Callable[["RawFile"], Spelling] = field(default=_as_expected, compare=False, repr=False)

    @cached_property
    def spelling(self) -> Spelling:
        """How it is written: found when it is first read, as that loads pyarrow."""
        return self.look(self)

    def place(self, root: Path) -> str:
        """Where it lies below a folder, archives like folders: `data.zip/orders.csv`."""
        inside = self.path.relative_to(root).as_posix() if self.path != root else self.path.name
        return "/".join([inside, *(member for member in self.members if member != GZIPPED)])

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
                file = _open_member(file, member, opened)
            yield file

    def slices(self, size: int = SLICE_BYTES) -> Iterator[bytes]:
        """Yield the file in slices of about `size` bytes that end with a line; no BOM.

        Each comes in the spelling that is expected, line for line.
        """
        if self.spelling == AS_EXPECTED:
            yield from self._received(size)
            return
        received = self._received(size)
        if self.spelling.has_text:  # a row may go on in the next slice
            received = [b"".join(received)]
        for number, text in enumerate(received):
            yield self.spelling.respelled(text, has_header=number == 0)

    def head(self, size: int) -> bytes:
        """Return the first whole lines of the file as received, about `size` bytes; no BOM."""
        first = next(self._pieces(size), b"")
        return first if len(first) < size - len(BOM) else first[: first.rfind(b"\n") + 1]

    def digest(self) -> str:
        """Return the hash of the file as received."""
        found = sha256()
        for piece in self._pieces(SLICE_BYTES):
            found.update(piece)
        return found.hexdigest()

    def whole(self) -> bytes:
        """Return the file as received; no BOM. Raises DataError where that is too much."""
        self.require_room()
        return b"".join(self._received(SLICE_BYTES))

    def require_room(self) -> None:
        """Raise DataError where the file is too large to be read in one piece."""
        if self.size > MOST_IN_MEMORY:
            raise DataError(
                f"{self.name}: found {self.size:,} bytes, expected at most {MOST_IN_MEMORY:,}: it "
                "is read in one piece"
            )

    def _received(self, size: int) -> Iterator[bytes]:
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
        """Yield the file in pieces of up to `size` bytes, wherever a line ends; no BOM.

        Raises DataError at its end when it has another size than it had, or than its archive says.
        """
        read = 0
        try:
            with self.open() as file:
                while (piece := file.read(size)) and read <= self.size:
                    yield piece if read else piece.removeprefix(BOM)
                    read += len(piece)
        except UNREADABLE as error:
            raise DataError(
                f"{self.path.name}: {self.name} cannot be unpacked or read ({error}); "
                "expected a whole file, get it again"
            ) from None
        if read != self.size:
            more = "more than " if read > self.size else ""
            raise DataError(
                f"{self.path.name}: {self.name}: found {more}{min(read, self.size):,} bytes, "
                f"expected {self.size:,}: the file has changed meanwhile, or its archive says so "
                "wrongly; wait until it is complete, or get it again"
            )

    def header(self) -> list[str]:
        """Return the column names in the first line. Raises DataError when there is none."""
        return self.spelling.header(self.received_header(self.spelling.separator))

    def received_header(self, separator: str = ",") -> list[str]:
        """Return the fields of the first line, as received and split by this separator."""
        first = next(self._pieces(LONGEST_HEADER), b"")
        line, end, _ = first.partition(b"\n")
        line = line.rstrip(b"\r")
        if not line.strip():
            if first.strip():
                above = "expected a header: take out what is empty above it"
                raise DataError(f"{self.name}: the first line is empty; {above}")
            raise DataError(f"{self.name}: the file is empty; expected a header and rows")
        if not end and len(first) >= LONGEST_HEADER - len(BOM):
            raise DataError(
                f"{self.name}: the first line is longer than {LONGEST_HEADER:,} bytes; expected "
                f"a UTF-8 CSV file with a header and a row on each line{_advice(first)}"
            )
        try:
            if b"\0" in line:
                raise ValueError("NUL bytes, as in UTF-16")
            return next(csv.reader([line.decode("utf-8")], strict=True, delimiter=separator))
        except (ValueError, csv.Error):
            raise DataError(
                f"{self.name}: the first line is not readable text; expected a UTF-8 "
                f"CSV file with a header{_advice(first)}"
            ) from None


def _advice(start: bytes) -> str:
    """Say what a file that begins so looks like and what to do; empty where nothing tells it."""
    if start.startswith(GZIP):
        return ": it looks like a gzip file; unpack it, or let its name end with .gz"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start[1:4:2]:
        return ": it looks like UTF-16, a spreadsheet's Unicode text; save it as CSV UTF-8"
    if start.startswith(b"PK\x03\x04"):
        return ": it looks like a workbook or an archive; save it as CSV UTF-8, or unpack it"
    if b"\r" in start.rstrip(b"\r\n"):
        return ": its lines end with CR alone, as on old Macs; save it with LF or CRLF"
    return ""


def _open_member(file: BinaryIO, member: str, opened: ExitStack) -> BinaryIO:
    """Open what an opened archive holds under this name."""
    if member == GZIPPED:
        return opened.enter_context(gzip.GzipFile(fileobj=file))
    if not is_tar(file):
        archive = opened.enter_context(zipfile.ZipFile(file))
        return opened.enter_context(archive.open(member))
    archive = opened.enter_context(tarfile.TarFile(fileobj=file))
    for info in archive:  # stops at the member: the rest is not unpacked
        if info.name == member:
            return opened.enter_context(archive.extractfile(info))
    raise ValueError(f"{member} is not in it any more")


def is_tar(file: BinaryIO) -> bool:
    """Whether an opened file begins like a tar archive; its position is the start again."""
    block = file.read(512)
    file.seek(0)
    return block[257:262] == b"ustar"
