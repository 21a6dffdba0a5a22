"""What the oracle says that the topics and the tables must hold, given what the outsider published and reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np

from features.behaviour import behaviour_at
from features.decay import HalfLives
from features.index.columns import Columns
from features.index.facts import FactReader
from features.rule_set import INDIA_2020
from features.vectors import URGENCY_LEVEL, availability_rows, match_rows, reliability_rows
from schemas.codec import FRAME, Codec
from smartblood.registry.loading import load_panel
from smartblood.settings import MODELS_DIR
from tests.acceptance.outsider import Seen
from tests.acceptance.wire import AVRO, plain
from tests.oracle import matches as oracle


@cache
def panel():
    return load_panel(MODELS_DIR)


READER, CODEC = FactReader(INDIA_2020), Codec()
COLUMNS: dict[int, tuple[Mapping[str, Any], Columns]] = {}
"""By the identity of a state, which is kept beside them: a state is scored for many requests."""


def columns_of(donor: Mapping[str, Any]) -> Columns:
    """What an index keeps of one donor's state, which nobody may change."""
    if id(donor) not in COLUMNS:
        encoded = CODEC.encode("donor-states", dict(donor))
        COLUMNS[id(donor)] = donor, READER.columns(READER.decode([encoded], FRAME.size))
    return COLUMNS[id(donor)][1]


def score(request: Mapping[str, Any], at: int, donor: Mapping[str, Any], tier: int, km: float) -> float:
    """What the champions say of one donor; the features as the project makes them of a donor's state."""
    behaviour = behaviour_at(columns_of(donor), np.zeros(1, np.int64), at, HalfLives())
    availability = panel().availability.predict(availability_rows(behaviour, np.array([at])))
    reliability = panel().reliability.predict(reliability_rows(behaviour))
    rows = match_rows(
        behaviour,
        np.array([tier]),
        np.array([km]),
        np.round(availability, 6),
        np.round(reliability, 6),
        urgency=URGENCY_LEVEL[request["urgency"]],
        units=request["units_required"],
    )
    return float(panel().match.predict(rows)[0])


class DonorsAsSeen:
    """The donors as a matcher saw them: everything before the offsets that an answer names."""

    def __init__(self, states: Iterable[Seen]) -> None:
        self._states = [(seen, plain(seen.event)) for seen in sorted(states, key=lambda seen: seen.offset)]
        self._known: dict[tuple[tuple[int, int], ...], list[dict[str, Any]]] = {}

    def at(self, offsets: list[dict[str, int]]) -> list[dict[str, Any]]:
        places = tuple(sorted((one["partition"], one["next_offset"]) for one in offsets))
        if places not in self._known:
            ends = dict(places)
            latest = {}
            for seen, state in self._states:
                if seen.offset < ends.get(seen.partition, 0):
                    latest[seen.key] = state
            self._known[places] = list(latest.values())
        return self._known[places]


def wrong_answers(
    published: Iterable[Seen], answers: Iterable[Seen], states: Iterable[Seen], topics: tuple[str, ...]
) -> list[str]:
    """Compare answers with the oracle's, one by one: a line for whatever is otherwise.

    ``published`` are the requests', closings' and match-requested's records in the order in which each request's own
    were taken in; ``topics`` says which of ``matches`` and ``match-previews`` the answers were read from.
    """
    donors = DonorsAsSeen(states)
    by_event = defaultdict(list)
    for answer in answers:
        event = plain(answer.event)
        by_event[event["request_event_id"]].append((answer.topic, event))
    lines = []
    courses = defaultdict(list)
    for record in published:
        courses[record.key].append((record.topic, plain(record.event), record.timestamp_ms))
    asked_for = set()
    for records in courses.values():
        requests = {event["event_id"]: event.get("request", event) for _, event, _ in reversed(records)}  # the first
        for expected in oracle.answers(records, [], score):
            if expected.topic not in topics:
                continue
            asked_for.add(expected.request_event_id)
            found = by_event[expected.request_event_id]
            if len(found) != 1:
                lines.append(f"{expected.request_event_id} has {len(found)} answers on {expected.topic}")
                continue
            ((topic, event),) = found
            request = requests[expected.request_event_id]
            if topic != expected.topic:
                lines.append(f"{expected.request_event_id} was answered on {topic}, not {expected.topic}")
            if expected.empty is None:
                seen = donors.at(event["donor_state_offsets"])
                expected.answer = oracle.answer(request, event["occurred_at"], seen, score)
            lines += [
                f"{expected.request_event_id} ({request['component']} for {request['blood_group']}): {line}"
                for line in oracle.departures(expected, request, event)
            ]
    unasked = {event_id for event_id, found in by_event.items() if found} - asked_for
    return lines + [f"{event_id} was answered, but nobody asked" for event_id in unasked]


def without_offsets(answer: Seen) -> bytes:
    """The bytes of an answer but for what says how much of the donors was seen."""
    event = answer.event
    assert AVRO.encode(answer.topic, event) == answer.value, "the outsider doesn't give back the very bytes"
    return AVRO.encode(answer.topic, event | {"donor_state_offsets": []})
