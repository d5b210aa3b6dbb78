"""What several questions ask of groups of customers: do their ordering habits differ?"""

import numpy as np
import pandas as pd

from basket.analysis import comparisons, figure
from basket.analysis.finding import (
    DESIGN,
    DIFFERENCE,
    HYPOTHESIS,
    INVENTED_CUSTOMERS,
    INVENTED_PRICES,
    LESS,
    MORE,
    Evidence,
    Finding,
    Prize,
    Row,
    TooLittleData,
    Touch,
)
from basket.analysis.measures import HABITS, RATIOS, share_of
from basket.analysis.questions import group_words as words
from basket.analysis.questions.group_halves import OVERALL, group_ratios, held_equal, topic_of
from basket.analysis.verdicts import NO_DIFFERENCE, UNDECIDED
from basket.analysis.where import where
from basket.analysis.words import at_most, capitalised, listed
from basket.project.settings import Settings

OF_DOLLARS = {"mean_order_value", "mean_item_price"}
EQUAL_INCOME = (
    " The comparison at equal income uses the bands of income that hold the group and others: {}."
)


def order_value_ratios(tables: dict, grouping: str, settings: Settings) -> pd.DataFrame:
    """One row per group: its mean order value over that of the others, with its interval."""
    table = group_ratios(tables, "tests", grouping, settings)
    table = table[table["measure"] == "mean_order_value"].dropna(subset="effect_low")
    if table.empty:
        raise TooLittleData(f"No two groups by {words.attribute(grouping)} can be compared.")
    return table.rename(
        columns={"group_a": "group", "effect": "ratio"}
        | {f"effect_{end}": f"ratio_{end}" for end in ("low", "high")}
    ).reset_index(drop=True)


def value_of_groups(tables: dict, grouping: str, name: str, settings: Settings) -> figure.Figure:
    """Draw the value of an order by group, times that of the others."""
    data = order_value_ratios(tables, grouping, settings)
    data = data.sort_values("ratio", ascending=False, kind="stable", ignore_index=True)
    held = held_equal(tables, grouping, settings)
    word, equal, noun = words.attribute(grouping), words.held_equal(held), words.NOUN[grouping]
    proven = data[where(for_headline="yes")]
    data["effect_low"], data["effect_high"] = data["ratio_low"], data["ratio_high"]
    first, last = data.iloc[0], data.iloc[-1]
    return figure.dots(
        data,
        x="group",
        y="ratio",
        name=name,
        title=f"The value of an order differs by {word}{equal}"
        if len(proven)
        else f"No {noun}'s order value differs from the others' by more than "
        f"{at_most(_limits(data).max())}{equal}"
        if within_small(data, settings)
        else f"No {noun}'s order value is proven to differ from the others'{equal}",
        subtitle=f"Mean order value by {word}{equal}, times that of the others, active customers, "
        + figure.with_intervals(settings),
        alt=f"Dots with intervals by {word}: mean order value runs from {last['ratio']:.2f} times "
        f"that of the others ({last['group']}) to {first['ratio']:.2f} times ({first['group']}).",
        sources=("tests",),
        x_title=capitalised(noun),
        y_title="Times the others' mean order value",
        band=figure.no_difference(settings),
        so_what=f"Only a {noun} whose interval lies outside of the grey band spends enough more or "
        "less on an order to be treated on its own.",
    )


def within_small(table: pd.DataFrame, settings: Settings) -> bool:
    """Whether every interval of a ratio lies where no difference matters; False without any."""
    smallest = settings.statistics.effects.ratio[0]
    inside = (table["effect_low"] > 1 / smallest) & (table["effect_high"] < smallest)
    return len(table) > 0 and bool((inside & (table["reason"] == "")).all())


