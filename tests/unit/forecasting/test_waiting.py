"""How long a trigger waits for recording, what counts as recorded, and what is said when it was in vain."""

import pytest
import structlog

from consumers.topology import Input
from features.demand import history_of
from schemas.records import Record
from smartblood import metrics
from smartblood.demand import history
from smartblood.demand.history import TOPICS, DemandHistory, NotRecordedYet
from smartblood.errors import Retryable
from smartblood.kafka.client import Cluster
from tests.record_events import AT, event

CREATED, CLOSED = TOPICS


class Kafka:
    """Where partitions end, and where anything that can be read lies; asked as ``Offsets`` and ``read_spans`` are."""

    def __init__(self):
        self.ends = {(CREATED, 0): 0, (CREATED, 1): 0, (CLOSED, 0): 0, (CLOSED, 1): 0}
        self.readable = set()
        self.n_asked = 0

    def __call__(self, cluster):
        assert cluster.prefix == "p-"
        return self

    def n_partitions(self, topic):
        return sum(place[0] == topic for place in self.ends)

    def last_stable(self, places):
        assert set(places) == set(self.ends)
        self.n_asked += 1
        return dict(self.ends)

    def read_spans(self, _, spans, *, n_max):
        assert n_max == 1
        for (topic, partition), (first, last) in spans.items():
            for offset in range(first, last):
                if (topic, partition, offset) in self.readable:
                    yield offset
                    return


class RecordDouble:
    def __init__(self):
        self.at = {}
        self.asked = []
        self.is_away = False

    def recorded(self, topics):
        if self.is_away:
            message = "Postgres doesn't answer"
            raise Retryable(message)
        assert topics == [f"p-{topic}" for topic in TOPICS]
        return {(f"p-{topic}", partition): offset for (topic, partition), offset in self.at.items()}

    def history(self, before_day):
        self.asked.append(before_day)
        return history_of([], before_day)


@pytest.fixture
def kafka(monkeypatch):
    made = Kafka()
    monkeypatch.setattr(history, "Offsets", made)
    monkeypatch.setattr(history, "read_spans", made.read_spans)
    return made


@pytest.fixture
def record():
    return RecordDouble()


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def waiting(kafka, record, clock):  # noqa: ARG001 - it is asked in their place
    log = structlog.get_logger()
    return DemandHistory(record, Cluster("k:1", "p-"), 3_600.0, log, timer=lambda: clock[0])


def trigger(offset=0):
    of = Record("forecast-triggered", 0, offset, AT // 1000, b"weekly-forecast", b"")
    return Input(of, event("forecast-triggered", as_of=AT))


def test_where_all_is_recorded_the_history_is_there_at_once(waiting, record):
    assert waiting(trigger()).values.shape == (112, 1)
    assert len(record.asked) == 1


def test_what_was_there_when_the_trigger_was_seen_is_waited_for_and_nothing_later(waiting, kafka, record):
    kafka.ends[CREATED, 1] = 7
    kafka.readable = {(CREATED, 1, offset) for offset in range(20)}
    for at in (0, 6):
        record.at[CREATED, 1] = at
        with pytest.raises(NotRecordedYet, match=f"{7 - at} offsets"):
            waiting(trigger())
    kafka.ends[CREATED, 1] = 20  # it goes on meanwhile
    record.at[CREATED, 1] = 7
    assert waiting(trigger()) is not None
    assert kafka.n_asked == 1
    with pytest.raises(NotRecordedYet):
        waiting(trigger(offset=1))
    assert issubclass(NotRecordedYet, Retryable)


def test_markers_at_the_end_are_nothing_to_wait_for(waiting, kafka, record):
    kafka.ends[CLOSED, 0] = 5
    kafka.readable = {(CLOSED, 0, 3)}
    record.at[CLOSED, 0] = 3
    with pytest.raises(NotRecordedYet):
        waiting(trigger())
    record.at[CLOSED, 0] = 4  # the last record is taken in, the marker after it never is
    assert waiting(trigger()) is not None


def waits(waiting, clock, seconds):
    """Be asked again and again, as the loop does it, while the clock goes on; it is waited for at the end yet."""
    with pytest.raises(NotRecordedYet):
        waiting(trigger())
    until = clock[0] + seconds
    while clock[0] < until:
        clock[0] = min(clock[0] + 5, until)
        with pytest.raises(NotRecordedYet):
            waiting(trigger())


@pytest.mark.parametrize("is_asked", [True, False])
def test_an_hour_in_which_postgres_or_all_the_house_was_away_is_none_of_waiting(
    waiting, kafka, record, clock, is_asked
):
    kafka.ends[CREATED, 0] = 1
    kafka.readable = {(CREATED, 0, 0)}
    waits(waiting, clock, 1_800)
    record.is_away = True
    for _ in range(900 if is_asked else 0):  # where Kafka is away too, the loop asks nobody
        clock[0] += 5
        with pytest.raises(Retryable, match="Postgres doesn't answer"):
            waiting(trigger())
    clock[0] += 5_000
    record.is_away = False
    waits(waiting, clock, 1_700)  # recording has as long as it would have had
    record.at[CREATED, 0] = 1
    assert waiting(trigger()) is not None


def test_after_an_outage_it_is_given_up_too_once_recording_had_its_hour(waiting, kafka, record, clock):
    kafka.ends[CREATED, 0] = 1
    kafka.readable = {(CREATED, 0, 0)}
    waits(waiting, clock, 1_800)
    record.is_away = True
    with pytest.raises(Retryable):
        waiting(trigger())
    clock[0] += 9_000
    record.is_away = False
    waits(waiting, clock, 1_700)
    clock[0] += 30
    with pytest.raises(NotRecordedYet):
        waiting(trigger())
    clock[0] += 60
    assert waiting(trigger()) is None


def test_after_an_hour_it_is_said_and_nothing_is_written_also_where_it_is_asked_again(waiting, kafka, record, clock):
    kafka.ends[CREATED, 0] = 1
    kafka.readable = {(CREATED, 0, 0)}
    before = metrics.FORECASTS_GIVEN_UP.labels("forecasting")._value.get()
    waits(waiting, clock, 3_599)
    clock[0] += 1
    with structlog.testing.capture_logs() as said:
        waiting.log = structlog.get_logger()
        assert waiting(trigger()) is None
        record.at[CREATED, 0] = 1
        assert waiting(trigger()) is None  # its transaction was aborted
    assert [line["log_level"] for line in said] == ["error"]
    assert metrics.FORECASTS_GIVEN_UP.labels("forecasting")._value.get() == before + 1
    assert waiting(trigger(offset=1)) is not None
    assert record.asked == [record.asked[0]]
