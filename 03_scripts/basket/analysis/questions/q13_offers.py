"""Q13: what to offer whom: a customer's own history against what sells best.

Each customer's last prior order is put aside; ten products are suggested from the orders before it,
and the hits are counted. Three lists: the store's best sellers, those of the customer's segment,
and the customer's own most bought products. No list has seen an order that it is judged by.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import (
    DIFFERENCE,
    HYPOTHESIS,
    MORE,
    NO_ACTION,
    ONE_MORE_LINE,
    Evidence,
    Finding,
    Prize,
    TooLittleData,
    Touch,
    require_histories,
)
from basket.analysis.groups import is_active
from basket.analysis.question import WHOM, Question
from basket.analysis.statistics import ratios
from basket.analysis.totals import Counts
from basket.analysis.verdicts import UNDECIDED
from basket.analysis.where import where
from basket.project.settings import Settings
from basket.tables.ids import IdIndex
from basket.tables.stage import Stage
from basket.tables.sums import customer_of, orders_of, per, sum_by

QUESTION = Question(
    id="Q13",
    title="Offers",
    text="What should be offered to whom: the store's best sellers, or what a customer buys?",
    part=WHOM,
)
SUGGESTIONS = 10
SOURCES = ("store", "segment", "own")
EVERY = "all"  # of the order numbers
ORDER_NUMBERS = (5, 10, 20, 40)  # where the classes of the last order's number begin
COLUMNS = [
    "source",
    "order_number",
    "last_order",
    "customers",
    *("precision", "precision_low", "precision_high"),
    *("recall", "recall_low", "recall_high"),
    *("effective_customers", "reason"),
]
IN_WORDS = {
    "store": "the store's best sellers",
    "segment": "the best sellers of the customer's segment",
    "own": "the customer's own most bought products",
}


@dataclass(frozen=True)
class Baskets:
    """One part's lines as pairs of a customer and a product, most suggested first.

    `history` holds a customer's products from the orders before the last, most bought first; ties
    go to the one bought last, then to the lower product_id. `last` holds those of the last order.
    """

    history: np.ndarray  # rows of (customer, product)
    bought: np.ndarray  # how often each was
    last: np.ndarray


def offers(stage: Stage, counts: Counts) -> pd.DataFrame:
    """Judge the three lists: a row per source and class of the last order's number, active.

    `precision` is the share of the suggested products that the last order holds, `recall` the share
    of the last order's products that were suggested; each customer counts once.
    """
    segments = counts.people.labels["segment"]
    _, place_of_product = np.unique(counts.products["product_id"], return_inverse=True)
    found = stage.for_each_part(
        count_part,
        {
            "merged": ("merged", ["order_id", "product_key"]),
            "orders": ("analysis_orders", ["order_id", "user_id", "order_number"]),
            "customers": ("analysis_customers", ["user_id", "exclusion_flag"]),
        },
        place_of_product=place_of_product,
        segments=segments,
        users=counts.users,
        settings=counts.settings,
    )
    number, segment, sizes = (np.concatenate(found[name]) for name in ("number", "segment", "size"))
    owner = np.repeat(np.arange(len(sizes)), sizes)
    last = np.concatenate(found["last"])
    sold = found["sold"]  # segments x products, before the last orders
    lists = {"store": best_sellers(sold.sum(axis=0)[None]), "segment": best_sellers(sold)}
    row = {"store": np.zeros_like(segment), "segment": segment}
    hits, given = {}, {}
    for source, best in lists.items():
        is_best = np.zeros((len(best), sold.shape[1] + 1), bool)
        np.put_along_axis(is_best, best, True, axis=1)  # -1 marks the last column: no product
        hits[source] = np.bincount(owner, is_best[row[source][owner], last], len(sizes))
        given[source] = (best >= 0).sum(axis=1)[row[source]]
    hits["own"], given["own"] = np.concatenate(found["hits"]), np.concatenate(found["given"])
    return as_table(number, sizes, hits, given, counts.settings)


def count_part(
    merged: pd.DataFrame,
    orders: pd.DataFrame,
    customers: pd.DataFrame,
    *,
    place_of_product: np.ndarray,
    segments: pd.Series,
    users: IdIndex,
    settings: Settings,
) -> tuple[dict, dict]:
    """Count one part's active customers who have an order before their last one.

    Sums: lists of arrays, an entry a customer (`number` of the last order, `segment`, `size` of the
    last order, `hits` and `given` of the own list), `last`, the products of the last orders, and
    `sold`, lines before the last orders by segment and product.
    """
    groups = segments.cat
    of_customer = groups.codes.to_numpy("intp")[users.locate(customers["user_id"].to_numpy())]
    baskets, number = baskets_of(merged, orders, customers, place_of_product, settings)
    who, product = baskets.history.T
    first = np.flatnonzero(np.diff(who, prepend=-1))
    judged = who[first]  # who has a history, and so a last order after it
    place = np.full(len(customers), -1)
    place[judged] = np.arange(len(judged))
    products = number_of(place_of_product)
    cell = of_customer[who] * products + product
    rank = np.arange(len(who)) - np.repeat(first, np.diff(first, append=len(who)))
    own = baskets.history[rank < SUGGESTIONS]
    last = baskets.last[place[baskets.last[:, 0]] >= 0]
    hit = is_among(last @ [products, 1], own @ [products, 1])
    owner = place[last[:, 0]]
    sold = sum_by(cell, baskets.bought, len(groups.categories) * products)
    return {}, {
        "number": [number[judged]],
        "segment": [of_customer[judged]],
        "size": [np.bincount(owner, minlength=len(judged))],
        "hits": [np.bincount(owner, hit, len(judged))],
        "given": [np.bincount(place[own[:, 0]], minlength=len(judged))],
        "last": [last[:, 1]],
        "sold": sold.reshape(-1, products),
    }


def baskets_of(
    merged: pd.DataFrame,
    orders: pd.DataFrame,
    customers: pd.DataFrame,
    place_of_product: np.ndarray,
    settings: Settings,
) -> tuple[Baskets, np.ndarray]:
    """Sort the lines of active customers into histories and last orders; number the last orders.

    A product that is twice in an order is in it once. Customer, product and order number of a line
    are packed into one whole number, which sorts many times faster than columns.
    """
    customer = customer_of(orders, customers)
    number = orders["order_number"].to_numpy("int64")
    last_number = np.zeros(len(customers), np.int64)
    np.maximum.at(last_number, customer, number)
    products = number_of(place_of_product)
    span = int(number.max(initial=0)) + 2  # the highest number stands for the last order
    of_order = np.where(number == last_number[customer], span - 1, number)
    of_order += customer * products * span
    of_order[~is_active(customers, settings)[customer]] = -products * span  # below 0 with a product
    lines = orders_of(merged, orders)
    keys = lines.of_line(of_order) + span * place_of_product[merged["product_key"].to_numpy("intp")]
    keys = distinct(keys)
    pair, number = np.divmod(keys, span)
    is_last = number == span - 1
    history = histories(pair[~is_last], number[~is_last], span, products)
    return Baskets(*history, np.column_stack(np.divmod(pair[is_last], products))), last_number


def number_of(place_of_product: np.ndarray) -> int:
    """Count the different products: under RULES=course two rows of products can share an id."""
    return int(place_of_product.max(initial=-1)) + 1


def histories(
    pair: np.ndarray, number: np.ndarray, span: int, products: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count the orders in which each customer bought each product, most suggested first.

    Takes a row for each product in an order, ascending: customer x products + product (its place
    among all, in the order of their ids), and the order's number, which is below `span`.
    """
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    bought = np.diff(first, append=len(pair))
    latest = number[first + bought - 1]
    who, product = np.divmod(pair[first], products)
    key = ((who * span + span - bought) * span + span - latest) * products + product
    rest, product = np.divmod(np.sort(key), products)
    who, fewer = np.divmod(rest // span, span)
    return np.column_stack([who, product]), span - fewer


def distinct(keys: np.ndarray) -> np.ndarray:
    """Return the different keys from 0 up, ascending: ten times as fast as `numpy.unique`."""
    keys = np.sort(keys)
    keys = keys[np.searchsorted(keys, 0) :]
    return keys[np.diff(keys, prepend=-1) > 0]


def is_among(keys: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """Say which ascending keys are listed: five times as fast as `numpy.isin`."""
    listed = np.append(np.sort(listed), -1)  # what stands beyond the largest is no key
    return listed[np.searchsorted(listed[:-1], keys)] == keys


def best_sellers(sold: np.ndarray) -> np.ndarray:
    """Give each row's most sold products, ties to the lower product_id; -1 beyond those sold."""
    best = np.argsort(-sold, axis=1, kind="stable")[:, :SUGGESTIONS]
    return np.where(np.take_along_axis(sold, best, axis=1) > 0, best, -1)


def as_table(
    number: np.ndarray,
    sizes: np.ndarray,
    hits: dict[str, np.ndarray],
    given: dict[str, np.ndarray],
    settings: Settings,
) -> pd.DataFrame:
    """Average precision and recall over customers, of all and by class of the last order."""
    classes = np.searchsorted(ORDER_NUMBERS, number, side="right")
    chosen = {(pd.NA, EVERY): np.ones(len(number), bool)}
    chosen |= {key: classes == place for place, key in enumerate(order_classes())}
    rows = []
    for source in SOURCES:
        precision, recall = per(hits[source], given[source]), per(hits[source], sizes)
        for (lowest, name), in_class in chosen.items():
            those = in_class & (given[source] > 0)
            if not those.any():
                continue
            row = {
                "source": source,
                "order_number": lowest,
                "last_order": name,
                "customers": int(those.sum()),
            }
            for measure, values in (("precision", precision), ("recall", recall)):
                found = ratios.product(
                    [values[those]], [np.ones(row["customers"])], settings.statistics.confidence
                )
                row |= {
                    measure: float(values[those].mean()),
                    f"{measure}_low": float(found.low[0]),
                    f"{measure}_high": min(float(found.high[0]), 1.0),
                }
                if measure == "precision":  # by which the lists are judged
                    row["effective_customers"] = float(found.effective_customers[0])
                    row["reason"] = str(found.reason(settings.statistics)[0])
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS).astype({"order_number": "Int64"})


def order_classes() -> list[tuple[int, str]]:
    """Name the classes of the last order's number, each with the lowest number in it."""
    bounds = [1, *ORDER_NUMBERS]
    names = [f"{low} to {high - 1}" for low, high in pairwise(bounds)]
    return list(zip(bounds, [*names, f"{bounds[-1]} or more"], strict=True))


def precision_by_source(tables: dict, settings: Settings) -> figure.Figure:
    """Draw how many of ten suggestions hit, by list."""
    require_histories(tables)
    table = tables["offers"][where(last_order=EVERY)]
    _require(table)
    data = table.assign(list=table["source"].map(IN_WORDS))
    shown, left_out = figure.sure_enough(data, "precision")
    best, hits = shown.sort_values("precision").iloc[-1], table.set_index("source")["precision"]
    return figure.dots(
        shown,
        x="list",
        y="precision",
        name="offers",
        title=f"{hits['own']:.0%} of suggestions from a customer's own history are in the next "
        f"order, {hits['store']:.0%} of those from best sellers"
        if own_is_better(tables["offers"])
        else "No list of ten suggestions is proven to hit more often",
        subtitle="Share of the suggested products that the customer's next order holds, active "
        f"customers, {figure.with_intervals(settings)}{left_out}",
        alt=f"Dots with intervals for three lists of suggestions; {best['list']} hit "
        f"{best['precision']:.1%} of the time.",
        sources=("offers",),
        x_title="List",
        y_title="Share of suggestions that hit",
        number_format=figure.SHARE,
        reference=None,
        so_what="Suggest from the list that hits most often; how much of it would have been bought "
        "anyway, a trial shows.",
    )


def _require(table: pd.DataFrame) -> None:
    if set(SOURCES) - set(table["source"]):
        raise TooLittleData("No active customer has an order after another one.")


def own_is_better(table: pd.DataFrame) -> bool:
    """Whether a customer's own history is proven to hit more often than the store's best sellers.

    The lists are judged by precision over all customers; nothing is proven where a reason stands.
    """
    rows = table[table["last_order"] == EVERY].set_index("source")
    own, store = rows.loc["own"], rows.loc["store"]
    return own["reason"] == "" and bool(own["precision_low"] > store["precision_high"])


def what_to_offer(seen: Evidence, settings: Settings) -> Finding:
    """Say whether a customer's own history predicts the next order better than best sellers do."""
    seen.require_histories()
    _require(seen.tables["offers"])
    own, store = (seen.row("offers", source=name, last_order=EVERY) for name in ("own", "store"))
    hit, usual = own.cell("precision", "own"), store.cell("precision", "store")
    customers = own.cell("customers", "customers")
    segment = seen.row("offers", source="segment", last_order=EVERY).cell("precision", "segment")
    better = own_is_better(seen.tables["offers"])
    return Finding(
        kind=DIFFERENCE if better else UNDECIDED,
        headline=f"Of ten products that a customer has bought most, {hit:.0%} are in the next "
        f"order; of the store's ten best sellers, {usual:.0%}"
        + ("" if better else ": which is more is not proven"),
        so_what=f"Counted on the latest order with lines of {customers:,} customers, which no list "
        "had seen. "
        f"The best sellers of a customer's own segment reach {segment:.0%}.",
        action="Try offers from each customer's own history, against a control group that sees the "
        "best sellers."
        if better
        else "No action follows.",
        action_basis=HYPOTHESIS if better else NO_ACTION,
        touches=(Touch(attribute="own history", direction=MORE),) if better else (),
        confidence="high" if better else "low",
        figure="offers",
        prize=Prize(
            what_if=f"{customers:,} customers have a history to choose from.", lever=ONE_MORE_LINE
        ),
        change_mind="A trial in which such offers add no order lines: what is bought anyway needs "
        "none.",
    )
