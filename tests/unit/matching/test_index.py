"""The index against lists of states that are looked through one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.matching import Matching
from consumers.matching.following import DonorFollower
from features.compatibility import preference_classes
from features.eligibility import Procedure, eligible_span, facts_of, procedure_of
from features.index import DonorIndex
from features.index.columns import APHERESIS_WILLING, CONTACTABLE, LIVE
from features.index.id_table import FREE, free_slot, slot_of, table_for
from features.local_time import local_day
from features.question import Askable, Limits, Question
from features.rule_set import INDIA_2020
from features.search import search
from schemas.codec import Codec
from schemas.records import Record
from tests.fading import panel_of
from tests.oracle import matches as oracle
from tests.oracle import worlds
from tests.unit.matching.world import PlainScorer

CODEC = Codec()
DAY_US = 86_400_000_000


def follow(index, states):
    records = [
        Record("donor-states", 0, i, 0, str(one["donor_id"]).encode(), CODEC.encode("donor-states", one))
        for i, one in enumerate(states)
    ]
    assert DonorFollower(CODEC, INDIA_2020, index).follow(records) == []


def generated(seed, n, *, spread=0.2):
    rng = worlds.generator(seed)
    return rng, [worlds.donor_state(rng, i, spread=spread) for i in range(n)]


def looked_up(index, request, rings=(5.0, 20.0, 50.0), n_scored=10**6):
    at = request["occurred_at"]
    question = Question(
        request["latitude"],
        request["longitude"],
        preference_classes(request),
        procedure_of(request["component"]) is Procedure.APHERESIS,
        at,
        request["required_by"],
        local_day(at),
        request["request_id"],
    )
    limits = Limits(np.array(rings), len(rings), 10**6, 10**6, 10**6, n_scored, at - DAY_US, at - 7 * DAY_US)
    room = Askable(np.empty(1, np.int32), np.empty(1), np.empty(1, np.int8))
    reach_km, tally, askable, n_askable, picks = search(index.view, question, limits, room)
    donors = index.columns.donor_id[askable.row[:n_askable]].tolist()
    distances = dict(zip(donors, askable.km[:n_askable].tolist(), strict=True))
    return reach_km, [*tally.counts.tolist(), n_askable], distances, index.columns.donor_id[askable.row[picks]]


def counted(states, request, ring):
    """What the oracle counts within a ring, and who is askable there."""
    within = [one for one in states if oracle.is_registered(one) and oracle.distance_km(request, one) <= ring]
    compatible = [one for one in within if oracle.may_be_offered(request, one["blood_group"])]
    at, until = request["occurred_at"], request["required_by"]
    eligible = [one for one in compatible if oracle.is_eligible(one, request["component"], at, until)]
    askable = [one for one in eligible if oracle.may_be_asked(request, at, one)]
    return [len(within), len(compatible), len(eligible), len(askable)], {one["donor_id"] for one in askable}


@pytest.mark.parametrize("seed", range(4))
def test_a_search_counts_and_finds_what_looking_at_every_donor_does(seed):
    rng, states = generated(seed, 600)
    tail, whole = DonorIndex(), DonorIndex()
    follow(tail, states[:400])
    tail.merge()
    follow(tail, states[400:])
    follow(whole, states)
    whole.merge()
    assert (tail.n_tail > 0, whole.n_tail) == (True, 0)
    for i in range(60):
        request = worlds.request(rng, i + 1, spread=0.2)
        for ring in (5.0, 50.0):
            counts, askable = counted(states, request, ring)
            for index in (tail, whole):
                reach_km, found, distances, _ = looked_up(index, request, (ring,))
                assert (reach_km, found, set(distances)) == (ring, counts, askable)
                for donor_id, km in distances.items():
                    assert km == pytest.approx(oracle.distance_km(request, states[donor_id]), abs=1e-9)


def test_rings_one_after_the_other_find_what_one_ring_does():
    rng, states = generated(9, 800)
    index = DonorIndex()
    follow(index, states)
    index.merge()
    for i in range(40):
        request = worlds.request(rng, i + 1)
        step_by_step = looked_up(index, request, (5.0, 10.0, 20.0, 35.0, 50.0))
        at_once = looked_up(index, request, (50.0,))
        assert step_by_step[1:3] == at_once[1:3]


def test_the_cut_keeps_the_best_whatever_the_order_of_rows():
    rng, states = generated(5, 900, spread=0.05)
    rows = []
    for order in (states, states[::-1]):
        index = DonorIndex()
        follow(index, order)
        rows.append(index)
    rows[0].merge()
    by_id = {one["donor_id"]: one for one in states}
    for i in range(30):
        request = worlds.request(rng, i + 1)
        cuts = [set(looked_up(index, request, n_scored=7)[3].tolist()) for index in rows]
        assert cuts[0] == cuts[1]
        _, _, distances, _ = looked_up(rows[0], request)
        classes = preference_classes(request)
        for group_class in set(classes.tolist()) - {-1}:
            members = [d for d in distances if classes[worlds.GROUPS.index(by_id[d]["blood_group"])] == group_class]
            worth = {
                d: by_id[d]["availability_score"] * by_id[d]["reliability_score"] * np.exp(-distances[d] / 10)
                for d in members
            }
            kept = [d for d in members if d in cuts[0]]
            assert len(kept) == min(7, len(members))
            least = min((worth[d] for d in kept), default=0)
            assert all(worth[d] <= least + 1e-6 for d in members if d not in cuts[0])  # in single precision


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 3), st.sampled_from([0, 1, 7]), st.booleans()), max_size=60),
    st.integers(1, 20),
)
def test_after_any_changes_the_index_holds_the_latest_state_of_each(changes, every):
    rng = worlds.generator(3)
    index, latest = DonorIndex(), {}
    template = {
        **worlds.donor_state(rng, 0),
        "erased_at": None,
        "asked": [],
        "promises": [{"request_id": 5, "promised_at": 0}],
    }
    cells = [worlds.h3.latlng_to_cell(10 + n / 10, 76, 8) for n in range(4)]
    for i, (donor_id, cell, group, registered) in enumerate(changes):
        state = {
            **template,
            "donor_id": donor_id,
            "h3_cell": cells[cell],
            "blood_group": worlds.GROUPS[group],
            "registered_at": 1 if registered else None,
            "total_donations": i,
            "asked": [{"request_id": i, "responded_at": 0}] * (i % 3),
        }
        follow(index, [state])
        latest[donor_id] = state
        if i % every == 0:
            index.merge()
    known = {donor_id: state for donor_id, state in latest.items() if state["registered_at"]}
    assert index.n_donors == len(known)
    assert int(index.view.segments.n_live.sum()) + _n_live_in_tail(index) == len(known)
    for donor_id in range(16):
        row = index.row_of(donor_id)
        assert (row is None) == (donor_id not in known)
        if row is not None:
            columns = index.columns
            assert columns.total_donations[row] == known[donor_id]["total_donations"]
            assert worlds.GROUPS[columns.group[row]] == known[donor_id]["blood_group"]
            assert index.view.places.h3_cell[columns.cell[row]] == known[donor_id]["h3_cell"]
            asked = [one["request_id"] for one in known[donor_id]["asked"]]
            assert _engagements(index, row) == [5, *asked]


def _n_live_in_tail(index):
    return int((index.columns.flags[index.n_sorted : index.n_rows] & LIVE != 0).sum())


def _engagements(index, row):
    entries = index.view.engagements
    entry, found = int(index.columns.engaged[row]), []
    while True:
        found.append(int(entries.request_id[entry]))
        if entries.mark[entry] & 2:
            return found
        entry += 1


def test_columns_hold_what_the_states_say():
    _, states = generated(11, 500)
    index = DonorIndex()
    follow(index, states)
    columns = index.columns
    for one in states:
        row = index.row_of(one["donor_id"])
        if not oracle.is_registered(one):
            assert row is None
            continue
        facts = facts_of(one)
        spans = [eligible_span(facts, procedure, INDIA_2020) for procedure in Procedure]
        assert [
            (columns.whole_blood_from[row], columns.whole_blood_until[row]),
            (columns.apheresis_from[row], columns.apheresis_until[row]),
        ] == spans
        gave = [one["last_whole_blood_at"], *(given["given_at"] for given in one["apheresis"])]
        assert columns.last_donation_at[row] == max((at for at in gave if at is not None), default=-(2**62))
        assert bool(columns.flags[row] & CONTACTABLE) == one["contactable"]
        assert bool(columns.flags[row] & APHERESIS_WILLING) == one["apheresis_willing"]
        assert columns.away_until[row] == (-(2**31) if one["away_until"] is None else one["away_until"])
        assert columns.worth[row] == pytest.approx(one["availability_score"] * one["reliability_score"], abs=1e-6)
        for name in ("alerts", "acceptances", "promises", "kept"):
            assert getattr(columns, name)[row] == np.float32(one[f"{name}_decayed"])
        assert columns.as_of[row] == one["occurred_at"] // 60_000_000
        assert columns.joined_on[row] == one["joined_at"] // DAY_US
        assert columns.born_on[row] == one["born_on"]


def test_a_long_tail_is_merged_in_and_a_short_one_is_not():
    _, states = generated(2, 1500)
    index = DonorIndex()
    follow(index, states[:1000])
    index.settle()
    assert index.n_sorted == 0
    follow(index, states)
    index.settle()
    assert (index.n_tail, index.n_sorted) == (0, index.n_donors)


def test_what_was_followed_is_sorted_before_anybody_asks():
    _, states = generated(2, 1500)
    matching = Matching(CODEC, panel_of(PlainScorer()))
    follow(matching.index, states)
    n_tail_before = matching.index.n_tail
    matching.settle()
    assert (n_tail_before > 0, matching.index.n_tail) == (True, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 30), st.booleans()), max_size=80))
def test_the_id_table_is_a_dict(operations):
    keys = np.arange(-5, 31, dtype=np.int64)
    table, known = table_for(30), {}
    for key, put in operations:
        slot = slot_of(table, keys, key)
        assert (table[slot] != FREE) == (key in known)
        if put:
            table[slot] = key + 5
            known[key] = key + 5
        elif key in known:
            free_slot(table, keys, slot)
            del known[key]
    for key in range(-5, 31):
        row = int(table[slot_of(table, keys, key)])
        assert (None if row == FREE else row) == known.get(key)
