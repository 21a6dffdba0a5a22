"""``smartblood db``: the tables in Postgres."""

from __future__ import annotations

import click

from smartblood.cli.options import with_settings
from smartblood.errors import Fatal
from smartblood.settings import Settings


@click.group()
def db() -> None:
    """Make the tables what they should be, or say what differs."""


@db.command()
@with_settings("database_url")
def upgrade(settings: Settings) -> None:
    """Make the tables, or bring them up to date."""
    from smartblood.storage.schema import upgrade as bring_up_to_date  # noqa: PLC0415 - quick help

    bring_up_to_date(_url(settings))
    click.echo("tables are up to date")


@db.command()
@with_settings("database_url")
def check(settings: Settings) -> int:
    """Say what differs between the tables and what this release needs; exit 1 where something does."""
    from smartblood.storage.schema import check as differences_of  # noqa: PLC0415 - quick help

    differences = differences_of(_url(settings))
    for line in differences:
        click.echo(line)
    if not differences:
        click.echo("tables are up to date")
    return 1 if differences else 0


def _url(settings: Settings) -> str:
    if settings.database_url is None:
        message = "no Postgres is named: set SMARTBLOOD_DATABASE_URL, or give --database-url"
        raise Fatal(message)
    return settings.database_url
