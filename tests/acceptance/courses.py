"""What may happen to requests, in stages: each is taken in whole before the next begins.

Within a stage the events of one request are on one topic, so that their order is fixed however batches are cut.
"""

from __future__ import annotations

from typing import Any

from tests.acceptance.world import DAY, World, closing, rematch
from tests.oracle import worlds

MINUTE = 60_000_000
CREATED, CLOSED, REQUESTED = "blood-request-created", "blood-request-closed", "match-requested"

Records = list[tuple[str, int, dict[str, Any]]]


def stages(seed: int, made: World) -> list[Records]:
    """Return the records of each stage, of all requests by turns.

    Some requests are closed before they are known, and some of those by a closing that is older than they are. Then
    they come, as ``world`` has them; waves and previews are asked for; some are closed, made anew, and asked for again.
    """
    rng = worlds.generator(68, seed)
    stated = {
        request_id: max((event for _, event in course), key=lambda event: (event["occurred_at"], event["event_id"]))
        for request_id, course in made.requests.items()
    }
    early = [
        (CLOSED, request_id, closing(rng, request_id, event["occurred_at"] + int(rng.choice([-60, 60])) * MINUTE))
        for request_id, event in stated.items()
        if rng.random() < 0.2
    ]
    asked = _by_turns(
        [
            _asked_for(rng, [event for _, event in course], from_minute=61)
            for course in made.requests.values()
            if rng.random() < 0.7
        ]
    )
    closed = {
        request_id: closing(rng, request_id, event["occurred_at"] + int(rng.integers(130, 200)) * MINUTE, "CANCELLED")
        for request_id, event in stated.items()
        if rng.random() < 0.5
    }
    anew = {
        request_id: _stated_again(rng, stated[request_id], one["occurred_at"] + int(rng.choice([-1, 0, 1])))
        for request_id, one in closed.items()
        if rng.random() < 0.7
    }
    asked_again = _by_turns([_asked_for(rng, [event], from_minute=210) for event in (stated | anew).values()])
    return [
        early,
        made.request_records(),
        asked,
        [(CLOSED, request_id, event) for request_id, event in closed.items()],
        [(CREATED, request_id, event) for request_id, event in anew.items()],
        asked_again,
    ]


def _asked_for(rng, statements: list[dict[str, Any]], from_minute: int) -> Records:
    """Up to three waves and previews of a request, some of them twice, by what was stated of it; some come too late."""
    events = []
    for n in range(int(rng.integers(1, 4))):
        of = worlds.pick(rng, statements)
        at = of["occurred_at"] + (from_minute + 5 * n) * MINUTE
        events.append(rematch(rng, of, at, recorded=bool(rng.random() < 0.6)))
    if rng.random() < 0.2:
        events.append(events[0])
    return [(REQUESTED, event["request"]["request_id"], event) for event in events]


def _stated_again(rng, event: dict[str, Any], at: int) -> dict[str, Any]:
    return event | {"event_id": worlds.event_id(rng), "occurred_at": at, "required_by": at + DAY // 4}


def _by_turns(courses: list[Records]) -> Records:
    longest = max(map(len, courses))
    return [course[n] for n in range(longest) for course in courses if n < len(course)]
