"""Answers the requests of a batch: search, score, order, explore."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from consumers.matching.asking import Asked
from consumers.matching.offers import DISTANCE_DECIMALS, Candidates, Matched, Offers, Seen, Shadow, joined
from consumers.matching.runs import SCORE_DECIMALS, Runs
from features.behaved import Behaviour, as_told
from features.behaviour import behaviour_at
from features.compatibility import preference_classes, tiers_for
from features.decay import HalfLives
from features.eligibility import Procedure, procedure_of
from features.index import DonorIndex
from features.local_time import local_day
from features.outcomes import HOURS
from features.question import Askable, Question
from features.ranking import FILL_CERTAINTY, Draw, ExploringRules, Scored, draw_of, ranked
from features.reach import Found, Reach, ReachRules
from features.response_time import BOUNDS_MINUTES, N_STRETCHES, answered_by, answers_within, median_hours
from features.scoring import Panel, Scorer
from features.vectors import (
    AVAILABILITY,
    MATCH,
    RELIABILITY,
    RESPONSE_TIME,
    URGENCY_LEVEL,
    availability_rows,
    match_rows,
    reliability_rows,
    response_time_rows,
)

HOURS_DECIMALS = 4


class Matcher:
    """Matches requests with the donors of an index.

    Parameters
    ----------
    index : DonorIndex
    reach : ReachRules
    exploring : ExploringRules
    half_lives : HalfLives
        Those with which ``donor-state`` makes the sums that fade.
    timer : callable
        Returns seconds of a monotonic clock.
    """

    def __init__(
        self,
        index: DonorIndex,
        *,
        reach: ReachRules,
        exploring: ExploringRules,
        half_lives: HalfLives,
        timer: Callable[[], float],
    ) -> None:
        self._index = index
        self._rules = reach
        self._reach = Reach(index, reach)
        self._exploring = exploring
        self._half_lives = half_lives
        self._timer = timer

    def match(self, asked: Sequence[Asked], answering: Sequence[Panel], shadows: Sequence[Scorer] = ()) -> Matched:
        """Match the requests of a batch; each answer depends on its own request, its models and the index alone.

        Parameters
        ----------
        asked : sequence of Asked
        answering : sequence of Panel
            For each request the versions that score its donors.
        shadows : sequence of Scorer
            Versions that only say what they think of whom is offered.
        """
        runs = Runs(self._timer, [one.request["district"] for one in asked])
        draws = [self._draw(one) for one in asked]
        found = [self._find(one, everybody=draw is not None) for one, draw in zip(asked, draws, strict=True)]
        candidates = joined([one.to_score for one in found])
        seen = self._look(asked, answering, candidates, runs)
        score = runs.scores([panel.match for panel in answering], candidates.request, seen.match_rows).told
        start, offered = ranked(
            Scored(
                np.searchsorted(candidates.request, np.arange(len(asked) + 1)),
                candidates.preference,
                score,
                candidates.distance_km,
                self._index.columns.donor_id[candidates.row],
            ),
            np.array([self._rules.n_wanted(one.request["top_k"]) for one in asked], np.int64),
            np.array([0 if one.request["top_k"] else one.request["units_required"] for one in asked], np.int64),
            FILL_CERTAINTY,
        )
        offers = Offers(
            start=start,
            row=candidates.row[offered],
            distance_km=candidates.distance_km[offered],
            score=score[offered],
            tier=_tiers(asked, candidates, offered, self._index),
            seen=seen.take(offered),
            response_time_hours=np.empty(len(offered)),
            explored=np.zeros(len(offered), np.bool_),
            propensity=np.ones(len(offered)),
            answers_within=np.empty((len(offered), len(HOURS))),
            behaviour=np.empty((len(offered), len(Behaviour._fields)), np.float32),
            shadows=[],
        )
        self._explore(asked, answering, draws, found, candidates.preference[offered], offers, runs)
        waiting = self._waiting(asked, offers)
        self._answer_times(answering, offers, waiting, runs)
        of = np.repeat(np.arange(len(asked)), np.diff(start))
        offers.shadows.extend(_by_shadow(scorer, offers, of, waiting, runs) for scorer in shadows)
        return Matched(found, offers, runs.scorings)

    def _draw(self, asked: Asked) -> Draw | None:
        """Return what was drawn for a request that is to explore, else None."""
        if not self._may_explore(asked):
            return None
        draw = draw_of(asked.answered.event_id)
        return draw if draw.whether < self._exploring.share else None

    def _may_explore(self, asked: Asked) -> bool:
        return asked.recorded and asked.request["urgency"] in self._exploring.urgencies

    def _find(self, asked: Asked, *, everybody: bool) -> Found:
        request, at = asked.request, asked.answered.occurred_at
        question = Question(
            request["latitude"],
            request["longitude"],
            preference_classes(request),
            procedure_of(request["component"]) is Procedure.APHERESIS,
            at,
            request["required_by"],
            local_day(at),
            request["request_id"],
        )
        return self._reach.find(
            question,
            critical=request["urgency"] == "CRITICAL",
            top_k=request["top_k"],
            units=request["units_required"],
            everybody=everybody,
        )

    def _look(self, asked: Sequence[Asked], answering: Sequence[Panel], candidates: Candidates, runs: Runs) -> Seen:
        """Return what the models see of each candidate, and what those say that the last one hears."""

        def of_request(values: list[int]) -> NDArray[np.int64]:
            return np.array(values, np.int64)[candidates.request]

        at = of_request([one.answered.occurred_at for one in asked])
        behaviour = behaviour_at(self._index.columns, candidates.row, at, self._half_lives)
        of_availability, of_reliability = availability_rows(behaviour, at), reliability_rows(behaviour)
        availability = runs.scores([panel.availability for panel in answering], candidates.request, of_availability)
        reliability = runs.scores([panel.reliability for panel in answering], candidates.request, of_reliability)
        rows = match_rows(
            behaviour,
            _tiers(asked, candidates, slice(None), self._index),
            candidates.distance_km,
            availability.learned,
            reliability.learned,
            urgency=of_request([URGENCY_LEVEL[one.request["urgency"]] for one in asked]),
            units=of_request([one.request["units_required"] for one in asked]),
        )
        return Seen(of_availability, of_reliability, rows, availability.told, reliability.told)

    def _waiting(self, asked: Sequence[Asked], offers: Offers) -> NDArray[np.float64]:
        """Return what the model of response times sees of each offer in each stretch of time, one after the other.

        How the donors behaved is put into the offers on the way.
        """
        lengths = np.diff(offers.start)
        at = np.repeat(np.array([one.answered.occurred_at for one in asked], np.int64), lengths)
        urgency = np.repeat(np.array([URGENCY_LEVEL[one.request["urgency"]] for one in asked], np.int64), lengths)
        behaviour = behaviour_at(self._index.columns, offers.row, at, self._half_lives)
        offers.behaviour[:] = as_told(behaviour)
        return response_time_rows(behaviour, offers.distance_km, at, urgency=urgency, stretches=BOUNDS_MINUTES[:-1])

    def _answer_times(
        self, answering: Sequence[Panel], offers: Offers, waiting: NDArray[np.float64], runs: Runs
    ) -> None:
        """Say of the offers when they answer."""
        request = np.repeat(np.arange(len(answering)), np.diff(offers.start) * N_STRETCHES)
        chances = runs.scores([panel.response_time for panel in answering], request, waiting).told
        offers.response_time_hours[:], offers.answers_within[:] = _answer_times(chances)

    def _explore(
        self,
        asked: Sequence[Asked],
        answering: Sequence[Panel],
        draws: Sequence[Draw | None],
        found: Sequence[Found],
        preference: NDArray[np.int8],
        offers: Offers,
        runs: Runs,
    ) -> None:
        """Give away last places to who was left out, and say how probable each offer was."""
        places, explored = [], []
        for i, one in enumerate(asked):
            first, last = int(offers.start[i]), int(offers.start[i + 1]) - 1
            if last + 1 - first < self._exploring.list_length_min or not self._may_explore(one):
                continue
            displaced = preference[last]
            in_list = int(np.count_nonzero(preference[first : last + 1] == displaced))
            n_left_out = int(found[i].n_askable_of_class[displaced]) - in_list
            draw, everybody = draws[i], found[i].everybody
            if n_left_out == 0:
                continue
            if draw is None or everybody is None:
                offers.propensity[last] = 1 - self._exploring.share
                continue
            row, km = _left_out(self._index, everybody, offers.row[first : last + 1], displaced)
            place = draw.place(n_left_out)
            explored.append(Candidates(*(np.array([value]) for value in (i, row[place], km[place], displaced))))
            places.append(last)
            offers.propensity[last] = self._exploring.share / n_left_out
        if not places:
            return
        candidates = Candidates(*(np.concatenate(parts) for parts in zip(*explored, strict=True)))
        offers.row[places], offers.distance_km[places] = candidates.row, candidates.distance_km
        seen = self._look(asked, answering, candidates, runs)
        for column, of_explored in zip(offers.seen, seen, strict=True):
            column[places] = of_explored
        scorers = [panel.match for panel in answering]
        offers.score[places] = runs.scores(scorers, candidates.request, seen.match_rows).told
        offers.tier[places] = _tiers(asked, candidates, slice(None), self._index)
        offers.explored[places] = True


def _by_shadow(
    scorer: Scorer, offers: Offers, request: NDArray[np.int64], waiting: NDArray[np.float64], runs: Runs
) -> Shadow:
    """Return what a version that only watches says of each offer, in the terms of its model; NaN where it can't."""
    if scorer.name == RESPONSE_TIME:
        chances = runs.watched(scorer, np.repeat(request, N_STRETCHES), waiting)
        hours, within = _answer_times(chances)
        return Shadow(scorer, np.where(np.isnan(chances[::N_STRETCHES]), np.nan, hours), within)
    seen = offers.seen
    rows = {AVAILABILITY: seen.availability_rows, RELIABILITY: seen.reliability_rows, MATCH: seen.match_rows}
    return Shadow(scorer, runs.watched(scorer, request, rows[scorer.name]))


def _answer_times(chances: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return from the chances in each stretch the median time, and the probabilities to answer within some hours."""
    answered = answered_by(chances.reshape(-1, N_STRETCHES))
    return np.round(median_hours(answered), HOURS_DECIMALS), np.round(answers_within(answered), SCORE_DECIMALS)


def _tiers(
    asked: Sequence[Asked], candidates: Candidates, places: NDArray[np.int64] | slice, index: DonorIndex
) -> NDArray[np.int8]:
    tiers = np.stack([tiers_for(one.request) for one in asked])
    of_candidates: NDArray[np.int8] = tiers[
        candidates.request[places], index.columns.group[candidates.row[places]].astype(np.int64)
    ]
    return of_candidates


def _left_out(
    index: DonorIndex, everybody: Askable, in_list: NDArray[np.int32], preference: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return rows and distances of the askable donors of a class who aren't in the list, by donor id."""
    out = np.flatnonzero((everybody.preference == preference) & ~np.isin(everybody.row, in_list))
    out = out[np.argsort(index.columns.donor_id[everybody.row[out]])]
    return everybody.row[out], np.round(everybody.km[out], DISTANCE_DECIMALS)
