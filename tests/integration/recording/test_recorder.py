"""The recorder on a real broker and a real Postgres: repeats, kills, two workers, outages, garbage."""

import random
import signal
import socket
import time
import uuid
from pathlib import Path

import psutil
import pytest

from consumers.recording.projection import TOPOLOGY
from schemas.codec import Codec
from smartblood.errors import Fatal
from smartblood.kafka.schema_registry import HttpRegistry, codec_of
from smartblood.local.postgres import LocalPostgres
from smartblood.settings import load
from tests.integration.recording.record_world import (
    Record,
    a_history,
    crashing,
    delete_topic,
    encoded,
    end,
    make_topics,
    publish,
    recording,
    settings_of,
    wait_until,
    worker,
)
from tests.record_events import CODEC, an_id, event, matches_of
from tests.registry_double import Double

pytestmark = pytest.mark.broker

STEPS = ["placed", "fetched", "projected", "begun", "offsets moved", "rows written", "committed", "acknowledged"]


class World:
    """Topics with a history, and a database into which they are recorded."""

    def __init__(self, broker, postgres):
        self.servers = broker.bootstrap_servers
        self.prefix = f"r{uuid.uuid4().hex[:8]}-"
        self.postgres = postgres
        self.database = f"r{uuid.uuid4().hex[:8]}"
        self.n_records = 0
        make_topics(self.servers, self.prefix)
        postgres.create_database(self.database)
        self.url = postgres.url_of(self.database)
        self.record = Record(self.url)
        self.settings = settings_of(self.servers, self.prefix, self.url)

    def publish(self, records):
        publish(self.servers, self.prefix, records)
        self.n_records += len(records)

    def is_whole(self):
        return sum(self.record.offsets().values()) >= self.n_records

    def close(self):
        self.record.engine.dispose()
        self.postgres.drop_database(self.database)


@pytest.fixture
def fresh(broker, postgres):
    made = World(broker, postgres)
    yield made
    made.close()


@pytest.fixture
def registry():
    made = Double()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def told(broker, postgres):
    """A world with a history."""
    made = World(broker, postgres)
    records = encoded(a_history())
    states = [each for each in records if each[0] == "donor-states"]
    others = [each for each in records if each[0] != "donor-states"]
    random.Random(7).shuffle(others)  # within a key too: what holds is told by instants, not by order
    made.publish([*others[:150], *states, *others[150:]])
    yield made
    made.close()


@pytest.fixture(scope="module")
def undisturbed(told):
    """The tables after one worker recorded the history."""
    with recording(told.settings):
        wait_until(told.is_whole)
    return told.record.tables()


@pytest.fixture
def world(told, undisturbed):  # noqa: ARG001 - what is found is kept before the tables are emptied
    """The history, and nothing recorded of it."""
    told.record.clear()
    return told


def test_everything_is_recorded_as_was_said(undisturbed):
    assert len(undisturbed["blood_requests"]) == 60
    assert len(undisturbed["match_predictions"]) == 80 * 4
    assert len(undisturbed["match_waves"]) == 80
    assert len(undisturbed["model_prediction_logs"]) == 60
    assert len(undisturbed["donors"]) == 36
    assert len(undisturbed["erased_donors"]) == 4
    assert len(undisturbed["demand_forecasts"]) == 9
    assert sum(row[5] for row in undisturbed["demand_days"]) == 60
    assert [row[0] for row in undisturbed["maintenance"]] == ["nightly-reliability"]
    assert undisturbed["refused_records"] == []
    assert undisturbed["donor_responses"] == []


def test_a_restart_adds_nothing_and_starts_from_what_postgres_says(world, undisturbed):
    with recording(world.settings):
        wait_until(world.is_whole)
    with recording(world.settings) as recorder:
        wait_until(lambda: recorder.ready)
        assert recorder.is_behind or recorder._gauges.lags, "nobody knows yet"
        wait_until(lambda: recorder._gauges.lags)
        wait_until(lambda: len(recorder._gauges.lags) == len(recorder._source.positions))
        assert recorder._gauges.lags == dict.fromkeys(recorder._gauges.lags, 0), "as is what nothing came into since"
        assert not recorder.is_behind
    assert world.record.tables() == undisturbed


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_offsets_that_are_wound_back_change_nothing(world, undisturbed, share):
    with recording(world.settings):
        wait_until(world.is_whole)
    world.record.change(f"UPDATE consumer_offsets SET next_offset = floor(next_offset * {share})")
    with recording(world.settings):
        wait_until(world.is_whole)
    assert world.record.tables() == undisturbed


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_changes_nothing(world, undisturbed, step):
    with crashing(world.settings, step) as crashed:
        wait_until(lambda: not crashed.thread.is_alive())
    with recording(world.settings, slot="b"):
        wait_until(world.is_whole)
    assert world.record.tables() == undisturbed


