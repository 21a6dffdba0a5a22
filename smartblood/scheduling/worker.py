"""The worker of scheduling: waits to lead, and while it leads fires what is due, once.

What is due and the memory that it is settled are written in one transaction of the term (``smartblood.kafka.term``), so
that a leader which was killed, fenced or woken late leaves either both or neither. The clock is looked at each turn: it
may go back or stand still, since the memory of what is settled decides, and where it leaps ahead nothing is fired until
it is believed (``smartblood.scheduling.clock``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from producers.scheduling.scheduler import Decision, Scheduler
from producers.scheduling.triggers import STATES
from smartblood import logs
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.client import Cluster
from smartblood.kafka.clients import CLOSE_S
from smartblood.kafka.election import Election
from smartblood.kafka.patience import Patience
from smartblood.kafka.stuck import StuckDetector
from smartblood.kafka.term import Term
from smartblood.kafka.tuning import no_probe
from smartblood.scheduling.clock import BelievedClock
from smartblood.scheduling.told import Told

NAME = "scheduling"
POLL_S = 0.2
"""How often the clock is looked at: so late is a slot fired at most, where nothing is wrong."""

STUCK_S = 120.0
BACKOFF_S_MAX = 5.0
AFTER_A_TERM_S = 1.5
"""A term that failed was perhaps ended by a later one: so long the group has to say so before another is begun. Its
members hear each other every second."""


class Candidate(Protocol):
    """What says whether we lead: see ``Election``."""

    owned: bool
    settled: bool

    def poll(self, wait_s: float) -> bool:
        """Hear for up to ``wait_s`` seconds who leads; return whether we do."""

    def close(self) -> None:
        """Stand no more."""


class Scheduling:
    """One worker; of several with the same prefix one leads, the others stand by.

    Parameters
    ----------
    scheduler : Scheduler
        What is due when.
    cluster : Cluster
        Where triggers go.
    slot : str
        The worker's stable name among its kind, for logs and metrics.
    clock : BelievedClock, optional
        By which slots are due; the machine's own unless given.
    poll_s : float
        See ``POLL_S``.
    probe : callable
        Told each step's name: ``due``, ``kept`` and those of ``Term``.
    candidate : callable
        Makes what says whether we lead.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        cluster: Cluster,
        slot: str,
        *,
        clock: BelievedClock | None = None,
        poll_s: float = POLL_S,
        probe: Callable[[str], None] = no_probe,
        candidate: Callable[[Cluster, str, str, FilteringBoundLogger], Candidate] = Election,
    ) -> None:
        self._scheduler = scheduler
        self._cluster = cluster
        self._clock = clock or BelievedClock()
        self._poll_s = poll_s
        self._probe = probe
        self._log = logs.logger(processor=NAME, slot=slot)
        self._told = Told(scheduler, slot, self._log)
        self._slot = slot
        self._candidate = candidate
        self._election: Candidate | None = None
        self._term: Term | None = None
        self._not_before_s = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; what is open then is finished or aborted, and the group is left.

        Raises
        ------
        Fatal
            If it can't work like this, and a restart won't help.
        """
        self._stuck = StuckDetector(f"{NAME} {self._slot}", STUCK_S)
        self._stuck.start()
        self._patience = Patience(stop, self._stuck, BACKOFF_S_MAX)
        try:
            while not self._patience.stopped:
                self._guarded_turn()
        finally:
            self._close()

    def _guarded_turn(self) -> None:
        try:
            self._turn()
        except Retryable as error:
            self._log.warning("tried again", why=str(error), n_failed=self._patience.n_failed + 1)
            self._end_term()
            self._not_before_s = time.monotonic() + AFTER_A_TERM_S
            self._patience.back_off()

    def _turn(self) -> None:
        """Hear who leads; where we do, fire what is due."""
        self._stuck.beat()
        if self._election is None:
            self._election = self._candidate(self._cluster, NAME, STATES, self._log)
        if not self._election.poll(self._poll_s):
            self._end_term()
        elif self._term is not None:
            self._fire(self._term)
        elif time.monotonic() >= self._not_before_s:
            self._begin_term()
        at_us = self._at_us()
        is_ready = self._election.settled and (self._term is not None or not self._election.owned)
        self._told.note(at_us, leads=self._term is not None, ready=is_ready)

    def _begin_term(self) -> None:
        self._scheduler.forget()
        term = Term(
            self._cluster,
            NAME,
            STATES,
            self._scheduler.restore,
            self._log,
            self._patience.beat,
            self._probe,
        )
        try:
            term.begin()
        except (Retryable, Fatal):
            term.close()
            raise
        self._term = term
        self._patience.succeeded()
        self._told.leads()
        self._fire(term)

    def _at_us(self) -> int | None:
        """Return what the clock says, None while it is doubted; say where that begins and ends."""
        was_doubted = self._clock.is_doubted
        at_us = self._clock.read()
        if self._clock.is_doubted != was_doubted:
            self._told.doubts_clock(at_us)
        return at_us

    def _fire(self, term: Term) -> None:
        at_us = self._at_us()
        decisions = self._scheduler.due(at_us, self._clock.held_us) if at_us is not None else []
        if at_us is None or not decisions:
            return
        self._probe("due")
        term.write(self._scheduler.outputs(decisions))
        self._scheduler.keep()
        self._probe("kept")
        self._patience.succeeded()
        self._tell(decisions, at_us)

    def _tell(self, decisions: list[Decision], at_us: int) -> None:
        for decision in decisions:
            self._told.decided(decision, at_us)

    def _end_term(self) -> None:
        """Lead no more: memory is thrown away, since what the next term finds may be another."""
        self._scheduler.drop()
        if self._term is not None:
            term, self._term = self._term, None
            term.close()
            self._told.leads_no_more()

    def _close(self) -> None:
        """Abort what is open, leave the group; a broker that doesn't answer must not hold up a stop."""
        self._stuck.beat()
        closing = threading.Thread(target=self._leave, name="leaves", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        self._told.closed()
        self._stuck.close()

    def _leave(self) -> None:
        self._end_term()
        if self._election is not None:
            self._election.close()
