"""What ``donor-state`` and ``matching`` are given where they crash: real events, strays and garbage; seeded, two parts.

The first part is what they crash over. The second begins when that was taken in, and is answered rightly by whoever
remembers it alone. How batches are cut, and which topic a batch begins with, changes no answer: what is on several
topics is either folded alike in any order, or of one topic in each part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from consumers.donor_state import DonorState
from consumers.driver import Driver
from schemas.codec import Codec
from tests.acceptance import world
from tests.acceptance.wire import AVRO
from tests.oracle import worlds
from tests.oracle.worlds import DAY, NOON

N_DONORS, N_REQUESTS = 40, 60
HOUR = DAY // 24
AFTER_ALL_MS = (NOON + 2 * DAY) // 1000
BY_DONOR = ("donor-registered", "donation-recorded", "donor-responded")
BY_REQUEST = ("blood-request-closed", "blood-request-created", "match-requested")


class Sent(NamedTuple):
    """A record to be published, at home or beside it."""

    topic: str
    key: bytes
    value: bytes | None
    timestamp_ms: int
    is_stray: bool = False


@dataclass(frozen=True)
class Given:
    """What one processor is given, and how much of it is answered in a way that can be counted.

    Parameters
    ----------
    sources, followed, written : tuple of str
        Its topics, dead letters apart.
    before : list of Sent
        What lies there before it is started for the first time.
    parts : tuple of list of Sent
        The two parts.
    asked : Counter of str
        The ids of the events that are to be answered by ``matches`` or ``match-previews``, once each.
    """

    sources: tuple[str, ...]
    followed: tuple[str, ...]
    written: tuple[str, ...]
    before: list[Sent]
    parts: tuple[list[Sent], list[Sent]]
    asked: Counter[str]

    @property
    def topics(self) -> tuple[str, ...]:
        return (*self.sources, *self.followed, *self.written, "dead-letters")

    @property
    def refused(self) -> Counter[bytes | None]:
        """The values that are refused, once each."""
        return Counter(sent.value for sent in self.parts[0] if sent.value and sent.value.startswith(GARBAGE))

    @property
    def n_strays(self) -> int:
        return sum(sent.is_stray for part in self.parts for sent in part)


GARBAGE = b"no event: "


def for_donor_state() -> Given:
    """Donors with all that came of them, some erased after all; then all of it again, and a donation of each.

    Only after all: an erasure under a later profile lets rates begin anew with what comes after it.
    """
    rng = worlds.generator(81)
    made = world.world(81, N_DONORS, 0, within_days=29)
    records = [
        Sent(topic, str(donor_id).encode(), AVRO.encode(topic, event), timestamp_ms)
        for topic, donor_id, event, timestamp_ms in made.donor_records()
        if event is not None
    ]
    erased = [Sent(BY_DONOR[0], str(donor_id).encode(), None, AFTER_ALL_MS) for donor_id in range(5, N_DONORS, 5)]
    records = [*_in_turn(records, erased)]
    donations = [world.donation(rng, donor_id, NOON - DAY) for donor_id in made.histories]
    again = [*records, *(_sent("donation-recorded", event["donor_id"], event) for event in donations)]
    first = list(_with_garbage(_with_strays(records, {sent.key for sent in records})))
    return Given(BY_DONOR, (), ("donor-states",), [], (first, again), Counter())


def for_matching() -> Given:
    """Requests, closings of others and waves for yet others; then what depends on having seen them."""
    rng = worlds.generator(82)
    courses = {request_id: world.course(rng, request_id) for request_id in range(1, N_REQUESTS // 2)}
    created = [event for course in courses.values() for _, event in course]
    closed_early = range(N_REQUESTS // 2, N_REQUESTS * 3 // 4)
    late = [world.request(rng, request_id) for request_id in closed_early]
    unseen = [world.request(rng, request_id) for request_id in range(N_REQUESTS * 3 // 4, N_REQUESTS + 1)]
    closings = [world.closing(rng, request_id, NOON + HOUR) for request_id in closed_early]
    waves = [world.rematch(rng, event, NOON + HOUR, recorded=event["request_id"] % 3 > 0) for event in unseen]
    again = [
        world.rematch(rng, course[0][1], NOON + 2 * HOUR, recorded=request_id % 3 > 0)
        for request_id, course in courses.items()
        if request_id % 2
    ]
    over = [world.closing(rng, request_id, NOON + 2 * HOUR) for request_id in courses if request_id % 2 == 0]

    first = [
        *_in_turn(
            [_sent("blood-request-created", event["request_id"], event) for event in created],
            [_sent("blood-request-closed", event["request_id"], event) for event in closings],
            [_sent("match-requested", event["request"]["request_id"], event) for event in waves],
        )
    ]
    second = [
        *first,
        *(_sent("blood-request-created", event["request_id"], event) for event in late),
        *(_sent("match-requested", event["request"]["request_id"], event) for event in again),
        *(_sent("blood-request-closed", event["request_id"], event) for event in over),
    ]
    asked = Counter({event["event_id"]: 1 for event in [*created, *waves, *late, *again]})
    alone = [key for key, n in Counter(sent.key for sent in first).items() if n == 1]
    return Given(
        BY_REQUEST,
        ("donor-states", "model-released"),
        ("request-states", "matches", "match-previews", "prediction-logged"),
        _states(),
        (list(_with_garbage(_with_strays(first, alone))), second),
        asked,
    )


def _states() -> list[Sent]:
    """What ``donor-state`` says of the donors among whom is matched."""
    codec = Codec()
    driver = Driver([DonorState(codec)], codec=codec)
    for topic, donor_id, event, timestamp_ms in world.world(83, N_DONORS, 0, wild=0.2).donor_records():
        driver.send(topic, str(donor_id), event, timestamp_ms=timestamp_ms)
    driver.run(batch_size=50)
    return [Sent(one.topic, one.key or b"", one.value, one.timestamp_ms) for one in driver.records("donor-states")]


def _sent(topic: str, key: int, event: dict[str, Any]) -> Sent:
    return Sent(topic, str(key).encode(), AVRO.encode(topic, event), -(-event["occurred_at"] // 1000))


def _in_turn(*lists: list[Sent]) -> Iterator[Sent]:
    """One of each list after the other, spread evenly over the longest."""
    placed = [((place + 0.5) / len(one), sent) for one in lists for place, sent in enumerate(one)]
    yield from (sent for _, sent in sorted(placed, key=lambda each: each[0]))


def _with_strays(records: Iterable[Sent], keys: Collection[bytes]) -> Iterator[Sent]:
    """The records, every fourth of these keys beside its home: what is sent on comes after all else of its key."""
    n = 0
    for sent in records:
        n += sent.key in keys
        yield sent._replace(is_stray=sent.key in keys and n % 4 == 0)


def _with_garbage(records: Iterable[Sent]) -> Iterator[Sent]:
    """The records, and after every fourth something that is refused: whatever is done twice shows in dead letters."""
    for place, sent in enumerate(records):
        yield sent
        if place % 4 == 1:
            yield sent._replace(value=GARBAGE + str(place).encode(), is_stray=False)
