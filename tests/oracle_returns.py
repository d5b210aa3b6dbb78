"""Independent SQL of the tables about returns and about what is missing, from the raw files alone.

Written from the documents, in DuckDB, under RULES=corrected and the course's layout; it shares no
code with the package. The product-limit estimate and its intervals are plain Python, a step a line.
"""

from math import exp, log, sqrt
from pathlib import Path

import duckdb
import pandas as pd
from scipy.stats import t as student

FEWEST_ORDERS = 5  # prior orders of an active customer
FOLLOWED = 20  # orders after which the next is waited for
WALL = 30

RAW = """
CREATE TEMP TABLE orders AS
SELECT CAST(order_id AS BIGINT) AS order_id, CAST(user_id AS BIGINT) AS user_id, eval_set,
       CAST(order_number AS BIGINT) AS number,
       CAST(CAST(nullif(days_since_prior_order, '') AS DOUBLE) AS BIGINT) AS gap
FROM read_csv('{folder}/orders.csv', all_varchar = true);

CREATE TEMP TABLE lines AS
SELECT CAST(order_id AS BIGINT) AS order_id
FROM read_csv('{folder}/orders_products_prior.csv', all_varchar = true);

CREATE TEMP TABLE people AS
SELECT CAST(user_id AS BIGINT) AS user_id
FROM read_csv('{folder}/customers.csv', all_varchar = true);

-- Orders that count: prior, with a line, of a known customer.
CREATE TEMP TABLE counted AS
SELECT * FROM orders
WHERE eval_set = 'prior' AND order_id IN (SELECT order_id FROM lines)
  AND user_id IN (SELECT user_id FROM people);

CREATE TEMP TABLE active AS
SELECT user_id, max(number) AS most FROM counted GROUP BY user_id
HAVING max(number) >= {fewest};

-- Gaps of active customers: between the orders that count, and before the last order.
CREATE TEMP TABLE gaps AS
SELECT user_id, number, gap FROM counted SEMI JOIN active USING (user_id) WHERE gap IS NOT NULL
UNION ALL
SELECT user_id, max(number), arg_max(gap, number) FROM orders SEMI JOIN active USING (user_id)
WHERE eval_set <> 'prior' GROUP BY user_id HAVING arg_max(gap, number) IS NOT NULL;
"""

DAYS_BETWEEN = """
WITH of_customer AS (SELECT user_id, gap, count(*) AS n FROM gaps GROUP BY user_id, gap),
ranked AS (
    SELECT *, sum(n) OVER (PARTITION BY user_id) AS own,
           rank() OVER (PARTITION BY user_id ORDER BY n DESC) AS place
    FROM of_customer
),
alone AS (
    SELECT any_value(gap) AS gap FROM ranked WHERE place = 1 GROUP BY user_id HAVING count(*) = 1
),
who AS (SELECT count(DISTINCT user_id) AS customers FROM gaps)
SELECT days, coalesce(sum(n), 0) AS orders,
       coalesce(sum(n), 0) / (SELECT count(*) FROM gaps) AS share,
       coalesce(sum(n / own), 0) / (SELECT customers FROM who) AS mean_share,
       (SELECT count(*) FROM alone WHERE alone.gap = days) AS customers,
       (SELECT count(*) FROM alone WHERE alone.gap = days) / (SELECT customers FROM who)
           AS share_of_customers
FROM range(31) AS every_day(days) LEFT JOIN ranked ON ranked.gap = days
GROUP BY days ORDER BY days
"""

USUAL = """
WITH usual AS (SELECT user_id, median(gap) AS days, avg(gap) AS mean FROM gaps GROUP BY user_id)
SELECT count(*) AS customers, quantile_disc(days, 0.25) AS low_quartile_days,
       quantile_disc(days, 0.5) AS median_days, quantile_disc(days, 0.75) AS high_quartile_days,
       (SELECT count(*) FROM gaps) AS orders,
       (SELECT count(*) FROM gaps JOIN usual USING (user_id) WHERE gap > days) AS later_orders,
       (SELECT count(*) FROM gaps JOIN usual USING (user_id) WHERE gap > days)
           / (SELECT count(*) FROM gaps) AS share_later,
       (SELECT count(*) / sum(least(1, gap - days) / mean)
            FROM gaps JOIN usual USING (user_id) WHERE gap > days) AS days_per_order
FROM usual
"""

