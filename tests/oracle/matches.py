"""The list that answers a request, worked out by looking at every donor. Brute force and obvious.

Written from the contract's paragraphs "Who is in a list", "How far", "Order" and "Exploring", and what it says of
corrected, closed and past requests. Donors are ``donor-states`` events as plain dicts; what a model thinks of a donor
is passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from h3.api import basic_int as h3

from tests.oracle.rules import DAY, is_eligible, local_day, may_be_offered, preference, tier

RINGS = [5, 10, 20, 35, 50]
RINGS_CRITICAL = [5, 10, 20, 35]
FARTHER = [100, 250]


@dataclass
class Offer:
    donor_id: int
    blood_group: str
    tier: int
    preference: tuple
    score: float
    distance_km: float


@dataclass
class Answer:
    """What of ``matches`` follows from the contract; ``left_out`` are the askable donors who are not offered."""

    reach_km: float = 0
    n_considered: int = 0
    n_compatible: int = 0
    n_eligible: int = 0
    n_askable: int = 0
    offers: list = field(default_factory=list)
    left_out: list = field(default_factory=list)


def distance_km(request, donor):
    latitude, longitude = (math.radians(degrees) for degrees in h3.cell_to_latlng(donor["h3_cell"]))
    to_latitude, to_longitude = math.radians(request["latitude"]), math.radians(request["longitude"])
    a = math.sin((to_latitude - latitude) / 2) ** 2
    b = math.cos(latitude) * math.cos(to_latitude) * math.sin((to_longitude - longitude) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(min(1.0, a + b)))


def is_registered(donor):
    return donor["registered_at"] is not None and donor["erased_at"] is None


def is_promised_elsewhere(request, at, donor):
    """An open promise to any one other request, not more than 24 hours old, or later."""
    return any(
        promise["request_id"] != request["request_id"] and promise["promised_at"] >= at - DAY
        for promise in donor["promises"]
    )


def was_asked(request, at, donor):
    """The latest response to this very request, of the last 7 days, isn't EXPIRED."""
    return any(
        asked["request_id"] == request["request_id"] and asked["responded_at"] >= at - 7 * DAY
        for asked in donor["asked"]
    )


def may_be_asked(request, at, donor):
    """What is left to ask of a compatible, eligible donor."""
    if request["component"] in {"PLATELETS", "PLASMA"} and not donor["apheresis_willing"]:
        return False
    if donor["away_until"] is not None and local_day(at) <= donor["away_until"]:
        return False
    if not donor["contactable"]:
        return False
    return not is_promised_elsewhere(request, at, donor) and not was_asked(request, at, donor)


def answer(request, at, donors, score):
    """Answer a request at an instant.

    ``donors`` are states, one for each donor; ``score(request, at, donor, tier, distance_km)`` is what the model says,
    given the distance to 2 decimals.
    """
    registered = [(distance_km(request, donor), donor) for donor in donors if is_registered(donor)]
    compatible = [(km, donor) for km, donor in registered if may_be_offered(request, donor["blood_group"])]
    eligible = [
        (km, donor) for km, donor in compatible if is_eligible(donor, request["component"], at, request["required_by"])
    ]
    askable = [(km, donor) for km, donor in eligible if may_be_asked(request, at, donor)]

    reach = reach_km(request, [km for km, _ in askable])
    candidates = [offer(request, at, donor, km, score) for km, donor in askable if km <= reach]
    candidates.sort(key=lambda one: (one.preference, -one.score, one.distance_km, one.donor_id))
    n_offered = min(top_k(request, candidates), len(candidates))
    return Answer(
        reach_km=reach,
        n_considered=len([km for km, _ in registered if km <= reach]),
        n_compatible=len([km for km, _ in compatible if km <= reach]),
        n_eligible=len([km for km, _ in eligible if km <= reach]),
        n_askable=len(candidates),
        offers=candidates[:n_offered],
        left_out=candidates[n_offered:],
    )


def reach_km(request, askable_km):
    def within(km):
        return len([one for one in askable_km if one <= km])

    enough = 200 if request["top_k"] is None else 2 * request["top_k"]
    rings = RINGS_CRITICAL if request["urgency"] == "CRITICAL" else RINGS
    for ring in rings:
        if within(ring) >= enough:
            return ring
    for ring in [rings[-1], *FARTHER]:
        if within(ring) >= request["units_required"]:
            return ring
    return FARTHER[-1]


def offer(request, at, donor, km, score):
    found = tier(request, donor["blood_group"])
    shown_km = round(km, 2)
    return Offer(
        donor_id=donor["donor_id"],
        blood_group=donor["blood_group"],
        tier=found,
        preference=preference(request, donor["blood_group"]),
        score=round(score(request, at, donor, found, shown_km), 6),
        distance_km=shown_km,
    )


def top_k(request, candidates):
    """As the request has it, or as many as fill the units with 90 % certainty by their scores, at most 200."""
    if request["top_k"] is not None:
        return request["top_k"]
    for n in range(1, min(200, len(candidates)) + 1):
        if chance_to_fill([one.score for one in candidates[:n]], request["units_required"]) >= 0.9:
            return n
    return 200