def whether_groups_differ(
    seen: Evidence, grouping: str, settings: Settings, **said: str
) -> Finding:
    """Say which ordering habits differ between the groups of one attribute, and how sure that is.

    `said` is what the finding says besides.
    """
    word, held = words.attribute(grouping), held_equal(seen.tables, grouping, settings)
    tests = seen.tables["tests"]
    overall = tests[where(grouping=grouping, measure=HABITS, effect_name=OVERALL)]
    if overall.dropna(subset="effect").empty:  # a single group has nothing to differ from
        groups = seen.tables["habits"][where(population="active", grouping=grouping)]["group"]
        if (groups == settings.labels.missing).all():
            raise TooLittleData(f"No customer's {word} is known.")
        raise TooLittleData(f"All customers whose {word} is known are in one group.")
    overall = overall[(overall["adjusted_for"] == held) & overall["effect"].notna()]
    said |= {"rests_on": (INVENTED_PRICES, INVENTED_CUSTOMERS)}
    chosen = seen.tables["split_halves"]
    if (chosen["topic"] == topic_of(grouping, held)).any():
        return _difference(seen, grouping, held, settings, said)
    proven = overall[where(for_headline="yes")]
    if len(proven):
        return _only_overall(seen, grouping, held, proven, said | _not_alone(word))
    ratios = group_ratios(seen.tables, "tests", grouping, settings)
    ratios = ratios[ratios["measure"].isin(RATIOS)]
    if within_small(ratios, settings):
        same = (overall["verdict"] == NO_DIFFERENCE).all()
        rest = _rest_is_decided(tests[tests["grouping"] == grouping], settings)
        return _no_difference(seen, grouping, held, ratios, same and rest, said)
    return _undecided(seen, grouping, held, ratios, settings, said)


def _not_alone(word: str) -> dict:
    """Advise not to target by an attribute alone: what a finding says of its action."""
    return {
        "action": f"Do not target by {word} alone.",
        "action_basis": DESIGN,
        "touches": (Touch(direction=LESS, attribute=word),),
    }


def _nothing_follows(word: str) -> dict:
    """Advise nothing where it is not known whether an attribute matters: that is no reason to act.

    Nor is it a reason to leave an attribute out, which needs proof that it does not matter.
    """
    return {"action": f"No action follows: whether to target by {word} is not known."}


def _rest_is_decided(tests: pd.DataFrame, settings: Settings) -> bool:
    """Whether days, times of day and goods are the same: by the commonest, or by all shares.

    A limit that is missing decides nothing.
    """
    effects = settings.statistics.effects
    names = ("orders in the", "orders at the", share_of(""))
    for kind, name in zip(
        ("commonest daypart", "commonest day", "commonest department"), names, strict=True
    ):
        v = tests.loc[tests["measure"] == kind, "effect_high"]
        shares = tests[tests["measure"].str.startswith(name) & tests["effect_name"].isin(OVERALL)]
        by_share = len(shares) and (shares["verdict"] == NO_DIFFERENCE).all()
        if not (len(v) and (v < effects.cramers_v[0]).all()) and not by_share:
            return False
    return True


def _difference(
    seen: Evidence, grouping: str, held: str, settings: Settings, said: dict
) -> Finding:
    """Name the group that stands out, with the size that the second half gives."""
    row = seen.row("split_halves", topic=topic_of(grouping, held))
    group, measure, confirmed = row.group, row.measure, row.confirmed
    ratio, low, high = row.effect, row.effect_low, row.effect_high
    who = words.who(grouping, group)
    if not OF_DOLLARS & {measure}:
        said = said | {"rests_on": (INVENTED_CUSTOMERS,)}
    if confirmed != "yes":
        first = words.does(measure, row.effect_first_half)
        return Finding(
            kind=UNDECIDED,
            headline=f"Whether ordering habits differ by {words.attribute(grouping)}"
            f"{words.held_equal(held)} is undecided with this data",
            so_what=f"On one half of the customers, {who} {first}; the other half does not confirm "
            f"it.{_covered(seen, group_ratios(seen.tables, 'tests', grouping, settings), held)}",
            confidence="low",
            **said | _nothing_follows(words.attribute(grouping)),
        )
    share = seen.row("group_shares", grouping=grouping, group=group)
    part = share.cell("share_of_spend", "spend_share")
    covered = ""
    if not held and grouping in comparisons.made_at_equal_income(settings):
        covered = " Incomes are not known here, so income may be behind it."
    if held == comparisons.INCOME:
        table = (
            "tests" if measure in seen.tables["tests"]["measure"].to_numpy() else "department_lifts"
        )
        names = {"grouping": grouping, "group_a": group, "measure": measure, "adjusted_for": held}
        share_covered = seen.row(table, **names, effect_name="ratio").covered
        covered = EQUAL_INCOME.format(f"{share_covered:.0%} of all orders")
    return Finding(
        kind=DIFFERENCE,
        headline=words.opening(held) + f"{who} {words.does(measure, ratio)}",
        so_what=f"Chosen on one half of the customers and measured on the other: interval "
        f"{words.interval(measure, low, high)}.{covered}",
        action=f"{words.offer(measure, ratio, who)}, against a control group.",
        action_basis=HYPOTHESIS,
        touches=(
            Touch(
                direction=MORE if ratio > 1 else LESS,
                attribute=words.attribute(grouping),
                segment=str(group),
            ),
        ),
        confidence="high",
        prize=Prize(
            what_if=f"{part:.1%} of spend comes from {who}.",
            spend=share.cell("spend", "group_spend"),
            share_of_spend=part,
        ),
        **said,
    )


