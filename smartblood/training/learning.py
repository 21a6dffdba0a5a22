"""One model from rows and what came of them: trees, calibration on later examples, the artefact's bytes."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.vectors import FEATURES
from smartblood.registry.manifest import Entry
from smartblood.registry.scorer import TreeScorer, logits, scorer_of
from smartblood.registry.trees import read_trees
from smartblood.registry.writing import artefact_bytes, content_of
from smartblood.training import recipes
from smartblood.training.fitting import fit_calibration, fit_trees

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Lesson(NamedTuple):
    """What one model learns from: rows to fit and later ones to calibrate on, and what came of each."""

    rows: Floats
    label: Flags
    later_rows: Floats
    later_label: Flags

    @property
    def sha256(self) -> str:
        """The digest of all of it, lower-case hex: of the same rows it is the same, wherever they came from."""
        digest = hashlib.sha256()
        for part in self:
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


class Learned(NamedTuple):
    """A model that was fitted: its bytes, what evaluates them, and what to tell of how it came about."""

    artefact: bytes
    scorer: TreeScorer
    calibration: dict[str, Any]
    gains: dict[str, float]


class Trained(NamedTuple):
    """A trained version: its bytes, its line in the manifest, its card."""

    artefact: bytes
    entry: Entry
    card: str


def learn(name: str, version: str, lesson: Lesson, *, seed: int) -> Learned:
    """Fit a model and calibrate it.

    Parameters
    ----------
    name, version : str
    lesson : Lesson
    seed : int
    """
    features, start = FEATURES[name], recipes.START.get(name)
    parameters = recipes.PARAMETERS[name]
    begin = None if start is None else features.index(start)
    first, later = (
        None if begin is None else logits(rows[:, begin].copy()) for rows in (lesson.rows, lesson.later_rows)
    )
    trees = fit_trees(lesson.rows, lesson.label, features, parameters=parameters, seed=seed, start=first)
    raw = read_trees(trees, features).raw_scores(lesson.later_rows)
    calibration, losses = fit_calibration(raw if later is None else raw + later, lesson.later_label)
    content = content_of(name, version, trees, calibration, start)
    told = {"kind": calibration["kind"], "log_loss": {kind: round(loss, 6) for kind, loss in losses.items()}}
    return Learned(
        artefact_bytes(content),
        scorer_of(content, sha256=""),
        told,
        _gains(trees, features),
    )


def _gains(trees: str, features: tuple[str, ...]) -> dict[str, float]:
    """Return the share of each feature in what the splits gained."""
    gain = dict.fromkeys(features, 0.0)
    for block in trees.split("\nTree=")[1:]:
        parts = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
        splits = parts.get("split_feature", "").split()
        for feature, value in zip(splits, parts.get("split_gain", "").split(), strict=True):
            gain[features[int(feature)]] += float(value)
    total = sum(gain.values()) or 1.0
    return {name: round(value / total, 6) for name, value in gain.items()}
