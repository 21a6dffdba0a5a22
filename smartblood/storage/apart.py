"""Calls that may hang, made in a thread of their own.

While libpq waits for a server, Python runs no signal handler in that thread: a process whose main thread waits there
would hear of SIGTERM only once Postgres answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from smartblood.errors import Retryable

LOOKS_EACH_S = 0.1

Result = TypeVar("Result")


def apart(action: Callable[[], Result], is_over: Callable[[], bool], *, grace_s: float) -> Result:
    """Return what ``action`` returns, or raise what it raises.

    Parameters
    ----------
    action : callable
        Runs in a thread that doesn't outlive the process.
    is_over : callable
        Whether the process is asked to stop.
    grace_s : float
        How long an action may go on after that, seconds; then it is left behind.

    Raises
    ------
    Retryable
        If it was left behind: nobody knows how it ends.
    """
    done: list[tuple[Result | None, BaseException | None]] = []

    def run() -> None:
        try:
            done.append((action(), None))
        except BaseException as error:  # noqa: BLE001 - raised again where it belongs
            done.append((None, error))

    thread = threading.Thread(target=run, name="apart", daemon=True)
    thread.start()
    over_at: float | None = None
    while thread.is_alive():
        thread.join(LOOKS_EACH_S)
        if over_at is None and is_over():
            over_at = time.monotonic()
        if over_at is not None and time.monotonic() - over_at > grace_s and thread.is_alive():
            message = f"Postgres didn't answer within {grace_s:.0f} s of being asked to stop"
            raise Retryable(message)
    result, error = done[0]
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # there is one where there is no error
