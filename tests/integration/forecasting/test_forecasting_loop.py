"""The processor on a real broker and a real Postgres: it waits for recording, and what it writes is recorded."""

import threading
import time
import uuid

import pytest
import structlog
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from consumers.forecasting import Forecasting
from consumers.recording.projection import TOPOLOGY
from features.local_time import local_day
from schemas.codec import Codec
from smartblood.demand.drawing import drawn
from smartblood.demand.history import DemandHistory
from smartblood.kafka.client import Cluster
from smartblood.kafka.loop import Loop
from smartblood.kafka.reader import read_span
from smartblood.storage.demand_days import DemandDays
from tests.integration.recording.record_world import Record, publish, recording, settings_of, wait_until
from tests.record_events import AT, CODEC, MINUTE, an_id, event, key_of
from tests.unit.forecasting.seasonal import WeekdayMeans

pytestmark = pytest.mark.broker

DAY = 24 * 60 * MINUTE
SINGLE = {"forecast-triggered", "maintenance-triggered", "model-released"}
NAMES = {*TOPOLOGY.sources, "forecast-triggered", "dead-letters"}


class World:
    def __init__(self, broker, database_url):
        self.servers, self.url = broker.bootstrap_servers, database_url
        self.prefix = f"f{uuid.uuid4().hex[:8]}-"
        self.record = Record(database_url)
        self.cluster = Cluster(self.servers, self.prefix)
        self.settings = settings_of(self.servers, self.prefix, database_url)
        made = [NewTopic(self.prefix + name, 1 if name in SINGLE else 2, 1) for name in sorted(NAMES)]
        client = AdminClient({"bootstrap.servers": self.servers})
        for future in client.create_topics(made).values():
            future.result()

    def publish(self, *events):
        publish(
            self.servers, self.prefix, [(topic, key_of(topic, of), CODEC.encode(topic, of)) for topic, of in events]
        )

    def events(self, topic):
        return [CODEC.decode(topic, record.value) for record in read_span(self.cluster, topic)]

    def forecasting(self, wait_s):
        demand = DemandDays(self.url)
        history = DemandHistory(demand, self.cluster, wait_s, structlog.get_logger())
        return Running(Loop(Forecasting(Codec(), WeekdayMeans(), history, timer=time.perf_counter), self.cluster, "a"))

    def n_forecasts(self):
        return self.record.ask("SELECT count(*) FROM demand_forecasts")[0][0]


class Running:
    """A loop in a thread."""

    def __init__(self, loop):
        self.loop, self.stop, self.errors = loop, threading.Event(), []
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            self.loop.run(self.stop)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.errors.append(error)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        began_s = time.monotonic()
        self.stop.set()
        self.thread.join(30)
        self.stopped_after_s = time.monotonic() - began_s
        assert not self.thread.is_alive()
        assert self.errors == []


@pytest.fixture
def world(broker, database_url):
    made = World(broker, database_url)
    yield made
    made.record.engine.dispose()


def requests(n=40):
    """A request every half day until the trigger, the last of them a few minutes before it."""
    for k in range(n):
        at = AT - 5 * MINUTE - k * DAY // 2
        of = {"request_id": k, "event_id": an_id(k), "occurred_at": at, "required_by": at + DAY}
        yield "blood-request-created", event("blood-request-created", district="Kollam", units_required=1 + k % 3, **of)
        if k % 4 == 0:
            of = {"request_id": k, "event_id": an_id(1000 + k), "occurred_at": at + MINUTE, "units_fulfilled": 1}
            yield "blood-request-closed", event("blood-request-closed", **of)


def trigger(n=1, **changes):
    of = {"schedule": "weekly-forecast", "slot_at": AT, "as_of": AT, "horizon_days": 7, "districts": []}
    return "forecast-triggered", event("forecast-triggered", event_id=an_id(n), occurred_at=AT, **(of | changes))


def test_a_trigger_waits_for_recording_and_its_forecasts_are_recorded_and_drawn(world, tmp_path):
    world.publish(*requests(), trigger(1, horizon_days=0), trigger(2))
    with world.forecasting(wait_s=600) as forecasting:
        wait_until(lambda: list(read_span(world.cluster, "dead-letters")))
        time.sleep(1.0)  # nothing is recorded: it waits, and is in its group
        assert world.events("demand-forecasted") == []
        assert forecasting.thread.is_alive()
        with recording(world.settings):
            wait_until(lambda: world.n_forecasts() == 112 * 7)
    assert forecasting.stopped_after_s < 10
    found = world.events("demand-forecasted")
    assert len({one["event_id"] for one in found}) == len(found) == 112
    today = local_day(AT)
    assert {one["days"][0]["day"] for one in found} == {today}
    asked = sum(1 + k % 3 for k in range(40) if local_day(AT - 5 * MINUTE - k * DAY // 2) < today)
    demand = DemandDays(world.url)
    (known,) = demand.demand(today)
    assert (known.district, sum(known.units)) == ("Kollam", asked)
    by_group = {one["blood_group"]: one for one in found if one["district"] == "Kollam"}
    (group,) = [group for group, one in by_group.items() if one["days"][0]["predicted_demand"] > 0]
    rows = world.record.ask(
        "SELECT blood_group, predicted_demand, confidence_lower, confidence_upper, model_version FROM demand_forecasts "
        "WHERE district = 'Kollam' AND predicted_demand > 0 ORDER BY forecast_date"
    )
    days = by_group[group]["days"]
    assert [row[1:4] for row in rows] == [
        (day["predicted_demand"], day["confidence_lower"], day["confidence_upper"]) for day in days
    ]
    assert {(row[0], row[4]) for row in rows} == {(known.blood_group, "0.0.1")}
    demand.close()
    said = drawn(world.url, "Kollam", known.blood_group, tmp_path / "kollam.png")
    assert f"{sum(day['predicted_demand'] for day in days):.1f} units" in said
    assert (tmp_path / "kollam.png").stat().st_size > 10_000


def test_markers_of_transactions_at_the_ends_are_not_waited_for_and_in_vain_is_given_up(world):
    producer = Producer({"bootstrap.servers": world.servers, "transactional.id": f"{world.prefix}upstream"})
    producer.init_transactions()
    producer.begin_transaction()
    for topic, of in requests(6):
        producer.produce(world.prefix + topic, CODEC.encode(topic, of), key_of(topic, of))
    producer.commit_transaction()  # leaves a marker in each partition that it touched
    with recording(world.settings), world.forecasting(wait_s=600):
        world.publish(trigger(1))
        wait_until(lambda: world.n_forecasts() == 112 * 7)
    world.publish(*requests(7), trigger(2), trigger(3, districts=["Kollam"]))  # nobody records now
    with world.forecasting(wait_s=0.5):
        wait_until(lambda: _committed(world) == 3)
    assert len(world.events("demand-forecasted")) == 112
    assert list(read_span(world.cluster, "dead-letters")) == []


def _committed(world):
    consumer = Consumer({"bootstrap.servers": world.servers, "group.id": f"{world.prefix}forecasting"})
    try:
        (at,) = consumer.committed([TopicPartition(f"{world.prefix}forecast-triggered", 0)], timeout=5)
        return sum(1 for _ in read_span(world.cluster, "forecast-triggered", end=max(at.offset, 0)))
    finally:
        consumer.close()
