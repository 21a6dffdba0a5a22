"""Shifts by district: how much more or less often a region says yes than a model expects.

Most districts are taken to answer as the model learned, and some not: a prior of two groups. In the first nothing is
shifted; in the second the shift is normal around 0, half or twice the odds being two standard deviations. How many
districts belong to the second isn't known before (any share is as probable); the outcomes of all districts say it
together. A district is shifted by the mode of the second group, times the probability that it belongs there: with few
outcomes, or with such as chance gives too, it stays where it is; one that truly differs is shifted nearly by all that
was seen.

Outcomes of one donor hang together, so they count for less than as many of different donors: the likelihood is divided
by how much wider the donors' sums are spread than independent outcomes would be (quasi-likelihood).

References
----------
Two groups: Efron, "Microarrays, empirical Bayes and the two-groups model", Statistical Science 2008. Marginal
likelihood by Laplace's method: Tierney and Kadane, JASA 1986. Dispersion by clusters: Liang and Zeger, Biometrika 1986.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.recalibration import SHIFT_MAX
from smartblood.registry.scorer import logits

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SD = math.log(2) / 2
"""Of the shift where a district differs: 0.35.

So far do centres differ in print: who comes after saying yes is 0.59 in Oslo and 0.50 at Lifeblood, 0.36 apart as
logits; who is sent away at the door 12.6 to 22 % at Indian centres, 0.67 from end to end (domain facts, section 3).
"""

SHARES = np.linspace(0.005, 0.995, 100)
"""Of districts that differ, among which the outcomes choose."""

N_STEPS = 50
LOG_ODDS_MOST = 100.0
"""Surer than this nobody need be; more would overflow."""

DECIMALS = 6


class Shifts(NamedTuple):
    """What was found.

    Parameters
    ----------
    by_code : dict of int to float
        The shift of each district's logits, by its code; districts without outcomes aren't in it.
    share : float
        Of the districts that differ, as all outcomes together have it: its mean.
    dispersion : float
        How much wider the sums of a donor's outcomes are spread than if they were independent; 1 or more.
    """

    by_code: dict[int, float]
    share: float
    dispersion: float


class _Outcomes(NamedTuple):
    """Of one district: what the model says, as logits, and what came of it."""

    logit: Floats
    label: Flags


def shifts_by_district(
    probability: Floats, label: Flags, district: NDArray[np.int8], donor_id: NDArray[np.int64]
) -> Shifts:
    """Find the shift of each district.

    Parameters
    ----------
    probability : ndarray of float64, shape (n,)
        What the model says, 0 to 1.
    label : ndarray of bool, shape (n,)
        What came of it.
    district : ndarray of int8, shape (n,)
        Codes; outcomes of a negative one are left out.
    donor_id : ndarray of int64, shape (n,)
        Whose outcomes they are.
    """
    logit = logits(np.ascontiguousarray(probability))
    of = {int(code): _Outcomes(logit[district == code], label[district == code]) for code in np.unique(district)}
    of = {code: one for code, one in of.items() if code >= 0}
    full = {code: _mode(one, 1.0) for code, one in of.items()}
    dispersion = _dispersion(logit, label, np.array([full.get(int(code), 0.0) for code in district]), donor_id)
    full = {code: _mode(one, dispersion) for code, one in of.items()}
    odds = np.array([_odds_of_differing(one, full[code], dispersion) for code, one in of.items()])
    share, differs = _differing(odds)
    shifts = {code: round(full[code] * float(one), DECIMALS) for code, one in zip(of, differs, strict=True)}
    return Shifts(shifts, round(share, DECIMALS), dispersion)


def _mode(outcomes: _Outcomes, dispersion: float) -> float:
    """Return the most probable shift of a district that differs, by Newton's method: there is one mode."""
    shift = 0.0
    for _ in range(N_STEPS):
        expected = _sigmoid(outcomes.logit + shift)
        slope = float((outcomes.label - expected).sum()) / dispersion - shift / SD**2
        curvature = float((expected * (1 - expected)).sum()) / dispersion + 1 / SD**2
        step = max(-1.0, min(1.0, slope / curvature))
        shift += step
        if abs(step) < 10**-DECIMALS / 10:
            break
    return max(-SHIFT_MAX, min(SHIFT_MAX, shift))


def _odds_of_differing(outcomes: _Outcomes, shift: float, dispersion: float) -> float:
    """Return how many times more probable the outcomes are where the district differs; ``shift`` is the mode."""
    expected = _sigmoid(outcomes.logit + shift)
    information = float((expected * (1 - expected)).sum()) / dispersion
    gained = (_log_likelihood(outcomes, shift) - _log_likelihood(outcomes, 0.0)) / dispersion
    return math.exp(min(gained - shift**2 / (2 * SD**2) - math.log1p(SD**2 * information) / 2, LOG_ODDS_MOST))


def _differing(odds: Floats) -> tuple[float, Floats]:
    """Return the mean share of districts that differ, and for each district how probable it is that it does."""
    of_share = SHARES[:, None] * odds
    both = of_share + 1 - SHARES[:, None]
    weight = np.log(both).sum(axis=1)
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    differs: Floats = weight @ (of_share / both)
    return float(weight @ SHARES), differs


def _log_likelihood(outcomes: _Outcomes, shift: float) -> float:
    logit = outcomes.logit + shift
    return float(-np.logaddexp(0, np.where(outcomes.label, -logit, logit)).sum())


def _dispersion(logit: Floats, label: Flags, shift: Floats, donor_id: NDArray[np.int64]) -> float:
    expected = _sigmoid(logit + shift)
    _, of = np.unique(donor_id, return_inverse=True)
    sums = np.bincount(of, weights=label - expected)
    chance = float((expected * (1 - expected)).sum())
    return round(max(1.0, float(np.square(sums).sum()) / chance), DECIMALS) if chance > 0 else 1.0


def _sigmoid(logit: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-logit))
    return found
