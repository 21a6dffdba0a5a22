"""``smartblood up``: everything on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from smartblood.cli.options import CONNECTING, FLAGS, with_settings
from smartblood.settings import Settings

OPTIONS = (*CONNECTING, *(name for name in FLAGS if name not in CONNECTING))


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SMARTBLOOD_UP_DATA",
    show_envvar=True,
    help="Folder that keeps Kafka's and Postgres's data between runs; without it they are thrown away.",
)
@click.option(
    "--workers",
    default=1,
    type=click.IntRange(1, 64),
    envvar="SMARTBLOOD_UP_WORKERS",
    show_envvar=True,
    help="Processes for each processor.",
)
@with_settings(*OPTIONS)
def up(data: Path | None, workers: int, settings: Settings) -> None:
    """Run everything on this machine until SIGTERM or Ctrl-C.

    A Kafka broker and a Postgres are started where no address is set; then topics, tables, all processors and their
    metrics. When all is ready, one line of JSON on stdout says where:
    {"kafka": ..., "database": ..., "http": ..., "metrics": ...}.
    """
    from smartblood.cli import whole  # noqa: PLC0415 - quick help

    whole.run(settings, data=data, n_workers=workers)
