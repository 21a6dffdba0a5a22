"""Load, and what befalls the processes meanwhile; both seeded."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psutil

from tests.acceptance.lives import Lives
from tests.acceptance.outsider import Outsider
from tests.acceptance.system import System, Worker
from tests.acceptance.world import DAY, closing, now_us, rematch, request
from tests.oracle import worlds

PAST_SESSION_TIMEOUT_S = 8.0
"""The local broker gives a member up after 6 s."""

NO_BROKER = "no Kafka broker answers"
"""What a worker says that ends because the broker took longer to come back than it waits, as on a busy machine."""

PICKED = ("donor-state", "matching", "matching", "recording")
"""Who is picked, matching twice as often."""


class Load(threading.Thread):
    """Publishes donors' events and requests at a steady rate until it is stopped; some strays, some twice.

    Parameters
    ----------
    outsider : Outsider
        Used by this thread alone.
    seed, n_donors : int
        Donors are published before anything befalls anybody.
    rate : float
        Records a second.
    """

    def __init__(self, outsider: Outsider, seed: int, n_donors: int, rate: float) -> None:
        super().__init__(name="load", daemon=True)
        self._outsider = outsider
        self._rng = worlds.generator(74, seed)
        self._lives = Lives(self._rng, n_donors)
        self._wait_s = 1 / rate
        self._halt = threading.Event()
        self.requests: list[dict] = []
        self.n_sent = 0
        self.failure: Exception | None = None

    def publish_donors(self) -> None:
        for topic, donor_id, event in self._lives.before():
            # Written now: what was written long ago is compacted whenever the broker likes to.
            self._outsider.send(topic, donor_id, event, stray=donor_id % 5 == 0)
        self._outsider.flush()

    def run(self) -> None:
        due = time.monotonic()
        try:
            while not self._halt.is_set():
                self._publish_one()
                due += self._wait_s
                time.sleep(max(0.0, due - time.monotonic()))
            self._outsider.flush()
        except Exception as error:  # noqa: BLE001 - the test that joins it looks at it
            self.failure = error

    def stop(self) -> None:
        self._halt.set()
        self.join(timeout=150)
        assert not self.is_alive(), "the broker took nothing more"
        if self.failure is not None:
            raise self.failure

    def _publish_one(self) -> None:
        rng, now = self._rng, now_us()
        stray = bool(rng.random() < 0.15)
        luck = rng.random()
        self.n_sent += 1
        if luck < 0.6:
            topic, donor_id, event = self._lives.next(now)
            self._outsider.send(topic, donor_id, event, stray=stray)
            return
        if luck < 0.9 or not self.requests:
            event = request(rng, len(self.requests) + 1, at=now)
            self.requests.append(event)
        elif luck < 0.95:
            event = self.requests[int(rng.integers(0, len(self.requests)))]  # again
        else:
            event = dict(self.requests[int(rng.integers(0, len(self.requests)))])
            event |= {"event_id": worlds.event_id(rng), "occurred_at": now, "units_required": int(rng.integers(3, 6))}
            event["required_by"] = now + DAY // 4
        self._outsider.send("blood-request-created", event["request_id"], event, stray=stray)


class Afterwards(threading.Thread):
    """Publishes one thing more of each request, after all else of it was taken in, so that their order is known.

    It is closed, matched again or looked at; some strays, some twice.

    Parameters
    ----------
    outsider : Outsider
        Used by this thread alone.
    seed : int
    requests : sequence of dict
    rate : float
        Records a second.
    """

    def __init__(self, outsider: Outsider, seed: int, requests: Sequence[dict], rate: float) -> None:
        super().__init__(name="afterwards", daemon=True)
        self._outsider = outsider
        self._rng = worlds.generator(75, seed)
        self._requests = requests
        self._wait_s = 1 / rate
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            for event in self._requests:
                self._publish_one(event)
                time.sleep(self._wait_s)
            self._outsider.flush()
        except Exception as error:  # noqa: BLE001 - the test that joins it looks at it
            self.failure = error

    def stop(self) -> None:
        self.join(timeout=150)
        assert not self.is_alive(), "the broker took nothing more"
        if self.failure is not None:
            raise self.failure

    def _publish_one(self, event: dict) -> None:
        rng, request_id = self._rng, event["request_id"]
        if rng.random() < 0.4:
            outcome = str(worlds.pick(rng, ["FULFILLED", "CANCELLED", "EXPIRED"]))
            topic, said = "blood-request-closed", closing(rng, request_id, now_us(), outcome)
        else:
            topic, said = "match-requested", rematch(rng, event, now_us(), recorded=bool(rng.random() < 0.6))
        for _ in range(2 if rng.random() < 0.15 else 1):
            self._outsider.send(topic, request_id, said, stray=bool(rng.random() < 0.15))


@dataclass
class Chaos:
    """Befalls the workers, the broker and Postgres, one thing after the other.

    Parameters
    ----------
    system : System
    broker, postgres
        What can be killed and restarted.
    seed : int
    """

    system: System
    broker: object
    postgres: object
    seed: int
    log: list[str] = field(default_factory=list)
    _slots: dict[tuple[str, str], Worker] = field(default_factory=dict)
    _asleep: list[tuple[float, Worker]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rnd = random.Random(self.seed)
        self._began = time.monotonic()

    def start(self, *slots: str) -> None:
        for worker in self.system.run_all(*slots):
            self._slots[worker.name, worker.slot] = worker

    def go_on(self, plan: list[str], pace_s: float) -> None:
        """Let everything of a plan happen, in a drawn order; processes that ended by themselves are a failure."""
        self._rnd.shuffle(plan)
        for what in plan:
            self._wait(self._rnd.uniform(0.3, 1.7) * pace_s)
            self._say(what)
            getattr(self, f"_{what}")()
        while self._asleep:
            self._wait(0.2)

    def check_alive(self) -> None:
        ended = [
            f"{worker.name} {worker.slot} ended by itself with {worker.process.returncode}: {worker.said[-1500:]}"
            for worker in self._slots.values()
            if not worker.alive
        ]
        assert ended == [], "\n".join([*ended, *self.log])

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            time.sleep(min(0.1, left_s))
            self.check_alive()
            for due, worker in list(self._asleep):
                if time.monotonic() >= due:
                    worker.resume()
                    self._asleep.remove((due, worker))
                    self._say(f"woke {worker.name} {worker.slot}")

    def _kill(self) -> None:
        worker = self._pick()
        worker.kill()
        self._again(worker)

    def _stop(self) -> None:
        worker = self._pick()
        took_s = worker.stop()
        assert took_s < 10, f"{worker.name} took {took_s:.1f} s to stop: {worker.said[-1500:]}"
        assert worker.process.returncode in self._clean(worker), f"{worker.name} ended with {worker.process.returncode}"
        self._again(worker)

    def _sleep(self) -> None:
        worker = self._pick()
        worker.pause()
        self._asleep.append((time.monotonic() + PAST_SESSION_TIMEOUT_S, worker))
        self._say(f"{worker.name} {worker.slot} sleeps")

    def _break_broker(self) -> None:
        self._outage(self.broker)

    def _break_postgres(self) -> None:
        self._outage(self.postgres)

    def _freeze_postgres(self) -> None:
        """Postgres takes what it is sent and says nothing, for longer than it takes the broker to give a member up."""
        first = psutil.Process(self.postgres.process.pid)
        first.suspend()  # it begins no other from now on
        frozen = [first, *first.children(recursive=True)]
        try:
            for process in frozen:
                process.suspend()
            self._wait(PAST_SESSION_TIMEOUT_S)
        finally:
            for process in frozen:
                process.resume()

    def _cut_power(self) -> None:
        """Everything dies at once, and is started again at once."""
        for worker in self._slots.values():
            worker.process.kill()
        self.broker.kill()
        self.postgres.kill()
        for worker in self._slots.values():
            worker.process.wait()
        self._asleep.clear()
        for worker in list(self._slots.values()):
            self._again(worker)
        self.broker.restart()
        self.postgres.restart()
        for worker in list(self._slots.values()):
            if not worker.alive and NO_BROKER in worker.said:
                self._again(worker)

    def _join(self) -> None:
        """One more worker shares the work for a while."""
        name = self._rnd.choice(["donor-state", "matching", "recording"])
        guest = self.system.run(name, f"guest-{len(self.log)}")
        self._wait(self._rnd.uniform(2.0, 5.0))
        took_s = guest.stop()
        assert guest.process.returncode in self._clean(guest), guest.said[-1500:]
        assert took_s < 10, f"{name} took {took_s:.1f} s to stop: {guest.said[-1500:]}"

    def _clean(self, worker: Worker) -> set[int]:
        """How one may end that is told to: one that has not begun is ended by the signal itself."""
        return {0} if worker.said else {0, -signal.SIGTERM}

    def _outage(self, server) -> None:
        server.kill()
        time.sleep(self._rnd.uniform(0.2, 2.0))
        server.restart()

    def _pick(self) -> Worker:
        asleep = [worker for _, worker in self._asleep]
        awake = [worker for worker in self._slots.values() if worker not in asleep]
        names = [name for name in PICKED if any(worker.name == name for worker in awake)]
        name = self._rnd.choice(names)  # of one of them both may sleep
        return self._rnd.choice([worker for worker in awake if worker.name == name])

    def _again(self, worker: Worker) -> None:
        self._say(f"{worker.name} {worker.slot} is started again")
        self._slots[worker.name, worker.slot] = self.system.run(worker.name, worker.slot)

    def _say(self, what: str) -> None:
        self.log.append(f"{time.monotonic() - self._began:6.1f} s: {what}")


def plan_of(**counts: int) -> list[str]:
    """What is to happen, and how often: the names of what ``Chaos`` does, each without what it begins with."""
    return [what for what, n in counts.items() for _ in range(n)]


def eventually(is_so: Callable[[], bool], within_s: float) -> bool:
    give_up_at = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.5)
    return True
