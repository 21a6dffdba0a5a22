"""When a donor may give: facts of a donor, folded under a rule set into a span of instants.

For each procedure there is one span, since every rule is of the form "from then on" or "until then": an age, an
interval since a donation, a deferral. An instant within it is one at which the rules let the donor give; a
donation or a deferral that lies after the instant asked about bars it too. Who may be asked (willing, away, promised)
is another question.

``next_eligible_at`` names what refuses; ``eligible_span`` says the same in two numbers, fast; and
``features.eligibility_columns`` does it for many donors at once. A test shows that the three agree.

References
----------
docs/rules.md, "When a donor may give": Drugs Rules 1945, Schedule F Part XII-B, items 2 to 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from features.local_time import DAY_US, birthday, start_of_day
from features.rule_set import Limits, RuleSet
from schemas.records import Event

NEVER: Final = 2**62
"""An instant that doesn't come: the start of a span that never begins."""

NEVER_GAVE: Final = -(2**62)
"""The instant of a donation that wasn't. Sums with any interval stay within 64 bits."""

WEEK_US: Final = 7 * DAY_US
YEAR_US: Final = 365 * DAY_US


class Procedure(Enum):
    """How blood is taken."""

    WHOLE_BLOOD = "whole blood"
    APHERESIS = "apheresis"


_PROCEDURES = {
    "WHOLE_BLOOD": Procedure.WHOLE_BLOOD,
    "RED_CELLS": Procedure.WHOLE_BLOOD,
    "PLATELETS": Procedure.APHERESIS,
    "PLASMA": Procedure.APHERESIS,
}


def procedure_of(component: str) -> Procedure:
    """Return how a component is taken: red cells as whole blood, platelets and plasma by apheresis.

    Raises
    ------
    KeyError
        If the component is ``UNKNOWN``.
    """
    return _PROCEDURES[component]


class DonorFacts(NamedTuple):
    """What is known of a donor that decides whether the rules let him or her give.

    Parameters
    ----------
    born_on : int
        Day since 1970.
    is_male : bool
        False where the sex is female, other or unknown.
    weight_kg : float
        NaN where unknown.
    total_donations : int
        Zero: the next one is the first.
    last_whole_blood_at : int
        Instant; ``NEVER_GAVE`` where there was none.
    apheresis_at : tuple of int
        Instants of the last ones (24 are enough), newest first.
    last_unreturned_apheresis_at : int
        Instant of the last apheresis whose red cells were not returned; ``NEVER_GAVE`` where there was none.
    deferrals : tuple of (str, int)
        Item of the rules (empty where it isn't kept), and the instant at which the deferral ends; ``NEVER`` where it is
        permanent.
    """

    born_on: int
    is_male: bool
    weight_kg: float
    total_donations: int
    last_whole_blood_at: int
    apheresis_at: tuple[int, ...]
    last_unreturned_apheresis_at: int
    deferrals: tuple[tuple[str, int], ...]


class Refusal(NamedTuple):
    """A rule that doesn't let a donor give, and its item. ``rule`` is ``deferral`` for what a blood centre stated."""

    rule: str
    item: str


class Verdict(NamedTuple):
    """Whether a donor may give.

    Parameters
    ----------
    eligible_at : int or None
        The first instant, not before the one asked about, at which the donor may give; None where there is none.
    refusals : tuple of Refusal
        The rules that don't let the donor give at the instant asked about; empty where the donor may.
    """

    eligible_at: int | None
    refusals: tuple[Refusal, ...]


def facts_of(state: Event) -> DonorFacts:
    """Return the facts that a ``donor-states`` event holds of a registered donor."""
    weight, whole_blood = state["weight_kg"], state["last_whole_blood_at"]
    unreturned, apheresis, deferrals = state["last_unreturned_apheresis_at"], state["apheresis"], state["deferrals"]
    return DonorFacts(
        state["born_on"],
        state["sex"] == "MALE",
        math.nan if weight is None else weight,
        state["total_donations"],
        NEVER_GAVE if whole_blood is None else whole_blood,
        tuple(sorted((given["given_at"] for given in apheresis), reverse=True)) if apheresis else (),
        NEVER_GAVE if unreturned is None else unreturned,
        tuple((stated["rule_item"], _end_of(stated["until"])) for stated in deferrals) if deferrals else (),
    )


