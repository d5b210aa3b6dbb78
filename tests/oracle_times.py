"""Independent SQL of times, prices and departments: ratios with their limits, from the raw files.

Shares no code with the package. Every ratio is that of sums over active customers, by its
linearised influence z, customer by customer, as D-45 says; only the quantile of Student's t is not
SQL. The data at its three grains is that of `oracle.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from oracle import _analysis

WHOLE = "true"
FIRST_HALF = "user_id * 2654435761 % 4294967296 < 2147483648"
SECOND_HALF = f"NOT ({FIRST_HALF})"

RATIOS = """
-- terms: a row per customer and cell; the ratio is above1 * above2 over below1 * below2.
WITH terms AS ({terms}),
whole AS (
    SELECT cell, coalesce(above1, 0) AS above1, coalesce(above2, 0) AS above2,
           coalesce(below1, 0) AS below1, coalesce(below2, 0) AS below2
    FROM terms WHERE {of}
),
sums AS (
    SELECT cell, sum(above1) AS a1, sum(above2) AS a2, sum(below1) AS b1, sum(below2) AS b2,
           count(*) AS n
    FROM whole GROUP BY cell
),
influence AS (
    SELECT cell, a1, a2, b1, b2, n, above1,
           CAST(above1 AS DOUBLE) / a1 + CAST(above2 AS DOUBLE) / a2
           - CAST(below1 AS DOUBLE) / b1 - CAST(below2 AS DOUBLE) / b2 AS z
    FROM whole JOIN sums USING (cell)
)
SELECT cell, any_value(CAST(a1 AS DOUBLE) / b1 * CAST(a2 AS DOUBLE) / b2) AS ratio,
       sqrt(any_value(n) / (any_value(n) - 1.0) * sum(z * z)) AS error,
       sum(z * z) * sum(z * z) / sum(z * z * z * z) AS m,
       max(above1) / any_value(CAST(a1 AS DOUBLE)) AS largest_share
FROM influence GROUP BY cell ORDER BY cell
"""

TERMS = {
    # orders an hour in each window of three hours from 7 on, over those of the week from 7 to 22
    "windows": """
        SELECT user_id, window_day || ' ' || start AS cell,
               count(*) FILTER (day = window_day AND hour BETWEEN start AND start + 2) AS above1,
               7 * 16 AS above2,
               count(*) FILTER (hour BETWEEN 7 AND 22) AS below1, 3 AS below2
        FROM (SELECT * FROM population_orders WHERE population = 'active')
        CROSS JOIN (SELECT unnest(range(0, 7)) AS window_day)
        CROSS JOIN (SELECT unnest(range(7, 21)) AS start)
        GROUP BY user_id, window_day, start, cell
    """,
    # a department's share of the lines of a daypart over its share of all lines
    "lifts": """
        SELECT user_id, daypart || ': ' || department AS cell,
               count(*) FILTER (l.daypart_of_line = daypart AND l.department_id = d.department_id)
                   AS above1,
               count(*) AS above2,
               count(*) FILTER (l.daypart_of_line = daypart) AS below1,
               count(*) FILTER (l.department_id = d.department_id) AS below2
        FROM (
            SELECT user_id, department_id,
                   CASE WHEN hour < 6 THEN 'Night' WHEN hour < 12 THEN 'Morning'
                        WHEN hour < 18 THEN 'Afternoon' ELSE 'Evening' END AS daypart_of_line
            FROM population_lines WHERE population = 'active'
        ) AS l
        CROSS JOIN (SELECT unnest(['Night', 'Morning', 'Afternoon', 'Evening']) AS daypart)
        CROSS JOIN (
            SELECT department_id, department FROM department_names
            WHERE department_id IN (SELECT department_id FROM products)
        ) AS d
        GROUP BY user_id, daypart, department, d.department_id
    """,
    # the value of an order at a time over that of orders at all other times
    "{time} values": """
        SELECT user_id, key AS cell,
               sum(spend_cents) FILTER ({time} = key) AS above1,
               count(*) FILTER ({time} <> key) AS above2,
               count(*) FILTER ({time} = key) AS below1,
               sum(spend_cents) FILTER ({time} <> key) AS below2
        FROM (SELECT * FROM population_orders WHERE population = 'active')
        CROSS JOIN (SELECT unnest(range(0, 24)) AS key)
        GROUP BY user_id, key
    """,
    # what orders at a time are worth over what they would be at the customer's other times
    "{time} within": """
        SELECT user_id, key AS cell,
               sum(spend_cents) FILTER ({time} = key) AS above1, 1 AS above2,
               count(*) FILTER ({time} = key) * sum(spend_cents) FILTER ({time} <> key)
                   / CAST(count(*) FILTER ({time} <> key) AS DOUBLE) AS below1,
               1 AS below2
        FROM (SELECT * FROM population_orders WHERE population = 'active')
        CROSS JOIN (SELECT unnest(range(0, 24)) AS key)
        GROUP BY user_id, key
        HAVING count(*) FILTER ({time} = key) > 0 AND count(*) FILTER ({time} <> key) > 0
    """,
    # the lines of a department over those of the next
    "departments": """
        SELECT user_id, o.department AS cell,
               count(*) FILTER (l.department_id = o.department_id) AS above1, 1 AS above2,
               count(*) FILTER (l.department_id = o.next_id) AS below1, 1 AS below2
        FROM (SELECT * FROM population_lines WHERE population = 'active') AS l
        CROSS JOIN (
            SELECT department_id, department,
                   lead(department_id) OVER (ORDER BY lines DESC) AS next_id
            FROM (
                SELECT department_id, department, count(*) AS lines
                FROM population_lines JOIN department_names USING (department_id)
                WHERE population = 'active' AND department NOT IN ('missing', 'other')
                GROUP BY department_id, department
            )
        ) AS o
        WHERE o.next_id IS NOT NULL
        GROUP BY user_id, o.department
    """,
}

OWN_PRICES = """
-- By department, of the lines with a price: how many, their prices, and the own cuts.
WITH priced AS (
    SELECT department, price_cents, price_range
    FROM population_lines JOIN department_names USING (department_id)
    WHERE population = 'active' AND price_cents IS NOT NULL
),
everything AS (
    SELECT * FROM priced
    UNION ALL SELECT 'all departments', price_cents, price_range FROM priced
)
SELECT department, count(*) AS lines, sum(price_cents) / 100 AS spend,
       min(price_cents) / 100 AS lowest_dollars,
       quantile_disc(price_cents, 1.0 / 3) / 100 AS third_dollars,
       quantile_disc(price_cents, 2.0 / 3) / 100 AS two_thirds_dollars,
       max(price_cents) / 100 AS highest_dollars,
       sum(price_cents) FILTER (price_range LIKE 'Low%') / sum(price_cents) AS low,
       sum(price_cents) FILTER (price_range LIKE 'Mid%') / sum(price_cents) AS mid,
       sum(price_cents) FILTER (price_range LIKE 'High%') / sum(price_cents) AS high
