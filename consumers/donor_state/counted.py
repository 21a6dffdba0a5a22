"""What counts in rates of what was said and done about one request.

An erasure may take the first answer to an alert and leave the next, so all are kept one by one, sorted, until the
request is summed up; what they come to is worked out anew each time.
"""

from __future__ import annotations

from bisect import insort

from consumers.donor_state.donor import NEVER, Account, Counted, RequestFacts, Wave

DAY_US = 86_400_000_000
REQUEST_SPAN_US = 97 * DAY_US
"""The longest span of the events about one request: 90 days until its ``required_by``, and 7 for what follows."""

N_COUNTED_MAX = 255
"""Of a request; a dozen is much. Beyond it only what an erasure would leave is lost, and alerts beyond eighty waves."""
ALERTED, ANSWERED, AGREED, PROMISED, CAME, FAILED = (1 << bit for bit in range(6))
"""Roles. The first three are told apart by wave, and the earliest of each counts; of the others the latest does."""
_EARLIEST = (ALERTED, ANSWERED, AGREED)
_LATEST = (PROMISED, CAME, FAILED)
_NOTHING = Account([], NEVER, None)


def take(facts: RequestFacts, at: int, wave: int, roles: int) -> None:
    """Take in what counts; of an event that plays the same roles at the same instant there need be only one."""
    facts.change()
    one = (at, wave, roles)
    if one not in facts.counted:
        insort(facts.counted, one)
        if len(facts.counted) > N_COUNTED_MAX:
            facts.counted = shortened(facts.counted)


def account(facts: RequestFacts) -> Account:
    """Return what it comes to; nothing where it was summed up, and what is said since would count no more."""
    found = facts.account
    if found is None:
        found = facts.account = _account(facts)
    return found


def sum_up(facts: RequestFacts) -> None:
    """Let go of what was summed up. What lies beyond the span stays: an erasure may leave nothing else."""
    facts.change()
    del facts.counted[: len(_in_span(facts.counted))]
    facts.is_summed_up = True


def forget(facts: RequestFacts, at: int) -> None:
    """Take back what occurred at ``at`` or before, and all that was summed up."""
    facts.change()
    facts.counted = [one for one in facts.counted if one[0] > at]
    facts.is_summed_up = False


def shortened(counted: list[Counted]) -> list[Counted]:
    """Return what matters as long as no erasure takes part of it: no more than 255, the earliest of too many alerts."""
    earliest: dict[tuple[int, int], Counted] = {(0, 0): counted[0]}
    latest: dict[int, Counted] = {}
    for one in _in_span(counted):
        for role in _EARLIEST:
            if one[2] & role:
                earliest.setdefault((one[1], role), one)
        latest.update((role, one) for role in _LATEST if one[2] & role)
    return sorted({*sorted(earliest.values())[: N_COUNTED_MAX - len(_LATEST)], *latest.values()})


def _account(facts: RequestFacts) -> Account:
    if facts.is_summed_up or not facts.counted:
        return _NOTHING
    known = _in_span(facts.counted)
    alerts: dict[int, Wave] = {}
    promised_at = came_at = failed_at = NEVER
    for at, number, roles in known:
        if roles & ALERTED:
            alerts.setdefault(number, Wave(at, NEVER, NEVER))
        if roles & PROMISED:
            promised_at = at
        if roles & CAME:
            came_at = at
        if roles & FAILED:
            failed_at = at
    if alerts and len(known) > 1:
        _answer(alerts, known)
    return Account(list(alerts.values()), promised_at, _is_kept(promised_at, came_at, failed_at))


def _in_span(counted: list[Counted]) -> list[Counted]:
    last_at = counted[0][0] + REQUEST_SPAN_US
    return counted if counted[-1][0] <= last_at else [one for one in counted if one[0] <= last_at]


def _answer(alerts: dict[int, Wave], known: list[Counted]) -> None:
    """Add to alerts the first answer to each, and the first yes; even where a clock says that they came before it."""
    for at, number, roles in reversed(known):
        if roles & ANSWERED and number in alerts:
            notified_at, _, accepted_at = alerts[number]
            alerts[number] = Wave(notified_at, at, at if roles & AGREED else accepted_at)


def _is_kept(promised_at: int, came_at: int, failed_at: int) -> bool | None:
    """Return whether a promise was kept; None where there was none, or nobody can say yet."""
    if promised_at == NEVER:
        return None
    if came_at != NEVER and came_at >= failed_at:
        return True
    return False if failed_at >= promised_at else None
