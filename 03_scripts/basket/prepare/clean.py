"""Stage 02: clean the small tables, one known defect at a time, under the rules in force."""

import numpy as np
import pandas as pd

from basket.project.errors import DataError
from basket.project.origin import OPTIONAL, PEOPLE, PRICE, Origin
from basket.project.settings import Labels, Rules, Settings, Thresholds
from basket.tables.audit import Audit
from basket.tables.completeness import ABSENT, INVENTED

DAMAGED_NAME = "#NAME?"  # what a spreadsheet leaves of a name that begins like a formula
MOST = 0.5  # of a column: beyond that it is not damaged but means something else
SPREADSHEET_ROWS = (65_535, 65_536, 1_048_575, 1_048_576)  # with and without the header


def drop_nameless(products: pd.DataFrame) -> pd.DataFrame:
    """Drop the products without a name. RULES=course only; it loses their order lines (D-05)."""
    return products[products["product_name"].notna()]


def drop_exact_duplicates(products: pd.DataFrame) -> pd.DataFrame:
    """Drop rows that repeat an earlier row in every column."""
    return products[~products.duplicated()]


def repair_doubled_ids(products: pd.DataFrame) -> pd.DataFrame:
    """Give the first row of a doubled id the absent id before it (D-04).

    Ids 6800 and 26520 are each on two products while 6799 and 26519 are absent.
    """
    ids = products["product_id"]
    is_first_of_several = ids.duplicated(keep=False) & ~ids.duplicated()
    is_absent_before = ~(ids - 1).isin(ids) & (ids > 1)
    return products.assign(product_id=ids.mask(is_first_of_several & is_absent_before, ids - 1))


def require_own_ids(products: pd.DataFrame, files: dict[str, str]) -> None:
    """Raise DataError when an id is on several products: the one before it was not absent.

    `files` names the file of each raw table, here and below.
    """
    doubled = products.loc[products["product_id"].duplicated(), "product_id"]
    if len(doubled):
        raise DataError(
            f"{files['raw_products']}: column product_id: {doubled.iloc[0]} is on several "
            "products; expected each id once, or the id before it to be absent"
        )


