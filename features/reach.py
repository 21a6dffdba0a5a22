"""How far, and whom: the rings of a request, the counts within them, and the donors whom the model is to score.

The rules are here, as settings; the kernels that walk over the index are in ``features.search``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.index.donor_index import DonorIndex
from features.question import Askable, Limits, Question
from features.search import search

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


@dataclass(frozen=True, slots=True)
class ReachRules:
    """Rings and factors; contracts section 1, *How far* and *Who is in a list*. All are settings.

    Parameters
    ----------
    rings_km : tuple of float
        Tried in turn until enough donors may be asked.
    ring_km_critical : float
        Last ring of a CRITICAL request.
    wide_rings_km : tuple of float
        Tried after the last ring where fewer donors than units may be asked.
    askable_factor : int
        Enough is this factor × ``top_k``.
    top_k_open : int
        Stands for ``top_k`` where the request leaves it open; no list is longer then.
    top_k_open_enough : int
        Askable donors that are enough then.
    n_scored_min : int
        Donors of a class that the model scores at least, where there are so many.
    promise_us, asking_us : int
        How long a promise to another request, and an asking for this one, count; microseconds.
    """

    rings_km: tuple[float, ...] = (5.0, 10.0, 20.0, 35.0, 50.0)
    ring_km_critical: float = 35.0
    wide_rings_km: tuple[float, ...] = (100.0, 250.0)
    askable_factor: int = 2
    top_k_open: int = 200
    top_k_open_enough: int = 200
    n_scored_min: int = 256
    promise_us: int = DAY_US
    asking_us: int = 7 * DAY_US

    def n_wanted(self, top_k: int | None) -> int:
        """Return how long the list may be at most."""
        return self.top_k_open if top_k is None else top_k

    def n_enough(self, top_k: int | None) -> int:
        """Return how many askable donors end the search."""
        return self.top_k_open_enough if top_k is None else self.askable_factor * top_k

    def n_scored(self, top_k: int | None) -> int:
        """Return how many donors of a class the model scores, where there are so many."""
        return max(2 * self.n_wanted(top_k), self.n_scored_min)


class Found(NamedTuple):
    """Who was found, and how far it was looked.

    Parameters
    ----------
    reach_km : float
    n_considered, n_compatible, n_eligible : int
        Counts within ``reach_km``.
    n_askable_of_class : ndarray of int64, shape (11,)
        Askable donors within ``reach_km`` by preference class.
    n_askable : int
        All of them.
    to_score : Askable
        Of each class that the list reaches, the best by the cut, unordered.
    everybody : Askable or None
        All askable donors within reach, where that was wanted.
    """

    reach_km: float
    n_considered: int
    n_compatible: int
    n_eligible: int
    n_askable_of_class: NDArray[np.int64]
    n_askable: int
    to_score: Askable
    everybody: Askable | None


class Reach:
    """Searches an index by the rules of reach.

    Parameters
    ----------
    index : DonorIndex
    rules : ReachRules
    """

    def __init__(self, index: DonorIndex, rules: ReachRules) -> None:
        self._index = index
        self._rules = rules
        self._rings = {critical: _rings(rules, critical=critical) for critical in (False, True)}
        self._askable = Askable(np.empty(1 << 12, np.int32), np.empty(1 << 12), np.empty(1 << 12, np.int8))

    def find(
        self, question: Question, *, critical: bool, top_k: int | None, units: int, everybody: bool = False
    ) -> Found:
        """Find whom to score for one request.

        Parameters
        ----------
        question : Question
        critical : bool
            Whether the request is CRITICAL.
        top_k : int or None
            As the request has it.
        units : int
            Units required.
        everybody : bool
            Whether all askable donors are wanted too, not only those to score.
        """
        rules = self._rules
        n_rings, rings_km = self._rings[critical]
        limits = Limits(
            rings_km=rings_km,
            n_rings=n_rings,
            n_enough=rules.n_enough(top_k),
            n_enough_wide=units,
            n_wanted=rules.n_wanted(top_k),
            n_scored=rules.n_scored(top_k),
            promised_since=question.at - rules.promise_us,
            asked_since=question.at - rules.asking_us,
        )
        reach_km, tally, self._askable, n_askable, picks = search(self._index.view, question, limits, self._askable)
        return Found(
            float(reach_km),
            int(tally.counts[0]),
            int(tally.counts[1]),
            int(tally.counts[2]),
            tally.of_class,
            int(n_askable),
            self._taken(picks),
            self._taken(np.arange(n_askable)) if everybody else None,
        )

    def _taken(self, picks: NDArray[np.int64]) -> Askable:
        """Copy out of the room, which the next search writes over."""
        row, km, preference = self._askable
        return Askable(row[picks], km[picks], preference[picks])


def _rings(rules: ReachRules, *, critical: bool) -> tuple[int, NDArray[np.float64]]:
    """Return how many rings there are, and after them the wide ones, in kilometres."""
    rings = [ring for ring in rules.rings_km if not critical or ring <= rules.ring_km_critical]
    return len(rings), np.array([*rings, *rules.wide_rings_km])
