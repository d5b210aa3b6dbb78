"""The peer: the same tables made by hand-tuned DuckDB, as fast as we know how to make them.

    python benchmarks/peer.py DATA OUT

From the five CSV files of the course's layout, under RULES=corrected with the default thresholds,
it makes OUT/prepared/*.parquet (the tables that stages 01 to 04 and `basket flat` make) and
OUT/tables/*.csv (the result tables that count and average). README.md beside this file says what
was chosen, and what was tried and found slower. It shares no code with the package.
"""

import json
import os
import sys
import time
from pathlib import Path

import duckdb

THREADS = 2
PARQUET = (
    "FORMAT parquet, ROW_GROUP_SIZE 250000, DICTIONARY_SIZE_LIMIT 1000, "
    "WRITE_BLOOM_FILTER false, PARQUET_VERSION v2"
)
GROUPINGS = (
    *("loyalty_flag", "spending_flag", "frequency_flag", "region", "age_group", "income_group"),
    *("family_status", "gender", "n_dependants", "profile"),
)
FLAGS = (*GROUPINGS, "exclusion_flag")
DAYS = ("Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
REGIONS = {
    "Northeast": "Connecticut, Maine, Massachusetts, New Hampshire, New Jersey, New York, "
    "Pennsylvania, Rhode Island, Vermont",
    "Midwest": "Illinois, Indiana, Iowa, Kansas, Michigan, Minnesota, Missouri, Nebraska, "
    "North Dakota, Ohio, South Dakota, Wisconsin",
    "South": "Alabama, Arkansas, Delaware, District of Columbia, Florida, Georgia, Kentucky, "
    "Louisiana, Maryland, Mississippi, North Carolina, Oklahoma, South Carolina, "
    "Tennessee, Texas, Virginia, West Virginia",
    "West": "Alaska, Arizona, California, Colorado, Hawaii, Idaho, Montana, Nevada, New Mexico, "
    "Oregon, Utah, Washington, Wyoming",
}
STATES = {state: region for region, states in REGIONS.items() for state in states.split(", ")}

# ---- import: typed CSV, labels as ENUMs ---------------------------------------------------------

IMPORT = """
CREATE TYPE gender AS ENUM ('Female', 'Male');
CREATE TYPE family_status AS ENUM ('married', 'single', 'divorced/widowed',
                                   'living with parents and siblings');
CREATE TYPE eval_set AS ENUM ('prior', 'train', 'test');
CREATE TYPE merge_flag AS ENUM ('both', 'left_only', 'right_only');
CREATE TYPE price_range AS ENUM ('Low-range product', 'Mid-range product', 'High-range product',
                                 '(missing)');
CREATE TYPE busiest_day AS ENUM ('Busiest day', 'Regularly busy', 'Least busy', '(missing)');
CREATE TYPE busiest_days AS ENUM ('Busiest days', 'Regularly busy', 'Slowest days', '(missing)');
CREATE TYPE busiest_period AS ENUM ('Most orders', 'Average orders', 'Fewest orders', '(missing)');
CREATE TYPE age_group AS ENUM ('18-39', '40-64', '65+', '(missing)');
CREATE TYPE income_group AS ENUM ('Low income', 'Middle income', 'High income', '(missing)');
CREATE TYPE loyalty_flag AS ENUM ('New customer', 'Regular customer', 'Loyal customer',
                                  '(missing)');
CREATE TYPE spending_flag AS ENUM ('Low spender', 'High spender', '(missing)');
CREATE TYPE frequency_flag AS ENUM ('Frequent customer', 'Regular customer',
                                    'Non-frequent customer', '(missing)');
CREATE TYPE exclusion_flag AS ENUM ('Low activity', 'Active', '(missing)');

CREATE TEMP TABLE raw_products AS
SELECT row_number() OVER () AS file_row, *
FROM read_csv('products.csv', header = true, auto_detect = false, delim = ',', quote = '"',
              parallel = false, columns = {
    'product_id': 'INTEGER', 'product_name': 'VARCHAR', 'aisle_id': 'SMALLINT',
    'department_id': 'SMALLINT', 'prices': 'DOUBLE'});

CREATE TEMP TABLE raw_departments AS
SELECT id::SMALLINT AS department_id, department
FROM (UNPIVOT (SELECT * EXCLUDE (department_id)
               FROM read_csv('departments.csv', header = true, all_varchar = true))
      ON COLUMNS(*) INTO NAME id VALUE department);

CREATE TEMP TABLE raw_customers AS
SELECT * EXCLUDE ("First Name", "Surnam")
FROM read_csv('customers.csv', header = true, auto_detect = false, delim = ',', quote = '"',
              dateformat = '%-m/%-d/%Y', columns = {
    'user_id': 'INTEGER', 'First Name': 'VARCHAR', 'Surnam': 'VARCHAR', 'Gender': 'gender',
    'STATE': 'state', 'Age': 'SMALLINT', 'date_joined': 'DATE', 'n_dependants': 'SMALLINT',
    'fam_status': 'family_status', 'income': 'INTEGER'});

CREATE TEMP TABLE raw_orders AS
FROM read_csv('orders.csv', header = true, auto_detect = false, delim = ',', quote = '',
              columns = {
    'order_id': 'INTEGER', 'user_id': 'INTEGER', 'eval_set': 'eval_set', 'order_number': 'SMALLINT',
    'order_dow': 'TINYINT', 'order_hour_of_day': 'TINYINT', 'days_since_prior_order': 'TINYINT'});

CREATE TEMP TABLE orders AS
SELECT order_id, user_id, order_number, order_dow AS order_day, order_hour_of_day AS order_hour,
       days_since_prior_order, days_since_prior_order IS NULL AS is_first_order
FROM raw_orders WHERE eval_set = 'prior';

-- The only join with a large table: each line learns its order while the CSV file is parsed.
-- Without this setting the planner hashes the file, whose size it cannot know, not the orders.
SET disabled_optimizers = 'build_side_probe_side';
CREATE TEMP TABLE lines AS
SELECT order_id, user_id, product_id, add_to_cart_order, reordered,
       order_number, order_day, order_hour, days_since_prior_order
FROM read_csv('orders_products_prior.csv', header = true, auto_detect = false, delim = ',',
              quote = '', columns = {
    'order_id': 'INTEGER', 'product_id': 'INTEGER', 'add_to_cart_order': 'SMALLINT',
    'reordered': 'TINYINT'})
LEFT JOIN orders USING (order_id);
RESET disabled_optimizers;
CREATE VIEW raw_lines AS SELECT order_id, product_id, add_to_cart_order, reordered FROM lines;
"""

# ---- clean --------------------------------------------------------------------------------------

# Exact duplicates leave; the first row of a doubled id takes the absent id before it; names that
# are missing or damaged say so; prices become cents, those above 100 dollars become missing.
CLEAN = """
CREATE TYPE department AS ENUM (SELECT department FROM raw_departments ORDER BY department_id);
CREATE TEMP TABLE departments AS
SELECT department_id, department::department AS department
FROM raw_departments ORDER BY department_id;

CREATE TEMP TABLE repaired AS
WITH kept AS (
    SELECT min(file_row) AS file_row, product_id, product_name, aisle_id, department_id, prices
    FROM raw_products GROUP BY ALL
),
numbered AS (
    SELECT *, row_number() OVER (PARTITION BY product_id ORDER BY file_row) = 1
              AND count(*) OVER (PARTITION BY product_id) > 1 AS is_first_of_several
    FROM kept
)
SELECT
    CASE WHEN is_first_of_several AND product_id - 1 NOT IN (SELECT product_id FROM raw_products)
         THEN product_id - 1 ELSE product_id END AS product_id,
    coalesce(CASE WHEN product_name = '#NAME?' THEN '(damaged name)' ELSE product_name END,
             '(unnamed)') AS product_name,
    aisle_id, department_id,
    CASE WHEN prices <= 100 THEN round(prices * 100)::INTEGER END AS price_cents
FROM numbered;

CREATE TYPE product_name AS ENUM (SELECT DISTINCT product_name FROM repaired);
CREATE TEMP TABLE products AS
SELECT (row_number() OVER (ORDER BY product_id) - 1)::INTEGER AS product_key, product_id,
       product_name::product_name AS product_name, aisle_id, department_id, price_cents
FROM repaired ORDER BY product_id;

-- What the lines take from the product, with its department and price range as bits of masks.
CREATE TEMP TABLE named_products AS
SELECT products.*, department,
       (1 << department_id::INTEGER)::INTEGER AS department_bit,
       CASE WHEN price_cents IS NULL THEN '(missing)'
            WHEN price_cents > 1500 THEN 'High-range product'
            WHEN price_cents > 500 THEN 'Mid-range product'
            ELSE 'Low-range product' END::price_range AS price_range,
       (1 << enum_code(price_range)::INTEGER)::INTEGER AS range_bit
FROM products JOIN departments USING (department_id);

CREATE TEMP TABLE customers AS
SELECT user_id, Gender AS gender, STATE AS state, Age AS age, date_joined, n_dependants,
       fam_status AS family_status, income
FROM raw_customers ORDER BY user_id;
"""

# ---- merge --------------------------------------------------------------------------------------

# Products and customers have dense ids: DuckDB finds them by position (a perfect hash join).
MERGE = """
CREATE VIEW merged AS
SELECT order_id, user_id, product_key, product_id, add_to_cart_order, reordered, order_number,
       order_day, order_hour, days_since_prior_order, product_name, aisle_id, department_id,
       department, price_cents, gender, state, age, date_joined, n_dependants, family_status,
       income, 'both'::merge_flag AS merge
FROM lines JOIN named_products USING (product_id) JOIN customers USING (user_id);
"""

# ---- labels, at the grain they belong to --------------------------------------------------------

# One pass over the lines sums up each order, with masks of its departments and price ranges, so
# that distinct orders are never counted; one counts customer x department, one the products.
DERIVE = """
CREATE TEMP TABLE order_sums AS
SELECT order_id, count(*)::INTEGER AS lines, count(price_cents)::INTEGER AS priced_lines,
       coalesce(sum(price_cents), 0)::BIGINT AS spend_cents,
       sum(reordered)::INTEGER AS reordered_lines,
       bit_or(department_bit) AS department_mask, bit_or(range_bit) AS range_mask
FROM lines JOIN named_products USING (product_id)
GROUP BY order_id;

CREATE TEMP TABLE day_labels AS
WITH ranked AS (
    SELECT order_day, count(*) AS orders,
           row_number() OVER (ORDER BY count(*) DESC, order_day) AS place
    FROM orders SEMI JOIN order_sums USING (order_id) GROUP BY order_day
)
SELECT order_day,
    CASE WHEN place <= 1 THEN 'Busiest day'
         WHEN row_number() OVER (PARTITION BY place <= 1 ORDER BY orders, order_day) <= 1
         THEN 'Least busy' ELSE 'Regularly busy' END::busiest_day AS busiest_day,
    CASE WHEN place <= 2 THEN 'Busiest days'
         WHEN row_number() OVER (PARTITION BY place <= 2 ORDER BY orders, order_day) <= 2
         THEN 'Slowest days' ELSE 'Regularly busy' END::busiest_days AS busiest_days
FROM ranked;

CREATE TEMP TABLE hour_labels AS
WITH ranked AS (
    SELECT order_hour, count(*) AS orders,
           row_number() OVER (ORDER BY count(*) DESC, order_hour) AS place
    FROM orders SEMI JOIN order_sums USING (order_id) GROUP BY order_hour
)
SELECT order_hour,
    CASE WHEN place <= 8 THEN 'Most orders'
         WHEN row_number() OVER (PARTITION BY place <= 8 ORDER BY orders, order_hour) <= 8
         THEN 'Fewest orders' ELSE 'Average orders' END::busiest_period AS busiest_period_of_day
FROM ranked;

CREATE TEMP TABLE analysis_orders AS
SELECT orders.*, order_sums.* EXCLUDE (order_id), busiest_day, busiest_days, busiest_period_of_day
FROM orders JOIN order_sums USING (order_id)
JOIN day_labels USING (order_day) JOIN hour_labels USING (order_hour);
DROP TABLE order_sums;
DROP TABLE orders;

CREATE TEMP TABLE labelled AS
WITH totals AS (
    SELECT user_id, count(*)::INTEGER AS orders, sum(lines)::INTEGER AS lines,
           sum(priced_lines)::INTEGER AS priced_lines, sum(spend_cents)::BIGINT AS spend_cents,
           sum(reordered_lines)::INTEGER AS reordered_lines, max(order_number) AS max_order,
           median(days_since_prior_order)::DOUBLE AS median_days_between_orders
    FROM analysis_orders GROUP BY user_id
)
SELECT
    user_id, gender, state, coalesce(region, '(missing)'::region) AS region, age,
    CASE WHEN age < 40 THEN '18-39' WHEN age < 65 THEN '40-64' ELSE '65+' END::age_group
        AS age_group,
    date_joined, n_dependants, family_status, income,
    CASE WHEN income IS NULL THEN '(missing)' WHEN income < 50000 THEN 'Low income'
         WHEN income < 100000 THEN 'Middle income' ELSE 'High income' END::income_group
        AS income_group,
    totals.* EXCLUDE (user_id),
    CASE WHEN max_order > 40 THEN 'Loyal customer' WHEN max_order > 10 THEN 'Regular customer'
         ELSE 'New customer' END::loyalty_flag AS loyalty_flag,
    CASE WHEN priced_lines = 0 THEN '(missing)' WHEN spend_cents < 1000 * priced_lines
         THEN 'Low spender' ELSE 'High spender' END::spending_flag AS spending_flag,
    CASE WHEN median_days_between_orders IS NULL THEN '(missing)'
         WHEN median_days_between_orders > 20 THEN 'Non-frequent customer'
         WHEN median_days_between_orders > 10 THEN 'Regular customer'
         ELSE 'Frequent customer' END::frequency_flag AS frequency_flag,
    CASE WHEN max_order < 5 THEN 'Low activity' ELSE 'Active' END::exclusion_flag AS exclusion_flag,
    CASE WHEN income IS NULL THEN '(missing)'
         ELSE age_group || CASE WHEN n_dependants > 0 THEN ', with dependants, '
                                ELSE ', no dependants, ' END || lower(income_group::VARCHAR)
    END AS profile_text
FROM totals JOIN customers USING (user_id) LEFT JOIN regions USING (state);

CREATE TYPE profile AS ENUM (SELECT DISTINCT profile_text FROM labelled);
CREATE TEMP TABLE analysis_customers AS
SELECT * EXCLUDE (profile_text), profile_text::profile AS profile FROM labelled ORDER BY user_id;

CREATE TEMP TABLE customer_departments AS
SELECT user_id, department_id, count(*)::INTEGER AS lines
FROM lines JOIN named_products USING (product_id) GROUP BY ALL;

CREATE TEMP TABLE product_sums AS
SELECT product_id, exclusion_flag = 'Active' AS is_active, count(*) AS lines,
       sum(reordered)::BIGINT AS reordered_lines
FROM lines JOIN analysis_customers USING (user_id) GROUP BY ALL;

CREATE TEMP TABLE analysis_products AS
WITH sums AS (
    SELECT product_id, sum(lines)::INTEGER AS lines,
           sum(reordered_lines)::INTEGER AS reordered_lines
    FROM product_sums GROUP BY product_id
)
SELECT product_key, product_id, product_name, aisle_id, department_id, department, price_cents,
       coalesce(lines, 0)::INTEGER AS lines,
       coalesce(lines * price_cents::BIGINT, 0) AS spend_cents,
       coalesce(reordered_lines, 0)::INTEGER AS reordered_lines, price_range
FROM named_products LEFT JOIN sums USING (product_id) ORDER BY product_id;

CREATE VIEW low_activity_customers AS
FROM analysis_customers WHERE exclusion_flag = 'Low activity';
"""

FLAT = """
CREATE VIEW flat_lines AS
SELECT order_id, user_id, product_key, product_id, add_to_cart_order, reordered, order_number,
       order_day, order_hour, days_since_prior_order, product_name, aisle_id, department_id,
       department, price_cents, gender, state, region, age, age_group, date_joined, n_dependants,
       family_status, income, income_group, 'both'::merge_flag AS merge, max_order,
       median_days_between_orders, price_range, busiest_day, busiest_days, busiest_period_of_day,
       loyalty_flag, spending_flag, frequency_flag, exclusion_flag, profile
FROM lines JOIN named_products USING (product_id) JOIN analysis_customers USING (user_id)
JOIN day_labels USING (order_day) JOIN hour_labels USING (order_hour);
"""

# ---- result tables ------------------------------------------------------------------------------


def labels(names: tuple[str, ...]) -> str:
    """Write the SQL of a row's grouping in GROUPING SETS, and of its label."""
    grouping = " ".join(f"WHEN grouping({name}) = 0 THEN '{name}'" for name in names)
    label = " ".join(
        f"WHEN grouping({name}) = 0 THEN coalesce({name}::VARCHAR, '(missing)')" for name in names
    )
    return f'CASE {grouping} END AS "grouping", CASE {label} END AS "group"'


def sets(by: str, names: tuple[str, ...]) -> str:
    """Write the SQL that groups by `by` and each of the names in turn."""
    return f"GROUP BY GROUPING SETS ({', '.join(f'({by}, {name})' for name in names)})"


# Everything is added up from orders, customers and products, apart for active customers and others;
# the population `all` is the sum of the two.
SUMS = f"""
CREATE TEMP TABLE populations AS
FROM (VALUES ('all', true), ('all', false), ('active', true)) AS named(population, is_active);
CREATE TEMP TABLE members AS
SELECT user_id, exclusion_flag = 'Active' AS is_active, {", ".join(FLAGS)} FROM analysis_customers;

CREATE TEMP TABLE order_cells AS
SELECT is_active, order_day AS day, order_hour AS hour, count(*) AS orders, sum(lines) AS lines,
       sum(spend_cents) AS spend_cents, sum(priced_lines) AS priced_lines
FROM analysis_orders JOIN members USING (user_id) GROUP BY ALL;
CREATE VIEW cells AS
SELECT population, order_cells.* FROM order_cells JOIN populations USING (is_active);

CREATE VIEW products_sold AS
SELECT population, product_id, department_id, department, price_range, price_cents, lines,
       reordered_lines
FROM product_sums JOIN populations USING (is_active) JOIN named_products USING (product_id);

-- Orders that hold a department or a price range, from the masks, of which there are few.
CREATE TEMP TABLE order_masks AS
SELECT is_active, department_mask, range_mask, count(*) AS orders
FROM analysis_orders JOIN members USING (user_id) GROUP BY ALL;
CREATE VIEW masks AS
SELECT population, order_masks.* FROM order_masks JOIN populations USING (is_active);

CREATE TEMP TABLE group_sums AS
SELECT is_active, {labels(FLAGS)}, count(*) AS customers, sum(orders) AS orders,
       sum(lines) AS lines, sum(priced_lines) AS priced_lines, sum(spend_cents) AS spend_cents,
       sum(reordered_lines) AS reordered_lines
FROM (SELECT *, exclusion_flag = 'Active' AS is_active FROM analysis_customers)
{sets("is_active", FLAGS)};
CREATE VIEW group_totals AS
SELECT population, "grouping", "group", sum(customers)::BIGINT AS customers,
       sum(orders)::BIGINT AS orders, sum(lines)::BIGINT AS lines,
       sum(priced_lines)::BIGINT AS priced_lines, sum(spend_cents)::BIGINT AS spend_cents,
       sum(reordered_lines)::BIGINT AS reordered_lines
FROM group_sums JOIN populations USING (is_active) GROUP BY ALL;

-- Medians, from how many orders of each group came after how many days.
CREATE TEMP TABLE gap_counts AS
SELECT is_active, days, {labels(GROUPINGS)}, count(*) AS orders
FROM (SELECT user_id, days_since_prior_order AS days FROM analysis_orders WHERE days IS NOT NULL)
JOIN members USING (user_id) {sets("is_active, days", GROUPINGS)};
CREATE VIEW group_medians AS
WITH reached AS (
    SELECT population, "grouping", "group", days,
           sum(sum(orders)) OVER (by_group ORDER BY days) AS upto,
           sum(sum(orders)) OVER by_group AS total
    FROM gap_counts JOIN populations USING (is_active)
    GROUP BY population, "grouping", "group", days
    WINDOW by_group AS (PARTITION BY population, "grouping", "group")
)
SELECT population, "grouping", "group",
       (min(days) FILTER (2 * upto >= total) + min(days) FILTER (2 * upto > total)) / 2
           AS median_days_between_orders
FROM reached GROUP BY ALL;

CREATE TEMP TABLE group_departments AS
SELECT is_active, department_id, {labels(GROUPINGS)}, sum(lines) AS lines, count(*) AS customers
FROM customer_departments JOIN members USING (user_id)
{sets("is_active, department_id", GROUPINGS)};
"""

RESULTS = {
    "flags": """
    SELECT population, 'price_range' AS flag, price_range::VARCHAR AS label,
           NULL::BIGINT AS customers, NULL::BIGINT AS orders, sum(lines)::BIGINT AS lines
    FROM products_sold GROUP BY ALL
    UNION ALL
    SELECT population, 'busiest_day', busiest_day::VARCHAR, NULL, sum(orders), sum(lines)
    FROM cells JOIN day_labels ON day = order_day GROUP BY ALL
    UNION ALL
    SELECT population, 'busiest_days', busiest_days::VARCHAR, NULL, sum(orders), sum(lines)
    FROM cells JOIN day_labels ON day = order_day GROUP BY ALL
    UNION ALL
    SELECT population, 'busiest_period_of_day', busiest_period_of_day::VARCHAR, NULL, sum(orders),
           sum(lines)
    FROM cells JOIN hour_labels ON hour = order_hour GROUP BY ALL
    UNION ALL
    SELECT population, "grouping", "group", customers, orders, lines FROM group_totals
    """,
    "orders_by_day": f"""
    SELECT population, day, {list(DAYS)}[day + 1] AS day_name, sum(orders)::BIGINT AS orders,
           sum(lines)::BIGINT AS lines, round(sum(spend_cents) / 100, 2) AS spend
    FROM cells GROUP BY ALL ORDER BY population, day
    """,
    "orders_by_hour": """
    SELECT population, hour, sum(orders)::BIGINT AS orders, sum(lines)::BIGINT AS lines,
           round(sum(spend_cents) / 100, 2) AS spend,
           sum(spend_cents) / 100 / sum(orders) AS mean_order_value,
           sum(spend_cents) / 100 / nullif(sum(priced_lines), 0) AS mean_item_price
    FROM cells GROUP BY ALL ORDER BY population, hour
    """,
    "orders_by_day_hour": """
    SELECT population, day, hour, sum(orders)::BIGINT AS orders, sum(lines)::BIGINT AS lines,
           round(sum(spend_cents) / 100, 2) AS spend
    FROM cells GROUP BY ALL ORDER BY population, day, hour
    """,
    "price_ranges": """
    WITH sold AS (
        SELECT population, price_range, count(DISTINCT product_id) AS products,
               sum(lines)::BIGINT AS lines, coalesce(sum(lines * price_cents), 0) AS spend_cents
        FROM products_sold GROUP BY ALL
    ),
    held AS (
        SELECT population, price_range, sum(orders)::BIGINT AS orders
        FROM masks JOIN (SELECT DISTINCT price_range, range_bit FROM named_products)
             ON range_mask & range_bit > 0
        GROUP BY ALL
    )
    SELECT population, price_range, products, orders, lines, round(spend_cents / 100, 2) AS spend
    FROM sold JOIN held USING (population, price_range) ORDER BY population, price_range
    """,
    "departments": """
    WITH sold AS (
        SELECT population, department_id, department, count(DISTINCT product_id) AS products,
               sum(lines)::BIGINT AS lines, coalesce(sum(lines * price_cents), 0) AS spend_cents,
               sum(reordered_lines) AS reordered_lines
        FROM products_sold GROUP BY ALL
    ),
    held AS (
        SELECT population, department_id, sum(orders)::BIGINT AS orders
        FROM masks JOIN departments ON department_mask & (1 << department_id::INTEGER) > 0
        GROUP BY ALL
    ),
    bought AS (
        SELECT population, department_id, sum(customers)::BIGINT AS customers
        FROM (SELECT is_active, department_id, count(*) AS customers
              FROM customer_departments JOIN members USING (user_id) GROUP BY ALL)
        JOIN populations USING (is_active) GROUP BY ALL
    )
    SELECT population, department_id, department, products, customers, orders, lines,
           round(spend_cents / 100, 2) AS spend, reordered_lines / lines AS reorder_rate
    FROM sold JOIN held USING (population, department_id)
    JOIN bought USING (population, department_id) ORDER BY population, department_id
    """,
    "habits": """
    SELECT population, "grouping", "group", customers, orders, lines,
           round(spend_cents / 100, 2) AS spend, spend_cents / 100 / orders AS mean_order_value,
           lines / orders AS mean_lines_per_order,
           spend_cents / 100 / nullif(priced_lines, 0) AS mean_item_price,
           median_days_between_orders, reordered_lines / lines AS reorder_rate
    FROM group_totals LEFT JOIN group_medians USING (population, "grouping", "group")
    WHERE "grouping" <> 'exclusion_flag' ORDER BY ALL
    """,
    "department_mix": """
    WITH counted AS (
        SELECT population, "grouping", "group", department_id, sum(lines) AS lines,
               sum(customers)::BIGINT AS customers
        FROM group_departments JOIN populations USING (is_active) GROUP BY ALL
    ),
    shared AS (
        SELECT *, lines / sum(lines) OVER (PARTITION BY population, "grouping", "group") AS share,
               sum(lines) OVER (PARTITION BY population, "grouping", department_id)
               / sum(lines) OVER (PARTITION BY population, "grouping") AS overall
        FROM counted
    )
    SELECT population, "grouping", "group", department, lines::BIGINT AS lines, customers, share,
           share / overall AS lift
    FROM shared JOIN departments USING (department_id) ORDER BY ALL
    """,
}

NOT_STORED = {
    "raw_products": "* EXCLUDE (file_row)",
    "analysis_orders": "* EXCLUDE (department_mask, range_mask)",
}

# ---- the run ------------------------------------------------------------------------------------

# Step: its SQL, and the tables that it leaves on disk.
STEPS = {
    "import": (
        IMPORT,
        ("raw_products", "raw_departments", "raw_customers", "raw_orders", "raw_lines"),
    ),
    "clean": (CLEAN, ("products", "departments", "customers", "orders")),
    "merge": (MERGE, ("merged",)),
    "derive": (
        DERIVE,
        ("analysis_orders", "analysis_customers", "low_activity_customers", "analysis_products"),
    ),
    "results": (SUMS, ()),
    "flat": (FLAT, ("flat_lines",)),
}


def main(data: str, out: str) -> None:
    """Run the steps; print the seconds of each, of wall and CPU, as JSON."""
    source = Path(data).resolve()
    for folder in ("prepared", "tables"):
        (Path(out) / folder).mkdir(parents=True, exist_ok=True)
    os.chdir(out)
    config = {"threads": THREADS, "preserve_insertion_order": False}
    connection = duckdb.connect(config=config)
    connection.execute(f"SET file_search_path = '{source}'")
    create_states(connection)
    for step, (script, tables) in STEPS.items():
        begun, cpu = time.perf_counter(), time.process_time()
        connection.execute(script)
        for name in tables:
            columns = NOT_STORED.get(name, "*")
            connection.execute(
                f"COPY (SELECT {columns} FROM {name}) TO 'prepared/{name}.parquet' ({PARQUET})"
            )
        if step == "merge":
            require_full_match(connection)
        if step == "results":
            for name, query in RESULTS.items():
                connection.execute(f"COPY ({query}) TO 'tables/{name}.csv' (HEADER)")
        used = {"wall": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
        print(json.dumps({"step": step} | used), flush=True)


def create_states(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the type `state` and the table of the states' regions."""
    quoted = ", ".join(f"'{state}'" for state in STATES)
    rows = ", ".join(f"('{state}', '{region}')" for state, region in STATES.items())
    connection.execute(f"""
        CREATE TYPE state AS ENUM ({quoted});
        CREATE TYPE region AS ENUM ('Northeast', 'Midwest', 'South', 'West', '(missing)');
        CREATE TEMP TABLE regions AS
        SELECT state::state AS state, region::region AS region
        FROM (VALUES {rows}) AS census(state, region);
    """)


def require_full_match(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise unless every line read has come out of the merge once."""
    read, merged = (
        connection.execute(f"SELECT count(*) FROM '{table}'").fetchone()[0]
        for table in ("prepared/raw_lines.parquet", "prepared/merged.parquet")
    )
    if read != merged:
        raise SystemExit(f"{read:,} lines read, {merged:,} merged; expected as many")


if __name__ == "__main__":
    main(*sys.argv[1:])
