"""Tiers and preference classes, against the domain's table and its readings."""

import csv
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.compatibility import COMPONENTS, GROUPS, group_text, preference_classes, tier, tiers_for, why_nobody
from schemas.catalogue import latest_schema

TABLE = Path(__file__).parents[3] / "shared/data/rules/compatibility_by_component.csv"
COLUMNS = {
    "RED_CELLS": "red_cells",
    "WHOLE_BLOOD": "whole_blood",
    "PLASMA": "plasma",
    "PLATELETS": "platelets_apheresis",
}
KNOWN = GROUPS[1:]


def request(group="O_NEG", component="RED_CELLS", *, sex="MALE", age=40, anti_d=False, signed_off=False):
    return {
        "blood_group": group,
        "component": component,
        "patient_sex": sex,
        "patient_age": age,
        "patient_anti_d": anti_d,
        "clinician_sign_off": signed_off,
    }


def tiers(**of):
    return {group: int(code) for group, code in zip(GROUPS, tiers_for(request(**of)), strict=True) if code}


def classes(**of):
    ranks = preference_classes(request(**of))
    return [
        [group for group, at in zip(GROUPS, ranks, strict=True) if at == rank] for rank in range(int(ranks.max()) + 1)
    ]


def test_the_symbols_are_those_of_the_schema_in_its_order():
    fields = {field["name"]: field["type"] for field in latest_schema("blood-request-created").load()["fields"]}
    assert list(GROUPS) == fields["blood_group"]["symbols"]
    assert list(COMPONENTS) == fields["component"]["symbols"]


@pytest.mark.skipif(not TABLE.exists(), reason="the domain's table is not on this machine")
def test_every_cell_is_that_of_the_domain_table():
    rows = list(csv.DictReader(TABLE.open(encoding="utf-8")))
    symbol = {group_text(group): group for group in KNOWN}
    assert len(rows) == len(KNOWN) ** 2
    assert {(row["recipient"], row["donor"]) for row in rows} == set(product(symbol, symbol))
    wrong = [
        (row["recipient"], row["donor"], component, int(row[column]))
        for row in rows
        for component, column in COLUMNS.items()
        if tier(symbol[row["recipient"]], symbol[row["donor"]], component) != int(row[column])
        # A patient whom no rule protects has the table's tiers.
        or tiers_for(request(symbol[row["recipient"]], component))[GROUPS.index(symbol[row["donor"]])]
        != int(row[column])
    ]
    assert wrong == []


def test_groups_are_written_as_people_write_them():
    assert [group_text(group) for group in GROUPS] == [
        "unknown", "A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-", "Oh+", "Oh-",
    ]  # fmt: skip


@pytest.mark.parametrize("component", ["RED_CELLS", "WHOLE_BLOOD"])
@pytest.mark.parametrize("group", ["A_NEG", "O_NEG", "AB_NEG", "OH_NEG"])
@pytest.mark.parametrize(
    ("sex", "age", "anti_d", "protected"),
    [
        ("FEMALE", 50, False, True),
        ("FEMALE", 51, False, False),
        ("FEMALE", None, False, True),
        ("MALE", 17, False, True),
        ("MALE", 18, False, False),
        ("MALE", None, False, True),
        ("OTHER", 50, False, True),
        ("OTHER", 51, False, False),
        ("UNKNOWN", 50, False, True),
        ("UNKNOWN", 51, False, False),
        ("UNKNOWN", None, False, True),
        ("MALE", 40, True, True),
        ("FEMALE", 80, True, True),
    ],
)
def test_rhd_positive_never_goes_to_a_protected_negative_patient(component, group, sex, age, anti_d, protected):
    for signed_off in (False, True):
        case = request(group, component, sex=sex, age=age, anti_d=anti_d, signed_off=signed_off)
        positive = group.replace("NEG", "POS")
        assert tiers_for(case)[GROUPS.index(positive)] == (0 if protected else 3)
        assert (preference_classes(case)[GROUPS.index(positive)] >= 0) == (signed_off and not protected)
        assert tiers_for(case)[GROUPS.index(group)] == 1


@pytest.mark.parametrize("group", KNOWN)
@pytest.mark.parametrize("component", ["RED_CELLS", "WHOLE_BLOOD"])
def test_a_carrier_of_anti_d_never_gets_rhd_positive_cells_whatever_group_is_on_record(group, component):
    offered = tiers(group=group, component=component, anti_d=True, signed_off=True)
    assert not [donor for donor in offered if donor.endswith("POS")]
    assert offered == {
        donor: of for donor, of in tiers(group=group, component=component).items() if donor.endswith("NEG")
    }


@pytest.mark.parametrize("group", KNOWN)
@pytest.mark.parametrize("component", ["PLATELETS", "PLASMA"])
def test_plasma_and_platelets_ignore_rhd(group, component):
    plain = tiers(group=group, component=component)
    assert plain == tiers(group=group, component=component, sex="FEMALE", age=20, anti_d=True)
    for donor, of in plain.items():
        other = donor.replace("POS", "NEG") if donor.endswith("POS") else donor.replace("NEG", "POS")
        assert plain[other] == of


