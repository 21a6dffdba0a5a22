"""``smartblood topics``: makes topics what the catalogue says, and says where they are otherwise."""

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
def create(settings: Settings) -> int:
    """Make the topics that are missing, and set what others have configured otherwise.

    Nothing else of theirs is touched. Exit code 1 if something is otherwise that can't be changed, such as the number
    of partitions.
    """
    from smartblood.kafka.topics import ensure  # noqa: PLC0415 - quick help

    made, changed, left = ensure(settings)
    for name in made:
        click.echo(f"made {name}")
    for difference in changed:
        click.echo(difference.mended())
    for line in left:
        click.echo(line)
    if not (made or changed or left):
        click.echo("all topics are as they should be")
    return 1 if left else 0


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
