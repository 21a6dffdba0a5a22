"""``smartblood models performance``: how good each version was lately, by what came of whom it spoke of."""

from __future__ import annotations

from pathlib import Path

import click

from smartblood.cli.options import with_settings, writable
from smartblood.plain_json import json_text
from smartblood.settings import Settings

WIDTH = 140
"""Of the tables where nobody says how wide a line may be."""


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SMARTBLOOD_MODELS_PERFORMANCE_OUT",
    show_envvar=True,
    callback=writable,
    help="The same as JSON, with bins and intervals of all figures, into this file.",
)
@with_settings(
    "performance_window_days",
    "performance_alerts_max",
    "performance_requests_min",
    "database_url",
    "models_dir",
    "models_map_sha256",
)
def performance(out: Path | None, settings: Settings) -> None:
    """Judge each version of each model by the outcomes that recording has: champions, challengers and shadows.

    \b
    gave               donor_seeker_match: a completed donation names the request and the donor
    accepted           donor_availability: the donor said yes
    kept               donor_reliability: of who said yes and of whom an end is known, who came
    answered within    donor_response_time: where it was waited so long

    Only donors who were notified count, each once a wave, and only requests whose required_by passed 6 hours before the
    latest outcomes that are known; the others are counted as not settled. A shadow is judged on the offers of whoever
    answered. Drift is the population stability index of each feature against the alerts on which the version was
    judged when it was trained: below 0.1 nothing to speak of, above 0.25 another population.

    Nothing is written but FILE.json. Recording judges likewise every SMARTBLOOD_PERFORMANCE_EACH_S seconds, into
    model_performance and model_drift and as metrics.
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from rich.console import Console  # noqa: PLC0415 - quick help

    from smartblood.performance.view import as_json, tables_of  # noqa: PLC0415
    from smartblood.processors import judging  # noqa: PLC0415

    of = judging(settings)
    of.judgements.require_up_to_date()
    judgement = of.now(with_intervals=True)
    if judgement is None:
        click.echo("nothing is known yet of what came of any alert: both donor-responded and donation-recorded say it")
    else:
        console = Console()
        if not console.is_terminal:
            console.width = WIDTH
        for part in tables_of(judgement):
            console.print(part)
    if out is not None:
        out.write_text(json_text(as_json(judgement)) + "\n", "utf-8")
