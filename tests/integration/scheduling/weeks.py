"""What tests of scheduling share: topics of their own, workers with fast clocks, and an independent reader."""

from __future__ import annotations

import json
import logging
import math
import signal
import time
from collections import defaultdict
from datetime import datetime
from itertools import pairwise, zip_longest
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, TopicPartition

from producers.scheduling.schedules import DAY_US, CatchUp
from producers.scheduling.slots import slots_between
from producers.scheduling.triggers import topic_of
from schemas.codec import Codec
from smartblood.kafka.client import Cluster
from smartblood.nursery import Nursling
from tests.integration.scheduling.compressed import BEGIN_US, SCHEDULES, fast_clock
from tests.nursery import started

logging.getLogger("kafka").setLevel(logging.ERROR)

TRIGGERS = ("forecast-triggered", "maintenance-triggered")
CODEC = Codec()


def wait_until(true, within_s=60.0):
    until = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until, "it did not come to pass in time"
        time.sleep(0.1)


class Weeks:
    """Topics under a prefix, and schedulers that come, are killed, stopped and continued there."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path, week_s: float = 3.0) -> None:
        self.cluster = Cluster(bootstrap, prefix)
        self.folder = folder
        self.week_s = week_s
        self.began_s = time.time()
        self.clock = fast_clock(self.began_s, week_s)
        self.workers: dict[str, Nursling] = {}
        self.disturbed: defaultdict[str, list[int]] = defaultdict(list)
        topics = [NewTopic(self.cluster.topic(name), 1, 1) for name in TRIGGERS]
        topics.append(NewTopic(self.cluster.topic("schedule-states"), 1, 1, config={"cleanup.policy": "compact"}))
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for future in admin.create_topics(topics).values():
            future.result(10)

    def start(self, slot: str) -> None:
        given = (self.cluster.bootstrap_servers, self.cluster.prefix, slot, str(self.began_s), str(self.week_s))
        with self._log(slot).open("ab") as said:
            self.workers[slot] = started("tests.integration.scheduling.compressed", *given, output=(1, said))

    def disturb(self, slot: str) -> None:
        """Note that a worker is being killed or stopped."""
        self.disturbed[slot].append(self.clock())

    def kill(self, slot: str) -> None:
        self.disturb(slot)
        worker = self.workers.pop(slot)
        worker.kill()
        worker.wait()

    def stop(self) -> None:
        """Let all end as they like to; each has to, and without an error."""
        for worker in self.workers.values():
            worker.send_signal(signal.SIGCONT)
            worker.send_signal(signal.SIGTERM)
        assert {worker.wait(20) for worker in self.workers.values()} <= {0}

    def end(self) -> None:
        for worker in self.workers.values():
            worker.kill()
            worker.wait()

    def said(self, slot: str) -> list[dict]:
        lines = self._log(slot).read_text("utf-8").splitlines() if self._log(slot).exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def leader(self) -> str | None:
        """Return who said last that it leads, of those that live and run."""
        terms = {slot: [line for line in self.said(slot) if line["event"].startswith("leads")] for slot in self.workers}
        last = {slot: lines[-1] for slot, lines in terms.items() if lines and lines[-1]["event"] == "leads"}
        return max(last, key=lambda slot: last[slot]["at"]) if last else None

    def believes_to_lead(self, slot: str) -> bool:
        lines = [line["event"] for line in self.said(slot) if line["event"].startswith("leads")]
        return lines[-1:] == ["leads"]

    def n_terms(self) -> int:
        slots = [path.stem for path in self.folder.glob("*.log")]
        return sum(line["event"] == "leads" for slot in slots for line in self.said(slot))

    def await_leader(self, other_than: str | None = None) -> str:
        wait_until(lambda: self.leader() not in {None, other_than})
        found = self.leader()
        assert found is not None
        return found

    def _log(self, slot: str) -> Path:
        return self.folder / f"{slot}.log"

    def records(self, topic: str) -> list[dict]:
        """Read a topic whole with another client, committed records only."""
        place = TopicPartition(self.cluster.topic(topic), 0)
        consumer = KafkaConsumer(
            bootstrap_servers=self.cluster.bootstrap_servers,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        consumer.assign([place])
        end = consumer.end_offsets([place])[place]
        found: list[dict] = []
        until = time.monotonic() + 30
        while consumer.position(place) < end:
            assert time.monotonic() < until, f"{topic}: an open transaction is in the way"
            for records in consumer.poll(timeout_ms=100).values():
                found += [CODEC.decode(topic, record.value) for record in records]
        consumer.close()
        return found

    def assert_exactly_once(self, from_us: int, until_us: int) -> int:
        """One trigger for each slot since the first start, in order, none missing until then; return how many."""
        states, fired = defaultdict(list), defaultdict(list)
        for event in self.records("schedule-states"):
            states[event["schedule"]].append(event["slot_at"])
        ids = []
        for topic in TRIGGERS:
            for event in self.records(topic):
                assert event["occurred_at"] == event["slot_at"]
                fired[event["schedule"]].append(event["slot_at"])
                ids.append(event["event_id"])
        assert len(ids) == len(set(ids))
        for schedule in SCHEDULES:
            began, settled = states[schedule.name][0], states[schedule.name][-1]
            assert states[schedule.name] == sorted(states[schedule.name])
            assert began <= from_us
            expected = list(slots_between(schedule, began, settled))
            assert not list(slots_between(schedule, settled, until_us)), "the last slots are missing"
            if schedule.catch_up is CatchUp.ALL:
                assert fired[schedule.name] == expected
            else:
                assert fired[schedule.name] == sorted(set(fired[schedule.name]) & set(expected))
                assert fired[schedule.name][-1] == settled
        return len(ids)

    def terms(self) -> list[tuple[float, float]]:
        """Return from when until when somebody led, undisturbed: until they said that it is over, or a kill or stop."""
        found = []
        for slot in [path.stem for path in self.folder.glob("*.log")]:
            lines = [line for line in self.said(slot) if line["event"] in {"leads", "leads no more"}]
            for line, after in zip_longest(lines, lines[1:]):
                if line["event"] == "leads":
                    began_us = self._clock_at(line)
                    ends = [self._clock_at(after)] if after else []
                    ends += [at_us for at_us in self.disturbed[slot] if at_us >= began_us]
                    found.append((began_us, min(ends, default=math.inf)))
        return found

    def _clock_at(self, line: dict) -> float:
        at_s = datetime.fromisoformat(line["at"]).timestamp()
        return BEGIN_US + (at_s - self.began_s) / self.week_s * 7 * DAY_US

    def assert_latest_fired_far_from_kills(self, from_us: int, until_us: int) -> int:
        """With ``latest`` too a slot is fired where somebody led from it until the next one; return how many those are.

        Slots between two instants are looked at.
        """
        terms, n_far = self.terms(), 0
        for schedule in SCHEDULES:
            if schedule.catch_up is not CatchUp.LATEST:
                continue
            fired = {one["slot_at"] for one in self.records(topic_of(schedule)) if one["schedule"] == schedule.name}
            for slot_us, next_us in pairwise(slots_between(schedule, from_us, until_us)):
                if any(began_us <= slot_us and next_us <= ended_us for began_us, ended_us in terms):
                    assert slot_us in fired, (schedule.name, slot_us, terms)
                    n_far += 1
        return n_far
