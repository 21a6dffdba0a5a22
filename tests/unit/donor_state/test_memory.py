"""What is remembered goes into bytes and comes back, to the last bit; and the record is what its schema says."""

from __future__ import annotations

import io
import math
import struct

import fastavro
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.donor_state import memory, projection
from consumers.donor_state.counted import ALERTED, account
from consumers.donor_state.donor import DECAYED, NEVER, NO_SUMS, Donor, RequestFacts
from consumers.donor_state.earlier_layouts import LOG_UNIT
from consumers.donor_state.responses import tally
from schemas import avro
from schemas.catalogue import latest_schema
from tests.unit.donor_state.histories import (
    CODEC,
    DAY,
    HOUR,
    START,
    Runner,
    Sent,
    donation,
    histories,
    profile,
    requests,
)


def contents(one: object) -> object:
    """Everything in a donor, however deep, but what follows from the rest."""
    if isinstance(one, Donor | RequestFacts):
        return {name: contents(getattr(one, name)) for name in one.__slots__ if name not in {"account", "encoded"}}
    if isinstance(one, dict):
        return {key: contents(value) for key, value in one.items()}
    return one


def counts(donor: Donor) -> tuple[int, ...]:
    return tally(donor, map(account, donor.requests.values()))


@given(histories(span_days=400, nulls=True, skewed=True))
@settings(max_examples=150, deadline=None)
def test_memory_comes_back_as_it_was(history: list[Sent]) -> None:
    runner = Runner()
    for written in runner.each(*history):
        donor = memory.decode(written["memory"])
        assert memory.encode(donor) == written["memory"]
        again = memory.decode(memory.encode(donor))
        assert contents(again) == contents(donor)


@given(histories(span_days=60, nulls=True) | requests(span_days=130) | histories(span_days=500, nulls=True), st.data())
@settings(max_examples=150, deadline=None)
def test_a_restart_shows_in_nothing(history: list[Sent], data: st.DataObject) -> None:
    straight, restarted = Runner(), Runner()
    while history:
        size = data.draw(st.integers(1, min(3, len(history))))
        first = straight.batch(*history[:size])
        second = restarted.batch(*history[:size])
        restarted.restart()
        assert first == second
        history = history[size:]


@given(histories(span_days=60, nulls=True) | requests(span_days=130), st.data())
@settings(max_examples=100, deadline=None)
def test_what_was_not_committed_shows_in_nothing(history: list[Sent], data: st.DataObject) -> None:
    """A batch that failed half way, or whose transaction did, and comes again."""
    straight, troubled = Runner(), Runner()
    for one in history:
        if data.draw(st.booleans()):
            others = data.draw(st.lists(st.sampled_from(history), max_size=3))
            troubled.failed([*others, one], breaks=data.draw(st.booleans()))
        assert straight.batch(one) == troubled.batch(one)


@given(histories(span_days=60, nulls=True))
@settings(max_examples=100, deadline=None)
def test_the_record_is_encoded_as_fastavro_would(history: list[Sent]) -> None:
    runner = Runner()
    runner.each(*history)
    for record in runner.store:
        assert record.value is not None
        assert CODEC.encode("donor-states", CODEC.decode("donor-states", record.value)) == record.value


def test_the_record_has_the_fields_of_the_newest_schema_in_their_order() -> None:
    names = [field["name"] for field in latest_schema("donor-states").load()["fields"]]
    assert [*projection.FIELDS_BEFORE, *projection.PROFILE_FIELDS, *projection.FIELDS_AFTER] == names


def test_a_memory_of_a_newer_release_is_not_guessed_at() -> None:
    encoded = memory.encode(Donor(1))
    with pytest.raises(memory.UnknownLayout, match="run the release that wrote it"):
        memory.decode(bytes([memory.VERSION + 1]) + encoded[1:])


VERSION_1 = bytes.fromhex(
    "01070000000000000000000000000000000020b2b3d723060000c0da95c32306000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000001010001000000000000000200180018004800019254d380000000000000000000000000000000"
    "0000000101925f203800000000000000000000000000000000000005019259f9dc0000000000000000000000000000000000000201925a30"
    "ca8000000000000000000000000000000000000301926446940000000000000000000000000000000000000400002c5a9b23060000000000"
    "00000000000000000000000100002c5a9b230600030000000000000029000e02d08c01020000000000c04e400c4b6f6c6c616dfeffffd596"
    "b18c86118080b09a978b820601000000c0da95c323060000c0da95c323060000c0da95c323060005000000000000003f010004974eb02306"
    "00000000000000000000000000000000030300c0da95c32306000004974eb023060000c0da95c3230600010000000000000000600378af23"
    "06000004974eb0230600060000000000000001010020b2b3d7230600000000000000000000000000000000040101000000000000000020b2"
    "b3d72306000000000000000000"
)
"""A profile, an alert that was answered and kept, and one that wasn't answered."""


