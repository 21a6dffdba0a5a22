"""When each donor may give, is bound by a promise, or is tired: what the history keeps of them from day to day."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.local_time import start_of_day
from features.rule_set import INDIA_2020
from producers.simulator.population import NEVER, Flags, Floats, Instants, Population
from producers.simulator.world import DAY_US

FOR_EVER = 2**62
LIMITS = INDIA_2020.limits
APHERESIS_AGAIN_US = 16 * DAY_US
"""Simulated donors wait longer between two apheresis donations than the rules say: so 24 a year are never exceeded."""


@dataclass(slots=True)
class Diary:
    """Columns of one entry a donor, instants in microseconds.

    ``whole_blood_from``, ``apheresis_from``: intervals, as if nothing else stood in the way. ``blocked_until``: by
    deferrals. ``busy_until``: with a promise or a donation under way. ``unanswered``: alerts, each counted by what was
    left of it at ``tired_at``.
    """

    whole_blood_from: Instants
    apheresis_from: Instants
    interval_us: Instants
    blocked_until: Instants
    busy_until: Instants
    away_until: Instants
    unanswered: Floats
    tired_at: Instants
    total: NDArray[np.int64]
    last_whole_blood_at: Instants
    last_apheresis_at: Instants
    weight_kg: Floats
    apheresis_willing: Flags
    fit: Flags
    fit_for_apheresis: Flags
    n_alerts: NDArray[np.int64]
    n_accepted: NDArray[np.int64]
    apheresis: dict[int, list[tuple[int, bool]]] = field(default_factory=dict)

    @classmethod
    def of(cls, people: Population) -> Diary:
        """Return the diary of donors of whom nothing but their first profile is known."""
        n = people.donor_id.size
        male = people.sex == 2
        interval = np.where(
            male, LIMITS.whole_blood_to_whole_blood_male_us, LIMITS.whole_blood_to_whole_blood_us
        ).astype(np.int64)
        last = people.last_whole_blood_at
        weight = np.nan_to_num(people.weight_kg)
        return cls(
            whole_blood_from=np.where(last == NEVER, NEVER, last + interval),
            apheresis_from=np.where(last == NEVER, NEVER, last + LIMITS.whole_blood_to_apheresis_us),
            interval_us=interval,
            blocked_until=np.where(people.barred, FOR_EVER, NEVER),
            busy_until=np.full(n, NEVER),
            away_until=np.full(n, NEVER),
            unanswered=np.zeros(n),
            tired_at=np.zeros(n, np.int64),
            total=people.total_donations.astype(np.int64),
            last_whole_blood_at=last.copy(),
            last_apheresis_at=np.full(n, NEVER),
            weight_kg=people.weight_kg.copy(),
            apheresis_willing=people.apheresis_willing.copy(),
            fit=weight >= LIMITS.weight_min_whole_blood_kg,
            fit_for_apheresis=weight >= LIMITS.weight_min_apheresis_kg,
            n_alerts=np.zeros(n, np.int64),
            n_accepted=np.zeros(n, np.int64),
        )

    def may_give(self, rows: NDArray[np.int64] | slice, at: int, *, apheresis: bool) -> Flags:
        """Whether each of ``rows`` may lawfully give at the instant ``at`` and is not bound; shape (n,)."""
        since = (self.apheresis_from if apheresis else self.whole_blood_from)[rows]
        fit = (self.fit_for_apheresis if apheresis else self.fit)[rows]
        return fit & (since <= at) & (self.blocked_until[rows] <= at) & (self.busy_until[rows] <= at)

    def gave(self, row: int, at: int, *, apheresis: bool, red_cells_returned: bool) -> None:
        """Note a donation."""
        self.total[row] += 1
        if not apheresis:
            self.last_whole_blood_at[row] = at
            self.whole_blood_from[row] = at + self.interval_us[row]
            self.apheresis_from[row] = max(self.apheresis_from[row], at + LIMITS.whole_blood_to_apheresis_us)
            return
        self.last_apheresis_at[row] = at
        self.apheresis.setdefault(row, []).append((at, red_cells_returned))
        self.apheresis_from[row] = at + APHERESIS_AGAIN_US
        wait_us = (
            LIMITS.apheresis_to_whole_blood_us if red_cells_returned else LIMITS.unreturned_apheresis_to_whole_blood_us
        )
        self.whole_blood_from[row] = max(self.whole_blood_from[row], at + wait_us)

    def weighed(self, row: int, weight_kg: float) -> None:
        """Note a weight."""
        self.weight_kg[row] = weight_kg
        self.fit[row] = weight_kg >= LIMITS.weight_min_whole_blood_kg
        self.fit_for_apheresis[row] = weight_kg >= LIMITS.weight_min_apheresis_kg

    def deferred(self, row: int, until: int | None) -> None:
        """Note a deferral until the local day ``until``, that day included; for ever where None."""
        end = FOR_EVER if until is None else start_of_day(until + 1)
        self.blocked_until[row] = max(self.blocked_until[row], end)
