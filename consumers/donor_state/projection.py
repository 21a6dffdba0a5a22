"""From what is remembered of a donor to the ``donor-states`` record that others read."""

from __future__ import annotations

from struct import Struct

from consumers.donor_state import counted, decayed, deferrals, donations, responses
from consumers.donor_state.donor import DECAYED, NEVER, NO_SUMS, PERMANENT, Donor
from consumers.donor_state.staircase import highest
from features.decay import HalfLives
from features.priors import AVAILABILITY, RELIABILITY, RESPONSE_TIME, beta_mean_sd, median_hours
from schemas.avro import FALSE, NULL, SOME, TRUE, array, bytes_, long, optional_long, text
from schemas.catalogue import latest_schema
from schemas.records import Event

TOTAL_MAX = 2**31 - 1
"""The largest int of Avro."""
NOBODY = Donor(0)
DEFAULT_HALF_LIVES = HalfLives()
_SCORES = Struct("<4d")
_DOUBLE = Struct("<d")
_EVENT_ID_LENGTH = long(36)
_NO_SUMS = NULL * len(DECAYED)
_ALWAYS = frozenset({decayed.ALERTS, decayed.PROMISES})

FIELDS_BEFORE = ("event_id", "occurred_at", "donor_id", "erased_at", "last_erased_at", "registered_at")
PROFILE_FIELDS = (
    "blood_group",
    "sex",
    "born_on",
    "weight_kg",
    "district",
    "h3_cell",
    "joined_at",
    "contactable",
    "apheresis_willing",
    "away_until",
)
FIELDS_AFTER = (
    "total_donations",
    "last_whole_blood_at",
    "apheresis",
    "last_unreturned_apheresis_at",
    "deferrals",
    "promises",
    "asked",
    "n_alerts",
    "n_answers",
    "n_promises",
    "n_kept",
    "availability_score",
    "reliability_score",
    "reliability_sd",
    "response_time_hours",
    "memory",
    *(f"{name}_decayed" for name in DECAYED),
)
"""The record's fields in their order, which a test compares with the schema's."""

UNREGISTERED: Event = {
    "blood_group": "UNKNOWN",
    "sex": "UNKNOWN",
    "born_on": 0,
    "weight_kg": None,
    "district": "",
    "h3_cell": 0,
    "joined_at": 0,
    "contactable": False,
    "apheresis_willing": False,
    "away_until": None,
}


def _symbols(field: str) -> dict[str, bytes]:
    """Return the symbols of an enum, each with what it is in Avro."""
    fields = {one["name"]: one for one in latest_schema("donor-states").load()["fields"]}
    return {symbol: long(place) for place, symbol in enumerate(fields[field]["type"]["symbols"])}


_GROUPS, _SEXES = _symbols("blood_group"), _symbols("sex")


def encoded_facts(profile: Event) -> bytes:
    """Return the fields of a profile that ``donor-states`` carries as they are, in Avro, one after the other."""
    weight_kg = profile["weight_kg"]
    parts = [
        _GROUPS[profile["blood_group"]],
        _SEXES[profile["sex"]],
        long(profile["born_on"]),
        NULL if weight_kg is None else SOME + _DOUBLE.pack(weight_kg),
        text(profile["district"]),
        long(profile["h3_cell"]),
        long(profile["joined_at"]),
        TRUE if profile["contactable"] else FALSE,
        TRUE if profile["apheresis_willing"] else FALSE,
        optional_long(profile["away_until"]),
    ]
    return b"".join(parts)


NO_FACTS = encoded_facts(UNREGISTERED)


def encoded_state(
    donor: Donor, event_id: str, memory: bytes, frame: bytes = b"", half_lives: HalfLives = DEFAULT_HALF_LIVES
) -> bytes:
    """Return the ``donor-states`` event of a donor in Avro.

    While a donor is erased nothing is in the open fields but the id and the instant: later events wait in ``memory``
    for a later profile.

    Parameters
    ----------
    event_id : str
        Of the record.
    memory : bytes
        What donor state alone needs: the donor, encoded.
    frame : bytes
        What stands before the event.
    half_lives : HalfLives
        Of what fades.
    """
    erased = donor.erased_at != NEVER and not donor.profiles
    known = NOBODY if erased else donor
    occurred_at = max(donor.latest_at, donor.erased_at) if erased else donor.latest_at
    accounts = [counted.account(facts) for facts in known.requests.values()]
    counts = responses.tally(known, accounts)
    sums = decayed.sums(known, accounts, half_lives)
    parts = [
        long(occurred_at),
        long(donor.donor_id),
        optional_long(donor.erased_at if erased else None),
        optional_long(donor.erased_at if donor.erased_at != NEVER else None),
        optional_long(known.profiles[0].occurred_at) + known.profiles[0].facts if known.profiles else NULL + NO_FACTS,
        long(min(donations.total(known), TOTAL_MAX)),
        optional_long(highest(known.whole_blood)),
        array([long(at) + (TRUE if returned else FALSE) for at, returned in donations.last_apheresis(known)]),
        optional_long(highest(known.unreturned)),
        array([text(item) + _last_day(until) for item, until in deferrals.standing(known)]),
        array([long(request_id) + long(at) for at, request_id in responses.open_promises(known)]),
        array([long(request_id) + long(at) for at, request_id in responses.asked(known)]),
        *map(long, counts[:4]),
        _scores(sums),
        bytes_(memory),
        _sums(sums, is_counted=counts.n_alerts + counts.n_promises > 0),
    ]
    return framed(frame, event_id, b"".join(parts))


def framed(frame: bytes, event_id: str, rest: bytes) -> bytes:
    """Return a record of this id whose other fields are encoded already."""
    return b"".join((frame, _EVENT_ID_LENGTH, event_id.encode(), rest))


def _sums(sums: tuple[float, ...], *, is_counted: bool) -> bytes:
    """Return what fades; a null stands for nothing at all, which is so of most that most donors did.

    Alerts and promises are written wherever anything was ever counted, be it that nothing of it is left: a null of both
    is what states of the first version have.
    """
    if sums is NO_SUMS and not is_counted:
        return _NO_SUMS
    return b"".join([SOME + _DOUBLE.pack(one) if one or i in _ALWAYS else NULL for i, one in enumerate(sums)])


def _last_day(until: int) -> bytes:
    return optional_long(None if until == PERMANENT else until)


def _scores(sums: tuple[float, ...]) -> bytes:
    """Return the scores that follow from what fades, as of the donor's latest event."""
    if sums is NO_SUMS:
        return _NO_SCORES
    availability, _ = beta_mean_sd(AVAILABILITY, sums[decayed.ACCEPTANCES], sums[decayed.ALERTS])
    reliability, sd = beta_mean_sd(RELIABILITY, sums[decayed.KEPT], sums[decayed.PROMISES])
    hours = median_hours(RESPONSE_TIME, sums[decayed.LOG_HOURS], sums[decayed.TIMES])
    return _SCORES.pack(availability, reliability, sd, hours)


_NO_SCORES = _SCORES.pack(
    AVAILABILITY.mean, *beta_mean_sd(RELIABILITY, 0.0, 0.0), median_hours(RESPONSE_TIME, 0.0, 0.0)
)
