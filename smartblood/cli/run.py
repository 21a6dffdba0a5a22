"""``smartblood run``: processors apart, in one process or under a supervisor."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smartblood.cli.options import CONNECTING, SERVING, with_settings
from smartblood.cli.reach import await_broker
from smartblood.errors import Fatal
from smartblood.settings import Settings

if TYPE_CHECKING:
    from smartblood.stopping import Stop

BROKER_WITHIN_S = 30.0
"""Where broker and processors are started together, the broker needs its time; later it is waited for without end."""

NAMES = ("donor-state", "matching", "recording", "forecasting", "scheduling")


@click.command()
@click.argument("names", nargs=-1, required=True, type=click.Choice(NAMES), metavar="NAME...")
@click.option(
    "--workers",
    default=1,
    type=click.IntRange(1, 256),
    envvar="SMARTBLOOD_RUN_WORKERS",
    show_envvar=True,
    help="Processes for each name; partitions are shared out among them.",
)
@with_settings(*CONNECTING, *SERVING)
def run(names: tuple[str, ...], workers: int, settings: Settings) -> None:
    """Run processors: donor-state, matching, recording, forecasting, scheduling.

    One worker of one name runs in this process. More run as child processes, each with a slot of its own, and are
    started again when they die. SIGTERM stops cleanly within 10 s.
    """
    from smartblood.stopping import Stopped, stop_event  # noqa: PLC0415 - quick help

    with stop_event() as stop, suppress(Stopped):
        with stop.at_once():
            await_broker(settings, within_s=BROKER_WITHIN_S)
        if len(set(names)) == 1 and workers == 1:
            _run_alone(names[0], settings, stop)
            return
        pairs = [(name, settings.slot_of(n, workers)) for name in dict.fromkeys(names) for n in range(1, workers + 1)]
        _run_supervised(pairs, settings, stop)


@click.command(hidden=True)
@click.argument("names", nargs=-1, required=True, type=click.Choice(NAMES), metavar="NAME...")
@click.option("--last-words", type=click.Path(path_type=Path), help="File for the line that says why it can't work.")
@click.option("--begin", type=click.Path(path_type=Path), help="File whose being there lets it begin.")
@with_settings(*CONNECTING, *SERVING)
def worker(names: tuple[str, ...], last_words: Path | None, begin: Path | None, settings: Settings) -> None:
    """Run one worker of each name in this process; its supervisor serves its metrics, and says why it can't work."""
    from smartblood.logs import configure  # noqa: PLC0415 - quick help
    from smartblood.processors import MAKERS  # noqa: PLC0415
    from smartblood.stopping import stop_event  # noqa: PLC0415
    from smartblood.together import together  # noqa: PLC0415

    configure(settings.log_format, level=settings.log_level)
    try:
        slot = settings.slot_of(1, 1)
        made = together({name: MAKERS[name](settings, slot) for name in names})
        while begin is not None and not begin.exists():
            time.sleep(0.02)
        # Until here there was nothing to be put in order, and SIGTERM ended the process on the spot.
        with stop_event() as stop:
            made.run(stop)
    except Fatal as error:
        if last_words is None:
            raise
        last_words.write_text(str(error), "utf-8")
        sys.exit(error.exit_code)


def _run_alone(name: str, settings: Settings, stop: Stop) -> None:
    from smartblood.logs import configure, logger  # noqa: PLC0415 - quick help
    from smartblood.probes import Probes, of_this_process, ready_workers  # noqa: PLC0415
    from smartblood.processors import MAKERS  # noqa: PLC0415

    configure(settings.log_format, level=settings.log_level)
    slot = settings.slot_of(1, 1)

    def unready() -> list[str]:
        return [] if (name, slot) in ready_workers(of_this_process()) else [f"{name}/{slot}"]

    with Probes(settings.metrics_address, unready=unready) as probes:
        with stop.at_once():
            made = MAKERS[name](settings, slot)
        logger(processor=name, slot=slot).info("running", metrics=f"{probes.url}/metrics")
        made.run(stop)


def _run_supervised(pairs: list[tuple[str, str]], settings: Settings, stop: Stop) -> None:
    with tempfile.TemporaryDirectory(prefix="smartblood-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # before the metrics are imported
        from smartblood.logs import configure, logger  # noqa: PLC0415
        from smartblood.nursery import Nursery  # noqa: PLC0415
        from smartblood.probes import Probes, of_all_processes  # noqa: PLC0415
        from smartblood.supervisor import Supervisor  # noqa: PLC0415

        configure(settings.log_format, level=settings.log_level)
        log = logger()
        nursery = Nursery(list(dict.fromkeys(name for name, _ in pairs)))
        supervisor = Supervisor(pairs, settings, Path(folder), log.warning, nursery.spawn_worker)
        probes = Probes(settings.metrics_address, registries=of_all_processes(Path(folder)), unready=supervisor.unready)
        with nursery, probes:
            log.info("running", workers=[f"{name}/{slot}" for name, slot in pairs], metrics=f"{probes.url}/metrics")
            supervisor.start()
            supervisor.run(stop.wait)
