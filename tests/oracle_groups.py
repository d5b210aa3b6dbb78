"""Independent SQL of the comparisons of groups: each group's ratios to those of the others.

Straight from the raw files, through the SQL of `oracle`; only Student's t comes from scipy. The
method, as documented: with customers as units, at equal strata with weights w (one stratum if
nothing is held equal), z = w / sum(w) / X_s / R * (y - Y_s / X_s * x) on each side, with R the
side's weighted ratio; se^2 = sum of n / (n - 1) * z^2; m = (sum z^2)^2 / sum z^4; t with m - 1
degrees of freedom on the log scale.
"""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from scipy import stats

from oracle import _analysis

KEYS = ["grouping", "group_a", "measure", "adjusted_for"]
FIRST_HALF = "user_id * 2654435761 % 4294967296 < 2147483648"
BANDS, FEWEST = 10, 11

PEOPLE = f"""
CREATE TEMP TABLE active AS SELECT user_id FROM members WHERE population = 'active';
CREATE TEMP TABLE incomes AS
SELECT user_id, income_usd AS income FROM customer_rows JOIN active USING (user_id);
CREATE TEMP TABLE cuts AS
WITH sorted AS (SELECT list(income ORDER BY income) AS incomes, count(income) AS n FROM incomes)
SELECT DISTINCT incomes[1 + CAST(floor(k / {BANDS}.0 * (n - 1)) AS BIGINT)] AS cut
FROM sorted, range(1, {BANDS}) AS t(k);
CREATE TEMP TABLE strata AS
SELECT user_id, 'income' AS adjusted_for,
       (SELECT count(*) FROM cuts WHERE cut <= income) AS stratum
FROM incomes WHERE income IS NOT NULL
UNION ALL SELECT user_id, '', 0 FROM active
UNION ALL SELECT user_id, 'orders 2 to 5', 0 FROM active;
CREATE TEMP TABLE measured AS
WITH every AS (
    SELECT '' AS adjusted_for, * FROM orders
    UNION ALL SELECT 'income', * FROM orders
    UNION ALL SELECT 'orders 2 to 5', * FROM orders WHERE order_number BETWEEN 2 AND 5
), ratios AS (
    SELECT adjusted_for, user_id, unnest([
        {{'measure': 'mean_order_value', 'y': spend_cents, 'x': 1}},
        {{'measure': 'mean_lines_per_order', 'y': lines, 'x': 1}},
        {{'measure': 'mean_item_price', 'y': spend_cents, 'x': priced_lines}},
        {{'measure': 'reorder_rate', 'y': reordered_lines, 'x': lines}},
        {{'measure': 'mean_gap', 'y': least(coalesce(gap_days, 0), 30),
          'x': CAST(gap_days IS NOT NULL AS INT)}},
        {{'measure': 'orders in the night', 'y': CAST(hour < 6 AS INT), 'x': 1}},
        {{'measure': 'orders in the evening', 'y': CAST(hour >= 18 AS INT), 'x': 1}},
        {{'measure': 'orders at the weekend', 'y': CAST(day <= 1 AS INT), 'x': 1}}
    ], recursive := true)
    FROM every
), goods AS (
    SELECT held AS adjusted_for, user_id, department AS measure,
           CAST(l.department_id = d.department_id AS INT) AS y, 1 AS x
    FROM lines AS l, department_names AS d, (VALUES (''), ('income')) AS h(held)
    WHERE department IN ('snacks', 'meat seafood', 'produce', 'babies')
)
SELECT adjusted_for, user_id, measure, sum(y) AS y, sum(x) AS x
FROM (
    SELECT adjusted_for, user_id, measure, y, x FROM ratios
    UNION ALL SELECT adjusted_for, user_id, measure, y, x FROM goods
)
GROUP BY ALL;
CREATE TEMP TABLE orders_of AS SELECT user_id, count(*) AS orders FROM orders GROUP BY user_id;
"""

