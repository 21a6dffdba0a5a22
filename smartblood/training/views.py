"""What the models see of examples, by the very functions by which the matcher shows it to them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.outcomes import BROKEN, KEPT, NEVER
from features.recalibration import shifted, shifts_of
from features.response_time import BOUNDS_MINUTES
from features.scoring import Scorer
from features.vectors import availability_rows, match_rows, reliability_rows, response_time_rows
from smartblood.training.examples import DISTRICT_CODE, Examples

SCORE_DECIMALS = 6
MINUTE_US = 60_000_000

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_STARTS_US = np.array(BOUNDS_MINUTES[:-1]) * MINUTE_US
_ENDS_US = np.array(BOUNDS_MINUTES[1:]) * MINUTE_US


class Views(NamedTuple):
    """What ``donor_seeker_match`` sees, and two of its features by themselves; all of n examples."""

    rows: Floats
    availability: Floats
    reliability: Floats


class Waiting(NamedTuple):
    """Stretches of waiting: what is seen, whether the answer came in it, and whose it is (a place in the examples)."""

    rows: Floats
    answered: Flags
    example: NDArray[np.int64]


def told(scorer: Scorer, rows: Floats, district: NDArray[np.int8]) -> Floats:
    """Return what a model tells of rows, recalibrated for the district of each row's request; not rounded.

    Parameters
    ----------
    district : ndarray of int8, shape (n,)
        As ``Examples`` has it.
    """
    shift = shifts_of(scorer.districts, [*DISTRICT_CODE, ""])  # the last is that of no district
    scores = scorer.predict(rows)
    return scores if shift is None else shifted(scores, shift[district])


def availability_view(examples: Examples) -> Floats:
    """Return what ``donor_availability`` sees."""
    return availability_rows(examples.behaviour, examples.at)


def reliability_view(examples: Examples) -> Floats:
    """Return what ``donor_reliability`` sees."""
    return reliability_rows(examples.behaviour)


def match_view(examples: Examples, availability: Scorer, reliability: Scorer) -> Views:
    """Return what ``donor_seeker_match`` sees, two models having spoken before it, as they learned."""
    behaviour = examples.behaviour
    says_yes = np.round(availability.predict(availability_rows(behaviour, examples.at)), SCORE_DECIMALS)
    keeps_it = np.round(reliability.predict(reliability_rows(behaviour)), SCORE_DECIMALS)
    rows = match_rows(
        behaviour,
        examples.tier,
        examples.distance_km,
        says_yes,
        keeps_it,
        urgency=examples.urgency,
        units=examples.units,
    )
    return Views(rows, says_yes, keeps_it)


def known_promises(examples: Examples) -> tuple[Examples, Flags]:
    """Return the alerts that led to a promise whose end is known, and whether it was kept."""
    of = examples.take((examples.kept == KEPT) | (examples.kept == BROKEN))
    return of, of.kept == KEPT


def waiting_view(examples: Examples) -> Waiting:
    """Return what ``donor_response_time`` sees of each stretch that somebody was waited for.

    A stretch that ends after the request's ``required_by`` is left out, whether the answer came in it or not: of those
    alone who answered early enough nothing can be learned. So is one in which the waiting ended otherwise; those before
    it count: the alert is censored there.
    """
    answered_us, watched_us = examples.answered_us[:, None], examples.watched_us[:, None]
    came = (answered_us != NEVER) & (answered_us >= _STARTS_US) & (answered_us < _ENDS_US)
    silent = (watched_us >= _ENDS_US) & ((answered_us == NEVER) | (answered_us >= _ENDS_US))
    watched = (came | silent) & (examples.life_us[:, None] >= _ENDS_US)
    return Waiting(chances_view(examples)[watched.ravel()], came[watched], np.nonzero(watched)[0])


def chances_view(examples: Examples) -> Floats:
    """Return what ``donor_response_time`` sees of all stretches of each example, one after the other."""
    return response_time_rows(
        examples.behaviour,
        examples.distance_km,
        examples.at,
        urgency=examples.urgency,
        stretches=BOUNDS_MINUTES[:-1],
    )
