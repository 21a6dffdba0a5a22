"""What is refused as invalid, with the reason; contracts section 1, *Refused as invalid*.

Each function takes a decoded event and the record that it lay in, and returns the event as the rest of the system
may use it: ids of events in lower case, and instants and days that no calendar has moved to the ends of the one that
Avro's readers share (years 1 to 9999), so that nothing overflows and a donor who gave "in the year 200,000" stays
unable to give.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from features.districts import DISTRICT_NAMES
from features.geo import is_cell_of_resolution_8
from schemas.errors import InvalidRecord
from schemas.records import Event, Record

DAY_US = 86_400_000_000
YEAR_2000_US = 946_684_800_000_000
FIRST_DAY, LAST_DAY = -719_162, 2_932_896
FIRST_INSTANT, LAST_INSTANT = FIRST_DAY * DAY_US, (LAST_DAY + 1) * DAY_US - 1
REQUIRED_WITHIN_US = 90 * DAY_US
HORIZON_DAYS_MAX = 366
UNITS_MAX = 1e9
"""A day's demand beyond it is no forecast."""

MODELS = (
    "donor_seeker_match",
    "donor_availability",
    "donor_response_time",
    "donor_reliability",
    "demand_forecast",
)

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def checked(record: Record, event: Event) -> Event:
    """Check ``event``, which ``record`` carries, by the rules of its topic.

    Raises
    ------
    InvalidRecord
        With the reason and the field.
    """
    check = _CHECKS.get(record.topic)
    return event if check is None else check(record, dict(event))


def donor_of_key(record: Record) -> int:
    """Return the donor whom the key of a null registration names.

    Raises
    ------
    InvalidRecord
        If the key isn't the decimal text of a 64-bit integer.
    """
    return id_of_key(record, "donor_id")


def id_of_key(record: Record, id_field: str) -> int:
    """Return the id that a key is; ``id_field`` says of what.

    Raises
    ------
    InvalidRecord
        If the key isn't the decimal text of a 64-bit integer.
    """
    try:
        found = int(record.key or b"")
    except ValueError:
        found = None
    if found is None or not -(2**63) <= found < 2**63 or str(found).encode() != record.key:
        reason = f"key: {_text(record.key)} is no {id_field}"
        raise InvalidRecord(reason, kind="key")
    return found


def not_null(record: Record) -> bytes:
    """Return the value.

    Raises
    ------
    InvalidRecord
        If it is null, which means something on ``donor-registered`` alone.
    """
    if record.value is None:
        reason = f"value: null, which says nothing on {record.topic}"
        raise InvalidRecord(reason, kind="undecodable")
    return record.value


def _request_created(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, str(event["request_id"]), "request_id")
    return _request(record, event, where="")


def _match_requested(record: Record, event: dict[str, Any]) -> Event:
    request = dict(event["request"])
    _key_is(record, str(request["request_id"]), "request.request_id")
    _head(record, event, where="")
    event["request"] = _request(record, request, where="request.")
    return event


def _request(record: Record, event: dict[str, Any], *, where: str) -> Event:
    _head(record, event, where=where)
    _within(event["units_required"], 1, 100, f"{where}units_required")
    _within(event["top_k"], 1, 1000, f"{where}top_k", optional=True)
    _within(event["patient_age"], 0, 130, f"{where}patient_age", optional=True)
    _within(event["latitude"], -90.0, 90.0, f"{where}latitude")
    _within(event["longitude"], -180.0, 180.0, f"{where}longitude")
    event["required_by"] = _instant(event["required_by"])
    wait_us = event["required_by"] - event["occurred_at"]
    if wait_us < 0:
        reason = f"{where}required_by: before occurred_at"
        raise InvalidRecord(reason, kind="instant")
    if wait_us > REQUIRED_WITHIN_US:
        reason = f"{where}required_by: more than 90 days after occurred_at"
        raise InvalidRecord(reason, kind="instant")
    _known(event["component"], f"{where}component")
    _known(event["urgency"], f"{where}urgency")
    return event


def _request_closed(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, str(event["request_id"]), "request_id")
    _head(record, event, where="")
    _known(event["outcome"], "outcome")
    return event


def _donor_registered(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, str(event["donor_id"]), "donor_id")
    _head(record, event, where="")
    _district(event["district"], "district")
    if not is_cell_of_resolution_8(event["h3_cell"]):
        reason = f"h3_cell: {event['h3_cell']} is no H3 cell of resolution 8"
        raise InvalidRecord(reason, kind="place")
    event["born_on"] = _day(event["born_on"])
    event["away_until"] = _day(event["away_until"])
    for name in ("joined_at", "last_whole_blood_at", "last_apheresis_at"):
        event[name] = _instant(event[name])
    event["recent_apheresis"] = [
        {**given, "given_at": _instant(given["given_at"])} for given in event["recent_apheresis"]
    ]
    event["deferrals"] = [{**deferral, "until": _day(deferral["until"])} for deferral in event["deferrals"]]
    return event


def _donation_recorded(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, str(event["donor_id"]), "donor_id")
    _head(record, event, where="")
    _known(event["outcome"], "outcome")
    deferral = event["deferral"]
    if deferral is not None:
        event["deferral"] = {**deferral, "until": _day(deferral["until"])}
    return event


def _donor_responded(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, str(event["donor_id"]), "donor_id")
    _head(record, event, where="")
    _known(event["response"], "response")
    return event


def _model_released(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, f"{event['model']}/{event['version']}", "model/version")
    _head(record, event, where="")
    _model(event)
    _known(event["role"], "role")
    _within(event["share"], 0.0, 1.0, "share")
    return event


