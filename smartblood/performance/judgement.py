"""Judging: what each version said, by what came of it; and how far what it saw has moved from what it learned from.

The labels are those of training (``features.outcomes``), the figures too (``smartblood.training.judging``). An alert
counts once its outcome is settled: six hours after ``required_by``, as training has it. Drift needs no outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.drift import Reference, stability_index
from features.outcomes import BROKEN, HOURS, KEPT, SETTLED_US, Labels, answered_within, labels_of
from features.vectors import (
    AVAILABILITY,
    FEATURES,
    MATCH,
    MATCH_FEATURES,
    RELIABILITY,
    availability_rows,
    reliability_rows,
    response_time_rows,
)
from smartblood.performance.alerts import SHADOW, Alerts, Opinion
from smartblood.training.judging import (
    LEAST,
    Interval,
    auc,
    brier,
    calibration_error,
    calibration_error_by_chance,
    log_loss,
    observed_to_expected,
    with_interval,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
References = Mapping[tuple[str, str], Mapping[str, Reference]]
"""By model and version."""

GAVE, ACCEPTED, KEPT_IT = "gave", "accepted", "kept"
ANSWERED = tuple(f"answered within {hours:g} h" for hours in HOURS)
MEASURES = {"log_loss": log_loss, "brier": brier, "ece": calibration_error, "auc": auc}
SEED = 1
"""Of the bootstrap: the same alerts give the same intervals."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond which a person should look.

    Parameters
    ----------
    requests_min : int
        On fewer requests nothing is said: chance alone would pass any limit.
    stability_index_max : float
        Of a feature.
    off_max : float
        By how much observed ÷ expected may differ from 1; its whole 95 % interval must lie beyond.
    ece_max : float
        Of the expected calibration error, above what chance would give.
    """

    requests_min: int = 200
    stability_index_max: float = 0.25
    off_max: float = 0.3
    ece_max: float = 0.05


class Performance(NamedTuple):
    """How good one version was in one role, of one outcome; figures are None where nothing can be said.

    ``n_alerts`` are settled, ``n_unsettled`` not yet; ``bins`` are ten of equal numbers of scores, lowest first:
    what was expected, and what was seen by that. ``log_loss_saved`` is of shadows alone: by how much lower their log
    loss is than that of who answered, on the same alerts. ``intervals`` are 95 %, of the figures for which they were
    asked.
    """

    model: str
    version: str
    role: str
    outcome: str
    n_requests: int
    n_alerts: int
    n_yes: int
    n_unsettled: int
    expected: float | None
    observed: float | None
    observed_to_expected: Interval | None
    ece: float | None
    ece_by_chance: float | None
    log_loss: float | None
    brier: float | None
    auc: float | None
    log_loss_saved: Interval | None
    bins: tuple[list[float], list[float]]
    intervals: Mapping[str, Interval]
    alarm: str | None


class Drift(NamedTuple):
    """How far a feature has moved from what a version learned from."""

    model: str
    version: str
    role: str
    feature: str
    n_requests: int
    n_alerts: int
    stability_index: float
    alarm: str | None


class Judgement(NamedTuple):
    """What was judged, as of ``as_of`` (stream time, microseconds)."""

    as_of: int
    window_days: int
    n_alerts: int
    n_settled: int
    n_erased: int
    is_cut: bool
    performances: list[Performance]
    drifts: list[Drift]


def judge(
    alerts: Alerts, references: References, limits: Limits, *, window_days: int, with_intervals: bool = False
) -> Judgement:
    """Judge every version that said anything of the alerts.

    Parameters
    ----------
    alerts : Alerts
    references : mapping
        What drift is measured against; of versions without one no drift is told.
    limits : Limits
    window_days : int
        Which alerts they are; told, not used.
    with_intervals : bool
        Whether every figure is to have its interval, or observed ÷ expected alone, which is quick.
    """
    closed, again = alerts.closed, alerts.asked_again
    labels = labels_of(alerts.at, alerts.required_by, closed, again, alerts.since, alerts.as_of)
    is_settled = alerts.required_by + SETTLED_US <= alerts.as_of
    performances: list[Performance] = []
    drifts: list[Drift] = []
    rows = {model: _rows(model, alerts) for model in FEATURES}
    answered = {model: _answered(model, alerts) for model in FEATURES}
    for opinion in alerts.opinions:
        for column, (outcome, label, is_known) in enumerate(_outcomes(opinion.model, labels)):
            at = opinion.places
            said = ~np.isnan(opinion.score[:, column])
            counts = said & is_known[at] & is_settled[at]
            n_unsettled = int(np.count_nonzero(said & ~is_settled[at]))
            places = at[counts]
            beside = answered[opinion.model][places, column] if opinion.role == SHADOW else None
            scored = _Scored(label[places], opinion.score[counts, column], alerts.request_id[places], beside)
            performances.append(_performance(opinion, outcome, scored, n_unsettled, limits, all_of_it=with_intervals))
        reference = references.get((opinion.model, opinion.version), {})
        drifts += _drifts(opinion, reference, rows[opinion.model], alerts.request_id, limits)
    n_settled = int(np.count_nonzero(is_settled))
    return Judgement(
        alerts.as_of, window_days, alerts.n, n_settled, alerts.n_erased, alerts.is_cut, performances, drifts
    )


class _Scored(NamedTuple):
    """What came of alerts, what was said of them, their requests, which lie together; and what who answered said."""

    label: Flags
    score: Floats
    request_id: Ints
    beside: Floats | None


def _answered(model: str, alerts: Alerts) -> Floats:
    """Return what the version of a model that answered said of each alert, a column an outcome; NaN where nothing."""
    opinions = [one for one in alerts.opinions if one.model == model]
    said = np.full((alerts.n, opinions[0].score.shape[1] if opinions else 1), np.nan)
    for one in opinions:
        if one.role != SHADOW:
            said[one.places] = one.score
    return said


def _outcomes(model: str, labels: Labels) -> Iterable[tuple[str, Flags, Flags]]:
    """Yield what a model speaks of: its name, whether it came, and of which alerts that is known."""
    everybody = np.ones(labels.gave.size, np.bool_)
    if model == MATCH:
        yield GAVE, labels.gave, ~labels.stopped
    elif model == AVAILABILITY:
        yield ACCEPTED, labels.accepted, everybody
    elif model == RELIABILITY:
        yield KEPT_IT, labels.kept == KEPT, (labels.kept == KEPT) | (labels.kept == BROKEN)
    else:
        for name, hours in zip(ANSWERED, HOURS, strict=True):
            yield name, *answered_within(hours, labels.answered_us, labels.watched_us, labels.life_us)


def _performance(
    opinion: Opinion, outcome: str, scored: _Scored, n_unsettled: int, limits: Limits, *, all_of_it: bool
) -> Performance:
    label, score, request_id, _ = scored
    n, n_yes = label.size, int(np.count_nonzero(label))
    figures: dict[str, float] = {}
    ratio, intervals, alarm = None, {}, None
    if n:
        names = [name for name in MEASURES if name != "auc" or 0 < n_yes < n]
        figures = {name: MEASURES[name](label, score) for name in names}
        figures |= {"expected": float(score.mean()), "observed": n_yes / n}
        figures["ece_by_chance"] = calibration_error_by_chance(score)
        ratio = _interval(lambda places: _ratio(label[places], score[places]), request_id)
        if all_of_it:
            intervals = {name: _measured(name, label, score, request_id) for name in names}
    n_requests = len(np.unique(request_id))
    if ratio is not None and n_requests >= limits.requests_min:
        alarm = _off(ratio, figures["ece"] - figures["ece_by_chance"], limits)
    return Performance(
        *(opinion.model, opinion.version, opinion.role, outcome),
        *(n_requests, n, n_yes, n_unsettled),
        expected=figures.get("expected"),
        observed=figures.get("observed"),
        observed_to_expected=ratio,
        ece=figures.get("ece"),
        ece_by_chance=figures.get("ece_by_chance"),
        log_loss=figures.get("log_loss"),
        brier=figures.get("brier"),
        auc=figures.get("auc"),
        log_loss_saved=_saved(scored),
        bins=_bins(label, score),
        intervals=intervals,
        alarm=alarm,
    )


def _saved(scored: _Scored) -> Interval | None:
    """Return by how much the log loss is lower than that of who answered, on the same alerts."""
    if scored.beside is None:
        return None
    both = ~np.isnan(scored.beside)
    if not both.any():
        return None
    label, score, beside = scored.label[both], scored.score[both], scored.beside[both]
    return _interval(
        lambda places: log_loss(label[places], beside[places]) - log_loss(label[places], score[places]),
        scored.request_id[both],
    )


def _ratio(label: Flags, score: Floats) -> float:
    return float(np.count_nonzero(label)) / max(float(score.sum()), LEAST)


def _measured(name: str, label: Flags, score: Floats, request_id: Ints) -> Interval:
    measure = MEASURES[name]
    return _interval(
        lambda places: measure(label[places], score[places]), request_id, is_distance=measure is calibration_error
    )


def _interval(figure: Callable[[Ints], float], request_id: Ints, *, is_distance: bool = False) -> Interval:
    return with_interval(figure, request_id, seed=SEED, is_distance=is_distance)


def _bins(label: Flags, score: Floats) -> tuple[list[float], list[float]]:
    ratios, expected = observed_to_expected(label, score)
    return expected, ratios


def _off(ratio: Interval, ece_above_chance: float, limits: Limits) -> str | None:
    if ratio.lower > 1 + limits.off_max or ratio.upper < 1 - limits.off_max:
        return (
            f"observed ÷ expected is {ratio.value:.2f} ({ratio.lower:.2f}–{ratio.upper:.2f}), "
            f"beyond 1 ± {limits.off_max:g}"
        )
    if ece_above_chance > limits.ece_max:
        return f"the calibration error is {ece_above_chance:.3f} above what chance gives, more than {limits.ece_max:g}"
    return None


def _rows(model: str, alerts: Alerts) -> tuple[tuple[str, ...], Floats]:
    """Return what a model saw of each alert, by the functions by which it was shown."""
    if model == MATCH:
        return MATCH_FEATURES, alerts.match_rows
    if model == AVAILABILITY:
        return FEATURES[model], availability_rows(alerts.behaviour, alerts.made_at)
    if model == RELIABILITY:
        return FEATURES[model], reliability_rows(alerts.behaviour)
    km, urgency = (alerts.match_rows[:, MATCH_FEATURES.index(name)] for name in ("distance_km", "urgency_level"))
    rows = response_time_rows(alerts.behaviour, km, alerts.made_at, urgency=urgency, stretches=[0.0])
    return FEATURES[model], rows


def _drifts(
    opinion: Opinion,
    reference: Mapping[str, Reference],
    rows: tuple[tuple[str, ...], Floats],
    request_id: Ints,
    limits: Limits,
) -> Iterable[Drift]:
    names, seen = rows
    # Where behaviour wasn't told, a donor of whom nothing is known would be taken for one.
    told = opinion.places[~np.isnan(seen[opinion.places, _always_known(opinion.model)])]
    n_requests = len(np.unique(request_id[told]))
    for place, feature in enumerate(names):
        if not told.size or feature not in reference:
            continue
        index = stability_index(reference[feature], seen[told, place])
        alarm = None
        if n_requests >= limits.requests_min and index > limits.stability_index_max:
            alarm = f"its population stability index is {index:.2f}, above {limits.stability_index_max:g}"
        key = (opinion.model, opinion.version, opinion.role, feature)
        yield Drift(*key, n_requests, told.size, index, alarm)


def _always_known(model: str) -> int:
    """Return the place of a feature that is a number for everybody."""
    of = {MATCH: "distance_km", AVAILABILITY: "tenure_days", RELIABILITY: "tenure_days"}
    return FEATURES[model].index(of.get(model, "donor_age"))
