"""Independent SQL of the result tables, to hold the pipeline against.

Written from the documents alone, straight from the five raw files of the course's layout, in
DuckDB. It shares no code with the package: where the two agree, two readings of the rules agree.
Three grains, never confused: line (a product in an order), order, customer. Money is added in
whole cents and leaves as USD; means, shares and rates leave unrounded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

SETTINGS: dict[str, Any] = {
    "price_ceiling_dollars": 100,
    "busiest_hours": 8,
    "busiest_days": 2,
    "price_range": [5, 15],  # dollars
    "spending_flag": [10],  # dollars
    "loyalty_flag": [10, 40],  # orders
    "frequency_flag": [10, 20],  # days
    "rhythm": [8, 15],  # days
    "basket": [7, 11],  # lines an order
    "exclusion_flag": [5],  # orders
    "age_group": [40, 65],  # years
    "income_group": [50_000, 100_000],  # dollars a year
    "day_names": ["Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
}
"""The adjustable numbers: where the labels of each flag are cut, under the flag's name, and the
others under their names in the project's settings file; `day_names` in the order of order_dow 0 to
6. Of the labels, only those of ages follow a changed cut."""

PRICES = ["price_ceiling_dollars", "price_range", "spending_flag"]
"""The settings in dollars that are compared with prices: the SQL gets them as whole cents."""

REGIONS = {
    "Northeast": [
        "Connecticut", "Maine", "Massachusetts", "New Hampshire", "New Jersey", "New York",
        "Pennsylvania", "Rhode Island", "Vermont",
    ],
    "Midwest": [
        "Illinois", "Indiana", "Iowa", "Kansas", "Michigan", "Minnesota", "Missouri", "Nebraska",
        "North Dakota", "Ohio", "South Dakota", "Wisconsin",
    ],
    "South": [
        "Alabama", "Arkansas", "Delaware", "District of Columbia", "Florida", "Georgia",
        "Kentucky", "Louisiana", "Maryland", "Mississippi", "North Carolina", "Oklahoma",
        "South Carolina", "Tennessee", "Texas", "Virginia", "West Virginia",
    ],
    "West": [
        "Alaska", "Arizona", "California", "Colorado", "Hawaii", "Idaho", "Montana", "Nevada",
        "New Mexico", "Oregon", "Utah", "Washington", "Wyoming",
    ],
}  # fmt: skip
"""The four regions of the US Census Bureau: 50 states and the District of Columbia."""

KEYS = {
    "flags": ["population", "flag", "label"],
    "orders_by_day": ["population", "day"],
    "orders_by_hour": ["population", "hour"],
    "orders_by_day_hour": ["population", "day", "hour"],
    "price_ranges": ["population", "price_range"],
    "departments": ["population", "department"],
    "habits": ["population", "grouping", "group"],
    "department_mix": ["population", "grouping", "group", "department"],
}
"""The columns that identify a row of each result table."""

COUNTS = {"customers", "orders", "lines", "products"}
"""Columns that must agree exactly."""

SPEND_TOLERANCE_USD = 0.01
RATIO_TOLERANCE = 1e-6

RAW_FILES = {
    "raw_customers": "customers.csv",
    "raw_departments": "departments.csv",
    "raw_orders": "orders.csv",
    "raw_lines": "orders_products_prior.csv",
    "raw_products": "products.csv",
}

# --- the raw files, typed ------------------------------------------------------------------------

TYPED = """
-- One row per row of products.csv, in the order of the file. A price is a whole number of cents.
CREATE TEMP TABLE product_rows AS
SELECT
    rowid                                               AS file_row,
    CAST(product_id AS BIGINT)                          AS product_id,
    nullif(product_name, '')                            AS product_name,
    CAST(aisle_id AS BIGINT)                            AS aisle_id,
    CAST(department_id AS BIGINT)                       AS department_id,
    CAST(round(CAST(prices AS DOUBLE) * 100) AS BIGINT) AS cents
FROM raw_products;

