"""Events of one donor, by hand and at random, and a processor to run them through."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from consumers.donor_state import DonorState
from consumers.topology import Batch, Input
from schemas.codec import Codec
from schemas.records import Output, Record

CODEC = Codec()
DAY = 86_400_000_000
HOUR = 3_600_000_000
START = 20_000 * DAY  # 2024-10-04
DAY_OF_START = START // DAY
DAY_MS = 86_400_000
DONOR = 7
H3_CELL = 0x88618C4B55FFFFF
SOURCES = ("donor-registered", "donation-recorded", "donor-responded")


class Sent(NamedTuple):
    """An event (None erases), its topic and Kafka timestamp."""

    topic: str
    event: dict[str, Any] | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


def event_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def sent(topic: str, at: int, number: int, fields: dict[str, Any], delay_ms: int = 0) -> Sent:
    event = {"event_id": event_id(number), "occurred_at": at, "donor_id": DONOR, **fields}
    return Sent(topic, event, -(-at // 1000) + delay_ms)


def profile(at: int, number: int, delay_ms: int = 0, **fields: Any) -> Sent:
    defaults: dict[str, Any] = {
        "blood_group": "O_POS",
        "sex": "FEMALE",
        "born_on": 9000,
        "weight_kg": 61.5,
        "district": "Kollam",
        "h3_cell": H3_CELL,
        "joined_at": START - 400 * DAY,
        "contactable": True,
        "apheresis_willing": False,
        "away_until": None,
        "total_donations": 3,
        "last_whole_blood_at": None,
        "last_apheresis_at": None,
        "red_cells_returned": True,
        "recent_apheresis": [],
        "deferrals": [],
    }
    return sent("donor-registered", at, number, defaults | fields, delay_ms)


def donation(at: int, number: int, delay_ms: int = 0, **fields: Any) -> Sent:
    defaults: dict[str, Any] = {
        "outcome": "COMPLETED",
        "component": "WHOLE_BLOOD",
        "request_id": None,
        "red_cells_returned": True,
        "deferral": None,
    }
    return sent("donation-recorded", at, number, defaults | fields, delay_ms)


def response(at: int, number: int, kind: str, request_id: int = 1, wave: int = 1, delay_ms: int = 0) -> Sent:
    fields = {"response": kind, "request_id": request_id, "wave": wave}
    return sent("donor-responded", at, number, fields, delay_ms)


def named(item: str, until: int | None) -> dict[str, Any]:
    return {"rule_item": item, "until": until}


def erasure(at: int, headers: tuple[tuple[str, bytes], ...] = ()) -> Sent:
    return Sent("donor-registered", None, at // 1000, headers)


def record_of(one: Sent, offset: int = 0) -> Record:
    value = None if one.event is None else CODEC.encode(one.topic, one.event)
    return Record(one.topic, 0, offset, one.timestamp_ms, str(DONOR).encode(), value, one.headers)


class Runner:
    """A processor, and the store that it would be restored from."""

    def __init__(self) -> None:
        self.processor = DonorState(CODEC)
        self.store: list[Record] = []

    def batch(self, *history: Sent) -> list[dict[str, Any]]:
        """One transaction; returns what was written."""
        records = [record_of(one, offset) for offset, one in enumerate(history)]
        inputs = [Input(record, self.processor.read(record)) for record in records]
        outputs = self.processor.process(Batch(inputs))
        self.processor.keep()
        self.store.extend(self._stored(output) for output in outputs)
        return [CODEC.decode(output.topic, output.value) for output in outputs]

    def failed(self, history: list[Sent], *, breaks: bool) -> None:
        """A batch that comes to nothing: its processing breaks at the end, or its transaction is aborted."""
        records = [record_of(one, offset) for offset, one in enumerate(history)]
        inputs = [Input(record, self.processor.read(record)) for record in records]
        if breaks:
            late = response(START + 1000 * DAY, 99, "NOTIFIED")  # no erasure hides it
            inputs.append(Input(record_of(late), {**(late.event or {}), "response": "NO SUCH"}))
            with pytest.raises(KeyError):
                self.processor.process(Batch(inputs))
        else:
            self.processor.process(Batch(inputs))
        self.processor.drop()

    def each(self, *history: Sent) -> list[dict[str, Any]]:
        """One transaction for each event."""
        return [written for one in history for written in self.batch(one)]

    def restart(self) -> None:
        self.processor = DonorState(CODEC)
        self.processor.restore(0, self.store)

    @property
    def state(self) -> dict[str, Any] | None:
        return CODEC.decode("donor-states", self.store[-1].value) if self.store else None

    def _stored(self, output: Output) -> Record:
        return Record(output.topic, output.partition, len(self.store), 0, output.key, output.value)


def last_state(*history: Sent) -> dict[str, Any]:
    runner = Runner()
    runner.each(*history)
    assert runner.state is not None
    return runner.state


RULE_ITEMS = ("item 60", "Item  60", "items 43,101", "item 46", "item 52", "items 51-53", "", "items 50,52 ", "ÉTÉ")
OUTCOMES = ("COMPLETED", "CANCELLED", "NO_SHOW", "DEFERRED")
COMPONENTS = ("UNKNOWN", "WHOLE_BLOOD", "RED_CELLS", "PLATELETS", "PLASMA")
RESPONSES = ("NOTIFIED", "OPENED", "ACCEPTED", "DECLINED", "EXPIRED", "ARRIVED")


def _instants(span_days: int) -> st.SearchStrategy[int]:
    # a coarse grid, so that instants meet
    return st.integers(0, span_days * 4).map(lambda quarter: START + quarter * 6 * HOUR)


def _deferrals(span_days: int) -> st.SearchStrategy[dict[str, Any]]:
    day = START // DAY
    until = st.none() | st.integers(day - 5, day + span_days + 200)
    return st.fixed_dictionaries({"rule_item": st.sampled_from(RULE_ITEMS), "until": until})


@st.composite
def _fields(draw: st.DrawFn, topic: str, span_days: int) -> dict[str, Any]:
    given_at = st.none() | _instants(span_days)
    if topic == "donor-responded":
        return {
            "response": draw(st.sampled_from(RESPONSES)),
            "request_id": draw(st.integers(1, 3)),
            "wave": draw(st.integers(1, 2)),
        }
    if topic == "donation-recorded":
        return {
            "outcome": draw(st.sampled_from(OUTCOMES)),
            "component": draw(st.sampled_from(COMPONENTS)),
            "request_id": draw(st.none() | st.integers(1, 3)),
            "red_cells_returned": draw(st.booleans()),
            "deferral": draw(st.none() | _deferrals(span_days)),
        }
    apheresis = st.fixed_dictionaries({"given_at": _instants(span_days), "red_cells_returned": st.booleans()})
    return {
        "blood_group": draw(st.sampled_from(("O_POS", "AB_NEG", "UNKNOWN"))),
        "weight_kg": draw(st.none() | st.floats(30, 120)),
        "total_donations": draw(st.integers(0, 5)),
        "last_whole_blood_at": draw(given_at),
        "last_apheresis_at": draw(given_at),
        "red_cells_returned": draw(st.booleans()),
        "recent_apheresis": draw(st.lists(apheresis, max_size=3)),
        "deferrals": draw(st.lists(_deferrals(span_days), max_size=3)),
    }


_MAKERS = {"donor-registered": profile, "donation-recorded": donation}


@st.composite
def histories(draw: st.DrawFn, *, span_days: int, nulls: bool, skewed: bool = False) -> list[Sent]:
    """Distinct events within ``span_days``, in no order; ``skewed``: some are written before they occurred."""
    found: list[Sent] = []
    for number in range(draw(st.integers(1, 14))):
        topic = draw(st.sampled_from(SOURCES))
        at = draw(_instants(span_days))
        fields = draw(_fields(topic, span_days))
        delay_ms = draw(st.sampled_from((0, 0, 1, 3_600_000, 86_400_000, *((-1, -21_600_000) if skewed else ()))))
        # ids in no order of time, so that ties are broken by them
        number_of_id = (number * 7 + 3) % 17 + 1
        if topic in _MAKERS:
            found.append(_MAKERS[topic](at, number_of_id, delay_ms, **fields))
        else:
            found.append(sent(topic, at, number_of_id, fields, delay_ms))
    if nulls:
        found += [erasure(at) for at in draw(st.lists(_instants(span_days), max_size=2))]
    return found


@st.composite
def requests(draw: st.DrawFn, *, span_days: int) -> list[Sent]:
    """What one donor said and did about one request, nulls between, and a profile later than all, in no order."""
    found = [profile(START + (span_days + 1) * DAY, 100)]
    for number in range(draw(st.integers(2, 10))):
        at = draw(_instants(span_days))
        if draw(st.integers(0, 4)):
            found.append(response(at, number, draw(st.sampled_from(RESPONSES)), wave=draw(st.integers(1, 2))))
        else:
            found.append(donation(at, number, outcome=draw(st.sampled_from(OUTCOMES)), request_id=1))
    return found + [erasure(at) for at in draw(st.lists(_instants(span_days), min_size=1, max_size=2))]
