"""A processor that counts, for tests of the loop: one output for each input, exact memory, and ways to misbehave."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from consumers.topology import Batch, Input, Topology
from schemas.errors import InvalidRecord
from schemas.records import Event, Output, Record

TOPOLOGY = Topology(
    "donor-state",
    ("donor-registered", "donation-recorded", "donor-responded"),
    ("donor-states",),
    store="donor-states",
    forwards=True,
)


class Counting:
    """Counts the events of each key; its memory is the last count it wrote."""

    def __init__(self, topology: Topology = TOPOLOGY) -> None:
        self.topology = topology
        self.memory: dict[int, dict[bytes, int]] = {}
        self.staged: dict[tuple[int, bytes], int] = {}
        self.followed: list[Record] = []
        self.n_followed_when_settled: list[int] = []

    def read(self, record: Record) -> Event | None:
        if record.value is None:
            return None
        if not record.value.startswith(b"{"):
            reason = f"value: {record.value[:10]!r} is no JSON object"
            raise InvalidRecord(reason, kind="undecodable")
        event = json.loads(record.value)
        if str(event["key"]).encode() != record.key:
            reason = "key: not the key in the value"
            raise InvalidRecord(reason, kind="key")
        return event

    def work(self, item: Input) -> int:
        return 1

    def process(self, batch: Batch) -> list[Output]:
        outputs = []
        for record, event in batch.inputs:
            place = (record.partition, record.key or b"")
            count = self.staged.get(place, self.memory[record.partition].get(place[1], 0)) + 1
            if event is not None and event.get("poison"):
                message = "this one hurts"
                raise ValueError(message)
            self.staged[place] = count
            said = {"count": count, "of": [record.topic, record.partition, record.offset], "n": (event or {}).get("n")}
            outputs.append(Output("donor-states", record.key, json.dumps(said).encode()))
        return outputs

    def keep(self) -> None:
        for (partition, key), count in self.staged.items():
            self.memory[partition][key] = count
        self.staged.clear()

    def drop(self) -> None:
        self.staged.clear()

    def restore(self, partition: int, records: Iterable[Record]) -> list[str]:
        memory = self.memory.setdefault(partition, {})
        for record in records:
            assert record.value is not None
            memory[record.key or b""] = json.loads(record.value)["count"]
        return []

    def revoke(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self.memory.pop(partition, None)

    def follow(self, records: Sequence[Record]) -> list[str]:
        self.followed.extend(records)
        return []

    def settle(self) -> None:
        self.n_followed_when_settled.append(len(self.followed))
