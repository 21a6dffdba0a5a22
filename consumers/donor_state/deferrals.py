"""Deferrals: what stands of each rule item, from whichever topic it was stated.

A later statement never shortens an earlier one. What lifts an item, and all that was stated of it before, is a
statement whose ``until`` is past on its own local day. A deferral without item stands by itself: only its day ends it.

A lift may come however late, and an erasure too, so of each item all statements are kept of which no later one says as
much. There may be any number of them, each later and of a shorter deferral than the one before. Beyond 3,000 of a donor
two neighbours are made one, which says at least what both said: that shows in nothing until a lift or an erasure of
between the two comes late, and then the donor is deferred some days too long (docs/adr/0029).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from hashlib import blake2b
from heapq import heapify, heapreplace
from itertools import islice, pairwise

from consumers.donor_state import staircase
from consumers.donor_state.donor import PERMANENT, Donor, Statement
from features.local_time import local_day
from features.rule_items import UNNAMED, kept_item
from schemas.records import Event

N_LETTERS_MAX = 120
N_ITEMS_MAX = 1_000
"""More than the rules have; what else a donor is deferred for stands without its item, so that nothing lifts it."""

N_STATEMENTS_MAX = 3_000
"""Of all items: three for each that there may be. So where there are more, one has four, of which one can go."""


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
    _add(donor.deferrals.setdefault(item, []), statement)


def settle(donor: Donor) -> int:
    """Keep no more than 3,000 statements; what is known now stays as it is, to the day.

    Returns
    -------
    int
        How many were merged with their neighbours, or were lifts of before a later one, since there were too many.
    """
    n_more = sum(map(len, donor.deferrals.values())) - N_STATEMENTS_MAX
    if n_more <= 0:
        return 0
    n_merged, today = 0, local_day(donor.latest_at)
    longest_first = [(-len(statements), item) for item, statements in donor.deferrals.items()]
    heapify(longest_first)
    while n_more > 0:
        item = longest_first[0][1]
        n_more -= _shorten(donor.deferrals[item], today)
        n_merged += 1
        heapreplace(longest_first, (-len(donor.deferrals[item]), item))
    return n_merged


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


def _add(statements: list[Statement], new: Statement) -> None:
    """Add a statement to those of its item, none of which makes another useless; it may make some so, or be so."""
    first = bisect_left(statements, new[:2], key=_stamp)
    if any(_outdates(one, new) for one in islice(statements, first, None)):
        return
    behind = bisect_right(statements, new[:2], lo=first, key=_stamp)
    useless = [place for place, one in enumerate(islice(statements, behind)) if _outdates(new, one)]
    for place in reversed(useless):
        del statements[place]
    insort(statements, new, key=_order)


def _outdates(other: Statement, one: Statement) -> bool:
    """Return whether ``other`` makes ``one`` useless, or is it, whatever else may still come, also an erasure."""
    if other.stated_at < one.stated_at or other[:2] < one[:2]:
        return False
    if other.until is None:
        return one.until is None or other[:2] > one[:2]
    return one.until is not None and other.until >= one.until


def _shorten(statements: list[Statement], today: int) -> int:
    """Make one statement of two neighbours, which lasts as long as either.

    Where no two may be one, the earliest lift goes: of at least four statements there is a later one, which lifts what
    that one lifted.

    Returns
    -------
    int
        How many fewer there are, at least 1.
    """
    n_before = len(statements)
    place = _nearest(statements, today)
    if place is None:
        del statements[next(place for place, one in enumerate(statements) if one.until is None)]
    else:
        earlier, later = statements[place : place + 2]
        del statements[place : place + 2]
        until = max(earlier.until or 0, later.until or 0)
        _add(statements, Statement(*later[:2], max(earlier.stated_at, later.stated_at), until))
    return n_before - len(statements)


def _nearest(statements: list[Statement], today: int) -> int | None:
    """Return the place of the neighbours by whose merging fewest days from ``today`` on may be blocked too many.

    Two between which a lift lies stay two, since it lifts the earlier alone; None where one lies between any two.
    """
    found, least = None, (PERMANENT, PERMANENT)
    for place, (earlier, later) in enumerate(pairwise(statements)):
        if earlier.until is None or later.until is None:
            continue
        low, high = (earlier.until, later.until) if earlier.until < later.until else (later.until, earlier.until)
        days = (high - low if low >= today else max(0, high - today + 1), high - low)
        if found is None or days < least:
            found, least = place, days
    return found


def _stamp(one: Statement) -> tuple[int, bytes]:
    return one[:2]


def _order(one: Statement) -> tuple[int, bytes, bool, int, int]:
    """Return what statements of an item are sorted by: lifts before what their own events state."""
    return (*one[:2], one.until is not None, one.stated_at, one.until or 0)
