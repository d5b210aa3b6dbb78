"""Let generated customers shop: orders, their days, hours and gaps, and the products in each.

A customer has a growing list of products, in the order in which they were first bought. A line is
either the next new place on that list or a place already on it, so `reordered` is true to history
by construction, and no order holds a place twice. Everything is vectorised over a chunk of
customers; ids within a chunk ("owner", "order", "place") count from 0.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import expit, logit, ndtr

PRIOR, TRAIN, TEST = range(3)  # codes of eval_set
NO_GAP = 255  # code of "first order": there is no gap before it
LONGEST_GAP = 30  # days; stands for "30 or more"
MOST_LINES = 145  # in one order
DAYS = 7
PRODUCE = 4  # department_id
LOYAL_ABOVE = 40  # prior orders
LATE_FROM = 20  # hour of day from which it is late evening

# Constants of the shopping model, chosen so that the generated figures meet the real ones.
GAP_HABIT = 0.15  # share of a score's variance that is the customer's own: gaps between orders
HOUR_HABIT = 0.15  # the same for the hour of day
SIZE_HABIT = 0.54  # the same for basket sizes
SIZE_SCORE_PER_LOG = 1.3  # change of the basket score per unit of log size
CUSTOMER_LOYALTY = 0.5  # standard deviations of the reorder rate's logit: between customers,
ORDER_LOYALTY = 0.65  # and between the orders of one customer
LIKING = 1.4  # standard deviation of the log of how much a customer likes a listed product
POPULAR_IS_REPEATED = 0.3  # how fast the reorder odds rise with a product's popularity
NEW_COMES_LATER = 0.85  # 0 to 1: how far new products tend to the end of the cart
STEEPER = 1.1  # popularity falls faster over all lines than in the sample's small departments

PLACE_BITS, RANDOM_BITS = 21, 23
OTHER_DEPARTMENTS_AFTER = 12  # draws in vain from one department's products


@cache
def real() -> dict:
    """Return aggregated figures of the real data; `_about` in the file gives their sources."""
    path = Path(__file__).with_name("real_distributions.json")
    return json.loads(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Assortment:
    """What can be bought: one value per product id (index 0 unused), and draws by department."""

    department: np.ndarray  # department_id of each product
    repeat_weight: np.ndarray  # relative chance of being bought again, once on a list
    by_department: np.ndarray  # product ids, department after department
    flat_cdf: np.ndarray  # department index + cumulative share of first purchases within it
    mixes: np.ndarray  # first purchases by income group (last row: everybody) and department
    price: np.ndarray  # dollars, of each product

    def draw(self, rng: np.random.Generator, department: np.ndarray, thrift: np.ndarray):
        """Draw one product for each department_id; with chance `thrift`, the cheaper of two."""
        product = self._draw_any(rng, department)
        compared = np.flatnonzero(rng.random(product.size) < thrift)
        other = self._draw_any(rng, department[compared])
        cheaper = self.price[other] < self.price[product[compared]]
        product[compared[cheaper]] = other[cheaper]
        return product

    def _draw_any(self, rng: np.random.Generator, department: np.ndarray) -> np.ndarray:
        places = _draw(self.flat_cdf, department - 1, rng.random(department.size))
        return self.by_department[places]


@dataclass(frozen=True)
class Shoppers:
    """The customers of a chunk, as far as what they are changes what they do."""

    mix: np.ndarray  # row of Assortment.mixes
    thrift: np.ndarray  # chance of taking the cheaper of two products
    basket_factor: np.ndarray  # multiplies the lines of each order
    night_owl: np.ndarray  # probability of shopping late in the evening only
    loyal_produce: float | None  # multiplies the produce share of customers with > 40 prior orders


@dataclass(frozen=True)
class Shopping:
    """What a chunk of customers did: a value per customer, per order or per prior line."""

    orders: np.ndarray  # per customer: how many
    eval_set: np.ndarray  # per order, as the following five
    number: np.ndarray
    day: np.ndarray
    hour: np.ndarray
    gap: np.ndarray
    size: np.ndarray  # lines; 0 for the last order, which is not in the prior file
    product: np.ndarray  # per line, in the order of the cart
    reordered: np.ndarray


def assortment(
    department: np.ndarray, rank: np.ndarray, price: np.ndarray, lines: dict[int, float]
) -> Assortment:
    """Turn popularity ranks within departments into chances of a first and of a further purchase.

    `department`, `rank` and `price` have a value per product id (index 0 unused); `lines` gives the
    share of all lines of products whose popularity is planted.
    """
    facts = real()["departments"]
    share = np.zeros(department.size)
    odds = np.ones(department.size)
    cdf = []
    for fact in facts:
        here = np.flatnonzero(department == fact["department_id"])
        exponent, offset = fact["popularity"]
        share[here] = (rank[here] + offset) ** (-STEEPER * exponent)
        share[here] *= fact["line_share"] / share[here].sum()
        for product in here[np.isin(here, list(lines))]:
            share[product] = lines[product]
        typical = np.average(np.log(share[here]), weights=share[here])
        odds[here] = np.exp(POPULAR_IS_REPEATED * (np.log(share[here]) - typical))
        rate = expit(logit(fact["reorder_rate"]) + np.log(odds[here]))
        first = np.cumsum(share[here] * (1 - rate))
        cdf.append(first / first[-1] + len(cdf))
    everybody = [fact["line_share"] for fact in facts]
    mixes = np.array([*real()["line_share_by_income"]["shares"], everybody])
    mixes *= [fact["first_purchase"] for fact in facts]
    repeat = np.array([0.0, *(fact["repeat"] for fact in facts)])
    return Assortment(
        department=department,
        repeat_weight=repeat[department] * odds,
        by_department=np.argsort(department[1:], kind="stable") + 1,
        flat_cdf=np.concatenate(cdf),
        mixes=mixes / mixes.sum(axis=1, keepdims=True),
        price=price,
    )


def shop(rng: np.random.Generator, shoppers: Shoppers, products: Assortment) -> Shopping:
    """Let a chunk of customers order from the first to the last time."""
    orders = _numbers_of_orders(rng, shoppers.mix.size)
    owner = np.repeat(np.arange(orders.size), orders)
    first = np.cumsum(orders) - orders
    number = np.arange(owner.size) - first[owner] + 1
    gap = _gaps(rng, orders, owner, number)
    day = _days(rng, gap)
    hour = _hours(rng, shoppers, owner, day)
    is_last = number == orders[owner]
    size = _sizes(rng, shoppers, orders, owner, day, hour)
    size[is_last] = 0
    last_set = _last_sets(rng, orders)
    product, reordered = _lines(rng, shoppers, products, orders, owner, number, size)
    return Shopping(
        orders=orders,
        eval_set=np.where(is_last, last_set[owner], PRIOR).astype(np.uint8),
        number=number.astype(np.uint8),
        day=day.astype(np.uint8),
        hour=hour.astype(np.uint8),
        gap=gap.astype(np.uint8),
        size=size.astype(np.uint8),
        product=product,
        reordered=reordered,
    )


def _draw(flat_cdf: np.ndarray, row: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Look up each uniform number in its row of a flattened table of cumulative shares."""
    return np.searchsorted(flat_cdf, row + np.minimum(uniform, 1 - 1e-12), side="right")


