"""Independent SQL of what habits predict: offers judged on last orders, and trials.

As `oracle.py`: from the documents alone, straight from the raw files, in DuckDB.
"""

from pathlib import Path

import pandas as pd

from oracle import _analysis

OFFERS = """
WITH customer AS (
    SELECT user_id, max(order_number) AS last_number, segment
    FROM orders JOIN customers USING (user_id)
    WHERE exclusion_flag = 'Active'
    GROUP BY user_id, segment
),
held AS (  -- a product that is twice in an order is in it once
    SELECT DISTINCT
        user_id, segment, order_number, product_id, order_number = last_number AS is_last
    FROM lines JOIN customer USING (user_id)
),
history AS (
    SELECT user_id, segment, product_id, count(*) AS bought, max(order_number) AS latest
    FROM held WHERE NOT is_last
    GROUP BY user_id, segment, product_id
),
own AS (
    SELECT user_id, product_id FROM history
    QUALIFY row_number() OVER (
        PARTITION BY user_id ORDER BY bought DESC, latest DESC, product_id
    ) <= 10
),
store AS (
    SELECT product_id FROM history GROUP BY product_id
    ORDER BY sum(bought) DESC, product_id LIMIT 10
),
by_segment AS (
    SELECT segment, product_id FROM history GROUP BY segment, product_id
    QUALIFY row_number() OVER (
        PARTITION BY segment ORDER BY sum(bought) DESC, product_id
    ) <= 10
),
judged AS (
    SELECT DISTINCT user_id, segment, last_number
    FROM history JOIN customer USING (user_id, segment)
),
suggested AS (
    SELECT 'own' AS source, user_id, product_id FROM own
    UNION ALL SELECT 'store', user_id, product_id FROM judged CROSS JOIN store
    UNION ALL SELECT 'segment', user_id, product_id FROM judged JOIN by_segment USING (segment)
),
hits AS (
    SELECT source, suggested.user_id, count(*) AS given, count(held.product_id) AS hit
    FROM suggested LEFT JOIN held ON held.user_id = suggested.user_id
        AND held.product_id = suggested.product_id AND held.is_last
    GROUP BY source, suggested.user_id
),
sizes AS (SELECT user_id, count(*) AS size FROM held WHERE is_last GROUP BY user_id),
scored AS (
    SELECT source, hit / given AS precision, hit / size AS recall,
        CASE WHEN last_number < 10 THEN '5 to 9' WHEN last_number < 20 THEN '10 to 19'
             WHEN last_number < 40 THEN '20 to 39' ELSE '40 or more' END AS last_order
    FROM hits JOIN sizes USING (user_id) JOIN judged USING (user_id)
)
SELECT source, last_order, count(*) AS customers,
    avg(precision) AS precision, avg(recall) AS recall
FROM scored GROUP BY source, last_order
UNION ALL
SELECT source, 'all', count(*), avg(precision), avg(recall) FROM scored GROUP BY source
"""

IN_TRIAL = """
WITH reached AS (
    SELECT user_id, segment, income_group, median_gap_days < 30 AS has_usual_gap, day, hour, lines,
        sum(coalesce(gap_days, 0)) OVER seen - first_value(coalesce(gap_days, 0)) OVER seen AS days
    FROM orders JOIN customers USING (user_id) JOIN customer_gaps USING (user_id)
    WHERE exclusion_flag = 'Active'
    WINDOW seen AS (PARTITION BY user_id ORDER BY order_number)
),
counted AS (
    SELECT user_id, segment, coalesce(income_group, '(missing)') AS income_group,
        coalesce(has_usual_gap, false) AS has_usual_gap,
        count(*) FILTER (days > 0 AND days <= 56) AS orders,
        coalesce(sum(lines) FILTER (days > 0 AND days <= 56), 0) AS lines,
        count(*) FILTER (days > 0 AND days <= 56 AND day = 5 AND hour BETWEEN 20 AND 22)
            AS in_windows
    FROM reached GROUP BY user_id, segment, income_group, has_usual_gap HAVING max(days) >= 56
)
SELECT segment, income_group, has_usual_gap, count(*) AS customers,
    avg(orders) AS mean, stddev_samp(orders) AS sd,
    avg(lines) AS lines_mean, stddev_samp(lines) AS lines_sd,
    avg(in_windows) AS windows_mean, stddev_samp(in_windows) AS windows_sd
FROM counted GROUP BY GROUPING SETS ((), (segment), (income_group), (has_usual_gap))
"""


def offers(raw_folder: Path, rules: str) -> pd.DataFrame:
    """Judge three lists of ten on each active customer's last order: a row per list and class."""
    with _analysis(raw_folder, rules, None) as connection:
        return connection.execute(OFFERS).df()


def orders_in_trial(raw_folder: Path, rules: str) -> pd.DataFrame:
    """Count orders in the eight weeks after a customer's first: by group, and of all.

    Groups are segments, incomes, and who has a usual gap below 30 days; a row of all has none of
    the three. `in_windows` are those on Thursdays (day 5) from 20:00 to 23:00.
    """
    with _analysis(raw_folder, rules, None) as connection:
        return connection.execute(IN_TRIAL).df()
