"""Where workers are born: a process that has imported what they need, and forks.

Importing and compiling takes a worker longer than all else that it does before it is ready, and it is the same for each
and each time it is started again. The nursery does it once. It has one thread and no connection, so that forking it is
safe; it ends when whoever started it is gone, and what it forked ends with it (``PR_SET_PDEATHSIG`` all the way).
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Self

import smartblood
from smartblood.forking import Asked
from smartblood.local import children

GONE = -signal.SIGKILL
"""How those end whose nursery has ended."""


@dataclass(frozen=True, slots=True)
class Nursling:
    """A child of the nursery, to be handled as a ``subprocess.Popen`` is."""

    asked: Asked
    born: Future[int] = field(default_factory=Future)
    ended: Future[int] = field(default_factory=Future)

    @property
    def pid(self) -> int:
        """Its process id; waits until it has one.

        Raises
        ------
        ChildProcessError
            If its nursery ended before it was born.
        """
        return self.born.result()

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative where a signal ended it; None as long as it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Return its exit code, None as long as it runs."""
        return self.ended.result() if self.ended.done() else None

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code when it has ended.

        Raises
        ------
        subprocess.TimeoutExpired
            If it runs for longer than ``timeout`` seconds.
        """
        try:
            return self.ended.result(timeout)
        except NotYet:
            raise subprocess.TimeoutExpired([self.asked.module, *self.asked.arguments], timeout or 0.0) from None

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs; one that isn't born yet is called off by what would end it."""
        if self.poll() is not None:
            return
        if self.born.done():
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pid, number)
        elif number in {signal.SIGTERM, signal.SIGINT, signal.SIGKILL}:
            self.is_over(-number)
            if self.born.done():  # since then
                self._end_after_all()

    def is_over(self, code: int) -> None:
        """Let all know how it ended; of one that was called off that is known."""
        with suppress(InvalidStateError):
            self.ended.set_result(code)

    def is_born(self, pid: int) -> None:
        """Let all know its process id."""
        self.born.set_result(pid)
        if self.ended.done():
            self._end_after_all()

    def _end_after_all(self) -> None:
        """End one that was called off and born nevertheless."""
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """Starts the process that forks, and asks it for children; should it end, another takes its place.

    Parameters
    ----------
    names : sequence of str
        The processors to get ready for.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._listens: threading.Thread | None = None
        self._unborn: queue.SimpleQueue[Nursling] = queue.SimpleQueue()
        self._alive: dict[int, Nursling] = {}

    def __enter__(self) -> Self:
        """Start the process, without waiting until it is ready."""
        with self._lock:
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and all that it forked."""
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def spawn(
        self,
        module: str,
        arguments: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdout: int = 1,
        stderr: int = 2,
    ) -> Nursling:
        """Start ``python -m module arguments...``, without waiting for it to be born.

        Parameters
        ----------
        module : str
            A module's name.
        arguments : sequence of str or Path
            What it finds in ``sys.argv``.
        env : mapping of str to str
            The environment it runs in.
        cwd : Path, optional
            The folder it runs in.
        stdout, stderr : int
            Descriptors of this process that it writes to.
        """
        nursling = Nursling(Asked(module, [str(each) for each in arguments], dict(env), str(cwd or Path.cwd())))
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._start()
            assert self._connection is not None  # noqa: S101 - started
            assert self._process is not None  # noqa: S101 - started
            self._unborn.put(nursling)
            try:
                self._connection.send(tuple(nursling.asked))
                for descriptor in (stdout, stderr):
                    send_handle(self._connection, descriptor, self._process.pid)
            except OSError:  # it has just ended, and whoever hears of that may have done so before this one was put
                assert self._listens is not None  # noqa: S101 - started
                self._listens.join()
                _lose(self._unborn, self._alive)
        return nursling

    def spawn_worker(self, arguments: Sequence[str | Path], *, env: Mapping[str, str]) -> Nursling:
        """Start ``smartblood worker`` as :meth:`spawn` does."""
        return self.spawn("smartblood", ["worker", *arguments], env=env)

    def _start(self) -> None:
        self._end()
        ours, theirs = socket.socketpair()
        here = str(Path(smartblood.__file__).parents[1])  # the same code as this process, installed or not
        path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
        # A pool of threads for linear algebra would be there at every fork, and nobody here has work for one.
        env = {"OPENBLAS_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path}
        self._unborn, self._alive = queue.SimpleQueue(), {}
        with theirs:
            argv = [sys.executable, "-P", "-m", "smartblood.forking", str(theirs.fileno()), *self._names]
            self._process = children.spawn(argv, env=env, pass_fds=[theirs.fileno()])
        self._connection = Connection(ours.detach())
        heard = (self._connection, self._unborn, self._alive)
        self._listens = threading.Thread(target=_listen, args=heard, name="hears-of-children", daemon=True)
        self._listens.start()


def _listen(connection: Connection, unborn: queue.SimpleQueue[Nursling], alive: dict[int, Nursling]) -> None:
    """Hear what the nursery says of its children until it ends."""
    while True:
        try:
            pid, code = connection.recv()
        except (EOFError, OSError):
            break
        if code is None:
            alive[pid] = unborn.get()
            alive[pid].is_born(pid)
        else:
            alive.pop(pid).is_over(code)
    connection.close()
    _lose(unborn, alive)


def _lose(unborn: queue.SimpleQueue[Nursling], alive: dict[int, Nursling]) -> None:
    """Tell all that were asked for that their nursery has ended."""
    while alive:
        alive.popitem()[1].is_over(GONE)
    while not unborn.empty():
        nursling = unborn.get()
        nursling.born.set_exception(ChildProcessError("its nursery has ended"))
        nursling.is_over(GONE)
