"""A small world for the recorder: its topics on the broker, events on them, and workers in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from sqlalchemy import create_engine, text

from consumers.recording.projection import TOPOLOGY
from smartblood.settings import Settings
from smartblood.storage.recorder import Recorder
from smartblood.storage.schema import upgrade
from smartblood.storage.tables import METADATA
from tests.nursery import started
from tests.record_events import AT, CODEC, MINUTE, an_id, event, key_of, matches_of

N_PARTITIONS = 3


def make_topics(servers, prefix, names=TOPOLOGY.sources):
    """Make the sources of recording."""
    client = AdminClient({"bootstrap.servers": servers})
    made = client.create_topics([NewTopic(prefix + name, N_PARTITIONS, 1) for name in names])
    for future in made.values():
        future.result()


def delete_topic(servers, name):
    """Delete a topic, and wait until it is gone."""
    client = AdminClient({"bootstrap.servers": servers})
    client.delete_topics([name])[name].result()
    wait_until(lambda: name not in client.list_topics(timeout=5).topics)


def publish(servers, prefix, records):
    """Append (topic, key, bytes) records; the key decides the partition."""
    producer = Producer(
        {"bootstrap.servers": servers, "partitioner": "murmur2_random", "linger.ms": 20, "message.max.bytes": 4_000_000}
    )
    for topic, key, value in records:
        producer.produce(prefix + topic, value, key)
        producer.poll(0)
    assert producer.flush(30) == 0


def encoded(events, codec=CODEC):
    """Events (topic, event) as records."""
    return [(topic, key_of(topic, of), codec.encode(topic, of)) for topic, of in events]


def a_history(n_requests=60, n_donors=40):
    """Everything that recording reads, with repeats, corrections, closings, a second wave and erasures."""
    told = []
    for donor in range(n_donors):
        told.append(("donor-states", event("donor-states", donor_id=donor, total_donations=donor)))
        if donor % 10 == 3:
            gone = {
                "registered_at": None,
                "erased_at": AT + 5 * MINUTE,
                "last_erased_at": AT + 5 * MINUTE,
                "occurred_at": AT + 5 * MINUTE,
            }
            told.append(("donor-states", event("donor-states", donor_id=donor, **gone)))
            of = {"donor_id": donor, "request_id": donor, "wave": 9, "event_id": an_id(7000 + donor)}
            told.append(("donor-responded", event("donor-responded", response="NOTIFIED", occurred_at=AT, **of)))
    for n in range(n_requests):
        offered = [(n * 7 + k) % n_donors for k in range(4)]
        of = {"request_id": n, "event_id": an_id(1000 + n), "occurred_at": AT + n * MINUTE}
        told.append(("blood-request-created", event("blood-request-created", **of)))
        told.append(("matches", _answer(n, 1, offered)))
        if n % 3 == 0:
            later = of | {"event_id": an_id(2000 + n), "occurred_at": AT + (n + 2) * MINUTE, "units_required": 3}
            told.append(("blood-request-created", event("blood-request-created", **later)))
            told.append(("matches", _answer(n, 2, offered[::-1])))
        if n % 5 == 1:  # a producer's bug: an id that was given away; whichever lies first is what was said
            other = of | {"occurred_at": AT + (n + 3) * MINUTE, "units_required": 90 + n % 9}
            told.append(("blood-request-created", event("blood-request-created", **other)))
        if n % 2 == 0:
            over = {"request_id": n, "event_id": an_id(3000 + n), "occurred_at": AT + (n + n % 4) * MINUTE}
            told.append(("blood-request-closed", event("blood-request-closed", **over)))
        # After the erasures: what an erased donor said before is kept by an offer alone that was there already.
        for k, (response, at) in enumerate([("NOTIFIED", 6), ("OPENED", 7), ("ACCEPTED", 9 + n)]):
            of = {"donor_id": offered[0], "request_id": n, "wave": 1, "event_id": an_id(4000 + 10 * n + k)}
            told.append(
                ("donor-responded", event("donor-responded", response=response, occurred_at=AT + at * MINUTE, **of))
            )
        told.append(("prediction-logged", event("prediction-logged", event_id=an_id(9000 + n))))
        told.append(("demand-forecasted", _forecast(n)))
        told.append(("maintenance-triggered", event("maintenance-triggered", slot_at=AT + n * MINUTE)))
    return told + [each for each in told[::5] if each[0] != "donor-states"]  # whose order is what holds


def _forecast(n):
    (day,) = event("demand-forecasted")["days"]
    days = [day | {"day": day["day"] + n % 7 + ahead, "predicted_demand": float(n)} for ahead in range(3)]
    return event("demand-forecasted", event_id=an_id(8000 + n), as_of=AT + (n * 37 % 60) * MINUTE, days=days)


def _answer(n, wave, offered):
    at = AT + (n + 2 * (wave - 1)) * MINUTE
    answered = an_id(1000 * wave + n)
    return matches_of(offered, request_id=n, wave=wave, request_event_id=answered, occurred_at=at)


def settings_of(servers, prefix, url):
    """What the recorder is told."""
    return {"kafka_bootstrap_servers": servers, "topic_prefix": prefix, "database_url": url}


class Record:
    """What is in a database."""

    def __init__(self, url):
        upgrade(url)
        self.engine = create_engine(url, pool_pre_ping=True)

    def clear(self):
        with self.engine.begin() as connection:
            for table in METADATA.tables:
                connection.execute(text(f"DELETE FROM {table}"))

    def change(self, statement):
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def ask(self, statement):
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def tables(self):
        """All rows of all tables but their serial ids, sorted; offsets apart."""
        found = {}
        for table in METADATA.sorted_tables:
            names = [each.name for each in table.columns if each.autoincrement is not True or each.name != "id"]
            if table.name in {"demand_forecasts", "match_predictions", "model_prediction_logs", "refused_records"}:
                names.remove("id")
            listed = ", ".join(f'"{name}"' for name in names)
            found[table.name] = sorted(self.ask(f"SELECT {listed} FROM {table.name}"), key=repr)
        return found

    def offsets(self):
        return dict(self.ask("SELECT topic || '/' || partition, next_offset FROM consumer_offsets"))


def wait_until(is_so, within_s=60.0, each_s=0.05):
    """Wait until it is so."""
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until, "not so in time"
        time.sleep(each_s)


@contextmanager
def recording(settings, slot="a", **options):
    """A recorder in a thread, stopped at the end."""
    stop = threading.Event()
    errors = []
    recorder = Recorder(Settings(**settings), slot, **options)

    def run():
        try:
            recorder.run(stop)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    recorder.thread = thread
    try:
        yield recorder
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@contextmanager
def worker(settings, *, slot="a", step="none", nth=1, by="SIGKILL"):
    """A recorder in a process of its own, which sends itself a signal at a step; killed at the end."""
    given = {"settings": settings, "slot": slot, "step": step, "nth": nth, "signal": by}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMARTBLOOD_")}
    hears, says = os.pipe()
    with os.fdopen(hears) as said, os.fdopen(says, "wb") as out:
        process = started(
            "tests.integration.recording.self_ending", json.dumps(given), env=environment, output=(out, 2)
        )
        try:
            out.close()  # it gets an end of its own
            assert said.readline() == "up\n"
            yield process
        finally:
            process.kill()
            process.wait()


class CrashError(BaseException):
    """Ends a recorder in a thread where a process would die."""


@contextmanager
def crashing(settings, step):
    """A recorder in a thread that ends in a crash at a step."""

    def probe(at):
        if at == step:
            raise CrashError

    with suppress(CrashError), recording(settings, probe=probe) as recorder:
        yield recorder


def end(process):
    """End a process cleanly; return how long that took."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    return time.monotonic() - began
