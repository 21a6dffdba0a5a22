"""Scoring runs of a batch: each version of a model scores the rows of the requests that it answers, in one call.

One call for all, since one row a call costs ten times as much as many rows a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.scoring import Scorer

SCORE_DECIMALS = 6


class Scoring(NamedTuple):
    """What one version scored in a batch: how many rows, in how many seconds."""

    scorer: Scorer
    n_rows: int
    seconds: float


class Runs:
    """The scoring runs of one batch.

    Parameters
    ----------
    timer : callable
        Returns seconds of a monotonic clock.

    Attributes
    ----------
    scorings : list of Scoring
        One for each version that scored anything.
    """

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self.scorings: list[Scoring] = []

    def scores(
        self, answering: Sequence[Scorer], request: NDArray[np.int64], rows: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the score of each row by the version that answers its request, to 6 decimals.

        Parameters
        ----------
        answering : sequence of Scorer
            The version of one model that answers each request of the batch.
        request : ndarray of int64, shape (n,)
            Each row's request, by its place in the batch.
        rows : ndarray of float64, shape (n, n_features)
        """
        versions = list(dict.fromkeys(answering))
        if len(versions) <= 1:
            return self.by(versions[0], rows) if versions else np.empty(0)
        number = np.array([versions.index(one) for one in answering], np.int64)[request]
        scores = np.empty(len(rows))
        for i, scorer in enumerate(versions):
            places = np.flatnonzero(number == i)
            scores[places] = self.by(scorer, rows[places])
        return scores

    def by(self, scorer: Scorer, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of rows by one version, to 6 decimals."""
        if len(rows) == 0:
            return np.empty(0)
        begun_s = self._timer()
        scores = scorer.predict(rows)
        self._note(Scoring(scorer, len(rows), self._timer() - begun_s))
        return np.round(scores, SCORE_DECIMALS)

    def _note(self, more: Scoring) -> None:
        for i, one in enumerate(self.scorings):
            if one.scorer is more.scorer:
                self.scorings[i] = Scoring(one.scorer, one.n_rows + more.n_rows, one.seconds + more.seconds)
                return
        self.scorings.append(more)