def _flat_cdf(shares: np.ndarray) -> np.ndarray:
    """Flatten the cumulative shares of each row, each row lifted above the one before it."""
    cdf = np.cumsum(shares, axis=1)
    return (cdf / cdf[:, -1:] + np.arange(len(shares))[:, None]).ravel()


def _habitual(rng: np.random.Generator, owner: np.ndarray, customers: int, habit: float):
    """Draw a normal score per order; a share `habit` of its variance is between customers."""
    own = np.sqrt(habit) * rng.standard_normal(customers)
    return own[owner] + np.sqrt(1 - habit) * rng.standard_normal(owner.size)


def _numbers_of_orders(rng: np.random.Generator, customers: int) -> np.ndarray:
    """Draw the orders of each customer, the last included: stratified, so that small sets fit."""
    facts = real()["customers_by_orders"]
    uniform = (rng.permutation(customers) + rng.random(customers)) / customers
    return _draw(_flat_cdf(np.array([facts["counts"]])), 0, uniform) + facts["least"]


def _last_sets(rng: np.random.Generator, orders: np.ndarray) -> np.ndarray:
    counts = real()["eval_set"]
    share = counts["train"] / (counts["train"] + counts["test"])
    return np.where(rng.random(orders.size) < share, TRAIN, TEST)


