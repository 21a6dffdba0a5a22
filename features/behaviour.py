"""How donors behaved so far, as of an instant: what the models of availability, reliability and response time see.

Rates are the means of Beta distributions that begin as the priors say and move with what was seen, each event by what
is left of it: so nobody's rate is 0 or 1, and who wasn't heard of for years is unknown again. Nothing is stored as of
"now": the columns hold sums as of their last event, and fade here.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.behaved import Behaviour
from features.decay import HalfLives
from features.eligibility import NEVER_GAVE
from features.index.columns import Columns
from features.kernels import kernel
from features.priors import AVAILABILITY, CANCELLED_SHARE, RELIABILITY, RESPONSE_TIME

__all__ = ["Behaviour", "behaviour_at"]

MINUTE_US = 60_000_000
MINUTES_A_DAY = 1_440
DAY_US = 86_400_000_000
DAYS_A_YEAR = 365.25

# Numbers by themselves: a kernel takes no named tuple from outside.
AVAILABILITY_ALPHA, AVAILABILITY_TRIALS = AVAILABILITY.alpha, AVAILABILITY.trials
RELIABILITY_ALPHA, RELIABILITY_TRIALS = RELIABILITY.alpha, RELIABILITY.trials
CANCELLED_PRIOR = RELIABILITY.beta * CANCELLED_SHARE
RESPONSE_TIME_WEIGHT = RESPONSE_TIME.weight
LOG_HOURS_PRIOR = RESPONSE_TIME.weight * RESPONSE_TIME.log_hours


def behaviour_at(columns: Columns, rows: NDArray[np.integer], at: ArrayLike, half_lives: HalfLives) -> Behaviour:
    """Work out how some donors behaved, as of an instant each.

    Parameters
    ----------
    columns : Columns
    rows : ndarray of int, shape (n,)
        Of ``columns``.
    at : int or array of int, shape (n,)
        Microseconds since 1970. What happened at or after it and is known already counts in full.
    half_lives : HalfLives
        Those with which the sums were made.
    """
    instants = np.empty(len(rows), np.int64)
    instants[:] = at
    found = np.empty((len(Behaviour._fields), len(rows)), np.float64)
    _behaviour(
        columns,
        rows.astype(np.int64),
        instants,
        (half_lives.rate_days * MINUTES_A_DAY, half_lives.fatigue_days * MINUTES_A_DAY),
        found,
    )
    return Behaviour(*found)


@kernel
def _behaviour(
    columns: Columns,
    rows: NDArray[np.int64],
    at: NDArray[np.int64],
    half_lives_minutes: tuple[float, float],
    found: NDArray[np.float64],
) -> None:
    # One donor after the other: no number's last bit hangs on where in the array it lies.
    rate_minutes, fatigue_minutes = half_lives_minutes
    for i in range(len(rows)):
        row = rows[i]
        minutes = max(at[i] // MINUTE_US - columns.as_of[row], 0)
        left = 0.5 ** (minutes / rate_minutes)
        alerts, promises, times = (
            columns.alerts[row] * left,
            columns.promises[row] * left,
            columns.answer_times[row] * left,
        )
        completions, cancellations = columns.completions[row] * left, columns.cancellations[row] * left
        appointments = RELIABILITY_TRIALS + completions + cancellations + columns.no_shows[row] * left
        since_us = at[i] - columns.last_donation_at[row]
        days = at[i] / DAY_US
        found[0, i] = (AVAILABILITY_ALPHA + columns.acceptances[row] * left) / (AVAILABILITY_TRIALS + alerts)
        found[1, i] = alerts
        found[2, i] = columns.unanswered[row] * 0.5 ** (minutes / fatigue_minutes)
        found[3, i] = (RELIABILITY_ALPHA + columns.kept[row] * left) / (RELIABILITY_TRIALS + promises)
        found[4, i] = promises
        found[5, i] = (RELIABILITY_ALPHA + completions) / appointments
        found[6, i] = (CANCELLED_PRIOR + cancellations) / appointments
        found[7, i] = math.exp((LOG_HOURS_PRIOR + columns.log_hours[row] * left) / (RESPONSE_TIME_WEIGHT + times))
        found[8, i] = max(since_us, 0) / DAY_US if columns.last_donation_at[row] != NEVER_GAVE else np.nan
        found[9, i] = columns.total_donations[row]
        found[10, i] = max(days - columns.joined_on[row], 0.0)
        found[11, i] = max(days - columns.born_on[row], 0.0) / DAYS_A_YEAR
