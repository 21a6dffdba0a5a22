"""``smartblood up`` as a child: started, waited for, stopped."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from smartblood.errors import Fatal
from smartblood.local import children
from smartblood.settings import Settings

READY_WITHIN_S = 180.0
STOP_WITHIN_S = 25.0
READY_LINE = '{"kafka"'


@contextmanager
def everything_up(settings: Settings, folder: Path, stopped: Callable[[], bool]) -> Iterator[dict[str, str]]:
    """Keep everything running for as long as the context lasts; yield the addresses that ``up`` prints.

    Parameters
    ----------
    settings : Settings
        Where they name a broker or a database, that one is used.
    folder : Path
        For state and for what ``up`` says.
    stopped : callable
        Asked while waiting; where it says yes, what is yielded is empty.

    Raises
    ------
    Fatal
        If it ends or doesn't become ready: with the last line that it said.
    """
    log = folder / "up.log"
    argv = [sys.executable, "-P", "-m", "smartblood", "up", "--data", str(folder / "state")]
    with log.open("wb") as written:
        child = children.spawn(argv, env={**os.environ, **settings.environment()}, output=written)
    try:
        settled = children.wait_until(
            lambda: stopped() or child.poll() is not None or _addresses(log) is not None,
            within_s=READY_WITHIN_S,
            every_s=0.1,
        )
        addresses = _addresses(log)
        if addresses is None and not stopped():
            message = _last_line(log) if settled else f"not ready within {READY_WITHIN_S:.0f} s: {_last_line(log)}"
            raise Fatal(message.removeprefix("smartblood: "))
        yield addresses or {}
    finally:
        children.stop(child, within_s=STOP_WITHIN_S)


def _addresses(log: Path) -> dict[str, str] | None:
    for line in log.read_text("utf-8", "replace").splitlines():
        if line.startswith(READY_LINE) and line.endswith("}"):
            addresses: dict[str, str] = json.loads(line)
            return addresses
    return None


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "smartblood up said nothing")
