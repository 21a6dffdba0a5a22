"""Where no broker answers, every command that needs one ends soon, with one line that says where and what to do."""

from __future__ import annotations

import json
import socket
import time

import pytest

from schemas.codec import Codec
from smartblood import cli
from smartblood.cli import reach, run
from smartblood.errors import Fatal
from smartblood.kafka import answering, publisher
from smartblood.kafka.client import Cluster
from smartblood.kafka.publisher import Publisher
from smartblood.settings import MODELS_DIR

NOWHERE = "127.0.0.1:1"
PATIENCE_S = 10.0
DEFAULTS = json.loads((MODELS_DIR / "model_map.json").read_text("utf-8"))["defaults"]
MATCH = "donor_seeker_match"


COMMANDS = [
    ["topics", "create"],
    ["topics", "check"],
    ["topics", "keep", "kept"],
    ["decode", "matches"],
    ["simulate", "--donors", "5"],
    ["schedules", "list"],
    ["schedules", "fire", "weekly-forecast"],
    ["schedules", "fire", "weekly-forecast", "--slot", "2026-11-30T05:00:00+05:30"],
    ["models", "release", MATCH, DEFAULTS[MATCH], "--role", "shadow"],
    ["models", "release", MATCH, "0.0.1", "--role", "retired"],
    ["models", "recalibrate", MATCH, "--version", "9.9.9", "--from-topics"],
    ["train", MATCH, "--version", "9.9.9", "--from-topics", "--out", "made"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_broker_that_does_not_answer_is_one_line_and_3(arguments, monkeypatch, tmp_path, capfd):
    waited = []

    def ask_once(ready, *, within_s, **_):
        waited.append(within_s)
        return ready()

    monkeypatch.setattr(reach, "wait_until", ask_once)
    monkeypatch.setenv("SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS", NOWHERE)
    monkeypatch.chdir(tmp_path)
    assert cli.exit_code(arguments) == 3
    said = capfd.readouterr()
    assert said.out == ""
    (only,) = said.err.splitlines()
    assert only.startswith(f"smartblood: no Kafka broker answers at {NOWHERE}; start it, or set SMARTBLOOD_KAFKA_BOOT")
    (patience_s,) = waited
    assert patience_s <= PATIENCE_S
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def silent():
    """The address of a listener that takes connections, as its system does for it, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_broker_that_takes_connections_and_says_nothing_is_one_line_and_3(
    arguments, silent, monkeypatch, tmp_path, capfd
):
    monkeypatch.setattr(answering.await_answer, "__defaults__", (0.5,))
    monkeypatch.setenv("SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS", silent)
    monkeypatch.chdir(tmp_path)
    began_s = time.monotonic()
    assert cli.exit_code(arguments) == 3
    assert time.monotonic() - began_s < PATIENCE_S
    said = capfd.readouterr()
    assert said.out == ""
    (only,) = said.err.splitlines()
    assert only.startswith(f"smartblood: the broker at {silent} accepts connections and doesn't answer within ")
    assert list(tmp_path.iterdir()) == []


def test_all_that_a_command_waits_for_is_less_than_ten_seconds(silent, monkeypatch, capfd):
    monkeypatch.setenv("SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS", silent)
    began_s = time.monotonic()
    assert cli.exit_code(["simulate", "--donors", "5"]) == 3
    assert 5.0 < time.monotonic() - began_s < PATIENCE_S
    assert "; see whether it is well" in capfd.readouterr().err


def test_check_says_that_a_broker_does_not_answer(silent, monkeypatch, capsys):
    monkeypatch.setattr(answering.await_answer, "__defaults__", (0.5,))
    monkeypatch.setenv("SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS", silent)
    assert cli.exit_code(["check"]) == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.split()[1] == "broker")
    assert line.startswith("NO")
    assert f"the broker at {silent} accepts connections and doesn't answer" in line


def test_what_runs_on_waits_for_no_answer(silent, monkeypatch):
    """Processors begin, and try until the broker is well."""
    monkeypatch.setenv("SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS", silent)
    began = []
    monkeypatch.setattr(run, "_run_alone", lambda name, *_: began.append(name))
    assert cli.exit_code(["run", "matching"]) == 0
    assert began == ["matching"]


def test_a_publisher_whose_queue_stays_full_gives_up(monkeypatch):
    monkeypatch.setattr(publisher, "FLUSH_WITHIN_S", 0.3)
    full = Publisher(Cluster(NOWHERE, properties={"queue.buffering.max.messages": "1"}), Codec())
    full.publish_encoded("matches", None, b"", 1)
    with pytest.raises(Fatal, match=f"{NOWHERE} .*, 1 records are left.*; see whether it runs"), full:
        full.publish_encoded("matches", None, b"", 1)


def test_a_publisher_that_is_not_rid_of_all_says_of_whom_and_what_to_do(monkeypatch):
    monkeypatch.setattr(publisher, "FLUSH_WITHIN_S", 0.3)
    waiting = Publisher(Cluster(NOWHERE), Codec())
    waiting.publish_encoded("matches", None, b"", 1)
    with pytest.raises(Fatal, match=f"{NOWHERE} .*, 1 records are left.*; see whether it runs"):
        waiting.flush()
