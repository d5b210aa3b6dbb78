"""Q9: which classes the demographics suggest: goods by income, steps in age and income."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from basket.analysis import cut_points, figure, statistics
from basket.analysis.cut_points import floats
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
    if_invented,
    is_invented,
)
from basket.analysis.groups import People
from basket.analysis.measures import TELLING_GOODS, measures, share_of
from basket.analysis.question import PEOPLE, PRICE, WHOM, Question
from basket.analysis.questions import group_words as words
from basket.analysis.questions.group_differences import OF_DOLLARS, whether_groups_differ
from basket.analysis.questions.group_halves import (
    LESS_GOODS,
    MORE_GOODS,
    OVERALL,
    group_ratios,
    telling_goods,
)
from basket.analysis.totals import Counts
from basket.analysis.verdicts import UNDECIDED
from basket.analysis.where import where
from basket.analysis.words import capitalised, listed
from basket.project.settings import Settings

QUESTION = Question(
    id="Q9",
    title="Classifications",
    text="Which classifications do age, income, goods and family status suggest?",
    part=WHOM,
    needs=(PRICE, PEOPLE),
)
MOST_DEPARTMENTS = 6  # shown by income
AGES_PER_ROW = 4  # years
KEEP_THE_USUAL = "Keep the usual age and income groups."
KEEP_INVENTED = "Keep the usual age and income groups: these people are invented."
MORE_CUSTOMERS = "More customers: a smaller gain over the usual cuts could then be proven."
ENDS = ("", "_low", "_high")  # of the columns of an effect


def course_cuts(settings: Settings) -> dict[str, list[float]]:
    """Where the groups of people by age and income begin: the cuts by the column they cut."""
    flags = (settings.flags[name] for name in ("age_group", "income_group"))
    return {flag.source: flag.cuts for flag in flags}


def bands(counts: Counts) -> pd.DataFrame:
    """Compare the steps that a search proposes with the course's cuts, for active customers."""
    people, settings = counts.active_people, counts.settings
    values = customer_measures(people, settings)
    return cut_points.bands(people.customers, values, course_cuts(settings), settings)


def customer_measures(people: People, settings: Settings) -> pd.DataFrame:
    """One value per customer of what bands could explain; missing where nothing can be divided.

    Mean item price (dollars), order value (dollars an order), income (dollars a year) as a measure
    of age, and the shares of the customer's lines in the departments of TELLING_GOODS.
    """
    values = measures(people, settings)
    shares = [share_of(name) for name in people.departments if name in TELLING_GOODS]
    return pd.DataFrame(
        {
            "mean_item_price": values["mean_item_price"](),
            "mean_order_value": values["mean_order_value"](),
            "income": floats(people.customers["income"]),
            **{name: values[name]() for name in shares},
        }
    )


def income_by_age(counts: Counts) -> pd.DataFrame:
    """Average the income of active customers by age, in rows of four years, with its interval."""
    people = counts.active_people.by_id().customers
    people = people[people["income"].notna() & people["age"].notna()]
    first = floats(people["age"]) // AGES_PER_ROW * AGES_PER_ROW
    starts = np.unique(first)
    inside = (first[:, None] == starts).astype(float)
    of_age = inside * floats(people["income"])[:, None]
    mean = statistics.product([of_age], [inside], counts.settings.statistics.confidence)
    return pd.DataFrame(
        {
            "ages": [f"{age:.0f}-{age + AGES_PER_ROW - 1:.0f}" for age in starts],
            "customers": inside.sum(axis=0).astype(int),
            "mean_income": mean.ratio,
            "mean_income_low": mean.low,
            "mean_income_high": mean.high,
        }
    )


