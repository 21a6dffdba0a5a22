"""Judging now and then, beside a worker that records: in a thread of its own, which keeps nobody waiting.

What goes wrong here stays here: where Postgres doesn't answer it is tried again at the next turn, and a failure of our
own is counted and told like any other, while recording goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from smartblood import metrics
from smartblood.errors import Fatal, Retryable
from smartblood.performance.alerts import alerts_of
from smartblood.performance.gauges import Shown
from smartblood.performance.judgement import Judgement, Limits, References, judge
from smartblood.performance.rows import drift_rows, performance_rows
from smartblood.storage.performance import Judgements

SECOND_US = 1_000_000
FIRST_AFTER_S = 5.0
"""A worker that was started again shows the last judgement soon."""

PROCESSOR, TOPIC = "recording", "model_performance"


@dataclass(frozen=True, slots=True)
class Judging:
    """How models are judged: on which alerts, against what, and what alarms."""

    judgements: Judgements
    tell_references: Callable[[], References]
    limits: Limits
    window_days: int
    alerts_max: int

    def now(self, *, with_intervals: bool = False) -> Judgement | None:
        """Judge what is recorded; None where nothing came of anything yet.

        Raises
        ------
        Retryable
            If Postgres doesn't answer.
        Fatal
            If it refuses us.
        """
        recorded = self.judgements.read(self.window_days, self.alerts_max)
        if recorded is None:
            return None
        references = self.tell_references()
        return judge(
            alerts_of(recorded), references, self.limits, window_days=self.window_days, with_intervals=with_intervals
        )


@dataclass(slots=True)
class PerformanceWatch:
    """Judges again as stream time goes on, and shows the last judgement, whoever made it.

    Parameters
    ----------
    judging : Judging
    each_s : float
        How often it looks, and how far stream time must have come at least, unless it has come to rest.
    may_judge : callable
        Whether what is recorded is up to date: after a rebuild, outcomes may be far behind the matches.
    n_recorded : callable
        How many records its worker has recorded: of one instant's outcomes some may come after it was judged.
    log : logger
    """

    judging: Judging
    each_s: float
    may_judge: Callable[[], bool]
    n_recorded: Callable[[], int]
    log: FilteringBoundLogger
    _shown: Shown = field(default_factory=Shown)
    _seen: tuple[int | None, int] = (None, 0)
    _judged_with: int = 0

    def run(self, done: threading.Event) -> None:
        """Look until ``done`` is set."""
        wait_s = min(self.each_s, FIRST_AFTER_S)
        while not done.wait(wait_s):
            wait_s = self.each_s
            try:
                self.look()
            except (Retryable, Fatal) as error:
                self.log.info("models are not judged now", why=str(error))
            except Exception:
                metrics.OWN_FAILURES.labels(PROCESSOR, TOPIC).inc()
                self.log.exception("judging models failed; recording goes on")

    def look(self) -> None:
        """Judge where it is due, and show the last judgement."""
        if self.may_judge() and self._is_due():
            n_recorded = self.n_recorded()
            judgement = self.judging.now()
            self._judged_with = n_recorded
            if judgement is not None:
                rows = performance_rows(judgement), drift_rows(judgement)
                self.judging.judgements.write(judgement.as_of, *rows)
        before = set(self._shown.alarms)
        self._shown.show(*self.judging.judgements.latest())
        for key, said in self._shown.alarms.items():
            if key not in before:
                self.log.warning("a model needs a look", **_named(key), why=said)
        for key in before - set(self._shown.alarms):
            self.log.info("a model needs no look any more", **_named(key))

    def _is_due(self) -> bool:
        as_of, judged = self.judging.judgements.as_of(), self.judging.judgements.judged_as_of()
        now = as_of, self.n_recorded()
        rests, self._seen = now == self._seen, now
        if as_of is None or judged is None or as_of < judged:
            return judged is None and as_of is not None
        if as_of == judged:
            return rests and self.n_recorded() != self._judged_with
        return rests or as_of - judged >= self.each_s * SECOND_US


def _named(key: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(("model", "version", "role", "kind", "what"), key, strict=True))
