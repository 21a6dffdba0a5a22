"""``smartblood backtest``: how good the forecaster would have been on any table, as of days that are past."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from smartblood.cli.options import writable
from smartblood.errors import WrongUsage
from smartblood.plain_json import json_text

if TYPE_CHECKING:
    from features.forecasting.calendars import Place

WIDTH = 120
"""Of the table where nobody says how wide a line may be."""

SEASONS = {"D": 7, "W": 52, "M": 12}
"""Of frequencies, by their first letter."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.csv")
@click.option(
    "--frequency",
    required=True,
    help="Of the table's days: D; W, or W-MON to W-SUN; M, MS or ME (months: by a day up to the 28th or the "
    "last, firsts, lasts); 10D, 2W.",
)
@click.option("--horizon", default=4, type=click.IntRange(1, 366), help="Periods to forecast as of each origin.")
@click.option(
    "--season",
    type=click.IntRange(1, 1_000),
    help="Periods after which the season comes again, for the classics and what errors are measured by; unless given "
    "7 of days, 52 of weeks, 12 of months; of several days or weeks a year.",
)
@click.option("--origins", default=26, type=click.IntRange(1, 10_000), help="Days as of which to forecast.")
@click.option("--every", default=4, type=click.IntRange(1, 10_000), help="Periods from one origin to the next.")
@click.option("--country", help="Whose holidays and feasts count: MY, or a part's, IN-KL; with none, no holidays do.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=writable,
    metavar="FORECASTS.csv",
    help="Every forecast into this file: series, cutoff, day, mean, q0.1 to q0.9.",
)
@click.option(
    "--section",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=writable,
    metavar="SECTION.md",
    help="The figures, by year and by horizon too, as a section of Markdown into this file.",
)
@click.option("--title", help="Of the section; unless given, the table's name.")
@click.option("--json", "as_data", is_flag=True, help="Print the figures as JSON.")
def backtest(  # noqa: PLR0913 - its flags
    file: Path,
    *,
    frequency: str,
    horizon: int,
    season: int | None,
    origins: int,
    every: int,
    country: str | None,
    out: Path | None,
    section: Path | None,
    title: str | None,
    as_data: bool,
) -> None:
    """Judge the forecaster on a table with the columns series, day, value (others are ignored).

    As of each origin it is learned anew, from nothing later, and forecasts the periods that follow; the last origin
    lies one horizon before the table's end. Beside it stand the season before again and exponential smoothing (ETS).
    An empty value, or a day that isn't there, is taken as not known. All three are judged on the outcomes that all of
    them forecast: the season before says nothing of a series that is younger. Who forecasts none at all has dashes, and
    the others are judged without it.
    """
    from rich.console import Console  # noqa: PLC0415 - quick help

    from features.forecasting.calendars import beyond_calendar  # noqa: PLC0415
    from smartblood.forecasting.backtest import Plan  # noqa: PLC0415
    from smartblood.forecasting.backtest import backtest as judge  # noqa: PLC0415
    from smartblood.forecasting.section import section_of  # noqa: PLC0415
    from smartblood.forecasting.tables import read_table  # noqa: PLC0415
    from smartblood.forecasting.view import (  # noqa: PLC0415
        as_json,
        left_out,
        not_forecast,
        span_of,
        table_of,
        write_forecasts,
    )

    _keep_apart({"FILE.csv": file, "--out": out, "--section": section})
    place = _place(country)
    long = read_table(file, frequency)
    if place is not None and (beyond := beyond_calendar(long.table.days)):
        long = long._replace(notes=(*long.notes, beyond))
    for note in long.notes:
        click.echo(note, err=True)
    plan = Plan(horizon, season or _season(frequency), origins, every, place)
    with _progress() as progress:
        found = judge(long.table, plan, progress)
    if out is not None:
        write_forecasts(out, found, long)
    if section is not None:
        flags = (
            f"--frequency {frequency} --horizon {horizon} --season {plan.season} --origins {origins} --every {every}"
        )
        flags += f" --country {country}" if country else ""
        section.write_text(section_of(title or file.stem, found, long, plan, flags), "utf-8")
    if as_data:
        click.echo(json_text(as_json(found, long, plan)))
        return
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table_of(found))
    for line in (left_out(found), not_forecast(found, long)):
        if line:
            click.echo(line)
    click.echo(span_of(found, long, plan))


def _keep_apart(paths: dict[str, Path | None]) -> None:
    """Refuse to write over what is read, or twice over the same file.

    Raises
    ------
    WrongUsage
        If two are one.
    """
    seen: dict[Path, str] = {}
    for flag, path in paths.items():
        if path is None:
            continue
        before = seen.setdefault(path.resolve(), flag)
        if before != flag:
            named = "the table itself" if before == "FILE.csv" else f"the same file as {before}"
            message = f"{flag} names {named}: {path}; give another"
            raise WrongUsage(message)


class Progress(Protocol):
    """Is told how many origins are done, of how many, and what is being done."""

    def __call__(self, done: int, n: int, what: str, /) -> None:
        """Show it."""


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show progress on a terminal; elsewhere nothing."""
    from rich.console import Console  # noqa: PLC0415 - quick help
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(file=sys.stderr), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("learning", total=None)
        yield lambda done, n, what: bar.update(task, completed=done, total=n, description=what)


def _season(frequency: str) -> int:
    """Return the periods of a season; of several days or weeks it is a year, a leading 1 is the same as none."""
    number, unit = frequency.upper().rstrip("DWM"), frequency.upper().lstrip("0123456789")[:1]
    season = SEASONS[unit]
    if not number.isdecimal() or int(number) == 1:
        return season
    return max(1, round((365 if unit == "D" else season) / int(number)))


def _place(country: str | None) -> Place | None:
    if country is None:
        return None
    from features.forecasting.calendars import Place  # noqa: PLC0415 - quick help

    code, _, part = country.upper().partition("-")
    try:
        return Place(code, part or None)
    except ValueError as error:
        message = f"--country {country}: {error}"
        raise WrongUsage(message) from error
