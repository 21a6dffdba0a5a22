"""Topics made and checked, and records shown, by the commands that people type."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

import schemas
from schemas.catalogue import topics
from schemas.codec import Codec
from smartblood.cli import exit_code
from smartblood.kafka.client import Cluster, admin, plain_producer
from smartblood.local.children import wait_until

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
    assert said(capsys, "topics", "create") == (0, ["all topics are as they should be"])
    assert said(capsys, "topics", "check")[0] == 0
    monkeypatch.setenv("SMARTBLOOD_DONOR_PARTITIONS", "4")
    monkeypatch.setenv("SMARTBLOOD_REPLAY_HORIZON_DAYS", "8")
    code, lines = said(capsys, "topics", "check")
    assert code == 1
    assert f"{settings.prefix}donor-states: partitions is 3, should be 4" in lines
    assert f"{settings.prefix}donor-registered: min.compaction.lag.ms is 604800000, should be 691200000" in lines


def test_what_is_configured_otherwise_is_set_and_nothing_else(settings, capsys, monkeypatch) -> None:
    assert said(capsys, "topics", "create")[0] == 0
    states, deaths = settings.topic("donor-states"), settings.topic("dead-letters")
    configure(settings, states, {"cleanup.policy": "delete", "segment.bytes": "12345678"})
    configure(settings, deaths, {"retention.ms": "1000"})
    assert said(capsys, "topics", "check")[0] == 1
    code, lines = said(capsys, "topics", "create")
    assert code == 0
    assert lines == [
        f"{states}: cleanup.policy was delete, is compact",
        f"{deaths}: retention.ms was 1000, is 2592000000",
    ]
    assert said(capsys, "topics", "check") == (0, ["all topics are as they should be"])
    assert configured(settings, states, "segment.bytes") == "12345678"
    monkeypatch.setenv("SMARTBLOOD_REPLAY_HORIZON_DAYS", "8")
    code, lines = said(capsys, "topics", "create")
    assert code == 0
    assert f"{states}: min.compaction.lag.ms was 604800000, is 691200000" in lines
    assert said(capsys, "topics", "check")[0] == 0


def test_what_cannot_be_set_is_said_and_the_answer_is_no(settings, capsys, monkeypatch) -> None:
    assert said(capsys, "topics", "create")[0] == 0
    states = settings.topic("donor-states")
    configure(settings, states, {"min.cleanable.dirty.ratio": "0.5"})
    monkeypatch.setenv("SMARTBLOOD_DONOR_PARTITIONS", "4")
    monkeypatch.setenv("SMARTBLOOD_REPLICATION_FACTOR", "2")
    code, lines = said(capsys, "topics", "create")
    assert code == 1
    assert f"{states}: min.cleanable.dirty.ratio was 0.5, is 0.2" in lines
    [partitions] = [line for line in lines if line.startswith(f"{states}: partitions is 3, should be 4")]
    assert "another prefix" in partitions
    assert any(line.startswith(f"{states}: copies of a partition is 1, should be 2") for line in lines)
    assert f"{states}: partitions is 3, should be 4" in said(capsys, "topics", "check")[1]


def test_a_cluster_that_forbids_it_is_quoted_and_the_answer_is_no(settings, capsys, monkeypatch) -> None:
    def refusing(_, resources, **__):
        future: Future[None] = Future()
        future.set_exception(KafkaException(KafkaError(KafkaError.POLICY_VIOLATION, "not here")))
        return dict.fromkeys(resources, future)

    assert said(capsys, "topics", "create")[0] == 0
    deaths = settings.topic("dead-letters")
    configure(settings, deaths, {"retention.ms": "1000"})
    monkeypatch.setattr(AdminClient, "incremental_alter_configs", refusing)
    code, [line] = said(capsys, "topics", "create")
    assert code == 1
    assert line.startswith(f"{deaths}: retention.ms is 1000, should be 2592000000; ")
    assert "not here" in line


@pytest.mark.usefixtures("settings")
def test_a_start_asks_once_how_topics_are_configured_and_not_where_it_makes_them(capsys, monkeypatch) -> None:
    asked = []
    describe = AdminClient.describe_configs
    monkeypatch.setattr(AdminClient, "describe_configs", lambda *a, **k: asked.append(a) or describe(*a, **k))
    for n_asked in (0, 1):
        assert said(capsys, "topics", "create")[0] == 0
        assert len(asked) == n_asked


def configure(cluster: Cluster, topic: str, config: dict[str, str]) -> None:
    """Set entries as an operator would, and wait until the brokers say so."""
    entries = [ConfigEntry(*one, incremental_operation=AlterConfigOpType.SET) for one in config.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    client = admin(cluster)
    client.incremental_alter_configs([resource])[resource].result(10)
    wait_until(lambda: all(configured(cluster, topic, name) == value for name, value in config.items()), within_s=10)


def configured(cluster: Cluster, topic: str, name: str) -> str | None:
    resource, client = ConfigResource(ResourceType.TOPIC, topic), admin(cluster)
    return client.describe_configs([resource])[resource].result(10)[name].value


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
