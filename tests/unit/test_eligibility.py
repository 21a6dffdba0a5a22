"""When a donor may give: each rule at its edges, and the three ways of asking against one another."""

import math
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.eligibility import (
    NEVER,
    NEVER_GAVE,
    DonorFacts,
    Procedure,
    Refusal,
    Verdict,
    eligible_span,
    facts_of,
    next_eligible_at,
    procedure_of,
)
from features.index.facts import FactReader
from features.local_time import DAY_US, HOUR_US, start_of_day
from features.rule_set import INDIA_2020
from schemas.codec import FRAME, Codec
from tests.unit.matching import world

NOW = start_of_day((date(2026, 3, 10) - date(1970, 1, 1)).days) + 9 * HOUR_US


def day(year, month, day_of_month):
    return (date(year, month, day_of_month) - date(1970, 1, 1)).days


def donor(**known):
    usual = {
        "born_on": day(1990, 6, 15),
        "is_male": True,
        "weight_kg": 70.0,
        "total_donations": 3,
        "last_whole_blood_at": NEVER_GAVE,
        "apheresis_at": (),
        "last_unreturned_apheresis_at": NEVER_GAVE,
        "deferrals": (),
    }
    return DonorFacts(**{**usual, **known})


def verdict(facts, component="RED_CELLS", at=NOW):
    return next_eligible_at(facts, component, at, INDIA_2020)


def may(facts, component="RED_CELLS", at=NOW):
    asked = verdict(facts, component, at)
    assert (asked.eligible_at == at) == (not asked.refusals)
    return asked.eligible_at == at


@pytest.mark.parametrize("component", ["RED_CELLS", "WHOLE_BLOOD", "PLATELETS", "PLASMA"])
def test_a_donor_may_give_from_the_18th_birthday(component):
    facts = donor(born_on=day(2008, 3, 11))
    birthday = start_of_day(day(2026, 3, 11))
    assert not may(facts, component, birthday - 1)
    assert may(facts, component, birthday)
    rule = "donor_age_min" if procedure_of(component) is Procedure.WHOLE_BLOOD else "donor_age_apheresis"
    assert verdict(facts, component, birthday - 1) == Verdict(birthday, (Refusal(rule, "item 2"),))


@pytest.mark.parametrize(
    ("component", "total", "last_age", "rules"),
    [
        ("RED_CELLS", 1, 65, {"donor_age_max"}),
        ("WHOLE_BLOOD", 0, 60, {"donor_age_max_first_time"}),
        ("PLATELETS", 1, 60, {"donor_age_apheresis"}),
        ("PLASMA", 0, 60, {"donor_age_apheresis", "donor_age_max_first_time"}),
    ],
)
def test_a_donor_may_give_to_the_end_of_the_last_birthday(component, total, last_age, rules):
    facts = donor(born_on=day(2026 - last_age, 3, 10), total_donations=total)
    midnight = start_of_day(day(2026, 3, 11))
    assert may(facts, component, midnight - 1)
    asked = verdict(facts, component, midnight)
    assert asked == Verdict(None, asked.refusals)
    assert {refusal.rule for refusal in asked.refusals} == rules


def test_born_on_29_february_grows_old_on_1_march():
    eighteen = donor(born_on=day(2008, 2, 29))
    assert not may(eighteen, at=start_of_day(day(2026, 3, 1)) - 1)
    assert may(eighteen, at=start_of_day(day(2026, 3, 1)))
    sixty_five = donor(born_on=day(1960, 2, 29))
    assert may(sixty_five, at=start_of_day(day(2025, 3, 2)) - 1)
    assert not may(sixty_five, at=start_of_day(day(2025, 3, 2)))


@pytest.mark.parametrize(("component", "least"), [("RED_CELLS", 45.0), ("WHOLE_BLOOD", 45.0), ("PLASMA", 50.0)])
def test_weight_limits(component, least):
    assert may(donor(weight_kg=least), component)
    for weight in (math.nextafter(least, 0), 0.0, -1.0, math.nan, math.inf, -math.inf):
        asked = verdict(donor(weight_kg=weight), component)
        assert asked.eligible_at is None
        assert [refusal.item for refusal in asked.refusals] == ["item 3"]


