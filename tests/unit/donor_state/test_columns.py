"""What is folded in columns is what is folded in objects, byte by byte."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.donor_state import DonorState, processor
from consumers.donor_state.columns.columns import rows_of
from consumers.donor_state.columns.folding import (
    APHERESIS_AT,
    HAS_REQUEST,
    REQUEST_ID,
    TIMESTAMP_MS,
    TOTAL,
    WAVE,
    WHAT,
    WHOLE_BLOOD_AT,
)
from consumers.donor_state.columns.plain import PlainReader
from consumers.donor_state.donor import RESPONSES
from consumers.donor_state.projection import TOTAL_MAX, encoded_facts
from consumers.topology import Batch, Glancing, Input
from features.index.avro_columns import NULL
from schemas.catalogue import latest_schema
from schemas.errors import InvalidRecord
from schemas.records import Record
from tests.unit.donor_state.histories import (
    CODEC,
    DAY,
    DONOR,
    HOUR,
    START,
    Sent,
    donation,
    event_id,
    histories,
    profile,
    record_of,
    requests,
    response,
)

READER = PlainReader(CODEC)
NEVER_PLAIN = 10**12


@pytest.fixture(autouse=True)
def _however_few(monkeypatch):
    monkeypatch.setattr(processor, "N_AT_ONCE", 1)


class Both:
    """Two processors of which one may fold in columns."""

    def __init__(self):
        self.objects, self.columns = DonorState(CODEC, columns_after=NEVER_PLAIN), DonorState(CODEC, columns_after=0)
        self.n_plain = 0

    def batch(self, *records):
        events = self.columns.glance(records)
        self.n_plain += sum(event is not None for event in events)
        read = [self.objects.read(record) for record in records]
        expected = self.objects.process(Batch([Input(*one) for one in zip(records, read, strict=True)]))
        inputs = [
            Input(record, other if event is None else event)
            for record, event, other in zip(records, events, read, strict=True)
        ]
        assert self.columns.process(Batch(inputs)) == expected
        assert self.columns._staged == self.objects._staged
        assert self.columns._staged_counts == self.objects._staged_counts
        for one in (self.objects, self.columns):
            one.keep()

    def play(self, records, draw):
        while records:
            size = draw(st.integers(1, min(6, len(records))))
            self.batch(*records[:size])
            records = records[size:]


def test_the_processor_can_glance():
    assert isinstance(DonorState(CODEC), Glancing)


@given(
    histories(span_days=30, nulls=False)
    | histories(span_days=400, nulls=True, skewed=True)
    | requests(span_days=130)
    | st.lists(histories(span_days=500, nulls=False), min_size=2, max_size=3).map(
        lambda many: [*itertools.chain(*many)]
    ),
    st.data(),
)
@settings(max_examples=120, deadline=None)
def test_outputs_and_memory_are_the_same(history: list[Sent], data: st.DataObject) -> None:
    history = history + data.draw(st.lists(st.sampled_from(history), max_size=3))
    if data.draw(st.booleans()):
        history.sort(key=lambda one: one.timestamp_ms)
    Both().play([record_of(one) for one in history], data.draw)


def test_a_long_life_is_the_same():
    """Ids age, requests and outcomes are summed up, and there is more at last than a kernel has room for."""
    both, number = Both(), 1
    both.batch(record_of(profile(START - DAY, 0)))
    for turn in range(90):
        at = START + 9 * turn * DAY
        sent = [
            response(at, number, "NOTIFIED", request_id=turn),
            response(at + HOUR, number + 1, RESPONSES[turn % 6 + 1], request_id=turn),
            response(at + 2 * HOUR, number + 2, RESPONSES[turn % 5 + 2], request_id=turn - turn % 3),
            donation(at + DAY, number + 3, outcome=("COMPLETED", "NO_SHOW", "DEFERRED")[turn % 3], request_id=turn),
            donation(at + 2 * DAY, number + 4, component=("PLASMA", "UNKNOWN")[turn % 2]),
        ]
        number += len(sent)
        both.batch(*map(record_of, sent))
    assert both.n_plain == number
    both.batch(*(record_of(response(at + 3 * DAY + n, number + n, "NOTIFIED", request_id=1000 + n)) for n in range(70)))


def test_many_donors_of_a_batch_come_in_the_order_in_which_they_came_up():
    both = Both()
    for turn in range(3):
        records = []
        for n in range(40):
            donor_id = 1 + n * 7 % 11
            one = response(START + n * HOUR, 100 * turn + n, "NOTIFIED") if n % 9 else profile(START, 100 * turn + n)
            event = {**one.event, "donor_id": donor_id}
            value = CODEC.encode(one.topic, event)
            records.append(Record(one.topic, donor_id % 2, n, one.timestamp_ms, str(donor_id).encode(), value))
        both.batch(*records)


def changed(draw, value):
    """The value with something wrong with it, or something else in it, or nothing."""
    place = draw(st.integers(0, len(value) - 1))
    kind = draw(st.sampled_from(("byte", "cut", "more", "bit", "upper", "nothing")))
    if kind == "byte":
        return value[:place] + bytes([draw(st.integers(0, 255))]) + value[place + 1 :]
    if kind == "bit":
        return value[:place] + bytes([value[place] ^ 1 << draw(st.integers(0, 7))]) + value[place + 1 :]
    if kind == "cut":
        return value[:place]
    if kind == "more":
        return value[:place] + draw(st.binary(min_size=1, max_size=3)) + value[place:]
    return value[:6] + value[6:42].upper() + value[42:] if kind == "upper" else value


extremes = st.sampled_from((0, 1, -1, 2**31, -(2**31), 2**62, -(2**63), 2**63 - 1))
facts_of_profiles = st.fixed_dictionaries(
    {
        "weight_kg": st.none() | st.floats(),
        "district": st.sampled_from(("Kollam", "Nowhere", "")),
        "away_until": st.none() | st.integers(-(2**31), 2**31 - 1) | st.integers(0, 90),
        "total_donations": st.integers(-(2**31), 2**31 - 1) | st.integers(0, 90),
        "last_whole_blood_at": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, START),
        "last_apheresis_at": st.none() | st.integers(START - DAY, START),
        "recent_apheresis": st.just([]) | st.just([{"given_at": START, "red_cells_returned": True}]),
    }
)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_what_is_plain_is_read_as_the_codec_reads_it(data: st.DataObject) -> None:
    draw = data.draw
    if draw(st.booleans()):
        one = profile(START, 1, **draw(facts_of_profiles))
    elif draw(st.booleans()):
        one = response(START, 1, draw(st.sampled_from(RESPONSES)), request_id=draw(extremes | st.integers(1, 9)))
    else:
        deferral = draw(st.none() | st.just({"rule_item": "item 60", "until": None}))
        one = donation(START, 1, request_id=draw(st.none() | extremes), deferral=deferral)
    one.event["event_id"] = event_id(draw(st.integers(0, 2**128 - 1)))
    record = record_of(one)
    key = draw(st.sampled_from((record.key, b"007", b"8", None)) | st.just(record.key))
    timestamp_ms = draw(
        st.just(record.timestamp_ms) | st.sampled_from((-1, 0, 2**62, record.timestamp_ms - 86_400_001))
    )
    record = record._replace(key=key, timestamp_ms=timestamp_ms, value=changed(draw, record.value))
    (event,) = READER.glance([record])
    try:
        read = DonorState(CODEC).read(record)
    except InvalidRecord:
        assert event is None
        return
    if event is None:
        return
    assert dict(event) == read
    (row,), facts = rows_of([Input(record, event)])
    row = row.tolist()
    assert row[0] == read["occurred_at"]
    halves = ((half ^ -(2**63)) & (2**64 - 1) for half in row[1:3])
    assert "".join(f"{half:016x}" for half in halves) == read["event_id"].replace("-", "")
    assert row[TIMESTAMP_MS] == record.timestamp_ms
    if record.topic == "donor-registered":
        assert facts == encoded_facts(read)
        assert row[TOTAL] == min(max(read["total_donations"], 0), TOTAL_MAX)
        for place, name in ((WHOLE_BLOOD_AT, "last_whole_blood_at"), (APHERESIS_AT, "last_apheresis_at")):
            assert (None if row[place] == NULL else row[place]) == read[name]
        return
    assert (row[REQUEST_ID] if row[HAS_REQUEST] else None) == read["request_id"]
    if record.topic == "donor-responded":
        assert (row[WAVE], RESPONSES[row[WHAT]]) == (read["wave"], read["response"])


@pytest.mark.parametrize("byte", [b"\x02", b"\xff"])
def test_a_boolean_that_is_neither_is_left_to_the_codec_which_refuses_it(byte):
    record = record_of(profile(START, 1, away_until=None, total_donations=0))
    whole = record.value
    facts = encoded_facts(DonorState(CODEC).read(record))
    place = whole.index(facts) + len(facts) - 2  # before the null of away_until
    assert whole[place : place + 1] in {b"\x00", b"\x01"}
    spoiled = record._replace(value=whole[:place] + byte + whole[place + 1 :])
    assert READER.glance([record]) != [None]
    assert READER.glance([spoiled]) == [None]
    with pytest.raises(InvalidRecord, match="apheresis_willing: a boolean of"):
        DonorState(CODEC).read(spoiled)


def test_events_as_nearly_all_are_are_plain():
    sent = [
        response(START, 1, "NOTIFIED"),
        donation(START, 2),
        donation(START, 3, request_id=-(2**63) + 1),
        profile(START, 4),
        profile(START, 5, weight_kg=None, away_until=20_000, last_whole_blood_at=START),
    ]
    assert all(READER.glance([record_of(one) for one in sent]))
    assert READER.glance([Record("donor-registered", 0, 0, 0, b"%d" % DONOR, None)]) == [None]


def test_the_order_of_symbols_is_what_kernels_take_it_for():
    fields = {one["name"]: one for one in latest_schema("donation-recorded").load()["fields"]}
    assert fields["outcome"]["type"]["symbols"] == ["UNKNOWN", "COMPLETED", "CANCELLED", "NO_SHOW", "DEFERRED"]
    assert fields["component"]["type"]["symbols"] == ["UNKNOWN", "WHOLE_BLOOD", "RED_CELLS", "PLATELETS", "PLASMA"]
    responded = {one["name"]: one for one in latest_schema("donor-responded").load()["fields"]}
    assert tuple(responded["response"]["type"]["symbols"]) == RESPONSES
