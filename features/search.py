"""The kernels that walk over the donor index for one request.

They walk over places, not donors: a place (an H3 cell) within reach counts its living donors by group from the index,
and only donors of groups that may give are looked at one by one. A ring looks only at what lies beyond the one before.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from features.cut import CUT_DISTANCE_KM, best_of
from features.geo import EARTH_RADIUS_KM
from features.index.columns import APHERESIS_WILLING, CONTACTABLE, LAST, LIVE, NO_ENGAGEMENT, PROMISE, Engagements
from features.index.donor_index import IndexView
from features.kernels import kernel
from features.question import N_CLASSES, Askable, Filter, Limits, Question, Ring, Tally

NEAR = 1e-12
"""Cosines that differ by less are told apart by the exact distance. A dot product of unit vectors is right to 1e-15;
at 5 km this is a strip of 8 mm."""


@kernel
def haversine_km(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Return the great-circle distance between two places, given in radians."""
    half_chord_squared = (
        math.sin((to_latitude - latitude) / 2) ** 2
        + math.cos(latitude) * math.cos(to_latitude) * math.sin((to_longitude - longitude) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(half_chord_squared, 1.0)))


@kernel
def _ring(latitude: float, longitude: float, inner_km: float, outer_km: float) -> Ring:
    return Ring(
        latitude,
        longitude,
        math.cos(latitude) * math.cos(longitude),
        math.cos(latitude) * math.sin(longitude),
        math.sin(latitude),
        inner_km,
        outer_km,
        math.cos(inner_km / EARTH_RADIUS_KM) if inner_km >= 0 else 2.0,
        math.cos(outer_km / EARTH_RADIUS_KM),
    )


@kernel
def _lies_in(ring: Ring, cosine: float, latitude: float, longitude: float) -> bool:
    """Tell whether a place lies in the ring: by its cosine alone, but for those within a hair of an edge."""
    if cosine < ring.outer_cos - NEAR or cosine > ring.inner_cos + NEAR:
        return False
    if cosine > ring.outer_cos + NEAR and cosine < ring.inner_cos - NEAR:
        return True
    return ring.inner_km < haversine_km(ring.latitude, ring.longitude, latitude, longitude) <= ring.outer_km


@kernel
def _is_free(engagements: Engagements, entry: int, question: Question, limits: Limits) -> bool:
    """Tell whether a donor's promises and askings, the first at ``entry``, leave the donor free for this request."""
    while True:
        of_this_request = engagements.request_id[entry] == question.request_id
        if engagements.mark[entry] & PROMISE:
            if not of_this_request and engagements.at[entry] >= limits.promised_since:
                return False
        elif of_this_request and engagements.at[entry] >= limits.asked_since:
            return False
        if engagements.mark[entry] & LAST:
            return True
        entry += 1


@kernel
def _twice_as_long(askable: Askable) -> Askable:
    n = len(askable.row)
    row, km, preference = np.empty(2 * n, np.int32), np.empty(2 * n, np.float64), np.empty(2 * n, np.int8)
    for i in range(n):  # here and below: loops compile many times faster than slices
        row[i], km[i], preference[i] = askable.row[i], askable.km[i], askable.preference[i]
    return Askable(row, km, preference)


@kernel
def _filter(index: IndexView, question: Question) -> Filter:
    columns = index.columns
    wanted = LIVE | CONTACTABLE | (APHERESIS_WILLING if question.apheresis else 0)
    if question.apheresis:
        from_at, until_at = columns.apheresis_from, columns.apheresis_until
    else:
        from_at, until_at = columns.whole_blood_from, columns.whole_blood_until
    return Filter(wanted, columns.flags, from_at, until_at, columns.away_until, columns.engaged)