def _gaps(rng, orders: np.ndarray, owner: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Draw the days since the order before; frequent customers have more orders in a month."""
    facts = real()["gap_shares"]
    row = np.searchsorted(facts["least_orders"], orders, side="right") - 1
    uniform = ndtr(_habitual(rng, owner, orders.size, GAP_HABIT))
    cell = _draw(_flat_cdf(np.array(facts["shares"])), row[owner], uniform)
    return np.where(number == 1, NO_GAP, cell % (LONGEST_GAP + 1))


def _days(rng: np.random.Generator, gap: np.ndarray) -> np.ndarray:
    """Draw the weekday of each order: the day before plus the gap, as in the real data.

    A first order, and one after 30 or more days, begins a new stretch; where in the week a stretch
    lies depends on how well all of its orders would lie there.
    """
    begins = gap >= LONGEST_GAP
    stretch = np.cumsum(begins) - 1
    walked = np.cumsum(np.where(begins, 0, gap))
    relative = (walked - walked[begins][stretch]) % DAYS
    stretches = stretch[-1] + 1
    counts = np.bincount(stretch * DAYS + relative, minlength=stretches * DAYS)
    pull = np.array(real()["day_pull"])
    turned = pull[(np.arange(DAYS)[:, None] + np.arange(DAYS)) % DAYS]
    score = counts.reshape(-1, DAYS) @ turned + rng.gumbel(size=(stretches, DAYS))
    return (relative + np.argmax(score, axis=1)[stretch]) % DAYS


def _hours(rng, shoppers: Shoppers, owner: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Draw the hour of each order given its weekday; night owls keep to the late evening."""
    table = np.array(real()["orders_by_day_and_hour"])
    hours = table.shape[1]
    uniform = ndtr(_habitual(rng, owner, shoppers.mix.size, HOUR_HABIT))
    is_owl = (rng.random(shoppers.mix.size) < shoppers.night_owl)[owner]
    late = table[:, :LATE_FROM].sum(axis=1) / table.sum(axis=1)
    lifted = late[day] + (1 - late[day]) * uniform
    return _draw(_flat_cdf(table), day, np.where(is_owl, lifted, uniform)) % hours


def _sizes(rng, shoppers: Shoppers, orders, owner, day, hour) -> np.ndarray:
    """Draw the lines of each order: by habit, and slightly by weekday, hour and loyalty."""
    ratio = real()["basket_size_ratio"]
    loyalty = np.searchsorted(ratio["loyalty_above_prior_orders"], orders - 1, side="left")
    lift = np.log(ratio["by_loyalty"])[loyalty][owner]
    lift += np.log(ratio["by_day"])[day] + np.log(ratio["by_hour"])[hour]
    score = _habitual(rng, owner, orders.size, SIZE_HABIT) + SIZE_SCORE_PER_LOG * lift
    score = (score - score.mean()) / score.std()
    size = _draw(_flat_cdf(np.array([real()["basket_sizes"]])), 0, ndtr(score)) + 1
    factor = shoppers.basket_factor[owner]
    size = np.floor(size * factor + np.where(factor == 1, 0, rng.random(owner.size)))
    return np.clip(size, 1, MOST_LINES).astype(np.int64)


def _lines(rng, shoppers, products, orders, owner, number, size) -> tuple[np.ndarray, np.ndarray]:
    """Draw product and reordered mark of each line, order by order, in the order of the cart."""
    again = _numbers_of_repeats(rng, orders, owner, number, size)
    new = size - again
    new_before = np.cumsum(new) - new  # over the chunk: the first new place of each order
    list_starts = new_before[np.cumsum(orders) - orders]
    list_sizes = np.bincount(owner, weights=new, minlength=orders.size).astype(np.int64)
    list_owner = np.repeat(np.arange(orders.size), list_sizes)

    department = _departments(rng, shoppers, products, list_owner)
    thrift = shoppers.thrift[list_owner]
    product = _distinct_products(rng, products, list_owner, department, thrift)
    weight = products.repeat_weight[product]
    weight *= np.exp(LIKING * rng.standard_normal(weight.size))
    start = list_starts[owner]
    repeated_order = np.repeat(np.arange(owner.size), again)
    repeated = _repeated_places(rng, weight, start, new_before - start, again, repeated_order)
    new_order = np.repeat(np.arange(owner.size), new)
    place, is_new = _in_cart_order(rng, repeated_order, repeated, new_order)
    if shoppers.loyal_produce is not None:
        loyal = orders - 1 > LOYAL_ABOVE
        product = _more_produce(
            rng, products, product, list_owner, thrift, place, loyal, shoppers.loyal_produce
        )
    return product[place].astype(np.uint16), ~is_new


def _numbers_of_repeats(rng, orders, owner, number, size) -> np.ndarray:
    """Draw how many lines of an order were bought before: more with each order, 0 in the first."""
    facts = real()["reorder_rate"]
    numbers, rates = np.array(facts["by_order_number"]).T
    typical = np.interp(np.log(np.arange(1, orders.max() + 1)), np.log(numbers), logit(rates))
    wide = np.sqrt(1 + 0.35 * (CUSTOMER_LOYALTY**2 + ORDER_LOYALTY**2))  # keeps the mean rate
    score = wide * (typical + facts["logit_shift"])[number - 1]
    score += CUSTOMER_LOYALTY * rng.standard_normal(orders.size)[owner]
    score += ORDER_LOYALTY * rng.standard_normal(owner.size)
    wanted = rng.binomial(size, np.where(number == 1, 0.0, expit(score)))
    new = size - wanted
    before = np.cumsum(new) - new
    listed = before - before[np.cumsum(orders) - orders][owner]
    return np.minimum(wanted, listed)


def _departments(rng, shoppers, products, list_owner) -> np.ndarray:
    """Draw the department_id of each place on the lists, from each customer's own tastes."""
    mix = products.mixes[shoppers.mix]
    shape = mix * [fact["taste"] for fact in real()["departments"]]
    tastes = mix * rng.standard_gamma(shape) / shape
    cell = _draw(_flat_cdf(tastes), list_owner, rng.random(list_owner.size))
    return cell % products.mixes.shape[1] + 1


def _distinct_products(rng, products, list_owner, department, thrift, kept=None) -> np.ndarray:
    """Draw a product for each place so that no list holds one twice.

    Where `kept` holds a product (not 0) it stays. A customer who has exhausted a department goes on
    in others.
    """
    product = np.zeros(list_owner.size, np.int64) if kept is None else kept.copy()
    pending = np.flatnonzero(product == 0)
    product[pending] = products.draw(rng, department[pending], thrift[pending])
    place = np.arange(product.size)
    changeable = np.ones(product.size, bool) if kept is None else kept == 0
    for attempt in range(1_000):
        # A changeable place sorts behind a kept one with the same product: the later is redrawn.
        key = (list_owner << 16 | product) << 1 | changeable
        packed = np.sort(key << PLACE_BITS | place)
        same = packed >> PLACE_BITS + 1
        pending = packed[1:][same[1:] == same[:-1]] & (1 << PLACE_BITS) - 1
        if not pending.size:
            return product
        wanted = department[pending]
        if attempt >= OTHER_DEPARTMENTS_AFTER:
            everybody = products.mixes[-1]
            wanted = rng.choice(everybody.size, pending.size, p=everybody) + 1
        product[pending] = products.draw(rng, wanted, thrift[pending])
    raise RuntimeError("no distinct products left to draw")


def _repeated_places(rng, weight, start, listed, again, order) -> np.ndarray:
    """Choose `again` different places among the first `listed` ones of each order's list.

    The lines of an order divide its list, by weight, into equal stretches and take a place in each;
    a place taken already passes on to the next one.
    """
    cumulative = np.concatenate(([0.0], np.cumsum(weight)))
    line = np.arange(order.size) - (np.cumsum(again) - again)[order]
    low = cumulative[start]
    width = (cumulative[start + listed] - low) / np.maximum(again, 1)
    target = low[order] + (line + rng.random(order.size)) * width[order]
    place = np.searchsorted(cumulative[1:], target, side="right") - start[order]
    lag = order << PLACE_BITS
    place = np.maximum.accumulate(place - line + lag) - lag
    return np.minimum(place, (listed - again)[order]) + line + start[order]


def _in_cart_order(rng, repeated_order, repeated, new_order) -> tuple[np.ndarray, np.ndarray]:
    """Shuffle the lines within each order, new products tending to the end: place, is new."""
    random = rng.random(repeated.size + new_order.size, dtype=np.float32)
    random[repeated.size :] = _towards_one(random[repeated.size :], NEW_COMES_LATER)
    random = np.minimum((random * 2**RANDOM_BITS).astype(np.int64), 2**RANDOM_BITS - 1)
    key = np.concatenate((repeated_order, new_order)) << RANDOM_BITS | random
    key = (key << PLACE_BITS | np.concatenate((repeated, np.arange(new_order.size)))) << 1
    key[repeated.size :] |= 1
    key.sort()
    return (key >> 1) & (1 << PLACE_BITS) - 1, (key & 1).astype(bool)


def _towards_one(uniform: np.ndarray, slope: float) -> np.ndarray:
    """Turn uniform numbers into ones whose density rises linearly from 1 - slope to 1 + slope."""
    return (np.sqrt((1 - slope) ** 2 + 4 * slope * uniform) - (1 - slope)) / (2 * slope)


def _more_produce(rng, products, product, list_owner, thrift, place, loyal, factor) -> np.ndarray:
    """Turn listed products of loyal customers into produce, so that their share grows by `factor`.

    A product that is not produce becomes one with probability s (factor - 1) / (1 - s), where s is
    the customer's share of produce lines: the expected share is then s * factor. It keeps its place
    on the list, so every line of it changes alike and history stays true.
    """
    is_produce = products.department[product] == PRODUCE
    lines = np.bincount(list_owner[place], minlength=loyal.size)
    produce = np.bincount(list_owner[place], weights=is_produce[place], minlength=loyal.size)
    share = produce / np.maximum(lines, 1)
    chance = np.where(loyal, share * (factor - 1) / np.maximum(1 - share, 1e-9), 0.0)
    swapped = ~is_produce & (rng.random(product.size) < chance[list_owner])
    department = np.full(product.size, PRODUCE)
    kept = np.where(swapped, 0, product)
    return _distinct_products(rng, products, list_owner, department, thrift, kept)
