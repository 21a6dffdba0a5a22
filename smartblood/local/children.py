"""Child processes that can't outlive their parent, however it dies.

The kernel is asked to end a child when the thread that started it ends (``PR_SET_PDEATHSIG``). So children are
started by one thread of their own, which lives as long as this process. Where the kernel can't be asked (not Linux),
a child is ended by a clean stop only.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_asked: queue.SimpleQueue[tuple[Future[subprocess.Popen[bytes]], Callable[[], subprocess.Popen[bytes]]]] = (
    queue.SimpleQueue()
)
_starter_lock = threading.Lock()
_starter: threading.Thread | None = None


def spawn(  # noqa: PLR0913 - what a process is started with
    argv: Sequence[str | Path],
    *,
    death_signal: signal.Signals = signal.SIGKILL,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    stdin: int = subprocess.DEVNULL,
    user: int | None = None,
    group: int | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child that gets ``death_signal`` as soon as this process is gone, also by SIGKILL.

    The child is in a process group of its own, so that Ctrl-C in a terminal reaches only the parent, which then
    stops its children in order.

    Parameters
    ----------
    argv : sequence of str or Path
        The program and its arguments.
    death_signal : signal.Signals
        What the child gets when this process dies.
    cwd, env : Path, mapping, optional
        As for ``subprocess.Popen``.
    output : file or int, optional
        Where stdout and stderr go; inherited where None.
    stdin : int
        As for ``subprocess.Popen``.
    user, group : int, optional
        Whom the child runs as; only root can choose.
    pass_fds : sequence of int
        As for ``subprocess.Popen``.

    Raises
    ------
    OSError
        If the program can't be started.
    """
    parent = os.getpid()

    def tie() -> None:
        die_with(parent, death_signal)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - programs of ours and of our wheels
            [str(part) for part in argv],
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            start_new_session=True,
            pass_fds=pass_fds,
            preexec_fn=tie,  # noqa: PLW1509 - it calls prctl and getppid alone, which take no locks
        )

    future: Future[subprocess.Popen[bytes]] = Future()
    _ensure_starter()
    _asked.put((future, start))
    return future.result()


def die_with(parent: int, death_signal: signal.Signals = signal.SIGKILL) -> None:
    """Let this process, just forked by ``parent``, get ``death_signal`` as soon as that is gone."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before it was asked for
            os._exit(1)


def stop(child: subprocess.Popen[bytes], *, within_s: float, by: signal.Signals = signal.SIGTERM) -> bool:
    """Ask ``child`` to end and wait; end it by SIGKILL when ``within_s`` seconds have passed.

    Returns
    -------
    bool
        Whether it ended by itself.
    """
    if child.poll() is not None:
        return True
    child.send_signal(signal.SIGCONT)  # one that is stopped can't hear
    child.send_signal(by)
    try:
        child.wait(timeout=max(0.0, within_s))
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return False
    return True


def wait_until(ready: Callable[[], bool], *, within_s: float, every_s: float = 0.02) -> bool:
    """Ask ``ready`` again and again until it says yes or ``within_s`` seconds have passed."""
    give_up_at = time.monotonic() + within_s
    while not ready():
        if time.monotonic() >= give_up_at:
            return False
        time.sleep(every_s)
    return True


def _ensure_starter() -> None:
    global _starter  # noqa: PLW0603 - one starter a process, made anew after a fork
    with _starter_lock:
        if _starter is None or not _starter.is_alive():
            _starter = threading.Thread(target=_start_as_asked, name="starts-children", daemon=True)
            _starter.start()


def _start_as_asked() -> None:
    while True:
        future, start = _asked.get()
        try:
            future.set_result(start())
        except Exception as error:  # noqa: BLE001 - it is the asker's, not this thread's
            future.set_exception(error)
