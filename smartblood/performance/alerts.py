"""Alerts as they were recorded, with what each version said of them, and in which role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.behaved import Behaviour
from features.outcomes import FACTS, HOURS, NEVER, Turn, of_turn
from features.vectors import AVAILABILITY, FEATURES, MATCH, MATCH_FEATURES, RELIABILITY, RESPONSE_TIME
from smartblood.storage.performance import Asked, Recorded, Released

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHAMPION, CHALLENGER, SHADOW = "champion", "challenger", "shadow"
ROLES = (CHAMPION, CHALLENGER, SHADOW)


class Opinion(NamedTuple):
    """What one version said of some alerts.

    Parameters
    ----------
    model, version, role : str
        The role is the one that it had when it said so.
    places : ndarray of int64, shape (k,)
        Which alerts, ascending.
    score : ndarray of float64, shape (k, n_outcomes)
        Probabilities, one column for each outcome that the model speaks of; NaN where it said none.
    """

    model: str
    version: str
    role: str
    places: Ints
    score: Floats


@dataclass(frozen=True, slots=True)
class Alerts:
    """Who was asked, each once a wave; entries of one request lie together.

    Parameters
    ----------
    as_of : int
        Stream time until which outcomes are known, microseconds.
    request_id : ndarray of int64, shape (n,)
    made_at, at, required_by : ndarray of int64, shape (n,)
        The instants that features are of, when the donor was notified, and until when the request stood.
    closed : ndarray of int64, shape (n,)
        When the request was closed after the donor was notified, ``NEVER`` where it wasn't.
    asked_again : ndarray of int64, shape (n,)
        When the donor was notified of the request's next wave, ``NEVER`` where they weren't.
    since : mapping of str to ndarray of int64, shape (n,)
        For each of ``features.outcomes.FACTS`` since when it holds of the alert, ``NEVER`` where it doesn't.
    match_rows : ndarray of float64, shape (n, 8)
        NaN for what wasn't shown yet when it was recorded.
    behaviour : Behaviour
        NaN where it wasn't told.
    opinions : list of Opinion
    n_erased : int
        Alerts of donors who were erased since: they are left out.
    is_cut : bool
        Whether there were more alerts than were wanted: the earliest are left out.
    """

    as_of: int
    request_id: Ints
    made_at: Ints
    at: Ints
    required_by: Ints
    closed: Ints
    asked_again: Ints
    since: Mapping[str, Ints]
    match_rows: Floats
    behaviour: Behaviour
    opinions: list[Opinion]
    n_erased: int
    is_cut: bool

    @property
    def n(self) -> int:
        """How many alerts there are."""
        return len(self.request_id)


def alerts_of(recorded: Recorded) -> Alerts:
    """Return what was recorded as columns: each request, wave and donor once."""
    waves = recorded.waves
    asked = sorted(_once(recorded.asked), key=lambda one: (waves[one.wave].request_id, waves[one.wave].number))
    kept = [one for one in asked if one.features]
    of = [waves[one.wave] for one in kept]
    behaviour = [_behaviour(one.behaviour) for one in kept]
    came = [_came_of(one, recorded.turns) for one in kept]
    columns = np.array(behaviour, np.float64).reshape(len(kept), len(Behaviour._fields))
    return Alerts(
        as_of=recorded.as_of,
        request_id=_ints(wave.request_id for wave in of),
        made_at=_ints(wave.made_at for wave in of),
        at=_ints(one.notified_at for one in kept),
        required_by=_ints(wave.required_by for wave in of),
        closed=_ints(_closed_after(one.notified_at, wave.closed_at) for one, wave in zip(kept, of, strict=True)),
        asked_again=_ints(again for _, again in came),
        since={fact: _ints(facts.get(fact, NEVER) for facts, _ in came) for fact in FACTS},
        match_rows=_rows(
            [[_number(one.features.get(name)) for name in MATCH_FEATURES] for one in kept], MATCH_FEATURES
        ),
        behaviour=Behaviour(*columns.T),
        opinions=_opinions(recorded, kept),
        n_erased=len(asked) - len(kept),
        is_cut=recorded.is_cut,
    )


def _came_of(one: Asked, turns: Mapping[tuple[int, int], Sequence[Turn]]) -> tuple[dict[str, int], int]:
    """Return since when facts hold of an alert, and when the donor was asked again."""
    request_id, wave, donor_id = one.key
    since = {fact: at for fact, at in zip(FACTS, one.since, strict=True) if at is not None}
    this = Turn(one.notified_at, wave)
    return of_turn(this, sorted({this, *turns.get((request_id, donor_id), ())}), since)


def role_of(releases: Sequence[Released], version: str, sha256: str, at: int) -> str:
    """Return whether a version that answered did so as a challenger or as the champion.

    Parameters
    ----------
    releases : sequence of Released
        Of its model, in their order.
    at : int
        The instant of the answer. Releases and answers are on topics of their own: near a release it may be off.
    """
    last = ""
    for one in releases:
        if one.released_at > at or one.version != version:
            continue
        if one.role == "retired":
            last = ""
        elif one.sha256 == sha256.lower():
            last = one.role
    return CHALLENGER if last == CHALLENGER else CHAMPION


def _opinions(recorded: Recorded, kept: Sequence[Asked]) -> list[Opinion]:
    said: dict[tuple[str, str, str], tuple[list[int], list[Sequence[float]]]] = {}
    answering = {wave: _answering(recorded, wave) for wave in {one.wave for one in kept}}
    for place, one in enumerate(kept):
        for (model, version, role), score in _said(one, answering[one.wave]):
            places, scores = said.setdefault((model, version, role), ([], []))
            places.append(place)
            scores.append(score)
    order = sorted(said, key=lambda key: (list(FEATURES).index(key[0]), ROLES.index(key[2]), key[1]))
    return [Opinion(*key, _ints(said[key][0]), np.array(said[key][1], np.float64)) for key in order]


def _answering(recorded: Recorded, wave: str) -> list[tuple[str, str, str]]:
    """Return the versions that answered a wave, each with its role then."""
    of = recorded.waves[wave]
    return [
        (model, version, role_of(recorded.releases.get(model, ()), version, sha256, of.made_at))
        for model, version, sha256 in of.models
        if model in FEATURES
    ]


def _said(
    one: Asked, answering: Iterable[tuple[str, str, str]]
) -> Iterable[tuple[tuple[str, str, str], Sequence[float]]]:
    scores = {MATCH: one.match_score, AVAILABILITY: one.availability_score, RELIABILITY: one.reliability_score}
    for key in answering:
        yield key, _within(one.answers_within) if key[0] == RESPONSE_TIME else (scores[key[0]],)
    for shadow in one.shadow_scores:
        model, version = str(shadow["model"]), str(shadow["version"])
        if model in FEATURES:
            said = _within(shadow["answers_within"]) if model == RESPONSE_TIME else (_number(shadow["score"]),)
            yield (model, version, SHADOW), said


def _within(chances: Sequence[float | None] | None) -> Sequence[float]:
    if chances is None or len(chances) != len(HOURS):
        return (np.nan,) * len(HOURS)
    return [_number(one) for one in chances]


def _once(asked: Iterable[Asked]) -> Iterable[Asked]:
    """Yield the latest offer of each request, wave and donor; they come latest first."""
    seen: set[tuple[int, int, int]] = set()
    for one in asked:
        if one.key not in seen:
            seen.add(one.key)
            yield one


def _behaviour(told: bytes | None) -> Sequence[float]:
    n = len(Behaviour._fields)
    if told is None or len(told) != 4 * n:
        return (np.nan,) * n
    return [float(one) for one in np.frombuffer(told, "<f4")]


def _closed_after(at: int, closed_at: int | None) -> int:
    return closed_at if closed_at is not None and closed_at > at else NEVER


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


def _rows(rows: list[list[float]], names: Sequence[str]) -> Floats:
    return np.array(rows, np.float64).reshape(len(rows), len(names))
