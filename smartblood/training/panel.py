"""All models of donors from one past, each on examples later than those that the ones before it saw.

``donor_availability``, ``donor_reliability`` and ``donor_response_time`` are fitted on the earliest alerts;
``donor_seeker_match``, which hears two of them, on later ones: what they say there is what they will say of anybody
whom they haven't seen. All are judged on the latest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.outcomes import BROKEN, KEPT
from features.vectors import AVAILABILITY, MATCH, RELIABILITY, RESPONSE_TIME
from smartblood.registry.writing import entry_of
from smartblood.training import recipes
from smartblood.training.card import card_of
from smartblood.training.examples import Examples
from smartblood.training.learning import Learned, Lesson, Trained, learn
from smartblood.training.policies import Truth, truth_of
from smartblood.training.references import reference
from smartblood.training.replaying import Replayed
from smartblood.training.verdicts import of_availability, of_match, of_reliability, of_response_time
from smartblood.training.views import availability_view, match_view, reliability_view, waiting_view

BOUNDS = (0.4, 0.5, 0.75, 0.85)
"""Shares of the alerts, by time: until the first the three are fitted, until the second calibrated; then the match
model is fitted, and calibrated; the rest judges."""

LABELS_MIN = 20
"""Fewest of either kind, in each part: below, neither a calibration nor a figure means anything."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Examples by time, and of the last ones what was true, where anybody knows."""

    fit: Examples
    calibrate: Examples
    fit_match: Examples
    calibrate_match: Examples
    test: Examples
    truth: Truth | None


def train(
    replayed: Replayed,
    seed: int,
    version: str,
    *,
    names: Collection[str] = (),
    on_step: Callable[[str], None] = lambda _: None,
) -> dict[str, Trained]:
    """Train on alerts.

    The same alerts, seed and version give the same bytes.

    Parameters
    ----------
    names : collection of str
        Models that are wanted; all unless given. Those that a wanted one hears are trained with it.
    on_step : callable
        Told what is being done.

    Raises
    ------
    ValueError
        If there is too little to learn from.
    """
    parts = _split(replayed)
    data = {**replayed.origin, "n_alerts": _sizes(parts)}
    learned: dict[str, Learned] = {}
    found: dict[str, Trained] = {}
    for name, teach in _TEACHERS.items():
        if names and name not in names and not (MATCH in names and name in {AVAILABILITY, RELIABILITY}):
            continue
        on_step(f"fitting {name}")
        lesson = teach(parts, learned)
        _check(name, lesson)
        learned[name] = learn(name, version, lesson, seed=seed)
        if names and name not in names:
            continue
        on_step(f"judging {name} on {parts.test.at.size:,} later alerts")
        metrics = {**_judged(name, learned, parts, seed), "calibration": learned[name].calibration}
        used = {
            **data,
            "n_rows_fit": int(lesson.label.size),
            "n_rows_calibrate": int(lesson.later_label.size),
            "rows_sha256": lesson.sha256,
        }
        if name == MATCH:
            heard = (AVAILABILITY, RELIABILITY)
            used["hears"] = {other: hashlib.sha256(learned[other].artefact).hexdigest() for other in heard}
        entry = entry_of(name, version, learned[name].artefact, training_data=used, metrics=metrics)
        hears = (learned[AVAILABILITY].scorer, learned[RELIABILITY].scorer) if name == MATCH else ()
        entry = replace(entry, reference=reference(name, parts.test, hears))
        card = card_of(entry, recipes.PARAMETERS[name], learned[name].gains, len(learned[name].artefact))
        found[name] = Trained(learned[name].artefact, entry, card)
    return found


def _split(replayed: Replayed) -> Parts:
    """Cut by time, between requests: what is judged lies after all that was learned from."""
    examples, history = replayed.examples, replayed.history
    at = first_asked_at(examples)
    cuts = np.quantile(at, BOUNDS) if at.size else np.zeros(len(BOUNDS))
    part = np.searchsorted(cuts, at, side="right")
    fit, calibrate, fit_match, calibrate_match, test = (
        examples.take(part == number) for number in range(len(BOUNDS) + 1)
    )
    truth = None if history is None else truth_of(test, history)
    return Parts(fit, calibrate, fit_match, calibrate_match, test, truth)


def first_asked_at(examples: Examples) -> NDArray[np.int64]:
    """Return for each alert when anybody was first asked for its request, shape (n,)."""
    _, first, of = np.unique(examples.request_id, return_index=True, return_inverse=True)
    at: NDArray[np.int64] = examples.at[first][of]  # alerts are in order of time
    return at


def _sizes(parts: Parts) -> dict[str, int]:
    return {
        "fit": int(parts.fit.at.size),
        "calibrate": int(parts.calibrate.at.size),
        "fit the match": int(parts.fit_match.at.size),
        "calibrate the match": int(parts.calibrate_match.at.size),
        "test": int(parts.test.at.size),
    }


def _teach_availability(parts: Parts, _: dict[str, Learned]) -> Lesson:
    return Lesson(
        availability_view(parts.fit), parts.fit.accepted, availability_view(parts.calibrate), parts.calibrate.accepted
    )


def _teach_reliability(parts: Parts, _: dict[str, Learned]) -> Lesson:
    rows, label = _promises(parts.fit)
    return Lesson(rows, label, *_promises(parts.calibrate))


def _promises(examples: Examples) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    known = (examples.kept == KEPT) | (examples.kept == BROKEN)
    of = examples.take(known)
    return reliability_view(of), of.kept == KEPT


def _teach_response_time(parts: Parts, _: dict[str, Learned]) -> Lesson:
    now, later = waiting_view(parts.fit), waiting_view(parts.calibrate)
    return Lesson(now.rows, now.answered, later.rows, later.answered)


def _teach_match(parts: Parts, learned: dict[str, Learned]) -> Lesson:
    heard = learned[AVAILABILITY].scorer, learned[RELIABILITY].scorer
    now, later = (of.take(~of.stopped) for of in (parts.fit_match, parts.calibrate_match))
    return Lesson(match_view(now, *heard).rows, now.gave, match_view(later, *heard).rows, later.gave)


# In the order in which they are taught: the last hears the first two.
_TEACHERS: dict[str, Callable[[Parts, dict[str, Learned]], Lesson]] = {
    AVAILABILITY: _teach_availability,
    RELIABILITY: _teach_reliability,
    RESPONSE_TIME: _teach_response_time,
    MATCH: _teach_match,
}


def _judged(name: str, learned: dict[str, Learned], parts: Parts, seed: int) -> dict[str, Any]:
    scorer = learned[name].scorer
    if name == AVAILABILITY:
        return of_availability(scorer, parts.test, parts.truth, seed)
    if name == RELIABILITY:
        return of_reliability(scorer, parts.test, parts.truth, seed)
    if name == RESPONSE_TIME:
        return of_response_time(scorer, parts.test, seed)
    return of_match(scorer, learned[AVAILABILITY].scorer, learned[RELIABILITY].scorer, parts.test, parts.truth, seed)


def _check(name: str, lesson: Lesson) -> None:
    for label in (lesson.label, lesson.later_label):
        n_true = int(np.count_nonzero(label))
        if min(n_true, label.size - n_true) < LABELS_MIN:
            message = f"{name}: {label.size} examples, {n_true} of them with a yes, are too few to learn from"
            raise ValueError(message)
