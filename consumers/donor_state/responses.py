"""Responses: which promises are open, which requests the donor was asked for, and the rates.

Facts that say whom not to ask (``open_promises``, ``asked``) take every event, however late. Rates leave out what came
too late to be taken in whatever the order (the caller says so with ``counts_in_rates``), and what occurred more than
97 days after the first that counts of its request: so a request can be summed up one day, and what is said of it later
still changes nothing, whether that has happened yet or not.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from typing import NamedTuple

from consumers.donor_state import counted, decayed
from consumers.donor_state.counted import AGREED, ALERTED, ANSWERED, CAME, DAY_US, FAILED, PROMISED, REQUEST_SPAN_US
from consumers.donor_state.donor import (
    ACCEPTED,
    ARRIVED,
    DECLINED,
    EXPIRED,
    NEVER,
    NOTIFIED,
    OPENED,
    RESPONSES,
    Account,
    Donor,
    RequestFacts,
)
from features.decay import HalfLives
from schemas.records import Event

ASKED_US = REQUEST_SPAN_US + 30 * DAY_US
"""How long before the latest known of a donor a response still says that the donor was asked: whoever is matched may
lie so far behind the donor's events, where a backlog is worked off, and the 7 days of the contract count from there."""

N_REQUESTS_MAX = 1_000
N_PROMISES = 2
PROMISING = (ACCEPTED, ARRIVED)
_CODE = {symbol: code for code, symbol in enumerate(RESPONSES)}
ROLES = {
    NOTIFIED: ALERTED,
    ACCEPTED: ANSWERED | AGREED | PROMISED,
    DECLINED: ANSWERED | FAILED,
    EXPIRED: FAILED,
    ARRIVED: ANSWERED | AGREED | PROMISED | CAME,
}
"""Of what counts in rates. Opening a message answers nothing."""
_CAME = frozenset({"COMPLETED", "DEFERRED"})
"""Whoever was deferred on the spot did come."""


class Tally(NamedTuple):
    """Alerts, those that were answered, promises kept or broken, those kept, and logarithms of times to answer."""

    n_alerts: int
    n_answers: int
    n_promises: int
    n_kept: int


def take(donor: Donor, event: Event, event_id: bytes, *, counts_in_rates: bool) -> None:
    """Fold a ``donor-responded`` into what is known."""
    at: int = event["occurred_at"]
    response = _CODE[event["response"]]
    facts = _facts(donor, event["request_id"])
    if at > facts.latest_at or (at == facts.latest_at and event_id > facts.latest_id):
        facts.latest_at, facts.latest_id, facts.latest = at, event_id, response
    if response not in (NOTIFIED, OPENED) and (
        at > facts.decisive_at or (at == facts.decisive_at and event_id > facts.decisive_id)
    ):
        facts.decisive_at, facts.decisive_id, facts.decisive = at, event_id, response
    if counts_in_rates and response in ROLES:
        counted.take(facts, at, event["wave"], ROLES[response])


def take_donation(donor: Donor, request_id: int, outcome: str, at: int, *, counts_in_rates: bool) -> None:
    """Note that a donation was recorded for a request, of whatever outcome."""
    facts = _facts(donor, request_id)
    facts.donation_at = max(facts.donation_at, at)
    if counts_in_rates:
        counted.take(facts, at, 0, CAME if outcome in _CAME else FAILED)


def open_promises(donor: Donor) -> list[tuple[int, int]]:
    """Return the latest open promises as (promised_at, request_id), newest first.

    Two are enough to know whether any one other than a given request is within a given time.
    """
    completed_at = donor.last_completed_at
    found = [
        (facts.decisive_at, request_id)
        for request_id, facts in donor.requests.items()
        if facts.decisive in PROMISING and facts.decisive_at > completed_at and facts.decisive_at > facts.donation_at
    ]
    if len(found) > 1:
        found.sort(reverse=True)
    return found[:N_PROMISES]


def asked(donor: Donor) -> list[tuple[int, int]]:
    """Return the requests of the last weeks whose latest response isn't EXPIRED, as (responded_at, request_id)."""
    oldest_at = donor.latest_at - ASKED_US
    found = [
        (facts.latest_at, request_id)
        for request_id, facts in donor.requests.items()
        if facts.latest != EXPIRED and facts.latest_at >= oldest_at and facts.latest_at != NEVER
    ]
    found.sort(reverse=True)
    return found


