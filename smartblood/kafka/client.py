"""Names on the cluster, and clients with the settings that correctness and latency ask for.

Whatever librdkafka takes can be set by the user (TLS, SASL, timeouts), but for the few properties that exactly-once
stands on: those win over the user's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from schemas.records import Headers, Record
from smartblood import logs
from smartblood.errors import Fatal
from smartblood.kafka.faults import FORBIDDEN

MAX_RECORD_BYTES = 64 * 1024 * 1024
"""The largest record that our producers try to send, before compression; topics have limits of their own."""

OUR_RECORD_BYTES_MAX = MAX_RECORD_BYTES - 1024
"""Records up to this size are surely not refused by the client itself."""

BATCH_BYTES = 1_000_000
"""librdkafka's own ``batch.size``: several records go into one batch up to here, a larger one goes alone."""

TRANSACTION_TIMEOUT_MS = 20_000
FETCH_WAIT_MS = 50
BULK_BYTES_MIN, BULK_WAIT_MS = 1_048_576, 100
FOLLOW_WAIT_MS = 25
"""How long a broker may hold a follower's fetch when there is nothing: so much later the end of a partition is known,
since what lies between the last record and the last stable offset (markers, aborted records) is never delivered.

Each fetch names all partitions of a reader, and on two cores the broker is what matches wait for. From event to match,
medians of three runs of ``tests/bench/bench_stream.py``, 100 requests/s: 77 ms where followers wait 5 ms and recording
fetches as records come; 45 where followers wait 25; 37 where recording fetches in bulk besides."""

_SLOT = re.compile(r"[A-Za-z0-9._-]{1,200}")

Properties = dict[str, Any]
OnError = Callable[[KafkaError], None]


class KafkaSettings(Protocol):
    """What ``smartblood.settings`` says about Kafka."""

    @property
    def kafka_bootstrap_servers(self) -> str | None:
        """Addresses, ``host:port`` with commas between."""

    @property
    def kafka(self) -> Mapping[str, str]:
        """Further librdkafka properties, by their dotted names."""

    @property
    def topic_prefix(self) -> str:
        """What precedes the names of topics, groups and transactional ids."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka cluster and our names on it.

    Parameters
    ----------
    bootstrap_servers : str
        Addresses, ``host:port`` with commas between.
    prefix : str
        Covers topics, group ids and transactional ids.
    properties : mapping of str to str
        Further librdkafka properties; ``group.protocol`` may be ``classic`` for brokers older than 4.3.
    """

    bootstrap_servers: str
    prefix: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: KafkaSettings) -> Cluster:
        """Return the cluster that the settings name.

        Raises
        ------
        Fatal
            If they name none.
        """
        if not settings.kafka_bootstrap_servers:
            message = "no Kafka broker is named: set SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS, or use `smartblood up`"
            raise Fatal(message)
        return cls(settings.kafka_bootstrap_servers, settings.topic_prefix, dict(settings.kafka))

    def topic(self, name: str) -> str:
        """Return the topic's name as the cluster has it."""
        return self.prefix + name

    def contract_name(self, topic: str) -> str:
        """Return the contract's name of a topic of the cluster."""
        return topic.removeprefix(self.prefix)

    def group(self, name: str) -> str:
        """Return the id of a processor's consumer group."""
        return self.prefix + name

    def transactional_id(self, name: str, slot: str, turn: int = 0) -> str:
        """Return the stable id of a worker's producer; a slot has one for each of the producers it uses in turn.

        Raises
        ------
        Fatal
            If the slot's name has other characters than letters, digits, dots, underscores and hyphens.
        """
        if not _SLOT.fullmatch(slot):
            message = f"slot {slot!r}: use letters, digits, dots, underscores and hyphens (SMARTBLOOD_SLOT)"
            raise Fatal(message)
        return f"{self.prefix}{name}-{slot}" + (f"~{turn}" if turn else "")

    @property
    def classic(self) -> bool:
        """Whether groups speak the protocol of brokers older than 4.3."""
        return self.properties.get("group.protocol", "consumer") == "classic"


def group_consumer(
    cluster: Cluster,
    name: str,
    on_error: OnError,
    on_stats: Callable[[str], None],
    *,
    in_bulk: bool = False,
) -> Consumer:
    """Return a consumer in a processor's group; it commits nothing by itself.

    What is read ``in_bulk`` waits a moment for more to come with it.
    """
    group: Properties = (
        {"group.protocol": "classic", "partition.assignment.strategy": "range", "session.timeout.ms": 10_000}
        if cluster.classic
        else {"group.protocol": "consumer", "group.remote.assignor": "range"}
    )
    return Consumer(
        _reading(cluster, name)
        | {"max.poll.interval.ms": 120_000}
        | ({"fetch.min.bytes": BULK_BYTES_MIN, "fetch.wait.max.ms": BULK_WAIT_MS} if in_bulk else {})
        | _of_user(cluster)
        | _for_correctness()
        | group
        | {"error_cb": on_error, "stats_cb": on_stats, "statistics.interval.ms": 5_000},
        logger=_log(),
    )


def reader(
    cluster: Cluster,
    name: str,
    on_error: OnError,
    *,
    stable: bool = True,
    **properties: Any,  # noqa: ANN401 - as librdkafka takes
) -> Consumer:
    """Return a consumer that is assigned by hand and tells the ends of partitions; it joins and commits nothing.

    It carries the group id of ``name`` so that no further right has to be granted on the cluster. Underscores of
    ``properties`` are dots. Unless ``stable`` it sees what lies before a transaction that is still open.
    """
    given = {key.replace("_", "."): value for key, value in properties.items()}
    following = {
        "fetch.wait.max.ms": FOLLOW_WAIT_MS,
        "queued.max.messages.kbytes": 65_536,
        "fetch.max.bytes": 16_777_216,
    }
    own: Properties = {"enable.partition.eof": True, "group.protocol": "classic", "error_cb": on_error}
    own |= {} if stable else {"isolation.level": "read_uncommitted"}
    user = {key: value for key, value in _of_user(cluster).items() if not key.startswith("group.")}
    return Consumer(_reading(cluster, name) | following | user | given | _for_correctness() | own, logger=_log())


