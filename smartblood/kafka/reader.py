"""Reads a span of a topic and stops: for people who look."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.records import Record
from smartblood.errors import Retryable
from smartblood.kafka.client import Cluster, no_error, reader
from smartblood.kafka.messages import drain, sorted_out
from smartblood.kafka.offsets import Offsets, Place, translated

RECORDS_AT_ONCE = 500
PATIENCE_S = 10.0

Bound = int | float | None
"""An offset of every partition (int), or an instant in seconds since 1970 by Kafka timestamps (float)."""


Span = tuple[Bound, Bound]
"""From where, and before where; without them from the first to the last record that is there now."""

Spans = dict[Place, tuple[int, int]]
"""Of each partition the first offset, and the one before which to stop."""


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
        See ``Span``.
    n_max : int, optional
        At most so many.

    Raises
    ------
    Fatal
        If there is no such topic, or Kafka refuses.
    Retryable
        If the brokers don't answer.
    """
    yield from read_spans(cluster, spans_of(cluster, topic, (start, end)), n_max=n_max)


def spans_of(cluster: Cluster, topic: str, span: Span, by_partition: Mapping[int, Span] | None = None) -> Spans:
    """Return the offsets that bounds mean now; nothing of partitions in which nothing lies between them.

    Parameters
    ----------
    topic : str
        The contract's name of it.
    span : Span
        Of each partition that ``by_partition`` doesn't name.
    by_partition : mapping of int to Span, optional

    Raises
    ------
    Fatal, Retryable
        As ``read_span``.
    """
    offsets = Offsets(cluster)
    consumer = reader(cluster, "decode", no_error)
    try:
        ends = offsets.last_stable([(topic, number) for number in range(offsets.n_partitions(topic))])
        found: Spans = {}
        for one, places in _by_span(ends, span, by_partition or {}).items():
            of = {place: ends[place] for place in places}
            firsts = _resolved(cluster, consumer, of, one[0], dict.fromkeys(of, 0))
            lasts = _resolved(cluster, consumer, of, one[1], of)
            found |= {place: (firsts[place], min(lasts[place], of[place])) for place in of}
        return {place: one for place, one in sorted(found.items()) if one[0] < one[1]}
    finally:
        consumer.close()


def _by_span(ends: Iterable[Place], span: Span, by_partition: Mapping[int, Span]) -> dict[Span, list[Place]]:
    found: dict[Span, list[Place]] = {}
    for place in ends:
        found.setdefault(by_partition.get(place[1], span), []).append(place)
    return found


def read_spans(cluster: Cluster, spans: Spans, *, n_max: int | None = None) -> Iterator[Record]:
    """Yield committed records between offsets; those of one partition in their order.

    Raises
    ------
    Fatal, Retryable
        As ``read_span``.
    """
    errors: list[KafkaError] = []
    consumer = reader(cluster, "decode", errors.append)
    try:
        consumer.assign([_at(cluster, place, first) for place, (first, _) in spans.items()])
        yield from _read(cluster, consumer, {place: last for place, (_, last) in spans.items()}, n_max)
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
