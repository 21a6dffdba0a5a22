"""Sums that fade: what a donor did lately counts more than what they did long ago.

What can still change (requests that aren't summed up, outcomes within the lateness that counts) is kept as events and
weighed anew each time; exact summation makes the result independent of the order in which they came. The rest is a sum
as of an instant, and fades as a whole.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterable

from consumers.donor_state.donor import DECAYED, NEVER, NO_SUMS, Account, Donor
from features.decay import HalfLives, left

(
    ALERTS,
    ACCEPTANCES,
    UNANSWERED,
    PROMISES,
    KEPT,
    TIMES,
    LOG_HOURS,
    SQUARES,
    WHOLE_BLOOD,
    APHERESIS,
    CANCELLATIONS,
    NO_SHOWS,
    DEFERRALS,
) = range(len(DECAYED))

HOUR_US = 3_600_000_000
SHORTEST_US = 1_000_000
"""Less than a second to answer counts as one: its logarithm must be finite."""

N_OUTCOMES_MAX = 1_000
"""Nobody's donations come to so many in the days of lateness; the oldest go first, into the sums."""

_OUTCOMES = {"CANCELLED": CANCELLATIONS, "NO_SHOW": NO_SHOWS, "DEFERRED": DEFERRALS}
_BY_APHERESIS = frozenset({"PLATELETS", "PLASMA"})

Parts = list[list[float]]


def note(donor: Donor, outcome: str, component: str, at: int) -> None:
    """Take in what came of a donation; what the contract has no word for counts nowhere."""
    if outcome == "COMPLETED":
        # Of an unknown component it bars both procedures (``donations``), but was one donation: readers add the two
        # sums, so it counts in one of them, and most donations are of whole blood.
        donor.outcomes.append((at, APHERESIS if component in _BY_APHERESIS else WHOLE_BLOOD))
    elif outcome in _OUTCOMES:
        donor.outcomes.append((at, _OUTCOMES[outcome]))


def sums(donor: Donor, accounts: Collection[Account], half_lives: HalfLives) -> tuple[float, ...]:
    """Return the sums as of the latest that is known of the donor, in the order of ``DECAYED``.

    Parameters
    ----------
    donor : Donor
    accounts : collection of Account
        Of the donor's requests.
    half_lives : HalfLives
    """
    if not accounts and not donor.outcomes and donor.sums is NO_SUMS:
        return NO_SUMS
    parts = _faded(donor, half_lives)
    for account in accounts:
        _weigh(parts, account, donor.latest_at, half_lives)
    _weigh_outcomes(parts, donor.outcomes, donor.latest_at, half_lives)
    return tuple(map(math.fsum, parts))


def settle(donor: Donor, late_us: int, half_lives: HalfLives) -> int:
    """Sum up outcomes that lie further back than events may be late, and the oldest beyond 1,000.

    Returns
    -------
    int
        How many were summed up although an erasure might still take them one by one, since there were too many.
    """
    oldest_at = donor.latest_at - late_us
    n_outcomes = len(donor.outcomes)
    if n_outcomes <= N_OUTCOMES_MAX and (not n_outcomes or min(donor.outcomes)[0] >= oldest_at):
        return 0
    donor.outcomes.sort()
    n_old = bisect_left(donor.outcomes, (oldest_at,))
    n_dropped = max(0, n_outcomes - n_old - N_OUTCOMES_MAX)
    parts = _faded(donor, half_lives)
    _weigh_outcomes(parts, donor.outcomes[: n_old + n_dropped], donor.latest_at, half_lives)
    del donor.outcomes[: n_old + n_dropped]
    _keep(donor, parts)
    return n_dropped


def sum_up(donor: Donor, account: Account, half_lives: HalfLives) -> None:
    """Add a request of which no more can come."""
    parts = _faded(donor, half_lives)
    _weigh(parts, account, donor.latest_at, half_lives)
    _keep(donor, parts)


def forget(donor: Donor, at: int, *, rates: bool) -> None:
    """Take back what occurred at ``at`` or before; with ``rates``, all that is known."""
    donor.outcomes = [] if rates else [one for one in donor.outcomes if one[0] > at]
    donor.sums, donor.sums_at = NO_SUMS, NEVER


def _keep(donor: Donor, parts: Parts) -> None:
    sums = tuple(map(math.fsum, parts))
    # Nothing at all is one thing, be it that nothing was ever summed up or that nothing is left: memory has one of it.
    donor.sums, donor.sums_at = (sums, donor.latest_at) if any(sums) else (NO_SUMS, NEVER)


def _faded(donor: Donor, half_lives: HalfLives) -> Parts:
    """Return what is left now of what was summed up, each as the first part of a sum."""
    if donor.sums is NO_SUMS:
        return [[] for _ in DECAYED]
    rate = left(donor.latest_at - donor.sums_at, half_lives.rate_days)
    parts = [[one * rate] for one in donor.sums]
    parts[UNANSWERED] = [donor.sums[UNANSWERED] * left(donor.latest_at - donor.sums_at, half_lives.fatigue_days)]
    return parts


def _weigh(parts: Parts, account: Account, at: int, half_lives: HalfLives) -> None:
    """Add what one request says. An alert and what came of it weigh as of the alert, a promise as of the promise."""
    for notified_at, answered_at, accepted_at in account.alerts:
        weight = left(at - notified_at, half_lives.rate_days)
        parts[ALERTS].append(weight)
        if accepted_at != NEVER:
            parts[ACCEPTANCES].append(weight)
        if answered_at == NEVER:
            parts[UNANSWERED].append(left(at - notified_at, half_lives.fatigue_days))
            continue
        log_hours = math.log(max(answered_at - notified_at, SHORTEST_US) / HOUR_US)
        parts[TIMES].append(weight)
        parts[LOG_HOURS].append(weight * log_hours)
        parts[SQUARES].append(weight * log_hours * log_hours)
    if account.is_kept is not None:
        weight = left(at - account.promised_at, half_lives.rate_days)
        parts[PROMISES].append(weight)
        if account.is_kept:
            parts[KEPT].append(weight)


def _weigh_outcomes(parts: Parts, outcomes: Iterable[tuple[int, int]], at: int, half_lives: HalfLives) -> None:
    for occurred_at, place in outcomes:
        parts[place].append(left(at - occurred_at, half_lives.rate_days))
