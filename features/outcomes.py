"""What came of asking a donor: one definition, by which models are trained and by which they are judged.

An alert is a donor who was told of a request: a NOTIFIED, each of another wave. What a donor answers to a request and
what is recorded of them for it is kept for the request, whichever wave it names: since when each fact holds, so that
the order in which events come doesn't matter. Of several alerts it came of the one that last asked before the answer
(``of_turn``); the others were left without one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

HOUR_US = 3_600_000_000
SETTLED_US = 6 * HOUR_US
"""How long after ``required_by`` the last outcome of a request has been recorded."""

NEVER = -1
NOT_KNOWN, BROKEN, KEPT = -1, 0, 1

HOURS = (0.5, 2.0, 24.0)
"""Within which an answer is asked about."""

ANSWERED, SAID_YES, EXPIRED, CAME, FAILED, GAVE = "answered", "said_yes", "expired", "came", "failed", "gave"
FACTS = (ANSWERED, SAID_YES, EXPIRED, CAME, FAILED, GAVE)
OF_PROMISE = (CAME, FAILED, GAVE)
"""What becomes of a yes."""

OF_RESPONSE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ACCEPTED": (ANSWERED, SAID_YES),
        "DECLINED": (ANSWERED,),
        "ARRIVED": (ANSWERED, SAID_YES, CAME),
        "EXPIRED": (EXPIRED,),
    }
)
"""What a response says of an alert; others say nothing of what came of it."""

OF_DONATION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "COMPLETED": (CAME, GAVE),
        "DEFERRED": (CAME,),
        "CANCELLED": (FAILED,),
        "NO_SHOW": (FAILED,),
    }
)
"""What a donation's outcome says of the alerts for the request that it names: who is sent away has come."""


def folded(fact: str, known: int, at: int) -> int:
    """Return since when a fact holds: of an expiry the last instant counts, of everything else the first.

    Parameters
    ----------
    fact : str
        One of ``FACTS``.
    known : int
        What was known, microseconds; ``NEVER`` where nothing was.
    at : int
        When it was said (again).
    """
    if known == NEVER:
        return at
    return max(known, at) if fact == EXPIRED else min(known, at)


class Turn(NamedTuple):
    """When a donor was told of a request, and by which wave."""

    at: int
    wave: int


def of_turn(turn: Turn, turns: Sequence[Turn], since: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Return what came of one of the times that a donor was asked for a request, and when they were asked again.

    An answer is to who asked last before it; to the first, where it lies before all. What became of a promise is of
    whom it was given to. Of a fact that was said several times one instant alone is known (``folded``), so a second yes
    or no to the same request is lost: the system asks anew only who let the alert expire, or after a week.

    Parameters
    ----------
    turn : Turn
        One of ``turns``.
    turns : sequence of Turn
        All of the donor and the request, ascending.
    since : mapping of str to int
        Since when each fact of the donor and the request holds; others aren't in it.

    Returns
    -------
    tuple of (dict of str to int, int)
        Since when each fact holds that came of this one; and the next one's instant, ``NEVER`` where there is none.
    """
    asked = [one.at for one in turns]
    promised_at = since.get(SAID_YES)

    def answers(fact: str, at: int) -> Turn:
        if promised_at is not None and fact in OF_PROMISE and at >= promised_at:
            at = promised_at
        return turns[max(bisect_right(asked, at) - 1, 0)]

    found = {fact: at for fact, at in since.items() if answers(fact, at) == turn}
    if SAID_YES in found:
        found.setdefault(ANSWERED, found[SAID_YES])  # who had said no to an earlier wave
    return found, next((one.at for one in turns if one > turn), NEVER)


class Labels(NamedTuple):
    """What came of n alerts; all of shape (n,).

    Parameters
    ----------
    accepted : ndarray of bool
        Whether the donor said yes.
    answered_us : ndarray of int64
        How long until the first answer; ``NEVER`` where there was none.
    watched_us : ndarray of int64
        How long it was waited for an answer: until it came, or the alert expired, or the donor was asked again, or the
        request was closed, or the events end.
    life_us : ndarray of int64
        How long it could have been waited at most: until the request's ``required_by``.
    kept : ndarray of int8
        Whether the promise was ``KEPT`` or ``BROKEN``; ``NOT_KNOWN`` where there was none, or nothing came of it.
    gave : ndarray of bool
        Whether a completed donation names the request and the donor.
    stopped : ndarray of bool
        Whether the donor had said yes, and the request was closed before anything came of it: nobody knows whether
        they would have given.
    """

    accepted: Flags
    answered_us: Ints
    watched_us: Ints
    life_us: Ints
    kept: NDArray[np.int8]
    gave: Flags
    stopped: Flags


def labels_of(
    at: Ints, required_by: Ints, closed: Ints, asked_again: Ints, since: Mapping[str, Ints], ends_at: int
) -> Labels:
    """Label alerts.

    Parameters
    ----------
    at, required_by : ndarray of int64, shape (n,)
        When the donors were asked, and until when it was of use; microseconds.
    closed : ndarray of int64, shape (n,)
        When the request was closed after that; ``NEVER`` where it wasn't.
    asked_again : ndarray of int64, shape (n,)
        When the donor was told of the request's next wave; ``NEVER`` where they weren't.
    since : mapping of str to ndarray of int64, shape (n,)
        For each of ``FACTS`` since when it holds of the alert, as ``of_turn`` has it; ``NEVER`` where it doesn't.
    ends_at : int
        Where the events end.
    """
    answered = since[ANSWERED]
    given_up = _first(since[EXPIRED], closed, asked_again)
    ended = np.where(answered != NEVER, answered, np.where(given_up != NEVER, given_up, ends_at))
    accepted = since[SAID_YES] != NEVER
    kept = np.where(since[CAME] != NEVER, KEPT, np.where(since[FAILED] != NEVER, BROKEN, NOT_KNOWN))
    return Labels(
        accepted=accepted,
        answered_us=np.where(answered == NEVER, NEVER, answered - at),
        watched_us=np.maximum(ended - at, 0),
        life_us=np.maximum(required_by - at, 0),
        kept=np.where(accepted, kept, NOT_KNOWN).astype(np.int8),
        gave=since[GAVE] != NEVER,
        stopped=accepted & (kept == NOT_KNOWN) & (closed != NEVER),
    )


def _first(*instants: Ints) -> Ints:
    """Return the earliest of several instants of each of n alerts, shape (n,); ``NEVER`` where there is none."""
    latest = np.iinfo(np.int64).max
    found = np.min([np.where(one == NEVER, latest, one) for one in instants], axis=0)
    return np.where(found == latest, NEVER, found)


def answered_within(hours: float, answered_us: Ints, watched_us: Ints, life_us: Ints) -> tuple[Flags, Flags]:
    """Return whether each alert was answered within some hours, and of which of them that is known.

    It is known where it was waited so long, and the request stood so long: others are censored.
    """
    limit_us = hours * HOUR_US
    came = (answered_us != NEVER) & (answered_us <= limit_us)
    return came, (came | (watched_us >= limit_us)) & (life_us >= limit_us)
