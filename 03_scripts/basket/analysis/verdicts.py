"""What a comparison may come to: its verdicts, and why nothing may follow from it."""

NO_DIFFERENCE, UNDECIDED = "no practical difference", "undecided"
SIZES = ("small", "medium", "large")

NOTHING_TO_COMPARE = "nothing to compare"
ONE_CUSTOMER = "one customer holds too much of it"
TOO_FEW = "too few effective customers"
BY_DEFINITION = "by definition"  # the groups are made of what is compared
COARSER = "shares of few orders are coarser"  # than those of many, and so differ by themselves