def _forecast_triggered(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, event["schedule"], "schedule")
    _head(record, event, where="")
    _within(event["horizon_days"], 1, HORIZON_DAYS_MAX, "horizon_days")
    if not YEAR_2000_US <= event["as_of"] <= event["occurred_at"] + DAY_US:
        reason = "as_of: before the year 2000, or more than a day after occurred_at: such days are not over"
        raise InvalidRecord(reason, kind="instant")
    for district in event["districts"]:
        _district(district, "districts")
    return event


def _maintenance_triggered(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, event["schedule"], "schedule")
    _head(record, event, where="")
    if not YEAR_2000_US <= event["slot_at"] <= event["occurred_at"] + DAY_US:
        reason = "slot_at: before the year 2000, or more than a day after occurred_at"
        raise InvalidRecord(reason, kind="instant")
    return event


def _demand_forecasted(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, f"{event['district']}/{event['blood_group']}", "district/group")
    # A processor wrote it: its instant is the stream's, as with ``prediction-logged``.
    _event_id(event, where="")
    _since_2000(event, where="")
    _district(event["district"], "district")
    _known(event["blood_group"], "blood_group")
    if not YEAR_2000_US <= event["as_of"] <= LAST_INSTANT:
        reason = "as_of: before the year 2000, or after 9999"
        raise InvalidRecord(reason, kind="instant")
    for one in event["days"]:
        _within(one["day"], YEAR_2000_US // DAY_US, LAST_DAY, "days.day")
        for name in ("predicted_demand", "confidence_lower", "confidence_upper"):
            _within(one[name], 0.0, UNITS_MAX, f"days.{name}")
        for quantile in one["quantiles"]:
            _within(quantile["level"], 0.0, 1.0, "days.quantiles.level")
            _within(quantile["value"], 0.0, UNITS_MAX, "days.quantiles.value")
    return event


def _prediction_logged(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, event["model"], "model")
    # A processor wrote it: its instant is the stream's, its timestamp that of writing, and neither bounds the other.
    _event_id(event, where="")
    _since_2000(event, where="")
    _model(event)
    return event


def _keyed_by_request(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, str(event["request_id"]), "request_id")
    _event_id(event, where="")
    return event


def _keyed_by_donor(record: Record, event: dict[str, Any]) -> Event:
    _key_is(record, str(event["donor_id"]), "donor_id")
    _event_id(event, where="")
    return event


_CHECKS: dict[str, Callable[[Record, dict[str, Any]], Event]] = {
    "blood-request-created": _request_created,
    "blood-request-closed": _request_closed,
    "match-requested": _match_requested,
    "donor-registered": _donor_registered,
    "donation-recorded": _donation_recorded,
    "donor-responded": _donor_responded,
    "model-released": _model_released,
    "forecast-triggered": _forecast_triggered,
    "maintenance-triggered": _maintenance_triggered,
    "demand-forecasted": _demand_forecasted,
    "prediction-logged": _prediction_logged,
    "matches": _keyed_by_request,
    "match-previews": _keyed_by_request,
    "donor-states": _keyed_by_donor,
}


def _head(record: Record, event: dict[str, Any], *, where: str) -> None:
    _event_id(event, where=where)
    _since_2000(event, where=where)
    if event["occurred_at"] > record.timestamp_ms * 1000 + DAY_US:
        reason = f"{where}occurred_at: more than a day after the record's own timestamp"
        raise InvalidRecord(reason, kind="instant")
    event["occurred_at"] = _instant(event["occurred_at"])


def _since_2000(event: dict[str, Any], *, where: str) -> None:
    if event["occurred_at"] < YEAR_2000_US:
        reason = f"{where}occurred_at: before the year 2000"
        raise InvalidRecord(reason, kind="instant")


def _event_id(event: dict[str, Any], *, where: str) -> None:
    event_id = event["event_id"].lower()
    if _UUID.fullmatch(event_id) is None:
        reason = f"{where}event_id: {event_id[:80]!r} is no UUID"
        raise InvalidRecord(reason, kind="event_id")
    event["event_id"] = event_id


def _model(event: dict[str, Any]) -> None:
    if event["model"] not in MODELS:
        reason = f"model: {event['model'][:80]!r} is none of the five"
        raise InvalidRecord(reason, kind="model")


def _key_is(record: Record, text: str, field: str) -> None:
    if record.key != text.encode():
        reason = f"key: {_text(record.key)} is not {field}, which is {text[:80]}"
        raise InvalidRecord(reason, kind="key")


def _known(symbol: str, field: str) -> None:
    if symbol == "UNKNOWN":
        reason = f"{field}: UNKNOWN leaves nothing lawful to do"
        raise InvalidRecord(reason, kind="unknown_symbol")


def _district(name: str, field: str) -> None:
    if name not in DISTRICT_NAMES:
        reason = f"{field}: {name[:80]!r} is no district that is known"
        raise InvalidRecord(reason, kind="place")


def _within(value: float | None, least: float, most: float, field: str, *, optional: bool = False) -> None:
    if value is None and optional:
        return
    if value is None or not math.isfinite(value) or not least <= value <= most:
        reason = f"{field}: {value} is not within {least} to {most}"
        raise InvalidRecord(reason, kind="range")


def _day(day: int | None) -> int | None:
    return None if day is None else min(max(day, FIRST_DAY), LAST_DAY)


def _instant(instant: int | None) -> int | None:
    return None if instant is None else min(max(instant, FIRST_INSTANT), LAST_INSTANT)


def _text(key: bytes | None) -> str:
    return "null" if key is None else repr(key[:80].decode("utf-8", "backslashreplace"))
