"""``donor-responded`` → when a donor was notified of a wave, and how long they took to say yes or no."""

from __future__ import annotations

from collections.abc import Iterable

from consumers.recording.rows import ResponseRow
from schemas.records import Event

ANSWERS = frozenset({"ACCEPTED", "DECLINED"})


def response_row(event: Event) -> ResponseRow | None:
    """Return what a response says of being notified or answering; None where it says nothing of either."""
    response, at = event["response"], event["occurred_at"]
    if response != "NOTIFIED" and response not in ANSWERS:
        return None
    notified_at, answered_at = (at, None) if response == "NOTIFIED" else (None, at)
    return ResponseRow(event["donor_id"], event["request_id"], event["wave"], notified_at, answered_at)


def folded_responses(rows: Iterable[ResponseRow]) -> list[ResponseRow]:
    """Return one row for each donor, request and wave, with the earliest instants; by these."""
    found: dict[tuple[int, int, int], ResponseRow] = {}
    for row in rows:
        key = row[:3]
        known = found.get(key)
        found[key] = row if known is None else ResponseRow(*key, _earlier(known[3], row[3]), _earlier(known[4], row[4]))
    return [found[key] for key in sorted(found)]


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)
