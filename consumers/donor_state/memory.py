"""What is remembered of a donor, as bytes and back, exactly.

Written with ``struct`` rather than Avro: a donor is read and written for nearly every event, and only by this package.
The first byte is the layout's version; version 1 ends before digests of old ids and what is settled, version 2 before
what fades, and both keep less of requests. One donor has one encoding, whatever the order in which its events came
(but for ids that outlived an erasure, for the last bits of sums, and for what there was too much of).
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from consumers.donor_state import earlier_layouts
from consumers.donor_state.donor import DECAYED, NEVER, NO_SUMS, Donor, Profile, RequestFacts, Statement
from consumers.donor_state.staircase import Staircase

VERSION = 3
"""Raise it with each change of the layout, and keep on reading the versions before."""

HEAD_FORMAT = "BqqqqIqIIIIBHBBHHHHHHH"
_HEAD = Struct(f"<{HEAD_FORMAT}")
_PROFILE = Struct("<q16sqqH")
LIFTED = -(2**31)
_ITEM = Struct("<HH")
_STATEMENT = Struct("<q16sqi")
_REQUEST = Struct("<qBB")
LATEST, DECISIVE, SAME, DONATION, SUMMED_UP = (1 << bit for bit in range(5))
_COUNTED = Struct("<qiB")
_TAIL = Struct("<HH")
_OUTCOME = Struct("<qB")
_SUMS, _DOUBLE = Struct("<q"), Struct("<d")
_COUNTS = Struct("<HH")


class UnknownLayout(ValueError):  # noqa: N818 - the house names errors by what is the case
    """The memory of a donor has a layout that this release doesn't know."""


def encode(donor: Donor) -> bytes:
    """Return what is remembered, as bytes."""
    head = _HEAD.pack(
        VERSION,
        donor.donor_id,
        donor.erased_at,
        donor.latest_at,
        donor.last_completed_at,
        donor.n_completed_before,
        donor.completed_before_at,
        donor.n_alerts,
        donor.n_answers,
        donor.n_promises,
        donor.n_kept,
        len(donor.profiles),
        len(donor.completed),
        len(donor.whole_blood),
        len(donor.unreturned),
        len(donor.unnamed),
        len(donor.apheresis),
        len(donor.deferrals),
        len(donor.requests),
        *map(len, donor.seen),
    )
    parts = [head, *donor.seen]
    for profile in donor.profiles:
        parts += (_PROFILE.pack(*profile[:4], len(profile.facts)), profile.facts)
    numbers = sorted(donor.completed)
    for steps in (donor.whole_blood, donor.unreturned, donor.unnamed):
        for step in steps:
            numbers += step
    for given_at, stated in sorted(donor.apheresis.items()):
        numbers += (given_at, *stated)
    parts.append(_int64s(len(numbers)).pack(*numbers))
    for item, statements in sorted(donor.deferrals.items()):
        parts += _encode_item(item, statements)
    for request_id, facts in sorted(donor.requests.items()):
        if facts.encoded is None:
            facts.encoded = _encode_request(request_id, facts)
        parts.append(facts.encoded)
    n_settled = len(donor.settled)
    parts += (_TAIL.pack(len(donor.aged), n_settled), donor.aged, _int64s(n_settled).pack(*donor.settled))
    there = sum(1 << place for place, one in enumerate(donor.sums) if one)
    parts.append(_COUNTS.pack(len(donor.outcomes), there))
    parts += (_OUTCOME.pack(*one) for one in sorted(donor.outcomes))
    if there:
        parts += (_SUMS.pack(donor.sums_at), *(_DOUBLE.pack(one) for one in donor.sums if one))
    return b"".join(parts)


def new(donor_id: int) -> bytes:
    """Return what ``encode`` makes of a donor of whom nothing is known yet."""
    return _NEW[:_ID_BEGIN] + donor_id.to_bytes(_ID_END - _ID_BEGIN, "little", signed=True) + _NEW[_ID_END:]


