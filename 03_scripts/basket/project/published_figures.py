"""The figures that other analyses have printed: published_figures.csv, which two rooms read."""

import pandas as pd

from basket.project.folders import ROOT

PATH = ROOT / "01_project_management" / "published_figures.csv"


def read_published() -> pd.DataFrame:
    """Read the published figures, one row each: figure, key (text), value, where and more."""
    return pd.read_csv(PATH, keep_default_na=False, dtype={"key": str})