def _only_overall(
    seen: Evidence, grouping: str, held: str, proven: pd.DataFrame, said: dict
) -> Finding:
    """Name the habit that differs between groups of which none is proven to stand out."""
    shown = proven.sort_values("effect", ascending=False, key=abs, kind="stable").iloc[0]
    names = {name: shown[name] for name in ("measure", "effect_name")}
    row = seen.row("tests", grouping=grouping, adjusted_for=held, **names)
    word, measure = words.attribute(grouping), words.HABIT[shown["measure"]]
    return Finding(
        kind=DIFFERENCE,
        headline=capitalised(
            f"{measure} {words.verb(measure, 'differs', 'differ')} by {word}"
            f"{words.held_equal(held)}; no single {words.NOUN[grouping]} is proven to stand out"
        ),
        so_what=f"{_explained(row, shown['effect_name'], word, measure)}.",
        confidence="high",
        **said,
    )


def _explained(row: Row, effect_name: str, word: str, measure: str) -> str:
    """Put an effect into words; epsilon squared is the share of differences that is explained."""
    effect, low, high = (
        row.cell(f"effect{limit}", unit=effect_name) for limit in ("", "_low", "_high")
    )
    if effect_name == "epsilon_squared":
        return (
            f"{word.capitalize()} explains {effect:.1%} of how customers differ in {measure} "
            f"(interval {low:.1%} to {high:.1%})"
        )
    return (
        f"For {measure}, Cliff's delta between the two groups by {word} is {effect:.2f} (interval "
        f"{low:.2f} to {high:.2f})"
    )


def _limits(ratios: pd.DataFrame) -> pd.Series:
    """How far each group may be from the others, up or down."""
    return np.maximum(ratios["effect_high"] - 1, 1 - ratios["effect_low"])


def _row_of(seen: Evidence, shown: pd.Series):
    names = ["grouping", "group_a", "measure", "adjusted_for", "effect_name"]
    return seen.row("tests", **{name: shown[name] for name in names})


def _ceiling(seen: Evidence, ratios: pd.DataFrame, name: str) -> float:
    """Read the largest difference that these intervals allow, as a share."""
    shown = ratios.loc[_limits(ratios).idxmax()]
    row = _row_of(seen, shown)
    low, high = row.cell("effect_low", f"{name}_low"), row.cell("effect_high", f"{name}_high")
    return max(high - 1, 1 - low)


