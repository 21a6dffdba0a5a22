"""Alerts from events: what the stream knew of a donor when they were asked, and what came of it.

Events go through the very processor that makes ``donor-states``, and its records through the reader that fills the
matcher's index, so that a model is trained on what it will see. Where the events come from (a simulated world, Kafka,
files) shows nowhere here; the truth that the simulator hides stays hidden: only events are read.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state import DonorState
from consumers.forwarding import is_left_behind
from consumers.topology import Batch, Input
from features.behaviour import behaviour_at
from features.compatibility import preference_classes, tiers_for
from features.decay import HalfLives
from features.geo import cell_centre, distance_km
from features.index.columns import Columns
from features.index.facts import FactReader
from features.outcomes import FACTS, NEVER, OF_DONATION, OF_RESPONSE, Turn, folded, labels_of, of_turn
from features.rule_set import INDIA_2020
from features.vectors import URGENCY_LEVEL
from schemas.codec import FRAME, Codec
from schemas.records import Event
from smartblood.training.examples import DISTRICT_CODE, NO_DISTRICT, Examples

CREATED, CLOSED, PROFILES = "blood-request-created", "blood-request-closed", "donor-registered"
DONATIONS, RESPONSES = "donation-recorded", "donor-responded"

NO_REQUEST = "of a request that isn't recorded"
NO_PROFILE = "of a donor of whom no profile is recorded until then"
TOO_LATE = "recorded after what came of them"
AFTER_LATER = "recorded after something later of their donor"
ERASED = "of a donor who was erased later"
NOT_COMPATIBLE = "of a donor whose group isn't compatible by what is recorded"


class Place(NamedTuple):
    """What makes an alert: a second notification of the same wave is none."""

    request_id: int
    donor_id: int
    wave: int


class _Asked(NamedTuple):
    """When a donor was asked, and their state without it; None where something had come of it already."""

    at: int
    state: bytes | None


class _Alert(NamedTuple):
    """An alert that can be learned from."""

    place: Place
    at: int
    state: bytes
    home: str
    cell: int
    request: Event
    outcome: dict[str, int]
    asked_again: int


Outcome = dict[str, int]
"""Since when each fact of ``features.outcomes`` holds."""


class Alerts:
    """Gathers alerts from events in the order in which the stream saw them.

    An alert is the first NOTIFIED of a donor, request and wave; what was known is the donor's state as of then, without
    the alert itself. Which of several alerts something came of, ``features.outcomes.of_turn`` says.

    Parameters
    ----------
    half_lives : HalfLives, optional
        Of what fades.
    late_days : int, default 30
        As ``donor-state`` has it.

    Attributes
    ----------
    left_out : Counter of str
        Why alerts can't be learned from, and how many; known after ``examples``.
    ends_at : int
        The latest instant at which anything was said of or by a donor, microseconds.
    """

    def __init__(self, half_lives: HalfLives | None = None, *, late_days: int = 30) -> None:
        self._half_lives = half_lives or HalfLives()
        self._states = _States(self._half_lives, late_days)
        self._statements: defaultdict[int, list[Event]] = defaultdict(list)
        self._closed_at: defaultdict[int, list[int]] = defaultdict(list)
        self._asked: dict[Place, _Asked] = {}
        self._turns: defaultdict[tuple[int, int], list[Turn]] = defaultdict(list)
        self._outcomes: defaultdict[tuple[int, int], Outcome] = defaultdict(dict)
        self._erased_at: dict[int, int] = {}
        self.left_out: Counter[str] = Counter()
        self.ends_at = 0

    def take(self, item: Input) -> None:
        """Take in one record."""
        record, event = item
        if event is None:
            if not is_left_behind(record):
                donor_id, at = int(record.key or b""), record.timestamp_ms * 1000
                self._erased_at[donor_id] = max(at, self._erased_at.get(donor_id, 0))
                self._states.take(donor_id, item)
        elif record.topic == CREATED:
            self._statements[event["request_id"]].append(event)
        elif record.topic == CLOSED:
            self._closed_at[event["request_id"]].append(event["occurred_at"])
        else:
            self.ends_at = max(self.ends_at, event["occurred_at"])
            if record.topic == RESPONSES:
                self._respond(event)
            elif record.topic == DONATIONS and event["request_id"]:
                self._note(OF_DONATION.get(event["outcome"], ()), event)
            self._states.take(event["donor_id"], item)

    def examples(self, ends_at: int | None = None) -> Examples:
        """Return what can be learned from.

        Parameters
        ----------
        ends_at : int, optional
            Until when it was listened, microseconds; until the last that was said unless given.
        """
        self.ends_at = self.ends_at if ends_at is None else ends_at
        self.left_out.clear()
        found = (self._alert(place) for place in sorted(self._asked, key=self._order))
        alerts = [one for one in found if one is not None]
        reader = FactReader(INDIA_2020)
        columns = reader.columns(reader.decode([one.state for one in alerts], FRAME.size))
        examples = self._examples(alerts, columns)
        compatible = examples.tier > 0
        self.left_out[NOT_COMPATIBLE] += int(np.count_nonzero(~compatible))
        return examples.take(compatible)

    def _order(self, place: Place) -> tuple[int, Place]:
        return self._asked[place].at, place

    def _respond(self, event: Event) -> None:
        place = Place(event["request_id"], event["donor_id"], event["wave"])
        if event["response"] != "NOTIFIED":
            self._note(OF_RESPONSE.get(event["response"], ()), event)
        elif place not in self._asked:
            state, at = self._states.of(place.donor_id), event["occurred_at"]
            insort(self._turns[place[:2]], Turn(at, place.wave))
            came, _ = self._came_of(place, at)
            too_late = came or any(one >= at for one in self._outcomes.get(place[:2], {}).values())
            self._asked[place] = _Asked(at, None if too_late else state or b"")

    def _note(self, facts: Iterable[str], event: Event) -> None:
        outcome = self._outcomes[event["request_id"], event["donor_id"]]
        for fact in facts:
            outcome[fact] = folded(fact, outcome.get(fact, NEVER), event["occurred_at"])

    def _came_of(self, place: Place, at: int) -> tuple[Outcome, int]:
        """Return what came of an alert, and when the donor was asked again."""
        return of_turn(Turn(at, place.wave), self._turns[place[:2]], self._outcomes.get(place[:2], {}))

    def _alert(self, place: Place) -> _Alert | None:
        """Return an alert; None where it can't be learned from, and count why."""
        asked = self._asked[place]
        state = self._states.decoded(asked.state) if asked.state else None
        if asked.state is None:
            self.left_out[TOO_LATE] += 1
        elif not self._statements[place.request_id]:
            self.left_out[NO_REQUEST] += 1
        elif asked.at <= self._erased_at.get(place.donor_id, NEVER):
            self.left_out[ERASED] += 1
        elif state is None or state["registered_at"] is None:
            self.left_out[NO_PROFILE] += 1
        elif state["occurred_at"] > asked.at:
            # What the donor did later is in the state: the alert would be learned from with what nobody knew then.
            self.left_out[AFTER_LATER] += 1
        else:
            request = self._statement(place.request_id, asked.at)
            of_donor = (asked.state, state["district"], state["h3_cell"])
            return _Alert(place, asked.at, *of_donor, request, *self._came_of(place, asked.at))
        return None

    def _statement(self, request_id: int, at: int) -> Event:
        """Return what was said of a request last by the instant ``at``; first, where nothing was."""
        stated = sorted(self._statements[request_id], key=lambda one: (one["occurred_at"], one["event_id"]))
        return next((one for one in reversed(stated) if one["occurred_at"] <= at), stated[0])

    def _closing(self, alert: _Alert) -> int:
        """Return when the request was closed after the alert, ``NEVER`` where it wasn't."""
        return min((at for at in self._closed_at[alert.place.request_id] if at > alert.at), default=NEVER)

    def _examples(self, alerts: list[_Alert], columns: Columns) -> Examples:
        requests = [one.request for one in alerts]
        at = np.array([one.at for one in alerts], np.int64)
        required_by = np.array([request["required_by"] for request in requests], np.int64)
        closed = np.array([self._closing(one) for one in alerts], np.int64)
        again = np.array([one.asked_again for one in alerts], np.int64)
        since = {fact: np.array([one.outcome.get(fact, NEVER) for one in alerts], np.int64) for fact in FACTS}
        groups = columns.group.tolist()
        return Examples(
            behaviour=behaviour_at(columns, np.arange(at.size), at, self._half_lives),
            at=at,
            required_by=required_by,
            request_id=np.array([one.place.request_id for one in alerts], np.int64),
            donor_id=np.array([one.place.donor_id for one in alerts], np.int64),
            district=_codes(request["district"] for request in requests),
            home=_codes(one.home for one in alerts),
            tier=_of_groups(requests, groups, tiers_for),
            preference=_of_groups(requests, groups, preference_classes),
            distance_km=np.array([_km(one) for one in alerts], np.float64),
            urgency=np.array([URGENCY_LEVEL[request["urgency"]] for request in requests], np.int64),
            units=np.array([request["units_required"] for request in requests], np.int64),
            **labels_of(at, required_by, closed, again, since, self.ends_at)._asdict(),
        )


