"""Result tables as text: the one way in which numbers are written."""

import re

import pandas as pd

MONEY = ("spend", "spend_per_customer")  # two decimals; all other fractions six


def to_csv(table: pd.DataFrame) -> str:
    """A result table as text: money two decimals, other fractions six, missing left empty.

    A carriage return in a name becomes a line break: unquoted, it would end the row.
    """
    shown = table.copy()
    for name in shown.columns:
        if pd.api.types.is_float_dtype(shown[name]):
            decimals = 2 if name in MONEY else 6
            shown[name] = [
                "" if pd.isna(value) else f"{round(value, decimals) + 0.0:.{decimals}f}"
                for value in shown[name]
            ]
    text = shown.to_csv(index=False, lineterminator="\n")
    if "\r" in text:
        texts = shown.select_dtypes(exclude="number").columns
        shown[texts] = shown[texts].astype(object).replace(re.compile("\r\n?"), "\n")
        text = shown.to_csv(index=False, lineterminator="\n")
    return text
