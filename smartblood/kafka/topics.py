"""Makes topics as they are planned, sets what is configured otherwise, and says where they differ.

References
----------
Plans: ``smartblood.kafka.topic_plans``. Partitions can't be changed in place: keys would move (contracts section 1).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from smartblood.errors import Fatal, Retryable
from smartblood.kafka.client import Cluster, admin, error_of
from smartblood.kafka.offsets import Offsets, translated
from smartblood.kafka.topic_plans import Plan, TopicSettings, planned

PARTITIONS, COPIES = "partitions", "copies of a partition"
WHY_LEFT = {
    PARTITIONS: "that is never changed in place, keys would move: copy into topics of another prefix, "
    "or set the number that is there",
    COPIES: "the cluster's own tools move copies (kafka-reassign-partitions), or set the number that is there",
}

ASK_S = 5.0
MAKE_S = 20.0
VISIBLE_S = 30.0


class Difference(NamedTuple):
    """One thing about a topic that isn't as it should be."""

    topic: str
    what: str
    found: str
    wanted: str

    def __str__(self) -> str:
        """Say it on one line."""
        return f"{self.topic}: {self.what} is {self.found}, should be {self.wanted}"

    def mended(self) -> str:
        """Say on one line that it is as it should be now."""
        return f"{self.topic}: {self.what} was {self.found}, is {self.wanted}"


class Ensured(NamedTuple):
    """What was done so that topics are as they should be.

    Parameters
    ----------
    made : list of str
        Topics that weren't there.
    changed : list of Difference
        Configuration that was otherwise, and is now as wanted.
    left : list of str
        What is still otherwise, and why: a line each.
    """

    made: list[str]
    changed: list[Difference]
    left: list[str]


def ensure(settings: TopicSettings) -> Ensured:
    """Make the topics that aren't there, wait until they can be used, and set what others have configured otherwise.

    Where all topics that are there are as they should be, this is one question more than whether they are.

    Raises
    ------
    Fatal
        If the cluster refuses to make a topic.
    Retryable
        If it doesn't answer.
    """
    cluster = Cluster.of(settings)
    client = admin(cluster)
    there = _there(client)
    plans = planned(settings)
    missing = [plan for plan in plans if plan.name not in there]
    if missing:
        _create(client, missing)
        _wait_until_usable(cluster, missing)
    found = [plan for plan in plans if plan.name in there]
    left = [f"{one}; {WHY_LEFT[one.what]}" for plan in found for one in _differences_of_shape(plan, there[plan.name])]
    try:
        configs = _configs(client, [plan.name for plan in found])
    except Fatal as error:  # who may not ask may well work with topics that others made
        return Ensured([plan.name for plan in missing], [], [*left, str(error)])
    differences = [one for plan in found for one in _differences_of_config(plan, configs[plan.name])]
    changed, refused = _set(client, differences)
    _wait_until_told(client, changed)
    return Ensured([plan.name for plan in missing], changed, left + refused)


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
    plans = planned(settings)
    configs = _configs(client, [plan.name for plan in plans if plan.name in there])
    differences: list[Difference] = []
    for plan in plans:
        if plan.name in there:
            differences += _differences_of_shape(plan, there[plan.name])
            differences += _differences_of_config(plan, configs[plan.name])
        else:
            differences.append(Difference(plan.name, "the topic", "missing", "there: `smartblood topics create`"))
    return differences


def largest_record(client: AdminClient, topic: str, otherwise: int) -> int:
    """Return the most bytes that a topic takes for a record; ``otherwise`` where the cluster may not tell us.

    Raises
    ------
    Retryable
        If it doesn't answer.
    """
    try:
        return int(_configs(client, [topic])[topic]["max.message.bytes"])
    except (Fatal, KeyError, ValueError):
        return otherwise


def _differences_of_shape(plan: Plan, there: tuple[int, int]) -> list[Difference]:
    n_partitions, n_copies = there
    differences = []
    if n_partitions != plan.n_partitions:
        differences.append(Difference(plan.name, PARTITIONS, str(n_partitions), str(plan.n_partitions)))
    if n_copies < plan.n_copies:
        differences.append(Difference(plan.name, COPIES, str(n_copies), str(plan.n_copies)))
    return differences


def _differences_of_config(plan: Plan, config: Mapping[str, str]) -> list[Difference]:
    found = {name: config.get(name, "not told") for name in plan.config}
    return [
        Difference(plan.name, name, found[name], wanted)
        for name, wanted in plan.config.items()
        if not _same(found[name], wanted)
    ]


def _same(value: str, wanted: str) -> bool:
    return set(value.split(",")) == set(wanted.split(","))


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


def _set(client: AdminClient, differences: Sequence[Difference]) -> tuple[list[Difference], list[str]]:
    """Set configuration as wanted, these entries alone; return what was set, and a line for what was refused."""
    by_topic: dict[str, list[Difference]] = {}
    for one in differences:
        by_topic.setdefault(one.topic, []).append(one)
    if not by_topic:
        return [], []
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            topic,
            incremental_configs=[
                ConfigEntry(one.what, one.wanted, incremental_operation=AlterConfigOpType.SET) for one in of_topic
            ],
        )
        for topic, of_topic in by_topic.items()
    ]
    changed: list[Difference] = []
    refused: list[str] = []
    for resource, future in client.incremental_alter_configs(resources, request_timeout=MAKE_S).items():
        of_topic = by_topic[resource.name]
        try:
            future.result(MAKE_S + 1)
            changed += of_topic
        except KafkaException as error:
            said = error_of(error)
            if said.retriable() or said.code() in {KafkaError._TIMED_OUT, KafkaError._TRANSPORT}:  # noqa: SLF001 - their names
                raise translated(error, f"whether the configuration of {resource.name} was set") from error
            refused += [f"{one}; Kafka refuses to set it ({said.str()}): have it set" for one in of_topic]
    return changed, refused


def _wait_until_told(client: AdminClient, changed: Sequence[Difference]) -> None:
    """Wait until the brokers tell what was set: who checks next is to find it."""
    names = sorted({one.topic for one in changed})
    until = time.monotonic() + VISIBLE_S
    while True:
        configs = _configs(client, names)
        if all(_same(configs[one.topic].get(one.what, ""), one.wanted) for one in changed):
            return
        if time.monotonic() > until:
            message = f"Kafka doesn't tell yet what was set of {', '.join(names)}; ask again"
            raise Retryable(message)
        time.sleep(0.05)


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
