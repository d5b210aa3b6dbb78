"""Q11: which products are bought together in one order, and by whom. Active customers only.

Pairs are chosen on the first half of the customers; every number printed is the second half's: the
highest of many owes a part of its place to chance. `analysis/pairs.py` says what chance gives.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.comparisons import codes_of
from basket.analysis.finding import (
    BOTH,
    CANDIDATE,
    DESIGN,
    HYPOTHESIS,
    INVENTED_CUSTOMERS,
    SALES,
    Evidence,
    Finding,
    Prize,
    Row,
    TooLittleData,
)
from basket.analysis.pairs import LIFTS, MINIMUM_SUPPORT, WITHIN, Half, chosen_and_described
from basket.analysis.privacy import MOST_OF_ONE
from basket.analysis.question import WHOM, Question
from basket.analysis.statistics.ratios import against_others
from basket.analysis.totals import Counts
from basket.analysis.verdicts import UNDECIDED
from basket.project.settings import Settings
from basket.tables.stage import Stage
from basket.tables.sums import sum_by

QUESTION = Question(
    id="Q11",
    title="Bought together",
    text="Which products are bought together, and by whom?",
    part=WHOM,
)
MOST_BUYER_PAIRS = 5  # of which the buyers are shown


def bought_together(stage: Stage, counts: Counts) -> dict[str, pd.DataFrame]:
    """Make the tables product_pairs, pair_buyers and pair_supports.

    pair_supports says how many pairs each minimum support leaves, and which are candidates.
    """
    settings = counts.settings
    by_support, people = chosen_and_described(stage, counts.products, settings)
    tables = {
        support: product_pairs(chosen, people, counts.products, settings)
        for support, chosen in by_support.items()
    }
    pairs, labels = tables[MINIMUM_SUPPORT], counts.people.labels
    return {
        "product_pairs": pairs.reset_index(drop=True),
        "pair_buyers": pair_buyers(
            pairs, people, labels.take(counts.users.locate(people.users)), settings
        ),
        "pair_supports": pd.DataFrame(
            {
                "minimum_support": list(tables),
                "pairs": [len(chosen) for chosen in by_support.values()],
                "candidates": [candidates_in_words(table) for table in tables.values()],
            }
        ),
    }


def candidates_in_words(pairs: pd.DataFrame) -> str:
    """Name the candidates by the ids of their products, the lowest first."""
    found = pairs[pairs["candidate"] == "yes"].sort_values(["product_a", "product_b"])
    return "; ".join(f"{row.product_a} + {row.product_b}" for row in found.itertuples())


NAMES = [f"{name}_{side}" for name in ("product", "product_name", "department") for side in "ab"]
COUNTED = ["orders_with_both", "customers_with_both", "orders_with_a", "orders_with_b"]
SHARES = ["support", "confidence_a_to_b", "confidence_b_to_a"]
ESTIMATES = [f"{name}{end}" for name in LIFTS for end in ("", "_low", "_high")]
JUDGED = ["p_value", "effective_customers", "largest_share", "reason", "candidate"]
COLUMNS = [*NAMES, "half", "choice", "effect_first_half", *COUNTED, *SHARES, *ESTIMATES, *JUDGED]


def product_pairs(
    chosen: pd.DataFrame, people: Half, products: pd.DataFrame, settings: Settings
) -> pd.DataFrame:
    """One row per pair: what the second half of the customers says of it, the surest first.

    The index is that of `chosen`, the pair's column in the arrays of `people`. `choice` is its
    place in the choice on the first half. Support is a share of the active orders; a confidence is
    the share of the orders with one product that also hold the other. `effective_customers` is the
    smallest one, `p_value` the largest one, of the three lifts that a candidate needs. A pair is a
    `candidate` where nothing stands against concluding (`reason`) and all three exceed 1 beyond
    doubt, of all pairs estimated (Bonferroni). Left out is a pair of fewer buyers than the smallest
    group, and one of which more than half is one customer's.
    """
    known, number = products.set_index("product_key"), len(chosen)

    def of_pair(choice: int, row_of: tuple) -> dict:
        pair, key_a, key_b, in_first = row_of
        row = {"half": "second", "choice": choice, "effect_first_half": in_first}
        for side, of_side in (("a", known.loc[key_a]), ("b", known.loc[key_b])):
            row |= {f"product_{side}": of_side["product_id"]}
            row |= {f"{name}_{side}": str(of_side[name]) for name in ("product_name", "department")}
        return row | _counts(people, pair) | _estimates(people, pair, number, settings)

    with ThreadPoolExecutor(settings.limits.threads) as pool:
        rows = list(pool.map(of_pair, count(1), chosen.itertuples()))
    table = pd.DataFrame(rows, columns=COLUMNS, index=chosen.index)
    shown = (table["customers_with_both"] >= settings.privacy.smallest_group) & (
        table["largest_share"] <= MOST_OF_ONE
    )
    by_size = "lift_given_size_low"
    order = [by_size, "product_a", "product_b"]
    return table[shown].sort_values(order, ascending=[False, True, True], kind="stable")


def _counts(people: Half, pair: int) -> dict:
    a, b, both = (
        int(each[:, pair].sum(dtype=np.int64)) for each in (people.a, people.b, people.both)
    )
    buyers = int(np.count_nonzero(people.both[:, pair]))
    shares = both / max(1, int(people.orders.sum())), both / max(1, a), both / max(1, b)
    return dict(zip(COUNTED + SHARES, (both, buyers, a, b, *shares), strict=True))


def _estimates(people: Half, pair: int, pairs: int, settings: Settings) -> dict:
    limits = settings.statistics
    found = people.lifts(pair, limits.confidence)
    row = {}
    for name, each in found.items():
        low, high = float(each.low[0]), float(each.high[0])
        row |= {name: float(each.ratio[0]), f"{name}_low": low, f"{name}_high": high}
    proof = [found[name] for name in LIFTS[1:]]
    reasons = [str(each.reason(limits)[0]) for each in proof]
    p_value = float(np.max([each.p_value[0] for each in proof]))
    above = all(each.ratio[0] > 1 for each in proof)
    proven = not any(reasons) and above and p_value < limits.significance / pairs
    return row | {
        "p_value": p_value,
        "effective_customers": float(np.min([each.effective_customers[0] for each in proof])),
        "largest_share": float(proof[0].largest_share[0]),
        "reason": next(filter(None, reasons), ""),
        "candidate": "yes" if proven else "no",
    }


def pair_buyers(
    pairs: pd.DataFrame, people: Half, labels: pd.DataFrame, settings: Settings
) -> pd.DataFrame:
    """Who buys the first pairs: the share of each group's customers who ever had both in one order.

    One row per pair of the first in `product_pairs`, and group that has customers; active customers
    of the second half, whose `labels` these are. `effect` is that share over the share of the
    others. A group `stands_out` where this is not 1 beyond doubt, of all groups here (Bonferroni).
    Who orders more often has more chances to be a buyer: read loyalty groups with that in mind. The
    table is exact and describes small groups of customers: it is published through the suppression
    only.
    """
    limits, tables = settings.statistics, []
    for pair in headline_first(pairs).head(MOST_BUYER_PAIRS).itertuples():
        bought = people.both[:, pair.Index] > 0
        for grouping in settings.banded():
            codes, groups = codes_of(labels, grouping, settings.labels.missing)
            found = against_others(
                bought, np.ones(len(bought)), codes, len(groups), limits.confidence
            )
            known = codes >= 0
            table = pd.DataFrame(
                {
                    "product_a": pair.product_a,
                    "product_b": pair.product_b,
                    "grouping": grouping,
                    "group": groups,
                    "half": "second",
                    "customers": np.bincount(codes[known], minlength=len(groups)),
                    "buyers": sum_by(codes[known], bought[known], len(groups)),
                    "effect": found.ratio,
                    "effect_low": found.low,
                    "effect_high": found.high,
                    "p_value": found.p_value,
                    "effective_customers": found.effective_customers,
                    "largest_share": found.largest_share,
                    "reason": found.reason(limits),
                }
            )
            tables.append(table[table["customers"] > 0])
    if not tables:
        return pd.DataFrame(columns=BUYERS)
    table = pd.concat(tables, ignore_index=True)
    compared = max(1, table["p_value"].notna().sum())
    proven = (table["reason"] == "") & (table["p_value"] < limits.significance / compared)
    share = table["buyers"] / table["customers"]
    return table.assign(share=share, stands_out=np.where(proven, "yes", "no"))[BUYERS]


BUYERS = ["product_a", "product_b", "grouping", "group", "half", "customers", "buyers", "share"]
BUYERS += ["effect", "effect_low", "effect_high", *JUDGED[:-1], "stands_out"]


def headline_first(pairs: pd.DataFrame) -> pd.DataFrame:
    """Order pairs as the finding takes them: candidates first, then pairs across departments.

    Pairs that are no candidates keep the order of the first half: the second chooses nothing.
    """
    rank = np.where(pairs["candidate"] == "yes", np.arange(len(pairs)), pairs["choice"])
    return (
        pairs.assign(
            _no=pairs["candidate"] != "yes",
            _same=pairs["department_a"] == pairs["department_b"],
            _rank=rank,
        )
        .sort_values(["_no", "_same", "_rank"], kind="stable")
        .drop(columns=["_no", "_same", "_rank"])
    )


# ---- figure and finding -----------------------------------------------------------------------


def _some_pairs(tables: dict) -> pd.DataFrame:
    pairs = tables["product_pairs"]
    if pairs.empty:
        raise TooLittleData("No two products are bought together by enough customers.")
    return headline_first(pairs)


def strongest_pairs(tables: dict, settings: Settings) -> figure.Figure:
    """Draw the pairs of the finding's kind: how much more often than basket size explains."""
    table = _some_pairs(tables).dropna(subset="lift_given_size_low").head(10)
    table = table[table["lift_given_size_low"] > 0]
    table = table.sort_values("lift_given_size_low", ascending=False, kind="stable")
    if table.empty:
        raise TooLittleData("No two products are bought together by enough customers.")
    names = zip(table["product_name_a"], table["product_name_b"], strict=True)
    table = table.assign(pair=[f"{_short(a)} + {_short(b)}" for a, b in names])
    first, proven = table.iloc[0], (table["candidate"] == "yes").sum()
    candidates = tuple(table.loc[table["candidate"] == "yes", "pair"])
    times = f"{first['lift_given_size']:.1f} times as often as basket size explains"
    why = first["reason"] or "more than customers' own habits explain is not proven"
    are = "1 pair is a candidate" if proven == 1 else f"{proven} pairs are candidates"
    return figure.dots(
        table,
        x="pair",
        y="lift_given_size",
        name="product_pairs",
        title=f"{are} for a trial of offers"
        if proven
        else "No pair is proven beyond basket size and own habits",
        subtitle="Orders with both products, times those that basket size explains, active "
        f"customers that took no part in choosing the pairs, {figure.with_intervals(settings)}",
        alt=f"Dots with intervals for pairs of products. The first, {first['pair']}, is in one "
        f"order {times}; {proven} of the {len(table)} pairs shown exceed what basket size and "
        "customers' own habits explain.",
        sources=("product_pairs",),
        x_title="Pair",
        y_title="Times as often as basket size explains",
        number_format="0.0",
        highlight=candidates,
        is_log=True,
        so_what="Pairs stand by the lower end of their intervals, the least that is sure. A pair "
        "bought together anyway may need no offer: that is what a trial tells."
        + f" The first is no candidate: {why}."
        * (first["candidate"] != "yes"),
    )


