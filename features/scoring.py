"""What the core asks of a model: numbers in, probabilities out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class ModelRefusedError(ValueError):
    """A version of a model can't be used: {reason}."""


class Model(Protocol):
    """A trained model behind its digest; how it was read is the registry's business."""

    @property
    def name(self) -> str:
        """The key of the model, such as ``donor_seeker_match``."""

    @property
    def version(self) -> str:
        """The version."""

    @property
    def sha256(self) -> str:
        """The digest of the artefact, lower-case hex."""


class Scorer(Model, Protocol):
    """A model of donors."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns that ``predict`` takes, in order."""

    @property
    def districts(self) -> Mapping[str, float]:
        """Shifts of the scores' logits by the request's district, none unless it was recalibrated.

        ``predict`` knows nothing of them: see ``features.recalibration``.
        """

    def predict(self, rows: FloatArray) -> FloatArray:
        """Score rows, each by itself: what else is in the call changes no row's score.

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_features)

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            Calibrated probabilities, 0 to 1, not rounded; as learned, without shifts.
        """


class Panel(NamedTuple):
    """One version of each model of donors: whoever answers a request together.

    Parameters
    ----------
    match : Scorer
        P(gives for this request, if asked).
    availability : Scorer
        P(says yes, if asked at an instant).
    reliability : Scorer
        P(keeps a promise).
    response_time : Scorer
        P(answers in the next stretch of time, not having answered before).
    """

    match: Scorer
    availability: Scorer
    reliability: Scorer
    response_time: Scorer
