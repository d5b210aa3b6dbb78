"""The two halves of the customers: what is picked on the first is estimated on the second.

Whatever is picked as the highest of many owes a part of its place to chance. An estimate from
customers that took no part in the choice does not.
"""

import numpy as np

from basket.analysis.statistics.ratios import Ratios
from basket.project.settings import Settings

MULTIPLIER = 2654435761  # Knuth (1973), vol. 3, section 6.4: neighbours part ways
WHOLE = 2**32


def in_first_half(user_ids: np.ndarray) -> np.ndarray:
    """Say of each customer whether it is in the first half; the id alone decides.

    In SQL: `user_id * 2654435761 % 4294967296 < 2147483648`.
    """
    return np.asarray(user_ids).astype(np.uint64) * MULTIPLIER % WHOLE < WHOLE // 2


def chosen_row(
    names: dict[str, str], first: Ratios, second: Ratios, cell: int, settings: Settings
) -> dict:
    """Describe what was picked on the first half as the second half of the customers tells it.

    A row of the table split_halves; `names` has its question, topic, group and measure, and `cell`
    is its place in the estimates of both halves. It is `confirmed` where the second half may
    conclude, excludes 1, and lies on the same side as the first.
    """
    limits = settings.statistics
    effect, in_first = float(second.ratio[cell]), float(first.ratio[cell])
    reason = str(second.reason(limits)[cell])
    same_side = (effect > 1) == (in_first > 1)
    proven = not reason and second.p_value[cell] < limits.significance and same_side
    return {
        **names,
        "effect_first_half": in_first,
        "effect": effect,
        "effect_low": float(second.low[cell]),
        "effect_high": float(second.high[cell]),
        "p_value": float(second.p_value[cell]),
        "effective_customers": float(second.effective_customers[cell]),
        "largest_share": float(second.largest_share[cell]),
        "customers_behind": int(second.customers[cell]),
        "reason": reason,
        "confirmed": "yes" if proven else "no",
    }