def _end_of(until: int | None) -> int:
    return NEVER if until is None else start_of_day(until + 1)


def next_eligible_at(facts: DonorFacts, component: str, at: int, rules: RuleSet) -> Verdict:
    """Return when a donor may next give ``component``, at ``at`` or later, and what stands in the way at ``at``.

    Parameters
    ----------
    facts : DonorFacts
        What is known of the donor.
    component : str
        Symbol of a component; not ``UNKNOWN``.
    at : int
        Instant, microseconds since 1970.
    rules : RuleSet
        The rules in force.

    Raises
    ------
    KeyError
        If the component is ``UNKNOWN``.
    """
    bounds = list(_bounds(facts, procedure_of(component), rules))
    refusals = tuple(Refusal(name, item) for name, item, from_at, until_at in bounds if not from_at <= at < until_at)
    eligible_at = max(at, *(from_at for _, _, from_at, _ in bounds))
    possible = eligible_at < min(until_at for _, _, _, until_at in bounds)
    return Verdict(eligible_at if possible else None, refusals)


def _bounds(facts: DonorFacts, procedure: Procedure, rules: RuleSet) -> Iterator[tuple[str, str, int, int]]:
    """Yield each rule's name and item, and the instants from and until which it lets the donor give."""
    of_procedure = _whole_blood_bounds if procedure is Procedure.WHOLE_BLOOD else _apheresis_bounds
    for name, from_at, until_at in of_procedure(facts, rules.limits):
        yield name, rules[name].item, from_at, until_at
    for item, end_at in facts.deferrals:
        yield "deferral", item, end_at, NEVER


def _whole_blood_bounds(facts: DonorFacts, limits: Limits) -> Iterator[tuple[str, int, int]]:
    born_on, whole_blood_at = facts.born_on, facts.last_whole_blood_at
    yield "donor_age_min", start_of_day(birthday(born_on, limits.age_min_years)), NEVER
    yield "donor_age_max", NEVER_GAVE, start_of_day(birthday(born_on, limits.age_max_years) + 1)
    if facts.total_donations == 0:
        last_day = birthday(born_on, limits.age_max_first_years)
        yield "donor_age_max_first_time", NEVER_GAVE, start_of_day(last_day + 1)
    yield "weight_min_350ml", _from_weight(facts.weight_kg, limits.weight_min_whole_blood_kg), NEVER
    if facts.is_male:
        yield "interval_wb_male", whole_blood_at + limits.whole_blood_to_whole_blood_male_us, NEVER
    else:
        yield "interval_wb_female", whole_blood_at + limits.whole_blood_to_whole_blood_us, NEVER
    yield "wb_after_apheresis", nth_latest(facts.apheresis_at, 1) + limits.apheresis_to_whole_blood_us, NEVER
    unreturned_at = facts.last_unreturned_apheresis_at
    yield "wb_after_apheresis_incomplete", unreturned_at + limits.unreturned_apheresis_to_whole_blood_us, NEVER


