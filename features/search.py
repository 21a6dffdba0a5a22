"""The kernels that walk over the donor index for one request.

They walk over places, not donors: a place (an H3 cell) within reach counts its living donors by group from the index,
and only donors of groups that may give are looked at one by one. A ring looks only at what lies beyond the one before.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.geo import EARTH_RADIUS_KM
from features.index.columns import APHERESIS_WILLING, CONTACTABLE, LAST, LIVE, NO_ENGAGEMENT, PROMISE
from features.index.donor_index import IndexView

NEAR = 1e-12
"""Cosines that differ by less are told apart by the exact distance. A dot product of unit vectors is right to 1e-15;
at 5 km this is a strip of 8 mm."""

CUT_DISTANCE_KM = 10.0
"""k of exp(−d/k) in the cut: the geometric mean of the 5–20 km of the domain facts, section 3."""

N_CLASSES = 11
"""There are no more preference classes than groups."""


class Question(NamedTuple):
    """One request, as the search needs it.

    Parameters
    ----------
    latitude, longitude : float
        Degrees.
    classes : ndarray of int8, shape (11,), read-only
        Preference class of each donor group, -1 where it is never offered.
    apheresis : bool
        Whether the component is given by apheresis.
    at, required_by : int
        Microseconds since 1970, the second not before the first.
    local_day : int
        The local day of ``at``.
    request_id : int
    """

    latitude: float
    longitude: float
    classes: NDArray[np.int8]
    apheresis: bool
    at: int
    required_by: int
    local_day: int
    request_id: int


class Limits(NamedTuple):
    """How far to look, and how many donors to bring.

    Parameters
    ----------
    rings_km : ndarray of float64, shape (n,)
        Rings in turn, then those beyond the last for requests that nobody else can fill.
    n_rings : int
        How many are rings of the first kind.
    n_enough, n_enough_wide : int
        Askable donors that end the search, in a ring of the first kind and after it.
    n_wanted : int
        How long the list may be at most: it reaches classes until they hold so many askable donors.
    n_scored : int
        Donors of a class to bring, at most.
    promised_since, asked_since : int
        Promises and askings before these instants don't count any more; microseconds since 1970.
    """

    rings_km: NDArray[np.float64]
    n_rings: int
    n_enough: int
    n_enough_wide: int
    n_wanted: int
    n_scored: int
    promised_since: int
    asked_since: int


class Askable(NamedTuple):
    """Room for the askable donors of one request; the kernels make it longer where it is short.

    Parameters
    ----------
    row : ndarray of int32
    km : ndarray of float64
        Distance, not rounded.
    preference : ndarray of int8
        Preference class.
    """

    row: NDArray[np.int32]
    km: NDArray[np.float64]
    preference: NDArray[np.int8]


class Tally(NamedTuple):
    """Counts of donors, which the kernels add to.

    Parameters
    ----------
    counts : ndarray of int64, shape (3,)
        Considered, compatible and eligible.
    of_class : ndarray of int64, shape (11,)
        Askable, by preference class.
    """

    counts: NDArray[np.int64]
    of_class: NDArray[np.int64]


class Ring(NamedTuple):
    """What lies farther than ``inner_km`` and not farther than ``outer_km`` from a place; radians, and cosines of both.

    ``inner_cos`` is 2 where there is no inner bound.
    """

    latitude: float
    longitude: float
    x: float
    y: float
    z: float
    inner_km: float
    outer_km: float
    inner_cos: float
    outer_cos: float


@njit(cache=True)
def haversine_km(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Return the great-circle distance between two places, given in radians."""
    half_chord_squared = (
        math.sin((to_latitude - latitude) / 2) ** 2
        + math.cos(latitude) * math.cos(to_latitude) * math.sin((to_longitude - longitude) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(half_chord_squared, 1.0)))


@njit(cache=True)
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


@njit(cache=True)
def _km_to(index: IndexView, place: int, ring: Ring) -> float:
    return haversine_km(ring.latitude, ring.longitude, index.places.latitude[place], index.places.longitude[place])


@njit(cache=True)
def _lies_in(index: IndexView, place: int, ring: Ring) -> bool:
    places = index.places
    cosine = places.x[place] * ring.x + places.y[place] * ring.y + places.z[place] * ring.z
    if cosine < ring.outer_cos - NEAR or cosine > ring.inner_cos + NEAR:
        return False
    if cosine > ring.outer_cos + NEAR and cosine < ring.inner_cos - NEAR:
        return True
    return ring.inner_km < _km_to(index, place, ring) <= ring.outer_km


@njit(cache=True)
def _is_eligible(index: IndexView, row: int, question: Question) -> bool:
    columns = index.columns
    if question.apheresis:
        return bool(columns.apheresis_from[row] <= question.at and question.required_by < columns.apheresis_until[row])
    return bool(columns.whole_blood_from[row] <= question.at and question.required_by < columns.whole_blood_until[row])