-- One row per department: the wide file, transposed.
CREATE TEMP TABLE department_names AS
SELECT CAST(id AS BIGINT) AS department_id, department
FROM (
    UNPIVOT (SELECT * EXCLUDE (department_id) FROM raw_departments)
    ON COLUMNS(*) INTO NAME id VALUE department
);

-- One row per prior order of orders.csv. gap_days is missing at a customer's first order.
CREATE TEMP TABLE prior_orders AS
SELECT
    CAST(order_id AS BIGINT)               AS order_id,
    CAST(user_id AS BIGINT)                AS user_id,
    CAST(order_number AS BIGINT)           AS order_number,
    CAST(order_dow AS BIGINT)              AS day,
    CAST(order_hour_of_day AS BIGINT)      AS hour,
    CAST(days_since_prior_order AS DOUBLE) AS gap_days
FROM raw_orders
WHERE eval_set = 'prior';

-- One row per row of orders_products_prior.csv.
CREATE TEMP TABLE line_rows AS
SELECT
    CAST(order_id AS BIGINT)   AS order_id,
    CAST(product_id AS BIGINT) AS product_id,
    CAST(reordered AS BIGINT)  AS reordered
FROM raw_lines;

-- One row per customer; names of people are not taken.
CREATE TEMP TABLE customer_rows AS
SELECT
    CAST(user_id AS BIGINT)                      AS user_id,
    nullif("Gender", '')                         AS gender,
    nullif("STATE", '')                          AS state,
    CAST("Age" AS DOUBLE)                        AS age_years,
    CAST(CAST(n_dependants AS DOUBLE) AS BIGINT) AS n_dependants,
    nullif(fam_status, '')                       AS family_status,
    CAST(income AS DOUBLE)                       AS income_usd
FROM raw_customers;
"""

# --- products: the first step in which the two sets of rules differ ------------------------------

PRODUCTS = {
    # flag_cents is the price that price_range and spending_flag see; price_cents is the price
    # that spend and mean prices see.
    "course": """
    -- Nameless products leave, then exact duplicates; a doubled id stays on two products.
    -- The ceiling comes after the flags.
    CREATE TEMP TABLE products AS
    WITH kept AS (
        SELECT DISTINCT product_id, product_name, aisle_id, department_id, cents
        FROM product_rows
        WHERE product_name IS NOT NULL
    )
    SELECT
        product_id,
        department_id,
        cents AS flag_cents,
        CASE WHEN cents <= getvariable('price_ceiling_dollars') THEN cents END AS price_cents
    FROM kept;
    """,
    "corrected": """
    -- Exact duplicates leave; the first row of a doubled id takes the absent id before it.
    -- Nameless products stay. The ceiling comes before the flags.
    CREATE TEMP TABLE products AS
    WITH kept AS (
        SELECT min(file_row) AS file_row, product_id, product_name, aisle_id, department_id, cents
        FROM product_rows
        GROUP BY product_id, product_name, aisle_id, department_id, cents
    ),
    numbered AS (
        SELECT
            *,
            row_number() OVER (PARTITION BY product_id ORDER BY file_row) AS occurrence,
            count(*) OVER (PARTITION BY product_id)                       AS occurrences
        FROM kept
    ),
    repaired AS (
        SELECT
            CASE
                WHEN occurrences > 1 AND occurrence = 1
                     AND NOT EXISTS (
                         FROM product_rows AS other
                         WHERE other.product_id = numbered.product_id - 1
                     )
                THEN product_id - 1
                ELSE product_id
            END AS product_id,
            department_id,
            CASE WHEN cents <= getvariable('price_ceiling_dollars') THEN cents END AS cents
        FROM numbered
    )
    SELECT product_id, department_id, cents AS flag_cents, cents AS price_cents
    FROM repaired;
    """,
}

# --- the analysis at its three grains ------------------------------------------------------------

ANALYSIS = """
-- One row per line of the analysis: lines, prior orders and products, joined inner. A doubled
-- product id makes two lines of one.
CREATE TEMP TABLE lines AS
SELECT
    order_id, user_id, order_number, day, hour, gap_days,
    product_id, department_id, flag_cents, price_cents, reordered,
    CASE
        WHEN flag_cents IS NULL THEN '(missing)'
        WHEN flag_cents > getvariable('price_range')[2] THEN 'High-range product'
        WHEN flag_cents > getvariable('price_range')[1] THEN 'Mid-range product'
        ELSE 'Low-range product'
    END AS price_range
