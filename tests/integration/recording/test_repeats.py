"""What an id that comes again with other content leaves in a real Postgres: nothing, since the first one counts."""

import itertools

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from consumers.matching.asking import take_in
from consumers.matching.memory import RequestMemory
from consumers.recording.folding import fold
from consumers.topology import Input
from smartblood.storage.schema import _config, check, upgrade
from smartblood.storage.sink import Sink
from tests.integration.recording.sink_world import PROJECTION, closed, created, empty, in_any_order
from tests.record_events import AT, CODEC, MINUTE, record

pytestmark = pytest.mark.broker

DAY_MS = 86_400_000
CREATED, CLOSED = "blood-request-created", "blood-request-closed"
REQUEST = (
    "SELECT units_required, latitude, status, units_fulfilled, created_at, updated_at FROM blood_requests ORDER BY id"
)
CLOSING = "SELECT closed_at, status, units_fulfilled FROM request_closings ORDER BY request_id"
DEMAND = "SELECT district, blood_group, day, units_requested, units_fulfilled FROM demand_days ORDER BY 1, 2, 3"
ALL = (REQUEST, CLOSING, DEMAND)


def told(event, days=0.0, **place):
    """An event as it lies in Kafka, so many days later by its Kafka timestamp."""
    found = record(*event, **place)
    return found._replace(timestamp_ms=found.timestamp_ms + int(days * DAY_MS))


def write(sink, *records):
    """Write records in one batch."""
    sink.write(fold(row for each in records for row in PROJECTION.rows(each)), [])


def found(ask):
    return [ask(statement) for statement in ALL]


def in_every_cut(sink, ask, postgres, records):
    """Write records in their order, in every cut into batches, restarting between any two; return the one outcome."""
    outcomes = []
    for cuts in itertools.product([False, True], repeat=len(records) - 1):
        empty(sink)
        batch = [records[0]]
        for is_cut, each in zip(cuts, records[1:], strict=True):
            if is_cut:
                one = Sink(postgres.url_of("sink"))
                write(one, *batch)
                one.close()
                batch = []
            batch.append(each)
        write(sink, *batch)
        outcomes.append(found(ask))
        for each in records:  # offsets are wound back
            write(sink, each)
        outcomes.append(found(ask))
        write(sink, *records)
        outcomes.append(found(ask))
    assert all(outcome == outcomes[0] for outcome in outcomes), outcomes
    return outcomes[0]


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_a_request_whose_id_comes_again_is_as_it_was_said_first(sink, ask, postgres, minutes):
    records = [
        told(created(0, 1, units_required=2, latitude=9.5, district="Kollam")),
        told(created(minutes, 1, units_required=5, latitude=10.5, district="Idukki"), days=6.9),
    ]
    ((row,), _, (day,)) = in_every_cut(sink, ask, postgres, records)
    assert (row["units_required"], row["latitude"]) == (2, 9.5)
    assert row["created_at"] == row["updated_at"]
    assert (day["district"], day["units_requested"]) == ("Kollam", 2)


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_a_closing_whose_id_comes_again_is_as_it_was_said_first(sink, ask, postgres, minutes):
    records = [
        told(created(-60)),
        told(closed(0, 1, outcome="FULFILLED", units_fulfilled=2)),
        told(closed(minutes, 1, outcome="CANCELLED", units_fulfilled=0), days=6.9),
    ]
    ((row,), (closing,), (day,)) = in_every_cut(sink, ask, postgres, records)
    assert (row["status"], row["units_fulfilled"]) == ("fulfilled", 2)
    assert (closing["status"], closing["units_fulfilled"]) == ("fulfilled", 2)
    assert day["units_fulfilled"] == 2


def test_a_repeat_of_an_id_that_was_corrected_since_changes_nothing(sink, ask, postgres):
    records = [
        told(created(0, 1, units_required=1)),
        told(created(5, 2, units_required=2)),
        told(created(9, 1, units_required=9)),
    ]
    ((row,), _, _) = in_every_cut(sink, ask, postgres, records)
    assert row["units_required"] == 2


def test_an_id_that_comes_again_after_seven_days_says_something_new(sink, ask, postgres):
    again = created(5, 1, units_required=5)
    first = told(created(0, 1, units_required=2))
    at_ms = first.timestamp_ms
    ((row,), _, _) = in_every_cut(sink, ask, postgres, [first, told(again, days=7)])
    assert row["units_required"] == 2
    ((row,), _, _) = in_every_cut(sink, ask, postgres, [first, told(again, days=7.1)])
    assert row["units_required"] == 5
    # Seven days from what counted, not from a repeat of it; and before it too, since timestamps are the clients' own.
    between = told(created(4, 1, units_required=4), days=5)
    ((row,), _, _) = in_every_cut(sink, ask, postgres, [first, between, told(again, days=9)])
    assert row["units_required"] == 5
    ((row,), _, _) = in_every_cut(sink, ask, postgres, [first._replace(timestamp_ms=at_ms + 6 * DAY_MS), told(again)])
    assert row["units_required"] == 2


