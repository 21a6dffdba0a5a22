"""``smartblood models recalibrate``: a version whose scores follow what each district answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from smartblood.cli.options import Version, with_settings
from smartblood.cli.recorded import KAFKA, Asked, recorded_flags
from smartblood.cli.train import NAMES
from smartblood.settings import Settings


@click.command()
@click.argument("model", type=click.Choice(NAMES), metavar="MODEL")
@click.option("--version", required=True, type=Version(), help="Version to be made.")
@click.option("--base", help="Version whose trees are kept; else the default.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]),
    help="Count who was asked from then on, UTC unless said; else the first third of the time is left out, in which "
    "nothing is known of anybody.",
)
@recorded_flags
@with_settings(*KAFKA, "models_dir", "models_map_sha256")
@click.pass_context
def recalibrate(
    context: click.Context,
    /,
    *,
    model: str,
    version: str,
    base: str | None,
    since: datetime | None,
    settings: Settings,
    **asked: Any,  # noqa: ANN401 - the fields of Asked
) -> None:
    """Make a VERSION of MODEL that follows what each district answered, by recorded outcomes.

    The trees stay; the logit of a score is shifted by the district of the request, where its earlier outcomes say so,
    and judged on later ones. Exit code 1, and nothing is written, where later outcomes don't speak for it. The same
    records give the same bytes. `models release` says what it is to do, as of any version.
    """
    recorded = Asked(**asked)
    if not recorded.is_recorded:
        message = "name what was recorded: --from-topics or --from-files"
        raise click.UsageError(message)
    from features.decay import HalfLives  # noqa: PLC0415 - quick help
    from smartblood.cli.recorded import recording_of  # noqa: PLC0415
    from smartblood.errors import Fatal  # noqa: PLC0415
    from smartblood.registry.beforehand import check_place  # noqa: PLC0415
    from smartblood.registry.loading import load_content, load_digest  # noqa: PLC0415
    from smartblood.registry.writing import write  # noqa: PLC0415
    from smartblood.training import recalibrating  # noqa: PLC0415
    from smartblood.training.replaying import of_recording  # noqa: PLC0415

    def say(step: str) -> None:
        click.echo(f"{step} ...")

    folder, pinned = settings.models_dir, settings.models_map_sha256
    entry, content = load_content(folder, model, base, pinned=pinned)
    hears = entry.training_data.get("hears", {})
    heard = {name: load_digest(folder, name, digest, pinned=pinned) for name, digest in hears.items()}
    check_place(folder, [model], version, pinned=pinned)
    half_lives = HalfLives(settings.rate_half_life_days, settings.fatigue_half_life_days)
    replayed = of_recording(recording_of(recorded, settings, say), half_lives, settings.late_days, say)
    try:
        made = recalibrating.recalibrate(
            recalibrating.Base(entry, content), heard, replayed, version, since=_instant(since)
        )
    except ValueError as error:
        message = f"{error}; give a longer span"
        raise Fatal(message) from error
    for district, told in made.entry.metrics["by_district"].items():
        click.echo(f"{district:20} {told['shift']:+.3f}  {_ratio(told, 'before')} -> {_ratio(told, 'after')}")
    if not made.pays:
        click.echo("later outcomes don't speak for it: nothing is written")
        context.exit(1)
    done = write(folder, made.entry, made.artefact, made.card)
    click.echo(f"{model} {version}: {folder / made.entry.file} {done}; sha256 {made.entry.sha256}")


def _instant(since: datetime | None) -> int | None:
    if since is None:
        return None
    aware = since if since.tzinfo is not None else since.replace(tzinfo=UTC)
    return round(aware.timestamp()) * 1_000_000


def _ratio(told: dict[str, Any], name: str) -> str:
    """Return observed ÷ expected of later outcomes with its interval."""
    if name not in told:
        return "no later outcomes"
    value, lower, upper = told[name]
    return f"{value:.2f} ({lower:.2f}-{upper:.2f})"
