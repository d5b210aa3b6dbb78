"""The levers that the table `prizes` sizes, by name.

They repeat `basket.analysis.prizes`, whose import brings the statistics and takes a second; a test
holds both to the same names.
"""

QUIET_WINDOWS, SOONER, ONE_MORE_LINE, BOTH = "quiet windows", "sooner", "one more line", "both"