def decode(memory: bytes) -> Donor:
    """Return the donor whom ``encode`` turned into ``memory``.

    Raises
    ------
    UnknownLayout
        If a newer release wrote it.
    """
    version = memory[0]
    if not 1 <= version <= VERSION:
        message = f"a donor's memory has layout {version}, this release knows {VERSION}: run the release that wrote it"
        raise UnknownLayout(message)
    donor = Donor.__new__(Donor)  # all its attributes are set below: twice would take a sixth of the time
    (
        _,
        donor.donor_id,
        donor.erased_at,
        donor.latest_at,
        donor.last_completed_at,
        donor.n_completed_before,
        donor.completed_before_at,
        donor.n_alerts,
        donor.n_answers,
        donor.n_promises,
        donor.n_kept,
        n_profiles,
        n_completed,
        n_whole_blood,
        n_unreturned,
        n_unnamed,
        n_apheresis,
        n_items,
        n_requests,
        *n_seen,
    ) = _HEAD.unpack_from(memory) if version > 2 else earlier_layouts.decode_head(memory)
    at = _HEAD.size if version > 2 else earlier_layouts.HEAD_SIZE
    donor.seen = []
    for n_bytes in n_seen:
        donor.seen.append(memory[at : at + n_bytes])
        at += n_bytes
    donor.profiles = []
    for _ in range(n_profiles):
        at = _decode_profile(memory, at, donor.profiles)
    n_numbers = n_completed + 2 * (n_whole_blood + n_unreturned + n_unnamed) + 3 * n_apheresis
    numbers = _int64s(n_numbers).unpack_from(memory, at)
    at += 8 * n_numbers
    start = n_completed
    donor.completed = list(numbers[:start])
    donor.whole_blood, start = _pairs(numbers, start, n_whole_blood)
    donor.unreturned, start = _pairs(numbers, start, n_unreturned)
    donor.unnamed, start = _pairs(numbers, start, n_unnamed)
    donor.apheresis = {numbers[one]: (numbers[one + 1], numbers[one + 2]) for one in range(start, n_numbers, 3)}
    donor.deferrals = {}
    for _ in range(n_items):
        at = _decode_item(memory, at, donor.deferrals)
    donor.requests = {}
    decode_request = _decode_request if version > 2 else earlier_layouts.decode_request
    for _ in range(n_requests):
        at = decode_request(memory, at, donor.requests)
    donor.aged, donor.settled = b"", []
    donor.outcomes, donor.sums, donor.sums_at = [], NO_SUMS, NEVER
    if version < 3:
        earlier_layouts.fade(donor, memory)
    if version > 1:
        at = _decode_tail(memory, at, donor)
        if version > 2:
            _decode_sums(memory, at, donor)
        else:
            for request_id in donor.requests.keys() & set(donor.settled):
                donor.requests[request_id].is_summed_up = True
    return donor


@lru_cache(maxsize=1 << 12)
def _int64s(n: int) -> Struct:
    return Struct(f"<{n}q")


def _pairs(numbers: tuple[int, ...], start: int, n: int) -> tuple[Staircase, int]:
    if not n:
        return [], start
    end = start + 2 * n
    return [(numbers[one], numbers[one + 1]) for one in range(start, end, 2)], end


def _decode_profile(memory: bytes, at: int, profiles: list[Profile]) -> int:
    n_bytes: int
    occurred_at, event_id, stated_at, total_donations, n_bytes = _PROFILE.unpack_from(memory, at)
    at += _PROFILE.size
    end = at + n_bytes
    profiles.append(Profile(occurred_at, event_id, stated_at, total_donations, memory[at:end]))
    return end


def _encode_item(item: str, statements: list[Statement]) -> list[bytes]:
    text = item.encode("utf-8", "surrogatepass")
    packed = [_ITEM.pack(len(text), len(statements)), text]
    for occurred_at, event_id, stated_at, until in statements:
        packed.append(_STATEMENT.pack(occurred_at, event_id, stated_at, LIFTED if until is None else until))
    return packed


