"""What is left of a world when all is answered: as it can be compared with another's, and counted by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.acceptance.outsider import Seen
from tests.acceptance.wire import plain
from tests.integration.runtime.real_inputs import Given

ANSWERS = ("matches", "match-previews")
STATES = {"donor-states": "donor_id", "request-states": "request_id"}
LOGGED = ("model", "version", "source", "success", "error")

Topics = Mapping[str, Sequence[Seen]]


def outcome(topics: Topics, given: Given, prefix: str) -> dict[str, Counter | dict]:
    """Everything that was written, decoded, but for what no two runs have in common even where nothing happens.

    That is when and where a record was written, and what hangs on how batches were cut, which the broker decides. Of a
    donor or a request the last state holds; the id of a donor's is derived from the event that came last to a batch,
    and events of several topics come as they are fetched. A log of scoring is of one batch: the rows of all are added
    up, and how long they took is nobody's. ``donor_state_offsets`` are compared like all else: these donors don't move.
    """
    found: dict[str, Counter | dict] = {
        "dead-letters": Counter(_letter(one, prefix) for one in topics["dead-letters"]),
        "sent on": Counter(one._replace(offset=0) for one in _sent_on(topics, given)),
    }
    for topic in given.written:
        events = list(_events(topics, topic))
        if topic in ANSWERS:
            found[topic] = {event["request_event_id"]: event for event in events}
        elif topic == "prediction-logged":
            rows = found[topic] = Counter()
            for event in events:
                rows[tuple(event[name] for name in LOGGED)] += event["n_rows"]
        else:
            found[topic] = {event[STATES[topic]]: event for event in events}
    for state in found.get("donor-states", {}).values():
        del state["event_id"]
    return found


def different(expected: Mapping[str, Mapping], found: Mapping[str, Mapping]) -> list[str]:
    """A line for whatever is otherwise than expected."""
    pairs = [
        (f"{topic} {key}", expected[topic].get(key), found[topic].get(key))
        for topic in expected
        for key in expected[topic].keys() | found[topic].keys()
    ]
    return [line for what, wanted, got in pairs if wanted != got for line in _otherwise(what, wanted, got)]


def _otherwise(what: str, wanted: Any, got: Any) -> list[str]:
    if not (isinstance(wanted, dict) and isinstance(got, dict)):
        return [f"{what}: {got} instead of {wanted}"]
    return [f"{what} {name}: {got[name]} instead of {wanted[name]}" for name in wanted if got[name] != wanted[name]]


def miscounted(topics: Topics, given: Given) -> list[str]:
    """A line for each input that has no answer or more than one, and for each id that more than one event has."""
    answered = Counter(event["request_event_id"] for topic in ANSWERS for event in _events(topics, topic))
    refused = Counter(one.value for one in topics["dead-letters"])
    came_from = [(one.topic, dict(one.headers).get("forwarded-from")) for one in _sent_on(topics, given)]
    sent_on = Counter(place for place in came_from if place[1])
    ids = Counter(event["event_id"] for topic in given.written for event in _events(topics, topic))
    lines = [f"{n} copies of what lay at {place}" for place, n in sent_on.items() if n > 1]
    lines += [f"{n} events have the id {event_id}" for event_id, n in ids.items() if n > 1]
    if len(sent_on) != given.n_strays:
        lines.append(f"{len(sent_on)} strays were sent on, not {given.n_strays}")
    for what, found, wanted in (("answers to", answered, given.asked), ("dead letters of", refused, given.refused)):
        lines += [f"{found[one]} {what} {one}" for one in {*found, *wanted} if found[one] != wanted[one]]
    return lines


def _events(topics: Topics, topic: str) -> Iterator[dict[str, Any]]:
    return (plain(one.event) for one in topics.get(topic, ()))


def _sent_on(topics: Topics, given: Given) -> Iterator[Seen]:
    """The copies of strays where they belong, and the nulls that were left where they lay."""
    for one in (one for topic in given.sources for one in topics.get(topic, ())):
        if {"forwarded-from", "forwarded-to"} & {name for name, _ in one.headers}:
            yield one


def _letter(one: Seen, prefix: str) -> tuple[Any, ...]:
    """A dead letter; its topic's name without what the worlds don't share."""
    return one.key, one.value, tuple((name, value.decode().removeprefix(prefix)) for name, value in one.headers)
