"""Split a large raw file by customer on a cluster: workers read slices, then join parts.

Each slice becomes one file of fragments, one record batch for each part; then each part is put
together from its fragments in the order of the file. The slices are those of `RawFile.slices`, and
so the parts are, byte for byte, those that one machine writes as it reads.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from basket.prepare.raw_file import SLICE_BYTES, RawFile
from basket.prepare.read_csv import Reader
from basket.tables import store

LOOK_BACK = 64 * 1024  # bytes in which nearly every line ends


def cut(file: RawFile, size: int = SLICE_BYTES) -> list[tuple[int, int]]:
    """Return where each slice of an unpacked file begins and ends: always after a whole line."""
    cuts = {0, file.size}
    with file.path.open("rb") as stream:
        for begin, end in pairwise([*range(0, file.size, size), file.size]):
            cuts.add(_after_last_line(stream, begin, end))
    return list(pairwise(sorted(cuts)))


def _after_last_line(stream, begin: int, end: int) -> int:
    """Return the position after the last line that ends from `begin` to `end`; 0 if none does."""
    for start in (max(begin, end - LOOK_BACK), begin):
        stream.seek(start)
        found = stream.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
    return 0


def split_slice(
    place: tuple[int, int], reader: Reader, sort_by_part: Callable, folder: Path, columns: list[str]
) -> tuple:
    """Parse one slice, sort its rows by part and write them as fragments.

    Returns (these columns of its rows, where each part starts among them), bad rows, lines.
    """
    begin, end = place
    with reader.file.path.open("rb") as stream:
        stream.seek(begin)
        text = stream.read(end - begin)
    found = reader.parse(text if begin else text.partition(b"\n")[2])  # without the header
    rows, starts = sort_by_part(found.rows)
    with TemporaryDirectory(dir=folder.parent, prefix="attempt-") as attempt:
        written = Path(attempt) / "fragments"
        with pa.OSFile(str(written), "wb") as file, pa.ipc.new_file(file, rows.schema) as fragments:
            for first, last in pairwise(starts.tolist()):
                fragments.write_batch(_one_batch(rows.slice(first, last - first)))
        written.replace(_fragments(folder, begin))
    return (rows.select(columns), starts), found.bad, found.lines


def _one_batch(rows: pa.Table) -> pa.RecordBatch:
    batches = rows.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=rows.schema)


def _fragments(folder: Path, begin: int) -> Path:
    """File with the fragments of the slice that begins there."""
    return folder / f"slice-{begin}.arrow"


def join_part(part: int, table: str, parts: int, places: list, slices: Path, folder: Path) -> dict:
    """Put one part together from the fragments of all slices; return what the sidecar says of it.

    Holds about one row group in memory.
    """
    with TemporaryDirectory(dir=folder.parent, prefix="attempt-") as attempt:
        with store.PartWriters(Path(attempt), table, 1, of_parts=parts) as writers:
            for begin, _ in places:
                with pa.OSFile(str(_fragments(slices, begin))) as file:
                    rows = pa.Table.from_batches([pa.ipc.open_file(file).get_batch(part)])
                writers.add(rows, [0, rows.num_rows])
        path = store.part_file(folder, part)
        store.part_file(Path(attempt), 0).replace(path)
    return store.describe_part(path, writers.rows)
