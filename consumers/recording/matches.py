"""``matches`` → ``match_waves`` and ``match_predictions``; previews leave nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from consumers.recording.rows import OfferRow, Wave, WaveRow
from consumers.recording.texts import finite, json_of, optional_text, text_of, uuid_of
from features.compatibility import group_text
from schemas.records import Event

MATCH_MODEL = "donor_seeker_match"


def wave_of(event: Event, feature_names: Sequence[str]) -> Wave:
    """Return one recorded answer and its offers.

    Parameters
    ----------
    event : Event
        From ``matches``.
    feature_names : sequence of str
        Names of what the model saw, in the manifest's order; what a model saw besides is called ``feature_<n>``.

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
    )
    return Wave(row, tuple(_offer(row, match, feature_names) for match in event["matches"]))


def _offer(wave: WaveRow, match: Event, feature_names: Sequence[str]) -> OfferRow:
    propensity = match["propensity"]
    return OfferRow(
        request_event_id=wave.request_event_id,
        rank=match["rank"],
        request_id=wave.request_id,
        wave=wave.wave,
        donor_id=match["donor_id"],
        match_score=finite(match["match_score"], "match_score"),
        confidence=finite(match["confidence"], "confidence"),
        availability_score=finite(match["availability_score"], "availability_score"),
        response_time_hours=finite(match["response_time_hours"], "response_time_hours"),
        reliability_score=finite(match["reliability_score"], "reliability_score"),
        distance_km=finite(match["distance_km"], "distance_km"),
        blood_group=group_text(match["blood_group"]),
        compatibility_tier=match["compatibility_tier"],
        explored=match["explored"],
        propensity=None if propensity is None else finite(propensity, "propensity"),
        model_version=wave.model_version,
        feature_vector=_vector(match["features"], feature_names),
        created_at=wave.created_at,
    )


def _vector(values: Sequence[float], names: Sequence[str]) -> str:
    called = [*names[: len(values)], *(f"feature_{n}" for n in range(len(names) + 1, len(values) + 1))]
    return json_of(dict(zip(called, values, strict=True)))


def _version(event: Event) -> str | None:
    found = [model["version"] for model in event["models"] if model["model"] == MATCH_MODEL]
    return text_of(found[0]) if found else None


def folded_waves(waves: Iterable[Wave]) -> list[Wave]:
    """Return one wave for each event that was answered: the first, as a repeat changes nothing; by that event's id."""
    found: dict[str, Wave] = {}
    for wave in waves:
        found.setdefault(wave.row.request_event_id, wave)
    return [found[key] for key in sorted(found)]