def chance_to_fill(scores, units):
    """The chance that at least so many give, where each gives or doesn't by itself."""
    chances = {0: 1.0}  # how many gave → how likely
    for score in scores:
        after = dict.fromkeys(range(len(chances) + 1), 0.0)
        for gave, chance in chances.items():
            after[gave] += chance * (1 - score)
            after[gave + 1] += chance * score
        chances = after
    return 1 - sum(chance for gave, chance in chances.items() if gave < units)


@dataclass
class Expected:
    """What is written in answer to one event; ``empty`` says which rule leaves the list empty, if any does."""

    topic: str
    request_event_id: str
    wave: int
    empty: str | None
    answer: Answer


def answers(records, donors, score):
    """Answer the records of one request: ``(topic, event, timestamp_ms)`` in the order in which they are taken in."""
    taken, created, closed, waves, written = {}, None, None, 0, []
    for topic, event, timestamp_ms in records:
        repeated_ms = taken.get(event["event_id"])
        if repeated_ms is not None and timestamp_ms - repeated_ms <= 7 * 86_400_000:
            continue
        taken[event["event_id"]] = timestamp_ms
        if topic == "blood-request-closed":
            closed = max(closed or order(event), order(event))
            continue
        request = event
        if topic == "blood-request-created":
            created = max(created or order(event), order(event))
        else:
            request = event["request"]
        empty = what_bars(event, request, created, closed)
        recorded = topic == "blood-request-created" or event["recorded"]
        found = Answer() if empty else answer(request, event["occurred_at"], donors, score)
        written.append(
            Expected("matches" if recorded else "match-previews", event["event_id"], waves + 1, empty, found)
        )
        waves += recorded
    return written


def what_bars(event, request, created, closed):
    """Why nobody is looked for, as things stand; of several reasons the first of these.

    A request is closed until a statement later than the closing opens it: a ``blood-request-created``, for good, or
    the one inside a ``match-requested``, for that alone. Once it is open, what bars an older statement is the later.
    """
    opened_at = max([request["occurred_at"], *([created[0]] if created else [])])
    if closed is not None and opened_at <= closed[0]:
        return "closed"
    if created is not None and order(request) < created:
        return "corrected"
    if event is not request and event["occurred_at"] > request["required_by"]:
        return "past"
    return None


SAYS = {"closed": "closed", "corrected": "corrects", "past": "passed"}
"""A word of ``empty_because`` for each reason that leaves a list empty before anybody is looked for."""


def order(event):
    return event["occurred_at"], event["event_id"]


def departures(expected, request, record, score_tolerance=1e-9):
    """What a record of ``matches`` has otherwise than expected, line by line; nothing where it is right."""
    found = expected.answer
    lines = [
        f"{name}: {record[name]} instead of {wanted}"
        for name, wanted in [
            ("request_event_id", expected.request_event_id),
            ("wave", expected.wave),
            ("reach_km", found.reach_km),
            ("n_considered", found.n_considered),
            ("n_compatible", found.n_compatible),
            ("n_eligible", found.n_eligible),
            ("n_askable", found.n_askable),
        ]
        if record[name] != wanted
    ]
    offers = found.offers
    if record["matches"] and record["matches"][-1]["explored"]:
        explored = record["matches"][-1]
        others = [o for o in found.left_out if offers and o.preference == offers[-1].preference]
        chosen = [one for one in others if one.donor_id == explored["donor_id"]]
        may_explore = len(offers) >= 5 and request["urgency"] in {"LOW", "MEDIUM"} and expected.topic == "matches"
        if not chosen or not may_explore:
            lines.append(f"explored: donor {explored['donor_id']} may not stand in for the last one")
        offers = [*offers[:-1], *chosen]
    if [match["donor_id"] for match in record["matches"]] != [one.donor_id for one in offers]:
        offered = [match["donor_id"] for match in record["matches"]]
        return [*lines, f"matches: donors {offered} instead of {[one.donor_id for one in offers]}"]
    for rank, (match, one) in enumerate(zip(record["matches"], offers, strict=True), 1):
        if (match["rank"], match["blood_group"], match["compatibility_tier"]) != (rank, one.blood_group, one.tier):
            lines.append(f"matches: rank, group or tier of {match} instead of {one}")
        if (
            abs(match["match_score"] - one.score) > score_tolerance
            or abs(match["distance_km"] - one.distance_km) > 1e-9
        ):
            lines.append(f"matches: score or distance of {match} instead of {one}")
        if not match["explored"] and match["propensity"] not in {None, 1.0} and rank < len(offers):
            lines.append(f"matches: propensity {match['propensity']} of a donor who would be there anyway")
    if (not record["matches"]) != (record["empty_because"] is not None):
        lines.append(f"empty_because: {record['empty_because']!r} with {len(record['matches'])} offers")
    said = [reason for reason, word in SAYS.items() if word in (record["empty_because"] or "")]
    if said != ([expected.empty] if expected.empty else []):
        lines.append(f"empty_because: {record['empty_because']!r} where the reason is {expected.empty}")
    return lines
