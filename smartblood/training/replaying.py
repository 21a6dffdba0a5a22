"""A simulated world, and its alerts as the stream would have seen them: what models are trained and judged on."""

from __future__ import annotations

from collections.abc import Callable

from producers.simulator import History, World, simulate
from smartblood.training.examples import SETTLED_US, Examples, examples_of


def replay(world: World, seed: int, end: int, on_step: Callable[[str], None]) -> tuple[History, Examples]:
    """Simulate a world up to the instant ``end`` and replay it.

    The same world, seed and end give the same.

    Parameters
    ----------
    on_step : callable
        Told what is being done.

    Returns
    -------
    tuple of History and Examples
        What happened, to judge by; and the alerts of which all outcomes are known by ``end``.
    """
    on_step(f"simulating {world.n_donors:,} donors, {world.history_days} days")
    history = simulate(world, seed, end)
    on_step(f"replaying {history.asks.row.size:,} alerts through the stream's own code")
    alerts = examples_of(history.events(with_requests=True))
    return history, alerts.take(alerts.required_by + SETTLED_US <= history.end)
