"""``smartblood models``: what artefacts there are, and whether they are what they should be."""

from __future__ import annotations

import click

from smartblood.cli.options import with_settings
from smartblood.settings import Settings


@click.group()
def models() -> None:
    """Models: what is there, and whether it is what it should be."""


@models.command("list")
@with_settings("models_dir")
def list_models(settings: Settings) -> None:
    """Print a line for each version of each model; * marks the default."""
    from smartblood.registry import read_manifest  # noqa: PLC0415 - quick help

    manifest = read_manifest(settings.models_dir)
    for entry in manifest.entries:
        mark = "*" if manifest.defaults.get(entry.name) == entry.version else " "
        click.echo(f"{mark} {entry.name} {entry.version}  {entry.sha256}  {entry.file}{_auc(entry.metrics)}")


@models.command()
@with_settings("models_dir")
@click.pass_context
def verify(context: click.Context, settings: Settings) -> None:
    """Check digests, features and library versions, and read every artefact; exit 1 where one is refused."""
    from smartblood.registry import verify as verify_folder  # noqa: PLC0415 - quick help

    findings = verify_folder(settings.models_dir)
    for finding in findings:
        click.echo(f"{finding.what}: {finding.problem or 'as it should be'}")
    if any(finding.problem for finding in findings):
        context.exit(1)


def _auc(metrics: dict[str, object]) -> str:
    auc = metrics.get("auc_model")
    return f"  AUC {auc[0]:.3f}" if isinstance(auc, list) else ""
