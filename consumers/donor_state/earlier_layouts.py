"""What layouts 1 and 2 of a donor's memory had otherwise.

Of each kind of a request's instants the earliest or latest alone, and of times to answer a sum that doesn't fade.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Any

from consumers.donor_state import counted
from consumers.donor_state.counted import AGREED, ALERTED, ANSWERED, CAME, FAILED, PROMISED
from consumers.donor_state.donor import DECAYED, NEVER, Counted, Donor, RequestFacts

LOG_UNIT = 10**12
"""Logarithms of hours to the answer were summed up as integers of this unit."""

_HEAD = Struct("<BqqqqIqIIIIIqBHBBHHHHHHH")
_N_TIMES = 11
"""Place in the head of how many times to answer there were; their sum follows."""

HEAD_SIZE = _HEAD.size
_REQUEST = Struct("<qBB")
_LATEST, _DECISIVE, _SAME, _DONATION, _PROMISED, _CAME, _FAILED, _FIRST = (1 << bit for bit in range(8))


def decode_head(memory: bytes) -> tuple[Any, ...]:
    """Return the head as the newest layout has it: without the number of times to answer, and their sum."""
    fields = _HEAD.unpack_from(memory)
    return fields[:_N_TIMES] + fields[_N_TIMES + 2 :]


def fade(donor: Donor, memory: bytes) -> None:
    """Let fade what was summed up when nothing faded yet: when it happened isn't known, and it counts as of now.

    An answer is taken for a yes, since yes and no were not told apart.
    """
    if not donor.n_alerts and not donor.n_promises:
        return
    n_times, sum_of_logs = _HEAD.unpack_from(memory)[_N_TIMES : _N_TIMES + 2]
    log_hours = sum_of_logs / LOG_UNIT
    known = {
        "alerts": donor.n_alerts,
        "acceptances": donor.n_answers,
        "promises": donor.n_promises,
        "kept": donor.n_kept,
        "answer_times": n_times,
        "log_hours": log_hours,
        "log_hours_squared": log_hours**2 / max(n_times, 1),
    }
    donor.sums, donor.sums_at = tuple(float(known.get(name, 0)) for name in DECAYED), donor.latest_at


def decode_request(memory: bytes, at: int, requests: dict[int, RequestFacts]) -> int:
    """Add the request at a place; return the place behind it."""
    request_id, flags, n_waves = _REQUEST.unpack_from(memory, at)
    at += _REQUEST.size
    layout = _layout(flags, n_waves)
    values = iter(layout.unpack_from(memory, at))
    facts = requests[request_id] = RequestFacts()
    if flags & _LATEST:
        facts.latest_at, facts.latest_id, facts.latest = next(values), next(values), next(values)
    if flags & _SAME:
        facts.decisive_at, facts.decisive_id, facts.decisive = facts.latest_at, facts.latest_id, facts.latest
    elif flags & _DECISIVE:
        facts.decisive_at, facts.decisive_id, facts.decisive = next(values), next(values), next(values)
    if flags & _DONATION:
        facts.donation_at = next(values)
    # roles of none: the first that is known of a request may be of a kind that counts for its span alone
    found: list[Counted] = [
        (next(values), 0, roles)
        for flag, roles in ((_PROMISED, PROMISED), (_CAME, CAME), (_FAILED, FAILED), (_FIRST, 0))
        if flags & flag
    ]
    # There was no third instant yet: whoever made a promise is taken to have said yes to every wave they answered.
    answered = ANSWERED | AGREED if flags & _PROMISED else ANSWERED
    for _ in range(n_waves):
        number, notified_at, answered_at = next(values), next(values), next(values)
        found += [(notified_at, number, ALERTED), (answered_at, number, answered)]
    facts.counted = sorted(one for one in found if one[0] != NEVER)
    if len(facts.counted) > counted.N_COUNTED_MAX:
        facts.counted = counted.shortened(facts.counted)
    return at + layout.size


@lru_cache(maxsize=1 << 12)
def _layout(flags: int, n_waves: int) -> Struct:
    """Return the layout of what follows a request's head: only what there is."""
    parts = ["<"]
    if flags & _LATEST:
        parts.append("q16sB")
    if flags & _DECISIVE and not flags & _SAME:
        parts.append("q16sB")
    parts.extend("q" for flag in (_DONATION, _PROMISED, _CAME, _FAILED, _FIRST) if flags & flag)
    parts.extend(["qqq"] * n_waves)
    return Struct("".join(parts))
