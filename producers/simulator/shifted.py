"""A world that differs from the one that models are trained in."""

from __future__ import annotations

from producers.simulator.world import World

SHIFTED = World(
    n_donors=12_000,
    alerts_per_donor_year=6.0,
    female_share=0.11,
    rural_share=0.35,
    keen_share=0.22,
    keen_rate=0.62,
    other_rate=0.09,
    decay_km_least=4.0,
    decay_km_most=14.0,
    keen_show_up=0.52,
    other_show_up=0.54,
    fatigue_factor=0.85,
    fatigue_half_life_days=28.0,
    answer_minutes_median=32.0,
    night_odds=0.35,
    weekend_odds=1.0,
    deferred_other=0.12,
)
"""Where it differs from the training world: fewer keen donors, and less keen ones; distance counts more, alerts tire
more, answers take longer. Assumptions, all of them."""
