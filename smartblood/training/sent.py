"""Alerts as the system itself sends them: lists of the very processor that answers requests, answered by the world.

What donors were asked by other policies isn't whom the system asks: it reaches farther for a rare group, and takes of
many the best. A model is to be right of those too.

Requests that leave ``top_k`` open are put to the processor over donors as a simulated history left them, and spread
over some days after it. One after the other is asked of the same donors in the same state, so nothing that a list sets
off changes the next. What the models saw is what the offers tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state import DonorState
from consumers.driver import Driver
from consumers.matching.processor import Matching
from features.behaviour import Behaviour
from features.outcomes import FACTS, NEVER, OF_DONATION, OF_RESPONSE, SETTLED_US, folded, labels_of
from features.scoring import Panel
from features.vectors import URGENCY_LEVEL
from producers.simulator import History, LiveDonors, World, simulate
from producers.simulator.requests import requests
from schemas.codec import Codec
from schemas.records import Event
from smartblood.training.anywhere import at_random
from smartblood.training.examples import DISTRICT_CODE, NO_DISTRICT, Examples
from smartblood.training.policies import Truth, asks_of
from smartblood.training.replaying import Replayed
from smartblood.training.teaching import Trial

DAYS = 14

BATCH = 64
N_REQUESTS = 1_500


class Sent(NamedTuple):
    """Alerts of lists, by request and rank, and what was true of them; nothing is averaged over distances."""

    examples: Examples
    truth: Truth


def lists_sent(panel: Panel, history: History, seed: int, n_requests: int, *, after: int = 0) -> list[Event]:
    """Return the decoded ``matches`` events that answer requests after the history, and after so many others."""
    codec = Codec()
    driver = Driver([DonorState(codec), Matching(codec, panel)], codec=codec)
    for line in history.events():
        driver.send(line.topic, line.key, line.event, timestamp_ms=line.timestamp_ms)
    driver.run(batch_size=1_000)
    first_id = 1 + max((int(str(event["request_id"])) for event in history.requests.event), default=0)
    busier = replace(history.world, requests_per_day=n_requests / DAYS)
    for line in islice(requests(busier, seed, history.end, first_request_id=first_id), after, after + n_requests):
        driver.send(line.topic, line.key, line.event, timestamp_ms=line.timestamp_ms)
    driver.run(batch_size=BATCH)
    return driver.events("matches")


def sent_of(lists: Sequence[Event], history: History, seed: int) -> Sent:
    """Let the world answer lists, and return their alerts.

    Raises
    ------
    ValueError
        If nobody is offered.
    """
    donors = LiveDonors(history, seed)
    told = [one for one in lists if one["matches"]]
    if not told:
        message = "nobody can be asked in this world"
        raise ValueError(message)
    of = [(one, offer) for one in told for offer in one["matches"]]
    outcomes = [outcome for one in told for outcome in _outcomes(donors, one)]
    row = _integers(offer["donor_id"] - 1 for _, offer in of)
    at, required_by = (_integers(one[name] for one, _ in of) for name in ("occurred_at", "required_by"))
    since = {fact: _integers(outcome.get(fact, NEVER) for outcome in outcomes) for fact in FACTS}
    never = np.full(at.size, NEVER)  # nothing is closed, and nobody asked twice
    tier = _integers(offer["compatibility_tier"] for _, offer in of).astype(np.int8)
    examples = Examples(
        behaviour=Behaviour(*np.array([offer["behaviour"] for _, offer in of], np.float64).T),
        at=at,
        required_by=required_by,
        request_id=_integers(one["request_id"] for one, _ in of),
        donor_id=row + 1,
        district=_integers(DISTRICT_CODE.get(one["district"], NO_DISTRICT) for one, _ in of).astype(np.int8),
        home=history.people.district[row].astype(np.int8),
        tier=tier,
        preference=tier - np.int8(1),  # a list doesn't tell more of the class
        distance_km=np.array([offer["distance_km"] for _, offer in of], np.float64),
        urgency=_integers(URGENCY_LEVEL[one["urgency"]] for one, _ in of),
        units=_integers(one["units_required"] for one, _ in of),
        **labels_of(at, required_by, never, never, since, int(required_by.max()) + SETTLED_US)._asdict(),
    )
    gives, says_yes = (np.concatenate([oracle(one) for one in told]) for oracle in (donors.gives, donors.says_yes))
    keeps_it, unknown = history.people.hidden.show_up[row], np.full(row.size, np.nan)
    return Sent(examples, Truth(gives, says_yes, keeps_it, np.zeros(row.size, np.bool_), unknown))


def _outcomes(donors: LiveDonors, matches: Event) -> list[dict[str, int]]:
    """Return for each offer of a list since when each fact holds."""
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for line in donors.answers(matches):
        event, outcome = line.event, found[line.event["donor_id"]]
        facts = OF_RESPONSE.get(event.get("response", ""), ()) or OF_DONATION.get(event.get("outcome", ""), ())
        for fact in facts:
            outcome[fact] = folded(fact, outcome.get(fact, NEVER), event["occurred_at"])
    return [found[offer["donor_id"]] for offer in matches["matches"]]


def _integers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, np.int64)


def trial_of(
    replayed: Replayed, other: World, seed: int, n_requests: int, on_step: Callable[[str], None] = lambda _: None
) -> Trial:
    """Return what is known of who is asked in a simulated world, and the way to ask in another one.

    Parameters
    ----------
    replayed : Replayed
        Of a simulated world.
    other : World
        Where the system's own lists are sent: donors whom nobody is judged on.
    seed : int
        Of ``other``.
    n_requests : int
        For which lists are sent.
    """
    assert replayed.history is not None  # noqa: S101 - a simulated world has one
    drawn = at_random(replayed.history)[asks_of(replayed.examples, replayed.history)]

    def send(panel: Panel) -> tuple[Examples, dict[str, Any]]:
        on_step(f"sending {n_requests:,} lists in another world of {other.n_donors:,} donors")
        history = simulate(other, seed, replayed.origin["ends_at"])
        sent = sent_of(lists_sent(panel, history, seed, n_requests), history, seed).examples
        told = {"n_donors": other.n_donors, "days": other.history_days, "seed": seed, "n_requests": n_requests}
        return sent, {**told, "n_alerts": int(sent.at.size)}

    return Trial(drawn, send)
