"""How a loop works, where the defaults don't do."""

from __future__ import annotations

from dataclasses import dataclass, field

from smartblood.kafka.halving import FailureLimit


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a loop works, where the defaults don't do.

    Parameters
    ----------
    records_max : int
        Records taken at once; the bound of a batch by number.
    work_max : int
        Rows looked at in one batch, as the processor estimates them.
    batch_s : float
        Seconds that processing one batch may take, by what was lately seen.
    poll_s : float
        How long to wait for a first record; followers are read between.
    n_turns : int
        Producers used in turn.
    follow_s : float
        Longest wait for what is followed, seconds, before the batch is tried again.
    unstable_s : float
        How long committed offsets may wait for a transaction's end, seconds, before those from before it hold. A
        coordinator ends what is left open after the 20 s that our transactions may take, and looks every 10 s.
    stuck_s : float
        Longest time for one step before the process is ended, seconds.
    backoff_s_max : float
        Longest wait before a batch is tried again, seconds.
    failures : FailureLimit
        How many failures of our own code are borne.
    """

    records_max: int = 2_000
    work_max: int = 1_000_000
    batch_s: float = 0.5
    poll_s: float = 0.05
    n_turns: int = 3
    follow_s: float = 30.0
    unstable_s: float = 60.0
    stuck_s: float = 120.0
    backoff_s_max: float = 5.0
    failures: FailureLimit = field(default_factory=FailureLimit)


def no_probe(_: str) -> None:
    """Do nothing at a step; tests put something here that ends the process."""