def _apheresis_bounds(facts: DonorFacts, limits: Limits) -> Iterator[tuple[str, int, int]]:
    born_on, given_at = facts.born_on, facts.apheresis_at
    first_day = birthday(born_on, limits.age_apheresis_min_years)
    last_day = birthday(born_on, limits.age_apheresis_max_years)
    yield "donor_age_apheresis", start_of_day(first_day), start_of_day(last_day + 1)
    if facts.total_donations == 0:
        last_day = birthday(born_on, limits.age_max_first_years)
        yield "donor_age_max_first_time", NEVER_GAVE, start_of_day(last_day + 1)
    yield "weight_min_apheresis", _from_weight(facts.weight_kg, limits.weight_min_apheresis_kg), NEVER
    yield "apheresis_after_wb", facts.last_whole_blood_at + limits.whole_blood_to_apheresis_us, NEVER
    yield "interval_apheresis", nth_latest(given_at, 1) + limits.apheresis_to_apheresis_us, NEVER
    yield "max_apheresis_per_week", nth_latest(given_at, limits.n_apheresis_a_week) + WEEK_US, NEVER
    yield "max_apheresis_per_year", nth_latest(given_at, limits.n_apheresis_a_year) + YEAR_US, NEVER


def _from_weight(weight_kg: float, least_kg: int) -> int:
    return NEVER_GAVE if least_kg <= weight_kg < math.inf else NEVER


def nth_latest(given_at: tuple[int, ...], n: int) -> int:
    """Return the ``n``-th of instants that stand newest first; ``NEVER_GAVE`` where there are fewer."""
    return given_at[n - 1] if len(given_at) >= n else NEVER_GAVE


def eligible_span(facts: DonorFacts, procedure: Procedure, rules: RuleSet) -> tuple[int, int]:
    """Return the instants from and until which the rules let a donor give.

    Returns
    -------
    tuple of (int, int)
        Microseconds since 1970, half-open; ``(NEVER, NEVER)`` where there is no such instant.
    """
    limits = rules.limits
    if procedure is Procedure.WHOLE_BLOOD:
        if not limits.weight_min_whole_blood_kg <= facts.weight_kg < math.inf:
            return NEVER, NEVER
        first_age, last_age = limits.age_min_years, limits.age_max_years
        from_at = _whole_blood_from(facts, limits)
    else:
        if not limits.weight_min_apheresis_kg <= facts.weight_kg < math.inf:
            return NEVER, NEVER
        first_age, last_age = limits.age_apheresis_min_years, limits.age_apheresis_max_years
        from_at = _apheresis_from(facts, limits)
    if facts.total_donations == 0 and limits.age_max_first_years < last_age:
        last_age = limits.age_max_first_years
    grown_at, until_at = _span_of_ages(facts.born_on, first_age, last_age)
    from_at = max(from_at, grown_at)
    for _, end_at in facts.deferrals:
        from_at = max(from_at, end_at)
    return (from_at, until_at) if from_at < until_at else (NEVER, NEVER)


def _whole_blood_from(facts: DonorFacts, limits: Limits) -> int:
    from_at = facts.last_whole_blood_at
    from_at += limits.whole_blood_to_whole_blood_male_us if facts.is_male else limits.whole_blood_to_whole_blood_us
    if not facts.apheresis_at and facts.last_unreturned_apheresis_at == NEVER_GAVE:
        return from_at
    return max(
        from_at,
        nth_latest(facts.apheresis_at, 1) + limits.apheresis_to_whole_blood_us,
        facts.last_unreturned_apheresis_at + limits.unreturned_apheresis_to_whole_blood_us,
    )


def _apheresis_from(facts: DonorFacts, limits: Limits) -> int:
    from_at = facts.last_whole_blood_at + limits.whole_blood_to_apheresis_us
    if not facts.apheresis_at:
        return from_at
    return max(
        from_at,
        facts.apheresis_at[0] + limits.apheresis_to_apheresis_us,
        nth_latest(facts.apheresis_at, limits.n_apheresis_a_week) + WEEK_US,
        nth_latest(facts.apheresis_at, limits.n_apheresis_a_year) + YEAR_US,
    )


@lru_cache(maxsize=1 << 17)
def _span_of_ages(born_on: int, first_age: int, last_age: int) -> tuple[int, int]:
    """Return the instants from and until which someone is of these ages, both birthdays included."""
    return start_of_day(birthday(born_on, first_age)), start_of_day(birthday(born_on, last_age) + 1)
