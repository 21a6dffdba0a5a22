import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.priors import AVAILABILITY, RELIABILITY, RESPONSE_TIME, beta_mean_sd, beta_of_moments, median_hours


def test_availability_has_the_moments_of_the_two_kinds():
    mean = 0.271 * 0.693 + 0.729 * 0.116
    variance = 0.271 * 0.693**2 + 0.729 * 0.116**2 - mean**2
    assert beta_mean_sd(AVAILABILITY, 0, 0) == pytest.approx((mean, variance**0.5))


def test_reliability_is_between_the_two_centres():
    assert RELIABILITY.mean == pytest.approx(0.545)
    assert RELIABILITY.trials == pytest.approx(AVAILABILITY.trials)


def test_response_time_is_between_half_an_hour_and_an_hour():
    assert median_hours(RESPONSE_TIME, 0.0, 0) == pytest.approx(0.5**0.5)


@given(st.integers(0, 50), st.integers(0, 50))
def test_successes_raise_the_mean_and_trials_narrow_it(kept, broken):
    mean, sd = beta_mean_sd(RELIABILITY, kept, kept + broken)
    better, _ = beta_mean_sd(RELIABILITY, kept + 1, kept + broken + 1)
    _, narrower = beta_mean_sd(RELIABILITY, 4 * kept + 4, 4 * (kept + broken) + 8)
    assert 0 < mean < better < 1
    assert narrower < max(sd, 0.3)


def test_moments_that_no_beta_has_are_refused():
    with pytest.raises(ValueError, match="no Beta"):
        beta_of_moments(0.5, 0.3)
