"""The whole on one machine, as ``smartblood up`` and the demo run it."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smartblood.cli.reach import await_broker
from smartblood.errors import Fatal, Retryable
from smartblood.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from smartblood.local.machine import Machine
    from smartblood.stopping import Stop
    from smartblood.supervisor import Supervisor

NAMES = ("donor-state", "matching", "recording", "scheduling+forecasting")
"""What runs, a process each; names joined by ``+`` share one: see ``smartblood.together``."""

BROKER_WITHIN_S = 10.0
READY_WITHIN_S = 300.0
"""A matcher that takes in millions of donors needs its time."""

BEFORE_HOST = re.compile(r"^([^:/?#]+://[^:/?#@]*:)(?:[^/?#]*|[^@]*)@")
"""A password before the host; SQLAlchemy reads one in which ``/``, ``?`` or ``#`` stands too."""

IN_QUERY = re.compile(r"([?&][^=&]*password[^=&]*=)[^&]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Whole:
    """What runs, and where."""

    settings: Settings
    metrics_url: str
    supervisor: Supervisor
    machine: Machine
    tell: Callable[..., None]

    def addresses(self) -> dict[str, str | None]:
        """Where clients find it; a password is not shown."""
        return {
            "kafka": self.settings.kafka_bootstrap_servers,
            "database": without_password(self.settings.database_url or ""),
            "http": None,
            "metrics": self.metrics_url,
        }

    def keep_running(self, stop: Stop) -> None:
        """Look after the processors, and after broker and database where they are this machine's own, until ``stop``.

        Raises
        ------
        Fatal
            If broker or database died and can't be started again.
        """
        while not stop.wait(0.2):
            self.supervisor.tick()
            self.machine.revive(self.tell)


def run(settings: Settings, *, data: Path | None, n_workers: int) -> None:
    """Start everything, say where it is, and keep it running until told to stop."""
    from smartblood.stopping import Stopped, stop_event  # noqa: PLC0415 - quick help

    with stop_event() as stop, suppress(Stopped), started(settings, stop, data=data, n_workers=n_workers) as whole:
        click.echo(json.dumps(whole.addresses(), allow_nan=False))
        whole.keep_running(stop)


@contextmanager
def started(settings: Settings, stop: Stop, *, data: Path | None = None, n_workers: int = 1) -> Iterator[Whole]:
    """Start everything, wait until it is ready, and stop all of it in the end.

    Raises
    ------
    Fatal
        If something can't be started, or isn't ready within five minutes.
    Stopped
        If ``stop`` was set before all was ready.
    """
    began_at_s = time.monotonic()
    with ExitStack() as stack:
        metrics_folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smartblood-metrics-")))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_folder)  # before the metrics are imported
        from smartblood.local import machine  # noqa: PLC0415 - quick help
        from smartblood.logs import configure, logger  # noqa: PLC0415
        from smartblood.nursery import Nursery  # noqa: PLC0415
        from smartblood.probes import Probes, of_all_processes  # noqa: PLC0415
        from smartblood.supervisor import Supervisor  # noqa: PLC0415

        configure(settings.log_format, level=settings.log_level)
        log = logger()
        pairs = [(name, settings.slot_of(n, n_workers)) for name in NAMES for n in range(1, n_workers + 1)]
        nursery = stack.enter_context(Nursery([part for name in NAMES for part in name.split("+")]))
        supervisor = Supervisor(pairs, settings, metrics_folder, log.warning, nursery.spawn_worker)
        probes = Probes(
            settings.metrics_address, registries=of_all_processes(metrics_folder), unready=supervisor.unready
        )
        with stop.at_once():
            stack.enter_context(probes)
            if settings.kafka_bootstrap_servers:
                await_broker(settings, within_s=BROKER_WITHIN_S)
            here = stack.enter_context(machine.Machine(settings, data))
            # Workers' modules are imported and compiled, in their nursery, while broker and database start; they begin
            # when topics and tables are there.
            supervisor.settings = here.settings
            stack.callback(supervisor.stop)
            supervisor.start(held=True)
            _prepare(here, log)
        supervisor.let_go()
        _await_ready(supervisor, stop)
        log.info("ready", after_s=round(time.monotonic() - began_at_s, 2), metrics=f"{probes.url}/metrics")
        yield Whole(here.settings, probes.url, supervisor, here, log.warning)


def _prepare(here: Machine, log: FilteringBoundLogger) -> None:
    """Make topics and tables what they should be; where topics can't be, say so."""
    from smartblood.kafka.topics import ensure  # noqa: PLC0415
    from smartblood.storage.schema import upgrade  # noqa: PLC0415

    here.await_database()
    assert here.settings.database_url is not None  # noqa: S101 - the machine has one
    try:
        upgrade(here.settings.database_url)
    except Retryable as error:
        message = f"Postgres doesn't answer ({error}); start it, or set SMARTBLOOD_DATABASE_URL to one that runs"
        raise Fatal(message) from error
    here.await_broker()
    _, changed, left = ensure(here.settings)
    for difference in changed:
        log.info("topic set", what=difference.mended())
    for what in left:
        log.warning("topic differs", what=what)


def _await_ready(supervisor: Supervisor, stop: Stop) -> None:
    from smartblood.stopping import Stopped  # noqa: PLC0415 - quick help

    give_up_at_s = time.monotonic() + READY_WITHIN_S
    while late := list(supervisor.unready()):
        if stop.wait(0.05):
            raise Stopped
        supervisor.tick()
        if time.monotonic() > give_up_at_s:
            message = f"{', '.join(late)} not ready after {READY_WITHIN_S:.0f} s; their logs say what they wait for"
            raise Fatal(message)


def without_password(url: str) -> str:
    """Return ``url`` with its password left out, wherever it stands, and all else as it is."""
    return IN_QUERY.sub(r"\1***", BEFORE_HOST.sub(r"\1***@", url))
