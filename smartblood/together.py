"""Several processors in one process, a thread each: for what has little to do and would cost a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartblood.beside import Worker

LOOKED_AT_EACH_S = 0.2


def together(workers: Mapping[str, Worker]) -> Worker:
    """Return what runs all of ``workers`` in one process; one alone runs as it is."""
    return next(iter(workers.values())) if len(workers) == 1 else Together(workers)


@dataclass(frozen=True, slots=True)
class Together:
    """Workers in one process.

    Where one can't go on all end, and the process with them, since only a supervisor starts anything again. What is
    open is finished or aborted, so nothing is lost, and from then on the supervisor gives each a process of its own:
    see ``smartblood.supervisor``.

    Parameters
    ----------
    workers : mapping of str to Worker
        By the names of their threads.
    """

    workers: Mapping[str, Worker]

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; where one ends by an error, all end, and it is raised."""
        errors: list[BaseException] = []
        leave = threading.Event()

        def work(worker: Worker) -> None:
            try:
                worker.run(leave)
            except BaseException as error:  # noqa: BLE001 - raised again below
                errors.append(error)
            finally:
                leave.set()

        threads = [
            threading.Thread(target=work, args=(worker,), name=name, daemon=True)
            for name, worker in self.workers.items()
        ]
        for thread in threads:
            thread.start()
        while not stop.is_set() and not leave.wait(LOOKED_AT_EACH_S):
            pass
        leave.set()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