def label_unnamed(products: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Keep nameless and damaged products under names that say so (D-05)."""
    names = products["product_name"].astype("str")
    names = names.mask(names == DAMAGED_NAME, labels.damaged_name).fillna(labels.unnamed_product)
    return products.assign(product_name=names.astype("category"))


def to_cents(prices: pd.Series) -> pd.Series:
    """Turn dollars into whole cents; missing stays missing (D-03)."""
    return (prices * 100).round().astype("Int32")


def fractions_of_cents(prices: pd.Series) -> int:
    """Count the prices that `to_cents` rounds, but for what a float itself leaves."""
    cents = prices * 100
    return int(((cents - cents.round()).abs() > 1e-6).sum())


def require_dollars(prices: pd.Series, thresholds: Thresholds, files: dict[str, str]) -> None:
    """Raise DataError where most prices are above the ceiling: they are no dollars, not damage."""
    known, ceiling = prices.dropna(), thresholds.price_ceiling_dollars
    above = int((known > ceiling).sum())
    if above > MOST * len(known):
        raise DataError(
            f"{files['raw_products']}: column prices: {above:,} of {len(known):,} are above "
            f"{ceiling:g}; expected dollars: divide cents by 100, or raise price_ceiling_dollars "
            "in settings.yml"
        )


def without_absurd_prices(price_cents: pd.Series, thresholds: Thresholds) -> pd.Series:
    """Set prices above the ceiling missing: 14,900 and 99,999 dollars are damage (D-06)."""
    return price_cents.mask(price_cents > round(100 * thresholds.price_ceiling_dollars))


def products(
    raw_products: pd.DataFrame, rules: Rules, thresholds: Thresholds, labels: Labels
) -> pd.DataFrame:
    """Do all of the above in the order of the rules: one row per product, sorted by product_id."""
    if rules.keep_unnamed_products:
        kept = drop_exact_duplicates(raw_products)
    else:
        kept = drop_nameless(raw_products).pipe(drop_exact_duplicates)
    if rules.repair_product_ids:
        kept = repair_doubled_ids(kept)
    if rules.keep_unnamed_products:
        kept = label_unnamed(kept, labels)
    price_cents = to_cents(kept["prices"])
    if rules.clean_prices_before_flags:
        price_cents = without_absurd_prices(price_cents, thresholds)
    kept = kept.drop(columns="prices").assign(price_cents=price_cents)
    kept = kept.sort_values("product_id", kind="stable").reset_index(drop=True)
    return kept.assign(product_key=kept.index.astype("int32"))


def record_product_flow(
    audit: Audit, rules: str, raw_products: pd.DataFrame, settings: Settings
) -> None:
    """Record how many products each step removes under one set of rules."""
    switches = settings.rules_named(rules)
    named = raw_products if switches.keep_unnamed_products else drop_nameless(raw_products)
    kept = products(raw_products, switches, settings.thresholds, settings.labels)
    read, removed = len(raw_products), len(raw_products) - len(named)
    reason = f"kept as {settings.labels.unnamed_product}"
    reason = "a product without a name is dropped" if removed else reason
    step = "drop nameless"
    audit.record_flow(
        "products", step, read, len(named), removed=removed, rules=rules, reason=reason
    )
    removed = len(named) - len(drop_exact_duplicates(named))
    step, reason = "drop exact duplicates", "rows that repeat another in every column"
    audit.record_flow(
        "products", step, len(named), len(kept), removed=removed, rules=rules, reason=reason
    )


def departments(raw_departments: pd.DataFrame) -> pd.DataFrame:
    """Return a row per department, sorted by department_id."""
    return raw_departments.sort_values("department_id").reset_index(drop=True)


def require_departments(
    products: pd.DataFrame, departments: pd.DataFrame, files: dict[str, str]
) -> None:
    """Raise DataError when a product is in a department that does not exist."""
    unknown = products.loc[~products["department_id"].isin(departments["department_id"])]
    if len(unknown):
        raise DataError(
            f"{files['raw_products']}: column department_id: {unknown['department_id'].iloc[0]} of "
            f"product {unknown['product_id'].iloc[0]} is not in {files['raw_departments']}; "
            "expected one of its ids"
        )


def customers(raw_customers: pd.DataFrame, raw_orders: pd.DataFrame) -> pd.DataFrame:
    """Return a row per customer, sorted by user_id, with the number of the last order and its gap.

    The last order is train or test and has no lines; both are missing where the data has none.
    """
    kept = raw_customers.sort_values("user_id", ignore_index=True)
    last = raw_orders[raw_orders["eval_set"] != "prior"].sort_values(["user_id", "order_number"])
    last = last.drop_duplicates("user_id", keep="last").set_index("user_id")
    last = last.reindex(kept["user_id"])
    return kept.assign(
        last_order_number=last["order_number"].astype("Int32").array,
        last_gap_days=last["days_since_prior_order"].astype("Int8").array,
    )


def prior_orders(raw_orders: pd.DataFrame) -> pd.DataFrame:
    """Return a row per prior order: the others have no lines in this data (D-07).

    A first order has no order before it: a gap there, such as a 0 that fills an empty field, is
    none.
    """
    kept = raw_orders[raw_orders["eval_set"] == "prior"].drop(columns="eval_set")
    gap = kept["days_since_prior_order"].mask(kept["order_number"] == 1)
    kept = kept.assign(days_since_prior_order=gap, is_first_order=gap.isna().astype("bool"))
    return kept.sort_values(["user_id", "order_number"], ignore_index=True)


def require_own_numbers(raw_orders: pd.DataFrame, files: dict[str, str]) -> None:
    """Raise DataError when two orders of one customer have the same number."""
    numbers = raw_orders["user_id"].to_numpy(np.int64) << 16 | raw_orders["order_number"].to_numpy()
    ordered = np.sort(numbers)
    doubled = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(doubled):
        ids = np.sort(raw_orders["order_id"].to_numpy()[numbers == doubled[0]])
        raise DataError(
            f"{files['raw_orders']}: column order_number: the orders {ids[0]} and {ids[1]} are of "
            f"one customer and both have number {doubled[0] & 0xFFFF}; expected a number once for "
            "each customer: correct the file"
        )


def clean_part(
    raw_orders: pd.DataFrame, raw_customers: pd.DataFrame, files: dict[str, str]
) -> tuple[dict, dict]:
    """Clean one part's orders and customers; count the orders by eval_set and by gap in days.

    The gaps are those of prior orders and, apart, of last ones. Raises DataError when two orders of
    one customer have the same number.
    """
    require_own_numbers(raw_orders, files)
    orders = prior_orders(raw_orders)
    by_set = raw_orders["eval_set"].value_counts()
    gaps = orders["days_since_prior_order"].dropna().to_numpy("int64")
    is_first = orders["order_number"] == 1
    filled = (raw_orders["order_number"] == 1) & raw_orders["days_since_prior_order"].notna()
    kept = customers(raw_customers, raw_orders)
    last_gaps = kept["last_gap_days"].dropna().to_numpy("int64")
    return {"orders": orders, "customers": kept}, {
        "orders": len(raw_orders),
        "prior_orders": len(orders),
        "train_orders": int(by_set.get("train", 0)),
        "test_orders": int(by_set.get("test", 0)),
        "first_orders": int(orders["is_first_order"].sum()),
        "orders_by_gap": np.bincount(gaps, minlength=31),
        "last_orders_by_gap": np.bincount(last_gaps, minlength=31),
        "first_not_numbered_1": int((orders["is_first_order"] & ~is_first).sum()),
        "first_with_gap": int((filled & (raw_orders["eval_set"] == "prior")).sum()),
        "customers": len(raw_customers),
        **count_missing(raw_orders, raw_customers),
    }


def count_missing(raw_orders: pd.DataFrame, raw_customers: pd.DataFrame) -> dict[str, int]:
    """Count a part's customers whose order numbers are not 1 to n, and what lacks its partner.

    A customer's last order (train or test) is one of the n. No number is on two orders. Counted
    backwards is who has no gap at the highest number, and one at number 1.
    """
    numbers = raw_orders.groupby("user_id")["order_number"].agg(["size", "max"])
    has_gap = raw_orders["days_since_prior_order"].notna()
    after_first = raw_orders.loc[has_gap & (raw_orders["order_number"] == 1), "user_id"]
    newest = raw_orders[~has_gap & (raw_orders["order_number"] > 1)]
    newest = newest[newest["order_number"] == newest["user_id"].map(numbers["max"])]
    last = raw_orders.loc[raw_orders["eval_set"] != "prior", "user_id"]
    known = raw_customers["user_id"]
    return {
        "customers_ordering": len(numbers),
        "customers_backwards": int(newest["user_id"].isin(after_first).sum()),
        "customers_with_holes": int((numbers["size"] != numbers["max"]).sum()),
        "customers_without_last": int((~numbers.index.isin(last)).sum()),
        "customers_without_orders": int((~known.isin(numbers.index)).sum()),
        "orders_without_customer": int((~raw_orders["user_id"].isin(known)).sum()),
    }


def require_oldest_first(counts: dict[str, int], files: dict[str, str]) -> None:
    """Raise DataError where the orders of most customers are numbered from the newest one on."""
    backwards, ordering = counts["customers_backwards"], counts["customers_ordering"]
    if backwards > MOST * ordering:
        raise DataError(
            f"{files['raw_orders']}: column order_number: for {backwards:,} of {ordering:,} "
            "customers the highest number has no days_since_prior_order, and number 1 has; "
            "expected 1 for the oldest order: number them from there"
        )


def record_orders(audit: Audit, counts: dict[str, int]) -> None:
    """Record what was looked for in orders and customers, and what was renamed."""
    check, gap = audit.record_check, "days_since_prior_order"
    action = "left missing: a first order has no order before it"
    check("orders", gap, "missing", counts["first_orders"], action)
    found = counts["first_with_gap"]
    action = "set missing: a first order has no order before it" if found else "none needed"
    check("orders", gap, "a gap on a first order", found, action)
    action = "kept: 30 means 30 or more; medians describe, means only compare"
    check("orders", gap, "censored at 30", int(counts["orders_by_gap"][30]), action)
    at_wall = int(counts["last_orders_by_gap"][30])
    action = "kept for the time to the next order; no flag uses it"
    check("customers", "last_gap_days", "last orders' gaps censored at 30", at_wall, action)
    found = counts["first_not_numbered_1"]
    action = "kept: taken for first orders" if found else "none needed"
    check("orders", "order_number", "missing gap on another order than the first", found, action)
    looked_for = "a customer's number on two orders"
    check("orders", "user_id, order_number", looked_for, 0, "none needed")
    check("customers", "user_id", "customers received", counts["customers"], "none needed")

    record = audit.record_wrangling
    reason = "sums and means of money must not depend on rounding (D-03)"
    changed = "prices: dollars → whole cents"
    record("products", reason, renamed="prices → price_cents", type_changed=changed)
    reason = "only prior orders are left, and gaps are counted in whole days"
    record("orders", reason, dropped="eval_set", type_changed=f"{gap}: decimal → whole days")
    reason = "a last order has no lines, but its gap is known"
    record("customers", reason, renamed=f"{gap} of the last order → last_gap_days")
    reason = "a date can be checked and compared"
    record("customers", reason, type_changed="date_joined: text → date")
    reason = "one department per row can be joined"
    record("departments", reason, type_changed="wide → one row per department")


def record_missing(
    audit: Audit, counts: dict[str, int], files: dict[str, str], origin: Origin, limit: float
) -> None:
    """Record what may be missing from orders and customers, and what is invented or absent.

    `files` names the file of each raw table. Without one of customers, those who ordered are all
    that there are. `limit` is the share of customers above which histories are incomplete.
    """
    ordering, orders = counts["customers_ordering"], counts["orders"]
    audit.record_missing(
        "raw_orders",
        "order_number",
        "customers whose order numbers are not 1 to n",
        counts["customers_with_holes"],
        ordering,
        "their histories have holes: what needs whole histories is not answered",
        limit,
    )
    audit.record_missing(
        "raw_orders",
        "eval_set",
        "customers without a last order (train or test)",
        counts["customers_without_last"],
        ordering,
        "the gap before their last order is not known",
    )
    if "raw_customers" in files:
        audit.record_missing(
            "raw_customers",
            "user_id",
            "customers without orders",
            counts["customers_without_orders"],
            counts["customers"],
            "they are in no table of the analysis",
        )
        audit.record_missing(
            "raw_orders",
            "user_id",
            "orders of unknown customers",
            counts["orders_without_customer"],
            orders,
            "their lines find no customer",
        )
    record_spreadsheet_limit(audit, "raw_orders", files["raw_orders"], orders)
    for what, table in ((PRICE, "raw_products"), (PEOPLE, "raw_customers")):
        _record_invented(audit, what, table, origin)


def _record_invented(audit: Audit, what: str, table: str, origin: Origin) -> None:
    """Record how many columns about prices or people are invented and, if some are, absent."""
    columns, consequence = len(OPTIONAL[what]), "what rests on them shows the method"
    invented = len(origin.invented(what))
    consequence += " and is never rated high"
    audit.record_missing(table, "all", INVENTED[what], invented, columns, consequence)
    absent = [name for name in OPTIONAL[what] if name in origin.absent]
    if absent:
        consequence = f"what rests on them is not answered: {', '.join(absent)}"
        audit.record_missing(table, "all", ABSENT[what], len(absent), columns, consequence)


def record_spreadsheet_limit(audit: Audit, table: str, file: str, rows: int) -> None:
    """Record whether a file ends just where a spreadsheet cuts it off: then rows are missing."""
    what = f"{file} ends at a spreadsheet's limit of rows"
    consequence = "the rows after it are missing: histories are incomplete"
    cut = int(rows in SPREADSHEET_ROWS)
    audit.record_missing(table, "all", what, cut, 1, consequence, limit=0)
