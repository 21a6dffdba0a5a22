"""``matches`` → ``match_waves`` and ``match_predictions``; previews leave nothing."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence

from consumers.recording.rows import OfferRow, Wave, WaveRow
from consumers.recording.texts import finite, json_of, optional_text, text_of, uuid_of
from features.compatibility import GROUPS, group_text
from schemas.records import Event

MATCH_MODEL = "donor_seeker_match"
GROUP_TEXT = {group: group_text(group) for group in GROUPS}
SCORES = (
    "match_score",
    "confidence",
    "availability_score",
    "response_time_hours",
    "reliability_score",
    "distance_km",
)
"""Of an offer; each must be a number."""


def wave_of(event: Event, feature_names: Sequence[str]) -> Wave:
    """Return one recorded answer and its offers.

    Parameters
    ----------
    event : Event
        From ``matches``.
    feature_names : sequence of str
        Names of what the model saw, in the manifest's order, which stand in JSON as they are; what a model saw
        besides is called ``feature_<n>``.

    Raises
    ------
    InvalidRecord
        If a score is no finite number, or ``request_event_id`` no UUID.
    """
    request_event_id = uuid_of(event["request_event_id"], "request_event_id")
    version = _version(event)
    row = WaveRow(
        request_event_id=request_event_id,
        event_id=event["event_id"],
        request_id=event["request_id"],
        wave=event["wave"],
        reach_km=finite(event["reach_km"], "reach_km"),
        n_considered=event["n_considered"],
        n_compatible=event["n_compatible"],
        n_eligible=event["n_eligible"],
        n_askable=event["n_askable"],
        n_offered=len(event["matches"]),
        empty_because=optional_text(event["empty_because"]),
        rule_set_version=text_of(event["rule_set_version"]),
        model_version=version,
        donor_state_offsets=json_of({str(at["partition"]): at["next_offset"] for at in event["donor_state_offsets"]}),
        created_at=event["occurred_at"],
        required_by=event["required_by"],
        models=json_of(event["models"]),
    )
    return Wave(row, tuple(_offer(request_event_id, match, feature_names) for match in event["matches"]))


def _offer(answered: str, match: Event, feature_names: Sequence[str]) -> OfferRow:
    propensity = match["propensity"]
    if not math.isfinite(sum(match[name] for name in SCORES) + (propensity or 0.0)):
        for name in (*SCORES, "propensity"):
            finite(match[name] or 0.0, name)
    return OfferRow(
        answered,
        match["rank"],
        match["donor_id"],
        match["match_score"],
        match["confidence"],
        match["availability_score"],
        match["response_time_hours"],
        match["reliability_score"],
        match["distance_km"],
        GROUP_TEXT[match["blood_group"]],
        match["compatibility_tier"],
        match["explored"],
        propensity,
        _vector(match["features"], feature_names),
        _numbers(match["answers_within"]),
        _floats(match["behaviour"]),
        json_of(match["shadow_scores"]) if match["shadow_scores"] else None,
    )


def _numbers(values: Sequence[float] | None) -> str | None:
    """Return a JSON list; JSON has no NaN: it is null."""
    if values is None:
        return None
    return "[" + ",".join([repr(value) if math.isfinite(value) else "null" for value in values]) + "]"


def _floats(values: Sequence[float] | None) -> bytes | None:
    """Return numbers in single precision, which they have: little-endian, one after the other."""
    return None if values is None else struct.pack(f"<{len(values)}f", *values)


def _vector(values: Sequence[float], names: Sequence[str]) -> str:
    """Return a JSON object; by hand, since there is one for each offer. JSON has no NaN: it is null."""
    called = names if len(names) == len(values) else _stretched(names, len(values))
    parts = [
        f'"{name}":{value!r}' if math.isfinite(value) else f'"{name}":null'
        for name, value in zip(called, values, strict=True)
    ]
    return "{" + ",".join(parts) + "}"


def _stretched(names: Sequence[str], n_values: int) -> list[str]:
    return [*names[:n_values], *(f"feature_{n}" for n in range(len(names) + 1, n_values + 1))]


def _version(event: Event) -> str | None:
    found = [model["version"] for model in event["models"] if model["model"] == MATCH_MODEL]
    return text_of(found[0]) if found else None


def folded_waves(waves: Iterable[Wave]) -> list[Wave]:
    """Return one wave for each event that was answered: the first, as a repeat changes nothing; by that event's id."""
    found: dict[str, Wave] = {}
    for wave in waves:
        found.setdefault(wave.row.request_event_id, wave)
    return [found[key] for key in sorted(found)]