def test_an_id_is_that_of_one_request_and_topic(sink, ask):
    events = [
        created(0, 1, request_id=1, units_required=1),
        created(0, 1, request_id=2, units_required=2),
        closed(5, 1, request_id=1),
    ]
    rows = in_any_order(sink, ask, REQUEST, events)
    assert [(row["units_required"], row["status"]) for row in rows] == [(1, "fulfilled"), (2, "open")]


def test_an_id_in_upper_case_is_the_same_id(sink, ask, postgres):
    topic, of = created(5, 0xABC, units_required=5)
    records = [told(created(0, 0xABC, units_required=2)), told((topic, of | {"event_id": of["event_id"].upper()}))]
    ((row,), _, _) = in_every_cut(sink, ask, postgres, records)
    assert row["units_required"] == 2


def test_what_was_recorded_before_the_migration_is_known_when_it_comes_again(postgres):
    postgres.create_database("before_ids")
    url = postgres.url_of("before_ids")
    engine = create_engine(url)
    try:
        upgrade(url)
        sink = Sink(url)
        write(sink, told(created(0, 1, units_required=1)), told(created(1, 2, units_required=2)))
        write(sink, told(closed(2, 3, units_fulfilled=1)), told(closed(0, 4, request_id=7, units_fulfilled=4)))

        def ask(statement):
            with engine.connect() as connection:
                return [dict(row) for row in connection.execute(text(statement)).mappings()]

        before = [found(ask), ask("SELECT * FROM match_waves")]
        with engine.begin() as connection:
            command.downgrade(_config(connection), "0004")
            assert connection.scalar(text("SELECT to_regclass('request_events')")) is None
        upgrade(url)
        assert check(url) == []
        known = ask("SELECT request_id, topic, timestamp_ms, partition FROM request_events ORDER BY 1, 2 DESC")
        ms, minute = AT // 1000, MINUTE // 1000
        assert [tuple(row.values()) for row in known] == [
            (7, CLOSED, ms, None),
            (1001, CREATED, ms + minute, None),
            (1001, CLOSED, ms + 2 * minute, None),
        ]
        write(sink, told(created(5, 2, units_required=5)), told(closed(6, 3, units_fulfilled=6)))
        write(sink, told(closed(9, 4, request_id=7, units_fulfilled=9)))
        assert [found(ask), ask("SELECT * FROM match_waves")] == before
        sink.close()
    finally:
        engine.dispose()
        postgres.drop_database("before_ids")


an_event = st.tuples(st.sampled_from([CREATED, CLOSED]), st.integers(1, 3), st.integers(0, 3), st.integers(0, 24))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(an_event, min_size=1, max_size=12), cuts=st.sets(st.integers(1, 11)))
def test_the_record_takes_the_very_events_that_matching_takes(sink, ask, said, cuts):
    """Ids come again with other instants, units and Kafka timestamps, days apart; each is of one topic."""
    empty(sink)
    memory, taken, records = RequestMemory(1001), [], []
    for units, (topic, n, minutes, days) in enumerate(said, 1):
        make, name, base = (created, "units_required", 10) if topic == CREATED else (closed, "units_fulfilled", 20)
        one = told(make(minutes, base + n, **{name: units}), days=days, offset=units)
        records.append(one)
        before = memory
        memory, _ = take_in(memory, Input(one, CODEC.decode(topic, one.value)))
        if memory is not before:
            taken.append((topic, make(minutes, base + n, **{name: units})[1]))
    start = 0
    for end in [*sorted(cut for cut in cuts if cut < len(records)), len(records)]:
        write(sink, *records[start:end])
        start = end

    def latest(of_topic, name):
        held = None
        for topic, of in taken:  # of two that say the same instant under the same id, the first
            if topic == of_topic and (held is None or _order(of) > _order(held)):
                held = of
        return [] if held is None else [(held["event_id"], held[name])]

    requests = ask("SELECT request_event_id, units_required FROM blood_requests")
    closings = ask("SELECT event_id, units_fulfilled FROM request_closings")
    assert [(str(row["request_event_id"]), row["units_required"]) for row in requests] == latest(
        CREATED, "units_required"
    )
    assert [(str(row["event_id"]), row["units_fulfilled"]) for row in closings] == latest(CLOSED, "units_fulfilled")


def _order(of):
    return of["occurred_at"], of["event_id"]