OBSERVED = """
WITH seen AS (
    SELECT user_id, most, coalesce(sum(gap), 0) AS days
    FROM active LEFT JOIN gaps USING (user_id) GROUP BY user_id, most
)
SELECT CASE WHEN most > 40 THEN 'Loyal customer' WHEN most > 10 THEN 'Regular customer'
            ELSE 'New customer' END AS "group",
       count(*) AS customers, quantile_disc(days, 0.5) AS median_days
FROM seen GROUP BY 1
"""

WAITED = """
SELECT number - 1 AS order_number, gap, count(*) AS customers FROM gaps
WHERE number BETWEEN 2 AND {followed} + 1 GROUP BY ALL ORDER BY ALL
"""

HAZARD = """
WITH own AS (  -- each customer's gaps by days, each customer once
    SELECT user_id, gap, count(*) AS n, count(*) / sum(count(*)) OVER (PARTITION BY user_id) AS part
    FROM gaps GROUP BY user_id, gap
),
daily AS (  -- a row per customer and day: the share of gaps that end on it, and that reach it
    SELECT user_id, day, coalesce(sum(n) FILTER (gap = day), 0) AS n_ended,
           coalesce(sum(n) FILTER (gap >= day), 0) AS n_out,
           coalesce(sum(part) FILTER (gap = day), 0) AS ended,
           coalesce(sum(part) FILTER (gap >= day), 0) AS still
    FROM own CROSS JOIN range(30) AS every_day(day) GROUP BY user_id, day
),
beside AS (
    SELECT *, lag(ended) OVER each + lead(ended) OVER each AS ended_beside,
           lag(still) OVER each + lead(still) OVER each AS still_beside
    FROM daily WINDOW each AS (PARTITION BY user_id ORDER BY day)
),
summed AS (
    SELECT *, sum(ended) OVER on_day AS e, sum(still) OVER on_day AS s,
           sum(ended_beside) OVER on_day AS eb, sum(still_beside) OVER on_day AS sb
    FROM beside WINDOW on_day AS (PARTITION BY day)
),
influence AS (
    SELECT *, ended / nullif(e, 0) - still / nullif(s, 0) AS z,
           ended / nullif(e, 0) - still / nullif(s, 0)
               - ended_beside / nullif(eb, 0) + still_beside / nullif(sb, 0) AS zp
    FROM summed
)
SELECT day, sum(n_out) AS gaps, sum(n_ended) AS gaps_ended,
       sum(n_ended) / nullif(sum(n_out), 0) AS gap_hazard,
       any_value(e) / nullif(any_value(s), 0) AS hazard, sum(z * z) AS z2, sum(z ** 4) AS z4,
       any_value(e) * any_value(sb) / nullif(any_value(s) * any_value(eb), 0) AS peak_ratio,
       sum(zp * zp) AS zp2, sum(zp ** 4) AS zp4, max(ended) / nullif(any_value(e), 0) AS largest,
       count(*) AS customers
FROM influence GROUP BY day ORDER BY day
"""

