"""Two years in the life of a world: who joins, gives, is asked, answers, comes and is sent away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from features.geo import distance_km
from features.local_time import local_day, start_of_day
from producers.simulator.asking import Asking, Asks
from producers.simulator.chronicle import COMPLETED, DEFERRED, UNASKED, Chronicle, Donation, first_profile
from producers.simulator.deferrals import deferral
from producers.simulator.diary import Diary
from producers.simulator.law import deferred_probability
from producers.simulator.population import NEVER, Population, settle
from producers.simulator.published import EventIds, Published
from producers.simulator.requests import Requests, RequestSource, instants_of_days
from producers.simulator.towns import TOWNS
from producers.simulator.world import DAY_US, HOUR_US, MINUTE_US, World

REACH_KM = 50.0
FIRST_HOUR, N_HOURS = 9, 8
"""Blood centres take whoever comes unasked from 9 to 17 o'clock."""


@dataclass(frozen=True, slots=True)
class History:
    """What happened in a world.

    Parameters
    ----------
    world, seed, end
        As simulated.
    people : Population
        With what is hidden of them.
    diary : Diary
        As of ``end``.
    requests : Requests
        Those for which somebody was asked.
    asks : Asks
        Who was asked, and how probable it really was that they gave: the oracle. Never to be shown to a model.
    """

    world: World
    seed: int
    start: int
    end: int
    people: Population
    diary: Diary
    requests: Requests
    asks: Asks
    chronicle: Chronicle
    source: RequestSource

    def events(self, *, with_requests: bool = False) -> Iterator[Published]:
        """Give out the donors' events in order of time; the requests among them where wanted."""
        told = self.chronicle.tell(EventIds(default_rng([self.seed, abs(self.start), 3])), self.end)
        if not with_requests:
            return told
        return merge(self.source.publish(self.requests), told, key=_occurred_at)


def _occurred_at(published: Published) -> int:
    at: int = published.event["occurred_at"]
    return at


def simulate(world: World, seed: int, end: int, *, on_day: Callable[[int, int], None] | None = None) -> History:
    """Let ``world.history_days`` days go by until the instant ``end``, microseconds.

    The same world, seed and end give the same history.

    Parameters
    ----------
    on_day : callable, optional
        Called after each day with the number of days done and of all days.
    """
    first_day = local_day(end) - world.history_days
    start = start_of_day(first_day)
    rng = default_rng([seed, 1])
    people = settle(world, rng, start, end)
    chronicle = Chronicle(people, start)
    diary = Diary.of(people)
    days = _Days(world, rng, people, diary, chronicle)

    source = RequestSource(world, rng.spawn(1)[0])
    n_asked = world.n_donors * world.alerts_per_donor_year / 365 / world.alerts_per_request
    at = instants_of_days(rng, start, world.history_days, n_asked)
    requests = source.draw(at[at < end])
    asking = Asking(world, rng, people, diary, chronicle, _near(people))

    day_of = local_day(requests.at)
    first_of = np.searchsorted(day_of, first_day + np.arange(world.history_days + 1))
    for day in range(world.history_days):
        days.live(start + day * DAY_US)
        for place in range(first_of[day], first_of[day + 1]):
            asking.ask(requests, place)
        if on_day is not None:
            on_day(day + 1, world.history_days)
    return History(world, seed, start, end, people, diary, requests, asking.asks(), chronicle, source)


def _near(people: Population) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """For each town the rows of donors within reach of its hospital, nearest first, and their kilometres."""
    near = []
    for town in TOWNS:
        km = distance_km(town.latitude, town.longitude, people.latitude, people.longitude)
        rows = np.flatnonzero(km <= REACH_KM)
        rows = rows[np.argsort(km[rows], kind="stable")]
        near.append((rows, km[rows]))
    return near


