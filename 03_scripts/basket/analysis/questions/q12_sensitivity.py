"""Q12: how much the labels and the conclusions depend on where the thresholds are.

Each threshold is moved down and up by a fifth, an hour of the day by one, while all others stay.
Which labels change and which conclusions change are two things: a label that no finding uses can be
fragile. Measured on 10,310 customers: 54 moves 1.5 s of CPU, half of it for judging 1,650
comparisons 21 times.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping

import numpy as np
import pandas as pd

from basket.analysis import figure, flags
from basket.analysis.comparisons import VERDICTS
from basket.analysis.conclusions import GOODS, QUIET, RANGES, Conclusions
from basket.analysis.daypart_goods import DaypartGoods
from basket.analysis.finding import (
    DESIGN,
    INVENTED_CUSTOMERS,
    INVENTED_PRICES,
    Evidence,
    Finding,
    TooLittleData,
)
from basket.analysis.privacy import SUPPRESSED, publishable
from basket.analysis.question import WHOM, Question
from basket.analysis.questions.group_words import attribute
from basket.analysis.sensitivity import (
    COMPARISONS,
    PAIRS,
    RANKED,
    UNIT_OF,
    moved,
    relabel_hours,
    thresholds,
)
from basket.analysis.totals import Counts
from basket.analysis.words import capitalised, listed, number
from basket.project.settings import Rules, Settings
from basket.tables.stage import Stage

QUESTION = Question(
    id="Q12",
    title="Sensitivity",
    text="How much do the conclusions depend on the thresholds that we chose?",
    part=WHOM,
)
CHOSEN_PAIRS = "Q11 pairs"
CUSTOMERS = UNIT_OF["customer"]
OF_FLAGS = (CUSTOMERS, UNIT_OF["product"])  # what flags of bands label
COLUMNS = [
    "setting",
    "base",
    "changed",
    "customers_relabelled",
    "headlines_changed",
    "conclusions_changed",
    "unit",
    "relabelled",
    "share_relabelled",
]
ABOUT = {  # what a conclusion says, to follow "changes"
    QUIET: "where the quiet window lies",
    GOODS: "which goods sell better at a time of day",
    RANGES: "which price range holds most money",
    CHOSEN_PAIRS: "which pairs of products are candidates",
}
IN_UNITS: dict[str, Callable[[float], str]] = {  # of thresholds without a flag
    "hour": lambda value: f"{value:02.0f}:00",
    "hours": lambda value: f"{value:g} hours",
    "size": lambda value: f"{value:g}",
    "share": lambda value: f"{value:.2%} of orders",
}
IN_ONE = {  # settings that are named together
    **dict.fromkeys(("waking_hours_from_hour", "waking_hours_until_hour"), "the waking hours"),
    "window_of_hours": "the length of a window",
}


def thresholds_moved(
    stage: Stage, counts: Counts, results: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Move every threshold: the table sensitivity, of the customers, products and hours counted."""
    hours = counts["day_hour"].at("population", "all")
    goods = DaypartGoods.of(stage, counts, results["split_halves"])
    conclusions = Conclusions(counts, results, goods)
    table = sensitivity(
        counts.products,
        (hours["orders"], hours["lines"]),
        stage.rules,
        counts.settings,
        customers_under=conclusions.labels,
        conclusions_under=conclusions.under,
        verdicts_under=conclusions.verdicts,
    )
    return pd.concat([table, supports_moved(results["pair_supports"])], ignore_index=True)