class _States:
    """Donors' states, by the stream's own processor. A donor's events are put through when they are asked for."""

    def __init__(self, half_lives: HalfLives, late_days: int) -> None:
        self._codec = Codec()
        self._processor = DonorState(self._codec, late_days=late_days, half_lives=half_lives)
        self._pending: defaultdict[int, list[Input]] = defaultdict(list)
        self._latest: dict[int, bytes] = {}

    def take(self, donor_id: int, item: Input) -> None:
        # One partition for all: a stray and what was sent on of it are one donor's.
        self._pending[donor_id].append(Input(item.record._replace(partition=0), item.event))

    def of(self, donor_id: int) -> bytes | None:
        """Return the donor's latest state; None where the stream knows nothing of them."""
        pending = self._pending.pop(donor_id, None)
        if pending:
            for output in self._processor.process(Batch(pending)):
                self._latest[donor_id] = output.value or b""
            self._processor.keep()
        return self._latest.get(donor_id)

    def decoded(self, state: bytes) -> Event:
        return self._codec.decode("donor-states", state)


def _codes(districts: Iterable[str]) -> NDArray[np.int8]:
    return np.array([DISTRICT_CODE.get(name, NO_DISTRICT) for name in districts], np.int8)


def _of_groups(
    requests: list[Event], groups: list[int], table_of: Callable[[Event], NDArray[np.int8]]
) -> NDArray[np.int8]:
    """Return what a table of each request says of the group of its donor."""
    tables = {id(request): table_of(request) for request in {id(one): one for one in requests}.values()}
    found = [tables[id(request)][group] for request, group in zip(requests, groups, strict=True)]
    return np.array(found, np.int8)


def _km(alert: _Alert) -> float:
    request = alert.request
    return round(float(distance_km(request["latitude"], request["longitude"], *cell_centre(alert.cell))), 2)


def examples_of(items: Iterable[Input], *, half_lives: HalfLives | None = None, ends_at: int | None = None) -> Examples:
    """Gather alerts from events in the order in which the stream saw them, and return what can be learned from."""
    alerts = Alerts(half_lives)
    for item in items:
        alerts.take(item)
    return alerts.examples(ends_at)
