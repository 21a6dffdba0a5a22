"""The nursery that the processes of all tests of this run are born in: what they import is imported once."""

from __future__ import annotations

import atexit
import os
import threading
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from smartblood.nursery import Nursery, Nursling
from smartblood.preloading import OF_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
ONE_AT_A_TIME = threading.Lock()


def _nursery() -> Nursery:
    with ONE_AT_A_TIME:  # whoever else asks meanwhile waits for this one
        return _only_one()


@cache
def _only_one() -> Nursery:
    nursery = Nursery([*OF_NAME])
    atexit.register(nursery.__exit__)
    return nursery.__enter__()


def begin() -> None:
    """Let it import what processes will need, without waiting for it."""
    _nursery()


def started(
    module: str,
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    output: IO[bytes] | Sequence[IO[bytes] | int],
) -> Nursling:
    """Start ``python -m module arguments...`` without waiting for it.

    ``output`` is where stdout and stderr go, or one for each.
    """
    out, errors = output if isinstance(output, (tuple, list)) else (output, output)
    fds = [each if isinstance(each, int) else each.fileno() for each in (out, errors)]
    environment = os.environ if env is None else env
    return _nursery().spawn(module, arguments, env=environment, cwd=cwd, stdout=fds[0], stderr=fds[1])


def spawn_worker(arguments: Sequence[str | Path], *, env: Mapping[str, str]) -> Nursling:
    """Start ``smartblood worker``, for a supervisor."""
    return _nursery().spawn_worker(arguments, env=env)
