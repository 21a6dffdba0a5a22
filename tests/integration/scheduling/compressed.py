"""A scheduler whose clock runs fast: weeks go by in seconds. Run as a program it is one worker::

    python -m tests.integration.scheduling.compressed BOOTSTRAP PREFIX SLOT BEGAN_S WEEK_S

The clock of all workers of one world showed ``BEGIN`` at the wall clock's ``BEGAN_S`` and takes ``WEEK_S`` for a week.
"""

from __future__ import annotations

import argparse
import faulthandler
import signal
import sys
import threading
import time
from collections.abc import Callable

from producers.scheduling.scheduler import Scheduler
from producers.scheduling.schedules import DAY_US, CatchUp, Forecast, Schedule
from schemas.codec import Codec
from smartblood import logs
from smartblood.kafka.client import Cluster
from smartblood.scheduling.clock import BelievedClock
from smartblood.scheduling.worker import Scheduling

BEGIN_US = 1_772_323_200_000_000
"""2026-03-01: London's and New York's clocks leap within the first weeks."""

EVER_DAYS = 3_660.0
SCHEDULES = (
    Schedule("weekly-all", "0 5 * * MON", Forecast(), catch_up=CatchUp.ALL, greatest_age_days=EVER_DAYS),
    Schedule("weekly-latest", "0 5 * * MON", Forecast(7), catch_up=CatchUp.LATEST, greatest_age_days=EVER_DAYS),
    Schedule(
        "london-twice",
        "30 1 * * SUN,WED",
        Forecast(3, ("Idukki",)),
        time_zone="Europe/London",
        catch_up=CatchUp.ALL,
        greatest_age_days=EVER_DAYS,
    ),
    Schedule("daily-retention", "30 3 * * *", None, catch_up=CatchUp.ALL, greatest_age_days=EVER_DAYS),
)


def fast_clock(began_s: float, week_s: float) -> Callable[[], int]:
    return lambda: BEGIN_US + round((time.time() - began_s) / week_s * 7 * DAY_US)


def believed(clock: Callable[[], int]) -> BelievedClock:
    """Return a fast clock with a monotonic one that goes with it, as a process sees them that is only stopped."""
    return BelievedClock(clock, lambda: clock() / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("bootstrap", str), ("prefix", str), ("slot", str), ("began_s", float), ("week_s", float)):
        parser.add_argument(name, type=kind)
    given = parser.parse_args()
    faulthandler.register(signal.SIGUSR1)
    logs.configure("json")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Scheduling(
        Scheduler(SCHEDULES, Codec()),
        Cluster(given.bootstrap, given.prefix),
        given.slot,
        clock=believed(fast_clock(given.began_s, given.week_s)),
        poll_s=0.05,
    ).run(stop)


if __name__ == "__main__":
    sys.exit(main())
