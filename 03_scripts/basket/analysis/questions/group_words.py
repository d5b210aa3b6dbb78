"""Groups of customers and differences between them, in the words of a reader."""

HABIT = {  # what findings say of groups
    "mean_order_value": "the value of an order",
    "mean_lines_per_order": "the lines per order",
    "mean_item_price": "the price of an item",
    "mean_gap": "the days between orders",
    "median_days_between_orders": "the days between orders",
    "orders": "the number of orders",
    "reorder_rate": "the reorder rate",
}
NOUN = {
    "region": "region",
    "age_group": "age group",
    "income_group": "income group",
    "family_status": "family status",
    "gender": "gender",
    "n_dependants": "number of dependants",
    "profile": "profile",
    "loyalty_flag": "loyalty group",
}
DOES = {  # what a group does, with a place for how much; and the words for less and more
    "mean_order_value": ("spend {} an order than others", "less", "more"),
    "mean_lines_per_order": ("put {} lines into an order than others", "fewer", "more"),
    "mean_item_price": ("pay {} for an item than others", "less", "more"),
    "mean_gap": ("leave {} time between orders than others", "less", "more"),
    "reorder_rate": ("have a reorder rate that is {} than others'", "lower", "higher"),
}
OFFERS = {  # what to try with a group that does less, and with one that does more
    "mean_order_value": (
        "leaving {} out of offers of large baskets",
        "offers of large baskets for {}",
    ),
    "mean_lines_per_order": (
        "leaving {} out of offers of large baskets",
        "offers of large baskets for {}",
    ),
    "mean_item_price": ("cheaper products for {}", "dearer products for {}"),
    "mean_gap": ("leaving {} out of reminders", "reminders for {}"),
    "reorder_rate": (
        "offering {} products that are new to them",
        "showing {} their usual products first",
    ),
}
GOODS = {  # departments whose names are two things
    "dairy eggs": "dairy and eggs",
    "dry goods pasta": "dry goods and pasta",
    "meat seafood": "meat and seafood",
}
SEXES = {"Female": "women", "Male": "men"}


def attribute(column: str) -> str:
    """Name an attribute of customers: n_dependants is “dependants”, age_group “age”."""
    return column.removeprefix("n_").removesuffix("_group").removesuffix("_flag").replace("_", " ")


def goods(department: str) -> str:
    """Name a department as goods."""
    return GOODS.get(department, department)


def capitalised(said: str) -> str:
    """Make the first letter a capital, and leave the others."""
    return said[:1].upper() + said[1:]


def verb(said: str, of_one: str, of_several: str) -> str:
    """Choose the verb that fits a measure in words: the price differs, the days differ."""
    return of_several if {"lines", "days", "incomes"} & set(said.split()) else of_one


def who(grouping: str, group: str) -> str:
    """Name the customers of a group."""
    if grouping == "loyalty_flag":
        return f"{group.lower()}s"
    if grouping == "income_group":
        return f"{group.lower()} customers"
    if grouping == "gender" and group in SEXES:
        return SEXES[group]
    if grouping == "n_dependants" and group in ("0", "1"):
        return "customers with 1 dependant" if group == "1" else "customers without dependants"
    names = {
        "region": "in the {}",
        "age_group": "aged {}",
        "family_status": "who are {}",
        "n_dependants": "with {} dependants",
        "profile": "of the profile “{}”",
    }
    return "customers " + names.get(grouping, f"of the {attribute(grouping)} {{}}").format(group)


def held_equal(held: str) -> str:
    """Say what is held equal, to follow what it holds for; empty if nothing is."""
    return f" {'in' if held.startswith('orders ') else 'at equal'} {held}" if held else ""


def opening(held: str) -> str:
    """Say what is held equal, to open a sentence."""
    return capitalised(f"{held_equal(held).strip()}, ") if held else ""


def does(measure: str, ratio: float) -> str:
    """Say what a group does, as a ratio to the others: “spend 12 % more an order than others”."""
    if measure in DOES:
        said, less, more = DOES[measure]
        return said.format(f"{abs(ratio - 1):.0%} {more if ratio > 1 else less}")
    if measure.startswith("orders "):
        size = f"{abs(ratio - 1):.0%} {'more' if ratio > 1 else 'fewer'}"
        return f"place {size} of their orders {measure.removeprefix('orders ')} than others"
    return f"have {ratio:.1f} times the others' share of {goods(measure)} in their baskets"


def may(measure: str, low: float, high: float) -> str:
    """Say between which limits a group does it: “spend from 3 % less to 8 % more an order …”."""
    said, *_ = DOES[measure]
    return said.format(interval(measure, low, high, apart="from "))


def interval(measure: str, low: float, high: float, apart: str = "") -> str:
    """Say the limits of a ratio; `apart` precedes two limits on different sides of 1."""
    if measure not in DOES and not measure.startswith("orders "):
        return f"{low:.1f} to {high:.1f} times"
    _, less, more = DOES.get(measure, ("", "fewer", "more"))
    if low > 1:
        return f"{low - 1:.0%} to {high - 1:.0%} {more}"
    if high < 1:
        return f"{1 - high:.0%} to {1 - low:.0%} {less}"
    return f"{apart}{1 - low:.0%} {less} to {high - 1:.0%} {more}"


def offer(measure: str, ratio: float, customers: str) -> str:
    """Say what to try with customers who do more, or less, of something."""
    if measure in OFFERS:
        return "Try " + OFFERS[measure][ratio > 1].format(customers)
    if measure.startswith("orders "):
        when = measure.removeprefix("orders ")
        leaving = "" if ratio > 1 else "not "
        return f"Try {leaving}addressing {customers} {when}"
    if ratio > 1:
        return f"Try {goods(measure)} first for {customers}"
    return f"Try other goods than {goods(measure)} for {customers}"
