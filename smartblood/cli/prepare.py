"""``smartblood prepare``: what ``make install`` does after the packages."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from smartblood.cli.options import with_settings
from smartblood.settings import Settings


@click.command(hidden=True)
@click.option("--kernels-alone", is_flag=True, help="Compile kernels, nothing else.")
@with_settings("models_dir")
def prepare(settings: Settings, *, kernels_alone: bool) -> int:
    """Make this machine ready: the local broker's jars, checked and warmed, and compiled kernels."""
    if kernels_alone:
        _compile(settings)
        return 0
    from smartblood.local import children  # noqa: PLC0415 - quick help
    from smartblood.local.jars import default_folder, fetch  # noqa: PLC0415
    from smartblood.local.warm import warm  # noqa: PLC0415

    def progress(n_done: int, n: int) -> None:
        if n_done == n or sys.stderr.isatty():
            click.echo(f"\rbroker's jars: {n_done} of {n}", nl=n_done == n, err=True)

    # Jars are waited for, then a broker starts and ends on one core; the other compiles. In a process of its own, since
    # it must end at once where the jars can't be had.
    itself: list[str | Path] = [sys.executable, "-m", "smartblood", "prepare", "--kernels-alone", "--models-dir"]
    compiling = children.spawn([*itself, settings.models_dir])
    try:
        folder = default_folder()
        paths = fetch(folder, progress=progress)
        warmed = "" if warm(folder) else "; not warmed"
    except BaseException:
        children.stop(compiling, within_s=1)
        raise
    if code := compiling.wait():
        return code  # it has said why
    click.echo(f"{len(paths)} jars in {folder}, every digest as locked{warmed}", err=True)
    return 0


def _compile(settings: Settings) -> None:
    """Compile what would else be compiled when it is first needed; numba keeps it beside the code."""
    from consumers.donor_state.columns.columns import Columns  # noqa: PLC0415 - quick help
    from consumers.matching import Matching  # noqa: PLC0415
    from features.decay import HalfLives  # noqa: PLC0415
    from schemas.codec import Codec  # noqa: PLC0415
    from smartblood.registry.loading import load_panel  # noqa: PLC0415

    Matching(Codec(), load_panel(settings.models_dir, pinned=settings.models_map_sha256)).warm()
    Columns(Codec(), 0, HalfLives()).warm()
