"""From what is remembered of a donor to the ``donor-states`` record that others read."""

from __future__ import annotations

from typing import Any

from consumers.donor_state import deferrals, donations, responses
from consumers.donor_state.donor import NEVER, PERMANENT, Donor, Profile
from consumers.donor_state.staircase import highest
from features.priors import AVAILABILITY, RELIABILITY, RESPONSE_TIME, beta_mean_sd, median_hours

TOTAL_MAX = 2**31 - 1

UNREGISTERED = Profile(
    occurred_at=NEVER,
    event_id=b"",
    stated_at=NEVER,
    blood_group="UNKNOWN",
    sex="UNKNOWN",
    born_on=0,
    weight_kg=None,
    district="",
    h3_cell=0,
    joined_at=0,
    contactable=False,
    apheresis_willing=False,
    away_until=None,
    total_donations=0,
)
NOBODY = Donor(0)


def record_of(donor: Donor, event_id: str, memory: bytes) -> dict[str, Any]:
    """Return the ``donor-states`` event of a donor.

    Parameters
    ----------
    event_id : str
        Of the record.
    memory : bytes
        What donor state alone needs: the donor, encoded.

    Returns
    -------
    dict
        While a donor is erased nothing is in its open fields but the id and the instant: later events wait in
        ``memory`` for a later profile.
    """
    erased = donor.erased_at != NEVER and not donor.profiles
    known = NOBODY if erased else donor
    profile = known.profiles[0] if known.profiles else UNREGISTERED
    counts = responses.tally(known)
    availability, _ = beta_mean_sd(AVAILABILITY, counts.n_answers, counts.n_alerts)
    reliability, reliability_sd = beta_mean_sd(RELIABILITY, counts.n_kept, counts.n_promises)
    return {
        "event_id": event_id,
        "occurred_at": max(donor.latest_at, donor.erased_at) if erased else donor.latest_at,
        "donor_id": donor.donor_id,
        "erased_at": donor.erased_at if erased else None,
        "registered_at": profile.occurred_at if known.profiles else None,
        "blood_group": profile.blood_group,
        "sex": profile.sex,
        "born_on": profile.born_on,
        "weight_kg": profile.weight_kg,
        "district": profile.district,
        "h3_cell": profile.h3_cell,
        "joined_at": profile.joined_at,
        "contactable": profile.contactable,
        "apheresis_willing": profile.apheresis_willing,
        "away_until": profile.away_until,
        "total_donations": min(donations.total(known), TOTAL_MAX),
        "last_whole_blood_at": highest(known.whole_blood),
        "apheresis": [
            {"given_at": given_at, "red_cells_returned": returned}
            for given_at, returned in donations.last_apheresis(known)
        ],
        "last_unreturned_apheresis_at": highest(known.unreturned),
        "deferrals": [
            {"rule_item": item, "until": None if until == PERMANENT else until}
            for item, until in deferrals.standing(known)
        ],
        "promises": [
            {"request_id": request_id, "promised_at": promised_at}
            for promised_at, request_id in responses.open_promises(known)
        ],
        "asked": [
            {"request_id": request_id, "responded_at": responded_at}
            for responded_at, request_id in responses.asked(known)
        ],
        "n_alerts": counts.n_alerts,
        "n_answers": counts.n_answers,
        "n_promises": counts.n_promises,
        "n_kept": counts.n_kept,
        "availability_score": availability,
        "reliability_score": reliability,
        "reliability_sd": reliability_sd,
        "response_time_hours": median_hours(RESPONSE_TIME, counts.sum_of_logs / responses.LOG_UNIT, counts.n_times),
        "memory": memory,
    }
