"""The file that changes and adds schedules."""

from __future__ import annotations

import tomllib
from pathlib import Path

from producers.scheduling.schedules import STANDARD, Schedule
from producers.scheduling.tables import schedules_of
from smartblood.errors import Fatal

VARIABLE = "SMARTBLOOD_SCHEDULES_FILE"


def schedules_in(path: Path | None) -> tuple[Schedule, ...]:
    """Return the schedules that hold: the standard ones, as the file changes them.

    Raises
    ------
    Fatal
        If the file can't be read, or something in it makes no sense.
    """
    if path is None:
        return STANDARD
    try:
        return schedules_of(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        message = f"{VARIABLE}: {path} can't be read: {error.strerror}"
        raise Fatal(message) from error
    except ValueError as error:  # also what is no TOML, or no UTF-8
        message = f"{VARIABLE}: {path}: {error}: see the README, Schedules"
        raise Fatal(message) from error
