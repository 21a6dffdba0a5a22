"""What upstreams send when they are broken, for every topic that a processor reads in a group."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from h3.api import basic_int as h3

from tests.acceptance.wire import AVRO, SCHEMAS
from tests.acceptance.world import DAY, closing, donation, now_us, registration, rematch, request, response
from tests.oracle import avro, worlds

READ_IN_A_GROUP = {
    "donor-registered": {"donor-state"},
    "donation-recorded": {"donor-state", "recording"},
    "donor-responded": {"donor-state", "recording"},
    "blood-request-created": {"matching", "recording"},
    "blood-request-closed": {"matching", "recording"},
    "match-requested": {"matching"},
}
"""Who reads each topic from upstream in a group; recording keeps what it refuses in its table."""

YEAR_1999_US = 915_148_800_000_000


class Garbage(NamedTuple):
    """A record that must be refused; ``hint`` is a word that the reason should have, where there is an obvious one."""

    what: str
    topic: str
    key: bytes | None
    value: bytes | None
    hint: str = ""


def good(rng, topic: str, number: int) -> tuple[int, dict[str, Any]]:
    """A record of the topic that is beyond reproach: key and event."""
    now = now_us()
    made = {
        "donor-registered": lambda: registration(rng, number, at=now - DAY),
        "donation-recorded": lambda: donation(rng, number, now - DAY, outcome="CANCELLED"),
        "donor-responded": lambda: response(rng, number, now - DAY, 77_777, "NOTIFIED"),
        "blood-request-created": lambda: request(rng, number, at=now),
        "blood-request-closed": lambda: closing(rng, number, now),
        "match-requested": lambda: rematch(rng, request(rng, number, at=now), now, recorded=True),
        "model-released": lambda: {
            "event_id": worlds.event_id(rng),
            "occurred_at": now,
            "model": "donor_reliability",
            "version": str(number),
            "sha256": "0" * 64,
            "role": "SHADOW",
            "share": 0.0,
        },
    }
    return number, made[topic]()


def garbage(topic: str, seed: int = 5) -> Iterator[Garbage]:
    """Everything that must be refused on a topic."""
    rng = worlds.generator(71, seed, len(topic))
    numbers = iter(range(900_000, 1_000_000))

    def fresh() -> tuple[bytes, dict[str, Any], bytes]:
        number, event = good(rng, topic, next(numbers))
        return key_of(topic, number, event), event, AVRO.encode(topic, event)

    yield from no_events(topic, fresh, random.Random(seed))
    yield from no_writers(topic, fresh)
    yield from no_lawful_heads(topic, fresh)
    for what, path, value in wrong_fields(topic):
        key, event, _ = fresh()
        yield Garbage(f"{what}", topic, key, AVRO.encode(topic, changed(event, path, value)), path[-1])
    if topic == "donor-registered":
        for text in (b"", b"abc", b"042", b"+42", b" 42", b"4 2", b"9223372036854775808", "４２".encode(), b"\xff"):
            yield Garbage(f"null under the key {text!r}", topic, text, None, "key")
    else:
        yield Garbage("null where it means nothing", topic, fresh()[0], None)


def no_events(topic: str, fresh: Any, rnd: random.Random) -> Iterator[Garbage]:
    """Bytes that are no event of the topic's schema."""
    key, _, value = fresh()
    yield Garbage("nothing at all", topic, key, b"")
    yield Garbage("three bytes", topic, key, value[:3])
    yield Garbage("a frame without a body", topic, key, value[:5])
    yield Garbage("truncated", topic, key, value[: len(value) // 2])
    yield Garbage("truncated by one byte", topic, key, value[:-1])
    yield Garbage("a byte too many", topic, key, value + b"\0")
    yield Garbage("wrong magic", topic, key, b"\1" + value[1:])
    yield Garbage("a schema nobody knows", topic, key, struct.pack(">bI", 0, 4_000_000_000) + value[5:])
    other = "donor-responded" if topic != "donor-responded" else "donation-recorded"
    _, foreign = good(worlds.generator(1), other, 5)
    yield Garbage("another topic's event", topic, key, AVRO.encode(other, foreign))
    yield Garbage("random bytes", topic, key, rnd.randbytes(300))
    yield Garbage("random bytes in a frame", topic, key, value[:5] + rnd.randbytes(300))
    yield Garbage("JSON", topic, key, b'{"request_id": 5}')
    yield Garbage("a megabyte of zeros", topic, key, bytes(2**20))
    yield Garbage("a megabyte of zeros in a frame", topic, key, value[:5] + bytes(2**20))
    yield Garbage("a text of 2**62 bytes", topic, key, value[:5] + b"\xfe" * 8 + b"\x7f" + value[6:])
    yield Garbage("a text of negative length", topic, key, value[:5] + b"\x47" + value[6:])
    yield Garbage("a number without an end", topic, key, value[:5] + b"\xff" * 200)


def no_writers(topic: str, fresh: Any) -> Iterator[Garbage]:
    """Events that are right but for the bytes of one field, which no writer of Avro writes so."""
    schema = json.loads((SCHEMAS / "events" / f"{topic}.v1.avsc").read_text("utf-8"))
    for what, field, forge in avro.forgeries(schema):
        key, event, value = fresh()
        if "deferrals" in event and not event["deferrals"]:
            event["deferrals"] = [{"rule_item": "item 60", "until": None}]
        if "recent_apheresis" in event and not event["recent_apheresis"]:
            event["recent_apheresis"] = [{"given_at": event["joined_at"], "red_cells_returned": True}]
        if "deferral" in event and not event["deferral"]:
            event["deferral"] = {"rule_item": "item 60", "until": None}
        yield Garbage(f"{field}: {what}", topic, key, value[:5] + avro.Forger(field, forge).write(schema, event), field)


def as_others_write(topic: str, event: Mapping[str, Any], rnd: random.Random) -> bytes:
    """A lawful record as other writers may write it: blocks with and without sizes, numbers longer than need be."""
    schema = json.loads((SCHEMAS / "events" / f"{topic}.v1.avsc").read_text("utf-8"))
    return AVRO.encode(topic, event)[:5] + avro.Writer(rnd.randrange).write(schema, event)


def no_lawful_heads(topic: str, fresh: Any) -> Iterator[Garbage]:
    """Events whose key, id or instant breaks the contract."""
    key, _, value = fresh()
    yield Garbage("a key of another", topic, b"1", value, "key")
    yield Garbage("a key with a zero before", topic, b"0" + key, value, "key")
    if topic != "donor-registered":  # a broker takes no record without a key into a compacted topic
        yield Garbage("no key", topic, None, value, "key")
    yield Garbage("an empty key", topic, b"", value, "key")
    now = now_us()
    for what, name, wrong in [
        ("an id that is no UUID", "event_id", "not-a-uuid"),
        ("an empty id", "event_id", ""),
        ("before the year 2000", "occurred_at", YEAR_1999_US),
        ("before any year", "occurred_at", -(2**63)),
        ("two days ahead", "occurred_at", now + 2 * DAY),
        ("after any year", "occurred_at", 2**63 - 1),
    ]:
        key, event, _ = fresh()
        yield Garbage(what, topic, key, raw(topic, event | {name: wrong}), name)


NO_INTS = (2**31, -(2**31) - 1, 2**40)
"""Beyond what Avro's int can say; many writers write it nevertheless."""


def wrong_fields(topic: str) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """What, the field's path, and the value that it must not have."""
    wrong = {
        "blood-request-created": [((name,), value) for name, value in wrong_of_request()],
        "match-requested": [
            *((("request", name), value) for name, value in wrong_of_request()),
            (("request", "occurred_at"), YEAR_1999_US),
            (("request", "event_id"), "nobody"),
        ],
        "blood-request-closed": [(("outcome",), "UNKNOWN"), *((("units_fulfilled",), units) for units in NO_INTS)],
        "donation-recorded": [(("outcome",), "UNKNOWN")],
        "donor-responded": [(("response",), "UNKNOWN"), *((("wave",), wave) for wave in NO_INTS)],
        "donor-registered": [
            *((("total_donations",), total) for total in NO_INTS),
            (("district",), "Atlantis"),
            (("district",), ""),
            (("h3_cell",), 0),
            (("h3_cell",), -1),
            (("h3_cell",), h3.latlng_to_cell(9.98, 76.28, 7)),
            (("h3_cell",), h3.latlng_to_cell(9.98, 76.28, 9)),
        ],
    }
    for path, value in wrong[topic]:
        yield f"{'.'.join(path)} {value}", path, value


def wrong_of_request() -> list[tuple[str, Any]]:
    now = now_us()
    return [
        ("units_required", 0),
        ("units_required", -1),
        ("units_required", 101),
        ("top_k", 0),
        ("top_k", 1001),
        ("patient_age", -1),
        ("patient_age", 131),
        ("latitude", math.nan),
        ("latitude", 90.1),
        ("latitude", -math.inf),
        ("longitude", math.nan),
        ("longitude", math.inf),
        ("longitude", -180.5),
        ("required_by", now - DAY),
        ("required_by", now + 91 * DAY),
        ("required_by", 2**63 - 1),
        ("component", "UNKNOWN"),
        ("urgency", "UNKNOWN"),
    ]


def changed(event: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    if len(path) == 1:
        return {**event, path[0]: value}
    return {**event, path[0]: changed(event[path[0]], path[1:], value)}


def raw(topic: str, event: Mapping[str, Any]) -> bytes:
    return AVRO.encode(topic, event)


def key_of(topic: str, number: int, event: Mapping[str, Any]) -> bytes:
    if topic == "model-released":
        return f"{event['model']}/{event['version']}".encode()
    return str(number).encode()
