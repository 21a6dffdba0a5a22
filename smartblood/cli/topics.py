"""``smartblood topics``: makes topics as the catalogue says, and says where they are otherwise."""

from __future__ import annotations

import click

from smartblood.cli.options import with_settings
from smartblood.settings import Settings

TOPIC_SETTINGS = (
    "kafka_bootstrap_servers",
    "topic_prefix",
    "donor_partitions",
    "request_partitions",
    "output_partitions",
    "replication_factor",
    "replay_horizon_days",
)


@click.group()
def topics() -> None:
    """Topics of the contract."""


@topics.command()
@with_settings(*TOPIC_SETTINGS)
def create(settings: Settings) -> None:
    """Make the topics that are missing; those that are there stay as they are."""
    from smartblood.kafka.topics import ensure  # noqa: PLC0415 - quick help

    made = ensure(settings)
    for name in made:
        click.echo(f"made {name}")
    if not made:
        click.echo("all topics are there")


@topics.command()
@with_settings(*TOPIC_SETTINGS)
def check(settings: Settings) -> int:
    """Say where topics differ from the catalogue and the settings; exit code 1 if any does."""
    from smartblood.kafka import topics as asked  # noqa: PLC0415 - quick help

    differences = asked.check(settings)
    for difference in differences:
        click.echo(str(difference))
    if not differences:
        click.echo("all topics are as they should be")
    return 1 if differences else 0
