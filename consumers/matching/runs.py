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


class Scoring(NamedTuple):
    """What one version scored in a batch: how many rows, in how many seconds; and why it failed, where it did."""

    scorer: Scorer
    n_rows: int
    seconds: float
    error: str | None = None


class ScoringFailedError(Exception):
    """A version could not score rows: {its error}.

    Parameters
    ----------
    scoring : Scoring
        The run that failed. Its error is one line, and quotes no row.
    """

    def __init__(self, scoring: Scoring) -> None:
        super().__init__(f"{scoring.scorer.name} {scoring.scorer.version}: {scoring.error}")
        self.scoring = scoring


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
        ScoringFailedError
            If the version raises, or says what is no number.
        """
        if len(rows) == 0:
            return NOTHING
        begun_s = self._timer()
        scores = self._predicted(scorer, rows, begun_s)
        learned = told = np.round(scores, SCORE_DECIMALS)
        shifts = self._shift(scorer)
        if shifts is not None:
            told = np.round(shifted(scores, shifts[request]), SCORE_DECIMALS)
        self._note(Scoring(scorer, len(rows), self._timer() - begun_s))
        return Said(learned, told)

    def watched(self, scorer: Scorer, request: NDArray[np.int64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of rows by a version that only watches; NaN for requests of which it can't score all rows.

        Nobody's answer hangs on it. Requests are scored one by one where it fails on all together, so that what it says
        of one doesn't depend on which others are in the batch.
        """
        try:
            return self.by(scorer, request, rows).told
        except ScoringFailedError:
            told = np.full(len(rows), np.nan)
        for one in np.unique(request):
            places = np.flatnonzero(request == one)
            try:
                told[places] = self.by(scorer, request[places], rows[places]).told
            except ScoringFailedError as error:
                self._note(error.scoring)
        return told

    def _predicted(self, scorer: Scorer, rows: NDArray[np.float64], begun_s: float) -> NDArray[np.float64]:
        def failed(why: str) -> ScoringFailedError:
            return ScoringFailedError(Scoring(scorer, len(rows), self._timer() - begun_s, why))

        try:
            scores = scorer.predict(rows)
        except Exception as error:  # whatever a version's code raises, its run failed
            raise failed(type(error).__name__) from error
        if not np.isfinite(scores).all():
            why = "it says what is no number"
            raise failed(why)
        return scores

    def _shift(self, scorer: Scorer) -> NDArray[np.float64] | None:
        if scorer not in self._shifts:
            self._shifts[scorer] = shifts_of(scorer.districts, self._districts)
        return self._shifts[scorer]

    def _note(self, more: Scoring) -> None:
        for i, one in enumerate(self.scorings):
            if one.scorer is more.scorer:
                n_rows, seconds = one.n_rows + more.n_rows, one.seconds + more.seconds
                self.scorings[i] = Scoring(one.scorer, n_rows, seconds, one.error or more.error)
                return
        self.scorings.append(more)