FROM line_rows
JOIN prior_orders USING (order_id)
JOIN products USING (product_id);

-- One row per order that has at least one line in the analysis.
CREATE TEMP TABLE orders AS
SELECT
    order_id, user_id, order_number, day, hour, gap_days,
    count(*)                           AS lines,
    count(price_cents)                 AS priced_lines,
    coalesce(sum(price_cents), 0)      AS spend_cents,
    count(*) FILTER (reordered = 1)    AS reordered_lines
FROM lines
GROUP BY order_id, user_id, order_number, day, hour, gap_days;

-- One row per weekday with orders. The busiest labels are given first, the slowest among the
-- rest; ties go to the lower day. Busy by lines (course) or by orders (corrected), in `all`.
CREATE TEMP TABLE day_labels AS
WITH counted AS (
    SELECT
        day,
        CASE getvariable('rules') WHEN 'course' THEN sum(lines) ELSE count(*) END AS busyness
    FROM orders
    GROUP BY day
),
ranked AS (
    SELECT *, row_number() OVER (ORDER BY busyness DESC, day) AS nth_busiest FROM counted
),
ranked_twice AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY nth_busiest <= 1 ORDER BY busyness, day)
            AS nth_slowest_of_rest,
        row_number() OVER (
            PARTITION BY nth_busiest <= getvariable('busiest_days') ORDER BY busyness, day
        ) AS nth_slowest_of_rest_of_two
    FROM ranked
)
SELECT
    day,
    CASE
        WHEN nth_busiest = 1         THEN 'Busiest day'
        WHEN nth_slowest_of_rest = 1 THEN 'Least busy'
        ELSE 'Regularly busy'
    END AS busiest_day,
    CASE
        WHEN nth_busiest <= getvariable('busiest_days')                THEN 'Busiest days'
        WHEN nth_slowest_of_rest_of_two <= getvariable('busiest_days') THEN 'Slowest days'
        ELSE 'Regularly busy'
    END AS busiest_days
FROM ranked_twice;

-- One row per hour with orders; the same order of labels, the same ties.
CREATE TEMP TABLE hour_labels AS
WITH counted AS (
    SELECT
        hour,
        CASE getvariable('rules') WHEN 'course' THEN sum(lines) ELSE count(*) END AS busyness
    FROM orders
    GROUP BY hour
),
ranked AS (
    SELECT *, row_number() OVER (ORDER BY busyness DESC, hour) AS nth_busiest FROM counted
),
ranked_twice AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY nth_busiest <= getvariable('busiest_hours') ORDER BY busyness, hour
        ) AS nth_slowest_of_rest
    FROM ranked
)
SELECT
    hour,
    CASE
        WHEN nth_busiest <= getvariable('busiest_hours')         THEN 'Most orders'
        WHEN nth_slowest_of_rest <= getvariable('busiest_hours') THEN 'Fewest orders'
        ELSE 'Average orders'
    END AS busiest_period_of_day
FROM ranked_twice;

-- One row per customer: median gap in days, missing gaps ignored, the two middle values averaged.
-- Over the customer's lines (course) or orders (corrected).
CREATE TEMP TABLE customer_gaps AS
SELECT user_id, median(gap_days) AS median_gap_days
FROM (
    SELECT user_id, gap_days FROM lines  WHERE getvariable('rules') = 'course'
    UNION ALL
    SELECT user_id, gap_days FROM orders WHERE getvariable('rules') = 'corrected'
)
GROUP BY user_id;

-- One row per customer: what the lines' prices (as the flags see them) come to, in cents.
CREATE TEMP TABLE customer_prices AS
SELECT user_id, sum(flag_cents) AS flag_cents, count(flag_cents) AS priced_lines
FROM lines
GROUP BY user_id;

