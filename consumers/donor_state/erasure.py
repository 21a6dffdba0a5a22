"""Erasure: a null registration forgets everything but the donor's id and its own instant."""

from __future__ import annotations

from consumers.donor_state import deferrals, donations, profiles, repeats, responses
from consumers.donor_state.donor import NEVER, Donor


def erase(donor: Donor, at: int) -> bool:
    """Forget what was stated at ``at`` or before.

    Where a profile later than ``at`` is known, the donor stays; donations, deferrals and promises later than ``at``
    stay too, and rates begin anew. Else what is later waits for a later profile.

    Parameters
    ----------
    at : int
        The Kafka timestamp of the null, in microseconds.

    Returns
    -------
    bool
        Whether that changed anything; an erasure at or before a known one doesn't.
    """
    if at <= donor.erased_at:
        return False
    donor.erased_at = at
    profiles.forget(donor, at)
    donations.forget(donor, at)
    deferrals.forget(donor, at)
    responses.forget(donor, at, rates=bool(donor.profiles))
    repeats.forget(donor, at)
    if donor.latest_at <= at:
        donor.latest_at = NEVER
    return True
