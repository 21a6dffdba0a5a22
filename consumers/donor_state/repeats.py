"""Telling an event that came before by its id.

Ids are kept as one string of bytes, 24 a piece and sorted, since most donors have a few and they are only searched:
six bytes of Kafka timestamp (milliseconds), two of the source and of how far ahead of the timestamp the event claims to
have occurred (in steps of eight seconds, rounded up), then the id.

How old an id is, is told within its source: sources are read at different paces, and one that is read first must not
make those of another forgotten.
"""

from __future__ import annotations

from consumers.donor_state.donor import Donor

REMEMBERED_MS = 7 * 86_400_000
N_REMEMBERED_MAX = 1_000
SIZE = 24
_ID = 8
_STEP_US = 8_000_000
_AHEAD_BITS = 14
_AHEAD_MAX = (1 << _AHEAD_BITS) - 1


def came_before(donor: Donor, event_id: bytes) -> bool:
    """Return whether an event of this id is remembered."""
    seen = donor.seen
    at = seen.find(event_id)
    while at >= 0:
        if at % SIZE == _ID:
            return True
        at = seen.find(event_id, at + 1)
    return False


def remember(donor: Donor, event_id: bytes, source: int, timestamp_ms: int, occurred_at: int) -> None:
    """Remember an event of a source (a number below 4); ``settle`` puts the ids in order again."""
    ahead_us = occurred_at - timestamp_ms * 1000
    ahead = 0 if ahead_us <= 0 else min(-(-ahead_us // _STEP_US), _AHEAD_MAX)
    donor.seen += (timestamp_ms << 16 | source << _AHEAD_BITS | ahead).to_bytes(_ID, "big") + event_id


def settle(donor: Donor) -> int:
    """Sort the ids, and forget what is more than 7 days older than its source's latest, or more than 1,000.

    Returns
    -------
    int
        How many were forgotten although they might still come again.
    """
    seen = donor.seen
    if len(seen) <= SIZE:
        return 0
    pieces = [seen[at : at + SIZE] for at in range(0, len(seen), SIZE)]
    pieces.sort()
    if _timestamp_ms(pieces[-1]) - _timestamp_ms(pieces[0]) > REMEMBERED_MS:
        latest_ms = {_source(piece): _timestamp_ms(piece) for piece in pieces}
        pieces = [piece for piece in pieces if _timestamp_ms(piece) >= latest_ms[_source(piece)] - REMEMBERED_MS]
    n_dropped = max(0, len(pieces) - N_REMEMBERED_MAX)
    donor.seen = b"".join(pieces[n_dropped:])
    return n_dropped


def forget(donor: Donor, at: int) -> None:
    """Forget the ids of events that an erasure at the instant ``at`` covers for certain.

    An event that occurred then or before needs no id to be ignored. Where it was written later, its id may stay.
    """
    seen = donor.seen
    pieces = [seen[start : start + SIZE] for start in range(0, len(seen), SIZE)]
    donor.seen = b"".join(piece for piece in pieces if _latest_us(piece) > at)


def _timestamp_ms(piece: bytes) -> int:
    return int.from_bytes(piece[:6], "big")


def _source(piece: bytes) -> int:
    return piece[6] >> 6


def _latest_us(piece: bytes) -> int:
    ahead = int.from_bytes(piece[6:_ID], "big") & _AHEAD_MAX
    return _timestamp_ms(piece) * 1000 + ahead * _STEP_US