class _Days:
    """What donors do unasked: join, give, go away."""

    def __init__(self, world: World, rng: Generator, people: Population, diary: Diary, chronicle: Chronicle) -> None:
        self._world = world
        self._rng = rng
        self._people = people
        self._diary = diary
        self._chronicle = chronicle
        hidden = people.hidden
        rate = np.where(hidden.keen, world.keen_donations_per_year, world.other_donations_per_year)
        self._daily = -np.expm1(-rate / 365)
        self._joined_order = np.argsort(people.joined_at, kind="stable")
        self._joined_sorted = people.joined_at[self._joined_order]

    def live(self, from_at: int) -> None:
        """Let the local day that begins at ``from_at`` go by."""
        self._update_profiles(from_at)
        self._give(from_at)
        self._join(from_at)

    def _give(self, from_at: int) -> None:
        rng, people, diary = self._rng, self._people, self._diary
        hidden = people.hidden
        rows = np.flatnonzero(rng.random(people.donor_id.size) < self._daily)
        stays = (hidden.left_at[rows] > from_at) & (hidden.returns[rows] | (diary.total[rows] == 0))
        rows = rows[stays & (people.joined_at[rows] < from_at) & (diary.away_until[rows] <= from_at)]
        rows = rows[diary.may_give(rows, from_at, apheresis=False)]
        at = from_at + ((FIRST_HOUR + N_HOURS * rng.random(rows.size)) * HOUR_US).astype(np.int64)
        self._at_the_door(rows, at)

    def _join(self, from_at: int) -> None:
        first, last = np.searchsorted(self._joined_sorted, [from_at, from_at + DAY_US])
        rows = self._joined_order[first:last]
        rows = rows[self._rng.random(rows.size) < self._world.gives_on_joining_share]
        rows = rows[self._diary.may_give(rows, from_at, apheresis=False)]
        at = self._people.joined_at[rows] + (self._rng.uniform(30, 150, rows.size) * MINUTE_US).astype(np.int64)
        self._at_the_door(rows, at)

    def _at_the_door(self, rows: NDArray[np.int64], at: NDArray[np.int64]) -> None:
        sent_away = self._rng.random(rows.size) < deferred_probability(self._world, self._people, rows)
        for row, instant, deferred in zip(rows.tolist(), at.tolist(), sent_away.tolist(), strict=True):
            self._diary.busy_until[row] = instant
            item, until = "", None
            if deferred:
                item, until = deferral(float(self._rng.random()), instant, female=self._people.is_female(row))
                self._diary.deferred(row, until)
            else:
                self._diary.gave(row, instant, apheresis=False, red_cells_returned=True)
            outcome = DEFERRED if deferred else COMPLETED
            self._chronicle.donations.append(
                Donation(instant, row, outcome, "WHOLE_BLOOD", UNASKED, True, item, until)  # noqa: FBT003 - its field
            )

    def _update_profiles(self, from_at: int) -> None:
        """Let some register a change: nobody with a promise or donation on the way, whose totals would run ahead."""
        rng, people, diary = self._rng, self._people, self._diary
        n = int(rng.poisson(people.donor_id.size * self._world.updates_per_donor_year / 365))
        rows = np.unique(rng.integers(0, people.donor_id.size, n))
        rows = rows[(people.joined_at[rows] < from_at) & (diary.busy_until[rows] <= from_at)]
        for row in rows.tolist():
            change = rng.integers(0, 3)
            if change == 0:
                away = local_day(from_at) + int(rng.integers(5, 60))
                diary.away_until[row] = start_of_day(away + 1)
            elif change == 1:
                weight_kg = float(np.nan_to_num(diary.weight_kg[row], nan=65.0) + rng.normal(0, 4))
                diary.weighed(row, round(weight_kg, 1))
            else:
                diary.apheresis_willing[row] = not diary.apheresis_willing[row]
            self._chronicle.updates.append(self._profile(row, from_at))

    def _profile(self, row: int, at: int) -> dict[str, Any]:
        diary = self._diary
        whole_blood, apheresis = int(diary.last_whole_blood_at[row]), int(diary.last_apheresis_at[row])
        away_until = int(diary.away_until[row])
        recent = [given for given in diary.apheresis.get(row, []) if given[0] > at - 365 * DAY_US]
        return {
            **first_profile(self._people, row, at),
            "weight_kg": None if np.isnan(diary.weight_kg[row]) else float(diary.weight_kg[row]),
            "apheresis_willing": bool(diary.apheresis_willing[row]),
            "away_until": local_day(away_until) - 1 if away_until > at else None,
            "total_donations": int(diary.total[row]),
            "last_whole_blood_at": None if whole_blood == NEVER else whole_blood,
            "last_apheresis_at": None if apheresis == NEVER else apheresis,
            "red_cells_returned": recent[-1][1] if recent else True,
            "recent_apheresis": [{"given_at": given_at, "red_cells_returned": back} for given_at, back in recent],
        }
