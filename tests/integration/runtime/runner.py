"""One worker of the toy, or of a processor as ``smartblood run`` makes it, which may kill itself at a step of the loop.

Run as a program::

    python -m tests.integration.runtime.runner toy BOOTSTRAP PREFIX SLOT [--die-at STEP --after N] [--protocol classic]
"""

from __future__ import annotations

import argparse
import faulthandler
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

from smartblood import logs
from smartblood.beside import Worker
from smartblood.errors import Fatal
from smartblood.kafka import loop
from smartblood.kafka.halving import FailureLimit
from smartblood.processors import MAKERS
from smartblood.settings import Settings
from tests.integration.runtime.toy import Counting

TOY = "toy"


def killer(die_at: str | None, after: int) -> Callable[[str], None]:
    """Return a probe that kills the process the ``after``-th time that it is told ``die_at``."""
    left = [after]

    def probe(step: str) -> None:
        if step == die_at:
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return probe


def made(name: str, settings: Settings, slot: str, **options: Any) -> Worker:
    """Return the worker; ``options`` are the loop's, which a processor's own factory leaves at their defaults."""
    if name == TOY:
        return loop.Loop(Counting(), loop.Cluster.of(settings), slot, **options)
    with mock.patch.object(loop, "Loop", functools.partial(loop.Loop, **options)):
        return MAKERS[name](settings, slot)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=[TOY, *MAKERS])
    parser.add_argument("bootstrap")
    parser.add_argument("prefix")
    parser.add_argument("slot")
    parser.add_argument("--die-at")
    parser.add_argument("--after", type=int, default=1)
    parser.add_argument("--protocol", default="consumer")
    parser.add_argument("--records-max", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--unstable-s", type=float, default=60.0)
    given = parser.parse_args()
    faulthandler.register(signal.SIGUSR1)
    logs.configure("console")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = Settings(
        _env_file=None,
        kafka_bootstrap_servers=given.bootstrap,
        topic_prefix=given.prefix,
        kafka={"group.protocol": given.protocol},
    )
    tuning = loop.Tuning(
        records_max=given.records_max,
        n_turns=given.turns,
        unstable_s=given.unstable_s,
        failures=FailureLimit(run_max=5),
    )
    try:
        made(given.name, settings, given.slot, tuning=tuning, probe=killer(given.die_at, given.after)).run(stop)
    except Fatal as error:
        sys.stderr.write(f"fatal: {error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