def sensitivity(
    products: pd.DataFrame,
    hours: tuple[np.ndarray, np.ndarray],
    rules: Rules,
    settings: Settings,
    *,
    customers_under: Callable[[Settings], pd.DataFrame],
    conclusions_under: Callable[[Settings], Mapping[str, Hashable]],
    verdicts_under: Callable[[Settings], np.ndarray],
) -> pd.DataFrame:
    """One row per threshold and direction: how many change their label, which conclusions change.

    `hours` are all customers' orders and lines by day and hour, two arrays of 7 x 24.
    `customers_under(settings)` labels the customers, `conclusions_under(settings)` gives the
    conclusion of each finding (its verdict or direction, not its numbers), and
    `verdicts_under(settings)` the verdict of each comparison. conclusions_changed names the
    findings whose conclusion differs, or that only one of the two has; headlines_changed counts
    them.

    `unit` says what the threshold labels: customers, lines (by their product's price range), orders
    (by their day and hour) or comparisons (by their verdict). `relabelled` counts those, of both
    populations, that change any label, share_relabelled is their share; customers_relabelled is 0
    where no customer's label can change. A move that the settings do not allow has its threshold
    and leaves the rest empty.
    """

    def labels_under(changed: Settings, unit: str) -> tuple[pd.DataFrame, np.ndarray]:
        if unit == "lines":
            labels = flags.labels_of("product", products, changed)
            return pd.DataFrame(labels), products["lines"].to_numpy("int64")
        if unit == "orders":
            return relabel_hours(*hours, rules, changed), hours[0].ravel()
        if unit == COMPARISONS:
            verdicts = pd.Categorical(verdicts_under(changed), VERDICTS)
            return pd.DataFrame({"verdict": verdicts}), np.ones(len(verdicts), np.int64)
        labels = customers_under(changed)
        return labels, np.ones(len(labels), np.int64)

    base = {unit: labels_under(settings, unit) for unit in (*UNIT_OF.values(), COMPARISONS)}
    conclusions = dict(conclusions_under(settings))
    rows = []
    for threshold in thresholds(settings):
        labels, weights = base[threshold.unit]
        for direction in (-1, 1):
            row = {"setting": threshold.setting, "base": threshold.value, "unit": threshold.unit}
            if found := moved(settings, threshold, direction):
                value, changed = found
                differs = is_relabelled(labels, labels_under(changed, threshold.unit)[0])
                count = int(weights[differs].sum())
                names = changed_conclusions(conclusions, conclusions_under(changed))
                row |= {
                    "changed": value,
                    "customers_relabelled": count if threshold.unit == "customers" else 0,
                    "headlines_changed": len(names),
                    "conclusions_changed": "; ".join(names),
                    "relabelled": count,
                    "share_relabelled": count / max(1, int(weights.sum())),
                }
            rows.append(row)
    return _as_table(rows)


def supports_moved(supports: pd.DataFrame) -> pd.DataFrame:
    """One row for each other minimum support of pairs, of pair_supports, whose first row is ours.

    `relabelled` counts by how many the pairs that are estimated change.
    """
    base, *others = supports.itertuples()
    rows = []
    for other in others:
        same = other.candidates == base.candidates
        count = abs(other.pairs - base.pairs)
        rows.append(
            {
                "setting": "minimum_support_of_pairs_share",
                "base": base.minimum_support,
                "changed": other.minimum_support,
                "unit": PAIRS,
                "customers_relabelled": 0,
                "headlines_changed": int(not same),
                "conclusions_changed": "" if same else CHOSEN_PAIRS,
                "relabelled": count,
                "share_relabelled": count / max(1, base.pairs),
            }
        )
    return _as_table(rows)


def _as_table(rows: list[dict]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=COLUMNS)
    table = table.astype({"base": "float64", "changed": "float64"})
    table["conclusions_changed"] = table["conclusions_changed"].fillna("")
    whole = ["customers_relabelled", "headlines_changed", "relabelled"]
    return table.astype(dict.fromkeys(whole, "Int64"))


def is_relabelled(base: pd.DataFrame, changed: pd.DataFrame) -> np.ndarray:
    """Say whether any label of a row differs, by number: labels that state a cut move with it."""
    differs = np.zeros(len(base), bool)
    for flag in base.columns:
        differs |= base[flag].cat.codes.to_numpy() != changed[flag].cat.codes.to_numpy()
    return differs