-- One row per customer with at least one line in the analysis.
CREATE TEMP TABLE customers AS
WITH totals AS (
    SELECT user_id, max(order_number) AS max_order, count(*) AS orders, sum(lines) AS lines
    FROM orders GROUP BY user_id
),
habits AS (
    SELECT
        user_id,
        CASE
            WHEN median_gap_days IS NULL THEN NULL
            WHEN median_gap_days <= getvariable('rhythm')[1] THEN 'Weekly'
            WHEN median_gap_days <= getvariable('rhythm')[2] THEN 'Fortnightly'
            ELSE 'Occasional'
        END AS rhythm,
        CASE
            WHEN lines < getvariable('basket')[1] * orders THEN 'Top-up'
            WHEN lines < getvariable('basket')[2] * orders THEN 'Regular shop'
            ELSE 'Big shop'
        END AS basket
    FROM totals JOIN customer_gaps USING (user_id)
)
SELECT
    user_id,
    CASE
        WHEN max_order > getvariable('loyalty_flag')[2] THEN 'Loyal customer'
        WHEN max_order > getvariable('loyalty_flag')[1] THEN 'Regular customer'
        ELSE 'New customer'
    END AS loyalty_flag,
    CASE
        WHEN priced_lines = 0 THEN '(missing)'
        -- the mean against the threshold, without a division: exact at 10.00
        WHEN flag_cents < getvariable('spending_flag')[1] * priced_lines
            THEN 'Low spender'
        ELSE 'High spender'
    END AS spending_flag,
    CASE
        WHEN median_gap_days IS NULL THEN '(missing)'
        WHEN median_gap_days > getvariable('frequency_flag')[2]
            THEN 'Non-frequent customer'
        WHEN median_gap_days > getvariable('frequency_flag')[1] THEN 'Regular customer'
        ELSE 'Frequent customer'
    END AS frequency_flag,
    coalesce(rhythm, '(missing)') AS rhythm,
    basket,
    -- said as one: Weekly big shop
    coalesce(rhythm || ' ' || lower(basket[1]) || basket[2:], '(missing)') AS segment,
    CASE
        WHEN max_order < getvariable('exclusion_flag')[1] THEN 'Low activity'
        ELSE 'Active'
    END AS exclusion_flag,
    coalesce(region, '(missing)') AS region,
    CASE
        WHEN age_years IS NULL THEN '(missing)'
        WHEN age_years < getvariable('age_group')[1]
 THEN '18-' || (getvariable('age_group')[1] - 1)
        WHEN age_years < getvariable('age_group')[2]
 THEN getvariable('age_group')[1] || '-' || (getvariable('age_group')[2] - 1)
        ELSE getvariable('age_group')[2] || '+'
    END AS age_group,
    CASE
        WHEN income_usd IS NULL THEN '(missing)'
        WHEN income_usd < getvariable('income_group')[1] THEN 'Low income'
        WHEN income_usd < getvariable('income_group')[2] THEN 'Middle income'
        ELSE 'High income'
    END AS income_group,
    coalesce(family_status, '(missing)')                 AS family_status,
    coalesce(gender, '(missing)')                        AS gender,
    coalesce(CAST(n_dependants AS VARCHAR), '(missing)') AS n_dependants
FROM totals
JOIN habits USING (user_id)
JOIN customer_gaps USING (user_id)
JOIN customer_prices USING (user_id)
LEFT JOIN customer_rows USING (user_id)
LEFT JOIN census_regions USING (state);

-- One row per population and customer in it.
CREATE TEMP TABLE members AS
SELECT 'all' AS population, user_id FROM customers
UNION ALL
SELECT 'active' AS population, user_id FROM customers WHERE exclusion_flag = 'Active';

-- Said as one: 65+, no dependants, low income.
CREATE TEMP VIEW profiled AS
SELECT *, CASE
    WHEN '(missing)' IN (age_group, n_dependants, income_group) THEN '(missing)'
    ELSE concat_ws(', ', age_group,
                   if(n_dependants = '0', 'no', 'with') || ' dependants', lower(income_group))
    END AS profile
