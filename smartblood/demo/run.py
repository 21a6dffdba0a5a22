"""The demo's course: start everything, publish a history, send requests, watch the matches, sum up, stop everything."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from producers.simulator import History, World, simulate
from schemas.records import Record
from smartblood.demo import view
from smartblood.demo.demand import forecast_shown
from smartblood.demo.everything import everything_up
from smartblood.demo.live import Course, watch_matches
from smartblood.demo.sight import Sight
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.behind import Behind
from smartblood.kafka.client import Cluster
from smartblood.kafka.publisher import Publisher
from smartblood.kafka.schema_registry import codec_of
from smartblood.kafka.tail import Tail
from smartblood.settings import Settings
from smartblood.storage.counts import row_counts

CAUGHT_UP_WITHIN_S = 300.0
RECORDED_WITHIN_S = 30.0
DONOR_TOPICS = ("donor-registered", "donation-recorded", "donor-responded")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the demo shows: so many donors, days of history, requests, at so many a second, from this seed."""

    donors: int
    days: int
    requests: int
    rate: float
    seed: int


@dataclass(slots=True)
class Told:
    """A history that was published and taken in: events a second through ``donor-state``."""

    history: History
    n_events: int
    events_a_second: float


class Stopped(Exception):  # noqa: N818 - no error: somebody asked
    """The demo was asked to stop."""


def run(plan: Plan, settings: Settings, console: Console, stop: threading.Event) -> None:
    """Run the demo from beginning to end, or until ``stop`` is set.

    Raises
    ------
    Fatal
        If something doesn't start or doesn't catch up.
    """
    with tempfile.TemporaryDirectory(prefix="smartblood-demo-", ignore_cleanup_errors=True) as folder:
        console.print("Starting a broker, a database and the processors …")
        with everything_up(settings, Path(folder), stop.is_set) as addresses:
            try:
                _show(plan, settings, addresses, console, stop)
            except Stopped:
                console.print("Stopping …")


def _show(plan: Plan, settings: Settings, addresses: dict[str, str], console: Console, stop: threading.Event) -> None:
    _go_on(stop)
    console.print(f"Ready: Kafka at {addresses['kafka']}, metrics at {addresses['metrics']}")
    # What up prints hides the password of a database that was set.
    database_url = settings.database_url or addresses["database"]
    here = settings.changed(kafka_bootstrap_servers=addresses["kafka"], database_url=database_url)
    cluster, sight = Cluster.of(here), Sight(addresses["metrics"])
    codec = codec_of(here)
    # One publisher for all, as upstream services have: a new one needs half a second before its first record is there.
    with Tail(cluster, ["dead-letters"]) as letters, Publisher(cluster, codec, linger_ms=0) as publisher:
        with _progress(console) as progress:
            told = _tell(plan, publisher, cluster, sight, progress, stop)
        course = Course(plan.requests, plan.rate, plan.seed, told.history)
        watch = watch_matches(course, cluster, publisher, codec, console, stop)
        rows = _recorded(here, watch, stop)
        console.print("Forecasting what hospitals will ask for …")
        picture = forecast_shown(told.history, publisher, database_url, stop)
        reasons = Counter(_reason(dict(letter.headers)) for letter in _all(letters))
    console.print(view.summary(_summary(told, watch, rows, reasons)))
    console.print(f"Forecast, {picture}\n", soft_wrap=True, highlight=False)
    console.print(NEXT)


