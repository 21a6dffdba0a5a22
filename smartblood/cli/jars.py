"""``smartblood jars``: the local broker's jars."""

from __future__ import annotations

import sys

import click


@click.command(hidden=True)
@click.option("--quiet", is_flag=True, help="Say nothing unless something is wrong.")
def jars(*, quiet: bool) -> None:
    """Fetch the local broker's jars, check their digests, and run the broker once so that it starts quickly."""
    from smartblood.local.jars import default_folder, fetch  # noqa: PLC0415 - only when asked for
    from smartblood.local.warm import warm  # noqa: PLC0415

    def progress(n_done: int, n: int) -> None:
        if not quiet and (n_done == n or sys.stderr.isatty()):
            click.echo(f"\rbroker's jars: {n_done} of {n}", nl=n_done == n, err=True)

    folder = default_folder()
    paths = fetch(folder, progress=progress)
    quick = warm(folder)
    if not quiet:
        click.echo(f"{len(paths)} jars in {folder}, every digest as locked{'' if quick else '; not warmed'}", err=True)