FROM customers;

-- One row per customer and attribute.
CREATE TEMP TABLE customer_labels AS
UNPIVOT profiled
ON loyalty_flag, spending_flag, frequency_flag, rhythm, basket, segment, exclusion_flag,
   region, age_group, income_group, family_status, gender, n_dependants, profile
INTO NAME attribute VALUE label;

-- One row per population and line, per population and order.
CREATE TEMP VIEW population_lines  AS FROM members JOIN lines  USING (user_id);
CREATE TEMP VIEW population_orders AS FROM members JOIN orders USING (user_id);

-- One row per population, attribute and label: the totals behind `flags` and `habits`.
CREATE TEMP TABLE group_totals AS
SELECT
    population, attribute, label,
    count(DISTINCT user_id)              AS customers,
    count(*)                             AS orders,
    CAST(sum(lines) AS BIGINT)           AS lines,
    CAST(sum(priced_lines) AS BIGINT)    AS priced_lines,
    CAST(sum(spend_cents) AS BIGINT)     AS spend_cents,
    CAST(sum(reordered_lines) AS BIGINT) AS reordered_lines,
    median(gap_days)                     AS median_gap_days
FROM population_orders
JOIN customer_labels USING (user_id)
GROUP BY population, attribute, label;
"""

# --- the result tables ---------------------------------------------------------------------------

RESULTS = {
    # Grain: population, flag, label. Empty where a count would not mean anything.
    "flags": """
    SELECT population, 'price_range' AS flag, price_range AS label,
           CAST(NULL AS BIGINT) AS customers, CAST(NULL AS BIGINT) AS orders, count(*) AS lines
    FROM population_lines
    GROUP BY population, price_range
    UNION ALL
    SELECT population, 'busiest_day', busiest_day, NULL, count(*), CAST(sum(lines) AS BIGINT)
    FROM population_orders JOIN day_labels USING (day)
    GROUP BY population, busiest_day
    UNION ALL
    SELECT population, 'busiest_days', busiest_days, NULL, count(*), CAST(sum(lines) AS BIGINT)
    FROM population_orders JOIN day_labels USING (day)
    GROUP BY population, busiest_days
    UNION ALL
    SELECT population, 'busiest_period_of_day', busiest_period_of_day, NULL, count(*),
           CAST(sum(lines) AS BIGINT)
    FROM population_orders JOIN hour_labels USING (hour)
    GROUP BY population, busiest_period_of_day
    UNION ALL
    SELECT population, attribute, label, customers, orders, lines
    FROM group_totals
    ORDER BY population, flag, label
    """,
    # Grain: population, weekday.
    "orders_by_day": """
    SELECT population, day, day_name, count(*) AS orders, CAST(sum(lines) AS BIGINT) AS lines,
           sum(spend_cents) / 100 AS spend
    FROM population_orders
    JOIN weekdays USING (day)
    GROUP BY population, day, day_name
    ORDER BY population, day
    """,
    # Grain: population, hour.
    "orders_by_hour": """
    SELECT population, hour, count(*) AS orders, CAST(sum(lines) AS BIGINT) AS lines,
           sum(spend_cents) / 100                                   AS spend,
           sum(spend_cents) / 100 / count(*)                        AS mean_order_value,
           sum(spend_cents) / 100 / nullif(sum(priced_lines), 0)    AS mean_item_price
    FROM population_orders
    GROUP BY population, hour
    ORDER BY population, hour
    """,
    # Grain: population, weekday, hour.
    "orders_by_day_hour": """
    SELECT population, day, hour, count(*) AS orders, CAST(sum(lines) AS BIGINT) AS lines,
           sum(spend_cents) / 100 AS spend
    FROM population_orders
    GROUP BY population, day, hour
    ORDER BY population, day, hour
    """,
    # Grain: population, price range of the product.
    "price_ranges": """
    SELECT population, price_range,
           count(DISTINCT product_id)                 AS products,
           count(DISTINCT order_id)                   AS orders,
           count(*)                                   AS lines,
           coalesce(sum(price_cents), 0) / 100        AS spend
    FROM population_lines
    GROUP BY population, price_range
    ORDER BY population, price_range
    """,
    # Grain: population, department.
    "departments": """
    SELECT population, department_id, coalesce(department, '(missing)') AS department,
           count(DISTINCT product_id)                 AS products,
           count(DISTINCT user_id)                    AS customers,
           count(DISTINCT order_id)                   AS orders,
           count(*)                                   AS lines,
           coalesce(sum(price_cents), 0) / 100        AS spend,
           count(*) FILTER (reordered = 1) / count(*) AS reorder_rate
    FROM population_lines
    LEFT JOIN department_names USING (department_id)
    GROUP BY population, department_id, department
    ORDER BY population, department_id
    """,
    # Grain: population, grouping of customers, group. Gaps are over the group's orders together.
    "habits": """
    WITH of_customer AS (
        SELECT population, attribute, label, user_id, count(*) AS orders, sum(lines) AS lines,
               sum(spend_cents) AS cents
        FROM population_orders JOIN customer_labels USING (user_id)
        GROUP BY ALL
    ),
    of_one AS (
        SELECT population, attribute, label,
               greatest(max(orders) / sum(orders), max(lines) / sum(lines),
                        max(cents) / nullif(sum(cents), 0)) AS largest_share
        FROM of_customer
        WHERE population = 'active'
        GROUP BY ALL
    )
    SELECT population, attribute AS "grouping", label AS "group",
           customers, orders, lines,
           spend_cents / 100                           AS spend,
           spend_cents / 100 / orders                  AS mean_order_value,
           lines / orders                              AS mean_lines_per_order,
           spend_cents / 100 / nullif(priced_lines, 0) AS mean_item_price,
           median_gap_days                             AS median_days_between_orders,
           reordered_lines / lines                     AS reorder_rate,
           largest_share
    FROM group_totals LEFT JOIN of_one USING (population, attribute, label)
    WHERE attribute <> 'exclusion_flag'
    ORDER BY population, "grouping", "group"
    """,
    # Grain: population, grouping of customers, group, department.
    "department_mix": """
    WITH customer_departments AS (
        SELECT user_id, coalesce(department, '(missing)') AS department, count(*) AS lines
        FROM lines
        LEFT JOIN department_names USING (department_id)
        GROUP BY ALL
    ),
    in_population AS (
        SELECT population, department, sum(lines) AS department_lines,
               sum(sum(lines)) OVER (PARTITION BY population) AS population_lines
        FROM members JOIN customer_departments USING (user_id)
        GROUP BY population, department
    ),
    in_group AS (
        SELECT population, attribute, label, department, sum(lines) AS lines,
               count(DISTINCT user_id) AS customers,
               sum(sum(lines)) OVER (PARTITION BY population, attribute, label) AS group_lines
        FROM members
        JOIN customer_departments USING (user_id)
        JOIN customer_labels USING (user_id)
        WHERE attribute <> 'exclusion_flag'
        GROUP BY population, attribute, label, department
    )
    SELECT population, attribute AS "grouping", label AS "group", department,
           CAST(lines AS BIGINT)                                            AS lines,
           customers,
           lines / group_lines                                              AS share,
           (lines / group_lines) / (department_lines / population_lines)    AS lift
    FROM in_group
    JOIN in_population USING (population, department)
    ORDER BY population, "grouping", "group", department
    """,
}

ROW_FLOW = """
-- One row: what became of the lines. lines_matched is before doubled ids add any.
WITH counted AS (
    SELECT
        (SELECT count(*) FROM line_rows)                                    AS lines_read,
        (
            SELECT count(*) FROM line_rows
            WHERE order_id IN (SELECT order_id FROM prior_orders)
              AND product_id IN (SELECT product_id FROM products)
        )                                                                   AS lines_matched,
        (SELECT count(*) FROM lines)                                        AS lines_kept,
        (SELECT count(*) FROM orders)                                       AS orders_kept,
        (SELECT count(*) FROM customers)                                    AS customers_kept,
        (SELECT count(*) FROM population_lines WHERE population = 'active') AS lines_active,
        (SELECT count(*) FROM customers WHERE exclusion_flag = 'Active')    AS customers_active
)
SELECT
    lines_read,
    lines_read - lines_matched AS lines_unmatched,
    lines_kept - lines_matched AS lines_added,
    lines_kept, orders_kept, customers_kept,
    lines_active,
    lines_kept - lines_active  AS lines_excluded,
    customers_active
