"""Find the raw files as received, by header and by name: which layout, where each one is.

A delivery may mix layouts: each table is taken in the form in which it came, and only what came in
none is fabricated. What was looked at and is not used is named.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from basket.prepare.archives import Contents, is_data, look_into, plain_name, walk
from basket.prepare.layouts import Form, Layout, RawTable, files_not_read, forms, lacking, layouts
from basket.prepare.raw_file import BOM, SLICE_BYTES, RawFile
from basket.prepare.recognise import Seen, check_header
from basket.project.errors import DataError, is_text
from basket.project.files import file_hash
from basket.project.origin import OF_PEOPLE, PEOPLE, PRICE, About, Origin
from basket.project.settings import Limits
from basket.project.stages import graph
from basket.project.yaml_file import read_yaml

__all__ = ["BOM", "SLICE_BYTES", "RawData", "RawFile", "check_header", "find", "has_data"]

MARKER = "SYNTHETIC_DATA.json"
ABOUT = "about.yml"  # in the folder of another shop's data: what it is
SHOWN = 20  # files that a message names
ADVICE = {  # endings of files that are not read, and what to do with such a file
    (".xls", ".xlsx", ".ods", ".numbers", ".parquet", ".feather"): "save {} as CSV UTF-8",
    (".7z", ".rar", ".bz2", ".xz", ".zst"): "unpack {}",
    (".crdownload", ".part", ".download"): "download {} again: it is not whole",
}


@dataclass(frozen=True)
class RawData:
    """The raw files of one delivery, each in one of the forms of layouts.yml.

    `unused` says of each file that was looked at and is not read why not.
    """

    root: Path
    layout: str
    owner: str
    files: dict[str, RawFile]
    received: dict[str, RawTable]
    synthetic: dict | None
    unused: dict[str, str]
    about: About | None = None
    invents: bool = True

    @property
    def fabricated(self) -> tuple[str, ...]:
        """Tables or columns that the delivery lacks and the pipeline fabricates."""
        return lacking(self.received) if self.invents and self.about is None else ()

    @property
    def absent(self) -> tuple[str, ...]:
        """Columns about prices and people that the delivery lacks and nobody fabricates."""
        if self.fabricated:
            return ()
        lacks = lacking(self.received)
        people = [c for c in OF_PEOPLE if {PEOPLE, f"{PEOPLE}.{c}"} & set(lacks)]
        return (PRICE,) * (f"products.{PRICE}" in lacks) + tuple(people)

    @property
    def origin(self) -> Origin:
        """Say whether this data is real, generated, or partly made up."""
        return Origin(self.synthetic, self.fabricated, self.owner, self.absent, self.about)

    @property
    def facts(self) -> dict:
        """Facts of the delivery for later stages and the report."""
        return {
            "layout": self.layout,
            "owner": self.owner,
            "files": {table: file.name for table, file in self.files.items()},
            "synthetic": self.synthetic,
            "fabricated": self.fabricated,
            "absent": self.absent,
            "about": self.about and self.about.model_dump(),
        }

    def listed(self) -> str:
        """Say in one line which files are read, and which are not and why."""
        within = f"{self.root.name}/" if self.root.is_file() else ""
        places = [file.place(self.root) for file in self.files.values()]
        read = ", ".join(place.removeprefix(within) for place in places)
        unused = [f"{place.removeprefix(within)} ({why})" for place, why in self.unused.items()]
        more = f", and {len(unused) - SHOWN} more" * (len(unused) > SHOWN)
        not_used = f"; not used: {', '.join(unused[:SHOWN])}{more}" * bool(unused)
        return f"found {read}{not_used}"

    def hashes(self) -> dict[str, dict]:
        """Return bytes and sha256 of each file on disk, by its place in the folder."""
        return {
            place: {"bytes": path.stat().st_size, "sha256": file_hash(path)}
            for place, path in self._paths()
        }

    def states(self) -> dict[str, tuple]:
        """Return which file each one on disk is, its size and when it changed, by its place."""
        return {place: _state(path) for place, path in self._paths()}

    def _paths(self) -> list[tuple[str, Path]]:
        paths = {file.path for file in self.files.values()}
        return sorted((RawFile(path.name, path, (), 0).place(self.root), path) for path in paths)


def _state(path: Path) -> tuple | None:
    try:
        now = path.stat()
    except OSError:  # taken away
        return None
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def has_data(folder: Path) -> bool:
    """Return whether a folder contains anything but notes for people and hidden files."""

    def not_listed(error: OSError) -> None:
        raise error  # what lies there is never passed over

    found = walk(folder, not_listed) if folder.exists() else []
    return any(is_data(here / name) for here, _, names in found for name in names)


def find(data: Path, limits: Limits) -> RawData:
    """Find the raw files in a folder or archive and check each header.

    Raises DataError, in one line, when the folder does not exist, a file is missing, empty or
    unreadable, or a header is not what it should be.
    """
    found, faults = look(data, limits)
    if faults:
        raise faults[0]
    return found


def look(data: Path, limits: Limits) -> tuple[RawData | None, list[DataError]]:
    """Return what `find` finds, or None, and all the faults for which it is not to be used."""
    try:
        contents = look_into(data, _may_be_data, limits)
        return _Delivery(data, contents).found()
    except DataError as error:
        return None, [error]


def _may_be_data(name: str) -> bool:
    return plain_name(name).endswith((".csv", ".txt", ".tsv")) or plain_name(name) == MARKER.lower()


class _Delivery:
    """The files of a delivery while it is not yet known which table each of them is."""

    def __init__(self, root: Path, contents: Contents):
        """Read the header of each file."""
        self.root, self.contents = root, contents
        self.faults: list[DataError] = []
        self.unused: dict[str, str] = {}
        marked = [file for file in contents.files if file.name == MARKER.lower()]
        self.synthetic = _synthetic(marked[0]) if marked else None
        told = root / ABOUT
        self.about = read_yaml(told, About) if told.is_file() else None
        files = [file for file in contents.files if file not in marked]
        self.seen = [Seen.of(file) for file in sorted(files, key=self._depth)]

    def _depth(self, file: RawFile) -> tuple:
        place = file.place(self.root)
        return len(file.members), place.count("/"), place

    def found(self) -> tuple[RawData | None, list[DataError]]:
        """Return the delivery and its faults."""
        base = self._base()
        if base is None:
            return None, self.faults
        tables: dict[str, tuple[RawFile, Form]] = {}
        for table in graph()["01_import"].makes:
            known = len(self.faults)
            if file := self._file_of(table, base):
                tables[table] = file
            elif table in layouts()[base].tables and len(self.faults) == known:
                self.faults.append(self._missing(table, base))
        if not self.faults:
            self._name_unused({file.place(self.root) for file, _ in tables.values()})
        received = {table: form.raw for table, (_, form) in tables.items()}
        files = {table: file for table, (file, _) in tables.items()}
        layout, owner = _layout_of(base, {table: form for table, (_, form) in tables.items()})
        data = RawData(
            self.root, layout, owner, files, received, self.synthetic, self.unused, self.about
        )
        return data, self.faults

    def _base(self) -> str | None:
        """Return the layout of the order lines: what else belongs to it must be there."""
        named = [form for form in forms() if form.table == "raw_lines" and self._named(form.file)]
        if len({form.file for form in named}) > 1:
            self.faults.append(
                DataError(
                    f"{self.root}: holds both {' and '.join(form.raw.file for form in named)}; "
                    "expected the order lines of one layout: take the other away"
                )
            )
            return None
        if named:
            return named[0].layout
        fitting = [form for seen in self.seen for form in seen.forms("raw_lines")]
        if fitting:
            return min((form.layout for form in fitting), key=self._lacking)
        unread = next(iter(self.contents.faults.values()), None)
        self.faults.append(unread or self._missing("raw_lines", next(iter(layouts()))))
        return None

    def _named(self, file: str) -> bool:
        return any(seen.file.name == file for seen in self.seen)

    def _lacking(self, layout: str) -> int:
        tables = layouts()[layout].tables
        return sum(not any(seen.forms(table) for seen in self.seen) for table in tables)

    def _file_of(self, table: str, base: str) -> tuple[RawFile, Form] | None:
        """Return the file of a table and the form that it has; None where there is none."""
        own = layouts()[base].tables.get(table)
        names = {form.file for form in forms() if form.table == table}
        named = [seen for seen in self.seen if seen.file.name in names]
        if own and any(seen.file.name == own.file.lower() for seen in named):
            named = [seen for seen in named if seen.file.name == own.file.lower()]
        chosen = named or [seen for seen in self.seen if not seen.named and seen.forms(table)]
        if not chosen:
            return None
        first, *others = chosen
        for other in others:
            if not first.is_like(other):
                places = f"{self._inside(first.file)} and {self._inside(other.file)}"
                holds = f"holds {first.file.name} twice ({places}); expected it once: they differ, "
                if first.file.name != other.file.name:
                    form = next(form for form in first.forms(table) if form.table == table)
                    holds = (
                        f"holds two files with the columns of {form.raw.file} ({places}); expected "
                        "one: put parts of one file together under one header, or "
                    )
                self.faults.append(DataError(f"{self.root}: {holds}take one of them away"))
                return None
            self.unused[other.file.place(self.root)] = f"the same as {first.file.place(self.root)}"
        return self._checked(first, table, base)

    def _checked(self, seen: "Seen", table: str, base: str) -> tuple[RawFile, Form] | None:
        """Return a file with its form and spelling; note what is wrong with its header."""
        place = seen.file.place(self.root)
        if not is_text(place):
            self.faults.append(DataError(f"{place}: the name is not UTF-8; rename the file"))
            return None
        fitting = seen.forms(table)
        own = [form for form in fitting if form.layout == base]
        form = next(iter(own or fitting), None)
        try:
            if form is None and self.about:
                form = seen.form_with_less(table)
            if form:
                return seen.as_form(form), form
            known = [one for one in forms() if one.table == table]
            known = [one for one in known if one.layout == base] or known
            seen.file_as(known[0])
        except DataError as error:
            self.faults.append(error)
        return None

    def _missing(self, table: str, base: str) -> DataError:
        """Say that a table's file is missing, what was expected and what lies there instead."""
        for folder in self.contents.folders:
            if plain_name(folder.name) in {form.file for form in forms()}:
                return DataError(f"{folder}: is a folder; expected the file {folder.name}")
        if self.contents.faults:
            return next(iter(self.contents.faults.values()))
        files = [raw.file for raw in layouts()[base].tables.values()]
        expected = ", ".join(files)
        if table == "raw_lines":
            expected = " or ".join(_files_of(layout) for layout in layouts().values())
        file = layouts()[base].tables[table].file
        there = [self._inside(seen.file) for seen in self.seen] + self.contents.others
        more = f" and {len(there) - SHOWN} more" * (len(there) > SHOWN)
        lies = f"; what lies there: {', '.join(there[:SHOWN])}{more}" if there else "; it is empty"
        told = (
            f": {what.format(name)}"
            for endings, what in ADVICE.items()
            for name in self.contents.others
            if name.lower().endswith(endings)
        )
        advice = next(told, "")
        return DataError(f"{self.root}: {file} is missing; expected {expected}{lies}{advice}")

    def _inside(self, file: RawFile) -> str:
        """Where a file lies, as a message says it that names the delivery already."""
        place = file.place(self.root)
        return place.removeprefix(f"{self.root.name}/") if file.path == self.root else place

    def _name_unused(self, used: set[str]) -> None:
        """Name all that was looked at and is not used."""
        for seen in self.seen:
            place = seen.file.place(self.root)
            if place in used or place in self.unused:
                continue
            known = seen.file.name in files_not_read()
            self.unused[place] = "not needed" if known else seen.why_not()
        for place in self.contents.others:
            if not (self.about and place == ABOUT):
                self.unused[place] = "no CSV file"
        for place, fault in self.contents.faults.items():
            self.unused[place] = str(fault).partition("; expected")[0].partition(": ")[2]


def _files_of(layout: Layout) -> str:
    return f"{layout.owner} files ({', '.join(raw.file for raw in layout.tables.values())})"


def _layout_of(base: str, received: dict[str, Form]) -> tuple[str, str]:
    """Return the layout whose columns these are, and whose it is; of a mixture, all of them."""
    columns = {table: form.raw.stored for table, form in received.items()}
    for name, layout in [(base, layouts()[base]), *layouts().items()]:
        if {table: raw.stored for table, raw in layout.tables.items()} == columns:
            return name, layout.owner
    others = [form.layout for table, form in received.items() if not _is_in(base, table, form)]
    mixed = list(dict.fromkeys([base, *others]))
    return "+".join(mixed), " and ".join(layouts()[name].owner for name in mixed)


def _is_in(base: str, table: str, form: Form) -> bool:
    raw = layouts()[base].tables.get(table)
    return raw is not None and raw.stored == form.raw.stored


def _synthetic(marker: RawFile) -> dict:
    """Return what the marker of generated data tells: whatever it holds, the data is generated."""
    try:
        facts = json.loads(b"".join(marker.slices()))
    except ValueError:
        facts = None
    return {"synthetic": True} | (facts if isinstance(facts, dict) else {})
