"""Names on the cluster, and clients with the settings that correctness and latency ask for.

Whatever librdkafka takes can be set by the user (TLS, SASL, timeouts), but for the few properties that exactly-once
stands on: those win over the user's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from smartblood import logs
from smartblood.errors import Fatal

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
    return _made(
        Consumer,
        _reading(cluster, name)
        | {"max.poll.interval.ms": 120_000}
        | ({"fetch.min.bytes": BULK_BYTES_MIN, "fetch.wait.max.ms": BULK_WAIT_MS} if in_bulk else {})
        | _of_user(cluster)
        | _for_correctness()
        | group
        | {"error_cb": on_error, "stats_cb": on_stats, "statistics.interval.ms": 5_000},
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
    return _made(Consumer, _reading(cluster, name) | following | user | given | _for_correctness() | own)


def no_error(_: KafkaError) -> None:
    """Do nothing with errors of a reader: whoever asks it hears them from the answer."""


def transactional_producer(
    cluster: Cluster, transactional_id: str, on_error: OnError, batch_bytes_max: int = BATCH_BYTES
) -> Producer:
    """Return a producer of transactions, not yet initialised.

    No batch of several records becomes larger than ``batch_bytes_max``, which every topic that it writes takes.
    """
    producing = _producing(cluster)
    return _made(
        Producer,
        producing
        | {
            "batch.size": _at_most(batch_bytes_max, producing.get("batch.size", BATCH_BYTES)),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "error_cb": on_error,
        },
    )


def plain_producer(cluster: Cluster, on_error: OnError, **properties: Any) -> Producer:  # noqa: ANN401 - as librdkafka takes
    """Return an idempotent producer without transactions, for whoever publishes from outside."""
    given = {key.replace("_", "."): value for key, value in properties.items()}
    return _made(Producer, _producing(cluster) | given | {"error_cb": on_error})


def admin(cluster: Cluster) -> AdminClient:
    """Return an admin client."""
    user = {key: value for key, value in _of_user(cluster).items() if not key.startswith("group.")}
    return _made(AdminClient, _connecting(cluster) | user)


def error_of(error: KafkaException) -> KafkaError:
    """Return what librdkafka said."""
    found = error.args[0] if error.args else None
    return found if isinstance(found, KafkaError) else KafkaError(KafkaError._FAIL, str(error))  # noqa: SLF001 - its name


Client = TypeVar("Client", Consumer, Producer, AdminClient)


def _made(kind: Callable[..., Client], properties: Properties) -> Client:
    """Make a client.

    Raises
    ------
    Fatal
        If librdkafka doesn't take a property, or not beside the others: only the settings can be to blame.
    """
    try:
        return kind(properties, logger=logs.ClientLog(logs.logger()))
    except (KafkaException, TypeError, ValueError) as error:
        said = error_of(error).str() if isinstance(error, KafkaException) else str(error)
        message = f"SMARTBLOOD_KAFKA_…: {said}: see librdkafka's CONFIGURATION.md for what it takes"
        raise Fatal(message) from error


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


def _at_most(limit: int, wanted: object) -> object:
    """Return what is wanted, or the limit; what is no number is librdkafka's to refuse."""
    try:
        return min(int(str(wanted)), limit)
    except ValueError:
        return wanted


def _of_user(cluster: Cluster) -> Properties:
    reserved = {"bootstrap.servers", "group.id", "transactional.id", "group.protocol", "group.remote.assignor"}
    return {key: value for key, value in cluster.properties.items() if key not in reserved}
