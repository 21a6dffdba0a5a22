"""Telling an event that came before by its id.

For each source the ids of its last 7 days are one string of bytes, 24 a piece and sorted, since most donors have a few
and they are only searched: six bytes of Kafka timestamp (milliseconds), two of how far ahead of it the event claims to
have occurred (in steps of two seconds, rounded up), then the id. How old an id is, is told within its source: sources
are read at different paces, and one that is read first must not age the ids of another.

Older ids are kept too, but 8 bytes short: timestamps are the clients' own, so an event may come again with the old
timestamp that it had at first, or come for the first time long after newer ones. Two bytes of the day by whose end it
had occurred and six of a digest are a piece; among a thousand, one new event in 10^11 is taken for one that was.
"""

from __future__ import annotations

from hashlib import blake2b

from consumers.donor_state.donor import Donor
from schemas.identifiers import REMEMBERED_MS

N_REMEMBERED_MAX = 1_000
SIZE = 24
AGED_SIZE = 8
ID, DIGEST = 8, 2
"""Where in a piece an id begins, and in a shortened one its digest."""
DAY_US = 86_400_000_000
STEP_US = 2_000_000
AHEAD_MAX = 0xFFFF
TIMESTAMP_MAX = (1 << 48) - 1
DAYS_MAX = 0xFFFF


def came_before(donor: Donor, event_id: bytes) -> bool:
    """Return whether an event of this id is remembered, from whichever source."""
    if any(_holds(seen, event_id, ID, SIZE) for seen in donor.seen):
        return True
    return bool(donor.aged) and _holds(donor.aged, _digest(event_id), DIGEST, AGED_SIZE)


def remember(donor: Donor, event_id: bytes, source: int, timestamp_ms: int, occurred_at: int) -> None:
    """Remember an event, and shorten those of its source that are more than 7 days older than its latest.

    Parameters
    ----------
    source : int
        0, 1 or 2.
    """
    ahead_us = occurred_at - timestamp_ms * 1000
    ahead = 0 if ahead_us <= 0 else min(-(-ahead_us // STEP_US), AHEAD_MAX)
    piece = (min(timestamp_ms, TIMESTAMP_MAX) << 16 | ahead).to_bytes(ID, "big") + event_id
    seen = donor.seen[source]
    seen = seen + piece if piece >= seen[-SIZE:] else b"".join(sorted([*_pieces(seen), piece]))
    # bytes compare as the numbers that they begin with
    oldest = max(int.from_bytes(seen[-SIZE : 6 - SIZE], "big") - REMEMBERED_MS, 0).to_bytes(6, "big")
    n_old = 0
    while seen[n_old : n_old + 6] < oldest:
        n_old += SIZE
    donor.seen[source] = seen[n_old:]
    if n_old:
        aged = [*_pieces(donor.aged, AGED_SIZE), *map(_aged, _pieces(seen[:n_old]))]
        donor.aged = b"".join(sorted(aged))


def settle(donor: Donor) -> int:
    """Forget the oldest ids beyond 1,000.

    Returns
    -------
    int
        How many were forgotten although they might still come again.
    """
    n_more = sum(map(len, donor.seen)) // SIZE + len(donor.aged) // AGED_SIZE - N_REMEMBERED_MAX
    if n_more <= 0:
        return 0
    n_aged = min(n_more, len(donor.aged) // AGED_SIZE)
    donor.aged = donor.aged[n_aged * AGED_SIZE :]
    left = sorted((piece, source) for source, seen in enumerate(donor.seen) for piece in _pieces(seen))
    for _, source in left[: n_more - n_aged]:
        donor.seen[source] = donor.seen[source][SIZE:]
    return n_more


def forget(donor: Donor, at: int) -> None:
    """Forget the ids of events that an erasure at the instant ``at`` covers for certain.

    An event that occurred then or before needs no id to be ignored. Where it was written later, its id may stay.
    """
    donor.seen = [b"".join(piece for piece in _pieces(seen) if _latest_us(piece) > at) for seen in donor.seen]
    kept = [one for one in _pieces(donor.aged, AGED_SIZE) if int.from_bytes(one[:DIGEST], "big") * DAY_US > at]
    donor.aged = b"".join(kept)


def _holds(pieces: bytes, wanted: bytes, place: int, size: int) -> bool:
    at = pieces.find(wanted)
    while at >= 0:
        if at % size == place:
            return True
        at = pieces.find(wanted, at + 1)
    return False


def _pieces(seen: bytes, size: int = SIZE) -> list[bytes]:
    return [seen[at : at + size] for at in range(0, len(seen), size)]


def _aged(piece: bytes) -> bytes:
    day = min(-(-_latest_us(piece) // DAY_US), DAYS_MAX)
    return day.to_bytes(DIGEST, "big") + _digest(piece[ID:])


def _digest(event_id: bytes) -> bytes:
    return blake2b(event_id, digest_size=AGED_SIZE - DIGEST).digest()


def _latest_us(piece: bytes) -> int:
    both = int.from_bytes(piece[:ID], "big")
    return (both >> 16) * 1000 + (both & AHEAD_MAX) * STEP_US
