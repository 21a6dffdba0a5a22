"""How good each model of donors is on alerts later than all it has seen, beside what it has to beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.outcomes import BROKEN, HOUR_US, HOURS, KEPT, NEVER, answered_within
from features.response_time import N_STRETCHES, answered_by, chance_within, median_hours
from features.scoring import Scorer
from features.vectors import AVAILABILITY_FEATURES, RELIABILITY_FEATURES
from smartblood.training.examples import Examples
from smartblood.training.judging import (
    auc,
    brier,
    calibration_error,
    log_loss,
    ndcg,
    ratios_by_bin,
    with_interval,
)
from smartblood.training.policies import Truth, policies
from smartblood.training.views import availability_view, chances_view, match_view, reliability_view, told

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Measure = Callable[[Flags, Floats], float]

PROPER: tuple[tuple[str, Measure], ...] = (
    ("auc", auc),
    ("log_loss", log_loss),
    ("brier", brier),
    ("ece", calibration_error),
)


def of_availability(scorer: Scorer, test: Examples, truth: Truth | None, seed: int) -> dict[str, Any]:
    """Compare with the simulator's truth, with that of whoever isn't told the distance, and with the own record."""
    rows = availability_view(test)
    scores = {
        "model": told(scorer, rows, test.district),
        **({} if truth is None else {"oracle": truth.says_yes, "oracle_anywhere": truth.says_yes_anywhere}),
        "own_record": rows[:, AVAILABILITY_FEATURES.index("response_rate")],
    }
    return probabilities_of(test.accepted, scores, test.request_id, seed)


def of_reliability(scorer: Scorer, test: Examples, truth: Truth | None, seed: int) -> dict[str, Any]:
    """Compare with the simulator's truth and with the donor's own record alone, on promises whose end is known."""
    known = (test.kept == KEPT) | (test.kept == BROKEN)
    of = test.take(known)
    rows = reliability_view(of)
    scores = {
        "model": told(scorer, rows, of.district),
        **({} if truth is None else {"oracle": truth.keeps_it[known]}),
        "own_record": rows[:, RELIABILITY_FEATURES.index("kept_rate")],
    }
    return probabilities_of(of.kept == KEPT, scores, of.request_id, seed)


def of_response_time(scorer: Scorer, test: Examples, seed: int) -> dict[str, Any]:
    """Judge the chance to answer within some hours, where it was waited so long, and the median of who answers."""
    chances = told(scorer, chances_view(test), np.repeat(test.district, N_STRETCHES))
    answered = answered_by(chances.reshape(-1, N_STRETCHES))
    metrics: dict[str, Any] = {}
    for hours in HOURS:
        came, known = answered_within(hours, test.answered_us, test.watched_us, test.life_us)
        score = chance_within(answered, np.full(test.at.size, hours))
        of = {"model": score[known]}
        found = probabilities_of(came[known], of, test.request_id[known], seed)
        metrics |= {f"{name}_within_{hours:g}_h": value for name, value in found.items()}
    who = test.answered_us != NEVER
    share = float(np.mean(test.answered_us[who] / HOUR_US <= median_hours(answered)[who])) if who.any() else 0.0
    metrics["share_answered_within_the_median"] = round(share, 4)
    return metrics


def of_match(
    scorer: Scorer, availability: Scorer, reliability: Scorer, test: Examples, truth: Truth | None, seed: int
) -> dict[str, Any]:
    """Compare with the oracle where there is one, nearest-first and the predecessor's formula."""
    known = ~test.stopped
    test, truth = test.take(known), None if truth is None else truth.take(np.flatnonzero(known))
    views = match_view(test, availability, reliability)
    scores = policies(told(scorer, views.rows, test.district), views, None if truth is None else truth.gives)
    of = {name: score for name, score in scores.items() if name in {"model", "oracle"}}
    metrics = probabilities_of(test.gave, of, test.request_id, seed)
    for name in ("nearest_first", "predecessor"):
        metrics[f"auc_{name}"] = _interval(test.gave, scores[name], auc, test.request_id, seed)
    return metrics if truth is None else {**metrics, **_drawn_at_random(test, scores, truth, seed)}


def _drawn_at_random(test: Examples, scores: dict[str, Floats], truth: Truth, seed: int) -> dict[str, Any]:
    """Judge lists drawn at random alone: the others were put in order before anybody was scored."""
    at_random = truth.at_random
    drawn = test.take(at_random)
    metrics: dict[str, Any] = {"n_drawn_at_random": int(drawn.gave.size)}
    for name, score in scores.items():
        metrics[f"ndcg10_{name}_drawn_at_random"] = _ndcg(drawn, score[at_random], seed)
    metrics["ece_model_drawn_at_random"] = _round(calibration_error(drawn.gave, scores["model"][at_random]))
    return metrics


def probabilities_of(label: Flags, scores: dict[str, Floats], groups: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Return the figures of scores of the same n labels, with intervals by a bootstrap over groups (requests).

    ``scores["model"]`` must be there; its calibration is told bin by bin. Of no label there are no figures.
    """
    metrics: dict[str, Any] = {"n": int(label.size), "n_yes": int(np.count_nonzero(label))}
    if not label.size:
        return metrics
    base = np.full(label.size, label.mean())
    for figure, measure in PROPER:
        for name, score in scores.items():
            metrics[f"{figure}_{name}"] = _interval(label, score, measure, groups, seed)
    metrics |= _bins(label, scores, groups, seed)
    metrics["log_loss_base_rate"], metrics["brier_base_rate"] = (
        _round(log_loss(label, base)),
        _round(brier(label, base)),
    )
    return metrics


def _bins(label: Flags, scores: dict[str, Floats], groups: NDArray[np.int64], seed: int) -> dict[str, Any]:
    found = ratios_by_bin(label, scores["model"], groups, seed=seed)
    metrics: dict[str, Any] = {
        "observed_to_expected": [one.value for one in found.ratio],
        "expected": found.expected,
        "bins_lower": [one.lower for one in found.ratio],
        "bins_upper": [one.upper for one in found.ratio],
    }
    if "oracle" in scores:
        true = ratios_by_bin(scores["oracle"], scores["model"], groups, seed=seed, n_samples=1)
        metrics["bins_true"] = [one.value for one in true.ratio]
    return metrics


def _interval(label: Flags, score: Floats, measure: Measure, groups: NDArray[np.int64], seed: int) -> list[float]:
    found = with_interval(
        lambda places: measure(label[places], score[places]),
        groups,
        seed=seed,
        is_distance=measure is calibration_error,
    )
    return [_round(one) for one in found]


def _ndcg(drawn: Examples, score: Floats, seed: int) -> list[float]:
    def figure(places: NDArray[np.int64]) -> float:
        request = drawn.request_id[places]
        # A request that was drawn twice counts twice.
        again = np.cumsum(np.concatenate([[0], np.diff(request) != 0])) if request.size else request
        return ndcg(drawn.gave[places], score[places], again)

    return [_round(one) for one in with_interval(figure, drawn.request_id, seed=seed)]


def _round(value: float) -> float:
    return round(float(value), 4)