FROM everything GROUP BY department ORDER BY department
"""

REACH = """
WITH bought AS (
    SELECT department, user_id, order_id, product_id
    FROM population_lines JOIN department_names USING (department_id)
    WHERE population = 'active'
)
SELECT department, count(*) AS lines,
       count(*) / (SELECT count(*) FROM bought) AS share,
       count(DISTINCT product_id) AS products,
       count(DISTINCT user_id) / (SELECT count(*) FROM members WHERE population = 'active')
           AS reach,
       count(DISTINCT order_id) / count(DISTINCT user_id) AS orders_per_buyer,
       count(*) / count(DISTINCT order_id) AS lines_per_order
FROM bought GROUP BY department ORDER BY lines DESC
"""


def ratios(raw_folder: Path, of: str = WHOLE) -> dict[str, pd.DataFrame]:
    """Compute each kind of ratio of the active customers that the condition `of` picks.

    By name in `TERMS` (`{time}` is day and hour): a row per cell, with ratio, low, high, p_value,
    m and largest_share; NaN where there is no interval.
    """
    found = {}
    with _analysis(raw_folder, "corrected", None) as connection:
        for name, terms in TERMS.items():
            for time in ("day", "hour") if "{time}" in name else ("",):
                query = RATIOS.replace("{of}", of).replace("{terms}", terms)
                table = connection.execute(query.replace("{time}", time)).df()
                found[name.replace("{time}", time)] = with_limits(table).set_index("cell")
    return found


def with_limits(table: pd.DataFrame) -> pd.DataFrame:
    """Add limits and p-value: Student's t with m - 1 degrees of freedom, on the log scale."""
    freedom = (table["m"] - 1).where(table["m"] > 1).astype("float64")
    error = table["error"].where(table["error"] > 0).astype("float64")
    log = np.log(table["ratio"].where(table["ratio"] > 0).astype("float64"))
    reach = (stats.t.ppf(0.975, freedom) * error).where(lambda width: width < 700)
    return table.assign(
        low=np.exp(log - reach),
        high=np.exp(log + reach),
        p_value=2 * stats.t.sf(np.abs(log) / error, freedom),
    )


def goods(raw_folder: Path) -> dict[str, pd.DataFrame]:
    """Compute the prices and the reach of departments, active: `prices` and `reach`."""
    with _analysis(raw_folder, "corrected", None) as connection:
        queries = {"prices": OWN_PRICES, "reach": REACH}
        return {
            name: connection.execute(query).df().set_index("department")
            for name, query in queries.items()
        }
