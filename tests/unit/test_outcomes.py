"""What came of alerts, by hand."""

import numpy as np
import pytest

from features.outcomes import (
    ANSWERED,
    BROKEN,
    CAME,
    EXPIRED,
    FACTS,
    FAILED,
    GAVE,
    KEPT,
    NEVER,
    NOT_KNOWN,
    SAID_YES,
    Turn,
    answered_within,
    folded,
    labels_of,
    of_turn,
)

HOUR = 3_600_000_000


def labels(ends_at=100 * HOUR, closed=None, again=None, **since):
    """Of one alert, asked at 10 h for a request that stands until 34 h."""
    found = {fact: np.array([NEVER if fact not in since else since[fact] * HOUR]) for fact in FACTS}
    closed_at = np.array([NEVER if closed is None else closed * HOUR])
    asked_again = np.array([NEVER if again is None else again * HOUR])
    made = labels_of(np.array([10 * HOUR]), np.array([34 * HOUR]), closed_at, asked_again, found, ends_at)
    return {name: value[0] for name, value in made._asdict().items()}


def test_of_silence_it_is_known_for_how_long():
    found = labels()
    assert (found["accepted"], found["answered_us"], found["kept"], found["gave"]) == (False, NEVER, NOT_KNOWN, False)
    assert (found["watched_us"], found["life_us"]) == (90 * HOUR, 24 * HOUR)
    assert labels(**{EXPIRED: 16})["watched_us"] == 6 * HOUR


@pytest.mark.parametrize(
    ("since", "kept", "gave"),
    [
        ({ANSWERED: 11, SAID_YES: 11}, NOT_KNOWN, False),
        ({ANSWERED: 11, SAID_YES: 11, FAILED: 20}, BROKEN, False),
        ({ANSWERED: 11, SAID_YES: 11, CAME: 20}, KEPT, False),
        ({ANSWERED: 11, SAID_YES: 11, CAME: 20, FAILED: 15, GAVE: 20}, KEPT, True),
        ({CAME: 20, GAVE: 20}, NOT_KNOWN, True),  # nobody said yes: there was no promise
    ],
)
def test_a_promise_and_a_donation(since, kept, gave):
    found = labels(**since)
    assert (found["kept"], found["gave"]) == (kept, gave)
    if ANSWERED in since:
        assert (found["answered_us"], found["watched_us"]) == (HOUR, HOUR)


def test_a_closing_ends_the_waiting_and_leaves_unknown_what_would_have_come_of_a_yes():
    assert labels(closed=14)["watched_us"] == 4 * HOUR
    assert labels(closed=14, **{EXPIRED: 12})["watched_us"] == 2 * HOUR
    assert labels(closed=12, **{EXPIRED: 14})["watched_us"] == 2 * HOUR
    assert not labels(closed=14)["stopped"]
    assert labels(closed=14, **{ANSWERED: 11, SAID_YES: 11})["stopped"]
    assert not labels(closed=14, **{ANSWERED: 11, SAID_YES: 11, FAILED: 13})["stopped"]
    assert not labels(**{ANSWERED: 11, SAID_YES: 11})["stopped"]


def test_who_is_asked_again_was_waited_for_until_then():
    assert labels(again=14)["watched_us"] == 4 * HOUR
    assert labels(again=14, closed=12)["watched_us"] == 2 * HOUR
    assert labels(again=14, **{EXPIRED: 12})["watched_us"] == 2 * HOUR
    assert labels(again=14, **{ANSWERED: 11})["watched_us"] == HOUR
    assert not labels(again=14, **{ANSWERED: 11, SAID_YES: 11})["stopped"]


@pytest.mark.parametrize(
    ("since", "of_each"),
    [
        ({EXPIRED: 3, ANSWERED: 7, SAID_YES: 7, CAME: 9, GAVE: 9}, [{EXPIRED}, {ANSWERED, SAID_YES, CAME, GAVE}, {}]),
        # Asked once more, and needn't have been: who comes keeps what they promised.
        ({ANSWERED: 2, SAID_YES: 2, CAME: 9, GAVE: 9}, [{ANSWERED, SAID_YES, CAME, GAVE}, {}, {}]),
        ({ANSWERED: 2, SAID_YES: 11}, [{ANSWERED}, {}, {ANSWERED, SAID_YES}]),  # a no before the yes
        ({FAILED: 4, ANSWERED: 6, SAID_YES: 6, CAME: 8}, [{FAILED}, {ANSWERED, SAID_YES, CAME}, {}]),
        ({CAME: 12, GAVE: 12}, [{}, {}, {CAME, GAVE}]),  # nobody said yes
        ({ANSWERED: 5, EXPIRED: 10}, [{}, {ANSWERED}, {EXPIRED}]),  # at the very instant: told, then answered
        ({ANSWERED: 0}, [{ANSWERED}, {}, {}]),  # before anybody asked: somebody's clock is wrong
        ({}, [{}, {}, {}]),
    ],
)
def test_what_came_is_of_the_wave_that_last_asked_before_the_answer(since, of_each):
    turns = [Turn(1, 1), Turn(5, 3), Turn(10, 2)]  # waves needn't be told of in their order
    found, again = zip(*(of_turn(turn, turns, since) for turn in turns), strict=True)
    assert again == (5, 10, NEVER)
    assert [set(one) for one in found] == [set(one) for one in of_each]
    for facts in found:
        assert facts == {fact: since[SAID_YES if SAID_YES in facts and fact == ANSWERED else fact] for fact in facts}


def test_an_answer_within_hours_is_known_where_it_was_waited_so_long_and_the_request_stood_so_long():
    answered = np.array([1, 3, NEVER, NEVER, 1]) * HOUR
    answered[answered < 0] = NEVER
    watched, life = np.array([1, 3, 2, 1, 1]) * HOUR, np.array([9, 9, 9, 9, 1]) * HOUR
    came, known = answered_within(2, answered, watched, life)
    assert came.tolist() == [True, False, False, False, True]
    assert known.tolist() == [True, True, True, False, False]


def test_of_an_expiry_the_last_instant_counts_of_all_else_the_first():
    assert [folded(fact, 5, 3) for fact in FACTS] == [5 if fact == EXPIRED else 3 for fact in FACTS]
    assert [folded(fact, NEVER, 3) for fact in FACTS] == [3] * len(FACTS)
