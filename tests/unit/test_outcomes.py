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
    answered_within,
    folded,
    labels_of,
)

HOUR = 3_600_000_000


def labels(ends_at=100 * HOUR, closed=None, **since):
    """Of one alert, asked at 10 h for a request that stands until 34 h."""
    found = {fact: np.array([NEVER if fact not in since else since[fact] * HOUR]) for fact in FACTS}
    closed_at = np.array([NEVER if closed is None else closed * HOUR])
    made = labels_of(np.array([10 * HOUR]), np.array([34 * HOUR]), closed_at, found, ends_at)
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
