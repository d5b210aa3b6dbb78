"""Parquet files put side by side: their columns are copied as they are stored, not encoded again.

A Parquet file is "PAR1", the stored columns, a footer that says where each column begins, the
footer's length, "PAR1". A column does not say itself where it stands, so it can be copied, and only
the places in the footer move. The footer is a Thrift structure, read and written by the library of
Apache Thrift; its fields are numbered as in parquet.thrift of the Apache Parquet format.
"""

import os
from collections.abc import Sequence
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO

from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

MAGIC = b"PAR1"
METHODS = {
    TType.BOOL: "Bool",
    TType.BYTE: "Byte",
    TType.I16: "I16",
    TType.I32: "I32",
    TType.I64: "I64",
    TType.DOUBLE: "Double",
    TType.STRING: "Binary",
}

# Numbers of fields: of the footer, of an element of its schema, of a row group, of a column in it.
SCHEMA, ROWS, GROUPS = 2, 3, 4
NAME = 4
COLUMNS, GROUP_BYTES, GROUP_ROWS, GROUP_PLACE, GROUP_STORED = 1, 2, 3, 5, 6
COLUMN_PLACE, COLUMN = 2, 3
PATH, PAGES, DICTIONARY = 3, 9, 11
# What our files do not have and would have to change, too: numbers of the columns that a row group
# is sorted by, places of indexes and filters.
NOT_IN_A_GROUP, NOT_IN_A_COLUMN, NOT_STORED = {4}, {4, 6}, {10, 14}


def side_by_side(files: Sequence[Path], empty: Path, target: Path) -> None:
    """Write `target` with the columns of all `files`, which have the same rows in the same groups.

    `empty` is a file without rows that says which columns of which types in which order. Raises
    ValueError where the files do not fit it or each other, or hold what would have to move, too:
    indexes or filters. Columns are not nested.
    """
    footer = _read_footer(empty)
    schema = _of(footer, SCHEMA)[1][1:]
    groups = []
    with target.open("wb") as whole:
        whole.write(MAGIC)
        for path in files:
            by = whole.tell() - len(MAGIC)
            found = _read_footer(path)
            for element in _of(found, SCHEMA)[1][1:]:
                if element not in schema:
                    raise ValueError(f"{_of(element, NAME).decode()} is not a column as expected")
            _copy_columns(path, whole)
            groups.append([_moved(group, by) for group in _of(found, GROUPS)[1]])
        names = [_of(element, NAME) for element in schema]
        joined = [_joined(parts, names) for parts in zip(*groups, strict=True)]
        footer[GROUPS] = TType.LIST, (TType.STRUCT, joined)
        footer[ROWS] = TType.I64, sum(_of(group, GROUP_ROWS) for group in joined)
        written = _encoded(footer)
        whole.write(written + len(written).to_bytes(4, "little") + MAGIC)


def _joined(parts: Sequence[dict], names: list[bytes]) -> dict:
    """One row group with the columns of several, in the order of `names`."""
    if len({_of(part, GROUP_ROWS) for part in parts}) > 1:
        raise ValueError("row groups of different lengths cannot stand side by side")
    columns = list(chain.from_iterable(_of(part, COLUMNS)[1] for part in parts))
    paths = [_of(_of(column, COLUMN), PATH)[1] for column in columns]
    if sorted(paths) != sorted([name] for name in names):
        raise ValueError("expected each column in one of the files")
    columns.sort(key=lambda column: names.index(_of(_of(column, COLUMN), PATH)[1][0]))
    return parts[0] | {
        COLUMNS: (TType.LIST, (TType.STRUCT, columns)),
        **{
            size: (TType.I64, sum(_of(part, size) for part in parts))
            for size in (GROUP_BYTES, GROUP_STORED)
        },
    }


def _moved(group: dict, by: int) -> dict:
    """A row group whose columns stand `by` bytes further on."""
    if group.keys() & NOT_IN_A_GROUP:
        raise ValueError("a row group that says by which columns it is sorted cannot be moved")
    columns = []
    for column in _of(group, COLUMNS)[1]:
        stored = _of(column, COLUMN)
        if column.keys() & NOT_IN_A_COLUMN or stored.keys() & NOT_STORED:
            raise ValueError("a column with an index or a filter cannot be moved")
        columns.append(
            _shifted(column, (COLUMN_PLACE,), by)
            | {COLUMN: (TType.STRUCT, _shifted(stored, (PAGES, DICTIONARY), by))}
        )
    return _shifted(group, (GROUP_PLACE,), by) | {COLUMNS: (TType.LIST, (TType.STRUCT, columns))}


def _shifted(structure: dict, places: Sequence[int], by: int) -> dict:
    """A structure whose `places`, as far as it has them, are moved; 0 is no place."""
    moved = {
        place: (TType.I64, _of(structure, place) + by)
        for place in places
        if place in structure and _of(structure, place)
    }
    return structure | moved


# ---- files ------------------------------------------------------------------------------------


def _footer_size(file: BinaryIO) -> int:
    file.seek(-8, os.SEEK_END)
    return int.from_bytes(file.read(4), "little")


def _read_footer(path: Path) -> dict:
    with path.open("rb") as file:
        size = _footer_size(file)
        file.seek(-8 - size, os.SEEK_END)
        return _read(TCompactProtocol(TMemoryBuffer(file.read(size))), TType.STRUCT)


def _copy_columns(path: Path, target: BinaryIO) -> None:
    """Copy all that stands between the beginning of a file and its footer."""
    with (
        path.open("rb") as file,
        mmap(file.fileno(), 0, access=ACCESS_READ) as content,
        memoryview(content)[len(MAGIC) : -8 - _footer_size(file)] as columns,
    ):
        target.write(columns)


# ---- Thrift: a structure is {number of field: (type, value)}, a list is (type, values) ---------


def _of(structure: dict, field: int):
    """The value of a field."""
    return structure[field][1]


def _read(protocol: TCompactProtocol, kind: int):
    if kind == TType.STRUCT:
        fields = {}
        protocol.readStructBegin()
        while (field := protocol.readFieldBegin())[1] != TType.STOP:
            _, of_kind, number = field
            fields[number] = of_kind, _read(protocol, of_kind)
            protocol.readFieldEnd()
        protocol.readStructEnd()
        return fields
    if kind == TType.LIST:
        of_kind, size = protocol.readListBegin()
        values = [_read(protocol, of_kind) for _ in range(size)]
        protocol.readListEnd()
        return of_kind, values
    return getattr(protocol, f"read{METHODS[kind]}")()


def _write(protocol: TCompactProtocol, kind: int, value) -> None:
    if kind == TType.STRUCT:
        protocol.writeStructBegin(None)
        for number, (of_kind, of_field) in sorted(value.items()):
            protocol.writeFieldBegin(None, of_kind, number)
            _write(protocol, of_kind, of_field)
            protocol.writeFieldEnd()
        protocol.writeFieldStop()
        protocol.writeStructEnd()
    elif kind == TType.LIST:
        of_kind, values = value
        protocol.writeListBegin(of_kind, len(values))
        for each in values:
            _write(protocol, of_kind, each)
        protocol.writeListEnd()
    else:
        getattr(protocol, f"write{METHODS[kind]}")(value)


def _encoded(structure: dict) -> bytes:
    buffer = TMemoryBuffer()
    _write(TCompactProtocol(buffer), TType.STRUCT, structure)
    return buffer.getvalue()
