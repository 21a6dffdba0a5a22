"""Donations: what was given, when, and whether the red cells came back.

From donations themselves and from what profiles name. The last donation of a kind is the latest that any event names.
"""

from __future__ import annotations

from consumers.donor_state import decayed, deferrals, responses, staircase
from consumers.donor_state.donor import NEVER, Donor
from schemas.records import Event

N_APHERESIS_MAX = 24
N_COMPLETED_MAX = 1_000
WHOLE_BLOOD = frozenset({"WHOLE_BLOOD", "RED_CELLS", "UNKNOWN"})
APHERESIS = frozenset({"PLATELETS", "PLASMA", "UNKNOWN"})


def take(donor: Donor, event: Event, event_id: bytes, *, counts_in_rates: bool) -> None:
    """Fold a ``donation-recorded`` into what is known."""
    at: int = event["occurred_at"]
    outcome: str = event["outcome"]
    if outcome == "COMPLETED":
        _complete(donor, event, at)
    if counts_in_rates:
        decayed.note(donor, outcome, event["component"], at)
    if event["deferral"] is not None:
        deferrals.state(donor, event["deferral"], at, event_id, at)
    if event["request_id"] is not None:
        responses.take_donation(donor, event["request_id"], outcome, at, counts_in_rates=counts_in_rates)


def give_apheresis(donor: Donor, given_at: int, stated_at: int, *, returned: bool) -> None:
    """Take in an apheresis; of two statements about one instant, the one without return holds."""
    returned_at, unreturned_at = donor.apheresis.get(given_at, (NEVER, NEVER))
    if returned:
        returned_at = max(returned_at, stated_at)
    else:
        unreturned_at = max(unreturned_at, stated_at)
        staircase.state(donor.unreturned, stated_at, given_at)
    donor.apheresis[given_at] = (returned_at, unreturned_at)


def settle(donor: Donor) -> None:
    """Forget what can't matter any more.

    Instants of completed donations that the profile counts; and of apheresis what stays behind 24 later ones even if
    an erasure took all that was stated before it.
    """
    if donor.profiles and donor.completed:
        counted_at = min(profile.stated_at for profile in donor.profiles)
        if min(donor.completed) <= counted_at:
            donor.completed = [at for at in donor.completed if at > counted_at]
    if len(donor.completed) > N_COMPLETED_MAX:
        _shorten(donor)
    if len(donor.apheresis) > N_APHERESIS_MAX:
        _keep_last_apheresis(donor)


def total(donor: Donor) -> int:
    """Return the profile's count and what was completed since; without a profile, what was completed."""
    since, count = (donor.profiles[0].occurred_at, donor.profiles[0].total_donations) if donor.profiles else (NEVER, 0)
    count += sum(1 for at in donor.completed if at > since)
    return count + (donor.n_completed_before if donor.completed_before_at > since else 0)


def last_apheresis(donor: Donor) -> list[tuple[int, bool]]:
    """Return the last 24 as (given_at, whether the red cells were returned), newest first."""
    if not donor.apheresis:
        return []
    newest = sorted(donor.apheresis.items(), reverse=True)[:N_APHERESIS_MAX]
    return [(given_at, unreturned_at == NEVER) for given_at, (_, unreturned_at) in newest]


def forget(donor: Donor, at: int) -> None:
    """Take back what was stated at ``at`` or before."""
    donor.completed = [one for one in donor.completed if one > at]
    if donor.completed_before_at <= at:
        donor.n_completed_before, donor.completed_before_at = 0, NEVER
    donor.last_completed_at = donor.last_completed_at if donor.last_completed_at > at else NEVER
    staircase.forget(donor.whole_blood, at)
    staircase.forget(donor.unreturned, at)
    for given_at, stated in list(donor.apheresis.items()):
        returned_at, unreturned_at = (one if one > at else NEVER for one in stated)
        if returned_at == unreturned_at == NEVER:
            del donor.apheresis[given_at]
        else:
            donor.apheresis[given_at] = (returned_at, unreturned_at)


def _complete(donor: Donor, event: Event, at: int) -> None:
    component: str = event["component"]
    donor.completed.append(at)
    donor.last_completed_at = max(donor.last_completed_at, at)
    if component in WHOLE_BLOOD:
        staircase.state(donor.whole_blood, at, at)
    if component in APHERESIS:
        # of an unknown component the less favourable is taken: it barred both, and nothing came back
        give_apheresis(donor, at, at, returned=event["red_cells_returned"] and component != "UNKNOWN")


def _shorten(donor: Donor) -> None:
    """Add the oldest completed donations to a sum; only a profile of between them would count them wrongly."""
    donor.completed.sort()
    n_more = len(donor.completed) - N_COMPLETED_MAX
    donor.n_completed_before += n_more
    donor.completed_before_at = max(donor.completed_before_at, donor.completed[n_more - 1])
    del donor.completed[:n_more]


def _keep_last_apheresis(donor: Donor) -> None:
    kept: list[tuple[int, int]] = []
    for given_at, stated in sorted(donor.apheresis.items(), reverse=True):
        stated_at = max(stated)
        if sum(1 for _, other_at in kept if other_at >= stated_at) < N_APHERESIS_MAX:
            kept.append((given_at, stated_at))
        else:
            del donor.apheresis[given_at]
