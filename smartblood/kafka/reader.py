"""Reads a span of a topic and stops: for people who look."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.records import Record
from smartblood.errors import Retryable
from smartblood.kafka.client import Cluster, reader
from smartblood.kafka.messages import drain, sorted_out
from smartblood.kafka.offsets import Offsets, Place, translated

RECORDS_AT_ONCE = 500
PATIENCE_S = 10.0

Bound = int | float | None
"""An offset of every partition (int), or an instant in seconds since 1970 by Kafka timestamps (float)."""


def read_span(
    cluster: Cluster,
    topic: str,
    *,
    start: Bound = None,
    end: Bound = None,
    n_max: int | None = None,
) -> Iterator[Record]:
    """Yield committed records from ``start`` until before ``end``.

    Parameters
    ----------
    cluster : Cluster
        Where to read.
    topic : str
        The contract's name of it.
    start, end : int, float or None
        Without them from the first to the last record that is there now.
    n_max : int, optional
        At most so many.

    Raises
    ------
    Fatal
        If there is no such topic, or Kafka refuses.
    Retryable
        If the brokers don't answer.
    """
    errors: list[KafkaError] = []
    consumer = reader(cluster, "decode", errors.append)
    try:
        offsets = Offsets(cluster)
        ends = offsets.last_stable([(topic, number) for number in range(offsets.n_partitions(topic))])
        firsts = _resolved(cluster, consumer, ends, start, dict.fromkeys(ends, 0))
        lasts = _resolved(cluster, consumer, ends, end, ends)
        left = {place: (first, min(lasts[place], ends[place])) for place, first in firsts.items()}
        left = {place: span for place, span in left.items() if span[0] < span[1]}
        consumer.assign([_at(cluster, place, first) for place, (first, _) in left.items()])
        yield from _read(cluster, consumer, {place: last for place, (_, last) in left.items()}, n_max)
    finally:
        consumer.close()


def _read(cluster: Cluster, consumer: Consumer, lasts: dict[Place, int], n_max: int | None) -> Iterator[Record]:
    n_read = 0
    heard_at = time.monotonic()
    while lasts and (n_max is None or n_read < n_max):
        records, seen = sorted_out(drain(consumer, RECORDS_AT_ONCE, 0.2), cluster)
        for record in records:
            if record.offset < lasts.get((record.topic, record.partition), 0):
                yield record
                n_read += 1
                if n_read == n_max:
                    return
        lasts = {place: last for place, last in lasts.items() if seen.get(place, 0) < last}
        if seen:
            heard_at = time.monotonic()
        elif time.monotonic() - heard_at > PATIENCE_S:
            message = f"the brokers at {cluster.bootstrap_servers} don't send what is left of {len(lasts)} partitions"
            raise Retryable(message)


def _resolved(
    cluster: Cluster,
    consumer: Consumer,
    ends: dict[Place, int],
    bound: Bound,
    otherwise: dict[Place, int],
) -> dict[Place, int]:
    """Return the offset that a bound means in each partition."""
    if bound is None:
        return otherwise
    if isinstance(bound, int):
        return dict.fromkeys(ends, bound)
    asked = [_at(cluster, place, round(bound * 1000)) for place in ends]
    try:
        found = consumer.offsets_for_times(asked, timeout=PATIENCE_S)
    except KafkaException as error:
        raise translated(error, "offsets for an instant") from error
    offsets = {(cluster.contract_name(at.topic), at.partition): at.offset for at in found}
    return {place: offset if offset >= 0 else ends[place] for place, offset in offsets.items()}


def _at(cluster: Cluster, place: Place, offset: int) -> TopicPartition:
    return TopicPartition(cluster.topic(place[0]), place[1], offset)
