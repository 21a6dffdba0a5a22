"""The processor ``donor-state``: events of donors in, ``donor-states`` out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from consumers import stores, validation
from consumers.donor_state import decayed, deferrals, donations, memory, profiles, projection, repeats, responses
from consumers.donor_state.columns.event import Plain, id_of
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

if TYPE_CHECKING:
    from consumers.donor_state.columns.columns import Columns

PROFILES, DONATIONS, RESPONSES, STORE = "donor-registered", "donation-recorded", "donor-responded", "donor-states"
SOURCE = {topic: number for number, topic in enumerate((PROFILES, DONATIONS, RESPONSES))}
DAY_US = 86_400_000_000

N_RECENT_MAX = 8_192
"""Donors who are kept decoded besides: whoever is notified opens, answers and arrives within hours."""

N_AT_ONCE, COLUMNS_AFTER = 100, 5_000
"""Of batches how large, and after how many events in such, kernels pay (docs/adr/0026)."""

N_DEFERRALS_AS_ONE = 8
"""So many deferrals of one event cost as much as an event that states none."""

Place = tuple[int, int]
"""A partition, and a donor in it."""

Numbers = dict[Place, list[int]]
"""Which inputs are about a donor."""

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
    columns_after : int, default 5,000
        How many events have to come in bulk before plain ones are folded by kernels, which are loaded then. Nothing but
        the pace shows it.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        late_days: int = 30,
        half_lives: HalfLives | None = None,
        columns_after: int = COLUMNS_AFTER,
    ) -> None:
        self._codec = codec
        self._frame: bytes | None = None
        self._late_us = late_days * DAY_US
        self._half_lives = half_lives or HalfLives()
        self._columns_after = columns_after
        self._n_read_in_bulk = 0
        self._columns: Columns | None = None
        self._memory: dict[int, dict[int, bytes]] = {}
        self._staged: dict[int, dict[int, bytes]] = {}
        self._recent: dict[Place, tuple[bytes, Donor]] = {}
        self._counts: Counter[str] = Counter()
        self._staged_counts: Counter[str] = Counter()

    @property
    def topology(self) -> Topology:
        """The edges."""
        return TOPOLOGY

    @property
    def counts(self) -> Mapping[str, int]:
        """What was counted since the start: ``repeats``, and what was ``…_dropped``.

        Event ids, requests, outcomes and statements about rule items are dropped at limits: something was forgotten, or
        summed up, that might still have been needed.
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

    def work(self, item: Input) -> int:
        """Return 1, and more for a record that states many deferrals: all others cost alike."""
        if not isinstance(item.event, dict):  # who is plain states none, and isn't decoded to be asked
            return 1
        return 1 + len(item.event.get("deferrals", ())) // N_DEFERRALS_AS_ONE

    def glance(self, records: Sequence[Record]) -> Sequence[Event | None]:
        """Return the events of those records that are plain, once there are so many that it pays; None for others."""
        if len(records) >= N_AT_ONCE:
            self._n_read_in_bulk += len(records)
            if self._columns is None and self._n_read_in_bulk > self._columns_after:
                # numba takes a second of a core to come, a busy worker's for tens of thousands of events
                from consumers.donor_state.columns.columns import Columns  # noqa: PLC0415

                self._columns = Columns(self._codec, self._late_us, self._half_lives)
            if self._columns is not None:
                return self._columns.glance(records)
        return [None] * len(records)

    def process(self, batch: Batch) -> list[Output]:
        """Fold a batch; one record for each donor of whom anything changed, in the order in which they came up."""
        inputs = batch.inputs
        plain, of_donor = _by_donor(inputs)
        outputs = self._fold_in_columns(inputs, plain, of_donor) if plain else {}
        touched: dict[Place, Donor] = {}
        answered: dict[Place, tuple[int, str]] = {}
        for place, numbers in of_donor.items():
            donor = touched[place] = self._donor(*place)
            for number in numbers:
                event_id = self._take(donor, *inputs[number])
                if event_id is not None:
                    answered[place] = (answered[place][0] if place in answered else number, event_id)
        for place, (number, event_id) in answered.items():
            outputs[number] = self._settle(place, touched[place], event_id)
        return [output for _, output in sorted(outputs.items())]

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
        encoded = self._encoded(partition, donor_id)
        if encoded is None:
            return Donor(donor_id)
        return recent[1] if recent is not None and recent[0] is encoded else memory.decode(encoded)

    def _encoded(self, partition: int, donor_id: int) -> bytes | None:
        """Return the bytes of a donor as staged, else as remembered."""
        found = self._staged.get(partition, {}).get(donor_id)
        return self._memory.get(partition, {}).get(donor_id) if found is None else found

    def _fold_in_columns(self, inputs: Sequence[Input], plain: Numbers, of_donor: Numbers) -> dict[int, Output]:
        """Fold what is plain, but for who needs objects; return records by the first input answered."""
        if self._columns is None:  # it was another's that glanced at them
            of_donor |= plain
            return {}
        numbers = [number for of_one in plain.values() for number in of_one]
        memories = [self._encoded(*place) or memory.new(place[1]) for place in plain]
        found = self._columns.fold(memories, [inputs[number] for number in numbers], list(map(len, plain.values())))
        frame = self._framed()
        outputs: dict[int, Output] = {}
        for (place, of_one), folded in zip(plain.items(), found, strict=True):
            if folded is None:
                of_donor[place] = of_one
                continue
            first, last, n_repeats, encoded, rest = folded
            self._staged_counts["repeats"] += n_repeats
            if encoded:
                event_id = derived_event_id(STORE, id_of(inputs[numbers[last]].record))
                value = projection.framed(frame, event_id, rest)
                outputs[numbers[first]] = self._stage(place, encoded, value)
        return outputs

    def _take(self, donor: Donor, record: Record, event: Event | None) -> str | None:
        """Fold an event into a donor; return what is answered if that changed anything."""
        if event is None:
            # two nulls of one instant do the same, wherever they lie
            erased = erase(donor, min(record.timestamp_ms * 1000, LAST_INSTANT))
            return f"erased:{donor.donor_id}:{record.timestamp_ms}" if erased else None
        at: int = event["occurred_at"]
        if at <= donor.erased_at:
            return None
        text: str = event["event_id"]
        event_id = bytes.fromhex(text.replace("-", ""))
        if repeats.came_before(donor, event_id):
            self._staged_counts["repeats"] += 1
            return None
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
        # at each event, so that a batch of one donor's can't pile up what takes minutes to put in order
        self._staged_counts["statements_dropped"] += deferrals.settle(donor)
        return text

    def _settle(self, place: Place, donor: Donor, answered: str) -> Output:
        """Put a changed donor in order, stage it and return its record."""
        frame = self._framed()
        donations.settle(donor)
        self._staged_counts["requests_dropped"] += responses.settle(donor, self._late_us, self._half_lives)
        self._staged_counts["outcomes_dropped"] += decayed.settle(donor, self._late_us, self._half_lives)
        self._staged_counts["event_ids_dropped"] += repeats.settle(donor)
        encoded = memory.encode(donor)
        self._recent[place] = (encoded, donor)
        if len(self._recent) > N_RECENT_MAX:
            del self._recent[next(iter(self._recent))]
        event_id = derived_event_id(STORE, answered)
        value = projection.encoded_state(donor, event_id, encoded, frame, self._half_lives)
        return self._stage(place, encoded, value)

    def _stage(self, place: Place, encoded: bytes, value: bytes) -> Output:
        partition, donor_id = place
        self._staged.setdefault(partition, {})[donor_id] = encoded
        return Output(STORE, str(donor_id).encode(), value, partition=partition)

    def _framed(self) -> bytes:
        """Return what records begin with; asked for late, where a registry that doesn't answer is waited for."""
        if self._frame is None:
            self._frame = self._codec.frame(STORE)
        return self._frame


def _by_donor(inputs: Sequence[Input]) -> tuple[Numbers, Numbers]:
    """Return the numbers of each donor's inputs: of whom all are plain, and of the others.

    Nulls that something else left behind are nobody's.
    """
    plain: Numbers = {}
    others: Numbers = {}
    for number, (record, event) in enumerate(inputs):
        if event is None and is_left_behind(record):
            continue
        place = (record.partition, int(record.key or b""))  # of events that were checked it is the donor's id
        if type(event) is not Plain and place not in others:
            others[place] = plain.pop(place, [])
        (others if place in others else plain).setdefault(place, []).append(number)
    return plain, others
