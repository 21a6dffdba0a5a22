"""``smartblood models``: what artefacts there are, and whether they are what they should be."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import click

from smartblood.cli.options import Number, with_settings
from smartblood.cli.performance import performance
from smartblood.cli.reach import await_answer
from smartblood.cli.recalibrate import recalibrate
from smartblood.cli.train import ALL, FORECAST
from smartblood.errors import Fatal, WrongUsage
from smartblood.settings import Settings


@click.group()
def models() -> None:
    """Models: what is there, whether it is what it should be, and how good it was lately."""


models.add_command(performance)


@models.command("list")
@with_settings("models_dir", "models_map_sha256")
def list_models(settings: Settings) -> None:
    """Print a line for each version of each model; * marks the default."""
    from smartblood.registry.manifest import read_manifest  # noqa: PLC0415 - quick help

    manifest = read_manifest(settings.models_dir, settings.models_map_sha256)
    for entry in manifest.entries:
        mark = "*" if manifest.defaults.get(entry.name) == entry.version else " "
        click.echo(f"{mark} {entry.name} {entry.version}  {entry.sha256}  {entry.file}{_auc(entry.metrics)}")


@models.command()
@with_settings("models_dir", "models_map_sha256")
@click.pass_context
def verify(context: click.Context, settings: Settings) -> None:
    """Check digests, features and library versions, and read every artefact; exit 1 where one is refused."""
    from smartblood.registry.loading import verify as verify_folder  # noqa: PLC0415 - quick help

    findings = verify_folder(settings.models_dir, pinned=settings.models_map_sha256)
    for finding in findings:
        click.echo(f"{finding.what}: {finding.problem or 'as it should be'}")
    if any(finding.problem for finding in findings):
        context.exit(1)


@models.command()
@click.argument("model", type=click.Choice(ALL), metavar="MODEL")
@click.argument("version")
@click.option(
    "--role",
    required=True,
    type=click.Choice(["champion", "challenger", "shadow", "retired"], case_sensitive=False),
    envvar="SMARTBLOOD_MODELS_RELEASE_ROLE",
    show_envvar=True,
    help="What the version is to do from now on.",
)
@click.option(
    "--share",
    type=Number(0, 1),
    envvar="SMARTBLOOD_MODELS_RELEASE_SHARE",
    show_envvar=True,
    help="Of the requests that a challenger answers; of a challenger alone.",
)
@with_settings("kafka_bootstrap_servers", "schema_registry_url", "topic_prefix", "models_dir", "models_map_sha256")
def release(model: str, version: str, role: str, share: float | None, settings: Settings) -> None:
    """Publish what a VERSION of MODEL is to do: every process that scores follows, between two batches.

    A champion answers, of several the one released last. A challenger answers its share of the requests. A shadow only
    says what it thinks. Retiring the champion brings back the one before: that is how to roll back.
    """
    if (share is not None) != (role == "challenger"):
        message = "a challenger needs a --share, and nobody else has one"
        raise click.UsageError(message)
    sha256 = _digest(model, version, settings, must_work=role != "retired")
    from smartblood.kafka.client import Cluster  # noqa: PLC0415 - quick help
    from smartblood.kafka.publisher import Publisher  # noqa: PLC0415
    from smartblood.kafka.schema_registry import codec_of  # noqa: PLC0415

    now = time.time_ns() // 1_000
    event = {
        "event_id": str(uuid.uuid4()),
        "occurred_at": now,
        "model": model,
        "version": version,
        "sha256": sha256,
        "role": role.upper(),
        "share": share or 0.0,
    }
    _check(event, f"{model}/{version}")
    await_answer(settings)
    with Publisher(Cluster.of(settings), codec_of(settings), linger_ms=0) as publisher:
        publisher.publish("model-released", f"{model}/{version}", event, now // 1_000)
    click.echo(f"{model} {version} is {role} now{f' ({sha256})' if sha256 else _unlisted(model, settings)}")


@models.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SMARTBLOOD_MODELS_REPORT_OUT",
    show_envvar=True,
    help="Write it into this file, and pictures of calibration into pictures/ beside it; else it is printed.",
)
@with_settings("models_dir", "models_map_sha256")
def report(out: Path | None, settings: Settings) -> None:
    """Say what the default models are and how good they are on later alerts, as Markdown: docs/models.md.

    With --out there are pictures too: of each model, what it says against what came of it.
    """
    from smartblood.pictures.calibration import pictures_of  # noqa: PLC0415
    from smartblood.registry.manifest import read_manifest  # noqa: PLC0415 - quick help
    from smartblood.training.report import PICTURES, report_of  # noqa: PLC0415

    manifest = read_manifest(settings.models_dir, settings.models_map_sha256)
    text = report_of(manifest, settings.models_dir)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, "utf-8")
        folder = out.parent / PICTURES
        folder.mkdir(exist_ok=True)
        for name, picture in pictures_of(manifest):
            (folder / f"{name}.png").write_bytes(picture)
    except OSError as error:
        message = f"{out} can't be written: {error.strerror}; give another file with --out"
        raise Fatal(message) from error


models.add_command(recalibrate)


def _check(event: dict[str, Any], key: str) -> None:
    """Refuse what every process that follows would refuse: nobody would hear of it here.

    Raises
    ------
    WrongUsage
        If the version is no text.
    Fatal
        If the event isn't what the contract says.
    """
    from consumers.validation import checked  # noqa: PLC0415 - quick help
    from schemas.errors import InvalidRecord  # noqa: PLC0415
    from schemas.records import Record  # noqa: PLC0415

    try:
        checked(Record("model-released", 0, 0, event["occurred_at"] // 1_000, key.encode(), None), event)
    except UnicodeEncodeError:
        message = f"{key!a} is no text that anybody could read: write the version as model_map.json does"
        raise WrongUsage(message) from None
    except InvalidRecord as error:
        message = f"nobody would take this release: {error.reason}; mend that and release it again"
        raise Fatal(message) from error


def _digest(model: str, version: str, settings: Settings, *, must_work: bool) -> str:
    """Return a version's digest; where it is to do something, only after it was read as whoever scores reads it."""
    from smartblood.registry.loading import load_forecaster, load_version  # noqa: PLC0415 - quick help
    from smartblood.registry.manifest import read_manifest  # noqa: PLC0415 - quick help

    if must_work and model == FORECAST:
        return load_forecaster(settings.models_dir, version, pinned=settings.models_map_sha256).sha256
    if must_work:
        return load_version(settings.models_dir, model, version, pinned=settings.models_map_sha256).sha256
    try:
        return read_manifest(settings.models_dir, settings.models_map_sha256).entry(model, version).sha256
    except Fatal:  # going back must not hang on a file that is gone
        return ""


def _unlisted(model: str, settings: Settings) -> str:
    """Return what to say where a version was retired that the manifest doesn't list: it may be a slip of the pen."""
    from smartblood.registry.manifest import FILE, read_manifest  # noqa: PLC0415 - quick help

    try:
        entries = read_manifest(settings.models_dir, settings.models_map_sha256).entries
    except Fatal as error:
        return f"; whether that was ever a version isn't known: {error}"
    listed = ", ".join(entry.version for entry in entries if entry.name == model)
    return f"; {FILE} lists no such version, but {listed or 'none of this model'}"


def _auc(metrics: dict[str, object]) -> str:
    """Return the figure where there is one: what couldn't be measured is null in the manifest."""
    auc = metrics.get("auc_model")
    figure = auc[0] if isinstance(auc, list) and auc else None
    return f"  AUC {figure:.3f}" if isinstance(figure, float | int) else ""
