"""``smartblood demand``: days of demand from before this system."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from smartblood.cli.options import with_settings
from smartblood.errors import Fatal
from smartblood.settings import Settings

KERALA = dt.timezone(dt.timedelta(hours=5, minutes=30))
LINES_TOLD = 20


@click.group()
def demand() -> None:
    """Demand by district, blood group and day."""


@demand.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.csv")
@with_settings("database_url")
def import_(file: Path, settings: Settings) -> None:
    """Bring in past days of demand from FILE.csv: what was asked for before this system counted it.

    \b
    district,blood_group,day,units_requested,units_fulfilled
    Kollam,O+,2024-03-31,14,12
    Kollam,Oh+,2024-03-31,0,0

    The header names the columns, in any order; others are passed over. Districts are spelled as in every event
    (Kasaragod, Thiruvananthapuram ...), groups A+, A-, B+, B-, AB+, AB-, O+, O-, Oh+, Oh- or
    unknown, days are local ones.

    The file is for demand that didn't come as requests: what recording counts stands beside it, and the sums of
    demand_days hold both. A day of the file replaces what an earlier import said of that district, group and day, so
    the same file again changes nothing. A day that a file leaves out is taken for one without demand once its district
    has an earlier one; days after the last file's last, until the first request is counted, are taken as not known.

    Where a line makes no sense each such line is named and nothing at all is imported.
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from smartblood.demand.reading import read_days  # noqa: PLC0415 - quick help
    from smartblood.storage.demand_days import EPOCH, DemandDays  # noqa: PLC0415

    if settings.database_url is None:
        message = "no Postgres is named: set SMARTBLOOD_DATABASE_URL, or give --database-url"
        raise Fatal(message)
    today = dt.datetime.now(KERALA).date()
    days, wrong = read_days(file, today)
    for one in wrong[:LINES_TOLD]:
        click.echo(str(one))
    if wrong:
        message = f"{file}: {wrong[0]}; {len(wrong)} lines are wrong, nothing was imported: mend them, try again"
        raise Fatal(message)
    if not days:
        message = f"{file} has a header and no days: nothing was imported"
        raise Fatal(message)
    kept = DemandDays(settings.database_url)
    try:
        kept.require_up_to_date()
        done = kept.bring_in(days, lambda n: click.echo(f"{n:,} of {len(days):,} days ...", err=True))
        unheard = kept.unheard((today - EPOCH).days)
    finally:
        kept.close()
    first, last = min(one.day for one in days), max(one.day for one in days)
    n_series = len({one[:2] for one in days})
    click.echo(
        f"{len(days):,} days of {n_series} districts and groups, {first} to {last}: "
        f"{done.n_changed:,} are new or changed, {len(days) - done.n_changed:,} were there already"
    )
    if done.n_counted_too:
        click.echo(f"{done.n_counted_too:,} of them have requests that recording counts, too: both are in the sums")
    if unheard:
        from_day, to_day = (EPOCH + dt.timedelta(day) for day in (unheard[0], unheard[-1]))
        click.echo(
            f"nothing is known of {len(unheard):,} days, {from_day} to {to_day}, before the first request that "
            "recording counts: forecasts pass over them; bring them in where somebody knows them"
        )