def changed_conclusions(base: Mapping, other: Mapping) -> list[str]:
    """Name the findings whose conclusion differs, or that only one of the two has."""
    names = dict.fromkeys([*base, *other])
    return sorted(
        name for name in names if name not in base or name not in other or base[name] != other[name]
    )


def threshold_in_words(setting: str, value: float, labels: str) -> str:
    """Say a threshold in words: `loyal_above_orders` at 40 is “loyal above 40 orders”.

    `labels` is what it labels, the unit of its row of sensitivity: customers and products are
    labelled by flags, whose units are the words of settings.
    """
    if setting in RANKED:
        return f"{value:g} {setting.replace('_', ' ')}"
    *words, unit = setting.split("_")
    if labels in OF_FLAGS or unit not in IN_UNITS:
        return f"{' '.join(words)} {value:,.10g} {unit}"
    return f"{' '.join(words)} {IN_UNITS[unit](value)}"


def labels_by_threshold(tables: dict, settings: Settings) -> figure.Figure:
    """Draw how many labels of customers depend on each threshold, and what else does."""
    table = tables["sensitivity"]
    table = table[table["unit"] == CUSTOMERS].dropna(subset=["changed"])
    shown = publishable(table, settings, tables.get("habits"))
    of_few = (shown == SUPPRESSED).any(axis=1).to_numpy()
    table = table[~table["setting"].isin(table.loc[of_few, "setting"])]
    if table.empty:
        raise TooLittleData("No threshold that labels customers can be moved.")
    data = table.groupby("setting")["share_relabelled"].max().fillna(0.0)
    data = data.sort_values(ascending=False, kind="stable").reset_index()
    base = table.groupby("setting")["base"].first()
    deciding = set(table.loc[table["headlines_changed"] > 0, "setting"])
    words = {name: threshold_in_words(name, base[name], CUSTOMERS) for name in data["setting"]}
    first = words[data["setting"].iloc[0]]
    changing = tuple(f"{words[name]} (a conclusion changes)" for name in sorted(deciding))
    data["setting"] = [
        words[name] + " (a conclusion changes)" * (name in deciding) for name in data["setting"]
    ]
    s = "s" * (len(deciding) > 1)
    said = "change a conclusion" if len(deciding) > 1 else "changes a conclusion"
    return figure.bars(
        data,
        x="setting",
        series=["share_relabelled"],
        name="sensitivity",
        title=f"Moved by a fifth, {number(len(deciding))} threshold{s} of labels {said}",
        highlight=changing,
        subtitle="Share of customers who get another label when a threshold moves by a fifth, "
        "whichever way changes more, all customers",
        alt=f"Bars by threshold; moving {first} by a fifth relabels up to "
        f"{data['share_relabelled'].max():.0%} of customers. Of the thresholds shown, "
        f"{len(deciding) or 'none'} {said}.",
        sources=("sensitivity",),
        x_title="Threshold",
        y_title="Share of customers",
        number_format=figure.SHARE,
        so_what="A long bar alone is no worry: what counts is whether a conclusion changes with "
        "the label. Conclusions about segments and profiles are not judged again.",
    )


def what_depends(seen: Evidence, settings: Settings) -> Finding:
    """Say which conclusions depend on the thresholds, and which label does."""
    table = seen.tables["sensitivity"]
    by_conclusion: dict[str, dict[str, str]] = {}
    for one in table[table["headlines_changed"] > 0].itertuples():
        row = seen.row("sensitivity", setting=one.setting, changed=one.changed)
        words = threshold_in_words(one.setting, row.cell("base", f"base_{one.setting}"), one.unit)
        for name in row.cell("conclusions_changed", f"changed_{one.Index}").split("; "):
            by_conclusion.setdefault(name, {})[one.setting] = words
    fragile, unused, rests_on = _fragile_label(seen, settings)
    by_conclusion = dict(sorted(by_conclusion.items()))
    about_people = any(name not in ABOUT for name in by_conclusion)
    return Finding(
        headline=_headline(by_conclusion),
        so_what=f"{_as_they_are(by_conclusion)}{_judged_again(settings)} {fragile}",
        action=(
            "State these settings wherever the conclusion is quoted."
            if by_conclusion
            else "Use the thresholds as they are."
        )
        + (" Agree on the most fragile threshold before it is used." if unused else ""),
        action_basis=DESIGN,
        confidence="high",
        rests_on=tuple(sorted({*rests_on, *([INVENTED_CUSTOMERS] if about_people else [])})),
        figure="sensitivity",
        change_mind="A business reason for other thresholds.",
    )


