"""Events for tests of recording: the examples of the schemas, with changes."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from schemas.codec import Codec
from schemas.records import Record

EXAMPLES = Path(__file__).parents[1] / "schemas" / "examples"
CODEC = Codec()
AT = 1_764_057_600_000_000
"""Of the examples: 2025-11-25 08:00 UTC."""

MINUTE = 60_000_000
KEYS = {
    "blood-request-created": "request_id",
    "blood-request-closed": "request_id",
    "matches": "request_id",
    "donation-recorded": "donor_id",
    "donor-responded": "donor_id",
    "donor-states": "donor_id",
    "prediction-logged": "model",
    "forecast-triggered": "schedule",
    "maintenance-triggered": "schedule",
}


def an_id(n: int) -> str:
    """A UUID that sorts as ``n`` does."""
    return str(uuid.UUID(int=n))


def event(topic: str, **changes: Any) -> dict[str, Any]:
    """The example of a topic, with changes; its id is derived from them unless given."""
    found = json.loads((EXAMPLES / f"{topic}.v1.json").read_text("utf-8"))["event"]
    if "memory" in found:
        found["memory"] = b""
    found |= changes
    if "event_id" not in changes:
        found["event_id"] = str(uuid.uuid5(uuid.NAMESPACE_OID, topic + repr(sorted(changes.items()))))
    return found


def matches_of(donors: list[int], **changes: Any) -> dict[str, Any]:
    """A ``matches`` event that offers these donors, in this order."""
    found = event("matches", **changes)
    example = found["matches"][0] | {"answers_within": None, "behaviour": None}
    found["matches"] = [example | {"rank": rank, "donor_id": donor} for rank, donor in enumerate(donors, 1)]
    return found


def key_of(topic: str, of: dict[str, Any]) -> bytes:
    """The key under which an event lies."""
    if topic == "demand-forecasted":
        return f"{of['district']}/{of['blood_group']}".encode()
    if topic == "model-released":
        return f"{of['model']}/{of['version']}".encode()
    return str(of[KEYS[topic]]).encode()


def record(topic: str, of: dict[str, Any] | bytes | None, *, partition: int = 0, offset: int = 0) -> Record:
    """An event as it lies in Kafka."""
    if of is None or isinstance(of, bytes):
        return Record(topic, partition, offset, AT // 1000, b"1", of)
    return Record(topic, partition, offset, AT // 1000, key_of(topic, of), CODEC.encode(topic, of))
