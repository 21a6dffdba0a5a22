"""Worlds in which a real processor is killed, or isn't: their topics, their workers, and what is there in the end."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from consumers.forwarding import home_partition
from smartblood.nursery import Nursling
from tests.acceptance.outsider import Outsider, Seen
from tests.integration.runtime.real_inputs import Given, Sent
from tests.nursery import started

N_PARTITIONS = 2
FOR_EVER = {"retention.ms": "-1", "segment.ms": str(2**62)}
"""Instants are of long ago: nothing is to be deleted or compacted by them while somebody looks at it."""

RECORDS_MAX = "10"
DIES_AT_NTH = {"restoring": 1, "following": 1, "settled": 1}
"""At which time of a step; of those that come with each batch at the second, when there is something to remember."""

DIES_WITHIN_S = TAKEN_IN_WITHIN_S = 120.0


@dataclass(eq=False)
class World:
    """One processor on topics of its own.

    Parameters
    ----------
    name : str
        What the names of its topics begin with, after what those of all worlds begin with.
    processor : str
    given : Given
    deaths : tuple of str
        The steps at which its workers die, one after the other, before one goes on.
    """

    name: str
    processor: str
    given: Given
    deaths: tuple[str, ...] = ()
    trouble: list[str] = field(default_factory=list)
    workers: list[Nursling] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.processor}, killed at {' and '.join(self.deaths) or 'no step'}"

    def topics(self, *names: str) -> list[str]:
        return [self.name + name for name in names]


class Worlds:
    """Worlds side by side, so that all wait for the same seconds.

    Parameters
    ----------
    bootstrap_servers, prefix : str
        Where they are, and what all of their names begin with.
    folder : Path
        For what workers say.
    """

    def __init__(self, bootstrap_servers: str, prefix: str, folder: Path) -> None:
        self.made: list[World] = []
        self._bootstrap, self.prefix, self._folder = bootstrap_servers, prefix, folder
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "enable.idempotence": True})
        self._outsider = Outsider(bootstrap_servers, prefix)

    def make(self, processor: str, given: Given, *deaths: str) -> World:
        """Say what world there is to be."""
        self.made.append(World(f"{len(self.made)}-", processor, given, deaths))
        return self.made[-1]

    def pass_by(self) -> None:
        """Let everything happen, until all is answered and the last workers are gone too."""
        self._make_topics()
        self._publish({world.name: [*world.given.before, *world.given.parts[0]] for world in self.made})
        with ThreadPoolExecutor(len(self.made)) as pool:
            list(pool.map(self._crash, self.made))
        self._await_taken_in()
        self._publish({world.name: world.given.parts[1] for world in self.made})
        self._await_taken_in()
        self._end_workers()

    def read(self) -> dict[str, dict[str, list[Seen]]]:
        """What each world's topics hold for whoever reads committed records, by the names of the contract."""
        names = [name for world in self.made for name in world.topics(*world.given.topics)]
        found: dict[str, dict[str, list[Seen]]] = {world.name: defaultdict(list) for world in self.made}
        for seen in self._outsider.read(*names):
            world, _, topic = seen.topic.partition("-")
            found[f"{world}-"][topic].append(seen._replace(topic=topic))
        return found

    def what_is_open(self) -> list[str]:
        """Everything that says that a transaction was not ended."""
        return self._outsider.what_is_open()

    def close(self) -> None:
        """End the workers, and leave the broker as it was."""
        self._end_workers()
        self._outsider.admin.delete_topics([self.prefix + topic for topic in self._outsider.topics()])
        self._outsider.close()
        del self._producer  # it would go on to look for a broker that has ended

    def _make_topics(self) -> None:
        names = [name for world in self.made for name in world.topics(*world.given.topics)]
        topics = [NewTopic(self.prefix + name, N_PARTITIONS, 1, config=FOR_EVER) for name in names]
        client = AdminClient({"bootstrap.servers": self._bootstrap})
        for future in client.create_topics(topics).values():
            future.result(30)

    def _publish(self, records: Mapping[str, Iterable[Sent]]) -> None:
        """Append records to the topics of each world, in their order."""
        for name, sent in ((name, sent) for name, of_world in records.items() for sent in of_world):
            self._producer.produce(
                self.prefix + name + sent.topic,
                sent.value,
                sent.key,
                partition=(home_partition(sent.key, N_PARTITIONS) + sent.is_stray) % N_PARTITIONS,
                timestamp=sent.timestamp_ms,
            )
        assert self._producer.flush(30) == 0

    def _crash(self, world: World) -> None:
        """Let workers die where they are to, one after the other, and start the one that goes on."""
        for step in world.deaths:
            nth = str(DIES_AT_NTH.get(step, 2))
            dying = self._start(world, "--die-at", step, "--after", nth, "--records-max", RECORDS_MAX)
            try:
                code = dying.wait(DIES_WITHIN_S)
            except subprocess.TimeoutExpired:
                code = None
                dying.kill()
            if code != -signal.SIGKILL:
                world.trouble.append(f"did not die at {step!r}: {code}")
        self._start(world)

    def _start(self, world: World, *options: str) -> Nursling:
        with (self._folder / f"{world.name}said.log").open("ab") as said:
            given = (world.processor, self._bootstrap, self.prefix + world.name, "w0", *options)
            worker = started("tests.integration.runtime.runner", *given, output=said)
        world.workers.append(worker)
        return worker

    def _end_workers(self) -> None:
        for worker in [worker for world in self.made for worker in world.workers]:
            worker.kill()
            worker.wait()

    def _await_taken_in(self) -> None:
        """Wait until everything was taken in, and what was sent on too."""
        sources = {world.name: world.topics(*world.given.sources) for world in self.made}
        reader = self._outsider.reader(*(topic for topics in sources.values() for topic in topics))
        until = time.monotonic() + TAKEN_IN_WITHIN_S
        late = {world.name: world for world in self.made if not world.trouble}
        while late and time.monotonic() < until:
            time.sleep(0.2)
            # In this order: what is sent on stands in its topic once the offset of what it comes from is committed.
            committed = {name: self._outsider.committed(name + world.processor) for name, world in late.items()}
            names = [topic for name in late for topic in sources[name]]
            high = self._outsider.ends(names, committed=False)
            if high == self._outsider.ends(names, committed=True):
                reader.to_the_end()
                late = {
                    name: world
                    for name, world in late.items()
                    if _is_behind(reader.seen, sources[name], committed[name])
                }
        for world in late.values():
            world.trouble.append("does not take in what there is")
        reader.close()


def _is_behind(seen: dict[str, list[Seen]], topics: Sequence[str], committed: dict[tuple[str, int], int]) -> bool:
    return any(committed.get((topic, one.partition), 0) <= one.offset for topic in topics for one in seen[topic])
