"""``smartblood prepare``: what ``make install`` does after the packages."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import click

from smartblood.cli.options import with_settings
from smartblood.settings import Settings


@click.command(hidden=True)
@with_settings("models_dir")
def prepare(settings: Settings) -> None:
    """Make this machine ready: the local broker's jars, checked and warmed, and compiled kernels."""
    from smartblood.local.jars import default_folder, fetch  # noqa: PLC0415 - quick help
    from smartblood.local.warm import warm  # noqa: PLC0415

    def progress(n_done: int, n: int) -> None:
        if n_done == n or sys.stderr.isatty():
            click.echo(f"\rbroker's jars: {n_done} of {n}", nl=n_done == n, err=True)

    folder = default_folder()
    paths = fetch(folder, progress=progress)
    with ThreadPoolExecutor(1) as beside:  # a broker starts and ends on one core, and the other compiles
        quick = beside.submit(warm, folder)
        _compile(settings)
    warmed = "" if quick.result() else "; not warmed"
    click.echo(f"{len(paths)} jars in {folder}, every digest as locked{warmed}", err=True)


def _compile(settings: Settings) -> None:
    """Compile what would else be compiled when it is first needed; numba keeps it beside the code."""
    from consumers.donor_state.columns.columns import Columns  # noqa: PLC0415 - quick help
    from consumers.matching import Matching  # noqa: PLC0415
    from features.decay import HalfLives  # noqa: PLC0415
    from schemas.codec import Codec  # noqa: PLC0415
    from smartblood.registry.loading import load_panel  # noqa: PLC0415

    Matching(Codec(), load_panel(settings.models_dir, pinned=settings.models_map_sha256)).warm()
    Columns(Codec(), 0, HalfLives()).warm()
