"""All models of donors from one past: taught, judged on later alerts, and on districts that they haven't seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from features.scoring import Panel
from features.vectors import AVAILABILITY, FEATURES, MATCH, RELIABILITY, RESPONSE_TIME
from smartblood.registry.writing import entry_of
from smartblood.training import recipes
from smartblood.training.card import card_of
from smartblood.training.learning import Trained
from smartblood.training.leaving_out import leave_out
from smartblood.training.references import reference
from smartblood.training.replaying import Replayed
from smartblood.training.teaching import HEARD, Parts, Taught, TooFewError, Trial, split, teach
from smartblood.training.verdicts import of_availability, of_match, of_reliability, of_response_time


def train(
    replayed: Replayed,
    seed: int,
    version: str,
    *,
    names: Collection[str] = (),
    trial: Trial | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> dict[str, Trained]:
    """Train on alerts.

    The same alerts, seed and version give the same bytes.

    Parameters
    ----------
    names : collection of str
        Models that are wanted; all unless given. Those that a wanted one hears are trained with it.
    trial : Trial, optional
        Of a world that is simulated, what only whoever makes it knows of who is asked.
    on_step : callable
        Told what is being done.

    Raises
    ------
    TooFewError
        If there is too little to learn from.
    """
    wanted = [name for name in FEATURES if not names or name in names]
    parts = split(replayed, None if trial is None else trial.at_random)
    sent: dict[str, Any] = {}
    try:
        if trial is not None and MATCH in wanted:
            first = teach(parts, list(FEATURES), version, seed, on_step)
            panel = Panel(*(first[name].learned.scorer for name in (MATCH, AVAILABILITY, RELIABILITY, RESPONSE_TIME)))
            alerts, sent = trial.send(panel)
            parts = parts.with_sent(alerts)
        taught = teach(parts, wanted, version, seed, on_step)
    except TooFewError as error:
        left_out = [f"{n:,} {why}" for why, n in replayed.origin.get("left_out", {}).items()]
        raise TooFewError(
            "; ".join([str(error), *(["left out: " + ", ".join(left_out)] if left_out else [])])
        ) from error
    metrics: dict[str, dict[str, Any]] = {}
    for name in wanted:
        on_step(f"judging {name} on {parts.test.at.size:,} later alerts")
        metrics[name] = {**_judged(name, taught, parts, seed), "calibration": taught[name].learned.calibration}
    for name, districts in leave_out(parts, wanted, taught, seed, on_step).items():
        metrics[name]["left_out"] = districts
    data = {**replayed.origin, "n_alerts": _sizes(parts)}
    data_of = {name: {**data, **({"sent": sent} if sent and name == MATCH else {})} for name in wanted}
    return {name: _trained(name, version, taught, parts, data_of[name], metrics[name]) for name in wanted}


def _trained(
    name: str, version: str, taught: dict[str, Taught], parts: Parts, data: dict[str, Any], metrics: dict[str, Any]
) -> Trained:
    learned, lesson = taught[name]
    used = {
        **data,
        "n_rows_fit": int(lesson.label.size),
        "n_rows_calibrate": int(lesson.later_label.size),
        "rows_sha256": lesson.sha256,
    }
    if name == MATCH:
        used["hears"] = {other: hashlib.sha256(taught[other].learned.artefact).hexdigest() for other in HEARD}
    hears = tuple(taught[other].learned.scorer for other in HEARD) if name == MATCH else ()
    entry = entry_of(name, version, learned.artefact, training_data=used, metrics=metrics)
    entry = replace(entry, reference=reference(name, parts.test, hears))
    card = card_of(entry, recipes.PARAMETERS[name], learned.gains, len(learned.artefact))
    return Trained(learned.artefact, entry, card)


def _judged(name: str, taught: dict[str, Taught], parts: Parts, seed: int) -> dict[str, Any]:
    scorer = taught[name].learned.scorer
    if name == AVAILABILITY:
        return of_availability(scorer, parts.test, parts.truth, seed)
    if name == RELIABILITY:
        return of_reliability(scorer, parts.test, parts.truth, seed)
    if name == RESPONSE_TIME:
        return of_response_time(scorer, parts.test, seed)
    availability, reliability = (taught[other].learned.scorer for other in HEARD)
    return of_match(scorer, availability, reliability, parts.test, parts.truth, seed)


def _sizes(parts: Parts) -> dict[str, int]:
    return {
        "fit": int(parts.fit.at.size),
        "calibrate": int(parts.calibrate.at.size),
        "calibrate availability": int(parts.calibrate_availability.at.size),
        "fit the match": int(parts.fit_match.at.size),
        "calibrate the match": int(parts.calibrate_match.at.size),
        "test": int(parts.test.at.size),
    }
