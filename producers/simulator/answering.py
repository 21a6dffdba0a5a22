"""What a donor does who is asked: answer or not, come or not, give or be sent away. From draws, so that it replays.

Both the history, which draws from its generator, and live donors, who draw from a hash of request and donor, answer
by these functions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from producers.simulator.chronicle import CANCELLED, COMPLETED, DEFERRED, NO_SHOW, Donation
from producers.simulator.deferrals import deferral
from producers.simulator.law import deferred_probability
from producers.simulator.population import Flags, Floats, Instants, Population
from producers.simulator.world import HOUR_US, MINUTE_US, World

N_DRAWS = 16
"""Uniform numbers that one alert takes: six for the answer, ten for what comes of a promise."""

UNRETURNED_SHARE = 0.02  # of apheresis donations whose red cells can't be given back. Assumption


class Answers(NamedTuple):
    """Answers to alerts, columns of shape (n,).

    ``accepted`` and ``declined`` are answers within the alert's life, else it expires; ``after_us`` is their delay,
    ``opened_after_us`` that of opening, where ``opened``.
    """

    accepted: Flags
    declined: Flags
    opened: Flags
    after_us: Instants
    opened_after_us: Instants


def answers(world: World, accepts: Floats, median_minutes: Floats, life_us: int, draws: Floats) -> Answers:
    """Answer alerts.

    Parameters
    ----------
    accepts : ndarray of float64, shape (n,)
        P(accepts, however late).
    median_minutes : ndarray of float64, shape (n,)
        Of each donor's time to answer.
    life_us : int
        How long the alerts stand, microseconds.
    draws : ndarray of float64, shape (n, N_DRAWS)
        Uniform, 0 to 1.
    """
    # Box and Muller 1958
    normal = np.sqrt(-2 * np.log1p(-draws[:, 1])) * np.cos(2 * np.pi * draws[:, 2])
    after_us = (median_minutes * MINUTE_US * np.exp(world.answer_spread * normal)).astype(np.int64)
    would, in_time = draws[:, 0] < accepts, after_us < life_us
    accepted = would & in_time
    declined = ~would & in_time & (draws[:, 3] < world.declined_share)
    opened = accepted | declined | (draws[:, 4] < world.opened_share)
    opened_after_us = (np.minimum(after_us, life_us) * (0.3 + 0.65 * draws[:, 5])).astype(np.int64)
    return Answers(accepted, declined, opened, after_us, opened_after_us)


class Promise(NamedTuple):
    """An alert that was accepted; ``row`` is the donor's."""

    row: int
    request_id: int
    accepted_at: int
    required_by: int
    distance_km: float
    component: str

    @property
    def apheresis(self) -> bool:
        """Whether it is for a donation by apheresis."""
        return self.component in {"PLATELETS", "PLASMA"}


class Kept(NamedTuple):
    """What came of a promise; ``arrived_at`` is None for who didn't come."""

    arrived_at: int | None
    donation: Donation


def keep(world: World, people: Population, promise: Promise, draws: Floats) -> Kept:
    """Let a donor who accepted come, or not.

    Parameters
    ----------
    draws : ndarray of float64, shape (N_DRAWS,)
        The alert's draws; its last ten are used.
    """
    shows, cancels, sent_away, reason, unreturned, *rest = draws[6:].tolist()
    times = _visit(world, promise, rest)
    row = promise.row
    component = promise.component if promise.apheresis else "WHOLE_BLOOD"
    returned, item, until = True, "", None
    if shows >= people.hidden.show_up[row]:
        outcome, at = (CANCELLED, times.cancelled_at) if cancels < world.cancelled_share else (NO_SHOW, times.missed_at)
    else:
        at = times.done_at
        outcome = DEFERRED if sent_away < deferred_probability(world, people, np.array([row]))[0] else COMPLETED
        if outcome == DEFERRED:
            item, until = deferral(reason, at, female=people.is_female(row))
        else:
            returned = not promise.apheresis or unreturned >= UNRETURNED_SHARE
    donation = Donation(at, row, outcome, component, promise.request_id, returned, item, until)
    return Kept(times.arrived_at if outcome in {COMPLETED, DEFERRED} else None, donation)


class _Visit(NamedTuple):
    """When what may come of a promise would come, microseconds."""

    arrived_at: int
    done_at: int
    cancelled_at: int
    missed_at: int


def _visit(world: World, promise: Promise, draws: list[float]) -> _Visit:
    """Travel and getting ready, later where the request can wait; always there before ``required_by``."""
    left_us = promise.required_by - promise.accepted_at
    travel_us = promise.distance_km / world.travel_km_per_hour * HOUR_US + (10 + 30 * draws[0]) * MINUTE_US
    wait_us = draws[1] ** 2 * max(left_us - 6 * HOUR_US, 0) * 0.6
    arrived_at = promise.accepted_at + int(min(travel_us + wait_us, 0.9 * left_us))
    return _Visit(
        arrived_at=arrived_at,
        done_at=arrived_at + int(world.on_site_minutes * (0.6 + 0.8 * draws[2]) * MINUTE_US),
        cancelled_at=promise.accepted_at + 1 + int(draws[3] * (arrived_at - promise.accepted_at)),
        missed_at=arrived_at + int((1 + 3 * draws[4]) * HOUR_US),
    )
