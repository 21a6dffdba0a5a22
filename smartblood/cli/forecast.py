"""``smartblood forecast``: what is forecast, to look at."""

from __future__ import annotations

from pathlib import Path

import click

from features.compatibility import GROUPS, group_text
from features.districts import DISTRICTS
from smartblood.cli.options import with_settings, writable
from smartblood.errors import Fatal
from smartblood.settings import Settings


@click.group()
def forecast() -> None:
    """Forecasts of demand."""


@forecast.command()
@click.option(
    "--district",
    required=True,
    type=click.Choice([district.name for district in DISTRICTS]),
    metavar="DISTRICT",
    envvar="SMARTBLOOD_FORECAST_PLOT_DISTRICT",
    show_envvar=True,
    help="As events spell it, such as Ernakulam.",
)
@click.option(
    "--group",
    required=True,
    type=click.Choice([group_text(group) for group in GROUPS if group != "UNKNOWN"]),
    metavar="GROUP",
    envvar="SMARTBLOOD_FORECAST_PLOT_GROUP",
    show_envvar=True,
    help="A+, A-, B+, B-, AB+, AB-, O+, O-, Oh+ or Oh-.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    envvar="SMARTBLOOD_FORECAST_PLOT_OUT",
    show_envvar=True,
    callback=writable,
    help="The picture.",
)
@click.option(
    "--days",
    default=120,
    type=click.IntRange(7, 1_830),
    envvar="SMARTBLOOD_FORECAST_PLOT_DAYS",
    show_envvar=True,
    help="How much of the past is drawn.",
)
@with_settings("database_url")
def plot(*, district: str, group: str, out: Path, days: int, settings: Settings) -> None:
    """Draw what was asked for, the latest forecast, its 80 % interval and the band of every other day.

    All of it is the record's: `recording` keeps what was asked for and what `forecasting` publishes. Where a day is
    over since, what came stands beside what was forecast.
    """
    from smartblood.demand.drawing import drawn  # noqa: PLC0415 - quick help

    if settings.database_url is None:
        message = "no Postgres is named: set SMARTBLOOD_DATABASE_URL, or give --database-url"
        raise Fatal(message)
    click.echo(drawn(settings.database_url, district, group, out, n_days=days))
