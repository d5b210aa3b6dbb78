"""The result table `completeness`: what is missing or invented, and when that spoils an answer.

A row counts something that may be missing; where its share lies above its limit, the histories of
customers are incomplete (`settings.statistics.incomplete_histories`).
"""

import pandas as pd


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
