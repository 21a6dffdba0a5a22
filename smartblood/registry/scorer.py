"""A calibrated ensemble of trees behind the core's ``Scorer``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.districts import DISTRICT_NAMES
from features.recalibration import SHIFT_MAX, shifted
from smartblood.registry.trees import Trees, UnreadableTreesError, read_trees

BETA, ISOTONIC = "beta", "isotonic"


class TreeScorer:
    """A trained model.

    Parameters
    ----------
    name, version, sha256 : str
        What it is.
    features : tuple of str
        Names of the columns that ``predict`` takes.
    trees : Trees
        Their sum is the raw score: a logit that isn't calibrated.
    calibration : Calibration
        What makes a probability of it.
    start : int, optional
        The column whose logit the trees add to: a probability that they refine.
    districts : mapping of str to float, optional
        Shifts of the logits by the request's district; for whoever asks, ``predict`` leaves them out.

    Raises
    ------
    UnreadableTreesError
        If a shift is of no district, or no finite number within ``SHIFT_MAX``.
    """

    def __init__(  # noqa: PLR0913 - what an artefact holds
        self,
        name: str,
        version: str,
        sha256: str,
        features: tuple[str, ...],
        trees: Trees,
        calibration: Calibration,
        *,
        start: int | None = None,
        districts: Mapping[str, float] | None = None,
    ) -> None:
        _check_shifts(districts or {})
        self._name = name
        self._version = version
        self._sha256 = sha256
        self._features = features
        self._trees = trees
        self._calibration = calibration
        self._start = start
        self._districts = MappingProxyType(dict(districts or {}))

    @property
    def name(self) -> str:
        """The key of the model."""
        return self._name

    @property
    def version(self) -> str:
        """The version."""
        return self._version

    @property
    def sha256(self) -> str:
        """The digest of the artefact, lower-case hex."""
        return self._sha256

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns that ``predict`` takes, in order."""
        return self._features

    @property
    def districts(self) -> Mapping[str, float]:
        """Shifts of the scores' logits by the request's district."""
        return self._districts

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score rows, each by itself: what else is in the call changes no row's score.

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_features)

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            Calibrated probabilities, 0 to 1, not rounded; as learned, without shifts.

        Raises
        ------
        ValueError
            If the rows have another number of columns.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self._features):
            message = f"{self._name} takes rows of {len(self._features)} columns, not of shape {rows.shape}"
            raise ValueError(message)
        raw = self._trees.raw_scores(rows)
        if self._start is not None:
            raw = raw + logits(np.ascontiguousarray(rows[:, self._start]))
        return self._calibration.probabilities(raw)

    def try_out(self) -> None:
        """Score a row of nothing, and one of which only that is known from which the trees start.

        Compiles what isn't yet, so that the first request doesn't wait for it.

        Raises
        ------
        UnreadableTreesError
            If the scores are no probabilities.
        """
        rows = np.stack([np.zeros(len(self._features)), np.full(len(self._features), np.nan)])
        if self._start is not None:
            rows[1, self._start] = 0.5  # always known: a rate with its prior
        scores = self.predict(rows)
        told = np.concatenate([scores, shifted(scores, np.ones(len(rows)))])
        if not ((told >= 0) & (told <= 1)).all():
            message = "it gives scores that are no probabilities"
            raise UnreadableTreesError(message)


def _check_shifts(districts: Mapping[str, float]) -> None:
    for district, shift in districts.items():
        if district not in DISTRICT_NAMES or not isinstance(shift, float) or not abs(shift) <= SHIFT_MAX:
            message = f"a recalibration shifts {str(district)[:80]!r} by {shift!r}"
            raise UnreadableTreesError(message)


