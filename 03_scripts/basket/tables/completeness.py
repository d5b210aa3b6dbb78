"""The result table `completeness`: what is missing or invented, and when that spoils an answer.

A row counts something that may be missing; where its share lies above its limit, the histories of
customers are incomplete (`settings.statistics.incomplete_histories`).
"""

from collections.abc import Iterable

import pandas as pd

from basket.project.origin import PEOPLE, PRICE

INVENTED = {  # how the rows are called
    PRICE: "columns about prices that are invented",
    PEOPLE: "columns about people that are invented",
}
ABSENT = {
    PRICE: "columns about prices that were not received",
    PEOPLE: "columns about people that were not received",
}


def is_invented(completeness: pd.DataFrame, what: str) -> bool:
    """Return whether something about prices or people is invented: so where no row tells."""
    is_told = (completeness["what"] == INVENTED[what]).any()
    return not is_told or _counts(completeness, INVENTED[what]) > 0


def is_absent(completeness: pd.DataFrame, what: str) -> bool:
    """Return whether something about prices or people was not received."""
    return _counts(completeness, ABSENT[what]) > 0


def why_not(completeness: pd.DataFrame, needs: Iterable[str]) -> str:
    """Say why a question has no answer where what it needs was not received; else empty."""
    absent = [
        what if _counts(completeness, ABSENT[what], "of") == missing else f"some columns of {what}"
        for what in needs
        if (missing := _counts(completeness, ABSENT[what]))
    ]
    return f"{' and '.join(absent)} were not received, and none are invented" if absent else ""


def _counts(completeness: pd.DataFrame, what: str, column: str = "found") -> int:
    return int(completeness.loc[completeness["what"] == what, column].astype("int64").sum())


def beyond_limit(completeness: pd.DataFrame) -> pd.DataFrame:
    """Return the rows above their limit: none where histories are whole."""
    share, limit = (pd.to_numeric(completeness[name]) for name in ("share", "limit"))
    return completeness[(share > limit).fillna(False).astype("bool")]


def warning(completeness: pd.DataFrame) -> str:
    """Say that histories are incomplete, by how much, and what follows; empty if they are not."""
    rows = beyond_limit(completeness)
    if rows.empty:
        return ""
    missing = [
        row.what if float(row.of) == 1 else f"{row.what} ({float(row.share):.1%})"
        for row in rows.itertuples()
    ]
    return (
        f"Histories are incomplete: {'; '.join(missing)}. What needs whole histories is not "
        "answered, and nothing is rated high."
    )
