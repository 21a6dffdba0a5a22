"""``smartblood train``: make artefacts anew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from smartblood.cli.demand import KERALA
from smartblood.cli.options import Version, with_settings
from smartblood.cli.recorded import KAFKA, Asked, recorded_flags
from smartblood.settings import Settings

if TYPE_CHECKING:
    from features.series import SeriesTable
    from smartblood.training.replaying import Replayed
    from smartblood.training.teaching import Trial

MATCH = "donor_seeker_match"
NAMES = ("donor_availability", "donor_reliability", "donor_response_time", MATCH)
FORECAST = "demand_forecast"
ALL = (*NAMES, FORECAST)
DEMAND_DAYS = 1_826
"""Five years: a forecaster sees years before."""

KERALAS = 8
"""So many are simulated for demand_forecast: of 14 districts it would learn what these happen to be like."""

ENDS_AT = 1_767_205_800_000_000
"""Where simulated time ends: the first instant of 2026 in Kerala. No clock is asked, so that anybody gets the same."""


@click.command()
@click.argument("models", nargs=-1, type=click.Choice(ALL), metavar="[MODEL]...")
@click.option(
    "--seed",
    default=4021,
    type=click.IntRange(0),
    envvar="SMARTBLOOD_TRAIN_SEED",
    show_envvar=True,
    help="Of the world and the fit; another than those of worlds that are looked at.",
)
@click.option(
    "--donors",
    default=60_000,
    type=click.IntRange(500, 1_000_000),
    envvar="SMARTBLOOD_TRAIN_DONORS",
    show_envvar=True,
    help="Simulated donors to learn from.",
)
@click.option(
    "--days",
    default=900,
    type=click.IntRange(90, 3_650),
    envvar="SMARTBLOOD_TRAIN_DAYS",
    show_envvar=True,
    help="Days that are simulated; for demand_forecast 1826 unless given.",
)
@click.option(
    "--lists",
    default=10_000,
    type=click.IntRange(0, 1_000_000),
    envvar="SMARTBLOOD_TRAIN_LISTS",
    show_envvar=True,
    help="Lists that the system itself sends in a second world of half as many donors, for the match to learn from.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SMARTBLOOD_TRAIN_OUT",
    show_envvar=True,
    help="Folder of artefacts and model_map.json; else the one that is set, SMARTBLOOD_MODELS_DIR.",
)
@click.option(
    "--version",
    default="2.4.0",
    type=Version(),
    envvar="SMARTBLOOD_TRAIN_VERSION",
    show_envvar=True,
    help="Version to be made.",
)
@click.option(
    "--default",
    "as_default",
    is_flag=True,
    envvar="SMARTBLOOD_TRAIN_DEFAULT",
    show_envvar=True,
    help="Make it the default in model_map.json, which answers where nothing is released; else the default stays.",
)
@click.option(
    "--from-demand",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="SMARTBLOOD_TRAIN_FROM_DEMAND",
    show_envvar=True,
    metavar="FILE.csv",
    help="Of demand_forecast alone: learn from this file, as `demand import` takes it.",
)
@recorded_flags
@with_settings(*KAFKA)
@click.pass_context
def train(  # noqa: PLR0913 - its flags
    context: click.Context,
    /,
    *,
    models: tuple[str, ...],
    seed: int,
    donors: int,
    days: int,
    lists: int,
    out: Path | None,
    version: str,
    as_default: bool,
    from_demand: Path | None,
    settings: Settings,
    **asked: Any,  # noqa: ANN401 - the fields of Asked
) -> None:
    """Make models anew, all unless named: those of donors, and demand_forecast.

    From donors and requests that are simulated, unless recorded topics are named (--from-topics, --from-files). Their
    events are replayed through the stream's own code, trees fitted to what came of it, calibrated, and judged on what
    came later. donor_seeker_match hears the first two, which are trained with it on earlier events; of a simulated
    world it also learns from lists that the system itself sends in a second one, with the models as they are then.
    demand_forecast learns from what is asked for each day in simulated Keralas, or from a file (--from-demand); with
    recorded topics it is left out. The same arguments and records give the same bytes. A version that is there already
    is never changed, but its file written anew where that is gone or broken; what a version does is said by
    `smartblood models release`.
    """
    from smartblood.errors import Fatal  # noqa: PLC0415 - quick help
    from smartblood.registry.writing import write  # noqa: PLC0415

    def say(step: str) -> None:
        click.echo(f"{step} ...")

    recorded, trial = Asked(**asked), None
    if recorded.is_recorded:
        _refuse_of_world(context)
        _refuse_forecast(models)
    _refuse_demand(from_demand, models, recorded)
    folder = out or settings.models_dir
    of_donors = tuple(one for one in models or NAMES if one != FORECAST)
    is_forecast = FORECAST in (models or ALL) and not recorded.is_recorded
    check = _checking(folder, [*of_donors, *([FORECAST] if is_forecast else [])], version, settings)
    trained: dict[str, Any] = {}
    try:
        if is_forecast:
            n_days = days if context.get_parameter_source("days") in _GIVEN else DEMAND_DAYS
            table, origin = _demand(from_demand or n_days, seed)
            check([FORECAST], {"seed": seed, "days": [str(table.days[0]), str(table.days[-1])]})
        if of_donors and recorded.is_recorded:
            replayed = _recorded(recorded, settings, say)
            check(of_donors, {"asked": replayed.origin["asked"]})
        elif of_donors:
            check(of_donors, {"n_donors": donors, "days": days, "seed": seed, "ends_at": ENDS_AT})
            check({MATCH} & {*of_donors}, {"sent": {"n_requests": lists} if lists else None})
            replayed, trial = _simulated(donors, days, lists, seed, say)
        if of_donors:
            trained = _panel(replayed, trial, seed, version, of_donors, say)
        if is_forecast:
            trained[FORECAST] = _forecaster(table, origin, seed, version, say)
    except ValueError as error:
        more = "a longer span" if recorded.is_recorded else "more --donors or --days"
        message = f"{error}; give {more}"
        raise Fatal(message) from error
    for model, one in trained.items():
        done = write(folder, one.entry, one.artefact, one.card, as_default=as_default)
        click.echo(f"{model} {version}: {folder / one.entry.file} {done}; sha256 {one.entry.sha256}")


def _simulated(
    donors: int, days: int, lists: int, seed: int, say: Callable[[str], None]
) -> tuple[Replayed, Trial | None]:
    from producers.simulator import World  # noqa: PLC0415 - quick help
    from smartblood.training.replaying import of_world  # noqa: PLC0415
    from smartblood.training.sent import trial_of  # noqa: PLC0415

    world = World(n_donors=donors, history_days=days, alerts_per_donor_year=6.0)
    replayed = of_world(world, seed, ENDS_AT, say)
    other = replace(world, n_donors=max(donors // 2, 1))
    return replayed, trial_of(replayed, other, seed + 1, lists, say) if lists else None


def _recorded(asked: Asked, settings: Settings, say: Callable[[str], None]) -> Replayed:
    from features.decay import HalfLives  # noqa: PLC0415 - quick help
    from smartblood.cli.recorded import recording_of  # noqa: PLC0415
    from smartblood.training.replaying import of_recording  # noqa: PLC0415

    half_lives = HalfLives(settings.rate_half_life_days, settings.fatigue_half_life_days)
    return of_recording(recording_of(asked, settings, say), half_lives, settings.late_days, say)


_GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


def _panel(
    replayed: Replayed,
    trial: Trial | None,
    seed: int,
    version: str,
    names: tuple[str, ...],
    say: Callable[[str], None],
) -> dict[str, Any]:
    from smartblood.training.panel import train as train_panel  # noqa: PLC0415 - quick help

    return dict(train_panel(replayed, seed, version, names=names, trial=trial, on_step=say))


def _demand(source: Path | int, seed: int) -> tuple[SeriesTable, dict[str, Any]]:
    """Return demand of a file, or of so many simulated days, and where it is from."""
    import numpy as np  # noqa: PLC0415 - quick help

    from producers.simulator import World  # noqa: PLC0415
    from producers.simulator.demand import daily_demand  # noqa: PLC0415

    if isinstance(source, Path):
        from smartblood.forecasting.demand_file import read_demand  # noqa: PLC0415 - quick help

        table, origin = read_demand(source, dt.datetime.now(KERALA).date())
        return table, {**origin, "seed": seed}
    last = np.datetime64(ENDS_AT, "us").astype("datetime64[D]")  # the day that ends then in Kerala
    origin = {"source": "the project's simulator; no real demand", "seed": seed}
    return daily_demand(World(), seed, last, source, KERALAS), origin


def _forecaster(table: SeriesTable, origin: dict[str, Any], seed: int, version: str, say: Callable[[str], None]) -> Any:  # noqa: ANN401 - as a panel's
    from smartblood.forecasting.training import train as train_forecaster  # noqa: PLC0415 - quick help

    return train_forecaster(table, version, seed, origin, say)


def _checking(
    folder: Path, models: Collection[str], version: str, settings: Settings
) -> Callable[[Collection[str], dict[str, Any]], None]:
    """Check that artefacts can be written, and return what checks that those that are there were made from the same.

    All that takes minutes comes afterwards.
    """
    from smartblood.registry.beforehand import check_place, check_same  # noqa: PLC0415 - quick help

    is_pinned = folder.resolve() == settings.models_dir.resolve()
    check_place(folder, models, version, pinned=settings.models_map_sha256 if is_pinned else None)

    def check(of: Collection[str], told: dict[str, Any]) -> None:
        for model in of:
            check_same(folder, model, version, told)

    return check


def _refuse_forecast(models: tuple[str, ...]) -> None:
    if FORECAST in models:
        message = (
            f"{FORECAST} isn't learned from recorded topics: leave it out, or leave out --from-topics, --from-files"
        )
        raise click.UsageError(message)


def _refuse_demand(from_demand: Path | None, models: tuple[str, ...], recorded: Asked) -> None:
    if from_demand is not None and (recorded.is_recorded or models != (FORECAST,)):
        message = f"--from-demand is what {FORECAST} alone learns from: name it, and no other model or topic"
        raise click.UsageError(message)


def _refuse_of_world(context: click.Context) -> None:
    for name in ("donors", "days", "lists"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            message = f"--{name} makes a simulated world, and what was recorded is to be learned from"
            raise click.UsageError(message)
