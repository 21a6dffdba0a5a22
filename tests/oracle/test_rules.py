"""The rules against the oracle: a million (donor, request) cases, none offered unlawfully, none refused wrongly."""

from functools import cache

import numpy as np
import pytest

from features.compatibility import GROUP_CODE, preference_classes, tiers_for
from features.eligibility import Procedure, facts_of, next_eligible_at, procedure_of
from features.eligibility_columns import columns_of, eligible_spans
from features.local_time import start_of_day
from features.rule_set import INDIA_2020
from tests.oracle import rules, worlds
from tests.oracle.worlds import DAY, NOON

N_DONORS, N_REQUESTS = 2_000, 500
MIDNIGHT = start_of_day(NOON // DAY)
INSTANTS = [NOON - 1, NOON, NOON + 1, NOON - DAY, NOON + DAY, MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + DAY - 1]


def world(seed):
    rng = worlds.generator(6, seed)
    donors = [worlds.donor_state(rng, donor_id) for donor_id in range(N_DONORS)]
    requests = [worlds.request(rng, n, at=worlds.pick(rng, INSTANTS)) for n in range(N_REQUESTS)]
    return donors, requests


def may_be_offered_by_the_rules(donors, requests):
    columns = columns_of([facts_of(donor) for donor in donors], INDIA_2020)
    spans = {procedure: eligible_spans(columns, procedure, INDIA_2020) for procedure in Procedure}
    groups = np.array([GROUP_CODE[donor["blood_group"]] for donor in donors])
    for request in requests:
        from_at, until_at = spans[procedure_of(request["component"])]
        eligible = (from_at <= request["occurred_at"]) & (request["required_by"] < until_at)
        yield eligible, tiers_for(request)[groups], preference_classes(request)[groups]


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
        requests, may_be_offered_by_the_rules(donors, requests), strict=True
    ):
        wanted_eligible, wanted_tiers, wanted_offered = oracle(request)
        offered = eligible & (classes >= 0)
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
    _, requests = world(101)
    for request in requests:
        classes = preference_classes(request)
        offered = [group for group, code in GROUP_CODE.items() if classes[code] >= 0]
        assert offered == [group for group in GROUP_CODE if rules.may_be_offered(request, group)]
        ranks = sorted({rules.preference(request, group) for group in offered})
        assert [int(classes[GROUP_CODE[group]]) for group in offered] == [
            ranks.index(rules.preference(request, group)) for group in offered
        ]
