"""Whether a broker that takes connections also answers: one that hangs, or isn't Kafka, takes them too."""

from __future__ import annotations

from confluent_kafka import KafkaException

from smartblood.errors import Fatal
from smartblood.kafka.client import Cluster, admin, error_of
from smartblood.kafka.faults import FORBIDDEN
from smartblood.kafka.offsets import translated

ANSWERS_WITHIN_S = 7.0
"""Commands end within ten seconds where nobody answers; a broker that runs takes milliseconds, a busy one a second."""


def await_answer(cluster: Cluster, within_s: float = ANSWERS_WITHIN_S) -> None:
    """Ask a broker that takes connections what it has, and wait for the answer.

    Raises
    ------
    Fatal
        If none comes within ``within_s`` seconds.
    """
    try:
        admin(cluster).list_topics(timeout=within_s)
    except KafkaException as error:
        said = error_of(error)
        if said.code() in FORBIDDEN:
            raise translated(error, "what topics there are") from error
        message = (
            f"the broker at {cluster.bootstrap_servers} accepts connections and doesn't answer within {within_s:.0f} s "
            f"({said.str()}); see whether it is well, and whether SMARTBLOOD_KAFKA_SECURITY_PROTOCOL is what it speaks"
        )
        raise Fatal(message) from error
