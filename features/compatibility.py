"""Who may give to whom: tiers and preference classes of donor groups, for one request.

The tiers follow from a few principles rather than from a table of 400 cells; a test compares them with the table of
the domain facts cell by cell.

- Red cells carry antigens, and a recipient has antibodies against those of A, B and H that his own cells lack.
- Plasma carries the donor's antibodies, so it is the other way round. Apheresis platelets swim in plasma, but in
  little: the other groups may do on a clinician's sign-off.
- Whole blood is both, so the ABO group must be the same.
- Bombay (Oh) cells lack even H. Oh donors are so few that they are for Oh recipients alone; for plasma and platelets
  an Oh recipient may have others on sign-off.
- RhD counts for red cells and whole blood alone.

References
----------
docs/rules.md, "Who may give to whom".
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.records import Event

GROUPS: Final = (
    "UNKNOWN",
    "A_POS",
    "A_NEG",
    "B_POS",
    "B_NEG",
    "AB_POS",
    "AB_NEG",
    "O_POS",
    "O_NEG",
    "OH_POS",
    "OH_NEG",
)
"""Symbols of the schemas' enum, in its order."""

COMPONENTS: Final = ("UNKNOWN", "WHOLE_BLOOD", "RED_CELLS", "PLATELETS", "PLASMA")

GROUP_CODE: Final = {group: code for code, group in enumerate(GROUPS)}
N_GROUPS: Final = len(GROUPS)

NEVER, IDENTICAL, COMPATIBLE, ON_SIGN_OFF = 0, 1, 2, 3
"""Tiers."""

NOT_OFFERED = -1
"""The class of donor groups that this request is never offered."""

Tiers = NDArray[np.int8]

_RED_CELL_ANTIGENS = {
    "A": frozenset("AH"),
    "B": frozenset("BH"),
    "AB": frozenset("ABH"),
    "O": frozenset("H"),
    "OH": frozenset[str](),
}

_PLACES = {
    "O": {"O": 0},
    "A": {"A": 0, "O": 1},
    "B": {"B": 0, "O": 1},
    "AB": {"AB": 0, "A": 1, "B": 1, "O": 2},
    "OH": {"OH": 0},
}
"""Recipient's ABO group → the place of the donor's for red cells, best first."""

_RESERVE = frozenset({"O_NEG", "OH_POS", "OH_NEG"})
"""Donors who are kept for those that only they can help."""

_WITH_RED_CELLS = frozenset({"RED_CELLS", "WHOLE_BLOOD"})


class _Case(NamedTuple):
    """All of a request that tiers depend on."""

    group: str
    component: str
    protected: bool
    o_negative_alone: bool
    anti_d: bool


def abo(group: str) -> str:
    """Return ``A``, ``B``, ``AB``, ``O`` or ``OH``; ``UNKNOWN`` stays so."""
    return group.partition("_")[0]


def is_rhd_positive(group: str) -> bool:
    """Return whether cells of the group carry the antigen D."""
    return group.endswith("_POS")


def group_text(group: str) -> str:
    """Return the group as people write it: ``O+``, ``AB-``, ``Oh+`` or ``unknown``."""
    if group == "UNKNOWN":
        return "unknown"
    return abo(group).replace("OH", "Oh") + ("+" if is_rhd_positive(group) else "-")


def tier(recipient: str, donor: str, component: str) -> int:
    """Return the tier of a donor's group for a recipient's, before what protects single patients.

    Parameters
    ----------
    recipient, donor : str
        Symbols of groups. The tier is 0 where either is unknown.
    component : str
        Symbol of a component.

    Returns
    -------
    int
        1 identical, 2 compatible, 3 on a clinician's sign-off alone, 0 never.
    """
    if "UNKNOWN" in {recipient, donor, component}:
        return NEVER
    to, of = abo(recipient), abo(donor)
    if of == "OH" and to != "OH":
        return NEVER
    by_abo = (
        _tier_with_red_cells(of, to, component) if component in _WITH_RED_CELLS else _tier_of_plasma(of, to, component)
    )
    if component not in _WITH_RED_CELLS or by_abo == NEVER or is_rhd_positive(donor) == is_rhd_positive(recipient):
        return by_abo
    return ON_SIGN_OFF if is_rhd_positive(donor) else COMPATIBLE


def _tier_with_red_cells(of: str, to: str, component: str) -> int:
    if of == to:
        return IDENTICAL
    accepted = component == "RED_CELLS" and to != "OH" and _RED_CELL_ANTIGENS[of] <= _RED_CELL_ANTIGENS[to]
    return COMPATIBLE if accepted else NEVER