FROM counted
"""


def result_tables(
    raw_folder: Path, rules: str, settings: dict | None = None
) -> dict[str, pd.DataFrame]:
    """Compute the result tables of one raw folder under one set of rules.

    Raw folder: the five files of the course's layout, unzipped. Rules: "corrected" or "course".
    Settings: any of `SETTINGS`, the rest keep their defaults; an unknown name raises.
    A table per name in `KEYS`, a row per key; counts are whole numbers, spend USD, means, shares
    and rates unrounded; an empty cell means not applicable.
    """
    with _analysis(raw_folder, rules, settings) as connection:
        tables = {name: connection.execute(query).df() for name, query in RESULTS.items()}
    counts = {"customers": "Int64", "orders": "Int64"}
    return tables | {"flags": tables["flags"].astype(counts)}


def row_flow(raw_folder: Path, rules: str) -> dict[str, int]:
    """Count what became of the lines: read - unmatched + added = kept = active + excluded.

    Keys: lines_read, lines_unmatched, lines_added, lines_kept, orders_kept, customers_kept,
    lines_active, lines_excluded, customers_active. Unmatched lines are counted under both rules.
    """
    with _analysis(raw_folder, rules, None) as connection:
        (row,) = connection.execute(ROW_FLOW).df().to_dict("records")
    return {name: int(count) for name, count in row.items()}


def assert_tables_equal(
    actual: pd.DataFrame,
    expected: pd.DataFrame,
    keys: list[str],
    *,
    table: str = "table",
    both_ways: bool = False,
) -> None:
    """Raise an AssertionError that names table, key, column and both values where they differ.

    Rows are matched by `keys`, columns by name; row order does not matter. Counts (`COUNTS`) must
    agree exactly, `spend` to 0.01 USD, other numbers to 1e-6, text to the letter. One way: every
    column and row of `expected` must exist, and columns, rows and cells that it lacks or leaves
    empty are not compared. Both ways: neither side may have a column, row or cell that the other
    lacks.
    """
    for column in [*keys, *expected.columns]:
        if column not in actual.columns:
            raise AssertionError(f"{table}: column {column!r} is expected and missing")
    for column in [*keys, *(actual.columns if both_ways else [])]:
        if column not in expected.columns:
            raise AssertionError(f"{table}: column {column!r} is not expected")
    actual_rows, expected_rows = (
        _rows_by_key(frame, keys, f"{table}, {side}")
        for frame, side in ((actual, "actual"), (expected, "expected"))
    )
    for key in expected_rows:
        if key not in actual_rows:
            raise AssertionError(f"{table}: row {_named(keys, key)} is expected and missing")
    for key in actual_rows:
        if both_ways and key not in expected_rows:
            raise AssertionError(f"{table}: row {_named(keys, key)} is not expected")
    columns = [column for column in expected.columns if column not in keys]
    for key, expected_row in expected_rows.items():
        for column in columns:
            left, right = actual_rows[key][column], expected_row[column]
            if _is_empty(right) and not both_ways:
                continue
            if not _same_cell(column, left, right):
                raise AssertionError(
                    f"{table}: row {_named(keys, key)}, column {column!r}:"
                    f" actual {_shown(left)}, expected {_shown(right)}"
                )


# --- behind them ---------------------------------------------------------------------------------


def _analysis(raw_folder: Path, rules: str, settings: dict | None) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that holds the analysis at its three grains."""
    if rules not in PRODUCTS:
        raise ValueError(f"rules must be one of {sorted(PRODUCTS)}, not {rules!r}")
    unknown = set(settings or {}) - set(SETTINGS)
    if unknown:
        raise ValueError(f"unknown settings: {sorted(unknown)}")
    used = SETTINGS | (settings or {})
    connection = duckdb.connect()
    try:
        _set_variables(connection, rules, used)
        for name, file in RAW_FILES.items():
            _read_as_text(connection, name, Path(raw_folder) / file)
        connection.execute(TYPED)
        _require_unique(connection, "customer_rows", "user_id")
        _require_unique(connection, "prior_orders", "order_id")
        connection.execute(PRODUCTS[rules])
        if rules == "corrected":
            _require_unique(connection, "products", "product_id")
        connection.execute(ANALYSIS)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_variables(
    connection: duckdb.DuckDBPyConnection, rules: str, settings: dict[str, Any]
) -> None:
    """Hand rules and settings to the SQL: amounts compared with prices become whole cents."""
    connection.execute(f"SET VARIABLE rules = '{rules}'")
    for name in SETTINGS.keys() - {"day_names"}:
        value = settings[name]
        is_list = isinstance(value, list | tuple)
        numbers = list(value) if is_list else [value]
        if name in PRICES:
            numbers = [round(100 * number) for number in numbers]
        connection.execute(f"SET VARIABLE {name} = {numbers if is_list else numbers[0]}")
    connection.execute("CREATE TEMP TABLE weekdays (day BIGINT, day_name VARCHAR)")
    connection.executemany(
        "INSERT INTO weekdays VALUES (?, ?)",
        [list(day) for day in enumerate(settings["day_names"])],
    )
    connection.execute("CREATE TEMP TABLE census_regions (state VARCHAR, region VARCHAR)")
    connection.executemany(
        "INSERT INTO census_regions VALUES (?, ?)",
        [[state, region] for region in REGIONS for state in REGIONS[region]],
    )


