"""Why a donor is offered, in words that a person reads in a list.

Nothing of a donor's health is said: the day since which a donor may give is named only where it is the end of the
interval after the last donation, never that of a deferral.
"""

from __future__ import annotations

from features.local_time import local_day, text_of_day

GROUP_REASON = {1: "same group", 2: "compatible group", 3: "a clinician accepts the group"}
"""By compatibility tier."""

ANSWERS_USUAL = 2.5
"""Fewer answers make no habit; three lately are a little less than three."""

HOURS_NAMED_MAX = 12
"""Who takes longer isn't praised for it."""


def reasons_for(
    tier: int,
    total_donations: int,
    distance_km: float,
    interval_ended_at: int | None,
    answers: float,
    answer_hours: float,
) -> list[str]:
    """Say why a donor is offered.

    Parameters
    ----------
    tier : int
        Compatibility tier, 1 to 3.
    total_donations : int
    distance_km : float
        To 2 decimals.
    interval_ended_at : int or None
        When the interval after the last donation ended, microseconds since 1970; None where that isn't why the
        donor may give.
    answers : float
        Alerts that the donor answered, each by what was left of it at the last event.
    answer_hours : float
        Median time to answer, hours.

    Returns
    -------
    list of str
        Such as ``same group``, ``gave 8 times``, ``2.1 km``, ``may give since 3 March 2026``.
    """
    reasons = [GROUP_REASON[tier]]
    if total_donations > 0:
        reasons.append("gave once" if total_donations == 1 else f"gave {total_donations} times")
    reasons.append(f"{distance_km:.1f} km")
    if interval_ended_at is not None:
        reasons.append(f"may give since {text_of_day(local_day(interval_ended_at))}")
    if answers >= ANSWERS_USUAL and 0 <= answer_hours <= HOURS_NAMED_MAX:
        reasons.append(f"usually answers within {_hours(answer_hours)}")
    return reasons


def _hours(hours: float) -> str:
    whole = max(1, -int(-hours // 1))
    return "an hour" if whole == 1 else f"{whole} hours"