INTERVALS = [
    ("RED_CELLS", {"is_male": True}, "last_whole_blood_at", 90, "interval_wb_male"),
    ("WHOLE_BLOOD", {"is_male": False}, "last_whole_blood_at", 120, "interval_wb_female"),
    ("PLATELETS", {}, "last_whole_blood_at", 28, "apheresis_after_wb"),
    ("RED_CELLS", {}, "apheresis_at", 28, "wb_after_apheresis"),
    ("RED_CELLS", {}, "last_unreturned_apheresis_at", 90, "wb_after_apheresis_incomplete"),
    ("PLASMA", {}, "apheresis_at", 2, "interval_apheresis"),
]


@pytest.mark.parametrize(("component", "known", "last", "days", "rule"), INTERVALS)
def test_an_interval_is_n_times_24_hours_from_the_instant_of_giving(component, known, last, days, rule):
    ends_at = NOW + days * DAY_US
    facts = donor(**known, **{last: (NOW,) if last == "apheresis_at" else NOW})
    assert verdict(facts, component, ends_at - 1) == Verdict(ends_at, (Refusal(rule, "item 4"),))
    assert may(facts, component, ends_at)
    # What was given after the instant asked about bars it too.
    assert not may(facts, component, NOW - 1)


def test_red_cells_that_were_not_returned_bar_whole_blood_also_where_a_later_apheresis_returned_them():
    facts = donor(apheresis_at=(NOW - 60 * DAY_US, NOW - 70 * DAY_US), last_unreturned_apheresis_at=NOW - 70 * DAY_US)
    assert verdict(facts).eligible_at == NOW + 20 * DAY_US
    assert may(facts, "PLATELETS")


def test_two_aphereses_a_week_and_24_a_year():
    twice = donor(apheresis_at=(NOW - 3 * DAY_US, NOW - 6 * DAY_US, NOW - 100 * DAY_US))
    assert verdict(twice, "PLASMA") == Verdict(NOW + DAY_US, (Refusal("max_apheresis_per_week", "item 4"),))
    every_tenth_day = tuple(NOW - 10 * n * DAY_US for n in range(1, 25))
    asked = verdict(donor(apheresis_at=every_tenth_day), "PLATELETS")
    assert asked == Verdict(NOW + 125 * DAY_US, (Refusal("max_apheresis_per_year", "item 4"),))
    assert may(donor(apheresis_at=every_tenth_day[:23]), "PLATELETS")


def test_a_deferral_blocks_its_last_local_day_too():
    until = day(2026, 3, 20)
    facts = donor(deferrals=(("item 60", start_of_day(until + 1)),))
    for component in ("RED_CELLS", "PLATELETS"):
        assert verdict(facts, component) == Verdict(start_of_day(until + 1), (Refusal("deferral", "item 60"),))
        assert not may(facts, component, start_of_day(until + 1) - 1)
        assert may(facts, component, start_of_day(until + 1))


def test_a_permanent_deferral_never_ends():
    assert verdict(donor(deferrals=(("item 40", NEVER),))) == Verdict(None, (Refusal("deferral", "item 40"),))


def test_a_donor_who_grows_too_old_before_an_interval_ends_never_may_again():
    facts = donor(born_on=day(1961, 4, 1), last_whole_blood_at=NOW - DAY_US)
    assert verdict(facts) == Verdict(None, (Refusal("interval_wb_male", "item 4"),))
    assert eligible_span(facts, Procedure.WHOLE_BLOOD, INDIA_2020) == (NEVER, NEVER)


def test_an_unknown_component_has_no_procedure():
    with pytest.raises(KeyError):
        procedure_of("UNKNOWN")