@pytest.mark.parametrize("step", ["rows written", "committed"])
def test_a_killed_worker_is_stood_in_for_by_another(world, undisturbed, step):
    with worker(world.settings, slot="a", step=step) as killed:
        assert killed.wait(60) == -signal.SIGKILL
        with worker(world.settings, slot="b") as other:
            wait_until(world.is_whole)
            assert end(other) < 10
    assert world.record.tables() == undisturbed


def test_two_workers_share_the_partitions(fresh):
    history = encoded(a_history(n_requests=100))
    with worker(fresh.settings, slot="a", step="committed", nth=4) as first, worker(fresh.settings, slot="b") as second:
        for start in range(0, len(history), 50):
            fresh.publish(history[start : start + 50])
            time.sleep(0.3)
        wait_until(fresh.is_whole)
        assert second.poll() is None
        assert first.poll() in {None, -signal.SIGKILL}
    assert len(fresh.record.ask("SELECT 1 FROM blood_requests")) == 100
    assert len(fresh.record.ask("SELECT 1 FROM match_waves")) == 134
    assert len(fresh.record.ask("SELECT 1 FROM model_prediction_logs")) == 100


def test_a_worker_that_wakes_in_the_middle_of_a_transaction_writes_nothing_more(world, undisturbed):
    with worker(world.settings, slot="a", step="rows written", by="SIGSTOP") as asleep:
        wait_until(lambda: _is_stopped(asleep))
        with worker(world.settings, slot="b") as other:
            wait_until(world.is_whole)
            asleep.send_signal(signal.SIGCONT)
            time.sleep(1)
            assert asleep.poll() is None
            end(other)
        assert end(asleep) < 10
    assert world.record.tables() == undisturbed


def _is_stopped(process):
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_nothing_is_lost_while_postgres_is_killed_and_started_again(broker, tmp_path):
    with LocalPostgres(tmp_path) as own:
        world = World(broker, own)
        history = encoded(a_history(n_requests=200))
        with recording(world.settings) as recorder:
            for n, start in enumerate(range(0, len(history), 200)):
                world.publish(history[start : start + 200])
                if n in {1, 3}:
                    own.kill()
                    wait_until(lambda: not recorder.ready, within_s=20)
                    own.start()
            wait_until(world.is_whole)
        assert len(world.record.ask("SELECT 1 FROM blood_requests")) == 200
        assert len(world.record.ask("SELECT 1 FROM match_waves")) == 200 + 67
        assert len(world.record.ask("SELECT 1 FROM model_prediction_logs")) == 200
        world.close()


def test_it_stops_within_ten_seconds_also_while_postgres_is_away(fresh):
    away = fresh.settings | {"database_url": "postgresql+psycopg2://postgres@127.0.0.1:9/x"}
    with worker(away) as waiting:
        time.sleep(3)
        assert end(waiting) < 10


def test_it_stops_within_ten_seconds_also_while_postgres_hangs(broker, tmp_path):
    with LocalPostgres(tmp_path) as own:
        world = World(broker, own)
        with worker(world.settings) as hanging:
            wait_until(lambda: len(world.record.offsets()) > 0)
            asleep = [psutil.Process(own.process.pid), *psutil.Process(own.process.pid).children()]
            for each in asleep:
                each.suspend()
            try:
                world.publish(encoded(a_history(n_requests=5)))
                time.sleep(1)
                assert end(hanging) < 10
            finally:
                for each in reversed(asleep):
                    each.resume()
        world.close()


def test_a_registry_that_does_not_answer_is_waited_for_and_nothing_is_refused(fresh, registry):
    fresh.publish(encoded(a_history(), Codec(HttpRegistry(registry.url))))
    registry.stop()
    with recording(fresh.settings, codec=Codec(HttpRegistry(registry.url, patience_s=0.2))) as recorder:
        time.sleep(4)
        assert recorder.thread.is_alive()
        assert fresh.record.ask("SELECT kind, error FROM refused_records") == []
        assert set(fresh.record.offsets().values()) == {0}
        assert not recorder.ready
        registry.failures = [503] * 4
        registry.start()
        wait_until(fresh.is_whole)
        wait_until(lambda: recorder.ready)
    assert fresh.record.ask("SELECT kind, error FROM refused_records") == []
    assert len(fresh.record.ask("SELECT 1 FROM blood_requests")) == 60
    assert len(fresh.record.ask("SELECT 1 FROM model_prediction_logs")) == 60


