"""Publishing as an upstream does: idempotent, by ``murmur2_random``, without transactions."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, Message

from schemas.codec import Codec
from schemas.records import Event
from smartblood.errors import Fatal
from smartblood.kafka.client import Cluster, plain_producer

POLL_EVERY = 1_000
FLUSH_WITHIN_S = 60.0
"""A broker that takes nothing for so long is given up: whoever publishes waits for it."""

LINGER_MS = 5


class Publisher:
    """Encodes and publishes events; what the broker refuses is raised at the next call.

    Parameters
    ----------
    cluster : Cluster
        Where to.
    codec : Codec
        How.
    linger_ms : int
        How long a record waits for others to travel with.
    """

    def __init__(self, cluster: Cluster, codec: Codec, *, linger_ms: int = LINGER_MS) -> None:
        self._cluster = cluster
        self._codec = codec
        self._refused: KafkaError | None = None
        self._down: KafkaError | None = None
        self._n = 0
        self._producer = plain_producer(cluster, self._on_error, linger_ms=linger_ms)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is under way, unless something went wrong."""
        if kind is None:
            self.flush()
        else:
            self._producer.purge()

    def publish(self, topic: str, key: str, event: Event | None, timestamp_ms: int) -> None:
        """Publish one event; it is under way when this returns.

        Raises
        ------
        Fatal
            If the broker refused an earlier one, or takes nothing any more.
        """
        value = None if event is None else self._codec.encode(topic, event)
        self.publish_encoded(topic, key.encode(), value, timestamp_ms)

    def publish_encoded(self, topic: str, key: bytes | None, value: bytes | None, timestamp_ms: int) -> None:
        """Publish one record as it is; else like ``publish``."""
        name = self._cluster.topic(topic)
        give_up_at = time.monotonic() + FLUSH_WITHIN_S
        while True:
            try:
                self._producer.produce(name, value, key, timestamp=timestamp_ms, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
                self._raise_refused()
                if time.monotonic() >= give_up_at:
                    raise self._gives_up(len(self._producer)) from None
        self._n += 1
        if self._n % POLL_EVERY == 0:
            self._producer.poll(0)
            self._raise_refused()

    def flush(self) -> None:
        """Wait until the broker has all that was published.

        Raises
        ------
        Fatal
            If it refused something, or doesn't answer.
        """
        left = self._producer.flush(FLUSH_WITHIN_S)
        self._raise_refused()
        if left:
            raise self._gives_up(left)

    def poll(self) -> None:
        """Hear of deliveries; to be called now and then where events are rare."""
        self._producer.poll(0)
        self._raise_refused()

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._refused = error

    def _on_error(self, error: KafkaError) -> None:
        self._down = error

    def _gives_up(self, n_left: int) -> Fatal:
        where, why = self._cluster.bootstrap_servers, f": {self._down.str()}" if self._down else ""
        return Fatal(
            f"the broker at {where} took not all within {FLUSH_WITHIN_S:.0f} s, {n_left} records are left{why}; "
            "see whether it runs, and publish again"
        )

    def _raise_refused(self) -> None:
        if self._refused is not None:
            message = f"the broker refused a record: {self._refused.str()}; see smartblood topics check"
            raise Fatal(message)