@kernel
def _look_at_rows(
    facts: Filter,
    engagements: Engagements,
    question: Question,
    limits: Limits,
    rows: tuple[int, int],
    found: Askable,
    n_found: int,
) -> tuple[int, int]:
    """Write the askable ones of donors who are all of one place and group; return how many, and the eligible.

    There must be room for all of them.
    """
    n_eligible = 0
    for row in range(rows[0], rows[1]):
        flags = facts.flags[row]
        if not flags & LIVE or facts.from_at[row] > question.at or facts.until_at[row] <= question.required_by:
            continue
        n_eligible += 1
        if flags & facts.wanted != facts.wanted or facts.away_until[row] >= question.local_day:
            continue
        entry = facts.engaged[row]
        if entry == NO_ENGAGEMENT or _is_free(engagements, entry, question, limits):
            found.row[n_found] = row
            n_found += 1
    return n_found, n_eligible


@kernel
def _n_below(sorted_values: NDArray[np.float64], bound: float) -> int:
    low, high = 0, len(sorted_values)
    while low < high:
        middle = (low + high) // 2
        if sorted_values[middle] < bound:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _look_at_sorted(
    index: IndexView,
    ring: Ring,
    question: Question,
    limits: Limits,
    tally: Tally,
    askable: Askable,
    n_askable: int,
) -> tuple[Askable, int]:
    # Arrays in locals: a tuple of thirty that is handed on for each donor costs more than the donor.
    facts, engagements = _filter(index, question), index.engagements
    x, y, z = index.places.x, index.places.y, index.places.z
    latitude, longitude = index.places.latitude, index.places.longitude
    first, n_live_of_place, group, start, n_live = index.segments
    counts, of_class = tally
    width = ring.outer_km / EARTH_RADIUS_KM + 1e-9
    latitudes = latitude[: len(n_live_of_place)]
    for place in range(_n_below(latitudes, ring.latitude - width), _n_below(latitudes, ring.latitude + width)):
        cosine = x[place] * ring.x + y[place] * ring.y + z[place] * ring.z
        if not _lies_in(ring, cosine, latitude[place], longitude[place]):
            continue
        counts[0] += n_live_of_place[place]
        km = -1.0
        for segment in range(first[place], first[place + 1]):
            preference = question.classes[group[segment]]
            if preference < 0:
                continue
            counts[1] += n_live[segment]
            rows = (start[segment], start[segment + 1])
            while n_askable + rows[1] - rows[0] > len(askable.row):
                askable = _twice_as_long(askable)
            n, n_eligible = _look_at_rows(facts, engagements, question, limits, rows, askable, n_askable)
            counts[2] += n_eligible
            if n > n_askable and km < 0:
                km = haversine_km(ring.latitude, ring.longitude, latitude[place], longitude[place])
            for i in range(n_askable, n):
                askable.km[i] = km
                askable.preference[i] = preference
            of_class[preference] += n - n_askable
            n_askable = n
    return askable, n_askable


@kernel
def _look_at_tail(
    index: IndexView,
    ring: Ring,
    question: Question,
    limits: Limits,
    tally: Tally,
    askable: Askable,
    n_askable: int,
) -> tuple[Askable, int]:
    facts, engagements = _filter(index, question), index.engagements
    x, y, z = index.places.x, index.places.y, index.places.z
    latitude, longitude = index.places.latitude, index.places.longitude
    cell, group = index.columns.cell, index.columns.group
    counts, of_class = tally
    while n_askable + index.n_rows - index.n_sorted > len(askable.row):
        askable = _twice_as_long(askable)
    for row in range(index.n_sorted, index.n_rows):
        place = cell[row]
        cosine = x[place] * ring.x + y[place] * ring.y + z[place] * ring.z
        if not facts.flags[row] & LIVE or not _lies_in(ring, cosine, latitude[place], longitude[place]):
            continue
        counts[0] += 1
        preference = question.classes[group[row]]
        if preference < 0:
            continue
        counts[1] += 1
        n, n_eligible = _look_at_rows(facts, engagements, question, limits, (row, row + 1), askable, n_askable)
        counts[2] += n_eligible
        if n > n_askable:
            askable.km[n_askable] = haversine_km(ring.latitude, ring.longitude, latitude[place], longitude[place])
            askable.preference[n_askable] = preference
            of_class[preference] += 1
            n_askable = n
    return askable, n_askable


