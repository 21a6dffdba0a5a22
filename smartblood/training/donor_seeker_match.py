"""``donor_seeker_match``: P(this donor gives for this request, if asked)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.vectors import MATCH_FEATURES
from producers.simulator import History, World, simulate
from smartblood.registry.manifest import Entry
from smartblood.registry.scorer import TreeScorer, scorer_of
from smartblood.registry.trees import read_trees
from smartblood.registry.writing import artefact_bytes, entry_of
from smartblood.training.card import card_of
from smartblood.training.examples import SETTLED_US, Examples, examples_of
from smartblood.training.fitting import fit_calibration, fit_trees
from smartblood.training.judging import Interval, auc, brier, calibration_error, log_loss, ndcg, with_interval
from smartblood.training.policies import policies, truth_of

NAME = "donor_seeker_match"
Measure = Callable[[NDArray[np.bool_], NDArray[np.float64]], float]

TRAIN_SHARE, CALIBRATE_SHARE = 0.6, 0.2
GAVE_MIN = 20
"""Fewest who gave, in each part: below, neither a calibration nor a figure means anything."""

# Not searched for: small enough to score a thousand rows in a third of a millisecond, with leaves large enough for a
# few per cent of givers. Nearer, more available, more reliable, better matching is never worse.
PARAMETERS: dict[str, Any] = {
    "n_trees": 80,
    "num_leaves": 12,
    "learning_rate": 0.08,
    "min_data_in_leaf": 150,
    "max_bin": 63,
    "lambda_l2": 5.0,
    "monotone_constraints": [1, -1, 1, 0, 1, 0, 0],
    "monotone_constraints_method": "intermediate",
}


class Trained(NamedTuple):
    """A trained version: its bytes, its line in the manifest, its card."""

    artefact: bytes
    entry: Entry
    card: str


@dataclass(frozen=True, slots=True)
class _Parts:
    """Examples by time: fitted on, calibrated on, judged on."""

    train: Examples
    calibrate: Examples
    test: Examples


def train(
    world: World, seed: int, end: int, version: str, *, on_step: Callable[[str], None] = lambda _: None
) -> Trained:
    """Simulate a world up to the instant ``end`` and train on it.

    The same world, seed, end and version give the same bytes.

    Parameters
    ----------
    on_step : callable
        Told what is being done.

    Raises
    ------
    ValueError
        If the world is too small to learn from.
    """
    on_step(f"simulating {world.n_donors:,} donors, {world.history_days} days")
    history = simulate(world, seed, end)
    on_step(f"replaying {history.asks.row.size:,} alerts through the stream's own code")
    examples = examples_of(history.events(with_requests=True))
    examples = examples.take(examples.required_by + SETTLED_US <= history.end)
    parts = _split(examples)
    if min(part.gave.sum() for part in (parts.train, parts.calibrate, parts.test)) < GAVE_MIN:
        message = f"{examples.gave.size} alerts, {examples.gave.sum()} of them given for, are too few to learn from"
        raise ValueError(message)
    on_step(f"fitting on {parts.train.gave.size:,} alerts")
    trees = fit_trees(parts.train.rows, parts.train.gave, MATCH_FEATURES, parameters=PARAMETERS, seed=seed)
    raw = read_trees(trees, MATCH_FEATURES).raw_scores(parts.calibrate.rows)
    calibration, losses = fit_calibration(raw, parts.calibrate.gave, seed)
    artefact = artefact_bytes(NAME, version, trees, calibration)
    scorer = scorer_of(_content(version, trees, calibration), sha256="")
    on_step(f"judging on {parts.test.gave.size:,} later alerts")
    metrics = _judge(scorer, parts.test, history, seed)
    metrics["calibration"] = {"kind": calibration["kind"], "log_loss": _rounded(losses)}
    training_data = _training_data(world, seed, history, parts)
    entry = entry_of(NAME, version, artefact, training_data=training_data, metrics=metrics)
    return Trained(artefact, entry, card_of(entry, PARAMETERS, _gains(trees), len(artefact)))


def _content(version: str, trees: str, calibration: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": NAME,
        "version": version,
        "features": list(MATCH_FEATURES),
        "trees": trees,
        "calibration": calibration,
    }


def _split(examples: Examples) -> _Parts:
    """Cut by time, between requests: what is judged lies after all that was learned from."""
    at = examples.at
    if not at.size:
        return _Parts(examples, examples, examples)
    first, second = np.quantile(at, [TRAIN_SHARE, TRAIN_SHARE + CALIBRATE_SHARE])
    return _Parts(examples.take(at < first), examples.take((at >= first) & (at < second)), examples.take(at >= second))


def _judge(scorer: TreeScorer, test: Examples, history: History, seed: int) -> dict[str, Any]:
    """Compare with the oracle, nearest-first and the predecessor's formula."""
    oracle, at_random = truth_of(test, history)
    scores = policies(scorer, test, oracle)
    base_rate = np.full(test.gave.size, test.gave.mean())
    metrics: dict[str, Any] = {"n_alerts": int(test.gave.size), "n_gave": int(test.gave.sum())}
    for name, score in scores.items():
        metrics[f"auc_{name}"] = _interval(_figure(auc, test, score), test.request_id, seed)
    for figure, measure in (("log_loss", log_loss), ("brier", brier), ("ece", calibration_error)):
        for name in ("model", "oracle"):
            metrics[f"{figure}_{name}"] = _interval(_figure(measure, test, scores[name]), test.request_id, seed)
    metrics["log_loss_base_rate"] = _round(log_loss(test.gave, base_rate))
    metrics["brier_base_rate"] = _round(brier(test.gave, base_rate))
    # Lists drawn at random alone: the others were put in order by distance, or by answers, before anybody was scored.
    drawn = test.take(at_random)
    metrics["n_alerts_drawn_at_random"] = int(drawn.gave.size)
    for name, score in scores.items():
        metrics[f"ndcg10_{name}_drawn_at_random"] = _ndcg_interval(drawn, score[at_random], seed)
    metrics["ece_model_drawn_at_random"] = _round(calibration_error(drawn.gave, scores["model"][at_random]))
    return metrics


