"""The broker and the database that are started on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest
import sqlalchemy
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from smartblood.local import children, fencing
from smartblood.local.broker import LARGEST_RECORD_BYTES, LocalBroker
from smartblood.local.postgres import LocalPostgres

pytestmark = pytest.mark.broker


def test_a_killed_broker_comes_back_on_its_port_with_what_it_held(tmp_path):
    with LocalBroker(tmp_path / "kafka") as broker:
        where = broker.bootstrap_servers
        admin = KafkaAdminClient(bootstrap_servers=where)
        admin.create_topics([NewTopic("kept", 1, 1)])
        admin.close()
        producer = KafkaProducer(bootstrap_servers=where, max_request_size=LARGEST_RECORD_BYTES, acks="all")
        producer.send("kept", b"x" * (2**20 + 1000)).get(timeout=20)
        producer.close()
        broker.kill()
        broker.restart()
        assert broker.bootstrap_servers == where
        consumer = KafkaConsumer(
            "kept", bootstrap_servers=where, auto_offset_reset="earliest", consumer_timeout_ms=10_000
        )
        assert len(next(iter(consumer)).value) == 2**20 + 1000
        consumer.close()


def test_a_killed_broker_is_fenced_before_it_comes_back_and_one_that_was_stopped_is_not(tmp_path):
    with LocalBroker(tmp_path / "kafka") as broker:
        broker.kill()
        broker.begin()
        assert broker.log_path.read_text("utf-8").count("Fencing broker 1 ") == 1, "by the controller alone"
        broker.await_ready()
        broker.restart()
        assert broker.log_path.read_text("utf-8").count("Fencing broker 1 ") == 1


@pytest.fixture
def fenced(monkeypatch):
    """Whether there was somebody to fence, for each time it was tried."""
    tried, fence = [], fencing.fence
    monkeypatch.setattr(fencing, "fence", lambda *args, **settings: tried.append(fence(*args, **settings)))
    return tried


def test_a_broker_that_is_killed_before_it_registered_again_is_not_fenced_twice(tmp_path, fenced):
    with LocalBroker(tmp_path / "kafka") as broker:
        broker.kill()
        broker.begin()
        broker.kill()
        broker.start()
        assert fenced == [True]
        broker.kill()
        broker.start()
        assert fenced == [True, True], "it had registered again"


def test_a_broker_that_is_killed_before_it_registered_for_the_first_time_is_not_fenced_in_vain(tmp_path, fenced):
    broker = LocalBroker(tmp_path / "kafka")
    broker.begin()
    assert children.wait_until((broker.folder / "data" / "__cluster_metadata-0").is_dir, within_s=30)
    broker.kill()
    with broker:
        assert False not in fenced


def test_a_killed_postgres_comes_back_on_its_port_with_what_was_committed(tmp_path):
    with LocalPostgres(tmp_path / "postgres") as postgres:
        url = postgres.url
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE kept (n int)"))
            connection.execute(sqlalchemy.text("INSERT INTO kept VALUES (7)"))
        postgres.kill()
        postgres.restart()
        assert postgres.url == url
        with engine.begin() as connection:
            assert connection.execute(sqlalchemy.text("SELECT n FROM kept")).scalar_one() == 7


STARTS_BOTH = """
import sys, time
from pathlib import Path
from smartblood.local import children, fencing
from smartblood.local.broker import LocalBroker
from smartblood.local.postgres import LocalPostgres
broker, postgres = LocalBroker(Path(sys.argv[1]) / "kafka"), LocalPostgres(Path(sys.argv[1]) / "postgres")
broker.begin(); postgres.start(); broker.await_ready()
print(broker.process.pid, postgres.process.pid, flush=True)
time.sleep(600)
"""


def test_nothing_outlives_a_parent_that_is_killed(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", STARTS_BOTH, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    family = [psutil.Process(pid) for pid in pids]
    family += [child for process in family for child in process.children(recursive=True)]
    assert len(pids) == 2
    assert len(family) > 4  # Postgres has children of its own
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_the_shared_fixtures_start(broker, database_url, topic_prefix):
    assert broker.process.poll() is None
    with sqlalchemy.create_engine(database_url).connect() as connection:
        assert connection.execute(sqlalchemy.text("SHOW timezone")).scalar_one() == "UTC"
    assert topic_prefix.endswith("-")
