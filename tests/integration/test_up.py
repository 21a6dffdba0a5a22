"""``smartblood up`` and ``run``: everything starts, is kept running, stops, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil
import pytest
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from smartblood.local.java import QUICK
from tests.processes import named, workers

pytestmark = pytest.mark.broker

READY_WITHIN_S = 180
PARTS = ("smartblood worker", "kafka.Kafka", "postgres -D")
PROGRAM = (sys.executable, "-P", "-m", "smartblood")


def start(*arguments, folder, **environment):
    with (folder / "said.log").open("ab") as said:
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )


def said(folder):
    return (folder / "said.log").read_text()


def addresses(process, folder):
    line = process.stdout.readline()
    assert line, said(folder)
    return json.loads(line)


def family(process):
    return psutil.Process(process.pid).children(recursive=True)


def is_ready(metrics):
    try:
        with urllib.request.urlopen(f"{metrics}/readyz", timeout=10) as answer:
            return answer.status == 200
    except urllib.error.HTTPError:
        return False


def answers(found):
    """Whether broker and database do, where they did before."""
    try:
        KafkaAdminClient(bootstrap_servers=found["kafka"]).close()
        with create_engine(found["database"]).connect() as connection:
            return connection.execute(text("SELECT count(*) FROM donors")).scalar() == 0
    except (KafkaError, OperationalError):
        return False


def until(what, within_s=READY_WITHIN_S):
    give_up_at_s = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.1)


def test_up_says_where_all_is_keeps_it_running_and_leaves_nothing_behind(tmp_path):
    up = start("up", "--data", "state", folder=tmp_path)
    try:
        found = addresses(up, tmp_path)
        assert set(found) == {"kafka", "database", "http", "metrics"}
        assert is_ready(found["metrics"])
        everybody = family(up)
        assert [len(named(everybody, part)) for part in PARTS] == [4, 1, 1]
        assert not named(everybody, QUICK[0]), "the broker lasts: to compile it well pays"

        (matching,) = workers(up.pid, "matching")
        matching.kill()
        until(lambda: not is_ready(found["metrics"]), within_s=20)
        until(lambda: is_ready(found["metrics"]))
        with urllib.request.urlopen(f"{found['metrics']}/metrics", timeout=10) as answer:
            assert "smartblood_worker_restarts_total{" in answer.read().decode()
        assert "died by signal 9: started again at once" in said(tmp_path)

        for part, name in zip(PARTS[1:], ("the local broker", "the local Postgres"), strict=True):
            (process,) = named(family(up), part)
            process.kill()
            until(lambda name=name: f"{name} died: started again" in said(tmp_path), within_s=20)
            until(lambda part=part: len(named(family(up), part)) == 1)
        until(lambda: answers(found), within_s=60)
        until(lambda: is_ready(found["metrics"]))

        everybody = family(up)
        up.send_signal(signal.SIGTERM)
        assert up.wait(timeout=60) == 0
        assert psutil.wait_procs(everybody, timeout=5)[1] == []
    finally:
        up.kill()
    assert "Traceback" not in said(tmp_path)

    again = start("up", "--data", "state", folder=tmp_path)  # on what it kept
    try:
        addresses(again, tmp_path)
        refused = subprocess.run(
            [*PROGRAM, "up", "--data", "state"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert refused.returncode == 3
        assert "is in use by another" in refused.stderr.splitlines()[-1]
        everybody = family(again)
        assert len(named(everybody, "smartblood worker")) == 4
        again.kill()  # as hard as it gets
        again.wait()
        assert psutil.wait_procs(everybody, timeout=10)[1] == []
    finally:
        again.kill()


def test_ctrl_c_while_it_starts_leaves_nothing_behind(tmp_path):
    up = start("up", folder=tmp_path)
    until(lambda: named(family(up), "kafka.Kafka"), within_s=60)
    everybody = family(up)
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=60) == 0
    assert up.stdout.read() == ""
    assert psutil.wait_procs(everybody, timeout=5)[1] == []


def test_where_addresses_are_set_nothing_local_is_started_in_their_place(tmp_path, broker, database_url, topic_prefix):
    theirs = {
        "SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "SMARTBLOOD_DATABASE_URL": database_url,
        "SMARTBLOOD_TOPIC_PREFIX": topic_prefix,
        "SMARTBLOOD_DONOR_PARTITIONS": "2",
        "SMARTBLOOD_REQUEST_PARTITIONS": "2",
        "SMARTBLOOD_OUTPUT_PARTITIONS": "1",
    }
    up = start("up", folder=tmp_path, **theirs)
    try:
        found = addresses(up, tmp_path)
        assert (found["kafka"], found["database"]) == (broker.bootstrap_servers, database_url)
        assert named(family(up), "kafka.Kafka") == named(family(up), "postgres") == []
        checked = subprocess.run(
            [*PROGRAM, "check"], cwd=tmp_path, env=os.environ | theirs, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout
        assert {line.split()[1] for line in checked.stdout.splitlines()} >= {"broker", "topics", "postgres", "tables"}
        everybody = family(up)
        up.send_signal(signal.SIGTERM)
        assert up.wait(timeout=60) == 0
        assert psutil.wait_procs(everybody, timeout=5)[1] == []
    finally:
        up.kill()

    for arguments in (["run", "donor-state"], ["run", "donor-state", "recording", "--workers", "2"]):
        address = f"127.0.0.1:{free_port()}"
        running = start(*arguments, "--metrics-address", address, folder=tmp_path, **theirs)
        try:
            until(lambda at=address: listens(at) and is_ready(f"http://{at}"))
            running.send_signal(signal.SIGTERM)
            assert running.wait(timeout=30) == 0
        finally:
            running.kill()
    assert "Traceback" not in said(tmp_path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(address):
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "line"),
    [
        (
            ["up"],
            {"SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"},
            "no Kafka broker answers at 127.0.0.1:9; start",
        ),
        (["up"], {"SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS": "nonsense:x"}, "no host:port"),
        (
            ["up"],
            {"SMARTBLOOD_DATABASE_URL": "postgresql+psycopg2://u:s3cret@127.0.0.1:9/x"},
            "Postgres doesn't answer",
        ),
        (["up", "--data", "/proc/nowhere"], {}, "can't use /proc/nowhere"),
        (["run", "matching"], {}, "no Kafka broker is named"),
        (
            ["decode", "matches"],
            {"SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
            "no Kafka broker answers at 127.0.0.1:1; start",
        ),
    ],
)
def test_what_cannot_work_is_one_line_and_3(arguments, environment, line, tmp_path):
    done = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout == ""
    (only,) = done.stderr.splitlines()
    assert only.startswith("smartblood: ")
    assert line in only
    assert "s3cret" not in only


def test_a_busy_port_is_one_line_and_3(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = subprocess.run(
            [*PROGRAM, "up", "--metrics-address", f"127.0.0.1:{port}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    (only,) = done.stderr.splitlines()
    assert f"port {port} on 127.0.0.1 is taken" in only