def goods_by_income(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the departments that differ most by income, weighted by their share of order lines."""
    table = group_ratios(tables, "department_lifts", "income_group", settings)
    table = table[table["effect"] > 0]
    size = table.groupby("measure")["effect"].transform("size")
    table = table[size == size.max()]  # where a group may not be shown, none is
    if table["effect_low"].isna().all():
        raise TooLittleData("No two income groups have enough customers to be compared.")
    spread = table.groupby("measure")["effect"].agg(lambda lifts: np.log(lifts.max() / lifts.min()))
    lines = tables["departments"][where(population="active")].set_index("department")["lines"]
    weight = spread * spread.index.map(lines / lines.sum())
    chosen = weight.sort_values(ascending=False).index[:MOST_DEPARTMENTS]
    wide = table[table["measure"].isin(chosen)].pivot(
        index="measure", columns="group_a", values=["effect", "effect_low", "effect_high"]
    )
    groups = [name for name in settings.flags["income_group"].labels if name in wide["effect"]]
    if len(groups) < 2:
        raise TooLittleData("No two income groups have enough customers to be compared.")
    intervals = {name: [f"{name}, low", f"{name}, high"] for name in groups}
    columns = {name: wide["effect"][name] for name in groups}
    for name, (low, high) in intervals.items():
        columns |= {low: wide["effect_low"][name], high: wide["effect_high"][name]}
    data = pd.DataFrame(columns).loc[chosen].rename_axis("department").reset_index()
    top = data.iloc[0]
    proven = table[table["measure"].isin(chosen)][where(for_headline="yes")]
    told = set(telling_goods(tables, settings)) & set(chosen)
    return figure.dots_of_classes(
        data,
        x="department",
        series=groups,
        intervals=intervals,
        name="goods_by_income",
        title="Income goes with what is in the basket"
        if len(proven) or told
        else "No department shown is proven to be bought more or less by income",
        subtitle="A department's share of the group's order lines, times the others' share, active "
        "customers, " + figure.with_intervals(settings),
        alt="Dots of the share of order lines by income group, times the others' share, for the "
        f"departments that differ most; in {words.goods(top['department'])} the groups run from "
        f"{min(top[groups]):.2f} to {max(top[groups]):.2f}.",
        sources=("department_lifts",),
        x_title="Department",
        y_title="Times the others' share of order lines",
        band=figure.no_difference(settings),
        so_what="A department in which the three classes lie apart is one that income goes with."
        + if_invented(tables, INVENTED_CUSTOMERS),
    )


def mean_income_by_age(tables: dict, settings: Settings) -> figure.Figure:
    """Draw income over age, where a step may be."""
    data = tables["income_by_age"]
    data = data[data["customers"] >= settings.privacy.smallest_group]
    if data.empty:
        raise TooLittleData("No age has enough customers with an income to be shown.")
    data, left_out = figure.sure_enough(data, "mean_income")
    runs = f"runs from ${data['mean_income'].min():,.0f} to ${data['mean_income'].max():,.0f}"
    invented = "invented " * is_invented(tables, PEOPLE)
    step = tables["bands"][
        where(attribute="age", measure="income", method="proposed", confirmed="yes")
    ]
    return figure.line(
        data,
        x="ages",
        y="mean_income",
        name="income_by_age",
        title=f"Mean {invented}income {runs} over the ages"
        if step.empty
        else f"{invented}incomes have a step at age {_listed(step['cuts'].iloc[0])}".capitalize(),
        subtitle=f"Mean {invented}income by age, active customers, "
        + figure.with_intervals(settings)
        + left_out,
        alt=f"Line of mean {invented}income by age; it {runs} a year.",
        sources=("income_by_age", "bands"),
        x_title="Age in years",
        y_title="US dollars a year",
        number_format=figure.DOLLARS,
        so_what="Classes of age are worth cutting where income steps, not in between."
        + if_invented(tables, INVENTED_CUSTOMERS),
    )


def _listed(cuts: str, attribute: str = "age") -> str:
    """Say cuts in words: `35 and 65`, of income `$48,000 and $60,000`."""
    each = str(cuts).split(" | ")
    if attribute == "income":
        each = [f"${float(cut):,.0f}" for cut in each]
    return listed(each)


def by_income(seen: Evidence, settings: Settings) -> Finding:
    """Say whether income suggests a classification by what is bought."""
    said = {
        "figure": "goods_by_income",
        "change_mind": "Real incomes: those of this data were made up for a course."
        if is_invented(seen.tables, PEOPLE)
        else "Other customers, whose incomes go with other goods.",
    }
    halves = seen.tables["split_halves"]
    confirmed = halves[where(confirmed="yes")]["topic"].to_list()
    chosen = halves["topic"].to_list()
    topics = [topic for topic in (MORE_GOODS, LESS_GOODS) if topic in chosen]
    sure = [topic for topic in topics if topic in confirmed]
    unsure = _proven_overall(seen, [topic for topic in topics if topic not in sure])
    if not sure and not unsure:
        return whether_groups_differ(seen, "income_group", settings, **said)
    if not sure:
        shares = listed([f"of {_goods(seen, topic)}" for topic in unsure])
        return Finding(
            kind=DIFFERENCE,
            headline=f"Income goes with the share {shares} in customers' baskets; which incomes "
            "buy more is not confirmed",
            so_what=" ".join(_explained(seen, topic, also=False) for topic in unsure),
            confidence="medium",
            rests_on=(INVENTED_CUSTOMERS,),
            action="No action follows: which incomes buy more is not known.",
            **said,
        )
    group, told = _told(seen, sure)
    who = words.who("income_group", group)
    return Finding(
        kind=DIFFERENCE,
        headline=f"{capitalised(who)}' baskets hold "
        + listed(
            [
                f"{told[topic].ratio:.1f} times {whose} of {told[topic].goods}"
                for topic, whose in zip(sure, ("the others' share", "that"), strict=False)
            ]
        ),
        so_what=" ".join(
            [_measured(told, sure), *(_explained(seen, topic, also=True) for topic in unsure)]
        ),
        confidence="high",
        **said | _offer(seen, group, told[sure[0]]),
    )


class Told(NamedTuple):
    """What the half kept aside tells of one department."""

    department: str
    goods: str  # in words
    ratio: float
    low: float
    high: float


def _told(seen: Evidence, topics: list[str]) -> tuple[str, dict[str, Told]]:
    """Read the group, and what the half kept aside tells of each topic."""
    group, told = "", {}
    for topic in topics:
        row = seen.row("split_halves", topic=topic)
        group, department = row.group, row.cell("measure", topic)
        limits = [row.cell(f"effect{end}", f"{topic}, effect{end}") for end in ENDS]
        told[topic] = Told(department, words.goods(department), *limits)
    return group, told


def _measured(told: dict[str, Told], topics: list[str]) -> str:
    """Say how the ratios were found, with their intervals."""
    intervals = listed(
        [
            f"{told[topic].low:.1f} to {told[topic].high:.1f} for {told[topic].goods}"
            for topic in topics
        ]
    )
    return (
        "Chosen on one half of the customers and measured on the other, with "
        f"{'intervals' if len(topics) > 1 else 'an interval'} of {intervals}."
    )


def _proven_overall(seen: Evidence, topics: list[str]) -> list[str]:
    """Keep the topics whose department goes with income by how customers' own shares differ."""
    tests = seen.tables["tests"]
    tests = tests[where(grouping="income_group", effect_name=OVERALL)]
    proven = set(tests[where(for_headline="yes")]["measure"])
    goods = seen.tables["split_halves"].set_index("topic")["measure"]
    return [topic for topic in topics if share_of(goods[topic]) in proven]


def _goods(seen: Evidence, topic: str) -> str:
    """Say what goods a topic is about."""
    return words.goods(seen.row("split_halves", topic=topic).cell("measure", topic))


def _explained(seen: Evidence, topic: str, also: bool) -> str:
    """Say that customers' own shares go with income, though no group is confirmed to buy more.

    The second half may even tell the opposite of the first; of too few buyers it tells nothing.
    """
    chosen = seen.row("split_halves", topic=topic)
    department, reason = chosen.cell("measure", topic), chosen.reason
    row = _overall_row(seen, grouping="income_group", measure=share_of(department))
    kind = row.effect_name
    effect, low, high = (row.cell(f"effect{end}", f"{topic}, overall{end}", kind) for end in ENDS)
    size = (
        f"explains {effect:.1%} of how customers differ in it (interval {low:.1%} to {high:.1%})"
        if kind == "epsilon_squared"
        else f"sets them {effect:.2f} apart by Cliff's delta (interval {low:.2f} to {high:.2f})"
    )
    if reason:
        rest = f"but which incomes buy more cannot be said ({reason})"
    else:
        who = words.who("income_group", chosen.group)
        ratio, low, high = (chosen.cell(f"effect{end}", f"{topic}, effect{end}") for end in ENDS)
        rest = (
            f"but which incomes buy more is not confirmed: on the half kept aside the baskets of "
            f"{who} hold {ratio:.1f} times the others' share (interval {low:.1f} to {high:.1f})"
        )
    goods = words.goods(department)
    return f"Income {'also ' * also}goes with the share of {goods}: it {size}, {rest}."


def _overall_row(seen: Evidence, **names: str) -> Row:
    """Find the overall test of a measure; it has another effect where there are two groups."""
    tests = seen.tables["tests"]
    kinds = set(tests["effect_name"][where(**names, effect_name=OVERALL)(tests)])
    return seen.row("tests", **names, effect_name=next(iter(kinds)))


def _offer(seen: Evidence, group: str, told: Told) -> dict:
    """Say what to try with what a group buys more of, or less; and what the group spends."""
    row = seen.row("group_shares", grouping="income_group", group=group)
    share, spend = row.cell("share_of_spend", "spend_share"), row.cell("spend", "group_spend")
    who = words.who("income_group", group)
    touch = Touch(
        direction=MORE if told.ratio > 1 else LESS,
        attribute="income",
        segment=group,
        department=told.department,
    )
    return {
        "action": f"{words.offer(told.department, told.ratio, who)}, against a control group that "
        "sees what it usually buys.",
        "action_basis": HYPOTHESIS,
        "touches": (touch,),
        "rests_on": (INVENTED_CUSTOMERS,),
        "prize": Prize(
            what_if=f"{share:.1%} of spend comes from {who}.", spend=spend, share_of_spend=share
        ),
    }


def steps(seen: Evidence, settings: Settings) -> Finding:
    """Say which cut points in age and income the data itself proposes, if they beat the usual."""
    table = seen.tables["bands"]
    proposed = table[where(method="proposed")].dropna(subset="r2_confirm_half")
    if proposed.empty:
        raise TooLittleData("Too few customers have a known age or income to look for steps.")
    found = proposed[proposed["cuts"] != ""]
    said = {"figure": "income_by_age", "rests_on": (INVENTED_CUSTOMERS,), "action_basis": DESIGN}
    said["change_mind"] = MORE_CUSTOMERS
    undecided = {"kind": UNDECIDED, "action": KEEP_THE_USUAL, "confidence": "low"}
    if found.empty:
        seen.evidence.append("bands")
        return Finding(
            headline="The search proposes no cut points of age or income",
            so_what="No cut adds enough to what the mean of all customers tells.",
            **said | undecided,
        )
    found = _by_gain_where_searched(found, table)
    confirmed = found[where(confirmed="yes")]
    best, *others = (confirmed if len(confirmed) else found).itertuples()
    attribute, measure, of = best.attribute, best.measure, _in_words(best.measure, seen)
    if (attribute, measure) != ("age", "income"):
        said["figure"] = ""  # which draws income over age
    if OF_DOLLARS & {measure, *(other.measure for other in others if len(confirmed))}:
        said["rests_on"] = (INVENTED_PRICES, INVENTED_CUSTOMERS)
    row, usual = (
        seen.row("bands", attribute=attribute, measure=measure, method=method)
        for method in ("proposed", "course")
    )
    cuts = f"{attribute} {_listed(row.cell('cuts', unit=attribute), attribute)}"
    several, tell = ("steps", "tell") if " and " in cuts else ("a step", "tells")
    explained, usual_r2 = (
        f"{share:.1%}" if share > 0 else "nothing"
        for share in (row.cell("r2_confirm_half", "r2"), usual.cell("r2_confirm_half", "usual_r2"))
    )
    compared = (
        f"Found on one half of the customers; on the other it explains {explained} of how they "
        f"differ in {of}, the usual cuts {usual_r2}"
    )
    if confirmed.empty:
        return Finding(
            headline="No other cut points of age or income are confirmed to beat the usual ones",
            so_what=f"The best found, {cuts} for {of}, may beat them all the same. {compared}.",
            **said | undecided,
        )
    gain, low, high = row.cell("gain_over_course", "gain"), row.gain_low, row.gain_high
    return Finding(
        kind=DIFFERENCE,
        headline=f"{capitalised(of)} {words.verb(of, 'has', 'have')} {several} at "
        f"{cuts}, which {tell} more than the usual cuts",
        so_what=f"{compared}: {100 * gain:.1f} percentage points more (interval {100 * low:.1f} to "
        f"{100 * high:.1f}).{_also(others, seen)}",
        action=_where_to_cut(attribute, cuts, seen),
        confidence="high",
        **said | {"change_mind": _real_demographics(seen)},
    )


def _by_gain_where_searched(found: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Put steps in the order of what they add on the half searched."""
    usual = table[where(method="course")].set_index(["attribute", "measure"])["r2_search_half"]
    keys = pd.MultiIndex.from_frame(found[["attribute", "measure"]])
    gain = found["r2_search_half"].to_numpy() - usual.reindex(keys).to_numpy()
    return found.iloc[np.argsort(-gain, kind="stable")]


def _also(others: list, seen: Evidence) -> str:
    """Name the other steps that are confirmed."""
    if not others:
        return ""
    steps = [f"of {_in_words(other.measure, seen)} over {other.attribute}" for other in others]
    return f" Steps {listed(steps)} are confirmed, too."


def _where_to_cut(attribute: str, cuts: str, seen: Evidence) -> str:
    """Say where to cut an attribute; as usual, where a step is one of people who do not exist."""
    if is_invented(seen.tables, PEOPLE):
        return KEEP_INVENTED
    at = cuts.removeprefix(attribute).strip()
    return f"Where customers must be classed by {attribute}, cut it at {at}."


def _real_demographics(seen: Evidence) -> str:
    if is_invented(seen.tables, PEOPLE):
        return "Real demographics: a clean step is a sign of made-up data."
    return "Other customers, in whom the step lies elsewhere."


def _in_words(measure: str, seen: Evidence) -> str:
    if measure == "income":
        return f"{'invented ' * is_invented(seen.tables, PEOPLE)}incomes"
    department = measure.removeprefix(share_of(""))
    if department != measure:
        return f"the share of {words.goods(department)}"
    return words.HABIT[measure]
