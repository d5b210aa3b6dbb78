"""Select rows of result tables by name: a misspelt name stops the run, it is no lack of data."""

from collections.abc import Callable, Iterable

import pandas as pd

from basket.analysis.measures import UNITS
from basket.project.dictionary import columns_of, result_column


def where(**names: str | Iterable[str]) -> Callable[[pd.DataFrame], pd.Series]:
    """Select rows, as in `table[where(grouping="region")]`: each column holds (one of) its names.

    A name that no row has must at least be known: the names of customers' columns for a grouping,
    an attribute or a measure, those of `UNITS` for a measure too, else those that the dictionary
    allows. Raises ValueError for any other, KeyError for a column that the table lacks.
    """

    def mask(table: pd.DataFrame) -> pd.Series:
        chosen = pd.Series(True, table.index)
        for column, given in names.items():
            wanted = {given} if isinstance(given, str) else set(given)
            unknown = wanted - _known(column) - set(table[column].unique())
            if unknown:
                raise ValueError(f"no {column} is called {', '.join(sorted(unknown))}")
            chosen &= table[column].isin(wanted)
        return chosen

    return mask


def _known(column: str) -> set[str]:
    if column in ("grouping", "attribute", "measure"):
        of_customers = {found.name for found in columns_of("analysis_customers")}
        return of_customers | (set(UNITS) if column == "measure" else set())
    return set(result_column(column).allowed)
