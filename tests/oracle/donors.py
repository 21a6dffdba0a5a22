"""What is known of a donor, worked out from scratch from all events at once. Brute force and obvious.

Written from the contract's paragraph "A donor's profile" alone. A history is a list of ``(topic, event, timestamp_ms)``
of one donor, in the order in which the records came; a null registration has ``None`` for its event.
"""

from __future__ import annotations

import math
import re

from tests.oracle.rules import local_day

WHOLE_BLOOD = {"WHOLE_BLOOD", "RED_CELLS", "UNKNOWN"}
APHERESIS = {"PLATELETS", "PLASMA", "UNKNOWN"}
PROFILE = (
    "blood_group",
    "sex",
    "born_on",
    "weight_kg",
    "district",
    "h3_cell",
    "joined_at",
    "contactable",
    "apheresis_willing",
    "away_until",
)


def facts(history):
    """The facts of ``donor-states`` that follow from a history."""
    erased_at = max((at_ms * 1000 for _, event, at_ms in history if event is None), default=None)
    known = [
        (topic, event)
        for topic, event, at_ms in without_repeats(history)
        if erased_at is None
        or (event["occurred_at"] > erased_at and (topic != "donor-registered" or at_ms * 1000 > erased_at))
    ]
    known.sort(key=lambda item: order(item[1]))
    profiles = [event for topic, event in known if topic == "donor-registered"]
    donations = [event for topic, event in known if topic == "donation-recorded"]
    responses = [event for topic, event in known if topic == "donor-responded"]

    found = {
        "erased_at": None if profiles else erased_at,
        "last_erased_at": erased_at,
        "registered_at": profiles[-1]["occurred_at"] if profiles else None,
        "last_whole_blood_at": last_whole_blood_at(profiles, donations),
        "apheresis": aphereses(profiles, donations),
        "deferrals": standing_deferrals(profiles, donations),
        "promises": open_promises(responses, donations),
        "asked": asked(responses),
    }
    if profiles:
        profile = profiles[-1]
        found |= {field: profile[field] for field in PROFILE}
        found["total_donations"] = profile["total_donations"] + len(
            [d for d in donations if d["outcome"] == "COMPLETED" and d["occurred_at"] > profile["occurred_at"]]
        )
    return found


def without_repeats(history):
    seen = set()
    distinct = []
    for topic, event, at_ms in history:
        if event is not None and event["event_id"] not in seen:
            seen.add(event["event_id"])
            distinct.append((topic, event, at_ms))
    return distinct


def order(event):
    return event["occurred_at"], event["event_id"]


def completed(donations, components):
    return [d for d in donations if d["outcome"] == "COMPLETED" and d["component"] in components]


def last_whole_blood_at(profiles, donations):
    """The latest that any event names."""
    named = [profile["last_whole_blood_at"] for profile in profiles if profile["last_whole_blood_at"] is not None]
    named += [donation["occurred_at"] for donation in completed(donations, WHOLE_BLOOD)]
    return max(named, default=None)


def aphereses(profiles, donations):
    """Instant → whether its red cells were returned, of every apheresis that any event names.

    Where two statements of one apheresis differ, one that they were not returned is believed.
    """
    stated = []
    for profile in profiles:
        stated += [(given["given_at"], given["red_cells_returned"]) for given in profile["recent_apheresis"]]
        if profile["last_apheresis_at"] is not None:
            stated.append((profile["last_apheresis_at"], profile["red_cells_returned"]))
    for donation in completed(donations, APHERESIS):
        returned = donation["red_cells_returned"] and donation["component"] != "UNKNOWN"
        stated.append((donation["occurred_at"], returned))
    return {at: all(returned for when, returned in stated if when == at) for at, _ in stated}


def standing_deferrals(profiles, donations):
    """Set of (item, last day) of all deferrals that stand; infinity for those that are permanent."""
    stated = [(order(p), d["rule_item"], d["until"]) for p in profiles for d in p["deferrals"]]
    stated += [(order(d), d["deferral"]["rule_item"], d["deferral"]["until"]) for d in donations if d["deferral"]]
    standing = set()
    for item in {item for _, item, _ in stated}:
        of_item = [(when, math.inf if until is None else until) for when, named, until in stated if named == item]
        if is_unnamed(item):
            standing |= {("", until) for when, until in of_item}
            continue
        lifted = max((when for when, until in of_item if until < local_day(when[0])), default=None)
        left = [until for when, until in of_item if until >= local_day(when[0]) and (not lifted or when >= lifted)]
        if left:
            standing.add((item, max(left)))
    return standing


def is_unnamed(item):
    """Whether it names item 52, as the rule tables write items: ``item 52``, ``items 43,52``, ``items 51-53``."""
    numbers = item.replace("items", "").replace("item", "")
    for part in numbers.split(","):
        ends = [int(number) for number in re.findall("[0-9]+", part)]
        if ends and ends[0] <= 52 <= ends[-1]:
            return True
    return item == ""


def open_promises(responses, donations):
    """Request → instant of the promise, of all promises that no donation ended."""
    promises = {}
    for request_id in {response["request_id"] for response in responses}:
        said = [r for r in responses if r["request_id"] == request_id and r["response"] not in {"NOTIFIED", "OPENED"}]
        if not said or said[-1]["response"] not in {"ACCEPTED", "ARRIVED"}:
            continue
        since = [donation for donation in donations if donation["occurred_at"] >= said[-1]["occurred_at"]]
        if not [d for d in since if d["request_id"] == request_id or d["outcome"] == "COMPLETED"]:
            promises[request_id] = said[-1]["occurred_at"]
    return promises


def asked(responses):
    """Request → instant of the latest response to it, where that isn't EXPIRED."""
    latest = {response["request_id"]: response for response in responses}  # in order: the last one stays
    return {of: response["occurred_at"] for of, response in latest.items() if response["response"] != "EXPIRED"}
