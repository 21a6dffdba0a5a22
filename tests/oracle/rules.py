"""The rules a second time: who may give to whom, and when. Brute force and obvious, one instant at a time.

Written from the domain facts alone, sharing nothing with ``features``. Donors are ``donor-states`` events, requests
``blood-request-created`` events, both as plain dicts.
"""

from __future__ import annotations

import math
from datetime import date, timedelta

DAY = 86_400_000_000
KOLKATA = 19_800_000_000
EPOCH = date(1970, 1, 1)

# Domain facts, section 1: "recipient | red cells, best first | plasma | apheresis platelets | whole blood".
RED_CELLS = {"O": [["O"]], "A": [["A"], ["O"]], "B": [["B"], ["O"]], "AB": [["AB"], ["A", "B"], ["O"]], "OH": [["OH"]]}
WHOLE_BLOOD = {"O": [["O"]], "A": [["A"]], "B": [["B"]], "AB": [["AB"]], "OH": [["OH"]]}
PLASMA = {"O": ["O", "A", "B", "AB"], "A": ["A", "AB"], "B": ["B", "AB"], "AB": ["AB"], "OH": ["OH"]}
PLATELETS = PLASMA
PLASMA_ON_SIGN_OFF = {"O": [], "A": [], "B": [], "AB": [], "OH": ["O", "A", "B", "AB"]}
PLATELETS_ON_SIGN_OFF = {
    "O": [],
    "A": ["O", "B"],
    "B": ["O", "A"],
    "AB": ["O", "A", "B"],
    "OH": ["O", "A", "B", "AB"],
}


def split(group):
    abo, _, rhd = group.partition("_")
    return abo, rhd


def tier(request, donor_group):
    """0 never, 1 identical, 2 compatible, 3 only with the clinician's sign-off."""
    if donor_group == "UNKNOWN":
        return 0
    if request["blood_group"] == "UNKNOWN":
        return tier_for_unknown(request, donor_group)
    recipient, _ = split(request["blood_group"])
    donor, _ = split(donor_group)
    if request["component"] == "PLASMA":
        return plasma_tier(PLASMA, PLASMA_ON_SIGN_OFF, recipient, donor)
    if request["component"] == "PLATELETS":
        return plasma_tier(PLATELETS, PLATELETS_ON_SIGN_OFF, recipient, donor)
    rows = RED_CELLS if request["component"] == "RED_CELLS" else WHOLE_BLOOD
    if not any(donor in equals for equals in rows[recipient]):
        return 0
    return red_cell_tier(request, donor_group)


def red_cell_tier(request, donor_group):
    """The tier of a donor of a compatible ABO group."""
    _, recipient_rhd = split(request["blood_group"])
    _, donor_rhd = split(donor_group)
    if donor_rhd == "POS" and request["patient_anti_d"]:
        return 0
    if donor_rhd == "POS" and recipient_rhd == "NEG":
        return 0 if may_be_female_up_to(50, request) or may_be_under_18(request) else 3
    return 1 if donor_group == request["blood_group"] else 2


def plasma_tier(offered, on_sign_off, recipient, donor):
    if donor == recipient:
        return 1
    if donor in offered[recipient]:
        return 2
    return 3 if donor in on_sign_off[recipient] else 0


def tier_for_unknown(request, donor_group):
    if request["component"] != "RED_CELLS":
        return 0
    o_negative = request["patient_anti_d"] or may_be_female_up_to(50, request) or may_be_male_up_to(18, request)
    return 2 if donor_group == ("O_NEG" if o_negative else "O_POS") else 0


def may_be_female_up_to(age, request):
    return request["patient_sex"] in {"FEMALE", "OTHER", "UNKNOWN"} and may_be_up_to(age, request)


def may_be_male_up_to(age, request):
    return request["patient_sex"] in {"MALE", "OTHER", "UNKNOWN"} and may_be_up_to(age, request)


def may_be_under_18(request):
    return may_be_up_to(17, request)