def test_a_registry_that_refuses_us_stops_it(fresh, registry):
    fresh.publish(encoded(a_history(n_requests=5), Codec(HttpRegistry(registry.url))))
    registry.failures = [401] * 100
    with (
        pytest.raises(Fatal, match="refuses us"),
        recording(fresh.settings, codec=codec_of(load(schema_registry_url=registry.url))) as recorder,
    ):
        wait_until(lambda: not recorder.thread.is_alive())
    assert fresh.record.ask("SELECT kind, error FROM refused_records") == []


def test_it_stops_within_ten_seconds_also_while_a_registry_is_silent(fresh):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        fresh.publish(encoded(a_history(n_requests=5)))
        with worker(fresh.settings | {"schema_registry_url": url}) as waiting:
            wait_until(lambda: len(fresh.record.offsets()) > 0)
            time.sleep(2)
            assert end(waiting) < 10
    assert fresh.record.ask("SELECT kind, error FROM refused_records") == []


def test_garbage_is_refused_with_its_reason_and_the_rest_is_recorded(fresh):
    record = fresh.record
    whole = encoded(a_history(n_requests=10, n_donors=5))
    nan = matches_of([1], request_id=77)
    nan["matches"][0]["match_score"] = float("nan")
    huge = matches_of([1], request_id=78, request_event_id=str(uuid.uuid4()), wave=2**31 - 1)
    huge["matches"][0]["rank"] = 2**40
    nul = event("blood-request-created", request_id=79, district="no\0where")
    twice = matches_of([1, 2], request_id=80, request_event_id=str(uuid.uuid4()))
    twice["matches"][1]["rank"] = 1
    late = event("donor-states", donor_id=77, occurred_at=2**62)  # of nobody else: a later state would hide it
    bad = [
        *(
            (topic, b"1", value)
            for topic in TOPOLOGY.sources
            for value in (b"", b"\0\0\0", b"\1garbage", b"\0" * 10**6)
        ),
        *((topic, b"1", None) for topic in TOPOLOGY.sources),
        *((topic, None, whole[0][2]) for topic in TOPOLOGY.sources),
        ("blood-request-created", b"wrong", CODEC.encode("blood-request-created", event("blood-request-created"))),
        *encoded([("matches", nan), ("matches", huge), ("matches", twice), ("donor-states", late)]),
    ]
    good = [*whole, *encoded([("blood-request-created", nul)])]
    records = [*bad, *good]
    random.Random(5).shuffle(records)
    fresh.publish(records)
    with recording(fresh.settings):
        wait_until(fresh.is_whole)
    refused = record.ask("SELECT source_topic, kind, error, key, value FROM refused_records")
    assert len(refused) == len(bad)
    assert all(error and "\n" not in error for _, _, error, _, _ in refused)
    assert {(key, value) for topic, _, _, key, value in refused if topic.endswith("donor-states")} == {(None, None)}
    kept = {bytes(value) for topic, _, _, _, value in refused if topic.endswith("matches") and value is not None}
    assert b"\1garbage" in kept
    assert b"\0" * 10**6 in kept
    assert len(record.ask("SELECT 1 FROM blood_requests")) == 11
    assert record.ask("SELECT district FROM blood_requests WHERE id = 79") == [("no\ufffdwhere",)]


def test_a_pending_migration_stops_it(fresh, database_url):
    settings = settings_of(fresh.servers, fresh.prefix, database_url)
    with pytest.raises(Fatal, match="db upgrade"), recording(settings):
        time.sleep(2)


def test_topics_made_anew_are_recorded_from_their_beginning(fresh):
    """A throw-away broker beside a lasting database: what is known there is of topics that are gone."""
    topics = ["blood-request-created", "model-released"]
    for n in (1, 2):
        requests = [(topics[0], event(topics[0], request_id=n * 100 + k)) for k in range(30)]
        release = (topics[1], event(topics[1], event_id=an_id(n), version=f"{n}.0.0"))
        fresh.publish(encoded([*requests, release]))
        with recording(fresh.settings):
            wait_until(lambda n=n: len(fresh.record.ask("SELECT 1 FROM blood_requests")) == n * 30, within_s=20)
            wait_until(lambda n=n: fresh.record.ask("SELECT version FROM model_releases") == [(f"{n}.0.0",)])
        for topic in topics:
            delete_topic(fresh.servers, fresh.prefix + topic)
        make_topics(fresh.servers, fresh.prefix, topics)
