"""Events as a person reads them: instants and days by the calendar instead of counted, bytes as base64."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from schemas.catalogue import latest_schema
from schemas.records import Event

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def readable(topic: str, event: Event) -> dict[str, Any]:
    """Return an event of ``topic`` with texts that JSON can hold.

    What no calendar has (before year 1, after 9999) stays the number that it is; NaN and infinity, which JSON doesn't
    have, become null.
    """
    schema = latest_schema(topic).load()
    shown = _shown(event, schema, {})
    assert isinstance(shown, dict)  # noqa: S101 - every schema of ours is a record
    return shown


def instant_text(at_us: int) -> str | int:
    """Return an instant, microseconds since 1970, as ISO 8601 in UTC."""
    try:
        return (EPOCH + timedelta(microseconds=at_us)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return at_us


def bytes_text(data: bytes | None) -> str | dict[str, str] | None:
    """Return bytes as text where they are printable UTF-8, else as base64."""
    if data is None:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
    return text if text.isprintable() else {"base64": base64.b64encode(data).decode()}


def _shown(value: Any, schema: Any, named: dict[str, Any]) -> Any:  # noqa: ANN401 - Avro schemas are nested JSON
    if isinstance(schema, list):  # a union: ours are of null and one more
        schema = next((branch for branch in schema if branch != "null"), "null")
    schema = named.get(schema, {"type": schema}) if isinstance(schema, str) else schema
    if "name" in schema:
        named[schema["name"]] = schema
    kind = schema["type"]
    if value is None or kind in _CONTAINERS:
        return None if value is None else _CONTAINERS[kind](value, schema, named)
    if isinstance(kind, dict | list):
        return _shown(value, kind, named)
    return _SCALARS.get(schema.get("logicalType", kind), _as_it_is)(value)


def _record(value: Any, schema: Any, named: dict[str, Any]) -> Any:  # noqa: ANN401
    return {field["name"]: _shown(value[field["name"]], field["type"], named) for field in schema["fields"]}


def _array(value: Any, schema: Any, named: dict[str, Any]) -> Any:  # noqa: ANN401
    return [_shown(item, schema["items"], named) for item in value]


def _map(value: Any, schema: Any, named: dict[str, Any]) -> Any:  # noqa: ANN401
    return {key: _shown(item, schema["values"], named) for key, item in value.items()}


def _as_it_is(value: Any) -> Any:  # noqa: ANN401
    return value


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _day_text(day: int) -> str | int:
    try:
        return date.fromordinal(day + date(1970, 1, 1).toordinal()).isoformat()
    except (OverflowError, ValueError):
        return day


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_CONTAINERS: dict[str, Callable[[Any, Any, dict[str, Any]], Any]] = {"record": _record, "array": _array, "map": _map}
_SCALARS: dict[str, Callable[[Any], Any]] = {"timestamp-micros": instant_text, "date": _day_text, "bytes": _base64}
_SCALARS |= {"float": _number, "double": _number}