def tally(donor: Donor, accounts: Iterable[Account]) -> Tally:
    """Count over what is summed up and ``accounts`` of the rest; sums of integers, so no order of events can show."""
    sums = [donor.n_alerts, donor.n_answers, donor.n_promises, donor.n_kept]
    for account in accounts:
        _add(sums, account)
    return Tally(*sums)


def settle(donor: Donor, late_us: int, half_lives: HalfLives) -> int:
    """Sum up requests of whose rates no more can come, and let go of those that nothing else needs one by one.

    A request is summed up once the first that counts of it is older than the longest span of a request's events and
    the lateness within which events count in rates. It is let go of once its promise, if any, is older than a completed
    donation, which closes whatever promise may still turn up of that time.

    Returns
    -------
    int
        How many had to go although they might still be needed, since there were too many.
    """
    requests = donor.requests
    oldest_at = donor.latest_at - REQUEST_SPAN_US - late_us
    done = []
    old = [
        request_id
        for request_id, facts in requests.items()
        if facts.counted and not facts.is_summed_up and facts.counted[0][0] < oldest_at
    ]
    for request_id in sorted(old):  # one after the other, and each rounds: not as their events happened to come
        _sum_up(donor, request_id, requests[request_id], half_lives)
    for request_id, facts in requests.items():
        if (
            facts.latest_at < oldest_at
            and facts.donation_at < oldest_at
            and facts.decisive_at <= donor.last_completed_at
            and facts.donation_at <= donor.last_completed_at
        ):
            done.append(request_id)
    n_dropped = max(0, len(requests) - len(done) - N_REQUESTS_MAX)
    if n_dropped:
        rest = sorted(requests.keys() - set(done), key=lambda request_id: (requests[request_id].touched_at, request_id))
        done += rest[:n_dropped]
    for request_id in sorted(done):
        facts = requests.pop(request_id)
        if facts.counted and not facts.is_summed_up:
            _sum_up(donor, request_id, facts, half_lives)
    return n_dropped


def forget(donor: Donor, at: int, *, rates: bool) -> None:
    """Take back what occurred at ``at`` or before; with ``rates``, also all that was counted for them."""
    for request_id, facts in list(donor.requests.items()):
        facts.change()
        if facts.latest_at <= at:
            facts.latest_at, facts.latest_id, facts.latest = NEVER, b"", 0
        if facts.decisive_at <= at:
            facts.decisive_at, facts.decisive_id, facts.decisive = NEVER, b"", 0
        facts.donation_at = _after(facts.donation_at, at)
        counted.forget(facts, max(at, facts.touched_at) if rates else at)
        if facts.touched_at == NEVER:
            del donor.requests[request_id]
    donor.n_alerts = donor.n_answers = donor.n_promises = donor.n_kept = 0
    donor.settled = []
    decayed.forget(donor, at, rates=rates)


def _facts(donor: Donor, request_id: int) -> RequestFacts:
    """Return what is known of a request, to be changed."""
    facts = donor.requests.get(request_id)
    if facts is None:
        facts = donor.requests[request_id] = RequestFacts()
        facts.is_summed_up = request_id in donor.settled
    else:
        facts.change()
    return facts


def _add(sums: list[int], account: Account) -> None:
    for _, answered_at, _ in account.alerts:
        sums[0] += 1
        sums[1] += answered_at != NEVER
    if account.is_kept is not None:
        sums[2] += 1
        sums[3] += account.is_kept


def _sum_up(donor: Donor, request_id: int, facts: RequestFacts, half_lives: HalfLives) -> None:
    account = counted.account(facts)
    decayed.sum_up(donor, account, half_lives)
    donor.n_alerts, donor.n_answers, donor.n_promises, donor.n_kept = tally(donor, [account])
    counted.sum_up(facts)
    insort(donor.settled, request_id)
    del donor.settled[:-N_REQUESTS_MAX]  # ids grow with time


def _after(one: int, at: int) -> int:
    return one if one > at else NEVER