def state(**known):
    usual = {
        "born_on": day(1990, 6, 15),
        "sex": "MALE",
        "weight_kg": 70.0,
        "total_donations": 3,
        "last_whole_blood_at": None,
        "apheresis": [],
        "last_unreturned_apheresis_at": None,
        "deferrals": [],
    }
    return {**usual, **known}


def test_facts_come_from_the_donors_state():
    assert facts_of(state()) == donor()
    full = state(
        sex="OTHER",
        last_whole_blood_at=5,
        apheresis=[{"given_at": 6, "red_cells_returned": True}, {"given_at": 7, "red_cells_returned": False}],
        last_unreturned_apheresis_at=7,
        deferrals=[{"rule_item": "item 60", "until": 20_000}, {"rule_item": "", "until": None}],
    )
    assert facts_of(full) == donor(
        is_male=False,
        last_whole_blood_at=5,
        apheresis_at=(7, 6),
        last_unreturned_apheresis_at=7,
        deferrals=(("item 60", start_of_day(20_001)), ("", NEVER)),
    )
    assert math.isnan(facts_of(state(weight_kg=None)).weight_kg)
    assert [facts_of(state(sex=sex)).is_male for sex in ("UNKNOWN", "FEMALE", "MALE", "OTHER")] == [0, 0, 1, 0]


near_instants = st.integers(NOW - 400 * DAY_US, NOW + 100 * DAY_US)
edges = st.sampled_from([NOW + n * DAY_US for n in (-365, -120, -90, -28, -7, -2, 0)])
given_instants = near_instants | edges | st.just(-62_135_596_800_000_000) | st.just(253_402_300_799_999_999)
any_states = st.fixed_dictionaries(
    {
        "born_on": st.integers(day(1958, 1, 1), day(2010, 1, 1)) | st.integers(-719_162, 2_932_896),
        "sex": st.sampled_from(["MALE", "FEMALE"]),
        "weight_kg": st.sampled_from([None, 44.9, 45.0, 49.9, 50.0, 80.0, math.nan, math.inf]),
        "total_donations": st.integers(0, 2),
        "last_whole_blood_at": st.none() | given_instants,
        "apheresis": st.lists(
            st.fixed_dictionaries({"given_at": given_instants, "red_cells_returned": st.booleans()}), max_size=26
        ),
        "last_unreturned_apheresis_at": st.none() | given_instants,
        "deferrals": st.lists(
            st.fixed_dictionaries(
                {
                    "rule_item": st.sampled_from(["item 60", ""]),
                    "until": st.none() | given_instants.map(lambda at: at // DAY_US),
                }
            ),
            max_size=2,
        ),
    }
)


@settings(max_examples=200, deadline=None)
@given(any_states.map(facts_of), st.sampled_from(["RED_CELLS", "PLATELETS"]), near_instants | edges)
def test_the_span_says_what_a_verdict_at_any_instant_says(facts, component, at):
    from_at, until_at = eligible_span(facts, procedure_of(component), INDIA_2020)
    instants = [at, from_at - 1, from_at, until_at - 1, until_at] if from_at < NEVER else [at]
    for asked_at in instants:
        asked = verdict(facts, component, asked_at)
        assert (not asked.refusals) == (from_at <= asked_at < until_at)
        expected = max(asked_at, from_at)
        assert asked.eligible_at == (expected if expected < until_at and from_at < NEVER else None)


@settings(deadline=None)
@given(st.lists(any_states, max_size=20))
def test_columns_say_what_single_donors_say(states):
    reader, codec = FactReader(INDIA_2020), Codec()
    encoded = [codec.encode("donor-states", world.state(1, **of)) for of in states]
    columns = reader.columns(reader.decode(encoded, FRAME.size))
    for procedure, from_at, until_at in (
        (Procedure.WHOLE_BLOOD, columns.whole_blood_from, columns.whole_blood_until),
        (Procedure.APHERESIS, columns.apheresis_from, columns.apheresis_until),
    ):
        spans = [eligible_span(facts_of(of), procedure, INDIA_2020) for of in states]
        assert list(zip(from_at.tolist(), until_at.tolist(), strict=True)) == spans
