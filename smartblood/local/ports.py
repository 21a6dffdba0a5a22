"""Ports on loopback for what runs on this machine only."""

from __future__ import annotations

import errno
import os
import socket

from smartblood.errors import Fatal

LOOPBACK = "127.0.0.1"
FIRST, LAST = 20_000, 31_999
"""Below the range from which outgoing connections take theirs (32768 on Linux, 49152 elsewhere), so that a port
is still free when what listened on it is started again."""


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether something could listen on ``port`` now.

    Raises
    ------
    Fatal
        If it isn't this machine's to listen there at all (a port below 1024, a foreign address).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            message = f"can't listen on {host}:{port}: {error.strerror}; choose another address"
            raise Fatal(message) from error
    return True


_given: set[int] = set()


def free_port() -> int:
    """Return a port that nothing listens on now, and that this process was not given before.

    What is to listen on one may take a while to begin: until then it would be free for the next who asks.

    Raises
    ------
    Fatal
        If none is found.
    """
    width = LAST - FIRST + 1
    start = int.from_bytes(os.urandom(4), "big") % width  # two who look at once should look elsewhere
    for step in range(500):
        port = FIRST + (start + step * 7) % width
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    message = f"no free port on {LOOPBACK} between {FIRST} and {LAST}; stop what holds them"
    raise Fatal(message)


def refuse_busy(port: int, what: str, host: str = LOOPBACK) -> None:
    """Say that ``port`` is taken, before anything is started that would say it at length.

    Raises
    ------
    Fatal
        If something listens there.
    """
    if not is_free(port, host):
        message = f"port {port} on {host} is taken, {what} can't listen there; stop what holds it or choose another"
        raise Fatal(message)
