"""Examples from events: what the stream knew of a donor when they were asked, and what came of it.

Events go through the very processor that makes ``donor-states``, and its records through the reader that fills the
matcher's index, so that a model is trained on what it will see. The truth that the simulator hides stays hidden: only
events are read here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state import DonorState
from consumers.topology import Batch, Input
from features.compatibility import preference_classes, tiers_for
from features.geo import cell_centre, distance_km
from features.index.columns import Columns, taken
from features.index.facts import FactReader
from features.rule_set import INDIA_2020
from features.vectors import URGENCY_LEVEL
from producers.simulator import Published
from schemas.codec import FRAME, Codec
from schemas.records import Event, Record

SETTLED_US = 6 * 3_600_000_000
"""How long after ``required_by`` the last outcome of a request has been recorded."""

NEVER = -1
NOT_KNOWN, BROKEN, KEPT = -1, 0, 1


@dataclass(frozen=True, slots=True)
class Examples:
    """Alerts, one entry each, in order of time.

    Parameters
    ----------
    columns : Columns
        What the index would have kept of each donor as of their alert, a row an alert.
    at : ndarray of int64, shape (n,)
        When the donor was asked, microseconds.
    required_by : ndarray of int64, shape (n,)
    request_id, donor_id : ndarray of int64, shape (n,)
    tier, preference : ndarray of int8, shape (n,)
        Compatibility tier, and preference class for the request: 0 is best.
    distance_km : ndarray of float64, shape (n,)
        To 2 decimals.
    urgency, units : ndarray of int64, shape (n,)
    accepted : ndarray of bool, shape (n,)
        Whether the donor said yes.
    answered_us : ndarray of int64, shape (n,)
        How long until the first answer; ``NEVER`` where there was none.
    watched_us : ndarray of int64, shape (n,)
        How long it was waited for an answer: until it came, or the alert expired, or the events end.
    life_us : ndarray of int64, shape (n,)
        How long it could have been waited at most: until the request's ``required_by``.
    kept : ndarray of int8, shape (n,)
        Whether the promise was ``KEPT`` or ``BROKEN``; ``NOT_KNOWN`` where there was none, or nothing came of it.
    gave : ndarray of bool, shape (n,)
        Whether a completed donation names the request and the donor.
    """

    columns: Columns
    at: NDArray[np.int64]
    required_by: NDArray[np.int64]
    request_id: NDArray[np.int64]
    donor_id: NDArray[np.int64]
    tier: NDArray[np.int8]
    preference: NDArray[np.int8]
    distance_km: NDArray[np.float64]
    urgency: NDArray[np.int64]
    units: NDArray[np.int64]
    accepted: NDArray[np.bool_]
    answered_us: NDArray[np.int64]
    watched_us: NDArray[np.int64]
    life_us: NDArray[np.int64]
    kept: NDArray[np.int8]
    gave: NDArray[np.bool_]

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Examples:
        """Return the entries that ``chosen`` picks, a mask or places."""
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        parts = {one.name: getattr(self, one.name) for one in fields(self)}
        columns = taken(parts.pop("columns"), places)
        return Examples(columns, **{name: part[places] for name, part in parts.items()})


class _Asked(NamedTuple):
    """An alert, and the state of the donor without it."""

    request_id: int
    donor_id: int
    wave: int
    at: int
    state: bytes


class _Outcome:
    """What came of an alert so far."""

    __slots__ = ("accepted", "answered_at", "came", "expired_at", "failed", "gave")

    def __init__(self) -> None:
        self.answered_at = self.expired_at = NEVER
        self.accepted = self.came = self.failed = self.gave = False


def examples_of(events: Iterable[Published]) -> Examples:
    """Replay events, requests among them, in order of time.

    An alert is a NOTIFIED for a request that came before it; what was known is the donor's state as of then, without
    the alert itself.
    """
    states = _States()
    requests: dict[int, Event] = {}
    asked: list[_Asked] = []
    outcomes: defaultdict[tuple[int, int], _Outcome] = defaultdict(_Outcome)
    ends_at = 0
    for line in events:
        event = line.event
        ends_at = max(ends_at, event["occurred_at"])
        if line.topic == "blood-request-created":
            requests[event["request_id"]] = event
            continue
        if line.topic == "donor-responded" and event["request_id"] in requests:
            if event["response"] == "NOTIFIED":
                state = states.of(event["donor_id"])
                if state is not None:
                    place = event["request_id"], event["donor_id"], event["wave"], event["occurred_at"]
                    asked.append(_Asked(*place, state))
            else:
                _respond(outcomes[event["request_id"], event["donor_id"]], event)
        elif line.topic == "donation-recorded" and event["request_id"]:
            _donate(outcomes[event["request_id"], event["donor_id"]], event["outcome"])
        states.take(line)
    return _examples(asked, requests, outcomes, ends_at)


def _respond(outcome: _Outcome, event: Event) -> None:
    response, at = event["response"], event["occurred_at"]
    if response in {"ACCEPTED", "DECLINED", "ARRIVED"} and outcome.answered_at == NEVER:
        outcome.answered_at = at
    outcome.accepted |= response in {"ACCEPTED", "ARRIVED"}
    outcome.came |= response == "ARRIVED"
    if response == "EXPIRED":
        outcome.expired_at = at


def _donate(outcome: _Outcome, of: str) -> None:
    outcome.gave |= of == "COMPLETED"
    outcome.came |= of in {"COMPLETED", "DEFERRED"}
    outcome.failed |= of in {"CANCELLED", "NO_SHOW"}


def _examples(
    asked: list[_Asked],
    requests: dict[int, Event],
    outcomes: defaultdict[tuple[int, int], _Outcome],
    ends_at: int,
) -> Examples:
    reader, codec = FactReader(INDIA_2020), Codec()
    columns = reader.columns(reader.decode([one.state for one in asked], FRAME.size))
    of = [requests[one.request_id] for one in asked]
    came = [outcomes[one.request_id, one.donor_id] for one in asked]
    cells = [codec.decode("donor-states", one.state)["h3_cell"] for one in asked]

    def of_group(table: dict[int, NDArray[np.int8]]) -> NDArray[np.int8]:
        found = [table[one.request_id][group] for one, group in zip(asked, columns.group.tolist(), strict=True)]
        return np.array(found, np.int8)

    at = np.array([one.at for one in asked], np.int64)
    answered = np.array([one.answered_at for one in came], np.int64)
    ended = np.array([next((x for x in (c.answered_at, c.expired_at) if x != NEVER), ends_at) for c in came], np.int64)
    kept = [KEPT if one.came else BROKEN if one.failed else NOT_KNOWN for one in came]
    km = [
        round(float(distance_km(request["latitude"], request["longitude"], *cell_centre(cell))), 2)
        for request, cell in zip(of, cells, strict=True)
    ]
    required_by = np.array([request["required_by"] for request in of], np.int64)
    asked_for = {one.request_id: requests[one.request_id] for one in asked}
    return Examples(
        columns=columns,
        at=at,
        required_by=required_by,
        request_id=np.array([one.request_id for one in asked], np.int64),
        donor_id=np.array([one.donor_id for one in asked], np.int64),
        tier=of_group({number: tiers_for(request) for number, request in asked_for.items()}),
        preference=of_group({number: preference_classes(request) for number, request in asked_for.items()}),
        distance_km=np.array(km, np.float64),
        urgency=np.array([URGENCY_LEVEL[request["urgency"]] for request in of], np.int64),
        units=np.array([request["units_required"] for request in of], np.int64),
        accepted=np.array([one.accepted for one in came], np.bool_),
        answered_us=np.where(answered == NEVER, NEVER, answered - at),
        watched_us=np.maximum(ended - at, 0),
        life_us=np.maximum(required_by - at, 0),
        kept=np.where([one.accepted for one in came], np.array(kept, np.int8), NOT_KNOWN).astype(np.int8),
        gave=np.array([one.gave for one in came], np.bool_),
    )


class _States:
    """Donors' states, by the stream's own processor. A donor's events are put through when they are asked for."""

    def __init__(self) -> None:
        self._processor = DonorState(Codec())
        self._pending: defaultdict[int, list[Input]] = defaultdict(list)
        self._latest: dict[int, bytes] = {}

    def take(self, line: Published) -> None:
        record = Record(line.topic, 0, 0, line.timestamp_ms, line.key.encode(), b"")
        self._pending[line.event["donor_id"]].append(Input(record, line.event))

    def of(self, donor_id: int) -> bytes | None:
        """Return the donor's latest state; None where the stream knows nothing of them."""
        pending = self._pending.pop(donor_id, None)
        if pending:
            for output in self._processor.process(Batch(pending)):
                self._latest[donor_id] = output.value or b""
            self._processor.keep()
        return self._latest.get(donor_id)