def _tier_of_plasma(of: str, to: str, component: str) -> int:
    if of == to:
        return IDENTICAL
    if to != "OH" and _RED_CELL_ANTIGENS[to] <= _RED_CELL_ANTIGENS[of]:
        return COMPATIBLE
    return ON_SIGN_OFF if component == "PLATELETS" or to == "OH" else NEVER


def tiers_for(request: Event) -> Tiers:
    """Return the tier of each donor group for this request, after all that protects its patient.

    RhD-positive red cells and whole blood are never for a RhD-negative female of 50 or younger, a RhD-negative patient
    under 18, or anybody known to carry anti-D, whatever group is on record. A patient of unknown group may have red
    cells of O alone, RhD-negative where the patient is a female of 50 or younger, a male of 18 or younger or carries
    anti-D, else RhD-positive. Where sex or age isn't known, or the sex is OTHER, the patient counts as the one whom
    the rule protects.

    Parameters
    ----------
    request : Event
        A ``blood-request-created``, or the request of a ``match-requested``.

    Returns
    -------
    ndarray of int8, shape (11,), read-only
        By the code of the donor's group: 0 never, 1, 2, or 3, which needs ``clinician_sign_off``.
    """
    return _tiers(_case(request))


def preference_classes(request: Event) -> Tiers:
    """Return the preference class of each donor group for this request.

    Best first: the tier; then, for red cells and whole blood, the place of the donor's ABO group in the recipient's
    row; then, for the same two, donors of the reserve (O-negative, Oh) after others, unless their group is identical.

    Returns
    -------
    ndarray of int8, shape (11,), read-only
        By the code of the donor's group: 0 is best, equals share a class, no class is left out between; -1 for groups
        that this request is never offered, tier 3 without ``clinician_sign_off`` among them.
    """
    return _classes(_case(request), request["clinician_sign_off"])


def why_nobody(request: Event) -> str | None:
    """Return why no donor of any group may be offered for this request; None where some may."""
    if preference_classes(request).max() >= 0:
        return None
    if request["component"] == "UNKNOWN":
        return "the component isn't known"
    if request["blood_group"] == "UNKNOWN":
        component = request["component"].lower().replace("_", " ")
        return f"the patient's group must be typed first: {component} can't be offered for an unknown group"
    return "no group may give for this request"


def _case(request: Event) -> _Case:
    age, anti_d = request["patient_age"], request["patient_anti_d"]
    may_be_female, may_be_male = request["patient_sex"] != "MALE", request["patient_sex"] != "FEMALE"
    protected_as_female = may_be_female and (age is None or age <= 50)
    return _Case(
        group=request["blood_group"],
        component=request["component"],
        protected=anti_d or protected_as_female or age is None or age < 18,
        o_negative_alone=anti_d or protected_as_female or (may_be_male and (age is None or age <= 18)),
        anti_d=anti_d,
    )


@lru_cache(maxsize=1 << 10)
def _tiers(case: _Case) -> Tiers:
    tiers = np.array([_tier_of(case, donor) for donor in GROUPS], dtype=np.int8)
    tiers.flags.writeable = False
    return tiers


def _tier_of(case: _Case, donor: str) -> int:
    if case.group == "UNKNOWN":
        offered = "O_NEG" if case.o_negative_alone else "O_POS"
        return COMPATIBLE if case.component == "RED_CELLS" and donor == offered else NEVER
    if case.component in _WITH_RED_CELLS and is_rhd_positive(donor):
        negative = not is_rhd_positive(case.group)
        if case.anti_d or (negative and case.protected):
            return NEVER
    return tier(case.group, donor, case.component)


@lru_cache(maxsize=1 << 10)
def _classes(case: _Case, signed_off: bool) -> Tiers:
    tiers = _tiers(case)
    offered = {
        code: _preference(case, donor, int(tiers[code]))
        for code, donor in enumerate(GROUPS)
        if tiers[code] in {IDENTICAL, COMPATIBLE} or (tiers[code] == ON_SIGN_OFF and signed_off)
    }
    rank = {preference: place for place, preference in enumerate(sorted(set(offered.values())))}
    classes = np.full(N_GROUPS, NOT_OFFERED, dtype=np.int8)
    for code, preference in offered.items():
        classes[code] = rank[preference]
    classes.flags.writeable = False
    return classes


def _preference(case: _Case, donor: str, tier_of_donor: int) -> tuple[int, int, bool]:
    if case.component not in _WITH_RED_CELLS or case.group == "UNKNOWN":
        return tier_of_donor, 0, False
    place = _PLACES[abo(case.group)][abo(donor)]
    return tier_of_donor, place, donor in _RESERVE and donor != case.group
