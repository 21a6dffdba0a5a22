"""What hospitals ask for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from features.compatibility import GROUPS, is_rhd_positive
from features.districts import DISTRICTS
from features.local_time import local_day, start_of_day
from producers.simulator.law import URGENCIES
from producers.simulator.population import Instants, draw_groups
from producers.simulator.published import EventIds, Published
from producers.simulator.towns import TOWNS
from producers.simulator.world import DAY_US, HOUR_US, World
from schemas.records import Event

SECOND_US = 1_000_000

# How long hospitals can wait, hours from and to, by urgency, LOW to CRITICAL. Assumption.
_WAIT_HOURS = ((72.0, 240.0), (24.0, 72.0), (6.0, 24.0), (2.0, 6.0))

# Requests by local hour, as the offices of a hospital and its emergency room keep them. Assumption.
_HOUR_WEIGHT = np.array([2, 1, 1, 1, 1, 2, 3, 5, 8, 10, 11, 10, 9, 8, 8, 8, 7, 7, 6, 6, 5, 4, 3, 3], float)


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests in columns, one entry a request, in order of time.

    ``hospital`` holds places in ``TOWNS``, ``group`` codes of the schema's BloodGroup, ``urgency`` 0 LOW to 3
    CRITICAL; ``event`` is the whole event without its id.
    """

    at: Instants
    required_by: Instants
    hospital: NDArray[np.int64]
    group: NDArray[np.int8]
    urgency: NDArray[np.int64]
    event: list[dict[str, object]]


class RequestSource:
    """Draws requests of a world.

    Parameters
    ----------
    world : World
    rng : Generator
        All that is drawn is drawn from it.
    first_request_id : int
        Ids go up from it by one.
    top_k : int, optional
        What every request says of its ``top_k``.
    """

    def __init__(self, world: World, rng: Generator, *, first_request_id: int = 1, top_k: int | None = None) -> None:
        self._world = world
        self._rng = rng
        self._ids = EventIds(rng.spawn(1)[0])
        self._next_id = first_request_id
        self._top_k = top_k
        people = {district.name: district.population for district in DISTRICTS}
        of_district: dict[str, float] = {}
        for town in TOWNS:
            of_district[town.district] = of_district.get(town.district, 0.0) + town.weight
        weight = np.array([people[town.district] * town.weight / of_district[town.district] for town in TOWNS])
        self._hospital_share = weight / weight.sum()

    def draw(self, at: Instants) -> Requests:
        """Draw a request for each instant of ``at``, which go up; microseconds, shape (n,)."""
        rng, world, n = self._rng, self._world, at.size
        hospital = rng.choice(len(TOWNS), n, p=self._hospital_share)
        group = draw_groups(world, rng, n)
        group[rng.random(n) < world.patient_group_unknown_share] = 0
        urgency = rng.choice(4, n, p=[share for _, share in world.urgency_share])
        span = np.array(_WAIT_HOURS)[urgency]
        wait_us = (rng.uniform(span[:, 0], span[:, 1]) * HOUR_US).astype(np.int64)
        requests = Requests(at, at + wait_us, hospital, group, urgency, [])
        requests.event.extend(self._events(requests))
        self._next_id += n
        return requests

    def publish(self, requests: Requests) -> Iterator[Published]:
        """Give out ``requests`` as events, each with an id."""
        for event in requests.event:
            yield published_request({"event_id": next(self._ids), **event})

    def _events(self, requests: Requests) -> Iterator[dict[str, object]]:
        rng, world, n = self._rng, self._world, requests.at.size
        component = _choose(rng, world.component_share, n)
        kind = _choose(rng, world.request_type_share, n)
        units = np.minimum(rng.geometric(1 / world.units_mean, n), world.units_most).tolist()
        female = rng.random(n) < 0.5
        # Children, women of childbearing age, the old: assumption.
        age = np.where(rng.random(n) < 0.2, rng.integers(0, 18, n), rng.integers(18, 90, n)).tolist()
        anti_d = (rng.random(n) < world.patient_anti_d_share).tolist()
        signed_off = (rng.random(n) < world.sign_off_share).tolist()
        columns = (requests.at, requests.required_by, requests.hospital, requests.group, requests.urgency)
        facts = zip(*(column.tolist() for column in columns), strict=True)
        for i, (at, required_by, hospital, group, urgency) in enumerate(facts):
            town = TOWNS[hospital]
            stock = kind[i] == "STOCK"
            yield {
                "occurred_at": at,
                "request_id": self._next_id + i,
                "hospital_id": hospital + 1,
                "blood_group": GROUPS[group],
                "component": component[i],
                "units_required": units[i],
                "urgency": URGENCIES[urgency],
                "required_by": required_by,
                "request_type": kind[i],
                "district": town.district,
                "latitude": town.latitude,
                "longitude": town.longitude,
                "patient_sex": "UNKNOWN" if stock else ("FEMALE" if female[i] else "MALE"),
                "patient_age": None if stock else age[i],
                "patient_anti_d": anti_d[i] and group != 0 and not is_rhd_positive(GROUPS[group]),
                "clinician_sign_off": signed_off[i],
                "top_k": self._top_k,
            }


def requests(
    world: World,
    seed: int,
    start: int,
    rate: float | None = None,
    *,
    first_request_id: int = 1,
    top_k: int | None = None,
) -> Iterator[Published]:
    """Give out requests without end.

    Parameters
    ----------
    start : int
        Instant from which they occur, microseconds.
    rate : float, optional
        Requests a second, evenly; without it the world's own number a day, by the hours of a hospital.
    """
    rng = default_rng([seed, abs(start), 2])
    source = RequestSource(world, rng, first_request_id=first_request_id, top_k=top_k)
    for block in count():
        if rate is None:
            from_at = start_of_day(local_day(start)) + block * DAY_US
            at = instants_of_days(rng, from_at, 1, world.requests_per_day)
            at = at[at >= start]
        else:
            at = start + ((block * 256 + np.arange(256)) * (SECOND_US / rate)).astype(np.int64)
        yield from source.publish(source.draw(at))


def instants_of_days(rng: Generator, first: int, n_days: int, a_day: float) -> Instants:
    """Draw the instants of requests on ``n_days`` local days from the instant ``first`` on, going up.

    Poisson with ``a_day`` a day on average, by the hours of a hospital.
    """
    n = int(rng.poisson(a_day * n_days))
    day = rng.integers(0, n_days, n)
    hour = rng.choice(24, n, p=_HOUR_WEIGHT / _HOUR_WEIGHT.sum())
    within = rng.integers(0, HOUR_US, n)
    return np.sort(first + day * DAY_US + hour * HOUR_US + within)


def published_request(event: Event) -> Published:
    """Return the event as its topic takes it."""
    return Published("blood-request-created", str(event["request_id"]), event, math.ceil(event["occurred_at"] / 1000))


def moved(request: Published, at: int) -> Published:
    """Return ``request`` as if it had been made at the instant ``at``, with as much time left."""
    event = request.event
    wait_us = event["required_by"] - event["occurred_at"]
    return published_request({**event, "occurred_at": at, "required_by": at + wait_us})


def _choose(rng: Generator, shares: tuple[tuple[str, float], ...], n: int) -> list[str]:
    names = [name for name, _ in shares]
    return [names[place] for place in rng.choice(len(names), n, p=[share for _, share in shares]).tolist()]
