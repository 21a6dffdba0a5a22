"""The nursery itself: the process that imports what workers need, and forks (``smartblood.nursery`` asks it to).

Run as a program: ``python -m smartblood.forking FD NAME...``, with the descriptor of a socket to its starter and the
names of the processors to get ready for.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from typing import NamedTuple

from smartblood.local import children

OF_ITS_CHILDREN = (signal.SIGTERM, signal.SIGINT)
"""Whoever stops all processes of a machine or a service at once means the workers, who have something to put in order:
the nursery ends when its starter has ended. Blocked and not ignored, so that a child that is told to stop before it is
itself hears of it then."""


class Asked(NamedTuple):
    """What a child is to be: ``python -m module arguments...``, with an environment and a folder of its own."""

    module: str
    arguments: Sequence[str]
    env: Mapping[str, str]
    cwd: str


def serve(connection: Connection) -> Asked | None:
    """Fork as asked and tell how children end, until nobody asks any more.

    Returns
    -------
    Asked or None
        In a child what it is to be; in the nursery itself None.
    """
    ends: dict[int, int] = {}  # the end of a pipe that a child holds while it lives, and the child
    while True:
        for ready in wait([connection, *ends]):
            if isinstance(ready, int):
                os.close(ready)
                pid, status = os.waitpid(ends.pop(ready), 0)
                connection.send((pid, os.waitstatus_to_exitcode(status)))
                continue
            try:
                asked = Asked(*connection.recv())
            except EOFError:
                return None
            outputs = [recv_handle(connection) for _ in range(2)]
            parent, (hears, held) = os.getpid(), os.pipe()
            pid = os.fork()
            if pid == 0:
                _settle(parent, asked, outputs)
                connection.close()
                for descriptor in (hears, *ends, *outputs):
                    os.close(descriptor)
                return asked
            for descriptor in (held, *outputs):
                os.close(descriptor)
            ends[hears] = pid
            connection.send((pid, None))


def _settle(parent: int, asked: Asked, outputs: Sequence[int]) -> None:
    """Make of what was forked a process of its own."""
    children.die_with(parent)
    os.setsid()
    for descriptor, output in enumerate(outputs, start=1):
        os.dup2(output, descriptor)
    os.chdir(asked.cwd)
    os.environ.clear()
    os.environ.update(asked.env)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OF_ITS_CHILDREN)


def main() -> None:
    """Be the nursery, or what it forked."""
    from setproctitle import setproctitle  # noqa: PLC0415 - not of those who only ask for children

    from smartblood.preloading import preload  # noqa: PLC0415

    # At first: it finds its room by the environment, which those that are forked replace.
    setproctitle(" ".join([sys.executable, "-m", "smartblood.forking", *sys.argv[1:]]))
    signal.pthread_sigmask(signal.SIG_BLOCK, OF_ITS_CHILDREN)
    connection = Connection(int(sys.argv[1]))
    preload(sys.argv[2:])
    asked = serve(connection)
    if asked is None:
        return
    setproctitle(" ".join([sys.executable, "-m", asked.module, *asked.arguments]))
    sys.argv[1:] = asked.arguments
    runpy.run_module(asked.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
