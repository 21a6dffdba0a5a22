"""Answers as events of ``matches`` and ``match-previews``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from consumers.matching.asking import Asked
from consumers.matching.matcher import Matched
from features.compatibility import GROUPS, why_nobody
from features.confidence import confidence_of
from features.eligibility import Procedure, procedure_of
from features.index import DonorIndex
from features.reach import Found
from features.reasons import reasons_for
from features.rule_set import RuleSet
from schemas.identifiers import derived_event_id
from schemas.records import Event

MATCHES, PREVIEWS = "matches", "match-previews"


def topic_of(asked: Asked) -> str:
    """Return the topic that carries the answer."""
    return MATCHES if asked.recorded else PREVIEWS


class Answers:
    """Makes events of what was matched.

    Parameters
    ----------
    index : DonorIndex
    rules : RuleSet
    models : sequence of mapping
        Name, version and digest of the models that have a say.
    """

    def __init__(self, index: DonorIndex, rules: RuleSet, models: Sequence[Mapping[str, str]]) -> None:
        self._index = index
        self._rules = rules
        self._models = list(models)
        limits = rules.limits
        self._intervals_us = {
            Procedure.WHOLE_BLOOD: frozenset(
                {
                    limits.whole_blood_to_whole_blood_male_us,
                    limits.whole_blood_to_whole_blood_us,
                    limits.apheresis_to_whole_blood_us,
                    limits.unreturned_apheresis_to_whole_blood_us,
                }
            ),
            Procedure.APHERESIS: frozenset({limits.whole_blood_to_apheresis_us, limits.apheresis_to_apheresis_us}),
        }

    def empty(self, asked: Asked, offsets: list[dict[str, int]]) -> Event:
        """Return the answer where nobody was looked for."""
        return self._event(asked, None, [], asked.empty_because, offsets)

    def events(self, asked: Sequence[Asked], matched: Matched, offsets: list[dict[str, int]]) -> list[Event]:
        """Return the answers to requests that were matched, in their order."""
        matches = self._matches(asked, matched)
        start = matched.offers.start.tolist()
        return [
            self._event(
                one,
                found,
                matches[start[i] : start[i + 1]],
                None if start[i + 1] > start[i] else _nobody(one.request, found),
                offsets,
            )
            for i, (one, found) in enumerate(zip(asked, matched.found, strict=True))
        ]

    def _event(
        self,
        asked: Asked,
        found: Found | None,
        matches: list[dict[str, Any]],
        empty_because: str | None,
        offsets: list[dict[str, int]],
    ) -> Event:
        request = asked.request
        return {
            "event_id": derived_event_id(topic_of(asked), asked.answered.event_id),
            "occurred_at": asked.answered.occurred_at,
            "request_id": request["request_id"],
            "request_event_id": asked.answered.event_id,
            "hospital_id": request["hospital_id"],
            "district": request["district"],
            "latitude": request["latitude"],
            "longitude": request["longitude"],
            "wave": asked.wave,
            "blood_group": request["blood_group"],
            "component": request["component"],
            "units_required": request["units_required"],
            "urgency": request["urgency"],
            "required_by": request["required_by"],
            "reach_km": found.reach_km if found else 0.0,
            "n_considered": found.n_considered if found else 0,
            "n_compatible": found.n_compatible if found else 0,
            "n_eligible": found.n_eligible if found else 0,
            "n_askable": found.n_askable if found else 0,
            "matches": matches,
            "empty_because": empty_because,
            "rule_set_version": self._rules.version,
            "models": self._models,
            "donor_state_offsets": offsets,
        }

    def _matches(self, asked: Sequence[Asked], matched: Matched) -> list[dict[str, Any]]:
        """Return all offers of a batch; columns are gathered for the whole batch at once."""
        offers, columns = matched.offers, self._index.columns
        row = offers.row
        n_of_request = np.diff(offers.start)
        rank = np.arange(len(row)) - np.repeat(offers.start[:-1], n_of_request) + 1
        interval_ended_at = self._interval_ended_at(asked, matched)
        offered = zip(
            rank.tolist(),
            columns.donor_id[row].tolist(),
            offers.score.tolist(),
            confidence_of(offers.score, columns.n_alerts[row]).tolist(),
            columns.availability[row].tolist(),
            columns.reliability[row].tolist(),
            columns.response_time_hours[row].tolist(),
            offers.distance_km.tolist(),
            columns.group[row].tolist(),
            offers.tier.tolist(),
            offers.features.tolist(),
            offers.explored.tolist(),
            offers.propensity.tolist(),
            columns.total_donations[row].tolist(),
            columns.n_answers[row].tolist(),
            interval_ended_at,
            strict=True,
        )
        return [
            {
                "rank": rank,
                "donor_id": donor_id,
                "match_score": score,
                "confidence": confidence,
                "availability_score": availability,
                "reliability_score": reliability,
                "response_time_hours": response_time_hours,
                "distance_km": distance_km,
                "blood_group": GROUPS[group],
                "compatibility_tier": tier,
                "features": features,
                "reasons": reasons_for(tier, total_donations, distance_km, ended_at, n_answers, response_time_hours),
                "explored": explored,
                "propensity": propensity,
                "shadow_scores": None,
            }
            for (
                rank,
                donor_id,
                score,
                confidence,
                availability,
                reliability,
                response_time_hours,
                distance_km,
                group,
                tier,
                features,
                explored,
                propensity,
                total_donations,
                n_answers,
                ended_at,
            ) in offered
        ]

    def _interval_ended_at(self, asked: Sequence[Asked], matched: Matched) -> list[int | None]:
        """Return since when each may give, where that is the end of an interval after the last donation.

        The end of a deferral is health data, and isn't told.
        """
        row, columns = matched.offers.row, self._index.columns
        procedures = [procedure_of(one.request["component"]) for one in asked]
        procedure = np.repeat([one is Procedure.APHERESIS for one in procedures], np.diff(matched.offers.start))
        from_at = np.where(procedure, columns.apheresis_from[row], columns.whole_blood_from[row])
        since_us = from_at - columns.last_donation_at[row]
        intervals_us = (self._intervals_us[Procedure.WHOLE_BLOOD], self._intervals_us[Procedure.APHERESIS])
        return [
            at if us in intervals_us[by_apheresis] else None
            for at, us, by_apheresis in zip(from_at.tolist(), since_us.tolist(), procedure.tolist(), strict=True)
        ]


def _nobody(request: Event, found: Found) -> str:
    """Say why nobody is offered."""
    why = why_nobody(request)
    if why is not None:
        return why
    within = f"within {found.reach_km:g} km"
    if found.n_considered == 0:
        return f"no donor is registered {within}"
    if found.n_compatible == 0:
        return f"nobody {within} has a compatible group"
    if found.n_eligible == 0:
        return f"nobody of a compatible group {within} is eligible now and until required_by"
    return f"nobody is askable {within}: those who are eligible are away, not reachable, promised or asked already"