def test_a_memory_of_the_first_layout_is_read() -> None:
    donor = memory.decode(VERSION_1)
    assert (donor.aged, donor.settled) == (b"", [])
    assert {request_id: facts.counted[0] for request_id, facts in donor.requests.items()} == {
        5: (START + DAY, 1, ALERTED),
        6: (START + 3 * DAY, 1, ALERTED),
    }
    assert counts(donor) == (2, 1, 1, 1)
    assert contents(memory.decode(memory.encode(donor))) == contents(donor)


VERSION_2 = bytes.fromhex(
    "020700000000000000000000000000000000340e8b9f23060000340e8b9f2306000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000001010001000000000000000200180018006000019254d380000000000000000000000000000000"
    "00000001019255e62880000000000000000000000000000000000006019254d380000000000000000000000000000000000000020192550a"
    "6e80000000000000000000000000000000000003019255415d00000000000000000000000000000000000004019255784b80000000000000"
    "00000000000000000000000500002c5a9b2306000000000000000000000000000000000100002c5a9b230600030000000000000029000e02"
    "d08c01020000000000c04e400c4b6f6c6c616dfeffffd596b18c86118080b09a978b820601000000340e8b9f23060000340e8b9f23060000"
    "340e8b9f2306000100000000000000bf0100a4bf309c230600000000000000000000000000000000030300340e8b9f23060000a4bf309c23"
    "060000340e8b9f23060000002c5a9b230600010000000000000000002c5a9b23060000a4bf309c2306000200000000000000c70100ece6dd"
    "9d230600000000000000000000000000000000050400ece6dd9d230600004853079d2306000100000000000000004853079d23060000ece6"
    "dd9d23060000000000"
)
"""A profile, an alert that was accepted and kept, and one that was declined."""


def test_a_memory_of_the_second_layout_is_read() -> None:
    donor = memory.decode(VERSION_2)
    assert counts(donor) == (2, 2, 1, 1)
    assert (donor.outcomes, donor.sums) == ([], NO_SUMS)
    waves = [wave for facts in donor.requests.values() for wave in account(facts).alerts]
    assert [wave.accepted_at for wave in waves] == [START + HOUR, NEVER]
    assert contents(memory.decode(memory.encode(donor))) == contents(donor)


def test_what_the_second_layout_had_summed_up_stays_so() -> None:
    request_id = min(memory.decode(VERSION_2).requests)
    donor = memory.decode(VERSION_2[:-2] + struct.pack("<Hq", 1, request_id))
    assert donor.settled == [request_id]
    assert [one for one, facts in donor.requests.items() if facts.is_summed_up] == [request_id]
    assert contents(memory.decode(memory.encode(donor))) == contents(donor)


def test_what_was_counted_before_anything_faded_fades_from_now_on() -> None:
    counted = bytearray(VERSION_2)
    struct.pack_into("<5Iq", counted, 45, 8, 6, 3, 2, 6, round(6 * math.log(2) * LOG_UNIT))
    donor = memory.decode(bytes(counted))
    assert donor.sums_at == donor.latest_at
    seen = dict(zip(DECAYED, donor.sums, strict=True))
    expected = {"alerts": 8, "acceptances": 6, "promises": 3, "kept": 2, "answer_times": 6}
    assert {name: seen[name] for name in expected} == expected
    assert seen["log_hours"] == pytest.approx(6 * math.log(2))
    assert seen["log_hours_squared"] == pytest.approx(6 * math.log(2) ** 2)
    assert contents(memory.decode(memory.encode(donor))) == contents(donor)


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(allow_nan=False) | st.none(),
)
def test_extreme_numbers_survive(instant: int, total: int, weight_kg: float | None) -> None:
    runner = Runner()
    instant = max(min(instant, 2**55), -(2**55))
    runner.batch(profile(START, 1, last_whole_blood_at=instant, weight_kg=weight_kg, total_donations=total))
    state = runner.state
    assert state is not None
    assert state["last_whole_blood_at"] == memory.decode(state["memory"]).whole_blood[0][1]
    assert state["weight_kg"] == weight_kg
    assert state["total_donations"] == min(max(total, 0), projection.TOTAL_MAX)


def test_the_memory_stays_small() -> None:
    runner = Runner()
    events = [profile(START, 1), *(donation(START + 100 * n * DAY, 1 + n) for n in range(1, 5))]
    runner.each(*events)
    assert runner.state is not None
    assert len(runner.state["memory"]) < 350


@given(st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**15), 2**15) | st.integers(2**50, 2**52))
@example(2**13)
@example(2**27)
@example(2**41)
@example(2**55)
@example(-(2**63))
def test_longs_are_avros(number: int) -> None:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, {"type": "long"}, number)
    assert avro.long(number) == body.getvalue()
