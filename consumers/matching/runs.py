"""Scoring runs of a batch: each version of a model scores the rows of the requests that it answers, in one call.

One call for all, since one row a call costs ten times as much as many rows a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.recalibration import shifted, shifts_of
from features.scoring import Scorer

SCORE_DECIMALS = 6


class NoScoreError(ArithmeticError):
    """A version gives a row no finite score: its failure on that record, which nobody is to be matched by."""


class Scoring(NamedTuple):
    """What one version scored in a batch: how many rows, in how many seconds."""

    scorer: Scorer
    n_rows: int
    seconds: float


class Said(NamedTuple):
    """What one model says of rows, to 6 decimals; both of shape (n,).

    Parameters
    ----------
    learned : ndarray of float64
        As it learned it: what another model that hears it has heard in training.
    told : ndarray of float64
        Recalibrated for the request's district; the same where nothing shifts it.
    """

    learned: NDArray[np.float64]
    told: NDArray[np.float64]


NOTHING = Said(np.empty(0), np.empty(0))


class Runs:
    """The scoring runs of one batch.

    Parameters
    ----------
    timer : callable
        Returns seconds of a monotonic clock.
    districts : sequence of str
        Of the requests of the batch.

    Attributes
    ----------
    scorings : list of Scoring
        One for each version that scored anything.
    """

    def __init__(self, timer: Callable[[], float], districts: Sequence[str]) -> None:
        self._timer = timer
        self._districts = districts
        self._shifts: dict[Scorer, NDArray[np.float64] | None] = {}
        self.scorings: list[Scoring] = []

    def scores(self, answering: Sequence[Scorer], request: NDArray[np.int64], rows: NDArray[np.float64]) -> Said:
        """Return the score of each row by the version that answers its request.

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
            return self.by(versions[0], request, rows) if versions else NOTHING
        number = np.array([versions.index(one) for one in answering], np.int64)[request]
        said = Said(np.empty(len(rows)), np.empty(len(rows)))
        for i, scorer in enumerate(versions):
            places = np.flatnonzero(number == i)
            for column, of_version in zip(said, self.by(scorer, request[places], rows[places]), strict=True):
                column[places] = of_version
        return said

    def by(self, scorer: Scorer, request: NDArray[np.int64], rows: NDArray[np.float64]) -> Said:
        """Return the scores of rows by one version; ``request`` as in ``scores``.

        Raises
        ------
        NoScoreError
            If one of them is no finite number.
        """
        if len(rows) == 0:
            return NOTHING
        begun_s = self._timer()
        scores = scorer.predict(rows)
        if not np.isfinite(scores).all():
            message = f"{scorer.name} {scorer.version} gives a row no finite score"
            raise NoScoreError(message)
        learned = told = np.round(scores, SCORE_DECIMALS)
        shifts = self._shift(scorer)
        if shifts is not None:
            told = np.round(shifted(scores, shifts[request]), SCORE_DECIMALS)
        self._note(Scoring(scorer, len(rows), self._timer() - begun_s))
        return Said(learned, told)

    def _shift(self, scorer: Scorer) -> NDArray[np.float64] | None:
        if scorer not in self._shifts:
            self._shifts[scorer] = shifts_of(scorer.districts, self._districts)
        return self._shifts[scorer]

    def _note(self, more: Scoring) -> None:
        for i, one in enumerate(self.scorings):
            if one.scorer is more.scorer:
                self.scorings[i] = Scoring(one.scorer, one.n_rows + more.n_rows, one.seconds + more.seconds)
                return
        self.scorings.append(more)
