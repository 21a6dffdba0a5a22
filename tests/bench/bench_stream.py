"""The stream on a real broker: start, latency, donor events, restore. Run by ``make bench``.

``BENCH_DONORS`` makes the world of the restore smaller, ``BENCH_EVENTS`` the load of donor events.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress

import pytest

from producers.simulator import World, simulate
from producers.simulator.published import Published
from producers.simulator.requests import moved, requests
from schemas.codec import Codec
from smartblood.demo.everything import everything_up
from smartblood.demo.sight import Sight
from smartblood.errors import Retryable
from smartblood.kafka import topics
from smartblood.kafka.behind import Behind
from smartblood.kafka.client import Cluster
from smartblood.kafka.publisher import Publisher
from smartblood.kafka.tail import Tail
from smartblood.local.broker import LocalBroker
from smartblood.local.ports import free_port
from smartblood.settings import Settings
from tests.bench.kerala import donor_records
from tests.bench.report import print_table, spread

N_DONORS = int(os.environ.get("BENCH_DONORS", "1000000"))
N_EVENTS = int(os.environ.get("BENCH_EVENTS", "300000"))
LATENCY_DONORS, LATENCY_RATE, LATENCY_S, LATENCY_RUNS = 100_000, 100, 20, 3
DONOR_EVENTS_RUNS = 3
DISTRIBUTIONS = ("confluent-kafka", "fastavro", "numpy", "lightgbm")


def now_us():
    return time.time_ns() // 1_000


def wait_for(done, within_s, what):
    give_up_s = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < give_up_s, f"{what}: not within {within_s} s"
        time.sleep(0.05)


@contextmanager
def running(settings, *arguments):
    """Processors as a child process, with their metrics; ended by SIGTERM."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "smartblood", "run", *arguments, "--metrics-address", address]
    child = subprocess.Popen(command, env={**os.environ, **settings.environment()}, stderr=subprocess.DEVNULL)
    try:
        yield Sight(address)
    finally:
        child.terminate()
        child.wait(timeout=20)


@contextmanager
def broker(tmp_path):
    with LocalBroker(tmp_path / "kafka", lasting=True) as local:
        settings = Settings(kafka_bootstrap_servers=local.bootstrap_servers)
        topics.ensure(settings)
        yield settings


def test_up(tmp_path):
    seconds = []
    for run in range(4):
        folder = tmp_path / str(run)
        folder.mkdir()
        begun_s = time.monotonic()
        with everything_up(Settings(), folder, lambda: False):
            seconds.append(time.monotonic() - begun_s)
    rows = [["", "s"], ["first", f"{seconds[0]:.1f}"], ["median of 3 more", spread(seconds[1:], ".1f")]]
    print_table("`smartblood up` from nothing to ready", rows, *DISTRIBUTIONS)


def registrations(n_donors):
    """The profiles of a world, as they would have been registered."""
    history = simulate(World(n_donors=n_donors, history_days=1), 1, now_us())
    return [line for line in history.events() if line.topic == "donor-registered"], history.world


def test_event_to_match(tmp_path):
    codec = Codec()
    with everything_up(Settings(), tmp_path, lambda: False) as addresses:
        cluster, sight = Cluster(addresses["kafka"]), Sight(addresses["metrics"])
        lines, world = registrations(LATENCY_DONORS)
        # One publisher for all, as upstream services have: a new one needs half a second for its first record.
        with Publisher(cluster, codec, linger_ms=0) as publisher:
            for line in lines:
                publisher.publish(*line)
            wait_for(lambda: sight.total("smartblood_index_donors") >= LATENCY_DONORS, 300, "the index")
            wait_for(lambda: n_donors_recorded(sight) >= LATENCY_DONORS, 300, "the record")
            measure(cluster, publisher, world, 0, seconds=5)  # warm
            runs = [measure(cluster, publisher, world, run, seconds=LATENCY_S) for run in range(1, LATENCY_RUNS + 1)]
    rows = [["run", "requests", "p50 ms", "p90 ms", "p99 ms", "longest ms"]]
    for number, latencies in enumerate(runs, 1):
        cuts = statistics.quantiles(latencies, n=100)
        rows.append(
            [str(number), str(len(latencies)), *(f"{cuts[p - 1]:.1f}" for p in (50, 90, 99)), f"{max(latencies):.1f}"]
        )
    title = (
        f"Event to match: {LATENCY_RATE} requests/s, top 10, {LATENCY_DONORS:,} donors, all recorded, the whole of `up`"
    )
    print_table(title, rows, *DISTRIBUTIONS)


