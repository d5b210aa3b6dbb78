"""Read archives for which nobody vouches: what they claim of themselves is held against what is.

Python's zipfile, tarfile and gzip trust an archive's own words: how many entries it has, how large
each one is packed, how long a name is. A few megabytes can so cost minutes and gigabytes.
"""

import zipfile
from pathlib import Path
from typing import BinaryIO

from basket.project.errors import DataError

MOST_ENTRIES = 1000  # of one archive
MOST_DIRECTORY = 2**20  # bytes of a zip file's list of entries
MOST_AT_ONCE = 64 * 2**20  # bytes that are read in one piece
TIMES_PACKED = 50  # so many times its size may be unpacked of an archive only to see what it holds
FREE = 64 * 2**20  # bytes beyond which a claim is held against an archive
LOCAL_HEADER = 30  # bytes, at least, before the content of a zip file's entry


class Budget:
    """How many bytes may still be unpacked of one file on the disk to see what it holds."""

    def __init__(self, path: Path, packed: int):
        """Allow as many as fit a file of this size."""
        self.path, self._left = path, packed * TIMES_PACKED + FREE

    def spend(self, size: int) -> None:
        """Take bytes from it; raise DataError when it is spent."""
        self._left -= size
        if self._left < 0:
            raise DataError(
                f"{self.path}: more than {TIMES_PACKED} times its size would have to be unpacked "
                "to see what it holds; refused"
            )


class Guarded:
    """A stream that is read within a budget, in pieces of a limited size and up to a place."""

    def __init__(self, file: BinaryIO, budget: Budget, most: int | None = None, name: str = ""):
        """Allow the first `most` bytes of a file of this name, all without it."""
        self._file, self._budget, self._most, self._name = file, budget, most, name
        self.at_once = MOST_AT_ONCE
        self.asked = 0  # up to this place

    def read(self, size: int | None = -1) -> bytes:
        """Read up to `size` bytes; raise DataError beyond a limit."""
        allowed = self.at_once + 1
        size = allowed if size is None or size < 0 else min(size, allowed)
        if self._most is not None:
            size = min(size, self._most + 1)
        self.asked = max(self.asked, self._file.tell() + size)
        piece = self._file.read(size)
        if len(piece) > self.at_once:
            raise DataError(
                f"{self._budget.path}: its list of entries, or the description of one, is larger "
                f"than {self.at_once:,} bytes; refused"
            )
        self._budget.spend(len(piece))
        self._allow(self._file.tell())
        return piece

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place; what is unpacked on the way is spent. Raises DataError beyond a limit."""
        before = self._file.tell()
        if whence == 0:
            self._allow(place)
            self.asked = max(self.asked, place)
            self._budget.spend(place - before if place >= before else place)
            return self._file.seek(place)
        found = self._file.seek(place, whence)
        self._budget.spend(abs(found - before))
        return found

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Whether one can go back in it: always."""
        return True

    def _allow(self, place: int) -> None:
        if self._most is not None and place > self._most:
            raise DataError(
                f"{self._budget.path}: {self._name} would unpack to more than {self._most:,} "
                "bytes, which is more than the settings allow for its packed size; refused"
            )


class Packed:
    """The packed bytes below a gzip file: refused where they unpack to next to nothing.

    Long names, empty members one after the other and zeros at the end cost time and give no byte.
    """

    def __init__(self, file: BinaryIO, path: Path):
        """Read a file from its start; `unpacked` is what is made of it."""
        self._file, self._path, self.unpacked = file, path, None

    def read(self, size: int = -1) -> bytes:
        """Read packed bytes; raise DataError when they are many and unpack to little."""
        piece = self._file.read(size)
        asked = self.unpacked.asked if self.unpacked else 0
        if self._file.tell() > 2 * asked + FREE // 64:
            raise DataError(f"{self._path}: is mostly filling that unpacks to nothing; refused")
        return piece

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Whether one can go back in it: always."""
        return True


def open_zip(file: BinaryIO, size: int, budget: Budget) -> zipfile.ZipFile:
    """Open a zip file of this size; raise DataError if it cannot be what it says it is.

    The list of its entries is limited before it is read: its length is told at the file's end.
    """
    guarded = Guarded(file, budget)
    guarded.at_once = MOST_DIRECTORY
    archive = zipfile.ZipFile(guarded)
    guarded.at_once = MOST_AT_ONCE
    entries = archive.infolist()
    require_few(budget.path, len(entries))
    end = size
    for info in sorted(entries, key=lambda info: info.header_offset, reverse=True):
        if info.header_offset + LOCAL_HEADER + info.compress_size > end:
            name = Path(info.filename).name
            raise DataError(
                f"{budget.path}: {name} would be {info.compress_size:,} bytes packed, for which "
                "there is no room in the archive; refused"
            )
        end = info.header_offset
    return archive


def require_few(path: Path, entries: int) -> None:
    """Raise DataError for an archive of more entries than anybody's data."""
    if entries > MOST_ENTRIES:
        raise DataError(
            f"{path}: holds more than {MOST_ENTRIES:,} entries; expected an archive with the raw "
            "data and little else; refused"
        )
