"""What fades, from ``donor-states`` into columns: read, checked, and summed up into what a donor is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from features.priors import AVAILABILITY, RELIABILITY, RESPONSE_TIME

Floats = NDArray[np.float64]
Fading = Mapping[str, Floats]
"""By column; each of shape (n,)."""

SUM_MAX = 1e9
"""Nobody was asked so often: a sum beyond makes no sense."""

LEAST_HOURS = 1 / 3_600


def fading_of(number: Callable[[str], NDArray[np.int64]], double: Callable[[str], Floats]) -> dict[str, Floats]:
    """Return what fades, by column.

    A null is nothing at all; but a state of the first version has none of it, and its counts stand in.

    Parameters
    ----------
    number, double : callable
        Return a field of ``donor-states`` by its name; a null double is NaN.
    """

    def sums(name: str) -> Floats:
        return double(f"{name}_decayed")

    def count(name: str) -> Floats:
        return np.maximum(number(name), 0).astype(np.float64)

    n_answers, hours = count("n_answers"), double("response_time_hours")
    log_hours = (RESPONSE_TIME.weight + n_answers) * np.log(np.maximum(hours, LEAST_HOURS))
    counted = {
        "alerts": count("n_alerts"),
        "acceptances": n_answers,
        "promises": count("n_promises"),
        "kept": count("n_kept"),
        "answer_times": n_answers,
        "log_hours": np.where(n_answers > 0, log_hours - RESPONSE_TIME.weight * RESPONSE_TIME.log_hours, 0.0),
    }
    is_old = np.isnan(sums("alerts")) & np.isnan(sums("promises"))
    found = {}
    for name in ("unanswered", "cancellations", "no_shows", *counted):
        instead = np.where(is_old, counted[name], 0.0) if name in counted else 0.0
        found[name] = np.where(np.isnan(sums(name)), instead, sums(name))
    found["completions"] = np.nan_to_num(sums("whole_blood"), nan=0.0) + np.nan_to_num(sums("apheresis"), nan=0.0)
    return found


def are_sound(fading: Fading) -> NDArray[np.bool_]:
    """Tell where what fades can be: finite, not negative, no more successes than trials."""
    sound = np.ones(len(fading["alerts"]), np.bool_)
    for name, sums in fading.items():
        sound &= (np.abs(sums) <= SUM_MAX) & ((sums >= 0) | (name == "log_hours"))
    for part, whole in (("acceptances", "alerts"), ("kept", "promises")):
        sound &= fading[part] <= fading[whole] * (1 + 1e-9)
    return sound


def kept(fading: Fading) -> dict[str, Floats]:
    """Return what the columns keep; what makes no sense is bounded, so that it fits."""
    return {name: np.clip(np.nan_to_num(sums), -SUM_MAX, SUM_MAX) for name, sums in fading.items()}


def worth_of(fading: Fading) -> Floats:
    """Return P(says yes) × P(keeps the promise) by the donor's own record; bounded where a sum makes no sense."""
    says_yes = (AVAILABILITY.alpha + fading["acceptances"]) / (AVAILABILITY.trials + fading["alerts"])
    keeps_it = (RELIABILITY.alpha + fading["kept"]) / (RELIABILITY.trials + fading["promises"])
    return np.clip(np.nan_to_num(says_yes * keeps_it), 0.0, 1.0)
