"""``model-released`` → ``model_releases``, from which ``model_artifacts`` follows."""

from __future__ import annotations

from collections.abc import Iterable

from consumers.recording.rows import ReleaseRow
from consumers.recording.texts import text_of
from schemas.records import Event, Record


def release_row(record: Record, event: Event) -> ReleaseRow:
    """Return what a release says."""
    return ReleaseRow(
        event_id=event["event_id"],
        release_offset=record.offset,
        model_name=event["model"],
        version=text_of(event["version"]),
        sha256=text_of(event["sha256"].lower()),
        role=event["role"].lower(),
        share=event["share"],
        released_at=event["occurred_at"],
    )


def folded_releases(rows: Iterable[ReleaseRow]) -> list[ReleaseRow]:
    """Return each release once: the same event again is no second word."""
    found: dict[str, ReleaseRow] = {}
    for row in rows:
        found.setdefault(row.event_id, row)
    return list(found.values())