@njit(cache=True)
def _is_askable(index: IndexView, row: int, question: Question, limits: Limits) -> bool:
    """Tell whether a donor who is alive, compatible and eligible may also be asked."""
    columns = index.columns
    flags = columns.flags[row]
    if not flags & CONTACTABLE or (question.apheresis and not flags & APHERESIS_WILLING):
        return False
    if columns.away_until[row] >= question.local_day:
        return False
    entry = columns.engaged[row]
    if entry == NO_ENGAGEMENT:
        return True
    engagements = index.engagements
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


@njit(cache=True)
def _twice_as_long(askable: Askable) -> Askable:
    n = len(askable.row)
    row, km, preference = np.empty(2 * n, np.int32), np.empty(2 * n, np.float64), np.empty(2 * n, np.int8)
    row[:n], km[:n], preference[:n] = askable.row, askable.km, askable.preference
    return Askable(row, km, preference)


@njit(cache=True)
def _look_at_sorted(
    index: IndexView,
    ring: Ring,
    question: Question,
    limits: Limits,
    tally: Tally,
    askable: Askable,
    n_askable: int,
) -> tuple[Askable, int]:
    columns, segments = index.columns, index.segments
    counts, of_class = tally
    n_sorted_places = len(segments.n_live_of_place)
    latitudes = index.places.latitude[:n_sorted_places]
    width = ring.outer_km / EARTH_RADIUS_KM + 1e-9
    first = np.searchsorted(latitudes, ring.latitude - width)
    last = np.searchsorted(latitudes, ring.latitude + width)
    for place in range(first, last):
        if not _lies_in(index, place, ring):
            continue
        counts[0] += segments.n_live_of_place[place]
        km = -1.0
        for segment in range(segments.first[place], segments.first[place + 1]):
            preference = question.classes[segments.group[segment]]
            if preference < 0:
                continue
            counts[1] += segments.n_live[segment]
            for row in range(segments.start[segment], segments.start[segment + 1]):
                if not columns.flags[row] & LIVE or not _is_eligible(index, row, question):
                    continue
                counts[2] += 1
                if not _is_askable(index, row, question, limits):
                    continue
                if km < 0:
                    km = _km_to(index, place, ring)
                if n_askable == len(askable.row):
                    askable = _twice_as_long(askable)
                askable.row[n_askable] = row
                askable.km[n_askable] = km
                askable.preference[n_askable] = preference
                n_askable += 1
                of_class[preference] += 1
    return askable, n_askable


@njit(cache=True)
def _look_at_tail(
    index: IndexView,
    ring: Ring,
    question: Question,
    limits: Limits,
    tally: Tally,
    askable: Askable,
    n_askable: int,
) -> tuple[Askable, int]:
    columns = index.columns
    counts, of_class = tally
    for row in range(index.n_sorted, index.n_rows):
        if not columns.flags[row] & LIVE or not _lies_in(index, columns.cell[row], ring):
            continue
        counts[0] += 1
        preference = question.classes[columns.group[row]]
        if preference < 0:
            continue
        counts[1] += 1
        if not _is_eligible(index, row, question):
            continue
        counts[2] += 1
        if not _is_askable(index, row, question, limits):
            continue
        if n_askable == len(askable.row):
            askable = _twice_as_long(askable)
        askable.row[n_askable] = row
        askable.km[n_askable] = _km_to(index, columns.cell[row], ring)
        askable.preference[n_askable] = preference
        n_askable += 1
        of_class[preference] += 1
    return askable, n_askable


@njit(cache=True)
def _sink(worth: NDArray[np.float64], donor: NDArray[np.int64], heap: NDArray[np.int64], n: int, i: int) -> None:
    """Restore a heap whose root is the least worthy: of least worth, and of equals the one of greatest id."""
    while True:
        least = i
        for child in (2 * i + 1, 2 * i + 2):
            if child < n:
                a, b = heap[child], heap[least]
                if worth[a] < worth[b] or (worth[a] == worth[b] and donor[a] > donor[b]):
                    least = child
        if least == i:
            return
        heap[i], heap[least] = heap[least], heap[i]
        i = least


@njit(cache=True)
def _best_of_class(
    index: IndexView, askable: Askable, n_askable: int, preference: int, n_of_class: int, n_scored: int
) -> NDArray[np.int64]:
    """Cut a class to ``n_scored`` donors: the greatest availability × reliability × exp(−d/k), of equals the least id.

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
    for j in range(n_of_class):
        row = askable.row[members[j]]
        nearness = math.exp(-askable.km[members[j]] / CUT_DISTANCE_KM)
        worth[j] = columns.availability[row] * columns.reliability[row] * nearness
        donor[j] = columns.donor_id[row]
    heap = np.arange(n_scored)
    for i in range(n_scored // 2 - 1, -1, -1):
        _sink(worth, donor, heap, n_scored, i)
    for j in range(n_scored, n_of_class):
        root = heap[0]
        if worth[j] > worth[root] or (worth[j] == worth[root] and donor[j] < donor[root]):
            heap[0] = j
            _sink(worth, donor, heap, n_scored, 0)
    return members[heap]


@njit(cache=True)
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
        picks[n_picks : n_picks + len(best)] = best
        n_picks += len(best)
        n_reached += of_class[preference]
    return picks[:n_picks]


@njit(cache=True)
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
    n_askable = 0
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