def transactional_producer(
    cluster: Cluster, transactional_id: str, on_error: OnError, batch_bytes_max: int = BATCH_BYTES
) -> Producer:
    """Return a producer of transactions, not yet initialised.

    No batch of several records becomes larger than ``batch_bytes_max``, which every topic that it writes takes.
    """
    producing = _producing(cluster)
    return Producer(
        producing
        | {
            "batch.size": min(int(producing.get("batch.size", BATCH_BYTES)), batch_bytes_max),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "error_cb": on_error,
        },
        logger=_log(),
    )


def plain_producer(cluster: Cluster, on_error: OnError, **properties: Any) -> Producer:  # noqa: ANN401 - as librdkafka takes
    """Return an idempotent producer without transactions, for whoever publishes from outside."""
    given = {key.replace("_", "."): value for key, value in properties.items()}
    return Producer(_producing(cluster) | given | {"error_cb": on_error}, logger=_log())


def admin(cluster: Cluster) -> AdminClient:
    """Return an admin client."""
    user = {key: value for key, value in _of_user(cluster).items() if not key.startswith("group.")}
    return AdminClient(_connecting(cluster) | user, logger=_log())


def drain(consumer: Consumer, n_max: int, wait_s: float) -> list[Message]:
    """Wait for a first record, then take what is there; error events are among the result.

    Never ``consume(n, wait)``: it waits out its time unless n have come.
    """
    first = consumer.poll(wait_s)
    if first is None:
        return []
    if n_max <= 1:
        return [first]
    return [first, *consumer.consume(n_max - 1, 0)]


def record_of(message: Message, name: str) -> Record:
    """Return a message as a record of the contract's topic ``name``."""
    return Record(
        name,
        message.partition(),  # type: ignore[arg-type]  # only error events have none
        message.offset(),  # type: ignore[arg-type]
        message.timestamp()[1],
        message.key(),
        message.value(),
        _headers(message),
    )


def sorted_out(messages: Iterable[Message], cluster: Cluster) -> tuple[list[Record], dict[tuple[str, int], int]]:
    """Return the records among what a reader got, in order, and the next offset of each partition heard of.

    The end of a partition, where a reader is told of it, counts as seen, though nothing may lie just before it.

    Raises
    ------
    Fatal
        If Kafka refuses to let us read, or the client can't go on.
    """
    records: list[Record] = []
    seen: dict[tuple[str, int], int] = {}
    names: dict[str, str] = {}
    for message in messages:
        topic, error = message.topic() or "", message.error()
        name = names.get(topic) or names.setdefault(topic, cluster.contract_name(topic))
        if error is None:
            record = record_of(message, name)
            records.append(record)
            seen[name, record.partition] = record.offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
            seen[name, message.partition() or 0] = message.offset() or 0
        elif error.fatal() or error.code() in FORBIDDEN:
            text = f"Kafka refuses to let us read {topic}: {error.str()}: {_advice(error)}"
            raise Fatal(text)
        else:  # librdkafka goes on by itself
            logs.logger().warning("reading is disturbed", topic=topic, said=error.str())
    return records, seen


def _advice(error: KafkaError) -> str:
    if error.code() in FORBIDDEN:
        return "grant the right, or set other credentials"
    return "on brokers older than 4.3 set SMARTBLOOD_KAFKA_GROUP_PROTOCOL=classic"


def error_of(error: KafkaException) -> KafkaError:
    """Return what librdkafka said."""
    found = error.args[0] if error.args else None
    return found if isinstance(found, KafkaError) else KafkaError(KafkaError._FAIL, str(error))  # noqa: SLF001 - its name


def _log() -> logs.ClientLog:
    return logs.ClientLog(logs.logger())


def _headers(message: Message) -> Headers:
    headers = message.headers()
    if not headers:
        return ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return tuple((name, value.encode() if isinstance(value, str) else value) for name, value in pairs)


def _connecting(cluster: Cluster) -> Properties:
    return {
        "bootstrap.servers": cluster.bootstrap_servers,
        "socket.nagle.disable": True,
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1_000,
        "log.connection.close": False,
    }


def _reading(cluster: Cluster, name: str) -> Properties:
    return _connecting(cluster) | {
        "group.id": cluster.group(name),
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "fetch.wait.max.ms": FETCH_WAIT_MS,
        "fetch.error.backoff.ms": 50,
        "fetch.queue.backoff.ms": 20,
        "queued.max.messages.kbytes": 16_384,
    }


def _for_correctness() -> Properties:
    return {
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
    }


def _producing(cluster: Cluster) -> Properties:
    user = {key: value for key, value in _of_user(cluster).items() if not key.startswith("group.")}
    return (
        _connecting(cluster)
        | {
            "linger.ms": 0,
            "retry.backoff.ms": 20,
        }
        | user
        | {
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "acks": "all",
            # Topics say what is too large: a client that refuses what they take would stick.
            "message.max.bytes": MAX_RECORD_BYTES,
        }
    )


def _of_user(cluster: Cluster) -> Properties:
    reserved = {"bootstrap.servers", "group.id", "transactional.id", "group.protocol", "group.remote.assignor"}
    return {key: value for key, value in cluster.properties.items() if key not in reserved}
