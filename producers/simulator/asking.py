"""Who is asked for a request, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from features.compatibility import ON_SIGN_OFF, tiers_for
from producers.simulator.answering import N_DRAWS, Answers, Promise, answers, keep
from producers.simulator.chronicle import COMPLETED, DEFERRED, Chronicle
from producers.simulator.diary import Diary
from producers.simulator.law import accept_probability, deferred_probability, fatigue_left, in_time_probability
from producers.simulator.population import Flags, Floats, Population
from producers.simulator.requests import Requests
from producers.simulator.world import HOUR_US, World

Rows = NDArray[np.int64]
RINGS_KM = (5.0, 10.0, 20.0, 35.0, 50.0)


@dataclass(frozen=True, slots=True)
class Asks:
    """The oracle: who was asked, and what was true of it; one entry an alert, in order of the requests.

    ``request`` and ``row`` are places in ``Requests`` and ``Population``; ``probability`` is P(gives for this request,
    given all that is hidden), ``says_yes`` P(accepts while the alert stands), ``shows_up`` P(comes, having accepted),
    ``gave`` what came of it, ``policy`` a place in ``World.policy_share``.
    """

    request: Rows
    row: Rows
    probability: Floats
    says_yes: Floats
    shows_up: Floats
    gave: Flags
    policy: Rows


class Asking:
    """Asks donors for requests, one request after the other in order of time.

    Not one policy chooses whom: half of the lists are drawn at random among the lawful donors within a random ring, so
    that what is learned from them isn't learned from the chosen alone.
    """

    def __init__(
        self,
        world: World,
        rng: Generator,
        people: Population,
        diary: Diary,
        chronicle: Chronicle,
        near: list[tuple[Rows, Floats]],
    ) -> None:
        self._world = world
        self._rng = rng
        self._people = people
        self._diary = diary
        self._chronicle = chronicle
        self._near = near
        self._policies = [name for name, _ in world.policy_share]
        self._policy_share = [share for _, share in world.policy_share]
        self._asks: list[tuple[NDArray[np.generic], ...]] = []

    def asks(self) -> Asks:
        """Return all that was asked so far."""
        if not self._asks:
            none = np.empty(0, np.int64)
            return Asks(none, none, np.empty(0), np.empty(0), np.empty(0), np.empty(0, bool), none)
        request, row, probability, says_yes, shows_up, gave, policy = (
            np.concatenate(column) for column in zip(*self._asks, strict=True)
        )
        return Asks(request, row, probability, says_yes, shows_up, gave, policy)

    def ask(self, requests: Requests, place: int) -> None:
        """Ask for the request at ``place``."""
        event = requests.event[place]
        at, required_by = int(requests.at[place]), int(requests.required_by[place])
        apheresis = event["component"] in {"PLATELETS", "PLASMA"}
        rows, km = self._lawful(requests, place, apheresis=apheresis)
        policy = int(self._rng.choice(len(self._policies), p=self._policy_share))
        chosen = self._chosen(self._policies[policy], rows, km)
        rows, km = rows[chosen], km[chosen]
        if not rows.size:
            return
        self._diary.n_alerts[rows] += 1
        world, people, diary = self._world, self._people, self._diary
        unanswered = fatigue_left(world, diary.unanswered[rows], at - diary.tired_at[rows])
        accepts = accept_probability(
            world,
            people.hidden,
            rows,
            distance_km=km,
            unanswered=unanswered,
            same_group=people.group[rows] == requests.group[place],
            urgency=int(requests.urgency[place]),
            district=str(event["district"]),
            at=at,
        )
        life_us = min(required_by - at, int(world.alert_life_hours * HOUR_US))
        in_time = in_time_probability(world, people.hidden.answer_minutes[rows], life_us)
        stays = 1 - deferred_probability(world, people, rows)
        draws = self._rng.random((rows.size, N_DRAWS))
        told = answers(world, accepts, people.hidden.answer_minutes[rows], life_us, draws)
        silent = ~(told.accepted | told.declined)
        diary.unanswered[rows] = unanswered + silent
        diary.tired_at[rows] = at
        request_id = int(str(event["request_id"]))
        self._note(rows, told, at, life_us, request_id)
        gave = np.zeros(rows.size, bool)
        for i in np.flatnonzero(told.accepted).tolist():
            accepted_at = at + int(told.after_us[i])
            promise = Promise(int(rows[i]), request_id, accepted_at, required_by, float(km[i]), str(event["component"]))
            gave[i] = self._keep(promise, draws[i])
        says_yes, shows_up = accepts * in_time, people.hidden.show_up[rows]
        probability = says_yes * shows_up * stays
        place_of, policy_of = np.full(rows.size, place), np.full(rows.size, policy)
        self._asks.append((place_of, rows, probability, says_yes, shows_up, gave, policy_of))

    def _lawful(self, requests: Requests, place: int, *, apheresis: bool) -> tuple[Rows, Floats]:
        """Rows of those who may be asked, nearest first, and their kilometres."""
        people, diary = self._people, self._diary
        event, at = requests.event[place], int(requests.at[place])
        tiers = tiers_for(event)
        offered = (tiers > 0) & ((tiers != ON_SIGN_OFF) | bool(event["clinician_sign_off"]))
        rows, km = self._near[int(requests.hospital[place])]
        fits = offered[people.group[rows]]
        rows, km = rows[fits], km[fits]
        fits = diary.may_give(rows, at, apheresis=apheresis) & (diary.away_until[rows] <= at)
        fits &= (people.joined_at[rows] < at) & people.contactable[rows]
        if apheresis:
            fits &= diary.apheresis_willing[rows]
        return rows[fits], km[fits]

    def _chosen(self, policy: str, rows: Rows, km: Floats) -> Rows:
        n = min(self._world.alerts_per_request, rows.size)
        if policy == "NEAREST":
            return np.arange(n)
        if policy == "RESPONSIVE":
            within = int(np.searchsorted(km, 25.0, side="right"))
            alerts, accepted = self._diary.n_alerts[rows[:within]], self._diary.n_accepted[rows[:within]]
            return np.argsort(-(accepted + 0.5) / (alerts + 4.0), kind="stable")[:n]
        within = int(np.searchsorted(km, self._rng.choice(RINGS_KM), side="right"))
        return self._rng.choice(within, min(n, within), replace=False) if within else np.empty(0, np.int64)

    def _note(self, rows: Rows, told: Answers, at: int, life_us: int, request_id: int) -> None:
        note = self._chronicle.responded
        note(np.full(rows.size, at), rows, request_id, "NOTIFIED")
        for flags, after_us, response in (
            (told.opened, told.opened_after_us, "OPENED"),
            (told.accepted, told.after_us, "ACCEPTED"),
            (told.declined, told.after_us, "DECLINED"),
            (~(told.accepted | told.declined), np.full(rows.size, life_us), "EXPIRED"),
        ):
            note(at + after_us[flags], rows[flags], request_id, response)
        self._diary.n_accepted[rows] += told.accepted

    def _keep(self, promise: Promise, draws: Floats) -> bool:
        """Note what comes of a promise; return whether the donor gave."""
        row = promise.row
        arrived_at, donation = keep(self._world, self._people, promise, draws)
        if arrived_at is not None:
            self._chronicle.responded(np.array([arrived_at]), np.array([row]), promise.request_id, "ARRIVED")
        if donation.outcome == DEFERRED:
            self._diary.deferred(row, donation.until)
        elif donation.outcome == COMPLETED:
            self._diary.gave(
                row, donation.at, apheresis=promise.apheresis, red_cells_returned=donation.red_cells_returned
            )
        self._diary.busy_until[row] = donation.at
        self._chronicle.donations.append(donation)
        return donation.outcome == COMPLETED
