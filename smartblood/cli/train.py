"""``smartblood train``: make artefacts anew."""

from __future__ import annotations

from pathlib import Path

import click

from smartblood.settings import MODELS_DIR

NAMES = ("donor_seeker_match",)
ENDS_AT = 1_767_205_800_000_000
"""Where simulated time ends: the first instant of 2026 in Kerala. No clock is asked, so that anybody gets the same."""


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Choice(NAMES), metavar="MODEL...")
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
    default=12_000,
    type=click.IntRange(500, 1_000_000),
    envvar="SMARTBLOOD_TRAIN_DONORS",
    show_envvar=True,
    help="Simulated donors to learn from.",
)
@click.option(
    "--days",
    default=730,
    type=click.IntRange(90, 3_650),
    envvar="SMARTBLOOD_TRAIN_DAYS",
    show_envvar=True,
    help="Days that are simulated.",
)
@click.option(
    "--out",
    default=MODELS_DIR,
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SMARTBLOOD_TRAIN_OUT",
    show_envvar=True,
    help="Folder of artefacts and model_map.json.",
)
@click.option(
    "--version", default="1.0.0", envvar="SMARTBLOOD_TRAIN_VERSION", show_envvar=True, help="Version to be made."
)
def train(models: tuple[str, ...], seed: int, donors: int, days: int, out: Path, version: str) -> None:
    """Make models anew: donor_seeker_match.

    Donors and requests are simulated, their events replayed through the stream's own code, trees fitted to what came
    of it, calibrated, and judged on what came later. The same arguments give the same bytes. The version becomes the
    default in model_map.json; a version that is there already is never changed.
    """
    from producers.simulator import World  # noqa: PLC0415 - quick help
    from smartblood.errors import Fatal  # noqa: PLC0415
    from smartblood.registry.writing import write  # noqa: PLC0415
    from smartblood.training.donor_seeker_match import train as train_match  # noqa: PLC0415

    world = World(n_donors=donors, history_days=days, alerts_per_donor_year=6.0)
    for model in dict.fromkeys(models):
        try:
            trained = train_match(world, seed, ENDS_AT, version, on_step=lambda step: click.echo(f"{step} ..."))
        except ValueError as error:
            message = f"{model}: {error}; give more --donors or --days"
            raise Fatal(message) from error
        is_new = write(out, trained.entry, trained.artefact, trained.card)
        what = "written" if is_new else "there already, the same"
        click.echo(f"{model} {version}: {out / trained.entry.file} {what}; sha256 {trained.entry.sha256}")