@kernel
def _best_of_class(
    index: IndexView, askable: Askable, n_askable: int, preference: int, n_of_class: int, n_scored: int
) -> NDArray[np.int64]:
    """Cut a class to the ``n_scored`` donors who are worth most.

    Returns
    -------
    ndarray of int64
        Places in ``askable``, unordered.
    """
    members = np.empty(n_of_class, np.int64)
    n = 0
    for i in range(n_askable):
        if askable.preference[i] == preference:
            members[n] = i
            n += 1
    if n_of_class <= n_scored:
        return members
    columns = index.columns
    worth, donor = np.empty(n_of_class), np.empty(n_of_class, np.int64)
    of_donor, donor_id = columns.worth, columns.donor_id
    km, nearness = -1.0, 0.0
    for j in range(n_of_class):
        row = askable.row[members[j]]
        # Those of one place stand side by side.
        if askable.km[members[j]] != km:
            km = askable.km[members[j]]
            nearness = math.exp(-km / CUT_DISTANCE_KM)
        worth[j] = of_donor[row] * nearness
        donor[j] = donor_id[row]
    best = best_of(worth, donor, n_scored)
    for i in range(n_scored):
        best[i] = members[best[i]]
    return best


@kernel
def _picks(
    index: IndexView, askable: Askable, n_askable: int, of_class: NDArray[np.int64], limits: Limits
) -> NDArray[np.int64]:
    """Return the places in ``askable`` of those to score: the best of each class that the list reaches."""
    picks = np.empty(n_askable, np.int64)
    n_picks = n_reached = 0
    for preference in range(N_CLASSES):
        if n_reached >= limits.n_wanted:
            break
        if of_class[preference] == 0:
            continue
        best = _best_of_class(index, askable, n_askable, preference, of_class[preference], limits.n_scored)
        for pick in best:
            picks[n_picks] = pick
            n_picks += 1
        n_reached += of_class[preference]
    return picks[:n_picks]


@kernel
def search(
    index: IndexView, question: Question, limits: Limits, askable: Askable
) -> tuple[float, Tally, Askable, int, NDArray[np.int64]]:
    """Look at ring after ring until enough donors may be asked.

    Parameters
    ----------
    index : IndexView
    question : Question
    limits : Limits
    askable : Askable
        Room, of at least one row.

    Returns
    -------
    reach_km : float
    tally : Tally
        Counts within ``reach_km``.
    askable : Askable
        All askable donors; the room that was passed in, or a longer one.
    n_askable : int
        How many of its rows are in use.
    picks : ndarray of int64
        Places in ``askable`` of those to score.
    """
    latitude, longitude = math.radians(question.latitude), math.radians(question.longitude)
    tally = Tally(np.zeros(3, np.int64), np.zeros(N_CLASSES, np.int64))
    n_askable = tally.counts[0]  # none yet; a literal 0 would make numba compile what takes it twice
    reach_km = -1.0
    for i in range(len(limits.rings_km)):
        ring = _ring(latitude, longitude, reach_km, limits.rings_km[i])
        reach_km = limits.rings_km[i]
        askable, n_askable = _look_at_sorted(index, ring, question, limits, tally, askable, n_askable)
        askable, n_askable = _look_at_tail(index, ring, question, limits, tally, askable, n_askable)
        if n_askable >= limits.n_enough and i < limits.n_rings:
            break
        if n_askable >= limits.n_enough_wide and i >= limits.n_rings - 1:
            break
    return reach_km, tally, askable, n_askable, _picks(index, askable, n_askable, tally.of_class, limits)
