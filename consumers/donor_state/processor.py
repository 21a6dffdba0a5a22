"""The processor ``donor-state``: events of donors in, ``donor-states`` out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from consumers import stores, validation
from consumers.donor_state import decayed, donations, memory, profiles, projection, repeats, responses
from consumers.donor_state.donor import Donor
from consumers.donor_state.erasure import erase
from consumers.forwarding import is_left_behind
from consumers.topology import Batch, Input, Topology
from consumers.validation import LAST_INSTANT
from features.decay import HalfLives
from schemas.codec import Codec
from schemas.errors import InvalidRecord
from schemas.identifiers import derived_event_id
from schemas.records import Event, Output, Record

PROFILES, DONATIONS, RESPONSES, STORE = "donor-registered", "donation-recorded", "donor-responded", "donor-states"
SOURCE = {topic: number for number, topic in enumerate((PROFILES, DONATIONS, RESPONSES))}
DAY_US = 86_400_000_000

N_RECENT_MAX = 8_192
"""Donors who are kept decoded besides: whoever is notified opens, answers and arrives within hours."""

TOPOLOGY = Topology(
    name="donor-state",
    sources=(PROFILES, DONATIONS, RESPONSES),
    sinks=(STORE,),
    store=STORE,
    forwards=True,
)


class DonorState:
    """Folds what donors are and did into one record for each donor.

    The memory is the ``memory`` field of the last record of each donor, as bytes: a few hundred a donor, where the
    objects would take kilobytes. Donors that a batch touches are decoded, changed beside the memory, and become it
    with ``keep``. Of those lately touched the objects are kept too, each beside the bytes that it stands for.

    Parameters
    ----------
    codec : Codec
    late_days : int, default 30
        How much older than the latest known of a donor an event may be to count in rates and averages.
    half_lives : HalfLives, optional
        Of what fades; all workers need the same, and matching too.
    """

    def __init__(self, codec: Codec, *, late_days: int = 30, half_lives: HalfLives | None = None) -> None:
        self._codec = codec
        self._frame: bytes | None = None
        self._late_us = late_days * DAY_US
        self._half_lives = half_lives or HalfLives()
        self._memory: dict[int, dict[int, bytes]] = {}
        self._staged: dict[int, dict[int, bytes]] = {}
        self._recent: dict[tuple[int, int], tuple[bytes, Donor]] = {}
        self._counts: Counter[str] = Counter()
        self._staged_counts: Counter[str] = Counter()

    @property
    def topology(self) -> Topology:
        """The edges."""
        return TOPOLOGY

    @property
    def counts(self) -> Mapping[str, int]:
        """What was counted since the start: ``repeats``, and what was ``…_dropped``.

        Event ids, requests and outcomes are dropped at limits: something was forgotten, or summed up, that might still
        have been needed.
        """
        return self._counts

    @property
    def n_donors(self) -> int:
        """How many donors are remembered."""
        return sum(len(donors) for donors in self._memory.values())

    def read(self, record: Record) -> Event | None:
        """Decode and check one record; None for a null registration.

        Raises
        ------
        InvalidRecord
            If the record breaks the contract.
        """
        if record.value is None and record.topic == PROFILES:
            validation.donor_of_key(record)
            return None
        return validation.checked(record, self._codec.decode(record.topic, validation.not_null(record)))

    def work(self, item: Input) -> int:  # noqa: ARG002 - the protocol's argument
        """Return 1: all records cost alike."""
        return 1

    def process(self, batch: Batch) -> list[Output]:
        """Fold a batch; one record for each donor of whom anything changed, in the order in which they came up."""
        touched: dict[tuple[int, int], Donor] = {}
        answered: dict[tuple[int, int], str] = {}
        for record, event in batch.inputs:
            if is_left_behind(record):
                continue
            donor_id: int = int(record.key or b"") if event is None else event["donor_id"]
            place = (record.partition, donor_id)
            donor = touched.get(place)
            if donor is None:
                donor = touched[place] = self._donor(*place)
            if event is None:
                if erase(donor, min(record.timestamp_ms * 1000, LAST_INSTANT)):
                    # two nulls of one instant do the same, wherever they lie
                    answered[place] = f"erased:{donor_id}:{record.timestamp_ms}"
            elif self._take(donor, record, event):
                answered[place] = event["event_id"]
        return [self._settle(place, touched[place], event_id) for place, event_id in answered.items()]

    def keep(self) -> None:
        """Make what is staged the memory."""
        for partition, donors in self._staged.items():
            self._memory.setdefault(partition, {}).update(donors)
        self._counts += self._staged_counts
        self.drop()

    def drop(self) -> None:
        """Forget what is staged."""
        self._staged = {}
        self._staged_counts = Counter()

    def restore(self, partition: int, records: Iterable[Record]) -> list[str]:
        """Take records of ``donor-states`` into the memory of ``partition``; return lines on garbage."""
        donors = self._memory.setdefault(partition, {})

        def take(donor_id: int, state: Event | None) -> None:
            if state is None:
                donors.pop(donor_id, None)
            elif state["memory"]:
                donors[donor_id] = state["memory"]
            else:
                reason = "memory: empty, which this processor never leaves it"
                raise InvalidRecord(reason, kind="undecodable")

        return stores.read_back(records, self._codec, "donor_id", take)

    def revoke(self, partitions: Collection[int]) -> None:
        """Throw away the memory of ``partitions``."""
        for partition in partitions:
            self._memory.pop(partition, None)
            self._staged.pop(partition, None)
        gone = set(partitions)
        self._recent = {place: one for place, one in self._recent.items() if place[0] not in gone}

    def follow(self, records: Sequence[Record]) -> list[str]:
        """Return nothing: no topic is followed."""
        return [f"{record.topic}: not followed by {TOPOLOGY.name}" for record in records]

    def settle(self) -> None:
        """Do nothing: no topic is followed."""

    def _donor(self, partition: int, donor_id: int) -> Donor:
        """Return the donor as staged, else as remembered, else new; to be changed.

        An object is taken from those kept, and comes back with the bytes that it has become. Where the rest of its
        batch fails it doesn't, and where the transaction does, its bytes are not those remembered: then it is decoded.
        """
        recent = self._recent.pop((partition, donor_id), None)
        encoded = self._staged.get(partition, {}).get(donor_id)
        if encoded is None:
            encoded = self._memory.get(partition, {}).get(donor_id)
        if encoded is None:
            return Donor(donor_id)
        return recent[1] if recent is not None and recent[0] is encoded else memory.decode(encoded)

    def _take(self, donor: Donor, record: Record, event: Event) -> bool:
        """Fold an event into a donor; return whether that changed anything."""
        at: int = event["occurred_at"]
        if at <= donor.erased_at:
            return False
        event_id = bytes.fromhex(event["event_id"].replace("-", ""))
        if repeats.came_before(donor, event_id):
            self._staged_counts["repeats"] += 1
            return False
        repeats.remember(donor, event_id, SOURCE[record.topic], record.timestamp_ms, at)
        donor.latest_at = max(donor.latest_at, at)
        if record.topic == PROFILES:
            stated_at = min(at, record.timestamp_ms * 1000)
            if stated_at > donor.erased_at:
                profiles.take(donor, event, event_id, stated_at)
        else:
            in_time = at >= donor.latest_at - self._late_us
            fold = donations.take if record.topic == DONATIONS else responses.take
            fold(donor, event, event_id, counts_in_rates=in_time)
        return True

    def _settle(self, place: tuple[int, int], donor: Donor, answered: str) -> Output:
        """Put a changed donor in order, stage it and return its record."""
        if self._frame is None:  # asked for here, where a registry that doesn't answer is waited for
            self._frame = self._codec.frame(STORE)
        partition, donor_id = place
        donations.settle(donor)
        self._staged_counts["requests_dropped"] += responses.settle(donor, self._late_us, self._half_lives)
        self._staged_counts["outcomes_dropped"] += decayed.settle(donor, self._late_us, self._half_lives)
        self._staged_counts["event_ids_dropped"] += repeats.settle(donor)
        encoded = memory.encode(donor)
        self._staged.setdefault(partition, {})[donor_id] = encoded
        self._recent[place] = (encoded, donor)
        if len(self._recent) > N_RECENT_MAX:
            del self._recent[next(iter(self._recent))]
        event_id = derived_event_id(STORE, answered)
        value = projection.encoded_state(donor, event_id, encoded, self._frame, self._half_lives)
        return Output(STORE, str(donor_id).encode(), value, partition=partition)