def _tell(
    plan: Plan, publisher: Publisher, cluster: Cluster, sight: Sight, progress: Progress, stop: threading.Event
) -> Told:
    """Simulate and publish the history, and wait until it is taken in."""
    living = progress.add_task(f"Simulating {plan.days} days of {plan.donors:,} donors", total=plan.days)

    def on_day(n_done: int, _n_days: int) -> None:
        _go_on(stop)
        progress.update(living, completed=n_done)

    say = progress.console.print if not progress.console.is_terminal else _nothing
    say(f"Simulating {plan.days} days of {plan.donors:,} donors …")
    world = World(n_donors=plan.donors, history_days=plan.days)
    history = simulate(world, plan.seed, time.time_ns() // 1_000, on_day=on_day)
    events = list(history.events())
    say(f"Publishing their {len(events):,} events …")
    publishing = progress.add_task("Publishing their events", total=len(events))
    taking_in = progress.add_task("Taking them in (donor-state, exactly once)", total=len(events))
    indexing = progress.add_task("Indexing donors (matching)", total=plan.donors)
    started_s, seen_s = time.monotonic(), 0.0
    for n, (topic, key, event, timestamp_ms) in enumerate(events, 1):
        publisher.publish(topic, key, event, timestamp_ms)
        if n % 2_000 == 0:
            _go_on(stop)
            progress.update(publishing, completed=n)
    publisher.flush()
    progress.update(publishing, completed=len(events))
    say("Waiting until donor-state and matching have taken them in …")
    give_up_s, n_in = time.monotonic() + CAUGHT_UP_WITHIN_S, 0
    with Behind(cluster, "donor-state", DONOR_TOPICS) as behind:
        while True:
            _go_on(stop)
            with suppress(Retryable):  # a broker that is busy is asked again
                n_in = max(0, len(events) - behind.n_offsets())
            n_indexed = sight.total("smartblood_index_donors", processor="matching")
            progress.update(taking_in, completed=min(n_in, len(events)))
            progress.update(indexing, completed=min(n_indexed, plan.donors))
            if n_in >= len(events) and not seen_s:
                seen_s = time.monotonic() - started_s
            if seen_s and n_indexed >= plan.donors:
                return Told(history, len(events), len(events) / seen_s)
            if time.monotonic() > give_up_s:
                message = (
                    f"{n_in:,} of {len(events):,} donor events taken in within {CAUGHT_UP_WITHIN_S:.0f} s; see the log"
                )
                raise Fatal(message)
            stop.wait(0.25)


def _recorded(settings: Settings, watch: view.Watch, stop: threading.Event) -> dict[str, int]:
    """Wait until the offers that were seen are in Postgres; return how many rows each table has."""
    give_up_s = time.monotonic() + RECORDED_WITHIN_S
    while True:
        rows = row_counts(settings.database_url or "")
        if rows["match_predictions"] >= watch.n_offers or time.monotonic() > give_up_s:
            return rows
        _go_on(stop)
        stop.wait(0.25)


def _summary(told: Told, watch: view.Watch, rows: dict[str, int], reasons: Counter[str]) -> list[tuple[str, str]]:
    latencies = watch.latencies_ms
    responses = ", ".join(f"{n} {what.lower()}" for what, n in watch.responses.most_common())
    return [
        ("donor events", f"{told.n_events:,}, published and taken in exactly once at {told.events_a_second:,.0f}/s"),
        ("requests answered", f"{len(latencies):,} in {watch.seconds:.1f} s: {len(latencies) / watch.seconds:.1f}/s"),
        (
            "event to match",
            f"p50 {view.percentile_ms(latencies, 50):.1f} ms, p99 {view.percentile_ms(latencies, 99):.1f} ms",
        ),
        ("offers", f"{watch.n_offers:,}; {watch.n_empty} lists were empty"),
        ("answers of donors", responses or "none yet"),
        ("rows in Postgres", ", ".join(f"{n:,} {table}" for table, n in rows.items() if n)),
        ("dead letters", ", ".join(f"{n} {reason}" for reason, n in reasons.most_common()) or "none"),
    ]


NEXT = """What to try next:
  .venv/bin/smartblood up --data state          keep it running; it prints its addresses
  .venv/bin/smartblood simulate --help          publish a world of your own
  .venv/bin/smartblood decode matches --max 1   look at one ranked list
  make bench                                    how fast is it on this machine
"""


def _reason(headers: dict[str, bytes | None]) -> str:
    error = (headers.get("error") or b"?").decode("utf-8", "replace")
    return f"{(headers.get('source-topic') or b'?').decode()}: {error.split(':')[0]}"


def _all(tail: Tail) -> Iterator[Record]:
    while records := tail.read(0.5):
        yield from records


def _nothing(_: str) -> None:
    """Say nothing: the bars do."""


def _go_on(stop: threading.Event) -> None:
    if stop.is_set():
        raise Stopped


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield progress
