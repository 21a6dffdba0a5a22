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
from features.outcomes import (
    BROKEN,
    FACTS,
    KEPT,
    NEVER,
    NOT_KNOWN,
    OF_DONATION,
    OF_RESPONSE,
    SETTLED_US,
    folded,
    labels_of,
)
from features.rule_set import INDIA_2020
from features.vectors import URGENCY_LEVEL
from producers.simulator import Published
from schemas.codec import FRAME, Codec
from schemas.records import Event, Record

__all__ = ["BROKEN", "KEPT", "NEVER", "NOT_KNOWN", "SETTLED_US", "Examples", "examples_of"]


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


Outcomes = defaultdict[tuple[int, int], dict[str, int]]
"""Of a request and a donor, since when each fact of ``features.outcomes`` holds."""


def examples_of(events: Iterable[Published]) -> Examples:
    """Replay events, requests among them, in order of time.

    An alert is a NOTIFIED for a request that came before it; what was known is the donor's state as of then, without
    the alert itself.
    """
    states = _States()
    requests: dict[int, Event] = {}
    asked: list[_Asked] = []
    outcomes: Outcomes = defaultdict(dict)
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
                _note(outcomes[event["request_id"], event["donor_id"]], OF_RESPONSE.get(event["response"], ()), event)
        elif line.topic == "donation-recorded" and event["request_id"]:
            _note(outcomes[event["request_id"], event["donor_id"]], OF_DONATION.get(event["outcome"], ()), event)
        states.take(line)
    return _examples(asked, requests, outcomes, ends_at)


def _note(outcome: dict[str, int], facts: Iterable[str], event: Event) -> None:
    for fact in facts:
        outcome[fact] = folded(fact, outcome.get(fact, NEVER), event["occurred_at"])


def _examples(
    asked: list[_Asked],
    requests: dict[int, Event],
    outcomes: Outcomes,
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
    since = {fact: np.array([one.get(fact, NEVER) for one in came], np.int64) for fact in FACTS}
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
        **labels_of(at, required_by, since, ends_at)._asdict(),
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
