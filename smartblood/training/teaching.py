"""Who learns from which alerts: each model from later ones than those that it hears learned from.

At first nothing is known of anybody: the very first alerts teach nothing but what each donor does.
``donor_availability``, ``donor_reliability`` and ``donor_response_time`` are fitted on those after them;
``donor_seeker_match``, which hears two of them, on later ones: what they say there is what they will say of anybody
whom they haven't seen. All are judged on the latest. What is tuned (which kind of calibration) is tuned before those.

Of a world that is simulated it is known which lists were drawn at random, and it can be asked what would have come of
the system's own lists (``Trial``). The first calibrate ``donor_availability``, which isn't told how far a request is,
and so needs a way of asking that prefers nobody who lives near; the second are added to what the match is fitted and
calibrated on. What topics recorded is what the system sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.scoring import Panel
from features.vectors import AVAILABILITY, MATCH, RELIABILITY, RESPONSE_TIME
from smartblood.training.examples import Examples, joined
from smartblood.training.learning import Learned, Lesson, learn
from smartblood.training.policies import Truth, truth_of
from smartblood.training.replaying import Replayed
from smartblood.training.views import availability_view, known_promises, match_view, reliability_view, waiting_view

BOUNDS = (0.15, 0.43, 0.54, 0.76, 0.85)
"""Shares of the alerts, by time: until the first nothing is learned, until the second the three are fitted, until the
third calibrated; then the match model is fitted, and calibrated; the rest judges."""

CALIBRATES = 2
"""Which of them calibrates the three."""

SENT_FIT_SHARE = 0.8
"""Of the alerts that the system itself sent, by time: these fit the match, the later ones calibrate it."""

HEARD = (AVAILABILITY, RELIABILITY)
"""By the match."""

LABELS_MIN = 20
"""Fewest of either kind, in each part: below, neither a calibration nor a figure means anything."""


class TooFewError(ValueError):
    """There is too little to learn from: {what}."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Examples by time, and of the last ones what was true, where anybody knows."""

    fit: Examples
    calibrate: Examples
    calibrate_availability: Examples
    fit_match: Examples
    calibrate_match: Examples
    test: Examples
    truth: Truth | None

    def with_sent(self, sent: Examples) -> Parts:
        """Return them with alerts that the system itself sent among what the match learns from."""
        at = first_asked_at(sent)
        is_later = at >= np.quantile(at, SENT_FIT_SHARE)
        return replace(
            self,
            fit_match=joined(self.fit_match, sent.take(~is_later)),
            calibrate_match=joined(self.calibrate_match, sent.take(is_later)),
        )


class Trial(NamedTuple):
    """What only whoever makes a world knows of who is asked.

    Parameters
    ----------
    at_random : ndarray of bool, shape (n,)
        Of each example, whether its list was drawn at random.
    send : callable
        Returns alerts as the system sends them with the models that it is given, and what is to be told of them.
    """

    at_random: NDArray[np.bool_]
    send: Callable[[Panel], tuple[Examples, dict[str, Any]]]


class Taught(NamedTuple):
    """A model, and what it learned from."""

    learned: Learned
    lesson: Lesson


def teach(
    parts: Parts, names: Collection[str], version: str, seed: int, on_step: Callable[[str], None] = lambda _: None
) -> dict[str, Taught]:
    """Fit models, and those that they hear.

    Parameters
    ----------
    names : collection of str
        Models that are wanted.
    on_step : callable
        Told what is being done.

    Raises
    ------
    TooFewError
        If there is too little to learn from.
    """
    wanted = {*names, *(HEARD if MATCH in names else ())}
    taught: dict[str, Taught] = {}
    for name, lesson_of in _LESSONS.items():
        if name not in wanted:
            continue
        on_step(f"fitting {name}")
        lesson = lesson_of(parts, taught)
        check_labels(name, lesson.label, lesson.later_label)
        taught[name] = Taught(learn(name, version, lesson, seed=seed), lesson)
    return taught


def split(replayed: Replayed, at_random: NDArray[np.bool_] | None = None) -> Parts:
    """Cut by time, between requests: what is judged lies after all that was learned from.

    Parameters
    ----------
    at_random : ndarray of bool, shape (n,), optional
        Of each example, whether its list was drawn at random, where that is known.
    """
    examples, history = replayed.examples, replayed.history
    at = first_asked_at(examples)
    cuts = np.quantile(at, BOUNDS) if at.size else np.zeros(len(BOUNDS))
    part = np.searchsorted(cuts, at, side="right")
    fit, calibrate, fit_match, calibrate_match, test = (
        examples.take(part == number) for number in range(1, len(BOUNDS) + 1)
    )
    drawn = calibrate if at_random is None else examples.take((part == CALIBRATES) & at_random)
    truth = None if history is None else truth_of(test, history)
    return Parts(fit, calibrate, drawn, fit_match, calibrate_match, test, truth)


def first_asked_at(examples: Examples) -> NDArray[np.int64]:
    """Return for each alert when anybody was first asked for its request, shape (n,)."""
    _, first, of = np.unique(examples.request_id, return_index=True, return_inverse=True)
    at: NDArray[np.int64] = examples.at[first][of]  # alerts are in order of time
    return at


def _of_availability(parts: Parts, _: dict[str, Taught]) -> Lesson:
    later = parts.calibrate_availability
    return Lesson(availability_view(parts.fit), parts.fit.accepted, availability_view(later), later.accepted)


def _of_reliability(parts: Parts, _: dict[str, Taught]) -> Lesson:
    rows, label = _promises(parts.fit)
    return Lesson(rows, label, *_promises(parts.calibrate))


def _promises(examples: Examples) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    of, kept = known_promises(examples)
    return reliability_view(of), kept


def _of_response_time(parts: Parts, _: dict[str, Taught]) -> Lesson:
    now, later = waiting_view(parts.fit), waiting_view(parts.calibrate)
    return Lesson(now.rows, now.answered, later.rows, later.answered)


def _of_match(parts: Parts, taught: dict[str, Taught]) -> Lesson:
    heard = taught[AVAILABILITY].learned.scorer, taught[RELIABILITY].learned.scorer
    now, later = (of.take(~of.stopped) for of in (parts.fit_match, parts.calibrate_match))
    return Lesson(match_view(now, *heard).rows, now.gave, match_view(later, *heard).rows, later.gave)


# In the order in which they are taught: the last hears the first two.
_LESSONS: dict[str, Callable[[Parts, dict[str, Taught]], Lesson]] = {
    AVAILABILITY: _of_availability,
    RELIABILITY: _of_reliability,
    RESPONSE_TIME: _of_response_time,
    MATCH: _of_match,
}


def check_labels(name: str, *labels: NDArray[np.bool_]) -> None:
    """Refuse too few labels.

    Raises
    ------
    TooFewError
        If there are fewer than ``LABELS_MIN`` of either kind in any of them.
    """
    for label in labels:
        n_true = int(np.count_nonzero(label))
        if min(n_true, label.size - n_true) < LABELS_MIN:
            message = f"{name}: {label.size} examples, {n_true} of them with a yes, are too few to learn from"
            raise TooFewError(message)
