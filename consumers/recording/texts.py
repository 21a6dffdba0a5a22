"""Values as a database takes them: text without NUL, JSON by the letter, finite numbers."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from schemas.errors import InvalidRecord

LONGEST_TEXT = 10_000

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LONE = re.compile("[\x00\ud800-\udfff]")


def text_of(value: str) -> str:
    """Return ``value`` without what Postgres can't hold (NUL, lone surrogates), and no longer than is of use."""
    return _LONE.sub("\ufffd", value[:LONGEST_TEXT])


def optional_text(value: str | None) -> str | None:
    """Return as ``text_of``, or None."""
    return None if value is None else text_of(value)


def uuid_of(value: str, field: str) -> str:
    """Return a UUID in lower case.

    Raises
    ------
    InvalidRecord
        If it is none.
    """
    found = value.lower()
    if _UUID.fullmatch(found) is None:
        reason = f"{field}: {value[:80]!r} is no UUID"
        raise InvalidRecord(reason, kind="event_id")
    return found


def finite(value: float, field: str) -> float:
    """Return a number.

    Raises
    ------
    InvalidRecord
        If it is infinite or NaN, which would make every average NaN.
    """
    if not math.isfinite(value):
        reason = f"{field}: {value} is no finite number"
        raise InvalidRecord(reason, kind="range")
    return value


def json_of(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """Return JSON by the letter: NaN and infinities, which JSON doesn't have, are null, and NUL is replaced."""
    return json.dumps(_plain(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def json_sample(sample: str | None) -> str | None:
    """Return what a scorer gave as JSON text; what isn't JSON becomes a JSON string."""
    if sample is None:
        return None
    try:
        return json_of(json.loads(sample))
    except (ValueError, RecursionError):
        return json_of(text_of(sample))


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {_LONE.sub("\ufffd", name): _plain(part) for name, part in value.items()}
    return value
