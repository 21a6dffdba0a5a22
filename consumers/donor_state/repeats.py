"""Telling an event that came before by its id.

For each source the ids are one string of bytes, 24 a piece and sorted, since most donors have a few and they are only
searched: six bytes of Kafka timestamp (milliseconds), two of how far ahead of it the event claims to have occurred
(in steps of two seconds, rounded up), then the id.

How old an id is, is told within its source: sources are read at different paces, and one that is read first must not
make the ids of another forgotten.
"""

from __future__ import annotations

from consumers.donor_state.donor import Donor

REMEMBERED_MS = 7 * 86_400_000
N_REMEMBERED_MAX = 1_000
SIZE = 24
_ID = 8
_STEP_US = 2_000_000
_AHEAD_MAX = 0xFFFF
_TIMESTAMP_MAX = (1 << 48) - 1


def came_before(donor: Donor, event_id: bytes) -> bool:
    """Return whether an event of this id is remembered, from whichever source."""
    for seen in donor.seen:
        at = seen.find(event_id)
        while at >= 0:
            if at % SIZE == _ID:
                return True
            at = seen.find(event_id, at + 1)
    return False


def remember(donor: Donor, event_id: bytes, source: int, timestamp_ms: int, occurred_at: int) -> None:
    """Remember an event, and forget those of its source that are more than 7 days older than its latest.

    Parameters
    ----------
    source : int
        0, 1 or 2.
    """
    ahead_us = occurred_at - timestamp_ms * 1000
    ahead = 0 if ahead_us <= 0 else min(-(-ahead_us // _STEP_US), _AHEAD_MAX)
    piece = (min(timestamp_ms, _TIMESTAMP_MAX) << 16 | ahead).to_bytes(_ID, "big") + event_id
    seen = donor.seen[source]
    seen = seen + piece if piece >= seen[-SIZE:] else b"".join(sorted([*_pieces(seen), piece]))
    # bytes compare as the numbers that they begin with
    oldest = max(int.from_bytes(seen[-SIZE : 6 - SIZE], "big") - REMEMBERED_MS, 0).to_bytes(6, "big")
    n_old = 0
    while seen[n_old : n_old + 6] < oldest:
        n_old += SIZE
    donor.seen[source] = seen[n_old:]


def settle(donor: Donor) -> int:
    """Forget the oldest ids beyond 1,000.

    Returns
    -------
    int
        How many were forgotten although they might still come again.
    """
    n_more = sum(map(len, donor.seen)) // SIZE - N_REMEMBERED_MAX
    if n_more <= 0:
        return 0
    oldest = sorted((piece, source) for source, seen in enumerate(donor.seen) for piece in _pieces(seen))[:n_more]
    for _, source in oldest:
        donor.seen[source] = donor.seen[source][SIZE:]
    return n_more


def forget(donor: Donor, at: int) -> None:
    """Forget the ids of events that an erasure at the instant ``at`` covers for certain.

    An event that occurred then or before needs no id to be ignored. Where it was written later, its id may stay.
    """
    donor.seen = [b"".join(piece for piece in _pieces(seen) if _latest_us(piece) > at) for seen in donor.seen]


def _pieces(seen: bytes) -> list[bytes]:
    return [seen[at : at + SIZE] for at in range(0, len(seen), SIZE)]


def _latest_us(piece: bytes) -> int:
    both = int.from_bytes(piece[:_ID], "big")
    return (both >> 16) * 1000 + (both & _AHEAD_MAX) * _STEP_US