def _read_as_text(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
    """Read a CSV file, every column as text; only an empty field is missing.

    Single-threaded, so that `rowid` is the order of the file. A malformed row raises.
    """
    connection.execute(
        f"""
        CREATE TEMP TABLE {name} AS
        FROM read_csv(?, header = true, all_varchar = true, delim = ',', quote = '"',
                      escape = '"', nullstr = '', comment = '', skip = 0, parallel = false)
        """,
        [str(path)],
    )


def _require_unique(connection: duckdb.DuckDBPyConnection, table: str, key: str) -> None:
    """Raise where a key stands on more than one row: what follows would be undefined."""
    doubled = connection.execute(
        f"SELECT {key} FROM {table} GROUP BY {key} HAVING count(*) > 1 ORDER BY {key} LIMIT 5"
    ).fetchall()
    if doubled:
        raise ValueError(f"{table}: {key} is not unique: {[key for (key,) in doubled]}")


def _rows_by_key(frame: pd.DataFrame, keys: list[str], where: str) -> dict[tuple, dict]:
    """Index the rows by key, keys as text (1, 1.0 and "1" are the same); a doubled key raises."""
    rows: dict[tuple, dict] = {}
    for row in frame.astype(object).to_dict("records"):
        key = tuple(_key_text(row[name]) for name in keys)
        if key in rows:
            raise AssertionError(f"{where}: row {_named(keys, key)} stands there twice")
        rows[key] = row
    return rows


def _key_text(value: object) -> str:
    if _is_empty(value):
        return ""
    number = _number(value)
    return str(int(number)) if number is not None and number.is_integer() else str(value)


def _named(keys: list[str], key: tuple) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(keys, key, strict=True))


def _is_empty(value: object) -> bool:
    return bool(pd.isna(value)) or value == ""


def _shown(value: object) -> str:
    return "(empty)" if _is_empty(value) else repr(value)


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _same_cell(column: str, left: object, right: object) -> bool:
    if _is_empty(left) or _is_empty(right):
        return _is_empty(left) and _is_empty(right)
    a, b = _number(left), _number(right)
    if a is None or b is None:
        return str(left) == str(right)
    if column in COUNTS:
        return a == b
    tolerance = SPEND_TOLERANCE_USD if column == "spend" else RATIO_TOLERANCE
    return abs(a - b) <= tolerance * (1 + 1e-9)