def _short(name: str) -> str:
    return name if len(name) <= 28 else name[:27].rstrip() + "…"


def strongest_pair(seen: Evidence, settings: Settings) -> Finding:
    """Say what is bought together beyond basket size and customers' own habits, and by whom."""
    best = _some_pairs(seen.tables).iloc[0]
    key = {name: best[name] for name in ("product_a", "product_b")}
    row = seen.row("product_pairs", **key)
    a, b = row.cell("product_name_a", "product_a"), row.cell("product_name_b", "product_b")
    said = {"owner": SALES, "figure": "product_pairs"}
    if best["candidate"] == "no":
        apart = best["department_a"] != best["department_b"]
        kind = "pair across departments" if apart else "pair"
        return Finding(
            kind=UNDECIDED,
            headline="No pair of products is proven to be combined more than basket size and "
            "customers' own habits explain",
            so_what=f"The {kind} that led on the other half of the customers, “{a}” and “{b}”, "
            f"{_how_often(row)}"
            + (f"; nothing may be concluded from it: {row.reason}." if best["reason"] else "."),
            action="Offer no two products as a pair on the strength of this data.",
            action_basis=DESIGN,
            confidence="low",
            change_mind="More customers: smaller lifts could then be proven.",
            **said,
        )
    whom = _by_whom(seen, settings, **key)
    orders = row.cell("orders_with_both", "orders")
    buyers = row.cell("customers_with_both", "buyers")
    a_first = best["confidence_a_to_b"] >= best["confidence_b_to_a"]  # the surer direction
    bought, offered = (a, b) if a_first else (b, a)
    reached = row.cell(f"orders_with_{'a' if a_first else 'b'}", "orders_reached")
    return Finding(
        kind=CANDIDATE,
        headline=f"“{a}” and “{b}” are candidates to be shown together: one order holds both "
        f"{best[f'{WITHIN}_given_size']:.1f} times as often as the same customers' own habits "
        "explain",
        so_what=f"Of the customers that took no part in choosing the pair, {buyers:,} had both in "
        f"{orders:,} orders: the pair {_how_often(row)}. {whom}",
        action=f"Try showing “{offered}” beside “{bought}”, against a control group that does not "
        "see it.",
        action_basis=HYPOTHESIS,
        confidence="high",
        rests_on=(INVENTED_CUSTOMERS,),
        prize=Prize(
            what_if=f"{reached:,} orders of half of the customers hold “{bought}”, {orders:,} of "
            f"them with “{offered}”.",
            lever=BOTH,
            orders=reached,
        ),
        change_mind="A trial in which showing the pair sells no more than not showing it.",
        **said,
    )


