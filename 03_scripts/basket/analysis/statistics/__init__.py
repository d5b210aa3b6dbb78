"""Effects, intervals, tests and verdicts; the unit is always the customer."""

# ruff: noqa: F401
from basket.analysis.statistics.effects import (
    Estimate,
    Ordered,
    cliffs_delta,
    cramers_v,
    epsilon_squared,
    no_estimate,
)
from basket.analysis.statistics.judge import (
    decide_together,
    false_discovery,
    judge_together,
    required_sample_size,
    verdicts,
)
from basket.analysis.statistics.ratios import Ratios, Split, product
