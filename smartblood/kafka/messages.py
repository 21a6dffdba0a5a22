"""What consumers bring: messages taken from a client, as records, and how far they say that partitions were seen."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaError, Message

from schemas.records import Headers, Record
from smartblood import logs
from smartblood.errors import Fatal
from smartblood.kafka.client import Cluster
from smartblood.kafka.faults import FORBIDDEN


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


def _headers(message: Message) -> Headers:
    headers = message.headers()
    if not headers:
        return ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return tuple((name, value.encode() if isinstance(value, str) else value) for name, value in pairs)