def _no_difference(
    seen: Evidence, grouping: str, held: str, ratios: pd.DataFrame, decided: bool, said: dict
) -> Finding:
    """Say how far groups may differ at most; undecided where times or goods may still differ."""
    noun, equal = words.NOUN[grouping], words.held_equal(held)
    of_value = _ceiling(seen, ratios[ratios["measure"] == "mean_order_value"], "value")
    of_any = _ceiling(seen, ratios, "any")
    habits = listed(words.HABIT[name] for name in RATIOS if name in set(ratios["measure"]))
    headline = (
        f"No {noun}'s order value differs from the others' by more than {at_most(of_value)}{equal}"
    )
    most = f"In {habits} they differ by {at_most(of_any)} at most"
    covered = _covered(seen, ratios, held)
    word = words.attribute(grouping)
    if grouping == comparisons.LOYALTY or decided:
        rest = ", and in days, times of day and goods by too little to matter"
        if grouping == comparisons.LOYALTY:
            rest = "; days, times of day and goods were not compared in these orders"
        return Finding(
            kind=NO_DIFFERENCE,
            headline=headline,
            so_what=f"{most}{rest}.{covered}",
            confidence="high",
            **said | _not_alone(word),
        )
    return Finding(
        kind=UNDECIDED,
        headline=headline,
        so_what=f"{most}; whether they differ in their habits as a whole, or in days, times of day "
        f"or goods, is undecided.{covered}",
        confidence="low",
        **said | _nothing_follows(word),
    )


def _undecided(
    seen: Evidence, grouping: str, held: str, ratios: pd.DataFrame, settings: Settings, said: dict
) -> Finding:
    """Say what this data does not exclude, and how many customers would most likely decide it."""
    return Finding(
        kind=UNDECIDED,
        headline=f"Whether ordering habits differ by {words.attribute(grouping)}"
        f"{words.held_equal(held)} is undecided with this data",
        so_what=_what_is_open(seen, grouping, ratios, settings) + _covered(seen, ratios, held),
        confidence="low",
        **said | _nothing_follows(words.attribute(grouping)),
    )


def _covered(seen: Evidence, ratios: pd.DataFrame, held: str) -> str:
    """Say in bands of income with how many of all orders groups can be compared."""
    known = ratios.dropna(subset=["covered", "effect_low"])
    known = known.sort_values("covered", kind="stable")
    if held != comparisons.INCOME or known.empty:
        return ""
    ends = (known.iloc[place] for place in (0, -1))
    least, most = (
        f"{_row_of(seen, end).cell('covered', name):.0%}"
        for end, name in zip(ends, ("covered_least", "covered_most"), strict=True)
    )
    part = (
        f"{least} of all orders" if least == most else f"{least} to {most} of all orders, by group"
    )
    return EQUAL_INCOME.format(part)


def _what_is_open(seen: Evidence, grouping: str, ratios: pd.DataFrame, settings: Settings) -> str:
    """Name the group that may be farthest from the others, or why none can be named."""
    known = ratios.dropna(subset="effect_low")
    sure = known[known["reason"] == ""]
    if sure.empty:
        return f"No {words.NOUN[grouping]} has enough customers to conclude anything from."
    smallest = settings.statistics.effects.ratio[0]
    may_matter = (sure["effect_high"] >= smallest) | (sure["effect_low"] <= 1 / smallest)
    if not may_matter.any():
        row = _row_of(seen, ratios[ratios["reason"] != ""].iloc[0])
        who, measure = words.who(grouping, row.group_a), words.HABIT[row.measure]
        return f"Nothing can be concluded about {measure} of {who}: {row.reason}."
    sure = sure[may_matter]
    shown = sure.loc[_limits(sure).idxmax()]
    row = _row_of(seen, shown)
    who, low, high = words.who(grouping, row.group_a), row.effect_low, row.effect_high
    needed = " Many times these customers would be needed to decide it."
    if low >= smallest or high <= 1 / smallest:
        what, needed = "among so many comparisons this may be chance", ""
    elif low <= 1 <= high:
        what = "this data allows both a difference that matters and none"
    else:
        what = "this data allows both a difference that matters and one too small to matter"
    if not pd.isna(shown["customers_to_decide"]):
        number = row.cell("customers_to_decide", "needed")
        needed = f" About {number:,} {who} would most likely decide it."
    may = words.may(shown["measure"], low, high)
    return f"{capitalised(who)} may {may}: {what}.{needed}"
