"""Independent SQL of the pairs: chosen on the first half, described on the second, customer by
customer. It shares no code with the package; limits come from scipy's t.
"""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from scipy import stats

from oracle import _analysis

HALVES = """
-- One row per order of an active customer: its half (1, 2), and its class of size.
CREATE TEMP TABLE half_orders AS
SELECT
    o.order_id, o.user_id, o.lines, least(o.lines, 40) AS size,
    CASE WHEN o.user_id * 2654435761 % 4294967296 < 2147483648 THEN 1 ELSE 2 END AS half
FROM orders AS o
JOIN customers AS c USING (user_id)
WHERE c.exclusion_flag = 'Active';

CREATE TEMP TABLE held AS
SELECT DISTINCT h.half, h.user_id, h.order_id, h.lines, h.size, l.product_id, l.department_id
FROM half_orders AS h
JOIN lines AS l USING (order_id);

CREATE TEMP TABLE of_size AS SELECT half, size, count(*) AS n FROM half_orders GROUP BY half, size;
CREATE TEMP TABLE alone AS
SELECT half, size, product_id, count(*) AS n FROM held GROUP BY half, size, product_id;
"""

CHOICE = """
-- One row per pair in enough orders of the first half: orders with both, the sum of their squares
-- by customer, and the orders that basket size leads to expect.
WITH by_customer AS (
    SELECT a.product_id AS a, b.product_id AS b, a.user_id, count(*) AS together
    FROM held AS a
    JOIN held AS b USING (order_id)
    WHERE a.half = 1 AND a.product_id < b.product_id
    GROUP BY ALL
),
enough AS (
    SELECT a, b, sum(together) AS together, sum(together * together) AS squares
    FROM by_customer
    GROUP BY a, b
    HAVING sum(together) >= greatest(25, 0.001 * (SELECT count(*) FROM half_orders WHERE half = 1))
       AND sum(together) ** 2 >= 10 * sum(together * together)
)
SELECT e.a, e.b, e.together, e.squares, sum(one.n * other.n / s.n) AS expected
FROM enough AS e
JOIN alone AS one ON one.half = 1 AND one.product_id = e.a
JOIN alone AS other ON other.half = 1 AND other.product_id = e.b AND other.size = one.size
JOIN of_size AS s ON s.half = 1 AND s.size = one.size
GROUP BY ALL
"""

TERMS = """
-- One row per customer of the second half, for the pair ($a, $b): what its lifts are made of.
WITH marked AS (
    SELECT
        h.user_id, h.lines, h.size,
        (a.order_id IS NOT NULL)::INT AS with_a,
        (b.order_id IS NOT NULL)::INT AS with_b
    FROM half_orders AS h
    LEFT JOIN (FROM held WHERE product_id = $a) AS a ON a.order_id = h.order_id
    LEFT JOIN (FROM held WHERE product_id = $b) AS b ON b.order_id = h.order_id
    WHERE h.half = 2
),
shares AS (
    SELECT size, avg(with_a) AS share_a, avg(with_b) AS share_b FROM marked GROUP BY size
)
SELECT
    user_id,
    count(*)                          AS orders,
    sum(with_a)                       AS a,
    sum(with_b)                       AS b,
    sum(with_a * with_b)              AS together,
    sum(with_a * share_b + with_b * share_a - share_a * share_b)        AS given_size,
    sum(with_a) * sum(with_b) / count(*)                                AS within,
    sum(with_a) * sum(with_b) * sum(lines * lines) / sum(lines) ** 2    AS within_given_size
FROM marked
JOIN shares USING (size)
GROUP BY user_id
ORDER BY user_id
"""


class Pairs:
    """The pairs of a folder of raw files in the course's layout, under RULES=corrected."""

    def __init__(self, raw_folder: Path):
        """Read the files."""
        self.connection: duckdb.DuckDBPyConnection = _analysis(raw_folder, "corrected", None)
        self.connection.execute(HALVES)

    def chosen(self, most: int = 25) -> dict[tuple[int, int], float]:
        """Choose the pairs, of all and across departments: the lift in the first half of each."""
        table = self.connection.execute(CHOICE).df()
        departments = self.connection.execute(
            "SELECT product_id, any_value(department_id) AS d FROM held GROUP BY product_id"
        ).df()
        department = departments.set_index("product_id")["d"]
        table["lift"] = table["together"] / table["expected"]
        table["sure"] = np.log(table["lift"]) - 2 * table["squares"] ** 0.5 / table["together"]
        table = table.sort_values(["sure", "a", "b"], ascending=[False, True, True])
        apart = table["a"].map(department).to_numpy() != table["b"].map(department).to_numpy()
        kept = pd.concat([table.head(most), table[apart].head(most)])
        return {(int(row.a), int(row.b)): row.lift for row in kept.itertuples()}

    def terms(self, a: int, b: int) -> pd.DataFrame:
        """Give what each customer of the second half adds to the lifts of a pair."""
        return self.connection.execute(TERMS, {"a": a, "b": b}).df()

    def described(self, a: int, b: int) -> dict[str, float]:
        """Describe a pair as product_pairs does."""
        t = self.terms(a, b)
        both, n = t["together"].sum(), len(t)
        found = {
            "orders_with_both": both,
            "customers_with_both": (t["together"] > 0).sum(),
            "orders_with_a": t["a"].sum(),
            "orders_with_b": t["b"].sum(),
            "support": both / t["orders"].sum(),
            "confidence_a_to_b": both / t["a"].sum(),
            "confidence_b_to_a": both / t["b"].sum(),
            "largest_share": t["together"].max() / both,
        }
        of_orders, of_a, of_b = (t[name] / t[name].sum() for name in ("orders", "a", "b"))
        of_both = t["together"] / both
        lifts = {
            "lift": (
                both * t["orders"].sum() / t["a"].sum() / t["b"].sum(),
                of_both + of_orders - of_a - of_b,
            )
        }
        for name, column in (
            ("lift_given_size", "given_size"),
            ("lift_within_customers", "within"),
            ("lift_within_customers_given_size", "within_given_size"),
        ):
            lifts[name] = both / t[column].sum(), of_both - t[column] / t[column].sum()
        p_values, effective = [], []
        for name, (lift, z) in lifts.items():
            squares, m = (z**2).sum(), (z**2).sum() ** 2 / (z**4).sum()
            error = (n / (n - 1) * squares) ** 0.5
            reach = stats.t.ppf(0.975, m - 1) * error
            found |= {name: lift, f"{name}_low": lift * np.exp(-reach)}
            found |= {f"{name}_high": lift * np.exp(reach)}
            if name != "lift":
                p_values.append(2 * stats.t.sf(abs(np.log(lift)) / error, m - 1))
                effective.append(m)
        above = all(lift > 1 for name, (lift, _) in lifts.items() if name != "lift")
        may = min(effective) >= 10 and found["largest_share"] <= 0.25 and above
        return found | {
            "p_value": max(p_values),
            "effective_customers": min(effective),
            "may_be_candidate": may,
        }
