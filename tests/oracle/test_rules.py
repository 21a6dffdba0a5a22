"""The rules against the oracle: a million (donor, request) cases, none offered unlawfully, none refused wrongly.

Each case goes the way that it goes in production: a registration through donor state, its record on ``donor-states``
through the follower into the donor index, and the request through the matcher's search. The oracle sees the facts from
which the registration was made.
"""

from functools import cache, lru_cache
from time import perf_counter

import numpy as np
import pytest

from consumers.donor_state import DonorState
from consumers.driver import Driver
from consumers.matching.asking import Asked, statement_of
from consumers.matching.following import DonorFollower
from consumers.matching.matcher import Matcher
from features.compatibility import GROUP_CODE, preference_classes, tiers_for
from features.decay import HalfLives
from features.eligibility import Procedure, facts_of, next_eligible_at, procedure_of
from features.index import DonorIndex
from features.local_time import start_of_day
from features.ranking import ExploringRules
from features.reach import ReachRules
from features.rule_set import INDIA_2020
from schemas.codec import Codec
from tests.oracle import rules, worlds
from tests.oracle.worlds import DAY, NOON

N_DONORS, N_REQUESTS = 2_000, 500
MIDNIGHT = start_of_day(NOON // DAY)
INSTANTS = [NOON - 1, NOON, NOON + 1, NOON - DAY, NOON + DAY, MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + DAY - 1]
HERE = {"contactable": True, "apheresis_willing": True, "away_until": None, "promises": [], "asked": []}
"""Of donors whom nothing but the rules keeps out of a list."""


@lru_cache(maxsize=1)
def world(seed):
    rng = worlds.generator(6, seed)
    donors = [with_one_statement_an_apheresis(worlds.donor_state(rng, donor_id)) for donor_id in range(N_DONORS)]
    requests = [worlds.request(rng, n, at=worlds.pick(rng, INSTANTS)) for n in range(N_REQUESTS)]
    return donors, requests


def with_one_statement_an_apheresis(donor):
    """Of one instant there is one apheresis, and its red cells were returned only where nobody says otherwise."""
    stated = {}
    for given in donor["apheresis"]:
        stated[given["given_at"]] = stated.get(given["given_at"], True) and given["red_cells_returned"]
    return donor | {"apheresis": [{"given_at": at, "red_cells_returned": back} for at, back in stated.items()]}


def registration_of(donor):
    """A profile that says all of a donor's facts, stated before all of them, so that no deferral in it is a lift."""
    facts = ("blood_group", "sex", "born_on", "weight_kg", "district", "total_donations", "last_whole_blood_at")
    return {
        **{name: donor[name] for name in ("event_id", "donor_id", "joined_at", "deferrals", *facts)},
        **{name: HERE[name] for name in ("contactable", "apheresis_willing", "away_until")},
        "occurred_at": NOON - 500 * DAY,
        "h3_cell": worlds.h3.latlng_to_cell(*worlds.KOCHI, 8),
        "last_apheresis_at": None,
        "red_cells_returned": True,
        "recent_apheresis": donor["apheresis"],
    }


def known_to_matching(donors):
    """An index that followed what donor state wrote of the donors' registrations."""
    codec, index = Codec(), DonorIndex()
    driver = Driver([DonorState(codec)])
    for donor in donors:
        driver.send("donor-registered", str(donor["donor_id"]), registration_of(donor))
    driver.run(batch_size=N_DONORS)
    assert driver.records("dead-letters") == []
    assert DonorFollower(codec, INDIA_2020, index).follow(driver.records("donor-states")) == []
    index.settle()
    assert index.n_donors == len(donors)
    return index


def may_be_offered_in_production(donors, requests):
    """Whom the index holds to be eligible, their tiers, and the classes of those whom the search finds; else -1."""
    index = known_to_matching(donors)
    rows = np.array([index.row_of(donor["donor_id"]) for donor in donors])
    columns = index.columns
    spans = {
        Procedure.WHOLE_BLOOD: (columns.whole_blood_from[rows], columns.whole_blood_until[rows]),
        Procedure.APHERESIS: (columns.apheresis_from[rows], columns.apheresis_until[rows]),
    }
    matcher = Matcher(index, reach=ReachRules(), exploring=ExploringRules(), half_lives=HalfLives(), timer=perf_counter)
    for request in requests:
        from_at, until_at = spans[procedure_of(request["component"])]
        eligible = (from_at <= request["occurred_at"]) & (request["required_by"] < until_at)
        wanted = request | {"latitude": worlds.KOCHI[0], "longitude": worlds.KOCHI[1]}
        everybody = matcher._find(
            Asked(statement_of(wanted), wanted, 1, recorded=True, empty_because=None), everybody=True
        ).everybody
        classes = np.full(index.n_rows, -1, np.int8)
        classes[everybody.row] = everybody.preference
        yield eligible, tiers_for(request)[columns.group[rows]], classes[rows]


def the_oracle_on(donors):
    """What the oracle says of whole rows, asking it once for what is asked again."""

    @cache
    def eligible_at(component, instant):
        return np.array([not rules.what_refuses(donor, component, instant) for donor in donors])

    def by_group(of, request):
        found = {group: of(request, group) for group in GROUP_CODE}
        return [found[donor["blood_group"]] for donor in donors]

    def says(request):
        component = request["component"]
        eligible = eligible_at(component, request["occurred_at"]) & eligible_at(component, request["required_by"])
        return eligible, np.array(by_group(rules.tier, request)), by_group(rules.may_be_offered, request)

    return says


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 20))])
def test_a_million_cases_are_offered_where_the_oracle_offers_and_nowhere_else(seed):
    donors, requests = world(seed)
    oracle = the_oracle_on(donors)
    n_offered = n_refused = 0
    for request, (eligible, tiers, classes) in zip(
        requests, may_be_offered_in_production(donors, requests), strict=True
    ):
        wanted_eligible, wanted_tiers, wanted_offered = oracle(request)
        offered = classes >= 0
        wanted = wanted_eligible & wanted_offered
        assert not (offered & ~wanted).any(), "unlawful"
        assert not (wanted & ~offered).any(), "wrongly refused"
        assert (eligible == wanted_eligible).all()
        assert (tiers == wanted_tiers).all()
        n_offered += int(offered.sum())
        n_refused += int((~offered).sum())
    assert n_offered + n_refused == N_DONORS * N_REQUESTS
    assert n_offered > 20_000, "cases that offer nobody would show nothing"


@pytest.mark.parametrize("component", worlds.COMPONENTS)
def test_what_refuses_is_named_by_the_items_that_the_oracle_names(component):
    donors, _ = world(100)
    n_refused = 0
    for donor in donors:
        facts = facts_of(donor)
        for at in INSTANTS:
            items = {refusal.item for refusal in next_eligible_at(facts, component, at, INDIA_2020).refusals}
            assert items == set(rules.what_refuses(donor, component, at))
            n_refused += bool(items)
    assert n_refused > 1_000


def test_preference_classes_order_groups_as_the_oracle_does():
    _, requests = world(100)
    for request in requests:
        classes = preference_classes(request)
        offered = [group for group, code in GROUP_CODE.items() if classes[code] >= 0]
        assert offered == [group for group in GROUP_CODE if rules.may_be_offered(request, group)]
        ranks = sorted({rules.preference(request, group) for group in offered})
        assert [int(classes[GROUP_CODE[group]]) for group in offered] == [
            ranks.index(rules.preference(request, group)) for group in offered
        ]