MOST_NAMED = 3  # conclusions in a headline, each with what it depends on


def _headline(by_conclusion: dict[str, dict[str, str]]) -> str:
    if not by_conclusion:
        return "Of the conclusions judged again, none changes when a threshold moves"
    if len(by_conclusion) > MOST_NAMED:
        said = f"our thresholds decide {_once(_about(name) for name in by_conclusion)}"
    else:
        changes: dict[str, list[str]] = {}
        for name, settings in by_conclusion.items():
            changes.setdefault(_once(_plain(each) for each in settings), []).append(name)
        said = "; ".join(
            f"moving {settings} changes {_once(_about(name) for name in names)}"
            for settings, names in changes.items()
        )
    return f"{capitalised(said)}; no other retested conclusion changes"


def _as_they_are(by_conclusion: dict[str, dict[str, str]]) -> str:
    if not by_conclusion:
        return ""
    values = [words for settings in by_conclusion.values() for words in settings.values()]
    return f"As they are: {_once(values)}. "


def _judged_again(settings: Settings) -> str:
    """Say which conclusions are judged under each other threshold, and which are not."""
    groups = listed([attribute(name) for name in settings.banded()])
    return (
        "A threshold moves by a fifth or an hour; judged again are the quiet windows, order values "
        f"and goods by time, price ranges, pairs, and groups by {groups}, and nothing else."
    )


def _about(conclusion: str) -> str:
    if conclusion in ABOUT:
        return ABOUT[conclusion]
    _, words = conclusion.split(" ", 1)
    return f"what is said of {words}"


def _plain(setting: str) -> str:
    """Name a setting without its value: the waking hours, “active from”."""
    if setting in IN_ONE:
        return IN_ONE[setting]
    words = setting.split("_")
    return f"“{' '.join(words if setting in RANKED else words[:-1])}”"


def _once(names: Iterable[str]) -> str:
    return listed(dict.fromkeys(names))


def _fragile_label(seen: Evidence, settings: Settings) -> tuple[str, bool, set[str]]:
    """Say which customers' label depends most on its threshold, and whether a finding uses it."""
    table = seen.tables["sensitivity"]
    table = table[table["unit"] == CUSTOMERS].dropna(subset=["changed"])
    if table.empty or not table["relabelled"].max():
        return "No customer gets another label.", False, set()
    if table["relabelled"].max() < settings.privacy.smallest_group:
        return "Fewer customers than may be shown get another label.", False, set()
    worst = table.sort_values("relabelled", ascending=False, kind="stable").iloc[0]
    row = seen.row("sensitivity", setting=worst["setting"], changed=worst["changed"])
    count, share = row.cell("relabelled"), row.cell("share_relabelled")
    words = threshold_in_words(worst["setting"], row.cell("base", "fragile_base"), CUSTOMERS)
    name = next(one.flag for one in thresholds(settings) if one.setting == worst["setting"])
    flag = settings.flags[name]
    used = flag.question is not None
    invented = {INVENTED_CUSTOMERS} if flag.describes_people else set()
    invented |= {INVENTED_PRICES} if "cents" in flag.source else set()
    said = (
        f"The most fragile label is “{words}”: at {row.changed:,.10g} {flag.unit}, {count:,} "
        f"customers ({share:.0%} of all, active or not) get another label"
        + (f"; {flag.question} uses it." if used else "; no finding uses it.")
    )
    return said, not used, invented
