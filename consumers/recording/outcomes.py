"""``donor-responded`` and ``donation-recorded`` → what came of asking, by which models are judged; and stream time."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from consumers.recording.rows import OutcomeRow, StreamTimeRow
from features.outcomes import FACTS, NEVER, OF_DONATION, OF_RESPONSE, folded
from schemas.records import Event


def outcomes_of_response(event: Event) -> tuple[OutcomeRow | StreamTimeRow, ...]:
    """Return what a response says of what came of asking, and how late it is."""
    facts = OF_RESPONSE.get(event["response"], ())
    return _rows("donor-responded", event["request_id"], facts, event)


def outcomes_of_donation(event: Event) -> tuple[OutcomeRow | StreamTimeRow, ...]:
    """Return what a donation says of the request that it names, if any, and how late it is.

    Why somebody was sent away is health data, and that they were is all but it: what is kept is that they came.
    """
    facts = OF_DONATION.get(event["outcome"], ())
    return _rows("donation-recorded", event["request_id"], facts, event)


def _rows(
    topic: str, request_id: int | None, facts: Collection[str], event: Event
) -> tuple[OutcomeRow | StreamTimeRow, ...]:
    at = event["occurred_at"]
    latest = StreamTimeRow(topic, at)
    if request_id is None or not facts:
        return (latest,)
    return OutcomeRow(event["donor_id"], request_id, *(at if fact in facts else None for fact in FACTS)), latest


def folded_outcomes(rows: Iterable[OutcomeRow]) -> list[OutcomeRow]:
    """Return one row for each donor and request; by these."""
    found: dict[tuple[int, int], OutcomeRow] = {}
    for row in rows:
        key = row[:2]
        known = found.get(key)
        if known is None:
            found[key] = row
            continue
        both = zip(FACTS, known[2:], row[2:], strict=True)
        found[key] = OutcomeRow(*key, *(_folded(fact, one, other) for fact, one, other in both))
    return [found[key] for key in sorted(found)]


def _folded(fact: str, one: int | None, other: int | None) -> int | None:
    if other is None:
        return one
    return folded(fact, NEVER if one is None else one, other)


def folded_stream_times(rows: Iterable[StreamTimeRow]) -> list[StreamTimeRow]:
    """Return the latest instant of each topic; by topic."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.topic] = max(row.latest_at, found.get(row.topic, row.latest_at))
    return [StreamTimeRow(topic, found[topic]) for topic in sorted(found)]
