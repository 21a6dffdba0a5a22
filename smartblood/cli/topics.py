"""``smartblood topics``: makes topics what the catalogue says, and says where they are otherwise."""

from __future__ import annotations

from pathlib import Path

import click

from smartblood.cli.options import with_settings
from smartblood.cli.reach import await_answer
from smartblood.cli.recorded import KAFKA, Asked, Range, bounds
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

    await_answer(settings)
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

    await_answer(settings)
    differences = asked.check(settings)
    for difference in differences:
        click.echo(str(difference))
    if not differences:
        click.echo("all topics are as they should be")
    return 1 if differences else 0


@topics.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER")
@bounds
@with_settings(*KAFKA)
def keep(folder: Path, start: float | None, end: float | None, ranges: tuple[Range, ...], settings: Settings) -> None:
    """Keep what models are trained from: requests, closings, profiles, donations and responses, as Avro files.

    Committed records alone, a file a topic, so that `train --from-files` learns from them when the topics have long
    forgotten. Deferrals are left out, and whatever an erasure in the span forgot; ids, cells and birth days of donors
    are in them: whoever keeps such files answers for them.
    """
    from smartblood.cli.recorded import instant_of, read_topics  # noqa: PLC0415 - quick help
    from smartblood.kafka.schema_registry import codec_of  # noqa: PLC0415
    from smartblood.training.recorded import keep as keep_in  # noqa: PLC0415

    asked = Asked(from_topics=True, start=start, end=end, ranges=ranges, folders=())
    records, spans = read_topics(asked, settings, lambda step: click.echo(f"{step} ...", err=True))
    paths = keep_in(folder, records, codec_of(settings), spans, instant_of(end))
    for path in paths:
        click.echo(f"{path}: {path.stat().st_size:,} bytes")