def _figure(measure: Measure, test: Examples, score: NDArray[np.float64]) -> Callable[[NDArray[np.int64]], float]:
    def figure(places: NDArray[np.int64]) -> float:
        return measure(test.gave[places], score[places])

    return figure


def _ndcg_interval(drawn: Examples, score: NDArray[np.float64], seed: int) -> list[float]:
    def figure(places: NDArray[np.int64]) -> float:
        request = drawn.request_id[places]
        # A request that was drawn twice counts twice.
        again = np.cumsum(np.concatenate([[0], np.diff(request) != 0])) if request.size else request
        return ndcg(drawn.gave[places], score[places], again)

    return _interval(figure, drawn.request_id, seed)


def _interval(figure: Callable[[NDArray[np.int64]], float], groups: NDArray[np.int64], seed: int) -> list[float]:
    found: Interval = with_interval(figure, groups, seed=seed)
    return [_round(found.value), _round(found.lower), _round(found.upper)]


def _training_data(world: World, seed: int, history: History, parts: _Parts) -> dict[str, Any]:
    return {
        "source": "the project's simulator; no real donor",
        "n_donors": world.n_donors,
        "days": world.history_days,
        "seed": seed,
        "ends_at": history.end,
        "n_alerts_train": int(parts.train.gave.size),
        "n_alerts_calibrate": int(parts.calibrate.gave.size),
        "n_alerts_test": int(parts.test.gave.size),
        "gave_share_train": _round(float(parts.train.gave.mean())),
        "policies": dict(world.policy_share),
    }


def _gains(trees: str) -> dict[str, float]:
    """Return the share of each feature in what the splits gained."""
    gain = dict.fromkeys(MATCH_FEATURES, 0.0)
    for block in trees.split("\nTree=")[1:]:
        fields = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
        splits = fields.get("split_feature", "").split()
        for feature, value in zip(splits, fields.get("split_gain", "").split(), strict=True):
            gain[MATCH_FEATURES[int(feature)]] += float(value)
    total = sum(gain.values()) or 1.0
    return {name: _round(value / total) for name, value in gain.items()}


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: _round(value) for name, value in values.items()}


def _round(value: float) -> float:
    return round(float(value), 5)