def _decode_item(memory: bytes, at: int, deferrals: dict[str, list[Statement]]) -> int:
    n_letters: int
    n_statements: int
    n_letters, n_statements = _ITEM.unpack_from(memory, at)
    at += _ITEM.size
    item = memory[at : at + n_letters].decode("utf-8", "surrogatepass")
    at += n_letters
    end = at + n_statements * _STATEMENT.size
    deferrals[item] = [
        Statement(occurred_at, event_id, stated_at, None if until == LIFTED else until)
        for occurred_at, event_id, stated_at, until in _STATEMENT.iter_unpack(memory[at:end])
    ]
    return end


@lru_cache(maxsize=1 << 12)
def _request_layout(flags: int, n_counted: int) -> Struct:
    """Return the layout of what follows a request's head: only what there is."""
    parts = ["<"]
    if flags & LATEST:
        parts.append("q16sB")
    if flags & DECISIVE and not flags & SAME:
        parts.append("q16sB")
    if flags & DONATION:
        parts.append("q")
    parts.extend(["qiB"] * n_counted)
    return Struct("".join(parts))


def _encode_request(request_id: int, facts: RequestFacts) -> bytes:
    flags = 0
    values: list[int | bytes] = []
    if facts.latest_at != NEVER:
        flags |= LATEST
        values += (facts.latest_at, facts.latest_id, facts.latest)
    if facts.decisive_at != NEVER:
        flags |= DECISIVE
        if facts.decisive_id == facts.latest_id and facts.decisive_at == facts.latest_at:
            flags |= SAME
        else:
            values += (facts.decisive_at, facts.decisive_id, facts.decisive)
    if facts.donation_at != NEVER:
        flags |= DONATION
        values.append(facts.donation_at)
    if facts.is_summed_up:
        flags |= SUMMED_UP
    for one in facts.counted:
        values += one
    n_counted = len(facts.counted)
    return _REQUEST.pack(request_id, flags, n_counted) + _request_layout(flags, n_counted).pack(*values)


def _decode_request(memory: bytes, at: int, requests: dict[int, RequestFacts]) -> int:
    n_counted: int
    begin = at
    request_id, flags, n_counted = _REQUEST.unpack_from(memory, at)
    at += _REQUEST.size
    layout = _request_layout(flags, 0)
    values = layout.unpack_from(memory, at)
    facts = requests[request_id] = RequestFacts()
    place = 0
    if flags & LATEST:
        facts.latest_at, facts.latest_id, facts.latest = values[:3]
        place = 3
    if flags & SAME:
        facts.decisive_at, facts.decisive_id, facts.decisive = values[:3]
    elif flags & DECISIVE:
        facts.decisive_at, facts.decisive_id, facts.decisive = values[place : place + 3]
        place += 3
    if flags & DONATION:
        facts.donation_at = values[place]
    facts.is_summed_up = bool(flags & SUMMED_UP)
    at += layout.size
    end = at + n_counted * _COUNTED.size
    facts.counted = list(_COUNTED.iter_unpack(memory[at:end]))
    facts.encoded = memory[begin:end]
    return end


def _decode_tail(memory: bytes, at: int, donor: Donor) -> int:
    n_bytes, n_settled = _TAIL.unpack_from(memory, at)
    at += _TAIL.size
    donor.aged = memory[at : at + n_bytes]
    at += n_bytes
    donor.settled = list(_int64s(n_settled).unpack_from(memory, at))
    return at + 8 * int(n_settled)


def _decode_sums(memory: bytes, at: int, donor: Donor) -> None:
    n_outcomes, there = _COUNTS.unpack_from(memory, at)
    at += _COUNTS.size
    end = at + n_outcomes * _OUTCOME.size
    donor.outcomes = list(_OUTCOME.iter_unpack(memory[at:end]))
    if there:
        (donor.sums_at,) = _SUMS.unpack_from(memory, end)
        found = iter(_DOUBLE.iter_unpack(memory[end + _SUMS.size :]))
        donor.sums = tuple(next(found)[0] if there >> place & 1 else 0.0 for place in range(len(DECAYED)))


_ID_BEGIN, _ID_END = 1, 9
_NEW = encode(Donor(0))
