"""Topics made and checked, and records shown, by the commands that people type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import schemas
from schemas.catalogue import topics
from schemas.codec import Codec
from smartblood.cli import exit_code
from smartblood.kafka.client import Cluster, plain_producer

pytestmark = pytest.mark.broker

EXAMPLES = Path(schemas.__file__).parent / "examples"


@pytest.fixture
def settings(broker, topic_prefix, monkeypatch) -> Cluster:
    monkeypatch.setenv("SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("SMARTBLOOD_TOPIC_PREFIX", topic_prefix)
    monkeypatch.setenv("SMARTBLOOD_DONOR_PARTITIONS", "3")
    return Cluster(broker.bootstrap_servers, topic_prefix)


def said(capsys, *arguments: str) -> tuple[int, list[str]]:
    code = exit_code(arguments)
    return code, capsys.readouterr().out.splitlines()


def test_topics_are_made_once_and_found_as_they_should_be(settings, capsys, monkeypatch) -> None:
    code, lines = said(capsys, "topics", "check")
    assert code == 1
    assert len(lines) == len(topics())
    assert all("missing" in line for line in lines)
    code, lines = said(capsys, "topics", "create")
    assert (code, lines) == (0, [f"made {settings.prefix}{name}" for name in topics()])
    assert said(capsys, "topics", "create") == (0, ["all topics are there"])
    assert said(capsys, "topics", "check")[0] == 0
    monkeypatch.setenv("SMARTBLOOD_DONOR_PARTITIONS", "4")
    monkeypatch.setenv("SMARTBLOOD_REPLAY_HORIZON_DAYS", "8")
    code, lines = said(capsys, "topics", "check")
    assert code == 1
    assert f"{settings.prefix}donor-states: partitions is 3, should be 4" in lines
    assert f"{settings.prefix}donor-registered: min.compaction.lag.ms is 604800000, should be 691200000" in lines


def test_records_are_shown_as_a_person_reads_them(settings, capsys) -> None:
    assert said(capsys, "topics", "create")[0] == 0
    example = json.loads((EXAMPLES / "donor-registered.v1.json").read_text("utf-8"))
    producer = plain_producer(settings, lambda _: None)
    name = settings.topic("donor-registered")
    for timestamp in (1_700_000_000_000, 1_800_000_000_000):
        producer.produce(
            name,
            Codec().encode("donor-registered", example["event"]),
            b"1",
            partition=1,
            timestamp=timestamp,
            headers=[("trace", b"\xff")],
        )
    producer.produce(name, b"\x00garbage", b"1", partition=2, timestamp=1_700_000_000_000)
    producer.produce(name, None, b"1", partition=2, timestamp=1_700_000_000_000)
    assert producer.flush(10) == 0
    code, lines = said(capsys, "decode", "donor-registered")
    shown = [json.loads(line) for line in lines]
    assert code == 0
    assert sorted((line["partition"], line["offset"]) for line in shown) == [(1, 0), (1, 1), (2, 0), (2, 1)]
    good, bad = (next(line for line in shown if (line["partition"], line["offset"]) == at) for at in ((1, 0), (2, 0)))
    assert good["timestamp"] == "2023-11-14T22:13:20Z"
    assert good["headers"] == {"trace": {"base64": "/w=="}}
    assert good["value"]["occurred_at"].endswith("Z")
    assert good["value"]["donor_id"] == example["event"]["donor_id"]
    assert "not known" in bad["error"]
    code, lines = said(capsys, "decode", "donor-registered", "--from", "2025-01-01")
    assert [json.loads(line)["offset"] for line in lines] == [1]
    code, lines = said(capsys, "decode", "donor-registered", "--from", "0", "--to", "1", "--max", "1")
    assert len(lines) == 1
    assert said(capsys, "decode", "donor-registered", "--from", "2030-01-01T00:00:00Z") == (0, [])


def test_no_broker_is_one_line_and_exit_code_3(monkeypatch, capsys) -> None:
    monkeypatch.setenv("SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    assert exit_code(["topics", "check"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1
