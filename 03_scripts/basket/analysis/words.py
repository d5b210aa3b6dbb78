"""Numbers, lists and times of day as people write them."""

import math
from collections.abc import Iterable
from decimal import Decimal

from basket.project.settings import Settings
from basket.tables.sums import HOURS, WALL

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def span(first: int, end: int) -> str:
    """Write the hours from `first` to `end`, which is excluded: 09:00–17:00, 20:00–24:00."""
    return f"{first:02d}:00–{end:02d}:00"


def hours_in_words(hours: Iterable[int]) -> str:
    """Write hours of the day as spans: 09:00–17:00; 23:00–07:00 over midnight."""
    hours = set(hours)
    if len(hours) == HOURS:
        return span(0, HOURS)
    starts = sorted(hour for hour in hours if (hour - 1) % HOURS not in hours)
    spans = []
    for first in starts:
        length = next(n for n in range(1, HOURS) if (first + n) % HOURS not in hours)
        end = first + length
        spans.append(span(first, end if end <= HOURS else end - HOURS))
    return listed(spans)


def listed(names: Iterable) -> str:
    """List names or numbers: a; a and b; a, b and c."""
    *most, last = map(str, names)
    return f"{', '.join(most)} and {last}" if most else last


def capitalised(said: str) -> str:
    """Make the first letter a capital, and leave the others."""
    return said[:1].upper() + said[1:]


def half_of_gaps(median: float) -> str:
    """Say on which side of their median half of the gaps are; 30 days are 30 or more (D-11)."""
    return f"{median:g} days or {'less' if median < WALL else 'more'}"


def per_cent(share: float) -> str:
    """Write a share of settings as it is, in per cent: 2%, 1.5%, 99.5%; ten digits at most."""
    return f"{Decimal(f'{100 * share:.10g}'):,f}%"


def in_dollars(amount: float) -> str:
    """Write dollars of settings as they are, to four decimals: $5, $7.50, $4.995."""
    whole, _, part = f"{amount:,.4f}".partition(".")
    part = part.rstrip("0")
    return f"${whole}.{part:0<2}" if part else f"${whole}"


def at_most(share: float) -> str:
    """Write an upper limit in whole per cent, rounded up: 1.2 % is at most 2 %."""
    return f"{math.ceil(round(100 * share, 4))}%"


def number(count: int) -> str:
    """Write a small whole number as a word."""
    return NUMBERS[count] if count < len(NUMBERS) else f"{count:,}"


def at_daypart(daypart: str) -> str:
    """Say when: in the evening, at night."""
    return "at night" if daypart.lower() == "night" else f"in the {daypart.lower()}"


def dayparts_of(first: int, end: int, settings: Settings) -> list[str]:
    """Name the parts of the day that the hours from `first` to `end` (excluded) lie in."""
    names, of_hour = list(settings.dayparts), settings.daypart_of_hour()
    return list(dict.fromkeys(names[of_hour[hour]] for hour in range(first, end)))
