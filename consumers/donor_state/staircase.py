"""The highest value stated, also after an erasure takes back the early statements.

A statement is of no further use once another was made at the same time or later and says at least as much. What
remains, sorted, is a staircase: the later the statement, the lower its value. It mostly has one step.
"""

from __future__ import annotations

Staircase = list[tuple[int, int]]
"""(stated_at, value) by ``stated_at``, so that the first has the highest value."""

N_STEPS_MAX = 64
"""The lowest steps go first: they would matter only after an erasure that took all the higher ones."""


def state(steps: Staircase, stated_at: int, value: int) -> None:
    """Add a statement."""
    for other_at, other in steps:
        if other_at >= stated_at and other >= value:
            return
    if steps:
        steps[:] = [step for step in steps if step[0] > stated_at or step[1] > value]
    steps.append((stated_at, value))
    if len(steps) > 1:
        steps.sort()
        del steps[N_STEPS_MAX:]


def highest(steps: Staircase) -> int | None:
    """Return the highest value, or None where nothing was stated."""
    return steps[0][1] if steps else None


def forget(steps: Staircase, at: int) -> None:
    """Take back what was stated at ``at`` or before."""
    steps[:] = [step for step in steps if step[0] > at]