@pytest.mark.parametrize(
    ("sex", "age", "anti_d", "offered"),
    [
        ("FEMALE", 50, False, "O_NEG"),
        ("FEMALE", 51, False, "O_POS"),
        ("FEMALE", None, False, "O_NEG"),
        ("MALE", 18, False, "O_NEG"),
        ("MALE", 19, False, "O_POS"),
        ("MALE", None, False, "O_NEG"),
        ("OTHER", 19, False, "O_NEG"),
        ("OTHER", 50, False, "O_NEG"),
        ("OTHER", 51, False, "O_POS"),
        ("UNKNOWN", 50, False, "O_NEG"),
        ("UNKNOWN", 51, False, "O_POS"),
        ("UNKNOWN", None, False, "O_NEG"),
        ("MALE", 40, True, "O_NEG"),
        ("FEMALE", 70, True, "O_NEG"),
    ],
)
def test_an_unknown_group_gets_o_red_cells_alone_of_one_rhd(sex, age, anti_d, offered):
    for signed_off in (False, True):
        case = {"group": "UNKNOWN", "sex": sex, "age": age, "anti_d": anti_d, "signed_off": signed_off}
        assert tiers(**case) == {offered: 2}
        assert classes(**case) == [[offered]]
        assert why_nobody(request(**case)) is None


@pytest.mark.parametrize("component", ["WHOLE_BLOOD", "PLATELETS", "PLASMA"])
def test_an_unknown_group_must_be_typed_for_anything_but_red_cells(component):
    case = request("UNKNOWN", component, signed_off=True)
    assert not tiers_for(case).any()
    assert (preference_classes(case) == -1).all()
    assert "must be typed first" in why_nobody(case)


def test_every_known_group_may_be_offered_somebody():
    cases = product(KNOWN, COLUMNS, ["FEMALE", "MALE", "OTHER"], [None, 10, 40, 60], [False, True])
    for group, component, sex, age, anti_d in cases:
        assert why_nobody(request(group, component, sex=sex, age=age, anti_d=anti_d)) is None


@pytest.mark.parametrize(
    ("group", "component", "signed_off", "expected"),
    [
        ("O_POS", "RED_CELLS", False, [["O_POS"], ["O_NEG"]]),
        ("O_NEG", "RED_CELLS", False, [["O_NEG"]]),
        ("O_NEG", "RED_CELLS", True, [["O_NEG"], ["O_POS"]]),
        ("A_POS", "RED_CELLS", False, [["A_POS"], ["A_NEG"], ["O_POS"], ["O_NEG"]]),
        ("A_NEG", "RED_CELLS", False, [["A_NEG"], ["O_NEG"]]),
        ("A_NEG", "RED_CELLS", True, [["A_NEG"], ["O_NEG"], ["A_POS"], ["O_POS"]]),
        (
            "AB_POS",
            "RED_CELLS",
            False,
            [["AB_POS"], ["AB_NEG"], ["A_POS", "A_NEG", "B_POS", "B_NEG"], ["O_POS"], ["O_NEG"]],
        ),
        ("AB_POS", "WHOLE_BLOOD", False, [["AB_POS"], ["AB_NEG"]]),
        ("O_POS", "WHOLE_BLOOD", False, [["O_POS"], ["O_NEG"]]),
        ("OH_POS", "RED_CELLS", False, [["OH_POS"], ["OH_NEG"]]),
        ("OH_NEG", "WHOLE_BLOOD", True, [["OH_NEG"], ["OH_POS"]]),
        ("O_NEG", "PLATELETS", False, [["O_POS", "O_NEG"], ["A_POS", "A_NEG", "B_POS", "B_NEG", "AB_POS", "AB_NEG"]]),
        ("B_POS", "PLASMA", False, [["B_POS", "B_NEG"], ["AB_POS", "AB_NEG"]]),
        (
            "OH_POS",
            "PLASMA",
            True,
            [["OH_POS", "OH_NEG"], ["A_POS", "A_NEG", "B_POS", "B_NEG", "AB_POS", "AB_NEG", "O_POS", "O_NEG"]],
        ),
    ],
)  # fmt: skip
def test_preference_classes_are_tier_then_place_then_reserve(group, component, signed_off, expected):
    assert classes(group=group, component=component, signed_off=signed_off) == expected


@settings(deadline=None)
@given(
    group=st.sampled_from(GROUPS),
    component=st.sampled_from(COMPONENTS),
    sex=st.sampled_from(["UNKNOWN", "FEMALE", "MALE", "OTHER"]),
    age=st.none() | st.integers(0, 130),
    anti_d=st.booleans(),
    signed_off=st.booleans(),
)
def test_what_is_offered_is_what_the_tiers_let(group, component, sex, age, anti_d, signed_off):
    case = request(group, component, sex=sex, age=age, anti_d=anti_d, signed_off=signed_off)
    of, ranks = tiers_for(case), preference_classes(case)
    assert of.dtype == ranks.dtype == np.int8
    assert of[0] == 0
    assert ((ranks >= 0) == ((of == 1) | (of == 2) | ((of == 3) & signed_off))).all()
    # Better classes never have worse tiers.
    offered = sorted((int(rank), int(tier_of)) for rank, tier_of in zip(ranks, of, strict=True) if rank >= 0)
    assert [tier_of for _, tier_of in offered] == sorted(tier_of for _, tier_of in offered)
    assert sorted({rank for rank, _ in offered}) == list(range(len({rank for rank, _ in offered})))
