"""``smartblood demo``: the whole way on one machine, to look at."""

from __future__ import annotations

import click

from smartblood.cli.options import CONNECTING, with_settings
from smartblood.settings import Settings


@click.command()
@click.option(
    "--donors",
    default=20_000,
    type=click.IntRange(100, 1_000_000),
    envvar="SMARTBLOOD_DEMO_DONORS",
    show_envvar=True,
    help="How many donors Kerala has.",
)
@click.option(
    "--days",
    default=730,
    type=click.IntRange(30, 3_650),
    envvar="SMARTBLOOD_DEMO_DAYS",
    show_envvar=True,
    help="Days of donations before now.",
)
@click.option(
    "--requests",
    default=600,
    type=click.IntRange(1, 1_000_000),
    envvar="SMARTBLOOD_DEMO_REQUESTS",
    show_envvar=True,
    help="How many requests are sent.",
)
@click.option(
    "--rate",
    default=20.0,
    type=click.FloatRange(0.1, 1_000),
    envvar="SMARTBLOOD_DEMO_RATE",
    show_envvar=True,
    help="Requests a second.",
)
@click.option(
    "--seed",
    default=1,
    type=click.IntRange(0),
    envvar="SMARTBLOOD_DEMO_SEED",
    show_envvar=True,
    help="The same seed, the same world.",
)
@with_settings(*CONNECTING)
def demo(donors: int, days: int, requests: int, rate: float, seed: int, settings: Settings) -> None:
    """Show matches as they come: everything is started, fed with a simulated Kerala, watched, and stopped.

    Where a broker or a database is named by the settings, that one is used.
    """
    from rich.console import Console  # noqa: PLC0415 - quick help

    from smartblood.demo.run import Plan, run  # noqa: PLC0415
    from smartblood.stopping import stop_event  # noqa: PLC0415

    with stop_event() as stop:
        run(Plan(donors, days, requests, rate, seed), settings, Console(), stop)
