"""Profiles: the latest holds, but what any of them names of donations and deferrals is known."""

from __future__ import annotations

from consumers.donor_state import deferrals, donations, staircase
from consumers.donor_state.donor import Donor, Profile
from consumers.donor_state.projection import TOTAL_MAX, encoded_facts
from schemas.records import Event

N_PROFILES_MAX = 4


def take(donor: Donor, event: Event, event_id: bytes, stated_at: int) -> None:
    """Fold a ``donor-registered`` into what is known.

    Parameters
    ----------
    stated_at : int
        The earlier of its ``occurred_at`` and its Kafka timestamp, in microseconds.
    """
    occurred_at: int = event["occurred_at"]
    _hold(donor, event, event_id, stated_at)
    if event["last_whole_blood_at"] is not None:
        staircase.state(donor.whole_blood, stated_at, event["last_whole_blood_at"])
    for given in event["recent_apheresis"]:
        donations.give_apheresis(donor, given["given_at"], stated_at, returned=given["red_cells_returned"])
    if event["last_apheresis_at"] is not None:
        donations.give_apheresis(donor, event["last_apheresis_at"], stated_at, returned=event["red_cells_returned"])
    for deferral in event["deferrals"]:
        deferrals.state(donor, deferral, occurred_at, event_id, stated_at)


def forget(donor: Donor, at: int) -> None:
    """Take back what was stated at ``at`` or before."""
    donor.profiles = [profile for profile in donor.profiles if profile.stated_at > at]


def _hold(donor: Donor, event: Event, event_id: bytes, stated_at: int) -> None:
    stamp = (event["occurred_at"], event_id)
    if any(held[:2] >= stamp and held.stated_at >= stated_at for held in donor.profiles):
        return
    total = min(max(event["total_donations"], 0), TOTAL_MAX)  # nobody gave less than never
    profile = Profile(*stamp, stated_at, total, encoded_facts(event))
    held = [held for held in donor.profiles if held[:2] > stamp or held.stated_at > stated_at]
    held.append(profile)
    held.sort(key=lambda one: one[:2], reverse=True)
    donor.profiles = held[:N_PROFILES_MAX]
