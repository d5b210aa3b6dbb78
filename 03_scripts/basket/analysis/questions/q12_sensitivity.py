"""Q12: how much the labels and the conclusions depend on where the thresholds are.

Each threshold is moved down and up by a fifth while all others stay. Measured on 206,209 customers:
28 moves 0.9 s, without the time that the conclusions take.
"""

from collections.abc import Callable, Hashable, Mapping

import numpy as np
import pandas as pd

from basket.analysis import figure, flags
from basket.analysis.conclusions import Conclusions
from basket.analysis.finding import Evidence, Finding, Prize
from basket.analysis.question import WHOM, Question
from basket.analysis.sensitivity import UNIT_OF, moved, relabel, relabel_hours, thresholds
from basket.analysis.totals import Counts
from basket.project.settings import Rules, Settings

QUESTION = Question(
    id="Q12",
    title="Sensitivity",
    text="How much do the conclusions depend on the thresholds that we chose?",
    part=WHOM,
)
COLUMNS = [
    "setting",
    "base",
    "changed",
    "customers_relabelled",
    "headlines_changed",
    "unit",
    "relabelled",
    "share_relabelled",
]


def thresholds_moved(counts: Counts, rules: Rules) -> pd.DataFrame:
    """Move every threshold: the table sensitivity, of the customers, products and hours counted."""
    hours = counts["day_hour"].at("population", "all")
    return sensitivity(
        counts.people.customers,
        counts.products,
        (hours["orders"], hours["lines"]),
        rules,
        counts.settings,
        headline_of=Conclusions(counts.people, counts.settings).under,
    )


def sensitivity(
    customers: pd.DataFrame,
    products: pd.DataFrame,
    hours: tuple[np.ndarray, np.ndarray],
    rules: Rules,
    settings: Settings,
    *,
    headline_of: Callable[[Settings], Mapping[Hashable, object]],
) -> pd.DataFrame:
    """One row per threshold and direction: how many change their label, how many conclusions.

    `hours` are all customers' orders and lines by day and hour, two arrays of 7 x 24.
    `headline_of(settings)` gives the conclusion of each finding (its verdict or direction, not its
    numbers) under settings; it is called once for the base and once for each move that changes any
    label, for without another label there is no other conclusion. headlines_changed counts the
    findings whose conclusion differs, or that only one of the two has.

    `unit` says what the threshold labels: customers, lines (by their product's price range) or
    orders (by their day and hour). `relabelled` counts those, of both populations, that change any
    label, share_relabelled is their share; customers_relabelled is 0 where no customer's label can
    change. A move that the settings do not allow has its threshold and leaves the rest empty.
    """

    def labels_under(changed: Settings, unit: str) -> tuple[pd.DataFrame, np.ndarray]:
        if unit == "lines":
            labels = flags.labels_of("product", products, changed)
            return pd.DataFrame(labels), products["lines"].to_numpy("int64")
        if unit == "orders":
            return relabel_hours(*hours, rules, changed), hours[0].ravel()
        return relabel(customers, changed), np.ones(len(customers), np.int64)

    base = {unit: labels_under(settings, unit) for unit in UNIT_OF.values()}
    conclusions = dict(headline_of(settings))
    rows = []
    for threshold in thresholds(settings):
        labels, weights = base[threshold.unit]
        for direction in (-1, 1):
            row = {"setting": threshold.setting, "base": threshold.value, "unit": threshold.unit}
            found = moved(settings, threshold, direction)
            if found is not None:
                value, changed = found
                differs = is_relabelled(labels, labels_under(changed, threshold.unit)[0])
                count = int(weights[differs].sum())
                other = dict(headline_of(changed)) if differs.any() else conclusions
                row |= {
                    "changed": value,
                    "customers_relabelled": count if threshold.unit == "customers" else 0,
                    "headlines_changed": changed_conclusions(conclusions, other),
                    "relabelled": count,
                    "share_relabelled": count / max(1, int(weights.sum())),
                }
            rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    whole = ["customers_relabelled", "headlines_changed", "relabelled"]
    if (table[["base", "changed"]].stack() % 1 == 0).all():
        whole += ["base", "changed"]
    return table.astype(dict.fromkeys(whole, "Int64"))