MISSING = """
WITH numbered AS (
    SELECT user_id, count(*) AS n, min(number) AS least, max(number) AS most,
           count(*) FILTER (eval_set <> 'prior') AS last
    FROM orders GROUP BY user_id
)
SELECT 'customers whose order numbers are not 1 to n' AS what,
       count(*) FILTER (n <> most OR least <> 1) AS found, count(*) AS "of" FROM numbered
UNION ALL
SELECT 'customers without a last order (train or test)', count(*) FILTER (last = 0), count(*)
FROM numbered
UNION ALL
SELECT 'customers without orders',
       count(*) FILTER (user_id NOT IN (SELECT user_id FROM orders)), count(*) FROM people
UNION ALL
SELECT 'orders of unknown customers',
       count(*) FILTER (user_id NOT IN (SELECT user_id FROM people)), count(*) FROM orders
UNION ALL
SELECT 'prior orders without any line',
       count(*) FILTER (order_id NOT IN (SELECT order_id FROM lines)), count(*)
FROM orders WHERE eval_set = 'prior'
"""


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Ask for all of them at once."""
    with duckdb.connect() as database:
        database.execute(RAW.format(folder=folder, fewest=FEWEST_ORDERS))
        asked = {
            "days_between_orders": DAYS_BETWEEN,
            "usual_gaps": USUAL,
            "observed_time": OBSERVED,
            "completeness": MISSING,
            "waited": WAITED.format(followed=FOLLOWED),
            "return_hazard": HAZARD,
        }
        found = {name: database.execute(sql).df() for name, sql in asked.items()}
    found["return_hazard"] = with_limits(found["return_hazard"])
    return found | {"time_to_next_order": followed(found.pop("waited"))}


def followed(waited: pd.DataFrame) -> pd.DataFrame:
    """Multiply, day by day, the shares of those still out who stay out; 30 is no return."""
    rows = []
    for number, of_number in waited.groupby("order_number"):
        counts = dict(zip(of_number["gap"], of_number["customers"], strict=True))
        customers = at_risk = sum(counts.values())
        still_out = 1.0
        for day in range(WALL + 1):
            returned = counts.get(day, 0) if day < WALL else 0
            hazard = returned / at_risk if at_risk else float("nan")
            still_out *= 1 - (hazard if at_risk else 0)
            rows.append((number, day, at_risk, returned, hazard, still_out))
            rows[-1] += limits(round(still_out * customers), customers)
            at_risk -= returned
    names = "order_number day at_risk returned hazard still_out still_out_low still_out_high"
    return pd.DataFrame(rows, columns=names.split())


def with_limits(table: pd.DataFrame) -> pd.DataFrame:
    """Put the 95 % limits beside the hazards and their ratios, and say which day is a peak."""
    rows = []
    for row in table.to_dict("records"):
        hazard = student_limits(row["hazard"], row["z2"], row["z4"], row["customers"])
        peak = student_limits(row["peak_ratio"], row["zp2"], row["zp4"], row["customers"])
        effective = row["zp2"] ** 2 / row["zp4"] if row["zp4"] else float("nan")
        sure = student_limits(
            row["peak_ratio"], row["zp2"], row["zp4"], row["customers"], level=1 - 0.05 / 4
        )
        is_peak = row["day"] in (7, 14, 21, 28) and sure[0] > 1
        is_peak = is_peak and effective >= 10 and row["largest"] <= 0.25
        names = ["day", "gaps", "gaps_ended", "gap_hazard", "hazard", "peak_ratio"]
        rows.append(
            {name: row[name] for name in names}
            | {"hazard_low": hazard[0], "hazard_high": min(hazard[1], 1.0)}
            | {"peak_ratio_low": peak[0], "peak_ratio_high": peak[1]}
            | {"effective_customers": effective, "is_peak": is_peak}
        )
    return pd.DataFrame(rows)


def student_limits(ratio, squares, fourths, customers, level=0.95) -> tuple[float, float]:
    """Give the limits of a ratio from its customers' sums of z^2 and z^4."""
    if not (ratio > 0 and squares > 0):
        return float("nan"), float("nan")
    reach = student.ppf((1 + level) / 2, squares**2 / fourths - 1)
    reach *= sqrt(squares * customers / (customers - 1))
    return exp(log(ratio) - reach), exp(log(ratio) + reach)


def limits(out: int, customers: int) -> tuple[float, float]:
    """Give the 95 % limits of a share of customers, each of whom counts 1 or 0."""
    if not 0 < out < customers:
        return float("nan"), float("nan")
    z = [1 / out - 1 / customers] * out + [-1 / customers] * (customers - out)
    squares, fourths = sum(one**2 for one in z), sum(one**4 for one in z)
    freedom = squares**2 / fourths - 1
    if freedom <= 0:
        return float("nan"), float("nan")
    reach = student.ppf(0.975, freedom) * sqrt(squares * customers / (customers - 1))
    share = out / customers
    if reach > 700:  # beyond what a number holds: no limits
        return float("nan"), float("nan")
    return exp(log(share) - reach), min(1.0, exp(log(share) + reach))
