"""A seeded Kerala: donors, two years of giving and answering, requests, and answers to what the matcher offers.

What is true of a simulated donor and shown to nobody (their kind, how fast distance tires them, their fatigue) lies in
``population.Hidden`` and in ``history.Asks``; events carry only what real upstreams would know.

What is imported from here is loaded when it is asked for: the parameters of a world are flags of a command, whose
``--help`` should not wait for what simulates one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producers.simulator.history import History, simulate
    from producers.simulator.live import LiveDonors
    from producers.simulator.published import Published
    from producers.simulator.requests import RequestSource
    from producers.simulator.world import World

__all__ = ["History", "LiveDonors", "Published", "RequestSource", "World", "simulate"]

_HOME = {
    "History": "history",
    "LiveDonors": "live",
    "Published": "published",
    "RequestSource": "requests",
    "World": "world",
    "simulate": "history",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a module holds
    """Load what is asked for (PEP 562)."""
    if name not in _HOME:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
