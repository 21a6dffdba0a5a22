"""The live part: requests at a steady rate, simulated donors who answer, and the table of matches."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush

from rich.console import Console
from rich.live import Live

from producers.simulator import History, LiveDonors
from producers.simulator.published import Published
from producers.simulator.requests import moved, requests
from schemas.codec import Codec
from smartblood.demo import view
from smartblood.kafka.client import Cluster
from smartblood.kafka.publisher import Publisher
from smartblood.kafka.tail import Tail

FRAMES_A_SECOND = 8
LAST_ANSWERS_WITHIN_S = 10.0
FIRST_REQUEST_ID = 1_000_001
TOP_K = 10
PACE = 120.0
"""Simulated donors answer so many times faster than in truth, so that a minute's demo sees some of them come."""


Show = Callable[[view.Watch, int, int], None]


@dataclass(frozen=True, slots=True)
class Course:
    """How many requests, how many a second, from which seed, to whose donors."""

    n_requests: int
    rate: float
    seed: int
    history: History


@dataclass(slots=True)
class _Due:
    """Answers of donors that wait for their instant, soonest first."""

    heap: list[tuple[int, int, Published]] = field(default_factory=list)
    order: Iterator[int] = field(default_factory=itertools.count)

    def add(self, published: Iterable[Published]) -> None:
        for one in published:
            heappush(self.heap, (one.event["occurred_at"], next(self.order), one))

    def until(self, at: int) -> Iterator[Published]:
        while self.heap and self.heap[0][0] <= at:
            yield heappop(self.heap)[2]


def watch_matches(
    course: Course, cluster: Cluster, publisher: Publisher, codec: Codec, console: Console, stop: threading.Event
) -> view.Watch:
    """Send the requests, show the matches as they come, let the donors answer; return what was seen."""
    watch = view.Watch()
    donors, due = LiveDonors(course.history, course.seed, pace=PACE), _Due()
    sent: dict[int, float] = {}
    ahead = requests(
        course.history.world, course.seed, _now(), course.rate, first_request_id=FIRST_REQUEST_ID, top_k=TOP_K
    )
    with Tail(cluster, ["matches"]) as tail, _screen(console) as show:
        started_s, last_s = time.monotonic(), math.inf
        while len(watch.latencies_ms) < course.n_requests and time.monotonic() < last_s and not stop.is_set():
            while len(sent) < course.n_requests and time.monotonic() >= started_s + len(sent) / course.rate:
                topic, key, event, timestamp_ms = moved(next(ahead), _now())
                sent[event["request_id"]] = time.perf_counter()
                publisher.publish(topic, key, event, timestamp_ms)
            if len(sent) == course.n_requests and last_s == math.inf:
                last_s = time.monotonic() + LAST_ANSWERS_WITHIN_S
            for answer in due.until(_now()):
                watch.responses[answer.event.get("response", answer.event.get("outcome", ""))] += 1
                publisher.publish(*answer)
            publisher.poll()
            for record in tail.read(0.01):
                read_s = time.perf_counter()
                event = codec.decode("matches", record.value or b"")
                if event["request_id"] in sent:
                    watch.add(view.Answer(event, (read_s - sent[event["request_id"]]) * 1_000))
                    due.add(donors.answers(event))
                    show(watch, len(sent), course.n_requests)
        watch.seconds = time.monotonic() - started_s
    return watch


@contextmanager
def _screen(console: Console) -> Iterator[Show]:
    """Give a function that shows what has been seen: a live table on a terminal, a line for each answer elsewhere."""
    if not console.is_terminal:
        yield lambda watch, _n_sent, _n: console.print(view.plain(watch.latest[-1]), soft_wrap=True, highlight=False)
        return
    with Live(console=console, refresh_per_second=FRAMES_A_SECOND) as live:
        yield lambda watch, n_sent, n: live.update(
            view.live(watch, n_sent=n_sent, n_requests=n, width=console.width, height=console.height)
        )


def _now() -> int:
    return time.time_ns() // 1_000