class Calibration:
    """From raw scores to probabilities, in a way that never turns an order round.

    Parameters
    ----------
    parameters : mapping
        ``{"kind": "beta", "a": …, "b": …, "c": …}``: logit of the probability is a·ln p − b·ln(1 − p) + c, with p the
        sigmoid of the raw score; or ``{"kind": "isotonic", "raw": […], "probability": […]}``: straight lines between
        these points, and level beyond them.

    Raises
    ------
    UnreadableTreesError
        If the parameters are none of these, or turn an order round.

    References
    ----------
    Kull, Silva Filho and Flach, "Beta calibration", AISTATS 2017.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        kind = parameters.get("kind")
        self._points: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        if kind == BETA:
            self._beta = _numbers([parameters["a"], parameters["b"], parameters["c"]])
            if self._beta[0] < 0 or self._beta[1] < 0:
                message = "a calibration turns an order round"
                raise UnreadableTreesError(message)
        elif kind == ISOTONIC:
            raw, probability = _numbers(parameters["raw"]), _numbers(parameters["probability"])
            if raw.size != probability.size or raw.size < 1 or (np.diff(raw) <= 0).any() or _falls(probability):
                message = "a calibration's points don't go up from 0 to 1"
                raise UnreadableTreesError(message)
            self._points = (raw, probability)
        else:
            message = f"calibration {kind!r} isn't known"
            raise UnreadableTreesError(message)

    def probabilities(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated probabilities of raw scores, both of shape (n,)."""
        if self._points is None:
            calibrated: NDArray[np.float64] = _beta_calibrated(raw, *self._beta.tolist())
            return calibrated
        return np.interp(raw, *self._points)


def _numbers(values: Sequence[float]) -> NDArray[np.float64]:
    numbers = np.array(values, np.float64)
    if not np.isfinite(numbers).all():
        message = "a calibration isn't finite"
        raise UnreadableTreesError(message)
    return numbers


def _falls(probability: NDArray[np.float64]) -> bool:
    return bool((np.diff(probability) < 0).any() or probability[0] < 0 or probability[-1] > 1)


@njit(cache=True, nogil=True)
def _beta_calibrated(raw: NDArray[np.float64], a: float, b: float, c: float) -> NDArray[np.float64]:
    # One number after the other, so that no row's last bit hangs on where in the array it lies.
    probabilities = np.empty(raw.size, np.float64)
    for i in range(raw.size):
        # ln p and ln(1 - p) of p = 1 / (1 + exp(-raw)), without losing either at the ends
        rest = math.log1p(math.exp(-abs(raw[i])))
        log_p, log_not_p = min(raw[i], 0.0) - rest, -max(raw[i], 0.0) - rest
        logit = a * log_p - b * log_not_p + c
        if logit >= 0:
            probabilities[i] = 1 / (1 + math.exp(-logit))
        else:
            probabilities[i] = math.exp(logit) / (1 + math.exp(logit))
    return probabilities


@njit(cache=True, nogil=True)
def logits(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logit of each probability, 30 at most either way; shape (n,)."""
    found = np.empty(probabilities.size, np.float64)
    for i in range(probabilities.size):
        p = min(max(probabilities[i], 1e-13), 1 - 1e-13)
        found[i] = math.log(p) - math.log1p(-p)
    return found


def scorer_of(content: Mapping[str, Any], *, sha256: str) -> TreeScorer:
    """Return the scorer that an artefact's content describes.

    Parameters
    ----------
    content : mapping
        Plain data: ``name``, ``version``, ``features``, ``trees`` (LightGBM's text), ``calibration``; where the trees
        refine one of the features its name as ``start``; where it was recalibrated a shift by district as
        ``districts``.

    Raises
    ------
    UnreadableTreesError
        If it describes none.
    """
    try:
        features, start = tuple(content["features"]), content.get("start")
        if start is not None and start not in features:
            message = f"it starts from {start!r}, which is none of its features"
            raise UnreadableTreesError(message)
        return TreeScorer(
            content["name"],
            content["version"],
            sha256,
            features,
            read_trees(content["trees"], features),
            Calibration(content["calibration"]),
            start=None if start is None else features.index(start),
            districts=content.get("districts"),
        )
    except (AttributeError, KeyError, TypeError) as error:
        message = f"{type(error).__name__}: {error}"
        raise UnreadableTreesError(message) from error
