"""What a null registration takes, and what stays."""

from __future__ import annotations

import pytest

from consumers.recording.donors import donor_rows
from consumers.recording.rows import ErasureRow
from consumers.validation import LAST_INSTANT
from features.priors import AVAILABILITY
from features.rule_set import INDIA_2020
from schemas.records import Record
from smartblood.storage import statements as sql
from tests.unit.donor_state.histories import (
    DAY,
    DAY_MS,
    HOUR,
    START,
    Runner,
    Sent,
    donation,
    erasure,
    event_id,
    last_state,
    named,
    profile,
    response,
)


def test_a_null_erases_and_says_when() -> None:
    runner = Runner()
    runner.each(profile(START, 1), donation(START + HOUR, 2, deferral=named("item 60", None)))
    (state,) = runner.batch(erasure(START + DAY))
    assert (state["erased_at"], state["occurred_at"], state["registered_at"]) == (START + DAY, START + DAY, None)
    assert (state["total_donations"], state["deferrals"], state["district"]) == (0, [], "")
    for secret in (event_id(1), event_id(2)):
        assert bytes.fromhex(secret.replace("-", "")) not in state["memory"]
    assert b"item" not in state["memory"]
    assert b"Kollam" not in state["memory"]


def test_an_erasure_stamped_beyond_the_calendar_is_one_that_every_store_can_hold() -> None:
    runner = Runner()
    runner.each(profile(START, 1))
    # microseconds where milliseconds belong
    (state,) = runner.batch(erasure(START + DAY)._replace(timestamp_ms=START + DAY))
    assert state["erased_at"] == state["last_erased_at"] == LAST_INSTANT
    rows = donor_rows(Record("donor-states", 0, 1, 0, b"42", b""), state, INDIA_2020)
    (erased,) = (row for row in rows if isinstance(row, ErasureRow))
    assert sql.ERASURES.arguments([erased])


def test_nothing_of_then_or_before_and_no_repeat_brings_a_donor_back() -> None:
    runner = Runner()
    later = profile(START + 2 * DAY, 3)._replace(timestamp_ms=START // 1000 + DAY_MS)
    runner.each(profile(START, 1), later, erasure(START + DAY))
    assert runner.batch(profile(START, 1)._replace(timestamp_ms=START // 1000 + 2 * DAY_MS)) == []
    assert runner.batch(profile(START + DAY, 2)._replace(timestamp_ms=START // 1000 + 3 * DAY_MS)) == []
    assert runner.batch(later._replace(timestamp_ms=START // 1000 + 4 * DAY_MS)) == []
    assert runner.state is not None
    assert runner.state["erased_at"] == START + DAY


def test_a_later_profile_begins_anew_with_the_later_events_that_came_before_it() -> None:
    runner = Runner()
    runner.each(profile(START, 1), response(START + HOUR, 9, "NOTIFIED"), donation(START + HOUR, 2))
    runner.each(erasure(START + DAY), donation(START + 3 * DAY, 4), donation(START + HOUR, 5))
    assert runner.state is not None
    assert runner.state["total_donations"] == 0
    runner.each(profile(START + 2 * DAY, 3, total_donations=0))
    state = runner.state
    assert (state["erased_at"], state["total_donations"], state["n_alerts"]) == (None, 1, 0)
    assert state["last_whole_blood_at"] == START + 3 * DAY
    assert runner.batch(erasure(START + DAY)) == []
    (again,) = runner.batch(erasure(START + 2 * DAY))
    assert again["erased_at"] == START + 2 * DAY


def test_a_null_that_comes_after_a_later_profile_takes_only_what_is_older_and_the_rates() -> None:
    runner = Runner()
    runner.each(
        profile(START, 1, deferrals=[named("item 46", None)], last_whole_blood_at=START - DAY),
        response(START + HOUR, 2, "NOTIFIED"),
        profile(START + 2 * DAY, 3, deferrals=[named("item 60", None)], total_donations=1),
        donation(START + 3 * DAY, 4),
        response(START + 4 * DAY, 5, "NOTIFIED", request_id=2),
        response(START + 4 * DAY, 6, "ACCEPTED", request_id=2),
    )
    (state,) = runner.batch(erasure(START + DAY))
    assert state["erased_at"] is None
    assert (state["total_donations"], state["last_whole_blood_at"]) == (2, START + 3 * DAY)
    assert state["deferrals"] == [named("item 60", None)]
    assert state["promises"] == [{"request_id": 2, "promised_at": START + 4 * DAY}]
    assert (state["n_alerts"], state["n_answers"]) == (0, 0)
    assert state["availability_score"] == pytest.approx(AVAILABILITY.mean)


@pytest.mark.parametrize(
    "events",
    [
        [
            response(START, 1, "ACCEPTED"),
            response(START + 2 * DAY, 2, "NOTIFIED"),
            response(START + 3 * DAY, 3, "ARRIVED"),
        ],
        [
            response(START, 1, "DECLINED"),
            response(START + 2 * DAY, 2, "NOTIFIED"),
            response(START + 3 * DAY, 3, "DECLINED"),
        ],
        [
            response(START, 1, "NOTIFIED"),
            response(START + 2 * DAY, 2, "NOTIFIED"),
            response(START + 3 * DAY, 3, "EXPIRED"),
        ],
        # of the first that counts of a request the last is too late to count, of what the null leaves it isn't
        [response(START, 1, "NOTIFIED"), response(START + 98 * DAY, 2, "NOTIFIED")],
        [response(START, 1, "NOTIFIED"), response(START + 128 * DAY, 2, "NOTIFIED")],
    ],
)
def test_first_or_last_a_null_leaves_the_same_rates(events: list[Sent]) -> None:
    null = erasure(events[-1].timestamp_ms * 1000 - 30 * DAY if len(events) == 2 else START + DAY)
    last = profile(START + 200 * DAY, 9)
    first, second = last_state(null, *events, last), last_state(*events, null, last)
    assert first["n_alerts"] == 1
    names = [name for name in first if name.startswith("n_") or name.endswith(("_score", "_sd", "_hours", "_decayed"))]
    assert {name: first[name] for name in names} == {name: second[name] for name in names}


def test_a_profile_written_before_the_null_goes_though_it_claims_to_be_later() -> None:
    ahead = profile(START + 6 * HOUR, 1, last_whole_blood_at=START)._replace(timestamp_ms=START // 1000)
    behind = profile(START + 5 * HOUR, 2, sex="MALE")
    for history in ((ahead, behind), (behind, ahead)):
        state = last_state(*history, erasure(START + HOUR))
        assert (state["erased_at"], state["sex"], state["last_whole_blood_at"]) == (None, "MALE", None)


def test_what_only_an_erased_profile_counted_is_counted_again() -> None:
    ahead = profile(START + 6 * HOUR, 1)._replace(timestamp_ms=START // 1000)
    given = donation(START + 3 * HOUR, 2)
    state = last_state(ahead, given, erasure(START + HOUR), profile(START + 2 * HOUR, 3, total_donations=4))
    assert state["total_donations"] == 5


def test_what_is_left_where_a_record_was_sent_on_erases_nobody() -> None:
    runner = Runner()
    runner.batch(profile(START, 1))
    assert runner.batch(erasure(START + DAY, headers=(("forwarded-to", b"3"),))) == []


def test_a_donor_may_be_erased_before_anything_else_is_known() -> None:
    runner = Runner()
    (state,) = runner.batch(erasure(START))
    assert state["erased_at"] == START
    assert runner.batch(profile(START, 1)) == []
