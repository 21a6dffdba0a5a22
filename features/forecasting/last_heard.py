"""The past as it counts where a series is forecast: since it became what it is now, and leaning on what it was last.

Only the last period's is another than ``past_of`` says; trees learn from what that says.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.forecasting.breaks import since_break
from features.forecasting.pace import Pace
from features.forecasting.past import Past, level_of, past_of
from features.forecasting.windows import rolling

Floats = NDArray[np.float64]

SPREAD_OF_LOST = 0.5
"""So unsure, relative to its level, is a series at least of which nobody heard for a year."""


def past_since_breaks(values: Floats, names: tuple[tuple[str, ...], ...], pace: Pace) -> Past:
    """Work out the same as of the last period alone: what was before a series became what it is now isn't known then.

    What trees learn from is left as it was: there a break is a part of what may come.
    """
    past = past_of(values, names, pace)
    since = since_break(past.values, pace)
    if since.any():
        past = past_of(np.where(np.arange(values.shape[1]) < since[:, None], np.nan, values), names, pace)
    return as_last_heard(past)


def as_last_heard(past: Past) -> Past:
    """Return the past, in the end, with series that were known once, and hardly are now, leaning on their own levels.

    What neighbours say is nothing to what a series said itself, while a level's window was full, or where it has
    forgotten the series, when it was known last. Of what nobody heard of for a year little is sure.
    """
    (log_short, log_long), (short, long) = past.log_levels, past.mean_levels
    first, second = past.pace.levels
    spread = past.spread.copy()
    is_lost = np.isnan(past.values[:, -past.pace.a_year :]).all(axis=1)
    spread[is_lost, -1] = np.maximum(spread[is_lost, -1], SPREAD_OF_LOST)
    return replace(
        past,
        log_levels=(_own_level(past.logs, log_short, first), _own_level(past.logs, log_long, second)),
        mean_levels=(_own_level(past.values, short, first), _own_level(past.values, long, second)),
        spread=spread,
    )


def _own_level(x: Floats, level: Floats, window: int) -> Floats:
    """Return a level whose last column leans on its own of before in place of neighbours'."""
    known, of_late = ~np.isnan(x), ~np.isnan(x[:, -window:])
    if of_late.all():
        return level
    is_full = rolling(x, window)[1] == window
    was_full = is_full.any(axis=1)
    before = np.where(was_full[:, None], is_full, known)
    last = x.shape[1] - 1 - np.argmax(before[:, ::-1], axis=1)
    own = level_of(x[:, -window:], window, np.take_along_axis(level, last[:, None], axis=1))[:, -1]
    leans = np.where(was_full, ~of_late.all(axis=1), known.any(axis=1) & ~of_late.any(axis=1))
    found = level.copy()
    found[leans, -1] = own[leans]
    return found
