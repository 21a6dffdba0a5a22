"""Simulated donors who answer what the matcher offers."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from producers.simulator.answering import N_DRAWS, Promise, answers, keep
from producers.simulator.chronicle import RESPONSES, donation_event, response_event
from producers.simulator.history import History
from producers.simulator.law import (
    URGENCIES,
    accept_probability,
    deferred_probability,
    fatigue_left,
    in_time_probability,
)
from producers.simulator.published import Published, uuid_text
from producers.simulator.world import HOUR_US
from schemas.records import Event


class LiveDonors:
    """The donors of a history, answering.

    What one does in answer to one wave of one request depends on nothing but the seed, the request, the wave, the
    donor and what the list says: the order in which lists are answered changes nothing. So fatigue is that of the
    history's end, less what has been recovered since.

    Parameters
    ----------
    history : History
    seed : int
    pace : float
        How many times faster than in truth things happen; delays are divided by it, so that a short demonstration
        sees donors come.
    """

    def __init__(self, history: History, seed: int, *, pace: float = 1.0) -> None:
        self._history = history
        self._seed = seed
        self._pace = pace

    def answers(self, matches: Event) -> list[Published]:
        """Answer a list.

        Parameters
        ----------
        matches : Event
            A decoded ``matches`` event. Donors whom the history doesn't know don't answer.

        Returns
        -------
        list of Published
            ``donor-responded`` and ``donation-recorded``, in order of time, none before the list's own instant.
        """
        world, people = self._history.world, self._history.people
        offers = self._known(matches)
        at, request_id, wave = matches["occurred_at"], matches["request_id"], matches["wave"]
        life_us = self._life_us(matches)
        if not offers or life_us <= 0:
            return []
        rows, km, accepts = self._accepts(matches, offers)
        draws = np.array([self._draws(request_id, wave, int(row)) for row in rows])
        told = answers(world, accepts, people.hidden.answer_minutes[rows], life_us, draws)
        published: list[Published] = []
        for i, row in enumerate(rows.tolist()):
            steps = [(at, "NOTIFIED")]
            answered_at = at + int(told.after_us[i])
            if told.opened[i]:
                steps.append((at + int(told.opened_after_us[i]), "OPENED"))
            if told.accepted[i]:
                steps.append((answered_at, "ACCEPTED"))
                promise = Promise(row, request_id, answered_at, matches["required_by"], km[i], matches["component"])
                arrived_at, donation = keep(world, people, promise, draws[i])
                if arrived_at is not None:
                    steps.append((arrived_at, "ARRIVED"))
                donation = donation._replace(at=self._paced(at, donation.at))
                published.append(donation_event(people, self._id(request_id, wave, row, "DONATION"), donation))
            else:
                steps.append((answered_at, "DECLINED") if told.declined[i] else (at + life_us, "EXPIRED"))
            published.extend(
                response_event(
                    people,
                    self._id(request_id, wave, row, response),
                    (self._paced(at, step_at), row, request_id, RESPONSES.index(response)),
                    wave=wave,
                )
                for step_at, response in steps
            )
        return sorted(published, key=lambda line: line.event["occurred_at"])

    def gives(self, matches: Event) -> NDArray[np.float64]:
        """Return for each offer of a list the probability that the donor gives for the request: the oracle.

        Parameters
        ----------
        matches : Event
            A decoded ``matches`` event.

        Returns
        -------
        ndarray of float64, shape (n,)
            Of the donors whom the history knows.
        """
        world, people = self._history.world, self._history.people
        rows = np.array([offer["donor_id"] - 1 for offer in self._known(matches)], np.int64)
        stays: NDArray[np.float64] = 1 - deferred_probability(world, people, rows)
        return self.says_yes(matches) * people.hidden.show_up[rows] * stays

    def says_yes(self, matches: Event) -> NDArray[np.float64]:
        """Return for each offer of a list the probability that the donor says yes while the alert stands.

        Parameters
        ----------
        matches : Event
            As ``gives`` takes it.

        Returns
        -------
        ndarray of float64, shape (n,)
            Of the donors whom the history knows.
        """
        world, people = self._history.world, self._history.people
        offers, life_us = self._known(matches), self._life_us(matches)
        if not offers or life_us <= 0:
            return np.zeros(len(offers))
        rows, _, accepts = self._accepts(matches, offers)
        return accepts * in_time_probability(world, people.hidden.answer_minutes[rows], life_us)

    def _known(self, matches: Event) -> list[Event]:
        return [one for one in matches["matches"] if 1 <= one["donor_id"] <= self._history.people.donor_id.size]

    def _life_us(self, matches: Event) -> int:
        left_us: int = matches["required_by"] - matches["occurred_at"]
        return min(left_us, int(self._history.world.alert_life_hours * HOUR_US))

    def _accepts(
        self, matches: Event, offers: list[Event]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return rows and kilometres of the donors offered, and the probability that each accepts, however late."""
        world, people, diary = self._history.world, self._history.people, self._history.diary
        at = matches["occurred_at"]
        rows = np.array([offer["donor_id"] - 1 for offer in offers], np.int64)
        km = np.array([offer["distance_km"] for offer in offers], np.float64)
        accepts = accept_probability(
            world,
            people.hidden,
            rows,
            distance_km=km,
            unanswered=fatigue_left(world, diary.unanswered[rows], np.maximum(at - diary.tired_at[rows], 0)),
            same_group=np.array([offer["blood_group"] == matches["blood_group"] for offer in offers]),
            urgency=URGENCIES.index(matches["urgency"]),
            district=matches["district"],
            at=at,
        )
        return rows, km, accepts

    def _paced(self, at: int, instant: int) -> int:
        return at + math.ceil((instant - at) / self._pace)

    def _hash(self, *words: object) -> bytes:
        text = "/".join(map(str, (self._seed, *words)))
        return hashlib.blake2b(text.encode(), digest_size=4 * N_DRAWS).digest()

    def _draws(self, request_id: int, wave: int, row: int) -> NDArray[np.float64]:
        """Uniform numbers of this alert, 0 to 1, shape (N_DRAWS,)."""
        return (np.frombuffer(self._hash(request_id, wave, row), "<u4") + 0.5) / 2.0**32

    def _id(self, request_id: int, wave: int, row: int, what: str) -> str:
        return uuid_text(self._hash(request_id, wave, row, what).hex()[:32])
