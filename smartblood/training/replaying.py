"""What models are trained and judged on: alerts as the stream saw them, from a simulated world or from its records.

Both are one stream of events to ``Alerts``; they differ in what can be told of where it came from, and in that a
simulated world knows the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from consumers.topology import Input
from features.decay import HalfLives
from features.outcomes import SETTLED_US
from producers.simulator import History, World, simulate
from schemas.records import Record
from smartblood.readable import instant_text
from smartblood.training.alerts import Alerts
from smartblood.training.examples import Examples

SIMULATED = "the project's simulator; no real donor"
RECORDED = "recorded topics"


class Replayed(NamedTuple):
    """Alerts of which all outcomes are known.

    Parameters
    ----------
    examples : Examples
    origin : dict
        Where they came from, as JSON data, for the card: ``source``, the span, whatever makes the same again.
    history : History or None
        What happened in a simulated world, to judge by.
    """

    examples: Examples
    origin: dict[str, Any]
    history: History | None


class Recording(NamedTuple):
    """What topics recorded.

    Parameters
    ----------
    items : iterable of Input
        In the order of ``recorded.order_of``.
    origin : callable
        Returns what is to be told of where they came from, once they were read.
    ends_at : int or None
        Until when it was listened, microseconds; None: until the last that donors did.
    """

    items: Iterable[Input]
    origin: Callable[[], dict[str, Any]]
    ends_at: int | None


def of_world(world: World, seed: int, end: int, on_step: Callable[[str], None] = lambda _: None) -> Replayed:
    """Simulate a world up to the instant ``end`` and replay it.

    The same world, seed and end give the same.

    Parameters
    ----------
    on_step : callable
        Told what is being done.
    """
    on_step(f"simulating {world.n_donors:,} donors, {world.history_days} days")
    history = simulate(world, seed, end)
    on_step(f"replaying {history.asks.row.size:,} alerts through the stream's own code")
    alerts = Alerts()
    for item in items_of(history):
        alerts.take(item)
    examples = settled(alerts, history.end)
    origin = {
        "source": SIMULATED,
        "n_donors": world.n_donors,
        "days": world.history_days,
        "seed": seed,
        "ends_at": history.end,
        "policies": dict(world.policy_share),
    }
    return Replayed(examples, {**origin, **_span(examples, alerts)}, history)


def of_recording(
    recording: Recording, half_lives: HalfLives, late_days: int, on_step: Callable[[str], None] = lambda _: None
) -> Replayed:
    """Replay what topics recorded; the same records give the same.

    Parameters
    ----------
    half_lives, late_days
        As ``donor-state`` and ``matching`` have them.
    """
    on_step("replaying what was recorded through the stream's own code")
    alerts = Alerts(half_lives, late_days=late_days)
    for item in recording.items:
        alerts.take(item)
    examples = settled(alerts, recording.ends_at)
    origin = {
        "source": RECORDED,
        **recording.origin(),
        "ends_at": alerts.ends_at,
        "half_lives_days": list(half_lives),
    }
    return Replayed(examples, {**origin, **_span(examples, alerts)}, None)


def items_of(history: History) -> Iterator[Input]:
    """Yield a history's events as the stream would read them."""
    for line in history.events(with_requests=True):
        yield Input(Record(line.topic, 0, 0, line.timestamp_ms, line.key.encode(), b""), line.event)


def settled(alerts: Alerts, ends_at: int | None) -> Examples:
    """Return the alerts of which all outcomes are known by ``ends_at``."""
    examples = alerts.examples(ends_at)
    return examples.take(examples.required_by + SETTLED_US <= alerts.ends_at)


def _span(examples: Examples, alerts: Alerts) -> dict[str, Any]:
    """Return from when to when donors were asked, and which alerts teach nothing."""
    at = examples.at
    left_out = {why: n for why, n in sorted(alerts.left_out.items()) if n}
    span = [instant_text(int(one)) for one in (np.min(at), np.max(at))] if at.size else []
    return {"asked": span, **({"left_out": left_out} if left_out else {})}
