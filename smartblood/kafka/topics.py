"""Makes topics as the catalogue says, and says where they are otherwise.

References
----------
Cleanup, retention, timestamps: contracts section 1. Partitions can't be changed in place: keys would move.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.catalogue import Topic, topics
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.client import Cluster, KafkaSettings, admin, error_of
from smartblood.kafka.offsets import Offsets, translated

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
RECORD_BYTES_MAX = 4 * 2**20
DEAD_LETTER_BYTES_MAX = 8 * 2**20
"""A dead letter holds the largest record of a source and its headers, uncompressed."""

ASK_S = 5.0
MAKE_S = 20.0
VISIBLE_S = 30.0


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


class Difference(NamedTuple):
    """One thing about a topic that isn't as it should be."""

    topic: str
    what: str
    found: str
    wanted: str

    def __str__(self) -> str:
        """Say it on one line."""
        return f"{self.topic}: {self.what} is {self.found}, should be {self.wanted}"


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


def ensure(settings: TopicSettings) -> list[str]:
    """Make the topics that aren't there, wait until they can be used, and return their names.

    Raises
    ------
    Fatal
        If the cluster refuses.
    Retryable
        If it doesn't answer.
    """
    cluster = Cluster.of(settings)
    client = admin(cluster)
    there = _there(client)
    missing = [plan for plan in planned(settings) if plan.name not in there]
    if missing:
        _create(client, missing)
        _wait_until_usable(cluster, missing)
    return [plan.name for plan in missing]


def check(settings: TopicSettings) -> list[Difference]:
    """Return what isn't as it should be; nothing where all is well.

    Raises
    ------
    Fatal
        If the cluster refuses to tell.
    Retryable
        If it doesn't answer.
    """
    client = admin(Cluster.of(settings))
    there = _there(client)
    differences: list[Difference] = []
    found = [plan for plan in planned(settings) if plan.name in there]
    configs = _configs(client, [plan.name for plan in found])
    for plan in planned(settings):
        if plan.name not in there:
            differences.append(Difference(plan.name, "the topic", "missing", "there: `smartblood topics create`"))
            continue
        n_partitions, n_copies = there[plan.name]
        if n_partitions != plan.n_partitions:
            differences.append(Difference(plan.name, "partitions", str(n_partitions), str(plan.n_partitions)))
        if n_copies < plan.n_copies:
            differences.append(Difference(plan.name, "copies of a partition", str(n_copies), str(plan.n_copies)))
        for name, wanted in plan.config.items():
            has = configs[plan.name].get(name, "not told")
            if set(has.split(",")) != set(wanted.split(",")):
                differences.append(Difference(plan.name, name, has, wanted))
    return differences


def largest_record(client: AdminClient, topic: str, otherwise: int) -> int:
    """Return the most bytes that a topic takes for a record; ``otherwise`` where the cluster doesn't tell us."""
    try:
        return int(_configs(client, [topic])[topic]["max.message.bytes"])
    except (Fatal, Retryable, KeyError, ValueError):
        return otherwise


def _there(client: AdminClient) -> dict[str, tuple[int, int]]:
    """Return each topic's number of partitions, and of copies where there are fewest."""
    try:
        found = client.list_topics(timeout=ASK_S).topics
    except KafkaException as error:
        raise translated(error, "which topics there are") from error
    return {
        name: (len(topic.partitions), min((len(at.replicas) for at in topic.partitions.values()), default=0))
        for name, topic in found.items()
        if topic.error is None
    }


def _configs(client: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    try:
        futures = client.describe_configs(asked, request_timeout=ASK_S)
        return {
            resource.name: {name: entry.value or "" for name, entry in future.result(ASK_S + 1).items()}
            for resource, future in futures.items()
        }
    except KafkaException as error:
        raise translated(error, "how topics are configured") from error


def _create(client: AdminClient, missing: list[Plan]) -> None:
    new = [NewTopic(plan.name, plan.n_partitions, plan.n_copies, config=dict(plan.config)) for plan in missing]
    for name, future in client.create_topics(new, request_timeout=MAKE_S, operation_timeout=MAKE_S).items():
        try:
            future.result(2 * MAKE_S)
        except KafkaException as error:
            said = error_of(error)
            if said.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            if said.retriable() or said.code() in {KafkaError._TIMED_OUT, KafkaError._TRANSPORT}:  # noqa: SLF001 - their names
                raise translated(error, f"whether {name} was made") from error
            message = f"topic {name} can't be made: {said.str()}: have it made as `smartblood topics check` says"
            raise Fatal(message) from error


def _wait_until_usable(cluster: Cluster, made: list[Plan]) -> None:
    """Wait until every new partition has a leader that answers."""
    offsets = Offsets(cluster)
    places = [(cluster.contract_name(plan.name), n) for plan in made for n in range(plan.n_partitions)]
    until = time.monotonic() + VISIBLE_S
    while True:
        try:
            offsets.last_stable(places)
        except Retryable:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return