def may_be_up_to(age, request):
    return request["patient_age"] is None or request["patient_age"] <= age


def may_be_offered(request, donor_group):
    found = tier(request, donor_group)
    return found in {1, 2} or (found == 3 and request["clinician_sign_off"])


def preference(request, donor_group):
    """What classes are ordered by: the lower, the better; equals are of one class."""
    found = tier(request, donor_group)
    if request["component"] in {"PLASMA", "PLATELETS"} or request["blood_group"] == "UNKNOWN":
        return (found, 0, False)
    recipient, _ = split(request["blood_group"])
    donor, _ = split(donor_group)
    rows = RED_CELLS if request["component"] == "RED_CELLS" else WHOLE_BLOOD
    (place,) = [number for number, equals in enumerate(rows[recipient]) if donor in equals]
    is_reserve = donor_group == "O_NEG" or donor == "OH"
    return (found, place, is_reserve and donor_group != request["blood_group"])


def local_day(instant):
    return (instant + KOLKATA) // DAY


def birthday(born_on, age):
    """The day since 1970, or None where no calendar has it."""
    born = EPOCH + timedelta(days=born_on)
    if born.year + age > date.max.year:
        return None
    try:
        on = born.replace(year=born.year + age)
    except ValueError:  # 29 February
        on = date(born.year + age, 3, 1)
    return (on - EPOCH).days


def age_is_within(donor, instant, lowest, highest):
    """From the birthday of the lower to the birthday of the upper age, both days included."""
    first, last, today = birthday(donor["born_on"], lowest), birthday(donor["born_on"], highest), local_day(instant)
    return first is not None and today >= first and (last is None or today <= last)


def weighs_less(donor, least_kg):
    weight = donor["weight_kg"]
    return weight is None or not math.isfinite(weight) or weight < least_kg


def too_soon(given_at, days, instant):
    """An interval of n days is n times 24 hours from the instant of giving."""
    return given_at is not None and instant < given_at + days * DAY


def what_refuses(donor, component, instant):
    """The items of all rules that don't let the donor give at this instant; deferrals by the item they name."""
    deferrals = [
        deferral["rule_item"]
        for deferral in donor["deferrals"]
        if deferral["until"] is None or local_day(instant) <= deferral["until"]
    ]
    if component in {"WHOLE_BLOOD", "RED_CELLS"}:
        return deferrals + whole_blood_refusals(donor, instant)
    return deferrals + apheresis_refusals(donor, instant)


def whole_blood_refusals(donor, instant):
    oldest = 60 if donor["total_donations"] == 0 else 65
    interval = 90 if donor["sex"] == "MALE" else 120
    last_apheresis = max((given["given_at"] for given in donor["apheresis"]), default=None)
    refused = []
    if not age_is_within(donor, instant, 18, oldest):
        refused.append("item 2")
    if weighs_less(donor, 45):
        refused.append("item 3")
    if too_soon(donor["last_whole_blood_at"], interval, instant):
        refused.append("item 4")
    if too_soon(last_apheresis, 28, instant):
        refused.append("item 4")
    if too_soon(donor["last_unreturned_apheresis_at"], 90, instant):
        refused.append("item 4")
    return refused


def apheresis_refusals(donor, instant):
    aphereses = [given["given_at"] for given in donor["apheresis"]]
    refused = []
    if not age_is_within(donor, instant, 18, 60):
        refused.append("item 2")
    if weighs_less(donor, 50):
        refused.append("item 3")
    if too_soon(donor["last_whole_blood_at"], 28, instant):
        refused.append("item 4")
    if too_soon(max(aphereses, default=None), 2, instant):
        refused.append("item 4")
    if len([at for at in aphereses if at > instant - 7 * DAY]) >= 2:
        refused.append("item 4")
    if len([at for at in aphereses if at > instant - 365 * DAY]) >= 24:
        refused.append("item 4")
    return refused


def is_eligible(donor, component, at, required_by):
    return not what_refuses(donor, component, at) and not what_refuses(donor, component, required_by)