def is_relabelled(base: pd.DataFrame, changed: pd.DataFrame) -> np.ndarray:
    """Say whether any label of a row differs, by number: labels that state a cut move with it."""
    differs = np.zeros(len(base), bool)
    for flag in base.columns:
        differs |= base[flag].cat.codes.to_numpy() != changed[flag].cat.codes.to_numpy()
    return differs


def changed_conclusions(base: Mapping, other: Mapping) -> int:
    """Count the findings whose conclusion differs, or that only one of the two has."""
    return sum(
        name not in base or name not in other or base[name] != other[name]
        for name in base.keys() | other.keys()
    )


def threshold_in_words(setting: str, value: float) -> str:
    """Say a threshold in words: `loyal_above_orders` at 40 is “loyal above 40 orders”."""
    *words, unit = setting.split("_")
    return f"{' '.join(words)} {value:,g} {unit}"


def labels_by_threshold(tables: dict, settings: Settings) -> figure.Figure:
    """Draw how many labels of customers depend on each threshold."""
    table = tables["sensitivity"]
    table = table[table["unit"] == UNIT_OF["customer"]].dropna(subset=["changed"])
    data = table.pivot_table(
        index="setting",
        columns=np.where(table["changed"] < table["base"], "a fifth lower", "a fifth higher"),
        values="share_relabelled",
        aggfunc="max",
    ).fillna(0.0)
    data = data.loc[data.max(axis=1).sort_values(ascending=False).index].reset_index()
    base = table.groupby("setting")["base"].first()
    data["setting"] = [threshold_in_words(name, base[name]) for name in data["setting"]]
    series = [name for name in ("a fifth lower", "a fifth higher") if name in data]
    first = data.iloc[0]
    return figure.plain_bars(
        data,
        x="setting",
        series=series,
        name="sensitivity",
        title=f"Labels depend most on “{first['setting']}”",
        subtitle="Share of customers who get another label when a threshold moves by a fifth, all "
        "customers",
        alt=f"Bars by threshold; moving {first['setting']} by a fifth relabels up to "
        f"{max(first[series]):.0%} of customers.",
        sources=("sensitivity",),
        x_title="Threshold",
        y_title="Share of customers",
        number_format=figure.SHARE,
    )


def what_depends(seen: Evidence, settings: Settings) -> Finding:
    """Say how much the conclusions depend on the thresholds."""
    table = seen.tables["sensitivity"]
    worst = table.sort_values("customers_relabelled", ascending=False).iloc[0]
    row = seen.row("sensitivity", setting=worst["setting"], changed=worst["changed"])
    relabelled = row.cell("customers_relabelled", "relabelled")
    base, changed = row.base, row.changed
    decisive = []
    for one in table[table["headlines_changed"] > 0].drop_duplicates("setting").itertuples():
        row_of = seen.row("sensitivity", setting=one.setting, changed=one.changed)
        value = row_of.cell("base", f"base_{one.setting}")
        decisive.append(threshold_in_words(one.setting, value))
    return Finding(
        headline=f"Conclusions depend on these thresholds: {', '.join(decisive)}"
        if decisive
        else "No conclusion changes when a threshold moves by a fifth",
        so_what=f"Most depends on “{threshold_in_words(worst['setting'], base)}”: moved to "
        f"{changed:,g}, it gives {relabelled:,} customers another label.",
        action="Agree on these thresholds with those who act on the labels."
        if decisive
        else "Use the thresholds as they are.",
        prize=Prize(what_if=f"{relabelled:,} customers change their label."),
        confidence="medium" if decisive else "high",
        figure="sensitivity",
        change_mind="A business reason for other thresholds.",
    )
