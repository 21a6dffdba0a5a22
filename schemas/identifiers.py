"""Ids that are derived, never drawn, so that two tries at the same work give the same bytes."""

from __future__ import annotations

import uuid

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:smartblood-stream:events")


def derived_event_id(topic: str, answered: str) -> str:
    """Return the id of what a processor writes to ``topic`` in answer to the event ``answered``.

    Only the topic and the event count: nothing that can differ between two tries.
    """
    return str(uuid.uuid5(NAMESPACE, f"{topic}:{answered}"))
