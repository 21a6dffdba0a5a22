"""Whether what an address is set for can be reached at all, before anything is started that would wait for it."""

from __future__ import annotations

import socket

from smartblood.errors import Fatal
from smartblood.local.children import wait_until
from smartblood.settings import Settings, host_and_port

CONNECT_S = 2.0
WITHIN_S = 5.0
"""Of a command that somebody waits for: a broker that runs answers at once, or is about to."""


def await_broker(settings: Settings, *, within_s: float = WITHIN_S) -> None:
    """Wait until one of the brokers that are set takes connections, for who goes on waiting where it doesn't answer.

    Left to itself librdkafka tries for minutes, and tells each attempt in its logs.

    Raises
    ------
    Fatal
        If none is set, an address makes no sense, or none answers within ``within_s`` seconds.
    """
    if not settings.kafka_bootstrap_servers:
        message = "no Kafka broker is named: set SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS, or use `smartblood up`"
        raise Fatal(message)
    places = [_place(address) for address in settings.kafka_bootstrap_servers.split(",") if address.strip()]
    if not wait_until(lambda: any(_connects(*place) for place in places), within_s=within_s, every_s=0.25):
        message = (
            f"no Kafka broker answers at {settings.kafka_bootstrap_servers}; "
            "start it, or set SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS to one that runs"
        )
        raise Fatal(message)


def await_answer(settings: Settings) -> None:
    """Wait until one of the brokers that are set answers, for a command that somebody waits for.

    Raises
    ------
    Fatal
        As ``await_broker``, or if those that take connections don't answer within seconds.
    """
    from smartblood.kafka.answering import await_answer as ask  # noqa: PLC0415 - quick help
    from smartblood.kafka.client import Cluster  # noqa: PLC0415

    await_broker(settings)
    ask(Cluster.of(settings))


def _place(address: str) -> tuple[str, int]:
    bare = address.strip().rpartition("://")[2]
    try:
        return host_and_port(bare if ":" in bare else f"{bare}:9092")
    except ValueError:
        message = f"SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS: {address.strip()!r} is no host:port"
        raise Fatal(message) from None


def _connects(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_S):
            return True
    except OSError:
        return False