COMPARED = """
WITH chosen AS (SELECT user_id FROM active WHERE {users}),
weights AS (
    SELECT adjusted_for, stratum, CASE adjusted_for WHEN 'income' THEN sum(orders) ELSE 1 END AS w
    FROM strata JOIN chosen USING (user_id) JOIN orders_of USING (user_id)
    GROUP BY adjusted_for, stratum
),
labelled AS (
    SELECT user_id, attribute AS grouping, label FROM customer_labels JOIN chosen USING (user_id)
    WHERE label <> '(missing)'
      AND attribute NOT IN ('spending_flag', 'frequency_flag', 'exclusion_flag')
),
sided AS (
    SELECT g.grouping, g.label AS group_a, m.measure, m.adjusted_for, s.stratum,
           l.label = g.label AS inside, m.y, m.x
    FROM (SELECT DISTINCT grouping, label FROM labelled) AS g
    JOIN labelled AS l USING (grouping)
    JOIN measured AS m USING (user_id)
    JOIN strata AS s USING (user_id, adjusted_for)
    WHERE CASE m.adjusted_for
          WHEN 'income' THEN g.grouping IN
              ('region', 'age_group', 'family_status', 'gender', 'n_dependants', 'profile')
          WHEN '' THEN true
          ELSE g.grouping = 'loyalty_flag' AND m.measure NOT LIKE 'orders %' END
),
cells AS (
    SELECT grouping, group_a, measure, adjusted_for, stratum, inside,
           count(*) AS n, sum(y) AS ys, sum(x) AS xs
    FROM sided GROUP BY ALL
),
used AS (
    SELECT grouping, group_a, measure, adjusted_for, stratum, any_value(w) AS w
    FROM cells JOIN weights USING (adjusted_for, stratum)
    GROUP BY grouping, group_a, measure, adjusted_for, stratum
    HAVING count(*) = 2 AND min(n) >= CASE adjusted_for WHEN 'income' THEN {fewest} ELSE 1 END
),
rates AS (
    SELECT grouping, group_a, measure, adjusted_for, inside,
           sum(w * ys / xs) / sum(w) AS rate, sum(w) AS whole
    FROM cells JOIN used USING (grouping, group_a, measure, adjusted_for, stratum)
    GROUP BY ALL
),
terms AS (
    SELECT grouping, group_a, measure, adjusted_for, inside, n, y,
           w / whole / xs / rate * (y - ys / xs * x) AS z
    FROM sided
    JOIN cells USING (grouping, group_a, measure, adjusted_for, stratum, inside)
    JOIN used USING (grouping, group_a, measure, adjusted_for, stratum)
    JOIN rates USING (grouping, group_a, measure, adjusted_for, inside)
),
sides AS (
    SELECT grouping, group_a, measure, adjusted_for, inside,
           sum(n / (n - 1.0) * z ** 2) AS variance, sum(z ** 2) AS squares,
           sum(z ** 4) AS fourths, max(y) / sum(y) AS largest
    FROM terms GROUP BY ALL
),
together AS (
    SELECT grouping, group_a, measure, adjusted_for, sum(variance) AS variance,
           sum(squares) ** 2 / sum(fourths) AS effective_customers,
           max(largest) AS largest_share
    FROM sides GROUP BY ALL
)
SELECT b.*, one.rate / other.rate AS effect,
       one.whole / (SELECT sum(w) FROM weights AS w WHERE w.adjusted_for = b.adjusted_for)
           AS covered
FROM together AS b
JOIN rates AS one USING (grouping, group_a, measure, adjusted_for)
JOIN rates AS other USING (grouping, group_a, measure, adjusted_for)
WHERE one.inside AND NOT other.inside
"""


def people(data: Path, rules: str) -> duckdb.DuckDBPyConnection:
    """Open a database with the sums of each active customer."""
    connection = _analysis(data, rules, None)
    connection.execute(PEOPLE)
    return connection


def compared(connection: duckdb.DuckDBPyConnection, users: str = "true") -> pd.DataFrame:
    """Compare every group with the others, among the active customers that `users` selects."""
    table = connection.execute(COMPARED.format(users=users, fewest=FEWEST)).df()
    freedom, error = table["effective_customers"] - 1, np.sqrt(table["variance"])
    reach = stats.t.ppf(0.975, freedom) * error
    return table.assign(
        effect_low=table["effect"] * np.exp(-reach),
        effect_high=table["effect"] * np.exp(reach),
        p_value=2 * stats.t.sf(np.abs(np.log(table["effect"])) / error, freedom),
    ).set_index(KEYS)
