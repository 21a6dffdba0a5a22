"""What happened, in columns, and how it is told as events in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.compatibility import GROUPS
from features.districts import DISTRICTS
from producers.simulator.population import NEVER, SEXES, Population
from producers.simulator.published import EventIds, Published

RESPONSES = ("UNKNOWN", "NOTIFIED", "OPENED", "ACCEPTED", "DECLINED", "EXPIRED", "ARRIVED")
OUTCOMES = ("UNKNOWN", "COMPLETED", "CANCELLED", "NO_SHOW", "DEFERRED")
COMPLETED, CANCELLED, NO_SHOW, DEFERRED = 1, 2, 3, 4
UNASKED = 0
"""In the place of a request's id: nobody asked."""


class Donation(NamedTuple):
    """One line of ``donation-recorded``; ``row`` is the donor's, ``until`` a day or None where permanent."""

    at: int
    row: int
    outcome: int
    component: str
    request_id: int
    red_cells_returned: bool
    rule_item: str
    until: int | None


@dataclass(slots=True)
class Chronicle:
    """What happened so far.

    Parameters
    ----------
    people : Population
    start : int
        Instant at which those who joined before are registered, microseconds.
    """

    people: Population
    start: int
    donations: list[Donation] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    _responses: list[tuple[NDArray[np.int64], NDArray[np.int64], int, int]] = field(default_factory=list)

    def responded(self, at: NDArray[np.int64], rows: NDArray[np.int64], request_id: int, response: str) -> None:
        """Note one response of each of ``rows`` to a request; instants of shape (n,)."""
        if rows.size:
            self._responses.append((at, rows, request_id, RESPONSES.index(response)))

    def _response_columns(self) -> list[NDArray[np.int64]]:
        """Instants, rows, ids of requests and codes of all responses, each of shape (n,)."""
        if not self._responses:
            return [np.empty(0, np.int64)] * 4
        at, rows, request_ids, codes = zip(*self._responses, strict=True)
        sizes = [part.size for part in rows]
        return [np.concatenate(at), np.concatenate(rows), np.repeat(request_ids, sizes), np.repeat(codes, sizes)]

    def tell(self, ids: EventIds, end: int) -> Iterator[Published]:
        """Tell what happened up to the instant ``end``, in order of time."""
        people = self.people
        responses = self._response_columns()
        registered_at = np.maximum(people.joined_at, self.start)
        at = np.concatenate(
            [
                registered_at,
                np.array([update["occurred_at"] for update in self.updates], np.int64),
                responses[0],
                np.array([donation.at for donation in self.donations], np.int64),
            ]
        )
        kind = np.repeat(np.arange(4), [registered_at.size, len(self.updates), responses[0].size, len(self.donations)])
        place = np.concatenate([np.arange(n) for n in np.bincount(kind, minlength=4)])
        order = np.lexsort((place, kind, at))
        order = order[at[order] <= end]
        answers = list(zip(*(column.tolist() for column in responses), strict=True))
        for what, i in zip(kind[order].tolist(), place[order].tolist(), strict=True):
            if what == 2:
                yield response_event(people, next(ids), answers[i])
            elif what == 3:
                yield donation_event(people, next(ids), self.donations[i])
            else:
                profile = self.updates[i] if what == 1 else first_profile(people, i, int(registered_at[i]))
                yield _publish("donor-registered", {"event_id": next(ids), **profile})


def first_profile(people: Population, row: int, at: int) -> dict[str, Any]:
    """Return the profile with which a donor is registered at the instant ``at``, without an event's id."""
    last = int(people.last_whole_blood_at[row])
    weight = float(people.weight_kg[row])
    return {
        "occurred_at": at,
        "donor_id": int(people.donor_id[row]),
        "blood_group": GROUPS[people.group[row]],
        "sex": SEXES[people.sex[row]],
        "born_on": int(people.born_on[row]),
        "weight_kg": None if np.isnan(weight) else weight,
        "district": DISTRICTS[people.district[row]].name,
        "h3_cell": int(people.h3_cell[row]),
        "joined_at": int(people.joined_at[row]),
        "contactable": bool(people.contactable[row]),
        "apheresis_willing": bool(people.apheresis_willing[row]),
        "away_until": None,
        "total_donations": int(people.total_donations[row]),
        "last_whole_blood_at": None if last == NEVER else last,
        "last_apheresis_at": None,
        "red_cells_returned": True,
        "recent_apheresis": [],
        "deferrals": [{"rule_item": "items 43,101", "until": None}] if people.barred[row] else [],
    }


def response_event(people: Population, event_id: str, answer: tuple[int, int, int, int], *, wave: int = 1) -> Published:
    """Return one line of ``donor-responded``: instant, the donor's row, request, and a place in ``RESPONSES``."""
    at, row, request_id, response = answer
    return _publish(
        "donor-responded",
        {
            "event_id": event_id,
            "occurred_at": at,
            "donor_id": int(people.donor_id[row]),
            "request_id": request_id,
            "wave": wave,
            "response": RESPONSES[response],
        },
    )


def donation_event(people: Population, event_id: str, donation: Donation) -> Published:
    """Return one line of ``donation-recorded``."""
    deferral = {"rule_item": donation.rule_item, "until": donation.until} if donation.rule_item else None
    return _publish(
        "donation-recorded",
        {
            "event_id": event_id,
            "occurred_at": donation.at,
            "donor_id": int(people.donor_id[donation.row]),
            "outcome": OUTCOMES[donation.outcome],
            "component": donation.component,
            "request_id": donation.request_id or None,
            "red_cells_returned": donation.red_cells_returned,
            "deferral": deferral,
        },
    )


def _publish(topic: str, event: dict[str, Any]) -> Published:
    return Published(topic, str(event["donor_id"]), event, -(-event["occurred_at"] // 1000))
