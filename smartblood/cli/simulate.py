"""``smartblood simulate``: a seeded Kerala, published as its upstreams would."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from smartblood.cli.options import with_settings
from smartblood.cli.reach import await_answer
from smartblood.settings import Settings

if TYPE_CHECKING:
    from producers.simulator import World
    from smartblood.kafka.publisher import Publisher

PLAIN_EVERY_S = 5.0
REPORT_EVERY = 1_000
POLL_S = 0.05


Step = Callable[[int], None]
"""Says how much of a step is done."""


@click.command()
@click.option(
    "--donors",
    default=20_000,
    type=click.IntRange(1, 5_000_000),
    envvar="SMARTBLOOD_SIMULATE_DONORS",
    show_envvar=True,
    help="How many donors Kerala has.",
)
@click.option(
    "--requests",
    "n_requests",
    default=100,
    type=click.IntRange(0),
    envvar="SMARTBLOOD_SIMULATE_REQUESTS",
    show_envvar=True,
    help="Requests that are made now, after the history.",
)
@click.option(
    "--days",
    default=730,
    type=click.IntRange(1, 3_650),
    envvar="SMARTBLOOD_SIMULATE_DAYS",
    show_envvar=True,
    help="Days of donations and answers before now.",
)
@click.option(
    "--seed",
    default=1,
    type=click.IntRange(0),
    envvar="SMARTBLOOD_SIMULATE_SEED",
    show_envvar=True,
    help="The same seed, the same world.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 100_000, min_open=True),
    envvar="SMARTBLOOD_SIMULATE_RATE",
    show_envvar=True,
    help="Requests a second; none: as fast as it goes.",
)
@click.option(
    "--top-k",
    type=click.IntRange(1, 1_000),
    envvar="SMARTBLOOD_SIMULATE_TOP_K",
    show_envvar=True,
    help="Donors wanted for each request; none: as many as fill the units with 90 % certainty.",
)
@with_settings("kafka_bootstrap_servers", "schema_registry_url", "topic_prefix")
def simulate(
    *,
    donors: int,
    n_requests: int,
    days: int,
    seed: int,
    rate: float | None,
    top_k: int | None,
    settings: Settings,
) -> None:
    """Publish a seeded world: donors, what they gave and answered until now, then requests.

    Everything goes through the topics that real upstreams use, which must be there (`smartblood topics create`). Each
    request occurs when it is published. Donors are numbered from 1: never publish over real ones.
    """
    from producers.simulator import World  # noqa: PLC0415 - quick help
    from producers.simulator import simulate as live_through  # noqa: PLC0415
    from smartblood.kafka.client import Cluster  # noqa: PLC0415
    from smartblood.kafka.publisher import Publisher  # noqa: PLC0415
    from smartblood.kafka.schema_registry import codec_of  # noqa: PLC0415

    await_answer(settings)  # before a world is lived through for nobody
    cluster = Cluster.of(settings)
    world = World(n_donors=donors, history_days=days)
    with _steps() as begin, Publisher(cluster, codec_of(settings)) as publisher:
        step = begin(f"Simulating {days:,} days of {donors:,} donors", days)
        history = live_through(world, seed, _now(), on_day=lambda n_done, _: step(n_done))
        events = list(history.events())
        step = begin(f"Publishing {len(events):,} events of theirs", len(events))
        for n, line in enumerate(events, 1):
            publisher.publish(*line)
            if n % REPORT_EVERY == 0 or n == len(events):
                step(n)
        publisher.flush()
        step = begin(f"Publishing {n_requests:,} requests", n_requests)
        _publish_requests(world, seed, Course(n_requests, rate, top_k), publisher, step)
    click.echo(f"published {len(events):,} events of {donors:,} donors, and {n_requests:,} requests")


class Course(NamedTuple):
    """How many requests, how many a second (None: as fast as it goes), and what each says of ``top_k``."""

    n_requests: int
    rate: float | None
    top_k: int | None


def _publish_requests(world: World, seed: int, course: Course, publisher: Publisher, step: Step) -> None:
    from producers.simulator.requests import moved, requests  # noqa: PLC0415 - quick help

    started_s, first_at = time.monotonic(), _now()
    # Milliseconds since 1970 as the first id: a world that is published again asks for other requests.
    source = requests(world, seed, first_at, 1.0, first_request_id=first_at // 1_000, top_k=course.top_k)
    for n in range(course.n_requests):
        due_s = started_s + n / course.rate if course.rate else 0.0
        while (wait_s := due_s - time.monotonic()) > 0:
            publisher.poll()
            time.sleep(min(wait_s, POLL_S))
        publisher.publish(*moved(next(source), _now()))
        if course.rate:
            publisher.poll()
        step(n + 1)


@contextmanager
def _steps() -> Iterator[Callable[[str, int], Step]]:
    """Give a function that begins a step: a progress bar on a terminal, plain lines elsewhere."""
    from rich.console import Console  # noqa: PLC0415 - quick help
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:

        def begin(what: str, n_all: int) -> Step:
            task = progress.add_task(what, total=n_all)
            return lambda n_done: progress.update(task, completed=n_done)

        yield begin


def _plain(what: str, n_all: int) -> Step:
    click.echo(f"{what} ...", err=True)
    said_s = time.monotonic()

    def step(n_done: int) -> None:
        nonlocal said_s
        if n_done < n_all and time.monotonic() - said_s >= PLAIN_EVERY_S:
            said_s = time.monotonic()
            click.echo(f"  {n_done:,} of {n_all:,}", err=True)

    return step


def _now() -> int:
    return time.time_ns() // 1_000