def n_donors_recorded(sight):
    return sight.total("smartblood_records_processed_total", processor="recording", topic="donor-states")


def measure(cluster, publisher, world, run, *, seconds):
    """Latencies in ms from before a request is published to after its match is read."""
    n, sent, latencies = LATENCY_RATE * seconds, {}, {}
    ahead = requests(world, 7 + run, now_us(), 1.0, first_request_id=1 + run * 1_000_000, top_k=10)
    ready = list(itertools.islice(ahead, n))
    with Tail(cluster, ["matches"]) as tail:
        begun_s = time.perf_counter()
        while len(latencies) < n:
            while len(sent) < n and time.perf_counter() >= begun_s + len(sent) / LATENCY_RATE:
                line = moved(ready[len(sent)], now_us())
                sent[line.key.encode()] = time.perf_counter()
                publisher.publish(*line)
                publisher.poll()
            for record in tail.read(0.001):
                if record.key in sent:
                    latencies[record.key] = (time.perf_counter() - sent[record.key]) * 1_000
            assert time.perf_counter() < begun_s + seconds + 60, f"{len(latencies)} of {n} answered"
    return list(latencies.values())


def mixed(n_events):
    history = simulate(World(n_donors=20_000, history_days=730, alerts_per_donor_year=6.0), 1, now_us())
    return list(itertools.islice(history.events(), n_events))


def all_others(n_events):
    line = next(line for line in mixed(100_000) if line.topic == "donor-responded")
    for n in range(n_events):
        event = {**line.event, "donor_id": n, "event_id": f"00000000-0000-4000-8000-{n:012x}"}
        yield Published(line.topic, str(n), event, line.timestamp_ms)


@pytest.mark.parametrize("load", [mixed, all_others], ids=["the simulator's mix", "every event another donor's"])
def test_donor_events(load, tmp_path, request):
    lines = list(load(N_EVENTS))
    n_donors = len({line.key for line in lines})
    rates = [donor_events_a_second(lines, tmp_path / str(run)) for run in range(DONOR_EVENTS_RUNS)]
    kinds = ", ".join(f"{n:,} {topic}" for topic, n in Counter(line.topic for line in lines).most_common())
    rows = [
        ["load", "events", "donors", "events/s"],
        [request.node.callspec.id, f"{len(lines):,}", f"{n_donors:,}", spread(rates)],
    ]
    title = f"Donor events through donor-state, exactly once, two workers, medians of {DONOR_EVENTS_RUNS}: {kinds}"
    print_table(title, rows, *DISTRIBUTIONS)


def donor_events_a_second(lines, folder):
    """From a tenth on, when both workers are at work, to the end."""
    with broker(folder) as settings:
        with Publisher(Cluster.of(settings), Codec()) as publisher:
            for line in lines:
                publisher.publish(*line)
        topics_read = {line.topic for line in lines}
        with (
            running(settings, "donor-state", "--workers", "2"),
            Behind(Cluster.of(settings), "donor-state", topics_read) as behind,
        ):
            seen = []

            def take():
                with suppress(Retryable):  # the broker is busy
                    seen.append((time.monotonic(), len(lines) - behind.n_offsets()))
                return bool(seen) and seen[-1][1] >= len(lines)

            wait_for(take, 300, "donor state")
    begun_s, begun_n = next((at, n) for at, n in seen if n >= len(lines) / 10)
    return (seen[-1][1] - begun_n) / (seen[-1][0] - begun_s)


def test_index_restore_from_kafka(tmp_path):
    with broker(tmp_path) as settings:
        with Publisher(Cluster.of(settings), Codec()) as publisher:
            for record in donor_records(N_DONORS):
                publisher.publish_encoded(record.topic, record.key, record.value, record.timestamp_ms)
        seconds = []
        for _ in range(3):
            begun_s = time.monotonic()
            with running(settings, "matching") as sight:
                wait_for(lambda sight=sight: sight.total("smartblood_ready") >= 1, 300, "matching")
                seconds.append(time.monotonic() - begun_s)
                # It was whole before it said so; gauges are set once a second, the last one maybe before it was sorted.
                wait_for(lambda sight=sight: sight.total("smartblood_index_donors") == N_DONORS, 10, "the gauge")
                time.sleep(2)
                size = sight.total("smartblood_index_bytes")
    rows = [
        ["", ""],
        ["process start to ready, median of 3", f"{spread(seconds, '.1f')} s"],
        ["bytes a donor", f"{size / N_DONORS:.1f}"],
    ]
    print_table(f"Index restore of {N_DONORS:,} donors from donor-states on a broker", rows, *DISTRIBUTIONS)
