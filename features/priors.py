"""What to expect of a donor of whom nothing is known yet, and how events move it.

Each prior is derived here from the numbers that were published; none is chosen.

References
----------
Availability: Bruhin et al., Transfusion 2015. Showing up: Oslo 0.59, Lifeblood 2021 0.50. Time from call to arrival:
the rare-donor registry of GMC Kottayam, 30 to 60 minutes.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Beta(NamedTuple):
    """A Beta distribution of a probability: ``alpha`` successes and ``beta`` failures, as if seen before."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """The expected probability."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def trials(self) -> float:
        """How many trials the prior weighs as much as."""
        return self.alpha + self.beta


class LogNormal(NamedTuple):
    """A log-normal distribution of a time in hours: the mean of its logarithm, and how many answers that weighs."""

    log_hours: float
    weight: float


def beta_of_moments(mean: float, variance: float) -> Beta:
    """Return the Beta with this mean and variance.

    Raises
    ------
    ValueError
        If no Beta has them: ``variance`` must lie between 0 and ``mean * (1 - mean)``.
    """
    trials = mean * (1 - mean) / variance - 1 if variance > 0 else -1.0
    if not (0 < mean < 1 and trials > 0):
        message = f"no Beta has mean {mean} and variance {variance}: give a variance between 0 and mean × (1 - mean)"
        raise ValueError(message)
    return Beta(mean * trials, (1 - mean) * trials)


def beta_of_two_kinds(share: float, one: float, other: float) -> Beta:
    """Return the Beta with the moments of a mixture: ``share`` have probability ``one``, the rest ``other``."""
    mean = share * one + (1 - share) * other
    return beta_of_moments(mean, share * (1 - share) * (one - other) ** 2)


AVAILABILITY = beta_of_two_kinds(0.271, 0.594 + 0.099, 0.058 + 0.058)
"""P(a donor answers, if asked), over donors.

There are two kinds: 27.1 % give at a base rate of 0.594, to which a call adds 0.099, 72.9 % at 0.058, to which it adds
0.058. Whoever is asked was called, so the kinds are at 0.693 and 0.116. Mean 0.271 × 0.693 + 0.729 × 0.116 = 0.2724,
variance 0.271 × 0.729 × 0.577² = 0.0658, which a Beta(0.549, 1.465) has: about two alerts' worth.
"""

RELIABILITY = Beta(AVAILABILITY.trials * (0.59 + 0.50) / 2, AVAILABILITY.trials * (1 - (0.59 + 0.50) / 2))
"""P(a promise is kept), over donors.

The mean is that of the two centres that counted who shows up after accepting, 0.59 and 0.50. Between donors nobody
published a variance (the two means differ by centre, not by donor), so donors are taken to differ here as much as they
do in availability, the one difference between donors that is known: the same 2.01 trials, so Beta(1.097, 0.916).
"""

CANCELLED_SHARE = (1 / 3) / (1 / 3 + 0.10)
"""Of promises that are broken, those that are cancelled: at Lifeblood (2021) a third of who didn't come had cancelled,
and a tenth said nothing."""

RESPONSE_TIME = LogNormal((math.log(0.5) + math.log(1.0)) / 2, 1.0)
"""The median time to answer.

30 to 60 minutes from call to arrival, on a near, trusted list: the middle of the two in logarithms is 42.4 minutes.
An answer comes before an arrival, so this is on the cautious side. It weighs as one answer does (the unit information
prior of Kass and Wasserman, JASA 1995), since the spread between donors isn't known.
"""


def beta_mean_sd(prior: Beta, successes: float, trials: float) -> tuple[float, float]:
    """Return mean and standard deviation of a probability after ``successes`` in ``trials``.

    Parameters
    ----------
    prior : Beta
    successes, trials : float
        0 ≤ successes ≤ trials.
    """
    alpha = prior.alpha + successes
    total = prior.alpha + prior.beta + trials
    mean = alpha / total
    return mean, math.sqrt(mean * (1 - mean) / (total + 1))


def median_hours(prior: LogNormal, sum_of_logs: float, n: float) -> float:
    """Return the median time in hours after ``n`` times whose logarithms (of hours) add up to ``sum_of_logs``."""
    return math.exp((prior.weight * prior.log_hours + sum_of_logs) / (prior.weight + n))
