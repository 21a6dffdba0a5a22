"""What is left of what was seen: counts that fade with stream time.

An event of weight 1 weighs half as much after one half-life, a quarter after two. Sums of such weights are as of an
instant, and those of one half-life fade alike, so that a sum needs no events to be known at a later instant.
"""

from __future__ import annotations

import math
from typing import NamedTuple

DAY_US = 86_400_000_000


class HalfLives(NamedTuple):
    """How long it takes until half of what was seen is left, days; both are settings.

    ``rate_days`` is that of rates: answers, promises, outcomes. A year is an assumption: shorter forgets whom one asks
    three times a year, longer believes for ever in who has left. ``fatigue_days`` is that of alerts which nobody
    answered: 2-4 weeks are the assumption of the domain facts, section 3.
    """

    rate_days: float = 365.0
    fatigue_days: float = 21.0


def left(since_us: int, half_life_days: float) -> float:
    """Return what is left of a weight of 1 after ``since_us`` microseconds; all of it where they are negative."""
    return math.exp2(-since_us / (half_life_days * DAY_US)) if since_us > 0 else 1.0
