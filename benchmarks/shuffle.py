"""The same data set with the lines' file in random order, the worst case for both sides.

python benchmarks/shuffle.py DATA TARGET
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

LINES = "orders_products_prior.csv"
SEED = 2017


def main(data: str, target: str) -> None:
    """Copy the files; put the lines into a random order, the same every time."""
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    lines = pa_csv.read_csv(Path(data) / LINES)
    order = np.random.default_rng(SEED).permutation(lines.num_rows)
    options = pa_csv.WriteOptions(quoting_style="none")
    pa_csv.write_csv(lines.combine_chunks().take(pa.array(order)), folder / LINES, options)
    for file in Path(data).glob("*"):
        if file.name != LINES:
            shutil.copy(file, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
