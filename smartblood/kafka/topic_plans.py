"""How topics should be: the catalogue's words and the settings' numbers, as Kafka's partitions and configuration.

References
----------
Cleanup, retention, timestamps: contracts section 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from schemas.catalogue import Topic, topics
from smartblood.kafka.client import KafkaSettings

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
RECORD_BYTES_MAX = 4 * 2**20
DEAD_LETTER_BYTES_MAX = 8 * 2**20
"""A dead letter holds the largest record of a source and its headers, uncompressed."""


class TopicSettings(KafkaSettings, Protocol):
    """What ``smartblood.settings`` says about topics."""

    @property
    def donor_partitions(self) -> int:
        """Partitions of each topic keyed by donor."""

    @property
    def request_partitions(self) -> int:
        """Partitions of each topic keyed by request."""

    @property
    def output_partitions(self) -> int:
        """Partitions of topics that no worker needs to own by number."""

    @property
    def replication_factor(self) -> int:
        """Copies of each partition."""

    @property
    def replay_horizon_days(self) -> int:
        """How long every version of a key is kept where the catalogue says so."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one topic should be.

    Parameters
    ----------
    name : str
        With the prefix.
    n_partitions, n_copies : int
        Partitions, and replicas of each.
    config : mapping of str to str
        Topic configuration that matters; what isn't in it may be as the cluster likes.
    """

    name: str
    n_partitions: int
    n_copies: int
    config: Mapping[str, str]


def planned(settings: TopicSettings) -> list[Plan]:
    """Return how all topics of the catalogue should be."""
    n_partitions = {
        "donor": settings.donor_partitions,
        "request": settings.request_partitions,
        "output": settings.output_partitions,
        "single": 1,
    }
    return [
        Plan(
            settings.topic_prefix + topic.name,
            n_partitions[topic.partitions],
            settings.replication_factor,
            _config(topic, settings.replay_horizon_days),
        )
        for topic in topics().values()
    ]


def _config(topic: Topic, horizon_days: int) -> dict[str, str]:
    largest = DEAD_LETTER_BYTES_MAX if topic.name == "dead-letters" else RECORD_BYTES_MAX
    config = {
        "cleanup.policy": ",".join(topic.cleanup),
        "message.timestamp.type": "CreateTime",
        # Stream time is the record's own: a year that is simulated or replayed may lie ahead of the broker's clock.
        "message.timestamp.after.max.ms": str(2**63 - 1),
        "max.message.bytes": str(largest),
    }
    if "delete" in topic.cleanup:
        kept_ms = -1 if topic.kept_days in {None, -1} else (topic.kept_days or 0) * DAY_MS
        config["retention.ms"] = str(kept_ms)
        if 0 < kept_ms < 28 * DAY_MS:  # whole segments are deleted: they must not outlive their records by much
            config["segment.ms"] = str(max(HOUR_MS, kept_ms // 4))
    if "compact" in topic.cleanup:
        config |= {
            "min.compaction.lag.ms": str(horizon_days * DAY_MS if topic.versions_kept else 0),
            # What was erased or replaced is gone after this at the latest.
            "max.compaction.lag.ms": str((horizon_days + 7) * DAY_MS),
            "delete.retention.ms": str(max(horizon_days, 1) * DAY_MS),
            "segment.ms": str(DAY_MS),
            "min.cleanable.dirty.ratio": "0.2",
        }
    return config