def _how_often(row: Row) -> str:
    def interval(name: str) -> str:
        times = f"{row.cell(name):.1f} times"
        if not row.holds(f"{name}_low"):
            return times
        return f"{times} ({row.cell(f'{name}_low'):.1f} to {row.cell(f'{name}_high'):.1f})"

    return (
        f"is in one order {interval('lift_given_size')} as often as basket size explains, and "
        f"{interval(f'{WITHIN}_given_size')} as often as the same customers' own habits explain"
    )


def _by_whom(seen: Evidence, settings: Settings, **key) -> str:
    """Say which groups of people buy the pair more or less than others do."""
    people = {name for name, flag in settings.flags.items() if flag.describes_people}
    table = seen.tables["pair_buyers"]
    table = table[table["grouping"].isin(people)]
    for name, value in key.items():
        table = table[table[name] == value]
    found = table[table["stands_out"] == "yes"].sort_values("p_value", kind="stable")
    if found.empty:
        seen.evidence.append("pair_buyers")
        groups = " or ".join(name.removesuffix("_group") for name in table["grouping"].unique())
        return f"No group by {groups} stands out among those who buy both."
    group = {name: found.iloc[0][name] for name in ("grouping", "group")}
    row = seen.row("pair_buyers", **key, **group)
    share, times = row.cell("share", "buyers_share"), row.cell("effect", "buyers_ratio")
    low, high = row.cell("effect_low", "buyers_low"), row.cell("effect_high", "buyers_high")
    of = group["grouping"].removesuffix("_group")
    return (
        f"By {of}, “{group['group']}” stands out: {share:.1%} of them ever had both, {times:.1f} "
        f"times the share of the others ({low:.1f} to {high:.1f})."
    )
