"""Examples from events: what the stream knew of a donor when they were asked, and whether they gave.

Events go through the very processor that makes ``donor-states``, so that a model is trained on what it will see. The
truth that the simulator hides stays hidden: only events are read here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state import DonorState
from consumers.topology import Batch, Input
from features.compatibility import GROUP_CODE, preference_classes, tiers_for
from features.geo import cell_centre, distance_km
from features.vectors import NEVER_GAVE, URGENCY_LEVEL, match_rows
from producers.simulator import Published
from schemas.codec import Codec
from schemas.records import Event, Record

SETTLED_US = 6 * 3_600_000_000
"""How long after ``required_by`` the last outcome of a request has been recorded."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Alerts, one entry each, in order of time.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, 7)
        What the model sees, as ``match_rows`` makes it.
    gave : ndarray of bool, shape (n,)
        Whether a completed donation names the request and the donor.
    at : ndarray of int64, shape (n,)
        The request's instant, microseconds.
    required_by : ndarray of int64, shape (n,)
    request_id, donor_id : ndarray of int64, shape (n,)
    preference : ndarray of int8, shape (n,)
        The donor's preference class for the request: 0 is best.
    """

    rows: NDArray[np.float64]
    gave: NDArray[np.bool_]
    at: NDArray[np.int64]
    required_by: NDArray[np.int64]
    request_id: NDArray[np.int64]
    donor_id: NDArray[np.int64]
    preference: NDArray[np.int8]

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Examples:
        """Return the entries that ``chosen`` picks, a mask or places."""
        return Examples(
            self.rows[chosen],
            self.gave[chosen],
            self.at[chosen],
            self.required_by[chosen],
            self.request_id[chosen],
            self.donor_id[chosen],
            self.preference[chosen],
        )


class _Seen(NamedTuple):
    """What was known of a donor at an alert."""

    request_id: int
    donor_id: int
    at: int
    required_by: int
    tier: int
    distance_km: float
    availability: float
    last_donation_at: int
    reliability: float
    urgency: int
    units: int
    preference: int


def examples_of(events: Iterable[Published]) -> Examples:
    """Replay events, requests among them, in order of time.

    An alert is a NOTIFIED for a request that came before it; what was known is the donor's state as of then, without
    the alert itself.
    """
    states = _States()
    requests: dict[int, Event] = {}
    seen: list[_Seen] = []
    gave: set[tuple[int, int]] = set()
    for line in events:
        event = line.event
        if line.topic == "blood-request-created":
            requests[event["request_id"]] = event
            continue
        if line.topic == "donor-responded" and event["response"] == "NOTIFIED" and event["request_id"] in requests:
            state = states.of(event["donor_id"])
            if state is not None:
                seen.append(_look(requests[event["request_id"]], state))
        elif line.topic == "donation-recorded" and event["outcome"] == "COMPLETED" and event["request_id"]:
            gave.add((event["request_id"], event["donor_id"]))
        states.take(line)
    table = map(np.array, zip(*seen, strict=True)) if seen else [np.empty(0)] * len(_Seen._fields)
    columns = dict(zip(_Seen._fields, table, strict=True))
    return Examples(
        rows=match_rows(
            columns["tier"],
            columns["distance_km"],
            columns["availability"],
            columns["last_donation_at"],
            columns["reliability"],
            at=columns["at"],
            urgency=columns["urgency"],
            units=columns["units"],
        ),
        gave=np.array([(one.request_id, one.donor_id) in gave for one in seen], bool),
        at=columns["at"],
        required_by=columns["required_by"],
        request_id=columns["request_id"],
        donor_id=columns["donor_id"],
        preference=columns["preference"].astype(np.int8),
    )


class _States:
    """Donors' states, by the stream's own processor. A donor's events are put through when they are asked for."""

    def __init__(self) -> None:
        self._codec = Codec()
        self._processor = DonorState(self._codec)
        self._pending: defaultdict[int, list[Input]] = defaultdict(list)
        self._latest: dict[int, bytes] = {}

    def take(self, line: Published) -> None:
        record = Record(line.topic, 0, 0, line.timestamp_ms, line.key.encode(), b"")
        self._pending[line.event["donor_id"]].append(Input(record, line.event))

    def of(self, donor_id: int) -> Event | None:
        """Return the donor's latest state; None where the stream knows nothing of them."""
        pending = self._pending.pop(donor_id, None)
        if pending:
            for output in self._processor.process(Batch(pending)):
                self._latest[donor_id] = output.value or b""
            self._processor.keep()
        value = self._latest.get(donor_id)
        return None if value is None else self._codec.decode("donor-states", value)


def _look(request: Event, state: Event) -> _Seen:
    apheresis_at = [given["given_at"] for given in state["apheresis"]]
    whole_blood_at = state["last_whole_blood_at"]
    given_at = apheresis_at if whole_blood_at is None else [whole_blood_at, *apheresis_at]
    km = distance_km(request["latitude"], request["longitude"], *cell_centre(state["h3_cell"]))
    return _Seen(
        request_id=request["request_id"],
        donor_id=state["donor_id"],
        at=request["occurred_at"],
        required_by=request["required_by"],
        tier=int(tiers_for(request)[GROUP_CODE[state["blood_group"]]]),
        distance_km=round(float(km), 2),
        availability=state["availability_score"],
        last_donation_at=max(given_at, default=NEVER_GAVE),
        reliability=state["reliability_score"],
        urgency=URGENCY_LEVEL[request["urgency"]],
        units=request["units_required"],
        preference=int(preference_classes(request)[GROUP_CODE[state["blood_group"]]]),
    )
