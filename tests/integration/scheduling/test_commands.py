"""``smartblood run scheduling``, ``schedules list`` and ``schedules fire``, as an operator uses them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from producers.scheduling.cron import EPOCH
from producers.scheduling.schedules import STANDARD, Forecast, Schedule
from producers.scheduling.slots import latest_slot, next_slot
from producers.scheduling.triggers import state_of, trigger_of
from smartblood.cli import exit_code
from smartblood.kafka.publisher import Publisher
from smartblood.kafka.topics import ensure
from smartblood.probes import of_all_processes, ready_workers
from smartblood.settings import load
from smartblood.supervisor import Supervisor
from tests.integration.scheduling.weeks import CODEC, wait_until
from tests.nursery import ROOT, spawn_worker

pytestmark = pytest.mark.broker

EVERY_MINUTE = """
[every-minute]
cron = "* * * * *"
districts = ["Idukki"]
"""


@pytest.fixture
def environment(weeks, monkeypatch, tmp_path):
    (tmp_path / "schedules.toml").write_text(EVERY_MINUTE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS", weeks.cluster.bootstrap_servers)
    monkeypatch.setenv("SMARTBLOOD_TOPIC_PREFIX", weeks.cluster.prefix)
    monkeypatch.setenv("SMARTBLOOD_SCHEDULES_FILE", str(tmp_path / "schedules.toml"))
    return weeks


def listed(capsys):
    assert exit_code(["schedules", "list", "--next", "2", "--json"]) == 0
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def micros(at):
    return (datetime.fromisoformat(at) - EPOCH) // timedelta(microseconds=1)


def shown(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def now_us():
    return time.time_ns() // 1_000


def test_fired_by_hand_it_is_of_this_minute_and_twice_it_is_one_event(environment, capsys):
    assert listed(capsys)["weekly-forecast"]["last_fired"] is None
    before_us = now_us()
    for _ in range(2):
        assert exit_code(["schedules", "fire", "weekly-forecast"]) == 0
    assert exit_code(["schedules", "fire", "daily-retention"]) == 0
    # a broker that has just begun may be waited for, and a client say so where others left logs as they are
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fired ")]
    one, two = environment.records("forecast-triggered")
    (kept,) = environment.records("maintenance-triggered")
    assert before_us - 60_000_000 < one["slot_at"] <= now_us()
    assert one["slot_at"] % 60_000_000 == 0
    assert one["as_of"] == one["occurred_at"] == one["slot_at"]
    if one["slot_at"] == two["slot_at"]:  # else the minute turned between them
        assert one == two
    assert one["event_id"] != trigger_of(STANDARD[0], one["slot_at"])["event_id"]
    assert kept["schedule"] == "daily-retention"
    assert one["event_id"] in said[0]
    assert environment.records("schedule-states") == []
    assert micros(listed(capsys)["weekly-forecast"]["last_fired"]["utc"]) == two["slot_at"]


def test_slots_that_can_not_be_are_passed_over_by_list_and_fire(environment, capsys):
    weekly, retention = STANDARD[0], STANDARD[2]
    good_us, said_ms = latest_slot(weekly, now_us()), now_us() // 1_000
    with Publisher(environment.cluster, CODEC) as publisher:
        publisher.publish("forecast-triggered", weekly.name, trigger_of(weekly, good_us), said_ms)
        for one, topic in ((weekly, "forecast-triggered"), (retention, "maintenance-triggered")):
            absurd = {"slot_at": 2**62}
            publisher.publish(topic, one.name, trigger_of(one, good_us) | absurd, said_ms)
            publisher.publish("schedule-states", one.name, state_of(one, good_us) | absurd, said_ms)
    rows = listed(capsys)
    assert micros(rows["weekly-forecast"]["last_fired"]["utc"]) == good_us
    assert rows["daily-retention"]["last_fired"] is None
    assert exit_code(["schedules", "list"]) == 0
    past = (EPOCH + timedelta(microseconds=good_us)).isoformat()
    assert exit_code(["schedules", "fire", "weekly-forecast", "--slot", past]) == 0


def test_a_past_slot_is_published_under_its_own_id_and_one_to_come_is_refused(environment, capsys):
    weekly = STANDARD[0]
    past_us, next_us = latest_slot(weekly, now_us()), next_slot(weekly, now_us())
    past, to_come = ((EPOCH + timedelta(microseconds=at)).isoformat() for at in (past_us, next_us))
    assert exit_code(["schedules", "fire", "weekly-forecast", "--slot", past]) == 0
    (found,) = environment.records("forecast-triggered")
    assert found == trigger_of(weekly, past_us)
    for arguments, said in (
        (["weekly-forecast", "--slot", to_come], "is still to come"),
        (["weekly-forecast", "--slot", "2026-11-24T00:00Z"], "is no slot of weekly-forecast"),
        (["weekly-forecast", "--slot", "monday"], "'monday' is no instant"),
        (["weekly"], "there is no schedule 'weekly'; there are weekly-forecast, nightly-reliability"),
    ):
        capsys.readouterr()
        assert exit_code(["schedules", "fire", *arguments]) == 2
        assert said in capsys.readouterr().err
    assert len(environment.records("forecast-triggered")) == 1


def test_a_standard_schedule_that_is_not_enabled_is_told_from_one_that_nobody_knows(environment, capsys, tmp_path):
    off = tmp_path / "schedules.toml"
    off.write_text("".join(f'["{one.name}"]\nenabled = false\n' for one in STANDARD))
    for name, said in (("weekly-forecast", "'weekly-forecast' isn't enabled"), ("weekly", "none is enabled")):
        assert exit_code(["schedules", "fire", name, "--schedules-file", str(off)]) == 2
        assert said in capsys.readouterr().err
    assert environment.records("forecast-triggered") == []


def test_list_shows_slots_in_local_time_and_utc_and_what_a_running_scheduler_fired(environment, capsys, tmp_path):
    every_minute = Schedule("every-minute", "* * * * *", Forecast())
    settled_us = latest_slot(every_minute, now_us()) - 60_000_000
    with Publisher(environment.cluster, CODEC) as publisher:  # as if another had led until a minute ago
        publisher.publish("schedule-states", "every-minute", state_of(every_minute, settled_us), now_us() // 1_000)
    log = tmp_path / "said.log"
    with log.open("ab") as said:
        running = subprocess.Popen(
            [sys.executable, "-m", "smartblood", "run", "scheduling", "--metrics-address", "127.0.0.1:0"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "SMARTBLOOD_LOG_FORMAT": "json", "SMARTBLOOD_SLOT": "one"},
            stderr=said,
        )
    try:
        wait_until(lambda: '"event": "fired"' in log.read_text(), 90)
        (fired, *_) = environment.records("forecast-triggered")
        assert fired["schedule"] == "every-minute"
        assert fired["districts"] == ["Idukki"]
        assert settled_us < fired["slot_at"] <= now_us()
        rows = listed(capsys)
        assert list(rows) == ["weekly-forecast", "nightly-reliability", "daily-retention", "every-minute"]
        assert micros(rows["every-minute"]["last_fired"]["utc"]) >= fired["slot_at"]
        weekly = rows["weekly-forecast"]["next"]
        assert [micros(at["utc"]) for at in weekly] == [micros(at["local"]) for at in weekly]
        assert all(at["local"].endswith("T05:00:00+05:30") and at["utc"].endswith("T23:30:00Z") for at in weekly)
        assert exit_code(["schedules", "list"]) == 0
        table = capsys.readouterr().out
        assert "weekly-forecast" in table
        assert datetime.fromisoformat(weekly[0]["utc"]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") in table
        (begun,) = [json.loads(line) for line in log.read_text().splitlines() if '"event": "running"' in line]
        wait_until(lambda: 'smartblood_ready{processor="scheduling",slot="one"} 1.0' in shown(begun["metrics"]))
        metrics = shown(begun["metrics"])
        assert 'smartblood_scheduler_leads{slot="one"} 1.0' in metrics
        assert 'smartblood_schedule_triggers_total{what="every-minute"}' in metrics
        assert float(metrics.split('smartblood_schedule_late_seconds{what="every-minute"} ')[1].split()[0]) < 120
        next_s = metrics.split('smartblood_schedule_next_slot_seconds{slot="one",what="weekly-forecast"} ')[1].split()[
            0
        ]
        assert float(next_s) * 1e6 == micros(weekly[0]["utc"])
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0
        for state in environment.records("schedule-states"):
            assert CODEC.encode("schedule-states", state)
    finally:
        running.kill()
        running.wait()
    assert "Traceback" not in log.read_text()


@pytest.mark.usefixtures("environment")
def test_it_shares_a_process_with_another_processor_and_stands_by_elsewhere(tmp_path):
    folder = tmp_path / "metrics"
    folder.mkdir()
    settings = load(donor_partitions=1, request_partitions=1, output_partitions=1)
    ensure(settings)
    said = []
    workers = [("scheduling+donor-state", "one"), ("scheduling", "two")]
    supervisor = Supervisor(workers, settings, folder, said.append, spawn_worker)
    supervisor.start()
    try:
        wait_until(lambda: not list(supervisor.unready()))
        ready = {("scheduling", "one"), ("donor-state", "one"), ("scheduling", "two")}
        assert ready_workers(of_all_processes(folder)()) == ready, "who stands by is ready, too"
        assert [child.n_restarts for child in supervisor._children] == [0, 0]
    finally:
        supervisor.stop()
    assert not said


@pytest.mark.usefixtures("environment")
def test_whoever_comes_second_stands_by_and_is_ready(tmp_path):
    """Of scheduling and of a processor with a loop: the one partition is another's."""
    settings = load(donor_partitions=1, request_partitions=1, output_partitions=1)
    ensure(settings)
    supervisors = []
    try:
        for slot in ("first", "second"):
            folder = tmp_path / slot
            folder.mkdir()
            supervisors.append(Supervisor([("scheduling+donor-state", slot)], settings, folder, print, spawn_worker))
            supervisors[-1].start()
            wait_until(lambda made=supervisors[-1]: not list(made.unready()))
    finally:
        for one in supervisors:
            one.stop()


def test_without_a_broker_list_says_what_it_can_not_know(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert exit_code(["schedules", "list", "--next", "1"]) == 0
    told = capsys.readouterr()
    assert "no Kafka broker is named" in told.err
    assert "weekly-forecast" in told.out
    monkeypatch.setenv("SMARTBLOOD_SCHEDULES_FILE", "none.toml")
    assert exit_code(["schedules", "list"]) == 3
    assert "SMARTBLOOD_SCHEDULES_FILE: none.toml can't be read" in capsys.readouterr().err
