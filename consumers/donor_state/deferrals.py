"""Deferrals: what stands of each rule item, from whichever topic it was stated.

A later statement never shortens an earlier one. What lifts an item, and all that was stated of it before, is a
statement whose ``until`` is past on its own local day. A deferral without item stands by itself: only its day ends it.
"""

from __future__ import annotations

from hashlib import blake2b

from consumers.donor_state import staircase
from consumers.donor_state.donor import PERMANENT, Donor, Statement
from features.local_time import local_day
from features.rule_items import UNNAMED, kept_item
from schemas.records import Event

N_LETTERS_MAX = 120
N_ITEMS_MAX = 1_000
"""More than the rules have; what else a donor is deferred for stands without its item, so that nothing lifts it."""


def item_of(rule_item: str) -> str:
    """Return the item that a statement is about, so that one item is one text.

    Letters' case and spaces don't count. Of a text too long to be an item the beginning is kept, and a digest that
    tells it from others.
    """
    text = " ".join(kept_item(rule_item).split()).casefold()
    if len(text) <= N_LETTERS_MAX:
        return text
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{text[:N_LETTERS_MAX]} … {digest}"


def state(donor: Donor, deferral: Event, occurred_at: int, event_id: bytes, stated_at: int) -> None:
    """Take in one deferral, which the event of this id stated."""
    item = item_of(deferral["rule_item"])
    until: int | None = deferral["until"]
    last_day = PERMANENT if until is None else until
    if item == UNNAMED or (item not in donor.deferrals and len(donor.deferrals) >= N_ITEMS_MAX):
        staircase.state(donor.unnamed, stated_at, last_day)
        return
    lifts = last_day < local_day(occurred_at)
    statement = Statement(occurred_at, event_id, stated_at, None if lifts else last_day)
    statements = donor.deferrals.get(item)
    if statements is None:
        donor.deferrals[item] = [statement]
    elif statement not in statements:
        statements.append(statement)
        donor.deferrals[item] = sorted(
            (one for one in statements if not any(_outdates(other, one) for other in statements)), key=_order
        )


def standing(donor: Donor) -> list[tuple[str, int]]:
    """Return the items that stand and the last day that each blocks, sorted; ``PERMANENT`` where it doesn't end."""
    found = [(UNNAMED, until) for _, until in donor.unnamed]
    for item, statements in donor.deferrals.items():
        lifted = max((one[:2] for one in statements if one.until is None), default=None)
        days = [one.until for one in statements if one.until is not None and (lifted is None or one[:2] >= lifted)]
        if days:
            found.append((item, max(days)))
    found.sort()
    return found


def forget(donor: Donor, at: int) -> None:
    """Take back what was stated at ``at`` or before."""
    staircase.forget(donor.unnamed, at)
    for item, statements in list(donor.deferrals.items()):
        statements[:] = [one for one in statements if one.stated_at > at]
        if not statements:
            del donor.deferrals[item]


def _outdates(other: Statement, one: Statement) -> bool:
    """Return whether ``other`` makes ``one`` useless, whatever else may still come, also an erasure."""
    if other.stated_at < one.stated_at or other is one:
        return False
    later = other[:2] > one[:2]
    if other.until is None:
        return later
    if one.until is None:
        return False
    return (later and other.until >= one.until) or (other[:2] == one[:2] and other.until > one.until)


def _order(one: Statement) -> tuple[int, bytes, int, int]:
    return (one.occurred_at, one.event_id, one.stated_at, -1 if one.until is None else one.until)
