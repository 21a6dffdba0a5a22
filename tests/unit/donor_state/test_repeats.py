"""Events that come again, and what a batch that fails leaves behind."""

from __future__ import annotations

import pytest

from consumers.donor_state import memory, repeats
from consumers.topology import Batch, Input
from schemas.identifiers import derived_event_id
from tests.unit.donor_state.histories import (
    DAY,
    DAY_MS,
    START,
    Runner,
    donation,
    erasure,
    event_id,
    profile,
    record_of,
    response,
)


def test_repeats_are_answered_by_nothing() -> None:
    runner = Runner()
    event = donation(START, 1)
    assert len(runner.batch(event, event)) == 1
    assert runner.batch(event._replace(timestamp_ms=event.timestamp_ms + 7 * DAY_MS)) == []
    runner.restart()
    assert runner.batch(event) == []


def test_a_source_that_is_read_ahead_makes_no_ids_of_another_forgotten() -> None:
    runner = Runner()
    old = donation(START, 1)
    assert runner.batch(profile(START + 300 * DAY, 2))
    assert runner.batch(old)
    assert runner.batch(old) == []


@pytest.mark.parametrize("n_days", [8, 20, 400])
def test_a_repeat_with_an_old_timestamp_is_one(n_days: int) -> None:
    runner = Runner()
    old, new = donation(START, 1), donation(START + n_days * DAY, 2)
    runner.each(profile(START - DAY, 3), new, old)
    runner.restart()
    assert runner.batch(old) == []
    assert runner.batch(new, old) == []
    assert runner.state is not None
    assert runner.state["total_donations"] == 5


def test_erasure_forgets_old_ids_too_but_those_of_later_events() -> None:
    runner = Runner()
    old, later = donation(START, 1), donation(START + 50 * DAY, 2)
    runner.each(old, later, donation(START + 100 * DAY, 3))
    runner.batch(erasure(START + 40 * DAY))
    assert runner.state is not None
    assert len(memory.decode(runner.state["memory"]).aged) == repeats.AGED_SIZE
    runner.each(old, later, profile(START + 101 * DAY, 4, total_donations=9))
    runner.batch(erasure(START + 200 * DAY))
    assert runner.state is not None
    assert memory.decode(runner.state["memory"]).aged == b""


def test_one_record_says_what_a_batch_did_to_a_donor() -> None:
    runner = Runner()
    repeated = donation(START + 2, 3)
    runner.batch(repeated)
    written = runner.batch(donation(START + 9, 1), response(START, 2, "NOTIFIED"), repeated)
    assert [one["event_id"] for one in written] == [derived_event_id("donor-states", event_id(2))]
    assert written[0]["occurred_at"] == START + 9


def test_what_is_dropped_never_happened() -> None:
    runner = Runner()
    runner.batch(profile(START, 1))
    record = record_of(donation(START + 1, 2))
    batch = Batch([Input(record, runner.processor.read(record))])
    first = runner.processor.process(batch)
    assert runner.processor.process(batch) == []
    runner.processor.drop()
    assert runner.processor.process(batch) == first
